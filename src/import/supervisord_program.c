/* One [program:...]: a row for each of its settings says what becomes of it. What supervisord does
 * when a setting is not there, and procd would do otherwise, is written out. */
#include "import/supervisord.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>

#include "base/alloc.h"
#include "base/signame.h"
#include "base/text.h"

#define NUMPROCS_MAX 10000
#define COPIES_MAX 1000		/* where each gets a table of its own */

/* --- settings, one function for each kind ------------------------------------------------------ */

struct rule {
	const char *key;	/* supervisord's */
	int (*apply)(struct program *p, const struct rule *rule, const struct sup_pair *pair,
		    const char *value);
	const char *to;		/* procd's key, or why there is none */
};

static int take_text(struct program *p, const struct rule *rule, const struct sup_pair *pair,
		     const char *value)
{
	(void)pair;
	import_text_value(p->s, rule->to, value);
	return 0;
}

static int read_bool(struct program *p, const struct sup_pair *pair, const char *value, bool *out)
{
	return sup_bool(value, out) ? 0 : program_fail(p, pair, "true or false");
}

static int take_bool(struct program *p, const struct rule *rule, const struct sup_pair *pair,
		     const char *value)
{
	bool on;

	if (read_bool(p, pair, value, &on) < 0)
		return -EINVAL;
	import_bool(p->s, rule->to, on);
	return 0;
}

static int take_command(struct program *p, const struct rule *rule, const struct sup_pair *pair,
			const char *value)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;

	(void)rule;
	if (words_split(value, &words, NULL) < 0)
		return program_fail(p, pair, "a command: a quote is not closed");
	if (words.n == 0)
		return import_fail(p->x->im, p->section->file, pair->line, "the command is empty");
	import_list(p->s, "command", &words);
	return 0;
}

static int take_autorestart(struct program *p, const struct rule *rule, const struct sup_pair *pair,
			    const char *value)
{
	bool on = false;

	if (strcasecmp(value, "unexpected") == 0) {
		import_text_value(p->s, rule->to, "on-failure");
		return 0;
	}
	if (read_bool(p, pair, value, &on) < 0)
		return -EINVAL;
	import_text_value(p->s, rule->to, on ? "always" : "never");
	if (!on && p->retries > 0 && p->startsecs > 0)
		import_remark(p->s, rule->to, "supervisord would still try a failed start again, "
			      "startretries times");
	return 0;
}

static int take_exitcodes(struct program *p, const struct rule *rule, const struct sup_pair *pair,
			  const char *value)
{
	auto_free(strbuf_fini) struct strbuf list = STRBUF_INIT;
	auto_free(freep) char *copy = x_strdup(value);
	char *rest = NULL;

	strbuf_addch(&list, '[');
	for (char *word = strtok_r(copy, ", \t\n", &rest); word != NULL;
	     word = strtok_r(NULL, ", \t\n", &rest)) {
		long code;

		if (program_read_number(p, pair, word, 255, &code) < 0)
			return -EINVAL;
		strbuf_addf(&list, "%s%ld", list.len > 1 ? ", " : "", code);
	}
	strbuf_addch(&list, ']');
	import_raw(p->s, rule->to, list.buf);
	return 0;
}

static int take_signal(struct program *p, const struct rule *rule, const struct sup_pair *pair,
		       const char *value)
{
	int signo = signame_parse(value);

	if (signo < 0)
		return program_fail(p, pair, "a signal");
	import_text_value(p->s, rule->to, signame(signo));
	return 0;
}

static int take_seconds(struct program *p, const struct rule *rule, const struct sup_pair *pair,
			const char *value)
{
	long seconds;

	if (program_read_number(p, pair, value, LONG_MAX / 1000, &seconds) < 0)
		return -EINVAL;
	import_ms(p->s, rule->to, seconds * 1000LL);
	return 0;
}

static int take_umask(struct program *p, const struct rule *rule, const struct sup_pair *pair,
		      const char *value)
{
	if (*value == '\0' || value[strspn(value, "01234567")] != '\0')
		return program_fail(p, pair, "an octal number");
	import_text_value(p->s, rule->to, value);
	return 0;
}

/* "50MB"; 0 is no limit there. */
static int take_bytes(struct program *p, const struct rule *rule, const struct sup_pair *pair,
		      const char *value)
{
	size_t digits = strspn(value, "0123456789");
	char text[64];

	if (digits == 0 || digits > 15 ||
	    (value[digits] != '\0' && strcasecmp(value + digits, "KB") != 0 &&
	     strcasecmp(value + digits, "MB") != 0 && strcasecmp(value + digits, "GB") != 0))
		return program_fail(p, pair, "a size");
	if (atoll(value) == 0) {
		import_text_value(p->s, rule->to, "1024G");
		import_remark(p->s, rule->to, "there was no limit: the largest that there is");
		return 0;
	}
	snprintf(text, sizeof(text), "\"%.*s%c\"", (int)digits, value,
		 value[digits] >= 'a' ? value[digits] - 'a' + 'A' : value[digits]);
	if (value[digits] == '\0')
		snprintf(text, sizeof(text), "%.*s", (int)digits, value);
	import_raw(p->s, rule->to, text);
	return 0;
}

