/* Ten thousand subsystems in a chain, in a fan, and in a funnel: counted in steps, not in time. A
 * settle costs what changed and its edges; a chain is as deep as it likes. */
#define FX_SLOTS 10100
#define FX_SIGNALS 10100
#define FX_TURNS 30000
#include "core_fixture.h"
#include "core/live.h"

#define N 10000

static char *name_of(int i)
{
	static char text[16];

	snprintf(text, sizeof(text), "s%d", i);
	return text;
}

static void depend(struct subsystem_options *o, int on)
{
	strlist_add(&links_write(o)->depends_on, name_of(on));
}

/* Answer for the children until all is quiet: only those that were asked for something since. Far
 * cheaper than looking at every slot each time. */
static void run(void)
{
	static uint32_t from;
	size_t signals = 0;
	bool moved = true;

	while (moved) {
		core_settle(fx.core);
		moved = false;
		for (; signals < fx.nsignals; signals++) {
			if (fx.child[fx.signals[signals].slot].alive)
				fx_end_slot(fx.signals[signals].slot, SIGTERM, 0);
			moved = true;
		}
		for (uint32_t i = 0; i < fx.nslots; i++) {
			/* a chain moves on to a neighbour: go on searching there */
			uint32_t slot = (from + i) % fx.nslots;

			if (!fx.child[slot].asked)
				continue;
			fx_exec_ok_slot(slot);
			from = slot > 0 ? slot - 1 : 0;
			moved = true;
			if (i < 3)
				break;
		}
	}
	fx.nsignals = 0;
}

static uint32_t running(void)
{
	return fx.core->counts[STATE_RUNNING];
}

static uint64_t steps(void)
{
	static uint64_t before;
	uint64_t now = fx.core->edge_steps, since = now - before;

	before = now;
	return since;
}

static void start(void)
{
	static char path[] = "PATH=/usr/bin";
	static char *environment[] = { path, NULL };
	struct core_setup setup = {
		.chan = fx.chan, .board = fx.board, .ops = &fx_ops, .ops_ctx = &fx,
		.records = &fx.records, .welcome = &fx.welcome, .memory_fd = -1,
		.notes_fd = -1,
		.environment = environment, .random_seed = 7,
	};

	fx.manual_exec = true;
	config_publish(fx_draft(), 1);
	fx.core = core_new(&setup);
	core_start(fx.core);
	run();
	ck_assert_uint_eq(running(), N);
}

static void shut_down(void)
{
	core_signal(fx.core, SIGTERM);
	run();
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 0);
}

START_TEST(F74_a_chain_of_ten_thousand_costs_a_few_steps_each)
{
	struct fx_order *o = fx_order_new(CORE_STOP);

	for (int i = 0; i < N; i++) {
		struct subsystem_options *each = fx_add(name_of(i));

		if (i + 1 < N)
			depend(each, i + 1);
	}
	start();
	ck_assert_uint_lt(steps(), 12 * N);
	/* the last one of all goes down: nobody may stay, and all go in order */
	strlist_add(&o->r.names, name_of(N - 1));
	core_request(fx.core, &o->r);
	run();
	ck_assert_uint_eq(running(), 0);
	ck_assert(o->done);
	ck_assert_uint_lt(steps(), 20 * N);
	o = fx_order_new(CORE_START);
	strlist_add(&o->r.names, name_of(0));
	core_request(fx.core, &o->r);
	run();
	ck_assert(o->done);
	ck_assert_uint_eq(running(), N);
	ck_assert_uint_lt(steps(), 20 * N);
	shut_down();
	ck_assert_uint_lt(steps(), 12 * N);
}
END_TEST

START_TEST(a_fan_of_ten_thousand_dependants_costs_a_few_steps_each)
{
	for (int i = 0; i < N; i++) {
		struct subsystem_options *each = fx_add(name_of(i));

		if (i > 0)
			depend(each, 0);
	}
	start();
	ck_assert_uint_lt(steps(), 12 * N);
	/* one dependant's crash concerns its own edge */
	fx_end_slot(5000, SIGSEGV, 0);
	core_settle(fx.core);
	ck_assert_uint_lt(steps(), 10);
	fx.now += NS_PER_SEC;
	run();
	ck_assert_uint_eq(running(), N);
	ck_assert_uint_lt(steps(), 10);
	shut_down();
	ck_assert_uint_lt(steps(), 12 * N);
}
END_TEST

START_TEST(a_funnel_of_ten_thousand_dependencies_costs_a_few_steps_each)
{
	struct subsystem_options *top = fx_add(name_of(0));

	for (int i = 1; i < N; i++) {
		fx_add(name_of(i));
		depend(top, i);
	}
	start();
	ck_assert_uint_lt(steps(), 12 * N);
	fx_end_slot(5000, SIGSEGV, 0);
	core_settle(fx.core);
	ck_assert_uint_lt(steps(), 10);
	fx.now += NS_PER_SEC;
	run();
	ck_assert_uint_eq(running(), N);
	shut_down();
	ck_assert_uint_lt(steps(), 12 * N);
}
END_TEST

FX_MAIN("core: fan", F74_a_chain_of_ten_thousand_costs_a_few_steps_each,
	a_fan_of_ten_thousand_dependants_costs_a_few_steps_each,
	a_funnel_of_ten_thousand_dependencies_costs_a_few_steps_each)
