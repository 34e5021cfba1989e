/* The other side of the door: a blocking JSON-RPC client for the command line. One thread. */
#ifndef CONTROL_CLIENT_H
#define CONTROL_CLIENT_H

#include <stdbool.h>

#include "base/json.h"

struct client {
	int fd;			/* -1: not connected */
	struct strbuf in;
	size_t pos;		/* of the first byte in IN that was not handed out */
	json_int_t last_id;
	int64_t deadline_ns;	/* monotonic, for all that follows; INT64_MAX: none */
	/* Gets every notification that arrives while an answer is awaited; may be NULL. */
	void (*notified)(void *ctx, const char *line, size_t len);
	void *ctx;
	bool takes_fds;		/* collect the descriptors that come with answers: */
	int *fds;		/* the caller may take them, with NFDS 0 then */
	size_t nfds;
};
#define CLIENT_INIT { .fd = -1, .in = STRBUF_INIT, .deadline_ns = INT64_MAX }
void client_fini(struct client *c);

/* 0, or negative errno with *E set (names PATH). */
int client_connect(struct client *c, const char *path, struct error *e);

/* The next line, without its end, valid until the next call. 1: got one; 0: the peer has ended;
 * -ETIMEDOUT; other negative errno. */
int client_line(struct client *c, const char **line, size_t *len);

/* Would client_line() return a line without waiting? */
bool client_has_line(const struct client *c);

/* Send METHOD with PARAMS (taken; may be NULL) and wait for its answer, as raw text in *LINE: the
 * caller's until the next call. Same return values as client_line(). */
int client_ask(struct client *c, const char *method, json_t *params, const char **line,
	       size_t *len);

/* Only send, within the deadline; the answer is one of the lines to come. 0 or negative errno; *ID
 * (may be NULL) is the answer's. */
int client_send(struct client *c, const char *method, json_t *params, json_int_t *id);
/* Which request LINE answers; 0: none. */
json_int_t client_answer_id(const char *line, size_t len);

/* What an answer line holds, without a full parse where possible: the text of its "result" member,
 * or NULL when it is an error (then parse the line). */
const char *client_result_text(const char *line, size_t len, size_t *result_len);
/* Is LINE a notification of METHOD? Then the text of its "params". NULL: it is not. */
const char *client_params_text(const char *line, size_t len, const char *method,
			       size_t *params_len);

#endif
