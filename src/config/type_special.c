/* The types with a grammar of their own: standard streams, limits, event output. */
#include "config/type.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>

#include "base/alloc.h"
#include "base/units.h"
#include "config/defaults.h"

/* "file:PATH": the path; NULL when TEXT is something else. */
static const char *file_path(const char *text)
{
	return strncmp(text, "file:", 5) == 0 ? text + 5 : NULL;
}

static int check_path(struct parse *p, const struct value *v, const char *path)
{
	if (*path == '\0')
		return parse_fail(p, v, "the path behind 'file:' is missing");
	if (strlen(path) >= PATH_MAX)
		return parse_fail(p, v, "the path is longer than %d bytes", PATH_MAX - 1);
	return 0;
}

/* --- stdin, stdout, stderr ------------------------------------------------------------------ */

static int stdio_parse(struct parse *p, const struct value *v, void *obj)
{
	struct stdio_option *s = FIELD(struct stdio_option, p->o, obj);
	auto_free(freep) char *text = parse_text(p, v);
	const char *path;
	int kind = STDIO_FILE;

	if (text == NULL)
		return -EINVAL;
	path = file_path(text);
	if (path != NULL ? check_path(p, v, path) < 0 :
	    (kind = parse_choice(p, v, text, p->o->choices, p->o->only)) < 0)
		return -EINVAL;
	free(s->path);
	s->kind = (enum stdio_kind)kind;
	s->path = x_strdup(path);
	return 0;
}

static bool stdio_equal(const struct option *o, const void *a, const void *b)
{
	const struct stdio_option *sa = CFIELD(struct stdio_option, o, a);
	const struct stdio_option *sb = CFIELD(struct stdio_option, o, b);

	if (sa->kind != sb->kind)
		return false;
	return sa->kind != STDIO_FILE || strcmp(sa->path, sb->path) == 0;
}

static char *stdio_text(const struct option *o, const void *obj)
{
	const struct stdio_option *s = CFIELD(struct stdio_option, o, obj);

	return s->kind == STDIO_FILE ? x_asprintf("file:%s", s->path) :
	       x_strdup(enumtext_name(o->choices, (int)s->kind));
}

static void stdio_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	auto_free(freep) char *text = stdio_text(o, obj);

	(void)key;
	toml_quote(text, out);
}

static json_t *stdio_json(const struct option *o, int key, const void *obj)
{
	auto_free(freep) char *text = stdio_text(o, obj);

	(void)key;
	return json_text(text);
}

static void stdio_copy(const struct option *o, void *dst, const void *src)
{
	FIELD(struct stdio_option, o, dst)->path =
		x_strdup(CFIELD(struct stdio_option, o, src)->path);
}

static void stdio_clear(const struct option *o, void *obj)
{
	struct stdio_option *s = FIELD(struct stdio_option, o, obj);

	free(s->path);
	s->path = NULL;
}

static char **stdio_path(const struct option *o, void *obj)
{
	struct stdio_option *s = part_resolve(o->at, obj);

	return &s->path;
}

const struct option_type type_stdio = {
	.name = "stream", .shape = SHAPE_STRING, .parse = stdio_parse, .equal = stdio_equal,
	.format = stdio_format, .json = stdio_json, .copy = stdio_copy, .clear = stdio_clear,
	.path = stdio_path,
};

/* --- limits --------------------------------------------------------------------------------- */

/* What an object has while no limit is set. */
static const struct limit_option limits_unset[RLIM_NLIMITS];

static struct limit_option *limits_dup(const struct limit_option *limits)
{
	struct limit_option *own = x_calloc(RLIM_NLIMITS, sizeof(*own));

	memcpy(own, limits, RLIM_NLIMITS * sizeof(*own));
	return own;
}

static void limits_free(const struct limit_option *limits)
{
	if (limits != limits_unset)
		free((void *)(uintptr_t)limits);
}

static int limit_number(const char *text, uint64_t *out)
{
	if (strcmp(text, "infinity") == 0 || strcmp(text, "unlimited") == 0) {
		*out = UINT64_MAX;
		return 0;
	}
	return size_parse(text, out);
}

static int limit_pair(char *text, struct limit_option *out)
{
	char *colon = strchr(text, ':');

	if (colon != NULL)
		*colon++ = '\0';
	if (limit_number(text, &out->soft) < 0 ||
	    limit_number(colon != NULL ? colon : text, &out->hard) < 0)
		return -EINVAL;
	out->set = true;
	return 0;
}

static int limit_parse(struct parse *p, const struct value *v, void *obj)
{
	struct subsystem_rights *rights = rights_write(obj);
	auto_free(freep) char *text = parse_text(p, v);
	struct limit_option limit, *own;

	if (text == NULL)
		return -EINVAL;
	if (v->kind == VALUE_INT && v->integer >= 0)	/* 1_000, 0x10: as any number */
		limit = (struct limit_option){ .set = true, .soft = (uint64_t)v->integer,
					       .hard = (uint64_t)v->integer };
	else if (limit_pair(text, &limit) < 0)
		return parse_fail(p, v, "expected a number, \"SOFT:HARD\" or \"infinity\"");
	if (limit.soft > limit.hard)
		return parse_fail(p, v, "the soft limit must not be above the hard limit");
	own = limits_dup(rights->limits);
	own[p->o->index] = limit;
	limits_free(rights->limits);
	rights->limits = own;
	return 0;
}

static void limit_unset(const struct option *o, void *obj)
{
	(void)o;
	rights_write(obj)->limits = limits_unset;
}

