/* The option table. To add a key: one row here and one field in config/options.h; everything else
 * is a loop. Rows of one section stand together, those of [subsystem] come last. */
#include "config/schema.h"

#include <config.h>

#include "config/family.h"
#include "config/probe.h"
#include "config/start_files.h"
#include "config/type.h"

#define SECOND MS_PER_SEC
#define DAY (86400 * SECOND)
#define MEBIBYTE (INT64_C(1) << 20)
#define GIBIBYTE (INT64_C(1) << 30)

ENUMTEXT(event_backend, "event backend", "auto", "epoll", "poll", "select");
ENUMTEXT(events_output, "event output", [EVENTS_NONE] = "none", [EVENTS_STDOUT] = "stdout",
	 [EVENTS_STDERR] = "stderr", [EVENTS_FILE] = "file:PATH", [EVENTS_FD] = "fd:N");
ENUMTEXT(http_allow, "access by HTTP", [HTTP_ALLOW_READ] = "read");
ENUMTEXT(stdio_kind, "stream", [STDIO_NULL] = "null", [STDIO_INHERIT] = "inherit",
	 [STDIO_LOG] = "log", [STDIO_STDOUT] = "stdout", [STDIO_FILE] = "file:PATH",
	 [STDIO_SYSLOG] = "syslog", [STDIO_JOURNAL] = "journal");

#define TOP(section_, name_, field, t, reload_)                                                   \
	.section = section_, .name = name_, .at = offsetof(struct config, field),                 \
	.type = &type_##t, .reload = RELOAD_##reload_
#define SUB(name_, field, t, reload_)                                                             \
	.section = "subsystem", .name = name_, .at = AT_##field, .type = &type_##t,               \
	.reload = RELOAD_##reload_
/* The key of a feature: without it only the default can be given, which must mean "off". */
#define NEEDS(feature, option) .lacks = WITH_##feature ? NULL : (option)
#define SIGNAL_ROW(name_, number, def_, what)                                                     \
	{ TOP("signals", name_, signals, signal_action, LIVE), .index = number, .def = def_,      \
	  .choices = &signal_action_text, .help = "What " what " to procd does." }
#define LIMIT_ROW(name_, number, what)                                                            \
	{ SUB("limit_" name_, RIGHTS(limits), limit, RESTART), .index = number,                   \
	  .help = "Resource limit: " what "." }

