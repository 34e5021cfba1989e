/* One process of process-compose. */
#include <errno.h>
#include <limits.h>

#include "base/alloc.h"
#include "base/signame.h"
#include "base/text.h"
#include "import/command_line.h"
#include "import/compose.h"

/* A count of seconds. */
static int take_seconds(struct compose *x, const struct value *table, const char *key,
			const char *to)
{
	long seconds;
	int r = compose_number(x, table, key, &seconds);

	if (r == 0 && (seconds > 0 || strstr(to, "interval") == NULL))
		import_ms(x->s, to, seconds * 1000LL);
	return r < 0 ? r : 0;
}

/* The command goes through a shell there; what the file replaces of it, a shell replaces, too. */
static int set_command(struct compose *x)
{
	const struct value *entrypoint = tree_get(x->service, "entrypoint");
	const char *command = tree_text(tree_get(x->service, "command"));
	const char *shell = tree_text(tree_get(tree_get(x->root, "shell"), "shell_command"));
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	if (tree_list(entrypoint, &words) < 0)
		return compose_fail(x, entrypoint, "entrypoint", "a list of words");
	if (words.n > 0 && command == NULL) {
		import_list(x->s, "command", &words);
		return 0;
	}
	if (command == NULL || *command == '\0')
		return import_fail(x->im, x->path, x->s->line, "%s has no command", x->s->id);
	for (const char *p = command; *p != '\0'; p += p[0] == '$' && p[1] == '$' ? 2 : 1)
		strbuf_addch(&text, *p);
	while (text.len > 0 && strchr(" \t\n", text.buf[text.len - 1]) != NULL)
		text.buf[--text.len] = '\0';
	if (shell == NULL || strcmp(shell, "sh") == 0 || strcmp(shell, "bash") == 0 ||
	    strcmp(shell, "/bin/sh") == 0) {
		import_command_line(x->s, "command", text.buf);
		if (import_has(x->s, "shell"))
			import_remark(x->s, "command", "by sh -c; there: %s",
				      shell != NULL ? shell : "bash");
		return 0;
	}
	strlist_add(&words, shell);
	strlist_add(&words, tree_text(tree_get(tree_get(x->root, "shell"), "shell_argument")) != NULL ?
		    tree_text(tree_get(tree_get(x->root, "shell"), "shell_argument")) : "-c");
	strlist_add(&words, text.buf);
	import_list(x->s, "command", &words);
	return 0;
}

static int set_restarts(struct compose *x)
{
	const struct value *a = tree_get(x->service, "availability"), *v = tree_get(a, "restart");
	const char *restart = tree_text(v);
	long n;
	int r;

	if (restart == NULL || strcmp(restart, "no") == 0 || strcmp(restart, "false") == 0 ||
	    strcmp(restart, "exit_on_failure") == 0)
		import_text_value(x->s, "restart", "never");
	else if (strcmp(restart, "always") == 0)
		import_text_value(x->s, "restart", "always");
	else if (strcmp(restart, "on_failure") == 0)
		import_text_value(x->s, "restart", "on-failure");
	else
		return compose_fail(x, v, "restart", "a restart policy");
	if (restart != NULL && strcmp(restart, "exit_on_failure") == 0)
		import_bool(x->s, "critical", true);
	if (tree_bool(tree_get(a, "exit_on_end"), false))
		import_note(x->s, tree_line(a), "exit_on_end",
			    "critical ends procd for a failure only");
	r = compose_number(x, a, "backoff_seconds", &n);
	if (r == 0) {
		import_ms(x->s, "restart_delay", n * 1000LL);
		import_ms(x->s, "restart_max_delay", n * 1000LL);
	}
	if (r >= 0)
		r = compose_number(x, a, "max_restarts", &n);
	if (r == 0)
		import_int(x->s, "restart_max_attempts", n);
	return r < 0 ? r : 0;
}

/* KEY = the probe of TABLE. */
static int set_probe(struct compose *x, const struct value *table, const char *key)
{
	const struct value *http = tree_get(table, "http_get");
	const char *command = tree_text(tree_get(tree_get(table, "exec"), "command"));
	const char *host = tree_text(tree_get(http, "host")),
		   *port = tree_text(tree_get(http, "port"));
	const char *path = tree_text(tree_get(http, "path")),
		   *scheme = tree_text(tree_get(http, "scheme"));
	auto_free(strbuf_fini) struct strbuf probe = STRBUF_INIT;

	if (command != NULL) {
		strbuf_addstr(&probe, "command:/bin/sh -c ");
		word_quote(command, &probe);
	} else if (http != NULL && (scheme == NULL || strcmp(scheme, "http") == 0)) {
		strbuf_addf(&probe, "http://%s:%s%s%s", host != NULL ? host : "127.0.0.1",
			    port != NULL ? port : "80", path != NULL && *path == '/' ? "" : "/",
			    path != NULL ? path : "");
	} else {
		import_note(x->s, tree_line(table), key,
			    "a probe is a command, or a question by http");
		return 0;
	}
	import_text_value(x->s, key, probe.buf);
	return 0;
}

