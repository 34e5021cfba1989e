/* The keeper's life: claim what it needs, start the supervisor, serve. One epoll loop; each turn
 * takes a bounded number of events, then whoever waits for a time gets its turn, then what is
 * untold is told. Without children, messages and signals it sleeps for ever. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/title.h"
#include "keeper/adopt.h"
#include "keeper/features.h"
#include "keeper/fifo.h"
#include "keeper/handover.h"
#include "keeper/inner.h"
#include "keeper/limits.h"
#include "keeper/linereader.h"
#include "keeper/supervise.h"

#define EVENTS_PER_TURN 64
#define STARTS_MAPPED 64
#define PACKETS_PER_TURN 16	/* each may be a start, about half a millisecond */
#define SIGNALS_PER_TURN 16

#define KERNEL_NSIG 64

struct kernel_sigaction {	/* all zero: SIG_DFL on every architecture */
	unsigned long words[4];
};

/* Past libc, which spares the two signals that it uses itself. An inherited "ignore SIGCHLD" would
 * lose every status; and because the keeper's dispositions are the default ones, a child's are. */
void keeper_block_signals(void)
{
	const struct kernel_sigaction by_default = { { 0 } };
	uint64_t all = UINT64_MAX;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
	for (int i = 1; i <= KERNEL_NSIG; i++)
		if (i != SIGKILL && i != SIGSTOP)
			syscall(SYS_rt_sigaction, i, &by_default, NULL, sizeof(all));
}

int keeper_watch(struct keeper *k, int fd, uint32_t events, uint64_t key)
{
	struct epoll_event ev = { .events = events, .data.u64 = key };

	return epoll_ctl(k->epfd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

void keeper_watch_hangup(struct keeper *k, int fd, uint64_t key)
{
	struct epoll_event ev = { .data.u64 = key };

	epoll_ctl(k->epfd, EPOLL_CTL_MOD, fd, &ev);
}

/* --- beginning -------------------------------------------------------------------------------- */

/* Descriptors 0 to 2 exist, whatever procd was started with: nothing else may get these numbers. */
static int stdio_ensure(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return -errno;
	} while (fd <= STDERR_FILENO);
	close(fd);
	return 0;
}

/* Without close_range: what /proc lists from LOW_RUN_DIR on, the list itself kept out of the
 * way. */
static void close_listed(void)
{
	int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct direntry_reader r;
	const char *name;

	if (dir < 0)
		return;
	direntry_init(&r, dir);
	while ((name = direntry_next(&r, DIRENTRY_ALL)) != NULL) {
		int fd = (int)strtol(name, NULL, 10);

		if (fd >= LOW_RUN_DIR && fd != dir)
			close(fd);
	}
	close(dir);
}

/* What procd was started with is kept for the supervisor, and for no child. */
static void inherited_note(struct spawner *s)
{
	for (int fd = 3; fd < LOW_RUN_DIR; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags < 0 || flags & FD_CLOEXEC)
			continue;
		s->inherited |= UINT64_C(1) << fd;
		fd_set_cloexec(fd, true);
	}
	if (!s->have_close_range || close_range(LOW_RUN_DIR, ~0U, 0) < 0)
		close_listed();
}

static int low_claim(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int exe = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	for (int low = LOW_RUN_DIR; low < LOW_END && ret == 0; low++)
		if (dup3(low == LOW_EXE && exe >= 0 ? exe : fd, low, O_CLOEXEC) < 0)
			ret = -errno;
	close(fd);
	closep(&exe);
	return ret;
}

/* Every signal arrives through a descriptor; 0 or -errno. Stops are told, too: a supervisor that
 * somebody stopped does nothing for anybody. */
static int open_events(struct keeper *k)
{
	sigset_t all;

	sigfillset(&all);
	k->epfd = epoll_create1(EPOLL_CLOEXEC);
	k->sigfd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (k->epfd < 0 || k->sigfd < 0)
		return -errno;
	return keeper_watch(k, k->sigfd, EPOLLIN, event_key(EVENT_SIGNAL, 0));
}

