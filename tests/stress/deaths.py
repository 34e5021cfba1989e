#!/usr/bin/env python3
"""Kill procd again and again under a mixed load, and let witnesses count: tests/stress/deaths.py BUILD

  --supervisor N   kill -9 of the supervisor, N times [20]
  --both N         kill -9 of keeper and supervisor, started again at once, N times [10]
  --seed S         of the moments

The witnesses are the children: each start appends its pid to a file, each holds a lock that a second
instance would find taken, each writer numbers its lines, and each of those that end does so with a
status that belongs to it. Procd's events are held against that: a start that no event tells or that
two tell, two instances at a time, an end without a status, a line or an event number that is missing
or comes twice, each is a finding. Only an end while no keeper was there may be unknown: those are
counted, and no event may invent a status for them. Exit code 0: no finding.
"""

import argparse
import collections
import os
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "blackbox"))
sys.dont_write_bytecode = True
from harness import *  # noqa: E402

ENDS = {"loop%d" % i: (10 + i, None) for i in range(5)}
ENDS.update({"die0": (None, "SIGSEGV"), "die1": (None, "SIGKILL"), "once0": (0, None), "once1": (3, None)})
SLEEPERS = ["sleep%d" % i for i in range(8)]
WRITERS = ["write%d" % i for i in range(4)]
NAMES = SLEEPERS + WRITERS + list(ENDS)


def load(w):
    def one(name, *steps, **keys):
        return w.sub(name, "--lock", w.path(name + ".lock"), "--starts", w.path(name + ".starts"), *steps, **keys)

    text = "".join(one(n) for n in SLEEPERS)
    text += "".join(one(n, "--line-size", 40, "--spew", "0/%d" % (100 + 150 * i), log_file=w.path(n + ".log"))
                    for i, n in enumerate(WRITERS))
    often = {"restart": "always", "restart_delay_ms": 30, "restart_max_delay_ms": 60}
    for i in range(5):
        text += one("loop%d" % i, "--sleep", 15 + 35 * i, "--exit", 10 + i, **often)
    text += one("die0", "--sleep", 45, "--die", "SEGV", limit_core=0, **often)
    text += one("die1", "--sleep", 70, "--die", "KILL", **often)
    text += one("once0", "--sleep", 25, "--exit", 0, type="oneshot", **often)
    text += one("once1", "--sleep", 10, "--exit", 3, type="oneshot", **often)
    return text


class Findings:
    def __init__(self):
        self.n = collections.Counter()
        self.examples = {}

    def add(self, kind, text):
        self.n[kind] += 1
        self.examples.setdefault(kind, text)


def is_end(e):
    return e["prev"] in ("starting", "running", "stopping") and e["state"] in ("failed", "stopped")


def compare(w, events, found, tally, absent):
    """ABSENT: spans of monotonic time in which no keeper was there."""
    started = {n: [int(x) for x in read_text(w.path(n + ".starts")).split()] for n in NAMES}
    for n in NAMES:
        if read_text(w.path(n + ".lock")):
            found.add("two instances", "%s: %s" % (n, read_text(w.path(n + ".lock"))))
        told, ends = collections.Counter(), collections.defaultdict(list)
        for e in events:
            if e["type"] != "state_changed" or e["name"] != n:
                continue
            if e["state"] == "running" and e["reason"] != "adopted":
                told[e["pid"]] += 1
            if is_end(e) and e["pid"] is not None:
                ends[e["pid"]].append(e)
        starts = collections.Counter(started[n])
        tally["starts"] += len(started[n])
        for pid in starts:
            # One whose end fell into the keeper's absence may never have been seen to run.
            seen = max(told[pid], len(ends[pid]))
            if seen < starts[pid]:
                found.add("start not told", "%s pid %d" % (n, pid))
            if told[pid] > starts[pid]:
                found.add("start told twice", "%s pid %d" % (n, pid))
        for pid in set(told) - set(starts):
            # One that was asked to end may not have come as far as its witness.
            if not any(e["signal"] == "SIGTERM" and e["reason"] in ("request", "shutdown") for e in ends[pid]):
                found.add("start that was none", "%s pid %d" % (n, pid))
        if n not in ENDS:
            continue
        for pid in starts:
            if len(ends[pid]) != starts[pid]:
                found.add("end told %s" % ("twice" if ends[pid] else "never"), "%s pid %d" % (n, pid))
            for e in ends[pid]:
                judge_end(n, e, found, tally, absent)
    for n in SLEEPERS + WRITERS:
        if len(started[n]) != 1:
            found.add("a stable one was started again", "%s: %d times" % (n, len(started[n])))


