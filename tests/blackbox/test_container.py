"""procd as PID 1 of a container: orphans, signals, no /proc, a read-only root, little memory (interface 1;
faults.md F15, F99, F107-F110, S58, S59, S61, G17). The container is a pid namespace made by unshare(1)."""

import os
import signal
import subprocess
import time

from harness import *

MIB = 1024 * 1024
ORPHANS = int(os.environ.get("PROCD_TEST_ORPHANS", "10000"))
MEMORY_CGROUP = "/sys/fs/cgroup/memory"


class Container(Procd):
    """A Procd that is PID 1 in there. SETUP is a shell text that runs inside, before procd."""

    def __init__(self, w, config, setup="true", proc=True, label="procd", verb=(), **options):
        need_root()
        if not proc and any(s in w.build for s in ("asan", "tsan")):
            raise Skip("sanitizers need /proc")
        unshare = need_program("unshare")
        inside = ("mount -t proc proc /proc" if proc else "umount -l /proc") + " && " + setup + ' && exec "$@"'
        super().__init__(w, config, label=label, start=False, launcher=[
            unshare, "--pid", "--mount", "--fork", "--kill-child", "--", "sh", "-c", inside, "sh"], **options)
        w.instances.append(self)
        self.verb = list(verb)
        self.start()

    def keeper(self):
        """Its pid as seen from outside."""
        return wait_until(lambda: next((c for c in children_of(self.process.pid) if comm(c) == "procd-keeper"), None),
                          "the keeper is there")

    def supervisor_pid(self, other_than=None, timeout=10.0):
        def find():
            return next((c for c in children_of(self.keeper()) if comm(c) == "procd-super" and c != other_than and alive(c)),
                        None)
        return wait_until(find, "the keeper has a supervisor", timeout)

    def end(self, signo=signal.SIGTERM, want=0):
        os.kill(self.keeper(), signo)
        equal(self.wait_end(), want, "exit code of PID 1")


def run_as_init(w, *command, signo=None, setup="true"):
    """`procd run -- COMMAND` as PID 1: its exit code, and what it printed."""
    need_root()
    p = subprocess.Popen([need_program("unshare"), "--pid", "--mount", "--fork", "--kill-child", "--", "sh", "-c",
                          "mount -t proc proc /proc && " + setup + ' && exec "$@"', "sh",
                          w.procd_path, "run", "--set", "run_dir=" + w.path("run"), "--"] + [str(c) for c in command],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=w.env(), cwd=w.dir)
    if signo is not None:
        wait_until(lambda: os.path.exists(w.path("ready")), "the command runs")
        keeper = next(c for c in children_of(p.pid))
        os.kill(keeper, signo)
    try:
        out, _ = p.communicate(timeout=20 * SCALE)
    except subprocess.TimeoutExpired:
        p.kill()
        raise Failure("PID 1 has not ended")
    return p.returncode, out.decode()


# --- orphans ---------------------------------------------------------------------------------------

class Mortuary:
    """Looks for zombies below a process and remembers how long each has been one."""

    def __init__(self, keeper):
        self.keeper, self.since, self.worst, self.looks = keeper, {}, 0.0, 0

    def look(self):
        dead = {}
        try:
            with open("/proc/%d/task/%d/children" % (self.keeper, self.keeper)) as f:
                children = [int(c) for c in f.read().split()]
        except OSError:
            children = children_of(self.keeper)
        for pid in children:
            before = time.monotonic()
            fields = stat_fields(pid)
            if fields and fields[0] == "Z":
                key = (pid, fields[19])
                dead[key] = self.since.get(key, time.monotonic())
                self.worst = max(self.worst, before - dead[key])
        self.since = dead
        self.looks += 1


