"""Losses that ask for a margin between what is right and what is not."""

from __future__ import annotations

from collections.abc import Callable

from rushlight import ops
from rushlight.tensor import Tensor

from ._activation import logsigmoid
from ._loss import _legacy, _reduce

__all__ = [
    "cosine_embedding_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]


def _reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    reduction = _legacy(size_average, reduce, reduction)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


# ---- Of pairs and triplets ----


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``max(0, -y (x1 - x2) + margin)`` for y of 1 (the first ranks higher) or -1."""
    reduction = _reduction(size_average, reduce, reduction)
    if not input1.dim() == input2.dim() == target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return _reduce((-target * (input1 - input2) + margin).clamp(min=0), reduction)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The distance x where y is 1 (alike), ``max(0, margin - x)`` where it is -1."""
    reduction = _reduction(size_average, reduce, reduction)
    far = ops.where(ops.ne(target, 1), (margin - input).clamp(min=0), 0.0)
    return _reduce(far + ops.where(ops.ne(target, -1), input, 0.0), reduction)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``1 - cos(x1, x2)`` where y is 1 (alike), ``max(0, cos(x1, x2) - margin)`` where it is -1.

    Args:
        input1: (n, c) or (c).
        input2: the same.
        target: (n) or ().
        margin: of cosines, in [-1, 1].
        size_average: deprecated.
        reduce: deprecated.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
    """
    reduction = _reduction(size_average, reduce, reduction)
    dim = target.dim()
    if dim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if input1.dim() != dim + 1 or input2.dim() != dim + 1:
        raise RuntimeError(
            f"{dim}D target tensor expects {dim + 1}D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}."
        )
    squares = ((x * x).sum(dim) + 1e-12 for x in (input1, input2))
    cosine = (input1 * input2).sum(dim) / (next(squares) * next(squares)).sqrt()
    alike = ops.where(ops.eq(target, 1), 1 - cosine, 0.0)
    unlike = ops.where(ops.eq(target, -1), (cosine - margin).clamp(min=0), 0.0)
    return _reduce(alike + unlike, reduction)


def _triplet(
    distance: Callable[[Tensor, Tensor], Tensor],
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    dims = [x.dim() for x in (anchor, positive, negative)]
    if len(set(dims)) > 1:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {dims[0]}D, positive {dims[1]}D, and negative "
            f"{dims[2]}D inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = ops.minimum(far, distance(positive, negative))
    return _reduce((margin + near - far).clamp(min=0), reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``max(0, |a - p| - |a - n| + margin)``, of the distances of `pairwise_distance`.

    With `swap` the negative is compared with the nearer of the anchor and the positive.

    Source: Balntas et al. (2016).
    """
    reduction = _reduction(size_average, reduce, reduction)

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return ops.pairwise_distance(x, y, p, eps)

    return _triplet(distance, anchor, positive, negative, margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """`triplet_margin_loss` with any distance, `pairwise_distance` when None."""
    distance = ops.pairwise_distance if distance_function is None else distance_function
    return _triplet(distance, anchor, positive, negative, margin, swap, reduction)


# ---- Of classes ----


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``log(1 + exp(-y x))`` for y of 1 or -1."""
    reduction = _reduction(size_average, reduce, reduction)
    return _reduce((-target * input).exp().log1p(), reduction)


def _check_scores(input: Tensor) -> None:
    if input.dim() > 2 or not all(input.shape[1 if input.dim() == 2 else 0 :]):
        raise RuntimeError(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{list(input.shape)}"
        )


def _check_classes(target: Tensor, low: int, high: int, words: str) -> None:
    if target.dtype.name != "int64":
        found = target.dtype.name.removesuffix("32").capitalize()
        raise RuntimeError(f"expected scalar type Long but found {found}")
    if bool(((target < low) | (target >= high)).any()):
        raise RuntimeError(words)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``w[y] max(0, margin - x[y] + x[i])^p`` summed over the classes i but y, divided by C.

    Args:
        input: scores, (N, C) or (C).
        target: the class y, (N) or ().
        p: 1 or 2.
        margin: of scores.
        weight: w, (C).
        size_average: deprecated.
        reduce: deprecated.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: for another `p`, and a `weight` that is no vector.
        RuntimeError: for shapes that do not fit, and a target that is no class.
    """
    reduction = _reduction(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    _check_scores(input)
    x = input if input.dim() == 2 else input.reshape(1, -1)
    batch, classes = x.shape
    if target.numel() != batch or target.dim() > 1:
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input "
            f"samples (batch size). Expected target size [{batch}], but got {list(target.shape)}. "
            f"Input has shape {list(input.shape)}."
        )
    if weight is not None and weight.shape[0] != classes:
        raise RuntimeError(
            f"inconsistent weight size, expected {classes} but got {list(weight.shape)}"
        )
    _check_classes(target, 0, classes, "target out of range")
    right = target.reshape(batch, 1)
    missing = (margin - x.gather(1, right) + x).relu()
    missing = missing if p == 1 else missing * missing
    if weight is not None:
        missing = missing * weight[right]
    others = ops.ne(ops.arange(classes, device=x.device), right)
    loss = ops.where(others, missing, 0.0).sum(1) / classes
    return _reduce(loss.reshape(target.shape) if reduction == "none" else loss, reduction)


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``max(0, 1 - x[j] + x[i])`` summed over right classes j and wrong classes i, divided by C.

    Args:
        input: scores, (N, C) or (C).
        target: the right classes, up to the first -1 of a row; of the shape of `input`.
        size_average: deprecated.
        reduce: deprecated.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        RuntimeError: for shapes that do not fit, and a target that is no class.
    """
    reduction = _reduction(size_average, reduce, reduction)
    _check_scores(input)
    if target.shape != input.shape:
        raise RuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}"
        )
    classes: int = input.shape[-1] if input.dim() else 1
    _check_classes(target, -1, classes, "argument #2 'target' is out of range")
    if target.numel() == 0:
        return _reduce(input.sum(1), "none" if reduction == "none" else "sum")
    x, y = input.reshape(-1, classes), target.reshape(-1, classes)
    places = ops.arange(classes, device=x.device)
    ended = y < 0
    end = ops.where(ended.any(1, True), ended.to(y.dtype).argmax(1, True), classes)
    given = places < end
    right = ops.eq(ops.where(given, y, classes).unsqueeze(2), places).any(1)
    chosen = x.gather(1, ops.where(given, y, 0))
    missing = (1 - chosen.unsqueeze(2) + x.unsqueeze(1)).relu()
    counted = given.unsqueeze(2) & ~right.unsqueeze(1)
    loss = ops.where(counted, missing, 0.0).sum((1, 2)) / classes
    return _reduce(loss if input.dim() == 2 else loss[0], reduction)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``-w (y log s(x) + (1 - y) log s(-x))``, meaned over the last dimension; s the sigmoid."""
    reduction = _legacy(size_average, reduce, reduction)
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(reduction + " is not valid")
    return _reduce(loss.sum(-1) / input.shape[-1], reduction)
