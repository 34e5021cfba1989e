"""Deaths at moments of chance, in the middle of a flow.

The sweep kills procd at its system calls; this also kills it between them, and both processes at once.
What must hold afterwards is the same (flows.py). A case is moment/FLOW/WHO/MICROSECONDS/KILL, counted
from the moment at which the flow begins.
"""

import os
import random
import select
import signal
import threading

from flows import FLOWS, Scene

# A flow, and after how many milliseconds it is over for certain.
LASTS_MS = {"reload": 30, "rotate": 30, "shutdown": 25, "crash": 30, "stop": 30, "upgrade": 60,
            "upgrade-keeper": 60}
WHO = ("keeper", "supervisor", "both")


class Moment:
    """Takes the place of a tracer."""

    role, thread, what, stopper, caught, deadly = "moment", "", None, None, 0, True

    def __init__(self, who, us):
        self.who, self.us = who, us
        self.cancel, self.victims, self.waiter, self.struck = threading.Event(), [], None, False

    def launcher(self):
        return []

    def attach(self, p):
        pids = {"keeper": [p.pid], "supervisor": [p.supervisor_pid()], "both": [p.supervisor_pid(), p.pid]}
        self.victims = [os.pidfd_open(pid) for pid in pids[self.who]]
        self.waiter = threading.Thread(target=self._strike)
        self.waiter.start()

    def _strike(self):
        if self.cancel.wait(self.us / 1e6):
            return
        self.struck = True
        for victim in self.victims:
            try:
                signal.pidfd_send_signal(victim, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def detach(self, _p):
        self.cancel.set()
        if self.waiter:
            self.waiter.join()
            self.waiter = None
            for victim in self.victims:
                if self.struck:
                    select.select([victim], [], [], 10)   # it may look alive for a moment
                os.close(victim)

    def hits(self):
        return ["SIGKILL to %s after %d us" % (self.who, self.us)] if self.struck else []


def names(seed):
    chance = random.Random(seed)
    while True:
        flow = chance.choice(sorted(LASTS_MS))
        yield "moment/%s/%s/%d/KILL" % (flow, chance.choice(WHO), chance.randrange(LASTS_MS[flow] * 1000))


def case(world, flow, who, us, _kill):
    moment = Moment(who, int(us))
    scene = Scene(world, moment)
    try:
        FLOWS[flow].run(scene)
    finally:
        moment.detach(scene.p)
    return {"hits": moment.hits(), "consequences": scene.consequences}
