/* What the contract says must follow: a second, much simpler idea of a subsystem's life, written from
 * the interface page and the manual and not from the code. It is told what was ordered and
 * configured, reads every event, and insists. It knows wishes, counters and the formula of the
 * delays; it does not know how a process is made or unmade. */
#ifndef CORE_REFERENCE_H
#define CORE_REFERENCE_H

#include "config/depend.h"
#include "core/goal.h"
#include "core/state.h"
#include "core_fixture.h"

#define REF_N 10
#define REF_RESET_AFTER_MS 5000

/* From one to another: what its KIND says. */
struct ref_edge {
	bool there;
	enum edge_kind kind;
	enum condition condition;
};

/* The options that the reference understands. */
struct ref_spec {
	bool oneshot;
	struct ref_edge edge[REF_N];
	enum restart_policy restart;
	int64_t delay_ms, max_delay_ms;
	int64_t max_attempts;
	double jitter;
	bool autostart;
};

struct ref {
	bool present, removed;
	struct ref_spec spec;
	enum subsystem_state told;
	enum operator_wish wish;
	bool config_up;
	bool ordered;		/* somebody asked for a start that was not begun yet */
	bool maybe;		/* ... or perhaps not: it depends on what is not told */
	bool early;		/* the pending delay was cancelled by `reset` */
	uint64_t restarts;
	uint32_t attempt;
	int64_t next_ms;	/* as told when it ended; -1: no restart */
	int64_t due_ns;		/* not before this */
	/* of lives with edges */
	enum { REF_NO_END, REF_GOOD_END, REF_BAD_END } end;	/* by itself, of its last run */
	bool stop_asked;	/* to stop was the last thing that anybody said */
	bool owed;		/* stopped for the sake of another one: it has to come back */
};

struct ref_all {
	struct ref sub[REF_N];
	bool shutdown;
	bool edges;		/* who starts whom is not foreseen; what must not be, is */
	uint64_t starts, deferred, events;
};
static struct ref_all ref;

