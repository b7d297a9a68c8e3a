"""The benchmarks: every program agrees between the libraries, and a run writes its report."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import rushlight
from benchmarks import compare, machine, ops, overhead, report, train
from benchmarks.harness import Case, Effort, Libraries, Result, Spread, check, measure

CASES = [*overhead.CASES, *train.CASES, *ops.CASES]
BRIEF = Effort(rounds=20, sample_seconds=1e-4)


@pytest.fixture
def libraries() -> Iterator[Libraries]:
    """rushlight and PyTorch, or rushlight twice where there is no PyTorch."""
    has_torch = importlib.util.find_spec("torch") is not None
    reference = importlib.import_module("torch") if has_torch else rushlight
    threads = [library.get_num_threads() for library in (rushlight, reference)]
    yield Libraries(rushlight, reference, threads=1)
    rushlight.set_num_threads(threads[0])
    reference.set_num_threads(threads[1])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_programs_agree(case: Case, libraries: Libraries) -> None:
    check(case, libraries)


def test_names_are_unique() -> None:
    names = [(case.group, case.name) for case in CASES]
    assert len(names) == len(set(names))


def test_a_wrong_result_is_not_timed(libraries: Libraries) -> None:
    case = Case("group", "wrong", lambda lib: lambda: lib.ones(2) * (1 + (lib is rushlight)))
    same = libraries.torch is rushlight
    result = measure(case, libraries, BRIEF)
    assert (result.error is None) == same
    assert (result.ratio is not None) == same


def test_report(libraries: Libraries, tmp_path: Path) -> None:
    limits = machine.Limits(flops=1e11, bandwidth=1e10)
    facts = machine.environment(libraries, limits)
    results = [
        measure(overhead.CASES[0], libraries, BRIEF),
        Result("Matrix product", "lost", None, *[Spread(2.0, 1.0, 3.0)] * 3, flops=1e11),
        Result("Matrix product", "missing", error="NotImplementedError: no | here"),
    ]
    assert results[0].rounds == 20
    text = report.markdown(results, [], facts, "python -m benchmarks")
    assert "| lost | 2 s | 2 s | **2.00** | 1.00-3.00 | 50.0 GFLOP/s | 50% |" in text
    assert r"| missing | **NotImplementedError: no \| here** |" in text
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"results": [result.as_dict() for result in results]}))
    assert compare.ratios(path)["Matrix product: lost"] == 2.0


def test_spread() -> None:
    spread = Spread.of(np.arange(1.0, 6.0).tolist())
    assert (spread.lower, spread.median, spread.upper) == (2.0, 3.0, 4.0)
