"""`procd simulate`: what a configuration does, told without running it."""

import json
import os

from harness import *

EXAMPLES = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../etc/examples")


def config(w, text):
    return write_text(w.path("c.toml"), 'run_dir = "%s"\n' % w.path("run") + text)


def test_start_tells_order_and_times(w):
    path = config(w, '[subsystem.app]\ncommand = "a"\nready = "notify"\ndepends_on = ["db"]\n'
                     '[subsystem.db]\ncommand = "b"\nready = "tcp:127.0.0.1:1"\n')
    r = w.run("simulate", "-c", path, "--takes", "db=2s,300ms", "--json").expect(0).json()
    equal([(e["at_ms"], e["name"], e["state"]) for e in r["events"]],
          [(0, "db", "starting"), (2000, "db", "running"), (2000, "app", "starting"), (2300, "app", "running")], "events")
    equal((r["ok"], r["ready_after_ms"], r["ended_ms"], r["exit_code"], r["scenario"]), (True, 2300, 2300, None, "start"), "end")
    text = w.run("simulate", "-c", path).expect(0).out
    contains(text, "AT  NAME  STATE     BECAUSE\n", "text")
    contains(text, "\n1s  app   starting  start\n", "text")
    contains(text, "\nup after 2s; seen: 2s\n", "text")
    equal(w.run("simulate", "-c", path).out, text, "the same once more")
    equal(w.run("simulate", "-q", "-c", path).expect(0).out, "", "quietly")
    check(not os.path.exists(w.path("run")), "nothing is made")


def test_it_exits_1_when_something_stays_down(w):
    path = config(w, '[subsystem.app]\ncommand = "a"\ndepends_on = ["db"]\n'
                     '[subsystem.db]\ncommand = "b"\nrestart_max_attempts = 2\nrestart_delay = 1\n')
    r = w.run("simulate", "-c", path, "--scenario", "dependency db fails", "--json").expect(1).json()
    subs = {s["name"]: s for s in r["subsystems"]}
    equal((subs["db"]["gave_up"], subs["db"]["starts"], subs["app"]["starts"]), (True, 3, 0), "subsystems")
    contains(" ".join(subs["app"]["why"]), "db", "why")
    contains(w.run("simulate", "-c", path, "--scenario", "dependency db fails").expect(1).out, "given up", "text")
    w.run("simulate", "-c", path, "--scenario", "crash db").expect(0)
    w.run("simulate", "-c", path, "--scenario", "flap db").expect(1)
    w.run("simulate", "-c", path, "--scenario", "flap db", "--set", "subsystem.db.restart_max_attempts=0").expect(0)


def test_what_cannot_be_simulated_is_told(w):
    path = config(w, '[subsystem.a]\ncommand = "a"\n')
    contains(w.run("simulate", "-c", path, "--scenario", "burn").expect(64).err, "crash NAME every TIME", "no scenario")
    w.run("simulate", "-c", path, "--takes", "a=fast").expect(64)
    w.run("simulate", "-c", path, "--for", "tomorrow").expect(64)
    w.run("simulate", "-c", path, "extra").expect(64)
    contains(w.run("simulate", "-c", path, "--scenario", "crash b").expect(4).err, "'b'", "a stranger")
    equal(w.run("simulate", "-c", path, "--takes", "b=1s", "--json").expect(4).json()["error"]["data"]["code"], 4002, "code")
    w.run("simulate", "-c", w.path("none.toml")).expect(66)
    bad = write_text(w.path("bad.toml"), "[subsystem.a]\nrestat = 1\n")
    contains(w.run("simulate", "-c", bad).expect(78).err, "bad.toml:2:", "errors of the file")


def test_it_is_what_really_happens(w):
    """The same configuration run: the same states of the same subsystems, the same delays."""
    text = w.sub("db", "--exit", "1", restart_delay="20ms", restart_max_attempts=3)
    text += w.sub("app", depends_on=["task:succeeded"], binds_to=["base"]) + w.sub("base")
    text += '[subsystem.task]\ntype = "oneshot"\ncommand = ["true"]\n'
    p = w.procd(text)
    p.wait_event(type="state_changed", name="db", gave_up=True)
    p.wait_state("app", "running")
    simulated = p.world.run("simulate", "-c", p.config_path, "--scenario", "flap db", "--json").expect(1).json()["events"]
    real = p.find_events(type="state_changed")
    for name in ("db", "app", "base", "task"):
        equal([(e["state"], e["prev"], e["reason"], e["exit_code"], e["next_restart_ms"]) for e in simulated if e["name"] == name],
              [(e["state"], e["prev"], e["reason"], e["exit_code"], e["next_restart_ms"]) for e in real if e["name"] == name], name)
    p.stop()


def test_the_examples_come_up(w):
    w.need_feature("json_logs", "config_watch")
    for name in sorted(os.listdir(EXAMPLES)):
        if name.endswith(".toml"):
            r = w.run("simulate", "-c", os.path.join(EXAMPLES, name), "--json", cwd=EXAMPLES).expect(0)
            check(r.json()["ok"], name)
