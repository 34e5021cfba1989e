"""The core flows, and what must hold when one call in them has failed.

A scene is one procd with three subsystems whose children leave witnesses: each appends its pid to a
file at its start, and holds a lock that a second instance of the same subsystem would find taken.

  stable   nothing happens to it: it must keep its pid through every flow but shutdown
  mortal   the one that is crashed, stopped and started; it runs as another user where that is possible
  writer   prints numbered lines when it is told to; its log file is rotated

A fault may also be a death: procd is killed before the call. Then a client whose connection broke
repeats its order, a keeper that was killed is followed by a new procd, and each flow is gone through to
its end as if nothing had been: all starts and ends are told once, no line and no event number is missing.

A flow is a row of FLOWS: `prepare` brings the scene up to where the flow begins, `act` attaches the
tracer, goes through the flow and says what it found. A fault may have consequences (a verb that
fails, a supervisor that is replaced, a start that is tried again); each of them is noted, and then
procd must have said why. Whatever happened, the last act is the same for all: without the fault
everything runs as it should, the flow can be repeated, and procd ends in order.
"""

import concurrent.futures
import contextlib
import glob
import json
import os
import pwd
import signal
import socket
import time

import account
from errnos import MEANING
from harness import (Failure, Procd, alive, check, children_of, comm, equal, read_text, stat_fields, wait_until,
                     write_text)

NAMES = ("stable", "mortal", "writer")
TEAM = tuple("team@%d" % i for i in range(4))
WITNESSES = NAMES + ("extra", "gone") + TEAM
# A start that fails: no configuration, OS error, cannot create, permission, bad configuration.
EXIT_CODES = (66, 71, 73, 77, 78)
PATIENCE = 6.0
UNREACHABLE = 5  # exit code of a client whose connection broke
LOADER = "error while loading shared libraries"  # the dynamic loader, before procd's first line
SHUTDOWN_S = 1.3 + 5.0  # the last deadline of the configuration, and the grace after SIGKILL
FIRST, SECOND = 60, 15  # lines that the writer prints


