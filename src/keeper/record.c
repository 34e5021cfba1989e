/* The record table as a file mapping.
 *
 * One mapping over the largest size that the file can ever have: growing is a matter of the file
 * alone, every pointer stays valid, and a reader's mapping grows with it. Room is allocated for
 * real before nslots is raised, so that a full file system is an error here and never a SIGBUS. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"
#include "keeper/record.h"

#define RECORDS_BAD RECORDS_FILE ".bad"
#define RECORDS_SPAN (sizeof(struct records_header) + RECORDS_MAX_SLOTS * sizeof(struct record))
#define RECORDS_PER_PAGE 16u

/* --- checksums -------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
	return hash_fold(hash_add(h, bytes, n));
}

#define MIX(h, field) mix(h, &(field), sizeof(field))

/* WITH_PROOF false: as it is sealed before the child exists, with a pid of 0 and no proof. */
static uint64_t seal_of(const struct record *r, bool with_proof)
{
	uint64_t h = MIX(HASH_START, r->slot);
	const uint64_t nothing = 0;

	h = MIX(h, r->spawn_id);
	h = MIX(h, r->flags);
	h = mix(h, r->name, sizeof(r->name));
	h = mix(h, with_proof ? (const void *)&r->pid : &nothing, sizeof(r->pid));
	h = mix(h, with_proof ? (const void *)&r->start_ticks : &nothing, sizeof(nothing));
	h = mix(h, with_proof ? (const void *)&r->pidfd_ino : &nothing, sizeof(nothing));
	h = mix(h, with_proof ? (const void *)&r->started_mono_ns : &nothing, sizeof(nothing));
	if (with_proof && r->session != 0)
		h = MIX(h, r->session);
	return h != 0 ? h : 1;
}

static uint64_t end_seal_of(const struct record *r)
{
	uint64_t h = MIX(HASH_START + 1, r->spawn_id);

	h = MIX(h, r->pid);
	h = MIX(h, r->wait_status);
	h = MIX(h, r->exited_mono_ns);
	return h != 0 ? h : 1;
}

void record_seal(struct record *r)
{
	atomic_store_explicit(&r->seal, seal_of(r, true), memory_order_release);
}

void record_seal_end(struct record *r)
{
	atomic_store_explicit(&r->end_seal, end_seal_of(r), memory_order_release);
}

void record_seal_prepared(struct record *r)
{
	r->pid = 0;
	atomic_store_explicit(&r->end_seal, 0, memory_order_relaxed);
	atomic_store_explicit(&r->seal, seal_of(r, false), memory_order_release);
}

void record_clear(struct record *r)
{
	atomic_store_explicit(&r->next.seal, 0, memory_order_relaxed);
	atomic_store_explicit(&r->seal, 0, memory_order_relaxed);
	atomic_store_explicit(&r->end_seal, 0, memory_order_relaxed);
	atomic_store_explicit(&r->state, RECORD_FREE, memory_order_release);
}

static uint64_t next_seal_of(const struct record *r)
{
	uint64_t h = MIX(HASH_START + 2, r->spawn_id);

	h = MIX(h, r->next.start_ticks);
	h = MIX(h, r->next.pidfd_ino);
	h = MIX(h, r->next.pid);
	h = MIX(h, r->next.session);
	return h != 0 ? h : 1;
}

/* May be done again from the beginning, at any point. */
static void become_next(struct record *r)
{
	r->pid = r->next.pid;
	r->session = r->next.session;
	r->start_ticks = r->next.start_ticks;
	r->pidfd_ino = r->next.pidfd_ino;
	r->exited_mono_ns = 0;
	r->wait_status = 0;
	r->user_us = r->system_us = r->max_rss_kib = 0;
	atomic_store_explicit(&r->end_seal, 0, memory_order_release);
	record_seal(r);
	atomic_store_explicit(&r->state, RECORD_RUNNING, memory_order_release);
	atomic_store_explicit(&r->next.seal, 0, memory_order_release);
}

void record_follow(struct record *r, pid_t pid, uint64_t start_ticks, uint64_t pidfd_ino)
{
	r->next.pid = pid;
	r->next.session = record_session(r);
	r->next.start_ticks = start_ticks;
	r->next.pidfd_ino = pidfd_ino;
	atomic_store_explicit(&r->next.seal, next_seal_of(r), memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);	/* nothing below moves above that */
	become_next(r);
}

