"""The door: limits, garbage, floods, permissions (interface 4; faults.md F86-F94, S53-S55)."""

import json
import os
import socket
import subprocess

from harness import *
from rpc import Connection


def ready(w, text="", **options):
    p = w.procd(text + w.sub("a"), **options)
    p.wait_state("a", "running")
    return p


def test_an_answer_carries_the_id(w):
    p = ready(w)
    c = p.connect()
    for ident in (1, "text", 12345678901):
        c.send(json.dumps({"jsonrpc": "2.0", "id": ident, "method": "status.get"}).encode() + b"\n")
        a = c.read()
        equal((a["jsonrpc"], a["id"]), ("2.0", ident), "answer")
        check("result" in a, a)
    p.stop()


def test_errors_have_code_category_and_name(w):
    p = ready(w)
    c = p.connect()
    equal(c.request("no.such")["error"]["code"], -32601, "unknown method")
    e = c.request("subsystem.start", {"names": ["nobody"]})["error"]
    equal((e["data"]["category"], e["data"]["code"]), ("subsystem", 4002), "unknown subsystem")
    check("nobody" in e["message"], e)
    equal(c.request("subsystem.start", {"names": 5})["error"]["code"], -32602, "bad params")
    for bad in (b"{\n", b"[]\n", b"nonsense\n", b"{}\n", b'{"jsonrpc":"2.0","id":1}\n', b'"x"\n', b"\xff\xfe\n", b"\0\n",
                b'{"jsonrpc":"2.0","id":1,"id":2,"method":"status.get"}\n'):
        with_error = Connection(p.socket)
        with_error.send(bad)
        a = with_error.read()
        check(a and a["error"]["code"] in (-32700, -32600), "%r -> %r" % (bad, a))
        with_error.close()
    equal(c.request("status.get")["result"]["name"], p.status()["name"], "the first connection lives")
    p.stop()


def test_F88_a_too_long_request_is_answered_and_closed(w):
    p = ready(w)
    c = p.connect()
    try:
        c.send(b'{"jsonrpc":"2.0","id":1,"method":"status.get","params":{"x":"' + b"y" * 200000)
    except (BrokenPipeError, ConnectionResetError):
        pass
    try:
        a = c.read()
        check(a is None or "error" in a, a)
        check(a is None or c.read_line() is None, "not closed")
    except ConnectionResetError:
        pass
    # Just below the limit it is fine.
    c = p.connect()
    pad = "z" * (65536 - 200)
    equal(c.request("status.get", {"names": ["a"], "pad": pad}).get("id"), 1, "a long one below the limit")
    equal(p.rpc_alive(), True, "alive")
    p.stop()


def test_F89_a_too_deep_request_is_answered_and_closed(w):
    p = ready(w)
    for deep in (b'{"jsonrpc":"2.0","id":1,"method":"status.get","params":' + b"[" * 40 + b"]" * 40 + b"}\n",
                 b"[" * 60000 + b"\n", b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"\n"):
        c = p.connect()
        c.send(deep)
        a = c.read()
        check("error" in a, a)
        equal(c.read_line(), None, "closed")
    equal(p.rpc_alive(), True, "alive")
    p.stop()


def test_F90_half_open_and_silent_connections_stop_nobody(w):
    p = ready(w)
    quiet = [Connection(p.socket) for _ in range(10)]
    for c in quiet[:5]:
        c.send(b'{"jsonrpc":"2.0",')
    for c in quiet[5:8]:
        c.sock.shutdown(socket.SHUT_WR)
    equal(p.rpc_alive(), True, "alive")
    p.ctl("restart", "a").expect(0)
    for c in quiet:
        c.close()
    p.stop()


def test_pipelined_and_dripped_requests(w):
    p = ready(w)
    c = p.connect()
    one = b'{"jsonrpc":"2.0","id":%d,"method":"status.get"}\n'
    c.send(b"".join(one % i for i in range(50)))
    equal([c.read()["id"] for _ in range(50)], list(range(50)), "ids in order")
    for byte in one % 99:
        c.send(bytes([byte]))
    equal(c.read()["id"], 99, "one byte at a time")
    p.stop()


