/* From a path to a daemon.toml: which format it is, its reader, the writer, and then the loader
 * that procd itself uses. What the loader refuses becomes a comment with its reason, and the text
 * is written again: what leaves here is accepted by `procd check`, whatever a reader thought of. */
#include "import/import.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/text.h"
#include "config/config.h"
#include "import/formats.h"

#define ROUNDS_MAX 16

struct format {
	const char *name;
	int (*read)(struct import *im, const char *path);
	/* Does a file called BASE with this TEXT look like it? */
	bool (*fits)(const char *base, const char *text);
	/* What such a file is called in a directory; NULL: no fixed name. */
	const char *const *files;
	/* Does the directory hold such? NULL: the format knows no directories. */
	bool (*fits_dir)(const struct import *im, const char *dir);
};

/* --- which format ------------------------------------------------------------------------------ */

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

/* A line of TEXT begins with WORD. */
static bool has_line(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = text; p != NULL && *p != '\0'; p = strchr(p, '\n')) {
		p += strspn(p, " \t\n");
		if (strncmp(p, word, n) == 0)
			return true;
	}
	return false;
}

static bool fits_supervisord(const char *base, const char *text)
{
	(void)base;
	return has_line(text, "[program:") || has_line(text, "[supervisord]") ||
	       has_line(text, "[fcgi-program:");
}

static bool fits_procfile(const char *base, const char *text)
{
	size_t n;

	if (strncmp(base, "Procfile", 8) == 0 || ends_with(base, ".procfile"))
		return true;
	while (*text == '#' || *text == '\n')
		text += strcspn(text, "\n") + (*text == '\n' || text[strcspn(text, "\n")] == '\n');
	n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
	return strchr(base, '.') == NULL && n > 0 && text[n] == ':' && text[n + 1] == ' ';
}

static bool fits_systemd(const char *base, const char *text)
{
	return ends_with(base, ".service") || has_line(text, "[Service]");
}

static bool fits_dinit(const char *base, const char *text)
{
	return strchr(base, '.') == NULL && import_is_dinit(text);
}

static bool fits_pm2(const char *base, const char *text)
{
	return (ends_with(base, ".json") && import_is_pm2(text)) || ends_with(base, ".config.js") ||
	       ends_with(base, ".config.cjs") || ends_with(base, ".config.mjs");
}

static bool fits_compose(const char *base, const char *text)
{
	return ends_with(base, ".yml") || ends_with(base, ".yaml") ||
	       (ends_with(base, ".json") && (strstr(text, "\"processes\"") != NULL ||
					     strstr(text, "\"services\"") != NULL));
}

static bool fits_nothing(const char *base, const char *text)
{
	(void)base;
	(void)text;
	return false;
}

static const char *const supervisord_files[] = {
	"supervisord.conf", "supervisor.conf", "etc/supervisord.conf", NULL,
};
static const char *const pm2_files[] = {
	"ecosystem.json", "ecosystem.config.json", "pm2.json", "process.json", "ecosystem.config.js",
	"ecosystem.config.cjs", NULL,
};
static const char *const process_compose_files[] = {
	"process-compose.yaml", "process-compose.yml", NULL,
};
static const char *const compose_files[] = {
	"compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml", NULL,
};
static const char *const procfile_files[] = { "Procfile", NULL };

static const struct format formats[] = {
	{ "supervisord", import_supervisord, fits_supervisord, supervisord_files, NULL },
	{ "systemd", import_systemd, fits_systemd, NULL, import_is_unit_dir },
	{ "runit", import_rundir, fits_nothing, NULL, import_is_rundir },
	{ "s6", import_rundir, fits_nothing, NULL, import_is_rundir },
	{ "dinit", import_dinit, fits_dinit, NULL, import_is_dinit_dir },
	{ "pm2", import_pm2, fits_pm2, pm2_files, NULL },
	{ "process-compose", import_compose, fits_compose, process_compose_files, NULL },
	{ "procfile", import_procfile, fits_procfile, procfile_files, NULL },
	{ "compose", import_compose, fits_nothing, compose_files, NULL },
};

