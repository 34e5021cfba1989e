/* core/overlap: the new process is ready before the old one is told to stop; and a death of the
 * supervisor at any word of it leaves one process. */
#include "core_dying.h"

#define HOME 0u		/* the slot of "web"; what is in another one is in its second place */

static struct fx_order *replace(const char *name)
{
	struct fx_order *o = fx_order_new(CORE_RESTART);

	o->r.rolling = o->r.overlap = true;
	strlist_add(&o->r.names, name);
	core_request(fx.core, &o->r);
	fx_settle();
	return o;
}

static uint32_t alive_ones(uint32_t *last)
{
	uint32_t n = 0;

	for (uint32_t slot = 0; slot < fx.nslots; slot++) {
		if (!fx.child[slot].alive)
			continue;
		*last = slot;
		n++;
	}
	return n;
}

static int pid_of(const char *name)
{
	return fx_board(name)->pid;
}

static void end_slot(uint32_t slot, int wait_status)
{
	fx_end_slot(slot, wait_status, 0);
	fx_settle();
}

static const char *phase(void)
{
	return fx_next_of("overlap") != NULL ? fx_str("phase") : "";
}

/* "web" runs in its own slot, another process of it in slot 1 and is not ready for a second. */
static struct fx_order *begin(void)
{
	struct fx_order *o;

	policy_write(fx_add("web"))->min_uptime_ms = 1000;
	fx_start();
	fx_advance_ms(1000);
	ck_assert_str_eq(fx_state("web"), "running");
	fx_skip_events();
	fx_config();
	o = replace("web");
	ck_assert(fx.child[1].alive);
	ck_assert_str_eq(fx_signals(), "");
	ck_assert_int_eq(pid_of("web"), fx.child[HOME].pid);
	return o;
}

START_TEST(the_old_one_is_told_to_stop_when_the_new_one_is_ready)
{
	struct fx_order *o = begin();

	fx_advance_ms(999);
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	ck_assert_uint_eq(fx.signals[fx.nsignals - 1].slot, HOME);
	ck_assert_int_eq(pid_of("web"), fx.child[1].pid);
	ck_assert(!o->done);
	end_slot(HOME, SIGTERM);
	ck_assert_str_eq(fx_answer(o), "");
	ck_assert_str_eq(phase(), "starting");
	ck_assert_str_eq(phase(), "took_over");
	ck_assert_int_eq(fx_int("pid"), fx.child[1].pid);
	ck_assert_int_eq(fx_int("old_pid"), fx.child[HOME].pid);
	ck_assert_str_eq(phase(), "ended");
	ck_assert_str_eq(fx_str("signal"), "SIGTERM");
	ck_assert_str_eq(phase(), "");
	fx.cursor = 0;
	fx_expect("web", "starting", "start");
	fx_expect("web", "running", "start");
	fx_expect_quiet();
}
END_TEST

START_TEST(the_two_places_take_turns_and_the_next_plain_start_is_at_home)
{
	begin();
	fx_advance_ms(1000);
	end_slot(HOME, SIGTERM);
	ck_assert_str_eq(plan_str(fx.child[1].plan, fx.child[1].plan->name), "web/2");
	ck_assert_uint_eq(fx.child[1].plan->capture_of, HOME + 1);
	replace("web");
	ck_assert(fx.child[HOME].alive && fx.child[1].alive);
	ck_assert_str_eq(plan_str(fx.child[HOME].plan, fx.child[HOME].plan->name), "web");
	fx_advance_ms(1000);
	end_slot(1, SIGTERM);
	replace("web");
	fx_advance_ms(1000);
	end_slot(HOME, SIGTERM);
	ck_assert_int_eq(fx.child[1].spawns, 2);
	fx_order(CORE_RESTART, "web");
	end_slot(1, SIGTERM);
	ck_assert(fx.child[HOME].alive && !fx.child[1].alive);
	/* and the other place is for anybody */
	policy_write(fx_add("web"))->min_uptime_ms = 1000;
	fx_add("other");
	ck_assert_int_eq(core_apply(fx.core, fx_draft(), false, NULL), 0);
	fx_settle();
	ck_assert_uint_eq(fx_slot("other"), 1);
}
END_TEST

START_TEST(a_new_one_that_ends_too_early_changes_nothing)
{
	struct fx_order *o = begin();

	end_slot(1, W_EXITCODE(7, 0));
	ck_assert_str_eq(fx_answer(o), "web: not replaced: exited with code 7");
	ck_assert_int_eq(pid_of("web"), fx.child[HOME].pid);
	fx_expect_quiet();
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(60000);
	ck_assert_int_eq(fx.child[1].spawns, 1);
}
END_TEST

