"""Listening sockets: bound before the start, kept over restarts, deaths and upgrades (interface 2: listen)."""

import os
import re
import signal
import socket
import stat
import sys
import time

from harness import *

# Answers each connection on its stream sockets with what it was given, and its pid.
SERVER = r"""
import json, os, select, socket, sys
given = {k: v for k, v in os.environ.items() if k.startswith("LISTEN_")}
n = int(given.get("LISTEN_FDS", "0"))
socks = [socket.socket(fileno=3 + i) for i in range(n)]
given["own"] = given.get("LISTEN_PID") == str(os.getpid())
given["names"] = [str(s.getsockname()) for s in socks]
given["fds"] = sorted(int(f) for f in os.listdir("/proc/self/fd") if int(f) < 100)[:-1]
given["pid"] = os.getpid()
print("up", flush=True)
while True:
    for s in select.select(socks, [], [])[0]:
        if s.type == socket.SOCK_DGRAM:
            data, peer = s.recvfrom(99)
            s.sendto(str(os.getpid()).encode(), peer)
            continue
        c = s.accept()[0]
        c.sendall(json.dumps(given).encode())
        c.close()
"""


def server(w):
    path = w.path("server.py")
    if not os.path.exists(path):
        write_text(path, SERVER)
    return [sys.executable, path]


def sub(w, name, listen, **keys):
    return w.sub(name, **keys).replace(w.child(), json_text(server(w))) + "listen = %s\n" % json_text(listen)


def json_text(value):
    return json.dumps(value)


def free_port():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
    s.close()
    return port


def ask(where, timeout=10):
    """What the server says; where: a port or a path."""
    s = socket.socket(socket.AF_INET if isinstance(where, int) else socket.AF_UNIX)
    s.settimeout(timeout * SCALE)
    s.connect(("127.0.0.1", where) if isinstance(where, int) else where)
    text = b""
    while True:
        got = s.recv(4096)
        if not got:
            break
        text += got
    s.close()
    return json.loads(text)


def chosen_port(p, label="web"):
    """Of the socket with port 0, as the log told it."""
    def find():
        return re.findall(label + r": listens on tcp:127\.0\.0\.1:(\d+)", read_text(p.log_path))
    return int(wait_until(find, "a port in the log")[-1])


def test_sockets_arrive_as_sd_listen_fds_says(w):
    port, path = free_port(), w.path("x.sock")
    p = w.procd(sub(w, "web", ["http=tcp:127.0.0.1:%d" % port, "unix:" + path, "udp:127.0.0.1:0"]))
    got = ask(port)
    equal((got["LISTEN_FDS"], got["LISTEN_FDNAMES"], got["own"]), ("3", "http:web:web", True), "variables")
    equal(got["fds"], [0, 1, 2, 3, 4, 5], "descriptors, and no others")
    equal(got["names"][:2], [str(("127.0.0.1", port)), path], "addresses")
    equal(ask(path)["pid"], p.pid_of("web"), "the unix socket")
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.settimeout(10 * SCALE)
    udp.sendto(b"?", ("127.0.0.1", int(re.search(r"(\d+)\)", got["names"][2])[1])))
    equal(int(udp.recv(99)), p.pid_of("web"), "datagrams")
    udp.close()
    p.stop()
    check(not os.path.exists(path), "the file is gone with procd")


def test_no_connection_is_refused_over_restart_crash_and_stop(w):
    port = free_port()
    p = w.procd(sub(w, "web", ["tcp:127.0.0.1:%d" % port], restart_delay_ms=200))
    first = ask(port)["pid"]
    os.kill(first, signal.SIGKILL)
    p.wait_state("web", "restarting")
    check(ask(port)["pid"] != first, "who connected while it was down is served by the next one")
    p.ctl("stop", "web").expect(0)
    waits = socket.create_connection(("127.0.0.1", port))     # in the backlog
    p.ctl("start", "web").expect(0)
    waits.settimeout(10 * SCALE)
    check(waits.recv(9), "who waited is served")
    waits.close()
    p.stop()


