"""D: from the order to end until the last process is gone."""

import time

import tree
from figures import Goal
from works.base import Work


class Stop(Work):
    letter = "D"
    title = "stop N services"
    figures = {"wall": ("until the last is gone", "ms")}
    chart = "wall"

    def part_end(self, c, put):
        began = time.monotonic_ns()
        c.ask_to_stop()
        if not tree.wait_all_gone(c.patience_s):
            raise TimeoutError("processes were left")
        put("wall", (time.monotonic_ns() - began) / 1e6)
        return True

    def goals(self, r):
        return [Goal("D %d: x floor" % n, r.ratio("D", n, "wall"), 1.3, "x") for n in r.sizes("D")]


WORK = Stop()
