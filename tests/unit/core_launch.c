/* From options to plan. */
#include <errno.h>
#include <signal.h>

#include "config/defaults.h"
#include "config/part.h"
#include "core/launch.h"
#include "unit.h"

static struct launch l;
static struct subsystem_options *o;
static struct plan_builder *builder;
static const struct plan *p;

static char env_path[] = "PATH=/a:/b::/c", env_home[] = "HOME=/root", env_lang[] = "LANG=C",
	    env_notify[] = "NOTIFY_SOCKET=/run/n", env_fds[] = "LISTEN_FDS=1",
	    env_pid[] = "LISTEN_PID=1", env_names[] = "LISTEN_FDNAMES=x",
	    env_addr[] = "LISTEN_ADDR=0", env_usec[] = "WATCHDOG_USEC=1",
	    env_wpid[] = "WATCHDOG_PID=1", env_daemon[] = "DAEMON_NAME=x",
	    env_own[] = "PROCD_SUBSYSTEM=outer", env_broken[] = "noequals";
static char *environment[] = { env_path, env_home, env_lang, env_notify, env_fds, env_pid,
			       env_names, env_addr, env_usec, env_wpid, env_daemon, env_own,
			       env_broken, NULL };

static void setup(void)
{
	struct subsystem_options *template = subsystem_options_template();

	launch_init(&l, environment);
	o = subsystem_options_new(template, "web");
	subsystem_options_unref(template);
	strlist_add(&o->command, "httpd");
	strlist_add(&o->command, "-f");
}

static void teardown(void)
{
	plan_free(builder);
	subsystem_options_unref(o);
	launch_fini(&l);
}

static void build(const char *work_dir)
{
	const void *block;
	size_t size;

	ck_assert_int_eq(launch_build(&l, o, NULL, NULL, work_dir, &builder, &block, &size), 0);
	ck_assert(plan_check(block, size));
	p = block;
}

/* A vector of the plan as one text, items joined by '|'. */
static const char *vector(uint32_t off)
{
	static char text[4096];
	const uint32_t *items = (const uint32_t *)(const void *)((const char *)p + off);
	size_t len = 0;

	text[0] = '\0';
	for (; *items != 0; items++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? "|" : "",
					plan_str(p, *items));
	return text;
}

static const char *env(const char *name)
{
	static char value[256];
	const uint32_t *items = (const uint32_t *)(const void *)((const char *)p + p->envp);
	const char *found = NULL;
	size_t len = strlen(name);

	for (; *items != 0; items++) {
		const char *item = plan_str(p, *items);

		if (strncmp(item, name, len) == 0 && item[len] == '=') {
			ck_assert_msg(found == NULL, "%s twice", name);
			found = item + len + 1;
		}
	}
	snprintf(value, sizeof(value), "%s", found ? found : "(unset)");
	return value;
}

START_TEST(a_bare_command_is_looked_up_in_path)
{
	build(NULL);
	ck_assert_str_eq(vector(p->exec_paths), "/a/httpd|/b/httpd|./httpd|/c/httpd");
	ck_assert_str_eq(vector(p->argv), "httpd|-f");
	ck_assert_str_eq(plan_str(p, p->name), "web");
}
END_TEST

START_TEST(the_path_of_the_child_counts)
{
	strlist_add(&o->environment, "PATH=/x");
	build(NULL);
	ck_assert_str_eq(vector(p->exec_paths), "/x/httpd");
	ck_assert_str_eq(env("PATH"), "/x");
}
END_TEST

START_TEST(a_command_with_slash_is_taken_as_it_is)
{
	free(o->command.items[0]);
	o->command.items[0] = strdup("./bin/x");
	build("/srv");
	ck_assert_str_eq(vector(p->exec_paths), "./bin/x");
	ck_assert_str_eq(plan_str(p, p->cwd), "/srv");
}
END_TEST

START_TEST(placement_reaches_the_plan)
{
	const uint64_t *mask;

	build(NULL);
	ck_assert_uint_eq(p->cpus, 0);
	ck_assert_uint_eq(p->io_priority, 0);
	ck_assert_uint_eq(p->flags & (PLAN_SET_SCHED | PLAN_SET_NUMA), 0);
	plan_free(builder);
	rights_write(o)->numa_node = 1;
	rights_write(o)->numa_cpus = strdup("64,66");
	rights_write(o)->sched_policy = strdup("rr:7");
	rights_write(o)->io_class = strdup("best-effort:6");
	build(NULL);
	mask = (const uint64_t *)(const void *)((const char *)p + p->cpus);
	ck_assert_uint_eq(p->cpus_size, 16);
	ck_assert_uint_eq(mask[1], 5);
	ck_assert_uint_eq(p->flags & (PLAN_SET_SCHED | PLAN_SET_NUMA), PLAN_SET_SCHED | PLAN_SET_NUMA);
	ck_assert_uint_eq(p->sched_policy, 2);
	ck_assert_uint_eq(p->sched_priority, 7);
	ck_assert_uint_eq(p->io_priority, 2 << 13 | 6);
	ck_assert_uint_eq(p->numa_node, 1);
	plan_free(builder);
	rights_write(o)->cpu_affinity = strdup("0");		/* wins over the node's */
	build(NULL);
	mask = (const uint64_t *)(const void *)((const char *)p + p->cpus);
	ck_assert_uint_eq(p->cpus_size, 8);
	ck_assert_uint_eq(mask[0], 1);
}
END_TEST