START_TEST(a_start_that_fails_changes_nothing)
{
	struct fx_order *o;

	fx_add("web");
	fx_start_web();
	fx.manual_exec = true;
	o = replace("web");
	fx_exec_fail_slot(1, STAGE_EXEC, ENOENT);
	fx_settle();
	ck_assert_msg(strstr(fx_answer(o), "web: not replaced: cannot execute") != NULL, "why");
	o = replace("web");
	fx_exec_fail_slot(1, STAGE_SPAWN, EAGAIN);
	fx_settle();
	ck_assert_msg(strstr(fx_answer(o), "cannot be started now") != NULL, "why");
	fx_advance_ms(60000);
	ck_assert_int_eq(fx.child[1].spawns, 2);
	fx_expect_quiet();
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(an_order_to_stop_is_for_both_and_waits_for_both)
{
	struct fx_order *o = begin(), *stop = fx_order(CORE_STOP, "web");

	ck_assert_str_eq(fx_signals(), "TERM/tree+cont TERM/tree+cont");
	end_slot(HOME, SIGTERM);
	ck_assert_str_eq(fx_state("web"), "stopping");
	ck_assert(!stop->done);
	end_slot(1, SIGTERM);
	ck_assert_str_eq(fx_state("web"), "stopped");
	ck_assert_str_eq(fx_answer(stop), "");
	ck_assert_msg(strstr(fx_answer(o), "was ordered to") != NULL, "why");
}
END_TEST

START_TEST(a_removal_in_the_middle_leaves_nothing)
{
	struct fx_order *o = begin();

	fx_add("other");
	ck_assert_int_eq(core_apply(fx.core, fx_draft(), false, NULL), 0);
	fx_settle();
	end_slot(HOME, SIGTERM);
	ck_assert_ptr_nonnull(fx_board("web"));
	end_slot(1, SIGTERM);
	ck_assert_ptr_null(fx_board("web"));
	ck_assert(o->done);
	fx_order_free(o);
	ck_assert_str_eq(fx_state("other"), "running");
}
END_TEST

START_TEST(a_change_that_needs_a_restart_comes_instead)
{
	struct fx_order *o = begin();
	struct subsystem_options *changed = fx_add("web");

	strlist_add(&changed->command, "changed");
	ck_assert_int_eq(core_apply(fx.core, fx_draft(), false, NULL), 0);
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "stopping");
	end_slot(1, SIGTERM);
	end_slot(HOME, SIGTERM);
	ck_assert_msg(strstr(fx_answer(o), "was ordered to") != NULL, "why");
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx.child[HOME].spawns, 2);
	ck_assert(!fx.child[1].alive);
}
END_TEST

START_TEST(a_crash_of_the_new_one_is_restarted_where_there_is_room)
{
	struct fx_order *o;

	policy_write(fx_add("web"))->restart = RESTART_ALWAYS;
	fx_start_web();
	o = replace("web");
	ck_assert_int_eq(pid_of("web"), fx.child[1].pid);
	end_slot(1, SIGSEGV);
	fx_advance_ms(1000);
	ck_assert_int_eq(fx.child[1].spawns, 2);
	ck_assert(!o->done);
	end_slot(HOME, SIGTERM);
	ck_assert_str_eq(fx_answer(o), "");
	end_slot(1, SIGSEGV);
	fx_advance_ms(1000);
	ck_assert_int_eq(fx.child[1].spawns, 2);
	ck_assert(fx.child[HOME].alive);
}
END_TEST

START_TEST(what_cannot_be_replaced_is_refused)
{
	struct fx_order *o;

	fx_add("job")->type = TYPE_ONESHOT;
	fx_add("down")->autostart = false;
	policy_write(fx_add("web"))->min_uptime_ms = 1000;
	fx_start();
	fx_advance_ms(1000);
	ck_assert_str_eq(fx_answer(replace("job")),
			 "job: not replaced: a oneshot is not replaced while it runs");
	ck_assert_str_eq(fx_answer(replace("down")), "down: not replaced: it does not run");
	o = replace("web");
	ck_assert_str_eq(fx_answer(replace("web")),
			 "web: not replaced: it is being replaced already");
	ck_assert(!o->done);
}
END_TEST

START_TEST(the_end_of_all_is_for_both)
{
	begin();
	core_signal(fx.core, SIGTERM);
	fx_settle();
	end_slot(HOME, SIGTERM);
	ck_assert(!fx.finished);
	end_slot(1, SIGTERM);
	ck_assert(fx.finished);
}
END_TEST

/* --- deaths ----------------------------------------------------------------------------------- */

#define WORDS_MIN 15
#define WORDS_MAX 80
static void configure(void)
{
	struct subsystem_options *o = fx_add("web");

	policy_write(o)->restart = RESTART_ALWAYS;
	policy_write(o)->stop_timeout_ms = 500;
	config_publish(fx_draft(), 1);
}

