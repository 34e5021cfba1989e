/* Lines, envelopes, and the texts of both ends. */
#include "control/rpc.h"

#include <errno.h>

#include "base/alloc.h"
#include "control/client.h"
#include "control/control.h"
#include "control/emit.h"
#include "control/scan.h"
#include "unit.h"

START_TEST(half_a_line_waits_and_several_lines_come_one_by_one)
{
	const char text[] = "one\r\n\ntwo\nthr";
	const char *line;
	size_t pos = 0, len;

	ck_assert_int_eq(rpc_next_line(text, 2, &pos, &line, &len), 0);
	ck_assert_int_eq(rpc_next_line(text, sizeof(text) - 1, &pos, &line, &len), 1);
	ck_assert_mem_eq(line, "one", 3);
	ck_assert_uint_eq(len, 3);
	ck_assert_int_eq(rpc_next_line(text, sizeof(text) - 1, &pos, &line, &len), 1);
	ck_assert_uint_eq(len, 0);
	ck_assert_int_eq(rpc_next_line(text, sizeof(text) - 1, &pos, &line, &len), 1);
	ck_assert_mem_eq(line, "two", 3);
	ck_assert_int_eq(rpc_next_line(text, sizeof(text) - 1, &pos, &line, &len), 0);
	ck_assert_uint_eq(pos, 10);
}
END_TEST

START_TEST(a_line_may_be_64_KiB_long_and_not_a_byte_longer)
{
	auto_free(freep) char *text = x_malloc(CONTROL_LINE_MAX + 2);
	const char *line;
	size_t pos = 0, len;

	memset(text, 'x', CONTROL_LINE_MAX + 2);
	text[CONTROL_LINE_MAX] = '\n';
	ck_assert_int_eq(rpc_next_line(text, CONTROL_LINE_MAX, &pos, &line, &len), 0);
	ck_assert_int_eq(rpc_next_line(text, CONTROL_LINE_MAX + 1, &pos, &line, &len), 1);
	ck_assert_uint_eq(len, CONTROL_LINE_MAX);
	pos = 0;
	text[CONTROL_LINE_MAX] = 'x';
	ck_assert_int_eq(rpc_next_line(text, CONTROL_LINE_MAX + 1, &pos, &line, &len), -E2BIG);
	text[CONTROL_LINE_MAX + 1] = '\n';
	ck_assert_int_eq(rpc_next_line(text, CONTROL_LINE_MAX + 2, &pos, &line, &len), -E2BIG);
}
END_TEST

static int parse(const char *text, struct rpc_request *r, struct rpc_refusal *why)
{
	return rpc_parse(text, strlen(text), r, why);
}

START_TEST(a_request_has_method_parameters_and_id)
{
	struct rpc_request r;
	struct rpc_refusal why;

	ck_assert_int_eq(parse("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"a.b\",\"params\":{\"x\":1}}",
			       &r, &why), 0);
	ck_assert_str_eq(r.method, "a.b");
	ck_assert_int_eq(json_integer_value(r.id), 7);
	ck_assert_int_eq(json_integer_value(json_object_get(r.params, "x")), 1);
	rpc_request_fini(&r);
	ck_assert_int_eq(parse("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":[]}", &r, &why), 0);
	ck_assert_ptr_null(r.id);
	ck_assert_ptr_null(r.params);
	rpc_request_fini(&r);
}
END_TEST

static const struct {
	const char *text;
	int code;
	bool has_id, close;
} refused[] = {
	{ "", RPC_PARSE_ERROR, false, false },
	{ "garbage", RPC_PARSE_ERROR, false, false },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"} x", RPC_PARSE_ERROR, false, false },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"a\"}", RPC_PARSE_ERROR, false, false },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}", RPC_PARSE_ERROR, false, false },
	{ "42", RPC_INVALID_REQUEST, false, false },
	{ "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}]", RPC_INVALID_REQUEST, false, false },
	{ "{}", RPC_INVALID_REQUEST, false, false },
	{ "{\"id\":1,\"method\":\"a\"}", RPC_INVALID_REQUEST, true, false },
	{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"a\"}", RPC_INVALID_REQUEST, true, false },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", RPC_INVALID_REQUEST, true, false },
	{ "{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"a\"}", RPC_INVALID_REQUEST, false, false },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":[1]}", RPC_INVALID_PARAMS, true,
	  false },
	{ "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
	  RPC_INVALID_REQUEST, false, true },
	{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", RPC_INVALID_REQUEST, false, true },
};

START_TEST(what_is_no_request_is_refused_with_code_and_reason)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct rpc_request r;
		struct rpc_refusal why;

		ck_assert_int_eq(parse(refused[i].text, &r, &why), -EINVAL);
		ck_assert_int_eq(why.code, refused[i].code);
		ck_assert_int_eq(r.id != NULL, refused[i].has_id);
		ck_assert_int_eq(why.close, refused[i].close);
		ck_assert_ptr_nonnull(why.error.message);
		error_fini(&why.error);
		rpc_request_fini(&r);
	}
}
END_TEST

