/* Random lives beside the reference of core_reference.h: orders, reloads, ends, a keeper that is
 * slow, short of everything and out of order, leaps of the clock, and supervisors that die and come
 * back from what was saved; with and without dependencies. Whatever happens: one instance per slot
 * (the fake keeper insists), every event as the reference expects it, no start before what it needs,
 * no forgotten timer, every order answered once, every stop and every shutdown ends; hooks beside
 * each other or beside what they may not run beside, or twice for one process, never.
 *
 * PROCD_MODEL_ACTIONS: how many in all (default a million; with a sanitizer a twentieth of it).
 * PROCD_MODEL_SEED: where to begin. PROCD_MODEL_TRACE=TLLL: tell life LLL of test T on stdout. */
#include <stdio.h>

#include "config/part.h"
#include "core/task.h"
#include "core_reference.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ACTIONS_DEFAULT 50000
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ACTIONS_DEFAULT 50000
#endif
#endif
#ifndef ACTIONS_DEFAULT
#define ACTIONS_DEFAULT 1000000
#endif

#define TESTS 6
#define LIFE 5000	/* actions of one core, from its start to its shutdown */
#define ORDERS 16
#define NAME(i) ((char[]){ 's', (char)('0' + (i)), '\0' })

/* What kind of life it is. */
static struct {
	bool deaths, reloads, edges, hooks;
	int quick;		/* time hardly passes: crash loops meet their budget */
} kind;
static unsigned int seed;
static long life, action;
static struct fx_order *orders[ORDERS];
static size_t handled_signals;
static uint64_t died, sum_events, sum_starts, sum_deferred, sum_deaths;
static bool tracing;	/* this life is told on stdout */
static uint32_t slots[REF_N];	/* where each was seen last */
static int rank[REF_N];	/* edges lead from the higher to the lower one: no cycles */
static struct {
	struct ref_spec ref;
	int variant;		/* of what needs a new process */
	bool wanted, group, log, oneshot;
	int64_t min_uptime_ms, stop_timeout_ms;
	unsigned int hooks;	/* bit per enum task_kind */
} spec[REF_N];
static uint64_t execs[REF_N][TASK_NKINDS + 1];	/* processes that were: hooks, and the main ones */
#define MAIN TASK_NKINDS

static int rnd(int n)
{
	return rand_r(&seed) % n;
}

static void broken(int line, const char *what)
{
	for (int i = 0; i < REF_N; i++) {
		const struct board_record *r = fx.core ? fx_board(NAME(i)) : NULL;
		const struct fx_child *k = &fx.child[slots[i]];

		printf("s%d: told %s, is %s, attempt %u, wish %d config %d ordered %d maybe %d "
		       "removed %d; slot %u asked %d alive %d exited %d rest %d drain %d\n", i,
		       enumtext_name(&subsystem_state_text, (int)ref.sub[i].told),
		       r ? enumtext_name(&subsystem_state_text, (int)r->state) : "absent",
		       ref.sub[i].attempt, (int)ref.sub[i].wish, ref.sub[i].config_up,
		       ref.sub[i].ordered, ref.sub[i].maybe, ref.sub[i].removed, slots[i],
		       k->asked, k->alive, k->exited, k->rest, k->drain);
	}
	fflush(stdout);
	ck_abort_msg("life %ld, action %ld, line %d: %s", life, action, line, what);
}

/* --- looking ---------------------------------------------------------------------------------- */

static uint32_t slot_of(int index)
{
	return slots[index];
}

static void find_slots(void)
{
	for (int i = 0; i < REF_N; i++) {
		const struct board_record *r = fx_board(NAME(i));

		if (r != NULL)
			slots[i] = r->slot;
	}
}

static void read_events(void)
{
	static struct strbuf body = STRBUF_INIT;
	uint64_t lost = 0;
	enum chan_result r;

	find_slots();
	while ((r = chan_try_recv(fx.chan, &fx.cursor, &body, &lost)) == CHAN_OK) {
		if (tracing)
			printf("%ld: %s\n", action, body.buf);
		ref_event(body.buf, slot_of);
		body.len = 0;
	}
	insist(r != CHAN_GAP);
}

/* --- hooks ------------------------------------------------------------------------------------ */

