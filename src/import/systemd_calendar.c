/* OnCalendar= as a line of cron. Both name sets of minutes, hours, days and months; what cron
 * cannot say (years, seconds that come again, days from the end of a month) is refused with the
 * reason. */
#include "import/systemd_calendar.h"

#include <ctype.h>
#include <errno.h>

#include "base/alloc.h"
#include "base/cron.h"
#include "base/strlist.h"
#include "base/text.h"

static const struct {
	const char *word, *line;
} words[] = {
	{ "minutely", "* * * * *" }, { "hourly", "@hourly" }, { "daily", "@daily" },
	{ "weekly", "0 0 * * mon" },	/* @weekly is a Sunday */
	{ "monthly", "@monthly" }, { "quarterly", "0 0 1 1,4,7,10 *" },
	{ "semiannually", "0 0 1 1,7 *" }, { "semi-annually", "0 0 1 1,7 *" },
	{ "biannually", "0 0 1 1,7 *" }, { "bi-annually", "0 0 1 1,7 *" }, { "yearly", "@yearly" },
	{ "annually", "@yearly" },
};

struct calendar {
	struct strbuf minute, hour, day, month;
	unsigned weekdays;	/* bit 0: Monday; 0: any */
	const char *zone;
	const char *why;
};

static int refuse(struct calendar *c, const char *why)
{
	c->why = why;
	return -EINVAL;
}

/* --- parts ------------------------------------------------------------------------------------- */

/* The number at *P, at most MAX. */
static bool take_number(const char **p, unsigned max, unsigned *out)
{
	size_t n = strspn(*p, "0123456789");

	if (n == 0 || n > 4)
		return false;
	*out = (unsigned)atoi(*p);
	*p += n;
	return *out <= max;
}

/* "*", "*" and a step, "5", "1..5", "10/15", and lists of these, to cron's. */
static int take_part(struct calendar *c, const char *text, unsigned min, unsigned max,
		     struct strbuf *out)
{
	const char *p = text;

	do {
		unsigned from = min, to = max, step = 0;
		bool all = *p == '*', range = false;

		p += p > text && *p == ',';
		all = *p == '*';
		if (all)
			p++;
		else if (!take_number(&p, max, &from) || from < min)
			return refuse(c, "a number in it is out of range, or none");
		if (!all && p[0] == '.' && p[1] == '.') {
			p += 2;
			range = true;
			if (!take_number(&p, max, &to) || to < from)
				return refuse(c, "a range in it does not go up");
		}
		if (*p == '/') {
			p++;
			if (!take_number(&p, 1000, &step) || step == 0)
				return refuse(c, "a step in it is no number");
		}
		strbuf_addstr(out, out->len > 0 ? "," : "");
		if (all || (step > 0 && from == min && to == max))
			strbuf_addch(out, '*');
		else
			strbuf_addf(out, "%u", from);
		if (!all && (range || (step > 0 && from > min)))
			strbuf_addf(out, "-%u", to);
		if (step > 0)
			strbuf_addf(out, "/%u", step);
	} while (*p == ',');
	return *p == '\0' ? 0 : refuse(c, "cron has nothing like it");
}

/* TEXT cut at each SIGN into at most 3. */
static size_t cut(char *text, char sign, char *parts[3])
{
	size_t n = 0;

	for (char *p = text; p != NULL; n++) {
		char *next = strchr(p, sign);

		if (n == 3)
			return 4;
		if (next != NULL)
			*next++ = '\0';
		parts[n] = p;
		p = next;
	}
	return n;
}

static int take_date(struct calendar *c, char *text)
{
	char *parts[3];
	size_t n;

	if (strchr(text, '~') != NULL)
		return refuse(c, "cron has no days from the end of a month");
	n = cut(text, '-', parts);
	if (n != 2 && n != 3)
		return refuse(c, "its date has not two or three parts");
	if (n == 3 && strcmp(parts[0], "*") != 0)
		return refuse(c, "cron has no years");
	return take_part(c, parts[n - 2], 1, 12, &c->month) < 0 ||
	       take_part(c, parts[n - 1], 1, 31, &c->day) < 0 ? -EINVAL : 0;
}

static int take_time(struct calendar *c, char *text)
{
	char *parts[3];
	size_t n = cut(text, ':', parts);

	if (n != 2 && n != 3)
		return refuse(c, "its time has not two or three parts");
	if (n == 3 && parts[2][strspn(parts[2], "0123456789")] != '\0')
		return refuse(c, "cron counts in minutes");
	return take_part(c, parts[0], 0, 23, &c->hour) < 0 ||
	       take_part(c, parts[1], 0, 59, &c->minute) < 0 ? -EINVAL : 0;
}

/* --- days of the week -------------------------------------------------------------------------- */