def test_S55_too_many_connections_are_refused_politely(w):
    p = ready(w)
    many, refused = [], 0
    for _ in range(40):
        c = Connection(p.socket)
        many.append(c)
        try:
            a = c.request("status.get")
            refused += "error" in a
        except (OSError, ConnectionError):
            refused += 1
    check(refused >= 20, "%d of 40 refused (limit 16 for a uid)" % refused)
    check(refused < 40, "all refused")
    for c in many:
        c.close()
    wait_until(p.rpc_alive, "room again")
    p.stop()


def test_F87_clients_that_die_leave_nothing(w):
    p = ready(w)
    supervisor = p.supervisor_pid()
    wait_until(p.rpc_alive, "alive")

    def fds():
        return len(os.listdir("/proc/%d/fd" % supervisor))
    before = fds()
    for i in range(60):
        f = subprocess.Popen([w.procd_path, "events", "-s", p.socket, "-f"], stdout=subprocess.DEVNULL, env=w.env())
        if i % 2:
            wait_until(lambda: alive(f.pid), "started")
        f.kill()
        f.wait()
    for _ in range(100):
        c = Connection(p.socket)
        c.send(b'{"jsonrpc":"2.0","id":1,"method":"events.subscribe","params":{"since":0}}\n')
        c.close()
    wait_until(lambda: fds() <= before + 1, lambda: "descriptors: %d, before %d" % (fds(), before))
    p.stop()


def test_F91_a_flood_delays_no_restart(w):
    p = w.procd(w.sub("a", restart="always", restart_delay_ms=10))
    pid = p.wait_state("a", "running")["pid"]
    code = ("import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
            "m=b'{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status.get\"}\\n'*50\n"
            "while True:\n s.sendall(m)\n s.recv(1<<20)\n")
    import signal
    import sys
    floods = [subprocess.Popen([sys.executable, "-c", code, p.socket], stderr=subprocess.DEVNULL, env=w.env())
              for _ in range(4)]
    try:
        for _ in range(5):
            mark = p.mark()
            os.kill(pid, signal.SIGKILL)
            pid = p.wait_state("a", "running", after=mark, timeout=3)["pid"]
    finally:
        for f in floods:
            f.kill()
            f.wait()
    p.stop()


def test_a_client_that_does_not_read_is_bounded(w):
    p = ready(w)
    supervisor = p.supervisor_pid()
    c = p.connect(2)
    message = b'{"jsonrpc":"2.0","id":1,"method":"status.get"}\n' * 200
    try:
        for _ in range(2000):
            c.send(message)
    except (OSError, socket.timeout):
        pass  # stuck or closed: both are bounds
    equal(p.rpc_alive(), True, "others are served")
    rss = int([line for line in read_text("/proc/%d/status" % supervisor).splitlines()
               if line.startswith("VmRSS")][0].split()[1])
    check(rss < 60000 * SCALE * SCALE, "the supervisor has grown to %d KiB" % rss)
    c.close()
    p.stop()


def test_subscription_and_notifications(w):
    p = ready(w)
    c = p.connect()
    a = c.request("events.subscribe", {"since": 0})
    check("result" in a, a)
    first = c.read()
    equal((first["jsonrpc"], first["method"]), ("2.0", "event"), "notification")
    check("id" not in first and "seq" in first["params"], first)
    p.ctl("stop", "a").expect(0)
    while True:
        n = c.read()
        if n["params"].get("state") == "stopped" and n["params"].get("prev") == "stopping":
            break
    p.stop()


def test_S53_other_uids_are_kept_out(w):
    need_root()
    os.chmod(w.dir, 0o755)
    p = ready(w)
    r = w.run("status", "-s", p.socket, user=(65534, 65534))
    check(r.rc in (4, 5), r)
    equal(stat_mode(p.socket), 0o600, "mode of the socket")
    p.stop()


def stat_mode(path):
    return os.stat(path).st_mode & 0o7777


