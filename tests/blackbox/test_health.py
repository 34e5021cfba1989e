"""Health probes: what is asked, when, what follows (interface 2, 3, 5; faults.md F39, F41, F44, F52)."""

import contextlib
import os
import signal
import socket
import threading
import time

from harness import *


class Server:
    """A program's socket, whose answer the test can change: see the methods below."""

    def __init__(self, path=None, host="127.0.0.1"):
        family = socket.AF_UNIX if path else socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.bind(path if path else (host, 0))
        self.socket.listen(64)
        self.port = None if path else self.socket.getsockname()[1]
        self.answer, self.asked, self.requests = self.say("200 OK"), 0, []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                peer = self.socket.accept()[0]
            except OSError:
                return
            self.asked += 1
            threading.Thread(target=self.serve, args=(peer, self.answer), daemon=True).start()

    def serve(self, peer, answer):
        try:
            answer(peer)
        except OSError:
            pass
        peer.close()

    def request(self, peer):
        text = b""
        while b"\r\n\r\n" not in text:
            part = peer.recv(4096)
            if not part:
                break
            text += part
        self.requests.append(text.decode())

    def say(self, status, body=b"hello"):
        def answer(peer):
            self.request(peer)
            peer.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status.encode(), len(body)) + body)
        return answer

    def hang(self, peer):
        self.request(peer)
        peer.recv(1)

    def garbage(self, peer):
        self.request(peer)
        peer.sendall(b"\x00\xff220 ftp ready\r\n")

    def flood(self, peer):
        self.request(peer)
        while True:
            peer.sendall(b"HTTP/1.1 100 Continue\r\nX: " + b"y" * 4000 + b"\r\n\r\n")

    def drip(self, peer):
        self.request(peer)
        for c in "HTTP/1.1 200 OK\r\n" * 100:
            peer.sendall(c.encode())
            time.sleep(0.05)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def quick(**keys):
    """Asked often; an answer may take its time, because the machine does."""
    return dict({"health_interval_ms": 50, "health_timeout_ms": int(2000 * SCALE), "on_unhealthy": "event"}, **keys)


def health(p, name, health, after=0, **fields):
    return p.wait_event(type="health_changed", name=name, health=health, after=after, **fields)


def turn(p, name, verdict, part):
    """NAME becomes VERDICT, with PART in its detail."""
    mark = p.mark()

    def act(deed):
        deed()
        contains(health(p, name, verdict, after=mark)["detail"], part, "detail")
    return act


def touch(path):
    with open(path, "w"):
        pass


def test_a_tcp_port_is_connected_to(w):
    servers = {"v4": Server(), "name": Server()}
    written = {"v4": "127.0.0.1", "name": "localhost", "v6": "[::1]"}
    try:
        servers["v6"] = Server(host="::1")
    except OSError:
        pass  # no IPv6 here
    p = w.procd("".join(w.sub(n, health="tcp:%s:%d" % (written[n], s.port), **quick()) for n, s in servers.items()))
    for n, s in servers.items():
        equal(health(p, n, "healthy")["detail"], "connected", "detail")
        equal(p.of(n)["health"], "healthy", "status")
        turn(p, n, "unhealthy", "refused")(s.close)
    p.stop()


def test_a_unix_socket_is_connected_to(w):
    s = Server(w.path("s"))
    hidden = "@procd-test-" + w.id
    abstract = Server("\0" + hidden[1:])
    p = w.procd(w.sub("a", health="unix:" + w.path("s"), **quick()) + w.sub("b", health="unix:" + hidden, **quick()) +
                w.sub("c", health="unix:" + w.path("none"), **quick()))
    health(p, "a", "healthy")
    health(p, "b", "healthy")
    contains(health(p, "c", "unhealthy")["detail"], "No such file", "detail")
    turn(p, "a", "unhealthy", "refused")(s.close)
    abstract.close()
    p.stop()


def test_the_status_of_an_http_answer_decides(w):
    s = Server()
    p = w.procd(w.sub("a", health="http://127.0.0.1:%d/healthz?full=1" % s.port, **quick()))
    equal(health(p, "a", "healthy")["detail"], "HTTP status 200", "detail")
    contains(s.requests[0], "GET /healthz?full=1 HTTP/1.", "request")
    contains(s.requests[0], "Host: 127.0.0.1:%d" % s.port, "request")
    for status, verdict in (("404 Not Found", "unhealthy"), ("204 No Content", "healthy"), ("500 Oops", "unhealthy"),
                            ("302 Found", "healthy"), ("503 Service Unavailable", "unhealthy"), ("399 Odd", "healthy")):
        turn(p, "a", verdict, "HTTP status " + status[:3])(lambda: setattr(s, "answer", s.say(status)))
    s.close()
    p.stop()


