/* Values of supervisord.conf: %(...)s, lists of variables, truth. */
#include "import/supervisord.h"

#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"

#define EXPANDED_MAX ((size_t)1 << 20)	/* bytes of one value */

bool sup_bool(const char *text, bool *out)
{
	static const char *const yes[] = { "true", "yes", "on", "t", "y", "1" };
	static const char *const no[] = { "false", "no", "off", "f", "n", "0", "none" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (strcasecmp(text, yes[i]) == 0)
			return *out = true;
	*out = false;
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (strcasecmp(text, no[i]) == 0)
			return true;
	return false;
}

/* --- %(NAME)FORMAT ------------------------------------------------------------------------------ */

static void add_variable(struct supervisord *x, const struct sup_vars *vars, const char *name,
			 struct strbuf *out)
{
	const char *value = getenv(name);
	size_t n = strlen(name);

	for (size_t i = 0; i < x->environment.n; i++)
		if (strncmp(x->environment.items[i], name, n) == 0 &&
		    x->environment.items[i][n] == '=') {
			strbuf_addstr(out, x->environment.items[i] + n + 1);
			return;
		}
	if (vars->now)
		strbuf_addstr(out, value != NULL ? value : "");
	else
		strbuf_addf(out, "%c{%s:-}", MARK_DOLLAR, name);
}

/* The number with the width of FORMAT ("d", "s", "02d"). */
static bool add_number(const struct sup_vars *vars, const char *format, size_t n,
		       struct strbuf *out)
{
	int width = n > 1 ? atoi(format) : 0;

	if (vars->varying && n == 1) {
		strbuf_addstr(out, MARKED_NUMBER);
		return true;
	}
	if (vars->number < 0 || width > 20 || width < 0)
		return false;
	strbuf_addf(out, n > 1 && *format == '0' ? "%0*ld" : "%*ld", width, vars->number);
	return true;
}

static const char *host_name(char *buf, size_t size)
{
	if (gethostname(buf, size) < 0)
		return "localhost";
	buf[size - 1] = '\0';
	return buf;
}

static bool is_identifier(const char *s)
{
	return *s != '\0' && !(*s >= '0' && *s <= '9') &&
	       s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static bool add_named(struct supervisord *x, const struct sup_vars *vars, const char *name,
		      const char *format, size_t n, struct strbuf *out)
{
	char host[256];

	if (strcmp(name, "process_num") == 0)
		return add_number(vars, format, n, out);
	if (n != 1 || *format != 's')
		return false;
	if (strncmp(name, "ENV_", 4) == 0 && is_identifier(name + 4))
		add_variable(x, vars, name + 4, out);
	else if (strcmp(name, "here") == 0)
		strbuf_addstr(out, x->here);
	else if (strcmp(name, "host_node_name") == 0)
		strbuf_addstr(out, host_name(host, sizeof(host)));
	else if (strcmp(name, "program_name") == 0 && vars->program != NULL)
		strbuf_addstr(out, vars->program);
	else if (strcmp(name, "group_name") == 0 && vars->group != NULL)
		strbuf_addstr(out, vars->group);
	else
		return false;
	return true;
}

int sup_expand(struct supervisord *x, const struct sup_vars *vars, const char *file, int line,
	       const char *value, struct strbuf *out)
{
	for (const char *p = value; *p != '\0';) {
		const char *close = p[0] == '%' && p[1] == '(' ? strchr(p, ')') : NULL;
		auto_free(freep) char *name = NULL;
		size_t n;

		if (out->len > EXPANDED_MAX)
			return import_fail(x->im, file, line, "the value becomes too long");
		if (*p != '%' || p[1] == '%') {
			strbuf_addch(out, *p);
			p += *p == '%' ? 2 : 1;
			continue;
		}
		if (close == NULL)
			return import_fail(x->im, file, line, "\"%.20s\": a single %% has to be written "
					   "%%%%", p);
		name = x_strndup(p + 2, (size_t)(close - p - 2));
		n = strspn(close + 1, "0123456789") + 1;
		if (close[n] != 's' && close[n] != 'd')
			return import_fail(x->im, file, line, "\"%.*s\" does not end in s or d",
					   (int)MIN(close - p + 1, 60), p);
		if (!add_named(x, vars, name, close + 1, n, out))
			return import_fail(x->im, file, line, "%%(%.60s) stands for nothing here", name);
		p = close + 1 + n;
	}
	return 0;
}

/* --- lists of variables ------------------------------------------------------------------------- */

static void put(struct import_service *s, struct strlist *list, const char *name, size_t n,
		const char *value)
{
	if (s != NULL)
		import_variable(s, name, n, value);
	else
		strlist_take(list, x_asprintf("%.*s=%s", (int)n, name, value));
}

int sup_environment(struct supervisord *x, const char *file, int line, const char *text,
		    struct import_service *s, struct strlist *list)
{
	static const char blanks[] = " \t\n,";

	for (const char *p = text + strspn(text, blanks); *p != '\0'; p += strspn(p, blanks)) {
		size_t n = strcspn(p, "= \t\n,\"'"), len;
		const char *value = p + n + strspn(p + n, " \t\n");
		auto_free(freep) char *copy = NULL;
		const char *end;

		if (n == 0 || *value != '=')
			return import_fail(x->im, file, line, "environment: expected NAME=\"value\", found "
					   "\"%.40s\"", p);
		value += 1 + strspn(value + 1, " \t\n");
		if (*value == '"' || *value == '\'') {
			end = strchr(value + 1, *value);
			if (end == NULL)
				return import_fail(x->im, file, line, "environment: the quote of \"%.40s\" is "
						   "not closed", p);
			copy = x_strndup(value + 1, (size_t)(end - value - 1));
			end++;
		} else {
			len = strcspn(value, ",\n");
			end = value + len;
			while (len > 0 && strchr(blanks, value[len - 1]) != NULL)
				len--;
			copy = x_strndup(value, len);
		}
		put(s, list, p, n, copy);
		p = end;
	}
	return 0;
}
