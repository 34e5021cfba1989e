/* Verbs about the configuration. check, config and features need no running procd. */
#include <unistd.h>

#include "base/text.h"
#include "command/call.h"
#include "command/verbs.h"
#include "config.h"
#include "config/config.h"
#include "control/features.h"

/* --- without a daemon ------------------------------------------------------------------------- */

static int load(const struct cli_options *o, struct config **config, struct config_diag *diag)
{
	struct config_source source = { .path = o->config, .sets = &o->sets };

	return config_load(&source, config, diag, NULL);
}

static void tell_issues(const struct config_diag *diag, bool with_warnings)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT, safe = STRBUF_INIT;

	config_diag_print(diag, with_warnings, &text);
	for (const char *at = text.buf; *at;) {
		size_t n = strcspn(at, "\n");

		terminal_escape(at, n, &safe);
		strbuf_addch(&safe, '\n');
		at += n + (at[n] != '\0');
	}
	fputs(safe.buf, stderr);
}

int verb_check(const struct cli_options *o)
{
	struct config_diag diag = CONFIG_DIAG_INIT;
	struct config *config = NULL;
	int rc = load(o, &config, &diag);

	if (o->json) {
		cli_print_json(json_pack("{s:b, s:o, s:o}", "ok", rc == 0,
					 "errors", config_diag_json(&diag, false),
					 "warnings", config_diag_json(&diag, true)));
	} else {
		tell_issues(&diag, !o->quiet);
		if (rc == 0 && !o->quiet)
			rc = cli_print("ok\n", 3);
	}
	config_free(config);
	config_diag_fini(&diag);
	return rc;
}

static int tell_bad_config(const struct cli_options *o, int exit_code,
			   const struct config_diag *diag)
{
	auto_free(json_decrefp) json_t *extra = NULL;
	struct error e = ERROR_INIT;

	if (!o->json) {
		tell_issues(diag, false);
		return exit_code;
	}
	extra = json_pack("{s:o}", "errors", config_diag_json(diag, false));
	error_set(&e, exit_code == EXIT_NO_CONFIG ? ERROR_CONFIG_MISSING :
		  exit_code == EXIT_PERMISSION ? ERROR_IO_PERMISSION : config_diag_code(diag), 0,
		  "%s", diag->nerrors > 0 && diag->n > 0 ? diag->issues[0].message :
		  "the configuration cannot be used");
	cli_fail(o, exit_code, RPC_SERVER_ERROR, &e, extra);
	error_fini(&e);
	return exit_code;
}

int verb_load_config(const struct cli_options *o, struct config **config)
{
	struct config_diag diag = CONFIG_DIAG_INIT;
	int rc = load(o, config, &diag);

	if (rc != 0)
		tell_bad_config(o, rc, &diag);
	config_diag_fini(&diag);
	return rc;
}

int verb_config(const struct cli_options *o)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct config *config = NULL;
	int rc = verb_load_config(o, &config);

	if (rc != 0)
		return rc;
	if (o->json) {
		rc = cli_print_json(config_dump_json(config));
	} else {
		if (WITH_MMAP_CONFIG)
			strbuf_addf(&text, "# files: %u, of which through a memory map: %u\n",
				    config->files.n, config->nmapped);
		config_dump_toml(config, &text);
		rc = cli_print(text.buf, text.len);
	}
	config_free(config);
	return rc;
}

/* --- features --------------------------------------------------------------------------------- */

static void add_flags(struct strbuf *out, const char *title, json_t *object)
{
	const char *key;
	json_t *value;

	strbuf_addf(out, "%s:\n", title);
	json_object_foreach(object, key, value) {
		bool has = json_is_object(value) ?
			json_is_true(json_object_get(value, "available")) : json_is_true(value);
		bool idle = json_is_object(value) && has &&
			!json_is_true(json_object_get(value, "used"));

		strbuf_addf(out, "  %-22s %s%s\n", key, has ? "yes" : "no",
			    idle ? " (not used)" : "");
	}
}

