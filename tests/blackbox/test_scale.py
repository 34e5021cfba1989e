"""procd scale NAME N: the difference and nothing else, and what becomes of it (interface 4, 5; issue 4 point 4)."""

import os
import signal
import threading

from harness import *


def names(base, n, first=0):
    return ["%s@%d" % (base, i) for i in range(first, first + n)]


def pids_of(p):
    return {s["name"]: s["pid"] for s in p.status()["subsystems"]}


def order_of(p, state, after=0):
    return [e["name"] for e in p.find_events(after, type="state_changed") if e["state"] == state]


def soon(get, want, what):
    """The sink writes events a moment after the answer."""
    wait_until(lambda: get() == want, lambda: "%s: got %r, want %r" % (what, get(), want))


def farm(w, n=3, extra="", **keys):
    """A procd with worker@0 ..., one that depends on them all, one that is bound to them, and its text with the number as COUNT."""
    text = (w.sub("web", depends_on=["worker"]) + w.sub("bound", binds_to=["worker"]) + w.sub("worker", instances="COUNT", **keys) + extra)
    p = w.procd(text.replace('"COUNT"', str(n)))
    for name in names("worker", n) + ["web", "bound"]:
        p.wait_state(name, "running")
    return p, text


def test_more_and_fewer_touch_only_the_difference(w):
    p, _ = farm(w)
    before, mark = pids_of(p), p.mark_now()
    r = p.ctl("scale", "worker", "6").expect(0)
    equal(r.out, "".join("%s: added\n" % n for n in names("worker", 3, 3)), "output")
    after = pids_of(p)
    equal({n: after[n] for n in before}, before, "pids of the others")
    equal(sorted(set(after) - set(before)), names("worker", 3, 3), "new ones")
    equal([p.of(n)["state"] for n in names("worker", 6)], ["running"] * 6, "ready when scale returns")
    soon(lambda: sorted({e["name"] for e in p.find_events(mark, type="state_changed", state="running")}), names("worker", 3, 3), "who started")
    equal(sorted({e["name"] for e in p.find_events(mark, type="state_changed")}), names("worker", 3, 3), "whose state changed")
    equal({e["reason"] for e in p.find_events(mark, type="state_changed", state="starting")}, {"request"}, "reason")
    e = p.wait_event(type="config_reloaded", after=mark)
    equal((e["added"], e["removed"], e["restarted"], e["updated"]), (names("worker", 3, 3), [], [], []), "event")
    equal(p.status()["generation"], e["generation"], "generation")
    mark = p.mark_now()
    r = p.ctl("scale", "worker", "2", "--json").expect(0)
    equal(r.json()["names"], names("worker", 4, 2), "names")
    soon(lambda: order_of(p, "stopping", mark), names("worker", 4, 2)[::-1], "the highest numbers go first")
    equal({e["reason"] for e in p.find_events(mark, type="state_changed", state="stopping")}, {"request"}, "reason")
    equal(pids_of(p), {n: before[n] for n in ("web", "bound", "worker@0", "worker@1")}, "who is left when scale returns")
    soon(lambda: sorted(e["name"] for e in p.find_events(mark, type="subsystem_removed")), names("worker", 4, 2), "removed")
    mark = p.mark_now()
    equal(p.ctl("scale", "worker", "2").expect(0).out, "", "nothing to do")
    p.mark_now()
    equal(p.find_events(mark), [], "events of nothing")
    p.stop()