def test_sockets_stay_over_the_death_of_the_supervisor(w):
    port, path = free_port(), w.path("x.sock")
    p = w.procd(sub(w, "web", ["tcp:127.0.0.1:%d" % port, "unix:" + path, "tcp:127.0.0.1:0"]) +
                sub(w, "other", ["tcp:127.0.0.1:0"]))
    any_web, any_other = chosen_port(p, "web"), chosen_port(p, "other")
    inode = os.stat(path).st_ino
    pid = ask(port)["pid"]
    p.kill_supervisor()
    equal(ask(port)["pid"], pid, "served meanwhile")
    p.ctl("restart", "web", "other").expect(0)
    new = ask(port)
    check(new["pid"] != pid, "a new process")
    equal((ask(any_web)["pid"], ask(any_other)["pid"]), (new["pid"], p.pid_of("other")), "each has its own port again")
    equal(os.stat(path).st_ino, inode, "the same file")
    equal(ask(path)["pid"], new["pid"], "served")
    p.stop()
    check(not os.path.exists(path), "the file is gone with procd")


def test_sockets_stay_over_an_upgrade_of_the_keeper_too(w):
    port = free_port()
    p = w.procd(sub(w, "web", ["tcp:127.0.0.1:%d" % port]))
    ask(port)
    p.ctl("upgrade", "--keeper").expect(0)
    p.ctl("stop", "web").expect(0)
    waits = socket.create_connection(("127.0.0.1", port))
    p.ctl("start", "web").expect(0)
    waits.settimeout(10 * SCALE)
    check(waits.recv(9), "served")
    waits.close()
    p.stop()


def kill_both(p):
    supervisor = p.supervisor_pid()
    os.kill(p.pid, signal.SIGKILL)
    p.wait_end()
    wait_gone(supervisor, 5)


def queued(where):
    """A connection that nobody has accepted yet."""
    s = socket.socket(socket.AF_INET if isinstance(where, int) else socket.AF_UNIX)
    s.settimeout(10 * SCALE)
    s.connect(("127.0.0.1", where) if isinstance(where, int) else where)
    return s


def said_to(s):
    text = b""
    while True:
        got = s.recv(4096)
        if not got:
            s.close()
            return json.loads(text)
        text += got


def test_when_all_of_procd_was_killed_sockets_come_back_from_those_who_have_them(w):
    port, path = free_port(), w.path("x.sock")
    config = (sub(w, "web", ["tcp:127.0.0.1:%d" % port, "unix:" + path, "tcp:127.0.0.1:0", "udp:127.0.0.1:0"]) +
              sub(w, "other", ["tcp:127.0.0.1:0"]) + w.sub("plain"))
    p = w.procd(config)
    any_web, any_other = chosen_port(p, "web"), chosen_port(p, "other")
    udp = re.findall(r"listens on udp:127\.0\.0\.1:(\d+)", read_text(p.log_path))[-1]
    pid = ask(port)["pid"]
    os.kill(pid, signal.SIGSTOP)
    early = [queued(where) for where in (port, path, any_web)]      # in the backlog, through all that follows
    inode = os.stat(path).st_ino
    kill_both(p)
    p = w.procd(config)
    os.kill(pid, signal.SIGCONT)
    equal([said_to(s)["pid"] for s in early], [pid] * 3, "who waited is served by the adopted one")
    check("bound anew" not in read_text(p.log_path), "nothing is missing")
    p.kill_supervisor()
    p.ctl("stop", "web", "other").expect(0)
    late = [queued(where) for where in (port, path, any_web, any_other)]    # refused, if nobody had them
    p.ctl("start", "web", "other").expect(0)
    web, other = p.pid_of("web"), p.pid_of("other")
    equal([said_to(s)["pid"] for s in late], [web] * 3 + [other], "who waited is served by the successor")
    equal(os.stat(path).st_ino, inode, "the same file")
    contains(said_to(queued(port))["names"][3], udp, "the same port")
    p.stop()
    check(not os.path.exists(path), "the file is gone with procd")


def test_sockets_of_the_past_are_taken_when_their_options_moved_and_left_when_they_went(w):
    a, b, c = free_port(), free_port(), free_port()
    p = w.procd(sub(w, "web", ["tcp:127.0.0.1:%d" % port for port in (a, b)]))
    pid = ask(b)["pid"]
    kill_both(p)
    p = w.procd(sub(w, "web", ["tcp:127.0.0.1:%d" % port for port in (b, c)]))
    wait_until(lambda: p.of("web")["state"] == "running" and p.pid_of("web") != pid, "it is restarted", 30)
    equal({ask(b)["pid"], ask(c)["pid"]}, {p.pid_of("web")}, "what it is to have now")
    check(refused(a), "nobody listens there any more")
    p.stop()


