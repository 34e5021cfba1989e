/* Tasks have the life of a process, but no state machine of their own: asked for, up, ended, gone.
 * A slot is taken when the keeper is asked and given back when nothing of the tree lives; the end
 * is told after that, by settle, so whoever hears of it may begin the next thing in the same place.
 *
 * What is cancelled stays its owner's until it is gone: the next one of its kind waits for that, so
 * there are never two. */
#include <errno.h>
#include <signal.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "core/action.h"
#include "core/live.h"
#include "core/prepare.h"
#include "core/publish.h"
#include "core/saved.h"
#include "core/task.h"
#include "keeper/record.h"

enum phase {
	QUEUED,		/* no slot yet */
	ASKED,		/* no answer from the keeper */
	UP,
	REST,		/* the main process ended, its tree is being killed */
	DRAINING,	/* it failed; its last words are being read */
	OVER,		/* nothing lives; the end is to be told */
};

struct task {
	struct core *core;
	struct subsystem *owner;	/* NULL: none (any more) */
	enum task_kind kind;
	enum phase phase;
	bool reading;			/* ASKED of the readers of files, not yet of the keeper */
	bool cancelled;
	bool killed;			/* SIGKILL was sent to its tree */
	bool has_slot, has_record;
	uint32_t slot;			/* valid while has_slot */
	uint64_t spawn_id;
	int pid;			/* 0: none yet */
	int64_t timeout_ns;
	struct timer timer;
	struct strlist command, extra_env;	/* QUEUED */
	struct task_result result;
	task_done *done;
	struct list all;		/* in tasks.all */
	struct list link;		/* in tasks.queue or tasks.over */
};

/* --- life ------------------------------------------------------------------------------------- */

static void task_free(struct task *t)
{
	timer_disarm(&t->core->timers, &t->timer);
	list_remove(&t->all);
	list_remove(&t->link);
	strlist_fini(&t->command);
	strlist_fini(&t->extra_env);
	free(t);
}

static bool predecessor_lives(const struct task *t)
{
	return t->owner != NULL && beside_of(t->owner)->dying_tasks[t->kind] > 0;
}

static bool all_are_killed(const struct core *c)
{
	return c->shutdown.phase >= PHASE_KILL;
}

static void take_slot(struct task *t)
{
	registry_add_task(&t->core->registry, t->slot, t);
	t->has_slot = true;
	t->core->tasks.n++;
}

/* Only after its end was told: until then a successor must find the record. */
static void give_slot_back(struct task *t)
{
	struct core *c = t->core;

	if (!t->has_slot)
		return;
	if (t->has_record)
		c->ops->release(c->ops_ctx, t->slot, t->spawn_id);
	t->has_slot = false;
	registry_remove_task(&c->registry, t->slot);
	c->tasks.n--;
}

/* Nothing of it is left, or it never was: let settle tell it. */
static void end(struct task *t)
{
	struct core *c = t->core;
	struct subsystem *s = t->owner;

	timer_disarm(&c->timers, &t->timer);
	t->phase = OVER;
	if (!t->cancelled) {
		list_remove(&t->link);
		list_append(&c->tasks.over, &t->link);
		return;
	}
	give_slot_back(t);
	if (s != NULL) {
		beside_own(s)->dying_tasks[t->kind]--;
		subsystem_mark(s);
	}
	task_free(t);
}

static void answered(struct task *t)
{
	if (t->phase == ASKED && !t->reading)
		t->core->tasks.asked--;
}

static void kill_tree(struct task *t)
{
	struct core *c = t->core;

	t->killed = true;
	c->ops->signal(c->ops_ctx, t->slot, t->spawn_id, SIGKILL, SCOPE_TREE, false);
}

/* The lines of an owner whose own process does not run are its task's. */
static bool has_streams(const struct task *t)
{
	return t->owner != NULL && (t->kind == TASK_PRE_START || t->kind == TASK_POST_STOP);
}

static void show_pid(const struct task *t, int pid)
{
	if (has_streams(t))
		action_output_pid(t->owner, pid);
}

static void failed_start(struct task *t, enum spawn_stage stage, int errnum)
{
	t->result.stage = stage;
	t->result.errnum = errnum;
	if (t->has_slot) {
		show_pid(t, -1);
		answered(t);
		give_slot_back(t);
	}
	t->reading = false;
	end(t);
}

static void too_late(struct timer *timer)
{
	struct task *t = container_of(timer, struct task, timer);

	if (t->phase == DRAINING) {
		end(t);
		return;
	}
	t->result.timed_out = true;
	if (t->phase == UP)
		kill_tree(t);
	else if (t->reading)
		failed_start(t, prepare_stage(t->owner->options, NULL), ETIMEDOUT);
}