/* The names that a format may have, for messages: "supervisord, procfile, ...". */
static void add_formats(struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		strbuf_addf(out, "%s%s", i > 0 ? ", " : "", formats[i].name);
}

static const struct format *format_called(struct import *im, const char *name)
{
	auto_free(strbuf_fini) struct strbuf names = STRBUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	add_formats(&names);
	import_fail_code(im, EXIT_USAGE, "unknown format \"%.40s\"; known are %s", name, names.buf);
	return NULL;
}

/* The file of FORMAT in DIR; NULL: there is none. */
static char *file_in(const struct import *im, const struct format *format, const char *dir)
{
	for (size_t i = 0; format->files != NULL && format->files[i] != NULL; i++) {
		char *path = import_path(dir, format->files[i]);

		if (import_is_file(im, path))
			return path;
		free(path);
	}
	return NULL;
}

static void fail_unknown(struct import *im, const char *path, const char *what)
{
	auto_free(strbuf_fini) struct strbuf names = STRBUF_INIT;

	add_formats(&names);
	import_fail(im, path, 0, "%s (known are %s; --from names one)", what, names.buf);
}

static const struct format *find_in_dir(struct import *im, const char *dir, char **file)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		*file = file_in(im, &formats[i], dir);
		if (*file != NULL)
			return &formats[i];
	}
	*file = x_strdup(dir);
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (formats[i].fits_dir != NULL && formats[i].fits_dir(im, dir))
			return &formats[i];
	fail_unknown(im, dir, "nothing in this directory is of a known format");
	return NULL;
}

/* Sets *FILE, the caller's, to what is to be read. NULL: the import has failed. */
static const struct format *find_format(struct import *im, const char *path, const char *name,
					char **file)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	auto_free(freep) char *base = import_base_of(path), *template = NULL;
	bool dir = import_is_dir(im, path);

	if (name != NULL) {
		const struct format *format = format_called(im, name);

		*file = format != NULL && dir ? file_in(im, format, path) : NULL;
		if (*file == NULL)
			*file = x_strdup(path);
		return format;
	}
	if (dir)
		return find_in_dir(im, path, file);
	template = import_unit_template(im, path);
	if (template != NULL) {
		*file = x_strdup(path);
		return format_called(im, "systemd");
	}
	if (import_read(im, path, &text) < 0)
		return NULL;
	*file = x_strdup(path);
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (formats[i].fits(base, text.buf))
			return &formats[i];
	fail_unknown(im, path, "is of no known format");
	return NULL;
}

/* --- what procd says to it --------------------------------------------------------------------- */

