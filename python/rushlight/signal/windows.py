# ruff: noqa: N803 - M, the number of weights, is PyTorch's name
"""Window functions by PyTorch's names: `M` weights, symmetric unless ``sym=False``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from rushlight import dtypes
from rushlight.ops import window_functions as formulas
from rushlight.tensor import Tensor

__all__ = [
    "bartlett",
    "blackman",
    "cosine",
    "exponential",
    "gaussian",
    "general_cosine",
    "general_hamming",
    "hamming",
    "hann",
    "kaiser",
    "nuttall",
]


Dtype = dtypes.dtype | None


def _window(
    name: str,
    M: int,
    sym: bool,
    formula: Callable[[Any, float], Any],
    dtype: Dtype,
    options: dict[str, Any],
) -> Tensor:
    if not isinstance(M, int):
        raise TypeError(f"{name}(): argument 'M' must be int, not {type(M).__name__}")
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if dtype is not None and dtype not in (dtypes.float32, dtypes.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtype}")
    return formulas.window(M, sym or M == 1, formula, dtype, options)


def exponential(
    M: int,
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: Dtype = None,
    **options: Any,
) -> Tensor:
    """``exp(-|n - center| / tau)``; the center is the middle unless ``sym=False``."""
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")

    def formula(n: Any, m: float) -> Any:
        return np.exp(-np.abs(n - (m / 2 if center is None else center)) / tau)

    return _window("exponential", M, sym, formula, dtype, options)


def cosine(M: int, *, sym: bool = True, dtype: Dtype = None, **options: Any) -> Tensor:
    """``sin(pi (n + 0.5) / (m + 1))``."""

    def formula(n: Any, m: float) -> Any:
        return np.sin(math.pi * (n + 0.5) / (m + 1))

    return _window("cosine", M, sym, formula, dtype, options)


def gaussian(
    M: int, *, std: float = 1.0, sym: bool = True, dtype: Dtype = None, **options: Any
) -> Tensor:
    """``exp(-((n - m / 2) / std)^2 / 2)``."""
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")

    def formula(n: Any, m: float) -> Any:
        return np.exp(-(((n - m / 2) / std) ** 2) / 2)

    return _window("gaussian", M, sym, formula, dtype, options)


def kaiser(
    M: int, *, beta: float = 12.0, sym: bool = True, dtype: Dtype = None, **options: Any
) -> Tensor:
    """``I0(beta sqrt(1 - (2 n / m - 1)^2)) / I0(beta)``."""
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    return _window("kaiser", M, sym, formulas.kaiser(beta), dtype, options)


def bartlett(M: int, *, sym: bool = True, dtype: Dtype = None, **options: Any) -> Tensor:
    """``1 - |2 n / m - 1|``."""
    return _window("bartlett", M, sym, formulas.triangle, dtype, options)


def general_cosine(
    M: int, *, a: Iterable[float], sym: bool = True, dtype: Dtype = None, **options: Any
) -> Tensor:
    """``sum_i (-1)^i a[i] cos(2 pi i n / m)``."""
    if not isinstance(a, Iterable):
        raise TypeError("Coefficients must be a list/tuple")
    coefficients = tuple(a)
    if not coefficients:
        raise ValueError("Coefficients cannot be empty")
    return _window("general_cosine", M, sym, formulas.cosines(coefficients), dtype, options)


def general_hamming(
    M: int, *, alpha: float = 0.54, sym: bool = True, dtype: Dtype = None, **options: Any
) -> Tensor:
    """``alpha - (1 - alpha) cos(2 pi n / m)``."""
    return general_cosine(M, a=(alpha, 1 - alpha), sym=sym, dtype=dtype, **options)


def hamming(M: int, *, sym: bool = True, dtype: Dtype = None, **options: Any) -> Tensor:
    """``0.54 - 0.46 cos(2 pi n / m)``."""
    return general_cosine(M, a=(0.54, 0.46), sym=sym, dtype=dtype, **options)


def hann(M: int, *, sym: bool = True, dtype: Dtype = None, **options: Any) -> Tensor:
    """``sin(pi n / m)^2``."""
    return general_cosine(M, a=(0.5, 0.5), sym=sym, dtype=dtype, **options)


def blackman(M: int, *, sym: bool = True, dtype: Dtype = None, **options: Any) -> Tensor:
    """``0.42 - 0.5 cos(2 pi n / m) + 0.08 cos(4 pi n / m)``."""
    return general_cosine(M, a=(0.42, 0.5, 0.08), sym=sym, dtype=dtype, **options)


def nuttall(M: int, *, sym: bool = True, dtype: Dtype = None, **options: Any) -> Tensor:
    """Four cosines with the minimum of side lobes.

    Source: A. Nuttall, Some windows with very good sidelobe behavior, 1981.
    """
    a = (0.3635819, 0.4891775, 0.1365995, 0.0106411)
    return general_cosine(M, a=a, sym=sym, dtype=dtype, **options)
