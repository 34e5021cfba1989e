/* The daemon's half of `procd upgrade`. A thread opens the new executable and lets it check the
 * running state; only if it agrees does this supervisor leave: answers the client, closes its rooms
 * as at an end, but ends nothing. The keeper does the rest, and whoever serves next tells how it
 * went, because the client asks again. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/signame.h"
#include "base/thread.h"
#include "command/selfcheck.h"
#include "command/supervisor.h"
#include "config.h"
#include "config/store.h"

#define CHECK_LIMIT_MS 10000
/* Whoever waits for the end of an order is let wait in peace, for a while. */
#define ORDERS_GRACE_NS (5 * NS_PER_SEC)
#define ORDERS_LOOK_NS (20 * NS_PER_MS)

struct upgrade_job {
	struct mail mail;
	struct supervisor *supervisor;
	struct control_order *order;
	pthread_t thread;
	char *path;
	bool by_default, keeper_too;
	struct strlist argv;
	struct selfcheck check;
	struct error error;
	struct loop_timer look;		/* the check is done; when may we leave? */
	int64_t leave_by_ns;
};

/* --- the thread --------------------------------------------------------------------------------- */

/* It will run with our rights: nobody else may be able to put something else there. */
static bool is_trusted(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & S_IWOTH);
}

static int binary_open(struct upgrade_job *job)
{
	static const char deleted[] = " (deleted)";
	size_t n = strlen(job->path);
	struct stat st;

	/* where the running one was found; a package has put a new one there since */
	if (job->by_default && n > sizeof(deleted) - 1 &&
	    strcmp(job->path + n - (sizeof(deleted) - 1), deleted) == 0)
		job->path[n - (sizeof(deleted) - 1)] = '\0';
	job->check.exe = open(job->path, O_PATH | O_CLOEXEC);
	if (job->check.exe < 0)
		error_set(&job->error, errno == ENOENT ? ERROR_IO_NOT_FOUND : ERROR_IO, errno,
			  "cannot open it");
	else if (fstat(job->check.exe, &st) < 0)
		error_set(&job->error, ERROR_IO, errno, "cannot look at it");
	else if (!S_ISREG(st.st_mode))
		error_set(&job->error, ERROR_IO, 0, "it is not a regular file");
	else if (!(st.st_mode & 0111))
		error_set(&job->error, ERROR_IO, 0, "it is not executable");
	else if (!is_trusted(&st))
		error_set(&job->error, ERROR_IO, 0, "it belongs to another user, or everybody may "
			  "write to it");
	return error_is_set(&job->error) ? -1 : 0;
}

static void *check_thread(void *arg)
{
	struct upgrade_job *job = arg;

	if (binary_open(job) == 0)
		(void)selfcheck_start(&job->check, &job->error);
	mailbox_send(&job->supervisor->checked, &job->mail);
	return NULL;
}

/* --- the main thread -------------------------------------------------------------------------- */

static void job_free(struct upgrade_job *job)
{
	loop_timer_set(&job->look, -1);
	closep(&job->check.exe);
	closep(&job->check.cancel_fd);
	strlist_fini(&job->argv);
	error_fini(&job->error);
	free(job->path);
	free(job);
}

static void arguments(const struct supervisor *s, struct upgrade_job *job)
{
	auto_free(freep) char *proto = NULL, *handover = NULL;

	/* what is replaced, too, need not be understood */
	proto = x_asprintf("%d", job->order->keeper_too ? 0 : KEEPER_PROTO_VERSION);
	handover = x_asprintf("%u", job->order->keeper_too ? s->welcome.handover : 0);
	strlist_add(&job->argv, "procd");
	strlist_add(&job->argv, CHECK_ROLE);
	strlist_add(&job->argv, proto);
	strlist_add(&job->argv, handover);
	strlist_add(&job->argv, s->run_dir);
	for (int i = 0; i < s->options->argc; i++)
		strlist_add(&job->argv, s->options->argv[i]);
	job->check.argv = job->argv.items;
}

static void order_refuse(struct control_order *order, enum error_code code, const char *why)
{
	error_set(&order->error, code, 0, "%s", why);
	control_answer(order);
}

