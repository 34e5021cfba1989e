/* Rules from exception tables: written here by hand, and those of this very program. */
#include "profile/heap_unwind.h"

#include <string.h>
#if defined(__GLIBC__)
#include <execinfo.h>
#endif

#include "profile/heap_stack.h"
#include "unit.h"

START_TEST(a_rule_survives_its_packing)
{
	static const struct unwind_rule rules[] = {
		{ UNWIND_SP, false, 8, 0 },
		{ UNWIND_FP, false, 16, -16 },
		{ UNWIND_FP, true, -8, -16 },
		{ UNWIND_SP, false, INT32_MAX, -2048 * 8 },
		{ UNWIND_SP, false, INT32_MIN, 2047 * 8 },
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		uint64_t packed = heap_unwind_pack(&rules[i]);
		struct unwind_rule r = heap_unwind_unpack(packed);

		ck_assert(packed != 0 && packed != UNWIND_END && packed != UNWIND_UNKNOWN);
		ck_assert_int_eq(r.base, rules[i].base);
		ck_assert_int_eq(r.indirect, rules[i].indirect);
		ck_assert_int_eq(r.offset, rules[i].offset);
		ck_assert_int_eq(r.saved_fp, rules[i].saved_fp);
	}
}
END_TEST

START_TEST(a_rule_that_does_not_fit_is_unknown)
{
	struct unwind_rule r = { UNWIND_SP, false, 8, -12 };

	ck_assert_uint_eq(heap_unwind_pack(&r), UNWIND_UNKNOWN);
	r.saved_fp = -2049 * 8;
	ck_assert_uint_eq(heap_unwind_pack(&r), UNWIND_UNKNOWN);
	r.saved_fp = 2048 * 8;
	ck_assert_uint_eq(heap_unwind_pack(&r), UNWIND_UNKNOWN);
}
END_TEST

#if defined(__x86_64__)

/* One function of 256 bytes at CODE, its entry, the entry that this one rests on, and the table. */
enum { CIE_AT = 64, FDE_AT = 256, CODE_AT = 1024, CODE_LENGTH = 256 };

static _Alignas(8) uint8_t image[2048];
static size_t at;

static void put(const void *bytes, size_t n)
{
	memcpy(image + at, bytes, n);
	at += n;
}

static void put_byte(unsigned v)
{
	image[at++] = (uint8_t)v;
}

static void put_word(uint32_t v)
{
	put(&v, sizeof(v));
}

static void end_entry(size_t from)
{
	uint32_t length;

	while ((at - from) % 4 != 0)
		put_byte(0);
	length = (uint32_t)(at - from - 4);
	memcpy(image + from, &length, 4);
}

/* Code in units of 1 byte, data of -8; the base is rsp + 8, the return address right below it. */
static void put_cie(const char *letters, const void *augmentation, size_t n)
{
	at = CIE_AT + 4;
	put_word(0);
	put_byte(1);
	put(letters, strlen(letters) + 1);
	put_byte(1);
	put_byte(0x78);
	put_byte(16);
	if (*letters == 'z')
		put_byte((unsigned)n);
	put(augmentation, n);
	put("\x0c\x07\x08\x90\x01", 5);
	end_entry(CIE_AT);
}

static void put_table(void)
{
	at = 0;
	put("\x01\x1b\x03\x3b", 4);
	put_word(CIE_AT - 4);
	put_word(1);
	put_word(CODE_AT);
	put_word(FDE_AT);
}

static void put_fde(const void *program, size_t n)
{
	at = FDE_AT + 4;
	put_word(FDE_AT + 4 - CIE_AT);
	put_word((uint32_t)(CODE_AT - (int)at));
	put_word(CODE_LENGTH);
	put_byte(0);
	put(program, n);
	end_entry(FDE_AT);
}

static uint64_t ask(unsigned offset)
{
	return heap_unwind_table(image, (uintptr_t)image + CODE_AT + offset);
}

static void table(void)
{
	memset(image, 0, sizeof(image));
	put_cie("zR", "\x1b", 1);
	put_table();
}

/* What the function's program, a string literal, says about the place OFFSET. */
#define RULE(program, offset) (put_fde(program, sizeof(program) - 1), ask(offset))

static void is(uint64_t packed, enum unwind_base base, int offset, int saved_fp)
{
	struct unwind_rule r = heap_unwind_unpack(packed);

	ck_assert_msg(packed != UNWIND_UNKNOWN && packed != UNWIND_END, "no rule");
	ck_assert_int_eq(r.base, base);
	ck_assert_int_eq(r.offset, offset);
	ck_assert_int_eq(r.saved_fp, saved_fp);
}

#define PUSH_RBP "\x41\x0e\x10\x86\x02"		/* advance 1; base + 16; rbp at -16 */
#define MOV_RBP "\x43\x0d\x06"			/* advance 3; base is rbp */
#define LEAVE "\x4a\x0c\x07\x08"		/* advance 10; base is rsp + 8 */

