/* The log thread: one loop, one mailbox, and the few things that other threads share with it.
 *
 * Everything arrives as mail, in order. Where the thread is stuck in a call to a disk that does not
 * answer, nobody waits for it: drains are answered by the caller, the end does not wait longer than
 * a second, and the queue of messages has a bound. */
#include "output/thread.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/rcu.h"
#include "base/thread.h"
#include "output/configure.h"

#define MESSAGES_MAX 10000u
#define STALLED_NS (10 * NS_PER_MS)
#define STOP_NS NS_PER_SEC
#define POLL_NS (500 * NS_PER_MS)	/* pending without a known time */

enum order_kind {
	ORDER_ATTACH, ORDER_SET_PID, ORDER_WATCH, ORDER_DETACH, ORDER_DRAIN, ORDER_REOPEN, ORDER_RECONFIGURE,
	ORDER_STOP, ORDER_MESSAGE
};

/* What comes in the mailbox. */
struct order {
	struct mail mail;
	enum order_kind kind;
	uint32_t slot;
	int pid;
	struct subsystem_options *options;
	uint64_t spawn_id;
	struct list open;		/* drain: in output.drains while not answered */
	/* a message */
	enum log_level level;
	int64_t real_ns;
	const char *subsystem;		/* in TEXT, or NULL */
	const char *message;		/* in TEXT */
	char text[];
};

/* --- answers to drains ----------------------------------------------------------------------- */

/* Takes TAIL. */
static void post_drained(struct output *o, const struct order *order, char *tail)
{
	struct output_drained *d = x_calloc(1, sizeof *d);

	d->slot = order->slot;
	d->spawn_id = order->spawn_id;
	d->tail = tail;
	mailbox_send(o->drained, &d->mail);
}

/* Either side may answer; the one that takes the order off the list does. */
static void answer_drain(struct output *o, struct order *order)
{
	pthread_mutex_lock(&o->lock);
	bool open = !list_empty(&order->open);

	list_remove(&order->open);
	pthread_mutex_unlock(&o->lock);
	if (open)
		post_drained(o, order, capture_end(&o->captures, order->slot));
}

static bool is_stalled(struct output *o)
{
	int64_t since = atomic_load(&o->targets.busy_since_ns);

	return since != 0 && clock_mono_ns() - since > STALLED_NS;
}

static void answer_all_drains(struct output *o)
{
	struct list *l;

	pthread_mutex_lock(&o->lock);
	while ((l = list_pop(&o->drains)) != NULL) {
		post_drained(o, list_entry(l, struct order, open), NULL);
	}
	pthread_mutex_unlock(&o->lock);
}

static void on_match(void *ctx, uint32_t slot, uint64_t spawn_id)
{
	struct output *o = ctx;
	struct output_drained *d = x_calloc(1, sizeof *d);

	d->matched = true;
	d->slot = slot;
	d->spawn_id = spawn_id;
	mailbox_send(o->drained, &d->mail);
}

/* --- the loop -------------------------------------------------------------------------------- */

static bool write_pending(struct output *o)
{
	bool done = ownlog_flush(&o->ownlog) == 0;

	done &= captures_retry(&o->captures);
	done &= sink_run(&o->sink);
	return done;
}

static void on_retry(struct loop_timer *timer)
{
	struct output *o = container_of(timer, struct output, retry);

	o->retry_at_ns = 0;
	(void)write_pending(o);
}

static void on_target_ready(void *ctx)
{
	(void)write_pending(ctx);
}

static void plan_retry(struct output *o)
{
	if (list_empty(&o->captures.pending) && o->ownlog.queue.len == 0 && o->sink.text.len == 0)
		return;
	int64_t now = clock_mono_ns(), at = targets_next_retry(&o->targets, now);

	if (at == 0)
		at = now + POLL_NS;
	if (o->retry_at_ns != 0 && o->retry_at_ns <= at)
		return;
	o->retry_at_ns = at;
	loop_timer_set(&o->retry, at - now);
}

static void describe_trouble(struct output *o)
{
	troubles_describe(&o->troubles, &o->targets, &o->captures);
	o->targets.changed = false;
	o->described_in_memory = o->captures.in_memory;
}

static void wake_tails(struct output *o)
{
	o->captures.news = false;
	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->nwakes; i++)
		o->wakes[i].fn(o->wakes[i].ctx);
	pthread_mutex_unlock(&o->lock);
}

static void on_each_turn(struct loop_prepare *p)
{
	struct output *o = container_of(p, struct output, each_turn);

	(void)ownlog_flush(&o->ownlog);
	if (o->captures.news)
		wake_tails(o);
	if (o->targets.changed || o->described_in_memory != o->captures.in_memory)
		describe_trouble(o);
	plan_retry(o);
}

