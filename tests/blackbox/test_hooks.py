"""Commands around the main process: pre_start, post_stop, stop_command, reload_command (interface 2, 5; faults.md S20, S21, F39)."""

import os
import signal

from harness import *


def sh(script):
    return ["/bin/sh", "-c", script]


def w_child(w, *args):
    return [w.child_path] + [str(a) for a in args]


def lines(path):
    return read_text(path).splitlines()


def wait_line(path, n=1, what=None):
    """The first N lines that hooks left in the file PATH."""
    wait_until(lambda: len(lines(path)) >= n, what or "%d lines in %s" % (n, os.path.basename(path)))
    return lines(path)


def hold(w, name):
    """Script that says its pid in NAME.pid and goes on when NAME.go is there."""
    return "echo $$$$ > %s.tmp; mv %s.tmp %s.pid; while [ ! -e %s.go ]; do sleep 0.01; done" % ((w.path(name),) * 4)


def go(w, name):
    write_text(w.path(name + ".go"), "")


# --- pre_start -----------------------------------------------------------------------------------

def test_pre_start_ends_before_the_program_begins(w):
    p = w.procd(w.sub("a", "--starts", w.path("starts"), pre_start=sh(hold(w, "pre") + "; echo done >> " + w.path("order"))))
    wait_pid_file(w.path("pre.pid"))
    s = p.of("a")
    equal((s["state"], s["pid"], s["doing"]), ("starting", None, "pre_start"), "status")
    contains(p.ctl("why", "a").expect(0).out, "pre_start is running", "why")
    contains(p.ctl("status", "a").expect(0).out, "pre_start", "the table")
    equal(read_text(w.path("starts")), "", "the program runs already")
    go(w, "pre")
    p.wait_state("a", "running")
    equal(lines(w.path("order")), ["done"], "the hook's work")
    equal(p.of("a")["doing"], None, "doing")
    p.stop()


def test_S20_a_pre_start_that_fails_is_a_failed_start(w):
    p = w.procd(w.sub("a", "--starts", w.path("starts"), restart_delay_ms=10, restart_max_attempts=2,
                      restart="exponential-backoff", pre_start=sh("echo x >> %s; exit 3" % w.path("pre")))
                + w.sub("b"))
    e = p.wait_event(type="state_changed", name="a", gave_up=True)
    first = p.find_events(type="state_changed", name="a", state="failed")[0]
    equal((first["reason"], first["pid"], first["exit_code"]), ("hook", None, None), "event")
    equal((first["error"]["stage"], first["error"]["message"]), ("pre_start", "pre_start exited with code 3"), "error")
    equal(e["restart_count"], 2, "restarts")
    equal(len(lines(w.path("pre"))), 3, "runs of the hook")
    equal(read_text(w.path("starts")), "", "the program was started")
    contains(p.of("a")["last_error"], "pre_start exited with code 3", "last_error")
    r = p.ctl("start", "a").expect(1)
    contains(r.err, "pre_start exited with code 3", "the client's message")
    equal(p.of("b")["state"], "running", "the other one")
    p.stop()


def test_S20_a_pre_start_that_never_ends_is_killed_with_its_tree(w):
    p = w.procd(w.sub("a", "--starts", w.path("starts"), restart="never", hook_timeout_ms=300,
                      pre_start=w_child(w, "--grandchild", "+s", w.path("g"), "--ignore-term", "--pid-file", w.path("pid"))))
    e = p.wait_state("a", "failed")
    equal((e["reason"], e["error"]["stage"]), ("hook", "pre_start"), "event")
    contains(e["error"]["message"], "did not end within 300ms", "message")
    check(not alive(wait_pid_file(w.path("pid"))), "the hook lives")
    check(not alive(wait_pid_file(w.path("g"))), "its grandchild lives")
    equal(read_text(w.path("starts")), "", "the program was started")
    p.stop()


def test_the_event_of_a_pre_start_that_failed_has_its_last_lines(w):
    p = w.procd(w.sub("a", restart="never", pre_start=sh("echo checking; echo line 7: no such option >&2; exit 1")))
    e = p.wait_state("a", "failed")
    equal(e["stderr_tail"], "checking\nline 7: no such option\n", "stderr_tail")
    p.stop()


