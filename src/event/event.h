/* What can happen, as data: the table of event kinds and the sender's helper.
 *
 * An event is a JSON object. The sender writes the fields after "seq"; the channel assigns seq and
 * every reader gets {"type":...,"seq":N,...}. Text from outside is cleaned here, and nowhere
 * else. */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include "base/json.h"
#include "event/channel.h"

enum event_kind {
	EVENT_STATE_CHANGED, EVENT_SUBSYSTEM_ADDED, EVENT_SUBSYSTEM_REMOVED, EVENT_READY_CHANGED,
	EVENT_HEALTH_CHANGED, EVENT_CONFIG_RELOADED, EVENT_CONFIG_REJECTED, EVENT_SHUTDOWN_STARTED,
	EVENT_SHUTDOWN_PROGRESS, EVENT_RESOURCE_ALERT, EVENT_SUPERVISOR_RECOVERED,
	EVENT_SPAWN_DEFERRED, EVENT_RUN_SKIPPED, EVENT_OVERLAP,
	EVENT_COUNT
};
extern const struct enumtext event_kind_text;	/* "state_changed", ... */

/* The six words of the reference; also what status shows. */
enum subsystem_state {
	STATE_STOPPED, STATE_STARTING, STATE_RUNNING, STATE_STOPPING, STATE_FAILED,
	STATE_RESTARTING, STATE_NSTATES
};
extern const struct enumtext subsystem_state_text;

/* Why a state changed (interface 3, "reason"). */
enum reason {
	REASON_EXIT, REASON_SIGNAL, REASON_START, REASON_HEALTH, REASON_WATCHDOG,
	REASON_START_TIMEOUT, REASON_REQUEST, REASON_DEPENDENCY, REASON_RELOAD, REASON_SHUTDOWN,
	REASON_MEMORY, REASON_SCHEDULE, REASON_ADOPTED, REASON_WATCH, REASON_HOOK, REASON_SOCKET,
	REASON_IDLE, REASON_ON_FAILURE,
	REASON_COUNT
};
extern const struct enumtext reason_text;

/* All fields of a state_changed event. Hand-written JSON: this is the hot path. */
struct state_event {
	uint64_t id;
	const char *name;
	enum subsystem_state state, prev;
	int64_t at_real_ns, at_mono_ns;
	int pid;			/* 0: null */
	int exit_code;			/* -1: null */
	int signal;			/* 0: null */
	enum reason reason;
	uint64_t restart_count;
	int64_t next_restart_ms;	/* -1: null */
	bool gave_up, killed;		/* written only when true */
	int core_dumped;		/* -1: absent, else a boolean */
	const char *error_stage;	/* NULL: no "error" object */
	int error_errno;
	const char *error_message;
	const char *stderr_tail;	/* last lines it wrote; NULL: absent */
	const char *cause;		/* the subsystem whose failure started it; NULL: absent */
};
/* Sends it and returns its seq, 0 after the close of CHAN. Any thread; so are the next two. */
uint64_t event_state_changed(struct chan *chan, const struct state_event *e);

/* All fields of a ready_changed event but the times, which are now. Likewise. */
struct ready_event {
	uint64_t id;
	const char *name;
	bool ready;
	enum reason reason;
};
uint64_t event_ready_changed(struct chan *chan, const struct ready_event *e);

/* Any other kind: FIELDS is a JSON object (stolen; may be NULL) whose members follow "at" and
 * "at_mono_ns", which are added here. Too long (8 KiB, shutdown_progress 16 KiB): long texts and
 * the ends of arrays are cut and "truncated":true is added. Returns its seq. */
uint64_t event_send(struct chan *chan, enum event_kind kind, json_t *fields);

/* The reader's side: append the event with seq SEQ, made from a channel body. No newline. */
void event_line(uint64_t seq, const char *body, size_t len, struct strbuf *out);
/* A gap record, which has no seq of its own: {"type":"gap","lost":N}. No newline. */
void event_gap_line(uint64_t lost, struct strbuf *out);

#endif
