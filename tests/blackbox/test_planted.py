"""Names that strangers plant where procd is told to write (faults.md F121, G21; SECURITY.md)."""

import os
import signal
import stat
import subprocess

from harness import *
from people import *

CANARY = "precious\n"


class Trap:
    """A place where a stranger may put names, and what he wants to be written to."""

    def __init__(self, w, how, where):
        self.w, self.how = w, how
        self.canary = write_text(w.path("canary"), CANARY, 0o600)
        self.dir = w.path("place")
        os.mkdir(self.dir)
        if where == "public":
            os.chmod(self.dir, 0o1777)
        else:
            os.chown(self.dir, STRANGER, STRANGER)

    def plant(self, path):
        """Put it at PATH, as the stranger would, or as he could without the kernel's own protection."""
        if self.how == "link":
            os.symlink(self.canary, path)
            os.lchown(path, STRANGER, STRANGER)
        elif self.how == "dangling":
            os.symlink(self.w.path("born"), path)
            os.lchown(path, STRANGER, STRANGER)
        elif self.how == "hard link":
            os.link(self.canary, path)
        elif self.how == "fifo":
            os.mkfifo(path, 0o666)
            os.chown(path, STRANGER, STRANGER)
        elif self.how == "foreign file":
            os.chown(write_text(path, "theirs\n", 0o666), STRANGER, STRANGER)
        elif self.how == "directory":
            os.mkdir(path)
            os.chown(path, STRANGER, STRANGER)
        else:
            raise Failure(self.how)

    def check_untouched(self, what):
        equal(read_text(self.canary), CANARY, "%s: content of the target" % what)
        st = os.stat(self.canary)
        equal((st.st_uid, stat.S_IMODE(st.st_mode)), (0, 0o600), "%s: owner and mode of the target" % what)
        check(not os.path.exists(self.w.path("born")), "%s: the target of a dangling link was made" % what)


PLANTS = ("link", "dangling", "hard link", "fifo", "foreign file", "directory")


def each_plant(w, plants=PLANTS, places=("public", "theirs")):
    need_root()
    for where in places:
        for how in plants:
            os.chmod(w.dir, 0o755)
            yield Trap(w, how, where), "%s in a directory that is %s" % (how, where)
            subprocess.run(["rm", "-rf", w.path("place"), w.path("run"), w.path("born")], check=True)


def refused_start(w, text, what, code, part):
    p = w.procd(text, wait=False)
    got = p.wait_end()
    said = read_text(p.log_path)
    os.unlink(p.log_path)
    equal(got, code, "exit code with %s; said:\n%s" % (what, said))
    contains(said, part, what)


def test_F121_a_planted_pid_file(w):
    for trap, what in each_plant(w):
        path = trap.dir + "/p.pid"
        trap.plant(path)
        refused_start(w, 'pid_file = "%s"\n' % path + w.sub("a"), what, 73, "refused")
        trap.check_untouched(what)


def test_F121_a_pid_file_where_others_could_swap_it(w):
    need_root()
    os.mkdir(w.path("theirs"))
    os.chown(w.path("theirs"), STRANGER, STRANGER)
    refused_start(w, 'pid_file = "%s/p.pid"\n' % w.path("theirs") + w.sub("a"), "a foreign directory", 73, "refused")
    equal(os.listdir(w.path("theirs")), [], "files")


def test_F121_a_planted_run_directory(w):
    for trap, what in each_plant(w, ("link", "foreign file", "directory", "fifo")):
        path = trap.dir + "/run"
        if trap.how == "link":
            os.mkdir(w.path("born"), 0o755)
            os.symlink(w.path("born"), path)
            os.lchown(path, STRANGER, STRANGER)
        else:
            trap.plant(path)
        p = w.procd('run_dir = "%s"\n' % path + w.sub("a"), wrap=False, wait=False)
        code, said = p.wait_end(), read_text(p.log_path)
        check(code in (73, 77), "exit code %d with %s: %s" % (code, what, said))
        contains(said, path, what)
        if trap.how == "link":
            equal(os.listdir(w.path("born")), [], "what was written through the link")


