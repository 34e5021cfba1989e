/* `procd upgrade`: order it, then ask whoever serves next how it went. The listening socket never
 * goes away, so there is always somebody to ask, sooner or later. */
#include <errno.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "command/call.h"
#include "command/verbs.h"

/* Trial of the new one, start of the old one, and some more. */
#define OUTCOME_PATIENCE_NS (30 * NS_PER_SEC)
#define ASK_AGAIN_NS (10 * NS_PER_MS)
/* The keeper holds the socket: where nobody listens for so long, there is no procd any more. */
#define NOBODY_NS NS_PER_SEC

/* The working directory is ours, not the daemon's. */
static char *absolute(const char *path)
{
	char cwd[PATH_MAX];

	if (path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		return x_strdup(path);
	return x_asprintf("%s/%s", cwd, path);
}

static json_t *parameters(const struct cli_options *o)
{
	json_t *params = json_object();

	if (o->args.n > 0) {
		auto_free(freep) char *path = absolute(o->args.items[0]);

		json_object_set_new(params, "binary", json_text(path));
	}
	if (cli_value(o, "keeper"))
		json_object_set_new(params, "keeper", json_true());
	return params;
}

/* One question. 1: *RESULT; 0: not yet, ask again; else the exit code, negated, told. */
static int ask(struct call *call, json_int_t number, json_t **result)
{
	json_t *params = json_pack("{s:I}", "handover", number);
	const char *line, *text;
	size_t len, n;
	int rc;

	rc = client_ask(&call->client, "daemon.upgrade", params, &line, &len);
	if (rc == -ETIMEDOUT)
		return -call_broken(call, rc);
	if (rc <= 0)
		return 0;
	text = client_result_text(line, len, &n);
	if (!text)
		return -call_refused(call, line, len);
	*result = json_loadb(text, n, 0, NULL);
	if (json_is_true(json_object_get(*result, "under_way"))) {
		json_decref(take(*result));
		return 0;
	}
	return *result ? 1 : 0;
}

/* The outcome of upgrade NUMBER, told. */
static int outcome(struct call *call, json_int_t number, json_t **result)
{
	int64_t heard_ns = clock_mono_ns(), until_ns = heard_ns + OUTCOME_PATIENCE_NS;

	if (call->o->timeout_ms < 0)
		call->client.deadline_ns = until_ns;
	for (;;) {
		int rc = call_reopen(call);

		if (rc != -ECONNREFUSED && rc != -ENOENT)
			heard_ns = clock_mono_ns();
		else if (clock_mono_ns() - heard_ns >= NOBODY_NS)
			return call_broken(call, rc);
		rc = rc == 0 ? ask(call, number, result) : 0;
		if (rc != 0)
			return rc > 0 ? 0 : -rc;
		if (clock_mono_ns() >= call->client.deadline_ns)
			return call_broken(call, -ETIMEDOUT);
		nanosleep(&(struct timespec){ .tv_nsec = ASK_AGAIN_NS }, NULL);
	}
}

static int tell(const struct cli_options *o, json_t *result)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	if (o->json)
		return cli_print_json(json_incref(result));
	if (o->quiet)
		return EXIT_OK;
	strbuf_addf(&out, "procd %s serves, supervisor pid %d\n",
		    json_string_value(json_object_get(result, "version")),
		    (int)json_integer_value(json_object_get(result, "supervisor_pid")));
	return cli_print(out.buf, out.len);
}

int verb_upgrade(const struct cli_options *o)
{
	auto_free(json_decrefp) json_t *order = NULL, *result = NULL;
	auto_free(call_fini) struct call call;
	const char *text;
	size_t len;
	int rc = call_begin(&call, o, "daemon.upgrade", parameters(o), CALL_PATIENT, &text, &len);

	if (rc != 0)
		return rc;
	order = json_loadb(text, len, 0, NULL);
	if (!json_is_integer(json_object_get(order, "handover")))
		return call_broken(&call, -EPROTO);
	if (o->no_wait)
		return o->json ? cli_print_json(json_incref(order)) : EXIT_OK;
	rc = outcome(&call, json_integer_value(json_object_get(order, "handover")), &result);
	return rc != 0 ? rc : tell(o, result);
}
