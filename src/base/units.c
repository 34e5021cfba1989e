/* Durations and sizes. Both are a decimal number with a unit from a small table; fractions are
 * kept as billionths, so nothing passes through floating point and every result is exact. */
#include "base/units.h"

#include <errno.h>

#define FRACTION_ONE UINT64_C(1000000000)

struct number {
	uint64_t whole;
	uint64_t billionths;
	bool has_fraction;
};

struct unit {
	const char *name;
	uint64_t factor;
};

/* From large to small: the order in which the parts of "1h30m" must come. */
static const struct unit duration_units[] = {
	{ "d", UINT64_C(86400000) },
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
};

static const struct unit size_units[] = {
	{ "E", UINT64_C(1) << 60 },
	{ "P", UINT64_C(1) << 50 },
	{ "T", UINT64_C(1) << 40 },
	{ "G", UINT64_C(1) << 30 },
	{ "M", UINT64_C(1) << 20 },
	{ "K", UINT64_C(1) << 10 },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* DIGITS[.DIGITS]. Digits behind the ninth of a fraction count as zero. */
static int number_parse(const char **text, struct number *out)
{
	const char *p = *text;
	uint64_t place = FRACTION_ONE / 10;

	*out = (struct number){ 0 };
	if (!is_digit(*p))
		return -EINVAL;
	for (; is_digit(*p); p++)
		if (__builtin_mul_overflow(out->whole, (uint64_t)10, &out->whole) ||
		    __builtin_add_overflow(out->whole, (uint64_t)(*p - '0'), &out->whole))
			return -ERANGE;
	if (*p == '.') {
		out->has_fraction = true;
		if (!is_digit(*++p))
			return -EINVAL;
		for (; is_digit(*p); p++, place /= 10)
			out->billionths += (uint64_t)(*p - '0') * place;
	}
	*text = p;
	return 0;
}

/* NUMBER times FACTOR, rounded up: what is not zero must not become zero. */
static int number_scale(const struct number *number, uint64_t factor, uint64_t *out)
{
	unsigned __int128 total = (unsigned __int128)number->whole * factor;

	total += ((unsigned __int128)number->billionths * factor + FRACTION_ONE - 1) / FRACTION_ONE;
	if (total > UINT64_MAX)
		return -ERANGE;
	*out = (uint64_t)total;
	return 0;
}

/* The index of the unit at *TEXT, which is advanced; -1 when there is none. */
static int duration_unit(const char **text)
{
	size_t len = strspn(*text, "dhms");

	for (size_t i = 0; i < ARRAY_LEN(duration_units); i++) {
		if (strlen(duration_units[i].name) != len ||
		    memcmp(duration_units[i].name, *text, len) != 0)
			continue;
		*text += len;
		return (int)i;
	}
	return -1;
}

int duration_parse(const char *text, int64_t *ms_out)
{
	const uint64_t limit = (uint64_t)(INT64_MAX / NS_PER_MS);
	bool range = false;
	uint64_t total = 0;
	int last = -1;

	do {
		struct number number;
		uint64_t part = 0;
		bool bare;
		int unit = 3;	/* seconds */
		int r = number_parse(&text, &number);

		if (r == -ERANGE) {
			/* Walk on: a malformed text is told as such, not as too large. */
			range = true;
			text += strspn(text, "0123456789.");
		} else if (r < 0) {
			return r;
		}
		bare = last == -1 && *text == '\0';
		if (!bare)
			unit = duration_unit(&text);
		if (unit <= last)
			return -EINVAL;
		if (number_scale(&number, duration_units[unit].factor, &part) < 0 ||
		    __builtin_add_overflow(total, part, &total) || total > limit)
			range = true;
		last = unit;
	} while (*text != '\0');
	if (range)
		return -ERANGE;
	*ms_out = (int64_t)total;
	return 0;
}

void duration_format(int64_t ms, struct strbuf *out)
{
	uint64_t rest = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
	uint64_t seconds;

	if (ms < 0)
		strbuf_addch(out, '-');
	if (rest < 1000) {
		if (rest == 0)
			strbuf_addstr(out, "0s");
		else
			strbuf_addf(out, "%ums", (unsigned int)rest);
		return;
	}
	for (size_t i = 0; i < 3; i++) {
		uint64_t count = rest / duration_units[i].factor;

		if (count != 0)
			strbuf_addf(out, "%llu%s", (unsigned long long)count,
				    duration_units[i].name);
		rest %= duration_units[i].factor;
	}
	seconds = rest / 1000;
	rest %= 1000;
	if (seconds != 0 && rest == 0)
		strbuf_addf(out, "%us", (unsigned int)seconds);
	else if (seconds == 0 && rest != 0)
		strbuf_addf(out, "%ums", (unsigned int)rest);
	else if (rest != 0) {
		int width = 3;

		for (; rest % 10 == 0; rest /= 10)
			width--;
		strbuf_addf(out, "%u.%0*us", (unsigned int)seconds, width, (unsigned int)rest);
	}
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* "", "B", "K", "KB", "KiB" and so on, in any case. 0: no such unit. */
static uint64_t size_factor(const char *text)
{
	uint64_t factor = 1;

	for (size_t i = 0; i < ARRAY_LEN(size_units); i++) {
		if (upper(text[0]) != size_units[i].name[0])
			continue;
		factor = size_units[i].factor;
		text++;
		if (upper(text[0]) == 'I' && upper(text[1]) == 'B')
			text++;
		break;
	}
	if (upper(text[0]) == 'B')
		text++;
	return *text == '\0' ? factor : 0;
}

int size_parse(const char *text, uint64_t *bytes_out)
{
	struct number number;
	uint64_t factor;
	int r = number_parse(&text, &number);

	if (r == -ERANGE)
		text += strspn(text, "0123456789");
	else if (r < 0)
		return r;
	factor = size_factor(text);
	if (factor == 0 || (number.has_fraction && factor == 1))
		return -EINVAL;
	if (r < 0)
		return r;
	return number_scale(&number, factor, bytes_out);
}

void size_format(uint64_t bytes, struct strbuf *out)
{
	const char *name = "";

	for (size_t i = 0; i < ARRAY_LEN(size_units); i++) {
		if (bytes == 0 || bytes % size_units[i].factor != 0)
			continue;
		bytes /= size_units[i].factor;
		name = size_units[i].name;
		break;
	}
	strbuf_addf(out, "%llu%s", (unsigned long long)bytes, name);
}
