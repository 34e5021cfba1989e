/* A core with a fake clock and a fake keeper. The keeper is strict: a spawn into a slot that is not
 * free, a release of a tree that lives, or a signal to a stranger fails the test. */
#ifndef CORE_FIXTURE_H
#define CORE_FIXTURE_H

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/rcu.h"
#include "config/defaults.h"
#include "config/family.h"
#include "config/part.h"
#include "config/probe.h"
#include "config/store.h"
#include "core/core.h"
#include "event/event.h"
#include "unit.h"

/* A test with more subsystems defines its own before. */
#ifndef FX_SLOTS
#define FX_SLOTS 1100
#define FX_SIGNALS 4096
#define FX_TURNS 1000
#endif

struct fx_child {
	int follow;		/* who is to be the main process; 0: nobody was asked for */
	uint64_t spawn_id;		/* of the latest spawn */
	bool asked, alive, exited, rest;
	int pid;
	int spawns;
	struct plan *plan;		/* copy of the latest */
	bool attached, drain;
	uint64_t watched;		/* the spawn whose output is; 0: none */
	/* the question that is asked, and how many were */
	uint64_t probe_id;		/* 0: none */
	int64_t probe_timeout_ns;
	struct probe_option *probed;	/* copy of the latest */
	int probes;
};

struct fx_signal {
	uint32_t slot;
	int signo;
	enum signal_scope scope;
	bool cont;
	int64_t at_ns;
};

struct fx {
	int64_t now;
	struct config *draft;		/* under construction */
	struct chan *chan;
	struct board *board;
	struct core *core;
	struct records records;
	struct km_welcome welcome;
	int memory_fd, notes_fd;
	struct fx_child child[FX_SLOTS];
	uint32_t nslots;		/* that were ever asked for */
	struct fx_signal signals[FX_SIGNALS];
	size_t nsignals;
	int next_pid;
	bool manual_exec;		/* starts are answered by the test */
	bool manual_drain, manual_follow;
	bool silent;			/* who ends has printed nothing */
	int spawn_error;		/* spawn op fails with it */
	bool finished;
	int exit_code;
	enum daemon_state state;
	bool booted;
	int state_calls;
	char status[256];
	int reloads, reopens, dumps;
	uint64_t cursor;
	json_t *event;			/* the last one read */
	const char *main_name;
	const struct config *before;	/* of an unfinished change */
};
static struct fx fx;

/* ck_assert for what runs millions of times: Check writes a line for each of its own. */
#define fx_insist(condition, ...)                                                                 \
	do {                                                                                      \
		if (!(condition))                                                                 \
			ck_abort_msg(__VA_ARGS__);                                                \
	} while (0)

static inline int64_t fx_clock(void *ctx)
{
	(void)ctx;
	return fx.now;
}

static inline int64_t fx_ms(void)
{
	return fx.now / NS_PER_MS;
}

/* --- configuration ---------------------------------------------------------------------------- */

static inline void fx_config(void)
{
	fx.draft = config_new();
	fx.draft->shutdown.timeout_ms = 5000;
	fx.draft->shutdown.force_timeout_ms = 10000;
	fx.draft->shutdown.kill_timeout_ms = 15000;
	fx.draft->shutdown.force_signal = SIGTERM;
}

/* A subsystem with default options but the restart delay, in the draft. */
static inline struct subsystem_options *fx_add(const char *name)
{
	struct subsystem_options *template = subsystem_options_template();
	struct subsystem_options *o = subsystem_options_new(template, name);
	struct config *c = fx.draft;

	subsystem_options_unref(template);
	strlist_add(&o->command, "/bin/true");
	streams_write(o)->stdio[1].kind = STDIO_NULL;
	streams_write(o)->stdio[2].kind = STDIO_NULL;
	c->subsystems = x_reallocarray(c->subsystems, c->nsubsystems + 1, sizeof(o));
	c->subsystems[c->nsubsystems++] = o;
	return o;
}

