/* Service descriptions of dinit: one file each, with lines of SETTING = VALUE or SETTING: VALUE. */
#include "import/formats.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/signame.h"
#include "base/text.h"

enum kind { KIND_PROCESS, KIND_BACKGROUND, KIND_SCRIPTED, KIND_INTERNAL };

struct dinit {
	struct import *im;
	const char *path;
	char *dir;
	struct import_service *s;
	enum kind kind;
	int line;			/* that is looked at */
	struct strlist words;		/* of the value: quotes and backslashes taken away */
	struct strbuf value;		/* the same, with single blanks between */
};

struct rule {
	const char *key;
	int (*apply)(struct dinit *x, const struct rule *rule);
	const char *to;		/* procd's key, or why there is none */
};

static int fail(struct dinit *x, const struct rule *rule, const char *what)
{
	return import_fail(x->im, x->path, x->line, "%s: \"%.60s\" is not %s", rule->key,
			   x->value.buf, what);
}

static int take_note(struct dinit *x, const struct rule *rule)
{
	auto_free(freep) char *what = x_asprintf("%s = %s", rule->key, x->value.buf);

	import_note(x->s, x->line, what, "%s", rule->to);
	return 0;
}

/* --- values ------------------------------------------------------------------------------------ */

/* $NAME and ${NAME} come from dinit's environment, as those of procd come from procd's. */
static void add_variables(const char *text, struct strbuf *out)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	for (const char *p = text; *p != '\0'; p++) {
		bool brace = p[0] == '$' && p[1] == '{';
		const char *name = p + 1 + brace;
		size_t n = *p == '$' && !(*name >= '0' && *name <= '9') ? strspn(name, letters) : 0;

		if (p[0] == '$' && p[1] == '$') {
			strbuf_addch(out, *p++);
		} else if (n > 0 && (!brace || name[n] == '}')) {
			strbuf_addf(out, "%c{%.*s:-}", MARK_DOLLAR, (int)n, name);
			p = name + n - !brace;
		} else {
			strbuf_addch(out, *p);
		}
	}
}

static int split_value(struct dinit *x, const char *text)
{
	auto_free(strbuf_fini) struct strbuf word = STRBUF_INIT;
	bool in_word = false, quoted = false;

	strlist_fini(&x->words);
	strbuf_reset(&x->value);
	for (const char *p = text;; p++) {
		bool blank = *p == ' ' || *p == '\t';

		if (*p == '\0' || (!quoted && (blank || (*p == '#' && !in_word)))) {
			if (in_word)
				strlist_add(&x->words, word.buf);
			strbuf_reset(&word);
			in_word = false;
			if (!blank)
				break;
			continue;
		}
		in_word = true;
		if (*p == '"')
			quoted = !quoted;
		else if (*p == '\\' && p[1] == '\0')
			return import_fail(x->im, x->path, x->line,
					   "there is nothing behind the backslash");
		else
			strbuf_addch(&word, *p == '\\' ? *++p : *p);
	}
	if (quoted)
		return import_fail(x->im, x->path, x->line, "a quote is not closed");
	for (size_t i = 0; i < x->words.n; i++) {
		strbuf_addstr(&x->value, i > 0 ? " " : "");
		strbuf_addstr(&x->value, x->words.items[i]);
	}
	return 0;
}

static int take_text(struct dinit *x, const struct rule *rule)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	add_variables(x->value.buf, &text);
	import_text_value(x->s, rule->to, text.buf);
	return 0;
}

static int take_path(struct dinit *x, const struct rule *rule)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	auto_free(freep) char *path = NULL;

	add_variables(x->value.buf, &text);
	path = *text.buf == MARK_DOLLAR ? x_strdup(text.buf) : import_path(x->dir, text.buf);
	if (strcmp(rule->to, "env_file") == 0)
		import_list_add(x->s, rule->to, path);
	else
		import_text_value(x->s, rule->to, path);
	return 0;
}

static int take_command(struct dinit *x, const struct rule *rule)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;

	for (size_t i = 0; i < x->words.n; i++) {
		auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

		add_variables(x->words.items[i], &text);
		strlist_add(&words, text.buf);
	}
	if (words.n == 0)
		return import_fail(x->im, x->path, x->line, "the command is empty");
	import_list(x->s, rule->to, &words);
	return 0;
}

