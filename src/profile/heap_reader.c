/* The owner is asked to wait by a time in its own books: if we die, it goes on when that has come.
 * A thread that had the lock already finishes first; from then on, until our time is over, nothing
 * changes. That this held is checked by what counts every change. */
#include "profile/heap_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/util.h"
#include "config/heap_object.h"
#include "profile/heap_region.h"

#define HOLD_US 2000000		/* the owner waits so long for us at most */
#define LOCK_PATIENCE_US 1000000
#define TRIES 3			/* another reader may have told the owner to go on */

void heap_copy_fini(struct heap_copy *c)
{
	free(c->sites);
	free(c->frames);
	free(c->blocks);
	*c = (struct heap_copy)HEAP_COPY_INIT;
}

/* --- memory of another process ------------------------------------------------------------------ */

static int transfer(pid_t pid, bool write, uint64_t at, void *buf, size_t size)
{
	while (size > 0) {
		struct iovec here = { buf, size };
		struct iovec there = { (void *)(uintptr_t)at, size };
		ssize_t n = write ? process_vm_writev(pid, &here, 1, &there, 1, 0)
				  : process_vm_readv(pid, &here, 1, &there, 1, 0);

		if (n <= 0)
			return n < 0 ? -errno : -EFAULT;
		buf = (char *)buf + n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

static int tell(int ret, pid_t pid, struct error *e)
{
	if (ret == -EPERM || ret == -EACCES)
		error_set(e, ERROR_IO_PERMISSION, -ret, "the memory of process %ld may not be read by "
			  "you: that takes its user, or root with CAP_SYS_PTRACE "
			  "(and see /proc/sys/kernel/yama/ptrace_scope)", (long)pid);
	else if (ret == -ESRCH)
		error_set(e, ERROR_SUBSYSTEM_STATE, -ret, "process %ld has ended", (long)pid);
	else
		error_set(e, ERROR_IO, -ret, "cannot read the memory of process %ld", (long)pid);
	return ret;
}

/* --- where ------------------------------------------------------------------------------------ */

/* The beginning of the object's mapping, and its path. */
static bool object_in(char *maps, uint64_t *start, const char **path)
{
	for (char *line = maps, *end; *line != '\0'; line = end) {
		char *slash;

		end = line + strcspn(line, "\n");
		if (*end == '\n')
			*end++ = '\0';
		slash = strrchr(line, '/');
		if (slash == NULL ||
		    strncmp(slash + 1, HEAP_OBJECT_NAME, strlen(HEAP_OBJECT_NAME)) != 0)
			continue;
		*start = strtoull(line, NULL, 16);	/* the lowest comes first */
		*path = strchr(line, '/');
		return true;
	}
	return false;
}

static int address_in(pid_t pid, const char *path, uint64_t start, uint64_t *address)
{
	auto_free(freep) char *full = x_asprintf("/proc/%ld/root%s", (long)pid, path);
	auto_free(closep) int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct heap_symbols files = { .list = NULL };
	uint64_t offset = fd >= 0 ? heap_elf_symbol(&files, fd, "procd_heap_state") : 0;

	heap_symbols_free(&files);
	*address = start + offset;
	return offset != 0 ? 0 : -ESTALE;
}

int heap_books_find(pid_t pid, uint64_t *address, struct error *e)
{
	auto_free(freep) char *name = x_asprintf("/proc/%ld/maps", (long)pid);
	struct heap_symbols files = { .list = NULL };
	const char *path = "";
	uint64_t start = 0;
	size_t size;
	char *maps;
	int ret;

	errno = 0;
	maps = heap_symbols_read(&files, name, &size);
	if (maps == NULL)
		ret = tell(errno == ENOENT ? -ESRCH : -EACCES, pid, e);
	else if (!object_in(maps, &start, &path))
		ret = -ENOENT;
	else
		ret = address_in(pid, path, start, address);
	if (ret == -ENOENT)
		error_set(e, ERROR_SUBSYSTEM_STATE, 0, "the profiler is not loaded in process %ld",
			  (long)pid);
	else if (ret == -ESTALE)
		error_set(e, ERROR_SUBSYSTEM_STATE, 0, "%s is not the object that process %ld has "
			  "loaded: it was replaced meanwhile, or cannot be read", path, (long)pid);
	heap_symbols_free(&files);
	return ret;
}

/* --- the copy --------------------------------------------------------------------------------- */

static int hold(pid_t pid, uint64_t books, uint64_t until_us)
{
	uint64_t until_ns = until_us * 1000;

	return transfer(pid, true, books + offsetof(struct heap_state, hold_until_ns), &until_ns,
			sizeof(until_ns));
}

/* Nobody is in the middle of a change any more. */
static int wait_for_lock(pid_t pid, uint64_t books)
{
	const struct timespec moment = { .tv_nsec = 500000 };
	uint64_t until_us = heap_now_us() + LOCK_PATIENCE_US;
	uint32_t lock;

	for (;;) {
		int ret = transfer(pid, false, books + offsetof(struct heap_state, lock), &lock,
				   sizeof(lock));

		if (ret < 0 || lock == 0)
			return ret;
		if (heap_now_us() > until_us)
			return -ETIMEDOUT;
		nanosleep(&moment, NULL);
	}
}

static int read_state(pid_t pid, uint64_t books, struct heap_state *h)
{
	int ret = transfer(pid, false, books, h, sizeof(*h));

	if (ret < 0)
		return ret;
	if (atomic_load(&h->magic) != HEAP_MAGIC)
		return -ENODATA;
	return h->nsites <= HEAP_SITES_MAX && h->nframes <= HEAP_FRAMES_MAX &&
	       h->room <= HEAP_BLOCKS_MAX ? 0 : -EBADMSG;
}

static int read_tables(pid_t pid, struct heap_copy *c)
{
	const struct heap_state *h = &c->view.state;
	size_t sites = h->nsites * sizeof(*c->sites), frames = h->nframes * sizeof(*c->frames);
	size_t blocks = h->room * sizeof(*c->blocks);
	int ret;

	c->sites = x_realloc(c->sites, sites + 1);
	c->frames = x_realloc(c->frames, frames + 1);
	c->blocks = x_realloc(c->blocks, blocks + 1);
	ret = transfer(pid, false, h->sites, c->sites, sites);
	if (ret == 0)
		ret = transfer(pid, false, h->frames, c->frames, frames);
	return ret == 0 ? transfer(pid, false, h->blocks, c->blocks, blocks) : ret;
}

/* 1: somebody changed something meanwhile. */
static int copy_once(pid_t pid, uint64_t books, struct heap_copy *c)
{
	struct heap_state *h = &c->view.state, after;
	int ret = read_state(pid, books, h);

	if (ret == 0)
		ret = hold(pid, books, heap_now_us() + HOLD_US);
	if (ret < 0)
		return ret;
	ret = wait_for_lock(pid, books);
	if (ret == 0)
		ret = read_state(pid, books, h);
	c->view.now_us = heap_now_us();
	if (ret == 0)
		ret = read_tables(pid, c);
	if (ret == 0)
		ret = read_state(pid, books, &after);
	hold(pid, books, 0);
	if (ret < 0)
		return ret;
	return after.total_blocks != h->total_blocks || after.nblocks != h->nblocks ||
	       after.bytes != h->bytes || after.blocks != h->blocks;
}

int heap_books_copy(pid_t pid, uint64_t address, struct heap_copy *out, struct error *e)
{
	int ret = 1;

	for (int i = 0; i < TRIES && ret == 1; i++)
		ret = copy_once(pid, address, out);
	out->view.sites = out->sites;
	out->view.frames = out->frames;
	out->view.blocks = out->blocks;
	out->view.pid = (int)pid;
	if (ret == 0 && !heap_view_check(&out->view))
		ret = -EBADMSG;
	if (ret == -ENODATA)
		error_set(e, ERROR_SUBSYSTEM_STATE, 0, "process %ld does not record its heap: its log "
			  "may say why", (long)pid);
	else if (ret == -EBADMSG)
		error_set(e, ERROR_SUBSYSTEM_STATE, 0, "the profiler's tables in process %ld are "
			  "damaged, or of another version", (long)pid);
	else if (ret == -ETIMEDOUT || ret == 1)
		error_set(e, ERROR_TIMEOUT, 0, "process %ld does not come to a halt: is it "
			  "stopped, or is somebody else reading?", (long)pid);
	else if (ret < 0)
		tell(ret, pid, e);
	return ret == 1 ? -ETIMEDOUT : ret;
}
