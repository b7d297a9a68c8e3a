"""Connectionist temporal classification: sums over all alignments, in logarithms.

A target of n labels is 2 n + 1 states: its labels, with a blank before, between and behind them. An
alignment starts in one of the first two states, ends in one of the last two, and at each step
stays, goes to the next state, or over a blank between two different labels.

Source: Graves, Fernandez, Gomez and Schmidhuber (2006), sections 4.1 and 4.2.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight.backend.common import namespace

__all__ = ["ctc_alignments", "ctc_alignments_backward"]

Array = Any


def _states(targets: Array, blank: int) -> tuple[Array, Array]:
    """The label of each state, and whether it can be reached over the one before it."""
    xp = namespace(targets)
    batch, size = targets.shape
    labels = xp.full((batch, 2 * size + 1), blank, targets.dtype)
    labels[:, 1::2] = targets
    skips = xp.zeros(labels.shape, bool)
    skips[:, 3::2] = targets[:, 1:] != targets[:, :-1]
    return labels, skips


def _log_sum(xp: Any, *terms: Array) -> Array:
    total = terms[0]
    for term in terms[1:]:
        total = xp.logaddexp(total, term)
    return total


def _moved(xp: Any, x: Array, by: int) -> Array:
    """Columns shifted by `by`, to the right if positive; minus infinity comes in."""
    out = xp.full(x.shape, -math.inf, x.dtype)
    if by > 0:
        out[:, by:] = x[:, : max(0, x.shape[1] - by)]
    else:
        out[:, :by] = x[:, -by:]
    return out


def _emitted(xp: Any, log_probs: Array, labels: Array) -> Array:
    """The log-probability of each state's label at each step."""
    return log_probs[:, xp.arange(labels.shape[0])[:, None], labels]


def _last_states(xp: Any, lengths: Array, count: int) -> Array:
    """Where an alignment may end: in the last label, or in the blank behind it."""
    state = xp.arange(count)[None, :]
    ends = 2 * lengths[:, None]
    return (state == ends) | ((state == ends - 1) & (ends > 0))


@np.errstate(divide="ignore", invalid="ignore")
def ctc_alignments(
    log_probs: Array, targets: Array, input_lengths: Array, target_lengths: Array, blank: int
) -> tuple[Array, Array]:
    """The negative logarithm of the targets' probability, (batch), and the forward variables.

    Args:
        log_probs: (steps, batch, classes).
        targets: labels, (batch, longest), of any value behind the lengths.
        input_lengths: (batch).
        target_lengths: (batch).
        blank: the label that stands for none.
    """
    xp = namespace(log_probs)
    labels, skips = _states(targets, blank)
    emitted = _emitted(xp, log_probs, labels)
    alpha = xp.full(emitted.shape, -math.inf, emitted.dtype)
    alpha[:1, :, :2] = emitted[:1, :, :2]
    for t in range(1, alpha.shape[0]):
        before = alpha[t - 1]
        over = xp.where(skips, _moved(xp, before, 2), -math.inf)
        alpha[t] = _log_sum(xp, before, _moved(xp, before, 1), over) + emitted[t]
    last = alpha[xp.maximum(input_lengths, 1) - 1, xp.arange(labels.shape[0])]
    ending = xp.where(_last_states(xp, target_lengths, labels.shape[1]), last, -math.inf)
    top = xp.maximum(ending.max(1), xp.finfo(ending.dtype).min)  # finite, where nothing ends
    loss = -xp.log(xp.exp(ending - top[:, None]).sum(1)) - top
    empty = xp.where(target_lengths == 0, 0.0, math.inf)
    loss = xp.where(input_lengths == 0, empty, loss).astype(log_probs.dtype, copy=False)
    return loss, alpha


@np.errstate(invalid="ignore")
def ctc_alignments_backward(
    g: Array,
    log_probs: Array,
    targets: Array,
    input_lengths: Array,
    target_lengths: Array,
    blank: int,
    loss: Array,
    alpha: Array,
) -> Array:
    """``exp(log_probs)`` less the probability of each label at each step, times `g`.

    As in PyTorch, that is the gradient through a log_softmax; the first term vanishes there.
    """
    xp = namespace(log_probs)
    steps, batch, _ = log_probs.shape
    labels, skips = _states(targets, blank)
    emitted = _emitted(xp, log_probs, labels)
    ends = xp.where(_last_states(xp, target_lengths, labels.shape[1]), 0.0, -math.inf)
    may_skip = xp.zeros(skips.shape, bool)
    may_skip[:, :-2] = skips[:, 2:]
    grad = xp.exp(log_probs)
    # The backward variables without the label of their own step.
    known = xp.where(xp.isinf(loss), 0.0, loss)[:, None]
    rest = xp.full(labels.shape, -math.inf, emitted.dtype)
    row = xp.arange(batch)
    for t in range(steps - 1, -1, -1):
        if t < steps - 1:
            after = rest + emitted[t + 1]
            over = xp.where(may_skip, _moved(xp, after, -2), -math.inf)
            rest = _log_sum(xp, after, _moved(xp, after, -1), over)
        rest = xp.where((input_lengths == t + 1)[:, None], ends, rest)
        share = xp.exp(alpha[t] + rest + known)
        for s in range(labels.shape[1]):  # one state a sequence: no place is named twice
            grad[t, row, labels[:, s]] -= share[:, s]
    grad[:, xp.isinf(loss)] = math.nan
    # Without a gradient an impossible target, of infinite loss, counts for nothing.
    idle = (xp.arange(steps)[:, None] >= input_lengths[None, :]) | (g == 0)[None, :]
    return xp.where(idle[:, :, None], 0.0, grad * g[None, :, None]).astype(g.dtype, copy=False)
