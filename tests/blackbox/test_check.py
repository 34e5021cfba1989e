"""check, config, features: what the configuration says, before anything runs (interface 1, 2, 5)."""

import json
import os
import shutil

from harness import *


def conf(w, text, name="c.toml"):
    return write_text(w.path(name), text)


def run_check(w, text, *more, env=None):
    return w.run("check", "-c", conf(w, text), *more, env=env)


def effective(w, text, *sets, env=None):
    args = []
    for s in sets:
        args += ["--set", s]
    return w.run("config", "-c", conf(w, text), "--json", *args, env=env).expect(0).json()


ONE = "[subsystem.a]\ncommand = [\"true\"]\n"


def test_a_good_file_is_ok(w):
    r = run_check(w, ONE).expect(0)
    equal(r.out, "ok\n", "stdout")
    equal(r.err, "", "stderr")


def test_every_error_is_told_at_once_with_line_and_column(w):
    r = run_check(w, 'nmae = "x"\n[logging]\nlevel = "loud"\n[subsystem.a]\ncomand = ["true"]\n'
                     'command = ["true"]\nstop_timeout = "12 parsecs"\n').expect(78)
    path = w.path("c.toml")
    contains(r.err, path + ":1:1:", "unknown key")
    contains(r.err, "name", "suggestion")
    contains(r.err, path + ":3:", "bad choice")
    contains(r.err, path + ":5:1:", "typo")
    contains(r.err, path + ":7:", "bad duration")
    equal(r.out, "", "stdout")


def test_one_mistake_is_one_error(w):
    """What follows from an error that was told is no news."""
    for text, line in (("[subsystem.a]\ncommand =\n", 2),
                       ("[subsystem.a]\ncommand = [\"x\",\n", 2),
                       ("[subsystem.a]\ncommand = \"x\" y\n", 2),
                       ("[subsystem.a]\ncomand = \"x\"\n", 2),
                       ("[subsystem.a]\ncommand = x\nlisten = [\"tcp:x:1\"]\nsocket_activation = true\nidle_timeout = 5\n", 3),
                       ("[subsystem.a]\ncommand = x\nsocket_activation = maybe\nidle_timeout = 5\nlisten = [\"tcp:127.0.0.1:1\"]\n", 3),
                       ("[defaults]\nlisten = 5\n[subsystem.a]\ncommand = x\nsocket_activation = true\n", 2),
                       ("[subsystem.a]\ncommand = x\ndepends_on = [\"b:healthy\"]\n[subsystem.b]\ncommand = x\nhealth = foo\n", 6),
                       ("[subsystem.a]\ncommand = x\ndepends_on = [\"b@1\"]\n[subsystem.b]\ncommand = x\ninstances = 0\n", 6),
                       ("[shutdown]\ntimeout = 20x\nforce_timeout = 3\n[subsystem.a]\ncommand = x\n", 2),
                       ("[shutdown]\ntimeout = 20\nforce_timeout =\n[subsystem.a]\ncommand = x\n", 3)):
        path = write_text(w.path("one.toml"), text)
        errors = w.run("check", "--json", "-c", path).expect(78).json()["errors"]
        equal([e["line"] for e in errors], [line], "lines of the errors of:\n%s%r" % (text, errors))


def test_errors_as_json(w):
    r = run_check(w, "a = \n[subsystem.x]\n", "--json").expect(78)
    j = r.json()
    equal(j["ok"], False, "ok")
    check(len(j["errors"]) >= 2, "errors: %r" % j)
    equal(sorted(j["errors"][0]), ["column", "file", "line", "message"], "keys")
    equal(j["errors"][0]["line"], 1, "line")
    good = run_check(w, ONE, "--json").expect(0).json()
    equal((good["ok"], good["errors"]), (True, []), "a good file")


