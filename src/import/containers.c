/* One service of a compose file. What it runs is known where the file says it; what is in its image
 * is not: a service of a container is held back, for somebody to see that its program is there. */
#include <errno.h>

#include "base/alloc.h"
#include "base/signame.h"
#include "base/text.h"
#include "import/compose.h"

/* A string is cut as a shell would, a list is taken as it is. */
static int add_words(struct compose *x, const char *key, struct strlist *out)
{
	const struct value *v = tree_get(x->service, key);
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;

	if (v == NULL)
		return 0;
	if (tree_text(v) != NULL ? words_split(v->text, &words, NULL) < 0 :
				   tree_list(v, &words) < 0)
		return compose_fail(x, v, key, "a command");
	for (size_t i = 0; i < words.n; i++) {
		auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

		compose_expand(words.items[i], &text);
		strlist_add(out, text.buf);
	}
	return 0;
}

static int set_command(struct compose *x)
{
	const char *image = tree_text(tree_get(x->service, "image"));
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;

	if (add_words(x, "entrypoint", &words) < 0 || add_words(x, "command", &words) < 0)
		return -EINVAL;
	if (words.n == 0) {
		x->s->refused =
			x_strdup("what it runs stands in its image, which procd does not know");
		strlist_add(&words, "/bin/false");
	}
	import_list(x->s, "command", &words);
	if (image != NULL || tree_get(x->service, "build") != NULL)
		import_hold_back(x->s, "it ran in a container%s%s; see that its program is here",
				 image != NULL ? " of " : "", image != NULL ? image : "");
	return 0;
}

static int set_restart(struct compose *x)
{
	const struct value *v = tree_get(x->service, "restart");
	const char *text = v != NULL ? tree_text(v) : "no", *times = NULL;
	size_t digits;

	if (text == NULL)
		return compose_fail(x, v, "restart", "a restart policy");
	if (strcmp(text, "no") == 0 || strcmp(text, "false") == 0)
		import_text_value(x->s, "restart", "never");
	else if (strcmp(text, "always") == 0 || strcmp(text, "unless-stopped") == 0)
		import_text_value(x->s, "restart", "always");
	else if (strcmp(text, "on-failure") == 0)
		import_text_value(x->s, "restart", "on-failure");
	else if (strncmp(text, "on-failure:", 11) == 0)
		times = text + 11;
	else
		return compose_fail(x, v, "restart", "a restart policy");
	if (times == NULL)
		return 0;
	digits = strspn(times, "0123456789");
	if (digits == 0 || digits > 8 || times[digits] != '\0')
		return compose_fail(x, v, "restart", "a restart policy: on-failure:N, N a number");
	import_text_value(x->s, "restart", "on-failure");
	import_int(x->s, "restart_max_attempts", atoi(times));
	return 0;
}

static int set_env_files(struct compose *x)
{
	const struct value *v = tree_get(x->service, "env_file");
	size_t n = v == NULL ? 0 : v->kind == VALUE_ARRAY ? v->n : 1;

	for (size_t i = 0; i < n; i++) {
		const struct value *one = v->kind == VALUE_ARRAY ? &v->items[i] : v;
		const char *name =
			tree_text(one->kind == VALUE_TABLE ? tree_get(one, "path") : one);
		bool needed = tree_bool(tree_get(one, "required"), true);
		auto_free(freep) char *path = NULL, *text = NULL;

		if (name == NULL)
			return compose_fail(x, one, "env_file", "a path");
		path = import_path(x->dir, name);
		text = x_asprintf("%s%s", needed ? "" : "-", path);
		import_list_add(x->s, "env_file", text);
	}
	return 0;
}

static int set_health(struct compose *x)
{
	const struct value *check = tree_get(x->service, "healthcheck"),
			   *test = tree_get(check, "test");
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;
	auto_free(strbuf_fini) struct strbuf probe = STRBUF_INIT;
	bool shell = tree_text(test) != NULL;
	long retries;
	int r;

	if (test == NULL || tree_bool(tree_get(check, "disable"), false))
		return 0;
	if (tree_list(test, &words) < 0 || words.n == 0)
		return compose_fail(x, test, "test", "a command");
	if (strcmp(words.items[0], "NONE") == 0)
		return 0;
	shell = shell || strcmp(words.items[0], "CMD-SHELL") == 0;
	strbuf_addstr(&probe, shell ? "command:/bin/sh -c " : "command:");
	for (size_t i = tree_text(test) != NULL ? 0 : 1; i < words.n; i++) {
		strbuf_addstr(&probe, probe.buf[probe.len - 1] == ' ' || i == 1 ? "" : " ");
		word_quote(words.items[i], &probe);
	}
	import_text_value(x->s, "health", probe.buf);
	if (compose_duration(x, tree_get(check, "interval"), "interval", "health_interval") < 0 ||
	    compose_duration(x, tree_get(check, "timeout"), "timeout", "health_timeout") < 0 ||
	    compose_duration(x, tree_get(check, "start_period"), "start_period",
			     "health_start_period") < 0)
		return -EINVAL;
	r = compose_number(x, check, "retries", &retries);
	if (r == 0)
		import_int(x->s, "health_retries", retries);
	return r < 0 ? r : 0;
}

