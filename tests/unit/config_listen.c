/* Listening sockets, as text. */
#include <errno.h>

#include "config_fixture.h"
#include "config/listen.h"

static const char *canonical(const char *text)
{
	static struct strbuf out = STRBUF_INIT, why = STRBUF_INIT;
	struct listen_address a;

	strbuf_reset(&out);
	strbuf_reset(&why);
	if (listen_parse(text, &a, &why) < 0)
		return NULL;
	listen_format(&a, &out);
	return out.buf;
}

START_TEST(each_form_has_one_canonical_text)
{
	ck_assert_str_eq(canonical("tcp:127.0.0.1:80"), "tcp:127.0.0.1:80");
	ck_assert_str_eq(canonical("http=tcp:localhost:080"), "tcp:127.0.0.1:80");
	ck_assert_str_eq(canonical("tcp:[0:0::1]:0"), "tcp:[::1]:0");
	ck_assert_str_eq(canonical("udp:0.0.0.0:65535"), "udp:0.0.0.0:65535");
	ck_assert_str_eq(canonical("x=unix:/a=b c"), "unix:/a=b c");
	ck_assert_str_eq(canonical("unix:/a=b"), "unix:/a=b");
	ck_assert_str_eq(canonical("unix:@abstract"), "unix:@abstract");
}
END_TEST

START_TEST(what_is_none_is_refused_with_a_reason)
{
	static const char *const bad[] = {
		"", "tcp", "tcp:", "tcp:80", "tcp::80", "tcp:1.2.3:80", "tcp:1.2.3.4", "tcp:1.2.3.4:",
		"tcp:1.2.3.4:65536", "tcp:1.2.3.4:-1", "tcp:1.2.3.4: 1", "tcp:[::1]80", "tcp:[]:80",
		"tcp:::1:80", "tcp:[127.0.0.1]:80", "tcp:example.org:80", "unix:", "unix:/", "unix:x",
		"unix:@", "=tcp:127.0.0.1:1", "a b=tcp:127.0.0.1:1", "http://x", "sctp:127.0.0.1:1",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(canonical(bad[i]) == NULL, "accepted: %s", bad[i]);
}
END_TEST

START_TEST(a_path_has_at_most_107_bytes)
{
	char text[200] = "unix:/";

	memset(text + 6, 'x', 106);
	ck_assert_ptr_nonnull(canonical(text));
	memset(text + 6, 'x', 107);
	ck_assert_ptr_null(canonical(text));
}
END_TEST

UNIT_MAIN("config: listen", each_form_has_one_canonical_text,
	  what_is_none_is_refused_with_a_reason, a_path_has_at_most_107_bytes)
