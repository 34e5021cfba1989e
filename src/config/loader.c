/* The loader thread. Everything that can block on the way from names to a checked configuration
 * happens here: disk, name service, a network mount. Jobs come by mail and from the watch; they are
 * noted first and done one after the other, so that a burst of signals and changes is one load.
 *
 * The thread holds no configuration. It remembers hashes (what is published, what it told last) and
 * the names to watch, nothing else, so it never has to be in step with anybody. What it reads is
 * compared with what is published at that moment; who applies it later sees by the generation
 * whether that still holds. */
#include "config/loader.h"

#include <ctype.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/thread.h"
#include "config/issue.h"
#include "config/kept.h"
#include "config/store.h"
#include "config/watch.h"

#define MAIN_FILE_MAX (64u << 20)	/* only to see whether it is blank */

enum job_kind { JOB_LOAD, JOB_PUBLISHED, JOB_STOP };

struct job {
	struct mail mail;
	enum job_kind kind;
	enum load_why why;		/* JOB_LOAD */
	void *cookie;
	struct scales scales;		/* LOAD_SCALE: wanted; JOB_PUBLISHED: declared */
	struct watch_set set;		/* JOB_PUBLISHED */
	uint64_t content_hash;
	bool watch;
	struct job *next;		/* in struct loader, while it waits */
};

struct loader {
	pthread_t thread;
	struct ev_loop *loop;
	struct mailbox inbox;
	struct loop_prepare work;
	struct mailbox *results;

	struct loader_running running;
	struct scales scales;		/* ordered so far */
	char *path;			/* of the main file */
	struct strlist sets;
	bool no_file;

	struct job *first, **last;	/* requests, in order */
	bool signal_waits, watch_waits;
	bool stopping;

	struct watch *watch;
	bool watching;
	struct watch_set published;	/* files and globs of the published configuration */
	struct strlist rejected;	/* files that the last, rejected load complained about */
	int64_t read_real_ns;		/* start of the last load; 0: none by this thread */

	uint64_t published_hash;	/* content of the published configuration */
	uint64_t good_hash;		/* of the last good result that was sent */
	uint64_t told;			/* what the last result said, good or bad */
};

static void job_free(struct job *job)
{
	scales_fini(&job->scales);
	watch_set_fini(&job->set);
	free(job);
}

/* --- results -------------------------------------------------------------------------------- */

void load_result_free(struct load_result *r)
{
	if (r == NULL)
		return;
	config_free(r->config);
	config_diag_fini(&r->diag);
	strbuf_fini(&r->bundle);
	free(r->staged);
	json_decref(r->plan);
	free(r);
}

static struct load_result *result_new(enum load_why why, void *cookie)
{
	struct load_result *r = x_calloc(1, sizeof(*r));

	r->began_mono_ns = clock_mono_ns();

	r->why = why;
	r->cookie = cookie;
	strbuf_init(&r->bundle);
	return r;
}

/* One message about the main file as a whole instead of whatever was found. */
static void refuse(struct load_result *r, int exit_code, const char *file, const char *what)
{
	struct place at = { .file = file };

	config_free(take(r->config));
	config_diag_fini(&r->diag);
	r->diag = (struct config_diag)CONFIG_DIAG_INIT;
	strbuf_reset(&r->bundle);
	r->exit_code = exit_code;
	diag_error(&r->diag, &at, "%s; the last good configuration stays in effect", what);
}

static bool file_is_blank(const char *path)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	if (file_read(path, MAIN_FILE_MAX, &text) < 0)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!isspace((unsigned char)text.buf[i]))
			return false;
	return true;
}

/* Somebody who takes the file away or empties it is rarely asking for everything to be stopped. */
static void keep_last_good(struct loader *l, struct load_result *r)
{
	if (l->no_file || (r->why != LOAD_WATCH && r->why != LOAD_SIGNAL))
		return;
	if (r->exit_code == EXIT_NO_CONFIG)
		refuse(r, r->exit_code, l->path, access(l->path, F_OK) == 0 ?
		       "the configuration file is not a file any more" :
		       "the configuration file is gone");
	else if (r->exit_code == 0 && config_declared(r->config) == 0 && file_is_blank(l->path))
		refuse(r, EXIT_CONFIG, l->path, "the configuration file is empty");
}