/* N instances of NAME, as the configuration would make them. */
static inline void fx_add_instances(const char *name, uint32_t n)
{
	struct subsystem_options *template = subsystem_options_template();
	struct config *c = fx.draft;
	struct family *f;

	c->families = x_reallocarray(c->families, c->nfamilies + 1, sizeof(*f));
	f = &c->families[c->nfamilies++];
	*f = (struct family){
		.name = x_strdup(name), .first = (uint32_t)c->nsubsystems, .n = n, .declared = n,
		.options = subsystem_options_new(template, name),
	};
	subsystem_options_unref(template);
	for (uint32_t i = 0; i < n; i++) {
		auto_free(freep) char *instance = x_asprintf("%s@%u", name, i);

		fx_add(instance);
	}
}

static inline struct config *fx_draft(void)
{
	struct config *c = fx.draft;

	fx.draft = NULL;
	config_index(c);
	return c;
}

/* --- ops -------------------------------------------------------------------------------------- */

static inline int fx_spawn(void *ctx, uint32_t slot, uint64_t spawn_id, const void *plan,
			   size_t size)
{
	struct fx_child *k = &fx.child[slot];

	(void)ctx;
	fx_insist(slot < FX_SLOTS, "slot %u", slot);
	if (fx.spawn_error != 0)
		return fx.spawn_error;
	fx_insist(!k->asked && !k->alive && !k->exited, "slot %u is not free", slot);
	fx_insist(spawn_id > k->spawn_id, "spawn_id used twice");
	fx_insist(plan_check(plan, size), "a bad plan");
	free(k->plan);
	k->plan = x_malloc(size);
	memcpy(k->plan, plan, size);
	k->spawn_id = spawn_id;
	k->asked = true;
	k->spawns++;
	fx.nslots = MAX(fx.nslots, slot + 1);
	if (slot >= atomic_load(&fx.records.header->nslots))
		atomic_store(&fx.records.header->nslots, slot + 1);
	return 0;
}

static inline void fx_signal_op(void *ctx, uint32_t slot, uint64_t spawn_id, int signo,
				enum signal_scope scope, bool cont)
{
	(void)ctx;
	fx_insist(spawn_id == fx.child[slot].spawn_id, "a signal to a stranger");
	fx_insist(fx.nsignals < FX_SIGNALS, "too many signals");
	fx.signals[fx.nsignals++] = (struct fx_signal){ slot, signo, scope, cont, fx.now };
}

static inline void fx_set_record(uint32_t slot, enum record_state state)
{
	atomic_store(&fx.records.slots[slot].state, (uint32_t)state);
}

static inline void fx_release(void *ctx, uint32_t slot, uint64_t spawn_id)
{
	struct fx_child *k = &fx.child[slot];

	(void)ctx;
	fx_insist(spawn_id == k->spawn_id, "a stranger was released");
	fx_insist(k->exited && !k->rest, "released while it lives");
	k->exited = false;
	fx_set_record(slot, RECORD_FREE);
}

static inline void fx_attach(void *ctx, uint32_t slot, struct subsystem_options *o)
{
	(void)ctx;
	(void)o;
	fx.child[slot].attached = true;
}

static inline void fx_detach(void *ctx, uint32_t slot)
{
	(void)ctx;
	fx.child[slot].attached = false;
}

static inline void fx_drain(void *ctx, uint32_t slot, uint64_t spawn_id)
{
	(void)ctx;
	fx_insist(fx.child[slot].attached, "drained without being attached");
	/* What runs beside the main process writes to the same streams. */
	if (spawn_id == fx.child[slot].spawn_id)
		fx.child[slot].drain = true;
}

static inline bool fx_silent(void *ctx, uint32_t slot)
{
	(void)ctx;
	(void)slot;
	return fx.silent;
}

static inline void fx_watch(void *ctx, uint32_t slot, struct subsystem_options *o,
			    uint64_t spawn_id)
{
	(void)ctx;
	fx_insist(fx.child[slot].attached, "watched without being attached");
	fx_insist(o->policy->ready->kind == PROBE_LOG, "watched for nothing");
	fx.child[slot].watched = spawn_id;
}

