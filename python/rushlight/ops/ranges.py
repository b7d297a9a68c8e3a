"""Tensors by a rule: numbers at equal distances, unit matrices, indices of triangles."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from rushlight import dtypes
from rushlight.ops._registry import composed
from rushlight.ops.creation import finish
from rushlight.tensor import Tensor


def _numbers(name: str, *values: Any) -> list[Any]:
    """Numbers, also out of tensors without dimensions."""
    for value, word in zip(values, ("start", "end"), strict=False):
        if isinstance(value, Tensor) and value.ndim:
            raise RuntimeError(
                f"{name} only supports 0-dimensional start and end tensors, but got {word} with "
                f"{value.ndim} dimension(s)."
            )
    return [v.item() if isinstance(v, Tensor | np.generic) else v for v in values]


def _kind(name: str, dtype: dtypes.dtype | None) -> np.dtype[Any]:
    kind = (dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype)).numpy
    if kind.kind == "b":
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for 'Bool'")
    return kind


def _check_range(start: Any, end: Any, step: Any) -> None:
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")


def _steps(start: Any, step: Any, count: int, kind: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """``start + i * step``, computed in 64 bits."""
    wide = np.int64 if kind.kind in "iu" else np.float64
    steps: np.ndarray[Any, Any] = wide(start) + np.arange(count, dtype=wide) * wide(step)
    return steps.astype(kind)


@composed(method=False)
def arange(
    start: Any = None,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: dtypes.dtype | None = None,
    **options: Any,
) -> Tensor:
    """``start + i * step`` for every i that stays before `end`; int64 unless a bound is a float."""
    if start is None or end is None:
        start, end = 0, start if end is None else end
    bounds = _numbers("arange", start, end, step)
    floating = any(isinstance(b, float) for b in bounds)
    kind = _kind("arange", dtype if dtype or floating else dtypes.int64)
    if kind.name == "int64":  # others count with fractions, which only the elements lose
        bounds = [int(b) if math.isfinite(b) else b for b in bounds]
    _check_range(*bounds)
    count = math.ceil((bounds[1] - bounds[0]) / bounds[2])
    return finish(_steps(bounds[0], bounds[2], count, kind), **options)


@composed(method=False)
def range(
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: dtypes.dtype | None = None,
    **options: Any,
) -> Tensor:
    """``start + i * step`` up to `end`, which is included; prefer `arange`."""
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior is "
        "inconsistent with Python's range builtin. Instead, use torch.arange, which produces "
        "values in [start, end).",
        UserWarning,
        stacklevel=2,
    )
    if end is None:
        start, end = 0, start
    start, end, step = _numbers("range", start, end, step)
    _check_range(start, end, step)
    kind = _kind("range", dtype)
    return finish(_steps(start, step, math.floor((end - start) / step) + 1, kind), **options)


@composed(method=False)
def linspace(
    start: Any, end: Any, steps: int, *, dtype: dtypes.dtype | None = None, **options: Any
) -> Tensor:
    """`steps` numbers at equal distances from `start` to `end`, both included."""
    start, end = _numbers("linspace", start, end)
    return finish(_spaced(start, end, steps, _kind("linspace", dtype)), **options)


def _spaced(start: Any, end: Any, steps: int, kind: np.dtype[Any]) -> np.ndarray[Any, Any]:
    if isinstance(steps, float):
        raise TypeError("linspace(): argument 'steps' must be int, not float")
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    if steps <= 1:
        return np.full(steps, start).astype(kind)
    # From both ends inwards, in the result's type, as PyTorch computes it; integers in float32.
    wide = np.dtype(np.float32) if kind.kind in "iu" else kind
    index = np.arange(steps)
    first, last = (np.asarray(kind.type(v)).astype(wide) for v in (start, end))
    step = ((last - first) / wide.type(steps - 1)).astype(wide)
    lower = first + step * index.astype(wide)
    upper = last - step * (steps - 1 - index).astype(wide)
    spaced: np.ndarray[Any, Any] = np.where(index < steps // 2, lower, upper)
    return spaced.astype(kind)


@composed(method=False)
def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: dtypes.dtype | None = None,
    **options: Any,
) -> Tensor:
    """``base ** x`` for `steps` numbers x at equal distances from `start` to `end`."""
    start, end = _numbers("logspace", start, end)
    kind = _kind("logspace", dtype)
    if kind.kind in "iu":  # the bounds are cut off, the exponents between them are not
        exponents = _spaced(int(start), int(end), steps, np.dtype(np.float32)).astype(np.float64)
    else:
        exponents = _spaced(start, end, steps, kind)
    with np.errstate(all="ignore"):
        powers = np.power(exponents.dtype.type(base), exponents)
        return finish(powers.astype(kind), **options)


@composed(method=False)
def eye(
    n: int, m: int | None = None, *, dtype: dtypes.dtype | None = None, **options: Any
) -> Tensor:
    """The ``(n, m)`` matrix with ones on its diagonal, zeros elsewhere."""
    for name, size in (("n", n), ("m", m)):
        if size is not None and size < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {size}")
    kind = (dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype)).numpy
    return finish(np.eye(n, m, dtype=kind), **options)


# ---- Indices of triangles ----


def _triangle(name: str, row: int, col: int, rows_columns: Any, dtype: Any, options: Any) -> Tensor:
    for word, size in (("row", row), ("col", col)):
        if size < 0:
            raise RuntimeError(f"{word} must be non-negative, got{size}")
    if dtype.numpy.kind != "i":
        raise NotImplementedError(f"\"{name}\" not implemented for '{dtype.name}'")
    return finish(np.stack(rows_columns).astype(dtype.numpy), **options)


@composed(method=False)
def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: dtypes.dtype = dtypes.int64, **options: Any
) -> Tensor:
    """The rows and the columns of the elements that `tril` keeps, ``(2, n)``."""
    found = np.tril_indices(max(row, 0), offset, max(col, 0))
    return _triangle("tril_indices", row, col, found, dtype, options)


@composed(method=False)
def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: dtypes.dtype = dtypes.int64, **options: Any
) -> Tensor:
    """The rows and the columns of the elements that `triu` keeps, ``(2, n)``."""
    found = np.triu_indices(max(row, 0), offset, max(col, 0))
    return _triangle("triu_indices", row, col, found, dtype, options)