def test_http_through_a_unix_socket(w):
    s = Server(w.path("s"))
    p = w.procd(w.sub("a", health="http://unix:%s:/up" % w.path("s"), **quick()))
    health(p, "a", "healthy")
    contains(s.requests[0], "GET /up HTTP/1.", "request")
    s.close()
    p.stop()


def test_F39_an_answer_that_is_none_is_bounded(w):
    s = Server()
    p = w.procd(w.sub("a", health="http://127.0.0.1:%d/" % s.port, **quick(health_timeout_ms=200, health_retries=1)) +
                w.sub("b"))
    health(p, "a", "healthy")
    before = rss(p.supervisor_pid())
    for answer, part in ((s.hang, "no answer within 200ms"), (s.flood, ""), (s.drip, ""),
                         (s.garbage, "not HTTP"), (lambda peer: peer.close(), "")):
        turn(p, "a", "unhealthy", part)(lambda: setattr(s, "answer", answer))
        equal(p.ctl("is-ready", "b").rc, 0, "the neighbour")
        turn(p, "a", "healthy", "HTTP status 200")(lambda: setattr(s, "answer", s.say("200 OK", b"z" * 100000)))
    check(rss(p.supervisor_pid()) < before + 2048 * SCALE, "memory grew from %d to %d KiB"
          % (before, rss(p.supervisor_pid())))
    s.close()
    p.stop()


def rss(pid):
    for line in read_text("/proc/%d/status" % pid).splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def test_a_command_is_run_with_what_the_subsystem_has(w):
    report = w.path("report")
    p = w.procd(w.sub("a", health="command:sh -c 'env >%s.new; pwd >>%s.new; mv %s.new %s; echo spew; echo more >&2'"
                      % (report, report, report, report),
                      environment={"COLOUR": "red"}, working_dir=w.path(""), **quick()))
    pid = p.wait_state("a", "running")["pid"]
    equal(health(p, "a", "healthy")["detail"], "exited with code 0", "detail")
    lines = read_text(report).splitlines()
    for line in ("COLOUR=red", "PROCD_SUBSYSTEM=a", "PROCD_TASK=probe", "MAINPID=%d" % pid):
        check(line in lines, "%s is not in %r" % (line, lines))
    equal(os.path.realpath(lines[-1]), os.path.realpath(w.path("")), "directory")
    equal(p.ctl("logs", "a").out, "", "what a probe writes goes to nobody")
    p.stop()


def test_a_command_runs_as_the_subsystems_user(w):
    need_root()
    os.chmod(w.path(""), 0o755)
    os.mkdir(w.path("d"))
    os.chmod(w.path("d"), 0o777)
    p = w.procd(w.sub("a", user="65534", group="65534", health="command:sh -c 'id -u >%s'" % w.path("d/id"), **quick()))
    health(p, "a", "healthy")
    wait_until(lambda: read_text(w.path("d/id")) == "65534\n", "the user of the probe")
    p.stop()


def test_F39_a_probe_that_hangs_is_killed_with_its_tree(w):
    pids_, count = w.path("pids"), w.path("count")
    script = ("echo x >>%s; sh -c 'trap \"\" TERM; echo $$ >>%s; setsid sleep 1000 & echo $! >>%s; sleep 1000'"
              % (count, pids_, pids_))
    write_text(w.path("probe"), "#!/bin/sh\n" + script + "\n", 0o755)
    p = w.procd(w.sub("a", health="command:" + w.path("probe"), **quick(health_timeout_ms=300, health_retries=2)))
    e = health(p, "a", "unhealthy", timeout=20)
    equal(e["detail"], "did not end within 300ms and was killed", "detail")
    started = len(read_text(count).splitlines())
    check(2 <= started <= 3, "%d probes for 2 time-outs" % started)
    p.write(w.sub("a"))
    p.ctl("reload-config").expect(0)
    for pid in read_text(pids_).split():
        wait_gone(int(pid))
    p.stop()


def test_F39_what_a_probe_leaves_behind_is_killed(w):
    p = w.procd(w.sub("a", health="command:sh -c 'setsid sleep 1000 & echo $! >%s'" % w.path("pid"),
                      **quick(health_interval_ms=3600000)))
    health(p, "a", "healthy")
    wait_gone(int(read_text(w.path("pid"))))
    p.stop()


def test_F39_a_probe_that_spews_disturbs_nobody(w):
    p = w.procd(w.sub("a", health="command:sh -c 'yes | head -c 20000000; exit 3'", **quick()) +
                w.sub("b", "--print", "mine"))
    equal(health(p, "a", "unhealthy")["detail"], "exited with code 3", "detail")
    equal(p.ctl("logs", "a").out, "", "logs of a")
    wait_until(lambda: p.ctl("logs", "b").out == "mine\n", lambda: "logs of b: " + p.ctl("logs", "b").out)
    p.stop()


