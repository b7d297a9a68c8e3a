"""Arrays from nothing, from the CPU, from each other; elements by index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.backend.cuda.checks import check_destination, refuse
from rushlight.backend.cuda.halves import computed_in
from rushlight.backend.cuda.pointwise import assign, converted, result_type
from rushlight.backend.cuda.runtime import cp

__all__ = [
    "arange",
    "asarray",
    "cat",
    "empty",
    "expand",
    "fill_",
    "full",
    "getitem",
    "index_add",
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


def getitem(x: Any, index: Any) -> Any:
    """``x[index]``: a view for ints, slices, None and Ellipsis, else a copy."""
    return x[_checked(x.shape, index)]


def replaced(x: Any, index: Any, value: Any) -> Any:
    """A copy of `x` with ``[index] = value``."""
    out = x.copy()
    replaced_(out, index, value)
    return out


def replaced_(x: Any, index: Any, value: Any) -> None:
    """``x[index] = value`` in place."""
    check_destination(x)
    if not isinstance(value, cp.ndarray):
        value = converted(value, x.dtype)
    try:
        x[_checked(x.shape, index)] = value
    except ValueError as error:
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(value.shape)} cannot be broadcast to "
            f"indexing result; {error}"
        ) from None


def fill_(x: Any, value: Any) -> None:
    """Writes one value everywhere."""
    assign(x, value)


def index_add(shape: Sequence[int], index: Any, g: Any) -> Any:
    """Zeros of `shape`, with `g` added at `index`; repeated places add up, in any order."""
    out = full(shape, 0, g.dtype)
    cp.add.at(out, _checked(shape, index), g)
    return out


def index_place(shape: Sequence[int], index: Any, g: Any) -> Any:
    """Zeros of `shape`, with `g` written at `index`, which names no place twice."""
    out = full(shape, 0, g.dtype)
    out[_checked(shape, index)] = g
    return out


def _checked(shape: Sequence[int], index: Any) -> Any:
    """The index with its arrays on the device.

    CuPy wraps indices that are out of bounds around, so they are read back and refused here.
    """
    items = index if isinstance(index, tuple) else (index,)
    if not any(hasattr(item, "dtype") for item in items):
        return index
    checked: list[Any] = []
    taken = sum(_dimensions(item) for item in items)
    dim = 0
    for item in items:
        if getattr(item, "ndim", 0) or hasattr(item, "get"):
            item = cp.asarray(item)
            _check_bounds(item, dim, shape)
        checked.append(item)
        dim += len(shape) - taken if item is Ellipsis else _dimensions(item)
    return tuple(checked)


def _dimensions(item: Any) -> int:
    """How many dimensions of an array an index takes."""
    if item is None or item is Ellipsis or isinstance(item, bool | np.bool_):
        return 0
    return item.ndim if getattr(item, "dtype", None) == np.bool_ else 1


def _check_bounds(item: Any, dim: int, shape: Sequence[int]) -> None:
    if item.dtype.kind not in "iu" or item.size == 0 or dim >= len(shape):
        return
    for extreme in (int(item.min()), int(item.max())):
        if not -shape[dim] <= extreme < shape[dim]:
            raise IndexError(
                f"index {extreme} is out of bounds for dimension {dim} with size {shape[dim]}"
            )