/* --- mail ------------------------------------------------------------------------------------ */

static void take_message(struct output *o, const struct order *m)
{
	char text[64];
	uint64_t lost = atomic_exchange(&o->messages_lost, 0);

	atomic_fetch_sub(&o->messages_queued, 1);
	ownlog_message(&o->ownlog, m->level, m->subsystem, m->real_ns, m->message);
	if (lost == 0)
		return;
	snprintf(text, sizeof text, "... %llu messages lost", (unsigned long long)lost);
	ownlog_message(&o->ownlog, LOG_WARN, NULL, m->real_ns, text);
}

static void write_out_and_leave(struct output *o)
{
	int64_t deadline = clock_mono_ns() + STOP_NS;

	captures_read_all(&o->captures);
	while (!write_pending(o) && clock_mono_ns() < deadline)
		nanosleep(&(struct timespec){ .tv_nsec = 5 * NS_PER_MS }, NULL);
	ev_break(o->loop, EVBREAK_ALL);
}

static void on_mail(void *ctx, struct mail *mail)
{
	struct output *o = ctx;
	struct order *order = container_of(mail, struct order, mail);

	switch (order->kind) {
	case ORDER_ATTACH:
		capture_attach(&o->captures, order->slot, order->options);
		o->targets.changed |= troubles_there(&o->troubles);
		break;
	case ORDER_SET_PID:
		capture_set_pid(&o->captures, order->slot, order->pid);
		break;
	case ORDER_WATCH:
		capture_watch(&o->captures, order->slot, order->options, order->spawn_id);
		subsystem_options_unref(order->options);
		break;
	case ORDER_DETACH:
		capture_detach(&o->captures, order->slot);
		o->targets.changed |= troubles_there(&o->troubles);
		break;
	case ORDER_DRAIN:
		capture_drain(&o->captures, order->slot);
		answer_drain(o, order);
		break;
	case ORDER_REOPEN:
		targets_reopen(&o->targets);
		(void)write_pending(o);
		break;
	case ORDER_RECONFIGURE:
		configure_output(o);
		break;
	case ORDER_MESSAGE:
		take_message(o, order);
		break;
	case ORDER_STOP:
		write_out_and_leave(o);
		break;
	}
	free(order);
}

static void *run(void *arg)
{
	struct output *o = arg;

	ev_run(o->loop, 0);
	return NULL;
}

/* --- other threads --------------------------------------------------------------------------- */

static struct order *order_new(enum order_kind kind, uint32_t slot, size_t text_len)
{
	struct order *order = x_calloc(1, sizeof *order + text_len);

	order->kind = kind;
	order->slot = slot;
	list_init(&order->open);
	return order;
}

static void send_order(struct output *o, struct order *order)
{
	mailbox_send(&o->inbox, &order->mail);
}

/* The sink of base/log.h: any thread, this one included. */
static void take_log(void *ctx, enum log_level level, const char *subsystem, const char *message)
{
	struct output *o = ctx;

	if (atomic_fetch_add(&o->messages_queued, 1) >= MESSAGES_MAX) {
		atomic_fetch_sub(&o->messages_queued, 1);
		atomic_fetch_add(&o->messages_lost, 1);
		return;
	}
	size_t n = strlen(message) + 1, m = subsystem != NULL ? strlen(subsystem) + 1 : 0;
	struct order *order = order_new(ORDER_MESSAGE, 0, n + m);

	order->level = level;
	order->real_ns = clock_real_ns();
	order->message = memcpy(order->text, message, n);
	if (subsystem != NULL)
		order->subsystem = memcpy(order->text + n, subsystem, m);
	send_order(o, order);
}

void output_attach(struct output *o, uint32_t slot, struct subsystem_options *options)
{
	struct order *order = order_new(ORDER_ATTACH, slot, 0);

	order->options = subsystem_options_ref(options);
	send_order(o, order);
}

void output_set_pid(struct output *o, uint32_t slot, int pid)
{
	struct order *order = order_new(ORDER_SET_PID, slot, 0);

	order->pid = pid;
	if (pid != 0)
		send_order(o, order);
	else	/* a hold: it matters to whoever reads next */
		mailbox_leave(&o->inbox, &order->mail);
}

void output_watch(struct output *o, uint32_t slot, struct subsystem_options *options,
		  uint64_t spawn_id)
{
	struct order *order = order_new(ORDER_WATCH, slot, 0);

	order->options = subsystem_options_ref(options);
	order->spawn_id = spawn_id;
	send_order(o, order);
}

