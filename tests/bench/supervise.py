#!/usr/bin/env python3
"""Times procd against the bare floor, in one run: starting, restarting, idling, memory, status.

    tests/bench/supervise.py BUILD_DIR [N ...]        (default N: 100 1000)

Prints medians and, where a floor exists, the ratio to it. Times on shared machines are noisy; the
ratios within one run are what counts. Uses CLOCK_MONOTONIC on both sides (events carry it).
"""
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
SIZES = [int(n) for n in sys.argv[2:]] or [100, 1000]
ROUNDS = 3


class Daemon:
    """One procd with N sleeping subsystems and its event file."""

    def __init__(self, n):
        self.dir = tempfile.mkdtemp(prefix="procd-bench-")
        self.events = os.path.join(self.dir, "events.jsonl")
        config = os.path.join(self.dir, "daemon.toml")
        with open(config, "w") as f:
            f.write(f'name = "bench"\nrun_dir = "{self.dir}/run"\n')
            f.write(f'[logging]\nlevel = "error"\n[events]\noutput = "file:{self.events}"\n')
            f.write('[defaults]\nrestart = "always"\nrestart_delay = 0\n')
            for i in range(n):
                f.write(f'[subsystem.s{i}]\ncommand = ["/bin/sleep", "100000"]\n')
        self.n = n
        self.started = time.monotonic_ns()
        self.process = subprocess.Popen([f"{BUILD}/procd", "-c", config])
        self.pids = {}
        self.offset = 0
        self.last_ns = 0

    def read_events(self):
        """New complete lines of the event file."""
        try:
            with open(self.events, "rb") as f:
                f.seek(self.offset)
                data = f.read()
        except FileNotFoundError:
            return []
        end = data.rfind(b"\n") + 1
        self.offset += end
        return [json.loads(line) for line in data[:end].splitlines()]

    def wait_running(self, count, timeout=120):
        """Take note of running events until COUNT subsystems have a pid."""
        deadline = time.monotonic() + timeout
        while True:
            for e in self.read_events():
                if e["type"] == "state_changed" and e["state"] == "running":
                    self.pids[e["name"]] = e["pid"]
                    self.last_ns = e["at_mono_ns"]
                    count -= 1
            if count <= 0:
                return
            if time.monotonic() > deadline:
                raise SystemExit(f"{count} subsystems never ran")
            time.sleep(0.02)    # events carry their times; looking more often would only cost what is measured

    def processes(self):
        """Keeper and supervisor."""
        keeper = self.process.pid
        with open(f"/proc/{keeper}/task/{keeper}/children") as f:
            children = f.read().split()
        for pid in children:
            with open(f"/proc/{pid}/comm") as f:
                if f.read().strip() == "procd-super":
                    return keeper, int(pid)
        raise SystemExit("no supervisor process")

    def stop(self):
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        shutil.rmtree(self.dir, ignore_errors=True)
        return time.monotonic() - begin


def cpu_ms(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def pss_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))


def switches(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as f:
            total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(), re.M).group(1))
    return total


def floor(n):
    """The bare program's figures: {"start_us", "restart_us"}; see floor.c."""
    out = subprocess.run([f"{BUILD}/tests/bench/floor", str(n)], check=True, text=True,
                         capture_output=True).stdout
    return {k: float(v) for k, v in re.findall(r"^(\w+) ([\d.]+)$", out, re.M)}


def row(label, value, unit, base=None):
    ratio = f"   {value / base:5.2f} x floor ({base:.1f})" if base else ""
    print(f"  {label:<44}{value:10.1f} {unit:<5}{ratio}")


def restarts(daemon, count):
    """Microseconds from SIGKILL of one to the event that the next instance runs."""
    times = []
    for i in range(count):
        name = f"s{i % daemon.n}"
        begin = time.monotonic_ns()
        os.kill(daemon.pids[name], signal.SIGKILL)
        daemon.wait_running(1)
        times.append((daemon.last_ns - begin) / 1000)
    return times


def status_ms(daemon, names):
    times = []
    for _ in range(15):
        begin = time.monotonic()
        subprocess.run([f"{BUILD}/procd", "status", "--json", "-s", f"{daemon.dir}/run/control.sock"]
                       + names, check=True, stdout=subprocess.DEVNULL)
        times.append((time.monotonic() - begin) * 1000)
    return statistics.median(times)


def bench(n):
    print(f"N = {n}")
    starts, floors, cpus, kills, floor_kills = [], [], [], [], []
    for _ in range(ROUNDS):
        f = floor(n)
        floors.append(f["start_us"])
        floor_kills.append(f.get("restart_us", 0))
        daemon = Daemon(n)
        daemon.wait_running(n)
        starts.append((daemon.last_ns - daemon.started) / 1000 / n)
        keeper, supervisor = daemon.processes()
        cpus.append((cpu_ms(supervisor) * 1000 / n, cpu_ms(keeper) * 1000 / n))
        kills += restarts(daemon, 40)
        if len(starts) < ROUNDS:
            daemon.stop()
    row("start, per subsystem, wall", statistics.median(starts), "us", statistics.median(floors))
    row("  CPU of the supervisor", statistics.median(c[0] for c in cpus), "us")
    row("  CPU of the keeper (with vfork's wait)", statistics.median(c[1] for c in cpus), "us")
    row("kill to the next instance's exec, median", statistics.median(kills), "us",
        statistics.median(floor_kills))
    row("  p99", sorted(kills)[int(len(kills) * 0.99) - 1], "us")
    row("status of one, whole client", status_ms(daemon, ["s0"]), "ms")
    row("status of all, whole client", status_ms(daemon, []), "ms")
    time.sleep(1)   # let the log thread and the kernel settle before looking at idleness
    before = switches(keeper) + switches(supervisor)
    time.sleep(10)
    row("wake-ups of both processes in 10 s idle",
        switches(keeper) + switches(supervisor) - before, "")
    row("PSS of both processes", pss_kib(keeper) + pss_kib(supervisor), "KiB")
    row("  allowed: 3 MiB + 2 KiB each", 3072 + 2 * n, "KiB")
    row("stop all, per subsystem", daemon.stop() * 1e6 / n, "us")


for size in SIZES:
    bench(size)
