"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import Any

from rushlight.ops._registry import op
from rushlight.ops.shape import wrap
from rushlight.tensor import Tensor


def _diagonal_gradient(
    K: Any, g: Any, shape: tuple[int, ...], offset: int, dim1: int, dim2: int
) -> Any:
    """Zeros of `shape` with `g` on the diagonal."""
    rows, columns = shape[dim1], shape[dim2]
    n, ndim = g.shape[-1], len(shape)
    above, left = max(-offset, 0), max(offset, 0)
    square = K.diag_embed(g, 0, -2, -1)
    batch = tuple(g.shape[:-1])
    index = (..., slice(above, above + n), slice(left, left + n))
    placed = K.index_place((*batch, rows, columns), index, square)
    order = [d for d in range(ndim) if d not in (dim1 % ndim, dim2 % ndim)]
    order += [dim1 % ndim, dim2 % ndim]
    return K.permute(placed, tuple(order.index(d) for d in range(ndim)))


@op(
    input=lambda K, g, input_shape, offset, dim1, dim2: _diagonal_gradient(
        K, g, input_shape, offset, dim1, dim2
    ),
    forward=lambda K, input, offset, dim1, dim2: _diagonal(K, input, offset, dim1, dim2),
    view=True,
)
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The view of a diagonal of two dimensions, as the last dimension."""


def _diagonal(K: Any, input: Any, offset: int, dim1: int, dim2: int) -> Any:
    first, second = wrap(dim1, input.ndim), wrap(dim2, input.ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return K.diagonal(input, offset, first, second)


@op(
    input=lambda K, g, offset, dim1, dim2: K.diagonal(g, offset, dim1, dim2),
    forward=lambda K, input, offset, dim1, dim2: K.diag_embed(input, offset, dim1, dim2),
)
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Zeros with the last dimension of `input` on a diagonal of two new dimensions."""


@op(input=lambda K, g, diagonal: K.tril(g, diagonal), inplace=True)
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The matrices with zeros above the diagonal that lies `diagonal` above the main one."""


@op(input=lambda K, g, diagonal: K.triu(g, diagonal), inplace=True)
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The matrices with zeros below the diagonal that lies `diagonal` above the main one."""
