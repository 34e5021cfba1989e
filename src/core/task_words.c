/* What a task is called, and how it ended, in words. */
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/signame.h"
#include "base/strbuf.h"
#include "base/units.h"
#include "core/task.h"
#include "keeper/record.h"

ENUMTEXT(task_kind, "task",
	[TASK_PRE_START] = "pre_start", [TASK_POST_STOP] = "post_stop",
	[TASK_STOP] = "stop_command", [TASK_RELOAD] = "reload_command", [TASK_PROBE] = "probe");

bool task_succeeded(const struct task_result *r)
{
	return r->started && !r->timed_out && r->status_known && WIFEXITED(r->wait_status) &&
	       WEXITSTATUS(r->wait_status) == 0;
}

char *task_result_text(const struct task_result *r, int64_t timeout_ns)
{
	auto_free(strbuf_fini) struct strbuf limit = STRBUF_INIT;
	struct error e = ERROR_INIT;

	if (!r->started) {
		error_set(&e, ERROR_SUBSYSTEM_START, r->errnum, "failed to start at stage %s",
			  enumtext_name(&spawn_stage_text, (int)r->stage));
		return e.message;
	}
	if (r->timed_out) {
		duration_format(timeout_ns / NS_PER_MS, &limit);
		return x_asprintf("did not end within %s and was killed", limit.buf);
	}
	if (!r->status_known)
		return x_strdup("ended while procd was not there; its exit status is unknown");
	if (WIFSIGNALED(r->wait_status))
		return x_asprintf("ended by %s", signame(WTERMSIG(r->wait_status)));
	return x_asprintf("exited with code %d", WEXITSTATUS(r->wait_status));
}

bool task_kind_of(const struct record *r, enum task_kind *kind)
{
	for (int i = 0; i < TASK_NKINDS; i++) {
		char name[NAME_CAP] = "";

		record_name_add_task(name, enumtext_name(&task_kind_text, i));
		*kind = (enum task_kind)i;
		if (strcmp(name + 1, record_name_task(r->name)) == 0)
			return true;
	}
	return false;
}
