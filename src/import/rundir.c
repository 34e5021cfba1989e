/* Service directories of runit, daemontools and s6 (and the sources of s6-rc): a directory with a
 * program called run, or a directory of such. What stands in files there is keys here. */
#include "import/formats.h"

#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/signame.h"
#include "base/text.h"

#define HOOK_MS 5000	/* s6 gives finish so long when nothing else is said */

struct rundir {
	struct import *im;
	const char *dir;
	struct import_service *s;
	bool s6;
};

static bool has(const struct rundir *x, const char *name)
{
	auto_free(freep) char *path = import_path(x->dir, name);

	return import_is_file(x->im, path) || import_is_dir(x->im, path);
}

/* The first line of NAME. 1: there is no such file. */
static int read_line(struct rundir *x, const char *name, struct strbuf *out)
{
	auto_free(freep) char *path = import_path(x->dir, name);
	int r;

	if (!import_is_file(x->im, path))
		return 1;
	r = import_read(x->im, path, out);
	if (r == 0)
		out->len = strcspn(out->buf, "\n");
	if (r == 0 && out->len > 0)
		out->buf[out->len] = '\0';
	return r;
}

static int fail(const struct rundir *x, const char *name, const char *what)
{
	auto_free(freep) char *path = import_path(x->dir, name);

	return import_fail(x->im, path, 1, "is not %s", what);
}

/* 1: there is no such file. */
static int read_number(struct rundir *x, const char *name, long max, long *out)
{
	auto_free(strbuf_fini) struct strbuf line = STRBUF_INIT;
	int r = read_line(x, name, &line);
	char *end;

	if (r != 0)
		return r;
	*out = strtol(line.buf, &end, 10);
	if (end == line.buf || *end != '\0' || *out < 0 || *out > max)
		return fail(x, name, "a number that makes sense");
	return 0;
}

/* --- what is in the files ---------------------------------------------------------------------- */

static void set_finish(struct rundir *x)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;
	auto_free(strbuf_fini) struct strbuf script = STRBUF_INIT;
	auto_free(freep) char *finish = import_path(x->dir, "finish");

	if (!has(x, "finish"))
		return;
	strbuf_addstr(&script, "exec ");
	import_shell_word(finish, &script);
	strbuf_addf(&script, " \"${PROCD_EXIT_CODE:-%d}\" 0", x->s6 ? 256 : -1);
	strlist_add(&words, "/bin/sh");
	strlist_add(&words, "-c");
	strlist_add(&words, script.buf);
	import_list(x->s, "post_stop", &words);
	import_remark(x->s, "post_stop",
		      "PROCD_EXIT_SIGNAL names the signal that ended it; the second "
		      "argument does not tell it");
}

static int set_ready(struct rundir *x)
{
	auto_free(strbuf_fini) struct strbuf probe = STRBUF_INIT;
	auto_free(freep) char *check = import_path(x->dir, "check");
	long fd;
	int r = read_number(x, "notification-fd", 1023, &fd);

	if (r < 0)
		return r;
	if (r == 0) {
		strbuf_addf(&probe, "fd:%ld", fd);
		import_text_value(x->s, "ready", probe.buf);
	} else if (import_is_file(x->im, check)) {
		strbuf_addstr(&probe, "command:");
		word_quote(check, &probe);
		import_text_value(x->s, "ready", probe.buf);
	}
	return 0;
}

static int set_stop(struct rundir *x)
{
	auto_free(strbuf_fini) struct strbuf line = STRBUF_INIT;
	long ms;
	int r = read_number(x, "timeout-kill", 604800000, &ms);

	if (r == 0 && ms > 0)
		import_ms(x->s, "stop_timeout", ms);
	if (r >= 0)
		r = read_number(x, "timeout-finish", 604800000, &ms);
	if (r == 0 && ms > 0 && import_has(x->s, "post_stop"))
		import_ms(x->s, "hook_timeout", ms);
	if (r == 1 && x->s6 && import_has(x->s, "post_stop"))
		import_ms(x->s, "hook_timeout", HOOK_MS);
	if (r >= 0)
		r = read_line(x, "down-signal", &line);
	if (r == 0) {
		int signo = signame_parse(line.buf);

		if (signo <= 0)
			return fail(x, "down-signal", "a signal");
		import_text_value(x->s, "stop_signal", signame(signo));
	}
	return r < 0 ? r : 0;
}

static void add_dependencies(struct rundir *x, char *names)
{
	char *rest = NULL;

	for (char *name = strtok_r(names, " \t\n", &rest); name != NULL;
	     name = strtok_r(NULL, " \t\n", &rest))
		if (*name != '#')
			import_edge(x->s, "depends_on", name, NULL, 0);
}

/* Of s6-rc: a file with a name in each line, or a directory of empty files. */
static int set_dependencies(struct rundir *x)
{
	auto_free(freep) char *file = import_path(x->dir, "dependencies");
	auto_free(freep) char *dir = import_path(x->dir, "dependencies.d");
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	auto_free(strlist_fini) struct strlist names = STRLIST_INIT;

	if (import_is_file(x->im, file)) {
		if (import_read(x->im, file, &text) < 0)
			return -EINVAL;
		add_dependencies(x, text.buf);
	}
	if (import_is_dir(x->im, dir) && import_list_dir(x->im, dir, &names) < 0)
		return -EINVAL;
	for (size_t i = 0; i < names.n; i++)
		import_edge(x->s, "depends_on", names.items[i], NULL, 0);
	return 0;
}

