"""When is a subsystem ready? (interface.md 2 and 3: `ready`, `start_timeout`, `watchdog`)

What runs here says so itself (sd_notify, a descriptor, its output) or is asked.
"""

import pwd

from harness import *


def notifier(w, name, *args, **keys):
    keys.setdefault("ready", "notify")
    return w.sub(name, *args, **keys)


# --- sd_notify ------------------------------------------------------------------------------------

def test_notify_starting_lasts_until_ready(w):
    p = w.procd(notifier(w, "a", "--notify", "STATUS=warming up", "--wait-for", w.path("go"), "--notify", "READY=1|STATUS=at work"))
    wait_until(lambda: p.of("a")["status_text"] == "warming up", "its STATUS is shown")
    a = p.of("a")
    equal((a["state"], a["ready"], a["awaits"]), ("starting", False, "READY=1"), "before")
    check(25000 < a["start_timeout_left_ms"] <= 30000, a)
    check(a["pid"] > 0, "its pid")
    why = p.ctl("why", "a").expect(0).out
    contains(why, "it waits for READY=1, ")
    contains(why, "warming up")
    contains(p.ctl("status").expect(0).out, "waits for READY=1", "the table")
    equal(p.ctl("is-ready", "a").rc, 3, "is-ready")
    write_text(w.path("go"), "")
    p.wait_event(type="ready_changed", name="a", ready=True, reason="start")
    wait_until(lambda: p.of("a")["status_text"] == "at work", "its new STATUS")
    a = p.of("a")
    equal((a["state"], a["ready"], a["awaits"], a["start_timeout_left_ms"]), ("running", True, None, None), "after")
    p.stop()


def test_notify_environment(w):
    p = w.procd(notifier(w, "a", "--report-state", w.path("a"), "--notify", "READY=1") +
                w.sub("dog", "--report-state", w.path("dog"), watchdog="90s") +
                w.sub("plain", "--report-state", w.path("plain")),
                env={"NOTIFY_SOCKET": w.path("no.sock"), "WATCHDOG_USEC": "90000000", "WATCHDOG_PID": "1"})
    p.wait_state("a", "running")
    a, dog, plain = (read_report(w.path(n)) for n in ("a", "dog", "plain"))
    check(a["env"]["NOTIFY_SOCKET"].startswith(p.run_dir + "/"), a["env"])
    check("WATCHDOG_USEC" not in a["env"], "no watchdog was asked for")
    equal(dog["env"]["WATCHDOG_USEC"], "90000000", "WATCHDOG_USEC")
    equal(dog["env"]["WATCHDOG_PID"], str(dog["pid"]), "WATCHDOG_PID")
    check(a["env"]["NOTIFY_SOCKET"] != dog["env"]["NOTIFY_SOCKET"], "one each")
    check(not [k for k in plain["env"] if k.startswith(("NOTIFY", "WATCHDOG"))], "nothing of procd's own")
    p.stop()


def test_notify_start_waits_and_dependants_wait(w):
    p = w.procd(notifier(w, "db", "--wait-for", w.path("go"), "--notify", "READY=1") + w.sub("web", depends_on=["db"]) +
                w.sub("early", depends_on=["db:started"]))
    p.wait_state("early", "running")
    equal((p.of("db")["state"], p.of("web")["state"]), ("starting", "stopped"), "while it starts")
    contains(p.ctl("why", "web").expect(0).out, "db")
    equal(p.ctl("start", "db", "--timeout", "300ms").rc, 124, "start waits for ready")
    write_text(w.path("go"), "")
    p.ctl("start", "db").expect(0)
    up = p.wait_state("web", "running")
    check(up["seq"] > p.wait_state("db", "running")["seq"], "in this order")
    p.stop()


def test_S15_long_start_dependants_start_after_ready(w):
    p = w.procd(notifier(w, "db", "--sleep", 400, "--notify", "READY=1") + w.sub("web", depends_on=["db"]))
    p.wait_state("web", "running")
    names = [(e["name"], e["state"]) for e in p.find_events(type="state_changed")]
    equal(names, [("db", "starting"), ("db", "running"), ("web", "starting"), ("web", "running")], "order")
    p.stop()


def test_not_ready_in_time_is_a_failed_start(w):
    p = w.procd(notifier(w, "a", start_timeout="300ms", restart="never"))
    e = p.wait_state("a", "failed")
    equal((e["prev"], e["reason"], e["signal"]), ("starting", "start_timeout", "SIGTERM"), "the event")
    a = p.of("a")
    contains(a["last_error"], "start_timeout, waited for READY=1")
    equal(e["error"], {"stage": "ready", "errno": None, "message": a["last_error"]}, "error")
    equal((a["ready"], a["pid"], a["restart_count"]), (False, None, 0), "status")
    check(not p.find_events(type="ready_changed"), "it never was ready")
    r = p.ctl("start", "a")
    equal(r.rc, 1, "start of what does not get ready")
    contains(r.err, "start_timeout")
    p.stop()


def test_not_ready_in_time_follows_the_restart_policy(w):
    p = w.procd(notifier(w, "a", start_timeout="100ms", restart="on-failure",
                         restart_delay_ms=20, restart_max_attempts=2))
    e = p.wait_state("a", "failed", gave_up=True)
    equal((e["reason"], e["restart_count"]), ("start_timeout", 2), "the last one")
    # the program itself may be ended before it notes a start
    equal(p.states("a").count("starting"), 3, "starts")
    p.stop()


def test_not_ready_in_time_ends_the_whole_tree_and_what_ignores_term(w):
    p = w.procd(notifier(w, "a", "--ignore-term", "--grandchild", "+st", w.path("g"), start_timeout="700ms",
                         stop_timeout="300ms", restart="never"))
    g = wait_pid_file(w.path("g"))
    e = p.wait_state("a", "failed")
    equal((e["reason"], e["signal"], e.get("killed")), ("start_timeout", "SIGKILL", True), "the event")
    wait_gone(g)
    p.stop()


def test_start_timeout_zero_is_no_limit(w):
    p = w.procd(notifier(w, "a", "--wait-for", w.path("go"), "--notify", "READY=1", start_timeout=0))
    wait_until(lambda: p.of("a")["state"] == "starting" and p.of("a")["awaits"], "it starts")
    equal(p.of("a")["start_timeout_left_ms"], None, "time left")
    write_text(w.path("go"), "")
    p.wait_state("a", "running")
    p.stop()


def test_an_end_before_ready_is_a_failed_start(w):
    p = w.procd(notifier(w, "a", "--sleep", 50, "--exit", 0, restart="never"))
    e = p.wait_state("a", "failed")
    equal((e["prev"], e["reason"], e["exit_code"]), ("starting", "exit", 0), "the event")
    p.stop()


