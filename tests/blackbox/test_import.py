"""import: the configurations of other supervisors (doc/import.md). The fixtures in tests/import are written
for these tests; the scripted child stands in for what they run and tells what it was given."""

import json
import os
import shutil
import socket

from harness import *

FIXTURES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "import")


def fixture(w, name):
    """A copy of tests/import/NAME with its places filled in; dot.env is .env."""
    for place, _, files in os.walk(os.path.join(FIXTURES, name)):
        to = w.path("src", os.path.relpath(place, os.path.join(FIXTURES, name)))
        os.makedirs(to, exist_ok=True)
        for file in files:
            source = os.path.join(place, file)
            path = os.path.join(to, ".env" if file == "dot.env" else file)
            write_text(path, read_text(source).replace("@CHILD@", w.child_path).replace("@DIR@", w.dir))
            os.chmod(path, os.stat(source).st_mode & 0o777)
    return w.path("src")


def imported(w, path, *more, env=None):
    """The text, which `check` accepts."""
    r = w.run("import", path, *more, env=env).expect(0)
    equal(r.err, "", "stderr")
    config = write_text(w.path("imported.toml"), r.out)
    equal(w.run("check", "-q", "-c", config, env=env).expect(0).err, "", "errors")
    return r.out


def effective(w):
    """The subsystems of the text that imported() made: {name: {key: value}}."""
    j = w.run("config", "--json", "-c", w.path("imported.toml")).expect(0).json()["subsystem"]
    return {name: {key: leaf["value"] for key, leaf in s.items()} for name, s in j.items()}


def runs(w, p, name, report=None):
    """The report of the child, which is the very process that procd calls NAME."""
    p.wait_state(name, "running")
    report = read_report(w.path((report or name) + ".json"))
    return report


def refused(w, path, *more, rc=78):
    r = w.run("import", path, *more).expect(rc)
    equal(r.out, "", "stdout")
    equal(r.err.count("\n"), 1, "lines of stderr:\n" + r.err)
    return r.err


# --- supervisord ------------------------------------------------------------------------------------


def test_a_supervisord_conf_runs_the_same_programs(w):
    path = fixture(w, "supervisord")
    p = w.procd(imported(w, path))
    web = runs(w, p, "web")
    equal(web["argv"][1:], ["--report-state", w.path("web.json"), "--print", "it is 100% up"], "argv")
    equal(web["env"]["SITE"], "south", "a program's own variable wins")
    equal(web["env"]["PHRASE"], "two words", "a variable of [supervisord]")
    equal(web["env"]["LIST"], "a,b=c", "a quoted value")
    equal(web["env"]["HOME_THERE"], w.dir, "a variable of the environment")
    equal(read_link("/proc/%d/cwd" % p.pid_of("web")), path, "working directory")
    wait_until(lambda: "it is 100% up" in read_text(w.path("web.log")), "the line in the log file")
    for i in (0, 1):
        runs(w, p, "queue@%d" % i, "queue-%d" % i)
    for i in ("07", "08"):
        runs(w, p, "pair_" + i, "pair-" + i)
    equal([s["name"] for s in p.status()["subsystems"]], ["web", "queue@0", "queue@1", "pair_07", "pair_08"], "names")
    p.stop()


def test_settings_of_supervisord_become_keys(w):
    text = imported(w, os.path.join(fixture(w, "supervisord"), "supervisord.conf"))
    s = effective(w)
    for key, value in (("restart", "always"), ("restart_max_attempts", 5), ("stop_signal", "SIGINT"),
                       ("stop_timeout", 3000), ("kill_mode", "group"), ("stderr", "stdout"),
                       ("log_max_file_size", 1 << 20), ("log_max_files", 3), ("umask", "0027"),
                       ("groups", ["site"]), ("after", ["queue"])):
        equal(s["web"][key], value, key)
    queue = s["queue@0"] if "queue@0" in s else s["queue"]
    equal(queue["success_exit_codes"], [0, 3], "exit codes")
    equal(queue["kill_mode"], "process", "kill_mode without stopasgroup")
    equal(queue["restart"], "on-failure", "restart")
    equal(s["pair_07"]["stderr"], "null", "stderr_logfile = NONE")
    for what in ("stdout_events_enabled", "fancy = yes", "[eventlistener:mailer]", "[unix_http_server]", "nodaemon"):
        line = next((l for l in text.splitlines() if what in l), None)
        check(line is not None and line.startswith("# not mapped: "), "%s is told: %r" % (what, line))


