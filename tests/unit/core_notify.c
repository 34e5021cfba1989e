/* The sd_notify parser, sentence by sentence. */
#include "base/text.h"
#include "base/util.h"
#include "core/notify.h"
#include "unit.h"

static struct notify_message m;

static bool parse(const char *text)
{
	return notify_parse(text, strlen(text), &m);
}

START_TEST(each_word_is_known)
{
	static const struct { const char *text; unsigned word; } table[] = {
		{ "READY=1", NOTIFY_READY }, { "RELOADING=1", NOTIFY_RELOADING },
		{ "STOPPING=1", NOTIFY_STOPPING }, { "WATCHDOG=1", NOTIFY_WATCHDOG },
		{ "WATCHDOG=trigger", NOTIFY_WATCHDOG_TRIGGER }, { "STATUS=x", NOTIFY_STATUS },
		{ "MAINPID=7", NOTIFY_MAINPID }, { "ERRNO=2", NOTIFY_ERRNO },
		{ "WATCHDOG_USEC=5", NOTIFY_WATCHDOG_USEC }, { "BARRIER=1", NOTIFY_BARRIER },
		{ "EXTEND_TIMEOUT_USEC=5", NOTIFY_EXTEND_TIMEOUT }, { "FDSTORE=1", NOTIFY_FDSTORE },
		{ "FDNAME=x", NOTIFY_FDSTORE }, { "MONOTONIC_USEC=5", 0 },
		{ "X_VENDOR=1", NOTIFY_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		ck_assert_msg(parse(table[i].text), "%s", table[i].text);
		ck_assert_msg(m.words == table[i].word, "%s: %x", table[i].text, m.words);
	}
}
END_TEST

START_TEST(several_words_come_in_one_datagram)
{
	ck_assert(parse("READY=1\nSTATUS=Processing requests...\nMAINPID=4711\n"));
	ck_assert_uint_eq(m.words, NOTIFY_READY | NOTIFY_STATUS | NOTIFY_MAINPID);
	ck_assert_str_eq(m.status, "Processing requests...");
	ck_assert_int_eq(m.main_pid, 4711);
}
END_TEST

START_TEST(the_last_of_two_counts)
{
	ck_assert(parse("STATUS=a\nWATCHDOG=1\nSTATUS=b\nWATCHDOG=trigger"));
	ck_assert_str_eq(m.status, "b");
	ck_assert_uint_eq(m.words, NOTIFY_STATUS | NOTIFY_WATCHDOG_TRIGGER);
}
END_TEST

START_TEST(a_value_that_makes_no_sense_takes_its_word_away)
{
	static const char *const bad[] = {
		"READY=", "READY=2", "READY=yes", "MAINPID=0", "MAINPID=-1", "MAINPID=1x",
		"MAINPID=99999999999999999999", "ERRNO=4096", "WATCHDOG_USEC=18446744073709551616",
		"EXTEND_TIMEOUT_USEC=1 ", "WATCHDOG=2", "BARRIER=0",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(parse(bad[i]), "%s", bad[i]);
		ck_assert_msg(m.words == NOTIFY_BAD_VALUE, "%s: %x", bad[i], m.words);
	}
}
END_TEST

START_TEST(what_is_no_message_is_refused)
{
	static char large[NOTIFY_MESSAGE_MAX + 2];

	ck_assert(!parse(""));
	ck_assert(!parse("\n\n"));
	ck_assert(!parse("READY"));
	ck_assert(!parse("=1"));
	ck_assert(!notify_parse("READY=1\0STATUS=x", 16, &m));
	ck_assert(!notify_parse("\0\0\0", 3, &m));
	ck_assert(notify_parse("READY=1\0", 8, &m));
	memset(large, 'x', sizeof(large));
	memcpy(large, "READY=1\n", 8);
	ck_assert(notify_parse(large, NOTIFY_MESSAGE_MAX, &m));
	ck_assert(!notify_parse(large, NOTIFY_MESSAGE_MAX + 1, &m));
}
END_TEST

START_TEST(times_may_be_infinite)
{
	ck_assert(parse("WATCHDOG_USEC=18446744073709551615\nEXTEND_TIMEOUT_USEC=infinity"));
	ck_assert_uint_eq(m.watchdog_usec, NOTIFY_NEVER);
	ck_assert_uint_eq(m.extend_usec, NOTIFY_NEVER);
}
END_TEST

START_TEST(a_status_is_cleaned_and_bounded)
{
	static char text[NOTIFY_MESSAGE_MAX];
	size_t n = 7;

	ck_assert(parse("STATUS=a\tb\x1b[31m\x7f\xff"));
	ck_assert_str_eq(m.status, "a b [31m \xef\xbf\xbd");
	memcpy(text, "STATUS=", n);
	for (; n < 1000; n += 2)
		memcpy(text + n, "\xc3\xa4", 2);
	for (size_t shift = 0; shift < 2; shift++) {
		text[7] = 'x';
		ck_assert(notify_parse(text, n, &m));
		ck_assert_uint_le(strlen(m.status), NOTIFY_STATUS_MAX);
		ck_assert_uint_ge(strlen(m.status), NOTIFY_STATUS_MAX - 3);
		ck_assert(utf8_valid(m.status, strlen(m.status)));
		memmove(text + 8, text + 7, n - 7);
	}
}
END_TEST

START_TEST(a_newline_is_ready_unless_it_belongs_to_other_words)
{
	static const struct { const char *text; bool line; } table[] = {
		{ "\n", true }, { "x\n", true }, { "x\ny", true }, { "unix:path=/x,guid=1\n", true },
		{ "READY=1\n", true }, { "x", false }, { "", false }, { "WATCHDOG=1\n", false },
		{ "READY=1\nSTATUS=x", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		(void)parse(table[i].text);
		ck_assert_msg(notify_line(table[i].text, strlen(table[i].text), &m) ==
			      (table[i].line ? NOTIFY_LINE : 0), "%s", table[i].text);
	}
	ck_assert(!notify_parse("\0\n", 2, &m));
	ck_assert_uint_eq(notify_line("\0\n", 2, &m), NOTIFY_LINE);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		each_word_is_known, several_words_come_in_one_datagram, the_last_of_two_counts,
		a_value_that_makes_no_sense_takes_its_word_away, what_is_no_message_is_refused,
		times_may_be_infinite, a_status_is_cleaned_and_bounded,
		a_newline_is_ready_unless_it_belongs_to_other_words,
	};

	return unit_run("core: notify", tests, ARRAY_LEN(tests));
}
