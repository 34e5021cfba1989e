/* The symbol table of an ELF file (gABI, "Symbol Table"): .symtab, else .dynsym. It is read once
 * from front to back, and each function looks for its addresses among those that are asked for,
 * which are few and sorted. */
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>

#include "profile/heap_region.h"

#define HEADERS_MAX 4096U		/* of one kind */
#define TABLE_MAX (512U * 1024 * 1024)

typedef ElfW(Ehdr) elf_header;
typedef ElfW(Phdr) elf_segment;
typedef ElfW(Shdr) elf_section;
typedef ElfW(Sym) elf_symbol;

#if __ELF_NATIVE_CLASS == 64
#define SYMBOL_TYPE(info) ELF64_ST_TYPE(info)
#define NATIVE_CLASS ELFCLASS64
#else
#define SYMBOL_TYPE(info) ELF32_ST_TYPE(info)
#define NATIVE_CLASS ELFCLASS32
#endif

static void *read_table(struct heap_symbols *s, int fd, uint64_t at, uint64_t size)
{
	char *table;

	if (size == 0 || size > TABLE_MAX || at > INT64_MAX - size)
		return NULL;
	table = heap_region_new(s, size + 1);	/* and a NUL behind the last string */
	if (table == NULL || heap_read_at(fd, table, size, (int64_t)at) != (ssize_t)size)
		return NULL;
	return table;
}

static bool header_read(int fd, elf_header *h)
{
	return heap_read_at(fd, h, sizeof(*h), 0) == (ssize_t)sizeof(*h) &&
	       memcmp(h->e_ident, ELFMAG, SELFMAG) == 0 &&
	       h->e_ident[EI_CLASS] == NATIVE_CLASS &&
	       h->e_phentsize == sizeof(elf_segment) && h->e_phnum <= HEADERS_MAX &&
	       h->e_shnum <= HEADERS_MAX;
}

/* From places in the file to its addresses. */
static bool to_addresses(struct heap_symbols *s, int fd, const elf_header *h,
			 struct heap_symbol *list, size_t n)
{
	const elf_segment *segments = read_table(s, fd, h->e_phoff,
						 h->e_phnum * sizeof(*segments));

	if (segments == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		for (unsigned p = 0; p < h->e_phnum; p++) {
			uint64_t at = list[i].in_file - segments[p].p_offset;

			if (segments[p].p_type != PT_LOAD ||
			    list[i].in_file < segments[p].p_offset || at >= segments[p].p_filesz)
				continue;
			list[i].in_file = at + segments[p].p_vaddr;
			break;
		}
	}
	return true;
}

/* The first symbol of LIST at ADDRESS or behind. */
static size_t first_at(const struct heap_symbol *list, size_t n, uint64_t address)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list[middle].in_file < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void name_those_in(const elf_symbol *function, const char *name, struct heap_symbol *list,
			  size_t n)
{
	uint64_t end = function->st_value + (function->st_size ? function->st_size : 1);

	for (size_t i = first_at(list, n, function->st_value); i < n && list[i].in_file < end;
	     i++) {
		if (list[i].function != NULL && list[i].function_size <= function->st_size)
			continue;
		list[i].function = name;
		list[i].function_size = function->st_size;
	}
}

static bool table_name(struct heap_symbols *s, int fd, const elf_section *table,
		       const elf_section *strings, struct heap_symbol *list, size_t n)
{
	const elf_symbol *symbols = read_table(s, fd, table->sh_offset, table->sh_size);
	const char *names = read_table(s, fd, strings->sh_offset, strings->sh_size);

	if (symbols == NULL || names == NULL)
		return false;
	for (size_t i = 0; i < table->sh_size / sizeof(*symbols); i++) {
		const elf_symbol *f = &symbols[i];
		unsigned type = SYMBOL_TYPE(f->st_info);

		if ((type == STT_FUNC || type == STT_GNU_IFUNC) && f->st_shndx != SHN_UNDEF &&
		    f->st_name != 0 && f->st_name < strings->sh_size)
			name_those_in(f, names + f->st_name, list, n);
	}
	return true;
}

static bool name_from(struct heap_symbols *s, int fd, const elf_section *sections, unsigned count,
		      unsigned type, struct heap_symbol *list, size_t n)
{
	for (unsigned i = 0; i < count; i++)
		if (sections[i].sh_type == type && sections[i].sh_link < count &&
		    table_name(s, fd, &sections[i], &sections[sections[i].sh_link], list, n))
			return true;
	return false;
}

void heap_elf_name(struct heap_symbols *s, int fd, struct heap_symbol *list, size_t n)
{
	const elf_section *sections;
	struct stat st;
	elf_header h;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !header_read(fd, &h) ||
	    !to_addresses(s, fd, &h, list, n) || h.e_shentsize != sizeof(*sections))
		return;
	sections = read_table(s, fd, h.e_shoff, h.e_shnum * sizeof(*sections));
	if (sections != NULL && !name_from(s, fd, sections, h.e_shnum, SHT_SYMTAB, list, n))
		name_from(s, fd, sections, h.e_shnum, SHT_DYNSYM, list, n);
}

static uint64_t value_in(struct heap_symbols *s, int fd, const elf_section *table,
			 const elf_section *strings, const char *name)
{
	const elf_symbol *symbols = read_table(s, fd, table->sh_offset, table->sh_size);
	const char *names = read_table(s, fd, strings->sh_offset, strings->sh_size);

	if (symbols == NULL || names == NULL)
		return 0;
	for (size_t i = 0; i < table->sh_size / sizeof(*symbols); i++)
		if (symbols[i].st_shndx != SHN_UNDEF && symbols[i].st_name < strings->sh_size &&
		    strcmp(names + symbols[i].st_name, name) == 0)
			return symbols[i].st_value;
	return 0;
}

uint64_t heap_elf_symbol(struct heap_symbols *s, int fd, const char *name)
{
	const elf_section *sections;
	elf_header h;

	if (!header_read(fd, &h) || h.e_shentsize != sizeof(*sections))
		return 0;
	sections = read_table(s, fd, h.e_shoff, h.e_shnum * sizeof(*sections));
	for (unsigned i = 0; sections != NULL && i < h.e_shnum; i++)
		if (sections[i].sh_type == SHT_DYNSYM && sections[i].sh_link < h.e_shnum)
			return value_in(s, fd, &sections[i], &sections[sections[i].sh_link], name);
	return 0;
}
