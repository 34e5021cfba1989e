"""restart --overlap: the new process is ready before the old one is told to stop (issue 4 point 4)."""

import os
import signal
import threading

from harness import *

HELD = {"restart": "never", "ready": "notify", "stop_timeout": "20s"}


def told(p, after, type="state_changed"):
    return [e for e in p.find_events(after, type=type)]


def phases(p, after, last):
    """The sink writes events a moment after the answer."""
    p.wait_event(type="overlap", phase=last, after=after)
    return [e["phase"] for e in told(p, after, "overlap")]


def alive_ones(w):
    """The pids of all that were started and live."""
    return [int(x) for x in read_text(w.path("starts")).split() if alive(int(x))]


def one_is_left(w, p, name="web"):
    wait_until(lambda: p.of(name)["state"] == "running" and alive_ones(w) == [p.of(name)["pid"]],
               lambda: "one process, that which status shows: %r, %r" % (alive_ones(w), p.of(name)))
    return p.of(name)["pid"]


def gated(w, name="web", **keys):
    """A procd whose process is ready when the file GATE is there, and ends at USR1 only (or SIGKILL)."""
    write_text(w.path("gate"), "")
    p = w.procd(w.sub(name, "--trap", "TERM=" + w.path("term"), "--trap-exit", "USR1=3", "--starts", w.path("starts"),
                      "--wait-for", w.path("gate"), "--notify", "READY=1", "--print", "up", **dict(HELD, **keys)))
    p.wait_state(name, "running")
    return p


class Verb(threading.Thread):
    def __init__(self, p, *args):
        super().__init__()
        self.p, self.args = p, args
        self.start()

    def run(self):
        self.result = self.p.ctl("restart", "--overlap", *self.args, timeout=60)

    def end(self, code=0):
        self.join(60)
        check(not self.is_alive(), "restart --overlap has ended")
        return self.result.expect(code)


def begin(w, p, name="web"):
    """Up to where the new process runs and is not ready: (the verb, old pid, new pid, mark)."""
    if os.path.exists(w.path("gate")):
        os.unlink(w.path("gate"))
    mark = p.mark_now()
    verb = Verb(p, name)
    e = p.wait_event(type="overlap", phase="starting", name=name, after=mark)
    wait_until(lambda: not os.path.exists(w.path("starts")) or str(e["pid"]) in read_text(w.path("starts")).split(), "it can be sent signals")
    return verb, e["old_pid"], e["pid"], mark


def go_on(w, p, mark):
    """The new one becomes ready, and the old one is told to stop."""
    write_text(w.path("gate"), "")
    p.wait_event(type="overlap", phase="took_over", after=mark)
    wait_until(lambda: os.path.exists(w.path("term")), "the old one was told to stop")


def test_the_new_one_is_ready_before_the_old_one_is_told_to_stop(w):
    p = gated(w)
    verb, old, new, mark = begin(w, p)
    equal((p.of("web")["pid"], p.of("web")["state"], p.of("web")["ready"]), (old, "running", True), "before it is ready")
    check(alive(old) and alive(new) and not os.path.exists(w.path("term")), "both live, nobody was told anything")
    go_on(w, p, mark)
    equal((p.of("web")["pid"], p.of("web")["state"], p.of("web")["ready"]), (new, "running", True), "when it is ready")
    check(verb.is_alive() and alive(old), "the verb waits for the end of the old one")
    os.kill(old, signal.SIGUSR1)
    equal(verb.end().out, "web: restarted\n", "output")
    equal(one_is_left(w, p), new, "pid")
    equal(phases(p, mark, "ended"), ["starting", "took_over", "ended"], "phases")
    e = p.wait_event(type="overlap", phase="ended", after=mark)
    equal((e["pid"], e["old_pid"], e["exit_code"], e["signal"], e["killed"]), (new, old, 3, None, False), "the end of the old one")
    equal((told(p, mark), told(p, mark, "ready_changed"), p.of("web")["restart_count"]), ([], [], 0), "no state changed")
    equal(p.ctl("logs", "web").expect(0).out.count("up"), 2, "lines of both")
    os.kill(new, signal.SIGUSR1)
    p.wait_state("web", "failed", after=mark)
    p.stop()


