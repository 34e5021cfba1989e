/* What is no file is bound at once. A file may be on whatever disk: it is made, looked at and
 * removed by a thread of its own, the binder. Source: systemd.socket(5), sd_listen_fds(3). */
#include "command/listeners.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/own.h"
#include "base/workers.h"
#include "command/connections.h"
#include "command/socket_file.h"
#include "command/supervisor.h"

#define DEFAULT_UMASK 022	/* where neither the options nor procd's start say another */

struct listening {
	struct list link;
	struct listeners *owner;
	struct loop_io io;
	uint32_t slot;
	int fd;
	bool binding;			/* the binder is at it */
	bool awaited;			/* BINDING: as soon as it is there */
	bool dropped;			/* BINDING: nobody wants it any more, and FD is the binder's */
	char *name;			/* BINDING: of the subsystem */
	struct listen_address address;	/* with the port that the kernel chose */
	struct socket_file *file;	/* NULL: it has none, or that is the binder's to free */
};

struct listeners {
	struct supervisor *supervisor;
	struct list all;
	mode_t umask;
	struct workers *binder;		/* one thread: what is asked of it is done in order */
};

struct listeners *listeners_new(struct supervisor *s)
{
	struct listeners *l = x_calloc(1, sizeof(*l));

	l->supervisor = s;
	list_init(&l->all);
	l->umask = umask(DEFAULT_UMASK);
	umask(l->umask);
	l->binder = workers_new("procd-binder", &s->works, 1);
	return l;
}

static void drop(struct listening *k)
{
	list_remove(&k->link);
	loop_io_set(&k->io, -1, 0);
	closep(&k->fd);
	free(k->name);
	free(k->file);
	free(k);
}

void listeners_stop(struct listeners *l)
{
	if (l != NULL)
		workers_free(take(l->binder));
}

void listeners_free(struct listeners *l, bool for_good)
{
	struct listening *k;
	struct list *item;

	if (l == NULL)
		return;
	listeners_stop(l);
	while (!list_empty(&l->all)) {
		item = l->all.next;
		k = list_entry(item, struct listening, link);
		if (k->binding)		/* the binder hangs: what it has stays its own */
			k->file = NULL;
		else if (for_good && k->file != NULL)
			socket_file_remove(k->file, &k->address);
		drop(k);
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

/* --- files, on the binder ------------------------------------------------------------------------ */

struct file_work {
	struct work work;
	struct listen_address address;
	struct socket_file *file;
	int fd;			/* to be closed behind it; -1: none */
};

static void run_know(struct work *w)
{
	struct file_work *f = container_of(w, struct file_work, work);

	socket_file_know(f->file, &f->address);
}

static void run_remove(struct work *w)
{
	struct file_work *f = container_of(w, struct file_work, work);

	socket_file_remove(f->file, &f->address);
	closep(&f->fd);
}

static void free_file_work(struct work *w)
{
	free(container_of(w, struct file_work, work));
}

static void free_removed(struct work *w)
{
	struct file_work *f = container_of(w, struct file_work, work);

	free(f->file);
	free(f);
}

/* It was not run: the end of procd came before. */
static void remove_now(struct work *w)
{
	run_remove(w);
	free_removed(w);
}

static void on_known(struct work *w, void *ctx)
{
	(void)ctx;
	free_file_work(w);
}

static void on_removed(struct work *w, void *ctx)
{
	(void)ctx;
	free_removed(w);
}

static void ask_which_file(struct listeners *l, struct listening *k)
{
	struct file_work *f = x_calloc(1, sizeof(*f));

	f->work = (struct work){ .run = run_know, .done = on_known, .drop = free_file_work };
	f->address = k->address;
	f->file = k->file = x_calloc(1, sizeof(*k->file));
	f->fd = -1;
	if (l->binder == NULL || workers_ask(l->binder, &f->work) < 0)
		free_file_work(&f->work);	/* it will be left where it is */
}

/* The file goes, and the socket behind it; both are K's no more. */
static void ask_remove(struct listeners *l, struct listening *k)
{
	struct file_work *f = x_calloc(1, sizeof(*f));

	f->work = (struct work){ .run = run_remove, .done = on_removed, .drop = remove_now };
	f->address = k->address;
	f->file = take(k->file);
	f->fd = k->fd;
	k->fd = -1;
	if (l->binder == NULL || workers_ask(l->binder, &f->work) < 0)
		remove_now(&f->work);
}

/* --- sockets ------------------------------------------------------------------------------------ */

static struct listening *add(struct listeners *l, uint32_t slot, int fd)
{
	struct listening *k = x_calloc(1, sizeof(*k));

	k->owner = l;
	k->slot = slot;
	k->fd = fd;
	loop_io_init(&k->io, l->supervisor->loop, on_connection);
	if (!read_address(fd, &k->address))
		k->address.len = 0;
	list_append(&l->all, &k->link);
	return k;
}

/* One that was bound by somebody before us. */
static struct listening *add_old(struct listeners *l, uint32_t slot, int fd)
{
	struct listening *k = add(l, slot, fd);

	if (k->address.len > 0 && listen_path(&k->address) != NULL)
		ask_which_file(l, k);
	return k;
}

bool listeners_take(struct listeners *l, uint32_t slot, int fd)
{
	struct listen_address a;

	if (!read_address(fd, &a) || (a.addr.any.sa_family == AF_UNIX && a.type == SOCK_DGRAM))
		return false;
	add_old(l, slot, fd);
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
		add_old(l, slot, fds[i]);
	}
	core_sockets_found(s->core, m->slot, m->spawn_id, errnum);
}

/* --- binding ---------------------------------------------------------------------------------- */

struct bind_work {
	struct work work;
	struct listening *k;
	int fd;			/* K's, or of who removes it later */
	struct listen_address address;
	struct socket_owner owner;
	struct socket_file *file;
	int result;
};

static void run_bind(struct work *w)
{
	struct bind_work *b = container_of(w, struct bind_work, work);

	b->result = socket_file_bind(b->fd, &b->address, &b->owner);
	if (b->result == 0)
		socket_file_know(b->file, &b->address);
}

static void drop_bind(struct work *w)
{
	struct bind_work *b = container_of(w, struct bind_work, work);

	b->k->binding = false;		/* the end of procd */
	free(b);
}

/* There it is. */
static void hold(struct listening *k, const char *name)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct supervisor *s = k->owner->supervisor;

	keeper_hold_slot(s->keeper, k->slot, k->fd);
	listen_format(&k->address, &text);
	log_at(LOG_INFO, name, "listens on %s", text.buf);
	if (s->control != NULL && strcmp(name, OWN_SUBSYSTEM) == 0)
		control_reconfigured(s->control);	/* it can be reached now */
}

