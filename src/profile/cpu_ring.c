/* A ring is one page of positions and a power of two of data pages. The kernel moves the head, we
 * the tail; a record that wraps is put together by copying, which is done for all, since the ring
 * is then free again before anything is looked up. */
#include "profile/cpu_ring.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

int cpu_ring_map(struct cpu_ring *r, int fd, int cpu)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	*r = (struct cpu_ring){ .fd = fd, .cpu = cpu, .size = CPU_RING_PAGES * page };
	r->base = mmap(NULL, page + r->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (r->base != MAP_FAILED)
		return 0;
	r->base = NULL;
	return -errno;
}

void cpu_ring_unmap(struct cpu_ring *r)
{
	if (r->base != NULL)
		munmap(r->base, (size_t)sysconf(_SC_PAGESIZE) + r->size);
	r->base = NULL;
}

void cpu_ring_take(struct cpu_ring *r, struct strbuf *out)
{
	struct perf_event_mmap_page *head = r->base;
	const char *data = (const char *)r->base + sysconf(_SC_PAGESIZE);
	uint64_t to = __atomic_load_n(&head->data_head, __ATOMIC_ACQUIRE), at = head->data_tail;

	while (at < to) {
		size_t from = (size_t)(at & (r->size - 1));
		size_t n = MIN((size_t)(to - at), r->size - from);

		strbuf_add(out, data + from, n);
		at += n;
	}
	__atomic_store_n(&head->data_tail, to, __ATOMIC_RELEASE);
}

/* --- records ------------------------------------------------------------------------------------- */

/* Behind every record but samples, because of sample_id_all: what sample_type asks for. */
struct trailer {
	uint32_t pid, tid;
	uint64_t time;
};

struct body {
	const char *at, *end;
};

static const void *part(struct body *b, size_t n)
{
	const char *at = b->at;

	if ((size_t)(b->end - b->at) < n)
		return NULL;
	b->at += n;
	return at;
}

static bool sample_parse(struct body *b, struct cpu_record *out)
{
	const struct { uint32_t pid, tid; uint64_t time, n; } *head = part(b, sizeof(*head));

	if (head == NULL || head->n > (size_t)(b->end - b->at) / sizeof(uint64_t))
		return false;
	out->kind = CPU_RECORD_SAMPLE;
	out->pid = (pid_t)head->pid;
	out->tid = (pid_t)head->tid;
	out->time_ns = head->time;
	out->chain = (const uint64_t *)(const void *)b->at;
	out->nchain = (size_t)head->n;
	return true;
}

/* A text of the kernel that ends before the record does. */
static const char *text_at(struct body *b)
{
	return memchr(b->at, '\0', (size_t)(b->end - b->at)) != NULL ? b->at : NULL;
}

static bool map_parse(struct body *b, struct cpu_record *out)
{
	const struct {
		uint32_t pid, tid;
		uint64_t start, length, offset;
		uint32_t major, minor;
		uint64_t inode, generation;
		uint32_t protection, flags;
	} *head = part(b, sizeof(*head));

	if (head == NULL)
		return false;
	out->kind = CPU_RECORD_MAP;
	out->pid = (pid_t)head->pid;
	out->tid = (pid_t)head->tid;
	out->start = head->start;
	out->length = head->length;
	out->offset = head->offset;
	out->inode = head->inode;
	out->text = text_at(b);
	return out->text != NULL;
}

static bool task_parse(struct body *b, struct cpu_record *out, enum cpu_record_kind kind)
{
	const struct { uint32_t pid, ppid, tid, ptid; uint64_t time; } *head = part(b, sizeof(*head));

	if (head == NULL)
		return false;
	out->kind = kind;
	out->pid = (pid_t)head->pid;
	out->parent_pid = (pid_t)head->ppid;
	out->parent_tid = (pid_t)head->ptid;
	out->tid = (pid_t)head->tid;
	return true;
}

static bool name_parse(struct body *b, struct cpu_record *out)
{
	const struct { uint32_t pid, tid; } *head = part(b, sizeof(*head));

	if (head == NULL)
		return false;
	out->kind = CPU_RECORD_NAME;
	out->pid = (pid_t)head->pid;
	out->tid = (pid_t)head->tid;
	out->text = text_at(b);
	return out->text != NULL;
}

static bool lost_parse(struct body *b, struct cpu_record *out)
{
	const struct { uint64_t id, lost; } *head = part(b, sizeof(*head));

	if (head == NULL)
		return false;
	out->kind = CPU_RECORD_LOST;
	out->lost = head->lost;
	return true;
}

static bool body_parse(const struct perf_event_header *h, struct body b, struct cpu_record *out)
{
	switch (h->type) {
	case PERF_RECORD_SAMPLE:
		return sample_parse(&b, out);
	case PERF_RECORD_MMAP2:
		return map_parse(&b, out);
	case PERF_RECORD_FORK:
		return task_parse(&b, out, CPU_RECORD_FORK);
	case PERF_RECORD_EXIT:
		return task_parse(&b, out, CPU_RECORD_EXIT);
	case PERF_RECORD_COMM:
		out->exec = h->misc & PERF_RECORD_MISC_COMM_EXEC;
		return name_parse(&b, out);
	case PERF_RECORD_LOST:
		return lost_parse(&b, out);
	default:
		return false;
	}
}

size_t cpu_record_parse(const char *buf, size_t n, struct cpu_record *out)
{
	const struct perf_event_header *h = (const void *)buf;
	const struct trailer *trailer;

	*out = (struct cpu_record){ .kind = CPU_RECORD_OTHER };
	if (n < sizeof(*h) || h->size < sizeof(*h) || h->size > n || h->size % 8 != 0)
		return 0;
	if (h->type != PERF_RECORD_SAMPLE && h->size >= sizeof(*h) + sizeof(*trailer)) {
		trailer = (const void *)(buf + h->size - sizeof(*trailer));
		out->time_ns = trailer->time;
	}
	if (!body_parse(h, (struct body){ buf + sizeof(*h), buf + h->size }, out))
		out->kind = CPU_RECORD_OTHER;
	return h->size;
}
