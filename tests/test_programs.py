"""Unmodified PyTorch scripts print the same under ``rushlight run`` as under PyTorch."""

from __future__ import annotations

import importlib.util
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))
EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))

# Lines that a program must print whichever library it runs on, so that the suite says something
# without PyTorch as well.
MUST_PRINT = {
    "backward_errors": [
        "RuntimeError element 0 of tensors does not require grad and does not have a grad_fn",
        "RuntimeError grad can be implicitly created only for scalar outputs",
        "with a gradient [2.0, 20.0, 200.0]",
    ],
    "backward_twice": [
        "doubled True",
        "RuntimeError Trying to backward through the graph a second time (or directly access saved "
        "tensors after they have already been freed). Saved intermediate values of the graph are "
        "freed when you call .backward() or autograd.grad(). Specify retain_graph=True if you need "
        "to backward through the graph a second time or if you need to access saved tensors after "
        "calling backward.",
        "three fresh graphs True",
    ],
    "conv_bce": [
        "conv.weight moved True",
        "fc2.bias moved True",
        "the other net [None, None, None, None, None, None]",
    ],
    "linear_mse": [
        "before backward None None",
        "weights unchanged by backward True",
        "weights unchanged by step False",
    ],
    "mae_by_hand": ["close True", "sign at the kink [-1.0, 0.0, 1.0] [-1.0, 0.0, 1.0]"],
    "out_of_memory": [
        "refused 1 names the bytes True",
        "refused names the bytes True",
        "goes on [2.0, 2.0, 2.0]",
    ],
    "resume_training": ["as if not stopped True"],
    "steady_memory": ["grew by less than 4 MB True"],
    "walk_graph": [
        "tensor(6., grad_fn=<MeanBackward0>)",
        "the leaf is the parameter True",
        "leaves found 4 True",
    ],
    "zero_grad": ["grad = None [None, None, None, None]", "as at first True"],
}

NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:e[-+]?\d+)?(?!\w)")
TIMEOUT_S = 300


def output_of(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def differences(ours: str, theirs: str, rel: float, abs_: float) -> list[str]:
    """Lines that differ in a word, or in a number by more than the tolerance."""
    ours_lines, theirs_lines = ours.splitlines(), theirs.splitlines()
    found = []
    if len(ours_lines) != len(theirs_lines):
        found.append(f"{len(ours_lines)} lines instead of {len(theirs_lines)}")
    for mine, other in zip(ours_lines, theirs_lines, strict=False):
        numbers = [[float(text) for text in NUMBER.findall(line)] for line in (mine, other)]
        same_words = NUMBER.sub("#", mine) == NUMBER.sub("#", other)
        if not same_words or not all(
            math.isclose(a, b, rel_tol=rel, abs_tol=abs_) for a, b in zip(*numbers, strict=True)
        ):
            found.append(f"  rushlight {mine}\n  PyTorch   {other}")
    return found


@pytest.fixture(scope="module")
def needs_torch() -> None:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed: rushlight[oracle]")


def test_every_program_has_lines_to_print() -> None:
    assert {path.stem for path in PROGRAMS} == set(MUST_PRINT)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_program_runs(path: Path) -> None:
    lines = output_of("-m", "rushlight", "run", str(path)).splitlines()
    missing = [line for line in MUST_PRINT[path.stem] if line not in lines]
    assert not missing, "\n".join(lines)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_program_prints_what_pytorch_prints(path: Path, needs_torch: None) -> None:
    ours = output_of("-m", "rushlight", "run", str(path))
    # Gradients that cancel leave an error of the size of float32's last bit of their terms.
    found = differences(ours, output_of(str(path)), rel=1e-6, abs_=1e-7)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_prints_what_pytorch_prints(path: Path, needs_torch: None) -> None:
    ours = output_of("-m", "rushlight", "run", str(path), "--epochs", "2")
    # Rounding errors of one step are the next step's data: hundreds of steps make them grow.
    found = differences(ours, output_of(str(path), "--epochs", "2"), rel=1e-3, abs_=1e-4)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path: Path) -> None:
    assert "epoch   1" in output_of("-m", "rushlight", "run", str(path), "--epochs", "1")


def test_the_comparison_sees_differences() -> None:
    assert not differences("loss 0.5 [1e-09]\n", "loss 0.50000001 [0.0]\n", 1e-6, 1e-7)
    assert differences("loss 0.50001", "loss 0.5", 1e-6, 1e-7)
    assert differences("loss -0.5", "loss 0.5", 1e-6, 1e-7)
    assert differences("lost 0.5", "loss 0.5", 1e-6, 1e-7)
    assert differences("a\nb", "a", 1e-6, 1e-7)
    assert differences("[1.0, 2.0]", "[1.0]", 1e-6, 1e-7)
