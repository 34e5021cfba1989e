"""Stopping: the whole tree, escalation, what hides (interface 2, 3; faults.md S10-S13, F18-F25)."""

import os
import signal

from harness import *


def stopped(p, name):
    p.wait_state(name, "stopped")    # the event file follows the verb's answer
    return p.find_events(type="state_changed", name=name, state="stopped")[-1]


def test_S10_ignored_term_is_followed_by_kill_at_the_deadline(w):
    p = w.procd(w.sub("a", "--ignore-term", "--print", "set", stop_timeout_ms=400))
    p.wait_state("a", "running")
    wait_until(lambda: "set" in p.ctl("logs", "a").out, "it ignores TERM")
    r = p.ctl("stop", "a").expect(0)
    contains(r.err, "SIGKILL", "a note on stderr")
    a, b = p.find_events(type="state_changed", name="a", state="stopping")[0], stopped(p, "a")
    ms = (b["at_mono_ns"] - a["at_mono_ns"]) / 1e6
    check(395 <= ms <= 400 + 300 * SCALE, "killed after %.0f ms" % ms)
    equal((b["signal"], b.get("killed")), ("SIGKILL", True), "event")
    p.stop()


def test_F18_blocked_term_is_no_way_out(w):
    p = w.procd(w.sub("a", "--block", "TERM", "--block", "INT", stop_timeout_ms=100))
    wait_ignores(p.wait_state("a", "running")["pid"], "SIGINT")
    p.ctl("stop", "a").expect(0)
    equal(stopped(p, "a")["signal"], "SIGKILL", "signal")
    p.stop()


def test_S11_the_configured_stop_signal_comes_first(w):
    trace = w.path("trace")
    p = w.procd(w.sub("a", "--trap", "TERM=" + trace, "--trap-exit", "USR1=5", "--pid-file", w.path("pid"),
                      stop_signal="SIGUSR1"))
    wait_pid_file(w.path("pid"))
    p.wait_state("a", "running")
    p.ctl("stop", "a").expect(0)
    equal(stopped(p, "a")["exit_code"], 5, "exit code")
    equal(read_text(trace), "", "TERM was sent")
    p.stop()


def test_F20_a_stopped_process_is_woken_to_end(w):
    p = w.procd(w.sub("a", "--trap-exit", "TERM=6", "--pid-file", w.path("pid"), stop_timeout=30))
    pid = wait_pid_file(w.path("pid"))
    p.wait_state("a", "running")
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: stat_fields(pid)[0] == "T", "it is stopped")
    p.ctl("stop", "a", timeout=10).expect(0)
    equal(stopped(p, "a")["exit_code"], 6, "exit code")
    p.stop()


def grandchild_case(w, flags, **keys):
    """Stop one whose grandchild hides by FLAGS; the tree must be gone when stop returns."""
    p = w.procd(w.sub("a", "--grandchild", "+" + flags, w.path("g"), "--pid-file", w.path("pid"), **keys))
    p.wait_state("a", "running")
    g, pid = wait_pid_file(w.path("g")), wait_pid_file(w.path("pid"))
    check(alive(g) and alive(pid), "both live")
    p.ctl("stop", "a").expect(0)
    check(not alive(pid), "the leader is gone")
    check(not alive(g), "the grandchild (%s) is gone when stop returns" % flags)
    p.stop()


def test_S12_a_member_that_ignores_term_is_killed_too(w):
    grandchild_case(w, "t", stop_timeout_ms=300)


def test_S13_a_grandchild_in_a_new_session_is_found(w):
    grandchild_case(w, "s", stop_timeout_ms=500)


def test_F22_a_double_forked_grandchild_is_found(w):
    grandchild_case(w, "ds", stop_timeout_ms=500)


def test_F22_one_that_ignores_term_in_its_own_session_is_found(w):
    grandchild_case(w, "dst", stop_timeout_ms=300)


def test_F22_one_without_environment_is_found(w):
    grandchild_case(w, "dse", stop_timeout_ms=500)


def test_F23_leader_gone_rest_alive_is_ended_before_the_next_start(w):
    p = w.procd(w.sub("a", "--lock", w.path("lock"), "--grandchild", "+s", w.path("g"), "--print", "up",
                      restart="always", restart_delay_ms=10, stop_timeout_ms=300))
    pid = p.wait_state("a", "running")["pid"]
    g = wait_pid_file(w.path("g"))
    os.unlink(w.path("g"))
    mark = p.mark()
    os.kill(pid, signal.SIGKILL)
    p.wait_state("a", "starting", after=mark)
    check(not alive(g), "the rest of the old tree lives beside the new start")
    wait_pid_file(w.path("g"))  # one that is forked while the stop looks for members misses the signal
    p.stop()


def test_F25_S49_a_grandchild_that_holds_stdout_does_not_delay_the_exit(w):
    p = w.procd(w.sub("a", "--grandchild-holds-stdout", w.path("g"), "--print", "last words", "--sleep", 50, "--exit", 3,
                      restart="never", kill_mode="process"))
    e = p.wait_state("a", "failed", timeout=5)
    equal(e["exit_code"], 3, "exit code")
    g = wait_pid_file(w.path("g"))
    check(alive(g), "kill_mode = process leaves the grandchild alone")
    contains(p.ctl("logs", "a").out, "last words", "the last line")
    os.kill(g, signal.SIGKILL)
    p.stop()