def test_a_probe_that_cannot_be_executed_is_a_failed_one(w):
    p = w.procd(w.sub("a", health="command:/no/such/probe", **quick()))
    contains(health(p, "a", "unhealthy")["detail"], "No such file", "detail")
    p.stop()


def test_an_unhealthy_one_is_restarted_through_failed(w):
    ok = w.path("ok")
    touch(ok)
    p = w.procd(w.sub("web", health="command:test -e " + ok, **quick(on_unhealthy="restart", restart_delay_ms=20,
                                                                     restart_max_delay_ms=20)))
    health(p, "web", "healthy")
    pid, mark = p.pid_of("web"), p.mark()
    os.unlink(ok)
    e = health(p, "web", "unhealthy", after=mark)
    equal(e["detail"], "exited with code 1", "detail")
    equal(p.wait_event(type="ready_changed", after=mark)["reason"], "health", "reason of ready_changed")
    e = p.wait_state("web", "failed", after=mark)
    equal((e["reason"], e["prev"], e["pid"], e["signal"]), ("health", "running", pid, "SIGTERM"), "failed")
    equal(p.wait_state("web", "restarting", after=mark)["next_restart_ms"], e["next_restart_ms"], "the delay")
    wait_gone(pid)
    touch(ok)
    mark = p.mark()
    health(p, "web", "healthy", after=mark)
    s = p.of("web")
    check(s["pid"] != pid and s["restart_count"] >= 1 and s["ready"], "status %r" % s)
    equal(s["last_error"], "was unhealthy; ended by SIGTERM", "last_error")
    p.stop()


def test_one_that_stays_unhealthy_gives_up(w):
    p = w.procd(w.sub("a", health="command:false", **quick(on_unhealthy="restart", health_retries=1, restart_delay_ms=10,
                                                           restart_max_attempts=2)))
    e = p.wait_state("a", "failed", gave_up=True)
    equal((e["reason"], e["restart_count"]), ("health", 2), "the last end")
    contains(p.ctl("why", "a").out, "unhealthy", "why")
    p.stop()


def test_a_critical_one_takes_procd_with_it(w):
    p = w.procd(w.sub("a", health="command:false", critical=True, restart="never",
                      **quick(on_unhealthy="restart", health_retries=1)), wait=False)
    equal(p.wait_end(), 1, "exit code")


def test_an_unhealthy_one_that_ignores_term_is_killed(w):
    set_ = w.path("set")
    p = w.procd(w.sub("a", "--ignore-term", "--pid-file", set_, health="command:test ! -e " + set_, stop_timeout_ms=300,
                      **quick(on_unhealthy="restart", restart="never")))
    e = p.wait_state("a", "failed")
    equal((e["reason"], e["signal"], e.get("killed")), ("health", "SIGKILL", True), "its end")
    p.stop()


def test_on_unhealthy_event_leaves_it_alone(w):
    ok = w.path("ok")
    p = w.procd(w.sub("a", health="command:test -e " + ok, **quick()))
    health(p, "a", "unhealthy")
    pid = p.pid_of("a")
    s = p.of("a")
    equal((s["state"], s["ready"], s["health"]), ("running", False, "unhealthy"), "status")
    equal(p.ctl("is-active", "a").rc, 0, "is-active")
    equal(p.ctl("is-ready", "a").rc, 3, "is-ready")
    contains(p.ctl("status").out, "unhealthy", "table")
    why = p.ctl("why", "a").out
    contains(why, "its health is unhealthy; the last", "why")
    contains(why, "exited with code 1", "why")
    mark = p.mark()
    touch(ok)
    p.ctl("wait", "a", "--for", "healthy", "--timeout", "10s").expect(0)
    e = p.wait_event(type="ready_changed", name="a", after=mark)
    equal((e["ready"], e["reason"]), (True, "health"), "ready_changed")
    equal((p.pid_of("a"), p.of("a")["ready"]), (pid, True), "the same process")
    equal(p.states("a", mark), [], "no state has changed")
    p.stop()