static inline void *fx_probe(void *ctx, uint64_t id, const struct probe_option *o,
			     int64_t timeout_ns)
{
	struct fx_child *k = &fx.child[(uint32_t)id];

	(void)ctx;
	fx_insist(k->probe_id == 0, "two questions at once");
	fx_insist(timeout_ns > 0, "no time to answer");
	k->probe_id = id;
	k->probe_timeout_ns = timeout_ns;
	k->probes++;
	probe_option_free(k->probed);
	k->probed = probe_option_copy(o);
	return k;
}

static inline void fx_probe_cancel(void *ctx, void *handle)
{
	struct fx_child *k = handle;

	(void)ctx;
	fx_insist(k->probe_id != 0, "nothing to cancel");
	k->probe_id = 0;
}

static inline void fx_reload(void *ctx)
{
	(void)ctx;
	fx.reloads++;
}

static inline void fx_reopen(void *ctx)
{
	(void)ctx;
	fx.reopens++;
}

static inline void fx_dump(void *ctx)
{
	(void)ctx;
	fx.dumps++;
}

static inline void fx_daemon_state(void *ctx, enum daemon_state state, bool booted,
				   const char *text)
{
	(void)ctx;
	fx.state = state;
	fx.booted = booted;
	fx.state_calls++;
	snprintf(fx.status, sizeof(fx.status), "%s", text);
}

static inline void fx_finished(void *ctx, int exit_code)
{
	(void)ctx;
	ck_assert_msg(!fx.finished, "finished twice");
	fx.finished = true;
	fx.exit_code = exit_code;
}

/* Set by a test whose subsystems read files. */
static int (*fx_ops_read_files)(void *ctx, struct subsystem_options *options, uint32_t slot,
				uint64_t spawn_id);

static inline int fx_read_files(void *ctx, struct subsystem_options *options, uint32_t slot,
				uint64_t spawn_id)
{
	fx_insist(fx_ops_read_files != NULL, "nobody reads files here");
	return fx_ops_read_files(ctx, options, slot, spawn_id);
}

/* Set by a test whose subsystems listen. */
static int (*fx_ops_listen)(uint32_t slot, const char *address);
static void (*fx_ops_unlisten)(uint32_t slot);
static void (*fx_ops_fetch)(uint32_t slot, uint64_t spawn_id, size_t n);
static void (*fx_ops_await)(uint32_t slot, bool on);
static bool fx_connected;	/* any socket of any */
static void (*fx_before_start)(void);

static inline int fx_listen(void *ctx, uint32_t slot, const char *address,
			    const struct subsystem_options *o)
{
	(void)ctx;
	(void)o;
	fx_insist(fx_ops_listen != NULL, "nobody listens here");
	return fx_ops_listen(slot, address);
}

static inline void fx_unlisten(void *ctx, uint32_t slot)
{
	(void)ctx;
	fx_ops_unlisten(slot);
}

static inline void fx_fetch(void *ctx, uint32_t slot, uint64_t spawn_id, size_t n)
{
	(void)ctx;
	fx_insist(fx_ops_fetch != NULL, "nobody fetches sockets here");
	fx_ops_fetch(slot, spawn_id, n);
}

/* Set by a test whose subsystems watch files. */
static void (*fx_ops_watch_files)(void *ctx, uint32_t slot, uint64_t id,
				  const struct subsystem_options *o, uint32_t known);

static inline void fx_watch_files(void *ctx, uint32_t slot, uint64_t id,
				  const struct subsystem_options *o, uint32_t known)
{
	if (fx_ops_watch_files != NULL)
		fx_ops_watch_files(ctx, slot, id, o, known);
}

static inline void fx_await(void *ctx, uint32_t slot, bool on)
{
	(void)ctx;
	fx_ops_await(slot, on);
}

/* The answer comes later. */
static struct { bool asked; uint32_t slot; uint64_t id; } fx_looking;
static bool fx_look_held;	/* it does not come by itself */

static inline bool fx_look(void *ctx, const uint32_t *sockets, size_t n, uint32_t slot, uint64_t id)
{
	(void)ctx;
	(void)sockets;
	fx_insist(n > 0, "no socket to ask about");
	fx_insist(!fx_looking.asked, "one look at a time");
	fx_looking.asked = true;
	fx_looking.slot = slot;
	fx_looking.id = id;
	return true;
}

