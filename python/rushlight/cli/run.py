"""``rushlight run``: an unmodified PyTorch script on rushlight.

The script gets a Python of its own, which takes the place of this process. So everything about it
is Python's: ``sys.argv``, ``sys.path``, ``__main__``, tracebacks, signals and exit codes. What
differs is one folder on PYTHONPATH, whose ``sitecustomize`` makes ``import torch`` mean rushlight.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

_STARTUP = Path(__file__).parent / "startup"


def main(args: argparse.Namespace) -> int:
    """Replace this process by Python with the script, the module or the code.

    Args:
        args: `script`, `module` or `code`, each a list with the arguments that follow.

    Returns:
        2, when nothing is named that could be run; otherwise never.
    """
    if args.module:
        what = ["-m", *args.module]
    elif args.code:
        what = ["-c", *args.code]
    else:
        what = args.script
    if not what:
        print("rushlight run: name a script, -m MODULE or -c CODE", file=sys.stderr)
        return 2
    command = [sys.executable, *_interpreter_options(), *what]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": _python_path()})


def _python_path() -> str:
    entries = [str(_STARTUP), os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join(filter(None, entries))


def _interpreter_options() -> list[str]:
    """The options this Python was started with, such as -u or -W error.

    Raises:
        SystemExit: an option of them makes Python ignore PYTHONPATH.
    """
    if sys.flags.ignore_environment or sys.flags.no_site:
        sys.exit("rushlight run: Python's options -E, -I and -S keep the alias of torch out")
    options = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv)]
    return options[:-1] if options[-1:] == ["-m"] else options
