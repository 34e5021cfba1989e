/* Services are made while the files are read; who depends on whom is settled when all are known.
 * What procd would refuse for its form alone (names, variables) never gets in here: it becomes a
 * note. */
#include "import/model.h"

#include <errno.h>
#include <stdarg.h>

#include "base/alloc.h"
#include "base/text.h"
#include "base/units.h"
#include "config/value.h"

#define NAME_LENGTH_MAX 64

/* --- services ---------------------------------------------------------------------------------- */

static void service_free(struct import_service *s)
{
	for (size_t i = 0; i < s->nsettings; i++) {
		free(s->settings[i].key);
		free(s->settings[i].toml);
		free(s->settings[i].refused);
		free(s->settings[i].remark);
	}
	for (size_t i = 0; i < s->nnotes; i++) {
		free(s->notes[i].what);
		free(s->notes[i].why);
	}
	for (size_t i = 0; i < s->nedges; i++) {
		free(s->edges[i].id);
		free(s->edges[i].condition);
	}
	free(s->settings);
	free(s->notes);
	free(s->edges);
	strlist_fini(&s->environment);
	map_fini(&s->variables);
	free(s->id);
	free(s->name);
	free(s->origin);
	free(s->file);
	free(s->refused);
	free(s);
}

void import_init(struct import *im)
{
	*im = (struct import){ .by_name = MAP_INIT, .by_id = MAP_INIT };
	im->whole = x_calloc(1, sizeof(*im->whole));
}

void import_fini(struct import *im)
{
	for (size_t i = 0; i < im->n; i++)
		service_free(im->services[i]);
	free(im->services);
	service_free(im->whole);
	map_fini(&im->by_name);
	map_fini(&im->by_id);
	error_fini(&im->error);
	*im = (struct import){ 0 };
}

/* What is cited from a file may have lines; a message has one. */
static void set_failure(struct import *im, int exit_code, enum error_code code, struct strbuf *text)
{
	for (char *p = text->buf; *p != '\0'; p++)
		if (*p == '\n' || *p == '\t')
			*p = ' ';
	im->exit_code = exit_code;
	error_set(&im->error, code, 0, "%s", text->buf);
}

int import_fail(struct import *im, const char *file, int line, const char *fmt, ...)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	va_list ap;

	if (im->exit_code != 0)
		return -EINVAL;
	strbuf_addstr(&text, file);
	if (line > 0)
		strbuf_addf(&text, ":%d", line);
	strbuf_addstr(&text, ": ");
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	set_failure(im, EXIT_CONFIG, ERROR_CONFIG_PARSE, &text);
	return -EINVAL;
}

int import_fail_code(struct import *im, int exit_code, const char *fmt, ...)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	va_list ap;

	if (im->exit_code != 0)
		return -EINVAL;
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	set_failure(im, exit_code, exit_code == EXIT_NO_CONFIG ? ERROR_CONFIG_MISSING :
		    exit_code == EXIT_PERMISSION ? ERROR_IO_PERMISSION : ERROR_CONFIG_INVALID, &text);
	return -EINVAL;
}

/* As procd wants it: other characters become '-', and what would mean all of them gets a tail. */
static char *clean_name(const char *text)
{
	auto_free(strbuf_fini) struct strbuf name = STRBUF_INIT;

	for (const char *p = text; *p != '\0' && name.len < NAME_LENGTH_MAX; p++) {
		bool fine = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			    (*p >= '0' && *p <= '9') || strchr("_.-", *p) != NULL;

		if (fine || name.len == 0 || name.buf[name.len - 1] != '-')
			strbuf_addch(&name, fine ? *p : '-');
	}
	if (name.len == 0 || strcmp(name.buf, "all") == 0 || name.buf[0] == '-')
		strbuf_addstr(&name, "_");
	return strbuf_detach(&name);
}

static char *free_name(const struct import *im, const char *text)
{
	char *name = clean_name(text);

	for (unsigned n = 2; map_find(&im->by_name, name) != NULL; n++) {
		auto_free(freep) char *base = clean_name(text);

		free(name);
		name = x_asprintf("%.*s-%u", NAME_LENGTH_MAX - 8, base, n);
	}
	return name;
}

