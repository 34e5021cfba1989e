/* What a value holds, for its owner and for people; and text written as TOML. */
#include "config/value.h"

void value_set_text(struct value *v, char *text)
{
	free(v->text);
	v->text = text;
	v->variables = strpbrk(text, "$%") != NULL;
}

void value_fini(struct value *v)
{
	for (size_t i = 0; i < v->n; i++) {
		value_fini(&v->items[i]);
		if (v->keys != NULL)
			free(v->keys[i].name);
	}
	free(v->items);
	free(v->keys);
	free(v->text);
	*v = (struct value)VALUE_INIT;
}

const char *value_kind_name(const struct value *v)
{
	static const char *const names[] = {
		[VALUE_NULL] = "null", [VALUE_STRING] = "a string", [VALUE_WORD] = "a word",
		[VALUE_INT] = "an integer", [VALUE_FLOAT] = "a floating-point number",
		[VALUE_BOOL] = "a boolean", [VALUE_ARRAY] = "an array", [VALUE_TABLE] = "a table",
	};

	return names[v->kind];
}

/* '$' starts a variable before '{' and '$'; '%' before 'n', 'i' and '%'. */
static bool starts_variable(const char *p)
{
	if (*p == '$')
		return p[1] == '{' || p[1] == '$';
	return *p == '%' && (p[1] == 'n' || p[1] == 'i' || p[1] == '%');
}

static void quote(const char *text, bool protect, struct strbuf *out)
{
	static const char from[] = "\b\t\n\f\r\"\\", to[] = "btnfr\"\\";

	strbuf_addch(out, '"');
	for (const char *p = text; *p != '\0'; p++) {
		const char *at = strchr(from, *p);

		if (protect && starts_variable(p))
			strbuf_addch(out, *p);
		if (at != NULL)
			strbuf_addf(out, "\\%c", to[at - from]);
		else if ((unsigned char)*p < 0x20 || *p == 0x7f)
			strbuf_addf(out, "\\u%04x", (unsigned)(unsigned char)*p);
		else
			strbuf_addch(out, *p);
	}
	strbuf_addch(out, '"');
}

void toml_quote(const char *text, struct strbuf *out)
{
	quote(text, true, out);
}

void toml_quote_raw(const char *text, struct strbuf *out)
{
	quote(text, false, out);
}