def test_what_is_wrong_in_a_supervisord_conf_is_told_with_its_line(w):
    for text, line, part in (
            ("[program:a]\ncommand=x 'y\n", 2, "quote"),
            ("[program:a]\nautostart=yes\n", 1, "no command"),
            ("[program:a]\ncommand=x\nnumprocs=lots\n", 3, "numprocs"),
            ("[program:a]\ncommand=x\nnumprocs=99999999999999999999\n", 3, "numprocs"),
            ("[program:a]\ncommand=x %(nothing)s\n", 2, "nothing"),
            ("[program:a]\ncommand=date +%F\n", 2, "%%"),
            ("[program:a\ncommand=x\n", 1, "closed"),
            ("[program:a]\ncommand=x\nenvironment=A=\"1\n", 3, "quote"),
            ("[program:a]\ncommand=x\nstopsignal=LOUD\n", 3, "signal"),
            ("[program:a]\ncommand=x\nautorestart=perhaps\n", 3, "true or false"),
            ("[program:a]\ncommand=x\nstdout_logfile=/x\nstdout_logfile_maxbytes=5 potatoes\n", 4, "size"),
            ("[program:a]\n\n; x\ncommand\n", 4, "KEY = VALUE"),
            ("command=x\n[program:a]\n", 1, "before"),
            ("[program:a]\ncommand=x\0y\n", 2, "NUL"),
            ("[program:a]\ncommand=x\n# \033[31m\n", 3, "control")):
        path = write_text(w.path("s.conf"), text)
        err = refused(w, path, "--from", "supervisord")
        contains(err, "%s:%d:" % (path, line), repr(text))
        contains(err, part, repr(text))


def test_a_user_that_is_not_there_is_no_user_and_no_start(w):
    path = write_text(w.path("s.conf"), "[program:a]\ncommand=/bin/true\nuser=no-such-user\n"
                                        "[program:b]\ncommand=/bin/true\n")
    text = imported(w, path)
    contains(text, '# not mapped: user = "no-such-user"', "the comment")
    s = effective(w)
    equal(s["a"]["autostart"], False, "a is held back")
    equal(s["b"]["autostart"], True, "b is not")


def test_names_that_procd_cannot_have_are_changed_and_told(w):
    path = write_text(w.path("s.conf"), "".join(
        "[program:%s]\ncommand=/bin/true\n" % n for n in ("a b", "a/b", "a-b", "all", "ü", "x" * 100)))
    text = imported(w, path)
    equal(len(effective(w)), 6, "subsystems")
    contains(text, "# it was called a b there", "the comment")


# --- Procfile ----------------------------------------------------------------------------------------


def test_a_procfile_runs_the_same_programs(w):
    path = fixture(w, "procfile")
    p = w.procd(imported(w, path))
    web, worker, both = runs(w, p, "web"), runs(w, p, "worker"), runs(w, p, "both")
    equal(web["argv"][-1], "port 7000", "a variable in a command")
    equal(worker["argv"][-1], "a  b", "a quoted word")
    equal([r["env"]["PORT"] for r in (web, worker, both)], ["7000", "7100", "7200"], "ports")
    equal(web["env"]["SECRET"], "s e c", "a variable of .env")
    for name in ("web", "worker", "both"):
        equal(cmdline(p.pid_of(name)).split(" ")[0], w.child_path, "the pid of %s is the program's" % name)
    equal(read_link("/proc/%d/cwd" % p.pid_of("web")), path, "working directory")
    check("s e c" not in read_text(w.path("imported.toml")), "what is in .env stays there")
    p.stop()


