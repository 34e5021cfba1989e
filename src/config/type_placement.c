/* Types for where and when a program runs: kept as text in its one canonical form. */
#include "config/type.h"

#include <errno.h>

#include "base/alloc.h"
#include "config/placement.h"

static void replace(const struct option *o, void *obj, char *text)
{
	char **field = FIELD(char *, o, obj);

	free(*field);
	*field = text;
}

/* --- cpu_affinity --------------------------------------------------------------------------------- */

static int add_cpus(struct parse *p, const struct value *v, uint64_t *mask)
{
	auto_free(freep) char *text = parse_text(p, v);
	int ret;

	if (text == NULL)
		return -EINVAL;
	ret = cpu_list_parse(text, mask);
	if (ret == -ERANGE)
		return parse_fail(p, v, "processors have numbers from 0 to %d", CPU_LIST_MAX - 1);
	if (ret < 0)
		return parse_fail(p, v, "expected processors such as \"0-1,3\" or [0, 1, 3]");
	return 0;
}

static int cpus_parse(struct parse *p, const struct value *v, void *obj)
{
	auto_free(freep) uint64_t *mask = x_calloc(CPU_LIST_WORDS, sizeof(*mask));
	struct strbuf text = STRBUF_INIT;

	if (v->kind == VALUE_TABLE || (v->kind == VALUE_ARRAY && v->n == 0))
		return parse_fail(p, v, "expected processors such as \"0-1,3\" or [0, 1, 3]");
	if (v->kind != VALUE_ARRAY && add_cpus(p, v, mask) < 0)
		return -EINVAL;
	for (size_t i = 0; v->kind == VALUE_ARRAY && i < v->n; i++)
		if (add_cpus(p, &v->items[i], mask) < 0)
			return -EINVAL;
	cpu_list_format(mask, &text);
	replace(p->o, obj, strbuf_detach(&text));
	return 0;
}

const struct option_type type_cpus = {
	.name = "processors", .shape = SHAPE_CPUS, STRING_VERBS_BUT_SHAPE, .parse = cpus_parse,
};

/* --- policies ------------------------------------------------------------------------------------- */

static int policy_parse(struct parse *p, const struct value *v, void *obj,
			bool (*known)(const char *text, int *a), const char *expected)
{
	auto_free(freep) char *text = parse_string(p, v);
	int ignored;

	if (text == NULL)
		return -EINVAL;
	if (!known(text, &ignored))
		return parse_fail(p, v, "unknown '%.60s'; accepted: %s", text, expected);
	replace(p->o, obj, take(text));
	return 0;
}

static bool sched_known(const char *text, int *priority)
{
	int policy;

	return sched_policy_parse(text, &policy, priority);
}

static int sched_parse(struct parse *p, const struct value *v, void *obj)
{
	return policy_parse(p, v, obj, sched_known,
			    "other, batch, idle, fifo:N, rr:N with N from 1 to 99");
}

const struct option_type type_sched = {
	.name = "scheduling policy", STRING_VERBS, .parse = sched_parse,
};

static int io_parse(struct parse *p, const struct value *v, void *obj)
{
	return policy_parse(p, v, obj, io_class_parse,
			    "idle, best-effort:N, realtime:N with N from 0 to 7");
}

const struct option_type type_io_class = {
	.name = "io class", STRING_VERBS, .parse = io_parse,
};
