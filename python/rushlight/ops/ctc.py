"""Connectionist temporal classification."""

from __future__ import annotations

from rushlight.ops._derivatives import undefined
from rushlight.ops._registry import op
from rushlight.tensor import Tensor


@op(
    log_probs=lambda K, g, log_probs, targets, input_lengths, target_lengths, blank, out, alpha: (
        K.ctc_alignments_backward(
            g, log_probs, targets, input_lengths, target_lengths, blank, out, alpha
        )
    ),
    targets=None,
    input_lengths=None,
    target_lengths=None,
    extras=("alpha",),
    node="CtcLossBackward0",
    method=False,
)
def ctc_alignments(
    log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int
) -> Tensor:
    """The negative logarithm of the summed probability of all alignments of the targets.

    Args:
        log_probs: of the classes, (steps, batch, classes).
        targets: labels, int64, (batch, longest).
        input_lengths: int64, (batch).
        target_lengths: int64, (batch).
        blank: the class that stands for no label.

    Returns:
        The losses, (batch), and the forward variables, (steps, batch, states).

    Gradient:
        As in PyTorch of first order only, and right only behind a log_softmax.
    """


_SECOND = undefined("_ctc_loss_backward")


@op(
    g=_SECOND,
    log_probs=_SECOND,
    targets=None,
    input_lengths=None,
    target_lengths=None,
    loss=_SECOND,
    alpha=None,
    method=False,
)
def ctc_alignments_backward(
    g: Tensor,
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int,
    loss: Tensor,
    alpha: Tensor,
) -> Tensor:
    """The gradient of `ctc_alignments` with respect to `log_probs`."""
