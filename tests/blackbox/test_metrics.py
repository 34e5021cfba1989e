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
    wait_until(lambda: used(p, "a")["rss_bytes"] > 0 and used(p, "a")["threads"] == 1, lambda: "it uses something: %r" % used(p, "a"))
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
    w.need_feature("metrics")
    p = w.procd(w.sub("a", memory_soft_limit="30M") + w.sub("b", on_memory_limit="restart") +
                "[monitoring]\ntrack_resources = false\n", start=False)
    r = w.run("check", "-c", p.config_path).expect(0)
    contains(r.err, "a.memory_soft_limit: has no effect with monitoring.track_resources", "warning")
    contains(r.err, "b.on_memory_limit: has no effect without", "warning")


# --- procd metrics ---------------------------------------------------------------------------------

def parse_openmetrics(text):
    """Samples {(name, labels): value} and families {name: type} of TEXT, which must be valid OpenMetrics 1.0: each
    family's samples stand together, suffixes fit their types, units are suffixes, it ends with # EOF."""
    import re
    check(text.endswith("\n# EOF\n"), "the end mark")
    suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    families, samples, current, done = {}, {}, None, set()
    for line in text[:-len("# EOF\n")].splitlines():
        m = re.fullmatch(r"# (HELP|TYPE|UNIT) ([a-z_:][a-z0-9_:]*) (.+)", line)
        if m:
            what, name, rest = m.groups()
            if name != current:
                check(name not in done, "family %s comes twice" % name)
                current, seen = name, set()
                done.add(name)
            check(what not in seen, "%s of %s comes twice" % (what, name))
            seen.add(what)
            if what == "TYPE":
                families[name] = rest
            if what == "UNIT":
                check(name.endswith("_" + rest), "%s does not end in its unit %s" % (name, rest))
            continue
        m = re.fullmatch(r'([a-z_:][a-z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\n"])*",?)*)\})? (-?[0-9.]+)', line)
        check(m, "no line of OpenMetrics: %r" % line)
        name, labels, value = m.groups()
        labels = tuple(sorted(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', labels or "")))
        check(any(name == current + s for s in suffixes[families[current]]), "%s is no sample of %s" % (name, current))
        check((name, labels) not in samples, "sample twice: %s" % line)
        samples[name, labels] = float(value)
    for (name, labels), value in samples.items():
        if name.endswith("_bucket") and ("le", "+Inf") in labels:
            rest = tuple(l for l in labels if l[0] != "le")
            equal(samples[name[:-7] + "_count", rest], value, "count of " + name)
    return samples, families


def scrape(p):
    return parse_openmetrics(p.ctl("metrics").expect(0).out)[0]


def sample(samples, metric, **labels):
    return samples.get((metric, tuple(sorted(labels.items()))))


def test_O14_metrics_are_openmetrics(w):
    w.need_feature("metrics")
    p = w.procd('name = "we\\"ird"\n' + w.sub("web") + w.sub("db", autostart=False))
    p.wait_state("web", "running")
    s, families = parse_openmetrics(p.ctl("metrics").expect(0).out)
    for name, kind in (("procd_uptime_seconds", "gauge"), ("procd_config_generation", "gauge"), ("procd_events", "counter"),
                       ("procd_events_dropped", "counter"), ("procd_subsystem_state", "gauge"), ("procd_subsystem_up", "gauge"),
                       ("procd_subsystem_restarts", "counter"), ("procd_subsystem_exits", "counter"),
                       ("procd_subsystem_start_seconds", "histogram"), ("procd_subsystem_cpu_seconds", "counter"),
                       ("procd_subsystem_memory_rss_bytes", "gauge"), ("procd_subsystem_threads", "gauge"),
                       ("procd_subsystem_fds", "gauge")):
        equal(families.get(name), kind, "type of " + name)
    equal(sample(s, "procd_subsystem_up", name="web"), 1, "up")
    equal(sample(s, "procd_subsystem_up", name="db"), 0, "down")
    equal(sample(s, "procd_subsystem_restarts_total", name="web"), 0, "restarts")
    states = {dict(l)["state"]: v for (n, l), v in s.items() if n == "procd_subsystem_state" and dict(l)["name"] == "db"}
    equal(states, {"stopped": 1, "starting": 0, "running": 0, "stopping": 0, "failed": 0, "restarting": 0}, "states")
    equal({dict(l)["daemon"] for (n, l) in s if n == "procd_subsystem_state"}, {'we\\"ird'}, "label of the daemon")
    equal(sample(s, "procd_subsystem_start_seconds_count", name="web"), 1, "starts")
    check(sample(s, "procd_subsystem_memory_rss_bytes", name="web") > 50000, "memory")
    check(sample(s, "procd_subsystem_context_switches_total", name="web", kind="voluntary") is not None, "switches")
    check(sample(s, "procd_subsystem_memory_rss_bytes", name="db") is None, "nothing of one that is down")
    check(sample(s, "process_resident_memory_bytes") > 500000, "procd's own")
    p.stop()


def test_O11_what_happens_is_counted(w):
    w.need_feature("metrics")
    p = w.procd(w.sub("a", "--exit", 3, restart="on-failure", restart_delay="5ms", restart_max_attempts=3) + w.sub("b") +
                w.sub("no", autostart=False).replace(w.child_path, "/no/such/program"))
    p.wait_state("a", "failed", gave_up=True)
    p.wait_state("b", "running")
    p.ctl("start", "no").expect(1)
    p.ctl("restart", "b").expect(0)
    p.ctl("start", "nobody").expect(4)
    p.write(w.sub("b") + "nonsense = [\n")
    p.ctl("reload-config").expect(78)
    p.write(w.sub("b", description="new") + w.sub("a"))
    p.ctl("reload-config").expect(0)
    p.ctl("reload-config").expect(0)
    before = p.ctl("events", "--last", "1").json()["seq"]
    s = scrape(p)
    after = p.ctl("events", "--last", "1").json()["seq"]  # the one that fails goes on failing meanwhile
    equal(sample(s, "procd_subsystem_exits_total", name="b", code="", signal="SIGTERM"), 1, "ends of b")
    equal(sample(s, "procd_subsystem_start_seconds_count", name="b"), 2, "starts of b")
    equal(sample(s, "procd_config_reloads_total", result="rejected"), 1, "refused")
    equal(sample(s, "procd_config_reloads_total", result="applied"), 1, "applied")
    equal(sample(s, "procd_config_reloads_total", result="unchanged"), 1, "without a difference")
    equal(sample(s, "procd_config_reload_seconds_count"), 1, "reloads")
    equal(sample(s, "procd_config_generation"), 2, "generation")
    check(sample(s, "procd_subsystem_stop_seconds_count") >= 1, "stops")
    check(sample(s, "procd_spawn_seconds_count") >= 6, "spawns")
    check(sample(s, "procd_errors_total", category="subsystem") >= 1, "errors: %r" % sample(s, "procd_errors_total", category="subsystem"))
    check(before <= sample(s, "procd_events_total") <= after, "events")
    p.stop()


def test_O13_counters_and_histograms_outlive_a_supervisor(w):
    w.need_feature("metrics")
    p = w.procd(w.sub("a", "--exit", 3, restart="on-failure", restart_delay="5ms", restart_max_attempts=3))
    p.wait_state("a", "failed", gave_up=True)
    before = scrape(p)
    equal(sample(before, "procd_subsystem_exits_total", name="a", code="3", signal=""), 4, "ends")
    equal(sample(before, "procd_subsystem_restarts_total", name="a"), 3, "restarts")
    p.kill_supervisor()
    after = scrape(p)
    for (name, labels), value in before.items():
        if name.startswith("procd_subsystem") and name.endswith(("_total", "_count", "_sum", "_bucket")):
            check(after[name, labels] >= value, "%s%r fell from %g to %g" % (name, labels, value, after[name, labels]))
    equal(sample(after, "procd_supervisor_deaths_total"), 1, "deaths")
    check(sample(after, "process_start_time_seconds") > sample(before, "process_start_time_seconds"), "another process")
    p.stop()
    check(not os.path.exists(os.path.join(p.run_dir, "tally")), "an ordered end leaves no counters")


def test_U14_health_probes_are_counted(w):
    w.need_feature("metrics")
    p = w.procd(w.sub("a", health="command:test -e " + w.path("ok"), health_interval="10ms", on_unhealthy="event"))
    p.wait_event(type="health_changed", health="unhealthy")
    write_text(w.path("ok"), "")
    p.wait_event(type="health_changed", health="healthy")
    s = scrape(p)
    check(sample(s, "procd_health_checks_total", result="failed") >= 3, "failed")
    check(sample(s, "procd_health_checks_total", result="passed") >= 1, "passed")
    check(sample(s, "procd_health_check_seconds_count") >= 4, "durations")
    equal(sample(s, "procd_subsystem_healthy", name="a"), 1, "health")
    p.stop()


def test_O12_fan_out_is_timed_only_for_subscribers(w):
    w.need_feature("metrics")
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    equal(sample(scrape(p), "procd_event_fanout_seconds_count"), 0, "nobody listens")
    c = p.connect()
    c.call("events.subscribe")
    p.ctl("restart", "a").expect(0)
    wait_until(lambda: sample(scrape(p), "procd_event_fanout_seconds_count") > 0, "one who listens")
    c.close()
    p.stop()


def test_O15_metrics_as_json_and_as_the_older_text(w):
    w.need_feature("metrics")
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    families = {f["name"]: f for f in p.ctl("metrics", "--json").expect(0).json()["families"]}
    equal(families["procd_subsystem_up"]["samples"], [{"name": "procd_subsystem_up", "labels": {"name": "a"}, "value": 1}], "one")
    equal(families["procd_events"]["type"], "counter", "type")
    old = p.ctl("metrics", "--format", "prometheus").expect(0).out
    contains(old, "# TYPE procd_events_total counter\n", "the older text")
    check("# EOF" not in old and "# UNIT" not in old, "nothing that it does not know")
    p.ctl("metrics", "--format", "xml").expect(64)
    answer = p.connect().request("metrics.get", {"format": "xml"})
    equal(answer["error"]["data"]["code"], 9001, "code")
    p.stop()


def test_C20_enable_metrics_off_means_off(w):
    w.need_feature("metrics")
    text = w.sub("a") + "[monitoring]\nenable_metrics = %s\n"
    p = w.procd(text % "false")
    p.wait_state("a", "running")
    r = p.ctl("metrics").expect(1)
    contains(r.err, "monitoring.enable_metrics", "reason")
    p.write(text % "true")
    p.ctl("reload-config").expect(0)
    s = scrape(p)
    equal(sample(s, "procd_subsystem_start_seconds_count", name="a"), None, "what was not counted is not there")
    p.ctl("restart", "a").expect(0)
    equal(sample(scrape(p), "procd_subsystem_start_seconds_count", name="a"), 1, "from now on it is")
    p.stop()


def test_O14_promtool_finds_nothing_to_complain_of(w):
    w.need_feature("metrics")
    promtool = need_program("promtool")
    p = w.procd(w.sub("a", "--exit", 3, restart="on-failure", restart_delay="5ms", restart_max_attempts=2) + w.sub("b"))
    p.wait_state("a", "failed", gave_up=True)
    text = p.ctl("metrics", "--format", "prometheus").expect(0).out
    r = w.run_program([promtool, "check", "metrics"], stdin=text.encode())
    equal((r.rc, r.err), (0, ""), "promtool")
    p.stop()
