/* Lines from arbitrary bytes: nothing lost, nothing twice, no piece over the limit, and the two ways
 * to find whole lines agree. The first byte chooses the limit. */
#include "base/util.h"
#include "output/lines.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (size == 0)
		return 0;
	size_t max = bytes[0] + 1u, len = size - 1, at = 0, whole = 0;
	const char *data = (const char *)bytes + 1;
	bool cut = false;
	struct line line;

	while (lines_next(data + at, len - at, max, &line)) {
		check(line.text == data + at && line.len <= max && line.raw_len > 0);
		check(line.raw_len <= len - at);
		check(memchr(line.text, '\n', line.len) == NULL);
		check(line.continued == (line.raw_len == line.len));
		check(line.continued || line.text[line.len] == '\n');
		at += line.raw_len;
		cut |= line.continued;
		if (!cut)
			whole = at;
	}
	check(len - at <= max && memchr(data + at, '\n', len - at) == NULL);
	check(lines_whole(data, len, max) == whole);
	size_t fitting = lines_fitting(data, len, max);

	check(fitting <= max && fitting <= len && (fitting == 0 || data[fitting - 1] == '\n'));
	size_t last = lines_last(data, len, max % 7);

	check(last <= len && (last == 0 || last == len || data[last - 1] == '\n'));
	return 0;
}
