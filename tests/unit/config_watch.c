/* Watching by name, through everything that editors, packagers and orchestrators do to a file.
 *
 * The test plays the loader: when told to look it reads the file and counts a load when the content
 * is new. "Nothing happens" is proven by a later change that must then be the very next load. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "config/watch.h"

#include "unit.h"

#define DEBOUNCE_MS 30
#define DEADLINE_S 10.

static char root[PATH_MAX];		/* a fresh directory; also the working directory */
static struct ev_loop *loop;
static struct watch *watch;
static char *content;			/* as last loaded; NULL: gone */
static int loads, looks, warnings;
static const char *watched;

static char *read_text(const char *path)
{
	struct strbuf text = STRBUF_INIT;

	if (file_read(path, 1 << 20, &text) == 0)
		return strbuf_detach(&text);
	strbuf_fini(&text);
	return NULL;
}

static void on_changed(void *ctx)
{
	char *now = read_text(watched);

	(void)ctx;
	looks++;
	if ((now == NULL) != (content == NULL) || (now != NULL && strcmp(now, content) != 0))
		loads++;
	free(content);
	content = now;
	ev_break(loop, EVBREAK_ALL);
}

static void count_warning(void *ctx, enum log_level level, const char *subsystem,
			  const char *message)
{
	(void)ctx;
	(void)subsystem;
	(void)message;
	warnings += level == LOG_WARN;
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static void do_mkdir(const char *path)
{
	ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void do_rename(const char *from, const char *to)
{
	ck_assert_int_eq(rename(from, to), 0);
}

static void do_link(const char *target, const char *path)
{
	ck_assert_int_eq(symlink(target, path), 0);
}

static void rename_over(const char *path, const char *text)
{
	write_text("new.tmp", text);
	do_rename("new.tmp", path);
}

static void start_watching(const char *file, const char *glob)
{
	struct watch_set set = { .debounce_ms = DEBOUNCE_MS };
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", root, file);
	strlist_add(&set.files, path);
	if (glob != NULL) {
		snprintf(path, sizeof(path), "%s/%s", root, glob);
		strlist_add(&set.globs, path);
	}
	watched = file;
	free(content);
	content = read_text(file);
	/* Read a moment ago for all that the watch knows, in files of just now: no look is due. */
	watch_start(watch, &set, INT64_MAX);
}

static void on_deadline(struct loop_timer *timer)
{
	(void)timer;
	ck_abort_msg("nothing was noticed");
}

static void wait_for_look(void)
{
	struct loop_timer deadline;

	loop_timer_init(&deadline, loop, on_deadline);
	loop_timer_set(&deadline, (int64_t)(DEADLINE_S * NS_PER_SEC));
	ev_run(loop, 0);
	loop_timer_set(&deadline, -1);
}

static void on_passed(struct loop_timer *timer)
{
	ev_break(timer->loop, EVBREAK_ALL);
}

/* Not an oracle: only gives the watch the occasion to do what a test is about. */
static void let_pass(int64_t ms)
{
	struct loop_timer timer;

	loop_timer_init(&timer, loop, on_passed);
	loop_timer_set(&timer, ms * NS_PER_MS);
	ev_run(loop, 0);
	loop_timer_set(&timer, -1);
}

/* The next load brings TEXT (NULL: the file is gone), and there was none before it. */
static void expect_load(const char *text)
{
	int before = loads;

	while (loads == before)
		wait_for_look();
	ck_assert_int_eq(loads, before + 1);
	if (text == NULL)
		ck_assert_ptr_null(content);
	else
		ck_assert_pstr_eq(content, text);
}

static void set_up(void)
{
	snprintf(root, sizeof(root), "/tmp/procd-watch-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_int_eq(chdir(root), 0);
	loop = loop_new("auto");
	watch = watch_new(loop, on_changed, NULL);
	log_set_sink(count_warning, NULL);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void tear_down(void)
{
	watch_free(watch);
	ev_loop_destroy(loop);
	free(content);
	ck_assert_int_eq(chdir("/"), 0);
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- a plain file --------------------------------------------------------------------------- */

START_TEST(a_write_in_place_is_a_load)
{
	write_text("c.toml", "1");
	start_watching("c.toml", NULL);
	write_text("c.toml", "2");
	expect_load("2");
	write_text("c.toml", "3");
	expect_load("3");
}
END_TEST

START_TEST(a_rename_over_the_file_is_a_load_each_time)
{
	write_text("c.toml", "1");
	start_watching("c.toml", NULL);
	rename_over("c.toml", "2");
	expect_load("2");
	rename_over("c.toml", "3");
	expect_load("3");
	write_text("c.toml", "4");
	expect_load("4");
}
END_TEST

START_TEST(a_touch_is_no_load)
{
	write_text("c.toml", "1");
	start_watching("c.toml", NULL);
	ck_assert_int_eq(utimensat(AT_FDCWD, "c.toml", NULL, 0), 0);
	wait_for_look();
	ck_assert_int_eq(loads, 0);
	write_text("c.toml", "2");
	expect_load("2");
}
END_TEST

START_TEST(another_file_is_no_load)
{
	write_text("c.toml", "1");
	start_watching("c.toml", NULL);
	write_text("other", "x");
	wait_for_look();	/* the file is too young for its time stamp to be trusted */
	ck_assert_int_eq(loads, 0);
	write_text("c.toml", "2");
	expect_load("2");
}
END_TEST

START_TEST(noise_beside_an_old_file_is_not_even_a_look)
{
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct watch_set set = { .debounce_ms = 0 };
	struct watch_print print;

	write_text("c.toml", "1");
	ck_assert_int_eq(utimensat(AT_FDCWD, "c.toml", old, 0), 0);
	strlist_add(&set.files, "c.toml");
	print = watch_print_take(&set);
	write_text("other", "x");
	ck_assert_uint_eq(watch_print_take(&set).hash, print.hash);
	write_text("c.toml", "2");
	ck_assert_uint_ne(watch_print_take(&set).hash, print.hash);
	watch_set_fini(&set);
}
END_TEST

START_TEST(a_busy_directory_above_wakes_nobody)
{
	struct watch_set set = { .debounce_ms = DEBOUNCE_MS };
	auto_free(closep) int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	auto_free(freep) char *where = NULL;
	char path[PATH_MAX + 16];
	char events[4096];

	do_mkdir("etc");
	write_text("etc/c.toml", "1");
	snprintf(path, sizeof(path), "%s/etc/c.toml", root);
	strlist_add(&set.files, path);
	ck_assert_int_eq(watch_arm(fd, &set, &where), 0);
	write_text("noise", "x");
	do_mkdir("more");
	do_rename("noise", "more/noise");
	ck_assert_int_eq(read(fd, events, sizeof(events)), -1);
	ck_assert_int_eq(errno, EAGAIN);
	do_rename("etc", "elsewhere");
	ck_assert_int_gt(read(fd, events, sizeof(events)), 0);
	watch_set_fini(&set);
}
END_TEST

START_TEST(a_removed_directory_is_noticed_even_while_a_process_stands_in_it)
{
	int fd;

	do_mkdir("a");
	do_mkdir("a/b");
	write_text("a/b/c.toml", "1");
	start_watching("a/b/c.toml", NULL);
	fd = open("a/b", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(unlink("a/b/c.toml"), 0);
	ck_assert_int_eq(rmdir("a/b"), 0);
	expect_load(NULL);
	do_mkdir("a/b");
	let_pass(3 * DEBOUNCE_MS);
	write_text("a/b/c.toml", "2");
	expect_load("2");
	close(fd);
}
END_TEST

START_TEST(two_directories_that_change_places_are_noticed)
{
	do_mkdir("a");
	do_mkdir("b");
	write_text("a/c.toml", "1");
	write_text("b/c.toml", "2");
	start_watching("a/c.toml", NULL);
	ck_assert_int_eq(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE), 0);
	expect_load("2");
	write_text("a/c.toml", "3");
	expect_load("3");
}
END_TEST

START_TEST(a_removed_file_is_a_load_and_its_return_is_another)
{
	write_text("c.toml", "1");
	start_watching("c.toml", NULL);
	ck_assert_int_eq(unlink("c.toml"), 0);
	expect_load(NULL);
	write_text("c.toml", "2");
	expect_load("2");
}
END_TEST

START_TEST(remove_and_create_at_once_is_one_load)
{
	write_text("c.toml", "1");
	start_watching("c.toml", NULL);
	ck_assert_int_eq(unlink("c.toml"), 0);
	write_text("c.toml", "2");
	expect_load("2");
	write_text("c.toml", "3");
	expect_load("3");
}
END_TEST

START_TEST(a_burst_of_200_writes_is_one_load)
{
	char text[32];

	write_text("c.toml", "start");
	start_watching("c.toml", NULL);
	for (int i = 1; i <= 200; i++) {
		snprintf(text, sizeof(text), "%d", i);
		write_text("c.toml", text);
	}
	expect_load("200");
	write_text("c.toml", "end");
	expect_load("end");
	ck_assert_int_eq(loads, 2);
}
END_TEST

START_TEST(a_constant_writer_cannot_postpone_the_load)
{
	int64_t start;
	int n = 0;
	char text[32];

	write_text("c.toml", "start");
	start_watching("c.toml", NULL);
	start = clock_mono_ns();
	while (looks == 0 && clock_mono_ns() - start < 10 * NS_PER_SEC) {
		snprintf(text, sizeof(text), "%d", n++);
		write_text("c.toml", text);
		ev_run(loop, EVRUN_NOWAIT);
	}
	ck_assert_int_ge(looks, 1);
	ck_assert_int_ge(clock_mono_ns() - start, DEBOUNCE_MS * NS_PER_MS / 2);
}
END_TEST

START_TEST(an_edit_through_a_hard_link_elsewhere_is_a_load)
{
	do_mkdir("etc");
	do_mkdir("elsewhere");
	write_text("etc/c.toml", "1");
	ck_assert_int_eq(link("etc/c.toml", "elsewhere/x"), 0);
	start_watching("etc/c.toml", NULL);
	write_text("elsewhere/x", "2");
	expect_load("2");
}
END_TEST

/* --- directories ---------------------------------------------------------------------------- */

START_TEST(a_replaced_directory_is_followed)
{
	do_mkdir("etc");
	write_text("etc/c.toml", "1");
	start_watching("etc/c.toml", NULL);
	do_mkdir("etc.new");
	write_text("etc.new/c.toml", "2");
	do_rename("etc", "etc.old");
	do_rename("etc.new", "etc");
	expect_load("2");
	write_text("etc/c.toml", "3");
	expect_load("3");
}
END_TEST

START_TEST(a_replaced_parent_directory_is_followed)
{
	do_mkdir("a");
	do_mkdir("a/b");
	write_text("a/b/c.toml", "1");
	start_watching("a/b/c.toml", NULL);
	do_rename("a", "old");
	do_mkdir("a");
	do_mkdir("a/b");
	write_text("a/b/c.toml", "2");
	expect_load("2");
	write_text("a/b/c.toml", "3");
	expect_load("3");
}
END_TEST

START_TEST(a_directory_that_is_made_later_is_noticed)
{
	do_mkdir("a");
	start_watching("a/b/c.toml", NULL);
	wait_for_look();	/* a missing file is always worth one look */
	do_mkdir("a/b");
	let_pass(3 * DEBOUNCE_MS);	/* armed anew in silence: there still is no file */
	write_text("a/b/c.toml", "1");
	expect_load("1");
	ck_assert_int_eq(looks, 2);
}
END_TEST

/* --- symlinks ------------------------------------------------------------------------------- */

static void swap_link(const char *target, const char *path)
{
	do_link(target, "swap.tmp");
	do_rename("swap.tmp", path);
}

START_TEST(kubernetes_swaps_are_followed)
{
	do_mkdir("m");
	do_mkdir("m/..v1");
	write_text("m/..v1/c.toml", "1");
	do_link("..v1", "m/..data");
	do_link("..data/c.toml", "m/c.toml");
	start_watching("m/c.toml", NULL);
	do_mkdir("m/..v2");
	write_text("m/..v2/c.toml", "2");
	swap_link("..v2", "m/..data");
	expect_load("2");
	do_mkdir("m/..v3");
	write_text("m/..v3/c.toml", "3");
	swap_link("..v3", "m/..data");
	expect_load("3");
}
END_TEST

START_TEST(a_plain_file_may_become_a_kubernetes_layout)
{
	do_mkdir("m");
	write_text("m/c.toml", "1");
	start_watching("m/c.toml", NULL);
	do_mkdir("m/..v1");
	write_text("m/..v1/c.toml", "2");
	do_link("..v1", "m/..data");
	swap_link("..data/c.toml", "m/c.toml");
	expect_load("2");
	do_mkdir("m/..v2");
	write_text("m/..v2/c.toml", "3");
	swap_link("..v2", "m/..data");
	expect_load("3");
}
END_TEST

START_TEST(a_retargeted_directory_link_is_followed_and_so_are_edits_through_it)
{
	do_mkdir("v1");
	do_mkdir("v2");
	write_text("v1/c.toml", "1");
	write_text("v2/c.toml", "2");
	do_link("v1", "current");
	start_watching("current/c.toml", NULL);
	swap_link("v2", "current");
	expect_load("2");
	write_text("current/c.toml", "3");
	expect_load("3");
	write_text("v2/c.toml", "4");
	expect_load("4");
}
END_TEST

START_TEST(an_edit_of_the_target_of_absolute_links_is_a_load)
{
	char target[PATH_MAX + 32];

	do_mkdir("real");
	do_mkdir("etc");
	write_text("real/c.toml", "1");
	snprintf(target, sizeof(target), "%s/etc/../second", root);
	do_link(target, "etc/c.toml");
	snprintf(target, sizeof(target), "%s/./real/c.toml", root);
	do_link(target, "second");
	start_watching("etc/c.toml", NULL);
	write_text("real/c.toml", "2");
	expect_load("2");
	write_text("third", "3");
	swap_link("third", "second");
	expect_load("3");
}
END_TEST

START_TEST(a_loop_of_links_does_not_hang)
{
	do_link("b", "a");
	do_link("a", "b");
	start_watching("a", NULL);
	wait_for_look();
	rename_over("a", "1");
	expect_load("1");
}
END_TEST

/* --- includes ------------------------------------------------------------------------------- */

START_TEST(a_new_file_that_matches_a_glob_is_a_look)
{
	write_text("c.toml", "1");
	do_mkdir("conf.d");
	start_watching("c.toml", "conf.d/*.toml");
	write_text("conf.d/a.toml", "x");
	wait_for_look();
	ck_assert_int_eq(looks, 1);
}
END_TEST

START_TEST(directories_that_a_glob_matches_are_watched_too)
{
	write_text("c.toml", "1");
	do_mkdir("sites");
	do_mkdir("sites/one");
	start_watching("c.toml", "sites/*/conf.toml");
	write_text("sites/one/conf.toml", "x");
	wait_for_look();
	do_mkdir("sites/two");
	wait_for_look();
	write_text("sites/two/conf.toml", "x");
	wait_for_look();
	ck_assert_int_eq(looks, 3);
}
END_TEST

/* --- the watch itself ----------------------------------------------------------------------- */

START_TEST(what_is_newer_than_the_first_reading_is_looked_at)
{
	struct watch_set set = { .debounce_ms = DEBOUNCE_MS };
	char path[PATH_MAX + 16];

	write_text("c.toml", "1");
	snprintf(path, sizeof(path), "%s/c.toml", root);
	strlist_add(&set.files, path);
	watched = "c.toml";
	watch_start(watch, &set, clock_real_ns());
	expect_load("1");
}
END_TEST

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

START_TEST(many_reloads_leak_no_descriptors)
{
	int before;
	char text[16];

	write_text("c.toml", "start");
	start_watching("c.toml", NULL);
	before = count_descriptors();
	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "%d", i);
		rename_over("c.toml", text);
		expect_load(text);
	}
	ck_assert_int_eq(count_descriptors(), before);
	watch_stop(watch);
	ck_assert_int_eq(count_descriptors(), before - 1);
}
END_TEST

START_TEST(with_inotify_nothing_polls)
{
	write_text("c.toml", "1");
	start_watching("c.toml", NULL);
	ck_assert(!watch_is_polling(watch));
	ck_assert_int_eq(warnings, 0);
}
END_TEST

START_TEST(without_inotify_it_polls_and_says_so_once)
{
	struct rlimit limit, none;
	struct watch_set set = { .debounce_ms = DEBOUNCE_MS };
	char path[PATH_MAX + 16];

	write_text("c.toml", "1");
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	start_watching("c.toml", NULL);
	ck_assert(watch_is_polling(watch));
	snprintf(path, sizeof(path), "%s/d.toml", root);
	strlist_add(&set.files, path);
	watch_start(watch, &set, INT64_MAX);
	ck_assert(watch_is_polling(watch));
	ck_assert_int_eq(warnings, 1);
	setrlimit(RLIMIT_NOFILE, &limit);
	wait_for_look();	/* of the missing file; arms again, which now works */
	ck_assert(!watch_is_polling(watch));
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_write_in_place_is_a_load,
		a_rename_over_the_file_is_a_load_each_time,
		a_touch_is_no_load,
		another_file_is_no_load,
		noise_beside_an_old_file_is_not_even_a_look,
		a_busy_directory_above_wakes_nobody,
		a_removed_directory_is_noticed_even_while_a_process_stands_in_it,
		two_directories_that_change_places_are_noticed,
		a_removed_file_is_a_load_and_its_return_is_another,
		remove_and_create_at_once_is_one_load,
		a_burst_of_200_writes_is_one_load,
		a_constant_writer_cannot_postpone_the_load,
		an_edit_through_a_hard_link_elsewhere_is_a_load,
		a_replaced_directory_is_followed,
		a_replaced_parent_directory_is_followed,
		a_directory_that_is_made_later_is_noticed,
		kubernetes_swaps_are_followed,
		a_plain_file_may_become_a_kubernetes_layout,
		a_retargeted_directory_link_is_followed_and_so_are_edits_through_it,
		an_edit_of_the_target_of_absolute_links_is_a_load,
		a_loop_of_links_does_not_hang,
		a_new_file_that_matches_a_glob_is_a_look,
		directories_that_a_glob_matches_are_watched_too,
		what_is_newer_than_the_first_reading_is_looked_at,
		many_reloads_leak_no_descriptors,
		with_inotify_nothing_polls,
		without_inotify_it_polls_and_says_so_once,
	};

	return unit_run_in("config: watch", set_up, tear_down, tests, ARRAY_LEN(tests));
}
