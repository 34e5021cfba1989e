"""Start, exit, restart policies, delays, requests (interface 2, 3, 4; faults.md S01-S11, S30)."""

import os
import signal

from harness import *


def test_S01_a_service_runs_and_says_so(w):
    p = w.procd(w.sub("a", "--pid-file", w.path("pid")))
    e = p.wait_state("a", "starting")
    equal(e["prev"], "stopped", "first prev")
    e = p.wait_state("a", "running")
    equal((e["prev"], e["pid"], e["reason"]), ("starting", wait_pid_file(w.path("pid")), "start"), "event")
    for key in ("id", "name", "state", "at", "at_mono_ns", "seq", "restart_count"):
        check(key in e, "no %r in %r" % (key, e))
    check(e["at"].endswith("Z") and len(e["at"]) == 30, "time stamp " + e["at"])
    a = p.of("a")
    equal((a["state"], a["ready"], a["pid"], a["health"]), ("running", True, e["pid"], "unknown"), "status")
    equal(stat_fields(a["pid"])[1], str(p.pid), "the keeper is the parent")
    added = p.find_events(type="subsystem_added", name="a")
    equal(len(added), 1, "subsystem_added")
    check(added[0]["seq"] < e["seq"], "added comes first")
    p.stop()


def test_S02_exec_failures_name_stage_and_errno(w):
    write_text(w.path("plain"), "x", mode=0o644)
    write_text(w.path("badinterp"), "#!/no/such/interpreter\n", mode=0o755)
    cases = {"missing": (w.path("nothing"), "ENOENT"), "plain": (w.path("plain"), "EACCES"),
             "interp": (w.path("badinterp"), "ENOENT"), "dir": (w.dir, "EACCES"),
             "path": ("no-such-command-in-path", "ENOENT")}
    text = "".join('[subsystem.%s]\ncommand = ["%s"]\nrestart = "never"\n' % (n, c[0]) for n, c in cases.items())
    p = w.procd(text)
    for name, (_, errno) in cases.items():
        e = p.wait_state(name, "failed")
        equal((e["error"]["stage"], e["error"]["errno"]), ("exec", errno), "error of " + name)
        equal((e["reason"], e["exit_code"], e["signal"]), ("start", None, None), "event of " + name)
        check("running" not in p.states(name), name + " was running")
        equal(p.of(name)["last_error"], e["error"]["message"], "last_error of " + name)
    p.stop()


def test_S03_a_missing_directory_is_another_stage_and_harms_no_other(w):
    p = w.procd(w.sub("a", working_dir=w.path("gone"), restart="never") + w.sub("b"), wait=False)
    # The loader may refuse it at once; a directory that vanishes later is the start's failure.
    if not wait_until(lambda: p.process.poll() is not None or p.rpc_alive(), "either way"):
        return
    if p.process.poll() is not None:
        equal(p.process.returncode, 78, "exit code")
        return
    e = p.wait_state("a", "failed")
    equal(e["error"]["stage"], "chdir", "stage")
    contains(e["error"]["message"], w.path("gone"), "which directory")
    p.wait_state("b", "running")
    p.stop()


def test_S04_exit_codes_are_the_real_ones(w):
    codes = [0, 1, 2, 77, 126, 127, 128, 137, 254, 255]
    p = w.procd("".join(w.sub("c%d" % c, "--exit", c, restart="never") for c in codes))
    for c in codes:
        e = p.wait_event(lambda e: e["state"] in ("failed", "stopped"), name="c%d" % c, type="state_changed")
        equal((e["exit_code"], e["signal"], e["reason"]), (c, None, "exit"), "event of %d" % c)
        equal(e["state"], "stopped" if c == 0 else "failed", "state after %d" % c)
        equal(e["next_restart_ms"], None, "next_restart_ms")
        equal(p.of("c%d" % c)["exit_code"], c, "status")
    p.stop()


def test_S05_signals_are_named_and_no_exit_code_is_invented(w):
    names = [s.name for s in signal.Signals
             if s.name not in ("SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH",
                               "SIGRTMAX", "SIGRTMIN", "SIGIO")]  # SIGIO has two names
    p = w.procd("".join(w.sub(n, "--die", int(getattr(signal, n)), restart="never", limit_core=0)
                        for n in names))
    for n in names:
        e = p.wait_event(lambda e: e["state"] in ("failed", "stopped"), name=n, type="state_changed")
        equal((e["signal"], e["exit_code"], e["reason"]), (n, None, "signal"), "event of " + n)
        check("killed" not in e, "killed is only for procd's own SIGKILL")
    p.stop()


