/* Names of the kernel's functions: /proc/kallsyms, as far as we may see addresses there. One
 * thread. */
#ifndef PROFILE_CPU_KERNEL_H
#define PROFILE_CPU_KERNEL_H

#include <stdbool.h>

#include "base/strbuf.h"

struct cpu_kernel_symbol {
	uint64_t address;
	uint32_t name;		/* into NAMES */
};

struct cpu_kernel {
	struct cpu_kernel_symbol *symbols;	/* ascending */
	size_t n, cap;
	struct strbuf names;
};
#define CPU_KERNEL_INIT { .names = STRBUF_INIT }
void cpu_kernel_fini(struct cpu_kernel *k);

/* Read the running kernel's. Without permission there is just nothing known. */
void cpu_kernel_read(struct cpu_kernel *k);
/* "ADDRESS TYPE NAME[\tMODULE]" lines. Pure. */
void cpu_kernel_parse(struct cpu_kernel *k, const char *text);
/* NULL: unknown. Lives as long as K. */
const char *cpu_kernel_function(const struct cpu_kernel *k, uint64_t address);

#endif
