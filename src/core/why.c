/* "Why is it so?" in sentences, from its board record, and those of what it waits for. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/signame.h"
#include "base/units.h"
#include "core/core.h"

static void say(json_t *lines, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(json_t *lines, const char *fmt, ...)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	json_array_append_new(lines, json_text(text.buf));
}

static void say_ago(json_t *lines, const struct board_record *r, int64_t now_mono_ns)
{
	auto_free(strbuf_fini) struct strbuf ago = STRBUF_INIT;
	int64_t ms = MAX(now_mono_ns - r->since_mono_ns, 0) / NS_PER_MS;

	duration_format(ms >= MS_PER_SEC ? ms / MS_PER_SEC * MS_PER_SEC : ms, &ago);
	say(lines, "%s for %s, because of: %s",
	    enumtext_name(&subsystem_state_text, (int)r->state), ago.buf,
	    enumtext_name(&reason_text, (int)r->reason));
}

static void say_restart(json_t *lines, const struct board_record *r, int64_t now_mono_ns)
{
	auto_free(strbuf_fini) struct strbuf in = STRBUF_INIT;
	int64_t left_ms = (r->next_restart_mono_ns - now_mono_ns) / NS_PER_MS;

	if (r->state != STATE_RESTARTING)
		return;
	if (left_ms <= 0) {
		say(lines, r->waiting ? "next restart: as soon as what it waits for is there" :
			   "next restart: as soon as nothing of the last process is left and its turn "
			   "has come");
		return;
	}
	duration_format(left_ms, &in);
	say(lines, "next restart (number %u since the last reset) in %s", r->attempt + 1, in.buf);
}

/* ITEM of waits_for: "NAME" or "NAME:CONDITION". */
static void say_wait(json_t *lines, const struct board *board, const char *item, size_t n)
{
	size_t name_len = MIN(strcspn(item, ": "), n);
	auto_free(freep) char *name = x_strndup(item, name_len);
	const struct board_record *r = board_find(board, name);
	const char *state = r ? enumtext_name(&subsystem_state_text, (int)r->state) : "not there";
	const char *health = r && r->health == HEALTH_UNHEALTHY ? ", but unhealthy" : "";
	bool failed = r && r->texts->last_error &&
		      (r->state == STATE_FAILED || r->state == STATE_RESTARTING);
	int condition = (int)(n - name_len) - 1;

	if (condition > 0)
		say(lines, "it waits for %s to %s %.*s; that is %s%s%s%s", name,
		    strncmp(item + name_len + 1, "healthy", (size_t)condition) == 0 ? "be" : "have",
		    condition, item + name_len + 1, state, health,
		    r && r->waiting ? ", and waits, too" : "",
		    r && !r->goal_up ? ", and meant to be down" : "");
	else
		say(lines, "it waits for %s, which is %s%s%s%s%s%s", name, state, health,
		    failed ? ": " : "", failed ? r->texts->last_error : "",
		    r && r->waiting ? ", and waits, too" : "",
		    r && !r->goal_up ? ", and meant to be down" : "");
}

static void say_waits(json_t *lines, const struct board *board, const struct board_record *r)
{
	for (const char *at = r->texts->waits_for; *at != '\0';) {
		size_t n = strcspn(at, " ");

		say_wait(lines, board, at, n);
		at += n + (at[n] == ' ');
	}
}

/* What a start under way needs to be a good one. */
static void say_awaits(json_t *lines, const struct board_record *r, int64_t now_mono_ns)
{
	auto_free(strbuf_fini) struct strbuf left = STRBUF_INIT;
	int64_t ms = MAX(r->ready_by_mono_ns - now_mono_ns, 0) / NS_PER_MS;

	if (*r->texts->awaits == '\0')
		return;
	duration_format(ms >= MS_PER_SEC ? ms / MS_PER_SEC * MS_PER_SEC : ms, &left);
	if (r->ready_by_mono_ns != 0)
		say(lines, "it waits for %s, %s left", r->texts->awaits, left.buf);
	else
		say(lines, "it waits for %s", r->texts->awaits);
}

