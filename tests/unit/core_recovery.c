/* A supervisor dies, the next one goes on: nothing is lost, nothing told or started
 * twice. */
#include "core_fixture.h"

/* The supervisor is killed: its memory is gone, board included; keeper, records, memory file and
 * event channel stay. */
static void die(void)
{
	core_free(fx.core);
	fx.core = NULL;
	board_free(fx.board);
	fx.board = NULL;
	for (size_t i = 0; i < FX_SLOTS; i++)
		fx.child[i].drain = false;
}

static void come_back(void)
{
	fx.board = board_new(FX_SLOTS * 4);
	fx.welcome.recovering = 1;
	fx.welcome.deaths++;
	fx_new_core(9);
}

static void setup(void)
{
	fx_setup();
	fx.memory_fd = memfd_create("memory", 0);
}

static void start_web(void)
{
	fx_add("web");
	fx_start_web();
}

START_TEST(one_that_was_removed_and_ended_meanwhile_is_told_to_the_end)
{
	json_t *summary;

	fx_add("other");
	fx_add("web");
	fx_start();
	fx_config();
	fx_add("other");
	ck_assert_int_eq(core_apply(fx.core, fx_draft(), false, &summary), 0);
	json_decref(summary);
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "stopping");
	fx_skip_events();
	die();
	fx_end_slot(1, SIGTERM, 0);
	fx_set_record(1, RECORD_FREE);
	fx.child[1].exited = false;
	come_back();
	fx_expect("web", "stopped", "reload");
	fx_expect_type("subsystem_removed");
	ck_assert_str_eq(fx_str("name"), "web");
	ck_assert_ptr_null(fx_board("web"));
}
END_TEST

START_TEST(a_running_child_goes_on_without_an_event)
{
	struct board_record before;
	int pid;

	start_web();
	pid = fx_child("web")->pid;
	before = *fx_board("web");
	fx_advance_ms(5000);
	die();
	come_back();
	fx_expect_type("supervisor_recovered");
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(fx.event, "adopted"), 0)),
			 "web");
	ck_assert_uint_eq(json_array_size(json_object_get(fx.event, "lost")), 0);
	fx_expect_quiet();
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx_board("web")->pid, pid);
	ck_assert_uint_eq(fx_board("web")->id, before.id);
	ck_assert_int_eq(fx_board("web")->started_mono_ns, before.started_mono_ns);
	ck_assert_int_eq(fx_board("web")->since_mono_ns, before.since_mono_ns);
	ck_assert_int_eq(fx_child("web")->spawns, 1);
	ck_assert_int_eq(fx.state, DAEMON_RUNNING);
	ck_assert_str_eq(fx_signals(), "");
}
END_TEST

START_TEST(event_numbers_go_on)
{
	uint64_t last;

	start_web();
	last = chan_last_seq(fx.chan);
	die();
	come_back();
	fx_expect_type("supervisor_recovered");
	ck_assert_int_eq(fx_int("seq"), (int64_t)last + 1);
}
END_TEST

START_TEST(the_generation_in_force_is_known)
{
	ck_assert_uint_eq(core_saved_generation(fx.memory_fd), 0);
	ck_assert_uint_eq(core_saved_generation(-1), 0);
	start_web();
	ck_assert_uint_eq(core_saved_generation(fx.memory_fd), 1);
}
END_TEST

START_TEST(an_exit_while_nobody_looked_is_told_with_its_true_status)
{
	start_web();
	die();
	fx_end_slot(0, W_EXITCODE(7, 0), 0);
	come_back();
	fx_expect_type("supervisor_recovered");
	fx_expect("web", "failed", "exit");
	ck_assert_int_eq(fx_int("exit_code"), 7);
	ck_assert_int_eq(fx_int("pid"), 101);
	fx_expect("web", "restarting", "exit");
	fx_advance_ms(100);
	ck_assert_int_eq(fx_child("web")->spawns, 2);
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(the_output_of_such_a_child_is_read_before)
{
	streams_write(fx_add("web"))->stdio[1].kind = STDIO_LOG;
	fx_start_web();
	die();
	fx_end_slot(0, SIGKILL, 0);
	fx.manual_drain = true;
	come_back();
	ck_assert(fx.child[0].drain);
	ck_assert_str_eq(fx_state("web"), "running");
	core_drained(fx.core, 0, fx.child[0].spawn_id, NULL);
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "restarting");
}
END_TEST

