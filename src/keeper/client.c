/* The supervisor's end of the conversation. Sends go straight to the socket while it takes them;
 * what it does not take waits here, in order. That a record may be reused is never urgent: it is
 * kept back until something else is said, or until the end of the turn, and wakes the keeper only
 * once. */
#include "keeper/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "keeper/packet.h"
#include "keeper/setup.h"

#define LEAVE_TIMEOUT_NS (2 * NS_PER_SEC)
#define FACTS_PER_TURN 128
#define RELEASED_MAX (PACKETS_AT_ONCE - 1)

struct packet {
	struct list link;
	int fd;			/* travels along; -1: none */
	size_t size;
	char bytes[];
};

struct keeper_client {
	int fd;
	struct held_slot *held;	/* not yet taken */
	uint32_t nheld;
	struct ev_loop *loop;
	struct loop_io io;
	struct list queue;
	size_t packet_max;
	struct km_slot released[RELEASED_MAX];	/* kept back */
	unsigned int nreleased;
	bool owes;		/* news came, and nothing was said since */
	bool ending;		/* SIGNAL_LAST */
	bool broken;		/* something could not be said: the keeper will never hear it */
	const struct keeper_facts *facts;
	void *ctx;
};

/* --- sending ---------------------------------------------------------------------------------- */

/* Is a packet to be sent later? Any other failure is the keeper's end, or as good as it:
 * something is lost, and only a new beginning, from the records, makes that good. The reading
 * side starts it. */
static bool later(struct keeper_client *k, int err)
{
	if (err == 0 || err == -EAGAIN)
		return err != 0;
	/* not by the log thread: what follows from it may be quicker */
	dprintf(STDERR_FILENO, "procd: cannot talk to the keeper: %s\n", strerror(-err));
	shutdown(k->fd, SHUT_RDWR);
	k->broken = true;
	return false;
}

/* A plan may hold secrets. */
static void packet_free(struct packet *p)
{
	explicit_bzero(p->bytes, p->size);
	closep(&p->fd);
	free(p);
}

/* Send what waits. True when nothing is left. */
static bool queue_flush(struct keeper_client *k)
{
	while (!list_empty(&k->queue)) {
		struct packet *p = list_entry(k->queue.next, struct packet, link);

		struct outgoing o = { .head = p->bytes, .head_size = p->size, .fds = &p->fd,
				      .nfds = p->fd >= 0 };

		if (later(k, packet_send(k->fd, &o)))
			return false;
		list_remove(&p->link);
		packet_free(p);
	}
	return true;
}

static void watch(struct keeper_client *k)
{
	if (k->loop)
		loop_io_set(&k->io, k->fd,
			    list_empty(&k->queue) ? EV_READ : EV_READ | EV_WRITE);
}

static void enqueue(struct keeper_client *k, const struct outgoing *o)
{
	struct packet *p = x_malloc(sizeof(*p) + o->head_size + o->tail_size);

	p->fd = o->nfds > 0 ? fcntl(o->fds[0], F_DUPFD_CLOEXEC, 0) : -1;
	p->size = o->head_size + o->tail_size;
	memcpy(p->bytes, o->head, o->head_size);
	if (o->tail_size > 0)
		memcpy(p->bytes + o->head_size, o->tail, o->tail_size);
	list_init(&p->link);
	list_append(&k->queue, &p->link);
}

/* N is one more than was kept back at most: room for that. */
static void send_or_enqueue(struct keeper_client *k, const struct outgoing *o, unsigned int n)
{
	int sent = 0;

	k->owes = false;
	if (list_empty(&k->queue)) {
		sent = packets_send(k->fd, o, n);
		if (sent < 0 && !later(k, sent))
			return;
	}
	if (sent == (int)n)
		return;
	for (unsigned int i = (unsigned int)MAX(sent, 0); i < n; i++)
		enqueue(k, &o[i]);
	watch(k);
}

/* What was kept back, then LAST unless it is NULL. */
static void say(struct keeper_client *k, const struct outgoing *last)
{
	struct outgoing o[PACKETS_AT_ONCE];
	unsigned int n = 0;

	while (n < k->nreleased) {
		o[n] = (struct outgoing){ .head = &k->released[n],
					  .head_size = sizeof(k->released[n]) };
		n++;
	}
	k->nreleased = 0;
	if (last != NULL)
		o[n++] = *last;
	if (n > 0)
		send_or_enqueue(k, o, n);
}

static void client_send(struct keeper_client *k, const void *head, size_t head_size,
			const void *tail, size_t tail_size, int fd)
{
	say(k, &(struct outgoing){ .head = head, .head_size = head_size, .tail = tail,
				   .tail_size = tail_size, .fds = &fd, .nfds = fd >= 0 });
}