def test_a_pre_start_that_cannot_be_executed(w):
    p = w.procd(w.sub("a", restart="never", pre_start="/no/such/hook")
                + w.sub("b", restart="never", pre_start=w.dir))
    a, b = p.wait_state("a", "failed"), p.wait_state("b", "failed")
    equal((a["reason"], a["error"]["stage"], a["error"]["errno"]), ("hook", "pre_start", "ENOENT"), "a")
    equal((b["reason"], b["error"]["stage"], b["error"]["errno"]), ("hook", "pre_start", "EACCES"), "b")
    contains(a["error"]["message"], "/no/such/hook", "message")
    contains(w.run("check", "-c", p.config_path).expect(0).err, "subsystem.a.pre_start", "warning")
    p.stop()


def test_F39_what_a_hook_leaves_running_is_killed(w):
    p = w.procd(w.sub("a", pre_start=w_child(w, "--grandchild", "+ds", w.path("g"), "--exit", 0)))
    p.wait_state("a", "running")
    check(not alive(wait_pid_file(w.path("g"))), "it lives beside the program")
    p.stop()


def test_stop_in_the_middle_of_pre_start(w):
    p = w.procd(w.sub("a", "--starts", w.path("starts"), stop_timeout=20,
                      pre_start=w_child(w, "--trap-exit", "TERM=0", "--pid-file", w.path("pid")))
                + w.sub("b", stop_timeout_ms=300, pre_start=w_child(w, "--ignore-term", "--pid-file", w.path("pid2"))))
    pid, pid2 = wait_pid_file(w.path("pid")), wait_pid_file(w.path("pid2"))
    p.ctl("stop", "a").expect(0)
    check(not alive(pid), "the hook lives when stop returns")
    p.ctl("stop", "b").expect(0)
    check(not alive(pid2), "the hook that ignores TERM lives when stop returns")
    p.wait_state("a", "stopped")    # the event file follows the verb's answer
    equal(p.states("a"), ["starting", "stopping", "stopped"], "states")
    equal(read_text(w.path("starts")), "", "the program was started")
    p.stop()


def test_a_shutdown_in_the_middle_of_pre_start(w):
    p = w.procd(w.sub("a", pre_start=w_child(w, "--trap-exit", "TERM=0", "--pid-file", w.path("pid"))))
    wait_pid_file(w.path("pid"))
    p.stop()


def test_hooks_are_run_as_the_program_is(w):
    report = w.path("report")
    p = w.procd(w.sub("a", working_dir=w.dir, umask="027", environment={"FOO": "bar"}, limit_nofile=77,
                      pre_start=w_child(w, "--report-state", report, "--print", "hook says hello")))
    r = read_report(report)
    equal((r["cwd"], r["env"]["FOO"], r["env"]["PROCD_SUBSYSTEM"], r["env"]["PROCD_TASK"]),
          (w.dir, "bar", "a", "pre_start"), "place and environment")
    check("MAINPID" not in r["env"], "MAINPID before there is one")
    wait_until(lambda: "hook says hello" in p.ctl("logs", "a").out, "its output is captured")
    p.stop()


# --- post_stop -----------------------------------------------------------------------------------

POST = 'echo "$PROCD_EXIT_CODE/$PROCD_EXIT_SIGNAL" >> %s'


def test_S21_post_stop_follows_every_way_of_dying_exactly_once(w):
    out = w.path("post")
    p = w.procd(w.sub("code", "--exit", 3, restart="never", post_stop=sh(POST % (out + ".code")))
                + w.sub("good", "--exit", 0, restart="never", post_stop=sh(POST % (out + ".good")))
                + w.sub("sig", restart="never", post_stop=sh(POST % (out + ".sig")))
                + w.sub("stop", post_stop=sh(POST % (out + ".stop")))
                + w.sub("kill", "--ignore-term", "--print", "set", stop_timeout_ms=200, post_stop=sh(POST % (out + ".kill"))))
    pid = p.wait_state("sig", "running")["pid"]
    p.wait_state("stop", "running")
    wait_until(lambda: "set" in p.ctl("logs", "kill").out, "it ignores TERM")
    os.kill(pid, signal.SIGSEGV)
    p.ctl("stop", "stop", "kill").expect(0)
    want = {"code": "3/", "good": "0/", "sig": "/SIGSEGV", "stop": "/SIGTERM", "kill": "/SIGKILL"}
    for name, text in want.items():
        equal(wait_line(out + "." + name), [text], name)
    # after stop has returned it is done
    equal((lines(out + ".stop"), lines(out + ".kill")), (["/SIGTERM"], ["/SIGKILL"]), "when stop returned")
    wait_until(lambda: all(p.of(n)["doing"] is None for n in want), "all hooks are done")
    p.stop()
    for name, text in want.items():
        equal(lines(out + "." + name), [text], name + ": once")


