/* Sockets are looked at by the owner of the loop, commands are tasks; to whoever asks, both are the
 * same. An answer carries the number of its question, so that one that comes too late is
 * nobody's. */
#include "core/prober.h"

#include "base/alloc.h"
#include "core/action.h"
#include "core/live.h"
#include "core/task.h"

static void answer(struct subsystem *s, enum probe_result result, const char *detail)
{
	struct prober *p = &beside_own(s)->prober;
	probe_done *done = p->done;

	p->done = NULL;
	p->attempt = NULL;
	done(s, result, detail);
}

/* That procd cannot make a process now says nothing about the one that runs. */
static void command_done(struct subsystem *s, enum task_kind kind, const struct task_result *r)
{
	auto_free(freep) char *text = task_result_text(r, beside_of(s)->prober.timeout_ns);

	(void)kind;
	if (task_succeeded(r))
		answer(s, PROBE_PASSED, text);
	else if (!r->started && action_is_our_trouble(s, r->stage, r->errnum))
		answer(s, PROBE_NOT_MADE, text);
	else
		answer(s, PROBE_FAILED, text);
}

void prober_start(struct subsystem *s, const struct probe_option *o, int64_t timeout_ns,
		  probe_done *done)
{
	struct prober *p = &beside_own(s)->prober;
	struct core *c = s->core;

	BUG_ON(p->done != NULL);
	*p = (struct prober){
		.done = done,
		.id = (uint64_t)++c->last_probe << 32 | s->slot,
		.timeout_ns = timeout_ns,
	};
	if (o->kind == PROBE_COMMAND)
		task_start(s, TASK_PROBE, &o->command, NULL, timeout_ns, command_done);
	else
		p->attempt = c->ops->probe(c->ops_ctx, p->id, o, timeout_ns);
}

static bool busy(const struct subsystem *s)
{
	return beside_of(s)->prober.done != NULL;
}

void prober_cancel(struct subsystem *s)
{
	struct core *c = s->core;
	void *attempt = beside_of(s)->prober.attempt;

	if (!busy(s))
		return;
	if (attempt != NULL)
		c->ops->probe_cancel(c->ops_ctx, attempt);
	else
		task_cancel(s, TASK_PROBE);
	s->beside->prober = (struct prober){ 0 };
}

void core_probed(struct core *c, uint64_t id, enum probe_result result, const char *detail)
{
	struct subsystem *s = registry_at(&c->registry, (uint32_t)id);

	if (s != NULL && busy(s) && s->beside->prober.id == id)
		answer(s, result, detail);
}
