/* ExecStart= and its kin. systemd runs no shell, but replaces variables from the unit's
 * environment, which procd does not: a command with variables goes through a shell that does
 * nothing else, with the words cut where systemd would cut them, and that is replaced by the
 * program. */
#include "import/systemd.h"

#include <errno.h>
#include <signal.h>

#include "base/alloc.h"
#include "base/signame.h"

#define VARIABLE_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

struct command {
	struct strlist words;
	bool may_fail, no_variables;
};

/* Append a word for a shell. $$ is a dollar; $NAME alone is as many words as it has, ${NAME} is
 * text. */
static void add_shell_word(const struct command *c, const char *word, struct strbuf *out)
{
	auto_free(strbuf_fini) struct strbuf literal = STRBUF_INIT;
	size_t name = *word != '$' ? 0 : strspn(word + 1, VARIABLE_CHARACTERS);

	if (!c->no_variables && name > 0 && word[1 + name] == '\0') {
		strbuf_addstr(out, word);
		return;
	}
	for (const char *p = word; *p != '\0'; p++) {
		const char *close = p[0] == '$' && p[1] == '{' ? strchr(p, '}') : NULL;

		if (c->no_variables || *p != '$') {
			strbuf_addch(&literal, *p);
		} else if (p[1] == '$') {
			strbuf_addch(&literal, *p++);
		} else if (close != NULL && (size_t)(close - p) == 2 + strspn(p + 2,
								VARIABLE_CHARACTERS)) {
			if (literal.len > 0)
				import_shell_word(literal.buf, out);
			strbuf_reset(&literal);
			strbuf_addf(out, "\"%.*s\"", (int)(close - p + 1), p);
			p = close;
		} else {
			strbuf_addch(&literal, *p);
		}
	}
	if (literal.len > 0 || *word == '\0')
		import_shell_word(literal.buf, out);
}

/* As a whole, or in braces; a $NAME within a word is nothing there. */
static bool is_variable(const char *word)
{
	size_t name = *word == '$' ? strspn(word + 1, VARIABLE_CHARACTERS) : 0;

	if (name > 0 && word[1 + name] == '\0')
		return true;
	for (const char *p = strstr(word, "${"); p != NULL; p = strstr(p + 2, "${"))
		if (p[2 + strspn(p + 2, VARIABLE_CHARACTERS)] == '}')
			return true;
	return false;
}

static bool has_variables(const struct command *c)
{
	for (size_t i = 1; i < c->words.n && !c->no_variables; i++)
		if (is_variable(c->words.items[i]))
			return true;
	return false;
}

/* "$$" is a dollar. */
static void halve_dollars(char *word)
{
	char *to = word;

	for (const char *p = word; *p != '\0'; p++) {
		*to++ = *p;
		p += p[0] == '$' && p[1] == '$';
	}
	*to = '\0';
}

/* PREFIXES of the program's name: what of them there is here. */
static const char *take_prefixes(struct unit *u, const struct directive *d, const char *program,
				 struct command *c, bool *own_name)
{
	for (; *program != '\0' && strchr("-@:+!|", *program) != NULL; program++) {
		c->may_fail = c->may_fail || *program == '-';
		c->no_variables = c->no_variables || *program == ':';
		*own_name = *own_name || *program == '@';
		if (*program == '+' || *program == '!')
			import_note(u->s, d->line, d->value,
				    "there are no more rights for one command; it "
				    "has those of user");
	}
	return program;
}

/* The next command of D, from *AT on. 1: there is none. */
static int next_command(struct unit *u, const struct directive *d, const char **at,
			struct command *c)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;
	const char *program;
	bool own_name = false;

	*c = (struct command){ .words = STRLIST_INIT };
	if (**at == '\0')
		return 1;
	if (unit_words(u, d, *at, &words, at) < 0)
		return -EINVAL;
	if (words.n == 0)
		return 1;
	program = take_prefixes(u, d, words.items[0], c, &own_name);
	if (*program == '\0')
		return import_fail(u->im, d->file, d->line, "%s=: the command is missing", d->key);
	for (size_t i = 0; i < words.n; i++) {
		auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

		if (i == 1 && own_name)	/* "@": the second word is argv[0] */
			continue;
		if (unit_expand(u, d, i == 0 ? program : words.items[i], &text) < 0)
			return -EINVAL;
		strlist_add(&c->words, text.buf);
	}
	if (own_name)
		import_note(u->s, d->line, d->value, "argv[0] is always the program's name here");
	return 0;
}

