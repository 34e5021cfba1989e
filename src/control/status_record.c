/* One subsystem as `status.get` tells it: one list of members, written whole or as a table needs
 * it. */
#include "control/status_record.h"

#include "base/clock.h"
#include "base/signame.h"
#include "config/family.h"
#include "config/store.h"
#include "control/emit.h"
#include "metrics/sampler.h"
#include "output/output.h"

int64_t status_ms_since(int64_t now, int64_t then)
{
	return then == 0 || now < then ? 0 : (now - then) / NS_PER_MS;
}

enum use { USE_RECORD, USE_TABLE };	/* a table leaves out what says nothing, too */

struct writer {
	struct strbuf *out;
	bool brief;
};

static bool writes(const struct writer *w, enum use use)
{
	return use == USE_TABLE || !w->brief;
}

/* Does a value follow? If there is none, null has been written where it is due. */
static bool says(const struct writer *w, enum use use, const char *key, bool known)
{
	if (!writes(w, use))
		return false;
	if (!known && !w->brief)
		emit_null(w->out, key);
	return known;
}

static void put_text(const struct writer *w, enum use use, const char *key, const char *s)
{
	if (says(w, use, key, s != NULL))
		emit_text(w->out, key, s);
}

/* An empty text is none. */
static void put_said(const struct writer *w, enum use use, const char *key, const char *s)
{
	put_text(w, use, key, *s != '\0' ? s : NULL);
}

static void put_int(const struct writer *w, enum use use, const char *key, bool known,
		    int64_t value)
{
	if (says(w, use, key, known))
		emit_int(w->out, key, value);
}

static void put_bool(const struct writer *w, enum use use, const char *key, bool value)
{
	if (writes(w, use))
		emit_bool(w->out, key, value);
}

static void put_words(const struct writer *w, enum use use, const char *key, const char *text,
		      char separator)
{
	if (writes(w, use) && (*text != '\0' || !w->brief))
		emit_words(w->out, key, text, separator);
}

/* From the configuration: on the board a long list would be copied with each change. */
static void emit_depends_on(struct strbuf *out, const char *name)
{
	const struct subsystem_options *o = config_find(config_current(), name);

	emit_open(out, "depends_on", '[');
	for (size_t i = 0; o != NULL && i < o->links->depends_on.n; i++)
		emit_text(out, NULL, o->links->depends_on.items[i]);
	emit_close(out, ']');
}

/* The first one, for who expects one. */
static void put_group(const struct writer *w, const char *groups)
{
	size_t n = strcspn(groups, " ");

	if (says(w, USE_RECORD, "group", n > 0))
		emit_text_n(w->out, "group", groups, n);
}

/* As a moment of the time of day, also what is planned by the other clock. */
static void put_next_run(const struct writer *w, const struct board_record *r, int64_t now)
{
	auto_free(strbuf_fini) struct strbuf at = STRBUF_INIT;

	if (!says(w, USE_TABLE, "next_run_at", r->next_run_ns != 0))
		return;
	clock_format_rfc3339(r->next_run_ns + (r->next_run_real ? 0 : clock_real_ns() - now), &at);
	emit_text(w->out, "next_run_at", at.buf);
}

/* Rounded to a tenth; not negative. */
static void emit_percent(struct strbuf *out, const char *key, double value)
{
	uint64_t tenths = (uint64_t)(value * 10 + 0.5);
	char end[3] = { '.', (char)('0' + tenths % 10), '\0' };

	emit_uint(out, key, tenths / 10);
	strbuf_add(out, end, 2);
}

/* What its processes use, as far as it is known. */
static void put_resources(const struct writer *w, const struct sample *p)
{
	put_int(w, USE_TABLE, "rss_bytes", p != NULL, p ? (int64_t)p->now.rss_bytes : 0);
	if (says(w, USE_TABLE, "cpu_percent", p != NULL && p->cpu_percent >= 0))
		emit_percent(w->out, "cpu_percent", p->cpu_percent);
	put_int(w, USE_RECORD, "threads", p != NULL, p ? p->now.threads : 0);
	put_int(w, USE_RECORD, "fds", p != NULL && p->now.fds_known, p ? p->now.fds : 0);
}