def test_what_is_wrong_in_a_procfile_is_told_with_its_line(w):
    for text, line in (("web: x\nnonsense\n", 2), ("web:\n", 1), ("web: x\nweb: y\n", 2), ("we b: x\n", 1)):
        path = write_text(w.path("Procfile"), text)
        contains(refused(w, path), "%s:%d:" % (path, line), repr(text))
    write_text(w.path("Procfile"), "web: x\n")
    write_text(w.path(".env"), "A=1\nB='x\n")
    contains(refused(w, w.path("Procfile")), w.path(".env") + ":2", ".env")


# --- systemd -----------------------------------------------------------------------------------------


def test_systemd_units_run_the_same_programs(w):
    path = fixture(w, "systemd")
    os.symlink("worker@.service", os.path.join(path, "worker@blue.service"))
    text = imported(w, path)
    p = w.procd(text)
    web, db, blue = runs(w, p, "web"), runs(w, p, "db"), runs(w, p, "worker-blue")
    equal(web["argv"][1:], ["--report-state", w.path("web.json"), "--notify", "READY=1",
                            "--print", "slow % $HOME", "--print", "one"], "argv with variables")
    equal(web["env"]["PHRASE"], "two words", "a quoted variable")
    equal(web["env"]["UNIT"], "web.service", "a specifier")
    equal(blue["argv"][-1], "worker", "the prefix of a template")
    check(cmdline(p.pid_of("web")).startswith(w.child_path), "the pid is the program's")
    wait_until(lambda: os.path.exists(w.path("setup")) and read_text(w.path("setup")).count("\n") == 2, "both commands")
    equal(p.of("old")["state"], "stopped", "what would leave for the background")
    equal(len(p.status()["subsystems"]), 5, "subsystems")
    p.stop()


def test_settings_of_systemd_become_keys(w):
    path = fixture(w, "systemd")
    text = imported(w, path)
    s = effective(w)
    for key, value in (("ready", "notify"), ("restart", "on-failure"), ("restart_delay", 1500),
                       ("restart_max_delay", 1500), ("stop_timeout", 123000), ("stop_signal", "SIGINT"),
                       ("reload_signal", "SIGUSR1"), ("limit_nofile", "200:4096"), ("watchdog", 30000),
                       ("umask", "0027"), ("working_dir", "/"), ("description", "The site"), ("after", ["db"]), ("wants", ["db"])):
        equal(s["web"][key], value, key)
    equal(s["setup"]["type"], "oneshot", "type")
    equal(s["setup"]["before"], ["db"], "before")
    equal(s["old"]["autostart"], False, "a forking service is held back")
    equal(s["db"]["restart"], "never", "the default of Restart=")
    equal(s["worker@0" if "worker@0" in s else "worker"]["instances"], 1, "a template without instances")
    for what in ("ProtectHome=yes", "WantedBy=", "Type=forking", "network.target"):
        check(any(l.startswith("# not mapped: ") and what in l for l in text.splitlines()), what + " is told")
    one = imported(w, os.path.join(path, "worker@red.service"))
    contains(one, "worker-red.json", "an instance that is no file")
    os.rename(os.path.join(path, "db.service"), w.path("application.conf"))
    contains(imported(w, w.path("application.conf")), "[subsystem.application.conf]",
             "a unit in a file of another name")


def test_what_is_wrong_in_a_unit_is_told_with_its_line(w):
    for text, line, part in (
            ("[Service]\nExecStart=/bin/x 'y\n", 2, "quote"),
            ("[Service]\nExecStart=/bin/x \\q\n", 2, "escape"),
            ("[Service]\nExecStart=/bin/x %d\n", 2, "specifier"),
            ("[Service]\nExecStart=-\n", 2, "missing"),
            ("[Service]\nExecStart=/bin/x\nRestart=sometimes\n", 3, "restart policy"),
            ("[Service]\nExecStart=/bin/x\n\nTimeoutStopSec=soon\n", 4, "time"),
            ("[Service]\nExecStart=/bin/x\nLimitNOFILE=many\n", 3, "limit"),
            ("[Service]\nExecStart=/bin/x\nEnvironment=A\n", 3, "NAME=VALUE"),
            ("[Service\n", 1, "closed"), ("ExecStart=/bin/x\n", 1, "before"),
            ("[Service]\nnonsense\n", 2, "KEY = VALUE")):
        path = write_text(w.path("x.service"), text)
        err = refused(w, path)
        contains(err, "%s:%d:" % (path, line), repr(text))
        contains(err, part, repr(text))
    contains(refused(w, write_text(w.path("x.service"), "[Unit]\nDescription=x\n")), "no ExecStart=", "no command")


