/* /proc/PID/maps says which file an address belongs to. */
#include "profile/heap_symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profile/heap_region.h"

#define READ_FIRST (64U * 1024)
#define READ_MAX (64U * 1024 * 1024)

/* --- memory ----------------------------------------------------------------------------------- */

/* Stands at the beginning of each. */
struct heap_region {
	struct heap_region *next;
	size_t size;
};

void *heap_region_new(struct heap_symbols *s, size_t size)
{
	struct heap_region *r;

	if (size > SIZE_MAX - sizeof(*r))
		return NULL;
	size += sizeof(*r);
	r = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r == MAP_FAILED)
		return NULL;
	r->next = s->regions;
	r->size = size;
	s->regions = r;
	return r + 1;
}

void heap_symbols_free(struct heap_symbols *s)
{
	while (s->regions != NULL) {
		struct heap_region *r = s->regions;

		s->regions = r->next;
		munmap(r, r->size);
	}
	*s = (struct heap_symbols){ .list = NULL };
}

ssize_t heap_read_at(int fd, void *buf, size_t size, int64_t at)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got =
			at < 0 ? read(fd, (char *)buf + n, size - n) :
				 pread(fd, (char *)buf + n, size - n, (off_t)(at + (int64_t)n));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

char *heap_symbols_read(struct heap_symbols *s, const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *buf = NULL;
	ssize_t n = -1;

	if (fd < 0)
		return NULL;
	for (size_t room = READ_FIRST; room <= READ_MAX; room *= 4) {
		buf = heap_region_new(s, room);
		n = buf != NULL && lseek(fd, 0, SEEK_SET) == 0
			? heap_read_at(fd, buf, room - 1, -1) : -1;
		if (n < 0 || (size_t)n < room - 1)
			break;
	}
	close(fd);
	if (n < 0)
		return NULL;
	buf[n] = '\0';
	*size = (size_t)n;
	return buf;
}

/* --- mappings --------------------------------------------------------------------------------- */

struct mapping {
	uint64_t start, end, offset;
	char *path;			/* NULL: none */
};

/* One line: START-END PERMISSIONS OFFSET DEVICE INODE [PATH]. */
static bool mapping_parse(char *line, struct mapping *m)
{
	char *at = line;

	m->start = strtoull(at, &at, 16);
	if (*at++ != '-')
		return false;
	m->end = strtoull(at, &at, 16);
	if (*at++ != ' ')
		return false;
	at = strchr(at, ' ');
	if (at == NULL)
		return false;
	m->offset = strtoull(at, &at, 16);
	for (int i = 0; i < 2 && at != NULL; i++)	/* device, inode */
		at = strchr(at + 1, ' ');
	if (at == NULL)
		return false;
	at += strspn(at, " ");
	m->path = *at != '\0' ? at : NULL;
	return true;
}

static int open_mapped(const char *path, int pid)
{
	char full[PATH_MAX + 32];

	if (pid == 0)
		return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if ((size_t)snprintf(full, sizeof(full), "/proc/%d/root%s", pid, path) >= sizeof(full))
		return -1;
	return open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* The N symbols of LIST lie in M. */
static void mapping_name(struct heap_symbols *s, const struct mapping *m, struct heap_symbol *list,
			 size_t n, int pid)
{
	int fd;

	if (m->path == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		list[i].file = m->path;
		list[i].in_file = list[i].address - m->start + m->offset;
	}
	fd = m->path[0] == '/' ? open_mapped(m->path, pid) : -1;
	if (fd < 0)
		return;
	heap_elf_name(s, fd, list, n);
	close(fd);
}

static void name_all(struct heap_symbols *s, char *maps, int pid)
{
	struct mapping m;
	size_t first = 0, n;

	for (char *line = maps, *end; first < s->n && *line != '\0'; line = end) {
		end = line + strcspn(line, "\n");
		if (*end == '\n')
			*end++ = '\0';
		if (!mapping_parse(line, &m))
			continue;
		while (first < s->n && s->list[first].address < m.start)
			first++;
		for (n = 0; first + n < s->n && s->list[first + n].address < m.end;)
			n++;
		if (n > 0)
			mapping_name(s, &m, s->list + first, n, pid);
		first += n;
	}
}

int heap_symbols_load(struct heap_symbols *s, const uint64_t *sorted, size_t n, int pid)
{
	char path[48] = "/proc/self/maps";
	size_t size;
	char *maps;

	*s = (struct heap_symbols){ .n = n };
	s->list = heap_region_new(s, (n + 1) * sizeof(*s->list));
	if (s->list == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		s->list[i].address = s->list[i].in_file = sorted[i];
	if (pid != 0)
		snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = heap_symbols_read(s, path, &size);
	if (maps != NULL)
		name_all(s, maps, pid);
	return 0;
}

size_t heap_symbols_find(const struct heap_symbols *s, uint64_t address)
{
	size_t low = 0, high = s->n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (s->list[middle].address <= address)
			low = middle;
		else
			high = middle;
	}
	return low;
}
