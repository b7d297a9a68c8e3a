"""RMSprop."""

from __future__ import annotations

from typing import Any

from rushlight import ops
from rushlight.tensor import Tensor

from .optimizer import (
    Group,
    Optimizer,
    ParamsT,
    arrays,
    check_implementation,
    check_options,
    column,
    count_as_tensors,
    step_count,
)

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """Steps by the gradient over the root of its mean square.

    With gradient g and parameter p, each step::

        g = g + weight_decay p
        v = alpha v + (1 - alpha) g^2
        a = alpha a + (1 - alpha) g,  w = v - a^2    with centered, else w = v
        b = momentum b + g / (sqrt(w) + eps)         with momentum
        p = p - lr b, or without momentum p - lr g / (sqrt(w) + eps)

    Args:
        params: tensors or groups, see `Optimizer`.
        lr: learning rate.
        alpha: how much of the means is kept.
        eps: added to the root.
        weight_decay: pull of each parameter towards 0.
        momentum: how much of the former direction is kept.
        centered: take the mean of the gradient out of its mean square.
        capturable: of no effect.
        foreach: of no effect.
        maximize: climb instead of descending.
        differentiable: not supported.

    Raises:
        ValueError: an option is negative.

    Source: Tieleman and Hinton, lecture 6.5 of Neural networks for machine learning (2012); the
    centered form: Graves, Generating sequences with recurrent neural networks (2013), equation 40.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_options(
            {
                "learning rate": lr,
                "epsilon value": eps,
                "momentum value": momentum,
                "weight_decay value": weight_decay,
                "alpha value": alpha,
            }
        )
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        check_implementation("RMSprop", defaults)
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        count_as_tensors(self)

    def _update(self, kernels: Any, group: Group, params: list[Tensor], grads: list[Any]) -> None:
        centered, momentum = group["centered"], group["momentum"]
        states = [self.state[p] or self._start(p, group) for p in params]
        kernels.rmsprop_step(
            arrays(params),
            grads,
            column(states, "square_avg"),
            column(states, "grad_avg") if centered else None,
            column(states, "momentum_buffer") if momentum > 0 else None,
            column(states, "step"),
            float(group["lr"]),
            group["alpha"],
            group["eps"],
            group["weight_decay"],
            momentum,
            group["maximize"],
        )

    def _start(self, parameter: Tensor, group: Group) -> dict[str, Any]:
        state: dict[str, Any] = self.state[parameter]
        state["step"] = step_count()
        state["square_avg"] = ops.zeros_like(parameter.detach())
        if group["momentum"] > 0:
            state["momentum_buffer"] = ops.zeros_like(parameter.detach())
        if group["centered"]:
            state["grad_avg"] = ops.zeros_like(parameter.detach())
        return state
