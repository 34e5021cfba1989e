/* The whole way from sources to the frozen object: every row of the table, precedence, variables,
 * includes, rules, the way back to text, and what differs. */
#include <config.h>

#include "config/defaults.h"
#include "config/type.h"
#include "config_fixture.h"

#define WEB "[subsystem.web]\ncommand = \"true\"\n"

static const struct subsystem_options *web(void)
{
	const struct subsystem_options *o = config_find(config, "web");

	ck_assert_ptr_nonnull(o);
	return o;
}

/* A value for row O that is not its default. */
static const char *other_value(const struct option *o)
{
	const enum shape shape = o->type->shape;

	if (strcmp(o->name, "include") == 0)
		return "[]";
	if (strcmp(o->name, "user") == 0 || strcmp(o->name, "group") == 0 ||
	    strcmp(o->name, "read_group") == 0)
		return "\"0\"";
	if (strcmp(o->name, "supplementary_groups") == 0)
		return "[\"0\"]";
	if (strcmp(o->name, "work_dir") == 0)
		return "\"/tmp\"";
	if (strcmp(o->name, "ready") == 0)
		return "\"exec\"";
	if (strcmp(o->name, "health") == 0)
		return "\"command:test 'a $$b' %%i\"";
	if (strcmp(o->name, "event_backend") == 0)
		return "\"epoll\"";
	if (strcmp(o->name, "mode") == 0 || strcmp(o->name, "umask") == 0)
		return "\"0070\"";
	if (o->type == &type_enum)
		return o->choices == &log_level_text ? "\"trace\"" :
		       strcmp(o->name, "type") == 0 ? "\"oneshot\"" :
		       strcmp(o->name, "kill_mode") == 0 ? "\"process\"" :
		       strcmp(o->name, "log_format") == 0 ? "\"json\"" :
		       strcmp(o->name, "seccomp") == 0 ? "\"no-network\"" :
		       strcmp(o->name, "on_supervisor_death") == 0 ||
		       strcmp(o->name, "on_unhealthy") == 0 ? "\"stop\"" :
		       strcmp(o->name, "on_memory_limit") == 0 ? "\"restart\"" : "\"always\"";
	if (o->type == &type_edges)
		return "[\"other\"]";
	if (o->type == &type_schedule)
		return "\"TZ=UTC0 */5 1-3 * jan mon\"";
	if (o->type == &type_listen)
		return "[\"a=tcp:[::1]:80\", \"unix:/x y\"]";
	if (o->type == &type_http_listen)
		return "\"unix:/x $$ %% y\"";
	if (o->type == &type_rate)
		return "\"9/s\"";
	if (o->type == &type_sched)
		return "\"batch\"";
	if (o->type == &type_io_class)
		return "\"idle\"";
	if (strcmp(o->name, "numa_node") == 0)
		return "0";
	if (strcmp(o->name, "seccomp") == 0)
		return "\"no-network\"";
	if (o->type == &type_capabilities)
		return strcmp(o->name, "capabilities") == 0 ? "[\"CAP_BPF\", \"CAP_CHOWN\"]"
							    : "[\"CAP_BPF\"]";
	if (o->type == &type_signal)
		return "\"SIGINT\"";
	if (o->type == &type_percent)
		return "\"150%\"";
	if (o->type == &type_credentials)
		return "[\"db=/etc/a b\", \"x=/$$y\"]";
	if (o->type == &type_signal_action)
		return "\"forward:web\"";
	if (o->type == &type_stdio)
		return "\"file:/tmp/x $$ %% y\"";
	if (o->type == &type_events_output)
		return "\"file:/tmp/e\"";
	if (o->type == &type_path || o->type == &type_log_file)
		return "\"/tmp/p\"";
	if (strcmp(o->section, "shutdown") == 0)
		return strcmp(o->name, "timeout") == 0 ? "\"1m1ms\"" :
		       strcmp(o->name, "force_timeout") == 0 ? "\"2m\"" : "\"3m\"";
	switch (shape) {
	case SHAPE_BOOL:
		return strcmp(o->def, "true") == 0 ? "false" : "true";
	case SHAPE_INT:
		return o->def != NULL && strcmp(o->def, "3") == 0 ? "4" : "3";
	case SHAPE_NUMBER:
		return "0.1";
	case SHAPE_DURATION:
		return strcmp(o->name, "restart_max_delay") == 0 ? "\"1h1ms\"" : "\"1s7ms\"";
	case SHAPE_SIZE:
		return "\"3K\"";
	case SHAPE_STRINGS:
		return "[\"a\", \"b \\\" $${c}\"]";
	case SHAPE_INTS:
		return "[0, 7]";
	case SHAPE_COMMAND:
		return "\"echo \\\"$$1\\\" %%n\\u0009\"";
	case SHAPE_ENVIRONMENT:
		return "{ A = \"1\", B = \"$${x} %%i \\\\ \\u00e4\" }";
	case SHAPE_LEVEL:
		return "\"strict\"";
	case SHAPE_LIMIT:
		return "\"5:infinity\"";
	case SHAPE_CPUS:
		return "\"0\"";
	case SHAPE_STRING:
		return "\"other $$ %% '\\\"\"";
	}
	return NULL;
}

