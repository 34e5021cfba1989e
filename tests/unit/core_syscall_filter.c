/* The profiles, run over made-up calls by a small machine for the kernel's filter language. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "core/syscall_filter.h"
#include "unit.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define OTHER_ARCH AUDIT_ARCH_I386
#else
#define ARCH AUDIT_ARCH_AARCH64
#define OTHER_ARCH AUDIT_ARCH_ARM
#endif

static struct syscall_filter filter;

static uint32_t load(const struct seccomp_data *d, uint32_t at)
{
	uint32_t word;

	ck_assert_uint_le(at, sizeof(*d) - sizeof(word));
	ck_assert_uint_eq(at % sizeof(word), 0);
	memcpy(&word, (const char *)d + at, sizeof(word));
	return word;
}

static uint32_t run(const struct seccomp_data *d)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < filter.n; pc++) {
		struct sock_filter op;

		memcpy(&op, &filter.code[pc], sizeof(op));
		switch (op.code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = load(d, op.k);
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == op.k ? op.jt : op.jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= op.k ? op.jt : op.jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += a & op.k ? op.jt : op.jf;
			break;
		case BPF_RET | BPF_K:
			return op.k;
		default:
			ck_abort_msg("unknown instruction %#x", op.code);
		}
	}
	ck_abort_msg("the filter has no end");
	return 0;
}

static uint32_t verdict(int nr, uint64_t a, uint64_t b)
{
	const struct seccomp_data d = { .nr = nr, .arch = ARCH, .args = { a, b } };

	return run(&d);
}

#define ALLOWED SECCOMP_RET_ALLOW
#define REFUSED(errnum) (SECCOMP_RET_ERRNO | (errnum))

START_TEST(no_profile_is_no_filter)
{
	syscall_filter_build(SECCOMP_NONE, &filter);
	ck_assert_uint_eq(filter.n, 0);
}
END_TEST

START_TEST(what_changes_the_machine_is_refused)
{
	static const int calls[] = { SYS_mount, SYS_unshare, SYS_ptrace, SYS_bpf, SYS_reboot,
				     SYS_io_uring_setup, SYS_keyctl, SYS_io_uring_register };

	syscall_filter_build(SECCOMP_DEFAULT, &filter);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		ck_assert_msg(verdict(calls[i], 0, 0) == REFUSED(EPERM), "call %d", calls[i]);
}
END_TEST

START_TEST(what_programs_need_is_allowed)
{
	static const int calls[] = {
		SYS_read, SYS_write, SYS_openat, SYS_execve, SYS_exit_group, SYS_futex, SYS_mmap,
		SYS_nanosleep, SYS_getpid, SYS_socket, SYS_accept4, SYS_bind, SYS_prctl,
		SYS_setresuid, SYS_kill, SYS_wait4, SYS_ioctl, SYS_clone, SYS_rt_sigreturn,
	};

	syscall_filter_build(SECCOMP_DEFAULT, &filter);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		ck_assert_msg(verdict(calls[i], AF_INET, 0) == ALLOWED, "call %d", calls[i]);
}
END_TEST

START_TEST(threads_are_made_and_namespaces_are_not)
{
	syscall_filter_build(SECCOMP_DEFAULT, &filter);
	ck_assert_uint_eq(verdict(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, 0), ALLOWED);
	ck_assert_uint_eq(verdict(SYS_clone, CLONE_NEWUSER | 17, 0), REFUSED(EPERM));
	ck_assert_uint_eq(verdict(SYS_clone, CLONE_NEWNS, 0), REFUSED(EPERM));
	ck_assert_uint_eq(verdict(SYS_clone, CLONE_NEWNET, 0), REFUSED(EPERM));
	ck_assert_uint_eq(verdict(SYS_clone3, 0, 0), REFUSED(ENOSYS));
}
END_TEST

START_TEST(nobody_types_for_others)
{
	syscall_filter_build(SECCOMP_DEFAULT, &filter);
	ck_assert_uint_eq(verdict(SYS_ioctl, 0, TIOCSTI), REFUSED(EPERM));
	/* the kernel looks at 32 bits only: what is above must not hide it */
	ck_assert_uint_eq(verdict(SYS_ioctl, 0, TIOCSTI | UINT64_C(1) << 40), REFUSED(EPERM));
	ck_assert_uint_eq(verdict(SYS_ioctl, 0, TIOCLINUX), REFUSED(EPERM));
	ck_assert_uint_eq(verdict(SYS_ioctl, 0, TIOCGWINSZ), ALLOWED);
}
END_TEST

START_TEST(without_network_there_are_unix_sockets_only)
{
	syscall_filter_build(SECCOMP_NO_NETWORK, &filter);
	ck_assert_uint_eq(verdict(SYS_socket, AF_UNIX, 0), ALLOWED);
	ck_assert_uint_eq(verdict(SYS_socketpair, AF_UNIX, 0), ALLOWED);
	ck_assert_uint_eq(verdict(SYS_socket, AF_INET, 0), REFUSED(EAFNOSUPPORT));
	ck_assert_uint_eq(verdict(SYS_socket, AF_INET6, 0), REFUSED(EAFNOSUPPORT));
	ck_assert_uint_eq(verdict(SYS_socket, AF_PACKET, 0), REFUSED(EAFNOSUPPORT));
	ck_assert_uint_eq(verdict(SYS_mount, 0, 0), REFUSED(EPERM));
	ck_assert_uint_eq(verdict(SYS_read, 0, 0), ALLOWED);
}
END_TEST

START_TEST(other_ways_to_call_are_no_way_around)
{
	struct seccomp_data d = { .nr = SYS_read, .arch = OTHER_ARCH };

	syscall_filter_build(SECCOMP_DEFAULT, &filter);
	ck_assert_uint_eq(run(&d), SECCOMP_RET_KILL_PROCESS);
#if defined(__x86_64__)
	ck_assert_uint_eq(verdict(0x40000000 | SYS_mount, 0, 0), REFUSED(ENOSYS));
	ck_assert_uint_eq(verdict(0x40000000 | SYS_read, 0, 0), REFUSED(ENOSYS));
#endif
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		no_profile_is_no_filter, what_changes_the_machine_is_refused,
		what_programs_need_is_allowed, threads_are_made_and_namespaces_are_not,
		nobody_types_for_others, without_network_there_are_unix_sockets_only,
		other_ways_to_call_are_no_way_around,
	};

	return unit_run("core: syscall filter", tests, ARRAY_LEN(tests));
}
