/* The verbs of an order, each on the subsystems that it is meant for. Main thread. */
#ifndef CORE_ORDER_H
#define CORE_ORDER_H

#include "core/core.h"

/* Change what R orders, all at once; R is told what to wait for, and of each refusal. */
void order_apply(struct core *c, struct core_request *r);

#endif
