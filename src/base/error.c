/* Errors for people, and the tables that give each code a name and a category for programs.
 *
 * An error is set where it happened and gets a prefix at each level that knows more ("where"), so
 * the printed line reads from the outside to the inside. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>

#include "base/alloc.h"

ENUMTEXT(error_category, "error category",
	[CATEGORY_CONFIG] = "config",
	[CATEGORY_SIGNAL] = "signal",
	[CATEGORY_SHUTDOWN] = "shutdown",
	[CATEGORY_SUBSYSTEM] = "subsystem",
	[CATEGORY_IO] = "io",
	[CATEGORY_RESOURCE] = "resource",
	[CATEGORY_TIMEOUT] = "timeout",
	[CATEGORY_STATE] = "state",
	[CATEGORY_PLATFORM] = "platform",
	[CATEGORY_RUNTIME] = "runtime");

#define CODE(name, category) { ERROR_##name, #name, CATEGORY_##category }

static const struct code_row {
	enum error_code code;
	const char *name;
	enum error_category category;
} code_rows[] = {
	CODE(CONFIG_INVALID, CONFIG),
	CODE(CONFIG_PARSE, CONFIG),
	CODE(CONFIG_MISSING, CONFIG),
	CODE(CONFIG_TYPE, CONFIG),
	CODE(SIGNAL_REGISTER, SIGNAL),
	CODE(SIGNAL_SEND, SIGNAL),
	CODE(SIGNAL_INVALID, SIGNAL),
	CODE(SHUTDOWN_TIMEOUT, SHUTDOWN),
	CODE(SHUTDOWN_IN_PROGRESS, SHUTDOWN),
	CODE(SHUTDOWN_FAILED, SHUTDOWN),
	CODE(SUBSYSTEM_START, SUBSYSTEM),
	CODE(SUBSYSTEM_STOP, SUBSYSTEM),
	CODE(SUBSYSTEM_NOT_FOUND, SUBSYSTEM),
	CODE(SUBSYSTEM_EXISTS, SUBSYSTEM),
	CODE(SUBSYSTEM_STATE, SUBSYSTEM),
	CODE(IO, IO),
	CODE(IO_NOT_FOUND, IO),
	CODE(IO_PERMISSION, IO),
	CODE(RUNTIME_PANIC, RUNTIME),
	CODE(RUNTIME_LOCK, RUNTIME),
	CODE(RUNTIME_SPAWN, RUNTIME),
	CODE(RESOURCE_MEMORY, RESOURCE),
	CODE(RESOURCE_CPU, RESOURCE),
	CODE(RESOURCE_FDS, RESOURCE),
	CODE(TIMEOUT, TIMEOUT),
	CODE(STATE_TRANSITION, STATE),
	CODE(STATE_VALUE, STATE),
	CODE(PLATFORM, PLATFORM),
	CODE(PLATFORM_FEATURE, PLATFORM),
	CODE(UNKNOWN, RUNTIME),
};

static const struct code_row *row_of(enum error_code code)
{
	for (size_t i = 0; i < ARRAY_LEN(code_rows); i++)
		if (code_rows[i].code == code)
			return &code_rows[i];
	return NULL;
}

const char *error_code_name(enum error_code code)
{
	const struct code_row *row = row_of(code);

	if (code == ERROR_NONE)
		return "NONE";
	return row != NULL ? row->name : "UNKNOWN";
}

enum error_category error_code_category(enum error_code code)
{
	const struct code_row *row = row_of(code);

	return row != NULL ? row->category : CATEGORY_RUNTIME;
}

#if defined(__GLIBC__)
#if __GLIBC_PREREQ(2, 32)
#define LIBC_NAMES_ERRNO 1
#endif
#endif

#ifdef LIBC_NAMES_ERRNO
static const char *errno_known(int errnum)
{
	return errnum != 0 ? strerrorname_np(errnum) : NULL;
}
#else
/* What a supervisor meets; the rest is shown as a number. */
#define NAMED(name) { name, #name }

static const struct {
	int errnum;
	const char *name;
} errno_rows[] = {
	NAMED(EPERM), NAMED(ENOENT), NAMED(ESRCH), NAMED(EINTR), NAMED(EIO), NAMED(ENXIO),
	NAMED(E2BIG), NAMED(ENOEXEC), NAMED(EBADF), NAMED(ECHILD), NAMED(EAGAIN), NAMED(ENOMEM),
	NAMED(EACCES), NAMED(EFAULT), NAMED(EBUSY), NAMED(EEXIST), NAMED(EXDEV), NAMED(ENODEV),
	NAMED(ENOTDIR), NAMED(EISDIR), NAMED(EINVAL), NAMED(ENFILE), NAMED(EMFILE), NAMED(ENOTTY),
	NAMED(ETXTBSY), NAMED(EFBIG), NAMED(ENOSPC), NAMED(ESPIPE), NAMED(EROFS), NAMED(EMLINK),
	NAMED(EPIPE), NAMED(ERANGE), NAMED(ENAMETOOLONG), NAMED(ENOSYS), NAMED(ENOTEMPTY),
	NAMED(ELOOP), NAMED(EPROTO), NAMED(EOVERFLOW), NAMED(EBADMSG), NAMED(EMSGSIZE),
	NAMED(EOPNOTSUPP), NAMED(EADDRINUSE), NAMED(EADDRNOTAVAIL), NAMED(ECONNABORTED),
	NAMED(ECONNRESET), NAMED(ENOTCONN), NAMED(ETIMEDOUT), NAMED(ECONNREFUSED),
	NAMED(EALREADY), NAMED(EINPROGRESS), NAMED(ESTALE), NAMED(EDQUOT), NAMED(ECANCELED),
	NAMED(EKEYREJECTED),
};

static const char *errno_known(int errnum)
{
	for (size_t i = 0; i < ARRAY_LEN(errno_rows); i++)
		if (errno_rows[i].errnum == errnum)
			return errno_rows[i].name;
	return NULL;
}
#endif

const char *errno_name(int errnum)
{
	static _Thread_local char unknown[16];
	int value = errnum < 0 && errnum != INT32_MIN ? -errnum : errnum;
	const char *name = errno_known(value);

	if (name != NULL)
		return name;
	snprintf(unknown, sizeof(unknown), "E%d", value);
	return unknown;
}

/* The arguments may point into the old message: it is freed only after the new one is made. */
void error_set(struct error *e, enum error_code code, int errnum, const char *fmt, ...)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	va_list ap;

	if (errnum < 0)
		errnum = -errnum;
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	if (errnum != 0)
		strbuf_addf(&text, ": %s", strerror(errnum));
	error_fini(e);
	e->code = code;
	e->errnum = errnum;
	e->message = strbuf_detach(&text);
}

void error_prefix(struct error *e, const char *fmt, ...)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	va_list ap;

	BUG_ON(!error_is_set(e));
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	strbuf_addf(&text, ": %s", e->message);
	free(e->message);
	e->message = strbuf_detach(&text);
}

void error_fini(struct error *e)
{
	free(e->message);
	*e = (struct error)ERROR_INIT;
}