static int take_int(struct program *p, const struct rule *rule, const struct sup_pair *pair,
		    const char *value)
{
	long number;

	if (program_read_number(p, pair, value, INT_MAX, &number) < 0)
		return -EINVAL;
	import_int(p->s, rule->to, number);
	return 0;
}

static int take_environment(struct program *p, const struct rule *rule, const struct sup_pair *pair,
			    const char *value)
{
	(void)rule;
	return sup_environment(p->x, p->section->file, pair->line, value, p->s, NULL);
}

static int take_flag(struct program *p, const struct rule *rule, const struct sup_pair *pair,
		     const char *value)
{
	bool *flag = strcmp(rule->key, "redirect_stderr") == 0 ? &p->redirect :
		     strcmp(rule->key, "stopasgroup") == 0 ? &p->stop_group : &p->kill_group;

	return read_bool(p, pair, value, flag);
}

/* What procd has not: worth a note where it is asked for. */
static int take_note(struct program *p, const struct rule *rule, const struct sup_pair *pair,
		     const char *value)
{
	auto_free(freep) char *what = x_asprintf("%s = %s", pair->key, pair->value);
	bool on = true;

	if ((sup_bool(value, &on) && !on) || strcmp(value, "0") == 0)
		return 0;	/* it is off there, too */
	import_note(p->s, pair->line, what, "%s", rule->to);
	return 0;
}

static int take_elsewhere(struct program *p, const struct rule *rule, const struct sup_pair *pair,
			  const char *value)
{
	(void)p;
	(void)rule;
	(void)pair;
	(void)value;
	return 0;
}

/* In this order they stand in the result. What has a default gets it when it is not there. */
static const struct rule rules[] = {
	{ "command", take_command, "command" },
	{ "numprocs", take_elsewhere, NULL },
	{ "numprocs_start", take_elsewhere, NULL },
	{ "process_name", take_elsewhere, NULL },
	{ "priority", take_elsewhere, NULL },
	{ "startsecs", take_elsewhere, NULL },
	{ "startretries", take_elsewhere, NULL },
	{ "stdout_logfile", take_elsewhere, NULL },
	{ "stderr_logfile", take_elsewhere, NULL },
	{ "directory", take_text, "working_dir" },
	{ "user", take_text, "user" },
	{ "umask", take_umask, "umask" },
	{ "environment", take_environment, NULL },
	{ "autostart", take_bool, "autostart" },
	{ "autorestart", take_autorestart, "restart" },
	{ "exitcodes", take_exitcodes, "success_exit_codes" },
	{ "stopsignal", take_signal, "stop_signal" },
	{ "stopwaitsecs", take_seconds, "stop_timeout" },
	{ "stopasgroup", take_flag, NULL },
	{ "killasgroup", take_flag, NULL },
	{ "redirect_stderr", take_flag, NULL },
	{ "stdout_logfile_maxbytes", take_bytes, "log_max_file_size" },
	{ "stdout_logfile_backups", take_int, "log_max_files" },
	{ "stderr_logfile_maxbytes", take_note, "a file of its own for standard error is not rotated" },
	{ "stderr_logfile_backups", take_note, "a file of its own for standard error is not rotated" },
	{ "stdout_capture_maxbytes", take_note, "there is no capture mode" },
	{ "stderr_capture_maxbytes", take_note, "there is no capture mode" },
	{ "stdout_events_enabled", take_note, "output is no event; procd logs -f NAME follows it" },
	{ "stderr_events_enabled", take_note, "output is no event; procd logs -f NAME follows it" },
	{ "stdout_syslog", take_note, "stdout = \"syslog\" would, instead of a file" },
	{ "stderr_syslog", take_note, "stderr = \"syslog\" would, instead of a file" },
	{ "serverurl", take_note, "the program finds procd in PROCD_SOCKET, if it is to talk to it" },
	{ "socket", take_note, "procd passes sockets as LISTEN_FDS, not as standard input" },
	{ "socket_owner", take_note, "see socket" },
	{ "socket_mode", take_note, "see socket" },
	{ "socket_backlog", take_note, "see socket" },
};

static const struct {
	const char *key, *value;
} defaults[] = {
	{ "autorestart", "unexpected" },
	{ "stopwaitsecs", "10" },
	{ "stdout_logfile_maxbytes", "50MB" },
	{ "stdout_logfile_backups", "10" },
};

/* --- the program ------------------------------------------------------------------------------- */

