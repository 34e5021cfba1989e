"""Cases run each in a process of its own, in a scratch directory of its own, with a deadline."""

import json
import os
import select
import signal
import sys
import time
import traceback

import harness

DEADLINE_S = 90


def _on_deadline(_signo, _frame):
    raise TimeoutError("the case's deadline passed")


def _inside(build, function, args, keep):
    """In the case's own process: a dict with at least `failure` (None, or text)."""
    world = harness.World(build)
    answer = {"failure": None}
    try:
        answer.update(function(world, *args) or {})
        reports = world.sanitizer_reports()
        if reports:
            answer["failure"] = "sanitizer report:\n" + "\n".join(reports)
    except harness.Skip as e:
        answer["skip"] = str(e)
    except BaseException as e:  # the deadline arrives as an exception, too
        frames = traceback.extract_tb(e.__traceback__)
        where = "\n".join("  %s:%d: %s" % (os.path.basename(f.filename), f.lineno, f.line) for f in frames)
        answer["hits"] = getattr(e, "hits", [])
        answer["failure"] = "%s: %s\n%s\n%s" % (type(e).__name__, e, where, world.surroundings())
    signal.alarm(0)
    if keep and answer["failure"]:
        answer["failure"] += "\n--- kept: " + world.dir
        world.dir += ".gone"
    world.clean()
    return answer


def _spawn(build, function, args, keep):
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    os.close(reader)
    os.setsid()
    harness.become_init()
    signal.signal(signal.SIGALRM, _on_deadline)
    signal.alarm(int(DEADLINE_S * harness.SCALE))
    try:
        answer = _inside(build, function, args, keep)
    except BaseException as e:
        answer = {"failure": "harness: %r\n%s" % (e, traceback.format_exc())}
    with os.fdopen(writer, "wb") as f:
        f.write(json.dumps(answer).encode())
    os._exit(0)


def run(build, jobs, cases, done, keep=False, until=None):
    """CASES: iterable of (name, function, args); DONE(name, answer, seconds) is called for each.
    No new one begins after UNTIL (monotonic)."""
    waiting, running = iter(cases), {}
    more = True
    while more or running:
        while more and len(running) < jobs:
            case = next(waiting, None)
            more = case is not None and not (until and time.monotonic() > until)
            if more:
                pid, fd = _spawn(build, case[1], case[2], keep)
                running[fd] = [case[0], pid, b"", time.monotonic()]
        if not running:
            break
        for fd in select.select(list(running), [], [])[0]:
            name, pid, sofar, began = running[fd]
            data = os.read(fd, 65536)
            if data:
                running[fd][2] = sofar + data
                continue
            os.close(fd)
            os.waitpid(pid, 0)
            del running[fd]
            try:
                answer = json.loads(sofar)
            except ValueError:
                answer = {"failure": "the case's process died"}
            done(name, answer, time.monotonic() - began)
    sys.stdout.flush()
