/* Files that subsystems are restarted for: what counts as a change, and what does not. "Nothing is
 * told" is proven by a later change that must then be the very next news. */
#include <fcntl.h>
#include <ftw.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/rcu.h"
#include "config/file_watch.h"
#include "unit.h"

#define DEBOUNCE_MS 20

static char dir[64];
static struct ev_loop *loop;
static struct mailbox news;
static struct file_watch *watch;
static struct file_news *last;
static struct file_news *queue[64];
static size_t nqueue;
static int64_t debounce_ms;

static void on_news(void *ctx, struct mail *mail)
{
	(void)ctx;
	ck_assert_uint_lt(nqueue, ARRAY_LEN(queue));
	queue[nqueue++] = container_of(mail, struct file_news, mail);
	ev_break(loop, EVBREAK_ALL);
}

static void too_late(struct loop_timer *t)
{
	(void)t;
	ck_abort_msg("no news");
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/procd-files-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	rcu_register_thread();
	loop = loop_new("auto");
	mailbox_init(&news, loop, on_news, NULL);
	watch = file_watch_new(&news);
	nqueue = 0;
	debounce_ms = DEBOUNCE_MS;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void teardown(void)
{
	file_watch_free(watch);
	mailbox_fini(&news);
	while (nqueue > 0)
		file_news_free(queue[--nqueue]);
	file_news_free(take(last));
	ev_loop_destroy(loop);
	rcu_unregister_thread();
	ck_assert_int_eq(chdir("/"), 0);
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void replace_file(const char *name, const char *text)
{
	write_file("new", text);
	ck_assert_int_eq(rename("new", name), 0);
}

static void set(uint32_t slot, const char *names, uint32_t known)
{
	auto_free(strlist_fini) struct strlist files = STRLIST_INIT;
	auto_free(freep) char *copy = x_strdup(names);
	char *rest = copy, *name;

	while ((name = strsep(&rest, " ")) != NULL)
		if (*name != '\0')
			strlist_take(&files, x_asprintf("%s/%s", dir, name));
	file_watch_set(watch, slot, slot + 100, &files, known, debounce_ms);
}

/* The next news, whatever they are about; valid until the next call. */
static struct file_news *next(void)
{
	struct loop_timer deadline;

	file_news_free(take(last));
	loop_timer_init(&deadline, loop, too_late);
	loop_timer_set(&deadline, 10 * NS_PER_SEC);
	while (nqueue == 0)
		ev_run(loop, 0);
	loop_timer_set(&deadline, -1);
	last = queue[0];
	nqueue--;
	memmove(queue, queue + 1, nqueue * sizeof(*queue));
	ck_assert_uint_eq(last->id, last->slot + 100);
	ck_assert_uint_ne(last->print, 0);
	return last;
}

static uint32_t expect_found(uint32_t slot)
{
	next();
	ck_assert_uint_eq(last->slot, slot);
	ck_assert_msg(last->changed == NULL, "%s has changed", last->changed);
	return last->print;
}

static uint32_t expect_change(uint32_t slot, const char *name)
{
	auto_free(freep) char *path = x_asprintf("%s/%s", dir, name);

	next();
	ck_assert_uint_eq(last->slot, slot);
	ck_assert_msg(last->changed != NULL && strcmp(last->changed, path) == 0, "%s, not %s",
		      last->changed ? last->changed : "nothing", path);
	return last->print;
}

START_TEST(a_new_content_is_told_once)
{
	uint32_t first, second;

	write_file("a", "1");
	set(0, "a", 0);
	first = expect_found(0);
	write_file("a", "2");
	second = expect_change(0, "a");
	ck_assert_uint_ne(first, second);
	write_file("a", "1");
	ck_assert_uint_eq(expect_change(0, "a"), first);
	replace_file("a", "2");
	ck_assert_uint_eq(expect_change(0, "a"), second);
}
END_TEST

START_TEST(what_is_the_same_again_is_no_change)
{
	write_file("a", "1");
	write_file("b", "1");
	set(0, "a b", 0);
	expect_found(0);
	write_file("a", "1");
	replace_file("a", "1");
	ck_assert_int_eq(utimensat(AT_FDCWD, "a", NULL, 0), 0);
	ck_assert_int_eq(chmod("a", 0600), 0);
	write_file("unrelated", "x");
	usleep(5 * DEBOUNCE_MS * 1000);		/* more than a look: it has seen all that */
	write_file("b", "2");
	expect_change(0, "b");
	ck_assert_uint_eq(nqueue, 0);
}
END_TEST

START_TEST(one_that_is_taken_away_is_no_change_until_it_comes_back_different)
{
	write_file("a", "1");
	write_file("b", "1");
	set(0, "a b", 0);
	expect_found(0);
	unlink("a");
	usleep(5 * DEBOUNCE_MS * 1000);
	write_file("b", "2");
	expect_change(0, "b");
	write_file("a", "1");
	usleep(5 * DEBOUNCE_MS * 1000);
	write_file("b", "3");
	expect_change(0, "b");
	unlink("a");
	usleep(5 * DEBOUNCE_MS * 1000);
	write_file("a", "2");
	expect_change(0, "a");
}
END_TEST

START_TEST(what_is_written_before_the_first_look_is_a_change)
{
	write_file("a", "1");
	usleep(20000);			/* more than what time stamps of files are rounded to */
	set(0, "a", 0);
	usleep(20000);
	write_file("a", "2");
	next();
	if (last->changed == NULL)	/* it has looked before */
		expect_change(0, "a");
	ck_assert_uint_eq(nqueue, 0);
}
END_TEST

START_TEST(one_that_was_not_there_and_appears_is_a_change)
{
	set(0, "sub/a", 0);
	expect_found(0);
	ck_assert_int_eq(mkdir("sub", 0755), 0);
	write_file("sub/a", "1");
	expect_change(0, "sub/a");
}
END_TEST

START_TEST(a_symlink_that_leads_elsewhere_is_a_change)
{
	ck_assert_int_eq(mkdir("v1", 0755), 0);
	ck_assert_int_eq(mkdir("v2", 0755), 0);
	write_file("v1/a", "1");
	write_file("v2/a", "2");
	ck_assert_int_eq(symlink("v1", "current"), 0);
	set(0, "current/a", 0);
	expect_found(0);
	ck_assert_int_eq(symlink("v2", "next"), 0);
	ck_assert_int_eq(rename("next", "current"), 0);
	expect_change(0, "current/a");
}
END_TEST

START_TEST(a_file_that_is_being_written_is_told_when_it_rests)
{
	auto_free(freep) char *text = x_strdup("0123456789");
	uint32_t print;

	write_file("a", "");
	debounce_ms = 600;	/* far more than the writing takes */
	set(0, "a", 0);
	expect_found(0);
	for (size_t n = 1; n <= 10; n++) {
		auto_free(freep) char *part = x_strndup(text, n);

		write_file("a", part);
		usleep(10000);
	}
	print = expect_change(0, "a");
	set(1, "a", 0);
	ck_assert_uint_eq(expect_found(1), print);
}
END_TEST

START_TEST(many_may_name_the_same_file)
{
	bool seen[3] = { false };

	write_file("a", "1");
	for (uint32_t slot = 0; slot < 3; slot++)
		set(slot, "a", 0);
	for (int i = 0; i < 3; i++)
		ck_assert_ptr_null(next()->changed);
	set(1, "", 0);
	write_file("a", "2");
	for (int i = 0; i < 2; i++) {
		ck_assert_ptr_nonnull(next()->changed);
		seen[last->slot] = true;
	}
	ck_assert(seen[0] && !seen[1] && seen[2]);
}
END_TEST

START_TEST(what_changed_while_nobody_looked_is_told_at_once)
{
	uint32_t print;

	write_file("a", "1");
	write_file("b", "1");
	set(0, "a b", 0);
	print = expect_found(0);
	file_watch_free(watch);
	watch = file_watch_new(&news);
	set(0, "a b", print);
	expect_found(0);
	file_watch_free(watch);
	write_file("b", "2");
	watch = file_watch_new(&news);
	set(0, "a b", print);
	ck_assert_ptr_nonnull(next()->changed);
	file_watch_free(watch);
	unlink("b");
	watch = file_watch_new(&news);
	set(0, "a b", print);
	expect_found(0);
}
END_TEST

START_TEST(a_shortage_of_descriptors_is_no_change)
{
	struct rlimit all, none;
	int first;

	write_file("a", "1");
	set(0, "a", 0);
	expect_found(0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &all), 0);
	none = all;
	first = open("a", O_WRONLY | O_CLOEXEC);
	none.rlim_cur = (rlim_t)first;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(pwrite(first, "2", 1, 0), 1);
	usleep(5 * DEBOUNCE_MS * 1000);
	ck_assert_int_eq(pwrite(first, "1", 1, 0), 1);
	usleep(3 * DEBOUNCE_MS * 1000);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &all), 0);
	close(first);
	usleep(5 * DEBOUNCE_MS * 1000);
	write_file("a", "3");
	expect_change(0, "a");
	ck_assert_uint_eq(nqueue, 0);
}
END_TEST

