/* Files, from disk. Each is read whole, handed to its reader, and then its includes are read: what
 * comes later wins. The names on the way down are remembered, so that a cycle is found by name of
 * the real file, not by depth alone. */
#include "config/source.h"

#include <config.h>
#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/text.h"
#include "config/include.h"
#include "config/map_file.h"
#include "config/reader.h"

#define FILE_SIZE_MAX ((size_t)16 << 20)
#define INCLUDE_DEPTH_MAX 16
#define FILES_MAX 4096

/* --- one file's text ------------------------------------------------------------------------ */

struct toml_source {
	struct candidate *c;
	int file;
	struct target target;
};

static struct source_point point(const struct toml_source *s, int line, int column)
{
	return (struct source_point){
		.kind = ORIGIN_FILE, .file = s->file, .line = line, .column = column,
	};
}

static void on_section(void *ctx, const char *name, size_t len, int line, int column)
{
	struct toml_source *s = ctx;
	struct source_point at = point(s, line, column);

	candidate_section(s->c, name, len, &at, &s->target);
}

static void on_error(void *ctx, int line, int column, const char *message)
{
	struct toml_source *s = ctx;
	struct source_point at = point(s, line, column);
	struct place place = candidate_place(s->c, &at);

	diag_error(s->c->diag, &place, "%s", message);
	diag_code(s->c->diag, ERROR_CONFIG_PARSE);
}

static void on_broken(void *ctx, const char *key, size_t len, int line, int column)
{
	struct toml_source *s = ctx;
	struct source_point at = point(s, line, column);

	candidate_put_bad(s->c, &s->target, key, len, &at);
}

static void on_pair(void *ctx, const char *key, size_t len, int line, int column,
		    const struct value_span *span)
{
	struct toml_source *s = ctx;
	struct source_point at = point(s, line, column);
	struct value value = VALUE_INIT;
	struct value_error error;

	if (value_parse(span, VALUE_TOML, &value, &error) < 0) {
		on_error(s, error.line, error.column, error.message);
		candidate_put_bad(s->c, &s->target, key, len, &at);
		return;
	}
	candidate_put(s->c, &s->target, key, len, &value, &at);
}

/* The same of a TOML text. */
static void source_toml(struct candidate *c, int file, const char *text, size_t n)
{
	static const struct reader_ops ops = {
		.section = on_section, .pair = on_pair, .broken = on_broken, .error = on_error,
	};
	struct toml_source s = { .c = c, .file = file };

	candidate_top(c, &s.target);
	reader_run(text, n, &ops, &s);
}

/* --- includes ------------------------------------------------------------------------------- */

struct ancestor {	/* a file that is being read */
	const struct ancestor *parent;
	dev_t dev;
	ino_t ino;
	int depth;
};

struct files {
	struct candidate *c;
	struct strbuf *bundle;
};

static int read_file(struct files *f, const char *path, const char *shown, bool json,
		     const struct place *from, const struct ancestor *parent);

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static void include_one(struct files *f, const struct include_pattern *p, const char *base,
			const char *shown_base, const struct ancestor *parent)
{
	auto_free(strlist_fini) struct strlist found = STRLIST_INIT;
	size_t base_len = strlen(base);
	glob_t g;

	if (glob(p->glob, GLOB_NOSORT, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++)
			if (ends_with(g.gl_pathv[i], ".toml"))
				strlist_add(&found, g.gl_pathv[i]);
		globfree(&g);
	}
	if (found.n == 0 && !p->wild)
		diag_error(f->c->diag, &p->place, "the included file %s does not exist", p->glob);
	strlist_sort(&found);
	for (size_t i = 0; i < found.n; i++) {
		const char *path = found.items[i];
		bool below = p->relative && strlen(path) > base_len;
		auto_free(freep) char *shown = below && *shown_base != '\0' ?
			x_asprintf("%s/%s", shown_base, path + base_len + 1) :
			x_strdup(below ? path + base_len + 1 : path);

		read_file(f, path, shown, false, &p->place, parent);
	}
}

static void include_all(struct files *f, struct setting *s, const char *base,
			const char *shown_base, const struct ancestor *parent)
{
	struct include_pattern *patterns;
	size_t n = include_patterns(f->c, s, base, &patterns);

	for (size_t i = 0; i < n && !f->c->saved; i++)
		include_one(f, &patterns[i], base, shown_base, parent);
	include_patterns_free(patterns, n);
}

/* After FILE was read: does it have includes of its own? */
static void follow_includes(struct files *f, int file, const char *path, const char *shown,
			    const struct ancestor *self)
{
	auto_free(freep) char *dir = x_strdup(path), *shown_dir = x_strdup(shown);
	char *slash = strrchr(shown_dir, '/');
	struct setting own;

	if (!include_take(f->c, file, &own))
		return;
	if (slash != NULL)
		slash[slash == shown_dir ? 1 : 0] = '\0';
	else
		*shown_dir = '\0';
	include_all(f, &own, dirname(dir), shown_dir, self);
	include_done(f->c, file, &own);
}

