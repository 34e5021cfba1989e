/* Text travels as it is where it is UTF-8, and as base64 where not. */
#include "command/log_chunk.h"

#include "control/emit.h"
#include "control/scan.h"

void log_chunk_fini(struct log_chunk *c)
{
	strbuf_fini(&c->name);
	strbuf_fini(&c->stream);
	strbuf_fini(&c->bytes);
}

bool log_chunk_read(const char *text, size_t len, struct log_chunk *c)
{
	auto_free(strbuf_fini) struct strbuf coded = STRBUF_INIT;
	struct scan scan = scan_text(text, len);
	struct span key, value;

	if (!scan_enter(&scan, '{'))
		return false;
	while (scan_key(&scan, &key) && scan_value(&scan, &value)) {
		if (span_is(key, "name"))
			span_string(value, &c->name);
		else if (span_is(key, "stream"))
			span_string(value, &c->stream);
		else if (span_is(key, "text"))
			span_string(value, &c->bytes);
		else if (span_is(key, "lost"))
			span_int(value, &c->lost);
		else if (span_is(key, "at"))
			span_int(value, &c->at);
		else if (span_is(key, "base64") && span_string(value, &coded))
			base64_decode(coded.buf, coded.len, &c->bytes);
	}
	return true;
}
