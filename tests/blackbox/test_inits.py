"""The scripts for other init systems, run as an init system runs them."""

import os

from harness import alive, contains, equal, need_program, need_root, read_text, wait_until, write_text

SYSV = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../contrib/sysv/procd"))


def sysv(w, config):
    """A function that runs the script with one argument."""
    need_root()
    need_program("start-stop-daemon")
    write_text(w.path("daemon.toml"), 'run_dir = "%s"\n' % w.path("run") + config)
    write_text(w.path("defaults"), "DAEMON=%s\nCONFIG=%s\nPIDFILE=%s\nLOG=%s\n" % (
        w.procd_path, w.path("daemon.toml"), w.path("procd.pid"), w.path("procd.log")))
    return lambda word: w.run_program(["sh", SYSV, word], env={"DEFAULTS": w.path("defaults")}, timeout=60)


def test_sysv_start_status_reload_stop(w):
    script = sysv(w, w.sub("a", "--pid-file", w.path("a.pid")))
    script("status").expect(3)
    script("start").expect(0)
    contains(script("status").expect(0).out, "running", "status")
    keeper = int(read_text(w.path("procd.pid")))
    wait_until(lambda: read_text(w.path("a.pid")), "the child's pid")
    child = int(read_text(w.path("a.pid")))
    script("start").expect(0)
    equal(int(read_text(w.path("procd.pid"))), keeper, "a second start changes nothing")
    write_text(w.path("daemon.toml"), read_text(w.path("daemon.toml")) + w.sub("b"))
    contains(script("reload").expect(0).out, "+ b is added", "reload")
    write_text(w.path("daemon.toml"), read_text(w.path("daemon.toml")) + "[subsystem.c]\n")
    contains(script("reload").expect(78).err, "daemon.toml:", "a refused reload")
    equal(alive(child), True, "the child lives")
    script("stop").expect(0)
    equal((alive(child), alive(keeper)), (False, False), "lives after stop")
    script("stop").expect(0)
    script("status").expect(3)


def test_sysv_start_refuses_a_wrong_configuration_and_restart_works(w):
    script = sysv(w, "[subsystem.a]\n")
    contains(script("start").expect(6).err, "daemon.toml:", "the error")
    write_text(w.path("daemon.toml"), 'run_dir = "%s"\n' % w.path("run") + w.sub("a"))
    script("start").expect(0)
    keeper = int(read_text(w.path("procd.pid")))
    script("restart").expect(0)
    equal(alive(keeper), False, "the first procd")
    equal(alive(int(read_text(w.path("procd.pid")))), True, "the second one")
    script("stop").expect(0)
    script("reload").expect(7)
    script("nonsense").expect(2)
