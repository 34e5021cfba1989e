/* The daemon opens the perf events and passes them on; all the rest happens here, with the rights
 * and at the cost of who asked: reading the rings, finding names, writing the file. The
 * conversation stays open, for a subsystem that is restarted meanwhile is sampled on, and somebody
 * else may say that it is enough (`profile.stop`). */
#include "command/profile_cpu.h"

#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/nofile.h"
#include "command/stream.h"
#include "command/verbs.h"
#include "profile/cpu_open.h"
#include "profile/cpu_session.h"
#include "profile/gzip.h"

#define SECONDS_DEFAULT 10
#define SECONDS_MAX 86400
#define TIDY_MS 1000	/* for an answer that only tells whether to go on */

struct taking {
	const struct cli_options *o;
	struct call call;
	struct cpu_session *session;
	int64_t hz, length_ns;		/* hz 0: as configured */
	struct strlist patterns;	/* as given; none: procd itself */
	struct strlist names;		/* of subsystems that are sampled */
	struct strlist pids;		/* of their main processes, as text */
	struct strlist again;		/* names whose subsystem has a new process */
	struct strlist comments;
	char *output;
	int64_t since;			/* the last event */
	bool kernel, changed, enough;
	uint32_t left_out;
	int fd;				/* of OUTPUT */
};

/* --- options -------------------------------------------------------------------------------------- */

static int read_wish(struct taking *t)
{
	const char *seconds = cli_value(t->o, "seconds"), *hz = cli_value(t->o, "hz");
	char *end;
	double value = SECONDS_DEFAULT;
	int rc;

	if (seconds != NULL) {
		value = strtod(seconds, &end);
		if (end == seconds || (strcmp(end, "") != 0 && strcmp(end, "s") != 0) ||
		    !(value >= 0.1 && value <= SECONDS_MAX))
			return cli_fail_usage(t->o,
					      "--seconds: \"%s\" is not a number from 0.1 to %d",
					      seconds, SECONDS_MAX);
	}
	t->length_ns = (int64_t)(value * (double)NS_PER_SEC);
	rc = option_count(t->o, "hz", &t->hz);
	if (rc == 0 && hz != NULL && (t->hz < 1 || t->hz > CPU_HZ_MAX))
		return cli_fail_usage(t->o, "--hz: \"%s\" is not a number from 1 to %d", hz,
				      CPU_HZ_MAX);
	for (size_t i = 1; i < t->o->args.n; i++)
		strlist_add(&t->patterns, t->o->args.items[i]);
	return rc;
}

/* --- what the daemon says meanwhile ----------------------------------------------------------------- */

static void note_event(struct taking *t, const char *text, size_t len)
{
	auto_free(json_decrefp) json_t *event = json_loadb(text, len, 0, NULL);
	const char *name = json_string_value(json_object_get(event, "name"));
	const char *type = json_string_value(json_object_get(event, "type"));
	json_int_t pid = json_integer_value(json_object_get(event, "pid"));
	json_t *seq = json_object_get(event, "seq");
	char number[16];

	if (json_is_integer(seq))
		t->since = json_integer_value(seq);
	if (name == NULL || type == NULL || strcmp(type, "state_changed") != 0 ||
	    !strlist_has(&t->names, name))
		return;
	t->changed = true;
	snprintf(number, sizeof(number), "%d", (int)pid);
	if (pid > 0 && !strlist_has(&t->pids, number) && !strlist_has(&t->again, name))
		strlist_add(&t->again, name);
}

static void on_note(void *ctx, const char *line, size_t len)
{
	struct taking *t = ctx;
	size_t n;
	const char *text = client_params_text(line, len, "event", &n);

	if (text != NULL)
		note_event(t, text, n);
	else if (client_params_text(line, len, "profile.stop", &n) != NULL)
		t->enough = true;
}

/* Ask for events from now on, or from where we were. 0, or the exit code. */
static int subscribe(struct taking *t)
{
	json_t *params = t->since >= 0 ? json_pack("{s:I}", "since", (json_int_t)t->since) :
		json_object();
	const char *text;
	size_t len;
	int rc = call_ask(&t->call, "events.subscribe", params, &text, &len);

	if (rc == 0 && t->since < 0) {
		auto_free(json_decrefp) json_t *result = json_loadb(text, len, 0, NULL);

		t->since = json_integer_value(json_object_get(result, "since"));
	}
	return rc;
}

static void hang_up(struct taking *t)
{
	client_fini(&t->call.client);
	t->call.client.fd = -1;
}

/* The supervisor died: its successor answers at the same place. Without it the sampling goes on,
 * too, for the events are ours. */
