"""What a person sees: the table, the colours, and `procd top`, all in a terminal that tmux plays."""

import os
import re
import shlex
import signal

from harness import check, contains, equal, need_program, need_root, wait_until


class Screen:
    """A terminal of COLUMNS x ROWS in which ARGV runs; what stands there is read back."""

    def __init__(self, w, columns, rows, *argv, env=None):
        w.screens = getattr(w, "screens", 0) + 1
        self.tmux = [need_program("tmux"), "-S", w.path("tmux%d" % w.screens), "-f", "/dev/null"]
        self.w = w
        extra = {"NO_COLOR": None, "TERM": "screen-256color", "LANG": "C.UTF-8"}
        extra.update(env or {})
        # -u: tmux itself believes that UTF-8 is spoken
        self.call("-u", "new-session", "-d", "-x", str(columns), "-y", str(rows),
                  "env -u TMUX %s; echo \"=== exit $? \"; stty -a | tr '\\n' ' '; exec sleep 600" %
                  " ".join(["-u %s" % k if v is None else "%s=%s" % (k, shlex.quote(v)) for k, v in extra.items()]
                           + [shlex.quote(str(a)) for a in argv]))

    def call(self, *args):
        return self.w.run_program(self.tmux + list(args)).expect(0).out

    def text(self):
        return self.call("capture-pane", "-p")

    def lines(self):
        return self.text().rstrip("\n").split("\n")

    def colours(self):
        return self.call("capture-pane", "-p", "-e")

    def keys(self, *keys):
        for key in keys:
            self.call("send-keys", *([key] if len(key) > 1 else ["-l", key]))
        return self

    def resize(self, columns, rows):
        self.call("resize-window", "-x", str(columns), "-y", str(rows))

    def wait(self, *parts, timeout=10.0):
        """Until all PARTS (texts or compiled patterns) stand on the screen; returns it."""
        seen = [""]

        def probe():
            seen[0] = self.text()
            return all(p.search(seen[0]) if hasattr(p, "search") else p in seen[0] for p in parts)
        wait_until(probe, lambda: "%r on the screen, which is:\n%s" % (parts, seen[0]), timeout)
        return seen[0]

    def wait_gone(self, part, timeout=10.0):
        wait_until(lambda: part not in self.text(), lambda: "%r leaves the screen:\n%s" % (part, self.text()), timeout)


def widest(text):
    return max(len(line) for line in text.rstrip("\n").split("\n"))


# --- status --------------------------------------------------------------------------------------------

def test_status_fits_80_columns_and_tells_what_is_wrong(w):
    w.need_feature("console")
    p = w.procd(w.sub("steady") +
                '[subsystem.broken]\ncommand = ["/nowhere/there/is/such/a/program/with/a/long/name"]\nrestart = "never"\n')
    p.wait_state("broken", "failed")
    s = Screen(w, 80, 24, w.procd_path, "-s", p.socket, "status")
    text = s.wait("=== exit 0")
    table = text[:text.index("=== exit")]
    check(re.search(r"^NAME +STATE +PID +UPTIME +RESTARTS +CPU% +RSS", table), table)
    check(re.search(r"^steady +running +%d +\d+s" % p.of("steady")["pid"], table, re.M), table)
    contains(table, "cannot execute \"/nowhere/there/is/such/a/program", "the reason")
    contains(table, "2 subsystems, 1 running, 1 failed", "the sums")
    contains(table, "\u2026\n", "the cut")
    check(widest(table) <= 80, table)
    check("\x1b[32mrunning" in s.colours(), "running is not green")


def test_status_in_a_pipe_is_whole_and_has_no_colour(w):
    name = "/nowhere/" + "x" * 150
    p = w.procd('[subsystem.broken]\ncommand = ["%s"]\nrestart = "never"\n' % name)
    p.wait_state("broken", "failed")
    out = p.ctl("status", env={"NO_COLOR": None, "TERM": "xterm"}).expect(0).out
    contains(out, name, "the table")
    check("\x1b" not in out, "colours in a pipe")
    equal(len(out.splitlines()), 2, "lines")


