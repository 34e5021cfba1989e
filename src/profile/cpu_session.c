/* Records come from one ring per processor, so they are put in order by their time: in each round
 * only what is older than the round before is taken, for nothing older can come any more. A sample
 * is resolved to places in files at once, as the mappings are at that moment. */
#include "profile/cpu_session.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "profile/cpu_session_inner.h"

struct cpu_session *cpu_session_new(unsigned hz)
{
	struct cpu_session *s = x_calloc(1, sizeof(*s));

	s->hz = hz;
	s->began_ns = clock_mono_ns();
	s->began_real_ns = clock_real_ns();
	strbuf_init(&s->waiting);
	return s;
}

void cpu_session_free(struct cpu_session *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->nrings; i++)
		cpu_ring_unmap(&s->rings[i]);
	for (size_t i = 0; i < s->nbatches; i++) {
		for (size_t j = 0; j < s->batches[i].n; j++)
			close(s->batches[i].fds[j]);
		free(s->batches[i].fds);
	}
	map_for_each(slot, &s->threads)
		free(slot->value);
	for (size_t i = 0; i < s->nlocations; i++)
		free(s->by_number[i]);
	map_for_each(slot, &s->stacks) {
		struct cpu_stack *stack = slot->value;

		free(stack->locations);
		free(stack->thread);
		free(stack);
	}
	map_fini(&s->threads);
	map_fini(&s->locations);
	map_fini(&s->stacks);
	cpu_maps_fini(&s->maps);
	strbuf_fini(&s->waiting);
	free(s->rings);
	free(s->batches);
	free(s->watched);
	free(s->by_number);
	free(s->used);
	free(s);
}

/* --- events -------------------------------------------------------------------------------------- */

static struct cpu_ring *ring_of(struct cpu_session *s, int cpu)
{
	for (size_t i = 0; i < s->nrings; i++)
		if (s->rings[i].cpu == cpu)
			return &s->rings[i];
	return NULL;
}

/* All events of one processor write into one ring, that of the first. */
static int event_connect(struct cpu_session *s, int fd, int cpu, struct error *e)
{
	struct cpu_ring *ring = ring_of(s, cpu);
	int rc;

	if (ring != NULL) {
		if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, ring->fd) == 0)
			return 0;
		rc = -errno;
		error_set(e, ERROR_PLATFORM, -rc, "cannot join perf events");
		return rc;
	}
	s->rings = x_reallocarray(s->rings, s->nrings + 1, sizeof(*s->rings));
	rc = cpu_ring_map(&s->rings[s->nrings], fd, cpu);
	if (rc < 0)
		error_set(e, ERROR_RESOURCE_MEMORY, -rc, "cannot map a perf ring%s",
			  rc == -EPERM ? " (kernel.perf_event_mlock_kb, or the limit on locked memory)"
				       : "");
	else
		s->nrings++;
	return rc;
}

/* Switch all events of S on or off. 0 or negative errno. */
static int events_switch(const struct cpu_batch *b, unsigned long request)
{
	for (size_t i = 0; i < b->n; i++)
		if (ioctl(b->fds[i], request, 0) < 0)
			return -errno;
	return 0;
}

int cpu_session_attach(struct cpu_session *s, const int *cpus, size_t ncpus, int *fds, size_t nfds,
		       struct error *e)
{
	int rc = 0;

	s->batches = x_reallocarray(s->batches, s->nbatches + 1, sizeof(*s->batches));
	s->batches[s->nbatches++] = (struct cpu_batch){ fds, nfds };
	for (size_t i = 0; i < nfds && rc == 0; i++)
		rc = event_connect(s, fds[i], cpus[i % ncpus], e);
	if (rc < 0)
		return rc;
	rc = events_switch(&s->batches[s->nbatches - 1], PERF_EVENT_IOC_ENABLE);
	if (rc < 0)
		error_set(e, ERROR_PLATFORM, -rc, "cannot switch on perf events");
	for (size_t i = 0; i + ncpus <= nfds && rc == 0; i += ncpus) {
		s->watched = x_reallocarray(s->watched, s->nwatched + 1, sizeof(*s->watched));
		s->watched[s->nwatched++] = (struct cpu_watched){ .fds = fds + i, .n = ncpus };
	}
	return rc;
}

static void thread_name_set(struct cpu_session *s, pid_t tid, const char *name)
{
	char key[16];

	snprintf(key, sizeof(key), "%d", (int)tid);
	free(map_put(&s->threads, key, x_strdup(name)));
}