def test_read_group_may_look_but_not_act(w):
    need_root()
    os.chmod(w.dir, 0o755)
    p = ready(w, '[control]\nmode = "0666"\ngroup = "daemon"\nread_group = "bin"\nsocket = "%s"\n' % w.path("c.sock"),
              socket=w.path("c.sock"))
    sock = w.path("c.sock")
    import grp
    operate, read = grp.getgrnam("daemon").gr_gid, grp.getgrnam("bin").gr_gid
    w.run("status", "-s", sock, user=(65534, read)).expect(0)
    r = w.run("stop", "-s", sock, "a", user=(65534, read)).expect(4)
    check(r.err.strip(), "no message")
    w.run("stop", "-s", sock, "a", user=(65534, operate)).expect(0)
    w.run("status", "-s", sock, user=(65534, 65534)).expect(4)
    w.run("shutdown", "-s", sock, user=(65534, read)).expect(4)
    w.run("shutdown", "-s", sock).expect(0)
    equal(p.wait_end(), 0, "exit code")


def test_procds_own_uid_may_do_all(w):
    need_root()
    os.chmod(w.dir, 0o1777)
    p = ready(w, user=(12345, 12345))
    w.run("restart", "-s", p.socket, "a", user=(12345, 12345)).expect(0)
    w.run("status", "-s", p.socket).expect(0)
    check(w.run("status", "-s", p.socket, user=(12346, 12346)).rc in (4, 5), "a stranger was served")
    p.stop()


def test_how_the_socket_is_found(w):
    p = ready(w, 'name = "findme"\n')
    for args, env in ((("-s", p.socket), None), (("-c", p.config_path), None), ((), {"PROCD_SOCKET": p.socket})):
        j = w.run("status", "--json", *args, env=env).expect(0).json()
        equal(j["name"], "findme", "by %r %r" % (args, env))
    w.run("-s", p.socket, "status").expect(0)
    p.stop()


def test_status_record_has_all_fields(w):
    p = ready(w)
    s = p.status()
    for key in ("name", "version", "generation", "keeper_pid", "supervisor_pid", "uptime_ms", "state", "config_file",
                "subsystems", "stats"):
        check(key in s, "no %r" % key)
    for key in ("id", "name", "state", "ready", "health", "pid", "uptime_ms", "restart_count", "attempt", "gave_up",
                "next_restart_ms", "exit_code", "signal", "last_error", "generation"):
        check(key in s["subsystems"][0], "no %r in %r" % (key, s["subsystems"][0]))
    for key in ("total", "starting", "running", "stopping", "stopped", "failed", "restarting", "total_restarts"):
        check(key in s["stats"], "no stats.%s" % key)
    equal((s["state"], s["stats"]["running"], s["config_file"]), ("running", 1, p.config_path), "values")
    text = p.ctl("status").expect(0).out
    contains(text, "running", "the table")
    check("\x1b" not in text, "escape sequences without a terminal")
    p.stop()


def test_a_brief_status_says_the_same_and_leaves_out_what_says_nothing(w):
    p = w.procd(w.sub("a", depends_on=["b"]) + w.sub("b", "--exit", "3", type="oneshot") + w.sub("c"))
    p.wait_state("b", "failed")
    p.wait_state("c", "running")
    c = p.connect()
    whole = {s["name"]: s for s in c.request("status.get")["result"]["subsystems"]}
    brief = {s["name"]: s for s in c.request("status.get", {"brief": True})["result"]["subsystems"]}
    equal(list(brief), list(whole), "names")
    moving = ("uptime_ms", "rss_bytes", "cpu_percent")
    for name, s in brief.items():
        for key in set(s) - set(moving):
            equal(s[key], whole[name][key], name + "." + key)
        for key in set(whole[name]) & {"pid", "exit_code", "signal", "last_error", "waits_for", "status_text"} - set(s):
            check(whole[name][key] in (None, []), (name, key))
    equal(brief["b"]["exit_code"], 3, "how it ended")
    equal(c.request("status.get", {"brief": 1})["error"]["code"], -32602, "bad params")
    p.stop()


