#!/usr/bin/env python3
"""Crash loops, and many restarts and reloads: does procd stay usable, small, and true to its delays?

    tests/bench/storm.py BUILD_DIR [loops|quick|flat|all] [--subsystems N] [--seconds S]
                         [--restarts N] [--reloads N]

loops   N of /bin/false, restart = "always", the default delays: starts of each beside the formula
quick   the same with restart_delay = 0: what the start budget makes of it
flat    memory and descriptors before and after many restarts and reloads

Prints figures and, where a goal is a number, whether it is met; the exit code is 1 when one is not.
Meanwhile clients ask, each 20 ms: for the status of all, for that of one, and for an order (`reset`) to
a healthy subsystem, which has to go through the main thread.
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

WARM_RELOADS = 1000
failed = []


def goal(text, value, limit, unit):
    ok = value <= limit
    print("  %-52s%10.2f %-6s goal <= %g  %s" % (text, value, unit, limit, "ok" if ok else "MISSED"))
    if not ok:
        failed.append(text)


def figure(text, value, unit=""):
    print("  %-52s%10.2f %s" % (text, value, unit))


class Client:
    """A JSON-RPC line client that measures."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(path)
        self.rest, self.n = b"", 0

    def call(self, method, params):
        self.n += 1
        self.sock.sendall(json.dumps({"jsonrpc": "2.0", "id": self.n, "method": method,
                                      "params": params}).encode() + b"\n")
        while b"\n" not in self.rest:
            data = self.sock.recv(1 << 20)
            if not data:
                raise SystemExit("the control socket closed")
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line


class Asker(threading.Thread):
    """Calls a method again and again and keeps how long each answer took."""

    def __init__(self, path, method, params):
        super().__init__(daemon=True)
        self.client, self.method, self.params = Client(path), method, params
        self.times_ms, self.ending = [], False

    def run(self):
        while not self.ending:
            begin = time.monotonic()
            self.client.call(self.method, self.params)
            self.times_ms.append((time.monotonic() - begin) * 1000)
            time.sleep(0.02)

    def end(self):
        self.ending = True
        self.join()

    def p(self, part):
        return sorted(self.times_ms)[min(int(len(self.times_ms) * part), len(self.times_ms) - 1)]