void record_finish_follow(struct record *r, uint32_t slot)
{
	uint64_t seal = atomic_load_explicit(&r->next.seal, memory_order_relaxed);

	if (seal != 0 && seal == next_seal_of(r) && r->slot == slot)
		become_next(r);
	atomic_store_explicit(&r->next.seal, 0, memory_order_relaxed);
}

/* A record without seals was cleared, or never used. FREE comes last: GONE is one on the way. */
static enum record_verdict judge_unsealed(uint32_t state)
{
	return state == RECORD_FREE || state == RECORD_GONE ? RECORD_EMPTY : RECORD_DAMAGED;
}

enum record_verdict record_judge(const struct record *r, uint32_t slot)
{
	uint32_t state = atomic_load_explicit(&r->state, memory_order_acquire);
	uint64_t seal = atomic_load_explicit(&r->seal, memory_order_relaxed);
	uint64_t end_seal = atomic_load_explicit(&r->end_seal, memory_order_relaxed);
	bool ended = end_seal != 0 && end_seal == end_seal_of(r);

	if (seal == 0 && end_seal == 0)
		return judge_unsealed(state);
	if (r->slot != slot)
		return RECORD_DAMAGED;
	/* The seal from before the clone: its keeper died before it could note the proof, or never
	 * came to make it. To say RUNNING is the child's last step before exec. */
	if (seal == seal_of(r, false))
		return end_seal != 0 ? RECORD_DAMAGED
		       : state == RECORD_RUNNING && r->pid > 0 ? RECORD_ALIVE
		       : state == RECORD_FREE && r->pid == 0   ? RECORD_EMPTY
								: RECORD_DAMAGED;
	if (seal != seal_of(r, true))
		return RECORD_DAMAGED;
	if (state == RECORD_RUNNING)
		return ended ? RECORD_ENDED : end_seal == 0 ? RECORD_ALIVE : RECORD_DAMAGED;
	return (state == RECORD_EXITED || state == RECORD_GONE) && ended ? RECORD_ENDED
									  : RECORD_DAMAGED;
}

static uint64_t header_checksum(const struct records_header *h)
{
	uint64_t sum = MIX(HASH_START, h->magic);

	return mix(MIX(MIX(sum, h->version), h->record_size), h->boot_id, sizeof(h->boot_id));
}

void records_group_get(const struct records_header *h, char out[32])
{
	bool fine = h->cgroup_seal == mix(HASH_START, h->cgroup, sizeof(h->cgroup)) &&
		    memchr(h->cgroup, '\0', sizeof(h->cgroup)) != NULL;

	memset(out, 0, 32);
	if (fine)
		snprintf(out, 32, "%s", h->cgroup);
}

void records_group_set(struct records_header *h, const char *name)
{
	memset(h->cgroup, 0, sizeof(h->cgroup));
	snprintf(h->cgroup, sizeof(h->cgroup), "%s", name);
	h->cgroup_seal = mix(HASH_START, h->cgroup, sizeof(h->cgroup));
}

/* --- the file --------------------------------------------------------------------------------- */

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

/* The header is damaged, but is there a record with its seal in its place? Then the file is ours,
 * and each of them stands for itself. */
static bool any_sealed(int fd)
{
	struct record r;

	for (uint32_t slot = 0; slot < RECORDS_MAX_SLOTS; slot++) {
		off_t at = (off_t)records_bytes(slot);
		enum record_verdict verdict;

		if (pread(fd, &r, sizeof(r), at) != (ssize_t)sizeof(r))
			return false;
		verdict = record_judge(&r, slot);
		if (verdict == RECORD_ALIVE || verdict == RECORD_ENDED)
			return true;
	}
	return false;
}

/* Is the open file one that this version wrote in this boot? 1 or 0; -errno when that cannot be
 * told: what it holds may well be running. A file that was cut behind it is: each record that is
 * left is as good as ever. BOOT_ID is empty for the reason BOOT_ERR. */
static int records_familiar(int fd, const char *boot_id, int boot_err)
{
	struct stat st;
	struct records_header h;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1 ||
	    st.st_size < (off_t)sizeof(h) || st.st_size > (off_t)RECORDS_SPAN)
		return 0;
	do
		n = pread(fd, &h, sizeof(h), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n != (ssize_t)sizeof(h))
		return 0;
	if (h.checksum != header_checksum(&h))
		return any_sealed(fd);
	if (h.magic != RECORDS_MAGIC || h.version != RECORDS_VERSION ||
	    h.record_size != sizeof(struct record))
		return 0;
	if (boot_id[0] == '\0')
		return h.boot_id[0] != '\0' ? boot_err : 0;
	return memcmp(h.boot_id, boot_id, 37) == 0;
}

