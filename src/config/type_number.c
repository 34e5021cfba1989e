/* Numbers: booleans, integers, floating-point, durations, sizes, permission bits. */
#include "config/type.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/units.h"

/* --- boolean -------------------------------------------------------------------------------- */

/* Outside files, where nothing is typed, people write 1 and True as well. */
static int bool_word(const struct value *v, bool untyped)
{
	static const char *const words[] = { "no", "yes", "off", "on", "0", "1", "false", "true" };

	if (v->kind == VALUE_BOOL)
		return v->boolean;
	for (size_t i = 0; untyped && v->text != NULL && i < ARRAY_LEN(words); i++)
		if (strcasecmp(v->text, words[i]) == 0)
			return (int)(i & 1);
	for (size_t i = 0; v->kind == VALUE_WORD && i < 4; i++)
		if (strcmp(v->text, words[i]) == 0)
			return (int)(i & 1);
	return -1;
}

static int bool_parse(struct parse *p, const struct value *v, void *obj)
{
	auto_free(value_fini) struct value tmp = VALUE_INIT;
	const struct value *plain = parse_plain(p, v, &tmp);
	int b;

	if (plain == NULL)
		return -EINVAL;
	b = bool_word(plain, p->untyped);
	if (b < 0)
		return parse_fail(p, v, "expected true or false (without quotes)");
	*FIELD(bool, p->o, obj) = b != 0;
	return 0;
}

static bool bool_equal(const struct option *o, const void *a, const void *b)
{
	return *CFIELD(bool, o, a) == *CFIELD(bool, o, b);
}

static void bool_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	(void)key;
	strbuf_addstr(out, *CFIELD(bool, o, obj) ? "true" : "false");
}

static json_t *bool_json(const struct option *o, int key, const void *obj)
{
	(void)key;
	return json_boolean(*CFIELD(bool, o, obj));
}

const struct option_type type_bool = {
	.name = "boolean", .shape = SHAPE_BOOL, .parse = bool_parse, .equal = bool_equal,
	.format = bool_format, .json = bool_json,
};

/* --- 64-bit fields: shared verbs ------------------------------------------------------------ */

static bool int_equal(const struct option *o, const void *a, const void *b)
{
	return *CFIELD(int64_t, o, a) == *CFIELD(int64_t, o, b);
}

static json_t *int_json(const struct option *o, int key, const void *obj)
{
	(void)key;
	return json_integer(*CFIELD(int64_t, o, obj));
}

/* --- integer -------------------------------------------------------------------------------- */

static int int_parse(struct parse *p, const struct value *v, void *obj)
{
	auto_free(value_fini) struct value tmp = VALUE_INIT;
	const struct value *plain = parse_plain(p, v, &tmp);

	if (plain == NULL)
		return -EINVAL;
	if (plain->kind != VALUE_INT)
		return parse_fail(p, v, "expected an integer%s", plain->kind == VALUE_STRING ?
				  " (without quotes)" : "");
	if (plain->integer < p->o->min || plain->integer > p->o->max)
		return parse_fail(p, v, "must be between %" PRId64 " and %" PRId64, p->o->min,
				  p->o->max);
	*FIELD(int64_t, p->o, obj) = plain->integer;
	return 0;
}

static void int_unset(const struct option *o, void *obj)
{
	*FIELD(int64_t, o, obj) = INT64_MIN;
}

static bool int_is_set(const struct option *o, int key, const void *obj)
{
	(void)key;
	return *CFIELD(int64_t, o, obj) != INT64_MIN;
}

static void int_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	(void)key;
	strbuf_addf(out, "%" PRId64, *CFIELD(int64_t, o, obj));
}

const struct option_type type_int = {
	.name = "integer", .shape = SHAPE_INT, .unset = int_unset, .parse = int_parse,
	.is_set = int_is_set, .equal = int_equal, .format = int_format, .json = int_json,
};

