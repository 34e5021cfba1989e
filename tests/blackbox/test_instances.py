"""Instances and groups: names, numbers, targets, reloads (interface 2, 4, 5; issue 4 point 4)."""

import json
import os
import signal

from harness import *

N = 4


def names(base, n, first=0):
    return ["%s@%d" % (base, i) for i in range(first, first + n)]


def pids_of(p):
    return {s["name"]: s["pid"] for s in p.status()["subsystems"]}


def wait_running(p, *wanted, after=0):
    for name in wanted:
        p.wait_state(name, "running", after=after)


def order_of(p, state, after=0):
    return [e["name"] for e in p.find_events(after, type="state_changed") if e["state"] == state]


def soon(get, want, what):
    """The sink writes events a moment after the answer."""
    wait_until(lambda: get() == want, lambda: "%s: got %r, want %r" % (what, get(), want))


def check_config(w, text, code=78):
    return w.run("check", "-c", write_text(w.path("check.toml"), text)).expect(code)


# --- what they are ---------------------------------------------------------------------------------

def test_each_has_a_name_a_number_and_a_process(w):
    p = w.procd(w.sub("worker", "--report-state", w.path("%n"), instances=N, description="number %i", groups=["crew", "all of them"])
                + w.sub("one", "--report-state", w.path("one"), instances=1)
                + w.sub("plain", "--report-state", w.path("plain%i")))
    wait_running(p, *names("worker", N), "one@0", "plain")
    by_name = {s["name"]: s for s in p.status()["subsystems"]}
    equal(sorted(by_name), sorted(names("worker", N) + ["one@0", "plain"]), "names")
    for i, name in enumerate(names("worker", N)):
        equal((by_name[name]["instance"], by_name[name]["description"], by_name[name]["group"]), (i, "number %d" % i, "crew"), name)
        env = read_report(w.path(name))["env"]
        equal((env["PROCD_SUBSYSTEM"], env["PROCD_INSTANCE"]), (name, str(i)), "environment of " + name)
    equal((by_name["plain"]["instance"], by_name["plain"]["group"]), (None, None), "the plain one")
    check("PROCD_INSTANCE" not in read_report(w.path("plain0"))["env"], "PROCD_INSTANCE without instances")
    equal(read_report(w.path("one"))["env"]["PROCD_INSTANCE"], "0", "the single one")
    equal(len(set(pids_of(p).values())), N + 2, "different processes")
    equal([e["name"] for e in p.find_events(type="subsystem_added")], names("worker", N) + ["one@0", "plain"], "added")
    p.stop()


def test_what_is_refused(w):
    r = check_config(w, '[subsystem.a]\ncommand = "true"\ninstances = 0\n[subsystem.b]\ncommand = "true"\ninstances = 10001\n'
                        '[subsystem.c]\ncommand = "true"\ninstances = "2x"\n[subsystem.d]\ncommand = "true"\ninstances = -1\n'
                        '[subsystem.e]\ncommand = "true"\nafter = ["f@2"]\n[subsystem.f]\ncommand = "true"\ninstances = 2\n'
                        '[subsystem.g@1]\ncommand = "true"\n')
    for part in (":3:13: subsystem.a.instances: must be between 1 and 10000", ":6:13: subsystem.b.instances: must be between",
                 ":9:13: subsystem.c.instances: expected an integer", ":12:13: subsystem.d.instances: must be between",
                 ':15:10: subsystem.e.after: there is no "f@2": f has 2 instances', "'g@1' is not a name"):
        contains(r.err, part, "stderr")
    equal(len(r.err.splitlines()), 6, "lines")
    r = check_config(w, '[subsystem.a]\ncommand = "/no/such"\ninstances = 300\nuser = "no-such-user"\nafter = ["nobody"]\n')
    equal(len(r.err.splitlines()), 3, "one message for all instances:\n" + r.err)


def test_the_config_shows_what_was_declared(w):
    text = '[subsystem.a]\ncommand = ["run", "%i", "%%i"]\ninstances = 3\n[subsystem.b]\ncommand = "true"\n'
    path = write_text(w.path("c.toml"), text)
    j = w.run("config", "-c", path, "--json").expect(0).json()["subsystem"]
    equal(sorted(j), ["a", "b"], "subsystems")
    equal((j["a"]["instances"], j["b"]["instances"]["value"], j["b"]["instances"]["origin"]),
          ({"value": 3, "origin": "file", "line": 3, "file": path}, 1, "default"), "instances")
    out = w.run("config", "-c", path).expect(0).out
    again = w.run("config", "-c", write_text(w.path("again.toml"), out)).expect(0).out
    equal(again, out, "the dump of the dump")
    contains(out, 'command = ["run", "%i", "%%i"]', "dump")
    j = w.run("config", "-c", path, "--json", "--set", "subsystem.a.instances=7").expect(0).json()["subsystem"]
    equal((j["a"]["instances"]["value"], j["a"]["instances"]["origin"]), (7, "cli"), "--set")


# --- addressing them --------------------------------------------------------------------------------

