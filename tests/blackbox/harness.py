"""What the black-box tests stand on: a procd in a directory of its own, and patience with a deadline.

The oracle is the event stream (a file that procd appends to) and what the outside world shows:
exit codes, files, /proc, the control socket. A test waits for a fact with a deadline and never
sleeps for time. Every process started by a test carries PROCD_TEST=<id> in its environment and has
the test's parent as its last subreaper (it plays init), so clean-up finds everything that leaked.
"""

import ctypes
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

# Sanitizer builds are several times slower; the runner sets the factor.
SCALE = float(os.environ.get("PROCD_TEST_SCALE", "1"))
POLL_S = 0.004


class Failure(AssertionError):
    """A broken expectation; carries no state, the runner prints the surroundings."""


class Skip(Exception):
    """The machine lacks what this test needs; the text says what."""


def become_init():
    """Fork; the parent plays init for the test: it reaps orphans, and kills what the test left."""
    ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    test = os.fork()
    if test == 0:
        return
    while True:
        try:
            if os.wait()[0] == test:
                for pid in descendants_of(os.getpid()):
                    try_kill(pid, signal.SIGKILL)
        except ChildProcessError:
            os._exit(0)


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


def need_program(name):
    path = shutil.which(name)
    if not path:
        raise Skip("needs the program " + name)
    return path


def check(condition, message="expectation does not hold"):
    if not condition:
        raise Failure(message() if callable(message) else message)


def equal(got, want, what="value"):
    if got != want:
        raise Failure("%s: got %r, want %r" % (what, got, want))


def contains(text, part, what="text"):
    if part not in text:
        raise Failure("%s: %r not found in:\n%s" % (what, part, text))


def wait_until(probe, what, timeout=30.0):
    """Return probe()'s first true result; raise Failure when TIMEOUT passed."""
    deadline = time.monotonic() + timeout * SCALE
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Failure("not within %g s: %s" % (timeout * SCALE, what() if callable(what) else what))
        time.sleep(POLL_S)


# --- /proc ---------------------------------------------------------------------------------------

def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def stat_fields(pid):
    """Fields of /proc/PID/stat after the name: [0] state, [1] ppid, [2] pgrp, [3] session; or None."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as f:
            return f.read().rpartition(b") ")[2].decode().split()
    except OSError:
        return None


def alive(pid):
    """Runs and is not a zombie."""
    fields = stat_fields(pid)
    return bool(fields) and fields[0] not in "ZX"


def wait_gone(pid, timeout=30.0):
    wait_until(lambda: not alive(pid), "pid %d is gone" % pid, timeout)


def wait_ignores(pid, name):
    """Until PID ignores or blocks the signal: it does so a moment after it runs."""
    def does():
        masks = dict(line.split(":\t", 1) for line in read_text("/proc/%d/status" % pid).splitlines())
        return (int(masks["SigIgn"], 16) | int(masks["SigBlk"], 16)) & 1 << (getattr(signal, name) - 1)
    wait_until(does, "pid %d ignores %s" % (pid, name))


def start_ticks(pid):
    fields = stat_fields(pid)
    return int(fields[19]) if fields else None


def read_link(path):
    try:
        return os.readlink(path)
    except OSError:
        return None


def comm(pid):
    try:
        with open("/proc/%d/comm" % pid) as f:
            return f.read().strip()
    except OSError:
        return ""


def cmdline(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""


def environ(pid):
    try:
        with open("/proc/%d/environ" % pid, "rb") as f:
            return f.read().split(b"\0")
    except OSError:
        return []


def children_of(pid):
    result = []
    for other in pids():
        fields = stat_fields(other)
        if fields and int(fields[1]) == pid:
            result.append(other)
    return result


def descendants_of(pid):
    parents = {}
    for other in pids():
        fields = stat_fields(other)
        if fields:
            parents.setdefault(int(fields[1]), []).append(other)
    found, todo = [], [pid]
    while todo:
        for child in parents.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


def try_kill(pid, signo):
    try:
        os.kill(pid, signo)
    except ProcessLookupError:
        pass


# --- files ---------------------------------------------------------------------------------------

def read_bytes(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return b""


def read_text(path):
    return read_bytes(path).decode("utf-8", "replace")


def write_text(path, text, mode=None):
    with open(path, "w") as f:
        f.write(text)
    if mode is not None:
        os.chmod(path, mode)
    return path


def toml(value):
    """VALUE as TOML: str, bool, number, list, dict (inline table)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join("%s = %s" % (k, toml(v)) for k, v in value.items()) + " }"
    return json.dumps(str(value))