static int set_stop(struct compose *x)
{
	const struct value *v = tree_get(x->service, "stop_signal");
	int signo = v != NULL && tree_text(v) != NULL ? signame_parse(v->text) : 0;

	if (v != NULL && signo <= 0)
		return compose_fail(x, v, "stop_signal", "a signal");
	if (signo > 0)
		import_text_value(x->s, "stop_signal", signame(signo));
	import_ms(x->s, "stop_timeout", 10000);
	return compose_duration(x, tree_get(x->service, "stop_grace_period"), "stop_grace_period",
				"stop_timeout");
}

/* "1000:1000" */
static void set_user(struct compose *x)
{
	const char *user = tree_text(tree_get(x->service, "user"));
	const char *colon = user != NULL ? strchr(user, ':') : NULL;
	auto_free(freep) char *name = user == NULL ? NULL : colon == NULL ? x_strdup(user) :
				      x_strndup(user, (size_t)(colon - user));

	if (name != NULL)
		import_text_value(x->s, "user", name);
	if (colon != NULL)
		import_text_value(x->s, "group", colon + 1);
}

static int set_limits(struct compose *x)
{
	const struct value *deploy = tree_get(x->service, "deploy");
	const struct value *limits = tree_get(tree_get(deploy, "resources"), "limits");
	const char *memory = tree_text(tree_get(x->service, "mem_limit"));
	const struct value *cpus = tree_get(x->service, "cpus");
	auto_free(freep) char *size = NULL, *percent = NULL;
	double processors;
	long replicas = 1;
	char *end;
	int r;

	if (memory == NULL)
		memory = tree_text(tree_get(limits, "memory"));
	if (cpus == NULL)
		cpus = tree_get(limits, "cpus");
	if (memory != NULL) {	/* "512m", "1gb" */
		size = x_strdup(memory);
		for (char *p = size; *p != '\0'; p++)
			if (*p >= 'a' && *p <= 'z')
				*p = (char)(*p - 'a' + 'A');
		if (strlen(size) > 1 && size[strlen(size) - 1] == 'B')
			size[strlen(size) - 1] = '\0';
		import_text_value(x->s, "memory_max", size);
	}
	if (cpus != NULL && !compose_is_variable(x, cpus, "cpus")) {
		processors = tree_text(cpus) != NULL ? strtod(cpus->text, &end) : -1;
		if (!(processors >= 0 && processors <= 8192) || end == cpus->text || *end != '\0')
			return compose_fail(x, cpus, "cpus", "a number of processors");
		percent = x_asprintf("%d%%", (int)(processors * 100));
		import_text_value(x->s, "cpu_quota", percent);
	}
	r = compose_number(x, deploy, "replicas", &replicas);
	if (r == 1)
		r = compose_number(x, x->service, "scale", &replicas);
	if (r == 0 && replicas > 1)
		import_int(x->s, "instances", replicas);
	return r < 0 ? r : 0;
}

int compose_container(struct compose *x, const char *name)
{
	static const char *const known[] = {
		"command", "entrypoint", "environment", "env_file", "depends_on", "restart", "healthcheck",
		"stop_signal", "stop_grace_period", "user", "working_dir", "mem_limit", "cpus", "scale",
		"deploy", NULL,
	};

	(void)name;
	if (set_command(x) < 0 || compose_text(x, "working_dir", "working_dir") < 0 ||
	    compose_environment(x, tree_get(x->service, "environment"), true) < 0 ||
	    set_env_files(x) < 0 || compose_depends_on(x) < 0 || set_restart(x) < 0 ||
	    set_health(x) < 0 || set_stop(x) < 0)
		return -EINVAL;
	set_user(x);
	if (set_limits(x) < 0)
		return -EINVAL;
	compose_note_others(x, x->service, known);
	return 0;
}