class Scene:
    def __init__(self, world, trace):
        self.world, self.trace, self.p = world, trace, None
        self.said, self.consequences, self.launches = [], [], 0
        self.lines_wanted = 0
        self.killed = set()  # pids of children that were killed by us
        self.keepers_killed, self.ordered_ends, self.groups = 0, 0, set()
        self.log_path = world.path("writer.log")
        self.top = ""  # more lines for the top of the configuration
        self.probes = {}  # name: keys that say how its health is probed
        self.hooks = {}  # keys of mortal
        self.words = []  # with which mortal says that it is ready
        self.names = list(NAMES)
        self.team = False  # also a subsystem with two instances
        self.user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        os.chmod(world.dir, 0o755)
        for name in WITNESSES:
            for kind in ("lock", "starts"):
                write_text(world.path("%s.%s" % (name, kind)), "", 0o666)

    # --- configuration ---

    def sub(self, name, *args, **keys):
        w = self.world
        keys.setdefault("restart_delay_ms", 20)
        return w.sub(name, "--lock", w.path(name + ".lock"), "--starts", w.path(name + ".starts"), *args, **keys)

    def config(self, changed=False, gone=False):
        """CHANGED: what the flow `reload` goes to; GONE: with the subsystem that it removes."""
        w = self.world
        identity = {"user": "nobody"} if self.user else {}
        text = self.top + "[shutdown]\ntimeout_ms = 700\nforce_timeout_ms = 1000\nkill_timeout_ms = 1300\n"
        text += '[logging]\nfile = "%s"\nlevel = "debug"\n' % w.path("own.log")
        text += self.sub("stable", **self.probes.get("stable", {}))
        text += self.sub("mortal", "--print", "up", *self.words, restart="always", nice=3, umask="027", limit_core=0,
                         working_dir="/", environment={"CHANGED": str(changed)}, **identity,
                         **self.probes.get("mortal", {}), **self.hooks)
        text += self.sub("writer", "--line-size", 100, "--wait-for", w.path("go"), "--spew", FIRST,
                         "--wait-for", w.path("go-on"), "--spew", SECOND, log_file=self.log_path,
                         log_max_file_size=4000 if changed else 1500, log_max_files=60)
        if gone:
            text += self.sub("gone")
        if changed:
            text += self.sub("extra")
        if self.team:
            text += w.sub("team", "--lock", w.path("%n.lock"), "--starts", w.path("%n.starts"), instances=2, restart_delay_ms=20)
        return text

    # --- procd ---

    def launch(self, traced, gone=False):
        """Start procd. False: it ended by itself, as one may that cannot do its work."""
        self.launches += 1
        self.ordered_ends += self.p is not None and (self.p.process.poll() or 0) >= 0
        before = self.everyone()
        launcher = self.trace.launcher() if traced and self.trace else ()
        config = self.config(gone=gone) if self.p is None else None
        self.p = Procd(self.world, config, wait=False, launcher=launcher)
        self.world.instances.append(self.p)
        self.p.start()
        if launcher and self.trace.role == "supervisor":
            self.trace.catch(self.p)
        wait_until(lambda: self.p.process.poll() is not None or self.p.rpc_alive(), "procd answers, or ends", PATIENCE)
        code = self.p.process.poll()
        if code is None:
            return True
        if self.was_killed():
            return False
        self.note("the start ended with %d" % code)
        check(code in EXIT_CODES or code == 127 and LOADER in self.text(), "exit code %d" % code)
        equal(self.everyone(), before, "children after a start that failed")
        return False

    # --- deaths ---

    @property
    def deadly(self):
        return getattr(self.trace, "deadly", False)

    def was_killed(self):
        """The keeper, as it was to be."""
        return self.deadly and self.p.process.poll() == -signal.SIGKILL and bool(self.trace.hits())

    def revive(self):
        """A keeper that was killed is followed by a new procd, as somebody would start it."""
        if not self.was_killed():
            return
        self.note("the keeper was killed")
        self.keepers_killed += 1
        self.trace.detach(self.p)
        check(self.launch(False), "procd does not start after the death of its keeper")
        self.supervisor = self.p.supervisor_pid()

    def present_supervisor(self):
        """What has answered may have been the child of a keeper that is killed in this moment."""
        def found():
            return [pid for pid in children_of(self.p.pid) if comm(pid) == "procd-super" and alive(pid)]
        return self.until(found, "the keeper has a supervisor")[0]

    def until(self, probe, what, timeout=PATIENCE):
        """wait_until(), whoever dies meanwhile."""
        return wait_until(lambda: self.revive() or probe(), what, timeout)

    def once(self, name, mark):
        """NAME was started once since it had been started MARK times."""
        if self.deadly:
            equal(len(self.starts(name)) - mark, 1, "starts of " + name)

    def kill(self, pid):
        self.killed.add(pid)
        os.kill(pid, signal.SIGKILL)

    def events(self):
        return [json.loads(line) for line in read_text(self.p.events_path).splitlines()]

    def children_pass(self, started):
        """Each child is counted anew, so the fault would come again at every try: once is enough."""
        if self.trace.role == "child":
            wait_until(lambda: self.trace.hits() or started() or self.p.process.poll() is not None,
                       "a child has reached its fault, or its exec", PATIENCE)
            self.trace.detach(self.p)

    def note(self, text):
        self.consequences.append(text)

    def ctl(self, *args):
        """A verb; a failure is a consequence, and the caller gets to know."""
        result = self.p.ctl(*args, "--timeout", "6s")
        until = time.monotonic() + PATIENCE
        while self.deadly and result.rc == UNREACHABLE and time.monotonic() < until:
            self.note("`procd %s` had to be repeated" % args[0])
            self.revive()
            result = self.p.ctl(*args, "--timeout", "6s")
        check(not self.deadly or result.rc == 0, lambda: str(result))
        if result.rc != 0:
            self.said.append(str(result))
            self.note("`procd %s` ended with %d" % (args[0], result.rc))
        return result.rc == 0

    def text(self):
        """All that procd said."""
        files = [self.p.log_path, self.p.events_path] + glob.glob(self.world.path("own.log*"))
        return "\n".join([read_text(f) for f in files] + self.said)

    # --- witnesses ---

    def starts(self, name):
        return [int(line) for line in read_text(self.world.path(name + ".starts")).split()]

    def living(self, name):
        return [pid for pid in self.starts(name) if alive(pid)]

    def everyone(self):
        return {name: self.living(name) for name in WITNESSES}

    def pid(self, name):
        living = self.living(name)
        equal(len(living), 1, "instances of " + name)
        return living[0]

    def nobody_doubled(self):
        for name in WITNESSES:
            check("DOUBLE" not in read_text(self.world.path(name + ".lock")), name + " ran twice at a time")

    def runs(self, *names):
        """Each of NAMES runs: procd says so, and its witness agrees."""
        last = {}

        def probe():
            try:
                status = self.p.rpc("status.get", {}, timeout=2)
            except (OSError, ValueError):
                return False
            last["status"] = {x["name"]: (x["state"], x["pid"]) for x in status["subsystems"]}
            return all(last["status"].get(n) == ("running", (self.living(n) + [0])[0]) for n in names)

        self.until(probe, lambda: "%s run: %s, witnesses %s" % (names, last.get("status"), self.everyone()))
        self.nobody_doubled()
        if self.user and "mortal" in names:
            self.least_rights(last["status"]["mortal"][1])

    def least_rights(self, pid):
        """Never a run with more rights than it was given."""
        status, fields = read_text("/proc/%d/status" % pid), stat_fields(pid)
        if not status or fields is None:
            return
        equal(fields[16], "3", "nice value of mortal")
        fields = {line.split(":")[0]: line.split(":")[1].split() for line in status.splitlines() if ":" in line}
        equal((set(fields["Uid"]), set(fields["Gid"])), ({str(self.user.pw_uid)}, {str(self.user.pw_gid)}),
              "ids of mortal")

    def lines(self):
        """(lines that the writer's log has, lines that it says it lost)."""
        files = glob.glob(self.log_path + ".*")
        files.sort(key=lambda f: -int(f.rsplit(".", 1)[1]))
        text = "".join(read_text(f) for f in files + [self.log_path])
        got, lost = [], 0
        for line in text.splitlines():
            if line.endswith(" lines lost"):
                lost += int(line.split()[-3])
            else:
                got.append(int(line[:10]))
        return got, lost

    def prints(self, go, count):
        """The writer prints COUNT lines, all of which arrive or are said to be lost."""
        self.lines_wanted += count
        write_text(self.world.path(go), "")
        self.until(lambda: sum((len(self.lines()[0]), self.lines()[1])) >= self.lines_wanted,
                   lambda: "%d lines of writer are there or counted, but: %s" % (self.lines_wanted, self.lines()))
        got, lost = self.lines()
        check(not lost or not self.deadly, "%d lines lost" % lost)
        if lost:
            self.note("%d lines lost" % lost)
        equal(len(got) + lost, self.lines_wanted, "lines that are there, and lines lost")
        numbers = list(range(1, FIRST + 1)) + list(range(1, SECOND + 1))
        at = 0
        for number in got:
            check(number in numbers[at:], "line %d is out of order or doubled: %s" % (number, got))
            at = numbers.index(number, at) + 1

    # --- the last act ---

    def explained(self):
        """No consequence without a word on why; EINTR is never a reason for anything."""
        inject = getattr(self.trace, "what", None)
        if not self.consequences or not self.trace.hits():
            check(not self.consequences, "consequences without a fault: %s" % self.consequences)
            return
        if self.deadly:
            return
        check(inject.errno != "EINTR", "EINTR had consequences: %s" % self.consequences)
        text = self.text()
        meanings = [inject.errno, MEANING[inject.errno], LOADER]
        if inject.errno in ("ENOMEM", "ENOBUFS"):
            meanings.append(MEANING["EAGAIN"])  # what pthread_create() and our own packets make of it
        if getattr(inject, "call", None) == "epoll_ctl":
            meanings.append("cannot watch a descriptor")  # libev does not keep the reason
        check(any(m in text for m in meanings),
              "%s, and nothing says %r" % (self.consequences, MEANING[inject.errno]))

    def finish(self, flow):
        """The fault is gone."""
        self.trace.detach(self.p)
        self.revive()
        if self.p.process.poll() is not None:
            check(self.launch(False), "procd does not start again")
        self.runs(*self.names)
        if any(e.get("error") for e in self.p.read_events()):
            self.note("a start failed")
        self.explained()
        flow.again(self)
        self.runs(*self.names)
        if self.deadly:
            self.every_order()
        self.groups |= account.groups(self)
        self.p.stop(want=0)
        self.nobody_doubled()
        if not self.deadly:
            self.numbered()
            return
        account.told(self, WITNESSES)
        account.numbered(self)
        account.nothing_left(self)

    def every_order(self):
        """Each can be stopped, started and restarted, whatever its past."""
        for file in ("go", "go-on"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.world.path(file))
        for verbs in (["restart"], ["stop", "start"]):
            for verb in verbs:
                self.p.ctl(verb, *self.names).expect(0)
            self.runs(*self.names)

    def numbered(self):
        """Events have each their own number, in order, as long as a keeper lives."""
        seqs = [e["seq"] for e in map(json.loads, read_text(self.p.events_path).splitlines()) if "seq" in e]
        if self.launches == 1:
            equal(len(seqs), len(set(seqs)), "numbers of events that came twice: %s" % seqs)
            equal(seqs, sorted(seqs), "order of the events' numbers")


