"""Diagonals and triangles of matrices: written once for NumPy and CuPy."""

from __future__ import annotations

from typing import Any

__all__ = ["diag_embed", "tril", "triu"]


def tril(x: Any, diagonal: int) -> Any:
    """A copy with zeros above a diagonal."""
    return x.__array_namespace__().tril(x, diagonal)


def triu(x: Any, diagonal: int) -> Any:
    """A copy with zeros below a diagonal."""
    return x.__array_namespace__().triu(x, diagonal)


def diag_embed(x: Any, offset: int, dim1: int, dim2: int) -> Any:
    """Zeros with the last dimension of `x` on a diagonal of the new dimensions."""
    n = x.shape[-1] + abs(offset)
    xp = x.__array_namespace__()
    out = xp.zeros((*x.shape[:-1], n, n), x.dtype)
    index = xp.arange(x.shape[-1])
    out[..., index + max(-offset, 0), index + max(offset, 0)] = x
    return xp.moveaxis(out, (-2, -1), (dim1, dim2))
