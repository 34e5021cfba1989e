"""restart --rolling: one instance after another, each waiting for ready (interface 4; issue 4 point 4)."""

import os
import signal
import threading

from harness import *


def names(base, n, first=0):
    return ["%s@%d" % (base, i) for i in range(first, first + n)]


def pids_of(p):
    return {s["name"]: s["pid"] for s in p.status()["subsystems"]}


def told(p, after, *states):
    """[(name, state)] of the state changes since AFTER."""
    return [(e["name"], e["state"]) for e in p.find_events(after, type="state_changed") if not states or e["state"] in states]


def soon(get, want, what):
    """The sink writes events a moment after the answer."""
    wait_until(lambda: get() == want, lambda: "%s: got %r, want %r" % (what, get(), want))


def gated(w, n=3, **keys):
    """A procd whose workers are ready once a file GATE-i is there; all are."""
    for i in range(n):
        write_text(w.path("gate-%d" % i), "")
    p = w.procd(w.sub("worker", "--wait-for", w.path("gate-%i"), "--notify", "READY=1", instances=n, ready="notify", **keys))
    for name in names("worker", n):
        p.wait_state(name, "running")
    return p


class Rolling(threading.Thread):
    def __init__(self, p, *args):
        super().__init__()
        self.p, self.args = p, args
        self.start()

    def run(self):
        self.result = self.p.ctl("restart", "--rolling", *self.args, timeout=60)

    def end(self, code=0):
        self.join(60)
        check(not self.is_alive(), "restart --rolling has ended")
        return self.result.expect(code)


def test_one_after_the_other_and_never_two_down(w):
    p = w.procd(w.sub("worker", instances=5) + w.sub("web", depends_on=["worker"]))
    p.wait_state("web", "running")
    before, mark = pids_of(p), p.mark_now()
    r = p.ctl("restart", "--rolling", "worker").expect(0)
    equal(r.out, "".join("%s: restarted\n" % n for n in names("worker", 5)), "output")
    soon(lambda: told(p, mark), [(n, s) for n in names("worker", 5) for s in ("stopping", "stopped", "starting", "running")], "order")
    after = pids_of(p)
    equal([n for n in after if after[n] == before[n]], ["web"], "who kept its process")
    equal({p.of(n)["restart_count"] for n in names("worker", 5)}, {0}, "restarts by order are not counted")
    p.stop()


def test_the_next_waits_until_the_one_before_is_ready(w):
    p = gated(w)
    before, mark = pids_of(p), p.mark_now()
    for i in (0, 2):
        os.unlink(w.path("gate-%d" % i))
    rolling = Rolling(p, "worker")
    p.wait_state("worker@0", "starting", after=mark)
    p.ctl("wait", "worker@1", "--for", "stopping", "--timeout", "300ms").expect(124)
    equal({n: q for n, q in pids_of(p).items() if n != "worker@0"}, {n: before[n] for n in names("worker", 2, 1)}, "the others")
    write_text(w.path("gate-0"), "")
    p.wait_state("worker@2", "starting", after=mark)
    check(rolling.is_alive(), "it waits for the last one, too")
    equal([p.of(n)["ready"] for n in names("worker", 3)], [True, True, False], "ready")
    write_text(w.path("gate-2"), "")
    rolling.end()
    soon(lambda: told(p, mark, "stopping", "running"), [(n, s) for n in names("worker", 3) for s in ("stopping", "running")], "order")
    p.stop()


def test_one_that_does_not_come_back_ends_it(w):
    p = gated(w, start_timeout="300ms", restart="never")
    before = pids_of(p)
    os.unlink(w.path("gate-1"))
    r = Rolling(p, "worker").end(1)
    contains(r.err, "worker@1", "stderr")
    contains(r.err, "(1 more was not restarted)", "stderr")
    now = pids_of(p)
    equal((now["worker@0"] != before["worker@0"], now["worker@1"], now["worker@2"]), (True, None, before["worker@2"]), "pids")
    equal(p.of("worker@1")["state"], "failed", "state")
    j = p.ctl("restart", "--rolling", "worker", "--json").expect(1).json()
    contains(j["error"]["message"], "worker@1", "error")
    write_text(w.path("gate-1"), "")
    Rolling(p, "worker").end()
    equal({s["state"] for s in p.status()["subsystems"]}, {"running"}, "again, with all")
    p.stop()