void output_detach(struct output *o, uint32_t slot)
{
	send_order(o, order_new(ORDER_DETACH, slot, 0));
}

void output_drain(struct output *o, uint32_t slot, uint64_t spawn_id)
{
	struct order *order = order_new(ORDER_DRAIN, slot, 0);

	order->spawn_id = spawn_id;
	pthread_mutex_lock(&o->lock);
	list_append(&o->drains, &order->open);
	pthread_mutex_unlock(&o->lock);
	/* Sent in any case: what is in the FIFO is read as soon as the disk answers. */
	send_order(o, order);
	if (is_stalled(o))
		answer_all_drains(o);
}

bool output_silent(struct output *o, uint32_t slot)
{
	rcu_enter();
	bool silent = captures_silent(&o->captures, slot);

	rcu_leave();
	return silent;
}

void output_reopen(struct output *o)
{
	/* a line that is written after this call must not overtake the order */
	targets_wish_reopen(&o->targets);
	send_order(o, order_new(ORDER_REOPEN, 0, 0));
}

void output_reconfigure(struct output *o)
{
	send_order(o, order_new(ORDER_RECONFIGURE, 0, 0));
}

void output_degraded(struct output *o, struct strbuf *out)
{
	troubles_tell(&o->troubles, out);
}

void output_degraded_slot(struct output *o, uint32_t slot, struct strbuf *out)
{
	troubles_tell_slot(&o->troubles, slot, out);
}

static void output_free(struct output *o)
{
	loop_timer_set(&o->retry, -1);
	captures_fini(&o->captures);
	sink_fini(&o->sink);
	ownlog_fini(&o->ownlog);
	state_close(o->state);
	troubles_fini(&o->troubles);
	pthread_mutex_destroy(&o->lock);
	ev_loop_destroy(o->loop);
	free(o);
}

struct output *output_start(int run_dirfd, struct chan *chan, struct mailbox *drained,
			    struct error *e)
{
	struct ev_loop *loop = loop_new("auto");

	if (loop == NULL) {
		error_set(e, ERROR_PLATFORM_FEATURE, errno, "log thread: no event back end");
		return NULL;
	}
	struct output *o = x_calloc(1, sizeof *o);

	o->loop = loop;
	o->drained = drained;
	pthread_mutex_init(&o->lock, NULL);
	list_init(&o->drains);
	troubles_init(&o->troubles);
	targets_init(&o->targets, loop, on_target_ready, o);
	ownlog_init(&o->ownlog, target_fd(&o->targets, STDERR_FILENO));
	o->state = state_open(run_dirfd);
	int err = o->state == NULL ? -errno :
		captures_init(&o->captures, run_dirfd, loop, &o->targets, &o->ownlog, o->state);

	if (err < 0) {
		error_set(e, ERROR_IO, -err, "log thread: cannot use the run directory");
		ownlog_fini(&o->ownlog);
		if (o->state != NULL)
			state_close(o->state);
		pthread_mutex_destroy(&o->lock);
		ev_loop_destroy(loop);
		free(o);
		return NULL;
	}
	o->captures.on_match = on_match;
	o->captures.on_match_ctx = o;
	state_settle(o->state, o->captures.ring_dirfd);
	sink_init(&o->sink, loop, chan, o->state);
	loop_timer_init(&o->retry, loop, on_retry);
	loop_prepare_start(&o->each_turn, loop, on_each_turn);
	mailbox_init(&o->inbox, loop, on_mail, o);
	configure_output(o);
	err = thread_start(&o->thread, "procd-log", run, o);
	if (err < 0) {
		error_set(e, ERROR_RUNTIME_SPAWN, -err, "log thread");
		mailbox_fini(&o->inbox);
		output_free(o);
		return NULL;
	}
	log_set_sink(take_log, o);
	return o;
}

void output_stop(struct output *o)
{
	const struct timespec pause = { .tv_nsec = NS_PER_MS / 10 };
	int64_t until = clock_mono_ns() + 2 * NS_PER_SEC;

	log_set_sink(NULL, NULL);
	send_order(o, order_new(ORDER_STOP, 0, 0));
	/* Not pthread_timedjoin_np(): that looks at the time of day, which may be set meanwhile. */
	while (pthread_tryjoin_np(o->thread, NULL) != 0) {
		/* Stuck in the kernel: it ends with the process, and keeps its memory until
		 * then. */
		if (clock_mono_ns() > until)
			return;
		nanosleep(&pause, NULL);
	}
	mailbox_fini(&o->inbox);
	output_free(o);
}
