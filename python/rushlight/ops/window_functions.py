"""Window functions: weights that fall off towards both ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight import dtypes
from rushlight.ops._registry import composed
from rushlight.ops.creation import finish
from rushlight.tensor import Tensor

Array = np.ndarray[Any, Any]


def window(
    count: int,
    symmetric: bool,
    formula: Callable[[Array, float], Array],
    dtype: dtypes.dtype | None,
    options: dict[str, Any],
) -> Tensor:
    """``formula(n, m)`` for n = 0 ... count - 1, computed in float64.

    Args:
        count: of weights; one is 1.
        symmetric: m, where the window ends, is ``count - 1``; else it is periodic and m is `count`.
        formula: of the positions and m.
        dtype: the default one if None.
        options: of a constructor.
    """
    kind = (dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype)).numpy
    end = count - 1 if symmetric else count
    weights = formula(np.arange(count, dtype=np.float64), end) if end > 0 else np.ones(count)
    return finish(weights.astype(kind), **options)


def cosines(coefficients: Sequence[float]) -> Callable[[Array, float], Array]:
    """``sum_i (-1)^i a_i cos(2 pi i n / m)``."""
    return lambda n, m: sum(
        (-1) ** i * a * np.cos(2 * math.pi * i * n / m) for i, a in enumerate(coefficients)
    )


def triangle(n: Array, m: float) -> Array:
    """``1 - |2 n / m - 1|``."""
    return 1 - np.abs(2 * n / m - 1)


def kaiser(beta: float) -> Callable[[Array, float], Array]:
    """``I0(beta sqrt(1 - (2 n / m - 1)^2)) / I0(beta)``."""
    return lambda n, m: np.i0(beta * np.sqrt(np.maximum(1 - (2 * n / m - 1) ** 2, 0))) / np.i0(beta)


def _declared(
    name: str,
    window_length: int,
    periodic: bool,
    formula: Callable[[Array, float], Array],
    dtype: dtypes.dtype | None,
    options: dict[str, Any],
) -> Tensor:
    if window_length < 0:
        raise RuntimeError(
            f"{name} requires non-negative window_length, got window_length={window_length}"
        )
    if dtype is not None and not dtype.is_floating_point:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {dtype}")
    symmetric = not periodic or window_length == 1
    return window(window_length, symmetric, formula, dtype, options)


@composed(method=False)
def bartlett_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: dtypes.dtype | None = None,
    **options: Any,
) -> Tensor:
    """The triangle ``1 - |2 n / m - 1|``; m is the length, or one less if not `periodic`."""
    return _declared("bartlett_window", window_length, periodic, triangle, dtype, options)


@composed(method=False)
def blackman_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: dtypes.dtype | None = None,
    **options: Any,
) -> Tensor:
    """``0.42 - 0.5 cos(2 pi n / m) + 0.08 cos(4 pi n / m)``; m as for `bartlett_window`."""
    formula = cosines((0.42, 0.5, 0.08))
    return _declared("blackman_window", window_length, periodic, formula, dtype, options)


@composed(method=False)
def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: dtypes.dtype | None = None,
    **options: Any,
) -> Tensor:
    """``alpha - beta cos(2 pi n / m)``; m as for `bartlett_window`."""
    formula = cosines((alpha, beta))
    return _declared("hamming_window", window_length, periodic, formula, dtype, options)


@composed(method=False)
def hann_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: dtypes.dtype | None = None,
    **options: Any,
) -> Tensor:
    """``sin(pi n / m)^2``; m as for `bartlett_window`."""
    return _declared("hann_window", window_length, periodic, cosines((0.5, 0.5)), dtype, options)


@composed(method=False)
def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: dtypes.dtype | None = None,
    **options: Any,
) -> Tensor:
    """``I0(beta sqrt(1 - (2 n / m - 1)^2)) / I0(beta)``; m as for `bartlett_window`."""
    return _declared("kaiser_window", window_length, periodic, kaiser(beta), dtype, options)
