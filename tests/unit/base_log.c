/* The clocks, the log and the process title. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/title.h"
#include "unit.h"

static int64_t fake_now(void *ctx)
{
	return *(int64_t *)ctx;
}

START_TEST(a_test_can_replace_the_monotonic_clock)
{
	int64_t now = 42;
	int64_t before = clock_mono_ns();

	clock_set_fake(fake_now, &now);
	ck_assert_int_eq(clock_mono_ns(), 42);
	now = 43;
	ck_assert_int_eq(clock_mono_ns(), 43);
	clock_set_fake(NULL, NULL);
	ck_assert_int_ge(clock_mono_ns(), before);
}
END_TEST

static void check_time(int64_t ns, const char *text)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	clock_format_rfc3339(ns, &out);
	ck_assert_str_eq(out.buf, text);
}

START_TEST(time_stamps_are_right_before_and_after_2038)
{
	check_time(0, "1970-01-01T00:00:00.000000000Z");
	check_time(-1, "1969-12-31T23:59:59.999999999Z");
	check_time(INT64_C(1795378867123456789), "2026-11-22T20:21:07.123456789Z");
	check_time(INT64_C(2147483647) * NS_PER_SEC, "2038-01-19T03:14:07.000000000Z");
	check_time(INT64_C(2147483648) * NS_PER_SEC, "2038-01-19T03:14:08.000000000Z");
	check_time(INT64_C(4294967296) * NS_PER_SEC, "2106-02-07T06:28:16.000000000Z");
	check_time(INT64_C(951782400) * NS_PER_SEC, "2000-02-29T00:00:00.000000000Z");
	check_time(INT64_C(4107542399) * NS_PER_SEC, "2100-02-28T23:59:59.000000000Z");
	check_time(INT64_C(4107542400) * NS_PER_SEC, "2100-03-01T00:00:00.000000000Z");
	check_time(INT64_MAX, "2262-04-11T23:47:16.854775807Z");
	check_time(INT64_MIN, "1677-09-21T00:12:43.145224192Z");
}
END_TEST

START_TEST(every_day_of_the_range_agrees_with_libc)
{
	for (time_t t = -9223372036 + 86400; t < 9223372036 - 86400; t += 86400 * 5 + 1237) {
		auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
		char expected[64];
		struct tm tm;

		gmtime_r(&t, &tm);
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000000000Z", &tm);
		clock_format_rfc3339((int64_t)t * NS_PER_SEC, &out);
		ck_assert_str_eq(out.buf, expected);
	}
}
END_TEST

struct heard {
	int count;
	enum log_level level;
	char *subsystem;
	char *message;
};

static void hear(void *ctx, enum log_level level, const char *subsystem, const char *message)
{
	struct heard *heard = ctx;

	free(heard->subsystem);
	free(heard->message);
	heard->count++;
	heard->level = level;
	heard->subsystem = x_strdup(subsystem);
	heard->message = x_strdup(message);
}

static void heard_fini(struct heard *heard)
{
	log_set_sink(NULL, NULL);
	free(heard->subsystem);
	free(heard->message);
}

START_TEST(only_messages_of_the_level_reach_the_sink)
{
	auto_free(heard_fini) struct heard heard = { 0 };

	log_set_sink(hear, &heard);
	ck_assert_int_eq(log_get_level(), LOG_INFO);
	log_debug("quiet %d", 1);
	ck_assert_int_eq(heard.count, 0);
	errno = EXDEV;
	log_at(LOG_WARN, "web", "loud %d", 2);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_int_eq(heard.count, 1);
	ck_assert_int_eq(heard.level, LOG_WARN);
	ck_assert_str_eq(heard.subsystem, "web");
	ck_assert_str_eq(heard.message, "loud 2");
	log_set_level(LOG_TRACE);
	log_trace("now");
	ck_assert_str_eq(heard.message, "now");
	ck_assert_ptr_null(heard.subsystem);
	log_set_level(LOG_ERROR);
	log_warn("not now");
	ck_assert_str_eq(heard.message, "now");
}
END_TEST

START_TEST(long_messages_are_whole_up_to_a_limit_and_cut_with_a_mark)
{
	auto_free(heard_fini) struct heard heard = { 0 };
	static char text[20001];

	log_set_sink(hear, &heard);
	memset(text, 'x', sizeof(text) - 1);
	for (size_t n = 505; n < 520; n++) {
		log_info("%.*s", (int)n, text);
		ck_assert_uint_eq(strlen(heard.message), n);
	}
	log_info("%.8191s", text);
	ck_assert_uint_eq(strlen(heard.message), 8191);
	ck_assert_str_eq(heard.message + 8188, "xxx");
	log_info("%s", text);
	ck_assert_uint_eq(strlen(heard.message), 8191);
	ck_assert_str_eq(heard.message + 8188, "...");
	/* Characters of two bytes: the cut must not leave half of one, whatever its offset. */
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	log_info("%s", text);
	ck_assert(utf8_valid(heard.message, strlen(heard.message)));
	log_info("x%s", text);
	ck_assert(utf8_valid(heard.message, strlen(heard.message)));
}
END_TEST

START_TEST(at_first_the_log_is_plain_harmless_lines_on_stderr)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	int saved = dup(STDERR_FILENO);
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	dup2(ends[1], STDERR_FILENO);
	log_error("cannot open %s", "a\x1b[2Jb\nc");
	log_at(LOG_WARN, "web", "odd");
	dup2(saved, STDERR_FILENO);
	close(ends[1]);
	ck_assert_int_eq(fd_read_all(ends[0], 1000, &out), 0);
	ck_assert_str_eq(out.buf, "procd: error: cannot open a\\x1b[2Jb\\x0ac\n"
				  "procd: warn: web: odd\n");
}
END_TEST

static void check_shown(const char *path, const char *text, size_t n)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	ck_assert_int_eq(file_read(path, 1 << 16, &out), 0);
	ck_assert_uint_ge(out.len, n);
	ck_assert_mem_eq(out.buf, text, n);
	/* Behind the title there is nothing but padding. */
	for (size_t i = n; i < out.len; i++)
		ck_assert_int_eq(out.buf[i], '\0');
}

START_TEST(ps_shows_the_title_and_the_environment_stays)
{
	char title[64];
	int n = snprintf(title, sizeof(title), "procd: keeper %d", (int)getpid());

	title_set("procd-keeper", "procd: keeper %d", (int)getpid());
	check_shown("/proc/self/cmdline", title, (size_t)n);
	check_shown("/proc/self/comm", "procd-keeper\n", 13);
	title_set("x", "p");
	check_shown("/proc/self/cmdline", "p", 1);
	ck_assert_str_eq(getenv("UNIT_TITLE"), "kept");
}
END_TEST

/* Not UNIT_MAIN: the title needs the real argv. */
int main(int argc, char **argv)
{
	const TTest *tests[] = {
		a_test_can_replace_the_monotonic_clock,
		time_stamps_are_right_before_and_after_2038,
		every_day_of_the_range_agrees_with_libc,
		only_messages_of_the_level_reach_the_sink,
		long_messages_are_whole_up_to_a_limit_and_cut_with_a_mark,
		at_first_the_log_is_plain_harmless_lines_on_stderr,
		ps_shows_the_title_and_the_environment_stays,
	};
	char **args;

	setenv("UNIT_TITLE", "kept", 1);
	args = title_init(argc, argv);
	if (args == argv || args[argc] != NULL || strcmp(args[0], argv[0]) != 0)
		return EXIT_FAILURE;
	return unit_run("base: log, clock and title", tests, ARRAY_LEN(tests));
}
