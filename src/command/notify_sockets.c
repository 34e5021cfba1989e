/* A socket per subsystem, because its name then says who is meant, whoever sends and however soon
 * the sender ends; credentials only have to confirm it. It also keeps a flood where it belongs:
 * each turn of the loop takes a few messages from each socket, and a full one blocks its own user
 * only.
 *
 * The file belongs to the user of the subsystem and is closed to others; only that of one which
 * runs as root is open, because many a program gives up root before it says that it is ready. Such
 * a sender has to be found in its tree. */
#include "command/notify_sockets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "command/notify_sender.h"
#include "command/supervisor.h"
#include "config/store.h"
#include "core/notify.h"

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

#define MESSAGES_PER_TURN 32
#define STALE_MAX 4096		/* messages thrown away before a start */
#define TELL_PERIOD_NS (60 * NS_PER_SEC)
#define RIGHTS_MAX 253		/* SCM_MAX_FD of the kernel: descriptors that may come along */
#define CONTROL_ROOM (CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int)) + \
		      CMSG_SPACE(RIGHTS_MAX * sizeof(int)))

struct notify_socket {
	struct loop_io io;
	struct notify_sockets *owner;
	uint32_t slot;
	int fd;
	uid_t uid;
	bool opened;			/* by the core, in this life */
	bool kept;			/* the first message was taken, and still lies there */
	char *path;
	int64_t told_ns;		/* when the log last said that a stranger spoke; 0: never */
};

struct notify_sockets {
	struct supervisor *supervisor;
	int dirfd;			/* -1: not there yet */
	struct notify_socket **slots;
	uint32_t nslots;
};

static struct notify_socket *find(const struct notify_sockets *n, uint32_t slot)
{
	return slot < n->nslots ? n->slots[slot] : NULL;
}

/* --- receiving -------------------------------------------------------------------------------- */

struct received {
	char data[NOTIFY_MESSAGE_MAX + 1];
	ssize_t size;
	struct notify_sender sender;
	int fds[CONTROL_ROOM / sizeof(int)];	/* whatever the kernel found room for */
	size_t nfds;
};

static void received_fini(struct received *r)
{
	closep(&r->sender.pidfd);
	for (size_t i = 0; i < r->nfds; i++)
		close(r->fds[i]);
	r->nfds = 0;
}

static void take_control(struct msghdr *msg, struct received *r)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t size = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS && size >= sizeof(struct ucred)) {
			struct ucred cred;

			memcpy(&cred, CMSG_DATA(c), sizeof(cred));
			r->sender.pid = cred.pid;
			r->sender.uid = cred.uid;
		} else if (c->cmsg_type == SCM_PIDFD && size >= sizeof(int)) {
			memcpy(&r->sender.pidfd, CMSG_DATA(c), sizeof(int));
		} else if (c->cmsg_type == SCM_RIGHTS) {
			r->nfds = MIN(size / sizeof(int), ARRAY_LEN(r->fds));
			memcpy(r->fds, CMSG_DATA(c), r->nfds * sizeof(int));
		}
	}
}