static uint64_t outcome_hash(const struct load_result *r)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	if (r->exit_code == 0)
		return r->config->content_hash;
	config_diag_print(&r->diag, false, &text);
	return ~hash_add(HASH_START, text.buf, text.len) ^ (uint64_t)r->exit_code;
}

/* --- watching ------------------------------------------------------------------------------- */

/* The files of the published configuration and those that a rejected one complains about: fixing
 * one of these is what everybody waits for. */
static void watch_update(struct loader *l)
{
	struct watch_set set = { .debounce_ms = l->published.debounce_ms };

	if (!l->watching || l->stopping)
		return;
	strlist_copy(&set.files, &l->published.files);
	strlist_copy(&set.globs, &l->published.globs);
	for (size_t i = 0; i < l->rejected.n; i++)
		if (!strlist_has(&set.files, l->rejected.items[i]))
			strlist_add(&set.files, l->rejected.items[i]);
	watch_start(l->watch, &set, l->read_real_ns);
}

static void note_rejected_files(struct loader *l, const struct load_result *r)
{
	strlist_fini(&l->rejected);
	for (size_t i = 0; i < r->diag.n && l->rejected.n < 64; i++) {
		const struct config_issue *issue = &r->diag.issues[i];

		if (!issue->warning && issue->file != NULL && issue->file[0] == '/' &&
		    !strlist_has(&l->rejected, issue->file))
			strlist_add(&l->rejected, issue->file);
	}
	watch_update(l);
}

static void on_changed(void *ctx)
{
	struct loader *l = ctx;

	l->watch_waits = true;
}

/* --- loading -------------------------------------------------------------------------------- */

/* Here and not on the main thread, which all wait for: whatever looks at every subsystem. */
static void compare(struct load_result *r)
{
	const struct config *now;

	rcu_enter();
	now = config_current();
	if (now != NULL && r->why == LOAD_PLAN) {
		r->plan = config_plan_json(now, r->config);
	} else if (now != NULL) {
		if (r->why == LOAD_SCALE)
			config_share_namesakes(now, r->config);
		config_compare(now, r->config);
	}
	rcu_leave();
}

static void send(struct loader *l, struct load_result *r)
{
	if (r->exit_code == 0)
		compare(r);
	if (r->config != NULL && r->config->change != NULL && !r->config->change->diff.equal &&
	    l->running.stage != NULL) {
		r->staged_for = r->config->generation;
		r->staged = l->running.stage(l->running.ctx, &r->bundle, r->staged_for);
	}
	mailbox_send(l->results, &r->mail);
}

/* What stays as it is until procd starts anew. */
static void running_values(struct strbuf *out)
{
	rcu_enter();
	if (config_current() != NULL)
		kept_write(config_current(), out);
	rcu_leave();
}

static struct load_result *load(struct loader *l, enum load_why why, void *cookie)
{
	auto_free(strbuf_fini) struct strbuf kept = STRBUF_INIT;
	struct config_source source = {
		.path = l->path, .sets = &l->sets, .no_file = l->no_file,
		.scales = &l->scales,
	};
	struct load_result *r = result_new(why, cookie);

	running_values(&kept);
	source.kept = kept.len > 0 ? kept.buf : NULL;
	l->read_real_ns = clock_real_ns();
	if (why != LOAD_WATCH)	/* the watch has just looked by itself */
		watch_note_read(l->watch);
	r->exit_code = config_load(&source, &r->config, &r->diag, &r->bundle);
	keep_last_good(l, r);
	if (r->exit_code == 0)
		r->unchanged = r->config->content_hash == l->published_hash &&
			       r->config->content_hash == l->good_hash;
	return r;
}

