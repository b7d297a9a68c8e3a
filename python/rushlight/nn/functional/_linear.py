"""Linear and bilinear maps, embedding, and what belongs to them."""

from __future__ import annotations

from rushlight import ops
from rushlight.dtypes import int64
from rushlight.tensor import Tensor

__all__ = ["bilinear", "cosine_similarity", "embedding", "normalize", "one_hot"]


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``y_k = x1^T W_k x2 + b_k``.

    Args:
        input1: (..., in1).
        input2: (..., in2), the leading sizes those of `input1`.
        weight: (out, in1, in2).
        bias: (out).

    Returns:
        (..., out).
    """
    # One product x1 W of shape (..., out, in2), then the sum over in2 against x2.
    out_features, in1, in2 = weight.shape
    mixed = input1 @ weight.permute(1, 0, 2).reshape(in1, out_features * in2)
    mixed = mixed.reshape(*input1.shape[:-1], out_features, in2)
    out = (mixed * input2.unsqueeze(-2)).sum(-1)
    return out if bias is None else out + bias


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of `weight` by index: ``out[i...] = weight[input[i...]]``.

    Args:
        input: int64 indices of any shape.
        weight: (num_embeddings, embedding_dim).
        padding_idx: this row gets no gradient.
        max_norm: not supported.
        norm_type: of no effect without `max_norm`.
        scale_grad_by_freq: not supported.
        sparse: not supported.

    Returns:
        (..., embedding_dim).
    """
    if max_norm is not None:
        raise NotImplementedError("embedding: max_norm is not supported")
    if scale_grad_by_freq:
        raise NotImplementedError("embedding: scale_grad_by_freq=True is not supported")
    if sparse:
        raise NotImplementedError("embedding: sparse=True is not supported")
    rows = weight.shape[0]
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= rows
    looked_up = weight[input]
    if padding_idx is None:
        return looked_up
    padding = ops.eq(input, padding_idx).unsqueeze(-1)
    return ops.where(padding, looked_up.detach(), looked_up)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return int64 zeros of shape (..., num_classes) with a 1 at each index.

    Args:
        tensor: int64 class indices.
        num_classes: one more than the greatest index when -1.

    Raises:
        RuntimeError: an index is negative or not below `num_classes`.
    """
    if tensor.numel() and int(tensor.min()) < 0:
        raise RuntimeError("Class values must be non-negative.")
    greatest = int(tensor.max()) if tensor.numel() else -1
    if num_classes == -1:
        if greatest < 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        num_classes = greatest + 1
    if greatest >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    classes = ops.arange(num_classes, device=tensor.device)
    return ops.to(ops.eq(tensor.unsqueeze(-1), classes), int64)


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """``x / max(|x|_p, eps)``, the norm taken along `dim`."""
    return input / input.norm(p, dim, keepdim=True).clamp(min=eps)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """``x1 . x2 / (max(|x1|, eps) max(|x2|, eps))`` along `dim`."""
    first = x1 / (x1 * x1).sum(dim, keepdim=True).sqrt().clamp(min=eps)
    second = x2 / (x2 * x2).sum(dim, keepdim=True).sqrt().clamp(min=eps)
    return (first * second).sum(dim)
