/* The ecosystem file of pm2, as JSON. */
#include "import/formats.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "import/command_line.h"
#include "import/tree.h"

struct pm2 {
	struct import *im;
	const char *path;
	char *dir;
	const struct value *app;
	struct import_service *s;
	char *cwd;
};

static int fail(struct pm2 *x, const struct value *v, const char *key, const char *what)
{
	return import_fail(x->im, x->path, v != NULL ? tree_line(v) : tree_line(x->app), "%s: \"%.60s\" is "
			   "not %s", key, tree_shown(v), what);
}

/* --- the command ------------------------------------------------------------------------------- */

static const struct {
	const char *end, *interpreter;
} interpreters[] = {
	{ ".js", "node" }, { ".cjs", "node" }, { ".mjs", "node" }, { ".sh", "bash" }, { ".py", "python3" },
	{ ".rb", "ruby" }, { ".php", "php" }, { ".pl", "perl" }, { ".ts", "ts-node" },
};

/* Words of a text, or the texts of a list. */
static int add_words(struct pm2 *x, const char *key, struct strlist *out)
{
	const struct value *v = tree_get(x->app, key);

	if (v == NULL)
		return 0;
	if (v->kind != VALUE_ARRAY && tree_text(v) != NULL)
		return words_split(v->text, out, NULL) == 0 ? 0 : fail(x, v, key, "a list of arguments");
	return tree_list(v, out) == 0 ? 0 : fail(x, v, key, "a list of arguments");
}

static const char *interpreter_of(struct pm2 *x, const char *script)
{
	const char *given = tree_text(tree_get(x->app, "interpreter"));
	const char *dot = strrchr(script, '.');

	if (given == NULL)
		given = tree_text(tree_get(x->app, "exec_interpreter"));
	if (given != NULL)
		return strcmp(given, "none") == 0 ? NULL : given;
	for (size_t i = 0; dot != NULL && i < ARRAY_LEN(interpreters); i++)
		if (strcmp(dot, interpreters[i].end) == 0)
			return interpreters[i].interpreter;
	return NULL;
}

static int set_command(struct pm2 *x, const char *script)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;
	const char *interpreter = interpreter_of(x, script);
	auto_free(freep) char *path = import_path(x->cwd, script);
	bool bare =
		interpreter == NULL && strchr(script, '/') == NULL && !import_is_file(x->im, path);

	if (strchr(script, ' ') != NULL && tree_get(x->app, "args") == NULL) {
		import_command_line(x->s, "command", script);
		return 0;
	}
	if (interpreter != NULL) {
		strlist_add(&words, interpreter);
		if (add_words(x, "node_args", &words) < 0 ||
		    add_words(x, "interpreter_args", &words) < 0)
			return -EINVAL;
	}
	strlist_add(&words, bare ? script : path);
	if (add_words(x, "args", &words) < 0)
		return -EINVAL;
	import_list(x->s, "command", &words);
	return 0;
}

/* --- settings ---------------------------------------------------------------------------------- */

static int number_of(struct pm2 *x, const char *key, long long fallback, long long *out)
{
	const struct value *v = tree_get(x->app, key);
	const char *text = tree_text(v);
	char *end;

	*out = fallback;
	if (v == NULL)
		return 0;
	*out = text != NULL ? strtoll(text, &end, 10) : -1;
	if (text == NULL || end == text || (*end != '\0' && strcmp(end, "ms") != 0 && strcmp(end, "s") != 0 &&
	    strcmp(end, "m") != 0 && strcmp(end, "h") != 0) || *out < 0 || *out > 1000000000)
		return fail(x, v, key, "a number");
	*out *= *end == 's' ? 1000 : strcmp(end, "m") == 0 ? 60000 : *end == 'h' ? 3600000 : 1;
	return 0;
}

