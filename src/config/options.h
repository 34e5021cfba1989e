/* The frozen wish: what the configuration says, checked and resolved. Filled only through the
 * option table (config/schema.h); read-only for everybody once it is published. */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "base/cron.h"
#include "base/enumtext.h"
#include "base/log.h"
#include "base/rcu.h"
#include "base/strlist.h"

enum restart_policy {
	RESTART_NEVER, RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_EXPONENTIAL_BACKOFF
};
extern const struct enumtext restart_policy_text;

enum subsystem_type { TYPE_SERVICE, TYPE_ONESHOT };
extern const struct enumtext subsystem_type_text;

enum kill_mode { KILL_MODE_GROUP, KILL_MODE_PROCESS };
extern const struct enumtext kill_mode_text;

/* What becomes of it when the keeper dies. (The supervisor's death concerns no child.) */
enum keeper_death { KEEPER_DEATH_KEEP, KEEPER_DEATH_STOP };
extern const struct enumtext keeper_death_text;

enum stdio_kind {	/* one enum for the three; the schema limits the choices of each */
	STDIO_NULL, STDIO_INHERIT, STDIO_LOG, STDIO_STDOUT, STDIO_FILE, STDIO_SYSLOG, STDIO_JOURNAL
};
struct stdio_option {
	enum stdio_kind kind;
	char *path;		/* STDIO_FILE: absolute */
};
/* Does procd read it, line by line? */
static inline bool stdio_is_captured(const struct stdio_option *s)
{
	return s->kind == STDIO_LOG || s->kind == STDIO_SYSLOG || s->kind == STDIO_JOURNAL;
}

/* How to find out whether something is so: config/probe.h. */
enum probe_kind {
	PROBE_EXEC, PROBE_NOTIFY, PROBE_FD, PROBE_TCP, PROBE_UNIX, PROBE_HTTP, PROBE_COMMAND,
	PROBE_LOG, PROBE_NKINDS
};
struct probe_option {
	enum probe_kind kind;
	int fd;			/* PROBE_FD */
	int port;		/* PROBE_TCP, PROBE_HTTP */
	char *host;		/* likewise: "localhost" or a numeric address, without brackets */
	char *socket;		/* PROBE_UNIX, and PROBE_HTTP (then HOST is NULL): absolute path, or
				 * "@NAME" in the abstract namespace */
	char *target;		/* PROBE_HTTP: "/PATH?QUERY" */
	char *pattern;		/* PROBE_LOG: regular expression, POSIX, extended; compiles */
	struct strlist command;	/* PROBE_COMMAND: argv */
};

enum on_unhealthy { ON_UNHEALTHY_RESTART, ON_UNHEALTHY_EVENT, ON_UNHEALTHY_STOP };
extern const struct enumtext on_unhealthy_text;

enum on_memory_limit { ON_MEMORY_EVENT, ON_MEMORY_RESTART };
extern const struct enumtext on_memory_limit_text;

