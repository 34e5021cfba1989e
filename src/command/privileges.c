/* Capabilities that the supervisor never uses are given up for good, from its bounding set, too, so
 * that nothing it might execute gets them back. This is against accidents and misdirected calls (a
 * wrong path cannot mount, trace, load a module or set the clock), not a wall: the keeper starts
 * what the supervisor asks for, with the keeper's rights. SECURITY.md says more.
 *
 * What is kept is a table with a reason per row: whoever needs another capability adds a row. */
#include "command/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"

static const int kept[] = {
	CAP_CHOWN,		/* the group of the control socket, the users of notify sockets */
	CAP_DAC_OVERRIDE,	/* configuration and logs in directories of other users */
	CAP_NET_BIND_SERVICE,	/* ports below 1024 that subsystems listen on */
	CAP_FOWNER,		/* rotation and replacement in sticky directories */
	CAP_SYS_NICE,		/* [performance] nice below 0 */
	CAP_SYS_RESOURCE,	/* more descriptors than the hard limit; the disk's reserve for logs */
};

#ifndef CAP_PERFMON	/* headers before Linux 5.8 */
#define CAP_PERFMON 38
#endif

/* Kept in reserve, and in effect for single calls only. */
#define RESERVE_PERFMON CAP_PERFMON	/* perf events of other users' processes, for profiles */
#define RESERVE_ADMIN CAP_SYS_ADMIN	/* speaking for the keeper; only with $NOTIFY_SOCKET */

struct capabilities {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

static uint64_t kept_set(void)
{
	uint64_t set = 0;

	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		set |= UINT64_C(1) << kept[i];
	set |= UINT64_C(1) << RESERVE_PERFMON;
	if (getenv("NOTIFY_SOCKET") != NULL)
		set |= UINT64_C(1) << RESERVE_ADMIN;
	return set;
}

static int capabilities_get(struct capabilities *c)
{
	*c = (struct capabilities){ .header.version = _LINUX_CAPABILITY_VERSION_3 };
	return syscall(SYS_capget, &c->header, c->data) < 0 ? -errno : 0;
}

static int capabilities_set(struct capabilities *c)
{
	return syscall(SYS_capset, &c->header, c->data) < 0 ? -errno : 0;
}

/* Before the rest: this needs CAP_SETPCAP itself. Who does not have it cannot get more by exec
 * either, unless by a set-user-ID program: which no_new_privs excludes. */
static void bounding_set_reduce(uint64_t set)
{
	for (int cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!(set >> cap & 1))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int privileges_reduce(void)
{
	const uint64_t set = kept_set();
	struct capabilities c;
	int ret = capabilities_get(&c);

	if (ret < 0)
		return ret;
	bounding_set_reduce(set);
	for (size_t i = 0; i < ARRAY_LEN(c.data); i++) {
		const uint64_t reserve = UINT64_C(1) << RESERVE_PERFMON |
					 UINT64_C(1) << RESERVE_ADMIN;

		c.data[i].permitted &= (uint32_t)(set >> (32 * i));
		c.data[i].effective &= c.data[i].permitted & ~(uint32_t)(reserve >> (32 * i));
		c.data[i].inheritable = 0;
	}
	return capabilities_set(&c);
}

static bool reserve_use(int cap, bool on)
{
	const uint32_t bit = UINT32_C(1) << (cap & 31);
	struct capabilities c;
	uint32_t *effective;

	if (capabilities_get(&c) < 0 || !(c.data[cap / 32].permitted & bit))
		return false;
	effective = &c.data[cap / 32].effective;
	*effective = on ? *effective | bit : *effective & ~bit;
	return capabilities_set(&c) == 0;
}

bool privileges_speak_for_keeper(bool on)
{
	return reserve_use(RESERVE_ADMIN, on);
}

bool privileges_sample(bool on)
{
	return reserve_use(RESERVE_PERFMON, on);
}
