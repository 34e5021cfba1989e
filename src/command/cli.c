/* The parser and the dispatch of the command line: loops over the verb table. The client half of
 * each verb hangs in one array, because the table itself lives below, in the control room. */
#include "command/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/units.h"
#include "command/run.h"
#include "command/verbs.h"
#include "config.h"

static int (*const handlers[VERB_COUNT])(const struct cli_options *o) = {
	[VERB_STATUS] = verb_status,
	[VERB_START] = verb_act,
	[VERB_STOP] = verb_act,
	[VERB_RESTART] = verb_act,
	[VERB_SIGNAL] = verb_signal,
	[VERB_RELOAD] = verb_reload,
	[VERB_SCALE] = verb_scale,
	[VERB_LOGS] = verb_logs,
	[VERB_EVENTS] = verb_events,
	[VERB_WAIT] = verb_wait,
	[VERB_IS_ACTIVE] = verb_is,
	[VERB_IS_READY] = verb_is,
	[VERB_IS_FAILED] = verb_is,
	[VERB_WHY] = verb_why,
	[VERB_GRAPH] = verb_graph,
#if WITH_CONSOLE
	[VERB_TOP] = verb_top,
#endif
	[VERB_PROFILE] = verb_profile,
	[VERB_METRICS] = verb_metrics,
	[VERB_PLAN] = verb_plan,
	[VERB_RELOAD_CONFIG] = verb_reload_config,
	[VERB_RESET_FAILED] = verb_act,
	[VERB_LOG_LEVEL] = verb_log_level,
	[VERB_REOPEN_LOGS] = verb_reopen_logs,
	[VERB_SHUTDOWN] = verb_shutdown,
	[VERB_UPGRADE] = verb_upgrade,
	[VERB_CHECK] = verb_check,
	[VERB_CONFIG] = verb_config,
	[VERB_IMPORT] = verb_import,
	[VERB_SIMULATE] = verb_simulate,
	[VERB_DOCTOR] = verb_doctor,
	[VERB_FEATURES] = verb_features,
#if WITH_HTTP
	[VERB_HTTP] = verb_http,
#endif
	[VERB_SCHEMA] = verb_schema,
	[VERB_SAMPLE] = verb_sample,
	[VERB_MDOC_KEYS] = verb_mdoc_keys,
	[VERB_COMPLETE] = verb_complete,
};

/* --- failures --------------------------------------------------------------------------------- */

int cli_print_json(json_t *j)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	json_dump(j, &text);
	json_decref(j);
	strbuf_addch(&text, '\n');
	return cli_print(text.buf, text.len);
}

int cli_print(const char *text, size_t n)
{
	int rc = fd_write_all(STDOUT_FILENO, text, n);

	if (rc == 0)
		return EXIT_OK;
	if (rc != -EPIPE)	/* whoever closed the pipe knows */
		fprintf(stderr, "procd: cannot write to standard output: %s\n", strerror(-rc));
	return EXIT_OS;
}

int cli_fail(const struct cli_options *o, int exit_code, int rpc_code, const struct error *e,
	     json_t *extra)
{
	auto_free(strbuf_fini) struct strbuf safe = STRBUF_INIT;

	if (o->json) {
		json_t *object = json_error_object(rpc_code, e);

		if (extra)
			json_object_update(json_object_get(object, "data"), extra);
		cli_print_json(json_pack("{s:o}", "error", object));
		return exit_code;
	}
	terminal_escape(e->message, strlen(e->message), &safe);
	fprintf(stderr, "procd: %s\n", safe.buf);
	return exit_code;
}

int cli_fail_usage(const struct cli_options *o, const char *fmt, ...)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	const char *verb = o->verb && o->verb != &verb_table[VERB_RUN] ? o->verb->name : NULL;
	struct error e = ERROR_INIT;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	error_set(&e, ERROR_STATE_VALUE, 0, "%s", text.buf);
	cli_fail(o, EXIT_USAGE, RPC_INVALID_PARAMS, &e, NULL);
	if (!o->json)
		fprintf(stderr, "Try 'procd %s%s--help'.\n", verb ? verb : "", verb ? " " : "");
	error_fini(&e);
	return EXIT_USAGE;
}

/* --- parsing ---------------------------------------------------------------------------------- */

enum common_id {
	COMMON_SOCKET, COMMON_CONFIG, COMMON_NAME, COMMON_SET, COMMON_JSON, COMMON_QUIET,
	COMMON_TIMEOUT, COMMON_NO_WAIT, COMMON_HELP, COMMON_VERSION, COMMON_COUNT
};

