"""Somebody sets the clock, or the supervisor does not run for a while: nothing comes too early, too late or in a burst
(faults.md F05, F47-F49, F51). Every oracle here is the monotonic clock of the events."""

import os
import signal
import struct
import time

from harness import *

HOUR, YEAR = 3600, 365 * 86400


class Clock:
    """The time of day of a procd, which can be set."""

    def __init__(self, w):
        self.path, self.library = w.path("shift"), w.path("clockshift.so")
        self.set(0)
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clockshift.c")
        w.run_program([need_program("cc"), "-shared", "-fPIC", "-O1", "-o", self.library, source, "-ldl"]).expect(0)
        self.env = {"LD_PRELOAD": self.library, "CLOCKSHIFT_FILE": self.path}
        if w.run("--version", env=self.env).rc != 0:
            raise Skip("nothing can be preloaded into this build")

    def set(self, seconds):
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as f:
            f.write(struct.pack("=q", seconds))


def ms_between(a, b):
    return (b["at_mono_ns"] - a["at_mono_ns"]) / 1e6


def crash_with(clock, p, shifts, jump):
    """A crash, the clock set in the middle of the delay, the restart: the delay is what was told."""
    pid = p.wait_state("a", "running", after=shifts["mark"])["pid"]
    mark = p.mark()
    os.kill(pid, signal.SIGKILL)
    told = p.wait_state("a", "restarting", after=mark)
    clock.set(jump)
    again = p.wait_state("a", "starting", after=mark)
    waited = ms_between(told, again)
    check(told["next_restart_ms"] <= waited <= told["next_restart_ms"] + 500 * SCALE,
          "told %s ms, waited %.1f ms after a jump to %d s" % (told["next_restart_ms"], waited, jump))
    shifts["mark"] = mark


def test_a_deadline_that_comes_while_the_delay_is_computed_is_kept(w):
    env = dict(Clock(w).env, CLOCKSHIFT_SLOW_US="300")
    p = w.procd(w.sub("a", "--exit", 1, restart="always", restart_delay_ms=2, restart_max_delay_ms=2), env=env)
    p.wait_event(lambda e: e.get("state") == "running" and e["restart_count"] == 300, name="a")
    p.stop()


def test_F47_F48_setting_the_clock_moves_no_restart(w):
    clock = Clock(w)
    p = w.procd(w.sub("a", restart="always", restart_delay_ms=300, restart_max_delay_ms=300), env=clock.env)
    shifts = {"mark": 0}
    for jump in (-HOUR, HOUR, 10 * YEAR, -10 * YEAR, 16 * YEAR, 0):
        crash_with(clock, p, shifts, jump)
    equal(len(p.find_events(type="state_changed", name="a", state="starting")), 7, "starts")
    p.stop()


def test_F47_setting_the_clock_moves_no_deadline_of_a_stop(w):
    clock = Clock(w)
    p = w.procd(w.sub("a", "--ignore-term", "--print", "set", stop_timeout_ms=500), env=clock.env)
    for i, jump in enumerate((-HOUR, 20 * YEAR)):
        wait_until(lambda: p.ctl("logs", "a").out.count("set") == i + 1, "it ignores TERM")
        mark = p.mark()
        p.ctl("stop", "--no-wait", "a").expect(0)
        begin = p.wait_state("a", "stopping", after=mark)
        clock.set(jump)
        end = p.wait_state("a", "stopped", after=mark, killed=True)
        check(500 <= ms_between(begin, end) <= 500 + 700 * SCALE, "killed after %.0f ms" % ms_between(begin, end))
        p.ctl("start", "a").expect(0)
    p.stop(want=None)


def test_F47_setting_the_clock_back_does_not_hold_up_the_end(w):
    clock = Clock(w)
    p = w.procd(w.sub("a"), env=clock.env)
    p.wait_state("a", "running")
    clock.set(-10 * YEAR)
    p.stop(timeout=5)


def test_F48_events_of_a_far_year_are_still_events(w):
    clock = Clock(w)
    clock.set(80 * YEAR)
    p = w.procd(w.sub("a"), env=clock.env)
    e = p.wait_state("a", "running")
    check(e["at"].startswith("210"), "time stamp %r" % e["at"])
    clock.set(-56 * YEAR)
    mark = p.mark()
    p.ctl("restart", "a").expect(0)
    e = p.wait_state("a", "running", after=mark)
    check(e["at"].startswith(("196", "197")), "time stamp %r" % e["at"])
    p.kill_supervisor()
    p.ctl("restart", "a").expect(0)
    p.stop()


