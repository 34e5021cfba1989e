"""procd, as it is built here."""

import json
import os
import socket

import tree
from contenders.base import Contender


class Procd(Contender):
    name = "procd"
    metrics = False

    def executable(self):
        return os.path.join(self.build, "procd")

    def top(self):
        """Everything in front of the subsystems."""
        metrics = "true" if self.metrics else "false"
        lines = ['name = "bench"', 'run_dir = "%s"' % self.path("run"), "[logging]", 'level = "error"',
                 "[monitoring]", "enable_metrics = " + metrics, "health_checks = false"]
        if self.options.get("events"):
            lines += ["[events]", 'output = "file:%s"' % self.path("events.jsonl")]
        if self.options.get("readers"):
            lines += ["[control]", 'mode = "0666"', 'read_group = "%s"' % self.options["readers"]]
        if self.options.get("log"):
            os.makedirs(self.path("logs"), exist_ok=True)
        lines += ["[defaults]", 'restart = "always"',
                  'restart_delay = "%s"' % self.options.get("restart_delay", "0s")] + self.options.get("keys", [])
        return lines

    def section(self, i, words=None):
        words = ", ".join('"%s"' % w for w in words or self.service_words(i))
        lines = ["[subsystem.s%d]" % i, "command = [%s]" % words]
        if self.options.get("log"):
            lines.append('log_file = "%s"' % self.path("logs", "s%d" % i))
        return lines

    def write_config(self, sections):
        text = "\n".join(self.top() + [line for s in sections for line in s]) + "\n"
        os.rename(self.write("new.toml", text), self.path("daemon.toml"))

    def prepare(self):
        self.sections = {i: self.section(i) for i in range(self.n)}
        self.write_config(self.sections.values())

    def reload(self, changed, added, removed):
        self.sections[changed] = self.section(changed, self.service_words(changed) + ["anew"])
        self.sections[added] = self.section(added)
        del self.sections[removed]
        self.write_config(self.sections.values())
        return self.client("reload-config")

    def command(self):
        return [self.executable(), "-c", self.path("daemon.toml")]

    def socket_path(self):
        return self.path("run", "control.sock")

    def client(self, *words):
        return [self.executable()] + list(words) + ["-s", self.socket_path()]

    def status_command(self, i):
        return self.client("status", *([] if i is None else ["s%d" % i]))

    def supervisor(self):
        """The pid of the process that is not the keeper."""
        for pid in tree.descendants(self.pid):
            if tree.read("/proc/%d/comm" % pid).strip() == "procd-super":
                return pid
        raise RuntimeError("no supervisor process: " + self.said())

    def __exit__(self, *args):
        super().__exit__(*args)
        # A keeper that was killed leaves its cgroups.
        for where, _, _ in os.walk("%s/procd-%d" % (tree.own_cgroup(), self.pid), topdown=False):
            try:
                os.rmdir(where)
            except OSError:
                pass

    def oldest_first(self):
        """The log files of its only service, in the order in which they were written: s0.9, ..., s0.1, s0."""
        def age(path):
            end = path.rpartition(".")[2]
            return int(end) if end.isdigit() else 0
        return sorted(self.log_files(), key=age, reverse=True)

    def connect(self):
        return Connection(self.socket_path())


class Connection:
    """A client of the control socket that asks again and again."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(path)
        self.rest = b""

    def line(self):
        while b"\n" not in self.rest:
            data = self.sock.recv(1 << 20)
            if not data:
                raise RuntimeError("the control socket was closed")
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line

    def call(self, method, **params):
        self.sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        return json.loads(self.line())

    def close(self):
        self.sock.close()


class ProcdMetrics(Procd):
    name = "procd+metrics"
    only_for = "C"
    metrics = True


CONTENDERS = [Procd, ProcdMetrics]
