/* The object that everything else works on. It only keeps; deciding is reconcile's and action's. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/signame.h"
#include "config/preload.h"
#include "core/facts.h"
#include "core/live.h"

static void wait_fired(struct timer *t)
{
	struct subsystem *s = container_of(t, struct subsystem, wait);

	/* Starting needs its turn, so these two become a mark that settle looks at. */
	if (s->wait_fact == FACT_DUE || s->wait_fact == FACT_RETRY) {
		s->due = true;
		subsystem_mark(s);
		return;
	}
	/* The end came first: its time stamp decides whether the start counts as good. */
	if (s->wait_fact == FACT_DIED) {
		if (s->proc.phase == PROC_DRAINING)
			facts_ended(s);
		return;
	}
	if (s->wait_fact == FACT_READY && s->proc.phase > PROC_UP)
		return;
	subsystem_note(s, s->wait_fact);
}

static void post_stop_fired(struct timer *t)
{
	subsystem_mark(container_of(t, struct beside, post_stop.timer)->owner);
}

const struct beside *beside_of(const struct subsystem *s)
{
	static const struct beside nothing;

	return s->beside != NULL ? s->beside : &nothing;
}

struct beside *beside_own(struct subsystem *s)
{
	if (s->beside != NULL)
		return s->beside;
	s->beside = x_calloc(1, sizeof(*s->beside));
	s->beside->owner = s;
	s->beside->post_stop.timer.fire = post_stop_fired;
	return s->beside;
}

static void ladder_fired(struct timer *t)
{
	subsystem_note(container_of(t, struct subsystem, ladder.timer), FACT_STOP_STEP);
}

struct subsystem *subsystem_new(struct core *core, uint32_t slot, uint64_t id,
				struct subsystem_options *options)
{
	size_t name_size = strlen(options->name) + 1;
	struct subsystem *s = x_calloc(1, sizeof(*s) + name_size);

	s->core = core;
	s->slot = s->proc.slot = slot;
	s->id = id;
	memcpy(s->name, options->name, name_size);
	s->options = subsystem_options_ref(options);
	s->state = STATE_STOPPED;
	s->prev = STATE_STOPPED;
	s->reason = REASON_START;
	s->order_reason = REASON_START;
	s->end.exit_code = -1;
	s->next_restart_ms = -1;
	s->since_mono_ns = clock_mono_ns();
	s->wait.fire = wait_fired;
	s->ladder.timer.fire = ladder_fired;
	ready_init(s);
	list_init(&s->dirty);
	list_init(&s->busy_link);
	list_init(&s->turn_link);
	list_init(&s->waiters);
	return s;
}

void subsystem_free(struct subsystem *s)
{
	if (s == NULL)
		return;
	subsystem_options_unref(s->options);
	subsystem_options_unref(s->next);
	watcher_fini(&s->watcher);
	free(s->start_trouble);
	free(s->end_tail);
	ready_fini(s);
	free(s->idle);
	health_fini(s);
	schedule_fini(s);
	free(s->edges);
	if (s->beside != NULL)
		free(s->beside->reloads.trouble);
	free(s->beside);
	free(s);
}

void subsystem_mark(struct subsystem *s)
{
	if (list_empty(&s->dirty))
		list_append(&s->core->dirty, &s->dirty);
}

void subsystem_note(struct subsystem *s, enum fact fact)
{
	s->facts |= 1u << fact;
	subsystem_mark(s);
}

void subsystem_wait(struct subsystem *s, enum fact fact, int64_t at_mono_ns)
{
	s->wait_fact = fact;
	timer_arm(&s->core->timers, &s->wait, at_mono_ns);
}

void subsystem_wait_cancel(struct subsystem *s)
{
	timer_disarm(&s->core->timers, &s->wait);
	s->due = false;
}

void subsystem_set_options(struct subsystem *s, struct subsystem_options *options)
{
	subsystem_options_ref(options);
	subsystem_options_unref(s->next);
	s->next = NULL;
	subsystem_options_unref(s->options);
	s->options = options;
}

void subsystem_set_next_options(struct subsystem *s, struct subsystem_options *options)
{
	if (!subsystem_has_process(s)) {
		subsystem_set_options(s, options);
		return;
	}
	subsystem_options_ref(options);
	subsystem_options_unref(s->next);
	s->next = options;
}