def test_F121_a_run_directory_behind_a_planted_directory(w):
    need_root()
    os.mkdir(w.path("public"))
    os.chmod(w.path("public"), 0o1777)
    for uid in (STRANGER, 65534):
        path = w.path("public", "of-%d" % uid)
        os.mkdir(path)
        os.chown(path, uid, uid)
        p = w.procd('run_dir = "%s/run"\n' % path + w.sub("a"), wrap=False, wait=False)
        equal(p.wait_end(), 77, "exit code")
        contains(read_text(p.log_path), "cannot be trusted", "message")
        equal(os.listdir(path), [], "files")


def test_F121_a_planted_control_socket(w):
    for trap, what in each_plant(w, places=("public",)):
        path = trap.dir + "/c.sock"
        trap.plant(path)
        refused_start(w, "[control]\nsocket = \"%s\"\n" % path + w.sub("a"), what, 73, path)
        trap.check_untouched(what)


def test_F121_a_planted_name_beside_the_control_socket(w):
    for trap, what in each_plant(w, ("link", "dangling", "hard link", "fifo", "foreign file"), ("public",)):
        path = trap.dir + "/c.sock"
        trap.plant(path + ".new")
        p = w.procd("[control]\nsocket = \"%s\"\n" % path + w.sub("a"), socket=path)
        p.ctl("status").expect(0)
        p.stop()
        trap.check_untouched(what)


def test_F121_a_control_socket_where_others_could_swap_it(w):
    need_root()
    os.mkdir(w.path("theirs"))
    os.chown(w.path("theirs"), STRANGER, STRANGER)
    path = w.path("theirs") + "/c.sock"
    refused_start(w, "[control]\nsocket = \"%s\"\n" % path + w.sub("a"), "a foreign directory", 73, "refused")
    equal(os.listdir(w.path("theirs")), [], "files")


LOGS = {
    "procd's own log": "[logging]\nfile = \"%s\"\n",
    "a subsystem's log": None,
    "the event output": "[events]\noutput = \"file:%s\"\n",
}


def log_config(w, which, path):
    sub = w.sub("a", "--print", "hello", log_file=path) if LOGS[which] is None else w.sub("a")
    return (LOGS[which] % path if LOGS[which] else "") + sub


def recovered(p):
    """Looks whether the lines so far went well, and says something, so that there is a next one to write."""
    p.ctl("restart", "a").expect(0)
    return not p.status().get("degraded")


def test_F121_planted_log_files(w):
    for which in LOGS:
        for trap, what in each_plant(w):
            what = which + ": " + what
            path = trap.dir + "/x.log"
            trap.plant(path)
            p = w.procd(log_config(w, which, path))
            wait_until(lambda: p.of("a")["state"] == "running", what)
            said = wait_until(lambda: [d for d in p.status().get("degraded", []) if path in d], what + ": degraded")
            contains(said[0], "refused", what)
            trap.check_untouched(what)
            if trap.how == "foreign file":
                equal(read_text(path), "theirs\n", what)
            # It is used as soon as it is harmless.
            subprocess.run(["rm", "-rf", path], check=True)
            wait_until(lambda: recovered(p), what + ": recovers", 15)
            equal(stat.S_ISREG(os.lstat(path).st_mode), True, what)
            p.stop()
            os.unlink(p.events_path) if os.path.exists(p.events_path) else None
            p.events, p._offset = [], 0
            trap.check_untouched(what)


def test_F121_a_log_directory_that_is_a_planted_link(w):
    need_root()
    for where, mode, owner in (("public", 0o1777, 0), ("theirs", 0o755, STRANGER)):
        os.mkdir(w.path(where))
        os.chown(w.path(where), owner, owner)
        os.chmod(w.path(where), mode)
        os.mkdir(w.path("target-" + where))
        os.symlink(w.path("target-" + where), w.path(where, "logs"))
        os.lchown(w.path(where, "logs"), STRANGER, STRANGER)
        path = w.path(where, "logs", "x.log")
        p = w.procd(w.sub("a", "--print", "hello", log_file=path))
        said = wait_until(lambda: [d for d in p.status().get("degraded", []) if path in d], "degraded")
        contains(said[0], "symbolic link", where)
        equal(os.listdir(w.path("target-" + where)), [], "files behind the link")
        p.stop()


