"""What is in the box (interface 5; seed map S1-S16): the build's features, and what it is without them."""

import os

from harness import *

ONE = "[subsystem.a]\ncommand = [\"true\"]\n"

# What a build without the feature refuses (the seed map's S5), and the option that is told then.
KEYS = (
    ("config_watch", "hot_reload = true\n", "--enable-config-watch"),
    ("json_logs", "[logging]\njson = true\n", "--enable-json-logs"),
    ("lockfree_coordination", "[performance]\nlock_free = true\n", "--enable-lockfree-coordination"),
)
# ... and what it accepts, because nothing is asked of it.
OFF = (
    "hot_reload = false\n",
    "[logging]\njson = false\n",
    "[performance]\nlock_free = false\n",
)


def test_features(w):
    j = w.run("features", "--json").expect(0).json()
    equal(sorted(j), ["allocator", "clock", "event_backend", "kernel", "options", "version"], "keys")
    equal(sorted(j["options"]), sorted((
        "metrics console json_logs config_watch mmap_config mimalloc high_res_timing scheduler_hints "
        "scheduler_hints_unix lockfree_coordination profiling heap_profiling ipc full").split()), "options")
    for name, built in j["options"].items():
        check(built in (True, False), "%s is %r" % (name, built))
    check("epoll" in j["event_backend"]["supported"], "epoll is supported")
    equal(j["event_backend"]["default"], "epoll", "default back end")
    for name, f in j["kernel"].items():
        equal(sorted(f), ["available", "used"], "kernel feature " + name)
    text = w.run("features").expect(0).out
    contains(text, "pidfd", "text")
    contains(text, "json_logs", "text")


def test_S5_a_key_of_a_feature_that_was_not_built_is_refused_before_anything_happens(w):
    built = w.features()
    for feature, text, option in KEYS:
        config = write_text(w.path(feature + ".toml"), text + ONE)
        if built[feature]:
            w.run("check", "-c", config).expect(0)
            continue
        lines = 1 + text.rstrip("\n").count("\n")
        for verb in ("check", "run"):
            r = w.run(verb, "-c", config, "--set", "run_dir=" + w.path("run")).expect(78)
            contains(r.err, "%s:%d:" % (config, lines), verb)
            contains(r.err, option, verb)
            check(not os.path.exists(w.path("run")), "%s made the run directory" % verb)


def test_a_feature_that_was_not_built_may_be_switched_off(w):
    for text in OFF:
        w.run("check", "-c", write_text(w.path("c.toml"), text + ONE)).expect(0)
