/* What ps shows. The kernel reads the argument line from the memory where it put argv, and goes on
 * into the environment behind it when the last byte of the arguments is not NUL. So the room is
 * argv plus environ, and that last byte decides where a short title ends. */
#include "base/title.h"

#include <stdarg.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/alloc.h"

/* One process, one title. ARGS_END and END point behind the last byte. The heap copies are kept
 * here, too, so that leak checkers see an owner. */
static char *begin, *args_end, *end;
static char **argv_copy, **environ_copy;

/* The NULL-terminated VECTOR, copied; *STOP moves behind each string that follows it directly. */
static char **copy_vector(char **vector, char **stop)
{
	size_t n = 0;
	char **copy;

	while (vector[n] != NULL)
		n++;
	copy = x_calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; i < n; i++) {
		copy[i] = x_strdup(vector[i]);
		if (vector[i] == *stop)
			*stop += strlen(vector[i]) + 1;
	}
	return copy;
}

char **title_init(int argc, char **argv)
{
	if (argc > 0) {
		begin = argv[0];
		end = begin;
	}
	argv_copy = copy_vector(argv, &end);
	args_end = end;
	environ_copy = copy_vector(environ, &end);
	environ = environ_copy;
	return argv_copy;
}

/* No allocation: the keeper sets its title, too. */
static void set(const char *room_end, const char *comm, const char *fmt, va_list ap)
	PRINTF_LIKE(3, 0);
static void set(const char *room_end, const char *comm, const char *fmt, va_list ap)
{
	prctl(PR_SET_NAME, comm);
	if (begin == NULL || room_end - begin < 2)
		return;
	memset(begin, 0, (size_t)(room_end - begin));
	vsnprintf(begin, (size_t)(room_end - begin), fmt, ap);
	if (begin + strlen(begin) + 1 < args_end)
		args_end[-1] = '.';	/* end at the first NUL, not at args_end */
}

void title_set(const char *comm, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(end, comm, fmt, ap);
	va_end(ap);
}

void title_set_in_args(const char *comm, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(args_end, comm, fmt, ap);
	va_end(ap);
}
