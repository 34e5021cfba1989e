/* From the text of a key to its row. One hash map per load holds every accepted spelling:
 * canonical names, aliases, _ms forms, with their section in front. */
#include "config/schema.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/signame.h"
#include "base/text.h"
#include "config/type.h"

/* One list behind the other. */
static const struct option **of_parts, **of_part[PART_N];

static void sort_by_part(void)
{
	const struct option **next = of_parts =
		x_calloc(schema_n - schema_top_n + PART_N, sizeof(*of_parts));

	for (enum option_part part = PART_OWN; part < PART_N; part++, next++) {
		of_part[part] = next;
		for (size_t i = schema_top_n; i < schema_n; i++)
			if (schema[i].at >> PART_SHIFT == part)
				*next++ = &schema[i];
	}
}

const struct option *const *schema_of_part(enum option_part part)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, sort_by_part);
	return of_part[part];
}

/* The row that stands for all signals without a row of their own has no spelling. */
static bool is_common(const struct option *o)
{
	return o->type == &type_signal_action && o->index == 0;
}

/* A map value: key and unit in one non-NULL pointer. */
static void *pack(size_t key, enum unit unit)
{
	return (void *)(uintptr_t)(key * 2 + (unit == UNIT_MS) + 1);
}

static struct schema_key unpack(const void *p)
{
	uintptr_t n = (uintptr_t)p - 1;

	return (struct schema_key){ (int)(n / 2), n % 2 != 0 ? UNIT_MS : UNIT_NATURAL };
}

static void put(struct map *m, const char *section, const char *name, const char *suffix,
		void *value)
{
	auto_free(freep) char *key = x_asprintf("%s.%s%s", section, name, suffix);

	BUG_ON(map_put(m, key, value) != NULL);	/* two rows of one name */
}

void schema_index_init(struct schema_index *x)
{
	x->keys = x_calloc(1, sizeof(*x->keys));
	for (size_t i = 0; i < schema_n; i++) {
		const struct option *o = &schema[i];
		bool duration = o->type == &type_duration;

		/* a row on the wrong side of the count would be written into the wrong object */
		BUG_ON((strcmp(o->section, "subsystem") == 0) != (i >= schema_top_n));
		put(x->keys, o->section, o->name, "", pack(i, UNIT_NATURAL));
		if (duration)
			put(x->keys, o->section, o->name, "_ms", pack(i, UNIT_MS));
		if (o->alias.name == NULL)
			continue;
		put(x->keys, o->section, o->alias.name, "", pack(i, o->alias.unit));
		if (duration)
			put(x->keys, o->section, o->alias.name, "_ms", pack(i, UNIT_MS));
	}
}

void schema_index_fini(struct schema_index *x)
{
	map_fini(x->keys);
	free(x->keys);
	x->keys = NULL;
}

const struct option *schema_row(int key)
{
	if (key < (int)schema_n)
		return &schema[key];
	for (size_t i = 0; i < schema_top_n; i++)
		if (is_common(&schema[i]))
			return &schema[i];
	BUG("the table has no row for other signals");
}

void schema_path(int key, const char *subsystem, struct strbuf *out)
{
	const struct option *o = schema_row(key);

	if (*o->section != '\0')
		strbuf_addf(out, "%s.", o->section);
	if (subsystem != NULL)
		strbuf_addf(out, "%s.", subsystem);
	strbuf_addstr(out, key >= (int)schema_n ? signame(key - (int)schema_n) : o->name);
}

/* --- sections ------------------------------------------------------------------------------- */

/* Accepted at the start of a header; the last three are other spellings. */
static const char *const sections[] = {
	"logging", "shutdown", "performance", "monitoring", "signals", "events", "control",
	"http", "reload", "profiling", "defaults", "subsystem", "program", "daemon",
};

const char *const *schema_sections(size_t *n)
{
	*n = ARRAY_LEN(sections);
	return sections;
}

