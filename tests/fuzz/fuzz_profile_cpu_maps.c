/* Mappings and names as /proc would never write them. The first byte chooses which of the two. Spans
 * never overlap, and what was added last is what is found. */
#include "profile/cpu_kernel.h"
#include "profile/cpu_maps.h"
#include "fuzz.h"

static void check_spans(const struct cpu_process_map *p)
{
	for (size_t i = 0; i < p->n; i++) {
		check(p->spans[i].start < p->spans[i].limit);
		check(cpu_maps_find(p, p->spans[i].start) == p->spans[i].region);
		for (size_t j = 0; j < i && p->n < 64; j++)
			check(p->spans[i].start >= p->spans[j].limit ||
			      p->spans[j].start >= p->spans[i].limit);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct cpu_maps maps = CPU_MAPS_INIT;
	struct cpu_kernel kernel = CPU_KERNEL_INIT;

	if (size == 0)
		return 0;
	strbuf_add(&text, bytes + 1, size - 1);
	if (bytes[0] & 1) {
		cpu_maps_parse(&maps, cpu_maps_process(&maps, 1), text.buf);
		check_spans(cpu_maps_process(&maps, 1));
		cpu_maps_fork(&maps, 1, 2);
		check(cpu_maps_process(&maps, 2)->n == cpu_maps_process(&maps, 1)->n);
	} else {
		cpu_kernel_parse(&kernel, text.buf);
		for (size_t i = 0; i < kernel.n; i++)
			check(cpu_kernel_function(&kernel, kernel.symbols[i].address) != NULL);
	}
	cpu_maps_fini(&maps);
	cpu_kernel_fini(&kernel);
	return 0;
}
