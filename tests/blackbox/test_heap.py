"""Heap profiles (interface 2: heap_profile; 4: profile heap; seed map S14)."""

import json
import os
import signal
import stat
import subprocess

from harness import *

# What dh_view.js (valgrind 3.19) wants of a file with lifetimes and without accesses.
TOP = {"dhatFileVersion": int, "mode": str, "verb": str, "bklt": bool, "bkacc": bool, "tu": str, "Mtu": str, "tuth": int,
       "cmd": str, "pid": int, "tg": int, "te": int, "pps": list, "ftbl": list}
PLACE = ("tb", "tbk", "tl", "mb", "mbk", "gb", "gbk", "eb", "ebk")
VIEWERS = ("/usr/libexec/valgrind/dh_view.js", "/usr/lib/valgrind/dh_view.js", "/usr/share/valgrind/dh_view.js")

KNOWN = {"tb": 9333, "tbk": 13, "gb": 5300, "gbk": 4, "eb": 633, "ebk": 4}


def heap(w, *words):
    return [os.path.join(w.build, "tests/tools/heap")] + [str(x) for x in words]


def sub(name, command, profile=None, **keys):
    lines = ["[subsystem.%s]" % name, "command = " + toml(command)]
    if profile:
        keys["heap_profile"] = profile
    lines += ["%s = %s" % (k, toml(v)) for k, v in keys.items()]
    return "\n".join(lines) + "\n"


def load(path):
    """The profile in PATH, every promise of the format checked."""
    with open(path, encoding="utf-8") as f:
        j = json.load(f)
    equal(sorted(j), sorted(TOP), "members")
    for key, kind in TOP.items():
        check(type(j[key]) is kind, "%s is %r" % (key, j[key]))
    equal((j["dhatFileVersion"], j["bklt"], j["bkacc"], j["ftbl"][0]), (2, True, False, "[root]"), "head")
    check(0 <= j["tg"] <= j["te"], "tg %d, te %d" % (j["tg"], j["te"]))
    stacks = set()
    for p in j["pps"]:
        equal(sorted(p), sorted(PLACE + ("fs",)), "members of a place")
        for key in PLACE:
            check(type(p[key]) is int and p[key] >= 0, "%s is %r" % (key, p[key]))
        check(p["fs"] and all(0 < f < len(j["ftbl"]) for f in p["fs"]), "frames %r" % p["fs"])
        check(p["tb"] >= p["mb"] >= max(p["gb"], p["eb"]) and p["tbk"] >= max(p["gbk"], p["ebk"]), "figures %r" % p)
        stacks.add(tuple(p["fs"]))
    equal(len(stacks), len(j["pps"]), "different stacks")
    equal(len(set(j["ftbl"])), len(j["ftbl"]), "different frames")
    return j


def totals(places):
    return {key: sum(p[key] for p in places) for key in KNOWN}


def of_program(j, program="tests/tools/heap"):
    """Places whose innermost frame is in PROGRAM."""
    return [p for p in j["pps"] if program in j["ftbl"][p["fs"][0]]]


def names(j, place):
    return [j["ftbl"][f].split(": ", 1)[1].split(" (in ")[0] for f in place["fs"]]


def viewed(w, *paths):
    """What the stock viewer makes of PATHS."""
    viewer = next((v for v in VIEWERS if os.path.exists(v)), None)
    if not viewer:
        raise Skip("needs the viewer of valgrind: dh_view.js")
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dhat_viewer.js")
    r = w.run_program([need_program("node"), script, viewer] + list(paths)).expect(0)
    return [json.loads(line) for line in r.out.splitlines()]


def profile_of_run(w, *words, **keys):
    """Run the program once under the profiler; the profile."""
    path = w.path("a.json")
    p = w.procd(sub("a", heap(w, *words), path, type="oneshot", **keys))
    p.wait_event(type="state_changed", name="a", prev="running")
    p.stop()
    check(os.path.exists(path), lambda: "no file; the log:\n" + read_text(p.log_path))
    return load(path)


def test_S14_figures_are_true_to_the_byte(w):
    w.need_feature("heap_profiling")
    j = profile_of_run(w, "known")
    places = of_program(j)
    equal(totals(places), KNOWN, "figures")
    equal(totals(j["pps"]), KNOWN, "figures of all")
    blocks = next(p for p in places if p["mb"] == 1000)
    equal((blocks["tb"], blocks["tbk"], blocks["eb"], blocks["ebk"]), (1000, 10, 300, 3), "ten blocks of 100")
    equal([n.split(".")[0] for n in names(j, blocks)[:2]], ["leaf", "middle"], "who called")
    check(all("main" in names(j, p) for p in places), "all the way down to main")
    contains(j["cmd"], "tests/tools/heap known", "command")
    equal(sorted(os.listdir(w.dir))[:1], ["a.json"], "nothing half beside it")


