/* What one room says to another. Each function hands a fact or a wish over and leaves; deciding is
 * the core's work, in core_settle(). */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "command/socket_guard.h"
#include "command/supervisor.h"
#include "config/store.h"
#include "core/listing.h"
#include "probe/attempt.h"

/* --- from the keeper ----------------------------------------------------------------------------- */

static void on_started(void *ctx, const struct km_started *m)
{
	struct supervisor *s = ctx;

	core_keeper_started(s->core, m);
}

static void on_exited(void *ctx, const struct km_exited *m)
{
	struct supervisor *s = ctx;

	/* what it said before comes first */
	notify_sockets_read(s->notify, m->slot);
	core_keeper_exited(s->core, m);
}

static void on_gone(void *ctx, uint32_t slot, uint64_t spawn_id)
{
	struct supervisor *s = ctx;

	core_keeper_gone(s->core, slot, spawn_id);
}

static void on_main(void *ctx, const struct km_main *m)
{
	struct supervisor *s = ctx;

	core_keeper_main(s->core, m);
}

static void on_fetched(void *ctx, const struct km_fetched *m, const int *fds)
{
	struct supervisor *s = ctx;

	listeners_fetched(s->listeners, m, fds);
}

static void on_signal(void *ctx, int signo)
{
	struct supervisor *s = ctx;

	core_signal(s->core, signo);
}

static void on_keeper_lost(void *ctx)
{
	(void)ctx;
	/* The records say what runs; the next procd adopts it. Nothing may be touched here. */
	dprintf(STDERR_FILENO, "procd: the keeper is gone; leaving, the children go on\n");
	_exit(EXIT_OS);
}

const struct keeper_facts supervisor_keeper_facts = {
	.started = on_started,
	.exited = on_exited,
	.gone = on_gone,
	.main = on_main,
	.fetched = on_fetched,
	.signal = on_signal,
	.lost = on_keeper_lost,
};

void supervisor_on_drained(void *ctx, struct mail *mail)
{
	struct supervisor *s = ctx;
	struct output_drained *d = container_of(mail, struct output_drained, mail);

	if (d->matched)
		core_line_matched(s->core, d->slot, d->spawn_id);
	else
		core_drained(s->core, d->slot, d->spawn_id, d->tail);
	free(d->tail);
	free(d);
}

void supervisor_on_work(void *ctx, struct mail *mail)
{
	struct work *w = container_of(mail, struct work, mail);

	w->done(w, ctx);
}

static void on_files(struct work *w, void *ctx)
{
	struct supervisor *s = ctx;

	core_files_read(s->core, container_of(w, struct start_files, work));
}

void supervisor_on_file_news(void *ctx, struct mail *mail)
{
	struct supervisor *s = ctx;
	struct file_news *n = container_of(mail, struct file_news, mail);

	core_files_changed(s->core, n->slot, n->id, n->print, n->changed);
	file_news_free(n);
}

/* --- from the core ------------------------------------------------------------------------------- */

static int op_spawn(void *ctx, uint32_t slot, uint64_t spawn_id, const void *plan, size_t size)
{
	struct supervisor *s = ctx;

	return keeper_spawn(s->keeper, slot, spawn_id, plan, size);
}

static int op_read_files(void *ctx, struct subsystem_options *options, uint32_t slot,
			 uint64_t spawn_id)
{
	struct supervisor *s = ctx;
	struct start_files *f = start_files_new(options, slot, spawn_id);
	int ret;

	f->work.done = on_files;
	ret = workers_ask(s->workers, &f->work);
	if (ret < 0)
		start_files_free(f);
	return ret;
}

static void op_signal(void *ctx, uint32_t slot, uint64_t spawn_id, int signo,
		      enum signal_scope scope, bool then_cont)
{
	struct supervisor *s = ctx;

	keeper_signal(s->keeper, slot, spawn_id, signo, scope, then_cont);
}

static void op_follow(void *ctx, uint32_t slot, uint64_t spawn_id, int pid)
{
	struct supervisor *s = ctx;

	keeper_follow(s->keeper, slot, spawn_id, pid);
}

static void op_release(void *ctx, uint32_t slot, uint64_t spawn_id)
{
	struct supervisor *s = ctx;

	keeper_release(s->keeper, slot, spawn_id);
}

static void op_output_attach(void *ctx, uint32_t slot, struct subsystem_options *options)
{
	struct supervisor *s = ctx;

	output_attach(s->output, slot, options);
}

static void op_output_detach(void *ctx, uint32_t slot)
{
	struct supervisor *s = ctx;

	output_detach(s->output, slot);
}

static void op_output_pid(void *ctx, uint32_t slot, int pid)
{
	struct supervisor *s = ctx;

	output_set_pid(s->output, slot, pid);
}

static void op_output_watch(void *ctx, uint32_t slot, struct subsystem_options *options,
			    uint64_t spawn_id)
{
	struct supervisor *s = ctx;

	output_watch(s->output, slot, options, spawn_id);
}

static void op_output_drain(void *ctx, uint32_t slot, uint64_t spawn_id)
{
	struct supervisor *s = ctx;

	output_drain(s->output, slot, spawn_id);
}

static bool op_output_silent(void *ctx, uint32_t slot)
{
	const struct supervisor *s = ctx;

	return output_silent(s->output, slot);
}

static void on_attempt(void *ctx, uint64_t tag, enum attempt_result result, const char *detail)
{
	struct supervisor *s = ctx;

	core_probed(s->core, tag, result == ATTEMPT_GOOD ? PROBE_PASSED :
				  result == ATTEMPT_BAD  ? PROBE_FAILED : PROBE_NOT_MADE, detail);
}

