/* procd's own log: its three formats, and readers that do not read. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "config.h"
#include "output/ownlog.h"

#include "unit.h"

#define AT (INT64_C(1795378867) * NS_PER_SEC + 123456789)	/* 2026-11-22T20:21:07.123456789Z */

static struct ev_loop *loop;
static struct targets targets;
static struct ownlog ownlog;
static unsigned readies;
static int in, out;	/* of a pipe; the log writes into IN */

static void on_ready(void *ctx)
{
	(void)ctx;
	readies++;
	(void)ownlog_flush(&ownlog);
}

static void setup(void)
{
	int fds[2];

	signal(SIGPIPE, SIG_IGN);	/* the log thread has it blocked */
	unsetenv("NO_COLOR");
	setenv("TERM", "xterm", 1);
	setenv("TZ", "UTC0", 1);
	log_set_level(LOG_ERROR);
	loop = loop_new("auto");
	targets_init(&targets, loop, on_ready, NULL);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	out = fds[0];
	in = fds[1];
	fcntl(out, F_SETFL, O_NONBLOCK);
	ownlog_init(&ownlog, target_fd(&targets, in));
	ownlog_set_target(&ownlog, target_fd(&targets, in), false, true, 6);
}

static void teardown(void)
{
	ownlog_fini(&ownlog);
	ck_assert(list_empty(&targets.all));
	ev_loop_destroy(loop);
	close(in);
	if (out >= 0)
		close(out);
}

static void as(enum ownlog_style style, bool color)
{
	ownlog.style = style;
	ownlog.color = color;
	ownlog.stamp = (struct stamp)STAMP(style == OWNLOG_TERMINAL ? STAMP_LOCAL :
					   style == OWNLOG_SYSLOG ? STAMP_SYSLOG : STAMP_UTC);
}

static void expect_captured(struct captured c, const char *expected)
{
	auto_free(freep) char *text = x_malloc(FORMAT_ROOM(c.len) + 1);

	c.real_ns = AT;
	size_t n = ownlog_captured(&ownlog, text, &c);

	ck_assert_uint_le(n, FORMAT_ROOM(c.len));
	text[n] = '\0';
	ck_assert_str_eq(text, expected);
}

#define LINE(s) .text = (s), .len = sizeof(s) - 1

static void expect_message(enum log_level level, const char *subsystem, const char *message,
			   const char *expected)
{
	ownlog_message(&ownlog, level, subsystem, AT, message);
	ck_assert_str_eq(ownlog.queue.buf, expected);
	strbuf_reset(&ownlog.queue);
}

START_TEST(text_has_time_level_and_name)
{
	expect_captured((struct captured){ .name = "web", .pid = 42, LINE("hello") },
			"2026-11-22T20:21:07.123Z out   web[42] hello\n");
	expect_captured((struct captured){ .name = "web", .is_stderr = true, LINE("\xff\x1b[m\r") },
			"2026-11-22T20:21:07.123Z err   web \xff\x1b[m\r\n");
	expect_captured((struct captured){ .name = "web", .continued = true, LINE("piece") },
			"2026-11-22T20:21:07.123Z out   web piece \\\n");
	expect_message(LOG_INFO, NULL, "message", "2026-11-22T20:21:07.123Z info  message\n");
	expect_message(LOG_ERROR, "web", "two\nlines",
		       "2026-11-22T20:21:07.123Z error web: two\n  lines\n");
}
END_TEST

START_TEST(lines_for_a_log_daemon_have_the_form_of_the_syslog_protocol)
{
	char own[80];

	as(OWNLOG_SYSLOG, false);
	expect_captured((struct captured){ .name = "web", .pid = 42, LINE("hello") },
			"<30>Nov 22 20:21:07 web[42]: hello\n");
	expect_captured((struct captured){ .name = "web", .is_stderr = true, .continued = true,
					   LINE("piece") },
			"<27>Nov 22 20:21:07 web: piece \\\n");
	snprintf(own, sizeof own, "<28>Nov 22 20:21:07 procd[%d]: web: two lines\n", getpid());
	expect_message(LOG_WARN, "web", "two\nlines", own);
}
END_TEST