def test_status_respects_no_color(w):
    p = w.procd(w.sub("steady"))
    s = Screen(w, 80, 24, w.procd_path, "-s", p.socket, "status", env={"NO_COLOR": "1"})
    s.wait("=== exit 0")
    check("\x1b[32m" not in s.colours(), "colours in spite of NO_COLOR")


# --- help ----------------------------------------------------------------------------------------------

def test_help_fits_80_columns(w):
    overview = w.run("--help").expect(0).out
    verbs = re.findall(r"^  ([a-z-]+)", overview[overview.index("Verbs:"):overview.index("Common options")], re.M)
    for args in [[]] + [[v] for v in verbs]:
        for line in w.run(*args, "--help").expect(0).out.splitlines():
            check(len(line) < 80 and not line.endswith(" "), "%s: %r" % (args, line))


# --- logs ----------------------------------------------------------------------------------------------

def test_logs_of_several_have_coloured_names_on_a_terminal(w):
    w.need_feature("console")
    p = w.procd("".join('[subsystem.%s]\nshell = true\ncommand = "echo hello; exec sleep 600"\n' % n
                        for n in ("a", "bb")))
    s = Screen(w, 80, 24, w.procd_path, "-s", p.socket, "logs", "-f")
    s.wait("a  | hello", "bb | hello")
    check(re.search(r"\x1b\[[39]\dma *\x1b", s.colours()), "names are not coloured: %r" % s.colours())


# --- the foreground ------------------------------------------------------------------------------------

def foreground(w, extra, env=None):
    w.need_feature("console")
    path = w.path("fg.toml")
    with open(path, "w") as f:
        f.write('run_dir = "%s"\n%s' % (w.path("run-fg"), extra))
        f.write('[subsystem.a]\nshell = true\ncommand = "echo short; exec sleep 600"\n'
                '[subsystem.longer-name]\nshell = true\ncommand = "echo long; exec sleep 600"\n')
    s = Screen(w, 80, 24, w.procd_path, "-c", path, env=env)
    return s, s.wait("| short", "| long")


def test_foreground_lines_are_aligned_and_coloured_by_name(w):
    s, text = foreground(w, "")
    places = {line.index("|") for line in text.splitlines() if "| " in line}
    equal(len(places), 1, "columns of the bar, in\n" + text)
    check(re.search(r"a {11}\| short", text), text)
    check(re.search(r"\x1b\[[39]\dm(a|longer-name)\x1b", s.colours()), "names are not coloured")


def test_foreground_colours_can_be_turned_off(w):
    s, _ = foreground(w, "[logging]\ncolor = false\n")
    check("\x1b[" not in s.colours(), "colours in spite of logging.color")


# --- top -----------------------------------------------------------------------------------------------

HINTS = "q quit  h help"


def top(w, p, columns=80, rows=24, launcher=(), env=None):
    w.need_feature("console")
    s = Screen(w, columns, rows, *launcher, w.procd_path, "top", "-s", p.socket, env=env)
    s.wait("NAME", HINTS, re.compile(r"\d subsystem"))
    return s


def names(text):
    """The first words of the table's rows; none while a picture is half drawn."""
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if line.startswith("NAME")), len(lines))
    row = re.compile(r"\S+ +(stopped|starting|running|stopping|failed|restarting)\b")
    return [line.split()[0] for line in lines[start + 1:] if row.match(line)]


def three(w):
    return w.procd(w.sub("web") + w.sub("db") + '[subsystem.broken]\ncommand = ["/nowhere/at/all"]\nrestart = "never"\n')


def wait_restored(s, code):
    """The end with this exit code, the terminal's modes as before, and no picture left."""
    text = s.wait("=== exit %d" % code, "icanon")
    check(re.search(r"[^-]icanon", text) and re.search(r"[^-]echo\b", text), text)
    check(HINTS not in text and "RESTARTS" not in text, text)


