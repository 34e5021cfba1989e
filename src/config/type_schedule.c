/* A line of cron: kept as it was written, and as what it says. The zone is found later (resolve),
 * it needs the disk. */
#include <errno.h>

#include "base/alloc.h"
#include "config/type.h"

/* Point at the character itself where that is easy to tell: text in quotes, as it stands there. */
static void point_at(struct parse *p, const struct value *v, const char *text, size_t at)
{
	if (p->untyped || v->variables || strpbrk(text, "\\\"\t") != NULL)
		return;
	p->column += v->kind == VALUE_STRING;
	for (size_t i = 0; i < at; i++)
		p->column += ((unsigned char)text[i] & 0xc0) != 0x80;
}

static struct cron *cron_copy(const struct cron *cron)
{
	struct cron *copy = cron != NULL ? x_malloc(sizeof(*copy)) : NULL;

	if (copy != NULL)
		*copy = *cron;
	return copy;
}

static int schedule_parse(struct parse *p, const struct value *v, void *obj)
{
	struct subsystem_policy *policy = policy_write(obj);
	auto_free(freep) char *text = parse_string(p, v);
	struct cron_error error = { 0 };
	struct cron cron;

	if (text == NULL)
		return -EINVAL;
	if (!cron_parse(text, &cron, &error)) {
		parse_fail(p, v, "%s", error.message);
		point_at(p, v, text, error.at);
		return -EINVAL;
	}
	free(policy->schedule);
	free(policy->cron);
	policy->schedule = take(text);
	policy->cron = cron_copy(&cron);
	return 0;
}

static bool schedule_is_set(const struct option *o, int key, const void *obj)
{
	(void)o, (void)key;
	return ((const struct subsystem_options *)obj)->policy->schedule != NULL;
}

static bool schedule_equal(const struct option *o, const void *a, const void *b)
{
	const char *sa = ((const struct subsystem_options *)a)->policy->schedule;
	const char *sb = ((const struct subsystem_options *)b)->policy->schedule;

	(void)o;
	return sa == NULL || sb == NULL ? sa == sb : strcmp(sa, sb) == 0;
}

static void schedule_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	(void)o, (void)key;
	toml_quote(((const struct subsystem_options *)obj)->policy->schedule, out);
}

static json_t *schedule_json(const struct option *o, int key, const void *obj)
{
	(void)o, (void)key;
	return json_text(((const struct subsystem_options *)obj)->policy->schedule);
}

static void schedule_copy(const struct option *o, void *dst, const void *src)
{
	const struct subsystem_policy *from = ((const struct subsystem_options *)src)->policy;
	struct subsystem_policy *to = policy_write(dst);

	(void)o;
	to->schedule = x_strdup(from->schedule);
	to->cron = cron_copy(from->cron);
}

static void schedule_clear(const struct option *o, void *obj)
{
	struct subsystem_policy *policy = policy_write(obj);

	(void)o;
	free(take(policy->schedule));
	free(take(policy->cron));
}

const struct option_type type_schedule = {
	.name = "line of cron", .shape = SHAPE_STRING, .parse = schedule_parse,
	.is_set = schedule_is_set, .equal = schedule_equal, .format = schedule_format,
	.json = schedule_json, .copy = schedule_copy, .clear = schedule_clear,
};
