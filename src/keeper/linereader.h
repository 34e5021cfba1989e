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
	size_t ask;		/* bytes at a time */
	_Alignas(8) char buf[8192];
};

/* Read the names in the directory open as FD (which stays the caller's), from its beginning. */
void direntry_init(struct direntry_reader *r, int fd);
/* From now on ask for each process in /proc by itself, when it is its turn: a process that was made
 * after the list has a number that may lie within it. */
void direntry_one_by_one(struct direntry_reader *r);
/* The next name of that kind, never "." or ".."; NULL at the end. */
const char *direntry_next(struct direntry_reader *r, enum direntry_kind kind);

#endif
