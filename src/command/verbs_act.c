/* Verbs that change something. The daemon waits for the end of an action, not the client. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/signame.h"
#include "base/text.h"
#include "config/family.h"
#include "command/call.h"
#include "command/verbs.h"
#include "command/view.h"

/* What is said about each name when it went well. */
static const char *done_word(const struct cli_options *o)
{
	switch ((int)verb_id(o->verb)) {
	case VERB_START:
		return o->no_wait ? "start ordered" : "started";
	case VERB_STOP:
		return o->no_wait ? "stop ordered" : "stopped";
	case VERB_RESTART:
		return o->no_wait ? "restart ordered" : "restarted";
	case VERB_SIGNAL:
		return "signal sent";
	case VERB_RELOAD:
		return "told to reload";
	default:
		return "reset";
	}
}

static void tell_notes(const json_t *notes)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	size_t i;
	json_t *note;

	json_array_foreach(notes, i, note) {
		const char *text = json_string_value(note);

		strbuf_addstr(&out, "procd: note: ");
		terminal_escape(text ? text : "", text ? strlen(text) : 0, &out);
		strbuf_addch(&out, '\n');
	}
	fputs(out.buf, stderr);
}

static int tell_done(const struct cli_options *o, const json_t *names)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	size_t i;
	json_t *name;

	if (o->quiet)
		return EXIT_OK;
	json_array_foreach(names, i, name)
		if (json_is_string(name))
			strbuf_addf(&out, "%s: %s\n", json_string_value(name), done_word(o));
	return cli_print(out.buf, out.len);
}

void act_tell_partly(const struct cli_options *o, const json_t *data)
{
	const json_t *done = json_object_get(data, "done");

	tell_notes(json_object_get(data, "notes"));
	if (json_array_size(done) > 0 && verb_id(o->verb) != VERB_SCALE)
		tell_done(o, done);
}

/* Send the order and tell the outcome; takes PARAMS. */
static int act(const struct cli_options *o, json_t *params)
{
	auto_free(json_decrefp) json_t *result = NULL;
	int rc = call_once(o, o->verb->method, params, CALL_PATIENT, &result);

	if (rc != 0)
		return rc;
	tell_notes(json_object_get(result, "notes"));
	if (o->json)
		return cli_print_json(json_incref(result));
	return tell_done(o, json_object_get(result, "names"));
}

int verb_act(const struct cli_options *o)
{
	json_t *params = call_names(o);

	if (o->no_wait && verb_id(o->verb) != VERB_RESET_FAILED)
		json_object_set_new(params, "no_wait", json_true());
	if (verb_id(o->verb) == VERB_RESTART && cli_value(o, "rolling") != NULL)
		json_object_set_new(params, "rolling", json_true());
	if (verb_id(o->verb) == VERB_RESTART && cli_value(o, "overlap") != NULL)
		json_object_set_new(params, "overlap", json_true());
	return act(o, params);
}

int verb_signal(const struct cli_options *o)
{
	int signo = signame_parse(o->args.items[1]);

	if (signo <= 0)
		return cli_fail_usage(o, "signal: \"%s\" is not a signal (SIGHUP, TERM, 10, "
				      "SIGRTMIN+1)", o->args.items[1]);
	return act(o, json_pack("{s:[o], s:s}", "names", json_text(o->args.items[0]),
				"signal", signame(signo)));
}

int verb_reload(const struct cli_options *o)
{
	if (o->args.n == 0)
		return cli_fail_usage(o, "reload: which subsystem? To apply procd's own changed "
				      "configuration: procd reload-config");
	return verb_act(o);
}

/* What came and what went, told by its number. */
static int tell_scaled(const struct cli_options *o, const json_t *result, int n)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	size_t i;
	json_t *name;

	json_array_foreach(json_object_get(result, "names"), i, name) {
		if (!json_is_string(name))
			continue;
		strbuf_addf(&out, "%s: %s%s\n", json_string_value(name),
			    instance_number(json_string_value(name), NULL) < n ? "added" : "removed",
			    o->no_wait ? " (ordered)" : "");
	}
	return cli_print(out.buf, out.len);
}

int verb_scale(const struct cli_options *o)
{
	auto_free(json_decrefp) json_t *result = NULL;
	json_t *params;
	char *end;
	long n;
	int rc;

	errno = 0;
	n = strtol(o->args.items[1], &end, 10);
	if (errno != 0 || *end != '\0' || end == o->args.items[1] || n < 1 || n > INSTANCES_MAX)
		return cli_fail_usage(o, "scale: how many? A number from 1 to %d; to have none "
				      "running: procd stop NAME", INSTANCES_MAX);
	params = json_pack("{s:[o], s:i}", "names", json_text(o->args.items[0]), "instances",
			   (int)n);
	if (o->no_wait)
		json_object_set_new(params, "no_wait", json_true());
	rc = call_once(o, o->verb->method, params, CALL_PATIENT, &result);
	if (rc != 0)
		return rc;
	tell_notes(json_object_get(result, "notes"));
	if (o->json)
		return cli_print_json(json_incref(result));
	return o->quiet ? EXIT_OK : tell_scaled(o, result, (int)n);
}

/* --- the daemon itself ------------------------------------------------------------------------ */