def test_on_unhealthy_stop_stays_down_until_started(w):
    ok = w.path("ok")
    p = w.procd(w.sub("a", health="command:test -e " + ok, restart="always", **quick(on_unhealthy="stop")) +
                w.sub("user", depends_on=["a"]))
    equal(p.wait_state("a", "stopping")["reason"], "health", "reason")
    equal(p.wait_state("a", "stopped", prev="stopping")["reason"], "health", "reason")
    order = [(e["name"], e["state"]) for e in p.find_events(type="state_changed")]
    check(order.index(("user", "stopped")) < order.index(("a", "stopping")), "dependants first: %r" % order)
    s = p.of("a")
    equal((s["goal"], s["goal_why"]), ("down", "health"), "goal")
    contains(p.ctl("why", "a").out, "stopped because it was unhealthy", "why")
    p.write(w.sub("a", health="command:test -e " + ok, restart="always", **quick(on_unhealthy="stop", description="x")) +
            w.sub("user", depends_on=["a"]))
    p.ctl("reload-config").expect(0)
    p.kill_supervisor()
    equal(p.of("a")["state"], "stopped", "after a reload and a death")
    touch(ok)
    mark = p.mark()
    p.ctl("start", "user").expect(0)
    health(p, "a", "healthy", after=mark)
    equal(p.of("user")["state"], "running", "the dependant")
    p.stop()


def test_a_few_failures_are_none(w):
    count = w.path("count")
    write_text(w.path("probe"), "#!/bin/sh\necho x >>%s\n[ $(($(wc -l <%s) %% 3)) = 0 ]\n" % (count, count), 0o755)
    p = w.procd(w.sub("a", health="command:" + w.path("probe"), **quick(on_unhealthy="restart")))
    health(p, "a", "healthy")
    wait_until(lambda: len(read_text(count).splitlines()) >= 12, "12 probes", 20)
    equal([e["health"] for e in p.find_events(type="health_changed")], ["healthy"], "health")
    equal(p.of("a")["restart_count"], 0, "restarts")
    p.stop()


def test_intervals_and_the_start_period(w):
    s = Server()
    p = w.procd(w.sub("a", health="tcp:127.0.0.1:%d" % s.port, health_interval_ms=300, health_start_period_ms=400))
    ready = p.wait_state("a", "running")
    first = health(p, "a", "healthy")
    check((first["at_mono_ns"] - ready["at_mono_ns"]) / 1e6 >= 400, "the start period")
    wait_until(lambda: s.asked >= 6, "six probes")
    took = (time.clock_gettime_ns(time.CLOCK_MONOTONIC) - first["at_mono_ns"]) / 1e6
    check(took >= 5 * 300 - 60, "six probes within %.0f ms" % took)
    p.stop()
    s.close()


def test_the_first_probe_comes_right_after_ready(w):
    p = w.procd(w.sub("a", health="command:true", health_interval="1h", min_uptime_ms=300))
    ready = p.wait_state("a", "running")
    seen = health(p, "a", "healthy")
    check(seen["at_mono_ns"] - ready["at_mono_ns"] < 2e9 * SCALE, "the first probe")
    p.stop()


def test_the_switches_of_monitoring(w):
    s = Server()
    keys = dict(health="tcp:127.0.0.1:%d" % s.port)
    p = w.procd("[monitoring]\nhealth_checks = false\n" + w.sub("a", **keys) + w.sub("b", depends_on=["a:healthy"]))
    p.wait_state("b", "running")
    equal((p.of("a")["health"], s.asked), ("unknown", 0), "nobody asks")
    p.write("[monitoring]\nhealth_check_interval = \"40ms\"\n" + w.sub("a", **keys) + w.sub("b", depends_on=["a:healthy"]))
    p.ctl("reload-config").expect(0)
    health(p, "a", "healthy")
    wait_until(lambda: s.asked >= 5, "the default interval acts")
    p.write("[monitoring]\nhealth_checks = false\n" + w.sub("a", **keys) + w.sub("b", depends_on=["a:healthy"]))
    p.ctl("reload-config").expect(0)
    equal(health(p, "a", "unknown")["detail"], "not probed any more", "detail")
    equal(len(p.find_events(type="state_changed", state="starting")), 2, "starts")
    s.close()
    p.stop()


def test_a_reload_changes_probes_without_a_restart(w):
    s, t = Server(), Server()
    t.answer = t.say("500 no")
    p = w.procd(w.sub("a"))
    pid = p.wait_state("a", "running")["pid"]
    steps = ((dict(health="tcp:127.0.0.1:%d" % s.port), "healthy"),
             (dict(health="http://127.0.0.1:%d/" % t.port), "unhealthy"),
             (dict(health="command:true"), "healthy"), (dict(), "unknown"),
             (dict(health="tcp:127.0.0.1:%d" % s.port), "healthy"))
    for keys, verdict in steps:
        mark = p.mark()
        p.write(w.sub("a", **(quick(**keys) if keys else {})))
        r = p.ctl("reload-config", "--json").expect(0).json()
        equal((r["updated"], r["restarted"]), (["a"], []), "the reload")
        health(p, "a", verdict, after=mark)
    equal(p.pid_of("a"), pid, "pid")
    # What was only watched is now acted upon.
    mark = p.mark()
    p.write(w.sub("a", health="command:false", **quick()))
    p.ctl("reload-config").expect(0)
    health(p, "a", "unhealthy", after=mark)
    p.write(w.sub("a", health="command:false", **quick(on_unhealthy="restart")))
    p.ctl("reload-config").expect(0)
    equal(p.wait_state("a", "failed", after=mark)["reason"], "health", "reason")
    s.close()
    t.close()
    p.stop()


