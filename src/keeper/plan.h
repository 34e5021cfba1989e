/* The spawn plan: everything a child needs, resolved, in one flat block.
 *
 * The supervisor builds it with plan_new()...plan_finish(); the keeper receives the bytes, checks
 * them once with plan_check(), and from then on reads them in place. Offsets count from the start
 * of the block, 0 = absent; strings are NUL-terminated; string vectors are arrays of offsets ended
 * by 0. No pointers, no allocation on the keeper's side. The child's steps run in the order of
 * enum spawn_stage. */
#ifndef KEEPER_PLAN_H
#define KEEPER_PLAN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/enumtext.h"
#include "base/strlist.h"

#define PLAN_MAGIC 0x384e4c50u	/* "PLN8" */
/* A plan travels as one SOCK_SEQPACKET message. Larger ones (argv + environment) are refused with
 * E2BIG at stage "plan". */
#define PLAN_MAX (160u * 1024)
#define PLAN_NLIMITS 16		/* RLIM_NLIMITS of Linux */
#define PLAN_MAX_GROUPS 64
#define PLAN_MAX_READY_FD 1023
#define PLAN_MAX_LISTEN 32
#define PLAN_MAX_CPUS_SIZE 1024	/* bytes: 8192 processors */
#define PLAN_MAX_NODES 1024
#define PLAN_MAX_CREDENTIALS 32
#define PLAN_CREDENTIALS_DIR "/run/credentials"	/* where the child finds them */
#define PLAN_MAX_FILTER 4096	/* instructions; the kernel's limit */

/* In which step a start failed; the text is what users see as error.stage. */
enum spawn_stage {
	STAGE_NONE,		/* no failure */
	STAGE_PLAN,		/* too big or malformed */
	STAGE_SPAWN,		/* clone: procd's trouble, retried; not a crash of the subsystem */
	STAGE_OUTPUT,		/* capture FIFO could not be made: procd's trouble, too */
	STAGE_ENV_FILE,		/* the supervisor could not read it: nothing was sent */
	STAGE_PRE_START,	/* the hook failed: nothing was sent */
	STAGE_LISTEN,		/* a socket cannot be bound, or passed */
	STAGE_CGROUP_LIMITS,	/* of the tree's group, which the keeper makes */
	STAGE_SESSION, STAGE_CGROUP, STAGE_LIMITS, STAGE_NICE, STAGE_OOM, STAGE_AFFINITY,
	STAGE_SCHED, STAGE_IO_CLASS, STAGE_NUMA,
	STAGE_UMASK, STAGE_STDIN, STAGE_STDOUT, STAGE_STDERR,
	STAGE_READY,		/* its way to tell procd that it is ready: procd's trouble, too */
	STAGE_MOUNT_NAMESPACE, STAGE_ROOT_DIR, STAGE_PRIVATE_TMP, STAGE_CREDENTIALS,
	STAGE_PROTECT_SYSTEM,
	STAGE_CAPABILITIES, STAGE_GROUPS, STAGE_GID, STAGE_UID, STAGE_AMBIENT, STAGE_CHDIR,
	STAGE_NO_NEW_PRIVILEGES, STAGE_LANDLOCK, STAGE_SIGNALS, STAGE_SECCOMP, STAGE_EXEC,
	STAGE_COUNT
};
extern const struct enumtext spawn_stage_text;	/* "exec", "chdir", ... */

/* A variable with such a name and this value gets the child's own pid instead, right before the
 * exec. */
#define PLAN_WATCHDOG_PID "WATCHDOG_PID"
#define PLAN_LISTEN_PID "LISTEN_PID"
#define PLAN_PID_UNKNOWN "0000000000"

enum plan_stdio {
	PLAN_STDIO_NULL,	/* /dev/null */
	PLAN_STDIO_INHERIT,	/* the keeper's own descriptor 0, 1 or 2 */
	PLAN_STDIO_FILE,	/* a path; stdin read-only, others append, O_NOFOLLOW */
	PLAN_STDIO_CAPTURE,	/* the slot's FIFO (keeper/fifo.h) */
	PLAN_STDIO_STDOUT,	/* stderr only: what stdout is */
};

enum plan_flags {
	PLAN_SET_IDS = 1 << 0,		/* uid, gid, groups are to be set */
	PLAN_SET_UMASK = 1 << 1,
	PLAN_SET_NICE = 1 << 2,		/* otherwise reset to the keeper's own at its start */
	PLAN_DIE_WITH_KEEPER = 1 << 3,	/* on_supervisor_death = "stop" */
	PLAN_TREE = 1 << 4,		/* kill_mode = "group": track and end the whole tree */
	PLAN_SET_SCHED = 1 << 8,	/* otherwise as the keeper's own at its start */
	PLAN_SET_NUMA = 1 << 9,
	PLAN_SET_CAPABILITIES = 1 << 10,	/* otherwise all that the keeper has */
	PLAN_SET_AMBIENT = 1 << 11,
	PLAN_NO_NEW_PRIVILEGES = 1 << 12,
	PLAN_PRIVATE_TMP = 1 << 13,
};

enum plan_protect {	/* what is read-only */
	PLAN_PROTECT_NONE,
	PLAN_PROTECT_PROGRAMS,	/* /usr, /boot and what belongs to them */
	PLAN_PROTECT_FULL,	/* and /etc */
	PLAN_PROTECT_STRICT,	/* everything but /dev, /proc, /sys and private mounts */
	PLAN_PROTECT_COUNT
};

