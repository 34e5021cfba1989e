/* Memory says what was wanted and told, the records say what is. For each slot both are compared: a
 * process that memory knows goes on silently; one that it does not know is adopted; an end that
 * was not told yet is told now, with its true status. Whatever was begun (a start, a stop, a delay)
 * is taken up with its old deadline.
 *
 * After the death of the keeper, too, what lives appears anew, as adopted. What was to die with it
 * is not adopted but ended, and started again if it is wanted.
 *
 * This is the first part: who there is. */
#include "core/recovery.h"

#include <signal.h>

#include "base/alloc.h"
#include "base/log.h"
#include "core/live.h"
#include "core/places.h"
#include "core/reconcile.h"
#include "core/saved.h"

bool recovery_needed(const struct core *c)
{
	enum record_state state;
	struct memory_head h;

	if (c->welcome.recovering)
		return true;
	for (uint32_t slot = 0; slot < places_nrecords(c); slot++)
		if (places_record(c, slot, &state) != NULL)
			return true;
	/* Nothing of it runs; but an ordered end would have left no memory of orders, counters and
	 * what has been done. */
	return c->memory.head_valid && memory_load_head(&c->memory, &h) && h.started;
}

/* Options for a process that the configuration no longer knows. What it was started with, where
 * that is known: it was removed while no procd ran. Else it is stopped as the reload that removed
 * it had left it to be. R and E may be NULL. */
static struct subsystem_options *forgotten_options(const struct core *c, const char *name,
						   const struct record *r,
						   const struct memory_entry *e)
{
	struct subsystem_options *was = c->before != NULL ? config_find(c->before, name) : NULL;
	enum kill_mode mode = r != NULL && (r->flags & PLAN_TREE) ? KILL_MODE_GROUP
								  : KILL_MODE_PROCESS;
	int64_t ms = TIMEOUT_UNSET;
	int signo = SIGTERM;

	if (was != NULL)
		return subsystem_options_ref(was);
	if (e != NULL)
		saved_stop(e, &signo, &ms);
	return subsystem_options_unknown(name, mode, signo, ms);
}

/* NAME is still wanted under the current configuration? */
static struct subsystem_options *current_options(const struct map *wanted, const char *name)
{
	return map_find(wanted, name);
}

/* The process lives, its keeper may not: before anything is told, let the state be one from which
 * the matrix goes on as the contract says. */
static void settle_death(const struct core *c, struct subsystem *s, const struct record *r)
{
	bool alive = s->state == STATE_STARTING || s->state == STATE_RUNNING;

	if (places_condemned(r) && !alive && s->state != STATE_STOPPING)
		s->state = STATE_RUNNING;	/* what memory does not know can only be ended */
	else if (!places_condemned(r) && !c->welcome.recovering && alive)
		s->state = STATE_STOPPED;	/* of the procd that is no more; adopted by this one */
}

/* NULL: its name was known already. */
static struct subsystem *add_known(struct core *c, const struct map *wanted, uint32_t slot,
				   const struct memory_entry *e, const struct record *r,
				   enum record_state state)
{
	const char *label = e != NULL ? e->name : r->name;
	auto_free(freep) char *name = x_strndup(label, strcspn(label, "/"));
	struct subsystem_options *o = current_options(wanted, name);
	struct subsystem_options *own = NULL;
	struct subsystem *s;

	if (registry_find(&c->registry, name) != NULL) {
		log_at(LOG_WARN, name, "known twice: the second one, in slot %u, is ignored", slot);
		return NULL;
	}
	/* Neither wanted nor alive: it comes back only to be told of as stopped and removed. */
	if (o == NULL)
		o = own = forgotten_options(c, name, r, e);
	s = subsystem_new(c, slot, e ? e->id : c->next_id++, o);
	if (e != NULL) {
		saved_fill(s, e);
		saved_fill_note(s, e);
	} else {
		s->config_up = o->autostart;
		ready_reset(s);
	}
	if (r != NULL && state == RECORD_RUNNING)
		s->proc.missing = r->flags >> RECORD_MISSING_SHIFT;
	if (r != NULL && (state == RECORD_RUNNING || (e == NULL && places_condemned(r))))
		settle_death(c, s, r);
	s->removed = own != NULL;
	if (s->removed && (e == NULL || !(e->flags & MEMORY_REMOVED)))
		s->order_reason = REASON_RELOAD;
	subsystem_options_unref(own);
	c->next_id = MAX(c->next_id, s->id + 1);
	c->next_spawn_id = MAX(c->next_spawn_id, s->proc.spawn_id + 1);
	reconcile_add(s, true);
	return s;
}

