"""runit: runsvdir, a runsv for each service; and the same out of busybox."""

import os
import signal

from contenders.scan import Scan


class Runit(Scan):
    name = "runit"
    needs = ("runsvdir", "runsv", "sv", "svlogd")
    note = "waits 1 s before a restart of what ran for less than 1 s; looks for new services each 5 s"

    def command(self):
        return ["runsvdir", "-P", self.services_dir()]

    def ask_to_stop(self):
        os.kill(self.pid, signal.SIGHUP)

    def status_command(self, i):
        return ["sv", "status"] + [self.service_dir(k) for k in (range(self.n) if i is None else [i])]

    def reload(self, changed, added, removed):
        self.change(changed, added, removed)
        return ["sv", "restart", self.service_dir(changed)]

    def logger(self, i):
        os.makedirs(self.path("logs", str(i)), exist_ok=True)
        self.write("logs/%d/config" % i, "s0\n")
        return ["svlogd", self.path("logs", str(i))]


CONTENDERS = [Runit]