def unit(w, name, *lines):
    return write_text(w.path("units", name), "\n".join(lines) + "\n")


def test_units_as_distributions_write_them(w):
    os.makedirs(w.path("units"))
    unit(w, "store.service", "[Service]", "ExecStart=/bin/sh -c 'exec sleep $$((600 + $LATE)) %' %% 5% %e",
         "CPUQuota=50%", "TasksMax=90%", "CPUWeight=idle", "MemoryMax=1.5G", "TimeoutStopSec=0",
         "CapabilityBoundingSet=", "CapabilityBoundingSet=CAP_CHOWN CAP_KILL", "CapabilityBoundingSet=~cap_kill",
         "ProtectSystem=strict", "ReadWritePaths=-/var/lib/store", "SuccessExitStatus=3 4",
         "RestartForceExitStatus=3", "ExecStop=/bin/kill -s STOP $MAINPID", "LoadCredential=key:/etc/hosts")
    unit(w, "keys.service", "[Service]", "ExecStart=/bin/true", "ProtectSystem=full", "ReadWritePaths=/etc/keys",
         "TimeoutStopSec=infinity", "WatchdogSec=0")
    unit(w, "rules.service", "[Unit]", "After=a.target b.target", "[Service]", "Type=oneshot", "RemainAfterExit=yes",
         "ExecStart=/bin/true", "ExecStop=/bin/false")
    unit(w, "line@.service", "[Service]", "ExecStart=/bin/true %i")
    os.symlink("keep.service", w.path("units", "alias.service"))
    unit(w, "user.service", "[Unit]", "Requires=alias.service", "[Service]", "ExecStart=/bin/true")
    unit(w, "keep.service", "[Service]", "ExecStart=/bin/true", "CapabilityBoundingSet=~CAP_SYS_ADMIN")
    text = imported(w, w.path("units"))
    s = effective(w)
    equal(s["store"]["command"], ["/bin/sh", "-c", "exec sleep $((600 + $LATE)) %", "%", "5%", "%e"], "no shell of ours")
    for key, value in (("cpu_quota", "50%"), ("memory_max", 3 << 29), ("stop_timeout", 86400000),
                       ("capabilities", ["CAP_CHOWN"]), ("protect_system", "full"), ("stop_signal", "SIGTERM"),
                       ("success_exit_codes", [0, 4]), ("credentials", ["key=/etc/hosts"])):
        equal(s["store"][key], value, key)
    equal(s["keys"]["protect_system"], True, "it may write below /etc")
    equal(s["keys"]["stop_timeout"], 86400000, "no limit")
    equal(s["rules"]["stop_command"], None, "nothing to stop")
    equal(s["line"]["autostart"], False, "a template that nobody made an instance of")
    check("alias" not in s, "a link is another name")
    equal(s["user"]["depends_on"], ["keep"], "what depends on the other name")
    kept = s["keep"]["capabilities"]
    check("CAP_CHOWN" in kept and "CAP_SYS_ADMIN" not in kept, "all but one")
    told(text, "TasksMax=90%", "CPUWeight=idle", "SIGSTOP ends nothing", "ExecStop=/bin/false", "after on a.target, b.target")


