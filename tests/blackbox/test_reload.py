"""Reload: all or nothing, and unchanged is untouched (interface 2, 3; faults.md S36-S43, F65-F84)."""

import os
import signal

from harness import *

LOG = '[logging]\nlevel = "info"\n'


def up(p, *names):
    return {n: p.wait_state(n, "running")["pid"] for n in names}


def reload(p, code=0):
    return p.ctl("reload-config").expect(code)


def test_a_bad_file_changes_nothing(w):
    p = w.procd(w.sub("a") + w.sub("b"))
    before = up(p, "a", "b")
    generation, mark = p.status()["generation"], p.mark()
    p.write("nonsense = 1\n" + w.sub("a", "--print", "changed") + "[subsystem.c]\nrestart = \"x\"\n")
    r = reload(p, 78)
    contains(r.err, "daemon.toml:2:1:", "message")
    e = p.wait_event(type="config_rejected", after=mark)
    check(len(e["errors"]) >= 2, e)
    equal((e["errors"][0]["line"], e["errors"][0]["column"]), (2, 1), "place")
    equal({n: p.pid_of(n) for n in before}, before, "pids")
    equal(p.status()["generation"], generation, "generation")
    equal(p.find_events(mark, type="state_changed"), [], "state changes")
    p.stop()


def test_one_that_comes_during_a_shutdown_is_refused(w):
    text = "[shutdown]\ntimeout = 60\nforce_timeout = 120\nkill_timeout = 180\n" + w.sub("a", "--ignore-term", "--print", "set")
    p = w.procd(text)
    up(p, "a")
    wait_until(lambda: "set" in p.ctl("logs", "a").out, "the handler is set")
    p.ctl("shutdown", "--no-wait").expect(0)
    p.wait_event(type="shutdown_started")
    p.write(text + w.sub("b"))
    contains(reload(p, 1).err, "shutting down", "message")
    os.kill(p.pid, signal.SIGQUIT)
    equal(p.wait_end(), 3, "exit code")


def test_S37_a_changed_one_is_restarted_alone(w):
    p = w.procd(w.sub("a") + w.sub("b"))
    before = up(p, "a", "b")
    mark = p.mark()
    p.write(w.sub("a", "--print", "new") + w.sub("b"))
    reload(p)
    e = p.wait_event(type="config_reloaded", after=mark)
    equal((e["restarted"], e["added"], e["removed"], e["updated"]), (["a"], [], [], []), "summary")
    new = p.wait_state("a", "running", after=mark)["pid"]
    check(new != before["a"] and not alive(before["a"]), "a was not replaced")
    equal(p.pid_of("b"), before["b"], "pid of b")
    equal(p.states("b", after=mark), [], "b's states")
    equal([x["reason"] for x in p.find_events(mark, type="state_changed", name="a")][0], "reload", "reason")
    p.stop()


def test_S36_rewritten_touched_and_commented_is_no_change(w):
    text = w.sub("a")
    p = w.procd(text)
    before = up(p, "a")
    generation, mark = p.status()["generation"], p.mark()
    p.write(text)
    reload(p)
    os.utime(p.config_path)
    reload(p)
    p.write("# a comment\n\n" + text + "\n; another\n")
    reload(p)
    equal(p.pid_of("a"), before["a"], "pid")
    equal(p.find_events(mark), [], "events")
    equal(p.status()["generation"], generation, "generation")
    p.stop()


def test_a_live_key_needs_no_restart(w):
    p = w.procd(w.sub("a", "--ignore-term", "--print", "set", stop_timeout=600))
    before = up(p, "a")
    wait_until(lambda: "set" in p.ctl("logs", "a").out, "it ignores TERM")
    mark = p.mark()
    p.write(w.sub("a", "--ignore-term", "--print", "set", stop_timeout_ms=100))
    reload(p)
    e = p.wait_event(type="config_reloaded", after=mark)
    equal((e["updated"], e["restarted"]), (["a"], []), "summary")
    equal(p.pid_of("a"), before["a"], "pid")
    p.ctl("stop", "a", timeout=10).expect(0)
    p.stop()


