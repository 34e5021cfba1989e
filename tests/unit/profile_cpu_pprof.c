/* The encoder against a decoder that knows nothing but the wire. */
#include "profile/cpu_pprof.h"

#include "profile/gzip.h"
#include "unit.h"

struct field {
	unsigned number;
	uint64_t value;			/* of a varint */
	const unsigned char *bytes;	/* of a length-delimited one; else NULL */
	size_t n;
};

static uint64_t varint(const unsigned char **at, const unsigned char *end)
{
	uint64_t value = 0;

	for (int shift = 0; *at < end; shift += 7) {
		unsigned char byte = *(*at)++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	ck_abort_msg("a varint that does not end");
}

static bool next_field(const unsigned char **at, const unsigned char *end, struct field *f)
{
	uint64_t tag;

	if (*at == end)
		return false;
	tag = varint(at, end);
	*f = (struct field){ .number = (unsigned)(tag >> 3) };
	ck_assert_uint_eq(tag & 5, 0);
	f->value = varint(at, end);
	if ((tag & 7) == 2) {
		f->bytes = *at;
		f->n = f->value;
		ck_assert_uint_le(f->n, (size_t)(end - *at));
		*at += f->n;
	}
	return true;
}

/* The NTH field NUMBER of a message. */
static struct field field_of(const void *message, size_t n, unsigned number, int nth)
{
	const unsigned char *at = message, *end = at + n;
	struct field f;

	while (next_field(&at, end, &f))
		if (f.number == number && nth-- == 0)
			return f;
	return (struct field){ 0 };
}

static struct field top(const struct pprof *p, unsigned number, int nth)
{
	return field_of(p->out.buf, p->out.len, number, nth);
}

static void check_string(const struct pprof *p, uint64_t number, const char *text)
{
	struct field f = top(p, 6, (int)number);

	ck_assert_ptr_nonnull(f.bytes);
	ck_assert_uint_eq(f.n, strlen(text));
	ck_assert_mem_eq(f.bytes, text, f.n);
}

static void check_member(const struct pprof *p, struct field message, unsigned number,
			 const char *text)
{
	check_string(p, field_of(message.bytes, message.n, number, 0).value, text);
}

static void finish(struct pprof *p)
{
	const char *const comments[] = { "one", "two" };
	struct pprof_end end = { .start_real_ns = 5, .duration_ns = 300, .period_ns = 10000000,
				 .comments = comments, .ncomments = 2 };

	pprof_finish(p, &end);
}

START_TEST(a_profile_of_nothing_has_its_types_and_times)
{
	auto_free(pprof_fini) struct pprof p;

	pprof_init(&p);
	finish(&p);
	check_string(&p, 0, "");
	check_member(&p, top(&p, 1, 0), 1, "samples");
	check_member(&p, top(&p, 1, 0), 2, "count");
	check_member(&p, top(&p, 1, 1), 1, "cpu");
	check_member(&p, top(&p, 1, 1), 2, "nanoseconds");
	check_member(&p, top(&p, 11, 0), 1, "cpu");
	check_member(&p, top(&p, 11, 0), 2, "nanoseconds");
	ck_assert_uint_eq(top(&p, 12, 0).value, 10000000);
	ck_assert_uint_eq(top(&p, 9, 0).value, 5);
	ck_assert_uint_eq(top(&p, 10, 0).value, 300);
	check_string(&p, top(&p, 13, 0).value, "one");
	check_string(&p, top(&p, 13, 1).value, "two");
	check_string(&p, top(&p, 14, 0).value, "cpu");
}
END_TEST

START_TEST(a_location_tells_its_inlined_calls_innermost_first)
{
	const struct pprof_line lines[] = { { "inner", "a.c", 12, 10 }, { "outer", "a.c", 40, 30 } };
	auto_free(pprof_fini) struct pprof p;
	struct field location, line, function;

	pprof_init(&p);
	pprof_location(&p, 1, 7, 0xffffffff81000000, lines, 2);
	pprof_location(&p, 2, 0, 3, lines, 1);
	finish(&p);
	location = top(&p, 4, 0);
	ck_assert_uint_eq(field_of(location.bytes, location.n, 1, 0).value, 1);
	ck_assert_uint_eq(field_of(location.bytes, location.n, 2, 0).value, 7);
	ck_assert_uint_eq(field_of(location.bytes, location.n, 3, 0).value, 0xffffffff81000000);
	line = field_of(location.bytes, location.n, 4, 0);
	ck_assert_uint_eq(field_of(line.bytes, line.n, 2, 0).value, 12);
	ck_assert_uint_eq(field_of(line.bytes, line.n, 1, 0).value, 1);
	line = field_of(location.bytes, location.n, 4, 1);
	ck_assert_uint_eq(field_of(line.bytes, line.n, 1, 0).value, 2);
	function = top(&p, 5, 0);
	check_member(&p, function, 2, "inner");
	check_member(&p, function, 3, "inner");
	check_member(&p, function, 4, "a.c");
	ck_assert_uint_eq(field_of(function.bytes, function.n, 5, 0).value, 10);
	/* the second location uses the same function */
	ck_assert_ptr_null(top(&p, 5, 2).bytes);
	location = top(&p, 4, 1);
	ck_assert_uint_eq(field_of(location.bytes, location.n, 2, 0).number, 0);
}
END_TEST

START_TEST(a_mapping_says_which_file_and_which_build_of_it)
{
	const struct pprof_mapping m = { .start = 0x1000, .limit = 0x9000, .offset = 0x200,
					 .file = "/bin/x", .build_id = "0badcafe",
					 .has_functions = true };
	auto_free(pprof_fini) struct pprof p;
	struct field f;

	pprof_init(&p);
	pprof_mapping(&p, 3, &m);
	finish(&p);
	f = top(&p, 3, 0);
	ck_assert_uint_eq(field_of(f.bytes, f.n, 1, 0).value, 3);
	ck_assert_uint_eq(field_of(f.bytes, f.n, 2, 0).value, 0x1000);
	ck_assert_uint_eq(field_of(f.bytes, f.n, 3, 0).value, 0x9000);
	ck_assert_uint_eq(field_of(f.bytes, f.n, 4, 0).value, 0x200);
	check_member(&p, f, 5, "/bin/x");
	check_member(&p, f, 6, "0badcafe");
	ck_assert_uint_eq(field_of(f.bytes, f.n, 7, 0).value, 1);
	ck_assert_uint_eq(field_of(f.bytes, f.n, 9, 0).number, 0);
}
END_TEST

START_TEST(a_sample_has_its_stack_its_values_and_its_thread)
{
	const uint64_t stack[] = { 1, 300 };
	const struct pprof_sample s = { .locations = stack, .n = 2, .count = 2,
					.nanoseconds = 20000000, .pid = 42, .thread = "worker" };
	auto_free(pprof_fini) struct pprof p;
	const unsigned char *at;
	struct field f, packed, label;

	pprof_init(&p);
	pprof_sample(&p, &s);
	finish(&p);
	f = top(&p, 2, 0);
	packed = field_of(f.bytes, f.n, 1, 0);
	at = packed.bytes;
	ck_assert_uint_eq(varint(&at, packed.bytes + packed.n), 1);
	ck_assert_uint_eq(varint(&at, packed.bytes + packed.n), 300);
	ck_assert_ptr_eq(at, packed.bytes + packed.n);
	packed = field_of(f.bytes, f.n, 2, 0);
	at = packed.bytes;
	ck_assert_uint_eq(varint(&at, packed.bytes + packed.n), 2);
	ck_assert_uint_eq(varint(&at, packed.bytes + packed.n), 20000000);
	label = field_of(f.bytes, f.n, 3, 0);
	check_member(&p, label, 1, "pid");
	ck_assert_uint_eq(field_of(label.bytes, label.n, 3, 0).value, 42);
	label = field_of(f.bytes, f.n, 3, 1);
	check_member(&p, label, 1, "thread");
	check_member(&p, label, 2, "worker");
}
END_TEST

START_TEST(gzip_has_its_magic_and_is_shorter)
{
	auto_free(strbuf_fini) struct strbuf in = STRBUF_INIT, out = STRBUF_INIT;

	for (int i = 0; i < 1000; i++)
		strbuf_addstr(&in, "again and again ");
	strbuf_addstr(&out, "x");
	if (!gzip_add(&out, in.buf, in.len)) {	/* built or run without zlib */
		ck_assert_str_eq(out.buf, "x");
		return;
	}
	ck_assert_mem_eq(out.buf, "x\x1f\x8b\x08", 4);
	ck_assert_uint_lt(out.len, 500);
}
END_TEST

UNIT_MAIN("profile: the pprof encoder", a_profile_of_nothing_has_its_types_and_times,
	  a_location_tells_its_inlined_calls_innermost_first,
	  a_mapping_says_which_file_and_which_build_of_it,
	  a_sample_has_its_stack_its_values_and_its_thread, gzip_has_its_magic_and_is_shorter)
