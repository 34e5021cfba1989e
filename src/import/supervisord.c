/* supervisord.conf: all sections of all files are gathered first, because a group may stand behind
 * its programs and in another file. Then each program becomes one service, or several. */
#include "import/formats.h"

#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "import/ini.h"
#include "import/supervisord.h"

#define SECTIONS_MAX 10000
#define PAIRS_MAX 1000		/* of one section */
#define TIER_MAX 64		/* programs of one priority whose order is written down */

/* --- sections ---------------------------------------------------------------------------------- */

struct reading {
	struct supervisord *x;
	const char *file;
	struct sup_section *current;
	bool included;		/* what an included file includes is ignored, as supervisord does */
	struct strlist *globs;
};

static struct sup_section *find_section(struct supervisord *x, const char *name)
{
	for (size_t i = 0; i < x->n; i++)
		if (strcmp(x->sections[i].name, name) == 0)
			return &x->sections[i];
	return NULL;
}

static int enter_section(struct reading *r, const char *name, int line)
{
	struct supervisord *x = r->x;

	r->current = find_section(x, name);
	if (r->current != NULL)
		return 0;
	if (x->n == SECTIONS_MAX)
		return import_fail(x->im, r->file, line, "these are more than %d sections",
				   SECTIONS_MAX);
	if (x->n == x->cap) {
		x->cap = x->cap != 0 ? x->cap * 2 : 16;
		x->sections = x_reallocarray(x->sections, x->cap, sizeof(*x->sections));
	}
	r->current = &x->sections[x->n++];
	*r->current = (struct sup_section){
		.name = x_strdup(name), .file = x_strdup(r->file), .line = line, .priority = 999,
	};
	return 0;
}

static int add_pair(struct reading *r, const struct ini_line *l)
{
	struct sup_section *s = r->current;
	struct sup_pair *p = NULL;

	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->pairs[i].key, l->key) == 0)
			p = &s->pairs[i];
	if (p == NULL && s->n == PAIRS_MAX)
		return import_fail(r->x->im, r->file, l->line,
				   "these are more than %d settings of [%s]", PAIRS_MAX, s->name);
	if (p == NULL) {
		if (s->n == s->cap) {
			s->cap = s->cap != 0 ? s->cap * 2 : 8;
			s->pairs = x_reallocarray(s->pairs, s->cap, sizeof(*s->pairs));
		}
		p = &s->pairs[s->n++];
		*p = (struct sup_pair){ .key = x_strdup(l->key) };
	}
	free(p->value);
	p->value = x_strdup(l->value);
	p->line = l->line;
	return 0;
}

static int include(struct reading *r, const struct ini_line *l)
{
	struct sup_vars vars = { .number = -1, .now = true };
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	char *rest = NULL;

	if (r->included) {
		import_note(r->x->im->whole, 0, "[include] in an included file",
			    "supervisord ignores it, too");
		return 0;
	}
	if (sup_expand(r->x, &vars, r->file, l->line, l->value, &text) < 0)
		return -EINVAL;
	for (char *glob = strtok_r(text.buf, " \t\n", &rest); glob != NULL;
	     glob = strtok_r(NULL, " \t\n", &rest))
		strlist_take(r->globs, import_path(r->x->here, glob));
	return 0;
}

static int take_line(void *ctx, const struct ini_line *l)
{
	struct reading *r = ctx;

	if (l->section == NULL)
		return import_fail(r->x->im, r->file, l->line, "\"%.60s\" stands before the first "
				   "[section]", l->key);
	if (l->key == NULL)
		return enter_section(r, l->section, l->line);
	if (strcmp(l->section, "include") == 0 && strcmp(l->key, "files") == 0)
		return include(r, l);
	return add_pair(r, l);
}

static int read_one(struct supervisord *x, const char *path, bool included, struct strlist *globs)
{
	struct reading r = { .x = x, .file = path, .included = included, .globs = globs };
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	if (import_read(x->im, path, &text) < 0)
		return -EINVAL;
	return ini_read(x->im, path, &text, INI_SUPERVISORD, take_line, &r);
}

