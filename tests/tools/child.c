/* The scripted child: a program that behaves, or misbehaves, exactly as its switches say.
 *
 * It reports what it was given (--report-state, before it changes anything), makes a family
 * (--grandchild...), writes output, and ends, each step in the order in which the switches stand on
 * the command line. When the line is used up it waits for signals, for ever. It uses nothing of
 * procd. `child --help` lists the switches. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static const char usage[] =
	"child [SWITCH...]: steps, in order; at the end it waits for signals\n"
	"  --report-state FILE     write what this process was given, as JSON\n"
	"  --starts FILE           append \"PID\\n\" to FILE: one line per start\n"
	"  --lock FILE             hold a lock; if another holds it, append \"DOUBLE PID\" to FILE\n"
	"  --pid-file FILE         write the pid of the process that runs this step\n"
	"  --ignore SIG, --ignore-term, --block SIG\n"
	"  --trap SIG=FILE         append the signal's name to FILE, go on\n"
	"  --trap-exit SIG=CODE    exit with CODE when it comes\n"
	"  --fork-and-exit         the rest of the line runs in a child; the parent exits with --code\n"
	"  --setsid                become a session leader\n"
	"  --die-with-parent       get SIGTERM when the parent, or its thread that made this, ends\n"
	"  --double-fork           fork, setsid, fork; the parent exits with --code\n"
	"  --grandchild [+FLAGS] FILE   start a process that waits for ever, its pid in FILE; FLAGS:\n"
	"                          s setsid, d double fork, t ignore TERM, o keep stdout and stderr,\n"
	"                          e empty environment\n"
	"  --grandchild-holds-stdout FILE   the same as --grandchild +o FILE\n"
	"  --orphans N             make N orphans that end within 2 ms, then print \"orphans N\"\n"
	"  --code N                exit code for the parents above [0]\n"
	"  --fd N                  where output goes [1]\n"
	"  --line-size N           bytes per --spew line without newline [10]\n"
	"  --spew N[/RATE]         N numbered lines (0: for ever), RATE per second\n"
	"  --print TEXT            TEXT and a newline; --no-newline TEXT without\n"
	"  --copy FILE             the bytes of FILE\n"
	"  --nonblock              O_NONBLOCK on the output descriptor\n"
	"  --notify TEXT           a datagram to NOTIFY_SOCKET; a vertical bar in it is a newline\n"
	"  --beat MS[/N]           send WATCHDOG=1 each MS, N times (for ever)\n"
	"  --sleep MS, --wait-for FILE   go on later\n"
	"  --exit CODE, --die SIG, --crash-after MS\n";

static int code;
static int out_fd = 1;
static long line_size;

static struct {
	const char *file;
	int exit_code;
	bool exits;
} traps[NSIG];

__attribute__((noreturn, format(printf, 1, 2)))
static void fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "child: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(125);
}

/* --- small tools ------------------------------------------------------------------------------ */

static int signal_number(const char *name)
{
	if (strncmp(name, "SIG", 3) == 0)
		name += 3;
	if (strcmp(name, "RTMIN") == 0)
		return SIGRTMIN;
	for (int i = 1; i < NSIG; i++) {
		const char *abbrev = sigabbrev_np(i);

		if (abbrev && strcmp(abbrev, name) == 0)
			return i;
	}
	if (atoi(name) > 0 && atoi(name) < NSIG)
		return atoi(name);
	fail("unknown signal %s", name);
}

static void sleep_ms(long ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static void write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && (errno == EINTR || errno == EAGAIN)) {
			if (errno == EAGAIN)
				sleep_ms(1);
			continue;
		}
		if (w < 0 && errno == ECONNREFUSED)
			return;		/* as for those who say that they are ready, see notify() */
		if (w < 0)
			_exit(124);	/* a lost reader is a finding: make it visible */
		p += w;
		n -= (size_t)w;
	}
}

static int open_append(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	return fd;
}

__attribute__((format(printf, 2, 3)))
static void append_line(const char *path, const char *fmt, ...)
{
	char buf[256];
	va_list ap;
	int fd = open_append(path);

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	write_all(fd, buf, strlen(buf));
	close(fd);
}

/* Whole or not at all, so that who waits for the file never reads a part. */
static void write_file(const char *path, const char *text, size_t n)
{
	char tmp[4096];
	int fd;

	snprintf(tmp, sizeof(tmp), "%s.tmp%d", path, (int)getpid());
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		fail("%s: %s", tmp, strerror(errno));
	write_all(fd, text, n);
	close(fd);
	if (rename(tmp, path) < 0)
		fail("%s: %s", path, strerror(errno));
}

static void write_pid(const char *path)
{
	char text[32];

	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	write_file(path, text, strlen(text));
}

/* --- the report ------------------------------------------------------------------------------- */

