/* What a plan says about where a program runs and what it may do, seen from inside it; and that a
 * step which cannot be taken is a failed start. */
#include "keeper_fixture.h"

static struct rig rig;
static char out_path[128];

static void setup(void)
{
	rig_init(&rig);
	snprintf(out_path, sizeof(out_path), "%s/out", rig.base);
	setenv("PROCD_TEST_NO_FEATURE", "", 1);
	rig_start(&rig);
}

static void teardown(void)
{
	rig_fini(&rig);
}

/* What the shell prints as a child. */
static char *shown(const char *script, void (*extend)(struct plan_builder *b))
{
	const struct wish w = { .argv = { "/bin/sh", "-c", script }, .out = out_path,
				.extend = extend };

	unlink(out_path);
	ck_assert_int_eq(rig_run(&rig, 0, &w), 0);
	return slurp(out_path);
}

static void ck_shows(const char *script, void (*extend)(struct plan_builder *b), const char *part)
{
	char *text = shown(script, extend);

	ck_assert_msg(strstr(text, part) != NULL, "no <%s> in:\n%s", part, text);
	free(text);
}

static void ck_fails(void (*extend)(struct plan_builder *b), enum spawn_stage stage, int errnum)
{
	const struct wish w = { .argv = { "/bin/true" }, .extend = extend };
	struct km_started m = rig_fail(&rig, 0, &w);

	ck_assert_str_eq(enumtext_name(&spawn_stage_text, (int)m.stage),
			 enumtext_name(&spawn_stage_text, (int)stage));
	ck_assert_str_eq(strerror(m.errnum), strerror(errnum));
}

/* --- placement ---------------------------------------------------------------------------------- */

static void on_the_first(struct plan_builder *b)
{
	plan_set_cpus(b, (const uint64_t[]){ 1 }, 1);
}

static void on_none(struct plan_builder *b)
{
	plan_set_cpus(b, (const uint64_t[]){ 0, 0, 1 }, 3);
}

START_TEST(a_plan_chooses_processors)
{
	ck_shows("grep Cpus_allowed_list /proc/self/status", on_the_first,
		 "Cpus_allowed_list:\t0\n");
	ck_fails(on_none, STAGE_AFFINITY, EINVAL);
}
END_TEST

static void as_batch(struct plan_builder *b)
{
	plan_header(b)->flags |= PLAN_SET_SCHED;
	plan_header(b)->sched_policy = 3;
}

static void as_nothing(struct plan_builder *b)
{
	plan_header(b)->flags |= PLAN_SET_SCHED;
	plan_header(b)->sched_policy = 77;
}

START_TEST(a_plan_chooses_the_scheduling_policy)
{
	/* field 41 of stat */
	ck_shows("cut -d' ' -f41 /proc/self/stat", as_batch, "3\n");
	ck_fails(as_nothing, STAGE_SCHED, EINVAL);
}
END_TEST

static void idle_io(struct plan_builder *b)
{
	plan_header(b)->io_priority = 3 << 13;
}

static void no_io(struct plan_builder *b)
{
	plan_header(b)->io_priority = 7 << 13;
}

START_TEST(a_plan_chooses_the_io_class)
{
	if (access("/usr/bin/ionice", X_OK) == 0)
		ck_shows("ionice", idle_io, "idle\n");
	ck_fails(no_io, STAGE_IO_CLASS, EINVAL);
}
END_TEST

static void on_node_0(struct plan_builder *b)
{
	plan_header(b)->flags |= PLAN_SET_NUMA;
}

static void on_node_999(struct plan_builder *b)
{
	plan_header(b)->flags |= PLAN_SET_NUMA;
	plan_header(b)->numa_node = 999;
}

START_TEST(a_plan_chooses_the_memory)
{
	if (access("/proc/self/numa_maps", R_OK) < 0)
		return;		/* a kernel without NUMA */
	ck_shows("cat /proc/self/numa_maps", on_node_0, "prefer");
	ck_fails(on_node_999, STAGE_NUMA, EINVAL);
}
END_TEST

/* --- capabilities ------------------------------------------------------------------------------- */

#define NET_BIND UINT64_C(0x400)