/* Open what is there; -ENOENT when nothing familiar is (and then nothing is in the way). */
static int records_open_old(int run_dirfd, const char *boot_id, int boot_err, bool *set_aside)
{
	int fd = openat(run_dirfd, RECORDS_FILE, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	int familiar;

	if (fd < 0 && errno != ELOOP && errno != EISDIR && errno != ENXIO)
		return -errno;
	familiar = fd >= 0 ? records_familiar(fd, boot_id, boot_err) : 0;
	if (familiar > 0)
		return fd;
	if (fd >= 0)
		close(fd);
	if (familiar < 0)
		return familiar;
	if (renameat(run_dirfd, RECORDS_FILE, run_dirfd, RECORDS_BAD) < 0)
		return -errno;
	*set_aside = true;
	return -ENOENT;
}

static void records_stamp(struct records_header *h, const char *boot_id, bool found)
{
	h->damaged = found && h->checksum != header_checksum(h);
	h->cut = 0;
	h->magic = RECORDS_MAGIC;
	h->version = RECORDS_VERSION;
	h->record_size = sizeof(struct record);
	memcpy(h->boot_id, boot_id, 37);
	h->checksum = header_checksum(h);
}

/* The file is made in whole pages, and before NSLOTS says so: any other size was not our doing. So
 * the size is what counts; room that was made and never announced is all FREE. */
static uint32_t records_found(struct records *r)
{
	const off_t page = (off_t)(RECORDS_PER_PAGE * sizeof(struct record));
	uint32_t said = atomic_load_explicit(&r->header->nslots, memory_order_relaxed);
	struct stat st;
	off_t body;

	if (fstat(r->fd, &st) < 0)
		return 0;
	body = st.st_size - (off_t)sizeof(struct records_header);
	r->header->cut = body % page != 0 || body < (off_t)(said * sizeof(struct record));
	atomic_store_explicit(&r->header->nslots, 0, memory_order_relaxed);
	return (uint32_t)((body + page - 1) / page * RECORDS_PER_PAGE);
}

int records_create(struct records *r, int run_dirfd, uint32_t nslots, bool *set_aside)
{
	char boot_id[37];
	bool is_new = false;
	uint32_t found;
	int boot_err, fd, ret;

	*set_aside = false;
	boot_err = boot_id_read(boot_id);
	fd = records_open_old(run_dirfd, boot_id, boot_err, set_aside);
	if (fd == -ENOENT) {
		is_new = true;
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
	records_stamp(r->header, boot_id, !is_new);
	found = records_found(r);
	ret = records_grow(r, MAX(MAX(nslots, found), RECORDS_PER_PAGE));
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
		if (r->slots[i].seal == 0)	/* else it is somebody's already */
			r->slots[i].slot = i;
	atomic_store_explicit(&r->header->nslots, want, memory_order_release);
	return 0;
}

/* FD stays the caller's when this fails. */
static int records_take(struct records *r, int fd, bool writable)
{
	struct stat st;
	int ret;

	if (fstat(fd, &st) < 0)
		ret = -errno;
	else if (st.st_size < (off_t)sizeof(struct records_header))
		ret = -EBADMSG;
	else
		ret = records_view(r, fd, writable);
	if (ret == 0 && (r->header->magic != RECORDS_MAGIC ||
			 r->header->version != RECORDS_VERSION ||
			 r->header->record_size != sizeof(struct record))) {
		munmap(r->header, RECORDS_SPAN);
		*r = (struct records){ .fd = -1 };
		ret = -EBADMSG;
	}
	return ret;
}

int records_resume(struct records *r, int fd)
{
	return records_take(r, fd, true);
}

int records_map(struct records *r, int fd)
{
	int ret = records_take(r, fd, false);

	if (ret < 0)
		close(fd);
	return ret;
}

void records_unmap_idle(const struct records *r)
{
	if (r->header != NULL)
		madvise(r->header, RECORDS_SPAN, MADV_DONTNEED);	/* refused: stays mapped */
}

void records_unmap(struct records *r)
{
	if (r->header == NULL)
		return;
	munmap(r->header, RECORDS_SPAN);
	close(r->fd);
	*r = (struct records){ .fd = -1 };
}

void record_name_add_task(char name[NAME_CAP], const char *task)
{
	size_t at = strlen(name), n = strcspn(task, "_");

	if (n > 0 && at + 1 + n < NAME_CAP)
		snprintf(name + at, NAME_CAP - at, "/%.*s", (int)n, task);
}