/* Does the loaded configuration equal its own dump, loaded again? */
static void round_trip(void)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT, again = STRBUF_INIT;
	struct config *first = take(config);
	struct config_diff d;

	config_dump_toml(first, &text);
	load_fine(text.buf);
	config_dump_toml(config, &again);
	ck_assert_str_eq(text.buf, again.buf);
	config_diff(first, config, &d);
	ck_assert(d.equal);
	config_diff_fini(&d);
	config_free(first);
}

START_TEST(the_table_is_sorted_and_complete)
{
	for (size_t i = 0; i < schema_n; i++) {
		ck_assert_int_eq(strcmp(schema[i].section, "subsystem") == 0, i >= schema_top_n);
		ck_assert_ptr_nonnull(schema[i].help);
		ck_assert_ptr_nonnull(schema[i].type->parse);
		ck_assert_ptr_nonnull(schema[i].type->equal);
		ck_assert_ptr_nonnull(schema[i].type->format);
		ck_assert_ptr_nonnull(schema[i].type->json);
	}
}
END_TEST

START_TEST(an_empty_file_gives_every_default)
{
	struct config *fresh;
	struct subsystem_options *template;

	load_fine(WEB);
	fresh = config_new();
	template = subsystem_options_template();
	for (size_t i = 0; i < schema_n; i++) {
		const struct option *o = &schema[i];
		const void *a = i < schema_top_n ? (const void *)config : (const void *)web();
		const void *b = i < schema_top_n ? (const void *)fresh : (const void *)template;

		if (o->def != NULL)
			ck_assert_msg(o->type->equal(o, a, b), "%s.%s", o->section, o->name);
	}
	config_free(fresh);
	subsystem_options_unref(template);
	ck_assert_int_eq(config->logging.max_file_size, 104857600);
	ck_assert_int_eq(config->shutdown.kill_timeout_ms, 15000);
	ck_assert_int_eq(web()->policy->restart_delay_ms, 100);
	ck_assert_int_eq(web()->policy->stop_timeout_ms, TIMEOUT_UNSET);
	ck_assert_int_eq(web()->rights->nice, INT64_MIN);
	ck_assert_int_eq(web()->rights->umask, -1);
	ck_assert(!web()->rights->limits[RLIMIT_NOFILE].set);
	round_trip();
}
END_TEST

START_TEST(every_key_is_read_and_dumped_again)
{
	for (size_t i = 0; i < schema_n; i++) {
		const struct option *o = &schema[i];
		bool top = i < schema_top_n, is_command = strcmp(o->name, "command") == 0;
		const char *name = strcmp(o->name, "SIGxxx") == 0 ? "SIGRTMIN+2" : o->name;
		/* its neighbour would have to be greater */
		const char *more = strcmp(o->name, "force_timeout") == 0 ? "kill_timeout = 900\n" : "";
		auto_free(freep) char *text = NULL;
		struct config *plain;
		struct config_diff d;
		bool same;

		if (o->lacks != NULL)
			continue;
		if (o->type == &type_instances)		/* config_instances.c */
			continue;
		if (o->choices == &http_allow_text)	/* there is no other value */
			continue;
		if (strcmp(o->name, "numa_node") == 0 && access("/sys/devices/system/node/node0", F_OK) < 0)
			continue;
		load_fine(WEB);
		plain = take(config);
		text = top ? x_asprintf("%s%s%s%s = %s\n%s" WEB, *o->section != '\0' ? "[" : "",
					o->section, *o->section != '\0' ? "]\n" : "", name,
					other_value(o), more) :
		       x_asprintf("[subsystem.web]\n%s%s = %s\n%s", is_command ? "" :
				  "command = \"true\"\n", o->name, other_value(o),
				  o->type == &type_edges ? "[subsystem.other]\ncommand = \"true\"\n" :
				  strcmp(o->name, "socket_activation") == 0 ? "listen = \"unix:/x\"\n" :
				  strcmp(o->name, "idle_timeout") == 0 ?
					"listen = \"unix:/x\"\nsocket_activation = true\n" : "");
		load_fine(text);
		same = top ? o->type->equal(o, plain, config) :
		       o->type->equal(o, config_find(plain, "web"), web());
		ck_assert_msg(same == (strcmp(o->name, "ready") == 0 ||
				       strcmp(o->name, "include") == 0), "%s", text);
		config_diff(plain, config, &d);
		ck_assert_msg(d.equal == same, "%s", text);
		if (!same && !top && o->reload == RELOAD_RESTART)
			ck_assert_msg(d.restarted.n == 1, "%s", text);
		/* two of these make a oneshot of what was a service, one needs a key that restarts */
		if (strcmp(o->name, "schedule") == 0 || strcmp(o->name, "every") == 0 ||
		    strcmp(o->name, "idle_timeout") == 0)
			ck_assert_msg(d.restarted.n == 1, "%s", text);
		else if (!same && !top && o->reload == RELOAD_LIVE)
			ck_assert_msg(d.updated.n == 1, "%s", text);
		if (!same && top && o->reload == RELOAD_PROCD)
			ck_assert_msg(d.needs_procd_restart.n >= 1, "%s", text);
		if (!same && top && o->reload == RELOAD_LIVE)
			ck_assert_msg(d.settings.n >= 1, "%s", text);
		config_diff_fini(&d);
		config_free(plain);
		round_trip();
	}
}
END_TEST

