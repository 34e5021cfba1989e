"""Runs by the clock (interface 2 schedule, every; faults.md F47-F51): when they come, what is told of them, and what becomes
of them when something happens in between. Nothing here waits for a whole minute of real time: the clock is set."""

import calendar
import os
import signal
import time

from harness import *
from test_time import Clock, ms_between


def starts(path):
    return len(read_text(path).split())


def job(w, name, *args, **keys):
    return w.sub(name, "--starts", w.path(name), *args, **keys)


class SetClock(Clock):
    """A clock that shows what a test says, from then on."""

    def show(self, text):
        self.base = calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S"))
        self.set(int(self.base - time.time()))

    def next_run(self, p, name):
        return (p.of(name)["next_run_at"] or "none")[:19]


def test_every_runs_at_once_and_then_in_step(w):
    p = w.procd(job(w, "a", "--exit", 0, every_ms=400))
    first = p.wait_state("a", "starting", reason="start")
    seen, mark = [first], p.mark()
    for _ in range(3):
        e = p.wait_event(lambda e: e["seq"] > seen[-1]["seq"], type="state_changed", name="a", state="starting",
                         reason="schedule")
        seen.append(e)
    for a, b in zip(seen, seen[1:]):
        check(399 <= ms_between(a, b) <= 400 + 300 * SCALE, "%.1f ms between two runs" % ms_between(a, b))
    e = p.wait_state("a", "stopped")
    equal((e["exit_code"], e["reason"], e["next_restart_ms"], e["restart_count"]), (0, "exit", None, 0), "a run's end")
    equal(p.ctl("config", "--json", "-c", p.config_path).json()["subsystem"]["a"]["every"]["value"], 400, "every")
    p.stop()


def test_runs_do_not_overlap_and_the_skipped_one_is_told_once(w):
    gate = w.path("gate")
    p = w.procd(job(w, "a", "--wait-for", gate, "--exit", 0, every_ms=200))
    e = p.wait_event(type="run_skipped", name="a")
    check("due_at" in e and e["id"] == p.of("a")["id"], "%r" % e)
    pid = p.pid_of("a")
    contains(p.ctl("why", "a").out, "next run is planned when this one is over")
    equal(p.of("a")["next_run_at"], None, "next run")
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 0.7, "some periods")
    equal(p.pid_of("a"), pid, "process")
    equal(len(p.find_events(type="run_skipped")), 1, "events")
    equal(starts(w.path("a")), 1, "runs")
    mark = p.mark()
    write_text(gate, "")
    p.wait_state("a", "starting", after=mark, reason="schedule")
    p.stop()


def test_a_schedule_runs_at_its_minute(w):
    clock = SetClock(w)
    clock.show("2026-11-23 12:04:57")
    p = w.procd(job(w, "a", "--exit", 0, schedule="*/5 12 * * *"), env=dict(clock.env, TZ="UTC0"))
    equal(p.of("a")["state"], "stopped")
    equal(clock.next_run(p, "a"), "2026-11-23T12:05:00", "next run")
    contains(p.ctl("why", "a").expect(0).out, "next run in ")
    contains(p.ctl("status").out, "next run 2026-11-23T12:05:00Z")
    e = p.wait_state("a", "starting", reason="schedule")
    check(e["at"].startswith("2026-11-23T12:05:00."), "it began at %s" % e["at"])
    p.wait_state("a", "stopped")
    equal(clock.next_run(p, "a"), "2026-11-23T12:10:00", "next run")
    p.stop()


def test_F50_the_hour_that_is_left_out(w):
    clock = SetClock(w)
    clock.show("2026-03-29 00:59:58")
    p = w.procd(job(w, "a", "--exit", 0, schedule="TZ=CET-1CEST,M3.5.0,M10.5.0/3 30 2 * * *")
                + job(w, "b", "--exit", 0, schedule="TZ=LHST-10:30LHDT-11,M10.1.0,M4.1.0 15 2 * * *"), env=clock.env)
    equal(clock.next_run(p, "a"), "2026-03-29T01:00:00", "right after it")
    e = p.wait_state("a", "starting", reason="schedule")
    check(e["at"].startswith("2026-03-29T01:00:00."), "it began at %s" % e["at"])
    p.wait_state("a", "stopped")
    equal(clock.next_run(p, "a"), "2026-03-30T00:30:00", "the day after")
    clock.show("2026-10-03 13:00:00")   # half an hour is left out there: 02:00 is 02:30
    wait_until(lambda: clock.next_run(p, "b") == "2026-10-03T15:30:00", "a plan by the new time")
    p.stop()


