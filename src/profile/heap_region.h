/* Between heap_symbols.c and heap_elf.c: memory that lives as long as the symbols, and reading. */
#ifndef PROFILE_HEAP_REGION_H
#define PROFILE_HEAP_REGION_H

#include <sys/types.h>

#include "profile/heap_symbols.h"

/* Zeroed; NULL: there is none. */
void *heap_region_new(struct heap_symbols *s, size_t size);
/* Up to SIZE bytes at AT of FD, or (AT negative) from where it stands. How many, or -errno. */
ssize_t heap_read_at(int fd, void *buf, size_t size, int64_t at);

#endif
