/* One conversation per verb. The daemon's own error object is what --json prints; on a terminal its
 * message is enough, with the details that are lists on lines of their own. */
#include "command/call.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "command/verbs.h"

/* Nobody is there. Whoever named none may have meant another one. */
static void name_others(const struct cli_options *o, struct error *e)
{
	auto_free(freep) char *others = o->socket || o->config || o->name ? NULL :
		instances_running();
	char *message;

	if (!others)
		return;
	message = x_asprintf("%s; running here: %s (choose with --name)", e->message, others);
	free(e->message);
	e->message = message;
}

int call_open(struct call *call, const struct cli_options *o)
{
	struct error e = ERROR_INIT;
	int exit_code, rc;

	*call = (struct call){ .o = o, .client = CLIENT_INIT };
	call->path = socket_find(o, &exit_code);
	if (!call->path)
		return exit_code;
	if (o->timeout_ms >= 0)
		call->client.deadline_ns = clock_mono_ns() + o->timeout_ms * NS_PER_MS;
	rc = client_connect(&call->client, call->path, &e);
	if (rc == 0)
		return 0;
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		name_others(o, &e);
	rc = cli_fail(o, rc == -EACCES || rc == -EPERM ? EXIT_NOT_FOUND : EXIT_UNREACHABLE,
		      RPC_SERVER_ERROR, &e, NULL);
	error_fini(&e);
	return rc;
}

void call_fini(struct call *call)
{
	client_fini(&call->client);
	free(call->path);
	call->path = NULL;
}

int call_broken(struct call *call, int rc)
{
	struct error e = ERROR_INIT;
	int exit_code = EXIT_UNREACHABLE;

	if (rc == -ETIMEDOUT && call->o->timeout_ms >= 0) {
		error_set(&e, strcmp(call->o->verb->name, "shutdown") == 0 ? ERROR_SHUTDOWN_TIMEOUT :
			  ERROR_TIMEOUT, 0, "timed out%s",
			  call->o->verb->access > ACCESS_READ ? "; the action goes on" : "");
		exit_code = EXIT_TIMED_OUT;
	} else if (rc == -ETIMEDOUT) {
		error_set(&e, ERROR_TIMEOUT, 0, "procd at %s does not answer", call->path);
	} else {
		error_set(&e, call->o->verb->access > ACCESS_READ ? ERROR_RUNTIME_PANIC : ERROR_IO,
			  -rc, "procd at %s ended the connection", call->path);
	}
	exit_code = cli_fail(call->o, exit_code, RPC_SERVER_ERROR, &e, NULL);
	error_fini(&e);
	return exit_code;
}

int call_reopen(struct call *call)
{
	struct client old = call->client;
	struct error e = ERROR_INIT;
	int rc;

	client_fini(&old);
	call->client = (struct client)CLIENT_INIT;
	call->client.deadline_ns = old.deadline_ns;
	call->client.notified = old.notified;
	call->client.ctx = old.ctx;
	rc = client_connect(&call->client, call->path, &e);
	error_fini(&e);
	return rc;
}

static int exit_code_of(int code)
{
	switch (code) {
	case ERROR_SUBSYSTEM_NOT_FOUND:
	case ERROR_IO_PERMISSION:
		return EXIT_NOT_FOUND;
	case ERROR_CONFIG_INVALID:
	case ERROR_CONFIG_PARSE:
	case ERROR_CONFIG_MISSING:
	case ERROR_CONFIG_TYPE:
	case ERROR_SIGNAL_REGISTER:
		return EXIT_CONFIG;
	case ERROR_RESOURCE_FDS:
		return EXIT_UNREACHABLE;
	case ERROR_TIMEOUT:
	case ERROR_SHUTDOWN_TIMEOUT:
		return EXIT_TIMED_OUT;
	default:
		return EXIT_FAILED;
	}
}

/* Lines of TEXT made harmless, each behind PREFIX. */
static void complain(const char *prefix, const char *text)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	while (*text) {
		size_t n = strcspn(text, "\n");

		strbuf_addstr(&out, prefix);
		terminal_escape(text, n, &out);
		strbuf_addch(&out, '\n');
		text += n + (text[n] != '\0');
	}
	fputs(out.buf, stderr);
}

static void complain_failures(const json_t *failures)
{
	size_t i;
	json_t *failure;

	json_array_foreach(failures, i, failure) {
		const char *message = json_string_value(
			json_object_get(json_object_get(failure, "error"), "message"));

		complain("procd: ", message ? message : "failed");
	}
}

/* Tell an "error" object of the daemon; the exit code. */
static int tell_error(struct call *call, json_t *error)
{
	json_t *data = json_object_get(error, "data");
	json_t *failures = json_object_get(data, "failures");
	const char *message = json_string_value(json_object_get(error, "message"));
	int code = (int)json_integer_value(json_object_get(data, "code"));
	int exit_code = exit_code_of(code);

	if (!call->o->json)
		act_tell_partly(call->o, data);
	if (call->o->json)
		cli_print_json(json_pack("{s:O}", "error", error));
	else if (json_array_size(failures) > 1)
		complain_failures(failures);
	else
		complain(exit_code == EXIT_CONFIG && json_object_get(data, "errors") ? "" :
			 "procd: ", message ? message : "the request failed");
	return exit_code;
}

int call_refused(struct call *call, const char *line, size_t len)
{
	auto_free(json_decrefp) json_t *answer = json_loadb(line, len, 0, NULL);
	json_t *error = json_object_get(answer, "error");

	if (!json_is_object(error))
		return call_broken(call, -EPROTO);
	return tell_error(call, error);
}

int call_ask(struct call *call, const char *method, json_t *params, const char **text, size_t *len)
{
	const char *line;
	size_t n;
	int rc;

	if (call->o->timeout_ms < 0)
		call->client.deadline_ns = call->patience == CALL_PATIENT ? INT64_MAX :
			clock_mono_ns() + CALL_PATIENCE_MS * NS_PER_MS;
	rc = client_ask(&call->client, method, params, &line, &n);
	if (rc <= 0)
		return call_broken(call, rc);
	*text = client_result_text(line, n, len);
	return *text ? 0 : call_refused(call, line, n);
}

int call_begin(struct call *call, const struct cli_options *o, const char *method, json_t *params,
	       enum call_patience patience, const char **text, size_t *len)
{
	int rc = call_open(call, o);

	call->patience = patience;
	if (rc == 0)
		return call_ask(call, method, params, text, len);
	json_decref(params);
	return rc;
}

int call_once(const struct cli_options *o, const char *method, json_t *params,
	      enum call_patience patience, json_t **result)
{
	auto_free(call_fini) struct call call;
	const char *text;
	size_t len;
	int rc = call_begin(&call, o, method, params, patience, &text, &len);

	if (rc != 0)
		return rc;
	*result = json_loadb(text, len, JSON_DECODE_ANY, NULL);
	return *result ? 0 : call_broken(&call, -EPROTO);
}

json_t *call_names(const struct cli_options *o)
{
	json_t *params = json_object();

	if (o->args.n == 0)
		return params;
	json_object_set_new(params, "names", json_array());
	for (size_t i = 0; i < o->args.n; i++)
		json_array_append_new(json_object_get(params, "names"),
				      json_text(o->args.items[i]));
	return params;
}
