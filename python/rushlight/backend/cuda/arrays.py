"""Arrays from nothing, from the CPU, from each other; elements by index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.backend import common, indexing
from rushlight.backend.common import getitem
from rushlight.backend.cuda.checks import check_destination, refuse
from rushlight.backend.cuda.halves import computed_in
from rushlight.backend.cuda.pointwise import assign, result_type
from rushlight.backend.cuda.runtime import cp
from rushlight.backend.indexing import write_at_

__all__ = [
    "arange",
    "asarray",
    "cat",
    "empty",
    "expand",
    "fill_",
    "full",
    "index_place",
    "replaced",
    "replaced_",
    "sum_to",
    "to_cpu",
    "view_of_bytes",
    "written_",
]


def empty(shape: Sequence[int], dtype: np.dtype[Any]) -> Any:
    """An array of undefined contents in pooled memory."""
    if any(n < 0 for n in shape):
        refuse("empty", shape, dtype)
    return cp.empty(tuple(shape), dtype)


def full(shape: Sequence[int], value: Any, dtype: np.dtype[Any]) -> Any:
    """A new array of one value."""
    out = empty(shape, dtype)
    assign(out, value)
    return out


def written_(x: Any, src: Any) -> None:
    """Writes the elements of `src` into `x`, with broadcasting and conversion."""
    assign(x, src)


def arange(start: float, end: float, step: float, dtype: np.dtype[Any]) -> Any:
    """``start + i * step`` for every i that stays before `end`."""
    return cp.arange(start, end, step, dtype=dtype)


def asarray(values: np.ndarray[Any, Any]) -> Any:
    """An array on the current device from one on the CPU."""
    return cp.asarray(values)


def to_cpu(x: Any) -> np.ndarray[Any, Any]:
    """A copy in the CPU's memory."""
    return x.get()  # type: ignore[no-any-return]


def view_of_bytes(
    x: Any, dtype: np.dtype[Any], offset: int, shape: Sequence[int], strides: Sequence[int]
) -> Any:
    """A view of an array of bytes as elements; `offset` and `strides` count elements.

    The caller has checked that it lies within the bytes.
    """
    whole = x.size - x.size % dtype.itemsize
    elements = x[:whole].view(dtype)[offset:]
    steps = [s * dtype.itemsize for s in strides]
    return cp.lib.stride_tricks.as_strided(elements, tuple(shape), steps)


def expand(x: Any, shape: Sequence[int]) -> Any:
    """A view with dimensions of size 1 repeated; -1 keeps a size."""
    added = len(shape) - x.ndim
    if added < 0:
        refuse("expand", x, shape)
    sizes = [1] * added + list(x.shape)
    pairs = enumerate(zip(sizes, shape, strict=True))
    target = [n if want == -1 and d >= added else want for d, (n, want) in pairs]
    if any(w != n and (n != 1 or w < 0) for n, w in zip(sizes, target, strict=True)):
        refuse("expand", x, shape)
    return cp.broadcast_to(x, tuple(target))


def sum_to(x: Any, shape: Sequence[int]) -> Any:
    """The sum over the dimensions that broadcasting from `shape` added or repeated."""
    added = x.ndim - len(shape)
    repeated = [d + added for d, n in enumerate(shape) if n == 1 and x.shape[d + added] != 1]
    dims = (*range(added), *repeated)
    if not dims:
        return x.reshape(shape)
    return x.sum(axis=dims, dtype=computed_in(x.dtype)).astype(x.dtype, copy=False).reshape(shape)


def cat(arrays: Sequence[Any], dim: int) -> Any:
    """The arrays one after the other along `dim`, in their common type."""
    dtype = result_type(*arrays)
    return cp.concatenate([x.astype(dtype, copy=False) for x in arrays], dim)


# ---- Elements by index ----


def index_place(shape: Sequence[int], index: Any, g: Any) -> Any:
    """Zeros of `shape`, with `g` written at `index`, which names no place twice."""
    out = full(shape, 0, g.dtype)
    out[index] = g
    return out


def replaced_(x: Any, index: Any, indices: Any, value: Any) -> None:
    """``x[index][indices] = value`` in place."""
    check_destination(x)
    view = getitem(x, index)
    if indices is not None:
        write_at_(view, indices, value, False)
        return
    if view.shape != getattr(value, "shape", view.shape):
        value = expand(indexing.without_leading_ones(value), view.shape)
    assign(view, value)


def fill_(x: Any, value: Any) -> None:
    """Writes one value everywhere."""
    assign(x, common.number_for(x.dtype, value))


replaced = common.out_of_place(replaced_)