/* What it may do less without: never run with more rights than it had, nor at another time. */
static bool holds_back(const char *key)
{
	static const char *const keys[] = {
		"user", "group", "supplementary_groups", "root_dir", "umask", "capabilities",
		"ambient_capabilities", "no_new_privileges", "private_tmp", "protect_system", "seccomp",
		"schedule",	/* it would run at once instead */
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

static bool refuse_setting(struct import_service *s, int line, const char *why)
{
	for (size_t i = 0; i < s->nsettings; i++) {
		struct import_setting *setting = &s->settings[i];

		if (line < setting->first || line > setting->last || setting->refused != NULL)
			continue;
		if (strcmp(setting->key, "command") == 0)
			return false;
		setting->refused = x_asprintf("procd refuses it: %s", why);
		if (holds_back(setting->key))
			import_hold_back(s, "it would run without its %s", s->settings[i].key);
		return true;
	}
	return false;
}

/* The service whose text holds LINE of the output. */
static struct import_service *service_at(const struct import *im, int line)
{
	struct import_service *found = NULL;

	for (size_t i = 0; i < im->n && im->services[i]->header <= line; i++)
		found = im->services[i];
	return found;
}

/* Turn what is refused into comments. False: it cannot be told what it is. */
static bool take_refusals(struct import *im, const struct config_diag *diag)
{
	bool any = false;

	for (size_t i = 0; i < diag->n; i++) {
		const struct config_issue *issue = &diag->issues[i];
		struct import_service *s = issue->file != NULL ? service_at(im, issue->line) : NULL;

		if (issue->warning || s == NULL || s->refused != NULL)
			continue;
		if (!refuse_setting(s, issue->line, issue->message))
			s->refused = x_asprintf("procd refuses it: %s", issue->message);
		any = true;
	}
	return any;
}

static bool is_accepted(const char *text, size_t n, struct config_diag *diag)
{
	auto_free(strbuf_fini) struct strbuf bundle = STRBUF_INIT;
	struct config_source source = { 0 };
	struct config *config = NULL;
	size_t errors = 0;

	config_bundle(&bundle, "/daemon.toml", text, n);
	source.bundle = bundle.buf;
	source.bundle_len = bundle.len;
	config_load(&source, &config, diag, NULL);
	config_free(config);
	for (size_t i = 0; i < diag->n; i++)	/* what is wrong in the environment is another matter */
		errors += !diag->issues[i].warning && diag->issues[i].file != NULL;
	return errors == 0;
}

static int write_accepted(struct import *im, const char *path, const char *format,
			  struct strbuf *out)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		struct config_diag diag = CONFIG_DIAG_INIT;
		bool fine, changed;

		import_write(im, path, format, &text);
		fine = is_accepted(text.buf, text.len, &diag);
		changed = !fine && take_refusals(im, &diag);
		if (!fine && !changed)
			import_fail(im, path, 0, "procd does not accept what became of it: %s",
				    diag.n > 0 ? diag.issues[0].message : "?");
		config_diag_fini(&diag);
		if (fine)
			strbuf_add(out, text.buf, text.len);
		if (fine || !changed)
			return fine ? 0 : -EINVAL;
	}
	return import_fail(im, path, 0, "procd does not accept what became of it");
}

/* --- all of it --------------------------------------------------------------------------------- */

static void run(struct import *im, const char *path, const char *name, struct strbuf *out)
{
	auto_free(freep) char *file = NULL;
	const struct format *format = find_format(im, path, name, &file);

	if (format == NULL || format->read(im, file) < 0)
		return;
	if (im->n == 0) {
		import_fail(im, path, 0, "describes nothing to run");
		return;
	}
	import_resolve(im);
	write_accepted(im, path, format->name, out);
}

static int finish(struct import *im, struct error *e)
{
	int exit_code = im->exit_code;

	if (exit_code != 0) {
		*e = im->error;
		im->error = (struct error)ERROR_INIT;
	}
	import_fini(im);
	return exit_code;
}

/* The last part stays as it is: the name of a link may say more than that of the file. */
static char *absolute_path(const char *path)
{
	auto_free(freep) char *whole = realpath(path, NULL), *above = NULL, *dir = NULL,
			      *base = NULL;
	struct stat st;

	if (whole != NULL && stat(whole, &st) == 0 && S_ISDIR(st.st_mode))
		return take(whole);
	above = import_dir_of(path);
	base = import_base_of(path);
	dir = realpath(above, NULL);
	return dir != NULL ? import_path(dir, base) : NULL;
}

int import_run(const char *path, const char *format, struct strbuf *out, struct error *e)
{
	auto_free(freep) char *absolute = absolute_path(path);
	struct import im;

	import_init(&im);
	if (absolute == NULL && errno == EACCES)
		import_fail_code(&im, EXIT_PERMISSION, "%s: may not be read", path);
	else if (absolute == NULL)
		import_fail_code(&im, EXIT_NO_CONFIG, "%s: there is no such file or directory", path);
	else
		run(&im, absolute, format, out);
	return finish(&im, e);
}

int import_text(const char *name, const char *text, size_t n, const char *format,
		struct strbuf *out, struct error *e)
{
	struct import im;

	import_init(&im);
	im.only = text;
	im.only_name = name;
	im.only_n = n;
	run(&im, name, format, out);
	return finish(&im, e);
}
