/* `logs`: bytes come in chunks, lines go out. One name: as they were written; several: behind their
 * name. On a terminal nothing in them is obeyed. */
#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/text.h"
#include "command/log_chunk.h"
#include "command/stream.h"
#include "command/verbs.h"
#include "console/table.h"
#include "control/emit.h"
#include "output/ownlog.h"

#define NAMES_AT_ONCE 400		/* in one request */

struct seen {			/* of one stream */
	struct strbuf partial;	/* a line whose end has not come */
	int64_t at;		/* where the daemon goes on */
};

struct log_view {
	struct call call;
	struct map seen;	/* "NAME/STREAM" to struct seen */
	struct strbuf out;
	unsigned name_width;
	bool prefix, terminal, colour;
};

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
		strbuf_addstr(out, view->colour ? ownlog_name_color(name) : "");
		strbuf_addf(out, "%-*s", (int)view->name_width, name);
		strbuf_addstr(out, view->colour ? "\033[0m" : "");
		tint_add(out, view->colour, strcmp(stream, "stderr") == 0 ? TINT_RED : TINT_DIM,
			 " | ", 3);
	}
	if (view->terminal)
		terminal_escape(line, len, out);
	else
		strbuf_add(out, line, len);
	strbuf_addch(out, '\n');
}

static struct seen *seen_of(struct log_view *view, const char *name, const char *stream)
{
	auto_free(freep) char *key = x_asprintf("%s/%s", name, stream);
	struct seen *seen = map_find(&view->seen, key);

	if (!seen) {
		seen = x_calloc(1, sizeof(*seen));
		strbuf_init(&seen->partial);
		map_put(&view->seen, key, seen);
	}
	return seen;
}

static void add_chunk(struct log_view *view, const struct log_chunk *c)
{
	struct seen *seen = seen_of(view, c->name.buf, c->stream.buf);
	struct strbuf *partial = &seen->partial;
	size_t at = 0;
	const char *end;

	if (c->lost > 0 && !view->call.o->quiet)
		fprintf(stderr, "procd: %s: %lld bytes of output were overwritten before they "
			"could be read\n", c->name.buf, (long long)c->lost);
	seen->at = c->at;
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
	map_for_each(slot, &view->seen) {
		struct seen *seen = slot->value;
		struct strbuf *partial = &seen->partial;
		const char *slash = strrchr(slot->key, '/');
		auto_free(freep) char *name = x_strndup(slot->key, (size_t)(slash - slot->key));

		if (partial->len > 0)
			add_line(view, name, slash + 1, partial->buf, partial->len);
		strbuf_fini(partial);
		free(seen);
	}
	map_fini(&view->seen);
}

static int print_batch(struct log_view *view)
{
	int rc = view->out.len > 0 ? cli_print(view->out.buf, view->out.len) : 0;

	strbuf_reset(&view->out);
	return rc;
}

/* What is shown, and where it begins. */
static void note_begin(struct log_view *view, const char *text, size_t len)
{
	auto_free(json_decrefp) json_t *result = json_loadb(text, len, 0, NULL);
	json_t *names = json_object_get(result, "names"), *name, *streams, *at;
	const char *key, *stream;
	size_t i;

	view->prefix = json_array_size(names) > 1;
	json_array_foreach(names, i, name)
		view->name_width = MAX(view->name_width, (unsigned)MIN(json_string_length(name),
								       (size_t)NAME_CAP - 1));
	json_object_foreach(json_object_get(result, "at"), key, streams)
		json_object_foreach(streams, stream, at)
			seen_of(view, key, stream)->at = json_integer_value(at);
}

/* The "at" of the next request. A stream that was still empty is shown from its beginning. */
static json_t *seen_so_far(const struct log_view *view)
{
	json_t *all = json_object();

	map_for_each(slot, &view->seen) {
		const struct seen *seen = slot->value;
		const char *slash = strrchr(slot->key, '/');
		auto_free(freep) char *name = x_strndup(slot->key, (size_t)(slash - slot->key));
		json_t *streams = json_object_get(all, name);

		if (seen->at == 0)
			continue;
		if (!streams) {
			streams = json_object();
			json_object_set_new(all, name, streams);
		}
		json_object_set_new(streams, slash + 1, json_integer(seen->at));
	}
	return all;
}

/* Until the daemon says that this was all: 0. Else *BROKEN is what client_line() returned. */
static int take_lines(struct log_view *view, int *broken)
{
	const char *line, *text;
	size_t len, n;
	int rc;

	*broken = 1;
	for (;;) {
		auto_free(log_chunk_fini) struct log_chunk c = LOG_CHUNK_INIT;

		if (view->out.len > 64 * 1024 || !client_has_line(&view->call.client)) {
			rc = print_batch(view);
			if (rc != 0)
				return rc;
		}
		*broken = client_line(&view->call.client, &line, &len);
		if (*broken <= 0)
			return 0;
		*broken = 1;
		if (client_params_text(line, len, "log_end", &n))
			return 0;
		text = client_params_text(line, len, "log", &n);
		if (text && log_chunk_read(text, n, &c))
			add_chunk(view, &c);
	}
}

/* SEEN (taken) is more than a request has room for: send it piece by piece. The last one is left
 * for the request itself in *AT. */
static int send_seen(struct log_view *view, json_t *seen, json_t **at)
{
	json_t *piece = json_object(), *streams;
	const char *name, *text;
	size_t len;
	int rc = 0;

	json_object_foreach(seen, name, streams) {
		json_object_set(piece, name, streams);
		if (json_object_size(piece) < NAMES_AT_ONCE)
			continue;
		rc = call_ask(&view->call, "logs.follow",
			      json_pack("{s:o, s:b}", "at", piece, "more", 1), &text, &len);
		piece = json_object();
		if (rc != 0)
			break;
	}
	json_decref(seen);
	if (rc == 0)
		*at = take(piece);
	json_decref(piece);
	return rc;
}

static int show(struct log_view *view, int64_t lines)
{
	const struct cli_options *o = view->call.o;
	bool follow = cli_value(o, "follow") != NULL;
	json_t *at = NULL;
	int rc, broken;

	for (;;) {
		json_t *params = call_names(o);
		const char *text;
		size_t len;

		json_object_set_new(params, "follow", json_boolean(follow));
		if (lines >= 0 && !at)
			json_object_set_new(params, "lines", json_integer(lines));
		if (at)
			json_object_set_new(params, "at", at);
		rc = call_ask(&view->call, "logs.follow", params, &text, &len);
		if (rc != 0)
			return rc;
		note_begin(view, text, len);
		stream_unlimited(&view->call);
		rc = take_lines(view, &broken);
		if (rc != 0 || broken > 0)
			return rc;
		rc = stream_again(&view->call, broken);
		if (rc == 0)
			rc = send_seen(view, seen_so_far(view), &at);
		if (rc != 0)
			return rc;
	}
}

int verb_logs(const struct cli_options *o)
{
	struct log_view view = {
		.seen = MAP_INIT, .out = STRBUF_INIT,
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
