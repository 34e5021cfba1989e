/* The curses library, loaded when a screen is wanted: linked in the ordinary way, the dynamic
 * linker would map and relocate it in every keeper and supervisor, too. It is also the one part of
 * procd that needs a locale, for the width of characters; set here, in a client that ends with its
 * screen. */
#include "config.h"
#include "console/driver.h"

#if HAVE_NCURSES

#include <dlfcn.h>
#include <langinfo.h>
#include <locale.h>

#define NCURSES_NOMACROS
#define NCURSES_OPAQUE 1
#include <ncurses.h>

#include "base/alloc.h"

#define FUNCTIONS(F)								\
	F(newterm) F(endwin) F(delscreen) F(cbreak) F(noecho) F(nonl) F(keypad) F(nodelay)	\
	F(wgetch) F(werase) F(wmove) F(waddnstr) F(wattrset) F(wnoutrefresh) F(doupdate)	\
	F(curs_set) F(has_colors) F(start_color) F(use_default_colors) F(init_pair)	\
	F(resizeterm) F(clearok) F(set_escdelay) F(leaveok) F(COLOR_PAIR)

struct curses {
	void *library;
	SCREEN *screen;
	WINDOW *window;
	bool colour;
#define POINTER(f) __typeof__(f) *f;
	FUNCTIONS(POINTER)
#undef POINTER
};

/* It is never unloaded: its signal handlers and its memory stay until the program ends. */
static bool load(struct curses *c)
{
	static const char *const names[] = { "libncursesw.so.6", "libncursesw.so" };

	for (size_t i = 0; i < ARRAY_LEN(names) && !c->library; i++)
		c->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (!c->library)
		return false;
#define FIND(f)									\
	c->f = (__typeof__(f) *)(uintptr_t)dlsym(c->library, #f);			\
	if (!c->f)								\
		return false;
	FUNCTIONS(FIND)
#undef FIND
	return dlsym(c->library, "stdscr") != NULL;
}

/* Bytes beyond ASCII are told to terminals as UTF-8, whatever the locale: procd's other verbs do
 * the same. */
static void speak_utf8(void)
{
	if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		setlocale(LC_CTYPE, "C.UTF-8");
}

static const short pairs[TINT_COUNT] = {
	[TINT_RED] = 1, [TINT_GREEN] = 2, [TINT_YELLOW] = 3, [TINT_CYAN] = 4,
};

static void start_colours(struct curses *c)
{
	static const short colours[TINT_COUNT] = {
		[TINT_RED] = COLOR_RED, [TINT_GREEN] = COLOR_GREEN, [TINT_YELLOW] = COLOR_YELLOW,
		[TINT_CYAN] = COLOR_CYAN,
	};

	c->colour = c->has_colors() && c->start_color() == OK && c->use_default_colors() == OK;
	for (int i = 0; c->colour && i < TINT_COUNT; i++)
		if (pairs[i] > 0)
			c->init_pair(pairs[i], colours[i], -1);
}

static void *curses_start(bool colour, const char **why)
{
	struct curses *c = x_calloc(1, sizeof(*c));

	*why = "the curses library is not there";
	if (load(c)) {
		speak_utf8();
		c->screen = c->newterm(NULL, stdout, stdin);
		*why = "curses does not know the terminal";
	}
	if (!c->screen) {
		free(c);
		return NULL;
	}
	c->window = *(WINDOW **)dlsym(c->library, "stdscr");
	c->colour = false;
	if (colour)
		start_colours(c);
	c->cbreak();
	c->noecho();
	c->nonl();
	c->set_escdelay(50);
	c->keypad(c->window, TRUE);
	c->nodelay(c->window, TRUE);
	c->leaveok(c->window, TRUE);
	c->curs_set(0);
	return c;
}

static void curses_stop(void *state)
{
	struct curses *c = state;

	c->curs_set(1);
	c->endwin();
	c->delscreen(c->screen);
	free(c);
}

static void curses_resize(void *state, unsigned columns, unsigned rows)
{
	struct curses *c = state;

	c->resizeterm((int)rows, (int)columns);
}

static int attributes(const struct curses *c, const struct piece *piece)
{
	int attributes = piece->reverse ? (int)A_REVERSE : 0;

	if (piece->tint == TINT_BOLD)
		return attributes | (int)A_BOLD;
	if (piece->tint == TINT_DIM)
		return attributes | (int)A_DIM;
	return attributes | (c->colour ? c->COLOR_PAIR(pairs[piece->tint]) : 0);
}

static void curses_draw(void *state, const struct frame *f, bool all)
{
	struct curses *c = state;

	c->werase(c->window);
	for (size_t i = 0; i < f->n; i++) {
		const struct piece *piece = &f->pieces[i];

		c->wmove(c->window, (int)piece->row, (int)piece->column);
		c->wattrset(c->window, attributes(c, piece));
		c->waddnstr(c->window, f->text.buf + piece->at, (int)piece->len);
	}
	c->wattrset(c->window, 0);
	c->clearok(c->window, all);
	c->wnoutrefresh(c->window);
	c->doupdate();
}

static int curses_key(void *state)
{
	struct curses *c = state;
	int key = c->wgetch(c->window);

	switch (key) {
	case KEY_UP:
		return PRESS_UP;
	case KEY_DOWN:
		return PRESS_DOWN;
	case KEY_PPAGE:
		return PRESS_PAGE_UP;
	case KEY_NPAGE:
		return PRESS_PAGE_DOWN;
	case KEY_HOME:
		return PRESS_HOME;
	case KEY_END:
		return PRESS_END;
	case KEY_BACKSPACE:
	case '\b':
	case 0x7f:
		return PRESS_BACK;
	case KEY_ENTER:
	case '\r':
	case '\n':
		return PRESS_RETURN;
	case 0x1b:
		return PRESS_ESCAPE;
	default:
		return key > 0 && key < 0x7f ? key : key == ERR ? PRESS_NONE : ' ' - 1;
	}
}

const struct driver curses_driver = {
	curses_start, curses_stop, curses_resize, curses_draw, curses_key,
};

#else

static void *absent(bool colour, const char **why)
{
	(void)colour;
	*why = "built without the curses library";
	return NULL;
}

const struct driver curses_driver = { .start = absent };

#endif
