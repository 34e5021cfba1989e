/* One event per thread and processor, because only those can be inherited and mapped: an event that
 * follows its thread over all processors cannot be both. What a thread makes after its events were
 * opened is covered by inheritance; what was there before is found in /proc, once. */
#include "profile/cpu_open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/nofile.h"
#include "config/placement.h"
#include "keeper/linereader.h"
#include "keeper/proctable.h"

#define GENERATIONS_MAX 1024

void cpu_events_fini(struct cpu_events *e)
{
	for (size_t i = 0; i < e->n; i++)
		close(e->fds[i]);
	free(e->fds);
	free(e->cpus);
	free(e->processes);
	*e = (struct cpu_events)CPU_EVENTS_INIT;
}

/* --- processors -------------------------------------------------------------------------------- */

static void cpus_online(struct cpu_events *out)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	uint64_t mask[CPU_LIST_WORDS] = { 0 };
	bool known = file_read("/sys/devices/system/cpu/online", 4096, &text) == 0;

	text.buf[strcspn(text.buf, "\n")] = '\0';
	if (!known || cpu_list_parse(text.buf, mask) < 0) {
		long n = MIN(MAX(sysconf(_SC_NPROCESSORS_ONLN), 1), (long)CPU_LIST_MAX);

		for (long i = 0; i < n; i++)
			mask[i / 64] |= UINT64_C(1) << i % 64;
	}
	out->cpus = x_calloc(CPU_LIST_MAX, sizeof(*out->cpus));
	for (int i = 0; i < CPU_LIST_MAX; i++)
		if (mask[i / 64] >> i % 64 & 1)
			out->cpus[out->ncpus++] = i;
}

/* --- the members of a tree --------------------------------------------------------------------- */

/* Walk up from P: is it below TARGET? Otherwise *TOP is the ancestor that is a child of the
 * keeper, or NULL. */
static bool descends(const struct proctable *t, const struct cpu_request *request,
		     const struct cpu_target *target, const struct proc *p, const struct proc **top)
{
	*top = NULL;
	for (int i = 0; p != NULL && i < GENERATIONS_MAX; i++) {
		if (p->pid == target->pid)
			return true;
		if (p->ppid == request->keeper) {
			*top = p;
			return false;
		}
		p = proctable_find(t, p->ppid);
	}
	return false;
}

/* Also orphans, which came to the keeper: by their session, or by the name that they inherited. */
static bool is_member(const struct proctable *t, const struct cpu_request *request,
		      const struct cpu_target *target, const struct proc *p)
{
	const struct proc *top;

	if (p->dead)
		return false;
	if (target->alone || p->pid == target->pid)
		return p->pid == target->pid;
	if (descends(t, request, target, p, &top))
		return true;
	if (top == NULL || top->pid == getpid())
		return false;
	return p->sid == target->pid || top->sid == target->pid ||
	       proc_has_marker(top->pid, target->name);
}

/* --- events ------------------------------------------------------------------------------------ */

struct opener {
	const struct cpu_request *request;
	struct cpu_events *out;
	struct perf_event_attr attr;
	size_t limit;			/* descriptors that may be used */
	int errnum;			/* of the first refusal */
};

static void attr_init(struct opener *o)
{
	struct perf_event_attr *a = &o->attr;

	a->size = sizeof(*a);
	a->type = PERF_TYPE_SOFTWARE;
	a->config = PERF_COUNT_SW_CPU_CLOCK;	/* virtual machines have no other */
	a->freq = 1;
	a->sample_freq = o->request->hz;
	a->sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CALLCHAIN;
	a->sample_id_all = 1;
	a->disabled = 1;
	a->mmap = a->mmap2 = 1;
	a->comm = a->comm_exec = 1;
	a->task = 1;
	a->use_clockid = 1;
	a->clockid = CLOCK_MONOTONIC;
	a->watermark = 1;
	a->wakeup_watermark = 16 * 1024;
	a->exclude_hv = 1;
	a->exclude_kernel = !o->request->kernel;
}

static int event_open(struct opener *o, pid_t tid, int cpu)
{
	for (;;) {
		int fd = (int)syscall(SYS_perf_event_open, &o->attr, tid, cpu, -1,
				      PERF_FLAG_FD_CLOEXEC);

		if (fd >= 0)
			return fd;
		if ((errno == EACCES || errno == EPERM) && !o->attr.exclude_kernel)
			o->attr.exclude_kernel = 1;
		else if (errno == EINVAL && o->attr.inherit_thread)	/* before Linux 5.13 */
			o->attr.inherit = o->attr.inherit_thread = 0;
		else
			return -errno;
	}
}

/* All events of one thread, or none. 0, or negative errno. */
static int thread_open(struct opener *o, pid_t tid)
{
	struct cpu_events *out = o->out;
	size_t before = out->n;

	for (size_t i = 0; i < out->ncpus; i++) {
		int fd = event_open(o, tid, out->cpus[i]);

		if (fd >= 0) {
			out->fds[out->n++] = fd;
			continue;
		}
		while (out->n > before)
			close(out->fds[--out->n]);
		return fd;
	}
	out->threads++;
	return 0;
}

/* Whether all went well enough to go on. */
static bool threads_open(struct opener *o, pid_t pid)
{
	struct direntry_reader r;
	const char *name;
	char path[32];
	bool ok = true;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return true;
	direntry_init(&r, fd);
	while (ok && (name = direntry_next(&r, DIRENTRY_NUMBERS)) != NULL) {
		int rc;

		if (o->out->n + o->out->ncpus > o->limit) {
			o->out->left_out++;
			continue;
		}
		rc = thread_open(o, (pid_t)strtol(name, NULL, 10));
		if (rc < 0 && rc != -ESRCH) {
			o->errnum = -rc;
			ok = false;
		}
	}
	close(fd);
	return ok;
}

