#!/usr/bin/env python3
"""A stand-in for your own program, so that the examples beside this file run as they are.

    app.py database    answers on 127.0.0.1:$DB_PORT
    app.py migrate     asks the database, says what it does, ends; fails when $MIGRATE_FAILS is set
    app.py web         HTTP on 127.0.0.1:$PORT, or on the socket that procd hands over (`listen`):
                       / tells the pid, /health is 200 until somebody asks for /break
    app.py worker      says something about twice a second

Python 3 and nothing else. SIGTERM ends each of them in order.
"""
import http.server
import os
import signal
import socket
import socketserver
import sys
import threading


def say(*words):
    print(*words, flush=True)  # a pipe is no terminal: without flush lines come late


def tell_ready():
    """What sd_notify(3) does: one datagram to the socket that `ready = "notify"` sets up."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b"READY=1", "\0" + path[1:] if path[0] == "@" else path)


def serve(server):
    """Until SIGTERM; what was accepted by then is still answered."""
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    tell_ready()
    server.serve_forever(0.1)
    server.server_close()
    say("bye")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
    healthy = True


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        code, text = 200, "hello from %d\n" % os.getpid()
        if self.path == "/break":
            self.server.healthy, text = False, "broken from now on\n"
        elif self.path == "/health" and not self.server.healthy:
            code, text = 503, "broken\n"
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, form, *values):
        say(form % values)


def web():
    if os.environ.get("LISTEN_FDS"):
        server = Server(None, Web, bind_and_activate=False)
        server.socket.close()
        server.socket = socket.socket(fileno=3)  # the first socket of `listen` is descriptor 3
        server.socket.setblocking(False)         # during an overlap two of us accept
    else:
        server = Server(("127.0.0.1", int(os.environ["PORT"])), Web)
    say("listening on", server.socket.getsockname())
    serve(server)


class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        for _ in self.rfile:
            self.wfile.write(b"ok\n")


def database():
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    socketserver.ThreadingTCPServer.daemon_threads = True
    serve(socketserver.ThreadingTCPServer(("127.0.0.1", int(os.environ["DB_PORT"])), Answer))


def migrate():
    say("migrating")
    with socket.create_connection(("127.0.0.1", int(os.environ["DB_PORT"]))) as s:
        s.sendall(b"alter table\n")
        say("database says", s.recv(100).decode().strip())
    if os.environ.get("MIGRATE_FAILS"):
        sys.exit("migration failed")


def worker():
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    n = 0
    say("worker", os.environ.get("QUEUE", "jobs"), "is", os.getpid())
    tell_ready()
    while not end.wait(0.5):
        n += 1
        say("job", n, "done")
    say("bye")


if __name__ == "__main__":
    {"database": database, "migrate": migrate, "web": web, "worker": worker}[sys.argv[1]]()
