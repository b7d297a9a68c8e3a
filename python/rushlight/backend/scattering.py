"""Elements read and written one by one, each at an index of its own, over NumPy and CuPy arrays.

A kernel ``<name>_`` writes into its first argument; ``<name>`` gives a copy with the same change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rushlight.backend.common import (
    check_bounds,
    named,
    namespace,
    number_for,
    out_of_place,
)
from rushlight.backend.folding import fold, occurrences, on_elements
from rushlight.size import wrap

__all__ = [
    "gather",
    "put",
    "put_",
    "scatter",
    "scatter_",
    "scatter_add",
    "scatter_add_",
    "scatter_reduce",
    "scatter_reduce_",
    "take",
]

Array = Any


def gather(x: Array, dim: int, index: Array) -> Array:
    """``out[i][j] = x[index[i][j]][j]`` for ``dim = 0``, and likewise for other dimensions."""
    dim = wrap(dim, x.ndim)
    if index.size == 0:
        return namespace(x).empty(index.shape, x.dtype)
    _check_integers("gather", index)
    source, places = _line(x), _line(index)
    if source.ndim != places.ndim:
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    for d, (n, m) in enumerate(zip(places.shape, source.shape, strict=True)):
        if n > m and d != dim:
            raise RuntimeError(
                f"Size does not match at dimension {d} expected index {list(index.shape)} to be no "
                f"larger than self {list(x.shape)} apart from dimension {dim}"
            )
    check_bounds(index, dim, source.shape[dim])
    return source.reshape(-1).take(_flat(source.shape, dim, places)).reshape(index.shape)


def scatter_(
    x: Array, dim: int, index: Array, src: Any = None, value: Any = None, reduce: str | None = None
) -> None:
    """``x[index[i][j]][j] = src[i][j]`` for ``dim = 0``; `src` may be a number, called `value`."""
    if reduce not in (None, "add", "multiply"):
        raise RuntimeError("reduce argument must be either add or multiply.")
    src = number_for(x.dtype, value if src is None else src)
    flat, values = _places_and_values(x, dim, index, src)

    def write(elements: Array) -> None:
        if reduce is None:
            elements[flat] = values
        else:
            terms = namespace(x).broadcast_to(namespace(x).asarray(values, x.dtype), flat.shape)
            fold(reduce, elements, flat, terms)

    on_elements(x, write)


def scatter_add_(x: Array, dim: int, index: Array, src: Array) -> None:
    """``x[index[i][j]][j] += src[i][j]`` for ``dim = 0``."""
    flat, values = _places_and_values(x, dim, index, src)
    on_elements(x, lambda elements: fold("add", elements, flat, values))


_UFUNCS = {"sum": "add", "mean": "add", "prod": "multiply", "amax": "maximum", "amin": "minimum"}


def scatter_reduce_(
    x: Array, dim: int, index: Array, src: Array, reduce: str, include_self: bool
) -> None:
    """The values of `src` with the same place in `x` combined, with `x` itself or instead of it."""
    if reduce not in _UFUNCS:
        raise RuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        )
    flat, values = _places_and_values(x, dim, index, src)

    def write(elements: Array) -> None:
        if include_self:
            fold(_UFUNCS[reduce], elements, flat, values)
        else:
            first, later = occurrences(flat)
            elements[flat[first]] = values[first]
            fold(_UFUNCS[reduce], elements, flat[later], values[later])
        if reduce == "mean":
            _divide(elements, flat, include_self)

    on_elements(x, write)


def _divide(sums: Array, flat: Array, include_self: bool) -> None:
    """By the number of terms; integers are rounded down."""
    xp = namespace(sums)
    counts = xp.full(sums.shape, int(include_self), "int64")
    fold("add", counts, flat, xp.ones(flat.shape, "int64"))
    counts = xp.maximum(counts, 1)
    means = sums // counts if sums.dtype.kind in "iu" else sums / counts
    sums[...] = means.astype(sums.dtype)


def take(x: Array, index: Array) -> Array:
    """The elements at `index`, counted over all of `x`; negative ones from the end."""
    _check_flat("take", x, index)
    if x.size == 0 and index.size:
        raise IndexError("take(): tried to take from an empty tensor")
    return x.reshape(-1)[index.reshape(-1)].reshape(index.shape)


def put_(x: Array, index: Array, source: Array, accumulate: bool) -> None:
    """Writes `source`, or adds it, at `index`, counted over all of `x`."""
    if x.dtype != source.dtype:
        raise RuntimeError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{named(x.dtype)} and source.dtype = {named(source.dtype)}"
        )
    if index.size != source.size:
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {source.size}, index.numel() = {index.size}"
        )
    _check_flat("put_", x, index)
    flat, values = index.reshape(-1), source.reshape(-1)

    def write(elements: Array) -> None:
        if accumulate:
            fold("add", elements, flat, values)
        else:
            elements[flat] = values

    on_elements(x, write)


scatter = out_of_place(scatter_)
scatter_add = out_of_place(scatter_add_)
scatter_reduce = out_of_place(scatter_reduce_)
put = out_of_place(put_)


# ---- Checks ----


def _check_integers(name: str, index: Array) -> None:
    if index.dtype.name not in ("int32", "int64"):
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index")


def _check_flat(name: str, x: Array, index: Array) -> None:
    if index.dtype.name != "int64":
        raise RuntimeError(
            f"{name}(): Expected a long tensor for index, but got {named(index.dtype)}"
        )
    if index.size:
        for found in (int(index.min()), int(index.max())):
            if x.size and not -x.size <= found < x.size:
                raise IndexError(
                    f"out of range: tried to access index {found} on a tensor of {x.size} elements."
                )


def _check_fit(x: Array, dim: int, index: Array, src: Array | None) -> None:
    """`index` must be nowhere larger than `x`, apart from `dim`, nor than `src`."""
    sizes = _line(index).shape
    for other, name in ((x, "self"), (src, "src")):
        if other is not None and len(sizes) != _line(other).ndim:
            raise RuntimeError(
                f"Index tensor must have the same number of dimensions as {name} tensor"
            )
    apart = [n <= m or d == dim for d, (n, m) in enumerate(zip(sizes, _line(x).shape, strict=True))]
    within = src is None or all(n <= m for n, m in zip(sizes, _line(src).shape, strict=True))
    if not (within and all(apart)):
        words = "" if src is None else f" and to be no larger size than src {list(src.shape)}"
        raise RuntimeError(
            f"Expected index {list(index.shape)} to be no larger than self {list(x.shape)} apart "
            f"from dimension {dim}{words}"
        )


# ---- Places ----


def _line(x: Array) -> Array:
    """With at least one dimension."""
    return x.reshape(1) if x.ndim == 0 else x


def _flat(shape: Sequence[int], dim: int, index: Array) -> Array:
    """Where in a contiguous array of `shape` the elements stand that `index` counts along `dim`."""
    xp = namespace(index)
    steps = [math.prod(shape[d + 1 :]) for d in range(len(shape))]
    flat = index.astype("int64") * steps[dim]
    for d, (n, step) in enumerate(zip(index.shape, steps, strict=True)):
        if d != dim:
            flat += (xp.arange(n) * step).reshape((-1,) + (1,) * (len(shape) - 1 - d))
    return flat


def _places_and_values(x: Array, dim: int, index: Array, src: Any) -> tuple[Array, Any]:
    """Of a scatter, in one dimension: where in the contiguous `x`, and what."""
    dim = wrap(dim, x.ndim)
    tensor = src if hasattr(src, "shape") else None
    if tensor is not None and tensor.dtype != x.dtype:
        raise RuntimeError("scatter(): Expected self.dtype to be equal to src.dtype")
    if index.size == 0:
        return index.astype("int64").reshape(-1), src if tensor is None else src.reshape(-1)[:0]
    _check_integers("scatter", index)
    _check_fit(x, dim, index, tensor)
    target, places = _line(x), _line(index)
    check_bounds(index, dim, target.shape[dim])
    if tensor is not None:
        src = _line(tensor)[tuple(slice(n) for n in places.shape)].reshape(-1)
    return _flat(target.shape, dim, places).reshape(-1), src