static int take_seconds(struct dinit *x, const struct rule *rule)
{
	char *end;
	double seconds = strtod(x->value.buf, &end);

	if (x->value.len == 0 || *end != '\0' || !(seconds >= 0 && seconds < 1e9))
		return fail(x, rule, "a number of seconds");
	if (seconds == 0 && strcmp(rule->to, "stop_timeout") == 0)
		return take_note(x, &(struct rule){ rule->key, NULL, "there has to be a limit" });
	import_ms(x->s, rule->to, (long long)(seconds * 1000 + 0.5));
	if (strcmp(rule->to, "restart_delay") == 0)
		import_ms(x->s, "restart_max_delay", (long long)(seconds * 1000 + 0.5));
	return 0;
}

static int take_number(struct dinit *x, const struct rule *rule)
{
	char *end;
	long number = strtol(x->value.buf, &end, 10);

	if (x->value.len == 0 || *end != '\0' || number > 1000000 || number < -1000000)
		return fail(x, rule, "a number");
	import_int(x->s, rule->to, number);
	return 0;
}

/* "SOFT:HARD", "-" is no limit; ":HARD" and "SOFT:" leave the other as it is. */
static int take_limit(struct dinit *x, const struct rule *rule)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	if (x->value.len == 0 || x->value.buf[0] == ':' || x->value.buf[x->value.len - 1] == ':')
		return take_note(x, &(struct rule){ rule->key, NULL, "a limit has both values" });
	for (const char *p = x->value.buf; *p != '\0'; p++)
		if (*p == '-')
			strbuf_addstr(&text, "infinity");
		else
			strbuf_addch(&text, *p);
	import_text_value(x->s, rule->to, text.buf);
	return 0;
}

/* --- settings of their own --------------------------------------------------------------------- */

static int take_type(struct dinit *x, const struct rule *rule)
{
	static const char *const kinds[] = { "process", "bgprocess", "scripted", "internal" };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(x->value.buf, kinds[i]) == 0) {
			x->kind = (enum kind)i;
			return 0;
		}
	return strcmp(x->value.buf, "triggered") == 0 ?
		take_note(x, &(struct rule){ rule->key, NULL, "nothing waits for a trigger" }) :
		fail(x, rule, "a type of service");
}

static int take_restart(struct dinit *x, const struct rule *rule)
{
	bool yes = strcmp(x->value.buf, "yes") == 0 || strcmp(x->value.buf, "true") == 0;
	bool no = strcmp(x->value.buf, "no") == 0 || strcmp(x->value.buf, "false") == 0;

	if (!yes && !no && strcmp(x->value.buf, "on-failure") != 0)
		return fail(x, rule, "yes, no or on-failure");
	import_text_value(x->s, rule->to, yes ? "always" : no ? "never" : "on-failure");
	return 0;
}

static int take_edge(struct dinit *x, const struct rule *rule)
{
	if (x->value.len == 0)
		return fail(x, rule, "the name of a service");
	import_edge(x->s, rule->to, x->value.buf, NULL, x->line);
	return 0;
}

static int take_waits_for(struct dinit *x, const struct rule *rule)
{
	import_soft_edge(x->s, "after", x->value.buf, x->line);
	return take_edge(x, rule);
}

/* A directory whose files have the names of services. */
static int take_edge_dir(struct dinit *x, const struct rule *rule)
{
	auto_free(freep) char *dir = import_path(x->dir, x->value.buf);
	auto_free(strlist_fini) struct strlist names = STRLIST_INIT;

	if (!import_is_dir(x->im, dir))
		return 0;	/* no failure there, either */
	if (import_list_dir(x->im, dir, &names) < 0)
		return -EINVAL;
	for (size_t i = 0; i < names.n; i++) {
		import_edge(x->s, rule->to, names.items[i], NULL, x->line);
		if (strcmp(rule->to, "wants") == 0)
			import_soft_edge(x->s, "after", names.items[i], x->line);
	}
	return 0;
}

static int take_signal(struct dinit *x, const struct rule *rule)
{
	int signo = signame_parse(x->value.buf);

	if (signo <= 0)
		return strcmp(x->value.buf, "none") == 0 ?
			       take_note(x, &(struct rule){ rule->key, NULL,
							    "there has to be a signal" }) :
			       fail(x, rule, "a signal");
	import_text_value(x->s, rule->to, signame(signo));
	return 0;
}