static int set_restarts(struct pm2 *x)
{
	const struct value *codes = tree_get(x->app, "stop_exit_codes");
	bool again = tree_bool(tree_get(x->app, "autorestart"), true);
	auto_free(strlist_fini) struct strlist list = STRLIST_INIT;
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	long long delay, growing, attempts, uptime;

	if (number_of(x, "restart_delay", 0, &delay) < 0 ||
	    number_of(x, "max_restarts", 16, &attempts) < 0 ||
	    number_of(x, "exp_backoff_restart_delay", 0, &growing) < 0 ||
	    number_of(x, "min_uptime", 1000, &uptime) < 0)
		return -EINVAL;
	if (tree_list(codes, &list) < 0)
		return fail(x, codes, "stop_exit_codes", "a list of exit codes");
	import_text_value(x->s, "restart", !again ? "never" : list.n > 0 ? "on-failure" : "always");
	for (size_t i = 0; i < list.n; i++)
		strbuf_addf(&text, "%s%d", i > 0 ? ", " : "[", atoi(list.items[i]));
	strbuf_addch(&text, ']');
	if (list.n > 0)
		import_raw(x->s, "success_exit_codes", text.buf);
	if (!again)
		return 0;
	import_int(x->s, "restart_max_attempts", attempts);
	import_ms(x->s, "restart_reset_after", uptime);
	if (delay > 0 || growing > 0) {
		import_ms(x->s, "restart_delay", delay > 0 ? delay : growing);
		import_ms(x->s, "restart_max_delay", delay > 0 ? delay : 15000);
	}
	return 0;
}

static int set_instances(struct pm2 *x)
{
	const struct value *v = tree_get(x->app, "instances");
	const char *variable = tree_text(tree_get(x->app, "instance_var"));
	const char *mode = tree_text(tree_get(x->app, "exec_mode")), *text = tree_text(v);
	long long n = text != NULL ? atoll(text) : 1;

	if (v != NULL && (text == NULL || (strcmp(text, "max") != 0 &&
					   text[strspn(text, "-0123456789")] != '\0')))
		return fail(x, v, "instances", "a number");
	if (v != NULL && n <= 0)
		n = MAX(1, sysconf(_SC_NPROCESSORS_ONLN) + n);
	if (n > 1 || v != NULL) {
		import_int(x->s, "instances", n);
		if (strcmp(text, "max") == 0 || atoll(text) <= 0)
			import_remark(x->s, "instances", "%s: as many as there are processors here", text);
		variable = variable != NULL ? variable : "NODE_APP_INSTANCE";
		import_variable(x->s, variable, strlen(variable), MARKED_NUMBER);
	}
	if (mode != NULL && strncmp(mode, "cluster", 7) == 0)
		import_note(x->s, tree_line(tree_get(x->app, "exec_mode")), "exec_mode = cluster",
			    "processes share no port by themselves: give each one its own, or listen with "
			    "SO_REUSEPORT");
	return 0;
}

/* Keys that stand for one thing; the first that is there counts. */
static const struct value *first_of(struct pm2 *x, const char *a, const char *b)
{
	const struct value *v = tree_get(x->app, a);

	return v != NULL ? v : tree_get(x->app, b);
}

static bool is_nothing(const char *file)
{
	return strcasecmp(file, "null") == 0 || strcmp(file, "/dev/null") == 0;
}

static void set_output(struct pm2 *x)
{
	const char *out = tree_text(first_of(x, "out_file", "output"));
	const char *err = tree_text(first_of(x, "error_file", "error"));
	const char *both = tree_text(first_of(x, "log_file", "log"));
	auto_free(freep) char *path = NULL, *file = NULL, *to = NULL;

	if (out == NULL)
		out = both;
	if (out != NULL && is_nothing(out))
		import_text_value(x->s, "stdout", "null");
	else if (out != NULL) {
		path = import_path(x->cwd, out);
		import_text_value(x->s, "log_file", path);
	}
	if (err == NULL || (out != NULL && strcmp(out, err) == 0))
		return;
	file = import_path(x->cwd, err);
	to = x_asprintf("file:%s", file);
	import_text_value(x->s, "stderr", is_nothing(err) ? "null" : to);
}

