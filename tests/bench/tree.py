"""Processes: everything that a run starts, what it uses, and that it is gone afterwards.

The runner is a subreaper: whatever a supervisor starts, and however often that forks away, comes
back to it when its parents are gone. So the end of a tree is seen without looking (wait() has no
child any more), and what is left is found without names.
"""

import ctypes
import os
import re
import signal
import time

TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36


def become_reaper():
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode("utf-8", "replace")
    except OSError:
        return ""


def stat(pid):
    """Fields of /proc/PID/stat after the name: [0] state, [1] ppid; None when it is gone."""
    return read("/proc/%d/stat" % pid).rpartition(") ")[2].split() or None


def descendants(root=None):
    """All living processes below ROOT (default: the runner)."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat(int(name))
            if fields and fields[0] not in "ZX":
                children.setdefault(int(fields[1]), []).append(int(name))
    found, look = [], [root or os.getpid()]
    while look:
        below = children.get(look.pop(), [])
        found += below
        look += below
    return found


def own_cgroup():
    """The directory of the runner's cgroup (version 2)."""
    mount = re.search(r"^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2 ", read("/proc/self/mountinfo"), re.M)
    own = re.search(r"^0::(.*)$", read("/proc/self/cgroup"), re.M)
    return mount.group(1) + own.group(1).rstrip("/") if mount and own else "/nonexistent"


def cpu_s(pid):
    """CPU seconds of a process and of all children that it waited for. Exact for its threads; those
    that ended, and children, are counted in clock ticks."""
    fields = stat(pid)
    if not fields:
        return 0
    exact = 0
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            exact += int((read("/proc/%d/task/%s/schedstat" % (pid, task)) or "0").split()[0]) / 1e9
    except OSError:
        pass
    own = (int(fields[11]) + int(fields[12])) / TICKS
    return max(exact, own) + (int(fields[13]) + int(fields[14])) / TICKS


def tree_cpu_s():
    return sum(cpu_s(pid) for pid in descendants())


def pss_kib(pids):
    total = 0
    for pid in pids:
        found = re.search(r"^Pss:\s+(\d+)", read("/proc/%d/smaps_rollup" % pid), re.M)
        total += int(found.group(1)) if found else 0
    return total


def switches(pids):
    """Context switches of all threads so far, whether they wanted them or not."""
    total = 0
    for pid in pids:
        try:
            tasks = os.listdir("/proc/%d/task" % pid)
        except OSError:
            continue
        for task in tasks:
            text = read("/proc/%d/task/%s/status" % (pid, task))
            total += sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", text))
    return total


def wait_all_gone(timeout):
    """Reap until nothing that was started is left; returns whether that was in time. Does not poll."""
    deadline = time.monotonic() + timeout
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    try:
        while True:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            signal.sigtimedwait([signal.SIGCHLD], left)
    except ChildProcessError:
        return True
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def kill_all():
    """End everything below the runner, and wait for it."""
    for _ in range(200):
        for pid in descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if wait_all_gone(0.3):
            return
    raise SystemExit("bench: processes that cannot be killed: %s" % descendants())