def test_what_cannot_be_scaled(w):
    p, _ = farm(w, 2)
    mark = p.mark_now()
    for args, code, text in [(("web", "2"), 1, "web: it declares no instances"), (("worker@0", "2"), 1, "worker@0: it is one instance; scale worker"),
                             (("nobody", "2"), 4, 'unknown subsystem "nobody"'), (("x*", "2"), 4, "unknown"), (("all", "2"), 1, "declares no instances"),
                             (("worker", "0"), 64, "from 1 to 10000"), (("worker", "10001"), 64, "from 1 to 10000"), (("worker", "-1"), 64, ""),
                             (("worker", "2x"), 64, "how many"), (("worker", ""), 64, "empty"), (("worker",), 64, ""), (("worker", "1", "2"), 64, "")]:
        contains(p.ctl("scale", *args).expect(code).err, text, "scale " + " ".join(args))
    for params, text in [({"names": ["worker"]}, "between 1 and 10000"), ({"names": ["worker"], "instances": "3"}, "whole number"),
                         ({"names": ["worker"], "instances": 1e9}, "whole number"), ({"names": ["worker"], "instances": 10001}, "between"),
                         ({"instances": 3}, "names"), ({"names": ["worker"], "instances": 3, "count": 3}, "no parameter")]:
        contains(p.connect().request("subsystem.scale", params)["error"]["message"], text, "subsystem.scale %r" % params)
    p.mark_now()
    equal(p.find_events(mark), [], "events")
    p.stop()


def test_a_glob_or_a_group_scales_each(w):
    p = w.procd(w.sub("wa", instances=1, groups=["g"]) + w.sub("wb", instances=4, groups=["g"]) + w.sub("other"))
    p.wait_state("wb@3", "running")
    p.ctl("scale", "w*", "2").expect(0)
    equal(sorted(pids_of(p)), ["other"] + names("wa", 2) + names("wb", 2), "glob")
    p.ctl("scale", "@g", "3").expect(0)
    equal(sorted(pids_of(p)), ["other"] + names("wa", 3) + names("wb", 3), "group")
    p.stop()


def test_it_survives_the_supervisor(w):
    p, _ = farm(w)
    p.ctl("scale", "worker", "5").expect(0)
    p.ctl("stop", "worker@4").expect(0)
    before = pids_of(p)
    p.kill_supervisor()
    equal(pids_of(p), before, "after kill -9")
    equal((p.of("worker@4")["state"], p.of("worker@4")["goal"]), ("stopped", "down"), "the stop of one")
    p.ctl("scale", "worker", "1").expect(0)
    p.kill_supervisor()
    equal(sorted(pids_of(p)), ["bound", "web", "worker@0"], "fewer, after kill -9")
    equal(pids_of(p)["worker@0"], before["worker@0"], "worker@0")
    p.ctl("upgrade").expect(0)
    equal(sorted(pids_of(p)), ["bound", "web", "worker@0"], "after an upgrade")
    p.ctl("scale", "worker", "2").expect(0)
    equal(sorted(pids_of(p)), ["bound", "web", "worker@0", "worker@1"], "again")
    p.stop()


def test_it_survives_the_death_of_both_but_no_ordered_end(w):
    p, text = farm(w)
    p.ctl("scale", "worker", "5").expect(0)
    before = pids_of(p)

    def kill_both(p):
        supervisor = p.supervisor_pid()
        os.kill(p.pid, signal.SIGKILL)
        p.wait_end()
        wait_gone(supervisor, 3)

    kill_both(p)
    p = w.procd(text.replace('"COUNT"', "3"))
    equal(sorted(p.wait_event(type="supervisor_recovered")["adopted"]), sorted(before), "adopted")
    wait_until(lambda: pids_of(p) == before, "all go on")
    equal(p.find_events(type="state_changed", state="stopping"), [], "nothing is stopped")
    # it is still a scale: a reload keeps it, another order replaces it, and so does the next procd
    p.ctl("reload-config").expect(0)
    equal(pids_of(p), before, "after a reload")
    p.ctl("scale", "worker", "2").expect(0)
    kill_both(p)
    p = w.procd(text.replace('"COUNT"', "3"))
    want = {n: before[n] for n in ("bound", "web", "worker@0", "worker@1")}
    wait_until(lambda: pids_of(p) == want, lambda: "fewer: %r" % pids_of(p))
    # a file that declares another number has the last word
    kill_both(p)
    p = w.procd(text.replace('"COUNT"', "4"))
    wait_until(lambda: len([s for s in p.status()["subsystems"] if s["state"] == "running"]) == 6, "four of them")
    p.ctl("scale", "worker", "5").expect(0)
    p.stop()
    p = w.procd(text.replace('"COUNT"', "4"))
    equal(len(pids_of(p)), 6, "after an ordered end")
    p.stop()