static const struct limit_option *limit_of(const struct option *o, const void *obj)
{
	return &((const struct subsystem_options *)obj)->rights->limits[o->index];
}

static bool limit_is_set(const struct option *o, int key, const void *obj)
{
	(void)key;
	return limit_of(o, obj)->set;
}

static bool limit_equal(const struct option *o, const void *a, const void *b)
{
	const struct limit_option *la = limit_of(o, a), *lb = limit_of(o, b);

	return la->set == lb->set && (!la->set || (la->soft == lb->soft && la->hard == lb->hard));
}

static void limit_add(uint64_t n, struct strbuf *out)
{
	if (n == UINT64_MAX)
		strbuf_addstr(out, "infinity");
	else
		strbuf_addf(out, "%" PRIu64, n);
}

static void limit_text(const struct limit_option *l, struct strbuf *out)
{
	limit_add(l->soft, out);
	if (l->soft == l->hard)
		return;
	strbuf_addch(out, ':');
	limit_add(l->hard, out);
}

static void limit_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	(void)key;
	strbuf_addch(out, '"');
	limit_text(limit_of(o, obj), out);
	strbuf_addch(out, '"');
}

static json_t *limit_json(const struct option *o, int key, const void *obj)
{
	const struct limit_option *l = limit_of(o, obj);
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	(void)key;
	if (l->soft == l->hard && l->soft <= INT64_MAX)
		return json_integer((json_int_t)l->soft);
	limit_text(l, &text);
	return json_string(text.buf);
}

/* All limits share one array, so only one row may look after it. */
static void limit_copy(const struct option *o, void *dst, const void *src)
{
	const struct limit_option *from = ((const struct subsystem_options *)src)->rights->limits;

	if (o->index == RLIMIT_NOFILE && from != limits_unset)
		rights_write(dst)->limits = limits_dup(from);
}

static void limit_clear(const struct option *o, void *obj)
{
	struct subsystem_rights *rights = rights_write(obj);

	if (o->index != RLIMIT_NOFILE)
		return;
	limits_free(rights->limits);
	rights->limits = limits_unset;
}

const struct option_type type_limit = {
	.name = "limit", .shape = SHAPE_LIMIT, .unset = limit_unset, .parse = limit_parse,
	.is_set = limit_is_set, .equal = limit_equal, .format = limit_format, .json = limit_json,
	.copy = limit_copy, .clear = limit_clear,
};

/* --- events.output -------------------------------------------------------------------------- */

static int events_fd(struct parse *p, const struct value *v, const char *digits, int *out)
{
	size_t n = strlen(digits);

	if (n == 0 || n > 6 || digits[strspn(digits, "0123456789")] != '\0')
		return parse_fail(p, v, "expected a number behind 'fd:'");
	*out = atoi(digits);
	return 0;
}

static int events_parse(struct parse *p, const struct value *v, void *obj)
{
	struct config *c = obj;
	auto_free(freep) char *text = parse_text(p, v);
	const char *path;
	int kind = EVENTS_FILE, fd = -1;

	if (text == NULL)
		return -EINVAL;
	path = file_path(text);
	if (path != NULL) {
		if (check_path(p, v, path) < 0)
			return -EINVAL;
	} else if (strncmp(text, "fd:", 3) == 0) {
		kind = EVENTS_FD;
		if (events_fd(p, v, text + 3, &fd) < 0)
			return -EINVAL;
	} else {
		kind = parse_choice(p, v, text, p->o->choices, 0);
		if (kind < 0)
			return -EINVAL;
	}
	free(c->events.output_path);
	c->events.output = (enum events_output)kind;
	c->events.output_path = x_strdup(path);
	c->events.output_fd = fd;
	return 0;
}

static bool events_equal(const struct option *o, const void *a, const void *b)
{
	const struct config *ca = a, *cb = b;

	(void)o;
	if (ca->events.output != cb->events.output)
		return false;
	if (ca->events.output == EVENTS_FILE)
		return strcmp(ca->events.output_path, cb->events.output_path) == 0;
	return ca->events.output_fd == cb->events.output_fd;
}

static char *events_text(const struct option *o, const void *obj)
{
	const struct config *c = obj;

	if (c->events.output == EVENTS_FILE)
		return x_asprintf("file:%s", c->events.output_path);
	if (c->events.output == EVENTS_FD)
		return x_asprintf("fd:%d", c->events.output_fd);
	return x_strdup(enumtext_name(o->choices, (int)c->events.output));
}

static void events_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	auto_free(freep) char *text = events_text(o, obj);

	(void)key;
	toml_quote(text, out);
}

static json_t *events_json(const struct option *o, int key, const void *obj)
{
	auto_free(freep) char *text = events_text(o, obj);

	(void)key;
	return json_text(text);
}

static void events_copy(const struct option *o, void *dst, const void *src)
{
	(void)o;
	((struct config *)dst)->events.output_path =
		x_strdup(((const struct config *)src)->events.output_path);
}

static void events_clear(const struct option *o, void *obj)
{
	struct config *c = obj;

	(void)o;
	free(c->events.output_path);
	c->events.output_path = NULL;
}

static char **events_path(const struct option *o, void *obj)
{
	(void)o;
	return &((struct config *)obj)->events.output_path;
}

const struct option_type type_events_output = {
	.name = "event output", .shape = SHAPE_STRING, .parse = events_parse,
	.equal = events_equal, .format = events_format, .json = events_json, .copy = events_copy,
	.clear = events_clear, .path = events_path,
};
