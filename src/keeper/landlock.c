/* A ruleset names what is watched over, each rule gives some of it back beneath one path, and from
 * landlock_restrict_self(2) on the rest is refused. A newer kernel watches over more; what one does
 * not know cannot be asked for, so the set is cut to its version. */
#include "keeper/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>

#include "keeper/rawcall.h"

/* Of later headers than this may be built with. */
#define ACCESS_REFER (UINT64_C(1) << 13)	/* version 2 */
#define ACCESS_TRUNCATE (UINT64_C(1) << 14)	/* 3 */
#define ACCESS_IOCTL_DEV (UINT64_C(1) << 15)	/* 5 */

#define READING (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* What a rule about something else than a directory may name. */
#define OF_A_FILE (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | \
		   LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE | ACCESS_IOCTL_DEV)

IN_CHILD static uint64_t access_of_version(long version)
{
	uint64_t all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;	/* the last one of version 1 */

	if (version >= 2)
		all |= ACCESS_REFER;
	if (version >= 3)
		all |= ACCESS_TRUNCATE;
	if (version >= 5)
		all |= ACCESS_IOCTL_DEV;
	return all;
}

IN_CHILD static int allow(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access };
	struct statx sx;
	long ret;

	rule.parent_fd = (int)raw_call(SYS_openat, AT_FDCWD, path, O_PATH | O_CLOEXEC, 0);
	if (rule.parent_fd < 0)
		return rule.parent_fd;
	ret = raw_call(SYS_statx, rule.parent_fd, "", AT_EMPTY_PATH, STATX_TYPE, &sx);
	if (ret == 0 && !S_ISDIR(sx.stx_mode))
		rule.allowed_access &= OF_A_FILE;
	if (ret == 0)
		ret = raw_call(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	raw_call(SYS_close, rule.parent_fd);
	return (int)ret;
}

IN_CHILD static int allow_all(int ruleset, const struct plan *p, uint32_t paths, uint64_t access)
{
	const uint32_t *item = (const uint32_t *)(const void *)((const char *)p + paths);
	int ret = 0;

	for (; paths != 0 && *item != 0 && ret == 0; item++)
		ret = allow(ruleset, plan_str(p, *item), access);
	return ret;
}

IN_CHILD int landlock_confine(const struct plan *p)
{
	struct landlock_ruleset_attr all = { 0 };
	long version, ruleset;
	int ret;

	if (p->landlock_read == 0 && p->landlock_write == 0)
		return 0;
	version = raw_call(SYS_landlock_create_ruleset, 0, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (version < 0)
		return (int)version;
	all.handled_access_fs = access_of_version(version);
	ruleset = raw_call(SYS_landlock_create_ruleset, &all, sizeof(all.handled_access_fs), 0);
	if (ruleset < 0)
		return (int)ruleset;
	ret = allow_all((int)ruleset, p, p->landlock_read, READING);
	if (ret == 0)
		ret = allow_all((int)ruleset, p, p->landlock_write, all.handled_access_fs);
	if (ret == 0 && p->ncredentials > 0)
		ret = allow((int)ruleset, PLAN_CREDENTIALS_DIR, READING);
	if (ret == 0)
		ret = (int)raw_call(SYS_landlock_restrict_self, ruleset, 0);
	raw_call(SYS_close, ruleset);
	return ret;
}
