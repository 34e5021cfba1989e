"""daemontools: svscan, a supervise for each service."""

import os
import signal

from contenders.scan import Scan


class Daemontools(Scan):
    name = "daemontools"
    needs = ("svscan", "supervise", "svc", "svstat", "multilog")
    note = "waits 1 s before a restart of what ran for less than 1 s; looks for new services each 5 s"

    def command(self):
        return ["svscan", self.services_dir()]

    def ask_to_stop(self):
        os.kill(self.pid, signal.SIGKILL)   # it has no end of its own
        self.call(["svc", "-dx"] + [self.service_dir(i) for i in range(self.n)])

    def status_command(self, i):
        return ["svstat"] + [self.service_dir(k) for k in (range(self.n) if i is None else [i])]

    def logger(self, i):
        return ["multilog", "s16777215", "n1000", self.path("logs", str(i))]


CONTENDERS = [Daemontools]
