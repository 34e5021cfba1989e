/* Captured output for clients. A follower has a cursor into each ring it shows; bytes are copied
 * when its connection has room, so a client that does not read holds nothing up and loses only
 * what the rings lose. Text travels as a JSON string when it is UTF-8 and as base64 when it is
 * not. */
#include "base/alloc.h"
#include "base/text.h"
#include "config/store.h"
#include "control/emit.h"
#include "control/methods.h"
#include "control/server.h"
#include "core/listing.h"

#define CHUNK (16u * 1024)
#define GET_MAX (4u * 1024 * 1024)

struct source {
	uint32_t slot;
	enum tail_stream stream;
	uint64_t pos;
	size_t left;		/* bytes before a reader that does not follow has enough */
	bool gone;		/* its subsystem was removed */
	char name[NAME_CAP];
};

struct follower {
	struct source *sources;
	size_t n;
	bool follow;
};

void follower_free(struct follower *f)
{
	if (!f)
		return;
	free(f->sources);
	free(f);
}

static const char *stream_name(const struct source *s)
{
	return s->stream == TAIL_OUT ? "stdout" : "stderr";
}

/* What the client has of S by "at" (of an earlier answer), this one's or one with "more"; NULL:
 * nothing. */
static const json_t *seen_of(const struct connection *c, const struct rpc_request *r,
			     const struct source *s)
{
	const json_t *at = json_object_get(json_object_get(r->params, "at"), s->name);
	const json_t *before = json_object_get(c->seen, s->name);

	return json_object_get(at ? at : before, stream_name(s));
}

/* Where S begins: after what is SEEN, else before the last LINES lines. */
static uint64_t first_pos(struct output *output, const struct source *s, const json_t *seen,
			  long lines)
{
	if (json_is_integer(seen) && json_integer_value(seen) >= 0)
		return (uint64_t)json_integer_value(seen);
	return tail_seek_lines(output, s->slot, s->stream, lines);
}

/* The sources that "names" and "lines" ask for; NULL: answered with an error. */
static struct follower *follower_new(struct connection *c, const struct rpc_request *r)
{
	auto_free(strlist_fini) struct strlist names = STRLIST_INIT;
	auto_free(freep) uint32_t *slots = NULL;
	const struct board *board = c->server->setup.board;
	struct output *output = c->server->setup.output;
	struct follower *f;
	const char *unknown;
	int64_t lines = -1;
	size_t n = 0;

	if (!json_object_get(r->params, "names"))
		strlist_add(&names, "all");
	else if (!param_names(c, r, &names))
		return NULL;
	if (!param_count(c, r, "lines", &lines))
		return NULL;
	if (!output) {
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_PLATFORM_FEATURE,
			    "output is not captured here");
		return NULL;
	}
	f = x_calloc(1, sizeof(*f));
	rcu_enter();
	unknown = board_match(board, &names, &slots, &n);
	listing_sort(board, config_current(), slots, n);
	f->sources = x_calloc(n * 2 + 1, sizeof(*f->sources));
	for (size_t i = 0; i < n; i++) {
		const struct board_record *record = board_get(board, slots[i]);

		for (int stream = TAIL_OUT; record && stream <= TAIL_ERR; stream++) {
			struct source *s = &f->sources[f->n++];

			s->slot = slots[i];
			s->stream = (enum tail_stream)stream;
			s->left = OUTPUT_TAIL_BYTES;
			snprintf(s->name, sizeof(s->name), "%s", record->name);
		}
	}
	rcu_leave();
	if (unknown) {
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_SUBSYSTEM_NOT_FOUND,
			    "no subsystem matches \"%s\"", unknown);
		follower_free(f);
		return NULL;
	}
	for (size_t i = 0; i < f->n; i++)
		f->sources[i].pos = first_pos(output, &f->sources[i],
					      seen_of(c, r, &f->sources[i]),
					      lines < 0 ? -1 : (long)MIN(lines, LONG_MAX));
	return f;
}

static void emit_chunk(struct strbuf *out, const struct source *s, const struct strbuf *bytes,
		       uint64_t lost)
{
	emit_open(out, NULL, '{');
	emit_text(out, "name", s->name);
	emit_text(out, "stream", stream_name(s));
	emit_uint(out, "at", s->pos);
	if (lost > 0)
		emit_uint(out, "lost", lost);
	if (utf8_valid(bytes->buf, bytes->len)) {
		emit_text_n(out, "text", bytes->buf, bytes->len);
	} else {
		strbuf_addstr(out, ",\"base64\":\"");
		base64_encode(bytes->buf, bytes->len, out);
		strbuf_addch(out, '"');
	}
	emit_close(out, '}');
}

/* A slot may have passed to another subsystem since the follower was made. */
static void check_names(const struct connection *c, struct follower *f)
{
	rcu_enter();
	for (size_t i = 0; i < f->n; i++) {
		const struct board_record *record =
			board_get(c->server->setup.board, f->sources[i].slot);

		if (!record || strcmp(record->name, f->sources[i].name) != 0)
			f->sources[i].gone = true;
	}
	rcu_leave();
}