static void send_plan(struct task *t, const struct start_files *files)
{
	struct core *c = t->core;
	struct subsystem *s = t->owner;
	struct launch_task what = {
		.command = &t->command,
		.extra_env = &t->extra_env,
		.name = enumtext_name(&task_kind_text, (int)t->kind),
		.owner_slot = s->slot,
		.mute = t->kind == TASK_PROBE,
	};
	struct plan_builder *builder;
	const void *block;
	size_t size;
	int r;

	c->tasks.asked++;
	if (subsystem_is_up(s))
		strlist_take(&t->extra_env, x_asprintf("MAINPID=%d", s->proc.pid));
	r = launch_build_task(&c->launch, s->options, files, &what, config_current()->work_dir,
			      &builder, &block, &size);
	if (r == 0) {
		r = c->ops->spawn(c->ops_ctx, t->slot, t->spawn_id, block, size);
		plan_free(builder);
	}
	strlist_fini(&t->command);
	strlist_fini(&t->extra_env);
	if (r < 0)
		failed_start(t, STAGE_PLAN, -r);
}

static void ask(struct task *t)
{
	struct core *c = t->core;
	struct subsystem *s = t->owner;
	int r;

	list_remove(&t->link);
	t->phase = ASKED;
	t->spawn_id = c->next_spawn_id++;
	saved_store_head(c);
	take_slot(t);
	if (t->kind != TASK_PROBE)
		action_attach(s);
	show_pid(t, 0);
	if (t->timeout_ns > 0)
		timer_arm(&c->timers, &t->timer, clock_mono_ns() + t->timeout_ns);
	t->reading = start_files_needed(s->options);
	if (!t->reading) {
		send_plan(t, NULL);
		return;
	}
	r = c->ops->read_files(c->ops_ctx, s->options, t->slot, t->spawn_id);
	if (r < 0)
		failed_start(t, prepare_stage(t->owner->options, NULL), -r);
}

/* Ask for whoever may begin now. */
static void pump(struct core *c)
{
	list_for_each(item, &c->tasks.queue) {
		struct task *t = list_entry(item, struct task, link);

		if (c->tasks.asked >= TURN_INFLIGHT_MAX)
			return;
		if (predecessor_lives(t))
			continue;
		if (all_are_killed(c))
			failed_start(t, STAGE_SPAWN, ECANCELED);
		else if (registry_free_slot(&c->registry, &t->slot))
			ask(t);
		else
			failed_start(t, STAGE_SPAWN, ENOSPC);
	}
}

void task_start(struct subsystem *s, enum task_kind kind, const struct strlist *command,
		const struct strlist *extra_env, int64_t timeout_ns, task_done *done)
{
	struct core *c = s->core;
	struct task *t = x_calloc(1, sizeof(*t));

	BUG_ON(task_running(s, kind));
	t->core = c;
	t->owner = s;
	t->kind = kind;
	t->done = done;
	t->timeout_ns = timeout_ns;
	t->timer.fire = too_late;
	strlist_copy(&t->command, command);
	if (extra_env != NULL)
		strlist_copy(&t->extra_env, extra_env);
	list_append(&c->tasks.all, &t->all);
	list_init(&t->link);
	list_append(&c->tasks.queue, &t->link);
	beside_own(s)->task[kind] = t;
	pump(c);
}

static void cancel(struct task *t)
{
	if (t->cancelled)
		return;
	t->cancelled = true;
	if (t->owner != NULL) {
		beside_own(t->owner)->task[t->kind] = NULL;
		beside_own(t->owner)->dying_tasks[t->kind]++;
	}
	if (t->phase == UP)
		kill_tree(t);
	if (t->reading)
		failed_start(t, prepare_stage(t->owner->options, NULL), ECANCELED);
	else if (t->phase == QUEUED || t->phase == DRAINING || t->phase == OVER)
		end(t);
}

void task_cancel(struct subsystem *s, enum task_kind kind)
{
	if (task_running(s, kind))
		cancel(s->beside->task[kind]);
}

void task_ask_to_end(struct subsystem *s, enum task_kind kind)
{
	struct core *c = s->core;
	const struct task *t = beside_of(s)->task[kind];

	if (t == NULL)
		return;
	if (t->phase == UP)
		c->ops->signal(c->ops_ctx, t->slot, t->spawn_id, SIGTERM, SCOPE_TREE, true);
	else if (t->phase == QUEUED || t->phase == ASKED)
		task_cancel(s, kind);
}

