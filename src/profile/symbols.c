/* Two sources, asked in order. */
#include "profile/symbols.h"

#include "base/alloc.h"
#include "profile/dwarf.h"
#include "profile/elf.h"

struct symbols {
	struct elf elf;
	struct dwarf *dwarf;
};

struct symbols *symbols_new(int fd, const char *name)
{
	struct elf elf = ELF_INIT;
	struct symbols *s;

	if (elf_read(fd, &elf) < 0)
		return NULL;
	s = x_calloc(1, sizeof(*s));
	s->elf = elf;
	s->dwarf = dwarf_new(fd, name);
	return s;
}

void symbols_free(struct symbols *s)
{
	if (s == NULL)
		return;
	dwarf_free(s->dwarf);
	elf_fini(&s->elf);
	free(s);
}

const char *symbols_build_id(const struct symbols *s)
{
	return s->elf.build_id;
}

bool symbols_has_lines(const struct symbols *s)
{
	return dwarf_has_lines(s->dwarf);
}

size_t symbols_find(struct symbols *s, uint64_t offset, struct symbol_frame *out, size_t max)
{
	uint64_t address;
	size_t n;

	if (max == 0 || !elf_address(&s->elf, offset, &address))
		return 0;
	n = dwarf_find(s->dwarf, address, out, max);
	/* debug information may lack the name, or be there for the line only */
	if (n == 0)
		out[0] = (struct symbol_frame){ 0 };
	if (n <= 1 && out[0].function == NULL)
		out[0].function = elf_function(&s->elf, address);
	return n > 0 ? n : out[0].function != NULL;
}
