/* The file for dh_view.html: what the books say, as JSON whose numbers lead where they should; and
 * books of a hostile process are refused, or harmless. */
#include "profile/heap_dhat.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "unit.h"

#define NOBODY INT_MAX		/* no process: addresses keep their numbers */

/* Place 0 stands for all that found no room of its own. */
static const uint64_t frames[] = { 0x1001, 0x2001, 0x3001 };
static struct heap_site sites[3];
static struct heap_block blocks[4];

static struct heap_view view(void)
{
	memset(sites, 0, sizeof(sites));
	memset(blocks, 0, sizeof(blocks));
	sites[1] = (struct heap_site){
		.total_bytes = 150, .total_blocks = 2, .lifetimes_us = 40, .bytes = 50, .blocks = 1,
		.max_bytes = 150, .max_blocks = 2, .peak_bytes = 120, .peak_blocks = 2, .epoch = 3,
		.frames = 0, .nframes = 2,
	};
	sites[2] = (struct heap_site){
		.total_bytes = 7, .total_blocks = 1, .bytes = 7, .blocks = 1, .max_bytes = 7,
		.max_blocks = 1, .peak_bytes = 1, .peak_blocks = 1, .epoch = 2,
		.frames = 1, .nframes = 2,
	};
	blocks[1] = (struct heap_block){ .address = 16, .size = 50, .born_us = 1100, .site = 1 };
	blocks[3] = (struct heap_block){ .address = 32, .size = 7, .born_us = 1900, .site = 2 };
	return (struct heap_view){
		.state = { .nsites = 3, .nframes = 3, .room = 4, .nblocks = 2, .pid = 4711,
			   .started_us = 1000, .peak_us = 1500, .epoch = 3 },
		.sites = sites, .frames = frames, .blocks = blocks, .now_us = 2000, .pid = NOBODY,
	};
}

static int to_text(void *ctx, const char *text, size_t n)
{
	strbuf_add(ctx, text, n);
	return 0;
}

static json_t *written(const struct heap_view *v)
{
	struct strbuf text = STRBUF_INIT;
	json_error_t e;
	json_t *j;

	ck_assert(heap_view_check(v));
	ck_assert_int_eq(heap_dhat_write(v, to_text, &text), 0);
	j = json_loadb(text.buf, text.len, 0, &e);
	ck_assert_msg(j != NULL, "%s: %s", e.text, text.buf);
	strbuf_fini(&text);
	return j;
}

static long long number(const json_t *j, const char *key)
{
	ck_assert_msg(json_is_integer(json_object_get(j, key)), "no number %s", key);
	return json_integer_value(json_object_get(j, key));
}

static const char *frame(const json_t *j, const json_t *site, size_t i)
{
	json_t *fs = json_object_get(site, "fs");
	json_t *at = json_array_get(fs, i);

	ck_assert_msg(at != NULL, "no frame %zu", i);
	return json_string_value(json_array_get(json_object_get(j, "ftbl"),
						(size_t)json_integer_value(at)));
}

START_TEST(each_place_has_its_figures_and_its_stack)
{
	struct heap_view v = view();
	json_t *j = written(&v), *a = json_array_get(json_object_get(j, "pps"), 0);
	json_t *b = json_array_get(json_object_get(j, "pps"), 1);

	ck_assert_int_eq(number(j, "dhatFileVersion"), 2);
	ck_assert_int_eq(number(j, "pid"), 4711);
	ck_assert_int_eq(number(j, "tg"), 500);
	ck_assert_int_eq(number(j, "te"), 1000);
	ck_assert_uint_eq(json_array_size(json_object_get(j, "pps")), 2);
	ck_assert_int_eq(number(a, "tb"), 150);
	ck_assert_int_eq(number(a, "tbk"), 2);
	ck_assert_int_eq(number(a, "tl"), 40 + 900);	/* what lives counts as if it died now */
	ck_assert_int_eq(number(a, "mb"), 150);
	ck_assert_int_eq(number(a, "gb"), 120);
	ck_assert_int_eq(number(a, "eb"), 50);
	ck_assert_int_eq(number(b, "gb"), 7);		/* untouched since the peak */
	ck_assert_int_eq(number(b, "gbk"), 1);
	/* of the call, which is before the return address */
	ck_assert_str_eq(frame(j, a, 0), "0x1000: ???");
	ck_assert_str_eq(frame(j, a, 1), "0x2000: ???");
	ck_assert_str_eq(frame(j, b, 0), "0x2000: ???");
	ck_assert_str_eq(frame(j, b, 1), "0x3000: ???");
	ck_assert_uint_eq(json_array_size(json_object_get(j, "ftbl")), 1 + 3 + 1);
	json_decref(j);
}
END_TEST

