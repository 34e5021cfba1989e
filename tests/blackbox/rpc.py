"""A control connection spoken by hand: JSON-RPC 2.0, one object per line."""

import json
import socket
import time


class Connection:
    def __init__(self, path, timeout=10.0):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.buffer = b""
        self.next_id = 1
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.sock.connect(path)
                return
            except BlockingIOError:  # the listen queue is full: Python's time-out does not wait for that
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.002)
            except OSError:
                self.sock.close()
                raise

    def send(self, data):
        self.sock.sendall(data)

    def read_line(self):
        """One line without its newline; None at end of file."""
        while b"\n" not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                return None
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line

    def read(self):
        line = self.read_line()
        return None if line is None else json.loads(line.decode("utf-8"))

    def request(self, method, params=None):
        """The whole answer object. Notifications that come before it are dropped."""
        message = {"jsonrpc": "2.0", "id": self.next_id, "method": method}
        if params is not None:
            message["params"] = params
        self.next_id += 1
        self.send(json.dumps(message).encode() + b"\n")
        while True:
            answer = self.read()
            if answer is None:
                raise ConnectionError("closed before the answer")
            if answer.get("id") == message["id"]:
                return answer

    def call(self, method, params=None):
        answer = self.request(method, params)
        if "error" in answer:
            raise ValueError("%s: %s" % (method, answer["error"]))
        return answer["result"]

    def close(self):
        self.sock.close()