def test_again_and_again_and_then_otherwise(w):
    p = gated(w, stop_timeout="100ms")
    seen = [p.pid_of("web")]
    for i in range(3):
        p.ctl("restart", "--overlap", "web").expect(0)
        seen.append(one_is_left(w, p))
    contains(p.ctl("restart", "--overlap", "web").expect(0).err, "the old process needed SIGKILL", "stderr")
    p.ctl("restart", "web").expect(0)
    seen.append(one_is_left(w, p))
    p.ctl("signal", "web", "USR1").expect(0)
    p.wait_state("web", "failed")
    p.ctl("start", "web").expect(0)
    seen.append(one_is_left(w, p))
    equal(len(set(seen)), len(seen), "processes")
    wait_until(lambda: p.ctl("logs", "web", "-n", "100").expect(0).out.count("up") == 7, "lines of all")
    p.ctl("stop", "web").expect(0)
    equal(alive_ones(w), [], "left")
    p.stop()


def test_one_that_is_not_ready_changes_nothing(w):
    p = gated(w, start_timeout="300ms")
    for fate, why in ((None, "was not ready in time (start_timeout, waited for READY=1)"), (signal.SIGUSR1, "exited with code 3"),
                      (signal.SIGKILL, "ended by SIGKILL")):
        verb, old, new, mark = begin(w, p)
        if fate:
            os.kill(new, fate)
        else:
            wait_until(lambda: os.path.exists(w.path("term")), "its time is over")
            os.kill(new, signal.SIGUSR1)
        contains(verb.end(1).err, "web: not replaced: " + why, "stderr")
        equal(one_is_left(w, p), old, "pid")
        equal((phases(p, mark, "failed"), told(p, mark)), (["starting", "failed"], []), "what was told")
        os.path.exists(w.path("term")) and os.unlink(w.path("term"))
    p.ctl("signal", "web", "USR1").expect(0)
    p.stop()


def test_one_that_cannot_be_executed_changes_nothing(w):
    write_text(w.path("prog"), "#!/bin/sh\nexec sleep 1000\n", 0o755)
    p = w.procd('[subsystem.web]\ncommand = ["%s"]\n' % w.path("prog"))
    p.wait_state("web", "running")
    pid, mark = p.pid_of("web"), p.mark_now()
    os.unlink(w.path("prog"))
    contains(p.ctl("restart", "--overlap", "web").expect(1).err, "cannot execute", "stderr")
    equal((p.pid_of("web"), told(p, mark)), (pid, []), "the old one")
    p.stop()


def test_who_cannot_be_replaced_is_told_why(w):
    p = w.procd(w.sub("job", type="oneshot", autostart=False) + w.sub("down", autostart=False) + w.sub("tcp", ready="tcp:127.0.0.1:1", start_timeout="60s")
                + w.sub("console", stdin="inherit") + w.sub("web"))
    p.wait_state("web", "running")
    p.wait_state("console", "running")
    for name, why in (("job", "oneshot"), ("down", "it does not run"), ("tcp", "it does not run"), ("console", 'stdin = "inherit"')):
        r = p.ctl("restart", "--overlap", name).expect(1)
        contains(r.err, "%s: not replaced: " % name, "stderr")
        contains(r.err, why, "stderr")
    p.ctl("restart", "--overlap", "nobody").expect(4)
    p.ctl("stop", "--overlap", "web").expect(64)
    contains(p.connect().request("subsystem.restart", {"names": ["web"], "overlap": 1})["error"]["message"], "true or false", "overlap")
    pid = p.pid_of("web")
    equal(p.rpc("subsystem.restart", {"names": ["web"], "overlap": True})["names"], ["web"], "names")
    check(p.pid_of("web") != pid, "replaced")
    p.stop()


def test_a_probe_that_the_old_one_would_answer_is_refused(w):
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        p = w.procd(w.sub("web", ready="tcp:127.0.0.1:%d" % s.getsockname()[1]))
        p.wait_state("web", "running")
        contains(p.ctl("restart", "--overlap", "web").expect(1).err, "the old one answers tcp:127.0.0.1:", "stderr")
        p.stop()


