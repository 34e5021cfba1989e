/* Curses when it can be had: it knows every terminal and sends only what has changed. */
#include "console/screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "console/driver.h"

struct screen {
	const struct driver *driver;
	unsigned columns, rows;
	bool all;
};

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
	s->driver = &curses_driver;
	if (!curses_driver.start(colour))
		return s;
	s->driver = &plain_driver;
	*why = plain_driver.start(colour);
	if (!*why)
		return s;
	free(s);
	return NULL;
}

void screen_stop(struct screen *s)
{
	if (!s)
		return;
	s->driver->stop();
	free(s);
}

void screen_resize(struct screen *s)
{
	ask_size(s);
	s->driver->resize(s->columns, s->rows);
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
	s->driver->draw(f, s->all);
	s->all = false;
}

int screen_key(struct screen *s)
{
	return s->driver->key();
}
