/* Variables come from procd's own environment and from the subsystem's name. What only looks like a
 * variable stays as it is: "$HOME" is the shell's, "%s" is date's. An unset variable without a
 * default is an error: an empty word in a command line is worse than a refused file. */
#include "config/expand.h"

#include <errno.h>

static const char *lookup(const struct vars *vars, const char *name, size_t len)
{
	for (char *const *e = vars->environment; e != NULL && *e != NULL; e++)
		if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
			return *e + len + 1;
	return NULL;
}

static size_t name_length(const char *p)
{
	size_t n = 0;

	while ((p[n] >= 'a' && p[n] <= 'z') || (p[n] >= 'A' && p[n] <= 'Z') || p[n] == '_' ||
	       (n > 0 && p[n] >= '0' && p[n] <= '9'))
		n++;
	return n;
}

/* What came from a variable is not looked into again, now or later. */
static void add_value(const struct vars *vars, const char *value, size_t n, struct strbuf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (vars->keep && (value[i] == '$' || value[i] == '%'))
			strbuf_addch(out, value[i]);
		strbuf_addch(out, value[i]);
	}
}

/* At "${". Sets *END behind the '}'. */
static int expand_variable(const struct vars *vars, const char *p, const char **end,
			   struct strbuf *out, struct strbuf *why)
{
	const char *name = p + 2, *close = strchr(name, '}'), *value;
	size_t len = name_length(name);

	if (close == NULL) {
		strbuf_addstr(why, "'${' is not closed; write $${ for the characters themselves");
		return -EINVAL;
	}
	if (len == 0 || (name[len] != '}' && strncmp(name + len, ":-", 2) != 0)) {
		strbuf_addf(why, "'%.*s' is not a variable; accepted are ${NAME} and "
			    "${NAME:-default}, and $${ for the characters themselves",
			    (int)MIN(close - p + 1, 60), p);
		return -EINVAL;
	}
	*end = close + 1;
	value = lookup(vars, name, len);
	if (name[len] == ':' && (value == NULL || *value == '\0')) {
		add_value(vars, name + len + 2, (size_t)(close - (name + len + 2)), out);
		return 0;
	}
	if (value == NULL) {
		strbuf_addf(why, "the environment variable %.*s is not set; "
			    "${%.*s:-default} would give it a default", (int)MIN(len, 80), name,
			    (int)MIN(len, 80), name);
		return -EINVAL;
	}
	add_value(vars, value, strlen(value), out);
	return 0;
}

static int expand_percent(const struct vars *vars, char c, struct strbuf *out, struct strbuf *why)
{
	if (vars->keep) {
		strbuf_addf(out, "%%%c", c);
		return 0;
	}
	if (vars->subsystem == NULL && !vars->quiet) {
		strbuf_addf(why, "%%%c stands for something only in a subsystem; write %%%%%c for "
			    "the characters themselves", c, c);
		return -EINVAL;
	}
	if (c == 'i')
		strbuf_addf(out, "%u", vars->instance);
	else
		strbuf_addstr(out, vars->subsystem != NULL ? vars->subsystem : "NAME");
	return 0;
}

int expand(const struct vars *vars, const char *text, struct strbuf *out, struct strbuf *why)
{
	const char *p = text;

	while (*p != '\0') {
		if (p[0] == '$' && p[1] == '{') {
			if (expand_variable(vars, p, &p, out, why) < 0)
				return -EINVAL;
		} else if (p[0] == '%' && (p[1] == 'n' || p[1] == 'i')) {
			if (expand_percent(vars, p[1], out, why) < 0)
				return -EINVAL;
			p += 2;
		} else {
			bool doubled = (*p == '$' || *p == '%') && p[1] == *p;

			strbuf_add(out, p, doubled && vars->keep ? 2 : 1);
			p += doubled ? 2 : 1;
		}
	}
	return 0;
}
