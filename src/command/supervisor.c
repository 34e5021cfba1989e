/* The supervisor's life: read the configuration, meet the keeper, open the rooms, run the loop,
 * close them again. It may be killed at any line of this file: whatever must outlive it is in the
 * run directory or with the keeper. */
#include "command/supervisor.h"

#include <config.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rcu.h"
#include "base/resident.h"
#include "base/title.h"
#include "command/hints.h"
#include "command/privileges.h"
#include "config.h"
#include "config/store.h"
#include "output/ownlog.h"

#define EVENTS_MAPPED 128	/* their pages, and those of the state that they changed */

int supervisor_config(const char *run_dir, const struct run_options *options,
		      struct config **config, struct strbuf *bundle, uint64_t *generation)
{
	struct config_source source = supervisor_source(options);
	auto_free(strbuf_fini) struct strbuf saved = STRBUF_INIT;
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct config_diag diag = CONFIG_DIAG_INIT;
	int rc;

	if (*run_dir && bundle_read(run_dir, &saved, generation)) {
		source.bundle = saved.buf;
		source.bundle_len = saved.len;
	}
	rc = config_load(&source, config, &diag, bundle);
	if (rc == 0 && (*config)->logging.json) {
		log_set_sink(ownlog_early_json, NULL);
		if (!options->no_file)
			supervisor_log_issues(&diag);
	} else {
		config_diag_print(&diag, !options->no_file, &text);
		(void)fd_write_all(STDERR_FILENO, text.buf, text.len);
	}
	config_diag_fini(&diag);
	return rc;
}

/* What the children of an unfinished change were started with; NULL: there was none. */
static struct config *config_before(const struct supervisor *s)
{
	struct config_source source = supervisor_source(s->options);
	auto_free(strbuf_fini) struct strbuf saved = STRBUF_INIT;
	struct config_diag diag = CONFIG_DIAG_INIT;
	struct config *config;

	if (!bundle_read_before(s->run_dir, &saved))
		return NULL;
	source.bundle = saved.buf;
	source.bundle_len = saved.len;
	if (config_load(&source, &config, &diag, NULL) != 0)
		config = NULL;
	config_diag_fini(&diag);
	return config;
}

