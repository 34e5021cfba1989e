/* The few macros that every room uses. No code, no state. */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* The struct that embeds MEMBER at address PTR. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* Scope clean-up: auto_free(strbuf_fini) struct strbuf s = STRBUF_INIT; FN gets the variable's
 * address. take() hands a pointer out of such a scope and leaves NULL behind. */
#define auto_free(fn) __attribute__((cleanup(fn)))
#define take(p)                                                                                   \
	({                                                                                        \
		__typeof__(p) taken_ = (p);                                                       \
		(p) = NULL;                                                                       \
		taken_;                                                                           \
	})

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_CHECK __attribute__((warn_unused_result))
#define NORETURN __attribute__((noreturn))

/* Units. Names carry the unit (timeout_ms, at_ns); these convert. */
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_SEC INT64_C(1000000000)
#define MS_PER_SEC INT64_C(1000)

/* Longest subsystem name with its instance suffix "@NNNNN", NUL included (interface 2: 64). */
#define NAME_CAP 80

/* A bug in procd itself: prints FILE:LINE and aborts. The keeper then brings the supervisor back.
 * Never reachable by user input. */
#define BUG(what) bug_at(__FILE__, __LINE__, (what))
#define BUG_ON(cond)                                                                              \
	do {                                                                                      \
		if (__builtin_expect(!!(cond), 0))                                                \
			BUG(#cond);                                                               \
	} while (0)
NORETURN void bug_at(const char *file, int line, const char *what);

/* The unbounded string functions are banned everywhere (their headers are included above, so that
 * only a use of ours is caught). */
#undef strcpy	/* with _FORTIFY_SOURCE some are macros */
#undef strcat
#undef sprintf
#undef vsprintf
#undef gets
#pragma GCC poison strcpy strcat sprintf vsprintf gets

#endif
