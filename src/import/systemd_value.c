/* Values of unit files: specifiers, words, spans of time. */
#include "import/systemd.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"

bool unit_bool(const char *text, bool *out)
{
	static const char *const yes[] = { "1", "yes", "y", "true", "t", "on" };
	static const char *const no[] = { "0", "no", "n", "false", "f", "off" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		*out = strcasecmp(text, yes[i]) == 0;
		if (*out || strcasecmp(text, no[i]) == 0)
			return true;
	}
	return false;
}

static const struct {
	const char *name;
	double ms;
} units_of_time[] = {
	{ "", 1000 }, { "us", 0.001 }, { "usec", 0.001 }, { "ms", 1 }, { "msec", 1 }, { "s", 1000 },
	{ "sec", 1000 }, { "second", 1000 }, { "seconds", 1000 }, { "m", 60e3 }, { "min", 60e3 },
	{ "minute", 60e3 }, { "minutes", 60e3 }, { "h", 3600e3 }, { "hr", 3600e3 },
	{ "hour", 3600e3 }, { "hours", 3600e3 }, { "d", 86400e3 }, { "day", 86400e3 },
	{ "days", 86400e3 }, { "w", 604800e3 }, { "week", 604800e3 }, { "weeks", 604800e3 },
	{ "M", 2629800e3 }, { "month", 2629800e3 }, { "months", 2629800e3 },
	{ "y", 31557600e3 }, { "year", 31557600e3 }, { "years", 31557600e3 },
};

bool unit_duration(const char *text, long long *ms)
{
	double sum = 0;
	bool any = false;

	*ms = -1;
	if (strcmp(text, "infinity") == 0)
		return true;
	for (const char *p = text + strspn(text, " \t"); *p != '\0'; any = true) {
		size_t digits = strspn(p, "0123456789."), n, i = 0;
		double number;

		if (digits == 0 || digits > 18)
			return false;
		number = strtod(p, NULL);
		p += digits;
		p += strspn(p, " \t");
		n = strspn(p, "abcdefghijklmnopqrstuvwxyzM");
		while (i < ARRAY_LEN(units_of_time) && (strlen(units_of_time[i].name) != n ||
							strncmp(units_of_time[i].name, p, n) != 0))
			i++;
		if (i == ARRAY_LEN(units_of_time))
			return false;
		sum += number * units_of_time[i].ms;
		p += n + strspn(p + n, " \t");
	}
	if (!any || sum > 1e15)
		return false;
	*ms = (long long)(sum + 0.999);
	return true;
}

bool unit_size(const char *text, long long *out)
{
	size_t digits = strspn(text, "0123456789"), n = digits;
	const char *sign = "KMGTP", *at;
	double number;

	*out = -1;
	if (strcmp(text, "infinity") == 0)
		return true;
	if (text[n] == '.')
		n += 1 + strspn(text + n + 1, "0123456789");
	if (digits == 0 || n > 15 || strlen(text + n) > 1)
		return false;
	number = strtod(text, NULL);
	at = text[n] != '\0' ? strchr(sign, text[n]) : NULL;
	for (const char *p = sign; at != NULL && p <= at; p++)
		number *= 1024;
	if (number > 9e18 || (at == NULL && text[n] != '\0' && text[n] != 'B'))
		return false;
	*out = (long long)number;
	return true;
}

/* --- specifiers -------------------------------------------------------------------------------- */

static void add_file(const char *path, struct strbuf *out)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	if (file_read(path, 256, &text) == 0)
		strbuf_add(out, text.buf, strcspn(text.buf, "\n"));
}

/* "a-b\x2dc" names the path a/b-c. */
static void add_unescaped(const char *text, struct strbuf *out)
{
	for (const char *p = text; *p != '\0'; p++) {
		unsigned code;

		if (p[0] == '\\' && p[1] == 'x' && isxdigit((unsigned char)p[2]) &&
		    isxdigit((unsigned char)p[3]) && sscanf(p + 2, "%2x", &code) == 1 &&
		    code >= ' ') {
			strbuf_addch(out, (char)code);
			p += 3;
		} else {
			strbuf_addch(out, *p == '-' ? '/' : *p);
		}
	}
}

static void add_instance(const struct unit *u, bool unescape, struct strbuf *out)
{
	if (u->number)
		strbuf_addstr(out, MARKED_NUMBER);
	else if (u->instance != NULL && unescape)
		add_unescaped(u->instance, out);
	else if (u->instance != NULL)
		strbuf_addstr(out, u->instance);
}

static void add_unit_name(const struct unit *u, bool suffix, struct strbuf *out)
{
	strbuf_addstr(out, u->prefix);
	if (u->number || u->instance != NULL) {
		strbuf_addch(out, '@');
		add_instance(u, false, out);
	}
	strbuf_addstr(out, suffix ? ".service" : "");
}

static const char *last_part(const char *prefix)
{
	const char *dash = strrchr(prefix, '-');

	return dash != NULL ? dash + 1 : prefix;
}

