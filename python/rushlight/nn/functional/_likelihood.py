"""Losses that compare distributions."""

from __future__ import annotations

import warnings
from typing import Any

from rushlight import ops
from rushlight.tensor import Tensor

from ._loss import _legacy, _reduce

__all__ = ["gaussian_nll_loss", "kl_div", "poisson_nll_loss"]


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """``y (log y - x)`` for log-probabilities x and probabilities y, 0 where y is 0.

    Args:
        input: log-probabilities.
        target: probabilities, or their logarithms with `log_target`.
        size_average: deprecated.
        reduce: deprecated.
        reduction: ``"batchmean"``, the sum divided by the first size, is the divergence's
            definition; ``"mean"`` divides by the number of elements.
        log_target: whether `target` is given as logarithms.
    """
    if reduction == "mean" and size_average is None and reduce is None:
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.'mean' will be changed to behave the same as 'batchmean' in the next "
            "major release.",
            stacklevel=2,
        )
    reduction = _legacy(size_average, reduce, reduction)
    if log_target:
        loss = target.exp() * (target - input)
    else:
        known = ops.where(target > 0, target, 1.0)  # 0 log 0 is 0
        loss = target * (known.log() - input)
    if reduction == "batchmean":
        return loss.sum() / (input.shape[0] if input.dim() else 1)
    return _reduce(loss, reduction)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``exp(x) - y x``, or ``x - y log(x + eps)`` when the input is no logarithm.

    With `full`, Stirling's ``y log y - y + log(2 pi y) / 2`` is added where y > 1.
    """
    reduction = _legacy(size_average, reduce, reduction)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    if log_input:
        loss = input.exp() - target * input
    else:
        loss = input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + (target * 6.283185307179586).log() * 0.5
        loss = loss + ops.where(target > 1, stirling, 0.0)
    return _reduce(loss, reduction)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """``(log v + (x - y)^2 / v) / 2`` with the variance v no less than `eps`.

    With `full`, ``log(2 pi) / 2`` is added. The clamp takes no part in the gradient.

    Raises:
        ValueError: a variance is negative, or its shape does not fit.
    """
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = ops.full_like(input, var)
    elif bool((var < 0).any()):
        raise ValueError("var has negative entry/entries")
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif input.dim() != var.dim() or 1 != sum(
            m for n, m in zip(input.shape, var.shape, strict=True) if n != m
        ):
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(reduction + " is not valid")
    lifted = var + (var.detach().clamp(min=eps) - var.detach())
    difference = input - target
    loss = (lifted.log() + difference * difference / lifted) * 0.5
    return _reduce(loss + 0.9189385332046727 if full else loss, reduction)
