"""Bad input: one clear message, the documented exit code, and nothing that runs is changed."""

import os

from harness import *

ONE = "[subsystem.a]\ncommand = [\"true\"]\n"

# (text of the config, what the message must contain)
BAD_CONFIGS = [
    ("[subsystem.a]\n", "command"),
    ("[subsystem.a]\ncommand = []\n", "command"),
    ("[subsystem.a]\ncommand = \"\"\n", "command"),
    ("[subsystem.a]\ncommand = \"sh -c 'unclosed\"\n", "quot"),
    ("[subsystem.]\ncommand = [\"true\"]\n", "name"),
    ("[subsystem.a b]\ncommand = [\"true\"]\n", "a b"),
    ("[subsystem.a/b]\ncommand = [\"true\"]\n", "a/b"),
    ("[subsystem]\ncommand = [\"true\"]\n", "subsystem"),
    ("[defaults]\ncommand = [\"true\"]\n" + ONE, "command"),
    (ONE + "restart = \"sometimes\"\n", "sometimes"),
    (ONE + "stop_signal = \"NOPE\"\n", "NOPE"),
    (ONE + "environment = { \"A\" }\n", "c.toml:3"),
    (ONE + "environment = [\"NOEQUALS\"]\n", "NOEQUALS"),
    (ONE + "stdout = \"tape\"\n", "tape"),
    (ONE + "stderr = \"file:\"\n", "file:"),
    (ONE + "stop_timeout = \"-1s\"\n", "stop_timeout"),
    (ONE + "stop_timeout = \"1 fortnight\"\n", "stop_timeout"),
    (ONE + "log_max_file_size = \"10Q\"\n", "log_max_file_size"),
    (ONE + "limit_nofile = \"many\"\n", "limit_nofile"),
    (ONE + "umask = \"rwx\"\n", "umask"),
    (ONE + "working_dir = \"\"\n", "working_dir"),
    ('name = ""\n' + ONE, "name"),
    ("[logging]\nmax_file_size = 0\n" + ONE, "max_file_size"),
    ("[performance]\nmemory_pool_size = 0\n" + ONE, "memory_pool_size"),
    ("[performance]\nevent_backend = \"kqueue\"\n" + ONE, "epoll"),
    ("[signals]\nterm = \"explode\"\n" + ONE, "explode"),
    ("[signals]\nSIGNOPE = \"ignore\"\n" + ONE, "SIGNOPE"),
    ("[signals]\nuser1 = \"forward:nobody-here\"\n" + ONE, "nobody-here"),
    ("[events]\noutput = \"pigeon\"\n" + ONE, "pigeon"),
    ("[control]\nmode = \"9999\"\n" + ONE, "mode"),
    ("[control]\ngroup = \"no-such-group-x\"\n" + ONE, "no-such-group-x"),
]


def test_each_bad_config_gets_a_clear_message(w):
    wrong = []
    for text, want in BAD_CONFIGS:
        r = w.run("check", "-c", write_text(w.path("c.toml"), text))
        if r.rc != 78 or want not in r.err or "c.toml:" not in r.err:
            wrong.append("%r wants %r:\n%s" % (text, want, r))
    check(not wrong, "\n".join(wrong))


def test_bad_names_and_arguments_of_verbs(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    pid, mark = p.pid_of("a"), p.mark()
    for args, code, part in (
            (("start", "nobody"), 4, "nobody"), (("stop", "no*"), 4, "no*"), (("restart", "@none"), 4, "none"),
            (("status", "nobody"), 4, "nobody"), (("why", "nobody"), 4, "nobody"), (("logs", "nobody"), 4, "nobody"),
            (("signal", "a", "NOPE"), 64, "NOPE"), (("signal", "a"), 64, ""), (("log-level", "loud"), 64, "loud"),
            (("wait", "a", "--for", "sleep"), 64, "sleep"), (("events", "--since", "x"), 64, "x"),
            (("status", "--timeout", "soon"), 64, "soon"), (("reload",), 64, "reload-config"),
            (("is-active", "nobody"), 4, "nobody"), (("logs", "-n", "-5", "a"), 64, "")):
        r = p.ctl(*args)
        if r.rc != code or part not in r.err:
            raise Failure("want %d and %r\n%s" % (code, part, r))
    equal(p.pid_of("a"), pid, "pid")
    equal(p.find_events(mark, type="state_changed"), [], "state changes")
    p.stop()


def test_no_daemon_is_5(w):
    for args in (("status",), ("start", "a"), ("events",), ("shutdown",)):
        r = w.run(args[0], "-s", w.path("none.sock"), *args[1:]).expect(5)
        contains(r.err, "none.sock", "message")
    j = w.run("status", "--json", "-s", w.path("none.sock")).expect(5).json()
    check("message" in j["error"], j)


def test_planted_symlinks_are_refused(w):
    victim = write_text(w.path("victim"), "precious\n")
    os.symlink(victim, w.path("a.log"))
    p = w.procd(w.sub("a", "--print", "hello") .rstrip("\n") + '\nlog_file = "%s"\n' % w.path("a.log")
                + w.sub("b"))
    p.wait_state("b", "running")
    p.wait_state("a", "running")
    wait_until(lambda: "hello" in p.ctl("logs", "a").out, "the line is at hand")
    p.stop()
    equal(read_text(victim), "precious\n", "the victim")


def test_planted_pid_file_is_refused(w):
    victim = write_text(w.path("victim"), "precious\n")
    os.symlink(victim, w.path("pid"))
    p = w.procd('pid_file = "%s"\n' % w.path("pid") + w.sub("a"), wait=False)
    code = p.wait_end()
    check(code in (73, 77), "exit code %d" % code)
    equal(read_text(victim), "precious\n", "the victim")


def test_foreign_run_directory_is_refused(w):
    need_root()
    os.mkdir(w.path("run"))
    os.chown(w.path("run"), 65534, 65534)
    p = w.procd(w.sub("a"), wait=False)
    equal(p.wait_end(), 77, "exit code")
    os.rmdir(w.path("run"))
    os.mkdir(w.path("elsewhere"))
    os.chmod(w.dir, 0o1777)  # where others can plant
    os.symlink(w.path("elsewhere"), w.path("run"))
    os.lchown(w.path("run"), 65534, 65534)
    q = w.procd(w.sub("a"), label="q", wait=False, wrap=False, start=False)
    q.write('run_dir = "%s"\n' % w.path("run") + w.sub("a"))
    q.start()
    check(q.wait_end() in (73, 77), "a foreign symlink was followed")


def test_damaged_run_time_state_is_set_aside(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    p.stop()
    for name in os.listdir(p.run_dir):
        path = os.path.join(p.run_dir, name)
        if os.path.isfile(path):
            with open(path, "wb") as f:
                f.write(b"\xa5garbage" * 4000)
    os.unlink(p.events_path)
    q = w.procd(w.sub("a"))
    q.wait_state("a", "running")
    q.stop()