/* The kind of what was last asked for in SLOT, MAIN for the process itself; WHO: whose it is. */
static int kind_in(uint32_t slot, int *who)
{
	const struct plan *p = fx.child[slot].plan;
	const char *name = p ? plan_str(p, p->name) : NULL, *task;

	*who = -1;
	if (name == NULL)
		return MAIN;
	task = strchr(name, '/');
	*who = name[0] == 's' ? name[1] - '0' : -1;
	for (int i = 0; task != NULL && i < TASK_NKINDS; i++)
		if (strncmp(enumtext_name(&task_kind_text, i), task + 1, strlen(task + 1)) == 0)
			return i;
	return MAIN;
}

/* Is a process of WHO's of that KIND in any slot but SLOT? */
static bool has_another(int who, int what, uint32_t slot)
{
	for (uint32_t i = 0; i < fx.nslots; i++) {
		int whose, it = kind_in(i, &whose);

		if (i != slot && whose == who && it == what &&
		    (fx.child[i].asked || fx.child[i].alive || fx.child[i].rest))
			return true;
	}
	return false;
}

static bool has_hook(int who)
{
	for (int i = 0; i < TASK_PROBE; i++)
		if (has_another(who, i, UINT32_MAX))
			return true;
	return false;
}

/* A process has come into being. */
static void on_exec(uint32_t slot)
{
	int who, what = kind_in(slot, &who);

	insist(who >= 0 && who < REF_N);
	execs[who][what]++;
	insist(!has_another(who, what, slot));
	if (what == TASK_PRE_START || what == TASK_POST_STOP)
		insist(!has_another(who, MAIN, slot));
	if (what == MAIN)
		insist(!has_hook(who));
	/* once for each process, wherever supervisors die */
	insist(execs[who][TASK_POST_STOP] <= execs[who][MAIN]);
	insist(execs[who][TASK_STOP] <= execs[who][MAIN]);
}

static uint64_t main_execs(void)
{
	uint64_t n = 0;

	for (int i = 0; i < REF_N; i++)
		n += execs[i][MAIN];
	return n;
}

static void add_hooks(int i, struct subsystem_options *o)
{
	struct subsystem_policy *policy = policy_write(o);
	struct strlist *list[] = { [TASK_PRE_START] = &policy->pre_start,
				   [TASK_POST_STOP] = &policy->post_stop,
				   [TASK_STOP] = &policy->stop_command,
				   [TASK_RELOAD] = &policy->reload_command };

	policy->hook_timeout_ms = 1000;
	for (size_t j = 0; j < ARRAY_LEN(list); j++)
		if (spec[i].hooks & 1u << j)
			strlist_add(list[j], "/bin/hook");
}

/* Who waits for time must have a timer; who is shown up must be so; who is down has nothing. */
static void check_one(int i, int64_t next)
{
	const struct board_record *r = fx_board(NAME(i));
	const struct fx_child *k;
	bool empty, waits;

	insist((r != NULL) == ref.sub[i].present);
	if (r == NULL)
		return;
	insist(r->state == ref.sub[i].told);
	k = &fx.child[r->slot];
	empty = !k->asked && !k->alive && !k->exited;
	waits = r->state == STATE_STARTING || r->state == STATE_RESTARTING ||
		r->state == STATE_STOPPING;
	/* others may have to be there, or to be gone, first */
	if (waits && empty && !r->waiting && !(kind.edges && !r->goal_up) && !has_hook(i))
		insist(next != INT64_MAX);
	if (r->state == STATE_RESTARTING && empty && r->next_restart_mono_ns > fx.now)
		insist(next <= r->next_restart_mono_ns);
	if (r->state == STATE_RUNNING)
		insist(k->alive || k->exited);
	if (r->state == STATE_STOPPED || r->state == STATE_FAILED)
		insist(!k->alive && !k->asked);
}

static void look(void)
{
	int64_t next = core_next_deadline(fx.core);

	read_events();
	for (int i = 0; i < REF_N; i++)
		check_one(i, next);
	/* one process for each start that was told, or for a retry of it */
	insist(main_execs() <= ref.starts + ref.deferred + died * REF_N);
}