def test_top_shows_sorts_and_filters(w):
    p = three(w)
    s = top(w, p)
    text = s.wait("3 subsystems, 2 running, 1 failed", re.compile(r"broken +failed.*cannot execute"))
    check(re.search(r"^web +running +%d +\d+s +0 " % p.of("web")["pid"], text, re.M), text)
    s.keys("N")
    wait_until(lambda: names(s.text()) == ["broken", "db", "web"], lambda: "sorted by name:\n" + s.text())
    s.keys("N")
    wait_until(lambda: names(s.text()) == ["web", "db", "broken"], lambda: "the other way round:\n" + s.text())
    s.keys("T")
    wait_until(lambda: names(s.text())[:1] == ["broken"], lambda: "the worst first:\n" + s.text())
    s.keys("/", "w", "e")
    s.wait("filter: we_")
    wait_until(lambda: names(s.text()) == ["web"], lambda: "filtered:\n" + s.text())
    s.keys("Enter").wait(re.compile(r"up \d+s: /we  3 subsystems"))
    s.keys("Escape")
    wait_until(lambda: len(names(s.text())) == 3, lambda: "all again:\n" + s.text())
    s.keys("q")
    wait_restored(s, 0)


def test_top_steers(w):
    p = three(w)
    s = top(w, p)
    s.keys("N", "j", "x").wait("stop db? (y/n)")
    s.keys("n").wait("nothing was done")
    equal(p.of("db")["state"], "running", "state of db after a no")
    s.keys("x").wait("stop db? (y/n)")
    s.keys("y").wait("stop db: done", re.compile(r"^db +stopped", re.M))
    s.keys("s").wait("start db: done", re.compile(r"^db +running", re.M))
    before = p.of("db")["pid"]
    s.keys("r").wait("restart db? (y/n)")
    s.keys("y").wait("restart db: done")
    check(p.of("db")["pid"] != before, "it is the same process")
    s.keys("k", "s").wait("start broken: ", "cannot execute")
    # those marked, in one go
    s.keys("j", "Space", "Space", "x").wait("stop the 2 marked ones? (y/n)")
    s.keys("y").wait("stop 2 subsystems: done", re.compile(r"^web +stopped", re.M), re.compile(r"^db +stopped", re.M))


def test_top_shows_output_events_and_reasons(w):
    p = w.procd('[subsystem.talker]\nshell = true\n'
                'command = "echo first; echo second >&2; read x < %s; echo third; exec sleep 600"\n' % w.path("go"))
    os.mkfifo(w.path("go"))
    p.ctl("restart", "talker").expect(0)
    s = top(w, p)
    s.keys("l").wait("output of talker", "first", "second")
    with open(w.path("go"), "w") as f:
        f.write("\n")
    s.wait("third")
    s.keys("q").wait(HINTS)
    s.keys("e").wait("events of talker", re.compile(r"\d\d:\d\d:\d\d talker running \(was starting\)"))
    p.ctl("stop", "talker").expect(0)
    s.wait("talker stopped (was stopping)")
    s.keys("q", "w").wait("why talker", "talker is stopped")
    s.keys("q", "h").wait("keys of procd top")
    s.keys("q", "q")
    s.wait("=== exit 0")


def test_top_follows_every_size_of_the_terminal(w):
    p = three(w)
    s = top(w, p)
    for columns, rows in (60, 10), (200, 50), (20, 5), (9, 2), (1, 1), (80, 24):
        s.resize(columns, rows)
        wait_until(lambda: "web"[:columns] in s.text() or rows < 3, lambda: "a row at %dx%d:\n%s" % (columns, rows, s.text()))
        check(widest(s.text()) <= columns, s.text())
    text = s.wait(HINTS, "3 subsystems", re.compile("web +running"))
    equal(len(names(text)), 3, "rows")


def test_top_shows_a_thousand(w):
    p = w.procd("".join('[subsystem.s%04d]\ncommand = ["sleep", "600"]\nautostart = false\n' % i for i in range(1000)))
    s = top(w, p)
    s.wait("1000 subsystems, 1000 stopped", "s0000")
    s.keys("End").wait("s0999")
    check("s0000" not in s.text(), "the first one is still there")
    s.keys("PageUp").wait_gone("s0999")
    s.keys("/", "7", "7", "7", "Enter").wait("s0777")
    wait_until(lambda: names(s.text()) == ["s0777"], s.text)
    s.keys("s").wait("start s0777: done", re.compile("s0777 +running"))