def test_S14_the_stock_viewer_shows_the_same(w):
    w.need_feature("heap_profiling")
    profile_of_run(w, "known", "threads", 4)
    j = load(w.path("a.json"))
    equal(viewed(w, w.path("a.json")), [totals(j["pps"])], "the viewer's totals")


def test_threads_and_forked_children_count_right(w):
    w.need_feature("heap_profiling")
    j = profile_of_run(w, "threads", 4)
    places = [p for p in of_program(j) if "work" in names(j, p)]
    equal(totals(places)["tbk"], 4000, "blocks of the threads")
    equal(totals(places)["eb"], 0, "nothing left")
    check(max(p["mb"] for p in places) <= 4 * 48, "at most one block per thread at a time")
    equal([p for p in j["pps"] if p["tb"] % 77 == 0 and "threads" in names(j, p)[:1]], [], "of the children")


def test_a_process_that_it_starts_does_not_touch_its_file(w):
    w.need_feature("heap_profiling")
    j = profile_of_run(w, "grow", 5, "spawn")
    equal(totals(of_program(j))["tb"], 160, "its own blocks only")
    contains(j["cmd"], "grow 5 spawn", "command")


def test_a_program_executed_in_its_place_is_the_one(w):
    w.need_feature("heap_profiling")
    equal(totals(of_program(profile_of_run(w, "grow", 5, "exec", "grow", 3)))["tb"], 96, "blocks")
    path = w.path("b.json")
    script = write_text(w.path("start.sh"), "#!/bin/sh\nexec %s known\n" % heap(w)[0], 0o755)
    p = w.procd(sub("b", [script], path, type="oneshot"))
    p.wait_event(type="state_changed", name="b", prev="running")
    p.stop()
    equal(totals(of_program(load(path))), KNOWN, "behind a script")


def test_every_ordered_end_writes_the_file(w):
    w.need_feature("heap_profiling")
    ends = {"signal": (["known", "say", "pause"], None, "SIGTERM"), "hup": (["known", "say", "pause"], None, "SIGHUP"),
            "handler": (["handler", "known", "say", "pause"], 7, None), "quit": (["known", "say", "quit"], 3, None),
            "usr": (["known", "say", "pause"], None, "SIGUSR1")}
    config = "".join(sub(n, heap(w, *e[0]), w.path(n + ".json"), restart="never", ready="log:here",
                         stop_signal="SIGUSR1" if n == "usr" else "SIGTERM") for n, e in ends.items())
    p = w.procd(config)
    for n, (words, code, signo) in ends.items():
        if n != "quit":
            p.wait_state(n, "running")
            p.ctl("signal", n, signo or "SIGTERM").expect(0)
        e = p.wait_state(n, "failed")
        equal((e["exit_code"], e["signal"]), (code, signo), n)
        equal(totals(of_program(load(w.path(n + ".json")))), KNOWN, n)
    p.stop()


def test_a_stop_leaves_the_file_of_python(w):
    w.need_feature("heap_profiling")
    python = need_program("python3")
    path = w.path("python.json")
    code = "import time; x = [bytes(100000) for i in range(50)]; print('here', flush=True); time.sleep(10000)"
    p = w.procd(sub("a", [python, "-c", code], path, ready="log:here"))
    p.wait_state("a", "running")
    p.ctl("stop", "a").expect(0)
    j = load(path)
    check(totals(j["pps"])["eb"] >= 5000000, "the list is there")
    check(len(j["pps"]) > 50, "%d places" % len(j["pps"]))
    check(max(len(q["fs"]) for q in j["pps"]) > 10, "deep stacks")
    equal(viewed(w, path), [totals(j["pps"])], "the viewer's totals")
    p.stop()


def test_sigkill_leaves_the_file_as_it_was(w):
    w.need_feature("heap_profiling")
    path = write_text(w.path("a.json"), "of before")
    p = w.procd(sub("a", heap(w, "known", "say", "pause"), path, restart="never", ready="log:here"))
    p.wait_state("a", "running")
    p.ctl("signal", "a", "KILL").expect(0)
    p.wait_state("a", "failed", signal="SIGKILL")
    equal(read_text(path), "of before", "the file")
    p.stop()