def test_ready_right_before_the_end_counts(w):
    p = w.procd(notifier(w, "a", "--notify", "READY=1", "--exit", 0, restart="never"))
    p.wait_state("a", "stopped", prev="running")
    equal(p.states("a"), ["starting", "running", "stopped"], "states")
    p.stop()


def test_extend_timeout_moves_the_deadline(w):
    p = w.procd(notifier(w, "a", "--notify", "EXTEND_TIMEOUT_USEC=20000000", "--wait-for", w.path("go"), "--notify",
                         "READY=1", start_timeout="600ms") +
                notifier(w, "b", "--sleep", 100, "--notify", "EXTEND_TIMEOUT_USEC=1", start_timeout="700ms", restart="never"))
    p.wait_state("b", "failed", reason="start_timeout")
    a = p.of("a")
    equal(a["state"], "starting", "it asked for more time")
    check(10000 < a["start_timeout_left_ms"] <= 20000, a)
    write_text(w.path("go"), "")
    p.wait_state("a", "running")
    p.stop()


def test_min_uptime_counts_beside_ready(w):
    p = w.procd(notifier(w, "a", "--notify", "READY=1", min_uptime="400ms"))
    wait_until(lambda: p.of("a")["awaits"] == "min_uptime to pass", "only the time is missing")
    began = p.wait_state("a", "starting")["at_mono_ns"]
    check(p.wait_state("a", "running")["at_mono_ns"] - began >= 400e6, "min_uptime")
    p.stop()


def test_errno_and_status_are_cleaned(w):
    p = w.procd(notifier(w, "a", "--notify", "READY=1|ERRNO=2|STATUS=x\x1b[31my\x07"))
    p.wait_state("a", "running")
    text = wait_until(lambda: p.of("a")["status_text"], "its status")
    contains(text, "ENOENT")
    check("\x1b" not in text and "\x07" not in text, text)
    check("\x1b" not in p.ctl("why", "a").expect(0).out, "why is harmless, too")
    p.stop()


def test_reload_of_start_timeout_acts_at_once(w):
    def config(timeout):
        return notifier(w, "a", "--wait-for", w.path("go"), start_timeout=timeout, restart="never")
    p = w.procd(config("10m"))
    wait_until(lambda: p.of("a")["awaits"], "it waits")
    pid = p.pid_of("a")
    p.write(config("1h"))
    equal(p.ctl("reload-config", "--json").expect(0).json()["restarted"], [], "nothing is restarted")
    check(p.of("a")["start_timeout_left_ms"] > 3000000, "an hour")
    equal(p.pid_of("a"), pid, "pid")
    p.write(config("10ms"))
    p.ctl("reload-config").expect(0)
    p.wait_state("a", "failed", reason="start_timeout")
    p.stop()


# --- a descriptor ---------------------------------------------------------------------------------

def test_fd_a_newline_is_ready(w):
    p = w.procd(w.sub("a", "--report-state", w.path("a"), "--fd", 3, "--no-newline", "half", "--wait-for", w.path("go"),
                      "--print", " a line", "--fd", 1, "--print", "out", ready="fd:3"))
    wait_until(lambda: p.of("a")["awaits"] == "a newline on descriptor 3", "it waits")
    env = read_report(w.path("a"))["env"]
    check("NOTIFY_SOCKET" not in env, "that is another protocol")
    write_text(w.path("go"), "")
    p.wait_state("a", "running", prev="starting")
    wait_until(lambda: "out" in p.ctl("logs", "a").out, "its output is its own")
    p.stop()


def test_fd_of_any_number(w):
    numbers = [3, 4, 9] + list(range(39, 49)) + [100, 1023]
    p = w.procd("".join(w.sub("f%d" % n, "--fd", n, "--print", "", ready="fd:%d" % n) for n in numbers))
    for n in numbers:
        p.wait_state("f%d" % n, "running")
    p.stop()


def test_fd_shell_child_and_other_user(w):
    """What a shell starts inherits it; after giving up root and another root directory it still works."""
    p = w.procd('[subsystem.a]\nready = "fd:5"\ncommand = ' + toml(["sh", "-c", "(echo >&5); exec sleep 1000"]) + "\n" +
                ('[subsystem.b]\nready = "fd:3"\nuser = "nobody"\ncommand = ' +
                 toml(["sh", "-c", "echo ok >&3; exec 3>&-; exec sleep 1000"]) + "\n" if os.geteuid() == 0 else ""))
    for name in ["a"] + (["b"] if os.geteuid() == 0 else []):
        p.wait_state(name, "running")
    p.stop()


def test_fd_without_a_newline_is_not_ready(w):
    p = w.procd(w.sub("a", "--fd", 3, "--no-newline", "READY=1", ready="fd:3", start_timeout="200ms", restart="never") +
                '[subsystem.b]\nready = "fd:3"\nstart_timeout = "200ms"\nrestart = "never"\ncommand = ' +
                toml(["sh", "-c", "exec 3>&-; exec sleep 1000"]) + "\n")
    for name in "ab":
        p.wait_state(name, "failed", reason="start_timeout")
    p.stop()


def test_fd_and_a_watchdog(w):
    p = w.procd(w.sub("a", "--notify", "WATCHDOG=1|", "--wait-for", w.path("go"), "--fd", 7, "--print", "x=y", ready="fd:7",
                      watchdog="300ms", restart="never"))
    wait_until(lambda: p.of("a")["awaits"], "it waits")
    write_text(w.path("go"), "")
    p.wait_state("a", "running")
    p.wait_state("a", "failed", reason="watchdog")
    p.stop()


def test_fd_and_a_killed_supervisor(w):
    p = w.procd(w.sub("a", "--wait-for", w.path("go"), "--fd", 3, "--print", "", "--pid-file", w.path("done"), ready="fd:3"))
    wait_until(lambda: p.of("a")["awaits"], "it waits")
    pid, old = p.pid_of("a"), p.supervisor_pid()
    os.kill(old, 19)
    write_text(w.path("go"), "")
    wait_until(lambda: os.path.exists(w.path("done")), "it has written")
    os.kill(old, 9)
    equal(p.wait_state("a", "running")["pid"], pid, "the same process")
    p.stop()


# --- its output -----------------------------------------------------------------------------------

