"""G: 200 services that end at once, restarted without delay."""

import subprocess
import time

import tree
from figures import Goal
from works.base import Work

LOOPERS = 200


class Storm(Work):
    letter = "G"
    title = "200 crash loops"
    figures = {"rate": ("restarts per second", "1/s"), "cpu": ("CPU per restart", "us"),
               "status": ("status of one meanwhile", "ms"), "uneven": ("restarts off the mean, at most", "%"),
               "backoff": ("status of one, default backoff", "ms")}
    more_is_better = ("rate",)
    chart = "rate"
    once = True
    notes = ("With no delay wherever it can be told so. CPU is that of the whole tree. Where a status had no answer in "
             "the time, there is no figure.",)

    def sizes(self, wanted):
        return [LOOPERS]

    def takes(self, contender, size, quick):
        return super().takes(contender, 0 if contender.name == "pm2" else size, quick)

    def measure(self, contender, build, size, put, quick):
        seconds = 3 if quick else 10 if contender.name == "procd" or contender.is_floor else 5
        with contender(build, size, ["crash"]) as c:
            c.start()
            c.wait_started()
            time.sleep(1)
            counts, cpu, began = c.board.starts(), tree.tree_cpu_s(), time.monotonic()
            asked = self.ask(c, seconds)
            took, now = time.monotonic() - began, c.board.starts()
            each = [a - b for a, b in zip(now, counts)]
            put("rate", sum(each) / took)
            if sum(each):
                put("cpu", (tree.tree_cpu_s() - cpu) * 1e6 / sum(each))
                mean = sum(each) / size
                put("uneven", max(abs(n - mean) for n in each) * 100 / mean)
            if asked:
                put("status", asked)
        if contender.name == "procd":
            with contender(build, size, ["crash"], {"restart_delay": "100ms"}) as c:
                c.start()
                c.wait_started()
                put("backoff", self.ask(c, 3))

    @staticmethod
    def ask(c, seconds):
        """Ask for the state of one for SECONDS, each 50 ms. The answers' times in ms."""
        words = [c.program("stopwatch"), "1000000", "50"] + c.status_command(0)
        asker = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                 env=c.environment())
        time.sleep(seconds)
        asker.terminate()
        return [float(line) / 1e3 for line in asker.communicate()[0].split()]

    def goals(self, r):
        n = LOOPERS
        if not r.sizes("G"):
            return []
        return [Goal("G: restarts per second, x floor", r.ratio("G", n, "rate", best=max), 0.7, "x", at_least=True),
                Goal("G: CPU per restart, x floor", r.ratio("G", n, "cpu"), 1.4, "x"),
                Goal("G: status meanwhile, x floor", r.ratio("G", n, "status"), 1, "x"),
                Goal("G: status with the default backoff", r.median("G", n, "procd", "backoff"), 5, "ms"),
                Goal("G: restarts off the mean", r.median("G", n, "procd", "uneven"), 5, "%")]


WORK = Storm()
