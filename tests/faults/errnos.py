"""Which errors are plausible for which call, and which calls are not made to fail, and why."""

import re

MEMORY = ["ENOMEM"]
DESCRIPTOR = ["EMFILE", "ENFILE"]
DISK = ["ENOSPC", "EIO", "EROFS"]

PLAUSIBLE = {
    # files
    "openat": ["EMFILE", "ENFILE", "EACCES", "ENOSPC", "EIO", "ENOMEM"],
    "open": ["EMFILE", "EACCES", "EIO"],
    "read": ["EIO", "EINTR"],
    "readv": ["EIO", "EINTR"],
    "pread64": ["EIO", "EINTR"],
    "write": ["ENOSPC", "EIO", "EINTR"],
    "writev": ["ENOSPC", "EIO", "EINTR"],
    "pwrite64": ["ENOSPC", "EIO", "EINTR"],
    "fsync": ["EIO", "ENOSPC"],
    "fdatasync": ["EIO", "ENOSPC"],
    "ftruncate": ["ENOSPC", "EIO"],
    "fallocate": ["ENOSPC", "EOPNOTSUPP"],
    "lseek": ["EIO"],
    "rename": DISK, "renameat": DISK, "renameat2": DISK,
    "unlink": ["EROFS", "EIO"], "unlinkat": ["EROFS", "EIO", "EBUSY"],
    "rmdir": ["EBUSY", "EIO"],
    "mkdir": DISK + ["EACCES"], "mkdirat": DISK + ["EACCES"],
    "mknodat": DISK + ["EACCES"], "mknod": DISK + ["EACCES"],
    "linkat": DISK, "link": DISK, "symlinkat": DISK,
    "fchmod": ["EPERM", "EROFS"], "fchmodat": ["EPERM", "EROFS"], "chmod": ["EPERM", "EROFS"],
    "fchown": ["EPERM", "EROFS"], "fchownat": ["EPERM", "EROFS"], "chown": ["EPERM", "EROFS"],
    "utimensat": ["EACCES", "EROFS"],
    "stat": ["EACCES", "EIO"], "lstat": ["EACCES", "EIO"], "fstat": ["EIO"],
    "newfstatat": ["EACCES", "EIO", "ENOMEM"], "statx": ["EACCES", "EIO"],
    "statfs": ["EIO", "ENOSYS"], "fstatfs": ["EIO", "ENOSYS"],
    "access": ["EACCES", "EIO"], "faccessat": ["EACCES", "EIO"], "faccessat2": ["EACCES", "ENOSYS"],
    "getdents64": ["EIO", "ENOMEM"],
    "fsetxattr": ["EOPNOTSUPP", "ENOSPC", "ENOMEM"], "fgetxattr": ["EOPNOTSUPP", "ENODATA"],
    "readlink": ["EACCES", "EIO"], "readlinkat": ["EACCES", "EIO"],
    "getcwd": ["ENOENT", "ENOMEM"],
    "chdir": ["EACCES", "EIO"], "fchdir": ["EACCES", "EIO"], "chroot": ["EPERM"],
    "flock": ["EINTR", "ENOLCK"],
    "fcntl": ["EMFILE", "EPERM", "ENOLCK"],
    "ioctl": ["ENOTTY", "EIO"],
    # descriptors
    "dup": DESCRIPTOR, "dup2": DESCRIPTOR + ["EBUSY"], "dup3": ["EMFILE", "EBUSY"],
    "pipe2": DESCRIPTOR, "eventfd2": DESCRIPTOR + MEMORY, "timerfd_create": DESCRIPTOR + MEMORY,
    "timerfd_settime": MEMORY,
    "signalfd4": DESCRIPTOR + MEMORY, "epoll_create1": DESCRIPTOR + MEMORY, "epoll_create": DESCRIPTOR,
    "inotify_init1": DESCRIPTOR + MEMORY, "memfd_create": DESCRIPTOR + MEMORY,
    "epoll_ctl": ["ENOMEM", "ENOSPC"],
    "epoll_wait": ["EINTR"], "epoll_pwait": ["EINTR"], "epoll_pwait2": ["EINTR"],
    "poll": ["EINTR", "ENOMEM"], "ppoll": ["EINTR", "ENOMEM"], "select": ["EINTR"], "pselect6": ["EINTR"],
    "inotify_add_watch": ["ENOSPC", "ENOMEM", "EACCES"],
    "close_range": ["ENOMEM", "EMFILE"],
    # sockets
    "socket": DESCRIPTOR + ["ENOBUFS"], "socketpair": DESCRIPTOR + MEMORY,
    "bind": ["EACCES", "EADDRINUSE", "ENOMEM"], "listen": ["EADDRINUSE"],
    "accept4": ["EMFILE", "ENFILE", "ECONNABORTED", "ENOMEM"], "accept": ["EMFILE", "ECONNABORTED"],
    "connect": ["ECONNREFUSED", "EAGAIN", "EACCES"],
    "sendmsg": ["ENOBUFS", "ENOMEM", "EINTR", "EPIPE"], "sendto": ["ENOBUFS", "EAGAIN", "EINTR", "EPIPE"],
    "sendmmsg": ["ENOBUFS", "ENOMEM", "EINTR", "EPIPE"],
    "recvmsg": ["ENOMEM", "EINTR", "ECONNRESET"], "recvfrom": ["ENOMEM", "EINTR", "ECONNRESET"],
    "setsockopt": ["ENOMEM", "EPERM"], "getsockopt": ["ENOMEM"], "getsockname": ["ENOBUFS"],
    "getpeername": ["ENOBUFS"],
    "shutdown": ["ENOTCONN"],
    # memory
    "mmap": MEMORY, "mremap": MEMORY, "mprotect": MEMORY,
    "madvise": ["ENOMEM", "EINVAL"], "mlock": MEMORY, "msync": ["EIO"],
    # processes
    "clone": ["EAGAIN", "ENOMEM"], "clone3": ["EAGAIN", "ENOMEM"], "vfork": ["EAGAIN", "ENOMEM"],
    "fork": ["EAGAIN", "ENOMEM"],
    "execve": ["ENOMEM", "EACCES", "EIO"], "execveat": ["ENOMEM", "EACCES", "EIO"],
    "wait4": ["EINTR"], "waitid": ["EINTR"],
    "kill": ["EPERM"], "tgkill": ["EPERM", "EAGAIN"],
    "pidfd_open": ["EMFILE", "ENOMEM"], "pidfd_send_signal": ["EPERM", "ENOMEM"],
    "prctl": ["EPERM", "EINVAL"],
    "prlimit64": ["EPERM"], "setrlimit": ["EPERM"],
    "setsid": ["EPERM"], "setpgid": ["EPERM", "EACCES"],
    "setresuid": ["EPERM", "EAGAIN"], "setresgid": ["EPERM"], "setgroups": ["EPERM", "ENOMEM"],
    "setuid": ["EPERM", "EAGAIN"], "setgid": ["EPERM"], 
    "setpriority": ["EACCES", "EPERM"], "getpriority": ["ESRCH"],
    "sched_setaffinity": ["EPERM", "EINVAL"], "sched_getaffinity": ["EPERM"], "sched_getattr": ["EPERM"],
    "sched_setscheduler": ["EPERM"], "sched_getscheduler": ["EPERM"], "sched_getparam": ["EPERM"],
    "sched_setattr": ["EPERM"], "ioprio_set": ["EPERM"],
    "capset": ["EPERM"], "capget": ["EPERM"], "seccomp": ["EPERM", "EINVAL"], "unshare": ["EPERM"],
    "mount": ["EPERM", "ENOMEM"], "mount_setattr": ["EPERM", "ENOSYS"], "open_tree": ["EPERM", "ENOSYS"],
    "move_mount": ["EPERM"],
    "membarrier": ["EPERM", "ENOSYS"],
    "getrandom": ["EINTR", "ENOSYS"],
    "clock_nanosleep": ["EINTR"], "nanosleep": ["EINTR"],
    "sysinfo": ["EFAULT"],
}

