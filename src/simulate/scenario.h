/* What is to go wrong in a simulated run, and how long things take there. Pure; any thread. */
#ifndef SIMULATE_SCENARIO_H
#define SIMULATE_SCENARIO_H

#include "base/error.h"

enum scenario_kind {
	SCENARIO_START,		/* "start": nothing goes wrong */
	SCENARIO_CRASH,		/* "crash NAME": once, when everything is up */
	SCENARIO_CRASH_EVERY,	/* "crash NAME every TIME": each of its processes, that long after its start */
	SCENARIO_FLAP,		/* "flap NAME": each of its processes, as soon as it is ready */
	SCENARIO_FAIL,		/* "dependency NAME fails": it never gets as far as that */
};

struct scenario {
	enum scenario_kind kind;
	char *name;		/* a subsystem, or one with instances; NULL for SCENARIO_START */
	int64_t every_ns;	/* SCENARIO_CRASH_EVERY */
};

/* False: E says what is wrong. */
bool scenario_parse(const char *text, struct scenario *out, struct error *e);
void scenario_fini(struct scenario *s);

/* From a start until ready, or until the end of a oneshot. */
struct takes {
	struct take {
		char *name;
		int64_t ns;
	} *items;
	size_t n;
	int64_t any_ns;		/* of those that are not named */
};

#define TAKES_DEFAULT_NS (1000 * INT64_C(1000000))
#define TAKES_INIT { .any_ns = TAKES_DEFAULT_NS }

/* "NAME=TIME,NAME=TIME,TIME"; the one without a name is for all others. NULL is fine: nothing is
 * said. False: E says what is wrong. */
bool takes_parse(const char *text, struct takes *out, struct error *e);
void takes_fini(struct takes *t);
int64_t takes_of(const struct takes *t, const char *subsystem);

/* NAME is that subsystem, or the one whose instance it is. */
bool scenario_means(const char *name, const char *subsystem);

#endif