START_TEST(an_unknown_exit_status_is_not_invented)
{
	start_web();
	die();
	fx_end_slot(0, WAIT_STATUS_UNKNOWN, 0);
	come_back();
	fx_expect("web", "failed", "exit");
	ck_assert(json_is_null(json_object_get(fx.event, "exit_code")));
	ck_assert(json_is_null(json_object_get(fx.event, "signal")));
	ck_assert_ptr_nonnull(strstr(fx_board("web")->texts->last_error, "unknown"));
}
END_TEST

START_TEST(a_told_exit_is_not_told_again)
{
	start_web();
	fx_exit_leaving("web", SIGSEGV, 2);
	fx_skip_events();
	fx_signals();
	die();
	come_back();
	fx_expect_quiet();
	ck_assert_str_eq(fx_state("web"), "restarting");
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");	/* the stop of the rest goes on */
	fx_gone("web");
	fx_advance_ms(100);
	ck_assert_int_eq(fx_child("web")->spawns, 2);
}
END_TEST

START_TEST(a_rest_that_went_away_meanwhile_is_released)
{
	start_web();
	fx_exit_leaving("web", SIGSEGV, 2);
	die();
	fx.child[0].rest = false;
	fx_set_record(0, RECORD_GONE);
	come_back();
	fx_advance_ms(100);
	ck_assert_int_eq(fx_child("web")->spawns, 2);
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(a_stopped_one_whose_release_was_lost_can_be_started)
{
	struct fx_order *order;

	start_web();
	order = fx_order(CORE_STOP, "web");
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_answer(order), "");
	fx.child[0].exited = true;	/* the supervisor died before it could release it */
	fx_set_record(0, RECORD_GONE);
	die();
	come_back();
	order = fx_order(CORE_START, "web");
	ck_assert_str_eq(fx_answer(order), "");
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx_child("web")->spawns, 2);
}
END_TEST

START_TEST(a_backoff_deadline_is_kept)
{
	policy_write(fx_add("web"))->restart_delay_ms = 10000;
	fx_start_web();
	fx_exit("web", 1);
	fx_advance_ms(4000);
	die();
	fx.now += 2000 * NS_PER_MS;
	fx_skip_events();
	come_back();
	fx_expect_quiet();
	fx_advance_ms(3999);
	ck_assert_str_eq(fx_state("web"), "restarting");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx_board("web")->restart_count, 1);
	ck_assert_int_eq(fx_board("web")->attempt, 1);
}
END_TEST

START_TEST(an_operator_stop_is_kept)
{
	struct fx_order *stop;

	start_web();
	stop = fx_order(CORE_STOP, "web");
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_answer(stop), "");
	die();
	come_back();
	fx_advance_ms(100000);
	ck_assert_str_eq(fx_state("web"), "stopped");
	ck_assert_int_eq(fx_child("web")->spawns, 1);
}
END_TEST

START_TEST(a_stop_under_way_goes_on_with_its_deadline)
{
	policy_write(fx_add("web"))->stop_timeout_ms = 3000;
	fx_start_web();
	fx_order(CORE_STOP, "web");
	fx_advance_ms(1000);
	die();
	fx_signals();
	come_back();
	ck_assert_str_eq(fx_state("web"), "stopping");
	fx_advance_ms(1999);
	ck_assert_ptr_null(strstr(fx_signals(), "KILL"));
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	fx_die("web", SIGKILL);
	ck_assert_str_eq(fx_state("web"), "stopped");
	ck_assert(fx_board("web")->killed);
}
END_TEST

START_TEST(a_restart_under_way_is_finished)
{
	start_web();
	fx_order(CORE_RESTART, "web");
	die();
	come_back();
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx_child("web")->spawns, 2);
}
END_TEST

START_TEST(min_uptime_goes_on_counting_from_the_start)
{
	policy_write(fx_add("web"))->min_uptime_ms = 3000;
	fx_start();
	fx_advance_ms(1000);
	die();
	come_back();
	ck_assert_str_eq(fx_state("web"), "starting");
	fx_advance_ms(1999);
	ck_assert_str_eq(fx_state("web"), "starting");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx.state, DAEMON_RUNNING);
}
END_TEST

