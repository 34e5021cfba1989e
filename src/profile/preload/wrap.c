/* The functions that give and take memory, in front of whoever gave it before: libc, or another
 * allocator behind this one. Blocks stay as they are; only the books are kept beside. C++'s operator
 * new calls malloc, so it comes this way, too.
 *
 * Linked into the preload object and into procd itself, never into a library of rooms: whoever links
 * this file has his malloc replaced.
 *
 * The functions behind are looked up at the first call, and looking up may itself allocate: such
 * early blocks come from a small reserve and are never given back. While a thread is in the middle
 * of its bookkeeping, what it allocates is passed through unseen. */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profile/heap_record.h"
#include "profile/heap_stack.h"
#include "profile/preload/wrap.h"

#define RESERVE 16384U
#define PAGE 4096U

static struct {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void (*free)(void *);
	void *(*memalign)(size_t, size_t);
	void *(*aligned_alloc)(size_t, size_t);
	int (*posix_memalign)(void **, size_t, size_t);
	void *(*valloc)(size_t);
	void *(*pvalloc)(size_t);
	size_t (*usable)(void *);
	bool known, asking;
} next;

static _Alignas(16) char reserve[RESERVE];
static size_t reserve_used;

static volatile bool passed;	/* some call of malloc() came here and was not written down */
static __thread bool busy __attribute__((tls_model("initial-exec")));

bool heap_wrap_busy(void)
{
	return busy;
}

void heap_wrap_enter(void)
{
	busy = true;
}

void heap_wrap_leave(void)
{
	busy = false;
}

static void look_up(const char *name, void *function, size_t size)
{
	void *found = dlsym(RTLD_NEXT, name);

	memcpy(function, &found, size);
}

#define LOOK_UP(name, field) look_up(name, &next.field, sizeof(next.field))

/* False: it is under way, further up in this thread's stack. The first call comes before there are
 * any other threads. */
static bool know(void)
{
	if (next.known)
		return true;
	if (next.asking)
		return false;
	next.asking = true;
	LOOK_UP("malloc", malloc);
	LOOK_UP("calloc", calloc);
	LOOK_UP("realloc", realloc);
	LOOK_UP("free", free);
	LOOK_UP("memalign", memalign);
	LOOK_UP("aligned_alloc", aligned_alloc);
	LOOK_UP("posix_memalign", posix_memalign);
	LOOK_UP("valloc", valloc);
	LOOK_UP("pvalloc", pvalloc);
	LOOK_UP("malloc_usable_size", usable);
	next.known = true;
	next.asking = false;
	return true;
}

static void *from_reserve(size_t size)
{
	void *p = reserve + reserve_used;

	if (size > RESERVE - reserve_used)
		return NULL;
	reserve_used += (size + 15) / 16 * 16;
	return p;
}

static bool in_reserve(const void *p)
{
	return (uintptr_t)p >= (uintptr_t)reserve && (uintptr_t)p < (uintptr_t)reserve + RESERVE;
}

/* Is this call to be written down? */
static bool wanted(void)
{
	return heap_record_on() && !busy;
}

/* Who asked. A macro, because it speaks of the function that it stands in. */
struct caller {
	uintptr_t pc;
	const void *frame;
};
#define CALLER { (uintptr_t)__builtin_return_address(0), __builtin_frame_address(0) }

static void *born(void *p, size_t size, const struct caller *who)
{
	uintptr_t stack[HEAP_DEPTH];
	int keep = errno;
	unsigned n;

	if (p == NULL)
		return p;
	busy = true;
	heap_stack_prepare();
	n = heap_stack_walk(who->pc, who->frame, stack, HEAP_DEPTH);
	heap_record_born(p, size, stack, n);
	busy = false;
	errno = keep;
	heap_wrap_after();
	return p;
}

static void died(const void *p, struct heap_block *was)
{
	busy = true;
	heap_record_died(p, was);
	busy = false;
	heap_wrap_after();
}

void *malloc(size_t size)
{
	const struct caller who = CALLER;

	if (!know())
		return from_reserve(size);
	if (!wanted()) {
		passed = true;
		return next.malloc(size);
	}
	return born(next.malloc(size), size, &who);
}

void *calloc(size_t n, size_t size)
{
	const struct caller who = CALLER;

	if (!know())
		return size != 0 && n > RESERVE / size ? NULL : from_reserve(n * size);
	if (!wanted())
		return next.calloc(n, size);
	return born(next.calloc(n, size), n * size, &who);
}

void free(void *p)
{
	struct heap_block was;

	if (p == NULL || in_reserve(p) || !know())
		return;
	if (wanted())
		died(p, &was);
	next.free(p);
}

static void *leave_reserve(void *p, size_t size)
{
	size_t most = (size_t)(reserve + RESERVE - (char *)p);
	void *q = know() ? next.malloc(size) : from_reserve(size);

	if (q != NULL)
		memcpy(q, p, size < most ? size : most);
	return q;
}

/* In the books: the old block ends and a new one begins, wherever that is. */
static void *change(void *p, size_t size, const struct caller *who)
{
	struct heap_block was = { .address = 0 };
	void *q;

	if (in_reserve(p) || !know())
		return leave_reserve(p, size);
	if (!wanted())
		return next.realloc(p, size);
	if (p != NULL)
		died(p, &was);		/* first: another thread may get its address */
	q = next.realloc(p, size);
	if (q == NULL && size != 0) {
		int keep = errno;

		busy = true;
		heap_record_undo(&was);
		busy = false;
		errno = keep;
	}
	return born(q, size, who);
}

void *realloc(void *p, size_t size)
{
	const struct caller who = CALLER;

	if (p == NULL && !know())
		return from_reserve(size);
	return change(p, size, &who);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	const struct caller who = CALLER;
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return p == NULL && !know() ? from_reserve(bytes) : change(p, bytes, &who);
}

void *memalign(size_t alignment, size_t size)
{
	const struct caller who = CALLER;

	if (!know() || next.memalign == NULL)
		return NULL;
	return wanted() ? born(next.memalign(alignment, size), size, &who)
			: next.memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	const struct caller who = CALLER;

	if (!know() || next.aligned_alloc == NULL)
		return NULL;
	return wanted() ? born(next.aligned_alloc(alignment, size), size, &who)
			: next.aligned_alloc(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
	const struct caller who = CALLER;
	int ret;

	if (!know() || next.posix_memalign == NULL)
		return ENOMEM;
	if (!wanted())
		return next.posix_memalign(out, alignment, size);
	ret = next.posix_memalign(out, alignment, size);
	if (ret == 0)
		born(*out, size, &who);
	return ret;
}

void *valloc(size_t size)
{
	const struct caller who = CALLER;

	if (!know() || next.valloc == NULL)
		return NULL;
	return wanted() ? born(next.valloc(size), size, &who) : next.valloc(size);
}

void *pvalloc(size_t size)
{
	const struct caller who = CALLER;

	if (!know() || next.pvalloc == NULL)
		return NULL;
	return wanted() ? born(next.pvalloc(size), (size + PAGE - 1) / PAGE * PAGE, &who)
			: next.pvalloc(size);
}

bool heap_wrap_foremost(void)
{
	char *volatile copy;

	passed = false;
	copy = strdup("?");	/* libc asks whomever everybody asks */
	free(copy);
	return passed;
}

size_t malloc_usable_size(void *p)
{
	if (p == NULL || in_reserve(p) || !know() || next.usable == NULL)
		return 0;
	return next.usable(p);
}
