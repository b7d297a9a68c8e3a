"""Slices, masks and tuples of index arrays, over NumPy and CuPy arrays alike.

A kernel ``<name>_`` writes into its first argument; ``<name>`` gives a copy with the same change.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight import _kernels
from rushlight.backend.common import (
    SHARED_MEMORY,
    check_bounds,
    named,
    namespace,
    number_for,
    out_of_place,
    outside,
)
from rushlight.backend.folding import add_at, add_slices
from rushlight.size import wrap

__all__ = [
    "index_add",
    "index_add_",
    "index_copy",
    "index_copy_",
    "index_fill",
    "index_fill_",
    "index_select",
    "masked_scatter",
    "masked_select",
    "nonzero",
    "nonzero_static",
    "read_at",
    "write_at",
    "write_at_",
]

Array = Any


# ---- Slices ----


def index_select(x: Array, dim: int, index: Array) -> Array:
    """The slices of `x` along `dim` that the vector `index` names."""
    dim = wrap(dim, x.ndim)
    if index.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if index.dtype.name not in ("int32", "int64"):
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    if x.ndim == 0 and index.size != 1:
        raise RuntimeError(
            f"index_select(): Index to scalar can have only 1 value, got {index.size} value(s)"
        )
    if outside(index, x.shape[dim] if x.ndim else 1) is not None:
        raise IndexError("index out of range in self")
    return x.copy() if x.ndim == 0 else x.take(index.reshape(-1), axis=dim)


def check_source(name: str, x: Array, dim: int, index: Array, source: Array) -> None:
    """Raises what `index_add` and `index_reduce` do for a source that does not fit."""
    if index.ndim > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector, but got dim: {index.ndim}")
    if index.dtype.name not in ("int32", "int64"):
        raise RuntimeError(
            f"{name}(): Expected dtype int32/int64 for index but got: {named(index.dtype)}"
        )
    if x.dtype != source.dtype:
        raise RuntimeError(
            f"{name}(): self ({named(x.dtype)}) and source ({named(source.dtype)}) must have the "
            "same scalar type"
        )
    slices = [(*a.shape[:dim], *a.shape[dim + 1 :]) for a in (x, source)]
    if x.ndim != source.ndim or slices[0] != slices[1]:
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. "
            f"Got self.shape = {list(x.shape)} source.shape = {list(source.shape)}"
        )
    count = source.shape[dim] if source.ndim else 1
    if index.size != count:
        raise RuntimeError(
            f"{name}(): Number of indices ({index.size}) should be equal to source.size(dim): "
            f"({count}), for dim: {dim}"
        )


def index_add_(x: Array, dim: int, index: Array, source: Array, alpha: Any = 1) -> None:
    """Adds `alpha` times the slices of `source` to those of `x` that the vector `index` names."""
    dim = wrap(dim, x.ndim)
    check_source("index_add_", x, dim, index, source)
    check_bounds(index, dim, x.shape[dim] if x.ndim else 1)
    rows, terms = (x, source) if x.ndim else (x.reshape(1), source.reshape(1))
    if alpha != 1:
        terms = terms * x.dtype.type(alpha)
    add_slices(rows, dim, index.reshape(-1), terms)


def index_copy_(x: Array, dim: int, index: Array, source: Array) -> None:
    """Writes the slices of `source` over those of `x` that the vector `index` names."""
    dim = wrap(dim, x.ndim)
    _check_copy(x, dim, index, source)
    if (found := outside(index, x.shape[dim] if x.ndim else 1)) is not None:
        raise IndexError(
            f"index_copy_(): index {found} is out of bounds for dimension {dim} with size "
            f"{x.shape[dim] if x.ndim else 1}"
        )
    if x.ndim == 0:
        x[...] = source.reshape(())
    else:
        places = (*(slice(None),) * dim, index.reshape(-1))
        x[places] = source


def _check_copy(x: Array, dim: int, index: Array, source: Array) -> None:
    if index.ndim > 1:
        raise IndexError(f"index_copy_(): Index should have dimension 1 or 0 (got {index.ndim})")
    if x.ndim and source.ndim and x.ndim != source.ndim:
        raise IndexError(
            "index_copy_(): When source and destination are not scalars, their dimensionality "
            f"must match. Source dimensionality ({source.ndim}), destination dimensionality "
            f"({x.ndim})"
        )
    if index.dtype.name != "int64":
        raise RuntimeError(
            f"index_copy_(): Expected a long tensor for index, but got {named(index.dtype)}"
        )
    if x.dtype != source.dtype:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{named(x.dtype)} and (source) {named(source.dtype)}"
        )
    slices = [(*a.shape[:dim], *a.shape[dim + 1 :]) for a in (x, source)]
    if slices[0] != slices[1]:
        raise RuntimeError(
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination "
            f"slice shape: {_spaced(slices[0])} at dimension {dim} and source slice shape: "
            f"{_spaced(slices[1])} at dimension {dim}."
        )
    count = source.shape[dim] if source.ndim else 1
    if index.size != count:
        raise IndexError(
            f"index_copy_(): Number of indices ({index.size}) should be equal to "
            f"source.size(dim) ({count})"
        )


def _spaced(sizes: Sequence[int]) -> str:
    return " ".join(map(str, sizes))


def index_fill_(x: Array, dim: int, index: Array, value: Any) -> None:
    """Writes one value over the slices of `x` that the vector `index` names."""
    dim = wrap(dim, x.ndim)
    if index.dtype.name != "int64":
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    if index.ndim > 1:
        raise RuntimeError("Index has to be a vector/scalar")
    size = x.shape[dim] if x.ndim else 1
    for found in (int(index.min()), int(index.max())) if index.size else ():
        if not -size <= found < size:
            raise IndexError(f"index {found} is out of bounds for dimension {dim} with size {size}")
    if getattr(value, "ndim", 0):
        raise RuntimeError(
            "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.ndim} dimension(s)."
        )
    rows, value = x if x.ndim else x.reshape(1), number_for(x.dtype, value)
    places = (*(slice(None),) * dim, index.reshape(-1))
    rows[places] = value


index_add = out_of_place(index_add_)
index_copy = out_of_place(index_copy_)
index_fill = out_of_place(index_fill_)


# ---- Masks ----


def masked_select(x: Array, mask: Array) -> Array:
    """The elements where `mask` is true, in one dimension; both broadcast."""
    if mask.dtype.kind != "b":
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    mask, x = broadcast(mask, x)
    return x[mask]


def masked_scatter(x: Array, mask: Array, source: Array) -> Array:
    """A copy of `x` with the elements where `mask` is true replaced, in order, by `source`'s."""
    if mask.dtype.kind != "b":
        raise RuntimeError(
            "masked_scatter_ only supports boolean masks, but got mask with dtype "
            f"{named(mask.dtype)}"
        )
    if x.dtype != source.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got"
            f"{named(x.dtype)} and {named(source.dtype)}"
        )
    x, mask = broadcast(x, mask)
    count = int(mask.sum())
    if source.size < count:
        raise RuntimeError("Number of elements of source < number of ones in mask")
    out = x.copy()
    out[mask] = source.reshape(-1)[:count]
    return out