static void keeper_probe(struct keeper *k)
{
	k->supervisor.pidfd = -1;
	k->supervisor.kill_at_ns = INT64_MAX;
	k->signaller.have_pidfd = kernel_feature_usable(FEATURE_PIDFD_OPEN);
	k->signaller.have_send = kernel_feature_usable(FEATURE_PIDFD_SEND_SIGNAL);
	k->signaller.have_inode = k->signaller.have_pidfd &&
				  kernel_feature_usable(FEATURE_PIDFD_INODE);
	k->adoption.look_at_ns = INT64_MAX;
	k->tree.cgroup.refuse_kill = kernel_feature_refused(FEATURE_CGROUP_KILL);
	heartbeat_init(&k->heartbeat);
	reap_init(k);
}

static int tables_open(struct keeper *k)
{
	int ret = open_events(k);

	if (ret == 0)
		ret = link_init(&k->link);
	if (ret == 0)
		ret = slots_init(&k->slots);
	if (ret == 0)
		ret = tree_init(k);
	return ret;
}

static int keeper_open(struct keeper *k)
{
	int ret;

	k->started_ns = clock_mono_ns();
	k->rundir.fd = k->rundir.lock_fd = k->rundir.pid_fd = -1;
	keeper_probe(k);
	upgrade_init(k);
	ret = spawner_init(&k->spawner);
	if (ret == 0) {
		inherited_note(&k->spawner);
		ret = low_claim();
	}
	if (ret == 0)
		ret = tables_open(k);
	/* as PID 1 this is so anyway; where it is refused, orphans go to init */
	if (kernel_feature_usable(FEATURE_SUBREAPER))
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	return ret;
}

/* As keeper_open(), for a process that is all that already. */
static int keeper_reopen(struct keeper *k, const struct handover *h)
{
	int ret;

	keeper_probe(k);
	ret = spawner_resume(&k->spawner, h);
	if (ret == 0)
		ret = tables_open(k);
	if (ret == 0)
		ret = records_resume(&k->records, h->records_fd);
	if (ret == 0)
		handover_slots(k, h);
	k->reaper.sweep_at_ns = 0;	/* whose SIGCHLD was taken by the one before us */
	return ret;
}

/* --- SETUP ------------------------------------------------------------------------------------ */

/* The group of a keeper that was killed is taken over with what lives in it. The records say which
 * one it is; when they are lost, the group says whose it is. */
static void trees_open(struct keeper *k, bool after_a_death)
{
	struct records_header *h = k->records.header;
	char old[sizeof(h->cgroup)], owner[PATH_MAX + 64];

	records_group_get(h, old);
	/* refused or not: whether groups can be made is seen when one is made, just below */
	if (!kernel_feature_refused(FEATURE_CGROUP2)) {
		rundir_identity(&k->rundir, owner, sizeof(owner));
		if (old[0] == '\0' && after_a_death)
			cgroup_find_signed(owner, old);
		cgroup_init(&k->tree.cgroup, LOW_CGROUP, old);
	}
	if (k->tree.cgroup.usable)
		cgroup_sign(LOW_CGROUP, owner);
	records_group_set(h, k->tree.cgroup.usable ? k->tree.cgroup.name : "");
}

/* Everything below the lock: what the first SETUP makes. */
static enum setup_stage instance_open(struct keeper *k, const struct km_setup *setup,
				      struct km_welcome *welcome)
{
	enum setup_stage stage;
	bool set_aside = false;
	pid_t holder = 0;
	int errnum = 0;