static void as_nobody(struct plan *p)
{
	p->flags |= PLAN_SET_IDS;
	p->uid = p->gid = 65534;
}

static void only_net_bind(struct plan_builder *b)
{
	struct plan *p = plan_header(b);

	p->flags |= PLAN_SET_CAPABILITIES;
	p->capabilities = NET_BIND;
}

static void nobody_with_net_bind(struct plan_builder *b)
{
	struct plan *p = plan_header(b);

	as_nobody(p);
	p->flags |= PLAN_SET_CAPABILITIES | PLAN_SET_AMBIENT | PLAN_NO_NEW_PRIVILEGES;
	p->capabilities = p->ambient = NET_BIND;
}

static void more_than_the_bounds(struct plan_builder *b)
{
	struct plan *p = plan_header(b);

	p->flags |= PLAN_SET_CAPABILITIES | PLAN_SET_AMBIENT;
	p->capabilities = 0;
	p->ambient = NET_BIND;
}

static void an_unknown_one(struct plan_builder *b)
{
	struct plan *p = plan_header(b);

	p->flags |= PLAN_SET_AMBIENT;
	p->ambient = UINT64_C(1) << 63;
}

#define CAPS "sed -n '/^Cap/p;/^NoNew/p' /proc/self/status"

START_TEST(a_plan_bounds_capabilities)
{
	if (geteuid() != 0) {
		ck_fails(only_net_bind, STAGE_CAPABILITIES, EPERM);
		return;
	}
	ck_shows(CAPS, only_net_bind,
		 "CapInh:\t0000000000000000\nCapPrm:\t0000000000000400\nCapEff:\t0000000000000400\n"
		 "CapBnd:\t0000000000000400\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\n");
}
END_TEST

START_TEST(a_plan_gives_capabilities_to_an_ordinary_user)
{
	if (geteuid() != 0)
		return;
	chmod(rig.base, 0755);
	ck_shows(CAPS, nobody_with_net_bind,
		 "CapInh:\t0000000000000400\nCapPrm:\t0000000000000400\nCapEff:\t0000000000000400\n"
		 "CapBnd:\t0000000000000400\nCapAmb:\t0000000000000400\nNoNewPrivs:\t1\n");
}
END_TEST

START_TEST(capabilities_that_cannot_be_had_are_a_failed_start)
{
	if (geteuid() == 0)
		ck_fails(more_than_the_bounds, STAGE_AMBIENT, EPERM);
	ck_fails(an_unknown_one, STAGE_AMBIENT, EPERM);
}
END_TEST

/* --- mounts --------------------------------------------------------------------------------------- */

static void private_tmp(struct plan_builder *b)
{
	plan_header(b)->flags |= PLAN_PRIVATE_TMP;
	plan_set_cwd(b, "/");
}

START_TEST(a_plan_hides_tmp)
{
	if (geteuid() != 0) {
		ck_fails(private_tmp, STAGE_MOUNT_NAMESPACE, EPERM);
		return;
	}
	ck_shows("ls -A /tmp /var/tmp; touch /tmp/procd-test-x && echo writable", private_tmp,
		 "/tmp:\n\n/var/tmp:\nwritable\n");
	ck_assert_int_ne(access("/tmp/procd-test-x", F_OK), 0);
}
END_TEST

static void read_only(struct plan_builder *b)
{
	plan_header(b)->protect_system = PLAN_PROTECT_PROGRAMS;
}

static void read_only_with_settings(struct plan_builder *b)
{
	plan_header(b)->protect_system = PLAN_PROTECT_FULL;
}

static void read_only_all(struct plan_builder *b)
{
	plan_header(b)->protect_system = PLAN_PROTECT_STRICT;
	private_tmp(b);
}

#define TRY_WRITES                                                                                \
	"for d in /usr /etc /var /dev/shm /tmp; do "                                              \
	"if touch $d/procd-test 2>/dev/null; then rm $d/procd-test; echo yes; "                   \
	"else echo no; fi; done"