def test_F51_a_reload_is_noticed_with_a_clock_that_is_years_off(w):
    clock = Clock(w)
    clock.set(-30 * YEAR)
    p = w.procd("hot_reload = true\n" + w.sub("a"), env=clock.env)
    p.wait_state("a", "running")
    p.write("hot_reload = true\n" + w.sub("a") + w.sub("b"))
    p.wait_state("b", "running")
    clock.set(30 * YEAR)
    p.write("hot_reload = true\n" + w.sub("a") + w.sub("b") + w.sub("c"))
    p.wait_state("c", "running")
    equal(len(p.find_events(type="config_reloaded")), 2, "reloads")
    p.stop()


# --- the supervisor does not run for a while ------------------------------------------------------

def test_F05_after_a_halt_there_is_no_storm_and_no_missed_deadline(w):
    """What came due meanwhile is done once, at once; nothing that repeats makes up for the lost time."""
    p = w.procd(w.sub("once", "--starts", w.path("once"), restart="always", restart_delay_ms=100)
                + w.sub("loop", "--starts", w.path("loop"), "--exit", 1, restart="always", restart_delay_ms=100,
                        restart_max_delay_ms=100)
                + w.sub("stuck", "--ignore-term", "--print", "set", stop_timeout_ms=700)
                + w.sub("calm", "--starts", w.path("calm")))
    pid = p.wait_state("once", "running")["pid"]
    p.wait_state("calm", "running")
    wait_until(lambda: "set" in p.ctl("logs", "stuck").out, "it ignores TERM")
    p.wait_state("loop", "restarting")
    mark = p.mark()
    p.ctl("stop", "--no-wait", "stuck").expect(0)
    begin = p.wait_state("stuck", "stopping", after=mark)
    supervisor = p.supervisor_pid()
    os.kill(supervisor, signal.SIGSTOP)
    wait_until(lambda: stat_fields(supervisor)[0] == "T", "it stands still")
    os.kill(pid, signal.SIGKILL)
    # far beyond every deadline above: the length of the halt is what is tested, not an oracle
    wait_until(lambda: time.clock_gettime_ns(time.CLOCK_MONOTONIC) > begin["at_mono_ns"] + 2500 * 10**6, "time")
    os.kill(supervisor, signal.SIGCONT)
    going_on = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    end = p.wait_state("stuck", "stopped", after=mark, killed=True)
    check(end["at_mono_ns"] - going_on < 500e6 * SCALE, "killed %.0f ms late" % ((end["at_mono_ns"] - going_on) / 1e6))
    p.wait_state("once", "running", after=mark)
    wait_until(lambda: len(read_text(w.path("once")).split()) >= 2, "it was started again")
    for _ in range(3):
        n = len(p.find_events(type="state_changed", name="loop", state="starting"))
        wait_until(lambda: len(p.find_events(type="state_changed", name="loop", state="starting")) > n, "it goes on")
    seen = [e for e in p.read_events() if e["type"] == "state_changed" and e["name"] == "loop"]
    for told, start in zip(seen, seen[1:]):
        if told["state"] == "restarting" and start["state"] == "starting":
            check(ms_between(told, start) >= 100, "too early: %.1f ms" % ms_between(told, start))
    equal(len(read_text(w.path("once")).split()), 2, "starts of the one that was killed")
    equal(len(read_text(w.path("calm")).split()), 1, "starts of the one that nothing happened to")
    equal(p.supervisor_pid(), supervisor, "supervisor")
    p.stop()


