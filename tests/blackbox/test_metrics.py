"""What the subsystems use, and what procd counts (interface 2 [monitoring], 4 status and metrics)."""

from harness import *


def used(p, name):
    s = p.of(name)
    return {k: s[k] for k in ("rss_bytes", "cpu_percent", "threads", "fds")}


def python(code):
    return toml(["/usr/bin/env", "python3", "-c", code])


def test_O8_status_tells_what_each_uses(w):
    p = w.procd('[subsystem.burn]\ncommand = ["sh", "-c", "while :; do :; done"]\n' +
                w.sub("calm") + w.sub("off", autostart=False) + "[monitoring]\nmetrics_interval = \"200ms\"\n")
    p.wait_state("calm", "running")
    p.wait_state("burn", "running")
    first = used(p, "calm")
    check(first["rss_bytes"] > 50000, "memory at the first question: %r" % first)
    equal(first["threads"], 1, "threads")
    equal(first["fds"], len(os.listdir("/proc/%d/fd" % p.pid_of("calm"))), "descriptors")
    wait_until(lambda: (used(p, "burn")["cpu_percent"] or 0) > 10, "the one that burns is seen to")
    check(used(p, "calm")["cpu_percent"] < 5, "the calm one is calm")
    equal(used(p, "off"), {"rss_bytes": None, "cpu_percent": None, "threads": None, "fds": None}, "one that is down")
    table = p.ctl("status").out
    contains(table, "CPU%", "the table")
    contains(table, "RSS", "the table")
    p.stop()


def test_O8_the_whole_tree_counts(w):
    p = w.procd(w.sub("a", "--grandchild", w.path("g1"), "--grandchild", "+s", w.path("g2")) + w.sub("one"))
    wait_pid_file(w.path("g1"))
    wait_pid_file(w.path("g2"))
    p.wait_state("one", "running")
    one = used(p, "one")
    wait_until(lambda: used(p, "a")["threads"] == 3, "threads of three processes")
    tree = used(p, "a")
    check(tree["rss_bytes"] > one["rss_bytes"], "memory of three: %r, of one: %r" % (tree, one))
    p.stop()


def test_O8_memory_and_threads_are_the_kernels_numbers(w):
    p = w.procd("[subsystem.a]\ncommand = " + python(
        "import threading, time\nx = b'x' * 60000000\n"
        "for i in range(3): threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
        "open('%s', 'w').close()\ntime.sleep(1000)" % w.path("up")))
    wait_until(lambda: os.path.exists(w.path("up")), "it is up")
    wait_until(lambda: used(p, "a")["rss_bytes"] > 60000000, "its memory shows")
    equal(used(p, "a")["threads"], 4, "threads")
    p.stop()


def test_C22_track_resources_off_means_off(w):
    text = w.sub("a") + "[monitoring]\ntrack_resources = %s\n"
    p = w.procd(text % "false")
    p.wait_state("a", "running")
    equal(set(used(p, "a").values()), {None}, "what is told")
    p.write(text % "true")
    at = p.mark()
    p.ctl("reload-config").expect(0)
    check(used(p, "a")["rss_bytes"] > 0, "told after a reload")
    equal(p.find_events(at, type="state_changed"), [], "and nothing was touched")
    p.stop()


def test_O8_another_process_begins_anew(w):
    p = w.procd(w.sub("a", restart="always", restart_delay="10ms") + "[monitoring]\nmetrics_interval = \"50ms\"\n")
    p.wait_state("a", "running")
    wait_until(lambda: used(p, "a")["cpu_percent"] is not None, "two samples")
    at = p.mark()
    os.kill(p.pid_of("a"), 9)
    p.wait_state("a", "running", after=at)
    wait_until(lambda: p.of("a")["rss_bytes"], "the new one's memory")
    p.kill_supervisor()
    check(used(p, "a")["rss_bytes"] > 0, "after a supervisor's death, too")
    p.stop()


def test_C22_as_another_user_procd_sees_its_own(w):
    need_root()
    os.chmod(w.dir, 0o755)
    p = w.procd(w.sub("a", user="nobody"))
    p.wait_state("a", "running")
    check(used(p, "a")["rss_bytes"] > 0 and used(p, "a")["threads"] == 1, "what it uses: %r" % used(p, "a"))
    p.stop()


