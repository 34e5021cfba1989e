"""What the events must say about a whole life, however many procds it took.

The children are the witnesses: each wrote its pid at its start. Held against that, procd has to have
told each start and each end once, the end with the status that it had, and each event with the number
after the one before. Only what ended while no keeper was there may be unknown. And after an ordered end
nothing of procd is left.
"""

import collections
import json
import os

from harness import alive, check, comm, equal, read_text, wait_until


def is_end(e):
    return e["prev"] in ("starting", "running", "stopping") and e["state"] in ("failed", "stopped")


def told(s, names):
    """S: a Scene in which nothing runs any more."""
    running, ends = collections.Counter(), collections.defaultdict(list)
    for e in s.events():
        if e["type"] != "state_changed":
            continue
        if e["state"] == "running" and e["reason"] != "adopted":
            running[e["name"], e["pid"]] += 1
        if is_end(e) and e["pid"] is not None:
            ends[e["name"], e["pid"]].append((e["exit_code"], e["signal"]))
    for name in names:
        for pid in s.starts(name):
            # the start of what ended while no keeper was there may never have been seen
            check(running.pop((name, pid), 0) == 1 or s.keepers_killed and (name, pid) in ends,
                  "the start of %s, pid %d, was not told once" % (name, pid))
            status = (None, "SIGKILL" if pid in s.killed else "SIGTERM")
            allowed = [[status], [(None, None)]] if s.keepers_killed else [[status]]
            check(ends[name, pid] in allowed, "ends told of %s, pid %d: %s" % (name, pid, ends[name, pid]))
    equal(dict(running), {}, "starts that were told and none")


def numbered(s):
    """One number after the other. A new count begins with each ordered end, and with a death of both
    that leaves nothing that runs."""
    before, running = 0, set()
    for e in s.events():
        if "seq" not in e:
            continue
        anew = e["seq"] == 1 and (s.ordered_ends or s.keepers_killed and not running)
        check(e["seq"] == before + 1 or anew,
              lambda: "event %d after %d: %s" % (e["seq"], before, json.dumps(e)))
        before = e["seq"]
        if e["type"] == "state_changed":
            (running.add if e["state"] in ("running", "stopping") else running.discard)(e["name"])


def groups(s):
    """The cgroups of what runs now, to be asked for when they ought to be gone."""
    found = set()
    for pid in [p for pids in s.everyone().values() for p in pids]:
        for line in read_text("/proc/%d/cgroup" % pid).splitlines():
            if line.startswith("0::") and "/procd-" in line:
                found.add(line[3:].rpartition("/")[0])
    return found


def cgroup_mounts():
    rows = [line.split(" - ") for line in read_text("/proc/self/mountinfo").splitlines()]
    return [left.split()[4] for left, right in rows if right.startswith("cgroup2 ")]


def leftovers(s):
    """What an ordered end must not leave."""
    found = ["%s (pid %d)" % (comm(p), p) for p in s.world.marked() if comm(p).startswith("procd") and alive(p)]
    st = os.stat(s.p.run_dir)
    places = ["/dev/shm/procd-%x-%x" % (st.st_dev, st.st_ino)]
    places += [os.path.join(s.p.run_dir, n) for n in ("fifo", "records", "control.sock")]
    places += [mount + group for mount in cgroup_mounts() for group in s.groups]
    return found + [p for p in places if os.path.lexists(p)]


def nothing_left(s):
    wait_until(lambda: not leftovers(s), lambda: "left after an ordered end: %s" % leftovers(s), 2)
