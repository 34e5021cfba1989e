"""The manual says everything: each verb, option, key, event, probe and example (issue 7)."""

import os
import re
import shutil
import subprocess

from harness import *

ROOT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../..")


def page(name):
    return read_text(os.path.join(ROOT, "man", name))


def verbs(w):
    help_text = w.run("--help").expect(0).out
    return re.findall(r"^  ([a-z][a-z-]+)", help_text.split("Verbs:\n")[1].split("\nCommon options")[0], re.M)


def own_options(w, verb):
    text = w.run(verb, "--help").expect(0).out
    if "\nOptions:\n" not in text:
        return []
    return re.findall(r"^ {2,6}(?:-\w, )?--([a-z-]+)", text.split("\nOptions:\n")[1].split("\nCommon options")[0], re.M)


def test_every_verb_is_described_and_has_an_example(w):
    text = page("procd.8")
    described = text.split(".Sh VERBS")[1].split(".Sh TOP")[0]
    examples = text.split(".Sh EXAMPLES")[1]
    items = "\n".join(re.findall(r"^\.It .*(?:\n\.(?:Cm|Op|Oo) ?.*)*", described, re.M))
    for verb in verbs(w):
        check(re.search(r"Cm (?:[a-z-]+ \| )*%s\b|\| %s\b" % (verb, verb), items), verb + " is not described")
        check(re.search(r"(?:^|\$ |\| |&& |if )procd %s\b" % verb, examples, re.M), verb + " has no example")


def test_every_option_is_described(w):
    text = page("procd.8")
    for verb in verbs(w):
        for option in own_options(w, verb):
            short = {"follow": "f", "lines": "n", "output": "o"}.get(option)
            check(re.search(r"Fl -%s\b" % option, text) or (short and re.search(r"Fl %s\b" % short, text)),
                  "%s --%s is not described" % (verb, option))
    for option in ("config", "socket", "quiet"):
        contains(text, "Fl " + {"config": "c", "socket": "s", "quiet": "q"}[option], option)
    for option in ("name", "set", "json", "timeout", "no-wait", "help"):
        contains(text, "Fl -" + option, option)


def test_help_fits_a_terminal_and_keeps_its_paragraphs(w):
    for verb in verbs(w):
        for line in w.run(verb, "--help").expect(0).out.splitlines():
            check(len(line) < 80, "%s: %r" % (verb, line))
    contains(w.run("profile", "--help").out, "\n\nheap NAME: ", "a paragraph of its own")


def test_pages_fit_80_columns_and_keep_their_titles(w):
    if shutil.which("man") is None or shutil.which("groff") is None:
        raise Skip("no man, or no groff")
    for name in ("procd.8", "daemon.toml.5.in", "procd-events.7", "procd-probes.7"):
        r = subprocess.run(["man", "-P", "cat", "-l", os.path.join(ROOT, "man", name)], stdin=subprocess.DEVNULL,
                           env={"PATH": os.environ["PATH"], "MANWIDTH": "80", "LC_ALL": "C.UTF-8"},
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
        equal((r.returncode, r.stderr), (0, ""), name)
        lines = r.stdout.splitlines()
        equal([line for line in lines if len(line) > 80], [], "lines of " + name)
        for title in re.findall(r"^\.S[hs] (.*)", page(name), re.M):
            title = re.sub(r"\\&|\"", "", title)
            check(title in map(str.strip, lines), "%s: no title %r" % (name, title))


def test_every_key_of_the_table_is_described(w):
    tables = w.run("mdoc-keys").expect(0).out
    contains(page("daemon.toml.5.in"), "\n@KEYS@\n", "the tables' place")
    sample = w.run("sample").expect(0).out
    for key in re.findall(r"^#([A-Za-z_0-9]+) = ", sample, re.M):
        check(re.search(r"\b%s\b" % key, tables), key + " is not described")


def test_the_status_record_and_every_method_are_described(w):
    text = page("procd.8")
    record = text.split(".Sh STATUS RECORD")[1].split(".Sh CONTROL SOCKET")[0]
    methods = text.split(".Sh CONTROL SOCKET")[1].split(".Sh HEARTBEAT")[0]
    p = w.procd(w.sub("a"))
    status = p.ctl("status", "--json").expect(0).json()
    for member in list(status) + list(status["subsystems"][0]):
        check(re.search(r"\b%s\b" % member, record), member + " is not described")
    p.stop()
    for method in re.findall(r"\.method = \"([a-z._]+)\"", read_text(os.path.join(ROOT, "src/control/verb.c"))):
        room, name = method.split(".")
        check(re.search(r"%s\.(?:[a-z_]+ , )*%s\b" % (room, name), methods), method + " is not described")


def test_every_event_is_described(w):
    source = read_text(os.path.join(ROOT, "src/event/event.c"))
    kinds = re.findall(r"\[EVENT_[A-Z_]+\] = \"([a-z_]+)\"", source)
    reasons = re.findall(r"\[REASON_[A-Z_]+\] = \"([a-z_]+)\"", source)
    check(len(kinds) > 10, "the table was found")
    text = page("procd-events.7")
    for word in kinds + reasons + ["gap"]:
        check(re.search(r"\b%s\b" % word, text), word + " is not described")


def test_every_probe_is_described(w):
    text = page("procd-probes.7")
    for kind in ("exec", "notify", "fd:", "tcp:", "unix:", "http://", "command:", "log:"):
        contains(text, kind, "kinds")
    for key in ("start_timeout", "min_uptime", "watchdog", "health_interval", "health_timeout", "health_retries",
                "health_start_period", "on_unhealthy"):
        contains(text, key, "keys")


def test_every_example_is_named_and_the_excerpts_are_valid(w):
    text = page("daemon.toml.5.in").split(".Sh EXAMPLES")[1]
    for name in os.listdir(os.path.join(ROOT, "etc/examples")):
        if name.endswith(".toml"):
            contains(text, "(%s)" % name, "examples")
    for section in text.split(".Ss ")[1:]:
        excerpt = section.split("offset indent\n")[1].split(".Ed")[0]
        excerpt += "".join('[subsystem.%s]\ncommand = ["true"]\n' % n for n in ("database", "complain")
                           if '"%s"' % n in excerpt and "[subsystem.%s]" % n not in excerpt)
        r = w.run("check", "-c", write_text(w.path("c.toml"), excerpt))
        check(r.rc == 0 or "built without" in r.err, "%s\n%s" % (excerpt, r))


def test_the_README_s_configuration_is_valid_and_comes_up(w):
    text = read_text(os.path.join(ROOT, "README")).split("Save this as daemon.toml:\n\n")[1].split("\nThen:")[0]
    path = write_text(w.path("c.toml"), re.sub(r"^    ", "", text, flags=re.M))
    r = w.run("check", "-c", path)
    if "built without" in r.err:
        raise Skip(r.err)
    equal((r.expect(0).out, r.err), ("ok\n", ""), "check")
    w.run("simulate", "-c", path, "--scenario", "crash database").expect(0)