static int read_all(struct supervisord *x, const char *path)
{
	auto_free(strlist_fini) struct strlist globs = STRLIST_INIT, files = STRLIST_INIT;

	if (read_one(x, path, false, &globs) < 0)
		return -EINVAL;
	for (size_t i = 0; i < globs.n; i++) {
		size_t before = files.n;

		if (import_glob(x->im, globs.items[i], &files) < 0)
			return -EINVAL;
		if (files.n == before)
			import_note(x->im->whole, 0, globs.items[i], "no file is there to include");
	}
	for (size_t i = 0; i < files.n; i++)
		if (read_one(x, files.items[i], true, &globs) < 0)
			return -EINVAL;
	return 0;
}

const struct sup_pair *sup_find(const struct sup_section *s, const char *key)
{
	for (size_t i = 0; s != NULL && i < s->n; i++)
		if (strcmp(s->pairs[i].key, key) == 0)
			return &s->pairs[i];
	return NULL;
}

/* --- sections that are no programs ------------------------------------------------------------- */

static const struct {
	const char *key, *why;
} daemon_keys[] = {
	{ "logfile", "procd's own log is [logging] file" },
	{ "logfile_maxbytes", "procd's own log is [logging] max_file_size" },
	{ "logfile_backups", "procd's own log is [logging] max_files" },
	{ "loglevel", "procd's own log is [logging] level" },
	{ "pidfile", "procd's own is pid_file" },
	{ "nodaemon", "procd always stays in the foreground" },
	{ "minfds", "limit_nofile sets the limit for one subsystem, or for all in [defaults]" },
	{ "minprocs", "limit_nproc sets the limit for one subsystem, or for all in [defaults]" },
	{ "identifier", "procd's own is name" },
	{ "childlogdir", "log_file names the file for captured output" },
	{ "nocleanup", "procd makes no such files" },
	{ "strip_ansi", "procd keeps output as it is, and makes it harmless where it is shown" },
	{ "silent", "procd's own log is [logging]" },
};

static int take_daemon(struct supervisord *x, struct sup_section *s)
{
	struct sup_vars vars = { .number = -1 };

	x->daemon = s;
	for (size_t i = 0; i < s->n; i++) {
		const struct sup_pair *p = &s->pairs[i];
		auto_free(freep) char *what = x_asprintf("[supervisord] %s = %s", p->key, p->value);
		auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
		const char *why = "procd has nothing like it";

		if (strcmp(p->key, "environment") == 0) {
			if (sup_expand(x, &vars, s->file, p->line, p->value, &text) < 0 ||
			    sup_environment(x, s->file, p->line, text.buf, NULL, &x->environment) < 0)
				return -EINVAL;
			continue;
		}
		if (strcmp(p->key, "user") == 0 || strcmp(p->key, "umask") == 0 ||
		    strcmp(p->key, "directory") == 0)
			continue;	/* the programs inherit it */
		for (size_t k = 0; k < ARRAY_LEN(daemon_keys); k++)
			if (strcmp(p->key, daemon_keys[k].key) == 0)
				why = daemon_keys[k].why;
		import_note(x->im->whole, p->line, what, "%s", why);
	}
	return 0;
}

static void take_group(struct supervisord *x, const struct sup_section *s)
{
	const struct sup_pair *programs = sup_find(s, "programs"), *p = sup_find(s, "priority");
	auto_free(freep) char *names = x_strdup(programs != NULL ? programs->value : "");
	char *rest = NULL;

	for (char *name = strtok_r(names, ", \t\n", &rest); name != NULL;
	     name = strtok_r(NULL, ", \t\n", &rest)) {
		auto_free(freep) char *full = x_asprintf("program:%s", name);
		auto_free(freep) char *fcgi = x_asprintf("fcgi-program:%s", name);
		struct sup_section *program = find_section(x, full);

		if (program == NULL)
			program = find_section(x, fcgi);
		if (program == NULL) {
			import_note(x->im->whole, programs->line, name, "[%s] names a program that "
				    "there is not", s->name);
			continue;
		}
		free(program->group);
		program->group = x_strdup(s->name + strlen("group:"));
		if (p != NULL)
			program->priority = atol(p->value);
	}
}

