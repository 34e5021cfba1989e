"""Death of the supervisor: no child notices, nothing is lost (interface 1, 5; faults.md F01-F11, S62)."""

import os
import signal
import time

from harness import *


def test_F01_children_keep_their_pids(w):
    p = w.procd(w.sub("a") + w.sub("b"))
    before = {n: p.wait_state(n, "running")["pid"] for n in ("a", "b")}
    mark = p.mark()
    old = p.supervisor_pid()
    new = p.kill_supervisor()
    check(new != old, "same supervisor")
    e = p.wait_event(type="supervisor_recovered", after=mark)
    equal((sorted(e["adopted"]), e["lost"]), (["a", "b"], []), "event")
    equal({n: p.pid_of(n) for n in before}, before, "pids")
    s = p.status()
    equal((s["keeper_pid"], s["supervisor_pid"]), (p.pid, new), "pids of procd")
    equal([x["state"] for x in p.find_events(mark, type="state_changed")], [], "state changes")
    p.stop()


def test_every_way_to_die(w):
    p = w.procd(w.sub("a"), env=w.crash_env())
    pid = p.wait_state("a", "running")["pid"]
    for signo in (signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL):
        p.kill_supervisor(signo)
        equal(p.pid_of("a"), pid, "pid after %s" % signo.name)
    p.stop()


def test_F09_exits_meanwhile_are_reported_with_their_status(w):
    p = w.procd(w.sub("code", "--trap-exit", "USR1=42", "--print", "set", restart="never")
                + w.sub("sig", restart="never") + w.sub("again", restart="always", restart_delay_ms=10))
    pids_ = {n: p.wait_state(n, "running")["pid"] for n in ("code", "sig", "again")}
    wait_until(lambda: "set" in p.ctl("logs", "code").out, "the handler")
    mark = p.mark()
    # Stopped first, so that the exits surely fall into the time without a supervisor.
    supervisor = p.supervisor_pid()
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(pids_["code"], signal.SIGUSR1)
    os.kill(pids_["sig"], signal.SIGBUS)
    os.kill(pids_["again"], signal.SIGKILL)
    for pid in pids_.values():
        wait_gone(pid)
    os.kill(supervisor, signal.SIGKILL)
    equal(p.wait_state("code", "failed", after=mark)["exit_code"], 42, "exit code")
    equal(p.wait_state("sig", "failed", after=mark)["signal"], "SIGBUS", "signal")
    equal(p.wait_state("again", "failed", after=mark)["signal"], "SIGKILL", "signal")
    p.wait_state("again", "running", after=mark)
    p.stop()


