/* `procd profile`: what kind of profile, and who takes it. */
#include <config.h>

#include "command/profile_cpu.h"
#include "command/profile_heap.h"
#include "command/verbs.h"

int verb_profile(const struct cli_options *o)
{
	if (strcmp(o->args.items[0], "cpu") == 0 && WITH_PROFILING)
		return profile_cpu(o);
	if (strcmp(o->args.items[0], "cpu") == 0)
		return cli_fail_usage(o, "this procd was built without CPU profiles "
				      "(--enable-profiling)");
	if (strcmp(o->args.items[0], "heap") == 0 && WITH_HEAP_PROFILING)
		return profile_heap(o);
	if (strcmp(o->args.items[0], "heap") == 0)
		return cli_fail_usage(o, "this procd was built without heap profiles "
				      "(--enable-heap-profiling)");
	return cli_fail_usage(o, "profile: \"%s\" is not a kind of profile (cpu, heap)",
			      o->args.items[0]);
}