static int set_probes(struct compose *x)
{
	const struct value *ready = tree_get(x->service, "readiness_probe");
	const struct value *alive = tree_get(x->service, "liveness_probe");
	const char *line = tree_text(tree_get(x->service, "ready_log_line"));
	auto_free(strbuf_fini) struct strbuf probe = STRBUF_INIT;
	long n;
	int r = 0;

	if (line != NULL) {
		strbuf_addstr(&probe, "log:");
		for (const char *p = line; *p != '\0'; p++) {
			if (strchr(".[]{}()\\*+?|^$", *p) != NULL)
				strbuf_addch(&probe, '\\');
			strbuf_addch(&probe, *p);
		}
		import_text_value(x->s, "ready", probe.buf);
	} else if (ready != NULL) {
		set_probe(x, ready, "ready");
		import_raw(x->s, "start_timeout", "\"0s\"");
		import_remark(x->s, "start_timeout", "there is no limit there");
	}
	if (alive == NULL)
		return 0;
	set_probe(x, alive, "health");
	if (take_seconds(x, alive, "initial_delay_seconds", "health_start_period") < 0 ||
	    take_seconds(x, alive, "period_seconds", "health_interval") < 0 ||
	    take_seconds(x, alive, "timeout_seconds", "health_timeout") < 0)
		return -EINVAL;
	r = compose_number(x, alive, "failure_threshold", &n);
	if (r == 0 && n > 0)
		import_int(x->s, "health_retries", n);
	return r < 0 ? r : 0;
}

static int set_stop(struct compose *x)
{
	const struct value *stop = tree_get(x->service, "shutdown"), *v = tree_get(stop, "signal");
	const char *command = tree_text(tree_get(stop, "command"));

	if (v != NULL) {
		int signo = tree_text(v) != NULL ? signame_parse(v->text) : -EINVAL;

		if (signo <= 0)
			return compose_fail(x, v, "signal", "a signal");
		import_text_value(x->s, "stop_signal", signame(signo));
	}
	if (command != NULL)
		import_command_line(x->s, "stop_command", command);
	if (tree_bool(tree_get(stop, "parent_only"), false))
		import_text_value(x->s, "kill_mode", "process");
	return take_seconds(x, stop, "timeout_seconds", "stop_timeout");
}

static int set_rest(struct compose *x)
{
	static const char *const known[] = {
		"command", "entrypoint", "working_dir", "environment", "depends_on", "availability",
		"readiness_probe", "liveness_probe", "ready_log_line", "shutdown", "log_location",
		"replicas", "disabled", "namespace", "description", NULL,
	};
	const char *namespace = tree_text(tree_get(x->service, "namespace"));
	long n;
	int r = compose_number(x, x->service, "replicas", &n);

	if (r == 0 && n > 1) {
		import_int(x->s, "instances", n);
		import_variable(x->s, "PC_REPLICA_NUM", strlen("PC_REPLICA_NUM"), MARKED_NUMBER);
	}
	if (r < 0 || compose_text(x, "description", "description") < 0)
		return -EINVAL;
	if (tree_bool(tree_get(x->service, "disabled"), false))
		import_bool(x->s, "autostart", false);
	if (namespace != NULL)
		import_list_add(x->s, "groups", namespace);
	if (tree_bool(tree_get(x->service, "is_daemon"), false))
		import_hold_back(x->s, "it would leave for the background");
	compose_note_others(x, x->service, known);
	return 0;
}

/* A path of the file's, from its directory. */
static int set_path(struct compose *x, const char *key, const char *to)
{
	const struct value *v = tree_get(x->service, key);
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	auto_free(freep) char *path = NULL;

	if (v != NULL && tree_text(v) == NULL)
		return compose_fail(x, v, key, "a path");
	if (v != NULL)
		compose_expand(v->text, &text);
	if (v != NULL || strcmp(key, "working_dir") == 0) {
		path = v == NULL		? x_strdup(x->dir) :
		       *text.buf == MARK_DOLLAR ? x_strdup(text.buf) :
						  import_path(x->dir, text.buf);
		import_text_value(x->s, to, path);
	}
	return 0;
}

int compose_process(struct compose *x, const char *name)
{
	auto_free(freep) char *env_file = import_path(x->dir, ".env");

	(void)name;
	if (import_is_file(x->im, env_file))
		import_list_add(x->s, "env_file", env_file);
	if (set_command(x) < 0 || set_path(x, "working_dir", "working_dir") < 0 ||
	    set_path(x, "log_location", "log_file") < 0 ||
	    compose_environment(x, tree_get(x->root, "environment"), true) < 0 ||
	    compose_environment(x, tree_get(x->service, "environment"), true) < 0 ||
	    compose_depends_on(x) < 0)
		return -EINVAL;
	if (set_restarts(x) < 0 || set_probes(x) < 0 || set_stop(x) < 0)
		return -EINVAL;
	return set_rest(x);
}