START_TEST(brackets_inside_strings_are_not_depth)
{
	struct rpc_request r;
	struct rpc_refusal why;

	ck_assert_int_eq(parse("{\"jsonrpc\":\"2.0\",\"method\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\"}",
			       &r, &why), 0);
	rpc_request_fini(&r);
}
END_TEST

START_TEST(depth_is_what_lies_in_each_other_not_beside)
{
	auto_free(strbuf_fini) struct strbuf wide = STRBUF_INIT, deep = STRBUF_INIT;
	static const char begin[] = "{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":{\"x\":[";
	struct rpc_request r;
	struct rpc_refusal why;

	strbuf_addstr(&wide, begin);
	strbuf_addstr(&deep, begin);
	for (int i = 0; i < 200; i++)
		strbuf_addstr(&wide, i == 0 ? "{}" : ",{}");
	for (int i = 3; i < CONTROL_DEPTH_MAX; i++)
		strbuf_addch(&deep, '[');
	for (int i = 3; i < CONTROL_DEPTH_MAX; i++)
		strbuf_addch(&deep, ']');
	strbuf_addstr(&wide, "]}}");
	strbuf_addstr(&deep, "]}}");
	ck_assert_int_eq(parse(wide.buf, &r, &why), 0);
	rpc_request_fini(&r);
	ck_assert_int_eq(parse(deep.buf, &r, &why), 0);
	rpc_request_fini(&r);
}
END_TEST

START_TEST(answers_and_notifications_are_found_again_by_the_client)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	auto_free(json_decrefp) json_t *id = json_integer(12);
	const char *text;
	size_t n;

	rpc_result_begin(&out, id);
	strbuf_addstr(&out, "{\"a\":1}");
	rpc_result_end(&out);
	ck_assert_str_eq(out.buf, "{\"jsonrpc\":\"2.0\",\"id\":12,\"result\":{\"a\":1}}\n");
	text = client_result_text(out.buf, out.len - 1, &n);
	ck_assert_uint_eq(n, 7);
	ck_assert_mem_eq(text, "{\"a\":1}", 7);
	ck_assert_ptr_null(client_params_text(out.buf, out.len - 1, "event", &n));
	strbuf_reset(&out);
	rpc_notify_begin(&out, "event");
	strbuf_addstr(&out, "{}");
	rpc_notify_end(&out);
	text = client_params_text(out.buf, out.len - 1, "event", &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_mem_eq(text, "{}", 2);
	ck_assert_ptr_null(client_params_text(out.buf, out.len - 1, "even", &n));
	ck_assert_ptr_null(client_result_text(out.buf, out.len - 1, &n));
}
END_TEST

START_TEST(an_error_carries_category_number_and_name)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	auto_free(json_decrefp) json_t *extra = json_pack("{s:i}", "more", 1), *answer = NULL;
	struct error e = ERROR_INIT;
	json_t *data;

	error_set(&e, ERROR_SUBSYSTEM_NOT_FOUND, 0, "no \"x\"");
	rpc_error(&out, NULL, RPC_SERVER_ERROR, &e, extra);
	error_fini(&e);
	answer = json_loadb(out.buf, out.len, 0, NULL);
	ck_assert(json_is_null(json_object_get(answer, "id")));
	data = json_object_get(json_object_get(answer, "error"), "data");
	ck_assert_int_eq(json_integer_value(json_object_get(data, "code")), 4002);
	ck_assert_str_eq(json_string_value(json_object_get(data, "category")), "subsystem");
	ck_assert_int_eq(json_integer_value(json_object_get(data, "more")), 1);
}
END_TEST

START_TEST(hand_written_json_is_what_a_parser_reads)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	auto_free(json_decrefp) json_t *j = NULL;

	emit_open(&out, NULL, '{');
	emit_text(&out, "t", "a\"\\\n\t\x01\xc3\xa4\xff");
	emit_text(&out, "z", NULL);
	emit_int(&out, "i", INT64_MIN);
	emit_uint(&out, "u", 0);
	emit_bool(&out, "b", true);
	emit_words(&out, "w", " a  bc ", ' ');
	emit_open(&out, "l", '[');
	emit_open(&out, NULL, '{');
	emit_close(&out, '}');
	emit_int(&out, NULL, -5);
	emit_close(&out, ']');
	emit_close(&out, '}');
	j = json_loadb(out.buf, out.len, 0, NULL);
	ck_assert_msg(j != NULL, "%s", out.buf);
	ck_assert_str_eq(json_string_value(json_object_get(j, "t")),
			 "a\"\\\n\t\x01\xc3\xa4\xef\xbf\xbd");
	ck_assert(json_is_null(json_object_get(j, "z")));
	ck_assert_int_eq(json_integer_value(json_object_get(j, "i")), INT64_MIN);
	ck_assert_uint_eq(json_array_size(json_object_get(j, "w")), 2);
	ck_assert_uint_eq(json_array_size(json_object_get(j, "l")), 2);
}
END_TEST

