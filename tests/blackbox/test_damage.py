"""Damaged state files: children keep their pids, nothing is doubled, and it is said (issue: state)."""

import os
import signal
import subprocess

from harness import *

STABLE = ("a", "b", "c")
LOOPER = "loop"

# File in the run directory and a word of what procd says about it.
FILES = {
    "memory": "run-time state",
    "events": "event history",
    "output.state": "output.state",
    "config.bundle": "config.bundle",
    "ring": "captured output",
}


def config_of(w):
    text = "".join(w.sub(n, "--lock", w.path("lock-" + n), "--starts", w.path("starts-" + n), "--spew", "0/40",
                         log_file=w.path(n + ".log")) for n in STABLE)
    return text + w.sub(LOOPER, "--lock", w.path("lock-" + LOOPER), "--starts", w.path("starts-" + LOOPER),
                        "--sleep", 60, "--exit", 7, restart="always", restart_delay_ms=30, restart_max_delay_ms=30)


def paths_of(p, name):
    if name != "ring":
        return [os.path.join(p.run_dir, name)]
    ring = os.path.join(p.run_dir, "ring")
    return [os.path.join(ring, f) for f in os.listdir(ring)]


def flip(path):
    """One bit in each of the first 4 KiB's words that are not zero."""
    with open(path, "r+b") as f:
        data = bytearray(f.read(4096))
        for i in range(0, len(data) - 7, 8):
            if any(data[i:i + 8]):
                data[i + 3] ^= 0x10
        f.seek(0)
        f.write(data)


