"""What a child gets from files and what it may do (issue: environment and rights; interface 2, 5): real effects, looked
at from inside the child, and failures that never end in a run with more rights."""

import ctypes
import errno
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys

from harness import *


def failed_start(p, name, stage, errno=None, timeout=10.0):
    """The event of NAME's failed start; its step must be STAGE."""
    e = p.wait_state(name, "failed", reason="start", timeout=timeout)
    equal(e["error"]["stage"], stage, "stage")
    if errno:
        equal(e["error"]["errno"], errno, "errno")
    contains(e["error"]["message"], stage, "message")
    return e


# --- env_file ---------------------------------------------------------------------------------------

ENV = """# a comment
; another one
export A=one
B="two  \\"quoted\\" $HOME"
C='three # not a comment'
D=plain value  \t
E=
F="line
next"
"""


def test_env_file_is_read_as_written(w):
    write_text(w.path("web.env"), ENV, 0o600)
    p = w.procd(w.sub("a", "--report-state", w.path("r"), env_file="web.env", environment={"A": "x", "Z": "kept"}))
    env = read_report(w.path("r"))["env"]
    equal({k: env.get(k) for k in "ABCDEFZ"},
          {"A": "one", "B": 'two  "quoted" $HOME', "C": "three # not a comment", "D": "plain value", "E": "",
           "F": "line\nnext", "Z": "kept"}, "environment")
    p.stop()


def test_env_files_are_read_anew_at_each_start(w):
    write_text(w.path("a.env"), "A=1\nB=1\n")
    write_text(w.path("b.env"), "B=2\n")
    p = w.procd(w.sub("a", "--report-state", w.path("r"), env_file=["a.env", "-b.env", "-none.env"]))
    equal(read_report(w.path("r"))["env"]["B"], "2", "the later file")
    os.unlink(w.path("r"))
    os.unlink(w.path("b.env"))
    write_text(w.path("a.env"), "A=new\nB=new\n")
    p.ctl("restart", "a").expect(0)
    env = read_report(w.path("r"))["env"]
    equal((env["A"], env["B"]), ("new", "new"), "after a restart")
    os.unlink(w.path("r"))
    write_text(w.path("a.env"), "A=again\n")
    p.kill_supervisor()
    mark = p.mark()
    os.kill(p.pid_of("a"), signal.SIGKILL)
    p.wait_state("a", "running", after=mark)
    equal(read_report(w.path("r"))["env"]["A"], "again", "by the next supervisor")
    p.stop()


def test_a_missing_env_file_is_a_failed_start(w):
    p = w.procd(w.sub("a", env_file="none.env", restart="never") + w.sub("b"))
    e = failed_start(p, "a", "env_file", "ENOENT")
    contains(e["error"]["message"], w.path("none.env"))
    equal(p.of("a")["last_error"], e["error"]["message"], "last_error")
    contains(p.ctl("why", "a").expect(0).out, "none.env")
    p.wait_state("b", "running")
    r = p.ctl("start", "a").expect(1)
    contains(r.err, "env_file")
    write_text(w.path("none.env"), "A=1\n")
    p.ctl("start", "a").expect(0)
    p.stop()


def test_a_bad_env_file_is_a_failed_start_with_its_place_and_without_its_text(w):
    write_text(w.path("bad.env"), "A=1\nCANARY7 is no assignment\n")
    os.mkfifo(w.path("pipe.env"))
    write_text(w.path("big.env"), "A=" + "x" * 70000)
    config = "".join(w.sub(n, env_file=n + ".env", restart="never") for n in ("bad", "pipe", "big"))
    p = w.procd(config)
    contains(failed_start(p, "bad", "env_file", "EINVAL")["error"]["message"], "bad.env:2:8:")
    contains(failed_start(p, "pipe", "env_file", "EINVAL")["error"]["message"], "not a regular file")
    contains(failed_start(p, "big", "env_file", "EFBIG")["error"]["message"], "65536")
    for text in (read_text(p.events_path), read_text(p.log_path), p.ctl("status", "--json").out):
        check("CANARY7" not in text, "the text of the file is shown:\n" + text)
    p.stop()


def test_check_warns_of_an_env_file_that_is_not_there(w):
    p = w.procd(w.sub("a", env_file=["none.env", "-optional.env"]), start=False)
    r = w.run("check", "-c", p.config_path).expect(0)
    contains(r.err, "none.env")
    check("optional" not in r.err, r)
    p.write(w.sub("a", env_file="-"))
    contains(w.run("check", "-c", p.config_path).expect(78).err, "not a path")


def test_F122_a_secret_of_an_env_file_shows_nowhere(w):
    write_text(w.path("s.env"), "PASSWORD=CANARY5123\n", 0o600)
    p = w.procd(w.sub("a", "--report-state", w.path("r"), env_file="s.env"))
    equal(read_report(w.path("r"))["env"]["PASSWORD"], "CANARY5123", "the child has it")
    p.wait_state("a", "running")
    pid = p.pid_of("a")
    shown = [p.ctl(*verb).out for verb in (("status", "--json"), ("why", "a"), ("events", "--last", "100"),
                                           ("logs", "a"))]
    shown += [w.run("config", "--json", "-c", p.config_path).out, read_text(p.log_path), read_text(p.events_path),
              cmdline(pid), cmdline(p.pid), cmdline(p.supervisor_pid())]
    for place, _, names in os.walk(p.run_dir):
        shown += [read_text(os.path.join(place, n)) for n in names if os.path.isfile(os.path.join(place, n))]
    for text in shown:
        check("CANARY5123" not in text, "the secret is shown:\n" + text[:2000])
    p.stop()