/* --- how many instances ---------------------------------------------------------------------- */

static void instances_unset(const struct option *o, void *obj)
{
	*FIELD(int64_t, o, obj) = 0;
}

static bool instances_is_set(const struct option *o, int key, const void *obj)
{
	(void)key;
	return *CFIELD(int64_t, o, obj) != 0;
}

/* One more or less is no change of the others: their names say how many there are. */
static bool instances_equal(const struct option *o, const void *a, const void *b)
{
	(void)o, (void)a, (void)b;
	return true;
}

const struct option_type type_instances = {
	.name = "number of instances", .shape = SHAPE_INT, .unset = instances_unset,
	.parse = int_parse, .is_set = instances_is_set, .equal = instances_equal,
	.format = int_format, .json = int_json,
};

/* --- floating-point ------------------------------------------------------------------------- */

static int float_parse(struct parse *p, const struct value *v, void *obj)
{
	auto_free(value_fini) struct value tmp = VALUE_INIT;
	const struct value *plain = parse_plain(p, v, &tmp);
	double d;

	if (plain == NULL)
		return -EINVAL;
	if (plain->kind != VALUE_FLOAT && plain->kind != VALUE_INT)
		return parse_fail(p, v, "expected a number");
	d = plain->kind == VALUE_INT ? (double)plain->integer : plain->number;
	if (!(d >= (double)p->o->min && d <= (double)p->o->max))
		return parse_fail(p, v, "must be between %" PRId64 " and %" PRId64, p->o->min,
				  p->o->max);
	*FIELD(double, p->o, obj) = d;
	return 0;
}

static bool float_equal(const struct option *o, const void *a, const void *b)
{
	/* Both come from the same parser: equal text gives equal bits. */
	return memcmp(CFIELD(double, o, a), CFIELD(double, o, b), sizeof(double)) == 0;
}

static void float_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	double d = *CFIELD(double, o, obj), back;
	char text[40];

	(void)key;
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, d);
		back = strtod(text, NULL);
		if (memcmp(&back, &d, sizeof(d)) == 0)
			break;
	}
	strbuf_addstr(out, text);
	if (strpbrk(text, ".en") == NULL)
		strbuf_addstr(out, ".0");
}

static json_t *float_json(const struct option *o, int key, const void *obj)
{
	(void)key;
	return json_real(*CFIELD(double, o, obj));
}

const struct option_type type_float = {
	.name = "number", .shape = SHAPE_NUMBER, .parse = float_parse, .equal = float_equal,
	.format = float_format, .json = float_json,
};

/* --- duration ------------------------------------------------------------------------------- */

static int duration_range(struct parse *p, const struct value *v)
{
	auto_free(strbuf_fini) struct strbuf low = STRBUF_INIT, high = STRBUF_INIT;

	if (p->unit == UNIT_MS)
		return parse_fail(p, v, "must be between %" PRId64 " and %" PRId64
				  " milliseconds", p->o->min, p->o->max);
	duration_format(p->o->min, &low);
	duration_format(p->o->max, &high);
	return parse_fail(p, v, "must be between %s and %s", low.buf, high.buf);
}

static int duration_value(struct parse *p, const struct value *v, const struct value *plain,
			  int64_t *ms)
{
	int ret;

	if (p->unit == UNIT_MS && plain->kind != VALUE_INT)
		return parse_fail(p, v, "expected a whole number of milliseconds");
	if (plain->kind == VALUE_INT) {
		if (__builtin_mul_overflow(plain->integer, p->unit == UNIT_MS ? 1 : MS_PER_SEC, ms))
			return duration_range(p, v);
		return 0;
	}
	ret = plain->text != NULL && plain->kind != VALUE_BOOL ? duration_parse(plain->text, ms) :
	      -EINVAL;
	if (ret == -ERANGE)
		return duration_range(p, v);
	if (ret < 0)
		return parse_fail(p, v, "expected a duration such as \"250ms\", \"10s\" or "
				  "\"1m30s\", or a number of seconds");
	return 0;
}