static void events_drop(struct cpu_events *out, size_t to, uint32_t threads)
{
	while (out->n > to)
		close(out->fds[--out->n]);
	out->threads = threads;
}

/* The number was looked up before and used after: is it still who it was? */
static bool process_open(struct opener *o, pid_t pid, uint64_t start_ticks, uint32_t target)
{
	struct cpu_events *out = o->out;
	const size_t before = out->n;
	const uint32_t threads = out->threads;
	bool alone = o->request->targets[target].alone;

	o->attr.inherit = 1;
	o->attr.inherit_thread = alone;
	if (!threads_open(o, pid))
		return false;
	if (start_ticks != 0 && process_start_time(pid) != start_ticks) {
		events_drop(out, before, threads);
		return true;
	}
	if (out->n == before)
		return true;
	out->processes = x_reallocarray(out->processes, out->nprocesses + 1,
					sizeof(*out->processes));
	out->processes[out->nprocesses++] = (struct cpu_process){ pid, target };
	return true;
}

static bool target_lives(const struct proctable *t, const struct cpu_target *target)
{
	const struct proc *p = proctable_find(t, target->pid);

	return p != NULL && (target->start_ticks == 0 || p->start_ticks == target->start_ticks);
}

static void target_open(struct opener *o, const struct proctable *t, uint32_t target)
{
	const struct cpu_target *wanted = &o->request->targets[target];

	if (!target_lives(t, wanted))
		return;
	for (uint32_t i = 0; i < t->n && o->errnum == 0; i++)
		if (is_member(t, o->request, wanted, &t->procs[i]) &&
		    !process_open(o, t->procs[i].pid, t->procs[i].start_ticks, target))
			return;
}

/* Half of the descriptors that nobody uses: others need some, too. */
static size_t descriptors_free(void)
{
	uint64_t limit = nofile_claim(0, 2 * CPU_EVENTS_MAX), used = 0;
	int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct direntry_reader r;

	if (fd < 0)
		return CPU_EVENTS_MAX / 16;
	direntry_init(&r, fd);
	while (direntry_next(&r, DIRENTRY_NUMBERS) != NULL)
		used++;
	close(fd);
	return limit <= used ? 0 : (size_t)MIN((limit - used) / 2, (uint64_t)CPU_EVENTS_MAX);
}

void cpu_refusal(int errnum, const char *paranoid, struct error *e)
{
	bool known = *paranoid != '\0';

	if (errnum == EACCES || errnum == EPERM)
		error_set(e, ERROR_PLATFORM_FEATURE, errnum, "perf_event_open is not allowed here "
			  "(kernel.perf_event_paranoid = %s): procd needs CAP_PERFMON (before Linux "
			  "5.8 CAP_SYS_ADMIN), or a lower perf_event_paranoid (2 is enough for "
			  "processes of its own user); a container may forbid it, too",
			  known ? paranoid : "?");
	else if (errnum == ENOSYS || errnum == ENOENT || errnum == EOPNOTSUPP)
		error_set(e, ERROR_PLATFORM_FEATURE, errnum,
			  "this kernel, or this container, has no "
			  "perf_event_open");
	else if (errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM)
		error_set(e, ERROR_RESOURCE_FDS, errnum, "cannot open perf events");
	else
		error_set(e, ERROR_PLATFORM_FEATURE, errnum, "perf_event_open");
}

static int refused(int errnum, struct error *e)
{
	auto_free(strbuf_fini) struct strbuf paranoid = STRBUF_INIT;

	file_read("/proc/sys/kernel/perf_event_paranoid", 16, &paranoid);
	if (paranoid.len > 0 && paranoid.buf[paranoid.len - 1] == '\n')
		paranoid.buf[paranoid.len - 1] = '\0';
	cpu_refusal(errnum, paranoid.buf, e);
	return -errnum;
}

int cpu_open(const struct cpu_request *request, struct cpu_events *out, struct error *e)
{
	struct opener o = { .request = request, .out = out };
	struct proctable table = { 0 };
	int rc = proctable_init(&table);

	*out = (struct cpu_events)CPU_EVENTS_INIT;
	if (rc == 0)
		rc = proctable_look(&table);
	if (rc < 0) {
		error_set(e, ERROR_PLATFORM_FEATURE, -rc, "cannot look at the processes");
	} else {
		cpus_online(out);
		attr_init(&o);
		o.limit = descriptors_free();
		out->fds = x_calloc(MAX(o.limit, (size_t)1), sizeof(*out->fds));
		for (uint32_t i = 0; i < request->n && o.errnum == 0; i++)
			target_open(&o, &table, i);
	}
	if (table.procs != NULL && table.procs != MAP_FAILED)
		munmap(table.procs, PROCTABLE_MAX * sizeof(*table.procs));
	out->kernel = !o.attr.exclude_kernel;
	if (rc == 0 && o.errnum == 0 && out->threads == 0 && out->left_out > 0)
		o.errnum = EMFILE;
	if (o.errnum != 0)
		rc = refused(o.errnum, e);
	else if (rc == 0 && out->threads == 0)
		rc = -ESRCH;
	if (rc < 0)
		cpu_events_fini(out);
	return rc;
}
