/* config/assemble, config/family: one table of the file that stands for many subsystems. */
#include "config/depend.h"
#include "config/family.h"
#include "config_fixture.h"

#define SUB(name, rest) "[subsystem." name "]\ncommand = \"true\"\n" rest

static const struct subsystem_options *find(const char *name)
{
	const struct subsystem_options *o = config_find(config, name);

	ck_assert_msg(o != NULL, "there is no %s", name);
	return o;
}

static void expect_diff(const struct config *old, const char *added, const char *removed,
			const char *restarted, const char *updated)
{
	const char *wanted[] = { added, removed, restarted, updated };
	struct config_diff d;

	config_diff(old, config, &d);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		const struct strlist *lists[] = { &d.added, &d.removed, &d.restarted, &d.updated };
		auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

		for (size_t k = 0; k < lists[i]->n; k++)
			strbuf_addf(&text, k > 0 ? " %s" : "%s", lists[i]->items[k]);
		ck_assert_str_eq(text.buf, wanted[i]);
	}
	config_diff_fini(&d);
}

START_TEST(names_of_instances_are_read)
{
	size_t n;

	ck_assert_int_eq(instance_number("web", &n), -1);
	ck_assert_uint_eq(n, 3);
	ck_assert_int_eq(instance_number("web@12", &n), 12);
	ck_assert_uint_eq(n, 3);
	ck_assert_int_eq(instance_number("web@", NULL), -1);
	ck_assert_int_eq(instance_number("web@1x", NULL), -1);
	ck_assert_int_eq(instance_number("web@123456", NULL), -1);
}
END_TEST

START_TEST(each_instance_is_a_subsystem_with_its_number_in_its_values)
{
	load_fine("[subsystem.a]\ncommand = [\"run\", \"--port=80%i\", \"%n\", \"%%i\"]\n"
		  "instances = 3\nenvironment = { N = \"%i\" }\nlog_file = \"/l/%n.log\"\n"
		  "stop_timeout_ms = \"1%i0\"\nnice = 5\n" SUB("b", "description = \"%n %i\"\n"));
	ck_assert_uint_eq(config->nsubsystems, 4);
	ck_assert_ptr_null(config_find(config, "a"));
	for (int i = 0; i < 3; i++) {
		auto_free(freep) char *name = x_asprintf("a@%d", i);
		auto_free(freep) char *port = x_asprintf("--port=80%d", i);
		auto_free(freep) char *number = x_asprintf("N=%d", i);
		auto_free(freep) char *log = x_asprintf("/l/a@%d.log", i);
		const struct subsystem_options *o = find(name);

		ck_assert_str_eq(config->subsystems[i]->name, name);
		ck_assert_str_eq(o->command.items[1], port);
		ck_assert_str_eq(o->command.items[2], name);
		ck_assert_str_eq(o->command.items[3], "%i");
		ck_assert_str_eq(o->environment.items[0], number);
		ck_assert_str_eq(o->log_file, log);
		ck_assert_int_eq(o->policy->stop_timeout_ms, 100 + i * 10);
		ck_assert_int_eq(o->rights->nice, 5);
	}
	ck_assert_str_eq(find("b")->links->description, "b 0");
}
END_TEST

START_TEST(one_that_declares_a_single_instance_has_a_number_too)
{
	load_fine(SUB("a", "instances = 1\n") SUB("b", ""));
	ck_assert_uint_eq(config->nsubsystems, 2);
	find("a@0");
	find("b");
	load_fine("[defaults]\ninstances = 2\n" SUB("a", "") SUB("b", "instances = 1\n"));
	ck_assert_uint_eq(config->nsubsystems, 3);
	find("a@1");
	find("b@0");
}
END_TEST

START_TEST(what_defaults_say_with_a_number_means_each_instance)
{
	load_fine("[defaults]\nlog_file = \"/l/%n-%i\"\ndescription = \"d%i\"\n"
		  SUB("a", "instances = 2\ndescription = \"own\"\n"));
	ck_assert_str_eq(find("a@1")->log_file, "/l/a@1-1");
	ck_assert_str_eq(find("a@1")->links->description, "own");
}
END_TEST

