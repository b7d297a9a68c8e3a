"""Similarities and distances of vectors."""

from __future__ import annotations

import numpy as np

from rushlight.ops._registry import composed
from rushlight.ops.spatial import rows_at
from rushlight.tensor import Tensor


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


@composed(method=False)
def pdist(input: Tensor, p: float = 2) -> Tensor:
    """The distances ``|x_i - x_j|_p`` of the rows of ``(n, m)``, for all ``i < j``."""
    if input.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    i, j = np.triu_indices(input.shape[0], 1)
    return (rows_at(input, i) - rows_at(input, j)).norm(p, -1)