def test_a_dependant_waits_for_health(w):
    ok = w.path("ok")
    p = w.procd(w.sub("db", health="command:test -e " + ok, **quick()) + w.sub("app", depends_on=["db:healthy"]) +
                w.sub("bound", binds_to=["db:healthy"]))
    health(p, "db", "unhealthy")
    s = p.of("app")
    equal((s["state"], s["waits_for"]), ("stopped", ["db:healthy"]), "app")
    contains(p.ctl("why", "app").out, "it waits for db to be healthy; that is running, but unhealthy", "why")
    p.ctl("start", "app", "--timeout", "300ms").expect(124)
    touch(ok)
    p.wait_state("app", "running")
    p.wait_state("bound", "running")
    # Running dependants are left alone.
    mark = p.mark()
    os.unlink(ok)
    health(p, "db", "unhealthy", after=mark)
    equal([p.of(n)["state"] for n in ("app", "bound")], ["running", "running"], "dependants")
    equal(p.find_events(mark, type="state_changed"), [], "state changes")
    p.stop()


def test_F44_what_is_bound_follows_and_others_do_not(w):
    ok = w.path("ok")
    touch(ok)
    p = w.procd(w.sub("db", health="command:test -e " + ok, **quick(on_unhealthy="restart", restart_delay_ms=20)) +
                w.sub("app", depends_on=["db:healthy"]) + w.sub("bound", binds_to=["db"]) + w.sub("other"))
    pids_ = {n: p.wait_state(n, "running")["pid"] for n in ("db", "app", "bound", "other")}
    mark = p.mark()
    os.unlink(ok)
    equal(p.wait_state("bound", "stopping", after=mark)["reason"], "dependency", "reason")
    p.wait_state("db", "failed", after=mark)
    touch(ok)
    p.wait_state("bound", "running", after=mark)
    equal((p.pid_of("app"), p.pid_of("other")), (pids_["app"], pids_["other"]), "those that are not bound")
    p.stop()


def test_a_killed_supervisor_forgets_nothing_of_health(w):
    ok = w.path("ok")
    p = w.procd(w.sub("a", health="command:test -e " + ok, **quick()))
    health(p, "a", "unhealthy")
    pid, mark = p.pid_of("a"), p.mark()
    p.kill_supervisor()
    s = p.of("a")
    equal((s["health"], s["ready"], s["pid"]), ("unhealthy", False, pid), "status")
    touch(ok)
    health(p, "a", "healthy", after=mark)
    equal([e["health"] for e in p.find_events(mark, type="health_changed")], ["healthy"], "nothing is told twice")
    equal([e["ready"] for e in p.find_events(mark, type="ready_changed")], [True], "ready")
    p.stop()


def test_a_supervisor_killed_between_unhealthy_and_the_end(w):
    p = w.procd(w.sub("a", "--trap", "TERM=" + w.path("term"), health="command:false", stop_timeout="30s", restart="never",
                      **quick(on_unhealthy="restart", health_start_period_ms=200)))
    health(p, "a", "unhealthy")
    wait_until(lambda: read_text(w.path("term")), "the signal")
    pid, mark = p.pid_of("a"), p.mark()
    p.kill_supervisor()
    equal((p.of("a")["state"], p.of("a")["ready"]), ("running", False), "status")
    os.kill(pid, signal.SIGKILL)
    equal(p.wait_state("a", "failed", after=mark)["reason"], "health", "reason")
    equal(p.find_events(mark, type="health_changed"), [], "nothing is told twice")
    p.stop()


def test_everything_killed_in_the_middle_of_an_end(w):
    ok = w.path("ok")
    p = w.procd(w.sub("a", "--trap", "TERM=" + w.path("term"), health="command:test -e " + ok, restart_delay_ms=20,
                      stop_timeout_ms=int(3000 * SCALE), **quick(on_unhealthy="restart", health_start_period_ms=200)))
    health(p, "a", "unhealthy")
    wait_until(lambda: read_text(w.path("term")), "the signal")
    pid, supervisor = p.pid_of("a"), p.supervisor_pid()
    touch(ok)
    for victim in (p.pid, supervisor):
        os.kill(victim, signal.SIGKILL)
    p.wait_end()
    wait_gone(supervisor)
    p.start()
    wait_until(lambda: p.of("a")["health"] == "healthy", "it is there again, and healthy")
    check(p.pid_of("a") != pid and not alive(pid), "the unhealthy one lives on")
    p.stop(want=3)  # it ignores TERM


