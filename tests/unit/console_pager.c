/* Lines that go on: the end is shown, reading further up is not disturbed, memory is bounded. */
#include "console/pager.h"

#include "unit.h"

static struct pager pager;
static struct frame frame = FRAME_INIT;

static void setup(void)
{
	memset(&pager, 0, sizeof(pager));
}

static void teardown(void)
{
	pager_clear(&pager);
	frame_fini(&frame);
}

static void add(const char *text)
{
	pager_add(&pager, TINT_NONE, text, strlen(text));
}

static void add_numbers(int from, int to)
{
	for (int i = from; i < to; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%d", i);
		add(text);
	}
}

/* All rows of a screen of COLUMNS x HEIGHT, '|' between them. */
static void expect(unsigned columns, unsigned height, const char *picture)
{
	auto_free(strbuf_fini) struct strbuf all = STRBUF_INIT;

	frame_begin(&frame, columns, height);
	pager_show(&pager, &frame, 0, height);
	for (unsigned row = 0; row < height; row++) {
		if (row > 0)
			strbuf_addch(&all, '|');
		frame_text(&frame, row, &all);
	}
	ck_assert_str_eq(all.buf, picture);
}

START_TEST(the_last_lines_are_shown)
{
	expect(10, 3, "||");
	add_numbers(0, 2);
	expect(10, 3, "0|1|");
	add_numbers(2, 10);
	expect(10, 3, "7|8|9");
}
END_TEST

START_TEST(a_long_line_goes_on_in_the_next_row)
{
	add("abcdefgh");
	add("x");
	expect(3, 4, "abc|def|gh|x");
	expect(3, 2, "gh|x");
	add("");
	expect(3, 3, "gh|x|");
}
END_TEST

START_TEST(a_wide_character_that_does_not_fit_ends_nothing)
{
	add("\xe6\xbc\xa2\xe5\xad\x97");
	expect(1, 2, "|");
	expect(2, 2, "\xe6\xbc\xa2|\xe5\xad\x97");
}
END_TEST

START_TEST(what_is_read_further_up_stays_while_more_comes)
{
	add_numbers(0, 10);
	pager_scroll(&pager, 4);
	expect(10, 2, "4|5");
	add_numbers(10, 20);
	expect(10, 2, "4|5");
	pager_scroll(&pager, -1000);
	expect(10, 2, "18|19");
	pager_scroll(&pager, 1000000);
	expect(10, 2, "0|1");
}
END_TEST

START_TEST(old_lines_go_when_there_are_too_many)
{
	add_numbers(0, PAGER_LINES_MAX + 5);
	ck_assert_uint_eq(pager.n, PAGER_LINES_MAX);
	pager_scroll(&pager, 1000000);
	expect(10, 1, "5");
	add_numbers(0, PAGER_LINES_MAX);
	expect(10, 1, "0");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		the_last_lines_are_shown,
		a_long_line_goes_on_in_the_next_row,
		a_wide_character_that_does_not_fit_ends_nothing,
		what_is_read_further_up_stays_while_more_comes,
		old_lines_go_when_there_are_too_many,
	};

	return unit_run_in("console: pager", setup, teardown, tests, ARRAY_LEN(tests));
}
