"""How news travels: file, client, replay, two readers, a reader that sleeps (interface 3, 4; S51, F86)."""

import json
import os
import signal
import subprocess

from harness import *


def follow(w, p, *args):
    return subprocess.Popen([w.procd_path, "events", "-s", p.socket] + [str(a) for a in args],
                            stdout=subprocess.PIPE, env=w.env())


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_seq_rises_by_one_from_the_first(w):
    p = w.procd(w.sub("a", "--exit", 1, restart_delay_ms=2, restart_max_delay_ms=5, restart_max_attempts=20))
    p.wait_state("a", "failed", gave_up=True)
    p.stop()
    seqs = [e["seq"] for e in p.read_events()]
    equal(seqs, list(range(seqs[0], seqs[0] + len(seqs))), "seq")
    check(seqs[0] in (0, 1), "first seq %d" % seqs[0])


def test_events_prints_what_the_ring_holds(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    got = lines(p.ctl("events").expect(0).out)
    equal([e["seq"] for e in got], [e["seq"] for e in p.read_events()], "same as the file")
    equal(got, p.events, "same content")
    p.stop()


def test_since_last_count_poll(w):
    p = w.procd(w.sub("a"))
    e = p.wait_state("a", "running")
    last = p.read_events()[-1]["seq"]
    equal(lines(p.ctl("events", "--since", last).expect(0).out), [], "--since last")
    equal([x["seq"] for x in lines(p.ctl("events", "--since", last - 2).expect(0).out)], [last - 1, last], "--since")
    equal([x["seq"] for x in lines(p.ctl("events", "--last", 1).expect(0).out)], [last], "--last")
    equal([x["seq"] for x in lines(p.ctl("events", "--since", 0, "--count", 2).expect(0).out)],
          [x["seq"] for x in p.events[:2]], "--count")
    p.ctl("events", "--poll", "--after", last).expect(1)
    got = lines(p.ctl("events", "--poll", "--after", e["seq"] - 1).expect(0).out)
    equal([x["seq"] for x in got], [e["seq"]], "--poll")
    p.ctl("events", "--poll").expect(1)
    p.stop()


def test_count_waits(w):
    p = w.procd(w.sub("a"))
    p.wait_state("a", "running")
    f = follow(w, p, "-f", "--count", 2)
    # A round trip of another client is not enough to know that the follower is subscribed: act until it ends.
    wait_until(lambda: p.ctl("restart", "a").rc == 0 and f.poll() is not None, "the follower has its two", 20)
    got = lines(f.stdout.read().decode())
    equal(len(got), 2, "events")
    equal(f.returncode, 0, "exit code")
    p.stop()


def test_two_followers_see_the_same(w):
    p = w.procd(w.sub("a", "--exit", 1, restart_delay_ms=2, restart_max_delay_ms=3, restart_max_attempts=300,
                      autostart=False))
    since = p.read_events()[-1]["seq"] if p.read_events() else 0
    a, b = follow(w, p, "-f", "--since", since), follow(w, p, "-f", "--since", since)
    p.ctl("start", "a", "--no-wait").expect(0)
    last = p.wait_state("a", "failed", gave_up=True, timeout=30)["seq"]

    def read_to_last(f):
        got = []
        for line in f.stdout:
            got.append(json.loads(line))
            if got[-1].get("seq") == last:
                break
        f.kill()
        f.wait()
        return got
    got_a, got_b = read_to_last(a), read_to_last(b)
    equal([e["seq"] for e in got_a], list(range(since + 1, last + 1)), "first follower")
    equal(got_a, got_b, "both")
    p.stop()


def test_S51_a_stopped_follower_gets_a_gap_and_slows_nobody(w):
    p = w.procd(w.sub("a", "--exit", 1, restart_delay_ms=1, restart_max_delay_ms=1, restart_max_attempts=1500,
                      autostart=False) +
                '[events]\nhistory = 64\nqueue = 64\noutput = "file:%s"\n' % w.path("events.jsonl"))
    f = follow(w, p, "-f", "--since", 0)
    first = f.stdout.readline()
    check(first, "no first event")
    os.kill(f.pid, signal.SIGSTOP)
    p.ctl("start", "a", "--no-wait").expect(0)
    last = p.wait_state("a", "failed", gave_up=True, timeout=60)["seq"]
    os.kill(f.pid, signal.SIGCONT)
    seen, lost = json.loads(first)["seq"], 0
    for line in f.stdout:
        e = json.loads(line)
        if e["type"] == "gap":
            check("seq" not in e and e["lost"] > 0, e)
            lost += e["lost"]
            seen += e["lost"]
            continue
        equal(e["seq"], seen + 1, "no hole without a gap record")
        seen = e["seq"]
        if seen >= last:
            break
    f.kill()
    f.wait()
    check(lost > 0, "no gap was needed: the test lost its point")
    p.stop()


test_S51_a_stopped_follower_gets_a_gap_and_slows_nobody.deadline = 120


def test_the_mutex_channel_means_the_same(w):
    p = w.procd("[performance]\nlock_free = false\n" + w.sub("a", "--exit", 1, restart_delay_ms=2,
                                                             restart_max_attempts=50, restart_max_delay_ms=2))
    p.wait_state("a", "failed", gave_up=True)
    got = lines(p.ctl("events").expect(0).out)
    equal(got, p.read_events(), "events")
    seqs = [e["seq"] for e in got]
    equal(seqs, list(range(seqs[0], seqs[0] + len(seqs))), "seq")
    p.stop()


def test_output_to_stdout_and_fd(w):
    out = open(w.path("stdout"), "wb")
    p = w.procd(w.sub("a") + '[events]\noutput = "stdout"\n', stdout=out)
    wait_until(lambda: '"running"' in read_text(w.path("stdout")), "events on stdout")
    p.stop()
    for line in read_text(w.path("stdout")).splitlines():
        json.loads(line)
    r, wr = os.pipe()
    q = w.procd(w.sub("a") + '[events]\noutput = "fd:%d"\n' % wr, label="q", pass_fds=(wr,))
    os.close(wr)
    with os.fdopen(r) as f:
        e = json.loads(f.readline())
        check("seq" in e, e)
        while e.get("state") != "running":
            e = json.loads(f.readline())
        q.stop()
        rest = [json.loads(line) for line in f]
    equal([x["state"] for x in rest if x["type"] == "state_changed"], ["stopping", "stopped"], "the last states")


def test_events_off(w):
    p = w.procd(w.sub("a") + "[events]\nenabled = false\n")
    wait_until(lambda: p.of("a")["state"] == "running", "it runs")
    p.ctl("stop", "a").expect(0)
    p.stop()


def test_ready_changed_goes_with_running(w):
    p = w.procd(w.sub("a"))
    p.wait_event(type="ready_changed", name="a", ready=True)
    p.ctl("stop", "a").expect(0)
    p.wait_event(type="ready_changed", name="a", ready=False)
    p.stop()


def test_shutdown_is_told(w):
    p = w.procd(w.sub("a") + w.sub("b"))
    p.wait_state("a", "running")
    p.wait_state("b", "running")
    f = follow(w, p, "-f", "--since", 0)
    first = f.stdout.readline()    # it is connected
    p.stop()
    got = lines((first + f.stdout.read()).decode())
    f.wait()
    kinds = [e["type"] for e in got]
    check("shutdown_started" in kinds, kinds)
    progress = [e for e in p.read_events() if e["type"] == "shutdown_progress"]
    check(progress, "no progress")
    for e in progress:
        check({"phase", "stopped", "total", "remaining"} <= set(e), e)


def test_a_follower_that_came_during_the_shutdown_ends_well(w):
    p = w.procd("[shutdown]\ntimeout = 30\n" + w.sub("a", "--ignore-term") + w.sub("b", "--ignore-term"))
    p.wait_state("b", "running")
    wait_ignores(p.pid_of("a"), "SIGTERM")
    wait_ignores(p.pid_of("b"), "SIGTERM")
    p.ctl("shutdown", "--no-wait").expect(0)
    since = p.wait_event(type="shutdown_started")["seq"]
    f = follow(w, p, "-f", "--since", since)
    check(f.stdout.readline(), "no event")
    os.kill(p.pid, signal.SIGQUIT)
    equal(p.wait_end(), 3, "exit code of procd")
    f.stdout.read()
    equal(f.wait(), 0, "exit code")


def test_odd_text_stays_valid_json(w):
    with open(w.path("daemon.toml"), "wb") as f:
        f.write(('run_dir = "%s"\n[events]\noutput = "file:%s"\n[subsystem.a]\ncommand = ["/nope/\\u0001\\"\\\\/\\u00e9"]\n'
                 'restart = "never"\n' % (w.path("run"), w.path("events.jsonl"))).encode())
    p = w.procd(None)
    e = p.wait_state("a", "failed")
    contains(e["error"]["message"], "\u00e9", "message")
    p.stop()