/* Whoever was told to end does. */
static void obey(void)
{
	for (size_t i = 0; i < fx.nsignals; i++) {
		uint32_t slot = fx.signals[i].slot;

		if (fx.child[slot].alive)
			end_slot(slot, SIGTERM);
	}
	fx.nsignals = 0;
}

static void live(void)
{
	replace("web");
	obey();
	replace("web");
	obey();
	replace("web");
	end_slot(1, SIGSEGV);
	fx_advance_ms(1000);
	obey();
	fx_order(CORE_RESTART, "web");
	obey();
}

static void live_dying(const struct core_ops *ops, int words)
{
	configure();
	run_core(ops);
	words_left = words;
	live();
}

static void take_over(void)
{
	fx.now = shared->now;
	fx.next_pid = shared->next_pid;
	fx.nslots = shared->nslots;
	for (uint32_t slot = 0; slot < FX_SLOTS; slot++) {
		struct record *r = &fx.records.slots[slot];

		fx.child[slot] = shared->child[slot];
		fx.child[slot].plan = NULL;
		if (!fx.child[slot].asked)
			continue;
		fx.child[slot].asked = false;
		fx.child[slot].alive = true;
		fx.child[slot].pid = r->pid = ++fx.next_pid;
		r->slot = slot;
		r->spawn_id = fx.child[slot].spawn_id;
		r->flags = PLAN_TREE;
		r->capture_of = slot == HOME ? 0 : HOME + 1;
		r->started_mono_ns = fx.now;
		snprintf(r->name, sizeof(r->name), slot == HOME ? "web" : "web/2");
		fx_set_record(slot, RECORD_RUNNING);
	}
	configure();
	fx.welcome.recovering = 1;
	run_core(&fx_ops);
}

static void check_one_is_left(void)
{
	uint32_t slot = UINT32_MAX;

	for (int i = 0; i < 5; i++) {
		obey();
		fx_advance_ms(1000);
	}
	ck_assert_uint_eq(alive_ones(&slot), 1);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(pid_of("web"), fx.child[slot].pid);
}

/* Dies at word number WORDS; false when the life was over before. */
static bool one_death(int words)
{
	struct fx_order *o;
	if (!dies(live_dying, words))
		return false;
	take_over();
	check_one_is_left();
	/* nothing of it is in the way of the next one */
	o = replace("web");
	check_one_is_left();
	ck_assert_msg(*fx_answer(o) == '\0', "after a death at word %d", words);
	death_over();
	return true;
}

START_TEST(a_death_at_any_word_leaves_one)
{
	int words = 1;

	fx_teardown();
	while (one_death(words))
		words++;
	ck_assert_msg(words > WORDS_MIN && words < WORDS_MAX, "%d words", words);
	fx_setup();
}
END_TEST

/* --- random lives ----------------------------------------------------------------------------- */

#define LIVES 60
#define ACTIONS 400

static unsigned int seed;
static bool hooks;	/* before and after each process */

static int rnd(int n)
{
	return rand_r(&seed) % n;
}

static bool is_main(uint32_t slot)
{
	const struct plan *p = fx.child[slot].plan;

	return p != NULL && record_name_is_main(plan_str(p, p->name)) &&
	       record_name_is_of(plan_str(p, p->name), "web");
}

/* Places of "web" where something is, or may be. */
static unsigned int in_use(void)
{
	unsigned int n = 0;

	for (uint32_t slot = 0; slot < fx.nslots; slot++) {
		const struct fx_child *k = &fx.child[slot];

		n += is_main(slot) && (k->asked || k->alive || k->rest);
	}
	return n;
}

static uint32_t any_slot(void)
{
	return (uint32_t)rnd((int)fx.nslots);
}

static void end_any(uint32_t slot)
{
	static const int ends[] = { SIGTERM, SIGSEGV, W_EXITCODE(1, 0), 0 };

	if (fx.child[slot].alive)
		fx_end_slot(slot, ends[rnd(4)], rnd(4) == 0);
}

static void rest_gone(uint32_t slot)
{
	if (!fx.child[slot].rest)
		return;
	fx.child[slot].rest = false;
	fx_set_record(slot, RECORD_GONE);
	if (fx.core != NULL)
		core_keeper_gone(fx.core, slot, fx.child[slot].spawn_id);
}

static void design(void)
{
	struct subsystem_options *o = fx_add("web");

	policy_write(o)->restart = RESTART_ALWAYS;
	policy_write(o)->stop_timeout_ms = 500 + rnd(2);
	if (rnd(2))
		strlist_add(&o->command, "another");
	if (hooks) {
		strlist_add(&policy_write(o)->pre_start, "/bin/before");
		strlist_add(&policy_write(o)->post_stop, "/bin/after");
	}
	fx_add("other");
}

