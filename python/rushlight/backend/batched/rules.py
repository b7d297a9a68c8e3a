"""Kernels over batched arrays that belong to no family, and those at the border of vmap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from rushlight import _kernels
from rushlight.backend import common, kernels_of
from rushlight.backend.batched.array import Batched, Shape, Unsupported, inserted
from rushlight.backend.batched.lifted import (
    cannot_hold,
    each_sample,
    expanded,
    full_of,
    is_at,
    level_of,
    lined_up,
    plain,
)
from rushlight.backend.indexing import without_leading_ones
from rushlight.backend.levels import Level

Array = Any

# These ask nothing of an array but methods that a batched one has.
from rushlight.backend.common import (  # noqa: E402
    diagonal,
    narrow,
    permute,
    reshape,
    select,
    split,
    transpose,
    unbind,
    unsqueeze,
    view,
)

__all__ = [
    "diagonal",
    "narrow",
    "permute",
    "reshape",
    "select",
    "split",
    "transpose",
    "unbind",
    "unsqueeze",
    "view",
]


# ---- The border ----


def enter_batch(x: Array, level: Level, dim: int) -> Array:
    """The slices along `dim` as the samples of a batch."""
    if isinstance(x, Batched) and x.level.order > level.order:
        return Batched(enter_batch(x.full, level, dim + 1), x.level)
    K = kernels_of(x)
    order = (dim, *(d for d in range(x.ndim) if d != dim))
    return Batched(x if dim == 0 else K.permute(x, order), level)


def leave_batch(x: Array, level: Level, dim: int) -> Array:
    """The samples of a batch as the slices along `dim`; what they share is repeated."""
    if isinstance(x, Batched) and x.level.order > level.order:
        return Batched(leave_batch(x.full, level, dim + 1), x.level)
    full = expanded(x, level)
    if dim == 0:
        return full
    order = list(range(1, full.ndim))
    order.insert(dim, 0)
    return kernels_of(full).permute(full, order)


def spread(x: Array, shape: Sequence[int]) -> Array:
    """The reverse of `sum_to`: repeats elements up to a shape, whose batches count as well."""
    if isinstance(shape, Shape):
        level = shape.level
        if isinstance(x, Batched) and x.level.order > level.order:
            full = lined_up(x, x.level, len(shape))
            return Batched(spread(full, inserted(shape, x.level.size)), x.level)
        full = lined_up(x, level, len(shape)) if is_at(x, level) else x
        return Batched(spread(full, shape.full), level)
    return kernels_of(x).expand(x, shape)


# ---- Sizes and types ----


def full(base: Any, shape: Sequence[int], value: Any, dtype: Any) -> Array:
    """An array of one value; a batch for the shape of one, and for a value of one."""
    level = level_of(value)
    if level is None:
        return _new(shape, lambda sizes: base.full(sizes, value, dtype))
    if not isinstance(shape, Shape):
        shape = Shape((level.size, *shape), level)
    out = _new(shape, lambda sizes: base.full(sizes, 0, dtype))
    assign(out, value)
    return out


def empty(base: Any, shape: Sequence[int], dtype: Any) -> Array:
    """An array of undefined contents; a batch for the shape of one."""
    return _new(shape, lambda sizes: base.empty(sizes, dtype))


def _new(shape: Sequence[int], make: Callable[[tuple[int, ...]], Array]) -> Array:
    if isinstance(shape, Shape):
        return Batched(_new(shape.full, make), shape.level)
    return make(tuple(shape))


def leading(x: Array, level: Level) -> Batched:
    """A batch of arrays like `x`, of undefined contents."""
    K = kernels_of(x)
    return Batched(K.empty(inserted(x.shape, level.size), x.dtype), level)


def result_type(*operands: Any) -> Any:
    """The type that operands, each as one sample, promote to."""
    return _kernels.result_type(*map(plain, operands))


def cast(x: Batched, dtype: Any) -> Batched:
    """A copy of another element type."""
    return Batched(kernels_of(x.full).cast(x.full, dtype), x.level)


def copy(x: Batched, dtype: Any = None) -> Batched:
    """A contiguous copy."""
    K = kernels_of(x.full)
    return Batched(K.copy(x.full) if dtype is None else K.copy(x.full, dtype), x.level)


def asarray(x: Array) -> Array:
    """The array itself: where it lies is known already."""
    return x


def zeros_like(x: Batched) -> Batched:
    """Zeros of the shape and type of `x`."""
    return Batched(kernels_of(x.full).zeros_like(x.full), x.level)


def new_zeros(x: Batched, shape: Sequence[int]) -> Batched:
    """Zeros of the type of `x`, to start from."""
    sizes = _with_size(x.level.size, shape, x.level)
    return Batched(kernels_of(x.full).new_zeros(x.full, sizes), x.level)


def writable(x: Batched) -> bool:
    """Whether the elements may be written."""
    return bool(kernels_of(x.full).writable(x.full))


def expand(x: Batched, shape: Sequence[int]) -> Batched:
    """A view in which dimensions of size 1 repeat."""
    full = lined_up(x, x.level, max(x.ndim, len(shape)))
    return Batched(kernels_of(full).expand(full, (x.level.size, *shape)), x.level)


def sum_to(x: Batched, shape: Sequence[int]) -> Array:
    """The sum over what broadcasting from `shape` added: samples too, once vmap is over.

    While it runs they stay apart: there the gradient of a shared tensor is one for each sample.
    """
    level = x.level
    if level.ended and level not in getattr(shape, "levels", ()):
        total = kernels_of(x.full).sum(x.full, (0,), False)
        return kernels_of(total).sum_to(total, shape)
    added = x.ndim - len(shape)
    K = kernels_of(x.full)
    full = K.sum(x.full, tuple(range(1, added + 1)), False) if added > 0 else x.full
    return Batched(K.sum_to(full, _with_size(level.size, shape, level)), level)


def _with_size(size: int, shape: Sequence[int], level: Level) -> Sequence[int]:
    if isinstance(shape, Shape) and level is shape.level:
        return shape.full
    return inserted(shape, size)


def as_strided(x: Array, *args: Any) -> NoReturn:
    """Not supported: a sample lies within the memory of all."""
    raise Unsupported("vmap: as_strided has no form for a batch of samples")


def squeeze(x: Batched, dims: Sequence[int] | None) -> Batched:
    """A view without the dimensions of size 1, all or the given ones."""
    chosen = range(x.ndim) if dims is None else {d % max(x.ndim, 1) for d in dims}
    kept = tuple(n for d, n in enumerate(x.shape) if d not in chosen or n != 1)
    return x.reshape(kept, copy=False)


def flip(x: Batched, dims: Sequence[int]) -> Batched:
    """A copy with the order along `dims` reversed."""
    return Batched(kernels_of(x.full).flip(x.full, [d % x.ndim + 1 for d in dims]), x.level)


def cat(arrays: Sequence[Array], dim: int) -> Array:
    """The arrays one after the other along `dim`."""
    level = level_of(*arrays)
    assert level is not None
    fulls = [expanded(x, level) for x in arrays]
    return Batched(kernels_of(*fulls).cat(fulls, dim % arrays[0].ndim + 1), level)


# ---- Views by an index, and what is written there ----


def _within(index: Any) -> tuple[Any, ...]:
    """An index of a sample as one of all samples."""
    return (slice(None), *(index if isinstance(index, tuple) else (index,)))


def getitem(x: Batched, index: Any) -> Batched:
    """``x[index]``, a view."""
    return Batched(kernels_of(x.full).getitem(x.full, _within(index)), x.level)


def _copy_for(x: Array, *written: Any) -> Array:
    """A copy of all samples, at every level of what will be written into it."""
    level = level_of(x, *written)
    if level is None:
        return kernels_of(x).copy(x)
    below = [full_of(value, level) for value in written]
    return Batched(_copy_for(expanded(x, level), *below), level)


def replaced(x: Array, index: Any, indices: Any, value: Any) -> Array:
    """A copy of `x` with ``[index][indices] = value``."""
    out = _copy_for(x, value, *(indices or ()))
    replaced_(out, index, indices, value)
    return out


def replaced_(x: Array, index: Any, indices: Any, value: Any) -> None:
    """``x[index][indices] = value`` in place."""
    level = level_of(x, indices, value)
    assert level is not None
    if not is_at(x, level):
        raise cannot_hold("an indexed write")
    region = getitem(x, index)
    if indices is not None:
        write_at_(region, indices, value, False)
        return
    if hasattr(value, "shape"):
        value = lined_up(without_leading_ones(value), level, region.ndim)
    kernels_of(x.full, value).replaced_(x.full, _within(index), None, value)


def fill_(x: Array, value: Any) -> None:
    """Writes one value everywhere."""
    assign(x, common.number_for(x.dtype, value))


def assign(out: Array, x: Any) -> None:
    """Writes `x`, broadcast and converted, into `out`."""
    level = level_of(out, x)
    assert level is not None
    if not is_at(out, level):
        raise cannot_hold("a copy")
    full = lined_up(x, level, out.ndim)
    kernels_of(out.full, full).assign(out.full, full)


def written_(x: Array, src: Array) -> None:
    """Writes the elements of `src` into `x`, with broadcasting and conversion."""
    if src is not x:
        assign(x, src)


def index_place(shape: Sequence[int], index: Any, g: Batched) -> Batched:
    """Zeros of `shape`, with `g` written at `index`, which names no place twice."""
    sizes = _with_size(g.level.size, shape, g.level)
    return Batched(kernels_of(g.full).index_place(sizes, _within(index), g.full), g.level)


# ---- Arrays as indices ----


def _all_samples(indices: Sequence[Array | None], level: Level) -> tuple[Any, ...] | None:
    """Indices of a sample as those of all samples, whose dimension then stays the first.

    None where there are no such: for masks of each sample, and where NumPy would move dimensions.
    """
    at = [d for d, i in enumerate(indices) if i is not None]
    if at[-1] - at[0] >= len(at):
        return None
    if level_of(*indices) is not level:
        return (None, *indices)
    if at[0] > 0 or any(i.dtype.kind == "b" for i in indices):  # type: ignore[union-attr]
        return None
    ndim = max(i.ndim for i in indices)  # type: ignore[union-attr]
    samples = np.arange(level.size).reshape((-1,) + (1,) * ndim)
    return (samples, *(lined_up(i, level, ndim) for i in indices))


def _ndim_found(x: Array, indices: Sequence[Array | None]) -> int:
    """The dimensions of what index arrays find in a sample."""
    kinds = [(i.dtype.kind == "b", i.ndim) for i in indices if i is not None]
    taken = sum(ndim if mask else 1 for mask, ndim in kinds)
    common = max(1 if mask else ndim for mask, ndim in kinds)
    return int(x.ndim - taken + common)


def read_at(x: Array, indices: Sequence[Array | None]) -> Array:
    """``x[indices]``: a copy."""
    level = level_of(x, indices)
    assert level is not None
    places = _all_samples(indices, level)
    if places is None:
        return _read_each(x, tuple(indices))
    full = expanded(x, level)
    return Batched(kernels_of(full).read_at(full, places), level)


def write_at(x: Array, indices: Sequence[Array | None], values: Any, accumulate: bool) -> Array:
    """A copy of `x` with ``[indices] = values`` or, with repeated places adding up, ``+=``."""
    out = _copy_for(x, values, *indices)
    write_at_(out, indices, values, accumulate)
    return out


def write_at_(x: Array, indices: Sequence[Array | None], values: Any, accumulate: bool) -> None:
    """``x[indices] = values`` or, with repeated places adding up, ``+= values``."""
    level = level_of(x, indices, values)
    assert level is not None
    if not is_at(x, level):
        raise cannot_hold("an indexed write")
    places = _all_samples(indices, level)
    if places is None:
        _write_each(x, tuple(indices), values, accumulate)
        return
    if hasattr(values, "shape"):
        values = lined_up(without_leading_ones(values), level, _ndim_found(x, indices))
    kernels_of(x.full, values).write_at_(x.full, places, values, accumulate)


_read_each = each_sample("read_at")
_write_each = each_sample("write_at_")


# ---- Products ----


def matmul(x: Array, y: Array) -> Array:
    """The matrix product, with NumPy's rules for vectors and for batches."""
    level = level_of(x, y)
    assert level is not None
    if not x.ndim or not y.ndim:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {x.ndim}D and {y.ndim}D"
        )
    if y.ndim == 2 and not is_at(y, level):  # one product of all rows
        return Batched(kernels_of(x.full, y).matmul(x.full, y), level)
    row, column = x.ndim == 1, y.ndim == 1
    x = common.unsqueeze(x, 0) if row else x
    y = common.unsqueeze(y, 1) if column else y
    ndim = max(x.ndim, y.ndim)
    a, b = lined_up(x, level, ndim), lined_up(y, level, ndim)
    out = kernels_of(a, b).matmul(a, b)
    if row:
        out = out.reshape((*out.shape[:-2], out.shape[-1]))
    if column:
        out = out.reshape(out.shape[:-1])
    return Batched(out, level)


def linear(x: Array, weight: Array, bias: Array) -> Array:
    """``x @ weight.T + bias``."""
    level = level_of(x, weight, bias)
    assert level is not None
    if is_at(x, level) and not is_at(weight, level) and not is_at(bias, level):
        rows = x.full.reshape((-1, x.full.shape[-1]))
        out = kernels_of(rows, weight).linear(rows, weight, bias)
        return Batched(out.reshape((*x.full.shape[:-1], out.shape[-1])), level)
    product = _kernel("matmul", x, transpose(weight, -2, -1))
    return _kernel("add", product, bias)


def _kernel(name: str, *arrays: Array) -> Array:
    return getattr(kernels_of(*arrays), name)(*arrays)
