/* Allocation that never returns NULL.
 *
 * There is nothing sensible to do without memory in the supervisor: its inputs are bounded, its
 * state is saved, and the keeper starts it anew. So the end of memory is one line and abort(). */
#include "base/alloc.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

NORETURN static void out_of_memory(void)
{
	static const char line[] = "procd: out of memory: Cannot allocate memory\n";

	if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0) {
		/* Nobody listens; the abort tells enough. */
	}
	abort();
}

/* malloc(0) may be NULL without being a failure. */
static void *checked(void *p, size_t size)
{
	if (p == NULL && size != 0)
		out_of_memory();
	return p;
}

void *x_reserve(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		out_of_memory();
	return p;
}

void *x_malloc(size_t size)
{
	return checked(malloc(size), size);
}

void *x_calloc(size_t count, size_t size)
{
	return checked(calloc(count, size), count == 0 ? 0 : size);
}

/* realloc(p, 0) frees, which no caller means: one byte is kept instead. */
void *x_realloc(void *p, size_t size)
{
	return checked(realloc(p, MAX(size, (size_t)1)), 1);
}

void *x_reallocarray(void *p, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		out_of_memory();
	return x_realloc(p, bytes);
}

char *x_strdup(const char *s)
{
	if (s == NULL)
		return NULL;
	return checked(strdup(s), 1);
}

char *x_strndup(const char *s, size_t n)
{
	return checked(strndup(s, n), 1);
}

char *x_asprintf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	return s;
}
