"""I: from the end of a child until the line that tells of it is at a subscriber."""

import grp
import os
import select
import subprocess
import threading

from figures import Goal
from works.base import Work

OTHERS, STOPPED = 63, 32
OF_ONE_USER = 15    # procd takes 16 connections of one user, and one of ours is for who measures
FIRST_USER = 61000
SERVICES = 20
READERS = "nogroup"


class Readers(threading.Thread):
    """Reads what comes on some of the connections, and throws it away. Nobody reads the others."""

    def __init__(self, connections):
        super().__init__(daemon=True)
        self.over, self.poll = False, select.poll()
        self.sockets = {c.sock.fileno(): c.sock for c in connections}
        for fd in self.sockets:
            self.poll.register(fd, select.POLLIN)

    def run(self):
        while not self.over:
            for fd, _ in self.poll.poll(100):
                if not self.sockets[fd].recv(1 << 20):
                    self.poll.unregister(fd)


class Event(Work):
    letter = "I"
    once = True
    title = "the end of a child, told to a subscriber"
    figures = {"alone": ("the only subscriber", "us"), "crowd": ("of 64, half of them stopped", "us")}
    notes = ("Run by root the 64 are of five users, otherwise they are 16: procd takes 16 connections of one user.",)
    with_p99 = ("alone", "crowd")

    def sizes(self, wanted):
        return [SERVICES]

    def takes(self, contender, size, quick):
        return contender.name == "procd"

    def measure(self, contender, build, size, put, quick):
        count = 100 if quick else 300
        with contender(build, size, ["sleep"], {"readers": READERS}) as c:
            c.start()
            c.wait_started()
            put("alone", self.lags(c, count))
            others = self.subscribe(c)
            readers = Readers(others[STOPPED * len(others) // OTHERS:])
            readers.start()
            put("crowd", self.lags(c, count))
            readers.over = True
            readers.join()
            for connection in others:
                connection.close()

    @staticmethod
    def subscribe(c):
        """Subscribers of several users: all of them when run by root, else only our own."""
        found = []
        for k in range(OTHERS if os.geteuid() == 0 else OF_ONE_USER):
            if k >= OF_ONE_USER:
                os.setegid(grp.getgrnam(READERS).gr_gid)
                os.seteuid(FIRST_USER + k // OF_ONE_USER)
            try:
                found.append(c.connect())
            finally:
                os.seteuid(os.getuid())
                os.setegid(os.getgid())
            answer = found[-1].call("events.subscribe")
            if "result" not in answer:
                raise RuntimeError(str(answer))
        return found

    @staticmethod
    def lags(c, count):
        done = subprocess.run([c.program("subscriber"), c.socket_path(), c.board.path, str(c.n), str(count)],
                              capture_output=True, text=True, timeout=c.patience_s, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return [float(line) for line in done.stdout.split()]

    def goals(self, r):
        found = []
        for figure, text in (("alone", "alone"), ("crowd", "64 subscribers, 32 stopped")):
            found += [Goal("I, %s: median" % text, r.median("I", SERVICES, "procd", figure), 300, "us"),
                      Goal("I, %s: p99" % text, r.p99("I", SERVICES, "procd", figure), 3000, "us")]
        return found if r.sizes("I") else []


WORK = Event()
