/* Names without a heap: of this program, of a file in memory that says what a test wants, and of
 * files that lie. */
#include "profile/heap_symbols.h"

#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit.h"

__attribute__((noinline)) static int named_function(int v)
{
	return v * 3 + 1;
}

START_TEST(own_functions_and_what_is_no_file)
{
	uint64_t here = (uint64_t)(uintptr_t)named_function, stack = (uint64_t)(uintptr_t)&here;
	uint64_t sorted[] = { 1, here, stack };
	struct heap_symbols s = { .list = NULL };

	ck_assert_int_eq(named_function(1), 4);
	ck_assert_int_eq(heap_symbols_load(&s, sorted, 3, 0), 0);
	ck_assert_uint_eq(heap_symbols_find(&s, 1), 0);
	ck_assert_uint_eq(heap_symbols_find(&s, here), 1);
	ck_assert_uint_eq(heap_symbols_find(&s, stack), 2);
	ck_assert_ptr_null(s.list[0].file);
	ck_assert_ptr_null(s.list[0].function);
	ck_assert_uint_eq(s.list[0].in_file, 1);
	ck_assert_str_eq(s.list[1].function, "named_function");
	ck_assert_ptr_nonnull(strstr(s.list[1].file, "profile_heap_symbols"));
	ck_assert_ptr_null(s.list[2].function);
	heap_symbols_free(&s);
}
END_TEST

START_TEST(a_process_that_is_gone_has_no_names)
{
	uint64_t sorted[] = { 1, 2 };
	struct heap_symbols s = { .list = NULL };

	ck_assert_int_eq(heap_symbols_load(&s, sorted, 2, INT32_MAX), 0);
	ck_assert_ptr_null(s.list[0].function);
	ck_assert_uint_eq(heap_symbols_find(&s, 2), 1);
	heap_symbols_free(&s);
	ck_assert_int_eq(heap_symbols_load(&s, sorted, 0, 0), 0);
	heap_symbols_free(&s);
}
END_TEST

/* --- files ---------------------------------------------------------------------------------------- */

#if __SIZEOF_POINTER__ == 8
#define NAMES "\0outer\0inner\0data\0"

/* Two functions, one within the other, at 0x1000 of what is loaded from place 0x200. */
static struct file {
	Elf64_Ehdr head;
	Elf64_Phdr load;
	Elf64_Shdr sections[3];
	Elf64_Sym symbols[5];
	char names[sizeof(NAMES)];
} file;

static Elf64_Sym symbol(uint32_t name, unsigned type, uint64_t value, uint64_t size)
{
	return (Elf64_Sym){ .st_name = name, .st_info = (unsigned char)ELF64_ST_INFO(1, type),
			    .st_shndx = 1, .st_value = value, .st_size = size };
}

static void write_file(unsigned table)
{
	file = (struct file){
		.head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB },
			  .e_phoff = offsetof(struct file, load), .e_phnum = 1,
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_shoff = offsetof(struct file, sections), .e_shnum = 3,
			  .e_shentsize = sizeof(Elf64_Shdr) },
		.load = { .p_type = PT_LOAD, .p_offset = 0x200, .p_filesz = 0x1000,
			  .p_vaddr = 0x1000 },
		.sections = {
			[1] = { .sh_type = table, .sh_link = 2,
				.sh_offset = offsetof(struct file, symbols),
				.sh_size = sizeof(file.symbols) },
			[2] = { .sh_type = SHT_STRTAB, .sh_offset = offsetof(struct file, names),
				.sh_size = sizeof(NAMES) },
		},
		.symbols = {
			[1] = symbol(1, STT_FUNC, 0x1000, 0x100),
			[2] = symbol(7, STT_FUNC, 0x1010, 0x10),
			[3] = symbol(13, STT_OBJECT, 0x1000, 0x1000),
			[4] = symbol(1000, STT_FUNC, 0x1000, 1),	/* its name is nowhere */
		},
		.names = NAMES,
	};
}

static int as_fd(size_t size)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	ck_assert_int_eq(fd_write_all(fd, &file, size), 0);
	return fd;
}

#define ASKED 4
/* Of the places 0x200, 0x214, 0x2ff and 0x300 of the file. */
static struct heap_symbol *names_of(struct heap_symbols *s, size_t size)
{
	static struct heap_symbol list[ASKED];
	static const uint64_t places[ASKED] = { 0x200, 0x214, 0x2ff, 0x300 };
	int fd = as_fd(size);

	memset(list, 0, sizeof(list));
	for (size_t i = 0; i < ASKED; i++)
		list[i].in_file = places[i];
	heap_elf_name(s, fd, list, ASKED);
	close(fd);
	return list;
}

static void check_names(unsigned table)
{
	struct heap_symbols s = { .list = NULL };
	const struct heap_symbol *list;

	write_file(table);
	list = names_of(&s, sizeof(file));
	ck_assert_str_eq(list[0].function, "outer");
	ck_assert_uint_eq(list[0].in_file, 0x1000);
	ck_assert_str_eq(list[1].function, "inner");	/* the narrowest */
	ck_assert_str_eq(list[2].function, "outer");
	ck_assert_ptr_null(list[3].function);
	ck_assert_uint_eq(list[3].in_file, 0x1100);
	heap_symbols_free(&s);
}

START_TEST(functions_are_found_by_place_the_narrowest_wins)
{
	check_names(SHT_SYMTAB);
	check_names(SHT_DYNSYM);
}
END_TEST

START_TEST(a_dynamic_symbol_has_its_address)
{
	struct heap_symbols s = { .list = NULL };
	int fd;

	write_file(SHT_DYNSYM);
	fd = as_fd(sizeof(file));
	ck_assert_uint_eq(heap_elf_symbol(&s, fd, "inner"), 0x1010);
	ck_assert_uint_eq(heap_elf_symbol(&s, fd, "nobody"), 0);
	close(fd);
	write_file(SHT_SYMTAB);
	fd = as_fd(sizeof(file));
	ck_assert_uint_eq(heap_elf_symbol(&s, fd, "inner"), 0);
	close(fd);
	heap_symbols_free(&s);
}
END_TEST

START_TEST(every_cut_and_every_flipped_bit_of_a_file_is_survived)
{
	struct heap_symbols s = { .list = NULL };
	uint8_t *bytes = (uint8_t *)&file;

	write_file(SHT_SYMTAB);
	for (size_t size = 0; size < sizeof(file); size++) {
		names_of(&s, size);
		heap_symbols_free(&s);
	}
	for (size_t bit = 0; bit < 8 * sizeof(file); bit++) {
		const struct heap_symbol *list;

		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		list = names_of(&s, sizeof(file));
		for (size_t i = 0; i < ASKED; i++)
			ck_assert(list[i].function == NULL ||
				  strlen(list[i].function) < sizeof(NAMES));
		heap_symbols_free(&s);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
END_TEST
#endif

int main(void)
{
	const TTest *tests[] = {
		own_functions_and_what_is_no_file,
		a_process_that_is_gone_has_no_names,
#if __SIZEOF_POINTER__ == 8
		functions_are_found_by_place_the_narrowest_wins,
		a_dynamic_symbol_has_its_address,
		every_cut_and_every_flipped_bit_of_a_file_is_survived,
#endif
	};

	return unit_run("profile: names for the heap", tests, sizeof(tests) / sizeof(tests[0]));
}