def test_timers_and_sockets_become_keys_of_what_they_start(w):
    os.makedirs(w.path("units"))
    service = ("[Service]", "Type=oneshot", "ExecStart=/bin/true")
    unit(w, "night.service", *service)
    unit(w, "night.timer", "[Timer]", "OnCalendar=Mon..Fri 02:30", "RandomizedDelaySec=5min", "Persistent=true")
    unit(w, "often.service", *service)
    unit(w, "often.timer", "[Timer]", "OnBootSec=1min", "OnUnitActiveSec=15min")
    unit(w, "year.service", *service)
    unit(w, "year.timer", "[Timer]", "OnCalendar=2030-01-01")
    unit(w, "other.timer", "[Timer]", "OnCalendar=daily", "Unit=night.target")
    unit(w, "talk.service", "[Unit]", "Requires=talk.socket", "[Service]", "ExecStart=/bin/cat")
    unit(w, "talk.socket", "[Socket]", "ListenStream=%t/talk", "ListenStream=8080", "ListenDatagram=127.0.0.1:53",
         "ListenFIFO=/run/f", "SocketMode=0600")
    text = imported(w, w.path("units"))
    s = effective(w)
    equal([s["night"]["schedule"], s["night"]["random_delay"]], ["30 2 * * mon-fri", 300000], "a timer of the calendar")
    equal(s["often"]["every"], 900000, "a timer that repeats")
    equal(s["year"]["autostart"], False, "a time that cannot be said")
    equal(s["talk"]["listen"], ["talk.socket=unix:/run/talk", "talk.socket=tcp:[::]:8080",
                                "talk.socket=udp:127.0.0.1:53"], "sockets")
    equal(s["talk"]["socket_activation"], True, "nothing else starts it")
    told(text, "Persistent=true of night.timer", "OnBootSec=1min", "cron has no years", "other.timer", "ListenFIFO=",
         "SocketMode=0600")
    check("talk.socket is not among" not in text, "the socket is the service's")


def test_a_timer_and_a_socket_do_their_work(w):
    os.makedirs(w.path("units"))
    unit(w, "tick.service", "[Service]", "Type=oneshot", "ExecStart=%s --starts %s --exit 0" % (w.child_path, w.path("ticks")))
    unit(w, "tick.timer", "[Timer]", "OnUnitActiveSec=100ms")
    unit(w, "talk.service", "[Service]", "ExecStart=%s --report-state %s" % (w.child_path, w.path("talk.json")))
    unit(w, "talk.socket", "[Socket]", "ListenStream=" + w.path("s"))
    p = w.procd(imported(w, w.path("units")))
    wait_until(lambda: os.path.exists(w.path("ticks")) and read_text(w.path("ticks")).count("\n") > 2, "runs")
    equal(p.of("talk")["state"], "stopped", "nobody has connected")
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(w.path("s"))
        equal(runs(w, p, "talk")["env"]["LISTEN_FDNAMES"], "talk.socket", "its name")
    p.stop()


def test_directories_of_a_unit_are_made_for_its_user(w):
    need_root()
    name = os.path.basename(w.dir)
    os.makedirs(w.path("units"))
    unit(w, "web.service", "[Service]", "User=nobody", "RuntimeDirectory=%s/a" % name, "RuntimeDirectoryMode=0750",
         "ExecStart=/bin/sh -c 'touch $RUNTIME_DIRECTORY/it; exec sleep 600'")
    p = w.procd(imported(w, w.path("units")))
    try:
        p.wait_state("web", "running")
        wait_until(lambda: os.path.exists("/run/%s/a/it" % name), "its file")
        equal(os.stat("/run/%s/a" % name).st_mode & 0o777, 0o750, "mode")
        p.stop()
    finally:
        shutil.rmtree("/run/" + name, ignore_errors=True)


# --- runit, s6, dinit ---------------------------------------------------------------------------------


def told(text, *what):
    for part in what:
        check(any(l.startswith("# not mapped: ") and part in l for l in text.splitlines()), part + " is told")


def test_service_directories_of_runit_run_the_same_programs(w):
    path = fixture(w, "runit")
    text = imported(w, path)
    told(text, "log: procd captures", "helper")
    p = w.procd(text)
    web = runs(w, p, "web")
    equal(web["argv"][-1], "web", "it runs in its directory")
    check(cmdline(p.pid_of("web")).startswith(w.child_path), "the pid is the program's")
    equal(p.of("idle")["state"], "stopped", "one that is down")
    p.ctl("stop", "web").expect(0)
    wait_until(lambda: os.path.exists(w.path("finished")) and read_text(w.path("finished")), "finish")
    equal(read_text(w.path("finished")), "-1\n", "what finish was told: a signal ended it")
    one = imported(w, os.path.join(path, "idle"))
    check("[subsystem.idle]" in one and "[subsystem.web]" not in one, "one service directory")
    p.stop()