/* Those of the machine and of the manager, taken to be the system's. */
static bool add_of_machine(char c, struct strbuf *out)
{
	struct utsname name;

	switch (c) {
	case 'H': case 'l': case 'q': case 'v': case 'a':
		if (uname(&name) < 0)
			return true;
		if (c == 'l' || c == 'q')
			name.nodename[strcspn(name.nodename, ".")] = '\0';
		strbuf_addstr(out, c == 'v' ? name.release : c == 'a' ? name.machine : name.nodename);
		return true;
	case 'm': add_file("/etc/machine-id", out); return true;
	case 'b': add_file("/proc/sys/kernel/random/boot_id", out); return true;
	case 'u': case 'g': strbuf_addstr(out, "root"); return true;
	case 'U': case 'G': strbuf_addstr(out, "0"); return true;
	case 'h': strbuf_addstr(out, "/root"); return true;
	case 's': strbuf_addstr(out, "/bin/sh"); return true;
	case 't': strbuf_addstr(out, "/run"); return true;
	case 'S': strbuf_addstr(out, "/var/lib"); return true;
	case 'C': strbuf_addstr(out, "/var/cache"); return true;
	case 'L': strbuf_addstr(out, "/var/log"); return true;
	case 'E': strbuf_addstr(out, "/etc"); return true;
	case 'T': strbuf_addstr(out, "/tmp"); return true;
	case 'V': strbuf_addstr(out, "/var/tmp"); return true;
	default: return false;
	}
}

static bool add_specifier(const struct unit *u, char c, struct strbuf *out)
{
	switch (c) {
	case '%': strbuf_addch(out, '%'); return true;
	case 'n': add_unit_name(u, true, out); return true;
	case 'N': add_unit_name(u, false, out); return true;
	case 'p': strbuf_addstr(out, u->prefix); return true;
	case 'P': add_unescaped(u->prefix, out); return true;
	case 'i': add_instance(u, false, out); return true;
	case 'I': add_instance(u, true, out); return true;
	case 'j': strbuf_addstr(out, last_part(u->prefix)); return true;
	case 'J': add_unescaped(last_part(u->prefix), out); return true;
	case 'f':
		strbuf_addch(out, '/');
		if (u->instance != NULL || u->number)
			add_instance(u, true, out);
		else
			add_unescaped(u->prefix, out);
		return true;
	default: return add_of_machine(c, out);
	}
}

/* What is none stays as it is: "50%", "date +%e". */
static bool is_specifier(char c)
{
	return strchr("%nNpPiIjJfHlqvambugUGhstSCLETV" "ABcdDMorRwWyY", c) != NULL;
}

int unit_expand(struct unit *u, const struct directive *d, const char *text, struct strbuf *out)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p != '%' || p[1] == '\0' || !is_specifier(p[1])) {
			strbuf_addch(out, *p);
			continue;
		}
		if (!add_specifier(u, p[1], out))
			return import_fail(u->im, d->file, d->line, "%s=: \"%.2s\" is no specifier that can "
					   "be replaced", d->key, p);
		p++;
	}
	return 0;
}

/* --- words ------------------------------------------------------------------------------------- */

/* At a backslash; returns what is behind the escape, NULL: it is none. */
static const char *add_escape(const char *p, struct strbuf *out)
{
	static const char from[] = "abfnrtvs\\\"'", to[] = "\a\b\f\n\r\t\v \\\"'";
	const char *at = p[1] != '\0' ? strchr(from, p[1]) : NULL;
	unsigned code = 0;
	int base = p[1] == 'x' ? 16 : 8, digits = p[1] == 'x' ? 2 : 3;
	const char *q = p + (base == 16 ? 2 : 1);

	if (at != NULL) {
		strbuf_addch(out, to[at - from]);
		return p + 2;
	}
	for (int i = 0; i < digits; i++, q++) {
		int v = *q >= '0' && *q <= '9' ? *q - '0' : *q >= 'a' && *q <= 'f' ? *q - 'a' + 10 :
			*q >= 'A' && *q <= 'F' ? *q - 'A' + 10 : 99;

		if (v >= base)
			return NULL;
		code = code * (unsigned)base + (unsigned)v;
	}
	if (code < ' ' || code >= 0x7f)	/* nothing that would need to be looked at again */
		return NULL;
	strbuf_addch(out, (char)code);
	return q;
}

int unit_words(struct unit *u, const struct directive *d, const char *text, struct strlist *out,
	       const char **rest)
{
	auto_free(strbuf_fini) struct strbuf word = STRBUF_INIT;
	const char *p = text;

	if (rest != NULL)
		*rest = "";
	for (;;) {
		char quote = '\0';

		p += strspn(p, " \t\n");
		if (*p == '\0')
			return 0;
		if (rest != NULL && *p == ';' && (p[1] == '\0' || strchr(" \t\n", p[1]) != NULL)) {
			*rest = p + 1;
			return 0;
		}
		strbuf_reset(&word);
		if (p[0] == '\\' && p[1] == ';' && (p[2] == '\0' || p[2] == ' '))
			p++;
		while (*p != '\0' && (quote != '\0' || strchr(" \t\n", *p) == NULL)) {
			if (*p == '\\') {
				const char *next = add_escape(p, &word);

				if (next == NULL)
					return import_fail(u->im, d->file, d->line, "%s=: \"%.4s\" is no "
							   "escape", d->key, p);
				p = next;
			} else if (quote != '\0' ? *p == quote : *p == '"' || *p == '\'') {
				quote = quote != '\0' ? '\0' : *p;
				p++;
			} else {
				strbuf_addch(&word, *p++);
			}
		}
		if (quote != '\0')
			return import_fail(u->im, d->file, d->line, "%s=: a quote is not closed", d->key);
		strlist_add(out, word.buf);
	}
}
