/* Which command runs when, and what its end means. The tasks do the running (core/task.h); here
 * they are tied to the life of their owner.
 *
 * After a death of the supervisor a command that still runs is taken over, and one that has ended
 * is told, so that neither happens twice; only what nobody can tell anything about is done
 * again. */
#include "core/hooks.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/signame.h"
#include "core/action.h"
#include "core/ladder.h"
#include "core/live.h"
#include "core/publish.h"
#include "core/request.h"

static int64_t limit_ns(const struct subsystem *s, enum task_kind kind)
{
	/* The deadlines of the stop are those of stop_command. */
	return kind == TASK_STOP ? 0 : s->options->policy->hook_timeout_ms * NS_PER_MS;
}

static const struct strlist *command_of(const struct subsystem *s, enum task_kind kind)
{
	switch (kind) {
	case TASK_PRE_START:
		return &s->options->policy->pre_start;
	case TASK_POST_STOP:
		return &s->options->policy->post_stop;
	case TASK_STOP:
		return &s->options->policy->stop_command;
	case TASK_RELOAD:
		return &s->options->policy->reload_command;
	default:
		BUG("not a hook");
	}
}

static void run(struct subsystem *s, enum task_kind kind, const struct strlist *extra_env,
		task_done *done)
{
	task_start(s, kind, command_of(s, kind), extra_env, limit_ns(s, kind), done);
}

static char *text_of(const struct subsystem *s, enum task_kind kind, const struct task_result *r)
{
	auto_free(freep) char *how = task_result_text(r, limit_ns(s, kind));
	const struct strlist *command = command_of(s, kind);
	struct error e = ERROR_INIT;

	if (!r->started && r->stage == STAGE_EXEC && command->n > 0) {
		error_set(&e, ERROR_SUBSYSTEM_START, r->errnum, "%s: cannot execute \"%s\"",
			  enumtext_name(&task_kind_text, (int)kind), command->items[0]);
		return e.message;
	}
	return x_asprintf("%s %s", enumtext_name(&task_kind_text, (int)kind), how);
}

char *hooks_trouble_text(const struct subsystem *s)
{
	const struct hook_trouble *hook = &beside_of(s)->hook;

	return hook->known ? text_of(s, hook->kind, &hook->result) : NULL;
}

static void note_trouble(struct subsystem *s, enum task_kind kind, const struct task_result *r)
{
	beside_own(s)->hook = (struct hook_trouble){ .known = true, .kind = kind, .result = *r };
}

/* Not only something of procd's own that nobody waits for: it shows in the exit code. */
static void note_kill(const struct subsystem *s)
{
	if (shutdown_active(&s->core->shutdown))
		s->core->shutdown.killed = true;
}

static void tell_trouble(const struct subsystem *s, enum task_kind kind,
			 const struct task_result *r, const char *what_follows)
{
	auto_free(freep) char *text = text_of(s, kind, r);

	if (r->timed_out)
		note_kill(s);
	log_at(LOG_WARN, s->name, "%s%s", text, what_follows);
}

const char *hooks_doing(const struct subsystem *s)
{
	for (int kind = 0; kind < TASK_PROBE; kind++)
		if (task_running(s, (enum task_kind)kind))
			return enumtext_name(&task_kind_text, kind);
	return NULL;
}

/* --- pre_start -------------------------------------------------------------------------------- */

static void pre_start_done(struct subsystem *s, enum task_kind kind, const struct task_result *r);

static void run_pre_start(struct subsystem *s)
{
	run(s, TASK_PRE_START, NULL, pre_start_done);
}

