"""Who may do what, and what a child can reach (interface 4, SECURITY.md; faults.md F38, F91-F93, G21).

Strangers are made with numeric ids that need no entry in /etc/passwd, so most tests need root."""

import json
import os
import signal
import socket
import subprocess

from harness import *
from people import *
from rpc import Connection

OPERATORS = 12100
READERS = 12200

READ, OPERATE, ADMIN = 1, 2, 3

# Verb of the command line -> (method, what it takes, parameters that do no harm).
VERBS = {
    "status": ("status.get", READ, {}),
    "wait": ("status.get", READ, {}),
    "is-active": ("status.get", READ, {}),
    "is-ready": ("status.get", READ, {}),
    "is-failed": ("status.get", READ, {}),
    "top": ("status.get", READ, {}),
    "why": ("subsystem.why", READ, {"names": ["a"]}),
    "graph": ("graph.get", READ, {}),
    "logs": ("logs.follow", READ, {"names": ["a"], "follow": False}),
    "events": ("events.get", READ, {}),
    "plan": ("config.plan", READ, {}),
    "features": ("daemon.features", READ, {}),
    "metrics": ("metrics.get", READ, {}),
    "start": ("subsystem.start", OPERATE, {"names": ["a"]}),
    "stop": ("subsystem.stop", OPERATE, {"names": ["no-such-name"]}),
    "restart": ("subsystem.restart", OPERATE, {"names": ["no-such-name"]}),
    "signal": ("subsystem.signal", OPERATE, {"names": ["a"], "signal": "SIGCONT"}),
    "reload": ("subsystem.reload", OPERATE, {"names": ["no-such-name"]}),
    "scale": ("subsystem.scale", OPERATE, {"names": ["a"], "instances": 2}),
    "profile": ("profile.start", OPERATE, {"names": ["no-such-name"]}),
    "reset-failed": ("subsystem.reset", OPERATE, {"names": ["a"]}),
    "reload-config": ("config.reload", ADMIN, {}),
    "log-level": ("daemon.log_level", ADMIN, {"level": "info"}),
    "reopen-logs": ("daemon.reopen_logs", ADMIN, {}),
    "shutdown": ("daemon.shutdown", ADMIN, {"mode": "not-a-mode"}),
    "upgrade": ("daemon.upgrade", ADMIN, {"binary": "relative"}),
}
# Methods behind no verb of their own.
METHODS = {
    "events.subscribe": (READ, {}),
    "logs.get": (READ, {"names": ["a"]}),
    "config.get": (ADMIN, {}),
    "profile.stop": (OPERATE, {}),
}
# They never speak to a running procd.
LOCAL = {"run", "check", "config", "import", "simulate", "doctor", "http"}


# --- the matrix ------------------------------------------------------------------------------------

def methods_of_build(w):
    """(method, access, parameters) of all that this build knows."""
    text = w.run("--help").expect(0).out
    verbs = [line.split()[0] for line in text[text.index("Verbs:"):text.index("Common options")].splitlines()
             if line.startswith("  ") and line[2:3].strip()]
    unknown = [v for v in verbs if v not in VERBS and v not in LOCAL]
    check(not unknown, "verbs without a row in this matrix: %r" % unknown)
    return sorted({(m, a, json.dumps(p)) for v, (m, a, p) in VERBS.items() if v in verbs} |
                  {(m, a, json.dumps(p)) for m, (a, p) in METHODS.items()})


def ask_all(path, methods):
    """{method: "allowed" or "refused"} over one connection; anything else is the whole answer."""
    answers = {}
    for method, _, params in methods:
        c = Connection(path)
        a = c.request(method, json.loads(params))
        c.close()
        e = a.get("error")
        if e and e.get("data", {}).get("code") == 5002 and "permission denied" in e["message"]:
            answers[method] = "refused"
        elif e and e["code"] == -32601:
            answers[method] = a
        else:
            answers[method] = "allowed"
    return answers


