/* Names out of ELF files: this program's own, and files that are none. */
#include "profile/symbols.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "profile/elf.h"
#include "unit.h"

/* Found in the symbol table by this name. */
int a_function_to_be_found(int x);
int __attribute__((noinline)) a_function_to_be_found(int x)
{
	return x * 3;
}

static int own(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static const struct elf_symbol *symbol_of(const struct elf *e, const char *name)
{
	for (size_t i = 0; i < e->nsymbols; i++)
		if (strcmp(e->names + e->symbols[i].name, name) == 0)
			return &e->symbols[i];
	return NULL;
}

static uint64_t offset_of(const struct elf *e, uint64_t address)
{
	for (size_t i = 0; i < e->nsegments; i++)
		if (address >= e->segments[i].address &&
		    address - e->segments[i].address < e->segments[i].size)
			return address - e->segments[i].address + e->segments[i].offset;
	ck_abort_msg("no segment");
}

START_TEST(a_function_is_found_by_any_of_its_addresses)
{
	auto_free(elf_fini) struct elf e = ELF_INIT;
	auto_free(closep) int fd = own();
	const struct elf_symbol *s;
	uint64_t address;

	ck_assert_int_eq(elf_read(fd, &e), 0);
	s = symbol_of(&e, "a_function_to_be_found");
	ck_assert_ptr_nonnull(s);
	if (s == NULL)	/* for the compiler */
		return;
	ck_assert_str_eq(elf_function(&e, s->address), "a_function_to_be_found");
	ck_assert_str_eq(elf_function(&e, s->address + s->size - 1), "a_function_to_be_found");
	ck_assert(elf_address(&e, offset_of(&e, s->address), &address));
	ck_assert_uint_eq(address, s->address);
	ck_assert(!elf_address(&e, UINT64_MAX, &address));
	ck_assert_ptr_null(elf_function(&e, 0));
}
END_TEST

START_TEST(the_place_of_a_function_has_its_name)
{
	auto_free(elf_fini) struct elf e = ELF_INIT;
	auto_free(closep) int fd = own();
	struct symbols *s = symbols_new(fd, "own");
	struct symbol_frame frames[SYMBOL_FRAMES_MAX];
	const struct elf_symbol *found;
	uint64_t at;

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(elf_read(fd, &e), 0);
	found = symbol_of(&e, "a_function_to_be_found");
	ck_assert_ptr_nonnull(found);
	at = found != NULL ? offset_of(&e, found->address) : 0;
	ck_assert_uint_eq(symbols_find(s, at, frames, SYMBOL_FRAMES_MAX), 1);
	ck_assert_str_eq(frames[0].function, "a_function_to_be_found");
	if (symbols_has_lines(s)) {
		ck_assert_ptr_nonnull(strstr(frames[0].file, "profile_symbols.c"));
		ck_assert_uint_gt(frames[0].line, 0);
	}
	ck_assert_uint_eq(symbols_find(s, UINT64_MAX, frames, SYMBOL_FRAMES_MAX), 0);
	ck_assert_uint_eq(symbols_find(s, at, frames, 0), 0);
	symbols_free(s);
	symbols_free(NULL);
}
END_TEST

START_TEST(what_is_no_program_is_refused)
{
	auto_free(closep) int fd = memfd_create("x", MFD_CLOEXEC);
	struct elf e;

	ck_assert_int_eq(elf_read(fd, &e), -ENOEXEC);
	ck_assert_int_eq(fd_write_all(fd, "#!/bin/sh\n", 10), 0);
	ck_assert_int_eq(elf_read(fd, &e), -ENOEXEC);
	ck_assert_ptr_null(symbols_new(fd, "x"));
	ck_assert_int_eq(elf_read(-1, &e), -EBADF);
}
END_TEST

START_TEST(a_file_that_was_cut_has_what_is_left)
{
	auto_free(closep) int from = own(), to = memfd_create("x", MFD_CLOEXEC);
	auto_free(elf_fini) struct elf e = ELF_INIT;
	char bytes[4096];

	ck_assert_int_eq(pread(from, bytes, sizeof(bytes), 0), (ssize_t)sizeof(bytes));
	ck_assert_int_eq(fd_write_all(to, bytes, sizeof(bytes)), 0);
	ck_assert_int_eq(elf_read(to, &e), 0);
	ck_assert_uint_gt(e.nsegments, 0);
	ck_assert_uint_eq(e.nsymbols, 0);
	ck_assert_ptr_null(elf_function(&e, 0x1000));
}
END_TEST

UNIT_MAIN("profile: symbols", a_function_is_found_by_any_of_its_addresses,
	  the_place_of_a_function_has_its_name, what_is_no_program_is_refused,
	  a_file_that_was_cut_has_what_is_left)
