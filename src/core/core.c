/* The core as a whole: made from a published configuration, fed with facts, asked to settle once
 * per turn of the loop. It owns every subsystem and all timers; what it wishes for goes out through
 * the ops, what it decided through channel and board. */
#include "base/alloc.h"
#include "base/clock.h"
#include "config/store.h"
#include "core/apply.h"
#include "core/live.h"
#include "core/publish.h"
#include "core/reconcile.h"
#include "core/recovery.h"
#include "core/request.h"
#include "core/roll.h"
#include "core/saved.h"

/* What is not up by now is not waited for. */
static void boot_over(struct core *c)
{
	registry_for_each(s, &c->registry) {
		s->boot_pending = false;
		if (s->edges != NULL)
			s->edges->boot_stuck = false;
	}
	c->boot_pending = c->boot_stuck = 0;
	c->status_changed = true;
}

static void boot_due(struct timer *t)
{
	boot_over(container_of(t, struct core, boot_timer));
}

static void status_due(struct timer *t)
{
	container_of(t, struct core, status_timer)->status_changed = true;
}

uint64_t core_saved_generation(int memory_fd)
{
	struct memory_head h;

	return memory_peek(memory_fd, &h) ? h.generation : 0;
}

struct core *core_new(const struct core_setup *setup)
{
	struct core *c = x_calloc(1, sizeof(*c));

	c->chan = setup->chan;
	c->board = setup->board;
	c->registry = (struct registry)REGISTRY_INIT;
	c->tally = setup->tally;
	c->ops = setup->ops;
	c->ops_ctx = setup->ops_ctx;
	c->records = setup->records;
	if (setup->welcome != NULL)
		c->welcome = *setup->welcome;
	c->main_name = x_strdup(setup->main_name);
	c->before = setup->before;
	c->next_id = 1;
	c->next_spawn_id = 1;
	c->state = DAEMON_STARTING;
	c->boot_timer.fire = boot_due;
	c->status_timer.fire = status_due;
	list_init(&c->dirty);
	list_init(&c->busy);
	list_init(&c->requests);
	list_init(&c->rolls);
	list_init(&c->rolls_due);
	list_init(&c->edge_work);
	launch_init(&c->launch, setup->environment);
	jitter_seed(&c->jitter, setup->random_seed);
	shutdown_init(c);
	turns_init(c);
	sockets_init(c);
	tasks_init(c);
	memory_open(&c->memory, setup->memory_fd);
	notes_open(&c->notes, setup->notes_fd);
	c->recovered = recovery_needed(c);
	if (c->recovered) {
		saved_load_head(c);
		recovery_load(c);
	} else {
		memory_wipe(&c->memory);
	}
	c->daemon_changed = true;
	publish_daemon(c);
	return c;
}

void core_free(struct core *c)
{
	if (c == NULL)
		return;
	request_drop_all(c);
	rolls_free(c);
	registry_for_each(s, &c->registry)
		prober_cancel(s);
	tasks_free(c);
	registry_for_each(s, &c->registry)
		overlap_free(s);
	sockets_fini(c);
	edges_free(c);
	registry_for_each(s, &c->registry)
		subsystem_free(s);
	registry_fini(&c->registry);
	timers_fini(&c->timers);
	timers_fini(&c->calendar);
	launch_fini(&c->launch);
	memory_close(&c->memory);
	notes_close(&c->notes);
	strlist_fini(&c->adopted);
	strlist_fini(&c->lost);
	free(c->main_name);
	free(c);
}

/* The instance is ready when every one has had its time; one without limit has all the time. */
static void arm_boot(struct core *c)
{
	int64_t longest_ms = 0;

	registry_for_each(s, &c->registry) {
		if (s->boot_pending && s->options->policy->start_timeout_ms == 0)
			return;
		if (s->boot_pending)
			longest_ms = MAX(longest_ms, s->options->policy->start_timeout_ms);
	}
	timer_arm(&c->timers, &c->boot_timer, clock_mono_ns() + longest_ms * NS_PER_MS);
}

void core_start(struct core *c)
{
	bool first = c->state == DAEMON_STARTING;

	BUG_ON(c->started);
	c->started = true;
	/* from the first event on there is a history that must not be lost */
	if (c->recovered)
		recovery_resume(c);
	else
		saved_store_head(c);
	if (!shutdown_active(&c->shutdown))
		apply_added(c, REASON_START);
	if (c->before != NULL)
		apply_missed(c, c->before);
	sockets_start(c);
	c->before = NULL;
	edges_build(c);
	if (c->recovered && !shutdown_active(&c->shutdown))
		recovery_decide(c);
	if (first) {
		registry_for_each(s, &c->registry) {
			if (!s->kick || s->boot_pending)
				continue;
			s->boot_pending = true;
			c->boot_pending++;
		}
		arm_boot(c);
	}
	c->daemon_changed = true;
	saved_store_head(c);
	c->ops->daemon_state(c->ops_ctx, c->state, false, "starting");
}

static void settle_boot(struct core *c)
{
	if (c->state != DAEMON_STARTING || !c->started || c->boot_pending > c->boot_stuck)
		return;
	/* All that is left waits for what has failed for good. */
	if (c->boot_pending > 0)
		boot_over(c);
	timer_disarm(&c->timers, &c->boot_timer);
	c->state = DAEMON_RUNNING;
	c->daemon_changed = true;
	c->status_told_ns = 0;
	saved_store_head(c);
}

static void status_text(const struct core *c, struct strbuf *out)
{
	strbuf_addf(out, "%u of %u running", c->counts[STATE_RUNNING], c->registry.n);
	for (int state = STATE_STARTING; state < STATE_NSTATES; state++)
		if (state != STATE_RUNNING && c->counts[state] > 0)
			strbuf_addf(out, ", %u %s", c->counts[state],
				    enumtext_name(&subsystem_state_text, state));
}

/* Tell the service manager, at most once per second unless the instance's state changed. */
static void tell_status(struct core *c)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	int64_t now = clock_mono_ns();
	int64_t next = c->status_told_ns + CORE_STATUS_PERIOD_NS;

	if (!c->status_changed || !c->started || c->shutdown.finished)
		return;
	if (c->status_told_ns != 0 && c->state == c->status_state && now < next) {
		if (!timer_armed(&c->status_timer))
			timer_arm(&c->timers, &c->status_timer, next);
		return;
	}
	c->status_changed = false;
	c->status_told_ns = now;
	c->status_state = c->state;
	timer_disarm(&c->timers, &c->status_timer);
	status_text(c, &text);
	c->ops->daemon_state(c->ops_ctx, c->state,
			     c->state == DAEMON_RUNNING, text.buf);
}

void core_unmap_idle(const struct core *c)
{
	memory_unmap_idle(&c->memory);
	if (c->records != NULL)
		records_unmap_idle(c->records);
}

void core_settle(struct core *c)
{
	schedule_run(c);
	timers_run(&c->timers, clock_mono_ns());
	tasks_settle(c);
	reconcile(c);
	rolls_run(c);
	shutdown_settled(c);
	settle_boot(c);
	publish_daemon(c);
	tell_status(c);
}

int64_t core_next_deadline(const struct core *c)
{
	return list_empty(&c->dirty) && !tasks_waiting(c) ? timers_next(&c->timers) :
							    clock_mono_ns();
}

int64_t core_next_moment(const struct core *c)
{
	return timers_next(&c->calendar);
}
