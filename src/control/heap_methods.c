/* Heap profiles. The client reads the books (profile/heap_record.h) from the memory of whoever
 * keeps them, with its own rights; it is told here which process that is. procd's own books are
 * opened and closed here, and only for who may do everything. */
#include "control/heap_methods.h"

#include <config.h>
#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config/store.h"
#include "control/methods.h"
#include "profile/heap_own.h"

/* A line of WORDS that begins with PREFIX, to be freed; NULL: there is none. */
static char *line_with(const char *words, const char *prefix)
{
	for (const char *at = words; *at != '\0';) {
		size_t n = strcspn(at, "\n");

		if (strncmp(at, prefix, strlen(prefix)) == 0)
			return x_strndup(at, n);
		at += n + (at[n] == '\n');
	}
	return NULL;
}

/* Inside a read section: can the heap of R be looked at? False: answered. */
static bool can_be_seen(struct connection *c, const struct rpc_request *r,
			const struct board_record *record)
{
	const struct subsystem_options *o = config_find(config_current(), record->name);
	auto_free(freep) char *why = line_with(record->texts->degraded, "heap_profile ");

	if (record->pid <= 0)
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_SUBSYSTEM_STATE, "\"%s\" is not running",
			    record->name);
	else if (o == NULL || o->rights->heap_profile == NULL)
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_SUBSYSTEM_STATE, "\"%s\" runs without the "
			    "heap profiler: set heap_profile = \"FILE\" in [subsystem.%s] and let it "
			    "start anew (procd reload-config)", record->name, record->name);
	else if (why != NULL)
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_SUBSYSTEM_STATE, "\"%s\": %s",
			    record->name, why);
	else
		return true;
	return false;
}

static void of_subsystem(struct connection *c, const struct rpc_request *r)
{
	auto_free(strlist_fini) struct strlist names = STRLIST_INIT;
	auto_free(freep) uint32_t *slots = NULL;
	const struct board *board = c->server->setup.board;
	const struct board_record *record;
	const char *unknown;
	size_t n = 0;

	if (!param_names(c, r, &names))
		return;
	rcu_enter();
	unknown = board_match(board, &names, &slots, &n);
	record = unknown == NULL && n == 1 ? board_get(board, slots[0]) : NULL;
	if (unknown != NULL)
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_SUBSYSTEM_NOT_FOUND,
			    "no subsystem matches \"%s\"", unknown);
	else if (record == NULL)
		reply_error(c, r, RPC_INVALID_PARAMS, ERROR_STATE_VALUE, "\"%s\" stands for %zu "
			    "subsystems: a heap profile is of one", names.items[0], n);
	else if (can_be_seen(c, r, record))
		reply_result(c, r, json_pack("{s:s, s:s, s:i, s:s}", "kind", "heap", "name",
			     record->name, "pid", (int)record->pid, "output",
			     config_current()->profiling.heap_output));
	rcu_leave();
}

static bool begin_own(struct connection *c, const struct rpc_request *r, bool begin)
{
	int ret = begin ? heap_own_start() : heap_own_is_on() ? 0 : -ENODATA;

	if (ret == -ENODATA)
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_STATE_TRANSITION, "procd's own heap is not "
			    "recorded: procd profile heap start begins (and it ends when the "
			    "supervisor is replaced)");
	else if (ret == -EALREADY)
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_STATE_TRANSITION, "procd's own heap is "
			    "recorded already: procd profile heap stop ends that");
	else if (ret == -ENOTSUP)
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_PLATFORM_FEATURE, "this procd cannot record "
			    "its own heap: something else stands in front of its malloc");
	else if (ret < 0)
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_RESOURCE_MEMORY,
			    "procd's own heap cannot be recorded: %s", strerror(-ret));
	return ret == 0;
}

static void of_procd(struct connection *c, const struct rpc_request *r)
{
	struct control *s = c->server;
	bool begin = true, keep = false;
	const char *output = NULL;

	if (!param_bool(c, r, "begin", &begin) || !param_bool(c, r, "keep", &keep) ||
	    !param_text(c, r, "output", &output) || !begin_own(c, r, begin))
		return;
	if (begin) {
		free(s->heap_output);
		s->heap_output = x_strdup(output);
		c->keeps_heap = keep;
	}
	rcu_enter();
	reply_result(c, r, json_pack("{s:s, s:i, s:I, s:s}", "kind", "heap", "pid", (int)getpid(),
		     "address", (json_int_t)heap_own_address(), "output",
		     s->heap_output != NULL ? s->heap_output
					    : config_current()->profiling.heap_output));
	rcu_leave();
}

void heap_profile_start(struct connection *c, const struct rpc_request *r, bool named)
{
	if (named)
		of_subsystem(c, r);
	else if (connection_access(c) == ACCESS_ADMIN)
		of_procd(c, r);
	else
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_IO_PERMISSION, "permission denied: procd's "
			    "own heap is for root and procd's own user");
}

void heap_profile_stop(struct connection *c, const struct rpc_request *r)
{
	bool was = heap_own_is_on();

	if (connection_access(c) != ACCESS_ADMIN) {
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_IO_PERMISSION, "permission denied: procd's "
			    "own heap is for root and procd's own user");
		return;
	}
	heap_own_stop();
	reply_result(c, r, json_pack("{s:b}", "stopped", was));
}

void heap_profile_left(struct connection *c)
{
	if (c->keeps_heap)
		heap_own_stop();
	c->keeps_heap = false;
}