def test_without_pidfd_getfd_a_socket_is_bound_anew_when_its_process_has_ended(w):
    port = free_port()
    config = sub(w, "web", ["tcp:127.0.0.1:%d" % port])
    p = w.procd(config)
    pid = ask(port)["pid"]
    kill_both(p)
    p = w.procd(config, env={"PROCD_TEST_NO_FEATURE": "pidfd_getfd"})
    equal(ask(port)["pid"], pid, "the adopted one serves on")
    wait_until(lambda: "web: 1 of its listening sockets cannot be had from its process: Function not implemented" in read_text(p.log_path), "the warning")
    p.ctl("restart", "web").expect(0)
    equal(ask(port)["pid"], p.pid_of("web"), "its successor has it from procd")
    p.stop()


# Closes what it was given, listens elsewhere in its place, and holds the rest up: a pipe, and a file.
CHANGELING = r"""
import os, socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
os.dup2(s.fileno(), 3)
r, wr = os.pipe()
os.dup2(r, 4)
open(sys.argv[1], "w").write(str(s.getsockname()[1]))
time.sleep(1000)
"""


def test_what_a_process_put_in_the_place_of_a_socket_is_none(w):
    a, b, told = free_port(), free_port(), w.path("told")
    write_text(w.path("changeling.py"), CHANGELING)
    config = w.sub("web").replace(w.child(), json_text([sys.executable, w.path("changeling.py"), told]))
    config += "listen = %s\n" % json_text(["tcp:127.0.0.1:%d" % a, "tcp:127.0.0.1:%d" % b])
    p = w.procd(config)
    wait_until(lambda: os.path.exists(told) and read_text(told), "it has begun")
    pid = p.pid_of("web")
    kill_both(p)
    p = w.procd(config)
    wait_until(lambda: "web: 2 of its listening sockets cannot be had from its process: bound anew" in read_text(p.log_path), "the warning")
    equal(p.pid_of("web"), pid, "adopted")
    equal(open("/proc/%d/comm" % pid).read().strip()[:6], "python", "alive")
    p.ctl("restart", "web").expect(0)
    for port in (a, b):
        queued(port).close()
    p.stop()


def test_reload_adds_keeps_and_takes_away(w):
    a, b = free_port(), free_port()
    p = w.procd(sub(w, "web", ["tcp:127.0.0.1:%d" % a]))
    pid = ask(a)["pid"]
    at = p.mark()
    p.write(sub(w, "web", ["tcp:127.0.0.1:%d" % b, "tcp:127.0.0.1:%d" % a]))
    p.ctl("reload-config").expect(0)
    p.wait_state("web", "running", after=at)
    equal({ask(a)["pid"], ask(b)["pid"]}, {p.pid_of("web")}, "both")
    check(p.pid_of("web") != pid, "restarted")
    at = p.mark()
    p.write(sub(w, "late", ["tcp:127.0.0.1:%d" % a], autostart=False))
    p.ctl("reload-config").expect(0)
    p.wait_event(type="subsystem_removed", name="web", after=at)
    waits = socket.create_connection(("127.0.0.1", a))      # moved to another one, which is not started yet
    wait_until(lambda: refused(b), "nobody listens there any more")
    p.ctl("start", "late").expect(0)
    waits.settimeout(10 * SCALE)
    check(waits.recv(9), "served by its new owner")
    waits.close()
    p.stop()


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return False
    except ConnectionRefusedError:
        return True


def test_instances_share_an_address(w):
    port = free_port()
    p = w.procd(sub(w, "web", ["tcp:127.0.0.1:%d" % port], instances=2))
    for name in ("web@0", "web@1"):
        p.wait_state(name, "running")
    p.ctl("stop", "web@0").expect(0)
    equal(ask(port)["pid"], p.pid_of("web@1"), "the one that is left")
    p.ctl("start", "web@0").expect(0)
    p.ctl("stop", "web@1").expect(0)
    equal(ask(port)["pid"], p.pid_of("web@0"), "and the other")
    p.stop()


def test_what_cannot_be_bound_is_a_failed_start_at_stage_listen(w):
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    p = w.procd(sub(w, "web", ["tcp:127.0.0.1:%d" % port], restart_delay_ms=50) + w.sub("fine", "--sleep", 600 * 1000))
    event = p.wait_event(lambda e: e.get("error"), type="state_changed", name="web")
    equal((event["error"]["stage"], event["error"]["errno"]), ("listen", "EADDRINUSE"), "error")
    contains(p.ctl("why", "web").out, "tcp:127.0.0.1:%d" % port, "why")
    p.wait_state("fine", "running")
    taken.close()
    p.wait_state("web", "running")
    equal(ask(port)["pid"], p.pid_of("web"), "once it is free")
    p.stop()