/* How the lines of a log_file look. */
enum log_format { LOG_FORMAT_RAW, LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
extern const struct enumtext log_format_text;

struct limit_option {
	bool set;
	uint64_t soft, hard;	/* UINT64_MAX: infinity */
};

struct capability_option {
	bool set;
	uint64_t mask;		/* bit N: the capability N of the kernel */
};
extern const struct enumtext capability_text;	/* "CAP_CHOWN", ...: type_rights.c */

enum protect_system { PROTECT_FALSE, PROTECT_TRUE, PROTECT_FULL, PROTECT_STRICT };
extern const struct enumtext protect_system_text;

#define NOTIFY_DIR "notify"	/* below the run directory: sockets that subsystems speak through */

#define CREDENTIALS_MAX 32
#define CREDENTIAL_NAME_MAX 64
#define CREDENTIAL_MAX (64u * 1024)	/* bytes of one */

enum seccomp_profile { SECCOMP_NONE, SECCOMP_DEFAULT, SECCOMP_NO_NETWORK };
extern const struct enumtext seccomp_profile_text;
#if defined(__x86_64__) || defined(__aarch64__)
#define SECCOMP_PROFILES 0	/* all */
#else
#define SECCOMP_PROFILES (1U << SECCOMP_NONE)	/* the numbers of the calls are not known */
#endif

#define TIMEOUT_UNSET (-1)	/* a duration key that was not given and has no default */

/* What most subsystems have in common stands in parts that they share: each begins with those of
 * [defaults] and gets one of its own with the first key that it gives itself. Counted. */

/* To whom it is tied. */
struct subsystem_links {
	_Atomic uint32_t refs;
	char *description;
	struct strlist groups;
	struct strlist depends_on, binds_to;	/* "NAME[:CONDITION]"; config/depend.h */
	struct strlist wants, after, before, on_failure;	/* names */
};

/* How it is run: starts, probes, ends, times. */
struct subsystem_policy {
	_Atomic uint32_t refs;
	bool resolved;
	enum restart_policy restart;	/* oneshot defaults to never */
	int64_t restart_delay_ms, restart_max_delay_ms, restart_reset_after_ms;
	int64_t restart_max_attempts;	/* 0: no limit */
	double restart_jitter;
	int *success_exit_codes;
	size_t nsuccess_exit_codes;
	char *schedule;			/* as written; NULL: not given */
	struct cron *cron;		/* what it says; NULL: no schedule */
	struct zone *zone;		/* counted: that CRON is meant in; NULL: no schedule */
	int64_t every_ms;		/* TIMEOUT_UNSET: not given */
	struct strlist watch;		/* files, absolute */
	int64_t random_delay_ms;	/* of each of these runs, at most */
	struct probe_option *ready;	/* NULL: "exec" */
	int64_t start_timeout_ms;	/* 0: no limit */
	int64_t min_uptime_ms;
	int64_t watchdog_ms;		/* TIMEOUT_UNSET: none */
	struct probe_option *health;	/* NULL: none */
	int64_t health_interval_ms;	/* TIMEOUT_UNSET: monitoring's; config_health_interval_ms() */
	int64_t health_timeout_ms, health_start_period_ms;
	int64_t health_retries;
	enum on_unhealthy on_unhealthy;
	uint64_t memory_soft_limit;	/* bytes; 0: not given */
	enum on_memory_limit on_memory_limit;
	int stop_signal;
	int64_t stop_timeout_ms;	/* TIMEOUT_UNSET: the deadlines of [shutdown] apply */
	enum kill_mode kill_mode;
	struct strlist pre_start, post_stop, stop_command, reload_command;	/* argv; empty: none */
	int64_t hook_timeout_ms;
	int reload_signal;
	enum keeper_death on_supervisor_death;
	uint64_t log_max_file_size;
	int64_t log_max_files;
	enum log_format log_format;
	int64_t log_rate_limit;		/* lines per second; 0: no limit */
	bool socket_activation;
	int64_t idle_timeout_ms;	/* 0: none */
	struct strlist listen;		/* "[NAME=]tcp:ADDRESS:PORT"; config/listen.h */
};

/* Whose its process is, and what it may do and have. */
struct subsystem_rights {
	_Atomic uint32_t refs;
	bool resolved;			/* the fields that say so are valid, paths are absolute */
	char *user, *group;		/* as written; NULL: not given */
	struct strlist supplementary_groups;
	bool set_ids;			/* resolved: any of the three was given; then the next are */
	uid_t uid;
	gid_t gid;
	char *home, *login_shell;	/* resolved: of USER; NULL: not given, or without an entry */
	char *user_name;		/* resolved: its name, also when USER is a number */
	gid_t *gids;			/* resolved: supplementary */
	size_t ngids;
	int64_t umask;			/* -1: procd's */
	char *working_dir;		/* absolute; NULL: work_dir, else procd's */
	struct strlist env_file;	/* absolute; a leading '-': it need not be there */
	bool clear_environment;
	struct strlist pass_environment;	/* patterns; not empty: nothing else is inherited */
	const struct limit_option *limits;	/* RLIM_NLIMITS; shared while none is set */
	int64_t nice;			/* INT64_MIN: not given */
	int64_t oom_score_adjust;	/* INT64_MIN: not given */
	char *cpu_affinity;		/* "0-1,3"; config/placement.h reads these three */
	char *sched_policy, *io_class;
	int64_t numa_node;		/* INT64_MIN: not given */
	char *numa_cpus;		/* resolved: of that node, as the kernel lists them */
	struct capability_option capabilities, ambient_capabilities;
	bool no_new_privileges;
	char *root_dir;			/* absolute; NULL: procd's */
	bool private_tmp;
	enum protect_system protect_system;
	struct strlist landlock_read, landlock_write;	/* absolute, inside root_dir */
	enum seccomp_profile seccomp;
	uint64_t memory_max, memory_high;	/* bytes; 0: not given */
	int64_t cpu_quota;			/* per cent of one processor; 0: not given */
	int64_t cpu_weight, tasks_max, io_weight;	/* INT64_MIN: not given */
	struct strlist credentials;	/* "NAME=PATH", the path absolute */
	char *heap_profile;		/* absolute; NULL: none */
};

/* Where its standard streams lead. */
struct subsystem_streams {
	_Atomic uint32_t refs;
	struct stdio_option stdio[3];	/* stdin, stdout, stderr */
};

/* [subsystem.NAME]. Counted: a running subsystem keeps the options it was started with. */
struct subsystem_options {
	_Atomic uint32_t refs;
	enum subsystem_type type;
	bool shell, autostart, critical;
	uint32_t norigins;
	char *name;
	uint64_t generation;		/* of the configuration that first had exactly these */
	struct strlist command;		/* argv; for shell: one item, the script */
	int64_t instances;		/* as declared; 0: not. Of an instance: without meaning */
	struct strlist environment;	/* "K=V" */
	char *log_file;			/* absolute; NULL: procd's own log */
	const struct subsystem_links *links;
	const struct subsystem_policy *policy;
	const struct subsystem_rights *rights;
	const struct subsystem_streams *streams;
	struct origin *origins;		/* of the keys that were given, by rising key */
};
/* The options of a process that the configuration does not know (any more): just enough to stop it,
 * with SIGNO and then as the key stop_timeout says. Any thread. */
struct subsystem_options *subsystem_options_unknown(const char *name, enum kill_mode mode,
						    int signo, int64_t stop_timeout_ms);
struct subsystem_options *subsystem_options_ref(struct subsystem_options *o);
void subsystem_options_unref(struct subsystem_options *o);	/* any thread; NULL is fine */
/* What makes it ready. Pure; any thread. */
static inline enum probe_kind subsystem_ready_kind(const struct subsystem_options *o)
{
	return o->policy->ready != NULL ? o->policy->ready->kind : PROBE_EXEC;
}
/* Is it told of a socket to speak to procd through? Pure; any thread. */
static inline bool subsystem_notifies(const struct subsystem_options *o)
{
	return subsystem_ready_kind(o) == PROBE_NOTIFY || o->policy->watchdog_ms > 0;
}
/* Does it have one? A descriptor of its own leads there, too. Pure; any thread. */
static inline bool subsystem_speaks(const struct subsystem_options *o)
{
	return subsystem_notifies(o) || subsystem_ready_kind(o) == PROBE_FD;
}
/* Does it run at certain times? Such a one is a oneshot. Pure; any thread. */
static inline bool subsystem_is_periodic(const struct subsystem_options *o)
{
	return o->policy->schedule != NULL || o->policy->every_ms >= 0;
}
/* Who its process runs as. Any thread. */
uid_t subsystem_uid(const struct subsystem_options *o);
/* Does it inherit NAME=VALUE of procd's environment? Pure; any thread. */
bool subsystem_inherits(const struct subsystem_options *o, const char *item);

enum signal_action {
	SIGNAL_SHUTDOWN, SIGNAL_IMMEDIATE, SIGNAL_RELOAD, SIGNAL_REOPEN_LOGS, SIGNAL_DUMP,
	SIGNAL_FORWARD, SIGNAL_IGNORE, SIGNAL_DEFAULT
};
extern const struct enumtext signal_action_text;
struct signal_option {
	enum signal_action action;
	char *target;		/* SIGNAL_FORWARD: subsystem name */
};

enum log_target { LOG_TO_STDERR, LOG_TO_FILE, LOG_TO_SYSLOG, LOG_TO_JOURNAL };

enum http_allow { HTTP_ALLOW_READ };
extern const struct enumtext http_allow_text;

enum events_output {
	EVENTS_NONE, EVENTS_STDOUT, EVENTS_STDERR, EVENTS_FILE, EVENTS_FD
};

struct config_change;			/* config/config.h */

struct config {
	struct rcu_head rcu;
	uint64_t generation;		/* the published ones count; the first is 1 */
	uint64_t content_hash;		/* of all files, in order */
	uint32_t nmapped;		/* of FILES were read through a memory map */

