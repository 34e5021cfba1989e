"""Who may do what, and what strangers can plant (interface 4, SECURITY.md; faults.md F38, F91-F93, F121, G21).

Strangers are made with numeric ids that need no entry in /etc/passwd, so most tests need root."""

import errno
import json
import os
import signal
import socket
import stat
import subprocess
import time

from harness import *
from rpc import Connection

STRANGER = 12001
OTHER = 12002
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
    "why": ("subsystem.why", READ, {"names": ["a"]}),
    "logs": ("logs.follow", READ, {"names": ["a"], "follow": False}),
    "events": ("events.get", READ, {}),
    "plan": ("config.plan", READ, {}),
    "features": ("daemon.features", READ, {}),
    "start": ("subsystem.start", OPERATE, {"names": ["a"]}),
    "stop": ("subsystem.stop", OPERATE, {"names": ["no-such-name"]}),
    "restart": ("subsystem.restart", OPERATE, {"names": ["no-such-name"]}),
    "signal": ("subsystem.signal", OPERATE, {"names": ["a"], "signal": "SIGCONT"}),
    "reload": ("subsystem.reload", OPERATE, {"names": ["no-such-name"]}),
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
}
# They never speak to a running procd.
LOCAL = {"run", "check", "config"}


# --- other people ----------------------------------------------------------------------------------

def become(uid, gid=None, groups=()):
    os.setgroups(list(groups))
    os.setresgid(*[uid if gid is None else gid] * 3)
    os.setresuid(uid, uid, uid)


def as_user(function, uid, gid=None, groups=()):
    """What FUNCTION returns (JSON) when a process with these ids calls it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            become(uid, gid, groups)
            result = {"ok": function()}
        except BaseException as e:
            result = {"error": "%s: %s" % (type(e).__name__, e), "errno": getattr(e, "errno", None)}
        os.write(writer, json.dumps(result).encode())
        os._exit(0)
    os.close(writer)
    data = b""
    while True:
        part = os.read(reader, 65536)
        if not part:
            break
        data += part
    os.close(reader)
    os.waitpid(pid, 0)
    result = json.loads(data.decode())
    if "error" in result:
        raise Failure("as uid %d: %s" % (uid, result["error"]))
    return result["ok"]


def in_background(function, uid):
    """A process with these ids that calls FUNCTION for ever; its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            become(uid)
            while True:
                function()
        finally:
            os._exit(1)
    return pid


def methods_of_build(w):
    """(method, access, parameters) of all that this build knows."""
    text = w.run("--help").expect(0).out
    verbs = [line.split()[0] for line in text[text.index("Verbs:"):text.index("Common options")].splitlines()
             if line.startswith("  ") and line.strip()]
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


# --- the matrix ------------------------------------------------------------------------------------

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


# --- what strangers plant --------------------------------------------------------------------------

CANARY = "precious\n"


class Trap:
    """A place where a stranger may put names, and what he wants to be written to."""

    def __init__(self, w, how, where):
        self.w, self.how = w, how
        self.canary = write_text(w.path("canary"), CANARY, 0o600)
        self.dir = w.path("place")
        os.mkdir(self.dir)
        if where == "public":
            os.chmod(self.dir, 0o1777)
        else:
            os.chown(self.dir, STRANGER, STRANGER)

    def plant(self, path):
        """Put it at PATH, as the stranger would, or as he could without the kernel's own protection."""
        if self.how == "link":
            os.symlink(self.canary, path)
            os.lchown(path, STRANGER, STRANGER)
        elif self.how == "dangling":
            os.symlink(self.w.path("born"), path)
            os.lchown(path, STRANGER, STRANGER)
        elif self.how == "hard link":
            os.link(self.canary, path)
        elif self.how == "fifo":
            os.mkfifo(path, 0o666)
            os.chown(path, STRANGER, STRANGER)
        elif self.how == "foreign file":
            os.chown(write_text(path, "theirs\n", 0o666), STRANGER, STRANGER)
        elif self.how == "directory":
            os.mkdir(path)
            os.chown(path, STRANGER, STRANGER)
        else:
            raise Failure(self.how)

    def check_untouched(self, what):
        equal(read_text(self.canary), CANARY, "%s: content of the target" % what)
        st = os.stat(self.canary)
        equal((st.st_uid, stat.S_IMODE(st.st_mode)), (0, 0o600), "%s: owner and mode of the target" % what)
        check(not os.path.exists(self.w.path("born")), "%s: the target of a dangling link was made" % what)


