/* The settings of a service unit: a row for each says what becomes of it. */
#include "import/systemd_take.h"

#include <errno.h>

#include "base/alloc.h"

#define SANDBOX "it runs without this protection"
#define LIMIT(there, here) { "Service", "Limit" there, unit_take_limit, "limit_" here }

/* In this order they stand in the result. One whose key ends in '*' stands for all that begin
 * so. */
static const struct unit_rule rules[] = {
	{ "Unit", "Description", unit_take_text, "description" },
	{ "Unit", "Documentation", unit_take_nothing, NULL },
	{ "Unit", "Requires", unit_take_edges, "depends_on" },
	{ "Unit", "Requisite", unit_take_edges, "depends_on" },
	{ "Unit", "BindsTo", unit_take_edges, "binds_to" },
	{ "Unit", "Wants", unit_take_edges, "wants" },
	{ "Unit", "After", unit_take_edges, "after" },
	{ "Unit", "Before", unit_take_edges, "before" },
	{ "Unit", "OnFailure", unit_take_edges, "on_failure" },
	{ "Unit", "PartOf", unit_take_note, "a stop of one stops another through depends_on or binds_to" },
	{ "Unit", "Conflicts", unit_take_note, "subsystems do not exclude each other" },
	{ "Unit", "Condition*", unit_take_note, "it always starts; pre_start can refuse" },
	{ "Unit", "Assert*", unit_take_note, "it always starts; pre_start can refuse" },
	{ "Unit", "DefaultDependencies", unit_take_nothing, NULL },
	{ "Unit", "StartLimitIntervalSec", unit_take_nothing, NULL },
	{ "Unit", "StartLimitInterval", unit_take_nothing, NULL },
	{ "Unit", "StartLimitBurst", unit_take_burst, "restart_max_attempts" },
	{ "Service", "StartLimitInterval", unit_take_nothing, NULL },
	{ "Service", "StartLimitBurst", unit_take_burst, "restart_max_attempts" },
	{ "Service", "Type", unit_take_type, NULL },
	{ "Service", "WorkingDirectory", unit_take_working_dir, "working_dir" },
	{ "Service", "RootDirectory", unit_take_text, "root_dir" },
	{ "Service", "User", unit_take_text, "user" },
	{ "Service", "Group", unit_take_text, "group" },
	{ "Service", "SupplementaryGroups", unit_take_list, "supplementary_groups" },
	{ "Service", "UMask", unit_take_text, "umask" },
	{ "Service", "Environment", unit_take_environment, "environment" },
	{ "Service", "EnvironmentFile", unit_take_environment_file, "env_file" },
	{ "Service", "PassEnvironment", unit_take_nothing, NULL },	/* all is passed */
	{ "Service", "Restart", unit_take_restart, "restart" },
	{ "Service", "RestartMaxDelaySec", unit_take_time, "restart_max_delay" },
	{ "Service", "RestartSec", unit_take_time, "restart_delay" },
	{ "Service", "RestartSteps", unit_take_note, "a delay doubles, up to restart_max_delay" },
	{ "Service", "SuccessExitStatus", unit_take_exit_codes, "success_exit_codes" },
	{ "Service", "TimeoutSec", unit_take_both_timeouts, NULL },
	{ "Service", "TimeoutStartSec", unit_take_time, "start_timeout" },
	{ "Service", "TimeoutStopSec", unit_take_time, "stop_timeout" },
	{ "Service", "WatchdogSec", unit_take_time, "watchdog" },
	{ "Service", "KillSignal", unit_take_signal, "stop_signal" },
	{ "Service", "KillMode", unit_take_kill_mode, "kill_mode" },
	{ "Service", "ReloadSignal", unit_take_signal, "reload_signal" },
	{ "Service", "StandardInput", unit_take_stream, "stdin" },
	{ "Service", "StandardOutput", unit_take_stream, "stdout" },
	{ "Service", "StandardError", unit_take_stream, "stderr" },
	{ "Service", "NotifyAccess", unit_take_nothing, NULL },
	{ "Service", "GuessMainPID", unit_take_nothing, NULL },
	{ "Service", "RemainAfterExit", unit_take_note, "a oneshot that succeeded is stopped, and satisfies "
	  "whoever depends on it" },
	{ "Service", "PIDFile", unit_take_note, "the pid is that of the program that was started" },
	{ "Service", "Nice", unit_take_number, "nice" },
	{ "Service", "OOMScoreAdjust", unit_take_number, "oom_score_adjust" },
	{ "Service", "CPUAffinity", unit_take_cpus, "cpu_affinity" },
	{ "Service", "CPUSchedulingPolicy", unit_take_scheduling, "sched_policy" },
	{ "Service", "CPUSchedulingPriority", unit_take_nothing, NULL },
	{ "Service", "IOSchedulingClass", unit_take_scheduling, "io_class" },
	{ "Service", "IOSchedulingPriority", unit_take_nothing, NULL },
	{ "Service", "MemoryMax", unit_take_size, "memory_max" },
	{ "Service", "MemoryLimit", unit_take_size, "memory_max" },
	{ "Service", "MemoryHigh", unit_take_size, "memory_high" },
	{ "Service", "CPUQuota", unit_take_text, "cpu_quota" },
	{ "Service", "CPUWeight", unit_take_count, "cpu_weight" },
	{ "Service", "IOWeight", unit_take_count, "io_weight" },
	{ "Service", "TasksMax", unit_take_count, "tasks_max" },
	{ "Service", "CapabilityBoundingSet", unit_take_capabilities, "capabilities" },
	{ "Service", "AmbientCapabilities", unit_take_capabilities, "ambient_capabilities" },
	{ "Service", "NoNewPrivileges", unit_take_bool, "no_new_privileges" },
	{ "Service", "PrivateTmp", unit_take_bool, "private_tmp" },
	{ "Service", "ProtectSystem", unit_take_protect_system, "protect_system" },
	{ "Service", "DynamicUser", unit_take_dynamic_user, NULL },
	LIMIT("AS", "as"), LIMIT("CORE", "core"), LIMIT("CPU", "cpu"), LIMIT("DATA", "data"),
	LIMIT("FSIZE", "fsize"), LIMIT("LOCKS", "locks"), LIMIT("MEMLOCK", "memlock"),
	LIMIT("MSGQUEUE", "msgqueue"), LIMIT("NICE", "nice"), LIMIT("NOFILE", "nofile"),
	LIMIT("NPROC", "nproc"), LIMIT("RSS", "rss"), LIMIT("RTPRIO", "rtprio"),
	LIMIT("RTTIME", "rttime"), LIMIT("SIGPENDING", "sigpending"), LIMIT("STACK", "stack"),
	{ "Service", "RuntimeDirectory*", unit_take_directory, NULL },
	{ "Service", "StateDirectory*", unit_take_directory, NULL },
	{ "Service", "CacheDirectory*", unit_take_directory, NULL },
	{ "Service", "LogsDirectory*", unit_take_directory, NULL },
	{ "Service", "ConfigurationDirectory*", unit_take_directory, NULL },
	{ "Service", "Protect*", unit_take_note, SANDBOX },
	{ "Service", "Private*", unit_take_note, SANDBOX },
	{ "Service", "Restrict*", unit_take_note, SANDBOX },
	{ "Service", "Read*", unit_take_note, SANDBOX },
	{ "Service", "Inaccessible*", unit_take_note, SANDBOX },
	{ "Service", "SystemCall*", unit_take_note, "seccomp names a profile instead of system calls" },
	{ "Service", "MemoryDenyWriteExecute", unit_take_note, SANDBOX },
	{ "Service", "LockPersonality", unit_take_note, SANDBOX },
	{ "Service", "RemoveIPC", unit_take_note, SANDBOX },
	{ "Service", "Device*", unit_take_note, SANDBOX },
	{ "Service", "Syslog*", unit_take_note, "lines have the subsystem's name" },
	{ "Service", "UnsetEnvironment", unit_take_note, "pass_environment names what is inherited" },
	{ "Service", "RestartPreventExitStatus", unit_take_note, "success_exit_codes names ends without restart" },
	{ "Service", "ExecStartPost", unit_take_note, "there is no hook after the start" },
	{ "Service", "ExecCondition", unit_take_note, "pre_start can refuse the start, as a failure" },
	{ "Service", "Sockets", unit_take_note, "listen names sockets" },
	{ "Service", "LoadCredential", unit_take_credential, "credentials" },
	{ "Service", "LoadCredential*", unit_take_note, "credentials names files" },
	{ "Service", "RestartForceExitStatus", unit_take_note, "these are failures, which restart follows" },
	{ "Install", "Alias", unit_take_nothing, NULL },
	{ "Install", "DefaultInstance", unit_take_nothing, NULL },
	{ "Install", "*", unit_take_note, "what has autostart starts with procd" },
};