def test_S06_start_and_stop_are_idempotent(w):
    p = w.procd(w.sub("a") + w.sub("off", autostart=False))
    pid = p.wait_state("a", "running")["pid"]
    mark = p.mark()
    p.ctl("start", "a").expect(0)
    p.ctl("stop", "off").expect(0)
    equal(p.pid_of("a"), pid, "pid")
    equal(p.find_events(mark, type="state_changed"), [], "events")
    p.ctl("stop", "a").expect(0)
    check(not alive(pid), "stop returned before the process was gone")
    equal(p.of("a")["state"], "stopped", "state")
    mark = p.mark()
    p.ctl("stop", "a").expect(0)
    equal(p.find_events(mark, type="state_changed"), [], "events")
    p.ctl("start", "a").expect(0)
    new = p.of("a")
    equal(new["state"], "running", "start returned before it ran")
    check(new["pid"] != pid, "same pid")
    p.stop()


def test_restart_request_makes_one_new_instance(w):
    p = w.procd(w.sub("a", "--lock", w.path("lock"), "--starts", w.path("starts")))
    old = p.wait_state("a", "running")["pid"]
    wait_until(lambda: os.path.exists(w.path("starts")) and read_text(w.path("starts")).split(), "the first start")
    mark = p.mark()
    p.ctl("restart", "a").expect(0)
    a = p.of("a")
    equal(a["state"], "running", "state")
    check(a["pid"] != old and not alive(old), "old and new pid")
    equal((a["restart_count"], a["attempt"]), (0, 0), "manual restarts count nowhere")
    # A fact of the child: its handler-free start is done when it noted its pid.
    wait_until(lambda: len(read_text(w.path("starts")).split()) == 2, "two starts")
    equal(read_text(w.path("lock")), "", "two at once")
    check(all(e["reason"] in ("request", "start") for e in p.find_events(mark, type="state_changed")), p.events[mark:])
    p.stop()


def test_restart_of_a_stopped_one_starts_it(w):
    p = w.procd(w.sub("a", autostart=False))
    equal(p.of("a")["state"], "stopped", "state")
    p.ctl("restart", "a").expect(0)
    equal(p.of("a")["state"], "running", "state")
    p.stop()


def test_policy_matrix(w):
    cases = {}
    for policy in ("never", "always", "on-failure", "exponential-backoff"):
        for how, args in (("ok", ["--exit", "0"]), ("bad", ["--exit", "3"]), ("sig", ["--die", "TERM"])):
            again = {"never": False, "always": True, "on-failure": how != "ok", "exponential-backoff": True}[policy]
            cases[policy + "." + how] = (policy, args, again)
    text = "".join(w.sub(n, *c[1], restart=c[0], restart_delay=3600, restart_max_delay=3600)
                   for n, c in cases.items())
    p = w.procd(text)
    for n, (policy, args, again) in cases.items():
        e = p.wait_event(lambda e: e["state"] in ("failed", "stopped"), type="state_changed", name=n)
        equal(e["next_restart_ms"], 3600000 if again else None, "next_restart_ms of " + n)
        if again:
            equal(p.wait_state(n, "restarting")["next_restart_ms"], 3600000, "restarting of " + n)
    for n, (_, _, again) in cases.items():
        want = "restarting" if again else ("stopped" if n.endswith(".ok") else "failed")
        equal(p.of(n)["state"], want, "state of " + n)
    p.stop()


def test_delays_follow_the_formula_and_attempts_end(w):
    p = w.procd(w.sub("a", "--starts", w.path("starts"), "--exit", 1, restart="on-failure", restart_delay_ms=10,
                      restart_max_delay_ms=50, restart_max_attempts=5))
    e = p.wait_state("a", "failed", gave_up=True)
    delays = [x["next_restart_ms"] for x in p.find_events(type="state_changed", name="a", state="restarting")]
    equal(delays, [10, 20, 40, 50, 50], "delays")
    equal(len(read_text(w.path("starts")).split()), 6, "starts")
    equal((e["next_restart_ms"], e["exit_code"], e["restart_count"]), (None, 1, 5), "last event")
    a = p.of("a")
    equal((a["state"], a["gave_up"], a["restart_count"], a["attempt"]), ("failed", True, 5, 5), "status")
    p.ctl("is-failed", "a").expect(0)
    # Failed for good is not for ever: a request starts it again, from the first step.
    mark = p.mark()
    p.ctl("start", "a")
    p.wait_state("a", "restarting", after=mark, next_restart_ms=10)
    p.stop()


