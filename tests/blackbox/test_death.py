"""Death of the supervisor: no child notices, nothing is lost (interface 1, 5; faults.md F01-F11, S62)."""

import os
import signal
import subprocess
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


def test_what_was_half_written_goes(w):
    """A writer that is killed leaves its unfinished file; the next supervisor removes it, and nothing else."""
    p = w.procd('[subsystem.web]\ncommand = ["sleep", "1000"]\n')
    p.wait_state("web", "running")
    half = write_text(os.path.join(p.run_dir, "config.bundle.%d.7.new" % p.pid), "half")
    own = write_text(os.path.join(p.run_dir, "mine.new"), "of the operator")
    p.kill_supervisor()
    check(not os.path.exists(half), "the unfinished file is still there")
    check(os.path.exists(own), "another file is gone")
    p.stop()


def test_a_run_dir_that_a_reload_changed(w):
    """The key acts after a restart of procd; until then supervisors come and go where the keeper is."""
    p = w.procd(w.sub("a"))
    pid = p.wait_state("a", "running")["pid"]
    write_text(p.config_path, p.text(w.sub("a")).replace(p.run_dir, w.path("elsewhere")))
    contains(p.ctl("reload-config").expect(0).out, "run_dir", "what needs a restart")
    for _ in range(2):
        p.kill_supervisor()
        equal(p.pid_of("a"), pid, "pid of a")
    p.ctl("upgrade", w.procd_path).expect(0)
    equal(p.pid_of("a"), pid, "pid of a after an upgrade")
    check(not os.path.exists(w.path("elsewhere")), "the new directory was made")
    p.stop()


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
        # (on a busy machine it may have written all before the last kill)
        wait_until(lambda: len(read_bytes(path)) > size + 20000 or read_bytes(path).endswith(b"end\n"), "the log goes on")
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
        # the stop may overtake the news of the last start (it never was running), or the program's line
        n = min(len(told), len(starts))
        equal(told[:n], starts[:n], "every start of %s is told once" % name)
        check(max(len(told), len(starts)) <= n + 1, "%s: told %r, want %r" % (name, told, starts))
        if ends and ends[-1]["reason"] == "request" and ends[-1]["pid"] not in starts:
            ends.pop()      # the stop met a start that had only just begun: the program never ran
        equal([e["pid"] for e in ends], starts, "every end of %s is told once" % name)
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


def kill_both(p):
    """SIGKILL to the keeper, whose supervisor follows it."""
    supervisor = p.supervisor_pid()
    os.kill(p.pid, signal.SIGKILL)
    p.wait_end()
    wait_gone(supervisor, 3)


def test_what_programs_say_and_why_they_run_is_kept(w):
    said = "at work, und gr\u00fc\u00dft " + "x" * 200
    text = (w.sub("a", "--notify", "READY=1|ERRNO=2|STATUS=" + said, ready="notify") + w.sub("quiet") +
            w.sub("web", restart="never", on_failure=["standby"]) + w.sub("standby", autostart=False))
    p = w.procd(text)
    p.wait_state("a", "running")
    os.kill(p.pid_of("web"), signal.SIGKILL)
    p.wait_state("standby", "running")
    shown = p.of("a")["status_text"]
    contains(shown, said, "status_text")
    for _ in range(2):
        p.kill_supervisor()
        equal(p.of("a")["status_text"], shown, "status_text")
        equal(p.of("quiet")["status_text"], None, "of one that says nothing")
        contains(p.ctl("why", "standby").expect(0).out, "it was started because web had failed for good", "why")
    kill_both(p)
    q = w.procd(text)
    wait_until(lambda: q.of("a")["state"] == "running", "a is adopted")
    equal(q.of("a")["status_text"], shown, "status_text after the death of both")
    q.stop()
    check(not os.path.exists(os.path.join(q.run_dir, "notes")), "an ordered end leaves nothing")


