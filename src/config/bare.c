/* Bare text by TOML's rules: integers with '_' and in four bases, floating-point numbers,
 * true and false; all other text is a word, which a key of type string takes as it is. */
#include "config/bare.h"

#include <errno.h>
#include <math.h>

#include "base/alloc.h"

bool bare_is_key(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.' || c == '+';
}

/* '9' in SHAPE stands for a digit; TEXT must begin with it. */
static bool has_shape(const char *s, size_t n, const char *shape)
{
	size_t i;

	for (i = 0; shape[i] != '\0'; i++) {
		if (i == n)
			return false;
		if (shape[i] == '9' ? s[i] < '0' || s[i] > '9' : s[i] != shape[i])
			return false;
	}
	return i == n || s[i] == 'T' || s[i] == 't' || s[i] == ' ' || s[i] == '.' || s[i] == 'Z';
}

bool bare_is_date(const char *s, size_t n)
{
	return has_shape(s, n, "9999-99-99") || has_shape(s, n, "99:99:99");
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 32) >= 'a' && (c | 32) <= 'f')
		return (c | 32) - 'a' + 10;
	return 99;
}

/* Copy S without '_', which must stand between two digits. False: it does not. */
static bool strip_underscores(const char *s, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] != '_')
			*out++ = s[i];
		else if (i == 0 || i + 1 == n || digit_of(s[i - 1]) > 15 || digit_of(s[i + 1]) > 15)
			return false;
	}
	*out = '\0';
	return true;
}

static int base_of(const char **p)
{
	int base = 10;

	if ((*p)[0] == '0' && (*p)[1] != '\0') {
		base = (*p)[1] == 'x' ? 16 : (*p)[1] == 'o' ? 8 : (*p)[1] == 'b' ? 2 : 0;
		*p += 2;	/* 0: a leading zero, not an integer */
	}
	return base;
}

static bool parse_integer(const char *p, int64_t *out)
{
	bool negative = *p == '-', signed_ = *p == '-' || *p == '+';
	uint64_t v = 0, limit = negative ? UINT64_C(1) << 63 : INT64_MAX;
	int base;

	p += signed_;
	base = base_of(&p);
	if (base == 0 || (base != 10 && signed_) || *p == '\0')
		return false;
	for (; *p != '\0'; p++) {
		int d = digit_of(*p);

		if (d >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v) || v > limit)
			return false;
	}
	*out = negative ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

/* Only what looks like a decimal number reaches strtod(), which would also take "inf", "0x1p3". */
static bool parse_float(const char *p, double *out)
{
	const char *start = p;
	char *end;

	p += *p == '-' || *p == '+';
	if (strcmp(p, "inf") == 0 || strcmp(p, "nan") == 0) {
		*out = p[0] == 'n' ? NAN : *start == '-' ? -INFINITY : INFINITY;
		return true;
	}
	if (*p < '0' || *p > '9' || p[strspn(p, "0123456789+-.eE")] != '\0' ||
	    strpbrk(p, ".eE") == NULL)
		return false;
	*out = strtod(start, &end);
	return *end == '\0' && end[-1] >= '0' && end[-1] <= '9';
}

void bare_classify(const char *s, size_t n, struct value *out)
{
	char number[64];

	out->kind = VALUE_WORD;
	value_set_text(out, x_strndup(s, n));
	if (strcmp(out->text, "true") == 0 || strcmp(out->text, "false") == 0) {
		out->kind = VALUE_BOOL;
		out->boolean = out->text[0] == 't';
		return;
	}
	if (n == 0 || n >= sizeof(number) || !strip_underscores(s, n, number))
		return;
	if (parse_integer(number, &out->integer))
		out->kind = VALUE_INT;
	else if (parse_float(number, &out->number))
		out->kind = VALUE_FLOAT;
}

void value_from_bare(const char *text, struct value *out)
{
	bare_classify(text, strlen(text), out);
}
