/* Options whose text was checked when they were loaded become the numbers that system calls take. */
#include "core/launch_rights.h"

#include "config/placement.h"
#include "core/syscall_filter.h"

static void set_cpus(struct plan_builder *b, const struct subsystem_options *o)
{
	const char *list = o->cpu_affinity != NULL ? o->cpu_affinity : o->numa_cpus;
	uint64_t mask[CPU_LIST_WORDS] = { 0 };

	/* a node without processors of its own has an empty list */
	if (list != NULL && cpu_list_parse(list, mask) == 0)
		plan_set_cpus(b, mask, cpu_list_words(mask));
}

static void set_placement(struct plan *p, const struct subsystem_options *o)
{
	int policy, priority;

	if (o->sched_policy != NULL && sched_policy_parse(o->sched_policy, &policy, &priority)) {
		p->flags |= PLAN_SET_SCHED;
		p->sched_policy = (uint32_t)policy;
		p->sched_priority = (uint32_t)priority;
	}
	if (o->io_class != NULL && io_class_parse(o->io_class, &priority))
		p->io_priority = (uint32_t)priority;
	if (o->numa_node != INT64_MIN) {
		p->flags |= PLAN_SET_NUMA;
		p->numa_node = (uint32_t)o->numa_node;
	}
}

static void set_capabilities(struct plan *p, const struct subsystem_options *o)
{
	if (o->capabilities.set) {
		p->flags |= PLAN_SET_CAPABILITIES;
		p->capabilities = o->capabilities.mask;
	}
	if (o->ambient_capabilities.set) {
		p->flags |= PLAN_SET_AMBIENT;
		p->ambient = o->ambient_capabilities.mask;
	}
	if (o->no_new_privileges)
		p->flags |= PLAN_NO_NEW_PRIVILEGES;
}

static uint64_t given(int64_t value)
{
	return value > 0 ? (uint64_t)value : 0;
}

static void set_cgroup_limits(struct plan *p, const struct subsystem_options *o)
{
	p->cgroup_limits[LIMIT_MEMORY_MAX] = o->memory_max;
	p->cgroup_limits[LIMIT_MEMORY_HIGH] = o->memory_high;
	p->cgroup_limits[LIMIT_CPU_QUOTA] = given(o->cpu_quota);
	p->cgroup_limits[LIMIT_CPU_WEIGHT] = given(o->cpu_weight);
	p->cgroup_limits[LIMIT_TASKS_MAX] = given(o->tasks_max);
	p->cgroup_limits[LIMIT_IO_WEIGHT] = given(o->io_weight);
}

static void set_mounts(struct plan_builder *b, const struct subsystem_options *o)
{
	static const enum plan_protect levels[] = {
		[PROTECT_FALSE] = PLAN_PROTECT_NONE, [PROTECT_TRUE] = PLAN_PROTECT_PROGRAMS,
		[PROTECT_FULL] = PLAN_PROTECT_FULL, [PROTECT_STRICT] = PLAN_PROTECT_STRICT,
	};

	if (o->root_dir != NULL)
		plan_set_root_dir(b, o->root_dir);
	if (o->private_tmp)
		plan_header(b)->flags |= PLAN_PRIVATE_TMP;
	plan_header(b)->protect_system = levels[o->protect_system];
}

/* Without no_new_privileges a filter could make a set-user-ID program err to its user's advantage, and
 * only root may set it. */
static void set_filter(struct plan_builder *b, const struct subsystem_options *o)
{
	struct syscall_filter filter;

	if (o->seccomp == SECCOMP_NONE)
		return;
	syscall_filter_build(o->seccomp, &filter);
	plan_set_filter(b, filter.code, filter.n);
	plan_header(b)->flags |= PLAN_NO_NEW_PRIVILEGES;
}

static void set_credentials(struct plan_builder *b, const struct start_files *files)
{
	const struct strlist *items = &files->options->credentials;

	plan_set_credentials(b, items->n);
	for (size_t i = 0; i < items->n; i++)
		plan_set_credential(b, i, items->items[i], strcspn(items->items[i], "="),
				    files->credentials[i].data, files->credentials[i].size);
}

void launch_rights(struct plan_builder *b, const struct subsystem_options *o,
		   const struct start_files *files)
{
	if (files != NULL && files->options->credentials.n > 0 && files->credentials != NULL)
		set_credentials(b, files);
	set_mounts(b, o);
	set_filter(b, o);
	set_cpus(b, o);
	set_placement(plan_header(b), o);
	set_capabilities(plan_header(b), o);
	set_cgroup_limits(plan_header(b), o);
}
