"""Norms of vectors."""

from __future__ import annotations

import math
from typing import Any

from rushlight.dtypes import dtype as DType  # noqa: N812 - `dtype` is an argument's name
from rushlight.ops._destination import takes_out
from rushlight.ops._registry import op
from rushlight.ops._words import legacy_name, type_name
from rushlight.ops.reduction import Dims, for_each
from rushlight.size import wrap
from rushlight.tensor import Tensor


def _p_norm(K: Any, input: Any, p: float, dim: Dims, keepdim: bool) -> Any:
    if p == 2:
        return K.sqrt(K.sum(K.square(input), dim, keepdim))
    return K.pow(K.sum(K.pow(K.abs(input), p), dim, keepdim), 1 / p)


def _p_norm_gradient(
    K: Any, g: Any, input: Any, out: Any, input_shape: tuple[int, ...], p: float, dim: Dims
) -> Any:
    """``g * sign(x) * (|x| / norm) ** (p - 1)``; 0 where the norm is, and for p < 1 where x is."""
    flat = K.eq(out, 0)
    divisor = K.where(flat, 1.0, out)  # not 0, whose second derivative would be NaN
    scale = K.div(g, divisor if p == 2 else K.pow(divisor, p - 1))
    scale = for_each(K, K.where(flat, 0.0, scale), input_shape, dim)
    if p == 2:
        return K.mul(input, scale)
    size = K.abs(input)
    if p < 1:
        size = K.where(K.eq(input, 0), 1.0, size)  # its power would be infinite; the sign is 0
    return K.mul(K.mul(K.sign(input), K.pow(size, p - 1)), scale)


@op(
    input=_p_norm_gradient,
    forward=_p_norm,
    node="LinalgVectorNormBackward0",
    method=False,
)
def p_norm(input: Tensor, p: float, dim: Dims, keepdim: bool) -> Tensor:
    """``sum(|input| ** p) ** (1 / p)`` over `dim`, for p other than 0; flat where it is 0."""


@op(
    input=lambda K, g, input_shape, dim: for_each(K, K.mul(g, 0), input_shape, dim),
    forward=lambda K, input, dim, keepdim: K.cast(K.sum(K.ne(input, 0), dim, keepdim), input.dtype),
    node="LinalgVectorNormBackward0",
    method=False,
)
def zero_norm(input: Tensor, dim: Dims, keepdim: bool) -> Tensor:
    """How many elements over `dim` are not 0; the gradient is 0."""


@takes_out
def vector_norm(
    x: Tensor,
    ord: float = 2,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """``sum(|x| ** ord) ** (1 / ord)``, over all elements or over `dim`.

    Args:
        x: of a floating type.
        ord: any number: inf and -inf for the extremes, 0 for the count of what is not 0.
        dim: a dimension, several, or None for all.
        keepdim: keep reduced dimensions with size 1.
        dtype: convert the elements first.

    Raises:
        RuntimeError: for another type, and for the extremes of nothing.

    Gradient: equal extremes share it; 0 where the norm is 0.
    """
    if not isinstance(ord, int | float):
        raise TypeError(
            "linalg_vector_norm(): argument 'ord' (position 2) must be Number, not "
            f"{type(ord).__name__}"
        )
    x = as_floating("linalg.vector_norm", x, dtype)
    dims = _reduced(dim, x.ndim)
    if (ord < 0 or ord == math.inf) and 0 in (x.shape[d] for d in dims):
        _check_identity(x, ord, dim)
    if abs(ord) == math.inf:
        return x.abs().amax(dims, keepdim) if ord > 0 else x.abs().amin(dims, keepdim)
    if ord == 0:
        return zero_norm(x, dims, keepdim)
    if ord == 1:
        return x.abs().sum(dims, keepdim)
    return p_norm(x, float(ord), dims, keepdim)


def as_floating(name: str, x: Tensor, dtype: DType | None) -> Tensor:
    """`x` of a floating type and, where one is given, of that.

    Raises:
        RuntimeError: for another type of either.
    """
    if not x.is_floating_point():
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {type_name(x)}"
        )
    if dtype is None or dtype is x.dtype:
        return x
    if not dtype.is_floating_point:
        raise RuntimeError(
            f"{name}: dtype should be floating point or complex, but got {legacy_name(dtype)}"
        )
    if dtype.itemsize < x.dtype.itemsize:
        raise RuntimeError(
            f"{name}: the dtype of the input ({type_name(x)}) should be convertible without "
            f"narrowing to the specified dtype ({legacy_name(dtype)})"
        )
    return x.to(dtype)


def _reduced(dim: Dims, ndim: int) -> tuple[int, ...]:
    """The dimensions to reduce, counted from the front; all without any."""
    if dim is None or (not isinstance(dim, int) and len(dim) == 0):
        return tuple(range(ndim))
    dims = tuple(wrap(d, ndim) for d in ((dim,) if isinstance(dim, int) else dim))
    for d in dims:
        if dims.count(d) > 1:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    return dims if ndim else ()


def _check_identity(x: Tensor, ord: float, dim: Dims) -> None:
    order = f"{ord:g}" if math.isinf(ord) else f"{float(ord):g}"
    if dim is None or (not isinstance(dim, int) and len(dim) == 0):
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {order} norm on an empty tensor because the "
            "operation does not have an identity"
        )
    raise RuntimeError(
        f"linalg.vector_norm cannot compute the {order} norm on the dimension "
        f"{next(d for d in _reduced(dim, x.ndim) if x.shape[d] == 0)} because this dimension is "
        "empty and the operation does not have an identity"
    )
