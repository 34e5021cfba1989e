/* Who waits for whom. Each edge keeps what it means right now, and each subsystem how many of its
 * edges mean it; so looking at a subsystem costs nothing per edge, and a change costs one step per
 * edge of what changed. Main thread. */
#ifndef CORE_EDGES_H
#define CORE_EDGES_H

#include "base/list.h"
#include "base/strbuf.h"
#include "config/depend.h"

struct core;
struct subsystem;

/* FROM starts after TO and stops before it. `before` is turned round into an EDGE_AFTER. */
struct edge {
	struct subsystem *from, *to;
	struct list out, in;		/* in from->edges.out (those that it waits for come first)
					 * and in to->edges.in */
	enum edge_kind kind;
	enum condition condition;
	bool unmet;			/* from may not start */
	bool stuck;			/* ... and nothing is under way that would change that */
	bool stops;			/* from must be down */
	bool ordered;			/* ... because somebody ordered TO down */
	bool holds;			/* to may not stop yet */
};

/* The share of a subsystem that has, or had, edges. */
struct edge_ends {
	struct subsystem *owner;
	struct list out, in;
	struct list work;		/* in core->edge_work */
	uint64_t visit;
	uint32_t unmet, stuck, stops, ordered;	/* of its out edges */
	uint32_t holds;			/* of its in edges */
	uint32_t face;			/* what the edges were last computed from */
	uint32_t version, shown;	/* of what it waits for; the one on the board */
	bool shown_waiting : 1, shown_stuck : 1;
	bool called : 1;		/* it asked its dependencies for their start */
	bool boot_stuck : 1;		/* counted in core->boot_stuck */
};

/* What S has, to read; all zero and in no list where there was never an edge. */
const struct edge_ends *edges_of(const struct subsystem *s);
/* Make all edges anew from the options of all subsystems. O(subsystems + edges). */
void edges_build(struct core *c);
void edges_drop(struct subsystem *s);		/* S goes: all its edges */
void edges_free(struct core *c);		/* everything goes */

/* Compute S's goal, and tell its neighbours when S shows them another face: counters follow at
 * once, those that have something to decide are marked. To be called after whatever changed S. */
void edges_refresh(struct subsystem *s);

/* S wants to start and has no process. */
bool edges_wants_start(const struct subsystem *s);
/* ... but may not yet. */
bool edges_waiting(const struct subsystem *s);
/* ... and will not by itself, as things stand. */
bool edges_stuck(const struct subsystem *s);
/* A dependency does not allow S to be up. */
bool edges_must_stop(const struct subsystem *s);
/* Others have to stop before S does. */
bool edges_held(const struct subsystem *s);

/* Something that runs, or starts, needs S. O(edges to S). */
bool edges_needed(const struct subsystem *s);

/* What S waits for is on the board now. */
void edges_shown(struct subsystem *s);

/* S is about to start: what it depends on or wants starts, too, unless somebody stopped it. */
void edges_call(struct subsystem *s);
/* Somebody ordered S to start: likewise, also what was stopped or failed, and what those need. */
void edges_order_up(struct subsystem *s);

/* The first MAX of what S waits for, as written, blank-separated. */
void edges_waits_for(const struct subsystem *s, unsigned max, struct strbuf *out);
/* For a stuck S: "db, which ...": the root of the trouble. Caller frees. */
char *edges_trouble(const struct subsystem *s);

#endif
