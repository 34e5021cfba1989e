/* core/listing: the order that people see. */
#include "core/listing.h"
#include "core_fixture.h"

static void put(uint32_t slot, const char *name)
{
	struct board_record *r = board_record_new(name, &(struct board_texts){ 0 });

	board_put(fx.board, slot, r);
}

/* The names of slots 0 to N - 1, sorted. */
static const char *sorted(uint32_t n)
{
	static char text[256];
	uint32_t slots[16];
	size_t len = 0;

	for (uint32_t i = 0; i < n; i++)
		slots[i] = i;
	listing_sort(fx.board, config_current(), slots, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct board_record *r = board_get(fx.board, slots[i]);

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? " " : "",
					r != NULL ? r->name : "-");
	}
	return text;
}

START_TEST(the_configurations_order_whatever_the_slots)
{
	fx_add("web");
	fx_add_instances("w", 11);
	fx_add("db");
	config_publish(fx_draft(), 1);
	put(0, "db");
	put(1, "w@10");
	put(2, "w@2");
	put(3, "web");
	ck_assert_str_eq(sorted(4), "web w@2 w@10 db");
}
END_TEST

START_TEST(what_leaves_comes_last_and_procds_own_behind_it)
{
	fx_add("web");
	fx_add("db");
	config_publish(fx_draft(), 1);
	put(0, "procd.http");
	put(1, "old2");
	put(2, "old1");
	put(3, "db");
	put(4, "web");
	ck_assert_str_eq(sorted(5), "web db old2 old1 procd.http");
	board_put(fx.board, 3, NULL);
	ck_assert_str_eq(sorted(5), "web old2 old1 - procd.http");
}
END_TEST

FX_MAIN("core: listing", the_configurations_order_whatever_the_slots,
	what_leaves_comes_last_and_procds_own_behind_it)