# --- the flows -------------------------------------------------------------------------------------

def running(s):
    check(s.launch(False), "procd does not start")
    s.runs(*s.names)
    s.before = {name: s.pid(name) for name in s.names}
    s.supervisor = s.p.supervisor_pid()


def untouched(s, *names):
    for name in names:
        equal(s.living(name), [s.before[name]], "pid of " + name)


def same_supervisor(s):
    """Notes it when the supervisor did not live through the flow, and waits for the next."""
    s.revive()
    check(s.p.process.poll() is None, lambda: "the keeper has ended with %s" % s.p.process.returncode)
    s.until(lambda: s.p.rpc_alive(), "a supervisor answers")
    pid = s.present_supervisor()
    if pid != s.supervisor:
        s.note("the supervisor was replaced")
        s.supervisor = pid


def start(s):
    if s.launch(True):
        s.children_pass(lambda: all(s.living(name) for name in NAMES))
        s.runs(*s.names)
        for name in s.names:
            s.once(name, 0)


def crash(s):
    s.trace.attach(s.p)
    crash_mortal(s)


def crash_mortal(s):
    mark = len(s.starts("mortal"))
    s.kill(s.pid("mortal"))
    s.children_pass(lambda: len(s.starts("mortal")) > mark)
    s.until(lambda: len(s.starts("mortal")) > mark, "mortal is started again")
    s.runs(*s.names)
    s.once("mortal", mark)
    same_supervisor(s)
    untouched(s, "stable", "writer")