def test_S38_added_and_removed(w):
    p = w.procd(w.sub("a") + w.sub("b"))
    before = up(p, "a", "b")
    mark = p.mark()
    p.write(w.sub("b") + w.sub("c"))
    reload(p)
    e = p.wait_event(type="config_reloaded", after=mark)
    equal((e["added"], e["removed"], e["restarted"]), (["c"], ["a"], []), "summary")
    p.wait_event(type="subsystem_added", name="c", after=mark)
    p.wait_event(type="subsystem_removed", name="a", after=mark)
    p.wait_state("c", "running", after=mark)
    check(not alive(before["a"]), "the removed one lives")
    equal(p.pid_of("b"), before["b"], "pid of b")
    equal(sorted(s["name"] for s in p.status()["subsystems"]), ["b", "c"], "names")
    p.stop()


def test_sighup_reloads(w):
    p = w.procd(w.sub("a"))
    up(p, "a")
    mark = p.mark()
    p.write(w.sub("a") + w.sub("b"))
    os.kill(p.pid, signal.SIGHUP)
    p.wait_event(type="config_reloaded", after=mark)
    p.wait_state("b", "running", after=mark)
    p.stop()


def test_plan_shows_and_does_nothing(w):
    p = w.procd(w.sub("a") + w.sub("b"))
    before = up(p, "a", "b")
    mark = p.mark()
    p.write('name = "other"\n' + w.sub("b", "--print", "x") + w.sub("c"))
    j = p.ctl("plan", "--json").expect(0).json()
    equal((j["added"], j["removed"], j["restarted"], j["updated"]), (["c"], ["a"], ["b"], []), "plan")
    check("name" in j["needs_procd_restart"], j)
    text = p.ctl("plan").expect(0).out
    for n in ("a", "b", "c"):
        contains(text, n, "plan as text")
    equal({n: p.pid_of(n) for n in before}, before, "pids")
    equal(p.find_events(mark, type="config_reloaded"), [], "events")
    p.write("broken = = 1\n")
    p.ctl("plan").expect(78)
    p.stop()


def test_plan_names_each_key_and_what_a_reload_does_for_it(w):
    p = w.procd(w.sub("a", description="old", environment={"TOKEN": "secret1"}) + w.sub("b", restart_delay="1s"))
    up(p, "a", "b")
    p.write('[logging]\nlevel = "debug"\n[performance]\nnice = 0\nworker_threads = 2\n'
            + w.sub("a", description="new", environment={"TOKEN": "secret2"}) + w.sub("b", restart_delay="2s") + w.sub("c"))
    equal(sorted(p.ctl("plan", "--json").expect(0).json()),
          ["added", "needs_procd_restart", "removed", "restarted", "updated"], "what scripts count on")
    r = p.ctl("plan", "--json", "--keys").expect(0)
    equal(sorted((k.get("name"), k["key"], k["class"]) for k in r.json()["keys"] if k.get("name")),
          [("a", "description", "live"), ("a", "environment", "restart"), ("b", "restart_delay", "live")], "keys")
    equal([k for k in r.json()["keys"] if not k.get("name")],
          [{"key": "logging.level", "class": "live"}, {"key": "performance.worker_threads", "class": "procd"}], "of procd itself")
    text = p.ctl("plan").expect(0)
    contains(text.out, "~ a is restarted\n    restart: environment\n    live: description\n", "text")
    contains(text.out, "= b is updated without a restart\n    live: restart_delay\n", "text")
    check("secret" not in r.out + text.out, "no values")
    check("keys" not in p.ctl("reload-config", "--json").expect(0).json(), "what was done is told as ever")
    equal(p.ctl("plan", "--json", "--keys").expect(0).json()["keys"],
          [{"key": "performance.worker_threads", "class": "procd"}], "what still differs from what runs")
    p.stop()