def test_a_file_that_cannot_be_written_is_told_and_nothing_is_left(w):
    w.need_feature("heap_profiling")
    path = w.path("nowhere", "a.json")
    r = w.run("check", "-c", write_text(w.path("c.toml"), sub("a", heap(w, "known"), path))).expect(0)
    contains(r.err, "heap_profile: the directory %s does not exist" % w.path("nowhere"), "warning")
    p = w.procd(sub("a", heap(w, "known"), path, type="oneshot"))
    p.wait_state("a", "stopped", prev="running")
    wait_until(lambda: "heap_profile: %s: No such file or directory" % path in read_text(p.log_path), "told")
    p.stop()


def test_a_relative_path_is_meant_from_work_dir(w):
    w.need_feature("heap_profiling")
    os.mkdir(w.path("work"))
    os.mkdir(w.path("own"))
    p = w.procd("work_dir = %s\n" % toml(w.path("work")) +
                sub("a", heap(w, "known"), "a.json", type="oneshot", working_dir=w.path("own")))
    p.wait_state("a", "stopped", prev="running")
    p.stop()
    equal(totals(of_program(load(w.path("work", "a.json")))), KNOWN, "figures")


def test_the_file_belongs_to_the_user_of_the_program(w):
    w.need_feature("heap_profiling")
    need_root()
    os.chmod(w.dir, 0o755)
    # what is built may lie where others cannot look
    for name in ("libprocd-heap.so", "procd", "tests/tools/heap"):
        subprocess.run(["install", "-D", "-m", "755", os.path.join(w.build, name), w.path("inst", os.path.basename(name))],
                       check=True)
    os.mkdir(w.path("mine"))
    os.chown(w.path("mine"), 65534, -1)
    path = w.path("mine", "a.json")
    w.procd_path = w.path("inst", "procd")
    p = w.procd(sub("a", [w.path("inst", "heap"), "known"], path, type="oneshot", user="65534"))
    p.wait_state("a", "stopped", prev="running")
    p.stop()
    equal(totals(of_program(load(path), "inst/heap")), KNOWN, "figures")
    equal(os.stat(path).st_uid, 65534, "owner")


def test_what_was_preloaded_anyway_stays(w):
    w.need_feature("heap_profiling")
    p = w.procd(w.sub("a", "--report-state", w.path("r"), heap_profile=w.path("a.json"),
                      environment=["LD_PRELOAD=libm.so.6"]) + w.sub("b", "--report-state", w.path("r2")))
    env = read_report(w.path("r"))["env"]
    equal(env["LD_PRELOAD"].split(":")[1:], ["libm.so.6"], "the rest of LD_PRELOAD")
    contains(env["LD_PRELOAD"], "libprocd-heap.so", "LD_PRELOAD")
    other = read_report(w.path("r2"))["env"]
    equal([k for k in other if k in ("LD_PRELOAD", "PROCD_HEAP_PROFILE")], [], "of one without heap_profile")
    p.stop()


def test_programs_that_cannot_be_profiled_are_told(w):
    """Told in the log and in status, also by the next supervisor; they run as ever."""
    w.need_feature("heap_profiling")
    source = write_text(w.path("static.c"), "int pause(void);\nint main(void) { return pause(); }\n")
    if w.run_program([need_program("cc"), "-static", "-o", w.path("static"), source]).rc != 0:
        raise Skip("needs a static libc")
    p = w.procd(sub("a", [w.path("static")], w.path("a.json")))
    p.wait_state("a", "running")
    want = ["heap_profile is not in force: the program is statically linked"]
    equal(p.of("a")["degraded"], want, "degraded")
    contains(read_text(p.log_path), want[0], "the log")
    p.kill_supervisor()
    equal(p.of("a")["degraded"], want, "degraded, says the next supervisor")
    p.stop()


def test_an_allocator_of_its_own_is_told(w):
    w.need_feature("heap_profiling")
    p = w.procd(sub("a", [os.path.join(w.build, "tests/tools/ownmalloc")], w.path("a.json")))
    p.wait_state("a", "running")
    wait_until(lambda: "the program brings an allocator of its own" in read_text(p.log_path), "told")
    p.ctl("stop", "a").expect(0)
    check(not os.path.exists(w.path("a.json")), "there is a file of nothing")
    p.stop()