def stop(s):
    s.trace.attach(s.p)
    stop_and_start(s)


def stop_and_start(s):
    mark = len(s.starts("mortal"))
    if s.ctl("stop", "mortal"):
        equal(s.living("mortal"), [], "mortal after a stop")
    same_supervisor(s)
    if not s.ctl("start", "mortal"):
        same_supervisor(s)
        s.trace.detach(s.p)
        check(s.ctl("start", "mortal"), "start without the fault")
    s.runs(*s.names)
    s.once("mortal", mark)
    untouched(s, "stable", "writer")


def before_reload(s):
    s.names = list(NAMES) + ["gone"]
    check(s.launch(False, gone=True), "procd does not start")
    s.runs(*s.names)
    s.before = {name: s.pid(name) for name in s.names}
    s.supervisor = s.p.supervisor_pid()


def reload(s):
    s.trace.attach(s.p)
    s.p.write(s.config(changed=True))
    after = list(NAMES) + ["extra"]
    if s.ctl("reload-config"):
        same_supervisor(s)
        s.names = after
        s.runs(*after)
    else:
        same_supervisor(s)
        # A supervisor that died after publishing has published; else nothing has changed.
        def configured():
            names = {x["name"] for x in s.p.status()["subsystems"]}
            return names if names in (set(s.names), set(after)) else None
        names = wait_until(configured, "the old configuration or the new one, no half", PATIENCE)
        if names == set(after):
            s.names = after
        s.runs(*s.names)
        if names != set(after):
            untouched(s, *s.names)
        s.trace.detach(s.p)
        check(s.ctl("reload-config"), "reload-config without the fault")
        s.names = after
        s.runs(*after)
    s.until(lambda: not s.living("gone"), "gone is gone")
    s.until(lambda: s.living("mortal") not in ([], [s.before["mortal"]]), "mortal was restarted")
    for name, mark in (("mortal", 1), ("extra", 0)):
        s.once(name, mark)
    untouched(s, "stable", "writer")