static inline void fx_answer_look(void)
{
	if (!fx_looking.asked)
		return;
	fx_looking.asked = false;
	core_looked(fx.core, fx_looking.slot, fx_looking.id, fx_connected);
}

static inline void fx_follow(void *ctx, uint32_t slot, uint64_t spawn_id, int pid)
{
	(void)ctx;
	fx_insist(spawn_id == fx.child[slot].spawn_id, "another process is meant");
	fx_insist(fx.child[slot].follow == 0, "one at a time");
	fx.child[slot].follow = pid;
}

/* The keeper's answer: yes, or no. */
static inline void fx_answer_follow(uint32_t slot, bool yes)
{
	struct fx_child *k = &fx.child[slot];
	struct km_main m = { .slot = slot, .spawn_id = k->spawn_id,
			     .pid = yes ? k->follow : k->pid };

	if (yes) {
		fx.records.slots[slot].pid = k->pid = k->follow;
		k->alive = true;
		k->exited = k->rest = false;
		fx_set_record(slot, RECORD_RUNNING);
	}
	k->follow = 0;
	core_keeper_main(fx.core, &m);
}

static const struct core_ops fx_ops = {
	.follow = fx_follow,
	.listen = fx_listen, .unlisten = fx_unlisten, .fetch = fx_fetch, .await = fx_await,
	.look = fx_look,
	.watch_files = fx_watch_files,
	.spawn = fx_spawn, .read_files = fx_read_files, .signal = fx_signal_op, .release = fx_release,
	.probe = fx_probe, .probe_cancel = fx_probe_cancel,
	.output_attach = fx_attach, .output_detach = fx_detach, .output_drain = fx_drain,
	.output_silent = fx_silent, .output_watch = fx_watch,
	.reload = fx_reload, .reopen_logs = fx_reopen, .dump = fx_dump,
	.daemon_state = fx_daemon_state, .finished = fx_finished,
};

/* --- the children's side ---------------------------------------------------------------------- */

static inline const struct board_record *fx_board(const char *name)
{
	return board_find(fx.board, name);
}

static inline uint32_t fx_slot(const char *name)
{
	const struct board_record *r = fx_board(name);

	fx_insist(r != NULL, "no subsystem %s", name);
	return r->slot;
}

static inline struct fx_child *fx_child(const char *name)
{
	return &fx.child[fx_slot(name)];
}

/* Was the process in SLOT given ITEM ("K=V")? */
static inline bool fx_has_env(uint32_t slot, const char *item)
{
	const struct plan *p = fx.child[slot].plan;
	const uint32_t *items = (const uint32_t *)(const void *)((const char *)p + p->envp);

	for (; *items != 0; items++)
		if (strcmp(plan_str(p, *items), item) == 0)
			return true;
	return false;
}

/* Set by a test that wants to see each process that comes into being. */
static void (*fx_on_exec)(uint32_t slot);

static inline void fx_exec_ok_slot(uint32_t slot)
{
	struct fx_child *k = &fx.child[slot];
	struct record *r = &fx.records.slots[slot];
	struct km_started m = { .slot = slot, .spawn_id = k->spawn_id, .at_mono_ns = fx.now };

	fx_insist(k->asked, "no start was asked for");
	k->asked = false;
	k->alive = true;
	k->pid = m.pid = ++fx.next_pid;
	r->slot = slot;
	r->spawn_id = k->spawn_id;
	r->pid = k->pid;
	r->flags = k->plan->flags;
	r->capture_of = k->plan->capture_of;
	r->started_mono_ns = fx.now;
	snprintf(r->name, sizeof(r->name), "%s", plan_str(k->plan, k->plan->name));
	fx_set_record(slot, RECORD_RUNNING);
	if (fx_on_exec != NULL)
		fx_on_exec(slot);
	if (fx.core != NULL)
		core_keeper_started(fx.core, &m);
}

