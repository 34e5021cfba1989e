"""What an administrator leans on: pid file, lock, run directory, service manager (interface 1)."""

import os
import shutil
import signal
import socket
import stat
import subprocess

from harness import *


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_pid_file_is_the_keepers_and_goes_away(w):
    path = w.path("p.pid")
    p = w.procd('pid_file = "%s"\n' % path + w.sub("a"))
    p.wait_state("a", "running")
    equal(read_text(path), "%d\n" % p.pid, "content")
    p.kill_supervisor()
    equal(read_text(path), "%d\n" % p.pid, "content after a supervisor's death")
    p.stop()
    check(not os.path.exists(path), "it is still there")


def test_a_foreign_pid_file_is_left_alone_at_exit(w):
    path = w.path("p.pid")
    p = w.procd('pid_file = "%s"\n' % path + w.sub("a"))
    p.wait_state("a", "running")
    os.unlink(path)
    write_text(path, "1\n")
    p.stop()
    equal(read_text(path), "1\n", "content")


def test_F07_a_stale_pid_file_is_no_obstacle(w):
    path = write_text(w.path("p.pid"), "%d\n" % os.getpid())
    p = w.procd('pid_file = "%s"\n' % path + w.sub("a"))
    equal(read_text(path), "%d\n" % p.pid, "content")
    p.stop()


def test_run_directory_modes(w):
    p = w.procd(w.sub("a"), umask=0)
    p.wait_state("a", "running")
    equal(mode(p.run_dir) & 0o022, 0, "writable by others")
    equal(mode(p.socket), 0o600, "mode of the socket")
    for name in os.listdir(p.run_dir):
        path = os.path.join(p.run_dir, name)
        if not os.path.islink(path):
            check(mode(path) & 0o002 == 0 or stat.S_ISSOCK(os.stat(path).st_mode), "%s is world-writable" % path)
    p.stop()
    check(not os.path.exists(p.socket), "the socket is still there")


def on_disk(path):
    """Whether the file system of PATH is on a disk, and /dev/shm is in memory."""
    kinds = subprocess.run(["stat", "-f", "-c", "%T", path, "/dev/shm"], stdout=subprocess.PIPE, text=True).stdout.split()
    return kinds[0] not in ("tmpfs", "ramfs") and kinds[1:] == ["tmpfs"]


def fifo_memory(run_dir):
    """Where the FIFOs of a run directory on a disk belong."""
    st = os.stat(run_dir)
    return "/dev/shm/procd-%x-%x" % (st.st_dev, st.st_ino)


