/* How a process ended, and what that means: a success or not, a restart or none. */
#include <sys/wait.h>

#include "base/clock.h"
#include "core/judge.h"
#include "core/live.h"

static bool is_success(const struct subsystem *s)
{
	const struct subsystem_options *o = subsystem_newest(s);
	int status = s->proc.wait_status;

	if (!s->proc.status_known || !WIFEXITED(status))
		return false;
	for (size_t i = 0; i < o->policy->nsuccess_exit_codes; i++)
		if (o->policy->success_exit_codes[i] == WEXITSTATUS(status))
			return true;
	return false;
}

bool judge_was_ready(const struct subsystem *s)
{
	/* A oneshot that has done its work did not die too early. */
	return ready_was(s) || (s->options->type == TYPE_ONESHOT && is_success(s) &&
				s->ready.expiry == EXPIRY_NONE);
}

static void note_ending(struct subsystem *s)
{
	int status = s->proc.wait_status;
	bool killed = s->ladder.step != LADDER_IDLE && s->end.killed;

	s->end = (struct ending){
		.known = true,
		.pid = s->proc.pid,
		.exit_code = -1,
		.killed = killed,
		.expiry = s->ready.expiry,
		.status_lost = !s->proc.status_known,
	};
	if (!s->proc.status_known) {
		tally_ended(s->core->tally, s->slot, s->id, -1, 0);
		return;
	}
	if (WIFSIGNALED(status)) {
		s->end.signal = WTERMSIG(status);
		s->end.core_dumped = WCOREDUMP(status);
	} else {
		s->end.exit_code = WEXITSTATUS(status);
	}
	tally_ended(s->core->tally, s->slot, s->id, s->end.exit_code, s->end.signal);
}

static bool leaves_for_good(const struct subsystem *s)
{
	const struct core *c = s->core;

	return c->main_leaves && strcmp(s->name, c->main_name) == 0;
}

/* Will it be restarted, when, or not any more? Only asked when nobody ordered anything else. */
static void consult_policy(struct subsystem *s, bool success)
{
	const struct subsystem_options *o = subsystem_newest(s);

	s->next_restart_ms = -1;
	s->next_restart_mono_ns = 0;
	if (!s->goal.up || s->bounce || s->kick || overlap_is_second(s) || leaves_for_good(s) ||
	    !backoff_policy_restarts(o, success))
		return;
	if (backoff_exhausted(o, s->attempt)) {
		s->gave_up = true;
		return;
	}
	s->next_restart_ms = backoff_delay_ms(o, s->attempt, &s->core->jitter);
	s->next_restart_mono_ns = clock_mono_ns() + s->next_restart_ms * NS_PER_MS;
}

enum fact judge_end(struct subsystem *s)
{
	const struct subsystem_options *o = subsystem_newest(s);
	int64_t ran_ns = s->proc.ended_mono_ns - s->proc.started_mono_ns;
	bool success = is_success(s) && s->state != STATE_STARTING &&
		       s->ready.expiry == EXPIRY_NONE;

	note_ending(s);
	if (s->state != STATE_STARTING && s->state != STATE_RUNNING)
		return FACT_DIED;
	if (s->state == STATE_RUNNING && ran_ns >= o->policy->restart_reset_after_ms * NS_PER_MS)
		s->attempt = 0;
	consult_policy(s, success);
	/* Restarted too often is a failure, however well each run ended. */
	success = success && !s->gave_up;
	s->outcome = success ? OUTCOME_SUCCEEDED : OUTCOME_FAILED;
	return success ? FACT_DONE : FACT_DIED;
}

void judge_failed_start(struct subsystem *s)
{
	s->proc.phase = PROC_NONE;
	if (s->state != STATE_STARTING)
		return;
	s->outcome = OUTCOME_FAILED;
	s->end = (struct ending){
		.known = true,
		.exit_code = -1,
		.stage = s->proc.stage,
		.errnum = s->proc.errnum,
	};
	consult_policy(s, false);
}
