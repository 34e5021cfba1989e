/* Packets in, facts out.
 *
 * A fact is never queued as a message: the slot remembers that something is untold, and the message
 * is written from the record when the socket takes it. So nothing has to be stored, nothing can
 * overflow, and a fact that changed meanwhile is told as it is now. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
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

/* --- out -------------------------------------------------------------------------------------- */

/* False: not now (EPOLLOUT will tell), or never: then the connection is ended, and the next
 * supervisor learns from the records. */
static bool link_send_with(struct keeper *k, const void *packet, size_t size, const int *fds,
			   size_t nfds)
{
	const struct outgoing o = { .head = packet, .head_size = size, .fds = fds, .nfds = nfds };
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT,
				  .data.u64 = event_key(EVENT_LINK, 0) };
	int ret = packet_send(k->link.fd, &o);

	if (ret < 0 && ret != -EAGAIN) {
		dprintf(STDERR_FILENO, "procd: cannot talk to the supervisor: %s\n",
			strerror(-ret));
		shutdown(k->link.fd, SHUT_RDWR);
	} else if (ret < 0 && !k->link.want_write) {
		k->link.want_write = true;
		epoll_ctl(k->epfd, EPOLL_CTL_MOD, k->link.fd, &ev);
	}
	return ret == 0;
}

static bool link_send(struct keeper *k, const void *msg, size_t size)
{
	return link_send_with(k, msg, size, NULL, 0);
}

uint32_t link_tell_held(struct keeper *k)
{
	uint32_t nslots = k->records.header->nslots, n = 0;

	for (uint32_t slot = 0; slot < nslots; slot++)
		n += slot_get(&k->slots, slot)->held > 0;
	k->link.held_next = 0;
	k->link.held_left = n;
	return n;
}

static bool tell_held(struct keeper *k)
{
	while (k->link.held_left > 0) {
		struct km_held m = { .h = { KM_HELD, sizeof(m) } };
		uint32_t slot = k->link.held_next;
		int fds[HELD_PER_PACKET];

		for (; m.n < HELD_PER_PACKET && m.n < k->link.held_left; slot++) {
			int fd = slot_get(&k->slots, slot)->held;

			if (fd <= 0)
				continue;
			m.slots[m.n] = slot;
			fds[m.n++] = fd;
		}
		if (!link_send_with(k, &m, sizeof(m), fds, m.n))
			return false;
		k->link.held_next = slot;
		k->link.held_left -= m.n;
	}
	return true;
}

static bool tell_started(struct keeper *k, uint32_t slot)
{
	const struct record *r = record_get(&k->records, slot);
	struct km_started m = {
		.h = { KM_STARTED, sizeof(m) }, .slot = slot, .pid = r->pid,
		.spawn_id = r->spawn_id, .at_mono_ns = r->started_mono_ns,
		.missing = r->flags >> RECORD_MISSING_SHIFT,
	};

	return link_send(k, &m, sizeof(m));
}

static bool tell_start_failed(struct keeper *k, uint32_t slot)
{
	const struct slot *own = slot_get(&k->slots, slot);
	struct km_started m = {
		.h = { KM_STARTED, sizeof(m) }, .slot = slot, .spawn_id = own->failed_spawn_id,
		.at_mono_ns = own->failed_at_ns, .stage = own->failed_stage,
		.errnum = own->failed_errno,
	};

	return link_send(k, &m, sizeof(m));
}

static bool tell_exited(struct keeper *k, uint32_t slot)
{
	const struct record *r = record_get(&k->records, slot);
	struct slot *own = slot_get(&k->slots, slot);
	struct km_exited m = {
		.h = { KM_EXITED, sizeof(m) }, .slot = slot, .pid = r->pid,
		.spawn_id = r->spawn_id, .at_mono_ns = r->exited_mono_ns,
		.wait_status = r->wait_status, .tree_left = own->tree_left,
	};

	if (atomic_load_explicit(&r->state, memory_order_relaxed) == RECORD_GONE)
		m.tree_left = 0;
	if (!link_send(k, &m, sizeof(m)))
		return false;
	if (m.tree_left == 0)
		own->untold &= (uint8_t)~FACT_GONE;
	return true;
}

static bool tell_main(struct keeper *k, uint32_t slot)
{
	const struct record *r = record_get(&k->records, slot);
	struct km_main m = {
		.h = { KM_MAIN, sizeof(m) }, .slot = slot, .pid = r->pid, .spawn_id = r->spawn_id,
	};

	return link_send(k, &m, sizeof(m));
}

