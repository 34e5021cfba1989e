/* A growing byte buffer. The empty buffer points to one shared NUL that is never written to, so
 * .buf can be printed at any time and an unused buffer costs no allocation. */
#include "base/strbuf.h"

#include "base/alloc.h"

char strbuf_empty[1];

void strbuf_init(struct strbuf *sb)
{
	sb->buf = strbuf_empty;
	sb->len = 0;
	sb->cap = 0;
}

void strbuf_fini(struct strbuf *sb)
{
	if (sb->cap != 0)
		free(sb->buf);
	strbuf_init(sb);
}

void strbuf_reset(struct strbuf *sb)
{
	sb->len = 0;
	if (sb->cap != 0)
		sb->buf[0] = '\0';
}

char *strbuf_detach(struct strbuf *sb)
{
	char *s = sb->cap != 0 ? sb->buf : x_strdup("");

	strbuf_init(sb);
	return s;
}

/* Room for MORE bytes and the NUL. Grows by at least half, so appending is linear. */
void strbuf_reserve(struct strbuf *sb, size_t more)
{
	size_t need;
	size_t cap;

	BUG_ON(__builtin_add_overflow(sb->len, more, &need) || need >= SIZE_MAX / 4);
	need++;
	if (need <= sb->cap)
		return;
	cap = MAX(MAX(need, sb->cap + sb->cap / 2), (size_t)32);
	sb->buf = x_realloc(sb->cap != 0 ? sb->buf : NULL, cap);
	sb->buf[sb->len] = '\0';
	sb->cap = cap;
}

void strbuf_add(struct strbuf *sb, const void *bytes, size_t n)
{
	if (n == 0)
		return;
	strbuf_reserve(sb, n);
	memcpy(sb->buf + sb->len, bytes, n);
	sb->len += n;
	sb->buf[sb->len] = '\0';
}

void strbuf_addch(struct strbuf *sb, char c)
{
	strbuf_add(sb, &c, 1);
}

void strbuf_addstr(struct strbuf *sb, const char *s)
{
	strbuf_add(sb, s, strlen(s));
}

void strbuf_addf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(sb, fmt, ap);
	va_end(ap);
}

/* Most texts fit into what is there; only then is the format walked once. */
void strbuf_vaddf(struct strbuf *sb, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	strbuf_reserve(sb, 31);
	va_copy(again, ap);
	n = vsnprintf(sb->buf + sb->len, sb->cap - sb->len, fmt, ap);
	BUG_ON(n < 0);
	if ((size_t)n >= sb->cap - sb->len) {
		strbuf_reserve(sb, (size_t)n);
		n = vsnprintf(sb->buf + sb->len, sb->cap - sb->len, fmt, again);
		BUG_ON(n < 0);
	}
	va_end(again);
	sb->len += (size_t)n;
}

void strbuf_consume(struct strbuf *sb, size_t n)
{
	BUG_ON(n > sb->len);
	if (n == 0)
		return;
	sb->len -= n;
	memmove(sb->buf, sb->buf + n, sb->len + 1);
}