HUNGRY = """
import os, signal, sys, time
pages = []
def more(*_): pages.append(b"x" * 40000000)
def less(*_): pages.clear()
signal.signal(signal.SIGUSR1, more)
signal.signal(signal.SIGUSR2, less)
open(sys.argv[1] + "-", "w").write(str(os.getpid()))
os.rename(sys.argv[1] + "-", sys.argv[1])
while True: signal.pause()
"""


def hungry(w, **keys):
    """A program that takes 40 MB at each SIGUSR1 and gives them back at SIGUSR2."""
    lines = ["[subsystem.a]", "command = " + toml(["/usr/bin/env", "python3", "-c", HUNGRY, w.path("up")])]
    lines += ["%s = %s" % (k, toml(v)) for k, v in keys.items()]
    return "\n".join(lines) + "\n[monitoring]\nmetrics_interval = \"20ms\"\n"


def alerts(p, after=0):
    return p.find_events(after, type="resource_alert")


def test_O9_one_alert_until_it_was_below_ninety_percent(w):
    p = w.procd(hungry(w, memory_soft_limit="30M"))
    pid = wait_pid_file(w.path("up"))
    equal(alerts(p), [], "alerts below the limit")
    os.kill(pid, 10)
    e = p.wait_event(type="resource_alert")
    equal((e["name"], e["resource"], e["limit"]), ("a", "memory", 30 << 20), "the alert")
    check(e["value"] > e["limit"], "its value")
    os.kill(pid, 10)
    wait_until(lambda: p.of("a")["rss_bytes"] > 80000000, "still more memory")
    p.kill_supervisor()
    wait_until(lambda: p.of("a")["rss_bytes"] > 80000000, "the next supervisor looks, too")
    at = p.mark_now()
    time_for_samples(p)
    equal(len(alerts(p)), 1, "alerts above the limit, whoever looks")
    os.kill(pid, 12)
    wait_until(lambda: p.of("a")["rss_bytes"] < 27 << 20, "it has given it back")
    time_for_samples(p)
    os.kill(pid, 10)
    p.wait_event(type="resource_alert", after=at)
    equal(p.pid_of("a"), pid, "and it goes on")
    p.stop()


def time_for_samples(p):
    """Ten intervals and more."""
    before = p.of("a")["uptime_ms"]
    wait_until(lambda: p.of("a")["uptime_ms"] > before + 200, "time goes by")


def test_O9_on_memory_limit_restart(w):
    p = w.procd(hungry(w, memory_soft_limit="30M", on_memory_limit="restart"))
    pid = wait_pid_file(w.path("up"))
    at = p.mark()
    os.unlink(w.path("up"))
    os.kill(pid, 10)
    p.wait_event(type="resource_alert", after=at)
    e = p.wait_state("a", "stopping", after=at)
    equal(e["reason"], "memory", "reason of the stop")
    equal(p.wait_state("a", "starting", after=at)["reason"], "memory", "reason of the start")
    check(wait_pid_file(w.path("up")) != pid, "another process")
    equal(p.of("a")["restart_count"], 0, "it is no failure")
    p.stop()


def test_O9_a_limit_that_a_reload_brings_counts_at_once(w):
    p = w.procd(hungry(w))
    pid = wait_pid_file(w.path("up"))
    os.kill(pid, 10)
    wait_until(lambda: p.of("a")["rss_bytes"] > 40000000, "it has the memory")
    at = p.mark()
    p.write(hungry(w, memory_soft_limit="30M"))
    p.ctl("reload-config").expect(0)
    p.wait_event(type="resource_alert", after=at)
    equal(p.pid_of("a"), pid, "pid")
    p.write(hungry(w, memory_soft_limit="1G"))
    p.ctl("reload-config").expect(0)
    time_for_samples(p)
    equal(len(alerts(p)), 1, "alerts")
    p.stop()


def test_O9_a_limit_without_samples_is_a_warning(w):
    p = w.procd(w.sub("a", memory_soft_limit="30M") + w.sub("b", on_memory_limit="restart") +
                "[monitoring]\ntrack_resources = false\n", start=False)
    r = w.run("check", "-c", p.config_path).expect(0)
    contains(r.err, "a.memory_soft_limit: has no effect with monitoring.track_resources", "warning")
    contains(r.err, "b.on_memory_limit: has no effect without", "warning")
