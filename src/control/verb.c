/* The table of verbs and methods. To add a verb: a row here, its number in verb.h, its client
 * half in the array of command/cli.c. Help, parser, permission and protocol follow by
 * themselves. */
#include "control/verb.h"

#include "base/text.h"
#include "config.h"
#include "control/methods.h"

#define NAMES_HELP								\
	"NAME is a subsystem (with all its instances), one instance NAME@0, a glob such\n"	\
	"as 'web*', a group '@GROUP', or 'all'.\n"
#define WAITS_HELP								\
	"Exit 1 when one of them failed, 4 for an unknown NAME, 124 when --timeout ran\n"	\
	"out (the action goes on). With --no-wait: returns when the order is accepted.\n"

/* The room that reads them stands beside this one, and does not know the table. */
#define IMPORT_FORMATS "supervisord, systemd, procfile, pm2, process-compose, compose, runit, s6 or dinit"

const struct verb verb_table[VERB_COUNT] = {
	[VERB_RUN] = {
		.name = "run", .arguments = "[-- COMMAND [ARG...]]", .max_args = -1,
		.summary = "supervise in the foreground (the default verb)",
		.details = "Reads ./daemon.toml without -c. With a COMMAND: supervises just that,\n"
			"without any config file, and exits as it does.\n",
		.options = { { 0, "restart", "POLICY",
			"for COMMAND: never (default), always, on-failure, exponential-backoff" } },
		.flags = VERB_LOCAL | VERB_SETS,
	},
	/* "brief" is for procd's own table: the members that it shows, without those that say
	 * nothing. What that is may change; others ask for whole records. */
	[VERB_STATUS] = {
		.name = "status", .method = "status.get", .access = ACCESS_READ,
		.params = "names brief", .arguments = "[NAME...]", .max_args = -1,
		.serve = method_status,
		.summary = "show the state of subsystems",
		.details = NAMES_HELP
			"Exit 0 when the query worked, whatever the states; 4: unknown NAME.\n",
	},
	[VERB_START] = {
		.name = "start", .method = "subsystem.start", .access = ACCESS_OPERATE,
		.params = "names no_wait", .arguments = "NAME...", .min_args = 1, .max_args = -1,
		.serve = method_start, .summary = "start, and wait until ready",
		.details = NAMES_HELP WAITS_HELP,
	},
	[VERB_STOP] = {
		.name = "stop", .method = "subsystem.stop", .access = ACCESS_OPERATE,
		.params = "names no_wait", .arguments = "NAME...", .min_args = 1, .max_args = -1,
		.serve = method_stop,
		.summary = "stop, and wait until the whole tree is gone",
		.details = NAMES_HELP WAITS_HELP,
	},
	[VERB_RESTART] = {
		.name = "restart", .method = "subsystem.restart", .access = ACCESS_OPERATE,
		.params = "names no_wait rolling overlap", .arguments = "NAME...", .min_args = 1,
		.max_args = -1, .serve = method_restart,
		.summary = "stop and start, and wait until ready again",
		.details = NAMES_HELP WAITS_HELP,
		.options = { { 0, "rolling", NULL,
			"one after the other: the next when the one before is ready again" },
			{ 0, "overlap", NULL,
			"likewise; each old process is stopped when its successor is ready" } },
	},
	[VERB_SIGNAL] = {
		.name = "signal", .method = "subsystem.signal", .access = ACCESS_OPERATE,
		.params = "names signal", .arguments = "NAME SIGNAL", .min_args = 2, .max_args = 2,
		.serve = method_signal, .summary = "send a signal to the main process",
		.details = NAMES_HELP
			"SIGNAL: SIGHUP, HUP, 1, SIGRTMIN+2 ... Exit 1 when it does not run.\n",
	},
	[VERB_RELOAD] = {
		.name = "reload", .method = "subsystem.reload", .access = ACCESS_OPERATE,
		.params = "names no_wait", .arguments = "NAME...", .min_args = 0, .max_args = -1,
		.serve = method_reload,
		.summary = "make a subsystem read its own configuration",
		.details = NAMES_HELP
			"Waits for its reload_command, or sends its reload_signal (SIGHUP). Exit 1 when\n"
			"it does not run or the command fails. For procd's own config: reload-config.\n",
	},
	[VERB_SCALE] = {
		.name = "scale", .method = "subsystem.scale", .access = ACCESS_OPERATE,
		.params = "names instances no_wait", .arguments = "NAME N", .min_args = 2,
		.max_args = 2, .serve = method_scale,
		.summary = "have N instances, and wait until they are ready",
		.details = "NAME is a subsystem that declares instances, a glob, a group or 'all'. Those\n"
			"with the highest numbers go first; nobody else is touched. It counts until the\n"
			"file declares another number, or procd ends.\n" WAITS_HELP,
	},
	[VERB_LOGS] = {
		.name = "logs", .method = "logs.follow", .access = ACCESS_READ,
		.params = "names lines follow at more", .arguments = "[NAME...]", .max_args = -1,
		.serve = method_logs_follow, .summary = "show captured output",
		.details = NAMES_HELP
			"The last 64 KiB of each are at hand. Several names: lines begin with\n"
			"'NAME | '.\n",
		.options = {
			{ 'f', "follow", NULL, "go on with what is printed from now on" },
			{ 'n', "lines", "N", "only the last N lines of each" },
		},
	},
	[VERB_EVENTS] = {
		.name = "events", .method = "events.get", .access = ACCESS_READ,
		.params = "since last count", .arguments = "", .serve = method_events_get,
		.summary = "show events as JSON lines",
		.details = "Without options: those that are still kept. --poll: at most one,\n"
			"exit 1 when there is none (with --timeout it waits that long for one).\n",
		.options = {
			{ 'f', "follow", NULL, "go on with new ones" },
			{ 0, "since", "SEQ", "those with a greater number than SEQ" },
			{ 0, "last", "N", "the last N" },
			{ 0, "count", "N", "end after N events, waiting for them" },
			{ 0, "poll", NULL, "the oldest after --after, or none" },
			{ 0, "after", "SEQ", "for --poll; default: now" },
		},
	},
	[VERB_WAIT] = {
		.name = "wait", .method = "status.get", .access = ACCESS_READ,
		.arguments = "NAME...", .min_args = 1, .max_args = -1,
		.summary = "wait for a state",
		.details = NAMES_HELP
			"Without --for: ready. Exit 124 when --timeout runs out first.\n",
		.options = { { 0, "for", "STATE",
			"stopped starting running stopping failed restarting ready healthy" } },
	},
	[VERB_IS_ACTIVE] = {
		.name = "is-active", .method = "status.get", .access = ACCESS_READ,
		.arguments = "NAME...", .min_args = 1, .max_args = -1,
		.summary = "exit 0 when it is running, else 3", .details = NAMES_HELP,
	},
	[VERB_IS_READY] = {
		.name = "is-ready", .method = "status.get", .access = ACCESS_READ,
		.arguments = "NAME...", .min_args = 1, .max_args = -1,
		.summary = "exit 0 when it is running and ready, else 3", .details = NAMES_HELP,
	},
	[VERB_IS_FAILED] = {
		.name = "is-failed", .method = "status.get", .access = ACCESS_READ,
		.arguments = "NAME...", .min_args = 1, .max_args = -1,
		.summary = "exit 0 when it has failed, else 3", .details = NAMES_HELP,
	},
	[VERB_WHY] = {
		.name = "why", .method = "subsystem.why", .access = ACCESS_READ, .params = "names",
		.arguments = "NAME...", .min_args = 1, .max_args = -1, .serve = method_why,
		.summary = "explain why it is in its state", .details = NAMES_HELP,
	},
	[VERB_GRAPH] = {
		.name = "graph", .method = "graph.get", .access = ACCESS_READ, .params = "",
		.arguments = "", .serve = method_graph,
		.summary = "show who depends on whom",
		.details = "--json is --format json: {nodes, edges: [{from, to, kind, condition}]}.\n",
		.options = { { 0, "format", "dot|mermaid|json", "the language (dot)" } },
	},
#if WITH_CONSOLE
	[VERB_TOP] = {
		.name = "top", .method = "status.get", .access = ACCESS_READ, .arguments = "",
		.summary = "watch and steer all of them in a live table",
		.details = "Needs a terminal. Keys: h lists them, q ends. Sorts by CPU, memory, restarts,\n"
			"state or name; starts, stops and restarts (who may only look is told so);\n"
			"shows output, events and the reasons for a state.\n",
	},
#endif
	[VERB_PROFILE] = {
		.name = "profile", .method = "profile.start", .access = ACCESS_OPERATE,
		.params = "kind names hz begin keep output", .arguments = "cpu|heap [NAME...]",
		.min_args = 1, .max_args = -1, .serve = method_profile_start,
		.summary = "see where processor time or memory goes",
		.details = NAMES_HELP
			"cpu samples every thread of the whole tree and of what it makes meanwhile; Ctrl-C\n"
			"ends it early. Without NAME: procd itself. The file is for `go tool pprof`. Exit 1\n"
			"when nothing of it runs or the kernel does not allow it, 4 for an unknown NAME.\n"
			"\n"
			"heap NAME: what is in use now, of a subsystem with heap_profile; for dh_view.html.\n"
			"heap: of procd itself, what it allocates meanwhile; heap start and heap stop: between\n"
			"the two.\n",
		.options = {
			{ 0, "seconds", "S", "how long (10)" },
			{ 0, "hz", "H", "samples per second of processor time ([profiling] cpu_hz)" },
			{ 'o', "output", "FILE", "where to write it ([profiling] cpu_output, heap_output)" },
		},
	},
	[VERB_METRICS] = {
		.name = "metrics", .method = "metrics.get", .access = ACCESS_READ,
		.params = "format", .arguments = "", .serve = method_metrics,
		.summary = "show counters, histograms and what subsystems use",
		.details = "OpenMetrics text, for a scraper; --json is --format json. prometheus is the older\n"
			"text format 0.0.4, which promtool check metrics reads.\n",
		.options = { { 0, "format", "openmetrics|prometheus|json", "the format (openmetrics)" } },
		.flags = VERB_WEB,
	},
	[VERB_PLAN] = {
		.name = "plan", .method = "config.plan", .access = ACCESS_READ, .params = "",
		.arguments = "", .serve = method_plan,
		.summary = "show what reload-config would change",
		.options = { { 0, "keys", NULL, "with --json: name each key, too" } },
	},
	[VERB_RELOAD_CONFIG] = {
		.name = "reload-config", .method = "config.reload", .access = ACCESS_ADMIN,
		.params = "allow_empty", .arguments = "", .serve = method_reload_config,
		.summary = "read the config again and apply the difference",
		.details = "A file with errors changes nothing: its errors are printed, exit 78.\n",
		.options = { { 0, "allow-empty", NULL, "accept a config without any subsystem" } },
	},
	[VERB_RESET_FAILED] = {
		.name = "reset-failed", .method = "subsystem.reset", .access = ACCESS_OPERATE,
		.params = "names", .arguments = "[NAME...]", .max_args = -1, .serve = method_reset,
		.summary = "forget failures: restart attempts begin anew",
		.details = NAMES_HELP "Without NAME: all.\n",
	},
	[VERB_LOG_LEVEL] = {
		.name = "log-level", .method = "daemon.log_level", .access = ACCESS_ADMIN,
		.params = "level", .arguments = "LEVEL", .min_args = 1, .max_args = 1,
		.serve = method_log_level, .summary = "change the level of procd's own log",
		.details = "LEVEL: trace debug info warn error. Until the next change or reload.\n",
	},
	[VERB_REOPEN_LOGS] = {
		.name = "reopen-logs", .method = "daemon.reopen_logs", .access = ACCESS_ADMIN,
		.params = "", .arguments = "", .serve = method_reopen_logs,
		.summary = "open log files anew, after an external rotation",
	},
	[VERB_SHUTDOWN] = {
		.name = "shutdown", .method = "daemon.shutdown", .access = ACCESS_ADMIN,
		.params = "mode no_wait", .arguments = "", .serve = method_shutdown,
		.summary = "end everything in order, and wait for that",
		.options = {
			{ 0, "force", NULL, "begin with the force phase" },
			{ 0, "kill", NULL, "SIGKILL everything at once" },
		},
	},
	[VERB_UPGRADE] = {
		.name = "upgrade", .method = "daemon.upgrade", .access = ACCESS_ADMIN,
		.params = "binary keeper handover", .arguments = "[BINARY]", .max_args = 1,
		.serve = method_upgrade,
		.summary = "another executable, without touching a child",
		.details = "Without BINARY: the file that the running one was started from. The new one\n"
			"first checks the running state; when it is not ready within 10 s, or crashes,\n"
			"the old one comes back. Exit 0: the new one serves; 1: the old one goes on.\n",
		.options = { { 0, "keeper", NULL, "the keeper, too (it executes BINARY in place)" } },
	},
	[VERB_CHECK] = {
		.name = "check", .arguments = "",
		.summary = "validate the config file",
		.details = "Prints every error as FILE:LINE:COL: message, exit 78; else \"ok\".\n",
		.flags = VERB_LOCAL | VERB_SETS,
	},
	[VERB_CONFIG] = {
		.name = "config", .arguments = "",
		.summary = "show the effective config",
		.details = "As a valid daemon.toml; with --json each value with origin and line.\n",
		.flags = VERB_LOCAL | VERB_SETS,
	},
	[VERB_IMPORT] = {
		.name = "import", .arguments = "FILE|DIR", .min_args = 1, .max_args = 1,
		.summary = "make a daemon.toml of another format",
		.details = "Reads what another supervisor is configured by and prints what procd makes of it.\n"
			"What has no counterpart is in comments, with the reason. Nothing is written when\n"
			"something is wrong: the message names file and line, exit 78.\n",
		.options = {
			{ 0, "from", "FORMAT", IMPORT_FORMATS " (default: found out)" },
			{ 'o', "output", "FILE", "write it there, whole or not at all" },
			{ 0, "force", NULL, "also where that file is there already" },
		},
		.flags = VERB_LOCAL,
	},
	[VERB_SIMULATE] = {
		.name = "simulate", .arguments = "",
		.summary = "try what the config does, without running it",
		.details = "Runs nothing and does not wait: the clock and the programs are made up. They\n"
			"are ready at once, or, with a probe, after 1 s; oneshots end well after 1 s.\n"
			"SCENARIO is what goes wrong:\n"
			"  start                   nothing (default)\n"
			"  crash NAME              it dies once, 1 s after all is up\n"
			"  crash NAME every TIME   each of its processes dies that long after its start\n"
			"  flap NAME               each of its processes dies as soon as it is ready\n"
			"  dependency NAME fails   it cannot be started\n"
			"Exit 0: whatever is to be up got up, and nothing stays down; 1: not so; 4: no\n"
			"such NAME; 78: errors in the config.\n",
		.options = {
			{ 0, "scenario", "SCENARIO", "what goes wrong" },
			{ 0, "takes", "NAME=TIME,...", "until it is ready, or a oneshot ends" },
			{ 0, "for", "TIME", "how long to look on (10m)" },
		},
		.flags = VERB_LOCAL | VERB_SETS,
	},
	[VERB_DOCTOR] = {
		.name = "doctor", .arguments = "",
		.summary = "say what this machine lacks, and what helps",
		.details = "Looks at kernel, mounts, rights and limits from where it is called, beside what\n"
			"the config file (if there is one) asks for: ask as the user, and in the unit or\n"
			"container, that procd is to run in. Exit 0: nothing is broken; 1: something that\n"
			"the config asks for will not work; 78: errors in the config.\n",
		.flags = VERB_LOCAL | VERB_SETS,
	},
	[VERB_FEATURES] = {
		.name = "features", .method = "daemon.features", .access = ACCESS_READ,
		.params = "", .arguments = "", .serve = method_features,
		.summary = "show what this build and this kernel offer",
		.flags = VERB_LOCAL | VERB_WEB,
	},

#if WITH_HTTP
	[VERB_HTTP] = {
		.name = "http", .arguments = "",
		.summary = "serve metrics over HTTP (started by procd)",
		.details = "The role that [http] asks for; it is of no use when started by hand.\n",
		.options = {
			{ 0, "owner", "UID", "whose procd it belongs to" },
			{ 0, "token", NULL, "standard input is the file with the bearer token" },
		},
		.flags = VERB_LOCAL | VERB_HIDDEN,
	},
#endif

	[VERB_SCHEMA] = {
		.name = "schema", .arguments = "", .summary = "print the JSON Schema of the config",
		.flags = VERB_LOCAL | VERB_HIDDEN,
	},
	[VERB_SAMPLE] = {
		.name = "sample", .arguments = "", .summary = "print a daemon.toml with every key",
		.flags = VERB_LOCAL | VERB_HIDDEN,
	},
	[VERB_MDOC_KEYS] = {
		.name = "mdoc-keys", .arguments = "", .summary = "print the manual's key tables",
		.flags = VERB_LOCAL | VERB_HIDDEN,
	},
	[VERB_COMPLETE] = {
		.name = "complete", .arguments = "[-- WORD...]", .max_args = -1,
		.summary = "print what a word of the command line can become",
		.details = "WORDs: those before it, as typed. Lines of a word, a tab and its meaning;\n"
			"':files PREFIX' and ':commands' leave it to the shell.\n",
		.options = { { 0, "word", "TEXT", "the beginning that was typed" } },
		.flags = VERB_LOCAL | VERB_HIDDEN,
	},

	[METHOD_EVENTS_SUBSCRIBE] = {
		.method = "events.subscribe", .access = ACCESS_READ, .params = "since last",
		.serve = method_events_subscribe,
		.summary = "events as notifications, from now or after SINCE, or with the LAST n",
	},
	[METHOD_LOGS_GET] = {
		.method = "logs.get", .access = ACCESS_READ, .params = "names lines",
		.serve = method_logs_get, .summary = "captured output in one answer",
	},
	/* The effective configuration holds the environment of children, which may hold secrets:
	 * not for those who may only look. */
	[METHOD_CONFIG_GET] = {
		.method = "config.get", .access = ACCESS_ADMIN, .params = "",
		.serve = method_config_get, .summary = "the running configuration with origins",
	},
	[METHOD_PROFILE_STOP] = {
		.method = "profile.stop", .access = ACCESS_OPERATE, .params = "kind",
		.serve = method_profile_stop, .summary = "tell who takes CPU profiles to finish",
	},
};

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (verb_table[i].name && strcmp(verb_table[i].name, name) == 0)
			return &verb_table[i];
	return NULL;
}

const struct verb *verb_find_method(const char *method)
{
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (verb_table[i].serve && strcmp(verb_table[i].method, method) == 0)
			return &verb_table[i];
	return NULL;
}

const char *verb_nearest(const char *name)
{
	const char *names[VERB_COUNT];
	size_t n = 0;

	for (size_t i = 0; i < VERB_COUNT; i++)
		if (verb_table[i].name && !(verb_table[i].flags & VERB_HIDDEN))
			names[n++] = verb_table[i].name;
	return text_nearest(name, names, n);
}