/* --- the world -------------------------------------------------------------------------------- */

static void end_child(uint32_t slot, int status, unsigned int left)
{
	struct fx_child *k = &fx.child[slot];

	fx.silent = rnd(2);
	fx_end_slot(slot, status, k->plan->flags & PLAN_TREE ? left : 0);
}

static void rest_gone(uint32_t slot)
{
	fx.child[slot].rest = false;
	fx_set_record(slot, RECORD_GONE);
	if (fx.core != NULL)
		core_keeper_gone(fx.core, slot, fx.child[slot].spawn_id);
}

static void exec_quietly(uint32_t slot)
{
	struct core *c = take(fx.core);

	fx_exec_ok_slot(slot);
	fx.core = c;
}

static void obey(const struct fx_signal *s)
{
	struct fx_child *k = &fx.child[s->slot];
	bool kill = s->signo == SIGKILL;

	/* The keeper reads in order: the start was done before it saw the signal. */
	if (k->asked)
		fx_exec_ok_slot(s->slot);
	if (!kill && rnd(2))
		return;
	if (k->alive)
		end_child(s->slot, s->signo, kill ? 0 : (unsigned int)rnd(2));
	else if (k->rest)
		rest_gone(s->slot);
}

static void react_to_signals(void)
{
	while (handled_signals < fx.nsignals)
		obey(&fx.signals[handled_signals++]);
	fx.nsignals = handled_signals = 0;
}

static void answer_keeper(uint32_t slot)
{
	static const struct {
		enum spawn_stage stage;
		int errnum;
	} failures[] = {
		{ STAGE_EXEC, ENOENT }, { STAGE_CHDIR, EACCES }, { STAGE_SPAWN, EAGAIN },
		{ STAGE_SPAWN, ENOMEM }, { STAGE_OUTPUT, EMFILE }, { STAGE_STDIN, ENFILE },
		{ STAGE_EXEC, EAGAIN }, { STAGE_CGROUP, ENOSPC },
	};
	struct fx_child *k = &fx.child[slot];
	int how = rnd(32);

	if (k->drain) {
		k->drain = false;
		core_drained(fx.core, slot, k->spawn_id, NULL);
	}
	if (!k->asked)
		return;
	if (how < (int)ARRAY_LEN(failures)) {
		fx_exec_fail_slot(slot, failures[how].stage, failures[how].errnum);
	} else if (how < 12) {
		exec_quietly(slot);	/* its end overtakes the word that it began */
		end_child(slot, W_EXITCODE(rnd(2), 0), (unsigned int)rnd(2));
	} else {
		fx_exec_ok_slot(slot);
	}
}

/* Old news, doubled news, news of nobody. */
static void babble(uint32_t slot)
{
	uint64_t old = fx.child[slot].spawn_id - (uint64_t)rnd(3) - 1;
	struct km_started started = { .slot = slot, .spawn_id = old, .pid = 1,
				      .stage = rnd(2) ? STAGE_NONE : STAGE_SPAWN };
	struct km_exited exited = { .slot = slot, .spawn_id = old, .pid = 1 };

	if (fx.child[slot].spawn_id < 4)
		return;
	core_keeper_started(fx.core, &started);
	core_keeper_exited(fx.core, &exited);
	core_keeper_gone(fx.core, slot, old);
	core_drained(fx.core, slot, old, NULL);
	core_keeper_gone(fx.core, slot + 500, 1);
}

static void pass_time(void)
{
	int64_t ms = kind.quick ? rnd(3) : rnd(50);

	if (rnd(kind.quick ? 200 : 40) == 0)
		ms = rnd(10000);
	if (rnd(2000) == 0)
		ms = INT64_C(3600000);		/* stopped, or suspended, for an hour */
	fx.now += ms * NS_PER_MS;
}

/* --- the configuration ------------------------------------------------------------------------ */

static void vary_edges(int i)
{
	for (int j = 0; j < REF_N; j++) {
		struct ref_edge *e = &spec[i].ref.edge[j];

		*e = (struct ref_edge){ .there = rank[i] > rank[j] && rnd(4) == 0,
					.kind = (enum edge_kind)rnd(EDGE_ON_FAILURE) };
		e->condition = e->kind == EDGE_BINDS_TO ? (enum condition)rnd(2)
							: (enum condition)rnd(CONDITION_COUNT);
		if (e->condition == CONDITION_HEALTHY || !edge_is_hard(e->kind))
			e->condition = CONDITION_READY;
	}
}

