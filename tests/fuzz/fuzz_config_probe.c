/* Probes as they are written, from arbitrary text: what is accepted says of itself a text that
 * means the same, what is refused says why. A pattern that is accepted was compiled, in a time and
 * size that the fuzzer's own limits watch. */
#include "base/alloc.h"
#include "config/probe.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_free(strbuf_fini) struct strbuf why = STRBUF_INIT, again = STRBUF_INIT;
	auto_free(freep) char *text = x_strndup((const char *)bytes, size);
	struct probe_option *probe = NULL, *same = NULL;

	if (probe_option_parse(text, PROBES_ALL, &probe, &why) < 0) {
		check(probe == NULL && why.len > 0);
		return 0;
	}
	check(why.len == 0);
	probe_option_format(probe, &again);
	check(probe_option_parse(again.buf, PROBES_ALL, &same, &why) == 0);
	check(probe_option_equal(probe, same));
	probe_option_free(same);
	probe_option_free(probe);
	return 0;
}
