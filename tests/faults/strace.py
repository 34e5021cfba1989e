"""Putting strace between procd and the kernel: to record which calls a role makes, or to make one fail.

A role is one of procd's processes, and each is caught in its own way:

  keeper      strace starts it (-D, so that the keeper keeps the pid that was started), or attaches
              to it while it sleeps. Never with -f: nobody else is touched, and it has one thread.
  child       what runs between clone and exec, of subsystems and of the supervisor alike: attached
              to the keeper with -f, and let go at exec (--detach-on=execve).
  supervisor  attached with -f, all threads. To have it from its first instruction on, a strace at
              the keeper adds SIGSTOP to the execveat that makes it; the stopped process is attached
              to and then continued. strace has no other way of following one child across exec.

The counter of when=N is one per thread. A supervisor that runs already is attached to thread by
thread; in one that is on its way up the Nth call of *each* thread fails, and in role child the Nth call of the keeper since the attach fails as well, if there are that many.
"""

import os
import re
import select
import signal
import subprocess
import time

from harness import Failure, alive, children_of, comm, read_text, stat_fields, try_kill, wait_until

LINE = re.compile(r"^(?:(\d+) +)?([a-z_0-9]+)\((.*)$")
GRACE_S = 1.0
KILL = "KILL"  # stands where an errno stands
STOP_AT_EXEC = ["-f", "--detach-on=execve", "-e", "trace=execveat", "-e", "inject=execveat:signal=SIGSTOP"]


class Inject:
    """CALL fails with ERRNO at its Nth time (0: each time)."""

    def __init__(self, call, n, errno):
        self.call, self.n, self.errno = call, n, errno

    def options(self):
        when = ":when=%d" % self.n if self.n else ""
        return ["-y", "-e", "trace=" + self.call, "-e", "inject=%s:error=%s%s" % (self.call, self.errno, when)]


class Kill(Inject):
    """SIGKILL instead of CALL's Nth time."""

    def __init__(self, call, n):
        super().__init__(call, n, KILL)

    def options(self):
        return ["-y", "-e", "trace=" + self.call, "-e", "inject=%s:signal=SIGKILL:when=%d" % (self.call, self.n)]


class Record:
    """Nothing fails; all calls are written down, descriptors with what they stand for."""

    def options(self):
        return ["-y", "-s", "0", "-e", "trace=all"]


