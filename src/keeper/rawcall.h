/* System calls for code that runs on somebody else's thread-local storage: between clone and exec
 * the child shares the keeper's memory. No errno, no library; the result is as the kernel gives it,
 * -errno on failure. */
#ifndef KEEPER_RAWCALL_H
#define KEEPER_RAWCALL_H

#include <sys/syscall.h>

/* Sanitizers keep state per stack and per thread: what runs in the child does without them. */
#if defined(__clang__)
#define RAW_CODE __attribute__((no_sanitize("address", "thread", "undefined")))
#else
#define RAW_CODE \
	__attribute__((no_sanitize_address, no_sanitize_thread, no_sanitize_undefined))
#endif
#define IN_CHILD RAW_CODE __attribute__((noinline))

#if defined(__x86_64__) && !defined(__ILP32__)
RAW_CODE static inline long raw_call6(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret = number;

	__asm__ volatile("syscall"
			 : "+a"(ret)
			 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
RAW_CODE static inline long raw_call6(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#else
/* Other machines take the C library's call; errno belongs to the waiting parent, who puts it
 * back. */
#include <errno.h>
#include <unistd.h>

RAW_CODE static inline long raw_call6(long number, long a, long b, long c, long d, long e, long f)
{
	long ret = syscall(number, a, b, c, d, e, f);

	return ret < 0 ? -(long)errno : ret;
}
#endif

/* raw_call(SYS_name, ...) with up to six numbers or pointers. */
#define RAW_CALL7(n, a, b, c, d, e, f, ...)                                                       \
	raw_call6((long)(n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define raw_call(...) RAW_CALL7(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

#endif
