/* The word of a program is only a wish: the keeper knows who is in the tree. Until it has answered,
 * an end of the process so far is held: the first process of a program that goes on in the
 * background ends right after it has named the other one, and the news of the two cross. One wish
 * at a time. */
#include "core/main_pid.h"

#include "base/log.h"
#include "core/action.h"
#include "core/facts.h"
#include "core/live.h"
#include "core/publish.h"

/* Its end was noted, and nothing was made of it yet: back to before. */
static void take_back_end(struct subsystem *s)
{
	subsystem_wait_cancel(s);
	s->facts &= ~(1u << FACT_DIED);
	s->proc.phase = PROC_UP;
	s->proc.end_held = true;
	if (s->state == STATE_RUNNING && s->attempt > 0)
		subsystem_wait(s, FACT_STABLE, s->proc.started_mono_ns +
			       s->options->policy->restart_reset_after_ms * NS_PER_MS);
	ready_resume(s);
}

void main_pid_known(struct subsystem *s)
{
	const struct core *c = s->core;
	int pid = s->ready.main_pid;

	if (pid == 0 || s->proc.following != 0)
		return;
	s->ready.main_pid = 0;
	if (pid == s->proc.pid || c->ops->follow == NULL)
		return;
	s->proc.following = pid;
	c->ops->follow(c->ops_ctx, s->proc.slot, s->proc.spawn_id, pid);
	if (s->proc.phase == PROC_DRAINING || s->proc.phase == PROC_ENDED)
		take_back_end(s);
}

void main_pid_named(struct subsystem *s, int pid)
{
	s->ready.main_pid = pid;
	if (s->proc.pid != 0)
		main_pid_known(s);
}

bool main_pid_holds_end(struct subsystem *s, int wait_status, int64_t at_mono_ns, bool tree_empty)
{
	if (s->proc.following == 0)
		return false;
	s->proc.end_held = true;
	s->proc.wait_status = wait_status;
	s->proc.ended_mono_ns = at_mono_ns;
	s->proc.tree_empty = tree_empty;
	return true;
}

void main_pid_gone(struct subsystem *s)
{
	if (s->proc.end_held)
		s->proc.tree_empty = true;
}

void core_keeper_main(struct core *c, const struct km_main *m)
{
	struct subsystem *s = facts_subsystem(c, m->slot, m->spawn_id);
	bool held;

	if (s == NULL || s->proc.following == 0 || s->proc.phase != PROC_UP)
		return;
	held = s->proc.end_held;
	s->proc.end_held = false;
	if (m->pid == s->proc.following) {
		log_at(LOG_INFO, s->name, "its main process is %d now, as it said", m->pid);
		s->proc.pid = m->pid;
		s->proc.tree_empty = false;
		action_output_pid(s, m->pid);
		publish_update(s);
		subsystem_mark(s);
		held = false;
	} else {
		log_at(LOG_WARN, s->name, "MAINPID=%d is ignored: no living process of its tree has "
		       "that number", s->proc.following);
	}
	s->proc.following = 0;
	if (held)
		facts_exited(s, s->proc.wait_status, s->proc.ended_mono_ns, s->proc.tree_empty, false);
	main_pid_known(s);
}
