/* The socket pair, and what comes in: each message is checked before anything is done for it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/resident.h"
#include "keeper/fetch.h"
#include "keeper/follow.h"
#include "keeper/inner.h"
#include "keeper/packet.h"
#include "keeper/supervise.h"

#define PACKET_MAX (sizeof(struct km_slot) + PLAN_MAX)
#define SOCKET_BUFFER (1 << 20)

int link_init(struct link *l)
{
	l->fd = -1;
	l->buf = mmap(NULL, PACKET_MAX + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	return l->buf == MAP_FAILED ? -errno : 0;
}

static void socket_enlarge(int fd)
{
	const int size = SOCKET_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

int link_open(struct keeper *k)
{
	int fds[2], ret = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	socket_enlarge(fds[0]);
	socket_enlarge(fds[1]);
	if (dup3(fds[1], LOW_SUPERVISOR, O_CLOEXEC) < 0)
		ret = -errno;
	close(fds[1]);
	if (ret == 0)
		ret = fd_set_nonblock(fds[0], true);
	if (ret == 0)
		ret = keeper_watch(k, fds[0], EPOLLIN, event_key(EVENT_LINK, 0));
	if (ret < 0) {
		close(fds[0]);
		return ret;
	}
	k->link.fd = fds[0];
	k->link.want_write = false;
	k->link.held_left = 0;
	k->signals_told = 0;
	return 0;
}

void link_close(struct keeper *k)
{
	if (k->link.fd >= 0)
		close(k->link.fd);
	k->link.fd = -1;
}

/* --- in --------------------------------------------------------------------------------------- */

/* The record, grown to if need be, or NULL: beyond all bounds. */
static struct record *slot_record(struct keeper *k, uint32_t slot)
{
	if (slot >= RECORDS_MAX_SLOTS || records_grow(&k->records, slot + 1) < 0)
		return NULL;
	return record_get(&k->records, slot);
}

static bool take_spawn(struct keeper *k, const void *msg, size_t size)
{
	const struct km_slot *m = msg;
	const void *plan = m + 1;
	struct record *r;
	int errnum = 0;
	uint32_t stage = STAGE_PLAN;

	if (size < sizeof(*m) || m->slot >= RECORDS_MAX_SLOTS)
		return false;
	r = slot_record(k, m->slot);
	if (r == NULL) {
		stage = STAGE_SPAWN;
		errnum = ENOSPC;
	} else if (atomic_load_explicit(&r->state, memory_order_relaxed) != RECORD_FREE) {
		stage = STAGE_SPAWN;
		errnum = EBUSY;
	} else if (!plan_check(plan, size - sizeof(*m))) {
		errnum = EINVAL;
	}
	if (errnum != 0)
		spawn_refuse(k, m->slot, m->spawn_id, stage, errnum);
	else
		spawn_slot(k, m->slot, m->spawn_id, plan);
	explicit_bzero(k->link.buf, size);	/* there may be secrets in it; MSG is there */
	return true;
}

/* The record that a message is about; NULL when it is about something that is over. */
static struct record *meant(struct keeper *k, uint32_t slot, uint64_t spawn_id)
{
	struct record *r;

	if (slot >= atomic_load_explicit(&k->records.header->nslots, memory_order_relaxed))
		return NULL;
	r = record_get(&k->records, slot);
	return r->spawn_id == spawn_id &&
	       atomic_load_explicit(&r->state, memory_order_relaxed) != RECORD_FREE ? r : NULL;
}

static bool take_signal(struct keeper *k, const void *msg, size_t size)
{
	const struct km_signal *m = msg;
	struct record *r;

	if (size != sizeof(*m) || m->signo < 0 || m->signo > 64)
		return false;
	r = meant(k, m->slot, m->spawn_id);
	if (r == NULL || atomic_load_explicit(&r->state, memory_order_relaxed) == RECORD_GONE)
		return true;
	if (m->signo == SIGKILL)
		r->killed = 1;
	if (m->flags & SIGNAL_LAST)
		slot_get(&k->slots, m->slot)->last_run = true;
	if (m->scope == SCOPE_TREE)
		tree_signal(k, m->slot, m->signo, m->flags & SIGNAL_THEN_CONT);
	else
		tree_signal_leader(k, m->slot, m->signo, m->flags & SIGNAL_THEN_CONT);
	return true;
}

static bool take_follow(struct keeper *k, const void *msg, size_t size)
{
	const struct km_main *m = msg;

	if (size != sizeof(*m))
		return false;
	if (meant(k, m->slot, m->spawn_id) != NULL)
		follow(k, m->slot, m->pid);
	return true;
}

static bool take_fetch(struct keeper *k, const void *msg, size_t size)
{
	const struct km_fetch *m = msg;

	if (size != sizeof(*m) || m->count > PLAN_MAX_LISTEN)
		return false;
	if (meant(k, m->slot, m->spawn_id) != NULL)
		fetch_sockets(k, m);
	return true;
}