static void on_bound(struct work *w, void *ctx)
{
	struct bind_work *b = container_of(w, struct bind_work, work);
	const struct supervisor *s = ctx;
	struct listening *k = b->k;
	uint32_t slot = k->slot;
	int result = b->result;
	bool dropped = k->dropped;

	free(b);
	k->binding = false;
	if (dropped || result < 0) {
		drop(k);
	} else {
		hold(k, k->name);
		if (k->awaited)
			loop_io_set(&k->io, k->fd, EV_READ);
	}
	if (!dropped)
		core_bound(s->core, slot, -result);
}

/* A file may be on whatever disk: the binder makes it. */
static int begin_bind(struct listeners *l, uint32_t slot, int fd, const struct listen_address *a,
		      const struct subsystem_options *o)
{
	const struct subsystem_rights *r = o->rights;
	mode_t mask = r->umask >= 0 ? (mode_t)r->umask : l->umask;
	struct listening *k = add(l, slot, fd);
	struct bind_work *b = x_calloc(1, sizeof(*b));
	int ret;

	k->address = *a;
	k->name = x_strdup(o->name);
	k->file = x_calloc(1, sizeof(*k->file));
	k->binding = true;
	*b = (struct bind_work){
		.work = { .run = run_bind, .done = on_bound, .drop = drop_bind },
		.k = k, .fd = fd, .address = *a, .file = k->file,
		.owner = { .mode = 0777 & ~mask, .set_ids = r->set_ids, .uid = r->uid,
			   .gid = r->gid },
	};
	ret = l->binder != NULL ? workers_ask(l->binder, &b->work) : -ECANCELED;
	if (ret == 0)
		return -EINPROGRESS;
	free(b);
	k->fd = -1;
	drop(k);
	return ret;
}

/* Addresses that are no files are the kernel's alone: nothing here waits. */
static int bind_socket(int fd, const struct listen_address *a)
{
	const int on = 1;

	if (a->addr.any.sa_family != AF_UNIX && a->type == SOCK_STREAM &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (bind(fd, &a->addr.any, a->len) < 0 ||
	    (a->type == SOCK_STREAM && listen(fd, SOMAXCONN) < 0))
		return -errno;
	return 0;
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
	if (fd < 0)
		return -errno;
	r = listen_path(&a) != NULL ? begin_bind(l, slot, fd, &a, o) : bind_socket(fd, &a);
	if (r == 0)
		hold(add(l, slot, fd), o->name);
	else if (r != -EINPROGRESS)
		close(fd);
	return r;
}

void listeners_close(struct listeners *l, uint32_t slot)
{
	list_for_each(item, &l->all) {
		struct listening *k = list_entry(item, struct listening, link);

		if (k->slot != slot || k->dropped)
			continue;
		if (!k->binding)
			keeper_hold_slot(l->supervisor->keeper, slot, -1);
		loop_io_set(&k->io, -1, 0);
		if (k->file != NULL)
			ask_remove(l, k);
		k->dropped = k->binding;
		if (!k->dropped)
			drop(k);
	}
}

void listeners_await(struct listeners *l, uint32_t slot, bool on)
{
	list_for_each(item, &l->all) {
		struct listening *k = list_entry(item, struct listening, link);

		if (k->slot != slot || k->dropped)
			continue;
		k->awaited = on;
		if (!k->binding)
			loop_io_set(&k->io, k->fd, on ? EV_READ : 0);
	}
}

static const struct listening *find(const struct listeners *l, uint32_t slot)
{
	list_for_each(item, &l->all) {
		const struct listening *k = list_entry(item, struct listening, link);

		if (k->slot == slot && !k->dropped)
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
