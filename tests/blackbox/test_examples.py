"""etc/examples: each file runs as it is, and does what its comments promise (issue 7)."""

import json
import os
import re
import shutil
import signal
import socket
import threading
import urllib.error
import urllib.request

from harness import *

SOURCE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../etc/examples")
PATIENCE = 30.0


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def example(w, name, env=None, **options):
    """A procd on a copy of the examples, started in their directory as their README says."""
    where = w.path("examples")
    shutil.copytree(SOURCE, where)
    p = w.procd(None, start=False, cwd=where, env=dict(env or {}, RUN_DIR=w.path("run"), LOG_DIR=w.dir), **options)
    p.config_path = os.path.join(where, name + ".toml")
    p.args = ["--set", "run_dir=" + p.run_dir]
    if name != "logs":
        p.args += ["--set", "events.output=file:" + p.events_path]
    else:
        p.events_path = w.path("procd-events.jsonl")
    p.start()
    return p


def get(port, path="/"):
    """(status, text); a refused connection is a failure of the test."""
    try:
        with urllib.request.urlopen("http://127.0.0.1:%s%s" % (port, path), timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def order(p, names, after=0):
    return [(e["name"], e["state"]) for e in p.read_events()[after:]
            if e["type"] == "state_changed" and e["name"] in names]


def running(p, name):
    return p.wait_state(name, "running", timeout=PATIENCE)


def test_each_example_is_valid_and_named_in_the_README(w):
    w.need_feature("json_logs", "config_watch")
    names = sorted(n for n in os.listdir(SOURCE) if n.endswith(".toml"))
    check(len(names) >= 10, "ten of them")
    readme = read_text(os.path.join(SOURCE, "README"))
    for name in names:
        r = w.run("check", "-c", os.path.join(SOURCE, name), cwd=SOURCE).expect(0)
        equal((r.out, r.err), ("ok\n", ""), name)
        contains(readme, "    %s " % name, "README")
        contains(read_text(os.path.join(SOURCE, name)), "procd -c " + name if name != "container.toml" else "ENTRYPOINT", name)
        check("test_" + name[:-5].replace("-", "_") in globals(), name + " has a test")


def test_web_database(w):
    port, db = free_ports(2)
    p = example(w, "web-database", {"PORT": str(port), "DB_PORT": str(db)})
    running(p, "app")
    equal(order(p, ("database", "app")), [("database", "starting"), ("database", "running"), ("app", "starting"), ("app", "running")], "up")
    equal(get(port), (200, "hello from %d\n" % p.pid_of("app")), "answer")
    app, mark = p.pid_of("app"), p.mark_now()
    os.kill(p.pid_of("database"), signal.SIGKILL)
    p.wait_state("database", "running", after=mark, timeout=PATIENCE)
    equal(p.pid_of("app"), app, "the application runs on")
    mark = p.mark_now()
    p.stop()
    equal(order(p, ("database", "app"), mark), [("app", "stopping"), ("app", "stopped"), ("database", "stopping"), ("database", "stopped")], "down")


def test_migration(w):
    port, db = free_ports(2)
    p = example(w, "migration", {"PORT": str(port), "DB_PORT": str(db)})
    running(p, "app")
    states = order(p, ("migrate", "app"))
    check(states.index(("migrate", "stopped")) < states.index(("app", "starting")), states)
    contains(p.ctl("logs", "migrate").out, "database says ok", "its output")
    p.stop()


def test_migration_that_fails_keeps_the_application_down_until_it_is_repaired(w):
    port, db = free_ports(2)
    p = example(w, "migration", {"PORT": str(port), "DB_PORT": str(db), "MIGRATE_FAILS": "1"})
    p.wait_state("migrate", "failed", timeout=PATIENCE)
    equal(p.of("app")["state"], "stopped", "app")
    contains(p.ctl("why", "app").out, "migrate", "why")
    contains(p.ctl("start", "app").expect(1).err, "migrate", "start")
    text = read_text(p.config_path).replace('DB_PORT = "${DB_PORT:-18081}" }', 'DB_PORT = "${DB_PORT:-18081}", MIGRATE_FAILS = "" }')
    write_text(p.config_path, text)
    p.ctl("reload-config").expect(0)
    p.ctl("start", "app", timeout=PATIENCE).expect(0)
    equal(get(port)[0], 200, "answer")
    p.stop()


def test_workers(w):
    p = example(w, "workers")
    for name in ("mail@3", "reports"):
        running(p, name)
    wait_until(lambda: re.match(r"worker mail-3 is \d+\n", p.ctl("logs", "mail@3").out), "its number is its queue's", PATIENCE)
    before = {s["name"]: s["pid"] for s in p.status()["subsystems"]}
    p.ctl("scale", "mail", 6).expect(0)
    p.ctl("restart", "mail@2").expect(0)
    now = {s["name"]: s["pid"] for s in p.status()["subsystems"]}
    equal(sorted(now), sorted(["reports"] + ["mail@%d" % i for i in range(6)]), "names")
    equal([n for n in before if before[n] != now[n]], ["mail@2"], "restarted")
    with open("/proc/%d/stat" % now["reports"]) as f:
        equal(f.read().rpartition(") ")[2].split()[16], "10", "nice")
    p.ctl("stop", "@background").expect(0)
    equal({s["state"] for s in p.status()["subsystems"]}, {"stopped"}, "states")
    p.stop()


def test_cron(w):
    p = example(w, "cron", {"TROUBLE": w.path("trouble")})
    p.wait_state("refresh", "stopped", timeout=PATIENCE)
    p.wait_state("check", "stopped", timeout=PATIENCE)
    equal(order(p, ("backup", "report")), [], "those have a time")
    contains(p.ctl("status").out, "next", "the note")
    p.ctl("start", "backup", "report").expect(0)
    p.wait_state("backup", "stopped", exit_code=0, timeout=PATIENCE)
    p.wait_state("report", "stopped", exit_code=0, timeout=PATIENCE)
    equal(p.ctl("logs", "backup").out, "backing up\ndone\n", "output")
    check(re.match(r"the report of \w+day\n$", p.ctl("logs", "report").out), "percent signs")
    write_text(w.path("trouble"), "")
    equal(p.of("complain")["state"], "stopped", "nobody has asked")
    p.ctl("start", "check")
    p.wait_state("check", "failed", timeout=PATIENCE)
    p.wait_state("complain", "stopped", exit_code=0, timeout=PATIENCE)
    p.stop()


def test_container(w):
    port = free_ports(1)[0]
    p = example(w, "container", {"PORT": str(port), "RESTART_DELAY": "10ms"})
    running(p, "app")
    running(p, "helper")
    mark = p.mark_now()
    for i in range(4):
        e = p.wait_state("app", "running", after=mark, timeout=PATIENCE) if i else None
        pid = e["pid"] if e else p.pid_of("app")
        mark = p.mark()
        os.kill(pid, signal.SIGKILL)
    equal(p.wait_end(PATIENCE), 1, "exit code: it was critical")
    p.nothing_left()
    messages = [json.loads(line) for line in read_text(p.log_path).splitlines()]
    check([m for m in messages if m.get("subsystem") == "app" and m["msg"].startswith("listening")], "its output")


def test_container_with_one_program(w):
    r = w.run("run", "--", "sh", "-c", "echo this is $$; exit 7").expect(7)
    check(re.match(r"this is \d+\n$", r.out), r)
    w.run("run", "--", "sh", "-c", "kill -9 $$").expect(128 + 9)


def test_rolling(w):
    for _ in range(20):  # three ports in a row, and nobody's
        first = free_ports(1)[0] // 10 * 10
        try:
            for i in range(3):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", first + i))
            break
        except OSError:
            continue
    p = example(w, "rolling", {"PORT_PREFIX": str(first // 10)})
    names = ["web@%d" % i for i in range(3)]
    for name in names:
        running(p, name)
    before, mark = [p.pid_of(n) for n in names], p.mark_now()
    p.ctl("restart", "--rolling", "web", timeout=60).expect(0)
    after = [p.pid_of(n) for n in names]
    check(not set(before) & set(after), "all are new")
    p.wait_state(names[2], "running", after=mark)
    want = [(n, s) for n in names for s in ("stopping", "stopped", "starting", "running")]
    equal([s for s in order(p, names, mark) if s[1] != "restarting"], want, "one after the other")
    equal(get(first + 2), (200, "hello from %d\n" % after[2]), "answer")
    p.stop()


def test_overlap(w):
    port, admin = free_ports(2)
    p = example(w, "overlap", {"PORT": str(port), "ADMIN_PORT": str(admin)})
    running(p, "web")
    pids, answers, over = [p.pid_of("web")], [], threading.Event()

    def ask():
        while not over.is_set():
            try:
                answers.append(get(port)[1])
            except OSError as e:
                answers.append(str(e))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        p.ctl("restart", "--overlap", "web", timeout=60).expect(0)
        pids.append(p.pid_of("web"))
        wait_until(lambda: "hello from %d\n" % pids[1] in answers, "the new one answers", PATIENCE)
    finally:
        over.set()
        asking.join(PATIENCE)
    equal(set(answers), {"hello from %d\n" % pid for pid in pids}, "answers")
    equal(p.of("admin")["pid"], None, "not yet")
    equal(get(admin)[0], 200, "the first connection")
    check(p.of("admin")["pid"], "started by it")
    p.stop()


def test_health(w):
    port = free_ports(1)[0]
    p = example(w, "health", {"PORT": str(port), "HEALTH_INTERVAL": "50ms"})
    running(p, "web")
    running(p, "worker")
    p.wait_event(type="health_changed", name="web", health="healthy", timeout=PATIENCE)
    mark = p.mark_now()
    get(port, "/break")
    p.wait_event(type="health_changed", name="web", health="unhealthy", after=mark, timeout=PATIENCE)
    p.wait_state("web", "failed", after=mark, reason="health", timeout=PATIENCE)
    p.wait_state("web", "running", after=mark, timeout=PATIENCE)
    equal(get(port, "/health")[0], 200, "a new one")
    p.stop()


def test_rights(w):
    need_root()
    os.chmod(w.dir, 0o755)
    port = free_ports(1)[0]
    p = example(w, "rights", {"PORT": str(port), "SECRET": "x"})
    running(p, "web")
    pid = p.pid_of("web")
    fields = dict(line.split(":\t", 1) for line in read_text("/proc/%d/status" % pid).splitlines() if ":\t" in line)
    check("0" not in fields["Uid"].split(), fields["Uid"])
    equal((fields["NoNewPrivs"], int(fields["CapBnd"], 16), fields["Seccomp"], fields["Umask"]), ("1", 0, "2", "0027"), "rights")
    check(not any(e.startswith(b"SECRET=") for e in environ(pid)), "environment")
    equal(resource_limit(pid, "Max open files"), ["1024", "4096"], "open files")
    equal(read_text("/proc/%d/oom_score_adj" % pid), "200\n", "oom_score_adj")
    equal(get(port)[1], "hello from %d\n" % pid, "answer")
    p.stop()


def resource_limit(pid, name):
    line = [x for x in read_text("/proc/%d/limits" % pid).splitlines() if x.startswith(name)][0]
    return line[len(name):].split()[:2]


def test_logs(w):
    port = free_ports(1)[0]
    path = os.path.dirname(w.procd_path) + ":" + os.environ["PATH"]
    p = example(w, "logs", {"PORT": str(port), "LOG_SIZE": "2K", "SHAKY": "100ms", "PATH": path})
    running(p, "web")
    p.wait_state("shaky", "failed", timeout=PATIENCE)
    for _ in range(40):
        get(port)
    wait_until(lambda: os.path.exists(w.path("web.log.1")), "rotated", PATIENCE)
    line = json.loads(read_text(w.path("web.log.1")).splitlines()[-1])
    equal(sorted(line), ["level", "msg", "pid", "stream", "subsystem", "ts"], "a line")
    equal((line["subsystem"], line["stream"]), ("web", "stdout"), "a line")
    json.loads(read_text(w.path("procd.log")).splitlines()[0])
    running(p, "alert")
    wait_until(lambda: '"name":"shaky"' in read_text(w.path("alert.log")), "the program has seen it", PATIENCE)
    p.stop()


def test_watch(w):
    port = free_ports(1)[0]
    p = example(w, "watch", {"PORT": str(port)})
    running(p, "web")
    p.wait_state("build", "stopped", exit_code=0, timeout=PATIENCE)
    app, mark = os.path.join(w.path("examples"), "app.py"), p.mark_now()
    write_text(app + ".new", read_text(app).replace("hello from", "good morning from"))
    os.rename(app + ".new", app)
    p.wait_state("web", "running", after=mark, timeout=PATIENCE)
    p.wait_state("build", "stopped", exit_code=0, after=mark, timeout=PATIENCE)
    contains(get(port)[1], "good morning from", "the new code")
    pid, text = p.pid_of("web"), read_text(p.config_path)
    mark = p.mark_now()
    write_text(p.config_path, text + "\n[subsystem.more\n")
    e = p.wait_event(type="config_rejected", after=mark, timeout=PATIENCE)
    equal(e["errors"][0]["line"], text.count("\n") + 2, "the mistake's line")
    write_text(p.config_path, text + "\n[subsystem.more]\ncommand = \"python3 app.py worker\"\n")
    p.wait_state("more", "running", after=mark, timeout=PATIENCE)
    equal(p.pid_of("web"), pid, "nothing else is touched")
    p.stop()


def test_moving(w):
    port = free_ports(1)[0]
    p = example(w, "moving", {"PORT": str(port)})
    for name in ("web", "jobs@0", "jobs@1"):
        running(p, name)
    equal(get(port)[0], 200, "answer")
    wait_until(lambda: "listening" in read_text(w.path("moving-web.log")), "its log", PATIENCE)
    p.ctl("restart", "--rolling", "jobs", timeout=60).expect(0)
    p.stop()
