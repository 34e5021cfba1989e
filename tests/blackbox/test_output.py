"""Captured output: no line lost, torn or invented (interface 2, 4; faults.md S44-S49, F53-F64)."""

import json
import os
import re
import signal
import socket
import subprocess
import time

from harness import *


def log_files(path):
    """The rotated files of PATH, oldest first."""
    n = 1
    while os.path.exists("%s.%d" % (path, n)):
        n += 1
    return ["%s.%d" % (path, i) for i in range(n - 1, 0, -1)] + [path]


def numbers(data):
    return [int(line[:10]) for line in data.splitlines()]


def ended(p, name):
    return p.wait_event(lambda e: e["state"] in ("stopped", "failed"), type="state_changed", name=name, timeout=60)


def test_S44_a_hundred_thousand_lines_none_lost(w):
    path = w.path("a.log")
    p = w.procd(w.sub("a", "--line-size", 100, "--spew", 100000, "--exit", 0, log_file=path, restart="never"))
    ended(p, "a")
    wait_until(lambda: os.path.exists(path) and os.path.getsize(path) == 100000 * 101, "all bytes are in the file")
    equal(numbers(read_bytes(path)), list(range(1, 100001)), "lines")
    p.stop()


test_S44_a_hundred_thousand_lines_none_lost.deadline = 90


def test_rotation_keeps_every_line_and_splits_none(w):
    path = w.path("a.log")
    p = w.procd(w.sub("a", "--line-size", 99, "--spew", 5000, "--exit", 0, log_file=path, restart="never",
                      log_max_file_size=20000, log_max_files=40))
    ended(p, "a")
    p.stop()
    files = log_files(path)
    check(len(files) > 5, "files: %r" % files)
    got = []
    for f in files:
        data = read_bytes(f)
        check(data.endswith(b"\n") or not data, "%s ends within a line" % f)
        check(len(data) <= 20000 + 100, "%s has %d bytes" % (f, len(data)))
        got += numbers(data)
    equal(got, list(range(1, 5001)), "lines over all files")


def test_rotation_keeps_max_files(w):
    path = w.path("a.log")
    p = w.procd(w.sub("a", "--line-size", 99, "--spew", 2000, "--exit", 0, log_file=path, restart="never",
                      log_max_file_size=10000, log_max_files=3))
    ended(p, "a")
    p.stop()
    equal(sorted(n for n in os.listdir(w.dir) if n.startswith("a.log")), ["a.log", "a.log.1", "a.log.2", "a.log.3"],
          "files")
    got = [n for f in log_files(path) for n in numbers(read_bytes(f))]
    equal(got, list(range(got[0], 2001)), "the newest lines, without a hole")


def test_S45_long_lines_are_split_and_nothing_is_lost(w):
    path = w.path("a.log")
    text = b"".join(bytes([65 + i % 26]) * n + b"\n" for i, n in enumerate((0, 1, 16383, 16384, 16385, 65536, 200000)))
    with open(w.path("in"), "wb") as f:
        f.write(text + b"no newline")
    p = w.procd(w.sub("a", "--copy", w.path("in"), "--exit", 0, log_file=path, restart="never"))
    ended(p, "a")
    p.stop()
    out = read_bytes(path)
    equal(len(out.replace(b" \\\n", b"").replace(b"\n", b"")), len(text.replace(b"\n", b"")) + 10, "bytes")
    equal(out.replace(b" \\\n", b""), text + b"no newline\n", "joined again")


def test_S46_binary_bytes_are_kept(w):
    path = w.path("a.log")
    blob = b"".join(bytes([b]) * 3 for b in range(256)) + b"\xff\xfe\xed\xa0\x80\x1b[31m\r\n"
    with open(w.path("in"), "wb") as f:
        f.write(blob)
    p = w.procd(w.sub("a", "--copy", w.path("in"), "--exit", 0, log_file=path, restart="never"))
    ended(p, "a")
    equal(p.ctl("logs", "a").out_bytes, blob, "procd logs")
    p.stop()
    equal(read_bytes(path), blob, "the file")


