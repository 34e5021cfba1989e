/* Options whose text was checked when they were loaded become the numbers that system calls
 * take. */
#include "core/launch_rights.h"

#include "config/placement.h"
#include "core/syscall_filter.h"

static void set_cpus(struct plan_builder *b, const struct subsystem_rights *r)
{
	const char *list = r->cpu_affinity != NULL ? r->cpu_affinity : r->numa_cpus;
	uint64_t mask[CPU_LIST_WORDS] = { 0 };

	/* a node without processors of its own has an empty list */
	if (list != NULL && cpu_list_parse(list, mask) == 0)
		plan_set_cpus(b, mask, cpu_list_words(mask));
}

static void set_placement(struct plan *p, const struct subsystem_rights *r)
{
	int policy, priority;

	if (r->sched_policy != NULL && sched_policy_parse(r->sched_policy, &policy, &priority)) {
		p->flags |= PLAN_SET_SCHED;
		p->sched_policy = (uint32_t)policy;
		p->sched_priority = (uint32_t)priority;
	}
	if (r->io_class != NULL && io_class_parse(r->io_class, &priority))
		p->io_priority = (uint32_t)priority;
	if (r->numa_node != INT64_MIN) {
		p->flags |= PLAN_SET_NUMA;
		p->numa_node = (uint32_t)r->numa_node;
	}
}

static void set_capabilities(struct plan *p, const struct subsystem_rights *r)
{
	if (r->capabilities.set) {
		p->flags |= PLAN_SET_CAPABILITIES;
		p->capabilities = r->capabilities.mask;
	}
	if (r->ambient_capabilities.set) {
		p->flags |= PLAN_SET_AMBIENT;
		p->ambient = r->ambient_capabilities.mask;
	}
	if (r->no_new_privileges)
		p->flags |= PLAN_NO_NEW_PRIVILEGES;
}

static uint64_t given(int64_t value)
{
	return value > 0 ? (uint64_t)value : 0;
}

static void set_cgroup_limits(struct plan *p, const struct subsystem_rights *r)
{
	p->cgroup_limits[LIMIT_MEMORY_MAX] = r->memory_max;
	p->cgroup_limits[LIMIT_MEMORY_HIGH] = r->memory_high;
	p->cgroup_limits[LIMIT_CPU_QUOTA] = given(r->cpu_quota);
	p->cgroup_limits[LIMIT_CPU_WEIGHT] = given(r->cpu_weight);
	p->cgroup_limits[LIMIT_TASKS_MAX] = given(r->tasks_max);
	p->cgroup_limits[LIMIT_IO_WEIGHT] = given(r->io_weight);
}

static void set_mounts(struct plan_builder *b, const struct subsystem_rights *r)
{
	static const enum plan_protect levels[] = {
		[PROTECT_FALSE] = PLAN_PROTECT_NONE, [PROTECT_TRUE] = PLAN_PROTECT_PROGRAMS,
		[PROTECT_FULL] = PLAN_PROTECT_FULL, [PROTECT_STRICT] = PLAN_PROTECT_STRICT,
	};

	if (r->root_dir != NULL)
		plan_set_root_dir(b, r->root_dir);
	if (r->private_tmp)
		plan_header(b)->flags |= PLAN_PRIVATE_TMP;
	plan_header(b)->protect_system = levels[r->protect_system];
}

/* Without no_new_privileges a filter could make a set-user-ID program err to its user's advantage,
 * and only root may set it. */
static void set_filter(struct plan_builder *b, const struct subsystem_rights *r)
{
	struct syscall_filter filter;

	if (r->seccomp == SECCOMP_NONE)
		return;
	syscall_filter_build(r->seccomp, &filter);
	plan_set_filter(b, filter.code, filter.n);
	plan_header(b)->flags |= PLAN_NO_NEW_PRIVILEGES;
}

/* As for a filter: a set-user-ID program must not be led astray by what it cannot reach. */
static void set_landlock(struct plan_builder *b, const struct subsystem_rights *r)
{
	if (r->landlock_read.n + r->landlock_write.n == 0)
		return;
	plan_set_landlock(b, &r->landlock_read, &r->landlock_write);
	plan_header(b)->flags |= PLAN_NO_NEW_PRIVILEGES;
}

static void set_credentials(struct plan_builder *b, const struct start_files *files)
{
	const struct strlist *items = &files->options->rights->credentials;

	plan_set_credentials(b, items->n);
	for (size_t i = 0; i < items->n; i++)
		plan_set_credential(b, i, items->items[i], strcspn(items->items[i], "="),
				    files->credentials[i].data, files->credentials[i].size);
}

void launch_rights(struct plan_builder *b, const struct subsystem_options *o,
		   const struct start_files *files)
{
	if (files != NULL && files->options->rights->credentials.n > 0 &&
	    files->credentials != NULL)
		set_credentials(b, files);
	set_mounts(b, o->rights);
	set_landlock(b, o->rights);
	set_filter(b, o->rights);
	set_cpus(b, o->rights);
	set_placement(plan_header(b), o->rights);
	set_capabilities(plan_header(b), o->rights);
	set_cgroup_limits(plan_header(b), o->rights);
}
