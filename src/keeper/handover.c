/* The keeper executes another keeper in its own place.
 *
 * Nothing is given up before the exec: the descriptors lose their close-on-exec flag at the last
 * moment and get it back when the exec failed. The new one reads the whole file before it touches
 * anything, so that it, too, can still execute the old one: "FD:OLD" in its arguments are the file
 * and the old executable; "FD:back" tells the old one that it was not understood. */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/handover.h"

#define TEXT_CAP 32
#define RETURNED "back"
#define ARGS_MAX 4096

/* --- the file --------------------------------------------------------------------------------- */

/* DATA without its first word. */
static uint64_t checksum_of(const void *data, size_t size)
{
	const unsigned char *p = data;
	uint64_t h = UINT64_C(0x9e3779b97f4a7c15) ^ size;

	for (size_t at = sizeof(uint64_t); at + sizeof(uint64_t) <= size; at += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, p + at, sizeof(word));
		h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	return h;
}

static size_t handover_size(uint32_t nslots)
{
	return sizeof(struct handover) + (size_t)nslots * sizeof(struct handover_slot);
}

uint32_t keeper_handover_layout(void)
{
	return (uint32_t)HANDOVER_VERSION << 24 ^
	       (uint32_t)(sizeof(struct handover) + 31 * sizeof(struct handover_slot));
}

static const struct handover_slot *handover_slot_at(const struct handover *h, uint32_t i)
{
	return (const struct handover_slot *)(const void *)(h + 1) + i;
}

static bool text_ends(const char *text, size_t cap)
{
	return memchr(text, '\0', cap) != NULL;
}

static bool numbers_sane(const struct handover *h)
{
	if (h->records_fd <= STDERR_FILENO || h->hold.n > HOLD_MAX ||
	    h->upgrade.phase > UPGRADE_TRIAL ||
	    !text_ends(h->name, sizeof(h->name)) ||
	    !text_ends(h->rundir.path, sizeof(h->rundir.path)) ||
	    !text_ends(h->rundir.pid_file, sizeof(h->rundir.pid_file)) ||
	    !text_ends(h->cgroup.parent, sizeof(h->cgroup.parent)) ||
	    !text_ends(h->cgroup.name, sizeof(h->cgroup.name)) ||
	    !text_ends(h->cgroup.path, sizeof(h->cgroup.path)) ||
	    !text_ends(h->upgrade.path, sizeof(h->upgrade.path)) ||
	    !text_ends(h->upgrade.other_path, sizeof(h->upgrade.other_path)) ||
	    h->original.affinity_size > (long)sizeof(h->original.affinity))
		return false;
	for (uint32_t i = 0; i < h->nslots; i++) {
		const struct handover_slot *s = handover_slot_at(h, i);

		if (s->number >= RECORDS_MAX_SLOTS ||
		    (i > 0 && s->number <= handover_slot_at(h, i - 1)->number))
			return false;
	}
	return true;
}

