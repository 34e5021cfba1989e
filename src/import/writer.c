/* The model as text. Every line that comes from somebody else's file goes through a filter that
 * leaves nothing in it that could end a comment; values were quoted when they were set. */
#include "import/model.h"

#include "base/alloc.h"
#include "base/text.h"

#define SHOWN_MAX 160		/* columns of a foreign setting in a comment */

struct writer {
	struct strbuf *out;
	int line;	/* of what is written next, from 1 */
};

static void end_line(struct writer *w)
{
	strbuf_addch(w->out, '\n');
	w->line++;
}

/* TEXT on one line, harmless, and cut where it is wider than MAX. */
static void add_shown(struct writer *w, const char *text, unsigned max)
{
	auto_free(strbuf_fini) struct strbuf flat = STRBUF_INIT, safe = STRBUF_INIT;
	size_t n;

	strbuf_add(&flat, text, strnlen(text, (size_t)max * 8));
	for (char *p = flat.buf; *p != '\0'; p++)
		if (*p == '\n' || *p == '\t')
			*p = ' ';
	terminal_escape(flat.buf, flat.len, &safe);
	n = text_fit(safe.buf, safe.len, max);
	strbuf_add(w->out, safe.buf, n);
	if (n < safe.len)
		strbuf_addstr(w->out, "...");
}

static void add_comment(struct writer *w, const char *text)
{
	strbuf_addstr(w->out, "# ");
	add_shown(w, text, 1000);
	end_line(w);
}

static void add_notes(struct writer *w, const struct import_service *s)
{
	for (size_t i = 0; i < s->nnotes; i++) {
		const struct import_note *n = &s->notes[i];

		strbuf_addstr(w->out, "# not mapped: ");
		add_shown(w, n->what, SHOWN_MAX);
		if (n->line > 0)
			strbuf_addf(w->out, " (line %d)", n->line);
		strbuf_addstr(w->out, ": ");
		add_shown(w, n->why, 1000);
		end_line(w);
	}
	if (s->notes_lost > 0) {
		strbuf_addf(w->out, "# ... and %zu more of the kind", s->notes_lost);
		end_line(w);
	}
}

/* --- values ------------------------------------------------------------------------------------ */

static void add_environment(struct writer *w, const struct import_service *s, const char *before)
{
	strbuf_addf(w->out, "%senvironment = [", before);
	end_line(w);
	for (size_t i = 0; i < s->environment.n; i++) {
		strbuf_addf(w->out, "%s\t", before);
		import_quote(s->environment.items[i], w->out);
		strbuf_addstr(w->out, ",");
		end_line(w);
	}
	strbuf_addf(w->out, "%s]", before);
	end_line(w);
}

static void add_setting(struct writer *w, struct import_setting *setting, bool off)
{
	if (setting->remark != NULL)
		add_comment(w, setting->remark);
	if (setting->refused != NULL) {
		strbuf_addf(w->out, "# not mapped: %s = ", setting->key);
		add_shown(w, setting->toml, SHOWN_MAX);
		strbuf_addstr(w->out, ": ");
		add_shown(w, setting->refused, 1000);
		setting->first = setting->last = 0;
	} else {
		setting->first = setting->last = w->line;
		strbuf_addf(w->out, "%s%s = %s", off ? "# " : "", setting->key, setting->toml);
	}
	end_line(w);
}

/* "web" is "web.service". */
static bool is_same_unit(const struct import_service *s)
{
	size_t n = strlen(s->name);

	return strncmp(s->id, s->name, n) == 0 && strcmp(s->id + n, ".service") == 0;
}

static void add_service(struct writer *w, struct import_service *s)
{
	const char *before = s->refused != NULL ? "# " : "";

	end_line(w);
	if (s->refused != NULL) {
		strbuf_addstr(w->out, "# not mapped: the whole of this: ");
		add_shown(w, s->refused, 1000);
		end_line(w);
	}
	s->header = w->line;
	strbuf_addf(w->out, "%s[subsystem.%s]", before, s->name);
	end_line(w);
	if (s->origin != NULL || s->file != NULL) {
		auto_free(freep) char *from = s->line > 0 ?
			x_asprintf("from %s, %s:%d", s->origin, s->file, s->line) :
			x_asprintf("from %s, %s", s->origin, s->file);

		add_comment(w, from);
	}
	if (strcmp(s->name, s->id) != 0 && !is_same_unit(s)) {
		auto_free(freep) char *called = x_asprintf("it was called %s there", s->id);

		add_comment(w, called);
	}
	for (size_t i = 0; i < s->nsettings; i++)
		add_setting(w, &s->settings[i], s->refused != NULL);
	if (s->environment.n > 0)
		add_environment(w, s, before);
	add_notes(w, s);
}

void import_write(struct import *im, const char *path, const char *format, struct strbuf *out)
{
	struct writer w = { .out = out, .line = 1 };
	auto_free(freep) char *from =
		x_asprintf("Made by `procd import` from %s (%s).", path, format);

	strbuf_reset(out);
	add_comment(&w, from);
	add_comment(&w, "Lines with \"not mapped\" say what has no counterpart here, and why.");
	add_notes(&w, im->whole);
	for (size_t i = 0; i < im->n; i++)
		add_service(&w, im->services[i]);
}
