/* The command line: `procd [OPTIONS] [VERB] [OPTIONS] [ARGUMENT...]`.
 *
 * One parser for all verbs, `run` included, driven by the verb table (control/verb.h): common
 * options stand before or after the verb, a verb's own options after it, `--` ends them. */
#ifndef COMMAND_CLI_H
#define COMMAND_CLI_H

#include "base/error.h"
#include "base/json.h"
#include "base/strlist.h"
#include "control/verb.h"

struct cli_options {
	const struct verb *verb;	/* never NULL after a good parse; the default is `run` */
	/* common options */
	const char *socket;		/* -s */
	const char *config;		/* -c */
	const char *name;		/* --name; for `run` it became a --set already */
	struct strlist sets;		/* --set SECTION.KEY=VALUE, owned */
	bool json, quiet, no_wait;
	int64_t timeout_ms;		/* -1: not given */
	/* the verb's own options, by their place in verb->options; NULL: not given, "" for a
	 * flag */
	const char *values[VERB_OPTIONS_MAX];
	/* what is left; for `run` the command behind "--" (none: n = 0) */
	struct strlist args;
};
#define CLI_OPTIONS_INIT { .timeout_ms = -1 }
void cli_options_fini(struct cli_options *o);

/* Parse. CLI_GO_ON: carry the verb out. Otherwise the exit code to leave with: help, version or the
 * usage error was already printed. O refers to ARGV's strings. */
#define CLI_GO_ON (-1)
int cli_parse(struct cli_options *o, int argc, char *const *argv);
/* The option with LETTER, or (NAME not NULL) called NAME[0..LEN), among VERB's own (VERB may be
 * NULL), and among the common ones. NULL: there is none. */
const struct verb_option *cli_own_option(const struct verb *verb, char letter, const char *name,
					 size_t len);
const struct verb_option *cli_common_option(char letter, const char *name, size_t len);
/* The value of the verb's own option --NAME: NULL not given, "" for a flag. */
const char *cli_value(const struct cli_options *o, const char *name);

/* The whole command line: cli_parse(), then run_keeper(ARGC, ARGV) for the verb `run`, which parses
 * again in its own role, or what carries out the verb. Returns the exit code. */
int cli_main(int argc, char **argv);

/* Help of one verb, or (NULL) the overview; and the version line. Both as cli_print(). */
int cli_usage(const struct verb *verb);
int cli_version(void);

/* Tell a failure: text "procd: MESSAGE" on stderr, or with --json {"error":{...}} on stdout.
 * Returns EXIT_CODE. EXTRA: more members of data, borrowed, may be NULL. */
int cli_fail(const struct cli_options *o, int exit_code, int rpc_code, const struct error *e,
	     json_t *extra);
/* A usage error (64) with a pointer to the verb's help. */
int cli_fail_usage(const struct cli_options *o, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Print a result as JSON on one line, taking it. Returns 0, or EXIT_OS when stdout fails. */
int cli_print_json(json_t *j);

#endif
