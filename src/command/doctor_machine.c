/* What the kernel and the system offer. A table for the features that procd has a fallback for, and
 * a function for each thing that has to be looked at. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/path.h"
#include "command/doctor.h"
#include "config.h"
#include "config/heap_object.h"
#include "config/preload.h"
#include "keeper/cgroup.h"
#include "keeper/features.h"

ENUMTEXT(finding, "finding", "ok", "degraded", "broken");

#define PERFMON 38	/* CAP_PERFMON; headers before Linux 5.8 lack it */
#define IN_CONTAINER "; in a container: a seccomp profile that allows it"

/* Where a feature rests on another one (used[] is off then), only that other one is told. */
static const struct {
	enum kernel_feature feature;
	const char *effect, *fix;
} features[] = {
	{ FEATURE_PROC, "procd cannot tell who its processes are",
	  "mount -t proc proc /proc" },
	{ FEATURE_SUBREAPER, "what a subsystem leaves behind goes to init, and is not found",
	  "Linux 3.4 or later" IN_CONTAINER },
	{ FEATURE_PIDFD_OPEN, "signals are sent by pid, each after a look at who has it",
	  "Linux 5.3 or later" IN_CONTAINER },
	{ FEATURE_PIDFD_SEND_SIGNAL, "signals are sent by pid, each after a look at who has it",
	  "Linux 5.1 or later" IN_CONTAINER },
	{ FEATURE_PIDFD_INODE, "processes are recognised by start time instead of an identity",
	  "Linux 6.9 or later" },
	{ FEATURE_PIDFD_INFO_EXIT, "how something ended while all of procd was dead stays unknown",
	  "Linux 6.15 or later" },
	{ FEATURE_PIDFD_GETFD, "after the death of all of procd, sockets of `listen` are bound anew",
	  "Linux 5.6 or later" IN_CONTAINER },
	{ FEATURE_CLONE_INTO_CGROUP, "programs enter their control group only after their birth",
	  "Linux 5.7 or later" IN_CONTAINER },
	{ FEATURE_CLOSE_RANGE, "descriptors are closed one by one at each start",
	  "Linux 5.9 or later" IN_CONTAINER },
	{ FEATURE_CGROUP_KILL, "a tree is killed process by process",
	  "Linux 5.14 or later" },
	{ FEATURE_LANDLOCK, "what asks for landlock_read or landlock_write does not start",
	  "Linux 5.13 or later, with landlock among the modules of the kernel's lsm=" IN_CONTAINER },
	{ FEATURE_MEMBARRIER, "reading shared state costs a little more",
	  "Linux 4.14 or later" IN_CONTAINER },
};

void report_add(struct report *r, const char *name, enum finding status, const char *effect,
		const char *fix)
{
	json_t *j = json_pack("{s:s, s:s}", "name", name,
			      "status", enumtext_name(&finding_text, (int)status));

	if (status != FINDING_OK) {
		json_object_set_new(j, "effect", json_text(effect));
		json_object_set_new(j, "fix", json_text(fix));
	}
	json_array_append_new(r->findings, j);
	r->counts[status]++;
}

static void add(struct report *r, const char *name, bool well, const char *effect, const char *fix)
{
	report_add(r, name, well ? FINDING_OK : FINDING_DEGRADED, effect, fix);
}

/* A small file's text without the line's end; "" when it cannot be read. */
static void read_word(const char *path, struct strbuf *out)
{
	if (file_read(path, 4096, out) != 0)
		strbuf_reset(out);
	while (out->len > 0 && out->buf[out->len - 1] == '\n')
		out->buf[--out->len] = '\0';
}

static void look_at_features(struct report *r)
{
	struct kernel_features f;
	bool cgroup;

	kernel_features_probe(&f);
	cgroup = f.available[FEATURE_CGROUP2];
	for (size_t i = 0; i < ARRAY_LEN(features); i++) {
		enum kernel_feature id = features[i].feature;

		if (!cgroup && (id == FEATURE_CGROUP_KILL || id == FEATURE_CLONE_INTO_CGROUP))
			continue;
		add(r, kernel_feature_name(id), f.available[id], features[i].effect,
		    features[i].fix);
	}
}

/* --- control groups --------------------------------------------------------------------------- */