const struct option schema[] = {
	{ TOP("", "name", name, name, PROCD), .def = "\"procd\"",
	  .help = "Name of this instance, in logs and for the run directory." },
	{ TOP("", "work_dir", work_dir, path, PROCD), .def_words = "the start directory",
	  .help = "Existing directory that relative paths are resolved against and that children "
		  "start in." },
	{ TOP("", "pid_file", pid_file, path, PROCD),
	  .help = "File that holds the keeper's process id while procd runs." },
	{ TOP("", "run_dir", run_dir, path, PROCD),
	  .def_words = "/run/procd/NAME for root, else $XDG_RUNTIME_DIR/procd/NAME, else "
		       "/tmp/procd-UID/NAME",
	  .help = "Directory for the control socket, the lock and the state for recovery." },
	{ TOP("", "hot_reload", hot_reload, bool, LIVE), .def = "false",
	  NEEDS(CONFIG_WATCH, "--enable-config-watch"),
	  .help = "Watch the configuration and its includes, and load changes by itself." },
	{ TOP("", "include", include, strings, LIVE), .def = "[]",
	  .help = "Globs of further *.toml files, relative to this file; later values win." },

	{ TOP("logging", "level", logging.level, enum, LIVE), .def = "\"info\"",
	  .choices = &log_level_text, .help = "Least severe messages that are logged." },
	{ TOP("logging", "json", logging.json, bool, LIVE), .def = "false",
	  NEEDS(JSON_LOGS, "--enable-json-logs"), .help = "Log lines as JSON objects." },
	{ TOP("logging", "color", logging.color, bool, LIVE), .def = "true",
	  .help = "Colours on a terminal." },
	{ TOP("logging", "file", logging.file, log_file, LIVE), .def_words = "standard error",
	  .help = "File for procd's own log, or \"syslog\", or \"journal\"." },
	{ TOP("logging", "max_file_size", logging.max_file_size, size, LIVE), .def = "\"100M\"",
	  .min = 1, .max = 1024 * 1024 * MEBIBYTE,
	  .help = "Size at which the log file is rotated." },
	{ TOP("logging", "max_files", logging.max_files, int, LIVE), .def = "5", .max = 1000,
	  .help = "Rotated files that are kept; 0 truncates instead of rotating." },

	{ TOP("shutdown", "timeout", shutdown.timeout_ms, duration, LIVE), .def = "\"5s\"",
	  .min = 1, .max = 7 * DAY, .alias = { "graceful", UNIT_MS },
	  .help = "Time for an ordered stop, from the start of the shutdown." },
	{ TOP("shutdown", "force_timeout", shutdown.force_timeout_ms, duration, LIVE),
	  .def = "\"10s\"", .def_words = "10s, or 1.5 x timeout when that is more", .min = 1,
	  .max = 14 * DAY, .alias = { "force", UNIT_MS },
	  .help = "When force_signal is sent to all that is left, from the start of the "
		  "shutdown." },
	{ TOP("shutdown", "kill_timeout", shutdown.kill_timeout_ms, duration, LIVE),
	  .def = "\"15s\"", .def_words = "15s, or 2 x timeout when that is more", .min = 1,
	  .max = 14 * DAY, .alias = { "kill", UNIT_MS },
	  .help = "When all that is left is killed, from the start of the shutdown." },
	{ TOP("shutdown", "force_signal", shutdown.force_signal, signal, LIVE),
	  .def = "\"SIGTERM\"", .help = "Signal sent to every remaining tree at force_timeout." },

	{ TOP("performance", "worker_threads", performance.worker_threads, int, PROCD), .def = "0",
	  .max = WORKERS_MAX,
	  .help = "Threads, made when they are needed, that read what starts need from disks (env_file, "
		  "credentials); 0: up to 4." },
	{ TOP("performance", "thread_pinning", performance.thread_pinning, bool, PROCD),
	  .def = "false", NEEDS(SCHEDULER_HINTS, "--enable-scheduler-hints"),
	  .help = "Each thread but the main one stays on one of the processors that procd may use." },
	{ TOP("performance", "numa_aware", performance.numa_aware, bool, PROCD), .def = "false",
	  NEEDS(SCHEDULER_HINTS, "--enable-scheduler-hints"),
	  .help = "procd stays on the NUMA node that it starts on, with its threads and its memory." },
	{ TOP("performance", "memory_pool_size", performance.memory_pool_size, size, PROCD),
	  .def = "\"1M\"", .min = 1, .max = GIBIBYTE,
	  .help = "Memory set aside for the event ring and the hand-off buffers." },
	{ TOP("performance", "lock_free", performance.lock_free, bool, PROCD),
	  .def = WITH_LOCKFREE_COORDINATION ? "true" : "false",
	  NEEDS(LOCKFREE_COORDINATION, "--enable-lockfree-coordination"),
	  .help = "Lock-free event channel; false uses one with a mutex, which does the same." },
	{ TOP("performance", "event_backend", performance.event_backend, word, PROCD),
	  .def = "\"auto\"", .choices = &event_backend_text,
	  .help = "System interface of the event loops; auto is epoll." },
	{ TOP("performance", "nice", performance.nice, int, PROCD), .def = "0", .min = -20,
	  .max = 19, NEEDS(SCHEDULER_HINTS_UNIX, "--enable-scheduler-hints-unix"),
	  .help = "procd's own scheduling priority; children do not inherit it." },

	{ TOP("monitoring", "enable_metrics", monitoring.enable_metrics, bool, LIVE),
	  .def = WITH_METRICS ? "true" : "false", NEEDS(METRICS, "--enable-metrics"),
	  .help = "Count what happens, and tell it to `procd metrics` and GET /metrics." },
	{ TOP("monitoring", "metrics_interval", monitoring.metrics_interval_ms, duration, LIVE),
	  .def = "\"1s\"", .min = 10, .max = DAY,
	  .help = "While somebody looks: from one sample of what the subsystems use to the next." },
	{ TOP("monitoring", "track_resources", monitoring.track_resources, bool, LIVE),
	  .def = "true",
	  .help = "Find out what each subsystem uses: processor time, memory, threads, open files." },
	{ TOP("monitoring", "health_checks", monitoring.health_checks, bool, LIVE), .def = "true",
	  .help = "Run the health probes of all subsystems." },
	{ TOP("monitoring", "health_check_interval", monitoring.health_check_interval_ms, duration,
	      LIVE), .def = "\"5s\"", .min = 10, .max = DAY,
	  .help = "From one health probe to the next, where health_interval does not say it." },

	SIGNAL_ROW("term", SIGTERM, "\"shutdown\"", "SIGTERM"),
	SIGNAL_ROW("interrupt", SIGINT, "\"shutdown\"", "SIGINT"),
	SIGNAL_ROW("quit", SIGQUIT, "\"immediate\"", "SIGQUIT"),
	SIGNAL_ROW("hangup", SIGHUP, "\"reload\"", "SIGHUP"),
	SIGNAL_ROW("user1", SIGUSR1, "\"reopen-logs\"", "SIGUSR1"),
	SIGNAL_ROW("user2", SIGUSR2, "\"dump\"", "SIGUSR2"),
	SIGNAL_ROW("SIGxxx", 0, "\"default\"", "any other signal (SIGALRM, SIGRTMIN+1, ...)"),

	{ TOP("events", "enabled", events.enabled, bool, PROCD), .def = "true",
	  .help = "Keep and tell events." },
	{ TOP("events", "output", events.output, events_output, PROCD), .def = "\"none\"",
	  .choices = &events_output_text,
	  .help = "Where every event is written, too, as one JSON object per line." },
	{ TOP("events", "history", events.history, int, PROCD), .def = "1024", .min = 1,
	  .max = 1 << 20, .help = "Events kept for later subscribers." },
	{ TOP("events", "queue", events.queue, int, PROCD), .def = "1024", .min = 1,
	  .max = 1 << 20, .help = "Events that a slow subscriber may lag behind." },

	{ TOP("control", "socket", control.socket, path, PROCD),
	  .def_words = "RUN_DIR/control.sock",
	  .help = "Unix socket that procd's verbs talk to." },
	{ TOP("control", "mode", control.mode, octal, PROCD), .def = "\"0600\"", .max = 0777,
	  .help = "Permission bits of the socket." },
	{ TOP("control", "group", control.group, account, PROCD),
	  .help = "Group whose members may operate subsystems." },
	{ TOP("control", "read_group", control.read_group, account, PROCD),
	  .help = "Group whose members may use the reading verbs." },

	{ TOP("http", "listen", http.listen, http_listen, LIVE), NEEDS(HTTP, "--enable-http"),
	  .def_words = "off",
	  .help = "Address and port, or unix:/PATH, where `procd http`, a process of its own without "
		  "rights, serves GET /metrics and GET /healthz." },
	{ TOP("http", "token_file", http.token_file, path, LIVE), NEEDS(HTTP, "--enable-http"),
	  .help = "File of mode 0600 with the bearer token that every request has to show; required "
		  "where others than this machine can connect." },
	{ TOP("http", "allow", http.allow, enum, LIVE), .def = "\"read\"",
	  .choices = &http_allow_text, NEEDS(HTTP, "--enable-http"),
	  .help = "What can be done by HTTP: look, and no more." },
	{ TOP("http", "user", http.user, account, LIVE), .def = "\"nobody\"",
	  NEEDS(HTTP, "--enable-http"),
	  .help = "User that this process runs as when procd is root's; also the owner of its unix "
		  "socket." },

	{ TOP("reload", "debounce", reload.debounce_ms, duration, LIVE), .def = "\"100ms\"",
	  .max = 60 * SECOND,
	  .help = "Time from the first change of a watched file until all are read." },

	{ TOP("profiling", "cpu_output", profiling.cpu_output, string, LIVE),
	  .def = "\"cpu_profile.pb\"", NEEDS(PROFILING, "--enable-profiling"),
	  .help = "File that procd profile cpu writes without -o, in the directory where it is "
		  "called." },
	{ TOP("profiling", "cpu_hz", profiling.cpu_hz, int, LIVE), .def = "100", .min = 1,
	  .max = 10000, NEEDS(PROFILING, "--enable-profiling"),
	  .help = "Samples per second of processor time, without --hz." },
	{ TOP("profiling", "heap_output", profiling.heap_output, string, LIVE),
	  .def = "\"dhat-heap.json\"", NEEDS(HEAP_PROFILING, "--enable-heap-profiling"),
	  .help = "File that procd profile heap writes without -o, in the directory where it is "
		  "called." },

	/* --- [subsystem.NAME] and [defaults] --- */
	{ SUB("shell", OWN(shell), bool, RESTART), .def = "false",
	  .help = "Run the command by sh -c." },
	{ SUB("command", OWN(command), command, RESTART), .def_words = "required",
	  .help = "What to run: an array, or a string that is split into words without a shell." },
	{ SUB("description", LINKS(description), string, LIVE), .help = "Text for people." },
	{ SUB("groups", LINKS(groups), strings, LIVE), .def = "[]",
	  .help = "Names of groups, addressed as @GROUP." },
	{ SUB("instances", OWN(instances), instances, LIVE), .def_words = "1", .min = 1,
	  .max = INSTANCES_MAX,
	  .help = "How many of it run, as NAME@0, NAME@1, ...: %i is the number. Given (even 1), "
		  "the names have one, and procd scale changes how many there are." },
	{ SUB("listen", POLICY(listen), listen, RESTART), .def = "[]",
	  .help = "Sockets that procd binds before anything starts and keeps over restarts, as "
		  "tcp:ADDRESS:PORT, udp:ADDRESS:PORT or unix:/PATH, with NAME= before it if wanted; "
		  "passed as LISTEN_FDS and LISTEN_FDNAMES." },
	{ SUB("socket_activation", POLICY(socket_activation), bool, RESTART), .def = "false",
	  .help = "Start it with the first connection to a socket of listen, and again after each "
		  "successful end." },
	{ SUB("idle_timeout", POLICY(idle_timeout_ms), duration, LIVE), .def = "\"0s\"",
	  .max = 366 * DAY,
	  .help = "With socket_activation: stop it when it had no connection for so long; 0: never." },
	{ SUB("type", OWN(type), enum, RESTART), .def = "\"service\"",
	  .choices = &subsystem_type_text,
	  .help = "A service runs on; a oneshot does its work and ends." },
	{ SUB("autostart", OWN(autostart), bool, LIVE), .def = "true",
	  .help = "Start it together with procd." },
	{ SUB("critical", OWN(critical), bool, LIVE), .def = "false",
	  .help = "Its final failure shuts procd down with exit code 1." },
	{ SUB("depends_on", LINKS(depends_on), edges, LIVE), .def = "[]",
	  .help = "Subsystems that it needs, as NAME or NAME:CONDITION (started, ready, healthy, "
		  "completed, succeeded): it starts them, starts after them, stops before them." },
	{ SUB("binds_to", LINKS(binds_to), edges, LIVE), .def = "[]",
	  .help = "As depends_on; and whenever one of them is not (or no longer) what CONDITION says, "
		  "it is stopped, and started again once it is." },
	{ SUB("wants", LINKS(wants), edges, LIVE), .def = "[]",
	  .help = "Subsystems that are started together with it; it waits for none of them." },
	{ SUB("after", LINKS(after), edges, LIVE), .def = "[]",
	  .help = "Only order: it starts after these, where they are starting too, and stops before "
		  "them." },
	{ SUB("before", LINKS(before), edges, LIVE), .def = "[]",
	  .help = "Only order: these start after it, and stop before it." },
	{ SUB("on_failure", LINKS(on_failure), edges, LIVE), .def = "[]",
	  .help = "Subsystems that are started when it has failed for good: no restart follows. "
		  "Typically oneshots with autostart = false." },
	{ SUB("schedule", POLICY(schedule), schedule, LIVE),
	  .help = "When it runs, as a line of cron: minute, hour, day of the month, month, day of the "
		  "week; or @hourly, @daily and so on. \"TZ=ZONE \" may stand in front." },
	{ SUB("every", POLICY(every_ms), duration, LIVE), .min = 10, .max = 366 * DAY,
	  .help = "Period of its runs: the first one at once, then this long after the start of the "
		  "last one." },
	{ SUB("random_delay", POLICY(random_delay_ms), duration, LIVE), .def = "\"0s\"",
	  .max = 7 * DAY,
	  .help = "Each run of schedule or every begins at random up to this much later." },
	{ SUB("watch", POLICY(watch), strings, LIVE), .def = "[]",
	  .help = "Files: it is restarted when what is in one of them has changed." },
	{ SUB("restart", POLICY(restart), enum, LIVE), .def = "\"on-failure\"",
	  .def_oneshot = "\"never\"",
	  .choices = &restart_policy_text, .help = "When it is restarted after its end." },
	{ SUB("restart_delay", POLICY(restart_delay_ms), duration, LIVE), .def = "\"100ms\"",
	  .def_backoff = "\"1s\"", .max = DAY, .alias = { "initial_delay", UNIT_NATURAL },
	  .help = "Delay before the first restart; it doubles with each further one." },
	{ SUB("restart_max_delay", POLICY(restart_max_delay_ms), duration, LIVE), .def = "\"30s\"",
	  .def_backoff = "\"60s\"", .max = DAY, .alias = { "max_delay", UNIT_NATURAL },
	  .help = "Longest delay before a restart." },
	{ SUB("restart_max_attempts", POLICY(restart_max_attempts), int, LIVE), .def = "0",
	  .def_backoff = "5", .max = 1000000, .alias = { "max_attempts", UNIT_NATURAL },
	  .help = "Restarts without a stable run before it is given up; 0: no limit." },
	{ SUB("restart_reset_after", POLICY(restart_reset_after_ms), duration, LIVE),
	  .def = "\"60s\"",
	  .max = DAY, .help = "A run this long is stable: delays and attempts begin anew." },
	{ SUB("restart_jitter", POLICY(restart_jitter), float, LIVE), .def = "0.0", .max = 1,
	  .help = "Part of the delay, 0 to 1, that chance may add." },
	{ SUB("success_exit_codes", POLICY(success_exit_codes), ints, LIVE), .def = "[0]",
	  .max = 255,
	  .help = "Exit codes that count as success." },
	{ SUB("ready", POLICY(ready), probe, RESTART), .def = "\"exec\"",
	  .choices = &probe_kind_text,
	  .only = PROBES_ALL,
	  .help = "When it is ready: exec, as soon as its program was executed; notify, when it "
		  "sends READY=1 (sd_notify); fd:N, when it writes a newline to descriptor N; "
		  "log:REGEX, when a line of its output matches; tcp, unix, http and command, "
		  "when it answers well." },
	{ SUB("start_timeout", POLICY(start_timeout_ms), duration, LIVE), .def = "\"30s\"",
	  .max = DAY,
	  .help = "Not ready within this time is a failed start; 0: no limit." },
	{ SUB("min_uptime", POLICY(min_uptime_ms), duration, LIVE), .def = "\"0s\"", .max = DAY,
	  .help = "An end before this time is a failed start." },
	{ SUB("watchdog", POLICY(watchdog_ms), duration, RESTART), .min = 1, .max = DAY,
	  .help = "Once ready it must send WATCHDOG=1 (sd_notify) at least this often, else it is "
		  "ended by SIGABRT and has failed." },
	{ SUB("health", POLICY(health), probe, LIVE), .choices = &probe_kind_text,
	  .only = PROBES_HEALTH,
	  .help = "What it is asked again and again while it runs: a connection, an HTTP answer "
		  "(2xx, 3xx), or a command (exit code 0)." },
	{ SUB("health_interval", POLICY(health_interval_ms), duration, LIVE), .min = 10, .max = DAY,
	  .def_words = "monitoring.health_check_interval",
	  .help = "From one health probe to the next." },
	{ SUB("health_timeout", POLICY(health_timeout_ms), duration, LIVE), .def = "\"1s\"",
	  .min = 1,
	  .max = DAY, .help = "A health probe without an answer for so long has failed." },
	{ SUB("health_retries", POLICY(health_retries), int, LIVE), .def = "3", .min = 1,
	  .max = 1000000,
	  .help = "So many health probes in a row must fail until it is unhealthy." },
	{ SUB("health_start_period", POLICY(health_start_period_ms), duration, LIVE),
	  .def = "\"0s\"",
	  .max = DAY, .help = "From ready to the first health probe." },
	{ SUB("on_unhealthy", POLICY(on_unhealthy), enum, LIVE), .def = "\"restart\"",
	  .choices = &on_unhealthy_text,
	  .help = "What becomes of it when it is unhealthy: it is ended as a failure, which its "
		  "restart policy follows (restart), an event and no more, or it is stopped and "
		  "stays so." },
	{ SUB("stop_signal", POLICY(stop_signal), signal, LIVE), .def = "\"SIGTERM\"",
	  .help = "Signal that asks it to end; SIGCONT follows." },
	{ SUB("stop_timeout", POLICY(stop_timeout_ms), duration, LIVE), .max = 7 * DAY,
	  .def_words = "the deadlines of [shutdown]",
	  .help = "Time a stopping subsystem gets before its whole tree is sent SIGKILL." },
	{ SUB("kill_mode", POLICY(kill_mode), enum, RESTART), .def = "\"group\"",
	  .choices = &kill_mode_text,
	  .help = "Who is signalled: the whole tree (group), or the main process only." },
	{ SUB("stop_command", POLICY(stop_command), hook, LIVE),
	  .help = "Command that asks it to end, instead of stop_signal; that follows if the command "
		  "fails." },
	{ SUB("reload_command", POLICY(reload_command), hook, LIVE),
	  .help = "Command that makes it read its configuration again, for `procd reload NAME`." },
	{ SUB("reload_signal", POLICY(reload_signal), signal, LIVE), .def = "\"SIGHUP\"",
	  .help = "Signal that does so, without reload_command." },
	{ SUB("pre_start", POLICY(pre_start), hook, LIVE),
	  .help = "Command that has to succeed before each start." },
	{ SUB("post_stop", POLICY(post_stop), hook, LIVE),
	  .help = "Command that is run when it has ended, in whatever way, and nothing of it is "
		  "left; PROCD_EXIT_CODE and PROCD_EXIT_SIGNAL tell how." },
	{ SUB("hook_timeout", POLICY(hook_timeout_ms), duration, LIVE), .def = "\"30s\"", .min = 1,
	  .max = 7 * DAY,
	  .help = "Time for pre_start, post_stop and reload_command before their tree is killed." },
	{ SUB("on_supervisor_death", POLICY(on_supervisor_death), enum, RESTART), .def = "\"keep\"",
	  .choices = &keeper_death_text,
	  .help = "When all of procd was killed: keep it for the next procd to take over, or stop "
		  "it (the next one ends what is left of it)." },
	{ SUB("heap_profile", RIGHTS(heap_profile), path, RESTART),
	  NEEDS(HEAP_PROFILING, "--enable-heap-profiling"),
	  .help = "Run it under the heap profiler, which writes this file (DHAT, JSON) when its main "
		  "process ends." },
	{ SUB("user", RIGHTS(user), account, RESTART), .def_words = "procd's",
	  .help = "User to run as, by name or number; brings its groups." },
	{ SUB("group", RIGHTS(group), account, RESTART), .def_words = "the user's",
	  .help = "Primary group, by name or number." },
	{ SUB("supplementary_groups", RIGHTS(supplementary_groups), strings, RESTART), .def = "[]",
	  .help = "Further groups, by name or number." },
	{ SUB("umask", RIGHTS(umask), octal, RESTART), .max = 0777, .def_words = "procd's",
	  .help = "File mode creation mask." },
	{ SUB("working_dir", RIGHTS(working_dir), path, RESTART), .def_words = "work_dir",
	  .help = "Directory it starts in." },
	{ SUB("root_dir", RIGHTS(root_dir), path, RESTART), .def_words = "procd's",
	  .help = "Directory that it sees as /; command and working_dir are paths inside." },
	{ SUB("environment", OWN(environment), environment, RESTART), .def = "[]",
	  .help = "Variables: { NAME = \"value\" } or [\"NAME=value\"]." },
	{ SUB("env_file", RIGHTS(env_file), strings, RESTART), .def = "[]",
	  .help = "Files of NAME=VALUE lines, read at each start; a leading - says that the file need "
		  "not be there." },
	{ SUB("credentials", RIGHTS(credentials), credentials, RESTART), .def = "[]",
	  .help = "Secrets: NAME=PATH, read at each start; it finds them as files NAME in "
		  "$CREDENTIALS_DIRECTORY, which nobody else has." },
	{ SUB("clear_environment", RIGHTS(clear_environment), bool, RESTART), .def = "false",
	  .help = "Inherit nothing of procd's environment." },
	{ SUB("pass_environment", RIGHTS(pass_environment), strings, RESTART), .def = "[]",
	  .help = "Inherit only these variables of procd's environment; names may be patterns "
		  "(\"LC_*\"), also with clear_environment." },
	{ SUB("stdin", STREAMS(stdio[0]), stdio, RESTART), .def = "\"null\"",
	  .choices = &stdio_kind_text,
	  .only = 1U << STDIO_NULL | 1U << STDIO_INHERIT | 1U << STDIO_FILE,
	  .help = "Standard input." },
	{ SUB("stdout", STREAMS(stdio[1]), stdio, RESTART), .def = "\"log\"",
	  .choices = &stdio_kind_text,
	  .only = 1U << STDIO_NULL | 1U << STDIO_INHERIT | 1U << STDIO_LOG | 1U << STDIO_FILE |
		  1U << STDIO_SYSLOG | 1U << STDIO_JOURNAL,
	  .help = "Standard output; log, syslog, journal: captured line by line." },
	{ SUB("stderr", STREAMS(stdio[2]), stdio, RESTART), .def = "\"stdout\"",
	  .choices = &stdio_kind_text,
	  .help = "Standard error; stdout: the same as standard output, order kept." },
	{ SUB("log_file", OWN(log_file), path, LIVE), .def_words = "procd's own log",
	  .help = "File for its captured output." },
	{ SUB("log_max_file_size", POLICY(log_max_file_size), size, LIVE), .def = "\"100M\"",
	  .min = 1,
	  .max = 1024 * 1024 * MEBIBYTE, .help = "Size at which log_file is rotated." },
	{ SUB("log_max_files", POLICY(log_max_files), int, LIVE), .def = "5", .max = 1000,
	  .help = "Rotated files that are kept; 0 truncates instead of rotating." },
	{ SUB("log_format", POLICY(log_format), enum, LIVE), .def = "\"raw\"",
	  .choices = &log_format_text,
	  .help = "Lines of log_file: as they were written, with time and name, or as JSON." },
	{ SUB("log_rate_limit", POLICY(log_rate_limit), rate, LIVE), .max = 1000000,
	  .help = "Lines per second that reach the log, as \"1000/s\"; so many may come at once. What "
		  "is dropped is counted and said there." },
	LIMIT_ROW("as", RLIMIT_AS, "address space in bytes"),
	LIMIT_ROW("core", RLIMIT_CORE, "size of a core dump in bytes"),
	LIMIT_ROW("cpu", RLIMIT_CPU, "processor time in seconds"),
	LIMIT_ROW("data", RLIMIT_DATA, "data segment in bytes"),
	LIMIT_ROW("fsize", RLIMIT_FSIZE, "size of a file it writes, in bytes"),
	LIMIT_ROW("locks", RLIMIT_LOCKS, "number of file locks"),
	LIMIT_ROW("memlock", RLIMIT_MEMLOCK, "locked memory in bytes"),
	LIMIT_ROW("msgqueue", RLIMIT_MSGQUEUE, "POSIX message queues in bytes"),
	LIMIT_ROW("nice", RLIMIT_NICE, "ceiling of its priority (20 - nice)"),
	LIMIT_ROW("nofile", RLIMIT_NOFILE, "number of open files"),
	LIMIT_ROW("nproc", RLIMIT_NPROC, "processes of its user"),
	LIMIT_ROW("rss", RLIMIT_RSS, "resident set in bytes (without effect on Linux)"),
	LIMIT_ROW("rtprio", RLIMIT_RTPRIO, "ceiling of its real-time priority"),
	LIMIT_ROW("rttime", RLIMIT_RTTIME, "real-time processor time in microseconds"),
	LIMIT_ROW("sigpending", RLIMIT_SIGPENDING, "number of queued signals"),
	LIMIT_ROW("stack", RLIMIT_STACK, "stack in bytes"),
	{ SUB("nice", RIGHTS(nice), int, RESTART), .min = -20, .max = 19, .def_words = "0",
	  .help = "Scheduling priority." },
	{ SUB("oom_score_adjust", RIGHTS(oom_score_adjust), int, RESTART), .min = -1000,
	  .max = 1000,
	  .def_words = "procd's own at its start",
	  .help = "How gladly the kernel kills it when memory ends." },
	{ SUB("cpu_affinity", RIGHTS(cpu_affinity), cpus, RESTART),
	  .def_words = "procd's own at its start",
	  .help = "Processors that it may run on: \"0-1,3\" or an array." },
	{ SUB("sched_policy", RIGHTS(sched_policy), sched, RESTART),
	  .def_words = "procd's own at its start",
	  .help = "Scheduling policy: other, batch, idle, fifo:N or rr:N (N: 1 to 99)." },
	{ SUB("io_class", RIGHTS(io_class), io_class, RESTART), .def_words = "procd's",
	  .help = "Class of its disk traffic: idle, best-effort:N or realtime:N (N: 0, first, to "
		  "7)." },
	{ SUB("numa_node", RIGHTS(numa_node), int, RESTART), .min = 0, .max = 1023,
	  .help = "NUMA node whose memory it prefers, and whose processors it runs on unless "
		  "cpu_affinity names others." },
	{ SUB("memory_max", RIGHTS(memory_max), memory, RESTART), .min = 1,
	  .max = 1024 * 1024 * GIBIBYTE,
	  .help = "Memory that its whole tree can have; at more the kernel kills (cgroup version 2)." },
	{ SUB("memory_high", RIGHTS(memory_high), memory, RESTART), .min = 1,
	  .max = 1024 * 1024 * GIBIBYTE,
	  .help = "Memory above which its tree is slowed down and made to give some back." },
	{ SUB("memory_soft_limit", POLICY(memory_soft_limit), memory, LIVE), .min = 1,
	  .max = 1024 * 1024 * GIBIBYTE,
	  .help = "Resident memory of its tree above which procd tells it (resource_alert), once until "
		  "it has been below 90 % of that." },
	{ SUB("on_memory_limit", POLICY(on_memory_limit), enum, LIVE), .def = "\"event\"",
	  .choices = &on_memory_limit_text,
	  .help = "What becomes of it then: nothing but the event, or a restart." },
	{ SUB("cpu_quota", RIGHTS(cpu_quota), percent, RESTART), .max = 819200,
	  .help = "Processor time of its tree, of one processor: \"50%\", \"250%\"." },
	{ SUB("cpu_weight", RIGHTS(cpu_weight), int, RESTART), .min = 1, .max = 10000,
	  .def_words = "100",
	  .help = "Its part of processor time when there is not enough for all." },
	{ SUB("tasks_max", RIGHTS(tasks_max), int, RESTART), .min = 1, .max = 4194304,
	  .help = "Processes and threads of its tree." },
	{ SUB("io_weight", RIGHTS(io_weight), int, RESTART), .min = 1, .max = 10000,
	  .def_words = "100",
	  .help = "Its part of disk traffic when there is not enough for all." },
	{ SUB("capabilities", RIGHTS(capabilities), capabilities, RESTART),
	  .def_words = "all that procd has",
	  .help = "Capabilities that it, and whatever it executes, can have at most: \"CAP_...\" names; "
		  "[] is none." },
	{ SUB("ambient_capabilities", RIGHTS(ambient_capabilities), capabilities, RESTART),
	  .def_words = "procd's; none for another user",
	  .help = "Capabilities that it has, whoever its user is." },
	{ SUB("no_new_privileges", RIGHTS(no_new_privileges), bool, RESTART), .def = "false",
	  .help = "It gains no rights by executing set-user-ID programs and the like." },
	{ SUB("private_tmp", RIGHTS(private_tmp), bool, RESTART), .def = "false",
	  .help = "/tmp and /var/tmp of its own, in memory, empty at each start." },
	{ SUB("protect_system", RIGHTS(protect_system), protect, RESTART), .def = "false",
	  .choices = &protect_system_text,
	  .help = "Read-only for it: true: /usr and /boot; \"full\": /etc, too; \"strict\": all but "
		  "/dev, /proc, /sys and a private /tmp." },
	{ SUB("landlock_read", RIGHTS(landlock_read), strings, RESTART), .def = "[]",
	  .help = "With it or landlock_write, it can reach only files beneath paths of the two lists; "
		  "these it can read and execute." },
	{ SUB("landlock_write", RIGHTS(landlock_write), strings, RESTART), .def = "[]",
	  .help = "Paths beneath which it can also write, make and remove files; either list implies "
		  "no_new_privileges." },
	{ SUB("seccomp", RIGHTS(seccomp), enum, RESTART), .def = "\"none\"",
	  .choices = &seccomp_profile_text, .only = SECCOMP_PROFILES,
	  .help = "System calls that it may not make; all but none imply no_new_privileges." },
};

const size_t schema_n = ARRAY_LEN(schema);
const size_t schema_top_n = 51;