def test_lists_have_the_order_of_the_configuration(w):
    def names(out):
        return [line.split()[0] for line in out.splitlines() if line.split("@")[0].split(" ")[0] in "abcd"]

    p = w.procd(w.sub("b") + w.sub("a"))
    p.wait_state("a", "running")
    # c and the instances get slots behind that of a, and the first free one
    p.write(w.sub("c", instances=2, groups=["g"]) + w.sub("d", groups=["g"]) + w.sub("a", groups=["g"]))
    p.ctl("reload-config").expect(0)
    p.wait_event(type="subsystem_removed", name="b")
    p.ctl("scale", "c", "3").expect(0)
    want = ["c@0", "c@1", "c@2", "d", "a"]
    equal([s["name"] for s in p.status()["subsystems"]], want, "status --json")
    equal(names(p.ctl("status").expect(0).out), want, "status")
    equal([s["name"] for s in p.ctl("status", "--json", "a", "c").expect(0).json()["subsystems"]], ["c@0", "c@1", "c@2", "a"], "of some")
    equal([s["name"] for s in p.rpc("subsystem.why", {"names": ["all"]})["subsystems"]], want, "why")
    p.stop()


def test_of_several_what_went_well_and_what_did_not_is_told(w):
    p = w.procd(w.sub("a") + '[subsystem.b]\ncommand = "/nonexistent"\nrestart = "never"\n' + w.sub("c"))
    p.wait_state("c", "running")
    r = p.ctl("restart", "all").expect(1)
    equal(r.out, "a: restarted\nc: restarted\n", "stdout")
    contains(r.err, "procd: b: start failed: cannot execute", "stderr")
    data = p.ctl("restart", "--json", "all").expect(1).json()["error"]["data"]
    equal((data["done"], [f["name"] for f in data["failures"]]), (["a", "c"], ["b"]), "done and failures")
    equal(p.ctl("restart", "-q", "all").expect(1).out, "", "stdout with -q")
    r = p.ctl("restart", "--rolling", "all").expect(1)
    equal(r.out, "a: restarted\n", "stdout of a rolling restart, which ends at the first failure")
    contains(r.err, "(1 more was not restarted)", "stderr")
    p.stop()


def test_json_errors_of_verbs(w):
    p = ready(w)
    j = p.ctl("start", "nobody", "--json").expect(4).json()
    check({"code", "message"} <= set(j["error"]), j)
    p.ctl("stop", "a", "--json").expect(0).json()
    p.stop()


def test_shutdown_verb_waits_for_the_keeper(w):
    p = ready(w)
    p.ctl("shutdown").expect(0)
    equal(p.wait_end(0.5), 0, "exit code")
    p.nothing_left()
    q = ready(w, label="q")
    q.ctl("shutdown", "--kill").expect(0)
    check(q.wait_end() in (0, 3), "exit code")


def test_wait_for_more_than_a_request_has_room_for(w):
    names = ["s-%s-%04d" % ("x" * 56, i) for i in range(1000)]
    p = w.procd("".join('[subsystem.%s]\ncommand = "/bin/true"\ntype = "oneshot"\nautostart = false\n' % n for n in names))
    f = subprocess.Popen([w.procd_path, "wait", "-s", p.socket, "all", "--for", "running", "--timeout", "60s"],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=w.env())
    for name in names[:10]:
        p.ctl("start", name).expect(0)
    p.ctl("start", "all", timeout=60).expect(0)
    out, err = f.communicate()
    equal((f.returncode, out, err), (0, b"", b""), "wait")
    p.stop()


def test_a_named_file_that_cannot_be_read_leads_to_no_other_procd(w):
    os.chmod(w.dir, 0o755)
    locked = write_text(w.path("locked.toml"), 'name = "q"\n', 0o600)
    other = {"PROCD_SOCKET": ready(w).socket}
    for path, rc in ((w.dir, 66), ("", 66), (w.path("none.toml"), 66)):
        r = w.run("status", "-c", path, env=other).expect(rc)
        equal(r.out, "", "status of another procd")
    if os.geteuid() == 0:
        contains(w.run("stop", "all", "-c", locked, user=(65534, 65534)).expect(77).err, locked, "message")
        w.run("status", "--name", "q", "-c", locked, user=(65534, 65534)).expect(5)
    w.instances[0].stop()


