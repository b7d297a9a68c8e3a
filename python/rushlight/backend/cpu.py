"""Kernels over NumPy arrays: C++ for arithmetic, NumPy for views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight import _kernels
from rushlight._kernels import *  # noqa: F403
from rushlight.backend.arrangement import *  # noqa: F403
from rushlight.backend.common import *  # noqa: F403
from rushlight.backend.common import getitem, out_of_place
from rushlight.backend.counting import *  # noqa: F403
from rushlight.backend.indexing import *  # noqa: F403
from rushlight.backend.indexing import without_leading_ones, write_at_
from rushlight.backend.scattering import *  # noqa: F403

Array = np.ndarray[Any, Any]

# Names of the kernels that take a destination as their last argument.
DESTINED = frozenset(name for name, _, _ in _kernels.POINTWISE)

cast = _kernels.copy


def sum_to(x: Array, shape: Sequence[int]) -> Array:
    """The sum over the dimensions that broadcasting from `shape` added or repeated."""
    added = x.ndim - len(shape)
    repeated = [d + added for d, n in enumerate(shape) if n == 1 and x.shape[d + added] != 1]
    dims = (*range(added), *repeated)
    return _kernels.sum(x, dims, False).reshape(shape) if dims else x.reshape(shape)


def full(shape: Sequence[int], value: Any, dtype: np.dtype[Any]) -> Array:
    """A new array of one value."""
    out: Array = _kernels.empty(shape, dtype)
    _kernels.assign(out, value)
    return out


def arange(start: float, end: float, step: float, dtype: np.dtype[Any]) -> Array:
    """``start + i * step`` for every i that stays before `end`."""
    return np.arange(start, end, step, dtype=dtype)


def asarray(values: Array) -> Array:
    """An array on this device from one on the CPU."""
    return values


def to_cpu(x: Array) -> Array:
    """The array in the CPU's memory: itself."""
    return x


def writable(x: Array) -> bool:
    """Whether the elements may be written: not where they stand for several."""
    return x.flags.writeable


def cat(arrays: Sequence[Array], dim: int) -> Array:
    """The arrays one after the other along `dim`."""
    return np.concatenate(arrays, dim, dtype=_kernels.result_type(*arrays))


def index_place(shape: Sequence[int], index: Any, g: Array) -> Array:
    """Zeros of `shape`, with `g` written at `index`, which names no place twice."""
    out = full(shape, 0, g.dtype)
    out[index] = g
    return out


def replaced_(x: Array, index: Any, indices: Any, value: Any) -> None:
    """``x[index][indices] = value`` in place."""
    view = getitem(x, index)
    if indices is not None:
        write_at_(view, indices, value, False)
        return
    if view.shape != getattr(value, "shape", view.shape):
        value = _kernels.expand(without_leading_ones(value), view.shape)
    _kernels.assign(view, value)


def fill_(x: Array, value: Any) -> None:
    """Writes one value everywhere."""
    _kernels.assign(x, value)


replaced = out_of_place(replaced_)