START_TEST(rights_reach_the_plan)
{
	build(NULL);
	ck_assert_uint_eq(p->flags & ~(uint32_t)(PLAN_TREE | PLAN_DIE_WITH_KEEPER), 0);
	plan_free(builder);
	rights_write(o)->capabilities = (struct capability_option){ .set = true, .mask = 5 };
	rights_write(o)->ambient_capabilities = (struct capability_option){ .set = true, .mask = 4 };
	rights_write(o)->no_new_privileges = true;
	rights_write(o)->root_dir = strdup("/srv/jail");
	rights_write(o)->protect_system = PROTECT_FULL;
	build("/outside");
	ck_assert_str_eq(plan_str(p, p->root_dir), "/srv/jail");
	ck_assert_str_eq(plan_str(p, p->cwd), "/");
	ck_assert_uint_eq(p->protect_system, PLAN_PROTECT_FULL);
	ck_assert_uint_eq(p->nfilter, 0);
	ck_assert_uint_eq(p->flags & ~(uint32_t)(PLAN_TREE | PLAN_DIE_WITH_KEEPER),
			  PLAN_SET_CAPABILITIES | PLAN_SET_AMBIENT | PLAN_NO_NEW_PRIVILEGES);
	ck_assert_uint_eq(p->capabilities, 5);
	ck_assert_uint_eq(p->ambient, 4);
}
END_TEST

START_TEST(limits_of_the_tree_reach_the_plan)
{
	build(NULL);
	for (int i = 0; i < PLAN_CGROUP_LIMITS; i++)
		ck_assert_uint_eq(p->cgroup_limits[i], 0);
	plan_free(builder);
	rights_write(o)->memory_max = 4096;
	rights_write(o)->cpu_quota = 150;
	rights_write(o)->tasks_max = 7;
	build(NULL);
	ck_assert_uint_eq(p->cgroup_limits[LIMIT_MEMORY_MAX], 4096);
	ck_assert_uint_eq(p->cgroup_limits[LIMIT_CPU_QUOTA], 150);
	ck_assert_uint_eq(p->cgroup_limits[LIMIT_TASKS_MAX], 7);
	ck_assert_uint_eq(p->cgroup_limits[LIMIT_IO_WEIGHT], 0);
}
END_TEST

START_TEST(a_filter_takes_the_way_to_new_privileges)
{
	rights_write(o)->seccomp = SECCOMP_DEFAULT;
	build(NULL);
	ck_assert_uint_gt(p->nfilter, 10);
	ck_assert(p->flags & PLAN_NO_NEW_PRIVILEGES);
}
END_TEST

START_TEST(credentials_reach_the_plan_and_their_directory_the_environment)
{
	struct start_files *files;
	const struct plan_credential *c;
	const void *block;
	size_t size;

	strlist_add(&rights_write(o)->credentials, "db=/etc/db");
	strlist_add(&rights_write(o)->credentials, "none=/etc/none");
	files = start_files_new(o, 0, 0);
	files->credentials = calloc(2, sizeof(*files->credentials));
	files->credentials[0] = (struct start_credential){ strdup("top\0secret"), 10 };
	files->credentials[0].data = realloc(files->credentials[0].data, 10);
	memcpy(files->credentials[0].data, "top\0secret", 10);
	files->credentials[1] = (struct start_credential){ strdup(""), 0 };
	ck_assert_int_eq(launch_build(&l, o, files, NULL, NULL, &builder, &block, &size), 0);
	ck_assert(plan_check(block, size));
	p = block;
	ck_assert_uint_eq(p->ncredentials, 2);
	c = (const struct plan_credential *)(const void *)((const char *)p + p->credentials);
	ck_assert_str_eq(plan_str(p, c[0].name), "db");
	ck_assert_uint_eq(c[0].size, 10);
	ck_assert_int_eq(memcmp((const char *)p + c[0].data, "top\0secret", 10), 0);
	ck_assert_str_eq(plan_str(p, c[1].name), "none");
	ck_assert_uint_eq(c[1].size, 0);
	ck_assert_ptr_nonnull(strstr(vector(p->envp), "CREDENTIALS_DIRECTORY=/run/credentials"));
	start_files_free(files);
}
END_TEST

