"""The sweep: which calls do the flows make, and what happens when one of them fails?

A death is one more errno, KILL: the process is killed where it would have made the call.

First each flow is recorded once for each role. Then each call that was seen is made to fail, with
each errno that is plausible for it, at representative places: the first and the last time, and
where it is used for something else than before (other paths, other flags). With --all: each time.
"""

import random
import sys
import time

import pool
from errnos import EXCLUDED, EXCLUDED_USES, MEANING, PLAUSIBLE, excluded, plausible
from flows import FLOWS, Scene
from harness import Failure
from strace import KILL, Inject, Kill, Record, Trace

MOST_PLACES = 6


def record(world, flow, role):
    trace = Trace(world, role, Record())
    scene = Scene(world, trace)
    try:
        FLOWS[flow].run(scene)
    finally:
        if scene.p:
            trace.detach(scene.p)
    return {"calls": trace.calls()}


def case(world, flow, role, call, n, errno):
    """One call fails once. Its answer: was it reached, and which consequences had it."""
    trace = Trace(world, role, Kill(call, n) if errno == KILL else Inject(call, n, errno))
    scene = Scene(world, trace)
    try:
        FLOWS[flow].run(scene)
    except Failure as e:
        e.hits = trace.hits()
        if errno == KILL:
            raise
        # Strace that is told to leave in the middle of its work makes the call unknown; and what came
        # at this place may be another use this time.
        if errno != "ENOSYS" and MEANING["ENOSYS"] in scene.text() or \
                any(excluded(*hit) for hit in trace.signatures()):
            return {"hits": [], "consequences": []}
        raise
    finally:
        if scene.p:
            trace.detach(scene.p)
    return {"hits": trace.hits(), "consequences": scene.consequences}


def case_name(flow, role, call, n, errno):
    return "%s/%s/%s/%d/%s" % (flow, role, call, n, errno)


def after_loading(calls):
    """[(thread, call, signature, is it procd's own?)]. Not its own is what the dynamic loader does from
    an exec to the first munmap() (of its cache): its failures are an exit code of 127 and its own line."""
    first, loaded, out = calls[0][0] if calls else "", True, []
    for thread, call, sig in calls:
        if thread == first and call == "munmap":
            break
        if thread == first and "ld.so.cache" in sig:
            loaded = False  # recorded from behind an exec on
    for thread, call, sig in calls:
        if thread == first:
            loaded = call not in ("execve", "execveat") and (loaded or call == "munmap")
        out.append((thread, call, sig, loaded or thread != first))
    return out


def numbers(uses, wanted):
    """The numbers that the WANTED ones of USES have in their thread."""
    per_thread = {}
    for use in uses:
        per_thread[use[0]] = per_thread.get(use[0], 0) + 1
        if wanted(use):
            yield per_thread[use[0]]


def places(call, uses, everything):
    """USES: [(thread, signature, ours)] of one call. {N: signature} of the places where it is to fail."""
    per_thread, seen, first, every = {}, set(), {}, {}
    loading = max([n for n in numbers(uses, lambda use: not use[2])] or [0])
    for thread, sig, ours in uses:
        n = per_thread[thread] = per_thread.get(thread, 0) + 1
        if n <= loading or excluded(call, sig):
            continue
        every.setdefault(n, sig)
        if sig not in seen:
            seen.add(sig)
            first.setdefault(n, sig)
    if everything or not every:
        return every
    wanted = sorted(first)
    if len(wanted) > MOST_PLACES:
        step = (len(wanted) - 1) / (MOST_PLACES - 1)
        wanted = [wanted[round(i * step)] for i in range(MOST_PLACES)]
    return {n: every[n] for n in wanted + [min(every), max(every)]}


def last_words(calls, everything):
    """CALLS: {call: uses} of one role. [(call, N)] of the places where it is to be killed: where a use
    of a call comes for the first time; or at each call that it makes."""
    found = set()
    for call, uses in calls.items():
        per_thread, seen = {}, set()
        loading = max([n for n in numbers(uses, lambda use: not use[2])] or [0])
        for thread, sig, _ in uses:
            n = per_thread[thread] = per_thread.get(thread, 0) + 1
            if n > loading and (everything or sig not in seen):
                seen.add(sig)
                found.add((call, n))
    return sorted(found)