int keeper_spawn(struct keeper_client *k, uint32_t slot, uint64_t spawn_id, const void *plan,
		 size_t plan_size)
{
	struct km_slot m = {
		.h = { KM_SPAWN, (uint32_t)(sizeof(m) + plan_size) },
		.slot = slot,
		.spawn_id = spawn_id,
	};

	if (plan_size > PLAN_MAX || m.h.size > k->packet_max)
		return -E2BIG;
	client_send(k, &m, sizeof(m), plan, plan_size, -1);
	return 0;
}

void keeper_signal(struct keeper_client *k, uint32_t slot, uint64_t spawn_id, int signo,
		   enum signal_scope scope, bool then_cont)
{
	struct km_signal m = {
		.h = { KM_SIGNAL, sizeof(m) },
		.slot = slot,
		.signo = signo,
		.spawn_id = spawn_id,
		.scope = scope,
		.flags = (then_cont ? SIGNAL_THEN_CONT : 0) | (k->ending ? SIGNAL_LAST : 0),
	};

	client_send(k, &m, sizeof(m), NULL, 0, -1);
}

void keeper_ending(struct keeper_client *k)
{
	k->ending = true;
}

void keeper_follow(struct keeper_client *k, uint32_t slot, uint64_t spawn_id, pid_t pid)
{
	struct km_main m = {
		.h = { KM_FOLLOW, sizeof(m) },
		.slot = slot,
		.pid = pid,
		.spawn_id = spawn_id,
	};

	client_send(k, &m, sizeof(m), NULL, 0, -1);
}

void keeper_fetch(struct keeper_client *k, uint32_t slot, uint64_t spawn_id, uint32_t count)
{
	struct km_fetch m = {
		.h = { KM_FETCH, sizeof(m) },
		.slot = slot,
		.count = count,
		.spawn_id = spawn_id,
	};

	client_send(k, &m, sizeof(m), NULL, 0, -1);
}

void keeper_release(struct keeper_client *k, uint32_t slot, uint64_t spawn_id)
{
	if (k->nreleased == RELEASED_MAX)
		say(k, NULL);
	k->released[k->nreleased++] = (struct km_slot){
		.h = { KM_RELEASE, sizeof(k->released[0]) },
		.slot = slot,
		.spawn_id = spawn_id,
	};
}

void keeper_hold(struct keeper_client *k, const char *key, int fd)
{
	struct km_hold m = { .h = { KM_HOLD, sizeof(m) } };

	snprintf(m.key, sizeof(m.key), "%s", key);
	client_send(k, &m, sizeof(m), NULL, 0, fd);
}

void keeper_hold_slot(struct keeper_client *k, uint32_t slot, int fd)
{
	struct km_slot m = { .h = { KM_HOLD_SLOT, sizeof(m) }, .slot = slot };

	client_send(k, &m, sizeof(m), NULL, 0, fd);
}

static void send_word(struct keeper_client *k, enum keeper_msg_type word)
{
	const struct km_header m = { word, sizeof(m) };

	client_send(k, &m, sizeof(m), NULL, 0, -1);
}

void keeper_ready(struct keeper_client *k)
{
	send_word(k, KM_READY);
}

void keeper_settled(struct keeper_client *k)
{
	send_word(k, KM_SETTLED);
}

void keeper_turn_ends(struct keeper_client *k)
{
	if (k->nreleased > 0)
		say(k, NULL);
	else if (k->owes)
		send_word(k, KM_HEARD);
}

static void flush_last(struct keeper_client *k)
{
	int64_t until = clock_mono_ns() + LEAVE_TIMEOUT_NS;

	while (!queue_flush(k) && clock_mono_ns() < until) {
		struct pollfd p = { .fd = k->fd, .events = POLLOUT };

		poll(&p, 1, 50);
	}
}

bool keeper_leave(struct keeper_client *k, int exit_code)
{
	struct km_leave m = { .h = { KM_LEAVE, sizeof(m) }, .exit_code = exit_code };

	client_send(k, &m, sizeof(m), NULL, 0, -1);
	flush_last(k);
	return !k->broken && list_empty(&k->queue);
}

void keeper_yield(struct keeper_client *k, int exe, const char *path, bool keeper_too)
{
	struct km_upgrade m = { .h = { KM_UPGRADE, sizeof(m) }, .keeper = keeper_too };

	snprintf(m.exe, sizeof(m.exe), "%s", path);
	client_send(k, &m, sizeof(m), NULL, 0, exe);
	flush_last(k);
}

/* --- receiving -------------------------------------------------------------------------------- */

union fact {
	struct km_header h;
	struct km_started started;
	struct km_exited exited;
	struct km_slot slot;
	struct km_main main;
	struct km_fetched fetched;
	struct km_forward forward;
};