static int duration_option_parse(struct parse *p, const struct value *v, void *obj)
{
	auto_free(value_fini) struct value tmp = VALUE_INIT;
	const struct value *plain = parse_plain(p, v, &tmp);
	int64_t ms;

	if (plain == NULL || duration_value(p, v, plain, &ms) < 0)
		return -EINVAL;
	if (ms < p->o->min || ms > p->o->max)
		return duration_range(p, v);
	*FIELD(int64_t, p->o, obj) = ms;
	return 0;
}

static void duration_unset(const struct option *o, void *obj)
{
	*FIELD(int64_t, o, obj) = TIMEOUT_UNSET;
}

static bool duration_is_set(const struct option *o, int key, const void *obj)
{
	(void)key;
	return *CFIELD(int64_t, o, obj) >= 0;
}

static void duration_option_format(const struct option *o, int key, const void *obj,
				   struct strbuf *out)
{
	(void)key;
	strbuf_addch(out, '"');
	duration_format(*CFIELD(int64_t, o, obj), out);
	strbuf_addch(out, '"');
}

const struct option_type type_duration = {
	.name = "duration", .shape = SHAPE_DURATION, .unset = duration_unset,
	.parse = duration_option_parse, .is_set = duration_is_set, .equal = int_equal,
	.format = duration_option_format, .json = int_json,
};

/* --- size ----------------------------------------------------------------------------------- */

static int size_range(struct parse *p, const struct value *v)
{
	auto_free(strbuf_fini) struct strbuf high = STRBUF_INIT;

	size_format((uint64_t)p->o->max, &high);
	return parse_fail(p, v, "must be between %" PRId64 " and %s", p->o->min, high.buf);
}

static int size_option_parse(struct parse *p, const struct value *v, void *obj)
{
	auto_free(value_fini) struct value tmp = VALUE_INIT;
	const struct value *plain = parse_plain(p, v, &tmp);
	uint64_t bytes;
	int ret;

	if (plain == NULL)
		return -EINVAL;
	if (plain->kind == VALUE_INT && plain->integer < 0)
		return size_range(p, v);
	bytes = plain->kind == VALUE_INT ? (uint64_t)plain->integer : 0;
	ret = plain->kind == VALUE_INT ? 0 : plain->kind == VALUE_STRING ||
	      plain->kind == VALUE_WORD ? size_parse(plain->text, &bytes) : -EINVAL;
	if (ret == -EINVAL)
		return parse_fail(p, v, "expected a size such as 1048576, \"64K\" or \"100M\"");
	if (ret < 0 || bytes < (uint64_t)p->o->min || bytes > (uint64_t)p->o->max)
		return size_range(p, v);
	*FIELD(uint64_t, p->o, obj) = bytes;
	return 0;
}

static void size_option_format(const struct option *o, int key, const void *obj,
			       struct strbuf *out)
{
	(void)key;
	strbuf_addch(out, '"');
	size_format(*CFIELD(uint64_t, o, obj), out);
	strbuf_addch(out, '"');
}

const struct option_type type_size = {
	.name = "size", .shape = SHAPE_SIZE, .parse = size_option_parse, .equal = int_equal,
	.format = size_option_format, .json = int_json,
};

/* --- numbers with a unit behind them, not given by default -------------------------------------- */

struct unit_form {
	const char *suffix, *expected;
};

static const struct unit_form per_second = { "/s", "a number per second such as \"1000/s\"" };
static const struct unit_form per_cent = { "%", "per cent of one processor such as \"150%\"" };

