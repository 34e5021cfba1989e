"""Dependencies: order, waits, stops, refusals, the graph (interface 2, 5; faults.md S23-S29, S40, F74, F111)."""

import json
import os
import signal

from harness import *


def order_of(p, state, after=0):
    if p.process.poll() is None:
        p.mark_now()     # the sink has all of it
    return [e["name"] for e in p.find_events(after, type="state_changed") if e["state"] == state]


def check_config(w, text, code=78):
    path = write_text(w.path("check.toml"), text)
    return w.run("check", "-c", path).expect(code)


def test_a_dependant_starts_after_and_stops_before(w):
    p = w.procd(w.sub("web", depends_on=["app"]) + w.sub("app", depends_on=["db"]) + w.sub("db"))
    p.wait_state("web", "running")
    equal(order_of(p, "running"), ["db", "app", "web"], "order of starts")
    mark = p.mark()
    p.stop()
    equal(order_of(p, "stopped", mark), ["web", "app", "db"], "order of stops")
    equal({e["reason"] for e in p.find_events(mark, type="state_changed")}, {"shutdown"}, "reasons")


def test_S23_a_chain_of_fifty(w):
    text = "".join(w.sub("s%02d" % i, **({"depends_on": ["s%02d" % (i + 1)]} if i < 49 else {})) for i in range(50))
    p = w.procd(text)
    p.wait_state("s00", "running")
    want = ["s%02d" % i for i in reversed(range(50))]
    equal(order_of(p, "running"), want, "order of starts")
    mark = p.mark()
    p.stop()
    equal(order_of(p, "stopped", mark), want[::-1], "order of stops")


def test_S26_unknown_names_are_refused(w):
    r = check_config(w, w.sub("web", depends_on=["database"]) + w.sub("databse", after=["none"]))
    contains(r.err, ':3:15: subsystem.web.depends_on: there is no subsystem "database"; did you mean "databse"?', "stderr")
    contains(r.err, ':6:10: subsystem.databse.after: there is no subsystem "none"', "stderr")


def test_S25_cycles_are_refused_and_printed_whole(w):
    r = check_config(w, w.sub("a", depends_on=["b"]) + w.sub("b", after=["c"]) + w.sub("c") +
                     w.sub("x", before=["c"], binds_to=["a"]) + w.sub("self", depends_on=["self"]))
    contains(r.err, ":3:15: dependency cycle: a -> b -> c -> x -> a;", "stderr")
    contains(r.err, "dependency cycle: self -> self;", "stderr")
    check_config(w, w.sub("a", wants=["b"]) + w.sub("b", depends_on=["a"]), 0)
    check_config(w, w.sub("a", depends_on=["b", "c"]) + w.sub("b", after=["d"]) + w.sub("c", depends_on=["d"]) + w.sub("d"), 0)


def test_F74_a_cycle_of_ten_thousand_is_refused(w):
    n = 10000
    text = "".join('[subsystem.s%d]\ncommand = "/bin/true"\nstdout = "null"\ndepends_on = ["s%d"]\n' % (i, (i + 1) % n) for i in range(n))
    r = check_config(w, text)
    contains(r.err, "dependency cycle: s0 -> s1 -> s2 ->", "stderr")
    contains(r.err, "-> s9999 -> s0;", "stderr")
    check_config(w, text.replace('depends_on = ["s0"]', ""), 0)


def test_what_a_condition_may_be(w):
    r = check_config(w, w.sub("db") + w.sub("a", depends_on=["db:healthy"]) + w.sub("b", depends_on=["db:up"]) +
                     w.sub("c", binds_to=["db:completed"]) + w.sub("d", wants=["db:ready"]) + w.sub("e", after=["@g"]) +
                     w.sub("f", depends_on=["db", "db:started"]))
    for part in ('"db" has no health probe', 'unknown condition "up"', "cannot be bound to what has ended",
                 "only names, no conditions", '"@g" is a group', '"db" is there twice'):
        contains(r.err, part, "stderr")
    equal(len([x for x in r.err.splitlines() if x]), 6, "lines")


def test_S40_a_reload_with_a_cycle_changes_nothing(w):
    p = w.procd(w.sub("a", depends_on=["b"]) + w.sub("b"))
    before = p.wait_state("a", "running")["pid"]
    mark = p.mark()
    p.write(w.sub("a", depends_on=["b"]) + w.sub("b", depends_on=["a"]))
    r = p.ctl("reload-config").expect(78)
    contains(r.err, "daemon.toml:4:15: dependency cycle: a -> b -> a", "stderr")
    equal(p.wait_event(type="config_rejected", after=mark)["errors"][0]["line"], 4, "line")
    equal(p.pid_of("a"), before, "pid")
    p.stop()