def test_a_change_of_env_file_restarts(w):
    write_text(w.path("a.env"), "A=1\n")
    p = w.procd(w.sub("a", env_file="a.env") + w.sub("b", env_file="a.env"))
    p.wait_state("a", "running")
    p.wait_state("b", "running")
    before = p.pid_of("a"), p.pid_of("b")
    p.write(w.sub("a", env_file=["a.env", "-b.env"]) + w.sub("b", env_file="a.env"))
    mark = p.mark()
    p.ctl("reload-config").expect(0)
    p.wait_state("a", "running", after=mark)
    check(p.pid_of("a") != before[0], "not restarted")
    equal(p.pid_of("b"), before[1], "pid of the unchanged one")
    p.stop()


# --- where and when it runs -------------------------------------------------------------------------

NOBODY = (65534, 65534)


def readable(w, own=True):
    """nobody's procd (OWN), or root's child that runs as nobody, has to get at the test's directory and at the
    programs."""
    os.chmod(w.dir, 0o755)
    if own:
        os.chown(w.dir, *NOBODY)
    if w.run_program([w.procd_path, "--version"], user=NOBODY).rc != 0:
        raise Skip("another user may not execute the build")


def status_of(pid):
    return dict(line.split(":\t", 1) for line in read_text("/proc/%d/status" % pid).splitlines() if ":\t" in line)


def io_priority(pid):
    return ctypes.CDLL(None).syscall({"x86_64": 252, "aarch64": 31}[os.uname().machine], 1, pid)


def slice_of(pid):
    """Nanoseconds that the scheduler lets a process run at a time; 0 where the kernel does not say."""
    attributes = struct.pack("=IIQiIQQQ", 48, 0, 0, 0, 0, 0, 0, 0)
    room = ctypes.create_string_buffer(attributes, 48)
    number = {"x86_64": 315, "aarch64": 275}[os.uname().machine]
    equal(ctypes.CDLL(None).syscall(number, pid, room, 48, 0), 0, "sched_getattr")
    return struct.unpack("=IIQiIQQQ", room.raw)[5]