def test_exit_event_comes_within_200_ms(w):
    p = w.procd(w.sub("a", "--grandchild-holds-stdout", w.path("g"), restart="never"))
    pid = p.wait_state("a", "running")["pid"]
    wait_pid_file(w.path("g"))
    import time
    before = time.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    e = p.wait_state("a", "failed")
    ms = (e["at_mono_ns"] - before) / 1e6
    check(ms < 200 * SCALE, "the event came after %.0f ms" % ms)
    p.stop()


def test_kill_mode_process_leaves_the_rest(w):
    p = w.procd(w.sub("a", "--grandchild", w.path("g"), "--pid-file", w.path("pid"), kill_mode="process"))
    p.wait_state("a", "running")
    g, pid = wait_pid_file(w.path("g")), wait_pid_file(w.path("pid"))
    p.ctl("stop", "a").expect(0)
    check(not alive(pid), "the main process is gone")
    check(alive(g), "the grandchild is left alone")
    os.kill(g, signal.SIGKILL)
    p.stop()


def test_another_kill_mode_needs_another_process(w):
    def config(mode):
        return w.sub("a", "--grandchild", "+s", w.path("g"), "--pid-file", w.path("pid"), kill_mode=mode, stop_timeout=5)

    p = w.procd(config("group"))
    pid = p.wait_state("a", "running")["pid"]
    first, mark = wait_pid_file(w.path("g")), p.mark()
    os.unlink(w.path("g"))
    p.write(config("process"))
    p.ctl("reload-config").expect(0)
    p.wait_state("a", "running", after=mark)
    check(not alive(first) and not alive(pid), "the old tree is gone")
    second, mark = wait_pid_file(w.path("g")), p.mark()
    os.unlink(w.path("g"))
    p.write(config("group"))
    p.ctl("reload-config").expect(0)
    p.wait_state("a", "running", after=mark)
    check(alive(second), "the rest of a process of mode process is left alone")
    os.kill(second, signal.SIGKILL)
    # a procd that takes it over with another file stops it as it was started
    third = wait_pid_file(w.path("g"))
    supervisor = p.supervisor_pid()
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(p.pid, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)
    p.wait_end()
    p.write(config("process"))
    mark = p.mark()
    p.start()
    p.wait_state("a", "running", after=mark, reason="adopted")
    p.ctl("stop", "a").expect(0)
    check(not alive(third), "the tree is gone")
    p.stop()


def test_F17_nobody_else_is_hit(w):
    canary = os.fork()
    if canary == 0:
        while True:
            signal.pause()
    try:
        p = w.procd(w.sub("a", "--grandchild", "+dst", w.path("g"), stop_timeout_ms=50) + w.sub("b"))
        p.wait_state("a", "running")
        p.wait_state("b", "running")
        b = p.pid_of("b")
        for _ in range(3):
            p.ctl("stop", "a").expect(0)
            p.ctl("start", "a").expect(0)
        equal(p.pid_of("b"), b, "pid of the neighbour")
        check(alive(canary), "the canary died")
        p.stop(want=None)    # 3 when the grandchild already ignored TERM
        check(alive(canary), "the canary died")
    finally:
        os.kill(canary, signal.SIGKILL)
        os.waitpid(canary, 0)


def test_shutdown_takes_hidden_trees_along(w):
    p = w.procd("[shutdown]\ntimeout_ms = 300\nforce_timeout_ms = 600\nkill_timeout_ms = 900\n"
                + w.sub("a", "--grandchild", "+dst", w.path("g1")) + w.sub("b", "--grandchild", "+ds", w.path("g2")))
    g1, g2 = wait_pid_file(w.path("g1")), wait_pid_file(w.path("g2"))
    p.wait_state("a", "running")
    p.stop(want=None)
    check(not alive(g1) and not alive(g2), "left: %s %s" % (alive(g1), alive(g2)))


def test_F14_exits_while_the_keeper_is_stopped_are_all_seen(w):
    names = ["s%d" % i for i in range(40)]
    p = w.procd("".join(w.sub(n, restart="never") for n in names))
    found = {n: p.wait_state(n, "running")["pid"] for n in names}
    os.kill(p.pid, signal.SIGSTOP)
    for pid in found.values():
        os.kill(pid, signal.SIGKILL)
    os.kill(p.pid, signal.SIGCONT)
    for n in names:
        equal(p.wait_state(n, "failed")["signal"], "SIGKILL", n)
    p.stop()


def test_F15_orphans_are_reaped(w):
    p = w.procd(w.sub("a", "--fork-and-exit", "--sleep", 30, "--exit", 0, restart="always", restart_delay_ms=5,
                      restart_max_delay_ms=5, kill_mode="process"))
    p.wait_event(lambda e: e["restart_count"] >= 20, type="state_changed", name="a")
    p.ctl("stop", "a").expect(0)
    wait_until(lambda: not [c for c in children_of(p.pid) if stat_fields(c) and stat_fields(c)[0] == "Z"],
               "no zombie is left")
    p.stop()