def test_several_one_after_the_other(w):
    write_text(w.path("gate-0"), "")
    write_text(w.path("gate-1"), "")
    p = w.procd(w.sub("worker", "--wait-for", w.path("gate-%i"), "--notify", "READY=1", instances=2, ready="notify", start_timeout="300ms"))
    p.wait_state("worker@0", "running")
    p.wait_state("worker@1", "running")
    before, mark = [p.pid_of("worker@%d" % i) for i in range(2)], p.mark_now()
    equal(p.ctl("restart", "--overlap", "worker").expect(0).out, "worker@0: restarted\nworker@1: restarted\n", "output")
    p.wait_event(type="overlap", phase="ended", name="worker@1", after=mark)
    equal([(e["name"], e["phase"]) for e in told(p, mark, "overlap")],
          [("worker@%d" % i, x) for i in range(2) for x in ("starting", "took_over", "ended")], "order")
    now = [p.pid_of("worker@%d" % i) for i in range(2)]
    check(not set(before) & set(now), "both are new")
    os.unlink(w.path("gate-0"))
    r = p.ctl("restart", "--overlap", "worker").expect(1)
    contains(r.err, "worker@0: not replaced: was not ready in time", "stderr")
    contains(r.err, "(1 more was not restarted)", "stderr")
    equal([p.pid_of("worker@%d" % i) for i in range(2)], now, "nothing has changed")
    p.stop()


SERVER = r'''
import os, signal, socket, sys
def stop(*_): sys.exit(0)
def notify():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
s = socket.socket(fileno=3)
s.settimeout(0.05)
going = False
def term(*_):
    global going
    going = True
signal.signal(signal.SIGTERM, term)
notify()
while not going:
    try: c, _ = s.accept()
    except (TimeoutError, BlockingIOError): continue
    c.setblocking(True)
    c.sendall(b"%d\n" % os.getpid())
    c.close()
'''


def test_with_listen_no_connection_is_refused(w):
    import socket
    path = w.path("s")
    write_text(w.path("server.py"), SERVER)
    p = w.procd('[subsystem.web]\ncommand = ["python3", "%s"]\nlisten = ["unix:%s"]\nready = "notify"\n' % (w.path("server.py"), path))
    p.wait_state("web", "running")
    answers, over = [], threading.Event()

    def ask():
        while not over.is_set():
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(20)
                s.connect(path)
                answers.append(int(s.recv(100)))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        pids = [p.pid_of("web")]
        for i in range(3):
            p.ctl("restart", "--overlap", "web").expect(0)
            pids.append(p.pid_of("web"))
            wait_until(lambda: not asking.is_alive() or pids[-1] in answers, "the new one answers")
    finally:
        over.set()
        asking.join(30)
    equal(set(answers), set(pids), "who has answered")
    p.stop()


def test_stop_means_both(w):
    p = gated(w, stop_timeout="300ms")
    verb, old, new, mark = begin(w, p)
    p.ctl("stop", "web").expect(0)
    equal(alive_ones(w), [], "left before it was ready")
    contains(verb.end(1).err, "was ordered to", "stderr")
    write_text(w.path("gate"), "")
    p.ctl("start", "web").expect(0)
    verb, old, new, mark = begin(w, p)
    os.unlink(w.path("term"))
    go_on(w, p, mark)
    p.ctl("stop", "web").expect(0)
    equal(alive_ones(w), [], "left while the old one stopped")
    verb.end(0)
    p.wait_state("web", "stopped", after=mark)
    states = [e["state"] for e in told(p, mark)]
    equal(states, ["stopping", "stopped"], "states")
    p.stop()


def end_all(w, late):
    p = gated(w, stop_timeout="200ms")
    verb, old, new, mark = begin(w, p)
    if late:
        go_on(w, p, mark)
    os.kill(p.pid, signal.SIGTERM)
    equal(p.wait_end(), 3, "exit code: SIGKILL was needed")
    verb.join(20)
    equal(alive_ones(w), [], "left")


def test_the_end_of_all_before_it_is_ready(w):
    end_all(w, False)


def test_the_end_of_all_while_the_old_one_stops(w):
    end_all(w, True)


def test_the_old_one_dies_before_the_new_one_is_ready(w):
    p = gated(w, restart="always", restart_delay="10ms", stop_timeout="200ms")
    verb, old, new, mark = begin(w, p)
    os.kill(old, signal.SIGKILL)
    contains(verb.end(1).err, "the old process ended", "stderr")
    write_text(w.path("gate"), "")
    p.wait_state("web", "running", after=mark)
    check(one_is_left(w, p) not in (old, new), "restarted as ever")
    p.ctl("stop", "web").expect(0)
    p.stop()


