/* Names to numbers and paths: what needs the machine, not only the text. May block (name service);
 * loader thread only. Inside the config room only. */
#ifndef CONFIG_RESOLVE_H
#define CONFIG_RESOLVE_H

#include "config/candidate.h"

struct resolve {
	const struct candidate *c;
	char *base;			/* what relative paths are resolved against */
	struct map accounts;		/* config/account.h */
	struct map zones;		/* by name, "" for the local one */
	struct strbuf *bundle;		/* receives what was looked up; may be NULL */
};

/* BUNDLE_IN: facts of an earlier load, believed instead of the name service; NULL: none. */
void resolve_init(struct resolve *r, const struct candidate *c, const char *bundle_in, size_t len,
		  struct strbuf *bundle_out);
void resolve_fini(struct resolve *r);

/* work_dir and the other paths, run_dir, control.socket, control groups. */
void resolve_top(struct resolve *r, struct config *config);
/* CONFIG's work_dir has become another one: what follows is resolved against that. */
void resolve_base(struct resolve *r, const struct config *config);
/* Paths, ids and time zones of all subsystems. */
void resolve_subsystems(struct resolve *r, const struct config *config);

/* --- resolve_zone.c --------------------------------------------------------------------------- */

/* "zone:NAME" in a bundle: what zone_parse() makes the zone from. */
#define RESOLVE_ZONE "zone:"
void resolve_zones_fini(struct resolve *r);
/* A fact of an earlier load. */
void resolve_zone_known(struct resolve *r, const char *name, const char *bytes, size_t n);
/* The zone that O's schedule is meant in; complains at PLACE when there is none. */
void resolve_zone(struct resolve *r, const struct place *place, struct subsystem_options *o);

#endif