static void put_degraded(const struct writer *w, const struct board_record *r,
			 struct output *output)
{
	auto_free(strbuf_fini) struct strbuf all = STRBUF_INIT;

	if (output != NULL && r->pid != 0)
		output_degraded_slot(output, r->slot, &all);
	if (all.len > 0)
		strbuf_addstr(&all, r->texts->degraded);
	put_words(w, USE_TABLE, "degraded", all.len > 0 ? all.buf : r->texts->degraded, '\n');
}

static void put_instance(const struct writer *w, const char *name)
{
	int instance = writes(w, USE_RECORD) ? instance_number(name, NULL) : -1;

	put_int(w, USE_RECORD, "instance", instance >= 0, instance);
}

void status_record_put(struct strbuf *out, bool brief, const struct board_record *r,
		       const struct sample *sample, struct output *output, int64_t now)
{
	const struct writer writer = { .out = out, .brief = brief }, *w = &writer;
	const struct board_texts *texts = r->texts;

	emit_open(w->out, NULL, '{');
	put_int(w, USE_RECORD, "id", true, (int64_t)r->id);
	put_text(w, USE_TABLE, "name", r->name);
	put_text(w, USE_TABLE, "state", enumtext_name(&subsystem_state_text, r->state));
	put_bool(w, USE_RECORD, "ready", r->ready);
	put_text(w, r->health != HEALTH_UNKNOWN ? USE_TABLE : USE_RECORD, "health",
		 enumtext_name(&health_text, r->health));
	put_said(w, USE_TABLE, "health_detail", texts->health_detail);
	put_int(w, USE_TABLE, "pid", r->pid > 0, r->pid);
	put_int(w, USE_TABLE, "uptime_ms", r->pid > 0, status_ms_since(now, r->started_mono_ns));
	put_int(w, USE_TABLE, "restart_count", true, r->restart_count);
	put_int(w, USE_RECORD, "attempt", true, r->attempt);
	put_bool(w, r->gave_up ? USE_TABLE : USE_RECORD, "gave_up", r->gave_up);
	put_int(w, USE_TABLE, "next_restart_ms", r->next_restart_mono_ns != 0,
		MAX(r->next_restart_mono_ns - now, 0) / NS_PER_MS);
	put_next_run(w, r, now);
	put_int(w, USE_TABLE, "exit_code", r->exit_code >= 0, r->exit_code);
	put_text(w, USE_TABLE, "signal", r->signal ? signame(r->signal) : NULL);
	put_text(w, USE_TABLE, "last_error", texts->last_error);
	put_text(w, USE_RECORD, "reason", enumtext_name(&reason_text, (int)r->reason));
	put_bool(w, USE_RECORD, "killed", r->killed);
	put_bool(w, USE_RECORD, "core_dumped", r->core_dumped);
	put_instance(w, r->name);
	put_int(w, USE_RECORD, "in_state_ms", true, status_ms_since(now, r->since_mono_ns));
	put_text(w, USE_RECORD, "goal", r->goal_up ? "up" : "down");
	put_text(w, USE_RECORD, "goal_why", r->goal_why);
	put_text(w, USE_RECORD, "type",
		 enumtext_name(&subsystem_type_text, r->oneshot ? TYPE_ONESHOT : TYPE_SERVICE));
	put_bool(w, USE_RECORD, "autostart", r->autostart);
	put_group(w, texts->groups);
	put_words(w, USE_RECORD, "groups", texts->groups, ' ');
	put_words(w, USE_TABLE, "waits_for", texts->waits_for, ' ');
	put_said(w, USE_TABLE, "awaits", texts->awaits);
	put_int(w, USE_RECORD, "start_timeout_left_ms", r->ready_by_mono_ns != 0,
		MAX(r->ready_by_mono_ns - now, 0) / NS_PER_MS);
	put_said(w, USE_TABLE, "status_text", texts->status);
	put_text(w, USE_TABLE, "doing", texts->doing);
	put_degraded(w, r, output);
	put_resources(w, sample);
	if (writes(w, USE_RECORD))
		emit_depends_on(w->out, r->name);
	put_text(w, USE_RECORD, "description", texts->description);
	put_int(w, USE_RECORD, "generation", true, (int64_t)r->generation);
	emit_close(w->out, '}');
}