static void shuffle_ranks(void)
{
	for (int i = 0; i < REF_N; i++) {
		int j = rnd(i + 1);

		rank[i] = rank[j];
		rank[j] = i;
	}
}

static void vary(int i, bool all)
{
	spec[i].ref.restart = (enum restart_policy)(kind.quick ? RESTART_ALWAYS : rnd(4));
	spec[i].ref.delay_ms = kind.quick ? 0 : rnd(3) * 100;
	spec[i].ref.max_delay_ms = 2000;
	spec[i].ref.max_attempts = kind.quick ? 0 : rnd(4);
	spec[i].ref.jitter = rnd(2) * 0.5;
	spec[i].ref.autostart = rnd(4) != 0;
	spec[i].min_uptime_ms = rnd(2) * 300;
	spec[i].stop_timeout_ms = rnd(2) ? TIMEOUT_UNSET : 1000;
	spec[i].hooks = kind.hooks ? (unsigned int)rnd(1 << TASK_PROBE) : 0;
	if (kind.edges)
		vary_edges(i);
	if (!all && rnd(2))
		return;
	spec[i].variant = rnd(1000);
	spec[i].group = rnd(3) != 0;
	spec[i].log = rnd(2);
	spec[i].oneshot = spec[i].ref.oneshot = rnd(4) == 0;
}

/* Only to those that are there: the rest would be refused. A `before` of J is an `after` of I. */
static void add_edges(int i, struct subsystem_options *o)
{
	struct subsystem_links *links = links_write(o);

	for (int j = 0; kind.edges && j < REF_N; j++) {
		const struct ref_edge *e = &spec[i].ref.edge[j], *back = &spec[j].ref.edge[i];
		auto_free(freep) char *item = NULL;

		if (back->there && back->kind == EDGE_BEFORE && spec[j].wanted)
			strlist_add(&links->before, NAME(j));
		if (!e->there || !spec[j].wanted || e->kind == EDGE_BEFORE)
			continue;
		item = edge_is_hard(e->kind) ?
		       x_asprintf("%s:%s", NAME(j),
				  enumtext_name(&condition_text, (int)e->condition)) :
		       x_strdup(NAME(j));
		strlist_add(e->kind == EDGE_DEPENDS_ON ? &links->depends_on :
			    e->kind == EDGE_BINDS_TO   ? &links->binds_to :
			    e->kind == EDGE_WANTS      ? &links->wants : &links->after, item);
	}
}

static void add_spec(int i)
{
	struct subsystem_options *o = fx_add(NAME(i));
	char text[16];

	snprintf(text, sizeof(text), "%d", spec[i].variant);
	strlist_add(&o->command, text);
	policy_write(o)->restart = spec[i].ref.restart;
	policy_write(o)->restart_delay_ms = spec[i].ref.delay_ms;
	policy_write(o)->restart_max_delay_ms = spec[i].ref.max_delay_ms;
	policy_write(o)->restart_max_attempts = spec[i].ref.max_attempts;
	policy_write(o)->restart_jitter = spec[i].ref.jitter;
	policy_write(o)->restart_reset_after_ms = REF_RESET_AFTER_MS;
	o->autostart = spec[i].ref.autostart;
	policy_write(o)->min_uptime_ms = spec[i].min_uptime_ms;
	policy_write(o)->stop_timeout_ms = spec[i].stop_timeout_ms;
	o->type = spec[i].oneshot ? TYPE_ONESHOT : TYPE_SERVICE;
	policy_write(o)->kill_mode = spec[i].group ? KILL_MODE_GROUP : KILL_MODE_PROCESS;
	streams_write(o)->stdio[1].kind = spec[i].log ? STDIO_LOG : STDIO_NULL;
	add_edges(i, o);
	add_hooks(i, o);
}

static bool listed(json_t *summary, const char *key, int i)
{
	json_t *names = json_object_get(summary, key), *name;
	size_t at;

	json_array_foreach(names, at, name)
		if (strcmp(json_string_value(name), NAME(i)) == 0)
			return true;
	return false;
}

