"""Shell completion: what `procd complete` says, and what the real shells make of it."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from harness import SCALE, Failure, check, contains, equal, need_program, try_kill, write_text

SCRIPTS = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../contrib/completion"))


def words(w, word, *before, cwd=None):
    """What WORD can become behind BEFORE: (words, meanings)."""
    lines = w.run("complete", "--word", word, "--", *before, cwd=cwd).expect(0).out.splitlines()
    return [line.partition("\t")[0] for line in lines], dict(line.partition("\t")[::2] for line in lines)


def two(w):
    p = w.procd(w.sub("web", groups=["pair"], instances=2) + w.sub("db", autostart=False))
    p.wait_state("web@0", "running")
    p.wait_state("web@1", "running")
    return p


def test_the_first_word_is_a_verb_of_the_overview(w):
    shown = re.findall(r"^  ([a-z][a-z-]*) ", w.run("--help").expect(0).out, re.M)
    got, meanings = words(w, "")
    equal(got, shown, "verbs")
    equal(words(w, "sta")[0], ["status", "start"], "verbs that begin with sta")
    equal(meanings["plan"], "show what reload-config would change", "meaning")
    equal(words(w, "sta", "--json", "-c", "status")[0], ["status", "start"], "-c took the word before")


def test_every_option_of_the_help_is_offered(w):
    for verb in words(w, "")[0]:
        # what begins a line, but --set, which is only for those that take it
        shown = set(re.findall(r"^  (?:-\w, |    )(--[a-z-]+)", w.run(verb, "--help").expect(0).out, re.M))
        takes_set = verb in ("run", "check", "config", "simulate", "doctor")
        equal(set(words(w, "-", verb)[0]), shown if takes_set else shown - {"--set"}, verb + "'s options")


def test_names_groups_and_states_of_the_running_procd(w):
    p = two(w)
    got, meanings = words(w, "", "-c", p.config_path, "restart")
    equal(got, ["web", "web@0", "@pair", "web@1", "db", "all"], "names")
    equal((meanings["web@0"], meanings["db"]), ("running", "stopped"), "meanings")
    equal(words(w, "w", "-s", p.run_dir + "/control.sock", "stop", "web@1")[0], ["web", "web@0"], "what is left")
    equal(words(w, "SIGT", "-c", p.config_path, "signal", "db")[0], ["SIGTRAP", "SIGTERM", "SIGTSTP", "SIGTTIN",
                                                                      "SIGTTOU"], "signals")
    equal(words(w, "", "-c", p.config_path, "signal", "db", "HUP")[0], [], "no third argument")
    equal(words(w, "d", "-c", p.config_path, "profile", "cpu", "web")[0], ["db"], "repeated names")


def test_values_of_options(w):
    equal(words(w, "", "profile")[0], ["cpu", "heap"], "choices of an argument")
    equal(words(w, "", "graph", "--format")[0], ["dot", "mermaid", "json"], "choices of an option")
    equal(words(w, "--for=re", "wait")[0], ["--for=restarting", "--for=ready"], "a glued value")
    equal(words(w, "", "-c")[0], [":files "], "files")
    equal(words(w, "--config=", "status")[0], [":files --config="], "files behind an option")
    equal(words(w, "", "run", "--")[0], [":commands"], "commands")
    equal(words(w, "", "run", "--", "nginx")[0], [":files "], "arguments of a command")
    equal(words(w, "", "log-level")[0], ["trace", "debug", "info", "warn", "error"], "levels")


def test_keys_of_set(w):
    contains(words(w, "logging.", "--set")[0], "logging.level=", "keys of a section")
    equal(words(w, "logging.color=", "--set")[0], ["logging.color=true", "logging.color=false"], "values of a switch")
    contains(words(w, "--set=subsystem.web.restart=", "run")[0], "--set=subsystem.web.restart=always", "choices")
    equal([x for x in words(w, "", "--set")[0] if x.startswith("subsystem")], [], "keys of nobody")


def test_nothing_runs_and_nothing_is_printed(w):
    r = w.run("complete", "--word", "", "--", "-s", w.path("nobody.sock"), "restart").expect(0)
    equal(r.out, "", "names")
    equal(words(w, "x", "no-such-verb")[0], words(w, "x")[0], "unknown verb")
    equal(words(w, "--nothing=")[0], [], "unknown option")


PROMPT = "your-turn:"


# --- real shells -----------------------------------------------------------------------------------

class Typist:
    """A shell on a terminal of its own."""

    def __init__(self, w, argv, env):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(w.dir)
            os.execvpe(argv[0], argv, env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self, what, timeout=30):
        """Until WHAT, a pattern, is on the screen behind what was seen before."""
        deadline = time.monotonic() + timeout * SCALE
        while not re.search(what, self.seen):
            if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
                raise Failure("not on the screen: %s\n%r" % (what, self.seen))
            self.seen += os.read(self.fd, 65536).decode("utf-8", "replace")
        self.seen = self.seen[re.search(what, self.seen).end():]

    def becomes(self, typed, line):
        """TYPED and a tab make LINE, which is then thrown away."""
        self.type(typed + "\t")
        self.wait(re.escape(line))
        self.type("\x15\r")  # kills the line; whoever types ahead of the prompt is not understood
        self.wait(PROMPT)

    def end(self):
        try_kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def shell_env(w, p):
    os.mkdir(w.path("bin"))
    os.symlink(w.procd_path, w.path("bin/procd"))
    write_text(w.path("some-file.toml"), "")
    return w.env({"PATH": w.path("bin") + ":" + os.environ["PATH"], "TERM": "dumb", "PS1": PROMPT,
                  "PROCD_SOCKET": p.run_dir + "/control.sock", "ZDOTDIR": w.dir})


def try_completions(shell):
    shell.becomes("procd reload-c", "procd reload-config")
    shell.becomes("procd is-ready d", "procd is-ready db")
    shell.becomes("procd stop web@", "procd stop web@")
    shell.becomes("procd stop db web@1", "procd stop db web@1 ")
    shell.becomes("procd stop @p", "procd stop @pair")
    shell.becomes("procd restart --roll", "procd restart --rolling")
    shell.becomes("procd wait --for=rea", "procd wait --for=ready")
    shell.becomes("procd --set logging.lev", "procd --set logging.level=")
    shell.becomes("procd --set logging.level=er", "procd --set logging.level=error")
    shell.becomes("procd -c some", "procd -c some-file.toml")
    shell.becomes("procd --config=some", "procd --config=some-file.toml")
    shell.becomes("procd run -- mkfif", "procd run -- mkfifo")


def test_bash_completes(w):
    shell = Typist(w, [need_program("bash"), "--norc", "--noprofile", "-i"], shell_env(w, two(w)))
    try:
        shell.type("bind 'set bell-style none'; source %s/procd.bash; echo re''ady\r" % SCRIPTS)
        shell.wait("ready")
        shell.wait(PROMPT)
        try_completions(shell)
    finally:
        shell.end()


def test_zsh_completes(w):
    shell = Typist(w, [need_program("zsh"), "-f", "-i"], shell_env(w, two(w)))
    try:
        shell.type("unsetopt beep zle_bracketed_paste; bindkey -e; fpath=(%s $fpath); autoload -U compinit; "
                   "compinit -u -D; echo re''ady\r" % SCRIPTS)
        shell.wait("ready")
        shell.wait(PROMPT)
        try_completions(shell)
    finally:
        shell.end()


def test_fish_completes(w):
    fish = need_program("fish")
    env = shell_env(w, two(w))

    def offers(line):
        script = "source %s/procd.fish; complete -C '%s'" % (SCRIPTS, line)
        return w.run_program([fish, "--no-config", "-c", script], env=env).expect(0).out.splitlines()

    equal(offers("procd reload-c"), ["reload-config\tread the config again and apply the difference"], "a verb")
    equal(offers("procd is-ready web@"), ["web@0\trunning", "web@1\trunning"], "names")
    equal(offers("procd stop @p"), ["@pair\ta group"], "a group")
    check("--rolling" in "".join(offers("procd restart --roll")), "an option")
    equal(offers("procd wait --for=rea"), ["--for=ready"], "a glued value")
    equal([x.split("\t")[0] for x in offers("procd -c some")], ["some-file.toml"], "a file")
    equal([x.split("\t")[0] for x in offers("procd --config=some")], ["--config=some-file.toml"], "a glued file")
    equal([x.split("\t")[0] for x in offers("procd run -- mkfif")], ["mkfifo"], "a command")
