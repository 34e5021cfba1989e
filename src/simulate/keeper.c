/* What the core wishes of its keeper, and of all the others that it knows by their deeds only:
 * noted in a table, answered in world.c. Sockets, logs and files are there, and nobody uses
 * them. */
#include "simulate/keeper.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"

static struct world_child *child_at(struct world *w, uint32_t slot)
{
	if (slot >= w->nchildren) {
		uint32_t n = MAX(slot + 1, w->nchildren * 2);

		w->children = x_reallocarray(w->children, n, sizeof(*w->children));
		memset(w->children + w->nchildren, 0, (n - w->nchildren) * sizeof(*w->children));
		w->nchildren = n;
	}
	return &w->children[slot];
}

static int op_spawn(void *ctx, uint32_t slot, uint64_t spawn_id, const void *block, size_t size)
{
	struct world_child *k = child_at(ctx, slot);
	const struct plan *plan = block;

	(void)size;
	free(k->name);
	*k = (struct world_child){
		.phase = ASKED, .spawn_id = spawn_id, .ready_ns = NEVER, .end_ns = NEVER,
		.beat_ns = NEVER, .name = x_strdup(plan_str(plan, plan->name)),
		/* asked before the start */
		.watched = k->watched, .probe_id = k->probe_id,
		.probe_until_ns = k->probe_until_ns, .look = k->look,
	};
	k->task = strchr(k->name, '/') != NULL;
	return 0;
}

static int op_read_files(void *ctx, struct subsystem_options *options, uint32_t slot,
			 uint64_t spawn_id)
{
	struct world_child *k = child_at(ctx, slot);

	/* They are all there, and empty. */
	start_files_free(k->files);
	k->files = start_files_new(options, slot, spawn_id);
	k->files->credentials = x_calloc(options->rights->credentials.n + 1,
					 sizeof(*k->files->credentials));
	for (size_t i = 0; i < options->rights->credentials.n; i++)
		k->files->credentials[i].data = x_strdup("");
	return 0;
}

static void op_signal(void *ctx, uint32_t slot, uint64_t spawn_id, int signo,
		      enum signal_scope scope, bool then_cont)
{
	struct world *w = ctx;
	struct world_child *k = child_at(w, slot);

	(void)scope;
	(void)then_cont;
	if (k->phase != ALIVE || k->spawn_id != spawn_id)
		return;
	k->end_ns = w->now_ns;
	k->wait_status = signo == SIGKILL ? SIGKILL : W_EXITCODE(0, 0);
}

static void op_release(void *ctx, uint32_t slot, uint64_t spawn_id)
{
	struct world_child *k = child_at(ctx, slot);

	if (k->spawn_id == spawn_id)
		k->phase = NOBODY;
}

static void op_attach(void *ctx, uint32_t slot, struct subsystem_options *options)
{
	(void)ctx, (void)slot, (void)options;
}

static void op_detach(void *ctx, uint32_t slot)
{
	(void)ctx, (void)slot;
}

static void op_drain(void *ctx, uint32_t slot, uint64_t spawn_id)
{
	child_at(ctx, slot)->drain = spawn_id;
}

static void op_watch(void *ctx, uint32_t slot, struct subsystem_options *options, uint64_t spawn_id)
{
	(void)options;
	child_at(ctx, slot)->watched = spawn_id;
}

static void *op_probe(void *ctx, uint64_t id, const struct probe_option *o, int64_t timeout_ns)
{
	struct world *w = ctx;
	struct world_child *k = child_at(w, (uint32_t)id);

	(void)o;
	k->probe_id = id;
	k->probe_until_ns = w->now_ns + timeout_ns;
	return (void *)((uintptr_t)(uint32_t)id + 1);
}

static void op_probe_cancel(void *ctx, void *handle)
{
	child_at(ctx, (uint32_t)((uintptr_t)handle - 1))->probe_id = 0;
}

static int op_notify_open(void *ctx, uint32_t slot, uid_t uid, bool fresh, const char **path)
{
	(void)ctx, (void)slot, (void)uid, (void)fresh;
	*path = "/run/procd/notify";
	return 0;
}

static void op_notify_close(void *ctx, uint32_t slot)
{
	(void)ctx, (void)slot;
}

static int op_listen(void *ctx, uint32_t slot, const char *address,
		     const struct subsystem_options *o)
{
	(void)ctx, (void)slot, (void)address, (void)o;
	return 0;
}

static void op_unlisten(void *ctx, uint32_t slot)
{
	(void)ctx, (void)slot;
}

static void op_await(void *ctx, uint32_t slot, bool on)
{
	(void)ctx, (void)slot, (void)on;
}

/* Nobody is connected: what is stopped when it is idle is. */
static bool op_look(void *ctx, const uint32_t *sockets, size_t n, uint32_t slot, uint64_t id)
{
	(void)sockets, (void)n;
	child_at(ctx, slot)->look = id;
	return true;
}

static void op_nothing(void *ctx)
{
	(void)ctx;
}

static void op_daemon_state(void *ctx, enum daemon_state state, bool booted, const char *text)
{
	struct world *w = ctx;

	(void)state, (void)text;
	w->booted |= booted;
}

static void op_finished(void *ctx, int exit_code)
{
	struct world *w = ctx;

	w->finished = true;
	w->exit_code = exit_code;
}

const struct core_ops world_ops = {
	.spawn = op_spawn, .read_files = op_read_files, .signal = op_signal, .release = op_release,
	.output_attach = op_attach, .output_detach = op_detach, .output_drain = op_drain,
	.output_watch = op_watch, .probe = op_probe, .probe_cancel = op_probe_cancel,
	.notify_open = op_notify_open, .notify_close = op_notify_close,
	.listen = op_listen, .unlisten = op_unlisten, .await = op_await,
	.look = op_look, .reload = op_nothing, .reopen_logs = op_nothing,
	.dump = op_nothing, .daemon_state = op_daemon_state, .finished = op_finished,
};
