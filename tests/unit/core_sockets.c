/* Listening sockets: who has which, and for how long. */
#include "core_fixture.h"
#include "core/core.h"

/* What the kernel and the keeper have. */
static struct { bool open, watched; char address[64]; } table[FX_SLOTS];
static int ports, opened, closed, bind_error, bound_before_first_spawn;
static bool bind_later;		/* files only */

static int listen_op(uint32_t slot, const char *address)
{
	size_t n = strlen(address);

	fx_insist(!table[slot].open, "slot %u is taken", slot);
	if (bind_later && strncmp(address, "unix:", 5) == 0) {
		snprintf(table[slot].address, sizeof(table[slot].address), "%s", address);
		table[slot].open = true;
		return -EINPROGRESS;
	}
	if (bind_error != 0)
		return -bind_error;
	for (size_t i = 0; i < FX_SLOTS; i++)
		if (table[i].open && strcmp(table[i].address, address) == 0)
			return -EADDRINUSE;
	table[slot].open = true;
	if (strcmp(address + n - 2, ":0") == 0)
		snprintf(table[slot].address, sizeof(table[slot].address), "%.*s%d", (int)n - 1,
			 address, 40000 + ports++);
	else
		snprintf(table[slot].address, sizeof(table[slot].address), "%s", address);
	opened++;
	if (fx.next_pid == 0 || fx.child[0].spawns == 0)
		bound_before_first_spawn++;
	return 0;
}

static void unlisten_op(uint32_t slot)
{
	fx_insist(table[slot].open, "slot %u is not open", slot);
	table[slot].open = false;
	closed++;
}

static void await_op(uint32_t slot, bool on)
{
	fx_insist(table[slot].open, "slot %u is not open", slot);
	table[slot].watched = on;
}

/* The end of a bind that took a while. */
static void bound(const char *address, int errnum)
{
	uint32_t slot = 0;

	while (slot < FX_SLOTS && (!table[slot].open || strcmp(table[slot].address, address) != 0))
		slot++;
	ck_assert_uint_lt(slot, FX_SLOTS);
	core_bound(fx.core, slot, errnum);
	fx_settle();
}

static void connect_to(uint32_t slot)
{
	ck_assert(table[slot].watched);
	table[slot].watched = false;	/* told once */
	core_connection(fx.core, slot);
	fx_settle();
}

static struct { uint32_t slot; uint64_t spawn_id; size_t n; } asked;
static int times_asked;

static void fetch_op(uint32_t slot, uint64_t spawn_id, size_t n)
{
	asked.slot = slot;
	asked.spawn_id = spawn_id;
	asked.n = n;
	times_asked++;
}

/* Its process has ADDRESS as number I. */
static bool found(const char *name, size_t i, const char *address)
{
	uint32_t slot;

	if (!core_socket_found(fx.core, fx_slot(name), fx_child(name)->spawn_id, i, address, &slot))
		return false;
	fx_insist(!table[slot].open, "slot %u is taken", slot);
	table[slot].open = true;
	snprintf(table[slot].address, sizeof(table[slot].address), "%s", address);
	return true;
}

static void found_all(const char *name, int errnum)
{
	core_sockets_found(fx.core, fx_slot(name), fx_child(name)->spawn_id, errnum);
	fx_settle();
}

static void tell_held(void)
{
	for (uint32_t i = 0; i < FX_SLOTS; i++)
		if (table[i].open && !core_socket_held(fx.core, i, table[i].address))
			table[i].open = false;
}

static void setup(void)
{
	fx_setup();
	fx.memory_fd = memfd_create("memory", 0);
	memset(table, 0, sizeof(table));
	ports = opened = closed = bind_error = bound_before_first_spawn = 0;
	fx_ops_listen = listen_op;
	fx_ops_unlisten = unlisten_op;
	fx_ops_fetch = fetch_op;
	times_asked = 0;
	fx_ops_await = await_op;
	fx_before_start = tell_held;
	bind_later = false;
	fx_connected = fx_look_held = fx_looking.asked = false;
}

static struct subsystem_options *add(const char *name, const char *address)
{
	struct subsystem_options *o = fx_add(name);

	strlist_add(&policy_write(o)->listen, address);
	return o;
}

