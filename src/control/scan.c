/* A cursor over JSON text. Values are skipped by counting brackets outside of strings. */
#include "control/scan.h"

static void skip_blanks(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' ||
				  *s->at == '\r'))
		s->at++;
}

static bool skip_char(struct scan *s, char c)
{
	skip_blanks(s);
	if (s->at >= s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

bool scan_enter(struct scan *s, char bracket)
{
	return skip_char(s, bracket);
}

/* From the opening quote to behind the closing one. */
static bool skip_string(struct scan *s)
{
	if (!skip_char(s, '"'))
		return false;
	for (;;) {
		const char *quote = memchr(s->at, '"', (size_t)(s->end - s->at));
		const char *escape;

		if (!quote)
			return false;
		escape = memchr(s->at, '\\', (size_t)(quote - s->at));
		if (!escape) {
			s->at = quote + 1;
			return true;
		}
		s->at = MIN(escape + 2, s->end);
	}
}

bool scan_key(struct scan *s, struct span *key)
{
	if (skip_char(s, '}'))
		return false;
	skip_char(s, ',');
	skip_blanks(s);
	key->s = s->at + 1;
	if (!skip_string(s))
		return false;
	key->n = (size_t)(s->at - 1 - key->s);
	return skip_char(s, ':');
}

bool scan_element(struct scan *s)
{
	if (skip_char(s, ']'))
		return false;
	skip_char(s, ',');
	skip_blanks(s);
	return s->at < s->end;
}

static bool skip_container(struct scan *s)
{
	size_t depth = 0;

	while (s->at < s->end) {
		char c = *s->at;

		if (c == '"') {
			if (!skip_string(s))
				return false;
			continue;
		}
		s->at++;
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			return true;
	}
	return false;
}

static bool ends_word(char c)
{
	return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool scan_value(struct scan *s, struct span *value)
{
	skip_blanks(s);
	value->s = s->at;
	if (s->at >= s->end)
		return false;
	if (*s->at == '"') {
		if (!skip_string(s))
			return false;
	} else if (*s->at == '{' || *s->at == '[') {
		if (!skip_container(s))
			return false;
	} else {
		while (s->at < s->end && !ends_word(*s->at))
			s->at++;
	}
	value->n = (size_t)(s->at - value->s);
	return value->n > 0;
}

bool span_int(struct span v, int64_t *out)
{
	bool negative = v.n > 0 && v.s[0] == '-';
	int64_t value = 0;

	if (v.n == negative)
		return false;
	for (size_t i = negative; i < v.n; i++)
		if (v.s[i] < '0' || v.s[i] > '9' ||
		    __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, v.s[i] - '0', &value))
			return false;
	if (!negative && value == INT64_MIN)
		return false;
	*out = negative ? value : -value;
	return true;
}

static int hex4(const char *s)
{
	int value = 0;

	for (int i = 0; i < 4; i++) {
		const char *digits = "0123456789abcdef0123456789ABCDEF";
		const char *at = s[i] ? strchr(digits, s[i]) : NULL;

		if (!at)
			return -1;
		value = value << 4 | ((at - digits) & 15);
	}
	return value;
}

static void add_utf8(struct strbuf *out, uint32_t c)
{
	if (c < 0x80) {
		strbuf_addch(out, (char)c);
	} else if (c < 0x800) {
		strbuf_add(out, (char[]){ (char)(0xc0 | c >> 6), (char)(0x80 | (c & 63)) }, 2);
	} else if (c < 0x10000) {
		strbuf_add(out, (char[]){ (char)(0xe0 | c >> 12), (char)(0x80 | (c >> 6 & 63)),
					  (char)(0x80 | (c & 63)) }, 3);
	} else {
		strbuf_add(out, (char[]){ (char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 63)),
					  (char)(0x80 | (c >> 6 & 63)),
					  (char)(0x80 | (c & 63)) }, 4);
	}
}

/* The escape at S (behind the backslash), N bytes left; the number of bytes it takes, 0: bad. */
static size_t add_escape(const char *s, size_t n, struct strbuf *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = *s ? strchr(from, *s) : NULL;
	int high, low;

	if (at) {
		strbuf_addch(out, to[at - from]);
		return 1;
	}
	if (*s != 'u' || n < 5)
		return 0;
	high = hex4(s + 1);
	if (high < 0)
		return 0;
	if (high < 0xd800 || high > 0xdbff || n < 11 || s[5] != '\\' || s[6] != 'u') {
		add_utf8(out, high >= 0xd800 && high <= 0xdfff ? 0xfffd : (uint32_t)high);
		return 5;
	}
	low = hex4(s + 7);
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	add_utf8(out, 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
	return 11;
}

bool span_string(struct span v, struct strbuf *out)
{
	const char *at, *end;

	if (v.n < 2 || v.s[0] != '"' || v.s[v.n - 1] != '"')
		return false;
	at = v.s + 1;
	end = v.s + v.n - 1;
	while (at < end) {
		const char *escape = memchr(at, '\\', (size_t)(end - at));
		size_t taken;

		strbuf_add(out, at, (size_t)((escape ? escape : end) - at));
		if (!escape)
			return true;
		taken = escape + 1 < end ?
			add_escape(escape + 1, (size_t)(end - escape - 1), out) : 0;
		if (taken == 0)
			return false;
		at = escape + 1 + taken;
	}
	return true;
}
