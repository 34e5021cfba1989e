/* Events as text: the hand-written one and the general ones. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "event/event.h"

#include "unit.h"

static struct chan *chan;

static void set_up(void)
{
	bool lost;

	chan = chan_open(-1, 1, 16, CHAN_LOCK_FREE, &lost);
	ck_assert_ptr_nonnull(chan);
}

static void tear_down(void)
{
	chan_free(chan);
}

/* The line of the event that was sent last. */
static char *last_line(void)
{
	auto_free(strbuf_fini) struct strbuf body = STRBUF_INIT;
	struct strbuf line = STRBUF_INIT;
	uint64_t cursor = chan_last_seq(chan) - 1, lost;

	ck_assert_int_eq(chan_try_recv(chan, &cursor, &body, &lost), CHAN_OK);
	event_line(cursor, body.buf, body.len, &line);
	return strbuf_detach(&line);
}

static json_t *parse(const char *line)
{
	auto_free(error_fini) struct error e = ERROR_INIT;
	json_t *j = json_parse_untrusted(line, strlen(line), 32, &e);

	ck_assert_msg(j != NULL, "%s: %s", e.message, line);
	return j;
}

static struct state_event plain_event(void)
{
	return (struct state_event){
		.id = 1, .name = "web", .state = STATE_FAILED, .prev = STATE_RUNNING,
		.at_real_ns = INT64_C(1795378867123456789), .at_mono_ns = INT64_C(81234567890),
		.pid = 4242, .exit_code = -1, .signal = 9, .reason = REASON_SIGNAL,
		.restart_count = 3, .next_restart_ms = 800, .core_dumped = -1,
	};
}

START_TEST(a_state_change_looks_as_in_the_contract)
{
	struct state_event e = plain_event();
	auto_free(freep) char *line = NULL;

	ck_assert_uint_eq(event_state_changed(chan, &e), 1);
	line = last_line();
	ck_assert_str_eq(line,
		"{\"type\":\"state_changed\",\"seq\":1,\"id\":1,\"name\":\"web\","
		"\"state\":\"failed\",\"prev\":\"running\","
		"\"at\":\"2026-11-22T20:21:07.123456789Z\",\"at_mono_ns\":81234567890,"
		"\"pid\":4242,\"exit_code\":null,\"signal\":\"SIGKILL\",\"reason\":\"signal\","
		"\"restart_count\":3,\"next_restart_ms\":800}");
}
END_TEST

START_TEST(a_change_of_readiness_looks_as_in_the_contract)
{
	struct ready_event e = { .id = 7, .name = "a\"b", .ready = true, .reason = REASON_START };
	auto_free(freep) char *line = NULL;
	auto_free(json_decrefp) json_t *j = NULL;

	ck_assert_uint_eq(event_ready_changed(chan, &e), 1);
	line = last_line();
	j = parse(line);
	ck_assert_str_eq(json_string_value(json_object_get(j, "type")), "ready_changed");
	ck_assert_ptr_nonnull(json_string_value(json_object_get(j, "at")));
	ck_assert_int_gt(json_integer_value(json_object_get(j, "at_mono_ns")), 0);
	ck_assert_ptr_nonnull(strstr(line, ",\"id\":7,\"name\":\"a\\\"b\",\"ready\":true,"
					   "\"reason\":\"start\"}"));
}
END_TEST

START_TEST(exceptions_are_told_only_when_they_are_so)
{
	struct state_event e = plain_event();
	auto_free(freep) char *line = NULL;

	e.pid = 0;
	e.exit_code = 0;
	e.signal = 0;
	e.next_restart_ms = -1;
	e.gave_up = e.killed = true;
	e.core_dumped = 0;
	e.error_stage = "exec";
	e.error_errno = 2;
	e.error_message = "cannot execute /no/such: No such file or directory";
	event_state_changed(chan, &e);
	line = last_line();
	ck_assert_ptr_nonnull(strstr(line,
		"\"pid\":null,\"exit_code\":0,\"signal\":null,\"reason\":\"signal\","
		"\"restart_count\":3,\"next_restart_ms\":null,\"gave_up\":true,\"killed\":true,"
		"\"core_dumped\":false,\"error\":{\"stage\":\"exec\",\"errno\":\"ENOENT\","
		"\"message\":\"cannot execute /no/such: No such file or directory\"}}"));
	json_decref(parse(line));
}
END_TEST

