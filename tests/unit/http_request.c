/* Who is let in, and what he wants: the rules of the web role. */
#include "http/request.h"
#include "unit.h"

#include "base/util.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

static const struct http_policy open_here = { .this_machine = true };
static const struct http_policy guarded = { .token = TOKEN, .host_name = "box.example.org" };

static int judge(const struct http_policy *policy, const struct http_request *r)
{
	enum http_page page;

	return http_judge(policy, r, &page);
}

#define GET .method = "GET", .host = "localhost:9464"

START_TEST(the_pages_are_found_and_nothing_else_is)
{
	enum http_page page;

	ck_assert_int_eq(http_judge(&open_here, &(struct http_request){ GET, .path = "/metrics" },
				    &page), 200);
	ck_assert_int_eq(page, HTTP_METRICS);
	ck_assert_int_eq(http_judge(&open_here, &(struct http_request){ GET, .path = "/healthz" },
				    &page), 200);
	ck_assert_int_eq(page, HTTP_HEALTH);
	ck_assert_int_eq(judge(&open_here, &(struct http_request){ GET, .path = "/" }), 404);
	ck_assert_int_eq(judge(&open_here, &(struct http_request){ GET, .path = "/metrics/" }), 404);
	ck_assert_int_eq(judge(&open_here, &(struct http_request){ GET, .path = "" }), 404);
}
END_TEST

START_TEST(a_request_is_judged_in_the_order_of_what_it_may_learn)
{
	struct http_request r = { .method = "POST", .path = "/x", .body = true, .doubled = true };

	ck_assert_int_eq(judge(&guarded, &r), 400);
	r.doubled = false;
	ck_assert_int_eq(judge(&guarded, &r), 421);
	r.host = "box";
	ck_assert_int_eq(judge(&guarded, &r), 401);
	r.authorization = "Bearer " TOKEN;
	ck_assert_int_eq(judge(&guarded, &r), 404);
	r.path = "/metrics";
	ck_assert_int_eq(judge(&guarded, &r), 405);
	r.method = "HEAD";
	ck_assert_int_eq(judge(&guarded, &r), 400);
	r.body = false;
	ck_assert_int_eq(judge(&guarded, &r), 200);
}
END_TEST

START_TEST(here_only_names_that_nobody_else_can_give_are_ours)
{
	static const char *const ours[] = { "localhost", "LOCALHOST:80", "127.0.0.1", "127.9.9.9:1",
					    "[::1]", "[::1]:9464", "localhost:" };
	static const char *const foreign[] = { "", "evil.example", "localhost.evil.example", "192.0.2.1",
					       "[2001:db8::1]", "127.0.0.1.evil.example", "[::1", "[::1]x",
					       "localhost:80x", ":80", "127.1", "localhost evil" };

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		ck_assert_msg(http_host_is_ours(&open_here, ours[i]), "refused: %s", ours[i]);
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		ck_assert_msg(!http_host_is_ours(&open_here, foreign[i]), "taken: %s", foreign[i]);
	ck_assert(!http_host_is_ours(&open_here, NULL));
}
END_TEST

START_TEST(where_others_connect_addresses_and_the_own_name_are_ours)
{
	static const char *const ours[] = { "192.0.2.1:9464", "[2001:db8::1]", "box", "Box.example.org",
					    "box.lan:9464", "localhost" };
	static const char *const foreign[] = { "evil.example", "boxer", "bo", "evil.box", "example.org" };
	struct http_policy nameless = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		ck_assert_msg(http_host_is_ours(&guarded, ours[i]), "refused: %s", ours[i]);
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		ck_assert_msg(!http_host_is_ours(&guarded, foreign[i]), "taken: %s", foreign[i]);
	ck_assert(!http_host_is_ours(&nameless, "box"));
}
END_TEST

START_TEST(only_the_whole_token_opens)
{
	ck_assert(http_token_shown(TOKEN, "Bearer " TOKEN));
	ck_assert(http_token_shown(TOKEN, "bearer   " TOKEN));
	ck_assert(!http_token_shown(TOKEN, NULL));
	ck_assert(!http_token_shown(TOKEN, ""));
	ck_assert(!http_token_shown(TOKEN, "Bearer "));
	ck_assert(!http_token_shown(TOKEN, "Bearer 0"));
	ck_assert(!http_token_shown(TOKEN, "Bearer " TOKEN "0"));
	ck_assert(!http_token_shown(TOKEN, "Bearer " TOKEN TOKEN));
	ck_assert(!http_token_shown(TOKEN, "Bearer " TOKEN " "));
	ck_assert(!http_token_shown(TOKEN, "Basic " TOKEN));
	ck_assert(!http_token_shown(TOKEN, TOKEN));
}
END_TEST

static const char *read_token(const char *text)
{
	static char *token;
	const char *why;

	free(token);
	token = http_token_read(text, strlen(text), &why);
	ck_assert((token == NULL) == (why != NULL));
	return token;
}

START_TEST(a_token_is_one_line_that_cannot_be_guessed)
{
	ck_assert_str_eq(read_token(TOKEN "\n"), TOKEN);
	ck_assert_str_eq(read_token(TOKEN "\r\n"), TOKEN);
	ck_assert_str_eq(read_token("x1-._~+/=x1-._~+/=x1-."), "x1-._~+/=x1-._~+/=x1-.");
	ck_assert_ptr_null(read_token(""));
	ck_assert_ptr_null(read_token("\n"));
	ck_assert_ptr_null(read_token("short"));
	ck_assert_ptr_null(read_token("0123456789abcdef0123456789abcde"));	/* 124 bits */
	ck_assert_ptr_null(read_token("abcdefghijklmnopqrstu"));			/* 126 bits */
	ck_assert_ptr_null(read_token(TOKEN "\n\n"));
	ck_assert_ptr_null(read_token(TOKEN " " TOKEN));
	ck_assert_ptr_null(read_token(TOKEN "\303\244"));
}
END_TEST

START_TEST(openmetrics_is_told_unless_the_older_text_is_wanted_more)
{
	static const char *const newer[] = {
		"", "*/*", "text/html,*/*;q=0.8", "application/json",
		"application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		"application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5",
		"text/plain;q=0, */*", "text/plain, application/openmetrics-text",
	};
	static const char *const older[] = {
		"text/plain", "text/plain;version=0.0.4;q=1,*/*;q=0.1", "text/*",
		"text/plain; q=0.31, application/openmetrics-text;q=0.3",
	};

	ck_assert(!http_prefers_older_text(NULL));
	for (size_t i = 0; i < ARRAY_LEN(newer); i++)
		ck_assert_msg(!http_prefers_older_text(newer[i]), "older: %s", newer[i]);
	for (size_t i = 0; i < ARRAY_LEN(older); i++)
		ck_assert_msg(http_prefers_older_text(older[i]), "newer: %s", older[i]);
}
END_TEST

UNIT_MAIN("http: request", the_pages_are_found_and_nothing_else_is,
	  a_request_is_judged_in_the_order_of_what_it_may_learn,
	  here_only_names_that_nobody_else_can_give_are_ours,
	  where_others_connect_addresses_and_the_own_name_are_ours, only_the_whole_token_opens,
	  a_token_is_one_line_that_cannot_be_guessed,
	  openmetrics_is_told_unless_the_older_text_is_wanted_more)
