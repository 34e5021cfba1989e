/* The supervisor is really killed, in a process of its own, at each single word it says to the
 * keeper and after each single event it sends; then another one goes on. The event stream of both together
 * must read like that of one that never died. */
#include "core/state.h"
#include "core_dying.h"

/* A life has more words than the one and fewer than the other. */
#define WORDS_MIN 40
#define WORDS_MAX 120
static bool critical;	/* this life ends with its only child */

/* A life with everything in it: crashes, a tree that stays, a stop that needs force, a restart. */
static void live(void)
{
	if (critical) {
		fx_exit("web", 1);
		return;
	}
	fx_exit("web", 1);
	fx_advance_ms(100);
	fx_exit_leaving("web", SIGSEGV, 1);
	fx_gone("web");
	fx_advance_ms(300);
	fx_order(CORE_RESTART, "web");
	fx_advance_ms(1000);
	fx_die("web", SIGKILL);
	fx_order(CORE_STOP, "web");
	fx_exit_leaving("web", W_EXITCODE(0, 0), 1);
	fx_gone("web");
	fx_order(CORE_START, "web");
}

static void configure(void)
{
	struct subsystem_options *o = fx_add("web");

	policy_write(o)->restart = critical ? RESTART_NEVER : RESTART_ALWAYS;
	o->critical = critical;
	policy_write(o)->stop_timeout_ms = 500;
	streams_write(o)->stdio[1].kind = STDIO_LOG;
	config_publish(fx_draft(), 1);
}

static void live_dying(const struct core_ops *ops, int words)
{
	words_left = words;
	configure();
	run_core(ops);
	live();
}

/* Back to life with what the keeper knew; what is asked of it is done by then. */
static void take_over(void)
{
	fx.now = shared->now;
	fx.next_pid = shared->next_pid;
	for (uint32_t slot = 0; slot < FX_SLOTS; slot++) {
		fx.child[slot] = shared->child[slot];
		fx.child[slot].plan = NULL;
		fx.child[slot].drain = false;
		fx.child[slot].attached = false;
		if (fx.child[slot].asked) {
			struct record *r = &fx.records.slots[slot];

			fx.child[slot].asked = false;
			fx.child[slot].alive = true;
			fx.child[slot].pid = r->pid = ++fx.next_pid;
			r->spawn_id = fx.child[slot].spawn_id;
			r->flags = PLAN_TREE;
			r->started_mono_ns = fx.now;
			snprintf(r->name, sizeof(r->name), "web");
			fx_set_record(slot, RECORD_RUNNING);
		}
	}
	configure();
	fx.welcome.recovering = 1;
	run_core(&fx_ops);
}

/* Each event follows from the one before it; runs and processes agree. */
static int check_stream(void)
{
	int state = STATE_STOPPED, runs = 0;

	while (fx_next_of("state_changed")) {
		int prev = enumtext_find(&subsystem_state_text, fx_str("prev"));

		ck_assert_int_eq(prev, state);
		state = enumtext_find(&subsystem_state_text, fx_str("state"));
		ck_assert(state_legal((enum subsystem_state)prev, (enum subsystem_state)state));
		runs += state == STATE_RUNNING;
	}
	ck_assert_str_eq(fx_state("web"), enumtext_name(&subsystem_state_text, state));
	return runs;
}

/* Dies at word number WORDS; false when the life was over before. */
static bool one_death(int words)
{
	if (!dies(live_dying, words))
		return false;
	take_over();
	for (int i = 0; i < 20; i++) {
		if (fx.child[0].rest)
			fx_gone("web");
		fx_advance_ms(100);
		/* A stop that was under way goes on: let the child obey at last. */
		if (strcmp(fx_state("web"), "stopping") == 0 && fx.child[0].alive)
			fx_die("web", SIGKILL);
	}
	ck_assert_int_eq(check_stream(), fx.child[0].spawns);
	ck_assert_str_eq(fx_state("web"), fx_board("web")->goal_up ? "running" : "stopped");
	death_over();
	return true;
}

START_TEST(a_death_at_any_word_loses_and_doubles_nothing)
{
	one_death(_i);
}
END_TEST

START_TEST(a_critical_end_ends_all_whoever_dies_in_between)
{
	int words = 1;

	critical = true;
	for (; dies(live_dying, words); words++) {
		take_over();
		if (fx.child[0].alive)
			fx_exit("web", 1);
		fx_advance_ms(100);
		ck_assert_msg(fx.finished, "word %d", words);
		ck_assert_int_eq(fx.exit_code, 1);
		death_over();
	}
	ck_assert_int_gt(words, 8);
}
END_TEST

START_TEST(a_life_has_so_many_words)
{
	ck_assert(one_death(WORDS_MIN));
}
END_TEST

START_TEST(and_not_more)
{
	ck_assert(!one_death(WORDS_MAX));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core: deaths");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, a_death_at_any_word_loses_and_doubles_nothing, 1, WORDS_MAX);
	tcase_add_test(tcase, a_critical_end_ends_all_whoever_dies_in_between);
	tcase_add_test(tcase, a_life_has_so_many_words);
	tcase_add_test(tcase, and_not_more);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