	stage = rundir_open(&k->rundir, setup->run_dir, &errnum, &holder);
	welcome->holder_pid = holder;
	if (stage == SETUP_OK && setup->pid_file[0] != '\0')
		stage = rundir_pid_file(&k->rundir, setup->pid_file, &errnum);
	if (stage == SETUP_OK) {
		errnum = -fifo_dir_take(LOW_RUN_DIR);
		if (errnum != 0)
			stage = SETUP_RUN_DIR;
	}
	if (stage == SETUP_OK) {
		errnum = -records_create(&k->records, LOW_RUN_DIR, MAX(setup->slots, 16u),
					 &set_aside);
		if (errnum != 0)
			stage = SETUP_RECORDS;
	}
	welcome->records_set_aside = set_aside;
	welcome->errnum = errnum;
	if (stage != SETUP_OK) {
		rundir_close(&k->rundir);
		return stage;
	}
	trees_open(k, holder != 0);
	k->records.header->keeper_pid = getpid();
	k->records.header->keeper_start_ticks = process_start_time(getpid());
	k->records.header->keeper_started_mono_ns = k->started_ns;
	adopt_all(k);
	return SETUP_OK;
}

void keeper_setup(struct keeper *k, const struct km_setup *setup, struct km_welcome *welcome)
{
	if (setup->version != KEEPER_PROTO_VERSION)
		welcome->stage = SETUP_VERSION;
	else if (k->rundir.fd < 0)
		welcome->stage = instance_open(k, setup, welcome);
	else
		welcome->stage = strcmp(k->rundir.path, setup->run_dir) == 0 ? SETUP_OK
									     : SETUP_MOVED;
	if (welcome->stage == SETUP_OK) {
		snprintf(k->name, sizeof(k->name), "%s", setup->name);
		title_set("procd-keeper", "%s %s", k->options->title, k->name);
	}
}

/* --- serving ---------------------------------------------------------------------------------- */

static void take_signals(struct keeper *k)
{
	struct signalfd_siginfo si[SIGNALS_PER_TURN];
	ssize_t size = read(k->sigfd, si, sizeof(si));
	bool child = false;

	for (ssize_t i = 0; i < size / (ssize_t)sizeof(*si); i++) {
		child |= si[i].ssi_signo == SIGCHLD;
		if (si[i].ssi_signo == SIGCHLD)
			reap_note(k, (pid_t)si[i].ssi_pid);
		else if (si[i].ssi_signo >= 1 && si[i].ssi_signo <= KERNEL_NSIG)
			supervise_signal(k, (int)si[i].ssi_signo);
	}
	if (child)
		heartbeat_look(k);
}

static void take_event(struct keeper *k, const struct epoll_event *ev)
{
	switch ((enum event_kind)(ev->data.u64 >> 32)) {
	case EVENT_SIGNAL:
		take_signals(k);
		break;
	case EVENT_LINK:
		if (k->link.fd >= 0 && !link_receive(k, PACKETS_PER_TURN))
			supervise_reject(k);
		break;
	case EVENT_SUPERVISOR:
		supervise_exited(k);
		break;
	case EVENT_CHILD:
		reap_slot(k, (uint32_t)ev->data.u64);
		break;
	}
}

/* Whoever waits for a time gets its turn; returns how long epoll may sleep. */
static int timeout_ms(struct keeper *k)
{
	int64_t now_ns = clock_mono_ns();
	int64_t next = reap_turn(k, now_ns);
	int64_t at = adopt_turn(k, now_ns);

	next = MIN(next, at);
	at = tree_turn(k, now_ns);
	next = MIN(next, at);
	at = upgrade_turn(k, now_ns);
	next = MIN(next, at);
	at = supervise_turn(k, now_ns);
	next = MIN(next, at);
	at = supervise_ending_turn(k, now_ns);
	next = MIN(next, at);
	link_tell(k);
	at = heartbeat_turn(k, now_ns);	/* which waits for an answer to what was just told */
	next = MIN(next, at);
	if (k->done || next <= now_ns)
		return 0;
	if (next == INT64_MAX)
		return -1;
	return (int)MIN((next - now_ns + NS_PER_MS - 1) / NS_PER_MS, INT32_MAX);
}

