/* From a line to a method and back: parse, find the row, check the permission and the names of
 * the parameters, call. Every refusal is an answer; only a line that cannot be trusted ends the
 * talk. */
#include <stdarg.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "config/store.h"
#include "control/passing.h"
#include "control/server.h"
#include "control/verb.h"

#define DENIAL_WINDOW_NS (10 * NS_PER_SEC)
#define NAMES_MAX 4096
#define NAME_PATTERN_MAX 256

/* --- answers ---------------------------------------------------------------------------------- */

void reply_result(struct connection *c, const struct rpc_request *r, json_t *result)
{
	if (r->id)
		rpc_result(&c->out, r->id, result);
	json_decref(result);
}

void reply_error(struct connection *c, const struct rpc_request *r, int rpc_code,
		 enum error_code code, const char *fmt, ...)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct error e = ERROR_INIT;
	va_list ap;

	tally_error(c->server->setup.tally, error_code_category(code));
	if (!r->id)
		return;
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	error_set(&e, code, 0, "%s", text.buf);
	rpc_error(&c->out, r->id, rpc_code, &e, NULL);
	error_fini(&e);
}

/* --- permission ------------------------------------------------------------------------------- */

enum access connection_access(const struct connection *c)
{
	enum access access;

	if (c == c->server->web)
		return ACCESS_READ;
	rcu_enter();
	access = access_of(&c->peer, geteuid(), config_current()->control.gid,
			   config_current()->control.read_gid);
	rcu_leave();
	return access;
}

static void log_denial(struct connection *c, const struct verb *verb)
{
	struct control *s = c->server;
	int64_t now = clock_mono_ns();

	if (s->denial_window_ns == 0 || now - s->denial_window_ns > DENIAL_WINDOW_NS) {
		if (s->denials > DENIALS_PER_WINDOW)
			log_warn("control: %u more refused requests",
				 s->denials - DENIALS_PER_WINDOW);
		s->denial_window_ns = now;
		s->denials = 0;
	}
	if (++s->denials <= DENIALS_PER_WINDOW)
		log_warn("control: refused %s to uid %lu, pid %ld", verb->method,
			 (unsigned long)c->peer.uid, (long)c->peer.pid);
}

static bool permitted(struct connection *c, const struct verb *verb, const struct rpc_request *r)
{
	if (c == c->server->web ? verb->flags & VERB_WEB : connection_access(c) >= verb->access)
		return true;
	log_denial(c, verb);
	reply_error(c, r, RPC_SERVER_ERROR, ERROR_IO_PERMISSION,
		    "permission denied: %s needs %s access (root, procd's own user%s)",
		    verb->method, enumtext_name(&access_text, (int)verb->access),
		    verb->access == ACCESS_ADMIN ? "" : ", or a group of [control]");
	return false;
}

/* --- parameters ------------------------------------------------------------------------------- */

static bool word_in(const char *word, const char *words)
{
	size_t n = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at += n)
		if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
			return n > 0;
	return false;
}

static bool params_known(struct connection *c, const struct verb *verb, const struct rpc_request *r)
{
	const char *key;
	json_t *value;

	json_object_foreach(r->params, key, value) {
		if (word_in(key, verb->params))
			continue;
		reply_error(c, r, RPC_INVALID_PARAMS, ERROR_STATE_VALUE,
			    "%s has no parameter \"%.64s\"%s%s", verb->method, key,
			    *verb->params ? "; it takes: " : "", verb->params);
		return false;
	}
	return true;
}

static bool bad_param(struct connection *c, const struct rpc_request *r, const char *key,
		      const char *what)
{
	reply_error(c, r, RPC_INVALID_PARAMS, ERROR_STATE_VALUE, "%s: \"%s\" must be %s", r->method,
		    key, what);
	return false;
}

static bool add_name(struct strlist *out, const json_t *name)
{
	size_t n = json_string_length(name);

	if (!json_is_string(name) || n == 0 || n > NAME_PATTERN_MAX ||
	    strlen(json_string_value(name)) != n)
		return false;
	strlist_add(out, json_string_value(name));
	return true;
}

bool param_names(struct connection *c, const struct rpc_request *r, struct strlist *out)
{
	static const char what[] = "an array of 1 to 4096 names of at most 256 bytes each";
	json_t *names = json_object_get(r->params, "names");
	json_t *name;
	size_t i;

	if (json_is_string(names))
		return add_name(out, names) || bad_param(c, r, "names", what);
	if (!json_is_array(names) || json_array_size(names) == 0 ||
	    json_array_size(names) > NAMES_MAX)
		return bad_param(c, r, "names", what);
	json_array_foreach(names, i, name)
		if (!add_name(out, name))
			return bad_param(c, r, "names", what);
	return true;
}

bool param_bool(struct connection *c, const struct rpc_request *r, const char *key, bool *out)
{
	json_t *value = json_object_get(r->params, key);

	if (value && !json_is_boolean(value))
		return bad_param(c, r, key, "true or false");
	if (value)
		*out = json_is_true(value);
	return true;
}

