"""What a child is given, and nothing else (interface 2, 3; faults.md S56, S57, F29, F32-F34, F38)."""

import os
import resource
import signal

from harness import *


def report_of(w, name="a", keys=None, extra="", args=(), **options):
    path = w.path("report-" + name)
    p = w.procd(extra + w.sub(name, "--report-state", path, *args, **(keys or {})), **options)
    r = read_report(path)
    p.wait_state(name, "running")
    return p, r


def dirty():
    """A launcher's worst habits: everything blocked and ignored, open descriptors."""
    for s in range(1, signal.NSIG):
        try:
            signal.signal(s, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD})


def test_S56_signals_and_descriptors_are_clean(w):
    p, r = report_of(w)
    equal(r["blocked"], [], "blocked signals")
    equal(r["not_default"], [], "dispositions")
    equal(sorted(r["fds"]), ["0", "1", "2"], "descriptors")
    equal(r["fds"]["0"]["target"], "/dev/null", "stdin")
    check(not r["fds"]["1"]["nonblock"], "stdout is O_NONBLOCK")
    equal(r["sid"], r["pid"], "a session of its own")
    p.stop()


def test_F29_F32_a_dirty_launcher_changes_nothing(w):
    extra = [os.open("/dev/null", os.O_RDONLY) for _ in range(30)]
    p, r = report_of(w, preexec=dirty, pass_fds=extra)
    equal(r["blocked"], [], "blocked signals")
    equal(r["not_default"], [], "dispositions")
    equal(sorted(r["fds"]), ["0", "1", "2"], "descriptors")
    p.stop()


def test_closed_standard_descriptors_of_procd_do_no_harm(w):
    def close_all():
        for fd in (0, 1, 2):
            os.close(fd)
    p, r = report_of(w, preexec=close_all)
    equal(sorted(r["fds"]), ["0", "1", "2"], "descriptors")
    p.stop()


def test_environment_is_inherited_and_marked(w):
    p, r = report_of(w, env={"INHERITED": "yes", "DAEMON_NAME": "viaenv", "NOTIFY_SOCKET": None, "LISTEN_FDS": "3",
                             "LISTEN_PID": "1", "LISTEN_FDNAMES": "x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"})
    env = r["env"]
    equal((env["INHERITED"], env["PROCD_SUBSYSTEM"], env["DAEMON_NAME"]), ("yes", "a", "viaenv"), "environment")
    for name in ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID",
                 "PROCD_INSTANCE"):
        check(name not in env, name + " leaked")
    own = {k for k in env if k.startswith("PROCD_")} - {"PROCD_SUBSYSTEM", "PROCD_TEST"}
    equal(own, set(), "variables of procd's own")
    p.stop()


def test_environment_keys(w):
    p, r = report_of(w, keys={"environment": {"A": "1", "PATH": "/only/this", "EMPTY": ""}}, env={"B": "2"})
    equal((r["env"]["A"], r["env"]["PATH"], r["env"]["EMPTY"], r["env"]["B"]), ("1", "/only/this", "", "2"), "given")
    p.stop()
    q = w.procd(w.sub("b", "--report-state", w.path("rb"), clear_environment=True, environment=["X=y=z"]), label="q")
    env = read_report(w.path("rb"))["env"]
    equal(env["X"], "y=z", "array form")
    check("HOME" not in env and "B" not in env, "not cleared: %r" % env)
    equal(env.get("PROCD_SUBSYSTEM"), "b", "PROCD_SUBSYSTEM")
    q.stop()


def test_pass_environment_is_a_choice_of_what_is_inherited(w):
    env = {"LC_ALL": "C", "LC_X": "y", "SECRET": "s"}
    for clear in (False, True):
        p, r = report_of(w, keys={"pass_environment": ["LC_*", "PATH"], "clear_environment": clear}, env=env,
                         label="p%d" % clear)
        equal((r["env"].get("LC_ALL"), r["env"].get("LC_X")), ("C", "y"), "passed")
        check("SECRET" not in r["env"] and "HOME" not in r["env"], "inherited: %r" % r["env"])
        p.stop()


def test_command_forms(w):
    p = w.procd('[subsystem.split]\ncommand = "%s --report-state %s --exit \'0\'"\nrestart = "never"\n'
                '[subsystem.shell]\ncommand = "exec %s --report-state %s --print \\"$$PROCD_SUBSYSTEM;x\\""\nshell = true\n'
                % (w.child_path, w.path("r1"), w.child_path, w.path("r2")))
    equal(read_report(w.path("r1"))["argv"][1:], ["--report-state", w.path("r1"), "--exit", "0"], "split string")
    equal(read_report(w.path("r2"))["argv"][-1], "shell;x", "shell")
    wait_until(lambda: "shell;x" in p.ctl("logs", "shell").out, "its output")
    p.stop()


