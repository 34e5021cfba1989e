/* A start that reads files asks for them and waits in phase ASKED, as if the keeper had been asked.
 * It counts among the starts in flight only while the keeper has it: a disk that hangs must not
 * hold up others. What comes for a start that was given up meanwhile is dropped. */
#include "core/prepare.h"

#include "base/alloc.h"
#include "core/action.h"
#include "core/facts.h"
#include "core/live.h"

enum spawn_stage prepare_stage(const struct subsystem_options *o, const struct start_files *f)
{
	bool credentials = f != NULL ? f->failed == START_FILES_CREDENTIALS
				     : o->rights->env_file.n == 0;

	return credentials ? STAGE_CREDENTIALS : STAGE_ENV_FILE;
}

bool prepare_begin(struct subsystem *s)
{
	struct core *c = s->core;
	int ret;

	if (!start_files_needed(s->options))
		return false;
	turn_answered(s);
	ret = c->ops->read_files(c->ops_ctx, s->options, s->proc.slot, s->proc.spawn_id);
	s->proc.reading = ret == 0;
	if (ret < 0)
		action_spawn_refused(s, prepare_stage(s->options, NULL), -ret);
	return true;
}

bool prepare_cancel(struct subsystem *s)
{
	if (s->proc.binding) {
		s->proc.binding = false;
		action_spawn_refused(s, STAGE_LISTEN, 0);
		return true;
	}
	if (!s->proc.reading)
		return false;
	s->proc.reading = false;
	action_spawn_refused(s, prepare_stage(s->options, NULL), 0);
	return true;
}

void core_files_read(struct core *c, struct start_files *f)
{
	struct subsystem *s = facts_subsystem(c, f->slot, f->spawn_id);

	if (!task_fact_files(c, f) && s != NULL && s->proc.reading) {
		s->proc.reading = false;
		if (f->failed != START_FILES_OK) {
			s->start_trouble = take(f->why);
			action_spawn_refused(s, prepare_stage(s->options, f), f->errnum);
		} else {
			s->proc.profiler = (uint8_t)f->profiler;
			turn_begun(s);
			action_send_plan(s, f);
		}
	}
	start_files_free(f);
}
