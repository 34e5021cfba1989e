/* An answer in arbitrary pieces is judged as the whole of it, after a bounded number of bytes. The
 * first byte chooses the size of the pieces. */
#include "base/util.h"
#include "probe/http.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct http_answer whole = HTTP_ANSWER_INIT, pieces = HTTP_ANSWER_INIT;

	if (size == 0)
		return 0;
	const char *text = (const char *)bytes + 1;
	size_t n = size - 1, step = bytes[0] + 1u;
	bool known = http_read(&whole, text, n), known_too = false;

	for (size_t at = 0; at < n && !known_too; at += step)
		known_too = http_read(&pieces, text + at, MIN(step, n - at));
	check(known == known_too && whole.status == pieces.status &&
	      whole.garbage == pieces.garbage && whole.total == pieces.total);
	check(known == (whole.status != 0 || whole.garbage));
	check(whole.total <= HTTP_HEAD_MAX + 1 && (known || whole.total == n));
	check(whole.status == 0 || (whole.status >= 100 && whole.status <= 999));
	return 0;
}
