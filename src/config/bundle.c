/* The text of a configuration in one piece of memory: a supervisor that replaces a dead one loads
 * exactly what was in force, whatever became of the files. */
#include "config/source.h"

#include <errno.h>

static void add_u32(struct strbuf *sb, size_t n)
{
	uint32_t v = (uint32_t)n;

	strbuf_add(sb, &v, sizeof(v));
}

void bundle_add(struct strbuf *bundle, const char *name, const char *text, size_t n)
{
	size_t name_size = strlen(name) + 1;

	add_u32(bundle, name_size);
	add_u32(bundle, n);
	strbuf_add(bundle, name, name_size);
	strbuf_add(bundle, text, n);
}

void config_bundle(struct strbuf *bundle, const char *name, const char *text, size_t n)
{
	bundle_add(bundle, name, text, n);
}

bool bundle_next(const char *bundle, size_t len, size_t *offset, const char **name,
		 const char **text, size_t *n)
{
	uint32_t sizes[2];
	size_t left = len - *offset;

	if (left < sizeof(sizes))
		return false;
	memcpy(sizes, bundle + *offset, sizeof(sizes));
	left -= sizeof(sizes);
	if (sizes[0] == 0 || sizes[0] > left || sizes[1] > left - sizes[0])
		return false;
	*name = bundle + *offset + sizeof(sizes);
	if ((*name)[sizes[0] - 1] != '\0')
		return false;
	*text = *name + sizes[0];
	*n = sizes[1];
	*offset += sizeof(sizes) + sizes[0] + sizes[1];
	return true;
}