/* A start of thousands touches each page of the records; nobody looks at them again for long. */
static void let_go_of_pages(struct keeper *k)
{
	if (k->spawner.starts - k->unmapped_starts < STARTS_MAPPED)
		return;
	k->unmapped_starts = k->spawner.starts;
	records_unmap_idle(&k->records);
}

static void keeper_serve(struct keeper *k)
{
	struct epoll_event events[EVENTS_PER_TURN];

	while (!k->done) {
		int n = epoll_wait(k->epfd, events, EVENTS_PER_TURN, timeout_ms(k));

		k->turn_ns = clock_mono_ns();
		for (int i = 0; i < n; i++)
			take_event(k, &events[i]);
		let_go_of_pages(k);
	}
}

/* An ordered end leaves nothing behind that the next start could mistake for a crash; unless
 * something could not be killed: then it must not be started a second time. */
static void keeper_close(struct keeper *k)
{
	if (k->rundir.fd < 0)
		return;
	if (supervise_anything_left(k)) {
		rundir_close(&k->rundir);
		return;
	}
	fifo_remove_all(k->rundir.fd);
	limits_leave(&k->tree.cgroup, LOW_CGROUP, NULL, 0);
	cgroup_fini(&k->tree.cgroup, LOW_CGROUP);	/* of which only the records know */
	unlinkat(k->rundir.fd, RECORDS_FILE, 0);
	rundir_close(&k->rundir);
}

static struct keeper *keeper_new(const struct keeper_options *options)
{
	struct keeper *k = mmap(NULL, sizeof(*k), PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (k == MAP_FAILED)
		return NULL;
	k->options = options;
	return k;
}

static int keeper_live(struct keeper *k, int ret)
{
	if (ret < 0) {
		dprintf(STDERR_FILENO, "procd: cannot start: %s\n", strerror(-ret));
		return EXIT_OS;
	}
	keeper_serve(k);
	keeper_close(k);
	return k->exit_code;
}

int keeper_run(const struct keeper_options *options)
{
	struct keeper *k;
	int ret;

	keeper_block_signals();
	ret = stdio_ensure();
	k = ret == 0 ? keeper_new(options) : NULL;
	if (k == NULL) {
		dprintf(STDERR_FILENO, "procd: cannot start: %s\n", strerror(errno));
		return EXIT_OS;
	}
	title_set("procd-keeper", "%s", options->title);
	ret = keeper_open(k);
	if (ret == 0)
		ret = supervise_start(k);
	if (ret == 0 && !kernel_feature_refused(FEATURE_CGROUP2))
		cgroup_locate(&k->tree.cgroup);	/* it reads its configuration meanwhile */
	return keeper_live(k, ret);
}

/* Before the way back, which knows only that there was a reason. */
static void tell_refusal(int err)
{
	dprintf(STDERR_FILENO, "procd: the new keeper cannot take over: %s\n", strerror(-err));
}

int keeper_resume(const struct keeper_options *options, const char *handover)
{
	const struct handover *h;
	struct keeper *k;
	int returned, ret;

	keeper_block_signals();
	k = keeper_new(options);
	returned = k != NULL ? handover_open(k, handover, &h) : -ENOMEM;
	if (returned < 0) {
		tell_refusal(returned);
		handover_refuse(options, handover);
		return keeper_live(k, returned);
	}
	title_set("procd-keeper", "%s %s", options->title, k->name);
	ret = keeper_reopen(k, h);
	if (ret < 0) {
		tell_refusal(ret);
		handover_refuse(options, handover);
	}
	handover_fini(h, handover);
	if (ret == 0 && returned)
		upgrade_fail(k, UPGRADE_REFUSED, 0);
	else if (ret == 0)
		upgrade_resume(k);
	return keeper_live(k, ret);
}