/* A successor of what runs now, not of what the files say by now. */
static int load_scaled(struct loader *l, const struct scales *wanted, struct load_result *r)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	auto_free(scales_fini) struct scales scales = SCALES_INIT;
	struct config_source source = { .sets = &l->sets, .scales = &scales };
	int rc = l->running.read(l->running.ctx, &text, &r->generation);

	if (rc < 0) {
		r->generation = 0;
		diag_error(&r->diag, &(struct place){ 0 }, "cannot read the running configuration "
			   "in the run directory: %s", strerror(-rc));
		return EXIT_FAILED;
	}
	source.bundle = text.buf;
	source.bundle_len = text.len;
	scales_copy(&scales, &l->scales);
	for (size_t i = 0; i < wanted->n; i++)
		scales_set(&scales, wanted->items[i].name, wanted->items[i].declared,
			   wanted->items[i].n);
	rc = config_load(&source, &r->config, &r->diag, &r->bundle);
	if (rc == 0) {
		/* they were told by the reload that brought them */
		strlist_fini(&r->config->pending);
		scales_fini(&l->scales);
		scales_copy(&l->scales, &scales);
	}
	return rc;
}

static void scale_and_tell(struct loader *l, const struct job *job)
{
	struct load_result *r = result_new(job->why, job->cookie);

	r->exit_code = load_scaled(l, &job->scales, r);
	send(l, r);
}

static void load_and_tell(struct loader *l, enum load_why why, void *cookie)
{
	struct load_result *r = load(l, why, cookie);
	uint64_t outcome = outcome_hash(r);

	if (why != LOAD_PLAN)
		note_rejected_files(l, r);
	if (why == LOAD_WATCH && outcome == l->told) {
		load_result_free(r);
		return;
	}
	if (why != LOAD_PLAN) {
		l->told = outcome;
		if (r->exit_code == 0)
			l->good_hash = outcome;
	}
	send(l, r);
}

/* Before the thread sleeps: do what was noted. What arrives meanwhile wakes it again. */
static void on_work(struct loop_prepare *prepare)
{
	struct loader *l = container_of(prepare, struct loader, work);

	while (l->first != NULL && !l->stopping) {
		struct job *job = l->first;

		l->first = job->next;
		if (l->first == NULL)
			l->last = &l->first;
		if (job->why == LOAD_SCALE)
			scale_and_tell(l, job);
		else
			load_and_tell(l, job->why, job->cookie);
		job_free(job);
	}
	if ((l->signal_waits || l->watch_waits) && !l->stopping) {
		enum load_why why = l->signal_waits ? LOAD_SIGNAL : LOAD_WATCH;

		l->signal_waits = l->watch_waits = false;
		load_and_tell(l, why, NULL);
	}
}

/* --- mail ----------------------------------------------------------------------------------- */

static void on_load(struct loader *l, struct job *job)
{
	if (job->why == LOAD_SIGNAL && job->cookie == NULL) {
		l->signal_waits = true;
	} else if (job->why == LOAD_WATCH && job->cookie == NULL) {
		l->watch_waits = true;
	} else {
		*l->last = job;
		l->last = &job->next;
		return;
	}
	free(job);
}

static void on_published(struct loader *l, struct job *job)
{
	l->published_hash = job->content_hash;
	watch_set_fini(&l->published);
	l->published = job->set;
	job->set = (struct watch_set){ 0 };
	scales_prune(&l->scales, &job->scales);
	l->watching = job->watch && !l->no_file;
	if (l->watching)
		watch_update(l);
	else
		watch_stop(l->watch);
	job_free(job);
}

static void on_mail(void *ctx, struct mail *mail)
{
	struct loader *l = ctx;
	struct job *job = container_of(mail, struct job, mail);

	switch (job->kind) {
	case JOB_LOAD:
		on_load(l, job);
		break;
	case JOB_PUBLISHED:
		on_published(l, job);
		break;
	case JOB_STOP:
		l->stopping = true;
		ev_break(l->loop, EVBREAK_ALL);
		free(job);
		break;
	}
}

