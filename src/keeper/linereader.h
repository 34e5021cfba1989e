/* Lines of small kernel files and names of directories, without a heap (stdio and opendir have
 * one). Everything lives in the caller's storage. */
#ifndef KEEPER_LINEREADER_H
#define KEEPER_LINEREADER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct linereader {
	int fd;
	char *line;		/* the caller's: the current line without its newline */
	size_t cap;		/* longer lines are cut */
	size_t at, have;	/* in BUF */
	char buf[4096];
};

/* False with errno set when PATH (below DIRFD) cannot be opened. */
bool linereader_open(struct linereader *r, int dirfd, const char *path, char *line, size_t cap);
bool linereader_next(struct linereader *r);
void linereader_close(struct linereader *r);

enum direntry_kind { DIRENTRY_DIRECTORIES, DIRENTRY_NUMBERS, DIRENTRY_ALL };

struct direntry_reader {
	int fd;
	long at, have;
	_Alignas(8) char buf[8192];
};

/* Read the names in the directory open as FD (which stays the caller's), from its beginning. */
void direntry_init(struct direntry_reader *r, int fd);
/* The next name of that kind, never "." or ".."; NULL at the end. */
const char *direntry_next(struct direntry_reader *r, enum direntry_kind kind);

#endif
