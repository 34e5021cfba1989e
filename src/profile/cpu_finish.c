/* The profile of what a session has taken: names are looked up now, a file at a time, once for each
 * place in it. */
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "profile/cpu_kernel.h"
#include "profile/cpu_pprof.h"
#include "profile/cpu_session_inner.h"
#include "profile/symbols.h"

#define VDSO_SIZE_MAX (64 * 1024)

/* The vdso is the same in all processes, so ours will do. */
static int vdso_open(void)
{
	const void *image = (const void *)(uintptr_t)getauxval(AT_SYSINFO_EHDR);
	int fd = image != NULL ? memfd_create("vdso", MFD_CLOEXEC) : -1;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 0;

	while (fd >= 0 && n < VDSO_SIZE_MAX && write(fd, (const char *)image + n, page) > 0)
		n += page;
	return fd;
}

static struct symbols *symbols_of(struct cpu_file *f)
{
	if (strcmp(f->path, "[vdso]") == 0 && f->fd < 0)
		f->fd = vdso_open();
	return f->fd >= 0 ? symbols_new(f->fd, f->path) : NULL;
}

static void locations_add(struct cpu_session *s, struct pprof *p, const struct cpu_region *region,
			  struct symbols *symbols)
{
	struct symbol_frame frames[SYMBOL_FRAMES_MAX];
	struct pprof_line lines[SYMBOL_FRAMES_MAX];

	for (size_t i = 0; i < s->nlocations; i++) {
		const struct cpu_location *l = s->by_number[i];
		size_t n = 0;

		if (l->region != region || l->kernel)
			continue;
		if (symbols != NULL)
			n = symbols_find(symbols, l->address - region->start + region->offset,
					 frames, SYMBOL_FRAMES_MAX);
		for (size_t j = 0; j < n; j++)
			lines[j] = (struct pprof_line){ frames[j].function, frames[j].file,
							frames[j].line, frames[j].start_line };
		pprof_location(p, l->number, region != NULL ? region->number : 0, l->address, lines,
			       n);
	}
}

/* A file at a time: its symbols are freed before the next one's are read. */
static void regions_add(struct cpu_session *s, struct pprof *p)
{
	for (uint64_t i = 0; i < s->nused; i++) {
		struct cpu_file *file = s->used[i]->file;
		struct symbols *symbols;

		if (file == NULL || s->used[i]->number != i + 1)
			continue;
		symbols = symbols_of(file);
		for (uint64_t j = i; j < s->nused; j++) {
			struct cpu_region *r = s->used[j];
			struct pprof_mapping m;

			if (r->file != file)
				continue;
			m = (struct pprof_mapping){
				.start = r->start, .limit = r->limit, .offset = r->offset,
				.file = file->path,
				.build_id = symbols != NULL ? symbols_build_id(symbols) : NULL,
				.has_functions = symbols != NULL,
				.has_files = symbols != NULL && symbols_has_lines(symbols),
				.has_lines = symbols != NULL && symbols_has_lines(symbols),
				.has_inlines = symbols != NULL && symbols_has_lines(symbols),
			};
			pprof_mapping(p, r->number, &m);
			locations_add(s, p, r, symbols);
			r->file = NULL;	/* done */
		}
		symbols_free(symbols);
	}
	locations_add(s, p, NULL, NULL);
}

static void kernel_add(struct cpu_session *s, struct pprof *p)
{
	struct cpu_kernel kernel = CPU_KERNEL_INIT;
	struct pprof_mapping m = { .start = UINT64_MAX, .file = "[kernel.kallsyms]",
				   .has_functions = true };

	cpu_kernel_read(&kernel);
	for (size_t i = 0; i < s->nlocations; i++) {
		const struct cpu_location *l = s->by_number[i];
		struct pprof_line line;

		if (!l->kernel)
			continue;
		m.start = MIN(m.start, l->address & ~UINT64_C(0xfff));
		m.limit = MAX(m.limit, l->address | 0xfff);
		line.function = cpu_kernel_function(&kernel, l->address);
		if (line.function == NULL)
			line.function = "[kernel]";
		pprof_location(p, l->number, s->nused + 1, l->address,
			       &(struct pprof_line){ .function = line.function }, 1);
	}
	pprof_mapping(p, s->nused + 1, &m);
	cpu_kernel_fini(&kernel);
}

static void samples_add(struct cpu_session *s, struct pprof *p)
{
	int64_t period_ns = NS_PER_SEC / (int64_t)s->hz;

	map_for_each(slot, &s->stacks) {
		const struct cpu_stack *stack = slot->value;

		pprof_sample(p, &(struct pprof_sample){
			.locations = stack->locations, .n = stack->n, .count = stack->count,
			.nanoseconds = stack->count * period_ns, .pid = (uint64_t)stack->pid,
			.thread = stack->thread });
	}
}

void cpu_session_finish(struct cpu_session *s, const struct strlist *comments, struct strbuf *out,
			struct cpu_totals *totals)
{
	auto_free(strlist_fini) struct strlist all = STRLIST_INIT;
	struct pprof p;

	cpu_session_end(s);
	strlist_copy(&all, comments);
	strlist_take(&all, x_asprintf("samples lost: %llu", (unsigned long long)s->totals.lost));
	pprof_init(&p);
	samples_add(s, &p);
	regions_add(s, &p);
	if (s->kernel_used)
		kernel_add(s, &p);
	pprof_finish(&p, &(struct pprof_end){
		.start_real_ns = s->began_real_ns, .duration_ns = s->totals.duration_ns,
		.period_ns = NS_PER_SEC / (int64_t)s->hz,
		.comments = (const char *const *)all.items, .ncomments = all.n });
	strbuf_add(out, p.out.buf, p.out.len);
	pprof_fini(&p);
	*totals = s->totals;
}
