"""J: as many subsystems as there are under a hard limit of open files, and what 100,000 would take."""

import re
import subprocess
import time

import tree
from figures import Goal
from works.base import Work

FILES, MANY, FAR = 20000, 10000, 100000


class Limit(Work):
    letter = "J"
    title = "N subsystems under a hard limit of 20,000 open files"
    figures = {"rate": ("starts per second", "1/s"), "load": ("reading the configuration", "ms"),
               "wall": ("until the last runs", "ms"), "pss": ("memory of procd (PSS)", "KiB"),
               "told": ("files it says it needs under half of N", "")}
    more_is_better = ("rate",)
    once = True
    notes = ("Output is captured. Reading the configuration is `procd check` of the same file.",)

    def sizes(self, wanted):
        return wanted if max(wanted) < 1000 else [1000, MANY]

    def takes(self, contender, size, quick):
        return contender.name == "procd"

    def measure(self, contender, build, size, put, quick):
        with contender(build, size, ["sleep"]) as c:
            c.start(files=FILES)
            last = c.wait_started()
            put("wall", (last - c.board.launched_ns()) / 1e6)
            first = min(s.started_ns for s in c.board.services())
            put("rate", (size - 1) * 1e9 / max(1, last - first))
            time.sleep(0.3)
            put("pss", tree.pss_kib(c.own_pids()))
            done = subprocess.run([c.program("stopwatch"), "3", "0", c.executable(), "check", "-c",
                                   c.path("daemon.toml")], capture_output=True, text=True, check=True)
            put("load", [float(line) / 1e3 for line in done.stdout.split()])
        with contender(build, size, ["sleep"]) as c:
            c.start(files=max(64, size // 2))
            c.board.wait(lambda: re.search(r"\d{2,}", c.said()) or c.board.service(size - 1).starts,
                         "a word about the limit", c.patience_s)
            numbers = [int(n) for n in re.findall(r"\b\d+\b", c.said()) if int(n) > size]
            put("told", min(numbers, default=0))

    def goals(self, r):
        found = []
        if MANY in r.sizes("J"):
            found = [Goal("J: starts per second at 10,000", r.median("J", MANY, "procd", "rate"), 3500, "1/s",
                          at_least=True),
                     Goal("J: reading 10,000", r.median("J", MANY, "procd", "load"), 500, "ms"),
                     Goal("J: says how many files it needs", r.median("J", MANY, "procd", "told"), MANY, at_least=True)]
        return found

    def remarks(self, r):
        """What the slope between the least and the largest size says about 100,000."""
        sizes = r.sizes("J")
        if len(sizes) < 2:
            return []
        said = []
        for figure, what, unit, scale in (("wall", "started in", "s", 1e3), ("pss", "memory", "MiB", 1024)):
            low, high = (r.median("J", n, "procd", figure) for n in (sizes[0], sizes[-1]))
            if low and high:
                slope = (high - low) / (sizes[-1] - sizes[0])
                said.append("%s %.1f %s" % (what, (high + slope * (FAR - sizes[-1])) / scale, unit))
        return ["Projected to 100,000 from the slope between %d and %d: %s." % (sizes[0], sizes[-1], ", ".join(said))]


WORK = Limit()