START_TEST(a_spawn_that_never_reached_the_keeper_is_made_again)
{
	fx_add("web");
	fx.manual_exec = true;
	fx_start();
	fx_skip_events();
	die();
	fx.child[0].asked = false;
	come_back();
	ck_assert(fx.child[0].asked);
	ck_assert_int_eq(fx.child[0].spawns, 2);
	fx_exec_ok_slot(0);
	fx_settle();
	fx_expect("web", "running", "start");
	ck_assert_int_eq(fx_board("web")->restart_count, 0);
}
END_TEST

START_TEST(a_spawn_that_succeeded_meanwhile_is_found_in_the_records)
{
	fx_add("web");
	fx.manual_exec = true;
	fx_start();
	fx_skip_events();
	die();
	fx_exec_ok_slot(0);
	come_back();
	fx_expect("web", "running", "start");
	ck_assert_int_eq(fx.child[0].spawns, 1);
}
END_TEST

START_TEST(a_start_that_ran_and_died_meanwhile_is_told_in_full)
{
	fx_add("web");
	fx.manual_exec = true;
	fx_start();
	fx_skip_events();
	die();
	fx_exec_ok_slot(0);
	fx_end_slot(0, SIGABRT, 0);
	come_back();
	fx_expect("web", "running", "start");
	fx_expect("web", "failed", "signal");
	ck_assert_str_eq(fx_str("signal"), "SIGABRT");
}
END_TEST

START_TEST(a_late_failure_of_the_start_before_is_ignored)
{
	struct km_started m = { .slot = 0, .stage = STAGE_EXEC, .errnum = ENOENT };

	fx_add("web");
	fx.manual_exec = true;
	fx_start();
	m.spawn_id = fx.child[0].spawn_id;
	die();
	fx.child[0].asked = false;
	come_back();
	core_keeper_started(fx.core, &m);
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "starting");
}
END_TEST

START_TEST(counters_and_gave_up_are_kept)
{
	policy_write(fx_add("web"))->restart_max_attempts = 1;
	fx_start_web();
	fx_exit("web", 1);
	fx_advance_ms(100);
	fx_exit("web", 2);
	die();
	come_back();
	ck_assert_str_eq(fx_state("web"), "failed");
	ck_assert(fx_board("web")->gave_up);
	ck_assert_int_eq(fx_board("web")->exit_code, 2);
	ck_assert_int_eq(fx_board("web")->restart_count, 1);
	ck_assert_uint_eq(board_daemon(fx.board)->total_restarts, 1);
	fx_advance_ms(100000);
	ck_assert_int_eq(fx_child("web")->spawns, 2);
}
END_TEST

START_TEST(a_deferred_start_is_tried_again)
{
	fx_add("web");
	fx.manual_exec = true;
	fx_start();
	fx_exec_fail_slot(0, STAGE_SPAWN, EAGAIN);
	fx_settle();
	die();
	come_back();
	ck_assert(fx.child[0].asked);
	fx_exec_ok_slot(0);
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(an_event_that_was_not_sent_any_more_is_sent)
{
	struct chan *copy;
	unsigned char saved[65 * 512];

	start_web();
	fx_exit("web", 1);
	/* The memory is one event further than the channel: killed between saving and sending. */
	ck_assert_int_eq(pread(fx.memory_fd, saved, sizeof(saved), 0), sizeof(saved));
	die();
	copy = chan_open(-1, 1 << 20, 4096, CHAN_LOCK_FREE, &(bool){ false });
	for (uint64_t cursor = 0, last = chan_last_seq(fx.chan) - 1; cursor < last;) {
		struct strbuf body = STRBUF_INIT;
		uint64_t lost;

		ck_assert_int_eq(chan_try_recv(fx.chan, &cursor, &body, &lost), CHAN_OK);
		chan_send(copy, body.buf, body.len);
		strbuf_fini(&body);
	}
	chan_close(fx.chan);
	chan_free(fx.chan);
	fx.chan = copy;
	fx_skip_events();
	come_back();
	fx_expect("web", "restarting", "exit");
	ck_assert_int_eq(fx_int("next_restart_ms"), 100);
	fx_expect_quiet();
}
END_TEST

START_TEST(a_child_that_the_configuration_no_longer_knows_is_stopped)
{
	fx_add("old");
	fx_add("web");
	fx_start();
	die();
	fx_config();
	fx_add("web");
	config_publish(fx_draft(), 1);
	fx_skip_events();
	come_back();
	fx_expect("old", "stopping", "reload");
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_die("old", SIGTERM);
	fx_expect("old", "stopped", "reload");
	fx_expect_type("subsystem_removed");
	ck_assert_ptr_null(fx_board("old"));
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(a_new_subsystem_of_the_configuration_is_started)
{
	start_web();
	die();
	fx_config();
	fx_add("new");
	fx_add("web");
	config_publish(fx_draft(), 1);
	come_back();
	ck_assert_str_eq(fx_state("new"), "running");
	ck_assert_uint_ne(fx_board("new")->id, fx_board("web")->id);
	ck_assert_int_eq(fx_child("web")->spawns, 1);
}
END_TEST

START_TEST(without_memory_the_records_still_tell_what_runs)
{
	start_web();
	die();
	ck_assert_int_eq(ftruncate(fx.memory_fd, 0), 0);
	come_back();
	fx_expect("web", "starting", "adopted");
	fx_expect("web", "running", "adopted");
	ck_assert_int_eq(fx_int("pid"), 101);
	ck_assert_int_eq(fx_child("web")->spawns, 1);
	fx_exit("web", 3);
	fx_expect("web", "failed", "exit");
	fx_advance_ms(100);
	ck_assert_int_eq(fx_child("web")->spawns, 2);
}
END_TEST

START_TEST(a_child_that_vanished_with_its_record_is_lost_and_restarted)
{
	start_web();
	die();
	fx.child[0] = (struct fx_child){ .plan = fx.child[0].plan,
					 .spawn_id = fx.child[0].spawn_id, .spawns = 1 };
	fx_set_record(0, RECORD_FREE);
	come_back();
	fx_expect_type("supervisor_recovered");
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(fx.event, "lost"), 0)),
			 "web");
	fx_expect("web", "failed", "exit");
	ck_assert(json_is_null(json_object_get(fx.event, "exit_code")));
	fx_advance_ms(100);
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