def test_mistyped_names_get_a_suggestion(w):
    for text, want in (("[loging]\nlevel = \"info\"\n", "logging"),
                       (ONE + "restart_dealy = 1\n", "restart_delay"),
                       (ONE + "restart = \"on-faliure\"\n", "on-failure"),
                       (ONE + "stop_signal = \"SIGTREM\"\n", "SIGTERM")):
        contains(run_check(w, text).expect(78).err, want, "suggestion")
    r = w.run("check", "-c", conf(w, '{"subsystems": {"a": {"command": "true"}}}', "c.json")).expect(78)
    contains(r.err, "did you mean 'subsystem'", "suggestion for a table of JSON")


def test_limits_take_every_spelling_of_a_number(w):
    j = effective(w, ONE + 'limit_nofile = 1_000\nlimit_core = 0x10\nlimit_as = "1G"\nlimit_stack = "64K:infinity"\n')
    a = j["subsystem"]["a"]
    equal([str(a["limit_" + k]["value"]) for k in ("nofile", "core", "as", "stack")],
          ["1000", "16", "1073741824", "65536:infinity"], "limits")


def test_signals_without_an_action(w):
    contains(run_check(w, '[signals]\nSIGKILL = "dump"\n' + ONE).expect(78).err, "cannot be caught", "SIGKILL")
    contains(run_check(w, '[signals]\nSIGCHLD = "dump"\n' + ONE).expect(78).err, "no other use", "SIGCHLD")


def test_duplicate_keys_and_tables_are_errors(w):
    contains(run_check(w, 'name = "a"\nname = "b"\n').expect(78).err, "c.toml:2:", "key")
    contains(run_check(w, ONE + ONE).expect(78).err, "c.toml:3:", "table")


def test_keys_of_later_features_are_unknown_keys(w):
    for key in ('depends_on = ["b"]', "heap_profile = true"):
        run_check(w, ONE + key + "\n").expect(78)


def test_a_command_that_does_not_exist_is_a_warning(w):
    text = "[subsystem.a]\ncommand = [\"/no/such/program\"]\n"
    j = run_check(w, text, "--json").expect(0).json()
    equal(j["ok"], True, "ok")
    contains(json.dumps(j["warnings"]), "/no/such/program", "warnings")


def test_toml_grammar(w):
    j = effective(w, '''
# comment
name = 'lit\\eral'   # after a value
work_dir = "/"
[logging]
max_file_size = 1_000
[shutdown]
timeout = "1m30s"
force_timeout = "2m"
kill_timeout = 150.5
[subsystem.x]
command = [
	"sh",  # inside
	"-c",
	"echo 'a # b ; c' \\u00e9 \\t ]",
]
environment = { A = "1", B = "two words" }
success_exit_codes = [0, 0x10, 0o17]
description = unquoted words ; and a comment
[subsystem.a.b]
command = "sh -c 'echo \\"q\\"'"
''')
    equal(j["name"]["value"], "lit\\eral", "literal string")
    equal(j["logging"]["max_file_size"]["value"], 1000, "underscore")
    equal(j["shutdown"]["timeout"]["value"], 90000, "duration")
    equal(j["shutdown"]["kill_timeout"]["value"], 150500, "float seconds")
    x = j["subsystem"]["x"]
    equal(x["command"]["value"], ["sh", "-c", "echo 'a # b ; c' \u00e9 \t ]"], "array")
    equal(x["success_exit_codes"]["value"], [0, 16, 15], "numbers")
    equal(x["description"]["value"], "unquoted words", "unquoted")
    equal(j["subsystem"]["a.b"]["command"]["value"], ["sh", "-c", 'echo "q"'], "split string")


def test_refused_grammar_says_so(w):
    for text in ('name = """x"""\n', '"name" = "x"\n', "name = 2020-01-01\n", "name = \"x\n", "name = \"\\q\"\n",
                 "[subsystem.a\ncommand = [\"x\"]\n", "name\n", "= 3\n", "name = \"a\" \"b\"\n", "command = [\"a\"\n"):
        r = run_check(w, text)
        equal(r.rc, 78, "exit code for %r\n%s" % (text, r))
        contains(r.err, "c.toml:", "place")