/* False: nothing waits (any more). */
static bool receive(int fd, int flags, struct received *r)
{
	union {
		struct cmsghdr align;
		char room[CONTROL_ROOM];
	} control;
	struct iovec iov = { .iov_base = r->data, .iov_len = sizeof(r->data) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room,
			      .msg_controllen = sizeof(control.room) };

	r->sender = (struct notify_sender){ .uid = (uid_t)-1, .pidfd = -1 };
	r->nfds = 0;
	do
		r->size = recvmsg(fd, &msg, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (r->size < 0 && errno == EINTR);
	if (r->size < 0)
		return false;
	take_control(&msg, r);
	return true;
}

/* Whoever floods the log would have won, too. */
static void tell_stranger(struct notify_socket *k, const struct received *r, const char *name)
{
	int64_t now = clock_mono_ns();

	if (k->told_ns != 0 && now - k->told_ns < TELL_PERIOD_NS)
		return;
	k->told_ns = now;
	log_at(LOG_WARN, name, "a notify message from pid %d (uid %u) is ignored: that is none of its "
	       "processes", (int)r->sender.pid, (unsigned)r->sender.uid);
}

static void take_message(struct notify_socket *k, const struct received *r)
{
	struct supervisor *s = k->owner->supervisor;
	const struct record *record;
	struct notify_message m;
	char group[32];
	struct notify_subject subject = { .uid = k->uid, .slot = k->slot, .group = group };

	if (k->slot >= atomic_load(&s->records.header->nslots))
		return;
	record = record_get(&s->records, k->slot);
	records_group_get(s->records.header, group);
	if (atomic_load_explicit(&record->state, memory_order_acquire) != RECORD_FREE) {
		subject.main_pid = record->pid;
		subject.session = record_session(record);
	}
	subject.keeper_pid = s->welcome.keeper_pid;
	subject.name = record->name;
	if (!notify_sender_is_ours(&r->sender, &subject)) {
		tell_stranger(k, r, record->name);
		return;
	}
	(void)notify_parse(r->data, (size_t)r->size, &m);
	m.words |= notify_line(r->data, (size_t)r->size, &m);
	if (m.words != 0)
		core_notify(s->core, k->slot, &m);
	else
		log_at(LOG_DEBUG, record->name, "a notify message of %zd bytes says nothing",
		       r->size);
}

/* The first one goes; who waits for BARRIER=1 goes on then. */
static void remove_first(struct notify_socket *k)
{
	struct received r = { .size = 0 };

	if (receive(k->fd, 0, &r))
		received_fini(&r);
	k->kept = false;
}

/* What made it ready stays in the socket until the next turn, when that is saved: so no death of
 * the supervisor can lose it. Whoever follows takes it again, which changes nothing. */
static void read_some(struct notify_socket *k)
{
	const struct core *core = k->owner->supervisor->core;
	struct received r = { .size = 0 };

	if (k->kept)
		remove_first(k);
	for (int i = 0; i < MESSAGES_PER_TURN && !k->kept; i++) {
		bool awaited = core_awaits_notify(core, k->slot);

		if (!receive(k->fd, awaited ? MSG_PEEK : 0, &r))
			return;
		take_message(k, &r);
		received_fini(&r);
		k->kept = awaited && !core_awaits_notify(core, k->slot);
		if (awaited && !k->kept)
			remove_first(k);
	}
}

static void on_readable(struct loop_io *io, int revents)
{
	(void)revents;
	read_some(container_of(io, struct notify_socket, io));
}

static void throw_away(int fd)
{
	struct received r = { .size = 0 };

	for (int i = 0; i < STALE_MAX && receive(fd, 0, &r); i++)
		received_fini(&r);
}

/* --- the file --------------------------------------------------------------------------------- */

static int directory_open(struct notify_sockets *n)
{
	int run = n->supervisor->run_dirfd;

	if (n->dirfd >= 0)
		return 0;
	/* names are no secret; what is behind them is closed */
	if (mkdirat(run, NOTIFY_DIR, 0711) < 0 && errno != EEXIST)
		return -errno;
	n->dirfd = openat(run, NOTIFY_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (n->dirfd < 0)
		return -errno;
	return fchmod(n->dirfd, 0711) < 0 ? -errno : 0;
}

static int bind_to(int fd, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = strlen(path);

	if (len >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, len);
	return bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
}

/* Bound under its name, for K's user alone from its first moment. */
static int make_socket(const struct notify_socket *k, const char *name)
{
	const int on = 1;
	mode_t mode = k->uid == 0 ? 0666 : 0600;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int ret;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on));	/* since 6.5 */
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 || fchmod(fd, 0600) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	unlinkat(k->owner->dirfd, name, 0);
	ret = bind_to(fd, k->path);
	if (ret == 0 && (fchownat(k->owner->dirfd, name, k->uid, (gid_t)-1,
				  AT_SYMLINK_NOFOLLOW) < 0 ||
			 fchmodat(k->owner->dirfd, name, mode, 0) < 0))
		ret = -errno;
	if (ret == 0)
		return fd;
	close(fd);
	return ret;
}

