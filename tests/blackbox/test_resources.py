"""The machine runs short of something: descriptors, processes, room on the disk. That is procd's trouble and nobody's
crash (faults.md F27, F28, F54, F56; interface 3)."""

import os
import re
import resource
import signal
import subprocess

from harness import *

NOBODY = (65534, 65534)


def many(w, n, **keys):
    return "".join(w.sub("s%d" % i, **keys) for i in range(n))


def open_files(pid):
    return sorted(int(name) for name in os.listdir("/proc/%d/fd" % pid))


def check_under(w, p, nofile, **options):
    """`procd check` on P's file with a hard limit of NOFILE, as a user who cannot raise it."""
    argv = ["prlimit", "--nofile=%d:%d" % (nofile, nofile), w.procd_path, "check", "-c", p.config_path]
    need_program("prlimit")
    return w.run_program(argv, user=NOBODY if os.geteuid() == 0 else None, **options)


def readable(w):
    """procd, run as nobody, has to get at the test's directory and at the programs."""
    os.chmod(w.dir, 0o755)
    if subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", w.procd_path, "--version"],
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip("another user may not execute the build")


def test_F28_check_names_need_and_limit(w):
    if os.geteuid() == 0:
        readable(w)
    p = w.procd(many(w, 60), start=False)
    r = check_under(w, p, 120).expect(78)
    check(re.search(r"124 open files.* limit is 120", r.err), str(r))
    r = check_under(w, p, 150).expect(0)
    check(re.search(r"warning: .*184 open files.* limit is 150: it has to look at all", r.err), str(r))
    r = check_under(w, p, 200).expect(0)
    contains(r.out, "ok")
    check(re.search(r"warning: .*184 open files.* limit is 200", r.err), str(r))
    equal(check_under(w, p, 400).expect(0).err, "", "messages")


def test_F28_a_configuration_that_cannot_fit_is_refused(w):
    need_root()
    readable(w)
    os.chown(w.dir, *NOBODY)
    p = w.procd(many(w, 60), user=NOBODY, limits={resource.RLIMIT_NOFILE: (120, 120)}, wait=False)
    equal(p.wait_end(), 78, "exit code")
    contains(read_text(p.log_path), "124 open files")


def test_too_few_descriptors_for_pidfds_lose_no_end(w):
    """Each child would cost the keeper two: some have no pidfd then, and are found by SIGCHLD."""
    need_root()
    readable(w)
    os.chown(w.dir, *NOBODY)
    scarce = {"user": NOBODY, "limits": {resource.RLIMIT_NOFILE: (150, 150)}}
    p = w.procd(many(w, 60), **scarce)
    names = ["s%d" % i for i in range(60)]
    pids = {name: p.wait_state(name, "running", timeout=30)["pid"] for name in names}
    check(len(os.listdir("/proc/%d/fd" % p.pid)) < 150, "descriptors")
    for turn in range(2):
        mark = p.mark()
        for name in names:
            os.kill(pids[name], signal.SIGKILL)
        ends = {name: p.wait_state(name, "restarting", after=mark, timeout=30) for name in names}
        equal({e["signal"] for e in ends.values()}, {"SIGKILL"}, "how they ended")
        pids = {name: p.wait_state(name, "running", after=mark, timeout=30)["pid"] for name in names}
    supervisor = p.supervisor_pid()
    os.kill(p.pid, signal.SIGKILL)
    p.wait_end()
    wait_gone(supervisor, 5)
    q = w.procd(many(w, 60), **scarce)
    wait_until(lambda: all(q.of(name)["state"] == "running" for name in names), "all are adopted")
    equal({name: q.pid_of(name) for name in names}, pids, "adopted")
    q.stop()


def test_F28_procd_raises_its_limit_and_the_children_get_the_old_one(w):
    p = w.procd(many(w, 80, stderr="log"), limits={resource.RLIMIT_NOFILE: (64, 4000)})
    for i in range(80):
        p.wait_state("s%d" % i, "running", timeout=30)
    with open("/proc/%d/limits" % p.pid_of("s0")) as f:
        check(re.search(r"Max open files +64 +4000", f.read()), "the child's limit")
    for pid in (p.pid, p.supervisor_pid()):
        check(len(open_files(pid)) > 64, "this proves nothing: %d files" % len(open_files(pid)))
    p.stop()