struct import_service *import_add(struct import *im, const char *id, const char *name,
				  const char *file, int line)
{
	struct import_service *s;

	if (im->n == IMPORT_SERVICES_MAX) {
		import_fail(im, file, line, "these are more than %d services", IMPORT_SERVICES_MAX);
		return NULL;
	}
	if (im->n == im->cap) {
		im->cap = im->cap != 0 ? im->cap * 2 : 16;
		im->services =
			x_reallocarray(im->services, im->cap, sizeof(struct import_service *));
	}
	s = x_calloc(1, sizeof(*s));
	s->id = x_strdup(id);
	s->name = free_name(im, name);
	s->file = x_strdup(file);
	s->line = line;
	map_put(&im->by_name, s->name, s);
	import_alias(im, id, s);
	im->services[im->n++] = s;
	return s;
}

void import_origin(struct import_service *s, const char *fmt, ...)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	free(s->origin);
	s->origin = strbuf_detach(&text);
}

void import_alias(struct import *im, const char *id, struct import_service *s)
{
	if (map_find(&im->by_id, id) == NULL)
		map_put(&im->by_id, id, s);
}

struct import_service *import_find(const struct import *im, const char *id)
{
	return map_find(&im->by_id, id);
}

/* --- values ------------------------------------------------------------------------------------ */

/* Does the character C make a variable of a '$' or '%' before it? */
static bool makes_variable(char sign, char c)
{
	if (c == MARK_PERCENT || c == MARK_DOLLAR || c == sign)
		return true;
	return sign == '$' ? c == '{' : c == 'n' || c == 'i';
}

void import_quote(const char *marked, struct strbuf *out)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	for (const char *p = marked; *p != '\0'; p++) {
		if (*p == MARK_PERCENT || *p == MARK_DOLLAR) {
			strbuf_addch(&text, *p == MARK_PERCENT ? '%' : '$');
			continue;
		}
		if ((*p == '$' || *p == '%') && makes_variable(*p, p[1]))
			strbuf_addch(&text, *p);
		strbuf_addch(&text, *p);
	}
	toml_quote_raw(text.buf, out);
}

/* Would a shell take S as it is, wherever in a command it stands? */
static bool is_plain_word(const char *s)
{
	static const char *const reserved[] = {
		"if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while", "until",
		"for", "in", "time", "function", "select", "coproc",
	};

	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (strcmp(s, reserved[i]) == 0)
			return false;
	return *s != '\0' &&
	       s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			   "_./:,@+-")] == '\0';
}

void import_shell_word(const char *s, struct strbuf *out)
{
	if (is_plain_word(s)) {
		strbuf_addstr(out, s);
		return;
	}
	strbuf_addch(out, '\'');
	for (; *s != '\0'; s++)
		strbuf_addstr(out, *s == '\'' ? "'\\''" : (char[]){ *s, '\0' });
	strbuf_addch(out, '\'');
}

/* --- settings ---------------------------------------------------------------------------------- */

static struct import_setting *find_setting(const struct import_service *s, const char *key)
{
	for (size_t i = 0; i < s->nsettings; i++)
		if (strcmp(s->settings[i].key, key) == 0)
			return &s->settings[i];
	return NULL;
}

bool import_has(const struct import_service *s, const char *key)
{
	return find_setting(s, key) != NULL;
}

void import_raw(struct import_service *s, const char *key, const char *toml)
{
	struct import_setting *setting = find_setting(s, key);

	if (setting == NULL) {
		if (s->nsettings == s->settings_cap) {
			s->settings_cap = s->settings_cap != 0 ? s->settings_cap * 2 : 8;
			s->settings = x_reallocarray(s->settings, s->settings_cap,
						     sizeof(*s->settings));
		}
		setting = &s->settings[s->nsettings++];
		*setting = (struct import_setting){ .key = x_strdup(key) };
	}
	free(setting->toml);
	setting->toml = x_strdup(toml);
}

