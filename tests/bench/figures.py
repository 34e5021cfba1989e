"""What was measured, and what was to be reached.

A figure is a list of samples under (work, size, contender, name). The goals of a work are asked for
when all rounds are over; each compares figures of this one run.
"""

import math
import statistics


def median(samples):
    return statistics.median(samples) if samples else None


def p99(samples):
    return sorted(samples)[min(len(samples) - 1, math.ceil(len(samples) * 0.99) - 1)] if samples else None


MIDDLE = median


class Goal:
    """TEXT: value <= limit (or >=); a value of None was not measured in this run."""

    def __init__(self, text, value, limit, unit="", at_least=False):
        self.text, self.value, self.limit, self.unit, self.at_least = text, value, limit, unit, at_least

    @property
    def reached(self):
        if self.value is None or self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def as_json(self):
        return {"goal": self.text, "value": self.value, "limit": self.limit, "unit": self.unit,
                "at_least": self.at_least, "reached": self.reached}


class Results:
    def __init__(self):
        self.samples = {}   # (work, size): {contender: {figure: [value]}}
        self.failures = []  # (work, size, contender, text)

    def put(self, work, size, contender, figure, values):
        values = values if isinstance(values, list) else [values]
        of = self.samples.setdefault((work, size), {}).setdefault(contender, {})
        of.setdefault(figure, []).extend(values)

    def fail(self, work, size, contender, text):
        self.failures.append((work, size, contender, text))

    def of(self, work, size, contender, figure):
        return self.samples.get((work, size), {}).get(contender, {}).get(figure, [])

    def median(self, work, size, contender, figure):
        return median(self.of(work, size, contender, figure))

    def p99(self, work, size, contender, figure):
        return p99(self.of(work, size, contender, figure))

    def floor(self, work, size, figure, how=MIDDLE, best=min):
        """That of the better floor."""
        found = [how(self.of(work, size, c, figure)) for c in ("floor", "floor-any")
                 if self.of(work, size, c, figure)]
        return best(found) if found else None

    def sizes(self, work):
        return sorted(size for w, size in self.samples if w == work)

    def ratio(self, work, size, figure, contender="procd", how=MIDDLE, best=min):
        mine, floor = how(self.of(work, size, contender, figure)), self.floor(work, size, figure, how, best)
        return mine / floor if mine is not None and floor else None
