/* A spawn plan from a supervisor gone mad. What plan_check() lets pass, the keeper reads without
 * another look: every string and vector is walked here as the child does. The input lies on a valid
 * header so that the fuzzer need not guess the magic and the size. */
#include "base/util.h"
#include "keeper/plan.h"
#include "fuzz.h"

static volatile size_t sum;	/* so that no read is optimized away */

static void walk_string(const struct plan *p, uint32_t off)
{
	const char *s = plan_str(p, off);

	if (s)
		sum += strlen(s);
}

static void walk_vector(const struct plan *p, uint32_t off)
{
	if (!off)
		return;
	for (const uint32_t *v = (const uint32_t *)(const void *)((const char *)p + off); *v; v++)
		walk_string(p, *v);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct plan *p;

	if (size > PLAN_MAX)
		return 0;
	p = malloc(size ? size : 1);	/* exactly: one byte too far is a finding */
	if (!p)
		abort();
	memcpy(p, bytes, size);
	if (size > sizeof(*p)) {
		p->magic = PLAN_MAGIC;
		p->size = (uint32_t)size;
	}
	if (plan_check(p, size)) {
		walk_string(p, p->name);
		walk_string(p, p->cwd);
		walk_vector(p, p->exec_paths);
		walk_vector(p, p->argv);
		walk_vector(p, p->envp);
		if (p->root_dir != 0)
			walk_string(p, p->root_dir);
		for (uint32_t i = 0; i < p->ncredentials; i++) {
			const struct plan_credential *c =
				(const struct plan_credential *)(const void *)((const char *)p +
									       p->credentials) + i;

			walk_string(p, c->name);
			for (uint32_t j = 0; j < c->size; j++)
				sum += (unsigned char)((const char *)p)[c->data + j];
		}
		for (uint32_t i = 0; i < p->nfilter; i++)
			sum += ((const uint64_t *)(const void *)((const char *)p + p->filter))[i];
		for (uint32_t i = 0; i < p->cpus_size; i += sizeof(uint64_t))
			sum += *(const uint64_t *)(const void *)((const char *)p + p->cpus + i);
		for (int i = 0; i < 3; i++) {
			if (p->stdio[i] == PLAN_STDIO_FILE)
				walk_string(p, p->stdio_path[i]);
		}
	}
	free(p);
	return 0;
}
