/* Signal names: a table of the standard ones (numbers differ between machines, and not every libc
 * can name them); the real-time range is relative to SIGRTMIN, known at run time only. */
#include "base/signame.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <strings.h>

#define LAST_STANDARD 31

static const char *const standard[LAST_STANDARD + 1] = {
	[SIGHUP] = "HUP", [SIGINT] = "INT", [SIGQUIT] = "QUIT", [SIGILL] = "ILL",
	[SIGTRAP] = "TRAP", [SIGABRT] = "ABRT", [SIGBUS] = "BUS", [SIGFPE] = "FPE",
	[SIGKILL] = "KILL", [SIGUSR1] = "USR1", [SIGSEGV] = "SEGV", [SIGUSR2] = "USR2",
	[SIGPIPE] = "PIPE", [SIGALRM] = "ALRM", [SIGTERM] = "TERM", [SIGCHLD] = "CHLD",
	[SIGCONT] = "CONT", [SIGSTOP] = "STOP", [SIGTSTP] = "TSTP", [SIGTTIN] = "TTIN",
	[SIGTTOU] = "TTOU", [SIGURG] = "URG", [SIGXCPU] = "XCPU", [SIGXFSZ] = "XFSZ",
	[SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF", [SIGWINCH] = "WINCH", [SIGIO] = "IO",
	[SIGPWR] = "PWR", [SIGSYS] = "SYS",
#ifdef SIGSTKFLT
	[SIGSTKFLT] = "STKFLT",
#endif
};

/* Older names for the same numbers. */
static const struct {
	const char *name;
	int signo;
} aliases[] = {
	{ "IOT", SIGIOT },
	{ "CLD", SIGCHLD },
	{ "POLL", SIGPOLL },
};

/* All of TEXT as a small decimal number; -1 when it is anything else. */
static int parse_number(const char *text)
{
	int n = 0;

	if (*text == '\0' || strlen(text) > 3)
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		n = n * 10 + (*text - '0');
	}
	return n;
}

/* libc keeps some numbers below SIGRTMIN for itself. */
static bool usable(int signo)
{
	return (signo > 0 && signo <= LAST_STANDARD) || (signo >= SIGRTMIN && signo <= SIGRTMAX);
}

/* "", "+N" or "-N" behind RTMIN or RTMAX. */
static int parse_realtime(int base, const char *offset)
{
	int n = 0;

	if (*offset != '\0') {
		n = parse_number(offset + 1);
		if (n < 0 || (*offset != '+' && *offset != '-'))
			return -EINVAL;
		if (*offset == '-')
			n = -n;
	}
	n += base;
	return n >= SIGRTMIN && n <= SIGRTMAX ? n : -EINVAL;
}

int signame_parse(const char *text)
{
	int n = parse_number(text);

	if (n >= 0)
		return usable(n) ? n : -EINVAL;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	if (strncasecmp(text, "RTMIN", 5) == 0)
		return parse_realtime(SIGRTMIN, text + 5);
	if (strncasecmp(text, "RTMAX", 5) == 0)
		return parse_realtime(SIGRTMAX, text + 5);
	for (int signo = 1; signo <= LAST_STANDARD; signo++)
		if (standard[signo] != NULL && strcasecmp(standard[signo], text) == 0)
			return signo;
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (strcasecmp(aliases[i].name, text) == 0)
			return aliases[i].signo;
	return -EINVAL;
}

const char *signame(int signo)
{
	static _Thread_local char text[24];
	const char *name = signo > 0 && signo <= LAST_STANDARD ? standard[signo] : NULL;

	if (name != NULL)
		snprintf(text, sizeof(text), "SIG%s", name);
	else if (signo == SIGRTMIN)
		return "SIGRTMIN";
	else if (signo == SIGRTMAX)
		return "SIGRTMAX";
	else if (signo > SIGRTMIN && signo < SIGRTMAX)
		snprintf(text, sizeof(text), "SIGRTMIN+%d", signo - SIGRTMIN);
	else
		snprintf(text, sizeof(text), "SIG%d", signo);
	return text;
}
