/* What all types share: complaints, text with variables, choices. */
#include "config/type.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/text.h"

int parse_fail(struct parse *p, const struct value *v, const char *fmt, ...)
{
	va_list ap;

	strbuf_reset(&p->why);
	va_start(ap, fmt);
	strbuf_vaddf(&p->why, fmt, ap);
	va_end(ap);
	p->line = v->line;
	p->column = v->column;
	return -EINVAL;
}

/* The text of V with variables replaced; V has text. */
static char *expanded(struct parse *p, const struct value *v)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	if (!v->variables || p->vars == NULL)
		return x_strdup(v->text);
	strbuf_reset(&p->why);
	if (expand(p->vars, v->text, &out, &p->why) < 0) {
		p->line = v->line;
		p->column = v->column;
		return NULL;
	}
	return strbuf_detach(&out);
}

char *parse_text(struct parse *p, const struct value *v)
{
	if (v->text == NULL) {
		parse_fail(p, v, "expected a string, not %s", value_kind_name(v));
		return NULL;
	}
	return expanded(p, v);
}

int parse_check_string(struct parse *p, const struct value *v)
{
	bool bare = v->kind == VALUE_INT || v->kind == VALUE_FLOAT || v->kind == VALUE_BOOL;

	return !bare || p->untyped ? 0 :
	       parse_fail(p, v, "expected a string, not %s; put it in quotes", value_kind_name(v));
}

char *parse_string(struct parse *p, const struct value *v)
{
	return parse_check_string(p, v) == 0 ? parse_text(p, v) : NULL;
}

const struct value *parse_plain(struct parse *p, const struct value *v, struct value *tmp)
{
	auto_free(freep) char *text = NULL;

	*tmp = (struct value)VALUE_INIT;
	if (v->text == NULL || !v->variables || p->vars == NULL)
		return v;
	text = expanded(p, v);
	if (text == NULL)
		return NULL;
	value_from_bare(text, tmp);
	tmp->line = v->line;
	tmp->column = v->column;
	return tmp;
}

/* "a, b, c" of the choices that ONLY allows, and the same as candidates for a suggestion. */
static size_t list_choices(const struct enumtext *choices, unsigned only, struct strbuf *out,
			   const char **names)
{
	size_t n = 0;

	for (int i = 0; i < choices->count; i++) {
		if (choices->names[i] == NULL || (only != 0 && (only >> i & 1) == 0))
			continue;
		strbuf_addf(out, "%s%s", n > 0 ? ", " : "", choices->names[i]);
		names[n++] = choices->names[i];
	}
	return n;
}

int parse_choice(struct parse *p, const struct value *v, const char *text,
		 const struct enumtext *choices, unsigned only)
{
	auto_free(strbuf_fini) struct strbuf list = STRBUF_INIT;
	const char *names[32], *near;
	int found = enumtext_find(choices, text);
	size_t n;

	if (found >= 0 && (only == 0 || (only >> found & 1) != 0))
		return found;
	BUG_ON(choices->count > (int)ARRAY_LEN(names));
	n = list_choices(choices, only, &list, names);
	near = text_nearest(text, names, n);
	parse_fail(p, v, "unknown %s '%.60s'%s%s%s; accepted: %s", choices->what, text,
		   near != NULL ? " (did you mean '" : "", near != NULL ? near : "",
		   near != NULL ? "'?)" : "", list.buf);
	return -EINVAL;
}
