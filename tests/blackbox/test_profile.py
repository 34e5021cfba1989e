"""procd profile: where processor time goes, for any subsystem, without its help (issue 5 point 2)."""

import array
import json
import os
import shutil
import signal
import socket
import subprocess
import time

from harness import *
from people import OTHER, STRANGER
from pprof import Profile
from rpc import Connection

OPERATORS = 12100


def tool(w, *args, name="hot"):
    return [os.path.join(os.path.dirname(w.child_path), name)] + [str(a) for a in args]


def hot(w, name, *args, program="hot", **keys):
    lines = ["[subsystem.%s]" % name, "command = " + toml(tool(w, *args, name=program))]
    return "\n".join(lines + ["%s = %s" % (k, toml(v)) for k, v in keys.items()]) + "\n"


def ready(r):
    """Machines and containers without perf events cannot show anything."""
    if r.rc == 1 and "perf_event_open" in r.err + r.out:
        raise Skip("no perf events here: " + (r.err + r.out).strip()[:120])
    return r


def profile(w, p, *args, seconds=0.5, hz=500, file="p.pb.gz", rc=0, **options):
    path = w.path(file)
    r = ready(p.ctl("profile", "cpu", *args, "--seconds", seconds, "--hz", hz, "-o", path, timeout=60, **options)).expect(rc)
    return (Profile(path), r) if rc == 0 else r


def enough(profile, n=20):
    """A machine under load gives few samples; fewer say nothing."""
    if profile.count < n:
        raise Skip("only %d samples: the machine is too busy" % profile.count)


def test_S13_a_profile_says_three_to_one(w):
    w.need_feature("profiling")
    p = w.procd(hot(w, "web", "split"))
    p.wait_state("web", "running")
    f, r = profile(w, p, "web", seconds=0.8)
    enough(f, 60)
    three, one = f.under("hot_three"), f.under("hot_one")
    check(0.55 < three / (three + one) < 0.9, "hot_three %d, hot_one %d" % (three, one))
    check(three + one >= 0.9 * f.count, "others: %d of %d" % (f.count - three - one, f.count))
    check(f.under("main") >= 0.9 * (three + one), "callers")
    check(f.under("burn") >= 0.9 * (three + one), "the leaf")
    equal(f.types, [("samples", "count"), ("cpu", "nanoseconds")], "sample types")
    equal((f.period_type, f.period), (("cpu", "nanoseconds"), 2000000), "period")
    check(all(n == c * f.period for _, c, n, _ in f.samples), "nanoseconds are samples of one period")
    check(0.7e9 < f.duration < 30e9, "duration %d" % f.duration)
    pid = p.pid_of("web")
    check("web: pid %d" % pid in f.comments, f.comments)
    check("samples lost: 0" in f.comments, f.comments)
    equal({(s[3]["pid"], s[3]["thread"]) for s in f.samples}, {(pid, "hot")}, "labels")
    (file, build_id), = set(f.mapping_of("/tools/hot"))
    note = subprocess.run(["readelf", "-n", file], capture_output=True, text=True).stdout if shutil.which("readelf") else ""
    if "Build ID:" in note:
        equal(build_id, note.split("Build ID:")[1].split()[0], "build id")
    contains(r.out, "web: %d samples" % f.count, "what it says")
    p.stop()


def test_S13_go_tool_pprof_opens_it(w):
    w.need_feature("profiling")
    go = need_program("go")
    p = w.procd(hot(w, "web", "split"))
    p.wait_state("web", "running")
    f, _ = profile(w, p, "web")
    enough(f)
    r = w.run_program([go, "tool", "pprof", "-top", w.path("p.pb.gz")], timeout=60,
                      env={"HOME": w.dir, "GOFLAGS": "", "GOCACHE": w.path("cache")}).expect(0)
    rows = {line.split()[-1]: float(line.split()[4].rstrip("%")) for line in r.out.splitlines()
            if line.strip().endswith(("hot_three", "hot_one", "burn"))}
    contains(r.out, "Type: cpu", "type")
    check(rows["hot_three"] > 50 and rows["burn"] > 80, r.out)
    p.stop()


