/* The loader thread. Reading files and asking the name service may take any time, so it happens
 * here; what comes out is a finished configuration or a list of errors, as mail for the main thread.
 *
 * Requests are counted, not queued, where nobody waits for an answer of his own: a burst of signals
 * or changes is one load. */
#include "config/loader.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "config/watch.h"

enum order_kind { ORDER_LOAD, ORDER_WATCH, ORDER_STOP };

struct order {
	struct mail mail;
	enum order_kind kind;
	enum load_why why;
	void *cookie;
	bool watch;			/* ORDER_WATCH */
	struct watch_set set;
	int64_t read_real_ns;
	uint64_t hash;
};

struct loader {
	pthread_t thread;
	struct ev_loop *loop;
	struct mailbox orders;
	struct mailbox *results;
	struct watch *watch;
	/* the source, copied */
	char *path;
	struct strlist sets;
	bool no_file;
	uint64_t good_hash;		/* content of the last good load */
	int64_t read_real_ns;		/* when it was read */
	bool signal_pending;		/* a LOAD_SIGNAL waits in the mailbox already */
};

void load_result_free(struct load_result *r)
{
	if (r == NULL)
		return;
	config_free(r->config);
	config_diag_fini(&r->diag);
	strbuf_fini(&r->bundle);
	free(r);
}

/* --- loading (loader thread) ---------------------------------------------------------------------- */

/* A watched file that is gone or empty is an accident, not a wish: one plain error instead of the
 * parser's view of it. */
static void explain_missing(struct load_result *r, const char *path)
{
	struct config_issue *issue;

	config_diag_fini(&r->diag);
	r->diag.issues = x_calloc(1, sizeof(*issue));
	r->diag.n = r->diag.cap = r->diag.nerrors = 1;
	issue = r->diag.issues;
	issue->file = x_strdup(path);
	issue->message = x_strdup("the configuration file is gone or empty; the last good "
				  "configuration stays in force");
	config_free(r->config);
	r->config = NULL;
	r->exit_code = EXIT_CONFIG;
}

static bool is_vanished(const struct load_result *r)
{
	if (r->exit_code == EXIT_NO_CONFIG)
		return true;
	return r->exit_code == 0 && r->config->nsubsystems == 0 && r->config->norigins == 0;
}

static void load(struct loader *l, enum load_why why, void *cookie)
{
	struct config_source source = { .path = l->path, .sets = &l->sets, .no_file = l->no_file };
	struct load_result *r = x_calloc(1, sizeof(*r));
	int64_t before = clock_real_ns();

	r->why = why;
	r->cookie = cookie;
	strbuf_init(&r->bundle);
	watch_note_read(l->watch);
	r->exit_code = config_load(&source, &r->config, &r->diag, &r->bundle);
	if (why == LOAD_WATCH && is_vanished(r))
		explain_missing(r, l->path);
	if (r->exit_code == 0) {
		r->unchanged = r->config->content_hash == l->good_hash;
		l->read_real_ns = before;
	}
	/* a touch, or an editor that wrote the same again */
	if (why == LOAD_WATCH && r->unchanged) {
		load_result_free(r);
		return;
	}
	mailbox_send(l->results, &r->mail);
}

static void on_changed(void *ctx)
{
	load(ctx, LOAD_WATCH, NULL);
}

static void on_order(void *ctx, struct mail *mail)
{
	struct loader *l = ctx;
	struct order *o = container_of(mail, struct order, mail);

	switch (o->kind) {
	case ORDER_LOAD:
		if (o->why == LOAD_SIGNAL)
			__atomic_store_n(&l->signal_pending, false, __ATOMIC_RELEASE);
		load(l, o->why, o->cookie);
		break;
	case ORDER_WATCH:
		l->good_hash = o->hash;
		if (o->watch)
			watch_start(l->watch, &o->set, l->read_real_ns);
		else
			watch_stop(l->watch);
		break;
	case ORDER_STOP:
		ev_break(l->loop, EVBREAK_ALL);
		break;
	}
	watch_set_fini(&o->set);
	free(o);
}

static void *loader_main(void *arg)
{
	struct loader *l = arg;

	ev_run(l->loop, 0);
	return NULL;
}

/* --- orders (other threads) ----------------------------------------------------------------------- */

static struct order *order_new(enum order_kind kind)
{
	struct order *o = x_calloc(1, sizeof(*o));

	o->kind = kind;
	return o;
}

void loader_request(struct loader *l, enum load_why why, void *cookie)
{
	struct order *o;

	if (why == LOAD_SIGNAL && __atomic_exchange_n(&l->signal_pending, true, __ATOMIC_ACQ_REL))
		return;
	o = order_new(ORDER_LOAD);
	o->why = why;
	o->cookie = cookie;
	mailbox_send(&l->orders, &o->mail);
}

static char *directory_of(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash == NULL || slash == file ? x_strdup("/")
					      : x_strndup(file, (size_t)(slash - file));
}

void loader_published(struct loader *l, const struct config *config, bool watch)
{
	struct order *o = order_new(ORDER_WATCH);
	auto_free(freep) char *dir = directory_of(config->file);

	o->watch = watch && config->files.n > 0;
	o->hash = config->content_hash;
	strlist_copy(&o->set.files, &config->files);
	for (size_t i = 0; i < config->include.n; i++) {
		const char *glob = config->include.items[i];

		strlist_take(&o->set.globs, *glob == '/' ? x_strdup(glob)
							 : x_asprintf("%s/%s", dir, glob));
	}
	o->set.debounce_ms = config->reload.debounce_ms;
	mailbox_send(&l->orders, &o->mail);
}

/* --- life ------------------------------------------------------------------------------------------ */

struct loader *loader_start(const struct config_source *source, const struct config *good,
			    struct mailbox *results, struct error *e)
{
	struct loader *l = x_calloc(1, sizeof(*l));
	int rc;

	l->path = x_strdup(good->file);
	if (source->sets != NULL)
		strlist_copy(&l->sets, source->sets);
	l->no_file = source->no_file;
	l->results = results;
	l->good_hash = good->content_hash;
	l->read_real_ns = clock_real_ns();
	l->loop = loop_new("auto");
	if (l->loop == NULL) {
		error_set(e, ERROR_PLATFORM, 0, "no event loop for the loader");
		strlist_fini(&l->sets);
		free(l->path);
		free(l);
		return NULL;
	}
	mailbox_init(&l->orders, l->loop, on_order, l);
	l->watch = watch_new(l->loop, on_changed, l);
	rc = thread_start(&l->thread, "procd-loader", loader_main, l);
	if (rc == 0)
		return l;
	error_set(e, ERROR_RUNTIME_SPAWN, -rc, "cannot start the loader thread");
	watch_free(l->watch);
	mailbox_fini(&l->orders);
	ev_loop_destroy(l->loop);
	strlist_fini(&l->sets);
	free(l->path);
	free(l);
	return NULL;
}

void loader_stop(struct loader *l)
{
	mailbox_send(&l->orders, &order_new(ORDER_STOP)->mail);
	pthread_join(l->thread, NULL);
	watch_free(l->watch);
	mailbox_fini(&l->orders);
	ev_loop_destroy(l->loop);
	strlist_fini(&l->sets);
	free(l->path);
	free(l);
}