int verb_features(const struct cli_options *o)
{
	auto_free(json_decrefp) json_t *features = features_json();
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	json_t *backend = json_object_get(features, "event_backend");
	size_t i;
	json_t *name;

	if (o->json)
		return cli_print_json(json_incref(features));
	strbuf_addf(&out, "procd %s\n",
		    json_string_value(json_object_get(features, "version")));
	add_flags(&out, "build options", json_object_get(features, "options"));
	strbuf_addf(&out, "event backend: %s (supported:",
		    json_string_value(json_object_get(backend, "default")));
	json_array_foreach(json_object_get(backend, "supported"), i, name)
		strbuf_addf(&out, " %s", json_string_value(name));
	strbuf_addf(&out, ")\nallocator: %s\nclock: %s\n",
		    json_string_value(json_object_get(features, "allocator")),
		    json_string_value(json_object_get(features, "clock")));
	add_flags(&out, "kernel", json_object_get(features, "kernel"));
	return cli_print(out.buf, out.len);
}

/* --- for the build ---------------------------------------------------------------------------- */

int verb_schema(const struct cli_options *o)
{
	(void)o;
	return cli_print_json(config_schema_json());
}

int verb_sample(const struct cli_options *o)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	(void)o;
	config_sample_toml(&out);
	return cli_print(out.buf, out.len);
}

int verb_mdoc_keys(const struct cli_options *o)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	(void)o;
	config_mdoc_keys(&out);
	return cli_print(out.buf, out.len);
}

/* --- with a daemon ---------------------------------------------------------------------------- */

static const struct {
	const char *key, *sign, *what;
} changes[] = {
	{ "added", "+", "is added" },
	{ "removed", "-", "is removed" },
	{ "restarted", "~", "is restarted" },
	{ "updated", "=", "is updated without a restart" },
	{ "settings", "=", "is set anew" },
	{ "needs_procd_restart", "!", "needs a restart of procd" },
};

/* "    restart: command, umask": the keys of NAME that differ and have CLASS. */
static void add_keys(struct strbuf *out, const json_t *keys, const char *name, const char *class)
{
	bool first = true;
	size_t i;
	json_t *key;

	json_array_foreach(keys, i, key) {
		const char *of = json_string_value(json_object_get(key, "name"));

		if (of == NULL || strcmp(of, name) != 0 ||
		    strcmp(json_string_value(json_object_get(key, "class")), class) != 0)
			continue;
		strbuf_addf(out, "%s%s%s%s", first ? "    " : ", ", first ? class : "",
			    first ? ": " : "", json_string_value(json_object_get(key, "key")));
		first = false;
	}
	if (!first)
		strbuf_addch(out, '\n');
}

/* The difference for people; the same words for the plan and for what was done. */
static int print_changes(const struct cli_options *o, json_t *diff, bool keys_wanted)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	if (o->json) {
		if (!keys_wanted) {	/* scripts count on five lists */
			json_object_del(diff, "keys");
			json_object_del(diff, "settings");
		}
		return cli_print_json(json_incref(diff));
	}
	if (o->quiet)
		return EXIT_OK;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		size_t k;
		json_t *name;

		json_array_foreach(json_object_get(diff, changes[i].key), k, name) {
			const json_t *keys = json_object_get(diff, "keys");

			strbuf_addf(&out, "%s %s %s\n", changes[i].sign, json_string_value(name),
				    changes[i].what);
			add_keys(&out, keys, json_string_value(name), "restart");
			add_keys(&out, keys, json_string_value(name), "live");
		}
	}
	if (out.len == 0)
		strbuf_addstr(&out, "no changes\n");
	return cli_print(out.buf, out.len);
}

int verb_plan(const struct cli_options *o)
{
	auto_free(json_decrefp) json_t *diff = NULL;
	int rc = call_once(o, "config.plan", json_object(), CALL_PROMPT, &diff);

	return rc != 0 ? rc : print_changes(o, diff, cli_value(o, "keys") != NULL);
}

int verb_reload_config(const struct cli_options *o)
{
	auto_free(json_decrefp) json_t *diff = NULL;
	int rc = call_once(o, "config.reload",
			   json_pack("{s:b}", "allow_empty", cli_value(o, "allow-empty") != NULL),
			   CALL_PATIENT, &diff);

	return rc != 0 ? rc : print_changes(o, diff, false);
}