def test_S13_lines_come_with_debug_information(w):
    w.need_feature("profiling")
    if not any(os.path.exists(os.path.join(d, "libdw.so.1")) for d in
               ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")):
        raise Skip("no libdw here")
    if not os.path.exists("/usr/include/elfutils/libdwfl.h"):
        raise Skip("built without libdw")
    p = w.procd(hot(w, "web", "split"))
    p.wait_state("web", "running")
    f, _ = profile(w, p, "web", seconds=0.3)
    enough(f)
    contains(f.files["burn"], "hot.c", "file")
    check(max(f.lines["burn"]) > 0, f.lines["burn"])
    p.stop()


def test_every_thread_is_sampled_under_its_name(w):
    w.need_feature("profiling")
    p = w.procd(hot(w, "web", "threads", 3))
    p.wait_state("web", "running")
    f, _ = profile(w, p, "web", seconds=0.6)
    enough(f, 60)
    equal({s[3]["thread"] for s in f.samples if "hot_thread" in s[0]}, {"worker-0", "worker-1", "worker-2"}, "threads")
    p.stop()


def test_children_that_come_meanwhile_are_sampled_too(w):
    w.need_feature("profiling")
    p = w.procd(hot(w, "web", "fork"))
    p.wait_state("web", "running")
    for seconds in (0.8, 3, 9):    # a machine that has much to do gives them little
        f, _ = profile(w, p, "web", seconds=seconds)
        pids = {s[3]["pid"] for s in f.samples if "hot_child" in s[0]}
        if len(pids) >= 2:
            break
    enough(f)
    check(len(pids) >= 2 and p.pid_of("web") not in pids, "pids of children: %r" % pids)
    p.stop()


def test_a_program_that_becomes_another_is_followed(w):
    w.need_feature("profiling")
    p = w.procd(hot(w, "web", "exec"))
    p.wait_state("web", "running")
    f, _ = profile(w, p, "web", seconds=1.0)
    enough(f)
    check(f.under("hot_three") > 0, "after execve: %r" % f.functions)
    p.stop()


def test_without_frame_pointers_the_leaf_is_right(w):
    w.need_feature("profiling")
    p = w.procd(hot(w, "web", "split", program="hot_bare"))
    p.wait_state("web", "running")
    f, r = profile(w, p, "web")
    enough(f)
    leaves = sum(s[1] for s in f.samples if s[0][0] == "burn")
    check(leaves >= 0.8 * f.count, "leaves %d of %d" % (leaves, f.count))
    p.stop()


def test_what_ends_meanwhile_gives_what_there_was(w):
    w.need_feature("profiling")
    p = w.procd(hot(w, "web", "brief", 300, restart="never"))
    p.wait_state("web", "running")
    began = time.monotonic()
    f, r = profile(w, p, "web", seconds=50)
    check(time.monotonic() - began < 30, "it does not wait for the time to pass")
    check(f.under("hot_three") > 0, "samples")
    contains(r.err, "ended after", "stderr")
    p.stop()


def test_a_restart_meanwhile_is_sampled_on(w):
    w.need_feature("profiling")
    p = w.procd(hot(w, "web", "split"))
    first = p.wait_state("web", "running")["pid"]
    out = w.path("p.pb.gz")
    client = subprocess.Popen([w.procd_path, "profile", "cpu", "web", "--seconds", "60", "--hz", "500", "-o", out, "-s", p.socket],
                              env=w.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: os.path.exists(out) or client.poll() is not None, "it has begun")
    if client.poll() is not None:
        ready(Result([], client.returncode, *client.communicate())).expect(0)
    time.sleep(0.3)
    p.ctl("restart", "web").expect(0)
    second = p.pid_of("web")
    time.sleep(0.5)
    client.send_signal(signal.SIGINT)
    _, err = client.communicate(timeout=60)
    equal(client.returncode, 0, "exit code; " + err)
    f = Profile(out)
    enough(f)
    equal({s[3]["pid"] for s in f.samples}, {first, second}, "pids")
    check({"web: pid %d" % first, "web: pid %d" % second} <= set(f.comments), f.comments)
    p.stop()


def test_the_death_of_a_supervisor_does_not_end_it(w):
    w.need_feature("profiling")
    p = w.procd(hot(w, "web", "split"))
    p.wait_state("web", "running")
    out = w.path("p.pb.gz")
    client = subprocess.Popen([w.procd_path, "profile", "cpu", "web", "--seconds", "60", "--hz", "500", "-o", out, "-s", p.socket, "--json"],
                              env=w.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: os.path.exists(out) or client.poll() is not None, "it has begun")
    if client.poll() is not None:
        ready(Result([], client.returncode, *client.communicate())).expect(0)
    p.kill_supervisor()
    wait_until(lambda: p.rpc("profile.stop")["told"] == 0, "nobody is left to be told")
    time.sleep(0.3)
    client.send_signal(signal.SIGTERM)
    text, err = client.communicate(timeout=60)
    equal(client.returncode, 0, "exit code; " + err)
    result = json.loads(text)
    equal((result["names"], result["output"], result["hz"]), (["web"], out, 500), "result")
    equal(Profile(out).count, result["samples"], "samples")
    p.stop()


def test_profile_stop_tells_who_samples(w):
    w.need_feature("profiling")
    p = w.procd(hot(w, "web", "split"))
    p.wait_state("web", "running")
    out = w.path("p.pb.gz")
    client = subprocess.Popen([w.procd_path, "profile", "cpu", "web", "--seconds", "600", "-o", out, "-s", p.socket],
                              env=w.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: os.path.exists(out) or client.poll() is not None, "it has begun")
    if client.poll() is not None:
        ready(Result([], client.returncode, *client.communicate())).expect(0)
    equal(p.rpc("profile.stop"), {"told": 1}, "answer")
    _, err = client.communicate(timeout=60)
    equal(client.returncode, 0, "exit code; " + err)
    Profile(out)
    equal(p.rpc("profile.stop"), {"told": 0}, "later")
    p.stop()


def test_profile_start_passes_events_as_descriptors(w):
    w.need_feature("profiling")
    p = w.procd(hot(w, "web", "threads", 4))
    p.wait_state("web", "running")
    wait_until(lambda: len(os.listdir("/proc/%d/task" % p.pid_of("web"))) == 5, "all threads")
    supervisor = p.supervisor_pid()
    before = len(os.listdir("/proc/%d/fd" % supervisor))
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(10)
    s.connect(p.socket)
    s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"profile.start","params":{"names":["web"]}}\n')
    data, got = b"", array.array("i")
    while b"\n" not in data:
        part, control, _, _ = s.recvmsg(65536, socket.CMSG_SPACE(253 * got.itemsize))
        check(part, "an answer before the end")
        data += part
        for level, kind, bytes_ in control:
            equal((level, kind), (socket.SOL_SOCKET, socket.SCM_RIGHTS), "control message")
            got.frombytes(bytes_[:len(bytes_) - len(bytes_) % got.itemsize])
    answer = json.loads(data.decode())
    if "error" in answer and "perf_event_open" in answer["error"]["message"]:
        raise Skip(answer["error"]["message"])
    r = answer["result"]
    equal((r["kind"], r["hz"], r["events"], r["left_out"]), ("cpu", 100, len(got), 0), "answer")
    equal(len(got), r["threads"] * len(r["cpus"]), "one per thread and processor")
    equal([(x["name"], x["pid"], x["main"]) for x in r["processes"]], [("web", p.pid_of("web"), True)], "processes")
    equal(set(os.readlink("/proc/self/fd/%d" % fd) for fd in got), {"anon_inode:[perf_event]"}, "what they are")
    for fd in got:
        os.close(fd)
    # who does not take them leaves nothing behind
    c = Connection(p.socket)
    equal(c.call("profile.start", {"names": ["web"]})["events"], len(got), "events")
    c.close()
    s.close()
    wait_until(lambda: len(os.listdir("/proc/%d/fd" % supervisor)) <= before, "descriptors of the supervisor")
    p.stop()