def test_what_a_reload_removed_keeps_its_time_to_stop(w):
    """With the deadlines of [shutdown] it would be killed at once."""
    quick = '[shutdown]\ntimeout = "10ms"\nforce_timeout = "20ms"\nkill_timeout = "30ms"\n'
    gone = "".join(w.sub(n, "--ignore-term", "--print", "set", stop_timeout="600ms") for n in ("one", "both"))

    p = w.procd(quick + w.sub("web") + gone)
    for name in ("one", "both"):
        p.wait_state(name, "running")
        wait_until(lambda: "set" in p.ctl("logs", name).out, "it ignores TERM")
    p.write(quick + w.sub("web") + w.sub("both", "--ignore-term", stop_timeout="600ms"))
    p.ctl("reload-config").expect(0)
    begin = p.wait_state("one", "stopping")
    p.kill_supervisor()
    end = p.wait_state("one", "stopped")
    check(end["at_mono_ns"] - begin["at_mono_ns"] >= 0.6e9, "after the supervisor's death it was killed too early")
    p.write(quick + w.sub("web"))
    p.ctl("reload-config").expect(0)
    begin = p.wait_state("both", "stopping")
    kill_both(p)
    q = w.procd(quick + w.sub("web"))
    end = q.wait_state("both", "stopped")
    check(end["at_mono_ns"] - begin["at_mono_ns"] >= 0.6e9, "after the death of both it was killed too early")
    q.wait_event(type="subsystem_removed", name="both")
    q.stop()


def test_a_start_after_a_shutdown_that_was_killed_runs_what_it_is_to_run(w):
    config = w.sub("quick") + w.sub("slow", "--trap-exit", "USR1=0", "--ignore-term", "--print", "set") + w.sub("off")
    p = w.procd(config)
    p.wait_state("quick", "running")
    slow = p.wait_state("slow", "running")["pid"]
    wait_until(lambda: "set" in p.ctl("logs", "slow").out, "it ignores TERM")
    p.ctl("stop", "off").expect(0)
    os.kill(p.pid, signal.SIGTERM)
    p.wait_state("quick", "stopped", reason="shutdown")
    kill_both(p)
    check(alive(slow), "slow is gone")
    q = w.procd(config)
    q.wait_state("quick", "running")
    os.kill(slow, signal.SIGUSR1)
    wait_until(lambda: q.of("slow")["state"] == "running" and q.pid_of("slow") != slow, "slow is started again")
    equal((q.of("off")["state"], q.status()["state"]), ("stopped", "running"), "off, and procd")
    q.kill_supervisor()
    equal({n: q.of(n)["state"] for n in ("quick", "slow")}, {"quick": "running", "slow": "running"}, "states")
    q.stop(signal.SIGQUIT, want=3)


def test_a_history_goes_on_when_both_die_and_nothing_runs(w):
    p = w.procd(w.sub("a"))
    pid = p.wait_state("a", "running")["pid"]
    p.ctl("stop", "a").expect(0)
    kill_both(p)
    q = w.procd(w.sub("a"))
    q.ctl("start", "a").expect(0)     # stopped by order, if the last word about its end was not said yet
    told = [json.loads(line) for line in q.ctl("events", "--json").out.splitlines()]
    equal([e["seq"] for e in told], list(range(1, len(told) + 1)), "numbers")
    equal([e["signal"] for e in told if e["type"] == "state_changed" and e["state"] == "stopped"], ["SIGTERM"], "ends")
    check(q.pid_of("a") != pid, "an old pid")
    q.stop()
    r = w.procd(w.sub("a"))
    wait_until(lambda: r.of("a")["state"] == "running", "a runs after an ordered end")
    equal(json.loads(r.ctl("events", "--json").out.splitlines()[0])["type"], "subsystem_added", "first of a new history")
    equal(len(r.ctl("events", "--json").out.splitlines()), 4, "events of a new history")
    r.stop()


def test_what_was_ordered_and_done_is_known_when_both_die_and_nothing_runs(w):
    config = (w.sub("off", "--starts", w.path("off")) +
              w.sub("done", "--starts", w.path("done"), "--exit", 0, type="oneshot") +
              w.sub("bad", "--starts", w.path("bad"), "--exit", 1, restart_delay_ms=1, restart_max_attempts=1) +
              w.sub("hourly", "--starts", w.path("hourly"), "--exit", 0, every="1h"))
    p = w.procd(config)
    p.wait_state("off", "running")
    p.ctl("stop", "off").expect(0)
    for name in ("done", "hourly"):
        p.wait_state(name, "stopped")
    p.wait_state("bad", "failed", gave_up=True)
    before = {n: read_text(w.path(n)) for n in ("off", "done", "bad", "hourly")}
    kill_both(p)
    mark = p.mark()
    q = w.procd(config)
    equal(q.wait_event(type="supervisor_recovered", after=mark)["adopted"], [], "adopted")
    equal({s["name"]: s["state"] for s in q.status()["subsystems"]},
          {"off": "stopped", "done": "stopped", "bad": "failed", "hourly": "stopped"}, "states")
    q.stop()
    equal({n: read_text(w.path(n)) for n in before}, before, "starts")


