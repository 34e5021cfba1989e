/* The rooms above keeper and config: opened from the ground up, closed in reverse. */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "command/socket_guard.h"
#include "command/supervisor.h"
#include "config/store.h"

#define LEAVING_TRIES 50	/* one second in all */

extern char **environ;

/* One killed before its first word has left neither a child nor a saved state. */
static bool anything_told(const struct supervisor *s)
{
	return s->welcome.recovering &&
	       (run_files_recorded(s) || core_saved_generation(s->memory_fd) != 0);
}

static int channel_open(struct supervisor *s, const struct config *config, struct error *e)
{
	auto_free(closep) int fd = run_file_open(s, EVENTS_FILE_NAME);
	bool empty = fd >= 0 && lseek(fd, 0, SEEK_END) == 0, lost = false;
	bool told = anything_told(s);

	s->chan = chan_open(fd, config->performance.memory_pool_size,
			    (uint32_t)config->events.history,
			    config->performance.lock_free ? CHAN_LOCK_FREE : CHAN_MUTEX, &lost);
	if (!s->chan) {
		error_set(e, ERROR_RESOURCE_MEMORY, errno, "cannot open the event ring");
		return EXIT_OS;
	}
	lost |= empty;
	/* numbers that were told once must not come again: no event takes less than a
	 * microsecond */
	if (told && (lost || fd < 0))
		chan_begin_at(s->chan, (uint64_t)(clock_mono_ns() -
						  s->welcome.keeper_started_mono_ns) / 1000);
	if (lost && told)
		log_warn("the event history in the run directory was unusable and begins anew");
	return 0;
}

/* Counting is worth a try, and no more than that. */
static void tally_begin(struct supervisor *s, const struct config *config)
{
	s->tally_fd =
		openat(s->run_dirfd, TALLY_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	s->tally = tally_open(s->tally_fd, RECORDS_MAX_SLOTS);
	tally_enable(s->tally, config->monitoring.enable_metrics);
}

/* A killed predecessor listens until the last of its threads is gone: at the start, where nothing
 * else can happen yet, that is waited for. */
static int listen_anew(const struct config *config, struct error *e)
{
	int fd = control_listen(config, e);

	for (int i = 0; i < LEAVING_TRIES && fd == -EADDRINUSE; i++) {
		error_fini(e);
		nanosleep(&(struct timespec){ .tv_nsec = 20 * NS_PER_MS }, NULL);
		fd = control_listen(config, e);
	}
	return fd;
}

/* The listening socket outlives a supervisor: the keeper holds it, clients wait in its backlog. */
static int control_open(struct supervisor *s, const int held[HOLD_MAX], const struct config *config,
			struct error *e)
{
	struct control_setup setup = {
		.listen_fd = -1,
		.board = s->board,
		.chan = s->chan,
		.output = s->output,
		.tally = s->tally,
		.records = &s->records,
		.orders = &s->orders,
		.main_loop = s->loop,
	};

	for (uint32_t i = 0; i < s->welcome.nheld; i++) {
		if (strcmp(s->welcome.held_keys[i], HOLD_CONTROL) == 0)
			setup.listen_fd = held[i];
		else
			close(held[i]);
	}
	if (setup.listen_fd < 0) {
		setup.listen_fd = listen_anew(config, e);
		if (setup.listen_fd < 0)
			return EXIT_CANNOT_CREATE;
		keeper_hold(s->keeper, HOLD_CONTROL, setup.listen_fd);
	}
	s->socket = control_listen_path(setup.listen_fd);
	if (!s->socket)
		s->socket = x_strdup(config->control.socket);
	/* whoever is answered must find every subsystem on the board; none is started before the
	 * loop */
	chan_cork(s->chan);
	core_start(s->core);
	notify_sockets_sweep(s->notify);
	chan_uncork(s->chan);
	s->control = control_start(&setup, e);
	return s->control ? 0 : EXIT_OS;
}

/* What the keeper holds for slots, to whom it belongs. */
static void take_held(struct supervisor *s)
{
	uint32_t slot;
	int fd;

	while ((fd = keeper_take_held(s->keeper, &slot)) >= 0)
		if (!listeners_take(s->listeners, slot, fd))
			notify_sockets_take(s->notify, slot, fd);
}

static void tell_refused_hints(struct supervisor *s)
{
	struct board_daemon *d = x_calloc(1, sizeof(*d));

	snprintf(d->degraded, sizeof(d->degraded), "%s", s->hints_refused.buf);
	board_put_daemon(s->board, d);
}

int rooms_open(struct supervisor *s, const int held[HOLD_MAX], struct error *e)
{
	const struct config *config = config_current();
	struct config_source source = supervisor_source(s->options);
	struct loader_running running = {
		.read = scale_read_running, .stage = bundle_stage, .ctx = s,
	};
	struct core_setup core = {
		.before = s->before,
		.ops = &supervisor_core_ops,
		.ops_ctx = s,
		.records = &s->records,
		.welcome = &s->welcome,
		.memory_fd = s->memory_fd,
		.notes_fd = s->notes_fd,
		.environment = environ,
		.main_name = s->options->main_name,
	};
	int rc = channel_open(s, config, e);

	if (rc != 0)
		return rc;
	s->board = board_new(RECORDS_MAX_SLOTS);
	tally_begin(s, config);
	tell_refused_hints(s);
	s->output = output_start(s->run_dirfd, s->chan, &s->drained, e);
	if (!s->output)
		return EXIT_OS;
	s->manager = service_manager_new(s->loop, s->welcome.keeper_pid);
	s->workers = workers_new("procd-reader", &s->works,
				  (unsigned)config->performance.worker_threads);
	s->file_watch = file_watch_new(&s->file_news);
	core.chan = s->chan;
	core.board = s->board;
	core.tally = s->tally;
	s->notify = notify_sockets_start(s);
	s->listeners = listeners_new(s);
	take_held(s);
	s->core = core_new(&core);
	listeners_tell(s->listeners);
	s->loader = loader_start(&source, config, &running, &s->loads, e);
	if (!s->loader)
		return EXIT_OS;
	loader_published(s->loader, config, config->hot_reload);
	/* the last: who is answered finds a procd that has come up */
	rc = control_open(s, held, config, e);
	if (rc == 0)
		s->guard = socket_guard_start(s);
	return rc;
}

void rooms_close(struct supervisor *s)
{
	if (s->loader)
		loader_stop(s->loader);
	workers_free(s->workers);
	listeners_stop(s->listeners);
	file_watch_free(s->file_watch);
	upgrade_cancel(s);
	if (WITH_PROFILING)
		profile_cancel(s);
	socket_guard_stop(s->guard);
	if (s->chan)
		chan_close(s->chan);
	if (s->control && s->yielding) {
		control_hand_over(s->control);	/* the socket stays, clients wait in its backlog */
		mailbox_fini(&s->orders);
	} else if (s->control) {
		control_stop(s->control);
		mailbox_fini(&s->orders);	/* late orders meet a core that still lives */
		unlink(s->socket);
	}
	free(s->socket);
	if (s->output)
		output_stop(s->output);
	mailbox_fini(&s->loads);
	mailbox_fini(&s->works);
	mailbox_fini(&s->file_news);
	mailbox_fini(&s->drained);
	if (s->core)
		core_free(s->core);
	notify_sockets_stop(s->notify, !s->yielding);
	listeners_free(s->listeners, !s->yielding);
	service_manager_free(s->manager);
	/* What was retired goes with the process: to wait until it is freed takes 10 ms. */
	board_free(s->board);
	chan_free(s->chan);
	tally_close(s->tally);
	closep(&s->tally_fd);
}