def test_bytes_that_no_config_may_have(w):
    for data in (b"name = \"a\0b\"\n", b"name = \"a\"\rwork_dir = \"/\"\n", b"name = \"\xff\xfe\"\n"):
        with open(w.path("b.toml"), "wb") as f:
            f.write(data)
        w.run("check", "-c", w.path("b.toml")).expect(78)
    with open(w.path("b.toml"), "wb") as f:
        f.write(b"\xef\xbb\xbfname = \"bom\"\r\n[subsystem.a]\r\ncommand = [\"true\"]\r\n")
    w.run("check", "-c", w.path("b.toml")).expect(0)


def test_long_values_and_names_arrive_whole(w):
    long = "x" * 5000
    name = "n" * 64
    j = effective(w, '[subsystem.%s]\ncommand = ["%s", "a ; b", "k: v"]\ndescription = "%s"\n' % (name, long, long))
    equal(j["subsystem"][name]["command"]["value"], [long, "a ; b", "k: v"], "command")
    run_check(w, "[subsystem.%s]\ncommand = [\"true\"]\n" % ("n" * 65)).expect(78)


def test_durations_sizes_booleans(w):
    j = effective(w, ONE + 'restart_delay = "250ms"\nrestart_max_delay_ms = 4000\nlog_max_file_size = "64K"\n'
                           "autostart = off\n" + "[logging]\nmax_file_size = \"1MiB\"\ncolor = yes\n")
    a = j["subsystem"]["a"]
    equal(a["restart_delay"]["value"], 250, "ms")
    equal(a["restart_max_delay"]["value"], 4000, "_ms spelling")
    equal(a["log_max_file_size"]["value"], 65536, "size")
    equal(a["autostart"]["value"], False, "boolean")
    equal(j["logging"]["max_file_size"]["value"], 1048576, "MiB")
    equal(j["logging"]["color"]["value"], True, "yes")
    run_check(w, ONE + "restart_delay = 1\nrestart_delay_ms = 1000\n").expect(78)


def test_variables(w):
    j = effective(w, '[subsystem.v]\ncommand = ["x", "${HOME_X}", "${NOPE:-fall back}", "%n", "%i", "100%%", "$$5"]\n',
                  env={"HOME_X": "/h"})
    equal(j["subsystem"]["v"]["command"]["value"], ["x", "/h", "fall back", "v", "0", "100%", "$5"], "command")


def test_precedence_and_origin(w):
    text = 'name = "file"\n' + ONE + "[logging]\nlevel = \"warn\"\n"
    j = effective(w, text)
    equal((j["name"]["value"], j["name"]["origin"], j["name"]["line"]), ("file", "file", 1), "file")
    equal(j["hot_reload"]["origin"], "default", "default")
    env = {"DAEMON_NAME": "env", "DAEMON_LOGGING_LEVEL": "debug", "DAEMON_SHUTDOWN_TIMEOUT_MS": "1234",
           "DAEMON_UNRELATED_THING": "x"}
    j = effective(w, text, env=env)
    equal((j["name"]["value"], j["name"]["origin"]), ("env", "env"), "environment")
    equal(j["shutdown"]["timeout"]["value"], 1234, "milliseconds by environment")
    j = effective(w, text, "name=cli", "logging.level=trace", "subsystem.a.nice=5", env=env)
    equal((j["name"]["value"], j["name"]["origin"]), ("cli", "cli"), "command line")
    equal(j["logging"]["level"]["value"], "trace", "section key")
    equal(j["subsystem"]["a"]["nice"]["value"], 5, "subsystem key")


def test_bad_set_and_bad_environment_are_78_and_named(w):
    path = conf(w, ONE)
    for bad in ("nmae=x", "logging.level=loud", "subsystem.a.nice=abc", "shutdown.timeout=-1"):
        r = w.run("check", "-c", path, "--set", bad).expect(78)
        contains(r.err, bad.split("=")[0], "message")
    r = w.run("check", "-c", path, env={"DAEMON_LOGGING_LEVEL": "loud"}).expect(78)
    contains(r.err, "DAEMON_LOGGING_LEVEL", "message")