static void json_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			fprintf(f, "\\u%04x", c);	/* bytes as Latin-1 */
		else
			fputc(c, f);
	}
	fputc('"', f);
}

static void report_fds(FILE *f)
{
	const char *sep = "";

	fprintf(f, "\"fds\":{");
	for (int fd = 0; fd < 4096; fd++) {
		char link[64], target[4096];
		int flags = fcntl(fd, F_GETFL);
		ssize_t n;

		if (flags < 0)
			continue;
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = 0;
		fprintf(f, "%s\"%d\":{\"target\":", sep, fd);
		json_string(f, target);
		fprintf(f, ",\"nonblock\":%s,\"append\":%s,\"access\":%d}",
			flags & O_NONBLOCK ? "true" : "false", flags & O_APPEND ? "true" : "false",
			flags & O_ACCMODE);
		sep = ",";
	}
	fprintf(f, "},\n");
}

static void report_signals(FILE *f)
{
	sigset_t mask;
	const char *sep = "";

	sigprocmask(SIG_BLOCK, NULL, &mask);
	fprintf(f, "\"blocked\":[");
	for (int i = 1; i < NSIG; i++) {
		if (sigismember(&mask, i) == 1) {
			fprintf(f, "%s%d", sep, i);
			sep = ",";
		}
	}
	fprintf(f, "],\n\"not_default\":[");
	sep = "";
	for (int i = 1; i < NSIG; i++) {
		struct sigaction sa;

		if (sigaction(i, NULL, &sa) == 0 && sa.sa_handler != SIG_DFL) {
			fprintf(f, "%s%d", sep, i);
			sep = ",";
		}
	}
	fprintf(f, "],\n");
}

static void report_ids(FILE *f)
{
	uid_t r, e, s;
	gid_t gr, ge, gs, groups[256];
	int n = getgroups(256, groups);

	if (getresuid(&r, &e, &s) < 0 || getresgid(&gr, &ge, &gs) < 0)
		fail("ids: %s", strerror(errno));
	fprintf(f, "\"uids\":[%u,%u,%u],\n\"gids\":[%u,%u,%u],\n\"groups\":[", r, e, s, gr, ge, gs);
	for (int i = 0; i < n; i++)
		fprintf(f, "%s%u", i ? "," : "", groups[i]);
	fprintf(f, "],\n");
}

static void report_limits(FILE *f)
{
	static const char *const names[] = {
		"cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile", "memlock", "as",
		"locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime",
	};

	fprintf(f, "\"limits\":{");
	for (int i = 0; i < 16; i++) {
		struct rlimit l = { 0 };

		getrlimit((__rlimit_resource_t)i, &l);
		fprintf(f, "%s\"%s\":[%lld,%lld]", i ? "," : "", names[i],
			l.rlim_cur == RLIM_INFINITY ? -1LL : (long long)l.rlim_cur,
			l.rlim_max == RLIM_INFINITY ? -1LL : (long long)l.rlim_max);
	}
	fprintf(f, "},\n");
}

static void report_strings(FILE *f, const char *name, char **list)
{
	fprintf(f, "\"%s\":[", name);
	for (int i = 0; list[i]; i++) {
		if (i)
			fputc(',', f);
		json_string(f, list[i]);
	}
	fprintf(f, "],\n");
}

static int oom_score_adj(void)
{
	char text[32] = "";
	FILE *f = fopen("/proc/self/oom_score_adj", "re");

	if (!f)
		return -10000;
	if (!fgets(text, sizeof(text), f))
		text[0] = 0;
	fclose(f);
	return atoi(text);
}

static void report_numbers(FILE *f)
{
	char cwd[4096];
	mode_t mask = umask(0);
	cpu_set_t cpus;
	int cpu_count;

	umask(mask);
	CPU_ZERO(&cpus);
	cpu_count = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : -1;
	if (!getcwd(cwd, sizeof(cwd)))
		snprintf(cwd, sizeof(cwd), "(%s)", strerror(errno));
	fprintf(f, "\"cwd\":");
	json_string(f, cwd);
	fprintf(f, ",\n\"umask\":%u,\"pid\":%d,\"ppid\":%d,\"pgid\":%d,\"sid\":%d,\"nice\":%d,"
		"\"oom_score_adj\":%d,\"cpus\":%d", (unsigned)mask, (int)getpid(), (int)getppid(),
		(int)getpgrp(), (int)getsid(0), getpriority(PRIO_PROCESS, 0), oom_score_adj(),
		cpu_count);
}

static void report_state(const char *path, char **argv)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		fail("open_memstream");
	fprintf(f, "{");
	report_fds(f);
	report_signals(f);
	report_ids(f);
	report_limits(f);
	report_strings(f, "environ", environ);
	report_strings(f, "argv", argv);
	report_numbers(f);
	fprintf(f, "}\n");
	fclose(f);
	write_file(path, text, size);
	free(text);
}

