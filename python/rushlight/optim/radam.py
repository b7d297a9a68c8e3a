"""RAdam."""

from __future__ import annotations

import math
from typing import Any

from rushlight.tensor import Tensor

from .composed import ComposedOptimizer, State, adam_options, decayed, zeros
from .optimizer import Group, ParamsT, check_implementation

__all__ = ["RAdam"]


class RAdam(ComposedOptimizer):
    """`Adam` that does without the root while too few gradients have been seen to trust it.

    With gradient g and parameter p, at step t::

        m = beta1 m + (1 - beta1) g
        v = beta2 v + (1 - beta2) g^2
        R = 2 / (1 - beta2) - 1,  r = R - 2 t beta2^t / (1 - beta2^t)
        c = sqrt((r - 4) (r - 2) R / ((R - 4) (R - 2) r))
        p = p - lr m / (1 - beta1^t) c sqrt(1 - beta2^t) / (sqrt(v) + eps)   where r > 5
        p = p - lr m / (1 - beta1^t)                                         otherwise

    Args:
        params: tensors or groups, see `Optimizer`.
        lr: learning rate.
        betas: beta1 and beta2, how much of both means is kept.
        eps: added to the root.
        weight_decay: pull of each parameter towards 0.
        decoupled_weight_decay: keep the pull out of both means, as `AdamW` does.
        foreach: of no effect.
        maximize: climb instead of descending.
        capturable: of no effect.
        differentiable: not supported.

    Raises:
        ValueError: an option is out of its range.

    Source: Liu et al., On the variance of the adaptive learning rate and beyond (2020),
    algorithm 2.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = adam_options(
            lr,
            betas,
            eps,
            weight_decay,
            maximize=maximize,
            foreach=foreach,
            capturable=capturable,
            decoupled_weight_decay=decoupled_weight_decay,
            differentiable=differentiable,
        )
        check_implementation("RAdam", defaults)
        super().__init__(params, defaults)

    def _start(self, parameter: Tensor, group: Group) -> State:
        return {"exp_avg": zeros(parameter), "exp_avg_sq": zeros(parameter)}

    def _step(self, group: Group, p: Tensor, g: Tensor, state: State) -> None:
        t, (beta1, beta2) = state["step"].item(), group["betas"]
        g = decayed(group, p, g)
        mean = state["exp_avg"].lerp_(g, 1 - beta1)
        square = state["exp_avg_sq"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
        rate = float(group["lr"]) / (1 - beta1**t)
        kept = beta2**t
        most = 2 / (1 - beta2) - 1
        seen = most - 2 * t * kept / (1 - kept)
        if seen <= 5:
            p.add_(mean, alpha=-rate)
            return
        trust = (seen - 4) * (seen - 2) * most / ((most - 4) * (most - 2) * seen)
        root = square.sqrt().add_(group["eps"])
        p.add_(mean.div(root), alpha=-rate * math.sqrt(trust * (1 - kept)))