def test_a_final_failure_starts_what_on_failure_names(w):
    note = w.path("note")
    handler = '[subsystem.alert]\ntype = "oneshot"\nautostart = false\nshell = true\ncommand = "echo $PROCD_SUBSYSTEM >> %s"\n' % note
    p = w.procd(w.sub("web", restart="never") + handler)
    p.wait_state("web", "running")
    p.write(w.sub("web", restart="never", on_failure=["alert"]) + handler)
    r = p.ctl("reload-config").expect(0)
    equal(p.wait_event(type="config_reloaded")["updated"], ["web"], "updated: the key is live")
    mark = p.mark()
    os.kill(p.pid_of("web"), signal.SIGKILL)
    e = p.wait_state("alert", "starting", mark)
    equal((e["reason"], e["cause"]), ("on_failure", "web"), "why it starts")
    p.wait_state("alert", "stopped", mark, exit_code=0)
    equal(read_text(note), "alert\n", "what it did")
    contains(p.ctl("why", "alert").expect(0).out, "it was started because web had failed for good (on_failure)", "why")
    contains(p.ctl("graph", "--format", "dot").expect(0).out, '"web" -> "alert" [label = "on_failure"', "graph")
    # a second failure runs it a second time
    mark = p.mark()
    p.ctl("start", "web").expect(0)
    os.kill(p.pid_of("web"), signal.SIGKILL)
    p.wait_state("alert", "stopped", mark, exit_code=0)
    equal(read_text(note), "alert\nalert\n", "what it did")
    p.stop()


def test_a_reload_may_turn_an_edge_round(w):
    p = w.procd(w.sub("a", depends_on=["b"]) + w.sub("b"))
    before = {n: p.wait_state(n, "running")["pid"] for n in ("a", "b")}
    mark = p.mark()
    p.write(w.sub("a") + w.sub("b", depends_on=["a"]))
    p.ctl("reload-config").expect(0)
    equal(sorted(p.wait_event(type="config_reloaded", after=mark)["updated"]), ["a", "b"], "updated")
    equal({n: p.pid_of(n) for n in before}, before, "pids")
    mark = p.mark()
    p.stop()
    equal(order_of(p, "stopped", mark), ["b", "a"], "order of stops")


def test_it_waits_for_a_failed_one_says_so_and_recovers(w):
    flag = w.path("flag")
    text = w.sub("web", depends_on=["db"]) + '[subsystem.db]\nshell = true\nrestart = "never"\n' \
        'command = "test -e %s || exit 3; exec %s"\nmin_uptime = "300ms"\n' % (flag, w.child_path)
    p = w.procd(text)
    p.wait_state("db", "failed")
    s = p.of("web")
    equal((s["state"], s["goal"], s["waits_for"], s["depends_on"]), ("stopped", "up", ["db"], ["db"]), "status of web")
    contains(p.ctl("why", "web").expect(0).out, "it waits for db, which is failed: exited with code 3", "why")
    contains(p.ctl("status").expect(0).out, "waits for db", "status")
    r = p.ctl("start", "web").expect(1)
    contains(r.err, "web: not started: it waits for db, which is failed: exited with code 3", "start")
    write_text(flag, "")
    p.ctl("start", "db").expect(0)
    p.wait_state("web", "running")
    equal(p.of("web")["waits_for"], [], "waits_for")
    equal([e["name"] for e in p.find_events(type="state_changed", name="web", state="failed")], [], "failures of web")
    p.stop()


def test_conditions_of_a_oneshot(w):
    flag = w.path("flag")
    job = '[subsystem.job]\nshell = true\ntype = "oneshot"\ncommand = "while ! test -e %s; do sleep 0.02; done; exit 4"\n' % flag
    p = w.procd(job + w.sub("begun", depends_on=["job:started"]) + w.sub("done", depends_on=["job:completed"]) +
                w.sub("good", depends_on=["job:succeeded"]) + w.sub("ready", depends_on=["job"]))
    p.wait_state("begun", "running")
    equal({n: p.of(n)["state"] for n in ("done", "good", "ready")}, dict.fromkeys(("done", "good", "ready"), "stopped"), "states")
    write_text(flag, "")
    p.wait_state("done", "running")
    equal(p.of("job")["exit_code"], 4, "code")
    equal({n: p.of(n)["state"] for n in ("good", "ready")}, dict.fromkeys(("good", "ready"), "stopped"), "states")
    equal(p.of("good")["waits_for"], ["job:succeeded"], "waits_for")
    p.stop()


