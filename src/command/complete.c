/* `complete`, which the scripts of contrib/completion ask: verbs, options and what may follow them
 * are those of the verb table, names are those of the procd that the words before lead to. What
 * only a shell knows (files, commands) is left to it by a line that begins with ':'. */
#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "base/signame.h"
#include "base/text.h"
#include "command/call.h"
#include "command/verbs.h"
#include "config/config.h"
#include "config/options.h"
#include "console/table.h"
#include "event/event.h"

#define PATIENCE_MS 2000	/* somebody waits with the finger on the key */
#define SIGNALS_STANDARD 31

struct typing {
	const char *word;		/* the beginning that is there */
	const char *glued;		/* "--config=": stands before it, and before all offers */
	size_t glued_len;
	struct cli_options before;	/* what the words before say */
	const struct verb_option *pending;	/* its value is what is typed */
	bool separated;			/* "--" was there */
	struct map offered;
	struct strbuf out;
};

/* --- offers ----------------------------------------------------------------------------------- */

static void offer(void *ctx, const char *word, const char *help)
{
	struct typing *t = ctx;

	if (strncmp(word, t->word, strlen(t->word)) != 0 || map_find(&t->offered, word))
		return;
	map_put(&t->offered, word, t);
	strbuf_add(&t->out, t->glued, t->glued_len);
	cell_escape(word, strlen(word), &t->out);
	strbuf_addch(&t->out, '\t');
	cell_escape(help, strlen(help), &t->out);
	strbuf_addch(&t->out, '\n');
}

static void offer_words(struct typing *t, const struct enumtext *words)
{
	for (int i = 0; i < words->count; i++)
		if (words->names[i])
			offer(t, words->names[i], "");
}

static void offer_signals(struct typing *t)
{
	for (int i = 1; i <= SIGNALS_STANDARD; i++) {
		offer(t, signame(i), "");
		if (*t->word)
			offer(t, signame(i) + strlen("SIG"), "");
	}
}

/* One subsystem of a status: itself, what it is an instance of, its groups. */
static void offer_subsystem(struct typing *t, json_t *subsystem)
{
	const char *name = json_string_value(json_object_get(subsystem, "name"));
	const char *state = json_string_value(json_object_get(subsystem, "state"));
	const char *at = name ? strrchr(name, '@') : NULL;
	size_t i;
	json_t *group;

	if (!name || strlist_has(&t->before.args, name))
		return;
	if (at && !json_is_null(json_object_get(subsystem, "instance"))) {
		auto_free(freep) char *family = x_strndup(name, (size_t)(at - name));

		offer(t, family, "all its instances");
	}
	offer(t, name, state ? state : "");
	json_array_foreach(json_object_get(subsystem, "groups"), i, group) {
		auto_free(freep) char *text = x_asprintf("@%s", json_string_value(group));

		offer(t, text, "a group");
	}
}

static void offer_names(struct typing *t)
{
	auto_free(json_decrefp) json_t *status = NULL;
	struct cli_options o = {
		.verb = &verb_table[VERB_STATUS], .socket = t->before.socket,
		.config = t->before.config, .name = t->before.name, .timeout_ms = PATIENCE_MS,
	};
	size_t i;
	json_t *subsystem;

	if (call_once(&o, "status.get", json_object(), CALL_PROMPT, &status) != 0)
		return;
	json_array_foreach(json_object_get(status, "subsystems"), i, subsystem)
		offer_subsystem(t, subsystem);
	offer(t, "all", "");
}

/* --- what a usage text asks for --------------------------------------------------------------- */

/* KIND[0..N): a word of a usage text; in small letters it stands for itself. */
static void offer_kind(struct typing *t, const char *kind, size_t n, bool of_option)
{
	auto_free(freep) char *text = x_strndup(kind, n);
	static const char *const files[] = { "FILE", "DIR", "PATH", "SOCKET", "BINARY" };

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (strcmp(text, files[i]) == 0 && !strstr(t->out.buf, ":files"))
			strbuf_addf(&t->out, ":files %.*s\n", (int)t->glued_len, t->glued);
	}
	if (strcmp(text, "NAME") == 0 && !of_option) {
		offer_names(t);
	} else if (strcmp(text, "SIGNAL") == 0) {
		offer_signals(t);
	} else if (strcmp(text, "LEVEL") == 0) {
		offer_words(t, &log_level_text);
	} else if (strcmp(text, "POLICY") == 0) {
		offer_words(t, &restart_policy_text);
	} else if (strcmp(text, "STATE") == 0) {
		offer_words(t, &subsystem_state_text);
		offer(t, "ready", "");
		offer(t, "healthy", "");
	} else if (strcmp(text, "SECTION.KEY=VALUE") == 0) {
		config_complete(t->word, offer, t);
	} else if (text[0] >= 'a' && text[0] <= 'z') {
		offer(t, text, "");
	}
}

/* "cpu|heap" */
static void offer_kinds(struct typing *t, const char *kinds, size_t n, bool of_option)
{
	for (const char *end = kinds + n; kinds < end; ) {
		const char *bar = memchr(kinds, '|', (size_t)(end - kinds));
		const char *stop = bar ? bar : end;

		offer_kind(t, kinds, (size_t)(stop - kinds), of_option);
		kinds = stop + 1;
	}
}

