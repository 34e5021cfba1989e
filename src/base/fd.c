/* Descriptors and files, opened with distrust: a path may have been replaced by a link, a FIFO or
 * a foreign file at any moment, so every check is made on the open descriptor and never on the
 * name. What the keeper uses stays on the stack. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define READ_STEP 65536
#define OPEN_TRIES 16

int fd_write_all(int fd, const void *buf, size_t n)
{
	const char *p = buf;

	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static ssize_t read_again(int fd, void *buf, size_t n)
{
	ssize_t got;

	do
		got = read(fd, buf, n);
	while (got < 0 && errno == EINTR);
	return got;
}

/* Asks for one byte more than allowed, which tells a file that fits from one that does not. */
int fd_read_all(int fd, size_t max, struct strbuf *out)
{
	size_t start = out->len;

	for (;;) {
		size_t left = max - (out->len - start);
		size_t step = MIN(left, (size_t)READ_STEP - 1) + 1;
		ssize_t got;

		strbuf_reserve(out, step);
		got = read_again(fd, out->buf + out->len, step);
		if (got < 0)
			return -errno;
		if (got == 0)
			return 0;
		if ((size_t)got <= left)
			out->len += (size_t)got;
		out->buf[out->len] = '\0';
		if ((size_t)got > left)
			return -EFBIG;
	}
}

static bool changed_meanwhile(const struct stat *a, const struct stat *b)
{
	return a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
	       a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

static void cut_back(struct strbuf *out, size_t len)
{
	if (out->len == len)
		return;
	out->len = len;
	out->buf[len] = '\0';
}

int file_read(const char *path, size_t max, struct strbuf *out)
{
	auto_free(closep) int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	size_t start = out->len;
	struct stat before, after;
	int r;

	if (fd < 0 || fstat(fd, &before) < 0)
		return -errno;
	if (!S_ISREG(before.st_mode))
		return S_ISDIR(before.st_mode) ? -EISDIR : -EINVAL;
	r = fd_read_all(fd, max, out);
	if (fstat(fd, &after) == 0 && changed_meanwhile(&before, &after)) {
		cut_back(out, start);
		if (lseek(fd, 0, SEEK_SET) < 0)
			return -errno;
		r = fd_read_all(fd, max, out);
	}
	if (r < 0)
		cut_back(out, start);
	return r;
}

/* A name that no other process or thread of procd uses. A leftover with the same name (an earlier
 * boot, the same pid) is not ours to judge: the next number is free. */
static int create_beside(int dirfd, const char *path, char *name, size_t size)
{
	static _Atomic unsigned int counter;

	for (int tries = 0; tries < 1000; tries++) {
		int n = snprintf(name, size, "%s.%d.%u.new", path, (int)getpid(),
				 atomic_fetch_add(&counter, 1));
		int fd;

		if (n < 0 || (size_t)n >= size)
			return -ENAMETOOLONG;
		fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    0600);
		if (fd >= 0 || errno != EEXIST)
			return fd >= 0 ? fd : -errno;
	}
	return -EEXIST;
}

int file_write_beside(int dirfd, const char *path, const void *data, size_t n, mode_t mode,
		      char name[PATH_MAX])
{
	auto_free(closep) int fd = create_beside(dirfd, path, name, PATH_MAX);
	int r;

	if (fd < 0)
		return fd;
	r = fd_write_all(fd, data, n);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dirfd, name, 0);
	return r;
}

int file_replace_at(int dirfd, const char *path, const void *data, size_t n, mode_t mode)
{
	char name[PATH_MAX];
	int r = file_write_beside(dirfd, path, data, n, mode, name);

	if (r == 0 && renameat(dirfd, name, dirfd, path) < 0) {
		r = -errno;
		unlinkat(dirfd, name, 0);
	}
	return r;
}

/* Only where the name still leads to the very file. */
static bool name_of(int fd, char path[PATH_MAX])
{
	struct stat ours, named;
	char link[40];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 8);
	if (n <= 0 || path[0] != '/')
		return false;
	path[n] = '\0';
	return fstat(fd, &ours) == 0 && lstat(path, &named) == 0 && ours.st_ino == named.st_ino &&
	       ours.st_dev == named.st_dev && S_ISREG(ours.st_mode);
}

void file_keep_copy(int fd, size_t max)
{
	auto_free(closep) int copy = -1;
	char path[PATH_MAX], buf[16384];
	size_t at = 0;

	if (!name_of(fd, path))
		return;
	memcpy(path + strlen(path), ".bad", sizeof(".bad"));
	copy = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	while (copy >= 0 && at < max) {
		ssize_t n = pread(fd, buf, MIN(sizeof(buf), max - at), (off_t)at);

		if (n <= 0 || fd_write_all(copy, buf, (size_t)n) < 0)
			return;
		at += (size_t)n;
	}
}

