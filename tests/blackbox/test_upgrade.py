"""Another executable under running children (interface 4, 5; faults.md F05, F114-F119, S63)."""

import ctypes
import json
import os
import shutil
import signal
import struct
import subprocess
import threading
import time

from harness import *
from test_resources import Tmpfs

# The checked-in number is small; PROCD_TEST_UPGRADES=200 is what the issue asks for.
ROUNDS = int(os.environ.get("PROCD_TEST_UPGRADES", "20"))

CHECK_FAILURES = {
    "check-crash": "killed by SIGSEGV",
    "check-fail": "exit code 9",
    "check-refuse": "it refuses the running state: the saved state has version 1, this needs version 2",
    "check-flood": "it prints without end",
}
TRIAL_FAILURES = {
    "crash": "was killed by SIGSEGV before it was ready",
    "exit": "ended with exit code 7 before it was ready",
    "nonsense": "did not speak as a supervisor does",
}


def copy(w, name="new"):
    """Another file with the same procd in it."""
    path = w.path(name)
    shutil.copy(w.procd_path, path + ".part")
    os.rename(path + ".part", path)
    return path


def impostor(w, part):
    path = w.path(part)
    if not os.path.exists(path):
        shutil.copy(os.path.join(w.build, "tests/tools/impostor"), path)
    if not os.path.exists(w.path("real")):
        copy(w, "real")
    return path


def exe(pid):
    return read_link("/proc/%d/exe" % pid)


def serves(p, path):
    """The running supervisor comes from PATH."""
    equal(exe(p.supervisor_pid()), path, "executable of the supervisor")


def whole(p):
    """Every event number once, in order."""
    seqs = [e["seq"] for e in p.read_events() if "seq" in e]
    equal(seqs, list(range(seqs[0], seqs[0] + len(seqs))), "event numbers")


def spewing(w, name, **keys):
    return w.sub(name, "--lock", w.path("lock-" + name), "--starts", w.path("starts-" + name), "--spew", "0/100",
                 log_file=w.path(name + ".log"), **keys)


def mortal(w, name, ms, code):
    return w.sub(name, "--lock", w.path("lock-" + name), "--starts", w.path("starts-" + name), "--sleep", ms,
                 "--exit", code, restart="always", restart_delay_ms=20, restart_max_delay_ms=20)


def check_spewing(w, p, name, pid):
    equal(p.pid_of(name), pid, "pid of " + name)
    equal(read_text(w.path("lock-" + name)), "", "two of " + name)
    equal(len(read_text(w.path("starts-" + name)).split()), 1, "starts of " + name)
    equal(p.states(name), ["starting", "running"], "states of " + name)


def check_lines(w, name):
    got = [int(line[:10]) for line in read_bytes(w.path(name + ".log")).splitlines()]
    check(got, "no line of " + name)
    equal(got, list(range(1, len(got) + 1)), "lines of " + name)


def check_mortal(w, p, name, code):
    """Every start and every end told once, with its status."""
    starts = [int(x) for x in read_text(w.path("starts-" + name)).split()]
    told = [e["pid"] for e in p.find_events(type="state_changed", name=name, state="running")]
    ends = [e for e in p.find_events(type="state_changed", name=name)
            if e["state"] in ("failed", "stopped") and e["prev"] in ("running", "stopping", "starting")]
    # the very last one may have been stopped before it could write, or before it was running
    n = min(len(told), len(starts))
    equal(told[:n], starts[:n], "every start of %s is told once" % name)
    check(max(len(told), len(starts)) <= n + 1, "%s: told %r, want %r" % (name, told, starts))
    equal(len(ends), len(p.find_events(type="state_changed", name=name, state="starting")),
          "every end of %s is told once" % name)
    for e in ends:
        check(e["exit_code"] == code or e["signal"], "an invented status: %r" % e)
    equal(read_text(w.path("lock-" + name)), "", "two of " + name)