START_TEST(numbers_outside_their_limits_are_refused)
{
	for (size_t i = 0; i < schema_n; i++) {
		const struct option *o = &schema[i];
		const enum shape shape = o->type->shape;
		int64_t beyond[] = { o->max + 1, o->min - 1 };

		for (size_t k = 0; k < 2; k++) {
			auto_free(freep) char *text = NULL, *found = NULL;
			const char *ms = shape == SHAPE_DURATION ? "_ms" : "";

			if (shape != SHAPE_INT && shape != SHAPE_NUMBER && shape != SHAPE_SIZE &&
			    shape != SHAPE_DURATION)
				continue;
			text = i < schema_top_n ?
				x_asprintf("[%s]\n%s%s = %lld\n" WEB, *o->section != '\0' ?
					   o->section : "daemon", o->name, ms, (long long)beyond[k]) :
				x_asprintf(WEB "%s%s = %lld\n", o->name, ms, (long long)beyond[k]);
			ck_assert_msg(load_text(text) == EXIT_CONFIG, "%s", text);
			found = errors();
			ck_assert_msg(strstr(found, "between") != NULL, "%s", found);
		}
	}
}
END_TEST

START_TEST(a_value_of_the_wrong_kind_is_refused)
{
	static const char *const lines[] = {
		"[logging]\njson = \"yes\"\n", "[logging]\njson = 1\n", "[logging]\nmax_files = \"5\"\n",
		"[logging]\nmax_files = 5.5\n", "[logging]\nmax_file_size = true\n",
		"[shutdown]\ntimeout = true\n", "[shutdown]\ntimeout_ms = \"5s\"\n",
		"[shutdown]\ntimeout = \"5 parsecs\"\n", "[shutdown]\ngraceful = 1.5\n",
		"[shutdown]\nforce_signal = \"SIGFOO\"\n", "[control]\nmode = \"0999\"\n",
		"[control]\nmode = \"01777\"\n", "name = []\n", "name = \"\"\n", "name = \"a/b\"\n",
		"pid_file = \"\"\n", "include = { a = 1 }\n", "[events]\noutput = \"fd:x\"\n",
		"[events]\noutput = \"file:\"\n", "[events]\noutput = \"printer\"\n",
		WEB "restart = \"sometimes\"\n", WEB "ready = \"tcp\"\n", WEB "stdin = \"log\"\n",
		WEB "stdin = \"syslog\"\n", WEB "success_exit_codes = [\"a\"]\n",
		WEB "success_exit_codes = [256]\n", WEB "restart_jitter = 1.5\n",
		WEB "limit_nofile = \"5:3\"\n", WEB "limit_nofile = \"many\"\n",
		WEB "environment = [\"A\"]\n", WEB "environment = [\"A=1\", \"A=2\"]\n",
		WEB "user = \"no-such-user-here\"\n", WEB "group = \"no-such-group-here\"\n",
		WEB "umask = \"9\"\n", "[subsystem.x]\ncommand = []\n",
		"[subsystem.x]\ncommand = \"\"\n", "[subsystem.x]\ncommand = \"a 'b\"\n",
		"[subsystem.x]\nshell = true\ncommand = [\"a\"]\n", "[subsystem.x]\n",
		"[defaults]\ncommand = \"true\"\n", "[defaults]\nnice = 77\n",
		"[signals]\nterm = \"explode\"\n", "logging = 5\n", "subsystem = { a = 1 }\n",
		"[monitoring]\nenable_metrics = 5\n", WEB "instances = 0\n",
		WEB "instances = 10001\n", WEB "instances = \"two\"\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		auto_free(freep) char *found = NULL;

		ck_assert_msg(load_text(lines[i]) == EXIT_CONFIG, "%s", lines[i]);
		found = errors();
		ck_assert_msg(diag.nerrors == 1, "%s: %s", lines[i], found);
	}
}
END_TEST