static const char *const days[] = {
	"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
};

/* The day at *P, whose name may be its first three letters; -1: none is. */
static int take_day(const char **p)
{
	size_t n = 0;

	while (isalpha((unsigned char)(*p)[n]))
		n++;
	for (int i = 0; i < 7; i++)
		if ((n == 3 || n == strlen(days[i])) && strncasecmp(*p, days[i], n) == 0) {
			*p += n;
			return i;
		}
	return -1;
}

/* False: these are none. */
static bool take_days(struct calendar *c, const char *text)
{
	for (const char *p = text;; p++) {
		int from = take_day(&p), to = from;

		if (from < 0)
			return false;
		if ((p[0] == '.' && p[1] == '.') || *p == '-') {
			p += *p == '-' ? 1 : 2;
			to = take_day(&p);
		}
		if (to < 0 || (*p != ',' && *p != '\0'))
			return false;
		for (int i = from;; i = (i + 1) % 7) {
			c->weekdays |= 1u << i;
			if (i == to)
				break;
		}
		if (*p == '\0' || p[1] == '\0')
			return true;
	}
}

static void add_days(const struct calendar *c, struct strbuf *out)
{
	size_t start = out->len;

	if (c->weekdays == 0 || c->weekdays == 0x7f) {
		strbuf_addch(out, '*');
		return;
	}
	if (c->weekdays == 0x1f) {
		strbuf_addstr(out, "mon-fri");
		return;
	}
	for (int i = 0; i < 7; i++)
		if (c->weekdays >> i & 1)
			strbuf_addf(out, "%s%.3s", out->len > start ? "," : "", days[i]);
}

/* --- all of it --------------------------------------------------------------------------------- */

static int take_token(struct calendar *c, char *token)
{
	if (isalpha((unsigned char)*token) && take_days(c, token))
		return 0;
	if (strchr(token, ':') != NULL)
		return take_time(c, token);
	if (isalpha((unsigned char)*token) && c->zone == NULL) {
		c->zone = token;
		return 0;
	}
	return take_date(c, token);
}

static const char *line_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(word, words[i].word) == 0)
			return words[i].line;
	return NULL;
}

static void write_line(struct calendar *c, struct strbuf *out)
{
	bool day = c->day.len > 0 && *c->day.buf != '*';

	strbuf_addf(out, "%s %s %s %s ", c->minute.len > 0 ? c->minute.buf : "0",
		    c->hour.len > 0 ? c->hour.buf : "0", c->day.len > 0 ? c->day.buf : "*",
		    c->month.len > 0 ? c->month.buf : "*");
	if (day && c->weekdays == 0x40)
		strbuf_addstr(out, "*/7");	/* a Sunday; behind a star both days count */
	else
		add_days(c, out);
	if (day && c->weekdays != 0 && c->weekdays != 0x7f && c->weekdays != 0x40)
		c->why = "cron runs on either of two days, where this wants both";
}

static int convert(struct calendar *c, const struct strlist *tokens, struct strbuf *out)
{
	struct cron cron;
	struct cron_error e;

	const char *line = tokens->n > 0 ? line_of(tokens->items[0]) : NULL;

	for (size_t i = line != NULL; i < tokens->n; i++)
		if (c->zone != NULL || take_token(c, tokens->items[i]) < 0)
			return refuse(c,
				      c->why != NULL ? c->why : "something follows its time zone");
	if (line == NULL && (tokens->n == 0 || c->zone == tokens->items[0]))
		return refuse(c, "it is no time");
	if (c->zone != NULL)
		strbuf_addf(out, "TZ=%s ", c->zone);
	if (line != NULL)
		strbuf_addstr(out, line);
	else
		write_line(c, out);
	if (c->why == NULL && !cron_parse(out->buf, &cron, &e))
		c->why = "cron cannot say it";
	return c->why == NULL ? 0 : -EINVAL;
}

const char *calendar_cron(const char *text, struct strbuf *out)
{
	struct calendar c = {
		.minute = STRBUF_INIT, .hour = STRBUF_INIT, .day = STRBUF_INIT, .month = STRBUF_INIT,
	};
	auto_free(strlist_fini) struct strlist tokens = STRLIST_INIT;
	auto_free(freep) char *copy = x_strdup(text);
	char *rest = NULL;

	for (char *t = strtok_r(copy, " \t", &rest); t != NULL; t = strtok_r(NULL, " \t", &rest))
		strlist_add(&tokens, t);
	if (convert(&c, &tokens, out) < 0)
		strbuf_reset(out);
	strbuf_fini(&c.minute);
	strbuf_fini(&c.hour);
	strbuf_fini(&c.day);
	strbuf_fini(&c.month);
	return c.why;
}
