/* procd supervises its web role like any other program, so it is written down like any other: as a
 * subsystem, in words of the option table. Whatever is wrong with it is told at http.listen.
 *
 * It gets two sockets: one for the world, and one where it waits for procd. That one is the
 * authority it has: whoever holds it is given what may be looked at, so it needs no way into the
 * run directory and no right on the control socket. The token reaches it as an open file. */
#include "config/http.h"

#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/own.h"
#include "config/check.h"
#include "config/listen.h"
#include "config/type.h"

/* What http.listen says, as a subsystem's listen would say it; caller frees. */
static char *listen_item(const char *text)
{
	bool kind = strncmp(text, "unix:", 5) == 0 || strncmp(text, "tcp:", 4) == 0;

	return x_asprintf("http=%s%s", kind ? "" : "tcp:", text);
}

static int listen_parse_value(struct parse *p, const struct value *v, void *obj)
{
	auto_free(freep) char *text = parse_string(p, v), *item = NULL;
	auto_free(strbuf_fini) struct strbuf why = STRBUF_INIT;

	if (text == NULL)
		return -EINVAL;
	item = listen_item(text);
	if (strchr(text, '=') != NULL || strchr(text, ':') == NULL || strncmp(text, "udp:", 4) == 0)
		return parse_fail(p, v, "expected ADDRESS:PORT or unix:/PATH");
	if (listen_parse(item, NULL, &why) < 0)
		return parse_fail(p, v, "%s", why.buf);
	free(*FIELD(char *, p->o, obj));
	*FIELD(char *, p->o, obj) = take(text);
	return 0;
}

const struct option_type type_http_listen = { .name = "address", STRING_VERBS,
					      .parse = listen_parse_value };

char *http_socket_path(const struct config *config)
{
	return x_asprintf("%s/http.sock", config->run_dir);
}

static bool door_fits(const struct config *config)
{
	auto_free(strbuf_fini) struct strbuf why = STRBUF_INIT;
	auto_free(freep) char *path = http_socket_path(config);
	auto_free(freep) char *door = x_asprintf("unix:%s", path);

	return listen_parse(door, NULL, &why) == 0;
}

/* --- rules ------------------------------------------------------------------------------------ */

static struct setting *given(const struct candidate *c, const char *name)
{
	struct schema_key key;

	BUG_ON(schema_find(&c->index, "http", name, strlen(name), &key) < 0);
	return scope_find(&c->top, key.key);
}

static struct place place_of(const struct candidate *c, const struct setting *s)
{
	struct place nowhere = { 0 };

	return s == NULL ? nowhere : setting_place(c, s, s->value.line, s->value.column);
}

static bool only_this_machine(const struct listen_address *a)
{
	switch (a->addr.any.sa_family) {
	case AF_INET:
		return ntohl(a->addr.in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&a->addr.in6.sin6_addr);
	default:
		return true;
	}
}

void check_http(const struct candidate *c, const struct config *config)
{
	auto_free(strbuf_fini) struct strbuf why = STRBUF_INIT;
	auto_free(freep) char *item = NULL;
	const struct setting *listen = given(c, "listen"), *token = given(c, "token_file");
	struct place place = place_of(c, listen);
	struct listen_address a;

	if (config->http.listen == NULL)
		return;
	item = listen_item(config->http.listen);
	BUG_ON(listen_parse(item, &a, &why) < 0);	/* its type saw to that */
	if (!only_this_machine(&a) && token == NULL)
		diag_error(c->diag, &place, "http.listen: others than this machine can connect to %s; "
			   "that needs http.token_file", config->http.listen);
	if (!door_fits(config))
		diag_error(c->diag, &place, "http.listen: the path of the run directory, %s, is too long "
			   "for a socket in it", config->run_dir);
	if (config->http.token_file == NULL || c->saved ||
	    access(config->http.token_file, R_OK) == 0)
		return;
	place = place_of(c, token);
	diag_warn(c->diag, &place, "http.token_file: %s: %s; " OWN_SUBSYSTEM " will not start",
		  config->http.token_file, strerror(errno));
}

/* --- the subsystem ---------------------------------------------------------------------------- */

struct writer {
	struct candidate *c;
	struct scope *scope;
	const struct setting *from;	/* http.listen: where all of it is told to stand */
};

