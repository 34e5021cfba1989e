/* What went wrong, for a human and for a program.
 *
 * Three kinds, never mixed: a bug is BUG(); what code must react to is an int (0, negative errno);
 * what a human must understand is a struct error, wrapped on the way up and printed once. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/enumtext.h"

enum error_category {
	CATEGORY_CONFIG, CATEGORY_SIGNAL, CATEGORY_SHUTDOWN, CATEGORY_SUBSYSTEM, CATEGORY_IO,
	CATEGORY_RESOURCE, CATEGORY_TIMEOUT, CATEGORY_STATE, CATEGORY_PLATFORM, CATEGORY_RUNTIME,
	CATEGORY_COUNT
};
extern const struct enumtext error_category_text;	/* "config", "signal", ... */

/* The reference's numbers (interface 5, "Error codes"); 0 is "no error". */
enum error_code {
	ERROR_NONE = 0,
	ERROR_CONFIG_INVALID = 1000, ERROR_CONFIG_PARSE, ERROR_CONFIG_MISSING, ERROR_CONFIG_TYPE,
	ERROR_SIGNAL_REGISTER = 2000, ERROR_SIGNAL_SEND, ERROR_SIGNAL_INVALID,
	ERROR_SHUTDOWN_TIMEOUT = 3000, ERROR_SHUTDOWN_IN_PROGRESS, ERROR_SHUTDOWN_FAILED,
	ERROR_SUBSYSTEM_START = 4000, ERROR_SUBSYSTEM_STOP, ERROR_SUBSYSTEM_NOT_FOUND,
	ERROR_SUBSYSTEM_EXISTS, ERROR_SUBSYSTEM_STATE,
	ERROR_IO = 5000, ERROR_IO_NOT_FOUND, ERROR_IO_PERMISSION,
	ERROR_RUNTIME_PANIC = 6000, ERROR_RUNTIME_LOCK = 6002, ERROR_RUNTIME_SPAWN = 6003,
	ERROR_RESOURCE_MEMORY = 7000, ERROR_RESOURCE_CPU, ERROR_RESOURCE_FDS,
	ERROR_TIMEOUT = 8000,
	ERROR_STATE_TRANSITION = 9000, ERROR_STATE_VALUE,
	ERROR_PLATFORM = 10000, ERROR_PLATFORM_FEATURE,
	ERROR_UNKNOWN = 99999,
};

struct error {
	enum error_code code;
	int errnum;		/* errno value, 0 when none applies */
	char *message;		/* owned; NULL while there is no error */
};
#define ERROR_INIT { 0 }

/* Replace *E. ERRNUM 0 = none; otherwise ": <errno text>" is appended to the message. */
void error_set(struct error *e, enum error_code code, int errnum, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
void error_prefix(struct error *e, const char *fmt, ...) PRINTF_LIKE(2, 3);	/* "ctx: " + old */
void error_fini(struct error *e);	/* back to ERROR_INIT */
static inline bool error_is_set(const struct error *e)
{
	return e->message != NULL;
}

const char *error_code_name(enum error_code code);	/* "SUBSYSTEM_NOT_FOUND" */
enum error_category error_code_category(enum error_code code);
/* "ENOENT"; "E1234" style text for unknown numbers. Static or thread-local storage. */
const char *errno_name(int errnum);

/* Exit codes of the daemon and of the client (interface 1 and 4). */
enum exit_code {
	EXIT_OK = 0, EXIT_FAILED = 1, EXIT_KILLED = 3, EXIT_NOT_ACTIVE = 3, EXIT_NOT_FOUND = 4,
	EXIT_UNREACHABLE = 5, EXIT_USAGE = 64, EXIT_NO_CONFIG = 66, EXIT_OS = 71,
	EXIT_CANNOT_CREATE = 73, EXIT_ALREADY_RUNNING = 75, EXIT_PERMISSION = 77, EXIT_CONFIG = 78,
	EXIT_TIMED_OUT = 124,
};

#endif