PLANTS = ("link", "dangling", "hard link", "fifo", "foreign file", "directory")


def each_plant(w, plants=PLANTS, places=("public", "theirs")):
    need_root()
    for where in places:
        for how in plants:
            os.chmod(w.dir, 0o755)
            yield Trap(w, how, where), "%s in a directory that is %s" % (how, where)
            subprocess.run(["rm", "-rf", w.path("place"), w.path("run"), w.path("born")], check=True)


def refused_start(w, text, what, code, part):
    p = w.procd(text, wait=False)
    got = p.wait_end()
    said = read_text(p.log_path)
    os.unlink(p.log_path)
    equal(got, code, "exit code with %s; said:\n%s" % (what, said))
    contains(said, part, what)


def test_F121_a_planted_pid_file(w):
    for trap, what in each_plant(w):
        path = trap.dir + "/p.pid"
        trap.plant(path)
        refused_start(w, 'pid_file = "%s"\n' % path + w.sub("a"), what, 73, "refused")
        trap.check_untouched(what)


def test_F121_a_pid_file_where_others_could_swap_it(w):
    need_root()
    os.mkdir(w.path("theirs"))
    os.chown(w.path("theirs"), STRANGER, STRANGER)
    refused_start(w, 'pid_file = "%s/p.pid"\n' % w.path("theirs") + w.sub("a"), "a foreign directory", 73, "refused")
    equal(os.listdir(w.path("theirs")), [], "files")


def test_F121_a_planted_run_directory(w):
    for trap, what in each_plant(w, ("link", "foreign file", "directory", "fifo")):
        path = trap.dir + "/run"
        if trap.how == "link":
            os.mkdir(w.path("born"), 0o755)
            os.symlink(w.path("born"), path)
            os.lchown(path, STRANGER, STRANGER)
        else:
            trap.plant(path)
        p = w.procd('run_dir = "%s"\n' % path + w.sub("a"), wrap=False, wait=False)
        code, said = p.wait_end(), read_text(p.log_path)
        check(code in (73, 77), "exit code %d with %s: %s" % (code, what, said))
        contains(said, path, what)
        if trap.how == "link":
            equal(os.listdir(w.path("born")), [], "what was written through the link")


def test_F121_a_run_directory_behind_a_planted_directory(w):
    need_root()
    os.mkdir(w.path("public"))
    os.chmod(w.path("public"), 0o1777)
    for uid in (STRANGER, 65534):
        path = w.path("public", "of-%d" % uid)
        os.mkdir(path)
        os.chown(path, uid, uid)
        p = w.procd('run_dir = "%s/run"\n' % path + w.sub("a"), wrap=False, wait=False)
        equal(p.wait_end(), 77, "exit code")
        contains(read_text(p.log_path), "cannot be trusted", "message")
        equal(os.listdir(path), [], "files")


def test_F121_a_planted_control_socket(w):
    for trap, what in each_plant(w, places=("public",)):
        path = trap.dir + "/c.sock"
        trap.plant(path)
        refused_start(w, "[control]\nsocket = \"%s\"\n" % path + w.sub("a"), what, 73, path)
        trap.check_untouched(what)


def test_F121_a_planted_name_beside_the_control_socket(w):
    for trap, what in each_plant(w, ("link", "dangling", "hard link", "fifo", "foreign file"), ("public",)):
        path = trap.dir + "/c.sock"
        trap.plant(path + ".new")
        p = w.procd("[control]\nsocket = \"%s\"\n" % path + w.sub("a"), socket=path)
        p.ctl("status").expect(0)
        p.stop()
        trap.check_untouched(what)


def test_F121_a_control_socket_where_others_could_swap_it(w):
    need_root()
    os.mkdir(w.path("theirs"))
    os.chown(w.path("theirs"), STRANGER, STRANGER)
    path = w.path("theirs") + "/c.sock"
    refused_start(w, "[control]\nsocket = \"%s\"\n" % path + w.sub("a"), "a foreign directory", 73, "refused")
    equal(os.listdir(w.path("theirs")), [], "files")


LOGS = {
    "procd's own log": "[logging]\nfile = \"%s\"\n",
    "a subsystem's log": None,
    "the event output": "[events]\noutput = \"file:%s\"\n",
}


def log_config(w, which, path):
    sub = w.sub("a", "--print", "hello", log_file=path) if LOGS[which] is None else w.sub("a")
    return (LOGS[which] % path if LOGS[which] else "") + sub


def recovered(p):
    """Says something, so that there is a line to write, and looks whether that went well."""
    p.ctl("restart", "a").expect(0)
    time.sleep(0.05)
    return not p.status().get("degraded")


