/* The supervisor's end of the conversation. Sends go straight to the socket while it takes them;
 * what it does not take waits here, in order. */
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

#define SETUP_TIMEOUT_NS (10 * NS_PER_SEC)
#define LEAVE_TIMEOUT_NS (2 * NS_PER_SEC)
#define FACTS_PER_TURN 128

struct packet {
	struct list link;
	int fd;			/* travels along; -1: none */
	size_t size;
	char bytes[];
};

struct held {
	uint32_t slot;
	int fd;
};

struct keeper_client {
	int fd;
	struct held *held;	/* not yet taken */
	uint32_t nheld;
	struct ev_loop *loop;
	struct loop_io io;
	struct list queue;
	size_t packet_max;
	const struct keeper_facts *facts;
	void *ctx;
};

/* --- sending ---------------------------------------------------------------------------------- */

/* Is a packet to be sent later? Any other failure is the keeper's end, or as good as it:
 * something is lost, and only a new beginning, from the records, makes that good. The reading
 * side starts it. */
static bool later(const struct keeper_client *k, int err)
{
	if (err == 0 || err == -EAGAIN)
		return err != 0;
	/* not by the log thread: what follows from it may be quicker */
	dprintf(STDERR_FILENO, "procd: cannot talk to the keeper: %s\n", strerror(-err));
	shutdown(k->fd, SHUT_RDWR);
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

static void client_send(struct keeper_client *k, const void *head, size_t head_size,
			const void *tail, size_t tail_size, int fd)
{
	const struct outgoing o = { .head = head, .head_size = head_size, .tail = tail,
				    .tail_size = tail_size, .fds = &fd, .nfds = fd >= 0 };
	struct packet *p;

	if (list_empty(&k->queue) && !later(k, packet_send(k->fd, &o)))
		return;
	p = x_malloc(sizeof(*p) + head_size + tail_size);
	p->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	p->size = head_size + tail_size;
	memcpy(p->bytes, head, head_size);
	if (tail_size > 0)
		memcpy(p->bytes + head_size, tail, tail_size);
	list_init(&p->link);
	list_append(&k->queue, &p->link);
	watch(k);
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
		.then_cont = then_cont,
	};

	client_send(k, &m, sizeof(m), NULL, 0, -1);
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
	struct km_slot m = {
		.h = { KM_RELEASE, sizeof(m) },
		.slot = slot,
		.spawn_id = spawn_id,
	};

	client_send(k, &m, sizeof(m), NULL, 0, -1);
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

void keeper_ready(struct keeper_client *k)
{
	const struct km_header m = { KM_READY, sizeof(m) };

	client_send(k, &m, sizeof(m), NULL, 0, -1);
}

static void flush_last(struct keeper_client *k)
{
	int64_t until = clock_mono_ns() + LEAVE_TIMEOUT_NS;

	while (!queue_flush(k) && clock_mono_ns() < until) {
		struct pollfd p = { .fd = k->fd, .events = POLLOUT };

		poll(&p, 1, 50);
	}
}

void keeper_leave(struct keeper_client *k, int exit_code)
{
	struct km_leave m = { .h = { KM_LEAVE, sizeof(m) }, .exit_code = exit_code };

	client_send(k, &m, sizeof(m), NULL, 0, -1);
	flush_last(k);
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

/* Receive one message of at most SIZE, with its descriptors. Its length, 0 at the end, or -errno. */
static ssize_t receive(int fd, void *at, size_t size, int flags, int fds[PACKET_MAX_FDS], int *nfds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * PACKET_MAX_FDS)];
	} control;
	struct iovec iov = { .iov_base = at, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *c;
	ssize_t got;

	*nfds = 0;
	do
		got = recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&msg);
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		*nfds = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), (size_t)*nfds * sizeof(int));
	}
	return got;
}

static void taken(struct keeper_client *k, int signo)
{
	struct km_forward m = { .h = { KM_TAKEN, sizeof(m) }, .signo = signo };

	client_send(k, &m, sizeof(m), NULL, 0, -1);
}

static void pong(struct keeper_client *k)
{
	const struct km_header m = { KM_PONG, sizeof(m) };

	client_send(k, &m, sizeof(m), NULL, 0, -1);
}