def test_log_a_line_that_matches_is_ready(w):
    p = w.procd(w.sub("a", "--print", "not yet Ready to", "--no-newline", "Ready to ", "--wait-for", w.path("go"), "--print",
                      "serve on port 80", ready="log:^Ready to serve on port [0-9]+$") +
                w.sub("b", "--fd", 2, "--print", "listening", ready="log:listen(ing|s)", stderr="log") +
                w.sub("c", "--fd", 2, "--print", "x", ready="log:^x$", stdout="null", stderr="log"))
    for name in "bc":
        p.wait_state(name, "running")
    a = p.of("a")
    equal((a["state"], a["awaits"]), ("starting", "log:^Ready to serve on port [0-9]+$"), "half a line is no line")
    write_text(w.path("go"), "")
    p.wait_state("a", "running")
    contains(p.ctl("logs", "a").expect(0).out, "serve on port 80")
    p.stop()


def test_log_of_the_process_before_does_not_count(w):
    p = w.procd(w.sub("a", "--starts", w.path("n"), "--wait-for", w.path("go"), "--print", "up", "--wait-for", w.path("end"), "--die",
                      "KILL", ready="log:^up$", restart="always", restart_delay_ms=10, start_timeout="1h"))
    write_text(w.path("go"), "")
    p.wait_state("a", "running")
    os.unlink(w.path("go"))
    mark = p.mark()
    write_text(w.path("end"), "")
    p.wait_state("a", "starting", after=mark)
    pid = wait_until(lambda: p.pid_of("a"), "its process")
    p.kill_supervisor()
    equal((p.of("a")["state"], p.pid_of("a")), ("starting", pid), "that line was another process's")
    os.unlink(w.path("end"))
    write_text(w.path("go"), "")
    p.wait_state("a", "running", after=mark)
    p.stop()


def test_log_and_a_killed_supervisor(w):
    p = w.procd(w.sub("a", "--wait-for", w.path("go"), "--print", "up", "--pid-file", w.path("done"), ready="log:up") +
                w.sub("b", "--print", "half", "--no-newline", "u", "--wait-for", w.path("go2"), "--print", "p", ready="log:^up") +
                w.sub("c", "--wait-for", w.path("go"), "--print", "up", "--exit", 0, ready="log:up", restart="never"))
    wait_until(lambda: all(p.of(n)["awaits"] for n in "abc"), "they wait")
    pid, old = p.pid_of("a"), p.supervisor_pid()
    os.kill(old, 19)
    write_text(w.path("go"), "")
    wait_until(lambda: os.path.exists(w.path("done")), "it has spoken")
    os.kill(old, 9)
    equal(p.wait_state("a", "running")["pid"], pid, "the same process")
    p.wait_state("c", "stopped", prev="running")
    equal(p.of("b")["state"], "starting", "b")
    write_text(w.path("go2"), "")
    p.wait_state("b", "running")
    p.stop()


def test_log_captured_by_a_supervisor_that_died_before_it_told(w):
    """The ring still holds the line: whoever follows finds it there."""
    p = w.procd(w.sub("a", "--spew", 100, "--print", "up", "--spew", 100, ready="log:^up$"))
    p.wait_state("a", "running")
    p.kill_supervisor()
    equal(p.of("a")["state"], "running", "ready stays")
    p.stop()


def test_log_right_before_the_end_counts(w):
    p = w.procd(w.sub("a", "--no-newline", "up", "--exit", 0, ready="log:^up$", restart="never") +
                w.sub("b", "--print", "no", "--exit", 0, ready="log:^up$", restart="never"))
    p.wait_state("a", "stopped", prev="running")
    p.wait_state("b", "failed", prev="starting")
    p.stop()


def test_log_in_a_flood_and_in_binary_output(w):
    write_text(w.path("bytes"), "")
    with open(w.path("bytes"), "wb") as f:
        f.write(bytes(range(256)) * 300 + b"\nx\0up\n")
    p = w.procd(w.sub("a", "--line-size", 200, "--spew", 20000, "--print", "up", "--spew", 20000, ready="log:^up$", log_file=w.path("a.log")) +
                w.sub("b", "--copy", w.path("bytes"), ready="log:up$", log_file=w.path("b.log")))
    p.wait_state("a", "running")
    p.wait_state("b", "running")
    p.stop()


def test_log_needs_output_that_is_read_and_a_pattern(w):
    for keys, want in ((dict(ready="log:x", stdout="null", stderr="null"), "ready: log: needs output"),
                       (dict(ready="log:x", stdout="file:" + w.path("o")), "ready: log: needs output"),
                       (dict(ready="log:(x"), "subsystem.a.ready"), (dict(ready="log:"), "subsystem.a.ready"),
                       (dict(ready="log:(a)\\1"), "subsystem.a.ready"), (dict(ready="tcp:localhost"), "subsystem.a.ready"),
                       (dict(ready="fd:2"), "subsystem.a.ready"), (dict(ready="telepathy"), "accepted")):
        write_text(w.path("c.toml"), w.sub("a", **keys))
        r = w.run("check", "-c", w.path("c.toml")).expect(78)
        contains(r.err, want, "message")
        contains(r.err, "c.toml:3:", "place") if "stdout" not in keys else None


# --- asked ----------------------------------------------------------------------------------------

def listener(w, name, code, **keys):
    write_text(w.path(name + ".py"), r'''
import os, socket, sys, time
def wait(name):
    while not os.path.exists(name):
        time.sleep(0.005)
''' + code)
    lines = ["[subsystem.%s]" % name, "command = " + toml([sys.executable, "-S", "-E", w.path(name + ".py")])]
    return "\n".join(lines + ["%s = %s" % (k, toml(v)) for k, v in keys.items()]) + "\n"


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_tcp_is_ready_when_it_listens(w):
    port = free_port()
    p = w.procd(listener(w, "a", r'''
wait("go")
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", %d))
s.listen()
time.sleep(1000)
''' % port, ready="tcp:127.0.0.1:%d" % port) + w.sub("b", depends_on=["a"]))
    wait_until(lambda: "refused" in (p.of("a")["awaits"] or ""), "it is asked")
    equal((p.of("a")["state"], p.of("b")["state"]), ("starting", "stopped"), "states")
    contains(p.ctl("why", "a").expect(0).out, "tcp:127.0.0.1:%d" % port)
    write_text(w.path("go"), "")
    p.wait_state("b", "running")
    equal(p.of("a")["awaits"], None, "nothing is awaited")
    p.stop()


def test_unix_is_ready_when_it_listens(w):
    p = w.procd(listener(w, "a", r'''
wait("go")
s = socket.socket(socket.AF_UNIX)
s.bind("a.sock")
s.listen()
time.sleep(1000)
''', ready="unix:" + w.path("a.sock")) + w.sub("never", ready="unix:" + w.path("never.sock"), start_timeout="300ms", restart="never"))
    e = p.wait_state("never", "failed", reason="start_timeout")
    equal(e["prev"], "starting", "from")
    contains(p.of("never")["last_error"], "never.sock (", "what it waited for, and the last answer")
    write_text(w.path("go"), "")
    p.wait_state("a", "running")
    p.stop()