START_TEST(large_and_strange_files_are_told_by_what_stat_says)
{
	auto_free(freep) char *big = x_calloc(1, (2u << 20) + 1);

	memset(big, 'x', 2u << 20);
	write_file("big", big);
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	set(0, "big fifo", 0);
	expect_found(0);
	big[5] = 'y';
	write_file("big", big);
	expect_change(0, "big");
}
END_TEST

/* While the thread reads, its timer becomes due; both are there when it comes back. */
START_TEST(an_order_may_come_together_with_a_look)
{
	auto_free(freep) char *big = x_calloc(1, (1u << 20) + 1);
	const char *const names[] = { "0", "1", "2", "3", "4", "5", "6", "7" };
	bool changed = false;

	memset(big, 'x', 1u << 20);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		write_file(names[i], big);
	debounce_ms = 1;
	set(0, "0 1 2 3 4 5 6 7", 0);
	expect_found(0);
	big[5] = 'y';
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		write_file(names[i], big);
	for (unsigned n = 0; !changed; n++) {
		char name[16];

		snprintf(name, sizeof(name), "new%u", n);
		set(1, name, 0);
		usleep(200);
		ev_run(loop, EVRUN_NOWAIT);
		while (nqueue > 0) {
			changed |= queue[--nqueue]->slot == 0;
			file_news_free(queue[nqueue]);
		}
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_new_content_is_told_once, what_is_the_same_again_is_no_change,
		one_that_is_taken_away_is_no_change_until_it_comes_back_different,
		what_is_written_before_the_first_look_is_a_change,
		one_that_was_not_there_and_appears_is_a_change,
		a_symlink_that_leads_elsewhere_is_a_change,
		a_file_that_is_being_written_is_told_when_it_rests, many_may_name_the_same_file,
		what_changed_while_nobody_looked_is_told_at_once,
		a_shortage_of_descriptors_is_no_change,
		large_and_strange_files_are_told_by_what_stat_says,
		an_order_may_come_together_with_a_look,
	};

	return unit_run_in("config: file_watch", setup, teardown, tests, ARRAY_LEN(tests));
}
