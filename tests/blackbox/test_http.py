"""The web role: `procd http` as the subsystem procd.http (interface 2: [http]; seed map S3, O14)."""

import ctypes
import http.client
import json
import os
import signal
import socket
import struct

from harness import *

TOKEN = "0123456789abcdef0123456789abcdef"
NOBODY = (65534, 65534)
ROLE = "procd.http"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def token_file(w, text=TOKEN + "\n", mode=0o600):
    path = write_text(w.path("token"), text)
    os.chmod(path, mode)
    return path


def web(w, config="", port=None, **keys):
    """A procd with a web role that answers, and its port."""
    w.need_feature("http")
    port = port or free_port()
    lines = ["[http]", 'listen = "127.0.0.1:%d"' % port] + ["%s = %s" % (k, toml(v)) for k, v in keys.items()]
    p = w.procd("\n".join(lines) + "\n" + config)
    p.wait_state(ROLE, "running")
    return p, port


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


def get(where, path="/metrics", method="GET", body=None, **headers):
    """(status, headers, text); WHERE: a port of 127.0.0.1, or the path of a socket."""
    c = Unix(where) if isinstance(where, str) else http.client.HTTPConnection("127.0.0.1", where, timeout=30)
    c.request(method, path, body=body, headers=headers)
    r = c.getresponse()
    text = r.read().decode()
    c.close()
    return r.status, dict(r.getheaders()), text


