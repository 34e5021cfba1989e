/* Directories that the system's manager makes before it starts a unit, for the unit's user. A hook
 * of the unit could not: it runs as that user. So a oneshot makes them, as root, and the unit
 * depends on it. */
#include "import/systemd_take.h"

#include <errno.h>

#include "base/alloc.h"

static const struct {
	const char *key, *below, *variable;
	bool given;		/* to the user */
} kinds[] = {
	{ "RuntimeDirectory", "/run", "RUNTIME_DIRECTORY", true },
	{ "StateDirectory", "/var/lib", "STATE_DIRECTORY", true },
	{ "CacheDirectory", "/var/cache", "CACHE_DIRECTORY", true },
	{ "LogsDirectory", "/var/log", "LOGS_DIRECTORY", true },
	{ "ConfigurationDirectory", "/etc", "CONFIGURATION_DIRECTORY", false },
};

/* The list itself and its mode are taken by unit_directories(). */
int unit_take_directory(struct unit *u, const struct unit_rule *rule, const struct directive *d,
			const char *value)
{
	size_t n = strlen(d->key), mode = strlen("Mode"), preserve = strlen("Preserve");

	(void)rule;
	(void)value;
	if (n > preserve && strcmp(d->key + n - preserve, "Preserve") == 0)
		unit_note(u, d, "the directories stay");
	else if (strcmp(d->key + n - mode, "Mode") != 0 && strcmp(d->key + n - 9, "Directory") != 0)
		unit_note(u, d, "procd has nothing like it");
	return 0;
}

/* Append the last value of KEY with its specifiers, "" where there is none. */
static int expanded(struct unit *u, const char *key, struct strbuf *out)
{
	const struct directive *d = unit_find(u, "Service", key);

	strbuf_reset(out);
	return d != NULL ? unit_expand(u, d, d->value, out) : 0;
}

struct making {
	struct strbuf owner, mode, script, variable;
};

static void make(struct making *m, size_t kind, const char *name)
{
	auto_free(freep) char *path =
		x_asprintf("%s/%.*s", kinds[kind].below, (int)strcspn(name, ":"), name);

	strbuf_addf(&m->variable, "%s%s", m->variable.len > 0 ? ":" : "", path);
	strbuf_addstr(&m->script, m->script.len > 0 ? "; mkdir -p " : "set -e; mkdir -p ");
	import_shell_word(path, &m->script);
	if (kinds[kind].given && m->owner.len > 1) {
		strbuf_addstr(&m->script, "; chown ");
		import_shell_word(m->owner.buf, &m->script);
		strbuf_addch(&m->script, ' ');
		import_shell_word(path, &m->script);
	}
	strbuf_addstr(&m->script, "; chmod ");
	import_shell_word(m->mode.len > 0 ? m->mode.buf : "0755", &m->script);
	strbuf_addch(&m->script, ' ');
	import_shell_word(path, &m->script);
}

/* All lines of one kind. */
static int make_kind(struct unit *u, struct making *m, size_t kind)
{
	auto_free(freep) char *mode = x_asprintf("%sMode", kinds[kind].key);

	strbuf_reset(&m->variable);
	if (expanded(u, mode, &m->mode) < 0)
		return -EINVAL;
	for (size_t i = 0; i < u->n; i++) {
		const struct directive *d = &u->lines[i];
		auto_free(strlist_fini) struct strlist words = STRLIST_INIT;

		if (strcmp(d->section, "Service") != 0 || strcmp(d->key, kinds[kind].key) != 0)
			continue;
		if (unit_words(u, d, d->value, &words, NULL) < 0)
			return -EINVAL;
		for (size_t w = 0; w < words.n; w++) {
			auto_free(strbuf_fini) struct strbuf name = STRBUF_INIT;

			if (unit_expand(u, d, words.items[w], &name) < 0)
				return -EINVAL;
			if (*name.buf == '/' || strstr(name.buf, "..") != NULL)
				return import_fail(u->im, d->file, d->line,
						   "%s=: \"%.60s\" is no name below %s", d->key,
						   words.items[w], kinds[kind].below);
			make(m, kind, name.buf);
		}
	}
	if (m->variable.len > 0)
		import_variable(u->s, kinds[kind].variable, strlen(kinds[kind].variable),
				m->variable.buf);
	return 0;
}

static int set_owner(struct unit *u, struct strbuf *out)
{
	auto_free(strbuf_fini) struct strbuf group = STRBUF_INIT;

	if (expanded(u, "User", out) < 0 || expanded(u, "Group", &group) < 0)
		return -EINVAL;
	strbuf_addf(out, ":%s", group.len > 0 ? group.buf : "");
	return 0;
}

static int add_maker(struct unit *u, const char *script)
{
	auto_free(freep) char *id = x_asprintf("%s-directories", u->s->name);
	struct import_service *s = import_add(u->im, id, id, u->path, 0);

	if (s == NULL)
		return -EINVAL;
	import_origin(s, "%s", u->name);
	import_shell(s, "command", script);
	import_text_value(s, "type", "oneshot");
	import_bool(s, "autostart", false);
	import_remark(s, "autostart", "%s starts it", u->s->name);
	if (u->number)
		import_int(s, "instances", 1);
	import_edge(u->s, "depends_on", id, "succeeded", 0);
	return 0;
}

int unit_directories(struct unit *u)
{
	struct making m = {
		.owner = STRBUF_INIT, .mode = STRBUF_INIT, .script = STRBUF_INIT, .variable = STRBUF_INIT,
	};
	int r = set_owner(u, &m.owner);

	for (size_t i = 0; i < ARRAY_LEN(kinds) && r == 0; i++)
		r = make_kind(u, &m, i);
	if (r == 0 && m.script.len > 0)
		r = add_maker(u, m.script.buf);
	strbuf_fini(&m.owner);
	strbuf_fini(&m.mode);
	strbuf_fini(&m.script);
	strbuf_fini(&m.variable);
	return r;
}
