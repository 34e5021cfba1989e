/* Service units of systemd: files, directories of them, drop-ins, templates. A template is one
 * subsystem for each instance that has a name (a link, or a file, or the argument), else one with
 * procd's own instances, whose names are numbers. */
#include "import/systemd.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/alloc.h"
#include "import/formats.h"
#include "import/ini.h"

#define LINES_MAX 10000

/* --- one unit ---------------------------------------------------------------------------------- */

struct directive *unit_find(const struct unit *u, const char *section, const char *key)
{
	for (size_t i = u->n; i > 0; i--) {
		struct directive *d = &u->lines[i - 1];

		if (strcmp(d->section, section) == 0 && strcmp(d->key, key) == 0)
			return *d->value != '\0' ? d : NULL;
	}
	return NULL;
}

struct reading {
	struct unit *u;
	const char *file;
};

static int take_line(void *ctx, const struct ini_line *l)
{
	struct reading *r = ctx;
	struct unit *u = r->u;

	if (l->key == NULL)
		return 0;
	if (l->section == NULL)
		return import_fail(u->im, r->file, l->line,
				   "\"%.60s\" stands before the first [Section]", l->key);
	if (u->n == LINES_MAX)
		return import_fail(u->im, r->file, l->line, "these are more than %d settings",
				   LINES_MAX);
	if (u->n == u->cap) {
		u->cap = u->cap != 0 ? u->cap * 2 : 32;
		u->lines = x_reallocarray(u->lines, u->cap, sizeof(*u->lines));
	}
	u->lines[u->n++] = (struct directive){
		.section = x_strdup(l->section), .key = x_strdup(l->key), .value = x_strdup(l->value),
		.file = x_strdup(r->file), .line = l->line,
	};
	return 0;
}

static int read_file(struct unit *u, const char *path)
{
	struct reading r = { .u = u, .file = path };
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	if (import_read(u->im, path, &text) < 0)
		return -EINVAL;
	return ini_read(u->im, path, &text, INI_SYSTEMD, take_line, &r);
}

/* NAME.d beside the unit. */
static int read_drop_ins(struct unit *u, const char *name)
{
	auto_free(freep) char *dir = import_dir_of(u->path),
			      *below = x_asprintf("%s/%s.d", dir, name);
	auto_free(strlist_fini) struct strlist names = STRLIST_INIT;

	if (!import_is_dir(u->im, below))
		return 0;
	if (import_list_dir(u->im, below, &names) < 0)
		return -EINVAL;
	for (size_t i = 0; i < names.n; i++) {
		auto_free(freep) char *path = import_path(below, names.items[i]);
		size_t n = strlen(path);

		if (n > 5 && strcmp(path + n - 5, ".conf") == 0 && read_file(u, path) < 0)
			return -EINVAL;
	}
	return 0;
}

static bool is_unit(const char *name)
{
	size_t n = strlen(name);

	return n > 8 && strcmp(name + n - 8, ".service") == 0;
}

/* Length of NAME without ".service"; a unit may be in a file of any name. */
static size_t stem_of(const char *name)
{
	return strlen(name) - (is_unit(name) ? strlen(".service") : 0);
}

static void unit_init(struct unit *u, struct import *im, const char *path, const char *name)
{
	size_t stem = stem_of(name);
	const char *at = memchr(name, '@', stem);

	*u = (struct unit){
		.im = im, .path = x_strdup(path), .name = x_strdup(name), .bounding = UINT64_MAX,
	};
	u->prefix = x_strndup(name, at != NULL ? (size_t)(at - name) : stem);
	if (at != NULL && at + 1 < name + stem)
		u->instance = x_strndup(at + 1, (size_t)(name + stem - at - 1));
	u->number = at != NULL && u->instance == NULL;
}

void unit_fini(struct unit *u)
{
	for (size_t i = 0; i < u->n; i++) {
		free(u->lines[i].section);
		free(u->lines[i].key);
		free(u->lines[i].value);
		free(u->lines[i].file);
	}
	free(u->lines);
	free(u->path);
	free(u->name);
	free(u->prefix);
	free(u->instance);
}