def test_command_is_found_by_the_childs_path(w):
    os.mkdir(w.path("bin"))
    os.symlink(w.child_path, w.path("bin/unique-name"))
    p = w.procd('[subsystem.a]\ncommand = ["unique-name", "--report-state", "%s"]\nenvironment = { PATH = "%s" }\n'
                % (w.path("r"), w.path("bin")))
    equal(read_report(w.path("r"))["argv"][0], "unique-name", "argv[0]")
    p.stop()


def test_directory_and_umask(w):
    os.mkdir(w.path("d"))
    p, r = report_of(w, keys={"working_dir": w.path("d"), "umask": "027"})
    equal((r["cwd"], r["umask"]), (w.path("d"), 0o027), "given")
    p.stop()
    q, r = report_of(w, "b", extra='work_dir = "%s"\n' % w.path("d"), label="q", umask=0o002)
    equal((r["cwd"], r["umask"]), (w.path("d"), 0o002), "work_dir and procd's umask")
    q.stop()


def test_limits(w):
    p, r = report_of(w, keys={"limit_nofile": "100:200", "limit_core": 0, "limit_fsize": "infinity"},
                     limits={resource.RLIMIT_NOFILE: (500, 1000)})
    equal((r["limits"]["nofile"], r["limits"]["core"], r["limits"]["fsize"]), ([100, 200], [0, 0], [-1, -1]), "given")
    p.stop()
    q, r = report_of(w, "b", label="q", limits={resource.RLIMIT_NOFILE: (500, 1000)})
    equal(r["limits"]["nofile"], [500, 1000], "the original one, not procd's raised one")
    q.stop()


def test_F34_nice_and_oom_score_are_not_inherited_from_procd(w):
    need_root()
    p, r = report_of(w, extra="[performance]\nnice = 3\n")
    equal(r["nice"], os.nice(0), "nice")
    p.stop()
    q, r = report_of(w, "b", keys={"nice": 7, "oom_score_adjust": 321}, label="q")
    equal((r["nice"], r["oom_score_adj"]), (7, 321), "given")
    q.stop()


def test_oom_score_of_children_is_what_procd_was_given(w):
    with open("/proc/self/oom_score_adj") as f:
        own = int(f.read())
    p, r = report_of(w)
    equal(r["oom_score_adj"], own, "oom_score_adj")
    p.stop()


def test_S57_user_and_groups(w):
    need_root()
    os.chmod(w.dir, 0o1777)
    p, r = report_of(w, keys={"user": "nobody"})
    import grp
    import pwd
    entry = pwd.getpwnam("nobody")
    want = sorted(set(os.getgrouplist("nobody", entry.pw_gid)))
    equal((r["uids"], r["gids"]), ([entry.pw_uid] * 3, [entry.pw_gid] * 3), "ids")
    check(sorted(set(r["groups"]) | {entry.pw_gid}) == want, "groups %r, want %r" % (r["groups"], want))
    p.stop()
    q, r = report_of(w, "b", keys={"user": "12345", "group": "23456", "supplementary_groups": ["daemon", "3333"]}, label="q")
    equal((r["uids"], r["gids"]), ([12345] * 3, [23456] * 3), "numeric ids")
    equal(sorted(r["groups"]), sorted([grp.getgrnam("daemon").gr_gid, 3333]), "supplementary groups")
    q.stop()


def test_F38_no_right_to_become_another_is_a_failed_start(w):
    need_root()
    os.chmod(w.dir, 0o1777)
    p = w.procd(w.sub("a", "--starts", w.path("starts"), user="root", restart="never"), user=(65534, 65534), wait=False)
    wait_until(lambda: p.process.poll() is not None or p.rpc_alive(), "it is up or refused")
    if p.process.poll() is None:
        e = p.wait_state("a", "failed")
        check(e["error"]["stage"] in ("groups", "gid", "uid"), e)
        p.stop()
    else:
        equal(p.process.returncode, 78, "exit code")
    check(not os.path.exists(w.path("starts")), "it ran with other rights")


def test_stdio_targets(w):
    write_text(w.path("in"), "from the file\n")
    p = w.procd('[subsystem.a]\ncommand = "cat; echo err >&2"\nshell = true\nstdin = "file:%s"\nstdout = "file:%s"\n'
                'stderr = "null"\nrestart = "never"\n' % (w.path("in"), w.path("out"))
                + w.sub("b", "--report-state", w.path("r"), stdout="null", stderr="stdout", stdin="null"))
    p.wait_state("a", "stopped")
    equal(read_text(w.path("out")), "from the file\n", "stdout file")
    r = read_report(w.path("r"))
    equal([r["fds"][n]["target"] for n in "012"], ["/dev/null"] * 3, "null")
    p.stop()


def test_procd_itself_is_a_good_neighbour(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    for pid in (p.pid, p.supervisor_pid()):
        bad = [read_link("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)]
        check(len(bad) < 40, "descriptors of %d: %r" % (pid, bad))
    p.stop()
