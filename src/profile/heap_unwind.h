/* How to get from a frame to its caller's, by the address where the program is in it. The rule
 * comes from .eh_frame (System V ABI for x86-64; Linux Standard Base 10.6, "Exception Frames"). */
#ifndef PROFILE_HEAP_UNWIND_H
#define PROFILE_HEAP_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNWIND_END 1U		/* packed: there is no caller */
#define UNWIND_UNKNOWN 3U	/* packed: the tables do not say, or in a way that is not read */
#define UNWIND_LOWEST_PC 4096U

enum unwind_base { UNWIND_SP, UNWIND_FP };

/* The caller's stack pointer ("top") is base + offset, or what stands there. The return address
 * stands right below it, the caller's frame pointer at top + saved_fp (0: it was not touched). */
struct unwind_rule {
	enum unwind_base base;
	bool indirect;
	int32_t offset;
	int32_t saved_fp;
};

/* A rule in one word that is never 0. */
uint64_t heap_unwind_pack(const struct unwind_rule *r);	/* UNWIND_UNKNOWN: it does not fit */
struct unwind_rule heap_unwind_unpack(uint64_t packed);

/* The rule for PC, packed. Allocates nothing; any thread. */
uint64_t heap_unwind_rule(uintptr_t pc);

/* The same from the table at HDR (.eh_frame_hdr); everything that is read of .eh_frame must be
 * mapped. For tests. */
uint64_t heap_unwind_table(const uint8_t *hdr, uintptr_t pc);

#endif
