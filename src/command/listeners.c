/* The file of a unix socket is as if its user had bound it: that owner, and the mode that its umask
 * leaves. The mode is there from the first moment; the owner is changed through a descriptor of the
 * file itself, looked at before, because the directory may belong to others, who can put any name in
 * its place. Source: unix(7), systemd.socket(5), sd_listen_fds(3). */
#include "command/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/own.h"
#include "base/workers.h"
#include "command/connections.h"
#include "command/supervisor.h"
#include "config/listen.h"

#define DEFAULT_UMASK 022	/* where neither the options nor procd's start say another */

struct listening {
	struct list link;
	struct listeners *owner;
	struct loop_io io;
	uint32_t slot;
	int fd;
	struct listen_address address;	/* with the port that the kernel chose */
	dev_t dev;			/* of its file */
	ino_t ino;
};

struct listeners {
	struct supervisor *supervisor;
	struct list all;
	mode_t umask;
};

struct listeners *listeners_new(struct supervisor *s)
{
	struct listeners *l = x_calloc(1, sizeof(*l));

	l->supervisor = s;
	list_init(&l->all);
	l->umask = umask(DEFAULT_UMASK);
	umask(l->umask);
	return l;
}

static bool same_file(const struct listening *k, const struct stat *st)
{
	return S_ISSOCK(st->st_mode) && st->st_dev == k->dev && st->st_ino == k->ino;
}

static void unlink_file(const struct listening *k)
{
	const char *path = listen_path(&k->address);
	struct stat st;

	if (path != NULL && lstat(path, &st) == 0 && same_file(k, &st))
		unlink(path);
}

static void drop(struct listening *k)
{
	list_remove(&k->link);
	loop_io_set(&k->io, -1, 0);
	close(k->fd);
	free(k);
}

void listeners_free(struct listeners *l, bool for_good)
{
	struct list *item;

	if (l == NULL)
		return;
	while (!list_empty(&l->all)) {
		item = l->all.next;
		if (for_good)
			unlink_file(list_entry(item, struct listening, link));
		drop(list_entry(item, struct listening, link));
	}
	free(l);
}

static bool read_address(int fd, struct listen_address *a)
{
	socklen_t len = sizeof(a->type);

	a->len = sizeof(a->addr);
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &a->type, &len) == 0 &&
	       getsockname(fd, &a->addr.any, &a->len) == 0;
}

/* Who connected waits in the backlog; nobody is accepted here. */
static void on_connection(struct loop_io *io, int revents)
{
	struct listening *k = container_of(io, struct listening, io);

	(void)revents;
	loop_io_set(io, k->fd, 0);
	core_connection(k->owner->supervisor->core, k->slot);
}

static struct listening *add(struct listeners *l, uint32_t slot, int fd)
{
	struct listening *k = x_calloc(1, sizeof(*k));
	struct stat st;

	k->owner = l;
	k->slot = slot;
	k->fd = fd;
	loop_io_init(&k->io, l->supervisor->loop, on_connection);
	if (!read_address(fd, &k->address))
		k->address.len = 0;
	if (k->address.len > 0 && listen_path(&k->address) != NULL &&
	    lstat(listen_path(&k->address), &st) == 0) {
		k->dev = st.st_dev;
		k->ino = st.st_ino;
	}
	list_append(&l->all, &k->link);
	return k;
}

bool listeners_take(struct listeners *l, uint32_t slot, int fd)
{
	struct listen_address a;

	if (!read_address(fd, &a) || (a.addr.any.sa_family == AF_UNIX && a.type == SOCK_DGRAM))
		return false;
	add(l, slot, fd);
	return true;
}

void listeners_tell(struct listeners *l)
{
	struct supervisor *s = l->supervisor;

	list_for_each(item, &l->all) {
		struct listening *k = list_entry(item, struct listening, link);
		auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

		listen_format(&k->address, &text);
		if (!core_socket_held(s->core, k->slot, text.buf))
			listeners_close(l, k->slot);
	}
}

/* The process could have put anything there: what counts is where it listens. 1, 0: it does not, or
 * -errno. */
static int listens_on(int fd, struct strbuf *text)
{
	struct listen_address a;
	int accepting = 0;
	socklen_t len = sizeof(accepting);

	if (!read_address(fd, &a) ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &len) < 0)
		return -errno;
	switch (a.addr.any.sa_family) {
	case AF_INET:
	case AF_INET6:
		if (!accepting && a.type != SOCK_DGRAM)
			return 0;
		break;
	case AF_UNIX:
		if (!accepting)
			return 0;
		break;
	default:
		return 0;
	}
	listen_format(&a, text);
	return 1;
}

void listeners_fetched(struct listeners *l, const struct km_fetched *m, const int *fds)
{
	struct supervisor *s = l->supervisor;
	int errnum = m->errnum;
	uint32_t slot;

	for (uint32_t i = 0; i < m->n; i++) {
		auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
		int r = listens_on(fds[i], &text);

		if (r < 0)
			errnum = -r;
		if (r <= 0 ||
		    !core_socket_found(s->core, m->slot, m->spawn_id, m->at[i], text.buf, &slot)) {
			close(fds[i]);
			continue;
		}
		keeper_hold_slot(s->keeper, slot, fds[i]);
		add(l, slot, fds[i]);
	}
	core_sockets_found(s->core, m->slot, m->spawn_id, errnum);
}

/* --- binding ---------------------------------------------------------------------------------- */