def test_G21_every_verb_for_every_peer(w):
    need_root()
    os.chmod(w.dir, 0o755)
    p = w.procd("[control]\nmode = \"0666\"\ngroup = \"%d\"\nread_group = \"%d\"\n" % (OPERATORS, READERS) + w.sub("a"))
    p.wait_state("a", "running")
    methods = methods_of_build(w)
    peers = [  # who, uid, gid, groups, access
        ("root", 0, 0, (), ADMIN),
        ("root without groups", 0, STRANGER, (), ADMIN),
        ("operator by primary group", STRANGER, OPERATORS, (), OPERATE),
        ("operator by supplementary group", STRANGER, STRANGER, (5, OPERATORS, 7), OPERATE),
        ("operator among 200 groups", STRANGER, STRANGER, tuple(range(30000, 30200)) + (OPERATORS,), OPERATE),
        ("both groups", STRANGER, READERS, (OPERATORS,), OPERATE),
        ("reader", STRANGER, READERS, (), READ),
        ("reader by supplementary group", STRANGER, STRANGER, (READERS,), READ),
        ("stranger", STRANGER, STRANGER, (), 0),
        ("stranger with root's group", STRANGER, 0, (0,), 0),
        ("F93 a uid beyond INT_MAX", 4000000000, 4000000000, (), 0),
        ("F93 the largest uid", 4294967294, 4294967294, (), 0),
    ]
    wrong = []
    for who, uid, gid, groups, access in peers:
        got = as_user(lambda: ask_all(p.socket, methods), uid, gid, groups)
        for method, needs, _ in methods:
            want = "allowed" if access >= needs else "refused"
            if got[method] != want:
                wrong.append("%s, %s: %r, want %s" % (who, method, got[method], want))
    check(not wrong, "\n".join(wrong))
    equal(p.of("a")["state"], "running", "nothing was changed by those who may not")
    p.stop()


def test_G21_procds_own_user_and_root_may_do_all_and_others_nothing(w):
    need_root()
    os.chown(w.dir, STRANGER, STRANGER)
    p = w.procd("[control]\nmode = \"0666\"\n" + w.sub("a"), user=(STRANGER, STRANGER))
    p.wait_state("a", "running")
    methods = methods_of_build(w)
    os.chmod(w.dir, 0o755)
    os.chmod(p.run_dir, 0o755)
    for uid, want in ((STRANGER, "allowed"), (0, "allowed"), (OTHER, "refused")):
        got = as_user(lambda: ask_all(p.socket, methods), uid)
        equal({m: got[m] for m, _, _ in methods}, {m: want for m, _, _ in methods}, "uid %d" % uid)
    p.stop()


def test_G21_a_refusal_has_exit_code_4_and_names_what_is_needed(w):
    need_root()
    os.chmod(w.dir, 0o755)
    p = w.procd("[control]\nmode = \"0666\"\nread_group = \"%d\"\n" % READERS + w.sub("a"))
    p.wait_state("a", "running")
    reader, stranger = (STRANGER, READERS), (STRANGER, STRANGER)
    p.ctl("status", user=reader).expect(0)
    p.ctl("is-active", "a", user=reader).expect(0)
    for args, user in ((("stop", "a"), reader), (("start", "a"), reader), (("signal", "a", "TERM"), reader),
                       (("reload-config",), reader), (("shutdown",), reader), (("log-level", "debug"), reader),
                       (("status",), stranger), (("is-active", "a"), stranger), (("logs", "a"), stranger),
                       (("events",), stranger), (("events", "-f"), stranger), (("shutdown",), stranger)):
        r = p.ctl(*args, user=user).expect(4)
        contains(r.err, "permission denied", "stderr of %r" % (args,))
        equal(r.out, "", "stdout of %r" % (args,))
    e = p.ctl("stop", "a", "--json", user=reader).expect(4).json()["error"]
    equal((e["data"]["category"], e["data"]["code"]), ("io", 5002), "category and code")
    equal(p.of("a")["state"], "running", "state")
    p.stop()


def test_a_closed_door_says_so(w):
    need_root()
    os.chmod(w.dir, 0o755)
    p = w.procd(w.sub("a"))
    r = p.ctl("status", user=(STRANGER, STRANGER)).expect(4)
    contains(r.err.lower(), "permission denied", "stderr")
    p.stop()


def test_a_reload_that_takes_the_group_away_counts_at_once(w):
    need_root()
    os.chmod(w.dir, 0o755)
    text = "[control]\nmode = \"0666\"\ngroup = \"%s\"\n" + w.sub("a")
    p = w.procd(text % OPERATORS)
    p.wait_state("a", "running")

    def access():
        c = Connection(p.socket)
        first = "error" in c.request("status.get", {})
        p.write(text % READERS)
        while os.read(go[0], 1) != b"x":
            pass
        second = "error" in c.request("status.get", {})
        return [first, second]

    go = os.pipe()
    os.chmod(p.config_path, 0o666)
    os.chown(w.dir, STRANGER, OPERATORS)
    pid = os.fork()
    if pid == 0:
        try:
            wait_until(lambda: str(READERS) in read_text(p.config_path), "the new file")
            p.ctl("reload-config").expect(0)
        finally:
            os.write(go[1], b"x")
            os._exit(0)
    equal(as_user(access, STRANGER, OPERATORS), [False, True], "refused before and after, on one connection")
    os.waitpid(pid, 0)
    p.stop()