def bury(w, **options):
    p = Container(w, "".join(w.sub("o%d" % i, "--orphans", ORPHANS // 2, "--pid-file", w.path("done%d" % i), restart="never")
                             for i in (1, 2))
                  + w.sub("still"), **options)
    still = p.wait_state("still", "running")["pid"]
    m = Mortuary(p.keeper())

    def done():
        m.look()
        return all(os.path.exists(w.path("done%d" % i)) for i in (1, 2))
    wait_until(done, "all orphans were made", 40 + ORPHANS / 500)
    wait_until(lambda: m.look() or not m.since, "no zombie is left")
    check(m.worst < 1.0 * SCALE, "a zombie was %.2f s old, after %d looks" % (m.worst, m.looks))
    check(m.looks > 1, "looks: %d" % m.looks)
    equal((p.of("still")["pid"], p.of("still")["restart_count"]), (still, 0), "the neighbour")
    p.end()


def test_F15_S58_orphans_are_buried_within_a_second(w):
    bury(w)


def test_F15_orphans_are_buried_without_proc_and_pidfds(w):
    bury(w, proc=False, env={"PROCD_TEST_NO_FEATURE": "pidfd_open,clone3,close_range"})


test_F15_S58_orphans_are_buried_within_a_second.deadline = 90 + ORPHANS // 300
test_F15_orphans_are_buried_without_proc_and_pidfds.deadline = 90 + ORPHANS // 300


def test_F15_orphans_are_buried_while_there_is_no_supervisor(w):
    p = Container(w, w.sub("o", "--wait-for", w.path("go"), "--orphans", 500, "--pid-file", w.path("done"), restart="never"))
    p.wait_state("o", "running")
    m = Mortuary(p.keeper())
    os.kill(p.supervisor_pid(), signal.SIGSTOP)
    write_text(w.path("go"), "")
    wait_until(lambda: m.look() or os.path.exists(w.path("done")), "all orphans were made")
    wait_until(lambda: m.look() or not m.since, "no zombie is left")
    check(m.worst < 1.0 * SCALE, "a zombie was %.2f s old" % m.worst)
    os.kill(p.supervisor_pid(), signal.SIGCONT)
    wait_until(p.rpc_alive, "it answers")
    p.end()


# --- signals and exit codes ------------------------------------------------------------------------

def test_S59_signals_to_PID_1_do_what_the_manual_says(w):
    for signo, want in ((signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGQUIT, 3)):
        p = Container(w, w.sub("a"), label="s%d" % signo)
        p.wait_state("a", "running")
        p.end(signo, want)


def test_F109_signals_without_a_default_for_PID_1_are_served(w):
    p = Container(w, w.sub("a"))
    pid = p.wait_state("a", "running")["pid"]
    p.write(w.sub("a") + w.sub("b"))
    os.kill(p.keeper(), signal.SIGHUP)
    p.wait_event(type="config_reloaded")
    os.kill(p.keeper(), signal.SIGUSR2)
    wait_until(lambda: "state: a running" in read_text(p.log_path), "the dump")
    for signo in (signal.SIGUSR1, signal.SIGPWR, signal.SIGWINCH, signal.SIGALRM, signal.SIGPIPE):
        os.kill(p.keeper(), signo)
    wait_until(p.rpc_alive, "it lives")
    equal(p.of("a")["pid"], pid, "a")
    p.end()


def test_F108_a_second_TERM_shortens(w):
    p = Container(w, "[shutdown]\ntimeout = \"20s\"\nforce_timeout = \"21s\"\nkill_timeout = \"22s\"\n"
                  + w.sub("a", "--ignore", "TERM", "--starts", w.path("starts")))
    starts(w.path("starts"), 1)    # it ignores SIGTERM by now
    os.kill(p.keeper(), signal.SIGTERM)
    p.wait_event(type="shutdown_started")
    os.kill(p.keeper(), signal.SIGTERM)
    equal(p.wait_end(), 3, "exit code")


def test_a_dead_supervisor_is_replaced_in_there_too(w):
    p = Container(w, w.sub("a"))
    pid = p.wait_state("a", "running")["pid"]
    mark = p.mark()
    os.kill(p.supervisor_pid(), signal.SIGKILL)
    p.wait_event(type="supervisor_recovered", after=mark)
    wait_until(p.rpc_alive, "it answers")
    equal(p.of("a")["pid"], pid, "a")
    p.end()


def test_S61_the_exit_code_is_the_commands(w):
    for command, want in ((["sh", "-c", "exit 0"], 0), (["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137),
                          (["sh", "-c", "kill -TERM $$"], 143), (["/no/such/command"], 127), (["/etc/passwd"], 126)):
        equal(run_as_init(w, *command)[0], want, "exit code of %r" % (command,))


def test_S61_TERM_and_INT_reach_the_command(w):
    for signo, code in ((signal.SIGTERM, 9), (signal.SIGINT, 11)):
        got, out = run_as_init(w, w.child_path, "--trap-exit", "%s=%d" % (signal.Signals(signo).name, code),
                               "--pid-file", w.path("ready"), signo=signo)
        equal(got, code, "exit code after %s; said:\n%s" % (signo, out))
        os.unlink(w.path("ready"))


def test_the_shutdown_verb_from_outside_waits_for_the_end(w):
    p = Container(w, w.sub("a"))
    p.wait_state("a", "running")
    p.ctl("shutdown", "--timeout", "15s").expect(0)
    equal(p.wait_end(5), 0, "exit code")
    check(not os.path.exists(p.run_dir) or os.listdir(p.run_dir) == [] or not os.path.exists(p.run_dir + "/lock"), "lock")


def test_a_descendant_that_outlives_its_leader_ends_with_the_container(w):
    p = Container(w, w.sub("a", "--grandchild", "+sd", w.path("g"), "--exit", 0, kill_mode="process", restart="never"))
    p.wait_state("a", "stopped")
    wait_pid_file(w.path("g"))
    keeper = p.keeper()
    inside = [c for c in children_of(keeper) if comm(c) == "child"]
    equal(len(inside), 1, "the orphan became PID 1's child")
    p.end()
    wait_gone(inside[0])


# --- what may be missing ---------------------------------------------------------------------------

def life(w, p):
    """Start, crash and restart, reload, a supervisor's death, stop of a tree, output."""
    p.wait_state("a", "running")
    p.wait_state("crash", "failed", restart_count=2)
    p.ctl("restart", "a").expect(0)
    wait_until(lambda: "hello" in p.ctl("logs", "a").out, "output")
    mark = p.mark()
    pid = p.of("a")["pid"]
    os.kill(p.supervisor_pid(), signal.SIGKILL)
    wait_until(lambda: p.rpc_alive() and p.find_events(mark, type="supervisor_recovered"), "it answers again")
    equal(p.of("a")["pid"], pid, "a after a supervisor's death")
    p.write(LIFE(w) + w.sub("new"))
    p.ctl("reload-config").expect(0)
    p.wait_state("new", "running", after=mark)
    p.ctl("stop", "a").expect(0)
    equal(p.of("a")["state"], "stopped", "a")
    p.ctl("status").expect(0)
    p.ctl("features", "--json").expect(0)


def LIFE(w):
    return w.sub("a", "--print", "hello", "--grandchild", w.path("g"), restart="always") \
        + w.sub("crash", "--exit", 3, restart="always", restart_delay_ms=10, restart_max_attempts=2)


def test_F99_without_proc(w):
    p = Container(w, LIFE(w), proc=False)
    life(w, p)
    p.end()


def test_F99_without_proc_a_tree_is_ended_as_far_as_its_group_reaches(w):
    p = Container(w, w.sub("a", "--grandchild", w.path("g"), "--trap", "TERM=" + w.path("t"), stop_timeout="1s"), proc=False)
    p.wait_state("a", "running")
    wait_pid_file(w.path("g"))
    family = [d for d in descendants_of(p.keeper()) if comm(d) == "child"]
    equal(len(family), 2, "processes")
    p.ctl("stop", "a").expect(0)
    for pid in family:
        wait_gone(pid)
    equal(read_text(w.path("t")), "TERM\n", "the stop signal came once")
    p.end()


def test_a_read_only_root(w):
    # Everything is read-only but the test's directory, with a tmpfs for the run directory.
    p = Container(w, LIFE(w), setup="mount --bind %s %s && mount -t tmpfs -o mode=755 tmpfs %s && mount -o remount,bind,ro /"
                  " && ! touch /x 2>/dev/null" % (w.dir, w.dir, w.path("run")), preexec=lambda: os.makedirs(w.path("run"), exist_ok=True), wait=False)
    inside = "/proc/%d/root%s" % (p.keeper(), p.run_dir)
    p.given_socket = inside + "/control.sock"
    wait_until(p.rpc_alive, "it answers")
    life(w, p)
    p.end()


def test_a_run_directory_that_cannot_be_written_is_said_at_once(w):
    p = Container(w, "[events]\noutput = \"none\"\n" + w.sub("a"),
                  setup="mount --bind %s %s && mount -o remount,bind,ro %s" % (w.dir, w.dir, w.dir), wait=False)
    code = p.wait_end()
    check(code in (73, 77), "exit code %d" % code)
    contains(read_text(p.log_path), p.run_dir, "message")


# --- memory ----------------------------------------------------------------------------------------

class Group:
    """A version 1 memory group of LIMIT bytes, swap included where the kernel counts it."""

    def __init__(self, w, limit):
        if not os.path.exists(MEMORY_CGROUP + "/memory.limit_in_bytes"):
            raise Skip("needs the version 1 memory controller")
        self.path = os.path.join(MEMORY_CGROUP, "procd-test-" + w.id)
        try:
            os.mkdir(self.path)
            self.write("memory.limit_in_bytes", limit)
        except OSError as e:
            raise Skip("cannot make a memory group: %s" % e)
        try:
            self.write("memory.memsw.limit_in_bytes", limit)
        except OSError:
            pass

    def write(self, name, value):
        with open(os.path.join(self.path, name), "w") as f:
            f.write(str(value))

    def read(self, name):
        return read_text(os.path.join(self.path, name))

    def kills(self):
        return int(dict(line.split() for line in self.read("memory.oom_control").splitlines()).get("oom_kill", 0))

    def remove(self):
        def gone():
            try:
                os.rmdir(self.path)
            except FileNotFoundError:
                return True
            except OSError:
                return False
            return True
        wait_until(gone, "the group is empty")


def test_16_MiB_of_memory_are_enough(w):
    if "asan" in w.build or "tsan" in w.build:
        raise Skip("sanitizers need more")
    group = Group(w, 16 * MIB)
    names = ["s%d" % i for i in range(20)]
    try:
        p = Container(w, "".join(w.sub(n) for n in names)
                      + w.sub("flood", "--line-size", 200, "--spew", 20000, log_file=w.path("flood.log"), restart="never")
                      + w.sub("crash", "--exit", 3, restart="always", restart_delay_ms=5, restart_max_delay_ms=10,
                              restart_max_attempts=50),
                      preexec=lambda: group.write("cgroup.procs", os.getpid()))
        for n in names:
            p.wait_state(n, "running")
        p.wait_state("crash", "failed", gave_up=True)
        wait_until(lambda: read_bytes(w.path("flood.log")).count(b"\n") == 20000, "the flood is written")
        p.ctl("restart", "all", timeout=30)
        for _ in range(20):
            p.ctl("reload-config").expect(0)
        mark = p.mark()
        os.kill(p.supervisor_pid(), signal.SIGKILL)
        p.wait_event(type="supervisor_recovered", after=mark)
        wait_until(p.rpc_alive, "it answers")
        equal(group.kills(), 0, "kills for want of memory")
        p.end()
    finally:
        for pid in [int(x) for x in group.read("cgroup.procs").split()]:
            try_kill(pid, signal.SIGKILL)
        group.remove()