/* --- signals ---------------------------------------------------------------------------------- */

static void on_signal(int signo)
{
	const char *abbrev = sigabbrev_np(signo);
	int saved = errno;

	if (traps[signo].file) {
		int fd = open_append(traps[signo].file);

		write_all(fd, abbrev ? abbrev : "RT", abbrev ? strlen(abbrev) : 2);
		write_all(fd, "\n", 1);
		close(fd);
	}
	if (traps[signo].exits)
		_exit(traps[signo].exit_code);
	errno = saved;
}

static void trap(char *spec, bool exits)
{
	char *eq = strchr(spec, '=');
	struct sigaction sa = { .sa_handler = on_signal };
	char name[32];
	int signo;

	if (!eq || (size_t)(eq - spec) >= sizeof(name))
		fail("SIG=VALUE wanted, got %s", spec);
	snprintf(name, sizeof(name), "%.*s", (int)(eq - spec), spec);
	signo = signal_number(name);
	traps[signo].exits = exits;
	if (exits)
		traps[signo].exit_code = atoi(eq + 1);
	else
		traps[signo].file = eq + 1;
	sigaction(signo, &sa, NULL);
}

static void block(const char *name)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal_number(name));
	sigprocmask(SIG_BLOCK, &set, NULL);
}

__attribute__((noreturn))
static void die(int signo)
{
	sigset_t set;

	signal(signo, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), signo);
	sleep_ms(1000);
	fail("signal %d did not end me", signo);
}

/* --- family ------------------------------------------------------------------------------------ */

static pid_t do_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork: %s", strerror(errno));
	return pid;
}

