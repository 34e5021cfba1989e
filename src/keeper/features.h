/* What this kernel offers, probed once at run time and never assumed. EPERM counts like ENOSYS.
 * For `procd features` and for the choice of fallbacks. Any thread; no heap. */
#ifndef KEEPER_FEATURES_H
#define KEEPER_FEATURES_H

#include <stdbool.h>

enum kernel_feature {
	FEATURE_PIDFD_OPEN, FEATURE_PIDFD_SEND_SIGNAL, FEATURE_PIDFD_INFO_EXIT, FEATURE_PIDFD_INODE,
	FEATURE_PIDFD_GETFD,
	FEATURE_CLONE3, FEATURE_CLONE_INTO_CGROUP, FEATURE_CLOSE_RANGE, FEATURE_SUBREAPER,
	FEATURE_CGROUP2, FEATURE_CGROUP_KILL, FEATURE_MEMBARRIER, FEATURE_OPENAT2, FEATURE_PROC,
	FEATURE_LANDLOCK,
	FEATURE_COUNT
};

struct kernel_features {
	bool available[FEATURE_COUNT];
	bool used[FEATURE_COUNT];	/* false when procd runs on the fallback */
};

const char *kernel_feature_name(enum kernel_feature f);	/* "pidfd_open", "close_range", ... */
/* May fork one short-lived child. PROCD_TEST_NO_FEATURE=name,name in the environment makes a
 * feature count as missing (for tests of the fallbacks). */
void kernel_features_probe(struct kernel_features *out);

/* One by one, for the keeper, which needs only some of them. USABLE: the kernel has it, and the test
 * variable does not refuse it. */
bool kernel_feature_refused(enum kernel_feature f);
bool kernel_feature_usable(enum kernel_feature f);

#endif