def test_exponential_backoff_defaults(w):
    p = w.procd(w.sub("a", "--exit", 0, restart="exponential-backoff"))
    equal(p.wait_state("a", "restarting")["next_restart_ms"], 1000, "first delay")
    p.stop()


def test_waiting_time_is_kept(w):
    p = w.procd(w.sub("a", "--exit", 1, restart_delay_ms=300, restart_max_attempts=1))
    p.wait_state("a", "failed", gave_up=True)
    down, up = p.find_events(type="state_changed", name="a", state="restarting")[0], \
        p.find_events(type="state_changed", name="a", state="starting")[1]
    waited = (up["at_mono_ns"] - down["at_mono_ns"]) / 1e6
    check(295 <= waited <= 300 + 150 * SCALE, "waited %.1f ms" % waited)
    p.stop()


def test_jitter_stays_within_its_bounds_and_varies(w):
    text = "".join(w.sub("j%d" % i, "--exit", 1, restart_delay_ms=100000, restart_max_delay_ms=100000,
                         restart_jitter=0.2) for i in range(12))
    p = w.procd(text)
    delays = [p.wait_state("j%d" % i, "restarting")["next_restart_ms"] for i in range(12)]
    check(all(80000 <= d <= 120000 for d in delays), delays)
    check(len(set(delays)) > 1, "all the same: %r" % delays)
    p.stop()


def test_S33_a_stable_run_resets_the_count(w):
    p = w.procd(w.sub("a", restart="always", restart_delay_ms=20, restart_max_delay_ms=1000,
                      restart_reset_after_ms=150))
    pid = p.wait_state("a", "running")["pid"]
    for want in (20, 40, 80):
        mark = p.mark()
        os.kill(pid, signal.SIGKILL)
        equal(p.wait_state("a", "restarting", after=mark)["next_restart_ms"], want, "delay")
        pid = p.wait_state("a", "running", after=mark)["pid"]
    wait_until(lambda: p.of("a")["attempt"] == 0, "the count is reset after a stable run")
    mark = p.mark()
    os.kill(pid, signal.SIGKILL)
    equal(p.wait_state("a", "restarting", after=mark)["next_restart_ms"], 20, "delay after the reset")
    p.stop()


def test_S07_stop_during_backoff_cancels_the_restart(w):
    p = w.procd(w.sub("a", "--starts", w.path("starts"), "--exit", 1, restart_delay_ms=200)
                + w.sub("clock", "--sleep", 1000, "--exit", 0, restart="never"))
    p.wait_state("a", "restarting")
    p.ctl("stop", "a").expect(0)
    equal(p.of("a")["state"], "stopped", "state")
    n = len(read_text(w.path("starts")).split())
    # Another subsystem's exit is the clock: five delays later nothing has started.
    p.wait_state("clock", "stopped")
    equal(len(read_text(w.path("starts")).split()), n, "starts")
    equal(p.of("a")["next_restart_ms"], None, "next_restart_ms")
    p.stop()


def test_success_exit_codes(w):
    p = w.procd(w.sub("a", "--exit", 3, success_exit_codes=[0, 3]) + w.sub("b", "--exit", 0, success_exit_codes=[3],
                                                                           restart="never"))
    e = p.wait_state("a", "stopped", exit_code=3)
    equal(e["next_restart_ms"], None, "no restart")
    p.wait_state("b", "failed", exit_code=0)
    p.stop()


def test_oneshot_ends_stopped_and_is_not_restarted(w):
    p = w.procd(w.sub("ok", "--exit", 0, type="oneshot") + w.sub("bad", "--exit", 2, type="oneshot"))
    p.wait_state("ok", "stopped", exit_code=0)
    e = p.wait_state("bad", "failed", exit_code=2)
    equal(e["next_restart_ms"], None, "default policy of a oneshot is never")
    p.ctl("start", "ok").expect(0)
    p.stop()