def test_programs_do_not_inherit_the_keepers_short_slices(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    equal(slice_of(p.pid_of("a")), slice_of(0), "slice of a program")
    check(slice_of(p.pid) <= slice_of(0), "the keeper's slice is %d" % slice_of(p.pid))
    p.stop()


def test_placement_is_applied(w):
    need_root()
    cpu = min(os.sched_getaffinity(0))
    p = w.procd(w.sub("a", cpu_affinity=[cpu], sched_policy="rr:7", io_class="best-effort:6") +
                w.sub("b", sched_policy="idle", io_class="idle", cpu_affinity=str(cpu)) +
                w.sub("c", sched_policy="batch", nice=5, io_class="realtime:1") + w.sub("d"))
    for name in "abcd":
        p.wait_state(name, "running")
    pid = {name: p.pid_of(name) for name in "abcd"}
    equal(os.sched_getaffinity(pid["a"]), {cpu}, "processors of a")
    equal(os.sched_getaffinity(pid["b"]), {cpu}, "processors of b")
    equal(os.sched_getaffinity(pid["d"]), os.sched_getaffinity(0), "processors of d")
    equal([os.sched_getscheduler(pid[n]) for n in "abcd"],
          [os.SCHED_RR, os.SCHED_IDLE, os.SCHED_BATCH, os.SCHED_OTHER], "policies")
    equal(os.sched_getparam(pid["a"]).sched_priority, 7, "priority")
    equal([io_priority(pid[n]) for n in "abc"], [2 << 13 | 6, 3 << 13, 1 << 13 | 1], "io priorities")
    equal(os.getpriority(os.PRIO_PROCESS, pid["c"]), 5, "nice")
    equal(os.sched_getscheduler(p.pid), os.SCHED_OTHER, "the keeper's policy")
    p.stop()


def test_numa_node_sets_processors_and_memory(w):
    if not os.path.exists("/sys/devices/system/node/node0") or not os.path.exists("/proc/self/numa_maps"):
        raise Skip("no NUMA in this kernel")
    p = w.procd(w.sub("a", numa_node=0))
    p.wait_state("a", "running")
    maps = read_text("/proc/%d/numa_maps" % p.pid_of("a"))
    contains(maps, " prefer")
    p.stop()
    p.write(w.sub("a", numa_node=1000))
    r = w.run("check", "-c", p.config_path).expect(78)
    contains(r.err, "no NUMA node 1000")


def test_processors_that_are_not_there_are_a_failed_start(w):
    p = w.procd(w.sub("a", cpu_affinity="8000-8191", restart="never"))
    failed_start(p, "a", "affinity", "EINVAL")
    p.stop()


def test_ordinary_users_fail_closed_with_placement(w):
    need_root()
    readable(w)
    config = (w.sub("rr", sched_policy="rr:7", restart="never") +
              w.sub("nicer", nice=-5, restart="never") + w.sub("rt", io_class="realtime:0", restart="never") +
              w.sub("idle", sched_policy="idle", io_class="idle"))
    p = w.procd(config, user=NOBODY)
    failed_start(p, "rr", "sched_policy", "EPERM")
    failed_start(p, "nicer", "nice", "EACCES")
    failed_start(p, "rt", "io_class", "EPERM")
    p.wait_state("idle", "running")
    equal(os.sched_getscheduler(p.pid_of("idle")), os.SCHED_IDLE, "policy")
    p.stop()


# --- capabilities -----------------------------------------------------------------------------------

def caps(pid):
    s = status_of(pid)
    return [int(s[k], 16) for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] + [s["NoNewPrivs"]]


CHOWN, NET_BIND = 1 << 0, 1 << 10


def test_capabilities_bound_what_root_can_do(w):
    need_root()
    p = w.procd(w.sub("none", capabilities=[]) + w.sub("two", capabilities=["CAP_CHOWN", "CAP_NET_BIND_SERVICE"]) +
                w.sub("all", no_new_privileges=True))
    for name in ("none", "two", "all"):
        p.wait_state(name, "running")
    both = CHOWN | NET_BIND
    equal(caps(p.pid_of("none")), [0, 0, 0, 0, 0, "0"], "of none")
    equal(caps(p.pid_of("two")), [0, both, both, both, 0, "0"], "of two")
    equal(caps(p.pid_of("all"))[3:], [caps(p.pid)[3], 0, "1"], "of all")
    p.stop()


def test_ambient_capabilities_survive_the_change_of_user(w):
    need_root()
    readable(w, own=False)
    p = w.procd(w.sub("a", user=65534, ambient_capabilities=["CAP_NET_BIND_SERVICE"], no_new_privileges=True) +
                w.sub("b", user=65534) +
                w.sub("c", user=65534, capabilities="CAP_NET_BIND_SERVICE",
                      ambient_capabilities="CAP_NET_BIND_SERVICE"))
    for name in "abc":
        p.wait_state(name, "running")
    whole = caps(p.pid)[3]
    equal(caps(p.pid_of("a")), [NET_BIND, NET_BIND, NET_BIND, whole, NET_BIND, "1"], "of a")
    equal(caps(p.pid_of("b")), [0, 0, 0, whole, 0, "0"], "of b")
    equal(caps(p.pid_of("c")), [NET_BIND] * 5 + ["0"], "of c")
    equal(status_of(p.pid_of("a"))["Uid"].split(), ["65534"] * 4, "user of a")
    p.stop()


def fails_closed(w, stage, call, fault, **keys):
    """A start of which every CALL fails (or lies): never a run. The keeper itself is done with its own by then."""
    label = "%s-%s-%s" % (stage, call, fault.split("=")[1].lower())
    starts = w.path("starts")
    p = w.procd(w.sub("a", "--starts", starts, restart="never", autostart=False, **keys), label=label)
    tracer = subprocess.Popen([need_program("strace"), "-f", "-qq", "-p", str(p.pid), "-o", w.path("trace"), "-e",
                               "trace=" + call, "-e", "inject=%s:%s" % (call, fault)])
    try:
        wait_until(lambda: status_of(p.pid)["TracerPid"] == str(tracer.pid), "strace is attached")
        p.ctl("start", "a")
        failed_start(p, "a", stage)
        check(not os.path.exists(starts), "it ran with other rights")
    finally:
        tracer.terminate()
        tracer.wait()
    p.stop()


def test_F38_capabilities_fail_closed(w):
    need_root()
    os.chmod(w.dir, 0o1777)
    for fault in ("error=EPERM", "error=EINVAL", "error=ENOSYS", "retval=0"):
        fails_closed(w, "ambient_capabilities", "capset", fault, user=65534, ambient_capabilities="CAP_KILL")
        # prctl() says 0 to "is it in the bounding set?", too: then only the next step can tell
        fails_closed(w, "ambient_capabilities" if fault == "retval=0" else "capabilities", "prctl", fault, user=65534,
                     capabilities=["CAP_KILL"], ambient_capabilities="CAP_KILL")
    for fault in ("error=EPERM", "error=EINVAL", "retval=0"):
        fails_closed(w, "no_new_privileges", "prctl", fault, no_new_privileges=True)


def test_ordinary_users_fail_closed_with_capabilities(w):
    need_root()
    readable(w)
    p = w.procd(w.sub("bound", capabilities=[], restart="never") +
                w.sub("ambient", ambient_capabilities="CAP_KILL", restart="never") +
                w.sub("nnp", no_new_privileges=True), user=NOBODY)
    failed_start(p, "bound", "capabilities", "EPERM")
    failed_start(p, "ambient", "ambient_capabilities", "EPERM")
    p.wait_state("nnp", "running")
    equal(caps(p.pid_of("nnp"))[5], "1", "no_new_privileges")
    p.stop()


def test_capabilities_are_shown_as_they_were_written(w):
    p = w.procd(w.sub("a", capabilities=["CAP_NET_RAW", "CAP_CHOWN"]), start=False)
    out = w.run("config", "-c", p.config_path).expect(0).out
    contains(out, 'capabilities = ["CAP_CHOWN", "CAP_NET_RAW"]')
    p.write(w.sub("a", capabilities=["CAP_CHOWN"], ambient_capabilities=["CAP_KILL"]))
    contains(w.run("check", "-c", p.config_path).expect(78).err, "CAP_KILL is not among")


# --- what it sees of the file system ----------------------------------------------------------------

def mounts(pid):
    """Mount point -> (options, type), the topmost one."""
    found = {}
    for line in read_text("/proc/%d/mountinfo" % pid).splitlines():
        left, right = line.split(" - ", 1)
        found[left.split()[4]] = (left.split()[5].split(","), right.split()[0])
    return found


def shell(name, script, **keys):
    """A subsystem from a program that is outside of /tmp, where a test may be."""
    keys = dict({"working_dir": "/"}, **keys)
    return "[subsystem.%s]\ncommand = %s\n" % (name, toml(["/bin/sh", "-c", script])) + \
           "".join("%s = %s\n" % (k, toml(v)) for k, v in keys.items())


def inside(pid, path):
    return "/proc/%d/root%s" % (pid, path)


def make_root(w, name="jail"):
    """A directory with the scripted child and what it is linked to."""
    need_program("ldd")
    root = w.path(name)
    files = [w.child_path] + re.findall(r"(/\S+) \(0x", w.run_program(["ldd", w.child_path]).expect(0).out)
    for path in files:
        os.makedirs(root + os.path.dirname(path), exist_ok=True)
        shutil.copy(path, root + path)
    for place in ("proc", "tmp", "in"):
        os.makedirs(root + "/" + place, exist_ok=True)
    os.chmod(root + "/tmp", 0o1777)
    shutil.copy(w.child_path, root + "/child")
    return root


def test_root_dir_is_what_the_child_sees(w):
    need_root()
    root = make_root(w)
    p = w.procd(w.sub("a", "--report-state", "/r", root_dir="jail") +
                '[subsystem.b]\ncommand = "/child --report-state r2"\nroot_dir = "%s"\nworking_dir = "/in"\n'
                'private_tmp = true\n' % root)
    p.wait_state("a", "running")
    p.wait_state("b", "running")
    read_report(root + "/r")
    read_report(root + "/in/r2")
    for name in "ab":
        equal(os.readlink("/proc/%d/root" % p.pid_of(name)), root, "root of " + name)
    equal(os.readlink("/proc/%d/cwd" % p.pid_of("a")), root, "directory of a")
    equal(mounts(p.pid_of("b"))["/tmp"][1], "tmpfs", "what is mounted on its /tmp")
    check("tmpfs" not in [t for m, (_, t) in mounts(p.pid).items() if m.startswith(root)], "it is mounted outside, too")
    p.stop()


def test_root_dir_that_is_not_there_is_a_failed_start(w):
    need_root()
    p = w.procd(w.sub("a", root_dir="nowhere", restart="never") + w.sub("b", root_dir=make_root(w), restart="never",
                                                                       working_dir="/none"))
    failed_start(p, "a", "root_dir", "ENOENT")
    failed_start(p, "b", "chdir", "ENOENT")
    contains(w.run("check", "-c", p.config_path).expect(0).err, "subsystem.a.root_dir")
    p.stop()


def test_private_tmp_is_empty_and_its_own(w):
    need_root()
    name = "pt-canary-%d" % os.getpid()
    outside = write_text("/tmp/" + name, "x")
    try:
        script = "ls -A /tmp /var/tmp; echo mine >/tmp/%s.new; exec sleep 1000" % name
        p = w.procd(shell("a", script, private_tmp=True, user=65534) + shell("b", script, private_tmp=True))
        for sub in "ab":
            p.wait_state(sub, "running")
            pid = p.pid_of(sub)
            wait_until(lambda: os.path.exists(inside(pid, "/tmp/%s.new" % name)), "the file of " + sub)
            check(not os.path.exists(inside(pid, "/tmp/" + name)), "it sees the /tmp of others")
            for place in ("/tmp", "/var/tmp"):
                options, kind = mounts(pid)[place]
                equal(kind, "tmpfs", place)
                check("nosuid" in options and "nodev" in options, options)
            equal(os.stat(inside(pid, "/tmp")).st_mode & 0o7777, 0o1777, "mode")
        check(not os.path.exists("/tmp/%s.new" % name), "what it writes is seen outside")
        mark = p.mark()
        p.ctl("restart", "a").expect(0)
        p.wait_state("a", "running", after=mark)
        pid = p.pid_of("a")
        wait_until(lambda: os.path.exists(inside(pid, "/tmp/%s.new" % name)), "the file of the next one")
        equal(p.ctl("logs", "a").expect(0).out.split(), ["/tmp:", "/var/tmp:"] * 2, "what it saw")
        p.stop()
    finally:
        os.unlink("/tmp/" + name)


def test_a_working_directory_in_the_hidden_tmp_is_a_failed_start(w):
    need_root()
    if not w.dir.startswith("/tmp/"):
        raise Skip("the tests do not run in /tmp")
    p = w.procd('[subsystem.a]\ncommand = "/bin/sleep 1000"\nprivate_tmp = true\nrestart = "never"\n', cwd=w.dir)
    failed_start(p, "a", "chdir", "ENOENT")
    p.stop()


def test_protect_system_makes_read_only(w):
    need_root()
    levels = {"none": False, "usr": True, "full": "full", "strict": "strict"}
    config = "".join(shell(n, "exec sleep 1000", protect_system=v) for n, v in levels.items())
    p = w.procd(config + shell("both", "exec sleep 1000", protect_system="strict", private_tmp=True, user=65534,
                               limit_nofile=4))
    for name in list(levels) + ["both"]:
        p.wait_state(name, "running")
    def writable(name):
        root = inside(p.pid_of(name), "")
        return [d for d in ("/usr", "/etc", "/var", "/tmp", "/dev", "/proc", "/sys")
                if not os.statvfs(root + d).f_flag & os.ST_RDONLY]
    rest = [d for d in ("/dev", "/proc", "/sys") if not os.statvfs(d).f_flag & os.ST_RDONLY]
    equal(writable("none"), ["/usr", "/etc", "/var", "/tmp"] + rest, "without")
    equal(writable("usr"), ["/etc", "/var", "/tmp"] + rest, "true")
    equal(writable("full"), ["/var", "/tmp"] + rest, "full")
    equal(writable("strict"), rest, "strict")
    equal(writable("both"), ["/tmp"] + rest, "strict with private_tmp")
    equal(os.readlink(inside(p.pid_of("none"), "/proc/self")), str(os.getpid()), "the same /proc")
    check(os.stat("/proc/%d/ns/mnt" % p.pid_of("none")).st_ino == os.stat("/proc/self/ns/mnt").st_ino,
          "a namespace that nobody asked for")
    check(not os.statvfs("/usr").f_flag & os.ST_RDONLY, "/usr is read-only outside")
    p.stop()


def test_F38_mounts_fail_closed(w):
    need_root()
    os.chmod(w.dir, 0o1777)
    root = make_root(w)
    for fault in ("error=EPERM", "error=ENOSYS", "retval=0"):
        fails_closed(w, "mount_namespace", "unshare", fault, private_tmp=True)
        fails_closed(w, "root_dir", "chroot", fault, root_dir=root)
        fails_closed(w, "protect_system", "mount_setattr", fault, protect_system=True)
    fails_closed(w, "mount_namespace", "mount", "error=EPERM", private_tmp=True)
    fails_closed(w, "private_tmp", "mount", "retval=0", private_tmp=True)
    fails_closed(w, "protect_system", "open_tree", "error=ENOSYS", protect_system="strict")
    fails_closed(w, "protect_system", "move_mount", "error=EPERM", protect_system="strict")


def test_ordinary_users_fail_closed_with_mounts(w):
    need_root()
    readable(w)
    p = w.procd(shell("root", "exit 0", root_dir="/", restart="never") +
                shell("tmp", "exit 0", private_tmp=True, restart="never") +
                shell("protect", "exit 0", protect_system="full", restart="never"), user=NOBODY)
    failed_start(p, "root", "root_dir", "EPERM")
    failed_start(p, "tmp", "mount_namespace", "EPERM")
    failed_start(p, "protect", "mount_namespace", "EPERM")
    p.stop()


# --- what it may ask the kernel ---------------------------------------------------------------------

CALLS = """
import ctypes, json, os, socket, subprocess, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
def attempt(call):
    try:
        return call() or "done"
    except OSError as e:
        return e.strerror
def raw(call, *args):
    if call(*args) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
t = threading.Thread(target=lambda: None)
t.start()
t.join()
tried = {
    "unshare": attempt(lambda: raw(libc.unshare, 0x10000000)),
    "mount": attempt(lambda: raw(libc.mount, None, b"/", None, 0x84000, None)),
    "ptrace": attempt(lambda: raw(libc.ptrace, 0, 0, 0, 0)),
    "inet": attempt(lambda: socket.socket(socket.AF_INET).close()),
    "unix": attempt(lambda: socket.socketpair()[0].close()),
    "program": subprocess.check_output(["/bin/echo", "done"], text=True).strip(),
}
with open(sys.argv[1] + ".new", "w") as f:
    json.dump(tried, f)
os.rename(sys.argv[1] + ".new", sys.argv[1])
threading.Event().wait()
"""


def test_seccomp_profiles_refuse_what_they_say(w):
    need_root()
    os.chmod(w.dir, 0o1777)
    script = write_text(w.path("calls.py"), CALLS, 0o644)
    profiles = {"default": "default", "offline": "no-network"}
    p = w.procd("".join("[subsystem.%s]\ncommand = %s\nseccomp = \"%s\"\n" % (
        n, toml([sys.executable, script, w.path(n)]), profile) for n, profile in profiles.items()) + w.sub("free"))
    for name in profiles:
        wait_until(lambda: os.path.exists(w.path(name)), "the report of " + name)
    tried = {n: json.loads(read_text(w.path(n))) for n in profiles}
    no, done = os.strerror(errno.EPERM), "done"
    equal(tried["default"], {"unshare": no, "mount": no, "ptrace": no, "inet": done, "unix": done, "program": done},
          "default")
    equal(tried["offline"], {"unshare": no, "mount": no, "ptrace": no, "inet": os.strerror(errno.EAFNOSUPPORT),
                             "unix": done, "program": done}, "no-network")
    states = [status_of(p.pid_of(n)) for n in ("default", "offline", "free")]
    equal([s["Seccomp"] for s in states], ["2", "2", status_of(p.pid)["Seccomp"]], "modes")
    equal([s["NoNewPrivs"] for s in states], ["1", "1", "0"], "no_new_privileges")
    p.stop()


def test_seccomp_works_for_ordinary_users(w):
    need_root()
    readable(w)
    p = w.procd(w.sub("a", seccomp="default"), user=NOBODY)
    p.wait_state("a", "running")
    equal(status_of(p.pid_of("a"))["Seccomp"], "2", "mode")
    p.stop()


def test_F38_seccomp_fails_closed(w):
    need_root()
    for fault in ("error=EPERM", "error=EINVAL", "error=ENOSYS", "retval=0"):
        fails_closed(w, "seccomp", "seccomp", fault, seccomp="default")


def test_an_unknown_profile_is_refused_at_load(w):
    p = w.procd(w.sub("a", seccomp="strictest"), start=False)
    r = w.run("check", "-c", p.config_path).expect(78)
    contains(r.err, "none, default, no-network")


# --- landlock ---------------------------------------------------------------------------------------

PROGRAMS = [d for d in ("/usr", "/bin", "/lib", "/lib64", "/etc", "/dev") if os.path.exists(d)]


def need_landlock(w):
    if not w.run("features", "--json").expect(0).json()["kernel"]["landlock"]["available"]:
        raise Skip("this kernel has no Landlock")


def reach(w, **keys):
    """What a program says that tries to read here and there, and to write."""
    for name in ("mine", "theirs"):
        os.makedirs(w.path(name), exist_ok=True)
        write_text(w.path(name + "/file"), name)
    script = "cd /; for d in mine theirs; do cat %s/$d/file; echo new >%s/$d/new; done 2>&1; echo end; exec sleep 1000"
    return shell("a", script % (w.dir, w.dir), **keys)


def said(p):
    p.wait_state("a", "running")
    lines = wait_until(lambda: [x for x in [p.ctl("logs", "a").expect(0).out] if "end\n" in x], "the end of the program's words")
    return lines[0]


def test_landlock_leaves_what_is_named_and_refuses_the_rest(w):
    need_landlock(w)
    os.chmod(w.dir, 0o755)
    p = w.procd(reach(w, landlock_read=PROGRAMS + [w.path("theirs")], landlock_write=["mine"]))
    out = said(p)
    contains(out, "mine")
    contains(out, "theirs")
    check(os.path.exists(w.path("mine/new")) and not os.path.exists(w.path("theirs/new")), out)
    equal(status_of(p.pid_of("a"))["NoNewPrivs"], "1", "no_new_privileges")
    p.write(reach(w, landlock_read=PROGRAMS, landlock_write=[w.path("mine")]))
    os.unlink(w.path("mine/new"))
    mark = p.mark()
    p.ctl("reload-config").expect(0)
    p.wait_state("a", "running", after=mark)
    wait_until(lambda: p.ctl("logs", "a").expect(0).out.count("end\n") == 2, "the second run")
    check("ermission denied" in p.ctl("logs", "a").expect(0).out.split("end\n")[1].split("mine", 1)[1], "theirs can be read")
    check(os.path.exists(w.path("mine/new")), "what may be written was not")
    p.stop()


def test_landlock_works_for_ordinary_users(w):
    need_root()
    need_landlock(w)
    readable(w)
    os.makedirs(w.path("mine"))
    os.chown(w.path("mine"), *NOBODY)
    p = w.procd(reach(w, landlock_read=PROGRAMS, landlock_write=["mine"]), user=NOBODY)
    contains(said(p), "ermission denied")
    check(os.path.exists(w.path("mine/new")), "the write")
    p.stop()


def test_credentials_are_within_landlocks_reach(w):
    need_root()
    need_landlock(w)
    write_text(w.path("secret"), "psst")
    q = w.procd(shell("a", "cat $CREDENTIALS_DIRECTORY/s; echo end; exec sleep 1000", landlock_read=PROGRAMS,
                      credentials=["s=" + w.path("secret")]))
    contains(said(q), "psst")
    q.stop()


def test_F38_landlock_fails_closed(w):
    need_landlock(w)
    p = w.procd(w.sub("a", landlock_read=["/not-here"], restart="never"))
    failed_start(p, "a", "landlock", "ENOENT")
    r = w.run("check", "-c", p.config_path).expect(0)
    contains(r.err, "landlock_read: /not-here: No such file")
    p.stop()
    if os.geteuid() == 0:
        for call in ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"):
            for fault in ("error=ENOSYS", "error=EPERM"):
                fails_closed(w, "landlock", call, fault, landlock_read=["/"])


# --- credentials ------------------------------------------------------------------------------------

def test_credentials_are_files_that_only_the_child_has(w):
    need_root()
    readable(w, own=False)
    write_text(w.path("db.key"), "CANARY9911 \n", 0o600)
    with open(w.path("blob"), "wb") as f:
        f.write(bytes(range(256)) * 200)
    p = w.procd(w.sub("a", "--report-state", "r", user=65534, group=65534, working_dir=w.path("out"),
                      credentials=["db=db.key", "blob=" + w.path("blob")]) + w.sub("b"), start=False)
    os.mkdir(w.path("out"))
    os.chown(w.path("out"), *NOBODY)
    p.start()
    p.wait_state("a", "running")
    p.wait_state("b", "running")
    place = read_report(w.path("out", "r"))["env"]["CREDENTIALS_DIRECTORY"]
    pid = p.pid_of("a")
    seen = inside(pid, place)
    equal(sorted(os.listdir(seen)), ["blob", "db"], "names")
    equal(read_text(seen + "/db"), "CANARY9911 \n", "db")
    equal(read_bytes(seen + "/blob"), bytes(range(256)) * 200, "blob")
    for name, mode in (("", 0o500), ("/db", 0o400), ("/blob", 0o400)):
        st = os.stat(seen + name)
        equal((st.st_uid, st.st_gid, st.st_mode & 0o7777), (65534, 65534, mode), name)
    options, kind = mounts(pid)[place]
    equal(kind, "tmpfs", "file system")
    check({"ro", "nosuid", "nodev", "noexec"} <= set(options), options)
    check(not os.path.exists(place + "/db"), "it is seen outside")
    check(not os.path.exists(inside(p.pid_of("b"), place + "/db")), "another subsystem sees it")
    check(b"CREDENTIALS_DIRECTORY" not in b" ".join(environ(p.pid_of("b"))), "another subsystem has the variable")
    p.stop()


def test_F122_credentials_show_nowhere(w):
    need_root()
    write_text(w.path("s"), "CANARY7315", 0o600)
    p = w.procd(w.sub("a", credentials="s=" + w.path("s"), environment={"X": "y"}))
    p.wait_state("a", "running")
    pid = p.pid_of("a")
    shown = [p.ctl(*verb).out for verb in (("status", "--json"), ("why", "a"), ("events", "--last", "100"),
                                           ("logs", "a"))]
    shown += [w.run("config", "--json", "-c", p.config_path).out, read_text(p.log_path), read_text(p.events_path),
              cmdline(pid), b" ".join(environ(pid)).decode(), cmdline(p.pid), cmdline(p.supervisor_pid())]
    for place, _, names in os.walk(p.run_dir):
        shown += [read_text(os.path.join(place, n)) for n in names if os.path.isfile(os.path.join(place, n))]
    for text in shown:
        check("CANARY7315" not in text, "the secret is shown:\n" + text[:2000])
    for role in (p.pid, p.supervisor_pid()):
        check(b"CANARY7315" not in memory_of(role), "the secret is still in the memory of process %d" % role)
    p.stop()


def memory_of(pid):
    """All that can be read of it."""
    found = []
    with open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in read_text("/proc/%d/maps" % pid).splitlines():
            where, rights = line.split()[:2]
            start, end = (int(x, 16) for x in where.split("-"))
            if "rw" not in rights or end - start > 64 << 20:
                continue
            try:
                mem.seek(start)
                found.append(mem.read(end - start))
            except (OSError, OverflowError, ValueError):
                pass
    return b"".join(found)


def test_credentials_are_read_anew_at_each_start(w):
    need_root()
    write_text(w.path("s"), "one")
    p = w.procd(w.sub("a", credentials="s=s"))
    p.wait_state("a", "running")
    equal(read_text(inside(p.pid_of("a"), "/run/credentials/s")), "one", "first")
    write_text(w.path("s"), "two")
    equal(read_text(inside(p.pid_of("a"), "/run/credentials/s")), "one", "of the running one")
    p.ctl("restart", "a").expect(0)
    equal(read_text(inside(p.pid_of("a"), "/run/credentials/s")), "two", "second")
    write_text(w.path("s"), "three")
    p.kill_supervisor()
    mark = p.mark()
    os.kill(p.pid_of("a"), signal.SIGKILL)
    p.wait_state("a", "running", after=mark)
    equal(read_text(inside(p.pid_of("a"), "/run/credentials/s")), "three", "by the next supervisor")
    p.stop()


def test_credentials_work_with_the_rest(w):
    need_root()
    root = make_root(w)
    write_text(w.path("s"), "in the jail")
    os.mkdir(root + "/run")
    p = w.procd('[subsystem.a]\ncommand = "/child"\nroot_dir = "jail"\ncredentials = "s=s"\nprivate_tmp = true\n'
                'protect_system = "strict"\nseccomp = "default"\ncapabilities = []\nuser = 65534\nlimit_nofile = 4\n')
    p.wait_state("a", "running")
    equal(read_text(inside(p.pid_of("a"), "/run/credentials/s")), "in the jail", "s")
    equal(os.readlink("/proc/%d/root" % p.pid_of("a")), root, "root")
    p.stop()


def test_credentials_that_are_not_there_are_a_failed_start(w):
    need_root()
    for i in range(3):
        write_text(w.path("c%d" % i), "x" * 65536)
    write_text(w.path("big"), "x" * 65537)
    p = w.procd(w.sub("none", credentials="s=none", restart="never") +
                w.sub("big", credentials="s=big", restart="never") +
                w.sub("much", credentials=["c%d=c%d" % (i, i) for i in range(3)], restart="never"))
    e = failed_start(p, "none", "credentials", "ENOENT")
    contains(e["error"]["message"], w.path("none"))
    contains(p.ctl("why", "none").out, w.path("none"))
    failed_start(p, "big", "credentials", "EFBIG")
    failed_start(p, "much", "plan", "E2BIG")
    contains(w.run("check", "-c", p.config_path).expect(0).err, "subsystem.none.credentials")
    p.write(w.sub("a", credentials="a/b=/etc/passwd"))
    contains(w.run("check", "-c", p.config_path).expect(78).err, "must have letters")
    p.stop()


def test_F38_credentials_fail_closed(w):
    need_root()
    os.chmod(w.dir, 0o1777)
    write_text(w.path("s"), "x")
    for fault in ("error=EPERM", "retval=0"):
        fails_closed(w, "mount_namespace", "unshare", fault, credentials="s=s")
        fails_closed(w, "credentials", "mount_setattr", fault, credentials="s=s")
    fails_closed(w, "credentials", "mount", "retval=0", credentials="s=s")
    fails_closed(w, "credentials", "fchown", "error=EPERM", credentials="s=s", user=65534)
    fails_closed(w, "credentials", "fchmod", "error=EPERM", credentials="s=s")


def test_ordinary_users_fail_closed_with_credentials(w):
    need_root()
    readable(w)
    write_text(w.path("s"), "x", 0o644)
    p = w.procd(w.sub("a", credentials="s=s", restart="never"), user=NOBODY)
    failed_start(p, "a", "mount_namespace", "EPERM")
    p.stop()


# --- limits of the tree -----------------------------------------------------------------------------

LIMITS = {"memory_max": "64M", "memory_high": "48M", "cpu_quota": "50%", "cpu_weight": 20, "tasks_max": 30,
          "io_weight": 300}


def controllers_here():
    """What cgroup version 2 offers where the tests run."""
    for line in read_text("/proc/self/mountinfo").splitlines():
        left, right = line.split(" - ", 1)
        if right.startswith("cgroup2 "):
            return read_text(left.split()[4] + "/cgroup.controllers").split()
    return []


def test_F101_limits_without_controllers_are_said_to_be_missing(w):
    if set(controllers_here()) & {"memory", "cpu", "pids", "io"}:
        raise Skip("this machine has controllers")
    p = w.procd(w.sub("a", **LIMITS) + w.sub("b") + w.sub("c", kill_mode="process", tasks_max=5))
    for name in "abc":
        p.wait_state(name, "running")
    degraded = p.of("a")["degraded"]
    equal([d.split()[0] for d in degraded], list(LIMITS), "keys")
    contains(degraded[0], "memory_max is not in force: procd has no cgroup version 2 controller")
    equal(p.of("b")["degraded"], [], "of one without limits")
    contains(p.ctl("why", "a").expect(0).out, "tasks_max is not in force")
    contains(p.of("c")["degraded"][0], 'tasks_max is not in force: it needs kill_mode = "group"')
    log = read_text(p.log_path)
    for key in LIMITS:
        check(re.search(r" warn +a: %s is not in force" % key, log), "no warning for %s:\n%s" % (key, log))
    pid = p.pid_of("a")
    p.kill_supervisor()
    p.wait_event(type="supervisor_recovered")
    wait_until(p.rpc_alive, "the next supervisor")
    equal(p.of("a")["degraded"], degraded, "as the next supervisor says it")
    equal(p.pid_of("a"), pid, "pid")
    p.ctl("stop", "a").expect(0)
    equal(p.of("a")["degraded"], [], "of a stopped one")
    p.stop()


def test_limits_where_there_are_controllers(w):
    need_root()
    if not {"memory", "cpu", "pids"} <= set(controllers_here()):
        raise Skip("cgroup version 2 has no controllers here")
    p = w.procd(w.sub("a", **LIMITS))
    p.wait_state("a", "running")
    group = next(l[3:] for l in read_text("/proc/%d/cgroup" % p.pid_of("a")).splitlines() if l.startswith("0::"))
    top = next(m for m, (_, kind) in mounts(p.pid).items() if kind == "cgroup2")
    for name, value in (("memory.max", str(64 << 20)), ("cpu.max", "50000 100000"), ("pids.max", "30")):
        equal(read_text(top + group + "/" + name).strip(), value, name)
    p.stop()


def test_limits_are_checked_at_load(w):
    p = w.procd(w.sub("a", cpu_quota="half"), start=False)
    contains(w.run("check", "-c", p.config_path).expect(78).err, "per cent of one processor")
    p.write(w.sub("a", **LIMITS))
    out = json.loads(w.run("config", "--json", "-c", p.config_path).expect(0).out)["subsystem"]["a"]
    equal({k: out[k]["value"] for k in LIMITS}, dict(LIMITS, memory_max=64 << 20, memory_high=48 << 20), "values")
