"""Norms of vectors, and distances between them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight.dtypes import dtype as DType  # noqa: N812 - `dtype` is an argument's name
from rushlight.ops._registry import composed, op
from rushlight.ops._words import legacy_name, same_types, type_name
from rushlight.ops.index import gathered
from rushlight.ops.linalg import broadcast_sizes
from rushlight.ops.reduction import Dims, _spread
from rushlight.ops.shape import wrap
from rushlight.tensor import Tensor


def _p_norm(K: Any, input: Any, p: float, dim: Dims, keepdim: bool) -> Any:
    if p == 2:
        return K.sqrt(K.sum(K.square(input), dim, keepdim))
    return K.pow(K.sum(K.pow(K.abs(input), p), dim, keepdim), 1 / p)


def _p_norm_gradient(
    K: Any, g: Any, input: Any, out: Any, input_shape: tuple[int, ...], p: float, dim: Dims
) -> Any:
    """``g * sign(x) * (|x| / norm) ** (p - 1)``; 0 where the norm is, and for p < 1 where x is."""
    scale = K.div(g, out if p == 2 else K.pow(out, p - 1))
    scale = _spread(K, K.where(K.eq(out, 0), 0.0, scale), input_shape, dim)
    if p == 2:
        return K.mul(input, scale)
    power = K.pow(K.abs(input), p - 1)
    if p < 1:
        power = K.where(K.eq(input, 0), 0.0, power)
    return K.mul(K.mul(K.sign(input), power), scale)


@op(
    input=_p_norm_gradient,
    forward=_p_norm,
    node="LinalgVectorNormBackward0",
    method=False,
)
def p_norm(input: Tensor, p: float, dim: Dims, keepdim: bool) -> Tensor:
    """``sum(|input| ** p) ** (1 / p)`` over `dim`, for p other than 0; flat where it is 0."""


@op(
    input=lambda K, g, input_shape, dim: _spread(K, K.mul(g, 0), input_shape, dim),
    forward=lambda K, input, dim, keepdim: K.cast(K.sum(K.ne(input, 0), dim, keepdim), input.dtype),
    node="LinalgVectorNormBackward0",
    method=False,
)
def zero_norm(input: Tensor, dim: Dims, keepdim: bool) -> Tensor:
    """How many elements over `dim` are not 0; the gradient is 0."""


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


# ---- Distances ----


def _euclidean(K: Any, x1: Any, x2: Any, by_product: bool) -> Any:
    """``|x1[i] - x2[j]|``, by ``|a|^2 + |b|^2 - 2ab`` where that is asked for."""
    if not by_product:
        difference = K.sub(K.unsqueeze(x1, -2), K.unsqueeze(x2, -3))
        return K.sqrt(K.sum(K.square(difference), -1))
    squares = K.add(
        K.sum(K.square(x1), -1, True), K.transpose(K.sum(K.square(x2), -1, True), -2, -1)
    )
    product = K.matmul(x1, K.transpose(x2, -2, -1))
    return K.sqrt(K.maximum(K.sub(squares, K.mul(product, 2.0)), 0.0))


def _euclidean_gradient(K: Any, g: Any, out: Any, x: Any, other: Any) -> Any:
    """``sum over j of g[i, j] * (x[i] - other[j]) / distance``; 0 where that is 0."""
    ratio = K.where(K.eq(out, 0), 0.0, K.div(g, out))
    return K.sub(K.mul(K.sum(ratio, -1, True), x), K.matmul(ratio, other))


@op(
    x1=lambda K, g, out, x1, x2: _euclidean_gradient(K, g, out, x1, x2),
    x2=lambda K, g, out, x1, x2: _euclidean_gradient(
        K, K.transpose(g, -2, -1), K.transpose(out, -2, -1), x2, x1
    ),
    forward=_euclidean,
    node="CdistBackward0",
    method=False,
)
def euclidean_distance(x1: Tensor, x2: Tensor, by_product: bool) -> Tensor:
    """The distances of the rows of `x1` from those of `x2`; flat where one is 0."""


_MODES = {
    "use_mm_for_euclid_dist_if_necessary": None,
    "use_mm_for_euclid_dist": True,
    "donot_use_mm_for_euclid_dist": False,
}
_FEW_ROWS = 25  # up to which PyTorch takes the difference of each pair


@composed(method=False)
def cdist(
    x1: Tensor,
    x2: Tensor,
    p: float = 2.0,
    compute_mode: str = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:
    """The p-norms of the differences of the rows of `x1` and `x2`.

    Args:
        x1: ``(..., n, d)``, floating.
        x2: ``(..., m, d)``, of the same type; the leading dimensions broadcast.
        p: not negative.
        compute_mode: whether the Euclidean distance may be taken from products of matrices, which
            is faster and less exact; by default where there are more than 25 rows.

    Returns:
        ``(..., n, m)``.

    Raises:
        RuntimeError: for other shapes, types and powers.
        ValueError: for an unknown mode.
    """
    if compute_mode not in _MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    for name, x in (("X1", x1), ("X2", x2)):
        if x.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {x.ndim}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}"
        )
    for name, x in (("X1", x1), ("X2", x2)):
        if not x.is_floating_point():
            raise RuntimeError(
                f"cdist only supports floating-point dtypes, {name} got: {type_name(x)}"
            )
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    same_types(x1, x2)
    broadcast_sizes(x1.shape[:-2], x2.shape[:-2])
    if p == 2:
        by_product = _MODES[compute_mode]
        if by_product is None:
            by_product = max(x1.shape[-2], x2.shape[-2]) > _FEW_ROWS
        return euclidean_distance(x1, x2, by_product)
    return _norm_over_last(x1.unsqueeze(-2) - x2.unsqueeze(-3), p)


def _norm_over_last(difference: Tensor, p: float) -> Tensor:
    if difference.shape[-1] == 0:
        return difference.sum(-1)
    return vector_norm(difference, p, -1)


@composed(method=False)
def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norms of the differences of all pairs of rows, ``(n, d) -> (n (n - 1) / 2)``.

    Raises:
        RuntimeError: for other shapes, types that are not floating, and a negative p.
    """
    if input.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    if not input.is_floating_point():
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    first, second = np.triu_indices(input.shape[0], 1)
    return _norm_over_last(gathered(input, (first,)) - gathered(input, (second,)), p)


@composed()
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of the difference of two tensors, which broadcast."""
    return vector_norm(input - other, p)
