"""The runner's side of programs/board.h: who was started when, as the programs themselves noted it."""

import mmap
import os
import struct
import time

SLOT = struct.Struct("<QqqQq24x")
PAGE = 4096
POLL_S = 0.001


class Late(Exception):
    """What was waited for did not happen in time."""


class Slot:
    def __init__(self, starts, started_ns, pid, written, done_ns):
        self.starts, self.started_ns, self.pid = starts, started_ns, pid
        self.bytes, self.done_ns = written, done_ns


class Board:
    def __init__(self, path, services):
        self.path, self.n = path, services
        size = -(-(services + 1) * SLOT.size // PAGE) * PAGE
        with open(path, "wb") as f:
            f.truncate(size)
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.map = mmap.mmap(fd, size)
        os.close(fd)

    def service(self, i):
        return Slot(*SLOT.unpack_from(self.map, (i + 1) * SLOT.size))

    def services(self):
        return [self.service(i) for i in range(self.n)]

    def launched_ns(self):
        """When the supervisor's executable was started."""
        return SLOT.unpack_from(self.map, 0)[1]

    def starts(self):
        return [self.service(i).starts for i in range(self.n)]

    def wait(self, done, what, timeout):
        """The record carries the times, so it does not matter when it is looked at."""
        deadline = time.monotonic() + timeout
        while not done():
            if time.monotonic() > deadline:
                raise Late("not within %g s: %s" % (timeout, what))
            time.sleep(POLL_S)

    def wait_all_started(self, n, timeout, hopeless):
        """Returns when the last of the first N was started; HOPELESS() tells that it will not be."""
        at = 0
        deadline = time.monotonic() + timeout
        while at < n:
            if self.service(at).starts:
                at += 1
            elif hopeless():
                raise Late("it has ended")
            elif time.monotonic() > deadline:
                raise Late("%d of %d started within %g s" % (sum(s.starts > 0 for s in self.services()), n, timeout))
            else:
                time.sleep(POLL_S * 5)
        return max(self.service(i).started_ns for i in range(n))

    def wait_restart(self, i, before, timeout):
        """The slot of the instance that follows the one in BEFORE."""
        self.wait(lambda: self.service(i).starts > before.starts, "restart of service %d" % i, timeout)
        return self.service(i)
