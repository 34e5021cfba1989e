/* Curses when it can be had: it knows every terminal and sends only what has changed. */
#include "console/screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "console/driver.h"

struct screen {
	const struct driver *driver;
	void *state;
	unsigned columns, rows;
	bool all;
};

static const struct driver *const drivers[] = { &curses_driver, &plain_driver };

static void ask_size(struct screen *s)
{
	struct winsize size;

	s->columns = 80;
	s->rows = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
		s->columns = size.ws_col;
		s->rows = size.ws_row;
	}
}

struct screen *screen_start(bool colour, const char **why)
{
	const char *term = getenv("TERM");
	struct screen *s;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !term || strcmp(term, "dumb") == 0) {
		*why = "standard input and output must be a terminal that can move its cursor";
		return NULL;
	}
	s = x_calloc(1, sizeof(*s));
	ask_size(s);
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
		s->driver = drivers[i];
		s->state = drivers[i]->start(colour, why);
		if (s->state)
			return s;
	}
	free(s);
	return NULL;
}

void screen_stop(struct screen *s)
{
	if (!s)
		return;
	s->driver->stop(s->state);
	free(s);
}

void screen_resize(struct screen *s)
{
	ask_size(s);
	s->driver->resize(s->state, s->columns, s->rows);
	s->all = true;
}

unsigned screen_columns(const struct screen *s)
{
	return s->columns;
}

unsigned screen_rows(const struct screen *s)
{
	return s->rows;
}

void screen_forget(struct screen *s)
{
	s->all = true;
}

void screen_draw(struct screen *s, const struct frame *f)
{
	s->driver->draw(s->state, f, s->all);
	s->all = false;
}

int screen_key(struct screen *s)
{
	return s->driver->key(s->state);
}