START_TEST(durations_have_two_spellings_but_not_at_once)
{
	load_fine("[shutdown]\ngraceful = 1500\nforce_timeout = \"2s\"\nkill_timeout_ms = 2500\n" WEB
		  "initial_delay_ms = 20\nmax_delay = 2\nmax_attempts = 4\nstop_timeout = 1.5\n");
	ck_assert_int_eq(config->shutdown.timeout_ms, 1500);
	ck_assert_int_eq(config->shutdown.force_timeout_ms, 2000);
	ck_assert_int_eq(config->shutdown.kill_timeout_ms, 2500);
	ck_assert_int_eq(web()->policy->restart_delay_ms, 20);
	ck_assert_int_eq(web()->policy->restart_max_delay_ms, 2000);
	ck_assert_int_eq(web()->policy->restart_max_attempts, 4);
	ck_assert_int_eq(web()->policy->stop_timeout_ms, 1500);
	expect_error("[shutdown]\ntimeout = 1\ntimeout_ms = 1000\n", 3, 1, "line 2");
	expect_error("[shutdown]\ntimeout = 1\ngraceful = 1000\n", 3, 1, "line 2");
}
END_TEST

START_TEST(shutdown_deadlines_follow_the_first_one)
{
	load_fine("[shutdown]\ntimeout = 30\n" WEB);
	ck_assert_int_eq(config->shutdown.force_timeout_ms, 45000);
	ck_assert_int_eq(config->shutdown.kill_timeout_ms, 60000);
	load_fine("[shutdown]\ntimeout = 2\n" WEB);
	ck_assert_int_eq(config->shutdown.force_timeout_ms, 10000);
	expect_error("[shutdown]\ntimeout = 3\nforce_timeout = 3\n" WEB, 3, 17, "greater");
	expect_error("[shutdown]\nkill_timeout = 10\n" WEB, 2, 16, "greater");
}
END_TEST

START_TEST(defaults_depend_on_policy_and_type)
{
	load_fine("[subsystem.b]\ncommand = \"true\"\nrestart = \"exponential-backoff\"\n"
		  "[subsystem.o]\ncommand = \"true\"\ntype = \"oneshot\"\n");
	ck_assert_int_eq(config_find(config, "b")->policy->restart_delay_ms, 1000);
	ck_assert_int_eq(config_find(config, "b")->policy->restart_max_delay_ms, 60000);
	ck_assert_int_eq(config_find(config, "b")->policy->restart_max_attempts, 5);
	ck_assert_int_eq(config_find(config, "o")->policy->restart, RESTART_NEVER);
	load_fine("[defaults]\nrestart_delay = 3\nrestart = \"exponential-backoff\"\n"
		  "stop_signal = \"SIGINT\"\ndescription = \"I am %n\"\n" WEB
		  "stop_signal = \"SIGQUIT\"\n[subsystem.o]\ncommand = \"true\"\ntype = \"oneshot\"\n");
	ck_assert_int_eq(web()->policy->restart_delay_ms, 3000);
	ck_assert_int_eq(web()->policy->restart_max_attempts, 5);
	ck_assert_int_eq(web()->policy->stop_signal, SIGQUIT);
	ck_assert_str_eq(web()->links->description, "I am web");
	ck_assert_int_eq(config_find(config, "o")->policy->restart, RESTART_EXPONENTIAL_BACKOFF);
	ck_assert_int_eq(config_find(config, "o")->policy->stop_signal, SIGINT);
	ck_assert_str_eq(config_find(config, "o")->links->description, "I am o");
}
END_TEST

static const char *origin_of(const json_t *root, const char *section, const char *key)
{
	const json_t *table = *section != '\0' ? json_object_get(root, section) : root;

	if (strcmp(section, "subsystem") == 0)
		table = json_object_get(table, "web");
	return json_string_value(json_object_get(json_object_get(table, key), "origin"));
}

