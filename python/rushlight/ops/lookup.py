"""Looking up rows of a table, one by one or in bags."""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.dtypes import int32, int64
from rushlight.ops import ranges
from rushlight.ops._registry import composed, op
from rushlight.ops.choice import where
from rushlight.ops.creation import from_numpy
from rushlight.ops.spatial import rows_at, rows_sum
from rushlight.tensor import Tensor

MODES = ("sum", "mean", "max")


@op(
    weight=lambda K, g, weight_shape, index, scale: K.rows_sum(
        g if scale is None else K.mul(g, scale), weight_shape, index
    ),
    forward=lambda K, weight, index: K.rows_at(weight, index),
    node="EmbeddingBackward0",
    method=False,
)
def looked_up(weight: Tensor, index: Any, scale: Any) -> Tensor:
    """``weight[index]``; what arrives for each place is scaled on its way to the table."""


def _check_index(name: str, weight: Tensor, indices: Tensor) -> None:
    if weight.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    if indices.dtype not in (int32, int64):
        raise RuntimeError(
            f"Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got {indices.type()} instead (while checking arguments for {name})"
        )
    if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < weight.shape[0]:
        raise IndexError("index out of range in self")


def _gradient_scale(
    indices: Tensor, weight: Tensor, padding_idx: int, by_frequency: bool
) -> Tensor | None:
    """For each place by what its gradient is multiplied: 0 for padding, 1 / count of its row."""
    scale = None
    if by_frequency and indices.numel():
        ones = weight.new_ones(indices.shape)
        counts = rows_sum(ones, weight.shape[:1], indices._array)
        scale = 1 / rows_at(counts, indices._array)
    if padding_idx >= 0:
        real = indices.ne(padding_idx).to(weight.dtype)
        scale = real if scale is None else scale * real
    return scale


@composed(method=False)
def embedding(
    weight: Tensor,
    indices: Tensor,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of `weight` by index: ``out[i...] = weight[indices[i...]]``.

    Args:
        weight: (n, d).
        indices: int64 or int32, of any shape.
        padding_idx: this row gets no gradient; -1: none.
        scale_grad_by_freq: divide what a row gets by how often it is looked up.
        sparse: not supported.

    Raises:
        IndexError: an index is out of range.
        RuntimeError: for a table that is not 2-D, or an index of another type.
    """
    if sparse:
        raise NotImplementedError("embedding: sparse=True is not supported")
    _check_index("embedding", weight, indices)
    scale = _gradient_scale(indices, weight, padding_idx, scale_grad_by_freq)
    return looked_up(weight, indices._array, None if scale is None else scale.unsqueeze(-1)._array)


# ---- Bags ----


def _bags(
    indices: Tensor, offsets: Tensor | None, include_last_offset: bool
) -> tuple[np.ndarray[Any, Any], int]:
    """The bag of each index, and how many bags there are."""
    if indices.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                "of fixed length sequences. However, found offsets of type "
                f"{type(offsets)}"
            )
        rows, length = indices.shape
        return np.repeat(np.arange(rows), length), rows
    assert offsets is not None
    starts = offsets.detach().cpu().numpy().astype(np.int64)
    count = indices.numel()
    if len(starts) and starts[0] != 0:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
            f"position 0. However, got {starts[0]}"
        )
    if len(starts) and starts[-1] > count:
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length({count}) but got offsets[-1] of "
            f"{starts[-1]}"
        )
    ends = starts[1:] if include_last_offset else np.append(starts[1:], count)
    starts = starts[:-1] if include_last_offset else starts
    return np.repeat(np.arange(len(starts)), ends - starts), len(starts)


@composed(method=False)
def embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor | None = None,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int = -1,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sums, means or maxima of rows of `weight`, over bags of indices.

    Args:
        weight: (n, d).
        indices: (bags, length), or (k) with `offsets`.
        offsets: where in `indices` each bag begins.
        scale_grad_by_freq: divide what a row gets by how often it is looked up.
        mode: 0 sum, 1 mean, 2 maximum.
        sparse: not supported.
        per_sample_weights: of the shape of `indices`, factors of the rows of a sum.
        include_last_offset: the last offset is the end of the last bag.
        padding_idx: this row takes no part; -1: none.

    Returns:
        (bags, d), the bag of each index, the sizes of the bags, and the rows of the maxima.
    """
    if sparse:
        raise NotImplementedError("embedding_bag: sparse=True is not supported")
    _check_index("embedding_bag", weight, indices)
    bag, count = _bags(indices, offsets, include_last_offset)
    flat = indices.reshape(-1)
    real = flat.ne(padding_idx)
    places = from_numpy(bag).to(weight.device)._array
    sizes = rows_sum(real.to(int64), (count,), places)
    if mode == 2:
        out, best = _maxima(weight, flat, real, bag, count)
        return out, from_numpy(bag), sizes, best
    scale = _gradient_scale(flat, weight, padding_idx, scale_grad_by_freq)
    rows = looked_up(weight, flat._array, None if scale is None else scale.unsqueeze(-1)._array)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    if padding_idx >= 0:
        rows = where(real.unsqueeze(-1), rows, 0.0)
    out = rows_sum(rows, (count, weight.shape[1]), places)
    if mode == 1:
        out = out / sizes.clamp(min=1).to(weight.dtype).unsqueeze(-1)
    return out, from_numpy(bag), sizes, sizes * 0


def _maxima(
    weight: Tensor, flat: Tensor, real: Tensor, bag: np.ndarray[Any, Any], count: int
) -> tuple[Tensor, Tensor]:
    """Of each bag and column the greatest, the first of equals, and its row; 0 for empty bags."""
    lengths = np.bincount(bag, minlength=count)
    column = np.arange(len(bag)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    width = int(lengths.max(initial=0)) or 1
    rows = np.zeros((count, width), np.int64)
    inside = np.zeros((count, width), bool)
    rows[bag, column] = flat.cpu().numpy()
    inside[bag, column] = real.cpu().numpy()
    table, mask = (from_numpy(array).to(weight.device) for array in (rows, inside[:, :, None]))
    values = where(mask, rows_at(weight.detach(), table._array), -float("inf"))
    best = values.argmax(1)
    chosen = table.gather(1, best)
    columns = ranges.arange(weight.shape[1], device=weight.device)
    out = weight[chosen, columns]
    return where(mask.any(1), out, 0.0), chosen