static void call_back(struct taking *t)
{
	const char *text;
	size_t len;

	if (call_reopen(&t->call) < 0) {
		hang_up(t);
		return;
	}
	t->call.client.takes_fds = true;
	t->call.client.deadline_ns = clock_mono_ns() + CALL_PATIENCE_MS * NS_PER_MS;
	if (client_ask(&t->call.client, "events.subscribe",
		       json_pack("{s:I}", "since", (json_int_t)t->since), &text, &len) <= 0)
		hang_up(t);
}

static void listen_to(struct taking *t)
{
	const char *line;
	size_t len;

	t->call.client.deadline_ns = clock_mono_ns() + TIDY_MS * NS_PER_MS;
	do {
		int rc = client_line(&t->call.client, &line, &len);

		if (rc <= 0) {
			if (rc != -ETIMEDOUT)
				call_back(t);
			return;
		}
		on_note(t, line, len);
	} while (client_has_line(&t->call.client));
}

/* --- events of processes -------------------------------------------------------------------------- */

static int *cpus_of(const json_t *result, size_t *n)
{
	const json_t *list = json_object_get(result, "cpus");
	int *cpus = x_calloc(json_array_size(list) + 1, sizeof(*cpus));

	*n = json_array_size(list);
	for (size_t i = 0; i < *n; i++)
		cpus[i] = (int)json_integer_value(json_array_get(list, i));
	return cpus;
}

static void process_add(struct taking *t, const json_t *process)
{
	const char *name = json_string_value(json_object_get(process, "name"));
	int pid = (int)json_integer_value(json_object_get(process, "pid"));
	char *number = x_asprintf("%d", pid);

	cpu_session_add_process(t->session, pid);
	if (name == NULL || !json_is_true(json_object_get(process, "main"))) {
		free(number);
		return;
	}
	strlist_take(&t->comments, x_asprintf("%s: pid %d", name, pid));
	strlist_take(&t->pids, number);
	if (!strlist_has(&t->names, name))
		strlist_add(&t->names, name);
}

/* Sample on what RESULT came with. 0, or the exit code after the failure was told. */
static int attach(struct taking *t, const json_t *result)
{
	struct client *client = &t->call.client;
	const json_t *processes = json_object_get(result, "processes");
	auto_free(error_fini) struct error e = ERROR_INIT;
	auto_free(freep) int *cpus = NULL;
	size_t ncpus, nfds = client->nfds, i;
	json_t *process;

	cpus = cpus_of(result, &ncpus);
	if (ncpus == 0 || nfds == 0 || nfds % ncpus != 0 ||
	    (json_int_t)nfds != json_integer_value(json_object_get(result, "events"))) {
		error_set(&e, ERROR_RESOURCE_FDS, 0, "%zu of %d perf events arrived: is the limit on "
			  "open files too low?", nfds,
			  (int)json_integer_value(json_object_get(result, "events")));
		return cli_fail(t->o, EXIT_FAILED, RPC_SERVER_ERROR, &e, NULL);
	}
	client->nfds = 0;
	if (cpu_session_attach(t->session, cpus, ncpus, take(client->fds), nfds, &e) < 0)
		return cli_fail(t->o, EXIT_FAILED, RPC_SERVER_ERROR, &e, NULL);
	json_array_foreach(processes, i, process)
		process_add(t, process);
	t->left_out += (uint32_t)json_integer_value(json_object_get(result, "left_out"));
	t->kernel = json_is_true(json_object_get(result, "kernel"));
	return 0;
}

static json_t *request_of(const struct taking *t, const struct strlist *names)
{
	json_t *params = json_pack("{s:s}", "kind", "cpu");
	json_t *list = json_array();

	for (size_t i = 0; i < names->n; i++)
		json_array_append_new(list, json_text(names->items[i]));
	json_object_set_new(params, "names", list);
	if (t->hz > 0)
		json_object_set_new(params, "hz", json_integer(t->hz));
	return params;
}

static int begin(struct taking *t)
{
	auto_free(json_decrefp) json_t *result = NULL;
	const char *text, *output = cli_value(t->o, "output");
	size_t len;
	int rc = call_open(&t->call, t->o);

	t->call.client.notified = on_note;
	t->call.client.ctx = t;
	t->call.client.takes_fds = true;
	if (rc == 0 && t->patterns.n > 0)
		rc = subscribe(t);
	if (rc == 0)
		rc = call_ask(&t->call, "profile.start", request_of(t, &t->patterns), &text, &len);
	if (rc != 0)
		return rc;
	result = json_loadb(text, len, 0, NULL);
	if (!json_is_object(result))
		return call_broken(&t->call, -EPROTO);
	t->hz = json_integer_value(json_object_get(result, "hz"));
	if (output == NULL)
		output = json_string_value(json_object_get(result, "output"));
	t->output = x_strdup(output != NULL ? output : "cpu_profile.pb");
	t->session = cpu_session_new((unsigned)MAX(t->hz, 1));
	return attach(t, result);
}

