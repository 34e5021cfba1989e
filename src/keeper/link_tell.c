/* Facts out.
 *
 * A fact is never queued as a message: the slot remembers that something is untold, and the message
 * is written from the record when the socket takes it. So nothing has to be stored, nothing can
 * overflow, and a fact that changed meanwhile is told as it is now. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper/inner.h"
#include "keeper/packet.h"

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

/* Of the FIFOs that it wrote to: its slot's, or another's. */
static bool nothing_waits(const struct keeper *k, const struct record *r, uint32_t slot)
{
	uint32_t from = r->capture_of != 0 ? r->capture_of - 1 : slot;

	return from < k->records.header->nslots && fifos_empty(slot_get(&k->slots, from));
}

static bool tell_exited(struct keeper *k, uint32_t slot)
{
	const struct record *r = record_get(&k->records, slot);
	struct slot *own = slot_get(&k->slots, slot);
	struct km_exited m = {
		.h = { KM_EXITED, sizeof(m) }, .slot = slot, .pid = r->pid,
		.spawn_id = r->spawn_id, .at_mono_ns = r->exited_mono_ns,
		.wait_status = r->wait_status, .tree_left = own->tree_left,
		.fifos_empty = nothing_waits(k, r, slot),
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
	if (told)
		heartbeat_wait(k);
	if (k->link.want_write) {
		k->link.want_write = false;
		epoll_ctl(k->epfd, EPOLL_CTL_MOD, k->link.fd, &ev);
	}
}
