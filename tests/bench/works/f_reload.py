"""F: one service changed, one added, one removed of N, until all three are in effect."""

import os
import select
import subprocess
import time

import tree
from figures import Goal
from works.base import Work

TIMES = 5
LIMITS_MS = ((1000, 8), (9900, 80), (10000, 80))


class Orders:
    """Meanwhile orders go to an unconcerned subsystem. By a program: a thread here would wait for the interpreter."""

    def __init__(self, c, name):
        self.process = subprocess.Popen([c.program("orders"), c.socket_path(), name], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def longest_ms(self):
        return int(self.process.communicate()[0]) / 1e3


class Reload(Work):
    letter = "F"
    title = "reload with three changes"
    figures = {"effect": ("until in effect", "ms"), "busy": ("CPU of procd's main thread", "ms"),
               "order": ("slowest order meanwhile", "ms"), "touched": ("others touched", "")}
    chart = "effect"
    notes = ("From the start of the client (reload-config; one to five commands for others) until the changed and the "
             "added run anew and the removed is gone.", "The slowest order is that of a program which sends one each "
             "millisecond, in a reload of its own: what a client waits for the main thread and for a processor, as "
             "the loader thread has one of them meanwhile.")

    def takes(self, contender, size, quick):
        return super().takes(contender, size, quick) and hasattr(contender, "reload") and size >= 100 and \
            (contender.name == "procd" or size == 1000 or quick)

    def measure(self, contender, build, size, put, quick):
        times = TIMES if contender.name == "procd" else 1
        with contender(build, size, ["sleep"], spare=TIMES + 1) as c:
            c.start()
            c.wait_started()
            time.sleep(c.settle_s)
            before = c.board.starts()
            main = c.supervisor() if contender.name == "procd" else None
            for k in range(times):
                busy = main and self.busy_ms(main)
                put("effect", self.once(c, k))
                if main:
                    put("busy", self.busy_ms(main) - busy)
            expected = list(before)
            for k in range(times):
                expected[k] += 1
                expected[size + k] += 1
            put("touched", sum(a != b for a, b in zip(c.board.starts(), expected)))
            if main:
                orders = Orders(c, "s%d" % (size // 2))
                self.once(c, times)
                put("order", orders.longest_ms())

    @staticmethod
    def busy_ms(pid):
        """How long the main thread of PID has had a processor until now."""
        return int(tree.read("/proc/%d/task/%d/schedstat" % (pid, pid)).split()[0]) / 1e6

    @staticmethod
    def once(c, k):
        """Round K, in milliseconds. Each round concerns services that none did before."""
        changed, added, removed = k, c.n + k, c.n - 1 - k
        old = c.board.service(changed)
        leaving = os.pidfd_open(c.board.service(removed).pid)
        command = c.reload(changed, added, removed)
        began = time.monotonic_ns()
        client = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, env=c.environment())
        gone = select.poll()
        gone.register(leaving, select.POLLIN)
        if not gone.poll(c.patience_s * 1000):
            raise TimeoutError("the removed one is still there")
        gone_ns = time.monotonic_ns()
        os.close(leaving)
        restarted = c.board.wait_restart(changed, old, c.patience_s)
        c.board.wait(lambda: c.board.service(added).starts > 0, "the added one", c.patience_s)
        client.wait(c.patience_s)
        return (max(gone_ns, restarted.started_ns, c.board.service(added).started_ns) - began) / 1e6

    def goals(self, r):
        found = []
        for n in r.sizes("F"):
            found += [Goal("F %d: in effect" % n, r.median("F", n, "procd", "effect"), limit, "ms")
                      for size, limit in LIMITS_MS if size == n]
            found += [Goal("F %d: main thread busy, at most" % n, r.median("F", n, "procd", "busy"), 2, "ms"),
                      Goal("F %d: others touched" % n, r.median("F", n, "procd", "touched"), 0)]
        return found


WORK = Reload()