# --- the drop of privileges ------------------------------------------------------------------------

def traced_env(w):
    """Leak checkers do not work under strace."""
    return {"ASAN_OPTIONS": w.env()["ASAN_OPTIONS"] + ":detect_leaks=0"}


def test_F38_each_step_of_the_drop_fails_closed(w):
    need_root()
    strace = need_program("strace")
    os.chmod(w.dir, 0o1777)
    # A call that claims success and does nothing is worse than one that fails: hence retval=0.
    for call, stage in (("setgroups", "groups"), ("setresgid", "gid"), ("setresuid", "uid")):
        for fault in ("error=EPERM", "error=EAGAIN", "error=EINVAL", "error=ENOSYS", "retval=0"):
            label = call + "-" + fault.split("=")[1].lower()
            p = w.procd(w.sub("a", "--starts", w.path("starts"), user=STRANGER, group=STRANGER,
                              supplementary_groups=[OTHER], restart="never"), label=label, env=traced_env(w),
                        launcher=[strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                                  "inject=%s:%s" % (call, fault)])
            # want of memory or of processes is tried again
            e = p.wait_event(lambda e: e["type"] == "spawn_deferred" or e.get("state") == "failed")
            equal(e.get("stage") or e["error"]["stage"], stage, label)
            p.ctl("shutdown").expect(0)
            p.wait_end()
    check(not os.path.exists(w.path("starts")), "it ran with other rights")


def test_F38_the_drop_is_for_good(w):
    need_root()
    os.chmod(w.dir, 0o1777)
    script = write_text(w.path("s.py"), """
import json, os
tried = {}
for name, call in (("setuid", lambda: os.setresuid(-1, 0, -1)), ("setgid", lambda: os.setresgid(-1, 0, -1)),
                   ("setgroups", lambda: os.setgroups([0])), ("chroot", lambda: os.chroot("/"))):
    try:
        call()
        tried[name] = "done"
    except OSError as e:
        tried[name] = e.strerror
tried["caps"] = [l.split()[1] for l in open("/proc/self/status") if l[:6] in ("CapPrm", "CapEff", "CapAmb", "CapInh")]
print(json.dumps(tried))
""", 0o644)
    p = w.procd('[subsystem.a]\ncommand = ["python3", "%s"]\nuser = "%d"\ngroup = "%d"\nrestart = "never"\n'
                % (script, STRANGER, STRANGER))
    p.wait_state("a", "stopped")
    got = json.loads(p.ctl("logs", "a").out)
    equal(got.pop("caps"), ["0000000000000000"] * 4, "capabilities")
    check("done" not in got.values(), got)
    p.stop()


# --- what a child can reach ------------------------------------------------------------------------

PROBE = """
import ctypes, json, os, socket, sys
keeper, supervisor, run_dir, sock = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
out = {}
def attempt(name, call):
    try:
        call()
        out[name] = "done"
    except OSError as e:
        out[name] = e.strerror
libc = ctypes.CDLL(None, use_errno=True)
def ptrace(pid):
    if libc.ptrace(0x4206, pid, 0, 0) < 0:  # PTRACE_SEIZE: it does not stop it
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
for who, pid in (("keeper", keeper), ("supervisor", supervisor)):
    attempt("signal " + who, lambda: os.kill(pid, 0))
    attempt("trace " + who, lambda: ptrace(pid))
    attempt("memory of " + who, lambda: open("/proc/%d/mem" % pid, "rb").close())
    attempt("descriptors of " + who, lambda: os.listdir("/proc/%d/fd" % pid))
    attempt("environment of " + who, lambda: open("/proc/%d/environ" % pid, "rb").close())
for name in ("records", "lock", "memory", "events", "config.bundle", "output.state"):
    attempt("read " + name, lambda: open(run_dir + "/" + name, "rb").close())
    attempt("write " + name, lambda: open(run_dir + "/" + name, "r+b").close())
attempt("list ring", lambda: os.listdir(run_dir + "/ring"))
attempt("list fifo", lambda: os.listdir(run_dir + "/fifo"))
attempt("make a file", lambda: open(run_dir + "/new", "w").close())
attempt("rename", lambda: os.rename(run_dir + "/records", run_dir + "/gone"))
attempt("remove", lambda: os.unlink(run_dir + "/lock"))
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect(sock)
    s.close()
attempt("connect", connect)
out["fds"] = sorted(int(n) for n in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + n))
print(json.dumps(out), flush=True)
"""


