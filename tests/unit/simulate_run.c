/* What a simulated run tells of a configuration. */
#include <string.h>

#include "config_fixture.h"
#include "simulate/simulate.h"

static json_t *result;

static void run(const char *text, const char *scenario, const char *takes, int64_t for_s)
{
	struct error e = ERROR_INIT;
	struct scenario s;
	struct takes t;

	load_fine(text);
	ck_assert(scenario_parse(scenario, &s, &e));
	ck_assert(takes_parse(takes, &t, &e));
	json_decref(result);
	result = simulate(take(config), &s, &t, for_s * NS_PER_SEC);
	scenario_fini(&s);
	takes_fini(&t);
}

static void end(void)
{
	json_decref(result);
	result = NULL;
	teardown();
}

/* "AT NAME STATE" of each change to STATE (NULL: any), in ms. */
static const char *story(const char *state)
{
	static char text[8192];
	const json_t *event;
	size_t i, len = 0;

	text[0] = '\0';
	json_array_foreach(json_object_get(result, "events"), i, event) {
		const char *to = json_string_value(json_object_get(event, "state"));

		if (state != NULL && strcmp(to, state) != 0)
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%lld %s%s%s",
			len > 0 ? ", " : "",
			(long long)json_integer_value(json_object_get(event, "at_ms")),
			json_string_value(json_object_get(event, "name")), state ? "" : " ",
			state ? "" : to);
		ck_assert_uint_lt(len, sizeof(text));
	}
	return text;
}

static int64_t of(const char *name, const char *key)
{
	const json_t *s;
	size_t i;

	json_array_foreach(json_object_get(result, "subsystems"), i, s) {
		const json_t *value = json_object_get(s, key);

		if (strcmp(json_string_value(json_object_get(s, "name")), name) == 0)
			return json_is_boolean(value) ? json_is_true(value) :
			       json_is_integer(value) ? (int64_t)json_integer_value(value) : -1;
	}
	ck_abort_msg("no %s", name);
}

static bool ok(void)
{
	return json_is_true(json_object_get(result, "ok"));
}

#define SUB(name, keys) "[subsystem." name "]\ncommand = \"true\"\n" keys "\n"

START_TEST(what_depends_starts_when_the_other_is_ready)
{
	run(SUB("app", "depends_on = [\"db\"]\nready = \"tcp:127.0.0.1:1\"")
	    SUB("db", "ready = \"notify\"") SUB("other", ""), "start", "db=5s,2s", 60);
	ck_assert_str_eq(story("starting"), "0 db, 0 other, 5000 app");
	ck_assert_str_eq(story("running"), "0 other, 5000 db, 7000 app");
	ck_assert(ok());
	ck_assert_int_eq(json_integer_value(json_object_get(result, "ready_after_ms")), 7000);
}
END_TEST

START_TEST(each_kind_of_probe_is_answered)
{
	static const char *const kinds[] = {
		"notify", "fd:4", "tcp:127.0.0.1:1", "unix:/x", "http://127.0.0.1/", "command:true",
		"log:up",
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		auto_free(freep) char *text = x_asprintf(SUB("a", "ready = \"%s\"\nwatchdog = 10"),
							 kinds[i]);

		if (strcmp(kinds[i], "fd:4") == 0)
			*strstr(text, "watchdog") = '#';
		run(text, "crash a", "3s", 600);
		ck_assert_msg(ok(), "%s: %s", kinds[i], story(NULL));
		ck_assert_int_eq(of("a", "ready_after_ms"), 3000);
		ck_assert_int_eq(of("a", "starts"), 2);
	}
}
END_TEST

START_TEST(a_start_that_takes_too_long_is_a_failed_one)
{
	run(SUB("a", "ready = \"notify\"\nstart_timeout = 2\nrestart = \"never\""), "start", "3s", 60);
	ck_assert_str_eq(story(NULL), "0 a starting, 2000 a failed");
	ck_assert(!ok());
}
END_TEST

START_TEST(delays_double_until_the_last_attempt)
{
	run(SUB("a", "restart_delay = 1\nrestart_max_attempts = 3\ncritical = true") SUB("b", ""),
	    "crash a every 2s", NULL, 600);
	ck_assert_str_eq(story("starting"), "0 a, 0 b, 3000 a, 7000 a, 13000 a");
	ck_assert_str_eq(story("failed"), "2000 a, 5000 a, 9000 a, 15000 a");
	ck_assert_int_eq(of("a", "gave_up"), 1);
	ck_assert_int_eq(of("a", "down_ms"), 1000 + 2000 + 4000);
	ck_assert_int_eq(of("a", "longest_down_ms"), 4000);
	ck_assert(!ok());
	ck_assert_int_eq(json_integer_value(json_object_get(result, "exit_code")), 1);
}
END_TEST

