"""H: the state of one service and of all, asked by the supervisor's own client."""

import subprocess

import tree
from figures import Goal
from works.base import Work

LIMITS_MS = ((1000, 4), (9900, 25), (10000, 25))


class Status(Work):
    letter = "H"
    title = "ask for the state"
    figures = {"one": ("of one, whole client", "ms"), "all": ("of all, whole client", "ms"),
               "main": ("switches of procd's main thread meanwhile", "")}
    chart = "all"
    notes = ("The client's own start is in it.",)

    def part_quiet(self, c, put, quick):
        main = None
        if c.name == "procd":
            main = c.supervisor()
            before = self.main_switches(main)
        for figure, which in (("one", 0), ("all", None)):
            times = 15 if c.is_floor or c.name == "procd" else 1 if which is None else 3
            done = subprocess.run([c.program("stopwatch"), str(times), "0"] + c.status_command(which), check=True,
                                  capture_output=True, text=True, env=c.environment(), timeout=c.patience_s)
            put(figure, [float(line) / 1e3 for line in done.stdout.split()])
        if main:
            put("main", self.main_switches(main) - before)

    @staticmethod
    def main_switches(pid):
        text = tree.read("/proc/%d/task/%d/status" % (pid, pid))
        return sum(int(line.split()[1]) for line in text.splitlines() if "ctxt_switches" in line)

    def goals(self, r):
        found = []
        for n in r.sizes("H"):
            found.append(Goal("H %d: status of one" % n, r.median("H", n, "procd", "one"), 2, "ms"))
            found += [Goal("H %d: status of all" % n, r.median("H", n, "procd", "all"), limit, "ms")
                      for size, limit in LIMITS_MS if size == n]
            found.append(Goal("H %d: on the main thread" % n, r.median("H", n, "procd", "main"), 0))
        return found


WORK = Status()