static void deliver(struct keeper_client *k, const union fact *m, const int *fds, int nfds)
{
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
	case KM_PING:
		pong(k);
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
		ssize_t n = receive(k->fd, &m, sizeof(m), MSG_DONTWAIT, fds, &nfds);

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

/* --- the conversation's beginning ------------------------------------------------------------- */

static int explain(const struct km_welcome *w, const struct km_setup *setup, struct error *e)
{
	switch ((enum setup_stage)w->stage) {
	case SETUP_OK:
		return 0;
	case SETUP_LOCKED:
		error_set(e, ERROR_RUNTIME_LOCK, 0,
			  "already running: run directory %s is held by pid %d; stop it with "
			  "`procd shutdown`, or give this instance another name or run_dir",
			  setup->run_dir, w->holder_pid);
		return EXIT_ALREADY_RUNNING;
	case SETUP_RUN_DIR_UNSAFE:
		error_set(e, ERROR_IO_PERMISSION, w->errnum,
			  "run directory %s cannot be trusted: it must be a directory (no symbolic "
			  "link) of your own that nobody else can write to", setup->run_dir);
		return EXIT_PERMISSION;
	case SETUP_PID_FILE:
		error_set(e, ERROR_IO, 0, "cannot write pid file %s: %s", setup->pid_file,
			  file_refusal(-w->errnum));
		return EXIT_CANNOT_CREATE;
	case SETUP_RUN_DIR:
	case SETUP_LOCK:
	case SETUP_RECORDS:
		error_set(e, ERROR_IO, w->errnum, "cannot create %s in run directory %s; choose "
			  "another with run_dir", w->stage == SETUP_LOCK ? "the lock" :
			  w->stage == SETUP_RECORDS ? "the records" : "or enter the place",
			  setup->run_dir);
		return w->errnum == EACCES || w->errnum == EPERM ? EXIT_PERMISSION
								 : EXIT_CANNOT_CREATE;
	case SETUP_MOVED:
		error_set(e, ERROR_CONFIG_INVALID, 0, "run_dir became %s while procd was running; "
			  "that needs a restart of procd", setup->run_dir);
		return EXIT_CONFIG;
	case SETUP_VERSION:
		break;
	}
	error_set(e, ERROR_PLATFORM, 0, "the keeper speaks another version of the protocol");
	return EXIT_OS;
}

static int answer_wait(int fd, struct error *e)
{
	int64_t until = clock_mono_ns() + SETUP_TIMEOUT_NS;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = until - clock_mono_ns();

		if (left > 0 && poll(&p, 1, (int)(left / NS_PER_MS) + 1) > 0)
			return 0;
		if (left <= 0) {
			error_set(e, ERROR_TIMEOUT, 0, "the keeper does not answer");
			return EXIT_OS;
		}
	}
}

/* Receive a message of SIZE with its descriptors; returns their number, or -errno. */
static int answer_receive(int fd, void *answer, size_t size, int fds[PACKET_MAX_FDS])
{
	int nfds;
	ssize_t got = receive(fd, answer, size, 0, fds, &nfds);

	if (got < 0)
		return (int)got;
	return got == (ssize_t)size ? nfds : -EPROTO;
}

static int welcome_receive(int fd, struct km_welcome *w, int fds[PACKET_MAX_FDS])
{
	int n = answer_receive(fd, w, sizeof(*w), fds);

	if (n >= 0 && (w->h.type != KM_WELCOME || w->nheld > HOLD_MAX ||
		       w->nheld_slots > RECORDS_MAX_SLOTS))
		return -EPROTO;
	return n;
}

/* What the keeper holds for slots, behind WELCOME. 0, or the exit code with *E set. */
static int held_receive(struct keeper_client *k, uint32_t total, struct error *e)
{
	k->held = x_calloc(total + 1, sizeof(*k->held));
	while (k->nheld < total) {
		int fds[PACKET_MAX_FDS], n, rc = answer_wait(k->fd, e);
		struct km_held m;

		if (rc != 0)
			return rc;
		n = answer_receive(k->fd, &m, sizeof(m), fds);
		if (n <= 0 || m.h.type != KM_HELD || m.n != (uint32_t)n ||
		    m.n > total - k->nheld) {
			error_set(e, ERROR_RUNTIME_SPAWN, n < 0 ? -n : 0,
				  "cannot read what the keeper holds");
			return EXIT_OS;
		}
		for (uint32_t i = 0; i < m.n; i++)
			k->held[k->nheld++] = (struct held){ m.slots[i], fds[i] };
	}
	return 0;
}

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
	struct keeper_client *k;
	int fds[PACKET_MAX_FDS], n, rc;
	ssize_t sent;

	do
		sent = send(fd, setup, sizeof(*setup), MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent != (ssize_t)sizeof(*setup)) {
		error_set(e, ERROR_RUNTIME_SPAWN, errno, "cannot talk to the keeper");
		return EXIT_OS;
	}
	rc = answer_wait(fd, e);
	if (rc != 0)
		return rc;
	n = welcome_receive(fd, welcome, fds);
	if (n < 0 || (welcome->stage == SETUP_OK && n != (int)(2 + welcome->nheld))) {
		error_set(e, ERROR_RUNTIME_SPAWN, n < 0 ? -n : 0,
			  "cannot read the keeper's answer");
		return EXIT_OS;
	}
	rc = explain(welcome, setup, e);
	if (rc != 0)
		return rc;
	*run_dirfd = fds[0];
	memcpy(held_fds, fds + 2, welcome->nheld * sizeof(int));
	rc = records_map(records, fds[1]);
	if (rc < 0) {
		error_set(e, ERROR_RESOURCE_MEMORY, -rc, "cannot map the records");
		return EXIT_OS;
	}
	k = x_calloc(1, sizeof(*k));
	k->fd = fd;
	k->packet_max = packet_max(fd);
	list_init(&k->queue);
	rc = held_receive(k, welcome->nheld_slots, e);
	if (rc != 0) {
		keeper_client_free(k);
		return rc;
	}
	*out = k;
	return 0;
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
	close(k->fd);
	free(k);
}
