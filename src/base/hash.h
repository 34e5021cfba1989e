/* FNV-1a, 64 bit: to find things in tables, to see that a text is another one, and to see damage in
 * files of ours. Results are stored (records, output.state, config.bundle): what they are for given
 * bytes is part of these formats. No defence against chosen bytes. Inline and free of state.
 * [keeper] */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* H, continued by N bytes. */
static inline uint64_t hash_add(uint64_t h, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* The low bits change with the high ones, too. */
static inline uint64_t hash_fold(uint64_t h)
{
	return h ^ h >> 32;
}

#endif
