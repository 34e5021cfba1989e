/* Options that are a probe. Not given, and "exec", are no probe at all: a NULL pointer, which costs
 * nothing where thousands of subsystems have none. */
#include "config/type.h"

#include <errno.h>

#include "base/alloc.h"
#include "config/probe.h"

static struct probe_option **probe_of(const struct option *o, void *obj)
{
	return FIELD(struct probe_option *, o, obj);
}

static void replace(struct probe_option **field, struct probe_option *probe)
{
	probe_option_free(*field);
	*field = probe;
}

/* The words of a command are made first, then their variables are replaced: what a variable holds
 * stays one word. */
static int command_parse(struct parse *p, const struct value *v, struct probe_option **out)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;
	struct probe_option *probe;

	if (parse_words(p, v, strlen("command:"), &words) < 0)
		return -EINVAL;
	if (words.n == 0 || *words.items[0] == '\0')
		return parse_fail(p, v, "the command is empty");
	probe = x_calloc(1, sizeof(*probe));
	probe->kind = PROBE_COMMAND;
	probe->command = words;
	words = (struct strlist)STRLIST_INIT;
	*out = probe;
	return 0;
}

static int text_parse(struct parse *p, const struct value *v, struct probe_option **out)
{
	auto_free(freep) char *text = parse_string(p, v);
	auto_free(strbuf_fini) struct strbuf why = STRBUF_INIT;

	if (text == NULL)
		return -EINVAL;
	if (probe_option_parse(text, p->o->only, out, &why) < 0)
		return parse_fail(p, v, "%s", why.buf);
	return 0;
}

static int probe_parse(struct parse *p, const struct value *v, void *obj)
{
	struct probe_option *probe = NULL;
	bool command = v->text != NULL && p->o->only & PROBE_MASK(PROBE_COMMAND) &&
		       probe_is_kind(v->text, PROBE_COMMAND);

	if ((command ? command_parse(p, v, &probe) : text_parse(p, v, &probe)) < 0)
		return -EINVAL;
	if (probe->kind == PROBE_EXEC) {
		probe_option_free(probe);
		probe = NULL;
	}
	replace(probe_of(p->o, obj), probe);
	return 0;
}

static bool probe_is_set(const struct option *o, int key, const void *obj)
{
	(void)key;
	return *CFIELD(struct probe_option *, o, obj) != NULL || o->only & PROBE_MASK(PROBE_EXEC);
}

static bool probe_equal(const struct option *o, const void *a, const void *b)
{
	return probe_option_equal(*CFIELD(struct probe_option *, o, a),
				  *CFIELD(struct probe_option *, o, b));
}

static void probe_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	(void)key;
	probe_option_format(*CFIELD(struct probe_option *, o, obj), &text);
	toml_quote(text.buf, out);
}

static json_t *probe_json(const struct option *o, int key, const void *obj)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	(void)key;
	probe_option_format(*CFIELD(struct probe_option *, o, obj), &text);
	return json_text(text.buf);
}

static void probe_copy(const struct option *o, void *dst, const void *src)
{
	*probe_of(o, dst) = probe_option_copy(*CFIELD(struct probe_option *, o, src));
}

static void probe_clear(const struct option *o, void *obj)
{
	replace(probe_of(o, obj), NULL);
}

/* A name in the abstract namespace has no directory. */
static char **probe_path(const struct option *o, void *obj)
{
	struct probe_option *probe = *(struct probe_option **)part_resolve(o->at, obj);

	return probe != NULL && probe->socket != NULL && *probe->socket != '@' ? &probe->socket
									       : NULL;
}

const struct option_type type_probe = {
	.name = "probe", .shape = SHAPE_STRING, .parse = probe_parse, .is_set = probe_is_set,
	.equal = probe_equal, .format = probe_format, .json = probe_json, .copy = probe_copy,
	.clear = probe_clear, .path = probe_path,
};