def test_S21_with_restarts_each_end_has_its_post_stop_before_the_next_start(w):
    log = w.path("log")
    p = w.procd(w.sub("a", "--starts", log, "--exit", 1, restart="exponential-backoff", restart_delay_ms=1, restart_max_attempts=4,
                      pre_start=sh("echo pre >> " + log), post_stop=sh("sleep 0.05; echo post >> " + log)))
    p.wait_event(type="state_changed", name="a", gave_up=True)
    wait_line(log, 15)
    got = ["start" if x.isdigit() else x for x in lines(log)]
    equal(got, ["pre", "start", "post"] * 5, "order")
    p.stop()


def test_the_exit_is_told_at_once_and_the_next_start_waits(w):
    p = w.procd(w.sub("a", restart="always", restart_delay_ms=0, post_stop=sh(hold(w, "post"))))
    pid = p.wait_state("a", "running")["pid"]
    mark = p.mark()
    os.kill(pid, signal.SIGKILL)
    p.wait_state("a", "restarting", after=mark)
    wait_pid_file(w.path("post.pid"))
    contains(p.ctl("why", "a").out, "post_stop is running", "why")
    equal(p.of("a")["state"], "restarting", "state")
    go(w, "post")
    p.wait_state("a", "running", after=mark)
    p.stop()


def test_post_stop_comes_when_the_whole_tree_is_gone(w):
    p = w.procd(w.sub("a", "--grandchild", "+s", w.path("g"), restart="never",
                      post_stop=sh("if kill -0 $(cat %s) 2>/dev/null; then echo alive; else echo gone; fi > %s"
                                   % (w.path("g"), w.path("seen")))))
    pid = p.wait_state("a", "running")["pid"]
    wait_pid_file(w.path("g"))
    os.kill(pid, signal.SIGKILL)
    equal(wait_line(w.path("seen")), ["gone"], "the grandchild")
    p.stop()


def test_a_post_stop_that_fails_or_hangs_is_told_and_ends(w):
    p = w.procd(w.sub("a", "--exit", 1, restart="never", post_stop=sh("exit 9"))
                + w.sub("b", hook_timeout_ms=200, post_stop=sh("sleep 1000")))
    p.wait_state("b", "running")
    wait_until(lambda: "post_stop exited with code 9" in (p.of("a")["last_error"] or ""), "last_error")
    contains(p.of("a")["last_error"], "exited with code 1", "the end itself")
    p.ctl("stop", "b").expect(0)
    contains(p.of("b")["last_error"], "post_stop did not end within 200ms", "last_error")
    contains(read_text(p.log_path), "b: post_stop did not end within 200ms and was killed", "log")
    p.stop()


def test_a_removed_one_has_its_post_stop(w):
    p = w.procd(w.sub("a", post_stop=sh(POST % w.path("post"))) + w.sub("b"))
    p.wait_state("a", "running")
    p.write(w.sub("b"))
    p.ctl("reload-config").expect(0)
    p.wait_event(type="subsystem_removed", name="a")
    equal(lines(w.path("post")), ["/SIGTERM"], "post_stop")
    p.stop()


def test_at_shutdown_post_stop_runs_and_the_kill_phase_ends_it(w):
    p = w.procd(w.sub("a", post_stop=sh(POST % w.path("post"))))
    p.wait_state("a", "running")
    p.stop()
    equal(lines(w.path("post")), ["/SIGTERM"], "post_stop")
    p = w.procd("[shutdown]\ntimeout_ms = 200\nforce_timeout_ms = 400\nkill_timeout_ms = 600\n"
                + w.sub("a", post_stop=w_child(w, "--ignore-term", "--pid-file", w.path("pid"))), label="two")
    p.wait_state("a", "running")
    p.stop(want=3)
    check(not alive(wait_pid_file(w.path("pid"))), "the hook lives")


