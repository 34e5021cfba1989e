"""s6: s6-svscan, an s6-supervise for each service."""

from contenders.scan import Scan


class S6(Scan):
    name = "s6"
    needs = ("s6-svscan", "s6-supervise", "s6-svscanctl", "s6-svstat", "s6-svc", "s6-log")
    note = "waits 1 s before every restart"
    kills = 5

    def command(self):
        return ["s6-svscan", "-c", str(2 * self.n + 100), self.services_dir()]

    def ask_to_stop(self):
        self.call(["s6-svscanctl", "-t", self.services_dir()])

    def status_command(self, i):
        if i is not None:
            return ["s6-svstat", self.service_dir(i)]
        return ["sh", "-c", 'for d in "$0"/*; do s6-svstat "$d" || exit 1; done', self.services_dir()]

    def reload(self, changed, added, removed):
        self.change(changed, added, removed)
        return ["sh", "-c", 's6-svscanctl -an "$0" && s6-svc -r "$1"', self.services_dir(), self.service_dir(changed)]

    def logger(self, i):
        return ["s6-log", "s99999999", "n2", self.path("logs", str(i))]


CONTENDERS = [S6]