def test_procd_itself(w):
    w.need_feature("profiling")
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    f, r = profile(w, p, seconds=0.2)
    contains(r.out, "procd: keeper, procd: supervisor", "what it says")
    check("procd: keeper: pid %d" % p.pid in f.comments, f.comments)
    equal({s[3]["pid"] for s in f.samples} - {p.pid, p.supervisor_pid()}, set(), "nobody else")
    p.stop()


def test_what_cannot_be_profiled(w):
    w.need_feature("profiling")
    p = w.procd(w.sub("a") + w.sub("off", autostart=False) + "[profiling]\ncpu_output = \"there/x.pb\"\ncpu_hz = 50\n")
    p.wait_state("a", "running")
    contains(p.ctl("profile", "cpu", "nobody").expect(4).err, "no subsystem matches", "stderr")
    contains(p.ctl("profile", "cpu", "off").expect(1).err, "\"off\" is not running", "stderr")
    for args, what in ((("a", "--seconds", "0"), "--seconds"), (("a", "--hz", "0"), "--hz"), (("a", "--hz", "99999"), "--hz"),
                       (("a", "--seconds", "x"), "--seconds")):
        contains(p.ctl("profile", "cpu", *args).expect(64).err, what, "stderr")
    contains(p.ctl("profile", "sound").expect(64).err, "kind of profile", "stderr")
    p.ctl("profile").expect(64)
    e = p.connect().request("profile.start", {"names": ["a"], "kind": "sound"})["error"]
    equal(e["code"], -32602, "invalid parameter")
    contains(ready(p.ctl("profile", "cpu", "a")).expect(73).err, "cannot write there/x.pb", "stderr")
    os.mkdir(w.path("there"))
    p.ctl("profile", "cpu", "a", "--seconds", "0.1").expect(0)
    f = Profile(w.path("there", "x.pb"))
    equal(f.period, 20000000, "cpu_hz")
    p.stop()


