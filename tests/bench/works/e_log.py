"""E: what one child writes, into a file: lines of 100 bytes, many per write and one per write; and
whether 100 of them get their share, and whether every line arrives."""

import os
import re
import signal
import statistics
import time

import tree
from figures import Goal
from works.base import Work

MIB = 1 << 20
LINE = 100
BLOCK = 64 * 1024
CHATTY, CHAT_S = 100, 3
LINES = 200000      # of the integrity check: 20 MB, rotated at 1 MiB


class Log(Work):
    letter = "E"
    title = "capture output into a file"
    figures = {"block": ("64 KiB writes", "MB/s"), "block_cpu": ("CPU", "s/GiB"),
               "line": ("one line per write", "MB/s"), "line_cpu": ("CPU", "s/GiB"),
               "text": ("64 KiB writes, with times", "MB/s"), "text_cpu": ("CPU", "s/GiB"),
               "uneven": ("100 chatty: share off the median, at most", "%"), "lost": ("lines lost", "")}
    more_is_better = ("block", "line", "text")
    chart = "line"
    timeout_s = 120
    notes = ("CPU is the supervisor's and its loggers', not the writer's. Lost: over a rotation at each MiB, a restart "
             "in the middle, and a stop right after the last line.",)

    def sizes(self, wanted):
        return [1]

    def takes(self, contender, size, quick):
        return super().takes(contender, size, quick) and contender.name != "floor-any"

    def measure(self, contender, build, size, put, quick):
        own = contender.name == "procd" or contender.is_floor
        mib = (32 if own else 16) if quick else (256 if own else 64)
        self.flow(contender, build, mib, BLOCK, "block", put)
        self.flow(contender, build, mib // 2, LINE, "line", put)
        if contender.name == "procd":
            self.flow(contender, build, mib, BLOCK, "text", put, keys=['log_format = "text"'])
            self.fairness(contender, build, put)
            put("lost", self.lost(contender, build))

    @staticmethod
    def flow(contender, build, mib, block, figure, put, keys=()):
        total = mib * MIB // LINE * LINE
        options = {"log": True, "keys": ['log_max_file_size = "20G"'] + list(keys)}
        with contender(build, 1, ["write", str(total), str(block)], options) as c:
            c.start()
            c.board.wait(lambda: c.logged() >= total, "all of the output", c.patience_s)
            ended = time.monotonic_ns()
            own = sum(tree.cpu_s(pid) for pid in c.own_pids())
            put(figure, total / 1e6 / ((ended - c.board.service(0).started_ns) / 1e9))
            put(figure + "_cpu", own * 1024 * MIB / total)

    @staticmethod
    def fairness(contender, build, put):
        options = {"log": True, "keys": ['log_max_file_size = "1M"', "log_max_files = 1"]}
        with contender(build, CHATTY, ["chat", str(BLOCK)], options) as c:
            c.start()
            c.wait_started()
            time.sleep(0.5)
            before = [s.bytes for s in c.board.services()]
            time.sleep(CHAT_S)
            each = [s.bytes - b for s, b in zip(c.board.services(), before)]
            middle = statistics.median(each)
            put("uneven", max(abs(n - middle) for n in each) * 100 / middle)

    @staticmethod
    def lost(contender, build):
        """Lines that should be in the files and are not. The first instance is ended in the middle:
        what it wrote must be there without a hole, and all of what the second wrote."""
        options = {"log": True, "keys": ['log_max_file_size = "1M"', "log_max_files = 1000"]}
        with contender(build, 1, ["write", str(LINES * LINE), str(LINE)], options) as c:
            c.start()
            first = c.wait_started() and c.board.service(0)
            c.board.wait(lambda: c.board.service(0).bytes > LINES * LINE // 3, "a third of the output", c.patience_s)
            written = c.board.service(0).bytes // LINE
            os.kill(first.pid, signal.SIGKILL)
            again = c.board.wait_restart(0, first, c.patience_s)
            c.board.wait(lambda: c.board.service(0).done_ns > again.started_ns, "the rest", c.patience_s)
            c.ask_to_stop()
            if not tree.wait_all_gone(c.patience_s):
                raise TimeoutError("processes were left")
            data = b"".join(open(p, "rb").read() for p in c.oldest_first())
        numbers = [int(n) for n in re.findall(rb"^(\d{12})x", data, re.M)]
        second = len(numbers) - 1 - numbers[::-1].index(0)
        lost = max(0, written - second) + abs(LINES - (len(numbers) - second))
        return lost + sum(n != i for i, n in enumerate(numbers[:second])) \
            + sum(n != i for i, n in enumerate(numbers[second:]))

    def goals(self, r):
        if not r.sizes("E"):
            return []
        block, block_cpu, line, line_cpu = (r.ratio("E", 1, figure, best=max if figure in self.more_is_better else min)
                                            for figure in ("block", "block_cpu", "line", "line_cpu"))
        plain, text = r.median("E", 1, "procd", "block_cpu"), r.median("E", 1, "procd", "text_cpu")
        return [Goal("E: 64 KiB writes, MB/s, x floor", block, 0.9, "x", at_least=True),
                Goal("E: 64 KiB writes, CPU, x floor", block_cpu, 1.2, "x"),
                Goal("E: a line per write, MB/s, x floor", line, 1.1, "x", at_least=True),
                Goal("E: a line per write, CPU, x floor", line_cpu, 0.3, "x"),
                Goal("E: CPU with times, x without", text / plain if text and plain else None, 2, "x"),
                Goal("E: lines lost", r.median("E", 1, "procd", "lost"), 0),
                Goal("E: 100 chatty children, share off the median", r.median("E", 1, "procd", "uneven"), 20, "%")]


WORK = Log()
