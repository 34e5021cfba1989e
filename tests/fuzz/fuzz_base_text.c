/* Text from outside, through every tool of base that takes it: UTF-8 cleaning yields UTF-8, harmless
 * text is harmless, JSON that parses can be written and read again, durations and sizes survive a
 * round trip, words and globs end. The first byte chooses the tool. */
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"
#include "base/util.h"
#include "fuzz.h"

static void try_utf8(const char *s, size_t n)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	bool dirty = utf8_clean(s, n, &out);

	check(utf8_valid(out.buf, out.len));
	check(dirty == !utf8_valid(s, n));
}

static void try_escape(const char *s, size_t n)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	terminal_escape(s, n, &out);
	check(utf8_valid(out.buf, out.len));
	for (size_t i = 0; i < out.len; i++)
		check((unsigned char)out.buf[i] >= 0x20 || out.buf[i] == '\t');
}

static void try_json(const char *s, size_t n)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	struct error e = ERROR_INIT;
	auto_free(json_decrefp) json_t *j = json_parse_untrusted(s, n, 32, &e);

	check((j != NULL) != error_is_set(&e));
	error_fini(&e);
	if (!j)
		return;
	json_dump(j, &out);
	auto_free(json_decrefp) json_t *again = json_parse_untrusted(out.buf, out.len, 32, &e);
	check(again != NULL && json_equal(j, again));
}

static void try_units(const char *text)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	uint64_t bytes, bytes2;
	int64_t ms, ms2;

	if (duration_parse(text, &ms) == 0) {
		duration_format(ms, &out);
		check(duration_parse(out.buf, &ms2) == 0 && ms2 == ms);
	}
	strbuf_fini(&out);
	if (size_parse(text, &bytes) == 0) {
		size_format(bytes, &out);
		check(size_parse(out.buf, &bytes2) == 0 && bytes2 == bytes);
	}
}

static void try_words(char *text)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;
	size_t at = 0;
	char *space = strchr(text, ' ');

	if (words_split(text, &words, &at) < 0)
		check(words.n == 0 && at <= strlen(text));
	if (space) {
		*space = 0;
		glob_match(text, space + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text;

	if (size == 0 || size > 4096)
		return 0;
	text = malloc(size);	/* without the first byte, with a final NUL */
	check(text != NULL);
	memcpy(text, bytes + 1, size - 1);
	text[size - 1] = 0;
	switch (bytes[0] % 5) {
	case 0:
		try_utf8(text, size - 1);
		break;
	case 1:
		try_escape(text, size - 1);
		break;
	case 2:
		try_json(text, size - 1);
		break;
	case 3:
		try_units(text);
		break;
	default:
		try_words(text);
	}
	free(text);
	return 0;
}