static int take_rule(struct program *p, const struct rule *rule)
{
	struct sup_pair fallback = { .line = p->section->line };
	auto_free(freep) char *text = NULL;
	const struct sup_pair *pair = sup_find(p->section, rule->key);
	bool late = rule->apply == take_text || rule->apply == take_command ||
		    rule->apply == take_environment;

	for (size_t i = 0; pair == NULL && i < ARRAY_LEN(defaults); i++)
		if (strcmp(defaults[i].key, rule->key) == 0 && !program_is_useless(p, rule->key)) {
			return rule->apply(p, rule, &fallback, defaults[i].value);
		}
	if (pair == NULL || program_is_useless(p, rule->key))
		return 0;
	if (rule->apply == take_note)
		return take_note(p, rule, pair, pair->value);
	if (rule->apply == take_elsewhere)
		return 0;
	if (program_value(p, rule->key, !late, &text) < 0)
		return -EINVAL;
	return rule->apply(p, rule, pair, text);
}

static void note_unknown(struct program *p)
{
	for (size_t i = 0; i < p->section->n; i++) {
		const struct sup_pair *pair = &p->section->pairs[i];
		auto_free(freep) char *what = x_asprintf("%s = %s", pair->key, pair->value);
		bool known = false;

		for (size_t k = 0; k < ARRAY_LEN(rules); k++)
			known = known || strcmp(rules[k].key, pair->key) == 0;
		if (!known)
			import_note(p->s, pair->line, what, "supervisord gives it no meaning");
	}
}

static int fill(struct program *p)
{
	if (program_number(p, "startsecs", 1, 1000000, &p->startsecs) < 0 ||
	    program_number(p, "startretries", 3, 1000000, &p->retries) < 0 ||
	    program_inherit(p) < 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (take_rule(p, &rules[i]) < 0)
			return -EINVAL;
	program_restarts(p);
	import_text_value(p->s, "kill_mode", p->stop_group ? "group" : "process");
	if (p->kill_group && !p->stop_group)
		import_note(p->s, 0, "killasgroup = true", "kill_mode decides about both signals: "
			    "\"group\" for the whole tree");
	if (p->section->group != NULL)
		import_list_add(p->s, "groups", p->section->group);
	if (strncmp(p->section->name, "fcgi-", 5) == 0)
		import_hold_back(p->s, "it expects its socket as standard input");
	if (program_output(p) < 0)
		return -EINVAL;
	note_unknown(p);
	return 0;
}

static int add(struct program *p, struct sup_section *section, const char *id)
{
	p->s = import_add(p->x->im, id, id, section->file, section->line);
	if (p->s == NULL)
		return -EINVAL;
	import_origin(p->s, "[%s]", section->name);
	section->services[section->nservices++] = p->s;
	return fill(p);
}

/* Can procd's own %i say what process_num says? Not where its width or its first value is
 * another. */
static bool is_plain(const struct sup_section *section, long start)
{
	static const char name[] = "%(process_num)";

	for (size_t i = 0; i < section->n; i++)
		for (const char *at = strstr(section->pairs[i].value, name); at != NULL;
		     at = strstr(at + 1, name)) {
			char c = at[sizeof(name) - 1];
			bool in_name = strcmp(section->pairs[i].key, "process_name") == 0;

			if (!in_name && (start != 0 || (c != 'd' && c != 's')))
				return false;
		}
	return true;
}

static int add_copies(struct program *p, struct sup_section *section, long start, long n)
{
	for (long i = 0; i < n; i++) {
		auto_free(freep) char *name = NULL;

		p->vars.number = start + i;
		if (program_value(p, "process_name", true, &name) < 0)
			return -EINVAL;
		if (name == NULL || *name == '\0') {
			free(name);
			name = n == 1 ? x_strdup(p->vars.program) :
			       x_asprintf("%s-%ld", p->vars.program, start + i);
		}
		if (add(p, section, name) < 0)
			return -EINVAL;
		if (n > 1 &&
		    (section->group == NULL || strcmp(section->group, p->vars.program) != 0))
			import_list_add(p->s, "groups", p->vars.program);
	}
	return 0;
}

int sup_program(struct supervisord *x, struct sup_section *section, const char *program)
{
	struct program p = {
		.x = x, .section = section,
		.vars = { .program = program, .number = -1, .now = true,
			  .group = section->group != NULL ? section->group : program },
	};
	long n, start;

	if (sup_find(section, "command") == NULL)
		return import_fail(x->im, section->file, section->line, "[%s] has no command",
				   section->name);
	if (program_number(&p, "priority", section->priority, INT_MAX, &section->priority) < 0 ||
	    program_number(&p, "numprocs", 1, NUMPROCS_MAX, &n) < 0 ||
	    program_number(&p, "numprocs_start", 0, INT_MAX - NUMPROCS_MAX, &start) < 0)
		return -EINVAL;
	section->services = x_calloc((size_t)n + 1, sizeof(struct import_service *));
	if (n > 1 && is_plain(section, start)) {
		p.vars.varying = true;
		if (add(&p, section, program) < 0)
			return -EINVAL;
		import_int(p.s, "instances", n);
		return 0;
	}
	if (n > COPIES_MAX)
		return import_fail(x->im, section->file, section->line, "numprocs is more than %d",
				   COPIES_MAX);
	return add_copies(&p, section, start, n);
}