def test_start_of_a_oneshot_waits_for_its_work(w):
    go = w.path("go")
    p = w.procd(w.sub("job", "--wait-for", go, "--exit", 0, type="oneshot", autostart=False)
                + w.sub("bad", "--exit", 3, type="oneshot", autostart=False))
    p.ctl("start", "job", "--no-wait").expect(0)
    p.wait_state("job", "running")
    p.ctl("start", "job", "--timeout", "20ms").expect(124)
    write_text(go, "")
    p.ctl("start", "job").expect(0)
    equal(p.of("job")["state"], "stopped", "its state when start returns")
    contains(p.ctl("start", "bad").expect(1).err, "exited with code 3", "stderr")
    contains(p.ctl("restart", "bad").expect(1).err, "exited with code 3", "stderr")
    p.stop()


def test_min_uptime_makes_an_early_death_a_failed_start(w):
    p = w.procd(w.sub("a", "--sleep", 20, "--exit", 0, min_uptime=60, restart="never")
                + w.sub("b", min_uptime_ms=100))
    e = p.wait_state("a", "failed")
    equal(e["prev"], "starting", "prev")
    check("running" not in p.states("a"), "a was running")
    text = "exited with code 0 before it was ready"
    equal(e["error"], {"stage": "ready", "errno": None, "message": text}, "error")
    equal(p.of("a")["last_error"], text, "last_error")
    up, start = p.wait_state("b", "running"), p.find_events(type="state_changed", name="b", state="starting")[0]
    check(up["at_mono_ns"] - start["at_mono_ns"] >= 95e6, "running before min_uptime")
    p.stop()


def test_S22_signal_goes_to_the_main_process(w):
    trace = w.path("trace")
    p = w.procd(w.sub("a", "--trap", "HUP=" + trace, "--trap", "USR1=" + trace, "--pid-file", w.path("pid"))
                + w.sub("off", autostart=False))
    wait_pid_file(w.path("pid"))
    p.wait_state("a", "running")
    p.ctl("signal", "a", "USR1").expect(0)
    wait_until(lambda: read_text(trace) == "USR1\n", "USR1")
    p.ctl("signal", "a", "SIGUSR1").expect(0)
    wait_until(lambda: read_text(trace) == "USR1\nUSR1\n", "SIGUSR1")
    p.ctl("signal", "a", "1").expect(0)
    wait_until(lambda: "HUP" in read_text(trace), "a number")
    p.ctl("reload", "a").expect(0)
    wait_until(lambda: read_text(trace).count("HUP") == 2, "reload without a setting is SIGHUP")
    p.ctl("signal", "off", "USR1").expect(1)
    p.stop()


def test_names_globs_groups_and_all(w):
    p = w.procd(w.sub("web-1", groups=["front"]) + w.sub("web-2", groups=["front"]) + w.sub("db"))
    for n in ("web-1", "web-2", "db"):
        p.wait_state(n, "running")

    def states():
        return {s["name"]: s["state"] for s in p.status()["subsystems"]}
    p.ctl("stop", "web-*").expect(0)
    equal(states(), {"web-1": "stopped", "web-2": "stopped", "db": "running"}, "after a glob")
    p.ctl("start", "@front").expect(0)
    p.ctl("stop", "all").expect(0)
    equal(set(states().values()), {"stopped"}, "after all")
    p.ctl("start", "db", "web-1").expect(0)
    equal(states(), {"web-1": "running", "web-2": "stopped", "db": "running"}, "after two names")
    p.stop()


def test_start_of_one_that_fails_is_1_with_the_reason(w):
    p = w.procd('[subsystem.a]\ncommand = ["/no/such/thing"]\nautostart = false\nrestart = "never"\n')
    r = p.ctl("start", "a").expect(1)
    contains(r.err, "No such file", "message")
    p.stop()


def test_stop_that_runs_out_of_time_is_124_and_goes_on(w):
    p = w.procd(w.sub("a", "--ignore-term", "--print", "set", stop_timeout_ms=1500))
    pid = p.wait_state("a", "running")["pid"]
    wait_until(lambda: "set" in p.ctl("logs", "a").out, "it ignores TERM")
    p.ctl("stop", "a", "--timeout", "100ms").expect(124)
    check(alive(pid), "it is still alive")
    p.wait_state("a", "stopped")
    check(not alive(pid), "now it is gone")
    p.stop()


