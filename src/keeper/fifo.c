/* Names that lead to pipes, in a directory that is ours alone and in memory where there is some. */
#include "keeper/fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/linereader.h"

#define FIFO_DIR "fifo"
#define MEMORY_DIR "/dev/shm"

/* --- the directory -------------------------------------------------------------------------- */

static bool is_in_memory(int dirfd)
{
	struct statfs fs;

	return fstatfs(dirfd, &fs) == 0 &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* Only a directory that nobody else can enter. */
static int open_ours(int dirfd, const char *name, int flags)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	    !(st.st_mode & (S_IRWXG | S_IRWXO)))
		return fd;
	close(fd);
	return -EPERM;
}

static int make_ours(int dirfd, const char *name)
{
	if (mkdirat(dirfd, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	return open_ours(dirfd, name, O_NOFOLLOW);
}

static void empty(int dirfd)
{
	struct direntry_reader r;
	const char *name;

	direntry_init(&r, dirfd);
	while ((name = direntry_next(&r, DIRENTRY_ALL)) != NULL)
		unlinkat(dirfd, name, 0);
}

/* A directory in memory, named after the run directory, and the link to it. A stranger who was
 * there first makes procd slower, not unsafe. */
static int make_in_memory(int run_dirfd)
{
	auto_free(closep) int memory = open(MEMORY_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char path[sizeof(MEMORY_DIR) + 64], *name = path + sizeof(MEMORY_DIR);
	struct stat st;
	int fd;

	if (memory < 0 || !is_in_memory(memory) || fstat(run_dirfd, &st) < 0)
		return -ENOENT;
	snprintf(path, sizeof(path), MEMORY_DIR "/procd-%llx-%llx",
		 (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	fd = make_ours(memory, name);
	if (fd < 0)
		return fd;
	empty(fd);	/* of a run directory that was removed, and had our number */
	if (symlinkat(path, run_dirfd, FIFO_DIR) == 0)
		return fd;
	close(fd);
	return -EACCES;
}

int fifo_dir_open(int run_dirfd)
{
	/* the link may be followed: nobody else can write to the run directory */
	int fd = open_ours(run_dirfd, FIFO_DIR, 0);

	if (fd >= 0)
		return fd;
	unlinkat(run_dirfd, FIFO_DIR, 0);	/* a link whose target went with a reboot */
	if (!is_in_memory(run_dirfd))
		fd = make_in_memory(run_dirfd);
	return fd >= 0 ? fd : make_ours(run_dirfd, FIFO_DIR);
}

void fifo_remove_all(int run_dirfd)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(run_dirfd, FIFO_DIR, target, sizeof(target) - 1);
	int fd = open_ours(run_dirfd, FIFO_DIR, 0);

	if (fd < 0)
		return;
	empty(fd);
	close(fd);
	if (len > 0) {
		target[len] = '\0';
		rmdir(target);
	}
	unlinkat(run_dirfd, FIFO_DIR, len > 0 ? 0 : AT_REMOVEDIR);
}

/* --- one FIFO ------------------------------------------------------------------------------- */

void fifo_name(char name[FIFO_NAME_CAP], uint32_t slot, bool is_stderr)
{
	snprintf(name, FIFO_NAME_CAP, "%u.%s", slot, is_stderr ? "err" : "out");
}

int fifo_open_existing(int fifo_dirfd, const char *name)
{
	int fd = openat(fifo_dirfd, name, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
		return fd;
	close(fd);
	return -EEXIST;
}

int fifo_open(int fifo_dirfd, const char *name)
{
	int fd = fifo_open_existing(fifo_dirfd, name);	/* most often made by the log thread */

	if (fd != -ENOENT)
		return fd;
	if (mkfifoat(fifo_dirfd, name, 0600) < 0 && errno != EEXIST)
		return -errno;
	return fifo_open_existing(fifo_dirfd, name);
}
