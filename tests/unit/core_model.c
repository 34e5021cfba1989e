/* Random lives: orders, ends, slow keepers, passing time and dying supervisors in any order.
 * Whatever happens: one instance per slot (the fake keeper insists), only legal transitions in the
 * events, no forgotten timer, every order answered once, every stop and every shutdown ends. */
#include "core/state.h"
#include "core_fixture.h"

#define NSUBS 6
#define ACTIONS 50000
#define ORDERS 64

static unsigned int seed;
static enum subsystem_state told[NSUBS];
static struct fx_order *orders[ORDERS];
static size_t handled_signals;
static char names[NSUBS][8];

static int rnd(int n)
{
	return rand_r(&seed) % n;
}

static int index_of(const char *name)
{
	return name[1] - '0';
}

static void add_all(void)
{
	for (int i = 0; i < NSUBS; i++) {
		struct subsystem_options *o;

		snprintf(names[i], sizeof(names[i]), "s%d", i);
		o = fx_add(names[i]);
		o->restart = (enum restart_policy)rnd(4);
		o->restart_delay_ms = rnd(3) * 100;
		o->restart_max_delay_ms = 2000;
		o->restart_max_attempts = rnd(4);
		o->restart_reset_after_ms = 5000;
		o->restart_jitter = rnd(2) * 0.5;
		o->min_uptime_ms = rnd(2) * 300;
		o->stop_timeout_ms = rnd(2) ? TIMEOUT_UNSET : 1000;
		o->type = rnd(4) ? TYPE_SERVICE : TYPE_ONESHOT;
		o->autostart = rnd(2);
		o->stdio[1].kind = rnd(2) ? STDIO_LOG : STDIO_NULL;
		o->kill_mode = rnd(3) ? KILL_MODE_GROUP : KILL_MODE_PROCESS;
	}
}

static void check_events(void)
{
	while (fx_next_of("state_changed")) {
		int i = index_of(fx_str("name"));
		int state = enumtext_find(&subsystem_state_text, fx_str("state"));
		int prev = enumtext_find(&subsystem_state_text, fx_str("prev"));

		ck_assert_int_eq(prev, (int)told[i]);
		ck_assert(state_legal((enum subsystem_state)prev, (enum subsystem_state)state));
		if (state == STATE_RESTARTING)
			ck_assert_int_ge(fx_int("next_restart_ms"), 0);
		told[i] = (enum subsystem_state)state;
	}
}

/* Who waits for time must have a timer. */
static void check_timers(void)
{
	int64_t next = core_next_deadline(fx.core);

	for (int i = 0; i < NSUBS; i++) {
		const struct board_record *r = fx_board(names[i]);
		const struct fx_child *k = &fx.child[i];
		bool empty = !k->asked && !k->alive && !k->exited;

		if (r->state == STATE_RESTARTING && empty && r->next_restart_mono_ns > fx.now)
			ck_assert_int_le(next, r->next_restart_mono_ns);
		if ((r->state == STATE_STARTING || r->state == STATE_RESTARTING ||
		     r->state == STATE_STOPPING) && empty)
			ck_assert_int_ne(next, INT64_MAX);
		if (r->state == STATE_RUNNING)
			ck_assert(k->alive || k->exited);
		if (r->state == STATE_STOPPED || r->state == STATE_FAILED)
			ck_assert(!k->alive && !k->asked);
	}
}

static void end_child(uint32_t slot, int status, unsigned int left)
{
	struct fx_child *k = &fx.child[slot];

	fx_end_slot(slot, status, k->plan->flags & PLAN_TREE ? left : 0);
}

static void rest_gone(uint32_t slot)
{
	fx.child[slot].rest = false;
	fx_set_record(slot, RECORD_GONE);
	if (fx.core != NULL)
		core_keeper_gone(fx.core, slot, fx.child[slot].spawn_id);
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
	struct fx_child *k = &fx.child[slot];

	if (k->drain) {
		k->drain = false;
		core_drained(fx.core, slot, k->spawn_id);
	}
	if (!k->asked)
		return;
	switch (rnd(8)) {
	case 0:
		fx_exec_fail_slot(slot, STAGE_EXEC, ENOENT);
		break;
	case 1:
		fx_exec_fail_slot(slot, STAGE_SPAWN, EAGAIN);
		break;
	default:
		fx_exec_ok_slot(slot);
	}
}

static void collect(struct fx_order **slot)
{
	if (*slot != NULL && (*slot)->done) {
		fx_answer(*slot);
		*slot = NULL;
	}
}