static inline void fx_exec_fail_slot(uint32_t slot, enum spawn_stage stage, int errnum)
{
	struct fx_child *k = &fx.child[slot];
	struct km_started m = { .slot = slot, .spawn_id = k->spawn_id, .at_mono_ns = fx.now,
				.stage = stage, .errnum = errnum };

	fx_insist(k->asked, "no start was asked for");
	k->asked = false;
	core_keeper_started(fx.core, &m);
}

/* Turns of the loop until nothing moves at this time. */
static inline void fx_settle(void)
{
	for (int turn = 0; turn < FX_TURNS; turn++) {
		bool moved = false;

		core_settle(fx.core);
		for (uint32_t slot = 0; slot < fx.nslots; slot++) {
			if (fx.child[slot].asked && !fx.manual_exec) {
				fx_exec_ok_slot(slot);
				moved = true;
			}
			if (fx.child[slot].follow != 0 && !fx.manual_follow) {
				fx_answer_follow(slot, false);
				moved = true;
			}
			if (fx.child[slot].drain && !fx.manual_drain) {
				fx.child[slot].drain = false;
				core_drained(fx.core, slot, fx.child[slot].spawn_id, NULL);
				moved = true;
			}
		}
		if (!moved && core_next_deadline(fx.core) > fx.now)
			return;
	}
	ck_abort_msg("the core does not come to rest");
}

static inline void fx_end_slot(uint32_t slot, int wait_status, unsigned int tree_left)
{
	struct fx_child *k = &fx.child[slot];
	struct record *r = &fx.records.slots[slot];
	struct km_exited m = { .slot = slot, .spawn_id = k->spawn_id, .pid = k->pid,
			       .at_mono_ns = fx.now, .wait_status = wait_status,
			       .tree_left = tree_left, .fifos_empty = fx.silent };

	fx_insist(k->alive, "it is not alive");
	k->alive = false;
	k->exited = true;
	k->rest = tree_left > 0;
	r->exited_mono_ns = fx.now;
	r->wait_status = wait_status;
	fx_set_record(slot, k->rest ? RECORD_EXITED : RECORD_GONE);
	if (fx.core != NULL)
		core_keeper_exited(fx.core, &m);
}

static inline void fx_exit(const char *name, int code)
{
	fx_end_slot(fx_slot(name), W_EXITCODE(code, 0), 0);
	if (fx.core != NULL)
		fx_settle();
}

static inline void fx_die(const char *name, int signo)
{
	fx_end_slot(fx_slot(name), signo, 0);
	if (fx.core != NULL)
		fx_settle();
}

/* The main process ends, members of its tree stay. */
static inline void fx_exit_leaving(const char *name, int wait_status, unsigned int tree_left)
{
	fx_end_slot(fx_slot(name), wait_status, tree_left);
	if (fx.core != NULL)
		fx_settle();
}

static inline void fx_gone(const char *name)
{
	uint32_t slot = fx_slot(name);

	fx.child[slot].rest = false;
	fx_set_record(slot, RECORD_GONE);
	if (fx.core == NULL)
		return;
	core_keeper_gone(fx.core, slot, fx.child[slot].spawn_id);
	fx_settle();
}

/* Answer the question that is asked about NAME. */
static inline void fx_probed(const char *name, enum probe_result result, const char *detail)
{
	struct fx_child *k = fx_child(name);
	uint64_t id = k->probe_id;

	fx_insist(id != 0, "%s is not asked", name);
	k->probe_id = 0;
	core_probed(fx.core, id, result, detail);
	fx_settle();
}

/* --- time ------------------------------------------------------------------------------------- */

static inline void fx_advance_ms(int64_t ms)
{
	int64_t until = fx.now + ms * NS_PER_MS;

	for (;;) {
		int64_t next = core_next_deadline(fx.core);

		if (next > until)
			break;
		fx.now = MAX(next, fx.now);
		fx_settle();
		if (!fx_look_held)
			fx_answer_look();
	}
	fx.now = until;
	fx_settle();
}

/* --- what was told ---------------------------------------------------------------------------- */