class Daemon:
    def __init__(self, build, config, env=None):
        self.dir = tempfile.mkdtemp(prefix="procd-storm-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.events, self.socket = self.dir + "/events.jsonl", self.dir + "/run/control.sock"
        self.config, self.build = self.dir + "/daemon.toml", build
        self.write(config)
        self.process = subprocess.Popen([build + "/procd", "-c", self.config], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env=dict(os.environ, **(env or {})))
        while not os.path.exists(self.socket):
            time.sleep(0.01)
        self.supervisor = next(pid for pid in self.children() if self.comm(pid) == "procd-super")

    def write(self, config):
        with open(self.config + ".new", "w") as f:
            f.write('name = "storm"\nrun_dir = "%s/run"\n[logging]\nlevel = "error"\n'
                    '[events]\noutput = "file:%s"\nhistory = 1024\n%s' % (self.dir, self.events, config))
        os.rename(self.config + ".new", self.config)

    def children(self):
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as f:
            return [int(p) for p in f.read().split()]

    @staticmethod
    def comm(pid):
        try:
            with open("/proc/%d/comm" % pid) as f:
                return f.read().strip()
        except OSError:
            return ""

    def both(self):
        return (("keeper", self.process.pid), ("supervisor", self.supervisor))

    def state(self):
        """{role: (RSS KiB, anonymous KiB, files, CPU seconds)}, the least of some looks: an answer on its way to a
        client needs memory for a moment, a child that is being started descriptors. Anonymous: without the event
        ring, a mapped file of memory_pool_size whose pages are only touched as events come."""
        result = {}
        for role, pid in self.both():
            looks = []
            for _ in range(40):
                looks.append(self.memory(pid) + (self.files(pid),))
                time.sleep(0.007)
            with open("/proc/%d/stat" % pid) as f:
                fields = f.read().rsplit(")", 1)[1].split()
            result[role] = tuple(map(min, zip(*looks))) + (
                (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),)
        return result

    @staticmethod
    def memory(pid):
        with open("/proc/%d/smaps_rollup" % pid) as f:
            text = f.read()
        return tuple(int(re.search(r"^%s:\s+(\d+)" % key, text, re.M).group(1)) for key in ("Rss", "Anonymous"))

    @staticmethod
    def files(pid):
        """Without the pidfds of processes that live: whoever is alive at the moment has one."""
        n = 0
        for fd in os.listdir("/proc/%d/fd" % pid):
            try:
                if os.readlink("/proc/%d/fd/%s" % (pid, fd)) == "anon_inode:[pidfd]":
                    with open("/proc/%d/fdinfo/%s" % (pid, fd)) as f:
                        n += int(re.search(r"^Pid:\s+(-?\d+)", f.read(), re.M).group(1)) <= 0
                else:
                    n += 1
            except FileNotFoundError:
                pass
        return n

    def total_restarts(self):
        return json.loads(Client(self.socket).call("status.get", {"names": ["healthy"]}))["result"]["stats"][
            "total_restarts"]

    def end(self):
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        shutil.rmtree(self.dir, ignore_errors=True)
        return time.monotonic() - begin


def many(n, command, keys):
    return "".join('[subsystem.s%d]\ncommand = "%s"\n%s\n' % (i, command, keys) for i in range(n))


HEALTHY = '[subsystem.healthy]\ncommand = "sleep 100000"\n'


def formula(delay_ms, max_ms, run_ms, horizon_ms):
    """Starts within HORIZON of one whose runs take RUN."""
    at, n = 0.0, 0
    while at <= horizon_ms:
        at += run_ms + min(max_ms, delay_ms * 2 ** min(n, 10))
        n += 1
    return n


def starts_of(path, until_ns, state="starting"):
    """{name: starts}, from the event file."""
    starts, first = {}, None
    with open(path, "rb") as f:
        for line in f:
            if b'"state":"%s"' % state.encode() not in line:
                continue
            try:
                e = json.loads(line)
            except ValueError:
                continue
            first = first or e["at_mono_ns"]
            if e["at_mono_ns"] - first <= until_ns:
                starts[e["name"]] = starts.get(e["name"], 0) + 1
    return starts


def compare(before, after, seconds):
    for role in before:
        b, a = before[role], after[role]
        figure(role + ": RSS before", b[0], "KiB")
        figure(role + ": RSS after", a[0], "KiB")
        figure(role + ": anonymous after", a[1], "KiB")
        # Not nothing: the heap's high-water mark is set by how much waits for a grace period at once.
        goal(role + ": growth of anonymous memory", a[1] - b[1], 512, "KiB")
        goal(role + ": more open files", a[2] - b[2], 2, "")
        if seconds:
            figure(role + ": CPU", 100 * (a[3] - b[3]) / seconds, "% of one")


def storm(args, title, keys, expected):
    n, seconds = args.subsystems, args.seconds
    print("%s: %d crash loops for %d s" % (title, n, seconds))
    daemon = Daemon(args.build, HEALTHY + many(n, "/bin/false", keys))
    begin = time.monotonic()
    askers = [Asker(daemon.socket, "status.get", {}), Asker(daemon.socket, "status.get", {"names": ["healthy"]}),
              Asker(daemon.socket, "subsystem.reset", {"names": ["healthy"]})]
    for asker in askers:
        asker.start()
    time.sleep(min(5, seconds / 4))
    while len(starts_of(daemon.events, float("inf"), "running")) <= n:    # each has its FIFO from its first start on
        time.sleep(0.2)
    before, began = daemon.state(), time.monotonic()
    time.sleep(max(0, seconds + 1 - (time.monotonic() - begin)))
    after, took = daemon.state(), time.monotonic() - began
    for asker, what in zip(askers, ("status of all", "status of one", "an order")):
        asker.end()
        figure(what + ", answers", len(asker.times_ms))
        figure(what + ", median", statistics.median(asker.times_ms), "ms")
        goal(what + ", p99", asker.p(0.99), 50, "ms")
    time.sleep(0.5)
    starts = starts_of(daemon.events, seconds * 10**9)
    counts = [starts.get("s%d" % i, 0) for i in range(n)]
    figure("starts in all", sum(counts))
    figure("starts per second", sum(counts) / seconds)
    figure("starts of one, least", min(counts))
    figure("starts of one, most", max(counts))
    if expected:
        goal("starts of one, off the formula (%d) at most" % expected, max(abs(c - expected) for c in counts), 1, "")
    compare(before, after, took)
    figure("shutdown of all", daemon.end(), "s")


def flat(args):
    print("flat: %d restarts, then %d reloads" % (args.restarts, args.reloads))
    keys = 'restart = "always"\nrestart_delay = 0'
    # Each thread of the C library's allocator keeps some freed pieces of every size: bounded, but it takes tens of
    # thousands of reloads to fill, and a leak could hide in it. So it is switched off for this figure.
    daemon = Daemon(args.build, HEALTHY + many(20, "/bin/false", keys), {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"})
    # everything has happened some hundred times: caches are full, the ring is written through
    while daemon.total_restarts() < min(3000, args.restarts):
        time.sleep(0.05)
    before, begin = daemon.state(), time.monotonic()
    first = done = daemon.total_restarts()
    while done < first + args.restarts:
        time.sleep(0.2)
        done = daemon.total_restarts()
    figure("restarts per second", (done - first) / (time.monotonic() - begin))
    compare(before, daemon.state(), 0)
    client, begin = Client(daemon.socket), None
    for i in range(args.reloads + WARM_RELOADS):
        if i == WARM_RELOADS:        # the first ones are not counted, as above
            before, begin = daemon.state(), time.monotonic()
        daemon.write(HEALTHY + '[subsystem.x%d]\ncommand = "sleep 1000"\n[subsystem.y]\ncommand = "sleep 1%d"\n'
                     % (i % 3, i % 2))
        answer = json.loads(client.call("config.reload", {}))
        if "result" not in answer:
            raise SystemExit("reload: %s" % answer)
    figure("reloads per second", args.reloads / (time.monotonic() - begin))
    compare(before, daemon.state(), 0)
    daemon.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("what", nargs="?", default="all", choices=("loops", "quick", "flat", "all"))
    parser.add_argument("--subsystems", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--restarts", type=int, default=20000)
    parser.add_argument("--reloads", type=int, default=2000)
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    if args.what in ("loops", "all"):
        storm(args, "loops", 'restart = "always"', formula(100, 30000, 5, args.seconds * 1000))
    if args.what in ("quick", "all"):
        storm(args, "quick", 'restart = "always"\nrestart_delay = 0', 0)
    if args.what in ("flat", "all"):
        flat(args)
    print("missed: " + ", ".join(failed) if failed else "all goals met")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
