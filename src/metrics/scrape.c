/* What there is, family by family: first procd itself, then one walk over the board for each family
 * of the subsystems, for the samples of a family have to stand together. Names are a contract. */
#include "metrics/scrape.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/signame.h"
#include "config/store.h"
#include "config.h"
#include "metrics/resources.h"

static uint64_t micro_since(int64_t now, int64_t then)
{
	return then == 0 || now < then ? 0 : (uint64_t)(now - then) / 1000;
}

/* --- procd itself ------------------------------------------------------------------------------ */

static void one(struct exposition *x, enum metric_type type, const char *name, const char *help,
		uint64_t value)
{
	metric_family(x, type, name, NULL, help);
	metric_uint(x, type == METRIC_COUNTER ? "_total" : "", value);
}

static void build_info(struct exposition *x, const struct config *config)
{
	metric_family(x, METRIC_GAUGE, "procd_build_info", NULL,
		      "Which procd this is; the value is always 1.");
	metric_label(x, "daemon", config->name);
	metric_label(x, "version", PROCD_VERSION);
	metric_uint(x, "", 1);
}

/* Names that all programs share, and what starts anew with each supervisor. */
static void own_process(struct exposition *x)
{
	struct resource_target own = { .pid = getpid(), .parent = getppid(), .cgroup_fd = -1 };
	struct resources r;
	int64_t started_ns;

	if (!resources_read(&own, &r))
		return;
	metric_family(x, METRIC_COUNTER, "process_cpu_seconds", "seconds",
		      "Processor time of the supervisor.");
	metric_micro(x, "_total", r.cpu_us);
	metric_family(x, METRIC_GAUGE, "process_resident_memory_bytes", "bytes",
		      "Resident memory of the supervisor.");
	metric_uint(x, "", r.rss_bytes);
	if (r.fds_known)
		one(x, METRIC_GAUGE, "process_open_fds", "Open files of the supervisor.", r.fds);
	started_ns = clock_real_ns() - clock_boot_ns() +
		     (int64_t)r.start_ticks * (NS_PER_SEC / MAX(sysconf(_SC_CLK_TCK), 1));
	metric_family(x, METRIC_GAUGE, "process_start_time_seconds", "seconds",
		      "When the supervisor was started, in seconds since 1970.");
	metric_micro(x, "", (uint64_t)MAX(started_ns, 0) / 1000);
}

static void instance(struct exposition *x, const struct scrape *s)
{
	const struct board_daemon *d = board_daemon(s->board);

	metric_family(x, METRIC_GAUGE, "procd_uptime_seconds", "seconds",
		      "Time since procd's keeper was started.");
	metric_micro(x, "", micro_since(clock_mono_ns(), d->keeper_started_mono_ns));
	one(x, METRIC_COUNTER, "procd_supervisor_deaths",
	    "Supervisors that were replaced because they died.", d->supervisor_deaths);
	one(x, METRIC_GAUGE, "procd_config_generation",
	    "Number of the configuration that is in force.", d->generation);
	one(x, METRIC_GAUGE, "procd_control_connections", "Clients of the control socket.",
	    s->connections);
	metric_family(x, METRIC_GAUGE, "procd_subsystems", NULL, "Subsystems, by state.");
	for (int i = 0; i < STATE_NSTATES; i++) {
		metric_labels_clear(x);
		metric_label(x, "state", enumtext_name(&subsystem_state_text, i));
		metric_uint(x, "", d->counts[i]);
	}
}

static void by_label(struct exposition *x, const char *key, const char *value, uint64_t n)
{
	metric_labels_clear(x);
	metric_label(x, key, value);
	metric_uint(x, "_total", n);
}