/* For who reads the log of a machine that is not theirs. */
static void tell_build(void)
{
	auto_free(strbuf_fini) struct strbuf with = STRBUF_INIT;

#define NAME_IF_BUILT(name, built)                                                                \
	if (built)                                                                                \
		strbuf_addstr(&with, " " #name);
	BUILD_FEATURES(NAME_IF_BUILT)
#undef NAME_IF_BUILT
	log_debug("procd %s, built with%s", PROCD_VERSION, with.len > 0 ? with.buf : " no feature");
}

static void tell_unknown_variables(void)
{
	auto_free(strlist_fini) struct strlist names = STRLIST_INIT;

	config_unknown_variables(&names);
	for (size_t i = 0; i < names.n; i++)
		log_debug("%s is no known key and is ignored", names.items[i]);
}

static int keeper_open(struct supervisor *s, int keeper_fd, const struct config *config,
		       int held[HOLD_MAX], struct error *e)
{
	struct km_setup *setup = x_calloc(1, sizeof(*setup));
	int rc;

	setup->h.type = KM_SETUP;
	setup->h.size = sizeof(*setup);
	setup->version = KEEPER_PROTO_VERSION;
	setup->slots = (uint32_t)config->nsubsystems;
	snprintf(setup->name, sizeof(setup->name), "%s", config->name);
	snprintf(setup->run_dir, sizeof(setup->run_dir), "%s", s->run_dir);
	snprintf(setup->pid_file, sizeof(setup->pid_file), "%s",
		 config->pid_file ? config->pid_file : "");
	rc = keeper_client_open(&s->keeper, keeper_fd, setup, &s->welcome, &s->run_dirfd,
				&s->records, held, e);
	free(setup);
	return rc;
}

/* The last words to the keeper, which waits for this process to end. */
static int leave(struct supervisor *s, int exit_code)
{
	bool said = !s->yielding && keeper_leave(s->keeper, exit_code);

	/* not before: who did not say that it is over, or was killed, has a successor */
	if (s->finished && said)
		run_files_end(s);
	keeper_client_free(s->keeper);
	alarm_free(s->alarm);
	records_unmap(&s->records);
	closep(&s->memory_fd);
	closep(&s->notes_fd);
	ev_loop_destroy(s->loop);
	close(s->run_dirfd);
	strbuf_fini(&s->unsaved);
	strbuf_fini(&s->hints_refused);
	return exit_code;
}

/* Everything was started: from now on there is little to do. */
static bool start_is_over(struct supervisor *s)
{
	bool running = board_daemon(s->board)->state == DAEMON_RUNNING;
	bool over = running && !s->was_running;

	s->was_running = running;
	return over;
}

/* A start of thousands touches many pages of files that are hardly looked at again. */
static void let_go_of_pages(struct supervisor *s)
{
	uint64_t seq = chan_last_seq(s->chan);

	if (start_is_over(s)) {
		malloc_trim(0);
		resident_drop_program();
		keeper_settled(s->keeper);
	} else if (seq - s->unmapped_seq < EVENTS_MAPPED) {
		return;
	}
	s->unmapped_seq = seq;
	chan_unmap_idle(s->chan);
	tally_unmap_idle(s->tally);
	core_unmap_idle(s->core);
}

/* Once per loop turn, before it sleeps: decide, then be woken at the next deadline. */
static void on_before_sleep(struct loop_prepare *p)
{
	struct supervisor *s = container_of(p, struct supervisor, before_sleep);
	int64_t next, left;

	chan_cork(s->chan);	/* one wake-up of each reader per turn, not one per event */
	core_settle(s->core);
	chan_uncork(s->chan);
	let_go_of_pages(s);
	keeper_turn_ends(s->keeper);
	next = core_next_deadline(s->core);
	left = next - clock_mono_ns();
	loop_timer_set(&s->deadline, next == INT64_MAX ? -1 : MAX(left, 0));
	alarm_set(s->alarm, core_next_moment(s->core));
}

static void on_deadline(struct loop_timer *t)
{
	(void)t;	/* the turn that it causes is all that is needed */
}

static int loop_open(struct supervisor *s, const struct config *config, struct error *e)
{
	loop_choose(config->performance.event_backend);
	s->loop = loop_new("auto");
	if (!s->loop) {
		error_set(e, ERROR_PLATFORM_FEATURE, errno, "event back end \"%s\" does not work "
			  "here", config->performance.event_backend);
		return EXIT_OS;
	}
	mailbox_init(&s->orders, s->loop, supervisor_on_order, s);
	mailbox_init(&s->loads, s->loop, supervisor_on_load, s);
	mailbox_init(&s->works, s->loop, supervisor_on_work, s);
	mailbox_init(&s->file_news, s->loop, supervisor_on_file_news, s);
	mailbox_init(&s->drained, s->loop, supervisor_on_drained, s);
	mailbox_init(&s->checked, s->loop, upgrade_on_checked, s);
	list_init(&s->profiles);
	if (WITH_PROFILING)
		mailbox_init(&s->profiled, s->loop, profile_on_opened, s);
	loop_timer_init(&s->deadline, s->loop, on_deadline);
	s->alarm = alarm_new(s->loop);
	return 0;
}

static void process_prepare(void)
{
	sigset_t all;

	/* Everything that a person sends arrives at the keeper; nothing may end this process but
	 * KILL. Blocked, not ignored: children are made by the keeper anyway. */
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGABRT);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGPIPE, SIG_IGN);
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 64 * 1024);
	rcu_register_thread();
	rcu_helper_start();
}

static int fail(const struct error *e, int exit_code)
{
	fprintf(stderr, "procd: %s\n", e->message);
	return exit_code;
}

/* What the one before left behind is taken up or removed, and *CONFIG is in force. GENERATION: what
 * was saved had; 0: nothing was. */