class Sweep:
    def __init__(self, args):
        self.args = args
        self.recorded = {}  # (flow, role) -> {call: [(thread, signature)]}
        self.holes, self.failed, self.unreached = [], [], []
        self.results = {}  # (flow, role, call) -> {(role:thread, n)}
        self.counts = {"ok": 0, "consequence": 0}
        self.seen_consequences = {}

    # --- first part ---

    def record_all(self):
        pairs = [(f, r) for f in FLOWS for r in FLOWS[f].roles if self.args.selects(f, r)]

        def done(name, answer, seconds):
            if answer["failure"]:
                self.failed.append(name)
                print("FAIL %s (%.1f s)\n  %s\n" % (name, seconds, answer["failure"].replace("\n", "\n  ")))
            calls = self.recorded[tuple(name.split("/")[1:])] = {}
            for thread, call, sig, ours in after_loading(answer.get("calls", [])):
                calls.setdefault(call, []).append((thread, sig, ours))

        pool.run(self.args.build, self.args.jobs, [("record/%s/%s" % p, record, p) for p in pairs], done)

    def split(self):
        """((flow, role), {call: uses}); threads that have a name each for itself."""
        for (flow, role), calls in sorted(self.recorded.items()):
            named = {u[0] for uses in calls.values() for u in uses if u[0] and not u[0].isdigit()}
            for thread in sorted(named):
                yield flow, role + ":" + thread, {c: [u for u in uses if u[0] == thread] for c, uses in calls.items()}
            if not named:
                yield flow, role, calls

    def deaths(self):
        for flow, role, calls in self.split():
            if role != "child" and self.args.errno in (None, KILL):
                for call, n in last_words(calls, self.args.all):
                    if not self.args.call or call == self.args.call:
                        yield flow, role, call, n, KILL

    def cases(self):
        yield from self.deaths()
        for flow, role, calls in self.split():
            for call, uses in sorted(calls.items()):
                if call in EXCLUDED or (self.args.call and call != self.args.call):
                    continue
                if not uses:
                    continue
                if call not in PLAUSIBLE:
                    self.holes.append("%s/%s/%s" % (flow, role, call))
                    continue
                for n, sig in sorted(places(call, uses, self.args.all).items()):
                    for errno in plausible(call, sig):
                        if not self.args.errno or errno == self.args.errno:
                            yield flow, role, call, n, errno

    def by_role(self, flow, role, call):
        return [calls[call] for f, r, calls in self.split()
                if f == flow and r.partition(":")[0] == role and calls.get(call)]

    # --- second part ---

    def done(self, name, answer, seconds):
        if answer.get("skip"):
            print("skip %s: %s" % (name, answer["skip"]), flush=True)
            return
        if answer["failure"]:
            self.failed.append(name)
            hits = "".join("\n  hit: " + h for h in answer.get("hits", []))
            print("FAIL %s (%.1f s)%s\n  %s\n" % (name, seconds, hits, answer["failure"].replace("\n", "\n  ")),
                  flush=True)
        elif not answer["hits"]:
            self.unreached.append(name)
        else:
            self.counts["consequence" if answer["consequences"] else "ok"] += 1
            for text in answer["consequences"]:
                self.seen_consequences.setdefault(text, []).append(name)
            if self.args.verbose:
                print("ok   %s (%.1f s) %s" % (name, seconds, "; ".join(answer["consequences"])), flush=True)
        if name.count("/") == 4 and (answer["failure"] or answer["hits"]):
            flow, role, call, n, _ = name.split("/")
            self.results.setdefault((flow, role.partition(":")[0], call), set()).add((role, n))

    def run(self):
        self.record_all()
        todo = list(self.cases())
        until = None
        if self.args.seconds:
            seed = self.args.seed if self.args.seed is not None else random.randrange(1 << 31)
            print("a random sample of %d cases for %g s, --seed %d" % (len(todo), self.args.seconds, seed))
            random.Random(seed).shuffle(todo)
            until = time.monotonic() + self.args.seconds
        if self.args.list:
            print("\n".join(case_name(*c) for c in todo))
            return 0
        named = [(case_name(*c), case, c) for c in todo]
        pool.run(self.args.build, self.args.jobs, named, self.done, self.args.keep, until)
        if not until:
            self.nearer({name for name, _, _ in named})
        self.table(sys.stdout)
        return 1 if self.failed or self.holes else 0

    def nearer(self, tried):
        """What a recording has seen need not come the same number of times again. Once more, then one
        place earlier as long as nobody has been there."""
        todo = list(self.unreached)
        for _ in range(4):
            self.unreached = []
            pool.run(self.args.build, self.args.jobs, [(name, case, parse(name)) for name in todo], self.done,
                     self.args.keep)
            todo = []
            for flow, role, call, n, errno in map(parse, self.unreached):
                name = case_name(flow, role, call, n - 1, errno)
                if n > 1 and name not in tried:
                    tried.add(name)
                    todo.append(name)

    # --- what was covered ---

    def table(self, out):
        for role in () if self.args.seconds else ("keeper", "child", "supervisor"):
            flows = [f for f in FLOWS if (f, role) in self.recorded]
            if not flows:
                continue
            print("\n%s: places made to fail (each with all its errnos) / places it was seen at" % role, file=out)
            print("  %-20s %s" % ("call", " ".join("%13s" % f for f in flows)), file=out)
            for call in sorted({c for f in flows for c in self.recorded[f, role]} - set(EXCLUDED)):
                cells = []
                for flow in flows:
                    most = sum(len(places(call, by, True)) for by in self.by_role(flow, role, call))
                    tested = len(self.results.get((flow, role, call), ()))
                    cells.append("%13s" % ("%d/%d" % (tested, most) if most else "-"))
                print(("  %-20s %s" % (call, " ".join(cells))).rstrip(), file=out)
        left_out = sorted({c for calls in self.recorded.values() for c in calls if c in EXCLUDED})
        print("\nleft out:", file=out)
        for call in left_out:
            print("  %-20s %s" % (call, EXCLUDED[call]), file=out)
        for call, pattern, reason in EXCLUDED_USES:
            print("  %-20s %s: %s" % (call, pattern, reason), file=out)
        print("  %-20s what the dynamic loader does before procd's first line" % "(any)", file=out)
        print("\nconsequences that procd explained:", file=out)
        for text, names in sorted(self.seen_consequences.items()):
            print("  %4d x %s (%s%s)" % (len(names), text, " ".join(names[:3]), " ..." if len(names) > 3 else ""), file=out)
        for title, names in (("not reached: the call came less often than when it was recorded", self.unreached), ("holes: calls without a row in errnos.py", self.holes),
                             ("failed", self.failed)):
            if names:
                print("\n%s:\n  %s" % (title, "\n  ".join(names)), file=out)


def parse(name):
    flow, role, call, n, errno = name.split("/")
    if flow not in FLOWS or role.partition(":")[0] not in FLOWS[flow].roles:
        raise ValueError("no such case: " + name)
    return flow, role, call, int(n), errno
