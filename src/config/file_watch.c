/* A file is what is in it: to touch it, or to write the same once more, is no change. It counts as
 * changed when two looks, one delay apart, find the same new content; so a file that is being
 * written causes one restart, not several, and not one with half of it. A file that is taken away
 * is no change either (editors do that for a moment); one that comes back different is.
 *
 * Content is only read where stat(2) says something new, and up to a limit; beyond that, and where
 * it may not be read, size, time and inode have to do.
 *
 * The thread owns everything but the inbox. */
#include "config/file_watch.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/thread.h"
#include "config/watch.h"

#define CONTENT_MAX (1u << 20)
#define LOOKS_MAX 50		/* at what never comes to rest */
#define STAMP_NS (2 * NS_PER_SEC)	/* time stamps may be that coarse */

struct order {
	struct mail mail;
	bool stop, retime;		/* nothing else: a new delay */
	uint32_t slot;
	uint64_t id;
	uint32_t known;
	struct strlist files;
	int64_t debounce_ms, since_real_ns;
};

/* One file, however many subsystems name it. Prints are 0 for one that is not there. */
struct file {
	uint64_t known, pending;
	unsigned looks;			/* that found it in motion, or nothing */
	uint64_t stat_print, read_print;	/* what was read, and when */
	int64_t written_real_ns;	/* as of the last look */
	bool fresh, changed, used;
};

/* One subsystem. */
struct user {
	uint32_t slot;
	uint64_t id;
	uint32_t known;
	struct strlist files;
	int64_t since_real_ns;		/* what was written later is a change */
	bool fresh;
};

struct file_watch {
	pthread_t thread;
	bool running;
	struct ev_loop *loop;
	struct mailbox inbox, *news;
	struct loop_prepare work;
	struct watch *watch;
	struct loop_timer settle;
	int64_t debounce_ms;
	struct map files;		/* by path: struct file */
	struct map users;		/* by slot as text: struct user */
	bool outdated;			/* the users have changed */
};

void file_news_free(struct file_news *n)
{
	if (n != NULL)
		free(n->changed);
	free(n);
}

static void user_free(struct user *u)
{
	if (u != NULL)
		strlist_fini(&u->files);
	free(u);
}

/* --- what a file is --------------------------------------------------------------------------- */

static uint64_t print_stat(const struct stat *st)
{
	const uint64_t words[] = {
		st->st_dev, st->st_ino, (uint64_t)st->st_size, (uint64_t)st->st_mtim.tv_sec,
		(uint64_t)st->st_mtim.tv_nsec,
	};

	return hash_add(HASH_START, words, sizeof(words)) | 1;
}

static bool is_young(const struct stat *st)
{
	int64_t newest = MAX(st->st_mtim.tv_sec, st->st_ctim.tv_sec);

	return newest * NS_PER_SEC >= clock_real_ns() - STAMP_NS;
}

/* The machine's trouble, not the file's: it says nothing about that. */
static bool is_passing(int error)
{
	return error == ENOMEM || error == EMFILE || error == ENFILE || error == EIO ||
	       error == EINTR || error == EAGAIN;
}

/* 0; or an errno when that is to be seen another time, which comes to an end, too. */
static int print_file(struct file *f, const char *path, uint64_t *out)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	bool last = f->looks + 1 >= LOOKS_MAX;
	struct stat st;
	uint64_t now;
	int ret = 0;

	*out = 0;
	if (stat(path, &st) < 0) {
		f->stat_print = 0;
		return is_passing(errno) && !last ? errno : 0;
	}
	f->written_real_ns = st.st_ctim.tv_sec * NS_PER_SEC + st.st_ctim.tv_nsec;
	now = print_stat(&st);
	if (now != f->stat_print) {
		if (st.st_size <= CONTENT_MAX)
			ret = file_read(path, CONTENT_MAX, &text);
		if (is_passing(-ret) && !last)
			return -ret;
		f->read_print = st.st_size > CONTENT_MAX || ret < 0 ?
				now : hash_add(HASH_START, text.buf, text.len) | 1;
		f->stat_print = is_young(&st) ? 0 : now;
	}
	*out = f->read_print;
	return 0;
}