static void counters(struct exposition *x, const struct scrape *s)
{
	const struct tally *t = s->tally;

	one(x, METRIC_COUNTER, "procd_events", "Events that were sent.", chan_last_seq(s->chan));
	one(x, METRIC_COUNTER, "procd_events_dropped",
	    "Events that a subscriber was too slow for.", tally_count(t, TALLY_EVENTS_DROPPED));
	one(x, METRIC_COUNTER, "procd_resource_alerts", "Alerts because of memory_soft_limit.",
	    tally_count(t, TALLY_RESOURCE_ALERTS));
	one(x, METRIC_COUNTER, "procd_samples", "Samples of what a subsystem uses.",
	    sampler_taken(s->sampler));
	one(x, METRIC_COUNTER, "procd_scrapes", "Requests for metrics.",
	    tally_count(t, TALLY_SCRAPES));
	metric_family(x, METRIC_COUNTER, "procd_config_reloads", NULL,
		      "Configurations that were read again, by what became of them.");
	by_label(x, "result", "applied", tally_count(t, TALLY_RELOAD_APPLIED));
	by_label(x, "result", "unchanged", tally_count(t, TALLY_RELOAD_UNCHANGED));
	by_label(x, "result", "rejected", tally_count(t, TALLY_RELOAD_REJECTED));
	metric_family(x, METRIC_COUNTER, "procd_health_checks", NULL,
		      "Health probes, by their result.");
	by_label(x, "result", "passed", tally_count(t, TALLY_HEALTH_PASSED));
	by_label(x, "result", "failed", tally_count(t, TALLY_HEALTH_FAILED));
	by_label(x, "result", "not_made", tally_count(t, TALLY_HEALTH_NOT_MADE));
	metric_family(x, METRIC_COUNTER, "procd_errors", NULL,
		      "Requests on the control socket that failed, by category.");
	for (int i = 0; i < CATEGORY_COUNT; i++)
		by_label(x, "category", enumtext_name(&error_category_text, i),
			 tally_errors(t, (enum error_category)i));
}

static void durations(struct exposition *x, const struct tally *t)
{
	static const struct {
		const char *name, *help;
	} rows[TALLY_DURATIONS] = {
		[TALLY_STOP] = { "procd_subsystem_stop_seconds",
			"Time of a stop, until the whole tree was gone." },
		[TALLY_SPAWN] = { "procd_spawn_seconds",
			"Time from the order to the execution of a program." },
		[TALLY_HEALTH] = { "procd_health_check_seconds",
			"Time until a health probe was answered." },
		[TALLY_RELOAD] = { "procd_config_reload_seconds",
			"Time of a reload, from reading to publishing." },
		[TALLY_FANOUT] = { "procd_event_fanout_seconds",
			"Time from an event until it was handed to all subscribers." },
	};

	for (int i = 0; t != NULL && i < TALLY_DURATIONS; i++) {
		const struct tally_histogram *h = tally_duration_get(t, (enum tally_duration)i);
		uint64_t counts[TALLY_BOUNDS + 1];

		for (size_t k = 0; k <= TALLY_BOUNDS; k++)
			counts[k] = atomic_load_explicit(&h->buckets[k], memory_order_relaxed);
		metric_family(x, METRIC_HISTOGRAM, rows[i].name, "seconds", rows[i].help);
		metric_histogram(x, tally_bounds_us, TALLY_BOUNDS, counts,
				 atomic_load_explicit(&h->sum_us, memory_order_relaxed));
	}
}

/* --- per subsystem: what the board says -------------------------------------------------------- */

/* For each record R of the board: the label "name", then what follows. */
#define EACH_RECORD(s, x, r)                                                                      \
	for (uint32_t slot_ = 0; slot_ < board_slots((s)->board); slot_++)                        \
		if (((r) = board_get((s)->board, slot_)) != NULL &&                               \
		    (metric_labels_clear(x), metric_label((x), "name", (r)->name), true))

static void states(struct exposition *x, const struct scrape *s, const char *daemon)
{
	const struct board_record *r;
	size_t mark;

	metric_family(x, METRIC_GAUGE, "procd_subsystem_state", NULL,
		      "1 for the state that the subsystem is in, 0 for the others.");
	for (uint32_t slot = 0; slot < board_slots(s->board); slot++) {
		r = board_get(s->board, slot);
		if (r == NULL)
			continue;
		metric_labels_clear(x);
		metric_label(x, "daemon", daemon);
		metric_label(x, "name", r->name);
		mark = metric_labels_mark(x);
		for (int i = 0; i < STATE_NSTATES; i++) {
			metric_label(x, "state", enumtext_name(&subsystem_state_text, i));
			metric_uint(x, "", (int)r->state == i);
			metric_labels_back(x, mark);
		}
	}
}