START_TEST(file_yields_to_environment_and_that_to_the_command_line)
{
	const char *sets[] = { "performance.nice=3", "subsystem.web.stop_timeout_ms=7",
			       "subsystem.a.b.command=[\"sleep\", \"1\"]", "logging.level=warn", NULL };
	auto_free(json_decrefp) json_t *j = NULL;

	if (!WITH_SCHEDULER_HINTS_UNIX || !WITH_JSON_LOGS)
		return;
	setenv("DAEMON_NAME", "123", 1);
	setenv("DAEMON_PERFORMANCE_NICE", "2", 1);
	setenv("DAEMON_LOGGING_LEVEL", "debug", 1);
	setenv("DAEMON_SHUTDOWN_TIMEOUT_MS", "1234", 1);
	setenv("DAEMON_DEFAULTS_STOP_SIGNAL", "INT", 1);
	setenv("DAEMON_NO_SUCH_KEY", "x", 1);
	write_text("t.toml", "name = \"f\"\n[performance]\nnice = 1\n[logging]\njson = true\n"
		   "[defaults]\nautostart = false\n" WEB);
	ck_assert_int_eq(load_file("t.toml", sets), 0);
	ck_assert_str_eq(config->name, "123");
	ck_assert_int_eq(config->performance.nice, 3);
	ck_assert_int_eq(config->logging.level, LOG_WARN);
	ck_assert_int_eq(config->shutdown.timeout_ms, 1234);
	ck_assert_int_eq(web()->policy->stop_timeout_ms, 7);
	ck_assert_int_eq(web()->policy->stop_signal, SIGINT);
	ck_assert_str_eq(config_find(config, "a.b")->command.items[1], "1");
	j = config_dump_json(config);
	ck_assert_str_eq(origin_of(j, "", "name"), "env");
	ck_assert_str_eq(origin_of(j, "performance", "nice"), "cli");
	ck_assert_str_eq(origin_of(j, "logging", "json"), "file");
	ck_assert_str_eq(origin_of(j, "logging", "color"), "default");
	ck_assert_str_eq(origin_of(j, "subsystem", "stop_timeout"), "cli");
	ck_assert_str_eq(origin_of(j, "subsystem", "stop_signal"), "env");
	ck_assert_str_eq(origin_of(j, "subsystem", "autostart"), "file");
	ck_assert_str_eq(origin_of(j, "subsystem", "command"), "file");
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(json_object_get(
		j, "performance"), "nice"), "value")), 3);
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(json_object_get(
		j, "logging"), "json"), "line")), 5);
}
END_TEST

START_TEST(mistakes_outside_files_name_their_source)
{
	const char *sets[] = { "logging.levl=debug", "logging.level=loud", "nonsense",
			       "subsystem.web.nice=x", NULL };
	auto_free(strbuf_fini) struct strbuf all = STRBUF_INIT;

	setenv("DAEMON_SHUTDOWN_TIMEOUT", "soon", 1);
	write_text("t.toml", WEB);
	ck_assert_int_eq(load_file("t.toml", sets), EXIT_CONFIG);
	config_diag_print(&diag, false, &all);
	ck_assert_int_eq(diag.nerrors, 5);
	ck_assert_ptr_nonnull(strstr(all.buf, "DAEMON_SHUTDOWN_TIMEOUT: "));
	ck_assert_ptr_nonnull(strstr(all.buf, "--set logging.levl: "));
	ck_assert_ptr_nonnull(strstr(all.buf, "--set logging.level: "));
	ck_assert_ptr_nonnull(strstr(all.buf, "--set nonsense: "));
	ck_assert_ptr_nonnull(strstr(all.buf, "--set subsystem.web.nice: "));
}
END_TEST

START_TEST(variables_are_replaced_and_can_be_protected)
{
	setenv("T_WORD", "two words", 1);
	setenv("T_EMPTY", "", 1);
	setenv("T_NUMBER", "7", 1);
	load_fine("[subsystem.web]\ncommand = \"echo ${T_WORD} x%n-%i $HOME %s $${T_WORD} %%n "
		  "'${T_NONE:-a b}' ${T_EMPTY:-c}\"\nnice = \"${T_NUMBER}\"\n"
		  "environment = { A = \"${T_WORD}\" }\n");
	ck_assert_str_eq(web()->command.items[1], "two words");
	ck_assert_str_eq(web()->command.items[2], "xweb-0");
	ck_assert_str_eq(web()->command.items[3], "$HOME");
	ck_assert_str_eq(web()->command.items[4], "%s");
	ck_assert_str_eq(web()->command.items[5], "${T_WORD}");
	ck_assert_str_eq(web()->command.items[6], "%n");
	ck_assert_str_eq(web()->command.items[7], "a b");
	ck_assert_str_eq(web()->command.items[8], "c");
	ck_assert_int_eq(web()->rights->nice, 7);
	ck_assert_str_eq(web()->environment.items[0], "A=two words");
	round_trip();
	expect_error("name = \"${T_NONE}\"\n" WEB, 1, 8, "T_NONE is not set");
	expect_error("name = \"${T_WORD\"\n" WEB, 1, 8, "not closed");
	expect_error("name = \"${T WORD}\"\n" WEB, 1, 8, "not a variable");
	expect_error("name = \"%n\"\n" WEB, 1, 8, "only in a subsystem");
}
END_TEST