def before_scale(s):
    s.team = True
    s.names = list(NAMES + TEAM[:2])
    check(s.launch(False), "procd does not start")
    s.runs(*s.names)
    s.before = {name: s.pid(name) for name in s.names}
    s.supervisor = s.p.supervisor_pid()


def scale(s):
    """Two more, then three fewer; whoever stays keeps its process."""
    s.trace.attach(s.p)
    for n in (4, 1):
        after = list(NAMES + TEAM[:n])
        done = s.ctl("scale", "team", str(n))
        same_supervisor(s)

        def configured():
            try:
                names = {x["name"] for x in s.p.rpc("status.get", {}, timeout=2)["subsystems"]}
            except (OSError, ValueError):
                return None
            # the number ends with the keeper
            return names if names in (set(s.names), set(after), set(NAMES + TEAM[:2])) else None
        names = wait_until(configured, "the old number or the new one", PATIENCE)
        check(not done or names == set(after) or s.deadly, "what was answered is so")
        s.names = [name for name in NAMES + TEAM if name in names]
        s.runs(*s.names)
    s.trace.detach(s.p)
    check(s.ctl("scale", "team", "1"), "scale without the fault")
    s.names = list(NAMES + TEAM[:1])
    s.runs(*s.names)
    s.until(lambda: not any(s.living(name) for name in TEAM[1:]), "the others are gone")
    untouched(s, *s.names)


def scale_again(s):
    check(s.ctl("scale", "team", "2"), "scale back")
    s.names = list(NAMES + TEAM[:2])
    s.runs(*s.names)


def reload_again(s):
    s.p.write(s.config())
    check(s.ctl("reload-config"), "reload-config back")
    s.names = list(NAMES)
    s.runs(*s.names)


def rotate(s):
    s.trace.attach(s.p)
    s.prints("go", FIRST)
    s.ctl("reopen-logs")
    same_supervisor(s)
    untouched(s, *s.names)


def rotate_again(s):
    s.prints("go-on", SECOND)
    check(s.ctl("reopen-logs"), "reopen-logs")
    check(s.ctl("logs", "writer"), "logs")


