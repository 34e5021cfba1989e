/* THE table of verbs and methods: command line, help, protocol, permission and completion are loops
 * over it. A row with a NAME is a verb of the command line; a row with a METHOD is served on the
 * control socket; most rows are both. */
#ifndef CONTROL_VERB_H
#define CONTROL_VERB_H

#include "control/access.h"
#include "control/rpc.h"

enum verb_id {
	/* verbs, in the order of the help text */
	VERB_RUN, VERB_STATUS, VERB_START, VERB_STOP, VERB_RESTART, VERB_SIGNAL, VERB_RELOAD,
	VERB_SCALE, VERB_LOGS, VERB_EVENTS, VERB_WAIT, VERB_IS_ACTIVE, VERB_IS_READY, VERB_IS_FAILED, VERB_WHY,
	VERB_GRAPH, VERB_METRICS, VERB_TOP, VERB_PROFILE,
	VERB_PLAN, VERB_RELOAD_CONFIG, VERB_RESET_FAILED, VERB_LOG_LEVEL, VERB_REOPEN_LOGS,
	VERB_SHUTDOWN, VERB_UPGRADE, VERB_CHECK, VERB_CONFIG, VERB_IMPORT, VERB_SIMULATE, VERB_DOCTOR, VERB_FEATURES,
	/* hidden verbs: a role of procd itself, and what the build uses */
	VERB_HTTP, VERB_SCHEMA, VERB_SAMPLE, VERB_MDOC_KEYS,
	/* hidden, used by the shells */
	VERB_COMPLETE,
	/* methods that several verbs share, or none */
	METHOD_EVENTS_SUBSCRIBE, METHOD_LOGS_GET, METHOD_CONFIG_GET, METHOD_PROFILE_STOP,
	VERB_COUNT
};

enum verb_flag {
	VERB_HIDDEN = 1,	/* not in the overview */
	VERB_LOCAL = 2,		/* never talks to a running procd */
	VERB_SETS = 4,		/* takes --set */
	VERB_WEB = 8,		/* the web role may ask it */
};

struct verb_option {
	char letter;		/* 0: long form only */
	const char *name;
	const char *argument;	/* "SEQ"; NULL: a flag */
	const char *help;
};
#define VERB_OPTIONS_MAX 8

struct connection;

struct verb {
	const char *name;	/* NULL: method only */
	const char *method;	/* NULL: local verb */
	enum access access;	/* needed on the socket */
	const char *params;	/* names of the accepted parameters, blank-separated */
	const char *arguments;	/* "NAME..." for the usage line */
	int min_args, max_args;	/* max -1: any number */
	const char *summary;	/* one line of the overview */
	const char *details;	/* further help, may be NULL */
	struct verb_option options[VERB_OPTIONS_MAX];	/* ends at a NULL name */
	unsigned flags;
	/* Front thread: answer REQUEST (parameters are an object or NULL). NULL: client only. */
	void (*serve)(struct connection *c, const struct rpc_request *request);
};

extern const struct verb verb_table[VERB_COUNT];

const struct verb *verb_find(const char *name);			/* NULL: unknown */
const struct verb *verb_find_method(const char *method);	/* served; NULL: unknown */
/* The visible verb nearest to what was typed, NULL when none is near. */
const char *verb_nearest(const char *name);
static inline enum verb_id verb_id(const struct verb *v)
{
	return (enum verb_id)(v - verb_table);
}

#endif
