"""NAdam."""

from __future__ import annotations

import math
from typing import Any

from rushlight.tensor import Tensor

from .composed import ComposedOptimizer, State, adam_options, decayed, zeros
from .optimizer import Group, ParamsT, check_implementation, check_options, step_count

__all__ = ["NAdam"]


class NAdam(ComposedOptimizer):
    """`Adam` with Nesterov momentum.

    With gradient g and parameter p, at step t::

        u_t = beta1 (1 - 0.96^(t momentum_decay) / 2)
        m = beta1 m + (1 - beta1) g
        v = beta2 v + (1 - beta2) g^2
        n = u_(t+1) m / (1 - u_1 ... u_(t+1)) + (1 - u_t) g / (1 - u_1 ... u_t)
        p = p - lr n / (sqrt(v / (1 - beta2^t)) + eps)

    Args:
        params: tensors or groups, see `Optimizer`.
        lr: learning rate.
        betas: beta1 and beta2, how much of both means is kept.
        eps: added to the root.
        weight_decay: pull of each parameter towards 0.
        momentum_decay: how fast u approaches beta1.
        decoupled_weight_decay: keep the pull out of both means, as `AdamW` does.
        foreach: of no effect.
        maximize: climb instead of descending.
        capturable: of no effect.
        differentiable: not supported.

    Raises:
        ValueError: an option is out of its range.

    Source: Dozat, Incorporating Nesterov momentum into Adam (2016), algorithm 2.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
            momentum_decay=momentum_decay,
            decoupled_weight_decay=decoupled_weight_decay,
            maximize=maximize,
            foreach=foreach,
            capturable=capturable,
            differentiable=differentiable,
        )
        check_options({"momentum_decay value": momentum_decay})
        check_implementation("NAdam", defaults)
        super().__init__(params, defaults)

    def _start(self, parameter: Tensor, group: Group) -> State:
        return {
            "mu_product": step_count(1.0),
            "exp_avg": zeros(parameter),
            "exp_avg_sq": zeros(parameter),
        }

    def _step(self, group: Group, p: Tensor, g: Tensor, state: State) -> None:
        t, lr, (beta1, beta2) = state["step"].item(), float(group["lr"]), group["betas"]
        now, after = (beta1 * (1 - 0.5 * 0.96 ** (i * group["momentum_decay"])) for i in (t, t + 1))
        g = decayed(group, p, g)
        product = state["mu_product"].mul_(now).item()
        mean = state["exp_avg"].lerp_(g, 1 - beta1)
        square = state["exp_avg_sq"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
        root = square.sqrt().div_(math.sqrt(1 - beta2**t)).add_(group["eps"])
        towards = g.mul((1 - now) / (1 - product)).add_(mean, alpha=after / (1 - product * after))
        p.add_(towards.div_(root), alpha=-lr)