def test_names_globs_groups_and_single_ones(w):
    p = w.procd(w.sub("wa", instances=2, groups=["g"]) + w.sub("wb", instances=2, groups=["g"]) + w.sub("plain"))
    p.wait_state("plain", "running")
    for target, want in [("wa", names("wa", 2)), ("@g", names("wa", 2) + names("wb", 2)), ("w?@1", ["wa@1", "wb@1"]), ("plain", ["plain"]),
                         ("all", names("wa", 2) + names("wb", 2) + ["plain"])]:
        mark = p.mark_now()
        p.ctl("restart", "--rolling", target).expect(0)
        soon(lambda: told(p, mark, "stopping", "running"), [(n, s) for n in want for s in ("stopping", "running")], target)
    mark = p.mark_now()
    p.ctl("restart", "--rolling", "nobody").expect(4)
    p.ctl("stop", "--rolling", "wa").expect(64)
    contains(p.connect().request("subsystem.restart", {"names": ["wa"], "rolling": 1})["error"]["message"], "true or false", "rolling")
    p.mark_now()
    equal(told(p, mark), [], "nothing happened")
    p.stop()


def test_one_that_is_down_is_started_and_one_that_is_bound_follows(w):
    p = w.procd(w.sub("worker", instances=2) + w.sub("bound", binds_to=["worker@1"]))
    p.wait_state("bound", "running")
    p.ctl("stop", "worker@0").expect(0)
    mark = p.mark_now()
    p.ctl("restart", "--rolling", "worker").expect(0)
    p.wait_state("bound", "running", after=mark)
    soon(lambda: [(n, s) for n, s in told(p, mark, "starting", "stopping") if n != "bound"],
         [("worker@0", "starting"), ("worker@1", "stopping"), ("worker@1", "starting")], "workers")
    p.stop()


def test_the_action_goes_on_without_its_client(w):
    p = gated(w)
    for args, code in ((("--timeout", "100ms"), 124), (("--no-wait",), 0)):
        before = pids_of(p)
        os.unlink(w.path("gate-0"))
        p.ctl("restart", "--rolling", "worker", *args).expect(code)
        write_text(w.path("gate-0"), "")
        wait_until(lambda: p.status()["stats"]["running"] == 3 and not set(before.values()) & set(pids_of(p).values()), "all are new")
    p.stop()


def test_a_reload_or_a_scale_in_the_middle(w):
    p = gated(w, 3)
    mark = p.mark_now()
    os.unlink(w.path("gate-0"))
    rolling = Rolling(p, "worker")
    p.wait_state("worker@0", "starting", after=mark)
    p.ctl("scale", "worker", "2").expect(0)
    write_text(w.path("gate-0"), "")
    rolling.end()
    soon(lambda: told(p, mark, "starting"), [("worker@0", "starting"), ("worker@1", "starting")], "those that are left")
    p.stop()


def test_the_end_of_the_supervisor_or_of_all_ends_it(w):
    p = gated(w)
    before, mark = pids_of(p), p.mark_now()
    os.unlink(w.path("gate-0"))
    rolling = Rolling(p, "worker")
    p.wait_state("worker@0", "starting", after=mark)
    p.kill_supervisor()
    rolling.end(5)
    write_text(w.path("gate-0"), "")
    p.wait_state("worker@0", "running", after=mark)
    equal({n: pids_of(p)[n] for n in names("worker", 2, 1)}, {n: before[n] for n in names("worker", 2, 1)}, "those that were left")
    mark = p.mark_now()
    os.unlink(w.path("gate-0"))
    rolling = Rolling(p, "worker")
    p.wait_state("worker@0", "starting", after=mark)
    os.kill(p.pid, signal.SIGTERM)
    contains(rolling.end(1).err, "procd shuts down", "stderr")
    equal(p.wait_end(), 0, "exit code")