START_TEST(what_found_no_place_is_called_other_places)
{
	struct heap_view v = view();
	json_t *j;

	sites[0].total_blocks = sites[0].total_bytes = 9;
	v.state.untracked = 5;
	j = written(&v);
	ck_assert_ptr_nonnull(strstr(frame(j, json_array_get(json_object_get(j, "pps"), 0), 0),
				     "other places"));
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(j, "cmd")), "5 blocks"));
	json_decref(j);
}
END_TEST

__attribute__((noinline)) static int called(int v)
{
	return v * 5 - 1;
}

START_TEST(the_addresses_of_this_program_have_names)
{
	struct heap_view v = view();
	const uint64_t own[] = { (uint64_t)(uintptr_t)called + 1, (uint64_t)(uintptr_t)called + 2,
				 (uint64_t)(uintptr_t)called + 1 };
	json_t *j;
	const char *text;

	ck_assert_int_eq(called(1), 4);
	v.frames = own;
	v.pid = 0;
	j = written(&v);
	text = frame(j, json_array_get(json_object_get(j, "pps"), 0), 0);
	ck_assert_msg(strstr(text, ": called (in /") != NULL, "%s", text);
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(j, "cmd")), "heap_dhat"));
	/* the same address twice is one frame */
	ck_assert_uint_eq(json_array_size(json_object_get(j, "ftbl")), 1 + 2 + 1);
	json_decref(j);
}
END_TEST

START_TEST(books_that_lead_out_of_themselves_are_refused)
{
	struct heap_view v = view();

	ck_assert(heap_view_check(&v));
	v.state.nsites = 0;
	ck_assert(!heap_view_check(&v));
	v = view();
	v.state.nsites = HEAP_SITES_MAX + 1;
	ck_assert(!heap_view_check(&v));
	v = view();
	v.state.nframes = HEAP_FRAMES_MAX + 1;
	ck_assert(!heap_view_check(&v));
	v = view();
	v.state.room = HEAP_BLOCKS_MAX + 1;
	ck_assert(!heap_view_check(&v));
	v = view();
	sites[2].frames = 2;
	ck_assert(!heap_view_check(&v));
	sites[2].frames = UINT32_MAX;
	ck_assert(!heap_view_check(&v));
	sites[2].frames = 0;
	sites[2].nframes = HEAP_DEPTH + 1;
	ck_assert(!heap_view_check(&v));
	v = view();
	blocks[3].site = 3;
	ck_assert(!heap_view_check(&v));
	blocks[3].address = 0;			/* nobody's */
	ck_assert(heap_view_check(&v));
}
END_TEST

START_TEST(strange_figures_are_written_as_they_are)
{
	struct strbuf text = STRBUF_INIT;
	struct heap_view v = view();

	memset(&sites[1], 0xff, offsetof(struct heap_site, hash));
	v.state.started_us = UINT64_MAX;
	v.state.peak_us = 0;
	v.now_us = 0;				/* before everything */
	v.state.nframes = 3;
	ck_assert(heap_view_check(&v));
	/* numbers beyond what a JSON parser must take: only the end matters */
	ck_assert_int_eq(heap_dhat_write(&v, to_text, &text), 0);
	ck_assert_str_eq(text.buf + text.len - 3, "]}\n");
	strbuf_fini(&text);
}
END_TEST

static int full(void *ctx, const char *text, size_t n)
{
	(void)text, (void)n;
	++*(int *)ctx;
	return -ENOSPC;
}

START_TEST(a_sink_that_fails_is_not_asked_again)
{
	struct heap_view v = view();
	int asked = 0;

	ck_assert_int_eq(heap_dhat_write(&v, full, &asked), -ENOSPC);
	ck_assert_int_eq(asked, 1);
}
END_TEST

UNIT_MAIN("profile: the heap as DHAT has it", each_place_has_its_figures_and_its_stack,
	  what_found_no_place_is_called_other_places,
	  the_addresses_of_this_program_have_names,
	  books_that_lead_out_of_themselves_are_refused,
	  strange_figures_are_written_as_they_are,
	  a_sink_that_fails_is_not_asked_again)
