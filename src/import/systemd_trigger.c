/* What starts a unit besides itself: a timer and sockets that lie beside it. They become schedule
 * or every, and listen with socket_activation. */
#include "import/systemd.h"

#include <errno.h>

#include "base/alloc.h"
#include "config/listen.h"
#include "import/formats.h"
#include "import/systemd_calendar.h"

static void note(const struct unit *x, const struct directive *d, const char *why)
{
	auto_free(freep) char *base = import_base_of(d->file);
	auto_free(freep) char *what = x_asprintf("%s=%s of %s", d->key, d->value, base);

	import_note(x->s, 0, what, "%s", why);
}

/* Does X, which says so with KEY or by its name, start U? */
static bool starts(const struct unit *x, const char *key, const struct unit *u)
{
	const char *section = strcmp(key, "Unit") == 0 ? "Timer" : "Socket";
	const struct directive *d = unit_find(x, section, key);

	return d == NULL || strcmp(d->value, u->name) == 0;
}

/* --- timers ------------------------------------------------------------------------------------ */

static bool is_one_of(const char *key, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static int take_calendar(struct unit *t, const struct directive *d)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT, line = STRBUF_INIT;
	const char *why;

	if (import_has(t->s, "schedule")) {
		note(t, d, "there is one schedule");
		return 0;
	}
	if (unit_expand(t, d, d->value, &text) < 0)
		return -EINVAL;
	why = calendar_cron(text.buf, &line);
	if (why != NULL) {
		note(t, d, why);
		return 0;
	}
	import_text_value(t->s, "schedule", line.buf);
	import_remark(t->s, "schedule", "OnCalendar=%s", d->value);
	return 0;
}

static int take_span(struct unit *t, const struct directive *d, const char *key)
{
	long long ms;

	if (!unit_duration(d->value, &ms) || ms < 0)
		return import_fail(t->im, d->file, d->line, "%s=: \"%.60s\" is not a span of time",
				   d->key, d->value);
	if (ms > 0)
		import_ms(t->s, key, ms);
	return 0;
}

static int take_calendars(struct unit *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct directive *d = &t->lines[i];

		if (strcmp(d->key, "OnCalendar") == 0 && *d->value != '\0' &&
		    take_calendar(t, d) < 0)
			return -EINVAL;
	}
	return 0;
}

static int take_timer_line(struct unit *t, const struct directive *d)
{
	static const char *const spans[] = { "OnUnitActiveSec", "OnUnitInactiveSec" };
	static const char *const first[] = { "OnBootSec", "OnStartupSec", "OnActiveSec" };
	static const char *const silent[] = { "OnCalendar", "Unit", "AccuracySec" };
	bool on = true;

	if (is_one_of(d->key, spans, ARRAY_LEN(spans)) && !import_has(t->s, "schedule")) {
		if (take_span(t, d, "every") < 0)
			return -EINVAL;
		import_remark(t->s, "every", "%s=%s; the first run is at once", d->key, d->value);
	} else if (is_one_of(d->key, first, ARRAY_LEN(first))) {
		note(t, d, import_has(t->s, "schedule") ? "there is one schedule" :
		     "the first run is at once");
	} else if (strcmp(d->key, "RandomizedDelaySec") == 0) {
		return take_span(t, d, "random_delay");
	} else if (strcmp(d->key, "Persistent") == 0) {
		if (!unit_bool(d->value, &on) || on)
			note(t, d,
			     "a run that was missed while procd did not run is not made up for");
	} else if (!is_one_of(d->key, silent, ARRAY_LEN(silent))) {
		note(t, d, "procd has nothing like it");
	}
	return 0;
}

static int take_timer(struct unit *u, struct unit *t)
{
	bool repeats;

	import_alias(u->im, t->name, u->s);
	if (take_calendars(t) < 0)
		return -EINVAL;
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->lines[i].section, "Timer") == 0 && *t->lines[i].value != '\0' &&
		    take_timer_line(t, &t->lines[i]) < 0)
			return -EINVAL;
	repeats = import_has(u->s, "schedule") || import_has(u->s, "every");
	if (!repeats && unit_find(t, "Timer", "OnCalendar") != NULL)
		import_hold_back(u->s, "nothing was left of the times at which it ran");
	return 0;
}

