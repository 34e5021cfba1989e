"""F: one service changed, one added, one removed of N, until all three are in effect."""

import os
import select
import subprocess
import threading
import time

from figures import Goal
from works.base import Work

TIMES = 5
LIMITS_MS = ((1000, 8), (9900, 80), (10000, 80))


class Orders(threading.Thread):
    """Sends an order to an unconcerned subsystem again and again; keeps the longest it took."""

    def __init__(self, c, name):
        super().__init__(daemon=True)
        self.connection, self.name_of, self.longest_ms, self.over = c.connect(), name, 0, False

    def run(self):
        while not self.over:
            began = time.monotonic()
            self.connection.call("subsystem.reset", names=[self.name_of])
            self.longest_ms = max(self.longest_ms, (time.monotonic() - began) * 1e3)
            time.sleep(0.001)
        self.connection.close()


class Reload(Work):
    letter = "F"
    title = "reload with three changes"
    figures = {"effect": ("until in effect", "ms"), "order": ("slowest order meanwhile", "ms"),
               "touched": ("others touched", "")}
    chart = "effect"
    notes = ("From the start of the client (reload-config; one to five commands for others) until the changed and the "
             "added run anew and the removed is gone.", "The slowest order is that of a client which sends one each "
             "millisecond, in a reload of its own: it bounds how long the main thread was busy.")

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
            for k in range(times):
                put("effect", self.once(c, k))
            expected = list(before)
            for k in range(times):
                expected[k] += 1
                expected[size + k] += 1
            put("touched", sum(a != b for a, b in zip(c.board.starts(), expected)))
            if contender.name == "procd":
                orders = Orders(c, "s%d" % (size // 2))
                orders.start()
                self.once(c, times)
                orders.over = True
                orders.join()
                put("order", orders.longest_ms)

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
            found += [Goal("F %d: main thread busy, at most" % n, r.median("F", n, "procd", "order"), 2, "ms"),
                      Goal("F %d: others touched" % n, r.median("F", n, "procd", "touched"), 0)]
        return found


WORK = Reload()