/* The kernel tells new names; those that are there already stand in /proc. */
static const char *thread_name(struct cpu_session *s, pid_t pid, pid_t tid)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	char key[16], path[64];
	const char *name;

	snprintf(key, sizeof(key), "%d", (int)tid);
	name = map_find(&s->threads, key);
	if (name != NULL)
		return name;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int)pid, (int)tid);
	if (file_read(path, 64, &text) == 0)
		text.buf[strcspn(text.buf, "\n")] = '\0';
	thread_name_set(s, tid, text.buf);
	return map_find(&s->threads, key);
}

void cpu_session_add_process(struct cpu_session *s, pid_t pid)
{
	cpu_maps_read(&s->maps, pid);
	if (cpu_maps_process(&s->maps, pid)->unreadable)
		s->totals.unreadable++;
}

/* --- samples ------------------------------------------------------------------------------------- */

static struct cpu_location *location_of(struct cpu_session *s, struct cpu_region *region,
					bool kernel, uint64_t address)
{
	struct cpu_location *l;
	char key[48];

	snprintf(key, sizeof(key), "%c%llx %llx", kernel ? 'k' : 'u',
		 region != NULL ? (unsigned long long)region->number : 0,
		 (unsigned long long)address);
	l = map_find(&s->locations, key);
	if (l != NULL)
		return l;
	l = x_calloc(1, sizeof(*l));
	*l = (struct cpu_location){ .number = s->nlocations + 1, .address = address, .region = region,
				.kernel = kernel };
	map_put(&s->locations, key, l);
	s->by_number = x_reallocarray(s->by_number, s->nlocations + 1, sizeof(*s->by_number));
	s->by_number[s->nlocations++] = l;
	return l;
}

static struct cpu_region *region_at(struct cpu_session *s, pid_t pid, uint64_t address)
{
	struct cpu_region *r = cpu_maps_find(cpu_maps_process(&s->maps, pid), address);

	if (r == NULL) {
		s->totals.unknown++;
		return NULL;
	}
	if (r->number == 0) {
		r->number = s->nused + 1;
		s->used = x_reallocarray(s->used, s->nused + 1, sizeof(*s->used));
		s->used[s->nused++] = r;
		cpu_file_open(r->file, pid);
	}
	return r;
}

/* The kernel's marks in a chain say whose addresses follow. Behind the first of them are return
 * addresses: the call is what stands before. */
static size_t chain_resolve(struct cpu_session *s, const struct cpu_record *r, uint64_t *numbers)
{
	bool kernel = false, skip = false;
	size_t n = 0;

	for (size_t i = 0; i < r->nchain; i++) {
		uint64_t address = r->chain[i];

		if (address >= (uint64_t)PERF_CONTEXT_MAX) {
			kernel = address == (uint64_t)PERF_CONTEXT_KERNEL;
			skip = !kernel && address != (uint64_t)PERF_CONTEXT_USER;
			continue;
		}
		if (skip || address == 0)
			continue;
		address -= n > 0;
		s->kernel_used |= kernel;
		numbers[n++] = location_of(s, kernel ? NULL : region_at(s, r->pid, address), kernel,
					   address)->number;
	}
	return n;
}

static void sample_take(struct cpu_session *s, const struct cpu_record *r)
{
	auto_free(freep) uint64_t *numbers = x_calloc(r->nchain + 1, sizeof(*numbers));
	auto_free(strbuf_fini) struct strbuf key = STRBUF_INIT;
	const char *thread = thread_name(s, r->pid, r->tid);
	size_t n = chain_resolve(s, r, numbers);
	struct cpu_stack *stack;

	if (n == 0)
		return;
	s->totals.samples++;
	s->totals.without_callers += n == 1;
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&key, "%llx ", (unsigned long long)numbers[i]);
	strbuf_addf(&key, "%d %s", (int)r->pid, thread);
	stack = map_find(&s->stacks, key.buf);
	if (stack == NULL) {
		stack = x_calloc(1, sizeof(*stack));
		*stack = (struct cpu_stack){ .locations = take(numbers), .n = n, .pid = r->pid,
					 .thread = x_strdup(thread) };
		map_put(&s->stacks, key.buf, stack);
	}
	stack->count++;
}