def test_the_need_that_is_told_is_enough(w):
    """With everything running, no process of procd uses a descriptor number that was not counted."""
    p = w.procd(many(w, 30, stderr="log", log_file=w.path("%n.log")))
    for i in range(30):
        p.wait_state("s%d" % i, "running", timeout=30)
        p.ctl("signal", "s%d" % i, "CONT").expect(0)
    need = 64 + 30 * 3
    for pid in (p.pid, p.supervisor_pid()):
        check(max(open_files(pid)) < need, "%s: %s" % (comm(pid), open_files(pid)))
    p.stop()


def test_a_reload_that_does_not_fit_changes_nothing(w):
    need_root()
    readable(w)
    os.chown(w.dir, *NOBODY)
    p = w.procd(w.sub("a"), user=NOBODY, limits={resource.RLIMIT_NOFILE: (100, 100)})
    pid = p.wait_state("a", "running")["pid"]
    p.write(w.sub("a") + many(w, 60))
    r = p.ctl("reload-config").expect(78)
    check(re.search(r"125 open files.* limit is 100", r.err), str(r))
    p.wait_event(type="config_rejected")
    equal([s["name"] for s in p.status()["subsystems"]], ["a"], "subsystems")
    equal(p.pid_of("a"), pid, "pid")
    p.stop()


def set_nofile(pid, soft, hard=None):
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard or resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))


def first_free(pid):
    used = set(open_files(pid))
    return next(n for n in range(3, 1 << 20) if n not in used)


def test_F28_no_descriptors_at_spawn_is_deferred_and_recovers(w):
    p = w.procd(w.sub("a", autostart=False, restart="always", restart_max_attempts=1)
                + w.sub("b", restart="always", restart_delay_ms=10))
    b = p.wait_state("b", "running")["pid"]
    before = resource.prlimit(p.pid, resource.RLIMIT_NOFILE)
    set_nofile(p.pid, first_free(p.pid))
    p.ctl("start", "--no-wait", "a").expect(0)
    e = p.wait_event(type="spawn_deferred", name="a")
    equal((e["errno"], e["retry_ms"]), ("EMFILE", 100), "event")
    check(e["stage"] in ("spawn", "output", "cgroup"), "stage: %r" % e)
    s = p.of("a")
    equal((s["state"], s["gave_up"], s["attempt"], s["restart_count"]), ("starting", False, 0, 0), "status")
    contains(s["last_error"], "Too many open files", "last_error")
    p.wait_event(lambda e: e["retry_ms"] >= 400, type="spawn_deferred", name="a")
    equal(p.pid_of("b"), b, "the other one")
    set_nofile(p.pid, before[0])
    p.wait_state("a", "running")
    equal(p.states("a"), ["starting", "running"], "states")
    s = p.of("a")
    equal((s["attempt"], s["restart_count"], s["gave_up"], s["last_error"]), (0, 0, False, None), "counters")
    p.stop()


def test_F28_a_crash_while_nothing_can_be_opened_is_restarted_when_it_can(w):
    """The keeper cannot even look whether the tree is empty: nothing is started beside what may live."""
    p = w.procd(w.sub("a", restart="always", restart_delay_ms=10, restart_max_attempts=1) + w.sub("b"))
    a = p.wait_state("a", "running")["pid"]
    b = p.wait_state("b", "running")["pid"]
    before = resource.prlimit(p.pid, resource.RLIMIT_NOFILE)
    set_nofile(p.pid, 4)
    mark = p.mark()
    os.kill(a, signal.SIGKILL)
    equal(p.wait_state("a", "failed", after=mark)["signal"], "SIGKILL", "status")
    p.wait_state("a", "restarting", after=mark)
    equal(p.pid_of("b"), b, "the other one")
    set_nofile(p.pid, before[0])
    p.wait_state("a", "running", after=mark)
    equal(p.states("a", after=mark), ["failed", "restarting", "starting", "running"], "states")
    s = p.of("a")
    equal((s["attempt"], s["restart_count"], s["gave_up"]), (1, 1, False), "counters")
    p.stop()