def test_event_numbers_go_on(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    for _ in range(3):
        p.kill_supervisor()
        p.ctl("restart", "a").expect(0)
    p.stop()
    seqs = [e["seq"] for e in p.read_events()]
    equal(len(seqs), len(set(seqs)), "a number came twice")
    equal(seqs, sorted(seqs), "order")
    equal(seqs, list(range(seqs[0], seqs[0] + len(seqs))), "no hole")


def test_operator_stop_is_kept(w):
    p = w.procd(w.sub("a") + w.sub("b"))
    p.wait_state("a", "running")
    p.wait_state("b", "running")
    p.ctl("stop", "a").expect(0)
    mark = p.mark()
    p.kill_supervisor()
    p.wait_event(type="supervisor_recovered", after=mark)
    p.ctl("restart", "b").expect(0)
    equal(p.of("a")["state"], "stopped", "state of a")
    equal([s for s in p.states("a", after=mark) if s != "stopped"], [], "a's states")
    p.stop()


def test_backoff_deadline_and_counters_are_kept(w):
    p = w.procd(w.sub("a", "--exit", 1, restart_delay_ms=1500, restart_max_delay_ms=1500, restart_max_attempts=3))
    first = p.wait_state("a", "restarting")
    p.kill_supervisor()
    a = p.of("a")
    equal((a["state"], a["exit_code"]), ("restarting", 1), "status")
    e = p.wait_event(lambda e: e["seq"] > first["seq"], type="state_changed", name="a", state="starting")
    waited = (e["at_mono_ns"] - first["at_mono_ns"]) / 1e6
    check(1450 <= waited <= 1500 + 800 * SCALE, "started %.0f ms after the crash" % waited)
    p.stop()


def test_gave_up_is_kept(w):
    p = w.procd(w.sub("a", "--starts", w.path("starts"), "--exit", 1, restart_delay_ms=5, restart_max_attempts=2))
    p.wait_state("a", "failed", gave_up=True)
    p.kill_supervisor()
    a = p.of("a")
    equal((a["state"], a["gave_up"], a["exit_code"], a["restart_count"]), ("failed", True, 1, 2), "status")
    equal(len(read_text(w.path("starts")).split()), 3, "starts")
    p.stop()


def test_F10_no_line_is_lost(w):
    path = w.path("a.log")
    p = w.procd(w.sub("a", "--line-size", 80, "--spew", "20000/4000", "--print", "end", log_file=path))
    p.wait_state("a", "running")
    for _ in range(6):
        size = len(read_bytes(path))
        wait_until(lambda: len(read_bytes(path)) > size + 20000, "the log goes on")
        p.kill_supervisor()
    wait_until(lambda: read_bytes(path).endswith(b"end\n"), "the end", 30)
    lines = read_bytes(path).splitlines()
    got = [int(line[:10]) for line in lines[:-1]]
    equal(got, list(range(1, 20001)), "lines, in order, once")
    p.stop()


def test_a_writer_never_gets_sigpipe(w):
    p = w.procd(w.sub("a", "--spew", 0, log_file=w.path("a.log"), log_max_file_size=1000000, log_max_files=1))
    pid = p.wait_state("a", "running")["pid"]
    for _ in range(4):
        p.kill_supervisor()
    equal(p.pid_of("a"), pid, "pid")
    equal(p.of("a")["state"], "running", "state")
    p.stop()


def test_S62_twenty_kills_under_load(w):
    """Stable ones keep their pids, mortal ones are restarted exactly once per death, all is told."""
    stable = ["s%d" % i for i in range(6)]
    p = w.procd("".join(w.sub(n, "--lock", w.path("lock-" + n), "--starts", w.path("starts-" + n), "--spew", "0/50",
                              log_file=w.path(n + ".log")) for n in stable)
                + "".join(w.sub("m%d" % i, "--lock", w.path("lock-m%d" % i), "--starts", w.path("starts-m%d" % i),
                                "--sleep", 40 + 15 * i, "--exit", 10 + i, restart="always", restart_delay_ms=20,
                                restart_max_delay_ms=20) for i in range(4)))
    before = {n: p.wait_state(n, "running")["pid"] for n in stable}
    for _ in range(20):
        mark = p.mark()
        p.kill_supervisor()
        p.wait_event(type="supervisor_recovered", after=mark)
    equal({n: p.pid_of(n) for n in stable}, before, "pids")
    for n in stable:
        equal(len(read_text(w.path("starts-" + n)).split()), 1, "starts of " + n)
        equal(p.states(n), ["starting", "running"], "states of " + n)
    p.ctl("stop", "all").expect(0)
    for i in range(4):
        name = "m%d" % i
        starts = [int(x) for x in read_text(w.path("starts-" + name)).split()]
        ends = [e for e in p.find_events(type="state_changed", name=name)
                if e["state"] in ("failed", "stopped") and e["prev"] in ("running", "stopping", "starting")]
        told = [e["pid"] for e in p.find_events(type="state_changed", name=name, state="running")]
        equal(told, starts, "every start of %s is told once" % name)
        equal(len(ends), len(starts), "every end of %s is told once" % name)
        for e in ends:
            check(e["exit_code"] == 10 + i or e["signal"], "an invented status: %r" % e)
        equal(read_text(w.path("lock-" + name)), "", "two of " + name)
    for n in stable:
        equal(read_text(w.path("lock-" + n)), "", "two of " + n)
        got = [int(line[:10]) for line in read_bytes(w.path(n + ".log")).splitlines()]
        equal(got, list(range(1, len(got) + 1)), "lines of " + n)
    p.stop()
    seqs = [e["seq"] for e in p.read_events()]
    equal(seqs, list(range(seqs[0], seqs[0] + len(seqs))), "event numbers")


test_S62_twenty_kills_under_load.deadline = 120


def test_kill_in_the_middle_of_a_stop(w):
    p = w.procd(w.sub("a", "--ignore-term", "--print", "set", stop_timeout_ms=700))
    pid = p.wait_state("a", "running")["pid"]
    wait_until(lambda: "set" in p.ctl("logs", "a").out, "it ignores TERM")
    p.ctl("stop", "a", "--no-wait").expect(0)
    p.wait_state("a", "stopping")
    p.kill_supervisor()
    e = p.wait_state("a", "stopped")
    equal(e["signal"], "SIGKILL", "signal")
    check(not alive(pid), "it lives")
    p.stop()


def test_kill_in_the_middle_of_a_shutdown(w):
    p = w.procd("[shutdown]\ntimeout_ms = 600\nforce_timeout_ms = 900\nkill_timeout_ms = 1200\n"
                + w.sub("a", "--ignore-term", "--print", "set") + w.sub("b"))
    p.wait_state("a", "running")
    p.wait_state("b", "running")
    wait_until(lambda: "set" in p.ctl("logs", "a").out, "it ignores TERM")
    os.kill(p.pid, signal.SIGTERM)
    p.wait_state("a", "stopping")
    os.kill(p.supervisor_pid(), signal.SIGKILL)
    equal(p.wait_end(), 3, "exit code")
    p.nothing_left()


def test_kill_in_the_middle_of_a_start(w):
    names = ["s%d" % i for i in range(30)]
    p = w.procd("".join(w.sub(n, "--lock", w.path("lock-" + n), "--starts", w.path("starts-" + n)) for n in names),
                wait=False)
    p.wait_event(type="state_changed", state="running")
    os.kill(p.supervisor_pid(), signal.SIGKILL)
    p.wait_up()
    wait_until(lambda: {s["state"] for s in p.status()["subsystems"]} == {"running"}, "all run")
    for n in names:
        equal(read_text(w.path("lock-" + n)), "", "two of " + n)
        equal(len(read_text(w.path("starts-" + n)).split()), 1, "starts of " + n)
    p.stop()


def test_reload_still_works_afterwards(w):
    p = w.procd("hot_reload = true\n" + w.sub("a"))
    pid = p.wait_state("a", "running")["pid"]
    p.kill_supervisor()
    mark = p.mark()
    p.write("hot_reload = true\n" + w.sub("a") + w.sub("b"))
    p.wait_state("b", "running", after=mark)
    equal(p.pid_of("a"), pid, "pid")
    p.stop()


def test_the_running_config_is_kept_when_the_file_is_bad_now(w):
    p = w.procd(w.sub("a"))
    pid = p.wait_state("a", "running")["pid"]
    p.write("nonsense = 1\n")
    p.kill_supervisor()
    equal((p.of("a")["state"], p.pid_of("a")), ("running", pid), "status")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: p.of("a")["state"] == "running" and p.pid_of("a") != pid, "it is restarted by the old config")
    p.stop()


