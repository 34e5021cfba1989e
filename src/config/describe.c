/* What the option table says to people and to other tools: JSON Schema, a sample file with every
 * key, and the key list of the manual. All loops over the rows. */
#include "base/alloc.h"
#include "config/config.h"
#include "config/type.h"

static const char *const class_names[] = {
	[RELOAD_LIVE] = "live", [RELOAD_RESTART] = "restart", [RELOAD_PROCD] = "procd",
};

static const char *section_title(const char *section)
{
	return strcmp(section, "subsystem") == 0 ? "subsystem.NAME" : section;
}

/* "trace, debug, ..." of the choices that the row allows. */
static void choices_text(const struct option *o, const char *sep, struct strbuf *out)
{
	size_t begin = out->len;

	for (int i = 0; o->choices != NULL && i < o->choices->count; i++) {
		if (o->choices->names[i] == NULL || (o->only != 0 && !(o->only & 1u << i)))
			continue;
		if (out->len > begin)
			strbuf_addstr(out, sep);
		strbuf_addstr(out, o->choices->names[i]);
	}
}

/* How a text of words and "WORD:REST" forms begins. */
static json_t *form_pattern(const struct option *o)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	const char *separator = "^(";

	for (int i = 0; i < o->choices->count; i++) {
		const char *name = o->choices->names[i];
		const char *colon = name != NULL ? strchr(name, ':') : NULL;

		if (name == NULL || (o->only != 0 && !(o->only & 1u << i)))
			continue;
		strbuf_addstr(&text, separator);
		if (colon != NULL)
			strbuf_add(&text, name, (size_t)(colon - name) + 1);
		else
			strbuf_addf(&text, "%s$", name);
		separator = "|";
	}
	strbuf_addstr(&text, ")");
	return json_text(text.buf);
}

static bool is_fixed_choice(const struct option *o)
{
	for (int i = 0; o->choices != NULL && i < o->choices->count; i++)
		if (o->choices->names[i] != NULL && strchr(o->choices->names[i], ':') != NULL)
			return false;
	return o->choices != NULL;
}

/* --- JSON Schema ---------------------------------------------------------------------------- */

static json_t *type_schema(const struct option *o)
{
	static const char *const types[] = {
		[SHAPE_STRING] = "string", [SHAPE_BOOL] = "boolean", [SHAPE_INT] = "integer",
		[SHAPE_NUMBER] = "number",
	};
	json_t *j;

	switch (o->type->shape) {
	case SHAPE_STRING:
	case SHAPE_BOOL:
	case SHAPE_INT:
	case SHAPE_NUMBER:
		return json_pack("{s:s}", "type", types[o->type->shape]);
	case SHAPE_DURATION:
	case SHAPE_SIZE:
	case SHAPE_LIMIT:
		return json_pack("{s:[s,s]}", "type", "string", "number");
	case SHAPE_STRINGS:
		return json_pack("{s:[s,s],s:{s:s}}", "type", "array", "string", "items", "type",
				 "string");
	case SHAPE_INTS:
		return json_pack("{s:[s,s],s:{s:s}}", "type", "array", "integer", "items", "type",
				 "integer");
	case SHAPE_CPUS:
		return json_pack("{s:[s,s,s]}", "type", "string", "integer", "array");
	case SHAPE_LEVEL:
		return json_pack("{s:[b,b,s,s]}", "enum", 0, 1, "full", "strict");
	case SHAPE_COMMAND:
		j = json_pack("{s:[s,s],s:{s:s},s:i}", "type", "array", "string", "items", "type",
			      "string", "minItems", 1);
		return j;
	case SHAPE_ENVIRONMENT:
		return json_pack("{s:[s,s]}", "type", "array", "object");
	}
	return json_object();
}

static json_t *row_schema(const struct option *o)
{
	json_t *j = type_schema(o);

	json_object_set_new(j, "description", json_text(o->help));
	json_object_set_new(j, "x-reload", json_text(class_names[o->reload]));
	if (o->type->shape == SHAPE_INT && o->max > o->min) {
		json_object_set_new(j, "minimum", json_integer(o->min));
		json_object_set_new(j, "maximum", json_integer(o->max));
	}
	if (o->type->shape == SHAPE_STRING && is_fixed_choice(o)) {
		json_t *values = json_array();

		for (int i = 0; i < o->choices->count; i++)
			if (o->choices->names[i] != NULL &&
			    (o->only == 0 || o->only & 1u << i))
				json_array_append_new(values, json_text(o->choices->names[i]));
		json_object_set_new(j, "enum", values);
	} else if (o->type->shape == SHAPE_STRING && o->choices != NULL) {
		json_object_set_new(j, "pattern", form_pattern(o));
	}
	return j;
}

static void add_row(json_t *properties, const struct option *o)
{
	json_object_set_new(properties, o->name, row_schema(o));
	if (o->alias.name != NULL)
		json_object_set_new(properties, o->alias.name, row_schema(o));
	if (o->type->shape == SHAPE_DURATION) {
		auto_free(freep) char *ms = x_asprintf("%s_ms", o->name);

		json_object_set_new(properties, ms, json_pack("{s:s,s:s}", "type", "integer",
							      "description", o->help));
	}
}

static json_t *object_schema(json_t *properties)
{
	return json_pack("{s:s,s:b,s:o}", "type", "object", "additionalProperties", 0, "properties",
			 properties);
}

static json_t *section_schema(const char *section, size_t from, size_t to)
{
	json_t *properties = json_object(), *j = object_schema(properties);

	for (size_t i = from; i < to; i++) {
		if (strcmp(schema[i].section, section) != 0)
			continue;
		if (strcmp(schema[i].name, "SIGxxx") == 0)
			json_object_set_new(j, "patternProperties",
					    json_pack("{s:o}", "^SIG", row_schema(&schema[i])));
		else
			add_row(properties, &schema[i]);
	}
	return j;
}