def test_the_new_one_dies_while_the_old_one_stops(w):
    p = gated(w, restart="always", restart_delay="10ms")
    verb, old, new, mark = begin(w, p)
    go_on(w, p, mark)
    os.kill(new, signal.SIGKILL)
    p.wait_state("web", "running", after=mark)
    third = p.pid_of("web")
    check(alive(old) and third not in (old, new), "it is restarted, whatever the old one does")
    os.kill(old, signal.SIGUSR1)
    verb.end(0)
    equal(one_is_left(w, p), third, "pid")
    os.kill(third, signal.SIGKILL)
    wait_until(lambda: p.of("web")["pid"] not in (None, third), "restarted once more")
    one_is_left(w, p)
    p.ctl("stop", "web", "--no-wait").expect(0)
    wait_until(lambda: [try_kill(x, signal.SIGUSR1) for x in alive_ones(w)] == [], "all end")
    p.stop()


def kill(p, who):
    keeper = p.pid
    if "keeper" in who:
        supervisor = p.supervisor_pid()
        os.kill(keeper, signal.SIGKILL)
        p.wait_end()
        wait_gone(supervisor)
        p.start()
        p.wait_up()
    else:
        p.kill_supervisor()
        p.rpc_alive()


def die_early(w, who):
    p = gated(w)
    verb, old, new, mark = begin(w, p)
    kill(p, who)
    verb.join(20)
    wait_until(lambda: os.path.exists(w.path("term")), "the new one was told to stop")
    write_text(w.path("gate"), "")
    os.kill(new, signal.SIGUSR1)
    equal(one_is_left(w, p), old, "pid")
    p.wait_event(type="overlap", phase="failed", after=mark)
    again(w, p, old)


def die_late(w, who):
    p = gated(w)
    verb, old, new, mark = begin(w, p)
    go_on(w, p, mark)
    kill(p, who)
    verb.join(20)
    equal((p.of("web")["pid"], alive(old)), (new, True), "after the death of the " + who)
    os.kill(old, signal.SIGUSR1)
    equal(one_is_left(w, p), new, "pid")
    p.wait_event(type="overlap", phase="ended", after=mark)
    again(w, p, new)


def test_a_death_of_the_supervisor_before_it_is_ready_leaves_the_old_one(w):
    die_early(w, "supervisor")


def test_a_death_of_both_before_it_is_ready_leaves_the_old_one(w):
    die_early(w, "keeper")


def test_a_death_of_the_supervisor_while_the_old_one_stops_leaves_the_new_one(w):
    die_late(w, "supervisor")


def test_a_death_of_both_while_the_old_one_stops_leaves_the_new_one(w):
    die_late(w, "keeper")


def again(w, p, pid):
    """Nothing is left over that would be in the way."""
    kill(p, "supervisor")
    equal(one_is_left(w, p), pid, "after one more death")
    verb = Verb(p, "web")
    wait_until(lambda: p.of("web")["pid"] != pid, "taken over")
    os.kill(pid, signal.SIGUSR1)
    verb.end()
    pid = one_is_left(w, p)
    os.kill(pid, signal.SIGUSR1)
    wait_until(lambda: p.of("web")["state"] == "failed", "ended")
    p.stop()


def test_what_was_replaced_lives_through_deaths_and_without_memory(w):
    p = gated(w, stop_timeout="100ms")
    p.ctl("restart", "--overlap", "web").expect(0)
    pid = one_is_left(w, p)
    kill(p, "supervisor")
    equal(one_is_left(w, p), pid, "after the death of the supervisor")
    kill(p, "keeper")
    equal(one_is_left(w, p), pid, "after that of both")
    supervisor = p.supervisor_pid()
    os.kill(p.pid, signal.SIGKILL)
    p.wait_end()
    wait_gone(supervisor)
    run_dir = os.path.dirname(p.socket)
    with open(os.path.join(run_dir, "memory"), "r+b") as f:
        f.truncate(0)
    p.start()
    p.wait_up()
    equal(one_is_left(w, p), pid, "without memory")
    p.ctl("restart", "--overlap", "web").expect(0)
    check(one_is_left(w, p) != pid, "replaced once more")
    p.ctl("stop", "web").expect(0)
    equal(alive_ones(w), [], "left")
    p.stop()


