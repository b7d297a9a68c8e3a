"""Python runs this at its start when ``rushlight run`` has put its folder on PYTHONPATH.

It installs the alias of torch, leaves no trace on ``sys.path``, and hands over to the
``sitecustomize`` that it hides. The environment variable stays: child processes get the alias too.
"""

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder

_here = os.path.dirname(os.path.abspath(__file__))


def _run(spec: ModuleSpec) -> None:
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    assert spec.loader is not None  # a file's spec always has one
    spec.loader.exec_module(module)


def _install_alias() -> None:
    # By path: importing it by name would import the whole of rushlight in every child process.
    path = os.path.join(os.path.dirname(_here), "alias.py")
    spec = importlib.util.spec_from_file_location("_rushlight_alias", path)
    assert spec is not None
    _run(spec)
    sys.modules.pop("_rushlight_alias").install()


def _run_hidden_sitecustomize() -> None:
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None:
        _run(spec)


sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _here]
_install_alias()
_run_hidden_sitecustomize()
