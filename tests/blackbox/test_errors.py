"""Error codes, their categories, and the table of signals: each provoked from outside (E1, E2, G5)."""

import json
import os
import signal
import subprocess

from harness import *
from rpc import Connection

CATEGORIES = "config signal shutdown subsystem io resource timeout state platform runtime".split()


def error_of(result, rc):
    """The data of a verb that failed with --json."""
    return result.expect(rc).json()["error"]["data"]


def bad_config(w, text):
    path = write_text(w.path("bad.toml"), text + "[subsystem.a]\ncommand = [\"true\"]\n")
    return error_of(w.run("config", "-c", path, "--json"), 78)


def asked(p, method, params):
    c = Connection(p.socket)
    return c.request(method, params)["error"]["data"]


def twice_subscribed(p):
    c = Connection(p.socket)
    c.call("events.subscribe", {})
    return c.request("events.subscribe", {})["error"]["data"]


def too_many(p):
    held = [Connection(p.socket) for _ in range(16)]
    data = Connection(p.socket).read()["error"]["data"]
    for c in held:
        c.sock.close()
    wait_until(lambda: p.ctl("status").rc == 0, "room again")
    return data


def supervisor_dies_meanwhile(w, p):
    """While somebody waits for it."""
    argv = [w.procd_path, "stop", "-s", p.socket, "stubborn", "--json"]
    client = subprocess.Popen(argv, stdout=subprocess.PIPE, env=w.env(), text=True)
    p.wait_event(type="state_changed", name="stubborn", state="stopping")
    os.kill(p.status()["supervisor_pid"], signal.SIGKILL)
    out = client.communicate(timeout=10)[0]
    equal(client.returncode, 5, "exit code")
    p.wait_event(type="supervisor_recovered")
    return json.loads(out)["error"]["data"]


# Code, name, category, and what provokes it. What is not here needs a kernel that refuses or another
# executable: 6002 (run.second_instance_is_75_and_names_the_holder), 6003, 9000 and 10000 (upgrade.…),
# 7000. procd has no use for 3002, 4001 and 7001: a shutdown and a stop go on until they are done.
TABLE = (
    (1000, "CONFIG_INVALID", "config", lambda w, p: bad_config(w, "[logging]\nlevel = \"loud\"\n")),
    (1001, "CONFIG_PARSE", "config", lambda w, p: bad_config(w, "name = [\n")),
    (1002, "CONFIG_MISSING", "config", lambda w, p: error_of(w.run("config", "-c", w.path("none.toml"), "--json"), 66)),
    (1003, "CONFIG_TYPE", "config", lambda w, p: bad_config(w, "hot_reload = 5\n")),
    (2000, "SIGNAL_REGISTER", "signal", lambda w, p: bad_config(w, "[signals]\nSIGKILL = \"ignore\"\n")),
    (2001, "SIGNAL_SEND", "signal", lambda w, p: error_of(p.ctl("signal", "down", "HUP", "--json"), 1)),
    (2002, "SIGNAL_INVALID", "signal",
     lambda w, p: asked(p, "subsystem.signal", {"names": ["a"], "signal": "SIGNOPE"})),
    (4000, "SUBSYSTEM_START", "subsystem", lambda w, p: error_of(p.ctl("start", "broken", "--json"), 1)),
    (4002, "SUBSYSTEM_NOT_FOUND", "subsystem", lambda w, p: error_of(p.ctl("start", "nope", "--json"), 4)),
    (4003, "SUBSYSTEM_EXISTS", "subsystem", lambda w, p: twice_subscribed(p)),
    (4004, "SUBSYSTEM_STATE", "subsystem", lambda w, p: error_of(p.ctl("reload", "down", "--json"), 1)),
    (5000, "IO", "io", lambda w, p: error_of(w.run("status", "-s", "/dev/null", "--json"), 5)),
    (5001, "IO_NOT_FOUND", "io", lambda w, p: error_of(w.run("status", "-s", w.path("none"), "--json"), 5)),
    (7002, "RESOURCE_FDS", "resource", lambda w, p: too_many(p)),
    (8000, "TIMEOUT", "timeout", lambda w, p: error_of(p.ctl("restart", "slow", "--timeout", "20ms", "--json"), 124)),
    (9001, "STATE_VALUE", "state", lambda w, p: asked(p, "daemon.shutdown", {"mode": "soon"})),
    (10001, "PLATFORM_FEATURE", "platform", lambda w, p: asked(p, "no.such", {})),
    (6000, "RUNTIME_PANIC", "runtime", lambda w, p: supervisor_dies_meanwhile(w, p)),
    (3000, "SHUTDOWN_TIMEOUT", "shutdown", lambda w, p: error_of(p.ctl("shutdown", "--timeout", "50ms", "--json"), 124)),
    (3001, "SHUTDOWN_IN_PROGRESS", "shutdown", lambda w, p: error_of(p.ctl("start", "down", "--json"), 1)),
)