def test_S63_the_new_one_goes_on(w):
    p = w.procd(w.sub("a") + w.sub("b"))
    before = {n: p.wait_state(n, "running")["pid"] for n in ("a", "b")}
    old, mark = p.supervisor_pid(), p.mark()
    r = p.ctl("upgrade", copy(w), "--json").expect(0).json()
    equal((r["keeper_pid"], r["supervisor_pid"]), (p.pid, p.supervisor_pid()), "answer")
    check(r["supervisor_pid"] != old and not alive(old), "the old supervisor is still there")
    serves(p, w.path("new"))
    equal(exe(p.pid), w.procd_path, "executable of the keeper")
    equal({n: p.pid_of(n) for n in before}, before, "pids")
    e = p.wait_event(type="supervisor_recovered", after=mark)
    equal((sorted(e["adopted"]), e["lost"]), (["a", "b"], []), "event")
    equal(p.find_events(after=mark, type="state_changed"), [], "state changes")
    p.ctl("restart", "a").expect(0)
    contains(read_text(p.log_path), "upgraded: procd")
    p.stop()
    whole(p)


def test_without_a_name_the_file_that_a_package_replaced(w):
    installed = copy(w, "installed")
    w.procd_path = installed
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    copy(w, "installed")  # another file under the same name
    contains(exe(p.supervisor_pid()), "(deleted)")
    p.ctl("upgrade").expect(0)
    serves(p, installed)
    copy(w, "installed")
    p.ctl("upgrade", "--keeper").expect(0)
    serves(p, installed)
    equal(exe(p.pid), installed, "executable of the keeper")
    p.kill_supervisor()
    serves(p, installed)
    p.stop()


def test_a_relative_path_is_the_clients(w):
    p = w.procd(w.sub("a"), cwd="/")
    copy(w)
    p.ctl("upgrade", "./new", cwd=w.dir).expect(0)
    check(os.path.samefile(exe(p.supervisor_pid()), w.path("new")), "another file")
    p.stop()


