/* The words of the format: Debian's valgrind 3.19, dh_view.js. A stack is a list of numbers of a
 * table of frames, the innermost first; frame 0 is the root. Equal stacks must not occur twice,
 * which holds because addresses, not names, tell places apart.
 *
 * Blocks that are alive count as if they died now. */
#include "profile/heap_dhat.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "profile/heap_symbols.h"

#define SHORT_LIVED_US 500	/* as DHAT has it for instructions: shown as "short-lived" */
#define OUT_SIZE 8192U

_Static_assert(sizeof(uintptr_t) <= sizeof(uint64_t), "an address fits");

struct writer {
	heap_sink sink;
	void *ctx;
	int error;
	size_t n;
	char buf[OUT_SIZE];
};

static void flush(struct writer *w)
{
	if (w->error == 0 && w->n > 0)
		w->error = w->sink(w->ctx, w->buf, w->n);
	w->n = 0;
}

static void put(struct writer *w, const char *text, size_t n)
{
	while (n > 0) {
		size_t part = n < OUT_SIZE - w->n ? n : OUT_SIZE - w->n;

		memcpy(w->buf + w->n, text, part);
		w->n += part;
		text += part;
		n -= part;
		if (w->n == OUT_SIZE)
			flush(w);
	}
}

static void puts_(struct writer *w, const char *text)
{
	put(w, text, strlen(text));
}

static void put_u64(struct writer *w, const char *before, uint64_t v)
{
	char digits[24];

	puts_(w, before);
	put(w, digits, (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)v));
}

static void put_hex(struct writer *w, uint64_t v)
{
	char digits[24];

	put(w, digits, (size_t)snprintf(digits, sizeof(digits), "0x%llX", (unsigned long long)v));
}

/* Length of the UTF-8 sequence at S (RFC 3629), 0: none. */
static size_t utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 :
		   s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return n;
}

/* Inside of a JSON string. */
static void put_text(struct writer *w, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s != '\0') {
		size_t n = utf8_length(s);
		char escape[8];

		if (*s == '"' || *s == '\\' || *s < 0x20) {
			put(w, escape, (size_t)snprintf(escape, sizeof(escape), "\\u%04x", *s));
			s++;
		} else if (n == 0) {
			puts_(w, "\\ufffd");
			s++;
		} else {
			put(w, (const char *)s, n);
			s += n;
		}
	}
}

/* --- checks ----------------------------------------------------------------------------------- */

bool heap_view_check(const struct heap_view *v)
{
	const struct heap_state *h = &v->state;

	if (h->nsites == 0 || h->nsites > HEAP_SITES_MAX || h->nframes > HEAP_FRAMES_MAX ||
	    h->room > HEAP_BLOCKS_MAX)
		return false;
	for (uint32_t i = 0; i < h->nsites; i++)
		if (v->sites[i].nframes > HEAP_DEPTH || v->sites[i].frames > h->nframes ||
		    v->sites[i].nframes > h->nframes - v->sites[i].frames)
			return false;
	for (uint32_t i = 0; i < h->room; i++)
		if (v->blocks[i].address != 0 && v->blocks[i].site >= h->nsites)
			return false;
	return true;
}

/* --- frames ----------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* qsort(3) may allocate: a heap of its own, in place. */
static void sift_down(uint64_t *list, size_t at, size_t n)
{
	for (size_t kid; (kid = 2 * at + 1) < n; at = kid) {
		uint64_t keep;

		if (kid + 1 < n && by_value(&list[kid], &list[kid + 1]) < 0)
			kid++;
		if (by_value(&list[at], &list[kid]) >= 0)
			return;
		keep = list[at];
		list[at] = list[kid];
		list[kid] = keep;
	}
}

static void sort(uint64_t *list, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift_down(list, i, n);
	for (size_t end = n; end > 1;) {
		uint64_t keep = list[0];

		list[0] = list[--end];
		list[end] = keep;
		sift_down(list, 0, end);
	}
}

static size_t unique(uint64_t *list, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (kept == 0 || list[kept - 1] != list[i])
			list[kept++] = list[i];
	return kept;
}

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Of the call, not of what comes after it. */
static uint64_t call_of(uint64_t return_address)
{
	return return_address - 1;
}

