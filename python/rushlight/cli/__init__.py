"""The command ``rushlight``: demo, run, info."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence

from rushlight._version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the arguments after the program's name; those of the process when None.

    Returns:
        The exit status.
    """
    args = _parser().parse_args(argv)
    # Imported by need: `run` and `info` have no use for nn, optim and tqdm.
    command = importlib.import_module(f"rushlight.cli.{args.command}")
    return int(command.main(args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rushlight", description="PyTorch's training contract in a small, fast package."
    )
    parser.add_argument("--version", action="version", version=f"rushlight {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_run(commands)
    _add_info(commands)
    return parser


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "Train a small convolutional network on 1,797 real handwritten digits."
    demo = commands.add_parser("demo", help=text, description=text)
    demo.add_argument("--epochs", type=_positive(int), default=15, metavar="N")
    demo.add_argument("--batch-size", type=_positive(int), default=32, metavar="N")
    demo.add_argument("--lr", type=_positive(float), default=3e-3, help="initial learning rate")
    demo.add_argument("--seed", type=int, default=0)
    demo.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    demo.add_argument(
        "--output",
        default="rushlight_demo",
        metavar="DIR",
        help="where the loss curve and the graph go (default: %(default)s)",
    )


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = commands.add_parser(
        "run",
        help="Run a script that says `import torch`, unmodified, on rushlight.",
        description="Run Python as `python` does, with `import torch` answered by rushlight.",
        usage="rushlight run [-h] (SCRIPT | -m MODULE | -c CODE) [ARGS ...]",
    )
    rest = argparse.REMAINDER
    run.add_argument("-m", dest="module", nargs=rest, help="run a module")
    run.add_argument("-c", dest="code", nargs=rest, help="run a piece of code")
    run.add_argument("script", nargs=rest, help="the script and its arguments")


def _add_info(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "Show the version, the instruction set, threads, memory, and the state of CUDA."
    info = commands.add_parser("info", help=text, description=text)
    info.add_argument("--json", action="store_true", help="as JSON")


class _positive:  # noqa: N801  # reads as a function where it is used
    """Argument type: a number of the given kind, above 0."""

    def __init__(self, kind: type[int] | type[float]) -> None:
        self.kind = kind
        self.__name__ = f"positive {kind.__name__}"  # argparse names it: "invalid ... value"

    def __call__(self, text: str) -> int | float:
        value = self.kind(text)
        if not value > 0:
            raise ValueError
        return value
