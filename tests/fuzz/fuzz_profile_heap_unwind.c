/* Any two programs of exception tables, in entries that are sound: each place of the function gets
 * an answer, and nothing behind the entries is read. The input: the length of the first program, the
 * first, the second. */
#include <string.h>

#include "base/util.h"
#include "profile/heap_unwind.h"
#include "fuzz.h"

#if defined(__x86_64__)
enum { CIE_AT = 20, CODE_LENGTH = 64, PROGRAM_MAX = 512 };
static const uint8_t table_head[] = { 1, 0x1b, 3, 0x3b, 0, 0, 0, 0, 1, 0, 0, 0 };
/* version 1, "zR", units of 1 and -8, the return address in 16, addresses relative */
static const uint8_t cie_head[] = { 0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b };

static size_t put(uint8_t *to, const void *bytes, size_t n)
{
	memcpy(to, bytes, n);
	return n;
}

static size_t put_word(uint8_t *to, size_t v)
{
	uint32_t word = (uint32_t)v;

	return put(to, &word, sizeof(word));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	size_t first = size > 0 ? MIN((size_t)bytes[0], size - 1) : 0;
	size_t second = size > 0 ? MIN(size - 1 - first, (size_t)PROGRAM_MAX) : 0;
	size_t fde_at = CIE_AT + 4 + sizeof(cie_head) + first;
	size_t total = fde_at + 17 + second, at;
	uint8_t *image = malloc(total);		/* the code itself lies behind it, and is not read */

	at = put(image, table_head, sizeof(table_head));
	at += put_word(image + at, total);
	at += put_word(image + at, fde_at);
	at += put_word(image + at, sizeof(cie_head) + first);
	at += put(image + at, cie_head, sizeof(cie_head));
	at += put(image + at, bytes + (size > 0), first);
	at += put_word(image + at, 13 + second);
	at += put_word(image + at, at - CIE_AT);
	at += put_word(image + at, total - at);
	at += put_word(image + at, CODE_LENGTH);
	image[at++] = 0;
	put(image + at, bytes + (size > 0) + first, second);
	for (size_t i = 0; i <= CODE_LENGTH; i++) {
		uint64_t packed = heap_unwind_table(image, (uintptr_t)image + total + i);
		struct unwind_rule r = heap_unwind_unpack(packed);

		if (packed == 0 || (i == CODE_LENGTH && packed != UNWIND_UNKNOWN))
			abort();
		if (packed != UNWIND_END && packed != UNWIND_UNKNOWN && heap_unwind_pack(&r) != packed)
			abort();
	}
	free(image);
	return 0;
}
#else
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	(void)bytes, (void)size;
	return 0;
}
#endif
