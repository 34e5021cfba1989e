/* restart --overlap: the new process is ready before the old one is told to stop. Main thread.
 *
 * While it lasts a subsystem has a second one beside it, which nobody else sees: not in the
 * registry, not on the board, in no event of its own, with a state machine, readiness, hooks and a
 * stop of its own. At first that is the new process. When it is ready, the two exchange their
 * processes; from then on the second one is the old process on its way down, and disappears with
 * it.
 *
 * Of processes there are two places: the subsystem's own slot and a spare one. Who has the spare
 * one keeps it over the end of the overlap, until the next start. Streams, board, memory and
 * listening sockets stay with the own slot, so nothing of these moves. */
#ifndef CORE_OVERLAP_H
#define CORE_OVERLAP_H

#include <stdbool.h>
#include <stdint.h>

struct core;
struct record;
struct subsystem;

enum overlap_phase {
	OVERLAP_COMING,		/* the second one is new, and not ready yet */
	OVERLAP_GOING,		/* it is old, and is being stopped */
	OVERLAP_FAILED,		/* it is new, and is being stopped */
};

struct overlap {
	struct subsystem *lead, *second;
	enum overlap_phase phase;
	uint32_t spare;		/* slot; the second one's entry in memory is there, too */
	char *trouble;		/* OVERLAP_FAILED: why */
	bool told_start;	/* "starting" was sent */
	bool held;		/* the lead is gone, which is told when the second one is, too */
};

/* Is S the one that nobody else sees? */
bool overlap_is_second(const struct subsystem *s);

/* Why S cannot be restarted so, for people; NULL: it can. The caller's to free. */
char *overlap_refusal(const struct subsystem *s);
/* Begin; nothing stands against it. False: all slots are taken. */
bool overlap_begin(struct subsystem *s);
/* S was settled, whichever of the two it is, or had none. True: it was the second one, is gone, and
 * its memory freed. */
bool overlap_turn(struct subsystem *s);
/* Nothing is left of S, which is being stopped, but it has a second one: FACT_GONE comes again. */
bool overlap_holds_gone(struct subsystem *s);

/* What goes on beside S, for status: static text; NULL: nothing. */
const char *overlap_doing(const struct subsystem *s);

/* The slot where the next process of S goes. */
uint32_t overlap_place(struct subsystem *s);
/* The slot of S's entry in memory. */
uint32_t overlap_memory_slot(const struct subsystem *s);
/* 0, or as launch_ways.capture_of. */
uint32_t overlap_capture_of(const struct subsystem *s);

/* S, which has no second one, disappears: its second place is free. */
void overlap_leave(struct subsystem *s);
/* S is freed with the core: its second one, too. */
void overlap_free(struct subsystem *s);
/* After a death: what R is about is the second one of S, which has the spare slot SPARE. Its entry
 * in memory is not read yet. */
struct subsystem *overlap_resume(struct subsystem *s, const struct record *r, uint32_t spare);

#endif
