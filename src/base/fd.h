/* File descriptors and files, opened with distrust. Any thread unless said otherwise. The keeper
 * uses the functions marked [keeper]: they do not allocate. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/path.h"
#include "base/strbuf.h"

static inline void closep(const int *fd)	/* auto_free(closep) int fd = -1; */
{
	if (*fd >= 0)
		close(*fd);
}

/* All of N bytes, over EINTR and short counts. 0 or negative errno. [keeper] */
int fd_write_all(int fd, const void *buf, size_t n);
/* Read up to MAX bytes until end of file, appended to OUT. 0 or negative errno; -EFBIG when there
 * is more. */
int fd_read_all(int fd, size_t max, struct strbuf *out);

/* Whole regular file of at most MAX bytes, appended to OUT. 0 or negative errno. Opens O_NONBLOCK
 * and refuses anything but a regular file (-EISDIR for directories, else -EINVAL); re-reads once
 * when size or mtime changed meanwhile. */
int file_read(const char *path, size_t max, struct strbuf *out);
/* Write a temporary file beside PATH (relative to DIRFD), rename it over PATH: readers see the old
 * content or the new one, whoever is killed. Not synced: what has to survive a power loss needs
 * more. MODE is exact, whatever the umask. 0 or negative errno. */
int file_replace_at(int dirfd, const char *path, const void *data, size_t n, mode_t mode);
/* Its first half: NAME is what the caller is to rename, or remove. 0 or -errno, and nothing is
 * left. */
int file_write_beside(int dirfd, const char *path, const void *data, size_t n, mode_t mode,
		      char name[PATH_MAX]);

/* Leave a copy of the open file FD beside it, as NAME.bad: what is damaged is about to be begun
 * anew, and somebody may want to know. The first MAX bytes; best effort. */
void file_keep_copy(int fd, size_t max);

/* Open for appending a log, pid or similar file that procd itself owns: O_APPEND|O_CREAT|
 * O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK|O_NOCTTY; an existing file must be regular with one link and
 * owned by procd or root. -ELOOP for a symlink, -EPERM for a foreign or multiply linked file,
 * -EINVAL for anything that is not a regular file; the way to it is walked as path_parent_open()
 * says. Where strangers may replace files an existing one is taken only if the kernel keeps them
 * from giving names to ours (fs.protected_hardlinks). FLAGS adds O_RDWR, O_TRUNC and the like; the
 * access is O_WRONLY otherwise. Returns the descriptor. [keeper] */
int file_open_owned(int dirfd, const char *path, int flags, mode_t mode);
/* The same in a directory that was walked to. [keeper] */
int file_open_in(const struct path_parent *dir, int flags, mode_t mode);
/* Why one of the two returned ERR, for a person. */
const char *file_refusal(int err);

int fd_set_nonblock(int fd, bool on);	/* 0 or negative errno. [keeper] */
int fd_set_cloexec(int fd, bool on);	/* likewise. [keeper] */

/* Current boot's id as 36 characters plus NUL; -errno, and empty text, when /proc cannot be read.
 * [keeper] */
int boot_id_read(char out[37]);
/* Start time of PID in clock ticks since boot (/proc/PID/stat field 22); 0 when unknown.
 * [keeper] */
uint64_t process_start_time(pid_t pid);

#endif
