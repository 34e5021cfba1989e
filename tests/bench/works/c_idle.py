"""C: what a supervisor does while nothing happens."""

import time

import tree
from figures import Goal
from works.base import Work


class Idle(Work):
    letter = "C"
    title = "idle for ten seconds"
    figures = {"switches": ("context switches in 10 s", ""), "cpu": ("CPU in 10 s", "ms")}
    notes = ("Metrics and health probes are off, but in the row procd+metrics.",
             "Peers are looked at for 5 s, times 2.")
    size = 1000
    once = True

    def sizes(self, wanted):
        """At the largest size up to 1,000: what does not wake up does so at any size."""
        return [max([n for n in wanted if n <= self.size] or [min(wanted)])]

    def part_quiet(self, c, put, quick):
        time.sleep(4 if c.name.startswith("procd") else 1)     # who asked lately is still waited for
        for_s = 2 if quick else 10 if c.name.startswith("procd") else 5
        own = c.own_pids()
        before, cpu = tree.switches(own), sum(tree.cpu_s(pid) for pid in own)
        time.sleep(for_s)
        put("switches", (tree.switches(own) - before) * 10 / for_s)
        put("cpu", (sum(tree.cpu_s(pid) for pid in own) - cpu) * 1e3 * 10 / for_s)

    def goals(self, r):
        found = []
        for n in r.sizes("C"):
            found += [Goal("C %d: context switches" % n, r.median("C", n, "procd", "switches"), 0),
                      Goal("C %d: CPU" % n, r.median("C", n, "procd", "cpu"), 0, "ms"),
                      Goal("C %d: wake-ups per second, metrics on" % n,
                           (lambda v: None if v is None else v / 10)(r.median("C", n, "procd+metrics", "switches")), 2)]
        return found


WORK = Idle()
