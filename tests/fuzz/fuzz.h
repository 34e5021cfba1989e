/* What fuzz targets share: the entry point (libFuzzer, or replay.c), and what it finds. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static inline void check(bool fine)
{
	if (!fine)
		abort();
}

#endif
