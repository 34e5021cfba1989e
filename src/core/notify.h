/* What programs say to their supervisor: datagrams of the sd_notify protocol. Pure; any thread.
 * Source: sd_notify(3) and systemd.service(5). */
#ifndef CORE_NOTIFY_H
#define CORE_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTIFY_MESSAGE_MAX 4096u	/* a longer datagram is refused as a whole */
#define NOTIFY_STATUS_MAX 256u		/* bytes of a STATUS that are kept */
#define NOTIFY_NEVER UINT64_MAX		/* of a time in microseconds: "infinity" */

enum notify_word {
	NOTIFY_READY = 1 << 0,
	NOTIFY_RELOADING = 1 << 1,
	NOTIFY_STOPPING = 1 << 2,
	NOTIFY_WATCHDOG = 1 << 3,		/* it lives */
	NOTIFY_WATCHDOG_TRIGGER = 1 << 4,	/* it says itself that it is ill */
	NOTIFY_STATUS = 1 << 5,
	NOTIFY_MAINPID = 1 << 6,
	NOTIFY_ERRNO = 1 << 7,
	NOTIFY_WATCHDOG_USEC = 1 << 8,
	NOTIFY_EXTEND_TIMEOUT = 1 << 9,
	NOTIFY_BARRIER = 1 << 10,		/* it waits until its descriptor is closed */
	NOTIFY_FDSTORE = 1 << 11,		/* any of the words about kept descriptors */
	NOTIFY_UNKNOWN = 1 << 12,		/* something else was there, too, and is ignored */
	NOTIFY_BAD_VALUE = 1 << 13,		/* a known word with a value that makes no sense */
	NOTIFY_LINE = 1 << 14,			/* there is a newline; notify_line() */
};

struct notify_message {
	unsigned words;			/* enum notify_word; the fields below only with theirs */
	char status[NOTIFY_STATUS_MAX + 1];	/* valid UTF-8 without control characters */
	int main_pid;
	int errnum;
	uint64_t watchdog_usec;		/* 0 and NOTIFY_NEVER: no watchdog any more */
	uint64_t extend_usec;
};

/* Read a datagram: lines "WORD=VALUE". False when it says nothing: empty, too long, with a NUL byte
 * in the middle, or without a single assignment. A word that is there twice counts as the last. */
bool notify_parse(const char *data, size_t len, struct notify_message *out);

/* The protocol of s6: with ready = "fd:N" a newline says READY=1, whatever stands before it. Those
 * who have a watchdog, too, may send words of the other protocol that end with one: they are not
 * meant. NOTIFY_LINE or 0. */
unsigned notify_line(const char *data, size_t len, const struct notify_message *m);

#endif