void doctor_controllers(struct strbuf *out)
{
	char dir[PATH_MAX];
	bool has_kill;
	auto_free(freep) char *path = NULL;

	strbuf_reset(out);
	if (!kernel_feature_usable(FEATURE_CGROUP2) || !cgroup_find_own(dir, NULL) ||
	    !cgroup_try(dir, &has_kill))
		return;
	path = x_asprintf("%s/cgroup.controllers", dir);
	read_word(path, out);
}

static void look_at_cgroup(struct report *r)
{
	static const char effect[] =
		"a subsystem's tree is found by session and descent; no memory_max, "
		"cpu_quota, tasks_max and the like";
	char dir[PATH_MAX];
	auto_free(strbuf_fini) struct strbuf controllers = STRBUF_INIT;

	if (kernel_feature_usable(FEATURE_CGROUP2)) {
		report_add(r, "cgroup2", FINDING_OK, NULL, NULL);
	} else if (!cgroup_find_own(dir, NULL)) {
		report_add(r, "cgroup2", FINDING_DEGRADED, effect,
			   "mount -t cgroup2 none /sys/fs/cgroup, or boot with "
			   "systemd.unified_cgroup_hierarchy=1; in a container: --cgroupns=private");
		return;
	} else {
		report_add(r, "cgroup2", FINDING_DEGRADED, effect,
			   "a group of one's own: Delegate=yes in the systemd unit, or, as a user, "
			   "systemd-run --user --scope -p Delegate=yes procd ...; in a container: "
			   "/sys/fs/cgroup mounted read-write");
		return;
	}
	doctor_controllers(&controllers);
	add(r, "cgroup_controllers",
	    strstr(controllers.buf, "memory") && strstr(controllers.buf, "pids"),
	    "memory_max, tasks_max and the like have no effect",
	    "Delegate=yes in the systemd unit, or: for each group above, "
	    "echo '+cpu +io +memory +pids' > cgroup.subtree_control (not with the controllers bound "
	    "to cgroup version 1: boot with cgroup_no_v1=all)");
}

/* --- settings --------------------------------------------------------------------------------- */

static void look_at_shm(struct report *r)
{
	struct statfs fs;
	bool in_memory = statfs("/dev/shm", &fs) == 0 &&
			 (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);

	add(r, "dev_shm", in_memory && access("/dev/shm", W_OK) == 0,
	    "with a run directory on a disk, each start makes files there",
	    "mount -t tmpfs -o mode=1777 tmpfs /dev/shm, or a run_dir in memory");
}

static void look_at_inotify(struct report *r)
{
	int fd = inotify_init1(IN_CLOEXEC);

	add(r, "inotify", fd >= 0, "hot_reload and watch notice changes only every 30 s",
	    "sysctl fs.inotify.max_user_instances=512");
	if (fd >= 0)
		close(fd);
}

static void look_at_links(struct report *r)
{
	add(r, "protected_hardlinks", path_hard_links_protected(),
	    "files in directories of other users are trusted less",
	    "sysctl fs.protected_hardlinks=1");
}

static void look_at_profiles(struct report *r)
{
	auto_free(strbuf_fini) struct strbuf paranoid = STRBUF_INIT, scope = STRBUF_INIT;
	auto_free(freep) char *object = NULL;

	if (WITH_PROFILING) {
		read_word("/proc/sys/kernel/perf_event_paranoid", &paranoid);
		add(r, "perf_events",
		    paranoid.len > 0 && (doctor_capable(PERFMON) || doctor_capable(CAP_SYS_ADMIN) ||
					 atoi(paranoid.buf) <= 2),
		    "procd profile cpu is refused",
		    "sysctl kernel.perf_event_paranoid=2, or setcap cap_perfmon+ep on procd");
	}
	if (!WITH_HEAP_PROFILING)
		return;
	read_word("/proc/sys/kernel/yama/ptrace_scope", &scope);
	add(r, "ptrace", scope.len == 0 || atoi(scope.buf) == 0 || doctor_capable(CAP_SYS_PTRACE),
	    "procd profile heap NAME is refused to users other than root",
	    "sysctl kernel.yama.ptrace_scope=0");
	object = preload_object(HEAP_OBJECT_NAME);
	add(r, "heap_object", object != NULL,
	    "heap_profile does not work: " HEAP_OBJECT_NAME " is missing",
	    "install procd as a whole (make install, or its package)");
}

void doctor_machine(struct report *r)
{
	look_at_features(r);
	look_at_cgroup(r);
	look_at_shm(r);
	look_at_inotify(r);
	look_at_links(r);
	look_at_profiles(r);
}