# --- stop_command --------------------------------------------------------------------------------

def test_stop_command_comes_instead_of_the_signal(w):
    trace = w.path("trace")
    p = w.procd(w.sub("a", "--trap", "TERM=" + trace, "--trap-exit", "USR1=6", "--pid-file", w.path("pid"),
                      stop_command=sh("echo $MAINPID > %s; kill -USR1 $MAINPID" % w.path("main"))))
    wait_pid_file(w.path("pid"))
    pid = p.wait_state("a", "running")["pid"]
    p.ctl("stop", "a").expect(0)
    e = p.wait_state("a", "stopped")
    equal((e["exit_code"], read_text(trace)), (6, ""), "exit code, and whether TERM was sent")
    equal(lines(w.path("main")), [str(pid)], "MAINPID")
    p.stop()


def test_after_stop_command_the_program_has_its_time(w):
    p = w.procd(w.sub("a", "--trap", "TERM=" + w.path("trace"), "--pid-file", w.path("pid"), stop_timeout_ms=500,
                      stop_command="/bin/true")
                + w.sub("b", "--trap-exit", "TERM=7", "--pid-file", w.path("pid2"), stop_command="/bin/true")
                + "[shutdown]\ntimeout_ms = 300\nforce_timeout = 20\nkill_timeout = 30\n")
    for f, n in (("pid", "a"), ("pid2", "b")):
        wait_pid_file(w.path(f))
        p.wait_state(n, "running")
    contains(p.ctl("stop", "a").expect(0).err, "SIGKILL", "note")
    equal(read_text(w.path("trace")), "", "TERM was sent although the command said that it asked")
    p.ctl("stop", "b").expect(0)
    equal(p.wait_state("b", "stopped")["exit_code"], 7, "the signal of the first deadline")
    ms = (p.wait_state("b", "stopped")["at_mono_ns"] - p.wait_state("b", "stopping")["at_mono_ns"]) / 1e6
    check(ms >= 295, "the signal came after %.0f ms" % ms)
    p.stop()


def test_what_the_main_process_leaves_after_stop_command_gets_the_signal(w):
    p = w.procd(w.sub("a", "--trap-exit", "USR1=6", "--grandchild", "+s", w.path("g"), "--pid-file", w.path("pid"),
                      stop_timeout=20, stop_command=sh("kill -USR1 $MAINPID")))
    wait_pid_file(w.path("pid"))
    p.wait_state("a", "running")
    p.ctl("stop", "a").expect(0)
    check(not alive(wait_pid_file(w.path("g"))), "the grandchild lives")
    check("killed" not in p.wait_state("a", "stopped"), "SIGKILL was needed")
    p.stop()


def test_a_stop_command_that_fails_is_followed_by_the_signal(w):
    p = w.procd(w.sub("a", "--trap-exit", "TERM=7", "--pid-file", w.path("pid"), stop_command=sh("kill -9 $$$$"))
                + w.sub("b", "--trap-exit", "TERM=8", "--pid-file", w.path("pid2"), stop_command="/no/such/stopper")
                + w.sub("c", "--trap-exit", "TERM=9", "--pid-file", w.path("pid3"), stop_command=sh("exit 1")))
    for f in ("pid", "pid2", "pid3"):
        wait_pid_file(w.path(f))
    for name, code in (("a", 7), ("b", 8), ("c", 9)):
        p.wait_state(name, "running")
        p.ctl("stop", name).expect(0)
        equal(p.wait_state(name, "stopped")["exit_code"], code, "exit code of " + name)
    log = read_text(p.log_path)
    contains(log, "a: stop_command ended by SIGKILL; the stop signal follows", "log")
    contains(log, "b: stop_command: cannot execute", "log")
    contains(log, "c: stop_command exited with code 1; the stop signal follows", "log")
    p.stop()