def test_a_file_that_changed_between_two_procds_restarts_what_it_must(w):
    p = w.procd(w.sub("a", "--starts", w.path("starts")) + w.sub("b"))
    before = {n: p.wait_state(n, "running")["pid"] for n in ("a", "b")}
    kill_both(p)
    q = w.procd(w.sub("a", "--starts", w.path("starts"), "--print", "new") + w.sub("b"))
    e = q.wait_state("a", "stopping", reason="reload")
    equal(e["pid"], before["a"], "pid of what is replaced")
    q.wait_state("a", "running", reason="start")
    wait_until(lambda: "new" in q.ctl("logs", "a").out, "it runs with the new command")
    equal((len(read_text(w.path("starts")).split()), q.pid_of("b")), (2, before["b"]), "starts of a, pid of b")
    pid = q.pid_of("a")
    q.kill_supervisor()
    equal(q.pid_of("a"), pid, "pid after the death of the supervisor")
    q.stop()


def test_what_is_mended_between_two_procds_is_tried_and_planned_anew(w):
    """As a reload does it, whether or not anything else runs."""
    for other in (w.sub("other"), ""):
        bad = w.sub("bad", "--exit", 1, restart_delay_ms=1, restart_max_attempts=1)
        p = w.procd(other + bad + w.sub("late", autostart=False) + w.sub("job", "--exit", 0, every="1h"))
        p.wait_state("bad", "failed", gave_up=True)
        p.wait_state("job", "stopped")
        kill_both(p)
        mark = p.mark()
        q = w.procd(other + w.sub("bad") + w.sub("late") + w.sub("job", "--exit", 0, every="200ms"))
        q.wait_state("bad", "running", after=mark)
        q.wait_state("late", "running", after=mark)
        q.wait_state("job", "running", after=mark)
        q.stop()
        os.unlink(q.events_path)


def test_what_was_removed_between_two_procds_is_stopped_as_its_own_options_say(w):
    gone = w.sub("gone", "--ignore-term", "--trap-exit", "USR1=0", "--print", "set", stop_signal="USR1", stop_timeout="50s",
                 post_stop=["sh", "-c", "echo done >>" + w.path("hook")], restart="never")
    p = w.procd(w.sub("b") + gone)
    pid = p.wait_state("gone", "running")["pid"]
    wait_until(lambda: "set" in p.ctl("logs", "gone").out, "the handlers")
    kill_both(p)
    check(alive(pid), "it is dead already")
    q = w.procd(w.sub("b"))
    e = q.wait_state("gone", "stopped")
    equal((e["pid"], e["reason"], e.get("killed")), (pid, "reload", None), "how it ended")
    q.wait_event(type="subsystem_removed", name="gone")
    equal(read_text(w.path("hook")), "done\n", "what post_stop left")
    q.stop()


def test_an_adopted_child_appears_as_adopted(w):
    p = w.procd(w.sub("a", "--trap-exit", "USR1=42", "--print", "set", restart="never"))
    pid = p.wait_state("a", "running")["pid"]
    wait_until(lambda: "set" in p.ctl("logs", "a").out, "the handler")
    kill_both(p)
    q = w.procd(w.sub("a", "--trap-exit", "USR1=42", "--print", "set", restart="never"))
    q.wait_event(type="supervisor_recovered")
    e = q.wait_state("a", "running", reason="adopted")
    equal(e["pid"], pid, "pid")
    equal([(s["state"], s["reason"]) for s in q.find_events(type="state_changed", name="a")][-2:],
          [("starting", "adopted"), ("running", "adopted")], "states")
    mark = q.mark()
    os.kill(pid, signal.SIGUSR1)
    e = q.wait_state("a", "failed", after=mark)
    # Older kernels do not know; then nothing is invented.
    check((e["exit_code"], e["signal"]) in ((42, None), (None, None)), "status: %r" % e)
    q.stop()


