"""Losses: one node each, its kernels composed of pointwise ones and a reduction."""

from __future__ import annotations

import math
from typing import Any

from rushlight.ops._registry import op
from rushlight.tensor import Tensor


def _reduced(K: Any, values: Any, reduction: str) -> Any:
    """The mean, the sum, or all of the losses."""
    if reduction == "mean":
        return K.mean(values)
    if reduction == "sum":
        return K.sum(values)
    if reduction == "none":
        return values
    raise ValueError(f"{reduction} is not a valid value for reduction")


def _weight(K: Any, g: Any, slope: Any, reduction: str, factor: float = 1.0) -> Any:
    """The gradient of one element's loss: `g` shared out by the reduction, times `factor`."""
    if reduction == "mean":
        factor /= max(1, math.prod(slope.shape))
    return K.mul(K.mul(g, factor), slope) if factor != 1.0 else K.mul(g, slope)


def _squared_slope(K: Any, g: Any, input: Any, target: Any, reduction: str, sign: float) -> Any:
    return _weight(K, g, K.sub(input, target), reduction, 2.0 * sign)


@op(
    input=lambda K, g, input, target, reduction: _squared_slope(
        K, g, input, target, reduction, 1.0
    ),
    target=lambda K, g, input, target, reduction: _squared_slope(
        K, g, input, target, reduction, -1.0
    ),
    forward=lambda K, input, target, reduction: _reduced(
        K, K.squared_error(input, target), reduction
    ),
    method=False,
)
def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """``(input - target) ** 2``, reduced."""


def _sign_slope(K: Any, g: Any, input: Any, target: Any, reduction: str, sign: float) -> Any:
    return _weight(K, g, K.sign(K.sub(input, target)), reduction, sign)


@op(
    input=lambda K, g, input, target, reduction: _sign_slope(K, g, input, target, reduction, 1.0),
    target=lambda K, g, input, target, reduction: _sign_slope(K, g, input, target, reduction, -1.0),
    forward=lambda K, input, target, reduction: _reduced(
        K, K.absolute_error(input, target), reduction
    ),
    method=False,
)
def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """``|input - target|``, reduced; the derivative at 0 is 0."""


def _huber_slope(
    K: Any, g: Any, input: Any, target: Any, delta: float, reduction: str, sign: float
) -> Any:
    return _weight(K, g, K.clamp(K.sub(input, target), -delta, delta), reduction, sign)


@op(
    input=lambda K, g, input, target, reduction, delta: _huber_slope(
        K, g, input, target, delta, reduction, 1.0
    ),
    target=lambda K, g, input, target, reduction, delta: _huber_slope(
        K, g, input, target, delta, reduction, -1.0
    ),
    forward=lambda K, input, target, reduction, delta: _reduced(
        K, K.huber(input, target, delta), reduction
    ),
    method=False,
)
def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0
) -> Tensor:
    """Quadratic up to an error of `delta`, linear beyond (Huber 1964), reduced."""


def _probability_slope(K: Any, g: Any, input: Any, target: Any, reduction: str) -> Any:
    spread = K.clamp(K.mul(input, K.sub(1, input)), 1e-12, math.inf)
    return _weight(K, g, K.div(K.sub(input, target), spread), reduction)


def _probability_target_slope(K: Any, g: Any, input: Any, reduction: str) -> Any:
    return _weight(K, g, K.sub(K.log(K.sub(1, input)), K.log(input)), reduction)


@op(
    input=lambda K, g, input, target, reduction: _probability_slope(K, g, input, target, reduction),
    target=lambda K, g, input, reduction: _probability_target_slope(K, g, input, reduction),
    forward=lambda K, input, target, reduction: _reduced(
        K, K.cross_entropy_of_probability(input, target), reduction
    ),
    method=False,
)
def binary_cross_entropy(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """``-(t log p + (1 - t) log(1 - p))`` of probabilities p, logarithms at least -100, reduced."""


@op(
    input=lambda K, g, input, target, reduction: _weight(
        K, g, K.sub(K.sigmoid(input), target), reduction
    ),
    target=lambda K, g, input, reduction: _weight(K, g, K.neg(input), reduction),
    forward=lambda K, input, target, reduction: _reduced(
        K, K.cross_entropy_of_logit(input, target), reduction
    ),
    method=False,
)
def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, reduction: str = "mean"
) -> Tensor:
    """`binary_cross_entropy` of ``sigmoid(input)``, without its rounding errors."""


@op(
    input=lambda K, g, input_shape, target, weight, ignore_index, reduction, total_weight: (
        K.nll_loss_backward(g, input_shape, target, weight, ignore_index, reduction, total_weight)
    ),
    target=None,
    weight=None,
    extras=("total_weight",),
    method=False,
)
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
) -> Tensor:
    """The negative of each row's entry at its target, weighted by class, and the weights' sum.

    Args:
        input: log-probabilities ``(n, c)``, ``(c)`` or ``(n, c, d1, ...)``.
        target: classes, int64, ``(n)``, ``()`` or ``(n, d1, ...)``.
        weight: of each class, ``(c)``, or None.
        ignore_index: the target of elements that do not count.
        reduction: 'none', 'mean' (weighted) or 'sum'.

    Raises:
        IndexError: for a target that is no class.
    """


@op(
    grad=lambda K, g, target, weight, ignore_index, reduction: K.nll_loss(
        g, target, weight, ignore_index, reduction
    )[0],
    target=None,
    weight=None,
    total_weight=None,
    method=False,
)
def nll_loss_backward(
    grad: Tensor,
    shape: tuple[int, ...],
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    total_weight: Tensor,
) -> Tensor:
    """The gradient of `nll_loss` with respect to its input of `shape`."""
