/* The walk goes from frame to frame by three registers: where the program was, its stack pointer
 * and its frame pointer. How to get from one frame to the next is a rule that depends on the
 * address only, so it is worked out once (heap_unwind.h) and remembered in a small cache without
 * locks: an entry is two words, of which one is disguised with the other, so that a torn one
 * matches nothing.
 *
 * Everything that is read lies between the frame where the walk begins and the end of the thread's
 * own stack. On any other stack (coroutines, alternate signal stacks) only the first address is
 * told. */
#include "profile/heap_stack.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profile/heap_unwind.h"

#define CACHE 16384U		/* entries: 256 KiB */
#define MAIN_STACK_MAX (UINT64_C(64) << 20)

struct bounds {
	uintptr_t low, high;	/* 0, 0: not known yet */
};
static __thread struct bounds bounds __attribute__((tls_model("initial-exec")));

static bool is_main_thread(void)
{
	return syscall(SYS_gettid) == getpid();
}

/* What main began on. It grows down from there, as far as its limit says. */
static bool main_bounds(struct bounds *b)
{
	extern void *__libc_stack_end __attribute__((weak));
	struct rlimit limit;
	uint64_t size = MAIN_STACK_MAX;

	if (&__libc_stack_end == NULL || !is_main_thread())
		return false;
	if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < size)
		size = limit.rlim_cur;
	b->high = (uintptr_t)__libc_stack_end;
	b->low = b->high - size;
	return true;
}

void heap_stack_prepare(void)
{
	struct bounds b = { .low = 1, .high = 1 };
	pthread_attr_t attr;
	void *low;
	size_t size;

	if (bounds.high != 0)
		return;
	bounds = b;		/* whatever is asked for meanwhile */
	if (!main_bounds(&b) && pthread_getattr_np(pthread_self(), &attr) == 0) {
		if (pthread_attr_getstack(&attr, &low, &size) == 0) {
			b.low = (uintptr_t)low;
			b.high = b.low + size;
		}
		pthread_attr_destroy(&attr);
	}
	bounds = b;
}

/* --- rules ------------------------------------------------------------------------------------ */

static struct {
	_Atomic uint64_t key, rule;
} cache[CACHE];

static uint64_t rule_of(uintptr_t pc)
{
	uint32_t i = (uint32_t)(pc * UINT64_C(0x9e3779b97f4a7c15) >> 40) % CACHE;
	uint64_t rule = atomic_load_explicit(&cache[i].rule, memory_order_relaxed);
	uint64_t key = atomic_load_explicit(&cache[i].key, memory_order_relaxed);

	if ((key ^ rule) == pc && rule != 0)
		return rule;
	rule = heap_unwind_rule(pc);
	atomic_store_explicit(&cache[i].rule, rule, memory_order_relaxed);
	atomic_store_explicit(&cache[i].key, pc ^ rule, memory_order_relaxed);
	return rule;
}

/* --- the walk --------------------------------------------------------------------------------- */

struct cursor {
	uintptr_t pc, sp, fp;
};

static bool in_stack(uintptr_t at)
{
	return at >= bounds.low && at < bounds.high && bounds.high - at >= sizeof(at) &&
	       at % sizeof(at) == 0;
}

static uintptr_t word_at(uintptr_t at)
{
	return *(const uintptr_t *)at;
}

/* A frame pointer leads to the caller's, and behind that stands the return address. */
static bool step_by_frame_pointer(struct cursor *c)
{
	uintptr_t at = c->fp;

	if (!in_stack(at) || !in_stack(at + sizeof(at)) || at < c->sp)
		return false;
	c->pc = word_at(at + sizeof(at));
	c->fp = word_at(at);
	c->sp = at + 2 * sizeof(at);
	return true;
}

static bool step_by_rule(struct cursor *c, uint64_t packed)
{
	struct unwind_rule r = heap_unwind_unpack(packed);
	uintptr_t top = (r.base == UNWIND_SP ? c->sp : c->fp) + (uintptr_t)(intptr_t)r.offset;
	uintptr_t saved;

	if (r.indirect) {
		if (!in_stack(top))
			return false;
		top = word_at(top);
	}
	if (top <= c->sp || !in_stack(top - sizeof(top)))
		return false;
	saved = top + (uintptr_t)(intptr_t)r.saved_fp;
	if (r.saved_fp != 0 && !in_stack(saved))
		return false;
	c->pc = word_at(top - sizeof(top));
	if (r.saved_fp != 0)
		c->fp = word_at(saved);
	c->sp = top;
	return true;
}

static bool step(struct cursor *c)
{
	uint64_t rule = rule_of(c->pc - 1);	/* of the call, not of what comes after it */

	if (rule == UNWIND_END)
		return false;
	if (rule == UNWIND_UNKNOWN)
		return step_by_frame_pointer(c);
	return step_by_rule(c, rule);
}

unsigned heap_stack_walk(uintptr_t pc, const void *frame, uintptr_t *stack, unsigned max)
{
	struct cursor c = { .pc = pc, .sp = (uintptr_t)frame + 2 * sizeof(pc) };
	unsigned n = 0;

	stack[n++] = pc;
	if (!in_stack((uintptr_t)frame))
		return n;
	c.fp = word_at((uintptr_t)frame);
	while (n < max && step(&c) && c.pc > UNWIND_LOWEST_PC)
		stack[n++] = c.pc;
	return n;
}
