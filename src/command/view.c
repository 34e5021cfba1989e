/* The members that tables and predicates look at, found by one table. */
#include "command/view.h"

static const struct {
	const char *key;
	size_t len, offset;
} members[] = {	/* in the order in which status.get writes them: then the next guess is right */
#define MEMBER(m) { #m, sizeof(#m) - 1, offsetof(struct view, m) }
	MEMBER(name), MEMBER(state), MEMBER(ready), MEMBER(health), MEMBER(health_detail),
	MEMBER(pid), MEMBER(uptime_ms), MEMBER(restart_count), MEMBER(gave_up),
	MEMBER(next_restart_ms), MEMBER(next_run_at), MEMBER(exit_code), MEMBER(signal),
	MEMBER(last_error), MEMBER(reason), MEMBER(waits_for), MEMBER(awaits),
	MEMBER(status_text), MEMBER(doing), MEMBER(degraded), MEMBER(rss_bytes),
	MEMBER(cpu_percent), MEMBER(threads), MEMBER(fds),
#undef MEMBER
};

/* The place of KEY's value in OUT, looked for from member GUESS on; NULL: nobody asked for it. */
static struct span *place_of(struct span key, struct view *out, size_t *guess)
{
	for (size_t n = 0; n < ARRAY_LEN(members); n++) {
		size_t i = (*guess + n) % ARRAY_LEN(members);

		if (key.n != members[i].len || memcmp(key.s, members[i].key, key.n) != 0)
			continue;
		*guess = i + 1;
		return (struct span *)(void *)((char *)out + members[i].offset);
	}
	return NULL;
}

static bool read_members(struct scan *s, struct view *out)
{
	struct span key, value, *place;
	size_t guess = 0;

	memset(out, 0, sizeof(*out));
	while (scan_key(s, &key)) {
		if (!scan_value(s, &value))
			return false;
		place = place_of(key, out, &guess);
		if (place)
			*place = value;
	}
	return true;
}

bool view_read(struct span object, struct view *out)
{
	struct scan s = scan_text(object.s, object.n);

	return scan_enter(&s, '{') && read_members(&s, out);
}

static bool each_subsystem(struct scan *s, void (*each)(void *ctx, const struct view *v), void *ctx)
{
	struct view v;

	if (!scan_enter(s, '['))
		return false;
	while (scan_element(s)) {
		if (!scan_enter(s, '{') || !read_members(s, &v))
			return false;
		each(ctx, &v);
	}
	return true;
}

bool view_each(const char *text, size_t len, void (*each)(void *ctx, const struct view *v),
	       void (*other)(void *ctx, struct span key, struct span value), void *ctx)
{
	struct scan s = scan_text(text, len);
	struct span key, value;

	if (!scan_enter(&s, '{'))
		return false;
	while (scan_key(&s, &key)) {
		if (span_is(key, "subsystems")) {
			if (!each_subsystem(&s, each, ctx))
				return false;
			continue;
		}
		if (!scan_value(&s, &value))
			return false;
		if (other)
			other(ctx, key, value);
	}
	return true;
}
