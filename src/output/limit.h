/* How many lines of a subsystem may reach its log: one second's worth at once, then so many per
 * second. Pure. */
#ifndef OUTPUT_LIMIT_H
#define OUTPUT_LIMIT_H

#include <stdbool.h>

#include "base/util.h"

struct limit {
	int64_t paid_ns;		/* what was let through is paid for until then */
	int64_t tell_ns;		/* when what was dropped is to be said; 0: nothing was */
};

/* May a line pass at NOW, when PER_SECOND may (>= 1)? */
static inline bool limit_take(struct limit *l, int64_t per_second, int64_t now_ns)
{
	int64_t cost = NS_PER_SEC / per_second, paid = MAX(l->paid_ns, now_ns);

	if (paid + cost - now_ns > NS_PER_SEC)
		return false;
	l->paid_ns = paid + cost;
	return true;
}

/* Lines were dropped: is it time to say so? Once per second is enough. */
static inline bool limit_may_tell(struct limit *l, int64_t now_ns)
{
	if (l->tell_ns == 0)
		l->tell_ns = now_ns + NS_PER_SEC;
	if (now_ns < l->tell_ns)
		return false;
	l->tell_ns = 0;
	return true;
}

#endif