/* The address that socket number I of NAME's process has. */
static const char *given(const char *name, uint32_t i)
{
	const struct plan *p = fx_child(name)->plan;

	ck_assert_uint_lt(i, p->nlisten);
	ck_assert(table[p->listen[i]].open);
	return table[p->listen[i]].address;
}

static void apply(void)
{
	ck_assert_int_eq(core_apply(fx.core, fx_draft(), true, NULL), 0);
	fx_settle();
}

static void supervisor_dies(void)
{
	for (size_t i = 0; i < FX_SLOTS; i++)
		table[i].watched = false;
	core_free(fx.core);
	fx.core = NULL;
	board_free(fx.board);
	fx.board = board_new(FX_SLOTS * 4);
	fx.welcome.recovering = 1;
	fx.welcome.deaths++;
	fx_new_core(9);
}

START_TEST(all_are_bound_before_the_first_start_and_passed_in_order)
{
	struct subsystem_options *o = add("web", "http=tcp:127.0.0.1:80");

	strlist_add(&policy_write(o)->listen, "unix:/run/x");
	add("late", "tcp:127.0.0.1:81")->autostart = false;
	fx_start();
	ck_assert_int_eq(bound_before_first_spawn, 3);
	ck_assert_uint_eq(fx_child("web")->plan->nlisten, 2);
	ck_assert_str_eq(given("web", 0), "tcp:127.0.0.1:80");
	ck_assert_str_eq(given("web", 1), "unix:/run/x");
	ck_assert_int_eq(fx_child("late")->spawns, 0);
}
END_TEST

START_TEST(first_starts_wait_until_everything_is_bound)
{
	add("web", "unix:/run/x");
	add("two", "unix:/run/y");
	fx_add("other");
	bind_later = true;
	fx_start();
	ck_assert_int_eq(fx_child("web")->spawns + fx_child("other")->spawns, 0);
	bound("unix:/run/x", 0);
	ck_assert_int_eq(fx_child("web")->spawns + fx_child("other")->spawns, 0);
	bound("unix:/run/y", 0);
	ck_assert_str_eq(given("web", 0), "unix:/run/x");
	ck_assert_str_eq(given("two", 0), "unix:/run/y");
	ck_assert_str_eq(fx_state("other"), "running");
}
END_TEST

START_TEST(a_bind_that_takes_for_ever_holds_up_its_own_only)
{
	add("web", "unix:/run/x");
	fx_add("other");
	bind_later = true;
	fx_start();
	fx_advance_ms(3000);
	ck_assert_str_eq(fx_state("other"), "running");
	ck_assert_int_eq(fx_child("web")->spawns, 0);
	fx_exit("other", 1);
	fx_advance_ms(200);
	ck_assert_int_eq(fx_child("other")->spawns, 2);
	/* given up, and the answer comes after all */
	fx_order(CORE_STOP, "web");
	ck_assert_str_eq(fx_state("web"), "stopped");
	bound("unix:/run/x", 0);
	ck_assert_str_eq(fx_state("web"), "stopped");
	fx_order(CORE_START, "web");
	ck_assert_str_eq(given("web", 0), "unix:/run/x");
}
END_TEST

START_TEST(a_bind_that_fails_late_is_a_failed_start_and_tried_again)
{
	add("web", "unix:/run/x");
	bind_later = true;
	fx_start();
	bound("unix:/run/x", EADDRINUSE);	/* told; the start tries again */
	ck_assert_str_eq(fx_state("web"), "starting");
	fx_skip_events();
	bound("unix:/run/x", EACCES);
	fx_expect("web", "failed", "start");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(fx.event, "error"),
							   "stage")), "listen");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(fx.event, "error"),
							   "errno")), "EACCES");
	fx_expect("web", "restarting", "start");
	bind_later = false;
	fx_advance_ms(200);
	ck_assert_str_eq(given("web", 0), "unix:/run/x");
	ck_assert_int_eq(fx_child("web")->spawns, 1);
}
END_TEST

START_TEST(what_is_taken_away_while_it_is_bound_is_let_go_of)
{
	add("web", "unix:/run/x");
	fx_add("other");
	bind_later = true;
	fx_start();
	fx_config();
	fx_add("other");
	apply();
	ck_assert_int_eq(closed, 1);
	ck_assert_str_eq(fx_state("other"), "running");
	core_bound(fx.core, 1, 0);	/* late, and of nobody */
	fx_settle();
	ck_assert_str_eq(fx_state("other"), "running");
}
END_TEST

