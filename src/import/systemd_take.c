/* How the settings of a unit become keys, one function for each kind of setting. */
#include "import/systemd_take.h"

#include <errno.h>
#include <limits.h>

#include "base/alloc.h"
#include "base/signame.h"

#define STOP_TIMEOUT_MAX_MS (24LL * 3600 * 1000)

static int fail(struct unit *u, const struct directive *d, const char *what)
{
	return import_fail(u->im, d->file, d->line, "%s=: \"%.60s\" is not %s", d->key, d->value, what);
}

void unit_note(struct unit *u, const struct directive *d, const char *why)
{
	auto_free(freep) char *what = x_asprintf("%s=%s", d->key, d->value);

	import_note(u->s, strcmp(d->file, u->path) == 0 ? d->line : 0, what, "%s", why);
}

/* --- kinds of settings ------------------------------------------------------------------------- */

int unit_take_text(struct unit *u, const struct unit_rule *rule, const struct directive *d,
		     const char *value)
{
	(void)d;
	import_text_value(u->s, rule->to, value);
	return 0;
}

int unit_take_bool(struct unit *u, const struct unit_rule *rule, const struct directive *d,
		     const char *value)
{
	bool on;

	if (!unit_bool(value, &on))
		return fail(u, d, "a boolean");
	import_bool(u->s, rule->to, on);
	return 0;
}

int unit_take_number(struct unit *u, const struct unit_rule *rule, const struct directive *d,
		       const char *value)
{
	char *end;
	long number = strtol(value, &end, 10);

	if (*value == '\0' || *end != '\0' || number > INT_MAX || number < INT_MIN)
		return fail(u, d, "a number");
	import_int(u->s, rule->to, number);
	return 0;
}

int unit_take_list(struct unit *u, const struct unit_rule *rule, const struct directive *d,
		     const char *value)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;

	if (unit_words(u, d, value, &words, NULL) < 0)
		return -EINVAL;
	for (size_t i = 0; i < words.n; i++)
		import_list_add(u->s, rule->to, words.items[i]);
	return 0;
}

int unit_take_time(struct unit *u, const struct unit_rule *rule, const struct directive *d,
		     const char *value)
{
	long long ms;

	if (!unit_duration(value, &ms))
		return fail(u, d, "a span of time");
	if (ms <= 0 && strcmp(rule->to, "stop_timeout") == 0) {	/* 0 is no limit there, too */
		import_ms(u->s, rule->to, STOP_TIMEOUT_MAX_MS);
		import_remark(u->s, rule->to, "there: no limit");
		return 0;
	}
	if (ms == 0 && strcmp(rule->to, "watchdog") == 0)
		return 0;
	if (ms < 0 && strcmp(rule->to, "start_timeout") != 0) {
		unit_note(u, d, "there has to be a limit");
		return 0;
	}
	import_ms(u->s, rule->to, MAX(ms, 0));
	if (strcmp(rule->to, "restart_delay") == 0 && !import_has(u->s, "restart_max_delay"))
		import_ms(u->s, "restart_max_delay", MAX(ms, 0));	/* it does not grow there */
	return 0;
}

int unit_take_both_timeouts(struct unit *u, const struct unit_rule *rule, const struct directive *d,
			      const char *value)
{
	struct unit_rule start = { .to = "start_timeout" }, stop = { .to = "stop_timeout" };

	(void)rule;
	return unit_take_time(u, &start, d, value) < 0 ? -EINVAL :
							 unit_take_time(u, &stop, d, value);
}

int unit_take_signal(struct unit *u, const struct unit_rule *rule, const struct directive *d,
		       const char *value)
{
	int signo = signame_parse(value);

	if (signo <= 0)
		return fail(u, d, "a signal");
	import_text_value(u->s, rule->to, signame(signo));
	return 0;
}

int unit_take_size(struct unit *u, const struct unit_rule *rule, const struct directive *d,
		     const char *value)
{
	long long size;

	if (strchr(value, '%') != NULL) {
		unit_note(u, d, "only sizes in bytes, no part of the machine's memory");
		return 0;
	}
	if (!unit_size(value, &size))
		return fail(u, d, "a size");
	if (size >= 0)
		import_int(u->s, rule->to, size);
	return 0;
}

int unit_take_count(struct unit *u, const struct unit_rule *rule, const struct directive *d,
		      const char *value)
{
	if (strchr(value, '%') != NULL || strcmp(value, "idle") == 0) {
		unit_note(u, d, "only numbers, no part of what the machine has");
		return 0;
	}
	return strcmp(value, "infinity") == 0 ? 0 : unit_take_number(u, rule, d, value);
}

