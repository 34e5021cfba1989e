/* From a place in an executable file to function, source file and line: by libdw where it is there
 * and the file has debug information, else by its symbol table. One thread at a time. */
#ifndef PROFILE_SYMBOLS_H
#define PROFILE_SYMBOLS_H

#include <stdbool.h>

#include "base/util.h"

#define SYMBOL_FRAMES_MAX 32	/* inlined calls at one place */

struct symbol_frame {
	const char *function;	/* as the linker knows it; NULL: unknown. Lives as long as the file */
	const char *file;	/* NULL: unknown */
	uint64_t line, start_line;	/* 0: unknown */
};

struct symbols;
/* Read the file open as FD, which stays the caller's; NAME is for messages of libraries. NULL: it
 * is no ELF file of this machine. */
struct symbols *symbols_new(int fd, const char *name);
void symbols_free(struct symbols *s);	/* NULL is fine */
const char *symbols_build_id(const struct symbols *s);	/* hex, "" when there is none */
/* The frames at byte OFFSET of the file, the innermost first; 0: nothing is known. */
size_t symbols_find(struct symbols *s, uint64_t offset, struct symbol_frame *out, size_t max);
/* Does it know lines, not only names? */
bool symbols_has_lines(const struct symbols *s);

#endif