START_TEST(a_single_crash_costs_the_delay_and_the_start)
{
	run(SUB("a", "restart_delay = 1\nready = \"notify\""), "crash a", "4s", 600);
	ck_assert_str_eq(story(NULL), "0 a starting, 4000 a running, 5000 a failed, "
			 "5000 a restarting, 6000 a starting, 10000 a running");
	ck_assert_int_eq(of("a", "down_ms"), 5000);
	ck_assert(ok());
}
END_TEST

START_TEST(flapping_goes_on_to_the_horizon)
{
	run(SUB("a", "restart_delay = 10\nrestart_max_delay = 10\nready = \"notify\""), "flap a", "1s", 100);
	ck_assert_int_eq(of("a", "starts"), 10);
	ck_assert_int_eq(json_integer_value(json_object_get(result, "ended_ms")), 100000);
	ck_assert(ok());	/* it comes back, each time */
}
END_TEST

START_TEST(a_dependency_that_fails_keeps_others_down)
{
	run(SUB("db", "restart = \"never\"") SUB("app", "depends_on = [\"db\"]")
	    SUB("task", "type = \"oneshot\"") SUB("after", "depends_on = [\"task:succeeded\"]"),
	    "dependency db fails", NULL, 60);
	ck_assert_int_eq(of("app", "starts"), 0);
	ck_assert_int_eq(of("app", "ok"), 0);
	ck_assert_int_eq(of("db", "ok"), 0);
	ck_assert_int_eq(of("after", "ok"), 1);
	ck_assert(!ok());
}
END_TEST

START_TEST(what_is_bound_goes_down_and_comes_back)
{
	run(SUB("db", "restart_delay = 1") SUB("app", "binds_to = [\"db\"]"), "crash db", NULL, 60);
	ck_assert_str_eq(story("stopping"), "1000 app");
	ck_assert_str_eq(story("running"), "0 db, 0 app, 2000 db, 2000 app");
	ck_assert(ok());
}
END_TEST

START_TEST(hooks_files_sockets_and_commands_take_no_time)
{
	run(SUB("a", "pre_start = \"true\"\npost_stop = \"true\"\nstop_command = \"true\"\n"
		"env_file = [\"/nowhere\"]\ncredentials = [\"x=/nowhere\"]\n"
		"listen = [\"tcp:127.0.0.1:1\"]\nhealth = \"command:true\"\nwatch = [\"/nowhere\"]")
	    SUB("b", "listen = [\"unix:/run/x\"]\nsocket_activation = true"), "crash a", NULL, 60);
	ck_assert(ok());
	ck_assert_int_eq(of("a", "starts"), 2);
	ck_assert_int_eq(of("b", "starts"), 0);
}
END_TEST

START_TEST(plans_by_the_time_of_day_come_true)
{
	run(SUB("a", "schedule = \"TZ=UTC */10 * * * *\"") SUB("b", "every = \"25m\"") SUB("c", ""),
	    "crash c every 59m", "5s", 3600);
	ck_assert_str_eq(story("starting"), "0 b, 0 c, 600000 a, 1200000 a, 1500000 b, 1800000 a, "
			 "2400000 a, 3000000 a, 3000000 b, 3540100 c, 3600000 a");
}
END_TEST

START_TEST(the_same_is_told_each_time)
{
	auto_free(freep) char *first = NULL;

	for (int i = 0; i < 2; i++) {
		run(SUB("a", "restart_jitter = 1.0\ninstances = 3"), "flap a", NULL, 60);
		if (first == NULL)
			first = x_strdup(story(NULL));
	}
	ck_assert_str_eq(story(NULL), first);
}
END_TEST

START_TEST(names_mean_subsystems_and_their_instances)
{
	load_fine(SUB("a", "instances = 2") SUB("b", ""));
	ck_assert(simulate_knows(config, "a"));
	ck_assert(simulate_knows(config, "a@1"));
	ck_assert(simulate_knows(config, "b"));
	ck_assert(!simulate_knows(config, "a@2"));
	ck_assert(!simulate_knows(config, "all"));
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		what_depends_starts_when_the_other_is_ready, each_kind_of_probe_is_answered,
		a_start_that_takes_too_long_is_a_failed_one, delays_double_until_the_last_attempt,
		a_single_crash_costs_the_delay_and_the_start, flapping_goes_on_to_the_horizon,
		a_dependency_that_fails_keeps_others_down, what_is_bound_goes_down_and_comes_back,
		hooks_files_sockets_and_commands_take_no_time, plans_by_the_time_of_day_come_true,
		the_same_is_told_each_time, names_mean_subsystems_and_their_instances,
	};

	return unit_run_in("simulate: run", setup, end, tests, sizeof(tests) / sizeof(tests[0]));
}