START_TEST(a_shell_command_stays_one_text)
{
	load_fine("[subsystem.web]\ncommand = \"for i in 1 2; do echo $i 'x'; done\"\nshell = true\n");
	ck_assert_int_eq(web()->command.n, 1);
	ck_assert_str_eq(web()->command.items[0], "for i in 1 2; do echo $i 'x'; done");
	round_trip();
}
END_TEST

START_TEST(relative_paths_belong_to_work_dir_or_the_start_directory)
{
	auto_free(freep) char *here = x_asprintf("%s/log/a", dir), *socket = NULL;

	ck_assert_int_eq(mkdir("sub", 0755) | mkdir("log", 0755), 0);
	load_fine("run_dir = \"r\"\n" WEB "log_file = \"./log/a\"\n");
	ck_assert_str_eq(web()->log_file, here);
	socket = x_asprintf("%s/r/control.sock", dir);
	ck_assert_str_eq(config->control.socket, socket);
	load_fine("work_dir = \"sub\"\n" WEB "stdout = \"file:o\"\nworking_dir = \".\"\n");
	ck_assert_ptr_nonnull(strstr(web()->streams->stdio[1].path, "/sub/o"));
	load_fine("[logging]\nfile = \"syslog\"\n" WEB);
	ck_assert_str_eq(config->logging.file, "syslog");
	load_fine("[logging]\nfile = \"./syslog\"\n" WEB);
	ck_assert_int_eq(config->logging.file[0], '/');
	expect_error("work_dir = \"none\"\n" WEB, 1, 12, "No such file");
	expect_error("work_dir = \"t.toml\"\n" WEB, 1, 12, "not a directory");
}
END_TEST

START_TEST(users_and_groups_become_numbers)
{
	load_fine(WEB "user = \"12345\"\n");
	ck_assert(web()->rights->set_ids);
	ck_assert_int_eq(web()->rights->uid, 12345);
	ck_assert_int_eq(web()->rights->gid, 12345);
	load_fine(WEB "user = \"root\"\ngroup = \"4242\"\nsupplementary_groups = [\"77\"]\n");
	ck_assert_int_eq(web()->rights->uid, 0);
	ck_assert_int_eq(web()->rights->gid, 4242);
	ck_assert_int_eq(web()->rights->gids[web()->rights->ngids - 1], 77);
	load_fine(WEB);
	ck_assert(!web()->rights->set_ids);
	expect_error(WEB "user = \"4294967295\"\n", 3, 8, "4294967295");
}
END_TEST

START_TEST(a_socket_path_that_is_too_long_is_refused)
{
	auto_free(freep) char *text = x_asprintf("run_dir = \"/tmp/%0110d\"\n" WEB, 1);

	ck_assert_int_eq(load_text(text), EXIT_CONFIG);
	ck_assert_int_eq(diag.nerrors, 1);
}
END_TEST

START_TEST(later_files_win_and_say_so)
{
	auto_free(json_decrefp) json_t *j = NULL;

	ck_assert_int_eq(mkdir("conf.d", 0755), 0);
	write_text("conf.d/10.toml", "[logging]\nlevel = \"warn\"\n[subsystem.ten]\ncommand = \"true\"\n");
	write_text("conf.d/20.toml", "\n[logging]\nlevel = \"error\"\n[subsystem.web]\nnice = 5\n");
	write_text("conf.d/.hidden.toml", "broken");
	write_text("conf.d/30.toml~", "broken");
	write_text("conf.d/40.conf", "broken");
	load_fine("include = [\"conf.d/*\", \"none.d/*.toml\"]\n[logging]\nlevel = \"info\"\n" WEB);
	ck_assert_int_eq(config->logging.level, LOG_ERROR);
	ck_assert_int_eq(web()->rights->nice, 5);
	ck_assert_str_eq(web()->command.items[0], "true");
	ck_assert_ptr_nonnull(config_find(config, "ten"));
	ck_assert_int_eq(config->files.n, 3);
	j = config_dump_json(config);
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(json_object_get(
		json_object_get(j, "logging"), "level"), "file")), "/conf.d/20.toml"));
}
END_TEST

START_TEST(an_error_in_an_included_file_names_that_file)
{
	write_text("a.toml", "\nnmae = 1\n");
	ck_assert_int_eq(load_text("include = [\"a.toml\"]\n" WEB), EXIT_CONFIG);
	ck_assert_int_eq(diag.nerrors, 1);
	ck_assert_str_eq(diag.issues[0].file, "a.toml");
	ck_assert_int_eq(diag.issues[0].line, 2);
}
END_TEST