def cut(path):
    os.truncate(path, os.path.getsize(path) // 2 + 5)


def zero(path):
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        f.write(b"\0" * size)


def foreign(path):
    with open(path, "r+b") as f:
        f.write(b"This is no file of procd's. " * 40)


def empty(path):
    os.truncate(path, 0)


def kill_and_damage(p, paths, how):
    """The keeper sleeps meanwhile, so that no new supervisor is faster."""
    old = p.supervisor_pid()
    os.kill(p.pid, signal.SIGSTOP)
    os.kill(old, signal.SIGKILL)
    wait_gone(old)
    for path in paths:
        how(path)
    os.kill(p.pid, signal.SIGCONT)
    p.supervisor_pid(other_than=old)
    wait_until(p.rpc_alive, "the new supervisor answers")


def check_all_goes_on(w, p, before):
    equal({n: p.pid_of(n) for n in STABLE}, before, "pids")
    starts = len(read_text(w.path("starts-" + LOOPER)).split())
    wait_until(lambda: len(read_text(w.path("starts-" + LOOPER)).split()) > starts + 1, "the looper loops")
    for n in STABLE:
        equal(len(read_text(w.path("starts-" + n)).split()), 1, "starts of " + n)
        size = len(read_bytes(w.path(n + ".log")))
        wait_until(lambda: len(read_bytes(w.path(n + ".log"))) > size, "%s is captured" % n)
    for n in STABLE + (LOOPER,):
        equal(read_text(w.path("lock-" + n)), "", "two of " + n)


def one_file(w, name, word):
    p = w.procd(config_of(w))
    before = {n: p.wait_state(n, "running")["pid"] for n in STABLE}
    p.wait_state(LOOPER, "failed")
    for how in (flip, cut, foreign, zero, empty):
        mark = len(read_text(p.log_path))
        kill_and_damage(p, paths_of(p, name), how)
        check_all_goes_on(w, p, before)
        said = read_text(p.log_path)[mark:]
        # An empty file is as a new one: what is in no need of it does not miss it.
        if (name, how) != ("output.state", empty):
            check(word in said, "%s, %s: not said, but: %s" % (name, how.__name__, said[:3000]))
    p.ctl("stop", "all").expect(0)
    p.stop()
    seqs = [e["seq"] for e in p.read_events() if "seq" in e]
    if name not in ("events", "output.state"):
        equal(len(seqs), len(set(seqs)), "an event number came twice")


def test_a_damaged_memory(w):
    one_file(w, "memory", FILES["memory"])


def test_a_damaged_event_ring(w):
    one_file(w, "events", FILES["events"])


def test_a_damaged_output_state(w):
    one_file(w, "output.state", FILES["output.state"])


def test_a_damaged_config_bundle(w):
    one_file(w, "config.bundle", FILES["config.bundle"])


def test_damaged_capture_rings(w):
    one_file(w, "ring", FILES["ring"])


def test_all_of_them_at_once(w):
    p = w.procd(config_of(w))
    before = {n: p.wait_state(n, "running")["pid"] for n in STABLE}
    for how in (flip, cut, foreign, empty):
        kill_and_damage(p, [x for name in FILES for x in paths_of(p, name)], how)
        check_all_goes_on(w, p, before)
    p.stop()


def test_damaged_records_of_a_killed_procd(w):
    """The keeper is dead, too: what session and name prove is taken over, and it is said."""
    p = w.procd(config_of(w))
    before = {n: p.wait_state(n, "running")["pid"] for n in STABLE}
    for damage in ("header", "proof", "spawn ids", "end"):
        supervisor = p.supervisor_pid()
        os.kill(p.pid, signal.SIGKILL)
        p.wait_end()
        wait_gone(supervisor)
        with open(os.path.join(p.run_dir, "records"), "r+b") as f:
            data = bytearray(f.read())
            for slot in range(len(STABLE)):
                at = 4096 + 256 * slot
                if damage == "proof":
                    data[at + 24 + 3] ^= 0x40
                    data[at + 32 + 3] ^= 0x40
                if damage == "spawn ids":
                    data[at + 8 + 6] ^= 1
            if damage == "header":
                data[20] ^= 1
            f.seek(0)
            f.write(data)
        if damage == "end":
            os.truncate(os.path.join(p.run_dir, "records"), 4096 + 256 * 16 - 100)
        w.instances.remove(p)
        mark = len(read_text(p.log_path))
        p = w.procd(config_of(w))
        check_all_goes_on(w, p, before)
        contains(read_text(p.log_path)[mark:], "records", "what is said")
    p.stop()


def kernel_has_signed_groups():
    """Extended attributes of users on a cgroup."""
    return tuple(int(n) for n in os.uname().release.split("-")[0].split(".")[:2]) >= (5, 7)


def test_lost_records_of_a_killed_procd(w):
    """The whole table gone, or no table: who writes into a FIFO of ours, or is in a group of ours, is known by it."""
    config = (w.sub("a", "--lock", w.path("lock-a"), "--starts", w.path("starts-a"), "--sleep", 100000)
              # its child leads a session of its own, and has the same output and the same name
              + w.sub("b", "--lock", w.path("lock-b"), "--starts", w.path("starts-b"), "--setsid", "--sleep", 100000)
              + '[subsystem.c]\ncommand = ["/bin/sh", "-c", "setsid sleep 100000 & exec sleep 100000"]\n')
    names = "abc"
    if w.run("features", "--json").expect(0).json()["kernel"]["cgroup2"]["used"] and kernel_has_signed_groups():
        # neither it nor its child has a FIFO: known by the group, which is ours
        names = "abcd"
        config += w.sub("d", "--lock", w.path("lock-d"), "--starts", w.path("starts-d"), "--grandchild", "+s", w.path("g"),
                        stdout="null", stderr="null")
    for how in ("remove", "header", "garbage"):
        p = w.procd(config)
        wait_until(lambda: {s["state"] for s in p.status()["subsystems"]} == {"running"}, "all run")
        before = {n: p.pid_of(n) for n in names}
        supervisor = p.supervisor_pid()
        os.kill(p.pid, signal.SIGKILL)
        p.wait_end()
        wait_gone(supervisor, 3)
        path = os.path.join(p.run_dir, "records")
        if how == "remove":
            os.unlink(path)
        elif how == "header":
            os.truncate(path, 100)
        else:
            foreign(path)
        # a stranger with the marker, but without our FIFO
        stranger = subprocess.Popen(["setsid", "sleep", "100000"], env={"PATH": os.environ["PATH"], "PROCD_SUBSYSTEM": "a"})
        q = w.procd(config)
        wait_until(lambda: {s["state"] for s in q.status()["subsystems"]} == {"running"}, "all run")
        equal({n: q.pid_of(n) for n in names}, before, "pids after: " + how)
        for n in names.replace("c", ""):
            equal(len(read_text(w.path("starts-" + n)).split()), 1, "starts of " + n)
            equal(read_text(w.path("lock-" + n)), "", "two of " + n)
            os.unlink(w.path("starts-" + n))
        q.ctl("stop", "all").expect(0)
        check(alive(stranger.pid), "a stranger was hit")
        stranger.kill()
        stranger.wait()
        q.stop()
        check(not any(alive(x) for x in before.values()), "an adopted one survives the stop")