static void from_board(struct exposition *x, const struct scrape *s)
{
	const struct board_record *r;

	metric_family(x, METRIC_GAUGE, "procd_subsystem_up", NULL, "1 while it is running.");
	EACH_RECORD(s, x, r)
		metric_uint(x, "", r->state == STATE_RUNNING);
	metric_family(x, METRIC_GAUGE, "procd_subsystem_ready", NULL,
		      "1 while it is running and not unhealthy.");
	EACH_RECORD(s, x, r)
		metric_uint(x, "", r->ready);
	metric_family(x, METRIC_GAUGE, "procd_subsystem_healthy", NULL,
		      "Its health, where it is known: 1 well, 0 not.");
	EACH_RECORD(s, x, r)
		if (r->health != HEALTH_UNKNOWN)
			metric_uint(x, "", r->health == HEALTH_HEALTHY);
	metric_family(x, METRIC_COUNTER, "procd_subsystem_restarts", NULL, "Automatic restarts.");
	EACH_RECORD(s, x, r)
		metric_uint(x, "_total", r->restart_count);
	metric_family(x, METRIC_GAUGE, "procd_subsystem_uptime_seconds", "seconds",
		      "Age of its main process.");
	EACH_RECORD(s, x, r)
		if (r->pid > 0)
			metric_micro(x, "", micro_since(clock_mono_ns(), r->started_mono_ns));
}

/* --- per subsystem: what was counted ----------------------------------------------------------- */

static void one_way(struct exposition *x, uint32_t how, uint64_t count)
{
	char code[12] = "", signal[12] = "";
	size_t mark = metric_labels_mark(x);

	if (how < TALLY_SIGNAL)
		snprintf(code, sizeof(code), "%u", how);
	else if (how == TALLY_SIGNAL)
		snprintf(code, sizeof(code), "unknown");
	metric_label(x, "code", code);
	metric_label(x, "signal", how > TALLY_SIGNAL ? signame((int)(how - TALLY_SIGNAL)) : signal);
	metric_uint(x, "_total", count);
	metric_labels_back(x, mark);
}

static void ways(struct exposition *x, const struct tally_entry *e)
{
	size_t mark = metric_labels_mark(x);
	uint32_t other = atomic_load_explicit(&e->other_ways, memory_order_relaxed);

	for (size_t i = 0; i < TALLY_WAYS; i++) {
		uint32_t n = atomic_load_explicit(&e->ways[i].count, memory_order_acquire);

		if (n > 0)
			one_way(x, atomic_load_explicit(&e->ways[i].how, memory_order_relaxed), n);
	}
	if (other == 0)
		return;
	metric_label(x, "code", "other");
	metric_label(x, "signal", "other");
	metric_uint(x, "_total", other);
	metric_labels_back(x, mark);
}

static void starts(struct exposition *x, const struct tally_entry *e)
{
	uint64_t counts[TALLY_START_BOUNDS + 1], sum = 0;

	for (size_t i = 0; i <= TALLY_START_BOUNDS; i++)
		sum += counts[i] = atomic_load_explicit(&e->starts[i], memory_order_relaxed);
	if (sum > 0)
		metric_histogram(x, tally_start_bounds_us, TALLY_START_BOUNDS, counts,
				 atomic_load_explicit(&e->start_sum_us, memory_order_relaxed));
}

static void from_tally(struct exposition *x, const struct scrape *s)
{
	const struct tally_entry *e;
	const struct board_record *r;

	metric_family(x, METRIC_COUNTER, "procd_subsystem_exits", NULL,
		      "Ends of its main process, by exit code or signal.");
	EACH_RECORD(s, x, r)
		if ((e = tally_entry_get(s->tally, r->slot, r->id)) != NULL)
			ways(x, e);
	metric_family(x, METRIC_COUNTER, "procd_subsystem_start_failures", NULL,
		      "Starts that failed.");
	EACH_RECORD(s, x, r) {
		e = tally_entry_get(s->tally, r->slot, r->id);
		metric_uint(x, "_total", e == NULL ? 0 :
			    atomic_load_explicit(&e->failed_starts, memory_order_relaxed));
	}
	metric_family(x, METRIC_HISTOGRAM, "procd_subsystem_start_seconds", "seconds",
		      "Time of a start, until ready.");
	EACH_RECORD(s, x, r)
		if ((e = tally_entry_get(s->tally, r->slot, r->id)) != NULL)
			starts(x, e);
}

/* --- per subsystem: what it uses --------------------------------------------------------------- */