def test_what_changes_in_procd_itself_is_told(w):
    p = w.procd(w.sub("a"))
    up(p, "a")
    p.write('[logging]\nlevel = "debug"\n' + w.sub("a"))
    contains(p.ctl("plan").expect(0).out, "logging.level", "plan")
    equal(p.ctl("plan", "--json", "--keys").expect(0).json()["settings"], ["logging.level"], "plan as JSON")
    contains(p.ctl("reload-config").expect(0).out, "logging.level", "reload-config")
    equal(p.wait_event(type="config_reloaded")["settings"], ["logging.level"], "event")
    equal(p.ctl("plan").expect(0).out, "no changes\n", "plan afterwards")
    p.stop()


def test_empty_needs_allow_empty(w):
    p = w.procd(w.sub("a"))
    before = up(p, "a")
    mark = p.mark()
    p.write("")
    r = p.ctl("reload-config")
    check(r.rc == 78, r)
    p.wait_event(type="config_rejected", after=mark)
    equal(p.pid_of("a"), before["a"], "pid")
    p.ctl("reload-config", "--allow-empty").expect(0)
    wait_until(lambda: not p.status()["subsystems"], "no subsystem is left")
    check(not alive(before["a"]), "a lives")
    p.stop()


def test_an_operators_stop_survives_a_reload(w):
    p = w.procd(w.sub("a") + w.sub("b"))
    up(p, "a", "b")
    p.ctl("stop", "a").expect(0)
    mark = p.mark_now()
    p.write(w.sub("a", "--print", "changed") + w.sub("b", "--print", "changed"))
    reload(p)
    p.wait_state("b", "running", after=mark)
    equal(p.of("a")["state"], "stopped", "state of a")
    equal(p.states("a", after=mark), [], "a's states")
    p.stop()


def test_S39_several_change_as_one_step(w):
    names = ["s%d" % i for i in range(8)]
    p = w.procd("".join(w.sub(n) for n in names))
    before = up(p, *names)
    mark = p.mark()
    p.write("".join(w.sub(n, "--print", "2") for n in names))
    reload(p)
    for n in names:
        check(p.wait_state(n, "running", after=mark)["pid"] != before[n], n)
    events = p.find_events(mark, type="config_reloaded")
    equal(len(events), 1, "config_reloaded")
    equal(sorted(events[0]["restarted"]), names, "restarted")
    check(all(e["seq"] > events[0]["seq"] for e in p.find_events(mark, type="state_changed")), "restarts come after it")
    p.stop()


def test_log_level_and_other_procd_keys(w):
    p = w.procd(LOG + w.sub("a"))
    before = up(p, "a")
    mark = p.mark()
    p.write(LOG.replace("info", "debug") + "[control]\nmode = \"0660\"\n" + w.sub("a"))
    reload(p)
    p.wait_event(type="config_reloaded", after=mark)
    equal(p.pid_of("a"), before["a"], "pid")
    p.stop()


def test_a_crash_during_the_reload_of_another(w):
    p = w.procd(w.sub("a") + w.sub("b", restart="always", restart_delay_ms=10))
    before = up(p, "a", "b")
    p.write(w.sub("a", "--print", "x") + w.sub("b", restart="always", restart_delay_ms=10))
    mark = p.mark()
    os.kill(before["b"], signal.SIGKILL)
    reload(p)
    p.wait_state("a", "running", after=mark)
    p.wait_state("b", "running", after=mark)
    p.stop()


def test_changed_while_it_waits_for_its_restart(w):
    p = w.procd(w.sub("a", "--exit", 1, restart_delay=600, restart_max_delay=600))
    p.wait_state("a", "restarting")
    mark = p.mark()
    p.write(w.sub("a"))
    reload(p)
    p.wait_state("a", "running", after=mark)
    p.stop()


