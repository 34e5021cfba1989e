/* The settings of a service unit: a row for each says what becomes of it. */
#include "import/systemd.h"

#include <errno.h>
#include <limits.h>

#include "base/alloc.h"
#include "base/signame.h"

struct rule {
	const char *section, *key;
	int (*apply)(struct unit *u, const struct rule *rule, const struct directive *d,
		     const char *value);
	const char *to;		/* procd's key, or why there is none */
};

static int fail(struct unit *u, const struct directive *d, const char *what)
{
	return import_fail(u->im, d->file, d->line, "%s=: \"%.60s\" is not %s", d->key, d->value, what);
}

static void note(struct unit *u, const struct directive *d, const char *why)
{
	auto_free(freep) char *what = x_asprintf("%s=%s", d->key, d->value);

	import_note(u->s, strcmp(d->file, u->path) == 0 ? d->line : 0, what, "%s", why);
}

/* --- kinds of settings ------------------------------------------------------------------------- */

static int take_text(struct unit *u, const struct rule *rule, const struct directive *d,
		     const char *value)
{
	(void)d;
	import_text_value(u->s, rule->to, value);
	return 0;
}

static int take_bool(struct unit *u, const struct rule *rule, const struct directive *d,
		     const char *value)
{
	bool on;

	if (!unit_bool(value, &on))
		return fail(u, d, "a boolean");
	import_bool(u->s, rule->to, on);
	return 0;
}

static int take_number(struct unit *u, const struct rule *rule, const struct directive *d,
		       const char *value)
{
	char *end;
	long number = strtol(value, &end, 10);

	if (*value == '\0' || *end != '\0' || number > INT_MAX || number < INT_MIN)
		return fail(u, d, "a number");
	import_int(u->s, rule->to, number);
	return 0;
}

static int take_list(struct unit *u, const struct rule *rule, const struct directive *d,
		     const char *value)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;

	if (unit_words(u, d, value, &words, NULL) < 0)
		return -EINVAL;
	for (size_t i = 0; i < words.n; i++)
		import_list_add(u->s, rule->to, words.items[i]);
	return 0;
}

static int take_time(struct unit *u, const struct rule *rule, const struct directive *d,
		     const char *value)
{
	long long ms;

	if (!unit_duration(value, &ms))
		return fail(u, d, "a span of time");
	if (ms < 0 && strcmp(rule->to, "start_timeout") != 0) {
		note(u, d, "there has to be a limit");
		return 0;
	}
	import_ms(u->s, rule->to, MAX(ms, 0));
	if (strcmp(rule->to, "restart_delay") == 0 && !import_has(u->s, "restart_max_delay"))
		import_ms(u->s, "restart_max_delay", MAX(ms, 0));	/* it does not grow there */
	return 0;
}

static int take_both_timeouts(struct unit *u, const struct rule *rule, const struct directive *d,
			      const char *value)
{
	struct rule start = { .to = "start_timeout" }, stop = { .to = "stop_timeout" };

	(void)rule;
	return take_time(u, &start, d, value) < 0 ? -EINVAL : take_time(u, &stop, d, value);
}

static int take_signal(struct unit *u, const struct rule *rule, const struct directive *d,
		       const char *value)
{
	int signo = signame_parse(value);

	if (signo <= 0)
		return fail(u, d, "a signal");
	import_text_value(u->s, rule->to, signame(signo));
	return 0;
}

static int take_size(struct unit *u, const struct rule *rule, const struct directive *d,
		     const char *value)
{
	long long size;

	if (strchr(value, '%') != NULL) {
		note(u, d, "only sizes in bytes, no part of the machine's memory");
		return 0;
	}
	if (!unit_size(value, &size))
		return fail(u, d, "a size");
	if (size >= 0)
		import_int(u->s, rule->to, size);
	return 0;
}

static int take_count(struct unit *u, const struct rule *rule, const struct directive *d,
		      const char *value)
{
	return strcmp(value, "infinity") == 0 ? 0 : take_number(u, rule, d, value);
}

