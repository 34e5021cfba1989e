"""What is in the box (interface 5; seed map S1-S16): the build's features, and what it is without them."""

import os
import time

from harness import *

ONE = "[subsystem.a]\ncommand = [\"true\"]\n"

# What a build without the feature refuses (the seed map's S5), and the option that is told then.
KEYS = (
    ("config_watch", "hot_reload = true\n", "--enable-config-watch"),
    ("json_logs", "[logging]\njson = true\n", "--enable-json-logs"),
    ("lockfree_coordination", "[performance]\nlock_free = true\n", "--enable-lockfree-coordination"),
    ("metrics", "[monitoring]\nenable_metrics = true\n", "--enable-metrics"),
    ("scheduler_hints", "[performance]\nthread_pinning = true\n", "--enable-scheduler-hints"),
    ("scheduler_hints", "[performance]\nnuma_aware = true\n", "--enable-scheduler-hints"),
    ("scheduler_hints_unix", "[performance]\nnice = 1\n", "--enable-scheduler-hints-unix"),
    ("http", "[http]\nlisten = \"127.0.0.1:0\"\n", "--enable-http"),
    ("heap_profiling", "[defaults]\nheap_profile = \"/tmp/x.json\"\n", "--enable-heap-profiling"),
)
# ... and what it accepts, because nothing is asked of it.
OFF = (
    "hot_reload = false\n",
    "[logging]\njson = false\n",
    "[performance]\nlock_free = false\nthread_pinning = false\nnuma_aware = no\nnice = 0\n",
)


def test_features(w):
    j = w.run("features", "--json").expect(0).json()
    equal(sorted(j), ["allocator", "clock", "event_backend", "kernel", "options", "version"], "keys")
    equal(sorted(j["options"]), sorted((
        "metrics console json_logs config_watch mmap_config mimalloc high_res_timing scheduler_hints "
        "scheduler_hints_unix lockfree_coordination profiling heap_profiling http import_yaml ipc full").split()), "options")
    for name, built in j["options"].items():
        check(built in (True, False), "%s is %r" % (name, built))
    check("epoll" in j["event_backend"]["supported"], "epoll is supported")
    equal(j["event_backend"]["default"], "epoll", "default back end")
    equal(j["allocator"], "mimalloc" if j["options"]["mimalloc"] else "glibc", "allocator")
    check(j["clock"] == "clock_gettime" or (j["clock"] == "tsc" and j["options"]["high_res_timing"]), j["clock"])
    for name, f in j["kernel"].items():
        equal(sorted(f), ["available", "used"], "kernel feature " + name)
    text = w.run("features").expect(0).out
    contains(text, "pidfd", "text")
    contains(text, "json_logs", "text")


def test_S5_a_key_of_a_feature_that_was_not_built_is_refused_before_anything_happens(w):
    built = w.features()
    for feature, text, option in KEYS:
        config = write_text(w.path(feature + ".toml"), text + ONE)
        if built[feature]:
            w.run("check", "-c", config).expect(0)
            continue
        lines = 1 + text.rstrip("\n").count("\n")
        for verb in ("check", "run"):
            r = w.run(verb, "-c", config, "--set", "run_dir=" + w.path("run")).expect(78)
            contains(r.err, "%s:%d:" % (config, lines), verb)
            contains(r.err, option, verb)
            check(not os.path.exists(w.path("run")), "%s made the run directory" % verb)


def test_what_was_not_built_is_refused_by_its_verb(w):
    built = w.features()
    p = w.procd(w.sub("a"))
    for feature, words, option in (("metrics", ["metrics"], "--enable-metrics"),
                                   ("profiling", ["profile", "cpu", "a", "--seconds", "1"], "--enable-profiling")):
        if not built[feature]:
            r = p.ctl(*words)
            check(r.rc in (1, 64), "exit code %d" % r.rc)
            contains(r.err, option, feature)


def test_a_feature_that_was_not_built_may_be_switched_off(w):
    for text in OFF:
        w.run("check", "-c", write_text(w.path("c.toml"), text + ONE)).expect(0)


# --- event back ends (S2) --------------------------------------------------------------------------

def test_S2_every_supported_back_end_supervises_and_any_other_is_refused_with_the_list(w):
    supported = w.run("features", "--json").expect(0).json()["event_backend"]["supported"]
    check({"epoll", "poll", "select"} <= set(supported), "supported: %r" % supported)
    for name in ("auto", "epoll", "poll", "select", "linuxaio", "io_uring"):
        text = "[performance]\nevent_backend = \"%s\"\n" % name
        config = write_text(w.path(name + ".toml"), text + ONE)
        r = w.run("check", "-c", config)
        if name == "auto" or name in supported:
            r.expect(0)
            continue
        r.expect(78)
        contains(r.err, "%s:2:" % config, "place")
        for other in supported:
            contains(r.err, other, "the list")
    for name in supported:
        p = w.procd("[performance]\nevent_backend = \"%s\"\n[subsystem.a]\ncommand = %s\n"
                    % (name, w.child()), label=name)
        p.wait_event(type="state_changed", name="a", state="running")
        p.ctl("restart", "a").expect(0)
        p.stop()


# --- scheduler hints (S10, S11, C16, C18) ------------------------------------------------------------

def threads_of(pid):
    for tid in os.listdir("/proc/%d/task" % pid):
        comm = read_text("/proc/%d/task/%s/comm" % (pid, tid)).strip()
        yield int(tid), comm, os.sched_getaffinity(int(tid))