def test_the_file_of_a_unix_socket_belongs_to_the_user_and_obeys_the_umask(w):
    need_root()
    place = w.path("sockets")
    os.mkdir(place)
    os.chmod(w.dir, 0o755)
    p = w.procd(w.sub("a", "--sleep", 600 * 1000, user="65534", umask="0117", listen=["unix:%s/a" % place]) +
                w.sub("b", "--sleep", 600 * 1000, listen=["unix:%s/b" % place]))
    p.wait_state("b", "running")
    st = os.stat(place + "/a")
    equal((st.st_uid, stat.S_IMODE(st.st_mode)), (65534, 0o660), "of a")
    equal(os.stat(place + "/b").st_uid, 0, "of b")
    p.stop()


def test_a_stale_file_is_replaced_and_a_live_one_is_not(w):
    stale, live, other = w.path("stale"), w.path("live"), w.path("other")
    s = socket.socket(socket.AF_UNIX)
    s.bind(stale)
    s.close()
    alive = socket.socket(socket.AF_UNIX)
    alive.bind(live)
    alive.listen()
    write_text(other, "precious")
    p = w.procd(sub(w, "stale", ["unix:" + stale]) + sub(w, "live", ["unix:" + live], restart="never") +
                sub(w, "other", ["unix:" + other], restart="never"))
    p.wait_state("stale", "running")
    equal(ask(stale)["pid"], p.pid_of("stale"), "stale")
    p.wait_state("live", "failed")
    p.wait_state("other", "failed")
    equal(read_text(other), "precious", "a file that is no socket")
    p.stop()
    check(os.path.exists(live), "somebody else's stays")
    alive.close()


def test_check_tells_wrong_addresses_with_their_place(w):
    for bad, why in (("tcp:80", "ADDRESS:PORT"), ("tcp:example.org:80", "number"), ("http:x", "tcp:"), ("unix:rel", "'/'"),
                     ("tcp:127.0.0.1:99999", "65535"), ("=tcp:127.0.0.1:1", "name"), ("unix:/" + "x" * 120, "107")):
        path = write_text(w.path("d.toml"), '[subsystem.a]\ncommand = "true"\nlisten = ["tcp:127.0.0.1:1", "%s"]\n' % bad)
        r = w.run("check", "-c", path).expect(78)
        contains(r.err, "d.toml:3:30:", bad)
        contains(r.err, why, bad)
    path = write_text(w.path("d.toml"), '[subsystem.a]\ncommand = "true"\nlisten = "tcp:localhost:1"\n'
                      '[subsystem.b]\ncommand = "true"\nlisten = "tcp:127.0.0.1:1"\n')
    contains(w.run("check", "-c", path).expect(78).err, "d.toml:6:", "two owners")
    path = write_text(w.path("d.toml"), '[subsystem.a]\ncommand = "true"\nlisten = "tcp:127.0.0.1:1"\nready = "fd:3"\n')
    contains(w.run("check", "-c", path).expect(78).err, "d.toml:3:", "descriptors that collide")


def test_without_listen_nothing_of_it_is_seen(w):
    env = {"LISTEN_FDS": "7", "LISTEN_PID": "1", "LISTEN_FDNAMES": "x"}
    p = w.procd(w.sub("a", "--report-state", w.path("report"), "--sleep", 600 * 1000), env=env)
    report = read_report(w.path("report"))
    check(not [v for v in report.get("env", report.get("environment", [])) if str(v).startswith("LISTEN_")], "LISTEN_* of procd")
    p.stop()


def test_a_connection_starts_it_and_a_clean_end_makes_it_wait_again(w):
    port = free_port()
    once = SERVER.replace("        c.close()\n", "        c.close()\n        sys.exit(0)\n")
    write_text(w.path("server.py"), once)
    p = w.procd(sub(w, "web", ["tcp:127.0.0.1:%d" % port], socket_activation=True) + w.sub("other", "--sleep", 600 * 1000))
    p.wait_state("other", "running")
    equal((p.of("web")["state"], p.of("web")["pid"]), ("stopped", None), "not started")
    contains(p.ctl("why", "web").out, "it waits for a connection", "why")
    for _ in range(2):
        at = p.mark()
        ask(port)
        equal(p.wait_state("web", "starting", after=at)["reason"], "socket", "reason")
        p.wait_state("web", "stopped", after=at)
    p.kill_supervisor()
    ask(port)
    p.wait_state("web", "stopped")
    p.ctl("stop", "web").expect(0)
    at = p.mark()
    waits = socket.create_connection(("127.0.0.1", port))
    p.ctl("start", "web").expect(0)
    equal(p.wait_state("web", "starting", after=at)["reason"], "request", "the operator's stop counts until then")
    waits.settimeout(10 * SCALE)
    check(waits.recv(9), "served")
    waits.close()
    p.stop()


