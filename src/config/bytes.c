/* The characters of a file, before anything interprets them: one pass that is over at once for
 * clean text, and a slow second one that finds out what to complain about. */
#include "config/bytes.h"

#include "base/alloc.h"
#include "base/text.h"

bool bad_lines_has(const struct bad_lines *b, int line)
{
	size_t low = 0, high = b->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (b->lines[mid] == line)
			return true;
		if (b->lines[mid] < line)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

static void note_line(struct bad_lines *b, int line)
{
	if (b->n == b->cap) {
		b->cap = b->cap != 0 ? b->cap * 2 : 8;
		b->lines = x_reallocarray(b->lines, b->cap, sizeof(*b->lines));
	}
	b->lines[b->n++] = line;
}

static bool is_control(unsigned char c)
{
	return (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f;
}

/* ASCII without control characters, as most files are? */
static bool is_plain(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_control((unsigned char)text[i]) || (unsigned char)text[i] >= 0x80)
			return false;
	return true;
}

static bool all_fine(const char *text, size_t n)
{
	if (is_plain(text, n))
		return true;
	for (size_t i = 0; i < n; i++)
		if (is_control((unsigned char)text[i]) &&
		    !(text[i] == '\r' && i + 1 < n && text[i + 1] == '\n'))
			return false;
	return utf8_valid(text, n);
}

/* Length of the valid character at P, 0 when there is none. */
static size_t char_length(const char *p, size_t left)
{
	for (size_t len = 1; len <= 4 && len <= left; len++)
		if (utf8_valid(p, len))
			return len;
	return 0;
}

/* What is wrong with the character at P; NULL: nothing, and *LEN is its length. */
static const char *complaint(const char *p, size_t left, size_t *len)
{
	unsigned char c = (unsigned char)*p;

	*len = 1;
	if (c == 0)
		return "NUL byte";
	if (c == '\r')
		return left > 1 && p[1] == '\n' ? NULL :
		       "carriage return without a line feed; lines end in LF or CR LF";
	if (is_control(c))
		return "control character; write it as \\uNNNN in a \"string\"";
	if (c < 0x80)
		return NULL;
	*len = char_length(p, left);
	if (*len != 0)
		return NULL;
	*len = 1;
	return "invalid UTF-8";
}

char *bytes_check(const char *text, size_t n,
		  void (*report)(void *ctx, int line, int column, const char *message), void *ctx,
		  struct bad_lines *bad)
{
	int line = 1, column = 1;
	char *copy;
	size_t len;

	if (all_fine(text, n))
		return NULL;
	copy = x_malloc(n + 1);
	memcpy(copy, text, n);
	copy[n] = '\0';
	for (size_t i = 0; i < n; i += len, column++) {
		const char *message = complaint(text + i, n - i, &len);

		if (message != NULL) {
			copy[i] = '?';
			if (bad->n == 0 || bad->lines[bad->n - 1] != line) {
				report(ctx, line, column, message);
				note_line(bad, line);
			}
		}
		if (text[i] == '\n') {
			line++;
			column = 0;
		}
	}
	return copy;
}