def test_http_is_ready_when_the_status_is_good(w):
    port = free_port()
    p = w.procd(listener(w, "a", r'''
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", %d))
s.listen()
while True:
    c, _ = s.accept()
    c.recv(4096)
    c.sendall(b"HTTP/1.1 204 Fine\r\n\r\n" if os.path.exists("go") else b"HTTP/1.1 503 Not yet\r\n\r\n")
    c.close()
''' % port, ready="http://127.0.0.1:%d/health" % port))
    wait_until(lambda: "503" in (p.of("a")["awaits"] or ""), "it is asked")
    write_text(w.path("go"), "")
    p.wait_state("a", "running")
    p.stop()


def test_http_that_hangs_or_floods_is_not_ready(w):
    ports = [free_port() for _ in range(3)]
    odd = {"hangs": "time.sleep(1000)", "floods": "\n    try:\n        while True: c.sendall(b'x' * 65536)\n    except OSError: pass",
           "garbage": "c.sendall(b'\\0\\xff\\n\\n'); c.close()"}
    text = "".join(listener(w, name, r'''
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", %d))
s.listen()
while True:
    c, _ = s.accept()
    %s
''' % (port, code), ready="http://127.0.0.1:%d/" % port, start_timeout="500ms", restart="never") for port, (name, code) in zip(ports, odd.items()))
    p = w.procd(text + w.sub("other"))
    p.wait_state("other", "running")
    for name in odd:
        p.wait_state(name, "failed", reason="start_timeout")
    p.stop()


def test_command_is_ready_when_it_succeeds(w):
    p = w.procd(w.sub("a", "--wait-for", w.path("go"), "--pid-file", w.path("ready"), ready="command:test -e " + w.path("ready")))
    wait_until(lambda: "code 1" in (p.of("a")["awaits"] or ""), lambda: "it is asked: %r" % p.of("a")["awaits"])
    write_text(w.path("go"), "")
    p.wait_state("a", "running")
    p.stop()


def test_command_that_hangs_is_ended_with_its_tree(w):
    script = write_text(w.path("probe"), "#!/bin/sh\nsleep 1000 & echo $! > %s.new; mv %s.new %s\nwait\n" % ((w.path("pid"),) * 3), 0o755)
    p = w.procd(w.sub("a", ready="command:" + script, start_timeout="600ms", restart="never"))
    pid = wait_pid_file(w.path("pid"))
    p.wait_state("a", "failed", reason="start_timeout")
    wait_gone(pid)
    p.stop()


def test_no_question_after_ready(w):
    p = w.procd(w.sub("a", ready="command:sh -c 'echo x >> %s; test -e %s'" % (w.path("asked"), w.path("go"))))
    wait_until(lambda: len(read_text(w.path("asked"))) >= 4, "it is asked again")
    write_text(w.path("go"), "")
    p.wait_state("a", "running")
    n = len(read_text(w.path("asked")))
    p.ctl("restart", "a").expect(0)
    equal(len(read_text(w.path("asked"))), n + 2, "one question for the new start")
    p.stop()


def test_asked_and_a_killed_supervisor(w):
    p = w.procd(w.sub("a", ready="command:test -e " + w.path("go"), start_timeout="1h") +
                w.sub("b", ready="unix:" + w.path("b.sock"), start_timeout="1h"))
    wait_until(lambda: p.of("a")["awaits"] and p.of("b")["awaits"], "they are asked")
    pid = p.pid_of("a")
    p.kill_supervisor()
    equal((p.of("a")["state"], p.of("a")["pid"]), ("starting", pid), "goes on")
    write_text(w.path("go"), "")
    p.wait_state("a", "running")
    import socket
    s = socket.socket(socket.AF_UNIX)
    s.bind(w.path("b.sock"))
    s.listen()
    p.wait_state("b", "running")
    p.kill_supervisor()
    equal([p.of(n)["ready"] for n in "ab"], [True, True], "ready")
    p.stop()


def test_stop_while_it_is_asked(w):
    p = w.procd(w.sub("a", ready="command:sleep 1000", start_timeout="1h"))
    wait_until(lambda: p.of("a")["awaits"], "it is asked")
    p.ctl("stop", "a").expect(0)
    p.ctl("start", "a", "--no-wait").expect(0)
    wait_until(lambda: p.of("a")["awaits"], "it is asked again")
    p.stop()


# --- who may speak --------------------------------------------------------------------------------

def send(path, data, fds=()):
    import array
    import socket
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.settimeout(10 * SCALE)
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    try:
        s.sendmsg([data], control, 0, path)
    finally:
        s.close()


def socket_of(pid):
    for item in environ(pid):
        if item.startswith(b"NOTIFY_SOCKET="):
            return item.partition(b"=")[2].decode()
    raise Failure("no NOTIFY_SOCKET in %r" % environ(pid))


def test_a_stranger_cannot_speak_for_it(w):
    p = w.procd(notifier(w, "a", "--wait-for", w.path("go"), "--notify", "READY=1"))
    pid = wait_until(lambda: p.pid_of("a"), "its process")
    send(socket_of(pid), b"READY=1\nSTATUS=forged")
    wait_until(lambda: "is ignored" in read_text(p.log_path), "the stranger is noticed")
    a = p.of("a")
    equal((a["state"], a["status_text"]), ("starting", None), "nothing of it counts")
    contains(read_text(p.log_path), "pid %d" % os.getpid())
    write_text(w.path("go"), "")
    p.wait_state("a", "running")
    p.stop()


def test_a_subsystem_cannot_speak_for_another(w):
    p = w.procd(notifier(w, "victim") + "[subsystem.liar]\n" + "command = " +
                toml(["sh", "-c", 'while [ ! -e go ]; do sleep 0.01; done; NOTIFY_SOCKET=$(cat go) exec %s --notify READY=1'
                      % w.child_path]) + "\n")
    pid = wait_until(lambda: p.pid_of("victim"), "its process")
    write_text(w.path("go.new"), socket_of(pid))
    os.rename(w.path("go.new"), w.path("go"))
    wait_until(lambda: "is ignored" in read_text(p.log_path), "the liar is noticed")
    equal(p.of("victim")["state"], "starting", "state")
    p.stop()


def test_any_member_of_the_tree_may_speak(w):
    """A grandchild that left its session and its parent, and one that has ended when it is heard."""
    p = w.procd(notifier(w, "a", "--code", 0, "--fork-and-exit", "--notify", "READY=1", restart="never", kill_mode="group") +
                "[subsystem.b]\nready = \"notify\"\ncommand = " +
                toml(["sh", "-c", "setsid sh -c '%s --notify READY=1 --exit 0' & exec sleep 1000" % w.child_path]) + "\n")
    p.wait_state("b", "running")
    p.stop()


