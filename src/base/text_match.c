/* Words: likely typos, globs, and splitting a command line.
 *
 * All three meet input from outside, on threads that must not be held up: the work is bounded by
 * the product of two short lengths, and nothing recurses. */
#include "base/text.h"

#include <errno.h>

#define WORD_MAX 64

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Users mix up case and the two kinds of dash; that is hardly a typo. */
static char folded(char c)
{
	return c == '-' ? '_' : lower(c);
}

/* Edits between A and B: insert, delete, replace, or swap two neighbours. Each at most WORD_MAX
 * bytes. Row I holds the distances between the first I bytes of A and all beginnings of B. */
static unsigned int edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned int rows[3][WORD_MAX + 1];

	for (size_t j = 0; j <= nb; j++)
		rows[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned int *row = rows[i % 3];
		const unsigned int *above = rows[(i - 1) % 3];
		const unsigned int *above2 = rows[(i + 1) % 3];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= nb; j++) {
			bool same = folded(a[i - 1]) == folded(b[j - 1]);
			unsigned int best = above[j - 1] + (same ? 0 : 1);

			best = MIN(best, MIN(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
			    folded(a[i - 2]) == folded(b[j - 1]))
				best = MIN(best, above2[j - 2] + 1);
			row[j] = best;
		}
	}
	return rows[na % 3][nb];
}

/* Near enough is one edit for each three letters of the longer word. */
const char *text_nearest(const char *word, const char *const *candidates, size_t n)
{
	size_t len = strlen(word);
	const char *nearest = NULL;
	unsigned int least = WORD_MAX;

	if (len == 0 || len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t candidate_len = candidates[i] != NULL ? strlen(candidates[i]) : 0;
		size_t longer = MAX(len, candidate_len);
		unsigned int distance;

		if (candidate_len == 0 || candidate_len > WORD_MAX)
			continue;
		distance = edit_distance(word, len, candidates[i], candidate_len);
		if (distance >= least || distance > longer / 3)
			continue;
		least = distance;
		nearest = candidates[i];
	}
	return nearest;
}

/* Match C against the set behind '['. Returns what follows the set, or NULL when it is not closed
 * (then '[' stands for itself). */
static const char *set_match(const char *set, char c, bool *matched)
{
	bool negate = *set == '!' || *set == '^';
	const char *p = set + (negate ? 1 : 0);
	bool hit = false;

	for (bool first = true; *p != ']' || first; first = false) {
		unsigned char low, high;

		if (*p == '\\' && p[1] != '\0')
			p++;
		if (*p == '\0')
			return NULL;
		low = high = (unsigned char)*p++;
		if (p[0] == '-' && p[1] != ']' && p[1] != '\0') {
			p++;
			if (*p == '\\' && p[1] != '\0')
				p++;
			high = (unsigned char)*p++;
		}
		if ((unsigned char)c >= low && (unsigned char)c <= high)
			hit = true;
	}
	*matched = hit != negate;
	return p + 1;
}

/* Match one character C against the element at PATTERN (not '*', not the end). Returns what
 * follows the element, NULL when C does not match. */
static const char *element_match(const char *pattern, char c)
{
	bool matched;

	if (*pattern == '?')
		return pattern + 1;
	if (*pattern == '[') {
		const char *after = set_match(pattern + 1, c, &matched);

		if (after != NULL)
			return matched ? after : NULL;
	}
	if (*pattern == '\\' && pattern[1] != '\0')
		pattern++;
	return *pattern == c ? pattern + 1 : NULL;
}

/* When an element fails, only the last '*' can take one more character: what came before it has
 * been matched in the shortest way already. */
bool glob_match(const char *pattern, const char *text)
{
	const char *star = NULL;	/* behind the last '*' */
	const char *star_text = NULL;	/* what that '*' ends before */

	while (*text != '\0') {
		const char *after;

		if (*pattern == '*') {
			star = ++pattern;
			star_text = text;
			continue;
		}
		after = *pattern != '\0' ? element_match(pattern, *text) : NULL;
		if (after != NULL) {
			pattern = after;
			text++;
		} else if (star != NULL) {
			pattern = star;
			text = ++star_text;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

/* Append the quoted part that starts at *P (a quote) to WORD and move *P behind it. */
static int quoted_part(const char **p, struct strbuf *word)
{
	char quote = *(*p)++;

	for (; **p != quote; (*p)++) {
		if (**p == '\0')
			return -EINVAL;
		if (quote == '"' && **p == '\\' && (*p)[1] != '\0' &&
		    strchr("$`\"\\\n", (*p)[1]) != NULL) {
			(*p)++;
			if (**p == '\n')
				continue;
		}
		strbuf_addch(word, **p);
	}
	(*p)++;
	return 0;
}

/* One word at *P, which is not blank. */
static int word_part(const char **p, struct strbuf *word, const char **error)
{
	while (**p != '\0' && strchr(" \t\n", **p) == NULL) {
		*error = *p;
		if (**p == '\'' || **p == '"') {
			if (quoted_part(p, word) < 0)
				return -EINVAL;
			continue;
		}
		if (**p == '\\') {
			(*p)++;
			if (**p == '\0')
				return -EINVAL;
			if (**p == '\n') {
				(*p)++;
				continue;
			}
		}
		strbuf_addch(word, *(*p)++);
	}
	return 0;
}

void word_quote(const char *word, struct strbuf *out)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_@%+=:,./-";

	if (*word != '\0' && word[strspn(word, plain)] == '\0') {
		strbuf_addstr(out, word);
		return;
	}
	strbuf_addch(out, '\'');
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			strbuf_addstr(out, "'\\''");
		else
			strbuf_addch(out, *word);
	}
	strbuf_addch(out, '\'');
}

/* A backslash with a newline is a line that goes on: no word by itself. */
static const char *skip_blanks(const char *p)
{
	for (;;) {
		if (p[0] == '\\' && p[1] == '\n')
			p += 2;
		else if (*p != '\0' && strchr(" \t\n", *p) != NULL)
			p++;
		else
			return p;
	}
}

int words_split(const char *text, struct strlist *out, size_t *error_offset)
{
	auto_free(strlist_fini) struct strlist words = STRLIST_INIT;
	const char *p = skip_blanks(text);

	for (; *p != '\0'; p = skip_blanks(p)) {
		auto_free(strbuf_fini) struct strbuf word = STRBUF_INIT;
		const char *error = p;

		if (word_part(&p, &word, &error) < 0) {
			if (error_offset != NULL)
				*error_offset = (size_t)(error - text);
			return -EINVAL;
		}
		strlist_take(&words, strbuf_detach(&word));
	}
	for (size_t i = 0; i < words.n; i++)
		strlist_take(out, take(words.items[i]));
	words.n = 0;
	return 0;
}
