"""Dropout."""

from __future__ import annotations

from rushlight import ops
from rushlight.tensor import Tensor

__all__ = ["dropout", "dropout1d", "dropout2d", "dropout3d"]


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, zero each element with probability `p` and scale the others by ``1 / (1 - p)``.

    Raises:
        ValueError: `p` is not in [0, 1].
    """
    _check(p)
    if not training:
        return input
    out = ops.dropout(input, p, training)
    return input.copy_(out) if inplace else out


def _feature_dropout(
    input: Tensor, p: float, training: bool, inplace: bool, batched: bool
) -> Tensor:
    """Zero whole channels: one draw for each sample and channel."""
    _check(p)
    if not training or p == 0:
        return input
    lead = input.shape[:2] if batched else input.shape[:1]
    ones = input.new_ones((*lead, *(1 for _ in input.shape[len(lead) :])))
    out = input * ops.dropout(ones, p, True)
    return input.copy_(out) if inplace else out


def _check(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """`dropout` of whole channels of (N, C, L) or (C, L)."""
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input."
        )
    return _feature_dropout(input, p, training, inplace, batched=input.dim() == 3)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """`dropout` of whole channels of (N, C, H, W); (N, C, L) is taken as batched too."""
    return _feature_dropout(input, p, training, inplace, batched=True)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """`dropout` of whole channels of (N, C, D, H, W)."""
    return _feature_dropout(input, p, training, inplace, batched=True)
