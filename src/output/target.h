/* Where lines go: a file of ours, a descriptor that procd was given (terminal, pipe, socket,
 * redirected file), or a log daemon. Never blocks on a reader that does not read; a target that
 * fails is tried again with growing pauses. Counted: one object per path or descriptor. Log
 * thread. */
#ifndef OUTPUT_TARGET_H
#define OUTPUT_TARGET_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/loop.h"
#include "output/file.h"

/* A reader that takes nothing for this long counts as stuck: from then on lines may be dropped. */
#define TARGET_STUCK_NS NS_PER_SEC

struct targets {
	struct list all;
	struct ev_loop *loop;
	void (*ready)(void *ctx);	/* a descriptor takes bytes again */
	void *ctx;
	_Atomic int64_t busy_since_ns;	/* in a call that may block on the disk; 0: no */
	_Atomic bool reopen_wished;
	bool changed;			/* some target's error came or went */
};

enum target_kind { TARGET_FILE, TARGET_FD, TARGET_DAEMON };

struct target {
	struct list link;
	struct targets *owner;
	unsigned refs;
	enum target_kind kind;
	struct file file;		/* TARGET_FILE */
	const char *address;		/* TARGET_DAEMON */
	int number;			/* TARGET_FD: as given */
	int fd;				/* in use, not TARGET_FILE; may be an own description */
	bool regular, terminal, socket, own_fd;
	bool journal;			/* systemd's journal reads it: lines may begin with "<N>" */
	struct loop_io writable;
	char *carry;			/* rest of a line that was taken in part */
	size_t carry_len, carry_at;
	int64_t blocked_since_ns;	/* 0: the last write was taken */
	int err;			/* negative errno of the last failure; 0: fine */
	int64_t retry_at_ns, pause_ns;
};

void targets_init(struct targets *ts, struct ev_loop *loop, void (*ready)(void *ctx), void *ctx);
struct target *target_file(struct targets *ts, const char *path, uint64_t max_size,
			   int64_t max_files);
struct target *target_fd(struct targets *ts, int fd);
/* ADDRESS: of output/datagram.h. Lines must have the form of the syslog protocol. */
struct target *target_daemon(struct targets *ts, const char *address);
void target_unref(struct target *t);		/* NULL is fine */
void targets_reopen(struct targets *ts);	/* files: at the next write; retry failed ones now */
/* Any thread: the same before anything more is written, whatever is being read just now. */
void targets_wish_reopen(struct targets *ts);
/* When the next pause of a failed target ends, monotonic, later than NOW; 0: none. */
int64_t targets_next_retry(const struct targets *ts, int64_t now);

/* As file_prepare(). -EAGAIN: not now (a reader is slow, or a pause after a failure). */
ssize_t target_prepare(struct target *t, const char *lines, size_t len);
/* Write what target_prepare() allowed. Returns the bytes taken, always whole lines; negative
 * errno: none. */
ssize_t target_write(struct target *t, const char *lines, size_t n);
/* Is it so broken or slow that lines must not wait for it any longer? */
bool target_stuck(const struct target *t);
/* A regular file with known place, for which a write can be proven later. */
bool target_provable(const struct target *t);
const char *target_name(const struct target *t);

#endif