START_TEST(the_journal_gets_a_severity_and_nothing_that_it_knows_itself)
{
	as(OWNLOG_JOURNAL, false);
	expect_captured((struct captured){ .name = "web", .pid = 42, LINE("<0>hello") },
			"<6>web[42] <0>hello\n");
	expect_captured((struct captured){ .name = "web", .is_stderr = true, .continued = true,
					   LINE("piece") },
			"<3>web piece \\\n");
	expect_message(LOG_WARN, "web", "two\nlines", "<4>web: two\n<4>  lines\n");
	expect_message(LOG_TRACE, NULL, "message", "<7>message\n");
}
END_TEST

START_TEST(the_journal_is_known_by_its_device_and_inode)
{
	struct targets others;
	char stream[64];
	struct stat st;

	ck_assert_int_eq(fstat(in, &st), 0);
	snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	targets_init(&others, loop, on_ready, NULL);
	ownlog_set_target(&ownlog, target_fd(&others, in), false, true, 6);
	ck_assert_int_eq(ownlog.style, OWNLOG_JOURNAL);
	ownlog_set_target(&ownlog, target_fd(&others, in), true, true, 6);
	ck_assert_int_eq(ownlog.style, OWNLOG_JSON);
	expect_message(LOG_WARN, NULL, "m",
		       "<4>{\"ts\":\"2026-11-22T20:21:07.123Z\",\"level\":\"warn\",\"msg\":\"m\"}\n");
	setenv("JOURNAL_STREAM", "1:2", 1);
	targets_init(&others, loop, on_ready, NULL);
	ownlog_set_target(&ownlog, target_fd(&others, in), false, true, 6);
	ck_assert_int_eq(ownlog.style, OWNLOG_TEXT);
	unsetenv("JOURNAL_STREAM");
}
END_TEST

static void expect_msg(struct captured c, const char *msg)
{
	auto_free(freep) char *text = x_malloc(FORMAT_ROOM(c.len));
	struct error e = ERROR_INIT;

	c.real_ns = AT;
	size_t n = ownlog_captured(&ownlog, text, &c);
	auto_free(json_decrefp) json_t *j = json_parse_untrusted(text, n, 4, &e);

	ck_assert_msg(j != NULL, "%.*s: %s", (int)n, text, e.message);
	ck_assert_str_eq(json_string_value(json_object_get(j, "msg")), msg);
}

