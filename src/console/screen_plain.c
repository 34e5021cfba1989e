/* A terminal without a library: the sequences of ECMA-48 that every emulator of today obeys, on the
 * alternate screen, each picture as one write. */
#include <termios.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "console/driver.h"

#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[0m\033[?25h\033[?1049l"

struct plain {
	struct termios before;
	bool colour;
	char keys[64];		/* read and not handed out */
	size_t n;
};

static void *plain_start(bool colour, const char **why)
{
	struct plain *t = x_calloc(1, sizeof(*t));
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &t->before) < 0) {
		*why = "the terminal does not tell its modes";
		free(t);
		return NULL;
	}
	raw = t->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	raw.c_cc[VSUSP] = _POSIX_VDISABLE;	/* nobody would give the terminal back */
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	t->colour = colour;
	(void)fd_write_all(STDOUT_FILENO, ENTER, sizeof(ENTER) - 1);
	return t;
}

static void plain_stop(void *state)
{
	struct plain *t = state;

	(void)fd_write_all(STDOUT_FILENO, LEAVE, sizeof(LEAVE) - 1);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &t->before);
	free(t);
}

static void plain_resize(void *state, unsigned columns, unsigned rows)
{
	(void)state;
	(void)columns;
	(void)rows;
}

static void plain_draw(void *state, const struct frame *f, bool all)
{
	const struct plain *t = state;
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	unsigned row = 0;

	strbuf_addstr(&out, all ? "\033[2J\033[H" : "\033[H");
	for (size_t i = 0; i < f->n; i++) {
		const struct piece *piece = &f->pieces[i];

		for (; row < piece->row; row++)
			strbuf_addf(&out, "\033[K\033[%u;1H", row + 2);
		strbuf_addf(&out, "\033[%u;%uH%s", piece->row + 1, piece->column + 1,
			    piece->reverse ? "\033[7m" : "");
		tint_add(&out, t->colour || piece->tint == TINT_BOLD, piece->tint,
			 f->text.buf + piece->at, piece->len);
		strbuf_addstr(&out, "\033[0m");
	}
	strbuf_addstr(&out, "\033[K\033[J");
	(void)fd_write_all(STDOUT_FILENO, out.buf, out.len);
}

static const struct {
	const char *sequence;
	enum press press;
} sequences[] = {
	{ "\033[A", PRESS_UP }, { "\033[B", PRESS_DOWN }, { "\033OA", PRESS_UP },
	{ "\033OB", PRESS_DOWN }, { "\033[5~", PRESS_PAGE_UP }, { "\033[6~", PRESS_PAGE_DOWN },
	{ "\033[H", PRESS_HOME }, { "\033[F", PRESS_END }, { "\033[1~", PRESS_HOME },
	{ "\033[4~", PRESS_END }, { "\033OH", PRESS_HOME }, { "\033OF", PRESS_END },
};

static int hand_out(struct plain *t, size_t n, int key)
{
	memmove(t->keys, t->keys + n, t->n - n);
	t->n -= n;
	return key;
}

static int plain_key(void *state)
{
	struct plain *t = state;
	ssize_t n = read(STDIN_FILENO, t->keys + t->n, sizeof(t->keys) - t->n);

	t->n += n > 0 ? (size_t)n : 0;
	if (t->n == 0)
		return PRESS_NONE;
	for (size_t i = 0; i < ARRAY_LEN(sequences); i++) {
		size_t len = strlen(sequences[i].sequence);

		if (t->n >= len && memcmp(t->keys, sequences[i].sequence, len) == 0)
			return hand_out(t, len, sequences[i].press);
	}
	if (t->keys[0] == '\033')
		return hand_out(t, 1, PRESS_ESCAPE);
	if (t->keys[0] == '\r' || t->keys[0] == '\n')
		return hand_out(t, 1, PRESS_RETURN);
	if (t->keys[0] == '\b' || t->keys[0] == 0x7f)
		return hand_out(t, 1, PRESS_BACK);
	return hand_out(t, 1, t->keys[0] > 0 ? t->keys[0] : ' ' - 1);
}

const struct driver plain_driver = {
	plain_start, plain_stop, plain_resize, plain_draw, plain_key,
};