static void say_next_run(json_t *lines, const struct board_record *r, int64_t now_mono_ns)
{
	auto_free(strbuf_fini) struct strbuf in = STRBUF_INIT, at = STRBUF_INIT;
	int64_t left_ns = r->next_run_ns - (r->next_run_real ? clock_real_ns() : now_mono_ns);

	if (!r->periodic || !r->goal_up)
		return;
	if (r->next_run_ns == 0) {
		if (r->pid != 0)
			say(lines, "its next run is planned when this one is over");
		return;
	}
	left_ns = MAX(left_ns, 0);
	duration_format(left_ns >= NS_PER_SEC ? left_ns / NS_PER_SEC * MS_PER_SEC :
						left_ns / NS_PER_MS, &in);
	clock_format_rfc3339(clock_real_ns() + left_ns, &at);
	say(lines, "next run in %s, at %.19sZ", in.buf, at.buf);
}

/* What its health probe has said. */
static void say_health(json_t *lines, const struct board_record *r)
{
	const char *health = enumtext_name(&health_text, (int)r->health);

	if (*r->texts->health_detail == '\0') {
		if (r->health != HEALTH_UNKNOWN)
			say(lines, "it is %s", health);
		return;
	}
	if (r->health_failures > 0)
		say(lines, "its health is %s; the last %u probes failed: %s", health,
		    r->health_failures, r->texts->health_detail);
	else
		say(lines, "it is %s: %s", health, r->texts->health_detail);
}

static void say_degraded(json_t *lines, const struct board_record *r)
{
	for (const char *line = r->texts->degraded; *line != '\0';) {
		int n = (int)strcspn(line, "\n");

		say(lines, "%.*s", n, line);
		line += n + (line[n] == '\n');
	}
}

static void say_cause(json_t *lines, const struct board_record *r)
{
	if (*r->texts->cause != '\0')
		say(lines, "it was started because %s had failed for good (on_failure)",
		    r->texts->cause);
}

static void say_goal(json_t *lines, const struct board_record *r)
{
	bool down = r->state == STATE_STOPPED || r->state == STATE_FAILED;

	if (!r->goal_up && strcmp(r->goal_why, "config") == 0)
		say(lines, "it is not started by itself (autostart = false)");
	else if (!r->goal_up && strcmp(r->goal_why, "health") == 0)
		say(lines, "it was stopped because it was unhealthy (on_unhealthy = \"stop\"): "
			   "`procd start` starts it again");
	else if (!r->goal_up)
		say(lines, "it is meant to be down: %s", r->goal_why);
	else if (r->waiting || r->periodic || *r->texts->awaits != '\0')
		return;
	else if (down && r->gave_up)
		say(lines, "all allowed restarts were made: `procd reset-failed` or `procd start` "
			   "begins anew");
	else if (down)
		say(lines, "its restart policy does not start it again after such an end");
}

static void say_end(json_t *lines, const struct board_record *r)
{
	if (r->texts->last_error != NULL && r->state == STATE_STARTING && r->pid == 0)
		say(lines, "%s", r->texts->last_error);
	else if (r->texts->last_error != NULL)
		say(lines, "last end: %s%s", r->texts->last_error,
		    r->killed ? " (SIGKILL was needed)" : "");
	else if (r->exit_code >= 0)
		say(lines, "last end: exited with code %d", r->exit_code);
	if (r->restart_count > 0)
		say(lines, "restarted %llu times in all, %u since the last reset",
		    (unsigned long long)r->restart_count, r->attempt);
}

json_t *core_why(const struct board *board, const struct board_record *r, int64_t now_mono_ns)
{
	json_t *j, *lines;

	if (r == NULL)
		return NULL;
	j = json_object();
	lines = json_array();
	say_ago(lines, r, now_mono_ns);
	if (r->pid != 0)
		say(lines, "its process is %d", r->pid);
	if (r->texts->doing != NULL)
		say(lines, "its %s is running", r->texts->doing);
	say_awaits(lines, r, now_mono_ns);
	if (*r->texts->status != '\0')
		say(lines, "it says: %s", r->texts->status);
	say_health(lines, r);
	say_degraded(lines, r);
	say_waits(lines, board, r);
	say_cause(lines, r);
	say_goal(lines, r);
	say_restart(lines, r, now_mono_ns);
	say_next_run(lines, r, now_mono_ns);
	say_end(lines, r);
	json_object_set_new(j, "name", json_text(r->name));
	json_object_set_new(j, "state",
			    json_text(enumtext_name(&subsystem_state_text, (int)r->state)));
	json_object_set_new(j, "goal", json_text(r->goal_up ? "up" : "down"));
	json_object_set_new(j, "why", lines);
	return j;
}