/* --- reading -------------------------------------------------------------------------------- */

static int read_error(struct files *f, int err, const char *shown, const struct place *from)
{
	struct place at = from != NULL ? *from : (struct place){ .file = shown };
	const char *what = strerror(-err);
	int code = err == -EACCES || err == -EPERM ? EXIT_PERMISSION : EXIT_NO_CONFIG;

	if (err == -EISDIR)
		what = "it is a directory, not a file";
	if (err == -EINVAL)
		what = "it is not a regular file";
	if (err == -EFBIG) {
		what = "it is larger than 16 MiB";
		code = EXIT_CONFIG;
	}
	if (from != NULL)
		diag_error(f->c->diag, &at, "cannot read the included file %s: %s", shown, what);
	else
		diag_error(f->c->diag, &at, "cannot read the configuration: %s", what);
	return code;
}

static const char *ancestor_fault(const struct ancestor *self, const struct candidate *c)
{
	if (self->depth > INCLUDE_DEPTH_MAX)
		return "files include each other more than 16 deep";
	if (c->files.n >= FILES_MAX)
		return "more than 4096 files are included";
	for (const struct ancestor *a = self->parent; a != NULL; a = a->parent)
		if (a->dev == self->dev && a->ino == self->ino)
			return "a file may not include itself, not even by way of others";
	return NULL;
}

static int file_text(struct files *f, const char *path, struct strbuf *out)
{
	if (WITH_MMAP_CONFIG && map_file_read(path, FILE_SIZE_MAX, out)) {
		f->c->nmapped++;
		return 0;
	}
	return file_read(path, FILE_SIZE_MAX, out);
}

static int read_file(struct files *f, const char *path, const char *shown, bool json,
		     const struct place *from, const struct ancestor *parent)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct ancestor self = {
		.parent = parent, .depth = parent != NULL ? parent->depth + 1 : 0,
	};
	const char *fault;
	struct stat st;
	int ret;

	ret = stat(path, &st) < 0 ? -errno : 0;
	self.dev = ret == 0 ? st.st_dev : 0;
	self.ino = ret == 0 ? st.st_ino : 0;
	fault = ret == 0 ? ancestor_fault(&self, f->c) : NULL;
	if (fault != NULL) {
		diag_error(f->c->diag, from, "%s: %s", shown, fault);
		return EXIT_CONFIG;
	}
	if (ret == 0)
		ret = file_text(f, path, &text);
	if (ret < 0)
		return read_error(f, ret, shown, from);
	ret = candidate_file(f->c, path, shown, text.buf, text.len);
	if (f->bundle != NULL)
		bundle_add(f->bundle, path, text.buf, text.len);
	(json ? source_json : source_toml)(f->c, ret, text.buf, text.len);
	follow_includes(f, ret, path, shown, &self);
	return 0;
}

int files_read(struct candidate *c, const char *path, struct strbuf *bundle)
{
	struct files f = { c, bundle };
	auto_free(freep) char *start = start_directory();
	auto_free(freep) char *absolute = path_absolute(start, path);

	return read_file(&f, absolute, path, ends_with(path, ".json"), NULL, NULL);
}

void files_include(struct candidate *c, const struct setting *include, struct strbuf *bundle)
{
	struct files f = { c, bundle };
	auto_free(freep) char *start = start_directory();
	struct setting own = *include;	/* the list that holds it may grow meanwhile */

	include_all(&f, &own, start, "", NULL);
	scope_find(&c->top, own.key)->bad = own.bad;
}

int files_from_bundle(struct candidate *c, const char *bundle, size_t len)
{
	struct files f = { .c = c };
	struct setting main_include;
	bool has_include = false;
	const char *name, *text;
	size_t offset = 0, n;

	c->saved = true;
	while (bundle_next(bundle, len, &offset, &name, &text, &n)) {
		int file;

		if (*name != '/')
			continue;
		file = candidate_file(c, name, name, text, n);
		(ends_with(name, ".json") ? source_json : source_toml)(c, file, text, n);
		follow_includes(&f, file, name, name, NULL);
		/* the files it names come next: keep it apart from theirs */
		if (file == 0)
			has_include = include_take(c, 0, &main_include);
	}
	if (has_include)
		include_done(c, 0, &main_include);
	return offset == len ? 0 : -EINVAL;
}

/* --- paths ---------------------------------------------------------------------------------- */

char *start_directory(void)
{
	char *dir = getcwd(NULL, 0);

	return dir != NULL ? dir : x_strdup("/");
}

char *path_absolute(const char *base, const char *path)
{
	if (*path == '/')
		return x_strdup(path);
	while (path[0] == '.' && path[1] == '/')
		path += 2 + strspn(path + 2, "/");
	return x_asprintf("%s/%s", strcmp(base, "/") == 0 ? "" : base, path);
}
