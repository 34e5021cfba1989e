/* Tables are read into the heap with pread(2), never mapped: a file that is cut meanwhile must not
 * be a SIGBUS. */
#include "profile/elf.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <unistd.h>

#include "base/alloc.h"

#define SYMBOLS_MAX ((uint64_t)256 << 20)	/* bytes of one table */
#define NOTES_MAX ((uint64_t)64 << 10)

#if __SIZEOF_POINTER__ == 8
#define CLASS_NATIVE ELFCLASS64
#else
#define CLASS_NATIVE ELFCLASS32
#endif
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define DATA_NATIVE ELFDATA2LSB
#else
#define DATA_NATIVE ELFDATA2MSB
#endif
#define SYMBOL_TYPE(info) ((info) & 0xf)

void elf_fini(struct elf *e)
{
	free(e->segments);
	free(e->symbols);
	free(e->names);
	*e = (struct elf)ELF_INIT;
}

/* N bytes at OFFSET, on the heap with a NUL behind; NULL: they are not there. */
static void *bytes_at(int fd, uint64_t offset, uint64_t n)
{
	char *buf;
	size_t have = 0;

	if (offset > INT64_MAX || n > SYMBOLS_MAX)
		return NULL;
	buf = x_malloc(n + 1);
	while (have < n) {
		ssize_t got = pread(fd, buf + have, n - have, (off_t)(offset + have));

		if (got <= 0) {
			free(buf);
			return NULL;
		}
		have += (size_t)got;
	}
	buf[n] = '\0';
	return buf;
}

/* --- notes --------------------------------------------------------------------------------------- */

static size_t note_align(uint64_t n)
{
	return (size_t)((n + 3) & ~UINT64_C(3));
}

static void build_id_set(struct elf *e, const unsigned char *id, size_t n)
{
	for (size_t i = 0; i < MIN(n, (size_t)ELF_BUILD_ID_MAX); i++)
		snprintf(e->build_id + 2 * i, 3, "%02x", id[i]);
}

static void notes_read(struct elf *e, int fd, uint64_t offset, uint64_t size)
{
	auto_free(freep) char *notes = size <= NOTES_MAX ? bytes_at(fd, offset, size) : NULL;
	size_t at = 0;

	while (notes != NULL && at + sizeof(ElfW(Nhdr)) <= size) {
		ElfW(Nhdr) h;
		uint64_t end;
		size_t name = at + sizeof(h), id;

		memcpy(&h, notes + at, sizeof(h));
		id = name + note_align(h.n_namesz);
		end = (uint64_t)id + note_align(h.n_descsz);
		if (end > size)
			return;
		if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 &&
		    memcmp(notes + name, "GNU", 4) == 0) {
			build_id_set(e, (const unsigned char *)notes + id, h.n_descsz);
			return;
		}
		at = (size_t)end;
	}
}

/* --- segments ------------------------------------------------------------------------------------ */

static void segments_read(struct elf *e, int fd, const ElfW(Ehdr) *h)
{
	auto_free(freep) ElfW(Phdr) *headers = NULL;

	if (h->e_phentsize != sizeof(*headers) || h->e_phnum == 0)
		return;
	headers = bytes_at(fd, h->e_phoff, (uint64_t)h->e_phnum * sizeof(*headers));
	if (headers == NULL)
		return;
	e->segments = x_calloc(h->e_phnum, sizeof(*e->segments));
	for (size_t i = 0; i < h->e_phnum; i++) {
		const ElfW(Phdr) *p = &headers[i];

		if (p->p_type == PT_LOAD)
			e->segments[e->nsegments++] = (struct elf_segment){
				.offset = p->p_offset, .size = p->p_filesz, .address = p->p_vaddr };
		else if (p->p_type == PT_NOTE && e->build_id[0] == '\0')
			notes_read(e, fd, p->p_offset, p->p_filesz);
	}
}

bool elf_address(const struct elf *e, uint64_t offset, uint64_t *address)
{
	for (size_t i = 0; i < e->nsegments; i++) {
		const struct elf_segment *s = &e->segments[i];

		if (offset < s->offset || offset - s->offset >= s->size)
			continue;
		*address = s->address + (offset - s->offset);
		return true;
	}
	return false;
}

/* --- symbols ------------------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
	const struct elf_symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	/* of several names the last one wins: one with a size, then the table's order reversed */
	if ((x->size != 0) != (y->size != 0))
		return x->size == 0 ? -1 : 1;
	return x->name > y->name ? -1 : x->name < y->name;
}

static bool is_function(const ElfW(Sym) *s, size_t names_size)
{
	int type = SYMBOL_TYPE(s->st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC) && s->st_shndx != SHN_UNDEF &&
	       s->st_name != 0 && s->st_name < names_size;
}

static bool symbols_read(struct elf *e, int fd, const ElfW(Shdr) *table, const ElfW(Shdr) *names)
{
	auto_free(freep) ElfW(Sym) *symbols = NULL;
	size_t n = table->sh_size / sizeof(*symbols);

	if (table->sh_entsize != sizeof(*symbols) || n == 0)
		return false;
	symbols = bytes_at(fd, table->sh_offset, n * sizeof(*symbols));
	e->names = bytes_at(fd, names->sh_offset, names->sh_size);
	if (symbols == NULL || e->names == NULL) {
		free(take(e->names));
		return false;
	}
	e->names_size = names->sh_size;
	e->symbols = x_calloc(n, sizeof(*e->symbols));
	for (size_t i = 0; i < n; i++)
		if (is_function(&symbols[i], e->names_size))
			e->symbols[e->nsymbols++] = (struct elf_symbol){
				.address = symbols[i].st_value, .size = symbols[i].st_size,
				.name = symbols[i].st_name };
	qsort(e->symbols, e->nsymbols, sizeof(*e->symbols), by_address);
	return true;
}

/* The full table, or what the dynamic linker has. */
static void tables_read(struct elf *e, int fd, const ElfW(Ehdr) *h)
{
	static const ElfW(Word) types[] = { SHT_SYMTAB, SHT_DYNSYM };
	auto_free(freep) ElfW(Shdr) *headers = NULL;
	size_t n = h->e_shnum;

	if (h->e_shentsize != sizeof(*headers) || n == 0)
		return;
	headers = bytes_at(fd, h->e_shoff, n * sizeof(*headers));
	for (size_t t = 0; headers != NULL && t < ARRAY_LEN(types); t++)
		for (size_t i = 0; i < n; i++)
			if (headers[i].sh_type == types[t] && headers[i].sh_link < n &&
			    symbols_read(e, fd, &headers[i], &headers[headers[i].sh_link]))
				return;
}

int elf_read(int fd, struct elf *out)
{
	ElfW(Ehdr) h;
	ssize_t n = pread(fd, &h, sizeof(h), 0);

	*out = (struct elf)ELF_INIT;
	if (n < 0)
		return -errno;
	if (n != (ssize_t)sizeof(h) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
	    h.e_ident[EI_CLASS] != CLASS_NATIVE || h.e_ident[EI_DATA] != DATA_NATIVE)
		return -ENOEXEC;
	segments_read(out, fd, &h);
	tables_read(out, fd, &h);
	return 0;
}

const char *elf_function(const struct elf *e, uint64_t address)
{
	size_t low = 0, high = e->nsymbols;
	const struct elf_symbol *s;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (e->symbols[mid].address <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0)
		return NULL;
	s = &e->symbols[low - 1];
	/* hand-written assembly has no sizes: then it reaches to the next one */
	if (s->size != 0 && address - s->address >= s->size)
		return NULL;
	return e->names + s->name;
}