START_TEST(a_plan_makes_what_is_not_the_programs_read_only)
{
	if (geteuid() != 0)
		return;
	ck_shows(TRY_WRITES, NULL, "yes\nyes\nyes\nyes\nyes\n");
	ck_shows(TRY_WRITES, read_only, "no\nyes\nyes\nyes\nyes\n");
	ck_shows(TRY_WRITES, read_only_with_settings, "no\nno\nyes\nyes\nyes\n");
	ck_shows(TRY_WRITES, read_only_all, "no\nno\nno\nyes\nyes\n");
	ck_shows("echo x >/dev/null && test -r /proc/self/status && echo fine", read_only_all,
		 "fine\n");
}
END_TEST

static void in_a_root(struct plan_builder *b)
{
	plan_set_root_dir(b, "/usr");
	plan_set_cwd(b, "/bin");
}

static void in_no_root(struct plan_builder *b)
{
	plan_set_root_dir(b, "/nowhere");
}

START_TEST(a_plan_changes_the_root_directory)
{
	ck_fails(in_no_root, STAGE_ROOT_DIR, ENOENT);
	/* there is no /bin/true in /usr unless /usr/bin was linked there */
	if (geteuid() != 0)
		ck_fails(in_a_root, STAGE_ROOT_DIR, EPERM);
}
END_TEST

static void with_credentials(struct plan_builder *b)
{
	plan_set_credentials(b, 2);
	plan_set_credential(b, 0, "db=", 2, "top secret", 10);
	plan_set_credential(b, 1, "empty", 5, "", 0);
}

static void nobodys_credentials(struct plan_builder *b)
{
	with_credentials(b);
	as_nobody(plan_header(b));
}

#define SHOW_CREDENTIALS                                                                          \
	"cd /run/credentials && stat -c '%n %a %u %g %s' . * && cat db; echo; "                   \
	"touch x 2>/dev/null || echo read-only"

START_TEST(a_plan_brings_credentials)
{
	if (geteuid() != 0) {
		ck_fails(with_credentials, STAGE_MOUNT_NAMESPACE, EPERM);
		return;
	}
	chmod(rig.base, 0755);
	ck_shows(SHOW_CREDENTIALS, with_credentials,
		 ". 500 0 0 80\ndb 400 0 0 10\nempty 400 0 0 0\ntop secret\nread-only\n");
	ck_shows(SHOW_CREDENTIALS, nobodys_credentials,
		 ". 500 65534 65534 80\ndb 400 65534 65534 10\nempty 400 65534 65534 0\n"
		 "top secret\nread-only\n");
	ck_assert_int_ne(access("/run/credentials/db", F_OK), 0);
}
END_TEST

/* --- system calls --------------------------------------------------------------------------------- */

/* "Allow all" and something that is no program. */
static void allow_all(struct plan_builder *b)
{
	plan_set_filter(b, (const uint64_t[]){ UINT64_C(0x7fff000000000006) }, 1);
	plan_header(b)->flags |= PLAN_NO_NEW_PRIVILEGES;
}

static void nonsense(struct plan_builder *b)
{
	plan_set_filter(b, (const uint64_t[]){ UINT64_C(0xffff) }, 1);
	plan_header(b)->flags |= PLAN_NO_NEW_PRIVILEGES;
}

START_TEST(a_plan_filters_system_calls)
{
	ck_shows("grep Seccomp: /proc/self/status", allow_all, "Seccomp:\t2\n");
	ck_fails(nonsense, STAGE_SECCOMP, EINVAL);
}
END_TEST

int main(int argc, char **argv)
{
	const struct rig_test tests[] = {
		{ a_plan_chooses_processors, 1 },
		{ a_plan_chooses_the_scheduling_policy, 1 },
		{ a_plan_chooses_the_io_class, 1 },
		{ a_plan_chooses_the_memory, 1 },
		{ a_plan_bounds_capabilities, 1 },
		{ a_plan_gives_capabilities_to_an_ordinary_user, 1 },
		{ capabilities_that_cannot_be_had_are_a_failed_start, 1 },
		{ a_plan_hides_tmp, 1 },
		{ a_plan_makes_what_is_not_the_programs_read_only, 1 },
		{ a_plan_changes_the_root_directory, 1 },
		{ a_plan_brings_credentials, 1 },
		{ a_plan_filters_system_calls, 1 },
	};

	return rig_main("keeper: confine", argc, argv, setup, teardown, tests, ARRAY_LEN(tests));
}
