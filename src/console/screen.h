/* The terminal of the one who looks: pictures out, keys in, and always left as it was found. At
 * most one at a time. With the curses library, which is loaded here and nowhere else, so that no
 * other role of the program pays for it; without it by the escape sequences that all of today's
 * terminals understand. */
#ifndef CONSOLE_SCREEN_H
#define CONSOLE_SCREEN_H

#include "console/frame.h"

/* Others: the character. */
enum press {
	PRESS_NONE, PRESS_UP = 0x110000, PRESS_DOWN, PRESS_PAGE_UP, PRESS_PAGE_DOWN, PRESS_HOME,
	PRESS_END, PRESS_BACK, PRESS_ESCAPE, PRESS_RETURN
};

struct screen;

/* Take the terminal on standard input and output. NULL: *WHY says why not. COLOUR: use colours. */
struct screen *screen_start(bool colour, const char **why);
/* Give it back as it was. NULL is fine. */
void screen_stop(struct screen *s);
/* Ask for the size anew (after SIGWINCH). */
void screen_resize(struct screen *s);
unsigned screen_columns(const struct screen *s);
unsigned screen_rows(const struct screen *s);
void screen_draw(struct screen *s, const struct frame *f);
/* All of it anew with the next picture, whatever the terminal shows. */
void screen_forget(struct screen *s);
/* The next key that was pressed, PRESS_NONE: none waits. */
int screen_key(struct screen *s);

#endif
