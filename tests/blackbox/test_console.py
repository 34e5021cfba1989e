"""What a person sees: the table, the colours, and `procd top`, all in a terminal that tmux plays."""

import re
import shlex

from harness import check, contains, equal, need_program, wait_until


class Screen:
    """A terminal of COLUMNS x ROWS in which ARGV runs; what stands there is read back."""

    def __init__(self, w, columns, rows, *argv, env=None):
        self.tmux = [need_program("tmux"), "-S", w.path("tmux"), "-f", "/dev/null"]
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


# --- logs ----------------------------------------------------------------------------------------------

def test_logs_of_several_have_coloured_names_on_a_terminal(w):
    p = w.procd("".join('[subsystem.%s]\nshell = true\ncommand = "echo hello; exec sleep 600"\n' % n
                        for n in ("a", "bb")))
    s = Screen(w, 80, 24, w.procd_path, "-s", p.socket, "logs", "-f")
    s.wait("a  | hello", "bb | hello")
    check(re.search(r"\x1b\[[39]\dma *\x1b", s.colours()), "names are not coloured: %r" % s.colours())


# --- the foreground ------------------------------------------------------------------------------------

def foreground(w, extra, env=None):
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