def probe(w, p, name):
    wait_until(lambda: p.ctl("logs", name).out.endswith("}\n"), "the report of " + name)
    return json.loads(p.ctl("logs", name).out)


def probe_config(w, p, **keys):
    lines = ["[subsystem.probe]", "restart = \"never\"",
             "command = %s" % toml(["python3", write_text(w.path("probe.py"), PROBE, 0o644), p.pid, p.supervisor_pid(),
                                    p.run_dir, p.socket])]
    return "\n".join(lines + ["%s = %s" % (k, toml(v)) for k, v in keys.items()]) + "\n"


def test_children_of_another_user_reach_nothing_of_procds(w):
    need_root()
    os.chmod(w.dir, 0o755)
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    check({"records", "lock", "memory", "events", "config.bundle"} <= set(os.listdir(p.run_dir)),
          "files that the probe tries: %r" % os.listdir(p.run_dir))
    p.write(w.sub("a") + probe_config(w, p, user=STRANGER, group=STRANGER))
    p.ctl("reload-config").expect(0)
    got = probe(w, p, "probe")
    equal(got.pop("fds"), [0, 1, 2], "descriptors")
    done = sorted(k for k, v in got.items() if v == "done")
    equal(done, [], "what it could do")
    equal(p.of("a")["state"], "running", "state")
    p.stop()


def test_the_same_user_is_no_wall_and_the_manual_says_so(w):
    """A child that runs as procd's own user can do what that user can: SECURITY.md promises nothing else. What is
    checked is only that it gets nothing handed to it."""
    need_root()
    os.chown(w.dir, STRANGER, STRANGER)
    p = w.procd(w.sub("a"), user=(STRANGER, STRANGER))
    p.wait_state("a", "running")
    p.write(w.sub("a") + probe_config(w, p))
    p.ctl("reload-config").expect(0)
    got = probe(w, p, "probe")
    equal(got["fds"], [0, 1, 2], "descriptors")
    equal(got["signal keeper"], "done", "signalling one's own processes")
    p.stop(want=None)


def test_no_descriptor_leaks_into_children_whatever_procd_holds(w):
    p = w.procd(w.sub("a", log_file=w.path("a.log")) + w.sub("b", "--report-state", w.path("r"), autostart=False))
    p.wait_state("a", "running")
    clients = [Connection(p.socket) for _ in range(5)]
    for c in clients:
        c.request("events.subscribe")
    for round_ in range(3):
        p.ctl("start", "b").expect(0)
        equal(sorted(read_report(w.path("r"))["fds"]), ["0", "1", "2"], "descriptors")
        os.unlink(w.path("r"))
        p.ctl("stop", "b").expect(0)
        p.kill_supervisor()
    p.stop()


# --- the front thread ------------------------------------------------------------------------------

