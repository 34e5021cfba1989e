"""The bare floor, twice: waiting with pidfds, and waiting for any child (programs/floor.c)."""

import os

from contenders.base import Contender


class Floor(Contender):
    name = "floor"
    is_floor = True
    note = "does the least possible in C: no configuration, no output, no state; waits with pidfds"
    flags = ()

    @classmethod
    def missing(cls, build):
        return None

    def command(self):
        if self.options.get("log"):
            os.mkdir(self.path("logs"))
            return [self.program("pump"), self.path("logs", "0")] + self.service_words(0)
        service = [self.program("service"), self.board.path, "%"] + self.mode
        return [self.program("floor")] + list(self.flags) + [self.path("sock"), str(self.n)] + service

    def status_command(self, i):
        return [self.program("floor"), "-q", self.path("sock")] + ([] if i is None else [str(i)])


class FloorAny(Floor):
    name = "floor-any"
    note = "the same, waiting for any child instead: no descriptors, but the kernel walks all children"
    flags = ("-a",)


CONTENDERS = [Floor, FloorAny]
