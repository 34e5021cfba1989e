/* config/scales: numbers of instances by order. */
#include "base/strbuf.h"
#include "config/family.h"
#include "config/scales.h"
#include "config/source.h"
#include "config_fixture.h"

#define FARM "[subsystem.web]\ncommand = \"true\"\n[subsystem.a]\ncommand = [\"run\", \"%i\"]\n"	\
	"instances = 3\n[subsystem.b]\ncommand = \"true\"\ninstances = 1\n"

static struct scales scales;

static void fresh(void)
{
	setup();
	scales = (struct scales)SCALES_INIT;
}

static void over(void)
{
	scales_fini(&scales);
	teardown();
}

/* From the bundle of the load before, as a successor would; BUNDLE is that of this one then. */
static void load_again(const struct scales *ordered)
{
	struct config_source source = {
		.bundle = bundle.buf, .bundle_len = bundle.len, .scales = ordered,
	};
	struct strbuf out = STRBUF_INIT;

	config_free(take(config));
	ck_assert_int_eq(config_load(&source, &config, &diag, &out), 0);
	strbuf_fini(&bundle);
	bundle = out;
}

START_TEST(an_order_counts_while_the_same_number_is_declared)
{
	scales_set(&scales, "a", 3, 5);
	scales_set(&scales, "b", 1, 2);
	ck_assert_uint_eq(scales_number(&scales, "a", 3), 5);
	ck_assert_uint_eq(scales_number(&scales, "a", 4), 4);
	ck_assert_uint_eq(scales_number(&scales, "c", 7), 7);
	scales_set(&scales, "a", 3, 2);
	ck_assert_uint_eq(scales_number(&scales, "a", 3), 2);
	scales_set(&scales, "a", 3, 3);
	ck_assert_uint_eq(scales.n, 1);
	ck_assert_uint_eq(scales_number(&scales, "b", 1), 2);
}
END_TEST

START_TEST(orders_are_forgotten_once_another_number_is_declared)
{
	auto_free(scales_fini) struct scales declared = SCALES_INIT;

	load_fine(FARM);
	scales_declared(config, &declared);
	scales_set(&scales, "a", 3, 5);
	scales_set(&scales, "b", 2, 5);
	scales_set(&scales, "gone", 1, 5);
	scales_prune(&scales, &declared);
	ck_assert_uint_eq(scales.n, 1);
	ck_assert_str_eq(scales.items[0].name, "a");
}
END_TEST

START_TEST(a_load_makes_as_many_as_were_ordered)
{
	struct config_source source = { .path = "t.toml", .scales = &scales };

	load_fine(FARM);
	scales_set(&scales, "a", 3, 5);
	scales_set(&scales, "b", 2, 9);		/* it declares 1 by now */
	config_free(take(config));
	ck_assert_int_eq(config_load(&source, &config, &diag, NULL), 0);
	ck_assert_uint_eq(config->nsubsystems, 7);
	ck_assert_str_eq(config_find(config, "a@4")->command.items[1], "4");
	ck_assert_uint_eq(family_find(config, "a")->declared, 3);
	ck_assert_int_eq(family_find(config, "a")->options->instances, 3);
}
END_TEST

START_TEST(a_bundle_carries_the_orders_and_new_ones_replace_them)
{
	size_t len;

	load_fine(FARM);
	scales_set(&scales, "a", 3, 5);
	load_again(&scales);
	len = bundle.len;
	load_again(NULL);
	ck_assert_uint_eq(family_find(config, "a")->n, 5);
	ck_assert_uint_eq(bundle.len, len);
	scales_set(&scales, "a", 3, 2);
	load_again(&scales);
	load_again(NULL);
	ck_assert_uint_eq(family_find(config, "a")->n, 2);
	ck_assert_uint_eq(bundle.len, len);
	scales_set(&scales, "a", 3, 3);
	load_again(&scales);
	ck_assert_uint_lt(bundle.len, len);
	load_again(NULL);
	ck_assert_uint_eq(family_find(config, "a")->n, 3);
	ck_assert_uint_eq(config->nsubsystems, 5);
}
END_TEST

START_TEST(what_a_bundle_says_wrongly_counts_for_nothing)
{
	static const char *const bad[] = { "", "3", "3 0", "3 10001", "x y", "99999999999 4" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		strbuf_reset(&bundle);
		bundle_add(&bundle, "scale:a", bad[i], strlen(bad[i]));
		scales_read(bundle.buf, bundle.len, &scales);
		ck_assert_uint_eq(scales.n, 0);
	}
}
END_TEST

START_TEST(another_declared_number_is_news_even_if_it_changes_nothing_now)
{
	struct config_diff d;
	struct config *old;

	load_fine(FARM);
	old = take(config);
	load_fine(FARM);
	config_diff(old, config, &d);
	ck_assert(d.equal);
	config_diff_fini(&d);
	config->families[0].declared = 4;
	config_diff(old, config, &d);
	ck_assert(!d.equal);
	ck_assert_uint_eq(d.added.n + d.removed.n + d.restarted.n + d.updated.n, 0);
	config_diff_fini(&d);
	config_free(old);
}
END_TEST

START_TEST(namesakes_are_shared_whatever_they_say)
{
	struct subsystem_options *a;
	struct config *old;

	load_fine(FARM);
	old = take(config);
	a = config_find(old, "a@1");
	load_fine("[subsystem.a]\ncommand = \"other\"\ninstances = 2\n"
		  "[subsystem.x]\ncommand = \"true\"\n");
	config_share_namesakes(old, config);
	ck_assert_ptr_eq(config_find(config, "a@1"), a);
	ck_assert_str_eq(config_find(config, "x")->command.items[0], "true");
	config_free(old);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		an_order_counts_while_the_same_number_is_declared,
		orders_are_forgotten_once_another_number_is_declared,
		a_load_makes_as_many_as_were_ordered,
		a_bundle_carries_the_orders_and_new_ones_replace_them,
		what_a_bundle_says_wrongly_counts_for_nothing,
		another_declared_number_is_news_even_if_it_changes_nothing_now,
		namesakes_are_shared_whatever_they_say,
	};

	return unit_run_in("config: scales", fresh, over, tests, ARRAY_LEN(tests));
}