def test_a_probe_of_a_killed_supervisor_is_killed(w):
    p = w.procd(w.sub("a", health="command:sh -c 'echo $$$$ >>%s; exec sleep 1000'" % w.path("pids"),
                      **quick(health_timeout_ms=60000)))
    wait_until(lambda: read_text(w.path("pids")).split(), "a probe")
    p.kill_supervisor()
    wait_until(lambda: len(read_text(w.path("pids")).split()) == 2, "the next one")
    wait_gone(int(read_text(w.path("pids")).split()[0]))
    p.stop()
    wait_gone(int(read_text(w.path("pids")).split()[1]))


def test_everything_killed_the_next_procd_probes_what_it_adopts(w):
    s = Server()
    text = w.sub("a", health="tcp:127.0.0.1:%d" % s.port, **quick())
    p = w.procd(text)
    health(p, "a", "healthy")
    pid = p.pid_of("a")
    supervisor = p.supervisor_pid()
    os.kill(p.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):     # it leaves by itself
        os.kill(supervisor, signal.SIGKILL)
    p.wait_end()
    wait_gone(supervisor)
    p.start()
    wait_until(lambda: p.of("a")["health"] == "healthy", "it is probed again")
    equal(p.pid_of("a"), pid, "pid")
    p.stop()
    s.close()


def test_F52_a_stopped_supervisor_makes_nobody_ill(w):
    s = Server()
    p = w.procd(w.sub("a", health="http://127.0.0.1:%d/" % s.port,
                      **quick(health_timeout_ms=100, health_retries=1, on_unhealthy="restart")))
    health(p, "a", "healthy")
    supervisor = p.supervisor_pid()
    for _ in range(5):
        asked = s.asked
        wait_until(lambda: s.asked > asked, "a probe is under way")
        os.kill(supervisor, signal.SIGSTOP)
        time.sleep(0.3)
        os.kill(supervisor, signal.SIGCONT)
        p.ctl("status").expect(0)
    equal(p.of("a")["restart_count"], 0, "restarts")
    equal([e["health"] for e in p.find_events(type="health_changed")], ["healthy"], "health")
    p.stop()
    s.close()


def test_F52_a_command_that_ended_in_time_did_so(w):
    runs = w.path("runs")
    p = w.procd(w.sub("a", health="command:sh -c 'echo x >>%s; sleep 0.1'" % runs,
                      **quick(health_timeout_ms=int(400 * SCALE), health_retries=1)))
    health(p, "a", "healthy")
    supervisor = p.supervisor_pid()
    for _ in range(4):
        before = len(read_text(runs))
        wait_until(lambda: len(read_text(runs)) > before, "a probe is under way")
        os.kill(supervisor, signal.SIGSTOP)
        time.sleep(0.6 * SCALE)
        os.kill(supervisor, signal.SIGCONT)
        p.ctl("status").expect(0)
    equal([e["health"] for e in p.find_events(type="health_changed")], ["healthy"], "health")
    p.stop()


def test_F52_a_hundred_that_hang_delay_nobody(w):
    s = Server()
    s.answer = s.hang
    p = w.procd("".join(w.sub("h%d" % i, health="http://127.0.0.1:%d/" % s.port, health_interval_ms=100, health_timeout="30s")
                        for i in range(100)) + w.sub("a", restart="always", restart_delay_ms=10))
    wait_until(lambda: s.asked >= 100, "all are asked", 30)
    mark, pid = p.mark(), p.pid_of("a")
    before = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    p.wait_state("a", "running", after=mark)
    check(time.monotonic() - before < 1.0 * SCALE, "a restart took %.1f s" % (time.monotonic() - before))
    equal(s.asked, 100, "one question at a time")
    p.stop(timeout=20)
    s.close()


def test_F41_probes_do_not_fall_into_step(w):
    s = Server()
    p = w.procd("".join(w.sub("s%d" % i, health="tcp:127.0.0.1:%d" % s.port, health_interval="2s") for i in range(20)))
    for i in range(20):
        health(p, "s%d" % i, "healthy")
    times = []
    while len(times) < 20:
        wait_until(lambda: s.asked > 20 + len(times), "the second round")
        times += [time.monotonic()] * (s.asked - 20 - len(times))
    check(times[19] - times[0] > 0.05, "all within %.3f s" % (times[19] - times[0]))
    p.stop()
    s.close()


