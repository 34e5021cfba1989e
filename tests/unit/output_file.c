/* Log files: rotation by exact names and sizes, and what others do to them meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "output/file.h"

#include "unit.h"

static char dir[] = "/tmp/procd-file-XXXXXX";
static struct file file;
static char *path;
static int64_t fake_now = NS_PER_SEC;

static int64_t now(void *ctx)
{
	(void)ctx;
	return fake_now;
}

static void pass_time(void)
{
	fake_now += 10 * NS_PER_SEC;
}

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	path = x_asprintf("%s/log", dir);
	clock_set_fake(now, NULL);
	file_init(&file, path);
}

static void teardown(void)
{
	pid_t pid = fork();

	file_fini(&file);
	if (pid == 0) {
		execl("/bin/rm", "rm", "-r", dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	free(path);
}

/* 0 or negative errno. */
static int append(const char *lines)
{
	size_t len = strlen(lines);

	while (len > 0) {
		ssize_t n = file_prepare(&file, lines, len);
		int err = n < 0 ? (int)n : file_write(&file, lines, (size_t)n);

		if (err < 0)
			return err;
		ck_assert_int_eq(lines[n - 1], '\n');
		lines += n;
		len -= (size_t)n;
	}
	return 0;
}

static char *sibling(const char *suffix)
{
	return x_asprintf("%s%s", path, suffix);
}

static void expect(const char *suffix, const char *expected)
{
	auto_free(freep) char *name = sibling(suffix);
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	ck_assert_msg(file_read(name, 1u << 20, &text) == 0, "no %s", name);
	ck_assert_str_eq(text.buf, expected);
}

static void expect_none(const char *suffix)
{
	auto_free(freep) char *name = sibling(suffix);

	ck_assert_int_eq(access(name, F_OK), -1);
}

START_TEST(rotation_keeps_the_promised_number_of_files_of_the_promised_size)
{
	file.max_size = 8;
	file.max_files = 2;
	ck_assert_int_eq(append("aaa\nbbb\nccc\nddd\neee\nfff\nggg\n"), 0);
	expect("", "ggg\n");
	expect(".1", "eee\nfff\n");
	expect(".2", "ccc\nddd\n");
	expect_none(".3");
}
END_TEST

START_TEST(a_line_is_never_split_over_two_files)
{
	file.max_size = 10;
	file.max_files = 3;
	ck_assert_int_eq(append("1234567\nabcdef\nlonger than a file\nx\n"), 0);
	expect("", "x\n");
	expect(".1", "longer than a file\n");
	expect(".2", "abcdef\n");
	expect(".3", "1234567\n");
}
END_TEST

START_TEST(no_kept_files_means_truncation)
{
	file.max_size = 8;
	file.max_files = 0;
	ck_assert_int_eq(append("aaa\nbbb\nccc\n"), 0);
	expect("", "ccc\n");
	expect_none(".1");
}
END_TEST

START_TEST(the_size_of_an_existing_file_counts)
{
	file.max_size = 8;
	file.max_files = 1;
	ck_assert_int_eq(append("aaa\n"), 0);
	file_fini(&file);
	file_init(&file, path);
	file.max_size = 8;
	file.max_files = 1;
	ck_assert_int_eq(append("bbb\nccc\n"), 0);
	expect(".1", "aaa\nbbb\n");
	expect("", "ccc\n");
}
END_TEST

START_TEST(a_rotation_that_fails_keeps_writing_to_the_old_file)
{
	auto_free(freep) char *one = sibling(".1"), *inside = sibling(".1/x");

	log_set_level(LOG_ERROR);
	file.max_size = 8;
	file.max_files = 1;
	ck_assert_int_eq(mkdir(one, 0700), 0);
	ck_assert_int_eq(mkdir(inside, 0700), 0);
	ck_assert_int_eq(append("aaa\nbbb\nccc\nddd\n"), 0);
	expect("", "aaa\nbbb\nccc\nddd\n");
	ck_assert_int_eq(rmdir(inside), 0);
	ck_assert_int_eq(rmdir(one), 0);
	pass_time();
	ck_assert_int_eq(append("eee\n"), 0);
	expect(".1", "aaa\nbbb\nccc\nddd\n");
	expect("", "eee\n");
}
END_TEST

START_TEST(a_renamed_file_is_left_and_a_deleted_one_made_again)
{
	auto_free(freep) char *moved = sibling(".moved");

	ck_assert_int_eq(append("one\n"), 0);
	ck_assert_int_eq(rename(path, moved), 0);
	pass_time();
	ck_assert_int_eq(append("two\n"), 0);
	expect(".moved", "one\n");
	expect("", "two\n");
	ck_assert_int_eq(unlink(path), 0);
	pass_time();
	ck_assert_int_eq(append("three\n"), 0);
	expect("", "three\n");
}
END_TEST

START_TEST(truncation_from_outside_is_seen)
{
	file.max_size = 8;
	file.max_files = 1;
	ck_assert_int_eq(append("aaa\nbbb\n"), 0);
	ck_assert_int_eq(truncate(path, 0), 0);
	pass_time();
	ck_assert_int_eq(append("ccc\n"), 0);
	expect("", "ccc\n");
	expect_none(".1");
}
END_TEST

START_TEST(reopening_takes_effect_at_the_next_line)
{
	auto_free(freep) char *moved = sibling(".moved");

	ck_assert_int_eq(append("one\n"), 0);
	ck_assert_int_eq(rename(path, moved), 0);
	file_reopen(&file);
	ck_assert_int_eq(append("two\n"), 0);
	expect(".moved", "one\n");
	expect("", "two\n");
}
END_TEST

START_TEST(a_name_that_cannot_be_opened_again_does_not_lose_the_open_file)
{
	auto_free(freep) char *moved = sibling(".moved");

	ck_assert_int_eq(append("one\n"), 0);
	ck_assert_int_eq(rename(path, moved), 0);
	ck_assert_int_eq(symlink(moved, path), 0);
	file_reopen(&file);
	ck_assert_int_eq(append("two\n"), 0);
	expect(".moved", "one\ntwo\n");
}
END_TEST

START_TEST(links_and_things_that_are_no_files_are_refused)
{
	auto_free(freep) char *other = sibling(".other");

	ck_assert_int_eq(symlink("/dev/null", path), 0);
	ck_assert_int_eq(append("one\n"), -ELOOP);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(append("one\n"), -EINVAL);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(append("one\n"), 0);
	ck_assert_int_eq(link(path, other), 0);
	file_reopen(&file);
	file_fini(&file);
	file_init(&file, path);
	ck_assert_int_eq(append("two\n"), -EPERM);
}
END_TEST

START_TEST(a_full_disk_leaves_no_torn_line)
{
	/* The limit of file size stands for the disk: part of the write goes through. */
	struct rlimit limit = { 10, 10 };

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(append("one\ntwo\n"), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(append("three\n"), -EFBIG);
	expect("", "one\ntwo\n");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		rotation_keeps_the_promised_number_of_files_of_the_promised_size,
		a_line_is_never_split_over_two_files,
		no_kept_files_means_truncation,
		the_size_of_an_existing_file_counts,
		a_rotation_that_fails_keeps_writing_to_the_old_file,
		a_renamed_file_is_left_and_a_deleted_one_made_again,
		truncation_from_outside_is_seen,
		reopening_takes_effect_at_the_next_line,
		a_name_that_cannot_be_opened_again_does_not_lose_the_open_file,
		links_and_things_that_are_no_files_are_refused,
		a_full_disk_leaves_no_torn_line,
	};

	return unit_run_in("output: file", setup, teardown, tests, ARRAY_LEN(tests));
}
