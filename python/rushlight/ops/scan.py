"""Scans: each result takes in one element more along a dimension; differences and integrals.

NOTE [Recurrences] The gradients of products and of log-sum-exps are linear recurrences,
``s[i] = g[i] + a[i + 1] * s[i + 1]``, computed as such: without a division, hence right also where
factors are zero, and in as many steps as there are elements. The adjoint of a recurrence is one
too, so that derivatives of every order need nothing else.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight import errors, return_types
from rushlight.dtypes import dtype as DType  # noqa: N812 - `dtype` is an argument's name
from rushlight.dtypes import is_floating
from rushlight.dtypes import of as dtype_of
from rushlight.ops._keywords import numpy_keywords
from rushlight.ops._registry import composed, op
from rushlight.ops.joining import cat
from rushlight.ops.pointwise import Number
from rushlight.ops.reduction import taken_gradient
from rushlight.ops.shape import narrow
from rushlight.size import wrap
from rushlight.tensor import Tensor

# ---- Parts ----


@op(
    input=lambda K, g, dim, reverse: K.running_sum(g, dim, not reverse),
    method=False,
)
def running_sum(input: Tensor, dim: int, reverse: bool = False) -> Tensor:
    """The sums of all elements so far along `dim`, from the end if `reverse`."""


def _product_gradient(K: Any, g: Any, input: Any, dim: int, reverse: bool = False) -> Any:
    """``(product of those before) * (g[i] + x[i + 1] * (g[i + 1] + x[i + 2] * ...))``."""
    step = -1 if reverse else 1
    before = K.shifted(K.running_product(input, dim, reverse), dim, step, 1.0)
    factor = K.shifted(input, dim, 1, 0.0) if reverse else input
    return K.mul(before, K.recurrence(factor, g, dim, not reverse))


@op(input=_product_gradient, method=False)
def running_product(input: Tensor, dim: int, reverse: bool = False) -> Tensor:
    """The products of all elements so far along `dim`, from the end if `reverse`."""


def _factor_gradient(K: Any, g: Any, factor: Any, out: Any, dim: int, reverse: bool) -> Any:
    adjoint = K.recurrence(factor, g, dim, not reverse)
    later, earlier = (out, adjoint) if reverse else (adjoint, out)
    return K.mul(later, K.shifted(earlier, dim, 1, 0.0))


@op(
    factor=_factor_gradient,
    term=lambda K, g, factor, dim, reverse: K.recurrence(factor, g, dim, not reverse),
    method=False,
)
def recurrence(factor: Tensor, term: Tensor, dim: int, reverse: bool = False) -> Tensor:
    """``out[i] = term[i] + factor[i] * out[i - 1]``.

    If `reverse`, its adjoint ``out[i] = term[i] + factor[i + 1] * out[i + 1]``.
    """


@op(input=lambda K, g, dim, steps: K.shifted(g, dim, -steps, 0.0), method=False)
def shifted(input: Tensor, dim: int, steps: int, fill: float) -> Tensor:
    """The elements moved on along `dim`; what moves in has the value `fill`."""


# ---- Cumulative sums and products ----


def _summed_type(K: Any, input: Any, dtype: DType | None) -> Any:
    """The input as it is added up: integers and bools as int64, unless a type is given."""
    given = input.dtype if dtype is None else dtype.numpy
    wide = given if is_floating(given) else np.dtype(np.int64)
    input = input if input.dtype == given else K.cast(input, given)
    return input if given == wide else K.cast(input, wide)


def _running(K: Any, kernel: Any, input: Any, dim: int, dtype: DType | None) -> Any:
    dtype = None if dtype is None else dtype_of(dtype)
    out = kernel(_summed_type(K, input, dtype), dim)
    return out if dtype is None or out.dtype == dtype.numpy else K.cast(out, dtype.numpy)


@op(
    input=lambda K, g, dim: K.running_sum(g, dim, True),
    forward=lambda K, input, dim, dtype: _running(K, K.running_sum, input, dim, dtype),
    inplace=True,
)
def cumsum(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """The sums of all elements so far along `dim`; integers and bools give int64.

    Float32 is added up in float64.

    Args:
        input: of any type.
        dim: the dimension to go along.
        dtype: convert the elements first.
    """


@op(
    input=lambda K, g, input, dim: _product_gradient(K, g, input, dim),
    forward=lambda K, input, dim, dtype: _running(K, K.running_product, input, dim, dtype),
    inplace=True,
)
def cumprod(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """The products of all elements so far along `dim`; see `cumsum`.

    The gradient is right also where elements are zero.
    """


def _decay(K: Any, x: Any, y: Any) -> Any:
    """``exp(x - y)``, and 0 where y is -inf: the sum of nothing."""
    return K.where(K.eq(y, -math.inf), 0.0, K.exp(K.sub(x, y)))


def _logcumsumexp_gradient(K: Any, g: Any, input: Any, out: Any, dim: int) -> Any:
    """``sum over i >= j of g[i] * exp(x[j] - out[i])``, whose terms never overflow."""
    decay = _decay(K, K.shifted(out, dim, 1, -math.inf), out)
    return K.mul(_decay(K, input, out), K.recurrence(decay, g, dim, True))


def _logcumsumexp(K: Any, input: Any, dim: int) -> Any:
    if not is_floating(input.dtype):
        raise errors.not_implemented_for("logcumsumexp", input)
    return K.running_logsumexp(input, dim)


@op(input=_logcumsumexp_gradient, forward=_logcumsumexp)
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """``log(sum(exp(input)))`` of all elements so far along `dim`, without overflow."""


# ---- Cumulative extremes ----


def _running_extreme(K: Any, input: Any, dim: int, greatest: bool) -> Any:
    if is_floating(input.dtype):
        return K.running_extreme(input, dim, greatest)
    if input.dtype == np.uint64:  # whose order an int64 does not keep
        raise errors.not_implemented_for("cummax" if greatest else "cummin", input)
    wide = K.cast(input, np.dtype(np.int64))
    values, indices = K.running_extreme(wide, dim, greatest)
    return K.cast(values, input.dtype), indices


@op(
    input=lambda K, g, input_shape, dim, indices: taken_gradient(K, g, input_shape, dim, indices),
    forward=lambda K, input, dim: _running_extreme(K, input, dim, True),
    extras=("indices",),
    node="CummaxBackward0",
    method=False,
)
def running_max(input: Tensor, dim: int) -> Any:
    """The greatest elements so far, and where they are."""


@op(
    input=lambda K, g, input_shape, dim, indices: taken_gradient(K, g, input_shape, dim, indices),
    forward=lambda K, input, dim: _running_extreme(K, input, dim, False),
    extras=("indices",),
    node="CumminBackward0",
    method=False,
)
def running_min(input: Tensor, dim: int) -> Any:
    """The least elements so far, and where they are."""


@composed()
@numpy_keywords
def cummax(input: Tensor, dim: int) -> Any:
    """The greatest elements so far along `dim`, and their indices; see `cummin`."""
    return return_types.cummax(running_max(input, dim))


@composed()
@numpy_keywords
def cummin(input: Tensor, dim: int) -> Any:
    """The least elements so far along `dim`, and their indices.

    Of equal elements the last counts, and gets the gradient; a NaN beats everything.

    Returns:
        A named tuple ``(values, indices)``.
    """
    return return_types.cummin(running_min(input, dim))


# ---- Differences and integrals ----


@composed()
@numpy_keywords
def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """The differences of neighbours along `dim`, taken `n` times; of bools, whether they differ.

    Args:
        input: of one dimension or more.
        n: how often differences are taken.
        dim: the dimension to go along.
        prepend: what to put before the input first, alike in all other dimensions.
        append: what to put behind it.

    Raises:
        RuntimeError: for a 0-dim input, a negative `n`, and for parts that do not fit.
    """
    if input.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    dim = wrap(dim, input.ndim)
    parts = [_fitting(part, input, dim) for part in (prepend, input, append) if part is not None]
    out = cat(parts, dim) if len(parts) > 1 else input
    if n == 0:
        return out.clone() if out is input else out
    for _ in range(min(n, out.shape[dim])):
        rest = out.shape[dim] - 1
        later, earlier = narrow(out, dim, 1, rest), narrow(out, dim, 0, rest)
        out = later.logical_xor(earlier) if out.dtype.name == "bool" else later - earlier
    return out


def _fitting(part: Tensor, input: Tensor, dim: int) -> Tensor:
    if part.ndim != input.ndim:
        raise RuntimeError("diff expects prepend or append to be the same dimension as input")
    for d, (n, m) in enumerate(zip(part.shape, input.shape, strict=True)):
        if n != m and d != dim:
            raise RuntimeError(
                "diff expects the shape of tensor to prepend or append to match that of input "
                f"except along the differencing dimension; input.size({d}) = {m}, but got "
                f"tensor.size({d}) = {n}"
            )
    return part


def _areas(
    name: str, y: Tensor, x: Tensor | None, dx: Number | None, dim: int
) -> tuple[Tensor, int]:
    """The areas under a curve between neighbouring points, and the dimension."""
    if y.ndim == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    if x is not None and dx is not None:
        raise TypeError(f"{name}() received an invalid combination of arguments - got x and dx")
    dim = wrap(dim, y.ndim)
    rest = y.shape[dim] - 1
    if rest < 0:
        return y * 0, dim
    heights = narrow(y, dim, 1, rest) + narrow(y, dim, 0, rest)
    if x is None:
        return heights * ((1 if dx is None else dx) / 2), dim
    return heights * _widths(name, y, x, dim) / 2.0, dim


def _widths(name: str, y: Tensor, x: Tensor, dim: int) -> Tensor:
    sizes = [1] * (y.ndim - x.ndim) + list(x.shape)
    if x.ndim == 1:
        if x.shape[0] != y.shape[dim]:
            raise RuntimeError(f"{name}: There must be one `x` value for each sample point")
        sizes = [-1 if d == dim else 1 for d in range(y.ndim)]
    return diff(x.reshape(sizes), dim=dim)


@composed(method=False)
@numpy_keywords
def trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: Number | None = None, dim: int = -1
) -> Tensor:
    """The integral along `dim` by the trapezoidal rule, ``sum((y[i] + y[i + 1]) / 2 * dx[i])``.

    Args:
        y: the values at the points.
        x: the points, in one dimension or as `y`; instead of `dx`.
        dx: the distance between points, 1 by default.
        dim: the dimension to go along.

    Raises:
        RuntimeError: unless there is one point for each value.
    """
    areas, dim = _areas("trapezoid", y, x, dx, dim)
    return areas.sum(dim)


@composed(method=False)
@numpy_keywords
def trapz(y: Tensor, x: Tensor | None = None, *, dx: Number | None = None, dim: int = -1) -> Tensor:
    """The same as `trapezoid`."""
    return trapezoid(y, x, dx=dx, dim=dim)


@composed(method=False)
@numpy_keywords
def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: Number | None = None, dim: int = -1
) -> Tensor:
    """The integrals up to each point but the first; see `trapezoid`."""
    areas, dim = _areas("cumulative_trapezoid", y, x, dx, dim)
    return areas.cumsum(dim)