def crew(w, **options):
    p = w.procd(w.sub("worker", "--print", "hello", instances=3, groups=["crew"])
                + w.sub("helper", "--print", "hello", groups=["crew", "rest"]) + w.sub("other", "--print", "hello"), **options)
    wait_running(p, *names("worker", 3), "helper", "other")
    return p


TARGETS = {
    "worker": ["worker@0", "worker@1", "worker@2"],
    "worker@1": ["worker@1"],
    "@crew": ["helper", "worker@0", "worker@1", "worker@2"],
    "@rest": ["helper"],
    "wor*": ["worker@0", "worker@1", "worker@2"],
    "worker@[02]": ["worker@0", "worker@2"],
    "*e?": ["helper", "other", "worker@0", "worker@1", "worker@2"],
    "all": ["helper", "other", "worker@0", "worker@1", "worker@2"],
}


def test_every_verb_takes_every_kind_of_name(w):
    p = crew(w)
    for target, want in TARGETS.items():
        got = sorted(s["name"] for s in p.ctl("status", "--json", target).expect(0).json()["subsystems"])
        equal(got, want, "status " + target)
        mark, before = p.mark_now(), pids_of(p)
        r = p.ctl("restart", target).expect(0)
        equal(sorted(line.split(":")[0] for line in r.out.splitlines()), want, "restart " + target)
        after = pids_of(p)
        equal(sorted(n for n in after if after[n] != before[n]), want, "restarted by " + target)
        p.ctl("stop", target).expect(0)
        soon(lambda: sorted(set(order_of(p, "stopped", mark))), want, "stopped by " + target)
        p.ctl("is-active", target).expect(3)
        p.ctl("is-failed", target).expect(3)
        p.ctl("wait", target, "--for", "stopped", "--timeout", "5s").expect(0)
        contains(p.ctl("why", target).expect(0).out, want[0] + " is stopped", "why " + target)
        p.ctl("signal", target, "USR1").expect(1)
        p.ctl("reset-failed", target).expect(0)
        p.ctl("start", target).expect(0)
        p.ctl("is-active", target).expect(0)
        p.ctl("is-ready", target).expect(0)
        p.ctl("wait", target, "--for", "ready", "--timeout", "5s").expect(0)

        def in_logs():
            out = p.ctl("logs", target).expect(0).out
            contained = "hello" in out
            return contained, sorted({line.split(" | ")[0].strip() for line in out.splitlines() if " | " in line})
        soon(in_logs, (True, want if len(want) > 1 else []), "logs " + target)
    p.stop()


def test_a_name_that_matches_nothing_is_unknown(w):
    p = crew(w)
    for target in ("worker@3", "worker@", "worker@x", "@nobody", "x*", "work", "helper@0"):
        for verb in ("status", "start", "stop", "restart", "reload", "logs", "why", "is-active", "is-ready", "is-failed", "reset-failed"):
            p.ctl(verb, target).expect(4)
        p.ctl("signal", target, "HUP").expect(4)
        p.ctl("wait", target, "--timeout", "1s").expect(4)
    p.stop()


def test_signal_and_reload_reach_all_of_them(w):
    p = w.procd(w.sub("worker", "--trap", "USR1=" + w.path("usr%i"), "--trap", "HUP=" + w.path("hup%i"), "--print", "set", instances=3)
                + "[signals]\nuser2 = \"forward:worker\"\n")
    wait_running(p, *names("worker", 3))
    wait_until(lambda: p.ctl("logs", "worker").out.count("set") == 3, "traps are set")
    p.ctl("signal", "worker", "USR1").expect(0)
    wait_until(lambda: all(read_text(w.path("usr%d" % i)) for i in range(3)), "three signals")
    p.ctl("reload", "worker@2").expect(0)
    wait_until(lambda: read_text(w.path("hup2")), "one reload")
    p.ctl("reload", "worker").expect(0)
    wait_until(lambda: [len(read_text(w.path("hup%d" % i)).split()) for i in range(3)] == [1, 1, 2], "four reloads")
    mark = p.mark_now()
    os.kill(p.pid, signal.SIGUSR2)
    for name in names("worker", 3):
        p.wait_event(type="state_changed", name=name, signal="SIGUSR2", after=mark)
    p.stop()


# --- among others -----------------------------------------------------------------------------------

def test_depends_on_means_all_of_them(w):
    p = w.procd(w.sub("web", depends_on=["worker"]) + w.sub("worker", instances=3, min_uptime="30ms") + w.sub("same", instances=3, after=["worker@%i"]))
    p.wait_state("web", "running")
    running = order_of(p, "running")
    equal(sorted(running[:running.index("web")])[-3:], names("worker", 3), "before web")
    edges = p.ctl("graph", "--format", "json").expect(0).json()["edges"]
    equal(sorted((e["from"], e["to"], e["kind"]) for e in edges),
          [("same@%d" % i, "worker@%d" % i, "after") for i in range(3)] + [("web", "worker@%d" % i, "depends_on") for i in range(3)], "edges")
    mark = p.mark_now()
    p.ctl("stop", "worker@1").expect(0)
    soon(lambda: order_of(p, "stopped", mark), ["web", "worker@1"], "a stop of one stops web first")
    contains(p.ctl("why", "web").out, "it waits for worker@1", "why")
    p.ctl("start", "worker@1").expect(0)
    p.wait_state("web", "running", after=mark)
    p.stop()