/* The keeper was killed, too: the next one took the records over. */
static void come_back_anew(uint32_t fate)
{
	for (uint32_t slot = 0; slot < FX_SLOTS; slot++)
		if (atomic_load(&fx.records.slots[slot].state) != RECORD_FREE)
			fx.records.slots[slot].fate = RECORD_TAKEN_OVER | fate;
	fx.board = board_new(FX_SLOTS * 4);
	fx.welcome.recovering = 0;
	fx.welcome.keeper_started_mono_ns++;
	fx_new_core(9);
}

static void start_mortal(void)
{
	policy_write(fx_add("web"))->on_supervisor_death = KEEPER_DEATH_STOP;
	fx_start_web();
	fx.records.slots[0].flags |= PLAN_DIE_WITH_KEEPER;
}

START_TEST(a_child_of_a_dead_keeper_appears_as_adopted)
{
	start_web();
	die();
	come_back_anew(0);
	fx_expect_type("supervisor_recovered");
	ck_assert_uint_eq(json_array_size(json_object_get(fx.event, "adopted")), 1);
	fx_expect("web", "starting", "adopted");
	fx_expect("web", "running", "adopted");
	ck_assert_int_eq(fx_int("pid"), 101);
	ck_assert_int_eq(fx_child("web")->spawns, 1);
	ck_assert_str_eq(fx_signals(), "");
}
END_TEST

static void end_mortal(bool supervisor_dies)
{
	start_mortal();
	die();
	come_back_anew(0);
	fx_expect("web", "stopping", "adopted");
	if (supervisor_dies) {	/* in the middle of it */
		die();
		come_back();
	}
	ck_assert_str_eq(fx_state("web"), "stopping");
	fx_end_slot(0, SIGTERM, 0);
	fx_settle();
	fx_expect("web", "stopped", "adopted");
	fx_expect("web", "starting", "start");
	ck_assert_int_eq(fx_child("web")->spawns, 2);
	ck_assert_uint_eq(fx_board("web")->restart_count, 0);
}

START_TEST(a_child_that_was_to_die_with_its_keeper_is_ended_and_begins_anew)
{
	end_mortal(false);
}
END_TEST

START_TEST(that_is_finished_by_the_next_supervisor_if_need_be)
{
	end_mortal(true);
}
END_TEST

