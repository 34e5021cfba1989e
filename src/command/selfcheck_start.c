/* Run a file of unknown worth: it gets nothing but three descriptors, its own session, a deadline,
 * and it dies with us. What it says is kept within bounds. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/signame.h"
#include "command/selfcheck.h"

#define TEXT_MAX 2048
#define FLOOD (1u << 20)

extern char **environ;

struct run {
	pid_t pid;
	int exec_fd;		/* gets an errno when there was no exec */
	int fd[2];		/* its stdout and stderr */
	struct strbuf text[2];
	size_t total;
};

static NORETURN void child(const struct selfcheck *c, int null, int out, int err, int failed)
{
	sigset_t none;
	int errnum;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(null, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
	    dup2(err, STDERR_FILENO) >= 0)
		syscall(SYS_execveat, c->exe, "", c->argv, environ, AT_EMPTY_PATH);
	if (errno == ENOSYS)
		fexecve(c->exe, c->argv, environ);
	errnum = errno;
	(void)!write(failed, &errnum, sizeof(errnum));
	_exit(127);
}

/* Fork and exec; -errno. */
static int run_open(struct run *r, const struct selfcheck *c)
{
	int pipes[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	auto_free(closep) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int ret = null < 0 ? -errno : 0;

	for (int i = 0; i < 3 && ret == 0; i++)
		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			ret = -errno;
	if (ret == 0) {
		r->pid = fork();
		if (r->pid == 0)
			child(c, null, pipes[0][1], pipes[1][1], pipes[2][1]);
		if (r->pid < 0)
			ret = -errno;
	}
	for (int i = 0; i < 3; i++) {
		closep(&pipes[i][1]);
		if (ret < 0)
			closep(&pipes[i][0]);
	}
	if (ret < 0)
		return ret;
	r->fd[0] = pipes[0][0];
	r->fd[1] = pipes[1][0];
	r->exec_fd = pipes[2][0];
	return 0;
}

/* Take what came on stream I; closes it at its end. */
static void take_text(struct run *r, int i)
{
	char bytes[1024];
	ssize_t n = read(r->fd[i], bytes, sizeof(bytes));

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0) {
		close(r->fd[i]);
		r->fd[i] = -1;
	} else if (r->text[i].len < TEXT_MAX) {
		strbuf_add(&r->text[i], bytes, (size_t)n);
	}
	r->total += n > 0 ? (size_t)n : 0;
}

/* Until both streams have ended. 0, -ETIMEDOUT, -ECANCELED, -EFBIG: it prints and prints. */
static int run_read(struct run *r, const struct selfcheck *c)
{
	int64_t until_ns = clock_mono_ns() + c->limit_ms * NS_PER_MS;

	while (r->fd[0] >= 0 || r->fd[1] >= 0) {
		struct pollfd p[3] = {
			{ .fd = r->fd[0], .events = POLLIN },
			{ .fd = r->fd[1], .events = POLLIN },
			{ .fd = c->cancel_fd, .events = POLLIN },
		};
		int64_t left = until_ns - clock_mono_ns();

		if (left <= 0)
			return -ETIMEDOUT;
		if (r->total > FLOOD)
			return -EFBIG;
		if (poll(p, 3, (int)(left / NS_PER_MS) + 1) <= 0)
			continue;
		if (p[2].revents)
			return -ECANCELED;
		for (int i = 0; i < 2; i++)
			if (p[i].revents)
				take_text(r, i);
	}
	return 0;
}

/* The exit status; a process that closed its streams and goes on is not waited for. */
static int run_end(struct run *r, int64_t until_ns, bool *late)
{
	const struct timespec pause = { .tv_nsec = 2 * NS_PER_MS };
	int status = 0;

	while (!*late && waitpid(r->pid, &status, WNOHANG) == 0) {
		*late = clock_mono_ns() >= until_ns;
		nanosleep(&pause, NULL);
	}
	kill(-r->pid, SIGKILL);		/* and whatever it started */
	if (*late) {
		kill(r->pid, SIGKILL);
		while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	return status;
}

/* The first words of what it complained about, on one line. */
static const char *complaint(struct run *r)
{
	char *text = r->text[1].buf;
	size_t n;

	if (r->text[1].len == 0)
		return "";
	if (strncmp(text, "procd: ", 7) == 0)
		text += 7;
	n = strcspn(text, "\n");
	while (text[n] == '\n' && strspn(text + n, "\n ") < strlen(text + n)) {
		text[n] = ';';
		n += strcspn(text + n, "\n");
	}
	text[n] = '\0';
	return text;
}

static int verdict(struct run *r, struct selfcheck *c, int status, struct error *e)
{
	const size_t word = strlen(CHECK_WORD);
	const char *said = r->text[0].buf, *why;

	if (WIFSIGNALED(status)) {
		error_set(e, ERROR_RUNTIME_SPAWN, 0, "it was killed by %s when it was asked to check "
			  "the running state", signame(WTERMSIG(status)));
		return -1;
	}
	if (WEXITSTATUS(status) == 0 && strncmp(said, CHECK_WORD, word) == 0) {
		snprintf(c->version, sizeof(c->version), "%.*s", (int)strcspn(said + word, "\n"),
			 said + word);
		return 0;
	}
	why = complaint(r);
	if (WEXITSTATUS(status) == 0)
		error_set(e, ERROR_RUNTIME_SPAWN, 0, "it is no procd, or too old: it does not know "
			  "how to check the running state");
	else if (*why)
		error_set(e, ERROR_STATE_VALUE, 0, "it refuses the running state: %s", why);
	else
		error_set(e, ERROR_RUNTIME_SPAWN, 0, "it is no procd, or too old: exit code %d when "
			  "it was asked to check the running state", WEXITSTATUS(status));
	return -1;
}

static void tell_no_exec(struct error *e, int errnum)
{
	if (errnum == ENOENT)
		error_set(e, ERROR_PLATFORM, 0, "it is a script, or the loader that it names is "
			  "missing");
	else
		error_set(e, ERROR_PLATFORM, errnum, "it cannot be executed");
}

int selfcheck_start(struct selfcheck *c, struct error *e)
{
	struct run r = { .text = { STRBUF_INIT, STRBUF_INIT } };
	int64_t until_ns = clock_mono_ns() + c->limit_ms * NS_PER_MS;
	int ret = run_open(&r, c), errnum = 0, status;
	bool late;

	if (ret < 0) {
		error_set(e, ERROR_RUNTIME_SPAWN, -ret, "cannot start its check");
		return -1;
	}
	ret = run_read(&r, c);
	late = ret < 0;
	status = run_end(&r, until_ns, &late);
	if (read(r.exec_fd, &errnum, sizeof(errnum)) == (ssize_t)sizeof(errnum))
		tell_no_exec(e, errnum);
	else if (ret == -ECANCELED)
		error_set(e, ERROR_SHUTDOWN_IN_PROGRESS, 0, "procd is shutting down");
	else if (ret == -EFBIG)
		error_set(e, ERROR_RUNTIME_SPAWN, 0, "it is no procd: it prints without end");
	else if (late)
		error_set(e, ERROR_RUNTIME_SPAWN, 0, "its check of the running state did not end "
			  "within %d s", c->limit_ms / 1000);
	ret = error_is_set(e) ? -1 : verdict(&r, c, status, e);
	close(r.exec_fd);
	for (int i = 0; i < 2; i++) {
		closep(&r.fd[i]);
		strbuf_fini(&r.text[i]);
	}
	return ret;
}