def test_quiet_without_probes_and_between_them(w):
    if SCALE > 1:
        raise Skip("a sanitizer's own threads wake up")
    s = Server()
    p = w.procd("".join(w.sub("s%d" % i) for i in range(5)) +
                w.sub("a", health="tcp:127.0.0.1:%d" % s.port, health_interval="1h"))
    health(p, "a", "healthy")

    def switches():
        n = 0
        for pid in (p.pid, p.supervisor_pid()):
            for task in os.listdir("/proc/%d/task" % pid):
                for line in read_text("/proc/%d/task/%s/status" % (pid, task)).splitlines():
                    n += int(line.split()[1]) if line.startswith("voluntary_ctxt_switches") else 0
        return n
    last = [None, 0]

    def settled():
        n, now = switches(), time.monotonic()
        if n != last[0]:
            last[:] = n, now
        return now - last[1] > 2.0
    wait_until(settled, lambda: "two seconds without a wake-up (%r)" % last, 20)
    equal(s.asked, 1, "probes")
    p.stop()
    s.close()


def test_probes_of_the_slot_end_with_the_process(w):
    s = Server()
    other = Server()
    p = w.procd(w.sub("a", health="tcp:127.0.0.1:%d" % s.port, **quick()) +
                w.sub("b", health="tcp:127.0.0.1:%d" % other.port, **quick()))
    health(p, "a", "healthy")
    p.ctl("stop", "a").expect(0)
    equal(p.of("a")["health"], "unknown", "health of a stopped one")
    asked, others = s.asked, other.asked
    wait_until(lambda: other.asked >= others + 5, "the other one is asked five times meanwhile")
    check(s.asked <= asked + 1, "a stopped one is asked: %d, then %d" % (asked, s.asked))
    p.ctl("start", "a").expect(0)
    wait_until(lambda: p.of("a")["health"] == "healthy", "it is asked again")
    p.stop()
    s.close()
    other.close()


def test_a_stop_ends_a_probe_that_is_under_way(w):
    p = w.procd(w.sub("a", health="command:sh -c 'echo $$$$ >%s; exec sleep 1000'" % w.path("pid"),
                      **quick(health_timeout_ms=60000)))
    pid = int(wait_until(lambda: read_text(w.path("pid")).strip(), "a probe"))
    p.ctl("stop", "a").expect(0)
    wait_gone(pid)
    equal(p.find_events(type="health_changed"), [], "a probe that was not to end says nothing")
    p.stop()


def test_each_instance_has_its_own_probe(w):
    s = [Server(w.path("s%d" % i)) for i in range(2)]
    p = w.procd(w.sub("a", instances=2, health="unix:" + w.path("s") + "%i", **quick()))
    health(p, "a@0", "healthy")
    health(p, "a@1", "healthy")
    s[1].close()
    health(p, "a@1", "unhealthy")
    equal(p.of("a@0")["health"], "healthy", "the other one")
    s[0].close()
    p.stop()


def test_health_of_root_reaches_a_socket_of_its_user_only(w):
    need_root()
    s = Server(w.path("s"))
    os.chmod(w.path("s"), 0o600)
    os.chown(w.path("s"), 65534, 65534)
    p = w.procd(w.sub("a", health="unix:" + w.path("s"), **quick()))
    health(p, "a", "healthy")
    p.stop()
    s.close()


def test_a_redis_that_hangs_is_replaced(w):
    path = w.path("redis.sock")
    server, client = need_program("redis-server"), need_program("redis-cli")
    p = w.procd('[subsystem.redis]\ncommand = "%s --port 0 --unixsocket %s --save \'\' --dir %s"\n' % (server, path, w.path("")) +
                'stdout = "null"\nready = "unix:%s"\nhealth = "command:%s -s %s ping"\n' % (path, client, path) +
                'health_interval_ms = 100\nhealth_timeout_ms = %d\nstop_timeout = "20s"\n' % int(1000 * SCALE))
    health(p, "redis", "healthy", timeout=20)
    pid, mark = p.pid_of("redis"), p.mark()
    os.kill(pid, signal.SIGSTOP)  # the kernel still accepts connections for it
    contains(health(p, "redis", "unhealthy", after=mark, timeout=20)["detail"], "did not end within", "detail")
    e = p.wait_state("redis", "failed", after=mark, timeout=20)
    equal((e["reason"], e["pid"], e.get("killed")), ("health", pid, None), "its end")
    health(p, "redis", "healthy", after=e["seq"], timeout=20)
    check(p.pid_of("redis") != pid, "the same process")
    p.stop()