/* Is the file still there, and its user the right one? */
static bool is_usable(const struct notify_socket *k, const char *name, uid_t uid)
{
	struct stat st;

	return k->fd >= 0 && k->uid == uid &&
	       fstatat(k->owner->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISSOCK(st.st_mode) && st.st_uid == uid;
}

static void drop(struct notify_socket *k)
{
	k->kept = false;
	loop_io_set(&k->io, -1, 0);
	closep(&k->fd);
	k->fd = -1;
}

static struct notify_socket *add(struct notify_sockets *n, uint32_t slot)
{
	struct notify_socket *k = x_calloc(1, sizeof(*k));

	if (slot >= n->nslots) {
		uint32_t cap = MAX(slot + 1, n->nslots * 2);

		n->slots = x_reallocarray(n->slots, cap, sizeof(struct notify_socket *));
		memset(n->slots + n->nslots, 0, (cap - n->nslots) * sizeof(struct notify_socket *));
		n->nslots = cap;
	}
	k->owner = n;
	k->slot = slot;
	k->fd = -1;
	k->uid = (uid_t)-1;
	k->path = x_asprintf("%s/" NOTIFY_DIR "/%u", n->supervisor->run_dir, slot);
	loop_io_init(&k->io, n->supervisor->loop, on_readable);
	n->slots[slot] = k;
	return k;
}

int notify_sockets_open(struct notify_sockets *n, uint32_t slot, uid_t uid, bool fresh,
			const char **path)
{
	struct notify_socket *k = find(n, slot);
	int ret = directory_open(n);
	const char *name;

	if (ret < 0)
		return ret;
	if (k == NULL)
		k = add(n, slot);
	k->opened = true;
	name = strrchr(k->path, '/') + 1;
	if (!is_usable(k, name, uid)) {
		drop(k);
		k->uid = uid;
		k->fd = make_socket(k, name);
		ret = MIN(k->fd, 0);
		keeper_hold_slot(n->supervisor->keeper, slot, k->fd);
	} else if (fresh) {
		throw_away(k->fd);
		k->kept = false;
	}
	if (ret < 0) {
		k->fd = -1;
		return ret;
	}
	loop_io_set(&k->io, k->fd, EV_READ);
	*path = k->path;
	return 0;
}

static void forget(struct notify_socket *k)
{
	drop(k);
	k->owner->slots[k->slot] = NULL;
	free(k->path);
	free(k);
}

void notify_sockets_close(struct notify_sockets *n, uint32_t slot)
{
	struct notify_socket *k = find(n, slot);

	if (k == NULL)
		return;
	keeper_hold_slot(n->supervisor->keeper, slot, -1);
	if (n->dirfd >= 0)
		unlinkat(n->dirfd, strrchr(k->path, '/') + 1, 0);
	forget(k);
}

void notify_sockets_read(struct notify_sockets *n, uint32_t slot)
{
	struct notify_socket *k = find(n, slot);

	if (k != NULL && k->fd >= 0)
		read_some(k);
}

/* --- life ------------------------------------------------------------------------------------- */

/* Whose a held socket is, its file says. */
void notify_sockets_take(struct notify_sockets *n, uint32_t slot, int fd)
{
	struct notify_socket *k = add(n, slot);
	struct stat st;

	k->fd = fd;
	if (n->dirfd >= 0 &&
	    fstatat(n->dirfd, strrchr(k->path, '/') + 1, &st, AT_SYMLINK_NOFOLLOW) == 0)
		k->uid = st.st_uid;
}

struct notify_sockets *notify_sockets_start(struct supervisor *s)
{
	struct notify_sockets *n = x_calloc(1, sizeof(*n));

	n->supervisor = s;
	n->dirfd = openat(s->run_dirfd, NOTIFY_DIR,
			  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return n;
}

/* Also names that a keeper left which was killed. */
static void sweep_names(const struct notify_sockets *n)
{
	int fd = n->dirfd >= 0 ? openat(n->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (dir == NULL) {
		closep(&fd);
		return;
	}
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		char *end;
		unsigned long slot = strtoul(e->d_name, &end, 10);

		if (e->d_name[0] == '.' ||
		    (*end == '\0' && slot < n->nslots && n->slots[slot] != NULL))
			continue;
		unlinkat(n->dirfd, e->d_name, 0);
	}
	closedir(dir);
}

void notify_sockets_sweep(struct notify_sockets *n)
{
	for (uint32_t slot = 0; slot < n->nslots; slot++)
		if (n->slots[slot] != NULL && !n->slots[slot]->opened)
			notify_sockets_close(n, slot);
		else
			notify_sockets_read(n, slot);	/* before the news of an end */
	sweep_names(n);
}

void notify_sockets_stop(struct notify_sockets *n, bool for_good)
{
	if (n == NULL)
		return;
	for (uint32_t slot = 0; slot < n->nslots; slot++) {
		if (n->slots[slot] != NULL)
			forget(n->slots[slot]);
	}
	if (for_good) {
		sweep_names(n);
		unlinkat(n->supervisor->run_dirfd, NOTIFY_DIR, AT_REMOVEDIR);
	}
	closep(&n->dirfd);
	free(n->slots);
	free(n);
}
