"""A: from the start of the supervisor until its last service is started; and what that takes."""

import time

import tree
from figures import Goal
from works.base import Work


class Start(Work):
    letter = "A"
    title = "start N services"
    figures = {"wall": ("until the last runs", "ms"), "cpu": ("CPU of all processes", "ms"),
               "cpu_each": ("CPU per start", "us"), "pss": ("memory of the supervisor (PSS)", "KiB"),
               "processes": ("its processes", "")}
    chart = "wall"
    notes = ("CPU is that of the whole tree, the services included. Memory is that of all processes that are not "
             "services.",)

    def part_started(self, c, put, began_ns, last_ns):
        cpu = tree.tree_cpu_s()
        put("wall", (last_ns - began_ns) / 1e6)
        put("cpu", cpu * 1e3)
        put("cpu_each", cpu * 1e6 / c.n)

    def part_quiet(self, c, put, quick):
        time.sleep(0.2)
        own = c.own_pids()
        put("pss", tree.pss_kib(own))
        put("processes", len(own))

    def goals(self, r):
        found = []
        for n in r.sizes("A"):
            found += [Goal("A %d: wall, x floor" % n, r.ratio("A", n, "wall"), 1.3, "x"),
                      Goal("A %d: CPU of all, x floor" % n, r.ratio("A", n, "cpu"), 1.4, "x"),
                      Goal("A %d: memory" % n, r.median("A", n, "procd", "pss"), 2048 + 1.5 * n, "KiB")]
        least, most = min(r.sizes("A"), default=0), max(r.sizes("A"), default=0)
        if most > least:
            few, many = (r.median("A", n, "procd", "cpu_each") for n in (least, most))
            found.append(Goal("A: CPU per start at %d, x that at %d" % (most, least),
                              many / few if few and many else None, 1.15, "x"))
        return found


WORK = Start()