static void pre_start_done(struct subsystem *s, enum task_kind kind, const struct task_result *r)
{
	if (!s->proc.in_pre_start)
		return;		/* S is being stopped: its end was all that mattered */
	if (task_succeeded(r)) {
		s->proc.in_pre_start = false;
		s->pre_started = true;
		turn_begun(s);
		action_send_start(s);
		return;
	}
	/* It ended while nobody could look. */
	if (r->started && !r->timed_out && !r->status_known &&
	    s->options->policy->pre_start.n > 0) {
		run_pre_start(s);
		return;
	}
	s->proc.in_pre_start = false;
	if (!r->started && action_is_our_trouble(s, r->stage, r->errnum)) {
		action_spawn_refused(s, r->stage, r->errnum);
		return;
	}
	note_trouble(s, kind, r);
	s->proc.stage = STAGE_PRE_START;
	s->proc.errnum = r->errnum;
	subsystem_note(s, FACT_START_FAILED);
}

bool hooks_before_start(struct subsystem *s)
{
	if (s->options->policy->pre_start.n == 0 || s->pre_started)
		return false;
	/* It may take long, and the keeper has nothing of this start. */
	turn_answered(s);
	s->proc.in_pre_start = true;
	run_pre_start(s);
	publish_update(s);
	return true;
}

/* Wait until the hooks are through; then FACT_GONE comes again. */
static void hold(struct subsystem *s)
{
	s->proc.phase = PROC_REST;
	s->proc.tree_empty = true;
	s->proc.held = true;
	subsystem_mark(s);
}

bool hooks_cancel_start(struct subsystem *s)
{
	if (!s->proc.in_pre_start)
		return false;
	s->proc.in_pre_start = false;
	task_ask_to_end(s, TASK_PRE_START);
	hold(s);
	ladder_begin(s);
	return true;
}

bool hooks_resume_cancelled(struct subsystem *s)
{
	if (s->state != STATE_STOPPING || !task_running(s, TASK_PRE_START))
		return false;
	task_ask_to_end(s, TASK_PRE_START);
	hold(s);
	if (s->ladder.step == LADDER_IDLE)
		ladder_begin(s);
	else
		ladder_resume(s);
	return true;
}

bool hooks_in_the_way(const struct subsystem *s)
{
	for (int kind = 0; kind < TASK_PROBE; kind++)
		if (task_present(s, (enum task_kind)kind))
			return true;
	return false;
}

/* --- post_stop -------------------------------------------------------------------------------- */

static bool wants_post_stop(const struct subsystem *s)
{
	return s->options->policy->post_stop.n > 0 && s->proc.pid != 0 && !s->proc.post_stopped;
}

static bool in_kill_phase(const struct subsystem *s)
{
	return s->core->shutdown.phase >= PHASE_KILL;
}

static void post_stop_done(struct subsystem *s, enum task_kind kind, const struct task_result *r)
{
	struct hook_retry *retry = &beside_own(s)->post_stop;

	if (!r->started && action_is_our_trouble(s, r->stage, r->errnum) && !in_kill_phase(s)) {
		if (retry->tries == 0)
			tell_trouble(s, kind, r, "; trying again");
		timer_arm(&s->core->timers, &retry->timer,
			  clock_mono_ns() + backoff_spawn_retry_ms(retry->tries++) * NS_PER_MS);
		return;
	}
	retry->tries = 0;
	s->proc.post_stopped = true;
	if (task_succeeded(r)) {
		publish_update(s);
		return;
	}
	note_trouble(s, kind, r);
	tell_trouble(s, kind, r, "");
	publish_update(s);
}

static void run_post_stop(struct subsystem *s)
{
	auto_free(strlist_fini) struct strlist env = STRLIST_INIT;

	if (s->end.exit_code >= 0)
		strlist_take(&env, x_asprintf("PROCD_EXIT_CODE=%d", s->end.exit_code));
	else
		strlist_add(&env, "PROCD_EXIT_CODE=");
	strlist_take(&env, x_asprintf("PROCD_EXIT_SIGNAL=%s",
				      s->end.signal != 0 ? signame(s->end.signal) : ""));
	run(s, TASK_POST_STOP, &env, post_stop_done);
	publish_update(s);
}

bool hooks_after_end(const struct subsystem *s)
{
	return wants_post_stop(s) || hooks_in_the_way(s);
}