static void record_take(struct cpu_session *s, const struct cpu_record *r)
{
	struct cpu_process_map *p;

	switch (r->kind) {
	case CPU_RECORD_SAMPLE:
		sample_take(s, r);
		break;
	case CPU_RECORD_MAP:
		p = cpu_maps_process(&s->maps, r->pid);
		cpu_maps_add(&s->maps, p, r->start, r->start + r->length, r->offset, r->inode,
			     r->text);
		break;
	case CPU_RECORD_FORK:
		cpu_maps_fork(&s->maps, r->parent_pid, r->pid);
		if (r->tid != r->parent_tid)
			thread_name_set(s, r->tid, thread_name(s, r->parent_pid, r->parent_tid));
		break;
	case CPU_RECORD_NAME:
		if (r->exec)
			cpu_maps_clear(cpu_maps_process(&s->maps, r->pid));
		thread_name_set(s, r->tid, r->text);
		break;
	case CPU_RECORD_LOST:
		s->totals.lost += r->lost;
		break;
	case CPU_RECORD_EXIT:
	case CPU_RECORD_OTHER:
		break;
	}
}

/* --- rounds -------------------------------------------------------------------------------------- */

struct order {
	uint64_t time_ns;
	size_t at;
};

static int by_time(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Records of WAITING up to UNTIL_NS, by their time; the others stay. */
static void waiting_take(struct cpu_session *s, uint64_t until_ns)
{
	auto_free(strbuf_fini) struct strbuf young = STRBUF_INIT;
	auto_free(freep) struct order *order = NULL;
	size_t n = 0, cap = 0, len;
	struct cpu_record r;

	for (size_t at = 0; at < s->waiting.len; at += len) {
		len = cpu_record_parse(s->waiting.buf + at, s->waiting.len - at, &r);
		if (len == 0)	/* the kernel does not write such */
			break;
		if (r.time_ns >= until_ns) {
			strbuf_add(&young, s->waiting.buf + at, len);
			continue;
		}
		if (n == cap) {
			cap = MAX(cap * 2, (size_t)256);
			order = x_reallocarray(order, cap, sizeof(*order));
		}
		order[n++] = (struct order){ r.time_ns, at };
	}
	if (n > 0)
		qsort(order, n, sizeof(*order), by_time);
	for (size_t i = 0; i < n; i++) {
		cpu_record_parse(s->waiting.buf + order[i].at, s->waiting.len - order[i].at, &r);
		record_take(s, &r);
	}
	strbuf_reset(&s->waiting);
	strbuf_add(&s->waiting, young.buf, young.len);
}

static void round_take(struct cpu_session *s)
{
	uint64_t now = (uint64_t)clock_mono_ns();

	for (size_t i = 0; i < s->nrings; i++)
		cpu_ring_take(&s->rings[i], &s->waiting);
	waiting_take(s, s->horizon_ns);
	s->horizon_ns = now;
}

size_t cpu_session_npoll(const struct cpu_session *s)
{
	return s->nwatched + s->nrings;
}

/* One event of each thread that lives, and of one of these all: whatever ring it goes to, somebody
 * is woken. An event whose threads have ended would be ready for ever. */
size_t cpu_session_poll(const struct cpu_session *s, struct pollfd *fds)
{
	bool all = true;
	size_t n = 0;

	for (size_t i = 0; i < s->nwatched; i++) {
		const struct cpu_watched *w = &s->watched[i];

		for (size_t j = 0; !w->ended && j < (all ? w->n : 1); j++)
			fds[n++] = (struct pollfd){ .fd = w->fds[j], .events = POLLIN };
		all = all && w->ended;
	}
	return n;
}

static void thread_ended(struct cpu_session *s, int fd)
{
	for (size_t i = 0; i < s->nwatched; i++) {
		struct cpu_watched *w = &s->watched[i];

		for (size_t j = 0; !w->ended && j < w->n; j++)
			if (w->fds[j] == fd) {
				w->ended = true;
				s->nended++;
				return;
			}
	}
}

void cpu_session_polled(struct cpu_session *s, const struct pollfd *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i].revents & (POLLHUP | POLLERR))
			thread_ended(s, fds[i].fd);
	round_take(s);
}

bool cpu_session_lives(const struct cpu_session *s)
{
	return s->nended < s->nwatched;
}

void cpu_session_end(struct cpu_session *s)
{
	for (size_t i = 0; i < s->nbatches; i++)
		events_switch(&s->batches[i], PERF_EVENT_IOC_DISABLE);
	round_take(s);
	waiting_take(s, UINT64_MAX);
	s->totals.duration_ns = clock_mono_ns() - s->began_ns;
}