def test_F58_a_partial_last_line_is_flushed(w):
    p = w.procd(w.sub("a", "--print", "one", "--no-newline", "half", "--die", "KILL", log_file=w.path("a.log"),
                      restart="never"))
    ended(p, "a")
    wait_until(lambda: read_text(w.path("a.log")) == "one\nhalf\n", lambda: "both lines: %r" % read_text(w.path("a.log")))
    p.stop()


def test_the_exit_event_comes_after_the_last_line(w):
    p = w.procd(w.sub("a", "--spew", 2000, "--exit", 0, log_file=w.path("a.log"), restart="never"))
    ended(p, "a")
    equal(p.ctl("logs", "-n", 1, "a").out, "0000002000\n", "the tail at the time of the event")
    p.stop()


def test_two_streams(w):
    p = w.procd(w.sub("both", "--print", "out", "--fd", 2, "--print", "err", "--fd", 1, "--print", "out2", "--exit", 0,
                      restart="never", log_file=w.path("both.log"))
                + w.sub("own", "--print", "out", "--fd", 2, "--print", "err", "--exit", 0, restart="never", stderr="log",
                        log_file=w.path("own.log")))
    ended(p, "both")
    ended(p, "own")
    p.stop()
    equal(read_text(w.path("both.log")), "out\nerr\nout2\n", "one pipe keeps the order")
    equal(sorted(read_text(w.path("own.log")).splitlines()), ["err", "out"], "two pipes")


def test_without_log_file_lines_go_to_procds_log_with_the_name(w):
    p = w.procd(w.sub("needle", "--print", "in the hay", "--exit", 0, restart="never"))
    ended(p, "needle")
    p.stop()
    lines = [line for line in read_text(p.log_path).splitlines() if "in the hay" in line]
    equal(len(lines), 1, "lines")
    contains(lines[0], "needle[", "the name")


def test_procds_log_tells_what_happens(w):
    p = w.procd(w.sub("good", "--sleep", 600) +
                w.sub("bad", "--print", "first", "--exit", 3, restart="exponential-backoff", restart_delay="10ms",
                      restart_max_attempts=1))
    p.wait_event(name="bad", gave_up=True)
    good = p.pid_of("good")
    bad = [e["pid"] for e in p.find_events(name="bad", state="failed")]
    p.kill_supervisor()
    p.ctl("stop", "good").expect(0)
    p.stop()
    text = read_text(p.log_path)
    contains(text, " info  good: started, pid %d\n" % good, "log")
    contains(text, " warn  bad: exited with code 3, pid %d; restart in 10ms\n" % bad[0], "log")
    contains(text, " error bad: exited with code 3, pid %d; giving up (restart_max_attempts = 1)\n" % bad[1], "log")
    contains(text, " warn  the supervisor is back: 1 subsystems go on, 0 are lost\n", "log")
    contains(text, " info  good: stopped\n", "log")
    for pid in bad:
        contains(text, " out   bad[%d] first\n" % pid, "log")


def test_every_line_of_a_json_log_is_json(w):
    text = '[logging]\njson = %s\nlevel = "debug"\n%s' + w.sub("a") + '[subsystem.b]\ncommand = "/nonexistent/x"\n' \
           'autostart = false\n'
    p = w.procd(text % ("true", ""))
    p.wait_state("a", "running")
    p.kill_supervisor()
    path = w.path("own.log")
    p.write(text % ("true", 'file = "%s"\n' % path))
    p.ctl("reload-config").expect(0)
    p.ctl("restart", "a").expect(0)
    p.stop()
    for line in (read_text(p.log_path) + read_text(path)).splitlines():
        check(json.loads(line)["level"], line)
    contains(read_text(p.log_path), "is not there or not executable", "the warning of the configuration")