static int set_environment(struct pm2 *x)
{
	const struct value *env = tree_get(x->app, "env");

	if (env != NULL && env->kind != VALUE_TABLE)
		return fail(x, env, "env", "an object");
	for (size_t i = 0; env != NULL && i < env->n; i++) {
		const char *name = env->keys[i].name, *text = tree_text(&env->items[i]);

		if (text == NULL || !import_variable(x->s, name, strlen(name), text))
			import_note(x->s, env->keys[i].line, name,
				    "no variable could be like this");
	}
	return 0;
}

/* --- the table --------------------------------------------------------------------------------- */

static const struct {
	const char *key, *to, *why;	/* TO: procd's key, taken as text; "": taken elsewhere; NULL: WHY */
} keys[] = {
	{ "name", "", NULL }, { "script", "", NULL }, { "args", "", NULL }, { "interpreter", "", NULL },
	{ "exec_interpreter", "", NULL }, { "node_args", "", NULL }, { "interpreter_args", "", NULL },
	{ "cwd", "", NULL }, { "env", "", NULL }, { "instances", "", NULL }, { "instance_var", "", NULL },
	{ "exec_mode", "", NULL }, { "autorestart", "", NULL }, { "max_restarts", "", NULL },
	{ "restart_delay", "", NULL }, { "exp_backoff_restart_delay", "", NULL },
	{ "min_uptime", "", NULL }, { "stop_exit_codes", "", NULL }, { "out_file", "", NULL },
	{ "output", "", NULL }, { "error_file", "", NULL }, { "error", "", NULL }, { "log_file", "", NULL },
	{ "log", "", NULL }, { "kill_timeout", "", NULL }, { "max_memory_restart", "", NULL },
	{ "merge_logs", "", NULL }, { "combine_logs", "", NULL }, { "namespace", "groups", NULL },
	{ "treekill", "", NULL }, { "autostart", "", NULL }, { "uid", "user", NULL }, { "user", "user", NULL },
	{ "gid", "group", NULL },
	{ "watch", NULL, "watch restarts for single files, which have to be named" },
	{ "ignore_watch", NULL, "see watch" }, { "watch_options", NULL, "see watch" },
	{ "watch_delay", NULL, "see watch" },
	{ "cron_restart", NULL, "schedule starts a oneshot at its time; it restarts nothing" },
	{ "wait_ready", NULL, "a message to the parent is not understood; ready = \"notify\" or a probe is" },
	{ "listen_timeout", NULL, "start_timeout counts until ready, if ready is set" },
	{ "shutdown_with_message", NULL, "stop_signal or stop_command asks it to end" },
	{ "pid_file", NULL, "procd status tells pids" },
	{ "log_date_format", NULL, "log_format = \"text\" has time stamps of its own" },
	{ "time", NULL, "log_format = \"text\" has time stamps" },
	{ "increment_var", NULL, "%i stands for the number of the instance in any value" },
};

static int set_rest(struct pm2 *x)
{
	for (size_t i = 0; i < x->app->n; i++) {
		const char *key = x->app->keys[i].name, *text = tree_text(&x->app->items[i]);
		auto_free(freep) char *what =
			x_asprintf("%s = %s", key, tree_shown(&x->app->items[i]));
		const char *why = strncmp(key, "env_", 4) == 0 ?
			"there is one environment: this one is for pm2 --env" : "procd has nothing like it";
		size_t k = 0;

		while (k < ARRAY_LEN(keys) && strcmp(keys[k].key, key) != 0)
			k++;
		if (k < ARRAY_LEN(keys) && keys[k].to != NULL) {
			if (*keys[k].to == '\0' || text == NULL)
				continue;
			if (strcmp(keys[k].to, "groups") == 0)
				import_list_add(x->s, "groups", text);
			else
				import_text_value(x->s, keys[k].to, text);
			continue;
		}
		if (x->app->items[i].kind == VALUE_BOOL && !x->app->items[i].boolean)
			continue;
		import_note(x->s, x->app->keys[i].line, what, "%s",
			    k < ARRAY_LEN(keys) ? keys[k].why : why);
	}
	return 0;
}