START_TEST(such_a_child_that_died_is_no_failure)
{
	start_mortal();
	die();
	fx_end_slot(0, WAIT_STATUS_UNKNOWN, 0);
	come_back_anew(0);
	fx_expect("web", "stopping", "adopted");
	fx_expect_type("supervisor_recovered");
	ck_assert_uint_eq(json_array_size(json_object_get(fx.event, "lost")), 0);
	fx_expect("web", "stopped", "adopted");
	fx_expect("web", "starting", "start");
	ck_assert_int_eq(fx_child("web")->spawns, 2);
}
END_TEST

START_TEST(the_death_of_the_supervisor_alone_ends_nobody)
{
	start_mortal();
	die();
	come_back();
	fx_expect_type("supervisor_recovered");
	fx_expect_quiet();
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_str_eq(fx_signals(), "");
}
END_TEST

START_TEST(without_memory_such_a_child_is_ended_all_the_same)
{
	start_mortal();
	die();
	ck_assert_int_eq(ftruncate(fx.memory_fd, 0), 0);
	come_back_anew(0);
	fx_expect("web", "stopping", "adopted");
	fx_end_slot(0, SIGTERM, 0);
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx_child("web")->spawns, 2);
}
END_TEST

START_TEST(a_number_that_is_somebody_elses_is_named)
{
	json_t *left;

	start_web();
	die();
	fx_end_slot(0, WAIT_STATUS_UNKNOWN, 0);
	come_back_anew(RECORD_LEFT_ALONE);
	fx_expect_type("supervisor_recovered");
	left = json_array_get(json_object_get(fx.event, "left_alone"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(left, "name")), "web");
	ck_assert_int_eq(json_integer_value(json_object_get(left, "pid")), 101);
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(fx.event, "lost"), 0)),
			 "web");
	fx_expect("web", "failed", "exit");
	ck_assert_str_eq(fx_signals(), "");
}
END_TEST

START_TEST(a_shutdown_under_way_goes_on)
{
	start_web();
	core_signal(fx.core, SIGTERM);
	fx_settle();
	fx_advance_ms(1000);
	die();
	fx_signals();
	come_back();
	ck_assert_int_eq(fx.state, DAEMON_STOPPING);
	ck_assert_str_eq(fx_state("web"), "stopping");
	fx_advance_ms(9000);
	fx_signals();
	fx_advance_ms(5000);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	fx_die("web", SIGKILL);
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 3);
}
END_TEST

START_TEST(a_shutdown_whose_last_child_ended_meanwhile_finishes)
{
	start_web();
	core_signal(fx.core, SIGTERM);
	fx_settle();
	die();
	fx_end_slot(0, SIGTERM, 0);
	come_back();
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 0);
}
END_TEST

START_TEST(a_shutdown_dies_with_its_keeper_and_what_it_stopped_starts_again)
{
	struct fx_order *stop;

	fx_add("ended");
	fx_add("stopping");
	fx_add("unwanted");
	fx_start();
	stop = fx_order(CORE_STOP, "unwanted");
	fx_die("unwanted", SIGTERM);
	fx_answer(stop);
	core_signal(fx.core, SIGTERM);
	fx_settle();
	fx_die("ended", SIGTERM);
	die();
	come_back_anew(0);
	ck_assert_int_ne(fx.state, DAEMON_STOPPING);
	ck_assert_str_eq(fx_state("ended"), "running");
	ck_assert_int_eq(fx_child("ended")->spawns, 2);
	ck_assert_str_eq(fx_state("stopping"), "stopping");
	ck_assert_int_eq(fx_child("stopping")->spawns, 1);
	fx_die("stopping", SIGTERM);
	ck_assert_str_eq(fx_state("stopping"), "running");
	ck_assert_int_eq(fx_child("stopping")->spawns, 2);
	ck_assert_str_eq(fx_state("unwanted"), "stopped");
	ck_assert(!fx.finished);
	die();
	come_back();	/* and the next one of that keeper knows nothing of a shutdown, either */
	ck_assert_str_eq(fx_state("stopping"), "running");
	ck_assert(!fx.finished);
}
END_TEST

START_TEST(one_killed_before_it_said_so_leaves_the_void_shutdown_to_the_next)
{
	start_web();
	core_signal(fx.core, SIGTERM);
	fx_settle();
	fx_die("web", SIGTERM);
	die();
	fx.welcome.keeper_started_mono_ns++;
	come_back();
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_ne(fx.state, DAEMON_STOPPING);
}
END_TEST

/* The order to forget it died with the keeper before it was read. */
static void release_is_lost(uint32_t slot)
{
	fx.child[slot].exited = true;
	fx_set_record(slot, RECORD_GONE);
}