def test_root_dir_and_shared_files_are_told_by_check(w):
    w.need_feature("heap_profiling")
    config = write_text(w.path("c.toml"), sub("a", ["true"], "/x.json", root_dir="/srv"))
    contains(w.run("check", "-c", config).expect(78).err, "c.toml:4:16: subsystem.a.heap_profile: does not go with root_dir", "place")
    write_text(config, sub("a", ["true"], "/tmp/x.json", instances=2))
    contains(w.run("check", "-c", config).expect(0).err, "a@0 and a@1 write the same file", "instances")
    write_text(config, sub("a", ["true"], "/tmp/%n.json", instances=2))
    equal(w.run("check", "-c", config).expect(0).err, "", "each its own")


def test_a_changed_heap_profile_restarts_it_alone(w):
    w.need_feature("heap_profiling")
    other = sub("b", heap(w, "pause"))
    p = w.procd(other + sub("a", heap(w, "known", "pause")))
    p.wait_state("a", "running")
    p.wait_state("b", "running")
    b = p.pid_of("b")
    mark = p.mark()
    p.write(other + sub("a", heap(w, "known", "pause"), w.path("a.json")))
    p.ctl("reload-config").expect(0)
    p.wait_state("a", "running", after=mark)
    equal(p.pid_of("b"), b, "the other one")
    p.stop()
    equal(totals(of_program(load(w.path("a.json")))), KNOWN, "figures")


# --- procd profile heap -------------------------------------------------------------------------------

def test_S14_a_snapshot_of_a_running_one_is_true_to_the_byte(w):
    w.need_feature("heap_profiling")
    p = w.procd(sub("a", heap(w, "known", "say", "pause"), w.path("a.json"), ready="log:here"))
    p.wait_state("a", "running")
    os.mkdir(w.path("here"))
    r = p.ctl("profile", "heap", "a", cwd=w.path("here")).expect(0)
    contains(r.out, "a: 9333 bytes in 13 blocks so far, 5300 in 4 at the peak, 633 in 4 now: dhat-heap.json", "what it says")
    first = load(w.path("here", "dhat-heap.json"))
    equal(totals(first["pps"]), KNOWN, "figures")
    equal(first["pid"], p.pid_of("a"), "pid")
    check(not os.path.exists(w.path("a.json")), "its own file is for its end")
    r = p.ctl("profile", "heap", "a", "-o", w.path("second.json"), "--json").expect(0).json()
    equal((r["total_bytes"], r["total_blocks"], r["bytes"], r["output"]), (9333, 13, 633, w.path("second.json")), "again")
    j = json.loads(p.ctl("profile", "heap", "a", "-o", "-").expect(0).out)
    equal(totals(j["pps"]), KNOWN, "on standard output")
    equal([names(j, q) for q in j["pps"]], [names(first, q) for q in first["pps"]], "the same places")
    equal(viewed(w, w.path("second.json")), [KNOWN], "the viewer's totals")
    p.kill_supervisor()
    p.ctl("profile", "heap", "a", "-o", w.path("third.json")).expect(0)
    equal(totals(load(w.path("third.json"))["pps"]), KNOWN, "after a death of the supervisor")
    p.stop()


def test_no_file_takes_the_place_of_a_pipe_or_a_device(w):
    w.need_feature("heap_profiling")
    pipe = w.path("pipe")
    os.mkfifo(pipe)
    fd = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    p = w.procd(sub("a", heap(w, "known", "say", "pause"), pipe, ready="log:here"))
    p.wait_state("a", "running")
    p.ctl("profile", "heap", "a", "-o", pipe).expect(0)
    equal(totals(json.loads(os.read(fd, 65536))["pps"]), KNOWN, "what came through the pipe")
    p.ctl("stop", "a").expect(0)
    wait_until(lambda: "heap_profile: %s: is no regular file" % pipe in read_text(p.log_path), "told")
    check(stat.S_ISFIFO(os.lstat(pipe).st_mode), "the pipe is still one")
    os.close(fd)
    p.stop()


def test_a_snapshot_while_it_allocates_is_whole(w):
    """Neither torn nor harmful: the program goes on."""
    w.need_feature("heap_profiling")
    code = "import threading\ndef f():\n while True: [bytes(5000 + i) for i in range(100)]\n" \
           "[threading.Thread(target=f).start() for i in range(3)]\nprint('here', flush=True)"
    p = w.procd(sub("a", [need_program("python3"), "-c", code], w.path("a.json"), ready="log:here"))
    p.wait_state("a", "running")
    before = 0
    for i in range(5):
        p.ctl("profile", "heap", "a", "-o", w.path("x.json")).expect(0)
        t = totals(load(w.path("x.json"))["pps"])
        check(t["tbk"] > before, "it went on: %d, %d" % (before, t["tbk"]))
        before = t["tbk"]
    p.ctl("stop", "a").expect(0)
    p.stop()


