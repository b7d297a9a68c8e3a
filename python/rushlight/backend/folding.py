"""Several values into one place: NumPy's ``ufunc.at``, and what stands for it in CuPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight import _kernels
from rushlight.backend.common import namespace

Array = Any


def fold(ufunc: str, x: Array, index: Array, values: Array) -> None:
    """``x[index] = ufunc(x[index], values)``, value after value where an index is repeated.

    Args:
        ufunc: ``"add"``, ``"multiply"``, ``"maximum"`` or ``"minimum"``.
        x: one dimension, changed.
        index: int64, not negative.
        values: one for each index, or a number.
    """
    xp = namespace(x)
    if ufunc == "add" and x.dtype.kind == "b":
        ufunc = "maximum"
    combine = getattr(xp, ufunc)
    if isinstance(x, np.ndarray) or (ufunc == "add" and x.dtype.name in ("float32", "float64")):
        combine.at(x, index, values)
        return
    while index.size:  # CuPy has no more than that: in each round, the first value of every place
        first, later = occurrences(index)
        places = index[first]
        x[places] = combine(x[places], values[first])
        index, values = index[later], values[later]


def occurrences(index: Array) -> tuple[Array, Array]:
    """The positions of the first occurrence of each index, and a mask of all the others."""
    xp = namespace(index)
    first = xp.unique(index, return_index=True)[1]
    later = xp.ones(index.shape, bool)
    later[first] = False
    return first, later


def on_elements(x: Array, write: Callable[[Array], None]) -> None:
    """Calls `write` with the elements of `x` in one dimension, whatever its strides."""
    if x.flags.c_contiguous:
        write(x.reshape(-1))
        return
    elements = x.copy().reshape(-1)
    write(elements)
    x[...] = elements.reshape(x.shape)


def add_slices(x: Array, dim: int, index: Array, source: Array) -> None:
    """``x[index] += source`` along `dim`, where repeated places add up.

    Args:
        x: an array, changed.
        dim: from the front.
        index: a vector of integers, not negative.
        source: as `x`, but as long along `dim` as `index`.
    """
    if (
        isinstance(x, np.ndarray)
        and x.dtype.name in ("float32", "float64")
        and x.flags.c_contiguous
    ):
        shape = (math.prod(x.shape[:dim]), -1, math.prod(x.shape[dim + 1 :]))
        if math.prod(source.shape):
            places = np.ascontiguousarray(index, np.int64)
            terms = np.ascontiguousarray(source).reshape(shape)
            _kernels._add_slices(x.reshape(shape), places, terms)
        return
    add_at(x.swapaxes(0, dim), index, source.swapaxes(0, dim))


def add_at(x: Array, index: Any, values: Any) -> None:
    """``x[index] += values``, where repeated places add up."""
    xp = namespace(x)
    if isinstance(x, np.ndarray):
        (np.maximum if x.dtype.kind == "b" else np.add).at(x, index, values)
        return
    flat = xp.arange(x.size).reshape(x.shape)[index]
    terms = xp.broadcast_to(xp.asarray(values, x.dtype), flat.shape).reshape(-1)
    on_elements(x, lambda elements: fold("add", elements, flat.reshape(-1), terms))
