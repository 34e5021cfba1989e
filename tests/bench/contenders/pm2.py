"""pm2, which is a Node program."""

import json
import os

from contenders.base import Contender


class Pm2(Contender):
    name = "pm2"
    needs = ("pm2", "node")
    note = "each client command starts Node; measured up to 100 services"
    most = 100
    stays = False
    kills = 20
    settle_s = 1.2

    def environment(self):
        return dict(super().environment(), PM2_HOME=self.path("home"))

    def prepare(self):
        os.mkdir(self.path("logs"))
        log = self.path("logs", "0") if self.options.get("log") else "/dev/null"
        apps = [{"name": "s%d" % i, "script": words[0], "args": words[1:], "interpreter": "none",
                 "autorestart": True, "max_restarts": 10**9, "min_uptime": 100, "out_file": log,
                 "error_file": "/dev/null", "exec_mode": "fork"}
                for i, words in ((i, self.service_words(i)) for i in range(self.n))]
        self.write("apps.json", json.dumps({"apps": apps}))

    def client(self, *words):
        return [self.find(self.build, "pm2")] + list(words)

    def command(self):
        return self.client("start", self.path("apps.json"))

    def ask_to_stop(self):
        self.call(self.client("kill"))

    def status_command(self, i):
        return self.client(*(["jlist"] if i is None else ["describe", "s%d" % i]))


CONTENDERS = [Pm2]
