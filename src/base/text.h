/* Text from outside: UTF-8 checks, cleaning for JSON, harmless output on terminals, likely typos,
 * shell-like word splitting. Pure; any thread. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>

#include "base/strbuf.h"
#include "base/strlist.h"

/* Length of the sequence at S (N > 0 bytes are there) and its code point; 0 when it is invalid. */
size_t utf8_decode(const char *s, size_t n, uint32_t *code);
bool utf8_valid(const char *s, size_t n);
/* Append S with every invalid byte replaced by U+FFFD; returns whether one was. NUL stays NUL. */
bool utf8_clean(const char *s, size_t n, struct strbuf *out);

/* Append S so that a terminal shows it and obeys none of it: C0 (but \t), DEL, C1, ESC, bidi
 * controls and invalid bytes become \xNN or \u{NNNN}. */
void terminal_escape(const char *s, size_t n, struct strbuf *out);

/* text_width.c: columns that S, which holds no control characters, takes on a terminal: wide
 * (East Asian, emoji) characters two, combining ones none. */
unsigned text_columns(const char *s, size_t n);
/* Length of the longest beginning of S that takes at most COLUMNS; no character is cut. */
size_t text_fit(const char *s, size_t n, unsigned columns);

/* The candidate nearest to WORD by edit distance, or NULL when none is near enough to suggest. */
const char *text_nearest(const char *word, const char *const *candidates, size_t n);

/* Split as a POSIX shell splits words: blanks, '...', "...", backslash. No expansion of anything.
 * Appends to OUT. -EINVAL: unbalanced quote or trailing backslash, *ERROR_OFFSET (may be NULL)
 * says where it is and OUT is untouched. */
int words_split(const char *text, struct strlist *out, size_t *error_offset);

/* Append WORD so that words_split() gives it back: as it is, or in quotes. */
void word_quote(const char *word, struct strbuf *out);

/* * ? [a-z] [!set] and backslash as in fnmatch(3), without its special treatment of '/' and of
 * leading dots and without [:classes:]. The time is bounded by the product of the lengths, so the
 * pattern may come from a client. */
bool glob_match(const char *pattern, const char *text);

#endif
