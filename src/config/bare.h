/* Bare text: is it a number, a boolean, a date, or just a word? Pure; any thread. */
#ifndef CONFIG_BARE_H
#define CONFIG_BARE_H

#include "config/value.h"

/* May C stand in a bare key or section name? */
bool bare_is_key(char c);
/* 2026-11-22, 10:30:00 and what begins like it. */
bool bare_is_date(const char *s, size_t n);
/* Fill kind, text and number of OUT from the N bytes at S. */
void bare_classify(const char *s, size_t n, struct value *out);

#endif
