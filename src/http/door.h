/* The web role's side of the connection to procd. Procd connects, because only it can; what is
 * asked goes out as JSON-RPC, in order, and comes back in order. One thread. */
#ifndef HTTP_DOOR_H
#define HTTP_DOOR_H

#include <sys/types.h>

#include "base/json.h"
#include "base/list.h"
#include "base/loop.h"

#define DOOR_ANSWER_MAX (64u << 20)

/* One question. The asker's storage. */
struct door_question {
	struct list link;
	json_int_t id;
	int64_t asked_ns;
	/* ANSWER is the whole answer object, borrowed; NULL: there is none, and none will come. */
	void (*answered)(struct door_question *q, const json_t *answer);
};

struct door {
	struct ev_loop *loop;
	uid_t owner;
	struct loop_io listening, io;
	struct loop_timer patience;
	int fd;			/* -1: procd is not there */
	struct strbuf in, out;
	size_t scanned;		/* bytes of IN without a line end */
	json_int_t last_id;
	struct list waiting;
	void (*opened)(void *ctx);	/* procd is there */
	void *ctx;
};

/* LISTEN_FD stays the caller's. Only processes of OWNER are let in. */
void door_init(struct door *d, struct ev_loop *loop, int listen_fd, uid_t owner,
	       void (*opened)(void *ctx), void *ctx);
void door_fini(struct door *d);
/* False: procd is not there; nothing was asked. PARAMS is taken. Q->answered is called later, never
 * from within. */
bool door_ask(struct door *d, struct door_question *q, const char *method, json_t *params);
/* The asker is not interested any more. Harmless if it was answered. */
void door_forget(struct door_question *q);

#endif