static const struct {
	const char *name, *why;
} others[] = {
	{ "log", "procd captures output itself: procd logs, and log_file for a file" },
	{ "control", "stop_command and reload_command take the place of such programs" },
	{ "conf", "run has to read it, as before" },
	{ "max-death-tally", "restart_max_attempts counts failures without a stable run" },
	{ "nosetsid", "each subsystem has a session of its own" },
	{ "flag-newpidns", "there are no pid namespaces" },
	{ "lock-fd", "procd sees to it that there is one of each" },
	{ "producer-for", "subsystems have no pipes to each other; procd captures output itself" },
	{ "consumer-for", "subsystems have no pipes to each other; procd captures output itself" },
	{ "timeout-up", "start_timeout counts until it is ready" },
	{ "timeout-down", "stop_timeout counts until its tree is gone" },
};

static int fill(struct rundir *x)
{
	auto_free(strlist_fini) struct strlist command = STRLIST_INIT;
	auto_free(freep) char *run = import_path(x->dir, "run");

	x->s6 = has(x, "notification-fd") || has(x, "timeout-kill") || has(x, "timeout-finish") ||
		has(x, "type") || has(x, "down-signal");
	strlist_add(&command, run);
	import_list(x->s, "command", &command);
	import_text_value(x->s, "working_dir", x->dir);
	if (x->im->only == NULL && access(run, X_OK) < 0)
		import_note(x->s, 0, "run", "it may not be executed");
	if (has(x, "down"))
		import_bool(x->s, "autostart", false);
	import_text_value(x->s, "restart", "always");
	import_ms(x->s, "restart_delay", 1000);
	import_ms(x->s, "restart_max_delay", 1000);
	set_finish(x);
	if (set_ready(x) < 0 || set_stop(x) < 0 || set_dependencies(x) < 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (has(x, others[i].name))
			import_note(x->s, 0, others[i].name, "%s", others[i].why);
	return 0;
}

/* --- directories ------------------------------------------------------------------------------- */

static int read_service(struct import *im, const char *dir)
{
	struct rundir x = { .im = im, .dir = dir };
	auto_free(freep) char *name = import_base_of(dir);

	x.s = import_add(im, name, name, dir, 0);
	if (x.s == NULL)
		return -EINVAL;
	import_origin(x.s, "%s/run", name);
	return fill(&x);
}

static bool has_run(const struct import *im, const char *dir)
{
	auto_free(freep) char *run = import_path(dir, "run");

	return import_is_file(im, run);
}

/* --- oneshots of s6-rc: a script of execline, "up", and one that undoes it --------------------- */

static bool has_up(const struct import *im, const char *dir)
{
	auto_free(freep) char *up = import_path(dir, "up"), *type = import_path(dir, "type");

	return import_is_file(im, up) && import_is_file(im, type);
}

static int read_oneshot(struct import *im, const char *dir)
{
	auto_free(freep) char *name = import_base_of(dir), *up = import_path(dir, "up");
	auto_free(strlist_fini) struct strlist command = STRLIST_INIT;
	struct rundir x = { .im = im, .dir = dir, .s6 = true };
	long ms = 0;

	x.s = import_add(im, name, name, dir, 0);
	if (x.s == NULL)
		return -EINVAL;
	import_origin(x.s, "%s/up", name);
	strlist_add(&command, "execlineb");
	strlist_add(&command, "-P");
	strlist_add(&command, up);
	import_list(x.s, "command", &command);
	import_text_value(x.s, "type", "oneshot");
	import_text_value(x.s, "working_dir", "/");
	if (read_number(&x, "timeout-up", 604800000, &ms) < 0 || set_dependencies(&x) < 0)
		return -EINVAL;
	import_ms(x.s, "start_timeout", ms);
	if (has(&x, "down"))
		import_note(x.s, 0, "down", "a oneshot that has run is stopped already");
	return 0;
}

static bool holds(const struct import *im, const char *dir, const char *what)
{
	auto_free(strlist_fini) struct strlist found = STRLIST_INIT;
	auto_free(freep) char *pattern = import_path(dir, what);
	struct import scratch = { .only = im->only };

	return import_glob(&scratch, pattern, &found) == 0 && found.n > 0;
}

bool import_is_rundir(const struct import *im, const char *dir)
{
	return has_run(im, dir) || has_up(im, dir) || holds(im, dir, "*/run") ||
	       (holds(im, dir, "*/up") && holds(im, dir, "*/type"));
}

int import_rundir(struct import *im, const char *path)
{
	auto_free(strlist_fini) struct strlist names = STRLIST_INIT;

	if (!import_is_dir(im, path))
		return import_fail(im, path, 0, "is no service directory");
	if (has_run(im, path))
		return read_service(im, path);
	if (has_up(im, path))
		return read_oneshot(im, path);
	if (import_list_dir(im, path, &names) < 0)
		return -EINVAL;
	for (size_t i = 0; i < names.n; i++) {
		auto_free(freep) char *dir = import_path(path, names.items[i]);

		if (has_run(im, dir)) {
			if (read_service(im, dir) < 0)
				return -EINVAL;
		} else if (has_up(im, dir)) {
			if (read_oneshot(im, dir) < 0)
				return -EINVAL;
		} else if (import_is_dir(im, dir)) {
			import_note(im->whole, 0, names.items[i], "there is no run in it");
		}
	}
	return 0;
}
