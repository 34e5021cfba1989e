"""What runit, s6, daemontools and busybox have in common: a directory per service with a program
`run`, and a process per service that watches it."""

import os

from contenders.base import Contender


class Scan(Contender):
    most = 1000
    kills = 10
    settle_s = 1.2

    def service_dir(self, i):
        return self.path("services", "s%d" % i)

    def services_dir(self):
        return self.path("services")

    def prepare(self):
        os.makedirs(self.services_dir())
        os.mkdir(self.path("logs"))
        for i in range(self.n):
            self.add(i)

    def add(self, i, words=None):
        """A directory appears under its name once it is whole."""
        words = words or self.service_words(i)
        new = self.path("new", "s%d" % i)
        self.write(os.path.join(new, "run"), "#!/bin/sh\nexec %s\n" % " ".join(words), 0o755)
        if self.options.get("log"):
            self.write(os.path.join(new, "log", "run"), "#!/bin/sh\nexec %s\n" % " ".join(self.logger(i)), 0o755)
        os.rename(new, self.service_dir(i))

    def change(self, changed, added, removed):
        """The files of a reload; telling the supervisor is left to each."""
        self.write(os.path.join(self.service_dir(changed), "run"),
                   "#!/bin/sh\nexec %s anew\n" % " ".join(self.service_words(changed)), 0o755)
        os.rename(self.service_dir(removed), self.path("removed.%d" % removed))
        self.add(added)

    def logger(self, i):
        raise NotImplementedError
