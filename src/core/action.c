/* From decision to deed. Each action has a part before the state is told (fields that the event
 * shows, and what a successor must find in memory) and a part after it (words to the keeper,
 * timers, follow-up facts): so a death between the two is repaired by doing the second part
 * again. */
#include <errno.h>

#include "base/clock.h"
#include "core/action.h"
#include "core/hooks.h"
#include "core/ladder.h"
#include "core/live.h"
#include "core/narrate.h"
#include "core/on_failure.h"
#include "core/prepare.h"
#include "core/publish.h"
#include "core/request.h"
#include "core/saved.h"

/* Does procd read its output? */
static bool captures(const struct subsystem_options *o)
{
	return stdio_is_captured(&o->streams->stdio[1]) || stdio_is_captured(&o->streams->stdio[2]);
}

/* --- making a process ------------------------------------------------------------------------- */

/* Short of something that comes back: whoever takes the step, the program is not to blame. */
static bool is_shortage(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == EAGAIN || errnum == ENOMEM;
}

bool action_is_our_trouble(const struct subsystem *s, enum spawn_stage stage, int errnum)
{
	switch (stage) {
	case STAGE_READY:
		return errnum != EBADF;	/* a limit below its number */
	case STAGE_SPAWN:
	case STAGE_OUTPUT:
	case STAGE_CGROUP:
		return true;	/* steps in places of procd's own */
	case STAGE_STDOUT:
		return is_shortage(errnum) || stdio_is_captured(&s->options->streams->stdio[1]);
	case STAGE_STDERR:
		return is_shortage(errnum) || stdio_is_captured(&s->options->streams->stdio[2]);
	default:
		return is_shortage(errnum);
	}
}

static void new_spawn(struct subsystem *s)
{
	struct core *c = s->core;

	if (s->next != NULL)
		subsystem_set_options(s, s->next);
	subsystem_wait_cancel(s);
	s->proc = (struct process){
		.phase = PROC_ASKED,
		.slot = overlap_place(s),
		.spawn_id = c->next_spawn_id++,
		.status_known = true,
	};
	free(take(s->end_tail));
	turn_begun(s);
	s->outcome = OUTCOME_NONE;
	s->next_restart_ms = -1;
	s->next_restart_mono_ns = 0;
	free(take(s->start_trouble));
	ready_reset(s);
	saved_store_head(c);
}

static void first_try(struct subsystem *s)
{
	s->spawn_tries = 0;
	s->pre_started = false;
	if (s->beside != NULL)
		s->beside->hook.known = false;
	new_spawn(s);
}

void action_output_pid(const struct subsystem *s, int pid)
{
	const struct core *c = s->core;

	if (s->attached && c->ops->output_pid != NULL)
		c->ops->output_pid(c->ops_ctx, s->slot, pid);
}

void action_spawn_refused(struct subsystem *s, enum spawn_stage stage, int errnum)
{
	s->proc.stage = stage;
	s->proc.errnum = errnum;
	action_output_pid(s, -1);
	turn_answered(s);
	subsystem_note(s, action_is_our_trouble(s, stage, errnum) ? FACT_DEFERRED
								    : FACT_START_FAILED);
}

void action_attach(struct subsystem *s)
{
	struct core *c = s->core;

	/* What a second one writes is the first one's. */
	if (s->attached || !captures(s->options) || overlap_is_second(s))
		return;
	s->attached = true;
	c->ops->output_attach(c->ops_ctx, s->slot, s->options);
}

/* The socket that it speaks through, where it is to have one. 0 or -errno. */
static int open_ways(struct subsystem *s, struct launch_ways *w)
{
	const struct subsystem_options *o = s->options;
	struct core *c = s->core;

	if (c->ops->notify_open == NULL)
		return 0;
	if (!subsystem_speaks(o)) {
		c->ops->notify_close(c->ops_ctx, s->proc.slot);
		return 0;
	}
	w->watchdog_ms = o->policy->watchdog_ms;
	w->announce = subsystem_notifies(o);
	w->ready_fd = subsystem_ready_kind(o) == PROBE_FD ? o->policy->ready->fd : 0;
	return c->ops->notify_open(c->ops_ctx, s->proc.slot, subsystem_uid(o), true, &w->socket);
}

void action_send_plan(struct subsystem *s, const struct start_files *files)
{
	struct core *c = s->core;
	struct launch_ways ways = {
		.sockets = &s->sockets, .capture_of = overlap_capture_of(s),
	};
	struct plan_builder *builder;
	const void *block;
	size_t size;
	int r = open_ways(s, &ways);

	if (r < 0) {
		action_spawn_refused(s, STAGE_READY, -r);
		return;
	}
	r = launch_build(&c->launch, s->options, files, &ways, config_current()->work_dir,
			 &builder, &block, &size);
	if (r == 0) {
		s->proc.asked_mono_ns = clock_mono_ns();
		r = c->ops->spawn(c->ops_ctx, s->proc.slot, s->proc.spawn_id, block, size);
		plan_free(builder);
	}
	if (r < 0)
		action_spawn_refused(s, STAGE_PLAN, -r);
}