def test_set_names_the_key_once(w):
    path = write_text(w.path("set.toml"), w.sub("a"))
    r = w.run("check", "-c", path, "--set", "logging.level=zz", "--set", "subsystem.a.wants=[\"x\"]", "--set", "shutdown.graceful=abc").expect(78)
    contains(r.err, "--set logging.level: unknown log level 'zz'", "stderr")
    contains(r.err, "--set subsystem.a.wants: there is no subsystem \"x\"", "stderr")
    contains(r.err, "--set shutdown.graceful: shutdown.timeout: expected", "another spelling")


def test_F73_files_that_others_can_write_are_a_warning_to_root(w):
    need_root()
    path = write_text(w.path("owned.toml"), 'include = ["conf/*.toml"]\n' + w.sub("a"))
    os.mkdir(w.path("conf"))
    extra = write_text(w.path("conf/extra.toml"), w.sub("b"))
    equal(w.run("check", "-c", path).expect(0).err, "", "stderr")

    def told(change, back, what, count=1):
        change()
        r = w.run("check", "-c", path).expect(0)
        equal(r.err.count("decides what runs as root"), count, "warnings")
        contains(r.err, what, "stderr")
        back()

    told(lambda: os.chmod(path, 0o646), lambda: os.chmod(path, 0o644), "owned.toml: warning: this file can be written by everybody")
    told(lambda: os.chown(extra, 1234, 0), lambda: os.chown(extra, 0, 0), "conf/extra.toml: warning: this file belongs to user 1234")
    told(lambda: (os.chown(extra, 0, 1234), os.chmod(extra, 0o664)), lambda: os.chmod(extra, 0o644), "this file can be written by group 1234")
    told(lambda: os.chmod(w.path("conf"), 0o777), lambda: os.chmod(w.path("conf"), 0o755), "the directory of this file can be written by everybody")
    os.chmod(w.path("conf"), 0o1777)     # as /tmp: nobody replaces the files of others
    equal(w.run("check", "-c", path).expect(0).err, "", "stderr")
    # what the file leads to counts, not the link
    os.rename(extra, w.path("target"))
    os.symlink(w.path("target"), extra)
    told(lambda: os.chown(w.path("target"), 1234, 0), lambda: None, "this file belongs to user 1234")
    # at a start and at a reload it is in the log, and nothing is refused
    p = w.procd('include = ["conf/*.toml"]\n' + w.sub("a"))
    contains(read_text(p.log_path), "conf/extra.toml: warning: this file belongs to user 1234", "the log at the start")
    p.write('include = ["conf/*.toml"]\n' + w.sub("a", nice=1))
    p.ctl("reload-config").expect(0)
    wait_until(lambda: read_text(p.log_path).count("belongs to user 1234") == 2, "the log at the reload")
    p.stop()