/* The next event of any type; NULL: no more. Valid until the next call. */
static inline json_t *fx_next_event(void)
{
	struct strbuf body = STRBUF_INIT, line = STRBUF_INIT;
	uint64_t lost = 0;
	enum chan_result r = chan_try_recv(fx.chan, &fx.cursor, &body, &lost);

	json_decref(fx.event);
	fx.event = NULL;
	ck_assert_int_ne(r, CHAN_GAP);
	if (r == CHAN_OK) {
		json_error_t e;

		event_line(fx.cursor, body.buf, body.len, &line);
		fx.event = json_loads(line.buf, 0, &e);
		ck_assert_msg(fx.event != NULL, "not JSON: %s", line.buf);
	}
	strbuf_fini(&body);
	strbuf_fini(&line);
	return fx.event;
}

static inline const char *fx_str(const char *key)
{
	const char *s = json_string_value(json_object_get(fx.event, key));

	return s ? s : "";
}

static inline int64_t fx_int(const char *key)	/* null and absent: -1 */
{
	json_t *j = json_object_get(fx.event, key);

	return json_is_integer(j) ? (int64_t)json_integer_value(j) : -1;
}

static inline bool fx_true(const char *key)
{
	return json_is_true(json_object_get(fx.event, key));
}

static inline json_t *fx_next_of(const char *type)
{
	while (fx_next_event() != NULL)
		if (strcmp(fx_str("type"), type) == 0)
			return fx.event;
	return NULL;
}

/* The next state_changed is NAME's, to STATE. */
static inline void fx_expect(const char *name, const char *state, const char *reason)
{
	ck_assert_msg(fx_next_of("state_changed") != NULL, "no event; expected %s %s", name, state);
	ck_assert_str_eq(fx_str("name"), name);
	ck_assert_str_eq(fx_str("state"), state);
	ck_assert_str_eq(fx_str("reason"), reason);
}

static inline void fx_expect_type(const char *type)
{
	ck_assert_msg(fx_next_of(type) != NULL, "no event of type %s", type);
}

static inline void fx_expect_quiet(void)
{
	ck_assert_msg(fx_next_of("state_changed") == NULL, "unexpected %s %s", fx_str("name"),
		      fx_str("state"));
}

static inline void fx_skip_events(void)
{
	fx.cursor = chan_last_seq(fx.chan);
}

static inline const char *fx_state(const char *name)
{
	const struct board_record *r = fx_board(name);

	return r ? enumtext_name(&subsystem_state_text, (int)r->state) : "unknown";
}

/* Signals sent since the last call, as text: "TERM/tree+cont KILL/tree". */
static inline const char *fx_signals(void)
{
	static char text[512];
	static size_t from;
	size_t len = 0;

	if (from > fx.nsignals)
		from = 0;
	text[0] = '\0';
	for (; from < fx.nsignals && len < sizeof(text); from++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s/%s%s",
					len ? " " : "", sigabbrev_np(fx.signals[from].signo),
					fx.signals[from].scope == SCOPE_TREE ? "tree" : "main",
					fx.signals[from].cont ? "+cont" : "");
	return text;
}

/* --- orders ----------------------------------------------------------------------------------- */

struct fx_order {
	struct core_request r;
	struct list link;	/* in fx_orders */
	bool done;
};
static struct list fx_orders = LIST_HEAD_INIT(fx_orders);

static inline void fx_order_done(struct core_request *r)
{
	struct fx_order *o = container_of(r, struct fx_order, r);

	fx_insist(!o->done, "answered twice");
	o->done = true;
}

static inline struct fx_order *fx_order_new(enum core_verb verb)
{
	struct fx_order *o = x_calloc(1, sizeof(*o));

	o->r.verb = verb;
	o->r.done = fx_order_done;
	list_append(&fx_orders, &o->link);
	return o;
}

static inline struct fx_order *fx_order_signo(enum core_verb verb, const char *name, int signo)
{
	struct fx_order *o = fx_order_new(verb);

	o->r.signo = signo;
	if (name != NULL)
		strlist_add(&o->r.names, name);
	core_request(fx.core, &o->r);
	return o;
}

static inline struct fx_order *fx_order(enum core_verb verb, const char *name)
{
	struct fx_order *o = fx_order_signo(verb, name, 0);

	fx_settle();
	return o;
}

