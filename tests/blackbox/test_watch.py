"""Restart when a file changes (interface 2 watch; faults.md F66, F67)."""

import os
import signal

from harness import *
from test_death import kill_both


def starts(path):
    return len(read_text(path).split())


def started(w, want):
    """A program notes its start a moment after it runs."""
    wait_until(lambda: all(starts(w.path(n)) >= count for n, count in want.items()), "the starts")
    equal({n: starts(w.path(n)) for n in want}, want, "starts")


def watching(w, name, *files, **keys):
    return w.sub(name, "--starts", w.path(name), watch=list(files), **keys)


def quiet(p, w, marker):
    """Everything that was done before has been looked at: MARKER's change is seen after it."""
    mark = p.mark()
    write_text(marker, "%d" % mark)
    p.wait_state("marker", "running", after=mark)


def test_a_change_restarts_that_one_only(w):
    conf, marker = w.path("app.conf"), w.path("marker.conf")
    write_text(conf, "1")
    p = w.procd(watching(w, "a", conf) + watching(w, "both", w.path("none"), conf) + watching(w, "marker", marker)
                + w.sub("c", "--starts", w.path("c")))
    for name in ("a", "both", "marker", "c"):
        p.wait_state(name, "running")
    quiet(p, w, marker)
    mark = p.mark()
    write_text(conf, "2")
    for name in ("a", "both"):
        p.wait_state(name, "stopping", after=mark, reason="watch")
        p.wait_state(name, "starting", after=mark, reason="watch")
        equal(p.wait_state(name, "running", after=mark)["restart_count"], 0, "a restart by order counts as none")
    quiet(p, w, marker)
    started(w, {"a": 2, "both": 2, "c": 1})
    p.stop()


def test_F66_F67_what_is_replaced_counts_and_what_is_the_same_does_not(w):
    conf, marker = w.path("app.conf"), w.path("marker.conf")
    write_text(conf, "1")
    for version in "12":
        os.mkdir(w.path("v" + version))
        write_text(w.path("v" + version, "x"), version)
    os.symlink("v1", w.path("current"))
    p = w.procd(watching(w, "a", conf) + watching(w, "link", w.path("current", "x")) + watching(w, "marker", marker))
    for name in ("a", "link", "marker"):
        p.wait_state(name, "running")
    quiet(p, w, marker)
    write_text(conf, "1")
    os.utime(conf)
    os.unlink(conf)
    quiet(p, w, marker)
    write_text(conf, "1")
    quiet(p, w, marker)
    equal(starts(w.path("a")), 1, "starts")
    mark = p.mark()
    write_text(conf + ".new", "2")
    os.rename(conf + ".new", conf)
    p.wait_state("a", "running", after=mark)
    mark = p.mark()
    os.symlink("v2", w.path("next"))
    os.rename(w.path("next"), w.path("current"))
    p.wait_state("link", "running", after=mark)
    quiet(p, w, marker)
    started(w, {"a": 2, "link": 2})
    p.stop()


def test_what_changes_while_the_supervisor_is_dead_restarts_once(w):
    conf, marker = w.path("app.conf"), w.path("marker.conf")
    write_text(conf, "1")
    p = w.procd(watching(w, "a", conf) + watching(w, "marker", marker))
    p.wait_state("a", "running")
    quiet(p, w, marker)
    os.kill(p.pid, signal.SIGSTOP)
    p.kill_supervisor(wait=False)
    write_text(conf, "2")
    os.kill(p.pid, signal.SIGCONT)
    p.wait_state("a", "stopping", reason="watch")
    wait_until(lambda: starts(w.path("a")) == 2, "it was started again")
    for _ in range(2):
        p.kill_supervisor()
    quiet(p, w, marker)
    equal(starts(w.path("a")), 2, "starts")
    p.stop()


def test_what_changes_while_all_of_procd_is_dead_restarts_once(w):
    conf, marker = w.path("app.conf"), w.path("marker.conf")
    write_text(conf, "1")
    p = w.procd(watching(w, "a", conf) + watching(w, "marker", marker))
    pid = p.wait_state("a", "running")["pid"]
    quiet(p, w, marker)
    kill_both(p)
    write_text(conf, "2")
    mark = p.mark()
    p.start()
    equal(p.wait_state("a", "running", after=mark, reason="adopted")["pid"], pid, "it is adopted first")
    p.wait_state("a", "stopping", after=mark, reason="watch")
    wait_until(lambda: starts(w.path("a")) == 2, "it was started again")
    quiet(p, w, marker)
    equal(starts(w.path("a")), 2, "starts")
    p.stop()


def test_what_was_stopped_stays_down_and_what_has_failed_is_tried(w):
    conf, marker = w.path("app.conf"), w.path("marker.conf")
    p = w.procd(watching(w, "off", conf) + watching(w, "marker", marker)
                + w.sub("bad", "--starts", w.path("bad"), "--exit", 1, watch=[conf], restart="never"))
    p.ctl("stop", "off").expect(0)
    p.wait_state("bad", "failed")
    quiet(p, w, marker)
    mark = p.mark()
    write_text(conf, "it was not there before")
    p.wait_state("bad", "starting", after=mark, reason="watch")
    quiet(p, w, marker)
    equal((p.of("off")["state"], starts(w.path("bad"))), ("stopped", 2))
    p.stop()


def test_a_reload_names_other_files_and_touches_nothing(w):
    one, two, marker = w.path("one"), w.path("two"), w.path("marker.conf")
    p = w.procd("work_dir = %s\n" % toml(w.path("")) + watching(w, "a", "one") + watching(w, "marker", marker))
    pid = p.wait_state("a", "running")["pid"]
    p.write("work_dir = %s\n" % toml(w.path("")) + watching(w, "a", "two") + watching(w, "marker", marker))
    equal(p.ctl("reload-config", "--json").expect(0).json()["updated"], ["a"], "updated")
    quiet(p, w, marker)
    write_text(one, "1")
    quiet(p, w, marker)
    equal(p.pid_of("a"), pid, "process")
    mark = p.mark()
    write_text(two, "1")
    p.wait_state("a", "running", after=mark)
    p.stop()


def test_a_directory_is_warned_about(w):
    path = w.path("c.toml")
    write_text(path, "[subsystem.a]\ncommand = \"/bin/true\"\nwatch = [\"/tmp\"]\n")
    r = w.run("check", "-c", path).expect(0)
    contains(r.err, "/tmp is a directory")