def test_live_restart_keys_act_on_what_waits_or_has_failed(w):
    slow, often = {"restart_delay": 600, "restart_max_delay": 600}, {"restart_delay": "10ms"}
    p = w.procd(w.sub("waits", "--exit", 1, **slow) + w.sub("never", "--exit", 1, restart="never")
                + w.sub("tired", "--exit", 1, restart_max_attempts=1, **often) + w.sub("job", "--exit", 1, type="oneshot"))
    p.wait_state("waits", "restarting")
    p.wait_state("never", "failed")
    p.wait_state("job", "failed")
    p.wait_state("tired", "failed", gave_up=True)
    mark = p.mark()
    p.write(w.sub("waits", "--exit", 1, **often) + w.sub("never", "--exit", 1, restart="on-failure", **often)
            + w.sub("tired", "--exit", 1, restart_max_attempts=9, **often)
            + w.sub("job", "--exit", 1, type="oneshot", description="no reason to do it again"))
    reload(p)
    for name in ("waits", "never", "tired"):
        p.wait_state(name, "starting", after=mark, reason="reload")
        p.wait_state(name, "restarting", after=mark)
    equal(p.states("job", after=mark), [], "states of the job")
    p.stop()


def test_live_times_act_on_what_waits_for_their_end(w):
    def text(time):
        return (w.sub("young", min_uptime=time) + w.sub("deaf", "--ignore-term", stop_timeout=time)
                + w.sub("hook", pre_start=[w.child_path], hook_timeout=time, restart="never"))

    p = w.procd(text(600))
    wait_ignores(up(p, "deaf")["deaf"], "SIGTERM")
    wait_until(lambda: p.pid_of("young") and p.of("hook")["doing"] == "pre_start", "the other two wait")
    p.ctl("stop", "deaf", "--no-wait").expect(0)
    p.wait_state("deaf", "stopping")
    p.write(text(0.05))
    reload(p)
    p.wait_state("deaf", "stopped", killed=True)
    p.wait_state("young", "running")
    contains(p.wait_state("hook", "failed", reason="hook")["error"]["message"], "did not end within 50ms", "error")
    p.stop()


def test_live_deadlines_of_shutdown_act_on_a_stop_under_way(w):
    p = w.procd("[shutdown]\ntimeout = 600\n" + w.sub("deaf", "--ignore-term"))
    wait_ignores(up(p, "deaf")["deaf"], "SIGTERM")
    p.ctl("stop", "deaf", "--no-wait").expect(0)
    p.wait_state("deaf", "stopping")
    p.write('[shutdown]\ntimeout = "10ms"\nforce_timeout = "20ms"\nkill_timeout = "30ms"\n' + w.sub("deaf", "--ignore-term"))
    reload(p)
    p.wait_state("deaf", "stopped", killed=True)
    p.stop()


def test_live_debounce_acts_on_a_delay_under_way(w):
    watched = w.path("watched")
    write_text(watched, "1")

    def text(debounce, about):
        return ('hot_reload = true\n[reload]\ndebounce = "%s"\n' % debounce
                + w.sub("a", watch=[watched]) + w.sub("b", description=about))

    p = w.procd(text("50s", "first"))
    before = up(p, "a", "b")["a"]
    p.write(text("10ms", "second"))
    reload(p)
    p.write(text("10ms", "third"))
    wait_until(lambda: p.of("b")["description"] == "third", "the change is seen")
    write_text(watched, "2")
    wait_until(lambda: p.pid_of("a") not in (None, before), "a is restarted")
    p.stop()


def test_what_needs_a_restart_of_procd_waits_for_it_as_a_whole(w):
    for name in ("old", "new"):
        os.mkdir(w.path(name))

    def text(which, more=""):
        return ('name = "%s"\nrun_dir = "%s"\nwork_dir = "%s"\n' % (which, w.path(which, "run"), w.path(which))
                + w.sub("a", log_file="a.log") + more + '[events]\noutput = "file:%s"\n' % w.path(which, "events"))

    p = w.procd(text("old"), wrap=False, socket=w.path("old/run/control.sock"))
    p.events_path = w.path("old/events")
    pid = up(p, "a")["a"]
    p.write(text("new", w.sub("b", "--notify", "READY=1", ready="notify")))
    waiting = ["name", "work_dir", "run_dir", "events.output", "control.socket"]
    equal(p.ctl("reload-config", "--json").expect(0).json()["needs_procd_restart"], waiting, "told")
    p.wait_state("b", "running")

    def the_old_ones(when):
        equal(p.status()["name"], "old", "name " + when)
        equal(p.ctl("plan", "--json").expect(0).json()["needs_procd_restart"], waiting, "plan " + when)
        equal(p.pid_of("a"), pid, "pid " + when)
        p.ctl("restart", "b").expect(0)
        equal(read_link("/proc/%d/cwd" % p.pid_of("b")), w.path("old"), "directory " + when)
        equal(os.listdir(w.path("new")), [], "new places " + when)

    the_old_ones("after the reload")
    mark = p.mark_now()
    p.ctl("reload-config").expect(0)
    equal(p.find_events(mark, type="config_reloaded"), [], "a second event for the same file")
    p.kill_supervisor()
    the_old_ones("after a death")
    p.write(text("old"))
    p.ctl("reload-config").expect(0)
    equal(p.ctl("plan").expect(0).out, "no changes\n", "plan afterwards")
    equal(p.pid_of("a"), pid, "pid at the end")
    p.stop()