START_TEST(credentials_that_do_not_fit_are_refused)
{
	struct start_files *files;
	const void *block;
	size_t size;

	for (int i = 0; i < 3; i++) {
		char item[16];

		snprintf(item, sizeof(item), "c%d=/x", i);
		strlist_add(&rights_write(o)->credentials, item);
	}
	files = start_files_new(o, 0, 0);
	files->credentials = calloc(3, sizeof(*files->credentials));
	for (int i = 0; i < 3; i++)
		files->credentials[i] =
			(struct start_credential){ calloc(1, CREDENTIAL_MAX), CREDENTIAL_MAX };
	ck_assert_int_eq(launch_build(&l, o, files, NULL, NULL, &builder, &block, &size), -E2BIG);
	builder = NULL;
	start_files_free(files);
}
END_TEST

START_TEST(a_shell_command_runs_through_bin_sh)
{
	strlist_fini(&o->command);
	strlist_add(&o->command, "a | b");
	o->shell = true;
	build(NULL);
	ck_assert_str_eq(vector(p->exec_paths), "/bin/sh");
	ck_assert_str_eq(vector(p->argv), "/bin/sh|-c|a | b");
}
END_TEST

START_TEST(working_dir_wins_over_work_dir)
{
	rights_write(o)->working_dir = strdup("/own");
	build("/srv");
	ck_assert_str_eq(plan_str(p, p->cwd), "/own");
}
END_TEST

START_TEST(without_both_the_child_stays_where_procd_is)
{
	build(NULL);
	ck_assert_uint_eq(p->cwd, 0);
}
END_TEST

START_TEST(ordinary_variables_are_inherited_and_procds_own_removed)
{
	static const char *const gone[] = { "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID",
					    "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID" };

	build(NULL);
	ck_assert_str_eq(env("LANG"), "C");
	ck_assert_str_eq(env("DAEMON_NAME"), "x");
	ck_assert_str_eq(env("LISTEN_ADDR"), "0");
	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		ck_assert_str_eq(env(gone[i]), "(unset)");
	ck_assert_str_eq(env("PROCD_SUBSYSTEM"), "web");
}
END_TEST

START_TEST(given_variables_replace_inherited_ones)
{
	strlist_add(&o->environment, "LANG=de");
	strlist_add(&o->environment, "LANGUAGE=x");
	strlist_add(&o->environment, "NOTIFY_SOCKET=mine");
	build(NULL);
	ck_assert_str_eq(env("LANG"), "de");
	ck_assert_str_eq(env("LANGUAGE"), "x");
	ck_assert_str_eq(env("NOTIFY_SOCKET"), "mine");
}
END_TEST

START_TEST(a_cleared_environment_holds_what_was_given)
{
	rights_write(o)->clear_environment = true;
	strlist_add(&o->environment, "X=1");
	build(NULL);
	ck_assert_str_eq(vector(p->envp), "X=1|PROCD_SUBSYSTEM=web");
	ck_assert_str_eq(vector(p->exec_paths), "/a/httpd|/b/httpd|./httpd|/c/httpd");
}
END_TEST

START_TEST(only_passed_variables_are_inherited)
{
	strlist_add(&rights_write(o)->pass_environment, "LANG*");
	/* was meant for procd alone */
	strlist_add(&rights_write(o)->pass_environment, "NOTIFY_SOCKET");
	strlist_add(&o->environment, "X=1");
	for (int clear = 0; clear < 2; clear++) {
		rights_write(o)->clear_environment = clear;
		plan_free(builder);
		build(NULL);
		ck_assert_str_eq(env("X"), "1");
		ck_assert_str_eq(env("LANG"), "C");
		ck_assert_str_eq(env("DAEMON_NAME"), "(unset)");
		ck_assert_str_eq(env("NOTIFY_SOCKET"), "(unset)");
	}
}
END_TEST

START_TEST(a_user_brings_its_home_name_and_shell)
{
	rights_write(o)->user = strdup("www");
	rights_write(o)->user_name = strdup("www");
	rights_write(o)->home = strdup("/var/www");
	rights_write(o)->login_shell = strdup("/bin/false");
	rights_write(o)->set_ids = true;
	rights_write(o)->uid = 33;
	rights_write(o)->gid = 34;
	rights_write(o)->gids = calloc(2, sizeof(gid_t));
	o->rights->gids[0] = 34;
	o->rights->gids[1] = 35;
	rights_write(o)->ngids = 2;
	strlist_add(&o->environment, "SHELL=/bin/mine");
	build(NULL);
	ck_assert_str_eq(env("HOME"), "/var/www");
	ck_assert_str_eq(env("USER"), "www");
	ck_assert_str_eq(env("LOGNAME"), "www");
	ck_assert_str_eq(env("SHELL"), "/bin/mine");
	ck_assert_uint_eq(p->flags & PLAN_SET_IDS, PLAN_SET_IDS);
	ck_assert_uint_eq(p->uid, 33);
	ck_assert_uint_eq(p->gid, 34);
	ck_assert_uint_eq(p->ngroups, 2);
	ck_assert_uint_eq(p->groups[1], 35);
}
END_TEST