/* Why it was ended, where that was procd's decision, and how it ended then. */
static char *end_of_run_text(const struct subsystem *s)
{
	static const char *const why[EXPIRY_COUNT] = {
		[EXPIRY_NONE] = "",
		[EXPIRY_START] = "was not ready in time (start_timeout",
		[EXPIRY_HEALTH] = "was unhealthy; ",
		[EXPIRY_WATCHDOG] = "gave no sign of life in time (watchdog); ",
	};
	const struct ending *e = &s->end;
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	if (e->signal == 0 && e->exit_code == 0 && e->expiry == EXPIRY_NONE) {
		if (s->outcome != OUTCOME_FAILED)
			return NULL;
		return x_strdup(s->gave_up ? "exited with code 0"
					   : "exited with code 0 before it was ready");
	}
	strbuf_addstr(&out, why[e->expiry]);
	if (e->expiry == EXPIRY_START) {
		auto_free(strbuf_fini) struct strbuf missed = STRBUF_INIT;

		if (ready_missed(s, &missed))
			strbuf_addf(&out, ", waited for %s", missed.buf);
		strbuf_addstr(&out, "); ");
	}
	if (e->signal != 0)
		strbuf_addf(&out, "ended by %s%s", signame(e->signal),
			    e->core_dumped ? " (core dumped)" : "");
	else
		strbuf_addf(&out, "exited with code %d", e->exit_code);
	return strbuf_detach(&out);
}

/* The path that STAGE is about; NULL: none. */
static const char *stage_path(const struct subsystem_options *o, enum spawn_stage stage)
{
	switch (stage) {
	case STAGE_CHDIR:
		return o->rights->working_dir;
	case STAGE_ROOT_DIR:
		return o->rights->root_dir;
	case STAGE_STDIN:
		return o->streams->stdio[0].path;
	case STAGE_STDOUT:
		return o->streams->stdio[1].path;
	case STAGE_STDERR:
		return o->streams->stdio[2].path;
	default:
		return NULL;
	}
}

static char *own_end_text(const struct subsystem *s)
{
	const struct ending *e = &s->end;
	const char *path = stage_path(s->options, e->stage);
	struct error err = ERROR_INIT;

	if (s->proc.phase == PROC_DEFERRED) {
		error_set(&err, ERROR_SUBSYSTEM_START, s->proc.errnum,
			  "cannot be started now (stage %s), will be tried again",
			  enumtext_name(&spawn_stage_text, (int)s->proc.stage));
		return err.message;
	}
	if (!e->known)
		return NULL;
	if (e->status_lost)
		return x_strdup("ended while procd was not there; its exit status is unknown");
	if (e->stage == STAGE_EXEC) {
		const char *what = s->options->shell ? "/bin/sh" : s->options->command.items[0];

		error_set(&err, ERROR_SUBSYSTEM_START, e->errnum, "cannot execute \"%s\"", what);
		return err.message;
	}
	if (e->stage == STAGE_PRE_START)
		return hooks_trouble_text(s);
	if (s->start_trouble != NULL &&
	    (e->stage == STAGE_ENV_FILE || e->stage == STAGE_CREDENTIALS || e->stage == STAGE_LISTEN))
		return x_asprintf("start failed at stage %s: %s",
				  enumtext_name(&spawn_stage_text, (int)e->stage),
				  s->start_trouble);
	if (e->stage != STAGE_NONE) {
		error_set(&err, ERROR_SUBSYSTEM_START, e->errnum, "start failed at stage %s%s%s",
			  enumtext_name(&spawn_stage_text, (int)e->stage), path ? ": " : "",
			  path ? path : "");
		return err.message;
	}
	return end_of_run_text(s);
}

char *subsystem_end_text(const struct subsystem *s)
{
	char *end = own_end_text(s);
	auto_free(freep) char *own = NULL, *hook = NULL;

	const struct hook_trouble *trouble = &beside_of(s)->hook;

	if (!trouble->known || trouble->kind != TASK_POST_STOP)
		return end;
	own = end;
	hook = hooks_trouble_text(s);
	return own != NULL ? x_asprintf("%s; %s", own, hook) : take(hook);
}

void subsystem_degraded(const struct subsystem *s, struct strbuf *out)
{
	for (int i = 0; i < PLAN_CGROUP_LIMITS; i++)
		if (s->proc.missing >> i & 1)
			strbuf_addf(out, "%s%s is not in force: %s", out->len > 0 ? "\n" : "",
				    enumtext_name(&plan_cgroup_limit_text, i),
				    s->options->policy->kill_mode == KILL_MODE_GROUP ?
				    "procd has no cgroup version 2 controller for it here" :
				    "it needs kill_mode = \"group\"");
	if (s->proc.profiler != PRELOAD_FINE)
		strbuf_addf(out, "%sheap_profile is not in force: %s", out->len > 0 ? "\n" : "",
			    enumtext_name(&preload_verdict_text, s->proc.profiler));
}
