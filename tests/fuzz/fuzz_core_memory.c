/* The saved run-time state as arbitrary bytes laid over a good file, cut where the input ends or
 * not. Whatever is in it: what is loaded is in bounds, what is stored then is loaded again, and a
 * second look at the same file finds the same. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "core/memory.h"
#include "fuzz.h"

static void quiet(void *ctx, enum log_level level, const char *subsystem, const char *message)
{
	(void)ctx;
	(void)level;
	(void)subsystem;
	(void)message;
}

static void make_good(int fd)
{
	struct memory_head h = { .next_id = 7, .next_spawn_id = 8 };
	struct memory m;

	check(ftruncate(fd, 0) == 0);
	memory_open(&m, fd);
	for (int twice = 0; twice < 2; twice++) {
		memory_store_head(&m, &h);
		for (uint32_t slot = 0; slot < 3; slot++) {
			struct memory_entry e = { .id = slot + 1, .flags = MEMORY_USED };

			e.name[0] = (char)('a' + slot);
			memory_store(&m, slot, &e);
		}
	}
	memory_close(&m);
}

static uint32_t look(struct memory *m)
{
	struct memory_entry e;
	struct memory_head h;
	uint32_t n = memory_load_head(m, &h);

	for (uint32_t slot = 0; slot < m->nslots + 2; slot++) {
		if (!memory_load(m, slot, &e))
			continue;
		check(strlen(e.name) < NAME_CAP && e.flags & MEMORY_USED);
		n += 2;
	}
	return n;
}

/* The first byte: 1 cuts the file behind the input; the next two say where the input lies. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct memory_entry e = { .id = 99, .flags = MEMORY_USED, .name = "new" };
	struct memory_head h = { .next_id = 100 };
	static int fd = -1;
	struct memory m;
	off_t at;

	if (size < 3 || size > 16384)
		return 0;
	if (fd < 0) {
		fd = memfd_create("memory", MFD_CLOEXEC);
		log_set_sink(quiet, NULL);
	}
	check(fd >= 0);
	make_good(fd);
	at = (bytes[1] | bytes[2] << 8) % 2048;
	check(pwrite(fd, bytes + 3, size - 3, at) == (ssize_t)size - 3);
	if (bytes[0] & 1)
		check(ftruncate(fd, at + (off_t)size - 3) == 0);
	memory_open(&m, fd);
	look(&m);
	memory_store(&m, 1, &e);
	memory_store_head(&m, &h);
	check(memory_load(&m, 1, &e) && e.id == 99);
	uint32_t found = look(&m);

	memory_close(&m);
	memory_open(&m, fd);
	check(look(&m) == found && m.head_valid && !m.cut && !m.unusable);
	check(memory_load(&m, 1, &e) && e.id == 99);
	memory_close(&m);
	return 0;
}
