"""doc/seed-map.md does not rot: its commands are run, the tests that it names are there."""

import os
import re
import subprocess

import harness
from harness import *

HERE = os.path.dirname(os.path.realpath(__file__))
TREE = os.path.join(HERE, "..", "..")


def rows():
    for line in read_text(os.path.join(TREE, "doc", "seed-map.md")).splitlines():
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 4 and re.match(r"[A-Z]\d", cells[0]):
            yield cells[0].replace(" •", ""), cells[3].replace("\\|", "|")


def example():
    return re.search(r"```toml\n(.*?)```", read_text(os.path.join(TREE, "doc", "seed-map.md")), re.S).group(1)


def test_every_row_has_something_that_shows_it(w):
    seen = []
    for names, shown in rows():
        seen += names.split(", ")
        check("`" in shown, "row %s shows nothing" % names)
    equal(len(set(seen)), len(seen), "rows are told once")
    for letter, last in (("S", 27), ("C", 32), ("U", 16), ("D", 10), ("G", 8)):
        check(letter + str(last) in seen, "row %s%d" % (letter, last))


def test_the_tests_that_it_names_are_there(w):
    for names, shown in rows():
        for area, name in re.findall(r"test `(\w+)\.(\w+)`", shown):
            path = os.path.join(HERE, "test_%s.py" % area)
            check(os.path.exists(path) and "\ndef test_%s(" % name in read_text(path),
                  "row %s: there is no test %s.%s" % (names, area, name))
        for path in re.findall(r"`(tests/[\w/.]+\.\w+)`", shown):
            check(os.path.exists(os.path.join(TREE, path)), "row %s: no %s" % (names, path))


def test_its_commands_do_what_they_show(w):
    need_program("jq")
    w.need_feature("config_watch", "scheduler_hints", "lockfree_coordination", "metrics")
    os.mkdir(w.path("bin"))
    os.symlink(w.procd_path, w.path("bin", "procd"))
    os.mkdir(w.path("map"))
    write_text(w.path("map", "daemon.toml"), example())
    with open(w.path("map", "out"), "wb") as out:
        p = subprocess.Popen([w.procd_path], cwd=w.path("map"), env=w.env(), stdout=out, stderr=out,
                             stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: os.path.exists(w.path("map", "run", "control.sock")), "the control socket")
        w.run("wait", "web", "--for", "ready", cwd=w.path("map")).expect(0)
        env = {"PATH": w.path("bin") + ":" + os.environ["PATH"], "PID": str(p.pid),
               "PROCD_SOCKET": w.path("map", "run", "control.sock")}
        failed = []
        for names, shown in rows():
            for command in re.findall(r"`\$ (.+?)`", shown):
                r = w.run_program(["timeout", str(int(10 * harness.SCALE)), "bash", "-c", command], cwd=w.path("map"), env=env)
                if r.rc != 0:
                    failed.append("row %s: %s" % (names, r))
        check(not failed, lambda: "\n".join(failed))
    finally:
        p.terminate()
        p.wait(20 * harness.SCALE)


def test_S26_the_example_of_hot_reload(w):
    w.need_feature("config_watch")
    text = read_text(os.path.join(TREE, "etc", "hot-reload.toml"))
    check("hot_reload = true" in text, "it is hot")
    p = w.procd(text)
    before = p.wait_event(type="state_changed", name="greeter", state="running")["pid"]
    clock = p.wait_event(type="state_changed", name="clock", state="running")["pid"]
    check("Good morning" in text, "what is to be changed")
    p.write(text.replace("Good morning", "Good evening"))
    e = p.wait_event(type="config_reloaded")
    equal(e["restarted"], ["greeter"], "restarted")
    p.wait_event(lambda e: e["pid"] != before, type="state_changed", name="greeter", state="running")
    equal(p.pid_of("clock"), clock, "the other one")


test_its_commands_do_what_they_show.deadline = 120
