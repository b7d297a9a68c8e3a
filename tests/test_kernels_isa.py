"""Every instruction set gives the same results as the best one of this machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="one instruction set only"
)

PROGRAM = """
import sys
import numpy as np
import rushlight
from rushlight import _kernels
from rushlight.backend import cpu

rng = np.random.default_rng(0)
results = {"isa": np.array(_kernels.isa())}
for dtype in ("float32", "float64", "int32"):
    x, y, z, w = rng.uniform(0.1, 3, (4, 37, 53))
    arrays = [(a if dtype != "int32" else a * 10 + 1).astype(dtype) for a in (x, y, z, w)]
    for name, arity, kind in _kernels.POINTWISE:
        if kind in ("bitwise", "integral") and dtype != "int32":
            continue
        if kind == "real" and dtype == "int32":
            continue
        for layout, view in {"rows": lambda a: a, "columns": lambda a: a[:, ::2].T}.items():
            results[f"{name} {dtype} {layout}"] = getattr(cpu, name)(
                *[view(a) for a in arrays[:arity]]
            )
    for name in ("sum", "prod", "amax", "amin", "argmax", "argmin"):
        for dim in (None, 0, 1):
            results[f"{name} {dtype} {dim}"] = getattr(cpu, name)(arrays[0][:9, :9], dim)
    if dtype == "int32":
        continue
    for name in ("mean", "var"):
        results[f"{name} {dtype}"] = getattr(cpu, name)(arrays[0], 0)
    for name in ("softmax", "log_softmax"):
        results[f"{name} {dtype}"] = getattr(cpu, name)(arrays[0], 1)
    results[f"matmul {dtype}"] = cpu.matmul(arrays[0], arrays[1].T)
    images = rng.uniform(-1, 1, (2, 3, 9, 8)).astype(dtype)
    weight = rng.uniform(-1, 1, (5, 3, 3, 3)).astype(dtype)
    pairs = ((1, 2), (1, 1), (1, 1))
    out = cpu.correlate2d(images, weight, None, *pairs, 1)
    results[f"correlate2d {dtype}"] = out
    results[f"correlate2d_input_grad {dtype}"] = cpu.correlate2d_input_grad(
        out, weight, images.shape, *pairs, 1
    )
    results[f"correlate2d_weight_grad {dtype}"] = cpu.correlate2d_weight_grad(
        out, images, weight.shape, *pairs, 1
    )
numbers = np.concatenate([rng.normal(0, 10.0**e, 200) for e in range(-9, 39, 3)])
for half in (rushlight.float16, rushlight.bfloat16):
    narrow = cpu.cast(numbers, half.numpy)
    results[f"to {half}"] = narrow.view(np.uint16)
    results[f"from {half}"] = cpu.cast(narrow, np.dtype(np.float32))
    results[f"sum of {half}"] = cpu.sum(cpu.cast(arrays[0], half.numpy)).view(np.uint16)
rushlight.manual_seed(0)
results["randn"] = rushlight.randn(1000).numpy()
results["rand"] = rushlight.rand(1000).numpy()
results["randint"] = rushlight.randint(0, 1000, (1000,)).numpy()
np.savez(sys.argv[1], **results)
"""


def results(isa: str, path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """What every kernel gives with an instruction set, by name, type and layout."""
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)],
        env={**os.environ, "RUSHLIGHT_ISA": isa},
        check=True,
        timeout=120,
    )
    with np.load(path) as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def best(tmp_path_factory: Any) -> dict[str, np.ndarray[Any, Any]]:
    return results("", tmp_path_factory.mktemp("isa") / "best.npz")


@pytest.mark.parametrize(("isa", "name"), [("v2", "SSE4.2"), ("v3", "AVX2")])
def test_instruction_sets_agree(isa: str, name: str, best: Any, tmp_path: Path) -> None:
    mine = results(isa, tmp_path / "lower.npz")
    if isa == "v3" and "SSE4.2" in str(best["isa"]):
        pytest.skip("this processor has no AVX2")
    assert name in str(mine.pop("isa"))
    assert mine.keys() == best.keys() - {"isa"}
    for key, value in mine.items():
        # Fused multiply-adds and the order of sums differ, by a few units in the last place.
        rtol = {"float32": 3e-6, "float64": 1e-14}.get(value.dtype.name, 0.0)
        atol = {"float32": 1e-6, "float64": 1e-14}.get(value.dtype.name, 0.0)
        assert value.dtype == best[key].dtype, key
        np.testing.assert_allclose(value, best[key], rtol, atol, err_msg=f"{key} with {isa}")


def test_an_unknown_name_changes_nothing(best: Any, tmp_path: Path) -> None:
    assert str(results("v9", tmp_path / "v9.npz")["isa"]) == str(best["isa"])