def test_json_log_is_json(w):
    p = w.procd("[logging]\njson = true\n" + w.sub("a", "--print", "quote \" and \\ and \x07", "--fd", 2, "--print", "e",
                                                   "--exit", 0, restart="never", stderr="log"))
    pid = p.wait_state("a", "running")["pid"]
    ended(p, "a")
    p.stop()
    mine = []
    for line in read_text(p.log_path).splitlines():
        entry = json.loads(line)
        check("ts" in entry and "level" in entry and "msg" in entry, entry)
        if entry.get("subsystem") == "a" and "stream" in entry:
            mine.append(entry)
    equal(sorted((e["msg"], e["stream"], e["pid"]) for e in mine),
          [("e", "stderr", pid), ("quote \" and \\ and \x07", "stdout", pid)], "captured lines")


def test_log_format_of_a_file(w):
    """raw is the default; text and json tell when, who and, for JSON, from where."""
    p = w.procd("".join(w.sub(f, "--print", 'a "b"\x07', "--fd", 2, "--print", "e", "--exit", 0, restart="never",
                              stderr="log", log_file=w.path(f + ".log"), log_format=f) for f in ("raw", "text", "json")))
    pid = {f: ended(p, f)["pid"] for f in ("raw", "text", "json")}
    p.stop()
    equal(sorted(read_text(w.path("raw.log")).splitlines()), ['a "b"\x07', "e"], "raw")
    lines = read_text(w.path("text.log")).splitlines()
    for line, rest in zip(sorted(lines, key=lambda l: l.split()[1]), ("err   text[%d] e", 'out   text[%d] a "b"\x07')):
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z " + re.escape(rest % pid["text"]), line), line)
    equal(len(lines), 2, "text lines")
    entries = [json.loads(line) for line in read_text(w.path("json.log")).splitlines()]
    equal(sorted((e["msg"], e["stream"], e["subsystem"], e["pid"], e["level"]) for e in entries),
          [('a "b"\x07', "stdout", "json", pid["json"], "info"), ("e", "stderr", "json", pid["json"], "info")], "JSON")


def test_log_format_acts_at_a_reload_without_a_restart(w):
    path = w.path("a.log")
    fifo = w.path("say")
    os.mkfifo(fifo)
    config = 'command = ["/bin/sh", "-c", "exec 3<>%s; while read line <&3; do echo $line; done"]\n' % fifo
    p = w.procd("[subsystem.a]\nlog_file = \"%s\"\n" % path + config)
    pid = p.wait_state("a", "running")["pid"]
    write_text(fifo, "one\n")
    wait_until(lambda: read_text(path) == "one\n", "the raw line")
    p.write("[subsystem.a]\nlog_file = \"%s\"\nlog_format = \"json\"\n" % path + config)
    equal(p.rpc("config.reload")["updated"], ["a"], "changed without a restart")
    write_text(fifo, "two\n")
    wait_until(lambda: read_text(path).count("\n") == 2, "the second line")
    equal(json.loads(read_text(path).splitlines()[1])["msg"], "two", "the JSON line")
    equal(p.pid_of("a"), pid, "pid")
    p.stop()


def test_log_format_without_a_file_is_warned_of(w):
    path = w.path("d.toml")
    write_text(path, '[subsystem.a]\ncommand = "true"\nlog_format = "json"\n')
    r = w.run("check", "-c", path).expect(0)
    contains(r.err, "d.toml:3:", "the warning's place")
    contains(r.err, "log_file", "the warning")
    write_text(path, '[defaults]\nlog_format = "json"\n[subsystem.a]\ncommand = "true"\n')
    equal(w.run("check", "-c", path).expect(0).err, "", "a default that some do not need")


def limited(w, fmt="raw", **keys):
    """A log of 3,000 lines at once, of which 100 per second may pass; ended, with its procd."""
    path = w.path("a.log")
    p = w.procd(w.sub("a", "--line-size", 20, "--spew", 3000, "--sleep", 600, restart="never", log_file=path, log_format=fmt,
                      log_rate_limit="100/s", **keys))
    p.wait_state("a", "running")
    return p, path


def dropped(text):
    return sum(int(n) for n in re.findall(r"\.\.\. (\d+) lines dropped", text))


def kept(text):
    return len(re.findall(r"\d{10}", text))


