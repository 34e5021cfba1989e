"""What all contenders have in common: a directory, a board, services, and a way to be started and ended."""

import os
import shutil
import signal
import subprocess
import tempfile

import tree
from board import Board

MEMORY = "/dev/shm"


def in_memory(prefix):
    """A directory in memory where there is one: disks are not what is compared."""
    return tempfile.mkdtemp(prefix=prefix, dir=MEMORY if os.access(MEMORY, os.W_OK) else None)


class Contender:
    name = ""
    needs = ()          # programs without which it cannot run
    note = ""           # what it does by design that a figure cannot show, such as fixed delays
    is_floor = False
    only_for = ""       # letters of works; empty: all
    most = 10**6        # services; more is beyond it, or beyond the time of a run
    settle_s = 0.0      # how long a service must have run before its restart is not throttled
    kills = 100         # restarts measured in one round: few where each is delayed by design
    stays = True        # the process that is started is the supervisor
    patience_s = 60     # for one thing

    @classmethod
    def missing(cls, build):
        """None, or why it cannot be run here."""
        absent = [p for p in cls.needs if not cls.find(build, p)]
        return "not installed: " + ", ".join(absent) if absent else None

    @staticmethod
    def find(build, program):
        peers = os.path.join(build + "-peers", "node_modules", ".bin", program)
        return peers if os.access(peers, os.X_OK) else shutil.which(program)

    def __init__(self, build, n, mode, options=None, spare=0):
        """N services that do MODE (the words after the index; programs/service.c), and room for SPARE
        more. OPTIONS: "log": output goes into files; others are procd's."""
        self.build, self.n, self.mode, self.options = build, n, list(mode), options or {}
        self.dir = in_memory("procd-bench-")
        os.chmod(self.dir, 0o755)
        self.board = Board(self.path("board"), n + spare)
        self.pid = 0

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def program(self, name):
        return os.path.join(self.build, "tests", "bench", "programs", name)

    def service_words(self, i):
        return [self.program("service"), self.board.path, str(i)] + self.mode

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def environment(self):
        return dict(os.environ, HOME=self.dir)

    # --- what each defines ---

    def prepare(self):
        """Write its configuration: not measured."""

    def command(self):
        raise NotImplementedError

    def ask_to_stop(self):
        os.kill(self.pid, signal.SIGTERM)

    # status_command(i): the client that tells of service I (None: of all); absent when there is none.

    def log_files(self):
        """Where output goes with the option "log"."""
        return [os.path.join(where, name) for where, _, names in os.walk(self.path("logs"))
                for name in names if name not in ("config", "lock", "state")]

    # reload(changed, added, removed): start service CHANGED anew with other words, ADDED newly, end REMOVED, and
    # return when that was ordered; absent when that cannot be had.

    # --- common ---

    def start(self, files=0):
        """Returns at once."""
        self.prepare()
        self.launch(self.command(), files)
        return self

    def launch(self, words, files=0):
        with open(self.path("said"), "wb") as said, open(os.devnull, "rb") as nothing:
            argv = [self.program("launch"), self.board.path, str(files)] + words
            actions = [(os.POSIX_SPAWN_DUP2, nothing.fileno(), 0), (os.POSIX_SPAWN_DUP2, said.fileno(), 1),
                       (os.POSIX_SPAWN_DUP2, said.fileno(), 2)]
            self.pid = os.posix_spawn(argv[0], argv, self.environment(), file_actions=actions, setsid=True)

    def logged(self):
        total = 0
        for path in self.log_files():
            try:
                total += os.stat(path).st_size
            except OSError:
                pass
        return total

    def said(self):
        return tree.read(self.path("said"))[-2000:]

    def wait_started(self):
        return self.board.wait_all_started(self.n, self.patience_s + self.n / 50, self.has_ended)

    def has_ended(self):
        """Its first process has, and should not have."""
        return self.stays and (tree.stat(self.pid) or "Z")[0] == "Z"

    def call(self, words, timeout=60):
        """Run one of its clients to the end; its output."""
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                              env=self.environment(), check=False)
        if done.returncode != 0:
            raise RuntimeError("%s: exit code %d: %s" % (" ".join(words), done.returncode,
                                                       (done.stderr + done.stdout)[-500:]))
        return done.stdout

    def own_pids(self):
        """All its processes that are not services."""
        services = {s.pid for s in self.board.services() if s.starts}
        return [pid for pid in tree.descendants() if pid not in services]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        tree.kill_all()
        self.board.map.close()
        shutil.rmtree(self.dir, ignore_errors=True)
