"""supervisord, in the foreground."""

import os

from contenders.base import Contender


class Supervisord(Contender):
    name = "supervisord"
    needs = ("supervisord", "supervisorctl")
    note = "its loop wakes each second; about 1 s passes until a restart"
    most = 1000
    kills = 5
    settle_s = 1.2

    def section(self, i, words=None):
        log = self.path("logs", str(i)) if self.options.get("log") else "/dev/null"
        return ("[program:s%d]\ncommand=%s\nautorestart=true\nstartsecs=0\nstartretries=1000000\n"
                "stdout_logfile=%s\nstdout_logfile_maxbytes=0\nredirect_stderr=true\n"
                % (i, " ".join(words or self.service_words(i)), log))

    def write_config(self, sections):
        top = ("[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=%s\nminfds=%d\n"
               "[unix_http_server]\nfile=%s\n[supervisorctl]\nserverurl=unix://%s\n"
               "[rpcinterface:supervisor]\n"
               "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
               % (self.path("pid"), 4 * self.n + 200, self.path("sock"), self.path("sock")))
        self.write("supervisord.conf", top + "".join(sections))

    def reload(self, changed, added, removed):
        self.sections[changed] = self.section(changed, self.service_words(changed) + ["anew"])
        self.sections[added] = self.section(added)
        del self.sections[removed]
        self.write_config(self.sections.values())
        return self.client("update")

    def prepare(self):
        os.mkdir(self.path("logs"))
        self.sections = {i: self.section(i) for i in range(self.n)}
        self.write_config(self.sections.values())

    def command(self):
        return ["supervisord", "-c", self.path("supervisord.conf")]

    def client(self, *words):
        return ["supervisorctl", "-c", self.path("supervisord.conf")] + list(words)

    def status_command(self, i):
        return self.client("status", *([] if i is None else ["s%d" % i]))


CONTENDERS = [Supervisord]
