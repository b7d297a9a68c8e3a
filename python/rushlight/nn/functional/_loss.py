"""Losses.

All take ``reduction``: ``"none"`` for the loss of each element, ``"mean"`` or ``"sum"`` of them.
``size_average`` and ``reduce`` are its deprecated forms.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from rushlight import ops
from rushlight.tensor import Tensor

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "huber_loss",
    "l1_loss",
    "linear_cross_entropy",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
]


def _legacy(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """Return `reduction`, or what the deprecated arguments say in its place."""
    if size_average is None and reduce is None:
        return reduction
    mean = size_average is None or size_average
    chosen = "none" if reduce is False else "mean" if mean else "sum"
    warnings.warn(
        "size_average and reduce args will be deprecated, please use "
        f"reduction='{chosen}' instead.",
        stacklevel=4,
    )
    return chosen


def _reduce(loss: Tensor, reduction: str, total_weight: Tensor | None = None) -> Tensor:
    if reduction == "mean":
        return loss.mean() if total_weight is None else loss.sum() / total_weight
    if reduction == "sum":
        return loss.sum()
    if reduction != "none":
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return loss


def _warn_of_broadcast(input: Tensor, target: Tensor) -> None:
    if input._array.shape != target._array.shape:  # `shape` itself makes a Size
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=3,
        )


def _elementwise(
    op: Callable[..., Tensor],
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    reduction: str,
    mean_over_weight: bool = True,
) -> Tensor:
    """Apply an elementwise loss, weighted where there is a weight."""
    if weight is None:
        return op(input, target, reduction)
    if weight.shape != input.shape:
        raise ValueError("Weights and input must have the same size.")
    total = weight.sum() if mean_over_weight else None
    return _reduce(op(input, target, "none") * weight, reduction, total)


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """``(x - y)^2``; a weighted mean divides by the sum of the weights."""
    reduction = _legacy(size_average, reduce, reduction)
    _warn_of_broadcast(input, target)
    return _elementwise(ops.mse_loss, input, target, weight, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """``|x - y|``, gradient 0 where they are equal; a weighted mean divides by the weights' sum."""
    reduction = _legacy(size_average, reduce, reduction)
    _warn_of_broadcast(input, target)
    return _elementwise(ops.l1_loss, input, target, weight, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """``d^2 / (2 beta)`` where ``d = |x - y| < beta``, elsewhere ``d - beta / 2``.

    Source: Girshick, Fast R-CNN (2015), equation 3.
    """
    reduction = _legacy(size_average, reduce, reduction)
    _warn_of_broadcast(input, target)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return ops.l1_loss(input, target, reduction)
    return ops.huber_loss(input, target, reduction, beta) / beta


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """``d^2 / 2`` where ``d = |x - y| < delta``, elsewhere ``delta (d - delta / 2)``.

    Source: Huber, Robust estimation of a location parameter (1964).
    """
    _warn_of_broadcast(input, target)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")

    def loss(input: Tensor, target: Tensor, reduction: str) -> Tensor:
        return ops.huber_loss(input, target, reduction, delta)

    return _elementwise(loss, input, target, weight, reduction, mean_over_weight=False)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``-w (y log x + (1 - y) log(1 - x))``, the logarithms no less than -100.

    Args:
        input: probabilities in [0, 1].
        target: of the input's shape, in [0, 1].
        weight: w, broadcast to the input.
        size_average: deprecated.
        reduce: deprecated.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        RuntimeError: an input is not in [0, 1].
        ValueError: the shapes differ.
    """
    reduction = _legacy(size_average, reduce, reduction)
    if input.shape != target.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}) is deprecated. Please ensure they have the same size."
        )
    if weight is None:
        return ops.binary_cross_entropy(input, target, reduction)
    return _reduce(ops.binary_cross_entropy(input, target, "none") * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """``-w (p y log s(x) + (1 - y) log(1 - s(x)))`` with s the sigmoid, formed without overflow.

    Args:
        input: logits.
        target: of the input's shape, in [0, 1].
        weight: w, broadcast to the input.
        size_average: deprecated.
        reduce: deprecated.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        pos_weight: p, weight of the positive targets, broadcast to the target.

    Raises:
        ValueError: the shapes differ.
    """
    reduction = _legacy(size_average, reduce, reduction)
    if input.shape != target.shape:
        raise ValueError(
            f"Target size ({target.shape}) must be the same as input size ({input.shape})"
        )
    if weight is None and pos_weight is None:
        return ops.binary_cross_entropy_with_logits(input, target, reduction)
    loss = ops.binary_cross_entropy_with_logits(input, target, "none")
    if pos_weight is not None:
        ones = ops.ones_like(target)
        positive = ops.binary_cross_entropy_with_logits(input, ones, "none")
        loss = loss + (pos_weight - 1) * target * positive
    return _reduce(loss if weight is None else loss * weight, reduction)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``-w[y] x[y]`` for log-probabilities x and class y; the mean divides by the sum of w[y].

    Args:
        input: (C), (N, C) or (N, C, d1, ...).
        target: int64 classes, of the input's shape without C.
        weight: w, (C).
        size_average: deprecated.
        ignore_index: a target that counts for nothing.
        reduce: deprecated.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
    """
    reduction = _legacy(size_average, reduce, reduction)
    loss, _ = ops.nll_loss(input, target, weight, ignore_index, reduction)
    return loss


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """``-log softmax(x)`` at the target class, or its mean under target probabilities.

    Args:
        input: logits (C), (N, C) or (N, C, d1, ...).
        target: int64 classes, of the input's shape without C; or probabilities of its shape.
        weight: of each class, (C); the mean of class targets divides by the sum of their weights.
        size_average: deprecated.
        ignore_index: a class target that counts for nothing.
        reduce: deprecated.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        label_smoothing: e in ``(1 - e) y + e / C``, the target that is used.

    Raises:
        RuntimeError: `label_smoothing` is not in [0, 1], or the shapes do not fit.
    """
    reduction = _legacy(size_average, reduce, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(
            f"label_smoothing must be between 0.0 and 1.0. Got label_smoothing: {label_smoothing}"
        )
    dim = 0 if input.dim() == 1 else 1
    logs = ops.log_softmax_along(input, dim)
    if target.is_floating_point() and target.shape == input.shape:
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        return _soft_cross_entropy(logs, target, weight, reduction, label_smoothing, dim)
    loss, _ = ops.nll_loss(logs, target, weight, ignore_index, reduction)
    if label_smoothing == 0:
        return loss
    uniform = _uniform_cross_entropy(logs, target, weight, ignore_index, reduction, dim)
    classes: int = input.shape[dim]
    return loss * (1 - label_smoothing) + uniform * (label_smoothing / classes)


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """`cross_entropy` of ``x W^T + b``.

    Args:
        input: x, (N, n) or (n).
        linear_weight: W, (C, n) or (C, d1, ..., n).
        target: as that of `cross_entropy` for logits (N, C, d1, ...).
        linear_bias: b, of W's shape without n.
        weight: of each class, (C).
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        ignore_index: a class target that counts for nothing, -100 when None.
        label_smoothing: see `cross_entropy`.
        options: must be None: the logits are formed whole.

    Raises:
        RuntimeError: for shapes that do not fit.
        NotImplementedError: for `options`.
    """
    if options is not None:
        raise NotImplementedError("linear_cross_entropy(): options= is not supported")
    if not 1 <= input.dim() <= 2:
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if linear_weight.dim() < 2:
        raise RuntimeError(
            f"expected linear_weight with dimensionality at least 2, got {linear_weight.dim()}"
        )
    *out_shape, features = linear_weight.shape
    if input.shape[-1] != features:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{input.shape[-1]} and {features}, respectively"
        )
    if linear_bias is not None and tuple(linear_bias.shape) != tuple(out_shape):
        raise RuntimeError(
            f"expected linear_bias shape {tuple(out_shape)}, got {tuple(linear_bias.shape)}"
        )
    if len(out_shape) > 1 and input.dim() == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} "
            f"requires batched input, (N, {features}), got unbatched input with shape "
            f"{tuple(input.shape)}"
        )
    shape = (*input.shape[:-1], *out_shape)
    if tuple(target.shape) == shape and ignore_index is not None:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    logits = ops.linear(input, linear_weight.reshape(-1, features), bias).reshape(shape)
    return cross_entropy(
        logits,
        target,
        weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )


