"""Other users. They are numbers without an entry in /etc/passwd, so making them needs root."""

import json
import os

from harness import Failure

STRANGER = 12001
OTHER = 12002


def become(uid, gid=None, groups=()):
    os.setgroups(list(groups))
    os.setresgid(*[uid if gid is None else gid] * 3)
    os.setresuid(uid, uid, uid)


def as_user(function, uid, gid=None, groups=()):
    """What FUNCTION returns (JSON) when a process with these ids calls it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            become(uid, gid, groups)
            result = {"ok": function()}
        except BaseException as e:
            result = {"error": "%s: %s" % (type(e).__name__, e), "errno": getattr(e, "errno", None)}
        os.write(writer, json.dumps(result).encode())
        os._exit(0)
    os.close(writer)
    data = b""
    while True:
        part = os.read(reader, 65536)
        if not part:
            break
        data += part
    os.close(reader)
    os.waitpid(pid, 0)
    result = json.loads(data.decode())
    if "error" in result:
        raise Failure("as uid %d: %s" % (uid, result["error"]))
    return result["ok"]


def in_background(function, uid):
    """A process with these ids that calls FUNCTION for ever; its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            become(uid)
            while True:
                function()
        finally:
            os._exit(1)
    return pid