def test_activation_with_a_taken_address_is_told_and_tried_again(w):
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    p = w.procd(sub(w, "web", ["tcp:127.0.0.1:%d" % taken.getsockname()[1]], socket_activation=True, restart_delay_ms=50))
    equal(p.wait_event(lambda e: e.get("error"), name="web")["error"]["stage"], "listen", "stage")
    taken.close()
    p.wait_state("web", "running")
    p.stop()


def test_who_needs_it_starts_it_without_a_connection(w):
    p = w.procd(sub(w, "db", ["tcp:127.0.0.1:0"], socket_activation=True) + w.sub("app", "--sleep", 600 * 1000, depends_on=["db"]))
    p.wait_state("app", "running")
    equal(p.of("db")["state"], "running", "db")
    p.stop()


def test_activation_that_is_switched_on_and_off(w):
    port = free_port()
    config = sub(w, "web", ["tcp:127.0.0.1:%d" % port])
    p = w.procd(config + "socket_activation = true\n")
    wait_until(lambda: p.of("web")["state"] == "stopped", "it waits")
    p.write(config)
    p.ctl("reload-config").expect(0)
    p.wait_state("web", "running")
    at = p.mark()
    p.write(config + "socket_activation = true\n")
    p.ctl("reload-config").expect(0)
    p.wait_state("web", "stopped", after=at)
    equal(ask(port)["pid"], p.pid_of("web"), "the connection started it")
    p.stop()


def test_activation_needs_a_socket(w):
    path = write_text(w.path("d.toml"), '[subsystem.a]\ncommand = "true"\nsocket_activation = true\n')
    contains(w.run("check", "-c", path).expect(78).err, "d.toml:3:", "place")


def held_open(w):
    """A server that answers and keeps each connection until the client closes it."""
    write_text(w.path("server.py"), r"""
import os, select, socket
socks = [socket.socket(fileno=3 + i) for i in range(int(os.environ["LISTEN_FDS"]))]
peers = []
while True:
    for s in select.select(socks + peers, [], [])[0]:
        if s in peers:
            if not s.recv(99):
                peers.remove(s)
                s.close()
            continue
        peers.append(s.accept()[0])
        peers[-1].sendall(b"%d\n" % os.getpid())
""")


def test_idle_timeout_stops_what_nobody_is_connected_to(w):
    held_open(w)
    port, path = free_port(), w.path("x.sock")
    p = w.procd(sub(w, "web", ["tcp:127.0.0.1:%d" % port, "tcp:[::]:0", "unix:" + path, "unix:@procd-test-%d" % os.getpid()],
                    socket_activation=True, idle_timeout="400ms"))
    six = int(re.search(r"listens on tcp:\[::\]:(\d+)", wait_until(lambda: "[::]" in read_text(p.log_path) and read_text(p.log_path),
                                                                   "a port in the log"))[1])
    for family, where in ((socket.AF_INET, ("127.0.0.1", port)), (socket.AF_INET, ("127.0.0.1", six)), (socket.AF_UNIX, path),
                          (socket.AF_UNIX, "\0procd-test-%d" % os.getpid())):
        at = p.mark()
        c = socket.socket(family)
        c.settimeout(10 * SCALE)
        c.connect(where)
        pid = int(c.recv(99))
        time.sleep(1.2)      # three times as long as it may be idle
        equal(p.pid_of("web"), pid, "in use by %r" % (where,))
        c.close()
        equal(p.wait_state("web", "stopping", after=at)["reason"], "idle", "reason for %r" % (where,))
        p.wait_state("web", "stopped", after=at)
    p.stop()


def test_what_is_asked_again_and_again_is_not_idle(w):
    port = free_port()
    p = w.procd(sub(w, "web", ["tcp:127.0.0.1:%d" % port], socket_activation=True, idle_timeout="2s"))
    pid = ask(port)["pid"]
    end = time.monotonic() + 5
    while time.monotonic() < end:
        equal(ask(port)["pid"], pid, "still the same")
        time.sleep(0.02)
    p.wait_state("web", "stopped", reason="idle")
    p.stop()


def test_idle_timeout_needs_activation(w):
    path = write_text(w.path("d.toml"), '[subsystem.a]\ncommand = "true"\nlisten = "tcp:127.0.0.1:1"\nidle_timeout = "5s"\n')
    contains(w.run("check", "-c", path).expect(78).err, "d.toml:4:", "place")