START_TEST(the_dump_shows_what_was_declared)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT, again = STRBUF_INIT;
	const char *values = "environment = { A = \"%i $$x $${y} \\\"\", B = \"v\" }\n";
	struct config *first;
	json_t *j, *a;

	setenv("INSTANCES_TEST", "100%i$", 1);
	load_fine(SUB("before", "")
		  "[subsystem.a]\ncommand = [\"run\", \"%i%%i\", \"${INSTANCES_TEST}\"]\n"
		  "instances = 3\nstop_timeout_ms = \"1%i0\"\nshell = false\n"
		  SUB("after", "instances = 2\n"));
	ck_assert_str_eq(find("a@2")->command.items[2], "100%i$");
	config_dump_toml(config, &text);
	unsetenv("INSTANCES_TEST");
	ck_assert_ptr_nonnull(strstr(text.buf, "\n[subsystem.a]\n"));
	ck_assert_ptr_null(strstr(text.buf, "a@"));
	ck_assert_ptr_nonnull(strstr(text.buf, "instances = 3\n"));
	ck_assert_ptr_nonnull(strstr(text.buf, "stop_timeout_ms = \"1%i0\"\n"));
	ck_assert(strstr(text.buf, "[subsystem.before]") < strstr(text.buf, "[subsystem.a]"));
	first = take(config);
	load_fine(text.buf);
	config_dump_toml(config, &again);
	ck_assert_str_eq(text.buf, again.buf);
	expect_diff(first, "", "", "", "");
	config_free(first);
	j = config_dump_json(config);
	a = json_object_get(json_object_get(j, "subsystem"), "a");
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(a, "instances"),
							    "value")), 3);
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(
		json_object_get(a, "command"), "value"), 1)), "%i%%i");
	a = json_object_get(json_object_get(j, "subsystem"), "before");
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(a, "instances"),
							    "value")), 1);
	json_decref(j);
	text.len = 0;
	load_fine(SUB("a", "instances = 2\n"));
	strbuf_addf(&text, SUB("a", "instances = 2\n%s"), values);
	load_fine(text.buf);
	ck_assert_str_eq(find("a@1")->environment.items[0], "A=1 $x ${y} \"");
}
END_TEST

START_TEST(another_number_of_instances_concerns_the_difference_only)
{
	struct config *old;

	load_fine(SUB("a", "instances = 2\n") SUB("b", "depends_on = [\"a\"]\n"));
	old = take(config);
	load_fine(SUB("a", "instances = 4\n") SUB("b", "depends_on = [\"a\"]\n"));
	expect_diff(old, "a@2 a@3", "", "", "");
	config_compare(old, config);
	ck_assert_ptr_eq(find("a@1"), config_find(old, "a@1"));
	ck_assert_ptr_eq(find("b"), config_find(old, "b"));
	ck_assert_int_eq(family_find(config, "a")->options->instances, 4);
	config_free(old);
	old = take(config);
	load_fine(SUB("a", "instances = 1\nnice = 3\n") SUB("b", "depends_on = [\"a\"]\n"));
	expect_diff(old, "", "a@1 a@2 a@3", "a@0", "");
	config_free(old);
	old = take(config);
	load_fine(SUB("a", "nice = 3\n") SUB("b", "depends_on = [\"a\"]\n"));
	expect_diff(old, "a", "a@0", "", "");
	config_free(old);
}
END_TEST

START_TEST(a_name_means_all_instances)
{
	uint32_t first, n;
	enum condition condition;

	load_fine(SUB("x", "") SUB("a", "instances = 3\n")
		  SUB("b", "depends_on = [\"a:started\"]\nafter = [\"a@2\"]\n"));
	ck_assert(config_select(config, "a", &first, &n));
	ck_assert(first == 1 && n == 3);
	ck_assert(config_select(config, "a@2", &first, &n));
	ck_assert(first == 3 && n == 1);
	ck_assert(config_select(config, "x", &first, &n));
	ck_assert(first == 0 && n == 1);
	ck_assert(!config_select(config, "a@3", &first, &n));
	ck_assert(edge_targets(config, "a:started", EDGE_DEPENDS_ON, &condition, &first, &n));
	ck_assert(first == 1 && n == 3 && condition == CONDITION_STARTED);
	load_fine("[signals]\nuser1 = \"forward:a\"\n" SUB("a", "instances = 2\n"));
	load_fine(SUB("a", "instances = 2\n") SUB("b", "instances = 2\nafter = [\"a@%i\"]\n"));
	ck_assert_str_eq(find("b@1")->links->after.items[0], "a@1");
}
END_TEST