static int take_ready(struct dinit *x, const struct rule *rule)
{
	auto_free(freep) char *probe = NULL;

	if (strncmp(x->value.buf, "pipefd:", 7) != 0)
		return take_note(x, &(struct rule){ rule->key, NULL,
						    "the number of the descriptor has to "
						    "be known: pipefd:N" });
	probe = x_asprintf("fd:%s", x->value.buf + 7);
	import_text_value(x->s, rule->to, probe);
	return 0;
}

static int take_listen(struct dinit *x, const struct rule *rule)
{
	auto_free(freep) char *socket = x_asprintf("unix:%s", x->value.buf);

	import_list_add(x->s, rule->to, socket);
	return 0;
}

static int take_log_type(struct dinit *x, const struct rule *rule)
{
	if (strcmp(x->value.buf, "none") == 0)
		import_text_value(x->s, "stdout", "null");
	else if (strcmp(x->value.buf, "pipe") == 0)
		return take_note(x, rule);
	return 0;
}

static int take_nothing(struct dinit *x, const struct rule *rule)
{
	(void)x;
	(void)rule;
	return 0;
}

static const struct rule rules[] = {
	{ "type", take_type, NULL },
	{ "command", take_command, "command" },
	{ "stop-command", take_command, "stop_command" },
	{ "description", take_text, "description" },
	{ "working-dir", take_path, "working_dir" },
	{ "run-as", take_text, "user" },
	{ "env-file", take_path, "env_file" },
	{ "restart", take_restart, "restart" },
	{ "restart-delay", take_seconds, "restart_delay" },
	{ "restart-limit-interval", take_seconds, "restart_reset_after" },
	{ "restart-limit-count", take_number, "restart_max_attempts" },
	{ "start-timeout", take_seconds, "start_timeout" },
	{ "stop-timeout", take_seconds, "stop_timeout" },
	{ "term-signal", take_signal, "stop_signal" },
	{ "termsignal", take_signal, "stop_signal" },
	{ "ready-notification", take_ready, "ready" },
	{ "depends-on", take_edge, "depends_on" },
	{ "depends-ms", take_edge, "depends_on" },
	{ "waits-for", take_waits_for, "wants" },
	{ "before", take_edge, "before" },
	{ "after", take_edge, "after" },
	{ "depends-on.d", take_edge_dir, "depends_on" },
	{ "depends-ms.d", take_edge_dir, "depends_on" },
	{ "waits-for.d", take_edge_dir, "wants" },
	{ "logfile", take_path, "log_file" },
	{ "log-type", take_log_type, "subsystems have no pipes to each other" },
	{ "socket-listen", take_listen, "listen" },
	{ "rlimit-nofile", take_limit, "limit_nofile" },
	{ "rlimit-core", take_limit, "limit_core" },
	{ "rlimit-data", take_limit, "limit_data" },
	{ "rlimit-addrspace", take_limit, "limit_as" },
	{ "nice", take_number, "nice" },
	{ "oom-score-adj", take_number, "oom_score_adjust" },
	{ "cpu-affinity", take_text, "cpu_affinity" },
	{ "load-options", take_nothing, NULL },
	{ "log-buffer-size", take_note, "the last 64 KiB are always kept" },
	{ "smooth-recovery", take_note, "a restart never stops those that depend on it" },
	{ "pid-file", take_note, "the pid is that of the program that was started" },
	{ "chain-to", take_note, "nothing is started because another one ended well" },
	{ "socket-permissions", take_note, "a socket file has the mode that procd's umask leaves" },
	{ "options", take_note, "it has options of dinit's own" },
};

/* --- files ------------------------------------------------------------------------------------- */