START_TEST(each_place_of_a_function_has_its_own_rule)
{
	static const char program[] = PUSH_RBP MOV_RBP LEAVE;

	table();
	is(RULE(program, 0), UNWIND_SP, 8, 0);
	is(RULE(program, 1), UNWIND_SP, 16, -16);
	is(RULE(program, 3), UNWIND_SP, 16, -16);
	is(RULE(program, 4), UNWIND_FP, 16, -16);
	is(RULE(program, 13), UNWIND_FP, 16, -16);
	is(RULE(program, 14), UNWIND_SP, 8, -16);
}
END_TEST

START_TEST(places_outside_of_all_functions_are_unknown)
{
	table();
	put_fde("", 0);
	ck_assert_uint_ne(ask(CODE_LENGTH - 1), UNWIND_UNKNOWN);
	ck_assert_uint_eq(ask(CODE_LENGTH), UNWIND_UNKNOWN);
	ck_assert_uint_eq(ask((unsigned)-1), UNWIND_UNKNOWN);
	ck_assert_uint_eq(ask((unsigned)-CODE_AT - 100), UNWIND_UNKNOWN);
}
END_TEST

START_TEST(what_was_remembered_comes_back)
{
	table();
	/* push; remember; advance 1, leave; advance 1, restore state */
	is(RULE(PUSH_RBP "\x0a\x41\x0e\x08\xc6\x41\x0b", 2), UNWIND_SP, 8, 0);
	is(RULE(PUSH_RBP "\x0a\x41\x0e\x08\xc6\x41\x0b", 3), UNWIND_SP, 16, -16);
	/* restore_extended rbp; same_value rbp */
	is(RULE(PUSH_RBP "\x06\x06", 1), UNWIND_SP, 16, 0);
	is(RULE(PUSH_RBP "\x08\x06", 1), UNWIND_SP, 16, 0);
	ck_assert_uint_eq(RULE("\x0b", 0), UNWIND_UNKNOWN);
	ck_assert_uint_eq(RULE("\x0a\x0a\x0a\x0a\x0a", 0), UNWIND_UNKNOWN);
}
END_TEST

START_TEST(the_long_forms_say_the_same)
{
	table();
	/* advance_loc1, def_cfa_offset, offset_extended */
	is(RULE("\x02\x01\x0e\x10\x05\x06\x02", 1), UNWIND_SP, 16, -16);
	/* advance_loc2, def_cfa_sf (-2 x -8), offset_extended_sf */
	is(RULE("\x03\x01\x00\x12\x06\x7e\x11\x06\x02", 1), UNWIND_FP, 16, -16);
	/* advance_loc4, def_cfa_offset_sf */
	is(RULE("\x04\x01\x00\x00\x00\x13\x7e", 1), UNWIND_SP, 16, 0);
	is(RULE("\x04\x01\x00\x00\x00\x13\x7e", 0), UNWIND_SP, 8, 0);
	/* two bytes of a number: def_cfa_offset 200; args_size and nop change nothing */
	is(RULE("\x0e\xc8\x01\x2e\x08\x00", 0), UNWIND_SP, 200, 0);
}
END_TEST

START_TEST(a_realigned_stack_is_found_through_the_frame_pointer)
{
	uint64_t packed;

	table();
	/* def_cfa_expression: breg6 - 8, deref; rbp is said to stand at -16 */
	packed = RULE("\x0f\x03\x76\x78\x06\x86\x02", 0);
	is(packed, UNWIND_FP, -8, -16);
	ck_assert(heap_unwind_unpack(packed).indirect);
	/* any other expression */
	ck_assert_uint_eq(RULE("\x0f\x02\x77\x08", 0), UNWIND_UNKNOWN);
	ck_assert_uint_eq(RULE("\x0f\x04\x76\x78\x06\x06", 0), UNWIND_UNKNOWN);
	/* and what is known again after it */
	is(RULE("\x0f\x02\x77\x08\x0c\x07\x10", 0), UNWIND_SP, 16, 0);
}
END_TEST

START_TEST(what_is_not_read_is_unknown_only_where_it_matters)
{
	table();
	is(RULE("\x10\x03\x01\x30\x09\x03\x00\x14\x03\x01", 0), UNWIND_SP, 8, 0);	/* rbx */
	ck_assert_uint_eq(RULE("\x10\x06\x01\x30", 0), UNWIND_UNKNOWN);		/* rbp */
	ck_assert_uint_eq(RULE("\x09\x10\x00", 0), UNWIND_UNKNOWN);		/* the return address */
	ck_assert_uint_eq(RULE("\x90\x02", 0), UNWIND_UNKNOWN);			/* elsewhere */
	ck_assert_uint_eq(RULE("\x0c\x03\x08", 0), UNWIND_UNKNOWN);		/* base rbx */
	ck_assert_uint_eq(RULE("\x3f", 0), UNWIND_UNKNOWN);			/* no instruction */
	ck_assert_uint_eq(RULE("\x0e\xff\xff\xff\xff\xff\x0f", 0), UNWIND_UNKNOWN);	/* too far */
	is(RULE("\x07\x03", 0), UNWIND_SP, 8, 0);
}
END_TEST

