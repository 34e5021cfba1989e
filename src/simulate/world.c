/* What happens in a simulated world, and when: each process of the keeper's table has times at
 * which it becomes ready and ends, and the clock goes from one of these, or of the core's, to the
 * next. */
#include "simulate/world.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rcu.h"
#include "config/defaults.h"
#include "config/store.h"
#include "core/notify.h"
#include "simulate/keeper.h"

#define SETTLE_TURNS 100000
#define CHAN_BYTES (16u << 20)
#define CHAN_HISTORY 65536
/* A Thursday. Plans by the time of day begin here, so that each run tells the same. */
#define REAL_EPOCH_NS (1767225600 * INT64_C(1000000000))

/* --- what processes do ------------------------------------------------------------------------ */

static bool is_victim(const struct world *w, const struct world_child *k)
{
	return w->scenario->name != NULL && !k->task && scenario_means(w->scenario->name, k->name);
}

static const struct subsystem_options *options_of(const char *name)
{
	return config_find(config_current(), name);
}

/* A probe that is a command ends well as soon as what it asks about is ready; others at once. */
static void begin_task(struct world *w, struct world_child *k)
{
	size_t n = strcspn(k->name, "/");
	auto_free(freep) char *owner = x_strndup(k->name, n);
	const struct board_record *r = board_find(w->board, owner);
	const struct world_child *main = r && r->slot < w->nchildren ? &w->children[r->slot] : NULL;

	k->end_ns = w->now_ns;
	if (strcmp(k->name + n, "/probe") == 0 && main != NULL && main->phase == ALIVE)
		k->end_ns = MAX(w->now_ns, main->ready_ns);
}

static void begin_main(struct world *w, struct world_child *k)
{
	const struct subsystem_options *o = options_of(k->name);
	int64_t takes = takes_of(w->takes, k->name);
	bool victim = is_victim(w, k);

	k->oneshot = o->type == TYPE_ONESHOT;
	k->ready = subsystem_ready_kind(o);
	k->ready_ns = k->ready == PROBE_EXEC ? w->now_ns : w->now_ns + takes;
	if (k->oneshot)
		k->end_ns = MAX(w->now_ns + takes, k->ready_ns);
	if (o->policy->watchdog_ms > 0) {
		k->beat_every_ns = MAX(o->policy->watchdog_ms, 2) * NS_PER_MS / 2;
		k->beat_ns = w->now_ns + k->beat_every_ns;
	}
	k->flaps = victim && w->scenario->kind == SCENARIO_FLAP;
	if (victim && w->scenario->kind == SCENARIO_CRASH_EVERY &&
	    w->now_ns + w->scenario->every_ns <= k->end_ns) {
		k->end_ns = w->now_ns + w->scenario->every_ns;
		k->wait_status = W_EXITCODE(1, 0);
	}
	if (victim && w->scenario->kind == SCENARIO_FAIL && k->oneshot)
		k->wait_status = W_EXITCODE(1, 0);
}

static void answer_start(struct world *w, uint32_t slot)
{
	struct world_child *k = &w->children[slot];
	struct km_started m = { .slot = slot, .spawn_id = k->spawn_id, .at_mono_ns = w->now_ns };

	k->phase = ALIVE;
	m.pid = ++w->last_pid;
	if (k->task)
		begin_task(w, k);
	else
		begin_main(w, k);
	if (is_victim(w, k) && w->scenario->kind == SCENARIO_FAIL && !k->oneshot) {
		k->phase = NOBODY;
		m.pid = 0;
		m.stage = STAGE_EXEC;
		m.errnum = ENOENT;
	}
	core_keeper_started(w->core, &m);
}

static void answer_end(struct world *w, uint32_t slot)
{
	struct world_child *k = &w->children[slot];
	struct km_exited m = { .slot = slot, .spawn_id = k->spawn_id, .at_mono_ns = w->now_ns,
			       .wait_status = k->wait_status };

	k->phase = EXITED;
	core_keeper_exited(w->core, &m);
}

/* It says itself, or the line of its log that is waited for says, that it is ready. */
static void answer_ready(struct world *w, uint32_t slot)
{
	struct world_child *k = &w->children[slot];
	struct notify_message m = { .words = k->ready == PROBE_FD ? NOTIFY_LINE : NOTIFY_READY };

	if (k->ready == PROBE_LOG && k->watched != k->spawn_id)
		return;
	k->told = true;
	if (k->ready == PROBE_NOTIFY || k->ready == PROBE_FD)
		core_notify(w->core, slot, &m);
	else if (k->ready == PROBE_LOG)
		core_line_matched(w->core, slot, k->spawn_id);
}

static bool answer_probe(struct world *w, struct world_child *k)
{
	bool passed = k->phase == ALIVE && k->ready_ns <= w->now_ns;
	uint64_t id = k->probe_id;

	if (id == 0 || (!passed && k->probe_until_ns > w->now_ns))
		return false;
	k->probe_id = 0;
	core_probed(w->core, id, passed ? PROBE_PASSED : PROBE_FAILED,
		    passed ? "it answers" : "no answer");
	return true;
}

static bool crashes(struct world *w, const struct world_child *k)
{
	return is_victim(w, k) && w->crash_ns <= w->now_ns;
}

