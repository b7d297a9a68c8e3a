"""Adamax."""

from __future__ import annotations

from typing import Any

from rushlight import ops
from rushlight.tensor import Tensor

from .composed import ComposedOptimizer, State, adam_options, decayed, zeros
from .optimizer import Group, ParamsT, check_implementation

__all__ = ["Adamax"]


class Adamax(ComposedOptimizer):
    """`Adam` with a decaying maximum in the place of the mean square.

    With gradient g and parameter p, at step t::

        g = g + weight_decay p
        m = beta1 m + (1 - beta1) g
        u = max(beta2 u, |g| + eps)
        p = p - lr / (1 - beta1^t) m / u

    Args:
        params: tensors or groups, see `Optimizer`.
        lr: learning rate.
        betas: beta1 and beta2, how much of the mean and of the maximum is kept.
        eps: added to the size of the gradient.
        weight_decay: pull of each parameter towards 0.
        foreach: of no effect.
        maximize: climb instead of descending.
        differentiable: not supported.
        capturable: of no effect.

    Raises:
        ValueError: an option is out of its range.

    Source: Kingma and Ba, Adam: a method for stochastic optimization (2015), algorithm 2.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults = adam_options(
            lr,
            betas,
            eps,
            weight_decay,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            capturable=capturable,
        )
        check_implementation("Adamax", defaults)
        super().__init__(params, defaults)

    def _start(self, parameter: Tensor, group: Group) -> State:
        return {"exp_avg": zeros(parameter), "exp_inf": zeros(parameter)}

    def _step(self, group: Group, p: Tensor, g: Tensor, state: State) -> None:
        beta1, beta2 = group["betas"]
        g = decayed(group, p, g)
        mean = state["exp_avg"].lerp_(g, 1 - beta1)
        largest = state["exp_inf"].mul_(beta2)
        largest.copy_(ops.maximum(largest, g.abs().add_(group["eps"])))
        rate = float(group["lr"]) / (1 - beta1 ** state["step"].item())
        p.add_(mean.div(largest), alpha=-rate)
