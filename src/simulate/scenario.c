/* The few sentences that a scenario can be, and the list of times. */
#include "simulate/scenario.h"

#include <string.h>

#include "base/alloc.h"
#include "base/units.h"

#define FORMS "start, crash NAME, crash NAME every TIME, flap NAME, dependency NAME fails"
#define WORDS_MAX 5
#define TIME_MAX_MS (366 * 24 * 3600 * MS_PER_SEC)	/* simulated times are sums of such */

static size_t split(char *text, char **words)
{
	char *rest;
	size_t n = 0;

	for (char *w = strtok_r(text, " \t", &rest); w && n < WORDS_MAX;
	     w = strtok_r(NULL, " \t", &rest))
		words[n++] = w;
	return n;
}

static bool is(const char *word, const char *what)
{
	return word != NULL && strcmp(word, what) == 0;
}

static bool time_parse(const char *text, const char *what, int64_t *ns, struct error *e)
{
	int64_t ms;

	if (duration_parse(text, &ms) != 0 || ms > TIME_MAX_MS) {
		error_set(e, ERROR_STATE_VALUE, 0, "%s: '%s' is not a time of up to a year, such as "
			  "250ms or 10s", what, text);
		return false;
	}
	*ns = ms * NS_PER_MS;
	return true;
}

bool scenario_parse(const char *text, struct scenario *out, struct error *e)
{
	auto_free(freep) char *copy = x_strdup(text);
	char *w[WORDS_MAX] = { NULL };
	size_t n = split(copy, w);
	bool known = true;

	*out = (struct scenario){ .kind = SCENARIO_START };
	if (n == 2 && is(w[0], "crash"))
		out->kind = SCENARIO_CRASH;
	else if (n == 4 && is(w[0], "crash") && is(w[2], "every"))
		out->kind = SCENARIO_CRASH_EVERY;
	else if (n == 2 && is(w[0], "flap"))
		out->kind = SCENARIO_FLAP;
	else if (n == 3 && is(w[0], "dependency") && is(w[2], "fails"))
		out->kind = SCENARIO_FAIL;
	else
		known = n == 1 && is(w[0], "start");
	if (!known) {
		error_set(e, ERROR_STATE_VALUE, 0, "'%s' is no scenario; those are: %s", text, FORMS);
		return false;
	}
	if (out->kind == SCENARIO_CRASH_EVERY && !time_parse(w[3], "every", &out->every_ns, e))
		return false;
	out->name = n > 1 ? x_strdup(w[1]) : NULL;
	return true;
}

void scenario_fini(struct scenario *s)
{
	free(s->name);
	*s = (struct scenario){ 0 };
}

bool scenario_means(const char *name, const char *subsystem)
{
	size_t n = strlen(name);

	return strncmp(name, subsystem, n) == 0 && (subsystem[n] == '\0' || subsystem[n] == '@');
}

static bool take_parse(char *item, struct takes *out, struct error *e)
{
	char *time = strrchr(item, '=');
	struct take *t;
	int64_t ns;

	if (time != NULL)
		*time++ = '\0';
	if (!time_parse(time ? time : item, "takes", &ns, e))
		return false;
	if (time == NULL) {
		out->any_ns = ns;
		return true;
	}
	out->items = x_reallocarray(out->items, out->n + 1, sizeof(*out->items));
	t = &out->items[out->n++];
	*t = (struct take){ .name = x_strdup(item), .ns = ns };
	return true;
}

bool takes_parse(const char *text, struct takes *out, struct error *e)
{
	auto_free(freep) char *copy = x_strdup(text ? text : "");
	char *rest;

	*out = (struct takes)TAKES_INIT;
	for (char *item = strtok_r(copy, ",", &rest); item; item = strtok_r(NULL, ",", &rest))
		if (!take_parse(item, out, e))
			return false;
	return true;
}

void takes_fini(struct takes *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->items[i].name);
	free(t->items);
	*t = (struct takes)TAKES_INIT;
}

int64_t takes_of(const struct takes *t, const char *subsystem)
{
	for (size_t i = 0; i < t->n; i++)
		if (scenario_means(t->items[i].name, subsystem))
			return t->items[i].ns;
	return t->any_ns;
}
