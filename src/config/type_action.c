/* What a signal to procd does. Six signals have rows of their own; one common row stands for all
 * the others, whose keys are their names. */
#include "config/type.h"

#include <errno.h>

#include "base/alloc.h"

/* The row without a number of its own stands for all signals that have no row. */
static bool has_row(int signo)
{
	return signo == SIGTERM || signo == SIGINT || signo == SIGQUIT || signo == SIGHUP ||
	       signo == SIGUSR1 || signo == SIGUSR2;
}

static int signal_of(const struct option *o, int key)
{
	return key >= (int)schema_n ? key - (int)schema_n : o->index;
}

static void action_store(struct config *c, int signo, enum signal_action action, const char *target)
{
	if (signo != 0) {
		free(c->signals[signo].target);
		c->signals[signo] = (struct signal_option){ action, x_strdup(target) };
		return;
	}
	for (int s = 1; s < NSIG; s++)
		if (!has_row(s))
			action_store(c, s, action, target);
}

static int action_parse(struct parse *p, const struct value *v, void *obj)
{
	auto_free(freep) char *text = parse_text(p, v);
	int action;

	if (text == NULL)
		return -EINVAL;
	if (strncmp(text, "forward:", 8) == 0) {
		if (text[8] == '\0')
			return parse_fail(p, v, "the name behind 'forward:' is missing");
		action_store(obj, signal_of(p->o, p->key), SIGNAL_FORWARD, text + 8);
		return 0;
	}
	action = parse_choice(p, v, text, p->o->choices, 0);
	if (action < 0)
		return -EINVAL;
	action_store(obj, signal_of(p->o, p->key), (enum signal_action)action, NULL);
	return 0;
}

static bool action_is_set(const struct option *o, int key, const void *obj)
{
	(void)obj;
	return signal_of(o, key) != 0;	/* the common row is shown by signal, where one was given */
}

static bool one_action_equal(const struct signal_option *a, const struct signal_option *b)
{
	return a->action == b->action &&
	       (a->action != SIGNAL_FORWARD || strcmp(a->target, b->target) == 0);
}

static bool action_equal(const struct option *o, const void *a, const void *b)
{
	const struct config *ca = a, *cb = b;

	if (o->index != 0)
		return one_action_equal(&ca->signals[o->index], &cb->signals[o->index]);
	for (int s = 1; s < NSIG; s++)
		if (!has_row(s) && !one_action_equal(&ca->signals[s], &cb->signals[s]))
			return false;
	return true;
}

static char *action_text(const struct option *o, int key, const void *obj)
{
	const struct config *c = obj;
	const struct signal_option *s = &c->signals[signal_of(o, key)];

	return s->action == SIGNAL_FORWARD ? x_asprintf("forward:%s", s->target) :
	       x_strdup(enumtext_name(o->choices, (int)s->action));
}

static void action_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	auto_free(freep) char *text = action_text(o, key, obj);

	toml_quote(text, out);
}

static json_t *action_json(const struct option *o, int key, const void *obj)
{
	auto_free(freep) char *text = action_text(o, key, obj);

	return json_text(text);
}

static void action_copy(const struct option *o, void *dst, const void *src)
{
	struct config *to = dst;
	const struct config *from = src;

	for (int s = 1; s < NSIG; s++)
		if (s == o->index || (o->index == 0 && !has_row(s)))
			to->signals[s].target = x_strdup(from->signals[s].target);
}

static void action_clear(const struct option *o, void *obj)
{
	struct config *c = obj;

	for (int s = 1; s < NSIG; s++)
		if (s == o->index || (o->index == 0 && !has_row(s))) {
			free(c->signals[s].target);
			c->signals[s].target = NULL;
		}
}

const struct option_type type_signal_action = {
	.name = "signal action", .shape = SHAPE_STRING, .parse = action_parse,
	.is_set = action_is_set, .equal = action_equal, .format = action_format,
	.json = action_json, .copy = action_copy, .clear = action_clear,
};