def recover(s):
    if s.trace.role == "supervisor":
        s.trace.expect_supervisor(s.p)
    else:
        s.trace.attach(s.p)
    mark = len(s.starts("mortal"))
    os.kill(s.supervisor, signal.SIGSTOP)
    s.kill(s.pid("mortal"))
    os.kill(s.supervisor, signal.SIGKILL)
    if s.trace.role == "supervisor":
        s.trace.catch(s.p)
    s.children_pass(s.p.rpc_alive)
    s.until(lambda: s.p.rpc_alive() or s.p.process.poll() is not None, "a supervisor answers")
    s.revive()
    check(s.p.process.poll() is None, lambda: "the keeper has ended with %s" % s.p.process.returncode)
    s.until(lambda: len(s.starts("mortal")) > mark, "mortal is started again")
    s.runs(*s.names)
    s.once("mortal", mark)
    untouched(s, "stable", "writer")
    s.supervisor = s.present_supervisor()
    if s.trace.caught not in (0, s.supervisor):
        s.note("the supervisor was replaced")


def recover_both(s):
    os.kill(s.p.pid, signal.SIGKILL)
    s.p.wait_end()
    wait_until(lambda: not alive(s.supervisor), "the supervisor ends with its keeper")
    s.launch(True)
    untouched(s, *s.names)
    if s.p.process.poll() is None:
        s.runs(*s.names)
        untouched(s, *s.names)


def recover_both_again(s):
    untouched(s, *s.names)
    check(s.ctl("restart", "mortal"), "restart of an adopted one")


def listening(s):
    with socket.create_server(("127.0.0.1", 0)) as free:
        s.port = free.getsockname()[1]
    s.probes = {"mortal": {"listen": ["tcp:127.0.0.1:%d" % s.port]}}
    running(s)


def connects(s):
    try:
        socket.create_connection(("127.0.0.1", s.port), timeout=PATIENCE).close()
        return True
    except ConnectionRefusedError:
        return False


def recover_sockets(s):
    """Mortal alone has its socket still, until the new keeper has a copy."""
    recover_both(s)
    if s.p.process.poll() is None and not s.deadly:
        waits_at_the_door(s)


def waits_at_the_door(s):
    """Nobody is refused while mortal is down, unless its socket could not be had."""
    untouched(s, "stable", "writer")
    check(connects(s), "mortal is not connected to")
    check(s.ctl("stop", "mortal") or s.ctl("stop", "mortal"), "stop of mortal")
    if not connects(s):
        s.note("its socket could not be had")
        check("bound anew" in s.text(), "a connection is refused, and nothing says why")
    check(s.ctl("start", "mortal") or s.ctl("start", "mortal"), "start of mortal")
    s.runs("mortal")
    check(connects(s), "mortal is not connected to after its start")


def upgrade(s):
    s.trace.attach(s.p)
    go_on_with_another(s)


def upgrade_new(s):
    """The same, with eyes on the successor."""
    s.trace.expect_supervisor(s.p)
    go_on_with_another(s)


def upgrade_keeper(s):
    s.trace.attach(s.p)
    go_on_with_another(s, "--keeper")


def go_on_with_another(s, *args):
    """Whether it works or the old one goes on, no child notices. (The verb waits, so it has a thread.)"""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(s.p.ctl, "upgrade", "--timeout", "12s", *args)
        if s.trace.stopper:
            s.trace.catch(s.p)
        s.children_pass(answer.done)
        s.until(answer.done, "`procd upgrade` ends", 30)
        result = answer.result()
    if result.rc != 0:
        s.said.append(str(result))
        s.note("`procd upgrade` ended with %d" % result.rc)
    s.revive()
    check(s.p.process.poll() is None, lambda: "the keeper has ended with %s" % s.p.process.returncode)
    s.until(lambda: s.p.rpc_alive(), "a supervisor answers")
    s.runs(*s.names)
    untouched(s, *s.names)
    s.supervisor = s.present_supervisor()


def upgrade_again(s):
    # one whose answer was lost may be under way still
    results = []
    wait_until(lambda: results.append(s.p.ctl("upgrade")) or results[-1].rc == 0,
               lambda: "an upgrade without the fault: %s" % results[-1], PATIENCE)
    untouched(s, *s.names)