def test_a_refusal_names_what_refuses(w):
    w.need_feature("profiling")
    strace = need_program("strace")
    for error, part in (("EACCES", "perf_event_paranoid"), ("ENOSYS", "no perf_event_open")):
        p = w.procd(w.sub("a"), label=error, env={"ASAN_OPTIONS": w.env()["ASAN_OPTIONS"] + ":detect_leaks=0"},
                    launcher=[strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=perf_event_open", "-e",
                              "inject=perf_event_open:error=" + error])
        p.wait_state("a", "running")
        r = p.ctl("profile", "cpu", "a", "-o", w.path("p")).expect(1)
        contains(r.err, part, "stderr")
        if error == "EACCES":
            contains(r.err, "CAP_PERFMON", "stderr")
        e = p.ctl("profile", "cpu", "a", "--json").expect(1).json()["error"]
        equal((e["data"]["code"], e["data"]["category"]), (10001, "platform"), "error")
        check(not os.path.exists(w.path("p")), "no file is left")
        p.ctl("shutdown").expect(0)
        p.wait_end()


def test_an_operator_gets_the_profile_without_the_kernel(w):
    w.need_feature("profiling")
    need_root()
    os.chmod(w.dir, 0o755)
    os.mkdir(w.path("out"))
    os.chown(w.path("out"), STRANGER, OPERATORS)
    p = w.procd("[control]\nmode = \"0666\"\ngroup = \"%d\"\n" % OPERATORS +
                hot(w, "mine", "split", user=str(STRANGER), group=str(OPERATORS)) + hot(w, "other", "split", user=str(OTHER)))
    for name in ("mine", "other"):
        p.wait_state(name, "running")
    for name in ("mine", "other"):
        r = ready(p.ctl("profile", "cpu", name, "--seconds", 0.4, "--hz", 500, "-o", w.path("out", name), "--json",
                        user=(STRANGER, OPERATORS))).expect(0)
        equal(r.json()["kernel"], False, "kernel")
        f = Profile(w.path("out", name))
        enough(f, 5)
        check(not f.mapping_of("[kernel.kallsyms]"), "no kernel addresses")
        if name == "mine":
            check(f.under("burn") > 0, "names in one's own processes")
        else:
            contains(r.err, "may not be read", "stderr")
    contains(p.ctl("profile", "cpu", "mine", user=(OTHER, OTHER)).expect(4).err, "permission denied", "stderr")
    p.stop()


def test_an_ordinary_user_profiles_his_own_procd(w):
    w.need_feature("profiling")
    need_root()
    os.chown(w.dir, STRANGER, STRANGER)
    p = w.procd(hot(w, "web", "split"), user=(STRANGER, STRANGER))
    p.wait_state("web", "running")
    f, _ = profile(w, p, "web", seconds=0.4, user=(STRANGER, STRANGER))
    enough(f, 5)
    check(f.under("hot_three") > 0, "names")
    p.stop()
