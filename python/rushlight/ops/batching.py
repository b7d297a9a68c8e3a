"""The border of vmap: outside a tensor of many samples, inside one that looks like a sample."""

from __future__ import annotations

from rushlight.backend.levels import Level
from rushlight.ops._registry import op
from rushlight.tensor import Tensor


@op(input=lambda K, g, level, dim: K.leave_batch(g, level, dim), method=False)
def enter_batch(input: Tensor, level: Level, dim: int) -> Tensor:
    """The slices along `dim` as the samples of a batch."""


@op(input=lambda K, g, level, dim: K.enter_batch(g, level, dim), method=False)
def leave_batch(input: Tensor, level: Level, dim: int) -> Tensor:
    """The samples of a batch as the slices along `dim`; a shared tensor is repeated."""
