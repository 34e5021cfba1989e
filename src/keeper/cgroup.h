/* Trees by cgroup v2: one group per slot below one group of this keeper. No controllers are needed,
 * only the core files. No heap. */
#ifndef KEEPER_CGROUP_H
#define KEEPER_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_NAME_CAP 32

struct cgroup {
	bool usable;
	bool located;
	bool has_kill;		/* cgroup.kill (kernel 5.14) */
	bool refuse_kill;	/* tests: do without it; set before cgroup_init() */
	char parent[PATH_MAX];	/* directory of the group that the keeper was started in */
	char name[CGROUP_NAME_CAP];	/* "procd-PID" or "procd-PID-N", below PARENT */
	/* keeper/limits.h: */
	bool controllers_known;	/* it was tried to make them work */
	uint32_t controllers;	/* which do */
	bool moved;		/* we went to the group NAME-self below PARENT */
	char path[PATH_MAX];	/* the keeper's group as /proc/PID/cgroup shows it, with NAME */
};

/* Find the cgroup v2 directory that this process is in. DIR gets its path, PATH (may be NULL) what
 * /proc/self/cgroup shows. False when there is none. */
bool cgroup_find_own(char dir[PATH_MAX], char path[PATH_MAX]);
/* Can a group be made and used below DIR? Makes one and removes it. *HAS_KILL as above. */
bool cgroup_try(const char *dir, bool *has_kill);

/* Say in the keeper's group, open as LOW, whose it is: OWNER. Nothing is lost when that fails. */
void cgroup_sign(int low, const char *owner);
/* The name of the group below ours that OWNER signed; false: there is none, or more than one. */
bool cgroup_find_signed(const char *owner, char name[CGROUP_NAME_CAP]);

/* Fill PARENT, and PATH without NAME. The list of mounts may be long, and it is read while nobody
 * waits; cgroup_init() does it where this was not called. */
void cgroup_locate(struct cgroup *c);
/* Make this keeper's group (or take over OLD, "" for none: the group of a dead keeper of the same
 * run directory, with all its members) and open it as descriptor LOW (the keeper's fixed number for
 * it). Leaves usable = false where that is not possible. */
void cgroup_init(struct cgroup *c, int low, const char *old);
/* Remove what is empty, or is so within a second: every slot's group, groups made by their members,
 * the keeper's own. */
void cgroup_fini(struct cgroup *c, int low);

/* All relative to the descriptor of the keeper's group. */
int cgroup_make(int low, unsigned slot);		/* 0 or -errno */
int cgroup_remove(int low, unsigned slot);		/* 0 or -errno; -EBUSY: it has members */
/* Replace it by a new one; -EBUSY while it has members. Since 6.14 a kernel ends whatever is cloned
 * into a group from outside once cgroup.kill was written there. */
int cgroup_remake(int low, unsigned slot);
int cgroup_open(int low, unsigned slot);	/* O_PATH for CLONE_INTO_CGROUP, or -errno */
/* Any live member, also in groups below? True when that cannot be found out now. */
bool cgroup_populated(int low, unsigned slot);
int cgroup_write(int low, unsigned slot, const char *file, const char *text);	/* 0 or -errno */
/* Direct members into PIDS; their number (may exceed MAX), or -errno. */
int cgroup_members(int low, unsigned slot, pid_t *pids, int max);
bool cgroup_has_groups_below(int low, unsigned slot);
/* The slot in whose group, or below, PID is; -1: none of ours. */
int64_t cgroup_slot_of(const struct cgroup *c, pid_t pid);
/* Is PID a member of the slot's group or of one below? */
bool cgroup_has(const struct cgroup *c, unsigned slot, pid_t pid);

#endif
