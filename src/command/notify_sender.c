/* A process is known by its cgroup, by its session, by its ancestors or, as an orphan that came to
 * the keeper, by the name in its environment, as everywhere in the keeper. /proc is asked about a
 * number, which may be somebody else's by then; so a stranger whose pidfd says that he has ended
 * was not looked at in time, and is judged as one that is gone. */
#include "command/notify_sender.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/pidfd.h"
#include "keeper/proctable.h"

#define ANCESTORS_MAX 64
#define PROC_TEXT_MAX 4608	/* a path of cgroups, and a little more */

enum look { LOOK_GONE, LOOK_OURS, LOOK_FOREIGN };

static bool proc_read(pid_t pid, const char *file, char text[PROC_TEXT_MAX])
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, PROC_TEXT_MAX - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static bool family_of(pid_t pid, pid_t *parent, pid_t *session)
{
	char text[PROC_TEXT_MAX];
	int ppid, group, sid;
	const char *at;

	if (!proc_read(pid, "stat", text))
		return false;
	at = strrchr(text, ')');	/* the name before it may hold anything */
	if (at == NULL || sscanf(at + 1, " %*c %d %d %d", &ppid, &group, &sid) != 3)
		return false;
	*parent = ppid;
	*session = sid;
	return true;
}

bool notify_group_is(const char *path, const char *name, uint32_t slot)
{
	size_t n = strlen(name);

	if (n == 0)
		return false;
	/* the first of that name: below it a program may call its groups as it likes */
	for (const char *at = strchr(path, '/'); at != NULL; at = strchr(at + 1, '/')) {
		char *end;

		if (strncmp(at + 1, name, n) != 0 || at[1 + n] != '/')
			continue;
		at += n + 2;
		return *at >= '0' && *at <= '9' && strtoul(at, &end, 10) == slot &&
		       (*end == '\0' || *end == '/' || *end == ' ');
	}
	return false;
}

static bool in_group(pid_t pid, const struct notify_subject *subject)
{
	char text[PROC_TEXT_MAX];
	char *line, *end;

	if (subject->group[0] == '\0' || !proc_read(pid, "cgroup", text))
		return false;
	line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	if (line == NULL)
		return false;
	line = strchr(line, '/');
	if (line == NULL)
		return false;
	end = strchr(line, '\n');
	if (end != NULL)
		*end = '\0';
	return notify_group_is(line, subject->group, subject->slot);
}

static enum look look_at(const struct notify_sender *sender, const struct notify_subject *subject)
{
	pid_t pid = sender->pid;

	if (in_group(pid, subject))
		return LOOK_OURS;
	for (int i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
		pid_t parent, session;

		if (!family_of(pid, &parent, &session))
			return i == 0 ? LOOK_GONE : LOOK_FOREIGN;
		if (session == subject->session || parent == subject->main_pid)
			return LOOK_OURS;
		/* its environment is closed to a supervisor of root, which has fewer rights */
		if (parent == subject->keeper_pid)
			return proc_has_marker(pid, subject->name) ? LOOK_OURS : LOOK_FOREIGN;
		pid = parent;
	}
	return LOOK_FOREIGN;
}

static bool has_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return pidfd >= 0 && poll(&p, 1, 0) > 0;
}

/* One that cannot be looked at any more. A group says something where it is the subsystem's own. */
static bool judge_gone(const struct notify_sender *sender, const struct notify_subject *subject)
{
	uint64_t theirs = sender->pidfd >= 0 ? pidfd_cgroup(sender->pidfd) : 0, ours = 0;
	bool telling = theirs != 0 && in_group(subject->main_pid, subject);
	auto_free(closep) int pidfd = telling ? pidfd_open_process(subject->main_pid) : -1;

	if (pidfd >= 0)
		ours = pidfd_cgroup(pidfd);
	if (theirs != 0 && ours != 0)
		return theirs == ours;
	return sender->uid == subject->uid || sender->uid == 0;
}

bool notify_sender_is_ours(const struct notify_sender *sender, const struct notify_subject *subject)
{
	enum look look;

	if (sender->pid <= 0 || subject->main_pid <= 0)
		return false;
	if (sender->pid == subject->main_pid)
		return true;
	look = look_at(sender, subject);
	if (look == LOOK_FOREIGN && has_ended(sender->pidfd))
		look = LOOK_GONE;
	return look == LOOK_GONE ? judge_gone(sender, subject) : look == LOOK_OURS;
}