/* The Limit...= settings: "64K", "1024:4096", "infinity". */
int unit_take_limit(struct unit *u, const struct unit_rule *rule, const struct directive *d,
		      const char *value)
{
	auto_free(freep) char *copy = x_strdup(value);
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	char *rest = NULL;
	long long number, ms;

	for (char *part = strtok_r(copy, ":", &rest); part != NULL;
	     part = strtok_r(NULL, ":", &rest)) {
		if (!unit_size(part, &number)) {
			bool time = strcmp(rule->to, "limit_cpu") == 0 && unit_duration(part, &ms);

			if (!time)
				return fail(u, d, "a limit");
			number = (ms + 999) / 1000;
		}
		strbuf_addstr(&text, text.len > 0 ? ":" : "");
		if (number < 0)
			strbuf_addstr(&text, "infinity");
		else
			strbuf_addf(&text, "%lld", number);
	}
	import_text_value(u->s, rule->to, text.buf);
	return 0;
}

int unit_take_note(struct unit *u, const struct unit_rule *rule, const struct directive *d,
		     const char *value)
{
	bool on = true;

	if (!(unit_bool(value, &on) && !on))
		unit_note(u, d, rule->to);
	return 0;
}

/* --- settings of their own --------------------------------------------------------------------- */

int unit_take_type(struct unit *u, const struct unit_rule *rule, const struct directive *d,
		     const char *value)
{
	(void)rule;
	if (strcmp(value, "oneshot") == 0) {
		import_text_value(u->s, "type", "oneshot");
	} else if (strncmp(value, "notify", 6) == 0) {
		import_text_value(u->s, "ready", "notify");
	} else if (strcmp(value, "forking") == 0) {
		unit_note(u, d, "a program that leaves for the background is not followed there; let it stay in "
		     "the foreground");
		import_hold_back(u->s, "it would leave for the background");
	} else if (strcmp(value, "dbus") == 0) {
		unit_note(u, d, "a name on the bus is no sign of readiness here; ready = \"command:...\" may ask "
		     "for it");
	} else if (strcmp(value, "simple") != 0 && strcmp(value, "exec") != 0 &&
		   strcmp(value, "idle") != 0) {
		return fail(u, d, "a type of service");
	}
	return 0;
}

int unit_take_restart(struct unit *u, const struct unit_rule *rule, const struct directive *d,
			const char *value)
{
	static const struct {
		const char *there, *here, *why;
	} kinds[] = {
		{ "no", "never", NULL }, { "always", "always", NULL },
		{ "on-failure", "on-failure", NULL },
		{ "on-abnormal", "on-failure", "a failure with an exit code counts, too" },
		{ "on-abort", "on-failure", "every failure counts" },
		{ "on-watchdog", "on-failure", "every failure counts" },
		{ "on-success", "never", "a restart follows a failure only, or every end" },
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(value, kinds[i].there) != 0)
			continue;
		import_text_value(u->s, rule->to, kinds[i].here);
		if (kinds[i].why != NULL)
			unit_note(u, d, kinds[i].why);
		return 0;
	}
	return fail(u, d, "a restart policy");
}

int unit_take_kill_mode(struct unit *u, const struct unit_rule *rule, const struct directive *d,
			  const char *value)
{
	bool group = strcmp(value, "control-group") == 0;

	import_text_value(u->s, rule->to,
			  group || strcmp(value, "mixed") == 0 ? "group" : "process");
	if (strcmp(value, "mixed") == 0)
		unit_note(u, d, "the stop signal goes to the main process, or to the whole tree");
	else if (strcmp(value, "none") == 0)
		unit_note(u, d, "the main process is always ended");
	else if (!group && strcmp(value, "process") != 0)
		return fail(u, d, "a kill mode");
	return 0;
}

int unit_take_environment(struct unit *u, const struct unit_rule *rule, const struct directive *d,
			    const char *value)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;

	(void)rule;
	if (unit_words(u, d, value, &words, NULL) < 0)
		return -EINVAL;
	for (size_t i = 0; i < words.n; i++) {
		auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
		const char *eq;

		if (unit_expand(u, d, words.items[i], &text) < 0)
			return -EINVAL;
		eq = strchr(text.buf, '=');
		if (eq == NULL || !import_variable(u->s, text.buf, (size_t)(eq - text.buf), eq + 1))
			return import_fail(u->im, d->file, d->line, "Environment=: expected NAME=VALUE, "
					   "found \"%.60s\"", words.items[i]);
	}
	return 0;
}

int unit_take_environment_file(struct unit *u, const struct unit_rule *rule,
			       const struct directive *d, const char *value)
{
	if (strpbrk(value, "*?[") != NULL)
		unit_note(u, d, "names are no patterns here");
	else
		import_list_add(u->s, rule->to, value);
	return 0;
}

int unit_take_working_dir(struct unit *u, const struct unit_rule *rule, const struct directive *d,
			    const char *value)
{
	bool optional = *value == '-';

	if (strcmp(value + optional, "~") == 0) {
		unit_note(u, d, "the home directory has to be named");
		return 0;
	}
	import_text_value(u->s, rule->to, value + optional);
	if (optional)
		import_remark(u->s, rule->to, "it was no failure there when this is missing");
	return 0;
}

