/* LOW_EXE is what supervisors are started from. An upgrade puts the new executable there and keeps
 * the old one open beside it, by descriptor: whatever happens to the files meanwhile, the way back
 * is there. With --keeper the keeper goes the same way first, and the same way back. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/handover.h"
#include "keeper/inner.h"
#include "keeper/supervise.h"

#define YIELD_GRACE_NS (3 * NS_PER_SEC)	/* clients wait meanwhile */
#define TRIAL_NS (10 * NS_PER_SEC)
#define PROBATION_NS (10 * NS_PER_SEC)

void upgrade_init(struct keeper *k)
{
	struct upgrade *u = &k->upgrade;
	ssize_t n = readlink("/proc/self/exe", u->path, sizeof(u->path) - 1);

	u->path[n > 0 ? n : 0] = '\0';
	u->exe = u->old_exe = -1;
	u->until_ns = INT64_MAX;
}

static void let_go(int *fd)
{
	closep(fd);
	*fd = -1;
}

static void swap_paths(struct upgrade *u)
{
	char path[PATH_MAX];

	memcpy(path, u->path, sizeof(path));
	memcpy(u->path, u->other_path, sizeof(path));
	memcpy(u->other_path, path, sizeof(path));
}

/* What is on trial or on probation stays for good. */
static void keep(struct upgrade *u)
{
	let_go(&u->old_exe);
	u->phase = UPGRADE_IDLE;
	u->swapped = false;
	u->until_ns = INT64_MAX;
}

bool upgrade_order(struct keeper *k, const struct km_upgrade *m, int exe)
{
	struct upgrade *u = &k->upgrade;

	if (u->phase == UPGRADE_PROBATION)
		keep(u);	/* it was good enough to order the next one */
	if (u->phase != UPGRADE_IDLE || exe < 0) {
		closep(&exe);
		return false;
	}
	u->exe = exe;
	u->keeper_too = m->keeper;
	u->late = false;
	memcpy(u->other_path, m->exe, sizeof(u->other_path));
	u->told = (struct km_upgraded){ .id = u->told.id + 1, .keeper = m->keeper != 0 };
	u->phase = UPGRADE_ORDERED;
	k->supervisor.state = SUPERVISOR_YIELDING;
	k->supervisor.kill_at_ns = clock_mono_ns() + YIELD_GRACE_NS;
	return true;
}

/* LOW_EXE becomes FD, which is closed. 0 or -errno. */
static int exe_put(int *fd)
{
	int ret = dup3(*fd, LOW_EXE, O_CLOEXEC) < 0 ? -errno : 0;

	let_go(fd);
	return ret;
}

static void try_it(struct keeper *k)
{
	int ret = supervise_start(k);

	if (ret < 0)
		upgrade_fail(k, UPGRADE_NO_EXEC, -ret);
}

void upgrade_begin(struct keeper *k)
{
	struct upgrade *u = &k->upgrade;
	int ret;

	u->old_exe = fcntl(LOW_EXE, F_DUPFD_CLOEXEC, LOW_END);
	ret = u->old_exe < 0 ? -errno : exe_put(&u->exe);
	if (ret < 0) {
		let_go(&u->exe);
		let_go(&u->old_exe);
		upgrade_fail(k, UPGRADE_NO_EXEC, -ret);
		return;
	}
	swap_paths(u);
	u->phase = UPGRADE_TRIAL;
	u->until_ns = clock_mono_ns() + TRIAL_NS;
	if (!u->keeper_too) {
		try_it(k);
		return;
	}
	ret = handover_exec(k);
	upgrade_fail(k, ret == -ENOEXEC || ret == -EACCES || ret == -ENOENT
		     ? UPGRADE_NO_EXEC : UPGRADE_NO_HANDOVER, -ret);
}

void upgrade_resume(struct keeper *k)
{
	struct upgrade *u = &k->upgrade;

	if (u->phase != UPGRADE_TRIAL)
		return;		/* back again: an ordinary start */
	u->swapped = true;
	u->until_ns = clock_mono_ns() + TRIAL_NS;
	try_it(k);
}

void upgrade_fail(struct keeper *k, enum upgrade_outcome outcome, int32_t detail)
{
	struct upgrade *u = &k->upgrade;
	bool swapped = u->swapped;

	u->told.outcome = outcome;
	u->told.detail = detail;
	u->told.news = 1;
	if (u->old_exe >= 0) {
		exe_put(&u->old_exe);
		swap_paths(u);
	}
	keep(u);
	k->supervisor.state = SUPERVISOR_NONE;
	k->supervisor.safe_mode = false;
	k->supervisor.restart_at_ns = 0;
	/* the old supervisor belongs to the old keeper; if even that does not come back, the two
	 * still speak the same protocol more often than not */
	if (swapped)
		handover_exec(k);
}

void upgrade_ready(struct keeper *k)
{
	struct upgrade *u = &k->upgrade;

	k->supervisor.ready = true;
	u->told.news = 0;
	if (u->phase != UPGRADE_TRIAL)
		return;
	u->told.outcome = UPGRADE_DONE;
	u->phase = UPGRADE_PROBATION;
	u->until_ns = clock_mono_ns() + PROBATION_NS;
}

bool upgrade_died(struct keeper *k, int status)
{
	struct upgrade *u = &k->upgrade;
	bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL &&
		      !k->supervisor.rejected;

	if (u->phase == UPGRADE_TRIAL)
		upgrade_fail(k, u->late ? UPGRADE_LATE : k->supervisor.rejected ? UPGRADE_NONSENSE
			     : UPGRADE_DIED, status);
	else if (u->phase == UPGRADE_PROBATION && !killed)
		upgrade_fail(k, UPGRADE_DIED_SOON, status);
	else
		return false;
	return true;
}

int64_t upgrade_turn(struct keeper *k, int64_t now_ns)
{
	struct upgrade *u = &k->upgrade;

	if (now_ns < u->until_ns)
		return u->until_ns;
	if (u->phase == UPGRADE_TRIAL) {
		u->late = true;
		u->until_ns = INT64_MAX;
		supervise_reject(k);
	} else {
		keep(u);
	}
	return INT64_MAX;
}