EXCLUDED = {
    "close": "Linux closes the descriptor whatever it answers; strace would leave it open",
    "brk": "answers a failure with the old end; strace can only answer an error, which the C library takes for an address",
    "munmap": "cannot fail for a whole mapping; strace would leave it there",
    "exit": "does not return", "exit_group": "does not return",
    "rt_sigreturn": "does not return",
    "inotify_rm_watch": "fails only for a wrong number",
    "rt_sigaction": "fails only for a wrong number or pointer",
    "rt_sigprocmask": "fails only for a wrong argument",
    "sigaltstack": "fails only for a wrong argument",
    "rt_sigtimedwait": "no part of any flow",
    "futex": "the C library's locks: it aborts by itself on any unexpected answer",
    "set_robust_list": "the C library's; fails only for a wrong size",
    "set_tid_address": "cannot fail", "arch_prctl": "the C library's; fails only for a wrong address",
    "rseq": "the C library's; optional for it",
    "getpid": "cannot fail", "getppid": "cannot fail", "gettid": "cannot fail", "getuid": "cannot fail",
    "geteuid": "cannot fail", "getgid": "cannot fail", "getegid": "cannot fail", "getsid": "cannot fail",
    "getpgrp": "cannot fail",
    "getresuid": "fails only for a wrong pointer", "getresgid": "fails only for a wrong pointer", "umask": "cannot fail", "uname": "fails only for a wrong pointer",
    "sched_yield": "cannot fail", "getrlimit": "fails only for a wrong argument",
    "getrusage": "fails only for a wrong argument", "times": "cannot fail",
    "getgroups": "fails only when there are more groups than are wanted",
    "restart_syscall": "the kernel's own",
    "clock_gettime": "cannot fail for the clocks in use", "gettimeofday": "cannot fail", "time": "cannot fail",
}

