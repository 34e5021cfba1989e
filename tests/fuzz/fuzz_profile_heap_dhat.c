/* Books as another process shows them: refused, or written without a step out of them. The input is
 * the state and behind it the tables, as many as it claims and there is room for. */
#include <limits.h>
#include <string.h>

#include "base/util.h"
#include "profile/heap_dhat.h"
#include "fuzz.h"

#define SITES 64
#define FRAMES 256
#define BLOCKS 64

struct counter {
	size_t n;
	char last;
};

static int count(void *ctx, const char *text, size_t n)
{
	struct counter *c = ctx;

	if (n == 0)
		abort();
	c->n += n;
	c->last = text[n - 1];
	return 0;
}

static void copy_out(void *out, size_t room, const uint8_t **bytes, size_t *size)
{
	size_t n = MIN(room, *size);

	memcpy(out, *bytes, n);
	*bytes += n;
	*size -= n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct heap_view v = { .pid = INT_MAX };
	struct counter written = { 0 };
	struct heap_site *sites;
	struct heap_block *blocks;
	uint64_t *frames;

	copy_out(&v.state, sizeof(v.state), &bytes, &size);
	v.state.nsites %= SITES + 1;
	v.state.nframes %= FRAMES + 1;
	v.state.room %= BLOCKS + 1;
	/* of exactly the size that is claimed, so that a step out of it is seen */
	sites = calloc(v.state.nsites + 1, sizeof(*sites));
	blocks = calloc(v.state.room + 1, sizeof(*blocks));
	frames = calloc(v.state.nframes + 1, sizeof(*frames));
	copy_out(sites, v.state.nsites * sizeof(*sites), &bytes, &size);
	copy_out(blocks, v.state.room * sizeof(*blocks), &bytes, &size);
	copy_out(frames, v.state.nframes * sizeof(*frames), &bytes, &size);
	copy_out(&v.now_us, sizeof(v.now_us), &bytes, &size);
	v.sites = sites;
	v.blocks = blocks;
	v.frames = frames;
	if (heap_view_check(&v) &&
	    (heap_dhat_write(&v, count, &written) != 0 || written.last != '\n'))
		abort();
	free(sites);
	free(blocks);
	free(frames);
	return 0;
}