static void give_order(void)
{
	static const enum core_verb verbs[] = { CORE_START, CORE_STOP, CORE_RESTART, CORE_RESET,
						CORE_SIGNAL };
	struct fx_order **slot = &orders[rnd(ORDERS)];

	collect(slot);
	if (*slot == NULL)
		*slot = fx_order_signo(verbs[rnd(5)], rnd(8) ? names[rnd(NSUBS)] : "all", SIGUSR1);
}

/* The supervisor is killed and comes back. Its clients' orders die with it. */
static void die_and_return(void)
{
	core_free(fx.core);
	fx.core = NULL;
	board_free(fx.board);
	for (int i = 0; i < ORDERS; i++)
		if (orders[i] != NULL)
			orders[i]->done = true;
	for (uint32_t slot = 0; slot < NSUBS; slot++) {
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

static void act(bool deaths)
{
	uint32_t slot = (uint32_t)rnd(NSUBS);
	struct fx_child *k = &fx.child[slot];

	switch (rnd(12)) {
	case 0:
	case 1:
		give_order();
		break;
	case 2:
		if (k->alive)
			end_child(slot, W_EXITCODE(rnd(2), 0), (unsigned int)rnd(2));
		break;
	case 3:
		if (k->alive)
			end_child(slot, SIGSEGV, (unsigned int)rnd(2));
		break;
	case 4:
		if (k->rest)
			rest_gone(slot);
		break;
	case 5:
		if (deaths && rnd(20) == 0)
			die_and_return();
		break;
	case 6:
		fx.now += (int64_t)rnd(20) * 500 * NS_PER_MS;
		break;
	case 7:
		react_to_signals();
		break;
	default:
		answer_keeper(slot);
		fx.now += rnd(50) * NS_PER_MS;
	}
}

static void let_everything_happen(int64_t ms)
{
	for (int64_t t = 0; t < ms; t += 100) {
		for (uint32_t slot = 0; slot < NSUBS; slot++) {
			if (fx.child[slot].asked)
				fx_exec_ok_slot(slot);
			if (fx.child[slot].drain)
				answer_keeper(slot);
		}
		react_to_signals();
		fx_settle();
		fx_advance_ms(100);
		check_events();
	}
}

static void run_model(unsigned int from, bool deaths)
{
	struct fx_order *stop;

	seed = from;
	fx.manual_exec = fx.manual_drain = true;
	if (deaths)
		fx.memory_fd = memfd_create("memory", 0);
	add_all();
	fx_start();
	for (int i = 0; i < ACTIONS; i++) {
		act(deaths);
		fx_settle();
		check_events();
		check_timers();
		if (fx.nsignals > FX_SIGNALS / 2)
			react_to_signals();
	}
	stop = fx_order(CORE_STOP, "all");
	let_everything_happen(16000);
	for (int i = 0; i < NSUBS; i++)
		ck_assert_msg(told[i] == STATE_STOPPED || told[i] == STATE_FAILED, "%s %s %d%d%d",
			      names[i], fx_state(names[i]), fx.child[i].asked, fx.child[i].alive,
			      fx.child[i].rest);
	ck_assert_str_eq(fx_answer(stop), "");
	for (int i = 0; i < NSUBS; i++)
		ck_assert(told[i] == STATE_STOPPED || told[i] == STATE_FAILED);
	for (int i = 0; i < ORDERS; i++) {
		ck_assert_msg(orders[i] == NULL || orders[i]->done, "an order was forgotten");
		collect(&orders[i]);
	}
	fx_order(CORE_START, "all");
	core_signal(fx.core, SIGTERM);
	fx_settle();
	for (int i = 0; i < 210 && !fx.finished; i++)
		fx_advance_ms(100);	/* nobody obeys, nobody answers */
	ck_assert(fx.finished);
	ck_assert(fx.exit_code == 0 || fx.exit_code == 3);
}

START_TEST(random_lives_1)
{
	run_model(1, false);
}
END_TEST

START_TEST(random_lives_2)
{
	run_model(20261122, false);
}
END_TEST

START_TEST(random_lives_with_dying_supervisors_1)
{
	run_model(3, true);
}
END_TEST

START_TEST(random_lives_with_dying_supervisors_2)
{
	run_model(77, true);
}
END_TEST

FX_MAIN("core: model", random_lives_1, random_lives_2, random_lives_with_dying_supervisors_1,
	random_lives_with_dying_supervisors_2)