START_TEST(an_error_without_errno_or_message_is_valid_too)
{
	struct state_event e = plain_event();
	auto_free(freep) char *line = NULL;

	e.core_dumped = 1;
	e.error_stage = "limits";
	event_state_changed(chan, &e);
	line = last_line();
	ck_assert_ptr_nonnull(strstr(line, "\"core_dumped\":true,\"error\":{\"stage\":\"limits\","
					   "\"errno\":null,\"message\":\"\"}}"));
}
END_TEST

/* The own escaper against jansson and base/text.h. */
START_TEST(text_from_outside_becomes_valid_utf8_and_nothing_else_changes)
{
	static const char *const texts[] = {
		"plain", "tab\tnewline\nquote\"backslash\\", "\x01\x1f\x7f", "grün € 𝄞",
		"\xff\xfe", "cut \xe2\x82", "cut \xf0\x9f\x98", "overlong \xc0\xaf \xe0\x80\xaf",
		"surrogate \xed\xa0\x80", "too high \xf4\x90\x80\x80", "\x80 alone", "a\xc3(b",
		"\xf0\x9f\x98\xe2\x82\xac", "",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct state_event e = plain_event();
		auto_free(freep) char *line = NULL;
		auto_free(json_decrefp) json_t *j = NULL;
		auto_free(strbuf_fini) struct strbuf clean = STRBUF_INIT;

		e.name = texts[i];
		e.error_stage = "exec";
		e.error_message = texts[i];
		event_state_changed(chan, &e);
		line = last_line();
		j = parse(line);
		utf8_clean(texts[i], strlen(texts[i]), &clean);
		ck_assert_str_eq(json_string_value(json_object_get(j, "name")), clean.buf);
		ck_assert_str_eq(json_string_value(json_object_get(json_object_get(j, "error"),
								   "message")), clean.buf);
	}
}
END_TEST

START_TEST(the_longest_texts_are_cut_and_stay_valid)
{
	static const char *const fillers[] = { "x", "\"", "\x01", "\xff", "€", "𝄞" };

	for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
		struct state_event e = plain_event();
		auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
		auto_free(freep) char *line = NULL;
		const char *message;
		json_t *j;

		while (text.len < 20000)
			strbuf_addstr(&text, fillers[i]);
		e.name = e.error_stage = e.error_message = text.buf;
		event_state_changed(chan, &e);
		line = last_line();
		j = parse(line);
		message = json_string_value(json_object_get(json_object_get(j, "error"),
							    "message"));
		ck_assert_uint_gt(strlen(message), 300);
		json_decref(j);
	}
}
END_TEST

START_TEST(times_before_the_epoch_and_at_borders_of_seconds_are_right)
{
	static const int64_t times[] = {
		0, 1, -1, 999999999, 1000000000, -1000000000, INT64_C(1795378867000000000),
		INT64_C(1795378866999999999), INT64_MAX,
	};

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		struct state_event e = plain_event();
		auto_free(freep) char *line = NULL;
		auto_free(strbuf_fini) struct strbuf want = STRBUF_INIT;

		e.at_real_ns = times[i];
		e.at_mono_ns = -5;
		event_state_changed(chan, &e);
		line = last_line();
		strbuf_addstr(&want, "\"at\":\"");
		clock_format_rfc3339(times[i], &want);
		strbuf_addstr(&want, "\",\"at_mono_ns\":-5,");
		ck_assert_msg(strstr(line, want.buf) != NULL, "%s in %s", want.buf, line);
	}
}
END_TEST

START_TEST(other_events_have_their_fields_behind_type_seq_and_time)
{
	json_t *fields = json_pack("{s:s, s:i}", "name", "web", "limit", 7);
	auto_free(freep) char *line = NULL;
	auto_free(json_decrefp) json_t *j = NULL;

	event_send(chan, EVENT_RESOURCE_ALERT, fields);
	line = last_line();
	j = parse(line);
	ck_assert_ptr_eq(strstr(line, "{\"type\":\"resource_alert\",\"seq\":1,\"at\":\""), line);
	ck_assert_ptr_nonnull(strstr(line, "Z\",\"at_mono_ns\":"));
	ck_assert_ptr_nonnull(strstr(line, ",\"name\":\"web\",\"limit\":7}"));
	ck_assert_ptr_null(json_object_get(j, "truncated"));
	ck_assert_uint_eq(event_send(chan, EVENT_SHUTDOWN_STARTED, NULL), 2);
}
END_TEST

