"""Adadelta."""

from __future__ import annotations

from typing import Any

from rushlight.tensor import Tensor

from .composed import ComposedOptimizer, State, decayed, zeros
from .optimizer import Group, ParamsT, check_implementation, check_options

__all__ = ["Adadelta"]


class Adadelta(ComposedOptimizer):
    """Steps by the gradient in units of its root mean square, as long as former steps were.

    With gradient g and parameter p, each step::

        g = g + weight_decay p
        v = rho v + (1 - rho) g^2
        d = sqrt(u + eps) / sqrt(v + eps) g
        u = rho u + (1 - rho) d^2
        p = p - lr d

    Args:
        params: tensors or groups, see `Optimizer`.
        lr: factor of the step.
        rho: how much of both means is kept.
        eps: added under the roots.
        weight_decay: pull of each parameter towards 0.
        foreach: of no effect.
        capturable: of no effect.
        maximize: climb instead of descending.
        differentiable: not supported.

    Raises:
        ValueError: an option is out of its range.

    Source: Zeiler, ADADELTA: an adaptive learning rate method (2012), algorithm 1.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_options({"learning rate": lr})
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_options({"epsilon value": eps, "weight_decay value": weight_decay})
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        check_implementation("Adadelta", defaults)
        super().__init__(params, defaults)

    def _start(self, parameter: Tensor, group: Group) -> State:
        return {"square_avg": zeros(parameter), "acc_delta": zeros(parameter)}

    def _step(self, group: Group, p: Tensor, g: Tensor, state: State) -> None:
        rho, eps = group["rho"], group["eps"]
        g = decayed(group, p, g)
        square = state["square_avg"].mul_(rho).addcmul_(g, g, value=1 - rho)
        change = state["acc_delta"].add(eps).sqrt_().div_(square.add(eps).sqrt_()).mul_(g)
        state["acc_delta"].mul_(rho).addcmul_(change, change, value=1 - rho)
        p.add_(change, alpha=-float(group["lr"]))