/* KEY = TOML. */
static void set(struct writer *w, const char *key, const char *toml)
{
	struct value_span span = { .s = toml, .n = strlen(toml) };
	struct value value = VALUE_INIT;
	struct value_error error;
	struct schema_key k;

	BUG_ON(schema_find(&w->c->index, "subsystem", key, strlen(key), &k) < 0);
	BUG_ON(value_parse(&span, VALUE_TOML, &value, &error) < 0);
	value.line = w->from->value.line;
	value.column = w->from->value.column;
	*scope_add(w->scope) = (struct setting){
		.key = (uint16_t)k.key, .file = w->from->file, .kind = w->from->kind,
		.unit = (uint8_t)k.unit, .line = w->from->line, .column = w->from->column,
		.label = w->from->label, .value = value,
	};
}

static void set_text(struct writer *w, const char *key, const char *text)
{
	auto_free(strbuf_fini) struct strbuf toml = STRBUF_INIT;

	toml_quote(text, &toml);
	set(w, key, toml.buf);
}

/* It is told who procd is, because anybody might connect to its socket. */
static void set_command(struct writer *w, const struct config *config)
{
	auto_free(strbuf_fini) struct strbuf toml = STRBUF_INIT;

	strbuf_addf(&toml, "[\"/proc/self/exe\", \"http\", \"--owner\", \"%lu\", \"--name\", ",
		    (unsigned long)geteuid());
	toml_quote(config->name, &toml);
	strbuf_addf(&toml, "%s]", config->http.token_file != NULL ? ", \"--token\"" : "");
	set(w, "command", toml.buf);
}

static void set_sockets(struct writer *w, const struct config *config)
{
	auto_free(freep) char *world = listen_item(config->http.listen);
	auto_free(freep) char *path = http_socket_path(config);
	auto_free(freep) char *door = x_asprintf("procd=unix:%s", path);
	auto_free(strbuf_fini) struct strbuf toml = STRBUF_INIT;

	strbuf_addch(&toml, '[');
	toml_quote(world, &toml);
	strbuf_addch(&toml, ',');
	toml_quote(door, &toml);
	strbuf_addch(&toml, ']');
	set(w, "listen", toml.buf);
}

/* Whose configuration it is may want another user; then it is that, or it does not start. */
static void set_rights(struct writer *w, const struct config *config)
{
	if (geteuid() == 0 || given(w->c, "user") != NULL)
		set_text(w, "user", config->http.user);
	if (geteuid() == 0)
		set(w, "capabilities", "[]");
	set(w, "no_new_privileges", "true");
	if (SECCOMP_PROFILES == 0)
		set(w, "seccomp", "\"default\"");
	set(w, "clear_environment", "true");
	set(w, "umask", "\"0077\"");
	set(w, "working_dir", "\"/\"");
	set(w, "limit_core", "0");
	set(w, "limit_nofile", "256");
}

struct scope *http_scope(struct candidate *c, const struct config *config)
{
	auto_free(freep) char *token = NULL;
	struct writer w = { .c = c, .from = given(c, "listen") };

	if (config->http.listen == NULL || w.from == NULL || !door_fits(config))
		return NULL;
	w.scope = x_calloc(1, sizeof(*w.scope));
	w.scope->name = x_strdup(OWN_SUBSYSTEM);
	w.scope->file = w.from->kind == ORIGIN_FILE ? w.from->file : -1;
	w.scope->line = w.from->line;
	w.scope->column = w.from->column;
	w.scope->label = w.from->label;
	w.scope->header_file = -1;
	set_command(&w, config);
	set_sockets(&w, config);
	set_rights(&w, config);
	set(&w, "description", "\"GET /metrics and /healthz\"");
	set(&w, "ready", "\"fd:5\"");	/* behind the two sockets */
	set(&w, "start_timeout", "\"10s\"");
	set(&w, "stop_timeout", "\"2s\"");
	set(&w, "restart", "\"always\"");
	set(&w, "restart_delay", "\"250ms\"");
	set(&w, "on_supervisor_death", "\"stop\"");
	set(&w, "log_rate_limit", "\"100/s\"");
	if (config->http.token_file != NULL) {
		token = x_asprintf("file:%s", config->http.token_file);
		set_text(&w, "stdin", token);
	}
	return w.scope;
}