def test_a_stop_command_that_hangs_does_not_hold_up_the_stop(w):
    p = w.procd(w.sub("a", "--ignore-term", "--print", "set", stop_timeout_ms=400,
                      stop_command=w_child(w, "--grandchild", "+s", w.path("g"), "--ignore-term", "--pid-file", w.path("pid"))))
    p.wait_state("a", "running")
    wait_until(lambda: "set" in p.ctl("logs", "a").out, "it ignores TERM")
    contains(p.ctl("stop", "a").expect(0).err, "SIGKILL", "note")
    a, b = p.wait_state("a", "stopping"), p.wait_state("a", "stopped")
    ms = (b["at_mono_ns"] - a["at_mono_ns"]) / 1e6
    check(395 <= ms <= 400 + 400 * SCALE, "stopped after %.0f ms" % ms)
    for f in ("pid", "g"):
        check(not alive(wait_pid_file(w.path(f))), f + " lives")
    p.stop()


def test_at_shutdown_stop_command_is_used(w):
    p = w.procd(w.sub("a", "--trap-exit", "USR1=6", "--ignore-term", "--pid-file", w.path("pid"),
                      stop_command=sh("kill -USR1 $MAINPID")))
    wait_pid_file(w.path("pid"))
    p.wait_state("a", "running")
    p.stop()
    equal(p.wait_state("a", "stopped")["exit_code"], 6, "exit code")


# --- reload --------------------------------------------------------------------------------------

def test_reload_command_is_waited_for_and_its_failure_is_the_verbs(w):
    p = w.procd(w.sub("a", reload_command=sh("echo $MAINPID >> %s; %s" % (w.path("main"), hold(w, "re"))))
                + w.sub("b", reload_command=sh("exit 4")) + w.sub("c", reload_command="/no/such/reloader")
                + w.sub("d", hook_timeout_ms=200, reload_command="sleep 1000"))
    pid = p.wait_state("a", "running")["pid"]
    for n in "bcd":
        p.wait_state(n, "running")
    mark = p.mark()
    p.ctl("reload", "a", "--timeout", "200ms").expect(124)
    contains(p.ctl("why", "a").out, "reload_command is running", "why")
    go(w, "re")
    p.ctl("reload", "a").expect(0)
    equal(set(lines(w.path("main"))), {str(pid)}, "MAINPID")
    contains(p.ctl("reload", "b").expect(1).err, "reload_command exited with code 4", "b")
    contains(p.ctl("reload", "c").expect(1).err, "/no/such/reloader", "c")
    contains(p.ctl("reload", "d").expect(1).err, "did not end within 200ms", "d")
    equal([e for e in p.find_events(mark, type="state_changed")], [], "state changes")
    equal(p.pid_of("a"), pid, "pid")
    p.stop()


def test_a_reload_command_ends_no_line_of_the_program(w):
    p = w.procd(w.sub("a", "--no-newline", "one ", "--pid-file", w.path("pid"), "--wait-for", w.path("go"), "--print", "line",
                      reload_command="/bin/true"))
    wait_pid_file(w.path("pid"))
    p.ctl("reload", "a").expect(0)
    write_text(w.path("go"), "")
    wait_until(lambda: "line\n" in p.ctl("logs", "a").out, "the rest of the line")
    equal(p.ctl("logs", "a").out, "one line\n", "output")
    p.stop()


def test_reload_signal_and_what_does_not_run(w):
    trace = w.path("trace")
    p = w.procd(w.sub("a", "--trap", "USR2=" + trace, "--trap", "HUP=" + trace, "--pid-file", w.path("pid"), reload_signal="SIGUSR2")
                + w.sub("off", autostart=False, reload_command=sh("touch " + w.path("no"))))
    wait_pid_file(w.path("pid"))
    p.wait_state("a", "running")
    p.ctl("reload", "a").expect(0)
    wait_until(lambda: read_text(trace) == "USR2\n", "the signal")
    contains(p.ctl("reload", "off").expect(1).err, "does not run", "off")
    p.ctl("reload", "nobody").expect(4)
    contains(p.ctl("reload").expect(64).err, "reload-config", "without a name")
    check(not os.path.exists(w.path("no")), "a command for one that does not run")
    p.stop()


