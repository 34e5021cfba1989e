/* One sample: whose process is in a slot, what it uses now, and what that means beside the sample
 * before. A sample belongs to one process; another one in the same slot begins anew. */
#include "base/alloc.h"
#include "base/clock.h"
#include "metrics/sampler_inner.h"

/* Does the keeper still answer for PID, the process SPAWN_ID (0: whichever it is) in PLACE? As long
 * as it does, PID has not been reaped, so nobody else can have the number. */
static const struct record *living(const struct sampler *s, uint32_t place, pid_t pid,
				   uint64_t spawn_id)
{
	const struct records *records = s->setup.records;
	const struct record *r;

	if (records == NULL || place >= atomic_load(&records->header->nslots))
		return NULL;
	r = record_get(records, place);
	return atomic_load(&r->state) == RECORD_RUNNING && r->pid == pid &&
	       (spawn_id == 0 || r->spawn_id == spawn_id) ? r : NULL;
}

bool sample_subject(const struct sampler *s, uint32_t slot, struct subject *out)
{
	const struct board_record *b;
	const struct record *r;

	memset(out, 0, sizeof(*out));
	rcu_enter();
	b = board_get(s->setup.board, slot);
	if (b != NULL && b->pid > 0) {
		out->id = b->id;
		out->target.pid = b->pid;
		out->target.slot = b->place;
	}
	rcu_leave();
	r = out->target.pid > 0 ? living(s, out->target.slot, out->target.pid, 0) : NULL;
	if (r == NULL)
		return false;
	out->spawn_id = r->spawn_id;
	out->target.start_ticks = r->start_ticks;	/* of one that was adopted */
	out->target.parent = s->setup.records->header->keeper_pid;
	out->target.cgroup_fd = s->cgroup_fd;
	return true;
}

bool sample_is_of(const struct sample *p, const struct subject *who)
{
	return p->id == who->id && p->spawn_id == who->spawn_id && p->pid == who->target.pid;
}

struct sample **sample_place(struct sampler *s, uint32_t slot)
{
	if (slot >= s->nslots) {
		uint32_t n = MAX(slot + 1, MAX(s->nslots * 2, 16u));

		s->by_slot = x_reallocarray(s->by_slot, n, sizeof(struct sample *));
		memset(s->by_slot + s->nslots, 0, (n - s->nslots) * sizeof(struct sample *));
		s->nslots = n;
	}
	return &s->by_slot[slot];
}

static void forget(struct sample **place)
{
	if (*place != NULL)
		free((*place)->more);
	free(*place);
	*place = NULL;
}

/* Those who end take their time with them, unless somebody waited for them: the sum may fall, what
 * is told must not. */
static void account(struct sample *p, const struct resources *now, int64_t at_ns)
{
	uint64_t used = now->cpu_us > p->now.cpu_us ? now->cpu_us - p->now.cpu_us : 0;

	if (p->at_mono_ns != 0 && at_ns > p->at_mono_ns)
		p->cpu_percent = (double)used * 100000 / (double)(at_ns - p->at_mono_ns);
	p->cpu_us += used;
	p->now = *now;
	p->at_mono_ns = at_ns;
}

/* What belonged to another process goes; who wants to know stays. */
static void begin_anew(struct sample *p, const struct subject *who)
{
	free(p->more);
	*p = (struct sample){
		.id = who->id, .spawn_id = who->spawn_id, .pid = who->target.pid, .cpu_percent = -1,
		.asked_mono_ns = p->asked_mono_ns, .more_wanted = p->more_wanted,
	};
}

static void take_more(struct sample *p, const struct resource_target *t)
{
	if (p->more == NULL)
		p->more = x_calloc(1, sizeof(*p->more));
	resources_read_more(t, p->more);
}

void sample_take(struct sampler *s, uint32_t slot, bool more)
{
	struct sample **place = sample_place(s, slot);
	struct subject who;
	struct resources now;

	if (!sample_subject(s, slot, &who) || !resources_read(&who.target, &now) ||
	    living(s, who.target.slot, who.target.pid, who.spawn_id) == NULL) {
		forget(place);
		return;
	}
	s->taken++;
	if (*place == NULL)
		*place = x_calloc(1, sizeof(**place));
	if (!sample_is_of(*place, &who) || (*place)->now.start_ticks != now.start_ticks)
		begin_anew(*place, &who);
	account(*place, &now, clock_mono_ns());
	if (more && (*place)->more_wanted)
		take_more(*place, &who.target);
}

void samples_forget(struct sampler *s)
{
	for (uint32_t i = 0; i < s->nslots; i++)
		forget(&s->by_slot[i]);
	free(s->by_slot);
	s->by_slot = NULL;
	s->nslots = s->cursor = 0;
	s->watch_cursor = 0;
}