START_TEST(json_lines_carry_every_field_and_are_valid_whatever_the_bytes)
{
	as(OWNLOG_JSON, false);
	expect_captured((struct captured){ .name = "web", .pid = 42, LINE("say \"hi\"\t\\") },
			"{\"ts\":\"2026-11-22T20:21:07.123Z\",\"level\":\"info\",\"subsystem\":\"web\","
			"\"pid\":42,\"stream\":\"stdout\",\"msg\":\"say \\\"hi\\\"\\t\\\\\"}\n");
	expect_captured((struct captured){ .name = "db", .is_stderr = true, .continued = true,
					   LINE("x") },
			"{\"ts\":\"2026-11-22T20:21:07.123Z\",\"level\":\"info\",\"subsystem\":\"db\","
			"\"pid\":null,\"stream\":\"stderr\",\"partial\":true,\"msg\":\"x\"}\n");
	expect_message(LOG_WARN, "web", "careful",
		       "{\"ts\":\"2026-11-22T20:21:07.123Z\",\"level\":\"warn\","
		       "\"subsystem\":\"web\",\"msg\":\"careful\"}\n");
	expect_msg((struct captured){ .name = "a", LINE("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80") },
		   "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
	expect_msg((struct captured){ .name = "a", LINE("\xff\xed\xa0\x80\xc3") },
		   "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	char all[255];

	for (unsigned i = 0; i < sizeof all; i++)
		all[i] = (char)(i + 1);
	auto_free(strbuf_fini) struct strbuf clean = STRBUF_INIT;

	for (unsigned i = 1; i < 256; i++)
		if (i < 0x80)
			strbuf_addch(&clean, (char)i);
		else
			strbuf_addstr(&clean, "\xef\xbf\xbd");
	expect_msg((struct captured){ .name = "a", .text = all, .len = sizeof all }, clean.buf);
}
END_TEST

START_TEST(a_terminal_gets_aligned_columns_and_only_colours_from_children)
{
	as(OWNLOG_TERMINAL, false);
	expect_captured((struct captured){ .name = "worker", .pid = 4242, LINE("hello") },
			"20:21:07.123 worker | hello\n");
	expect_captured((struct captured){ .name = "db", .pid = 7, LINE("\x1b[31mred\x1b[2J\a\r") },
			"20:21:07.123 db     | red\\x1b[2J\\x07\n");
	expect_message(LOG_WARN, NULL, "careful", "20:21:07.123 procd  warn  careful\n");
	as(OWNLOG_TERMINAL, true);
	auto_free(freep) char *text = x_malloc(1024);
	size_t n = ownlog_captured(&ownlog, text,
				   &(struct captured){ .real_ns = AT, .name = "db", .pid = 7,
						       LINE("\x1b[31mred") });

	text[n] = '\0';
	ck_assert_ptr_nonnull(strstr(text, "\x1b[31mred\x1b[0m\n"));
	ck_assert_int_eq(text[0], '\x1b');
}
END_TEST

START_TEST(the_longest_line_of_the_worst_bytes_fits)
{
	enum { LEN = 16384 };
	auto_free(freep) char *worst = x_malloc(LEN);
	struct captured c = { .real_ns = AT, .name = "n", .text = worst, .len = LEN };
	auto_free(freep) char *text = x_malloc(FORMAT_ROOM(LEN));
	static const char bytes[] = { '\x01', '\xff', '\x1b', '\xc2', '"' };

	for (unsigned i = 0; i < sizeof bytes; i++)
		for (int style = OWNLOG_TEXT; style <= OWNLOG_JSON; style++) {
			memset(worst, bytes[i], LEN);
			as((enum ownlog_style)style, true);
			ck_assert_uint_le(ownlog_captured(&ownlog, text, &c), FORMAT_ROOM(LEN));
		}
}
END_TEST

START_TEST(a_pipe_is_no_terminal_and_no_color_is_respected)
{
	ck_assert_int_eq(ownlog.style, OWNLOG_TEXT);
	ck_assert(!ownlog.color);
	struct target *t = target_fd(&targets, in);

	t->terminal = true;
	ownlog_set_target(&ownlog, t, false, true, 6);
	ck_assert_int_eq(ownlog.style, WITH_CONSOLE ? OWNLOG_TERMINAL : OWNLOG_TEXT);
	ck_assert(!WITH_CONSOLE || ownlog.color);
	setenv("NO_COLOR", "1", 1);
	ownlog_set_target(&ownlog, target_fd(&targets, in), false, true, 6);
	ck_assert(!ownlog.color);
	ownlog_set_target(&ownlog, target_fd(&targets, in), true, true, 6);
	ck_assert_int_eq(ownlog.style, OWNLOG_JSON);
}
END_TEST

static void fill_pipe(void)
{
	char text[1000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (int i = 0; i < 200; i++)
		ownlog_message(&ownlog, LOG_INFO, NULL, AT, text);
}

START_TEST(a_reader_that_stops_does_not_block_and_gets_whole_lines_later)
{
	auto_free(strbuf_fini) struct strbuf got = STRBUF_INIT;
	char block[4096];
	ssize_t n;
	unsigned lines = 0;

	fill_pipe();
	ck_assert_int_eq(ownlog_flush(&ownlog), -EAGAIN);
	ck_assert(!target_stuck(ownlog.target));
	ck_assert_int_eq(fcntl(in, F_GETFL) & O_NONBLOCK, 0);	/* it may be a shell's */
	while (ownlog.queue.len > 0 || ownlog.target->carry != NULL) {
		n = read(out, block, sizeof block);
		if (n > 0)
			strbuf_add(&got, block, (size_t)n);
		ev_run(loop, EVRUN_NOWAIT);
		if (ownlog.queue.len == 0)
			(void)target_prepare(ownlog.target, "", 0);
	}
	while ((n = read(out, block, sizeof block)) > 0)
		strbuf_add(&got, block, (size_t)n);
	ck_assert_uint_gt(readies, 0);
	for (char *p = got.buf, *nl; *p != '\0'; p = nl + 1) {
		nl = strchr(p, '\n');
		ck_assert_ptr_nonnull(nl);
		ck_assert_int_eq(nl - p, 24 + 7 + 999);
		lines++;
	}
	ck_assert_uint_eq(lines, 200);
}
END_TEST

static int64_t later(void *ctx)
{
	static int64_t t = INT64_C(1) << 50;

	(void)ctx;
	return t += 2 * NS_PER_SEC;
}

START_TEST(a_reader_that_takes_nothing_for_long_counts_as_stuck)
{
	fill_pipe();
	ck_assert_int_eq(ownlog_flush(&ownlog), -EAGAIN);
	clock_set_fake(later, NULL);
	ck_assert(target_stuck(ownlog.target));
	clock_set_fake(NULL, NULL);
}
END_TEST

START_TEST(a_reader_that_went_away_costs_the_messages_and_nothing_else)
{
	close(out);
	out = -1;
	ownlog_message(&ownlog, LOG_INFO, NULL, AT, "nobody");
	ck_assert_int_eq(ownlog_flush(&ownlog), 0);
	ck_assert_uint_eq(ownlog.queue.len, 0);
	ck_assert_int_eq(ownlog.target->err, -EPIPE);
	ck_assert(target_stuck(ownlog.target));
}
END_TEST

START_TEST(a_closed_or_full_descriptor_is_survived)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct target *t = target_fd(&targets, full), *closed = target_fd(&targets, 999);

	ck_assert_int_eq(target_write(t, "x\n", 2), -ENOSPC);
	ck_assert_int_eq(target_prepare(t, "x\n", 2), -EAGAIN);	/* a pause first */
	ck_assert_int_eq(target_write(closed, "x\n", 2), -EBADF);
	target_unref(t);
	target_unref(closed);
	close(full);
}
END_TEST

START_TEST(own_messages_reach_stderr_while_the_log_file_fails)
{
	char text[200];

	ownlog_set_target(&ownlog, target_file(&targets, "/nowhere/at/all", 0, 0), false, true, 6);
	ownlog_message(&ownlog, LOG_WARN, NULL, AT, "help");
	ck_assert_int_eq(ownlog_flush(&ownlog), 0);
	ssize_t n = read(out, text, sizeof text - 1);

	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_str_eq(text, "2026-11-22T20:21:07.123Z warn  help\n");
}
END_TEST

START_TEST(the_queue_of_messages_is_bounded_and_what_is_dropped_is_counted)
{
	for (int i = 0; i < 20; i++)
		fill_pipe();
	ck_assert_uint_lt(ownlog.queue.len, 2u << 20);
	ck_assert_uint_gt(ownlog.lost, 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		text_has_time_level_and_name,
		lines_for_a_log_daemon_have_the_form_of_the_syslog_protocol,
		the_journal_gets_a_severity_and_nothing_that_it_knows_itself,
		the_journal_is_known_by_its_device_and_inode,
		json_lines_carry_every_field_and_are_valid_whatever_the_bytes,
		a_terminal_gets_aligned_columns_and_only_colours_from_children,
		the_longest_line_of_the_worst_bytes_fits,
		a_pipe_is_no_terminal_and_no_color_is_respected,
		a_reader_that_stops_does_not_block_and_gets_whole_lines_later,
		a_reader_that_takes_nothing_for_long_counts_as_stuck,
		a_reader_that_went_away_costs_the_messages_and_nothing_else,
		a_closed_or_full_descriptor_is_survived,
		own_messages_reach_stderr_while_the_log_file_fails,
		the_queue_of_messages_is_bounded_and_what_is_dropped_is_counted,
	};

	return unit_run_in("output: ownlog", setup, teardown, tests, ARRAY_LEN(tests));
}
