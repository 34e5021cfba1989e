/* Names for addresses of a process: the file that is mapped there, the place in it, and the
 * function as the file's own symbol table has it. No debug information is read: what is printed can
 * be given to addr2line(1).
 *
 * Depends on libc only and never allocates from the heap (it maps memory, which the caller gives
 * back). Files are what the profiled user has: nothing in them is believed. */
#ifndef PROFILE_HEAP_SYMBOLS_H
#define PROFILE_HEAP_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_symbol {
	uint64_t address;	/* in the process */
	uint64_t in_file;	/* as the file counts, for addr2line; ADDRESS when there is no file */
	const char *file;	/* NULL: not part of a file */
	const char *function;	/* NULL: unknown */
	uint64_t function_size;	/* of the narrowest that was found */
};

struct heap_region;
struct heap_symbols {
	struct heap_symbol *list;	/* by rising address */
	size_t n;
	struct heap_region *regions;	/* mapped memory that the strings stand in */
};

/* For the N addresses of SORTED (rising, none twice). PID 0: the calling process. What cannot be
 * found out stays unknown. -ENOMEM. */
int heap_symbols_load(struct heap_symbols *s, const uint64_t *sorted, size_t n, int pid);
void heap_symbols_free(struct heap_symbols *s);
/* The place of ADDRESS in the list; it must be there. */
size_t heap_symbols_find(const struct heap_symbols *s, uint64_t address);

/* The functions of the ELF file FD for LIST (N symbols by rising place in the file, which stands in
 * their IN_FILE and becomes an address of the file). For heap_symbols_load() and tests. */
void heap_elf_name(struct heap_symbols *s, int fd, struct heap_symbol *list, size_t n);

/* The address of NAME in the dynamic symbol table of the ELF file FD, as the file counts, which
 * begins at 0 (a shared object); 0: it has none. */
uint64_t heap_elf_symbol(struct heap_symbols *s, int fd, const char *name);

/* The whole of a file that does not tell its size, such as those of /proc, and a NUL behind it;
 * lives as long as S. NULL: it cannot be read. */
char *heap_symbols_read(struct heap_symbols *s, const char *path, size_t *size);

#endif
