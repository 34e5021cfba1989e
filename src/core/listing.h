/* In which order people see subsystems: that of the configuration, whatever their slots. */
#ifndef CORE_LISTING_H
#define CORE_LISTING_H

#include "config/options.h"
#include "event/board.h"

/* Sort the N SLOTS of BOARD as CONFIG has their subsystems, instances by number; then those that
 * are on their way out of it; procd's own last. Inside a read section, or main thread. O(n) where
 * the slots are in order already. */
void listing_sort(const struct board *board, const struct config *config, uint32_t *slots,
		  size_t n);

#endif