/* A subsystem has a new process. That it is gone again is no failure of ours. */
static void attach_again(struct taking *t)
{
	auto_free(strlist_fini) struct strlist names = t->again;
	const char *line, *text;
	size_t len, n;

	t->again = (struct strlist)STRLIST_INIT;
	for (size_t i = 0; i < names.n && t->call.client.fd >= 0; i++) {
		auto_free(strlist_fini) struct strlist one = STRLIST_INIT;
		auto_free(json_decrefp) json_t *result = NULL;

		strlist_add(&one, names.items[i]);
		t->call.client.deadline_ns = clock_mono_ns() + CALL_PATIENCE_MS * NS_PER_MS;
		if (client_ask(&t->call.client, "profile.start", request_of(t, &one), &line,
			       &len) <= 0) {
			hang_up(t);
			return;
		}
		text = client_result_text(line, len, &n);
		result = text != NULL ? json_loadb(text, n, 0, NULL) : NULL;
		if (json_is_object(result) && attach(t, result) != 0)
			t->enough = true;
	}
}

/* All that was sampled has ended: will there be more? */
static bool more_to_come(struct taking *t)
{
	static const char *const lively[] = { "starting", "running", "restarting", "stopping" };
	auto_free(json_decrefp) json_t *result = NULL;
	const char *line, *text;
	size_t len, n, i;
	json_t *s;

	if (t->patterns.n == 0 || t->call.client.fd < 0)
		return false;
	t->call.client.deadline_ns = clock_mono_ns() + TIDY_MS * NS_PER_MS;
	if (client_ask(&t->call.client, "status.get", call_names(&(struct cli_options){
		       .args = t->names }), &line, &len) <= 0)
		return false;
	text = client_result_text(line, len, &n);
	result = text != NULL ? json_loadb(text, n, 0, NULL) : NULL;
	json_array_foreach(json_object_get(result, "subsystems"), i, s) {
		const char *state = json_string_value(json_object_get(s, "state"));

		for (size_t k = 0; state != NULL && k < ARRAY_LEN(lively); k++)
			if (strcmp(state, lively[k]) == 0)
				return true;
	}
	return false;
}

/* --- sampling --------------------------------------------------------------------------------------- */

static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* One round: wait, take, listen. */
static void round_wait(struct taking *t, int signals, int64_t left_ns)
{
	auto_free(freep) struct pollfd *fds =
		x_calloc(cpu_session_npoll(t->session) + 2, sizeof(*fds));
	size_t n = cpu_session_poll(t->session, fds);
	bool lives = cpu_session_lives(t->session);
	int64_t ms = (left_ns + NS_PER_MS - 1) / NS_PER_MS;

	fds[n] = (struct pollfd){ .fd = signals, .events = POLLIN };
	fds[n + 1] = (struct pollfd){ .fd = t->call.client.fd, .events = POLLIN };
	/* what came together with an answer was read already, and wakes nobody */
	if (client_has_line(&t->call.client) || (!lives && t->changed))
		ms = 0;
	if (poll(fds, n + 2, (int)(lives ? MIN(ms, (int64_t)CPU_ROUND_MS) : ms)) < 0)
		return;
	cpu_session_polled(t->session, fds, n);
	if (fds[n].revents != 0)
		t->enough = true;
	if (fds[n + 1].revents != 0 || client_has_line(&t->call.client))
		listen_to(t);
	if (t->again.n > 0)
		attach_again(t);
}

/* Returns whether all ended before the time was up. */
static bool sample(struct taking *t)
{
	auto_free(closep) int signals = signals_open();
	int64_t until_ns = clock_mono_ns() + t->length_ns;
	bool waiting = false;

	while (!t->enough) {
		int64_t left_ns = until_ns - clock_mono_ns();

		if (left_ns <= 0)
			return false;
		round_wait(t, signals, left_ns);
		if (cpu_session_lives(t->session)) {
			waiting = false;
			continue;
		}
		/* asked once, and again when something has changed */
		if (!waiting || t->changed) {
			t->changed = false;
			if (!more_to_come(t))
				return true;
			waiting = true;
			if (t->again.n > 0)
				attach_again(t);
		}
	}
	return false;
}

/* --- the file --------------------------------------------------------------------------------------- */

static bool to_stdout(const struct taking *t)
{
	return strcmp(t->output, "-") == 0;
}

/* Before the sampling: nobody wants to wait for a refusal. */
static int output_open(struct taking *t)
{
	auto_free(error_fini) struct error e = ERROR_INIT;

	t->fd = to_stdout(t) ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0) :
		open(t->output, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
	if (t->fd >= 0)
		return 0;
	error_set(&e, ERROR_IO, errno, "cannot write %s", t->output);
	return cli_fail(t->o, EXIT_CANNOT_CREATE, RPC_SERVER_ERROR, &e, NULL);
}