static void reload(void)
{
	auto_free(json_decrefp) json_t *summary = NULL;
	bool before[REF_N];
	int r;

	fx_config();
	for (int i = 0; i < REF_N; i++) {
		before[i] = spec[i].wanted;
		if (rnd(8) == 0)
			spec[i].wanted = !spec[i].wanted;
		if (rnd(8) == 0)
			vary(i, false);
	}
	for (int i = 0; i < REF_N; i++)
		if (spec[i].wanted)
			add_spec(i);
	r = core_apply(fx.core, fx_draft(), true, &summary);
	if (tracing && r == 0)
		printf("%ld: reload\n", action);
	insist(r == 0 || r == -EALREADY);
	for (int i = 0; i < REF_N; i++) {
		struct ref *s = &ref.sub[i];

		if (spec[i].wanted && !s->present)
			ref_added(s, &spec[i].ref);
		else if (spec[i].wanted && (s->removed || listed(summary, "restarted", i) ||
					    listed(summary, "updated", i)))
			ref_changed(s, &spec[i].ref, listed(summary, "restarted", i));
		else if (!spec[i].wanted && before[i])
			ref_removed(s);
		/* an edge to nobody changes without being listed */
		if (spec[i].wanted)
			memcpy(s->spec.edge, spec[i].ref.edge, sizeof(s->spec.edge));
	}
}

/* --- people ----------------------------------------------------------------------------------- */

static void collect(struct fx_order **slot)
{
	if (*slot != NULL && (*slot)->done) {
		fx_answer(*slot);
		*slot = NULL;
	}
}

static struct fx_order *order(enum core_verb verb, int i)
{
	struct fx_order *o;

	for (int j = 0; j < REF_N; j++)
		if ((i < 0 || i == j) && ref.sub[j].present)
			ref_order(&ref.sub[j], verb);
	if (tracing)
		printf("%ld: order %d for %d\n", action, (int)verb, i);
	o = fx_order_signo(verb, i < 0 ? "all" : NAME(i), SIGUSR1);
	return o;
}

static void give_order(void)
{
	static const enum core_verb verbs[] = { CORE_START, CORE_START, CORE_START, CORE_STOP,
						CORE_RESTART, CORE_RESET, CORE_SIGNAL,
						CORE_RELOAD_SUBSYSTEM };
	struct fx_order **slot = &orders[rnd(ORDERS)];

	collect(slot);
	if (*slot == NULL)
		*slot = order(verbs[rnd((int)ARRAY_LEN(verbs))], rnd(16) ? rnd(REF_N) : -1);
}

/* The supervisor is killed and comes back. Its clients' orders die with it. */
static void die_and_return(void)
{
	if (tracing)
		printf("%ld: the supervisor dies\n", action);
	died++;
	core_free(fx.core);
	fx.core = NULL;
	board_free(fx.board);
	for (int i = 0; i < ORDERS; i++)
		if (orders[i] != NULL)
			orders[i]->done = true;
	for (uint32_t slot = 0; slot < fx.nslots; slot++) {
		struct fx_child *k = &fx.child[slot];

		k->drain = false;
		if (k->asked && rnd(2))
			fx_exec_ok_slot(slot);
		k->asked = false;
		if (k->alive && rnd(3) == 0)
			end_child(slot, rnd(2) ? SIGKILL : 0, (unsigned int)rnd(2));
		if (k->rest && rnd(2))
			rest_gone(slot);
	}
	fx.now += rnd(1000) * NS_PER_MS;
	fx.board = board_new(FX_SLOTS);
	fx.welcome.recovering = 1;
	fx_new_core(seed);
}

/* --- lives ------------------------------------------------------------------------------------ */

/* The first slot from SLOT on in which the keeper or the log thread has something to do. */
static uint32_t wanting(uint32_t slot)
{
	for (uint32_t i = 0; i < fx.nslots; i++, slot = (slot + 1) % fx.nslots)
		if (fx.child[slot].asked || fx.child[slot].drain)
			break;
	return slot;
}