def test_the_new_keys_act_at_a_reload_of_the_file_without_a_restart(w):
    p = w.procd(w.sub("a"))
    pid = p.wait_state("a", "running")["pid"]
    p.write(w.sub("a", reload_command=sh("echo x >> " + w.path("re")), post_stop=sh(POST % w.path("post"))))
    contains(p.ctl("reload-config").expect(0).out, "a", "what it did")
    equal(p.pid_of("a"), pid, "pid")
    p.ctl("reload", "a").expect(0)
    equal(lines(w.path("re")), ["x"], "reload_command")
    p.ctl("stop", "a").expect(0)
    equal(lines(w.path("post")), ["/SIGTERM"], "post_stop")
    p.stop()


# --- supervisors that die in the middle ----------------------------------------------------------

def test_F09_a_pre_start_outlives_the_supervisor_and_is_not_repeated(w):
    runs = w.path("runs")
    p = w.procd(w.sub("a", pre_start=sh("echo x >> %s; %s" % (runs, hold(w, "pre")))))
    hook = wait_pid_file(w.path("pre.pid"))
    p.kill_supervisor()
    check(alive(hook), "the hook was killed")
    equal(p.of("a")["doing"], "pre_start", "doing")
    old = p.kill_supervisor(wait=False)
    go(w, "pre")                # it may end while nobody looks
    p.supervisor_pid(other_than=old)
    p.wait_state("a", "running")
    equal(lines(runs), ["x"], "runs")
    p.stop()


def test_F09_the_failure_of_a_pre_start_is_not_lost(w):
    p = w.procd(w.sub("a", restart="never", pre_start=sh(hold(w, "pre") + "; exit 5")))
    hook = wait_pid_file(w.path("pre.pid"))
    supervisor = p.supervisor_pid()
    os.kill(supervisor, signal.SIGSTOP)
    go(w, "pre")
    wait_gone(hook)
    os.kill(supervisor, signal.SIGKILL)
    e = p.wait_state("a", "failed")
    equal((e["reason"], e["error"]["message"]), ("hook", "pre_start exited with code 5"), "event")
    p.stop()


def test_F09_post_stop_runs_once_whoever_dies(w):
    runs = w.path("runs")
    p = w.procd(w.sub("a", restart="never", post_stop=sh('echo "$PROCD_EXIT_CODE/$PROCD_EXIT_SIGNAL" >> %s; %s'
                                                          % (runs, hold(w, "post")))))
    pid = p.wait_state("a", "running")["pid"]
    supervisor = p.supervisor_pid()
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    wait_gone(pid)
    os.kill(supervisor, signal.SIGKILL)     # nobody saw the end
    wait_pid_file(w.path("post.pid"))
    wait_until(p.rpc_alive, "the new supervisor")
    p.kill_supervisor()
    equal(p.of("a")["doing"], "post_stop", "doing")
    supervisor = p.supervisor_pid()
    os.kill(supervisor, signal.SIGSTOP)
    hook = wait_pid_file(w.path("post.pid"))
    go(w, "post")
    wait_gone(hook)
    os.kill(supervisor, signal.SIGKILL)     # nobody saw the hook's end
    p.supervisor_pid(other_than=supervisor)
    wait_until(p.rpc_alive, "the new supervisor")
    wait_until(lambda: p.of("a")["doing"] is None, "all is done")
    p.kill_supervisor()
    equal(lines(runs), ["/SIGKILL"], "runs")
    p.stop()


def test_a_stop_command_goes_on_and_is_not_repeated(w):
    runs = w.path("runs")
    p = w.procd(w.sub("a", "--trap-exit", "TERM=7", "--trap-exit", "USR1=6", "--pid-file", w.path("pid"), stop_timeout=30,
                      stop_command=sh("echo x >> %s; %s; kill -USR1 $MAINPID" % (runs, hold(w, "stop")))))
    wait_pid_file(w.path("pid"))
    p.wait_state("a", "running")
    p.ctl("stop", "a", "--no-wait").expect(0)
    hook = wait_pid_file(w.path("stop.pid"))
    p.kill_supervisor()
    check(alive(hook), "the command was killed")
    equal((p.of("a")["state"], p.of("a")["doing"]), ("stopping", "stop_command"), "status")
    go(w, "stop")
    equal(p.wait_state("a", "stopped")["exit_code"], 6, "exit code")
    equal(lines(runs), ["x"], "runs")
    p.stop()