def test_service_directories_of_s6_run_the_same_programs(w):
    p = w.procd(imported(w, fixture(w, "s6")))
    runs(w, p, "web"), runs(w, p, "db")
    s = effective(w)
    for key, value in (("ready", "fd:7"), ("stop_timeout", 2500), ("stop_signal", "SIGINT"),
                       ("depends_on", ["db"]), ("restart", "always"), ("restart_delay", 1000)):
        equal(s["web"][key], value, key)
    write_text(w.path("src/web/notification-fd"), "seven\n")
    contains(refused(w, w.path("src")), w.path("src/web/notification-fd") + ":1", "message")
    p.stop()


def test_oneshots_of_s6_rc_become_oneshots(w):
    os.makedirs(w.path("source", "mount", "dependencies.d"))
    os.makedirs(w.path("source", "all", "contents.d"))
    for name, text in (("type", "oneshot"), ("up", "echo up"), ("down", "echo down"), ("timeout-up", "3000"),
                       ("dependencies.d/dev", "")):
        write_text(w.path("source", "mount", *name.split("/")), text + "\n")
    os.makedirs(w.path("source", "dev"))
    write_text(w.path("source", "dev", "type"), "oneshot\n")
    write_text(w.path("source", "dev", "up"), "true\n")
    text = imported(w, w.path("source"))
    s = effective(w)
    equal(s["mount"]["command"], ["execlineb", "-P", w.path("source", "mount", "up")], "its script")
    equal([s["mount"]["type"], s["mount"]["start_timeout"], s["mount"]["depends_on"]], ["oneshot", 3000, ["dev"]], "settings")
    told(text, "down", "all")


def test_services_of_dinit_run_the_same_programs(w):
    path = fixture(w, "dinit")
    text = imported(w, path)
    told(text, "pid-file", "smooth-recovery")
    p = w.procd(text)
    web, db = runs(w, p, "web"), runs(w, p, "db")
    equal(web["argv"][4::2], ["two  words", '"quoted"', w.dir], "quotes, escapes, variables")
    equal(read_link("/proc/%d/cwd" % p.pid_of("web")), "/", "working directory")
    p.wait_state("boot", "stopped", reason="exit")
    s = effective(w)
    for key, value in (("stop_timeout", 3000), ("stop_signal", "SIGINT"), ("restart_delay", 500),
                       ("depends_on", ["db"]), ("limit_nofile", "100:200"), ("log_file", w.path("web.log"))):
        equal(s["web"][key], value, key)
    equal(sorted(s["boot"]["wants"]), ["db", "web"], "waits-for and waits-for.d")
    equal(s["old"]["autostart"], False, "what would leave for the background is held back")
    for text, line in (("type = process\nnonsense\n", 2), ("type = planet\n", 1), ('type = process\ncommand = "x\n', 2),
                       ("type = process\ncommand = x\nstop-timeout = never\n", 3)):
        one = write_text(w.path("svc"), text)
        contains(refused(w, one), "%s:%d:" % (one, line), repr(text))
    p.stop()


# --- pm2, process-compose, compose -----------------------------------------------------------------------


def test_an_ecosystem_of_pm2_runs_the_same_programs(w):
    path = fixture(w, "pm2")
    text = imported(w, path)
    told(text, "env_production", "watch", "exec_mode = cluster", "deploy")
    p = w.procd(text)
    api = runs(w, p, "api-server", "api")
    equal(api["argv"][1:], ["--report-state", w.path("api.json"), "--print", "one word"], "argv")
    equal([api["env"][n] for n in ("MODE", "LEVEL", "PRICE")], ["fast", "3", "5$${x} %i"], "environment")
    p.wait_state("run@1", "running")
    wait_until(lambda: os.path.exists(w.path("starts")) and read_text(w.path("starts")).count("\n") == 2, "two instances")
    for i in (0, 1):
        check(b"NODE_APP_INSTANCE=%d" % i in environ(p.pid_of("run@%d" % i)), "the instance's number")
    s = effective(w)
    for key, value in (("stop_timeout", 2500), ("stop_signal", "SIGINT"), ("memory_soft_limit", 300 << 20),
                       ("on_memory_limit", "restart"), ("restart", "always"), ("restart_max_attempts", 4),
                       ("restart_reset_after", 10000), ("stderr", "null"), ("log_file", w.path("api.log"))):
        equal(s["api-server"][key], value, key)
    p.stop()


