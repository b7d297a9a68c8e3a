"""Rows of tables, and class indices as vectors."""

from __future__ import annotations

import numpy as np

from rushlight import ops
from rushlight.autograd.grad_mode import no_grad
from rushlight.dtypes import int64
from rushlight.ops.lookup import MODES
from rushlight.tensor import Tensor

__all__ = ["embedding", "embedding_bag", "one_hot"]


def _renorm(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> None:
    """Scales the rows at `indices` that are longer than `max_norm` down to it, in place."""
    with no_grad():
        rows = ops.from_numpy(np.unique(indices.cpu().numpy())).to(weight.device)
        found = weight[rows]
        norms = found.norm(norm_type, 1, keepdim=True)
        weight[rows] = ops.where(norms > max_norm, found * (max_norm / (norms + 1e-7)), found)


def _row(padding_idx: int | None, weight: Tensor) -> int:
    """A row counted from the start; -1 for None."""
    rows = weight.shape[0] if weight.dim() else 0
    if padding_idx is None:
        return -1
    if not -rows <= padding_idx < rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    return padding_idx % rows


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
        max_norm: rows that are longer are first scaled down to this, in the table itself.
        norm_type: p of the norm for `max_norm`.
        scale_grad_by_freq: divide what a row gets by how often it is looked up.
        sparse: not supported.

    Returns:
        (..., embedding_dim).
    """
    row = _row(padding_idx, weight)
    if max_norm is not None:
        _renorm(weight, input, max_norm, norm_type)
    return ops.embedding(weight, input, row, scale_grad_by_freq, sparse)


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Sums, means or maxima of rows of `weight`, over bags of indices.

    Args:
        input: int64 indices (bags, length), or (k) with `offsets`.
        weight: (num_embeddings, embedding_dim).
        offsets: where in `input` each bag begins.
        max_norm: rows that are longer are first scaled down to this, in the table itself.
        norm_type: p of the norm for `max_norm`.
        scale_grad_by_freq: divide what a row gets by how often it is looked up; not for maxima.
        mode: ``"sum"``, ``"mean"`` or ``"max"``.
        sparse: not supported.
        per_sample_weights: factors of the rows, of the shape of `input`; for sums only.
        include_last_offset: the last offset is the end of the last bag.
        padding_idx: this row takes no part.

    Returns:
        (bags, embedding_dim); zeros for an empty bag.
    """
    if per_sample_weights is not None and input.shape != per_sample_weights.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({tuple(per_sample_weights.shape)}) is not "
            f"None, then it must have the same shape as the input ({tuple(input.shape)})"
        )
    if input.dim() not in (1, 2):
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}"
        )
    if input.dim() == 1 and offsets is None:
        raise ValueError(f"offsets has to be a 1D Tensor but got {type(offsets)}")
    if offsets is not None and input.dim() == 1 and offsets.dim() != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    if mode not in MODES:
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}'). Please open a feature request on GitHub."
        )
    row = _row(padding_idx, weight)
    if max_norm is not None:
        _renorm(weight, input, max_norm, norm_type)
    return ops.embedding_bag(
        weight,
        input,
        offsets,
        scale_grad_by_freq,
        MODES.index(mode),
        sparse,
        per_sample_weights,
        include_last_offset,
        row,
    )[0]


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return int64 zeros of shape (..., num_classes) with a 1 at each index.

    Args:
        tensor: int64 class indices.
        num_classes: one more than the greatest index when -1.

    Raises:
        RuntimeError: an index is negative or not below `num_classes`, or of another type.
    """
    if tensor.dtype != int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if tensor.numel() == 0 and num_classes <= 0:
        raise RuntimeError(
            "Can not infer total number of classes from empty tensor."
            if num_classes == -1
            else "num_classes should be positive"
        )
    if tensor.numel() and int(tensor.min()) < 0:
        raise RuntimeError("Class values must be non-negative.")
    greatest = int(tensor.max()) if tensor.numel() else -1
    if num_classes == -1:
        num_classes = greatest + 1
    elif num_classes < 1:
        raise RuntimeError("num_classes should be positive")
    if greatest >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    classes = ops.arange(num_classes, device=tensor.device)
    return ops.to(ops.eq(tensor.unsqueeze(-1), classes), int64)