int unit_take_stream(struct unit *u, const struct unit_rule *rule, const struct directive *d,
		       const char *value)
{
	bool in = strcmp(rule->to, "stdin") == 0;
	const char *path = strchr(value, ':');
	auto_free(freep) char *file = NULL;

	if (strncmp(value, "journal", 7) == 0 || strncmp(value, "kmsg", 4) == 0 ||
	    strncmp(value, "syslog", 6) == 0) {
		if (strchr(value, '+') != NULL || strncmp(value, "journal", 7) != 0)
			unit_note(u, d, "captured output goes to procd's log; \"syslog\" and \"journal\" are there");
		return 0;
	}
	if (strcmp(value, "null") == 0 || (strcmp(value, "inherit") == 0 && in)) {
		import_text_value(u->s, rule->to, "null");
	} else if (strcmp(value, "inherit") == 0) {
		if (strcmp(rule->to, "stderr") == 0)
			import_text_value(u->s, "stderr", "stdout");
	} else if (path != NULL && path[1] == '/') {
		file = x_asprintf("file%s", path);
		import_text_value(u->s, rule->to, file);
		if (strncmp(value, "truncate", 8) == 0)
			unit_note(u, d, "the file is appended to");
	} else {
		unit_note(u, d, "there are files, null and the log");
	}
	return 0;
}

/* Is WORD in one of the lists that KEY sets? */
static bool is_among(const struct unit *u, const char *key, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i < u->n; i++) {
		const struct directive *d = &u->lines[i];

		for (const char *p = d->value; strcmp(d->key, key) == 0 && *p != '\0';) {
			size_t len = strcspn(p, " \t");

			if (len == n && strncmp(p, word, n) == 0)
				return true;
			p += len + strspn(p + len, " \t");
		}
	}
	return false;
}

int unit_take_exit_codes(struct unit *u, const struct unit_rule *rule, const struct directive *d,
			   const char *value)
{
	auto_free(strbuf_fini) struct strbuf list = STRBUF_INIT;
	auto_free(freep) char *copy = x_strdup(value);
	char *rest = NULL;

	strbuf_addstr(&list, "[0");
	for (char *word = strtok_r(copy, " \t", &rest); word != NULL;
	     word = strtok_r(NULL, " \t", &rest)) {
		if (is_among(u, "RestartForceExitStatus", word))
			continue;	/* a success would not be followed by a start */
		if (word[strspn(word, "0123456789")] == '\0' && strlen(word) < 4)
			strbuf_addf(&list, ", %d", atoi(word));
		else
			unit_note(u, d, "only numbers of exit codes count as success, no signals and names");
	}
	strbuf_addch(&list, ']');
	import_raw(u->s, rule->to, list.buf);
	return 0;
}

int unit_take_scheduling(struct unit *u, const struct unit_rule *rule, const struct directive *d,
			   const char *value)
{
	struct directive *p = unit_find(u, "Service", strcmp(rule->to, "io_class") == 0 ?
					"IOSchedulingPriority" : "CPUSchedulingPriority");
	auto_free(freep) char *text = NULL;
	bool number = strcmp(value, "fifo") == 0 || strcmp(value, "rr") == 0 ||
		      strcmp(value, "best-effort") == 0 || strcmp(value, "realtime") == 0;

	(void)d;
	text = number ? x_asprintf("%s:%s", value, p != NULL ? p->value :
				   strcmp(rule->to, "io_class") == 0 ? "4" : "1") : x_strdup(value);
	import_text_value(u->s, rule->to, text);
	return 0;
}

int unit_take_edges(struct unit *u, const struct unit_rule *rule, const struct directive *d,
		      const char *value)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;

	if (unit_words(u, d, value, &words, NULL) < 0)
		return -EINVAL;
	for (size_t i = 0; i < words.n; i++)
		import_edge(u->s, rule->to, words.items[i], NULL, d->line);
	return 0;
}

int unit_take_burst(struct unit *u, const struct unit_rule *rule, const struct directive *d,
		      const char *value)
{
	struct directive *span = unit_find(u, d->section, "StartLimitIntervalSec");
	long long ms = 10000;

	if (span == NULL)
		span = unit_find(u, d->section, "StartLimitInterval");
	if (span != NULL && !unit_duration(span->value, &ms))
		return fail(u, span, "a span of time");
	if (ms <= 0)
		return 0;
	import_ms(u->s, "restart_reset_after", ms);
	if (unit_take_number(u, rule, d, value) < 0)
		return -EINVAL;
	import_remark(u->s, rule->to,
		      "so many restarts without a run of restart_reset_after; there: so many "
		      "starts within that time");
	return 0;
}

int unit_take_nothing(struct unit *u, const struct unit_rule *rule, const struct directive *d,
			const char *value)
{
	(void)u;
	(void)rule;
	(void)d;
	(void)value;
	return 0;
}

/* "0-3 5" */
int unit_take_cpus(struct unit *u, const struct unit_rule *rule, const struct directive *d,
		     const char *value)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;
	auto_free(strbuf_fini) struct strbuf list = STRBUF_INIT;

	if (unit_words(u, d, value, &words, NULL) < 0)
		return -EINVAL;
	for (size_t i = 0; i < words.n; i++)
		strbuf_addf(&list, "%s%s", i > 0 ? "," : "", words.items[i]);
	import_text_value(u->s, rule->to, list.buf);
	return 0;
}