static void *op_probe(void *ctx, uint64_t id, const struct probe_option *o, int64_t timeout_ns)
{
	struct supervisor *s = ctx;
	struct attempt_target target = {
		.host = o->host,
		.port = o->port,
		.socket = o->socket,
		.http = o->target,
	};

	return attempt_start(s->loop, &target, timeout_ns, on_attempt, s, id);
}

static void op_probe_cancel(void *ctx, void *handle)
{
	(void)ctx;
	attempt_cancel(handle);
}

static int op_listen(void *ctx, uint32_t slot, const char *address,
		     const struct subsystem_options *o)
{
	struct supervisor *s = ctx;

	return listeners_open(s->listeners, slot, address, o);
}

static void op_unlisten(void *ctx, uint32_t slot)
{
	struct supervisor *s = ctx;

	listeners_close(s->listeners, slot);
}

static void op_fetch(void *ctx, uint32_t slot, uint64_t spawn_id, size_t n)
{
	struct supervisor *s = ctx;

	keeper_fetch(s->keeper, slot, spawn_id, (uint32_t)MIN(n, (size_t)PLAN_MAX_LISTEN));
}

static bool op_look(void *ctx, const uint32_t *sockets, size_t n, uint32_t slot, uint64_t id)
{
	struct supervisor *s = ctx;

	return listeners_look(s->listeners, sockets, n, slot, id);
}

static void op_await(void *ctx, uint32_t slot, bool on)
{
	struct supervisor *s = ctx;

	listeners_await(s->listeners, slot, on);
}

static int op_notify_open(void *ctx, uint32_t slot, uid_t uid, bool fresh, const char **path)
{
	struct supervisor *s = ctx;

	return notify_sockets_open(s->notify, slot, uid, fresh, path);
}

static void op_notify_close(void *ctx, uint32_t slot)
{
	struct supervisor *s = ctx;

	notify_sockets_close(s->notify, slot);
}

static void op_watch_files(void *ctx, uint32_t slot, uint64_t id,
			   const struct subsystem_options *o, uint32_t known)
{
	struct supervisor *s = ctx;
	const struct strlist none = STRLIST_INIT;

	file_watch_set(s->file_watch, slot, id, o != NULL ? &o->policy->watch : &none, known,
		       config_current()->reload.debounce_ms);
}

static void op_reload(void *ctx)
{
	supervisor_reload(ctx);
}

static void op_reopen_logs(void *ctx)
{
	struct supervisor *s = ctx;

	output_reopen(s->output);
}

/* SIGUSR2: one line per subsystem, in the log. */
static void op_dump(void *ctx)
{
	struct supervisor *s = ctx;
	const struct board_daemon *d = board_daemon(s->board);
	uint32_t n = board_slots(s->board);
	auto_free(freep) uint32_t *slots = x_calloc(n + 1, sizeof(*slots));

	log_info("state: %s, generation %llu, %llu events, %u supervisor deaths",
		 enumtext_name(&daemon_state_text, (int)d->state),
		 (unsigned long long)d->generation, (unsigned long long)chan_last_seq(s->chan),
		 d->supervisor_deaths);
	for (uint32_t i = 0; i < n; i++)
		slots[i] = i;
	listing_sort(s->board, config_current(), slots, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct board_record *r = board_get(s->board, slots[i]);

		if (r)
			log_info("state: %s %s pid %d restarts %llu attempt %u goal %s (%s)",
				 r->name, enumtext_name(&subsystem_state_text, (int)r->state),
				 r->pid, (unsigned long long)r->restart_count, r->attempt,
				 r->goal_up ? "up" : "down", r->goal_why ? r->goal_why : "-");
	}
}

static void op_daemon_state(void *ctx, enum daemon_state state, bool booted, const char *text)
{
	struct supervisor *s = ctx;

	if (s->manager)
		service_manager_state(s->manager, state, booted, text);
}

/* Files are watched no more while the children still end, so that nobody has to wait for the
 * kernel: see socket_guard.h. */
static void op_ending(void *ctx)
{
	struct supervisor *s = ctx;
	const struct config *config = config_current();

	keeper_ending(s->keeper);
	socket_guard_rest(s->guard);
	if (config->hot_reload)
		loader_published(s->loader, config, false);
}

static void op_finished(void *ctx, int exit_code)
{
	struct supervisor *s = ctx;

	s->finished = true;
	s->exit_code = exit_code;
	ev_break(s->loop, EVBREAK_ALL);
}

const struct core_ops supervisor_core_ops = {
	.spawn = op_spawn,
	.read_files = op_read_files,
	.signal = op_signal,
	.follow = op_follow,
	.release = op_release,
	.output_attach = op_output_attach,
	.output_detach = op_output_detach,
	.output_pid = op_output_pid,
	.output_drain = op_output_drain,
	.output_silent = op_output_silent,
	.output_watch = op_output_watch,
	.probe = op_probe,
	.probe_cancel = op_probe_cancel,
	.listen = op_listen,
	.fetch = op_fetch,
	.unlisten = op_unlisten,
	.await = op_await,
	.look = op_look,
	.notify_open = op_notify_open,
	.notify_close = op_notify_close,
	.watch_files = op_watch_files,
	.reload = op_reload,
	.publishing = supervisor_on_publishing,
	.reopen_logs = op_reopen_logs,
	.dump = op_dump,
	.daemon_state = op_daemon_state,
	.ending = op_ending,
	.finished = op_finished,
};
