/* Where an option's value stands: in an object itself, or in one of the parts that subsystems
 * share. Inside the config room, and for unit tests that make their own options. */
#ifndef CONFIG_PART_H
#define CONFIG_PART_H

#include <stddef.h>

#include "config/options.h"

enum option_part { PART_OWN, PART_LINKS, PART_POLICY, PART_RIGHTS, PART_STREAMS, PART_N };

/* The place of a value: its part, and the offset in there. That of a key of the top level is its
 * offset in struct config. */
#define PART_SHIFT 16
#define AT_OWN(field) offsetof(struct subsystem_options, field)
#define AT_LINKS(field) (PART_LINKS << PART_SHIFT | offsetof(struct subsystem_links, field))
#define AT_POLICY(field) (PART_POLICY << PART_SHIFT | offsetof(struct subsystem_policy, field))
#define AT_RIGHTS(field) (PART_RIGHTS << PART_SHIFT | offsetof(struct subsystem_rights, field))
#define AT_STREAMS(field) (PART_STREAMS << PART_SHIFT | offsetof(struct subsystem_streams, field))

/* The value at AT of OBJ (struct config or struct subsystem_options), to read. Any thread. */
const void *part_read(uint32_t at, const void *obj);
/* ... and to write, by whoever fills OBJ and is the only one that knows it: a part that others
 * share is copied first. */
void *part_write(uint32_t at, void *obj);
/* ... and to put in what was looked up for it, which is the same for all that share the part. */
void *part_resolve(uint32_t at, void *obj);
/* A whole part, to write. */
struct subsystem_links *links_write(struct subsystem_options *o);
struct subsystem_policy *policy_write(struct subsystem_options *o);
struct subsystem_rights *rights_write(struct subsystem_options *o);
struct subsystem_streams *streams_write(struct subsystem_options *o);

/* For whoever makes and ends options (options.c): parts of O's own, all zero; those of another O,
 * shared from now on; not O's any more. */
void parts_new(struct subsystem_options *o);
void parts_share(struct subsystem_options *o);
void parts_drop(struct subsystem_options *o);
/* Where O has a part of its own that says the same as OTHER's, it gets that one. Before anything
 * was looked up for O. */
void parts_join(struct subsystem_options *o, const struct subsystem_options *other);

#endif
