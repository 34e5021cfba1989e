"""Disks that are full, or became read-only: for the run directory, and for the logs.

A small tmpfs stands for the disk. While there is no room, children run, crash, stop and start as
ever, and a supervisor that is killed comes back; when there is room again everything is as before
without a hand, and what was lost meanwhile is counted.
"""

import ctypes
import os
import subprocess

from flows import FIRST, SECOND, Scene, crash_mortal, stop_and_start, untouched
from harness import Skip, check, contains, equal, need_root, wait_until

CLONE_NEWNS = 0x00020000


class NoTrace:
    """Nothing is injected here."""

    role, thread = "none", ""

    def launcher(self):
        return []

    def attach(self, _p):
        pass

    def detach(self, _p):
        pass

    def hits(self):
        return []


class Disk:
    """A tmpfs of SIZE at PATH, in a mount namespace that ends with the case."""

    def __init__(self, path, size):
        self.path, self.filler = path, os.path.join(path, "filler")
        os.makedirs(path, exist_ok=True)
        self.mount("-t", "tmpfs", "-o", "size=%s,mode=755" % size, "tmpfs", path)

    @staticmethod
    def mount(*args):
        subprocess.run(["mount"] + list(args), check=True)

    def fill(self):
        fd = os.open(self.filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            while True:
                os.write(fd, b"x" * 4096)
        except OSError:
            pass
        os.close(fd)

    def free(self):
        os.unlink(self.filler)

    def read_only(self):
        self.mount("-o", "remount,ro", self.path)

    def writable(self):
        self.mount("-o", "remount,rw", self.path)


def own_mounts():
    need_root()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
        raise Skip("needs a mount namespace")
    Disk.mount("--make-rprivate", "/")


def start(world):
    scene = Scene(world, NoTrace())
    scene.top = "[performance]\nmemory_pool_size = 65536\n"
    return scene


def come_up(s):
    check(s.launch(False), "procd does not start")
    s.runs(*s.names)
    s.before = {n: s.pid(n) for n in s.names}
    s.supervisor = s.p.supervisor_pid()


def life_goes_on(s):
    """All that needs no new room: with the same processes, and a supervisor that is killed between."""
    crash_mortal(s)
    stop_and_start(s)
    os.kill(s.supervisor, 9)
    s.supervisor = s.p.supervisor_pid(other_than=s.supervisor)
    wait_until(s.p.rpc_alive, "the new supervisor answers")
    untouched(s, "stable", "writer")
    crash_mortal(s)
    equal(s.consequences, [], "consequences")


def end(s):
    s.names = ["stable", "mortal", "writer"]
    s.runs(*s.names)
    s.p.stop(want=0)
    s.nobody_doubled()
    s.numbered()


def run_full(world):
    disk, s = Disk(world.path("run"), "3M"), start(world)
    come_up(s)
    disk.fill()
    life_goes_on(s)
    s.p.write(s.config(changed=True))
    s.p.ctl("reload-config")  # it adds one: with what is left, or not at all
    untouched(s, "stable", "writer")
    disk.free()
    check(s.ctl("reload-config"), "reload-config with room")
    wait_until(lambda: s.living("extra"), "extra runs")
    s.prints("go", FIRST)
    s.prints("go-on", SECOND)
    equal([c for c in s.consequences if "lost" in c], [], "losses")
    end(s)


def run_full_at_start(world):
    disk, s = Disk(world.path("run"), "3M"), start(world)
    disk.fill()
    check(not s.launch(False), "procd started without room")
    equal(s.p.process.returncode, 73, "exit code")
    contains(s.text(), "No space left on device", "procd's word")
    disk.free()
    come_up(s)
    s.prints("go", FIRST)
    end(s)


def run_read_only(world):
    disk, s = Disk(world.path("run"), "3M"), start(world)
    come_up(s)
    try:
        disk.read_only()
    except subprocess.CalledProcessError:
        pass  # busy, as files are open for writing: then there is nothing to see
    life_goes_on(s)
    disk.writable()
    s.prints("go", FIRST)
    end(s)


def log_full(world):
    disk, s = Disk(world.path("logs"), "1M"), start(world)
    s.log_path = world.path("logs", "writer.log")
    come_up(s)
    disk.fill()
    open(world.path("go"), "w").close()
    wait_until(lambda: "No space left on device" in s.text(), "procd says that its disk is full")
    life_goes_on(s)
    disk.free()
    s.prints("go", FIRST)
    s.consequences.clear()
    s.prints("go-on", SECOND)
    end(s)


CASES = {"run-full": run_full, "run-full-at-start": run_full_at_start, "run-read-only": run_read_only,
         "log-full": log_full}


def names():
    return ["space/" + n for n in CASES]


def case(world, name):
    own_mounts()
    CASES[name](world)
    return {"hits": [name], "consequences": []}