bool unit_is_beside(const struct unit *u, const char *name)
{
	auto_free(freep) char *dir = import_dir_of(u->path), *path = import_path(dir, name);

	return strchr(name, '/') == NULL && import_is_file(u->im, path);
}

char *unit_sibling(const struct unit *u, const char *end)
{
	auto_free(freep) char *own = x_asprintf("%.*s%s", (int)stem_of(u->name), u->name, end);
	auto_free(freep) char *of_template = x_asprintf("%s@%s", u->prefix, end);

	if (unit_is_beside(u, own))
		return take(own);
	if (strchr(u->name, '@') != NULL && unit_is_beside(u, of_template))
		return take(of_template);
	return NULL;
}

int unit_read(struct unit *x, const struct unit *u, const char *name)
{
	auto_free(freep) char *dir = import_dir_of(u->path), *path = import_path(dir, name);

	unit_init(x, u->im, path, name);
	free(x->prefix);
	free(x->instance);
	x->prefix = x_strdup(u->prefix);
	x->instance = x_strdup(u->instance);
	x->number = u->number;
	x->s = u->s;
	return read_file(x, path) < 0 ? -EINVAL : read_drop_ins(x, name);
}

/* A template that nobody gave an instance: the one that it names itself, or numbers. */
static void choose_instance(struct unit *u)
{
	const struct directive *d = unit_find(u, "Install", "DefaultInstance");

	if (!u->number || d == NULL)
		return;
	u->instance = x_strdup(d->value);
	u->number = false;
	free(u->name);
	u->name = x_asprintf("%s@%s.service", u->prefix, u->instance);
}

static void add_aliases(struct unit *u)
{
	struct directive *d = unit_find(u, "Install", "Alias");
	auto_free(freep) char *names = d != NULL ? x_strdup(d->value) : NULL;
	char *rest = NULL;

	for (char *name = names != NULL ? strtok_r(names, " \t", &rest) : NULL; name != NULL;
	     name = strtok_r(NULL, " \t", &rest))
		import_alias(u->im, name, u->s);
}

static int fill(struct unit *u)
{
	auto_free(freep) char *of_template = x_asprintf("%s@.service", u->prefix), *stem = NULL;

	if (read_file(u, u->path) < 0 ||
	    (strchr(u->name, '@') != NULL && read_drop_ins(u, of_template) < 0) ||
	    ((!u->number || strcmp(u->name, of_template) != 0) && read_drop_ins(u, u->name) < 0))
		return -EINVAL;
	if (u->one_of_many && unit_find(u, "Service", "ExecStart") == NULL) {
		import_note(u->im->whole, 0, u->name, "it starts nothing");
		return 0;
	}
	choose_instance(u);
	stem = u->number ? x_strdup(u->prefix) : x_strndup(u->name, stem_of(u->name));
	u->s = import_add(u->im, u->name, stem, u->path, 0);
	if (u->s == NULL)
		return -EINVAL;
	import_origin(u->s, "%s", u->name);
	add_aliases(u);
	if (unit_settings(u) < 0 || unit_timer(u) < 0 || unit_sockets(u) < 0)
		return -EINVAL;
	if (u->number) {
		import_int(u->s, "instances", 1);
		import_remark(u->s, "instances", "a template: %%i is the number here, from 0");
		if (u->one_of_many)
			import_hold_back(u->s, "nothing says which instances of it there were");
	}
	return 0;
}

static int read_unit(struct import *im, const char *path, const char *name, bool one_of_many)
{
	struct unit u;
	int r;

	unit_init(&u, im, path, name);
	u.one_of_many = one_of_many;
	r = fill(&u);
	unit_fini(&u);
	return r;
}

/* --- directories ------------------------------------------------------------------------------- */

