"""busybox's own runit."""

import subprocess

from contenders.runit import Runit


class Busybox(Runit):
    name = "busybox"
    needs = ("busybox",)
    note = "runit's design, with its delays"

    @classmethod
    def missing(cls, build):
        absent = super().missing(build)
        if absent:
            return absent
        applets = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
        lacking = [a for a in ("runsvdir", "runsv", "sv") if a not in applets]
        return "this busybox is built without " + ", ".join(lacking) if lacking else None

    def command(self):
        return ["busybox"] + super().command()

    def status_command(self, i):
        return ["busybox"] + super().status_command(i)


CONTENDERS = [Busybox]