def nonzero(x: Array) -> Array:
    """The indices of the elements that are not zero, a row for each."""
    return namespace(x).argwhere(x if x.ndim else x.reshape(1))[:, : x.ndim]


def nonzero_static(x: Array, size: int, fill_value: int) -> Array:
    """The first `size` rows of `nonzero`, or as many and then rows of `fill_value`."""
    out = namespace(x).full((size, x.ndim), fill_value, "int64")
    rows = nonzero(x)[:size]
    out[: len(rows)] = rows
    return out


def broadcast(x: Array, y: Array) -> tuple[Array, Array]:
    """Two arrays as views of one shape."""
    if x.shape == y.shape:
        return x, y
    for d, (n, m) in enumerate(zip(x.shape[::-1], y.shape[::-1])):  # noqa: B905 - ranks differ
        if n != m and 1 not in (n, m):
            raise RuntimeError(
                f"The size of tensor a ({n}) must match the size of tensor b ({m}) at "
                f"non-singleton dimension {max(x.ndim, y.ndim) - 1 - d}"
            )
    shape = np.broadcast_shapes(x.shape, y.shape)
    xp = namespace(x)
    return xp.broadcast_to(x, shape), xp.broadcast_to(y, shape)


# ---- A tuple of arrays, one for each dimension or None for all of it ----


_ALL = slice(None)