def test_an_orphan_may_speak_without_cgroups_too(w):
    """Its parent has ended, its session is its own: the name in its environment says whose it is."""
    need_root()
    os.chmod(w.dir, 0o1777)
    write_text(w.path("late"), "#!/bin/sh\nwhile [ ! -e %s ]; do sleep 0.02; done\n%s --notify READY=1\n"
               % (w.path("go"), w.child_path), 0o755)
    p = w.procd('[subsystem.b]\nready = "notify"\ncommand = ' +
                toml(["sh", "-c", "sh -c 'setsid %s & echo $! > p; mv p pid'; exec sleep 1000" % w.path("late")]) + "\n" +
                notifier(w, "victim"),
                env={"PROCD_TEST_NO_FEATURE": "cgroup2"}, user=(12345, 12345))
    wait_until(lambda: p.of("b")["awaits"] and p.of("victim")["awaits"], "they wait")
    orphan = wait_pid_file(w.path("pid"))
    wait_until(lambda: stat_fields(orphan)[1] == str(p.pid), "the keeper has it")
    write_text(w.path("go"), "")
    p.wait_state("b", "running")
    equal(p.of("victim")["state"], "starting", "the other one")
    p.stop()


def test_mainpid_is_taken_from_its_own_tree_only(w):
    p = w.procd(notifier(w, "a", "--notify", "MAINPID=1|READY=1"))
    pid = p.wait_state("a", "running")["pid"]
    equal(p.pid_of("a"), pid, "pid")
    wait_until(lambda: "MAINPID=1 is ignored" in read_text(p.log_path), "it is said")
    p.stop()


GO_ON = r'''
s.close()
def say(text):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.connect(os.environ["NOTIFY_SOCKET"])
    s.send(text.encode())
pid = os.fork()
if pid == 0:
    if WHO == "child":
        say("MAINPID=%d\nREADY=1" % os.getpid())
        open("said", "w").close()
    while not os.path.exists("end"):
        time.sleep(0.01)
    os._exit(7)
if WHO == "parent":
    say("MAINPID=%d\nREADY=1" % pid)
else:
    while not os.path.exists("said"):
        time.sleep(0.005)
os._exit(0)
'''


def go_on(w, who, **keys):
    """A program that ends once WHO has said who goes on for it."""
    keys.setdefault("restart", "never")
    return talker(w, "a", "WHO = %r" % who + GO_ON, **keys)


def wait_followed(p):
    """The pid of the main process, which is not the one that was started."""
    first = p.wait_state("a", "running")["pid"]
    wait_until(lambda: p.pid_of("a") != first and not os.path.exists("/proc/%d" % first), "another one is the main process")
    equal(p.of("a")["state"], "running", "state")
    return p.pid_of("a")


def ck_true_end(w, p, pid):
    write_text(w.path("end"), "")
    e = p.wait_state("a", "failed")
    equal((e["pid"], e["exit_code"], e["reason"]), (pid, 7, "exit"), "its end")
    equal(p.states("a")[-1], "failed", "there was no other")
    p.stop()


def test_mainpid_from_the_first_process_is_followed(w):
    p = w.procd(go_on(w, "parent"))
    ck_true_end(w, p, wait_followed(p))


def test_mainpid_from_the_new_process_is_followed(w):
    p = w.procd(go_on(w, "child", kill_mode="process"))
    ck_true_end(w, p, wait_followed(p))


def test_mainpid_may_be_a_child_of_the_first_process(w):
    """Which waits for it, a moment late. Its status is known where the kernel tells it, also of others' children."""
    late = "os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)\ntime.sleep(0.1)\nos.waitpid(pid, 0)\nos._exit(0)"
    program = GO_ON.replace("os._exit(0)", late)
    p = w.procd(talker(w, "a", "WHO = 'parent'" + program, restart="never"))
    first = p.wait_state("a", "running")["pid"]
    wait_until(lambda: p.pid_of("a") != first, "another one is the main process")
    pid = p.pid_of("a")
    write_text(w.path("end"), "")
    known = p.ctl("features", "--json").json()["kernel"]["pidfd_info_exit"]["available"]
    e = p.wait_state("a", "failed")
    equal((e["pid"], e["exit_code"]), (pid, 7 if known else None), "its end")
    p.stop()


def test_mainpid_outlives_the_supervisor(w):
    p = w.procd(go_on(w, "child"), env={"PROCD_TEST_NO_FEATURE": "cgroup2"})
    pid = wait_followed(p)
    p.kill_supervisor()
    p.wait_event(type="supervisor_recovered")
    equal(p.pid_of("a"), pid, "pid")
    ck_true_end(w, p, pid)


def test_mainpid_outlives_an_upgrade_of_the_keeper(w):
    p = w.procd(go_on(w, "parent"))
    pid = wait_followed(p)
    p.ctl("upgrade", "--keeper").expect(0)
    equal(p.pid_of("a"), pid, "pid")
    ck_true_end(w, p, pid)


def test_mainpid_outlives_all_of_procd(w):
    p = w.procd(go_on(w, "parent"))
    pid = wait_followed(p)
    supervisor = p.supervisor_pid()
    os.kill(p.pid, signal.SIGKILL)
    p.wait_end()
    wait_gone(supervisor)
    q = w.procd(go_on(w, "parent"))
    equal(q.wait_state("a", "running", reason="adopted")["pid"], pid, "adopted")
    q.ctl("stop", "a").expect(0)
    check(not alive(pid), "it was stopped")
    q.stop()


def test_another_user_can_speak(w):
    need_root()
    os.chmod(w.dir, 0o755)
    p = w.procd(notifier(w, "a", "--notify", "READY=1", user="nobody", group="nogroup", stdout="null"))
    pid = p.wait_state("a", "running")["pid"]
    st = os.stat(socket_of(pid))
    equal((st.st_uid, st.st_mode & 0o777), (65534, 0o600), "closed to others")
    p.stop()