static int take_line(struct dinit *x, char *line)
{
	size_t n;
	char *value;

	line += strspn(line, " \t");
	n = strspn(line, "abcdefghijklmnopqrstuvwxyz-.@_ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
	value = line + n + strspn(line + n, " \t");
	if (*line == '\0' || *line == '#')
		return 0;
	if (*line == '@') {
		import_note(x->s, x->line, line, "only what stands in the file itself is read");
		return 0;
	}
	value += *value == '+' && value[1] == '=';
	if (n == 0 || (*value != '=' && *value != ':'))
		return import_fail(x->im, x->path, x->line,
				   "expected SETTING = VALUE, found \"%.60s\"", line);
	if (split_value(x, value + 1) < 0)
		return -EINVAL;
	line[n] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (strcmp(rules[i].key, line) == 0)
			return rules[i].apply(x, &rules[i]);
	return take_note(x, &(struct rule){ line, NULL, "procd has nothing like it" });
}

/* What the type makes of the rest, and what is so there without being said. */
static int finish(struct dinit *x)
{
	if (x->kind == KIND_INTERNAL) {
		import_raw(x->s, "command", "[\"/bin/true\"]");
		import_remark(x->s, "command", "it only brings others together");
	}
	if (!import_has(x->s, "command"))
		return import_fail(x->im, x->path, 0, "there is no command");
	if (x->kind == KIND_INTERNAL || x->kind == KIND_SCRIPTED)
		import_text_value(x->s, "type", "oneshot");
	if (x->kind == KIND_SCRIPTED && import_has(x->s, "stop_command"))
		import_note(x->s, 0, "stop-command",
			    "a oneshot that succeeded has ended: nothing is left "
			    "that the command could stop");
	if (x->kind == KIND_BACKGROUND)
		import_hold_back(x->s, "it would leave for the background; let it stay in the foreground");
	if (!import_has(x->s, "restart"))
		import_text_value(x->s, "restart", "never");
	if (!import_has(x->s, "start_timeout"))
		import_ms(x->s, "start_timeout", 60000);
	if (!import_has(x->s, "stop_timeout"))
		import_ms(x->s, "stop_timeout", 10000);
	return 0;
}

static int read_service(struct import *im, const char *path)
{
	struct dinit x = {
		.im = im, .path = path, .dir = import_dir_of(path), .words = STRLIST_INIT,
		.value = STRBUF_INIT,
	};
	auto_free(freep) char *name = import_base_of(path);
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	int r = import_read(im, path, &text);

	x.s = r == 0 ? import_add(im, name, name, path, 0) : NULL;
	if (x.s == NULL)
		r = -EINVAL;
	else
		import_origin(x.s, "%s", name);
	for (char *line = text.buf; r == 0 && *line != '\0';) {
		char *lf = strchr(line, '\n');

		*lf = '\0';	/* every line has one */
		x.line++;
		r = take_line(&x, line);
		line = lf + 1;
	}
	if (r == 0)
		r = finish(&x);
	free(x.dir);
	strlist_fini(&x.words);
	strbuf_fini(&x.value);
	return r;
}

bool import_is_dinit(const char *text)
{
	bool type = false, command = false;

	for (const char *p = text; p != NULL && *p != '\0'; p = strchr(p, '\n')) {
		const char *eq;

		p += strspn(p, " \t\n");
		eq = p + strspn(p, "typecomand") + strspn(p + strspn(p, "typecomand"), " \t");
		type = type || (strncmp(p, "type", 4) == 0 && (*eq == '=' || *eq == ':'));
		command = command || (strncmp(p, "command", 7) == 0 && *eq == '=');
	}
	return type || command;
}

bool import_is_dinit_dir(const struct import *im, const char *dir)
{
	auto_free(strlist_fini) struct strlist names = STRLIST_INIT;
	struct import scratch;
	bool found = false;

	if (im->only != NULL)
		return false;
	import_init(&scratch);
	if (import_list_dir(&scratch, dir, &names) == 0)
		for (size_t i = 0; i < names.n && !found; i++) {
			auto_free(freep) char *path = import_path(dir, names.items[i]);
			auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

			found = strchr(names.items[i], '.') == NULL && import_is_file(im, path) &&
				import_read(&scratch, path, &text) == 0 &&
				import_is_dinit(text.buf);
		}
	import_fini(&scratch);
	return found;
}

int import_dinit(struct import *im, const char *path)
{
	auto_free(strlist_fini) struct strlist names = STRLIST_INIT;

	if (!import_is_dir(im, path))
		return read_service(im, path);
	if (import_list_dir(im, path, &names) < 0)
		return -EINVAL;
	for (size_t i = 0; i < names.n; i++) {
		auto_free(freep) char *file = import_path(path, names.items[i]);
		size_t n = strlen(names.items[i]);

		if (import_is_file(im, file) && names.items[i][n - 1] != '~' &&
		    read_service(im, file) < 0)
			return -EINVAL;
	}
	return 0;
}