def test_E2_every_code_that_a_client_can_provoke(w):
    p = w.procd("[shutdown]\ntimeout = \"20s\"\n" + w.sub("a") + w.sub("down", autostart=False)
                + "[subsystem.broken]\ncommand = \"/no/such\"\nautostart = false\nrestart = \"never\"\n"
                + "[subsystem.slow]\ncommand = %s\nready = \"command:false\"\nautostart = false\n" % w.child()
                + w.sub("stubborn", "--ignore", "TERM"))
    wait_ignores(p.wait_state("stubborn", "running")["pid"], "SIGTERM")
    for code, name, category, provoke in TABLE:
        try:
            data = provoke(w, p)
        except Failure as e:
            raise Failure("%d %s: %s" % (code, name, e))
        equal((data["code"], data["name"], data["category"]), (code, name, category), "the error")
    p.ctl("shutdown", "--kill").expect(0)


def test_E1_every_category_is_provoked(w):
    """By a row of the table, all of which the test above goes through."""
    equal(sorted({row[2] for row in TABLE}), sorted(CATEGORIES), "categories")


def test_E2_another_user_is_told_what_it_may_not(w):
    need_root()
    p = w.procd(w.sub("a"))
    for path in (w.dir, p.run_dir):
        os.chmod(path, 0o755)
    data = error_of(w.run("status", "-s", p.socket, "--json", user=(65534, 65534)), 4)
    equal((data["code"], data["name"], data["category"]), (5002, "IO_PERMISSION", "io"), "the error")


def test_G5_every_action_of_the_signal_table(w):
    config = ("[signals]\nSIGRTMIN+1 = \"reload\"\nSIGRTMIN+2 = \"reopen-logs\"\nSIGRTMIN+3 = \"dump\"\n"
              "SIGRTMIN+4 = \"forward:a\"\nSIGRTMIN+5 = \"ignore\"\nSIGURG = \"default\"\nuser1 = \"ignore\"\n"
              "SIGRTMIN+6 = \"shutdown\"\n[logging]\nfile = \"%s\"\n"
              "[subsystem.a]\ncommand = [\"sh\", \"-c\", \"trap 'echo got it' %d; echo set; "
              "while :; do sleep 0.02; done\"]\n" % (w.path("log"), signal.SIGRTMIN + 4))
    p = w.procd(config)
    wait_until(lambda: "set" in p.ctl("logs", "a").out, "the handler is set")
    for number in (signal.SIGRTMIN + 5, signal.SIGURG, signal.SIGUSR1):
        os.kill(p.pid, number)  # nothing, or it would be seen below
    p.write(config + "[subsystem.b]\ncommand = %s\n" % w.child())
    os.kill(p.pid, signal.SIGRTMIN + 1)
    p.wait_event(type="config_reloaded")
    os.rename(w.path("log"), w.path("old"))
    os.kill(p.pid, signal.SIGRTMIN + 2)
    os.kill(p.pid, signal.SIGRTMIN + 3)
    wait_until(lambda: os.path.exists(w.path("log")) and "generation 2" in read_text(w.path("log")), "a dump in the new log")
    os.kill(p.pid, signal.SIGRTMIN + 4)
    wait_until(lambda: "got it" in p.ctl("logs", "a").out, "the signal arrives")
    os.kill(p.pid, signal.SIGRTMIN + 6)
    equal(p.wait_end(), 0, "exit code")
    p.nothing_left()


def test_G5_immediate_and_default_which_is_procds_own(w):
    config = "[signals]\nSIGALRM = \"immediate\"\nhangup = \"default\"\n" + w.sub("a", "--ignore", "TERM")
    p = w.procd(config)
    wait_ignores(p.wait_state("a", "running")["pid"], "SIGTERM")
    p.write(config + w.sub("b"))
    os.kill(p.pid, signal.SIGHUP)
    p.wait_event(type="config_reloaded")
    os.kill(p.pid, signal.SIGALRM)
    equal(p.wait_end(), 3, "exit code")
    p.nothing_left()


def test_D3_a_shutdown_says_why(w):
    def why(config, end, label):
        p = w.procd(config, label=label, wait=label != "critical")
        end(p)
        p.wait_end()
        e = p.wait_event(type="shutdown_started")
        equal(e["why"], label, "why")
        check(e["total"] >= 1, "total")

    def running(p):
        p.wait_event(type="state_changed", name="a", state="running")
        return p

    why(w.sub("a"), lambda p: os.kill(running(p).pid, signal.SIGTERM), "signal")
    why(w.sub("a"), lambda p: running(p).ctl("shutdown").expect(0), "request")
    why(w.sub("a") + "[subsystem.b]\ncommand = \"/no/such\"\ncritical = true\nrestart = \"never\"\n",
        lambda p: None, "critical")


def test_what_is_printed_nowhere_does_not_go_into_the_socket(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    argv = [w.procd_path, "-s", p.socket]
    for closed, words, want in (((1,), ["status"], 71), ((0, 1), ["graph"], 71), ((1, 2), ["status"], 71),
                                ((0, 1, 2), ["why", "a"], 71), ((2,), ["status", "nobody"], 4), ((0,), ["status"], 0)):
        r = subprocess.run(argv + words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           timeout=30, preexec_fn=lambda: [os.close(fd) for fd in closed])
        equal(r.returncode, want, "%s without %s" % (words, closed))
        if 2 not in closed and want == 71:
            contains(r.stderr.decode(), "cannot write to standard output", words)
    p.stop()