	char *name;
	char *work_dir;			/* absolute or NULL */
	char *pid_file;			/* absolute or NULL */
	char *run_dir;			/* absolute, never NULL: given or derived (interface 1) */
	bool hot_reload;
	struct strlist include;

	struct {
		enum log_level level;
		bool json, color;
		char *file;		/* absolute path, or NULL, "syslog", "journal" */
		uint64_t max_file_size;
		int64_t max_files;
	} logging;
	struct {
		int64_t timeout_ms, force_timeout_ms, kill_timeout_ms;
		int force_signal;
	} shutdown;
	struct {
		int64_t worker_threads;	/* 0: as many as are useful */
		bool thread_pinning, numa_aware;
		uint64_t memory_pool_size;
		bool lock_free;
		char *event_backend;
		int64_t nice;
	} performance;
	struct {
		bool enable_metrics;
		int64_t metrics_interval_ms;
		bool track_resources;
		bool health_checks;
		int64_t health_check_interval_ms;
	} monitoring;
	struct signal_option signals[NSIG];
	struct {
		bool enabled;
		enum events_output output;
		char *output_path;	/* EVENTS_FILE: absolute */
		int output_fd;		/* EVENTS_FD */
		int64_t history, queue;
	} events;
	struct {
		char *socket;		/* absolute, never NULL */
		int64_t mode;		/* permission bits */
		char *group, *read_group;
		gid_t gid, read_gid;	/* (gid_t)-1: not given */
	} control;
	struct {
		char *listen;		/* as written; NULL: off */
		char *token_file;	/* absolute; NULL: none */
		int allow;		/* enum http_allow */
		char *user;
	} http;
	struct {
		int64_t debounce_ms;
	} reload;
	struct {
		char *cpu_output;	/* as the client is to take it: relative to where that runs */
		int64_t cpu_hz;
		char *heap_output;	/* as written */
	} profiling;

