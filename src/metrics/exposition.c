/* A scrape of thousands of subsystems is made here, so numbers are written by hand and labels are
 * rendered once for all samples that share them.
 *
 * OpenMetrics names the family of a counter without "_total", the older format with it; that is
 * all in which the two texts differ but for units and the end mark. */
#include "metrics/exposition.h"

#include "base/text.h"

ENUMTEXT(exposition_format, "format", [EXPOSITION_OPENMETRICS] = "openmetrics",
	 [EXPOSITION_PROMETHEUS] = "prometheus", [EXPOSITION_JSON] = "json");

const char *exposition_content_type(enum exposition_format format)
{
	static const char *const types[] = {
		[EXPOSITION_OPENMETRICS] =
			("application/openmetrics-text; version=1.0.0; charset=utf-8"),
		[EXPOSITION_PROMETHEUS] = "text/plain; version=0.0.4; charset=utf-8",
		[EXPOSITION_JSON] = "application/json",
	};

	return types[format];
}

static const char *const type_names[] = {
	[METRIC_GAUGE] = "gauge", [METRIC_COUNTER] = "counter", [METRIC_HISTOGRAM] = "histogram",
};

static bool is_json(const struct exposition *x)
{
	return x->format == EXPOSITION_JSON;
}

/* --- escaping ---------------------------------------------------------------------------------- */

static bool is_harmless(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] > 0x7e || s[i] == '"' || s[i] == '\\')
			return false;
	return true;
}

/* Both kinds of text and JSON take \\, \" and \n; JSON wants other control characters as
 * numbers. */
static void add_escaped_once(struct strbuf *out, const char *s, bool json)
{
	for (; *s != '\0'; s++) {
		if (*s == '\\' || *s == '"')
			strbuf_addch(out, '\\');
		if (*s == '\n')
			strbuf_addstr(out, "\\n");
		else if (json && (unsigned char)*s < 0x20)
			strbuf_addf(out, "\\u%04x", (unsigned)(unsigned char)*s);
		else
			strbuf_addch(out, *s);
	}
}

static void add_escaped(const struct exposition *x, struct strbuf *out, const char *s)
{
	auto_free(strbuf_fini) struct strbuf clean = STRBUF_INIT, inner = STRBUF_INIT;
	size_t n = strlen(s);

	if (is_harmless(s, n)) {
		strbuf_add(out, s, n);
		return;
	}
	if (!utf8_valid(s, n)) {
		utf8_clean(s, n, &clean);
		s = clean.buf;
	}
	if (!x->embedded || is_json(x)) {
		add_escaped_once(out, s, is_json(x));
		return;
	}
	add_escaped_once(&inner, s, false);
	add_escaped_once(out, inner.buf, true);
}

/* What text has at the end of a line and around values. */
static const char *newline(const struct exposition *x)
{
	return x->embedded ? "\\n" : "\n";
}

static const char *quote(const struct exposition *x)
{
	return x->embedded && !is_json(x) ? "\\\"" : "\"";
}

/* --- numbers ----------------------------------------------------------------------------------- */

static char *put_uint(char *at, uint64_t value)
{
	char digits[20];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	memcpy(at, digits + n, sizeof(digits) - n);
	return at + sizeof(digits) - n;
}

/* MICRO / 10^6: at least one digit behind the point, no more than needed. */
static char *put_micro(char *at, uint64_t micro)
{
	uint64_t rest = micro % 1000000;
	size_t n = 6;

	at = put_uint(at, micro / 1000000);
	at[0] = '.';
	for (size_t i = 6; i > 0; i--, rest /= 10)
		at[i] = (char)('0' + rest % 10);
	while (n > 1 && at[n] == '0')
		n--;
	return at + n + 1;
}

/* --- families ---------------------------------------------------------------------------------- */

void exposition_begin(struct exposition *x, enum exposition_format format, bool embedded,
		      struct strbuf *out)
{
	memset(x, 0, sizeof(*x));
	x->format = format;
	x->embedded = embedded;
	x->out = out;
	strbuf_init(&x->labels);
	if (is_json(x))
		strbuf_addstr(out, "{\"families\":[");
}

void exposition_end(struct exposition *x)
{
	if (is_json(x))
		strbuf_addstr(x->out, x->any_family ? "]}]}" : "]}");
	else if (x->format == EXPOSITION_OPENMETRICS)
		strbuf_addf(x->out, "# EOF%s", newline(x));
	strbuf_fini(&x->labels);
}