def test_F73_programs_that_others_can_write_are_a_warning_to_root(w):
    need_root()
    os.mkdir(w.path("bin"))
    tool, link = shutil.copy("/bin/true", w.path("bin/tool")), w.path("link")
    os.symlink(tool, link)

    def told(keys, *warnings):
        path = write_text(w.path("programs.toml"), keys)
        r = w.run("check", "-c", path).expect(0)
        equal(r.err.count("decides what runs as root"), len(warnings), "warnings in " + r.err)
        for text in warnings:
            contains(r.err, "programs.toml:" + text, "stderr")
        return path

    plain = "[subsystem.a]\ncommand = [\"%s\"]\n"
    hooks = ("[subsystem.a]\ncommand = [\"true\"]\npre_start = \"%(t)s\"\npost_stop = \"%(t)s\"\nhealth = \"command:%(t)s -q\"\n"
             % {"t": tool})
    told(plain % tool)
    os.chmod(tool, 0o757)
    path = told(plain % tool, "2:11: warning: %s: this program can be written by everybody" % tool)
    told(plain % link, "2:11: warning: %s: this program can be written by everybody" % link)
    told(hooks, "3:13: warning: %s: this program can be" % tool)     # once, however often it is named
    told(plain % tool + plain.replace(".a", ".b") % tool, "2:11: warning: ")
    told(plain % tool + "user = \"nobody\"\n")                      # root does not run it
    told("[subsystem.a]\ncommand = [\"true\"]\nhealth = \"command:%s\"\n" % tool, "3:10: warning: ")
    told("[subsystem.a]\ncommand = [\"tool\"]\nenvironment = [\"PATH=%s\"]\n" % w.path("bin"), "2:11: warning: %s: " % tool)
    os.chmod(tool, 0o755)
    os.chown(w.path("bin"), 1234, 0)
    told(plain % link, "2:11: warning: %s: the directory of this program belongs to user 1234" % link)
    os.chown(w.path("bin"), 0, 0)
    os.mkdir(w.path("links"))
    os.chmod(w.path("links"), 0o777)
    os.symlink(tool, w.path("links/tool"))
    told(plain % w.path("links/tool"), "2:11: warning: %s: the directory of this program's name can be written" % w.path("links/tool"))
    os.chown(tool, 1234, 0)
    path = told(plain % tool, "2:11: warning: ")
    p = w.procd(read_text(path).replace("/bin/tool\"]", "/bin/tool\"]\ntype = \"oneshot\""))      # nothing is refused
    p.wait_state("a", "stopped", reason="exit")
    contains(read_text(p.log_path), "this program belongs to user 1234", "the log at the start")
    equal(w.run("run", "--", tool).expect(0).err, "", "what is on the command line is the caller's")
    p.stop()


def test_include_globs(w):
    os.mkdir(w.path("conf.d"))
    write_text(w.path("conf.d/20-b.toml"), "[subsystem.b]\ncommand = [\"true\"]\n")
    write_text(w.path("conf.d/10-a.toml"), "[subsystem.c]\ncommand = [\"true\"]\n")
    write_text(w.path("conf.d/.hidden.toml"), "nonsense\n")
    write_text(w.path("conf.d/b.toml~"), "nonsense\n")
    j = effective(w, 'include = ["conf.d/*.toml"]\n' + ONE)
    equal(sorted(j["subsystem"]), ["a", "b", "c"], "subsystems")
    write_text(w.path("conf.d/20-b.toml"), "[subsystem.b]\ncommandd = [\"true\"]\n")
    r = run_check(w, 'include = ["conf.d/*.toml"]\n' + ONE).expect(78)
    contains(r.err, "20-b.toml:2:1:", "place in the included file")
    run_check(w, 'include = ["c.toml"]\n' + ONE).expect(78)


def test_json_files_hold_the_same_tree(w):
    tree = {"name": "j", "subsystem": {"a": {"command": ["true"], "restart_delay": "2s"}}}
    write_text(w.path("c.json"), json.dumps(tree))
    j = w.run("config", "-c", w.path("c.json"), "--json").expect(0).json()
    equal(j["name"]["value"], "j", "name")
    equal(j["subsystem"]["a"]["restart_delay"]["value"], 2000, "duration")
    write_text(w.path("c.json"), '{"name": 3, "subsystem": {"a": {"comand": ["true"]}}}')
    w.run("check", "-c", w.path("c.json")).expect(78)
    write_text(w.path("c.json"), '{"name": ')
    w.run("check", "-c", w.path("c.json")).expect(78)


def test_config_as_text_is_a_config_with_the_same_values(w):
    text = ('name = "round trip"\n[subsystem.x]\ncommand = ["sh", "-c", "echo \\"# ; $$ %%\\""]\n'
            'environment = { K = "a=b" }\nlimit_nofile = "100:200"\nrestart_delay = "1500ms"\n')
    first = effective(w, text)
    dump = w.run("config", "-c", w.path("c.toml")).expect(0).out
    second = effective(w, dump)

    def values(tree):
        if isinstance(tree, dict) and "origin" in tree:
            return tree["value"]
        return {k: values(v) for k, v in tree.items()}
    equal(values(second), values(first), "values")


