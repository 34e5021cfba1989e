/* `profile.start`: which processes, told by the main thread; their perf events, opened by a thread
 * that lives for just that, for hundreds of threads on many processors take a while. One at a time,
 * others wait. The privilege to look into other users' processes is that thread's alone. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "command/privileges.h"
#include "command/supervisor.h"
#include "config/store.h"
#include "profile/cpu_open.h"

#define PROFILES_WAITING_MAX 64

struct profile_job {
	struct list link;		/* supervisor.profiles */
	struct mail mail;
	struct supervisor *supervisor;
	struct control_order *order;
	pthread_t thread;
	struct cpu_target *targets;
	struct cpu_request request;
	struct cpu_events events;
	struct error error;
	int rc;
};

static void *open_thread(void *arg)
{
	struct profile_job *job = arg;
	bool raised = privileges_sample(true);

	job->rc = cpu_open(&job->request, &job->events, &job->error);
	if (raised)
		privileges_sample(false);
	mailbox_send(&job->supervisor->profiled, &job->mail);
	return NULL;
}

static void job_end(struct profile_job *job)
{
	list_remove(&job->link);
	control_answer(job->order);
	cpu_events_fini(&job->events);
	error_fini(&job->error);
	free(job->targets);
	free(job);
}

/* --- who is to be sampled ----------------------------------------------------------------------- */

static struct cpu_target *target_add(struct profile_job *job, const char *name, pid_t pid)
{
	struct cpu_target *t;

	job->targets = x_reallocarray(job->targets, job->request.n + 1, sizeof(*job->targets));
	t = &job->targets[job->request.n++];
	*t = (struct cpu_target){ .pid = pid };
	snprintf(t->name, sizeof(t->name), "%s", name);
	job->request.targets = job->targets;
	return t;
}

static void procd_itself(struct profile_job *job)
{
	target_add(job, "procd: keeper", job->supervisor->welcome.keeper_pid)->alone = true;
	target_add(job, "procd: supervisor", getpid())->alone = true;
}

static uint64_t start_ticks_of(const struct supervisor *s, uint32_t slot, pid_t pid)
{
	const struct record *r;

	if (slot >= s->records.header->nslots)
		return 0;
	r = record_get(&s->records, slot);
	return r->pid == pid ? r->start_ticks : 0;
}

/* False: answered. */
static bool subsystems(struct profile_job *job)
{
	const struct supervisor *s = job->supervisor;
	struct control_order *order = job->order;
	auto_free(freep) uint32_t *slots = NULL;
	const char *unknown, *idle = "";
	size_t n = 0;

	unknown = board_match(s->board, &order->request.names, &slots, &n);
	if (unknown != NULL) {
		error_set(&order->error, ERROR_SUBSYSTEM_NOT_FOUND, 0,
			  "no subsystem matches \"%s\"", unknown);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		const struct board_record *r = board_get(s->board, slots[i]);

		if (r != NULL && r->pid > 0)
			target_add(job, r->name, r->pid)->start_ticks =
				start_ticks_of(s, slots[i], r->pid);
		else if (r != NULL)
			idle = r->name;
	}
	if (job->request.n > 0)
		return true;
	error_set(&order->error, ERROR_SUBSYSTEM_STATE, 0,
		  n == 1 ? "\"%s\" is not running" : "none of %s is running",
		  n == 1 ? idle : "these");
	return false;
}

/* --- the answer --------------------------------------------------------------------------------- */

static json_t *result_of(const struct profile_job *job)
{
	const struct cpu_events *e = &job->events;
	json_t *cpus = json_array(), *processes = json_array();

	for (size_t i = 0; i < e->ncpus; i++)
		json_array_append_new(cpus, json_integer(e->cpus[i]));
	for (size_t i = 0; i < e->nprocesses; i++) {
		const struct cpu_process *p = &e->processes[i];
		const struct cpu_target *t = &job->targets[p->target];

		json_array_append_new(processes, json_pack("{s:o, s:i, s:b}",
			"name", json_text(t->name), "pid", (int)p->pid, "main", p->pid == t->pid));
	}
	return json_pack("{s:s, s:i, s:s, s:b, s:i, s:i, s:i, s:o, s:o}", "kind", "cpu",
			 "hz", (int)job->order->hz, "output", config_current()->profiling.cpu_output,
			 "kernel", e->kernel, "events", (int)e->n, "threads", (int)e->threads,
			 "left_out", (int)e->left_out, "cpus", cpus, "processes", processes);
}

static void answer(struct profile_job *job)
{
	struct control_order *order = job->order;

	if (job->rc == -ESRCH) {
		error_set(&order->error, ERROR_SUBSYSTEM_STATE, 0, "\"%s\" is not running any more",
			  job->targets[0].name);
	} else if (job->rc < 0) {
		order->error = job->error;
		job->error = (struct error)ERROR_INIT;
	} else {
		order->result = result_of(job);
		order->fds = take(job->events.fds);
		order->nfds = job->events.n;
		job->events.n = 0;
	}
	job_end(job);
}

static void begin_next(struct supervisor *s)
{
	while (!list_empty(&s->profiles)) {
		struct profile_job *job = list_entry(s->profiles.next, struct profile_job, link);
		int rc = thread_start(&job->thread, "profile", open_thread, job);

		if (rc == 0)
			return;
		error_set(&job->order->error, ERROR_RUNTIME_SPAWN, -rc, "cannot start a thread");
		job_end(job);
	}
}

void profile_on_opened(void *ctx, struct mail *mail)
{
	struct supervisor *s = ctx;
	struct profile_job *job = container_of(mail, struct profile_job, mail);

	if (job->thread != 0)
		pthread_join(job->thread, NULL);
	answer(job);
	begin_next(s);
}

void profile_request(struct supervisor *s, struct control_order *order)
{
	struct profile_job *job;
	size_t waiting = 0;

	list_for_each(pos, &s->profiles)
		waiting++;
	if (waiting >= PROFILES_WAITING_MAX) {
		error_set(&order->error, ERROR_RESOURCE_FDS, 0, "too many profiles at once");
		control_answer(order);
		return;
	}
	job = x_calloc(1, sizeof(*job));
	job->supervisor = s;
	job->order = order;
	job->request = (struct cpu_request){ .keeper = s->welcome.keeper_pid, .hz = order->hz,
					     .kernel = order->kernel };
	list_init(&job->link);
	if (order->request.names.n == 0) {
		procd_itself(job);
	} else if (!subsystems(job)) {
		job_end(job);
		return;
	}
	list_append(&s->profiles, &job->link);
	if (waiting == 0)
		begin_next(s);
}

void profile_cancel(struct supervisor *s)
{
	struct list *first = s->profiles.next;

	/* those that wait, then the one that is at work, which takes milliseconds */
	while (!list_empty(&s->profiles) && s->profiles.prev != first) {
		struct profile_job *job = list_entry(s->profiles.prev, struct profile_job, link);

		error_set(&job->order->error, ERROR_SHUTDOWN_IN_PROGRESS, 0,
			  "procd is shutting down");
		job_end(job);
	}
	if (!list_empty(&s->profiles)) {
		struct profile_job *job = list_entry(first, struct profile_job, link);

		pthread_join(job->thread, NULL);
		job->thread = 0;
	}
	mailbox_fini(&s->profiled);	/* delivers it */
}