def test_what_is_wrong_in_an_ecosystem_is_told_with_its_line(w):
    for text, line, part in (
            ('{"apps": [\n{"name": "a"}\n]}', 2, "no script"), ('{"apps": [\n{"script": }]}', 2, ""),
            ('{"apps": [\n\n5]}', 3, "object"), ('{"apps": [{"script": "x",\n"instances": "lots"}]}', 2, "instances"),
            ('{"apps": [{"script": "x",\n"args": "\'y"}]}', 2, "args"), ("[" * 100000, 1, "nested"),
            ('{"apps": [{"script": "x\\u0001"}]}', 1, "control")):
        one = write_text(w.path("ecosystem.json"), text)
        err = refused(w, one, "--from", "pm2")
        contains(err, "%s:%d:" % (one, line), repr(text[:80]))
        contains(err, part, repr(text[:80]))
    err = refused(w, write_text(w.path("ecosystem.config.js"), "module.exports = {}\n"))
    contains(err, "JSON.stringify", "how to get JSON")


def test_a_process_compose_file_runs_the_same_programs(w):
    w.need_feature("import_yaml")
    path = fixture(w, "process-compose")
    text = imported(w, path)
    told(text, "disable_ansi_colors")
    p = w.procd(text)
    web, db = runs(w, p, "web"), runs(w, p, "db")
    for i in (0, 1):
        runs(w, p, "worker@%d" % i, "worker-%d" % i)
    equal(web["argv"][-1], "a=b", "a variable in the command")
    equal(web["env"]["WHERE"], w.dir + "/data", "a variable in a variable")
    check(cmdline(p.pid_of("web")).startswith(w.child_path), "the pid is the program's")
    wait_until(lambda: os.path.exists(w.path("setup")), "what ends first")
    s = effective(w)
    for key, value in (("restart", "on-failure"), ("restart_delay", 2000), ("restart_max_attempts", 5),
                       ("stop_signal", "SIGINT"), ("stop_timeout", 4000), ("depends_on", ["setup:succeeded"])):
        equal(s["db"][key], value, key)
    equal(s["setup"]["type"], "oneshot", "what is waited for until it ends")
    for key, value in (("health", "command:/bin/sh -c 'test -d /'"), ("health_interval", 3000), ("groups", ["front"]),
                       ("working_dir", "/"), ("description", "the site")):
        equal(s["web"][key], value, key)
    p.stop()


def test_a_compose_file_becomes_what_can_be_known_of_it(w):
    w.need_feature("import_yaml")
    text = imported(w, fixture(w, "compose"))
    told(text, "the whole of this: what it runs stands in its image", "ports", "unknown is not among")
    s = effective(w)
    app = s["app@0"] if "app@0" in s else s["app"]
    equal(app["command"], ["/usr/bin/app", "--serve", "--name", "two words", "blue", "$HOME"], "command")
    for key, value in (("restart", "on-failure"), ("restart_max_attempts", 3), ("stop_timeout", 90000),
                       ("memory_max", 512 << 20), ("depends_on", ["db:healthy"]), ("autostart", False)):
        equal(app[key], value, key)
    equal(s["db"]["health"], "command:/bin/sh -c 'test -S /run/db.sock'", "healthcheck")
    equal(sorted(n.split("@")[0] for n in s if not n.startswith("app")), ["db"], "subsystems")
    path = write_text(w.path("compose.yaml"), "services:\n  a: {command: x, scale: '${N:-2}', cpus: '$C'}\n")
    told(imported(w, path), "scale = ${N:-2} (line 2)", "cpus = $C (line 2)")
    for wrong in ("restart: on-failure:x", "restart: on-failure-7", "cpus: -1", "cpus: many", "scale: -1",
                  "healthcheck: {test: x, retries: often}"):
        contains(refused(w, write_text(path, "services:\n a:\n  command: x\n  %s\n" % wrong)), ":4:", wrong)


