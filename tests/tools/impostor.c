/* Not procd: what `procd upgrade` must survive. It plays the part that its own file name says
 * ("crash", "hang", ...), agrees with every check unless the part is about checks, and finds the
 * real procd, where a part needs it, in the file "real" beside it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static char self[4096];	/* path of this executable */
static const char *part = "";

static int is(const char *name)
{
	return strcmp(part, name) == 0;
}

static void crash(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
}

/* Go on as the real procd; comes back when that is not there. */
static int become_real(char **argv)
{
	char path[5000];

	snprintf(path, sizeof(path), "%.*s/real", (int)(strrchr(self, '/') - self), self);
	execve(path, argv, environ);
	return 70;
}

static int check(void)
{
	if (is("check-crash"))
		crash();
	if (is("check-hang"))
		pause();
	if (is("check-fail"))
		return 9;
	if (is("check-refuse")) {
		fprintf(stderr, "procd: the saved state has version 1, this needs version 2\n");
		return 1;
	}
	if (is("check-flood"))
		for (;;)
			puts("la la la la la la la la la la la la la la la la la la la");
	puts("procd takes over: 99.0");
	return 0;
}

static int keeper(char **argv)
{
	const char *colon = strchr(argv[2], ':');
	char text[64];

	if (!is("keeper-refuse") || colon == NULL)
		return become_real(argv);
	/* as a keeper does that cannot read what it was handed */
	snprintf(text, sizeof(text), "%.*s:back", (int)(colon - argv[2]), argv[2]);
	argv[2] = text;
	fexecve(atoi(colon + 1), argv, environ);
	return 70;
}

/* Ready, and gone a moment later: the next one of the same file goes on. */
static int soon(char **argv)
{
	char mark[5000];

	snprintf(mark, sizeof(mark), "%.4096s.mark", self);
	if (open(mark, O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0 && fork() == 0) {
		/* the parent is the supervisor to be */
		usleep(300 * 1000);
		kill(getppid(), SIGSEGV);
		_exit(0);
	}
	return become_real(argv);
}

static int supervisor(char **argv)
{
	int fd = atoi(argv[2]);

	if (is("crash") || is("keeper-crash"))
		crash();
	if (is("hang"))
		for (;;)
			pause();
	if (is("nonsense")) {
		(void)!write(fd, "nonsense", 8);
		for (;;)
			pause();
	}
	if (is("soon"))
		return soon(argv);
	return is("exit") ? 7 : become_real(argv);
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	if (strrchr(self, '/'))
		part = strrchr(self, '/') + 1;
	if (argc > 1 && strcmp(argv[1], "@check") == 0)
		return check();
	if (argc > 2 && strcmp(argv[1], "@keeper") == 0)
		return keeper(argv);
	if (argc > 2 && strcmp(argv[1], "@supervisor") == 0)
		return supervisor(argv);
	return 64;
}