static void *loader_main(void *arg)
{
	struct loader *l = arg;

	ev_run(l->loop, 0);
	return NULL;
}

/* After the thread has ended, or when it never began. */
static void loader_fini(struct loader *l)
{
	l->stopping = true;
	mailbox_fini(&l->inbox);
	while (l->first != NULL) {
		struct job *job = l->first;
		struct load_result *r = result_new(job->why, job->cookie);

		l->first = job->next;
		diag_error(&r->diag, &(struct place){ 0 }, "procd is stopping");
		r->exit_code = EXIT_FAILED;
		mailbox_send(l->results, &r->mail);
		job_free(job);
	}
	watch_free(l->watch);
	ev_prepare_stop(l->loop, &l->work.w);
	ev_loop_destroy(l->loop);
	watch_set_fini(&l->published);
	strlist_fini(&l->rejected);
	strlist_fini(&l->sets);
	scales_fini(&l->scales);
	free(l->path);
	free(l);
}

/* --- the contract: main thread -------------------------------------------------------------- */

static struct job *job_new(enum job_kind kind)
{
	struct job *job = x_calloc(1, sizeof(*job));

	job->kind = kind;
	return job;
}

struct loader *loader_start(const struct config_source *source, const struct config *good,
			    const struct loader_running *running, struct mailbox *results,
			    struct error *e)
{
	struct loader *l = x_calloc(1, sizeof(*l));
	int r;

	l->loop = loop_new("auto");
	if (l->loop == NULL)
		l->loop = loop_new("poll");
	if (l->loop == NULL) {
		error_set(e, ERROR_PLATFORM, 0, "cannot make an event loop for the loader");
		free(l);
		return NULL;
	}
	l->results = results;
	l->running = *running;
	scales_of(good, &l->scales);
	l->path = x_strdup(good->file != NULL ? good->file : source->path);
	if (source->sets != NULL)
		strlist_copy(&l->sets, source->sets);
	l->no_file = source->no_file;
	l->last = &l->first;
	l->published_hash = l->good_hash = l->told = good->content_hash;
	l->watch = watch_new(l->loop, on_changed, l);
	mailbox_init(&l->inbox, l->loop, on_mail, l);
	loop_prepare_start(&l->work, l->loop, on_work);
	r = thread_start(&l->thread, "procd-loader", loader_main, l);
	if (r == 0)
		return l;
	error_set(e, ERROR_RUNTIME_SPAWN, -r, "cannot start the loader thread");
	loader_fini(l);
	return NULL;
}

void loader_request(struct loader *l, enum load_why why, void *cookie)
{
	struct job *job = job_new(JOB_LOAD);

	job->why = why;
	job->cookie = cookie;
	mailbox_send(&l->inbox, &job->mail);
}

void loader_scale(struct loader *l, const struct scales *wanted, void *cookie)
{
	struct job *job = job_new(JOB_LOAD);

	job->why = LOAD_SCALE;
	job->cookie = cookie;
	scales_copy(&job->scales, wanted);
	mailbox_send(&l->inbox, &job->mail);
}

void loader_published(struct loader *l, const struct config *config, bool watch)
{
	struct job *job = job_new(JOB_PUBLISHED);

	job->content_hash = config->content_hash;
	job->watch = watch;
	scales_declared(config, &job->scales);
	job->set.debounce_ms = config->reload.debounce_ms;
	strlist_copy(&job->set.files, &config->files);
	if (config->file != NULL && !strlist_has(&job->set.files, config->file))
		strlist_add(&job->set.files, config->file);
	strlist_copy(&job->set.globs, &config->globs);
	mailbox_send(&l->inbox, &job->mail);
}

void loader_stop(struct loader *l)
{
	if (l == NULL)
		return;
	mailbox_send(&l->inbox, &job_new(JOB_STOP)->mail);
	pthread_join(l->thread, NULL);
	loader_fini(l);
}
