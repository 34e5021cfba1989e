"""B: from SIGKILL of one service until its next instance is started, while N are alive."""

import os
import signal
import time

from figures import Goal, p99
from works.base import Work


class Restart(Work):
    letter = "B"
    title = "restart of one of N"
    figures = {"restart": ("SIGKILL to the next instance", "ms")}
    with_p99 = ("restart",)
    chart = "restart"
    notes = ("Each is told to restart without delay. Where a supervisor throttles what ran only for a short time, "
             "services are killed that ran longer than that.",)

    def sizes(self, wanted):
        return sorted({1} | set(wanted))

    def part_quiet(self, c, put, quick):
        count = min(c.kills, 40) if quick else c.kills
        if c.settle_s:
            count = min(count, max(c.n, 3))
            time.sleep(c.settle_s)
        took = []
        for k in range(count):
            i = k * 7919 % c.n
            before = c.board.service(i)
            if c.settle_s:
                time.sleep(max(0, c.settle_s - (time.monotonic_ns() - before.started_ns) / 1e9))
            began = time.monotonic_ns()
            os.kill(before.pid, signal.SIGKILL)
            took.append((c.board.wait_restart(i, before, 20).started_ns - began) / 1e6)
        put("restart", took)

    def goals(self, r):
        found = []
        for n in r.sizes("B"):
            found += [Goal("B %d alive: median, x floor" % n, r.ratio("B", n, "restart"), 1.5, "x"),
                      Goal("B %d alive: p99, x floor's p99" % n, r.ratio("B", n, "restart", how=p99), 2, "x")]
        least, most = min(r.sizes("B"), default=0), max(r.sizes("B"), default=0)
        if most > least:
            one, many = (r.median("B", n, "procd", "restart") for n in (least, most))
            found.append(Goal("B: median at %d, x that at %d (the same)" % (most, least),
                              many / one if one and many else None, 1.15, "x"))
        return found


WORK = Restart()
