"""Shims, to be replaced."""

from __future__ import annotations

from typing import Any

__all__ = ["gather", "new_zeros", "scatter_add"]

Array = Any


def namespace(x: Array) -> Any:
    return x.__array_namespace__()


def new_zeros(x: Array, shape: tuple[int, ...]) -> Array:
    return namespace(x).zeros(shape, x.dtype)


def gather(x: Array, dim: int, index: Array) -> Array:
    if x.ndim == 0:
        return x.copy()
    return namespace(x).take_along_axis(x, index, dim)


def scatter_add(x: Array, dim: int, index: Array, src: Array) -> Array:
    xp = namespace(x)
    out = x.copy()
    if out.ndim == 0:
        out += src
        return out
    grid = [
        xp.arange(n).reshape((-1,) + (1,) * (index.ndim - 1 - d)) for d, n in enumerate(index.shape)
    ]
    grid[dim] = index
    xp.add.at(out, tuple(grid), src)
    return out