def raw(port, data):
    """What comes back for DATA until the end; "" when the peer just goes away."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        out = b""
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while True:
                got = s.recv(65536)
                if not got:
                    break
                out += got
        except TimeoutError:
            raise
        except OSError:
            pass
        return out.decode("latin-1")


def bearer(token=TOKEN):
    return {"Authorization": "Bearer " + token}


def test_metrics_and_health_are_served(w):
    w.need_feature("metrics")
    p, port = web(w, w.sub("a"))
    p.wait_state("a", "running")
    status, headers, text = get(port)
    equal(status, 200, "status")
    contains(headers["Content-Type"], "application/openmetrics-text; version=1.0.0", "type")
    check(text.endswith("# EOF\n"), "the end")
    contains(text, 'procd_subsystem_up{name="a"} 1\n', "a")
    contains(text, 'procd_subsystem_up{name="%s"} 1\n' % ROLE, "itself")
    status, headers, text = get(port, Accept="text/plain;version=0.0.4")
    contains(headers["Content-Type"], "text/plain; version=0.0.4", "the older format")
    check("# EOF" not in text, "the older format has no end")
    status, headers, text = get(port, "/healthz")
    equal((status, text), (200, "ok\n"), "health")
    equal(headers["X-Content-Type-Options"], "nosniff", "nosniff")
    status, headers, text = get(port, "/metrics?x=y", method="HEAD")
    equal((status, text), (200, ""), "HEAD")
    check(int(headers["Content-Length"]) > 1000, "the length of what GET would bring")
    p.stop()


def test_it_is_a_process_of_its_own_without_rights(w):
    p, port = web(w, w.sub("a"))
    pid = p.pid_of(ROLE)
    equal(comm(pid), "procd-http", "comm")
    equal(cmdline(pid), "procd: http procd", "title")
    status = dict(line.split(":\t", 1) for line in read_text("/proc/%d/status" % pid).splitlines() if ":\t" in line)
    equal(status["NoNewPrivs"].strip(), "1", "no new privileges")
    for which in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        equal(int(status[which], 16), 0, which)
    if os.geteuid() == 0:
        equal(status["Uid"].split(), ["65534"] * 4, "user")
        equal(int(status["CapBnd"], 16), 0, "bounding set")
    check("libmicrohttpd" in read_text("/proc/%d/maps" % pid), "its library")
    for other in (p.pid, p.supervisor_pid()):
        check("libmicrohttpd" not in read_text("/proc/%d/maps" % other), "nobody else's")
    p.stop()


def test_off_by_default_and_not_to_be_declared(w):
    w.need_feature("http")
    p = w.procd(w.sub("a"))
    equal([s["name"] for s in p.status()["subsystems"]], ["a"], "subsystems")
    r = w.run("check", "-c", write_text(w.path("c.toml"), "[subsystem.procd.http]\ncommand = \"true\"\n")).expect(78)
    contains(r.err, "c.toml:1:1: procd.http is procd's own", "reserved")
    r = w.run("http").expect(64)
    contains(r.err, "http.listen", "by hand")
    p.stop()


def test_what_would_be_open_to_others_is_refused_at_load(w):
    w.need_feature("http")
    for address in ("0.0.0.0:1", "[::]:1", "192.0.2.1:80", "[::ffff:127.0.0.1]:1"):
        text = '[http]\nlisten = "%s"\n%s' % (address, w.sub("a"))
        r = w.run("check", "-c", write_text(w.path("c.toml"), text)).expect(78)
        contains(r.err, "c.toml:2:10: http.listen: others than this machine", address)
        w.run("check", "-c", write_text(w.path("c.toml"), text), "--set", "http.token_file=" + token_file(w)).expect(0)
    for address in ("", "x", "80", ":80", "udp:127.0.0.1:1", "unix:rel", "x=127.0.0.1:1", "example.org:80", "127.0.0.1:99999"):
        w.run("check", "-c", write_text(w.path("c.toml"), '[http]\nlisten = "%s"\n' % address)).expect(78)
    for address in ("127.0.0.1:0", "[::1]:9464", "localhost:1", "tcp:127.0.0.1:1", "unix:/tmp/x"):
        w.run("check", "-c", write_text(w.path("c.toml"), '[http]\nlisten = "%s"\n' % address)).expect(0)
    r = w.run("check", "-c", write_text(w.path("c.toml"), '[http]\nallow = "operate"\n')).expect(78)
    contains(r.err, "accepted: read", "allow")


def test_a_request_is_refused_by_its_status(w):
    p, port = web(w, w.sub("a"))
    for status, path, method, body, headers in (
            (421, "/metrics", "GET", None, {"Host": "evil.example"}),
            (421, "/metrics", "GET", None, {"Host": "evil.example:%d" % port}),
            (421, "/metrics", "GET", None, {"Host": "127.0.0.1.evil.example"}),
            (404, "/", "GET", None, {}), (404, "/metrics/", "GET", None, {}), (404, "/../etc/passwd", "GET", None, {}),
            (405, "/metrics", "POST", "x=y", {}), (405, "/metrics", "DELETE", None, {}), (405, "/healthz", "OPTIONS", None, {}),
            (400, "/metrics", "GET", "x", {}),
            (200, "/healthz", "GET", None, {"Host": "localhost"})):
        equal(get(port, path, method, body, **headers)[0], status, "%s %s %s" % (method, path, headers))
    begin = "GET /healthz HTTP/1.1\r\n"
    for data in ("nonsense\r\n\r\n", begin + "\r\n", begin + "Host: localhost\r\nHost: localhost\r\n\r\n",
                 begin + "Host: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nx",
                 begin + "Host: localhost\r\nA: " + "x" * 100000 + "\r\n\r\n", "GET /" + "x" * 100000 + " HTTP/1.1\r\n\r\n"):
        answer = raw(port, data.encode("latin-1"))
        check(" 200 " not in answer.split("\n")[0], "%r was answered with %r" % (data[:80], answer[:80]))
    # what it takes for the beginning of a line is answered when its time for a request has passed: ten seconds
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.sendall(b"\x00\xff" * 500 + b"\r\n\r\n")
        equal(get(port, "/healthz")[0], 200, "nothing of that was a matter for anybody else")
        s.setblocking(False)
        try:
            check(b" 200 " not in s.recv(100), "noise was answered")
        except BlockingIOError:
            pass
    equal(p.of(ROLE)["restart_count"], 0, "restarts")
    p.stop()


def test_a_token_is_asked_for_and_never_shown(w):
    p, port = web(w, w.sub("a"), token_file=token_file(w))
    for headers in ({}, bearer("x"), bearer(TOKEN[:-1]), bearer(TOKEN + "0"), {"Authorization": TOKEN}, {"Authorization": "Basic " + TOKEN}):
        status, answer, text = get(port, "/nowhere", **headers)
        equal((status, answer["WWW-Authenticate"]), (401, "Bearer"), headers)
    equal(get(port, "/healthz", **bearer())[0], 200, "with it")
    equal(get(port, "/nowhere", **bearer())[0], 404, "only now it is told what there is not")
    pid = p.pid_of(ROLE)
    for secret in (read_bytes("/proc/%d/cmdline" % pid), read_bytes("/proc/%d/environ" % pid), read_bytes(p.log_path),
                   p.ctl("config", "--json").out.encode(), p.ctl("status", "--json").out.encode()):
        check(TOKEN.encode() not in secret, "the token was told")
    equal(read_link("/proc/%d/fd/0" % pid), "/dev/null", "its standard input")
    p.stop()


def test_without_its_token_it_does_not_start(w):
    w.need_feature("http")
    port = free_port()
    for name, text, mode, why in (("mode", TOKEN, 0o640, "0600"), ("short", "abc", 0o600, "128 bit"), ("empty", "", 0o600, "empty")):
        path = token_file(w, text, mode)
        p = w.procd(w.sub("a") + '[http]\nlisten = "127.0.0.1:%d"\ntoken_file = "%s"\n' % (port, path), label=name)
        p.wait_state(ROLE, "failed")
        wait_until(lambda: why in read_text(p.log_path), "the log to say why")
        p.wait_state("a", "running")
        check("running" not in p.states(ROLE), "it ran")
        p.stop()
    os.unlink(path)
    p = w.procd(w.sub("a") + '[http]\nlisten = "127.0.0.1:%d"\ntoken_file = "%s"\n' % (port, path), label="missing")
    e = p.wait_state(ROLE, "failed")
    equal((e["error"]["stage"], e["error"]["errno"]), ("stdin", "ENOENT"), "error")
    contains(w.run("check", "-c", p.config_path).expect(0).err, "procd.http will not start", "warning")
    token_file(w)
    p.wait_state(ROLE, "running")
    equal(get(port, "/healthz", **bearer())[0], 200, "when it is there")
    p.stop()


def test_it_is_addressed_by_its_name_only(w):
    p, port = web(w, w.sub("a"))
    p.wait_state("a", "running")
    before = p.pid_of(ROLE)
    for names in (["all"], ["*"], ["procd.*"], ["a", "p*"]):
        r = p.ctl("restart", *names)
        check(r.rc in (0, 4), str(r))
        equal(p.pid_of(ROLE), before, names)
    equal([s["name"] for s in p.status()["subsystems"]], ["a", ROLE], "listed")
    equal(p.status()["stats"]["total"], 2, "counted")
    p.ctl("restart", ROLE).expect(0)
    check(p.pid_of(ROLE) != before, "by its name")
    equal(get(port, "/healthz")[0], 200, "health")
    p.ctl("stop", ROLE).expect(0)
    equal(p.of(ROLE)["state"], "stopped", "state")
    p.ctl("start", ROLE).expect(0)
    text = p.ctl("config").expect(0).out
    check("[subsystem.procd" not in text, "it is in the effective configuration")
    equal(sorted(p.ctl("config", "--json").json()["subsystem"]), ["a"], "nor as JSON")
    w.run("check", "-c", write_text(w.path("again.toml"), text)).expect(0)
    p.stop()


def test_defaults_are_not_meant_for_it(w):
    p, port = web(w, w.sub("a") + "[defaults]\npre_start = [\"false\"]\nstdout = \"null\"\nautostart = false\n")
    equal(get(port, "/healthz")[0], 200, "health")
    p.stop()


def test_a_reload_starts_moves_and_stops_it(w):
    w.need_feature("http")
    text, ports = w.sub("a"), (free_port(), free_port())
    p = w.procd(text)
    p.wait_state("a", "running")
    before = p.pid_of("a")
    for port in ports:
        mark = p.mark_now()
        p.write(text + '[http]\nlisten = "127.0.0.1:%d"\n' % port)
        contains(p.ctl("plan").out, ROLE, "plan")
        p.ctl("reload-config").expect(0)
        p.wait_state(ROLE, "running", after=mark)
        equal(get(port, "/healthz")[0], 200, "health")
    mark = p.mark_now()
    p.write(text)
    p.ctl("reload-config").expect(0)
    wait_until(lambda: len(p.status()["subsystems"]) == 1, "it to be gone")
    for port in ports:
        with socket.socket() as s:
            check(s.connect_ex(("127.0.0.1", port)) != 0, "somebody listens")
    check(not os.path.exists(os.path.join(p.run_dir, "http.sock")), "the socket is left behind")
    equal(p.pid_of("a"), before, "the other's pid")
    p.stop()


def test_a_configuration_with_nothing_else_is_as_empty_as_without_it(w):
    w.need_feature("http")
    p, port = web(w, w.sub("a"))
    p.write('[http]\nlisten = "127.0.0.1:%d"\n' % port)
    check(p.ctl("reload-config").rc != 0, "it was not refused")
    p.ctl("reload-config", "--allow-empty").expect(0)
    equal(get(port, "/healthz")[0], 200, "health")
    p.stop()


def test_it_outlives_a_supervisor_and_goes_with_a_keeper(w):
    p, port = web(w, w.sub("a"))
    before = p.pid_of(ROLE)
    p.kill_supervisor()
    wait_until(lambda: get(port, "/healthz")[0] == 200, "procd to be there again")
    equal(p.pid_of(ROLE), before, "its pid")
    supervisor = p.supervisor_pid()
    os.kill(p.pid, signal.SIGKILL)
    wait_gone(supervisor)
    wait_gone(before)
    p.start()
    p.wait_state(ROLE, "running", after=p.find_events(type="supervisor_recovered")[-1]["seq"])
    equal(get(port, "/healthz")[0], 200, "health")
    p.stop()


def test_while_procd_is_not_there_it_says_so(w):
    p, port = web(w, w.sub("a"))
    os.kill(p.supervisor_pid(), signal.SIGSTOP)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        p.kill_supervisor()
        status = s.recv(4096).split()[1]
    contains(("503", "200"), status.decode(), "status")
    wait_until(lambda: get(port, "/healthz")[0] == 200, "procd to be there again")
    p.stop()


def test_switched_off_metrics_are_told(w):
    p, port = web(w, w.sub("a") + "[monitoring]\nenable_metrics = false\n")
    status, headers, text = get(port)
    equal(status, 503, "status")
    contains(text, "metrics", "why")
    equal(get(port, "/healthz")[0], 200, "health")
    p.stop()


def test_its_unix_socket_is_its_users(w):
    w.need_feature("http")
    path = w.path("web.sock")
    p = w.procd(w.sub("a") + '[http]\nlisten = "unix:%s"\n' % path)
    p.wait_state(ROLE, "running")
    equal(get(path, "/healthz")[0], 200, "health")
    st = os.stat(path)
    equal(st.st_mode & 0o777, 0o700, "mode")
    equal(st.st_uid, 65534 if os.geteuid() == 0 else os.geteuid(), "owner")
    p.stop()
    check(not os.path.exists(path), "left behind")


def test_many_clients_are_bounded_and_nobodys_matter(w):
    p, port = web(w, w.sub("a"))
    idle = []
    for i in range(60):
        s = socket.create_connection(("127.0.0.1", port), timeout=30)
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: local")
        idle.append(s)
    wait_until(lambda: len(os.listdir("/proc/%d/fd" % p.pid_of(ROLE))) >= 32, "the first of them to be taken")
    p.ctl("status").expect(0)
    check(len(os.listdir("/proc/%d/fd" % p.pid_of(ROLE))) < 60, "all of them were taken")
    for s in idle:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    wait_until(lambda: raw(port, b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")[9:12] == "200", "room again")
    equal(p.of(ROLE)["restart_count"], 0, "restarts")
    p.stop()


def test_who_takes_it_over_learns_no_more_than_metrics(w):
    """The connection itself can do no more than what the role asks: its own, taken away from it, is tried."""
    p, port = web(w, w.sub("a"))
    pid = p.pid_of(ROLE)
    os.kill(pid, signal.SIGSTOP)
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = libc.syscall(434, pid, 0)
    link = None
    for fd in [int(f) for f in os.listdir("/proc/%d/fd" % pid)]:
        got = libc.syscall(438, pidfd, fd, 0)
        if got < 0 and ctypes.get_errno() in (1, 38):
            raise Skip("pidfd_getfd is not there or not allowed")
        if not os.readlink("/proc/self/fd/%d" % got).startswith("socket:"):
            os.close(got)
            continue
        s = socket.socket(fileno=got)
        try:
            s.getpeername()
        except OSError:
            continue
        if s.family == socket.AF_UNIX:
            link = s
    link.settimeout(30)
    answers = link.makefile("rb")
    for method, params, fine in (("daemon.features", {}, True), ("metrics.get", {}, True), ("status.get", {}, False),
                                 ("logs.get", {"names": ["a"]}, False), ("events.subscribe", {}, False), ("config.get", {}, False),
                                 ("subsystem.stop", {"names": ["a"]}, False), ("daemon.shutdown", {}, False)):
        link.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        answer = json.loads(answers.readline())
        if fine:
            check("result" in answer, answer)
        else:
            equal(answer["error"]["data"]["code"], 5002, method)
    os.close(pidfd)
    os.kill(pid, signal.SIGCONT)
    equal(p.of("a")["state"], "running", "a")
    p.stop()


def test_an_ordinary_users_procd_has_it_as_that_user(w):
    w.need_feature("http")
    if os.geteuid() == 0:
        if w.run_program([w.procd_path, "--version"], user=NOBODY).rc != 0:
            raise Skip("the build directory is closed to others")
        os.chown(w.dir, *NOBODY)
    port = free_port()
    p = w.procd(w.sub("a") + '[http]\nlisten = "127.0.0.1:%d"\ntoken_file = "token"\n' % port, start=False, cwd=w.dir,
                user=NOBODY if os.geteuid() == 0 else None)
    path = token_file(w)
    if os.geteuid() == 0:
        os.chown(path, *NOBODY)
    p.start()
    p.wait_state(ROLE, "running")
    equal(get(port, "/healthz", **bearer())[0], 200, "health")
    p.stop()


def test_prometheus_scrapes_it(w):
    w.need_feature("metrics", "http")
    prometheus, promtool = need_program("prometheus"), need_program("promtool")
    p, port = web(w, w.sub("a") + w.sub("b", "--exit", 3, restart="never"), token_file=token_file(w))
    p.wait_state("b", "failed")
    r = w.run_program([promtool, "check", "metrics"], stdin=get(port, Accept="text/plain", **bearer())[2].encode())
    equal((r.rc, r.err), (0, ""), "promtool")
    own = free_port()
    write_text(w.path("prometheus.yml"), """global: {scrape_interval: 100ms, scrape_timeout: 100ms}
scrape_configs:
- job_name: procd
  static_configs: [{targets: ["127.0.0.1:%d"]}]
  authorization: {credentials_file: "%s"}
""" % (port, w.path("token")))
    watcher = w.sub("x").replace(w.child(), toml([prometheus, "--config.file=" + w.path("prometheus.yml"),
                                                  "--storage.tsdb.path=" + w.path("tsdb"), "--web.listen-address=127.0.0.1:%d" % own]))
    other = w.procd(watcher, label="watcher")

    def query(text):
        try:
            answer = json.loads(get(own, "/api/v1/query?query=" + text)[2])
        except (OSError, ValueError):
            return []
        return [(r["metric"], r["value"][1]) for r in answer.get("data", {}).get("result", [])]

    wait_until(lambda: [v for m, v in query("procd_subsystem_up") if m["name"] == "a"] == ["1"], "a scrape", timeout=30)
    equal([v for m, v in query("up")], ["1"], "the target is up")
    equal([(m["code"], v) for m, v in query("procd_subsystem_exits_total") if m["name"] == "b"], [("3", "1")], "counters")
    check(query("procd_subsystem_start_seconds_bucket"), "histograms")
    other.stop()
    p.stop()