/* --- all of them ------------------------------------------------------------------------------- */

static bool is_about(const struct unit_rule *rule, const struct directive *d)
{
	size_t n = strlen(rule->key);

	if (strcmp(rule->section, d->section) != 0)
		return false;
	return rule->key[n - 1] == '*' ? strncmp(rule->key, d->key, n - 1) == 0 :
	       strcmp(rule->key, d->key) == 0;
}

/* Several of these add up; an empty one forgets those before it. Of all others the last one
 * counts. */
static bool adds_up(const struct unit_rule *rule)
{
	return rule->apply == unit_take_list || rule->apply == unit_take_environment || rule->apply == unit_take_note ||
	       rule->apply == unit_take_environment_file || rule->apply == unit_take_edges ||
	       rule->apply == unit_take_capabilities || rule->apply == unit_take_credential;
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

static int apply(struct unit *u, const struct unit_rule *rule)
{
	bool raw = rule->apply == unit_take_environment;	/* words first, then specifiers */

	for (size_t i = 0; i < u->n; i++) {
		struct directive *d = &u->lines[i];
		auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

		if (d->taken || !is_about(rule, d))
			continue;
		d->taken = true;
		if (adds_up(rule) ? is_forgotten(u, i) : unit_find(u, d->section, d->key) != d)
			continue;
		if (!raw && rule->apply != unit_take_note && unit_expand(u, d, d->value, &text) < 0)
			return -EINVAL;
		if (rule->apply(u, rule, d,
				raw || rule->apply == unit_take_note ? d->value : text.buf) < 0)
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

static bool is_oneshot(const struct unit *u)
{
	const struct directive *type = unit_find(u, "Service", "Type");

	return type != NULL && strcmp(type->value, "oneshot") == 0;
}

static void set_defaults(struct unit *u)
{
	if (!import_has(u->s, "working_dir"))
		import_text_value(u->s, "working_dir", "/");
	if (!import_has(u->s, "restart"))
		import_text_value(u->s, "restart", "never");
	if (!import_has(u->s, "start_timeout"))
		import_ms(u->s, "start_timeout", is_oneshot(u) ? 0 : 90000);
	if (!import_has(u->s, "stop_timeout"))
		import_ms(u->s, "stop_timeout", 90000);
	if (import_has(u->s, "pre_start") || import_has(u->s, "post_stop"))
		import_ms(u->s, "hook_timeout", 90000);
}

/* What a oneshot undoes when it is stopped: nobody here knows that it is still "active". */
static void drop_stop_commands(struct unit *u)
{
	for (size_t i = 0; i < u->n; i++) {
		struct directive *d = &u->lines[i];

		if (strcmp(d->section, "Service") != 0 || strcmp(d->key, "ExecStop") != 0)
			continue;
		d->taken = true;
		if (*d->value != '\0')
			unit_note(u, d, "a oneshot that has run is stopped already");
	}
}

int unit_settings(struct unit *u)
{
	if (is_oneshot(u))
		drop_stop_commands(u);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (is_oneshot(u) && strcmp(commands[i].exec, "ExecStop") == 0)
			continue;
		if (unit_commands(u, commands[i].exec, commands[i].key) < 0)
			return -EINVAL;
	}
	if (!import_has(u->s, "command"))
		return import_fail(u->im, u->path, 0, "there is no ExecStart= in [Service]");
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (apply(u, &rules[i]) < 0)
			return -EINVAL;
	for (size_t i = 0; i < u->n; i++)
		if (!u->lines[i].taken && strncmp(u->lines[i].section, "X-", 2) != 0)
			unit_note(u, &u->lines[i], "procd has nothing like it");
	set_defaults(u);
	return unit_directories(u);
}
