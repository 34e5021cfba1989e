/* How one subsystem refers to another: "NAME" or "NAME:CONDITION". Pure; any thread. */
#ifndef CONFIG_DEPEND_H
#define CONFIG_DEPEND_H

#include "config/options.h"

/* What must be true of the other one before this one may start. */
enum condition {
	CONDITION_STARTED,	/* its program was executed */
	CONDITION_READY,	/* service: it runs and is ready; oneshot: it succeeded */
	CONDITION_HEALTHY,	/* its health probe succeeds */
	CONDITION_COMPLETED,	/* it has ended by itself, well or not, and is not restarted */
	CONDITION_SUCCEEDED,	/* it has ended by itself, with success */
	CONDITION_COUNT
};
extern const struct enumtext condition_text;

/* The keys that name other subsystems. */
enum edge_kind {
	EDGE_DEPENDS_ON, EDGE_BINDS_TO, EDGE_WANTS, EDGE_AFTER, EDGE_BEFORE, EDGE_ON_FAILURE,
	EDGE_NKINDS
};
extern const struct enumtext edge_kind_text;	/* the names of the keys */

static inline bool edge_is_hard(enum edge_kind kind)
{
	return kind == EDGE_DEPENDS_ON || kind == EDGE_BINDS_TO;
}
/* Does it say who starts before whom? */
static inline bool edge_orders(enum edge_kind kind)
{
	return kind != EDGE_WANTS && kind != EDGE_ON_FAILURE;
}
/* The list behind the key. */
const struct strlist *edge_list(const struct subsystem_options *o, enum edge_kind kind);

/* Split ITEM of a KIND list: *NAME_LEN bytes of it are the name. False: the condition is
 * unknown. */
bool edge_split(const char *item, enum edge_kind kind, size_t *name_len,
		enum condition *condition);
/* The subsystems that ITEM names in CONFIG, as config_select() tells them; false: there is none. */
bool edge_targets(const struct config *config, const char *item, enum edge_kind kind,
		  enum condition *condition, uint32_t *first, uint32_t *n);

#endif
