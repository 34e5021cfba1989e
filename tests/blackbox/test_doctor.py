"""`procd doctor`: what a machine lacks, what that means for a configuration, and what would help."""

import os
import resource

from harness import *

ONE = "[subsystem.a]\ncommand = [\"true\"]\n"


def findings(w, *args, want=0, **options):
    j = w.run("doctor", "--json", *args, **options).expect(want).json()
    equal(j["ok"], want == 0, "ok")
    for f in j["findings"]:
        check(f["status"] in ("ok", "degraded", "broken"), f)
        equal(sorted(f), ["name", "status"] if f["status"] == "ok" else ["effect", "fix", "name", "status"], f["name"])
    return {f["name"]: f for f in j["findings"]}


def test_what_is_hidden_is_degraded_and_told_with_what_would_help(w):
    config = write_text(w.path("c.toml"), ONE)
    hidden = {"pidfd_open": "Linux 5.3", "close_range": "Linux 5.9", "pidfd_info_exit": "Linux 6.15",
              "cgroup2": "Delegate=yes", "membarrier": "Linux 4.14"}
    j = findings(w, "-c", config, env={"PROCD_TEST_NO_FEATURE": ",".join(hidden)})
    for name in hidden:
        equal(j[name]["status"], "degraded", name)
    for name, words in hidden.items():
        if name != "cgroup2" or "mount" not in j[name]["fix"]:
            contains(j[name]["fix"], words, name)
    check("cgroup_kill" not in j, "what rests on another one is not told of twice")
    text = w.run("doctor", "-c", config, env={"PROCD_TEST_NO_FEATURE": "close_range"}).expect(0).out
    contains(text, "degraded  close_range\n          descriptors are closed one by one", "text")
    contains(text, "          fix: Linux 5.9 or later", "text")
    check(text.endswith(" 0 broken\n"), text)


def test_every_feature_of_the_kernel_that_is_used_is_looked_at(w):
    kernel = w.run("features", "--json").expect(0).json()["kernel"]
    j = findings(w, "-c", write_text(w.path("c.toml"), ONE))
    for name, f in kernel.items():
        if name not in ("openat2", "clone3") and f["used"]:
            equal(j[name]["status"], "ok", name)


def test_limits_that_have_no_effect_are_broken_with_the_subsystem_that_asks(w):
    config = write_text(w.path("c.toml"), ONE + "memory_max = \"1G\"\n")
    j = findings(w, "-c", config, want=1, env={"PROCD_TEST_NO_FEATURE": "cgroup2"})
    equal(j["controller_memory"]["status"], "broken", "memory")
    contains(j["controller_memory"]["effect"], "memory_max and memory_high of a have no effect", "effect")
    contains(j["controller_memory"]["fix"], "Delegate=yes", "fix")
    check("controller_io" not in j, "nobody asks for it")
    text = w.run("doctor", "-c", config, env={"PROCD_TEST_NO_FEATURE": "cgroup2"}).expect(1).out
    contains(text, "broken    controller_memory\n", "text")
    equal(w.run("doctor", "-q", "-c", config, env={"PROCD_TEST_NO_FEATURE": "cgroup2"}).expect(1).out, "", "quietly")


def test_rights_that_an_ordinary_user_lacks(w):
    need_root()
    os.chmod(w.dir, 0o777)
    config = write_text(w.path("c.toml"), ONE + "private_tmp = true\nlisten = [\"tcp:127.0.0.1:1\"]\nuser = \"root\"\n", 0o644)
    j = findings(w, "-c", config, want=1, user=(65534, 65534))
    for name in ("cap_setuid", "cap_sys_admin", "cap_net_bind_service"):
        equal(j[name]["status"], "broken", name)
        contains(j[name]["effect"], "a asks for it", name)
    equal(j["cap_sys_chroot"]["status"], "degraded", "nobody asks for that")
    contains(j["cap_net_bind_service"]["fix"], "setcap cap_net_bind_service+ep", "fix")


def test_files_that_may_be_open(w):
    need_root()
    many = "".join("[subsystem.s%d]\ncommand = [\"true\"]\n" % i for i in range(400))
    config = write_text(w.path("c.toml"), many, 0o644)
    os.chmod(w.dir, 0o777)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    r = w.run("doctor", "-c", config, user=(65534, 65534)).expect(78)
    contains(r.err, "LimitNOFILE=", "a configuration that needs more is an error, with what would help")
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
    j = findings(w, want=1, user=(65534, 65534))
    contains(j["open_files"]["effect"], "may have 40", "effect")
    contains(j["open_files"]["fix"], "LimitNOFILE=", "fix")


def test_it_needs_no_configuration_but_a_good_one_if_there_is_one(w):
    findings(w)
    write_text(w.path("daemon.toml"), "[subsystem.a]\nfoo = 1\n")
    contains(w.run("doctor").expect(78).err, "daemon.toml:2:", "its errors")
    w.run("doctor", "-c", w.path("none.toml")).expect(66)