void action_send_start(struct subsystem *s)
{
	int r;

	action_output_pid(s, 0);
	ready_watch(s);
	r = sockets_open(s);
	if (r < 0) {
		action_spawn_refused(s, STAGE_LISTEN, -r);
	} else if (sockets_pending(s)) {
		s->proc.binding = true;
		turn_answered(s);
	} else if (!prepare_begin(s)) {
		action_send_plan(s, NULL);
	}
}

void action_bound(struct subsystem *s, int errnum)
{
	s->proc.binding = false;
	if (errnum != 0) {
		action_spawn_refused(s, STAGE_LISTEN, errnum);
		return;
	}
	turn_begun(s);
	if (!prepare_begin(s))
		action_send_plan(s, NULL);
}

static void send_spawn(struct subsystem *s)
{
	action_attach(s);
	if (!hooks_before_start(s))
		action_send_start(s);
}

static void defer(struct subsystem *s)
{
	struct core *c = s->core;
	int64_t delay_ms = backoff_spawn_retry_ms(s->spawn_tries++);
	json_t *j;

	if (overlap_is_second(s))
		return;		/* that is the end of it */
	j = publish_ident(s);
	subsystem_wait(s, FACT_RETRY, clock_mono_ns() + delay_ms * NS_PER_MS);
	json_object_set_new(j, "stage", json_text(enumtext_name(&spawn_stage_text,
								 (int)s->proc.stage)));
	json_object_set_new(j, "errno", json_text(errno_name(s->proc.errnum)));
	json_object_set_new(j, "retry_ms", json_integer(delay_ms));
	event_send(c->chan, EVENT_SPAWN_DEFERRED, j);
	if (s->spawn_tries == 1)
		narrate_deferred(s);
	publish_update(s);
}

/* --- the end of a process --------------------------------------------------------------------- */

/* The end is told with the state that follows; what lives on of the tree is a rest. */
static void process_told(struct subsystem *s)
{
	if (s->proc.phase == PROC_ENDED)
		s->proc.phase = s->proc.tree_empty && !hooks_after_end(s) ? PROC_NONE : PROC_REST;
}

/* A start that failed left no record. */
static void release(struct subsystem *s)
{
	if (s->proc.pid != 0 && !s->proc.unrecorded)
		s->core->ops->release(s->core->ops_ctx, s->proc.slot, s->proc.spawn_id);
}

void action_finally_down(struct subsystem *s)
{
	struct core *c = s->core;

	if (!s->goal.up || s->kick || s->bounce || overlap_is_second(s))
		return;
	if (c->main_name != NULL && strcmp(c->main_name, s->name) == 0) {
		shutdown_request(c, SHUTDOWN_GRACEFUL, "command ended");
		return;
	}
	if (s->state != STATE_FAILED)
		return;
	if (subsystem_newest(s)->critical)
		shutdown_error(c, s);
	else
		on_failure_start(s);
}

static void after_end(struct subsystem *s)
{
	if (s->proc.phase != PROC_REST) {
		ladder_end(s);	/* one that expired was on it already */
		release(s);
	} else if (s->proc.tree_empty) {
		subsystem_note(s, FACT_GONE);
	} else {
		ladder_begin(s);
	}
	if (s->next_restart_ms >= 0)
		subsystem_note(s, FACT_WILL_RESTART);
	else
		action_finally_down(s);
}

/* --- small ones ------------------------------------------------------------------------------- */

void action_await_stable(struct subsystem *s)
{
	if (s->state == STATE_RUNNING && s->attempt > 0 && s->proc.phase == PROC_UP)
		subsystem_wait(s, FACT_STABLE, s->proc.started_mono_ns +
			       s->options->policy->restart_reset_after_ms * NS_PER_MS);
}

static void enter_run(struct subsystem *s)
{
	s->adopting = false;
	ready_entered(s);
	s->revived = false;
	health_begin(s);
	action_await_stable(s);
}

static void arm_backoff(struct subsystem *s)
{
	/* Never less than was told, counted from when it was told. */
	s->next_restart_mono_ns = MAX(s->next_restart_mono_ns,
				      s->since_mono_ns + s->next_restart_ms * NS_PER_MS);
	if (s->next_restart_mono_ns <= clock_mono_ns())
		s->due = true;
	else
		subsystem_wait(s, FACT_DUE, s->next_restart_mono_ns);
}