static int output_write(struct taking *t, const struct strbuf *profile)
{
	auto_free(strbuf_fini) struct strbuf packed = STRBUF_INIT;
	auto_free(error_fini) struct error e = ERROR_INIT;
	const struct strbuf *out =
		gzip_add(&packed, profile->buf, profile->len) ? &packed : profile;
	int rc = 0;

	if (!to_stdout(t) && ftruncate(t->fd, 0) < 0 && errno != EINVAL)
		rc = -errno;
	if (rc == 0)
		rc = fd_write_all(t->fd, out->buf, out->len);
	if (rc == 0)
		return 0;
	error_set(&e, ERROR_IO, -rc, "cannot write %s", t->output);
	return cli_fail(t->o, EXIT_OS, RPC_SERVER_ERROR, &e, NULL);
}

static void tell_doubts(const struct taking *t, const struct cpu_totals *totals, bool ended)
{
	if (t->o->quiet)
		return;
	if (ended)
		fprintf(stderr, "procd: note: all of it ended after %.1f s\n",
			(double)totals->duration_ns / (double)NS_PER_SEC);
	if (totals->lost > 0)
		fprintf(stderr, "procd: note: %llu samples were lost\n",
			(unsigned long long)totals->lost);
	if (t->left_out > 0)
		fprintf(stderr, "procd: note: %u threads were left out: there are too many to sample "
			"(at most %d perf events)\n", t->left_out, CPU_EVENTS_MAX);
	if (totals->unreadable > 0)
		fprintf(stderr, "procd: note: /proc/PID/maps of %u processes may not be read by you: "
			"addresses in them have no names\n", totals->unreadable);
	if (totals->samples > 0 && totals->without_callers > totals->samples / 2)
		fprintf(stderr,
			"procd: note: most samples have no callers: the program keeps no frame "
			"pointers (compile it with -fno-omit-frame-pointer)\n");
}

static int tell(const struct taking *t, const struct cpu_totals *totals)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	double seconds = (double)totals->duration_ns / (double)NS_PER_SEC;
	json_t *names = json_array();

	if (t->o->json && !to_stdout(t)) {
		for (size_t i = 0; i < t->names.n; i++)
			json_array_append_new(names, json_text(t->names.items[i]));
		return cli_print_json(json_pack("{s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:b}", "kind", "cpu",
			"output", json_text(t->output), "names", names,
			"samples", (json_int_t)totals->samples, "lost", (json_int_t)totals->lost,
			"hz", (json_int_t)t->hz, "duration_ms",
			(json_int_t)(totals->duration_ns / NS_PER_MS), "kernel", t->kernel));
	}
	json_decref(names);
	for (size_t i = 0; i < t->names.n; i++)
		strbuf_addf(&out, "%s%s", i > 0 ? ", " : "", t->names.items[i]);
	strbuf_addf(&out, ": %llu samples, %.2f s of processor time in %.1f s%s: %s\n",
		    (unsigned long long)totals->samples, (double)totals->samples / (double)t->hz,
		    seconds, t->kernel ? "" : " (without the kernel)", t->output);
	if (t->o->quiet)
		return EXIT_OK;
	if (to_stdout(t))
		return fputs(out.buf, stderr) < 0 ? EXIT_OS : EXIT_OK;
	return cli_print(out.buf, out.len);
}

static int take_profile(struct taking *t)
{
	auto_free(strbuf_fini) struct strbuf profile = STRBUF_INIT;
	struct cpu_totals totals;
	bool ended;
	int rc = begin(t);

	if (rc == 0)
		rc = output_open(t);
	if (rc != 0)
		return rc;
	ended = sample(t);
	strlist_take(&t->comments, x_asprintf("%lld Hz of processor time, %s the kernel",
					      (long long)t->hz, t->kernel ? "with" : "without"));
	cpu_session_finish(t->session, &t->comments, &profile, &totals);
	rc = output_write(t, &profile);
	if (rc != 0)
		return rc;
	tell_doubts(t, &totals, ended);
	return tell(t, &totals);
}

int profile_cpu(const struct cli_options *o)
{
	struct taking t = { .o = o, .since = -1, .fd = -1 };
	int rc = read_wish(&t);

	nofile_claim(0, 3 * CPU_EVENTS_MAX);
	if (rc == 0) {
		rc = take_profile(&t);
		call_fini(&t.call);
	}
	cpu_session_free(t.session);
	closep(&t.fd);
	strlist_fini(&t.patterns);
	strlist_fini(&t.names);
	strlist_fini(&t.pids);
	strlist_fini(&t.again);
	strlist_fini(&t.comments);
	free(t.output);
	return rc;
}
