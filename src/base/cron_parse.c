/* The grammar of a line. Each field becomes a set of bits; what nobody can have meant (a step wider
 * than its field, a range that runs backwards, a day that no month has) is refused with its place,
 * because a job that never comes is not noticed until it is missed. */
#include <stdarg.h>
#include <strings.h>

#include "base/cron.h"

static const char *const month_names[] = {
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
};
static const char *const day_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

enum field { MINUTE, HOUR, DAY, MONTH, WEEKDAY, NFIELDS };

static const struct field_kind {
	const char *name;
	int min, max;
	const char *const *names;	/* of MIN and the following */
	int nnames;
} kinds[NFIELDS] = {
	[MINUTE] = { "minute", 0, 59, NULL, 0 },
	[HOUR] = { "hour", 0, 23, NULL, 0 },
	[DAY] = { "day of the month", 1, 31, NULL, 0 },
	[MONTH] = { "month", 1, 12, month_names, ARRAY_LEN(month_names) },
	[WEEKDAY] = { "day of the week", 0, 7, day_names, ARRAY_LEN(day_names) },
};

struct parser {
	const char *text;
	const char *at;
	struct cron_error *e;
};

static bool fail_at(struct parser *p, const char *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
static bool fail_at(struct parser *p, const char *at, const char *fmt, ...)
{
	va_list ap;

	p->e->at = (size_t)(at - p->text);
	va_start(ap, fmt);
	vsnprintf(p->e->message, sizeof(p->e->message), fmt, ap);
	va_end(ap);
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void skip_blanks(struct parser *p)
{
	while (is_blank(*p->at))
		p->at++;
}

/* Length of what a person would call a word here, for messages. */
static int shown(const char *at)
{
	return (int)MIN(strcspn(at, " \t,"), (size_t)24);
}

static bool by_name(struct parser *p, const struct field_kind *k, int *out)
{
	size_t n = 0;

	while (is_letter(p->at[n]))
		n++;
	for (int i = 0; i < k->nnames; i++)
		if (n == 3 && strncasecmp(p->at, k->names[i], 3) == 0) {
			p->at += n;
			*out = k->min + i;
			return true;
		}
	if (k->names == NULL)
		return fail_at(p, p->at, "%s: expected a number, not \"%.*s\"", k->name,
			       shown(p->at), p->at);
	return fail_at(p, p->at, "%s: there is no \"%.*s\"; the names are %s to %s", k->name,
		       shown(p->at), p->at, k->names[0], k->names[k->nnames - 1]);
}

/* Digits; a value too long to be right stays too large. */
static int digits(struct parser *p)
{
	int n = 0;

	for (; is_digit(*p->at); p->at++)
		n = MIN(n * 10 + (*p->at - '0'), 9999);
	return n;
}

static bool value(struct parser *p, const struct field_kind *k, int *out)
{
	const char *start = p->at;

	if (is_letter(*p->at))
		return by_name(p, k, out);
	if (!is_digit(*p->at))
		return fail_at(p, start, "%s: expected a number%s%s", k->name,
			       k->names != NULL ? " or a name" : "", *start == '?' ?
			       "; write * for any" : "");
	*out = digits(p);
	if (*out < k->min || *out > k->max)
		return fail_at(p, start, "%s: must be between %d and %d", k->name, k->min, k->max);
	return true;
}

/* Behind a range or *: "/N". */
static bool step(struct parser *p, const struct field_kind *k, int *out)
{
	const char *start = ++p->at;
	int most = k->max - k->min;

	if (!is_digit(*p->at))
		return fail_at(p, start, "%s: expected a number behind '/'", k->name);
	*out = digits(p);
	if (*out < 1 || *out > most)
		return fail_at(p, start, "%s: a step must be between 1 and %d", k->name, most);
	return true;
}

/* "*", "N", "N-M", each but the second also with "/STEP". */
static bool item(struct parser *p, const struct field_kind *k, uint64_t *bits)
{
	const char *start = p->at;
	int low = k->min, high = k->max, by = 1;
	bool range = *p->at == '*';

	if (range) {
		p->at++;
		/* Sunday is not to come twice */
		high -= k == &kinds[WEEKDAY];
	} else {
		if (!value(p, k, &low))
			return false;
		high = low;
		range = *p->at == '-';
		if (range) {
			p->at++;
			if (!value(p, k, &high))
				return false;
			if (k == &kinds[WEEKDAY] && high == 0 && low > 0)
				high = 7;	/* fri-sun */
		}
	}
	if (low > high)
		return fail_at(p, start, "%s: the range \"%.*s\" runs backwards", k->name,
			       shown(start), start);
	if (*p->at == '/') {
		if (!range)
			return fail_at(p, p->at, "%s: a step needs a range or * in front", k->name);
		if (!step(p, k, &by))
			return false;
	}
	for (int i = low; i <= high; i += by)
		*bits |= UINT64_C(1) << i;
	return true;
}

static bool field(struct parser *p, enum field f, uint64_t *bits)
{
	const struct field_kind *k = &kinds[f];

	*bits = 0;
	for (;;) {
		if (!item(p, k, bits))
			return false;
		if (*p->at != ',')
			break;
		p->at++;
	}
	if (*p->at != '\0' && !is_blank(*p->at))
		return fail_at(p, p->at, "%s: unexpected '%.*s'", k->name, shown(p->at), p->at);
	skip_blanks(p);
	return true;
}

static const struct shortcut {
	const char *name, *line;
} shortcuts[] = {
	{ "hourly", "0 * * * *" },	{ "daily", "0 0 * * *" },
	{ "midnight", "0 0 * * *" },	{ "weekly", "0 0 * * 0" },
	{ "monthly", "0 0 1 * *" },	{ "yearly", "0 0 1 1 *" },
	{ "annually", "0 0 1 1 *" },
};

/* "@daily": the line that it stands for; NULL: complained. */
static const char *shortcut(struct parser *p)
{
	const char *start = p->at++;
	size_t n = strcspn(p->at, " \t");

	for (size_t i = 0; i < ARRAY_LEN(shortcuts); i++) {
		if (strlen(shortcuts[i].name) != n ||
		    strncasecmp(p->at, shortcuts[i].name, n) != 0)
			continue;
		p->at += n;
		skip_blanks(p);
		if (*p->at == '\0')
			return shortcuts[i].line;
		fail_at(p, p->at, "unexpected text behind @%s", shortcuts[i].name);
		return NULL;
	}
	fail_at(p, start, "there is no @%.*s; use @hourly, @daily, @weekly, @monthly or @yearly",
		shown(p->at), p->at);
	return NULL;
}

/* "TZ=ZONE " */
static bool zone(struct parser *p, struct cron *out)
{
	size_t n = 0;

	if (strncmp(p->at, "CRON_TZ=", 8) == 0)
		n = 8;
	else if (strncmp(p->at, "TZ=", 3) == 0)
		n = 3;
	if (n == 0)
		return true;
	p->at += n;
	out->zone_at = (size_t)(p->at - p->text);
	out->zone_len = strcspn(p->at, " \t");
	if (out->zone_len == 0)
		return fail_at(p, p->at, "the time zone behind TZ= is missing");
	p->at += out->zone_len;
	skip_blanks(p);
	return true;
}

static int count_fields(const char *at)
{
	int n = 0;

	while (*at != '\0') {
		n++;
		at += strcspn(at, " \t");
		at += strspn(at, " \t");
	}
	return n;
}

static bool fields(struct parser *p, struct cron *out)
{
	uint64_t bits[NFIELDS];
	const char *start[NFIELDS];
	int n = count_fields(p->at);

	if (n != NFIELDS)
		return fail_at(p, p->at, "expected five fields (minute, hour, day of the month, "
			       "month, day of the week), not %d%s", n, n == 6 ?
			       "; there are no seconds and no years" : "");
	for (int f = 0; f < NFIELDS; f++) {
		start[f] = p->at;
		if (!field(p, (enum field)f, &bits[f]))
			return false;
	}
	out->minutes = bits[MINUTE];
	out->hours = (uint32_t)bits[HOUR];
	out->days = (uint32_t)bits[DAY];
	out->months = (uint32_t)bits[MONTH];
	out->weekdays = (uint32_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f);
	out->either_day = *start[DAY] != '*' && *start[WEEKDAY] != '*';
	return true;
}

static bool exists(const struct cron *c)
{
	for (int month = 1; month <= 12; month++) {
		int most = month == 2 ? 29 :
			   month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;

		if (c->months & 1u << month && c->days & ((UINT64_C(2) << most) - 2))
			return true;
	}
	/* Within 28 years, or 40, each date falls on each day of the week. */
	return c->either_day;
}

bool cron_parse(const char *text, struct cron *out, struct cron_error *e)
{
	struct parser p = { .text = text, .at = text, .e = e };
	struct cron_error inner;
	const char *first;

	*out = (struct cron){ 0 };
	skip_blanks(&p);
	if (!zone(&p, out))
		return false;
	first = p.at;
	if (*p.at == '@') {
		struct parser line = { .e = &inner };

		line.text = line.at = shortcut(&p);
		return line.at != NULL && fields(&line, out);
	}
	if (!fields(&p, out))
		return false;
	return exists(out) || fail_at(&p, first, "this can never come: none of the months has such "
				      "a day");
}
