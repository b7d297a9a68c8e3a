"""Rprop."""

from __future__ import annotations

from typing import Any

from rushlight import ops
from rushlight.tensor import Tensor

from .composed import ComposedOptimizer, State, zeros
from .optimizer import Group, ParamsT, check_implementation, check_options

__all__ = ["Rprop"]


class Rprop(ComposedOptimizer):
    """Steps by the sign of the gradient only, as far as it has kept pointing the same way.

    Each element has a step size s of its own. With gradient g, the one before h, parameter p::

        s = min(eta2 s, largest)  where g h > 0
        s = max(eta1 s, least)    where g h < 0, and g = 0 there
        p = p - s sign(g)

    Args:
        params: tensors or groups, see `Optimizer`.
        lr: s before the first step.
        etas: eta1 and eta2, the factors by which s shrinks and grows.
        step_sizes: the least and the largest s.
        capturable: of no effect.
        foreach: of no effect.
        maximize: climb instead of descending.
        differentiable: not supported.

    Raises:
        ValueError: an option is out of its range.

    Source: Riedmiller and Braun, A direct adaptive method for faster backpropagation learning: the
    RPROP algorithm (1993), without taking the former step back.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Any = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_options({"learning rate": lr})
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        check_implementation("Rprop", defaults)
        super().__init__(params, defaults)

    def _start(self, parameter: Tensor, group: Group) -> State:
        size = ops.full_like(parameter.detach(), float(group["lr"]))
        return {"prev": zeros(parameter), "step_size": size}

    def _step(self, group: Group, p: Tensor, g: Tensor, state: State) -> None:
        shrink, grow = group["etas"]
        agreement, size = g.mul(state["prev"]), state["step_size"]
        turned = agreement < 0
        size.copy_(ops.where(turned, size * shrink, ops.where(agreement > 0, size * grow, size)))
        size.clamp_(*group["step_sizes"])
        g = ops.where(turned, 0.0, g)
        p.addcmul_(g.sign(), size, value=-1)
        state["prev"].copy_(g)