static bool tell_gone(struct keeper *k, uint32_t slot)
{
	struct km_slot m = {
		.h = { KM_GONE, sizeof(m) }, .slot = slot,
		.spawn_id = record_get(&k->records, slot)->spawn_id,
	};

	return link_send(k, &m, sizeof(m));
}

/* In the order in which they happened. False: the socket is full. */
static bool tell_slot(struct keeper *k, uint32_t slot)
{
	static const struct {
		enum slot_fact fact;
		bool (*tell)(struct keeper *k, uint32_t slot);
	} order[] = {
		{ FACT_START_FAILED, tell_start_failed }, { FACT_STARTED, tell_started },
		{ FACT_MAIN, tell_main }, { FACT_EXITED, tell_exited }, { FACT_GONE, tell_gone },
	};
	struct slot *own = slot_get(&k->slots, slot);

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		if (!(own->untold & order[i].fact))
			continue;
		if (!order[i].tell(k, slot))
			return false;
		own->untold &= (uint8_t)~order[i].fact;
	}
	return true;
}

static bool tell_signals(struct keeper *k)
{
	uint64_t untold;

	while ((untold = k->signals & ~k->signals_told) != 0) {
		int signo = __builtin_ctzll(untold) + 1;
		struct km_forward m = { .h = { KM_FORWARD, sizeof(m) }, .signo = signo };

		if (!link_send(k, &m, sizeof(m)))
			return false;
		k->signals_told |= UINT64_C(1) << (signo - 1);
	}
	return true;
}

static bool send_ping(struct keeper *k)
{
	const struct km_header m = { KM_PING, sizeof(m) };

	return link_send(k, &m, sizeof(m));
}

/* All that is untold. False: the socket is full. */
static bool tell_all(struct keeper *k, bool *told)
{
	int64_t slot;

	*told = (k->signals & ~k->signals_told) != 0;
	if (!tell_held(k) || !tell_signals(k))
		return false;
	while ((slot = slots_untold_pop(&k->slots)) >= 0) {
		*told = true;
		if (!tell_slot(k, (uint32_t)slot)) {
			slots_untold_push_front(&k->slots, (uint32_t)slot);
			return false;
		}
	}
	return true;
}

void link_tell(struct keeper *k)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = event_key(EVENT_LINK, 0) };
	bool told;

	if (k->link.fd < 0 || (k->supervisor.state != SUPERVISOR_SERVING &&
			       k->supervisor.state != SUPERVISOR_LEAVING))
		return;
	if (!tell_all(k, &told)) {
		heartbeat_wait(k);
		return;
	}
	if (told && !heartbeat_is_waiting(&k->heartbeat)) {
		send_ping(k);
		heartbeat_wait(k);
	}
	if (k->link.want_write) {
		k->link.want_write = false;
		epoll_ctl(k->epfd, EPOLL_CTL_MOD, k->link.fd, &ev);
	}
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
	if (m->scope == SCOPE_TREE)
		tree_signal(k, m->slot, m->signo, m->then_cont);
	else
		tree_signal_leader(k, m->slot, m->signo, m->then_cont);
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

/* EXE is taken. */
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
	case KM_PONG: return true;
	default: return false;
	}
}

/* The descriptor that came along, if any; more than one is nonsense and closed. */
static int received_fd(struct msghdr *msg)
{
	int first = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (first < 0)
				first = fd;
			else
				close(fd);
		}
	}
	return first;
}

bool link_receive(struct keeper *k, int max)
{
	for (int i = 0; i < max && k->link.fd >= 0; i++) {
		union {
			struct cmsghdr align;
			char room[CMSG_SPACE(4 * sizeof(int))];
		} control;
		struct iovec iov = { .iov_base = k->link.buf, .iov_len = PACKET_MAX + 1 };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
				      .msg_control = control.room,
				      .msg_controllen = sizeof(control.room) };
		ssize_t n = recvmsg(k->link.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		auto_free(closep) int fd = -1;

		/* a reset says that something of ours was not read; what was sent to us still
		 * waits */
		if (n < 0 && (errno == EINTR || errno == ECONNRESET))
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS))
			return true;
		if (n <= 0) {
			supervise_hung_up(k);
			return true;
		}
		fd = received_fd(&msg);
		if (!link_dispatch(k, k->link.buf, (size_t)n, &fd))
			return false;
	}
	return true;
}
