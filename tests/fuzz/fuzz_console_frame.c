/* Text from children in tables, notes and pagers of any size: nothing leaves its row, and nothing that a
 * terminal obeys gets through. */
#include "console/frame.h"

#include "base/text.h"
#include "console/pager.h"
#include "fuzz.h"

static struct pager pager;

static void check_frame(const struct frame *f)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct piece *piece = &f->pieces[i];
		const char *text = f->text.buf + piece->at;

		if (piece->row >= f->rows || !utf8_valid(text, piece->len) ||
		    piece->column + text_columns(text, piece->len) > f->columns)
			abort();
		for (size_t k = 0; k < piece->len; k++)
			if ((unsigned char)text[k] < 0x20 || text[k] == 0x7f)
				abort();
	}
}

static void fill_table(const char *text, size_t n, unsigned room)
{
	static const char *const titles[] = { "NAME", ">N", "NOTE" };
	auto_free(strbuf_fini) struct strbuf cell = STRBUF_INIT, out = STRBUF_INIT;
	struct table t;

	strbuf_add(&cell, text, n);
	table_init(&t, titles, 3);
	for (int i = 0; i < 3; i++)
		table_add(&t, TINT_RED, cell.buf);
	table_fit(&t, room);
	table_format(&t, false, &out);
	for (const char *line = out.buf; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		if (text_columns(line, len) > room)
			abort();
		line += len + 1;
	}
	table_fini(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 2;
	struct rows rows = ROWS_INIT;
	struct frame frame = FRAME_INIT;
	unsigned columns, height;

	if (size < 2)
		return 0;
	columns = data[0];
	height = data[1] % 32;
	size -= 2;
	row_set_note(rows_get(&rows, "web"), text, size, TINT_RED);
	rows_arrange(&rows);
	frame_begin(&frame, columns, height);
	frame_table(&frame, &rows, 0, height);
	check_frame(&frame);

	for (size_t at = 0; at < size; at += 17)
		pager_add(&pager, TINT_NONE, text + at, MIN(size - at, (size_t)data[0]));
	pager_scroll(&pager, data[1]);
	frame_begin(&frame, columns, height);
	pager_show(&pager, &frame, 0, height);
	check_frame(&frame);
	fill_table(text, size, columns);

	pager_clear(&pager);
	frame_fini(&frame);
	rows_fini(&rows);
	return 0;
}