class Trace:
    """What one strace is to do to one role, and afterwards what it saw."""

    def __init__(self, world, role, what):
        """ROLE: "supervisor:THREAD" is only that thread, where it can be attached to."""
        self.world, self.what = world, what
        self.role, _, self.thread = role.partition(":")
        self.file = world.path("strace." + self.role)
        self.tracer, self.stopper = None, None
        self.names = {}  # of the supervisor's threads
        self.caught = 0  # the supervisor that is traced from its exec on

    def _options(self):
        return self.what.options() + ["-e", "signal=none", "-o", self.file]

    def launcher(self):
        """In front of procd's command line: the role is caught from its first call on."""
        if self.role == "keeper":
            return ["strace", "-D", "-I2"] + self._options()
        if self.role == "child":
            return ["strace", "-D", "-I2", "-f", "--detach-on=execve"] + self._options()
        return ["strace", "-D", "-I2", "-o", self.world.path("strace.exec")] + STOP_AT_EXEC

    def _run(self, options, pid):
        """A strace that has attached when this returns."""
        tracer = subprocess.Popen(["strace", "-p", str(pid)] + options, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said, deadline = b"", time.monotonic() + 10
        while b" attached" not in said:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([tracer.stderr], [], [], left)[0]:
                raise Failure("strace does not attach: %r" % said)
            more = os.read(tracer.stderr.fileno(), 4096)
            if not more:
                raise Failure("strace has ended: %r" % said)
            said += more
        return tracer

    def attach(self, p):
        """To the role in the running procd P."""
        if self.role == "keeper":
            self.tracer = self._run(self._options(), p.pid)
        elif self.role == "child":
            self.tracer = self._run(["-f", "--detach-on=execve"] + self._options(), p.pid)
        else:
            pid = p.supervisor_pid()
            self.names = threads(pid)
            mine = [t for t, name in self.names.items() if name == self.thread]
            if mine:
                self.tracer = self._run(self._options(), mine[0])
            else:
                self.tracer = self._run(["-f"] + self._options(), pid)

    def expect_supervisor(self, p):
        """The next supervisor of P shall be caught at its exec; catch() has to follow."""
        self.stopper = self._run(["-o", self.world.path("strace.exec")] + STOP_AT_EXEC, p.pid)

    def catch(self, p, timeout=10.0):
        """Attach to the supervisor that stands at its first instruction, and let it run."""
        def stopped():
            if p.process.poll() is not None:
                return -1
            for pid in children_of(p.pid):
                fields = stat_fields(pid)
                # traced still, it would not be ours to attach to
                if fields and fields[0] == "T" and comm(pid).startswith("procd") and not tracer_of(pid):
                    return pid
            return None
        pid = wait_until(stopped, "the new supervisor stands at its exec", timeout)
        self.caught = pid
        if pid < 0:
            return
        self.tracer = self._run(["-f"] + self._options(), pid)
        os.kill(pid, signal.SIGCONT)
        self._end(self.stopper)
        self.stopper = None
        self._end_launcher(p)

    @staticmethod
    def _end(tracer):
        if tracer is None:
            return
        tracer.terminate()
        try:
            tracer.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            tracer.kill()
            tracer.wait()
        tracer.stderr.close()

    def detach(self, p):
        """Calls succeed from now on."""
        self._end(self.tracer)
        self._end(self.stopper)
        self.tracer = self.stopper = None
        self._end_launcher(p)

    @staticmethod
    def _end_launcher(p):
        """The strace that started procd, which is no child of ours. It waits for ever for a keeper
        that waits for a child that stands before it; its death lets both go on."""
        launched = tracer_of(p.pid) if p.process and p.process.poll() is None else 0
        if not launched:
            return
        try_kill(launched, signal.SIGTERM)
        for _ in range(int(GRACE_S / 0.01)):
            if not alive(launched):
                return
            time.sleep(0.01)
        try_kill(launched, signal.SIGKILL)
        wait_until(lambda: not alive(launched), "strace lets go of the keeper")

    def lines(self):
        return read_text(self.file).splitlines()

    @property
    def deadly(self):
        return isinstance(self.what, Kill)

    def fatal(self):
        """The call that was not made any more: the Nth of its thread, without an answer."""
        made = {}
        for line in self.lines():
            match = LINE.match(line)
            if match and match.group(2) == self.what.call:
                made[match.group(1)] = made.get(match.group(1), 0) + 1
                if made[match.group(1)] == self.what.n:
                    return [line]
        return []

    def hits(self):
        """The calls that failed on demand."""
        if self.deadly:
            return self.fatal()
        return [line for line in self.lines() if "(INJECTED)" in line]

    def signatures(self):
        """Of the calls that failed: [(call, signature)]."""
        found = [LINE.match(line) for line in self.hits()]
        return [(m.group(2), signature(m.group(3), self.world.dir)) for m in found if m]

    def calls(self):
        """[(thread, call, signature)], in order. The signature tells apart what is not the same use
        of a call: its symbolic arguments, its paths, what its descriptor is; numbers left out."""
        found = []
        for line in self.lines():
            match = LINE.match(line)
            if match:
                thread, call, rest = match.groups()
                thread = self.names.get(int(thread or 0), thread or "")
                found.append((thread, call, signature(rest, self.world.dir)))
        return found


def threads(pid):
    """{thread: name}"""
    found = {}
    for thread in os.listdir("/proc/%d/task" % pid):
        found[int(thread)] = read_text("/proc/%d/task/%s/comm" % (pid, thread)).strip()
    return found


def tracer_of(pid):
    for line in read_text("/proc/%d/status" % pid).splitlines():
        if line.startswith("TracerPid:"):
            return int(line.split()[1])
    return 0


def signature(arguments, directory):
    arguments = arguments.rsplit(") = ", 1)[0].replace(directory, "")
    words = re.findall(r"\b[A-Z][A-Z0-9_]{3,}\b", arguments)[:3]
    paths = [a or b for a, b in re.findall(r"<([^<>]+)>|\"([^\"]+)\"", arguments)[:2]]
    return re.sub(r"\d+", "#", " ".join(words + paths))