void import_bool(struct import_service *s, const char *key, bool on)
{
	import_raw(s, key, on ? "true" : "false");
}

void import_int(struct import_service *s, const char *key, long long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", number);
	import_raw(s, key, text);
}

void import_ms(struct import_service *s, const char *key, long long ms)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	strbuf_addch(&text, '"');
	duration_format(ms, &text);
	strbuf_addch(&text, '"');
	import_raw(s, key, text.buf);
}

void import_text_value(struct import_service *s, const char *key, const char *marked)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	import_quote(marked, &text);
	import_raw(s, key, text.buf);
}

void import_list(struct import_service *s, const char *key, const struct strlist *marked)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	strbuf_addch(&text, '[');
	for (size_t i = 0; i < marked->n; i++) {
		strbuf_addstr(&text, i > 0 ? ", " : "");
		import_quote(marked->items[i], &text);
	}
	strbuf_addch(&text, ']');
	import_raw(s, key, text.buf);
}

void import_list_add(struct import_service *s, const char *key, const char *marked)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	const struct import_setting *old = find_setting(s, key);

	if (old != NULL && strlen(old->toml) > IMPORT_LIST_MAX) {
		import_note(s, 0, marked, "%s is too long already", key);
		return;
	}
	strbuf_addstr(&text, "[");
	if (old != NULL && strcmp(old->toml, "[]") != 0) {	/* it was made here: "[...]" */
		strbuf_add(&text, old->toml + 1, strlen(old->toml) - 2);
		strbuf_addstr(&text, ", ");
	}
	import_quote(marked, &text);
	strbuf_addch(&text, ']');
	import_raw(s, key, text.buf);
}

void import_shell(struct import_service *s, const char *key, const char *script)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;

	if (strcmp(key, "command") == 0) {
		import_bool(s, "shell", true);
		import_text_value(s, key, script);
		return;
	}
	strlist_add(&words, "/bin/sh");
	strlist_add(&words, "-c");
	strlist_add(&words, script);
	import_list(s, key, &words);
}

bool import_variable(struct import_service *s, const char *name, size_t len, const char *marked)
{
	auto_free(freep) char *key = x_strndup(name, len);
	uintptr_t place;
	char *entry;

	if (*key == '\0' || strpbrk(key, "= \t\n") != NULL)
		return false;
	entry = x_asprintf("%s=%s", key, marked);
	place = (uintptr_t)map_find(&s->variables, key);
	if (place > 0) {
		free(s->environment.items[place - 1]);
		s->environment.items[place - 1] = entry;
		return true;
	}
	strlist_take(&s->environment, entry);
	map_put(&s->variables, key, (void *)(uintptr_t)s->environment.n);
	return true;
}

void import_remark(struct import_service *s, const char *key, const char *fmt, ...)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct import_setting *setting = find_setting(s, key);
	va_list ap;

	if (setting == NULL)
		return;
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	free(setting->remark);
	setting->remark = strbuf_detach(&text);
}

void import_hold_back(struct import_service *s, const char *fmt, ...)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	import_bool(s, "autostart", false);
	import_remark(s, "autostart", "not started by itself: %s", text.buf);
}

/* --- notes ------------------------------------------------------------------------------------- */

void import_note(struct import_service *s, int line, const char *what, const char *fmt, ...)
{
	auto_free(strbuf_fini) struct strbuf why = STRBUF_INIT;
	va_list ap;

	if (s->nnotes == IMPORT_NOTES_MAX) {
		s->notes_lost++;
		return;
	}
	if (s->nnotes == s->notes_cap) {
		s->notes_cap = s->notes_cap != 0 ? s->notes_cap * 2 : 8;
		s->notes = x_reallocarray(s->notes, s->notes_cap, sizeof(*s->notes));
	}
	va_start(ap, fmt);
	strbuf_vaddf(&why, fmt, ap);
	va_end(ap);
	s->notes[s->nnotes++] = (struct import_note){
		.what = x_strdup(what), .why = strbuf_detach(&why), .line = line,
	};
}
