"""Connectionist temporal classification."""

from __future__ import annotations

from collections.abc import Sequence

from rushlight import ops
from rushlight.tensor import Tensor

__all__ = ["ctc_loss"]


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """``-log p(y | x)`` for labels y whose alignment with the steps of x is not known.

    Args:
        log_probs: log-probabilities of classes, (steps, batch, classes) or (steps, classes).
        targets: labels, (batch, longest), or all of them one after the other.
        input_lengths: steps of each sequence.
        target_lengths: labels of each sequence.
        blank: the class that stands for no label.
        reduction: ``"none"``; ``"sum"``; or ``"mean"``, of the losses divided by the lengths of
            their targets.
        zero_infinity: whether a target that is too long for its input counts for nothing.

    Raises:
        RuntimeError: for lengths, labels and shapes that do not fit.

    Source: Graves et al. (2006).
    """
    if log_probs.dim() not in (2, 3):
        raise RuntimeError(
            f"log_probs tensor must be of dimension 2 or 3, got {log_probs.dim()} dimensions"
        )
    batched = log_probs.dim() == 3
    x = log_probs if batched else log_probs.unsqueeze(1)
    steps, batch, classes = x.shape
    sizes = _lengths("input_lengths", input_lengths, batch)
    counts = _lengths("target_lengths", target_lengths, batch)
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    _check_range("input_lengths", sizes, steps)
    _check_range("target_lengths", counts, None)
    labels = _padded(targets if batched or targets.dim() == 1 else targets[0], counts, blank)
    labels = labels.to(x.device)
    lengths = ops.tensor(counts, device=x.device)
    loss, _ = ops.ctc_alignments(x, labels, ops.tensor(sizes, device=x.device), lengths, blank)
    if zero_infinity:
        loss = ops.where(loss.isinf(), 0.0, loss)
    if reduction == "mean":
        return (loss / lengths.clamp(min=1)).mean()
    if reduction == "sum":
        return loss.sum()
    if reduction != "none":
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return loss if batched else loss[0]


def _lengths(name: str, values: Tensor | Sequence[int], batch: int) -> list[int]:
    if isinstance(values, Tensor):
        if values.is_floating_point():
            raise RuntimeError(f"{name} must be integral")
        sizes: list[int] = values.reshape(-1).tolist()
    else:
        sizes = list(values)
    if any(not isinstance(n, int) for n in sizes):
        raise TypeError(f"ctc_loss(): argument '{name}' must be tuple of ints")
    if len(sizes) != batch:
        raise RuntimeError(f"{name} must be of size batch_size")
    return sizes


def _check_range(name: str, values: list[int], most: int | None) -> None:
    for n in values:
        if most is not None and n > most:
            raise RuntimeError(f"Expected {name} to have value at most {most}, but got value {n}")
        if n < 0:
            raise RuntimeError(f"Expected {name} to have value at least 0, but got value {n}")


def _padded(targets: Tensor, counts: list[int], blank: int) -> Tensor:
    """The labels as (batch, longest), `blank` behind the ends."""
    batch, longest = len(counts), max(counts, default=0)
    if targets.dim() == 1:
        if targets.shape[0] != sum(counts):
            raise RuntimeError(
                f"Expected tensor to have size {sum(counts)} at dimension 0, but got size "
                f"{targets.shape[0]} for argument #2 'targets'"
            )
        starts = [sum(counts[:i]) for i in range(batch)]
    else:
        if targets.shape[0] != batch:
            raise RuntimeError(
                f"Expected tensor to have size {batch} at dimension 0, but got size "
                f"{targets.shape[0]} for argument #2 'targets'"
            )
        if targets.shape[1] < longest:
            raise RuntimeError(
                f"Expected tensor to have size at least {longest} at dimension 1, but got size "
                f"{targets.shape[1]} for argument #2 'targets'"
            )
        starts = [i * targets.shape[1] for i in range(batch)]
    values = targets.detach().reshape(-1).tolist()
    rows = [
        [int(v) for v in values[start : start + n]] + [blank] * (longest - n)
        for start, n in zip(starts, counts, strict=True)
    ]
    return ops.tensor(rows).reshape(batch, longest)