static void upgrade_drop(struct supervisor *s, enum error_code code, const char *why)
{
	struct upgrade_job *job = take(s->upgrade);

	order_refuse(job->order, code, why);
	job_free(job);
}

/* --- how it went ------------------------------------------------------------------------------ */

static void describe(const struct km_upgraded *u, struct strbuf *out)
{
	const char *who = u->keeper ? "the new procd (keeper and supervisor)" : "the new procd";

	switch ((enum upgrade_outcome)u->outcome) {
	case UPGRADE_NO_EXEC:
		strbuf_addf(out, "%s cannot be executed: %s", who, strerror(u->detail));
		break;
	case UPGRADE_NONSENSE:
		strbuf_addf(out, "%s did not speak as a supervisor does", who);
		break;
	case UPGRADE_LATE:
		strbuf_addf(out, "%s was not ready within 10 s", who);
		break;
	case UPGRADE_NO_HANDOVER:
		strbuf_addf(out, "the keeper could not hand itself over: %s", strerror(u->detail));
		break;
	case UPGRADE_REFUSED:
		strbuf_addf(out, "the new keeper could not read what it was handed over");
		break;
	case UPGRADE_DIED:
	case UPGRADE_DIED_SOON:
		if (WIFSIGNALED(u->detail))
			strbuf_addf(out, "%s was killed by %s", who, signame(WTERMSIG(u->detail)));
		else
			strbuf_addf(out, "%s ended with exit code %d", who, WEXITSTATUS(u->detail));
		strbuf_addf(out, u->outcome == UPGRADE_DIED ? " before it was ready" :
			    " within 10 s");
		break;
	case UPGRADE_NONE:
	case UPGRADE_DONE:
	case UPGRADE_OUTCOMES:
		break;
	}
	strbuf_addstr(out, "; the old one goes on");
}

static bool has_failed(const struct km_upgraded *u)
{
	return u->outcome != UPGRADE_NONE && u->outcome != UPGRADE_DONE;
}

void upgrade_tell(const struct supervisor *s)
{
	const struct km_upgraded *u = &s->welcome.upgraded;
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	if (u->id == 0 || (u->outcome == UPGRADE_DONE) || (has_failed(u) && !u->news))
		return;
	if (!has_failed(u)) {
		log_info("upgraded: procd " PROCD_VERSION " (%s) goes on%s", s->welcome.exe,
			 u->keeper ? ", as keeper, too" : "");
		return;
	}
	describe(u, &text);
	log_error("the upgrade failed: %s", text.buf);
}

/* A client asks what became of upgrade number HANDOVER. */
static void answer_outcome(const struct supervisor *s, struct control_order *order)
{
	const struct km_upgraded *u = &s->welcome.upgraded;
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	if (order->handover > u->id && s->upgrade) {
		order->result = json_pack("{s:b}", "under_way", 1);
	} else if (order->handover > u->id) {
		/* whoever took it has not lived to tell the keeper, and nobody else knows of it */
		error_set(&order->error, ERROR_RUNTIME_SPAWN, 0,
			  "the supervisor that was to be replaced died before it could hand over: "
			  "there was no upgrade, procd " PROCD_VERSION " goes on");
	} else if (order->handover == u->id && has_failed(u)) {
		describe(u, &text);
		error_set(&order->error, u->outcome == UPGRADE_NO_EXEC ? ERROR_PLATFORM :
			  ERROR_RUNTIME_SPAWN, 0, "%s", text.buf);
	} else {
		order->result = json_pack("{s:s, s:i, s:i}", "version", PROCD_VERSION,
					  "keeper_pid", s->welcome.keeper_pid,
					  "supervisor_pid", (int)getpid());
	}
	control_answer(order);
}

/* --- leaving ---------------------------------------------------------------------------------- */

/* A reload under way has to be applied, and who waits for an order wants its answer. */
static bool may_leave(const struct supervisor *s)
{
	if (s->reload_pending)
		return false;
	return control_orders(s->control) <= 1 || clock_mono_ns() >= s->upgrade->leave_by_ns;
}