START_TEST(a_restart_keeps_them)
{
	add("web", "tcp:127.0.0.1:0");
	fx_start_web();
	fx_exit("web", 1);
	fx_advance_ms(200);
	ck_assert_int_eq(fx_child("web")->spawns, 2);
	ck_assert_str_eq(given("web", 0), "tcp:127.0.0.1:40000");
	ck_assert_int_eq(opened, 1);
	ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(what_cannot_be_bound_is_a_failed_start_and_tried_again)
{
	add("web", "tcp:127.0.0.1:80");
	bind_error = EADDRINUSE;
	fx_start();
	fx_expect_type("subsystem_added");
	fx_expect("web", "starting", "start");
	fx_expect("web", "failed", "start");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(fx.event, "error"),
							   "stage")), "listen");
	fx_expect("web", "restarting", "start");
	ck_assert_int_eq(fx_child("web")->spawns, 0);
	bind_error = 0;
	fx_advance_ms(200);
	ck_assert_str_eq(given("web", 0), "tcp:127.0.0.1:80");
}
END_TEST

START_TEST(a_reload_moves_an_address_without_closing_it)
{
	add("web", "tcp:127.0.0.1:80");
	fx_start_web();
	fx_config();
	add("other", "tcp:127.0.0.1:80");
	apply();
	fx_exit("web", 0);
	ck_assert_ptr_null(fx_board("web"));
	ck_assert_str_eq(given("other", 0), "tcp:127.0.0.1:80");
	ck_assert_int_eq(opened, 1);
	ck_assert_int_eq(closed, 0);
	fx_config();
	fx_add("other");
	apply();
	fx_exit("other", 0);
	ck_assert_uint_eq(fx_child("other")->plan->nlisten, 0);
	ck_assert_int_eq(closed, 1);
}
END_TEST

START_TEST(instances_share_an_address_but_not_a_free_port)
{
	fx_add_instances("web", 2);
	for (int i = 0; i < 2; i++) {
		strlist_add(&policy_write(fx.draft->subsystems[i])->listen, "tcp:127.0.0.1:80");
		strlist_add(&policy_write(fx.draft->subsystems[i])->listen, "tcp:127.0.0.1:0");
	}
	fx_start();
	ck_assert_int_eq(opened, 3);
	ck_assert_uint_eq(fx_child("web@0")->plan->listen[0], fx_child("web@1")->plan->listen[0]);
	ck_assert_uint_ne(fx_child("web@0")->plan->listen[1], fx_child("web@1")->plan->listen[1]);
}
END_TEST