def test_F121_a_link_of_the_administrator_is_followed(w):
    os.mkdir(w.path("real"))
    os.symlink(w.path("real"), w.path("logs"))
    p = w.procd(w.sub("a", "--print", "hello", log_file=w.path("logs", "x.log")))
    wait_until(lambda: read_text(w.path("real", "x.log")) == "hello\n", "the line behind the link")
    p.stop()


def rotated(path):
    """Both generations are plain files of procd's own."""
    try:
        return all(stat.S_ISREG(st.st_mode) and (st.st_uid, st.st_nlink) == (0, 1)
                   for st in (os.lstat(path + ".1"), os.lstat(path + ".2")))
    except FileNotFoundError:
        return False


def test_F121_rotation_takes_nobody_elses_names(w):
    for trap, what in each_plant(w, ("link", "hard link", "foreign file", "fifo"), ("theirs",)):
        path = trap.dir + "/x.log"
        trap.plant(path + ".1")
        p = w.procd(w.sub("a", "--line-size", 100, "--spew", 200, log_file=path, log_max_file_size=4096, log_max_files=2))
        wait_until(lambda: p.ctl("logs", "a").out.count("\n") == 200 and rotated(path), what)
        p.stop()
        trap.check_untouched(what)


def test_F121_a_log_directory_that_is_swapped_in_a_loop(w):
    need_root()
    os.chmod(w.dir, 0o755)
    os.mkdir(w.path("home"))
    os.mkdir(w.path("home", "logs"))
    os.mkdir(w.path("target"))
    write_text(w.path("target", "x.log.1"), CANARY)
    for name in ("home", "home/logs"):
        os.chown(w.path(name), STRANGER, STRANGER)
    os.symlink(w.path("target"), w.path("home", "link"))
    os.lchown(w.path("home", "link"), STRANGER, STRANGER)
    os.chmod(w.path("home", "logs"), 0o755)

    def swap():
        for a, b in (("logs", "aside"), ("link", "logs"), ("logs", "link"), ("aside", "logs")):
            try:
                os.rename(w.path("home", a), w.path("home", b))
            except OSError:
                pass

    stranger = in_background(swap, STRANGER)
    p = w.procd(w.sub("a", "--line-size", 100, "--spew", "0/20000", log_file=w.path("home", "logs", "x.log"),
                      log_max_file_size=4096, log_max_files=3))
    p.wait_state("a", "running")
    for _ in range(200):
        p.ctl("reopen-logs").expect(0)
    os.kill(stranger, signal.SIGKILL)
    os.waitpid(stranger, 0)
    p.ctl("stop", "a").expect(0)
    p.stop()
    equal(os.listdir(w.path("target")), ["x.log.1"], "files in the target")
    equal(read_text(w.path("target", "x.log.1")), CANARY, "content of the target")


def test_F121_planted_stdout_files(w):
    for trap, what in each_plant(w, ("link", "dangling", "hard link", "fifo", "foreign file", "directory")):
        path = trap.dir + "/out"
        trap.plant(path)
        p = w.procd(w.sub("a", "--print", "hello", stdout="file:" + path, user=OTHER, restart="never"))
        e = p.wait_state("a", "failed")
        equal(e["error"]["stage"], "stdout", what)
        trap.check_untouched(what)
        p.stop()
        os.unlink(p.events_path)
        p.events, p._offset = [], 0


def test_F121_stdout_files_that_are_fine(w):
    need_root()
    os.chmod(w.dir, 0o755)
    os.mkdir(w.path("theirs"))
    os.chown(w.path("theirs"), OTHER, OTHER)
    os.chown(write_text(w.path("theirs", "old"), "old\n"), OTHER, OTHER)
    p = w.procd(w.sub("new", "--print", "hello", "--exit", 0, stdout="file:" + w.path("theirs", "new"), user=OTHER, restart="never")
                + w.sub("old", "--print", "hello", "--exit", 0, stdout="file:" + w.path("theirs", "old"), user=OTHER, restart="never")
                + w.sub("null", "--print", "hello", "--exit", 0, stdout="file:/dev/null", restart="never"))
    for name in ("new", "old", "null"):
        p.wait_state(name, "stopped")
    equal(read_text(w.path("theirs", "new")), "hello\n", "a new one")
    equal(read_text(w.path("theirs", "old")), "old\nhello\n", "an old one")
    p.stop()