START_TEST(every_kind_has_a_name)
{
	for (int i = 0; i < EVENT_COUNT; i++)
		ck_assert_str_ne(enumtext_name(&event_kind_text, i), "?");
	for (int i = 0; i < STATE_NSTATES; i++)
		ck_assert_str_ne(enumtext_name(&subsystem_state_text, i), "?");
	for (int i = 0; i < REASON_COUNT; i++)
		ck_assert_str_ne(enumtext_name(&reason_text, i), "?");
}
END_TEST

START_TEST(thousands_of_errors_are_cut_to_what_fits_and_the_event_says_so)
{
	json_t *errors = json_array();
	auto_free(freep) char *line = NULL;
	auto_free(json_decrefp) json_t *j = NULL;
	size_t kept;

	for (int i = 0; i < 5000; i++)
		json_array_append_new(errors, json_pack("{s:s, s:i, s:i, s:s}", "file",
			"/etc/procd/daemon.toml", "line", i, "column", 1, "message",
			"unknown key \"foo\""));
	event_send(chan, EVENT_CONFIG_REJECTED, json_pack("{s:o}", "errors", errors));
	line = last_line();
	j = parse(line);
	ck_assert(json_is_true(json_object_get(j, "truncated")));
	kept = json_array_size(json_object_get(j, "errors"));
	ck_assert_uint_gt(kept, 50);
	ck_assert_uint_le(strlen(line), 8 * 1024 + 32);
	ck_assert_uint_ge(strlen(line), 7 * 1024);
}
END_TEST

START_TEST(one_endless_message_is_cut_at_a_character)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	auto_free(freep) char *line = NULL;
	auto_free(json_decrefp) json_t *j = NULL;

	while (text.len < 300000)
		strbuf_addstr(&text, "€");
	event_send(chan, EVENT_CONFIG_REJECTED, json_pack("{s:[{s:s}]}", "errors", "message",
							  text.buf));
	line = last_line();
	j = parse(line);
	ck_assert(json_is_true(json_object_get(j, "truncated")));
	ck_assert_uint_eq(json_array_size(json_object_get(j, "errors")), 1);
}
END_TEST

START_TEST(thousands_of_names_of_a_shutdown_fit_into_the_smallest_ring)
{
	json_t *names = json_array();
	auto_free(freep) char *line = NULL;
	auto_free(json_decrefp) json_t *j = NULL;

	for (int i = 0; i < 10000; i++)
		json_array_append_new(names, json_sprintf("worker@%05d", i));
	event_send(chan, EVENT_SHUTDOWN_PROGRESS,
		   json_pack("{s:s, s:i, s:i, s:o}", "phase", "graceful", "stopped", 0, "total",
			     10000, "remaining", names));
	line = last_line();
	j = parse(line);
	ck_assert(json_is_true(json_object_get(j, "truncated")));
	ck_assert_uint_gt(json_array_size(json_object_get(j, "remaining")), 900);
	ck_assert_uint_le(strlen(line), 16 * 1024);
}
END_TEST

START_TEST(a_gap_has_no_seq)
{
	auto_free(strbuf_fini) struct strbuf line = STRBUF_INIT;

	event_gap_line(17, &line);
	ck_assert_str_eq(line.buf, "{\"type\":\"gap\",\"lost\":17}");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_state_change_looks_as_in_the_contract,
		a_change_of_readiness_looks_as_in_the_contract,
		exceptions_are_told_only_when_they_are_so,
		an_error_without_errno_or_message_is_valid_too,
		text_from_outside_becomes_valid_utf8_and_nothing_else_changes,
		the_longest_texts_are_cut_and_stay_valid,
		times_before_the_epoch_and_at_borders_of_seconds_are_right,
		other_events_have_their_fields_behind_type_seq_and_time,
		every_kind_has_a_name,
		thousands_of_errors_are_cut_to_what_fits_and_the_event_says_so,
		one_endless_message_is_cut_at_a_character,
		thousands_of_names_of_a_shutdown_fit_into_the_smallest_ring,
		a_gap_has_no_seq,
	};

	return unit_run_in("event: json", set_up, tear_down, tests, ARRAY_LEN(tests));
}
