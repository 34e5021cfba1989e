"""Disks that are full, broken, or became read-only: for the run directory, and for the logs.

A small tmpfs stands for the disk. While there is no room, children run, crash, stop and start as
ever, and a supervisor that is killed comes back; when there is room again everything is as before
without a hand, and what was lost meanwhile is counted.

What is written to cannot be remounted read-only. So the logs get a read-only mount on top of them,
where files are opened and renamed from then on; the run directory is remounted while only children
are left; and a disk breaks as they do: ext4 on a loop device gives up and writes nothing any more.
"""

import ctypes
import os
import subprocess

from flows import FIRST, SECOND, Scene, crash_mortal, stop_and_start, untouched
from harness import Skip, alive, check, contains, equal, need_program, need_root, wait_until

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
        """As soon as nobody has anything open for writing; the last thread of a process that died may."""
        command = ["mount", "-o", "remount,bind,ro", self.path]
        wait_until(lambda: subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0, "it is read-only", 5)

    def writable(self):
        self.mount("-o", "remount,bind,rw", self.path)


class BrokenDisk(Disk):
    """An ext4 that is given up by its file system, which no remount takes back."""

    def __init__(self, world, path):
        image = world.path("disk.img")
        with open(image, "wb") as f:
            f.truncate(16 << 20)
        self.path = path
        os.makedirs(path, exist_ok=True)
        for command in ([need_program("mkfs.ext4"), "-q", image], ["mount", "-o", "loop", image, path]):
            if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
                raise Skip("needs ext4 and loop devices")

    def break_(self):
        self.mount("-o", "remount,abort", self.path)
        try:
            os.mkdir(os.path.join(self.path, "probe"))
        except OSError:
            return
        raise Skip("an ext4 that is told to give up goes on")


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
    os.kill(s.p.pid, 9)
    s.p.wait_end()
    wait_until(lambda: not alive(s.supervisor), "the supervisor ends with its keeper")
    disk.read_only()
    check(not s.launch(False), "procd started on a read-only run directory")
    equal(s.p.process.returncode, 73, "exit code")
    contains(s.text(), "Read-only file system", "procd's word")
    untouched(s, *s.names)
    disk.writable()
    come_up(s)
    s.prints("go", FIRST)
    end(s)


def run_broken(world):
    disk, s = BrokenDisk(world, world.path("run")), start(world)
    come_up(s)
    disk.break_()
    life_goes_on(s)
    s.prints("go", FIRST)
    s.prints("go-on", SECOND)
    s.runs(*s.names)
    s.p.stop(want=0)
    s.nobody_doubled()


def log_read_only(world):
    disk, s = Disk(world.path("logs"), "1M"), start(world)
    s.log_path = world.path("logs", "writer.log")
    come_up(s)
    disk.mount("--bind", disk.path, disk.path)
    disk.mount("-o", "remount,bind,ro", disk.path)
    open(world.path("go"), "w").close()
    s.p.ctl("reopen-logs")
    wait_until(lambda: "Read-only file system" in s.text(), "procd says that its disk is read-only")
    life_goes_on(s)
    subprocess.run(["umount", disk.path], check=True)
    s.prints("go", FIRST)
    s.consequences.clear()
    s.prints("go-on", SECOND)
    end(s)


def log_broken(world):
    disk, s = BrokenDisk(world, world.path("logs")), start(world)
    s.log_path = world.path("logs", "writer.log")
    come_up(s)
    disk.break_()
    open(world.path("go"), "w").close()
    wait_until(lambda: "writer.log" in s.text(), "procd says that its disk is broken")
    life_goes_on(s)
    s.runs(*s.names)
    s.p.stop(want=0)
    s.nobody_doubled()


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
         "run-broken": run_broken, "log-full": log_full, "log-read-only": log_read_only, "log-broken": log_broken}


def names():
    return ["space/" + n for n in CASES]


def case(world, name):
    own_mounts()
    CASES[name](world)
    return {"hits": [name], "consequences": []}