def probed(s):
    """stable is asked through a socket, mortal by a command. One probe that fails is no illness."""
    s.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    write_text(s.world.path("ok"), "", 0o644)
    often = {"health_interval_ms": 100, "health_timeout_ms": 2000}
    s.probes = {"stable": dict(often, health="tcp:127.0.0.1:%d" % s.listener.getsockname()[1]),
                "mortal": dict(often, health="command:test -e " + s.world.path("ok"))}
    running(s)
    healthy(s)


def healthy(s):
    """All that are probed."""
    def probe():
        result = s.p.ctl("status", "--json", *s.probes)
        return result.rc == 0 and all(x["health"] == "healthy" for x in result.json()["subsystems"])
    s.until(probe, "what is probed is healthy")


def health(s):
    s.trace.attach(s.p)
    health_again(s)


def health_again(s):
    mark = len(s.starts("mortal"))
    os.unlink(s.world.path("ok"))
    s.children_pass(lambda: len(s.starts("mortal")) > mark)
    s.until(lambda: len(s.starts("mortal")) > mark, "mortal is started again")
    write_text(s.world.path("ok"), "", 0o644)
    same_supervisor(s)
    healthy(s)
    s.runs(*s.names)
    untouched(s, "stable", "writer")


def talking(s):
    """mortal says that it is ready through a descriptor, and more through its socket."""
    s.probes = {"mortal": {"ready": "fd:3", "watchdog": "1h", "start_timeout": "1h"}}
    s.words = ["--fd", 3, "--print", "", "--fd", 1, "--notify", "STATUS=well"]
    running(s)


def ready(s):
    s.trace.attach(s.p)
    ready_again(s)


def ready_again(s):
    stop_and_start(s)
    s.runs("mortal")


def hooked(s):
    """mortal has a command before it, one after it, and one that stops it; each leaves a line per run."""
    def line(kind, more=""):
        write_text(s.world.path("mortal." + kind), "", 0o666)
        return ["/bin/sh", "-c", "echo $$$$ >> %s%s" % (s.world.path("mortal." + kind), more)]
    s.hooks = {"pre_start": line("pre"), "post_stop": line("post"), "hook_timeout": 5,
               "stop_command": line("asked", "; kill -TERM $MAINPID")}
    running(s)


def runs_of_hooks(s):
    return [len(read_text(s.world.path("mortal." + kind)).splitlines()) for kind in ("pre", "post", "asked")]


def hooks(s):
    s.trace.attach(s.p)
    hooks_again(s)


def hooks_again(s):
    before, keepers, mark = runs_of_hooks(s), s.keepers_killed, len(s.starts("mortal"))
    stop_and_start(s)
    pre, post, asked = (b - a for a, b in zip(before, runs_of_hooks(s)))
    check(pre >= len(s.starts("mortal")) - mark, "started without pre_start")
    check(post <= 1 and asked <= 1, lambda: "post_stop ran %d times, stop_command %d times" % (post, asked))
    if s.deadly:
        equal((post, asked), (1, 1), "runs of post_stop and stop_command")
        check(pre == 1 or s.keepers_killed > keepers, lambda: "pre_start ran %d times" % pre)


def confined(s):
    """mortal has every key that confines it; what it may do is looked at whenever it runs."""
    secret = write_text(s.world.path("secret"), "hidden", 0o600)
    s.probes = {"mortal": {"capabilities": [], "ambient_capabilities": [], "no_new_privileges": True,
                           "protect_system": "full", "seccomp": "default", "credentials": "s=" + secret}}
    running(s)
    still_confined(s)


def still_confined(s):
    pid = s.pid("mortal")
    status = dict(line.split(":\t", 1) for line in read_text("/proc/%d/status" % pid).splitlines() if ":\t" in line)
    equal([int(status[k], 16) for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")], [0] * 5, "its capabilities")
    equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), "no_new_privs, and the mode of seccomp")
    check(os.statvfs("/proc/%d/root/etc" % pid).f_flag & os.ST_RDONLY, "/etc is writable for it")
    place = "/proc/%d/root/run/credentials" % pid
    equal(read_text(place + "/s"), "hidden", "its credential")
    check(os.statvfs(place).f_flag & os.ST_RDONLY, "its credentials are writable")
    equal(os.stat(place + "/s").st_uid, s.user.pw_uid, "whose its credential is")


