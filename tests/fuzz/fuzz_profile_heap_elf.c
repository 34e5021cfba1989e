/* Whatever a file holds, looking for functions in it ends, and names are strings. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "profile/heap_symbols.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const uint64_t places[] = { 0, 0x200, 0x214, 0x2ff, 0x1000, UINT64_MAX };
	struct heap_symbol list[ARRAY_LEN(places)] = { 0 };
	struct heap_symbols s = { .list = NULL };
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || fd_write_all(fd, bytes, size) < 0)
		abort();
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		list[i].in_file = places[i];
	heap_elf_name(&s, fd, list, ARRAY_LEN(places));
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (list[i].function != NULL && strlen(list[i].function) > size)
			abort();
	heap_elf_symbol(&s, fd, "procd_heap_state");
	heap_symbols_free(&s);
	close(fd);
	return 0;
}
