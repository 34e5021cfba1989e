/* Seccomp profiles: lists of what is refused, translated into the kernel's filter language.
 *
 * A list of what is allowed would have to know each program, C library and kernel to come. So
 * "default" refuses what changes the machine rather than the program's own affairs, or looks into
 * other processes, or makes much more of the kernel reachable than programs use: with EPERM, as if
 * the right were missing. "no-network" refuses sockets but unix ones, too. Another architecture's
 * calls have other numbers, so a program that makes any is killed. */
#include "core/syscall_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/util.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define FOREIGN_CALLS 0x40000000	/* from there on: the x32 way to call, the same list again */
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH 0				/* no profile is accepted: config/options.h */
#endif

#define NAMESPACES                                                                                \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |            \
	 CLONE_NEWPID | CLONE_NEWNET)

/* Numbers that headers older than the kernel do not know; the same on both architectures. */
#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif

static const int refused[] = {
	/* what is mounted where */
	SYS_mount, SYS_umount2, SYS_pivot_root, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick,
	SYS_move_mount, SYS_open_tree, SYS_mount_setattr, SYS_swapon, SYS_swapoff,
	/* namespaces; clone is looked at below */
	SYS_unshare, SYS_setns,
	/* the kernel itself */
	SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot,
	SYS_acct, SYS_quotactl, SYS_quotactl_fd, SYS_syslog, SYS_sethostname, SYS_setdomainname,
	SYS_vhangup,
#ifdef SYS_kexec_file_load
	SYS_kexec_file_load,
#endif
#ifdef SYS_iopl
	SYS_iopl, SYS_ioperm, SYS_modify_ldt,
#endif
#ifdef SYS_uselib
	SYS_uselib, SYS_ustat, SYS_sysfs, SYS__sysctl, SYS_create_module, SYS_query_module,
	SYS_get_kernel_syms,
#endif
	/* the clock */
	SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex,
	/* other processes, and files behind the back of permissions */
	SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_perf_event_open,
	SYS_open_by_handle_at, SYS_lookup_dcookie,
	/* large parts of the kernel that few programs need, and those can do without */
	SYS_bpf, SYS_userfaultfd, SYS_add_key, SYS_request_key, SYS_keyctl, SYS_io_uring_setup,
	SYS_io_uring_enter, SYS_io_uring_register,
};

#define NUMBER offsetof(struct seccomp_data, nr)
/* the lower half: what the kernel looks at of these arguments; both architectures put it first */
#define ARGUMENT(i) (offsetof(struct seccomp_data, args) + 8 * (i))
#define REFUSE(errnum) (SECCOMP_RET_ERRNO | (errnum))

static void add(struct syscall_filter *f, uint16_t code, uint8_t yes, uint8_t no, uint32_t k)
{
	const struct sock_filter op = { .code = code, .jt = yes, .jf = no, .k = k };

	_Static_assert(sizeof(op) == sizeof(f->code[0]), "instructions are words");
	BUG_ON(f->n >= ARRAY_LEN(f->code));
	memcpy(&f->code[f->n++], &op, sizeof(op));
}

static void load(struct syscall_filter *f, size_t offset)
{
	add(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static void give(struct syscall_filter *f, uint32_t verdict)
{
	add(f, BPF_RET | BPF_K, 0, 0, verdict);
}

/* The next N instructions are for call NUMBER alone. */
static void when_call(struct syscall_filter *f, int number, uint8_t n)
{
	add(f, BPF_JMP | BPF_JEQ | BPF_K, 0, n, (uint32_t)number);
}

static void refuse_call(struct syscall_filter *f, int number, uint32_t errnum)
{
	when_call(f, number, 1);
	give(f, REFUSE(errnum));
}

/* clone3 keeps its flags in memory, where no filter can look; without it libraries use clone. */
static void refuse_namespaces(struct syscall_filter *f)
{
	refuse_call(f, SYS_clone3, ENOSYS);
	when_call(f, SYS_clone, 4);
	load(f, ARGUMENT(0));
	add(f, BPF_JMP | BPF_JSET | BPF_K, 0, 1, NAMESPACES);
	give(f, REFUSE(EPERM));
	give(f, SECCOMP_RET_ALLOW);
}

/* To type for somebody else at a terminal. */
static void refuse_typing(struct syscall_filter *f)
{
	when_call(f, SYS_ioctl, 5);
	load(f, ARGUMENT(1));
	add(f, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, TIOCSTI);
	add(f, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, TIOCLINUX);
	give(f, REFUSE(EPERM));
	give(f, SECCOMP_RET_ALLOW);
}

static void refuse_network(struct syscall_filter *f, int number)
{
	when_call(f, number, 4);
	load(f, ARGUMENT(0));
	add(f, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, AF_UNIX);
	give(f, REFUSE(EAFNOSUPPORT));
	give(f, SECCOMP_RET_ALLOW);
}

void syscall_filter_build(enum seccomp_profile profile, struct syscall_filter *out)
{
	out->n = 0;
	if (profile == SECCOMP_NONE)
		return;
	load(out, offsetof(struct seccomp_data, arch));
	add(out, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCH);
	give(out, SECCOMP_RET_KILL_PROCESS);
	load(out, NUMBER);
#ifdef FOREIGN_CALLS
	add(out, BPF_JMP | BPF_JGE | BPF_K, 0, 1, FOREIGN_CALLS);
	give(out, REFUSE(ENOSYS));
#endif
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		refuse_call(out, refused[i], EPERM);
	refuse_namespaces(out);
	refuse_typing(out);
	if (profile == SECCOMP_NO_NETWORK) {
		refuse_network(out, SYS_socket);
		refuse_network(out, SYS_socketpair);
	}
	give(out, SECCOMP_RET_ALLOW);
}
