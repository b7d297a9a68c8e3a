"""Whole slices by a vector of indices, and elements by a mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.backend import kernels_of
from rushlight.backend.common import number_for
from rushlight.ops._arguments import written
from rushlight.ops._registry import composed, op
from rushlight.ops.pointwise import Number
from rushlight.tensor import Tensor

# ---- Slices ----


@op(
    input=lambda K, g, input_shape, dim, index: K.index_add(
        K.new_zeros(g, input_shape), dim, index, g
    ),
    index=None,
)
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of `input` along `dim` that the vector `index` names.

    Raises:
        IndexError: for an index that is out of range.
        RuntimeError: for an index that is neither int32 nor int64.
    """


@op(
    input=lambda K, g: g,
    index=None,
    source=lambda K, g, dim, index, source_shape, alpha: K.reshape(
        K.mul(K.index_select(g, dim, index), alpha), source_shape
    ),
    inplace=True,
)
def index_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Number = 1
) -> Tensor:
    """A copy with `alpha` times the slices of `source` added where `index` names them.

    Args:
        input: what is copied.
        dim: the dimension that `index` counts along.
        index: a vector of int32 or int64; a place may occur several times.
        source: of the shape and dtype of `input`, but as long along `dim` as `index`.
        alpha: a factor.
    """


@op(
    input=lambda K, g, dim, index: K.index_fill(g, dim, index, 0),
    index=None,
    source=lambda K, g, dim, index, source_shape: K.reshape(
        K.index_select(g, dim, index), source_shape
    ),
    inplace=True,
)
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy with the slices of `source` written where the vector `index` names them."""


@op(
    input=lambda K, g, dim, index: K.index_fill(g, dim, index, 0),
    index=None,
    value=lambda K, g, dim, index: K.where(
        K.ne(K.index_fill(K.new_zeros(g, g.shape), dim, index, 1), 0), g, 0
    ),
    inplace=True,
)
def index_fill(input: Tensor, dim: int, index: Tensor, value: Tensor | Number) -> Tensor:
    """A copy with one value in the slices that the vector `index` names; it may count back."""


# ---- Masks ----


def _filled(K: Any, input: Any, mask: Any, value: Any) -> Any:
    if mask.dtype.kind != "b":
        raise RuntimeError(
            f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}"
        )
    if getattr(value, "ndim", 0):
        raise RuntimeError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.ndim} dimension(s)."
        )
    if hasattr(value, "shape"):
        value = K.cast(value, input.dtype)
    return K.where(mask, number_for(input.dtype, value), input)


@op(
    input=lambda K, g, mask: K.where(mask, 0, g),
    mask=None,
    value=lambda K, g, mask: K.where(mask, g, 0),
    forward=_filled,
    inplace=True,
)
def masked_fill(input: Tensor, mask: Tensor, value: Tensor | Number) -> Tensor:
    """A copy with `value`, a number or of no dimensions, where `mask` is true; both broadcast."""


@op(
    input=lambda K, g, input_shape, mask, mask_shape: K.masked_scatter(
        K.new_zeros(g, np.broadcast_shapes(input_shape, mask_shape)), mask, g
    ),
    mask=None,
)
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where `mask` is true, in one dimension; both broadcast."""


def _source_gradient(K: Any, g: Any, mask: Any, shape: tuple[int, ...]) -> Any:
    taken = K.masked_select(g, mask)
    flat = K.new_zeros(g, (int(np.prod(shape)),))
    return K.reshape(K.replaced(flat, (slice(taken.shape[0]),), None, taken), shape)


@op(
    input=lambda K, g, mask: K.where(mask, 0, g),
    mask=None,
    source=lambda K, g, mask, source_shape: _source_gradient(K, g, mask, source_shape),
    inplace=True,
)
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy with the elements where `mask` is true replaced, in order, by those of `source`."""


# ---- Positions ----


@composed()
def nonzero(input: Tensor, *, out: Tensor | None = None, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not 0: a row for each, or a tensor for each dimension.

    Args:
        input: of any type; with `as_tuple` a number counts as one dimension.
        out: where to write the rows.
        as_tuple: the columns, each as a tensor of its own, as an index takes them.
    """
    array = input._array
    if as_tuple and array.ndim == 0:
        array = array.reshape(1)
    rows = Tensor._wrap(kernels_of(array).nonzero(array))
    if as_tuple:
        return rows.unbind(1)
    return rows if out is None else written("nonzero", out, rows)


@composed()
def argwhere(input: Tensor) -> Tensor:
    """The indices of the elements that are not 0, a row for each."""
    rows: Tensor = nonzero(input)
    return rows


@composed()
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """The first `size` rows of `nonzero`, or as many and then rows of `fill_value`."""
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    array = input._array
    return Tensor._wrap(kernels_of(array).nonzero_static(array, size, fill_value))


@composed(method=False)
def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """For positions counted over all elements of a tensor of `shape` those along each dimension.

    Raises:
        TypeError: for positions that are no integers.
        ValueError: for a negative size.
    """
    if indices._array.dtype.kind not in "iu":
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(n < 0 for n in sizes):
        raise ValueError(f"'shape' cannot have negative values, but got {sizes}")
    places = []
    for size in reversed(sizes):
        places.append(indices % size)
        indices = indices // size
    return tuple(reversed(places))