static void broken(int line, const char *what);	/* the driver's: says where the life stands */
#define insist(condition)                                                                         \
	do {                                                                                      \
		if (!(condition))                                                                 \
			broken(__LINE__, #condition);                                             \
	} while (0)

static bool ref_up(const struct ref *r)
{
	if (ref.shutdown || r->removed)
		return false;
	return r->wish == OPERATOR_NONE ? r->config_up : r->wish == OPERATOR_UP;
}

/* --- what is done to it ----------------------------------------------------------------------- */

static void ref_added(struct ref *r, const struct ref_spec *spec)
{
	bool present = r->present;

	*r = (struct ref){ .present = present, .spec = *spec, .told = STATE_STOPPED,
			   .config_up = spec->autostart, .ordered = spec->autostart,
			   .next_ms = -1 };
}

static void ref_order(struct ref *r, enum core_verb verb)
{
	bool begun = r->told == STATE_STARTING || r->told == STATE_RUNNING;

	if (verb == CORE_STOP)
		r->stop_asked = true;
	else if (verb == CORE_START || verb == CORE_RESTART)
		for (int i = 0; i < REF_N; i++)
			ref.sub[i].stop_asked = false;	/* it may concern what is needed, too */
	if (verb == CORE_RESET) {
		r->attempt = 0;
		r->early = true;
	}
	if (verb == CORE_STOP) {
		r->wish = OPERATOR_DOWN;
		r->ordered = r->maybe = false;
	}
	if (ref.shutdown || (verb != CORE_START && verb != CORE_RESTART))
		return;
	r->wish = OPERATOR_UP;
	r->ordered |= verb == CORE_RESTART || !begun;
}

/* Another policy, by which it is to be restarted. */
static bool ref_anew(const struct ref *r, const struct ref_spec *spec)
{
	bool waits = r->told == STATE_RESTARTING ||
		     (r->told == STATE_FAILED && r->config_up && r->wish == OPERATOR_NONE);
	bool same = r->spec.restart == spec->restart && r->spec.delay_ms == spec->delay_ms &&
		    r->spec.max_delay_ms == spec->max_delay_ms &&
		    r->spec.max_attempts == spec->max_attempts;
	bool wants = spec->restart == RESTART_ALWAYS ||
		     spec->restart == RESTART_EXPONENTIAL_BACKOFF ||
		     (spec->restart == RESTART_ON_FAILURE && r->end != REF_GOOD_END);

	return waits && !same && wants &&
	       (spec->max_attempts == 0 || r->attempt < (uint64_t)spec->max_attempts);
}

/* It stays, with other options; RESTART: some of them need a new process. */
static void ref_changed(struct ref *r, const struct ref_spec *spec, bool restart)
{
	bool down = r->told == STATE_STOPPED || r->told == STATE_FAILED;
	bool anew = ref_anew(r, spec);

	r->spec = *spec;
	if (r->removed) {
		r->removed = false;
		r->wish = OPERATOR_NONE;
		r->config_up = spec->autostart;
		r->ordered = spec->autostart;
		r->maybe = false;
		return;
	}
	if (restart && (r->told == STATE_RUNNING || r->told == STATE_RESTARTING ||
			(r->told == STATE_FAILED && r->config_up && r->wish == OPERATOR_NONE)))
		r->ordered = true;
	if (!restart && anew)
		r->ordered = true;
	if (restart && r->told == STATE_STARTING)
		r->maybe = true;
	if (spec->autostart && !r->config_up) {
		r->config_up = true;
		r->maybe |= down && r->wish == OPERATOR_NONE;
	}
}

static void ref_removed(struct ref *r)
{
	r->removed = true;
	r->ordered = r->maybe = false;
}

/* --- what it tells ---------------------------------------------------------------------------- */

/* Behind "KEY": in a compact JSON object; "" when it is not there. */
static const char *ref_field(const char *body, const char *key)
{
	const char *at = strstr(body, key);

	return at ? at + strlen(key) : "";
}

static int64_t ref_number(const char *body, const char *key)	/* null and absent: -1 */
{
	const char *at = ref_field(body, key);

	return *at >= '0' && *at <= '9' ? (int64_t)strtoll(at, NULL, 10) : -1;
}

static enum subsystem_state ref_state(const char *body, const char *key)
{
	const char *at = ref_field(body, key);

	for (int i = 0; i < STATE_NSTATES; i++) {
		const char *name = enumtext_name(&subsystem_state_text, i);

		if (strncmp(at, name, strlen(name)) == 0 && at[strlen(name)] == '"')
			return (enum subsystem_state)i;
	}
	broken(__LINE__, body);
	return STATE_STOPPED;
}

static bool ref_up_or_going(const struct ref *r)
{
	return r->told == STATE_STARTING || r->told == STATE_RUNNING || r->told == STATE_STOPPING;
}

/* Is what E says true of TO, as told? */
static bool ref_met(const struct ref *to, const struct ref_edge *e)
{
	bool down = to->told == STATE_STOPPED || to->told == STATE_FAILED;
	bool done = down && to->end == REF_GOOD_END;

	switch (e->condition) {
	case CONDITION_STARTED:
		return to->told == STATE_STARTING || to->told == STATE_RUNNING ||
		       (to->spec.oneshot && done);
	case CONDITION_COMPLETED:
		return down && to->end != REF_NO_END;
	case CONDITION_SUCCEEDED:
		return done;
	default:
		return to->spec.oneshot ? done : to->told == STATE_RUNNING;
	}
}

static bool ref_counts(const struct ref *from, int to)
{
	return from->spec.edge[to].there && edge_is_hard(from->spec.edge[to].kind) &&
	       !from->removed && ref.sub[to].present && !ref.sub[to].removed;
}

/* No start before what it needs is there. */
static void ref_needs(const struct ref *r)
{
	for (int i = 0; i < REF_N; i++)
		if (ref_counts(r, i))
			insist(ref_met(&ref.sub[i], &r->spec.edge[i]));
}

/* Somebody stopped it: who needs it went before. */
static void ref_needed(const struct ref *r)
{
	int me = (int)(r - ref.sub);

	if (!r->stop_asked || ref.shutdown || r->removed || r->spec.oneshot)
		return;
	for (int i = 0; i < REF_N; i++)
		if (ref_counts(&ref.sub[i], me) &&
		    ref.sub[i].spec.edge[me].condition <= CONDITION_READY)
			insist(!ref_up_or_going(&ref.sub[i]));
}

static void ref_starting(struct ref *r, const char *body)
{
	int64_t restarts = ref_number(body, "\"restart_count\":");

	ref.starts++;
	if (strncmp(ref_field(body, "\"reason\":\""), "adopted", 7) == 0)
		return;
	ref_needs(r);
	if (restarts == (int64_t)r->restarts + 1) {
		/* by itself: announced, not too early, and only while it is wanted */
		insist(r->told == STATE_RESTARTING);
		insist(ref_up(r) || ref.edges);
		insist(r->early || ref_number(body, "\"at_mono_ns\":") >= r->due_ns);
		r->restarts++;
		r->attempt++;
	} else {
		insist(restarts == (int64_t)r->restarts);
		insist(r->ordered || r->maybe || ref.edges);
		r->attempt = 0;
		r->ordered = r->maybe = false;
	}
	r->early = false;
	r->next_ms = -1;
}

/* The formula of the manual. */
static int64_t ref_delay_ms(const struct ref *r)
{
	int64_t delay = r->spec.delay_ms;

	for (uint32_t i = 0; i < MIN(r->attempt, 10); i++)
		delay *= 2;
	return MIN(delay, r->spec.max_delay_ms);
}

static void ref_ended(struct ref *r, const char *body, const struct record *record)
{
	bool ran = r->told == STATE_RUNNING, wants, exhausted;
	bool success = ran && ref_number(body, "\"exit_code\":") == 0;
	bool gave_up = strstr(body, "\"gave_up\":true") != NULL;
	int64_t next_ms = ref_number(body, "\"next_restart_ms\":");

	if (ran && record->exited_mono_ns - record->started_mono_ns >=
		   REF_RESET_AFTER_MS * NS_PER_MS)
		r->attempt = 0;
	r->next_ms = next_ms;
	insist(success || ref_state(body, "\"state\":\"") == STATE_FAILED);
	r->end = success && !gave_up ? REF_GOOD_END : REF_BAD_END;
	if (ref.edges)
		return;
	if (!ref_up(r))
		insist(next_ms == -1 && !gave_up);
	if (!ref_up(r) || r->ordered || r->maybe)
		return;
	wants = r->spec.restart == RESTART_ALWAYS ||
		r->spec.restart == RESTART_EXPONENTIAL_BACKOFF ||
		(r->spec.restart == RESTART_ON_FAILURE && !success);
	exhausted = r->spec.max_attempts > 0 && r->attempt >= (uint64_t)r->spec.max_attempts;
	insist(gave_up == (wants && exhausted));
	insist((next_ms >= 0) == (wants && !exhausted));
	if (next_ms < 0)
		return;
	insist(next_ms >= ref_delay_ms(r));
	insist(next_ms <= ref_delay_ms(r) + (int64_t)((double)ref_delay_ms(r) * r->spec.jitter));
}

static void ref_changed_state(struct ref *r, const char *body, const struct record *record)
{
	enum subsystem_state state = ref_state(body, "\"state\":\"");
	int64_t next_ms = ref_number(body, "\"next_restart_ms\":");

	insist(r->present);
	insist(ref_state(body, "\"prev\":\"") == r->told);
	insist(state_legal(r->told, state));
	switch (state) {
	case STATE_STARTING:
		ref_starting(r, body);
		r->end = REF_NO_END;
		r->owed = false;
		break;
	case STATE_RUNNING:
		break;
	case STATE_STOPPING:
		insist(!ref_up(r) || r->ordered || r->maybe || ref.edges);
		if (strncmp(ref_field(body, "\"reason\":\""), "request", 7) == 0)
			ref_needed(r);
		r->end = REF_NO_END;
		break;
	case STATE_RESTARTING:
		insist(next_ms >= 0 && next_ms == r->next_ms);
		r->due_ns = ref_number(body, "\"at_mono_ns\":") + next_ms * NS_PER_MS;
		break;
	case STATE_STOPPED:
	case STATE_FAILED:
		if (r->told == STATE_RUNNING || r->told == STATE_STARTING)
			ref_ended(r, body, record);
		else
			r->next_ms = -1;
		if (r->told == STATE_RESTARTING)
			insist(!ref_up(r) || ref.edges);
		r->owed = strncmp(ref_field(body, "\"reason\":\""), "dependency", 10) == 0;
		break;
	default:
		insist(false);
	}
	r->told = state;
}

/* "sN" */
static struct ref *ref_of(const char *body)
{
	const char *name = ref_field(body, "\"name\":\"");

	insist(name[0] == 's' && name[1] >= '0' && name[1] < '0' + REF_N && name[2] == '"');
	return &ref.sub[name[1] - '0'];
}

static bool ref_is(const char *body, const char *type)
{
	return strncmp(body, "{\"type\":\"", 9) == 0 &&
	       strncmp(body + 9, type, strlen(type)) == 0;
}

static void ref_event(const char *body, uint32_t (*slot_of)(int index))
{
	struct ref *r;

	ref.events++;
	if (ref_is(body, "state_changed\"")) {
		r = ref_of(body);
		ref_changed_state(r, body,
				  &fx.records.slots[slot_of((int)(r - ref.sub))]);
	} else if (ref_is(body, "spawn_deferred\"")) {
		ref.deferred++;
		insist(ref_of(body)->told == STATE_STARTING);
		insist(ref_number(body, "\"retry_ms\":") >= 100);
		insist(ref_number(body, "\"retry_ms\":") <= 5000);
	} else if (ref_is(body, "subsystem_added\"")) {
		r = ref_of(body);
		insist(!r->present);
		r->present = true;
	} else if (ref_is(body, "subsystem_removed\"")) {
		r = ref_of(body);
		insist(r->present && r->removed);
		insist(r->told == STATE_STOPPED || r->told == STATE_FAILED);
		r->present = false;
	}
}

/* The same in a life with edges: who waits has a reason, and who was promised a start has it, or
 * waits. */
static void ref_calm_edges(const struct ref *r, const struct board_record *b)
{
	const char *name = b->texts->waits_for;
	int other = name[0] == 's' ? name[1] - '0' : -1;

	insist(!r->removed);
	insist(b->waiting == (other >= 0));
	if (b->waiting && ref_counts(r, other))
		insist(!ref_met(&ref.sub[other], &r->spec.edge[other]) ||
		       ref.sub[other].wish == OPERATOR_DOWN ||
		       fx_board((char[]){ 's', name[1], '\0' })->waiting);
	if (!b->waiting)
		insist(r->told == STATE_RUNNING || r->told == STATE_STOPPED ||
		       r->told == STATE_FAILED);
	if (!b->waiting && r->owed)
		insist(r->wish == OPERATOR_DOWN || r->told == STATE_RUNNING);
}

/* Everybody obeyed, everything was answered, and much time has passed. */
static void ref_calm(const struct ref *r, const struct board_record *b)
{
	if (!r->present)
		return;
	if (ref.edges) {
		ref_calm_edges(r, b);
		return;
	}
	insist(!r->removed);
	insist(r->told == STATE_RUNNING || r->told == STATE_STOPPED || r->told == STATE_FAILED);
	if (r->told == STATE_RUNNING) {
		insist(ref_up(r));
		return;
	}
	insist(r->next_ms == -1);
	insist(!ref_up(r) || !r->ordered);
}

#endif
