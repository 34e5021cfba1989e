/* One line for each change that an operator would want to find in a log afterwards; nothing for the
 * steps between. An end that nobody ordered is a warning; what needs a human, because no restart
 * will mend it, is an error. */
#include "core/narrate.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/units.h"
#include "core/live.h"

static void add_end(const struct subsystem *s, struct strbuf *out)
{
	auto_free(freep) char *end = subsystem_end_text(s);

	strbuf_addstr(out, end != NULL ? end : "exited with code 0");
	if (s->end.pid != 0)
		strbuf_addf(out, ", pid %d", s->end.pid);
	if (s->gave_up) {
		strbuf_addf(out, "; giving up (restart_max_attempts = %u)",
			    (unsigned)s->options->policy->restart_max_attempts);
	} else if (s->next_restart_ms >= 0) {
		strbuf_addstr(out, "; restart in ");
		duration_format(s->next_restart_ms, out);
	}
}

/* A command may well end with any code; that it cannot even begin is a mistake. */
static bool needs_human(const struct subsystem *s)
{
	return s->gave_up || (s->end.stage != STAGE_NONE && s->next_restart_ms < 0);
}

/* By itself, or because it was told to? */
static void tell_stopped(const struct subsystem *s)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	if (s->prev == STATE_RUNNING && s->end.known) {
		add_end(s, &text);
		log_at(LOG_INFO, s->name, "%s", text.buf);
	} else if (s->prev == STATE_STOPPING && subsystem_has_ended(s) && s->end.killed) {
		log_at(LOG_WARN, s->name, "stopped, but only by SIGKILL");
	} else {
		log_at(LOG_INFO, s->name, "stopped");
	}
}

void narrate_state(const struct subsystem *s)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	switch (s->state) {
	case STATE_RUNNING:
		log_at(LOG_INFO, s->name, s->reason == REASON_ADOPTED ? "adopted, pid %d" :
		       "started, pid %d", s->proc.pid);
		break;
	case STATE_FAILED:
		add_end(s, &text);
		log_at(needs_human(s) ? LOG_ERROR : LOG_WARN, s->name, "%s", text.buf);
		break;
	case STATE_STOPPED:
		tell_stopped(s);
		break;
	case STATE_STOPPING:
		log_at(LOG_DEBUG, s->name, "stopping");
		break;
	case STATE_STARTING:
	case STATE_RESTARTING:
	case STATE_NSTATES:
		break;
	}
}

void narrate_deferred(const struct subsystem *s)
{
	auto_free(freep) char *text = subsystem_end_text(s);

	log_at(LOG_WARN, s->name, "%s", text);
}

void narrate_expired(const struct subsystem *s)
{
	static const char *const why[EXPIRY_COUNT] = {
		[EXPIRY_START] = "not ready in time", [EXPIRY_WATCHDOG] = "no sign of life in time",
	};

	/* (Of health narrate_health() has just told.) */
	if (why[s->ready.expiry] != NULL)
		log_at(LOG_WARN, s->name, "%s: it is ended", why[s->ready.expiry]);
}

void narrate_missing(const struct subsystem *s)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	subsystem_degraded(s, &text);
	for (char *line = text.buf, *end; *line != '\0'; line = end) {
		end = line + strcspn(line, "\n");
		log_at(LOG_WARN, s->name, "%.*s", (int)(end - line), line);
		end += *end == '\n';
	}
}

void narrate_health(const struct subsystem *s)
{
	const struct checkup *h = checkup_of(s);

	if (h->health == HEALTH_HEALTHY)
		log_at(LOG_INFO, s->name, "healthy: %s", h->detail);
	else
		log_at(LOG_WARN, s->name, "unhealthy: %u probes in a row failed, the last one: %s",
		       h->failures, h->detail);
}

void narrate_budget(unsigned per_second)
{
	log_warn("too many quick restarts: they are held to %u per second over all subsystems",
		 per_second);
}

void narrate_reload(const struct config_diff *diff, const char *what)
{
	log_info("%s: %u added, %u removed, %u restarted, %u updated", what, diff->added.n,
		 diff->removed.n, diff->restarted.n, diff->updated.n);
	for (size_t i = 0; i < diff->settings.n; i++)
		log_info("%s is set anew", diff->settings.items[i]);
	for (size_t i = 0; i < diff->needs_procd_restart.n; i++)
		log_warn("%s has changed, but acts only after procd itself is restarted",
			 diff->needs_procd_restart.items[i]);
}

void narrate_recovery(size_t adopted, size_t lost)
{
	log_warn("the supervisor is back: %zu subsystems go on, %zu are lost", adopted, lost);
}

void narrate_shutdown(const char *why, unsigned total)
{
	log_info("shutting down (%s): %u to stop", why, total);
}