def test_F05_after_all_of_it_stood_still_there_is_no_storm_and_no_missed_deadline(w):
    """Keeper, supervisor and children at once, as a frozen container would have it."""
    probes, every, beat = w.path("probes"), 200, 100
    p = w.procd(w.sub("crash", "--starts", w.path("crash"), restart="always", restart_delay_ms=500)
                + w.sub("stuck", "--ignore-term", stop_timeout_ms=1500)
                + w.sub("job", "--exit", 0, every_ms=every)
                + w.sub("probed", "--starts", w.path("calm"), health="command:sh -c 'echo >>%s'" % probes, health_interval_ms=100,
                        health_timeout="5s", on_unhealthy="restart", health_retries=1)
                + w.sub("watched", "--notify", "READY=1", "--beat", beat, ready="notify", watchdog="700ms"))
    running = {n: p.wait_state(n, "running")["pid"] for n in ("crash", "stuck", "probed", "watched")}
    wait_ignores(running["stuck"], "SIGTERM")
    starts(w.path("crash"), 1)
    wait_until(lambda: len(read_bytes(probes)) >= 2, "probes")
    supervisor, mark = p.supervisor_pid(), p.mark()
    still = [p.pid, supervisor, running["stuck"], running["probed"], running["watched"]]
    p.ctl("stop", "--no-wait", "stuck").expect(0)
    begin = p.wait_state("stuck", "stopping", after=mark)
    os.kill(running["crash"], signal.SIGKILL)
    p.wait_state("crash", "restarting", after=mark)
    for pid in still:
        os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: all(stat_fields(pid)[0] == "T" for pid in still), "they stand still")
    # beyond every deadline above: the length of the halt is what is tested, not an oracle
    wait_until(lambda: time.clock_gettime_ns(time.CLOCK_MONOTONIC) > begin["at_mono_ns"] + 2000 * 10**6, "time")
    probed, going_on = len(read_bytes(probes)), time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    for pid in still:
        os.kill(pid, signal.SIGCONT)
    p.wait_state("stuck", "stopped", after=mark, killed=True)
    p.wait_state("crash", "running", after=mark)

    def jobs():
        return [e["at_mono_ns"] for e in p.find_events(type="state_changed", name="job", state="starting") if e["at_mono_ns"] > going_on]
    wait_until(lambda: len(jobs()) >= 6, "the job goes on")
    wait_until(lambda: len(read_bytes(probes)) >= probed + 6, "so do the probes")
    for n, at in enumerate(jobs(), 1):
        check(n <= (at - jobs()[0]) / 1e6 // every + 2, "%d runs of the job within %.0f ms" % (n, (at - jobs()[0]) / 1e6))
    seen = len(read_bytes(probes)) - probed
    ms = (time.clock_gettime_ns(time.CLOCK_MONOTONIC) - going_on) / 1e6
    check(seen <= ms / 100 + 2, "%d probes within %.0f ms" % (seen, ms))
    equal(len(starts(w.path("crash"), 2)), 2, "starts of the one that was killed")
    equal({n: p.pid_of(n) for n in ("probed", "watched")}, {n: running[n] for n in ("probed", "watched")}, "pids")
    equal(p.find_events(type="health_changed", health="unhealthy"), [], "failed probes")
    equal(p.supervisor_pid(), supervisor, "supervisor")
    p.stop()


def test_F05_output_goes_on_where_it_stood_after_a_halt(w):
    path = w.path("a.log")
    p = w.procd(w.sub("a", "--line-size", 100, "--spew", "4000/4000", "--print", "end", log_file=path))
    p.wait_state("a", "running")
    wait_until(lambda: len(read_bytes(path)) > 10000, "the log")
    supervisor = p.supervisor_pid()
    os.kill(supervisor, signal.SIGSTOP)
    wait_until(lambda: stat_fields(supervisor)[0] == "T", "it stands still")
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 1.5, "more than the pipe holds")
    os.kill(supervisor, signal.SIGCONT)
    wait_until(lambda: read_bytes(path).endswith(b"end\n"), "the end", 20)
    equal([int(line[:10]) for line in read_bytes(path).splitlines()[:-1]], list(range(1, 4001)), "lines")
    p.stop()


def test_F14_after_a_halt_of_the_keeper_every_end_is_told_once(w):
    names = ["s%d" % i for i in range(20)]
    p = w.procd("".join(w.sub(n, restart="never") for n in names))
    running = {n: p.wait_state(n, "running")["pid"] for n in names}
    mark = p.mark()
    os.kill(p.pid, signal.SIGSTOP)
    for pid in running.values():
        os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 1, "a while")
    os.kill(p.pid, signal.SIGCONT)
    for n in names:
        equal(p.wait_state(n, "failed", after=mark)["signal"], "SIGKILL", "status of " + n)
    equal([len(p.states(n, after=mark)) for n in names], [1] * 20, "told once")
    p.stop()