static int fill(struct pm2 *x, const char *script)
{
	const struct value *memory = first_of(x, "max_memory_restart", "max_memory_restart");
	const char *size = tree_text(memory);
	long long kill_ms;

	if (set_command(x, script) < 0)
		return -EINVAL;
	import_text_value(x->s, "working_dir", x->cwd);
	if (set_instances(x) < 0 || set_environment(x) < 0 || set_restarts(x) < 0 ||
	    number_of(x, "kill_timeout", 1600, &kill_ms) < 0)
		return -EINVAL;
	import_text_value(x->s, "stop_signal", "SIGINT");
	import_ms(x->s, "stop_timeout", MAX(kill_ms, 1));
	if (memory != NULL && size == NULL)
		return fail(x, memory, "max_memory_restart", "a size");
	if (size != NULL) {
		import_text_value(x->s, "memory_soft_limit", size);
		import_text_value(x->s, "on_memory_limit", "restart");
	}
	if (!tree_bool(tree_get(x->app, "autostart"), true))
		import_bool(x->s, "autostart", false);
	if (!tree_bool(tree_get(x->app, "treekill"), true))
		import_text_value(x->s, "kill_mode", "process");
	set_output(x);
	return set_rest(x);
}

/* "./api/server.js" is called server. */
static char *name_of(const struct pm2 *x, const char *script)
{
	const char *given = tree_text(tree_get(x->app, "name"));
	char *name, *dot;

	if (given != NULL)
		return x_strdup(given);
	name = import_base_of(script);
	dot = strrchr(name, '.');
	if (dot != NULL && dot != name)
		*dot = '\0';
	return name;
}

static int read_app(struct pm2 *x)
{
	const char *script = tree_text(tree_get(x->app, "script"));
	const char *cwd = tree_text(tree_get(x->app, "cwd"));
	auto_free(freep) char *name = NULL;
	int r;

	if (x->app->kind != VALUE_TABLE)
		return import_fail(x->im, x->path, tree_line(x->app), "an app has to be an object");
	if (script == NULL || *script == '\0')
		return import_fail(x->im, x->path, tree_line(x->app), "the app has no script");
	name = name_of(x, script);
	x->s = import_add(x->im, name, name, x->path, tree_line(x->app));
	if (x->s == NULL)
		return -EINVAL;
	import_origin(x->s, "app %s", name);
	x->cwd = import_path(x->dir, cwd != NULL ? cwd : ".");
	if (strcmp(x->cwd + MAX(strlen(x->cwd), (size_t)2) - 2, "/.") == 0)
		x->cwd[strlen(x->cwd) - 2] = '\0';
	r = fill(x, script);
	free(x->cwd);
	return r;
}

bool import_is_pm2(const char *text)
{
	return strstr(text, "\"apps\"") != NULL || strstr(text, "\"script\"") != NULL;
}

int import_pm2(struct import *im, const char *path)
{
	struct pm2 x = { .im = im, .path = path, .dir = import_dir_of(path) };
	struct value root = VALUE_INIT;
	const char *dot = strrchr(path, '.');
	int r = 0;

	if (dot != NULL &&
	    (strcmp(dot, ".js") == 0 || strcmp(dot, ".cjs") == 0 || strcmp(dot, ".mjs") == 0))
		r = import_fail(im, path, 0, "is a program, which procd does not run; make JSON of it: "
				"node -p 'JSON.stringify(require(process.argv[1]))' FILE > ecosystem.json");
	else
		r = tree_read_json(im, path, &root);
	if (r == 0) {
		const struct value *apps =
			root.kind == VALUE_ARRAY ? &root : tree_get(&root, "apps");

		if (tree_get(&root, "deploy") != NULL)
			import_note(im->whole, 0, "deploy",
				    "procd copies nothing to other machines");
		if (apps == NULL)
			apps = &root;
		x.app = apps;
		if (apps->kind != VALUE_ARRAY)
			r = read_app(&x);
		for (size_t i = 0; r == 0 && apps->kind == VALUE_ARRAY && i < apps->n; i++) {
			x.app = &apps->items[i];
			r = read_app(&x);
		}
	}
	value_fini(&root);
	free(x.dir);
	return r;
}