def test_no_wait_returns_at_once(w):
    p = w.procd(w.sub("a", "--ignore-term", "--print", "set", stop_timeout=60))
    p.wait_state("a", "running")
    wait_until(lambda: "set" in p.ctl("logs", "a").out, "it ignores TERM")
    p.ctl("stop", "a", "--no-wait", timeout=3).expect(0)
    p.wait_state("a", "stopping")
    p.stop(signal.SIGQUIT, want=3)


def test_wait_and_predicates(w):
    p = w.procd(w.sub("a") + w.sub("bad", "--exit", 1, restart="never"))
    p.ctl("wait", "a", "--for", "running", "--timeout", "5s").expect(0)
    p.ctl("wait", "a", "--for", "ready", "--timeout", "5s").expect(0)
    p.ctl("wait", "a", "--for", "stopped", "--timeout", "50ms").expect(124)
    p.ctl("wait", "bad", "--for", "failed", "--timeout", "5s").expect(0)
    for verb, name, want in (("is-active", "a", 0), ("is-active", "bad", 3), ("is-ready", "a", 0),
                             ("is-ready", "bad", 3), ("is-failed", "bad", 0), ("is-failed", "a", 3)):
        p.ctl(verb, name).expect(want)
    p.stop()


def test_why_tells_the_last_exit_and_the_next_restart(w):
    p = w.procd(w.sub("a", "--exit", 9, restart_delay=600, restart_max_delay=600))
    p.wait_state("a", "restarting")
    r = p.ctl("why", "a").expect(0)
    contains(r.out, "9", "the exit code")
    j = p.ctl("why", "a", "--json").expect(0).json()
    equal((j["name"], j["state"]), ("a", "restarting"), "json")
    p.stop()


def test_reset_failed(w):
    p = w.procd(w.sub("a", "--exit", 1, restart_delay_ms=5, restart_max_attempts=2))
    p.wait_state("a", "failed", gave_up=True)
    p.ctl("reset-failed", "a").expect(0)
    a = p.of("a")
    equal((a["gave_up"], a["attempt"]), (False, 0), "status")
    p.stop()


def test_S50_opposite_orders_end_in_one_truth(w):
    p = w.procd(w.sub("a", "--lock", w.path("lock")))
    p.wait_state("a", "running")
    import threading
    results = []

    def order(verb):
        for _ in range(8):
            results.append(p.ctl(verb, "a").rc)
    threads = [threading.Thread(target=order, args=(v,)) for v in ("start", "stop", "restart")]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check(set(results) <= {0, 1}, results)
    p.ctl("start", "a").expect(0)
    equal(p.of("a")["state"], "running", "state")
    equal(read_text(w.path("lock")), "", "two at once")
    p.stop()


def test_F16_short_lives_are_all_seen(w):
    p = w.procd('[subsystem.a]\ncommand = ["true"]\nrestart = "always"\nrestart_delay = 0\nrestart_max_attempts = 200\n'
                "[events]\nhistory = 8192\noutput = \"file:%s\"\n" % w.path("events.jsonl"))
    p.wait_state("a", "failed", gave_up=True, timeout=30)
    ends = [e for e in p.find_events(type="state_changed", name="a") if e["exit_code"] == 0 and e["prev"] == "running"]
    equal(len(ends), 201, "exits")
    p.stop()


def test_every_transition_is_a_legal_one(w):
    legal = {"stopped": {"starting", "restarting"}, "starting": {"running", "failed", "stopping"},
             "running": {"stopping", "failed", "stopped"}, "stopping": {"stopped"},
             "failed": {"restarting", "starting"}, "restarting": {"starting", "stopped"}}
    p = w.procd(w.sub("a", restart="always", restart_delay_ms=5) + w.sub("b", "--exit", 1, restart_delay_ms=3)
                + '[subsystem.c]\ncommand = ["/no/such"]\nrestart_delay_ms = 3\n')
    pid = p.wait_state("a", "running")["pid"]
    for verb in ("restart", "stop", "start", "restart"):
        p.ctl(verb, "a").expect(0)
        p.ctl(verb, "b", "--no-wait")
        p.ctl(verb, "c", "--no-wait")
    os.kill(p.pid_of("a"), signal.SIGKILL)
    p.wait_state("a", "restarting")
    check(not alive(pid), "first pid")
    p.stop()
    last = {}
    for e in p.find_events(type="state_changed"):
        equal(e["prev"], last.get(e["name"], "stopped"), "prev of %r" % e)
        check(e["state"] in legal[e["prev"]], "illegal: %r" % e)
        last[e["name"]] = e["state"]
