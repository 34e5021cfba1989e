"""What is measured: a module for each work, with `WORK`, made from works.base.Work."""

import importlib
import pathlib
import re


def all_works():
    names = sorted(p.stem for p in pathlib.Path(__file__).parent.glob("*.py") if re.match("[a-z]_", p.name))
    return [importlib.import_module("works." + name).WORK for name in names]
