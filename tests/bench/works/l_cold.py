"""L: from nothing to one running service; and how long a check of 1,000 sections takes."""

import subprocess

from figures import Goal
from works.base import Work

SECTIONS = 1000


class Cold(Work):
    letter = "L"
    title = "cold start with one service"
    figures = {"cold": ("start to its exec", "ms"), "check": ("procd check of 1,000 sections", "ms")}
    with_p99 = ("cold",)
    chart = "cold"

    def sizes(self, wanted):
        return [1]

    def measure(self, contender, build, size, put, quick):
        fast = contender.name == "procd" or contender.is_floor
        for _ in range((3 if quick else 10) if fast else 2):
            with contender(build, 1, ["sleep"]) as c:
                c.start()
                put("cold", (c.wait_started() - c.board.launched_ns()) / 1e6)
        if contender.name == "procd":
            with contender(build, SECTIONS, ["sleep"]) as c:
                c.prepare()
                done = subprocess.run([c.program("stopwatch"), "10", "0", c.executable(), "check", "-c",
                                       c.path("daemon.toml")], capture_output=True, text=True, check=True)
                put("check", [float(line) / 1e3 for line in done.stdout.split()])

    def goals(self, r):
        if not r.sizes("L"):
            return []
        return [Goal("L: cold start", r.median("L", 1, "procd", "cold"), 8, "ms"),
                Goal("L: check of 1,000 sections", r.median("L", 1, "procd", "check"), 15, "ms")]


WORK = Cold()
