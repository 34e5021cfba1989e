"""Running: exit codes, signals to the keeper, `procd run -- COMMAND` (interface 1)."""

import os
import signal
import subprocess

from harness import *


def test_term_is_an_ordered_end_with_code_0_and_nothing_left(w):
    p = w.procd(w.sub("a") + w.sub("b"))
    p.wait_state("a", "running")
    p.wait_state("b", "running")
    p.stop(signal.SIGTERM, want=0)
    for name in ("a", "b"):
        equal(p.states(name)[-2:], ["stopping", "stopped"], "last states of " + name)
    p.wait_event(type="shutdown_started")


def test_int_ends_in_order_too(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    p.stop(signal.SIGINT, want=0)


def test_term_at_once_after_the_start_is_an_ordered_end(w):
    for _ in range(5):
        p = w.procd(w.sub("a"), wait=False)
        # Its first act is to block signals; before the exec there is nothing of procd to ask.
        wait_until(lambda: comm(p.pid).startswith("procd"), "exec of procd")
        os.kill(p.pid, signal.SIGTERM)
        code = p.wait_end()
        check(code in (0, -signal.SIGTERM), "exit code %d" % code)
        p.nothing_left()
        w.instances.remove(p)


def test_quit_kills_at_once_and_exits_3(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    p.stop(signal.SIGQUIT, want=3, timeout=5)


def test_shutdown_kills_what_ignores_term_and_exits_3(w):
    p = w.procd("[shutdown]\ntimeout_ms = 100\nforce_timeout_ms = 200\nkill_timeout_ms = 300\n"
                + w.sub("stubborn", "--ignore-term", "--print", "set") + w.sub("polite"))
    wait_until(lambda: "set" in p.ctl("logs", "stubborn").out, "it ignores TERM")
    p.wait_state("polite", "running")
    p.stop(want=3)
    e = p.find_events(type="state_changed", name="stubborn", state="stopped")[-1]
    equal(e["signal"], "SIGKILL", "how it ended")
    equal(e.get("killed"), True, "killed")
    check(not p.find_events(type="state_changed", name="polite")[-1].get("killed"), "polite was killed")


def test_second_term_starts_the_force_phase_and_a_third_the_kill_phase(w):
    p = w.procd("[shutdown]\ntimeout = 60\nforce_timeout = 120\nkill_timeout = 180\n"
                + w.sub("a", "--ignore-term", "--print", "set"))
    p.wait_state("a", "running")
    wait_until(lambda: "set" in p.ctl("logs", "a").out, "it ignores TERM")
    os.kill(p.pid, signal.SIGTERM)
    p.wait_state("a", "stopping")
    os.kill(p.pid, signal.SIGTERM)
    p.wait_event(type="shutdown_progress", phase="force")
    os.kill(p.pid, signal.SIGTERM)
    equal(p.wait_end(5), 3, "exit code")
    p.nothing_left()


def test_term_while_it_ends_anyway_disturbs_nothing(w):
    for _ in range(8):
        p = w.procd(w.sub("a"))
        p.wait_state("a", "running")
        os.kill(p.pid, signal.SIGTERM)
        p.wait_state("a", "stopping")
        os.kill(p.pid, signal.SIGTERM)
        equal(p.wait_end(), 0, "exit code")
        equal(p.find_events(type="supervisor_recovered"), [], "the supervisor died on its way out")
        os.unlink(p.events_path)
        w.instances.remove(p)


def test_force_phase_sends_the_force_signal(w):
    trace = w.path("signals")
    p = w.procd('[shutdown]\ntimeout_ms = 50\nforce_timeout_ms = 100\nkill_timeout = 60\n'
                'force_signal = "SIGUSR1"\n'
                + w.sub("a", "--trap", "TERM=" + trace, "--trap-exit", "USR1=9", "--pid-file", w.path("set")))
    p.wait_state("a", "running")
    wait_pid_file(w.path("set"))
    p.stop(want=0)
    equal(read_text(trace).split(), ["TERM", "TERM"][:len(read_text(trace).split())], "signals")
    equal(p.find_events(type="state_changed", name="a", state="stopped")[-1]["exit_code"], 9, "exit code")


def test_missing_config_is_66_and_a_directory_too(w):
    r = w.run("-c", w.path("nowhere.toml")).expect(66)
    contains(r.err, "nowhere.toml", "message")
    w.run("-c", w.dir).expect(66)


def test_no_config_in_any_default_place_is_66(w):
    os.mkdir(w.path("empty"))
    w.run(cwd=w.path("empty"), env={"XDG_CONFIG_HOME": w.path("empty")}).expect(66)


def test_default_place_is_the_current_directory(w):
    os.mkdir(w.path("here"))
    write_text(w.path("here/daemon.toml"), "[subsystem.x]\numask = 3x\n")
    r = w.run("check", cwd=w.path("here")).expect(78)
    contains(r.err, "daemon.toml:2:", "place of the error")


def test_unreadable_config_is_77(w):
    need_root()
    write_text(w.path("secret.toml"), "", mode=0o600)
    os.chmod(w.dir, 0o755)
    w.run("-c", w.path("secret.toml"), user=(65534, 65534)).expect(77)


def test_broken_config_is_78_and_nothing_starts(w):
    p = w.procd("bogus = 1\n" + w.sub("a", "--starts", w.path("starts")), wait=False)
    equal(p.wait_end(), 78, "exit code")
    contains(read_text(p.log_path), "daemon.toml:2:1:", "place of the error")
    check(not os.path.exists(w.path("starts")), "something was started")


def test_usage_errors_are_64(w):
    for args in (["--nonsense"], ["frobnicate"], ["-c"], ["status", "--no-such"], ["start"], ["run", "--"]):
        r = w.run(*args)
        equal(r.rc, 64, "exit code of procd %s\n%s" % (args, r))
        check(r.err.strip(), "no message for %s" % args)


def test_help_and_version_go_to_stdout(w):
    r = w.run("--version").expect(0)
    check(r.out.startswith("procd "), r.out)
    contains(w.run("--help").expect(0).out, "status", "help")
    contains(w.run("status", "--help").expect(0).out, "--json", "help of a verb")
    for word in ("--help", "--version"):
        with open("/dev/full", "w") as full:
            equal(subprocess.run([w.procd_path, word], stdout=full, stderr=subprocess.PIPE).returncode, 71, word)


def test_second_instance_is_75_and_names_the_holder(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    r = w.run("-c", p.config_path).expect(75)
    contains(r.err, str(p.pid), "message")
    equal(p.rpc_alive(), True, "the first one lives")
    equal(p.states("a"), ["starting", "running"], "its subsystem's states")
    p.stop()


def test_fifty_at_once_leave_exactly_one(w):
    lock = w.path("double")
    p = w.procd(w.sub("a", "--lock", lock), start=False)
    import subprocess
    argv = [w.procd_path, "-c", p.config_path]
    log = open(p.log_path, "ab")
    many = [subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=w.env(), cwd=w.dir,
                             start_new_session=True) for _ in range(20)]
    log.close()
    wait_until(lambda: sum(m.poll() is None for m in many) == 1, "one is left", 30)
    codes = sorted(m.returncode for m in many if m.returncode is not None)
    equal(codes, [75] * 19, "exit codes")
    p.process = [m for m in many if m.returncode is None][0]
    p.wait_up()
    p.wait_state("a", "running")
    p.stop()
    equal(read_text(lock), "", "second copies")


def test_critical_by_every_final_failure(w):
    for keys in ({"restart_max_attempts": 2, "restart": "exponential-backoff", "restart_delay_ms": 10},
                 {"restart": "never", "pre_start": ["/bin/false"]},
                 {"type": "oneshot"}, {"restart": "never", "instances": 2}):
        p = w.procd(w.sub("a") + w.sub("c", "--exit", 4, critical=True, **keys), wait=False, label="p%d" % len(w.instances))
        equal(p.wait_end(), 1, "exit code with %r" % keys)
        contains(read_text(p.log_path), "critical subsystem failed for good", "log")
        p.nothing_left()
        if "restart_max_attempts" in keys:
            equal(p.states("c").count("starting"), 3, "starts before it was final")


def test_a_critical_one_that_ends_well_or_is_stopped_is_no_failure(w):
    p = w.procd(w.sub("once", "--exit", 0, critical=True, type="oneshot") + w.sub("good", "--exit", 0, critical=True)
                + w.sub("c", "--trap-exit", "TERM=3", "--pid-file", w.path("pid"), critical=True))
    p.wait_state("once", "stopped")
    p.wait_state("good", "stopped")
    wait_pid_file(w.path("pid"))
    p.wait_state("c", "running")
    p.ctl("stop", "c").expect(0)
    p.ctl("start", "c").expect(0)
    p.stop()


def test_a_critical_failure_counts_more_than_a_kill_and_outlives_supervisors(w):
    def config(critical):
        return ("[shutdown]\ntimeout_ms = 200\nforce_timeout_ms = 400\nkill_timeout_ms = 1000\n"
                + w.sub("a", "--ignore-term", "--print", "set") + w.sub("c", restart="never", critical=critical))

    p = w.procd(config(False))
    wait_until(lambda: "set" in p.ctl("logs", "a").out, "it ignores TERM")
    pid = p.wait_state("c", "running")["pid"]
    p.write(config(True))
    p.ctl("reload-config").expect(0)
    equal(p.pid_of("c"), pid, "the key acts without a restart")
    p.kill_supervisor()
    os.kill(pid, signal.SIGKILL)
    p.wait_event(type="shutdown_started")
    p.kill_supervisor(wait=False)
    equal(p.wait_end(), 1, "exit code")
    equal(p.wait_state("a", "stopped").get("killed"), True, "SIGKILL was needed")


def test_critical_failure_exits_1(w):
    p = w.procd(w.sub("a") + w.sub("c", "--exit", 4, critical=True, restart="never"), wait=False)
    equal(p.wait_end(), 1, "exit code")
    p.nothing_left()
    equal(p.find_events(type="state_changed", name="c", state="failed")[-1]["exit_code"], 4, "exit code of c")


def test_unwritable_run_dir_is_73_or_77(w):
    write_text(w.path("file"), "")
    p = w.procd('run_dir = "%s/run"\n' % w.path("file"), wrap=False, wait=False)
    code = p.wait_end()
    check(code in (73, 77), "exit code %d" % code)


def test_signal_table_remaps(w):
    p = w.procd('[signals]\nterm = "ignore"\nuser1 = "shutdown"\n' + w.sub("a"))
    p.wait_state("a", "running")
    os.kill(p.pid, signal.SIGTERM)
    os.kill(p.pid, signal.SIGUSR1)
    equal(p.wait_end(), 0, "exit code")
    p.nothing_left()


def test_signal_table_forwards(w):
    trace = w.path("trace")
    p = w.procd('[signals]\nuser2 = "forward:a"\n' + w.sub("a", "--trap", "USR2=" + trace, "--print", "set"))
    p.wait_state("a", "running")
    wait_until(lambda: "set" in p.ctl("logs", "a").out, "the handler is set")
    os.kill(p.pid, signal.SIGUSR2)
    wait_until(lambda: read_text(trace) == "USR2\n", "the signal arrives")
    p.stop()


def test_usr2_writes_a_state_dump_to_the_log(w):
    p = w.procd(w.sub("needle"))
    p.wait_state("needle", "running")
    before = len(read_text(p.log_path))
    os.kill(p.pid, signal.SIGUSR2)
    wait_until(lambda: "needle" in read_text(p.log_path)[before:], "a dump in the log")
    p.stop()


def test_roles_have_names_and_titles(w):
    p = w.procd('name = "titled"\n' + w.sub("a"))
    p.wait_state("a", "running")
    equal(comm(p.pid), "procd-keeper", "comm of the keeper")
    equal(cmdline(p.pid), "procd: keeper titled", "title of the keeper")
    equal(cmdline(p.supervisor_pid()), "procd: supervisor titled", "title of the supervisor")
    s = p.status()
    equal((s["keeper_pid"], s["supervisor_pid"]), (p.pid, p.supervisor_pid()), "pids in status")
    equal(stat_fields(p.pid_of("a"))[1], str(p.pid), "parent of the child")
    p.stop()


# --- procd run -- COMMAND -----------------------------------------------------------------------

def run_dirs(w):
    return {"XDG_RUNTIME_DIR": w.dir}


def test_run_passes_the_exit_code_on(w):
    for code in (0, 1, 7, 255):
        w.run("run", "--", w.child_path, "--exit", code, env=run_dirs(w)).expect(code)


def test_run_reports_a_signal_as_128_plus_n(w):
    for name in ("TERM", "KILL", "SEGV", "USR1"):
        number = getattr(signal, "SIG" + name)
        w.run("run", "--", w.child_path, "--die", name, env=run_dirs(w)).expect(128 + number)


def test_run_of_a_missing_command_is_127_and_a_locked_one_126(w):
    r = w.run("run", "--", w.path("nothing-here"), env=run_dirs(w)).expect(127)
    equal(r.err.count("\n"), 1, "lines on stderr: " + r.err)
    contains(r.err, 'cannot execute "%s": No such file' % w.path("nothing-here"), "stderr")
    w.run("run", "--", "no-such-command-anywhere", env=run_dirs(w)).expect(127)
    write_text(w.path("plain"), "x", mode=0o644)
    w.run("run", "--", w.path("plain"), env=run_dirs(w)).expect(126)


def test_run_leaves_nothing_behind(w):
    dirs = {"XDG_RUNTIME_DIR": w.dir, "HOME": w.dir}
    before = set(os.listdir("/run/procd")) if os.path.isdir("/run/procd") else set()
    w.run("run", "--", "echo", "hello", env=dirs).expect(0)
    w.run("run", "--", "sh", "-c", "kill -9 $$", env=dirs).expect(137)
    check(not os.path.isdir(w.path("procd")) or not os.listdir(w.path("procd")), "run directories are left")
    after = set(os.listdir("/run/procd")) if os.path.isdir("/run/procd") else set()
    left = [d for d in after - before if d.startswith("run-") and not os.path.exists("/run/procd/%s/lock" % d)]
    check(not left, "left in /run/procd: %r" % left)


def test_run_passes_the_streams_through_untouched(w):
    blob = bytes(range(256)) * 40 + b"no newline at the end"
    r = w.run("run", "--", "sh", "-c", "cat; echo oops >&2", stdin=blob, env=run_dirs(w)).expect(0)
    equal(r.out_bytes, blob, "stdout")
    equal(r.err, "oops\n", "stderr")


def run_in_background(w, *words):
    p = w.procd(None, start=False)
    p.process = subprocess.Popen([w.procd_path, "run", *words], env=w.env(run_dirs(w)), cwd=w.dir,
                                 stdin=subprocess.DEVNULL)
    return p


def test_run_forwards_term(w):
    ready = w.path("ready")
    p = run_in_background(w, "--", w.child_path, "--trap-exit", "TERM=42", "--pid-file", ready)
    pid = wait_pid_file(ready)
    os.kill(p.pid, signal.SIGTERM)
    equal(p.wait_end(), 42, "exit code")
    check(not alive(pid), "the command lives")


def test_run_that_is_told_to_end_restarts_nothing(w):
    for policy in ("always", "on-failure"):
        for signo in (signal.SIGTERM, signal.SIGINT):
            ready = w.path("ready-%s-%d" % (policy, signo))
            p = run_in_background(w, "--restart", policy, "--", w.child_path, "--pid-file", ready)
            wait_pid_file(ready)
            os.kill(p.pid, signo)
            equal(p.wait_end(), 128 + signo, "exit code with " + policy)


def test_run_that_is_told_to_end_between_two_restarts_ends(w):
    starts = w.path("starts")
    p = run_in_background(w, "--restart", "always", "--set", "subsystem.run.restart_delay=1h", "--set",
                          "subsystem.run.restart_max_delay=1h", "--", "sh", "-c", 'echo x >> "$0"; exit 5', starts)
    asked = ("wait", "run", "--for", "restarting", "--name", "run-%d" % p.pid, "--timeout", "5s")
    wait_until(lambda: w.run(*asked, env=run_dirs(w)).rc == 0, "it waits for its restart")
    os.kill(p.pid, signal.SIGTERM)
    equal(p.wait_end(), 5, "exit code")
    equal(read_text(starts), "x\n", "starts")


def test_run_passes_any_bytes_as_arguments(w):
    words = [b"a\xffb\x7f", b"$HOME ${X} $$", b"%n %% %i", b"\"\\\n\b"]
    r = w.run("run", "--", "printf", "%s|", *[os.fsdecode(a) for a in words], env=run_dirs(w)).expect(0)
    equal(r.out_bytes, b"".join(a + b"|" for a in words), "arguments")


def test_run_with_an_unknown_restart_policy_is_64(w):
    r = w.run("run", "--restart", "sometimes", "--", "true", env=run_dirs(w)).expect(64)
    contains(r.err, "sometimes", "message")


def test_run_restarts_when_asked_to(w):
    starts = w.path("starts")
    w.run("run", "--restart", "on-failure", "--", "sh", "-c",
          'echo x >> "$0"; [ $(wc -l < "$0") -ge 3 ]', starts, env=run_dirs(w)).expect(0)
    equal(read_text(starts).count("x"), 3, "starts")