class Result:
    """What a finished client command left."""

    def __init__(self, argv, rc, out, err):
        self.argv, self.rc, self.out, self.err = argv, rc, out, err

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as e:
            raise Failure("no JSON from %s: %s\n%s" % (self.argv, e, self))

    def expect(self, rc):
        if self.rc != rc:
            raise Failure("exit code %d, want %d\n%s" % (self.rc, rc, self))
        return self

    def __str__(self):
        return "$ %s\nexit %s\nstdout: %s\nstderr: %s" % (
            " ".join(self.argv), self.rc, self.out[-3000:], self.err[-3000:])


# --- one test's world ------------------------------------------------------------------------------

class World:
    """Handed to each test: a scratch directory, the programs, and the means to start procd."""

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.procd_path = os.path.join(self.build, "procd")
        self.child_path = os.path.join(self.build, "tests/tools/child")
        # Short: a socket's path has 107 bytes.
        self.dir = os.path.realpath(tempfile.mkdtemp(prefix="pt-", dir="/tmp"))
        self.id = os.path.basename(self.dir)
        self.instances = []
        os.environ["PROCD_TEST"] = self.id

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def env(self, extra=None):
        env = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": self.dir,
            "TMPDIR": "/tmp",
            "PROCD_TEST": self.id,
            "NO_COLOR": "1",
        }
        # Of the runner's --backend and --channel; a test's own file says less than the environment.
        if os.environ.get("PROCD_TEST_BACKEND"):
            env["DAEMON_PERFORMANCE_EVENT_BACKEND"] = os.environ["PROCD_TEST_BACKEND"]
        if os.environ.get("PROCD_TEST_CHANNEL"):
            env["DAEMON_PERFORMANCE_LOCK_FREE"] = str(os.environ["PROCD_TEST_CHANNEL"] == "lockfree").lower()
        # A sanitizer's report must not vanish in somebody's stderr.
        report = "log_path=%s%s" % (self.path("sanitizer"), os.environ.get("PROCD_TEST_SANITIZE", ""))
        env["ASAN_OPTIONS"] = report + ":detect_stack_use_after_return=0:allocator_may_return_null=1"
        env["UBSAN_OPTIONS"] = report + ":print_stacktrace=1"
        tsan = report + ":second_deadlock_stack=1:die_after_fork=0"
        tests = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
        env["TSAN_OPTIONS"] = tsan + ":suppressions=" + os.path.join(tests, "tsan.supp")
        env["LSAN_OPTIONS"] = "print_suppressions=0:suppressions=" + os.path.join(tests, "lsan.supp")
        for key, value in (extra or {}).items():
            if value is None:
                env.pop(key, None)
            else:
                env[key] = value
        return env

    def crash_env(self):
        """For a procd that the test crashes on purpose: a sanitizer has nothing to report then."""
        env = self.env()
        return {k: env[k] + ":handle_segv=0:handle_abort=0" for k in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")}

    def run(self, *args, timeout=20.0, env=None, stdin=None, cwd=None, user=None):
        """Run procd with ARGS to its end (a client verb, or a start that must fail)."""
        return self.run_program([self.procd_path] + [str(a) for a in args], timeout, env, stdin, cwd, user)

    def features(self):
        """The options of this build: {"metrics": True, ...}."""
        return self.run("features", "--json").expect(0).json()["options"]

    def need_feature(self, *names):
        built = self.features()
        for name in names:
            if not built[name]:
                raise Skip("procd was built without " + name)

    def run_program(self, argv, timeout=20.0, env=None, stdin=None, cwd=None, user=None):
        """USER: (uid, gid) to become first."""
        def become():
            if user:
                os.setgroups([])
                os.setresgid(user[1], user[1], user[1])
                os.setresuid(user[0], user[0], user[0])

        p = subprocess.Popen(argv, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env(env),
                             cwd=cwd or self.dir, preexec_fn=become if user else None)
        try:
            out, err = p.communicate(stdin, timeout * SCALE)
        except subprocess.TimeoutExpired:
            p.kill()
            out, err = p.communicate()
            raise Failure("no end within %g s\n%s" % (timeout * SCALE, Result(argv, "-", out.decode(errors="replace"),
                                                                         err.decode(errors="replace"))))
        result = Result(argv, p.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
        result.out_bytes = out
        return result

    def child(self, *args):
        """A `command` value: the scripted child with ARGS."""
        return toml([self.child_path] + [str(a) for a in args])

    def procd(self, config="", **options):
        """Start a procd on CONFIG; see Procd."""
        p = Procd(self, config, **options)
        self.instances.append(p)
        if options.get("start", True):
            p.start()
        return p

    def sub(self, name, *args, **keys):
        """Text of [subsystem.NAME] that runs the scripted child with ARGS."""
        lines = ["[subsystem.%s]" % name, "command = " + self.child(*args)]
        lines += ["%s = %s" % (k, toml(v)) for k, v in keys.items()]
        return "\n".join(lines) + "\n"

    def surroundings(self):
        """What a reader of a failure wants to see."""
        parts = []
        for p in self.instances:
            parts.append("--- %s: config\n%s" % (p.label, read_text(p.config_path)[-3000:]))
            log = read_text(p.log_path).splitlines()
            parts.append("--- %s: procd's output (last 40 of %d lines)\n%s"
                         % (p.label, len(log), "\n".join(line[:300] for line in log[-40:])))
            parts.append("--- %s: events (last 25 of %d)\n%s" % (
                p.label, len(p.read_events()), "\n".join(json.dumps(e)[:400] for e in p.events[-25:])))
        return "\n".join(parts)

    def sanitizer_reports(self):
        return [read_text(self.path(n))[:6000] for n in sorted(os.listdir(self.dir)) if n.startswith("sanitizer.")]

    def marked(self):
        """Processes of this test, procd's own included, this one not."""
        mark = b"PROCD_TEST=" + self.id.encode()
        return [p for p in pids() if p != os.getpid() and mark in environ(p)]

    def clean(self):
        """Kill all that is left, then remove the directory."""
        for _ in range(200):
            # The keepers first, or they would bring back what dies.
            left = sorted(set(self.marked() + descendants_of(os.getppid())) - {os.getpid()})
            for pid in left:
                try_kill(pid, signal.SIGKILL)
            if not [p for p in left if alive(p)]:
                break
            time.sleep(0.01)
        for place, _, _ in os.walk(self.dir):
            # a run directory on a disk has its FIFOs in memory; a killed procd leaves them
            fifos = os.path.join(place, "fifo")
            if os.path.islink(fifos):
                shutil.rmtree(os.path.realpath(fifos), ignore_errors=True)
        shutil.rmtree(self.dir, ignore_errors=True)


class Procd:
    """One instance. Options: label, args (more of the command line), env, start (False: not yet),
    wait (False: do not wait until it answers), wrap (False: CONFIG is the whole file), cwd, user
    (uid, gid), launcher (argv in front), socket (when the config names one), limits {RLIMIT: (soft, hard)}, umask, pass_fds."""

    def __init__(self, world, config, label="procd", args=(), env=None, wrap=True, cwd=None, user=None,
                 launcher=(), limits=None, umask=None, pass_fds=(), stdout=None, wait=True, start=True, socket=None,
                 preexec=None):
        self.world, self.label, self.args, self.extra_env = world, label, list(args), env
        self.wrap, self.cwd, self.user, self.launcher = wrap, cwd, user, list(launcher)
        self.limits, self.umask, self.pass_fds, self.stdout = limits or {}, umask, pass_fds, stdout
        self.wait, self.preexec, self.given_socket = wait, preexec, socket
        suffix = "" if label == "procd" else "-" + label
        self.config_path = world.path("daemon%s.toml" % suffix)
        self.run_dir = world.path("run" + suffix)
        self.events_path = world.path("events%s.jsonl" % suffix)
        self.log_path = world.path("procd%s.log" % suffix)
        self.events, self._offset, self._inode = [], 0, None
        self.process = None
        if config is not None:
            self.write(config)

    # --- its file ---

    def text(self, config):
        if not self.wrap:
            return config
        text = 'run_dir = "%s"\n' % self.run_dir + config
        if "[events]" not in config:
            text += '\n[events]\noutput = "file:%s"\n' % self.events_path
        return text

    def write(self, config, how="rename"):
        """Replace the config file: by rename (editors), in place, or unlink and create."""
        text = self.text(config)
        if how == "rename":
            write_text(self.config_path + ".new", text)
            os.rename(self.config_path + ".new", self.config_path)
        else:
            if how == "recreate" and os.path.exists(self.config_path):
                os.unlink(self.config_path)
            write_text(self.config_path, text)

    # --- life ---

    def start(self):
        def before_exec():
            for which, value in self.limits.items():
                resource.setrlimit(which, value)
            if self.umask is not None:
                os.umask(self.umask)
            if self.user:
                os.setgroups([])
                os.setresgid(self.user[1], self.user[1], self.user[1])
                os.setresuid(self.user[0], self.user[0], self.user[0])
            if self.preexec:
                self.preexec()

        log = open(self.log_path, "ab")
        argv = self.launcher + [self.world.procd_path, "-c", self.config_path] + self.args
        self.process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=self.stdout or log, stderr=log,
            env=self.world.env(self.extra_env), cwd=self.cwd or self.world.dir, start_new_session=True,
            preexec_fn=before_exec, pass_fds=self.pass_fds)
        log.close()
        if self.wait:
            self.wait_up()
        return self

    @property
    def pid(self):
        """The keeper's pid."""
        return self.process.pid

    @property
    def socket(self):
        return self.given_socket or os.path.join(self.run_dir, "control.sock")

    def wait_up(self, timeout=30.0):
        def probe():
            if self.process.poll() is not None:
                log = read_text(self.log_path)
                if "this procd was built without it" in log:
                    raise Skip(log.strip().splitlines()[0])
                raise Failure("procd ended with %d while starting" % self.process.returncode)
            return self.rpc_alive()
        wait_until(probe, "procd answers on its control socket", timeout)

    def rpc_alive(self):
        try:
            self.rpc("status.get", {}, timeout=2)
            return True
        except (OSError, ValueError):
            return False

    def wait_end(self, timeout=20.0):
        """The exit code; -N when a signal ended it."""
        try:
            return self.process.wait(timeout * SCALE)
        except subprocess.TimeoutExpired:
            raise Failure("procd has not ended within %g s" % (timeout * SCALE))

    def stop(self, signo=signal.SIGTERM, want=0, timeout=20.0):
        """End it in order; nothing may be left."""
        os.kill(self.pid, signo)
        code = self.wait_end(timeout)
        if want is not None:
            equal(code, want, "exit code of procd")
        self.nothing_left()
        return code

    def nothing_left(self, timeout=2.0):
        def left():
            return [(p, cmdline(p)) for p in self.world.marked()
                    if any(e.startswith(b"PROCD_SUBSYSTEM=") for e in environ(p)) and alive(p)]
        wait_until(lambda: not left(), lambda: "no supervised process is left, but: %s" % left(), timeout)

    def supervisor_pid(self, other_than=None, timeout=30.0):
        def find():
            for pid in children_of(self.pid):
                if comm(pid) == "procd-super" and alive(pid) and pid != other_than:
                    return pid
            return None
        return wait_until(find, "the keeper has a supervisor", timeout)

    def kill_supervisor(self, signo=signal.SIGKILL, wait=True):
        old = self.supervisor_pid()
        os.kill(old, signo)
        if wait:
            new = self.supervisor_pid(other_than=old)
            wait_until(self.rpc_alive, "the new supervisor answers")
            return new
        return old

    # --- events ---

    def read_events(self):
        """All events so far, in order; survives rotation by rename."""
        try:
            with open(self.events_path, "rb") as f:
                f.seek(self._offset)
                data = f.read()
        except FileNotFoundError:
            return self.events
        end = data.rfind(b"\n") + 1
        self._offset += end
        for line in data[:end].splitlines():
            try:
                self.events.append(json.loads(line.decode("utf-8")))
            except ValueError as e:
                raise Failure("a line of the event file is no JSON (%s): %r" % (e, line[:500]))
        return self.events

    def mark(self):
        """A position: wait_event(after=mark) sees only what comes later."""
        return len(self.read_events())

    def mark_now(self):
        """The same, behind all that was told so far: the sink writes a moment after an answer."""
        last = self.ctl("events", "--last", "1").expect(0).json()["seq"]
        wait_until(lambda: any(e["seq"] == last for e in self.read_events()[-100:]), "event %d in the sink" % last)
        return self.mark()

    def find_events(self, after=0, **fields):
        return [e for e in self.read_events()[after:] if all(e.get(k, None) == v for k, v in fields.items())]

    def wait_event(self, predicate=None, after=0, timeout=30.0, **fields):
        """The first event past AFTER whose FIELDS equal and PREDICATE is true."""
        seen = [after]

        def probe():
            events = self.read_events()
            while seen[0] < len(events):
                e = events[seen[0]]
                seen[0] += 1
                if all(e.get(k, None) == v for k, v in fields.items()) and (not predicate or predicate(e)):
                    return e
            if self.process.poll() is not None and not self.read_events()[seen[0]:]:
                raise Failure("procd ended (%s) while waiting for an event with %r"
                              % (self.process.returncode, fields))
            return None
        return wait_until(probe, "an event with %r" % (fields or "the predicate"), timeout)

    def wait_state(self, name, state, after=0, timeout=30.0, **fields):
        return self.wait_event(type="state_changed", name=name, state=state, after=after, timeout=timeout, **fields)

    def states(self, name, after=0):
        return [e["state"] for e in self.find_events(after, type="state_changed", name=name)]

    # --- control ---

    def ctl(self, *args, timeout=20.0, **options):
        """Run a client verb against this instance."""
        args = [str(a) for a in args]
        return self.world.run(args[0], "-s", self.socket, *args[1:], timeout=timeout, **options)

    def status(self):
        return self.ctl("status", "--json").expect(0).json()

    def of(self, name):
        """The status record of subsystem NAME."""
        for s in self.status()["subsystems"]:
            if s["name"] == name:
                return s
        raise Failure("no subsystem %r in status" % name)

    def pid_of(self, name):
        return self.of(name)["pid"]

    def connect(self, timeout=30.0):
        from rpc import Connection
        return Connection(self.socket, timeout * SCALE)

    def rpc(self, method, params=None, timeout=30.0):
        connection = self.connect(timeout)
        try:
            return connection.call(method, params)
        finally:
            connection.close()


def read_report(path, timeout=30.0):
    """The JSON that `child --report-state PATH` wrote."""
    wait_until(lambda: os.path.exists(path), "the child's report " + path, timeout)
    with open(path, "rb") as f:
        report = json.loads(f.read().decode("latin-1"))
    report["env"] = dict(e.split("=", 1) for e in report["environ"] if "=" in e)
    return report


def starts(path, at_least):
    """The pids that `child --starts PATH` noted, when there are AT_LEAST: it does so a moment after it runs."""
    wait_until(lambda: len(read_text(path).split()) >= at_least, "%d starts in %s" % (at_least, path))
    return read_text(path).split()


def wait_pid_file(path, timeout=30.0):
    wait_until(lambda: os.path.exists(path), "the pid file " + path, timeout)
    return int(read_text(path))


__all__ = [n for n in dir() if not n.startswith("_")]