static inline void fx_order_free(struct fx_order *o)
{
	list_remove(&o->link);
	error_fini(&o->r.error);
	json_decref(o->r.failures);
	json_decref(o->r.notes);
	strlist_fini(&o->r.names);
	strlist_fini(&o->r.affected);
	free(o);
}

/* Its message, "" when it went well; frees it. */
static inline const char *fx_answer(struct fx_order *o)
{
	static char text[256];

	fx_insist(o->done, "not answered");
	snprintf(text, sizeof(text), "%s", o->r.error.message ? o->r.error.message : "");
	fx_order_free(o);
	return text;
}

/* --- life ------------------------------------------------------------------------------------- */

static inline void fx_quiet_log(void *ctx, enum log_level level, const char *subsystem,
				const char *message)
{
	(void)ctx;
	(void)level;
	(void)subsystem;
	(void)message;
}

static inline void fx_setup(void)
{
	list_init(&fx_orders);
	fx = (struct fx){ .now = 1000 * NS_PER_SEC, .next_pid = 100, .memory_fd = -1,
			  .notes_fd = -1 };
	rcu_register_thread();
	clock_set_fake(fx_clock, NULL);
	log_set_sink(fx_quiet_log, NULL);
	fx.chan = chan_open(-1, 1 << 20, 4096, CHAN_LOCK_FREE, &(bool){ false });
	fx.board = board_new(FX_SLOTS * 4);
	fx.records.header = x_calloc(1, sizeof(struct records_header));
	fx.records.slots = x_calloc(FX_SLOTS, sizeof(struct record));
	atomic_store(&fx.records.header->nslots, 16);
	fx_config();
}

static inline void fx_new_core(uint64_t seed)
{
	static char path[] = "PATH=/usr/bin:/bin", notify[] = "NOTIFY_SOCKET=/run/x";
	static char *environment[] = { path, notify, NULL };
	struct core_setup setup = {
		.chan = fx.chan, .board = fx.board, .ops = &fx_ops, .ops_ctx = &fx,
		.records = &fx.records, .welcome = &fx.welcome, .memory_fd = fx.memory_fd,
		.notes_fd = fx.notes_fd,
		.environment = environment, .random_seed = seed, .main_name = fx.main_name,
		.before = fx.before,
	};

	fx.core = core_new(&setup);
	if (fx_before_start != NULL)
		fx_before_start();
	core_start(fx.core);
	fx_settle();
}

/* Publish the draft and start. */
static inline void fx_start(void)
{
	config_publish(fx_draft(), 1);
	fx_new_core(7);
}

/* One subsystem "web", running. */
static inline void fx_start_web(void)
{
	fx_start();
	ck_assert_str_eq(fx_state("web"), "running");
	fx_skip_events();
}

static inline void fx_teardown(void)
{
	core_free(fx.core);
	while (!list_empty(&fx_orders))
		fx_order_free(list_entry(fx_orders.next, struct fx_order, link));
	for (size_t i = 0; i < FX_SLOTS; i++) {
		fx_insist(fx.child[i].probe_id == 0, "a question outlives the core");
		free(fx.child[i].plan);
		probe_option_free(fx.child[i].probed);
	}
	json_decref(fx.event);
	free(fx.records.header);
	free(fx.records.slots);
	if (fx.draft != NULL)
		config_free(fx_draft());
	if (fx.notes_fd >= 0)
		close(fx.notes_fd);
	if (fx.memory_fd >= 0)
		close(fx.memory_fd);
	config_publish(config_new(), 1);
	rcu_barrier();
	board_free(fx.board);
	chan_close(fx.chan);
	chan_free(fx.chan);
	clock_set_fake(NULL, NULL);
	rcu_unregister_thread();
}

#define FX_MAIN(name, ...)                                                                        \
	int main(void)                                                                            \
	{                                                                                         \
		const TTest *tests[] = { __VA_ARGS__ };                                           \
                                                                                                  \
		return unit_run_in((name), fx_setup, fx_teardown, tests,                          \
				   sizeof(tests) / sizeof(tests[0]));                             \
	}

#endif
