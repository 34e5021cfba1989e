/* Framing and envelopes. The size and the depth of a line are known before anything is parsed, so
 * a hostile request costs one pass over at most 64 KiB. */
#include "control/rpc.h"

#include <errno.h>

#include "control/control.h"

void rpc_request_fini(struct rpc_request *r)
{
	json_decref(r->root);
	*r = (struct rpc_request)RPC_REQUEST_INIT;
}

int rpc_next_line(const char *buf, size_t n, size_t *pos, const char **line, size_t *len)
{
	const char *start = buf + *pos;
	size_t left = n - *pos;
	const char *end = memchr(start, '\n', MIN(left, (size_t)CONTROL_LINE_MAX + 1));

	if (!end)
		return left > CONTROL_LINE_MAX ? -E2BIG : 0;
	*line = start;
	*len = (size_t)(end - start);
	*pos += *len + 1;
	if (*len > 0 && start[*len - 1] == '\r')
		--*len;
	return 1;
}

/* Deepest nesting of containers; brackets inside strings do not count. */
static int depth_of(const char *s, size_t n)
{
	int depth = 0, deepest = 0;
	bool quoted = false;

	for (size_t i = 0; i < n; i++) {
		if (quoted) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				quoted = false;
			continue;
		}
		switch (s[i]) {
		case '"':
			quoted = true;
			break;
		case '{': case '[':
			depth++;
			deepest = MAX(deepest, depth);
			break;
		case '}': case ']':
			depth--;
			break;
		}
	}
	return deepest;
}

static int refuse(struct rpc_refusal *why, int code, const char *text)
{
	why->code = code;
	error_set(&why->error, ERROR_IO, 0, "%s", text);
	return -EINVAL;
}

static bool is_id(const json_t *id)
{
	return json_is_string(id) || json_is_number(id) || json_is_null(id);
}

static int parse_members(struct rpc_request *out, struct rpc_refusal *why)
{
	json_t *id = json_object_get(out->root, "id");
	const char *version = json_string_value(json_object_get(out->root, "jsonrpc"));
	json_t *method = json_object_get(out->root, "method");

	if (id && !is_id(id))
		return refuse(why, RPC_INVALID_REQUEST, "\"id\" must be a string or a number");
	out->id = id;
	if (!version || strcmp(version, "2.0") != 0)
		return refuse(why, RPC_INVALID_REQUEST, "\"jsonrpc\" must be \"2.0\"");
	if (!json_is_string(method))
		return refuse(why, RPC_INVALID_REQUEST, "\"method\" must be a string");
	out->method = json_string_value(method);
	out->params = json_object_get(out->root, "params");
	if (json_is_array(out->params) && json_array_size(out->params) == 0)
		out->params = NULL;
	if (out->params && !json_is_object(out->params))
		return refuse(why, RPC_INVALID_PARAMS,
			      "\"params\" must be an object (parameters by name)");
	return 0;
}

int rpc_parse(const char *line, size_t len, struct rpc_request *out, struct rpc_refusal *why)
{
	struct error e = ERROR_INIT;

	*out = (struct rpc_request)RPC_REQUEST_INIT;
	*why = (struct rpc_refusal){ 0 };
	if (depth_of(line, len) > CONTROL_DEPTH_MAX) {
		why->close = true;
		refuse(why, RPC_INVALID_REQUEST, "request is nested too deeply");
		return -EINVAL;
	}
	out->root = json_parse_untrusted(line, len, CONTROL_DEPTH_MAX, &e);
	if (!out->root) {
		why->code = RPC_PARSE_ERROR;
		error_set(&why->error, ERROR_IO, 0, "not JSON: %s", e.message);
		error_fini(&e);
		return -EINVAL;
	}
	if (json_is_array(out->root))
		return refuse(why, RPC_INVALID_REQUEST,
			      "batch requests are not supported: send one request per line");
	if (!json_is_object(out->root))
		return refuse(why, RPC_INVALID_REQUEST, "a request is an object");
	return parse_members(out, why);
}

void rpc_result_begin(struct strbuf *out, const json_t *id)
{
	strbuf_addstr(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	if (id)
		json_dump(id, out);
	else
		strbuf_addstr(out, "null");
	strbuf_addstr(out, ",\"result\":");
}

void rpc_result_end(struct strbuf *out)
{
	strbuf_addstr(out, "}\n");
}

void rpc_result(struct strbuf *out, const json_t *id, const json_t *result)
{
	rpc_result_begin(out, id);
	json_dump(result, out);
	rpc_result_end(out);
}

void rpc_error(struct strbuf *out, const json_t *id, int code, const struct error *e,
	       json_t *extra)
{
	auto_free(json_decrefp) json_t *object = json_error_object(code, e);

	if (extra)
		json_object_update(json_object_get(object, "data"), extra);
	strbuf_addstr(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	if (id)
		json_dump(id, out);
	else
		strbuf_addstr(out, "null");
	strbuf_addstr(out, ",\"error\":");
	json_dump(object, out);
	strbuf_addstr(out, "}\n");
}

void rpc_notify_begin(struct strbuf *out, const char *method)
{
	strbuf_addstr(out, "{\"jsonrpc\":\"2.0\",\"method\":\"");
	strbuf_addstr(out, method);
	strbuf_addstr(out, "\",\"params\":");
}

void rpc_notify_end(struct strbuf *out)
{
	strbuf_addstr(out, "}\n");
}
