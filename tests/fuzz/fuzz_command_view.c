/* What the verbs read of a daemon's lines: a status, an event, a piece of output. */
#include "command/log_chunk.h"
#include "command/note.h"
#include "command/top.h"
#include "config.h"
#include "fuzz.h"

static void one(void *ctx, const struct view *v)
{
	struct strbuf *out = ctx;

	note_format(v, out);
	(void)state_tint(v->state);
}

static void other(void *ctx, struct span key, struct span value)
{
	struct strbuf *out = ctx;

	strbuf_add(out, key.s, key.n);
	strbuf_add(out, value.s, value.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	auto_free(log_chunk_fini) struct log_chunk chunk = LOG_CHUNK_INIT;
	const char *text = (const char *)data;
	struct view v;
	size_t n;

	view_each(text, size, one, other, &out);
	if (view_read((struct span){ text, size }, &v))
		one(&out, &v);
#if WITH_CONSOLE
	event_words((struct span){ text, size }, &out);
#endif
	log_chunk_read(text, size, &chunk);
	(void)client_answer_id(text, size);
	(void)client_result_text(text, size, &n);
	(void)client_params_text(text, size, "event", &n);
	return 0;
}