static int with_unit_parse(struct parse *p, const struct value *v, void *obj,
			   const struct unit_form *unit)
{
	auto_free(freep) char *text = parse_string(p, v);
	char *end;
	long long n;

	if (text == NULL)
		return -EINVAL;
	errno = 0;
	n = strtoll(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || strcmp(end, unit->suffix) != 0)
		return parse_fail(p, v, "expected %s", unit->expected);
	if (errno != 0 || n < 1 || n > p->o->max)
		return parse_fail(p, v, "must be between \"1%s\" and \"%" PRId64 "%s\"",
				  unit->suffix, p->o->max, unit->suffix);
	*FIELD(int64_t, p->o, obj) = n;
	return 0;
}

static bool is_given(const struct option *o, int key, const void *obj)
{
	(void)key;
	return *CFIELD(int64_t, o, obj) > 0;
}

static int rate_parse(struct parse *p, const struct value *v, void *obj)
{
	return with_unit_parse(p, v, obj, &per_second);
}

static void rate_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	(void)key;
	strbuf_addf(out, "\"%" PRId64 "/s\"", *CFIELD(int64_t, o, obj));
}

static json_t *rate_json(const struct option *o, int key, const void *obj)
{
	(void)key;
	return json_sprintf("%lld/s", (long long)*CFIELD(int64_t, o, obj));
}

const struct option_type type_rate = {
	.name = "rate", .shape = SHAPE_STRING, .parse = rate_parse, .is_set = is_given,
	.equal = int_equal, .format = rate_format, .json = rate_json,
};

static int percent_parse(struct parse *p, const struct value *v, void *obj)
{
	return with_unit_parse(p, v, obj, &per_cent);
}

static void percent_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	(void)key;
	strbuf_addf(out, "\"%" PRId64 "%%\"", *CFIELD(int64_t, o, obj));
}

static json_t *percent_json(const struct option *o, int key, const void *obj)
{
	(void)key;
	return json_sprintf("%lld%%", (long long)*CFIELD(int64_t, o, obj));
}

const struct option_type type_percent = {
	.name = "per cent", .shape = SHAPE_STRING, .parse = percent_parse, .is_set = is_given,
	.equal = int_equal, .format = percent_format, .json = percent_json,
};

/* A size that may be absent. */
const struct option_type type_memory = {
	.name = "size", .shape = SHAPE_SIZE, .parse = size_option_parse, .is_set = is_given,
	.equal = int_equal, .format = size_option_format, .json = int_json,
};

/* --- permission bits ------------------------------------------------------------------------ */

static int octal_parse(struct parse *p, const struct value *v, void *obj)
{
	auto_free(freep) char *text = parse_text(p, v);
	const char *digits;
	long bits;

	if (text == NULL)
		return -EINVAL;
	digits = strncmp(text, "0o", 2) == 0 ? text + 2 : text;
	bits = strtol(digits, NULL, 8);
	if (*digits == '\0' || strlen(digits) > 5 || digits[strspn(digits, "01234567")] != '\0' ||
	    bits > p->o->max)
		return parse_fail(p, v, "expected octal permission bits such as \"%04o\", at most "
				  "\"%04o\"", p->o->max > 0777 ? 0644U : 0600U,
				  (unsigned)p->o->max);
	*FIELD(int64_t, p->o, obj) = bits;
	return 0;
}

static void octal_unset(const struct option *o, void *obj)
{
	*FIELD(int64_t, o, obj) = -1;
}

static void octal_text(const struct option *o, const void *obj, char text[16])
{
	snprintf(text, 16, "%04o", (unsigned)*CFIELD(int64_t, o, obj));
}

static void octal_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	char text[16];

	(void)key;
	octal_text(o, obj, text);
	strbuf_addf(out, "\"%s\"", text);
}

static json_t *octal_json(const struct option *o, int key, const void *obj)
{
	char text[16];

	(void)key;
	octal_text(o, obj, text);
	return json_string(text);
}

const struct option_type type_octal = {
	.name = "octal permission bits", .shape = SHAPE_STRING, .unset = octal_unset,
	.parse = octal_parse, .is_set = duration_is_set, .equal = int_equal, .format = octal_format,
	.json = octal_json,
};