bool hooks_hold_gone(struct subsystem *s)
{
	if (s->proc.held || !hooks_after_end(s))
		return s->proc.held;
	hold(s);
	return true;
}

static void let_go(struct subsystem *s)
{
	if (!s->proc.held)
		return;
	/* Each of these is bounded: by the deadlines of the stop, and by a kill. */
	if (task_present(s, TASK_PRE_START) || task_present(s, TASK_STOP) ||
	    task_present(s, TASK_RELOAD))
		return;
	ladder_end(s);
	if (task_present(s, TASK_POST_STOP))
		return;
	if (wants_post_stop(s)) {
		if (timer_armed(&beside_of(s)->post_stop.timer) && !in_kill_phase(s))
			return;
		timer_disarm(&s->core->timers, &beside_own(s)->post_stop.timer);
		run_post_stop(s);
		return;
	}
	/* a reload may have taken it away while it was to be tried again */
	timer_disarm(&s->core->timers, &beside_own(s)->post_stop.timer);
	s->proc.held = false;
	subsystem_note(s, FACT_GONE);
}

/* --- stop_command ----------------------------------------------------------------------------- */

static void stop_done(struct subsystem *s, enum task_kind kind, const struct task_result *r)
{
	bool left = subsystem_has_process(s) && !s->proc.tree_empty;

	s->ladder.commanded = true;
	s->ladder.obeyed = task_succeeded(r);
	if (!s->ladder.obeyed)
		tell_trouble(s, kind, r, left ? "; the stop signal follows" : "");
	if (left && !(s->ladder.obeyed && subsystem_is_up(s)))
		ladder_ask(s);
	publish_update(s);
}

void hooks_main_ended(struct subsystem *s)
{
	if (s->ladder.obeyed)
		ladder_ask(s);
}

bool hooks_stop(struct subsystem *s)
{
	if (task_running(s, TASK_STOP) || (s->ladder.obeyed && subsystem_is_up(s)))
		return true;
	/* One that expired, or hangs, is not asked politely. */
	if (s->options->policy->stop_command.n == 0 || s->ladder.commanded || !subsystem_is_up(s) ||
	    s->state != STATE_STOPPING)
		return false;
	run(s, TASK_STOP, NULL, stop_done);
	return true;
}

static void kill_late(struct subsystem *s, enum task_kind kind)
{
	if (!task_running(s, kind))
		return;
	log_at(LOG_WARN, s->name, "%s did not end in time and was killed",
	       enumtext_name(&task_kind_text, (int)kind));
	note_kill(s);
	task_cancel(s, kind);
}

void hooks_climb(struct subsystem *s)
{
	if (s->ladder.step > LADDER_ASKED) {
		kill_late(s, TASK_STOP);
		s->ladder.commanded = true;
	}
	if (s->ladder.step == LADDER_KILLED)
		kill_late(s, TASK_PRE_START);
}

/* --- reload_command --------------------------------------------------------------------------- */

static bool may_reload(const struct subsystem *s)
{
	return subsystem_is_up(s) && s->state != STATE_STOPPING;
}

static void reload_done(struct subsystem *s, enum task_kind kind, const struct task_result *r);

static void run_reload(struct subsystem *s)
{
	struct reload_runs *r = &beside_own(s)->reloads;

	r->begun++;
	r->again = false;
	run(s, TASK_RELOAD, NULL, reload_done);
	publish_update(s);
}

static void reload_done(struct subsystem *s, enum task_kind kind, const struct task_result *r)
{
	struct reload_runs *runs = &beside_own(s)->reloads;

	free(take(runs->trouble));
	if (task_succeeded(r)) {
		log_at(LOG_INFO, s->name, "reloaded");
	} else {
		runs->trouble = text_of(s, kind, r);
		log_at(LOG_WARN, s->name, "%s", runs->trouble);
	}
	runs->ended = runs->begun;
	publish_update(s);
	request_progress(s);
	if (runs->again && may_reload(s) && s->options->policy->reload_command.n > 0)
		run_reload(s);
}

