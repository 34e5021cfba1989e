/* One heap for all deadlines of the core, so the loop needs a single kernel timer and an idle procd
 * has none at all. Each timer knows its place, so disarming needs no search. */
#include "base/alloc.h"
#include "core/timer.h"

static void place(struct timers *ts, size_t i, struct timer *t)
{
	ts->heap[i] = t;
	t->index = i + 1;
}

static void sift_up(struct timers *ts, size_t i, struct timer *t)
{
	while (i > 0) {
		size_t parent = (i - 1) / 2;

		if (ts->heap[parent]->at_ns <= t->at_ns)
			break;
		place(ts, i, ts->heap[parent]);
		i = parent;
	}
	place(ts, i, t);
}

static void sift_down(struct timers *ts, size_t i, struct timer *t)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= ts->n)
			break;
		if (child + 1 < ts->n && ts->heap[child + 1]->at_ns < ts->heap[child]->at_ns)
			child++;
		if (t->at_ns <= ts->heap[child]->at_ns)
			break;
		place(ts, i, ts->heap[child]);
		i = child;
	}
	place(ts, i, t);
}

void timers_fini(struct timers *ts)
{
	free(ts->heap);
	*ts = (struct timers)TIMERS_INIT;
}

void timer_arm(struct timers *ts, struct timer *t, int64_t at_ns)
{
	timer_disarm(ts, t);
	if (ts->n == ts->cap) {
		ts->cap = ts->cap ? ts->cap * 2 : 64;
		ts->heap = x_reallocarray(ts->heap, ts->cap, sizeof(struct timer *));
	}
	t->at_ns = at_ns;
	sift_up(ts, ts->n++, t);
}

void timer_disarm(struct timers *ts, struct timer *t)
{
	struct timer *last;
	size_t i;

	if (!timer_armed(t))
		return;
	i = t->index - 1;
	t->index = 0;
	last = ts->heap[--ts->n];
	if (last == t)
		return;
	if (i > 0 && ts->heap[(i - 1) / 2]->at_ns > last->at_ns)
		sift_up(ts, i, last);
	else
		sift_down(ts, i, last);
}

void timers_run(struct timers *ts, int64_t now_ns)
{
	while (ts->n > 0 && ts->heap[0]->at_ns <= now_ns) {
		struct timer *t = ts->heap[0];

		timer_disarm(ts, t);
		t->fire(t);
	}
}

int64_t timers_next(const struct timers *ts)
{
	return ts->n > 0 ? ts->heap[0]->at_ns : TIMER_NEVER;
}