def test_F50_the_hour_that_comes_twice(w):
    clock = SetClock(w)
    clock.show("2026-10-25 00:29:58")
    p = w.procd(job(w, "a", "--exit", 0, schedule="TZ=CET-1CEST,M3.5.0,M10.5.0/3 30 2 * * *"), env=clock.env)
    p.wait_state("a", "stopped", reason="exit")
    equal(clock.next_run(p, "a"), "2026-10-26T01:30:00", "not a second time")
    p.stop()


def test_F47_F48_F51_somebody_sets_the_clock(w):
    clock = SetClock(w)
    clock.show("2026-11-23 12:00:10")
    p = w.procd(job(w, "a", "--exit", 0, schedule="0 * * * *") + job(w, "b", "--exit", 0, schedule="30 12 * * *")
                + job(w, "tick", "--exit", 0, every="1h"), env=dict(clock.env, TZ="UTC0"))
    equal(clock.next_run(p, "a"), "2026-11-23T13:00:00", "next run")
    clock.show("2026-11-23 13:10:00")     # forward: what it jumps over runs once
    for name in ("a", "b"):
        p.wait_state(name, "starting", reason="schedule")
    wait_until(lambda: clock.next_run(p, "a") == "2026-11-23T14:00:00", "planned again")
    wait_until(lambda: clock.next_run(p, "b") == "2026-11-24T12:30:00", "planned again")
    clock.show("2026-11-23 12:10:00")     # back: nothing runs twice, and nothing waits for the old time
    wait_until(lambda: clock.next_run(p, "a") == "2026-11-23T14:00:00", "past the last run")
    wait_until(lambda: clock.next_run(p, "b") == "2026-11-24T12:30:00", "it has run today")
    clock.show("2036-01-01 08:30:00")     # it was wrong before: nothing runs
    wait_until(lambda: clock.next_run(p, "a") == "2036-01-01T09:00:00", "planned by the new time")
    clock.show("1971-01-01 08:30:00")
    wait_until(lambda: clock.next_run(p, "b") == "1971-01-01T12:30:00", "planned by the new time")
    wait_until(lambda: all(starts(w.path(n)) for n in ("a", "b", "tick")), "the runs")
    equal([starts(w.path(n)) for n in ("a", "b", "tick")], [1, 1, 1], "runs")
    p.stop()


def test_no_run_is_lost_or_doubled_by_the_death_of_the_supervisor(w):
    p = w.procd(job(w, "a", "--exit", 0, every_ms=300) + w.sub("web"))
    for _ in range(6):
        p.wait_state("a", "stopped", after=p.mark())
        p.kill_supervisor()
    p.wait_state("a", "stopped", after=p.mark())
    seen = [e for e in p.read_events() if e["type"] == "state_changed" and e["name"] == "a" and e["state"] == "starting"]
    for a, b in zip(seen, seen[1:]):
        check(ms_between(a, b) > 290, "%.1f ms between two runs" % ms_between(a, b))
    wait_until(lambda: p.of("a")["state"] == "stopped", "its end")
    equal(starts(w.path("a")), len(p.find_events(type="state_changed", name="a", state="starting")), "runs")
    p.stop()


def test_a_moment_that_comes_while_the_supervisor_is_dead_is_made_up_for(w):
    clock = SetClock(w)
    clock.show("2026-11-23 12:00:00")
    p = w.procd(job(w, "a", "--exit", 0, schedule="0 13 * * *"), env=dict(clock.env, TZ="UTC0"))
    equal(clock.next_run(p, "a"), "2026-11-23T13:00:00", "next run")
    os.kill(p.pid, signal.SIGSTOP)      # the keeper does not see its supervisor die yet
    p.kill_supervisor(wait=False)
    clock.show("2026-11-23 13:30:00")
    os.kill(p.pid, signal.SIGCONT)
    p.wait_state("a", "stopped", reason="exit")
    equal(clock.next_run(p, "a"), "2026-11-24T13:00:00", "next run")
    p.kill_supervisor()
    equal(clock.next_run(p, "a"), "2026-11-24T13:00:00", "next run")
    equal(starts(w.path("a")), 1, "runs")
    p.stop()


