"""The CUDA backend under test: over a stand-in for CuPy everywhere, and over a real device.

A test module gets both by importing `cuda_device`; what needs a device is marked ``cuda`` and
skipped without one.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import rushlight
from rushlight import backend
from rushlight.backend import cpu
from tests import cupy_stand_in


def _forget(*names: str) -> dict[str, Any]:
    """Takes modules and what stands below them out of sys.modules."""
    found = {n: m for n, m in sys.modules.items() if n.startswith(tuple(f"{x}." for x in names))}
    found.update({n: sys.modules[n] for n in names if n in sys.modules})
    for name in found:
        del sys.modules[name]
    return found


@functools.cache
def _device_is_here() -> bool:
    """Asked in another process, so that this one imports CuPy only to use it."""
    code = "import rushlight.cuda, sys; sys.exit(not rushlight.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class Device:
    """The backend under test.

    Attributes:
        kernels: the module rushlight.backend.cuda.
        exact: whether its pointwise kernels give the CPU's very numbers.
    """

    def __init__(self, exact: bool) -> None:
        self.kernels = backend.device_kernels("cuda")
        self.exact = exact

    def array(self, x: Any) -> Any:
        return self.kernels.asarray(x) if isinstance(x, np.ndarray) else x

    def check(self, mine: Any, theirs: Any, tolerance: float = 0.0) -> None:
        """An array on the device against one on the CPU."""
        assert not isinstance(mine, np.ndarray)
        assert mine.dtype == theirs.dtype
        assert mine.shape == theirs.shape
        if not self.exact:
            tolerance = max(tolerance, 2e-6 if mine.dtype == np.float32 else 1e-13)
        np.testing.assert_allclose(
            self.kernels.to_cpu(mine), theirs, rtol=tolerance, atol=tolerance, equal_nan=True
        )

    def agree(self, name: str, *arguments: Any, tolerance: float = 0.0) -> None:
        """A kernel's result on the device against the CPU's."""
        theirs = getattr(cpu, name)(*arguments)
        mine = getattr(self.kernels, name)(*map(self.array, arguments))
        pairs = zip(mine, theirs, strict=True) if isinstance(theirs, tuple) else [(mine, theirs)]
        for a, b in pairs:
            self.check(a, b, tolerance)

    def agree_in_refusing(self, name: str, *arguments: Any) -> None:
        """A kernel's error on the device against the CPU's."""
        with pytest.raises(Exception) as theirs:
            getattr(cpu, name)(*arguments)
        with pytest.raises(type(theirs.value)) as mine:
            getattr(self.kernels, name)(*map(self.array, arguments))
        assert str(mine.value) == str(theirs.value)


@pytest.fixture(name="device", params=["stand-in", pytest.param("device", marks=pytest.mark.cuda)])
def cuda_device(request: Any) -> Iterator[Device]:
    """The backend over the stand-in, and over a real device."""
    standing_in = request.param == "stand-in"
    if not standing_in and not _device_is_here():
        pytest.skip("no CuPy or no CUDA device")
    saved = _forget("rushlight.backend.cuda", "rushlight.cuda")
    real = _forget("cupy", "cupyx") if standing_in else {}
    before = {m: vars(m).pop("cuda", None) for m in (rushlight, backend)}
    if standing_in:
        sys.modules["cupy"] = cupy_stand_in.make()
        sys.modules["cupyx.scipy.special"] = cupy_stand_in.special()
    try:
        yield Device(exact=standing_in)
    finally:
        if standing_in:
            _forget("cupy", "cupyx")
        _forget("rushlight.backend.cuda", "rushlight.cuda")
        sys.modules.update(saved | real)
        for module, value in before.items():
            vars(module).pop("cuda", None)
            if value is not None:
                vars(module)["cuda"] = value


def values(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    """Small numbers of both signs, none of them 0, so that they can divide."""
    random = np.random.default_rng(seed)
    x = random.uniform(0.25, 4.0, shape) * random.choice([-1.0, 1.0], shape)
    if dtype == "bool":
        return np.asarray(x > 0)
    if dtype.startswith("float"):
        return np.asarray(x, dtype)
    return np.asarray(
        np.sign(x) * np.ceil(np.abs(x)) if dtype != "uint8" else np.ceil(abs(x)), dtype
    )