def test_a_stop_command_that_was_done_is_not_repeated(w):
    runs = w.path("runs")
    p = w.procd(w.sub("a", "--ignore-term", "--print", "set", stop_timeout=3, stop_command=sh("echo x >> " + runs)))
    p.wait_state("a", "running")
    wait_until(lambda: "set" in p.ctl("logs", "a").out, "it ignores TERM")
    p.ctl("stop", "a", "--no-wait").expect(0)
    wait_until(lambda: p.of("a")["state"] == "stopping" and p.of("a")["doing"] is None and lines(runs), "the command is done")
    p.kill_supervisor()
    equal(p.wait_state("a", "stopped", timeout=15)["signal"], "SIGKILL", "signal")
    equal(lines(runs), ["x"], "runs")
    p.stop()


def test_a_reload_command_goes_on_and_is_not_repeated(w):
    runs = w.path("runs")
    p = w.procd(w.sub("a", reload_command=sh("echo x >> %s; %s; echo y >> %s" % (runs, hold(w, "re"), runs))))
    p.wait_state("a", "running")
    p.ctl("reload", "a", "--no-wait").expect(0)
    hook = wait_pid_file(w.path("re.pid"))
    p.kill_supervisor()
    check(alive(hook), "the command was killed")
    equal(p.of("a")["doing"], "reload_command", "doing")
    go(w, "re")
    wait_until(lambda: p.of("a")["doing"] is None, "it is done")
    equal(lines(runs), ["x", "y"], "runs")
    p.stop()


def test_F10_a_hook_when_all_of_procd_was_killed(w):
    runs = w.path("runs")
    p = w.procd(w.sub("a", pre_start=sh("echo x >> %s; %s" % (runs, hold(w, "pre")))))
    hook = wait_pid_file(w.path("pre.pid"))
    supervisor = p.supervisor_pid()
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(p.pid, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)
    p.wait_end()
    check(alive(hook), "the hook was killed")
    p.start()
    go(w, "pre")
    p.wait_state("a", "running")
    check(len(lines(runs)) <= 2, "runs: %r" % lines(runs))
    p.stop()


# --- words in the file ---------------------------------------------------------------------------

def test_how_hooks_are_written(w):
    p = w.procd(w.sub("a", pre_start="/bin/sh -c 'echo \"one %%n\" > %s'" % w.path("split"))
                + '[subsystem.b]\nshell = true\ncommand = "exec sleep 1000"\npre_start = "echo two; echo three > %s"\n'
                'post_stop = ["/bin/sh", "-c", "echo four > %s"]\n' % (w.path("shell"), w.path("array")))
    p.wait_state("a", "running")
    p.wait_state("b", "running")
    equal((lines(w.path("split")), lines(w.path("shell"))), (["one a"], ["three"]), "pre_start")
    p.ctl("stop", "b").expect(0)
    equal(lines(w.path("array")), ["four"], "post_stop")
    leaf = w.run("config", "-c", p.config_path, "--json").expect(0).json()["subsystem"]["b"]
    equal(leaf["pre_start"]["value"][:2], ["/bin/sh", "-c"], "config")
    equal(leaf["hook_timeout"]["value"], 30000, "hook_timeout")
    # what `config` prints is read again, with the same meaning
    text = w.run("config", "-c", p.config_path).expect(0).out
    again = w.run("config", "-c", write_text(w.path("again.toml"), text), "--json").expect(0).json()["subsystem"]["b"]
    equal(again["pre_start"]["value"], leaf["pre_start"]["value"], "read again")
    p.stop()


def test_wrong_words(w):
    for line, part in (("pre_start = \"\"", "empty"), ("post_stop = []", "empty"), ("stop_command = 3", "stop_command"),
                       ("reload_signal = \"SIGNO\"", "SIGNO"), ("hook_timeout = 0", "hook_timeout"),
                       ("hook_timeout = \"1s\"\nhook_timeout_ms = 5", "hook_timeout"), ("pre_start = \"sh -c 'x\"", "quote")):
        f = write_text(w.path("bad.toml"), '[subsystem.a]\ncommand = "true"\n' + line + "\n")
        r = w.run("check", "-c", f).expect(78)
        contains(r.err, "bad.toml:", line)
        contains(r.err, part, line)