def test_top_outlives_the_supervisor(w):
    p = three(w)
    s = top(w, p)
    pid = p.of("web")["pid"]
    new = p.kill_supervisor()
    s.wait("the supervisor was restarted, pid %d" % new, re.compile(r"web +running +%d" % pid), "3 subsystems")
    s.keys("N", "j", "x").wait("stop db?")
    s.keys("y").wait("stop db: done")


def test_top_says_that_procd_has_ended_and_finds_the_next(w):
    p = three(w)
    s = top(w, p)
    p.stop()
    s.wait("procd has ended")
    p.start()
    s.wait("another procd has been started, pid %d" % p.pid, "3 subsystems")
    s.keys("q")
    wait_restored(s, 0)


def top_pid(w, p):
    return wait_until(lambda: next((q for q in w.marked() if b"top" in open("/proc/%d/cmdline" % q, "rb").read()
                                    .split(b"\0")[1:2]), None), "the pid of top")


def test_top_gives_the_terminal_back_when_it_is_killed(w):
    p = three(w)
    for signo, code in (signal.SIGTERM, 143), (signal.SIGINT, 0), (signal.SIGHUP, 129):
        s = top(w, p)
        os.kill(top_pid(w, p), signo)
        wait_restored(s, code)


def test_top_works_without_the_screen_library(w):
    p = three(w)
    s = top(w, p, env={"TERM": "nobody-knows-this-one"})
    s.keys("N", "Down", "x").wait("stop db? (y/n)")
    s.keys("y").wait("stop db: done", re.compile(r"^db +stopped", re.M))
    s.resize(50, 12)
    wait_until(lambda: len(names(s.text())) == 3 and widest(s.text()) <= 50, lambda: "after a resize:\n" + s.text())
    check("\x1b[32mrunning" in s.colours(), "no colours")
    s.resize(80, 24)
    s.keys("/", "z", "BSpace", "w", "Enter")
    wait_until(lambda: names(s.text()) == ["web"], lambda: "filtered:\n" + s.text())
    s.keys("q")
    wait_restored(s, 0)


def test_top_without_a_terminal_points_to_status(w):
    w.need_feature("console")
    p = three(w)
    for args in [], ["--json"]:
        r = p.ctl("top", *args).expect(64)
        contains(r.out + r.err, "procd status", "the message")
    s = Screen(w, 80, 24, w.procd_path, "top", "-s", p.socket, env={"TERM": "dumb"})
    s.wait("=== exit 64", "terminal")


def test_top_without_procd_says_so(w):
    w.need_feature("console")
    s = Screen(w, 80, 24, w.procd_path, "top", "-s", w.path("nobody.sock"))
    s.wait("=== exit 5", "cannot reach procd")


def test_top_tells_who_may_only_look(w):
    need_root()
    need_program("setpriv")
    socket = w.path("c.sock")
    p = w.procd('[control]\nmode = "0666"\nread_group = "12001"\nsocket = "%s"\n' % socket + w.sub("web"), socket=socket)
    os.chmod(w.dir, 0o755)
    s = top(w, p, launcher=["setpriv", "--reuid", "12001", "--regid", "12001", "--clear-groups"])
    s.wait(re.compile("web +running"))
    s.keys("x").wait("stop web? (y/n)")
    s.keys("y").wait("stop web: permission denied")
    equal(p.of("web")["state"], "running", "state")


def test_top_obeys_no_escape_sequences(w):
    p = w.procd(w.sub("evil", "--notify", "STATUS=\x1b]0;owned\x07\x1b[2Jbad \u6f22\u5b57", "--notify", "READY=1",
                      ready="notify"))
    p.wait_state("evil", "running")
    s = top(w, p, columns=160)
    text = s.wait("bad \u6f22\u5b57", "1 subsystem, 1 running", HINTS)
    equal(names(text), ["evil"], "rows")


def test_the_daemon_never_loads_the_screen_library(w):
    p = three(w)
    for pid in p.pid, p.supervisor_pid():
        with open("/proc/%d/maps" % pid) as f:
            check("ncurses" not in f.read(), "pid %d has the library" % pid)