const struct verb_option common_options[COMMON_COUNT + 1] = {
	[COMMON_SOCKET] = { 's', "socket", "SOCKET", "the control socket of a running procd" },
	[COMMON_CONFIG] = { 'c', "config", "FILE", "the config file (of the running procd, too)" },
	[COMMON_NAME] = { 0, "name", "NAME", "the running procd with this name" },
	[COMMON_SET] = { 0, "set", "SECTION.KEY=VALUE", "override one key (run, check, config, simulate, doctor)" },
	[COMMON_JSON] = { 0, "json", NULL, "print JSON" },
	[COMMON_QUIET] = { 'q', "quiet", NULL, "print nothing but errors" },
	[COMMON_TIMEOUT] = { 0, "timeout", "DURATION", "stop waiting then: exit 124" },
	[COMMON_NO_WAIT] = { 0, "no-wait", NULL, "return as soon as the order is accepted" },
	[COMMON_HELP] = { 'h', "help", NULL, "this help, or that of the verb" },
	[COMMON_VERSION] = { 'V', "version", NULL, "the version" },
};

struct parser {
	struct cli_options *o;
	int argc;
	char *const *argv;
	int at;
	bool help, version;
	int failed;		/* exit code, or CLI_GO_ON */
};

static bool option_is(const struct verb_option *option, char letter, const char *name, size_t len)
{
	return name ? strlen(option->name) == len && memcmp(option->name, name, len) == 0 :
	       option->letter == letter;
}

const struct verb_option *cli_own_option(const struct verb *verb, char letter, const char *name,
					 size_t len)
{
	for (int i = 0; verb && i < VERB_OPTIONS_MAX && verb->options[i].name; i++)
		if (option_is(&verb->options[i], letter, name, len))
			return &verb->options[i];
	return NULL;
}

const struct verb_option *cli_common_option(char letter, const char *name, size_t len)
{
	for (const struct verb_option *option = common_options; option->name; option++)
		if (option_is(option, letter, name, len))
			return option;
	return NULL;
}

static int set_common(struct parser *p, enum common_id id, const char *value)
{
	struct cli_options *o = p->o;

	switch (id) {
	case COMMON_SOCKET:
		o->socket = value;
		break;
	case COMMON_CONFIG:
		o->config = value;
		break;
	case COMMON_NAME:
		o->name = value;
		break;
	case COMMON_SET:
		strlist_add(&o->sets, value);
		break;
	case COMMON_JSON:
		o->json = true;
		break;
	case COMMON_QUIET:
		o->quiet = true;
		break;
	case COMMON_TIMEOUT:
		if (duration_parse(value, &o->timeout_ms) < 0)
			return cli_fail_usage(o, "--timeout: \"%s\" is not a duration (10s, 1m30s, "
					      "250ms)", value);
		break;
	case COMMON_NO_WAIT:
		o->no_wait = true;
		break;
	case COMMON_HELP:
		p->help = true;
		break;
	case COMMON_VERSION:
		p->version = true;
		break;
	case COMMON_COUNT:
		break;
	}
	return CLI_GO_ON;
}

static int unknown_option(struct parser *p, const char *text)
{
	const char *names[VERB_OPTIONS_MAX + COMMON_COUNT];
	const char *near;
	size_t n = 0;

	for (int i = 0; p->o->verb && i < VERB_OPTIONS_MAX && p->o->verb->options[i].name; i++)
		names[n++] = p->o->verb->options[i].name;
	for (int i = 0; i < COMMON_COUNT; i++)
		names[n++] = common_options[i].name;
	near = text_nearest(text + strspn(text, "-"), names, n);
	return cli_fail_usage(p->o, "unknown option \"%s\"%s%s%s", text,
			      near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
}

/* One option: LETTER, or NAME[0..LEN). INLINE_VALUE: what came glued to it, or NULL. *USED tells
 * whether that was consumed. */
static int parse_one(struct parser *p, char letter, const char *name, size_t len,
		     const char *glued, bool *used)
{
	const struct verb_option *own = cli_own_option(p->o->verb, letter, name, len);
	const struct verb_option *option = own ? own : cli_common_option(letter, name, len);
	const char *value = "";

	if (!option)
		return unknown_option(p, p->argv[p->at]);
	*used = option->argument != NULL && glued != NULL;
	if (option->argument) {
		value = glued ? glued : p->at + 1 < p->argc ? p->argv[++p->at] : NULL;
		if (!value)
			return cli_fail_usage(p->o, "option \"--%s\" needs a value (%s)",
					      option->name, option->argument);
	}
	if (own) {
		p->o->values[own - p->o->verb->options] = value;
		return CLI_GO_ON;
	}
	return set_common(p, (enum common_id)(option - common_options), value);
}

static int parse_long(struct parser *p, const char *name)
{
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	int at = p->at, rc;
	bool used;

	rc = parse_one(p, 0, name, len, equals ? equals + 1 : NULL, &used);
	if (rc == CLI_GO_ON && equals && !used)
		return cli_fail_usage(p->o, "option \"%.*s\" takes no value", (int)(len + 2),
				      p->argv[at]);
	return rc;
}

/* "-f", "-fq", "-n5", "-fn 5" */
static int parse_letters(struct parser *p, const char *letters)
{
	for (; *letters; letters++) {
		bool used = false;
		int rc = parse_one(p, *letters, NULL, 0, letters[1] ? letters + 1 : NULL, &used);

		if (rc != CLI_GO_ON || used)
			return rc;
	}
	return CLI_GO_ON;
}

static int parse_word(struct parser *p, const char *word)
{
	struct cli_options *o = p->o;
	const char *near;

	if (o->verb) {
		strlist_add(&o->args, word);
		return CLI_GO_ON;
	}
	o->verb = verb_find(word);
	if (o->verb)
		return CLI_GO_ON;
	near = verb_nearest(word);
	return cli_fail_usage(o, "unknown verb \"%s\"%s%s%s", word, near ? "; did you mean \"" : "",
			      near ? near : "", near ? "\"?" : "");
}

/* --json may stand behind the mistake that has to be told as JSON. */
static void look_ahead(struct cli_options *o, int argc, char *const *argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			o->json = true;
}

static int parse_all(struct parser *p)
{
	int rc = CLI_GO_ON;

	for (p->at = 1; p->at < p->argc && rc == CLI_GO_ON; p->at++) {
		const char *arg = p->argv[p->at];

		if (strcmp(arg, "--") == 0) {
			while (++p->at < p->argc) {
				if (!p->o->verb)
					p->o->verb = &verb_table[VERB_RUN];
				strlist_add(&p->o->args, p->argv[p->at]);
			}
		} else if (arg[0] == '-' && arg[1] == '-') {
			rc = parse_long(p, arg + 2);
		} else if (arg[0] == '-' && arg[1] != '\0') {
			rc = parse_letters(p, arg + 1);
		} else {
			rc = parse_word(p, arg);
		}
	}
	return rc;
}

/* Where `run -- CMD` ended its options, so that `run CMD` is a clear mistake. */
static bool has_separator(int argc, char *const *argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0)
			return true;
	return false;
}