def test_orders_of_an_operator(w):
    p = w.procd(job(w, "a", "--exit", 0, schedule="0 0 1 1 *") + job(w, "late", "--exit", 0, every="1h", autostart=False))
    p.ctl("start", "a").expect(0)
    p.wait_state("a", "stopped", reason="exit")
    check(p.of("a")["next_run_at"] is not None, "it is planned all the same")
    p.ctl("stop", "a").expect(0)
    equal(p.of("a")["next_run_at"], None, "next run of a stopped one")
    contains(p.ctl("why", "a").out, "meant to be down: operator")
    equal(p.of("late")["next_run_at"], None, "next run without autostart")
    contains(p.ctl("why", "late").out, "autostart = false")
    p.ctl("start", "late").expect(0)
    wait_until(lambda: p.of("late")["next_run_at"] is not None, "planned from its first start on")
    p.kill_supervisor()
    equal(p.of("a")["next_run_at"], None, "a stop holds over the supervisor's death")
    equal(starts(w.path("a")), 1, "runs")
    p.stop()


def test_a_reload_moves_the_next_run_and_touches_nothing_else(w):
    gate = w.path("gate")
    config = job(w, "a", "--wait-for", gate, every="1h")
    p = w.procd(config)
    pid = p.wait_state("a", "running")["pid"]
    before = p.of("a")["next_run_at"]
    p.write(config.replace("1h", "2h"))
    r = p.ctl("reload-config", "--json").expect(0).json()
    equal((r["updated"], r["restarted"]), (["a"], []), "what the reload did")
    check(p.of("a")["next_run_at"] > before, "a later one")
    equal(p.pid_of("a"), pid, "process")
    p.write(config.replace('every = "1h"', 'schedule = "@yearly"'))
    p.ctl("reload-config").expect(0)
    contains(p.of("a")["next_run_at"], "-01-01T")
    equal(p.pid_of("a"), pid, "process")
    p.stop()


def test_nothing_wakes_up_between_runs(w):
    if SCALE > 1:
        raise Skip("a sanitizer's own threads wake up")
    watched = w.path("watched")
    write_text(watched, "")
    p = w.procd(job(w, "a", "--exit", 0, schedule="0 0 1 1 *") + job(w, "b", "--exit", 0, every="1h", watch=[watched]))
    p.wait_state("b", "stopped", reason="exit")
    supervisor, last = p.supervisor_pid(), [None, 0]

    def switches():
        return sum(int(line.split()[1]) for task in os.listdir("/proc/%d/task" % supervisor)
                   for line in read_text("/proc/%d/task/%s/status" % (supervisor, task)).splitlines()
                   if line.startswith("voluntary_ctxt_switches"))

    def quiet():
        n, now = switches(), time.monotonic()
        if n != last[0]:
            last[:] = n, now
        return now - last[1] > 2

    wait_until(quiet, lambda: "two seconds without a single wake-up (%r)" % last, 20)
    p.stop()


def test_what_cannot_be_is_refused_with_its_place(w):
    path = w.path("bad.toml")
    for line, words in (('schedule = "0 0 30 2 *"', "never come"), ('schedule = "0 25 * * *"', "hour"),
                        ('schedule = "* * * *"', "five fields"), ('schedule = "TZ=No/Where * * * * *"', "no time zone"),
                        ('every = "0s"', "every"), ('every = "1s"\nschedule = "@daily"', "only one of"),
                        ('every = "1s"\ntype = "service"', "oneshot")):
        write_text(path, "[subsystem.a]\ncommand = \"/bin/true\"\n%s\n" % line)
        r = w.run("check", "-c", path).expect(78)
        contains(r.err, words)
        check("bad.toml:3:" in r.err or "bad.toml:4:" in r.err, r.err)


def test_success_codes_and_failures_of_runs(w):
    p = w.procd(job(w, "a", "--exit", 3, every="1h", success_exit_codes=[0, 3])
                + job(w, "b", "--exit", 4, every="1h", success_exit_codes=[0, 3])
                + w.sub("after", depends_on=["a:succeeded"]) + w.sub("never", depends_on=["b:succeeded"]))
    equal(p.wait_state("a", "stopped")["exit_code"], 3)
    equal(p.wait_state("b", "failed")["next_restart_ms"], None)
    p.wait_state("after", "running")
    equal(p.of("never")["state"], "stopped")
    contains(p.ctl("why", "never").out, "waits for b to have succeeded")
    p.stop()