static int order(const struct cli_options *o, json_t *params)
{
	auto_free(json_decrefp) json_t *result = NULL;
	int rc = call_once(o, o->verb->method, params, CALL_PATIENT, &result);

	if (rc == 0 && o->json)
		return cli_print_json(json_incref(result));
	return rc;
}

int verb_log_level(const struct cli_options *o)
{
	auto_free(strbuf_fini) struct strbuf levels = STRBUF_INIT;

	if (enumtext_find(&log_level_text, o->args.items[0]) < 0) {
		enumtext_join(&log_level_text, &levels);
		return cli_fail_usage(o, "log-level: \"%s\" is not a level (%s)", o->args.items[0],
				      levels.buf);
	}
	return order(o, json_pack("{s:s}", "level", o->args.items[0]));
}

int verb_reopen_logs(const struct cli_options *o)
{
	return order(o, json_object());
}

static void no_subsystem(void *ctx, const struct view *v)
{
	(void)ctx;
	(void)v;
}

static void find_keeper(void *ctx, struct span key, struct span value)
{
	int64_t pid;

	if (span_is(key, "keeper_pid") && span_int(value, &pid) && pid > 0 && pid <= INT32_MAX)
		*(pid_t *)ctx = (pid_t)pid;
}

/* Where the kernel has no pidfd: look until the pid is gone. */
static bool wait_by_looking(pid_t pid, int64_t deadline_ns)
{
	while (kill(pid, 0) == 0 || errno == EPERM) {
		if (clock_mono_ns() >= deadline_ns)
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = 20 * NS_PER_MS }, NULL);
	}
	return true;
}

/* Until the process behind PIDFD is gone; false: the deadline came first. */
static bool wait_by_pidfd(int pidfd, int64_t deadline_ns)
{
	for (;;) {
		struct pollfd p = { .fd = pidfd, .events = POLLIN };
		int64_t left = (deadline_ns - clock_mono_ns() + NS_PER_MS - 1) / NS_PER_MS;
		int rc = poll(&p, 1, deadline_ns == INT64_MAX ? -1 :
			      (int)MIN(MAX(left, 0), (int64_t)INT32_MAX));

		if (rc > 0)
			return true;
		if (rc == 0 && left <= 0)
			return false;
	}
}

/* Does the keeper's number mean the keeper to us, too? Not from outside of its container. */
static bool keeper_is_visible(pid_t keeper)
{
	auto_free(strbuf_fini) struct strbuf comm = STRBUF_INIT;
	char path[32];

	if (access("/proc/self/comm", R_OK) < 0)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)keeper);
	return file_read(path, 64, &comm) == 0 && strcmp(comm.buf, "procd-keeper\n") == 0;
}

/* The lock beside the socket, then: the keeper removes it when everything else is done. */
static bool wait_by_lock(const char *socket, int64_t deadline_ns)
{
	auto_free(freep) char *dir = x_strdup(socket);
	auto_free(freep) char *lock = NULL;
	char *slash = strrchr(dir, '/');

	if (slash != NULL)
		*slash = '\0';
	lock = x_asprintf("%s/lock", slash != NULL ? dir : ".");
	while (access(lock, F_OK) == 0 || access(socket, F_OK) == 0) {
		if (clock_mono_ns() >= deadline_ns)
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = 20 * NS_PER_MS }, NULL);
	}
	return true;
}

static bool wait_for_end(const struct call *call, pid_t keeper, int pidfd)
{
	int64_t deadline_ns = call->client.deadline_ns;

	if (keeper == 0)
		return wait_by_lock(call->path, deadline_ns);
	return pidfd >= 0 ? wait_by_pidfd(pidfd, deadline_ns) :
			    wait_by_looking(keeper, deadline_ns);
}

/* The keeper leaves last. Its pidfd is taken before the order goes out, so no later process can be
 * mistaken for it. */
static int shut_down(struct call *call, json_t *params)
{
	auto_free(closep) int pidfd = -1;
	pid_t keeper = 0;
	const char *text;
	size_t len;
	int rc = call_ask(call, "status.get", json_object(), &text, &len);

	if (rc == 0 && !view_each(text, len, no_subsystem, find_keeper, &keeper))
		keeper = 0;
	if (keeper > 0 && !keeper_is_visible(keeper))
		keeper = 0;
	if (keeper > 0)
		pidfd = (int)syscall(SYS_pidfd_open, keeper, 0);
	if (rc == 0)
		rc = call_ask(call, "daemon.shutdown", json_incref(params), &text, &len);
	if (rc != 0 || call->o->no_wait)
		return rc;
	if (call->o->timeout_ms < 0)
		call->client.deadline_ns = INT64_MAX;
	if (wait_for_end(call, keeper, pidfd))
		return EXIT_OK;
	return call_broken(call, -ETIMEDOUT);
}

int verb_shutdown(const struct cli_options *o)
{
	const char *mode = cli_value(o, "kill") ? "kill" : cli_value(o, "force") ? "force" :
		"graceful";
	/* The daemon answers when it has begun; waiting for the end is done here. */
	auto_free(json_decrefp) json_t *params = json_pack("{s:s, s:b}", "mode", mode,
							   "no_wait", 1);
	auto_free(call_fini) struct call call;
	int rc = call_open(&call, o);

	if (rc == 0)
		rc = shut_down(&call, params);
	if (rc == 0 && o->json)
		return cli_print_json(json_pack("{s:s}", "mode", mode));
	return rc;
}