static uint32_t living(uint32_t slot)
{
	for (uint32_t i = 0; i < fx.nslots; i++, slot = (slot + 1) % fx.nslots)
		if (fx.child[slot].alive)
			break;
	return slot;
}

static void act(void)
{
	uint32_t slot = (uint32_t)rnd(MAX((int)fx.nslots, REF_N));

	fx.spawn_error = rnd(32) ? 0 : -ENOMEM;
	switch (rnd(16)) {
	case 0:
		if (!kind.quick || rnd(50) == 0)
			give_order();
		break;
	case 1:
		if (kind.deaths && rnd(30) == 0)
			die_and_return();
		break;
	case 2:
		if (kind.reloads && !ref.shutdown && rnd(10) == 0)
			reload();
		break;
	case 3:
		for (slot = 0; slot < fx.nslots; slot++)
			if (fx.child[slot].rest && rnd(2))
				rest_gone(slot);
		break;
	case 4:
		babble(slot);
		break;
	case 5:
	case 6:
		react_to_signals();
		break;
	case 7:
	case 8:
		slot = living(slot);
		if (fx.child[slot].alive)
			end_child(slot, rnd(2) ? SIGSEGV : W_EXITCODE(rnd(2), 0),
				  (unsigned int)rnd(2));
		break;
	default:
		slot = wanting(slot);
		answer_keeper(slot);
		pass_time();
	}
	if (fx.nsignals > FX_SIGNALS / 2)
		react_to_signals();
}

static void turn(void)
{
	core_settle(fx.core);
	look();
}

static void let_everything_happen(int64_t ms)
{
	fx.spawn_error = 0;
	for (int64_t t = 0; t < ms; t += 250) {
		for (uint32_t slot = 0; slot < fx.nslots; slot++) {
			struct fx_child *k = &fx.child[slot];
			int who;

			if (k->drain) {
				k->drain = false;
				core_drained(fx.core, slot, k->spawn_id, NULL);
			}
			if (k->asked)
				fx_exec_ok_slot(slot);
			else if (k->alive && kind_in(slot, &who) != MAIN)
				end_child(slot, 0, 0);
		}
		react_to_signals();
		turn();
		fx.now += 250 * NS_PER_MS;
	}
	turn();
}

static void begin_life(void)
{
	ref = (struct ref_all){ .shutdown = false };
	died = 0;
	memset(execs, 0, sizeof(execs));
	fx_on_exec = on_exec;
	handled_signals = 0;
	kind.quick = rnd(4) == 0;
	kind.reloads = rnd(3) != 0;
	kind.hooks = rnd(2);
	ref.edges = kind.edges;
	shuffle_ranks();
	fx.manual_exec = fx.manual_drain = true;
	for (int i = 0; i < REF_N; i++) {
		vary(i, true);
		spec[i].wanted = rnd(4) != 0;
	}
	for (int i = 0; i < REF_N; i++) {
		if (!spec[i].wanted)
			continue;
		add_spec(i);
		ref_added(&ref.sub[i], &spec[i].ref);
	}
	if (kind.deaths)
		fx.memory_fd = memfd_create("memory", MFD_CLOEXEC);
	config_publish(fx_draft(), 1);
	fx_new_core(seed);
	look();
}

/* What it is for waits, perhaps for ever: for the end of what runs. */
static bool may_wait(const struct fx_order *o)
{
	for (int i = 0; !ref.shutdown && i < REF_N; i++) {
		const struct board_record *r = fx_board(NAME(i));
		bool waits = r != NULL && ((kind.edges && r->waiting) ||
					   (r->oneshot && r->state == STATE_RUNNING));

		if (waits && (o->r.names.items[0][0] == 'a' ||
						strcmp(o->r.names.items[0], NAME(i)) == 0))
			return true;
	}
	return false;
}

/* Each was answered, whatever the answer. */
static void no_order_is_open(void)
{
	for (int i = 0; i < ORDERS; i++) {
		bool open = orders[i] != NULL && !orders[i]->done && !may_wait(orders[i]);

		if (open)
			printf("open: order %d for %s\n", (int)orders[i]->r.verb,
			       orders[i]->r.names.items[0]);
		insist(!open);
		collect(&orders[i]);
	}
}