static void add_script(const struct command *c, bool last, struct strbuf *script)
{
	if (last && !c->may_fail)
		strbuf_addstr(script, "exec ");
	for (size_t i = 0; i < c->words.n; i++) {
		strbuf_addstr(script, i > 0 ? " " : "");
		add_shell_word(c, c->words.items[i], script);
	}
	strbuf_addstr(script, c->may_fail ? " || :" : "");
	strbuf_addstr(script, last ? "" : "; ");
}

/* "kill -HUP $MAINPID" is a signal. */
static int signal_of(const struct command *c)
{
	const struct strlist *w = &c->words;
	const char *program = w->n > 0 ? strrchr(w->items[0], '/') : NULL, *name = NULL;

	program = program != NULL ? program + 1 : w->n > 0 ? w->items[0] : "";
	if (strcmp(program, "kill") != 0 || w->n < 3 ||
	    (strcmp(w->items[w->n - 1], "$MAINPID") != 0 &&
	     strcmp(w->items[w->n - 1], "${MAINPID}") != 0))
		return -EINVAL;
	if (w->n == 3 && w->items[1][0] == '-')
		name = w->items[1] +
		       (strncmp(w->items[1], "-s", 2) == 0 && w->items[1][2] >= 'A' ? 2 : 1);
	if (w->n == 4 && (strcmp(w->items[1], "-s") == 0 || strcmp(w->items[1], "--signal") == 0))
		name = w->items[2];
	return name != NULL ? signame_parse(name) : -EINVAL;
}

static bool take_signal(struct unit *u, const struct command *c, const char *key)
{
	const char *to = strcmp(key, "reload_command") == 0 ? "reload_signal" :
			 strcmp(key, "stop_command") == 0 ? "stop_signal" : NULL;
	int signo = signal_of(c);

	if (to == NULL || signo <= 0)
		return false;
	if (signo == SIGSTOP || signo == SIGTSTP || signo == SIGCONT) {
		import_note(u->s, 0, c->words.items[0], "%s ends nothing; stop_signal follows there at "
			    "once", signame(signo));
		return true;
	}
	import_text_value(u->s, to, signame(signo));
	return true;
}

static bool take_words(struct unit *u, struct command *c, const char *key)
{
	if (has_variables(c) || (c->may_fail && strcmp(key, "command") != 0))
		return false;
	for (size_t i = 1; i < c->words.n && !c->no_variables; i++)
		halve_dollars(c->words.items[i]);
	import_list(u->s, key, &c->words);
	if (c->may_fail)
		import_remark(u->s, key, "a failure of it counted as success");
	return true;
}

struct gathered {
	struct command *commands;
	size_t n;
};

static int gather(struct unit *u, const char *exec, struct gathered *g)
{
	for (size_t i = 0; i < u->n; i++) {
		struct directive *d = &u->lines[i];
		const char *at = d->value;
		struct command c;
		int r;

		if (strcmp(d->section, "Service") != 0 || strcmp(d->key, exec) != 0)
			continue;
		d->taken = true;
		while (*d->value == '\0' && g->n > 0)
			strlist_fini(&g->commands[--g->n].words);
		while ((r = next_command(u, d, &at, &c)) == 0) {
			g->commands = x_reallocarray(g->commands, g->n + 1, sizeof(c));
			g->commands[g->n++] = c;
		}
		if (r < 0) {
			strlist_fini(&c.words);
			return r;
		}
	}
	return 0;
}

static void use(struct unit *u, struct gathered *g, const char *key)
{
	auto_free(strbuf_fini) struct strbuf script = STRBUF_INIT;
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;

	if (g->n == 1 && (take_signal(u, &g->commands[0], key) ||
			  take_words(u, &g->commands[0], key)))
		return;
	if (strcmp(key, "command") == 0)	/* its end is what the restart policy looks at */
		g->commands[g->n - 1].may_fail = false;
	strbuf_addstr(&script, g->n > 1 ? "set -ef; " : "set -f; ");
	for (size_t i = 0; i < g->n; i++)
		add_script(&g->commands[i], i + 1 == g->n, &script);
	strlist_add(&words, "/bin/sh");
	strlist_add(&words, "-c");
	strlist_add(&words, script.buf);
	import_list(u->s, key, &words);
}

int unit_commands(struct unit *u, const char *exec, const char *key)
{
	struct gathered g = { 0 };
	int r = gather(u, exec, &g);

	if (r == 0 && g.n > 0)
		use(u, &g, key);
	for (size_t i = 0; i < g.n; i++)
		strlist_fini(&g.commands[i].words);
	free(g.commands);
	return r;
}