static void taken(struct keeper_client *k, int signo)
{
	struct km_forward m = { .h = { KM_TAKEN, sizeof(m) }, .signo = signo };

	client_send(k, &m, sizeof(m), NULL, 0, -1);
}

static void deliver(struct keeper_client *k, const union fact *m, const int *fds, int nfds)
{
	k->owes = true;
	if (m->h.type == KM_FETCHED && m->fetched.n == (uint32_t)nfds) {
		k->facts->fetched(k->ctx, &m->fetched, fds);
		return;
	}
	while (nfds > 0)
		close(fds[--nfds]);
	switch (m->h.type) {
	case KM_STARTED:
		k->facts->started(k->ctx, &m->started);
		break;
	case KM_EXITED:
		k->facts->exited(k->ctx, &m->exited);
		break;
	case KM_MAIN:
		k->facts->main(k->ctx, &m->main);
		break;
	case KM_GONE:
		k->facts->gone(k->ctx, m->slot.slot, m->slot.spawn_id);
		break;
	case KM_FETCHED:	/* there was no room for what came with it */
		break;
	case KM_FORWARD:
		k->facts->signal(k->ctx, m->forward.signo);
		taken(k, m->forward.signo);
		break;
	default:
		log_warn("unknown message %u from the keeper", m->h.type);
	}
}

static void on_socket(struct loop_io *io, int revents)
{
	struct keeper_client *k = container_of(io, struct keeper_client, io);

	if (revents & EV_WRITE)
		queue_flush(k);
	for (int i = 0; i < FACTS_PER_TURN; i++) {
		union fact m;
		int fds[PACKET_MAX_FDS], nfds;
		ssize_t n = packet_receive(k->fd, &m, sizeof(m), MSG_DONTWAIT, fds, &nfds);

		/* a reset is said once, before what still waits and the end */
		if (n == -ECONNRESET)
			continue;
		if (n == -EAGAIN || n == -ENOMEM || n == -ENOBUFS)
			break;
		if (n < (ssize_t)sizeof(m.h)) {
			if (n < 0)
				dprintf(STDERR_FILENO, "procd: cannot read what the keeper says: "
					"%s\n", strerror((int)-n));
			loop_io_set(&k->io, -1, 0);	/* said once */
			k->facts->lost(k->ctx);
			return;
		}
		deliver(k, &m, fds, nfds);
	}
	watch(k);
}

/* --- life ------------------------------------------------------------------------------------- */

int keeper_take_held(struct keeper_client *k, uint32_t *slot)
{
	if (k->nheld == 0)
		return -1;
	k->nheld--;
	*slot = k->held[k->nheld].slot;
	return k->held[k->nheld].fd;
}

/* Where procd may not enlarge its socket's buffer, a plan may not fit. */
static size_t packet_max(int fd)
{
	const size_t overhead = 64;	/* the kernel takes its own part of the buffer */
	int size = 0;
	socklen_t len = sizeof(size);

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len) < 0 || size <= (int)overhead)
		return SIZE_MAX;
	return (size_t)size - overhead;
}

int keeper_client_open(struct keeper_client **out, int fd, const struct km_setup *setup,
		       struct km_welcome *welcome, int *run_dirfd, struct records *records,
		       int held_fds[HOLD_MAX], struct error *e)
{
	struct keeper_client *k = x_calloc(1, sizeof(*k));
	struct setup_answer a = { .nheld = 0 };
	int rc = setup_converse(fd, setup, &a, e), err = 0;

	*welcome = a.welcome;
	k->fd = rc == 0 ? fd : -1;
	k->packet_max = packet_max(fd);
	k->held = a.held;
	k->nheld = a.nheld;
	list_init(&k->queue);
	if (rc == 0) {
		*run_dirfd = a.fds[0];
		memcpy(held_fds, a.fds + 2, welcome->nheld * sizeof(int));
		err = records_map(records, a.fds[1]);
	}
	if (err < 0) {
		error_set(e, ERROR_RESOURCE_MEMORY, -err, "cannot map the records");
		rc = EXIT_OS;
	}
	if (rc == 0)
		*out = k;
	else
		keeper_client_free(k);
	return rc;
}

void keeper_client_start(struct keeper_client *k, struct ev_loop *loop,
			 const struct keeper_facts *facts, void *ctx)
{
	k->loop = loop;
	k->facts = facts;
	k->ctx = ctx;
	loop_io_init(&k->io, loop, on_socket);
	watch(k);
}

void keeper_client_free(struct keeper_client *k)
{
	if (!k)
		return;
	if (k->loop)
		loop_io_set(&k->io, -1, 0);
	while (!list_empty(&k->queue)) {
		struct packet *p = list_entry(list_pop(&k->queue), struct packet, link);

		packet_free(p);
	}
	while (k->nheld > 0)
		close(k->held[--k->nheld].fd);
	free(k->held);
	closep(&k->fd);
	free(k);
}