START_TEST(a_function_without_return_address_ends_the_stack)
{
	table();
	ck_assert_uint_eq(RULE("\x07\x10", 0), UNWIND_END);
}
END_TEST

START_TEST(half_an_instruction_is_unknown)
{
	static const char program[] = "\x0e";	/* its number would stand behind the end */

	table();
	put_fde("\x00\x00\x00", 3);
	image[at - 1] = (uint8_t)program[0];
	ck_assert_uint_eq(ask(0), UNWIND_UNKNOWN);
}
END_TEST

START_TEST(other_kinds_of_entries_are_left_alone)
{
	table();
	put_fde("", 0);
	put_cie("zRS", "\x1b", 1);		/* a signal's frame */
	ck_assert_uint_eq(ask(0), UNWIND_UNKNOWN);
	put_cie("zR", "\x03", 1);		/* absolute addresses */
	ck_assert_uint_eq(ask(0), UNWIND_UNKNOWN);
	put_cie("zX", "\x1b", 1);
	ck_assert_uint_eq(ask(0), UNWIND_UNKNOWN);
	put_cie("eh", "", 0);
	ck_assert_uint_eq(ask(0), UNWIND_UNKNOWN);
	/* with a personality, and data of the language: as C++ has it */
	put_cie("zPLR", "\x9b\x01\x02\x03\x04\x1b\x1b", 7);
	is(ask(0), UNWIND_SP, 8, 0);
	image[FDE_AT] = 0;			/* the end of all entries */
	image[FDE_AT + 1] = 0;
	ck_assert_uint_eq(ask(0), UNWIND_UNKNOWN);
}
END_TEST

START_TEST(other_kinds_of_tables_are_left_alone)
{
	static const uint8_t heads[][4] = {
		{ 2, 0x1b, 3, 0x3b }, { 1, 0xff, 3, 0x3b }, { 1, 0x1b, 0xff, 0x3b }, { 1, 0x1b, 3, 3 },
	};

	table();
	put_fde("", 0);
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		memcpy(image, heads[i], 4);
		ck_assert_uint_eq(ask(0), UNWIND_UNKNOWN);
	}
	put_table();
	memset(image + 8, 0, 4);		/* no rows */
	ck_assert_uint_eq(ask(0), UNWIND_UNKNOWN);
}
END_TEST

/* --- this program -------------------------------------------------------------------------------- */

#if defined(__GLIBC__)
#define DEPTH 12

static unsigned ours;
static int theirs;
static uintptr_t our_stack[64];
static void *their_stack[64];

/* Frames of odd sizes, and none of them goes away. */
__attribute__((noinline)) static int descend(int depth, volatile char *room)
{
	volatile char own[37];

	own[0] = room != NULL ? room[0] : 0;
	if (depth == 0) {
		heap_stack_prepare();
		ours = heap_stack_walk((uintptr_t)__builtin_return_address(0),
				       __builtin_frame_address(0), our_stack, 64);
		theirs = backtrace(their_stack, 64);
		return own[0];
	}
	return descend(depth - 1, own) + own[0];
}

START_TEST(a_walk_finds_the_callers_that_libgcc_finds)
{
	int skipped = 0;

	descend(DEPTH, NULL);
	while (skipped < theirs && (uintptr_t)their_stack[skipped] != our_stack[0])
		skipped++;
	ck_assert_int_lt(skipped, theirs);
	ck_assert_uint_gt(ours, DEPTH);
	for (unsigned i = 0; i < DEPTH + 2; i++)
		ck_assert_uint_eq(our_stack[i], (uintptr_t)their_stack[(unsigned)skipped + i]);
}
END_TEST
#endif
#endif

int main(void)
{
	const TTest *tests[] = {
		a_rule_survives_its_packing,
		a_rule_that_does_not_fit_is_unknown,
#if defined(__x86_64__)
		each_place_of_a_function_has_its_own_rule,
		places_outside_of_all_functions_are_unknown,
		what_was_remembered_comes_back,
		the_long_forms_say_the_same,
		a_realigned_stack_is_found_through_the_frame_pointer,
		what_is_not_read_is_unknown_only_where_it_matters,
		a_function_without_return_address_ends_the_stack,
		half_an_instruction_is_unknown,
		other_kinds_of_entries_are_left_alone,
		other_kinds_of_tables_are_left_alone,
#if defined(__GLIBC__)
		a_walk_finds_the_callers_that_libgcc_finds,
#endif
#endif
	};

	return unit_run("profile: rules of the stack", tests, sizeof(tests) / sizeof(tests[0]));
}