def test_a_snapshot_that_cannot_be_says_what_to_do(w):
    w.need_feature("heap_profiling")
    p = w.procd(sub("a", heap(w, "pause")) + sub("b", heap(w, "pause"), w.path("b.json"), autostart=False) +
                sub("c", [os.path.join(w.build, "tests/tools/ownmalloc")], w.path("c.json")) + sub("d", ["true"], w.path("d.json"), autostart=False))
    p.wait_state("a", "running")
    p.wait_state("c", "running")
    r = p.ctl("profile", "heap", "a").expect(1)
    contains(r.err, 'set heap_profile = "FILE" in [subsystem.a]', "without the key")
    contains(p.ctl("profile", "heap", "b").expect(1).err, '"b" is not running', "one that is down")
    contains(p.ctl("profile", "heap", "c").expect(1).err, "does not record its heap", "an allocator of its own")
    p.ctl("profile", "heap", "nobody").expect(4)
    contains(p.ctl("profile", "heap", "all").expect(1).err, "a heap profile is of one", "several")
    for args in (("a", "b"), ("a", "--seconds", "3"), ("--hz", "3"), ("--seconds", "no")):
        p.ctl("profile", "heap", *args).expect(64)
    p.ctl("profile", "stack").expect(64)
    check(not [f for f in os.listdir(w.dir) if f.endswith(".json")], "no file of nothing")
    p.ctl("start", "b").expect(0)
    tries = []      # until the program, which runs already, has loaded the recorder

    def asked():
        tries.append(p.ctl("profile", "heap", "b", "-o", w.path("no", "where")))
        return tries[-1].rc == 73

    wait_until(asked, lambda: "b records its heap: %s" % tries[-1], 30)
    contains(tries[-1].err, "cannot write", "a path that is not there")
    p.stop()


def own_heap(w):
    """Skip where something else has the place of malloc: sanitizers."""
    w.need_feature("heap_profiling")
    p = w.procd(sub("a", heap(w, "pause")))
    p.wait_state("a", "running")
    r = p.ctl("profile", "heap", "start", "-o", "own.json")
    if r.rc == 1 and "cannot record its own heap" in r.err:
        p.stop()
        raise Skip("this build has no malloc of its own")
    r.expect(0)
    return p


def test_S14_procds_own_heap_from_start_to_stop(w):
    p = own_heap(w)
    contains(p.ctl("profile", "heap", "start").expect(1).err, "already", "twice")
    p.write(sub("a", heap(w, "pause")) + sub("b", heap(w, "pause")))
    p.ctl("reload-config").expect(0)
    p.ctl("profile", "heap", "stop").expect(0)
    j = load(w.path("own.json"))
    equal(j["pid"], p.supervisor_pid(), "the supervisor's")
    check(totals(j["pps"])["tb"] > 10000, "a reload takes memory")
    check(any("config_load" in names(j, q) for q in j["pps"]), "of the configuration")
    equal(viewed(w, w.path("own.json")), [totals(j["pps"])], "the viewer's totals")
    contains(p.ctl("profile", "heap", "stop").expect(1).err, "is not recorded", "once more")
    p.stop()


def test_procds_own_heap_while_a_client_asks(w):
    p = own_heap(w)
    p.ctl("profile", "heap", "stop", "-o", w.path("x.json")).expect(0)
    r = p.ctl("profile", "heap", "--seconds", "0.1", "-o", w.path("own.json"), "--json").expect(0).json()
    equal(r["total_bytes"], totals(load(w.path("own.json"))["pps"])["tb"], "figures")
    contains(p.ctl("profile", "heap", "stop").expect(1).err, "is not recorded", "it has ended with the client")
    c = p.connect()
    c.call("profile.start", {"kind": "heap", "keep": True})
    c.close()
    wait_until(lambda: p.ctl("profile", "heap", "start").rc == 0, "a client that dies ends it")
    p.kill_supervisor()
    contains(p.ctl("profile", "heap", "stop").expect(1).err, "is not recorded", "by the next supervisor")
    p.stop()