def test_S24_a_crash_and_who_goes_with_it(w):
    p = w.procd(w.sub("db", restart="always", restart_delay_ms=50) + w.sub("soft", depends_on=["db"]) + w.sub("bound", binds_to=["db"]))
    pids = {n: p.wait_state(n, "running")["pid"] for n in ("db", "soft", "bound")}
    mark = p.mark()
    os.kill(pids["db"], signal.SIGKILL)
    p.wait_state("bound", "running", after=mark)
    equal([(e["state"], e["reason"]) for e in p.find_events(mark, type="state_changed", name="bound")][:3],
          [("stopping", "dependency"), ("stopped", "dependency"), ("starting", "dependency")], "bound")
    running = order_of(p, "running", mark)
    check(running.index("db") < running.index("bound"), running)
    check(not alive(pids["bound"]) and alive(pids["soft"]), "bound lives or soft does not")
    equal(p.states("soft", after=mark), [], "soft's states")
    p.stop()


def test_an_explicit_stop_takes_dependants_along_first(w):
    p = w.procd(w.sub("db") + w.sub("web", depends_on=["db"]) + w.sub("top", depends_on=["web"]) + w.sub("other"))
    pids = {n: p.wait_state(n, "running")["pid"] for n in ("db", "web", "top", "other")}
    mark = p.mark()
    p.ctl("stop", "db").expect(0)
    equal(order_of(p, "stopped", mark), ["top", "web", "db"], "order of stops")
    equal({e["name"]: e["reason"] for e in p.find_events(mark, type="state_changed", state="stopped")},
          {"top": "dependency", "web": "dependency", "db": "request"}, "reasons")
    check(not any(alive(pids[n]) for n in ("db", "web", "top")) and alive(pids["other"]), "who lives")
    contains(p.ctl("why", "web").out, "it waits for db, which is stopped, and meant to be down", "why")
    mark = p.mark()
    p.ctl("start", "top").expect(0)
    equal(order_of(p, "running", mark), ["db", "web", "top"], "order of starts")
    p.stop()


def test_a_restart_of_a_dependency(w):
    p = w.procd(w.sub("db") + w.sub("soft", depends_on=["db"]) + w.sub("bound", binds_to=["db:started"]))
    pids = {n: p.wait_state(n, "running")["pid"] for n in ("db", "soft", "bound")}
    mark = p.mark()
    p.ctl("restart", "db").expect(0)
    p.wait_state("bound", "running", after=mark)
    equal(p.pid_of("soft"), pids["soft"], "pid of soft")
    check(p.pid_of("bound") != pids["bound"], "bound was not restarted")
    p.stop()


def test_a_restart_of_everything_is_ordered_both_ways(w):
    p = w.procd(w.sub("web", depends_on=["app"]) + w.sub("app", depends_on=["db"]) + w.sub("db"))
    p.wait_state("web", "running")
    mark = p.mark()
    p.ctl("restart", "all").expect(0)
    equal(order_of(p, "stopping", mark), ["web", "app", "db"], "order of stops")
    equal(order_of(p, "running", mark), ["db", "app", "web"], "order of starts")
    names = [(e["name"], e["state"]) for e in p.find_events(mark, type="state_changed")]
    check(names.index(("db", "stopping")) > names.index(("app", "stopped")), "db stops when app is gone: %r" % names)
    check(names.index(("web", "starting")) > names.index(("db", "running")), "web starts when db runs: %r" % names)


def test_soft_forms(w):
    p = w.procd(w.sub("web", wants=["cache", "absent"], after=["cache"]) + w.sub("cache", min_uptime="200ms", autostart=False) +
                '[subsystem.absent]\ncommand = "/no/such"\nautostart = false\nrestart = "never"\n' + w.sub("first", before=["web"]))
    p.wait_state("web", "running")
    p.wait_state("absent", "failed")
    running = order_of(p, "running")
    equal(running[-1], "web", "the last one")
    equal(sorted(running), ["cache", "first", "web"], "running")
    equal(p.of("cache")["goal_why"], "dependency", "goal_why")
    p.stop()