void task_retime(struct subsystem *s, enum task_kind kind, int64_t timeout_ns)
{
	struct task *t = beside_of(s)->task[kind];
	int64_t began_ns;

	if (t == NULL)
		return;
	began_ns = t->timer.at_ns - t->timeout_ns;
	t->timeout_ns = timeout_ns;
	if ((t->phase == ASKED || t->phase == UP) && timer_armed(&t->timer))
		timer_arm(&s->core->timers, &t->timer, began_ns + timeout_ns);
}

bool task_running(const struct subsystem *s, enum task_kind kind)
{
	return beside_of(s)->task[kind] != NULL;
}

bool task_present(const struct subsystem *s, enum task_kind kind)
{
	return task_running(s, kind) || beside_of(s)->dying_tasks[kind] > 0;
}

int task_pid(const struct subsystem *s, enum task_kind kind)
{
	const struct task *t = beside_of(s)->task[kind];

	return t != NULL && t->phase == UP ? t->pid : 0;
}

void task_forget_owner(struct subsystem *s)
{
	bool any = false;

	for (int kind = 0; kind < TASK_NKINDS; kind++) {
		task_cancel(s, (enum task_kind)kind);
		any |= beside_of(s)->dying_tasks[kind] > 0;
	}
	if (!any)
		return;
	list_for_each(item, &s->core->tasks.all) {
		struct task *t = list_entry(item, struct task, all);

		if (t->owner == s)
			t->owner = NULL;
	}
}

/* --- facts ------------------------------------------------------------------------------------ */

/* NULL in *T: about one that is over. */
static bool find(struct core *c, uint32_t slot, uint64_t spawn_id, struct task **t)
{
	struct task *found = registry_task_at(&c->registry, slot);

	*t = found != NULL && found->spawn_id == spawn_id ? found : NULL;
	return found != NULL;
}

static void up(struct task *t, int pid)
{
	answered(t);
	t->phase = UP;
	t->has_record = true;
	t->pid = pid;
	t->result.started = true;
	show_pid(t, pid);
	/* Cancelled, or too late, before it existed. */
	if (t->cancelled || t->result.timed_out || all_are_killed(t->core))
		kill_tree(t);
}

bool task_fact_started(struct core *c, const struct km_started *m)
{
	struct task *t;

	if (!find(c, m->slot, m->spawn_id, &t))
		return false;
	if (t == NULL || t->phase != ASKED)
		return true;
	if (m->stage == STAGE_NONE)
		up(t, m->pid);
	else
		failed_start(t, m->stage < STAGE_COUNT ? (enum spawn_stage)m->stage : STAGE_PLAN,
			     m->errnum);
	pump(c);
	return true;
}

bool task_fact_files(struct core *c, const struct start_files *f)
{
	struct task *t;

	if (!find(c, f->slot, f->spawn_id, &t))
		return false;
	if (t == NULL || !t->reading)
		return true;
	if (f->failed != START_FILES_OK) {
		failed_start(t, prepare_stage(f->options, f), f->errnum);
	} else {
		t->reading = false;
		send_plan(t, f);
	}
	pump(c);
	return true;
}

static void gone(struct task *t)
{
	struct core *c = t->core;

	/* Of the others the main process goes on in the middle of a line. */
	if (!has_streams(t) || !t->owner->attached) {
		end(t);
		pump(c);
		return;
	}
	c->ops->output_drain(c->ops_ctx, t->owner->slot, t->spawn_id);
	if (t->kind == TASK_PRE_START && !t->cancelled && !task_succeeded(&t->result)) {
		t->phase = DRAINING;
		timer_arm(&c->timers, &t->timer, clock_mono_ns() + DRAIN_MAX_NS);
	} else {
		end(t);
	}
	pump(c);
}

bool task_fact_drained(struct core *c, uint32_t slot, uint64_t spawn_id, const char *tail)
{
	struct subsystem *s = registry_at(&c->registry, slot);
	struct task *t = s != NULL ? beside_of(s)->task[TASK_PRE_START] : NULL;

	if (t == NULL || t->phase != DRAINING || t->spawn_id != spawn_id)
		return false;
	free(s->end_tail);
	s->end_tail = x_strdup(tail);
	end(t);
	return true;
}

static void exited(struct task *t, int wait_status, bool tree_empty)
{
	t->phase = REST;
	t->result.wait_status = wait_status;
	t->result.status_known = wait_status != WAIT_STATUS_UNKNOWN;
	if (tree_empty)
		gone(t);
	else if (!t->killed)
		kill_tree(t);
}