START_TEST(one_that_was_told_as_removed_is_not_told_again_for_an_old_record)
{
	json_t *summary;

	fx_add("other");
	fx_add("web");
	fx_start();
	fx_config();
	fx_add("other");
	ck_assert_int_eq(core_apply(fx.core, fx_draft(), false, &summary), 0);
	json_decref(summary);
	fx_settle();
	fx_die("web", SIGTERM);
	ck_assert_ptr_null(fx_board("web"));
	fx_skip_events();
	die();
	release_is_lost(1);
	come_back_anew(0);
	fx_expect_type("supervisor_recovered");
	ck_assert_uint_eq(json_array_size(json_object_get(fx.event, "adopted")), 1);
	ck_assert_uint_eq(json_array_size(json_object_get(fx.event, "lost")), 0);
	fx_expect("other", "starting", "adopted");
	fx_expect("other", "running", "adopted");
	fx_expect_type("ready_changed");
	fx_expect_quiet();
	ck_assert_int_eq(atomic_load(&fx.records.slots[1].state), RECORD_FREE);
}
END_TEST

START_TEST(a_start_that_no_keeper_heard_of_does_not_tell_the_last_end_again)
{
	struct fx_order *restart;

	start_web();
	restart = fx_order(CORE_RESTART, "web");
	fx.manual_exec = true;
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_state("web"), "starting");
	fx_skip_events();
	die();
	restart->done = true;
	release_is_lost(0);
	fx.records.slots[0].spawn_id = 1;
	fx.child[0].spawn_id = 1;
	fx.child[0].asked = false;
	fx.manual_exec = false;
	come_back_anew(0);
	fx_expect_type("supervisor_recovered");
	ck_assert_uint_eq(json_array_size(json_object_get(fx.event, "lost")), 0);
	fx_expect("web", "running", "start");
	fx_expect_type("ready_changed");
	fx_expect_quiet();
	ck_assert_int_eq(fx_child("web")->pid, 102);
}
END_TEST

START_TEST(one_that_was_to_be_replaced_is_replaced_after_its_adoption)
{
	json_t *summary;

	start_web();
	fx_config();
	rights_write(fx_add("web"))->umask = 077;
	ck_assert_int_eq(core_apply(fx.core, fx_draft(), false, &summary), 0);
	json_decref(summary);
	die();
	come_back_anew(0);
	ck_assert_str_eq(fx_state("web"), "stopping");
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx_child("web")->spawns, 2);
}
END_TEST

START_TEST(what_was_started_with_other_options_is_replaced_and_nothing_else)
{
	struct config *before;

	fx_add("same");
	fx_add("web");
	fx_start();
	fx_config();
	fx_add("same");
	fx_add("web");
	before = fx_draft();
	die();
	fx_config();
	fx_add("same");
	rights_write(fx_add("web"))->umask = 077;
	config_publish(fx_draft(), 1);
	fx.before = before;
	come_back_anew(0);
	config_free(before);
	fx.before = NULL;
	ck_assert_str_eq(fx_state("same"), "running");
	ck_assert_str_eq(fx_state("web"), "stopping");
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx_child("web")->spawns, 2);
	ck_assert_int_eq(fx_child("same")->spawns, 1);
}
END_TEST