static void used_now(struct exposition *x, const struct scrape *s)
{
	const struct board_record *r;
	const struct sample *p;

	metric_family(x, METRIC_COUNTER, "procd_subsystem_cpu_seconds", "seconds",
		      "Processor time of its processes; begins anew with its main process.");
	EACH_RECORD(s, x, r)
		if ((p = sampler_get(s->sampler, r)) != NULL)
			metric_micro(x, "_total", p->cpu_us);
	metric_family(x, METRIC_GAUGE, "procd_subsystem_memory_rss_bytes", "bytes",
		      "Resident memory of its processes.");
	EACH_RECORD(s, x, r)
		if ((p = sampler_get(s->sampler, r)) != NULL)
			metric_uint(x, "", p->now.rss_bytes);
	metric_family(x, METRIC_GAUGE, "procd_subsystem_processes", NULL, "Its processes.");
	EACH_RECORD(s, x, r)
		if ((p = sampler_get(s->sampler, r)) != NULL)
			metric_uint(x, "", p->now.processes);
	metric_family(x, METRIC_GAUGE, "procd_subsystem_threads", NULL, "Their threads.");
	EACH_RECORD(s, x, r)
		if ((p = sampler_get(s->sampler, r)) != NULL)
			metric_uint(x, "", p->now.threads);
	metric_family(x, METRIC_GAUGE, "procd_subsystem_fds", NULL, "Their open files.");
	EACH_RECORD(s, x, r)
		if ((p = sampler_get(s->sampler, r)) != NULL && p->now.fds_known)
			metric_uint(x, "", p->now.fds);
}

static const struct resources_more *more_of(const struct scrape *s, const struct board_record *r)
{
	const struct sample *p = sampler_get(s->sampler, r);

	return p != NULL ? p->more : NULL;
}

static void used_more(struct exposition *x, const struct scrape *s)
{
	const struct resources_more *m;
	const struct board_record *r;

	metric_family(x, METRIC_COUNTER, "procd_subsystem_context_switches", NULL,
		      "Switches of the first thread of its main process.");
	EACH_RECORD(s, x, r) {
		size_t mark = metric_labels_mark(x);

		if ((m = more_of(s, r)) == NULL || !m->switches_known)
			continue;
		metric_label(x, "kind", "voluntary");
		metric_uint(x, "_total", m->voluntary_switches);
		metric_labels_back(x, mark);
		metric_label(x, "kind", "involuntary");
		metric_uint(x, "_total", m->involuntary_switches);
	}
	metric_family(x, METRIC_COUNTER, "procd_subsystem_io_read_bytes", "bytes",
		      "What its main process has read from storage.");
	EACH_RECORD(s, x, r)
		if ((m = more_of(s, r)) != NULL && m->io_known)
			metric_uint(x, "_total", m->read_bytes);
	metric_family(x, METRIC_COUNTER, "procd_subsystem_io_written_bytes", "bytes",
		      "What its main process has written to storage.");
	EACH_RECORD(s, x, r)
		if ((m = more_of(s, r)) != NULL && m->io_known)
			metric_uint(x, "_total", m->written_bytes);
	metric_family(x, METRIC_GAUGE, "procd_subsystem_memory_cgroup_bytes", "bytes",
		      "Memory that is charged to its cgroup.");
	EACH_RECORD(s, x, r)
		if ((m = more_of(s, r)) != NULL && m->memory_known)
			metric_uint(x, "", m->memory_bytes);
}

static void one_pressure(struct exposition *x, const char *resource, const char *kind, uint64_t us)
{
	size_t mark = metric_labels_mark(x);

	metric_label(x, "resource", resource);
	metric_label(x, "kind", kind);
	metric_micro(x, "_total", us);
	metric_labels_back(x, mark);
}

static void pressures(struct exposition *x, const struct scrape *s)
{
	const struct resources_more *m;
	const struct board_record *r;

	metric_family(x, METRIC_COUNTER, "procd_subsystem_pressure_seconds", "seconds",
		      "Time in which some or all of its processes had to wait for a resource.");
	EACH_RECORD(s, x, r) {
		m = more_of(s, r);
		for (int i = 0; m != NULL && i < PRESSURE_COUNT; i++) {
			const char *resource = enumtext_name(&pressure_text, i);

			if (m->some_known[i])
				one_pressure(x, resource, "some", m->some_us[i]);
			if (m->full_known[i] && i != PRESSURE_CPU)
				one_pressure(x, resource, "full", m->full_us[i]);
		}
	}
}

void scrape_format(const struct scrape *s, enum exposition_format format, bool embedded,
		   struct strbuf *out)
{
	struct exposition x;

	exposition_begin(&x, format, embedded, out);
	own_process(&x);
	rcu_enter();
	build_info(&x, config_current());
	instance(&x, s);
	counters(&x, s);
	durations(&x, s->tally);
	states(&x, s, config_current()->name);
	from_board(&x, s);
	from_tally(&x, s);
	used_now(&x, s);
	used_more(&x, s);
	pressures(&x, s);
	rcu_leave();
	exposition_end(&x);
}
