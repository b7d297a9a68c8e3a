"""Averaged stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from rushlight.tensor import Tensor

from .composed import ComposedOptimizer, State, decayed, zeros
from .optimizer import Group, ParamsT, check_implementation, check_options, step_count

__all__ = ["ASGD"]


class ASGD(ComposedOptimizer):
    """Stochastic gradient descent that keeps the average of the parameters, ``state["ax"]``.

    With gradient g and parameter p, at step t::

        g = g + weight_decay p
        p = p - eta (lambd p + g)
        ax = ax + mu (p - ax)
        eta = lr / (1 + lambd lr t)^alpha
        mu = 1 / max(1, t - t0)

    Args:
        params: tensors or groups, see `Optimizer`.
        lr: learning rate.
        lambd: decay of the parameters and of the rate.
        alpha: power of the rate's decay.
        t0: step at which averaging starts.
        weight_decay: pull of each parameter towards 0.
        foreach: of no effect.
        maximize: climb instead of descending.
        differentiable: not supported.
        capturable: of no effect.

    Raises:
        ValueError: an option is negative.

    Source: Polyak and Juditsky, Acceleration of stochastic approximation by averaging (1992).
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Any = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_options({"learning rate": lr, "weight_decay value": weight_decay})
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        check_implementation("ASGD", defaults)
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for held in self.state.values():  # old checkpoints hold numbers
            for key in ("eta", "mu"):
                if key in held and not isinstance(held[key], Tensor):
                    held[key] = step_count(float(held[key]))

    def _start(self, parameter: Tensor, group: Group) -> State:
        eta = step_count(float(group["lr"]))
        return {"eta": eta, "mu": step_count(1.0), "ax": zeros(parameter)}

    def _step(self, group: Group, p: Tensor, g: Tensor, state: State) -> None:
        t, lr, lambd = state["step"].item(), float(group["lr"]), group["lambd"]
        g = decayed(group, p, g)
        eta, mu, average = state["eta"].item(), state["mu"].item(), state["ax"]
        p.mul_(1 - lambd * eta).add_(g, alpha=-eta)
        if mu == 1:
            average.copy_(p)
        else:
            average.add_(p.sub(average), alpha=mu)
        state["eta"].fill_(lr / (1 + lambd * lr * t) ** group["alpha"])
        state["mu"].fill_(1 / max(1, t - group["t0"]))
