/* Procfile: a line per program, with the .env that stands beside it. The programs start in the
 * directory of the file, each with a PORT of its own, as foreman and its kin give them. */
#include "import/formats.h"

#include <errno.h>

#include "base/alloc.h"
#include "config/env_file.h"
#include "import/command_line.h"

#define PORT_DEFAULT 5000
#define PORT_STEP 100

struct procfile {
	struct import *im;
	const char *path;
	char *dir;
	char *env_file;		/* NULL: there is none */
	long port;
	bool own_port;		/* it has PORT, and would win over a variable of `environment` */
	unsigned n;
};

/* The variables themselves stay in their file, which procd reads at each start; it is only looked
 * at. */
static int read_env(struct procfile *x)
{
	auto_free(freep) char *path = import_path(x->dir, ".env");
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	auto_free(strlist_fini) struct strlist list = STRLIST_INIT;
	struct env_file_error e = { 0 };
	int r = import_read_if_there(x->im, path, &text);

	if (r != 0)
		return r < 0 ? r : 0;
	if (env_file_parse(text.buf, text.len, &list, &e) < 0)
		return import_fail(x->im, path, e.line, "%s", e.what);
	for (size_t i = 0; i < list.n; i++)
		if (strncmp(list.items[i], "PORT=", 5) == 0) {
			x->port = atoi(list.items[i] + 5);
			x->own_port = true;
		}
	x->env_file = take(path);
	return 0;
}

/* What a program finds in PORT counts up from that of the first one. */
static void set_command(struct procfile *x, struct import_service *s, const char *command)
{
	long number = x->port + (long)PORT_STEP * x->n++;
	auto_free(freep) char *port = x_asprintf("%ld", number), *with_port = NULL;

	if (!x->own_port) {
		import_variable(s, "PORT", 4, port);
	} else if (number != x->port) {
		with_port = import_is_one_command(command) ?
			x_asprintf("env PORT=%s %s", port, command) :
			x_asprintf("export PORT=%s; %s", port, command);
		command = with_port;
	}
	import_command_line(s, "command", command);
}

static int add(struct procfile *x, const char *name, const char *command, int line)
{
	struct import_service *s;

	if (*command == '\0')
		return import_fail(x->im, x->path, line, "%s has no command", name);
	s = import_find(x->im, name);
	if (s != NULL)
		return import_fail(x->im, x->path, line, "%s is there already, in line %d", name,
				   s->line);
	s = import_add(x->im, name, name, x->path, line);
	if (s == NULL)
		return -EINVAL;
	import_origin(s, "%s:", name);
	set_command(x, s, command);
	import_text_value(s, "working_dir", x->dir);
	if (x->env_file != NULL)
		import_list_add(s, "env_file", x->env_file);
	import_text_value(s, "restart", "always");
	import_remark(s, "restart", "foreman would end everything when one of them ends");
	return 0;
}

/* NAME: COMMAND. What is nothing of the kind is passed over there; here it is a mistake. */
static int take_line(struct procfile *x, char *line, int number)
{
	size_t n = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
	char *command = line + n;

	if (line[strspn(line, " \t")] == '\0' || *line == '#')
		return 0;
	if (n == 0 || *command != ':')
		return import_fail(x->im, x->path, number,
				   "expected NAME: COMMAND, found \"%.60s\"", line);
	*command++ = '\0';
	command += strspn(command, " \t");
	for (size_t len = strlen(command); len > 0 && (command[len - 1] == ' ' ||
						       command[len - 1] == '\t'); len--)
		command[len - 1] = '\0';
	return add(x, line, command, number);
}

int import_procfile(struct import *im, const char *path)
{
	struct procfile x = {
		.im = im, .path = path, .dir = import_dir_of(path), .port = PORT_DEFAULT,
	};
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	int r = import_read(im, path, &text), number = 0;

	if (r == 0)
		r = read_env(&x);
	for (char *line = text.buf; r == 0 && *line != '\0';) {
		char *lf = strchr(line, '\n');

		*lf = '\0';	/* every line has one */
		r = take_line(&x, line, ++number);
		line = lf + 1;
	}
	free(x.dir);
	free(x.env_file);
	return r;
}