def confine(s):
    s.trace.attach(s.p)
    confine_again(s)


def confine_again(s):
    crash_mortal(s)
    still_confined(s)


def watched(s):
    """mortal is restarted when a file changes."""
    write_text(s.world.path("watched"), "", 0o644)
    s.hooks = {"watch": [s.world.path("watched")]}
    running(s)


def watch(s):
    s.trace.attach(s.p)
    watch_again(s)


def watch_again(s):
    mark = len(s.starts("mortal"))
    write_text(s.world.path("watched"), "changed after %d starts" % mark, 0o644)
    s.children_pass(lambda: len(s.starts("mortal")) > mark)
    s.until(lambda: len(s.starts("mortal")) > mark, "mortal is started again")
    same_supervisor(s)
    s.runs(*s.names)
    untouched(s, "stable", "writer")


def shutdown(s):
    s.groups = account.groups(s)
    s.trace.attach(s.p)
    os.kill(s.p.pid, signal.SIGTERM)
    code = s.p.wait_end(SHUTDOWN_S + 3)
    if s.was_killed():
        return
    check(code == 0 or not s.deadly, "exit code %d" % code)
    check(code in (0, 1, 3), "exit code %d" % code)
    if code != 0:
        s.note("the shutdown ended with %d" % code)
    s.p.nothing_left()
    if s.deadly:
        account.nothing_left(s)
    equal([n for n in NAMES if s.living(n)], [], "children after the end")


def nothing(_s):
    pass


class Flow:
    def __init__(self, title, roles, prepare, act, again):
        self.title, self.roles, self.prepare, self.act, self.again = title, roles, prepare, act, again

    def run(self, scene):
        self.prepare(scene)
        self.act(scene)
        scene.finish(self)


BOTH = ("keeper", "supervisor")
ALL = ("keeper", "child", "supervisor")

FLOWS = {
    "start": Flow("procd starts, and its subsystems", ALL, nothing, start, nothing),
    "crash": Flow("a child dies and is started again", ALL, running, crash, crash_mortal),
    "stop": Flow("stop and start of one", BOTH, running, stop, stop_and_start),
    "reload": Flow("one added, one removed, one restarted, one updated", BOTH, before_reload, reload, reload_again),
    "scale": Flow("instances come and go", BOTH, before_scale, scale, scale_again),
    "rotate": Flow("log files are rotated and reopened", ("supervisor",), running, rotate, rotate_again),
    "recover": Flow("the supervisor is killed", ALL, running, recover, crash_mortal),
    "recover-both": Flow("keeper and supervisor are killed", BOTH, running, recover_both, recover_both_again),
    "recover-sockets": Flow("the same, and one listens", BOTH, listening, recover_sockets, waits_at_the_door),
    "upgrade": Flow("procd upgrade: the old supervisor, and the keeper", ALL, running, upgrade, upgrade_again),
    "upgrade-new": Flow("procd upgrade: the new supervisor", ("supervisor",), running, upgrade_new, upgrade_again),
    "upgrade-keeper": Flow("procd upgrade --keeper", ("keeper",), running, upgrade_keeper, upgrade_again),
    "health": Flow("health probes, and the restart of an unhealthy one", ALL, probed, health, health_again),
    "hooks": Flow("stop and start of one with hooks", BOTH, hooked, hooks, hooks_again),
    "confine": Flow("a child that is confined dies and is started again", ("child",), confined, confine,
                    confine_again),
    "watch": Flow("a watched file changes", BOTH, watched, watch, watch_again),
    "ready": Flow("stop and start of one that says when it is ready", ALL, talking, ready, ready_again),
    "shutdown": Flow("SIGTERM", BOTH, running, shutdown, nothing),
}