	struct subsystem_options **subsystems;	/* order of the file, instances in a row */
	size_t nsubsystems;
	struct family *families;	/* those that declare instances (config/family.h), likewise */
	size_t nfamilies;

	struct strlist pending;		/* paths of keys whose new values wait for a start of procd;
					 * here they have those that are in force */
	char *file;			/* the main file, absolute */
	struct strlist files;		/* every file read, absolute, main file first */
	struct strlist globs;		/* every include pattern of these, absolute, for glob(3) */
	struct origin *origins;		/* of the keys that were given, by rising key */
	uint32_t norigins;
	uint32_t *by_name;		/* indices of subsystems, sorted by name */
	uint32_t *families_by_name;
	uint64_t descriptors, descriptors_wanted;	/* config/descriptors.h */
	struct config_change *change;	/* between config_compare() and publishing; else NULL */
};
void config_free(struct config *config);	/* NULL is fine */
/* One subsystem or instance by its whole name; NULL: there is none. */
struct subsystem_options *config_find(const struct config *config, const char *name);
/* How many subsystems the files declare: all but procd's own. */
size_t config_declared(const struct config *config);
/* The time from one health probe of O to the next. */
static inline int64_t config_health_interval_ms(const struct config *config,
						const struct subsystem_options *o)
{
	return o->policy->health_interval_ms != TIMEOUT_UNSET ? o->policy->health_interval_ms
						      : config->monitoring.health_check_interval_ms;
}

/* Where a value came from, for `procd config` and for messages. */
enum origin_kind { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENV, ORIGIN_CLI };
extern const struct enumtext origin_kind_text;
struct origin {
	uint16_t key;			/* row of the option table */
	uint16_t file;			/* index into config.files; only for ORIGIN_FILE */
	uint32_t kind : 2;		/* enum origin_kind */
	uint32_t line : 30;		/* 0: none */
};

#endif
