/* What a profile needs of an ELF file of this machine's own word size: where its segments lie, its
 * build id, and the names of its functions. The file is not trusted: every offset is checked, and
 * what it may cost is bounded. One thread at a time. */
#ifndef PROFILE_ELF_H
#define PROFILE_ELF_H

#include <stdbool.h>

#include "base/util.h"

#define ELF_BUILD_ID_MAX 64	/* bytes */

struct elf_segment {
	uint64_t offset, size;	/* in the file */
	uint64_t address;
};

struct elf_symbol {
	uint64_t address, size;
	uint32_t name;		/* into NAMES */
};

struct elf {
	struct elf_segment *segments;
	size_t nsegments;
	struct elf_symbol *symbols;	/* ascending by address */
	size_t nsymbols;
	char *names;
	size_t names_size;
	char build_id[2 * ELF_BUILD_ID_MAX + 1];	/* hex, "" when there is none */
};
#define ELF_INIT { 0 }
void elf_fini(struct elf *e);

/* Read the file open as FD, which stays the caller's. 0; -ENOEXEC: not an ELF file of this
 * machine's kind; other negative errno. A file whose tables are damaged has what could be read. */
int elf_read(int fd, struct elf *out);
/* The address that the byte at OFFSET of the file was linked to. */
bool elf_address(const struct elf *e, uint64_t offset, uint64_t *address);
/* The function at ADDRESS, NULL: unknown. Lives as long as E. */
const char *elf_function(const struct elf *e, uint64_t address);

#endif
