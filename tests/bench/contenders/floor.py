"""The bare floor (programs/floor.c): waiting with pidfds, or for any child; and what control groups alone add to it."""

import os
import platform

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
        return [self.program("floor")] + self.words_first() + [self.path("sock"), str(self.n)] + service

    def words_first(self):
        return list(self.flags)

    def status_command(self, i):
        return [self.program("floor"), "-q", self.path("sock")] + ([] if i is None else [str(i)])


class FloorAny(Floor):
    name = "floor-any"
    note = "the same, waiting for any child instead: no descriptors, but the kernel walks all children"
    flags = ("-a",)


def own_group():
    """The directory of this process's own group in the hierarchy of version 2; None: there is none."""
    with open("/proc/self/mounts", encoding="utf-8") as f:
        mounts = [line.split()[1] for line in f if line.split()[2] == "cgroup2"]
    with open("/proc/self/cgroup", encoding="utf-8") as f:
        paths = [line.rstrip("\n")[3:] for line in f if line.startswith("0::")]
    return mounts[0] + paths[0].rstrip("/") if mounts and paths else None


class FloorGroups(Floor):
    name = "floor-groups"
    is_floor = False    # ratios are to the bare ones
    only_for = "ABD"
    group = ""
    note = "floor with a control group for each service, as procd has it: what these alone cost"

    @classmethod
    def missing(cls, build):
        group = own_group()
        if platform.machine() != "x86_64":
            return "is written for x86_64"
        return None if group and os.access(group, os.W_OK) else "control groups of version 2 cannot be made here"

    def words_first(self):
        self.group = os.path.join(own_group(), "procd-bench-%d" % os.getpid())
        os.makedirs(self.group, exist_ok=True)
        return ["-g", self.group]

    def __exit__(self, *about):
        super().__exit__(*about)
        for name in os.listdir(self.group) if os.path.isdir(self.group) else []:
            if os.path.isdir(os.path.join(self.group, name)):
                os.rmdir(os.path.join(self.group, name))
        if os.path.isdir(self.group):
            os.rmdir(self.group)


CONTENDERS = [Floor, FloorAny, FloorGroups]
