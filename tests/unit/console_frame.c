/* Pictures of the live table in many sizes: nothing leaves its row, and what matters most stays. */
#include "console/frame.h"

#include "base/text.h"
#include "unit.h"

static struct rows rows;
static struct frame frame = FRAME_INIT;

static void add(const char *name, const char *state, int64_t pid, const char *note)
{
	struct row *row = rows_get(&rows, name);

	row_set_state(row, state, TINT_GREEN);
	row_set_note(row, note, strlen(note), TINT_RED);
	row->pid = pid;
	row->uptime_ms = pid < 0 ? -1 : 61000;
	row->restarts = 3;
	row->cpu_percent = pid < 0 ? -1 : 12.34;
	row->rss_bytes = pid < 0 ? -1 : 5 << 20;
	row->threads = pid < 0 ? -1 : 4;
	row->fds = pid < 0 ? -1 : 17;
}

static void setup(void)
{
	rows = (struct rows)ROWS_INIT;
	rows_begin(&rows);
	add("web", "running", 4242, "");
	add("a-worker-with-a-long-name", "restarting", -1,
	    "exited with code 1, restart in 2.5s, \xe6\xbc\xa2\xe5\xad\x97 and much more than fits");
	rows_end(&rows);
}

static void teardown(void)
{
	rows_fini(&rows);
	frame_fini(&frame);
}

/* Row ROW of the table drawn on a screen of this size. */
static const char *drawn(unsigned columns, unsigned height, unsigned row)
{
	static struct strbuf text = STRBUF_INIT;

	frame_begin(&frame, columns, height);
	frame_table(&frame, &rows, 0, height);
	strbuf_reset(&text);
	frame_text(&frame, row, &text);
	return text.buf;
}

START_TEST(a_wide_screen_shows_every_column)
{
	ck_assert_str_eq(drawn(120, 10, 0),
			 "NAME                       STATE          PID  UPTIME RESTARTS  CPU%   RSS  "
			 "THR   FDS NOTE");
	ck_assert_str_eq(drawn(120, 10, 1),
			 "web                        running       4242   1m01s        3  12.3  5.0M    "
			 "4    17");
}
END_TEST

START_TEST(at_80_columns_figures_come_before_long_notes)
{
	rows_remove(&rows, "a-worker-with-a-long-name");
	ck_assert_str_eq(drawn(80, 24, 0),
			 "NAME     STATE          PID  UPTIME RESTARTS  CPU%   RSS NOTE");
}
END_TEST

START_TEST(a_narrow_screen_keeps_name_and_state)
{
	ck_assert_ptr_nonnull(strstr(drawn(24, 10, 1), "web"));
	ck_assert_ptr_nonnull(strstr(drawn(24, 10, 1), "running"));
	ck_assert_ptr_null(strstr(drawn(24, 10, 1), "4242"));
}
END_TEST

START_TEST(nothing_leaves_the_screen_of_any_size)
{
	for (unsigned columns = 1; columns < 140; columns++)
		for (unsigned height = 1; height < 6; height++) {
			drawn(columns, height, 0);
			for (size_t i = 0; i < frame.n; i++) {
				const struct piece *piece = &frame.pieces[i];
				const char *text = frame.text.buf + piece->at;

				ck_assert_uint_lt(piece->row, height);
				ck_assert_uint_le(piece->column + text_columns(text, piece->len),
						  columns);
				ck_assert(utf8_valid(text, piece->len));
			}
		}
}
END_TEST

START_TEST(the_chosen_row_is_reversed_over_its_whole_width)
{
	unsigned width = 0;

	drawn(80, 24, 0);
	for (size_t i = 0; i < frame.n; i++)
		if (frame.pieces[i].row == 1) {
			ck_assert(frame.pieces[i].reverse);
			width = frame.pieces[i].column + (unsigned)frame.pieces[i].len;
		}
	ck_assert_uint_eq(width, 80);
}
END_TEST

START_TEST(only_rows_that_fit_are_drawn)
{
	for (int i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		add(name, "running", i + 1, "");
	}
	rows_arrange(&rows);
	rows_move(&rows, 1000000);
	drawn(80, 24, 0);
	ck_assert_uint_lt(frame.n, 24 * 24);
	ck_assert_ptr_nonnull(strstr(drawn(80, 24, 23), "s999"));
}
END_TEST

START_TEST(escape_sequences_in_a_note_are_harmless)
{
	add("evil", "running", 1, "\x1b]0;owned\a\x1b[2J\n\t");
	rows_arrange(&rows);
	drawn(200, 24, 0);
	for (size_t i = 0; i < frame.text.len; i++)
		ck_assert_int_ge((unsigned char)frame.text.buf[i], 0x20);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_wide_screen_shows_every_column,
		at_80_columns_figures_come_before_long_notes,
		a_narrow_screen_keeps_name_and_state,
		nothing_leaves_the_screen_of_any_size,
		the_chosen_row_is_reversed_over_its_whole_width,
		only_rows_that_fit_are_drawn,
		escape_sequences_in_a_note_are_harmless,
	};

	return unit_run_in("console: frame", setup, teardown, tests, ARRAY_LEN(tests));
}
