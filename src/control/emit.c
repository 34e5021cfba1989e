/* Hand-written JSON: a comma is due unless the last byte opened a container or ended a line, for
 * JSON lines may share one buffer. */
#include "control/emit.h"

#include "base/text.h"

/* Room for N more bytes: where they go. A status of ten thousand subsystems is made here, so the
 * common case is a compare and a copy. */
static char *room(struct strbuf *out, size_t n)
{
	if (out->cap < out->len + n + 1)
		strbuf_reserve(out, n);
	return out->buf + out->len;
}

static void grown(struct strbuf *out, char *end)
{
	*end = '\0';
	out->len = (size_t)(end - out->buf);
}

static void begin(struct strbuf *out, const char *key)
{
	char last = out->len > 0 ? out->buf[out->len - 1] : '{';
	size_t n = key ? strlen(key) : 0;
	char *at = room(out, n + 4);

	if (last != '{' && last != '[' && last != ':' && last != '\n')
		*at++ = ',';
	if (key) {
		*at++ = '"';
		memcpy(at, key, n);
		at += n;
		*at++ = '"';
		*at++ = ':';
	}
	grown(out, at);
}

void emit_open(struct strbuf *out, const char *key, char bracket)
{
	begin(out, key);
	strbuf_addch(out, bracket);
}

void emit_close(struct strbuf *out, char bracket)
{
	strbuf_addch(out, bracket);
}

/* S is valid UTF-8; everything but quotes, backslashes and C0 goes out as it is, in runs. */
static void add_escaped(struct strbuf *out, const char *s, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	size_t start = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		char escape[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		strbuf_add(out, s + start, i - start);
		start = i + 1;
		if (c == '"' || c == '\\')
			strbuf_add(out, (char[]){ '\\', (char)c }, 2);
		else if (c == '\n')
			strbuf_add(out, "\\n", 2);
		else if (c == '\t')
			strbuf_add(out, "\\t", 2);
		else
			strbuf_add(out, escape, sizeof(escape));
	}
	strbuf_add(out, s + start, n - start);
}

static bool is_plain(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] > 0x7e || s[i] == '"' || s[i] == '\\')
			return false;
	return true;
}

static void add_plain(struct strbuf *out, const char *s, size_t n)
{
	char *at = room(out, n + 2);

	*at++ = '"';
	memcpy(at, s, n);
	at += n;
	*at++ = '"';
	grown(out, at);
}

void emit_text_n(struct strbuf *out, const char *key, const char *s, size_t n)
{
	auto_free(strbuf_fini) struct strbuf clean = STRBUF_INIT;

	if (is_plain(s, n)) {
		begin(out, key);
		add_plain(out, s, n);
		return;
	}
	if (!utf8_valid(s, n)) {
		utf8_clean(s, n, &clean);
		s = clean.buf;
		n = clean.len;
	}
	begin(out, key);
	strbuf_addch(out, '"');
	add_escaped(out, s, n);
	strbuf_addch(out, '"');
}

void emit_text(struct strbuf *out, const char *key, const char *s)
{
	if (s)
		emit_text_n(out, key, s, strlen(s));
	else
		emit_null(out, key);
}

void emit_uint(struct strbuf *out, const char *key, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	begin(out, key);
	strbuf_add(out, digits + at, sizeof(digits) - at);
}

void emit_int(struct strbuf *out, const char *key, int64_t value)
{
	if (value >= 0) {
		emit_uint(out, key, (uint64_t)value);
		return;
	}
	begin(out, key);
	strbuf_addf(out, "%lld", (long long)value);
}

void emit_bool(struct strbuf *out, const char *key, bool value)
{
	begin(out, key);
	strbuf_addstr(out, value ? "true" : "false");
}

void emit_raw(struct strbuf *out, const char *key, const char *json)
{
	begin(out, key);
	strbuf_addstr(out, json);
}

void emit_null(struct strbuf *out, const char *key)
{
	begin(out, key);
	strbuf_add(out, "null", 4);
}

void emit_words(struct strbuf *out, const char *key, const char *text, char separator)
{
	emit_open(out, key, '[');
	while (*text) {
		const char *end = strchr(text, separator);
		size_t n = end ? (size_t)(end - text) : strlen(text);

		if (n > 0)
			emit_text_n(out, NULL, text, n);
		text += n + (end != NULL);
	}
	emit_close(out, ']');
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const char *s, size_t n, struct strbuf *out)
{
	const unsigned char *p = (const unsigned char *)s;

	for (size_t i = 0; i < n; i += 3) {
		size_t have = MIN(n - i, (size_t)3);
		uint32_t v = (uint32_t)p[i] << 16;
		char four[4] = "====";

		v |= have > 1 ? (uint32_t)p[i + 1] << 8 : 0;
		v |= have > 2 ? p[i + 2] : 0;
		for (size_t k = 0; k <= have; k++)
			four[k] = alphabet[v >> (18 - 6 * k) & 63];
		strbuf_add(out, four, 4);
	}
}

bool base64_decode(const char *s, size_t n, struct strbuf *out)
{
	if (n % 4 != 0)
		return false;
	for (size_t i = 0; i < n; i += 4) {
		uint32_t v = 0;
		size_t have = 0;

		for (size_t k = 0; k < 4; k++) {
			const char *at = s[i + k] ? strchr(alphabet, s[i + k]) : NULL;

			if (at && have == k)
				have++;
			else if (s[i + k] != '=' || i + 4 < n || k < 2)
				return false;
			v = v << 6 | (at ? (uint32_t)(at - alphabet) : 0);
		}
		strbuf_add(out, (char[]){ (char)(v >> 16), (char)(v >> 8), (char)v }, have - 1);
	}
	return true;
}