def _over_classes(weight: Tensor, logs: Tensor) -> Tensor:
    """View class weights (C) so that they broadcast over (N, C, d1, ...)."""
    return weight.reshape(-1, *(1 for _ in logs.shape[2:])) if logs.dim() > 1 else weight


def _soft_cross_entropy(
    logs: Tensor,
    target: Tensor,
    weight: Tensor | None,
    reduction: str,
    smoothing: float,
    dim: int,
) -> Tensor:
    classes: int = logs.shape[dim]
    if smoothing > 0:
        target = target * (1 - smoothing) + smoothing / classes
    products = logs * target
    if weight is not None:
        products = products * _over_classes(weight, logs)
    loss = -products.sum(dim)
    if reduction == "mean":  # of an empty batch too, where loss.mean() would warn
        return loss.sum() / (logs.numel() / classes)
    return _reduce(loss, reduction)


def _uniform_cross_entropy(
    logs: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    dim: int,
) -> Tensor:
    """Sum of the loss over all classes: what label smoothing mixes in."""
    loss = -(logs if weight is None else logs * _over_classes(weight, logs)).sum(dim)
    counted = ops.ne(target, ignore_index)
    loss = ops.where(counted, loss, 0.0)
    if weight is None:
        return _reduce(loss, reduction, counted.sum() if reduction == "mean" else None)
    known = ops.where(counted, target, 0)
    weights = ops.where(counted, weight[known], 0.0)
    return _reduce(loss, reduction, weights.sum())
