#include "base/util.h"
#include "metrics/exposition.h"
#include "unit.h"

static struct exposition x;
static struct strbuf out = STRBUF_INIT;

static void begin(enum exposition_format format, bool embedded)
{
	strbuf_reset(&out);
	exposition_begin(&x, format, embedded, &out);
}

static const char *end(void)
{
	exposition_end(&x);
	return out.buf;
}

START_TEST(a_counter_has_its_suffix_on_samples_only)
{
	begin(EXPOSITION_OPENMETRICS, false);
	metric_family(&x, METRIC_COUNTER, "a_seconds", "seconds", "What it is.");
	metric_label(&x, "name", "web");
	metric_micro(&x, "_total", 1500000);
	ck_assert_str_eq(end(), "# HELP a_seconds What it is.\n# TYPE a_seconds counter\n"
			 "# UNIT a_seconds seconds\na_seconds_total{name=\"web\"} 1.5\n# EOF\n");
	begin(EXPOSITION_PROMETHEUS, false);
	metric_family(&x, METRIC_COUNTER, "a_seconds", "seconds", "What it is.");
	metric_uint(&x, "_total", 7);
	ck_assert_str_eq(end(), "# HELP a_seconds_total What it is.\n"
			 "# TYPE a_seconds_total counter\na_seconds_total 7\n");
}
END_TEST

START_TEST(numbers_have_the_digits_they_need)
{
	static const struct {
		uint64_t micro;
		const char *text;
	} rows[] = {
		{ 0, "0.0" }, { 1, "0.000001" }, { 10, "0.00001" }, { 999999, "0.999999" },
		{ 1000000, "1.0" }, { 2500000, "2.5" }, { 1795425685008115, "1795425685.008115" },
		{ UINT64_MAX, "18446744073709.551615" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin(EXPOSITION_PROMETHEUS, false);
		x.family = "f";
		metric_micro(&x, "", rows[i].micro);
		out.buf[out.len - 1] = '\0';
		ck_assert_str_eq(out.buf + 2, rows[i].text);
		end();
	}
}
END_TEST

START_TEST(labels_are_escaped_and_can_be_taken_back)
{
	size_t mark;

	begin(EXPOSITION_OPENMETRICS, false);
	metric_family(&x, METRIC_GAUGE, "g", NULL, "h");
	metric_label(&x, "a", "q\"b\\n\nz\xff");
	mark = metric_labels_mark(&x);
	metric_label(&x, "b", "2");
	metric_uint(&x, "", 1);
	metric_labels_back(&x, mark);
	metric_uint(&x, "", 2);
	ck_assert_str_eq(end() + strlen("# HELP g h\n# TYPE g gauge\n"),
			 "g{a=\"q\\\"b\\\\n\\nz\xef\xbf\xbd\",b=\"2\"} 1\n"
			 "g{a=\"q\\\"b\\\\n\\nz\xef\xbf\xbd\"} 2\n# EOF\n");
}
END_TEST

START_TEST(a_histogram_is_cumulative_and_ends_with_infinity)
{
	static const uint32_t bounds[] = { 5000, 1000000 };
	static const uint64_t counts[] = { 2, 3, 1 };

	begin(EXPOSITION_OPENMETRICS, false);
	metric_family(&x, METRIC_HISTOGRAM, "h_seconds", "seconds", "h");
	metric_label(&x, "name", "w");
	metric_histogram(&x, bounds, 2, counts, 2500000);
	ck_assert_str_eq(strstr(end(), "seconds\nh_") + 8,
			 "h_seconds_bucket{name=\"w\",le=\"0.005\"} 2\n"
			 "h_seconds_bucket{name=\"w\",le=\"1.0\"} 5\n"
			 "h_seconds_bucket{name=\"w\",le=\"+Inf\"} 6\n"
			 "h_seconds_sum{name=\"w\"} 2.5\nh_seconds_count{name=\"w\"} 6\n# EOF\n");
}
END_TEST

START_TEST(text_in_a_json_string_is_the_same_text)
{
	begin(EXPOSITION_OPENMETRICS, true);
	metric_family(&x, METRIC_GAUGE, "g", NULL, "h");
	metric_label(&x, "a", "x\"y");
	metric_uint(&x, "", 1);
	ck_assert_str_eq(end(), "# HELP g h\\n# TYPE g gauge\\ng{a=\\\"x\\\\\\\"y\\\"} 1\\n# EOF\\n");
}
END_TEST

START_TEST(json_holds_the_same)
{
	begin(EXPOSITION_JSON, false);
	ck_assert_str_eq(end(), "{\"families\":[]}");
	begin(EXPOSITION_JSON, false);
	metric_family(&x, METRIC_GAUGE, "g", NULL, "h");
	metric_label(&x, "a", "x\"\t");
	metric_uint(&x, "", 1);
	metric_uint(&x, "", 2);
	metric_family(&x, METRIC_COUNTER, "c", NULL, "h");
	ck_assert_str_eq(end(), "{\"families\":["
		"{\"name\":\"g\",\"type\":\"gauge\",\"unit\":\"\",\"help\":\"h\",\"samples\":["
		"{\"name\":\"g\",\"labels\":{\"a\":\"x\\\"\\u0009\"},\"value\":1},"
		"{\"name\":\"g\",\"labels\":{\"a\":\"x\\\"\\u0009\"},\"value\":2}]},"
		"{\"name\":\"c\",\"type\":\"counter\",\"unit\":\"\",\"help\":\"h\",\"samples\":[]}]}");
}
END_TEST

UNIT_MAIN("metrics: exposition", a_counter_has_its_suffix_on_samples_only,
	  numbers_have_the_digits_they_need, labels_are_escaped_and_can_be_taken_back,
	  a_histogram_is_cumulative_and_ends_with_infinity,
	  text_in_a_json_string_is_the_same_text, json_holds_the_same)
