"""Kernels over NumPy arrays: C++ for arithmetic, NumPy for views."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight import _kernels
from rushlight._kernels import *  # noqa: F403
from rushlight.backend import common, indexing, special
from rushlight.backend.arrangement import *  # noqa: F403
from rushlight.backend.common import *  # noqa: F403
from rushlight.backend.common import getitem
from rushlight.backend.counting import *  # noqa: F403
from rushlight.backend.ctc import *  # noqa: F403
from rushlight.backend.indexing import *  # noqa: F403
from rushlight.backend.indexing import write_at_
from rushlight.backend.linalg import *  # noqa: F403
from rushlight.backend.reparameterization import *  # noqa: F403
from rushlight.backend.scattering import *  # noqa: F403
from rushlight.backend.strided import *  # noqa: F403
from rushlight.backend.windows import *  # noqa: F403

Array = np.ndarray[Any, Any]

# The kernels that take a destination as their last argument, with the number of their operands.
DESTINED = {name: operands for name, operands, _ in _kernels.POINTWISE}

cast = _kernels.copy
floor_quotient = _kernels.floor_divide  # under the name of the op that has a derivative

globals().update(special.kernels("scipy.special", _kernels.result_type, np.asarray, np.asarray))


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


def written_(x: Array, src: Array) -> None:
    """Writes the elements of `src` into `x`, with broadcasting and conversion."""
    if src is not x:
        _kernels.assign(x, src)


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
    return x.flags.writeable and 0 not in x.strides


def view_of_bytes(
    x: Array, dtype: np.dtype[Any], offset: int, shape: Sequence[int], strides: Sequence[int]
) -> Array:
    """A view of an array of bytes as elements; `offset` and `strides` count elements.

    Raises:
        ValueError: it would not lie within the bytes, or has too many dimensions.
    """
    steps = [s * dtype.itemsize for s in strides]
    view: Array = np.ndarray(shape, dtype, x, offset * dtype.itemsize, steps)
    return view


def cat(arrays: Sequence[Array], dim: int) -> Array:
    """The arrays one after the other along `dim`."""
    shape = list(arrays[0].shape)
    shape[dim] = builtins.sum(a.shape[dim] for a in arrays)
    out: Array = _kernels.empty(shape, _kernels.result_type(*arrays))
    return np.concatenate(arrays, dim, out, casting="unsafe")


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
        value = _kernels.expand(indexing.without_leading_ones(value), view.shape)
    _kernels.assign(view, value)


def fill_(x: Array, value: Any) -> None:
    """Writes one value everywhere."""
    _kernels.assign(x, common.number_for(x.dtype, value))


replaced = common.out_of_place(replaced_)