def test_S11_nice_is_the_supervisors_alone(w):
    w.need_feature("scheduler_hints_unix")
    p = w.procd("[performance]\nnice = 3\n[subsystem.a]\ncommand = %s\n" % w.child())
    child = p.wait_event(type="state_changed", name="a", state="running")["pid"]
    supervisor = p.status()["supervisor_pid"]
    for tid, comm, _ in threads_of(supervisor):
        if comm != "procd":  # the helper of RCU, which was there before
            equal(os.getpriority(os.PRIO_PROCESS, tid), 3, "nice of " + comm)
    equal(os.getpriority(os.PRIO_PROCESS, child), 0, "nice of the child")


def test_S11_what_is_refused_is_told_in_status(w):
    w.need_feature("scheduler_hints_unix")
    need_root()
    os.chmod(w.dir, 0o777)
    p = w.procd("[performance]\nnice = -5\n[subsystem.a]\ncommand = %s\n" % w.child(), user=(65534, 65534))
    p.wait_event(type="state_changed", name="a", state="running")
    degraded = p.status()["degraded"]
    check(any("nice = -5" in line for line in degraded), "degraded: %r" % degraded)


def test_C16_pinned_threads_stay_on_one_processor_of_those_allowed(w):
    w.need_feature("scheduler_hints")
    allowed = os.sched_getaffinity(0)
    one = {min(allowed)}
    for mask, label in ((allowed, "all"), (one, "one")):
        os.sched_setaffinity(0, mask)
        p = w.procd("[performance]\nthread_pinning = true\n[subsystem.a]\ncommand = %s\n" % w.child(), label=label)
        os.sched_setaffinity(0, allowed)
        child = p.wait_event(type="state_changed", name="a", state="running")["pid"]
        supervisor = p.status()["supervisor_pid"]
        seen = {comm: cpus for tid, comm, cpus in threads_of(supervisor) if comm != "procd"}
        equal(seen.pop("procd-super"), mask, "main thread")
        check(len(seen) >= 3, "threads: %r" % sorted(seen))
        for comm, cpus in seen.items():
            check(len(cpus) == 1 and cpus <= mask, "%s runs on %r" % (comm, cpus))
        equal(os.sched_getaffinity(child), mask, "the child's processors")
        p.stop()


def test_C18_numa_awareness_says_what_it_does(w):
    w.need_feature("scheduler_hints")
    p = w.procd("[performance]\nnuma_aware = true\n[subsystem.a]\ncommand = %s\n" % w.child())
    child = p.wait_event(type="state_changed", name="a", state="running")["pid"]
    nodes = read_text("/sys/devices/system/node/has_cpu").strip()
    told = [line for line in p.status()["degraded"] if "numa_aware" in line]
    if nodes.isdigit():
        check(told, "one node, and nothing told")
    else:
        check(not told, "told: %r" % told)
        supervisor = p.status()["supervisor_pid"]
        check(os.sched_getaffinity(supervisor) < os.sched_getaffinity(child), "still on all nodes")


def test_C15_worker_threads_bounds_the_readers_of_files(w):
    def readers(p):
        return sum(comm == "procd-reader" for _, comm, _ in threads_of(p.status()["supervisor_pid"]))

    config = ["[performance]\nworker_threads = 1\n"]
    for i in range(8):
        env = write_text(w.path("env%d" % i), "A=%d\n" % i)
        config.append("[subsystem.s%d]\ncommand = %s\nenv_file = [\"%s\"]\n" % (i, w.child(), env))
    p = w.procd("".join(config))
    for i in range(8):
        p.wait_event(type="state_changed", name="s%d" % i, state="running")
    equal(readers(p), 1, "readers")


def test_S9_events_carry_a_monotonic_stamp_of_the_kernels_clock(w):
    before = time.monotonic_ns()
    p = w.procd(w.sub("a"))
    p.wait_event(type="state_changed", name="a", state="running")
    p.ctl("restart", "a").expect(0)
    stamps = [e["at_mono_ns"] for e in p.read_events()]
    check(all(isinstance(s, int) for s in stamps) and stamps == sorted(stamps), "stamps: %r" % stamps)
    # the counter may be a few microseconds off
    check(before <= stamps[0] + 100000 and stamps[-1] <= time.monotonic_ns() + 100000, "between before and after")


# --- mmap-config (S7) -----------------------------------------------------------------------------

def test_S7_the_loader_says_how_it_read_and_survives_truncation(w):
    p = w.procd("[logging]\nlevel = \"debug\"\n" + w.sub("a"))
    text = read_text(p.config_path)
    pid = p.wait_event(type="state_changed", name="a", state="running")["pid"]
    first = w.run("config", "-c", p.config_path).expect(0).out.splitlines()[0]
    mapped = w.features()["mmap_config"]
    equal(first, "# files: 1, of which through a memory map: 1" if mapped else first, "the text of config")
    contains(read_text(p.log_path), ", built with ", "S16: the features in the log")
    contains(read_text(p.log_path), "1 files, %d of them read through memory maps" % mapped, "the log")
    for i in range(40):
        with open(p.config_path, "r+") as f:
            f.truncate(0)
            p.ctl("reload-config")
            f.write(text)
            f.flush()
            p.ctl("reload-config").expect(0)
    equal(p.pid_of("a"), pid, "pid")