def test_log_rate_limit_counts_and_says_what_it_drops(w):
    began = time.monotonic()
    p, path = limited(w)
    wait_until(lambda: os.path.exists(path) and kept(read_text(path)) + dropped(read_text(path)) == 3000,
               "every line is there or counted")
    at_most = 100 + 100 * (time.monotonic() - began)
    check(100 <= kept(read_text(path)) <= at_most, "%d lines passed, at most %d may" % (kept(read_text(path)), at_most))
    equal(p.ctl("logs", "-n", 1, "a").expect(0).out, "0000003000 xxxxxxxxx\n", "the tail has the dropped ones, too")
    p.stop()


def test_log_rate_limit_says_it_in_the_format_of_the_log(w):
    p, path = limited(w, "json")
    wait_until(lambda: os.path.exists(path) and dropped(read_text(path)) > 0, "it is said")
    notes = [e for e in map(json.loads, read_text(path).splitlines()) if "dropped" in e["msg"]]
    equal((notes[0]["level"], notes[0]["subsystem"]), ("warn", "a"), "the note")
    p.stop()


def test_log_rate_limit_without_a_file(w):
    p = w.procd(w.sub("a", "--line-size", 20, "--spew", 3000, "--sleep", 600, restart="never", log_rate_limit="100/s"))
    wait_until(lambda: dropped(read_text(p.log_path)) > 0, "it is said in procd's log")
    contains(read_text(p.log_path), " warn  a: ... ", "with the name")
    p.stop()


def test_what_the_rate_limit_dropped_is_said_after_a_death(w):
    p, path = limited(w)
    wait_until(lambda: os.path.exists(path) and kept(read_text(path)) >= 100, "the first lines")
    p.kill_supervisor()
    wait_until(lambda: kept(read_text(path)) + dropped(read_text(path)) == 3000, "every line is there or counted")
    p.stop()


def test_what_the_rate_limit_dropped_is_said_before_the_end(w):
    p, path = limited(w)
    wait_until(lambda: p.ctl("logs", "-n", 1, "a").out.startswith("0000003000"), "all is read")
    p.stop()
    equal(kept(read_text(path)) + dropped(read_text(path)), 3000, "every line is there or counted")


def test_log_rate_limit_refuses_nonsense(w):
    for bad in ("0/s", "-1/s", "10", "10/m", "ten/s", "/s", "1.5/s", "99999999999/s", "10 /s", ""):
        path = w.path("d.toml")
        write_text(path, '[subsystem.a]\ncommand = "true"\nlog_rate_limit = "%s"\n' % bad)
        contains(w.run("check", "-c", path).expect(78).err, "d.toml:3:", bad)


def test_the_last_lines_of_a_failed_child_are_in_its_event_and_in_why(w):
    own = ["--fd", 2]
    p = w.procd(w.sub("shared", "--print", "first", *own, "--print", "what broke", "--exit", 1, restart="never") +
                w.sub("apart", "--print", "quiet", *own, "--print", "what broke", "--exit", 1, restart="never", stderr="log") +
                w.sub("long", *own, "--line-size", 200, "--spew", 50, "--exit", 1, restart="never") +
                w.sub("fine", *own, "--print", "all well", "--exit", 0, restart="never") +
                w.sub("mute", "--exit", 1, restart="never") +
                '[subsystem.zero]\ncommand = ["sh", "-c", "printf \'core\\\\000broken\\\\n\' >&2; exit 1"]\nrestart = "never"\n')
    tail = {n: ended(p, n).get("stderr_tail") for n in ("shared", "apart", "long", "fine", "mute", "zero")}
    equal(tail["shared"], "first\nwhat broke\n", "stderr in stdout's pipe")
    equal(tail["apart"], "what broke\n", "stderr by itself")
    equal([line[:10] for line in tail["long"].splitlines()], ["0000000048", "0000000049", "0000000050"], "whole lines only")
    equal((tail["fine"], tail["mute"]), (None, None), "nothing to tell")
    equal(tail["zero"], "core broken\n", "it does not end at a NUL byte")
    equal(p.rpc("subsystem.why", {"names": ["apart"]})["subsystems"][0]["stderr_tail"], "what broke\n", "why")
    contains(p.ctl("why", "shared").expect(0).out, "\n    | first\n    | what broke\n", "why")
    check("stderr_tail" not in p.rpc("subsystem.why", {"names": ["mute"]})["subsystems"][0], "mute has one")
    p.stop()


