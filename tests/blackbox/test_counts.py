"""What the core flows cost, counted: system calls and allocations, which are the same on a slow machine and
a busy one. A change that makes a flow dearer has to say so here."""

import collections
import json
import os
import re
import signal
import subprocess
import time

from harness import *

# System calls of one of each, as they were counted, by who makes them: the keeper, the child until its
# exec, the supervisor with all its threads. A tenth and one more are allowed, because it varies how much
# work falls into one turn of a loop. Who makes a flow dearer raises its row in the same commit and says
# there why it is worth it; who makes it cheaper lowers it. A failure lists each call.
CALLS = {
    "start, one of 50 at once": (14, 36, 11),
    "restart after SIGKILL": (27, 36, 21),
    "reload, 1 of 100 changed": (42, 36, 110),
    "event, to one subscriber": (0, 0, 1),
    "end of procd, one of 50": (21, 0, 10),
}
# Allocations of the supervisor, likewise.
BLOCKS = {
    "restart after SIGKILL": 29,
}

LINE = re.compile(r"^(\d+) +(?:<\.\.\. )?([a-z_0-9]+)(.*)$")


def need_plain_build():
    if SCALE > 1 or os.environ.get("PROCD_TEST_BACKEND") or os.environ.get("PROCD_TEST_CHANNEL"):
        raise Skip("the numbers are those of the plain build and of the default event loop")


class Counter:
    """Counts procd's system calls while it is entered."""

    def __init__(self, w, p):
        self.path, self.p, self.calls = w.path("calls"), p, collections.Counter()
        self.strace = need_program("strace")

    def tasks(self):
        found = {}
        for pid in (self.p.pid, self.p.supervisor_pid()):
            for task in os.listdir("/proc/%d/task" % pid):
                found[int(task)] = read_text("/proc/%d/task/%s/comm" % (pid, task)).strip()
        return found

    def __enter__(self):
        self.names = self.tasks()
        self.tracer = subprocess.Popen(
            [self.strace, "-f", "--detach-on=execve", "-e", "signal=none", "-s", "0", "-o", self.path,
             "-p", str(self.p.pid), "-p", str(self.p.supervisor_pid())],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.attached, "strace is attached", 30)
        return self

    def attached(self):
        if self.tracer.poll() is not None:
            raise Skip("strace may not trace here")
        return all("TracerPid:\t%d\n" % self.tracer.pid in read_text("/proc/%d/status" % task) for task in self.names)

    def __exit__(self, *_):
        self.tracer.terminate()
        self.tracer.wait()
        for line in read_text(self.path).splitlines():
            match = LINE.match(line)
            if match and "resumed>" not in match.group(3)[:20]:
                self.calls[self.names.get(int(match.group(1)), "child"), match.group(2)] += 1

    def by_role(self, times):
        """(keeper, child, supervisor) calls for one of TIMES."""
        found = collections.Counter()
        for (task, _), n in self.calls.items():
            found[{"procd-keeper": "keeper", "child": "child"}.get(task, "supervisor")] += n
        return tuple(found[role] / times for role in ("keeper", "child", "supervisor"))

    def within(self, flow, times):
        """Fails when FLOW, done TIMES times, took more than its row allows."""
        got = self.by_role(times)
        text = "%s: keeper %.1f, child %.1f, supervisor %.1f calls, of %s" % ((flow,) + got + (CALLS[flow],))
        if any(g > row * 1.1 + 1 for g, row in zip(got, CALLS[flow])):
            each = "\n".join("  %-14s %-16s %6.1f" % (task, call, n / times)
                             for (task, call), n in sorted(self.calls.items(), key=lambda item: -item[1]))
            raise Failure(text + "\n" + each)


def sleepers(n, **keys):
    """Configuration of N subsystems that sleep and come back at once. What they use is not looked at:
    that is done for a while after each question, as time passes."""
    keys = dict({"restart": "always", "restart_delay": 0}, **keys)
    text = '[logging]\nlevel = "error"\n[monitoring]\ntrack_resources = false\n[defaults]\n'
    text += "".join("%s = %s\n" % (k, toml(v)) for k, v in keys.items())
    return text + "".join('[subsystem.s%d]\ncommand = ["/bin/sleep", "1000"]\n' % i for i in range(n))


def kill_each(p, names):
    """One after another, each until its next instance runs."""
    pids = {s["name"]: s["pid"] for s in p.status()["subsystems"]}
    for name in names:
        at = p.mark()
        os.kill(pids[name], signal.SIGKILL)
        p.wait_state(name, "running", after=at, timeout=30)


def all_run(p, n):
    wait_until(lambda: sum(s["state"] == "running" for s in p.status()["subsystems"]) == n, "all run", 30)


