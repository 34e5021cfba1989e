/* Splitting needs no state of its own: what is left of a cut line is simply the next line. So the
 * position up to which bytes were forwarded is all that a successor has to know. */
#include "output/lines.h"

/* Where to cut before LEN: not between the bytes of one UTF-8 sequence. */
static size_t cut_point(const char *data, size_t len)
{
	size_t back = 0;

	while (back < 3 && back < len && ((unsigned char)data[len - back] & 0xc0) == 0x80)
		back++;
	/* Three continuation bytes in a row before the cut: not UTF-8, cut anywhere. */
	if (back < len && ((unsigned char)data[len - back] & 0xc0) != 0xc0)
		return len;
	return back < len ? len - back : len;
}

bool lines_next(const char *data, size_t len, size_t max, struct line *out)
{
	const char *nl = memchr(data, '\n', MIN(len, max + 1));

	if (nl != NULL) {
		*out = (struct line){ data, (size_t)(nl - data), (size_t)(nl - data) + 1, false };
		return true;
	}
	if (len <= max)
		return false;
	size_t n = cut_point(data, max);

	*out = (struct line){ data, n, n, true };
	return true;
}

size_t lines_whole(const char *data, size_t len, size_t max)
{
	size_t at = 0;

	/* Hop from newline to newline, each time the last one within reach. */
	while (at < len) {
		const char *nl = memrchr(data + at, '\n', MIN(len - at, max + 1));

		if (nl == NULL)
			break;
		at = (size_t)(nl - data) + 1;
	}
	return at;
}

size_t lines_fitting(const char *data, size_t len, size_t limit)
{
	const char *nl = memrchr(data, '\n', MIN(len, limit));

	return nl != NULL ? (size_t)(nl - data) + 1 : 0;
}

size_t lines_last(const char *data, size_t len, size_t n)
{
	size_t end = len;

	if (n == 0)
		return len;
	if (end > 0 && data[end - 1] == '\n')
		end--;
	while (n-- > 0) {
		const char *nl = memrchr(data, '\n', end);

		if (nl == NULL)
			return 0;
		end = (size_t)(nl - data);
	}
	return end + 1;
}