START_TEST(a_fresh_start_remembers_nothing)
{
	struct fx_order *stop;

	start_web();
	stop = fx_order(CORE_STOP, "web");
	fx_die("web", SIGTERM);
	fx_answer(stop);
	die();
	close(fx.memory_fd);	/* removed by an ordered end */
	fx.memory_fd = memfd_create("memory", 0);
	fx.board = board_new(FX_SLOTS * 4);
	fx.child[0].spawn_id = 0;
	fx_new_core(9);
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(a_killed_procd_of_which_nothing_ran_is_remembered)
{
	struct fx_order *stop;

	policy_write(fx_add("bad"))->restart_max_attempts = 1;
	start_web();
	fx_exit("bad", 1);
	fx_advance_ms(100);
	fx_exit("bad", 1);
	stop = fx_order(CORE_STOP, "web");
	fx_die("web", SIGTERM);
	fx_answer(stop);
	die();
	come_back_anew(0);
	fx_advance_ms(100000);
	ck_assert_str_eq(fx_state("web"), "stopped");
	ck_assert_str_eq(fx_state("bad"), "failed");
	ck_assert_int_eq(fx_child("bad")->spawns, 2);
	ck_assert_int_eq(fx_child("web")->spawns, 1);
	ck_assert_uint_eq(fx_board("bad")->restart_count, 1);
}
END_TEST

START_TEST(hundreds_of_deaths_lose_and_double_nothing)
{
	unsigned int seed = 3;
	int spawns = 0, ends = 0, told_ends = 0, told_runs = 0;

	for (int i = 0; i < 6; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		policy_write(fx_add(name))->restart = RESTART_ALWAYS;
		policy_write(fx.draft->subsystems[i])->restart_max_delay_ms = 150;
	}
	fx_start();
	for (int round = 0; round < 300; round++) {
		bool dead = rand_r(&seed) % 2;

		if (dead)
			die();
		for (uint32_t slot = 0; slot < 6; slot++) {
			if (fx.child[slot].alive && rand_r(&seed) % 3 == 0) {
				fx_end_slot(slot, rand_r(&seed) % 2 ? 0 : SIGKILL, 0);
				ends++;
			}
		}
		if (dead)
			come_back();
		else
			fx_settle();
		fx_advance_ms(rand_r(&seed) % 400);
		while (fx_next_of("state_changed")) {
			told_runs += strcmp(fx_str("state"), "running") == 0;
			told_ends += strcmp(fx_str("prev"), "running") == 0;
		}
	}
	for (uint32_t slot = 0; slot < 6; slot++)
		spawns += fx.child[slot].spawns;
	ck_assert_int_eq(told_ends, ends);
	ck_assert_int_eq(told_runs, spawns);
	ck_assert_int_gt(ends, 300);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_running_child_goes_on_without_an_event,
		one_that_was_removed_and_ended_meanwhile_is_told_to_the_end, event_numbers_go_on,
		the_generation_in_force_is_known,
		an_exit_while_nobody_looked_is_told_with_its_true_status,
		the_output_of_such_a_child_is_read_before, an_unknown_exit_status_is_not_invented,
		a_told_exit_is_not_told_again, a_rest_that_went_away_meanwhile_is_released,
		a_stopped_one_whose_release_was_lost_can_be_started,
		a_backoff_deadline_is_kept, an_operator_stop_is_kept,
		a_stop_under_way_goes_on_with_its_deadline, a_restart_under_way_is_finished,
		min_uptime_goes_on_counting_from_the_start,
		a_spawn_that_never_reached_the_keeper_is_made_again,
		a_spawn_that_succeeded_meanwhile_is_found_in_the_records,
		a_start_that_ran_and_died_meanwhile_is_told_in_full,
		a_late_failure_of_the_start_before_is_ignored, counters_and_gave_up_are_kept,
		a_deferred_start_is_tried_again, an_event_that_was_not_sent_any_more_is_sent,
		a_child_that_the_configuration_no_longer_knows_is_stopped,
		a_new_subsystem_of_the_configuration_is_started,
		without_memory_the_records_still_tell_what_runs,
		a_child_that_vanished_with_its_record_is_lost_and_restarted,
		a_child_of_a_dead_keeper_appears_as_adopted,
		a_child_that_was_to_die_with_its_keeper_is_ended_and_begins_anew,
		that_is_finished_by_the_next_supervisor_if_need_be,
		such_a_child_that_died_is_no_failure,
		the_death_of_the_supervisor_alone_ends_nobody,
		without_memory_such_a_child_is_ended_all_the_same,
		a_number_that_is_somebody_elses_is_named,
		a_shutdown_under_way_goes_on,
		a_shutdown_whose_last_child_ended_meanwhile_finishes,
		a_shutdown_dies_with_its_keeper_and_what_it_stopped_starts_again,
		one_killed_before_it_said_so_leaves_the_void_shutdown_to_the_next,
		one_that_was_told_as_removed_is_not_told_again_for_an_old_record,
		a_start_that_no_keeper_heard_of_does_not_tell_the_last_end_again,
		one_that_was_to_be_replaced_is_replaced_after_its_adoption,
		what_was_started_with_other_options_is_replaced_and_nothing_else,
		a_fresh_start_remembers_nothing,
		a_killed_procd_of_which_nothing_ran_is_remembered,
		hundreds_of_deaths_lose_and_double_nothing,
	};

	return unit_run_in("core: recovery", setup, fx_teardown, tests, ARRAY_LEN(tests));
}
