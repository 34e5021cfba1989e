/* Commands: the main one, and those beside it (hooks). A string is split into words, and given to a
 * shell only with shell = true. */
#include "config/type.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/text.h"

/* Split first, then replace variables: what a variable holds stays one word. */
int parse_words(struct parse *p, const struct value *v, size_t skip, struct strlist *out)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;
	size_t offset = 0;

	if (words_split(v->text + skip, &words, &offset) < 0)
		return parse_fail(p, v, "a quote is not closed or a backslash ends the text, at "
				  "character %zu of the command", offset + 1);
	for (size_t i = 0; i < words.n; i++) {
		struct value word = { .kind = VALUE_STRING, .line = v->line, .column = v->column };
		int ret;

		value_set_text(&word, x_strdup(words.items[i]));
		ret = list_add_text(p, &word, out);
		value_fini(&word);
		if (ret < 0)
			return -EINVAL;
	}
	return 0;
}

/* SCRIPT: a string is for a shell. */
static int command_read(struct parse *p, const struct value *v, bool script, struct strlist *out)
{
	int ret;

	if (v->kind == VALUE_TABLE)
		return parse_fail(p, v, "expected a string or an array of strings, not a table");
	/* true and false are programs, too */
	if (v->kind != VALUE_BOOL && parse_check_string(p, v) < 0)
		return -EINVAL;
	if (v->kind == VALUE_ARRAY)
		ret = list_add_items(p, v, out);
	else if (script)
		ret = list_add_text(p, v, out);
	else
		ret = parse_words(p, v, 0, out);
	if (ret == 0 && (out->n == 0 || *out->items[0] == '\0'))
		return parse_fail(p, v, "the command is empty");
	return ret;
}

static int command_parse(struct parse *p, const struct value *v, void *obj)
{
	struct subsystem_options *s = obj;	/* `shell` stands before in the table */
	auto_free(strlist_fini) struct strlist list = STRLIST_INIT;

	if (s->shell && v->kind == VALUE_ARRAY)
		return parse_fail(p, v, "with shell = true the command is one string");
	if (command_read(p, v, s->shell, &list) < 0)
		return -EINVAL;
	list_replace(&s->command, &list);
	return 0;
}

static bool command_is_set(const struct option *o, int key, const void *obj)
{
	const struct subsystem_options *s = obj;

	(void)o, (void)key;
	return s->command.n > 0;
}

static void command_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	const struct subsystem_options *s = obj;

	if (s->shell)
		toml_quote(s->command.items[0], out);
	else
		strings_format(o, key, obj, out);
}

static json_t *command_json(const struct option *o, int key, const void *obj)
{
	const struct subsystem_options *s = obj;

	return s->shell ? json_text(s->command.items[0]) : strings_json(o, key, obj);
}

const struct option_type type_command = {
	.name = "command", .shape = SHAPE_COMMAND, .parse = command_parse,
	.is_set = command_is_set, .equal = strings_equal, .format = command_format,
	.json = command_json, .copy = strings_copy, .clear = strings_clear,
};

/* A command beside the main one. With shell = true a string becomes the array that runs it by
 * sh -c, and is shown as that. */
static int hook_parse(struct parse *p, const struct value *v, void *obj)
{
	const struct subsystem_options *s = obj;	/* `shell` stands before in the table */
	auto_free(strlist_fini) struct strlist list = STRLIST_INIT, shell = STRLIST_INIT;
	bool script = s->shell && v->kind != VALUE_ARRAY;

	if (command_read(p, v, script, &list) < 0)
		return -EINVAL;
	if (script) {
		strlist_add(&shell, "/bin/sh");
		strlist_add(&shell, "-c");
		strlist_add(&shell, list.items[0]);
	}
	list_replace(FIELD(struct strlist, p->o, obj), script ? &shell : &list);
	return 0;
}

static bool hook_is_set(const struct option *o, int key, const void *obj)
{
	(void)key;
	return CFIELD(struct strlist, o, obj)->n > 0;
}

const struct option_type type_hook = {
	.name = "command", .shape = SHAPE_COMMAND, .parse = hook_parse, .is_set = hook_is_set,
	STRINGS_VERBS,
};