START_TEST(mistakes_are_told_once_and_at_their_place)
{
	expect_error(SUB("a", "instances = 0\n"), 3, 13, "subsystem.a.instances: must be between");
	expect_error(SUB("a", "instances = 10001\n"), 3, 13, "between 1 and 10000");
	expect_error(SUB("a", "instances = 50\nnice = \"9%i\"\n"), 4, 8, "subsystem.a.nice: must be");
	expect_error(SUB("a", "instances = 12\nnice = \"1%i\"\n"), 4, 8, "subsystem.a.nice: must be");
	expect_error(SUB("a", "instances = 50\nuser = \"no-such-user-%i\"\n"), 4, 8,
		     "there is no user \"no-such-user-0\"");
	expect_error(SUB("a", "instances = 50\ndepends_on = [\"b\"]\n"), 4, 15,
		     "subsystem.a.depends_on: there is no subsystem \"b\"");
	expect_error(SUB("a", "instances = 3\n") SUB("b", "after = [\"a@3\"]\n"), 6, 10,
		     "there is no \"a@3\": a has 3 instances");
	expect_error(SUB("a", "") SUB("b", "after = [\"a@0\"]\n"), 5, 10,
		     "there is no \"a@0\": a declares no instances");
	expect_error(SUB("a@1", ""), 1, 1, "is not a name");
}
END_TEST

START_TEST(S25_cycles_through_instances_are_told_once)
{
	expect_error(SUB("a", "instances = 40\nafter = [\"b\"]\n")
		     SUB("b", "instances = 40\ndepends_on = [\"a\"]\n"), 4, 10,
		     "cycle: a@0 -> b@0 -> a@0;");
	expect_error(SUB("a", "instances = 40\nafter = [\"a\"]\n"), 4, 10, "cycle: a@0 -> a@0;");
}
END_TEST

START_TEST(a_square_of_dependencies_is_refused)
{
	expect_error(SUB("a", "instances = 2000\nstdout = \"null\"\n")
		     SUB("b", "instances = 2000\nstdout = \"null\"\nafter = [\"a\"]\n"), 9, 10,
		     "subsystem.b.after: with these there are more than 1000000 dependencies");
}
END_TEST

START_TEST(there_is_a_limit_for_all_instances_together)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	auto_free(freep) char *found = NULL;

	strbuf_addstr(&text, "[defaults]\nstdout = \"null\"\ninstances = 10000\n");
	for (int i = 0; i < 11; i++)
		strbuf_addf(&text, SUB("s%d", ""), i);
	ck_assert_int_eq(load_text(text.buf), EXIT_CONFIG);
	found = errors();
	ck_assert_ptr_nonnull(strstr(found, "subsystem.s10.instances: with these there are more "
					    "than 100000 subsystems in all"));
}
END_TEST

START_TEST(warnings_of_all_instances_are_one)
{
	load_fine("[subsystem.a]\ncommand = \"/no/such/program\"\ninstances = 100\n");
	ck_assert_uint_eq(diag.n, 1);
	ck_assert_ptr_nonnull(strstr(diag.issues[0].message, "subsystem.a.command"));
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		names_of_instances_are_read,
		each_instance_is_a_subsystem_with_its_number_in_its_values,
		one_that_declares_a_single_instance_has_a_number_too,
		what_defaults_say_with_a_number_means_each_instance,
		the_dump_shows_what_was_declared,
		another_number_of_instances_concerns_the_difference_only,
		a_name_means_all_instances, mistakes_are_told_once_and_at_their_place,
		S25_cycles_through_instances_are_told_once, a_square_of_dependencies_is_refused,
		there_is_a_limit_for_all_instances_together, warnings_of_all_instances_are_one,
	};

	return unit_run_in("config: instances", setup, teardown, tests, ARRAY_LEN(tests));
}
