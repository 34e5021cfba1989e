/* The record table as a file mapping.
 *
 * One mapping over the largest size that the file can ever have: growing is a matter of the file
 * alone, every pointer stays valid, and a reader's mapping grows with it. Room is allocated for
 * real before nslots is raised, so that a full file system is an error here and never a SIGBUS. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/record.h"

#define RECORDS_BAD RECORDS_FILE ".bad"
#define RECORDS_SPAN (sizeof(struct records_header) + RECORDS_MAX_SLOTS * sizeof(struct record))
#define RECORDS_PER_PAGE 16u

ENUMTEXT(record_state, "record state",
	 [RECORD_FREE] = "free", [RECORD_RUNNING] = "running", [RECORD_EXITED] = "exited",
	 [RECORD_GONE] = "gone");

static size_t records_bytes(uint32_t nslots)
{
	return sizeof(struct records_header) + (size_t)nslots * sizeof(struct record);
}

static int records_view(struct records *r, int fd, bool writable)
{
	void *at = mmap(NULL, RECORDS_SPAN, writable ? PROT_READ | PROT_WRITE : PROT_READ,
			MAP_SHARED | MAP_NORESERVE, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	r->header = at;
	r->slots = (struct record *)(void *)((char *)at + sizeof(struct records_header));
	r->fd = fd;
	r->writable = writable;
	return 0;
}

/* Is the open file one that this version wrote in this boot? Reads no further than the header. */
static bool records_familiar(int fd, const char *boot_id)
{
	struct stat st;
	struct records_header h;

	if (fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(h) ||
	    pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h))
		return false;
	return h.magic == RECORDS_MAGIC && h.version == RECORDS_VERSION &&
	       h.record_size == sizeof(struct record) && h.nslots <= RECORDS_MAX_SLOTS &&
	       st.st_size >= (off_t)records_bytes(h.nslots) && boot_id[0] != '\0' &&
	       memcmp(h.boot_id, boot_id, 37) == 0;
}

/* Open what is there; -ENOENT when nothing familiar is (and then nothing is in the way). */
static int records_open_old(int run_dirfd, const char *boot_id, bool *set_aside)
{
	int fd = openat(run_dirfd, RECORDS_FILE, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    st.st_nlink == 1 && records_familiar(fd, boot_id))
		return fd;
	if (fd >= 0)
		close(fd);
	if (renameat(run_dirfd, RECORDS_FILE, run_dirfd, RECORDS_BAD) < 0)
		return -errno;
	*set_aside = true;
	return -ENOENT;
}

static void records_stamp(struct records_header *h, const char *boot_id)
{
	h->magic = RECORDS_MAGIC;
	h->version = RECORDS_VERSION;
	h->record_size = sizeof(struct record);
	memcpy(h->boot_id, boot_id, 37);
}

int records_create(struct records *r, int run_dirfd, uint32_t nslots, bool *set_aside)
{
	char boot_id[37];
	int fd, ret;

	*set_aside = false;
	boot_id_read(boot_id);
	fd = records_open_old(run_dirfd, boot_id, set_aside);
	if (fd == -ENOENT) {
		fd = openat(run_dirfd, RECORDS_FILE,
			    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		ret = -posix_fallocate(fd, 0, (off_t)records_bytes(RECORDS_PER_PAGE));
		if (ret < 0) {
			close(fd);
			unlinkat(run_dirfd, RECORDS_FILE, 0);
			return ret;
		}
	}
	if (fd < 0)
		return fd;
	ret = records_view(r, fd, true);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	records_stamp(r->header, boot_id);
	ret = records_grow(r, MAX(nslots, RECORDS_PER_PAGE));
	if (ret < 0)
		records_unmap(r);
	return ret;
}

int records_grow(struct records *r, uint32_t nslots)
{
	uint32_t have = atomic_load_explicit(&r->header->nslots, memory_order_relaxed);
	uint32_t want = (nslots + RECORDS_PER_PAGE - 1) / RECORDS_PER_PAGE * RECORDS_PER_PAGE;
	int ret;

	if (nslots <= have)
		return 0;
	if (nslots > RECORDS_MAX_SLOTS)
		return -ENOSPC;
	do
		ret = posix_fallocate(r->fd, 0, (off_t)records_bytes(want));
	while (ret == EINTR);
	if (ret != 0)
		return -ret;
	for (uint32_t i = have; i < want; i++)
		r->slots[i].slot = i;
	atomic_store_explicit(&r->header->nslots, want, memory_order_release);
	return 0;
}

int records_map(struct records *r, int fd)
{
	struct stat st;
	int ret;

	if (fstat(fd, &st) < 0)
		ret = -errno;
	else if (st.st_size < (off_t)sizeof(struct records_header))
		ret = -EBADMSG;
	else
		ret = records_view(r, fd, false);
	if (ret == 0 && (r->header->magic != RECORDS_MAGIC ||
			 r->header->version != RECORDS_VERSION ||
			 r->header->record_size != sizeof(struct record))) {
		records_unmap(r);
		return -EBADMSG;
	}
	if (ret < 0)
		close(fd);
	return ret;
}

void records_unmap(struct records *r)
{
	if (r->header == NULL)
		return;
	munmap(r->header, RECORDS_SPAN);
	close(r->fd);
	*r = (struct records){ .fd = -1 };
}