def test_F121_planted_log_files(w):
    for which in LOGS:
        for trap, what in each_plant(w):
            what = which + ": " + what
            path = trap.dir + "/x.log"
            trap.plant(path)
            p = w.procd(log_config(w, which, path))
            wait_until(lambda: p.of("a")["state"] == "running", what)
            said = wait_until(lambda: [d for d in p.status().get("degraded", []) if path in d], what + ": degraded")
            contains(said[0], "refused", what)
            trap.check_untouched(what)
            if trap.how == "foreign file":
                equal(read_text(path), "theirs\n", what)
            # It is used as soon as it is harmless.
            subprocess.run(["rm", "-rf", path], check=True)
            wait_until(lambda: recovered(p), what + ": recovers", 15)
            equal(stat.S_ISREG(os.lstat(path).st_mode), True, what)
            p.stop()
            os.unlink(p.events_path) if os.path.exists(p.events_path) else None
            p.events, p._offset = [], 0
            trap.check_untouched(what)


def test_F121_a_log_directory_that_is_a_planted_link(w):
    need_root()
    for where, mode, owner in (("public", 0o1777, 0), ("theirs", 0o755, STRANGER)):
        os.mkdir(w.path(where))
        os.chown(w.path(where), owner, owner)
        os.chmod(w.path(where), mode)
        os.mkdir(w.path("target-" + where))
        os.symlink(w.path("target-" + where), w.path(where, "logs"))
        os.lchown(w.path(where, "logs"), STRANGER, STRANGER)
        path = w.path(where, "logs", "x.log")
        p = w.procd(w.sub("a", "--print", "hello", log_file=path))
        said = wait_until(lambda: [d for d in p.status().get("degraded", []) if path in d], "degraded")
        contains(said[0], "symbolic link", where)
        equal(os.listdir(w.path("target-" + where)), [], "files behind the link")
        p.stop()


def test_F121_a_link_of_the_administrator_is_followed(w):
    os.mkdir(w.path("real"))
    os.symlink(w.path("real"), w.path("logs"))
    p = w.procd(w.sub("a", "--print", "hello", log_file=w.path("logs", "x.log")))
    wait_until(lambda: read_text(w.path("real", "x.log")) == "hello\n", "the line behind the link")
    p.stop()


def rotated(path):
    """Both generations are plain files of procd's own."""
    try:
        return all(stat.S_ISREG(st.st_mode) and (st.st_uid, st.st_nlink) == (0, 1)
                   for st in (os.lstat(path + ".1"), os.lstat(path + ".2")))
    except FileNotFoundError:
        return False


def test_F121_rotation_takes_nobody_elses_names(w):
    for trap, what in each_plant(w, ("link", "hard link", "foreign file", "fifo"), ("theirs",)):
        path = trap.dir + "/x.log"
        trap.plant(path + ".1")
        p = w.procd(w.sub("a", "--line-size", 100, "--spew", 200, log_file=path, log_max_file_size=4096, log_max_files=2))
        wait_until(lambda: p.ctl("logs", "a").out.count("\n") == 200 and rotated(path), what)
        p.stop()
        trap.check_untouched(what)


def test_F121_a_log_directory_that_is_swapped_in_a_loop(w):
    need_root()
    os.chmod(w.dir, 0o755)
    os.mkdir(w.path("home"))
    os.mkdir(w.path("home", "logs"))
    os.mkdir(w.path("target"))
    write_text(w.path("target", "x.log.1"), CANARY)
    for name in ("home", "home/logs"):
        os.chown(w.path(name), STRANGER, STRANGER)
    os.symlink(w.path("target"), w.path("home", "link"))
    os.lchown(w.path("home", "link"), STRANGER, STRANGER)
    os.chmod(w.path("home", "logs"), 0o755)

    def swap():
        for a, b in (("logs", "aside"), ("link", "logs"), ("logs", "link"), ("aside", "logs")):
            try:
                os.rename(w.path("home", a), w.path("home", b))
            except OSError:
                pass

    stranger = in_background(swap, STRANGER)
    p = w.procd(w.sub("a", "--line-size", 100, "--spew", "0/20000", log_file=w.path("home", "logs", "x.log"),
                      log_max_file_size=4096, log_max_files=3))
    p.wait_state("a", "running")
    for _ in range(200):
        p.ctl("reopen-logs").expect(0)
    os.kill(stranger, signal.SIGKILL)
    os.waitpid(stranger, 0)
    p.ctl("stop", "a").expect(0)
    p.stop()
    equal(os.listdir(w.path("target")), ["x.log.1"], "files in the target")
    equal(read_text(w.path("target", "x.log.1")), CANARY, "content of the target")