bool handover_valid(const void *data, size_t size)
{
	const struct handover *h = data;

	return size >= sizeof(*h) && h->magic == HANDOVER_MAGIC &&
	       h->version == HANDOVER_VERSION && h->size == sizeof(*h) &&
	       h->slot_size == sizeof(struct handover_slot) && h->nslots <= RECORDS_MAX_SLOTS &&
	       size == handover_size(h->nslots) && h->checksum == checksum_of(data, size) &&
	       numbers_sane(h);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Does SLOT hold anything that neither records nor run directory know? */
static bool worth_telling(const struct slot *s)
{
	return s->pidfd > 0 || s->fifo[0] > 0 || s->fifo[1] > 0 || s->held > 0 || s->untold != 0 ||
	       s->watched || s->has_cgroup || s->cgroup_worn || s->adopted || s->kill_tree;
}

static uint32_t slots_count(const struct keeper *k)
{
	uint32_t n = 0;

	for (uint32_t slot = 0; slot < k->records.header->nslots; slot++)
		n += worth_telling(slot_get(&k->slots, slot));
	return n;
}

static void fill(const struct keeper *k, struct handover *h, uint32_t nslots, size_t size)
{
	struct handover_slot *out = (struct handover_slot *)(void *)(h + 1);

	h->magic = HANDOVER_MAGIC;
	h->version = HANDOVER_VERSION;
	h->size = sizeof(*h);
	h->slot_size = sizeof(*out);
	h->nslots = nslots;
	h->keeper_pid = getpid();
	h->records_fd = k->records.fd;
	h->started_ns = k->started_ns;
	h->signals = k->signals;
	h->inherited = k->spawner.inherited;
	h->supervisor_oom = k->spawner.supervisor_oom;
	h->deaths = k->supervisor.deaths;
	h->crashes = k->supervisor.crashes;
	memcpy(h->crash_times_ns, k->supervisor.crash_times_ns, sizeof(h->crash_times_ns));
	h->original = k->spawner.original;
	h->rundir = k->rundir;
	h->cgroup = k->tree.cgroup;
	h->hold = k->hold;
	h->upgrade = k->upgrade;
	memcpy(h->name, k->name, sizeof(h->name));
	for (uint32_t slot = 0; slot < k->records.header->nslots; slot++) {
		if (!worth_telling(slot_get(&k->slots, slot)))
			continue;
		*out++ = (struct handover_slot){ .number = slot,
						 .slot = *slot_get(&k->slots, slot) };
	}
	h->checksum = checksum_of(h, size);
}

/* The sealed file, or -errno. */
static int handover_write(const struct keeper *k)
{
	uint32_t nslots = slots_count(k);
	size_t size = handover_size(nslots);
	int fd = (int)syscall(SYS_memfd_create, "procd-handover",
			      MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct handover *h;
	int ret;

	if (fd < 0)
		return -errno;
	ret = -posix_fallocate(fd, 0, (off_t)size);	/* no room shows here, not as a SIGBUS */
	h = ret == 0 ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
	if (h == MAP_FAILED) {
		ret = ret == 0 ? -errno : ret;
		close(fd);
		return ret;
	}
	fill(k, h, nslots, size);
	munmap(h, size);
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

/* --- descriptors ------------------------------------------------------------------------------ */

static void set_cloexec(int fd, bool on)
{
	if (fd > 0)
		fd_set_cloexec(fd, on);
}

/* All that the next image needs; everything else goes with the exec. */
static void descriptors_keep(const struct keeper *k, bool keep)
{
	for (int fd = 3; fd < LOW_RUN_DIR; fd++)
		if (k->spawner.inherited & UINT64_C(1) << fd)
			set_cloexec(fd, !keep);
	for (int fd = LOW_RUN_DIR; fd < LOW_END; fd++)
		set_cloexec(fd, !keep);
	set_cloexec(k->rundir.pid_fd, !keep);
	set_cloexec(k->records.fd, !keep);
	set_cloexec(k->upgrade.old_exe, !keep);
	for (uint32_t i = 0; i < k->hold.n; i++)
		set_cloexec(k->hold.fds[i], !keep);
	for (uint32_t slot = 0; slot < k->records.header->nslots; slot++) {
		const struct slot *s = slot_get(&k->slots, slot);

		set_cloexec(s->pidfd, !keep);
		set_cloexec(s->fifo[0], !keep);
		set_cloexec(s->fifo[1], !keep);
		set_cloexec(s->held, !keep);
	}
}

/* --- exec ------------------------------------------------------------------------------------- */

static int exec_as(const struct keeper_options *options, int exe, char *text)
{
	char *argv[ARGS_MAX];
	char path[32];
	size_t n = 0;

	for (; options->keeper_argv != NULL && options->keeper_argv[n] != NULL; n++) {
		if (n == ARGS_MAX - 1)
			return -E2BIG;
		argv[n] = options->keeper_argv[n];
		if (strcmp(argv[n], "{HANDOVER}") == 0)
			argv[n] = text;
	}
	argv[n] = NULL;
	if (n == 0)
		return -ENOTSUP;
	syscall(SYS_execveat, exe, "", argv, environ, AT_EMPTY_PATH);
	if (errno == ENOSYS) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", exe);
		execve(path, argv, environ);
	}
	return -errno;
}

int handover_exec(struct keeper *k)
{
	char text[TEXT_CAP];
	int fd = handover_write(k), ret;

	if (fd < 0)
		return fd;
	snprintf(text, sizeof(text), "%d:%d", fd, k->upgrade.old_exe);
	descriptors_keep(k, true);
	fd_set_cloexec(fd, false);
	ret = exec_as(k->options, LOW_EXE, text);
	close(fd);
	descriptors_keep(k, false);
	return ret;
}

void handover_refuse(const struct keeper_options *options, const char *text)
{
	char again[TEXT_CAP];
	char *end;
	long fd = strtol(text, &end, 10);
	long old = *end == ':' ? strtol(end + 1, NULL, 10) : -1;

	if (strstr(text, RETURNED) != NULL || old < LOW_END)
		return;
	snprintf(again, sizeof(again), "%ld:" RETURNED, fd);
	exec_as(options, (int)old, again);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool is_sealed(int fd)
{
	const int want = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & want) == want;
}

int handover_open(struct keeper *k, const char *text, const struct handover **out)
{
	char *end;
	long fd = strtol(text, &end, 10);
	const struct handover *h;
	struct stat st;

	if (fd <= STDERR_FILENO || *end != ':' || !is_sealed((int)fd))
		return -EINVAL;
	if (fstat((int)fd, &st) < 0)
		return -errno;
	h = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, (int)fd, 0);
	if (h == MAP_FAILED)
		return -errno;
	if (!handover_valid(h, (size_t)st.st_size) || h->keeper_pid != getpid()) {
		munmap((void *)(uintptr_t)h, (size_t)st.st_size);
		return -EBADMSG;
	}
	k->started_ns = h->started_ns;
	k->signals = h->signals;
	k->records.fd = h->records_fd;
	k->rundir = h->rundir;
	k->tree.cgroup = h->cgroup;
	k->hold = h->hold;
	k->upgrade = h->upgrade;
	k->supervisor.deaths = h->deaths;
	k->supervisor.crashes = h->crashes;
	k->supervisor.welcomed_once = true;
	memcpy(k->supervisor.crash_times_ns, h->crash_times_ns, sizeof(h->crash_times_ns));
	memcpy(k->name, h->name, sizeof(k->name));
	*out = h;
	return strcmp(end + 1, RETURNED) == 0;
}

static void resume_slot(struct keeper *k, const struct handover_slot *from)
{
	struct slot *own = slot_get(&k->slots, from->number);
	const struct record *r = record_get(&k->records, from->number);
	bool running = atomic_load_explicit(&r->state, memory_order_relaxed) == RECORD_RUNNING;
	uint32_t events = from->slot.adopted ? EPOLLIN | EPOLLONESHOT : EPOLLIN;

	*own = from->slot;
	own->by_pid_next = own->untold_next = own->watched_next = 0;
	own->untold = 0;
	own->in_untold = own->watched = false;
	if (from->slot.untold != 0)
		slots_tell(&k->slots, from->number, (enum slot_fact)from->slot.untold);
	if (running)
		slots_add_pid(&k->slots, &k->records, from->number);
	if (own->pidfd > 0 &&
	    keeper_watch(k, own->pidfd, events, event_key(EVENT_CHILD, from->number)) < 0)
		reap_sweep_soon(k);
	if (running && own->pidfd <= 0 && !own->adopted && k->signaller.have_pidfd)
		reap_unwatched(k);
	if (own->adopted)
		k->adoption.look_at_ns = 0;
	if (from->slot.watched)
		tree_watch(k, from->number);
}

void handover_slots(struct keeper *k, const struct handover *h)
{
	uint32_t nslots = k->records.header->nslots, i = 0;

	for (uint32_t slot = 0; slot < nslots; slot++) {
		const struct handover_slot *from = handover_slot_at(h, i);
		const struct record *r = record_get(&k->records, slot);

		if (i < h->nslots && from->number == slot) {
			resume_slot(k, from);
			i++;
		} else if (atomic_load_explicit(&r->state, memory_order_relaxed) ==
			   RECORD_RUNNING) {
			/* nothing but its number was known of it */
			slots_add_pid(&k->slots, &k->records, slot);
		}
	}
	descriptors_keep(k, false);
}

void handover_fini(const struct handover *h, const char *text)
{
	close((int)strtol(text, NULL, 10));
	munmap((void *)(uintptr_t)h, handover_size(h->nslots));
}