START_TEST(without_user_nothing_is_changed)
{
	build(NULL);
	ck_assert_str_eq(env("HOME"), "/root");
	ck_assert_str_eq(env("USER"), "(unset)");
	ck_assert_uint_eq(p->flags, PLAN_TREE);
	ck_assert_int_eq(p->oom_score_adjust, INT32_MIN);
}
END_TEST

START_TEST(what_is_to_die_with_procd_says_so_in_its_plan)
{
	policy_write(o)->on_supervisor_death = KEEPER_DEATH_STOP;
	build(NULL);
	ck_assert_uint_eq(p->flags, PLAN_TREE | PLAN_DIE_WITH_KEEPER);
	ck_assert_uint_eq(p->stop_signal, SIGTERM);
}
END_TEST

START_TEST(scalars_reach_the_plan)
{
	policy_write(o)->kill_mode = KILL_MODE_PROCESS;
	rights_write(o)->umask = 027;
	rights_write(o)->nice = 5;
	rights_write(o)->oom_score_adjust = -10;
	policy_write(o)->stop_signal = SIGINT;
	build(NULL);
	ck_assert_uint_eq(p->flags, PLAN_SET_UMASK | PLAN_SET_NICE);
	ck_assert_uint_eq(p->umask, 027);
	ck_assert_int_eq(p->nice, 5);
	ck_assert_int_eq(p->oom_score_adjust, -10);
	ck_assert_uint_eq(p->stop_signal, SIGINT);
}
END_TEST

START_TEST(streams_reach_the_plan)
{
	streams_write(o)->stdio[0].kind = STDIO_FILE;
	streams_write(o)->stdio[0].path = strdup("/in");
	streams_write(o)->stdio[1].kind = STDIO_LOG;
	streams_write(o)->stdio[2].kind = STDIO_STDOUT;
	build(NULL);
	ck_assert_uint_eq(p->stdio[0], PLAN_STDIO_FILE);
	ck_assert_str_eq(plan_str(p, p->stdio_path[0]), "/in");
	ck_assert_uint_eq(p->stdio[1], PLAN_STDIO_CAPTURE);
	ck_assert_uint_eq(p->stdio[2], PLAN_STDIO_STDOUT);
}
END_TEST

START_TEST(too_long_an_argument_list_is_refused)
{
	struct plan_builder *b = NULL;
	const void *block;
	size_t size;
	char *big = malloc(PLAN_MAX + 1);

	memset(big, 'x', PLAN_MAX);
	big[PLAN_MAX] = '\0';
	strlist_take(&o->command, big);
	ck_assert_int_eq(launch_build(&l, o, NULL, NULL, NULL, &b, &block, &size), -E2BIG);
}
END_TEST

START_TEST(no_environment_at_all_is_fine)
{
	launch_fini(&l);
	launch_init(&l, NULL);
	build(NULL);
	ck_assert_str_eq(vector(p->envp), "PROCD_SUBSYSTEM=web");
	ck_assert_ptr_nonnull(strstr(vector(p->exec_paths), "/usr/bin/httpd"));
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_bare_command_is_looked_up_in_path, the_path_of_the_child_counts,
		a_command_with_slash_is_taken_as_it_is, placement_reaches_the_plan,
		rights_reach_the_plan, limits_of_the_tree_reach_the_plan, a_filter_takes_the_way_to_new_privileges,
		credentials_reach_the_plan_and_their_directory_the_environment,
		credentials_that_do_not_fit_are_refused, a_shell_command_runs_through_bin_sh,
		working_dir_wins_over_work_dir, without_both_the_child_stays_where_procd_is,
		ordinary_variables_are_inherited_and_procds_own_removed,
		given_variables_replace_inherited_ones,
		a_cleared_environment_holds_what_was_given, only_passed_variables_are_inherited, a_user_brings_its_home_name_and_shell,
		without_user_nothing_is_changed, what_is_to_die_with_procd_says_so_in_its_plan, scalars_reach_the_plan, streams_reach_the_plan,
		too_long_an_argument_list_is_refused, no_environment_at_all_is_fine,
	};

	return unit_run_in("core: launch", setup, teardown, tests, ARRAY_LEN(tests));
}
