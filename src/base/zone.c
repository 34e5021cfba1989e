/* The table holds moments at which the offset really changes, ascending; where a file lists a
 * change of name only, it is left out. So "the next change" is a search, and then a look at the
 * rule.
 *
 * Files are outside text: every length is checked against what is there, sizes are bounded. */
#include "base/zone.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/zone_rule.h"

#define SYSTEM_DIRECTORY "/usr/share/zoneinfo"
#define LOCAL_FILE "/etc/localtime"
#define UTC "UTC0"
#define OFFSET_MAX (26 * 3600)	/* RFC 9636 3.2: beyond this nobody has to understand it */
#define NAME_MAX_LENGTH 255
#define TIME_MAX (INT64_C(1) << 40)	/* 34 thousand years on either side */

struct change {
	int64_t at;
	int32_t offset;		/* from then on */
};

struct zone {
	_Atomic uint32_t refs;
	char *name;
	int32_t first;		/* offset before all changes */
	struct change *changes;
	size_t n;
	bool has_rule;
	struct zone_rule rule;	/* after the last of CHANGES */
};

struct zone *zone_ref(struct zone *z)
{
	if (z != NULL)
		atomic_fetch_add_explicit(&z->refs, 1, memory_order_relaxed);
	return z;
}

void zone_unref(struct zone *z)
{
	if (z == NULL || atomic_fetch_sub_explicit(&z->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(z->name);
	free(z->changes);
	free(z);
}

static struct zone *zone_new(const char *name)
{
	struct zone *z = x_calloc(1, sizeof(*z));

	atomic_init(&z->refs, 1);
	z->name = x_strdup(name);
	return z;
}

const char *zone_name(const struct zone *z)
{
	return z->name;
}

static bool rule_equal(const struct zone *a, const struct zone *b)
{
	return a->has_rule == b->has_rule &&
	       (!a->has_rule || memcmp(&a->rule, &b->rule, sizeof(a->rule)) == 0);
}

bool zone_equal(const struct zone *a, const struct zone *b)
{
	if (a == b || a == NULL || b == NULL)
		return a == b;
	if (strcmp(a->name, b->name) != 0 || a->first != b->first || a->n != b->n ||
	    !rule_equal(a, b))
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->changes[i].at != b->changes[i].at ||
		    a->changes[i].offset != b->changes[i].offset)
			return false;
	return true;
}

/* --- TZif ----------------------------------------------------------------------------------- */

struct reader {
	const unsigned char *at;
	size_t left;
};

static const unsigned char *skip(struct reader *r, size_t n)
{
	const unsigned char *p = r->at;

	if (n > r->left)
		return NULL;
	r->at += n;
	r->left -= n;
	return p;
}

static uint64_t big_endian(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

struct header {
	int version;
	size_t isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt;
};

static bool read_header(struct reader *r, struct header *h)
{
	const unsigned char *p = skip(r, 44);
	size_t counts[6];

	if (p == NULL || memcmp(p, "TZif", 4) != 0)
		return false;
	h->version = p[4];
	for (size_t i = 0; i < 6; i++) {
		counts[i] = (size_t)big_endian(p + 20 + 4 * i, 4);
		if (counts[i] > ZONE_FILE_MAX)
			return false;
	}
	h->isutcnt = counts[0];
	h->isstdcnt = counts[1];
	h->leapcnt = counts[2];
	h->timecnt = counts[3];
	h->typecnt = counts[4];
	h->charcnt = counts[5];
	return h->typecnt > 0 && h->typecnt <= 256;
}

static int64_t read_time(const unsigned char *p, size_t size)
{
	return size == 8 ? (int64_t)big_endian(p, 8) : (int32_t)(uint32_t)big_endian(p, 4);
}

static void add_change(struct zone *z, int64_t at, int32_t offset)
{
	int32_t before = z->n > 0 ? z->changes[z->n - 1].offset : z->first;

	if (offset != before)
		z->changes[z->n++] = (struct change){ at, offset };
}

/* The data behind a header whose times have SIZE bytes; Z NULL: it is skipped. */
static bool read_data(struct reader *r, const struct header *h, size_t size, struct zone *z)
{
	const unsigned char *times = skip(r, h->timecnt * size);
	const unsigned char *kinds = skip(r, h->timecnt);
	const unsigned char *types = skip(r, h->typecnt * 6);
	int64_t before = INT64_MIN;

	if (times == NULL || kinds == NULL || types == NULL || skip(r, h->charcnt) == NULL ||
	    skip(r, h->leapcnt * (size + 4)) == NULL || skip(r, h->isstdcnt) == NULL ||
	    skip(r, h->isutcnt) == NULL)
		return false;
	if (z == NULL)
		return true;
	for (size_t i = 0; i < h->typecnt; i++) {
		int32_t offset = (int32_t)(uint32_t)big_endian(types + 6 * i, 4);

		if (offset < -OFFSET_MAX || offset > OFFSET_MAX)
			return false;
	}
	z->first = (int32_t)(uint32_t)big_endian(types, 4);
	z->changes = x_calloc(h->timecnt + 1, sizeof(*z->changes));
	for (size_t i = 0; i < h->timecnt; i++) {
		int64_t at = read_time(times + i * size, size);

		if (kinds[i] >= h->typecnt || (i > 0 && at <= before) || at > TIME_MAX)
			return false;
		before = at;
		/* Some files begin with the Big Bang. */
		add_change(z, MAX(at, -TIME_MAX),
			   (int32_t)(uint32_t)big_endian(types + 6 * kinds[i], 4));
	}
	return true;
}

/* "\nRULE\n"; an empty rule: the last offset stays. */
static bool read_footer(struct reader *r, struct zone *z)
{
	const char *text = (const char *)r->at;
	const char *end = r->left > 1 ? memchr(text + 1, '\n', r->left - 1) : NULL;
	auto_free(freep) char *rule = NULL;

	if (end == NULL || *text != '\n')
		return false;
	rule = x_strndup(text + 1, (size_t)(end - text - 1));
	if (*rule == '\0')
		return true;
	z->has_rule = zone_rule_parse(rule, &z->rule);
	return z->has_rule;
}

static bool parse_file(struct zone *z, const char *bytes, size_t n)
{
	struct reader r = { (const unsigned char *)bytes, n };
	struct header h;

	if (!read_header(&r, &h))
		return false;
	if (h.version < '2')
		return read_data(&r, &h, 4, z);
	return read_data(&r, &h, 4, NULL) && read_header(&r, &h) && read_data(&r, &h, 8, z) &&
	       read_footer(&r, z);
}

static bool parse_rule(struct zone *z, const char *bytes, size_t n)
{
	auto_free(freep) char *text = x_strndup(bytes, n);

	z->has_rule = strlen(text) == n && zone_rule_parse(text, &z->rule);
	z->first = z->rule.standard;
	return z->has_rule;
}

struct zone *zone_parse(const char *name, const char *bytes, size_t n)
{
	struct zone *z = zone_new(name);
	bool file = n >= 4 && memcmp(bytes, "TZif", 4) == 0;

	if (n <= ZONE_FILE_MAX && (file ? parse_file(z, bytes, n) : parse_rule(z, bytes, n)))
		return z;
	zone_unref(z);
	return NULL;
}

/* --- finding -------------------------------------------------------------------------------- */

static bool is_zone(const char *bytes, size_t n)
{
	struct zone *z = zone_parse("", bytes, n);

	zone_unref(z);
	return z != NULL;
}

static int take_file(const char *path, struct strbuf *out)
{
	auto_free(strbuf_fini) struct strbuf bytes = STRBUF_INIT;

	if (file_read(path, ZONE_FILE_MAX, &bytes) < 0 || bytes.len < 4 ||
	    memcmp(bytes.buf, "TZif", 4) != 0 || !is_zone(bytes.buf, bytes.len))
		return -ENOENT;
	strbuf_add(out, bytes.buf, bytes.len);
	return 0;
}

static int take_named(const char *name, struct strbuf *out)
{
	const char *directory = getenv("TZDIR");
	auto_free(freep) char *path = NULL;

	if (strlen(name) > NAME_MAX_LENGTH || strstr(name, "..") != NULL)
		return -ENOENT;
	if (*name == '/')
		return take_file(name, out);
	if (directory == NULL || *directory != '/')
		directory = SYSTEM_DIRECTORY;
	path = x_asprintf("%s/%s", directory, name);
	return take_file(path, out);
}

int zone_find(const char *name, struct strbuf *bytes)
{
	if (name == NULL && take_file(LOCAL_FILE, bytes) == 0)
		return 0;
	if (name != NULL && *name == ':')
		name++;
	/* UTC is always to be had, also where no zone is installed. */
	if (name == NULL || *name == '\0' || strcmp(name, "UTC") == 0)
		name = UTC;
	if (take_named(name, bytes) == 0)
		return 0;
	if (!is_zone(name, strlen(name)))
		return -ENOENT;
	strbuf_addstr(bytes, name);
	return 0;
}

int zone_find_local(struct strbuf *bytes)
{
	int r = zone_find(getenv("TZ"), bytes);

	if (r < 0)
		strbuf_addstr(bytes, UTC);
	return r;
}

/* --- looking -------------------------------------------------------------------------------- */

/* Number of changes that are not after UTC. */
static size_t changes_until(const struct zone *z, int64_t utc)
{
	size_t low = 0, high = z->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (z->changes[middle].at <= utc)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool by_rule(const struct zone *z, int64_t utc)
{
	return z->has_rule && (z->n == 0 || utc >= z->changes[z->n - 1].at);
}

int32_t zone_offset(const struct zone *z, int64_t utc)
{
	size_t n;

	if (by_rule(z, utc))
		return zone_rule_offset(&z->rule, utc);
	n = changes_until(z, utc);
	return n == 0 ? z->first : z->changes[n - 1].offset;
}

static bool is_change(const struct zone *z, int64_t at)
{
	return zone_offset(z, at - 1) != zone_offset(z, at);
}

int64_t zone_next_change(const struct zone *z, int64_t utc)
{
	int64_t at[ZONE_RULE_CHANGES];
	size_t n = changes_until(z, utc);

	for (; n < z->n; n++)
		if (is_change(z, z->changes[n].at))
			return z->changes[n].at;
	if (!z->has_rule)
		return ZONE_NO_CHANGE;
	if (z->n > 0)
		utc = MAX(utc, z->changes[z->n - 1].at);
	n = zone_rule_changes(&z->rule, utc, at);
	for (size_t i = 0; i < n; i++)
		if (at[i] > utc && by_rule(z, at[i]) && is_change(z, at[i]))
			return at[i];
	return ZONE_NO_CHANGE;
}

int64_t zone_last_change(const struct zone *z, int64_t utc)
{
	int64_t at[ZONE_RULE_CHANGES];
	size_t n = by_rule(z, utc) ? zone_rule_changes(&z->rule, utc, at) : 0;

	for (; n > 0; n--)
		if (at[n - 1] <= utc && by_rule(z, at[n - 1]) && is_change(z, at[n - 1]))
			return at[n - 1];
	for (n = changes_until(z, utc); n > 0; n--)
		if (is_change(z, z->changes[n - 1].at))
			return z->changes[n - 1].at;
	return ZONE_NO_CHANGE;
}