bool task_fact_exited(struct core *c, const struct km_exited *m)
{
	struct task *t;

	if (!find(c, m->slot, m->spawn_id, &t))
		return false;
	if (t == NULL || (t->phase != ASKED && t->phase != UP))
		return true;
	if (t->phase == ASKED)
		up(t, m->pid);
	timer_disarm(&c->timers, &t->timer);
	/* Who does not run for a while hears of an end after its time was over. */
	if (t->result.timed_out && m->at_mono_ns < t->timer.at_ns)
		t->result.timed_out = false;
	exited(t, m->wait_status, m->tree_left == 0);
	return true;
}

bool task_fact_gone(struct core *c, uint32_t slot, uint64_t spawn_id)
{
	struct task *t;

	if (!find(c, slot, spawn_id, &t))
		return false;
	if (t != NULL && t->phase == REST)
		gone(t);
	return true;
}

/* --- the core's turns ------------------------------------------------------------------------- */

void tasks_init(struct core *c)
{
	list_init(&c->tasks.all);
	list_init(&c->tasks.queue);
	list_init(&c->tasks.over);
}

void tasks_free(struct core *c)
{
	while (!list_empty(&c->tasks.all))
		task_free(list_entry(c->tasks.all.next, struct task, all));
}

bool tasks_waiting(const struct core *c)
{
	return !list_empty(&c->tasks.over);
}

void tasks_settle(struct core *c)
{
	struct list *item, over;

	/* What ends meanwhile is told next time. */
	list_init(&over);
	while ((item = list_pop(&c->tasks.over)) != NULL)
		list_append(&over, item);
	while ((item = list_pop(&over)) != NULL) {
		struct task *t = list_entry(item, struct task, link);
		struct task_result result = t->result;
		struct subsystem *s = t->owner;
		enum task_kind kind = t->kind;
		task_done *done = t->done;

		beside_own(s)->task[kind] = NULL;
		subsystem_mark(s);
		done(s, kind, &result);
		give_slot_back(t);
		task_free(t);
	}
}

void tasks_kill_all(struct core *c)
{
	list_for_each(item, &c->tasks.all) {
		struct task *t = list_entry(item, struct task, all);

		if (t->phase == UP && !t->killed) {
			c->shutdown.killed |= t->kind != TASK_PROBE;
			kill_tree(t);
		} else if (t->reading) {
			failed_start(t, prepare_stage(t->owner->options, NULL), ECANCELED);
		}
	}
	pump(c);
}

/* --- after a death of the supervisor ---------------------------------------------------------- */

static struct task *found(struct core *c, const struct record *r)
{
	struct task *t = x_calloc(1, sizeof(*t));

	t->core = c;
	t->phase = UP;
	t->timer.fire = too_late;
	t->slot = r->slot;
	t->spawn_id = r->spawn_id;
	t->pid = r->pid;
	t->result.started = true;
	list_append(&c->tasks.all, &t->all);
	list_init(&t->link);
	take_slot(t);
	t->has_record = true;
	return t;
}

void task_adopt(struct subsystem *s, enum task_kind kind, const struct record *r,
		enum record_state state, int64_t timeout_ns, task_done *done)
{
	struct core *c = s->core;
	const struct task *other = beside_of(s)->task[kind];
	struct task *t;

	/* Of two the older one was told, or the other would not have been begun: only the keeper
	 * had not been asked yet to forget it. */
	if (other != NULL && other->spawn_id > r->spawn_id) {
		task_kill_found(c, r, state);
		return;
	}
	task_cancel(s, kind);
	t = found(c, r);
	t->owner = s;
	t->kind = kind;
	t->done = done;
	t->timeout_ns = timeout_ns;
	beside_own(s)->task[kind] = t;
	action_attach(s);
	show_pid(t, t->pid);
	if (state != RECORD_RUNNING)
		exited(t, r->wait_status, state == RECORD_GONE);
	else if (timeout_ns > 0)
		timer_arm(&c->timers, &t->timer, r->started_mono_ns + timeout_ns);
}

void task_kill_found(struct core *c, const struct record *r, enum record_state state)
{
	auto_free(freep) char *name = x_strndup(r->name, strcspn(r->name, "/"));
	enum task_kind kind;
	struct task *t;

	if (state == RECORD_GONE) {
		c->ops->release(c->ops_ctx, r->slot, r->spawn_id);
		return;
	}
	t = found(c, r);
	t->cancelled = true;
	if (state != RECORD_RUNNING)
		t->phase = REST;
	if (task_kind_of(r, &kind)) {
		t->kind = kind;
		t->owner = registry_find(&c->registry, name);
	}
	if (t->owner != NULL)
		beside_own(t->owner)->dying_tasks[t->kind]++;
	kill_tree(t);
}
