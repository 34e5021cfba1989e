/* A mapping replaces what lay there before; what was unmapped stays known, which does no harm.
 * Files are opened at the first sample in them: later the process, its root directory or the file
 * itself may be gone. A file of the right name with another inode is another file. */
#include "profile/cpu_maps.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"

#define MAPS_MAX ((size_t)64 << 20)

static void file_free(struct cpu_file *f)
{
	closep(&f->fd);
	free(f->path);
	free(f);
}

void cpu_maps_fini(struct cpu_maps *m)
{
	map_for_each(slot, &m->processes) {
		struct cpu_process_map *p = slot->value;

		free(p->spans);
		free(p);
	}
	map_for_each(slot, &m->files)
		file_free(slot->value);
	map_for_each(slot, &m->regions)
		free(slot->value);
	map_fini(&m->processes);
	map_fini(&m->files);
	map_fini(&m->regions);
}

struct cpu_process_map *cpu_maps_process(struct cpu_maps *m, pid_t pid)
{
	struct cpu_process_map *p;
	char key[16];

	snprintf(key, sizeof(key), "%d", (int)pid);
	p = map_find(&m->processes, key);
	if (p == NULL) {
		p = x_calloc(1, sizeof(*p));
		p->pid = pid;
		map_put(&m->processes, key, p);
	}
	return p;
}

/* --- files and regions --------------------------------------------------------------------------- */

static struct cpu_file *file_of(struct cpu_maps *m, uint64_t inode, const char *path)
{
	auto_free(freep) char *key = x_asprintf("%llu %s", (unsigned long long)inode, path);
	struct cpu_file *f = map_find(&m->files, key);

	if (f == NULL) {
		f = x_calloc(1, sizeof(*f));
		f->path = x_strdup(path);
		f->inode = inode;
		f->fd = -1;
		map_put(&m->files, key, f);
	}
	return f;
}

static struct cpu_region *region_of(struct cpu_maps *m, struct cpu_file *file, uint64_t start,
				    uint64_t limit, uint64_t offset)
{
	struct cpu_region *r;
	char key[96];

	snprintf(key, sizeof(key), "%llx %llx %llx %p", (unsigned long long)start,
		 (unsigned long long)limit, (unsigned long long)offset, (void *)file);
	r = map_find(&m->regions, key);
	if (r == NULL) {
		r = x_calloc(1, sizeof(*r));
		*r = (struct cpu_region){ .file = file, .start = start, .limit = limit,
					  .offset = offset };
		map_put(&m->regions, key, r);
	}
	return r;
}

/* What the file of this number was mapped from, found by the path as that process sees it. */
static int open_same(const struct cpu_file *file, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (file->inode == 0 || st.st_ino == file->inode))
		return fd;
	closep(&fd);
	return -1;
}

void cpu_file_open(struct cpu_file *file, pid_t pid)
{
	auto_free(freep) char *inside = NULL;
	char exe[32];

	if (file->tried || file->path[0] != '/')
		return;
	file->tried = true;
	inside = x_asprintf("/proc/%d/root%s", (int)pid, file->path);
	snprintf(exe, sizeof(exe), "/proc/%d/exe", (int)pid);
	file->fd = open_same(file, inside);
	if (file->fd < 0)
		file->fd = open_same(file, file->path);
	if (file->fd < 0 && file->inode != 0)	/* replaced or removed, but still running */
		file->fd = open_same(file, exe);
}

/* --- spans --------------------------------------------------------------------------------------- */

static void span_append(struct cpu_process_map *p, struct cpu_span span)
{
	if (span.start >= span.limit)
		return;
	if (p->n == p->cap) {
		p->cap = MAX(p->cap * 2, (size_t)16);
		p->spans = x_reallocarray(p->spans, p->cap, sizeof(*p->spans));
	}
	p->spans[p->n++] = span;
}

/* Take [START, LIMIT) out of all spans. */
static void span_cut(struct cpu_process_map *p, uint64_t start, uint64_t limit)
{
	size_t n = p->n;

	for (size_t i = 0; i < n; i++) {
		struct cpu_span old = p->spans[i];

		if (old.start >= limit || old.limit <= start)
			continue;
		p->spans[i].limit = MAX(old.start, start);	/* what is left before it */
		span_append(p, (struct cpu_span){ limit, old.limit, old.region });
	}
	for (size_t i = 0; i < p->n;)
		if (p->spans[i].start >= p->spans[i].limit)
			p->spans[i] = p->spans[--p->n];
		else
			i++;
}

void cpu_maps_add(struct cpu_maps *m, struct cpu_process_map *p, uint64_t start, uint64_t limit,
		  uint64_t offset, uint64_t inode, const char *path)
{
	if (start >= limit)
		return;
	span_cut(p, start, limit);
	span_append(p, (struct cpu_span){ start, limit, region_of(m, file_of(m, inode, path), start,
								  limit, offset) });
}

struct cpu_region *cpu_maps_find(const struct cpu_process_map *p, uint64_t address)
{
	for (size_t i = 0; i < p->n; i++)
		if (address >= p->spans[i].start && address < p->spans[i].limit)
			return p->spans[i].region;
	return NULL;
}

void cpu_maps_clear(struct cpu_process_map *p)
{
	p->n = 0;
	p->unreadable = false;
}

void cpu_maps_fork(struct cpu_maps *m, pid_t parent, pid_t child)
{
	struct cpu_process_map *to = cpu_maps_process(m, child);
	const struct cpu_process_map *from = cpu_maps_process(m, parent);

	if (parent == child)
		return;
	cpu_maps_clear(to);
	for (size_t i = 0; i < from->n; i++)
		span_append(to, from->spans[i]);
	to->unreadable = from->unreadable;
}

/* --- /proc/PID/maps ------------------------------------------------------------------------------ */

/* "START-END PERMS OFFSET MAJ:MIN INODE   PATH", numbers in hex but the inode. False: it is none. */
static bool line_parse(struct cpu_maps *m, struct cpu_process_map *p, const char *line, size_t n)
{
	unsigned long long start, limit, offset, inode;
	char permissions[5], text[4096 + 128];
	int at = 0;

	if (n >= sizeof(text))
		return false;
	memcpy(text, line, n);
	text[n] = '\0';
	if (sscanf(text, "%llx-%llx %4s %llx %*x:%*x %llu %n", &start, &limit, permissions, &offset,
		   &inode, &at) < 5 || at == 0)
		return false;
	if (permissions[2] == 'x')
		cpu_maps_add(m, p, start, limit, offset, inode, text[at] ? text + at : "//anon");
	return true;
}

void cpu_maps_parse(struct cpu_maps *m, struct cpu_process_map *p, const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		line_parse(m, p, text, n);
		text += n + (text[n] != '\0');
	}
}

int cpu_maps_read(struct cpu_maps *m, pid_t pid)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	auto_free(closep) int fd = -1;
	char path[32];
	int rc;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		rc = -errno;
		cpu_maps_process(m, pid)->unreadable = rc == -EACCES || rc == -EPERM;
		return rc;
	}
	rc = fd_read_all(fd, MAPS_MAX, &text);
	cpu_maps_parse(m, cpu_maps_process(m, pid), text.buf);
	return rc;
}