def _or_of_batches(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """The kernel, or vmap's of the same name where a batch is among the indices."""

    @functools.wraps(kernel)
    def chosen(x: Array, indices: Sequence[Any], *args: Any) -> Any:
        for array in indices:
            if array is not None and hasattr(array, "kernels"):
                return getattr(array.kernels, kernel.__name__)(x, indices, *args)
        return kernel(x, indices, *args)

    return chosen


def _one_array(x: Array, indices: Sequence[Array | None]) -> Array:
    """What the indices find; `take` is the quicker way where one array is among them."""
    *before, last = indices
    if last is not None and last.dtype.kind != "b" and all(i is None for i in before):
        return x.take(last, axis=len(before))
    return x[_as_index(x, indices)]


def _contiguous(x: Array) -> Array:
    """NumPy's result may follow the order in which it went through the indices."""
    return x if x.flags.c_contiguous else _kernels.copy(x)


@_or_of_batches
def read_at(x: Array, indices: Sequence[Array | None]) -> Array:
    """``x[indices]``: a copy."""
    index = _as_index(x, indices)
    if type(x) is np.ndarray:
        try:
            return _contiguous(_one_array(x, indices) if len(indices) > 1 else x[index])
        except IndexError:  # also where PyTorch finds nothing and looks at no index
            pass
    places = _Places(x, indices)
    if 0 in places.shape:
        return namespace(x).empty(places.shape, x.dtype)
    places.check_bounds()
    return x[index]


@_or_of_batches
def write_at_(x: Array, indices: Sequence[Array | None], values: Any, accumulate: bool) -> None:
    """``x[indices] = values`` or, with repeated places adding up, ``+= values``."""
    index = _as_index(x, indices)
    if hasattr(values, "shape"):
        values = without_leading_ones(values)
        arrays = [i for i in indices if i is not None]
        if values.size == 1 and len(arrays) == 1 and arrays[0].dtype.kind == "b":
            values = values.astype(x.dtype)  # one number through a mask may be of any type
    if isinstance(x, np.ndarray) and getattr(values, "dtype", x.dtype) == x.dtype:
        try:
            return _write(x, index, values, accumulate)
        except (IndexError, TypeError, ValueError):
            pass
    places = _Places(x, indices)
    places.check_values(x, values)
    if 0 not in places.shape:
        places.check_bounds()
        _write(x, index, values, accumulate)
    return None


write_at = _or_of_batches(out_of_place(write_at_.__wrapped__))  # type: ignore[attr-defined]


def _as_index(x: Array, indices: Sequence[Array | None]) -> tuple[Any, ...]:
    if type(x) is np.ndarray:
        return tuple([_ALL if i is None else i for i in indices])
    place = namespace(x).asarray  # an index on the CPU goes with any device
    return tuple([_ALL if i is None else place(i) for i in indices])


def without_leading_ones(values: Array) -> Array:
    """As PyTorch takes a value to write: without first dimensions of size 1."""
    leading = 0
    while leading < values.ndim and values.shape[leading] == 1:
        leading += 1
    return values.reshape(values.shape[leading:])


def _write(x: Array, index: tuple[Any, ...], values: Any, accumulate: bool) -> None:
    if not accumulate:
        x[index] = values
        return
    *before, last = index
    if not (
        isinstance(x, np.ndarray) and last.dtype.kind == "i" and all(i is _ALL for i in before)
    ):
        add_at(x, index, values)
        return
    dim = len(before)
    places = np.where(last < 0, last + x.shape[dim], last).reshape(-1)
    if outside(places, x.shape[dim]) is not None:
        raise IndexError("index out of range in self")
    rest = x.shape[dim + 1 :]
    slices = np.broadcast_to(values, (*x.shape[:dim], *last.shape, *rest))
    add_slices(x, dim, places, slices.reshape(*x.shape[:dim], places.size, *rest))


class _Places:
    """What a tuple of arrays finds, with PyTorch's checks in PyTorch's order.

    Attributes:
        shape: of what is found.
    """

    def __init__(self, x: Array, indices: Sequence[Array | None]) -> None:
        dims: list[int] = []
        self._arrays: list[Array] = []
        dim = 0
        for item in indices:
            if item is None:
                dim += 1
                continue
            taken = item.nonzero() if item.dtype.kind == "b" else (item,)
            self._arrays += taken
            dims += range(dim, dim + len(taken))
            dim += len(taken)
        try:
            common = np.broadcast_shapes(*(a.shape for a in self._arrays))
        except ValueError:
            shapes = ", ".join(str(list(a.shape)) for a in self._arrays)
            raise IndexError(
                "shape mismatch: indexing tensors could not be broadcast together with shapes "
                f"{shapes}"
            ) from None
        self._sizes = [(d, x.shape[d]) for d in dims]
        if 0 not in common and any(size == 0 for _, size in self._sizes):
            raise IndexError("index is out of bounds for dimension with size 0")
        rest = [n for d, n in enumerate(x.shape) if d not in dims]
        # The common shape stands where the arrays did, or first if other dimensions part them.
        start = dims[0] if dims == list(range(dims[0], dims[-1] + 1)) else 0
        self.shape = (*rest[:start], *common, *rest[start:])

    def check_values(self, x: Array, values: Any) -> None:
        """Raises RuntimeError for values of another shape or type."""
        if not hasattr(values, "shape"):
            return
        try:
            np.broadcast_to(np.empty(values.shape, bool), self.shape)
        except ValueError:
            raise RuntimeError(
                f"shape mismatch: value tensor of shape {list(values.shape)} cannot be broadcast "
                f"to indexing result of shape {list(self.shape)}"
            ) from None
        if values.dtype != x.dtype:
            raise RuntimeError(
                "Index put requires the source and destination dtypes match, got "
                f"{named(x.dtype)} for the destination and {named(values.dtype)} for the source."
            )
        if isinstance(x, np.ndarray) and not x.flags.writeable:
            raise RuntimeError(SHARED_MEMORY)

    def check_bounds(self) -> None:
        """Raises IndexError for an index that is out of bounds; negative ones count back."""
        for array, (dim, size) in zip(self._arrays, self._sizes, strict=True):
            for extreme in (int(array.min()), int(array.max())):
                if not -size <= extreme < size:
                    raise IndexError(
                        f"index {extreme} is out of bounds for dimension {dim} with size {size}"
                    )
