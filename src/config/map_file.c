/* A file that shrinks under its map kills who touches the page that is gone (SIGBUS). So nobody
 * here touches the map: the kernel is asked to copy out of it (process_vm_readv(2) on this very
 * process), and where a page has gone it says so, or copies less. A parser never walks the map
 * itself. */
#include "config/map_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"

/* All or nothing. */
static bool copy_out(const void *map, size_t n, char *to)
{
	for (size_t done = 0; done < n;) {
		struct iovec local = { .iov_base = to + done, .iov_len = n - done };
		struct iovec remote = {
			.iov_base = (char *)(uintptr_t)map + done, .iov_len = n - done,
		};
		ssize_t got = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool map_file_read(const char *path, size_t max, struct strbuf *out)
{
	auto_free(closep) int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat before, after;
	bool whole;
	void *map;
	size_t n;

	if (fd < 0 || fstat(fd, &before) < 0 || !S_ISREG(before.st_mode) || before.st_size <= 0 ||
	    (uint64_t)before.st_size > max)
		return false;
	n = (size_t)before.st_size;
	map = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return false;
	strbuf_reserve(out, n);
	whole = copy_out(map, n, out->buf + out->len) && fstat(fd, &after) == 0 &&
		same(&before, &after);
	munmap(map, n);
	if (whole)
		out->len += n;
	out->buf[out->len] = '\0';
	return whole;
}