/* --- looking ---------------------------------------------------------------------------------- */

/* True: another look is needed. */
static bool look_at(struct file *f, const char *path)
{
	uint64_t now;

	if (print_file(f, path, &now) != 0) {
		f->looks++;
		return true;
	}
	if (f->fresh) {
		f->fresh = false;
		f->known = now;
		f->looks = 0;
	} else if (now == 0 || now == f->known) {
		f->pending = 0;
		f->looks = 0;
	} else if (now != f->pending && ++f->looks < LOOKS_MAX) {
		f->pending = now;
		return true;
	} else {
		f->known = now;
		f->pending = 0;
		f->looks = 0;
		f->changed = true;
	}
	return false;
}

static void tell(struct file_watch *w, const struct user *u, uint32_t print, const char *changed)
{
	struct file_news *n = x_calloc(1, sizeof(*n));

	n->slot = u->slot;
	n->id = u->id;
	n->print = print;
	n->changed = x_strdup(changed);
	mailbox_send(w->news, &n->mail);
}

/* Between the order to watch and the first look at it; a time that is still to come says
 * nothing. */
static bool written_since(const struct file *f, const struct user *u)
{
	return f->known != 0 && f->written_real_ns > u->since_real_ns &&
	       f->written_real_ns <= clock_real_ns();
}

static void tell_user(struct file_watch *w, struct user *u)
{
	uint64_t hash = HASH_START;
	uint32_t print;
	const char *changed = NULL;
	bool missing = false;

	for (size_t i = 0; i < u->files.n; i++) {
		const struct file *f = map_find(&w->files, u->files.items[i]);

		/* it could not be looked at yet; or the order came in this very turn */
		if (f == NULL || f->fresh)
			return;
		hash = hash_add(hash, &f->known, sizeof(f->known));
		missing |= f->known == 0;
		if (changed == NULL && (f->changed || (u->fresh && u->known == 0 &&
						       written_since(f, u))))
			changed = u->files.items[i];
	}
	print = (uint32_t)hash_fold(hash) | 1;
	/* Of one that is not there now nobody knows what it was: that is no change. */
	if (u->fresh && changed == NULL && u->known != 0 && u->known != print && !missing)
		changed = u->files.items[0];
	if (u->fresh || changed != NULL)
		tell(w, u, print, changed);
	u->fresh = false;
}

static void look(struct file_watch *w)
{
	bool again = false;

	map_for_each(slot, &w->files)
		again |= look_at(slot->value, slot->key);
	map_for_each(slot, &w->users)
		tell_user(w, slot->value);
	map_for_each(slot, &w->files)
		((struct file *)slot->value)->changed = false;
	loop_timer_set(&w->settle, again ? w->debounce_ms * NS_PER_MS : -1);
}

static void on_changed(void *ctx)
{
	look(ctx);
}

static void on_settle(struct loop_timer *t)
{
	look(container_of(t, struct file_watch, settle));
}

/* --- who wants what --------------------------------------------------------------------------- */

static void use(struct file_watch *w, const char *path)
{
	struct file *f = map_find(&w->files, path);

	if (f == NULL) {
		f = x_calloc(1, sizeof(*f));
		f->fresh = true;
		map_put(&w->files, path, f);
	}
	f->used = true;
}

static void drop_unused(struct file_watch *w)
{
	auto_free(strlist_fini) struct strlist gone = STRLIST_INIT;

	map_for_each(slot, &w->files) {
		struct file *f = slot->value;

		if (!f->used)
			strlist_add(&gone, slot->key);
		f->used = false;
	}
	for (size_t i = 0; i < gone.n; i++)
		free(map_remove(&w->files, gone.items[i]));
}

/* Before the thread sleeps: a reload changes many at once. Armed first, then looked at. */
static void on_work(struct loop_prepare *prepare)
{
	struct file_watch *w = container_of(prepare, struct file_watch, work);
	struct watch_set set = { .debounce_ms = w->debounce_ms };

	if (!w->outdated)
		return;
	w->outdated = false;
	map_for_each(slot, &w->users) {
		const struct user *u = slot->value;

		for (size_t i = 0; i < u->files.n; i++)
			use(w, u->files.items[i]);
	}
	drop_unused(w);
	map_for_each(slot, &w->files)
		strlist_add(&set.files, slot->key);
	if (set.files.n > 0) {
		watch_start(w->watch, &set, INT64_MAX);
	} else {
		watch_stop(w->watch);
		watch_set_fini(&set);
	}
	look(w);
}