def test_S41_many_reloads_half_of_them_bad(w):
    good = w.sub("fixed") + w.sub("flip")
    p = w.procd(good)
    fixed = up(p, "fixed", "flip")["fixed"]
    fds = len(os.listdir("/proc/%d/fd" % p.supervisor_pid()))
    for i in range(40):
        if i % 2:
            p.write("bad = %d\n" % i)
            reload(p, 78)
        else:
            p.write(w.sub("fixed") + w.sub("flip", "--print", str(i)))
            reload(p)
    equal(p.pid_of("fixed"), fixed, "pid of the unchanged one")
    equal(p.states("fixed"), ["starting", "running"], "its states")
    check(len(os.listdir("/proc/%d/fd" % p.supervisor_pid())) <= fds + 2, "descriptors grow")
    p.stop()


# --- hot reload: every way a file gets new content ------------------------------------------------

HOT = "hot_reload = true\n"


def hot(w, change, times=1):
    """CHANGE(p, text) puts new text into place; it must be noticed, exactly once."""
    p = w.procd(HOT + w.sub("a"))
    before = up(p, "a")
    for i in range(times):
        mark = p.mark()
        text = p.text(HOT + w.sub("a") + w.sub("new%d" % i))
        change(p, text)
        e = p.wait_event(type="config_reloaded", after=mark)
        equal(e["added"], ["new%d" % i], "added")
        p.wait_state("new%d" % i, "running", after=mark)
        equal(len(p.find_events(mark, type="config_reloaded")), 1, "reloads")
    equal(p.pid_of("a"), before["a"], "pid of the unchanged one")
    equal(p.find_events(type="config_rejected"), [], "rejected")
    p.stop()


def test_F66_hot_rename_into_place(w):
    def change(p, text):
        write_text(p.config_path + ".tmp", text)
        os.rename(p.config_path + ".tmp", p.config_path)
    hot(w, change, 3)


def test_hot_write_in_place(w):
    hot(w, lambda p, text: write_text(p.config_path, text), 3)


def test_hot_backup_then_new_file(w):
    def change(p, text):
        os.rename(p.config_path, p.config_path + "~")
        write_text(p.config_path, text)
    hot(w, change, 3)


def test_hot_append(w):
    p = w.procd(HOT + w.sub("a"))
    up(p, "a")
    mark = p.mark()
    with open(p.config_path, "a") as f:
        f.write(w.sub("b"))
    p.wait_state("b", "running", after=mark)
    p.stop()


def test_F65_hot_half_written_in_pieces(w):
    """Whatever was read in between, the last content counts and the unchanged one stays."""
    import time
    p = w.procd(HOT + w.sub("a"))
    before = up(p, "a")
    text = p.text(HOT + w.sub("a") + w.sub("b"))
    third = len(text) // 3
    with open(p.config_path, "w") as f:
        for part in (text[:third], text[third:2 * third], text[2 * third:]):
            f.write(part)
            f.flush()
            time.sleep(0.02)  # the writer's own slowness, not the oracle
    p.wait_state("b", "running")
    equal(p.pid_of("a"), before["a"], "pid")
    p.stop()