/* One chunk of S into BYTES; false: nothing there now. */
static bool read_chunk(struct connection *c, struct source *s, bool follow, struct strbuf *bytes,
		       uint64_t *lost)
{
	size_t max = follow ? CHUNK : MIN(s->left, (size_t)CHUNK);

	strbuf_reset(bytes);
	*lost = 0;
	if (s->gone || max == 0)
		return false;
	if (!tail_read(c->server->setup.output, s->slot, s->stream, &s->pos, max, bytes, lost))
		return false;
	s->left -= MIN(bytes->len, s->left);
	return bytes->len > 0 || *lost > 0;
}

/* Names, and where each stream begins: for a client that has to connect again. */
static void emit_begin(struct strbuf *out, const struct follower *f)
{
	emit_open(out, NULL, '{');
	emit_open(out, "names", '[');
	for (size_t i = 0; i < f->n; i++)
		if (f->sources[i].stream == TAIL_OUT)
			emit_text(out, NULL, f->sources[i].name);
	emit_close(out, ']');
	emit_open(out, "at", '{');
	for (size_t i = 0; i < f->n; i++) {
		const struct source *s = &f->sources[i];

		if (s->stream == TAIL_OUT)
			emit_open(out, s->name, '{');
		emit_uint(out, stream_name(s), s->pos);
		if (s->stream == TAIL_ERR)
			emit_close(out, '}');
	}
	emit_close(out, '}');
	emit_close(out, '}');
}

static void follower_end(struct connection *c)
{
	rpc_notify_begin(&c->out, "log_end");
	strbuf_addstr(&c->out, "{}");
	rpc_notify_end(&c->out);
	follower_free(take(c->follower));
	control_count_follower(c->server, -1);
}

bool follower_pump(struct connection *c)
{
	auto_free(strbuf_fini) struct strbuf bytes = STRBUF_INIT;
	struct follower *f = c->follower;
	uint64_t lost;

	check_names(c, f);
	for (size_t i = 0; i < f->n; i++) {
		while (connection_backlog(c) <= OUT_HIGH &&
		       read_chunk(c, &f->sources[i], f->follow, &bytes, &lost)) {
			rpc_notify_begin(&c->out, "log");
			emit_chunk(&c->out, &f->sources[i], &bytes, lost);
			rpc_notify_end(&c->out);
		}
		if (connection_backlog(c) > OUT_HIGH)
			return true;
	}
	if (!f->follow || c->server->for_good)
		follower_end(c);
	return false;
}

/* "at" of thousands has no room in one request: it comes in several, all but the last with "more".
 * Kept is what is known by name here, so the board bounds it. */
static void keep_seen(struct connection *c, const struct rpc_request *r)
{
	static const char *const stream[] = { "stdout", "stderr" };
	const char *name;
	json_t *streams;

	if (!c->seen)
		c->seen = json_object();
	rcu_enter();
	json_object_foreach(json_object_get(r->params, "at"), name, streams) {
		json_t *kept = json_object();

		for (size_t i = 0; i < ARRAY_LEN(stream); i++)
			if (json_is_integer(json_object_get(streams, stream[i])))
				json_object_set(kept, stream[i], json_object_get(streams, stream[i]));
		if (board_find(c->server->setup.board, name) != NULL)
			json_object_set(c->seen, name, kept);
		json_decref(kept);
	}
	rcu_leave();
	reply_result(c, r, json_object());
}

void method_logs_follow(struct connection *c, const struct rpc_request *r)
{
	bool follow = true, more = false;
	struct follower *f;

	if (!param_bool(c, r, "follow", &follow) || !param_bool(c, r, "more", &more))
		return;
	if (more) {
		keep_seen(c, r);
		return;
	}
	if (c->follower) {
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_SUBSYSTEM_EXISTS,
			    "this connection follows logs already");
		return;
	}
	f = follower_new(c, r);
	if (!f)
		return;
	f->follow = follow;
	c->follower = f;
	json_decref(c->seen);
	c->seen = NULL;
	control_count_follower(c->server, 1);
	if (r->id) {
		rpc_result_begin(&c->out, r->id);
		emit_begin(&c->out, f);
		rpc_result_end(&c->out);
	}
}

void method_logs_get(struct connection *c, const struct rpc_request *r)
{
	auto_free(strbuf_fini) struct strbuf all = STRBUF_INIT, bytes = STRBUF_INIT;
	auto_free(strbuf_fini) struct strbuf chunk = STRBUF_INIT;
	struct follower *f = follower_new(c, r);
	bool fits = true;
	uint64_t lost, lost_now;

	if (!f)
		return;
	emit_open(&all, NULL, '[');
	for (size_t i = 0; i < f->n && fits; i++) {
		strbuf_reset(&bytes);
		lost = 0;
		while (read_chunk(c, &f->sources[i], false, &chunk, &lost_now)) {
			strbuf_add(&bytes, chunk.buf, chunk.len);
			lost += lost_now;
		}
		if (bytes.len > 0 || lost > 0)
			emit_chunk(&all, &f->sources[i], &bytes, lost);
		fits = all.len <= GET_MAX;
	}
	emit_close(&all, ']');
	follower_free(f);
	if (!fits) {
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_RESOURCE_MEMORY,
			    "that is more than 4 MiB of output: name fewer, or use logs.follow");
	} else if (r->id) {
		rpc_result_begin(&c->out, r->id);
		strbuf_addstr(&c->out, "{\"logs\":");
		strbuf_add(&c->out, all.buf, all.len);
		strbuf_addch(&c->out, '}');
		rpc_result_end(&c->out);
	}
}
