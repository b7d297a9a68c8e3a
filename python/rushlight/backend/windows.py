"""Windows, frames, resampling and rows of tables: one text for NumPy and CuPy.

Each kernel is linear, and stands beside its adjoint, which is its gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from rushlight.backend.common import namespace

__all__ = [
    "constant_pad_nd",
    "resampled",
    "resampled_sum",
    "rows_at",
    "windows",
    "windows_sum",
]

Array = Any


# ---- Windows ----


def _counts(
    size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """The windows along each of the last dimensions."""
    lengths = size[len(size) - len(kernel) :]
    return [
        max((n - d * (k - 1) - 1) // s + 1, 0)
        for n, k, s, d in zip(lengths, kernel, stride, dilation, strict=True)
    ]


def windows(
    x: Array, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> Array:
    """The view ``(..., *kernel, *counts)`` of all windows over the last dimensions."""
    lead = x.ndim - len(kernel)
    steps = x.strides[lead:]
    return namespace(x).lib.stride_tricks.as_strided(
        x,
        (*x.shape[:lead], *kernel, *_counts(x.shape, kernel, stride, dilation)),
        (
            *x.strides[:lead],
            *(step * d for step, d in zip(steps, dilation, strict=True)),
            *(step * s for step, s in zip(steps, stride, strict=True)),
        ),
    )


def windows_sum(
    g: Array,
    shape: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> Array:
    """Zeros of `shape` with the windows `g` added where they lie: the gradient of `windows`."""
    out = namespace(g).zeros(tuple(shape), g.dtype)
    counts = g.shape[g.ndim - len(kernel) :]
    for tap in product(*map(range, kernel)):
        starts = [t * d for t, d in zip(tap, dilation, strict=True)]
        place = [
            slice(start, start + (n - 1) * s + 1, s) if n else slice(0, 0)
            for start, n, s in zip(starts, counts, stride, strict=True)
        ]
        target, source = (..., *place), (..., *tap, *(slice(None) for _ in kernel))
        out[target] += g[source]
    return out


# ---- Frames ----


def constant_pad_nd(x: Array, pad: Sequence[int], value: Any) -> Array:
    """`x` in a frame of `value`; negative widths cut off.

    Args:
        x: the array.
        pad: widths before and after, the last dimension first.
        value: what the frame is filled with.
    """
    widths = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)][::-1]
    widths = [(0, 0)] * (x.ndim - len(widths)) + widths
    shape = [n + before + after for n, (before, after) in zip(x.shape, widths, strict=True)]
    if min(shape, default=0) < 0:
        raise RuntimeError(
            f"The input size {list(x.shape)}, plus negative padding {list(pad)}, resulted in a "
            "negative output size, which is invalid."
        )
    inside = tuple(
        slice(max(before, 0), n - max(after, 0))
        for n, (before, after) in zip(shape, widths, strict=True)
    )
    kept = tuple(
        slice(max(-before, 0), n - max(-after, 0))
        for n, (before, after) in zip(x.shape, widths, strict=True)
    )
    xp = namespace(x)
    if tuple(k.stop - k.start for k in kept) == tuple(shape):
        return xp.array(x[kept])
    out = xp.full(tuple(shape), value, x.dtype)
    if 0 not in shape:
        out[inside] = x[kept]
    return out


# ---- Resampling ----


def resampled(
    x: Array, dim: int, index: np.ndarray[Any, Any], weight: np.ndarray[Any, Any] | None
) -> Array:
    """``out[i] = sum_t weight[i, t] * x[index[i, t]]`` along `dim`.

    Args:
        x: the array.
        dim: the dimension.
        index: integers of shape (out, taps), on the CPU.
        weight: of the same shape; None: there is one tap, and its weight is 1.
    """
    xp = namespace(x)
    if weight is None:
        return xp.take(x, xp.asarray(index[:, 0]), axis=dim)
    along = [1] * x.ndim
    along[dim] = len(index)
    out = None
    for tap in range(index.shape[1]):
        scale = xp.asarray(weight[:, tap].astype(x.dtype).reshape(along))
        term = xp.take(x, xp.asarray(index[:, tap]), axis=dim)
        term *= scale
        out = term if out is None else xp.add(out, term, out)
    return out


def resampled_sum(
    g: Array,
    dim: int,
    index: np.ndarray[Any, Any],
    weight: np.ndarray[Any, Any] | None,
    size: int,
) -> Array:
    """The adjoint of `resampled`, as the product with its matrix; `size` is that of its input."""
    xp = namespace(g)
    matrix = np.zeros((len(index), size), np.result_type(g.dtype, np.float32))
    np.add.at(matrix, (np.arange(len(index))[:, None], index), 1 if weight is None else weight)
    dim %= g.ndim
    planes = g.reshape(math.prod(g.shape[:dim]), len(index), math.prod(g.shape[dim + 1 :]))
    out = xp.matmul(xp.asarray(matrix.T), planes.astype(matrix.dtype, copy=False))
    return out.astype(g.dtype, copy=False).reshape(*g.shape[:dim], size, *g.shape[dim + 1 :])


# ---- Rows ----


def rows_at(x: Array, index: Array) -> Array:
    """``x[index]`` for integers of any shape."""
    return x[index, ...]