static void json_family(struct exposition *x, const char *unit, const char *help)
{
	strbuf_addf(x->out, "%s{\"name\":\"%s\",\"type\":\"%s\",\"unit\":\"%s\",\"help\":\"",
		    x->any_family ? "]}," : "", x->family, type_names[x->type], unit ? unit : "");
	add_escaped(x, x->out, help);
	strbuf_addstr(x->out, "\",\"samples\":[");
}

static void text_line(struct exposition *x, const char *what, const char *suffix, const char *rest)
{
	strbuf_addf(x->out, "# %s %s%s ", what, x->family, suffix);
	add_escaped(x, x->out, rest);
	strbuf_addstr(x->out, newline(x));
}

void metric_family(struct exposition *x, enum metric_type type, const char *name, const char *unit,
		   const char *help)
{
	bool open = x->format == EXPOSITION_OPENMETRICS;
	const char *suffix = type == METRIC_COUNTER && !open ? "_total" : "";

	metric_labels_clear(x);
	x->family = name;
	x->type = type;
	x->any_sample = false;
	if (is_json(x)) {
		json_family(x, unit, help);
	} else {
		text_line(x, "HELP", suffix, help);
		text_line(x, "TYPE", suffix, type_names[type]);
		if (unit != NULL && open)
			text_line(x, "UNIT", suffix, unit);
	}
	x->any_family = true;
}

/* --- labels ------------------------------------------------------------------------------------ */

void metric_labels_clear(struct exposition *x)
{
	strbuf_reset(&x->labels);
}

size_t metric_labels_mark(const struct exposition *x)
{
	return x->labels.len;
}

void metric_labels_back(struct exposition *x, size_t mark)
{
	x->labels.len = mark;
	if (x->labels.cap > 0)
		x->labels.buf[mark] = '\0';
}

void metric_label(struct exposition *x, const char *key, const char *value)
{
	struct strbuf *l = &x->labels;

	if (l->len > 0)
		strbuf_addch(l, ',');
	if (is_json(x))
		strbuf_addch(l, '"');
	strbuf_addstr(l, key);
	strbuf_addstr(l, is_json(x) ? "\":" : "=");
	strbuf_addstr(l, quote(x));
	add_escaped(x, l, value);
	strbuf_addstr(l, quote(x));
}

/* --- samples ----------------------------------------------------------------------------------- */

static char *put(char *at, const char *s, size_t n)
{
	memcpy(at, s, n);
	return at + n;
}

/* Everything but the value. Room for the longest value and what follows is reserved. */
static char *sample_begin(struct exposition *x, const char *suffix)
{
	size_t nfamily = strlen(x->family), nsuffix = strlen(suffix), nlabels = x->labels.len;
	char *at;

	strbuf_reserve(x->out, nfamily + nsuffix + nlabels + 96);
	at = x->out->buf + x->out->len;
	if (is_json(x)) {
		at = put(at, &",{\"name\":\""[!x->any_sample], 10 - !x->any_sample);
		x->any_sample = true;
	}
	at = put(at, x->family, nfamily);
	at = put(at, suffix, nsuffix);
	if (is_json(x))
		at = put(at, "\",\"labels\":{", 12);
	else if (nlabels > 0)
		*at++ = '{';
	at = put(at, x->labels.buf, nlabels);
	if (is_json(x))
		return put(at, "},\"value\":", 10);
	if (nlabels > 0)
		*at++ = '}';
	*at++ = ' ';
	return at;
}

static void sample_end(struct exposition *x, char *at)
{
	if (is_json(x))
		*at++ = '}';
	else
		at = put(at, newline(x), x->embedded ? 2 : 1);
	*at = '\0';
	x->out->len = (size_t)(at - x->out->buf);
}

void metric_uint(struct exposition *x, const char *suffix, uint64_t value)
{
	sample_end(x, put_uint(sample_begin(x, suffix), value));
}

void metric_micro(struct exposition *x, const char *suffix, uint64_t micro)
{
	sample_end(x, put_micro(sample_begin(x, suffix), micro));
}

void metric_histogram(struct exposition *x, const uint32_t *bounds_us, size_t n,
		      const uint64_t *counts, uint64_t sum_us)
{
	size_t mark = metric_labels_mark(x);
	uint64_t sum = 0;
	char bound[32];

	for (size_t i = 0; i <= n; i++) {
		if (i < n)
			*put_micro(bound, bounds_us[i]) = '\0';
		metric_label(x, "le", i < n ? bound : "+Inf");
		sum += counts[i];
		metric_uint(x, "_bucket", sum);
		metric_labels_back(x, mark);
	}
	metric_micro(x, "_sum", sum_us);
	metric_uint(x, "_count", sum);
}
