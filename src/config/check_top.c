/* Rules for what is said about procd itself, across keys and against the world around. */
#include "config/check.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "base/loop.h"
#include "config/family.h"
#include "config/type.h"

/* The setting of a top-level key by its field; NULL: not given. */
static const struct setting *given(const struct candidate *c, uint32_t at)
{
	for (size_t key = 0; key < schema_top_n; key++)
		if (schema[key].at == at)
			return scope_find(&c->top, (int)key);
	return NULL;
}

#define GIVEN(c, field) given(c, offsetof(struct config, field))

/* --- [shutdown] ----------------------------------------------------------------------------- */

static void check_order(const struct candidate *c, const struct setting *later,
			const struct setting *earlier, int64_t later_ms, int64_t earlier_ms,
			const char *later_name, const char *earlier_name)
{
	struct place place = check_place(c, later != NULL ? later : earlier);

	if (later_ms <= earlier_ms && !check_is_bad(later) && !check_is_bad(earlier))
		diag_error(c->diag, &place, "shutdown.%s (%lld ms) must be greater than "
			   "shutdown.%s (%lld ms)", later_name, (long long)later_ms, earlier_name,
			   (long long)earlier_ms);
}

static void check_shutdown(const struct candidate *c, struct config *config)
{
	const struct setting *timeout = GIVEN(c, shutdown.timeout_ms);
	const struct setting *force = GIVEN(c, shutdown.force_timeout_ms);
	const struct setting *kill = GIVEN(c, shutdown.kill_timeout_ms);
	int64_t base = config->shutdown.timeout_ms;

	if (force == NULL)
		config->shutdown.force_timeout_ms =
			MAX(config->shutdown.force_timeout_ms, base + base / 2);
	if (kill == NULL)
		config->shutdown.kill_timeout_ms = MAX(config->shutdown.kill_timeout_ms, base * 2);
	check_order(c, force, timeout, config->shutdown.force_timeout_ms, base, "force_timeout",
		    "timeout");
	check_order(c, kill, force, config->shutdown.kill_timeout_ms,
		    config->shutdown.force_timeout_ms, "kill_timeout", "force_timeout");
}

/* --- the rest of the top -------------------------------------------------------------------- */

/* It may be there in time. */
static void warn_parent(const struct candidate *c, const struct setting *s, const char *what,
			const char *path)
{
	const char *why = NULL;
	auto_free(freep) char *dir = s != NULL && !c->saved ? check_parent(path, &why) : NULL;
	struct place place = check_place(c, s);

	if (dir != NULL)
		diag_warn(c->diag, &place, "%s: the directory %s %s", what, dir, why);
}

/* Nobody would read of it in a log that cannot be written. */
static void check_log_file(const struct candidate *c, const struct config *config)
{
	const struct setting *s = GIVEN(c, logging.file);
	auto_free(freep) char *dir = NULL;
	const char *why = NULL;
	struct place place = check_place(c, s);

	if (s == NULL || c->saved)
		return;
	dir = check_parent(config->logging.file, &why);
	if (dir != NULL)
		diag_error(c->diag, &place, "logging.file: the directory %s %s", dir, why);
}

static void check_backend(const struct candidate *c, const struct config *config)
{
	auto_free(strbuf_fini) struct strbuf supported = STRBUF_INIT;
	const char *backend = config->performance.event_backend;
	const struct setting *s = GIVEN(c, performance.event_backend);
	struct place place = check_place(c, s);

	if (s == NULL || loop_backend_works(backend))
		return;
	loop_backends_supported(&supported);
	diag_error(c->diag, &place, "event back end \"%s\" is not supported here; supported are %s",
		   backend, supported.buf);
}

/* A longer path cannot be bound, whatever the directory. */
static void check_socket(const struct candidate *c, const struct config *config)
{
	const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
	const struct setting *socket = GIVEN(c, control.socket), *run_dir = GIVEN(c, run_dir);
	struct place place = check_place(c, socket != NULL ? socket : run_dir);

	if (strlen(config->control.socket) > max)
		diag_error(c->diag, &place, "control.socket: the path of a socket has at most %zu "
			   "bytes, %s has %zu; set a shorter run_dir or control.socket", max,
			   config->control.socket, strlen(config->control.socket));
}

static void check_signals(const struct candidate *c, const struct config *config)
{
	for (uint32_t i = 0; i < c->top.n; i++) {
		const struct setting *s = &c->top.settings[i];
		const struct option *o = schema_row(s->key);
		struct place place = check_place(c, s);
		int signo = s->key >= (int)schema_n ? s->key - (int)schema_n : o->index;
		const char *target;
		uint32_t first, n;

		if (o->type != &type_signal_action || signo <= 0 || signo >= NSIG)
			continue;
		target = config->signals[signo].target;
		if (target != NULL && !config_select(config, target, &first, &n))
			diag_error(c->diag, &place, "forward:%s: there is no subsystem \"%s\"",
				   target, target);
	}
}

void check_start(const struct candidate *c, const struct config *config)
{
	check_backend(c, config);
	check_socket(c, config);
}

void check_top(const struct candidate *c, struct config *config)
{
	check_shutdown(c, config);
	check_start(c, config);
	check_signals(c, config);
	check_log_file(c, config);
	check_http(c, config);
	warn_parent(c, GIVEN(c, pid_file), "pid_file", config->pid_file);
	warn_parent(c, GIVEN(c, events.output), "events.output", config->events.output_path);
}
