/* Text from outside: bytes of unknown origin are made harmless before they reach JSON or a
 * terminal. The heart is one decoder that accepts exactly the well-formed sequences of UTF-8
 * (Unicode standard, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF). */
#include "base/text.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define BEYOND_UNICODE 0x110000

size_t utf8_decode(const char *s, size_t n, uint32_t *code)
{
	const unsigned char *p = (const unsigned char *)s;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len;
	uint32_t c;

	if (p[0] < 0x80) {
		*code = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (len > n)
		return 0;
	c = p[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[len] || c >= BEYOND_UNICODE || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return len;
}

bool utf8_valid(const char *s, size_t n)
{
	uint32_t code;

	for (size_t i = 0, len; i < n; i += len) {
		len = utf8_decode(s + i, n - i, &code);
		if (len == 0)
			return false;
	}
	return true;
}

bool utf8_clean(const char *s, size_t n, struct strbuf *out)
{
	bool replaced = false;
	size_t from = 0;
	size_t i = 0;
	uint32_t code;

	while (i < n) {
		size_t len = utf8_decode(s + i, n - i, &code);

		if (len != 0) {
			i += len;
			continue;
		}
		strbuf_add(out, s + from, i - from);
		strbuf_addstr(out, REPLACEMENT);
		from = ++i;
		replaced = true;
	}
	strbuf_add(out, s + from, n - from);
	return replaced;
}

/* Characters that reorder or break the line on screen although they are no control bytes. */
static bool changes_layout(uint32_t c)
{
	return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

void terminal_escape(const char *s, size_t n, struct strbuf *out)
{
	size_t from = 0;
	size_t i = 0;

	while (i < n) {
		uint32_t code = 0;
		size_t len = utf8_decode(s + i, n - i, &code);
		bool control = len == 1 && ((code < 0x20 && code != '\t') || code == 0x7f);

		if (len != 0 && !control && !(code >= 0x80 && code < 0xa0) &&
		    !changes_layout(code)) {
			i += len;
			continue;
		}
		strbuf_add(out, s + from, i - from);
		if (len > 1)
			strbuf_addf(out, "\\u{%04x}", code);
		else
			strbuf_addf(out, "\\x%02x", (unsigned char)s[i]);
		i += MAX(len, (size_t)1);
		from = i;
	}
	strbuf_add(out, s + from, n - from);
}