/* LimitXXX=: "64K", "1024:4096", "infinity". */
static int take_limit(struct unit *u, const struct rule *rule, const struct directive *d,
		      const char *value)
{
	auto_free(freep) char *copy = x_strdup(value);
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	char *rest = NULL;
	long long number, ms;

	for (char *part = strtok_r(copy, ":", &rest); part != NULL; part = strtok_r(NULL, ":", &rest)) {
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

static int take_note(struct unit *u, const struct rule *rule, const struct directive *d,
		     const char *value)
{
	bool on = true;

	if (!(unit_bool(value, &on) && !on))
		note(u, d, rule->to);
	return 0;
}

/* --- settings of their own --------------------------------------------------------------------- */

static int take_type(struct unit *u, const struct rule *rule, const struct directive *d,
		     const char *value)
{
	(void)rule;
	if (strcmp(value, "oneshot") == 0) {
		import_text_value(u->s, "type", "oneshot");
	} else if (strncmp(value, "notify", 6) == 0) {
		import_text_value(u->s, "ready", "notify");
	} else if (strcmp(value, "forking") == 0) {
		note(u, d, "a program that leaves for the background is not followed there; let it stay in "
		     "the foreground");
		import_hold_back(u->s, "it would leave for the background");
	} else if (strcmp(value, "dbus") == 0) {
		note(u, d, "a name on the bus is no sign of readiness here; ready = \"command:...\" may ask "
		     "for it");
	} else if (strcmp(value, "simple") != 0 && strcmp(value, "exec") != 0 &&
		   strcmp(value, "idle") != 0) {
		return fail(u, d, "a type of service");
	}
	return 0;
}

static int take_restart(struct unit *u, const struct rule *rule, const struct directive *d,
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
			note(u, d, kinds[i].why);
		return 0;
	}
	return fail(u, d, "a restart policy");
}

static int take_kill_mode(struct unit *u, const struct rule *rule, const struct directive *d,
			  const char *value)
{
	bool group = strcmp(value, "control-group") == 0;

	import_text_value(u->s, rule->to, group || strcmp(value, "mixed") == 0 ? "group" : "process");
	if (strcmp(value, "mixed") == 0)
		note(u, d, "the stop signal goes to the main process, or to the whole tree");
	else if (strcmp(value, "none") == 0)
		note(u, d, "the main process is always ended");
	else if (!group && strcmp(value, "process") != 0)
		return fail(u, d, "a kill mode");
	return 0;
}

static int take_environment(struct unit *u, const struct rule *rule, const struct directive *d,
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

static int take_environment_file(struct unit *u, const struct rule *rule, const struct directive *d,
				 const char *value)
{
	if (strpbrk(value, "*?[") != NULL)
		note(u, d, "names are no patterns here");
	else
		import_list_add(u->s, rule->to, value);
	return 0;
}

static int take_working_dir(struct unit *u, const struct rule *rule, const struct directive *d,
			    const char *value)
{
	bool optional = *value == '-';

	if (strcmp(value + optional, "~") == 0) {
		note(u, d, "the home directory has to be named");
		return 0;
	}
	import_text_value(u->s, rule->to, value + optional);
	if (optional)
		import_remark(u->s, rule->to, "it was no failure there when this is missing");
	return 0;
}

static int take_stream(struct unit *u, const struct rule *rule, const struct directive *d,
		       const char *value)
{
	bool in = strcmp(rule->to, "stdin") == 0;
	const char *path = strchr(value, ':');
	auto_free(freep) char *file = NULL;

	if (strncmp(value, "journal", 7) == 0 || strncmp(value, "kmsg", 4) == 0 ||
	    strncmp(value, "syslog", 6) == 0) {
		if (strchr(value, '+') != NULL || strncmp(value, "journal", 7) != 0)
			note(u, d, "captured output goes to procd's log; \"syslog\" and \"journal\" are there");
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
			note(u, d, "the file is appended to");
	} else {
		note(u, d, "there are files, null and the log");
	}
	return 0;
}

static int take_exit_codes(struct unit *u, const struct rule *rule, const struct directive *d,
			   const char *value)
{
	auto_free(strbuf_fini) struct strbuf list = STRBUF_INIT;
	auto_free(freep) char *copy = x_strdup(value);
	char *rest = NULL;

	strbuf_addstr(&list, "[0");
	for (char *word = strtok_r(copy, " \t", &rest); word != NULL; word = strtok_r(NULL, " \t", &rest)) {
		if (word[strspn(word, "0123456789")] == '\0' && strlen(word) < 4)
			strbuf_addf(&list, ", %d", atoi(word));
		else
			note(u, d, "only numbers of exit codes count as success, no signals and names");
	}
	strbuf_addch(&list, ']');
	import_raw(u->s, rule->to, list.buf);
	return 0;
}

static int take_scheduling(struct unit *u, const struct rule *rule, const struct directive *d,
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

static int take_capabilities(struct unit *u, const struct rule *rule, const struct directive *d,
			     const char *value)
{
	if (*value == '~') {
		note(u, d, "those that are kept have to be named");
		return 0;
	}
	if (*value == '\0')
		import_raw(u->s, rule->to, "[]");
	return take_list(u, rule, d, value);
}

static int take_protect_system(struct unit *u, const struct rule *rule, const struct directive *d,
			       const char *value)
{
	if (strcmp(value, "full") != 0 && strcmp(value, "strict") != 0)
		return take_bool(u, rule, d, value);
	import_text_value(u->s, rule->to, value);
	return 0;
}

static int take_dynamic_user(struct unit *u, const struct rule *rule, const struct directive *d,
			     const char *value)
{
	bool on = false;

	(void)rule;
	if (!unit_bool(value, &on))
		return fail(u, d, "a boolean");
	if (on && unit_find(u, "Service", "User") == NULL) {
		note(u, d, "a user has to exist, and to be named by user");
		import_hold_back(u->s, "it would run with procd's own rights");
	}
	return 0;
}

static int take_edges(struct unit *u, const struct rule *rule, const struct directive *d,
		      const char *value)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;

	if (unit_words(u, d, value, &words, NULL) < 0)
		return -EINVAL;
	for (size_t i = 0; i < words.n; i++)
		import_edge(u->s, rule->to, words.items[i], NULL, d->line);
	return 0;
}

static int take_burst(struct unit *u, const struct rule *rule, const struct directive *d,
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
	if (take_number(u, rule, d, value) < 0)
		return -EINVAL;
	import_remark(u->s, rule->to, "so many restarts without a run of restart_reset_after; there: so many "
		      "starts within that time");
	return 0;
}

static int take_nothing(struct unit *u, const struct rule *rule, const struct directive *d,
			const char *value)
{
	(void)u;
	(void)rule;
	(void)d;
	(void)value;
	return 0;
}

/* "0-3 5" */
static int take_cpus(struct unit *u, const struct rule *rule, const struct directive *d,
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

#define SANDBOX "it runs without this protection"
#define LIMIT(there, here) { "Service", "Limit" there, take_limit, "limit_" here }

/* In this order they stand in the result. One whose key ends in '*' stands for all that begin so. */
static const struct rule rules[] = {
	{ "Unit", "Description", take_text, "description" },
	{ "Unit", "Documentation", take_nothing, NULL },
	{ "Unit", "Requires", take_edges, "depends_on" },
	{ "Unit", "Requisite", take_edges, "depends_on" },
	{ "Unit", "BindsTo", take_edges, "binds_to" },
	{ "Unit", "Wants", take_edges, "wants" },
	{ "Unit", "After", take_edges, "after" },
	{ "Unit", "Before", take_edges, "before" },
	{ "Unit", "OnFailure", take_edges, "on_failure" },
	{ "Unit", "PartOf", take_note, "a stop of one stops another through depends_on or binds_to" },
	{ "Unit", "Conflicts", take_note, "subsystems do not exclude each other" },
	{ "Unit", "Condition*", take_note, "it always starts; pre_start can refuse" },
	{ "Unit", "Assert*", take_note, "it always starts; pre_start can refuse" },
	{ "Unit", "DefaultDependencies", take_nothing, NULL },
	{ "Unit", "StartLimitIntervalSec", take_nothing, NULL },
	{ "Unit", "StartLimitInterval", take_nothing, NULL },
	{ "Unit", "StartLimitBurst", take_burst, "restart_max_attempts" },
	{ "Service", "StartLimitInterval", take_nothing, NULL },
	{ "Service", "StartLimitBurst", take_burst, "restart_max_attempts" },
	{ "Service", "Type", take_type, NULL },
	{ "Service", "WorkingDirectory", take_working_dir, "working_dir" },
	{ "Service", "RootDirectory", take_text, "root_dir" },
	{ "Service", "User", take_text, "user" },
	{ "Service", "Group", take_text, "group" },
	{ "Service", "SupplementaryGroups", take_list, "supplementary_groups" },
	{ "Service", "UMask", take_text, "umask" },
	{ "Service", "Environment", take_environment, "environment" },
	{ "Service", "EnvironmentFile", take_environment_file, "env_file" },
	{ "Service", "PassEnvironment", take_nothing, NULL },	/* all is passed */
	{ "Service", "Restart", take_restart, "restart" },
	{ "Service", "RestartMaxDelaySec", take_time, "restart_max_delay" },
	{ "Service", "RestartSec", take_time, "restart_delay" },
	{ "Service", "RestartSteps", take_note, "a delay doubles, up to restart_max_delay" },
	{ "Service", "SuccessExitStatus", take_exit_codes, "success_exit_codes" },
	{ "Service", "TimeoutSec", take_both_timeouts, NULL },
	{ "Service", "TimeoutStartSec", take_time, "start_timeout" },
	{ "Service", "TimeoutStopSec", take_time, "stop_timeout" },
	{ "Service", "WatchdogSec", take_time, "watchdog" },
	{ "Service", "KillSignal", take_signal, "stop_signal" },
	{ "Service", "KillMode", take_kill_mode, "kill_mode" },
	{ "Service", "ReloadSignal", take_signal, "reload_signal" },
	{ "Service", "StandardInput", take_stream, "stdin" },
	{ "Service", "StandardOutput", take_stream, "stdout" },
	{ "Service", "StandardError", take_stream, "stderr" },
	{ "Service", "NotifyAccess", take_nothing, NULL },
	{ "Service", "GuessMainPID", take_nothing, NULL },
	{ "Service", "RemainAfterExit", take_note, "a oneshot that succeeded is stopped, and satisfies "
	  "whoever depends on it" },
	{ "Service", "PIDFile", take_note, "the pid is that of the program that was started" },
	{ "Service", "Nice", take_number, "nice" },
	{ "Service", "OOMScoreAdjust", take_number, "oom_score_adjust" },
	{ "Service", "CPUAffinity", take_cpus, "cpu_affinity" },
	{ "Service", "CPUSchedulingPolicy", take_scheduling, "sched_policy" },
	{ "Service", "CPUSchedulingPriority", take_nothing, NULL },
	{ "Service", "IOSchedulingClass", take_scheduling, "io_class" },
	{ "Service", "IOSchedulingPriority", take_nothing, NULL },
	{ "Service", "MemoryMax", take_size, "memory_max" },
	{ "Service", "MemoryLimit", take_size, "memory_max" },
	{ "Service", "MemoryHigh", take_size, "memory_high" },
	{ "Service", "CPUQuota", take_text, "cpu_quota" },
	{ "Service", "CPUWeight", take_number, "cpu_weight" },
	{ "Service", "IOWeight", take_number, "io_weight" },
	{ "Service", "TasksMax", take_count, "tasks_max" },
	{ "Service", "CapabilityBoundingSet", take_capabilities, "capabilities" },
	{ "Service", "AmbientCapabilities", take_capabilities, "ambient_capabilities" },
	{ "Service", "NoNewPrivileges", take_bool, "no_new_privileges" },
	{ "Service", "PrivateTmp", take_bool, "private_tmp" },
	{ "Service", "ProtectSystem", take_protect_system, "protect_system" },
	{ "Service", "DynamicUser", take_dynamic_user, NULL },
	LIMIT("AS", "as"), LIMIT("CORE", "core"), LIMIT("CPU", "cpu"), LIMIT("DATA", "data"),
	LIMIT("FSIZE", "fsize"), LIMIT("LOCKS", "locks"), LIMIT("MEMLOCK", "memlock"),
	LIMIT("MSGQUEUE", "msgqueue"), LIMIT("NICE", "nice"), LIMIT("NOFILE", "nofile"),
	LIMIT("NPROC", "nproc"), LIMIT("RSS", "rss"), LIMIT("RTPRIO", "rtprio"),
	LIMIT("RTTIME", "rttime"), LIMIT("SIGPENDING", "sigpending"), LIMIT("STACK", "stack"),
	{ "Service", "RuntimeDirectory*", take_note, "the directory has to be there; pre_start can make it" },
	{ "Service", "StateDirectory*", take_note, "the directory has to be there; pre_start can make it" },
	{ "Service", "CacheDirectory*", take_note, "the directory has to be there; pre_start can make it" },
	{ "Service", "LogsDirectory*", take_note, "the directory has to be there; pre_start can make it" },
	{ "Service", "ConfigurationDirectory*", take_note, "the directory has to be there" },
	{ "Service", "Protect*", take_note, SANDBOX },
	{ "Service", "Private*", take_note, SANDBOX },
	{ "Service", "Restrict*", take_note, SANDBOX },
	{ "Service", "Read*", take_note, SANDBOX },
	{ "Service", "Inaccessible*", take_note, SANDBOX },
	{ "Service", "SystemCall*", take_note, "seccomp names a profile instead of system calls" },
	{ "Service", "MemoryDenyWriteExecute", take_note, SANDBOX },
	{ "Service", "LockPersonality", take_note, SANDBOX },
	{ "Service", "RemoveIPC", take_note, SANDBOX },
	{ "Service", "Device*", take_note, SANDBOX },
	{ "Service", "Syslog*", take_note, "lines have the subsystem's name" },
	{ "Service", "UnsetEnvironment", take_note, "pass_environment names what is inherited" },
	{ "Service", "RestartPreventExitStatus", take_note, "success_exit_codes names ends without restart" },
	{ "Service", "ExecStartPost", take_note, "there is no hook after the start" },
	{ "Service", "ExecCondition", take_note, "pre_start can refuse the start, as a failure" },
	{ "Service", "Sockets", take_note, "listen names sockets" },
	{ "Service", "LoadCredential*", take_note, "credentials names files" },
	{ "Install", "Alias", take_nothing, NULL },
	{ "Install", "*", take_note, "what has autostart starts with procd" },
};

/* --- all of them ------------------------------------------------------------------------------- */

static bool is_about(const struct rule *rule, const struct directive *d)
{
	size_t n = strlen(rule->key);

	if (strcmp(rule->section, d->section) != 0)
		return false;
	return rule->key[n - 1] == '*' ? strncmp(rule->key, d->key, n - 1) == 0 :
	       strcmp(rule->key, d->key) == 0;
}

/* Several of these add up; an empty one forgets those before it. Of all others the last one counts. */
static bool adds_up(const struct rule *rule)
{
	return rule->apply == take_list || rule->apply == take_environment || rule->apply == take_note ||
	       rule->apply == take_environment_file || rule->apply == take_edges ||
	       rule->apply == take_capabilities;
}

static bool is_forgotten(const struct unit *u, size_t at)
{
	const struct directive *d = &u->lines[at];

	for (size_t i = at + 1; i < u->n; i++)
		if (strcmp(u->lines[i].section, d->section) == 0 &&
		    strcmp(u->lines[i].key, d->key) == 0 && *u->lines[i].value == '\0')
			return true;
	return *d->value == '\0' && strcmp(d->key, "CapabilityBoundingSet") != 0;
}

static int apply(struct unit *u, const struct rule *rule)
{
	bool raw = rule->apply == take_environment;	/* words first, then specifiers */

	for (size_t i = 0; i < u->n; i++) {
		struct directive *d = &u->lines[i];
		auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

		if (d->taken || !is_about(rule, d))
			continue;
		d->taken = true;
		if (adds_up(rule) ? is_forgotten(u, i) : unit_find(u, d->section, d->key) != d)
			continue;
		if (!raw && rule->apply != take_note && unit_expand(u, d, d->value, &text) < 0)
			return -EINVAL;
		if (rule->apply(u, rule, d, raw || rule->apply == take_note ? d->value : text.buf) < 0)
			return -EINVAL;
	}
	return 0;
}

static const struct {
	const char *exec, *key;
} commands[] = {
	{ "ExecStart", "command" }, { "ExecStartPre", "pre_start" }, { "ExecReload", "reload_command" },
	{ "ExecStop", "stop_command" }, { "ExecStopPost", "post_stop" },
};

static void set_defaults(struct unit *u)
{
	struct directive *type = unit_find(u, "Service", "Type");
	bool oneshot = type != NULL && strcmp(type->value, "oneshot") == 0;

	if (!import_has(u->s, "restart"))
		import_text_value(u->s, "restart", "never");
	if (!import_has(u->s, "start_timeout"))
		import_ms(u->s, "start_timeout", oneshot ? 0 : 90000);
	if (!import_has(u->s, "stop_timeout"))
		import_ms(u->s, "stop_timeout", 90000);
	if (import_has(u->s, "pre_start") || import_has(u->s, "post_stop"))
		import_ms(u->s, "hook_timeout", 90000);
}

int unit_settings(struct unit *u)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (unit_commands(u, commands[i].exec, commands[i].key) < 0)
			return -EINVAL;
	if (!import_has(u->s, "command"))
		return import_fail(u->im, u->path, 0, "there is no ExecStart= in [Service]");
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (apply(u, &rules[i]) < 0)
			return -EINVAL;
	for (size_t i = 0; i < u->n; i++)
		if (!u->lines[i].taken && strncmp(u->lines[i].section, "X-", 2) != 0)
			note(u, &u->lines[i], "procd has nothing like it");
	set_defaults(u);
	return 0;
}
