/* What procd finds in the place where it is asked: findings, each with what it means and what would
 * change it. Client side, no daemon is asked. */
#ifndef COMMAND_DOCTOR_H
#define COMMAND_DOCTOR_H

#include "base/json.h"
#include "config/options.h"

enum finding {
	FINDING_OK,		/* it is there */
	FINDING_DEGRADED,	/* procd does without: EFFECT says what is worse then */
	FINDING_BROKEN,		/* something that the configuration asks for will not work */
	FINDING_COUNT
};
extern const struct enumtext finding_text;	/* "ok", "degraded", "broken" */

struct report {
	json_t *findings;	/* [{"name","status","effect"?,"fix"?}] */
	size_t counts[FINDING_COUNT];
};

/* EFFECT and FIX are only told of what is not well; copied. */
void report_add(struct report *r, const char *name, enum finding status, const char *effect,
		const char *fix);

/* doctor_machine.c: the kernel's features, what is mounted, settings of the system. */
void doctor_machine(struct report *r);
/* doctor_config.c: rights and limits that CONFIG (NULL: none is there) asks for. */
void doctor_config(struct report *r, const struct config *config);
/* Controllers of cgroup v2 that can be had here, "memory pids ..."; "" when there are none. */
void doctor_controllers(struct strbuf *out);
/* CAP is in effect. */
bool doctor_capable(int cap);

#endif