json_t *config_schema_json(void)
{
	json_t *properties = json_object(), *root = object_schema(properties);
	const char *section = "";

	json_object_set_new(root, "$schema",
			    json_string("https://json-schema.org/draft/2020-12/schema"));
	json_object_set_new(root, "title", json_string("daemon.toml of procd"));
	for (size_t i = 0; i < schema_top_n; i++) {
		if (*schema[i].section == '\0') {
			add_row(properties, &schema[i]);
		} else if (strcmp(schema[i].section, section) != 0) {
			section = schema[i].section;
			json_object_set_new(properties, section,
					    section_schema(section, 0, schema_top_n));
		}
	}
	json_object_set_new(properties, "defaults",
			    section_schema("subsystem", schema_top_n, schema_n));
	json_object_set_new(properties, "subsystem",
			    json_pack("{s:s,s:o}", "type", "object", "additionalProperties",
				      section_schema("subsystem", schema_top_n, schema_n)));
	return root;
}

/* --- sample --------------------------------------------------------------------------------- */

static void default_words(const struct option *o, struct strbuf *out)
{
	if (o->def_words != NULL)
		strbuf_addstr(out, o->def_words);
	else
		strbuf_addstr(out, o->def != NULL ? o->def : "unset");
	if (o->def_oneshot != NULL)
		strbuf_addf(out, "; %s for a oneshot", o->def_oneshot);
	if (o->def_backoff != NULL)
		strbuf_addf(out, "; %s with exponential-backoff", o->def_backoff);
}

/* What stands behind the '=': of a computed default only what is a value. */
static const char *sample_value(const struct option *o)
{
	if (o->def != NULL)
		return o->def;
	if (o->def_words != NULL && o->def_words[strspn(o->def_words, "0123456789")] == '\0')
		return o->def_words;
	return "\"\"";
}

static void sample_row(const struct option *o, struct strbuf *out)
{
	strbuf_addf(out, "# %s\n", o->help);
	if (o->choices != NULL) {
		strbuf_addstr(out, "#   one of: ");
		choices_text(o, ", ", out);
		strbuf_addch(out, '\n');
	}
	strbuf_addf(out, "#   reload: %s; default: ", class_names[o->reload]);
	default_words(o, out);
	if (strcmp(o->name, "SIGxxx") == 0)
		strbuf_addstr(out, "\n#SIGALRM = \"ignore\"\n\n");
	else
		strbuf_addf(out, "\n#%s = %s\n\n", o->name, sample_value(o));
}

void config_sample_toml(struct strbuf *out)
{
	const char *section = "";

	strbuf_addstr(out, "# daemon.toml: every key of procd with its default. A key that is "
		      "commented out has\n# that default anyway; uncomment what is to be "
		      "different.\n\n");
	for (size_t i = 0; i < schema_n; i++) {
		if (strcmp(schema[i].section, section) != 0) {
			section = schema[i].section;
			if (i == schema_top_n)
				strbuf_addstr(out, "# A subsystem. The same keys (but command) in "
					      "[defaults] count for all.\n");
			strbuf_addf(out, "%s[%s]\n\n", i == schema_top_n ? "#" : "",
				    section_title(section));
		}
		sample_row(&schema[i], out);
	}
}

/* --- manual --------------------------------------------------------------------------------- */

/* Text that mdoc shows as it is, each sentence on a line of its own. */
static void mdoc_text(const char *s, struct strbuf *out)
{
	if (*s == '.' || *s == '\'')
		strbuf_addstr(out, "\\&");
	for (const char *begin = s; *s != '\0'; s++) {
		if (*s == '\\')
			strbuf_addstr(out, "\\e");
		else if (*s == '"')
			strbuf_addstr(out, "\\(dq");
		else if (*s == ' ' && s > begin && s[-1] == '.' && s[1] >= 'A' && s[1] <= 'Z')
			strbuf_addch(out, '\n');
		else
			strbuf_addch(out, *s);
	}
}

static void mdoc_row(const struct option *o, struct strbuf *out)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	strbuf_addstr(out, ".It Li ");
	strbuf_addstr(out, o->name);
	if (o->alias.name != NULL)
		strbuf_addf(out, " , %s", o->alias.name);
	strbuf_addf(out, "\n");
	mdoc_text(o->help, out);
	strbuf_addstr(out, "\n");
	if (o->alias.name != NULL && o->alias.unit == UNIT_MS)
		strbuf_addf(out, "As\n.Li %s\nit is a number of milliseconds.\n", o->alias.name);
	if (o->choices != NULL) {
		strbuf_addstr(out, "One of\n.Li ");
		choices_text(o, " , ", out);
		strbuf_addstr(out, " .\n");
	}
	strbuf_addstr(out, "Default:\n");
	default_words(o, &text);
	mdoc_text(text.buf, out);
	strbuf_addf(out, "\n.Pq %s .\n", class_names[o->reload]);
}

void config_mdoc_keys(struct strbuf *out)
{
	const char *section = NULL;

	for (size_t i = 0; i < schema_n; i++) {
		if (section == NULL || strcmp(schema[i].section, section) != 0) {
			if (section != NULL)
				strbuf_addstr(out, ".El\n");
			section = schema[i].section;
			if (*section == '\0')
				strbuf_addstr(out, ".Ss Top level\n");
			else
				strbuf_addf(out, ".Ss [%s]\n", section_title(section));
			strbuf_addstr(out, ".Bl -tag -width Ds\n");
		}
		mdoc_row(&schema[i], out);
	}
	strbuf_addstr(out, ".El\n");
}