START_TEST(after_a_death_each_has_its_own_again)
{
	add("a", "tcp:127.0.0.1:0");
	add("b", "tcp:127.0.0.1:40000");
	add("c", "tcp:127.0.0.1:0");
	ports = 7;
	fx_start();
	supervisor_dies();
	fx_exit("a", 1);
	fx_exit("b", 1);
	fx_exit("c", 1);
	fx_advance_ms(200);
	ck_assert_str_eq(given("a", 0), "tcp:127.0.0.1:40007");
	ck_assert_str_eq(given("b", 0), "tcp:127.0.0.1:40000");
	ck_assert_str_eq(given("c", 0), "tcp:127.0.0.1:40008");
	ck_assert_int_eq(opened, 3);
	ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(what_nobody_wants_after_a_death_is_closed)
{
	add("web", "tcp:127.0.0.1:80");
	fx_start_web();
	fx_config();
	fx_add("web");
	config_publish(fx_draft(), 1);
	supervisor_dies();
	ck_assert_int_eq(closed, 1);
}
END_TEST

/* The keeper, too: what it held is gone, and what its processes have is not. */
static void both_die(void)
{
	for (uint32_t slot = 0; slot < FX_SLOTS; slot++)
		fx.records.slots[slot].fate = RECORD_TAKEN_OVER;
	memset(table, 0, sizeof(table));
	core_free(fx.core);
	fx.core = NULL;
	board_free(fx.board);
	fx.board = board_new(FX_SLOTS * 4);
	fx_new_core(9);
}

START_TEST(after_the_death_of_both_a_process_is_asked_for_what_it_was_given)
{
	struct subsystem_options *o = add("web", "tcp:127.0.0.1:80");

	strlist_add(&policy_write(o)->listen, "tcp:127.0.0.1:0");
	strlist_add(&policy_write(o)->listen, "tcp:127.0.0.1:0");
	strlist_add(&policy_write(o)->listen, "unix:/run/x");
	fx_start();
	both_die();
	ck_assert_int_eq(times_asked, 1);
	ck_assert_uint_eq(asked.slot, fx_slot("web"));
	ck_assert_uint_eq(asked.spawn_id, fx_child("web")->spawn_id);
	ck_assert_uint_eq(asked.n, 4);
	ck_assert(found("web", 0, "tcp:127.0.0.1:80"));
	ck_assert(!found("web", 0, "tcp:127.0.0.1:80"));	/* two numbers, one socket */
	ck_assert(!found("web", 0, "tcp:127.0.0.1:40000"));	/* none was to be there */
	ck_assert(found("web", 2, "tcp:127.0.0.1:40001"));
	ck_assert(!found("web", 1, "tcp:127.0.0.2:40000"));
	found_all("web", 0);
	opened = 0;
	fx_exit("web", 1);
	fx_advance_ms(200);
	ck_assert_str_eq(given("web", 0), "tcp:127.0.0.1:80");
	ck_assert_str_eq(given("web", 2), "tcp:127.0.0.1:40001");
	ck_assert_int_eq(opened, 2);	/* what could not be had */
	ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(what_came_back_after_the_death_of_both_is_watched_for_idleness_again)
{
	struct subsystem_options *o = add("web", "tcp:127.0.0.1:80");

	policy_write(o)->socket_activation = true;
	policy_write(o)->idle_timeout_ms = 1000;
	fx_start();
	connect_to(1);
	both_die();
	ck_assert(found("web", 0, "tcp:127.0.0.1:80"));
	found_all("web", 0);
	fx_advance_ms(3000);
	ck_assert_str_eq(fx_state("web"), "stopping");
	fx_exit("web", 0);
	ck_assert_str_eq(fx_state("web"), "stopped");
	connect_to(fx_child("web")->plan->listen[0]);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(what_is_found_after_its_process_ended_is_no_news)
{
	uint64_t before;

	add("web", "tcp:127.0.0.1:80");
	fx_start_web();
	before = fx_child("web")->spawn_id;
	both_die();
	fx_exit("web", 1);
	fx_advance_ms(200);
	ck_assert_uint_ne(fx_child("web")->spawn_id, before);
	ck_assert(!core_socket_found(fx.core, fx_slot("web"), before, 0, "tcp:127.0.0.1:80",
				     &(uint32_t){ 0 }));
	core_sockets_found(fx.core, fx_slot("web"), before, ESRCH);
	core_sockets_found(fx.core, FX_SLOTS - 1, before, ESRCH);
	fx_settle();
	ck_assert_str_eq(given("web", 0), "tcp:127.0.0.1:80");
	ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(a_connection_starts_it_and_a_clean_end_makes_it_wait_again)
{
	policy_write(add("web", "tcp:127.0.0.1:80"))->socket_activation = true;
	fx_start();
	ck_assert_str_eq(fx_state("web"), "stopped");
	ck_assert_int_eq(fx.state, DAEMON_RUNNING);
	fx_skip_events();
	connect_to(1);
	ck_assert(!table[1].watched);
	fx_expect("web", "starting", "socket");
	fx_expect("web", "running", "start");
	fx_skip_events();
	fx_exit("web", 0);
	fx_expect("web", "stopped", "exit");
	supervisor_dies();
	connect_to(1);
	ck_assert_str_eq(fx_state("web"), "running");
	fx_exit("web", 1);
	ck_assert_str_eq(fx_state("web"), "restarting");
	ck_assert(!table[1].watched);
}
END_TEST

START_TEST(what_is_meant_to_be_down_is_not_woken)
{
	policy_write(add("web", "tcp:127.0.0.1:80"))->socket_activation = true;
	fx_start();
	ck_assert(table[1].watched);
	fx_order(CORE_STOP, "web");
	ck_assert(!table[1].watched);
	core_connection(fx.core, 1);	/* on its way already */
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "stopped");
}
END_TEST

START_TEST(instances_wake_together_and_let_go_of_the_socket)
{
	fx_add_instances("web", 2);
	for (int i = 0; i < 2; i++) {
		strlist_add(&policy_write(fx.draft->subsystems[i])->listen, "tcp:127.0.0.1:80");
		policy_write(fx.draft->subsystems[i])->socket_activation = true;
	}
	fx_start();
	connect_to(2);
	ck_assert_str_eq(fx_state("web@0"), "running");
	ck_assert_str_eq(fx_state("web@1"), "running");
	fx_exit("web@1", 0);
	ck_assert(table[2].watched);
	fx_exit("web@0", 0);
	connect_to(2);
}
END_TEST

START_TEST(it_is_stopped_when_it_had_no_connection_for_long)
{
	struct subsystem_options *o = add("web", "tcp:127.0.0.1:80");

	policy_write(o)->socket_activation = true;
	policy_write(o)->idle_timeout_ms = 1000;
	fx_start();
	connect_to(1);
	fx_connected = true;
	fx_advance_ms(5000);
	ck_assert_str_eq(fx_state("web"), "running");
	fx_connected = false;
	fx_advance_ms(700);
	connect_to(1);			/* and gone again before anybody looks */
	fx_advance_ms(950);
	ck_assert_str_eq(fx_state("web"), "running");
	fx_skip_events();
	fx_advance_ms(300);
	fx_expect("web", "stopping", "idle");
	fx_exit("web", 0);
	fx_expect("web", "stopped", "idle");
	connect_to(1);
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(a_look_that_takes_long_ends_nothing_and_its_late_answer_counts_once)
{
	struct subsystem_options *o = add("web", "tcp:127.0.0.1:80");

	policy_write(o)->socket_activation = true;
	policy_write(o)->idle_timeout_ms = 1000;
	fx_look_held = true;
	fx_start();
	connect_to(1);
	fx_advance_ms(60000);
	ck_assert(fx_looking.asked);
	ck_assert_str_eq(fx_state("web"), "running");
	connect_to(1);			/* while the answer, from before, is on its way */
	fx_answer_look();
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "running");
	/* restarted meanwhile: the answer was about another life */
	fx_advance_ms(300);
	ck_assert(fx_looking.asked);
	fx_order(CORE_RESTART, "web");
	fx_exit("web", 0);
	ck_assert_str_eq(fx_state("web"), "running");
	fx_answer_look();
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "running");
	fx_look_held = false;
	fx_advance_ms(1500);
	ck_assert_str_eq(fx_state("web"), "stopping");
}
END_TEST

START_TEST(what_something_needs_is_in_use)
{
	struct subsystem_options *o = add("db", "tcp:127.0.0.1:80");

	policy_write(o)->socket_activation = true;
	policy_write(o)->idle_timeout_ms = 1000;
	strlist_add(&links_write(fx_add("app"))->depends_on, "db");
	fx_start();
	ck_assert_str_eq(fx_state("db"), "running");
	fx_advance_ms(10000);
	ck_assert_str_eq(fx_state("db"), "running");
	fx_order(CORE_STOP, "app");
	fx_exit("app", 0);
	fx_advance_ms(2000);
	ck_assert_str_eq(fx_state("db"), "stopping");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		all_are_bound_before_the_first_start_and_passed_in_order,
		first_starts_wait_until_everything_is_bound,
		a_bind_that_takes_for_ever_holds_up_its_own_only,
		a_bind_that_fails_late_is_a_failed_start_and_tried_again,
		what_is_taken_away_while_it_is_bound_is_let_go_of, a_restart_keeps_them,
		what_cannot_be_bound_is_a_failed_start_and_tried_again,
		a_reload_moves_an_address_without_closing_it,
		instances_share_an_address_but_not_a_free_port, after_a_death_each_has_its_own_again,
		what_nobody_wants_after_a_death_is_closed,
		after_the_death_of_both_a_process_is_asked_for_what_it_was_given,
		what_is_found_after_its_process_ended_is_no_news,
		what_came_back_after_the_death_of_both_is_watched_for_idleness_again,
		a_connection_starts_it_and_a_clean_end_makes_it_wait_again,
		what_is_meant_to_be_down_is_not_woken,
		instances_wake_together_and_let_go_of_the_socket,
		it_is_stopped_when_it_had_no_connection_for_long,
		a_look_that_takes_long_ends_nothing_and_its_late_answer_counts_once, what_something_needs_is_in_use,
	};

	return unit_run_in("core: sockets", setup, fx_teardown, tests, ARRAY_LEN(tests));
}