def test_no_request_makes_the_front_thread_touch_a_path(w):
    need_root()
    strace = need_program("strace")
    # (figures about processes are read from /proc, by numbers of procd's own)
    p = w.procd("[monitoring]\ntrack_resources = false\n" + w.sub("a"))
    p.wait_state("a", "running")
    supervisor = p.supervisor_pid()
    front = [int(t) for t in os.listdir("/proc/%d/task" % supervisor)
             if read_text("/proc/%d/task/%s/comm" % (supervisor, t)).strip() == "front"]
    equal(len(front), 1, "front threads")
    bait = w.path("bait")
    os.mkfifo(bait)
    trace = w.path("trace")
    tracer = subprocess.Popen([strace, "-qq", "-p", str(front[0]), "-e", "trace=%file,open_by_handle_at,connect,bind,execve",
                               "-o", trace], env=w.env(), stderr=subprocess.DEVNULL)
    wait_until(lambda: "TracerPid:\t%d\n" % tracer.pid in read_text("/proc/%d/task/%d/status" % (supervisor, front[0])),
               "the tracer is there")
    values = [bait, "../../../.." + bait, "file:" + bait, "a/../" + bait, "unix:" + bait, "~/x", "$(touch %s)" % bait,
              "@" + bait, "%s", "\u0000" + bait, ".", "/", "/proc/self/mem", "a" * 300, ["x", bait], {"path": bait}, 7]
    params = sorted({k for _, _, p_ in methods_of_build(w) for k in json.loads(p_)} |
                    {"names", "signal", "level", "mode", "path", "file", "config", "socket", "since", "lines"})
    asked = 0
    for method, _, _ in methods_of_build(w):
        if method == "daemon.upgrade":
            continue    # its path is for the keeper, and for administrators
        for key in params:
            for value in values:
                c = p.connect()
                c.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"names": value, key: value}})
                       .encode() + b"\n")
                check(c.read() is not None, "%s with %s = %r is answered" % (method, key, value))
                c.close()
                asked += 1
    p.ctl("status", bait).expect(4)
    p.ctl("logs", "-n", 1, "../" + os.path.basename(bait)).expect(4)
    tracer.send_signal(signal.SIGINT)
    tracer.wait()
    touched = [line for line in read_text(trace).splitlines() if not line.startswith(("---", "+++"))]
    equal(touched, [], "system calls with a path, after %d requests" % asked)
    equal(p.supervisor_pid(), supervisor, "the supervisor")
    p.stop()


# --- the supervisor's own rights -------------------------------------------------------------------

CAP_KEPT = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 10 | 1 << 23 | 1 << 24
# chown, dac_override, fowner, net_bind_service, sys_nice, sys_resource
CAP_RESERVE = 1 << 38  # perfmon: permitted, and in effect only while a profile begins


def capabilities(pid):
    return {line.split(":")[0]: int(line.split()[1], 16)
            for line in read_text("/proc/%d/status" % pid).splitlines() if line.startswith("Cap")}


def test_the_supervisor_gave_up_what_it_does_not_use_and_children_did_not(w):
    need_root()
    own = capabilities(os.getpid())
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    supervisor = p.supervisor_pid()
    for task in os.listdir("/proc/%d/task" % supervisor):
        got = capabilities(int(task))
        for kind, may in (("CapPrm", CAP_KEPT | CAP_RESERVE), ("CapEff", CAP_KEPT),
                          ("CapBnd", CAP_KEPT | CAP_RESERVE)):
            equal(got[kind] & ~may, 0, "%s of thread %s" % (kind, task))
        equal(got["CapInh"] | got["CapAmb"], 0, "inheritable and ambient of thread %s" % task)
    equal(capabilities(p.pid_of("a")), own, "the child's are those that procd was started with")
    p.kill_supervisor()
    equal(capabilities(p.supervisor_pid())["CapEff"] & ~CAP_KEPT, 0, "after a death")
    p.ctl("restart", "a").expect(0)
    equal(capabilities(p.pid_of("a")), own, "after a death, the child's")
    p.stop()


def test_one_capability_is_in_reserve_for_the_service_manager(w):
    need_root()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(w.path("n"))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    s.settimeout(10 * SCALE)
    p = w.procd(w.sub("a"), env={"NOTIFY_SOCKET": w.path("n")})
    p.wait_state("a", "running")
    senders = set()
    while True:
        data, control, _, _ = s.recvmsg(4096, 256)
        senders |= {int.from_bytes(c[2][:4], "little") for c in control if c[1] == socket.SCM_CREDENTIALS}
        if b"READY=1" in data:
            break
    got = capabilities(p.supervisor_pid())
    if capabilities(os.getpid())["CapEff"] >> 21 & 1:
        equal(senders, {p.pid}, "who spoke")
        equal(got["CapPrm"] >> 21 & 1, 1, "permitted")
    equal(got["CapEff"] >> 21 & 1, 0, "in effect")
    p.stop()


def test_a_kernel_that_refuses_to_take_capabilities_is_no_obstacle(w):
    need_root()
    strace = need_program("strace")
    p = w.procd(w.sub("a"), env=traced_env(w), launcher=[strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=capset,capget,prctl", "-e",
                                      "inject=capset:error=EPERM"])
    p.wait_state("a", "running")
    wait_until(lambda: "cannot give up capabilities" in read_text(p.log_path), "it says so")
    p.ctl("shutdown").expect(0)
    equal(p.wait_end(), 0, "exit code")
