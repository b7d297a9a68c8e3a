"""Adagrad."""

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

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """Steps by the gradient over the root of the sum of its squares so far.

    With gradient g and parameter p, at step t::

        g = g + weight_decay p
        s = s + g^2
        p = p - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)

    Args:
        params: tensors or groups, see `Optimizer`.
        lr: learning rate.
        lr_decay: how fast the learning rate shrinks.
        weight_decay: pull of each parameter towards 0.
        initial_accumulator_value: s before the first step.
        eps: added to the root.
        foreach: of no effect.
        maximize: climb instead of descending.
        differentiable: not supported.
        fused: of no effect.

    Raises:
        ValueError: an option is negative.

    Source: Duchi et al., Adaptive subgradient methods for online learning and stochastic
    optimization (2011), figure 1.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_options(
            {
                "learning rate": lr,
                "lr_decay value": lr_decay,
                "weight_decay value": weight_decay,
                "initial_accumulator_value value": initial_accumulator_value,
                "epsilon value": eps,
            }
        )
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        check_implementation("Adagrad", defaults)
        super().__init__(params, defaults)
        for group in self.param_groups:
            for parameter in group["params"]:
                self._start(parameter)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        count_as_tensors(self)

    def _update(self, kernels: Any, group: Group, params: list[Tensor], grads: list[Any]) -> None:
        states = [self.state[p] or self._start(p) for p in params]
        kernels.adagrad_step(
            arrays(params),
            grads,
            column(states, "sum"),
            column(states, "step"),
            float(group["lr"]),
            group["lr_decay"],
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )

    def _start(self, parameter: Tensor) -> dict[str, Any]:
        state: dict[str, Any] = self.state[parameter]
        state["step"] = step_count()
        state["sum"] = ops.full_like(parameter.detach(), self.defaults["initial_accumulator_value"])
        return state
