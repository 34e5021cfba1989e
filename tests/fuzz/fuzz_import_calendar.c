/* A time of day in systemd's words: a line of cron that procd accepts, or a reason. */
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cron.h"
#include "import/systemd_calendar.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_free(freep) char *text = x_strndup((const char *)bytes, size);
	auto_free(strbuf_fini) struct strbuf line = STRBUF_INIT;
	struct cron cron;
	struct cron_error e;

	if (calendar_cron(text, &line) == NULL ? !cron_parse(line.buf, &cron, &e) : line.len > 0)
		abort();
	return 0;
}