static void terminate(struct subsystem *s)
{
	if (prepare_cancel(s) || hooks_cancel_start(s))
		return;
	if (subsystem_has_process(s))
		ladder_begin(s);
	else
		subsystem_note(s, FACT_GONE);
}

static void clear_process(struct subsystem *s)
{
	ladder_end(s);
	subsystem_wait_cancel(s);
	s->proc.phase = PROC_NONE;
}

/* Nothing of the tree is left, in a state that does not change by that. */
static void rest_gone(struct subsystem *s)
{
	ladder_end(s);
	s->proc.phase = PROC_NONE;
	release(s);
	publish_update(s);
	request_progress(s);
}

/* It stays in its state until it has ended. */
static void expire(struct subsystem *s)
{
	static const enum reason reasons[EXPIRY_COUNT] = {
		[EXPIRY_START] = REASON_START_TIMEOUT, [EXPIRY_WATCHDOG] = REASON_WATCHDOG,
		[EXPIRY_HEALTH] = REASON_HEALTH,
	};

	narrate_expired(s);
	publish_ready(s, reasons[s->ready.expiry]);
	ladder_begin(s);
	publish_update(s);
}

void action_before(struct subsystem *s, enum action action)
{
	switch (action) {
	case ACT_SPAWN:
		s->attempt = 0;
		s->gave_up = false;
		s->kick = false;
		schedule_started(s);
		first_try(s);
		break;
	case ACT_SPAWN_AGAIN:
		s->attempt++;
		s->restart_count++;
		s->core->total_restarts++;
		first_try(s);
		break;
	case ACT_SPAWN_RETRY:
		new_spawn(s);
		saved_store(s);
		break;
	case ACT_ADOPT:
		s->adopting = true;
		s->kick = s->bounce;	/* what was to be replaced still is */
		break;
	case ACT_DEFER:
		s->proc.phase = PROC_DEFERRED;
		break;
	case ACT_ENTER_RUN:
		s->gave_up = false;
		break;
	case ACT_EXPIRE:
		subsystem_wait_cancel(s);
		ready_expire(s);
		break;
	case ACT_DECIDE:
		subsystem_wait_cancel(s);
		ready_cancel(s);
		health_end(s);
		process_told(s);
		break;
	case ACT_TERMINATE:
		subsystem_wait_cancel(s);
		ready_cancel(s);
		health_end(s);
		s->ready.expiry = EXPIRY_NONE;
		s->bounce = false;
		s->outcome = OUTCOME_NONE;
		break;
	case ACT_CANCEL:
		subsystem_wait_cancel(s);
		s->next_restart_ms = -1;
		s->next_restart_mono_ns = 0;
		break;
	case ACT_CLEAR:
		if (s->state == STATE_STOPPING)
			clear_process(s);
		break;
	default:
		break;
	}
}

void action_after(struct subsystem *s, enum action action)
{
	switch (action) {
	case ACT_SPAWN:
	case ACT_SPAWN_AGAIN:
	case ACT_SPAWN_RETRY:
		send_spawn(s);
		break;
	case ACT_ADOPT:
		subsystem_note(s, FACT_READY);
		break;
	case ACT_AWAIT_READY:
		ready_begin(s);
		break;
	case ACT_EXPIRE:
		expire(s);
		break;
	case ACT_NOTE_WELL:
		health_judge(s, HEALTH_HEALTHY);
		break;
	case ACT_NOTE_ILL:
		if (health_judge(s, HEALTH_UNHEALTHY)) {
			subsystem_wait_cancel(s);
			ready_cancel(s);
			s->ready.expiry = EXPIRY_HEALTH;
			expire(s);
		}
		break;
	case ACT_DEFER:
		defer(s);
		break;
	case ACT_ENTER_RUN:
		enter_run(s);
		break;
	case ACT_FORGET_ATTEMPTS:
		s->attempt = 0;
		publish_update(s);
		break;
	case ACT_DECIDE:
		after_end(s);
		break;
	case ACT_ARM_BACKOFF:
		arm_backoff(s);
		break;
	case ACT_TERMINATE:
		terminate(s);
		break;
	case ACT_CLIMB:
		ladder_climb(s);
		break;
	case ACT_NOTE_PID:
		publish_update(s);
		break;
	case ACT_NOTE_EXIT:
		process_told(s);
		if (s->proc.tree_empty) {
			subsystem_note(s, FACT_GONE);
			break;
		}
		hooks_main_ended(s);
		publish_update(s);
		break;
	case ACT_CLEAR:
		if (s->proc.phase == PROC_REST)
			rest_gone(s);
		else
			release(s);
		break;
	case ACT_EMPTY:
	case ACT_IGNORE:
	case ACT_CANCEL:
	case ACT_COUNT:
		break;
	}
}
