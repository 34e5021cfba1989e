/* --help and --version, from the verb table. */
#include "base/strbuf.h"
#include "command/cli.h"
#include "command/verbs.h"
#include "config.h"

#define LEFT 29		/* columns of what is explained */
#define LINE 79

/* TEXT from BEGIN of OUT on, broken between words where it is too long; further lines begin with
 * INDENT blanks. Its own line ends are kept until one had to be made: then the rest of the
 * paragraph flows. */
static void add_words(struct strbuf *out, size_t begin, unsigned indent, const char *text)
{
	bool first = true, flows = false;

	for (; *text != '\0'; text += *text != '\0') {
		size_t n = strcspn(text, " \n");

		if (!first && out->len - begin + 1 + n > LINE) {
			strbuf_addch(out, '\n');
			begin = out->len;
			strbuf_addf(out, "%*s", (int)indent, "");
			first = flows = true;
		}
		strbuf_addstr(out, first ? "" : " ");
		strbuf_add(out, text, n);
		text += n;
		flows = flows && strncmp(text, "\n\n", 2) != 0;
		first = *text == '\n' && !flows && text[1] != '\0';
		if (first) {
			strbuf_addch(out, '\n');
			begin = out->len;
		}
	}
	strbuf_addch(out, '\n');
}

/* LEFT_TEXT and its explanation, which begins a line of its own where that is too long. */
static void add_row(struct strbuf *out, const char *left_text, const char *text)
{
	size_t begin = out->len;

	if (strlen(left_text) > LEFT) {
		strbuf_addf(out, "  %s\n", left_text);
		begin = out->len;
		left_text = "";
	}
	strbuf_addf(out, "  %-*s ", LEFT, left_text);
	add_words(out, begin, LEFT + 3, text);
}

static void add_option(struct strbuf *out, const struct verb_option *option)
{
	char left[64], letter[5] = "    ";

	if (option->letter)
		snprintf(letter, sizeof(letter), "-%c, ", option->letter);
	snprintf(left, sizeof(left), "%s--%s%s%s", letter, option->name,
		 option->argument ? " " : "", option->argument ? option->argument : "");
	add_row(out, left, option->help);
}

static void add_common(struct strbuf *out)
{
	strbuf_addstr(out, "\nCommon options, before or after the verb:\n");
	for (const struct verb_option *option = common_options; option->name; option++)
		add_option(out, option);
}

static void add_overview(struct strbuf *out)
{
	strbuf_addstr(out,
		"Usage: procd [-c FILE] [--set SECTION.KEY=VALUE]...    supervise (verb run)\n"
		"       procd run -- COMMAND [ARG...]                   supervise one command\n"
		"       procd VERB [OPTION...] [ARGUMENT...]            talk to a running procd\n"
		"\nVerbs:\n");
	for (const struct verb *v = verb_table; v < verb_table + VERB_COUNT; v++) {
		char left[64];

		if (!v->name || (v->flags & VERB_HIDDEN))
			continue;
		snprintf(left, sizeof(left), "%s %s", v->name, v->arguments);
		add_row(out, left, v->summary);
	}
	add_common(out);
	strbuf_addstr(out, "\nVERB --help tells more. The manual is procd(8).\n");
}

static void add_verb(struct strbuf *out, const struct verb *verb)
{
	strbuf_addf(out, "Usage: procd %s [OPTION...]%s%s\n%s\n", verb->name,
		    *verb->arguments ? " " : "", verb->arguments, verb->summary);
	if (verb->details) {
		strbuf_addch(out, '\n');
		add_words(out, out->len, 0, verb->details);
	}
	if (verb->options[0].name)
		strbuf_addstr(out, "\nOptions:\n");
	for (int i = 0; i < VERB_OPTIONS_MAX && verb->options[i].name; i++)
		add_option(out, &verb->options[i]);
	add_common(out);
}

int cli_usage(const struct verb *verb)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	if (verb)
		add_verb(&out, verb);
	else
		add_overview(&out);
	return cli_print(out.buf, out.len);
}

int cli_version(void)
{
	static const char text[] = "procd " PROCD_VERSION "\n";

	return cli_print(text, sizeof(text) - 1);
}
