/* probe/http: the status of an answer, whatever it looks like. */
#include "probe/http.h"
#include "unit.h"

/* The status that TEXT has, read at once and byte by byte; -1: garbage; 0: not known. */
static int status_of(const char *text)
{
	struct http_answer at_once = HTTP_ANSWER_INIT, bytewise = HTTP_ANSWER_INIT;
	size_t n = strlen(text);
	bool known = http_read(&at_once, text, n);

	for (size_t i = 0; i < n; i++)
		if (http_read(&bytewise, text + i, 1))
			break;
	ck_assert_int_eq(at_once.status, bytewise.status);
	ck_assert_int_eq(at_once.garbage, bytewise.garbage);
	ck_assert_int_eq(known, at_once.status != 0 || at_once.garbage);
	return at_once.garbage ? -1 : at_once.status;
}

START_TEST(the_status_is_read)
{
	ck_assert_int_eq(status_of("HTTP/1.1 200 OK\r\nServer: x\r\n\r\nhello"), 200);
	ck_assert_int_eq(status_of("HTTP/1.0 503 Service Unavailable\r\n"), 503);
	ck_assert_int_eq(status_of("HTTP/1.1 204\r\n\r\n"), 204);
	ck_assert_int_eq(status_of("HTTP/1.1 204\n"), 204);
	ck_assert_int_eq(status_of("HTTP/1.1 302 "), 302);
	ck_assert_int_eq(status_of("HTTP/1.1 101 Switching Protocols\r\n\r\n"), 101);
	ck_assert_int_eq(status_of("HTTP/1.9 999 "), 999);
}
END_TEST

START_TEST(interim_answers_are_passed_over)
{
	ck_assert_int_eq(status_of("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), 200);
	ck_assert_int_eq(status_of("HTTP/1.1 100\n\nHTTP/1.1 404 No\r\n"), 404);
	ck_assert_int_eq(status_of("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nA: b\r\n\r\n"
				   "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\n"), 200);
	ck_assert_int_eq(status_of("HTTP/1.1 100 Continue\r\nLink: x\r\n"), 0);
}
END_TEST

START_TEST(a_part_is_not_enough)
{
	static const char text[] = "HTTP/1.1 200";
	char part[sizeof(text)];

	for (size_t n = 0; n < sizeof(text); n++) {
		memcpy(part, text, n);
		part[n] = '\0';
		ck_assert_int_eq(status_of(part), 0);
	}
}
END_TEST

START_TEST(what_is_no_answer_is_garbage)
{
	static const char *const texts[] = {
		"\r\nHTTP/1.1 200 OK", "HTTP/2 200 \r\n", "HTTP/1.x 200 OK", "http/1.1 200 OK",
		"HTTP/1.1  200 OK", "HTTP/1.1 20 OK\r\n", "HTTP/1.1 2000 OK", "HTTP/1.1 -20 OK",
		"HTTP/1.1 099 ", "ICY 200 OK\r\n", "SSH-2.0-OpenSSH_9\r\n", "\x15\x03\x01\x00\x02\x02",
		"<html>", "220 mail ESMTP\r\n", "HTTP/1.1 100 C\r\n\r\nhello",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		ck_assert_msg(status_of(texts[i]) == -1, "%s", texts[i]);
}
END_TEST

START_TEST(a_head_without_end_is_garbage_at_last)
{
	struct http_answer a = HTTP_ANSWER_INIT;
	size_t n = 0;

	ck_assert(!http_read(&a, "HTTP/1.1 100 x\r\n", 16));
	for (; !http_read(&a, "X: y\r\n", 6); n++)
		ck_assert_uint_lt(n, HTTP_HEAD_MAX);
	ck_assert(a.garbage);
}
END_TEST

START_TEST(the_request_is_small_and_complete)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	http_request("127.0.0.1", 8080, "/a?b", &text);
	ck_assert_str_eq(text.buf, "GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: procd\r\n"
			 "Accept: */*\r\nConnection: close\r\n\r\n");
	strbuf_reset(&text);
	http_request("::1", 80, "/", &text);
	ck_assert_ptr_nonnull(strstr(text.buf, "\r\nHost: [::1]\r\n"));
	strbuf_reset(&text);
	http_request(NULL, 0, "/", &text);
	ck_assert_ptr_nonnull(strstr(text.buf, "\r\nHost: localhost\r\n"));
}
END_TEST

UNIT_MAIN("probe: http", the_status_is_read, interim_answers_are_passed_over, a_part_is_not_enough,
	  what_is_no_answer_is_garbage, a_head_without_end_is_garbage_at_last,
	  the_request_is_small_and_complete)