bool schema_has_section(const char *section, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		if (strncmp(sections[i], section, len) == 0 && sections[i][len] == '\0')
			return true;
	return false;
}

/* --- keys ----------------------------------------------------------------------------------- */

/* [signals] takes any signal's name. */
static int find_signal(const char *key, struct schema_key *out)
{
	int signo = strncasecmp(key, "SIG", 3) == 0 ? signame_parse(key) : -EINVAL;

	if (signo <= 0 || signo >= NSIG)
		return -ENOENT;
	if (signo == SIGKILL || signo == SIGSTOP || signo == SIGCHLD)
		return -EPERM;
	out->key = (int)schema_n + signo;
	out->unit = UNIT_NATURAL;
	for (size_t i = 0; i < schema_top_n; i++)
		if (schema[i].type == &type_signal_action && schema[i].index == signo)
			out->key = (int)i;
	return 0;
}

int schema_find(const struct schema_index *x, const char *section, const char *key, size_t len,
		struct schema_key *out)
{
	size_t n = strlen(section);
	char path[128];
	const void *found;

	if (len > 64 || n + 1 + len >= sizeof(path))
		return -ENOENT;
	memcpy(path, section, n);
	path[n++] = '.';
	memcpy(path + n, key, len);
	path[n + len] = '\0';
	found = map_find_n(x->keys, path, n + len);
	if (found != NULL && is_common(&schema[unpack(found).key]))
		found = NULL;
	if (found == NULL)
		return strcmp(section, "signals") == 0 ? find_signal(path + n, out) : -ENOENT;
	*out = unpack(found);
	return 0;
}

/* NAME, which is in upper case, stands for SECTION_KEY or KEY. */
int schema_find_env(const struct schema_index *x, const char *name, struct schema_key *out,
		    bool *defaults)
{
	char lower[96];
	size_t n = strlen(name);

	*defaults = false;
	if (n == 0 || n >= sizeof(lower))
		return -ENOENT;
	for (size_t i = 0; i <= n; i++) {
		if (islower((unsigned char)name[i]))
			return -ENOENT;
		lower[i] = (char)tolower((unsigned char)name[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		size_t len = strlen(sections[i]);
		bool is_defaults = strcmp(sections[i], "defaults") == 0;

		if (strncmp(lower, sections[i], len) != 0 || lower[len] != '_' ||
		    strcmp(sections[i], "subsystem") == 0 || strcmp(sections[i], "program") == 0)
			continue;
		if (schema_find(x, is_defaults ? "subsystem" : strcmp(sections[i], "daemon") == 0 ?
				"" : sections[i], lower + len + 1, n - len - 1, out) == 0) {
			*defaults = is_defaults;
			return 0;
		}
	}
	return schema_find(x, "", lower, n, out);
}

/* --- suggestions ---------------------------------------------------------------------------- */

bool schema_nearest(const char *section, const char *key, struct strbuf *out)
{
	size_t len = strlen(key);
	bool ms = len > 3 && strcmp(key + len - 3, "_ms") == 0;
	auto_free(freep) char *word = x_strndup(key, ms ? len - 3 : len);
	auto_free(freep) const char **names = x_calloc(schema_n * 2, sizeof(*names));
	const char *found;
	size_t n = 0;

	for (size_t i = 0; i < schema_n; i++) {
		if (strcmp(schema[i].section, section) != 0 || is_common(&schema[i]))
			continue;
		if (ms && schema[i].type != &type_duration)
			continue;
		names[n++] = schema[i].name;
		if (schema[i].alias.name != NULL)
			names[n++] = schema[i].alias.name;
	}
	found = text_nearest(word, names, n);
	if (found == NULL)
		return false;
	strbuf_addf(out, "%s%s", found, ms ? "_ms" : "");
	return true;
}

const char *schema_other_section(const char *section, const char *key)
{
	for (size_t i = 0; i < schema_n; i++)
		if (strcmp(schema[i].section, section) != 0 && strcmp(schema[i].name, key) == 0)
			return schema[i].section;
	return NULL;
}