def test_the_last_lines_are_of_the_last_run(w):
    counter = w.path("runs")
    p = w.procd(w.sub("a", "-c", "", restart="on-failure", restart_delay_ms=10, restart_max_attempts=1).replace(
        w.child("-c", ""), '["/bin/sh", "-c", "if test -e %s; then exit 3; fi; touch %s; echo old; exit 3"]' % (counter, counter)))
    p.wait_event(name="a", gave_up=True)
    equal([e.get("stderr_tail") for e in p.find_events(name="a", state="failed")], ["old\n", None], "of each run")
    p.stop()


def test_bytes_that_are_no_text_are_cleaned_in_the_event(w):
    p = w.procd('[subsystem.a]\ncommand = ["/bin/sh", "-c", "printf \'\\\\377\\\\033[31m\\\\001x\'; exit 1"]\nrestart = "never"\n')
    equal(ended(p, "a")["stderr_tail"], "\ufffd\x1b[31m\x01x\n", "cleaned")
    check("\x1b" not in p.ctl("why", "a").expect(0).out, "an escape sequence reaches the terminal")
    p.stop()


class LogDaemon:
    """syslogd, for who sees the file system as NAMESPACE makes it: a socket that takes datagrams."""
    NAMESPACE = ["sh", "-c", """
        set -e
        mkdir -p "$0/dev"
        mount --rbind /dev "$0/dev"
        mount -t tmpfs none /dev
        ln -s "$0/dev/"* /dev/
        ln -sfn "$0/log" /dev/log
        mount -t tmpfs none /run
        mkdir -p /run/systemd/journal
        ln -s "$0/journal" /run/systemd/journal/dev-log
        exec "$@" """]

    def __init__(self, w, name):
        self.path = w.path(name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(10 * SCALE)

    def line(self):
        """Severity and facility, identifier with pid, text."""
        text = self.socket.recv(65536).decode()
        m = re.fullmatch(r"<(\d+)>[A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d ([^: ]+): (.*)", text)
        check(m, "no line of the syslog protocol: %r" % text)
        return int(m[1]), m[2], m[3]

    def end(self):
        self.socket.close()
        os.unlink(self.path)


def in_namespace(w):
    need_root()
    return [need_program("unshare"), "-m"] + LogDaemon.NAMESPACE + [w.dir]


def test_syslog_and_journal_take_lines_with_name_pid_and_severity(w):
    space = in_namespace(w)
    syslog, journal = LogDaemon(w, "log"), LogDaemon(w, "journal")
    p = w.procd(w.sub("web", "--print", "hello", "--fd", 2, "--print", "\x1b[1mnot\x07", stdout="syslog", stderr="journal"),
                launcher=space)
    p.wait_state("web", "running")
    pid = p.pid_of("web")
    equal(syslog.line(), (30, "web[%d]" % pid, "hello"), "stdout")
    equal(journal.line(), (27, "web[%d]" % pid, "\x1b[1mnot\x07"), "stderr")
    contains(p.ctl("logs", "web").out, "hello", "the tail has it, too")
    p.stop()


def test_procds_log_goes_to_the_log_daemon(w):
    space = in_namespace(w)
    syslog = LogDaemon(w, "log")
    p = w.procd("[logging]\nfile = \"syslog\"\njson = true\n" + w.sub("a", "--print", "hello", "--exit", 0, restart="never"),
                launcher=space)
    lines = []
    while {who.split("[")[0] for _, who, _ in lines} != {"a", "procd"}:
        lines.append(syslog.line())
    equal([(n, text) for n, who, text in lines if who.startswith("a[")], [(30, "hello")], "captured")
    p.stop()


def test_a_log_daemon_that_is_away_or_restarted_loses_nothing_that_fits(w):
    space = in_namespace(w)
    p = w.procd(w.sub("web", "--print", "one", "--wait-for", w.path("go"), "--print", "two", stdout="syslog") +
                w.sub("quiet"), launcher=space)
    wait_until(lambda: any("/dev/log" in d for d in p.status().get("degraded", [])), "degraded")
    check(any("/dev/log" in d for d in p.of("web")["degraded"]), "degraded of the one that it is about")
    contains(p.ctl("why", "web").expect(0).out, "cannot write /dev/log", "why")
    equal(p.of("quiet")["degraded"], [], "degraded of another")
    syslog = LogDaemon(w, "log")
    equal(syslog.line()[2], "one", "after it came")
    wait_until(lambda: not p.status().get("degraded"), "well again")
    equal(p.of("web")["degraded"], [], "degraded")
    syslog.end()
    syslog = LogDaemon(w, "log")
    write_text(w.path("go"), "")
    equal(syslog.line()[2], "two", "after it was restarted")
    p.stop()


def test_log_file_beside_streams_that_do_not_go_there_is_told(w):
    path = write_text(w.path("d.toml"), w.sub("a", stdout="syslog", log_file=w.path("x.log")))
    contains(w.run("check", "-c", path).expect(0).err, "log_file: stays empty", "check")


def test_procds_log_to_a_file(w):
    p = w.procd('[logging]\nfile = "%s"\n' % w.path("own.log") + w.sub("a", "--print", "hello", "--exit", 0,
                                                                       restart="never"))
    ended(p, "a")
    wait_until(lambda: "hello" in read_text(w.path("own.log")), "the line")
    p.stop()


def test_logs_tail_and_follow(w):
    p = w.procd(w.sub("a", "--spew", 50, "--print", "mark", "--wait-for", w.path("go"), "--print", "after",
                      "--wait-for", w.path("never")))
    wait_until(lambda: "mark" in p.ctl("logs", "a").out, "first lines")
    equal(p.ctl("logs", "-n", 3, "a").out.split(), ["0000000049", "0000000050", "mark"], "-n 3")
    equal(len(p.ctl("logs", "a").out.split()), 51, "all")
    f = subprocess.Popen([w.procd_path, "logs", "-s", p.socket, "-f", "-n", "1", "a"], stdout=subprocess.PIPE, env=w.env())
    equal(f.stdout.readline(), b"mark\n", "the tail first")
    write_text(w.path("go"), "")
    equal(f.stdout.readline(), b"after\n", "then what comes")
    f.kill()
    f.wait()
    p.stop()


def test_logs_follow_goes_on_after_the_supervisor_was_killed(w):
    p = w.procd(w.sub("a", "--print", "one", "--wait-for", w.path("go"), "--print", "two", "--no-newline", "thr",
                      "--wait-for", w.path("on"), "--print", "ee", "--wait-for", w.path("never")))
    wait_until(lambda: "one" in p.ctl("logs", "a").out, "the first line")
    f = subprocess.Popen([w.procd_path, "logs", "-s", p.socket, "-f", "-n", "1", "a"], stdout=subprocess.PIPE, env=w.env())
    equal(f.stdout.readline(), b"one\n", "the tail first")
    p.kill_supervisor()
    write_text(w.path("go"), "")
    equal(f.stdout.readline(), b"two\n", "nothing shown twice, nothing left out")
    p.kill_supervisor()
    write_text(w.path("on"), "")
    wait_until(lambda: "three" in p.ctl("logs", "a").out, "the rest of the line")
    p.stop()
    equal(f.stdout.read(), b"three\n", "a line in two halves, then the ordered end")
    equal(f.wait(), 0, "exit code")


def test_logs_follow_of_many_goes_on_after_the_supervisor_was_killed(w):
    """Where each stream was left is more than one request has room for."""
    n = 410
    os.mkfifo(w.path("go"))  # whoever opens it waits, and takes no processor time for that
    p = w.procd("[subsystem.service]\ninstances = %d\ncommand = %s\n" % (
        n, toml(["sh", "-c", "echo one; : <%s; echo two; exec sleep 600" % w.path("go")])))
    wait_until(lambda: p.ctl("logs").out.count("| one") == n, "the first lines")
    f = subprocess.Popen([w.procd_path, "logs", "-s", p.socket, "-f"], stdout=subprocess.PIPE, env=w.env())
    lines = [f.stdout.readline() for _ in range(n)]
    p.kill_supervisor()
    with open(w.path("go"), "w"):
        lines += [f.stdout.readline() for _ in range(n)]
    p.stop()
    equal(f.stdout.read(), b"", "what else is shown")
    equal(f.wait(), 0, "exit code")
    equal(sorted(line.split()[2] for line in lines), [b"one"] * n + [b"two"] * n, "lines")
    equal(len(set(lines)), 2 * n, "different lines")


test_logs_follow_of_many_goes_on_after_the_supervisor_was_killed.deadline = 120


def test_logs_as_json_are_one_object_per_line(w):
    p = w.procd(w.sub("a", "--print", "one", "--print", "two \"q\"", "--print", "three"))
    wait_until(lambda: "three" in p.ctl("logs", "a").out, "all lines")
    equal([json.loads(line) for line in p.ctl("logs", "--json", "a").expect(0).out.splitlines()],
          [{"name": "a", "stream": "stdout", "line": line} for line in ("one", "two \"q\"", "three")], "JSON lines")


def test_logs_of_several_are_prefixed(w):
    p = w.procd(w.sub("one", "--print", "x") + w.sub("two", "--print", "y"))
    wait_until(lambda: "x" in p.ctl("logs", "one").out and "y" in p.ctl("logs", "two").out, "both lines")
    equal(sorted(p.ctl("logs", "one", "two").out.splitlines()), ["one | x", "two | y"], "lines")
    p.stop()


def test_the_last_64_kib_are_at_hand(w):
    p = w.procd(w.sub("a", "--line-size", 99, "--spew", 3000, "--exit", 0, restart="never", log_file=w.path("a.log")))
    ended(p, "a")
    got = numbers(p.ctl("logs", "a").out_bytes)
    check(len(got) >= 600, "%d lines" % len(got))
    equal(got, list(range(got[0], 3001)), "lines")
    p.stop()


def test_reopen_on_usr1_and_by_verb(w):
    path = w.path("a.log")
    p = w.procd(w.sub("a", "--spew", "0/400", log_file=path))
    wait_until(lambda: read_bytes(path), "lines")
    os.rename(path, path + ".old")
    os.kill(p.pid, signal.SIGUSR1)
    wait_until(lambda: read_bytes(path), "lines in the new file")
    os.rename(path, path + ".old2")
    p.ctl("reopen-logs").expect(0)
    wait_until(lambda: read_bytes(path), "lines in the third file")
    p.ctl("stop", "a").expect(0)
    data = read_bytes(path + ".old") + read_bytes(path + ".old2") + read_bytes(path)
    got = numbers(data)
    equal(got, list(range(1, len(got) + 1)), "lines over the three files")
    p.stop()


def test_F54_dev_full_delays_nothing_and_is_told(w):
    p = w.procd(w.sub("a", "--spew", "0/2000", log_file="/dev/full") + w.sub("b", restart="always", restart_delay_ms=10)
                + w.sub("c", "--spew", 500, "--sleep", 100000, log_file=w.path("c.log")), wait=False)
    if not wait_until(lambda: p.process.poll() is not None or p.rpc_alive(), "either way"):
        return
    if p.process.poll() == 78:
        return  # a device as a log target may be refused outright
    pid = p.wait_state("b", "running")["pid"]
    for _ in range(3):
        mark = p.mark()
        os.kill(pid, signal.SIGKILL)
        pid = p.wait_state("b", "running", after=mark, timeout=2)["pid"]
    wait_until(lambda: len(numbers(read_bytes(w.path("c.log")))) == 500, "the neighbour's log is whole")
    equal(p.of("a")["state"], "running", "state")
    wait_until(lambda: p.of("a").get("degraded") or p.status().get("degraded"), "status says degraded")
    p.stop()


def test_F55_a_missing_log_folder_harms_that_log_only(w):
    os.mkdir(w.path("logs"))
    p = w.procd(w.sub("a", "--spew", "0/200", log_file=w.path("logs/a.log")) + w.sub("b", "--print", "fine",
                                                                                    log_file=w.path("b.log")))
    wait_until(lambda: read_bytes(w.path("logs/a.log")), "lines")
    import shutil
    shutil.rmtree(w.path("logs"))
    p.ctl("reopen-logs")
    equal(p.of("a")["state"], "running", "state")
    wait_until(lambda: read_text(w.path("b.log")) == "fine\n", "the neighbour")
    os.mkdir(w.path("logs"))
    wait_until(lambda: read_bytes(w.path("logs/a.log")), "it comes back by itself", 30)
    p.stop()


def test_F60_quiet_is_quiet(w):
    if SCALE > 1:
        raise Skip("a sanitizer's own threads wake up")
    p = w.procd("".join(w.sub("s%d" % i, "--print", "x") for i in range(10)))
    for i in range(10):
        p.wait_state("s%d" % i, "running")
    pids_ = [p.pid, p.supervisor_pid()]

    def switches():
        n = 0
        for pid in pids_:
            for task in os.listdir("/proc/%d/task" % pid):
                for line in read_text("/proc/%d/task/%s/status" % (pid, task)).splitlines():
                    if line.startswith("voluntary_ctxt_switches"):
                        n += int(line.split()[1])
        return n
    # Settled when a whole window passes without a wake-up.
    state = {"at": None, "n": None}

    def settled():
        import time
        n, now = switches(), time.monotonic()
        if n != state["n"]:
            state["n"], state["at"] = n, now
        return now - state["at"] > 2.0
    wait_until(settled, lambda: "two seconds without a wake-up (%r)" % state, 20)
    p.stop()


def test_F63_nonblocking_and_reused_pipes(w):
    p = w.procd(w.sub("a", "--report-state", w.path("r"), "--nonblock", "--spew", 20000, "--exit", 1,
                      log_file=w.path("a.log"), restart="on-failure", restart_delay_ms=10, restart_max_attempts=1))
    p.wait_state("a", "failed", gave_up=True)
    check(not read_report(w.path("r"))["fds"]["1"]["nonblock"], "O_NONBLOCK of the first life came back in the second")
    wait_until(lambda: len(read_bytes(w.path("a.log"))) == 2 * 20000 * 11, "all lines of both lives")
    equal(numbers(read_bytes(w.path("a.log"))), list(range(1, 20001)) * 2, "lines")
    p.stop()


def test_F64_procds_own_stderr_may_be_full(w):
    with open("/dev/full", "w") as full:
        p = w.procd(w.sub("a", "--spew", "0/500") + w.sub("b"), wait=False, preexec=lambda: os.dup2(full.fileno(), 2))
    p.wait_up()
    p.wait_state("b", "running")
    p.ctl("restart", "b").expect(0)
    p.stop()


def test_a_slow_reader_of_stderr_delays_no_restart(w):
    r, wr = os.pipe()
    p = w.procd(w.sub("noise", "--line-size", 500, "--spew", 0) + w.sub("b", restart="always", restart_delay_ms=10),
                wait=False, preexec=lambda: os.dup2(wr, 2), pass_fds=(wr,))
    p.wait_up()
    pid = p.wait_state("b", "running")["pid"]
    for _ in range(5):
        mark = p.mark()
        os.kill(pid, signal.SIGKILL)
        pid = p.wait_state("b", "running", after=mark, timeout=3)["pid"]
    p.stop(want=None)
    os.close(r)
    os.close(wr)


def test_log_file_mode_and_place(w):
    p = w.procd(w.sub("a", "--print", "x", log_file="rel.log", ).rstrip("\n") + "\n" + w.sub("b"), cwd=w.dir)
    wait_until(lambda: read_text(w.path("rel.log")) == "x\n", "a relative path is against the start directory")
    check(os.stat(w.path("rel.log")).st_mode & 0o007 & 0o002 == 0, "world-writable")
    p.stop()
