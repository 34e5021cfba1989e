/* A hard limit is only a wall for those without CAP_SYS_RESOURCE: so it is tried, not asked
 * about. */
#include "base/nofile.h"

#include <stddef.h>
#include <sys/resource.h>

uint64_t nofile_claim(pid_t pid, uint64_t need)
{
	struct rlimit64 now, wish;

	if (prlimit64(pid, RLIMIT_NOFILE, NULL, &now) < 0)
		return UINT64_MAX;
	if (now.rlim_cur >= need)
		return now.rlim_cur;
	wish.rlim_cur = need;
	wish.rlim_max = now.rlim_max > need ? now.rlim_max : need;
	if (prlimit64(pid, RLIMIT_NOFILE, &wish, NULL) == 0)
		return need;
	wish.rlim_cur = wish.rlim_max = now.rlim_max;
	if (prlimit64(pid, RLIMIT_NOFILE, &wish, NULL) == 0)
		return now.rlim_max;
	return now.rlim_cur;
}
