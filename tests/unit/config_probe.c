/* config/probe: what can be written, what it means, and what is said about the rest. */
#include "config/probe.h"
#include <errno.h>

#include "config_fixture.h"

static struct probe_option *probe;

static void parse(const char *text)
{
	auto_free(strbuf_fini) struct strbuf why = STRBUF_INIT, again = STRBUF_INIT;
	struct probe_option *copy = NULL;

	probe_option_free(take(probe));
	ck_assert_msg(probe_option_parse(text, PROBES_ALL, &probe, &why) == 0, "%s: %s", text,
		      why.buf);
	probe_option_format(probe, &again);
	ck_assert_msg(probe_option_parse(again.buf, PROBES_ALL, &copy, &why) == 0, "%s: %s",
		      again.buf, why.buf);
	ck_assert_msg(probe_option_equal(probe, copy), "%s, %s", text, again.buf);
	probe_option_free(copy);
	copy = probe_option_copy(probe);
	ck_assert(probe_option_equal(probe, copy));
	probe_option_free(copy);
}

static void expect_refused_for(unsigned kinds, const char *text, const char *words)
{
	auto_free(strbuf_fini) struct strbuf why = STRBUF_INIT;
	struct probe_option *none = NULL;

	ck_assert_msg(probe_option_parse(text, kinds, &none, &why) == -EINVAL, "%s", text);
	ck_assert_ptr_null(none);
	ck_assert_msg(strstr(why.buf, words) != NULL, "wanted %s, got %s", words, why.buf);
}

static void expect_refused(const char *text, const char *words)
{
	expect_refused_for(PROBES_ALL, text, words);
}

START_TEST(every_kind_is_read)
{
	parse("exec");
	ck_assert_int_eq(probe->kind, PROBE_EXEC);
	parse("notify");
	ck_assert_int_eq(probe->kind, PROBE_NOTIFY);
	parse("fd:3");
	ck_assert_int_eq(probe->fd, 3);
	parse("tcp:127.0.0.1:80");
	ck_assert_int_eq(probe->kind, PROBE_TCP);
	ck_assert_str_eq(probe->host, "127.0.0.1");
	ck_assert_int_eq(probe->port, 80);
	parse("tcp:[::1]:65535");
	ck_assert_str_eq(probe->host, "::1");
	ck_assert_int_eq(probe->port, 65535);
	parse("tcp:localhost:1");
	ck_assert_str_eq(probe->host, "localhost");
	parse("unix:/run/x y.sock");
	ck_assert_str_eq(probe->socket, "/run/x y.sock");
	parse("unix:@hidden");
	ck_assert_str_eq(probe->socket, "@hidden");
	parse("command:sh -c 'test -e \"a b\"' ''");
	ck_assert_uint_eq(probe->command.n, 4);
	ck_assert_str_eq(probe->command.items[2], "test -e \"a b\"");
	parse("log:^(ready|listening on [0-9]{1,5})$");
	ck_assert_str_eq(probe->pattern, "^(ready|listening on [0-9]{1,5})$");
}
END_TEST

START_TEST(an_address_of_http_is_taken_apart)
{
	parse("http://localhost");
	ck_assert_int_eq(probe->port, 80);
	ck_assert_str_eq(probe->target, "/");
	parse("http://[::1]:8080/a/b?c=d%20e");
	ck_assert_str_eq(probe->host, "::1");
	ck_assert_int_eq(probe->port, 8080);
	ck_assert_str_eq(probe->target, "/a/b?c=d%20e");
	parse("http://127.0.0.1?x");
	ck_assert_str_eq(probe->target, "/?x");
	parse("http://unix:/run/app.sock:/health");
	ck_assert_str_eq(probe->socket, "/run/app.sock");
	ck_assert_str_eq(probe->target, "/health");
	ck_assert_ptr_null(probe->host);
	parse("http://unix:/run/app.sock");
	ck_assert_str_eq(probe->target, "/");
}
END_TEST

