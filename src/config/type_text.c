/* Text: strings, names, paths, choices, signal names. */
#include "config/type.h"

#include <errno.h>
#include <limits.h>

#include "base/alloc.h"
#include "base/signame.h"

/* --- strings: shared verbs ------------------------------------------------------------------ */

static void replace(char **field, char *text)
{
	free(*field);
	*field = text;
}

static int string_parse(struct parse *p, const struct value *v, void *obj)
{
	char *text = parse_string(p, v);

	if (text == NULL)
		return -EINVAL;
	replace(FIELD(char *, p->o, obj), text);
	return 0;
}

bool string_is_set(const struct option *o, int key, const void *obj)
{
	(void)key;
	return *CFIELD(char *, o, obj) != NULL;
}

bool string_equal(const struct option *o, const void *a, const void *b)
{
	const char *sa = *CFIELD(char *, o, a), *sb = *CFIELD(char *, o, b);

	return sa == NULL || sb == NULL ? sa == sb : strcmp(sa, sb) == 0;
}

void string_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	(void)key;
	toml_quote(*CFIELD(char *, o, obj), out);
}

json_t *string_json(const struct option *o, int key, const void *obj)
{
	(void)key;
	return json_text(*CFIELD(char *, o, obj));
}

void string_copy(const struct option *o, void *dst, const void *src)
{
	*FIELD(char *, o, dst) = x_strdup(*CFIELD(char *, o, src));
}

void string_clear(const struct option *o, void *obj)
{
	replace(FIELD(char *, o, obj), NULL);
}

const struct option_type type_string = { .name = "string", STRING_VERBS, .parse = string_parse };

/* --- strings that name something ------------------------------------------------------------ */

/* Takes TEXT and gives it back, or NULL. */
static char *not_empty(struct parse *p, const struct value *v, char *text)
{
	if (text == NULL || *text != '\0')
		return text;
	free(text);
	parse_fail(p, v, "must not be empty");
	return NULL;
}

static int account_parse(struct parse *p, const struct value *v, void *obj)
{
	char *text = not_empty(p, v, parse_text(p, v));

	if (text == NULL)
		return -EINVAL;
	replace(FIELD(char *, p->o, obj), text);
	return 0;
}

const struct option_type type_account = { .name = "user or group", STRING_VERBS,
					  .parse = account_parse };

/* The instance's name becomes a directory name. */
static int name_parse(struct parse *p, const struct value *v, void *obj)
{
	auto_free(freep) char *text = not_empty(p, v, parse_string(p, v));

	if (text == NULL)
		return -EINVAL;
	if (strlen(text) > 64)
		return parse_fail(p, v, "must not be longer than 64 bytes");
	if (strchr(text, '/') != NULL || text[0] == '.')
		return parse_fail(p, v, "must not have a '/' or begin with a '.': it names the run "
				  "directory");
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return parse_fail(p, v, "must not have control characters");
	replace(FIELD(char *, p->o, obj), take(text));
	return 0;
}

const struct option_type type_name = { .name = "name", STRING_VERBS, .parse = name_parse };

static char **string_path(const struct option *o, void *obj)
{
	return part_resolve(o->at, obj);
}

static int path_parse(struct parse *p, const struct value *v, void *obj)
{
	auto_free(freep) char *text = not_empty(p, v, parse_string(p, v));

	if (text == NULL)
		return -EINVAL;
	if (strlen(text) >= PATH_MAX)
		return parse_fail(p, v, "the path is longer than %d bytes", PATH_MAX - 1);
	replace(FIELD(char *, p->o, obj), take(text));
	return 0;
}

const struct option_type type_path = { .name = "path", STRING_VERBS, .parse = path_parse,
				       .path = string_path };

/* The words are no paths; "./syslog" is a file of that name. */
static char **log_file_path(const struct option *o, void *obj)
{
	char **path = string_path(o, obj);

	return *path != NULL && (strcmp(*path, "syslog") == 0 || strcmp(*path, "journal") == 0) ?
	       NULL : path;
}

const struct option_type type_log_file = { .name = "path", STRING_VERBS, .parse = path_parse,
					   .path = log_file_path };

/* --- choices -------------------------------------------------------------------------------- */

static int enum_parse(struct parse *p, const struct value *v, void *obj)
{
	auto_free(freep) char *text = parse_text(p, v);
	int choice;

	if (text == NULL)
		return -EINVAL;
	choice = parse_choice(p, v, text, p->o->choices, p->o->only);
	if (choice < 0)
		return -EINVAL;
	*FIELD(int, p->o, obj) = choice;
	return 0;
}

static bool enum_equal(const struct option *o, const void *a, const void *b)
{
	return *CFIELD(int, o, a) == *CFIELD(int, o, b);
}

static void enum_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	(void)key;
	strbuf_addf(out, "\"%s\"", enumtext_name(o->choices, *CFIELD(int, o, obj)));
}

static json_t *enum_json(const struct option *o, int key, const void *obj)
{
	(void)key;
	return json_string(enumtext_name(o->choices, *CFIELD(int, o, obj)));
}

const struct option_type type_enum = {
	.name = "choice", .shape = SHAPE_STRING, .parse = enum_parse, .equal = enum_equal,
	.format = enum_format, .json = enum_json,
};

/* A choice that is kept as its text. */
static int word_parse(struct parse *p, const struct value *v, void *obj)
{
	auto_free(freep) char *text = parse_text(p, v);

	if (text == NULL || parse_choice(p, v, text, p->o->choices, p->o->only) < 0)
		return -EINVAL;
	replace(FIELD(char *, p->o, obj), take(text));
	return 0;
}

const struct option_type type_word = { .name = "choice", STRING_VERBS, .parse = word_parse };

/* --- signal names --------------------------------------------------------------------------- */

static int signal_parse(struct parse *p, const struct value *v, void *obj)
{
	auto_free(freep) char *text = parse_text(p, v);
	int signo;

	if (text == NULL)
		return -EINVAL;
	signo = signame_parse(text);
	if (signo <= 0)
		return parse_fail(p, v, "unknown signal '%.60s'; write a name such as \"SIGTERM\"",
				  text);
	*FIELD(int, p->o, obj) = signo;
	return 0;
}

static void signal_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	(void)key;
	strbuf_addf(out, "\"%s\"", signame(*CFIELD(int, o, obj)));
}

static json_t *signal_json(const struct option *o, int key, const void *obj)
{
	(void)key;
	return json_signal(*CFIELD(int, o, obj));
}

const struct option_type type_signal = {
	.name = "signal", .shape = SHAPE_STRING, .parse = signal_parse, .equal = enum_equal,
	.format = signal_format, .json = signal_json,
};