def test_who_gave_up_root_can_still_speak(w):
    need_root()
    os.chmod(w.dir, 0o755)
    p = w.procd("[subsystem.a]\nready = \"notify\"\ncommand = " +
                toml([need_program("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", w.child_path,
                      "--notify", "READY=1"]) + "\n")
    p.wait_state("a", "running")
    p.stop()


def test_stopping_and_reloading_are_shown(w):
    p = w.procd(notifier(w, "a", "--notify", "READY=1|STATUS=s", "--wait-for", w.path("1"), "--notify", "RELOADING=1", "--wait-for",
                         w.path("2"), "--notify", "READY=1", "--wait-for", w.path("3"), "--notify", "STOPPING=1"))
    for step, text in (("0", "s"), ("1", "reloading: s"), ("2", "s"), ("3", "stopping: s")):
        write_text(w.path(step), "")
        wait_until(lambda: p.of("a")["status_text"] == text, text)
    equal(p.states("a"), ["starting", "running"], "that changes nothing else")
    p.stop()


# --- bad messages, floods -------------------------------------------------------------------------

TALKER = r'''
import os, socket, sys, time, array
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ["NOTIFY_SOCKET"])
'''


def talker(w, name, code, **keys):
    write_text(w.path(name + ".py"), TALKER + code)
    keys.setdefault("ready", "notify")
    lines = ["[subsystem.%s]" % name, "command = " + toml([sys.executable, "-S", "-E", w.path(name + ".py")])]
    return "\n".join(lines + ["%s = %s" % (k, toml(v)) for k, v in keys.items()]) + "\n"


def fd_count(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def test_F94_odd_datagrams_and_descriptors(w):
    p = w.procd(talker(w, "a", r'''
while not os.path.exists("go"):
    time.sleep(0.005)
for data in (b"", b"\0", b"\n\n", b"READY", b"=1", b"READY=1\0x", b"READY=2", b"\xff\xfe=\x80", b"STATUS=" + b"x" * 5000,
             b"READY=1\n" + b"y" * 5000, b"MAINPID=-1", b"FDSTORE=1\nFDNAME=x"):
    s.send(data)
null = os.open("/dev/null", os.O_RDONLY)
for n in (1, 16, 17, 200, 253):
    fds = array.array("i", [null] * n)
    s.sendmsg([b"FDSTORE=1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    s.sendmsg([b""], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
open("said", "w").close()
while not os.path.exists("then"):
    time.sleep(0.005)
s.send(b"STATUS=" + "gr\u00fc\u00df".encode() + b"\xff\nREADY=1\n")
time.sleep(1000)
'''))
    wait_until(lambda: p.of("a")["awaits"], "it waits")
    supervisor = p.supervisor_pid()
    before = fd_count(supervisor)
    write_text(w.path("go"), "")
    wait_until(lambda: os.path.exists(w.path("said")), "all was said")
    equal(p.of("a")["state"], "starting", "nothing of that means ready")
    write_text(w.path("then"), "")
    p.wait_state("a", "running")
    contains(p.of("a")["status_text"], "gr\u00fc\u00df")
    wait_until(lambda: fd_count(supervisor) <= before, lambda: "descriptors: %d, were %d" % (fd_count(supervisor), before))
    equal(p.supervisor_pid(), supervisor, "the supervisor lives")
    p.stop()


def test_F91_a_flood_delays_nobody(w):
    p = w.procd(talker(w, "flood", r'''
s.send(b"READY=1")
while True:
    s.send(b"STATUS=%d" % time.monotonic_ns())
''') + w.sub("b", restart="always", restart_delay_ms=1))
    p.wait_state("flood", "running")
    p.wait_state("b", "running")
    for _ in range(5):
        mark = p.mark()
        os.kill(p.pid_of("b"), 9)
        e = p.wait_state("b", "running", after=mark, timeout=5)
        down = p.wait_state("b", "failed", after=mark)
        check(e["at_mono_ns"] - down["at_mono_ns"] < 1e9 * SCALE, "a restart in the flood")
    p.stop()


def test_a_thousand_speak_at_once(w):
    n = 1000
    p = w.procd("".join(notifier(w, "s%d" % i, "--notify", "READY=1|STATUS=%d" % i, stdout="null", stderr="null") for i in range(n)))
    wait_until(lambda: p.status()["stats"]["running"] == n, lambda: "all are ready: %r" % p.status()["stats"], 60)
    for s in p.status()["subsystems"]:
        equal(s["status_text"], s["name"][1:], "each speaks for itself")
    pids = {s["name"]: s["pid"] for s in p.status()["subsystems"]}
    p.kill_supervisor()
    wait_until(lambda: p.status()["stats"]["running"] == n, "all are ready still", 30)
    equal({s["name"]: s["pid"] for s in p.status()["subsystems"]}, pids, "the same processes")
    p.stop(timeout=60)


# --- the supervisor dies --------------------------------------------------------------------------

def test_supervisor_killed_while_starting(w):
    """What is said while nobody listens is heard by the next supervisor."""
    p = w.procd(notifier(w, "a", "--wait-for", w.path("go"), "--notify", "READY=1|STATUS=said it", "--pid-file", w.path("done")) +
                notifier(w, "b", "--wait-for", w.path("go2"), "--notify", "READY=1"))
    wait_until(lambda: p.of("a")["awaits"] and p.of("b")["awaits"], "they wait")
    pid, left = p.pid_of("a"), p.of("b")["start_timeout_left_ms"]
    old = p.supervisor_pid()
    os.kill(old, 19)    # SIGSTOP
    write_text(w.path("go"), "")
    wait_until(lambda: os.path.exists(w.path("done")), "it has spoken")
    os.kill(old, 9)
    p.wait_state("a", "running")
    wait_until(p.rpc_alive, "the new supervisor answers")
    a = p.of("a")
    equal((a["pid"], a["status_text"], a["restart_count"]), (pid, "said it", 0), "the same process")
    b = p.of("b")
    equal((b["state"], b["awaits"]), ("starting", "READY=1"), "the other one still waits")
    check(0 < b["start_timeout_left_ms"] <= left, "with its old deadline")
    write_text(w.path("go2"), "")
    p.wait_state("b", "running")
    p.stop()


def test_ready_and_an_end_while_there_is_no_supervisor(w):
    """What it said comes before the news of its end, for the next supervisor, too."""
    p = w.procd(notifier(w, "a", "--wait-for", w.path("go"), "--notify", "READY=1", "--pid-file", w.path("a"), "--exit", 0,
                         restart="never") +
                w.sub("b", "--wait-for", w.path("go"), "--fd", 3, "--print", "", "--pid-file", w.path("b"), "--exit", 3,
                      ready="fd:3", restart="never", stdout="null", stderr="null"))
    wait_until(lambda: p.of("a")["awaits"] and p.of("b")["awaits"], "they wait")
    old = p.supervisor_pid()
    os.kill(old, 19)
    write_text(w.path("go"), "")
    wait_gone(wait_pid_file(w.path("a")))
    wait_gone(wait_pid_file(w.path("b")))
    os.kill(old, 9)
    p.wait_state("a", "stopped", prev="running")
    p.wait_state("b", "failed", prev="running", exit_code=3)
    p.stop()


def test_notify_and_listen_and_a_killed_supervisor(w):
    """Both have a descriptor that the keeper holds."""
    import socket
    p = w.procd(notifier(w, "a", "--report-state", w.path("a"), "--wait-for", w.path("go"), "--notify", "READY=1", listen=["unix:" + w.path("l.sock")]))
    wait_until(lambda: p.of("a")["awaits"], "it waits")
    for _ in range(2):
        p.kill_supervisor()
    equal(read_report(w.path("a"))["env"]["LISTEN_FDS"], "1", "its socket")
    s = socket.socket(socket.AF_UNIX)
    s.connect(w.path("l.sock"))
    write_text(w.path("go"), "")
    p.wait_state("a", "running")
    p.ctl("restart", "a").expect(0)
    s.connect_ex(w.path("l.sock"))
    p.stop()


def test_supervisor_killed_after_ready(w):
    p = w.procd(notifier(w, "a", "--notify", "READY=1", "--wait-for", w.path("go"), "--notify", "STATUS=later") +
                w.sub("b", depends_on=["a"]))
    p.wait_state("b", "running")
    mark = p.mark()
    p.kill_supervisor()
    p.wait_event(type="supervisor_recovered", after=mark)
    equal(p.of("a")["ready"], True, "ready stays")
    write_text(w.path("go"), "")
    wait_until(lambda: p.of("a")["status_text"] == "later", "it is still heard")
    check(not p.find_events(mark, type="ready_changed") and not p.find_events(mark, type="state_changed"), "no news")
    p.stop()


def test_the_start_timeout_passes_without_a_supervisor(w):
    p = w.procd(notifier(w, "a", start_timeout="700ms", restart="never"))
    wait_until(lambda: p.of("a")["awaits"], "it waits")
    old = p.supervisor_pid()
    os.kill(old, 19)
    time.sleep(0.8)     # the deadline passes
    os.kill(old, 9)
    p.wait_state("a", "failed", reason="start_timeout")
    p.stop(want=None)


def test_keeper_killed_while_starting(w):
    """Its socket is there again, under the same name."""
    p = w.procd(notifier(w, "a", "--wait-for", w.path("go"), "--notify", "READY=1"))
    pid = wait_until(lambda: p.pid_of("a"), "its process")
    write_text(p.run_dir + "/notify/77", "")
    supervisor = p.supervisor_pid()
    os.kill(p.pid, 9)
    p.wait_end()
    wait_gone(supervisor, 5)
    q = w.procd(None, label="procd")
    wait_until(lambda: q.of("a")["pid"] == pid, "it is adopted")
    write_text(w.path("go"), "")
    q.wait_state("a", "running")
    equal(os.listdir(p.run_dir + "/notify"), ["0"], "no other name is left")
    q.stop()
    check(not os.path.exists(p.run_dir + "/notify"), "nothing is left")


def test_upgrade_while_starting(w):
    p = w.procd(notifier(w, "a", "--wait-for", w.path("go"), "--notify", "READY=1"))
    pid = wait_until(lambda: p.pid_of("a"), "its process")
    p.ctl("upgrade").expect(0)
    p.ctl("upgrade", "--keeper").expect(0)
    equal((p.pid_of("a"), p.of("a")["state"]), (pid, "starting"), "untouched")
    write_text(w.path("go"), "")
    p.wait_state("a", "running")
    p.stop()


def test_supervisor_killed_again_and_again_while_all_kinds_start(w):
    """Each gets ready exactly once, in the process that was started first."""
    port = free_port()
    said = {"notify": ["--notify", "READY=1"], "fd:3": ["--fd", 3, "--print", ""], "log:^up$": ["--print", "up"],
            "command:test -e " + w.path("up5"): ["--pid-file", w.path("up5")]}
    text = "".join(w.sub("k%d" % i, "--starts", w.path("n%d" % i), "--sleep", 300 + 150 * i, *steps, ready=ready, start_timeout="1h")
                   for i, (ready, steps) in enumerate(said.items()))
    text += listener(w, "tcp", r"""
open("n-tcp", "a").write("%%d\n" %% os.getpid())
time.sleep(0.7)
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", %d))
s.listen()
time.sleep(1000)
""" % port, ready="tcp:127.0.0.1:%d" % port, start_timeout="1h", working_dir=w.dir)
    names = ["k%d" % i for i in range(len(said))] + ["tcp"]
    p = w.procd(text)
    for _ in range(8):
        old = p.kill_supervisor(wait=False)
        p.supervisor_pid(other_than=old)
    for name in names:
        p.wait_state(name, "running", timeout=20)
    wait_until(p.rpc_alive, "procd answers")
    for i in range(len(said)):
        equal(len(read_text(w.path("n%d" % i)).split()), 1, "starts of k%d" % i)
    equal(len(read_text(w.path("n-tcp")).split()), 1, "starts of tcp")
    for name in names:
        equal(p.states(name), ["starting", "running"], name)
        equal(len(p.find_events(type="ready_changed", name=name)), 1, "ready_changed of " + name)
    p.stop()


def test_waiting_for_ready_from_outside(w):
    p = w.procd(notifier(w, "a", "--wait-for", w.path("go"), "--notify", "READY=1"))
    wait_until(lambda: p.of("a")["awaits"], "it waits")
    equal(p.ctl("wait", "a", "--for", "ready", "--timeout", "100ms").rc, 124, "not yet")
    equal((p.ctl("is-active", "a").rc, p.ctl("is-ready", "a").rc, p.ctl("is-failed", "a").rc), (3, 3, 3), "predicates")
    write_text(w.path("go"), "")
    p.ctl("wait", "a", "--for", "ready", "--timeout", "10s").expect(0)
    equal((p.ctl("is-active", "a").rc, p.ctl("is-ready", "a").rc), (0, 0), "predicates")
    os.unlink(w.path("go"))
    mark = p.mark()
    equal(p.ctl("restart", "a", "--timeout", "300ms").rc, 124, "restart waits for ready again")
    write_text(w.path("go"), "")
    p.wait_event(type="ready_changed", name="a", ready=False, after=mark)
    p.wait_event(type="ready_changed", name="a", ready=True, after=mark)
    p.stop()


def test_S08_restart_while_a_dependency_is_not_ready(w):
    p = w.procd(notifier(w, "db", "--wait-for", w.path("go"), "--notify", "READY=1") +
                w.sub("web", "--starts", w.path("n"), depends_on=["db"]))
    wait_until(lambda: p.of("db")["awaits"], "db starts")
    p.ctl("restart", "web", "--no-wait").expect(0)
    equal((p.of("web")["state"], p.of("web")["pid"]), ("stopped", None), "it goes on waiting")
    write_text(w.path("go"), "")
    pid = p.wait_state("web", "running")["pid"]
    wait_until(lambda: read_text(w.path("n")), "its program runs")
    equal(read_text(w.path("n")).split(), [str(pid)], "one start")
    p.stop()


# --- the watchdog ---------------------------------------------------------------------------------

def test_watchdog_silence_is_a_failure(w):
    p = w.procd(notifier(w, "a", "--notify", "READY=1", "--beat", "50/10", watchdog="400ms", restart="never"))
    up = p.wait_state("a", "running")
    e = p.wait_state("a", "failed")
    equal((e["prev"], e["reason"], e["signal"]), ("running", "watchdog", "SIGABRT"), "the event")
    check(e["at_mono_ns"] - up["at_mono_ns"] > 800e6, "the signs of life counted")
    contains(p.of("a")["last_error"], "watchdog")
    p.wait_event(type="ready_changed", name="a", ready=False, reason="watchdog")
    p.stop()


def test_watchdog_signs_of_life_keep_it_running(w):
    p = w.procd(w.sub("a", "--beat", 40, watchdog="400ms") + w.sub("c", "--sleep", 1500, "--exit", 0, restart="never"))
    p.wait_state("c", "stopped", timeout=20)
    equal(p.of("a")["state"], "running", "it was heard")
    check(not p.find_events(type="state_changed", name="a", state="failed"), "all the time")
    p.stop()


def test_watchdog_trigger_and_its_own_time(w):
    p = w.procd(notifier(w, "a", "--notify", "READY=1", "--notify", "WATCHDOG=trigger", watchdog="1h", restart="never") +
                notifier(w, "b", "--notify", "WATCHDOG_USEC=100000|READY=1", restart="never"))
    for name in "ab":
        p.wait_state(name, "failed", reason="watchdog", prev="running")
    p.stop()


def test_watchdog_and_a_killed_supervisor(w):
    """A new supervisor gives it the whole time, and then watches on."""
    p = w.procd(w.sub("a", "--wait-for", w.path("go"), "--beat", 50, watchdog="900ms", restart="never") +
                w.sub("b", "--beat", 50, watchdog="700ms"))
    p.wait_state("b", "running")
    p.kill_supervisor()
    p.wait_state("a", "failed", reason="watchdog")
    equal(p.of("b")["state"], "running", "b")
    check(not p.find_events(type="state_changed", name="b", state="failed"), "b was heard all the time")
    p.stop()


def test_stopping_ends_the_watchdog(w):
    p = w.procd(w.sub("a", "--notify", "STOPPING=1", "--sleep", 1500, "--exit", 0, watchdog="1s", restart="never"))
    e = p.wait_state("a", "stopped")
    equal(e["reason"], "exit", "it was allowed to end by itself")
    p.stop()


def test_stop_while_starting(w):
    p = w.procd(notifier(w, "a", start_timeout="1h"))
    wait_until(lambda: p.of("a")["awaits"], "it waits")
    p.ctl("stop", "a").expect(0)
    p.wait_state("a", "stopped")    # the event file follows the verb's answer
    equal(p.states("a"), ["starting", "stopping", "stopped"], "states")
    equal(p.of("a")["awaits"], None, "nothing is waited for")
    p.stop()


# --- real clients ---------------------------------------------------------------------------------

def test_conformance_systemd_notify(w):
    tool = need_program("systemd-notify")
    p = w.procd('[subsystem.a]\nready = "notify"\ncommand = ' +
                toml(["sh", "-c", tool + " --status='from a shell' && " + tool + " --ready && exec sleep 1000"]) + "\n")
    p.wait_state("a", "running")
    equal(p.of("a")["status_text"], "from a shell", "STATUS=")
    p.stop()


def test_conformance_haproxy_master_worker(w):
    tool = need_program("haproxy")
    write_text(w.path("h.cfg"), "global\n maxconn 16\n nbthread 1\ndefaults\n mode http\n timeout connect 1s\n timeout client 1s\n"
               " timeout server 1s\nfrontend f\n bind unix@%s\n" % w.path("h.sock"))
    p = w.procd('[subsystem.lb]\nready = "notify"\ncommand = ' + toml([tool, "-Ws", "-f", w.path("h.cfg")]) + "\n")
    pid = p.wait_state("lb", "running")["pid"]
    check(os.path.exists(w.path("h.sock")), "it listens when it is ready")
    worker = set(children_of(pid))
    p.ctl("signal", "lb", "SIGUSR2").expect(0)      # it executes itself anew and says RELOADING=1, READY=1
    wait_until(lambda: set(children_of(pid)) - worker, "it has a new worker")
    a = p.of("lb")
    equal((a["state"], a["pid"]), ("running", pid), "a reload is no restart")
    p.stop()


def test_conformance_redis_supervised_systemd(w):
    tool = need_program("redis-server")
    p = w.procd('[subsystem.db]\nready = "notify"\ncommand = ' +
                toml([tool, "--port", "0", "--unixsocket", w.path("r.sock"), "--dir", w.dir, "--save", "", "--supervised", "systemd"]) + "\n")
    p.wait_state("db", "running")
    check(os.path.exists(w.path("r.sock")), "it listens when it is ready")
    wait_until(lambda: "Ready to accept" in (p.of("db")["status_text"] or ""), lambda: "its STATUS: %r" % p.of("db")["status_text"])
    p.stop()


def test_conformance_s6_svscan(w):
    tool = need_program("s6-svscan")
    os.mkdir(w.path("scan"))
    p = w.procd('[subsystem.a]\nready = "fd:4"\ncommand = ' + toml([tool, "-d", "4", w.path("scan")]) + "\n")
    p.wait_state("a", "running")
    check(os.path.exists(w.path("scan/.s6-svscan/control")), "it takes orders when it is ready")
    p.stop()


def test_conformance_dbus_daemon_prints_its_address(w):
    """What stands before the newline does not matter, even if it looks like an assignment."""
    tool = need_program("dbus-daemon")
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise Skip("dbus-daemon needs an entry in the user database")
    p = w.procd('[subsystem.bus]\nready = "fd:3"\ncommand = ' +
                toml([tool, "--session", "--nofork", "--nopidfile", "--address=unix:path=" + w.path("bus"), "--print-address=3"]) + "\n")
    p.wait_state("bus", "running")
    check(os.path.exists(w.path("bus")), "it listens when it is ready")
    p.stop()


def test_a_view_of_its_own_may_hide_the_socket(w):
    write_text(w.path("c.toml"), 'run_dir = "/run/procd-x"\n' + notifier(w, "a", root_dir="/srv"))
    contains(w.run("check", "-c", w.path("c.toml")).err, "c.toml:5:", "place")
    contains(w.run("check", "-c", w.path("c.toml")).err, "does not see with root_dir", "message")