def test_G3_control_pauses_for_less_than_200_ms(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    pauses, stop = [0.0], threading.Event()

    def ask():
        last = time.monotonic()
        while not stop.is_set():
            try:
                p.rpc("status.get", {}, timeout=10)
            except OSError:  # it was cut off in the middle: ask again, as a client does
                continue
            now = time.monotonic()
            pauses[-1] = max(pauses[-1], now - last)
            last = now

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        for args in ([], [], ["--keeper"], ["--keeper"]):
            pauses.append(0.0)
            p.ctl("upgrade", *args).expect(0)
    finally:
        stop.set()
        asker.join()
    # The machine may be busy; it is never the machine each time.
    check(min(pauses[1:3]) < 0.2 * SCALE, "pauses of %r s" % pauses)
    check(min(pauses[3:5]) < 0.2 * SCALE, "pauses of %r s (keeper)" % pauses)
    p.stop()


# --- bad ones ------------------------------------------------------------------------------------------

def files_that_are_no_procd(w):
    procd = read_bytes(w.procd_path)

    def file(name, data, mode=0o755):
        with open(w.path(name), "wb") as f:
            f.write(data)
        os.chmod(w.path(name), mode)
        return w.path(name)

    yield "/bin/false", "exit code 1"
    yield "/bin/true", "does not know how to check"
    yield w.path("missing"), "No such file"
    yield w.dir, "not a regular file"
    yield file("plain", procd, 0o644), "not executable"
    yield file("script", b"#!/bin/sh\nsleep 100\n"), "is a script"
    yield file("empty", b""), "Exec format error"
    yield file("text", b"hello\n"), "Exec format error"
    yield file("arch", procd[:18] + struct.pack("<H", 0x1234) + procd[20:]), "Exec format error"
    for part in (3, 100, 500):      # what the program needs comes first, its debug information after it
        yield file("cut%d" % part, procd[:len(procd) * part // 10000 + 64]), ""
    if os.geteuid() == 0:
        os.chown(file("foreign", procd), 12345, 12345)
        yield w.path("foreign"), "belongs to another user"
    os.mkfifo(w.path("fifo"))
    os.chmod(w.path("fifo"), 0o755)
    yield w.path("fifo"), "not a regular file"
    yield file("open", procd, 0o777), "everybody may write"


def test_F116_what_is_no_procd_is_never_tried(w):
    p = w.procd(w.sub("a"))
    pid = p.wait_state("a", "running")["pid"]
    supervisor = p.supervisor_pid()
    for args in ([], ["--keeper"]):
        for path, why in files_that_are_no_procd(w):
            r = p.ctl("upgrade", path, *args).expect(1)
            contains(r.err, path)
            contains(r.err, why)
            equal(p.supervisor_pid(), supervisor, "supervisor after " + path)
            if path == w.path("fifo"):
                os.unlink(path)
    error = p.ctl("upgrade", "/bin/false", "--json").expect(1).json()["error"]
    equal(error["data"]["category"], "runtime", "category")
    equal(p.pid_of("a"), pid, "pid")
    p.stop()


def test_F116_one_that_fails_its_check(w):
    p = w.procd(w.sub("a"))
    pid = p.wait_state("a", "running")["pid"]
    supervisor = p.supervisor_pid()
    for part, why in CHECK_FAILURES.items():
        contains(p.ctl("upgrade", impostor(w, part)).expect(1).err, why)
        equal((p.supervisor_pid(), p.pid_of("a")), (supervisor, pid), "pids after " + part)
    p.stop()


def test_F116_one_that_fails_its_trial_gives_way(w):
    p = w.procd(w.sub("a") + mortal(w, "m", 30, 11))
    pid = p.wait_state("a", "running")["pid"]
    for args in ([], ["--keeper"]):
        for part, why in TRIAL_FAILURES.items():
            mark = p.mark()
            r = p.ctl("upgrade", impostor(w, part), *args).expect(1)
            contains(r.err, why)
            contains(r.err, "the old one goes on")
            serves(p, w.procd_path)
            equal(exe(p.pid), w.procd_path, "executable of the keeper after " + part)
            p.wait_event(type="supervisor_recovered", after=mark)
            equal(p.pid_of("a"), pid, "pid after " + part)
    equal(read_text(p.log_path).count("the upgrade failed"), 2 * len(TRIAL_FAILURES), "lines in the log")
    p.kill_supervisor()  # and the log does not say it again
    p.ctl("stop", "-q", "all").expect(0)
    equal(read_text(p.log_path).count("the upgrade failed"), 2 * len(TRIAL_FAILURES), "lines in the log")
    check_mortal(w, p, "m", 11)
    p.stop()
    whole(p)


def test_F116_one_that_hangs_is_given_ten_seconds(w):
    p = w.procd(w.sub("a"))
    pid = p.wait_state("a", "running")["pid"]
    began = time.monotonic()
    contains(p.ctl("upgrade", impostor(w, "hang"), timeout=30).expect(1).err, "was not ready within 10 s")
    check(9.5 < time.monotonic() - began < 13 * SCALE, "after %g s" % (time.monotonic() - began))
    serves(p, w.procd_path)
    equal(p.pid_of("a"), pid, "pid")
    p.stop()


def test_the_verb_ends_when_procd_does(w):
    p = w.procd(w.sub("a"))
    pid = p.wait_state("a", "running")["pid"]
    hang, answers = impostor(w, "hang"), []
    verb = threading.Thread(target=lambda: answers.append(p.ctl("upgrade", hang, timeout=30)))
    verb.start()
    trial = wait_until(lambda: next((c for c in children_of(p.pid) if exe(c) == hang), None), "the new one is tried")
    began = time.monotonic()
    os.kill(p.pid, signal.SIGKILL)
    try_kill(trial, signal.SIGKILL)  # it may have seen the end itself
    verb.join()
    check(time.monotonic() - began < 5 * SCALE, "after %g s" % (time.monotonic() - began))
    equal(answers[0].rc, 5, "exit code")
    contains(answers[0].err, "ended the connection")
    check(alive(pid), "the child is gone")


def test_F116_a_check_that_hangs_is_given_ten_seconds(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    supervisor = p.supervisor_pid()
    began = time.monotonic()
    contains(p.ctl("upgrade", impostor(w, "check-hang"), timeout=30).expect(1).err, "did not end within 10 s")
    check(9.5 < time.monotonic() - began < 13 * SCALE, "after %g s" % (time.monotonic() - began))
    equal(p.supervisor_pid(), supervisor, "supervisor")
    p.stop()


def test_F116_one_that_crashes_soon_gives_way(w):
    p = w.procd(w.sub("a"), env=w.crash_env())
    pid = p.wait_state("a", "running")["pid"]
    mark = p.mark()
    p.ctl("upgrade", impostor(w, "soon")).expect(0)
    wait_until(lambda: "within 10 s; the old one goes on" in read_text(p.log_path), "the old one is back")
    p.wait_up()
    serves(p, w.procd_path)
    equal(len(p.find_events(after=mark, type="supervisor_recovered")), 2, "supervisors since")
    equal(p.pid_of("a"), pid, "pid")
    p.stop()


def test_F117_a_keeper_that_cannot_read_gives_way(w):
    p = w.procd(w.sub("a"))
    pid = p.wait_state("a", "running")["pid"]
    r = p.ctl("upgrade", "--keeper", impostor(w, "keeper-refuse")).expect(1)
    contains(r.err, "could not read what it was handed over")
    equal(exe(p.pid), w.procd_path, "executable of the keeper")
    serves(p, w.procd_path)
    equal(p.pid_of("a"), pid, "pid")
    p.ctl("upgrade", "--keeper").expect(0)
    p.stop()


def test_F117_old_keeper_and_old_supervisor_come_back_together(w):
    p = w.procd(w.sub("a"))
    pid = p.wait_state("a", "running")["pid"]
    contains(p.ctl("upgrade", "--keeper", impostor(w, "keeper-crash")).expect(1).err, "killed by SIGSEGV")
    equal(exe(p.pid), w.procd_path, "executable of the keeper")
    serves(p, w.procd_path)
    equal(p.pid_of("a"), pid, "pid")
    p.stop()


def test_F116_a_full_run_directory(w):
    with Tmpfs(w.path("small"), "size=4m") as disk:
        p, _ = disk.procd(w, w.sub("a"))
        pid = p.wait_state("a", "running")["pid"]
        supervisor = p.supervisor_pid()
        disk.fill()
        for args in ([], ["--keeper"]):
            contains(p.ctl("upgrade", *args).expect(1).err, "no room in the run directory")
        equal((p.supervisor_pid(), p.pid_of("a")), (supervisor, pid), "pids")
        disk.free()
        p.ctl("upgrade", "--keeper").expect(0)
        equal(p.pid_of("a"), pid, "pid")
        p.stop()


def test_F114_damaged_state_is_not_handed_over(w):
    p = w.procd(w.sub("a"))
    pid = p.wait_state("a", "running")["pid"]
    supervisor = p.supervisor_pid()
    for name, bytes_ in (("memory", 512), ("records", 8)):
        path = os.path.join(p.run_dir, name)
        with open(path, "r+b") as f:
            good = f.read(bytes_)
            f.seek(0)
            f.write(bytes(b ^ 0x55 for b in good))
            f.flush()
            for args in ([], ["--keeper"]):
                r = p.ctl("upgrade", *args).expect(1)
                contains(r.err, "damaged or of another version")
            f.seek(0)
            f.write(good)
    equal((p.supervisor_pid(), p.pid_of("a")), (supervisor, pid), "pids")
    p.ctl("upgrade").expect(0)
    p.stop()


def test_F118_another_protocol_is_refused_before_anything_is_given_up(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    r = w.run("@check", "1", "0", p.run_dir, "-c", p.config_path).expect(1)
    contains(r.err, "does not speak the protocol")
    r = w.run("@check", "0", "1", p.run_dir, "-c", p.config_path).expect(1)
    contains(r.err, "cannot read what the running keeper would hand over")
    r = w.run("@check", "0", "0", p.run_dir, "-c", p.config_path).expect(0)
    contains(r.out, "procd takes over: ")
    p.stop()


# --- the order ------------------------------------------------------------------------------------------

def test_an_order_that_died_with_its_supervisor_is_answered_at_once(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    # what a client asks whose order was taken by a supervisor that is no more
    answer = p.connect().request("daemon.upgrade", {"handover": 1})
    contains(answer["error"]["message"], "there was no upgrade", "answer")
    p.stop()


def test_one_at_a_time(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    slow = subprocess.Popen([w.procd_path, "upgrade", "-s", p.socket, impostor(w, "check-hang")],
                            stderr=subprocess.PIPE, env=w.env())
    wait_until(lambda: [q for q in w.marked() if exe(q) == w.path("check-hang")], "the check runs")
    contains(p.ctl("upgrade").expect(1).err, "another upgrade is under way")
    p.stop()  # an end does not wait for it
    slow.communicate(timeout=10)
    check(slow.returncode in (1, 5), "exit code %d" % slow.returncode)
    check(not [q for q in w.marked() if exe(q) == w.path("check-hang")], "the check goes on")


def test_only_for_those_who_may_do_everything(w):
    need_root()
    os.chmod(w.dir, 0o755)
    p = w.procd(w.sub("a") + '[control]\nmode = "0666"\ngroup = "12345"\n')
    p.wait_state("a", "running")
    os.chmod(p.run_dir, 0o755)
    supervisor = p.supervisor_pid()
    p.ctl("upgrade", user=(12345, 12345)).expect(4)
    equal(p.supervisor_pid(), supervisor, "supervisor")
    p.stop()


def test_whoever_waits_for_an_order_gets_its_answer(w):
    p = w.procd(w.sub("a", "--ignore-term", "--print", "set", stop_timeout_ms=1000))
    p.wait_state("a", "running")
    wait_until(lambda: "set" in p.ctl("logs", "a").out, "it ignores TERM")
    waiting = subprocess.Popen([w.procd_path, "stop", "-q", "-s", p.socket, "a"], env=w.env(), stderr=subprocess.DEVNULL)
    p.wait_state("a", "stopping")
    p.ctl("upgrade").expect(0)
    equal(waiting.wait(timeout=10), 0, "exit code of the stop")
    equal(p.of("a")["state"], "stopped", "state")
    p.stop()


def test_followers_go_on(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    follower = subprocess.Popen([w.procd_path, "events", "-f", "-s", p.socket], env=w.env(), stdout=subprocess.PIPE)
    p.ctl("upgrade").expect(0)
    p.ctl("upgrade", "--keeper").expect(0)
    p.ctl("restart", "a").expect(0)
    seqs = []
    while True:
        e = json.loads(follower.stdout.readline())
        seqs.append(e["seq"])
        if e["type"] == "state_changed" and e["state"] == "running":
            break
    equal(seqs, list(range(seqs[0], seqs[0] + len(seqs))), "numbers")
    follower.kill()
    follower.wait()
    p.stop()


def test_signals_meanwhile_are_not_lost(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    for args in (["--no-wait"], ["--no-wait", "--keeper"]):
        mark = p.mark()
        p.write(w.sub("a") + w.sub("b%d" % mark))
        p.ctl("upgrade", *args).expect(0)
        os.kill(p.pid, signal.SIGHUP)
        p.wait_state("b%d" % mark, "running", after=mark)
        p.wait_up()
        wait_until(lambda: p.find_events(after=mark, type="supervisor_recovered"), "the new one")
    p.ctl("upgrade", "--no-wait", "--keeper").expect(0)
    os.kill(p.pid, signal.SIGTERM)
    equal(p.wait_end(), 0, "exit code")
    p.nothing_left()


def test_an_end_does_not_wait_for_a_trial(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    p.ctl("upgrade", "--no-wait", impostor(w, "hang")).expect(0)
    wait_until(lambda: w.path("hang") in [exe(q) for q in children_of(p.pid)], "the trial")
    began = time.monotonic()
    os.kill(p.pid, signal.SIGTERM)
    equal(p.wait_end(), 0, "exit code")
    check(time.monotonic() - began < 8 * SCALE, "after %g s" % (time.monotonic() - began))
    p.nothing_left()


def test_an_ad_hoc_command_can_be_taken_over_too(w):
    p = w.procd("", start=False)
    process = subprocess.Popen([w.procd_path, "run", "--set", 'run_dir="%s"' % p.run_dir, "--", w.child_path, "--wait-for",
                                w.path("go"), "--exit", "23"], env=w.env(), cwd=w.dir)
    wait_until(lambda: os.path.exists(p.socket), "the socket")
    wait_until(lambda: p.rpc_alive(), "an answer")
    p.ctl("upgrade").expect(0)
    p.ctl("upgrade", "--keeper").expect(0)
    write_text(w.path("go"), "")
    equal(process.wait(timeout=10), 23, "exit code")


# --- the keeper --------------------------------------------------------------------------------------------

def test_F117_the_keeper_stays_the_parent(w):
    p = w.procd(w.sub("a", "--trap-exit", "USR1=42", "--print", "set", restart="never") + w.sub("b")
                + w.sub("tied", on_supervisor_death="stop"))
    before = {n: p.wait_state(n, "running")["pid"] for n in ("a", "b", "tied")}
    wait_until(lambda: "set" in p.ctl("logs", "a").out, "the handler")
    new = copy(w)
    title = cmdline(p.pid)
    p.ctl("upgrade", "--keeper", new).expect(0)
    equal(exe(p.pid), new, "executable of the keeper")
    serves(p, new)
    equal((cmdline(p.pid), comm(p.pid)), (title, "procd-keeper"), "title")
    equal(sorted(set(children_of(p.pid)) - {p.supervisor_pid()}), sorted(before.values()), "children")
    mark = p.mark()
    os.kill(before["a"], signal.SIGUSR1)
    equal(p.wait_state("a", "failed", after=mark)["exit_code"], 42, "exit code")
    p.ctl("stop", "b").expect(0)
    # the lock is still held, the supervisor still replaced
    w.run("-c", p.config_path).expect(75)
    p.kill_supervisor()
    p.ctl("start", "b").expect(0)
    equal(p.pid_of("tied"), before["tied"], "pid")
    equal(p.of("a")["exit_code"], 42, "exit code")
    p.stop()


def test_F117_who_wants_to_die_with_its_parent_lives_on(w):
    """The kernel takes the thread that made a child for its parent, and an exec ends all but the first."""
    names = ["n%d" % i for i in range(12)]
    p = w.procd("".join(w.sub(n, "--die-with-parent", "--starts", w.path("starts")) for n in names))
    pids = {n: p.wait_state(n, "running")["pid"] for n in names}
    wait_until(lambda: len(read_text(w.path("starts")).split()) == len(names), "their parent-death signal")
    p.ctl("upgrade", "--keeper").expect(0)
    p.ctl("upgrade").expect(0)
    for n in names:
        equal((p.pid_of(n), p.states(n)), (pids[n], ["starting", "running"]), n)
    p.stop()


def test_F117_children_are_started_as_by_the_first_keeper(w):
    p = w.procd(w.sub("a", "--report-state", w.path("report"), "--sleep", 100000), umask=0o37,
                preexec=lambda: os.nice(3))
    p.wait_state("a", "running")
    before = read_report(w.path("report"))
    for _ in range(3):
        p.ctl("upgrade", "--keeper").expect(0)
    os.unlink(w.path("report"))
    p.ctl("restart", "a").expect(0)
    after = read_report(w.path("report"))
    for key in before:
        if key not in ("pid", "sid", "pgid", "pgrp", "session"):
            equal(after[key], before[key], "what a child is started with: " + key)
    fds = set(os.listdir("/proc/%d/fd" % p.pid))
    for _ in range(5):
        p.ctl("upgrade", "--keeper").expect(0)
    p.ctl("status").expect(0)
    check(len(os.listdir("/proc/%d/fd" % p.pid)) <= len(fds) + 1, "descriptors of the keeper grow")
    p.stop()


def test_F117_on_an_old_kernel(w):
    missing = "pidfd_open,pidfd_send_signal,pidfd_inode,pidfd_info_exit,clone3,clone_into_cgroup,close_range,cgroup2"
    p = w.procd(w.sub("a", "--trap-exit", "USR1=42", "--print", "set", restart="never") + mortal(w, "m", 30, 5),
                env={"PROCD_TEST_NO_FEATURE": missing})
    pid = p.wait_state("a", "running")["pid"]
    wait_until(lambda: "set" in p.ctl("logs", "a").out, "the handler")
    for _ in range(4):
        p.ctl("upgrade", "--keeper").expect(0)
    mark = p.mark()
    os.kill(pid, signal.SIGUSR1)
    equal(p.wait_state("a", "failed", after=mark)["exit_code"], 42, "exit code")
    p.ctl("stop", "-q", "all").expect(0)
    p.mark_now()
    check_mortal(w, p, "m", 5)
    p.stop()
    whole(p)


def test_F117_of_an_ordinary_user(w):
    need_root()
    os.chmod(w.dir, 0o777)
    p = w.procd(w.sub("a"), user=(12345, 12345))
    pid = p.wait_state("a", "running")["pid"]
    new = copy(w)
    for args in ([], ["--keeper"], ["--keeper", new]):
        p.ctl("upgrade", *args, user=(12345, 12345)).expect(0)
    equal((exe(p.pid), exe(p.supervisor_pid())), (new, new), "executables")
    equal(p.pid_of("a"), pid, "pid")
    p.stop()


def test_F117_exits_during_the_exec(w):
    names = ["m%d" % i for i in range(8)]
    p = w.procd("".join(mortal(w, n, 5 + 3 * i, 10 + i) for i, n in enumerate(names)) + spewing(w, "s"))
    pid = p.wait_state("s", "running")["pid"]
    for _ in range(15):
        p.ctl("upgrade", "--keeper").expect(0)
    check_spewing(w, p, "s", pid)
    p.ctl("stop", "-q", "all").expect(0)
    for i, n in enumerate(names):
        check_mortal(w, p, n, 10 + i)
    check_lines(w, "s")
    p.stop()
    whole(p)


test_F117_exits_during_the_exec.deadline = 120


def test_S63_upgrades_with_bad_ones_between_under_load(w):
    stable, mortals = ["s%d" % i for i in range(4)], ["m%d" % i for i in range(4)]
    p = w.procd("".join(spewing(w, n) for n in stable)
                + "".join(mortal(w, n, 25 + 15 * i, 10 + i) for i, n in enumerate(mortals)))
    before = {n: p.wait_state(n, "running")["pid"] for n in stable}
    good = [copy(w, "one"), copy(w, "two")]
    bad = ["/bin/false", impostor(w, "crash"), impostor(w, "check-refuse"), impostor(w, "exit"),
           impostor(w, "keeper-refuse")]
    for i in range(ROUNDS):
        p.ctl("upgrade", good[i % 2], *(["--keeper"] if i % 5 == 4 else [])).expect(0)
        serves(p, good[i % 2])
        if i % 4 == 1:
            p.ctl("upgrade", bad[i // 4 % 4]).expect(1)
        if i % 10 == 7:
            p.ctl("upgrade", "--keeper", bad[4]).expect(1)
        if i % 4 == 3:
            p.kill_supervisor()
        serves(p, good[i % 2])
    for n in stable:
        check_spewing(w, p, n, before[n])
    p.ctl("stop", "-q", "all").expect(0)
    for i, n in enumerate(mortals):
        check_mortal(w, p, n, 10 + i)
    for n in stable:
        check_lines(w, n)
    p.stop()
    whole(p)
    if ROUNDS > 20:
        print("upgrades: %d; lines: %d; ends: %d; lost or doubled: 0" % (
            ROUNDS, sum(len(read_bytes(w.path(n + ".log")).splitlines()) for n in stable),
            sum(len(read_text(w.path("starts-" + n)).split()) for n in mortals)))


test_S63_upgrades_with_bad_ones_between_under_load.deadline = 180 + 3 * ROUNDS


# --- a supervisor that has come to a halt ------------------------------------------------------------------

PATIENCE_S = 10     # of the keeper with a supervisor that does not answer


def patience_passes(w):
    """Another keeper's patience begins now and ends: whoever began before should have acted by now."""
    clock = w.procd(w.sub("x"), label="clock")
    stopped = clock.supervisor_pid()
    os.kill(stopped, signal.SIGSTOP)
    wait_gone(stopped, PATIENCE_S + 5)
    clock.stop()


def test_F05_a_stopped_supervisor_is_replaced(w):
    p = w.procd(spewing(w, "s") + w.sub("a", restart="always", restart_delay_ms=10))
    pids_ = {n: p.wait_state(n, "running")["pid"] for n in ("s", "a")}
    old, mark = p.supervisor_pid(), p.mark()
    os.kill(old, signal.SIGSTOP)
    os.kill(pids_["a"], signal.SIGBUS)
    began = time.monotonic()
    wait_gone(old, 15)
    check(9 < time.monotonic() - began < 13 * SCALE, "after %g s" % (time.monotonic() - began))
    e = p.wait_event(lambda e: e["signal"] == "SIGBUS", type="state_changed", name="a", after=mark)
    equal(e["pid"], pids_["a"], "pid")
    p.wait_state("a", "running", after=mark)
    check_spewing(w, p, "s", pids_["s"])
    p.stop()
    check_lines(w, "s")


def test_F05_what_a_debugger_holds_is_left_alone(w):
    p = w.procd(w.sub("a", restart="always", restart_delay_ms=10))
    pid = p.wait_state("a", "running")["pid"]
    supervisor, mark = p.supervisor_pid(), p.mark()
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if ptrace(16, supervisor, None, None) != 0:  # PTRACE_ATTACH
        raise Skip("may not trace")
    os.waitpid(supervisor, 0x40000000)  # __WALL
    os.kill(pid, signal.SIGKILL)
    patience_passes(w)
    check(alive(supervisor), "it was killed under the debugger")
    ptrace(17, supervisor, None, None)  # PTRACE_DETACH
    p.wait_state("a", "running", after=mark)
    equal(p.supervisor_pid(), supervisor, "supervisor")
    p.stop()


def test_F05_a_short_stop_and_a_stop_of_all_is_nobodys_fault(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    supervisor = p.supervisor_pid()
    for _ in range(3):
        os.kill(supervisor, signal.SIGSTOP)
        wait_until(lambda: stat_fields(supervisor)[0] == "T", "it is stopped")
        os.kill(supervisor, signal.SIGCONT)
        p.ctl("restart", "a").expect(0)
    # as a machine that sleeps: nobody runs, for longer than anybody's patience (which is put in, and not waited out)
    for first, second in ((p.pid, supervisor), (supervisor, p.pid)):
        os.kill(supervisor, signal.SIGSTOP)
        os.kill(p.pid, signal.SIGSTOP)
        time.sleep(PATIENCE_S + 1.5)
        os.kill(first, signal.SIGCONT)
        os.kill(second, signal.SIGCONT)
        p.ctl("restart", "a").expect(0)
        equal(p.supervisor_pid(), supervisor, "supervisor")
    p.stop()


test_F05_a_short_stop_and_a_stop_of_all_is_nobodys_fault.deadline = 90