/* "web@.service" among NAMES that hold "web@blue.service", too. */
static bool has_instances(const struct strlist *names, const char *template)
{
	const char *at = strchr(template, '@');

	if (at == NULL || strcmp(at, "@.service") != 0)
		return false;
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->items[i], template) != 0 && is_unit(names->items[i]) &&
		    strncmp(names->items[i], template, (size_t)(at + 1 - template)) == 0)
			return true;
	return false;
}

static const struct {
	const char *end, *why;
} others[] = {
	{ ".socket", "listen names the sockets of a subsystem; socket_activation starts it" },
	{ ".timer", "schedule and every start a subsystem at its time" },
	{ ".path", "watch restarts a subsystem when a file changes" },
	{ ".mount", "procd mounts nothing" },
	{ ".target", "groups and depends_on bring subsystems together" },
	{ ".slice", "there are no slices" },
};

static void note_other(struct import *im, const char *name)
{
	const char *dot = strrchr(name, '.');

	if (import_find(im, name) != NULL)	/* it belongs to a service */
		return;
	for (size_t i = 0; dot != NULL && i < ARRAY_LEN(others); i++)
		if (strcmp(dot, others[i].end) == 0)
			import_note(im->whole, 0, name, "%s", others[i].why);
}

/* The file among NAMES that NAME of DIR is a link to; NULL: none, or a template that it is one
 * of. */
static const char *linked_to(const char *dir, const char *name, const struct strlist *names)
{
	auto_free(freep) char *path = import_path(dir, name), *base = NULL;
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n <= 0)
		return NULL;
	target[n] = '\0';
	base = import_base_of(target);
	if (strcmp(base, name) == 0 || !is_unit(base) || strstr(base, "@.") != NULL)
		return NULL;
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->items[i], base) == 0)
			return names->items[i];
	return NULL;
}

static int read_dir(struct import *im, const char *dir)
{
	auto_free(strlist_fini) struct strlist names = STRLIST_INIT;

	if (import_list_dir(im, dir, &names) < 0)
		return -EINVAL;
	for (size_t i = 0; i < names.n; i++) {
		auto_free(freep) char *path = import_path(dir, names.items[i]);

		if (!is_unit(names.items[i]) || has_instances(&names, names.items[i]) ||
		    linked_to(dir, names.items[i], &names) != NULL)
			continue;
		if (!import_is_file(im, path))
			import_note(im->whole, 0, names.items[i], "is masked, or no file");
		else if (read_unit(im, path, names.items[i], true) < 0)
			return -EINVAL;
	}
	for (size_t i = 0; i < names.n; i++) {
		const char *target = linked_to(dir, names.items[i], &names);
		struct import_service *s = target != NULL ? import_find(im, target) : NULL;

		if (s != NULL)
			import_alias(im, names.items[i], s);
		else
			note_other(im, names.items[i]);
	}
	return 0;
}

bool import_is_unit_dir(const struct import *im, const char *dir)
{
	auto_free(strlist_fini) struct strlist found = STRLIST_INIT;
	auto_free(freep) char *pattern = import_path(dir, "*.service");
	struct import scratch = { .only = im->only };

	return import_glob(&scratch, pattern, &found) == 0 && found.n > 0;
}

char *import_unit_template(const struct import *im, const char *path)
{
	auto_free(freep) char *dir = import_dir_of(path), *base = import_base_of(path),
			      *file = NULL;
	const char *at = strchr(base, '@');

	if (at == NULL || !is_unit(base) || import_is_file(im, path))
		return NULL;
	file = x_asprintf("%s/%.*s@.service", dir, (int)(at - base), base);
	return import_is_file(im, file) ? take(file) : NULL;
}

/* "web@blue.service" need not be there where "web@.service" is. */
int import_systemd(struct import *im, const char *path)
{
	auto_free(freep) char *name = import_base_of(path),
			      *template = import_unit_template(im, path);

	if (import_is_dir(im, path))
		return read_dir(im, path);
	return read_unit(im, template != NULL ? template : path, name, false);
}
