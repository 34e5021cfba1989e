/* Whatever a file holds, reading it as ELF ends, and what it gives can be asked. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "profile/elf.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct elf e;
	uint64_t address;

	if (fd < 0 || fd_write_all(fd, bytes, size) < 0)
		abort();
	if (elf_read(fd, &e) == 0) {
		for (size_t i = 0; i < e.nsegments; i++)
			if (e.segments[i].size > 0 &&
			    !elf_address(&e, e.segments[i].offset, &address))
				abort();
		for (size_t i = 0; i < e.nsymbols; i++) {
			const char *name = elf_function(&e, e.symbols[i].address);

			if (name != NULL && strlen(name) > e.names_size)
				abort();
		}
		elf_fini(&e);
	}
	close(fd);
	return 0;
}