uint64_t hooks_reload(struct subsystem *s)
{
	if (!task_running(s, TASK_RELOAD)) {
		run_reload(s);
		return beside_of(s)->reloads.begun;
	}
	beside_own(s)->reloads.again = true;
	return s->beside->reloads.begun + 1;
}

/* Nothing can be reloaded any more. */
static void end_reloads(struct subsystem *s)
{
	const struct reload_runs *now = &beside_of(s)->reloads;
	bool open = now->again || now->ended < now->begun;
	struct reload_runs *r;

	if (may_reload(s) || !(open || task_running(s, TASK_RELOAD)))
		return;
	task_cancel(s, TASK_RELOAD);
	r = &beside_own(s)->reloads;
	r->begun += r->again;
	r->again = false;
	r->ended = r->begun;
	free(r->trouble);
	r->trouble = x_strdup("it ended, or was told to, before it was reloaded");
	request_progress(s);
}

void hooks_turn(struct subsystem *s)
{
	end_reloads(s);
	let_go(s);
}

void hooks_retime(struct subsystem *s)
{
	static const enum task_kind kinds[] = { TASK_PRE_START, TASK_POST_STOP, TASK_RELOAD };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		task_retime(s, kinds[i], limit_ns(s, kinds[i]));
}

/* --- after a death ---------------------------------------------------------------------------- */

static task_done *done_of(enum task_kind kind)
{
	switch (kind) {
	case TASK_PRE_START:
		return pre_start_done;
	case TASK_POST_STOP:
		return post_stop_done;
	case TASK_STOP:
		return stop_done;
	case TASK_RELOAD:
		return reload_done;
	default:
		BUG("nobody waits for such a task");
	}
}

/* Does a task of KIND still belong to what S is about to do? R is S's own record, or NULL. */
static bool goes_on(const struct subsystem *s, enum task_kind kind, const struct record *own)
{
	enum record_state state = own != NULL ? (enum record_state)atomic_load_explicit(
							&own->state, memory_order_acquire)
					      : RECORD_FREE;

	switch (kind) {
	case TASK_PRE_START:
		return (s->state == STATE_STARTING || s->state == STATE_STOPPING) &&
		       state == RECORD_FREE;
	case TASK_POST_STOP:
		return state == RECORD_GONE && !s->proc.post_stopped;
	case TASK_STOP:
		/* Idle: it was begun, and that could not be noted any more. */
		return s->state == STATE_STOPPING && state != RECORD_FREE &&
		       s->ladder.step <= LADDER_ASKED && !s->ladder.commanded;
	case TASK_RELOAD:
		return s->state != STATE_STOPPING && state == RECORD_RUNNING;
	default:
		return false;
	}
}

static const struct record *record_of(const struct subsystem *s)
{
	const struct records *all = s->core->records;

	return s->proc.slot < all->header->nslots ? record_get(all, s->proc.slot) : NULL;
}

/* Whose is a task of KIND, of the two that are called S? */
static struct subsystem *owner_of(struct subsystem *s, enum task_kind kind)
{
	struct subsystem *second = s->overlap != NULL ? s->overlap->second : NULL;

	return second != NULL && goes_on(second, kind, record_of(second)) ? second : s;
}

void hooks_recover(struct core *c, const struct record *r, enum record_state state)
{
	auto_free(freep) char *name = x_strndup(r->name, strcspn(r->name, "/"));
	struct subsystem *s = registry_find(&c->registry, name);
	bool condemned = r->flags & PLAN_DIE_WITH_KEEPER && r->fate & RECORD_TAKEN_OVER;
	enum task_kind kind;

	bool known = task_kind_of(r, &kind);

	if (s != NULL && known)
		s = owner_of(s, kind);
	if (s == NULL || !known || condemned || !goes_on(s, kind, record_of(s))) {
		task_kill_found(c, r, state);
		return;
	}
	task_adopt(s, kind, r, state, limit_ns(s, kind), done_of(kind));
	if (kind == TASK_RELOAD)
		beside_own(s)->reloads.begun++;
}