def test_fifos_of_a_run_directory_on_a_disk_live_in_memory(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    fifos = os.path.join(p.run_dir, "fifo")
    if on_disk(w.dir):
        equal(os.readlink(fifos), fifo_memory(p.run_dir), "link")
    equal(mode(fifos), 0o700, "mode of the directory")
    place = os.path.realpath(fifos)
    check("0.out" in os.listdir(place), "no FIFO")
    p.stop()
    check(not os.path.exists(place) and not os.path.lexists(fifos), "the FIFOs are still there")


def test_a_stranger_in_the_fifos_place_is_left_alone(w):
    need_root()
    if not on_disk(w.dir):
        return
    os.mkdir(w.path("run"), 0o755)
    place = fifo_memory(w.path("run"))
    os.mkdir(place, 0o777)
    try:
        os.chown(place, 12345, 12345)
        write_text(place + "/0.out", "theirs")
        p = w.procd(w.sub("a"))
        p.wait_state("a", "running")
        check(not os.path.islink(os.path.join(p.run_dir, "fifo")), "the stranger's directory is used")
        p.stop()
        equal(read_text(place + "/0.out"), "theirs", "the stranger's file")
    finally:
        shutil.rmtree(place)


def test_default_run_directory_of_a_user(w):
    need_root()
    os.chmod(w.dir, 0o1777)
    os.mkdir(w.path("xdg"), 0o700)
    os.chown(w.path("xdg"), 12345, 12345)
    p = w.procd('name = "mine"\n' + w.sub("a"), wrap=False, user=(12345, 12345), wait=False,
                env={"XDG_RUNTIME_DIR": w.path("xdg")})
    p.run_dir = w.path("xdg/procd/mine")
    p.wait_up()
    equal(os.stat(p.run_dir).st_uid, 12345, "owner")
    equal(mode(p.run_dir) & 0o077, 0, "open to others")
    who = {"user": (12345, 12345), "env": {"XDG_RUNTIME_DIR": w.path("xdg")}, "cwd": "/"}
    r = w.run("status", **who).expect(5)
    contains(r.err, "; running here: mine (choose with --name)")
    r = w.run("status", "--name", "other", **who).expect(5)
    check("running here" not in r.err, r.err)
    w.run("status", "--name", "mine", **who).expect(0)
    os.kill(p.pid, signal.SIGTERM)
    equal(p.wait_end(), 0, "exit code")


def test_F06_the_lock_is_free_again_after_a_kill(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    supervisor = p.supervisor_pid()
    os.kill(p.pid, signal.SIGKILL)
    p.wait_end()
    wait_gone(supervisor, 3)
    q = w.procd(w.sub("a"))
    wait_until(lambda: q.of("a")["state"] == "running", "it runs")
    q.stop()


def test_two_instances_with_two_names_live_together(w):
    p = w.procd('name = "one"\n' + w.sub("a"))
    q = w.procd('name = "two"\n' + w.sub("a"), label="q")
    p.wait_state("a", "running")
    q.wait_state("a", "running")
    os.kill(p.pid, signal.SIGTERM)
    equal(p.wait_end(), 0, "exit code")
    equal(q.of("a")["state"], "running", "the other one")
    q.stop()


# --- the service manager --------------------------------------------------------------------------

class Manager:
    """systemd's side of sd_notify."""

    def __init__(self, w):
        self.path = w.path("notify.sock")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.sock.settimeout(10 * SCALE)
        self.seen = []

    def until(self, line):
        """Receive until a message holds LINE as a whole line or as a prefix that ends in '='."""
        while True:
            try:
                message = self.sock.recv(65536).decode().splitlines()
            except socket.timeout:
                raise Failure("no %s from procd; seen: %r" % (line, self.seen))
            self.seen += message
            for got in message:
                if got == line or (line.endswith("=") and got.startswith(line)):
                    return message


def test_sd_notify_ready_reloading_stopping_status(w):
    m = Manager(w)
    p = w.procd(w.sub("a"), env={"NOTIFY_SOCKET": m.path})
    m.until("READY=1")
    equal(p.of("a")["state"], "running", "READY=1 comes when all are ready")
    check(any(x.startswith("STATUS=") for x in m.seen) or m.until("STATUS="), "STATUS=")
    check(any(x == "MAINPID=%d" % p.pid or not x.startswith("MAINPID") for x in m.seen), m.seen)
    p.write(w.sub("a", "--print", "x"))
    os.kill(p.pid, signal.SIGHUP)
    message = m.until("RELOADING=1")
    check(any(x.startswith("MONOTONIC_USEC=") for x in message), message)
    m.until("READY=1")
    # Also when there was nothing to do, or the file is bad: the manager waits for it.
    for text in (w.sub("a", "--print", "x"), "nonsense = 1\n"):
        p.write(text)
        os.kill(p.pid, signal.SIGHUP)
        m.until("RELOADING=1")
        m.until("READY=1")
    os.kill(p.pid, signal.SIGTERM)
    m.until("STOPPING=1")
    equal(p.wait_end(), 0, "exit code")


def test_sd_notify_ready_waits_and_comes_when_one_has_failed_for_good(w):
    m = Manager(w)
    p = w.procd(w.sub("slow", min_uptime_ms=300) + w.sub("bad", "--exit", 1, restart="never"), env={"NOTIFY_SOCKET": m.path})
    m.until("READY=1")
    equal((p.of("slow")["state"], p.of("bad")["state"]), ("running", "failed"), "states")
    p.stop()


def test_sd_notify_abstract_socket(w):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind("\0" + w.id)
    s.settimeout(10 * SCALE)
    p = w.procd(w.sub("a"), env={"NOTIFY_SOCKET": "@" + w.id})
    while b"READY=1" not in s.recv(65536):
        pass
    p.stop()


def test_sd_notify_watchdog(w):
    m = Manager(w)
    p = w.procd(w.sub("a"), env={"NOTIFY_SOCKET": m.path, "WATCHDOG_USEC": "400000"})
    m.until("WATCHDOG=1")
    m.until("WATCHDOG=1")
    p.stop()


def test_a_dead_service_manager_is_no_trouble(w):
    p = w.procd(w.sub("a"), env={"NOTIFY_SOCKET": w.path("nobody.sock")})
    p.wait_state("a", "running")
    p.stop()


def test_kernel_fallbacks(w):
    """Each optional kernel feature counted as missing: the whole life still works (promise 9)."""
    names = list(w.run("features", "--json").expect(0).json()["kernel"])
    needed = ["pidfd_open", "clone3", "close_range", "cgroup2", "cgroup_kill", "openat2", "membarrier"]
    without = ",".join(n for n in names if n in needed)
    p = w.procd(w.sub("a", "--grandchild", "+s", w.path("g"), restart="always", restart_delay_ms=10,
                      stop_timeout_ms=300), env={"PROCD_TEST_NO_FEATURE": without})
    pid = p.wait_state("a", "running")["pid"]
    g = wait_pid_file(w.path("g"))
    mark = p.mark()
    os.kill(pid, signal.SIGKILL)
    p.wait_state("a", "running", after=mark)
    p.kill_supervisor()
    p.ctl("stop", "a").expect(0)
    check(not alive(g), "the grandchild is left")
    p.stop()


def test_old_kernel_answers_by_strace(w):
    """ENOSYS and EPERM from the kernel itself."""
    strace = need_program("strace")
    probe = w.run_program([strace, "-qq", "-o", "/dev/null", "true"])
    if probe.rc != 0:
        raise Skip("strace may not trace here")
    for errno in ("ENOSYS", "EPERM"):
        # glibc's own pthread_create() cannot do without clone3 when the answer is EPERM.
        calls = "pidfd_open,pidfd_send_signal,close_range,openat2,membarrier" + \
            (",clone3" if errno == "ENOSYS" else "")
        # LeakSanitizer, where it is built in, cannot work under a tracer
        p = w.procd(w.sub("a"), label=errno.lower(), wait=False, env={"LSAN_OPTIONS": "detect_leaks=0"},
                    launcher=[strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls,
                              "-e", "inject=%s:error=%s" % (calls, errno)])
        p.wait_up(30)
        p.wait_state("a", "running", timeout=30)
        p.ctl("restart", "a", timeout=30).expect(0)
        p.ctl("shutdown", timeout=30).expect(0)
        p.wait_end(30)


test_old_kernel_answers_by_strace.deadline = 150


def test_no_terminal_no_colour(w):
    p = w.procd(w.sub("a", "--print", "x"), env={"NO_COLOR": None})
    wait_until(lambda: "x" in p.ctl("logs", "a").out, "the line")
    p.stop()
    check("\x1b" not in read_text(p.log_path), "escape sequences in a file")


def test_pid_1_reaps_and_stops(w):
    need_root()
    unshare = need_program("unshare")
    if w.run_program([unshare, "-pf", "--mount-proc", "true"]).rc != 0:
        raise Skip("no pid namespace")
    write_text(w.path("one.toml"), 'run_dir = "%s"\n[events]\noutput = "file:%s"\n' % (w.path("run1"), w.path("ev"))
               + w.sub("orphans", "--double-fork", "--sleep", 10, "--exit", 0, restart="always", restart_delay_ms=5,
                       kill_mode="process")
               + w.sub("a", "--sleep", 700, "--exit", 0, restart="never"))
    import subprocess
    log = open(w.path("one.log"), "ab")
    p = subprocess.Popen([unshare, "-pf", "--kill-child", "--mount-proc", w.procd_path, "-c", w.path("one.toml")],
                         stdout=log, stderr=log, env=w.env(), cwd=w.dir)
    log.close()
    init = wait_until(lambda: [c for c in children_of(p.pid) if comm(c) == "procd-keeper"], "the keeper is pid 1")[0]
    wait_until(lambda: '"a"' in read_text(w.path("ev")) and '"running"' in read_text(w.path("ev")), "it runs")
    wait_until(lambda: not [c for c in children_of(init) if (stat_fields(c) or "Z")[0] == "Z"], "no zombie stays")
    os.kill(init, signal.SIGTERM)
    equal(p.wait(20 * SCALE), 0, "exit code of pid 1")