START_TEST(what_is_no_probe_is_told_with_its_place)
{
	expect_refused("", "unknown probe \"\"; accepted: exec, notify, fd:N, tcp:HOST:PORT");
	expect_refused("ftp://x", "unknown probe \"ftp://x\"");
	expect_refused("tpc:localhost:80", "did you mean \"tcp:\"?");
	expect_refused("Exec", "did you mean \"exec\"?");
	expect_refused("tcp", "did you mean \"tcp:\"?");
	expect_refused("http:/localhost/", "did you mean");
	expect_refused("https://localhost/", "https is not supported");
	expect_refused("fd:2", "descriptor is a number from 3 to 1023, not \"2\" (at character 4");
	expect_refused("fd:three", "not \"three\"");
	expect_refused("fd:3 ", "not \"3 \"");
	expect_refused("tcp:8080", "write tcp:HOST:PORT (at character 9");
	expect_refused("tcp::80", "the host is missing (at character 5");
	expect_refused("tcp:127.0.0.1:", "the port is a number from 1 to 65535, not \"\" (at "
		       "character 15");
	expect_refused("tcp:127.0.0.1:0", "not \"0\"");
	expect_refused("tcp:127.0.0.1:65536", "not \"65536\"");
	expect_refused("tcp:127.0.0.1:99999999999999999999", "from 1 to 65535");
	expect_refused("tcp:127.0.0.1:80x", "not \"80x\"");
	expect_refused("tcp:127.0.0.1:-1", "not \"-1\"");
	expect_refused("tcp:::1:80", "stands in brackets");
	expect_refused("tcp:[::1", "the bracket is not closed (at character 5");
	expect_refused("tcp:[::1]80", "a colon and the port are expected behind \"[::1]\"");
	expect_refused("tcp:db.example:80", "\"db.example\" is no address");
	expect_refused("tcp:[127.0.0.1]:80", "is no address");
	expect_refused("tcp:127.1:80", "is no address");
	expect_refused("unix:", "the path of the socket is missing");
	expect_refused("unix:@", "the path of the socket is missing");
	expect_refused("http://", "the host is missing");
	expect_refused("http://example.org/", "names are not looked up");
	expect_refused("http://me@localhost/", "is no address");
	expect_refused("http://localhost:x/", "not \"x\" (at character 18");
	expect_refused("http://localhost:80/a b", "written as %XX (at character 22");
	expect_refused("http://localhost/\r\nX: y", "control");
	expect_refused("http://localhost/#top", "a '#' is no part");
	expect_refused("http://[::1]x", "or a path, is expected here (at character 13");
	expect_refused("command:", "the command is empty");
	expect_refused("command:''", "the command is empty");
	expect_refused("command:a 'b", "a quote is not closed or a backslash ends the text (at "
		       "character 11");
	expect_refused_for(PROBES_HEALTH, "exec", "\"exec\" is no probe for this key; accepted: "
			   "tcp:HOST:PORT, unix:PATH, http://HOST[:PORT]/PATH, command:COMMAND");
	expect_refused_for(PROBES_HEALTH, "log:x", "\"log:x\" is no probe for this key");
}
END_TEST

START_TEST(a_pattern_must_compile_and_stay_small)
{
	expect_refused("log:", "it is empty");
	expect_refused("log:(", "not a regular expression: ");
	expect_refused("log:[a", "not a regular expression: ");
	expect_refused("log:a{2,1}", "not a regular expression: ");
	expect_refused("log:(a)\\1", "back references");
	expect_refused("log:(((a{200}){200}){200})", "its repetitions make it too large");
	expect_refused("log:(((((((((((((((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)"
		       "+)+)+)+)+)+", "its repetitions make it too large");
	expect_refused("log:(((a{,200}){,200}){,200})", "its repetitions make it too large");
	expect_refused("log:a++++++++++++++++++++++++++++++", "its repetitions make it too large");
	expect_refused("log:i$.*+++++++t++6*", "it repeats what may be empty too often");
	expect_refused("log:i$((x*)+){16}", "it repeats what may be empty too often");
	expect_refused("log:i$(((||||||||||||||||||||||||||||||||||||||a)+){3}|||||b)+",
		       "it repeats what may be empty too often");
	expect_refused("log:^(x*y*|z)+(x*y*|)+(x*y*)+(x*y*)*(x*y*)*(x*y*)+(x*y*)*(x*y*)+(x*y*)*",
		       "it repeats what may be empty too often");
	expect_refused("log:a{1}{9}{9}{9}{9}{9}{9}{9}", "its repetitions make it too large");
	parse("log:[[:digit:]{]+ [^]}]{1,20} x\\{9\\} a* (b|c?)+");
	parse("log:]");
}
END_TEST

START_TEST(the_longest_pattern_is_1024_bytes)
{
	char text[5 + PATTERN_MAX + 1] = "log:";

	memset(text + 4, 'a', PATTERN_MAX);
	parse(text);
	memset(text + 4, 'a', PATTERN_MAX + 1);
	expect_refused(text, "longer than 1024");
	memset(text + 4, '(', PATTERN_MAX);
	text[4 + PATTERN_MAX] = '\0';
	expect_refused(text, "nested too deeply");
}
END_TEST

START_TEST(probes_of_different_kinds_or_parts_differ)
{
	static const char *const texts[] = {
		"notify", "fd:3", "fd:4", "tcp:127.0.0.1:1", "tcp:127.0.0.1:2", "tcp:127.0.0.2:1",
		"unix:/a", "unix:/b", "http://127.0.0.1:1/", "http://127.0.0.1:1/x",
		"http://unix:/a:/", "command:a", "command:a b", "command:'a b'", "log:a", "log:b",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
			struct probe_option *other;

			parse(texts[k]);
			other = take(probe);
			parse(texts[i]);
			ck_assert(probe_option_equal(probe, other) == (i == k));
			ck_assert(!probe_option_equal(probe, NULL));
			probe_option_free(other);
		}
	ck_assert(probe_option_equal(NULL, NULL));
}
END_TEST

static void forget_all(void)
{
	probe_option_free(take(probe));
	teardown();
}

int main(void)
{
	const TTest *tests[] = {
		every_kind_is_read, an_address_of_http_is_taken_apart,
		what_is_no_probe_is_told_with_its_place, a_pattern_must_compile_and_stay_small,
		the_longest_pattern_is_1024_bytes, probes_of_different_kinds_or_parts_differ,
	};

	return unit_run_in("config: probes", setup, forget_all, tests, ARRAY_LEN(tests));
}
