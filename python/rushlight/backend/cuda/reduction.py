"""Reductions over any dimensions, and softmax."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight.backend.cuda import pointwise as K
from rushlight.backend.cuda.checks import refuse
from rushlight.backend.cuda.halves import in_float32
from rushlight.backend.cuda.runtime import cp

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "log_softmax",
    "log_softmax_backward",
    "mean",
    "prod",
    "softmax",
    "softmax_backward",
    "sum",
    "var",
]

Dims = int | tuple[int, ...] | None


def _axes(name: str, x: Any, dim: Dims) -> tuple[int, ...]:
    """The dimensions to reduce, counted from the front; None and () stand for all."""
    if dim is None or dim == ():
        return tuple(range(x.ndim))
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    bound = max(x.ndim, 1)
    wrapped = tuple(d % bound for d in dims)
    in_range = [-bound <= d < bound for d in dims]
    if False in in_range or len(set(wrapped)) < len(wrapped):
        refuse(name, x, dim)
    return wrapped if x.ndim else ()


def _refuse_empty(name: str, x: Any, axes: tuple[int, ...], dim: Dims) -> None:
    if 0 in [x.shape[d] for d in axes]:
        refuse(name, x, dim)


@in_float32
def sum(x: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """The sum; of integers and bools as int64."""
    kind = x.dtype if x.dtype.kind == "f" else np.int64
    return x.sum(axis=_axes("sum", x, dim), dtype=kind, keepdims=keepdim)


@in_float32
def prod(x: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """The product; of integers and bools as int64."""
    kind = x.dtype if x.dtype.kind == "f" else np.int64
    return x.prod(axis=_axes("prod", x, dim), dtype=kind, keepdims=keepdim)


@in_float32
def mean(x: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """The mean; only of floating types."""
    if x.dtype.kind != "f":
        refuse("mean", x)
    axes = _axes("mean", x, dim)
    return K.div(sum(x, axes, keepdim), math.prod(x.shape[d] for d in axes))


@in_float32
def var(x: Any, dim: Dims = None, correction: float = 1.0, keepdim: bool = False) -> Any:
    """The sum of squared distances from the mean, over ``n - correction``; floating types."""
    if x.dtype.kind != "f":
        refuse("var", x)
    axes = _axes("var", x, dim)
    count = math.prod(x.shape[d] for d in axes)
    squares = K.squared_error(x, mean(x, axes, True))
    return K.div(sum(squares, axes, keepdim), float(max(0.0, count - correction)))


@in_float32
def amax(x: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """The greatest element; NaN wins."""
    axes = _axes("amax", x, dim)
    _refuse_empty("amax", x, axes, dim)
    return x.max(axis=axes, keepdims=keepdim)


@in_float32
def amin(x: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """The least element; NaN wins."""
    axes = _axes("amin", x, dim)
    _refuse_empty("amin", x, axes, dim)
    return x.min(axis=axes, keepdims=keepdim)


def any(x: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """Whether any element is not 0."""
    return x.any(axis=_axes("any", x, dim), keepdims=keepdim)


def all(x: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """Whether no element is 0."""
    return x.all(axis=_axes("all", x, dim), keepdims=keepdim)


@in_float32
def argmax(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The position of the first greatest element, or of the first NaN; flat without `dim`."""
    return _position("argmax", x, dim, keepdim)


@in_float32
def argmin(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The position of the first least element, or of the first NaN; flat without `dim`."""
    return _position("argmin", x, dim, keepdim)


def _position(name: str, x: Any, dim: int | None, keepdim: bool) -> Any:
    axes = _axes(name, x, dim)
    if dim is None and x.size == 0:
        refuse(name, x)
    _refuse_empty(name, x, axes, dim)
    shape = [1 if d in axes else n for d, n in enumerate(x.shape) if keepdim or d not in axes]
    flat = dim is None or x.ndim == 0
    rows, axis = (x.reshape(-1), 0) if flat else (x, axes[0])
    position = getattr(rows, name)(axis=axis)
    if x.dtype.kind == "f":
        # CuPy's tree finds any of several NaNs.
        nan = K.isnan(rows)
        position = cp.where(nan.any(axis=axis), nan.argmax(axis=axis), position)
    return position.astype(np.int64, copy=False).reshape(shape)


# ---- Softmax ----


def _along(name: str, x: Any, dim: int, *others: Any) -> tuple[int, ...]:
    """The dimension of a softmax, checked with what else the kernel got."""
    agree = [y.shape == x.shape and y.dtype == x.dtype for y in others]
    bound = max(x.ndim, 1)
    if x.dtype.kind != "f" or False in agree or not -bound <= dim < bound:
        refuse(name, x, *others, dim)
    return (dim % bound,) if x.ndim else ()


def _shifted(x: Any, axes: tuple[int, ...]) -> Any:
    """``x - max(x)``, whose exponentials do not overflow; of no elements, as it is."""
    return K.sub(x, amax(x, axes, True)) if x.size else x


@in_float32
def softmax(x: Any, dim: int) -> Any:
    """``exp(x) / sum(exp(x))`` along `dim`."""
    axes = _along("softmax", x, dim)
    weights = K.exp(_shifted(x, axes))
    return K.div(weights, sum(weights, axes, True))


@in_float32
def log_softmax(x: Any, dim: int) -> Any:
    """``x - log(sum(exp(x)))`` along `dim`."""
    axes = _along("log_softmax", x, dim)
    shifted = _shifted(x, axes)
    return K.sub(shifted, K.log(sum(K.exp(shifted), axes, True)))


@in_float32
def softmax_backward(g: Any, out: Any, dim: int) -> Any:
    """The gradient of `softmax` from its result."""
    axes = _along("softmax_backward", g, dim, out)
    return K.mul(out, K.sub(g, sum(K.mul(g, out), axes, True)))


@in_float32
def log_softmax_backward(g: Any, out: Any, dim: int) -> Any:
    """The gradient of `log_softmax` from its result."""
    axes = _along("log_softmax_backward", g, dim, out)
    return K.sub(g, K.mul(K.exp(out), sum(g, axes, True)))