def judge_end(name, e, found, tally, absent):
    got = (e["exit_code"], e["signal"])
    tally["ends"] += 1
    if got == ENDS[name] or (e["reason"] == "shutdown" or e["prev"] == "stopping"):
        tally["statuses"] += 1
    elif got != (None, None):
        found.add("an invented status", "%s: %r" % (name, e))
    elif absent:
        tally["unknown"] += 1
    else:
        found.add("status lost", "%s: %r" % (name, e))


def compare_lines(w, found, tally):
    for n in WRITERS:
        data = read_bytes(w.path(n + ".log"))
        got = [int(line[:10]) for line in data.splitlines()[:-1] if line[:10].isdigit()]
        tally["lines"] += len(got)
        for a, b in zip(got, got[1:]):
            if b > a + 1:
                found.add("lines lost", "%s: %d after %d" % (n, b, a))
            elif b <= a:
                found.add("line twice", "%s: %d after %d" % (n, b, a))


def compare_numbers(events, found):
    seqs = [e["seq"] for e in events]
    for a, b in zip(seqs, seqs[1:]):
        if b > a + 1:
            found.add("event number missing", "%d after %d" % (b, a))
        elif b <= a:
            found.add("event number twice", "%d after %d" % (b, a))


def kill_supervisor(w, p, dice):
    time.sleep(dice.uniform(0, 0.12))
    old = p.supervisor_pid()
    os.kill(old, signal.SIGKILL)
    p.supervisor_pid(other_than=old, timeout=30)
    return p


def kill_both(w, p, dice, config):
    time.sleep(dice.uniform(0, 0.12))
    supervisor = p.supervisor_pid(timeout=30)
    os.kill(p.pid, signal.SIGKILL)
    try_kill(supervisor, signal.SIGKILL)
    p.wait_end()
    w.instances.remove(p)
    q = w.procd(config, wait=False)
    return q


def round_of(build, what, count, seed):
    w = World(build)
    found, tally, dice = Findings(), collections.Counter(), random.Random(seed)
    began = time.monotonic()
    try:
        config = load(w)
        p = w.procd(config)
        for n in SLEEPERS + WRITERS:
            p.wait_state(n, "running")
        pids_ = {n: p.pid_of(n) for n in SLEEPERS + WRITERS}
        for i in range(count):
            p = kill_supervisor(w, p, dice) if what == "supervisor" else kill_both(w, p, dice, config)
        p.wait_up(30)
        wait_until(lambda: {p.of(n)["state"] for n in SLEEPERS + WRITERS} == {"running"}, "the stable ones run", 30)
        for n, pid in pids_.items():
            if p.pid_of(n) != pid:
                found.add("another pid", "%s: %s, was %d" % (n, p.pid_of(n), pid))
        p.ctl("stop", "all", timeout=60).expect(0)
        p.stop(timeout=60)
        events = p.read_events()
        compare(w, events, found, tally, what == "both")
        compare_lines(w, found, tally)
        compare_numbers(events, found)
        if found.n:
            keep = "/tmp/stress-%s-%s" % (what, w.id)
            os.makedirs(keep)
            for name in os.listdir(w.dir):
                if os.path.isfile(w.path(name)):
                    with open(os.path.join(keep, name), "wb") as f:
                        f.write(read_bytes(w.path(name)))
            print("  kept in " + keep)
    finally:
        w.clean()
    print("%s: %d kills in %.0f s, %d starts, %d ends, %d with their status, %d unknown, %d lines; %s" % (
        what, count, time.monotonic() - began, tally["starts"], tally["ends"], tally["statuses"], tally["unknown"],
        tally["lines"], "no finding" if not found.n else "FINDINGS"))
    for kind, n in sorted(found.n.items()):
        print("  %s: %d, such as %s" % (kind, n, found.examples[kind][:600]))
    sys.stdout.flush()
    return not found.n


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--supervisor", type=int, default=20, metavar="N")
    parser.add_argument("--both", type=int, default=10, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    become_init()
    fine = True
    if args.supervisor:
        fine &= round_of(args.build, "supervisor", args.supervisor, args.seed)
    if args.both:
        fine &= round_of(args.build, "both", args.both, args.seed)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