bool param_count(struct connection *c, const struct rpc_request *r, const char *key, int64_t *out)
{
	json_t *value = json_object_get(r->params, key);

	if (value && (!json_is_integer(value) || json_integer_value(value) < 0))
		return bad_param(c, r, key, "a whole number, 0 or greater");
	if (value)
		*out = json_integer_value(value);
	return true;
}

bool param_text(struct connection *c, const struct rpc_request *r, const char *key,
		const char **out)
{
	json_t *value = json_object_get(r->params, key);

	if (value && !json_is_string(value))
		return bad_param(c, r, key, "a string");
	if (value)
		*out = json_string_value(value);
	return true;
}

/* --- one line --------------------------------------------------------------------------------- */

static void carry_out(struct connection *c, const struct rpc_request *r)
{
	const struct verb *verb = verb_find_method(r->method);

	if (!verb) {
		reply_error(c, r, RPC_METHOD_NOT_FOUND, ERROR_PLATFORM_FEATURE,
			    "unknown method \"%.64s\"", r->method);
		return;
	}
	if (permitted(c, verb, r) && params_known(c, verb, r))
		verb->serve(c, r);
}

bool control_dispatch(struct connection *c, const char *line, size_t len)
{
	struct rpc_request request;
	struct rpc_refusal why;
	bool go_on = true;

	if (rpc_parse(line, len, &request, &why) < 0) {
		tally_error(c->server->setup.tally, error_code_category(why.error.code));
		rpc_error(&c->out, request.id, why.code, &why.error, NULL);
		error_fini(&why.error);
		go_on = !why.close;
	} else {
		carry_out(c, &request);
	}
	rpc_request_fini(&request);
	return go_on;
}

/* --- orders that come back -------------------------------------------------------------------- */

void control_order_free(struct control_order *order)
{
	strlist_fini(&order->request.names);
	strlist_fini(&order->request.affected);
	error_fini(&order->request.error);
	error_fini(&order->error);
	json_decref(order->request.failures);
	json_decref(order->request.notes);
	json_decref(order->result);
	json_decref(order->id);
	while (order->nfds > 0)
		close(order->fds[--order->nfds]);
	free(order->fds);
	free(order->binary);
	free(order);
}

static json_t *core_result(const struct core_request *request)
{
	json_t *names = json_array();

	for (size_t i = 0; i < request->affected.n; i++)
		json_array_append_new(names, json_text(request->affected.items[i]));
	return json_pack("{s:o, s:o}", "names", names, "notes",
			 request->notes ? json_incref(request->notes) : json_array());
}

/* Of several, some may have done well. */
static json_t *core_failures(const struct core_request *request)
{
	auto_free(map_fini) struct map failed = MAP_INIT;
	json_t *done = json_array(), *failure;
	size_t n;

	json_array_foreach(request->failures, n, failure)
		map_put(&failed, json_string_value(json_object_get(failure, "name")), failure);
	for (size_t i = 0; i < request->affected.n; i++)
		if (map_find(&failed, request->affected.items[i]) == NULL)
			json_array_append_new(done, json_text(request->affected.items[i]));
	return json_pack("{s:O, s:o, s:o}", "failures", request->failures, "done", done, "notes",
			 request->notes ? json_incref(request->notes) : json_array());
}

static void answer_core(struct connection *c, const struct control_order *order)
{
	const struct core_request *request = &order->request;
	auto_free(json_decrefp) json_t *value = NULL;

	if (!error_is_set(&request->error)) {
		value = core_result(request);
		rpc_result(&c->out, order->id, value);
		return;
	}
	if (request->failures)
		value = core_failures(request);
	rpc_error(&c->out, order->id, RPC_SERVER_ERROR, &request->error, value);
}

static void answer_other(struct connection *c, struct control_order *order)
{
	auto_free(json_decrefp) json_t *empty = json_object();

	if (order->nfds > 0) {
		passing_add(&c->passing, c->out.len, take(order->fds), order->nfds);
		c->profiling = true;
		order->nfds = 0;
	}
	if (error_is_set(&order->error))
		rpc_error(&c->out, order->id, RPC_SERVER_ERROR, &order->error, order->result);
	else
		rpc_result(&c->out, order->id, order->result ? order->result : empty);
}

static void count_failure(struct control *s, const struct control_order *order)
{
	const struct error *e = error_is_set(&order->request.error) ? &order->request.error :
		&order->error;

	if (error_is_set(e))
		tally_error(s->setup.tally, error_code_category(e->code));
}

void control_on_answer(void *ctx, struct mail *mail)
{
	struct control *s = ctx;
	struct control_order *order = container_of(mail, struct control_order, mail);
	struct connection *c = connection_find(s, order->connection);

	count_failure(s, order);
	if (c) {
		c->pending--;
		if (order->id && (order->kind == CONTROL_CORE || order->kind == CONTROL_SCALE))
			answer_core(c, order);
		else if (order->id)
			answer_other(c, order);
	}
	control_order_free(order);
	if (c)
		connection_run(c);
}