static void die(void)
{
	core_free(fx.core);
	fx.core = NULL;
	board_free(fx.board);
	for (uint32_t slot = 0; slot < fx.nslots; slot++) {
		if (fx.child[slot].asked && rnd(2))
			fx_exec_ok_slot(slot);
		fx.child[slot].asked = false;
		if (rnd(4) == 0)
			end_any(slot);
		if (rnd(2))
			rest_gone(slot);
	}
	fx.now += rnd(1000) * NS_PER_MS;
	fx.board = board_new(FX_SLOTS * 4);
	fx.welcome.recovering = 1;
	fx_new_core(seed);
}

static void order(enum core_verb verb)
{
	struct fx_order *o = fx_order_new(verb);

	o->r.no_wait = true;
	o->r.rolling = o->r.overlap = verb == CORE_RESTART && rnd(3) > 0;
	strlist_add(&o->r.names, "web");
	core_request(fx.core, &o->r);
}

static void act(void)
{
	uint32_t slot = any_slot();

	switch (rnd(12)) {
	case 0: case 1: case 2:
		order(CORE_RESTART);
		break;
	case 3:
		order(rnd(3) ? CORE_START : CORE_STOP);
		break;
	case 4: case 5: case 6:
		if (fx.child[slot].asked && rnd(5) > 0)
			fx_exec_ok_slot(slot);
		else if (fx.child[slot].asked)
			fx_exec_fail_slot(slot, rnd(2) ? STAGE_EXEC : STAGE_SPAWN, EAGAIN);
		break;
	case 7:
		end_any(slot);
		break;
	case 8:
		rest_gone(slot);
		break;
	case 9:
		fx.now += rnd(700) * NS_PER_MS;
		break;
	case 10:
		if (rnd(3) == 0)
			die();
		break;
	case 11:
		if (rnd(4) == 0) {
			fx_config();
			design();
			core_apply(fx.core, fx_draft(), false, NULL);
		}
		break;
	}
	fx_settle();
	if (in_use() > 2)
		ck_abort_msg("%u at once", in_use());
}

/* All that is asked for happens, all that is told to end does, and so do hooks. */
static void come_to_rest(void)
{
	fx.manual_exec = false;
	for (int i = 0; i < 20; i++) {
		fx_settle();
		obey();
		for (uint32_t slot = 0; slot < fx.nslots; slot++) {
			if (fx.child[slot].alive && !is_main(slot) && slot != fx_slot("other"))
				fx_end_slot(slot, 0, 0);
			rest_gone(slot);
		}
		fx_advance_ms(1000);
	}
}

static void check_rest(bool up)
{
	come_to_rest();
	ck_assert_str_eq(fx_state("web"), up ? "running" : "stopped");
	ck_assert_uint_eq(in_use(), up);
	for (uint32_t slot = 0; up && slot < fx.nslots; slot++)
		if (is_main(slot) && fx.child[slot].alive)
			ck_assert_int_eq(pid_of("web"), fx.child[slot].pid);
}

static void random_life(void)
{
	struct fx_order *o;

	fx.memory_fd = memfd_create("memory", 0);
	design();
	fx.manual_exec = true;
	fx_start();
	for (int i = 0; i < ACTIONS; i++)
		act();
	order(CORE_START);
	check_rest(true);
	o = replace("web");
	check_rest(true);
	ck_assert_str_eq(fx_answer(o), "");
	o = fx_order(CORE_STOP, "web");
	check_rest(false);
	ck_assert_str_eq(fx_answer(o), "");
}

static void random_lives(void)
{
	for (int i = 0; i < LIVES; i++) {
		random_life();
		fx_teardown();
		fx_setup();
	}
}

START_TEST(whatever_happens_in_between_one_is_left_and_never_more_than_two)
{
	seed = 1;
	hooks = false;
	random_lives();
}
END_TEST

START_TEST(hooks_change_nothing_about_that)
{
	seed = 2;
	hooks = true;
	random_lives();
}
END_TEST

FX_MAIN("core: overlap",
	the_old_one_is_told_to_stop_when_the_new_one_is_ready,
	the_two_places_take_turns_and_the_next_plain_start_is_at_home,
	a_new_one_that_ends_too_early_changes_nothing,
	a_start_that_fails_changes_nothing,
	an_order_to_stop_is_for_both_and_waits_for_both,
	a_removal_in_the_middle_leaves_nothing,
	a_change_that_needs_a_restart_comes_instead,
	a_crash_of_the_new_one_is_restarted_where_there_is_room,
	what_cannot_be_replaced_is_refused,
	the_end_of_all_is_for_both,
	a_death_at_any_word_leaves_one,
	whatever_happens_in_between_one_is_left_and_never_more_than_two,
	hooks_change_nothing_about_that)
