"""What the works have in common.

Some works look at the same life of a contender: it is started with N services, is looked at while
they are quiet, and is ended. These define part_started, part_quiet or part_end, and the runner
makes one life for all of them. The others define measure() and start what they need.
"""


class Work:
    letter = ""
    title = ""
    figures = {}            # name: (what it is, unit); in the order of the table
    more_is_better = ()     # of the figures
    with_p99 = ()           # figures whose 99th percentile is told, too
    chart = None            # the figure that is drawn
    timeout_s = 100         # for one contender, one size and one round
    once = False            # one round is enough
    notes = ()              # about how it is measured

    def sizes(self, wanted):
        """Of the sizes in WANTED (numbers of services), those it measures."""
        return wanted

    def takes(self, contender, size, quick):
        """Whether CONTENDER (a class) is measured at SIZE."""
        return size <= contender.most and (not contender.only_for or self.letter in contender.only_for)

    def shares_life(self):
        return type(self).measure is Work.measure

    # put takes name= and size= as well, for works that measure more than the contender.
    # c: a contender that was started; put(figure, value or values)
    def part_started(self, c, put, began_ns, last_ns):
        pass

    def part_quiet(self, c, put, quick):
        pass

    def part_end(self, c, put):
        """Returns whether it has ended C."""
        return False

    def measure(self, contender, build, size, put, quick):
        raise NotImplementedError

    def goals(self, results):
        return []

    def remarks(self, results):
        """Sentences below the table."""
        return []
