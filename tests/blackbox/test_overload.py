"""Ten times the crash loops that the benchmark's work G has: procd goes on answering, takes orders, and ends
within its deadlines (interface 2: shutdown)."""

from harness import *

LOOPERS = 2000 if SCALE == 1 else 200     # under a sanitizer a start costs several times as much
SHUTDOWN_S = 15     # kill_timeout, by its default: when all that is left is killed
QUESTIONS = 20
ENOUGH = 200        # restarts until it is a storm
PATIENCE = 30


def test_crash_loops_without_delay_leave_control_and_shutdown_alone(w):
    need_files = LOOPERS * 2 + 200
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < need_files:
        raise Skip("needs a hard limit of %d open files" % need_files)
    loops = "".join('[subsystem.s%d]\ncommand = "/bin/false"\n' % i for i in range(LOOPERS))
    p = w.procd('[logging]\nlevel = "error"\n[events]\noutput = "none"\n'
                '[defaults]\nrestart = "always"\nrestart_delay = 0\n' + loops +
                '[subsystem.calm]\ncommand = "sleep 1000"\n')
    c = p.connect(PATIENCE)

    def restarts():
        return sum(s["restart_count"] for s in c.call("status.get")["subsystems"])

    wait_until(lambda: restarts() > ENOUGH, "they go round", 4 * PATIENCE)
    # Each question is asked while they do; each order goes through the main thread.
    for i in range(QUESTIONS):
        equal(c.call("status.get", {"names": ["calm"]})["subsystems"][0]["state"], "running", "answer %d" % i)
        c.call("subsystem.reset", {"names": ["calm"]})
    before = restarts()
    wait_until(lambda: restarts() > before, "they go round meanwhile", PATIENCE)
    c.close()
    p.stop(timeout=SHUTDOWN_S + 5)


test_crash_loops_without_delay_leave_control_and_shutdown_alone.deadline = 240