def test_what_is_to_die_with_procd_is_dead_and_begins_anew(w):
    config = (w.sub("k", "--lock", w.path("lock-k"), "--starts", w.path("starts-k"), on_supervisor_death="keep")
              + w.sub("s", "--lock", w.path("lock-s"), "--starts", w.path("starts-s"), on_supervisor_death="stop",
                      restart="never"))
    p = w.procd(config)
    pids_ = {n: p.wait_state(n, "running")["pid"] for n in ("k", "s")}
    for n in pids_:
        starts(w.path("starts-" + n), 1)
    # The supervisor's death concerns neither.
    p.kill_supervisor()
    equal({n: p.pid_of(n) for n in pids_}, pids_, "pids after the supervisor's death")
    kill_both(p)
    wait_gone(pids_["s"], 3)
    check(alive(pids_["k"]), "the kept one is dead")
    q = w.procd(config)
    e = q.wait_event(type="supervisor_recovered")
    wait_until(lambda: {s["state"] for s in q.status()["subsystems"]} == {"running"}, "all run")
    equal((q.find_events(type="supervisor_recovered")[-1]["adopted"], e["lost"]), (["k"], []), "event")
    equal(q.pid_of("k"), pids_["k"], "pid of the kept one")
    check(q.pid_of("s") != pids_["s"], "pid of the stopped one")
    equal([e for e in q.find_events(type="state_changed", name="s") if e["state"] == "failed"], [], "failures")
    equal(len(starts(w.path("starts-s"), 2)), 2, "starts of s")
    equal(len(starts(w.path("starts-k"), 1)), 1, "starts of k")
    equal(read_text(w.path("lock-s")) + read_text(w.path("lock-k")), "", "two of one")
    q.stop()


def test_what_outlives_the_death_signal_is_ended_by_the_next(w):
    """The leader ignores the signal, its child is in the tree: both end before a new one starts."""
    config = w.sub("s", "--ignore-term", "--print", "set", on_supervisor_death="stop", stop_timeout_ms=300)
    p = w.procd(config)
    pid = p.wait_state("s", "running")["pid"]
    wait_until(lambda: "set" in p.ctl("logs", "s").out, "it ignores TERM")
    kill_both(p)
    check(alive(pid), "it was to ignore the signal")
    q = w.procd(config)
    q.wait_state("s", "stopping", reason="adopted")
    e = q.wait_state("s", "stopped")
    equal((e["pid"], e["signal"]), (pid, "SIGKILL"), "how it ended")
    new = q.wait_event(lambda x: x["seq"] > e["seq"], type="state_changed", name="s", state="running")["pid"]
    check(new != pid and not alive(pid), "the old one lives")
    # A supervisor that is killed now does not end the new one.
    q.kill_supervisor()
    equal(q.pid_of("s"), new, "pid")
    q.stop(want=3)


def test_a_rest_that_lost_leader_and_procd_is_ended_before_a_new_start(w):
    for features in (None, "cgroup2"):
        path = w.path("member-%s" % features)
        config = w.sub("s", "--grandchild", path, "--starts", w.path("starts"), on_supervisor_death="stop",
                       restart="never")
        env = {"PROCD_TEST_NO_FEATURE": features}
        p = w.procd(config, env=env, label="rest-%s" % features)
        p.wait_state("s", "running")
        member = wait_pid_file(path)
        kill_both(p)
        check(alive(member), "the member died by itself")
        os.unlink(path)
        q = w.procd(config, env=env, label="rest-%s" % features)
        wait_gone(member, 5)
        q.wait_event(lambda e: e["reason"] == "start", type="state_changed", name="s", state="running",
                     after=len(p.events))
        q.stop()


def test_a_reused_pid_is_never_signalled_and_is_named(w):
    """The record of a killed procd names a number that belongs to a stranger by now."""
    config = w.sub("a", restart="always", restart_delay_ms=10)
    p = w.procd(config)
    pid = p.wait_state("a", "running")["pid"]
    kill_both(p)
    os.kill(pid, signal.SIGKILL)
    wait_gone(pid)
    stranger = with_pid(pid)
    try:
        q = w.procd(config)
        e = q.wait_event(type="supervisor_recovered")
        equal((e["adopted"], e["lost"], e["left_alone"]), ([], ["a"], [{"name": "a", "pid": pid}]), "event")
        e = q.wait_event(lambda x: x["seq"] > e["seq"], type="state_changed", name="a", state="running")
        check(e["pid"] != pid, "pid")
        q.stop()
        equal(stranger.poll(), None, "the stranger's end")
    finally:
        stranger.kill()
        stranger.wait()


def with_pid(wanted):
    """A process that has the number WANTED, as if the kernel had come round to it."""
    need_root()
    for _ in range(20):
        try:
            write_text("/proc/sys/kernel/ns_last_pid", str(wanted - 1))
        except OSError:
            raise Skip("ns_last_pid cannot be written")
        other = subprocess.Popen(["sleep", "1000"])
        if other.pid == wanted:
            return other
        other.kill()
        other.wait()
    raise Skip("others were faster to take the number")


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
