/* The walk to a file: whose links and directories are followed, and that no swap is ever missed.
 * Strangers need root to be made; without it those tests only try what is our own. */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit.h"

#define STRANGER 12345
#define SECOND_STRANGER 12346
#define NOBODY 65534
#define ROUNDS 20000

static char dir[] = "/tmp/procd-unit-path-XXXXXX";

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	umask(022);
	ck_assert_int_eq(chmod(dir, 0755), 0);
}

static void teardown(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(system(command), 0);
}

static void make_dir(const char *name, mode_t mode, uid_t owner)
{
	ck_assert_int_eq(mkdir(name, 0755), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(chown(name, owner, owner), 0);
	ck_assert_int_eq(chmod(name, mode), 0);
}

static void make_link(const char *target, const char *name, uid_t owner)
{
	ck_assert_int_eq(symlink(target, name), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(lchown(name, owner, owner), 0);
}

/* 0 when the walk ended in the directory WHERE, at NAME. */
static int walk_to(const char *path, unsigned flags, const char *where, const char *name)
{
	struct path_parent p;
	struct stat is, want;
	int ret = path_parent_open(AT_FDCWD, path, flags, &p);

	if (ret < 0)
		return ret;
	ck_assert_int_eq(fstat(p.fd, &is), 0);
	ck_assert_int_eq(stat(where, &want), 0);
	ck_assert_uint_eq(is.st_ino, want.st_ino);
	ck_assert_str_eq(p.name, name);
	ck_assert_int_eq(fcntl(p.fd, F_GETFD), FD_CLOEXEC);
	close(p.fd);
	return 0;
}

START_TEST(a_walk_ends_at_the_parent_of_the_last_name)
{
	char absolute[128];

	make_dir("a", 0755, 0);
	make_dir("a/b", 0755, 0);
	snprintf(absolute, sizeof(absolute), "%s/a/b/file", dir);
	ck_assert_int_eq(walk_to(absolute, 0, "a/b", "file"), 0);
	ck_assert_int_eq(walk_to("a/b/file", 0, "a/b", "file"), 0);
	ck_assert_int_eq(walk_to("file", 0, ".", "file"), 0);
	ck_assert_int_eq(walk_to("a//b/..//./b/file//", 0, "a/b", "file"), 0);
	ck_assert_int_eq(walk_to("/etc", 0, "/", "etc"), 0);
	ck_assert_int_eq(walk_to("a/missing/file", 0, "a", ""), -ENOENT);
	ck_assert_int_eq(walk_to("", 0, ".", ""), -ENOENT);
	ck_assert_int_eq(walk_to("/", 0, "/", ""), -EISDIR);
	close(open("a/plain", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	ck_assert_int_eq(walk_to("a/plain/file", 0, "a", ""), -ENOTDIR);
}
END_TEST

START_TEST(what_is_missing_on_the_way_is_made_when_asked)
{
	struct path_parent p;
	struct stat st;

	ck_assert_int_eq(walk_to("new/deep/last", 0, ".", ""), -ENOENT);
	ck_assert_int_eq(path_parent_open(AT_FDCWD, "new/deep/last", PATH_MAKE, &p), 0);
	close(p.fd);
	ck_assert_int_eq(stat("new/deep", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0755);
	ck_assert_int_ne(access("new/deep/last", F_OK), 0);
	ck_assert_int_eq(walk_to("new/deep/last", PATH_MAKE, "new/deep", "last"), 0);
}
END_TEST

START_TEST(names_and_paths_that_are_too_long_are_refused)
{
	char name[NAME_MAX + 2], path[PATH_MAX + 1];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(walk_to(name, 0, ".", ""), -ENAMETOOLONG);
	name[NAME_MAX] = '\0';
	ck_assert_int_eq(walk_to(name, 0, ".", name), 0);
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(walk_to(path, 0, ".", ""), -ENAMETOOLONG);
}
END_TEST

START_TEST(own_links_are_followed_and_circles_end)
{
	char absolute[64];

	make_dir("real", 0755, 0);
	make_dir("public", 01777, 0);
	make_link("real", "relative", 0);
	snprintf(absolute, sizeof(absolute), "%s/real", dir);
	make_link(absolute, "public/absolute", 0);
	make_link("circle", "circle", 0);
	ck_assert_int_eq(walk_to("relative/file", 0, "real", "file"), 0);
	ck_assert_int_eq(walk_to("public/absolute/file", 0, "real", "file"), 0);
	ck_assert_int_eq(walk_to("circle/file", 0, ".", ""), -ELOOP);
	ck_assert_int_eq(walk_to("circle", PATH_FOLLOW_LAST, ".", ""), -ELOOP);
}
END_TEST

START_TEST(the_last_name_is_followed_only_when_asked)
{
	make_dir("real", 0755, 0);
	make_link("real/target", "last", 0);
	ck_assert_int_eq(walk_to("last", 0, ".", "last"), 0);
	ck_assert_int_eq(walk_to("last", PATH_FOLLOW_LAST, "real", "target"), 0);
	ck_assert_int_eq(walk_to("real/none", PATH_FOLLOW_LAST, "real", "none"), 0);
	make_dir("public", 01777, 0);
	make_link("../real/target", "public/last", 0);
	ck_assert_int_eq(walk_to("public/last", PATH_FOLLOW_LAST, ".", ""), -ELOOP);
	if (geteuid() != 0)
		return;
	make_link("real/target", "theirs", STRANGER);
	ck_assert_int_eq(walk_to("theirs", PATH_FOLLOW_LAST, ".", ""), -ELOOP);
}
END_TEST

START_TEST(what_a_stranger_puts_into_a_public_directory_is_not_entered)
{
	if (geteuid() != 0)
		return;
	make_dir("public", 01777, 0);
	make_dir("target", 0755, 0);
	make_link("../target", "public/link", STRANGER);
	make_dir("public/dir", 0755, STRANGER);
	make_dir("public/ours", 0755, 0);
	ck_assert_int_eq(walk_to("public/link/file", 0, "target", "file"), -ELOOP);
	ck_assert_int_eq(walk_to("public/dir/file", 0, "public/dir", "file"), -EPERM);
	ck_assert_int_eq(walk_to("public/ours/file", 0, "public/ours", "file"), 0);
}
END_TEST

START_TEST(nobody_is_a_stranger_like_any_other)
{
	if (geteuid() != 0)
		return;
	make_dir("public", 01777, 0);
	make_dir("public/dir", 0755, NOBODY);
	ck_assert(!path_owner_trusted(NOBODY));
	ck_assert_int_eq(walk_to("public/dir/file", 0, "public/dir", "file"), -EPERM);
}
END_TEST

START_TEST(a_strangers_link_reaches_only_what_is_his)
{
	if (geteuid() != 0)
		return;
	make_dir("home", 0755, STRANGER);
	make_dir("disk", 0755, 0);
	make_dir("disk/his", 0755, STRANGER);
	make_dir("disk/other", 0755, SECOND_STRANGER);
	make_link("../disk/his", "home/logs", STRANGER);
	make_link("../disk", "home/out", STRANGER);
	make_link("../disk/other", "home/other", STRANGER);
	make_link("logs", "home/chain", STRANGER);
	make_link("../home/logs", "home/mixed", SECOND_STRANGER);
	ck_assert_int_eq(walk_to("home/logs/file", 0, "disk/his", "file"), 0);
	ck_assert_int_eq(walk_to("home/chain/file", 0, "disk/his", "file"), 0);
	ck_assert_int_eq(walk_to("home/out/file", 0, "disk", "file"), -ELOOP);
	ck_assert_int_eq(walk_to("home/other/file", 0, "disk/other", "file"), -ELOOP);
	ck_assert_int_eq(walk_to("home/mixed/file", 0, "disk/his", "file"), -ELOOP);
}
END_TEST

START_TEST(the_parent_says_what_others_could_do_in_it)
{
	static const struct {
		const char *name;
		mode_t mode;
		uid_t owner;
		gid_t group;
		bool open, replace;
	} table[] = {
		{ "plain", 0755, 0, 0, false, false },
		{ "own group", 0775, 0, 0, false, false },
		{ "group", 0775, 0, STRANGER, true, true },
		{ "group sticky", 01775, 0, STRANGER, true, false },
		{ "public", 0777, 0, 0, true, true },
		{ "public sticky", 01777, 0, 0, true, false },
		{ "theirs", 0755, STRANGER, STRANGER, true, true },
		{ "theirs sticky", 01777, STRANGER, STRANGER, true, true },
	};

	if (geteuid() != 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct path_parent p;
		char path[64];

		make_dir(table[i].name, 0755, table[i].owner);
		ck_assert_int_eq(chown(table[i].name, table[i].owner, table[i].group), 0);
		ck_assert_int_eq(chmod(table[i].name, table[i].mode), 0);
		snprintf(path, sizeof(path), "%s/file", table[i].name);
		ck_assert_int_eq(path_parent_open(AT_FDCWD, path, 0, &p), 0);
		ck_assert_msg(p.open_to_others == table[i].open &&
			      p.others_may_replace == table[i].replace, "%s: %d %d",
			      table[i].name, p.open_to_others, p.others_may_replace);
		close(p.fd);
	}
}
END_TEST

/* --- races ------------------------------------------------------------------------------------ */

/* Does ONCE again and again, as the stranger. */
static pid_t attacker(void (*once)(void))
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (setresgid(STRANGER, STRANGER, STRANGER) < 0 ||
	    setresuid(STRANGER, STRANGER, STRANGER) < 0)
		_exit(1);
	for (;;)
		once();
}

static void attacker_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void swap_directory_and_link(void)
{
	renameat2(AT_FDCWD, "home/logs", AT_FDCWD, "home/link", RENAME_EXCHANGE);
}

START_TEST(a_directory_that_is_swapped_for_a_link_is_never_missed)
{
	struct stat trap;
	int refused = 0, entered = 0;
	pid_t pid;

	if (geteuid() != 0)
		return;
	make_dir("trap", 0755, 0);
	ck_assert_int_eq(stat("trap", &trap), 0);
	make_dir("home", 0755, STRANGER);
	make_dir("home/logs", 0755, STRANGER);
	make_link("../trap", "home/link", STRANGER);
	pid = attacker(swap_directory_and_link);
	for (int i = 0; i < ROUNDS; i++) {
		int fd = file_open_owned(AT_FDCWD, "home/logs/file", 0, 0600);

		refused += fd == -ELOOP;
		entered += fd >= 0;
		closep(&fd);
	}
	attacker_end(pid);
	ck_assert_int_eq(refused + entered, ROUNDS);
	ck_assert_int_ne(access("trap/file", F_OK), 0);
}
END_TEST

static void link_and_unlink(void)
{
	if (link("precious", "home/file") == 0 || errno == EEXIST || errno == EPERM)
		unlink("home/file");
}

START_TEST(a_second_name_that_comes_and_goes_is_never_missed)
{
	struct stat precious, st;
	pid_t pid;

	if (geteuid() != 0)
		return;
	close(open("precious", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	ck_assert_int_eq(stat("precious", &precious), 0);
	make_dir("home", 0755, STRANGER);
	pid = attacker(link_and_unlink);
	for (int i = 0; i < ROUNDS; i++) {
		int fd = file_open_owned(AT_FDCWD, "home/file", 0, 0600);

		if (fd < 0)
			continue;
		ck_assert_int_eq(fstat(fd, &st), 0);
		ck_assert_uint_ne(st.st_ino, precious.st_ino);
		close(fd);
	}
	attacker_end(pid);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_walk_ends_at_the_parent_of_the_last_name,
		what_is_missing_on_the_way_is_made_when_asked,
		names_and_paths_that_are_too_long_are_refused,
		own_links_are_followed_and_circles_end,
		the_last_name_is_followed_only_when_asked,
		what_a_stranger_puts_into_a_public_directory_is_not_entered,
		nobody_is_a_stranger_like_any_other,
		a_strangers_link_reaches_only_what_is_his,
		the_parent_says_what_others_could_do_in_it,
		a_directory_that_is_swapped_for_a_link_is_never_missed,
		a_second_name_that_comes_and_goes_is_never_missed,
	};

	return unit_run_in("base: path", setup, teardown, tests, ARRAY_LEN(tests));
}
