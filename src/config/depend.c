/* The keys that join subsystems, seen as one kind of thing. */
#include "config/depend.h"

#include "base/alloc.h"
#include "config/family.h"

ENUMTEXT(condition, "condition",
	[CONDITION_STARTED] = "started", [CONDITION_READY] = "ready",
	[CONDITION_HEALTHY] = "healthy", [CONDITION_COMPLETED] = "completed",
	[CONDITION_SUCCEEDED] = "succeeded");

ENUMTEXT(edge_kind, "kind of dependency",
	[EDGE_DEPENDS_ON] = "depends_on", [EDGE_BINDS_TO] = "binds_to", [EDGE_WANTS] = "wants",
	[EDGE_AFTER] = "after", [EDGE_BEFORE] = "before",
	[EDGE_ON_FAILURE] = "on_failure");

const struct strlist *edge_list(const struct subsystem_options *o, enum edge_kind kind)
{
	const struct subsystem_links *l = o->links;
	const struct strlist *const lists[EDGE_NKINDS] = {
		[EDGE_DEPENDS_ON] = &l->depends_on, [EDGE_BINDS_TO] = &l->binds_to,
		[EDGE_WANTS] = &l->wants, [EDGE_AFTER] = &l->after, [EDGE_BEFORE] = &l->before,
		[EDGE_ON_FAILURE] = &l->on_failure,
	};

	return lists[kind];
}

bool edge_split(const char *item, enum edge_kind kind, size_t *name_len,
		enum condition *condition)
{
	size_t n = edge_is_hard(kind) ? strcspn(item, ":") : strlen(item);

	*name_len = n;
	*condition = CONDITION_READY;
	if (item[n] == '\0')
		return true;
	for (int i = 0; i < CONDITION_COUNT; i++) {
		if (strcmp(item + n + 1, enumtext_name(&condition_text, i)) != 0)
			continue;
		*condition = (enum condition)i;
		return true;
	}
	return false;
}

bool edge_targets(const struct config *config, const char *item, enum edge_kind kind,
		  enum condition *condition, uint32_t *first, uint32_t *n)
{
	auto_free(freep) char *name = NULL;
	size_t len;

	if (!edge_split(item, kind, &len, condition))
		return false;
	if (item[len] == '\0')
		return config_select(config, item, first, n);
	name = x_strndup(item, len);
	return config_select(config, name, first, n);
}