def test_log_level_verb(w):
    p = ready(w)
    p.ctl("log-level", "debug").expect(0)
    p.ctl("log-level", "error").expect(0)
    p.stop()


def test_F08_a_deleted_socket_does_no_harm(w):
    p = ready(w)
    pid = p.pid_of("a")
    os.unlink(p.socket)
    check(alive(pid), "the child died")
    import signal
    os.kill(p.pid, signal.SIGHUP)
    p.stop()


def test_F94_escape_sequences_do_not_reach_the_terminal(w):
    with open(w.path("in"), "wb") as f:
        f.write(b"\x1b[2J\x1b]0;evil\x07text\n")
    p = w.procd(w.sub("a", "--copy", w.path("in")))
    wait_until(lambda: "text" in p.ctl("logs", "a").out, "the line")
    import pty
    master, slave = pty.openpty()
    f = subprocess.Popen([w.procd_path, "logs", "-s", p.socket, "a"], stdout=slave, stderr=slave, env=w.env())
    os.close(slave)
    f.wait(10)
    out = os.read(master, 65536)
    os.close(master)
    check(b"text" in out and b"\x1b]0;" not in out and b"\x1b[2J" not in out, out)
    p.stop()


def test_F08_a_removed_socket_file_is_made_again(w):
    p = w.procd(w.sub("a", "--sleep", 1000))
    p.wait_state("a", "running")
    pid = p.pid_of("a")
    mode = os.stat(p.socket).st_mode
    for how in ("unlink", "rename"):
        if how == "unlink":
            os.unlink(p.socket)
        else:
            os.rename(p.socket, p.socket + ".elsewhere")
        wait_until(lambda: os.path.exists(p.socket), "the socket again")
        equal(os.stat(p.socket).st_mode, mode, "mode")
        equal(p.pid_of("a"), pid, "the child's pid")
    supervisor = p.supervisor_pid()
    os.kill(supervisor, signal.SIGSTOP)
    os.unlink(p.socket)
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: os.path.exists(p.socket), "the socket after a death that nobody saw it removed in")
    equal(p.pid_of("a"), pid, "the child's pid")
    check("was removed by somebody" in read_text(p.log_path), "nobody was told")
    p.stop()
    check(not os.path.exists(p.socket), "the socket is still there")


def test_a_socket_that_a_reload_named_anew(w):
    """The key acts after a restart of procd: until then the socket stays where it is."""
    p = w.procd(w.sub("a", "--sleep", 1000))
    pid = p.wait_state("a", "running")["pid"]
    p.write('[control]\nsocket = "%s"\n' % w.path("run/other") + w.sub("a", "--sleep", 1000))
    contains(p.ctl("reload-config").expect(0).out, "control.socket", "what needs a restart")
    for _ in range(2):
        equal(p.pid_of("a"), pid, "pid of a")
        p.kill_supervisor()
    check(not os.path.exists(w.path("run/other")), "another socket was made")
    check("was removed" not in read_text(p.log_path), "it was not")
    p.stop()
    check(not os.path.exists(p.socket), "the socket is still there")


def test_F08_a_removed_directory_of_the_socket_is_told_and_waited_for(w):
    sockets = w.path("sockets")
    os.mkdir(sockets)
    p = w.procd('[control]\nsocket = "%s/s"\n' % sockets + w.sub("a", "--sleep", 1000), socket=sockets + "/s")
    p.wait_state("a", "running")
    os.rename(sockets, sockets + ".gone")
    os.unlink(sockets + ".gone/s")
    wait_until(lambda: "nobody can connect" in read_text(p.log_path), "the message")
    os.mkdir(sockets)
    wait_until(lambda: os.path.exists(p.socket), "the socket again", 30)
    p.pid_of("a")
    p.stop()