static bool take_release(struct keeper *k, const void *msg, size_t size)
{
	const struct km_slot *m = msg;
	struct record *r;

	if (size != sizeof(*m))
		return false;
	r = meant(k, m->slot, m->spawn_id);
	if (r == NULL || atomic_load_explicit(&r->state, memory_order_relaxed) != RECORD_GONE)
		return true;
	slot_get(&k->slots, m->slot)->untold &= FACT_START_FAILED;
	record_clear(r);
	return true;
}

static bool take_hold(struct keeper *k, const void *msg, size_t size, int *fd)
{
	const struct km_hold *m = msg;

	if (size != sizeof(*m) || m->key[HOLD_KEY_CAP - 1] != '\0')
		return false;
	hold_put(&k->hold, m->key, *fd);
	*fd = -1;
	return true;
}

static bool take_hold_slot(struct keeper *k, const void *msg, size_t size, int *fd)
{
	const struct km_slot *m = msg;

	if (size != sizeof(*m) || m->slot >= RECORDS_MAX_SLOTS)
		return false;
	if (slot_record(k, m->slot) == NULL)
		return true;	/* no room to remember whose it is: it dies with this supervisor */
	slot_hold(&k->slots, m->slot, *fd);
	*fd = -1;
	return true;
}

static bool take_taken(struct keeper *k, const void *msg, size_t size)
{
	const struct km_forward *m = msg;
	uint64_t bit;

	if (size != sizeof(*m) || m->signo < 1 || m->signo > 64)
		return false;
	bit = UINT64_C(1) << (m->signo - 1);
	if (k->signals_told & bit)	/* else it came once more, and that is not told yet */
		k->signals &= ~bit;
	k->signals_told &= ~bit;
	return true;
}

static bool take_upgrade(struct keeper *k, const void *msg, size_t size, int *exe)
{
	const struct km_upgrade *m = msg;
	int fd = *exe;

	if (size != sizeof(*m) || m->exe[PATH_MAX - 1] != '\0' ||
	    k->supervisor.state != SUPERVISOR_SERVING)
		return false;
	*exe = -1;
	return upgrade_order(k, m, fd);
}

static bool take_leave(struct keeper *k, const void *msg, size_t size)
{
	const struct km_leave *m = msg;

	/* one that could not even begin is not obeyed: the one before it could */
	if (size != sizeof(*m) || k->upgrade.phase == UPGRADE_TRIAL ||
	    k->supervisor.state != SUPERVISOR_SERVING)
		return false;
	k->supervisor.state = SUPERVISOR_LEAVING;
	k->supervisor.leave_code = m->exit_code;
	supervise_left(k);
	return true;
}

static bool link_dispatch(struct keeper *k, const void *msg, size_t size, int *fd)
{
	const struct km_header *h = msg;

	if (size < sizeof(*h) || h->size != size)
		return false;
	heartbeat_heard(k);
	if (h->type == KM_SETUP)
		return welcome_take(k, msg, size);
	if (k->supervisor.state != SUPERVISOR_SERVING &&
	    k->supervisor.state != SUPERVISOR_YIELDING)
		return false;
	switch (h->type) {
	case KM_SPAWN: return take_spawn(k, msg, size);
	case KM_SIGNAL: return take_signal(k, msg, size);
	case KM_FOLLOW: return take_follow(k, msg, size);
	case KM_FETCH: return take_fetch(k, msg, size);
	case KM_RELEASE: return take_release(k, msg, size);
	case KM_HOLD: return take_hold(k, msg, size, fd);
	case KM_HOLD_SLOT: return take_hold_slot(k, msg, size, fd);
	case KM_TAKEN: return take_taken(k, msg, size);
	case KM_LEAVE: return take_leave(k, msg, size);
	case KM_UPGRADE: return take_upgrade(k, msg, size, fd);
	case KM_READY: upgrade_ready(k); return true;
	case KM_SETTLED: resident_drop_program(); return true;
	case KM_HEARD: return true;
	default: return false;
	}
}

/* The descriptor that came along, if any; more than one is nonsense and closed. */
static int first_of(const int *fds, int nfds)
{
	for (int i = 1; i < nfds; i++)
		close(fds[i]);
	return nfds > 0 ? fds[0] : -1;
}

bool link_receive(struct keeper *k, int max)
{
	for (int i = 0; i < max && k->link.fd >= 0; i++) {
		int fds[PACKET_MAX_FDS], nfds;
		ssize_t n = packet_receive(k->link.fd, k->link.buf, PACKET_MAX + 1, MSG_DONTWAIT,
					   fds, &nfds);
		auto_free(closep) int fd = first_of(fds, nfds);

		/* a reset says that something of ours was not read; what was sent to us still
		 * waits */
		if (n == -ECONNRESET)
			continue;
		if (n == -EAGAIN || n == -ENOMEM || n == -ENOBUFS)
			return true;
		if (n <= 0) {
			supervise_hung_up(k);
			return true;
		}
		if (!link_dispatch(k, k->link.buf, (size_t)n, &fd))
			return false;
	}
	return true;
}