START_TEST(includes_may_not_be_circular_or_too_deep)
{
	write_text("a.toml", "include = [\"b.toml\"]\n");
	write_text("b.toml", "include = \"a.toml\"\n");
	ck_assert_int_eq(load_file("a.toml", NULL), EXIT_CONFIG);
	expect_error("include = [\"t.toml\"]\n" WEB, 1, 12, "itself");
	unlink("a.toml");
	unlink("b.toml");
	expect_error("include = [\"*.toml\"]\n" WEB, 1, 12, "itself");
	expect_error("include = [\"none.toml\"]\n" WEB, 1, 12, "does not exist");
	expect_error("include = [\"a.txt\"]\n" WEB, 1, 12, ".toml");
	expect_error("include = [\"~/a.toml\"]\n" WEB, 1, 12, "'~'");
	for (int i = 0; i < 20; i++) {
		auto_free(freep) char *name = x_asprintf("d%d.toml", i);
		auto_free(freep) char *text = x_asprintf("include = \"d%d.toml\"\n", i + 1);

		write_text(name, i < 19 ? text : "");
	}
	ck_assert_int_eq(load_file("d0.toml", NULL), EXIT_CONFIG);
	ck_assert_int_eq(load_file("d3.toml", NULL), 0);
	ck_assert_int_eq(config->files.n, 17);
}
END_TEST

START_TEST(what_cannot_be_read_has_its_own_exit_code)
{
	ck_assert_int_eq(load_file("none.toml", NULL), EXIT_NO_CONFIG);
	ck_assert_int_eq(diag.nerrors, 1);
	ck_assert_int_eq(load_file(dir, NULL), EXIT_NO_CONFIG);
	ck_assert_int_eq(diag.nerrors, 1);
	ck_assert_int_eq(load_text(""), 0);
	ck_assert_int_eq(diag.n, 1);	/* no subsystems: a warning */
	ck_assert(diag.issues[0].warning);
}
END_TEST

START_TEST(the_bundle_needs_neither_files_nor_names)
{
	struct config_source source = { 0 };
	struct config_diag again = CONFIG_DIAG_INIT;
	struct config *copy = NULL;
	struct config_diff d;

	ck_assert_int_eq(mkdir("w", 0755), 0);
	write_text("a.toml", "[subsystem.a]\ncommand = \"true\"\nuser = \"root\"\n");
	load_fine("include = \"a.toml\"\nwork_dir = \"w\"\npid_file = \"p\"\n" WEB "user = \"12345\"\n");
	unlink("a.toml");
	unlink("t.toml");
	rmdir("w");
	source.bundle = bundle.buf;
	source.bundle_len = bundle.len;
	ck_assert_int_eq(config_load(&source, &copy, &again, NULL), 0);
	config_diff(config, copy, &d);
	ck_assert(d.equal);
	ck_assert_int_eq(config->content_hash, copy->content_hash);
	ck_assert_str_eq(config->file, copy->file);
	config_diff_fini(&d);
	config_free(take(copy));
	source.bundle_len--;
	ck_assert_int_eq(config_load(&source, &copy, &again, NULL), EXIT_CONFIG);
	config_diag_fini(&again);
}
END_TEST

START_TEST(differences_are_sorted_by_what_they_need)
{
	struct config *old;
	struct config_diff d;
	const struct subsystem_options *same;

	load_fine("[subsystem.same]\ncommand = \"true\"\n[subsystem.gone]\ncommand = \"true\"\n"
		  "[subsystem.live]\ncommand = \"true\"\n[subsystem.hard]\ncommand = \"true\"\n");
	old = take(config);
	load_fine("# moved\n\n[control]\nmode = \"0660\"\n[subsystem.new]\ncommand = \"true\"\n"
		  "[subsystem.hard]\ncommand = \"true x\"\n[subsystem.live]\ncommand = \"true\"\n"
		  "restart_delay = 9\n[subsystem.same]\ncommand = [\"true\"]\n");
	config_diff(old, config, &d);
	ck_assert_int_eq(d.added.n + d.removed.n + d.restarted.n + d.updated.n, 4);
	ck_assert_str_eq(d.added.items[0], "new");
	ck_assert_str_eq(d.removed.items[0], "gone");
	ck_assert_str_eq(d.restarted.items[0], "hard");
	ck_assert_str_eq(d.updated.items[0], "live");
	ck_assert_str_eq(d.needs_procd_restart.items[0], "control.mode");
	ck_assert(!d.equal);
	config_diff_fini(&d);
	same = config_find(old, "same");
	config_compare(old, config);
	ck_assert_ptr_eq(config_find(config, "same"), same);
	ck_assert_ptr_ne(config_find(config, "live"), config_find(old, "live"));
	config_free(old);
	ck_assert_str_eq(config_find(config, "same")->name, "same");
}
END_TEST