def test_F28_a_deferred_start_can_be_stopped_and_a_shutdown_does_not_wait(w):
    p = w.procd(w.sub("a", autostart=False) + w.sub("b", autostart=False))
    set_nofile(p.pid, len(open_files(p.pid)) // 2)
    p.ctl("start", "--no-wait", "a", "b").expect(0)
    p.wait_event(type="spawn_deferred", name="a")
    p.wait_event(type="spawn_deferred", name="b")
    equal(p.ctl("start", "--timeout", "300ms", "a").rc, 124, "start that has to wait")
    p.ctl("stop", "a").expect(0)
    equal(p.of("a")["state"], "stopped", "state")
    p.stop()


def test_F28_a_supervisor_without_descriptors_answers_again_later(w):
    p = w.procd(w.sub("a"))
    pid = p.wait_state("a", "running")["pid"]
    supervisor = p.supervisor_pid()
    before = resource.prlimit(supervisor, resource.RLIMIT_NOFILE)
    set_nofile(supervisor, 12)
    equal(p.ctl("status", "--timeout", "500ms").rc in (5, 124), True, "no answer")
    set_nofile(supervisor, before[0])
    wait_until(p.rpc_alive, "it answers again")
    equal((p.supervisor_pid(), p.pid_of("a")), (supervisor, pid), "nobody died")
    p.stop()


def test_F27_no_more_processes_for_the_user(w):
    """RLIMIT_NPROC of procd's own user: clone says EAGAIN."""
    need_root()
    readable(w)
    uid = 61234 + os.getpid() % 1000     # nobody else's
    os.chown(w.dir, uid, uid)
    p = w.procd(many(w, 24, restart="always"), user=(uid, uid), limits={resource.RLIMIT_NPROC: (16, 64)})
    e = p.wait_event(type="spawn_deferred")
    equal((e["stage"], e["errno"]), ("spawn", "EAGAIN"), "event")
    # never a failure, whatever is tried
    p.wait_event(lambda e: e["retry_ms"] >= 400, type="spawn_deferred")
    equal(p.find_events(type="state_changed", state="failed"), [], "failures")
    w.run_program([need_program("prlimit"), "--pid=%d" % p.pid, "--nproc=64:64"], user=(uid, uid)).expect(0)
    for i in range(24):
        p.wait_state("s%d" % i, "running", timeout=20)
    equal(p.find_events(type="state_changed", state="failed"), [], "failures")
    equal([s["restart_count"] for s in p.status()["subsystems"]], [0] * 24, "restart counts")
    p.stop()


class Tmpfs:
    """A small file system on PATH, gone at the end of the test whatever happens."""

    def __init__(self, path, options):
        need_root()
        self.path = path
        os.mkdir(path, 0o755)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], stderr=subprocess.DEVNULL).returncode:
            raise Skip("may not mount")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=False)

    def procd(self, w, subsystems):
        """(procd, rest of its config): it runs SUBSYSTEMS with its run directory in here and its events outside."""
        config = 'run_dir = "%s/run"\n[events]\noutput = "file:%s"\n' % (self.path, w.path("events.jsonl"))
        p = w.procd(config + subsystems, wrap=False, wait=False)
        p.run_dir = self.path + "/run"
        p.wait_up()
        return p, config

    def fill(self):
        with open(os.path.join(self.path, "filler"), "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass

    def free(self):
        os.unlink(os.path.join(self.path, "filler"))

    def remount(self, options):
        subprocess.run(["mount", "-o", "remount," + options, self.path], check=True)


def test_F54_a_full_run_directory_stops_nobody(w):
    with Tmpfs(w.path("small"), "size=4m") as disk:
        p, config = disk.procd(w, w.sub("a", restart="always", restart_delay_ms=10))
        pid = p.wait_state("a", "running")["pid"]
        disk.fill()
        mark = p.mark()
        os.kill(pid, signal.SIGKILL)
        p.wait_state("a", "running", after=mark)
        p.ctl("restart", "a").expect(0)
        p.kill_supervisor()
        p.ctl("restart", "a").expect(0)
        p.write(config + w.sub("a", restart="always", restart_delay_ms=10) + w.sub("b"))
        p.ctl("reload-config").expect(0)
        p.wait_state("b", "running")
        disk.free()
        p.ctl("restart", "b").expect(0)
        seqs = [e["seq"] for e in p.read_events() if "seq" in e]
        equal(seqs, sorted(set(seqs)), "event numbers")
        p.stop()


def test_F54_no_inode_for_a_new_stream_is_deferred_and_recovers(w):
    with Tmpfs(w.path("small"), "size=4m,nr_inodes=64") as disk:
        p, config = disk.procd(w, w.sub("a"))
        pid = p.wait_state("a", "running")["pid"]
        fillers = []
        try:
            while True:
                fillers.append(os.path.join(disk.path, "f%d" % len(fillers)))
                os.close(os.open(fillers[-1], os.O_CREAT | os.O_WRONLY))
        except OSError:
            fillers.pop()
        p.write(config + w.sub("a") + w.sub("b", stderr="log", restart_max_attempts=1))
        p.ctl("reload-config", "--timeout", "2s")
        e = p.wait_event(lambda e: e.get("name") == "b" and (e["type"] == "spawn_deferred" or
                                                           e.get("state") in ("running", "failed")))
        equal(e["type"] == "spawn_deferred" or e["state"] == "running", True, "never a failure: %r" % e)
        for filler in fillers:
            os.unlink(filler)
        p.wait_state("b", "running")
        equal((p.of("b")["restart_count"], p.pid_of("a")), (0, pid), "nobody's crash")
        p.stop()


def test_F54_a_full_log_disk_loses_lines_and_says_how_many(w):
    with Tmpfs(w.path("log"), "size=256k") as disk:
        path = os.path.join(disk.path, "a.log")
        p = w.procd(w.sub("a", "--line-size", 80, "--spew", "0/20000", log_file=path) + w.sub("b"))
        pid = p.wait_state("a", "running")["pid"]
        disk.fill()
        # the child goes on: lines come through `logs` although the file takes none
        first = p.ctl("logs", "-n", "1", "a").out
        wait_until(lambda: p.ctl("logs", "-n", "1", "a").out not in ("", first), "output goes on")
        p.ctl("restart", "b").expect(0)
        equal(p.pid_of("a"), pid, "pid")
        disk.free()
        wait_until(lambda: "dropped" in read_text(path) or "lost" in read_text(path), "the number of lost lines", 15)
        p.stop()


def test_a_log_disk_that_becomes_read_only_recovers(w):
    with Tmpfs(w.path("log"), "size=16m") as disk:
        path = os.path.join(disk.path, "a.log")
        p = w.procd(w.sub("a", "--line-size", 80, "--spew", "0/500", log_file=path, log_max_file_size=20000) + w.sub("b"))
        pid = p.wait_state("a", "running")["pid"]
        wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 1000, "the log")
        # files that are open keep a mount busy: forced by a second, read-only mount over the directory
        subprocess.run(["mount", "--bind", disk.path, disk.path], check=True)
        try:
            if subprocess.run(["mount", "-o", "remount,bind,ro", disk.path], stderr=subprocess.DEVNULL).returncode:
                raise Skip("may not remount")
            p.ctl("reopen-logs").expect(0)
            first = p.ctl("logs", "-n", "1", "a").out
            wait_until(lambda: p.ctl("logs", "-n", "1", "a").out not in ("", first), "output goes on")
            p.ctl("restart", "b").expect(0)
            equal(p.pid_of("a"), pid, "pid")
        finally:
            subprocess.run(["umount", "-l", disk.path], check=False)
        size = os.path.getsize(path)
        wait_until(lambda: os.path.getsize(path) != size, "the log goes on", 15)
        p.stop()
