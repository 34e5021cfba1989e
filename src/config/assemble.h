/* From settings to objects: each key's type reads what was given for it. Inside the config room
 * only. */
#ifndef CONFIG_ASSEMBLE_H
#define CONFIG_ASSEMBLE_H

#include "config/candidate.h"
#include "config/expand.h"

/* Let the key's type read S into OBJ; what it complains about becomes an error at its place, told
 * once. */
void setting_apply(struct candidate *c, struct setting *s, const struct vars *vars, void *obj);
/* In order of the table, because some keys decide how later ones are read. */
void scope_sort(struct scope *s);
/* Of the settings in S and, where S has none, in DEFAULTS (may be NULL). Both are sorted. */
struct origin *origins_of(const struct scope *s, const struct scope *defaults, uint32_t *n);

/* Fill subsystems, families and the indices of CONFIG, and C->owners. */
void assemble_subsystems(struct candidate *c, struct config *config);

#endif
