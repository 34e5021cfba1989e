/* Numbers in files that outlive us: 48 bits of value and 16 of check in one word. One store writes
 * both, so whoever is killed leaves either the old number or the new one, and a damaged word is
 * known as such. Everything is inline and free of state. */
#ifndef BASE_SEALED_H
#define BASE_SEALED_H

#include <stdbool.h>
#include <stdint.h>

#define SEALED_MAX ((UINT64_C(1) << 48) - 1)	/* 280 TB as a count of bytes */

/* CRC-16/CCITT: no one, two or three flipped bits of the word keep it fine, and no word of zeros
 * is. */
static inline uint64_t sealed_check(uint64_t value)
{
	static const uint16_t step[16] = {
		0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
		0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef,
	};
	uint16_t crc = 0xffff;

	for (int shift = 44; shift >= 0; shift -= 4)
		crc = (uint16_t)(crc << 4 ^ step[crc >> 12 ^ (value >> shift & 0xf)]);
	return crc;
}

static inline uint64_t sealed_make(uint64_t value)
{
	return sealed_check(value & SEALED_MAX) << 48 | (value & SEALED_MAX);
}

static inline uint64_t sealed_value(uint64_t word)
{
	return word & SEALED_MAX;
}

static inline bool sealed_fine(uint64_t word)
{
	return word >> 48 == sealed_check(word & SEALED_MAX);
}

#endif