/* The one beside S that R is about is on its way out, whatever it was. */
static void add_second(struct core *c, struct subsystem *s, const struct record *r, uint32_t spare)
{
	struct subsystem *second = overlap_resume(s, r, spare);
	struct memory_entry e;

	if (memory_load(&c->memory, spare, &e) && saved_is_sane(&e) && e.flags & MEMORY_SECOND &&
	    e.spawn_id == r->spawn_id)
		saved_fill(second, &e);
	else
		second->state = STATE_RUNNING;
	second->wish = OPERATOR_DOWN;
	second->config_up = second->kick = second->bounce = false;
}

/* Where the processes of S are. */
static void take_places(struct core *c, struct subsystem *s, const struct place_verdict *v)
{
	bool lodges = v->own != NULL && v->own->slot != s->slot;
	bool told = v->other != NULL && v->other_state != RECORD_RUNNING &&
		    memory_buried(&c->memory, v->spare, v->other->spawn_id);

	if (!v->second || (!lodges && (v->other == NULL || told)))
		return;
	registry_lodge(&c->registry, v->spare, s);
	if (lodges || v->other->slot == s->slot)
		s->proc.slot = v->spare;
	if (v->other != NULL && !told)
		add_second(c, s, v->other, v->spare);
}

/* What is missing is made up for by the records: what runs is adopted, with its name and pid;
 * orders and counters of the past are gone. */
static void tell_damage(const struct core *c)
{
	const struct memory *m = &c->memory;

	if (c->records != NULL && c->records->header->damaged > 0)
		log_warn("%u records of an earlier procd were damaged: of these only what session and "
			 "name prove is taken over", c->records->header->damaged);
	if (c->records != NULL && c->records->header->cut)
		log_warn("the records of an earlier procd were cut short: what they do not name any "
			 "more is not known");
	if (m->unusable)
		log_warn("the saved run-time state was unusable and is kept as " MEMORY_FILE ".bad: "
			 "the records tell what runs, orders and counters are lost");
	else if (!m->head_valid && c->welcome.recovering && chan_last_seq(c->chan) > 0)
		log_warn("there is no saved run-time state: the records tell what runs, orders and "
			 "counters are lost");
	if (m->cut)
		log_warn("the saved run-time state was cut short and is kept as " MEMORY_FILE ".bad: "
			 "what is missing is taken from the records");
	if (m->dropped > 0)
		log_warn("%u damaged entries of the saved run-time state were dropped; it is kept as "
			 MEMORY_FILE ".bad", m->dropped);
	if (m->older > 0)
		log_warn("%u entries of the saved run-time state had a damaged or half-written copy: "
			 "the other one counts", m->older);
}

/* Is R of a process before the latest that memory knows in this slot? Then its end was told, and
 * that nothing is left of it; only the order to forget it has not come as far as the keeper. */
static bool outlived(const struct core *c, const struct record *r, enum record_state state,
		     const struct memory_entry *e)
{
	if (r == NULL || state == RECORD_RUNNING)
		return false;
	return e != NULL ? e->spawn_id > r->spawn_id
			 : memory_buried(&c->memory, r->slot, r->spawn_id);
}

static void note_spawn_id(struct core *c, const struct record *r)
{
	if (r != NULL)
		c->next_spawn_id = MAX(c->next_spawn_id, r->spawn_id + 1);
}

/* What runs beside a main process comes later, when all of these are known. */
static void load_slot(struct core *c, const struct map *wanted, const struct places *places,
		      uint32_t slot)
{
	struct memory_entry e;
	bool known = memory_load(&c->memory, slot, &e) && saved_is_sane(&e) &&
		     !(e.flags & MEMORY_SECOND);
	struct place_verdict v = places_judge(places, c, slot, known ? &e : NULL);
	const struct record *r = v.own;
	struct subsystem *s = NULL;

	note_spawn_id(c, v.own);
	note_spawn_id(c, v.other);
	if (r != NULL && outlived(c, r, v.own_state, known ? &e : NULL))
		r = NULL;
	/* The record is what is; an entry of someone else is out of date. */
	else if (r != NULL)
		known = known && record_name_is_of(r->name, e.name);
	if (known || r != NULL)
		s = add_known(c, wanted, slot, known ? &e : NULL, r, v.own_state);
	if (s != NULL)
		take_places(c, s, &v);
}

void recovery_load(struct core *c)
{
	const struct config *config = config_current();
	uint32_t nslots = MAX(places_nrecords(c), c->memory.nslots);
	struct map wanted = MAP_INIT_BORROWING;
	struct places places;

	places_find(&places, c, nslots);
	for (size_t i = 0; i < config->nsubsystems; i++)
		map_put(&wanted, config->subsystems[i]->name, config->subsystems[i]);
	tell_damage(c);
	for (uint32_t slot = 0; slot < nslots; slot++)
		load_slot(c, &wanted, &places, slot);
	for (uint32_t slot = 0; slot < nslots; slot++)
		if (registry_tenant(&c->registry, slot) == NULL)
			memory_clear(&c->memory, slot);
	places_fini(&places);
	map_fini(&wanted);
}
