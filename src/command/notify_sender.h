/* Who sent a notify message? */
#ifndef COMMAND_NOTIFY_SENDER_H
#define COMMAND_NOTIFY_SENDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whom it should be from. */
struct notify_subject {
	pid_t main_pid, session;	/* the session that the first one made */
	uid_t uid;		/* that it was started as */
	const char *group;	/* name of the keeper's cgroup; "": there is none */
	uint32_t slot;
	pid_t keeper_pid;	/* who gets the orphans of all trees */
	const char *name;	/* that the environment of its processes says */
};

/* As the kernel tells. */
struct notify_sender {
	pid_t pid;		/* 0: none that is visible from here */
	uid_t uid;
	int pidfd;		/* -1: this kernel has none to give */
};

/* Is it the main process of SUBJECT or a member of its tree? A sender that has ended already is
 * judged by the cgroup it was in; where the kernel does not keep that, by its user: who is not that
 * user cannot open the socket. */
bool notify_sender_is_ours(const struct notify_sender *sender,
			   const struct notify_subject *subject);

/* Is PATH, the group of a process as /proc/PID/cgroup shows it, that of SLOT below the keeper's
 * group NAME, or one below? Pure. */
bool notify_group_is(const char *path, const char *name, uint32_t slot);

#endif