def test_F121_planted_stdout_files(w):
    for trap, what in each_plant(w, ("link", "dangling", "hard link", "fifo", "foreign file", "directory")):
        path = trap.dir + "/out"
        trap.plant(path)
        p = w.procd(w.sub("a", "--print", "hello", stdout="file:" + path, user=OTHER, restart="never"))
        e = p.wait_state("a", "failed")
        equal(e["error"]["stage"], "stdout", what)
        trap.check_untouched(what)
        p.stop()
        os.unlink(p.events_path)
        p.events, p._offset = [], 0


def test_F121_stdout_files_that_are_fine(w):
    need_root()
    os.chmod(w.dir, 0o755)
    os.mkdir(w.path("theirs"))
    os.chown(w.path("theirs"), OTHER, OTHER)
    os.chown(write_text(w.path("theirs", "old"), "old\n"), OTHER, OTHER)
    p = w.procd(w.sub("new", "--print", "hello", "--exit", 0, stdout="file:" + w.path("theirs", "new"), user=OTHER, restart="never")
                + w.sub("old", "--print", "hello", "--exit", 0, stdout="file:" + w.path("theirs", "old"), user=OTHER, restart="never")
                + w.sub("null", "--print", "hello", "--exit", 0, stdout="file:/dev/null", restart="never"))
    for name in ("new", "old", "null"):
        p.wait_state(name, "stopped")
    equal(read_text(w.path("theirs", "new")), "hello\n", "a new one")
    equal(read_text(w.path("theirs", "old")), "old\nhello\n", "an old one")
    p.stop()


def test_F121_a_planted_stdin_does_not_show_what_its_reader_may_not_see(w):
    need_root()
    os.chmod(w.dir, 0o755)
    write_text(w.path("secret"), "secret\n", 0o600)
    os.mkdir(w.path("theirs"))
    os.chown(w.path("theirs"), OTHER, OTHER)
    os.symlink(w.path("secret"), w.path("theirs", "link"))
    os.lchown(w.path("theirs", "link"), OTHER, OTHER)
    os.link(w.path("secret"), w.path("theirs", "hard"))
    os.chown(write_text(w.path("theirs", "own"), "own\n", 0o600), OTHER, OTHER)
    text = ""
    for name in ("link", "hard", "own"):
        text += '[subsystem.%s]\ncommand = ["cat"]\nstdin = "file:%s"\nuser = "%d"\nrestart = "never"\n' % (
            name, w.path("theirs", name), OTHER)
    p = w.procd(text)
    for name in ("link", "hard"):
        equal(p.wait_state(name, "failed")["error"]["stage"], "stdin", name)
    p.wait_state("own", "stopped")
    equal(p.ctl("logs", "own").out, "own\n", "its own file")
    check("secret" not in p.ctl("logs").out, "the secret was shown")
    p.stop()


# --- the drop of privileges ------------------------------------------------------------------------

def test_F38_each_step_of_the_drop_fails_closed(w):
    need_root()
    strace = need_program("strace")
    os.chmod(w.dir, 0o1777)
    # A call that claims success and does nothing is worse than one that fails: hence retval=0.
    for call, stage in (("setgroups", "groups"), ("setresgid", "gid"), ("setresuid", "uid")):
        for fault in ("error=EPERM", "error=EAGAIN", "error=EINVAL", "error=ENOSYS", "retval=0"):
            label = call + "-" + fault.split("=")[1].lower()
            p = w.procd(w.sub("a", "--starts", w.path("starts"), user=STRANGER, group=STRANGER,
                              supplementary_groups=[OTHER], restart="never"), label=label,
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
    p = w.procd(w.sub("a"))
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

CAP_KEPT = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 23 | 1 << 24  # chown, dac_override, fowner, sys_nice, sys_resource


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
        for kind in ("CapPrm", "CapEff", "CapBnd"):
            equal(got[kind] & ~CAP_KEPT, 0, "%s of thread %s" % (kind, task))
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
    p = w.procd(w.sub("a"), launcher=[strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=capset,capget,prctl", "-e",
                                      "inject=capset:error=EPERM"])
    p.wait_state("a", "running")
    wait_until(lambda: "cannot give up capabilities" in read_text(p.log_path), "it says so")
    p.ctl("shutdown").expect(0)
    equal(p.wait_end(), 0, "exit code")
