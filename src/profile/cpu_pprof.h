/* A profile in pprof's form: the protobuf messages of profile.proto
 * (https://github.com/google/pprof/blob/main/proto/profile.proto), written as they come.
 *
 * Numbers of mappings and locations are the caller's, from 1; what a sample or a location refers to
 * may be written before or after it. One thread at a time; no errors: memory is the only limit. */
#ifndef PROFILE_CPU_PPROF_H
#define PROFILE_CPU_PPROF_H

#include <stdbool.h>

#include "base/map.h"
#include "base/strbuf.h"

struct pprof {
	struct strbuf out;		/* messages, and strings from pprof_finish() on */
	struct strbuf strings;		/* the string table, encoded */
	struct map numbers;		/* text -> its number */
	uint64_t nstrings;
	struct map functions;		/* "name\nfile\nline" -> its number */
	uint64_t nfunctions;
};

/* Part of the address space that a file backs. */
struct pprof_mapping {
	uint64_t start, limit, offset;
	const char *file;		/* also "[vdso]", "[kernel.kallsyms]" */
	const char *build_id;		/* hex; NULL or "": unknown */
	bool has_functions, has_files, has_lines, has_inlines;
};

/* One source position of a location: inlined calls have several, the innermost first. */
struct pprof_line {
	const char *function;		/* as the linker knows it, not demangled; NULL: unknown */
	const char *file;		/* NULL: unknown */
	uint64_t line;			/* 0: unknown */
	uint64_t start_line;		/* of the function; 0: unknown */
};

struct pprof_sample {
	const uint64_t *locations;	/* leaf first */
	size_t n;
	int64_t count, nanoseconds;
	uint64_t pid;
	const char *thread;		/* name of the thread; NULL: none */
};

struct pprof_end {
	int64_t start_real_ns, duration_ns, period_ns;
	const char *const *comments;
	size_t ncomments;
};

/* Begin a profile whose samples are counts and nanoseconds of CPU. */
void pprof_init(struct pprof *p);
void pprof_fini(struct pprof *p);
void pprof_mapping(struct pprof *p, uint64_t number, const struct pprof_mapping *m);
/* MAPPING 0: none. N 0: the address is all there is to say. */
void pprof_location(struct pprof *p, uint64_t number, uint64_t mapping, uint64_t address,
		    const struct pprof_line *lines, size_t n);
void pprof_sample(struct pprof *p, const struct pprof_sample *s);
/* Complete P->out. Nothing may be added afterwards. */
void pprof_finish(struct pprof *p, const struct pprof_end *end);

#endif