/* Does somebody listen there? A file that nobody listens on any more is removed. 0 or -errno. */
static int clear_path(const struct listen_address *a)
{
	auto_free(closep) int fd = socket(AF_UNIX, a->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const char *path = listen_path(a);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	if (connect(fd, &a->addr.any, a->len) == 0 || errno == EAGAIN)
		return -EADDRINUSE;
	if (errno == ECONNREFUSED && unlink(path) < 0)
		return -errno;
	return errno == ECONNREFUSED || errno == ENOENT ? 0 : -errno;
}

/* Where it is the file that was just made, and nothing that was put there. */
static int give_away(const char *path, uid_t uid, gid_t gid)
{
	auto_free(closep) int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid == uid && st.st_gid == gid)
		return 0;
	if (!S_ISSOCK(st.st_mode) || st.st_nlink != 1 || st.st_uid != geteuid())
		return -EPERM;
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int bind_file(const struct listeners *l, int fd, const struct listen_address *a,
		     const struct subsystem_options *o)
{
	mode_t mask = o->rights->umask >= 0 ? (mode_t)o->rights->umask : l->umask, before;
	int r = clear_path(a);

	if (r < 0)
		return r;
	if (fchmod(fd, 0777 & ~mask) < 0)
		return -errno;
	/* the whole process has one; all that the other threads make has its mode said outright */
	before = umask(0);
	r = bind(fd, &a->addr.any, a->len) < 0 ? -errno : 0;
	umask(before);
	if (r < 0 || !o->rights->set_ids)
		return r;
	r = give_away(listen_path(a), o->rights->uid, o->rights->gid);
	if (r < 0)
		unlink(listen_path(a));
	return r;
}

static int bind_socket(const struct listeners *l, int fd, const struct listen_address *a,
		       const struct subsystem_options *o)
{
	const int on = 1;
	int r = 0;

	if (a->addr.any.sa_family != AF_UNIX && a->type == SOCK_STREAM &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (listen_path(a) != NULL)
		r = bind_file(l, fd, a, o);
	else if (bind(fd, &a->addr.any, a->len) < 0)
		r = -errno;
	if (r == 0 && a->type == SOCK_STREAM && listen(fd, SOMAXCONN) < 0)
		r = -errno;
	return r;
}

int listeners_open(struct listeners *l, uint32_t slot, const char *address,
		   const struct subsystem_options *o)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct listen_address a;
	int fd, r;

	if (listen_parse(address, &a, &text) < 0)
		return -EINVAL;
	fd = socket(a.addr.any.sa_family, a.type | SOCK_CLOEXEC, 0);
	r = fd < 0 ? -errno : bind_socket(l, fd, &a, o);
	if (r < 0) {
		closep(&fd);
		return r;
	}
	keeper_hold_slot(l->supervisor->keeper, slot, fd);
	listen_format(&add(l, slot, fd)->address, &text);
	log_at(LOG_INFO, o->name, "listens on %s", text.buf);
	if (l->supervisor->control != NULL && strcmp(o->name, OWN_SUBSYSTEM) == 0)
		control_reconfigured(l->supervisor->control);	/* it can be reached now */
	return 0;
}

void listeners_close(struct listeners *l, uint32_t slot)
{
	list_for_each(item, &l->all) {
		struct listening *k = list_entry(item, struct listening, link);

		if (k->slot != slot)
			continue;
		keeper_hold_slot(l->supervisor->keeper, slot, -1);
		unlink_file(k);
		drop(k);
	}
}

void listeners_await(struct listeners *l, uint32_t slot, bool on)
{
	list_for_each(item, &l->all) {
		struct listening *k = list_entry(item, struct listening, link);

		if (k->slot == slot)
			loop_io_set(&k->io, k->fd, on ? EV_READ : 0);
	}
}

static const struct listening *find(const struct listeners *l, uint32_t slot)
{
	list_for_each(item, &l->all) {
		const struct listening *k = list_entry(item, struct listening, link);

		if (k->slot == slot)
			return k;
	}
	return NULL;
}

/* --- connections -------------------------------------------------------------------------------- */

struct look {
	struct work work;
	uint32_t slot;		/* the subsystem's */
	uint64_t id;
	bool connected;
	size_t n;
	struct listen_address addresses[];
};

/* The kernel writes a line for each socket that there is, which can be a great many. */
static void run_look(struct work *w)
{
	struct look *k = container_of(w, struct look, work);

	for (size_t i = 0; i < k->n && !k->connected; i++)
		k->connected = connections_any(&k->addresses[i]) != 0;
}

static void drop_look(struct work *w)
{
	free(container_of(w, struct look, work));
}

static void on_looked(struct work *w, void *ctx)
{
	const struct supervisor *s = ctx;
	const struct look *k = container_of(w, struct look, work);

	core_looked(s->core, k->slot, k->id, k->connected);
	drop_look(w);
}

bool listeners_look(const struct listeners *l, const uint32_t *sockets, size_t n, uint32_t slot,
		    uint64_t id)
{
	struct look *k = x_calloc(1, sizeof(*k) + n * sizeof(k->addresses[0]));

	k->work = (struct work){ .run = run_look, .done = on_looked, .drop = drop_look };
	k->slot = slot;
	k->id = id;
	for (size_t i = 0; i < n; i++) {
		const struct listening *found = find(l, sockets[i]);

		if (found != NULL)
			k->addresses[k->n++] = found->address;
	}
	if (workers_ask(l->supervisor->workers, &k->work) == 0)
		return true;
	drop_look(&k->work);
	return false;
}
