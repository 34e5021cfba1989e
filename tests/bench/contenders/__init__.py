"""Who runs. A module here has `CONTENDERS`: classes made from contenders.base.Contender."""

import importlib

ORDER = ("procd", "floor", "runit", "s6", "daemontools", "busybox", "supervisord", "pm2")


def all_contenders():
    return [c for name in ORDER for c in importlib.import_module("contenders." + name).CONTENDERS]