def test_a_start_chain_survives_the_supervisors_death(w):
    n = 12
    text = "".join(w.sub("s%d" % i, min_uptime="60ms", **({"depends_on": ["s%d" % (i - 1)]} if i else {"autostart": False})) for i in range(n))
    p = w.procd(text)
    for i in (1, 4, 7):
        p.wait_state("s%d" % i, "running")
        os.kill(p.status()["supervisor_pid"], signal.SIGKILL)
    p.wait_state("s%d" % (n - 1), "running", timeout=20)
    equal(order_of(p, "running"), ["s%d" % i for i in range(n)], "order of starts")
    equal([e["name"] for e in p.find_events(type="state_changed", state="failed")], [], "failures")
    mark = p.mark()
    p.stop()
    equal(order_of(p, "stopped", mark), ["s%d" % i for i in reversed(range(n))], "order of stops")


def test_S28_a_stuck_dependant_holds_the_shutdown_until_its_deadline_only(w):
    p = w.procd("[shutdown]\ntimeout_ms = 300\nforce_timeout_ms = 600\nkill_timeout_ms = 900\n" + w.sub("db") +
                w.sub("web", "--ignore-term", "--print", "set", depends_on=["db"]))
    p.wait_state("web", "running")
    wait_until(lambda: "set" in p.ctl("logs", "web").out, "it ignores TERM")
    mark = p.mark()
    p.stop(want=3)
    equal(order_of(p, "stopped", mark), ["db", "web"], "order of stops")
    phases = [e["phase"] for e in p.find_events(mark, type="shutdown_progress")]
    check("stop-all" in phases and "kill" in phases, phases)


def test_graph(w):
    p = w.procd(w.sub("web", depends_on=["db", "migrate:succeeded"], wants=["cache"], after=["cache"]) + w.sub("db", before=["migrate"]) +
                w.sub("cache", binds_to=["db"]) + '[subsystem.migrate]\ntype = "oneshot"\ncommand = "/bin/true"\n')
    p.wait_state("web", "running")
    g = p.ctl("graph", "--format", "json").expect(0).json()
    equal(g["nodes"], ["web", "db", "cache", "migrate"], "nodes")
    equal(sorted((e["from"], e["to"], e["kind"], e.get("condition")) for e in g["edges"]),
          [("cache", "db", "binds_to", "ready"), ("db", "migrate", "before", None), ("web", "cache", "after", None),
           ("web", "cache", "wants", None), ("web", "db", "depends_on", "ready"), ("web", "migrate", "depends_on", "succeeded")], "edges")
    equal(p.ctl("graph", "--json").expect(0).json(), g, "--json")
    dot = p.ctl("graph").expect(0).out
    equal(p.ctl("graph", "--format", "dot").expect(0).out, dot, "the default")
    check(dot.startswith("digraph procd {") and dot.endswith("}\n"), dot)
    contains(dot, '"web" -> "migrate" [label = "depends_on:succeeded"', "dot")
    if shutil.which("dot"):
        w.run_program(["dot", "-Tsvg"], stdin=dot.encode()).expect(0)
    mermaid = p.ctl("graph", "--format", "mermaid").expect(0).out
    check(mermaid.startswith("graph LR\n"), mermaid)
    contains(mermaid, 'n0["web"]', "mermaid")
    contains(mermaid, "n2 ==>|binds_to| n1", "mermaid")
    p.ctl("graph", "--format", "png").expect(64)
    p.stop()


def test_a_wide_fan_and_a_long_chain_start_and_stop(w):
    n = 300
    text = w.sub("root") + "".join('[subsystem.f%d]\ncommand = ["%s"]\ndepends_on = ["root"]\n' % (i, w.child_path) for i in range(n))
    text += '[subsystem.top]\ncommand = ["%s"]\ndepends_on = %s\n' % (w.child_path, json.dumps(["f%d" % i for i in range(n)]))
    p = w.procd(text)
    p.wait_state("top", "running", timeout=60)
    running = order_of(p, "running")
    equal((running[0], running[-1], len(running)), ("root", "top", n + 2), "order of starts")
    mark = p.mark()
    p.stop()
    stopped = order_of(p, "stopped", mark)
    equal((stopped[0], stopped[-1], len(stopped)), ("top", "root", n + 2), "order of stops")
