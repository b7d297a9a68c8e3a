"""Adam."""

from __future__ import annotations

from typing import Any

from rushlight import ops
from rushlight.tensor import Tensor

from .optimizer import (
    Group,
    Optimizer,
    ParamsT,
    arrays,
    check_betas,
    check_implementation,
    check_options,
    column,
    count_as_tensors,
    step_count,
)

__all__ = ["Adam"]


class Adam(Optimizer):
    """Steps by the mean of the gradient over the root of its mean square.

    With gradient g and parameter p, at step t::

        p = p - lr weight_decay p     with decoupled_weight_decay
        g = g + weight_decay p        otherwise
        m = beta1 m + (1 - beta1) g
        v = beta2 v + (1 - beta2) g^2
        p = p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    With `amsgrad` the greatest v so far stands in the last line.

    Args:
        params: tensors or groups, see `Optimizer`.
        lr: learning rate.
        betas: beta1 and beta2, how much of both means is kept.
        eps: added to the root.
        weight_decay: pull of each parameter towards 0.
        amsgrad: never let the divisor shrink.
        foreach: of no effect.
        maximize: climb instead of descending.
        capturable: of no effect.
        differentiable: not supported.
        fused: of no effect.
        decoupled_weight_decay: keep the pull out of both means, as `AdamW` does.

    Raises:
        ValueError: an option is out of its range.

    Source: Kingma and Ba, Adam: a method for stochastic optimization (2015), algorithm 1; Reddi et
    al., On the convergence of Adam and beyond (2018), algorithm 2.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_options({"learning rate": lr, "epsilon value": eps})
        _check_tensors(lr, betas, bool(foreach) and not capturable)
        check_betas(betas)
        check_options({"weight_decay value": weight_decay})
        defaults = {
            "lr": lr,
            "betas": tuple(betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        check_implementation(type(self).__name__, defaults)
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        count_as_tensors(self)

    def _update(self, kernels: Any, group: Group, params: list[Tensor], grads: list[Any]) -> None:
        amsgrad = group["amsgrad"]
        states = [self.state[p] or self._start(p, amsgrad) for p in params]
        beta1, beta2 = group["betas"]
        kernels.adam_step(
            arrays(params),
            grads,
            column(states, "exp_avg"),
            column(states, "exp_avg_sq"),
            column(states, "max_exp_avg_sq") if amsgrad else None,
            column(states, "step"),
            float(group["lr"]),
            float(beta1),
            float(beta2),
            group["eps"],
            group["weight_decay"],
            group["decoupled_weight_decay"],
            amsgrad,
            group["maximize"],
        )

    def _start(self, parameter: Tensor, amsgrad: bool) -> dict[str, Any]:
        state: dict[str, Any] = self.state[parameter]
        state["step"] = step_count()
        state["exp_avg"] = ops.zeros_like(parameter.detach())
        state["exp_avg_sq"] = ops.zeros_like(parameter.detach())
        if amsgrad:
            state["max_exp_avg_sq"] = ops.zeros_like(parameter.detach())
        return state


def _check_tensors(lr: Any, betas: tuple[Any, Any], plain_foreach: bool) -> None:
    """Raise ValueError for tensors as options where PyTorch takes none."""
    if isinstance(betas[0], Tensor) != isinstance(betas[1], Tensor):
        raise ValueError("betas must be either both floats or both Tensors")
    for name, value in (("lr", lr), ("betas[0]", betas[0]), ("betas[1]", betas[1])):
        if plain_foreach and isinstance(value, Tensor):
            raise ValueError(
                f"{name} as a Tensor is not supported for capturable=False and foreach=True"
            )