struct plan_limit {
	uint64_t soft, hard;		/* RLIM_INFINITY as UINT64_MAX */
	uint32_t set;			/* 0: the keeper's original limit */
	uint32_t pad;
};

/* Of the whole tree, where cgroup v2 has the controller. */
enum plan_cgroup_limit {
	LIMIT_MEMORY_MAX, LIMIT_MEMORY_HIGH,	/* bytes */
	LIMIT_CPU_QUOTA,			/* per cent of one processor */
	LIMIT_CPU_WEIGHT, LIMIT_TASKS_MAX, LIMIT_IO_WEIGHT,
	PLAN_CGROUP_LIMITS
};
extern const struct enumtext plan_cgroup_limit_text;	/* the keys */

struct plan_credential {
	uint32_t name;			/* string, of a file */
	uint32_t data, size;
	uint32_t pad;
};

struct plan {
	uint32_t magic;
	uint32_t size;			/* bytes of the whole block, this header included */
	uint32_t flags;
	uint32_t name;			/* string: subsystem (with @instance), also in the record */
	uint32_t exec_paths;		/* vector: candidates for execve, in order (PATH search) */
	uint32_t argv;			/* vector */
	uint32_t envp;			/* vector */
	uint32_t cwd;			/* string or 0: stay in the keeper's directory */
	uint32_t stdio[3];		/* enum plan_stdio */
	uint32_t stdio_path[3];		/* string for PLAN_STDIO_FILE */
	uint32_t nlisten;
	uint32_t listen[PLAN_MAX_LISTEN];	/* slots that keep the sockets: descriptors 3, 4, ... */
	uint32_t uid, gid, ngroups;
	uint32_t groups[PLAN_MAX_GROUPS];
	uint32_t umask;
	int32_t nice;
	int32_t oom_score_adjust;	/* INT32_MIN: the keeper's original */
	uint32_t stop_signal;		/* for PLAN_DIE_WITH_KEEPER */
	uint32_t capture_of;		/* 0: PLAN_STDIO_CAPTURE is the slot's own FIFO; else 1 + the
					 * slot whose FIFO is written to, too */
	uint32_t cpus, cpus_size;	/* affinity mask and its bytes; 0: the keeper's original */
	uint32_t sched_policy, sched_priority;	/* for PLAN_SET_SCHED */
	uint32_t io_priority;		/* as ioprio_set(2) takes it; 0: leave it */
	uint32_t numa_node;		/* for PLAN_SET_NUMA */
	uint32_t ready_fd, ready_path;	/* > 2: this descriptor is a datagram socket that speaks to
					 * this path; 0 and 0: none */
	uint32_t root_dir;		/* string or 0; then cwd and exec_paths are meant inside */
	uint32_t protect_system;	/* enum plan_protect */
	uint32_t credentials, ncredentials;	/* struct plan_credential each */
	uint32_t landlock_read, landlock_write;	/* vectors of paths, meant inside root_dir; 0: none */
	uint32_t filter, nfilter;	/* struct sock_filter each, and their number; 0: none */
	uint64_t capabilities;		/* for PLAN_SET_CAPABILITIES: bits that stay */
	uint64_t ambient;		/* for PLAN_SET_AMBIENT */
	struct plan_limit limits[PLAN_NLIMITS];
	uint64_t cgroup_limits[PLAN_CGROUP_LIMITS];	/* 0: not given */
};

/* --- supervisor's side -------------------------------------------------------------------- */

struct plan_builder;	/* heap; any thread, one at a time */
struct plan_builder *plan_new(const char *name);
/* To set the scalar fields; valid until the next add. */
struct plan *plan_header(struct plan_builder *b);
void plan_set_exec(struct plan_builder *b, const struct strlist *exec_paths,
		   const struct strlist *argv, const struct strlist *envp);
void plan_set_cwd(struct plan_builder *b, const char *path);
void plan_set_filter(struct plan_builder *b, const uint64_t *code, size_t n);
/* Room for N; each is then filled in: NAME (its first NAME_SIZE bytes) with SIZE bytes of DATA. */
void plan_set_credentials(struct plan_builder *b, size_t n);
void plan_set_credential(struct plan_builder *b, size_t i, const char *name, size_t name_size,
			 const void *data, size_t size);
void plan_set_landlock(struct plan_builder *b, const struct strlist *read,
		       const struct strlist *write);
void plan_set_root_dir(struct plan_builder *b, const char *path);
void plan_set_cpus(struct plan_builder *b, const uint64_t *mask, size_t words);
void plan_set_ready(struct plan_builder *b, int fd, const char *path);
void plan_set_stdio_path(struct plan_builder *b, int fd, const char *path);	/* fd 0..2 */
/* The finished block, owned by the builder until plan_free(); -E2BIG above PLAN_MAX. */
int plan_finish(struct plan_builder *b, const void **block, size_t *size);
void plan_free(struct plan_builder *b);

/* --- keeper's side ------------------------------------------------------------------------- */

/* Bounds, terminators, vectors, enums, counts. True when every later access is safe. */
bool plan_check(const void *block, size_t size);
static inline const char *plan_str(const struct plan *p, uint32_t off)
{
	return off ? (const char *)p + off : NULL;
}

#endif
