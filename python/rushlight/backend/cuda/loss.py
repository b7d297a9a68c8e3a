"""Negative log likelihood."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rushlight.backend.cuda import pointwise as K
from rushlight.backend.cuda.arrays import full
from rushlight.backend.cuda.checks import refuse
from rushlight.backend.cuda.halves import in_float32
from rushlight.backend.cuda.runtime import cp

__all__ = ["nll_loss", "nll_loss_backward"]


class _Problem:
    """The chosen classes of log-probabilities ``(batch, classes, positions)`` and their weights.

    Attributes:
        sizes: batch, classes, positions.
        places: the index of each target's log-probability; of an ignored target's, class 0's.
        scale: the weight of each target, 0 for an ignored one.
        kept: whether a target counts.
    """

    def __init__(
        self, shape: Sequence[int], dtype: Any, target: Any, weight: Any, ignore_index: int
    ) -> None:
        axis = min(1, len(shape) - 1)
        self.sizes = (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
        batch, classes, positions = self.sizes
        target = target.reshape(batch, positions).astype("int64", copy=False)
        self.kept = target != ignore_index
        wrong = self.kept & ((target < 0) | (target >= classes))
        if bool(wrong.any()):  # reads back: CuPy would wrap the index around
            raise IndexError(f"Target {int(target[wrong][0])} is out of bounds.")
        chosen = cp.where(self.kept, target, 0)
        self.places = (cp.arange(batch)[:, None], chosen, cp.arange(positions)[None, :])
        scale = full(chosen.shape, 1, dtype) if weight is None else weight[chosen]
        self.scale = K.where(self.kept, scale, 0.0)


def _check(name: str, shape: Sequence[int], dtype: Any, *arguments: Any) -> None:
    """Leaves every refusal to the CPU's kernel."""
    target, weight, _, reduction = arguments
    axis = min(1, len(shape) - 1)
    right = (
        len(shape) > 0
        and dtype.kind == "f"
        and reduction in ("none", "mean", "sum")
        and str(target.dtype) in ("int64", "uint8")
        and target.shape == (*shape[:axis], *shape[axis + 1 :])
        and (weight is None or (weight.dtype == dtype and weight.shape == (shape[axis],)))
    )
    if not right:
        refuse(name, cp.broadcast_to(full((), 0, dtype), tuple(shape)), *arguments)


@in_float32
def nll_loss(
    x: Any, target: Any, weight: Any, ignore_index: int, reduction: str
) -> tuple[Any, Any]:
    """The loss, one for each target or reduced, and the sum of the targets' weights."""
    _check("nll_loss", x.shape, x.dtype, target, weight, ignore_index, reduction)
    problem = _Problem(x.shape, x.dtype, target, weight, ignore_index)
    picked = x.reshape(problem.sizes)[problem.places]
    losses = K.where(problem.kept, K.neg(K.mul(picked, problem.scale)), 0.0)
    total = problem.scale.sum()
    if reduction == "none":
        return losses.reshape(target.shape), total
    loss = losses.sum()
    return (K.div(loss, total) if reduction == "mean" else loss), total


@in_float32
def nll_loss_backward(
    g: Any,
    shape: Sequence[int],
    target: Any,
    weight: Any,
    ignore_index: int,
    reduction: str,
    total_weight: Any,
) -> Any:
    """The gradient of `nll_loss` with respect to the log-probabilities, of `shape`."""
    _check("nll_loss", shape, g.dtype, target, weight, ignore_index, reduction)
    problem = _Problem(shape, g.dtype, target, weight, ignore_index)
    upstream = g.reshape(problem.scale.shape if reduction == "none" else (1, 1))
    if reduction == "mean":
        upstream = K.div(upstream, total_weight)
    slopes = K.where(problem.kept, K.neg(K.mul(upstream, problem.scale)), 0.0)
    out = full(problem.sizes, 0, g.dtype)
    out[problem.places] = slopes
    return out.reshape(tuple(shape))