/* Argument number INDEX of USAGE, "cpu|heap [NAME...]": the last one may be repeated. */
static void offer_argument(struct typing *t, const char *usage, size_t index)
{
	static const char brackets[] = " []";

	for (usage += strspn(usage, brackets); *usage; usage += strspn(usage, brackets)) {
		size_t n = strcspn(usage, brackets);
		bool repeats = n > 3 && memcmp(usage + n - 3, "...", 3) == 0;

		if (index == 0 || repeats) {
			offer_kinds(t, usage, repeats ? n - 3 : n, false);
			return;
		}
		usage += n;
		index--;
	}
}

static void offer_verbs(struct typing *t)
{
	for (const struct verb *v = verb_table; v < verb_table + VERB_COUNT; v++)
		if (v->name && !(v->flags & VERB_HIDDEN))
			offer(t, v->name, v->summary);
}

static void offer_option(struct typing *t, const struct verb_option *option)
{
	auto_free(freep) char *text = x_asprintf("--%s", option->name);

	offer(t, text, option->help);
}

static void offer_options(struct typing *t)
{
	const struct verb *verb = t->before.verb;

	for (int i = 0; verb && i < VERB_OPTIONS_MAX && verb->options[i].name; i++)
		offer_option(t, &verb->options[i]);
	for (const struct verb_option *option = common_options; option->name; option++)
		if (!verb || (verb->flags & VERB_SETS) || strcmp(option->name, "set") != 0)
			offer_option(t, option);
}

/* --- the words before ------------------------------------------------------------------------- */

static void note_value(struct typing *t, const struct verb_option *option, const char *value)
{
	if (strcmp(option->name, "socket") == 0)
		t->before.socket = value;
	else if (strcmp(option->name, "config") == 0)
		t->before.config = value;
	else if (strcmp(option->name, "name") == 0)
		t->before.name = value;
}

static const struct verb_option *option_of(const struct typing *t, char letter, const char *name,
					   size_t len)
{
	const struct verb_option *own = cli_own_option(t->before.verb, letter, name, len);

	return own ? own : cli_common_option(letter, name, len);
}

/* As the parser of cli.c reads it, but whatever is wrong is passed over. */
static void note_word(struct typing *t, const char *word)
{
	const struct verb_option *option;
	size_t len;

	if (t->pending) {
		note_value(t, t->pending, word);
		t->pending = NULL;
	} else if (t->separated) {
		strlist_add(&t->before.args, word);
	} else if (strcmp(word, "--") == 0) {
		t->separated = true;
	} else if (strncmp(word, "--", 2) == 0) {
		len = strcspn(word + 2, "=");
		option = option_of(t, 0, word + 2, len);
		if (option && option->argument && word[2 + len] == '=')
			note_value(t, option, word + 2 + len + 1);
		else if (option && option->argument)
			t->pending = option;
	} else if (word[0] == '-') {
		for (word++; *word; word++) {
			option = option_of(t, *word, NULL, 0);
			if (!option || !option->argument)
				continue;
			if (word[1])
				note_value(t, option, word + 1);
			else
				t->pending = option;
			return;
		}
	} else if (!t->before.verb) {
		t->before.verb = verb_find(word);
	} else {
		strlist_add(&t->before.args, word);
	}
}

/* A word as its shell would understand it, as far as that matters for finding a file. */
static char *unquoted(const char *word)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;
	const char *home = getenv("HOME");

	if (word[0] == '~' && (word[1] == '/' || word[1] == '\0') && home)
		return x_asprintf("%s%s", home, word + 1);
	if (words_split(word, &words, NULL) < 0 || words.n != 1)
		return x_strdup(word);
	return x_strdup(words.items[0]);
}

static void offer_all(struct typing *t)
{
	const struct verb *verb = t->before.verb;

	if (!t->pending && !t->separated && strncmp(t->word, "--", 2) == 0 &&
	    strchr(t->word, '=')) {
		size_t len = strcspn(t->word, "=");

		t->pending = option_of(t, 0, t->word + 2, len - 2);
		t->glued = t->word;
		t->glued_len = len + 1;
		t->word += len + 1;
		if (!t->pending || !t->pending->argument)
			return;
	}
	if (t->pending)
		offer_kinds(t, t->pending->argument, strlen(t->pending->argument), true);
	else if (t->separated && (!verb || verb == &verb_table[VERB_RUN]))
		strbuf_addstr(&t->out, t->before.args.n == 0 ? ":commands\n" : ":files \n");
	else if (!t->separated && t->word[0] == '-')
		offer_options(t);
	else if (!verb)
		offer_verbs(t);
	else if (verb != &verb_table[VERB_RUN])
		offer_argument(t, verb->arguments, t->before.args.n);
}

int verb_complete(const struct cli_options *o)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;
	struct typing t = {
		.word = cli_value(o, "word"), .glued = "", .before = CLI_OPTIONS_INIT,
		.offered = MAP_INIT, .out = STRBUF_INIT,
	};
	int rc;

	if (!t.word)
		t.word = "";
	else if (*t.word == '"' || *t.word == '\'')	/* which the shell closes */
		t.word++;
	for (size_t i = 0; i < o->args.n; i++) {
		strlist_take(&words, unquoted(o->args.items[i]));
		note_word(&t, words.items[words.n - 1]);
	}
	offer_all(&t);
	rc = cli_print(t.out.buf, t.out.len);
	cli_options_fini(&t.before);
	map_fini(&t.offered);
	strbuf_fini(&t.out);
	return rc;
}