/* One step of what lives in SLOT. False: there is none at this time. */
static bool step(struct world *w, uint32_t slot)
{
	struct world_child *k = &w->children[slot];
	struct notify_message alive = { .words = NOTIFY_WATCHDOG };
	uint64_t drain = k->drain, look = k->look;
	struct start_files *files = k->files;

	if (files != NULL) {
		k->files = NULL;
		core_files_read(w->core, files);
		return true;
	}
	if (drain != 0) {
		k->drain = 0;
		core_drained(w->core, slot, drain, NULL);
		return true;
	}
	if (look != 0) {
		k->look = 0;
		core_looked(w->core, slot, look, false);
		return true;
	}
	if (answer_probe(w, k))
		return true;
	if (k->phase == ASKED) {
		answer_start(w, slot);
		return true;
	}
	if (k->phase != ALIVE)
		return false;
	if (!k->told && k->ready_ns <= w->now_ns && !k->task) {
		answer_ready(w, slot);
		return k->told;
	}
	if (k->beat_ns <= w->now_ns) {
		k->beat_ns = w->now_ns + k->beat_every_ns;
		core_notify(w->core, slot, &alive);
		return true;
	}
	if (crashes(w, k)) {
		k->end_ns = w->now_ns;
		k->wait_status = W_EXITCODE(1, 0);
	}
	if (k->flaps && board_get(w->board, slot)->state == STATE_RUNNING) {
		k->end_ns = MIN(k->end_ns, w->now_ns);
		k->wait_status = W_EXITCODE(1, 0);
	}
	if (k->end_ns > w->now_ns)
		return false;
	answer_end(w, slot);
	return true;
}

/* --- time ------------------------------------------------------------------------------------- */

static struct world *the_world;

static int64_t mono_clock(void *ctx)
{
	(void)ctx;
	return the_world->now_ns;
}

static int64_t real_clock(void *ctx)
{
	(void)ctx;
	return REAL_EPOCH_NS + the_world->now_ns - WORLD_EPOCH_NS;
}

static bool due(const struct world *w)
{
	return core_next_deadline(w->core) <= w->now_ns ||
	       core_next_moment(w->core) <= real_clock(NULL);
}

bool world_settle(struct world *w)
{
	for (int turn = 0; turn < SETTLE_TURNS; turn++) {
		bool moved = false;

		core_settle(w->core);
		if (w->finished)
			return true;
		for (uint32_t slot = 0; slot < w->nchildren; slot++)
			moved |= step(w, slot);
		if (w->crash_ns <= w->now_ns)
			w->crash_ns = NEVER;
		if (!moved && !due(w))
			return true;
	}
	return false;
}

static int64_t child_next_ns(const struct world_child *k)
{
	int64_t next = NEVER;

	if (k->probe_id != 0)
		next = MIN(k->probe_until_ns, k->phase == ALIVE ? k->ready_ns : NEVER);
	if (k->phase != ALIVE)
		return next;
	if (!k->told && !k->task)
		next = MIN(next, k->ready_ns);
	return MIN(MIN(next, k->end_ns), k->beat_ns);
}

int64_t world_next_ns(const struct world *w)
{
	int64_t next = MIN(core_next_deadline(w->core), w->crash_ns);
	int64_t moment = core_next_moment(w->core);

	if (moment != NEVER)
		next = MIN(next, moment - REAL_EPOCH_NS + WORLD_EPOCH_NS);
	for (uint32_t slot = 0; slot < w->nchildren; slot++)
		next = MIN(next, child_next_ns(&w->children[slot]));
	return next == NEVER ? NEVER : MAX(next, w->now_ns + 1);
}

bool world_works(const struct world *w)
{
	for (uint32_t slot = 0; slot < w->nchildren; slot++)
		if (w->children[slot].phase == ALIVE && w->children[slot].oneshot)
			return true;
	return false;
}

/* --- life ------------------------------------------------------------------------------------- */

static void no_log(void *ctx, enum log_level level, const char *subsystem, const char *message)
{
	(void)ctx, (void)level, (void)subsystem, (void)message;
}

void world_init(struct world *w, struct config *config, const struct scenario *scenario,
		const struct takes *takes)
{
	*w = (struct world){ .scenario = scenario, .takes = takes, .now_ns = WORLD_EPOCH_NS,
			     .crash_ns = NEVER, .last_pid = 1000 };
	the_world = w;
	rcu_register_thread();
	clock_set_fake(mono_clock, NULL);
	clock_set_fake_real(real_clock, NULL);
	log_set_sink(no_log, NULL);
	w->chan = chan_open(-1, CHAN_BYTES, CHAN_HISTORY, CHAN_MUTEX, &(bool){ false });
	w->board = board_new(RECORDS_MAX_SLOTS);
	config_publish(config, 1);
}

void world_start(struct world *w)
{
	static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	static char *environment[] = { path, NULL };
	static const struct km_welcome welcome;
	struct core_setup setup = {
		.chan = w->chan, .board = w->board, .ops = &world_ops, .ops_ctx = w,
		.welcome = &welcome, .memory_fd = -1, .notes_fd = -1, .environment = environment,
		.random_seed = 1,
	};

	w->core = core_new(&setup);
	core_start(w->core);
}

void world_fini(struct world *w)
{
	core_free(w->core);
	config_publish(config_new(), 1);
	rcu_barrier();
	board_free(w->board);
	chan_close(w->chan);
	chan_free(w->chan);
	for (uint32_t slot = 0; slot < w->nchildren; slot++) {
		free(w->children[slot].name);
		start_files_free(w->children[slot].files);
	}
	free(w->children);
	log_set_sink(NULL, NULL);
	clock_set_fake(NULL, NULL);
	clock_set_fake_real(NULL, NULL);
	rcu_unregister_thread();
}
