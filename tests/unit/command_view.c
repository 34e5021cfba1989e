/* A status taken apart without a tree. */
#include "command/view.h"

#include "unit.h"

struct seen {
	int subsystems, others;
	bool right;
};

static void one(void *ctx, const struct view *v)
{
	struct seen *seen = ctx;

	seen->subsystems++;
	seen->right = span_is(v->name, "\"b\"") && span_is(v->ready, "true") && v->signal.n == 0;
}

static void other(void *ctx, struct span key, struct span value)
{
	struct seen *seen = ctx;

	(void)key;
	(void)value;
	seen->others++;
}

START_TEST(a_view_takes_a_status_apart)
{
	static const char text[] = "{\"name\":\"x\",\"subsystems\":[{\"name\":\"a\"},"
		"{\"name\":\"b\",\"new\":{\"deep\":[]},\"ready\":true}],\"stats\":{}}";
	struct seen seen = { 0 };

	ck_assert(view_each(text, sizeof(text) - 1, one, other, &seen));
	ck_assert_int_eq(seen.subsystems, 2);
	ck_assert_int_eq(seen.others, 2);
	ck_assert(seen.right);
	ck_assert(!view_each("[]", 2, one, other, &seen));
}
END_TEST

UNIT_MAIN("command: view", a_view_takes_a_status_apart)