def test_other_spellings_of_the_subsystem_header(w):
    j = effective(w, "[subsystem:one]\ncommand = [\"true\"]\n[program:two]\ncommand = [\"true\"]\n")
    equal(sorted(j["subsystem"]), ["one", "two"], "names")


def test_daemon_section_takes_the_top_level_keys(w):
    equal(effective(w, "[daemon]\nname = \"d\"\n" + ONE)["name"]["value"], "d", "name")
    r = run_check(w, ONE + "hot_reload = true\n").expect(78)
    contains(r.err, "hot_reload", "message")


def test_shutdown_deadlines(w):
    run_check(w, ONE + "[shutdown]\ntimeout = 10\nforce_timeout = 5\n").expect(78)
    j = effective(w, ONE + "[shutdown]\ntimeout = 20\n")["shutdown"]
    equal([j[k]["value"] for k in ("timeout", "force_timeout", "kill_timeout")], [20000, 30000, 40000], "scaled")
    j = effective(w, ONE + "[shutdown]\ngraceful = 100\nforce = 200\nkill = 300\n")["shutdown"]
    equal([j[k]["value"] for k in ("timeout", "force_timeout", "kill_timeout")], [100, 200, 300], "aliases")


def test_users_and_paths_are_checked(w):
    need_root()
    contains(run_check(w, ONE + "user = \"no-such-user-here\"\n").expect(78).err, "no-such-user-here", "message")
    contains(run_check(w, ONE + "group = \"no-such-group-here\"\n").expect(78).err, "no-such-group-here", "message")
    run_check(w, ONE + "user = \"\"\n").expect(78)
    run_check(w, 'work_dir = "/no/such/dir"\n' + ONE).expect(78)


def test_numbers_are_range_checked(w):
    for bad in ("nice = 20", "nice = -21", "umask = 01000", "restart_jitter = 1.5", "restart_jitter = -0.1",
                "success_exit_codes = [256]", "restart_max_attempts = -1", "oom_score_adjust = 1001",
                "limit_nofile = \"200:100\"", "log_max_file_size = 0", "stop_signal = \"SIG99\"",
                "kill_mode = \"some\"", "restart = true", "nice = 99999999999999999999"):
        r = run_check(w, ONE + bad + "\n")
        equal(r.rc, 78, "exit code for %r\n%s" % (bad, r))
        contains(r.err, "c.toml:3:", "place of %r" % bad)


def test_the_sample_in_the_tree_is_what_the_table_says(w):
    w.need_feature("lockfree_coordination", "metrics")  # their defaults are in the sample
    tree = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "etc", "daemon.toml")
    check(w.run("sample").expect(0).out == read_text(tree), "etc/daemon.toml is old; `make sample` writes it")
    w.run("check", "-c", tree).expect(0)
    # Each key is there, and with its default in force nothing changes.
    active = "".join(line[1:] if line.startswith("#") and not line.startswith("# ") else line
                     for line in read_text(tree).splitlines(True) if '= ""' not in line)
    w.run("check", "-c", write_text(w.path("all.toml"), active.replace("[subsystem.NAME]", ONE))).expect(0)


def test_no_subsystems_is_a_warning(w):
    r = run_check(w, 'name = "empty"\n', "--json").expect(0).json()
    check(r["warnings"], "no warning")


def test_huge_and_odd_files(w):
    os.mkfifo(w.path("fifo.toml"))
    r = w.run("check", "-c", w.path("fifo.toml"), timeout=5)
    check(r.rc in (66, 78), "a fifo: %s" % r)
    with open(w.path("big.toml"), "w") as f:
        for i in range(3000):
            f.write("[subsystem.s%d]\ncommand = [\"true\"]\n" % i)
    w.run("check", "-c", w.path("big.toml"), timeout=10).expect(0)