/* Whose file is it, and is it one? A stranger who can also take names out of the directory may have
 * given a file of ours a second name there, let us open it, and taken the name away before it is
 * counted. No look at the name tells: while it is being removed it is found and counted no more. */
static int check_owned(const struct path_parent *dir, int fd, bool created)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_nlink != 1 || (st.st_uid != 0 && st.st_uid != geteuid()))
		return -EPERM;
	return created || !dir->others_may_replace || path_hard_links_protected() ? 0 : -EPERM;
}

/* What exists is opened, what does not is made by us: never both in one call, because in a public
 * directory the kernel may then refuse a foreign file in other words than ours. */
static int open_or_create(const struct path_parent *dir, int flags, mode_t mode, bool *created)
{
	*created = false;
	for (int tries = 0; tries < OPEN_TRIES; tries++) {
		int fd = openat(dir->fd, dir->name, flags);

		if (fd >= 0 || errno != ENOENT)
			return fd >= 0 ? fd : -errno;
		fd = openat(dir->fd, dir->name, flags | O_CREAT | O_EXCL, mode);
		*created = fd >= 0;
		if (fd >= 0 || errno != EEXIST)
			return fd >= 0 ? fd : -errno;
	}
	return -EEXIST;
}

/* O_TRUNC is done last, by hand: a foreign file must not lose its content to the open. ENXIO and
 * ENODEV come from FIFOs, sockets and devices. */
int file_open_in(const struct path_parent *dir, int flags, mode_t mode)
{
	int opening = (flags & ~O_TRUNC) | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK |
		      O_NOCTTY;
	bool created;
	int fd, r;

	if ((flags & O_ACCMODE) == O_RDONLY)
		opening |= O_WRONLY;
	fd = open_or_create(dir, opening, mode, &created);
	if (fd < 0)
		return fd == -ENXIO || fd == -ENODEV || fd == -EISDIR ? -EINVAL : fd;
	r = check_owned(dir, fd, created);
	if (r == 0 && (flags & O_TRUNC) != 0 && ftruncate(fd, 0) < 0)
		r = -errno;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

int file_open_owned(int dirfd, const char *path, int flags, mode_t mode)
{
	struct path_parent dir;
	int ret = path_parent_open(dirfd, path, 0, &dir);

	if (ret < 0)
		return ret;
	ret = file_open_in(&dir, flags, mode);
	close(dir.fd);
	return ret;
}

const char *file_refusal(int err)
{
	switch (err) {
	case -ELOOP:
		return "refused: a symbolic link that another user can have put there";
	case -EPERM:
		return "refused: another user can have put it there (it or its directory belongs "
		       "to somebody else, or it has several names)";
	case -EINVAL:
		return "refused: not a regular file";
	default:
		return strerror(-err);
	}
}

static int change_flag(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);
	int wanted = on ? flags | flag : flags & ~flag;

	if (flags < 0)
		return -errno;
	if (wanted != flags && fcntl(fd, set, wanted) < 0)
		return -errno;
	return 0;
}

int fd_set_nonblock(int fd, bool on)
{
	return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_set_cloexec(int fd, bool on)
{
	return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

#define PROC_TRIES 3

/* A short file of /proc in one read, NUL-terminated. Returns its length, or -errno. What it says
 * decides who lives: a descriptor or some memory that was missing for a moment must not. */
static ssize_t proc_read(const char *path, char *buf, size_t size)
{
	ssize_t got = 0;

	for (int i = 0; i < PROC_TRIES; i++) {
		auto_free(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

		got = fd >= 0 ? read_again(fd, buf, size - 1) : -1;
		if (got >= 0)
			break;
		got = -errno;
		if (got == -ENOENT || got == -ESRCH)
			break;
	}
	buf[MAX(got, 0)] = '\0';
	return got;
}

int boot_id_read(char out[37])
{
	ssize_t got = proc_read("/proc/sys/kernel/random/boot_id", out, 37);

	if (got == 36)
		return 0;
	out[0] = '\0';
	return got < 0 ? (int)got : -EINVAL;
}

/* The program name in the second field may hold blanks and parentheses: count from the last ')'. */
uint64_t process_start_time(pid_t pid)
{
	char path[32];
	char stat_line[1024];
	const char *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (proc_read(path, stat_line, sizeof(stat_line)) <= 0)
		return 0;
	p = strrchr(stat_line, ')');
	for (int field = 2; p != NULL && field < 22; field++) {
		p = strchr(p, ' ');
		if (p != NULL)
			p++;
	}
	return p != NULL ? strtoull(p, NULL, 10) : 0;
}