static void calm(void)
{
	let_everything_happen(kind.edges ? 90000 : 40000);
	for (int i = 0; i < REF_N; i++)
		ref_calm(&ref.sub[i], fx_board(NAME(i)));
	no_order_is_open();
}

static void stop_everything(void)
{
	struct fx_order *stop = order(CORE_STOP, -1);

	/* where there are edges, one after another */
	let_everything_happen(kind.edges ? 22000 * REF_N : 22000);
	for (int i = 0; i < REF_N; i++)
		insist(!ref.sub[i].present || ref.sub[i].told == STATE_STOPPED ||
		       ref.sub[i].told == STATE_FAILED);
	insist(stop->done);
	insist(*fx_answer(stop) == '\0');
}

/* From the middle of everything; with or without somebody who obeys; with more orders of its kind. */
static void shut_down(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGQUIT };
	int64_t began = fx.now;
	bool obedient = rnd(2);

	ref.shutdown = true;
	core_signal(fx.core, signals[rnd(3)]);
	core_settle(fx.core);
	while (!fx.finished) {
		insist(fx.now - began <= 22 * NS_PER_SEC);
		if (rnd(30) == 0)
			core_signal(fx.core, signals[rnd(3)]);
		if (kind.deaths && rnd(30) == 0)
			die_and_return();
		if (obedient)
			react_to_signals();
		if (!fx.finished)
			core_settle(fx.core);
		fx.nsignals = handled_signals = obedient ? handled_signals : 0;
		read_events();
		fx.now += 100 * NS_PER_MS;
	}
	insist(fx.exit_code == 0 || fx.exit_code == 3);
	no_order_is_open();
}

static void live(long actions)
{
	begin_life();
	for (action = 0; action < actions; action++) {
		act();
		turn();
		if (rnd(2500) == 0)
			calm();
	}
	if (rnd(2))
		stop_everything();
	if (rnd(2))
		order(CORE_START, -1)->done |= false;
	turn();
	shut_down();
}

static long number(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text != NULL && *text != '\0' ? strtol(text, NULL, 0) : otherwise;
}

static void run_model(int number_of_test, bool deaths, bool edges)
{
	long left = number("PROCD_MODEL_ACTIONS", ACTIONS_DEFAULT) / TESTS;
	unsigned int first = (unsigned int)number("PROCD_MODEL_SEED", 20261123);

	seed = first + (unsigned int)number_of_test * 1000003u;
	kind.deaths = deaths;
	kind.edges = edges;
	printf("model %d: PROCD_MODEL_SEED=%u, %ld actions\n", number_of_test, first, left);
	fflush(stdout);
	for (life = 0; left > 0; life++, left -= LIFE) {
		tracing = number("PROCD_MODEL_TRACE", -1) == number_of_test * 1000 + life;
		live(MIN(left, LIFE));
		fx_teardown();
		fx_setup();
		sum_events += ref.events;
		sum_starts += ref.starts;
		sum_deferred += ref.deferred;
		sum_deaths += died;
	}
	printf("model %d: %llu events, %llu starts, %llu deferred, %llu deaths\n", number_of_test,
	       (unsigned long long)sum_events, (unsigned long long)sum_starts,
	       (unsigned long long)sum_deferred, (unsigned long long)sum_deaths);
	fflush(stdout);
}

START_TEST(random_lives_1)
{
	run_model(1, false, false);
}
END_TEST

START_TEST(random_lives_2)
{
	run_model(2, false, false);
}
END_TEST

START_TEST(random_lives_with_dying_supervisors_1)
{
	run_model(3, true, false);
}
END_TEST

START_TEST(random_lives_with_dying_supervisors_2)
{
	run_model(4, true, false);
}
END_TEST

START_TEST(G13_random_lives_with_dependencies)
{
	run_model(5, false, true);
}
END_TEST

START_TEST(G13_random_lives_with_dependencies_and_dying_supervisors)
{
	run_model(6, true, true);
}
END_TEST

FX_MAIN("core: model", random_lives_1, random_lives_2, random_lives_with_dying_supervisors_1,
	random_lives_with_dying_supervisors_2, G13_random_lives_with_dependencies,
	G13_random_lives_with_dependencies_and_dying_supervisors)
