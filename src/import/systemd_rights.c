/* What a unit may do: sets of capabilities, which lines of it build up or take from, and how much
 * of the file system it may write to. procd has no exceptions to the latter: a level under which
 * the unit could not write where it says that it has to is lowered to one under which it can. */
#include "import/systemd_take.h"

#include <errno.h>

#include "base/alloc.h"
#include "config/options.h"

/* --- capabilities ------------------------------------------------------------------------------ */

/* 0: there is none called so. */
static uint64_t capability_bit(const char *word)
{
	for (int cap = 0; cap < capability_text.count; cap++)
		if (strcasecmp(enumtext_name(&capability_text, cap), word) == 0)
			return UINT64_C(1) << cap;
	return 0;
}

static void set_capabilities(struct import_service *s, const char *key, uint64_t mask)
{
	import_raw(s, key, "[]");
	for (int cap = 0; cap < capability_text.count; cap++)
		if (mask >> cap & 1)
			import_list_add(s, key, enumtext_name(&capability_text, cap));
}

/* As there: the first line is the set, or all but it; further ones add to it or take from it. */
int unit_take_capabilities(struct unit *u, const struct unit_rule *rule, const struct directive *d,
			   const char *value)
{
	bool bounding = strcmp(rule->to, "capabilities") == 0, without = *value == '~';
	uint64_t *set = bounding ? &u->bounding : &u->ambient, none = bounding ? UINT64_MAX : 0,
		 sum = 0;
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;

	if (unit_words(u, d, value + without, &words, NULL) < 0)
		return -EINVAL;
	for (size_t i = 0; i < words.n; i++) {
		uint64_t bit = capability_bit(words.items[i]);

		if (bit == 0)
			unit_note(u, d, "not all of these are capabilities that procd knows");
		sum |= bit;
	}
	if (sum == 0 || *set == none)
		*set = without ? ~sum : sum;
	else
		*set = without ? *set & ~sum : *set | sum;
	set_capabilities(u->s, rule->to, *set);
	return 0;
}

/* --- files ------------------------------------------------------------------------------------- */

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* What it has to be able to write to, as TAKE(protect_system) counts it. */
enum wish { NOTHING, VARIABLE, SETTINGS, PROGRAMS };

static enum wish wish_of(const char *path)
{
	path += strspn(path, "-+");
	if (is_below(path, "/usr") || is_below(path, "/boot") || strcmp(path, "/") == 0)
		return PROGRAMS;
	return is_below(path, "/etc") ? SETTINGS : VARIABLE;
}

static int greatest_wish(struct unit *u, enum wish *out)
{
	static const char *const made[] = {
		"RuntimeDirectory", "StateDirectory", "CacheDirectory", "LogsDirectory",
	};

	*out = NOTHING;
	for (size_t i = 0; i < ARRAY_LEN(made); i++)
		if (unit_find(u, "Service", made[i]) != NULL)
			*out = VARIABLE;
	if (unit_find(u, "Service", "ConfigurationDirectory") != NULL)
		*out = SETTINGS;
	for (size_t i = 0; i < u->n; i++) {
		const struct directive *d = &u->lines[i];
		auto_free(strlist_fini) struct strlist words = STRLIST_INIT;

		if (strcmp(d->key, "ReadWritePaths") != 0 &&
		    strcmp(d->key, "ReadWriteDirectories") != 0)
			continue;
		if (unit_words(u, d, d->value, &words, NULL) < 0)
			return -EINVAL;
		for (size_t w = 0; w < words.n; w++)
			*out = MAX(*out, wish_of(words.items[w]));
	}
	return 0;
}

int unit_take_protect_system(struct unit *u, const struct unit_rule *rule,
			     const struct directive *d, const char *value)
{
	bool strict = strcmp(value, "strict") == 0, full = strcmp(value, "full") == 0;
	enum wish wish;

	if (greatest_wish(u, &wish) < 0)
		return -EINVAL;
	if (!strict && !full)
		return unit_take_bool(u, rule, d, value);
	if (wish == PROGRAMS) {
		unit_note(u, d, "it has to write to what this would protect");
	} else if (wish == SETTINGS) {
		import_bool(u->s, rule->to, true);
		import_remark(u->s, rule->to, "%s there; but it has to write below /etc", value);
	} else {
		import_text_value(u->s, rule->to, strict && wish == NOTHING ? "strict" : "full");
		if (strict && wish == VARIABLE)
			import_remark(u->s, rule->to,
				      "strict there, with exceptions, which there are not here");
	}
	return 0;
}

int unit_take_dynamic_user(struct unit *u, const struct unit_rule *rule, const struct directive *d,
			   const char *value)
{
	bool on = false;

	(void)rule;
	if (!unit_bool(value, &on))
		return import_fail(u->im, d->file, d->line, "%s=: \"%.60s\" is not a boolean",
				   d->key, value);
	if (on && unit_find(u, "Service", "User") == NULL) {
		unit_note(u, d, "a user has to exist, and to be named by user");
		import_hold_back(u->s, "it would run with procd's own rights");
	}
	return 0;
}

/* "NAME:/PATH"; what has no path of its own comes from the system's manager. */
int unit_take_credential(struct unit *u, const struct unit_rule *rule, const struct directive *d,
			 const char *value)
{
	const char *colon = strchr(value, ':');
	auto_free(freep) char *item = NULL;

	if (colon == NULL || colon == value || colon[1] != '/') {
		unit_note(u, d, "credentials names files");
		return 0;
	}
	item = x_asprintf("%.*s=%s", (int)(colon - value), value, colon + 1);
	import_list_add(u->s, rule->to, item);
	return 0;
}
