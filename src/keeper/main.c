/* The keeper's life: claim what it needs, start the supervisor, serve. One epoll loop; each turn
 * takes a bounded number of events, then whoever waits for a time gets its turn, then what is untold
 * is told. Without children, messages and signals it sleeps for ever. */
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
#include "keeper/inner.h"
#include "keeper/supervise.h"

#define EVENTS_PER_TURN 64
#define PACKETS_PER_TURN 16	/* each may be a start, about half a millisecond */
#define SIGNALS_PER_TURN 64
#define SAFE_MODE_GRACE_NS (10 * NS_PER_SEC)

void keeper_block_signals(void)
{
	uint64_t all = UINT64_MAX;

	/* not sigprocmask(): libc spares two signals for itself, and one of those would end us */
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
}

int keeper_watch(struct keeper *k, int fd, uint32_t events, uint64_t key)
{
	struct epoll_event ev = { .events = events, .data.u64 = key };

	return epoll_ctl(k->epfd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

/* --- beginning ---------------------------------------------------------------------------------- */

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
		for (int fd = LOW_RUN_DIR; fd < (int)s->original.limits[RLIMIT_NOFILE].rlim_cur &&
		     fd < 65536; fd++)
			close(fd);
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

static int events_open(struct keeper *k)
{
	struct sigaction child = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP };
	sigset_t all;

	/* whoever started us may have ignored it: the kernel would reap in our place */
	sigaction(SIGCHLD, &child, NULL);
	sigfillset(&all);
	k->epfd = epoll_create1(EPOLL_CLOEXEC);
	k->sigfd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (k->epfd < 0 || k->sigfd < 0)
		return -errno;
	return keeper_watch(k, k->sigfd, EPOLLIN, event_key(EVENT_SIGNAL, 0));
}

static int keeper_open(struct keeper *k)
{
	int ret;

	k->started_ns = clock_mono_ns();
	k->rundir.fd = k->rundir.lock_fd = k->rundir.pid_fd = -1;
	k->supervisor.pidfd = -1;
	k->signaller.have_pidfd = kernel_feature_usable(FEATURE_PIDFD_OPEN);
	k->signaller.have_send = kernel_feature_usable(FEATURE_PIDFD_SEND_SIGNAL);
	k->tree.cgroup.refuse_kill = kernel_feature_refused(FEATURE_CGROUP_KILL);
	ret = spawner_init(&k->spawner);
	if (ret == 0) {
		inherited_note(&k->spawner);
		ret = low_claim();
	}
	if (ret == 0)
		ret = events_open(k);
	if (ret == 0)
		ret = link_init(&k->link);
	if (ret == 0)
		ret = slots_init(&k->slots);
	if (ret == 0)
		ret = tree_init(k);
	reap_init(k);
	/* as PID 1 this is so anyway; where it is refused, orphans go to init */
	if (kernel_feature_usable(FEATURE_SUBREAPER))
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	return ret;
}

/* --- SETUP -------------------------------------------------------------------------------------- */

/* Leave the name of our group to whoever comes after us, and clear away what a dead keeper left:
 * we hold the lock, so it is dead. Groups that still have members stay. */
static void group_note(struct keeper *k)
{
	char *name = k->records.header->cgroup;

	name[sizeof(k->records.header->cgroup) - 1] = '\0';
	cgroup_remove_stale(&k->tree.cgroup, name);
	snprintf(name, sizeof(k->records.header->cgroup), "%s",
		 k->tree.cgroup.usable ? k->tree.cgroup.name : "");
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
	if (kernel_feature_usable(FEATURE_CGROUP2))
		cgroup_init(&k->tree.cgroup, LOW_CGROUP);
	group_note(k);
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
	if (welcome->stage == SETUP_OK)
		title_set("procd-keeper", "%s %s", k->options->title, setup->name);
}

/* --- serving ------------------------------------------------------------------------------------ */

static void take_signal(struct keeper *k, int signo)
{
	bool ends = signo == SIGTERM || signo == SIGINT || signo == SIGQUIT;

	if (ends && k->supervisor.safe_mode && k->supervisor.state == SUPERVISOR_NONE)
		supervise_end_all(k, EXIT_FAILED, signo == SIGQUIT ? 0 : SAFE_MODE_GRACE_NS);
	else
		k->signals |= UINT64_C(1) << (signo - 1);
}

static void take_signals(struct keeper *k)
{
	struct signalfd_siginfo si;

	for (int i = 0; i < SIGNALS_PER_TURN; i++) {
		if (read(k->sigfd, &si, sizeof(si)) != (ssize_t)sizeof(si))
			return;
		if (si.ssi_signo == SIGCHLD)
			reap_note(k, (pid_t)si.ssi_pid);
		else if (si.ssi_signo >= 1 && si.ssi_signo <= 64)
			take_signal(k, (int)si.ssi_signo);
	}
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
	int64_t at = tree_turn(k, now_ns);

	next = MIN(next, at);
	at = supervise_turn(k, now_ns);
	next = MIN(next, at);
	at = supervise_ending_turn(k, now_ns);
	next = MIN(next, at);
	link_tell(k);
	if (k->done || next <= now_ns)
		return 0;
	if (next == INT64_MAX)
		return -1;
	return (int)MIN((next - now_ns + NS_PER_MS - 1) / NS_PER_MS, INT32_MAX);
}

static void keeper_serve(struct keeper *k)
{
	struct epoll_event events[EVENTS_PER_TURN];

	while (!k->done) {
		int n = epoll_wait(k->epfd, events, EVENTS_PER_TURN, timeout_ms(k));

		k->turn_ns = clock_mono_ns();
		for (int i = 0; i < n; i++)
			take_event(k, &events[i]);
	}
}

/* An ordered end leaves nothing behind that the next start could mistake for a crash. */
static void keeper_close(struct keeper *k)
{
	if (k->rundir.fd < 0)
		return;
	fifo_remove_all(k->rundir.fd);
	unlinkat(k->rundir.fd, RECORDS_FILE, 0);
	cgroup_fini(&k->tree.cgroup, LOW_CGROUP);
	rundir_close(&k->rundir);
}

int keeper_run(const struct keeper_options *options)
{
	struct keeper *k;
	int ret;

	keeper_block_signals();
	ret = stdio_ensure();
	k = mmap(NULL, sizeof(*k), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (k == MAP_FAILED || ret < 0)
		return EXIT_OS;
	k->options = options;
	title_set("procd-keeper", "%s", options->title);
	ret = keeper_open(k);
	if (ret == 0)
		ret = supervise_start(k);
	if (ret < 0) {
		dprintf(STDERR_FILENO, "procd: cannot start: %s\n", strerror(-ret));
		return EXIT_OS;
	}
	keeper_serve(k);
	keeper_close(k);
	return k->exit_code;
}