START_TEST(any_bytes_survive_base64)
{
	auto_free(strbuf_fini) struct strbuf coded = STRBUF_INIT, back = STRBUF_INIT;
	char bytes[256];

	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	for (size_t n = 0; n < 256; n++) {
		strbuf_reset(&coded);
		strbuf_reset(&back);
		base64_encode(bytes, n, &coded);
		ck_assert(base64_decode(coded.buf, coded.len, &back));
		ck_assert_uint_eq(back.len, n);
		ck_assert_mem_eq(back.buf, bytes, n);
	}
	strbuf_reset(&coded);
	base64_encode("fooba", 5, &coded);
	ck_assert_str_eq(coded.buf, "Zm9vYmE=");
	ck_assert(!base64_decode("abc", 3, &back));
	ck_assert(!base64_decode("a=bc", 4, &back));
	ck_assert(!base64_decode("ab==abcd", 8, &back));
	ck_assert(!base64_decode("a?cd", 4, &back));
}
END_TEST

START_TEST(a_scan_finds_members_and_skips_what_it_does_not_know)
{
	const char text[] = "{\"a\": {\"x\":[1,\"]}\\\"\"]}, \"b\":-12 ,\"c\":[1,[2],\"s\"],\"d\":\"\\u00e4\\ud83d\\ude00\\n\"}";
	auto_free(strbuf_fini) struct strbuf s = STRBUF_INIT;
	struct scan scan = scan_text(text, sizeof(text) - 1);
	struct span key, value;
	int64_t n;

	ck_assert(scan_enter(&scan, '{'));
	ck_assert(scan_key(&scan, &key) && span_is(key, "a") && scan_value(&scan, &value));
	ck_assert(span_is(value, "{\"x\":[1,\"]}\\\"\"]}"));
	ck_assert(scan_key(&scan, &key) && scan_value(&scan, &value));
	ck_assert(span_int(value, &n));
	ck_assert_int_eq(n, -12);
	ck_assert(scan_key(&scan, &key) && scan_enter(&scan, '['));
	ck_assert(scan_element(&scan) && scan_value(&scan, &value) && span_is(value, "1"));
	ck_assert(scan_element(&scan) && scan_value(&scan, &value) && span_is(value, "[2]"));
	ck_assert(scan_element(&scan) && scan_value(&scan, &value) && span_is(value, "\"s\""));
	ck_assert(!scan_element(&scan));
	ck_assert(scan_key(&scan, &key) && scan_value(&scan, &value) && span_string(value, &s));
	ck_assert_str_eq(s.buf, "\xc3\xa4\xf0\x9f\x98\x80\n");
	ck_assert(!scan_key(&scan, &key));
}
END_TEST

START_TEST(a_scan_of_cut_off_text_ends)
{
	const char text[] = "{\"a\":[{\"x\":\"\\u12\",\"y\":[1,2,{}]}],\"b\":\"q\\\\\"}";

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		auto_free(strbuf_fini) struct strbuf s = STRBUF_INIT;
		auto_free(freep) char *exact = x_malloc(n + 1);	/* a sanitizer sees the end */
		struct scan scan;
		struct span key, value;

		memcpy(exact, text, n);
		scan = scan_text(exact, n);
		if (!scan_enter(&scan, '{'))
			continue;
		while (scan_key(&scan, &key) && scan_value(&scan, &value))
			span_string(value, &s);
	}
}
END_TEST

START_TEST(numbers_are_exact_or_refused)
{
	int64_t n;

	ck_assert(span_int((struct span){ "9223372036854775807", 19 }, &n) && n == INT64_MAX);
	ck_assert(span_int((struct span){ "-9223372036854775808", 20 }, &n) && n == INT64_MIN);
	ck_assert(!span_int((struct span){ "9223372036854775808", 19 }, &n));
	ck_assert(!span_int((struct span){ "1.5", 3 }, &n));
	ck_assert(!span_int((struct span){ "-", 1 }, &n));
	ck_assert(!span_int((struct span){ "", 0 }, &n));
}
END_TEST

UNIT_MAIN("control: rpc",
	half_a_line_waits_and_several_lines_come_one_by_one,
	a_line_may_be_64_KiB_long_and_not_a_byte_longer,
	a_request_has_method_parameters_and_id,
	what_is_no_request_is_refused_with_code_and_reason,
	brackets_inside_strings_are_not_depth,
	depth_is_what_lies_in_each_other_not_beside,
	answers_and_notifications_are_found_again_by_the_client,
	an_error_carries_category_number_and_name,
	hand_written_json_is_what_a_parser_reads,
	any_bytes_survive_base64,
	a_scan_finds_members_and_skips_what_it_does_not_know,
	a_scan_of_cut_off_text_ends,
	numbers_are_exact_or_refused)