static const struct {
	const char *name, *why;
} others[] = {
	{ "unix_http_server", "procd's verbs talk to [control] socket" },
	{ "inet_http_server", "procd has no such server; [control] socket is a file, [http] only tells" },
	{ "supervisorctl", "the verbs of procd find its socket themselves" },
	{ "rpcinterface:supervisor", "procd has JSON-RPC on [control] socket" },
	{ "ctlplugin:", "procd has no plugins" },
	{ "rpcinterface:", "procd has no plugins" },
	{ "eventlistener:", "procd tells its events in another form: procd events -f" },
	{ "include", NULL },
	{ "supervisord", NULL },
	{ "group:", NULL },
};

/* 1: it is a program. */
static int take_other(struct supervisord *x, struct sup_section *s)
{
	auto_free(freep) char *what = x_asprintf("[%s]", s->name);

	if (strncmp(s->name, "program:", 8) == 0 || strncmp(s->name, "fcgi-program:", 13) == 0)
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strncmp(s->name, others[i].name, strlen(others[i].name)) == 0) {
			if (others[i].why != NULL)
				import_note(x->im->whole, s->line, what, "%s", others[i].why);
			return 0;
		}
	import_note(x->im->whole, s->line, what, "supervisord gives it no meaning");
	return 0;
}

/* --- order ------------------------------------------------------------------------------------- */

static int by_priority(const void *a, const void *b)
{
	const struct sup_section *sa = *(struct sup_section *const *)a;
	const struct sup_section *sb = *(struct sup_section *const *)b;

	if (sa->priority != sb->priority)
		return sa->priority < sb->priority ? -1 : 1;
	return sa->line - sb->line;
}

static void start_after(const struct sup_section *later, const struct sup_section *earlier)
{
	for (size_t i = 0; i < later->nservices && i < TIER_MAX; i++)
		for (size_t k = 0; k < earlier->nservices && k < TIER_MAX; k++)
			import_edge(later->services[i], "after", earlier->services[k]->id, NULL, 0);
}

/* Each starts after those with the next lower priority. */
static void order(struct supervisord *x)
{
	auto_free(freep) struct sup_section **sorted = x_calloc(x->n + 1, sizeof(*sorted));
	size_t n = 0, low = 0, mid = 0;	/* [LOW, MID) have the next lower priority */

	for (size_t i = 0; i < x->n; i++)
		if (x->sections[i].nservices > 0)
			sorted[n++] = &x->sections[i];
	qsort(sorted, n, sizeof(struct sup_section *), by_priority);
	for (size_t i = 1; i < n; i++) {
		if (sorted[i]->priority != sorted[i - 1]->priority) {
			low = mid;
			mid = i;
		}
		for (size_t k = low; mid > 0 && k < mid && mid - low <= TIER_MAX; k++)
			start_after(sorted[i], sorted[k]);
	}
}

static void fini(struct supervisord *x)
{
	for (size_t i = 0; i < x->n; i++) {
		struct sup_section *s = &x->sections[i];

		for (size_t k = 0; k < s->n; k++) {
			free(s->pairs[k].key);
			free(s->pairs[k].value);
		}
		free(s->pairs);
		free(s->services);
		free(s->group);
		free(s->name);
		free(s->file);
	}
	free(x->sections);
	free(x->here);
	strlist_fini(&x->environment);
}

static int take_all(struct supervisord *x)
{
	for (size_t i = 0; i < x->n; i++)
		if (strcmp(x->sections[i].name, "supervisord") == 0 &&
		    take_daemon(x, &x->sections[i]) < 0)
			return -EINVAL;
	for (size_t i = 0; i < x->n; i++)
		if (strncmp(x->sections[i].name, "group:", 6) == 0)
			take_group(x, &x->sections[i]);
	for (size_t i = 0; i < x->n; i++)
		if (take_other(x, &x->sections[i]) == 1 &&
		    sup_program(x, &x->sections[i], strchr(x->sections[i].name, ':') + 1) < 0)
			return -EINVAL;
	order(x);
	return 0;
}

int import_supervisord(struct import *im, const char *path)
{
	struct supervisord x = { .im = im, .here = import_dir_of(path) };
	int r = read_all(&x, path);

	if (r == 0)
		r = take_all(&x);
	fini(&x);
	return r;
}