def orphans(w, **options):
    p = w.procd(w.sub("web", "--trap", "TERM=" + w.path("term"), "--grandchild", "+sd", w.path("orphan"), "--print", "up", stop_timeout="100ms"), **options)
    p.wait_state("web", "running")
    old = wait_pid_file(w.path("orphan"))
    for i in range(3):
        os.unlink(w.path("orphan"))
        p.ctl("restart", "--overlap", "web").expect(0)
        new = wait_pid_file(w.path("orphan"))
        equal((alive(old), alive(new), new != old), (False, True, True), "the orphans of the old one and of the new one")
        old = new
    p.ctl("stop", "web").expect(0)
    check(not alive(old), "the last one")
    p.stop()


def test_each_of_the_two_has_a_tree_of_its_own(w):
    orphans(w)


def test_each_of_the_two_has_a_tree_of_its_own_without_cgroups_too(w):
    orphans(w, env={"PROCD_TEST_NO_FEATURE": "cgroup2"})


def test_hooks_run_for_each_of_the_two(w):
    log = w.path("hooks")

    def say(what):
        return ["/bin/sh", "-c", "echo %s ${MAINPID:--} >> %s" % (what, log)]

    p = w.procd(w.sub("web", "--trap-exit", "TERM=0", pre_start=say("pre"), stop_command=["/bin/sh", "-c", "echo stop $MAINPID >> %s; kill $MAINPID" % log],
                      post_stop=say("post")))
    p.wait_state("web", "running")
    old = p.pid_of("web")
    p.ctl("restart", "--overlap", "web").expect(0)
    equal(read_text(log).split("\n")[:-1], ["pre -", "pre -", "stop %d" % old, "post -"], "hooks")
    p.stop()


def test_a_hook_that_fails_changes_nothing(w):
    p = w.procd(w.sub("web", pre_start=["/bin/sh", "-c", "test ! -e " + w.path("no")]))
    p.wait_state("web", "running")
    pid, mark = p.pid_of("web"), p.mark_now()
    write_text(w.path("no"), "")
    contains(p.ctl("restart", "--overlap", "web").expect(1).err, "web: not replaced: pre_start exited with code 1", "stderr")
    equal((p.pid_of("web"), phases(p, mark, "failed"), told(p, mark)), (pid, ["failed"], []), "the old one")
    p.stop()


def test_a_line_of_the_old_one_does_not_make_the_new_one_ready(w):
    p = w.procd(w.sub("web", "--print", "ready now", "--wait-for", w.path("gate"), "--print", "go", "--trap-exit", "USR1=0", ready="log:^go$"))
    write_text(w.path("gate"), "")
    p.wait_state("web", "running")
    verb, old, new, mark = begin(w, p)
    p.ctl("wait", "web", "--for", "stopped", "--timeout", "200ms").expect(124)
    equal(p.pid_of("web"), old, "not taken over by the old one's line")
    write_text(w.path("gate"), "")
    verb.end()
    equal(p.pid_of("web"), new, "pid")
    p.stop()


def test_it_speaks_and_is_watched_in_its_second_place(w):
    p = w.procd(w.sub("web", "--starts", w.path("starts"), "--notify", "READY=1|STATUS=first", "--beat", "50/40", "--trap-exit", "USR1=0",
                      ready="notify", watchdog="500ms", restart="always", restart_delay="10ms"))
    p.wait_state("web", "running")
    p.ctl("restart", "--overlap", "web").expect(0)
    new, mark = p.pid_of("web"), p.mark_now()
    equal(p.of("web")["status_text"], "first", "status")
    kill(p, "supervisor")
    equal(p.of("web")["pid"], new, "pid")
    e = p.wait_state("web", "failed", after=mark, timeout=20)
    equal(e["reason"], "watchdog", "it is silent after its last sign of life")
    p.ctl("stop", "web").expect(0)
    p.stop()


def test_what_is_used_is_that_of_the_new_one(w):
    p = w.procd(w.sub("web"))
    p.wait_state("web", "running")
    p.ctl("restart", "--overlap", "web").expect(0)
    wait_until(lambda: p.of("web")["rss_bytes"], "its resources show")
    p.stop()


