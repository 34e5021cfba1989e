/* What several settings of a [program:...] decide together, and what supervisord itself was
 * told. */
#include "import/supervisord.h"

#include <errno.h>

#include "base/alloc.h"

int program_fail(const struct program *p, const struct sup_pair *pair, const char *what)
{
	return import_fail(p->x->im, p->section->file, pair->line, "%s: \"%.60s\" is not %s",
			   pair->key, pair->value, what);
}

int program_read_number(struct program *p, const struct sup_pair *pair, const char *value, long max,
		       long *out)
{
	char *end;

	errno = 0;
	*out = strtol(value, &end, 10);
	if (end == value || *end != '\0' || errno != 0 || *out < 0 || *out > max)
		return program_fail(p, pair, "a number that makes sense");
	return 0;
}

/* The value of KEY, expanded; the caller frees. *OUT is NULL when it is not there. */
int program_value(struct program *p, const char *key, bool now, char **out)
{
	const struct sup_pair *pair = sup_find(p->section, key);
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct sup_vars vars = p->vars;

	*out = NULL;
	if (pair == NULL)
		return 0;
	vars.now = now;
	if (sup_expand(p->x, &vars, p->section->file, pair->line, pair->value, &text) < 0)
		return -EINVAL;
	*out = strbuf_detach(&text);
	return 0;
}

int program_number(struct program *p, const char *key, long fallback, long max, long *out)
{
	auto_free(freep) char *text = NULL;

	*out = fallback;
	if (program_value(p, key, true, &text) < 0)
		return -EINVAL;
	return text == NULL ? 0 : program_read_number(p, sup_find(p->section, key), text, max, out);
}

/* A run of startsecs is a start that succeeded, after which all retries are there again. */
void program_restarts(struct program *p)
{
	import_ms(p->s, "min_uptime", p->startsecs * 1000LL);
	import_text_value(p->s, "restart_delay", "1s");
	import_int(p->s, "restart_max_attempts", p->retries);
	import_ms(p->s, "restart_reset_after", p->startsecs * 1000LL);
	if (p->retries == 0) {
		import_remark(p->s, "restart_max_attempts",
			      "startretries = 0; procd would take 0 as no "
			      "limit, so it is one");
		import_int(p->s, "restart_max_attempts", 1);
	}
}

static bool is_our_own(const char *file)
{
	return strcmp(file, "/dev/stdout") == 0 || strcmp(file, "/dev/fd/1") == 0 ||
	       strcmp(file, "/proc/self/fd/1") == 0 || strcmp(file, "/dev/stderr") == 0 ||
	       strcmp(file, "/dev/fd/2") == 0 || strcmp(file, "/proc/self/fd/2") == 0;
}

static void set_stdout(struct program *p, const char *file)
{
	if (file == NULL || strcasecmp(file, "AUTO") == 0)
		return;
	if (strcasecmp(file, "NONE") == 0)
		import_text_value(p->s, "stdout", "null");
	else if (strcmp(file, "syslog") == 0)
		import_text_value(p->s, "stdout", "syslog");
	else if (is_our_own(file))
		import_text_value(p->s, "stdout", "inherit");
	else
		import_text_value(p->s, "log_file", file);
}

static void set_stderr(struct program *p, const char *out, const char *file)
{
	auto_free(freep) char *to_file = NULL;

	if (p->redirect || (file != NULL && out != NULL && strcmp(file, out) == 0)) {
		import_text_value(p->s, "stderr", "stdout");
		return;
	}
	if (file == NULL || strcasecmp(file, "AUTO") == 0) {
		import_text_value(p->s, "stderr", "log");
		return;
	}
	to_file = x_asprintf("file:%s", file);
	import_text_value(p->s, "stderr", strcasecmp(file, "NONE") == 0 ? "null" :
			  strcmp(file, "syslog") == 0 ? "syslog" :
			  is_our_own(file) ? "inherit" : to_file);
}

int program_output(struct program *p)
{
	auto_free(freep) char *out = NULL, *err = NULL;

	if (program_value(p, "stdout_logfile", false, &out) < 0 ||
	    program_value(p, "stderr_logfile", false, &err) < 0)
		return -EINVAL;
	set_stdout(p, out);
	set_stderr(p, out, err);
	return 0;
}

/* What supervisord itself was told counts for all of its programs. */
int program_inherit(struct program *p)
{
	static const char *const keys[] = { "directory", "user", "umask" };

	for (size_t i = 0; i < p->x->environment.n; i++) {
		const char *item = p->x->environment.items[i], *eq = strchr(item, '=');

		import_variable(p->s, item, (size_t)(eq - item), eq + 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct sup_pair *pair = sup_find(p->x->daemon, keys[i]);
		auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

		if (pair == NULL || sup_find(p->section, keys[i]) != NULL)
			continue;
		if (sup_expand(p->x, &p->vars, p->x->daemon->file, pair->line, pair->value, &text) < 0)
			return -EINVAL;
		import_text_value(p->s, i == 0 ? "working_dir" : keys[i], text.buf);
		import_remark(p->s, i == 0 ? "working_dir" : keys[i], "of [supervisord]");
	}
	return 0;
}

/* How a file is rotated that there is not. */
bool program_is_useless(const struct program *p, const char *key)
{
	const struct sup_pair *file = sup_find(p->section, "stdout_logfile");

	return strncmp(key, "stdout_logfile_", 15) == 0 &&
	       (file == NULL || strcasecmp(file->value, "AUTO") == 0 || is_our_own(file->value) ||
		strcasecmp(file->value, "NONE") == 0 || strcmp(file->value, "syslog") == 0);
}