static void on_mail(void *ctx, struct mail *mail)
{
	struct file_watch *w = ctx;
	struct order *o = container_of(mail, struct order, mail);
	char key[16];

	if (o->stop) {
		ev_break(w->loop, EVBREAK_ALL);
		free(o);
		return;
	}
	snprintf(key, sizeof(key), "%u", o->slot);
	w->debounce_ms = o->debounce_ms;
	w->outdated = true;
	if (o->retime) {
		free(o);
		return;
	}
	if (o->files.n > 0) {
		struct user *u = x_calloc(1, sizeof(*u));

		*u = (struct user){ .slot = o->slot, .id = o->id, .known = o->known,
				    .files = o->files, .since_real_ns = o->since_real_ns,
				    .fresh = true };
		user_free(map_put(&w->users, key, u));
	} else {
		user_free(map_remove(&w->users, key));
	}
	free(o);
}

static void *thread_main(void *arg)
{
	struct file_watch *w = arg;

	ev_run(w->loop, 0);
	return NULL;
}

/* --- the contract: main thread ---------------------------------------------------------------- */

struct file_watch *file_watch_new(struct mailbox *news)
{
	struct file_watch *w = x_calloc(1, sizeof(*w));

	w->news = news;
	return w;
}

static void close_all(struct file_watch *w)
{
	mailbox_fini(&w->inbox);
	loop_timer_set(&w->settle, -1);
	watch_free(w->watch);
	ev_prepare_stop(w->loop, &w->work.w);
	ev_loop_destroy(w->loop);
	map_for_each(slot, &w->files)
		free(slot->value);
	map_fini(&w->files);
	map_for_each(slot, &w->users)
		user_free(slot->value);
	map_fini(&w->users);
	w->loop = NULL;
}

static bool start(struct file_watch *w)
{
	int r;

	w->loop = loop_new("auto");
	if (w->loop == NULL)
		w->loop = loop_new("poll");
	if (w->loop == NULL)
		return false;
	mailbox_init(&w->inbox, w->loop, on_mail, w);
	loop_timer_init(&w->settle, w->loop, on_settle);
	w->watch = watch_new(w->loop, on_changed, w);
	loop_prepare_start(&w->work, w->loop, on_work);
	r = thread_start(&w->thread, "procd-files", thread_main, w);
	if (r < 0)
		close_all(w);
	w->running = r == 0;
	return w->running;
}

void file_watch_set(struct file_watch *w, uint32_t slot, uint64_t id, const struct strlist *files,
		    uint32_t known, int64_t debounce_ms)
{
	struct order *o;

	if (!w->running && (files->n == 0 || !start(w))) {
		if (files->n > 0)
			log_error("no thread that looks at files: nobody is restarted for them");
		return;
	}
	o = x_calloc(1, sizeof(*o));
	*o = (struct order){ .slot = slot, .id = id, .known = known, .debounce_ms = debounce_ms,
			     .since_real_ns = clock_real_ns() };
	strlist_copy(&o->files, files);
	mailbox_send(&w->inbox, &o->mail);
}

void file_watch_retime(struct file_watch *w, int64_t debounce_ms)
{
	struct order *o;

	if (!w->running)
		return;
	o = x_calloc(1, sizeof(*o));
	*o = (struct order){ .retime = true, .debounce_ms = debounce_ms };
	mailbox_send(&w->inbox, &o->mail);
}

void file_watch_free(struct file_watch *w)
{
	struct order *o;

	if (w == NULL)
		return;
	if (w->running) {
		o = x_calloc(1, sizeof(*o));
		o->stop = true;
		mailbox_send(&w->inbox, &o->mail);
		pthread_join(w->thread, NULL);
		close_all(w);
	}
	free(w);
}