START_TEST(the_sample_loads_and_the_schema_knows_every_key)
{
	auto_free(strbuf_fini) struct strbuf sample = STRBUF_INIT, keys = STRBUF_INIT;
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	auto_free(json_decrefp) json_t *j = config_schema_json();

	config_sample_toml(&sample);
	config_mdoc_keys(&keys);
	json_dump(j, &text);
	for (size_t i = 0; i < schema_n; i++) {
		auto_free(freep) char *quoted = x_asprintf("\"%s\"", schema[i].name);

		if (strcmp(schema[i].name, "SIGxxx") == 0)
			continue;
		ck_assert_msg(strstr(sample.buf, schema[i].name) != NULL, "%s", schema[i].name);
		ck_assert_msg(strstr(keys.buf, schema[i].name) != NULL, "%s", schema[i].name);
		ck_assert_msg(strstr(text.buf, quoted) != NULL, "%s", schema[i].name);
	}
	load_fine(sample.buf);
}
END_TEST

START_TEST(what_subsystems_have_in_common_is_there_once)
{
	struct subsystem_options *a, *b, *c, *d;

	load_fine("[defaults]\nnice = 3\nworking_dir = \"sub\"\nuser = \"0\"\n"
		  "[subsystem.a]\ncommand = \"true\"\n"
		  "[subsystem.b]\ncommand = \"true\"\nrestart = \"always\"\n"
		  "[subsystem.c]\ncommand = \"true\"\nrestart = \"always\"\n"
		  "[subsystem.d]\ncommand = \"true\"\nrestart = \"always\"\nnice = 4\n");
	a = config_find(config, "a");
	b = config_find(config, "b");
	c = config_find(config, "c");
	d = config_find(config, "d");
	ck_assert_ptr_eq(a->rights, b->rights);
	ck_assert_ptr_eq(a->links, d->links);
	ck_assert_ptr_ne(a->policy, b->policy);
	ck_assert_ptr_eq(b->policy, c->policy);
	ck_assert_ptr_eq(c->policy, d->policy);
	ck_assert_ptr_ne(c->rights, d->rights);
	ck_assert_int_eq(a->policy->restart, RESTART_ON_FAILURE);
	ck_assert_int_eq(a->rights->nice, 3);
	ck_assert_int_eq(d->rights->nice, 4);
	ck_assert_int_eq(d->rights->working_dir[0], '/');
	ck_assert_str_eq(a->rights->working_dir, d->rights->working_dir);
	ck_assert(a->rights->set_ids && d->rights->set_ids);
	ck_assert_str_eq(d->rights->home, a->rights->home);
}
END_TEST

START_TEST(ten_thousand_subsystems_load_in_half_a_second)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct timespec a, b;
	double s;

	strbuf_addstr(&text, "[defaults]\nstdout = \"null\"\n");	/* a hard limit of 20000 is enough */
	for (int i = 0; i < 10000; i++)
		strbuf_addf(&text, "[subsystem.s%05d]\ncommand = [\"sleep\", \"%d\"]\n"
			    "restart = \"always\"\nenvironment = { N = \"%d\" }\n", i, i, i);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	load_fine(text.buf);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	ck_assert_int_eq(config->nsubsystems, 10000);
	s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	ck_assert(s < 10);
#else
	ck_assert_msg(s < 0.5, "%.3f s", s);
#endif
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		the_table_is_sorted_and_complete, an_empty_file_gives_every_default,
		every_key_is_read_and_dumped_again, numbers_outside_their_limits_are_refused,
		a_value_of_the_wrong_kind_is_refused, durations_have_two_spellings_but_not_at_once,
		shutdown_deadlines_follow_the_first_one, defaults_depend_on_policy_and_type,
		file_yields_to_environment_and_that_to_the_command_line,
		mistakes_outside_files_name_their_source, variables_are_replaced_and_can_be_protected,
		a_shell_command_stays_one_text,
		relative_paths_belong_to_work_dir_or_the_start_directory,
		users_and_groups_become_numbers, a_socket_path_that_is_too_long_is_refused,
		later_files_win_and_say_so, an_error_in_an_included_file_names_that_file,
		includes_may_not_be_circular_or_too_deep, what_cannot_be_read_has_its_own_exit_code,
		the_bundle_needs_neither_files_nor_names, differences_are_sorted_by_what_they_need,
		the_sample_loads_and_the_schema_knows_every_key,
		what_subsystems_have_in_common_is_there_once,
		ten_thousand_subsystems_load_in_half_a_second,
	};

	return unit_run_in("config: load", setup, teardown, tests, ARRAY_LEN(tests));
}