static void take_up(struct supervisor *s, struct config **config, struct strbuf *bundle,
		    uint64_t generation)
{
	bool recovering = s->welcome.recovering;

	if (!recovering && (run_files_recorded(s) || run_files_killed(s)))
		scale_inherit(s->run_dir, s->options, config, bundle);
	supervisor_claim_descriptors(s, *config);
	if (recovering || run_files_killed(s))
		run_files_drop_unfinished(s);
	if (!recovering)
		run_files_reset(s);
	s->memory_fd = run_file_open(s, MEMORY_FILE_NAME);
	s->notes_fd = run_file_open(s, NOTES_FILE_NAME);
	config_publish(*config, MAX(generation, core_saved_generation(s->memory_fd)));
	if (!recovering && (run_files_recorded(s) || run_files_killed(s)))
		bundle_keep_before(s->run_dirfd);
	/* a scale goes by the generation */
	if (!recovering || (*config)->generation != generation || !bundle_there(s->run_dirfd))
		bundle_save(s, bundle, (*config)->generation);
	strbuf_fini(bundle);
}

/* PRIVILEGES: what privileges_reduce() returned. */
static void tell_troubles(const struct supervisor *s, int privileges)
{
	if (s->welcome.records_set_aside)
		log_warn("the records of an earlier procd in %s were unusable; they were set aside "
			 "as records.bad, and what it left running is not known", s->run_dir);
	if (privileges < 0)
		log_warn("cannot give up capabilities that are not used: %s; going on with all",
			 strerror(-privileges));
}

/* 0; or the exit code, after the failure was told. */
static int open_up(struct supervisor *s, const int held[HOLD_MAX])
{
	auto_free(error_fini) struct error e = ERROR_INIT;
	int rc;

	s->before = config_before(s);
	rc = rooms_open(s, held, &e);
	if (s->before)
		config_free(take(s->before));
	if (rc == 0) {
		bundle_applied(s->run_dirfd);
		return 0;
	}
	fail(&e, rc);
	/* To leave is to end the children, and they have done nothing. The keeper takes this for a
	 * crash, and tries again. */
	if (s->welcome.recovering || run_files_recorded(s))
		_exit(rc);
	return rc;
}

static void serve(struct supervisor *s)
{
	tell_unknown_variables();
	upgrade_tell(s);
	keeper_ready(s->keeper);
	keeper_client_start(s->keeper, s->loop, &supervisor_keeper_facts, s);
	loop_prepare_start(&s->before_sleep, s->loop, on_before_sleep);
	while (!s->finished)
		ev_run(s->loop, 0);
	if (!s->yielding)
		return;
	core_settle(s->core);	/* what was noted is decided, and remembered */
	upgrade_yield(s);	/* from now on the keeper waits, but not for ever */
}

int supervisor_run(int keeper_fd, const char *run_dir, const struct run_options *options)
{
	struct supervisor supervisor = {
		.options = options, .unsaved = STRBUF_INIT, .hints_refused = STRBUF_INIT,
		.tally_fd = -1, .memory_fd = -1, .notes_fd = -1,
	};
	struct supervisor *s = &supervisor;
	auto_free(freep) char *first_run_dir = NULL;
	auto_free(strbuf_fini) struct strbuf bundle = STRBUF_INIT;
	auto_free(error_fini) struct error error = ERROR_INIT;
	struct config *config = NULL;
	uint64_t generation = 0;
	int held[HOLD_MAX];
	int privileges, rc;

	privileges = privileges_reduce();
	process_prepare();
	clock_use_best();
	json_setup();
	title_set("procd-super", "procd: supervisor");
	rc = supervisor_config(run_dir, options, &config, &bundle, &generation);
	if (rc != 0)
		return rc;
	title_set("procd-super", "procd: supervisor %s", config->name);
	log_set_level(config->logging.level);
	tell_build();
	supervisor_tell_loader(config);
	/* a reload may have changed the key; what the keeper holds stays until its end */
	first_run_dir = x_strdup(config->run_dir);
	s->run_dir = *run_dir ? run_dir : first_run_dir;
	rc = loop_open(s, config, &error);
	if (rc == 0)
		rc = keeper_open(s, keeper_fd, config, held, &error);
	if (rc != 0) {
		config_free(config);
		alarm_free(s->alarm);
		if (s->loop)
			ev_loop_destroy(s->loop);
		return fail(&error, rc);
	}
	take_up(s, &config, &bundle, generation);
	tell_troubles(s, privileges);
	hints_apply(config, &s->hints_refused);
	rc = open_up(s, held);
	if (rc == 0) {
		serve(s);
		rc = s->exit_code;
	}
	rooms_close(s);
	return leave(s, rc);
}