def test_killed_while_scaling_nothing_is_lost_or_doubled(w):
    p, _ = farm(w, 1)
    for n in (8, 2, 9, 1):
        p.ctl("scale", "worker", str(n), "--no-wait").expect(0)
        p.kill_supervisor()
        wait_until(lambda: sorted(s["name"] for s in p.status()["subsystems"] if s["state"] == "running") == ["bound", "web"] + names("worker", n),
                   "exactly %d run" % n)
        equal(len([q for q in descendants_of(p.pid) if "child" in comm(q)]), n + 2, "processes")
    p.stop()


def test_a_reload_keeps_it_until_the_file_says_another_number(w):
    p, text = farm(w, 3)
    p.ctl("scale", "worker", "5").expect(0)
    before = pids_of(p)
    equal(p.ctl("plan").expect(0).out, "no changes\n", "plan")
    equal(p.ctl("reload-config").expect(0).out, "no changes\n", "the same file")
    p.write(text.replace('"COUNT"', "3") + "[shutdown]\ntimeout = \"4s\"\n" + w.sub("new"))
    p.ctl("reload-config").expect(0)
    p.wait_state("new", "running")
    equal({n: q for n, q in pids_of(p).items() if n != "new"}, before, "another key")
    p.kill_supervisor()
    equal({n: q for n, q in pids_of(p).items() if n != "new"}, before, "after the supervisor's death")
    p.write(text.replace('"COUNT"', "4"))
    equal(p.ctl("plan", "--json").expect(0).json()["removed"], ["worker@4", "new"], "plan")
    p.ctl("reload-config").expect(0)
    wait_until(lambda: sorted(pids_of(p)) == ["bound", "web"] + names("worker", 4), "the file's number")
    p.write(text.replace('"COUNT"', "3"))
    p.ctl("reload-config").expect(0)
    wait_until(lambda: sorted(pids_of(p)) == ["bound", "web"] + names("worker", 3), "the first order is forgotten")
    equal({n: pids_of(p)[n] for n in names("worker", 3)}, {n: before[n] for n in names("worker", 3)}, "the first three never stopped")
    p.ctl("scale", "worker", "4").expect(0)
    p.write(text.replace('"COUNT"', "4"))
    p.ctl("reload-config").expect(0)
    p.ctl("scale", "worker", "5").expect(0)
    p.ctl("reload-config").expect(0)
    equal(p.ctl("status", "worker", "--json").json()["subsystems"][-1]["name"], "worker@4", "a file that came to agree counts as declared")
    p.stop()


def test_it_goes_by_what_runs_and_not_by_the_file(w):
    p, text = farm(w, 2, description="%n")
    p.write("this is [ broken")
    p.ctl("scale", "worker", "4").expect(0)
    equal(p.of("worker@3")["description"], "worker@3", "%n")
    os.unlink(p.config_path)
    p.ctl("scale", "worker", "3").expect(0)
    equal(sorted(pids_of(p)), ["bound", "web"] + names("worker", 3), "without a file")
    p.stop()


def test_without_the_saved_configuration_it_is_refused_and_nothing_is_set_aside(w):
    p, _ = farm(w, 2)
    saved, mark = os.path.join(p.run_dir, "config.bundle"), p.mark_now()
    good = read_bytes(saved)
    for damage in (None, b"", good[:-1], b"x" + good):
        os.unlink(saved)
        if damage is not None:
            with open(saved, "wb") as f:
                f.write(damage)
        contains(p.ctl("scale", "worker", "3").expect(1).err, "running configuration", "stderr")
        if damage is None:
            write_text(saved, "")
    equal(sorted(f for f in os.listdir(p.run_dir) if f.startswith("config")), ["config.bundle"], "files")
    with open(saved, "wb") as f:
        f.write(good)
    p.mark_now()
    equal(p.find_events(mark), [], "events")
    p.ctl("scale", "worker", "3").expect(0)
    p.stop()


