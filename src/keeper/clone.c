/* The two ways to clone: libc's clone(), and clone3() where the child is to be born in a cgroup
 * (moving it there afterwards makes the mover wait for a kernel grace period, about 10 ms). */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "keeper/clone.h"

#define STACK_SIZE ((size_t)64 * 1024)

int child_stack_init(struct child_stack *s)
{
	size_t guard = (size_t)sysconf(_SC_PAGESIZE);
	char *at = mmap(NULL, guard + STACK_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	mprotect(at, guard, PROT_NONE);
	s->base = at + guard;
	s->size = STACK_SIZE;
	return 0;
}

#if defined(__x86_64__)
/* In the child every register but rax and rsp is as it was; it calls FN and never comes back. */
static long clone3_call(struct clone3_args *args, int (*fn)(void *), void *arg)
{
	register int (*fn_reg)(void *) __asm__("r12") = fn;
	register void *arg_reg __asm__("r13") = arg;
	long ret = SYS_clone3;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %[arg], %%rdi\n\t"
			 "call *%[fn]\n\t"
			 "hlt\n"
			 "1:"
			 : "+a"(ret)
			 : "D"(args), "S"(sizeof(*args)), [fn] "r"(fn_reg), [arg] "r"(arg_reg)
			 : "rcx", "r11", "memory", "cc");
	return ret;
}
#elif defined(__aarch64__)
static long clone3_call(struct clone3_args *args, int (*fn)(void *), void *arg)
{
	register long x0 __asm__("x0") = (long)args;
	register long x1 __asm__("x1") = sizeof(*args);
	register long x8 __asm__("x8") = SYS_clone3;
	register int (*fn_reg)(void *) __asm__("x9") = fn;
	register void *arg_reg __asm__("x10") = arg;

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t"
			 "mov x0, %[arg]\n\t"
			 "blr %[fn]\n\t"
			 "brk #0\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x1), "r"(x8), [fn] "r"(fn_reg), [arg] "r"(arg_reg)
			 : "memory", "cc");
	return x0;
}
#else
static long clone3_call(struct clone3_args *args, int (*fn)(void *), void *arg)
{
	(void)args, (void)fn, (void)arg;
	return -ENOSYS;
}
#endif

pid_t clone_child(const struct child_stack *stack, int (*fn)(void *), void *arg, bool share_fds,
		  int *pidfd, int cgroup_fd)
{
	int flags = CLONE_VM | CLONE_VFORK | (share_fds ? CLONE_FILES : 0) |
		    (pidfd != NULL ? CLONE_PIDFD : 0);
	int saved_errno = errno;
	long ret;

	if (cgroup_fd >= 0) {
		struct clone3_args args = {
			.flags = (uint64_t)flags | CLONE3_INTO_CGROUP,
			.pidfd = (uintptr_t)pidfd,
			.exit_signal = SIGCHLD,
			.stack = (uintptr_t)stack->base,
			.stack_size = stack->size,
			.cgroup = (uint64_t)cgroup_fd,
		};

		ret = clone3_call(&args, fn, arg);
	} else {
		ret = clone(fn, stack->base + stack->size, flags | SIGCHLD, arg, pidfd, NULL, NULL);
		if (ret < 0)
			ret = -errno;
	}
	errno = saved_errno;
	return (pid_t)ret;
}