static int load_symbols(const struct heap_view *v, struct heap_symbols *s)
{
	size_t n = v->state.nframes, size = (n + 1) * sizeof(uint64_t);
	uint64_t *sorted = map(size);
	int ret;

	if (sorted == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = call_of(v->frames[i]);
	sort(sorted, n);
	ret = heap_symbols_load(s, sorted, unique(sorted, n), v->pid);
	munmap(sorted, size);
	return ret;
}

/* As valgrind writes them: "0x1139: f (in /usr/bin/prog)". */
static void put_frame(struct writer *w, const struct heap_symbol *s)
{
	puts_(w, ",\n  \"");
	put_hex(w, s->in_file);
	puts_(w, ": ");
	put_text(w, s->function != NULL ? s->function : "???");
	if (s->file != NULL) {
		puts_(w, " (in ");
		put_text(w, s->file);
		puts_(w, ")");
	}
	puts_(w, "\"");
}

/* --- places ----------------------------------------------------------------------------------- */

static void put_site(struct writer *w, const struct heap_view *v, const struct heap_site *s,
		     uint64_t alive_us, const struct heap_symbols *symbols)
{
	/* nothing of it changed since the last peak: it is as it was then */
	bool untouched = s->epoch != v->state.epoch;

	put_u64(w, "{\"tb\":", s->total_bytes);
	put_u64(w, ",\"tbk\":", s->total_blocks);
	put_u64(w, ",\"tl\":", s->lifetimes_us + alive_us);
	put_u64(w, ",\"mb\":", s->max_bytes);
	put_u64(w, ",\"mbk\":", s->max_blocks);
	put_u64(w, ",\"gb\":", untouched ? s->bytes : s->peak_bytes);
	put_u64(w, ",\"gbk\":", untouched ? s->blocks : s->peak_blocks);
	put_u64(w, ",\"eb\":", s->bytes);
	put_u64(w, ",\"ebk\":", s->blocks);
	puts_(w, ",\"fs\":[");
	for (uint32_t i = 0; i < s->nframes; i++) {
		uint64_t call = call_of(v->frames[s->frames + i]);

		put_u64(w, i > 0 ? "," : "", heap_symbols_find(symbols, call) + 1);
	}
	if (s->nframes == 0)
		put_u64(w, "", symbols->n + 1);
	puts_(w, "]}");
}

static void put_sites(struct writer *w, const struct heap_view *v, const uint64_t *alive_us,
		      const struct heap_symbols *symbols)
{
	const char *comma = "\n ";

	puts_(w, ",\"pps\":[");
	for (uint32_t i = 0; i < v->state.nsites; i++) {
		if (v->sites[i].total_blocks == 0)
			continue;
		puts_(w, comma);
		comma = ",\n ";
		put_site(w, v, &v->sites[i], alive_us[i], symbols);
	}
	puts_(w, "\n]");
}

static void put_frames(struct writer *w, const struct heap_symbols *symbols)
{
	puts_(w, ",\"ftbl\":[\"[root]\"");
	for (size_t i = 0; i < symbols->n; i++)
		put_frame(w, &symbols->list[i]);
	puts_(w, ",\n  \"[other places: procd's table of places is full]\"]");
}

/* --- the rest --------------------------------------------------------------------------------- */

/* The arguments, as far as they can be read, with blanks between. */
static void put_command(struct writer *w, const struct heap_view *v, struct heap_symbols *s)
{
	char path[48] = "/proc/self/cmdline";
	size_t n = 0;
	char *text;

	if (v->pid != 0)
		snprintf(path, sizeof(path), "/proc/%d/cmdline", v->pid);
	text = heap_symbols_read(s, path, &n);
	for (size_t i = 0; text != NULL && i + 1 < n; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	puts_(w, ",\"cmd\":\"");
	put_text(w, text != NULL && n > 0 ? text : "?");
	if (v->state.untracked > 0) {
		put_u64(w, " [", v->state.untracked);
		puts_(w, " blocks are counted in the totals only]");
	}
	puts_(w, "\"");
}

static void put_all(struct writer *w, const struct heap_view *v, const uint64_t *alive_us,
		    struct heap_symbols *symbols)
{
	const struct heap_state *h = &v->state;

	puts_(w, "{\"dhatFileVersion\":2,\"mode\":\"heap\",\"verb\":\"Allocated\",\"bklt\":true,"
		 "\"bkacc\":false,\"tu\":\"\xc2\xb5s\",\"Mtu\":\"s\"");
	put_u64(w, ",\"tuth\":", SHORT_LIVED_US);
	put_command(w, v, symbols);
	put_u64(w, ",\"pid\":", h->pid);
	put_u64(w, ",\"tg\":", h->peak_us - h->started_us);
	put_u64(w, ",\"te\":", v->now_us - h->started_us);
	put_sites(w, v, alive_us, symbols);
	put_frames(w, symbols);
	puts_(w, "}\n");
	flush(w);
}

/* What the living blocks of each place have lived so far; mapped memory. */
static uint64_t *living(const struct heap_view *v, size_t size)
{
	uint64_t *sums = map(size);

	for (uint32_t i = 0; sums != NULL && i < v->state.room; i++)
		if (v->blocks[i].address != 0 && v->now_us > v->blocks[i].born_us)
			sums[v->blocks[i].site] += v->now_us - v->blocks[i].born_us;
	return sums;
}

int heap_dhat_write(const struct heap_view *v, heap_sink sink, void *ctx)
{
	struct writer w = { .sink = sink, .ctx = ctx };
	struct heap_symbols symbols = { .list = NULL };
	size_t size = v->state.nsites * sizeof(uint64_t);
	uint64_t *alive_us = living(v, size);

	if (alive_us == NULL)
		return -ENOMEM;
	w.error = load_symbols(v, &symbols);
	if (w.error == 0)
		put_all(&w, v, alive_us, &symbols);
	heap_symbols_free(&symbols);
	munmap(alive_us, size);
	return w.error;
}
