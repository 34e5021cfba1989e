/* Where a child is made.
 *
 * Everything is prepared here (pointer vectors, cgroup, FIFOs), the child only walks its fixed
 * steps, and its {stage, errno} is simply there when clone returns: the memory is shared.
 *
 * The keeper waits for each exec itself. Threads that wait in its place would let starts overlap,
 * but the kernel takes the thread for the parent: the keeper's next exec would end it, and with it
 * every child that has set a parent-death signal. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/features.h"
#include "keeper/fifo.h"
#include "keeper/handover.h"
#include "keeper/inner.h"
#include "keeper/limits.h"
#include "keeper/slice.h"
#include "keeper/thrift.h"

/* The process that everything hangs on goes last when memory ends; the supervisor before it. */
#define KEEPER_OOM_SCORE (-900)
#define SUPERVISOR_OOM_SCORE (-500)

/* --- how we were started ------------------------------------------------------------------- */

static bool oom_read(int *value)
{
	char text[16];
	int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	closep(&fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	*value = (int)strtol(text, NULL, 10);
	return true;
}

static bool oom_write(int value)
{
	char text[16];
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	int n = snprintf(text, sizeof(text), "%d", value);
	bool ok = fd >= 0 && write(fd, text, (size_t)n) == n;

	closep(&fd);
	return ok;
}

static long affinity_set(const unsigned long *mask, long size)
{
	return syscall(SYS_sched_setaffinity, 0, (size_t)size, mask);
}

/* A mask of all processors that there may ever be is what one has who never asked for any, and
 * follows when the machine or its container gets more. One that names those of today would not: it
 * is kept only where somebody chose it. */
static void affinity_read(struct originals *o)
{
	unsigned long now[ORIGINAL_CPUS / sizeof(unsigned long)];
	long size = syscall(SYS_sched_getaffinity, 0, sizeof(o->affinity), o->affinity);

	o->affinity_size = size;
	memset(now, 0xff, sizeof(now));
	if (size <= 0 || affinity_set(now, sizeof(now)) < 0)
		return;
	if (syscall(SYS_sched_getaffinity, 0, sizeof(now), now) != size ||
	    memcmp(now, o->affinity, (size_t)size) != 0) {
		affinity_set(o->affinity, size);
		return;
	}
	o->affinity_size = sizeof(o->affinity);
	memset(o->affinity, 0xff, sizeof(o->affinity));
}

/* What children are to get back has to be known; 0 or -errno. */
static int originals_read(struct originals *o)
{
	struct sched_param param = { 0 };

	o->keeper_pid = getpid();
	for (int i = 0; i < PLAN_NLIMITS; i++)
		if (prlimit64(0, (__rlimit_resource_t)i, NULL, &o->limits[i]) < 0)
			return -errno;
	o->nice = getpriority(PRIO_PROCESS, 0);
	o->oom_known = oom_read(&o->oom_score_adjust);
	o->umask = umask(0);
	umask(o->umask);
	o->policy = sched_getscheduler(0);
	if (o->policy > 0 && (o->policy & SCHED_RESET_ON_FORK))
		o->policy = SCHED_OTHER;
	if (sched_getparam(0, &param) == 0)
		o->priority = param.sched_priority;
	affinity_read(o);
	return 0;
}

static unsigned processors_usable(void)
{
	cpu_set_t usable;

	return sched_getaffinity(0, sizeof(usable), &usable) == 0 ? (unsigned)CPU_COUNT(&usable) : 1;
}

static int spawner_prepare(struct spawner *s)
{
	s->short_slice = slice_shorten();
	s->processors = processors_usable();
	s->have_close_range = kernel_feature_usable(FEATURE_CLOSE_RANGE);
	s->into_cgroup = kernel_feature_usable(FEATURE_CLONE3) &&
			 kernel_feature_usable(FEATURE_CLONE_INTO_CGROUP);
	/* three vectors, which may be one and the same, of no more offsets than a plan has room
	 * for */
	s->vectors = mmap(NULL, 3 * (PLAN_MAX / sizeof(uint32_t)) * sizeof(char *),
			  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->vectors == MAP_FAILED)
		return -errno;
	return child_stack_init(&s->stack);
}

int spawner_init(struct spawner *s)
{
	struct rlimit64 files;
	int ret = originals_read(&s->original);

	if (ret < 0)
		return ret;
	s->supervisor_oom = INT32_MIN;
	if (s->original.oom_known && s->original.oom_score_adjust > SUPERVISOR_OOM_SCORE &&
	    oom_write(KEEPER_OOM_SCORE))
		s->supervisor_oom = SUPERVISOR_OOM_SCORE;
	files = s->original.limits[RLIMIT_NOFILE];
	files.rlim_cur = files.rlim_max;
	prlimit64(0, RLIMIT_NOFILE, &files, NULL);
	return spawner_prepare(s);
}

int spawner_resume(struct spawner *s, const struct handover *h)
{
	s->original = h->original;
	s->supervisor_oom = h->supervisor_oom;
	s->inherited = h->inherited;
	return spawner_prepare(s);
}

/* --- a child ---------------------------------------------------------------------------------- */

static char **vector_fill(char **at, const struct plan *p, uint32_t off, char *const **vector)
{
	const uint32_t *item = (const uint32_t *)(const void *)((const char *)p + off);

	*vector = at;
	for (; *item != 0; item++) {
		union { const char *in; char *out; } s = { .in = plan_str(p, *item) };

		*at++ = s.out;	/* execve's prototype; only child_write_pid() writes to it */
	}
	*at++ = NULL;
	return at;
}

void spawn_refuse(struct keeper *k, uint32_t slot, uint64_t spawn_id, uint32_t stage, int errnum)
{
	struct slot *own = slot_get(&k->slots, slot);

	own->failed_stage = stage;
	own->failed_errno = errnum;
	own->failed_spawn_id = spawn_id;
	own->failed_at_ns = clock_mono_ns();
	slots_tell(&k->slots, slot, FACT_START_FAILED);
}

/* Whose FIFOs its output goes to. */
static uint32_t capture_slot(const struct plan *plan, uint32_t slot)
{
	return plan->capture_of != 0 ? plan->capture_of - 1 : slot;
}

static int capture_hold(struct keeper *k, uint32_t slot, const struct plan *plan, int stream)
{
	uid_t uid = plan->flags & PLAN_SET_IDS ? plan->uid : geteuid();
	uint32_t from = capture_slot(plan, slot);
	struct slot *held = slot_get(&k->slots, from);
	int ret = records_grow(&k->records, from + 1);	/* what is held belongs to a record */

	if (ret == 0)
		ret = fifo_hold(k->rundir.fd, from, held, stream, uid);
	if (ret == 0)
		thrift_make_room(k, held->fifo[stream - 1]);
	return ret;
}

/* 0 or -errno. One that cannot be made anew has members, and the child writes itself into it. */
static int cgroup_prepare(struct slot *own, uint32_t slot)
{
	if (!own->has_cgroup) {
		int ret = cgroup_make(LOW_CGROUP, slot);

		if (ret < 0 && ret != -EEXIST)
			return ret;
		own->has_cgroup = true;
		own->cgroup_worn = ret == -EEXIST;	/* left by a keeper before us: who knows */
	}
	if (own->cgroup_worn && cgroup_remake(LOW_CGROUP, slot) == 0)
		own->cgroup_worn = false;
	return 0;
}

/* Its group, and the limits of it. *MISSING: limits that are not to be had. */
static enum spawn_stage prepare_group(struct keeper *k, uint32_t slot, const struct plan *plan,
				      uint32_t *missing, int *errnum)
{
	struct cgroup *c = &k->tree.cgroup;

	*missing = limits_wanted(plan);
	if (!(plan->flags & PLAN_TREE) || !c->usable)
		return STAGE_NONE;
	*errnum = -cgroup_prepare(slot_get(&k->slots, slot), slot);
	if (*errnum != 0)
		return STAGE_CGROUP;
	/* who had the slot before may have left some */
	if (*missing != 0 || c->controllers != 0)
		*errnum = -limits_apply(LOW_CGROUP, slot, plan, limits_controllers(c, LOW_CGROUP),
					missing);
	return *errnum == 0 ? STAGE_NONE : STAGE_CGROUP_LIMITS;
}

/* Capture FIFOs and cgroup. STAGE_NONE, or what failed with *ERRNUM. */
static enum spawn_stage prepare(struct keeper *k, uint32_t slot, const struct plan *plan,
				uint32_t *missing, int *errnum)
{
	for (int stream = 1; stream <= 2; stream++) {
		if (plan->stdio[stream] != PLAN_STDIO_CAPTURE)
			continue;
		*errnum = -capture_hold(k, slot, plan, stream);
		if (*errnum != 0)
			return STAGE_OUTPUT;
	}
	return prepare_group(k, slot, plan, missing, errnum);
}

/* Pid or -errno. */
static pid_t run_child(struct keeper *k, int (*fn)(void *), void *arg, int *pidfd, int cgroup_fd)
{
	const struct spawner *s = &k->spawner;

	*pidfd = -1;
	return clone_child(&s->stack, fn, arg, s->have_close_range,
			   k->signaller.have_pidfd ? pidfd : NULL, cgroup_fd);
}

/* Everything but what only exists once the child does. It stays FREE until the child execs. */
static void record_prepare(struct record *r, uint32_t slot, uint64_t spawn_id,
			   const struct plan *plan, uint32_t missing)
{
	r->slot = slot;
	r->spawn_id = spawn_id;
	r->flags = plan->flags | missing << RECORD_MISSING_SHIFT;
	r->start_ticks = r->pidfd_ino = 0;
	r->session = 0;
	r->started_mono_ns = clock_mono_ns();
	r->exited_mono_ns = 0;
	r->wait_status = 0;
	r->killed = 0;
	r->user_us = r->system_us = r->max_rss_kib = 0;
	r->fate = 0;
	r->capture_of = plan->capture_of;
	memset(r->name, 0, sizeof(r->name));
	snprintf(r->name, sizeof(r->name), "%s", plan_str(plan, plan->name));
	record_seal_prepared(r);
}

/* What proves its identity later. Reading /proc is what costs, so only where nothing better is. */
static void record_identify(const struct keeper *k, struct record *r, pid_t pid, int pidfd,
			    bool watched)
{
	r->pid = pid;
	if (pidfd >= 0 && k->signaller.have_inode)
		r->pidfd_ino = pidfd_inode(pidfd);
	if (r->pidfd_ino == 0 || !watched)
		r->start_ticks = process_start_time(pid);
	r->started_mono_ns = clock_mono_ns();
	record_seal(r);
}

/* One start of as many as there are processors stays on this one: the child begins here, where the
 * keeper waits for its exec; child_affinity() lets both go. The kernel would send all of them away,
 * because it has just woken a worker of its own here for a new cgroup's first member, so they would
 * wait where those before them still load while this processor idles. */
static void stay_here(const struct spawner *s)
{
	const struct originals *o = &s->original;
	unsigned long here[ORIGINAL_CPUS / sizeof(unsigned long)] = { 0 };
	unsigned bits = 8 * sizeof(*here);
	int cpu;

	if (o->affinity_size <= 0 || s->processors < 2 || s->starts % s->processors != 0)
		return;
	cpu = sched_getcpu();
	if (cpu < 0 || cpu >= 8 * ORIGINAL_CPUS)
		return;
	here[(unsigned)cpu / bits] = 1UL << (unsigned)cpu % bits;
	affinity_set(here, sizeof(here));
}

static void go_anywhere(const struct originals *o)
{
	if (o->affinity_size > 0)
		affinity_set(o->affinity, o->affinity_size);
}

static pid_t clone_job(struct keeper *k, uint32_t slot, struct child_job *job, int *pidfd)
{
	bool grouped = job->plan->flags & PLAN_TREE && k->tree.cgroup.usable;
	char procs[32];
	int group = -1;
	pid_t pid;

	if (grouped && k->spawner.into_cgroup && !slot_get(&k->slots, slot)->cgroup_worn) {
		group = cgroup_open(LOW_CGROUP, slot);
		/* somebody had removed it; limits need another round */
		if (group == -ENOENT && limits_wanted(job->plan) != 0)
			slot_get(&k->slots, slot)->has_cgroup = false;
		else if (group == -ENOENT && cgroup_make(LOW_CGROUP, slot) == 0)
			group = cgroup_open(LOW_CGROUP, slot);
		if (group < 0)
			return group;
	} else if (grouped) {
		snprintf(procs, sizeof(procs), "%u/cgroup.procs", slot);
		job->cgroup_procs = procs;
	}
	k->spawner.starts++;
	stay_here(&k->spawner);
	pid = run_child(k, child_run, job, pidfd, group);
	go_anywhere(&k->spawner.original);
	closep(&group);
	job->cgroup_procs = NULL;
	return pid;
}

static void reap_failed(pid_t pid, int pidfd)
{
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	closep(&pidfd);
}

/* 0 or errno. EBADF: one is not held, which nobody but a supervisor that spoke nonsense can bring
 * about. */
static int take_sockets(const struct keeper *k, const struct plan *plan, struct child_job *job)
{
	_Static_assert(3 + PLAN_MAX_LISTEN <= LOW_RUN_DIR, "the keeper's own descriptors stay");

	for (uint32_t i = 0; i < plan->nlisten; i++) {
		struct slot *own = slot_get(&k->slots, plan->listen[i]);
		int ret = slot_lift(own);

		if (ret < 0)
			return -ret;
		job->listen_fds[i] = own->held;
	}
	return 0;
}

void spawn_slot(struct keeper *k, uint32_t slot, uint64_t spawn_id, const struct plan *plan)
{
	struct slot *own = slot_get(&k->slots, slot);
	char fifo[2][FIFO_NAME_CAP];
	struct child_job job = {
		.plan = plan,
		.original = &k->spawner.original,
		.fifo = { fifo[0], fifo[1] },
		.unshare_fds = k->spawner.have_close_range,
		.short_slice = k->spawner.short_slice,
		.record = record_get(&k->records, slot),
	};
	char **at = k->spawner.vectors;
	int errnum = 0, pidfd;
	uint32_t missing, stage = prepare(k, slot, plan, &missing, &errnum);
	bool watched;
	pid_t pid;

	if (stage == STAGE_NONE) {
		errnum = take_sockets(k, plan, &job);
		stage = errnum != 0 ? STAGE_LISTEN : STAGE_NONE;
	}
	if (stage != STAGE_NONE) {
		spawn_refuse(k, slot, spawn_id, stage, errnum);
		return;
	}
	fifo_name(fifo[0], capture_slot(plan, slot), false);
	fifo_name(fifo[1], capture_slot(plan, slot), true);
	at = vector_fill(at, plan, plan->exec_paths, &job.exec_paths);
	at = vector_fill(at, plan, plan->argv, &job.argv);
	vector_fill(at, plan, plan->envp, &job.envp);
	record_prepare(job.record, slot, spawn_id, plan, missing);
	pid = clone_job(k, slot, &job, &pidfd);
	if (pid < 0) {
		spawn_refuse(k, slot, spawn_id, STAGE_SPAWN, -pid);
		return;
	}
	/* killed by somebody before it could exec: not its own doing */
	if (job.stage == STAGE_NONE &&
	    atomic_load_explicit(&job.record->state, memory_order_relaxed) != RECORD_RUNNING) {
		job.stage = STAGE_SPAWN;
		job.errnum = ECANCELED;
	}
	if (job.stage != STAGE_NONE) {
		record_clear(job.record);
		reap_failed(pid, pidfd);
		spawn_refuse(k, slot, spawn_id, job.stage, job.errnum);
		return;
	}
	own->kill_tree = own->seen_empty = own->last_run = false;
	own->adopted = false;
	own->tree_left = 0;
	watched = pidfd >= 0 && thrift_has_room(k, pidfd);
	record_identify(k, job.record, pid, pidfd, watched);
	slots_add_pid(&k->slots, &k->records, slot);
	slots_tell(&k->slots, slot, FACT_STARTED);
	if (!watched) {		/* SIGCHLD tells */
		if (pidfd >= 0)
			reap_unwatched(k);
		closep(&pidfd);
		return;
	}
	own->pidfd = pidfd;
	if (keeper_watch(k, pidfd, EPOLLIN, event_key(EVENT_CHILD, slot)) < 0)
		reap_sweep_soon(k);	/* no memory to watch it: the sweeps find its end */
}

/* --- the supervisor ------------------------------------------------------------------------ */

pid_t spawn_supervisor(struct keeper *k, char *const *argv, int *pidfd)
{
	struct supervisor_job job = {
		.argv = argv,
		.envp = environ,
		.original = &k->spawner.original,
		.oom_score_adjust = k->spawner.supervisor_oom,
		.inherited = k->spawner.inherited,
		.exact = k->upgrade.phase == UPGRADE_TRIAL,
		.unshare_fds = k->spawner.have_close_range,
	};
	pid_t pid = run_child(k, child_run_supervisor, &job, pidfd, -1);

	if (pid < 0 || job.errnum == 0)
		return pid;
	reap_failed(pid, *pidfd);
	*pidfd = -1;
	return -job.errnum;
}
