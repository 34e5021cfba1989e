/* Talking to the running procd on behalf of a verb: find its socket, connect, ask, and turn what
 * goes wrong into a message and an exit code. */
#ifndef COMMAND_CALL_H
#define COMMAND_CALL_H

#include "command/cli.h"
#include "control/client.h"

#define CALL_PATIENCE_MS 30000

/* How long an answer may take when --timeout is not given. */
enum call_patience {
	CALL_PROMPT,		/* a question: CALL_PATIENCE_MS */
	CALL_PATIENT,		/* a deed: as long as it takes */
};

struct call {
	const struct cli_options *o;
	struct client client;
	char *path;		/* of the socket */
	enum call_patience patience;
};

/* Find and connect. 0, or the exit code after the failure was told. call_fini() in both cases. */
int call_open(struct call *call, const struct cli_options *o);
void call_fini(struct call *call);

/* Ask METHOD with PARAMS (taken). 0: *TEXT is the text of the result, valid until the next call.
 * Otherwise the exit code after the failure was told. */
int call_ask(struct call *call, const char *method, json_t *params, const char **text, size_t *len);
/* call_open() and the first call_ask() in one. call_fini() in any case. */
int call_begin(struct call *call, const struct cli_options *o, const char *method, json_t *params,
	       enum call_patience patience, const char **text, size_t *len);
/* call_begin(), a parse and call_fini() in one; *RESULT is the caller's. */
int call_once(const struct cli_options *o, const char *method, json_t *params,
	      enum call_patience patience, json_t **result);
/* The connection broke: a new one to the same socket, with the same deadline. A supervisor that
 * died is followed by another one on the same socket. 0 or negative errno, nothing told. */
int call_reopen(struct call *call);
/* Tell that the talk broke with RC of client_line() (0: the peer ended); the exit code. */
int call_broken(struct call *call, int rc);

/* Tell the error that LINE, an answer, holds; the exit code. */
int call_refused(struct call *call, const char *line, size_t len);

/* {"names":[...]} of the verb's arguments; without any: {} */
json_t *call_names(const struct cli_options *o);

/* Where the control socket is (caller frees). NULL: the failure was told, *EXIT_CODE is set. */
char *socket_find(const struct cli_options *o, int *exit_code);
/* The first of the instances that answer in the usual run directories, ", " between them (caller
 * frees); NULL: none. */
char *instances_running(void);

#endif