def test_a_crash_of_one_is_nobody_elses(w):
    p = w.procd(w.sub("worker", instances=3, restart="always", restart_delay_ms=10))
    wait_running(p, *names("worker", 3))
    before, mark = pids_of(p), p.mark_now()
    os.kill(before["worker@1"], signal.SIGKILL)
    p.wait_state("worker@1", "running", after=mark)
    after = pids_of(p)
    equal([n for n in after if after[n] != before[n]], ["worker@1"], "changed")
    equal([p.of(n)["restart_count"] for n in names("worker", 3)], [0, 1, 0], "restart_count")
    p.stop()


# --- reload -----------------------------------------------------------------------------------------

def test_a_reload_adds_and_removes_only_the_difference(w):
    text = w.sub("web", depends_on=["worker"]) + w.sub("bound", binds_to=["worker"]) + w.sub("worker", instances="COUNT")
    p = w.procd(text.replace('"COUNT"', "3"))
    wait_running(p, "web", "bound")
    before = pids_of(p)
    p.write(text.replace('"COUNT"', "6"))
    equal(p.ctl("plan", "--json").expect(0).json(), {"added": names("worker", 3, 3), "removed": [], "restarted": [], "updated": [],
                                                    "needs_procd_restart": []}, "plan")
    mark = p.mark_now()
    p.ctl("reload-config").expect(0)
    wait_running(p, *names("worker", 3, 3))
    p.write(text.replace('"COUNT"', "2"))
    equal(p.ctl("plan", "--json").expect(0).json()["removed"], names("worker", 4, 2), "plan")
    p.ctl("reload-config").expect(0)
    p.wait_event(type="subsystem_removed", name="worker@2")
    wait_until(lambda: len(p.status()["subsystems"]) == 4, "all are gone")
    soon(lambda: order_of(p, "stopping", mark), names("worker", 4, 2)[::-1], "the highest numbers go first")
    after = pids_of(p)
    equal(after, {n: before[n] for n in after}, "pids of the others")
    equal(sorted(after), ["bound", "web", "worker@0", "worker@1"], "who is left")
    p.stop()


def test_a_reload_of_another_key_concerns_all_of_them(w):
    p = w.procd(w.sub("worker", instances=2, description="old"))
    wait_running(p, *names("worker", 2))
    before = pids_of(p)
    p.write(w.sub("worker", instances=3, description="new"))
    equal(p.ctl("reload-config", "--json").expect(0).json(), {"added": ["worker@2"], "removed": [], "restarted": [],
          "updated": ["worker@0", "worker@1"], "needs_procd_restart": []}, "live key")
    wait_running(p, "worker@2")
    equal({n: pids_of(p)[n] for n in before}, before, "pids")
    equal({s["description"] for s in p.status()["subsystems"]}, {"new"}, "description")
    p.write(w.sub("worker", instances=2, description="new", umask="0007"))
    j = p.ctl("reload-config", "--json").expect(0).json()
    equal((j["removed"], j["restarted"]), (["worker@2"], ["worker@0", "worker@1"]), "restart key")
    p.write(w.sub("worker", umask="0007"))
    j = p.ctl("plan", "--json").expect(0).json()
    equal((j["added"], j["removed"]), (["worker"], ["worker@0", "worker@1"]), "without instances it has another name")
    p.stop()


def test_they_survive_the_supervisors_death(w):
    p = w.procd(w.sub("worker", "--starts", w.path("starts"), instances=3))
    wait_running(p, *names("worker", 3))
    before = pids_of(p)
    starts(w.path("starts"), 3)
    p.ctl("stop", "worker@1").expect(0)
    p.kill_supervisor()
    equal(pids_of(p), dict(before, **{"worker@1": None}), "pids")
    equal(p.of("worker@1")["goal"], "down", "the stop")
    equal(len(read_text(w.path("starts")).split()), 3, "starts")
    p.stop()


def test_a_thousand_instances(w):
    p = w.procd('[defaults]\nstdout = "null"\n[subsystem.many]\ncommand = ["sleep", "100%i"]\ninstances = 1000\n' + w.sub("last", depends_on=["many"]))
    p.wait_state("last", "running", timeout=60)
    equal(p.status()["stats"]["running"], 1001, "running")
    p.ctl("restart", "many@9?", timeout=60).expect(0)
    p.ctl("is-active", "many").expect(0)
    before = pids_of(p)
    p.kill_supervisor()
    equal(pids_of(p), before, "pids after the supervisor's death")
    p.ctl("stop", "many@*", timeout=60).expect(0)
    equal(p.status()["stats"]["stopped"], 1001, "stopped")
    p.stop(timeout=60)
