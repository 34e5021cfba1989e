"""K: a look at the configuration under reloads, and an event through the channel: lock-free, and not."""

import re
import subprocess

from figures import Goal
from works.base import Work


class Locks(Work):
    letter = "K"
    once = True
    title = "lock-free, beside locks (N: readers or senders)"
    figures = {"look": ("a look at the configuration while it is replaced", "ns"),
               "event": ("an event through the channel, with a reader", "ns"),
               "clock": ("the time", "ns")}
    notes = ("Measured on the parts themselves (tests/bench/bench_*.c).",)

    def sizes(self, wanted):
        return [1]

    def takes(self, contender, size, quick):
        return contender.name == "procd"

    @staticmethod
    def run(build, program, argument):
        return subprocess.run(["%s/tests/bench/%s" % (build, program), argument], capture_output=True, text=True,
                              timeout=60, check=True).stdout

    def measure(self, contender, build, size, put, quick):
        text = self.run(build, "bench_rcu", "100" if quick else "300")
        for name, n, ns in re.findall(r"^(\w+) +(\d) readers? +([\d.]+) ns/look", text, re.M):
            put("look", float(ns), name=name, size=int(n))
        text = self.run(build, "bench_channel", "20000" if quick else "100000")
        for name, n, ns in re.findall(r"^(\S+) +(\d) senders? +1 readers? +body +([\d.]+) ns", text, re.M):
            put("event", float(ns), name=name, size=int(n))
        text = self.run(build, "bench_clock", "1000000")
        for name, ns in re.findall(r"^(\w+) +([\d.]+) ns/read", text, re.M):
            put("clock", float(ns), name=name)

    def goals(self, r):
        return [Goal("K: a look by RCU, %d reader(s)" % n, r.median("K", n, "rcu", "look"), 5, "ns")
                for n in r.sizes("K") if r.of("K", n, "rcu", "look")]


WORK = Locks()