def test_nginx_is_asked_by_http(w):
    nginx = need_program("nginx")
    port = socket.create_server(("127.0.0.1", 0))
    number = port.getsockname()[1]
    port.close()
    for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
        os.mkdir(w.path(name))
    os.chmod(w.path(""), 0o755)
    write_text(w.path("nginx.conf"), "daemon off;\npid %s;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n" % w.path("pid") +
               "".join("%s_temp_path %s;\n" % (a, w.path(b)) for a, b in (
                   ("client_body", "body"), ("proxy", "proxy"), ("fastcgi", "fastcgi"), ("uwsgi", "uwsgi"), ("scgi", "scgi"))) +
               "server { listen 127.0.0.1:%d; location /ok { return 204; } location /down { return 503; } }\n}\n" % number)
    text = '[subsystem.web]\ncommand = ["%s", "-c", "%s", "-e", "stderr"]\nready = "tcp:127.0.0.1:%d"\n' % (
        nginx, w.path("nginx.conf"), number)
    keys = 'health = "http://127.0.0.1:%d/%s"\nhealth_interval_ms = 50\non_unhealthy = "event"\n'
    p = w.procd(text + keys % (number, "ok"))
    equal(health(p, "web", "healthy", timeout=20)["detail"], "HTTP status 204", "detail")
    p.write(text + keys % (number, "down"))
    p.ctl("reload-config").expect(0)
    equal(health(p, "web", "unhealthy")["detail"], "HTTP status 503", "detail")
    p.stop()


def check_config(w, text, *args):
    return w.run("check", "-c", write_text(w.path("c.toml"), text), *args)


def test_bad_probes_are_refused_with_their_place(w):
    begin = '[subsystem.a]\ncommand = "true"\nhealth = '
    for text, part in (('"tcp:80"', "write tcp:HOST:PORT"), ('"tcp:localhost:0"', "from 1 to 65535"),
                       ('"tcp:example.org:80"', "names are not looked up"), ('"tcp:::1:80"', "in brackets"),
                       ('"tcp:[::1]:99999"', "from 1 to 65535"), ('"unix:"', "path of the socket is missing"),
                       ('"https://localhost/"', "https is not supported"), ('"http://localhost:x/"', "the port is a number"),
                       ('"http://localhost/a b"', "%XX"), ('"command:"', "the command is empty"),
                       ('"command:sh -c \'x"', "quote"), ('"notify"', "no probe for this key"),
                       ('"exec"', "no probe for this key"), ('"fd:3"', "no probe for this key"),
                       ('"log:ready"', "no probe for this key"), ('"tpc:localhost:80"', 'did you mean "tcp:"'),
                       ('""', "unknown probe"), ("80", "expected")):
        r = check_config(w, begin + text + "\n")
        equal(r.rc, 78, "exit code for " + text)
        contains(r.err, "c.toml:3:10: ", text)
        contains(r.err, part, text)
        equal(len(r.err.strip().splitlines()), 1, "messages for %s: %s" % (text, r.err))
    for key, part in (('health_interval = "1ms"', "10ms"), ("health_retries = 0", "1"), ("health_timeout = 0", "1ms"),
                      ('on_unhealthy = "reboot"', "restart, event, stop")):
        r = check_config(w, begin + '"tcp:localhost:80"\n' + key + "\n")
        equal(r.rc, 78, "exit code for " + key)
        contains(r.err, "c.toml:4:", key)
        contains(r.err, part, key)


def test_keys_without_a_probe_are_warned_of(w):
    r = check_config(w, '[subsystem.a]\ncommand = "true"\nhealth_retries = 2\n')
    equal(r.rc, 0, "exit code")
    contains(r.err, "c.toml:3:", "place")
    contains(r.err, "no effect", "warning")
    r = check_config(w, '[defaults]\nhealth_retries = 2\n[subsystem.a]\ncommand = "true"\n')
    check("no effect" not in r.err, r.err)
    plain = write_text(w.path("plain.toml"), '[subsystem.a]\ncommand = "true"\n')
    r = check_config(w, w.run("config", "-c", plain).expect(0).out)
    equal(r.err, "", "no warnings of what repeats the defaults")


def test_the_effective_config_shows_probes(w):
    text = ('[monitoring]\nhealth_check_interval_ms = 7000\n[subsystem.a]\ncommand = "true"\n'
            'health = "http://localhost:8080/x"\nhealth_timeout_ms = 250\non_unhealthy = stop\n')
    path = write_text(w.path("c.toml"), text)
    j = w.run("config", "-c", path, "--json").expect(0).json()
    equal(j["monitoring"]["health_check_interval"]["value"], 7000, "interval")
    a = j["subsystem"]["a"]
    equal((a["health"]["value"], a["health_timeout"]["value"], a["on_unhealthy"]["value"], a["health_retries"]["value"]),
          ("http://localhost:8080/x", 250, "stop", 3), "keys of a")
    again = w.run("config", "-c", path).expect(0).out
    equal(w.run("config", "-c", write_text(w.path("d.toml"), again), "--json").expect(0).json()["subsystem"]["a"]["health"]["value"],
          "http://localhost:8080/x", "the text is a config")