def test_F121_a_planted_stdin_does_not_show_what_its_reader_may_not_see(w):
    need_root()
    os.chmod(w.dir, 0o755)
    write_text(w.path("secret"), "secret\n", 0o600)
    os.mkdir(w.path("theirs"))
    os.chown(w.path("theirs"), OTHER, OTHER)
    os.symlink(w.path("secret"), w.path("theirs", "link"))
    os.lchown(w.path("theirs", "link"), OTHER, OTHER)
    os.link(w.path("secret"), w.path("theirs", "hard"))
    os.chown(write_text(w.path("theirs", "own"), "own\n", 0o600), OTHER, OTHER)
    text = ""
    for name in ("link", "hard", "own"):
        text += '[subsystem.%s]\ncommand = ["cat"]\nstdin = "file:%s"\nuser = "%d"\nrestart = "never"\n' % (
            name, w.path("theirs", name), OTHER)
    p = w.procd(text)
    for name in ("link", "hard"):
        equal(p.wait_state(name, "failed")["error"]["stage"], "stdin", name)
    p.wait_state("own", "stopped")
    equal(p.ctl("logs", "own").out, "own\n", "its own file")
    check("secret" not in p.ctl("logs").out, "the secret was shown")
    p.stop()


def test_F121_an_old_log_in_a_foreign_directory_needs_a_kernel_that_protects_links(w):
    """Where fs.protected_hardlinks is off the owner of a directory could pass any file of root's off as an old log."""
    need_root()
    unshare = need_program("unshare")
    off = write_text(w.path("off"), "0\n")
    os.mkdir(w.path("theirs"))
    os.chown(w.path("theirs"), STRANGER, STRANGER)
    path = w.path("theirs", "x.log")
    text = w.sub("a", "--print", "hello", log_file=path)
    launcher = [unshare, "-m", "sh", "-c", 'mount --bind %s /proc/sys/fs/protected_hardlinks && exec "$@"' % off, "sh"]
    for label, start, want in (("new", launcher, "hello\n"), ("old", launcher, "hello\n"), ("safe", [], "hello\nhello\n")):
        p = w.procd(text, label=label, launcher=start)
        if label == "old":
            said = wait_until(lambda: [d for d in p.status().get("degraded", []) if path in d], "degraded")
            contains(said[0], "refused", label)
        else:
            wait_until(lambda: read_text(path) == want, label)
        p.ctl("shutdown").expect(0)
        p.wait_end()
    equal(os.stat(path).st_uid, 0, "owner")


def test_F121_a_planted_place_for_the_pipes_in_memory(w):
    """The names of the FIFOs of a run directory on a disk are kept in /dev/shm, where everybody may be first."""
    need_root()
    if os.stat(w.dir).st_dev == os.stat("/dev/shm").st_dev:
        raise Skip("needs a directory on a disk")
    for label in ("directory", "link", "file"):
        run = w.path("run-" + label)
        os.mkdir(run, 0o755)
        st = os.stat(run)
        place = "/dev/shm/procd-%x-%x" % (st.st_dev, st.st_ino)
        os.mkdir(w.path("target"))
        try:
            if label == "directory":
                os.mkdir(place, 0o777)
            elif label == "link":
                os.symlink(w.path("target"), place)
            else:
                write_text(place, "theirs\n")
            os.lchown(place, STRANGER, STRANGER)
            p = w.procd(w.sub("a", "--print", "hello"), label=label)
            wait_until(lambda: p.ctl("logs", "a").out == "hello\n", "output")
            check(not os.path.islink(os.path.join(run, "fifo")), "%s: the pipes are in the run directory" % label)
            equal(os.listdir(w.path("target")), [], "files behind the link")
            if label == "directory":
                equal(os.listdir(place), [], "files in the stranger's directory")
            p.stop()
            check(os.path.lexists(place), "%s: what is the stranger's was removed" % label)
        finally:
            subprocess.run(["rm", "-rf", place, w.path("target")], check=True)
