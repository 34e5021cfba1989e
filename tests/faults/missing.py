"""Kernels and filters that lack a call: it fails with ENOSYS, or EPERM, as often as it is made.

All core flows are gone through on such a machine, with the same results as on a complete one, and
`procd features` has to say that a fallback is in use. strace follows every process of the instance,
children included, with a filter that stops only for the calls in question.

What strace cannot tell apart is left to PROCD_TEST_NO_FEATURE (tests/blackbox): subreaper is one use
of prctl(), clone_into_cgroup one of clone3(), cgroup2 and cgroup_kill are files. And a clone3() that
answers EPERM instead of ENOSYS ends every program whose C library makes threads with it; procd then
has to say so.
"""

import os
import signal

from flows import FIRST, SECOND, Scene, crash_mortal, reload_again, stop_and_start, untouched
from harness import check, contains, equal, read_text, wait_until

# Name -> (calls, features that are then not in use)
MISSING = {
    "pidfd_open": (["pidfd_open"], ["pidfd_open", "pidfd_send_signal", "pidfd_inode", "pidfd_getfd"]),
    "pidfd_send_signal": (["pidfd_send_signal"], ["pidfd_send_signal"]),
    "pidfd_inode": (["fstatfs"], ["pidfd_inode"]),
    "pidfd_getfd": (["pidfd_getfd"], ["pidfd_getfd"]),
    "clone3": (["clone3"], ["clone3", "clone_into_cgroup"]),
    "close_range": (["close_range"], ["close_range"]),
    "membarrier": (["membarrier"], ["membarrier"]),
    "openat2": (["openat2"], ["openat2"]),
    "execveat": (["execveat"], []),
    "inotify": (["inotify_init1", "inotify_add_watch"], []),
    "eventfd": (["eventfd2"], []),
    "getrandom": (["getrandom"], []),
}
NOT_BOTH = {("clone3", "EPERM")}  # the C library's


def _all(errno):
    names = [n for n in MISSING if (n, errno) not in NOT_BOTH]
    return [c for n in names for c in MISSING[n][0]], [f for n in names for f in MISSING[n][1]]


def names():
    return ["missing/%s/%s" % (n, e) for n in list(MISSING) + ["all"] for e in ("ENOSYS", "EPERM")]


class Everywhere:
    """Stands where a Trace stands: strace around the whole instance, for all of its life."""

    role, thread = "all", ""

    def __init__(self, world, calls, errno):
        self.errno, self.what = errno, self
        self.file = world.path("strace.all")
        self.argv = ["strace", "-D", "-I2", "-f", "--seccomp-bpf", "-qq", "-o", self.file, "-e", "signal=none",
                     "-e", "trace=" + ",".join(calls), "-e", "inject=%s:error=%s" % (",".join(calls), errno)]

    def launcher(self):
        return self.argv

    def injected(self):
        return read_text(self.file).count("(INJECTED)")

    def attach(self, _p):
        pass

    def detach(self, _p):
        pass


def features_of(world, trace):
    """`procd features --json` under the same conditions; strace is the parent here, it passes the code on."""
    argv = ["strace"] + [a for a in trace.argv[1:] if a not in ("-D", "-I2")] + [world.procd_path, "features", "--json"]
    result = world.run_program(argv)
    result.expect(0)
    return result.json()["kernel"]


def case(world, name, errno):
    calls, features = _all(errno) if name == "all" else MISSING[name]
    trace = Everywhere(world, calls, errno)
    scene = Scene(world, trace)
    if (name, errno) in NOT_BOTH:
        check(not scene.launch(True), "procd started without threads")
        contains(scene.text(), "Operation not permitted", "procd's word")
        return {"hits": [name], "consequences": []}
    kernel = features_of(world, trace)
    asked = trace.injected()
    for feature in features:
        equal(kernel[feature]["used"], False, "use of " + feature)
    equal(kernel["proc"]["used"], True, "use of what is there")
    check(scene.launch(True), "procd does not start")
    scene.runs(*scene.names)
    flows(scene)
    check(asked + trace.injected() > 0, "nobody made the call")
    return {"hits": [name], "consequences": []}


def flows(s):
    """Each of them, one after the other, without any consequence."""
    s.before = {n: s.pid(n) for n in s.names}
    s.supervisor = s.p.supervisor_pid()
    crash_mortal(s)
    stop_and_start(s)
    s.p.write(s.config(changed=True))
    check(s.ctl("reload-config"), "reload-config")
    s.names.append("extra")
    s.runs(*s.names)
    reload_again(s)
    wait_until(lambda: not s.living("extra"), "extra is gone")
    s.prints("go", FIRST)
    check(s.ctl("reopen-logs"), "reopen-logs")
    os.kill(s.supervisor, signal.SIGKILL)
    s.supervisor = s.p.supervisor_pid(other_than=s.supervisor)
    wait_until(s.p.rpc_alive, "the new supervisor answers")
    untouched(s, "stable", "writer")
    crash_mortal(s)
    s.prints("go-on", SECOND)
    equal(s.consequences, [], "consequences")
    s.p.stop(want=0)
    s.nobody_doubled()
    s.numbered()