def test_F02_both_roles_killed_next_start_adopts(w):
    p = w.procd(w.sub("a", "--lock", w.path("lock"), "--starts", w.path("starts")) + w.sub("b"))
    before = {n: p.wait_state(n, "running")["pid"] for n in ("a", "b")}
    supervisor = p.supervisor_pid()
    os.kill(p.pid, signal.SIGKILL)
    p.wait_end()
    wait_gone(supervisor, 3)
    check(all(alive(x) for x in before.values()), "a child died with the keeper")
    q = w.procd(w.sub("a", "--lock", w.path("lock"), "--starts", w.path("starts")) + w.sub("b"))
    wait_until(lambda: {s["state"] for s in q.status()["subsystems"]} == {"running"}, "all run")
    equal({n: q.pid_of(n) for n in before}, before, "pids")
    e = q.wait_event(type="supervisor_recovered")
    equal(sorted(e["adopted"]), ["a", "b"], "adopted")
    equal(read_text(w.path("lock")), "", "two of a")
    equal(len(read_text(w.path("starts")).split()), 1, "starts")
    q.stop()
    check(not any(alive(x) for x in before.values()), "an adopted one survives the stop")


def test_F04_five_deaths_lead_to_a_safe_mode_that_goes_on(w):
    p = w.procd(w.sub("a"))
    pid = p.wait_state("a", "running")["pid"]
    began = time.monotonic()
    for _ in range(7):
        try:
            old = p.supervisor_pid(timeout=3)
        except Failure:
            break
        os.kill(old, signal.SIGKILL)
        wait_gone(old)
    check(alive(pid), "the child died")
    check(alive(p.pid), "the keeper died")
    check(time.monotonic() - began < 60 * SCALE, "too slow to tell")
    os.kill(p.pid, signal.SIGTERM)
    p.wait_end(30)
    wait_gone(pid, 5)


def test_F03_oom_scores_are_in_order(w):
    need_root()
    p = w.procd(w.sub("a", "--report-state", w.path("r")))
    p.wait_state("a", "running")
    keeper = int(read_text("/proc/%d/oom_score_adj" % p.pid))
    child = read_report(w.path("r"))["oom_score_adj"]
    check(keeper <= child, "the keeper (%d) would go before a child (%d)" % (keeper, child))
    p.stop()
