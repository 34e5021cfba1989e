/* JSON-RPC 2.0, one object per line: cutting, parsing, answering. No sockets, no threads; a line is
 * at most CONTROL_LINE_MAX bytes and CONTROL_DEPTH_MAX deep. Batch arrays are refused with a clear
 * error: pipelining gives the same effect. */
#ifndef CONTROL_RPC_H
#define CONTROL_RPC_H

#include <stdbool.h>

#include "base/json.h"

#define RPC_PARSE_ERROR (-32700)
#define RPC_INVALID_REQUEST (-32600)
#define RPC_METHOD_NOT_FOUND (-32601)
#define RPC_INVALID_PARAMS (-32602)
#define RPC_SERVER_ERROR (-32000)	/* the action failed; data says how */

struct rpc_request {
	json_t *root;		/* owned */
	json_t *id;		/* into ROOT; NULL: a notification, never answered */
	const char *method;	/* into ROOT */
	json_t *params;		/* into ROOT, an object; NULL: none */
};
#define RPC_REQUEST_INIT { 0 }
void rpc_request_fini(struct rpc_request *r);

/* Why a line is no request. */
struct rpc_refusal {
	int code;
	struct error error;
	bool close;		/* the peer is not to be trusted with another line */
};

/* The next line of BUF[*POS, N): 1 and *LINE, *LEN (without line end), *POS behind it; 0 = not
 * complete yet; -E2BIG = longer than the limit, complete or not. */
int rpc_next_line(const char *buf, size_t n, size_t *pos, const char **line, size_t *len);

/* 0: *OUT is filled. -EINVAL: *WHY tells (caller frees WHY->error); OUT->id is set when the id
 * could be read, so that the refusal can be addressed. Call rpc_request_fini() in both cases. */
int rpc_parse(const char *line, size_t len, struct rpc_request *out, struct rpc_refusal *why);

/* Append one answer line. ID NULL is written as null (errors only). EXTRA (borrowed, may be NULL):
 * members added to the error's data. */
void rpc_result(struct strbuf *out, const json_t *id, const json_t *result);
void rpc_error(struct strbuf *out, const json_t *id, int code, const struct error *e,
	       json_t *extra);
/* The same for results that are written by hand: text goes between the two. */
void rpc_result_begin(struct strbuf *out, const json_t *id);
void rpc_result_end(struct strbuf *out);
/* {"jsonrpc":"2.0","method":METHOD,"params": ... } around hand-written text. */
void rpc_notify_begin(struct strbuf *out, const char *method);
void rpc_notify_end(struct strbuf *out);

#endif
