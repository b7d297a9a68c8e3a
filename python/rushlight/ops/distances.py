"""Distances between vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight.ops._registry import composed, op
from rushlight.ops._words import same_types, type_name
from rushlight.ops.linalg import broadcast_sizes
from rushlight.ops.norms import vector_norm
from rushlight.tensor import Tensor


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
    ratio = K.div(g, K.where(K.eq(out, 0), math.inf, out))
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
    return _norm_over_last(input[first] - input[second], p)


@composed()
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of the difference of two tensors, which broadcast."""
    return vector_norm(input - other, p)


@composed(method=False)
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``y_k = x1^T W_k x2 + b_k``.

    Args:
        input1: (..., in1).
        input2: (..., in2), the leading sizes those of `input1`.
        weight: (out, in1, in2).
        bias: (out).

    Returns:
        (..., out).

    Raises:
        RuntimeError: for sizes that do not go together.
    """
    if input1.shape[:-1] != input2.shape[:-1]:
        raise RuntimeError(
            f"bilinear(): input batch dimensions do not match: got {list(input1.shape)} and "
            f"{list(input2.shape)}"
        )
    out_features, in1, in2 = weight.shape
    for name, x, size in (("1", input1, in1), ("2", input2, in2)):
        if x.shape[-1] != size:
            raise RuntimeError(
                f"bilinear(): input{name} size does not match weight size: got {x.shape[-1]} but "
                f"expected {size}"
            )
    # One product x1 W of shape (..., out, in2), then the sum over in2 against x2.
    mixed = input1 @ weight.permute(1, 0, 2).reshape(in1, out_features * in2)
    mixed = mixed.reshape(*input1.shape[:-1], out_features, in2)
    out = (mixed * input2.unsqueeze(-2)).sum(-1)
    return out if bias is None else out + bias


@composed(method=False)
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """``x1 . x2 / (max(|x1|, eps) max(|x2|, eps))`` along `dim` of the common shape."""
    for x in (x1, x2):
        if not x.is_floating_point():
            raise RuntimeError(
                f"expected common dtype to be floating point, yet common dtype is {x.dtype}"
            )
    shape = np.broadcast_shapes(x1._array.shape, x2._array.shape)
    first, second = x1.expand(*shape), x2.expand(*shape)
    first = first / first.norm(2, dim, keepdim=True).clamp(min=eps)
    second = second / second.norm(2, dim, keepdim=True).clamp(min=eps)
    return (first * second).sum(dim)


@composed(method=False)
def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """``|x1 - x2 + eps|_p`` along the last dimension."""
    return (x1 - x2 + eps).norm(p, -1, keepdim)
