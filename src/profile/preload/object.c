/* The preload object's own life. procd names it in LD_PRELOAD of a subsystem with heap_profile and
 * tells it what to do in one variable, PROCD_HEAP_PROFILE=OWNER:SIGNAL:FILE.
 *
 * OWNER is the process whose heap is meant: zeros for "whoever is the first to read this", which then
 * puts its own number in their place. So a program that is executed in the same process (a shell
 * script that ends with exec) is profiled in its turn, and what the process starts beside it inherits
 * the variable and does nothing: there is one file and one process that writes it.
 *
 * The file is written when the process ends by exit(3) or _exit(2), or by a signal for which it has
 * no handler of its own: HUP, INT, QUIT, TERM and the stop signal of the subsystem get one here,
 * which writes the file and then lets the signal do its work. Programs that ask do not see it. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "config/heap_object.h"
#include "profile/heap_record.h"
#include "profile/preload/dump.h"
#include "profile/preload/wrap.h"

#ifdef __GLIBC__
#define error_text(errnum) strerrordesc_np(errnum)	/* takes no lock and no locale */
#else
#define error_text(errnum) strerror(errnum)
#endif

static struct {
	const char *path;
	_Atomic int writing;		/* 1 begun, 2 done */
	_Atomic int pending;		/* a signal that came in the middle of bookkeeping */
	int (*sigaction)(int, const struct sigaction *, struct sigaction *);
} self;

static int watched[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, 0 };

/* --- writing ---------------------------------------------------------------------------------- */

static void say(const char *what, const char *why)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "procd: heap_profile: %s%s%s\n", what,
			 why != NULL ? ": " : "", why != NULL ? why : "");
	ssize_t ignored = write(STDERR_FILENO, line, n < (int)sizeof(line) ? (size_t)n
								       : sizeof(line) - 1);

	(void)ignored;
}

/* Not a child that was forked, nor one that shares this memory until it executes something. */
static bool is_owner(void)
{
	return heap_record_on() && (uint32_t)getpid() == procd_heap_state.pid;
}

static void wait_for_writer(void)
{
	const struct timespec moment = { .tv_nsec = 2000000 };

	for (int i = 0; i < 2500 && atomic_load(&self.writing) != 2; i++)
		nanosleep(&moment, NULL);
}

/* Once, whoever comes first. */
static void write_file(void)
{
	int none = 0, ret;

	if (!atomic_compare_exchange_strong(&self.writing, &none, 1)) {
		wait_for_writer();
		return;
	}
	heap_wrap_enter();
	ret = heap_dump(self.path);
	heap_wrap_leave();
	if (ret < 0)
		say(self.path, ret == -EINVAL ? "is no regular file" : error_text(-ret));
	atomic_store(&self.writing, 2);
}

/* --- ends ------------------------------------------------------------------------------------- */

__attribute__((destructor)) static void at_end(void)
{
	if (is_owner() && !heap_wrap_busy())
		write_file();
}

void _exit(int status)
{
	if (is_owner() && !heap_wrap_busy())
		write_file();
	for (;;)
		syscall(SYS_exit_group, status);
}

void _Exit(int status)
{
	_exit(status);
}

static void end_by(int signo)
{
	const struct sigaction as_ever = { .sa_handler = SIG_DFL };
	sigset_t set;

	if (is_owner())
		write_file();
	self.sigaction(signo, &as_ever, NULL);
	sigemptyset(&set);
	sigaddset(&set, signo);
	raise(signo);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void on_signal(int signo)
{
	int keep = errno;

	if (heap_wrap_busy())
		atomic_store(&self.pending, signo);
	else
		end_by(signo);
	errno = keep;
}

void heap_wrap_after(void)
{
	int signo = atomic_load_explicit(&self.pending, memory_order_relaxed);

	if (signo != 0)
		end_by(signo);
}

/* --- signals that the program asks about ------------------------------------------------------- */

static void know_sigaction(void)
{
	void *found = dlsym(RTLD_NEXT, "sigaction");

	memcpy(&self.sigaction, &found, sizeof(found));
}

static bool is_ours(const struct sigaction *action)
{
	return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == on_signal;
}

int sigaction(int signo, const struct sigaction *action, struct sigaction *old)
{
	int ret;

	if (self.sigaction == NULL)
		know_sigaction();
	ret = self.sigaction(signo, action, old);
	if (ret == 0 && old != NULL && is_ours(old))
		*old = (struct sigaction){ .sa_handler = SIG_DFL };
	return ret;
}

sighandler_t signal(int signo, sighandler_t handler)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART }, old;

	sigemptyset(&action.sa_mask);
	if (handler == SIG_ERR) {
		errno = EINVAL;
		return SIG_ERR;
	}
	return sigaction(signo, &action, &old) < 0 ? SIG_ERR : old.sa_handler;
}

static void watch(int signo)
{
	struct sigaction old, mine = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK };

	sigfillset(&mine.sa_mask);
	if (self.sigaction(signo, NULL, &old) == 0 && !(old.sa_flags & SA_SIGINFO) &&
	    old.sa_handler == SIG_DFL)
		self.sigaction(signo, &mine, NULL);
}

/* --- the beginning ---------------------------------------------------------------------------- */

/* Is the one that OWNER (its digits stand in the environment) names this process? */
static bool claim(char *owner)
{
	char digits[HEAP_OWNER_DIGITS + 1];

	snprintf(digits, sizeof(digits), "%0*d", HEAP_OWNER_DIGITS, (int)getpid());
	if (strncmp(owner, HEAP_OWNER_NOBODY, HEAP_OWNER_DIGITS) == 0)
		memcpy(owner, digits, HEAP_OWNER_DIGITS);
	return strncmp(owner, digits, HEAP_OWNER_DIGITS) == 0;
}

static void begin(char *path, int stop_signal)
{
	int ret;

	if (!heap_wrap_foremost()) {
		say("nothing is recorded, the program brings an allocator of its own", NULL);
		return;
	}
	self.path = strdup(path);
	ret = self.path != NULL ? heap_record_start() : -ENOMEM;
	if (ret < 0) {
		say("nothing is recorded", error_text(-ret));
		return;
	}
	/* procd profile heap reads the books: whoever may look into this process at all, may */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	watched[sizeof(watched) / sizeof(watched[0]) - 1] = stop_signal;
	for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
		if (watched[i] > 0)
			watch(watched[i]);
}

__attribute__((constructor)) static void at_start(void)
{
	char *owner = getenv(HEAP_VARIABLE);
	char *signo = owner != NULL ? strchr(owner, ':') : NULL;
	char *path = signo != NULL ? strchr(signo + 1, ':') : NULL;

	know_sigaction();
	if (path == NULL || signo - owner != HEAP_OWNER_DIGITS || path[1] != '/' || !claim(owner))
		return;
	begin(path + 1, atoi(signo + 1));
}