def test_a_stopped_one_stays_so_and_new_ones_start(w):
    p = w.procd(w.sub("worker", "--report-state", w.path("r%i"), instances=2, autostart=False))
    p.wait_event(type="subsystem_added", name="worker@1")
    p.ctl("scale", "worker", "3").expect(0)
    equal([p.of(n)["state"] for n in names("worker", 3)], ["stopped", "stopped", "running"], "states")
    equal(read_report(w.path("r2"))["env"]["PROCD_INSTANCE"], "2", "its number")
    p.ctl("scale", "worker", "1").expect(0)
    equal([s["state"] for s in p.status()["subsystems"]], ["stopped"], "a stopped one can go, too")
    p.stop()


def test_one_that_cannot_start_is_told(w):
    for i in range(2):
        os.symlink("/bin/sleep", w.path("sleep%d" % i))
    p = w.procd('[subsystem.worker]\ncommand = ["%s", "100"]\ninstances = 2\nrestart = "never"\n' % w.path("sleep%i"))
    p.wait_state("worker@1", "running")
    before = pids_of(p)
    r = p.ctl("scale", "worker", "3").expect(1)
    contains(r.err, "worker@2: start failed", "stderr")
    contains(r.err, "sleep2", "stderr")
    equal(pids_of(p), dict(before, **{"worker@2": None}), "the others")
    p.ctl("scale", "worker", "2").expect(0)
    equal(pids_of(p), before, "and back")
    p.stop()


def test_without_waiting_and_with_too_little_time(w):
    p = w.procd(w.sub("worker", "--ignore", "TERM", instances=3, stop_timeout="1s"))
    for i in range(3):
        wait_ignores(p.wait_state("worker@%d" % i, "running")["pid"], "SIGTERM")
    p.ctl("scale", "worker", "2", "--timeout", "100ms").expect(124)
    r = p.ctl("scale", "worker", "1", "--timeout", "10s").expect(0)
    contains(r.err, "worker@1: needed SIGKILL", "note")
    wait_until(lambda: sorted(pids_of(p)) == ["worker@0"], "both are gone")
    r = p.ctl("scale", "worker", "4", "--no-wait").expect(0)
    contains(r.out, "worker@3: added (ordered)", "output")
    wait_ignores(p.wait_state("worker@3", "running")["pid"], "SIGTERM")
    p.stop(want=3)


def test_many_orders_at_once_end_with_one_of_them(w):
    p, text = farm(w, 2)
    before, codes = pids_of(p), []

    def order(n):
        codes.append(p.ctl("scale", "worker", str(n), timeout=60).rc)

    threads = [threading.Thread(target=order, args=(n,)) for n in (7, 3, 5, 9, 4)]
    for t in threads:
        t.start()
    p.write(text.replace('"COUNT"', "2") + "[shutdown]\ntimeout = \"4s\"\n")
    p.ctl("reload-config").expect(0)
    for t in threads:
        t.join()
    check(all(code in (0, 1) for code in codes), "exit codes %r" % codes)
    left = sorted(pids_of(p))
    check(left in [["bound", "web"] + names("worker", n) for n in (7, 3, 5, 9, 4)], "left: %r" % left)
    equal({n: pids_of(p)[n] for n in before}, before, "those that were meant by all")
    equal(p.ctl("plan").expect(0).out, "no changes\n", "plan")
    p.stop()


def test_a_thousand_and_back(w):
    text = '[defaults]\nstdout = "null"\n[subsystem.many]\ncommand = ["sleep", "100%i"]\ninstances = 2\n' + w.sub("last", depends_on=["many"])
    p = w.procd(text)
    p.wait_state("last", "running")
    before = pids_of(p)
    p.ctl("scale", "many", "1000", timeout=60).expect(0)
    equal(p.status()["stats"]["running"], 1001, "running")
    now, mark = pids_of(p), p.mark_now()
    p.write(text + "# nothing else\n")
    equal(p.ctl("reload-config").expect(0).out, "no changes\n", "a reload that changes nothing")
    p.mark_now()
    equal(p.find_events(mark), [], "costs no event")
    p.kill_supervisor()
    equal(pids_of(p), now, "after kill -9")
    p.ctl("scale", "many", "2", timeout=60).expect(0)
    equal(pids_of(p), before, "back")
    p.stop()
