/* `logs`: bytes come in chunks, lines go out. One name: as they were written; several: behind their
 * name. On a terminal nothing in them is obeyed. */
#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/text.h"
#include "command/stream.h"
#include "command/table.h"
#include "command/verbs.h"
#include "control/emit.h"
#include "control/scan.h"

struct log_view {
	struct call call;
	struct map partial;	/* "NAME/STREAM" to struct strbuf: a line whose end has not come */
	struct strbuf out;
	unsigned name_width;
	bool prefix, terminal, colour;
};

struct chunk {
	struct strbuf name, stream, bytes;
	int64_t lost;
};

static void chunk_fini(struct chunk *c)
{
	strbuf_fini(&c->name);
	strbuf_fini(&c->stream);
	strbuf_fini(&c->bytes);
}

static bool chunk_read(const char *text, size_t len, struct chunk *c)
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
		else if (span_is(key, "base64") && span_string(value, &coded))
			base64_decode(coded.buf, coded.len, &c->bytes);
	}
	return true;
}

static void add_line(struct log_view *view, const char *name, const char *stream, const char *line,
		     size_t len)
{
	struct strbuf *out = &view->out;

	if (view->call.o->json) {
		emit_open(out, NULL, '{');
		emit_text(out, "name", name);
		emit_text(out, "stream", stream);
		emit_text_n(out, "line", line, len);
		emit_close(out, '}');
		strbuf_addch(out, '\n');
		return;
	}
	if (view->prefix) {
		char left[NAME_CAP + 8];
		int n = snprintf(left, sizeof(left), "%-*s | ", (int)view->name_width, name);

		tint_add(out, view->colour, TINT_DIM, left, (size_t)n);
	}
	if (view->terminal)
		terminal_escape(line, len, out);
	else
		strbuf_add(out, line, len);
	strbuf_addch(out, '\n');
}

static struct strbuf *partial_of(struct log_view *view, const struct chunk *c)
{
	auto_free(freep) char *key = x_asprintf("%s/%s", c->name.buf, c->stream.buf);
	struct strbuf *partial = map_find(&view->partial, key);

	if (!partial) {
		partial = x_calloc(1, sizeof(*partial));
		strbuf_init(partial);
		map_put(&view->partial, key, partial);
	}
	return partial;
}

static void add_chunk(struct log_view *view, const struct chunk *c)
{
	struct strbuf *partial = partial_of(view, c);
	size_t at = 0;
	const char *end;

	if (c->lost > 0 && !view->call.o->quiet)
		fprintf(stderr, "procd: %s: %lld bytes of output were overwritten before they "
			"could be read\n", c->name.buf, (long long)c->lost);
	strbuf_add(partial, c->bytes.buf, c->bytes.len);
	while ((end = memchr(partial->buf + at, '\n', partial->len - at))) {
		size_t n = (size_t)(end - partial->buf) - at;

		add_line(view, c->name.buf, c->stream.buf, partial->buf + at, n);
		at += n + 1;
	}
	strbuf_consume(partial, at);
}

/* What never got its line end. */
static void add_rest(struct log_view *view)
{
	map_for_each(slot, &view->partial) {
		struct strbuf *partial = slot->value;
		const char *slash = strrchr(slot->key, '/');
		auto_free(freep) char *name = x_strndup(slot->key, (size_t)(slash - slot->key));

		if (partial->len > 0)
			add_line(view, name, slash + 1, partial->buf, partial->len);
		strbuf_fini(partial);
		free(partial);
	}
	map_fini(&view->partial);
}

static int print_batch(struct log_view *view)
{
	int rc = view->out.len > 0 ? cli_print(view->out.buf, view->out.len) : 0;

	strbuf_reset(&view->out);
	return rc;
}

static void note_names(struct log_view *view, const char *text, size_t len)
{
	auto_free(json_decrefp) json_t *result = json_loadb(text, len, 0, NULL);
	json_t *names = json_object_get(result, "names"), *name;
	size_t i;

	view->prefix = json_array_size(names) > 1;
	json_array_foreach(names, i, name)
		view->name_width = MAX(view->name_width, (unsigned)MIN(json_string_length(name),
								       (size_t)NAME_CAP - 1));
}

static int follow(struct log_view *view)
{
	const char *line, *text;
	size_t len, n;
	int rc;

	stream_unlimited(&view->call);
	for (;;) {
		auto_free(chunk_fini) struct chunk c = {
			.name = STRBUF_INIT, .stream = STRBUF_INIT, .bytes = STRBUF_INIT,
		};

		if (view->out.len > 64 * 1024 || !client_has_line(&view->call.client)) {
			rc = print_batch(view);
			if (rc != 0)
				return rc;
		}
		rc = client_line(&view->call.client, &line, &len);
		if (rc <= 0)
			return call_broken(&view->call, rc);
		if (client_params_text(line, len, "log_end", &n))
			return 0;
		text = client_params_text(line, len, "log", &n);
		if (text && chunk_read(text, n, &c))
			add_chunk(view, &c);
	}
}

static int show(struct log_view *view, int64_t lines)
{
	const struct cli_options *o = view->call.o;
	json_t *params = call_names(o);
	const char *text;
	size_t len;
	int rc;

	json_object_set_new(params, "follow", json_boolean(cli_value(o, "follow") != NULL));
	if (lines >= 0)
		json_object_set_new(params, "lines", json_integer(lines));
	rc = call_ask(&view->call, "logs.follow", params, &text, &len);
	if (rc != 0)
		return rc;
	note_names(view, text, len);
	return follow(view);
}

int verb_logs(const struct cli_options *o)
{
	struct log_view view = {
		.partial = MAP_INIT, .out = STRBUF_INIT,
		.terminal = isatty(STDOUT_FILENO), .colour = colour_wanted(STDOUT_FILENO),
	};
	int64_t lines = -1;
	int failed, rc = option_count(o, "lines", &lines);

	if (rc != 0)
		return rc;
	rc = call_open(&view.call, o);
	if (rc == 0)
		rc = show(&view, lines);
	add_rest(&view);
	failed = print_batch(&view);
	strbuf_fini(&view.out);
	call_fini(&view.call);
	return rc != 0 ? rc : failed;
}