static void quiet_stdio(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* Returns in the caller when FILE is there; the new process never returns. */
static void grandchild(const char *flags, char *file)
{
	char self[] = "child", step[] = "--pid-file";
	char *argv[] = { self, step, file, NULL };
	pid_t pid = do_fork();

	if (pid > 0) {
		if (strchr(flags, 'd'))
			waitpid(pid, NULL, 0);
		while (access(file, F_OK) < 0)
			sleep_ms(1);
		return;
	}
	if (strchr(flags, 's') || strchr(flags, 'd'))
		setsid();
	if (strchr(flags, 'd') && do_fork() > 0)
		_exit(0);
	signal(SIGTERM, strchr(flags, 't') ? SIG_IGN : SIG_DFL);
	if (!strchr(flags, 'o'))
		quiet_stdio();
	if (strchr(flags, 'e')) {
		execve("/proc/self/exe", argv, &argv[3]);
		_exit(126);
	}
	write_pid(file);
	for (;;)
		pause();
}

/* Each one's parent ends first, so whoever is init for them has to bury them. */
static void orphans(long n)
{
	for (long i = 0; i < n; i++) {
		pid_t pid = do_fork();

		if (pid == 0) {
			if (do_fork() == 0)
				usleep((unsigned)(i * 37 % 2000));
			_exit(0);
		}
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	dprintf(out_fd, "orphans %ld\n", n);
}

/* --- output ------------------------------------------------------------------------------------ */

/* The number fills the first ten bytes, 'x' the rest. */
static void spew_line(char *line, size_t len, long number)
{
	char digits[24];

	memset(line, 'x', len);
	snprintf(digits, sizeof(digits), "%010ld ", number);
	memcpy(line, digits, len > 10 ? 11 : 10);
	line[len] = '\n';
	write_all(out_fd, line, len + 1);
}

static void spew(const char *spec)
{
	char *rest, *line;
	long n = strtol(spec, &rest, 10), rate = *rest == '/' ? atol(rest + 1) : 0;
	size_t len = (size_t)(line_size > 10 ? line_size : 10);
	struct timespec next;

	line = malloc(len + 1);
	if (!line)
		fail("malloc");
	clock_gettime(CLOCK_MONOTONIC, &next);
	for (long i = 1; n == 0 || i <= n; i++) {
		spew_line(line, len, i);
		if (rate <= 0)
			continue;
		next.tv_nsec += 1000000000 / rate;
		next.tv_sec += next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	free(line);
}

static void copy(const char *path)
{
	char buf[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		write_all(out_fd, buf, (size_t)n);
	close(fd);
}

static void print(const char *text, bool newline)
{
	write_all(out_fd, text, strlen(text));
	if (newline)
		write_all(out_fd, "\n", 1);
}

static void notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char buf[8192];

	if (path == NULL || strlen(path) >= sizeof(addr.sun_path))
		fail("no NOTIFY_SOCKET");
	strcpy(addr.sun_path, path);
	snprintf(buf, sizeof(buf), "%s", text);
	for (char *p = buf; *p; p++)
		if (*p == '|')
			*p = '\n';
	/* real programs do not care whether anybody hears them: a keeper may be dead just now */
	if (sendto(fd, buf, strlen(buf), 0, (struct sockaddr *)&addr, sizeof(addr)) < 0 &&
	    errno != ECONNREFUSED && errno != ENOENT)
		fail("%s: %s", path, strerror(errno));
	close(fd);
}

static void beat(const char *spec)
{
	char *rest;
	long ms = strtol(spec, &rest, 10), n = *rest == '/' ? atol(rest + 1) : 0;

	for (long i = 1; n == 0 || i <= n; i++) {
		notify("WATCHDOG=1");
		sleep_ms(ms);
	}
}

static void lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		append_line(path, "DOUBLE %d\n", (int)getpid());
	/* stays open, and locked, as long as this process lives */
}

/* --- the command line ---------------------------------------------------------------------------- */

static bool plain_step(const char *step)
{
	if (strcmp(step, "--ignore-term") == 0)
		signal(SIGTERM, SIG_IGN);
	else if (strcmp(step, "--setsid") == 0)
		setsid();
	else if (strcmp(step, "--die-with-parent") == 0)
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	else if (strcmp(step, "--nonblock") == 0)
		fcntl(out_fd, F_SETFL, fcntl(out_fd, F_GETFL) | O_NONBLOCK);
	else if (strcmp(step, "--fork-and-exit") == 0) {
		if (do_fork() > 0)
			_exit(code);
	} else if (strcmp(step, "--double-fork") == 0) {
		if (do_fork() > 0)
			_exit(code);
		setsid();
		if (do_fork() > 0)
			_exit(0);
	} else
		return false;
	return true;
}

/* Steps that end the process or wait. */
static bool ending_step(const char *step, const char *value)
{
	if (strcmp(step, "--sleep") == 0)
		sleep_ms(atol(value));
	else if (strcmp(step, "--wait-for") == 0) {
		while (access(value, F_OK) < 0)
			sleep_ms(2);
	} else if (strcmp(step, "--exit") == 0)
		_exit(atoi(value));
	else if (strcmp(step, "--die") == 0)
		die(signal_number(value));
	else if (strcmp(step, "--crash-after") == 0) {
		sleep_ms(atol(value));
		die(SIGABRT);
	} else
		return false;
	return true;
}

static bool output_step(const char *step, const char *value)
{
	if (strcmp(step, "--fd") == 0)
		out_fd = atoi(value);
	else if (strcmp(step, "--line-size") == 0)
		line_size = atol(value);
	else if (strcmp(step, "--spew") == 0)
		spew(value);
	else if (strcmp(step, "--print") == 0)
		print(value, true);
	else if (strcmp(step, "--no-newline") == 0)
		print(value, false);
	else if (strcmp(step, "--copy") == 0)
		copy(value);
	else if (strcmp(step, "--notify") == 0)
		notify(value);
	else if (strcmp(step, "--beat") == 0)
		beat(value);
	else
		return false;
	return true;
}

static void value_step(const char *step, char *value, char **argv)
{
	if (ending_step(step, value) || output_step(step, value))
		return;
	if (strcmp(step, "--report-state") == 0)
		report_state(value, argv);
	else if (strcmp(step, "--starts") == 0)
		append_line(value, "%d\n", (int)getpid());
	else if (strcmp(step, "--lock") == 0)
		lock(value);
	else if (strcmp(step, "--pid-file") == 0)
		write_pid(value);
	else if (strcmp(step, "--ignore") == 0)
		signal(signal_number(value), SIG_IGN);
	else if (strcmp(step, "--block") == 0)
		block(value);
	else if (strcmp(step, "--trap") == 0)
		trap(value, false);
	else if (strcmp(step, "--trap-exit") == 0)
		trap(value, true);
	else if (strcmp(step, "--grandchild-holds-stdout") == 0)
		grandchild("o", value);
	else if (strcmp(step, "--orphans") == 0)
		orphans(atol(value));
	else if (strcmp(step, "--code") == 0)
		code = atoi(value);
	else
		fail("unknown switch %s", step);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *step = argv[i];

		if (strcmp(step, "--help") == 0) {
			fputs(usage, stdout);
			return 0;
		}
		if (plain_step(step))
			continue;
		if (i + 1 >= argc)
			fail("%s needs a value (or is unknown)", step);
		if (strcmp(step, "--grandchild") == 0) {
			const char *flags = argv[i + 1][0] == '+' ? argv[++i] : "";

			if (i + 1 >= argc)
				fail("--grandchild needs a file");
			grandchild(flags, argv[++i]);
			continue;
		}
		value_step(step, argv[++i], argv);
	}
	for (;;)
		pause();
}