# (call, signature) of single uses that cannot fail in a way that strace could show.
EXCLUDED_USES = [
    ("fcntl", r"^F_([GS]ET(FD|FL)|GET_SEALS)\b", "fails only for a wrong number"),
    ("write", r"anon_inode:\[eventfd\]", "fails only when it is signalled already"),
    ("membarrier", r"PRIVATE_EXPEDITED", "the RCU library has asked before, see `features`"),
    ("prlimit64", r"^RLIMIT_\w+ NULL", "reading one's own limits fails only for a wrong number"),
]

# Nothing interrupts a file; what can be waited for is something else.
UNINTERRUPTED = r"^/(?!dev/|.*/fifo/)"
FILE_CALLS = ("read", "readv", "pread64", "write", "writev", "pwrite64", "openat", "open")


def excluded(call, signature):
    """Why this use of CALL is not made to fail, or None."""
    if call in EXCLUDED:
        return EXCLUDED[call]
    for name, pattern, reason in EXCLUDED_USES:
        if name == call and re.search(pattern, signature):
            return reason
    return None


def plausible(call, signature):
    errnos = PLAUSIBLE[call]
    if call in FILE_CALLS and re.search(UNINTERRUPTED, signature):
        errnos = [e for e in errnos if e != "EINTR"]
    if call in ("openat", "open") and "O_CREAT" not in signature:
        errnos = [e for e in errnos if e != "ENOSPC"]  # nothing is made
    if "AT_EMPTY_PATH" in signature:
        errnos = [e for e in errnos if e != "EACCES"]  # it is open already
    return errnos


MEANING = {}  # name -> what strerror() says; filled below


def _fill():
    import errno
    import os
    for number, name in errno.errorcode.items():
        MEANING[name] = os.strerror(number)
    MEANING["EOPNOTSUPP"] = os.strerror(errno.EOPNOTSUPP)


_fill()
