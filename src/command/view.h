/* One subsystem as status.get tells it, taken apart without a parse tree. */
#ifndef COMMAND_VIEW_H
#define COMMAND_VIEW_H

#include "control/scan.h"

struct view {	/* raw JSON values; n = 0: absent */
	struct span name, state, ready, health, health_detail, pid, uptime_ms, restart_count,
		gave_up, next_restart_ms, next_run_at, exit_code, signal, last_error, reason,
		waits_for, awaits, status_text, doing, degraded, rss_bytes, cpu_percent, threads,
		fds;
};

/* Calls EACH for every subsystem of a status result, and OTHER (may be NULL) for every other member
 * of it. False: the text is malformed. */
bool view_each(const char *text, size_t len, void (*each)(void *ctx, const struct view *v),
	       void (*other)(void *ctx, struct span key, struct span value), void *ctx);
static inline bool view_has(struct span v)	/* there, and not null */
{
	return v.n > 0 && !span_is(v, "null");
}
/* One object of that shape, e.g. the params of an event. False: not an object. */
bool view_read(struct span object, struct view *out);

#endif