int unit_timer(struct unit *u)
{
	auto_free(freep) char *name = unit_sibling(u, ".timer");
	struct unit t;
	int r = name == NULL ? 1 : unit_read(&t, u, name);

	if (r == 0 && starts(&t, "Unit", u))
		r = take_timer(u, &t);
	if (name != NULL)
		unit_fini(&t);
	return r < 0 ? r : 0;
}

/* --- sockets ----------------------------------------------------------------------------------- */

/* "80", "127.0.0.1:80", "[::1]:80", "/run/x", "@x" in procd's words; NULL: it has none for it. */
static char *address_of(const char *text, bool stream)
{
	const char *kind = stream ? "tcp" : "udp";

	if (text[strspn(text, "0123456789")] == '\0')
		return x_asprintf("%s:[::]:%s", kind, text);
	if (*text == '/' || *text == '@')
		return stream ? x_asprintf("unix:%s", text) : NULL;
	return x_asprintf("%s:%s", kind, text);
}

static int take_address(struct unit *x, const struct directive *d)
{
	const struct directive *called = unit_find(x, "Socket", "FileDescriptorName");
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT, why = STRBUF_INIT;
	auto_free(freep) char *address = NULL, *item = NULL;

	if (unit_expand(x, d, d->value, &text) < 0)
		return -EINVAL;
	address = address_of(text.buf, strcmp(d->key, "ListenStream") == 0);
	if (address == NULL || (strchr(address, MARK_PERCENT) == NULL &&
				listen_parse(address, NULL, &why) < 0)) {
		note(x, d, "listen has no such sockets");
		return 0;
	}
	item = x_asprintf("%s=%s", called != NULL ? called->value : x->name, address);
	import_list_add(x->s, "listen", item);
	return 0;
}

static int take_socket_line(struct unit *x, const struct directive *d)
{
	static const char *const silent[] = { "FileDescriptorName", "Service", "Accept" };

	if (strcmp(d->key, "ListenStream") == 0 || strcmp(d->key, "ListenDatagram") == 0)
		return take_address(x, d);
	if (strncmp(d->key, "SocketMode", 6) == 0)
		note(x, d,
		     "a socket's file is its user's and group's, with the mode that umask leaves");
	else if (!is_one_of(d->key, silent, ARRAY_LEN(silent)))
		note(x, d, "procd has nothing like it");
	return 0;
}

static int take_socket(struct unit *u, struct unit *x)
{
	import_alias(u->im, x->name, u->s);
	for (size_t i = 0; i < x->n; i++)
		if (strcmp(x->lines[i].section, "Socket") == 0 && *x->lines[i].value != '\0' &&
		    take_socket_line(x, &x->lines[i]) < 0)
			return -EINVAL;
	if (import_has(u->s, "listen") && unit_find(u, "Install", "WantedBy") == NULL &&
	    unit_find(u, "Install", "RequiredBy") == NULL)
		import_bool(u->s, "socket_activation", true);
	return 0;
}

static int read_socket(struct unit *u, const char *name)
{
	const struct directive *accept;
	struct unit x;
	bool each = false;
	int r = unit_read(&x, u, name);

	accept = unit_find(&x, "Socket", "Accept");
	if (accept != NULL)
		unit_bool(accept->value, &each);
	if (r == 0 && !each && starts(&x, "Service", u))
		r = take_socket(u, &x);
	unit_fini(&x);
	return r;
}

/* The one of its own name, and those that it names itself. */
int unit_sockets(struct unit *u)
{
	auto_free(strlist_fini) struct strlist names = STRLIST_INIT;
	char *own = unit_sibling(u, ".socket");

	if (own != NULL)
		strlist_take(&names, own);
	for (size_t i = 0; i < u->n; i++) {
		const struct directive *d = &u->lines[i];
		auto_free(freep) char *copy = x_strdup(d->value);
		char *rest = NULL;

		if (strcmp(d->key, "Sockets") != 0 && strcmp(d->key, "Requires") != 0 &&
		    strcmp(d->key, "Wants") != 0 && strcmp(d->key, "Also") != 0)
			continue;
		for (char *w = strtok_r(copy, " \t", &rest); w != NULL;
		     w = strtok_r(NULL, " \t", &rest))
			if (strlen(w) > 7 && strcmp(w + strlen(w) - 7, ".socket") == 0 &&
			    !strlist_has(&names, w) && unit_is_beside(u, w))
				strlist_add(&names, w);
	}
	for (size_t i = 0; i < names.n; i++)
		if (read_socket(u, names.items[i]) < 0)
			return -EINVAL;
	return 0;
}
