/* Which socket? -s; else what -c and --name lead to; else $PROCD_SOCKET; else the default config's.
 * The configuration is read only when nothing simpler says it. A file that is broken at the moment
 * must not lock its user out of the procd that still runs with the good one: then the few keys that
 * matter are picked out of it line by line. */
#include <errno.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "command/call.h"
#include "config.h"
#include "config/config.h"
#include "control/address.h"

static char *run_dir_of(const char *name)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0)
		return x_asprintf("%s/procd/%s", PROCD_RUNSTATEDIR, name);
	if (runtime && *runtime == '/')
		return x_asprintf("%s/procd/%s", runtime, name);
	return x_asprintf("/tmp/procd-%lu/%s", (unsigned long)geteuid(), name);
}

static char *socket_of_run_dir(const char *dir)
{
	return x_asprintf("%s/control.sock", dir);
}

static char *socket_of_name(const char *name)
{
	auto_free(freep) char *dir = run_dir_of(name);

	return socket_of_run_dir(dir);
}

/* --- a file that does not load ---------------------------------------------------------------- */

struct rough {
	char *name, *run_dir, *socket;
};

static void rough_fini(struct rough *r)
{
	free(r->name);
	free(r->run_dir);
	free(r->socket);
}

/* KEY = "VALUE", 'VALUE' or VALUE on this line: a copy of VALUE; NULL: another line. */
static char *rough_value(const char *line, const char *key)
{
	size_t n = strlen(key);
	const char *end;
	char quote;

	line += strspn(line, " \t");
	if (strncmp(line, key, n) != 0)
		return NULL;
	line += n + strspn(line + n, " \t");
	if (*line++ != '=')
		return NULL;
	line += strspn(line, " \t");
	quote = *line;
	if (quote == '"' || quote == '\'') {
		end = strchr(++line, quote);
		return end ? x_strndup(line, (size_t)(end - line)) : NULL;
	}
	return x_strndup(line, strcspn(line, " \t\r#;"));
}

static void rough_take(char **where, char *value)
{
	if (!value)
		return;
	free(*where);
	*where = value;
}

static void rough_read(const char *path, struct rough *r)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	char section[32] = "";
	char *rest, *line;

	if (file_read(path, 4u * 1024 * 1024, &text) < 0)
		return;
	for (line = strtok_r(text.buf, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		line += strspn(line, " \t");
		if (*line == '[')
			snprintf(section, sizeof(section), "%.*s", (int)strcspn(line + 1, "]"),
				 line + 1);
		else if (strcmp(section, "control") == 0)
			rough_take(&r->socket, rough_value(line, "socket"));
		else if (*section == '\0' || strcmp(section, "daemon") == 0) {
			rough_take(&r->name, rough_value(line, "name"));
			rough_take(&r->run_dir, rough_value(line, "run_dir"));
		}
	}
}

static void rough_environment(struct rough *r)
{
	rough_take(&r->name, x_strdup(getenv("DAEMON_NAME")));
	rough_take(&r->run_dir, x_strdup(getenv("DAEMON_RUN_DIR")));
	rough_take(&r->socket, x_strdup(getenv("DAEMON_CONTROL_SOCKET")));
}

static char *socket_roughly(const char *path)
{
	auto_free(rough_fini) struct rough r = { 0 };

	if (path)
		rough_read(path, &r);
	rough_environment(&r);
	if (r.socket && *r.socket == '/')
		return take(r.socket);
	if (r.run_dir && *r.run_dir == '/')
		return socket_of_run_dir(r.run_dir);
	return socket_of_name(r.name && *r.name ? r.name : "procd");
}

/* --- a file ----------------------------------------------------------------------------------- */

/* Why nothing at all can be said of the file at PATH; 0: it can be read. */
static int trouble_with(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	return access(path, R_OK) < 0 ? errno : 0;
}

/* A file that was named and cannot be read must not lead to the procd without a name. */
static char *refuse_file(const struct cli_options *o, int errnum, int *exit_code)
{
	bool denied = errnum == EACCES;
	struct error e = ERROR_INIT;

	error_set(&e, denied ? ERROR_IO_PERMISSION : ERROR_CONFIG_MISSING, errnum, "%s", o->config);
	*exit_code = cli_fail(o, denied ? EXIT_PERMISSION : EXIT_NO_CONFIG, RPC_SERVER_ERROR, &e,
			      NULL);
	error_fini(&e);
	return NULL;
}

static char *socket_of_config(const struct cli_options *o, int *exit_code)
{
	auto_free(freep) char *path = config_locate(o->config);
	auto_free(strlist_fini) struct strlist sets = STRLIST_INIT;
	struct config_source source = { .path = path, .sets = &sets };
	struct config_diag diag = CONFIG_DIAG_INIT;
	struct config *config = NULL;
	char *socket = NULL;
	int rc, trouble = path ? trouble_with(path) : ENOENT;

	/* With no file at all: an instance may run with another one. */
	if (trouble == ENOENT && !o->config)
		return socket_roughly(NULL);
	if (trouble != 0 && o->config && (trouble == ENOENT || !o->name))
		return refuse_file(o, trouble, exit_code);
	if (o->name)
		strlist_take(&sets, x_asprintf("name=%s", o->name));
	rc = config_load(&source, &config, &diag, NULL);
	if (rc == 0)
		socket = x_strdup(config->control.socket);
	else if (o->name)
		socket = socket_of_name(o->name);
	else
		socket = socket_roughly(path);
	config_free(config);
	config_diag_fini(&diag);
	return socket;
}

char *socket_find(const struct cli_options *o, int *exit_code)
{
	const char *environment = getenv("PROCD_SOCKET");

	if (o->socket)
		return x_strdup(o->socket);
	if (o->config)
		return socket_of_config(o, exit_code);
	if (o->name)
		return socket_of_name(o->name);
	if (environment && *environment)
		return x_strdup(environment);
	return socket_of_config(o, exit_code);
}

/* --- for who asked the wrong one -------------------------------------------------------------- */

#define INSTANCES_NAMED 8

char *instances_running(void)
{
	auto_free(freep) char *pattern = socket_of_name("*");
	auto_free(strbuf_fini) struct strbuf names = STRBUF_INIT;
	glob_t found;
	int n = 0;

	if (glob(pattern, 0, NULL, &found) != 0)
		return NULL;
	for (size_t i = 0; i < found.gl_pathc && n < INSTANCES_NAMED; i++) {
		char *end = strrchr(found.gl_pathv[i], '/');
		int fd = socket_connect(found.gl_pathv[i], 0);

		if (fd < 0)
			continue;
		close(fd);
		*end = '\0';
		strbuf_addf(&names, "%s%s", n++ > 0 ? ", " : "",
			    strrchr(found.gl_pathv[i], '/') + 1);
	}
	globfree(&found);
	return n > 0 ? strbuf_detach(&names) : NULL;
}