static int check_arguments(struct cli_options *o, int argc, char *const *argv)
{
	const struct verb *verb = o->verb;

	if (verb == &verb_table[VERB_RUN] && o->args.n > 0 && !has_separator(argc, argv))
		return cli_fail_usage(o, "run: put \"--\" before the command: procd run -- %s",
				      o->args.items[0]);
	if (verb == &verb_table[VERB_RUN] && o->args.n == 0 && has_separator(argc, argv))
		return cli_fail_usage(o, "run: there is no command behind \"--\"");
	if (strlist_has(&o->args, "") && verb != &verb_table[VERB_RUN])
		return cli_fail_usage(o, "%s: an empty argument names nothing", verb->name);
	if (o->args.n < (size_t)verb->min_args)
		return cli_fail_usage(o, "%s: missing argument: procd %s %s", verb->name,
				      verb->name, verb->arguments);
	if (verb->max_args >= 0 && o->args.n > (size_t)verb->max_args)
		return cli_fail_usage(o, "%s: unexpected argument \"%s\"", verb->name,
				      o->args.items[verb->max_args]);
	if (o->sets.n > 0 && !(verb->flags & VERB_SETS))
		return cli_fail_usage(o, "%s: --set belongs to run, check, config, "
				      "simulate and doctor", verb->name);
	if (o->name && (verb->flags & VERB_SETS)) {
		strlist_take(&o->sets, x_asprintf("name=%s", o->name));
		o->name = NULL;
	}
	return CLI_GO_ON;
}

int cli_parse(struct cli_options *o, int argc, char *const *argv)
{
	struct parser p = { .o = o, .argc = argc, .argv = argv };
	int rc;

	look_ahead(o, argc, argv);
	rc = parse_all(&p);
	if (rc != CLI_GO_ON && !p.help)
		return rc;
	if (p.help)
		return cli_usage(o->verb);
	if (p.version)
		return cli_version();
	if (!o->verb)
		o->verb = &verb_table[VERB_RUN];
	return check_arguments(o, argc, argv);
}

const char *cli_value(const struct cli_options *o, const char *name)
{
	for (int i = 0; i < VERB_OPTIONS_MAX && o->verb->options[i].name; i++)
		if (strcmp(o->verb->options[i].name, name) == 0)
			return o->values[i];
	BUG("a verb asks for an option that its row does not have");
}

void cli_options_fini(struct cli_options *o)
{
	strlist_fini(&o->sets);
	strlist_fini(&o->args);
}

/* A closed one would be the next file's number, and what is printed would go into the control
 * socket. What takes its place refuses, as the closed one did: /dev/null, opened the wrong way
 * round. (A supervisor has one that takes everything.) */
static void keep_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int cli_main(int argc, char **argv)
{
	auto_free(cli_options_fini) struct cli_options o = CLI_OPTIONS_INIT;
	int rc = cli_parse(&o, argc, argv);

	if (rc != CLI_GO_ON)
		return rc;
	if (o.verb == &verb_table[VERB_RUN])
		return run_keeper(argc, argv);
	keep_standard_descriptors();
	return handlers[verb_id(o.verb)](&o);
}
