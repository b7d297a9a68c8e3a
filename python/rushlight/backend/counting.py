"""Counting and searching over NumPy and CuPy arrays: runs, bins, places in an order."""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.backend.common import namespace
from rushlight.dtypes import plain

__all__ = ["bincount", "isin", "lexical_order", "most_frequent", "runs", "searchsorted", "shifted"]

Array = Any


def shifted(x: Array, dim: int, steps: int, fill: float) -> Array:
    """The elements moved on along `dim`; what moves in has the value `fill`."""
    out = namespace(x).full(x.shape, fill, x.dtype)
    n = x.shape[dim] if x.ndim else 1
    kept = n - abs(steps)
    if kept > 0 and x.ndim:
        source, target = max(-steps, 0), max(steps, 0)
        around = (slice(None),) * (dim % x.ndim)
        part = (*around, slice(source, source + kept))
        place = (*around, slice(target, target + kept))
        out[place] = x[part]
    return out


# ---- Runs of equal elements ----


def runs(x: Array, numbered: bool) -> tuple[Array, Array, Array | None]:
    """Where runs of equal slices of the first dimension start, their lengths, and each one's run.

    The last only if `numbered`.
    """
    xp = namespace(x)
    x = plain(x)
    n = x.shape[0]
    differs = x[1:] != x[:-1]
    new = xp.ones((n,), bool)
    new[1:] = differs.any(axis=tuple(range(1, x.ndim))) if x.ndim > 1 else differs
    starts = xp.nonzero(new)[0]
    ends = xp.concatenate([starts[1:], xp.full((min(n, 1),), n, starts.dtype)])
    return starts, ends - starts, new.cumsum() - 1 if numbered else None


def lexical_order(rows: Array) -> Array:
    """The order of rows, by their first elements that differ."""
    xp = namespace(rows)
    return xp.lexsort(plain(rows)[:, ::-1].T) if rows.shape[1] else xp.arange(rows.shape[0])


def most_frequent(values: Array, positions: Array, dim: int) -> tuple[Array, Array]:
    """The most frequent of sorted elements along `dim`, the least of several; its last place."""
    if values.ndim == 0:
        return values, positions
    xp = namespace(values)
    values, positions = values.swapaxes(dim, -1), positions.swapaxes(dim, -1)
    n = values.shape[-1]
    # The length of each run so far: the distance to the start of the run, which is the number of
    # elements before the first one that is not less.
    counts = xp.arange(1, n + 1) - _starts(plain(values))
    last = counts.argmax(axis=-1)[..., None]
    most, places = (xp.take_along_axis(x, last, -1) for x in (values, positions))
    return most.swapaxes(dim, -1), places.swapaxes(dim, -1)


def _starts(values: Array) -> Array:
    """For each of the sorted elements in the last dimension, where its run starts."""
    xp = namespace(values)
    new = xp.ones(values.shape, bool)
    new[..., 1:] = values[..., 1:] != values[..., :-1]
    flat = xp.nonzero(new.reshape(-1))[0]
    return flat[new.reshape(-1).cumsum() - 1].reshape(values.shape) % max(values.shape[-1], 1)


# ---- Bins ----


def bincount(x: Array, weights: Array | None, minlength: int) -> Array:
    """How often each number occurs, or the sums of the weights of its occurrences."""
    counts = namespace(x).bincount(x, weights, minlength)
    return counts if weights is None else counts.astype(weights.dtype, copy=False)


def isin(x: Array, values: Array, invert: bool) -> Array:
    """Whether each element is one of `values`."""
    return namespace(x).isin(plain(x), plain(values), invert=invert).reshape(x.shape)


def searchsorted(boundaries: Array, x: Array, right: bool) -> Array:
    """How many of the sorted `boundaries` in the last dimension are below each element.

    Args:
        boundaries: in one dimension, or with the other dimensions of `x`.
        x: the elements to place.
        right: count boundaries that equal an element as well.
    """
    xp = namespace(x)
    boundaries, x = plain(boundaries), plain(x)
    if boundaries.ndim == 1:
        places = xp.searchsorted(boundaries, x, "right" if right else "left")
        return xp.asarray(places).reshape(x.shape).astype(np.int64, copy=False)
    n = boundaries.shape[-1]
    low, high = xp.zeros(x.shape, np.int64), xp.full(x.shape, n, np.int64)
    for _ in range(n.bit_length()):  # halves the range of every element at once
        middle = (low + high) // 2
        found = xp.take_along_axis(boundaries, xp.minimum(middle, n - 1), -1)
        above = (found <= x) if right else (found < x)
        above = above & (low < high)
        low, high = xp.where(above, middle + 1, low), xp.where(above, high, middle)
    return low
