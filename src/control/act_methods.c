/* Methods that change something: parameters become an order, the order goes to the main thread's
 * mailbox, its answer comes back through control_on_answer(). A client that leaves meanwhile does
 * not stop the action. */
#include "base/alloc.h"
#include "base/signame.h"
#include "config/family.h"
#include "control/methods.h"
#include "control/server.h"

static struct control_order *order_new(enum control_kind kind)
{
	struct control_order *order = x_calloc(1, sizeof(*order));

	order->kind = kind;
	return order;
}

void order_send(struct connection *c, const struct rpc_request *r,
		       struct control_order *order)
{
	struct control *s = c->server;

	order->control = s;
	order->connection = c->id;
	order->id = r->id ? json_incref(r->id) : NULL;
	c->pending++;
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	mailbox_send(s->setup.orders, &order->mail);
}

static void on_core_done(struct core_request *request)	/* main thread */
{
	control_answer(container_of(request, struct control_order, request));
}

static struct control_order *core_order_new(enum core_verb verb)
{
	struct control_order *order = order_new(verb == CORE_SCALE ? CONTROL_SCALE : CONTROL_CORE);

	order->request.verb = verb;
	order->request.done = on_core_done;
	return order;
}

static void act_on_names(struct connection *c, const struct rpc_request *r, enum core_verb verb)
{
	struct control_order *order = core_order_new(verb);

	if (param_names(c, r, &order->request.names) &&
	    param_bool(c, r, "no_wait", &order->request.no_wait))
		order_send(c, r, order);
	else
		control_order_free(order);
}

void method_start(struct connection *c, const struct rpc_request *r)
{
	act_on_names(c, r, CORE_START);
}

void method_stop(struct connection *c, const struct rpc_request *r)
{
	act_on_names(c, r, CORE_STOP);
}

void method_restart(struct connection *c, const struct rpc_request *r)
{
	struct control_order *order = core_order_new(CORE_RESTART);

	if (param_names(c, r, &order->request.names) &&
	    param_bool(c, r, "rolling", &order->request.rolling) &&
	    param_bool(c, r, "overlap", &order->request.overlap) &&
	    param_bool(c, r, "no_wait", &order->request.no_wait)) {
		/* several are never replaced at once */
		order->request.rolling |= order->request.overlap;
		order_send(c, r, order);
	} else {
		control_order_free(order);
	}
}

void method_reload(struct connection *c, const struct rpc_request *r)
{
	act_on_names(c, r, CORE_RELOAD_SUBSYSTEM);
}

void method_reset(struct connection *c, const struct rpc_request *r)
{
	struct control_order *order = core_order_new(CORE_RESET);

	if (!json_object_get(r->params, "names")) {
		strlist_add(&order->request.names, "all");
		order_send(c, r, order);
	} else if (param_names(c, r, &order->request.names)) {
		order_send(c, r, order);
	} else {
		control_order_free(order);
	}
}

void method_scale(struct connection *c, const struct rpc_request *r)
{
	struct control_order *order = core_order_new(CORE_SCALE);
	int64_t n = 0;

	if (!param_names(c, r, &order->request.names) || !param_count(c, r, "instances", &n) ||
	    !param_bool(c, r, "no_wait", &order->request.no_wait)) {
		control_order_free(order);
		return;
	}
	if (n < 1 || n > INSTANCES_MAX) {
		reply_error(c, r, RPC_INVALID_PARAMS, ERROR_STATE_VALUE,
			    "\"instances\" must be between 1 and %d", INSTANCES_MAX);
		control_order_free(order);
		return;
	}
	order->request.instances = (uint32_t)n;
	order_send(c, r, order);
}

/* "SIGTERM" or 15. */
static bool param_signal(struct connection *c, const struct rpc_request *r, int *signo)
{
	json_t *value = json_object_get(r->params, "signal");
	char digits[24];
	const char *text = json_string_value(value);

	if (json_is_integer(value)) {
		snprintf(digits, sizeof(digits), "%lld", (long long)json_integer_value(value));
		text = digits;
	}
	*signo = text ? signame_parse(text) : -1;
	if (*signo > 0)
		return true;
	reply_error(c, r, RPC_INVALID_PARAMS, ERROR_SIGNAL_INVALID, "\"%.32s\" is not a signal",
		    text ? text : "");
	return false;
}

void method_signal(struct connection *c, const struct rpc_request *r)
{
	struct control_order *order = core_order_new(CORE_SIGNAL);

	if (param_names(c, r, &order->request.names) &&
	    param_signal(c, r, &order->request.signo))
		order_send(c, r, order);
	else
		control_order_free(order);
}

void method_plan(struct connection *c, const struct rpc_request *r)
{
	order_send(c, r, order_new(CONTROL_PLAN));
}

void method_reload_config(struct connection *c, const struct rpc_request *r)
{
	struct control_order *order = order_new(CONTROL_RELOAD);

	if (param_bool(c, r, "allow_empty", &order->allow_empty))
		order_send(c, r, order);
	else
		control_order_free(order);
}

void method_reopen_logs(struct connection *c, const struct rpc_request *r)
{
	order_send(c, r, order_new(CONTROL_REOPEN_LOGS));
}

void method_log_level(struct connection *c, const struct rpc_request *r)
{
	auto_free(strbuf_fini) struct strbuf levels = STRBUF_INIT;
	struct control_order *order;
	const char *text = "";
	int level;

	if (!param_text(c, r, "level", &text))
		return;
	level = enumtext_find(&log_level_text, text);
	if (level < 0) {
		enumtext_join(&log_level_text, &levels);
		reply_error(c, r, RPC_INVALID_PARAMS, ERROR_STATE_VALUE,
			    "\"%.32s\" is not a log level (%s)", text, levels.buf);
		return;
	}
	order = order_new(CONTROL_LOG_LEVEL);
	order->level = (enum log_level)level;
	order_send(c, r, order);
}

void method_shutdown(struct connection *c, const struct rpc_request *r)
{
	struct control_order *order = core_order_new(CORE_SHUTDOWN);
	const char *text = enumtext_name(&shutdown_mode_text, SHUTDOWN_GRACEFUL);
	int mode;

	if (!param_text(c, r, "mode", &text) ||
	    !param_bool(c, r, "no_wait", &order->request.no_wait)) {
		control_order_free(order);
		return;
	}
	mode = enumtext_find(&shutdown_mode_text, text);
	if (mode < 0) {
		reply_error(c, r, RPC_INVALID_PARAMS, ERROR_STATE_VALUE,
			    "\"%.32s\" is not a shutdown mode (graceful, force, kill)", text);
		control_order_free(order);
		return;
	}
	order->request.mode = (enum shutdown_mode)mode;
	order_send(c, r, order);
}

void method_upgrade(struct connection *c, const struct rpc_request *r)
{
	struct control_order *order = order_new(CONTROL_UPGRADE);
	const char *binary = NULL;

	if (!param_text(c, r, "binary", &binary) ||
	    !param_bool(c, r, "keeper", &order->keeper_too) ||
	    !param_count(c, r, "handover", &order->handover)) {
		control_order_free(order);
		return;
	}
	if (binary && binary[0] != '/') {
		reply_error(c, r, RPC_INVALID_PARAMS, ERROR_STATE_VALUE,
			    "\"%.256s\" is not an absolute path", binary);
		control_order_free(order);
		return;
	}
	order->binary = x_strdup(binary);
	order_send(c, r, order);
}
