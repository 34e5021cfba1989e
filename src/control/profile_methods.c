/* Profiles. A CPU profile is taken by the client: it is given perf events as file descriptors with
 * the answer, and holds the sampling in its hand; when it closes them, or dies, that is over. Here
 * is only remembered who was given some, so that another may tell him to finish. */
#include <config.h>

#include "base/alloc.h"
#include "config/store.h"
#include "control/heap_methods.h"
#include "control/methods.h"
#include "control/server.h"
#include "profile/cpu_open.h"

enum kind { KIND_CPU, KIND_HEAP };
ENUMTEXT(profile_kind, "kind of profile", [KIND_CPU] = "cpu", [KIND_HEAP] = "heap");

/* False: answered. */
static bool kind_known(struct connection *c, const struct rpc_request *r, enum kind *kind)
{
	const char *text = "cpu";
	int found;

	if (!param_text(c, r, "kind", &text))
		return false;
	found = enumtext_find(&profile_kind_text, text);
	if (found < 0) {
		reply_error(c, r, RPC_INVALID_PARAMS, ERROR_STATE_VALUE,
			    "\"%.32s\" is not a kind of profile (cpu, heap)", text);
		return false;
	}
	if (found == KIND_CPU ? !WITH_PROFILING : !WITH_HEAP_PROFILING) {
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_PLATFORM_FEATURE,
			    "this procd was built without %s profiles (--enable-%sprofiling)",
			    found == KIND_CPU ? "CPU" : "heap", found == KIND_CPU ? "" : "heap-");
		return false;
	}
	*kind = (enum kind)found;
	return true;
}

static struct control_order *profile_order(void)
{
	struct control_order *order = x_calloc(1, sizeof(*order));

	order->kind = CONTROL_PROFILE;
	return order;
}

static bool has_names(const struct rpc_request *r)
{
	json_t *names = json_object_get(r->params, "names");

	return names && !(json_is_array(names) && json_array_size(names) == 0);
}

void method_profile_start(struct connection *c, const struct rpc_request *r)
{
	struct control_order *order;
	enum kind kind;
	int64_t hz = 0;

	if (!kind_known(c, r, &kind) || !param_count(c, r, "hz", &hz))
		return;
	if (WITH_HEAP_PROFILING && kind == KIND_HEAP) {
		heap_profile_start(c, r, has_names(r));
		return;
	}
	rcu_enter();
	hz = json_object_get(r->params, "hz") ? hz : config_current()->profiling.cpu_hz;
	rcu_leave();
	if (hz < 1 || hz > CPU_HZ_MAX) {
		reply_error(c, r, RPC_INVALID_PARAMS, ERROR_STATE_VALUE,
			    "\"hz\" must be between 1 and %d", CPU_HZ_MAX);
		return;
	}
	order = profile_order();
	order->hz = (unsigned)hz;
	/* addresses of the kernel are for those who may see them anyhow */
	order->kernel = connection_access(c) == ACCESS_ADMIN;
	if (has_names(r) && !param_names(c, r, &order->request.names))
		control_order_free(order);
	else
		order_send(c, r, order);
}

void method_profile_stop(struct connection *c, const struct rpc_request *r)
{
	unsigned told = 0;
	enum kind kind;

	if (!kind_known(c, r, &kind))
		return;
	if (WITH_HEAP_PROFILING && kind == KIND_HEAP) {
		heap_profile_stop(c, r);
		return;
	}
	list_for_each(pos, &c->server->connections) {
		struct connection *other = list_entry(pos, struct connection, link);

		if (!other->profiling)
			continue;
		rpc_notify_begin(&other->out, "profile.stop");
		strbuf_addstr(&other->out, "{\"kind\":\"cpu\"}");
		rpc_notify_end(&other->out);
		other->profiling = false;
		told++;
		if (other == c)
			continue;
		list_remove(&other->busy);
		list_append(&c->server->busy, &other->busy);
		control_turn_again(c->server);
	}
	reply_result(c, r, json_pack("{s:i}", "told", (int)told));
}
