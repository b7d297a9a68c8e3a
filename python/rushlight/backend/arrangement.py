"""Elements copied into another order or between zeros, over NumPy and CuPy arrays alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rushlight.backend.common import diagonal, namespace, out_of_place, windows
from rushlight.size import wrap

__all__ = [
    "diagonal_scatter",
    "flip",
    "repeat",
    "roll",
    "tril",
    "triu",
    "unfold_backward",
]

Array = Any


def flip(x: Array, dims: Sequence[int]) -> Array:
    """A copy with the order along `dims` reversed."""
    index: list[Any] = [slice(None)] * x.ndim
    for d in dims if x.ndim else ():
        index[d] = slice(None, None, -1)
    turned = (*index, ...)  # `...`: of no dimensions, an array too
    return x[turned].copy()


def roll(x: Array, shifts: Sequence[int], dims: Sequence[int]) -> Array:
    """A copy with the elements moved on along `dims`, or all in one row; the last come first."""
    return namespace(x).roll(x, tuple(shifts) if dims else shifts[0], tuple(dims) or None)


def repeat(x: Array, repeats: Sequence[int]) -> Array:
    """A copy, as many times along each dimension as `repeats` says."""
    return namespace(x).tile(x, tuple(repeats))


def tril(x: Array, diagonal: int) -> Array:
    """The lower triangle of the matrices in the last two dimensions, zeros elsewhere."""
    _check_matrix("tril", x)
    return namespace(x).tril(x, diagonal)


def triu(x: Array, diagonal: int) -> Array:
    """The upper triangle of the matrices in the last two dimensions, zeros elsewhere."""
    _check_matrix("triu", x)
    return namespace(x).triu(x, diagonal)


def _check_matrix(name: str, x: Array) -> None:
    if x.ndim < 2:
        raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")


def _write_diagonal(x: Array, src: Array, offset: int, dim1: int, dim2: int) -> None:
    view = diagonal(x, offset, dim1, dim2)
    if view.shape != src.shape:
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(src.shape)}, slice size = {list(view.shape)}"
        )
    view[...] = src


def diagonal_scatter(x: Array, src: Array, offset: int, dim1: int, dim2: int) -> Array:
    """A copy with `src` on a diagonal of two dimensions."""
    return _with_diagonal(x, src, offset, dim1, dim2)


_with_diagonal = out_of_place(_write_diagonal)


def unfold_backward(g: Array, shape: Sequence[int], dim: int, size: int, step: int) -> Array:
    """Zeros of `shape` to which the windows that `unfold` took are added back."""
    out = namespace(g).zeros(tuple(shape), g.dtype)
    dim = wrap(dim, len(shape))
    line = out if out.ndim else out.reshape(1)
    view = windows(line, dim, size, step)
    for i in range(size):  # within one of these, no two places are the same
        view[..., i] += g[..., i]
    return out
