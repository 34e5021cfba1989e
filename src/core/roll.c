/* A step's end is told in the middle of a decision about its subsystem, so it is noted only: the
 * next step begins when everything is settled. */
#include "core/roll.h"

#include "base/alloc.h"
#include "core/listing.h"
#include "core/live.h"

struct roll {
	struct list link;		/* in core->rolls, or in core->rolls_due between two steps */
	struct core *core;
	struct core_request *order;	/* whom to answer; NULL: nobody waits */
	struct strlist names;
	bool overlap;
	size_t next;			/* of NAMES: the one to restart next */
	struct core_request step;	/* the one under way */
};

static void roll_free(struct roll *roll)
{
	list_remove(&roll->link);
	strlist_fini(&roll->names);
	strlist_fini(&roll->step.names);
	strlist_fini(&roll->step.affected);
	error_fini(&roll->step.error);
	json_decref(roll->step.failures);
	json_decref(roll->step.notes);
	free(roll);
}

/* --- its end ---------------------------------------------------------------------------------- */

/* Those whose turn never came are left out of the answer. */
static void forget_rest(struct roll *roll, struct core_request *order)
{
	strlist_fini(&order->affected);
	for (size_t i = 0; i < roll->next; i++)
		strlist_add(&order->affected, roll->names.items[i]);
}

/* What went wrong with the step is what went wrong with the order. */
static void take_failure(struct roll *roll, struct core_request *order)
{
	size_t left = roll->names.n - roll->next;
	auto_free(freep) char *text = x_strdup(roll->step.error.message);
	struct error *e = &roll->step.error;

	if (left > 0)
		error_set(&order->error, e->code, 0, "%s (%zu more %s not restarted)", text, left,
			  left == 1 ? "was" : "were");
	else
		error_set(&order->error, e->code, 0, "%s", text);
	order->error.errnum = e->errnum;
	order->failures = take(roll->step.failures);
	forget_rest(roll, order);
}

static void finish(struct roll *roll)
{
	struct core_request *order = roll->order;

	if (order != NULL && error_is_set(&roll->step.error))
		take_failure(roll, order);
	roll_free(roll);
	if (order != NULL)
		order->done(order);
}

/* --- steps ------------------------------------------------------------------------------------ */

static void take_notes(struct roll *roll)
{
	if (roll->step.notes == NULL || roll->order == NULL)
		return;
	if (roll->order->notes == NULL)
		roll->order->notes = json_array();
	json_array_extend(roll->order->notes, roll->step.notes);
}

static void on_step_done(struct core_request *step)
{
	struct roll *roll = container_of(step, struct roll, step);
	bool gone = step->error.code == ERROR_SUBSYSTEM_NOT_FOUND;	/* a reload was faster */

	take_notes(roll);
	if (gone)
		error_fini(&step->error);
	if (error_is_set(&step->error) || roll->next == roll->names.n) {
		finish(roll);
		return;
	}
	list_remove(&roll->link);
	list_append(&roll->core->rolls_due, &roll->link);
}

static void begin_step(struct roll *roll)
{
	struct core_request *step = &roll->step;

	strlist_fini(&step->names);
	strlist_fini(&step->affected);
	json_decref(step->notes);
	json_decref(step->failures);
	*step = (struct core_request){ .verb = CORE_RESTART, .overlap = roll->overlap,
					.done = on_step_done };
	strlist_add(&step->names, roll->names.items[roll->next++]);
	core_request(roll->core, step);
}

void rolls_run(struct core *c)
{
	struct list *item;

	while ((item = list_pop(&c->rolls_due)) != NULL) {
		struct roll *roll = list_entry(item, struct roll, link);

		list_append(&c->rolls, &roll->link);
		begin_step(roll);
	}
}

/* --- its beginning ---------------------------------------------------------------------------- */

static void select_names(struct core *c, struct core_request *r)
{
	auto_free(freep) uint32_t *slots = NULL;
	size_t n = 0;
	const char *unknown = board_match(c->board, &r->names, &slots, &n);

	if (unknown != NULL)
		error_set(&r->error, ERROR_SUBSYSTEM_NOT_FOUND, 0, "unknown subsystem \"%s\"",
			  unknown);
	listing_sort(c->board, config_current(), slots, n);
	for (size_t i = 0; i < n; i++)
		strlist_add(&r->affected, registry_at(&c->registry, slots[i])->name);
}

void roll_start(struct core *c, struct core_request *r)
{
	struct roll *roll;

	select_names(c, r);
	if (error_is_set(&r->error) || r->affected.n == 0) {
		r->done(r);
		return;
	}
	roll = x_calloc(1, sizeof(*roll));
	roll->core = c;
	roll->overlap = r->overlap;
	strlist_copy(&roll->names, &r->affected);
	list_append(&c->rolls, &roll->link);
	if (r->no_wait)
		r->done(r);
	else
		roll->order = r;
	begin_step(roll);
}

void rolls_abandon(struct core *c)
{
	struct list *item;

	while ((item = list_pop(&c->rolls_due)) != NULL) {
		struct roll *roll = list_entry(item, struct roll, link);

		error_set(&roll->step.error, ERROR_SHUTDOWN_IN_PROGRESS, 0, "procd shuts down");
		finish(roll);
	}
}

void rolls_free(struct core *c)
{
	struct list *item;

	while ((item = list_pop(&c->rolls_due)) != NULL)
		roll_free(list_entry(item, struct roll, link));
	while ((item = list_pop(&c->rolls)) != NULL)
		roll_free(list_entry(item, struct roll, link));
}