def test_F67_hot_symlink_swap(w):
    """As Kubernetes mounts a ConfigMap: file -> ..data/file, ..data -> a folder, swapped by rename."""
    root = w.path("cm")
    os.mkdir(root)

    def version(n, text):
        os.mkdir("%s/..v%d" % (root, n))
        write_text("%s/..v%d/daemon.toml" % (root, n), text)
        os.symlink("..v%d" % n, root + "/..tmp")
        os.rename(root + "/..tmp", root + "/..data")
    p = w.procd(HOT + w.sub("a"), start=False)
    version(1, p.text(HOT + w.sub("a")))
    os.symlink("..data/daemon.toml", root + "/daemon.toml")
    p.config_path = root + "/daemon.toml"
    p.start()
    before = up(p, "a")
    for n in (2, 3):
        mark = p.mark()
        version(n, p.text(HOT + w.sub("a") + w.sub("b%d" % n)))
        p.wait_state("b%d" % n, "running", after=mark)
    equal(p.pid_of("a"), before["a"], "pid")
    p.stop()


def test_F68_hot_deleted_keeps_the_last_good_one(w):
    p = w.procd(HOT + w.sub("a"))
    before = up(p, "a")
    mark = p.mark()
    os.unlink(p.config_path)
    e = p.wait_event(type="config_rejected", after=mark)
    equal([x["line"] for x in e["errors"]], [0], "errors")
    equal(p.pid_of("a"), before["a"], "pid")
    mark = p.mark()
    p.write(HOT + w.sub("a") + w.sub("b"))
    p.wait_state("b", "running", after=mark)
    equal(p.pid_of("a"), before["a"], "pid")
    p.stop()


def test_hot_emptied_keeps_the_last_good_one(w):
    p = w.procd(HOT + w.sub("a"))
    before = up(p, "a")
    mark = p.mark()
    write_text(p.config_path, "")
    e = p.wait_event(type="config_rejected", after=mark)
    equal([x["line"] for x in e["errors"]], [0], "errors")
    equal(p.pid_of("a"), before["a"], "pid")
    p.stop()


def test_hot_bad_then_good(w):
    p = w.procd(HOT + w.sub("a"))
    before = up(p, "a")
    mark = p.mark()
    p.write(HOT + "bad = 1\n" + w.sub("a"))
    p.wait_event(type="config_rejected", after=mark)
    p.write(HOT + w.sub("a") + w.sub("b"))
    p.wait_state("b", "running", after=mark)
    equal(p.pid_of("a"), before["a"], "pid")
    p.stop()


def test_hot_included_files_count(w):
    os.mkdir(w.path("conf.d"))
    inc = 'include = ["conf.d/*.toml"]\n'
    p = w.procd(HOT + inc + w.sub("a"))
    before = up(p, "a")
    mark = p.mark()
    write_text(w.path("conf.d/b.toml"), w.sub("b"))
    p.wait_state("b", "running", after=mark)
    mark = p.mark()
    os.unlink(w.path("conf.d/b.toml"))
    p.wait_event(type="subsystem_removed", name="b", after=mark)
    equal(p.pid_of("a"), before["a"], "pid")
    p.stop()


def test_not_hot_means_not_watched(w):
    p = w.procd(w.sub("a"))
    up(p, "a")
    p.write(w.sub("a") + w.sub("b"))
    p.ctl("restart", "a").expect(0)
    check("b" not in [s["name"] for s in p.status()["subsystems"]], "the file was read")
    p.stop()


def test_touch_and_swap_files_are_no_reload(w):
    p = w.procd(HOT + w.sub("a"))
    up(p, "a")
    mark = p.mark()
    os.utime(p.config_path)
    write_text(w.path(".daemon.toml.swp"), "x")
    os.unlink(w.path(".daemon.toml.swp"))
    p.write(HOT + w.sub("a") + w.sub("b"))
    p.wait_state("b", "running", after=mark)
    equal(len(p.find_events(mark, type="config_reloaded")), 1, "reloads")
    p.stop()