def test_a_reload_in_the_middle(w):
    def text(stop, extra=()):
        return w.sub("web", "--trap", "TERM=" + w.path("term"), "--trap-exit", "USR1=3", "--starts", w.path("starts"),
                     "--wait-for", w.path("gate"), "--notify", "READY=1", *extra, **dict(HELD, stop_timeout=stop))

    write_text(w.path("gate"), "")
    p = w.procd(text("20s"))
    p.wait_state("web", "running")
    verb, old, new, mark = begin(w, p)
    p.write(text("100ms"))
    p.ctl("reload-config").expect(0)
    go_on(w, p, mark)
    contains(verb.end(0).err, "needed SIGKILL", "the new stop_timeout is that of the old process, too")
    equal(one_is_left(w, p), new, "pid")
    verb, old, new, mark = begin(w, p)
    p.write(text("100ms", ["--print", "other"]))
    p.ctl("reload-config").expect(0)
    contains(verb.end(1).err, "was ordered to", "stderr")
    write_text(w.path("gate"), "")
    p.wait_state("web", "running", after=mark)
    check(one_is_left(w, p) not in (old, new), "restarted with the new command")
    verb, old, new, mark = begin(w, p)
    p.write(w.sub("else"))
    p.ctl("reload-config").expect(0)
    contains(verb.end(1).err, "web: ", "stderr")
    wait_until(lambda: alive_ones(w) == [], "nothing of it is left")
    equal([s["name"] for s in p.status()["subsystems"]], ["else"], "subsystems")
    p.stop()


def test_status_says_what_goes_on(w):
    p = gated(w)
    verb, old, new, mark = begin(w, p)
    equal(p.of("web")["doing"], "replacement", "doing")
    contains(p.ctl("why", "web").expect(0).out, "its replacement is running", "why")
    go_on(w, p, mark)
    equal(p.of("web")["doing"], "predecessor", "doing")
    os.kill(old, signal.SIGUSR1)
    verb.end()
    equal(p.of("web")["doing"], None, "doing")
    os.kill(new, signal.SIGUSR1)
    p.wait_state("web", "failed", after=mark)
    p.stop()


def test_the_new_one_reads_its_files_anew_and_writes_to_its_descriptor(w):
    write_text(w.path("env"), "COLOUR=red\n")
    p = w.procd(w.sub("web", "--report-state", w.path("report"), "--fd", 3, "--print", "", ready="fd:3", env_file=[w.path("env")]))
    p.wait_state("web", "running")
    equal(read_report(w.path("report"))["env"]["COLOUR"], "red", "at first")
    os.unlink(w.path("report"))
    write_text(w.path("env"), "COLOUR=blue\n")
    p.ctl("restart", "--overlap", "web").expect(0)
    equal(read_report(w.path("report"))["env"]["COLOUR"], "blue", "then")
    pid = p.pid_of("web")
    os.unlink(w.path("env"))
    contains(p.ctl("restart", "--overlap", "web").expect(1).err, "web: not replaced: start failed at stage env_file", "stderr")
    equal(p.pid_of("web"), pid, "pid")
    p.stop()


def test_what_dies_with_procd_is_one_afterwards(w):
    write_text(w.path("gate"), "")
    p = w.procd(w.sub("web", "--starts", w.path("starts"), "--wait-for", w.path("gate"), "--notify", "READY=1", ready="notify", on_supervisor_death="stop"))
    p.wait_state("web", "running")
    verb, old, new, mark = begin(w, p)
    kill(p, "keeper")
    verb.join(20)
    write_text(w.path("gate"), "")
    p.wait_state("web", "running", after=mark)
    check(one_is_left(w, p) not in (old, new), "started anew")
    p.stop()


def test_sockets_with_a_port_of_the_kernels_stay_the_same(w):
    p = w.procd('[subsystem.web]\ncommand = ["sh", "-c", "readlink /proc/self/fd/3 >> %s; exec sleep 1000"]\nlisten = ["tcp:127.0.0.1:0"]\n' % w.path("fds"))
    p.wait_state("web", "running")
    wait_until(lambda: os.path.exists(w.path("fds")) and read_text(w.path("fds")).split(), "the old one has told")
    p.ctl("restart", "--overlap", "web").expect(0)
    wait_until(lambda: len(read_text(w.path("fds")).split()) == 2, "both have told")
    equal(len(set(read_text(w.path("fds")).split())), 1, "sockets")
    p.stop()