static void look_due(struct loop_timer *t)
{
	struct upgrade_job *job = container_of(t, struct upgrade_job, look);
	struct supervisor *s = job->supervisor;
	struct control_order *order = job->order;

	if (s->finished)
		return;
	if (board_daemon(s->board)->state == DAEMON_STOPPING) {
		upgrade_drop(s, ERROR_SHUTDOWN_IN_PROGRESS, "procd is shutting down");
		return;
	}
	if (!may_leave(s)) {
		loop_timer_set(t, ORDERS_LOOK_NS);
		return;
	}
	log_info("procd %s (%s) takes over", job->check.version, job->path);
	order->result = json_pack("{s:I, s:s, s:s}", "handover",
				  (json_int_t)s->welcome.upgraded.id + 1, "from", PROCD_VERSION,
				  "to", job->check.version);
	job->order = NULL;
	control_answer(order);
	s->yielding = s->finished = true;
	ev_break(s->loop, EVBREAK_ALL);
}

void upgrade_on_checked(void *ctx, struct mail *mail)
{
	struct supervisor *s = ctx;
	struct upgrade_job *job = container_of(mail, struct upgrade_job, mail);

	if (job->thread != 0)
		pthread_join(job->thread, NULL);
	job->thread = 0;
	if (s->finished && !error_is_set(&job->error))
		error_set(&job->error, ERROR_SHUTDOWN_IN_PROGRESS, 0, "procd is shutting down");
	if (error_is_set(&job->error)) {
		error_prefix(&job->error, "%s", job->path);
		log_warn("no upgrade: %s", job->error.message);
		job->order->error = job->error;
		job->error = (struct error)ERROR_INIT;
		s->upgrade = NULL;
		control_answer(job->order);
		job_free(job);
		return;
	}
	job->leave_by_ns = clock_mono_ns() + ORDERS_GRACE_NS;
	loop_timer_set(&job->look, 0);
}

void upgrade_request(struct supervisor *s, struct control_order *order)
{
	struct upgrade_job *job;
	int rc;

	if (order->handover != 0) {
		answer_outcome(s, order);
		return;
	}
	if (s->upgrade) {
		order_refuse(order, ERROR_STATE_TRANSITION, "another upgrade is under way");
		return;
	}
	if (board_daemon(s->board)->state == DAEMON_STOPPING) {
		order_refuse(order, ERROR_SHUTDOWN_IN_PROGRESS, "procd is shutting down");
		return;
	}
	if (order->keeper_too && s->welcome.handover == 0) {
		order_refuse(order, ERROR_PLATFORM_FEATURE, "this keeper cannot be replaced");
		return;
	}
	if (!order->binary && s->welcome.exe[0] == '\0') {
		order_refuse(order, ERROR_STATE_VALUE, "it is not known where this procd was "
			     "started from: name the new one");
		return;
	}
	job = x_calloc(1, sizeof(*job));
	job->supervisor = s;
	job->order = order;
	job->keeper_too = order->keeper_too;
	job->by_default = order->binary == NULL;
	job->path = x_strdup(order->binary ? order->binary : s->welcome.exe);
	job->check.exe = -1;
	job->check.cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	job->check.limit_ms = CHECK_LIMIT_MS;
	loop_timer_init(&job->look, s->loop, look_due);
	arguments(s, job);
	rc = thread_start(&job->thread, "upgrade", check_thread, job);
	if (rc < 0) {
		auto_free(freep) char *why = x_asprintf("cannot start a thread: %s", strerror(-rc));

		order_refuse(order, ERROR_RUNTIME_SPAWN, why);
		job_free(job);
		return;
	}
	s->upgrade = job;
}

void upgrade_yield(struct supervisor *s)
{
	struct upgrade_job *job = s->upgrade;

	keeper_yield(s->keeper, job->check.exe, job->path, job->keeper_too);
	job_free(job);
	s->upgrade = NULL;
}

void upgrade_cancel(struct supervisor *s)
{
	struct upgrade_job *job = s->upgrade;
	uint64_t one = 1;

	if (job && job->thread != 0) {
		(void)!write(job->check.cancel_fd, &one, sizeof(one));
		pthread_join(job->thread, NULL);
		job->thread = 0;
	}
	mailbox_fini(&s->checked);	/* delivers it */
	if (s->upgrade && !s->yielding)
		upgrade_drop(s, ERROR_SHUTDOWN_IN_PROGRESS, "procd is shutting down");
}