def test_a_cold_start_makes_no_detour(w):
    """Until the first program is executed, the keeper makes two processes and nothing that it only tries, and
    lets go of no code that it is about to need."""
    need_plain_build()
    calls = "clone,clone3,mkdirat,madvise,execve"
    p = w.procd(sleepers(1), launcher=[need_program("strace"), "-f", "-qq", "-o", w.path("trace"), "-e",
                                       "signal=none", "-e", "trace=" + calls])
    all_run(p, 1)
    p.ctl("shutdown", timeout=30).expect(0)
    p.wait_end(30)
    lines = [LINE.match(line) for line in read_text(w.path("trace")).splitlines()]
    lines = [m.groups() for m in lines if m and "resumed>" not in m.group(3)[:20]]
    until = next(i for i, (_, call, rest) in enumerate(lines) if call == "execve" and "/bin/sleep" in rest)
    keeper = lines[0][0]
    own = [(call, rest) for pid, call, rest in lines[:until] if pid == keeper]
    born = [rest for call, rest in own if call.startswith("clone") and "= -1" not in rest]
    equal(len(born), 2, "processes that the keeper made: %s" % born)
    equal([line for line in own if line[0] == "madvise" or "procd-probe" in line[1]], [], "detours")


def test_calls_of_a_start(w):
    need_plain_build()
    p = w.procd(sleepers(50, autostart=False))
    with Counter(w, p) as counter:
        p.rpc("subsystem.start", {"names": ["*"]}, timeout=30)
    counter.within("start, one of 50 at once", 50)
    p.stop()


def test_calls_of_the_end(w):
    """The group of each goes with it: nothing is left to be done one by one when all have ended."""
    need_plain_build()
    p = w.procd(sleepers(50))
    all_run(p, 50)
    with Counter(w, p) as counter:
        p.stop()
    counter.within("end of procd, one of 50", 50)


def test_calls_of_a_restart(w):
    need_plain_build()
    p = w.procd(sleepers(20))
    all_run(p, 20)
    with Counter(w, p) as counter:
        kill_each(p, ["s%d" % i for i in range(20)])
    counter.within("restart after SIGKILL", 20)
    p.stop()


def test_calls_of_a_reload_do_not_grow_with_what_is_unchanged(w):
    need_plain_build()
    counted = {}
    for n in (100, 300):
        p = w.procd(sleepers(n), label="of%d" % n)
        all_run(p, n)
        with Counter(w, p) as counter:
            for i in range(5):
                at = p.mark()
                p.write(sleepers(n).replace('"1000"', '"1001"', i + 1))
                p.rpc("config.reload", timeout=30)
                p.wait_state("s%d" % i, "running", after=at, timeout=30)
        counted[n] = sum(counter.by_role(5))
        if n == 100:
            counter.within("reload, 1 of 100 changed", 5)
        p.stop()
    check(counted[300] < counted[100] * 1.2 + 10, "calls of a reload: %s" % counted)


def test_calls_of_an_event(w):
    need_plain_build()
    p = w.procd(sleepers(20))
    all_run(p, 20)
    subscriber = p.connect()
    subscriber.call("events.subscribe")
    at = p.mark_now()
    with Counter(w, p) as counter:
        kill_each(p, ["s%d" % i for i in range(20)])
    told = len(p.read_events()) - at
    front = {key: n for key, n in counter.calls.items() if key[0] == "front"}
    counter.calls = collections.Counter(front)
    counter.within("event, to one subscriber", told)
    subscriber.close()
    p.stop()


def switches(p):
    total = 0
    for pid in (p.pid, p.supervisor_pid()):
        for task in os.listdir("/proc/%d/task" % pid):
            for line in read_text("/proc/%d/task/%s/status" % (pid, task)).splitlines():
                if line.startswith("voluntary_ctxt_switches"):
                    total += int(line.split()[1])
    return total


def test_an_idle_second_costs_nothing(w):
    p = w.procd(sleepers(20), wait=False)   # and not asked: that wakes a thread for some seconds
    for i in range(20):
        p.wait_state("s%d" % i, "running", timeout=30)

    def quiet_second():
        before = switches(p)
        time.sleep(1)
        return switches(p) == before

    wait_until(quiet_second, "a second in which no thread wakes up", 30)
    p.stop()


def blocks(w, p, restarts):
    """What the supervisor allocates while so many subsystems are restarted."""
    path = w.path("heap.json")
    p.ctl("profile", "heap", "start").expect(0)
    kill_each(p, ["s%d" % i for i in range(restarts)])
    p.ctl("profile", "heap", "stop", "-o", path).expect(0)
    with open(path, encoding="utf-8") as f:
        return sum(place["tbk"] for place in json.load(f)["pps"])


def test_allocations_of_a_restart(w):
    need_plain_build()
    w.need_feature("heap_profiling")
    p = w.procd(sleepers(25))
    all_run(p, 25)
    blocks(w, p, 1)
    got = (blocks(w, p, 25) - blocks(w, p, 5)) / 20
    check(got <= BLOCKS["restart after SIGKILL"] * 1.1 + 1,
          "allocations for a restart: %.1f, of %d" % (got, BLOCKS["restart after SIGKILL"]))
    p.stop()