def test_hostile_yaml_is_refused_with_its_line(w):
    w.need_feature("import_yaml")
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        "a%d: &a%d [%s]\n" % (i, i, ", ".join(["*a%d" % (i - 1)] * 10)) for i in range(1, 12))
    for text, part in ((bomb + "services:\n  a: {command: x, y: *a11}\n", "values"),
                       ("services: &s\n  a: *s\n", "nested"), ("services:\n  a: *nobody\n", ":2:"),
                       ("services:\n  a:\n   command: 'x\n", ""), ("services: [a, b]\n", ":1:"),
                       ("services:\n  a: {command: x}\n  a: {command: y}\n", ":3:"),
                       ("services:\n  a: {command: [x, [y]]}\n", ":2:"), ("services:\n  a: 5\n", ":2:"),
                       ("services:\n  a: {command: \"x\\0y\"}\n", "control"), ("", "empty"),
                       ("services:\n" + "".join(" k%d: {}\n" % i for i in range(10001)), "of one mapping"),
                       ("[" * 5000, ""), ("services:\n  ? [a]\n  : b\n", "key")):
        path = write_text(w.path("compose.yaml"), text)
        contains(refused(w, path), part, repr(text[:60]))


def test_without_yaml_it_is_told_what_is_missing(w):
    if w.features()["import_yaml"]:
        raise Skip("this procd has it")
    contains(refused(w, write_text(w.path("compose.yaml"), "services: {}\n")), "--enable-import-yaml", "message")


# --- all formats --------------------------------------------------------------------------------------


def test_the_file_is_written_whole_or_not_at_all(w):
    path = write_text(w.path("Procfile"), "web: /bin/true\n")
    out = w.path("out.toml")
    equal(w.run("import", path, "-o", out).expect(0).out, "", "stdout")
    contains(read_text(out), "[subsystem.web]", "the file")
    equal(os.stat(out).st_mode & 0o777, 0o600, "mode")
    write_text(path, "other: /bin/true\n")
    contains(w.run("import", path, "-o", out).expect(73).err, "--force", "message")
    contains(read_text(out), "[subsystem.web]", "the old file")
    w.run("import", path, "-o", out, "--force").expect(0)
    contains(read_text(out), "[subsystem.other]", "the new file")
    write_text(path, "other: /bin/true\nbroken\n")
    w.run("import", path, "-o", out, "--force").expect(78)
    contains(read_text(out), "[subsystem.other]", "the file after a failure")
    w.run("import", path, "-o", w.path("no/such/dir.toml")).expect(78)
    write_text(path, "web: /bin/true\n")
    os.symlink("out.toml", w.path("link"))
    for more in ((), ("--force",)):
        contains(w.run("import", path, "-o", w.path("link"), *more).expect(73).err, "no regular file", "message")
    check(os.path.islink(w.path("link")), "the link is still one")
    equal(sorted(f for f in os.listdir(w.dir) if f.startswith("out")), ["out.toml"], "files")


def test_what_cannot_be_imported_is_told(w):
    contains(refused(w, w.path("nothing"), rc=66), "no such file", "a missing file")
    contains(refused(w, write_text(w.path("x.txt"), "hello\n")), "supervisord, ", "an unknown format")
    os.mkdir(w.path("empty"))
    contains(refused(w, w.path("empty")), "nothing in this directory", "an empty directory")
    contains(refused(w, w.path("x.txt"), "--from", "upstart", rc=64), "upstart", "an unknown name")
    contains(refused(w, "/dev/null"), "not an ordinary file", "a device")
    w.run("import").expect(64)
    with open(w.path("Procfile"), "wb") as f:
        f.write(b"web: " + b"x" * (100 << 20) + b"\n")
    contains(refused(w, w.path("Procfile")), "larger than", "a line of 100 MB")
    contains(w.run("import", w.path("x.txt"), "--json").expect(78).json()["error"]["message"], "x.txt", "as JSON")
