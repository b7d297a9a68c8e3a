"""`ComposedOptimizer`, the base of those that need no kernel of their own: they step by ops."""

from __future__ import annotations

from typing import Any

from rushlight import ops
from rushlight.autograd.grad_mode import no_grad
from rushlight.tensor import Tensor

from .optimizer import (
    Group,
    Optimizer,
    check_betas,
    check_options,
    count_as_tensors,
    step_count,
)

__all__ = ["ComposedOptimizer", "State", "adam_options", "decayed", "zeros"]

State = dict[str, Any]


class ComposedOptimizer(Optimizer):
    """Steps one parameter after the other; a subclass defines `_start` and `_step`."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        count_as_tensors(self)

    def _update(self, kernels: Any, group: Group, params: list[Tensor], grads: list[Any]) -> None:
        with no_grad():
            for parameter, array in zip(params, grads, strict=True):
                state = self.state[parameter]
                if not state:
                    state["step"] = step_count()
                    state.update(self._start(parameter, group))
                state["step"].add_(1)
                grad = Tensor._wrap(array)
                self._step(group, parameter, -grad if group["maximize"] else grad, state)

    def _start(self, parameter: Tensor, group: Group) -> State:
        """Return what is remembered of a parameter, besides ``"step"``, before its first step."""
        raise NotImplementedError

    def _step(self, group: Group, p: Tensor, g: Tensor, state: State) -> None:
        """Change the parameter p by its gradient g; ``state["step"]`` has counted this step."""
        raise NotImplementedError


def adam_options(
    lr: Any, betas: tuple[float, float], eps: float, weight_decay: float, **others: Any
) -> Group:
    """Return the options of an optimizer of Adam's family, checked in PyTorch's order.

    Raises:
        ValueError: one is out of its range.
    """
    check_options({"learning rate": lr, "epsilon value": eps})
    check_betas(betas)
    check_options({"weight_decay value": weight_decay})
    return {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, **others}


def decayed(group: Group, p: Tensor, g: Tensor) -> Tensor:
    """Return ``g + weight_decay p``, or with decoupled decay g, and shrink p in place."""
    decay = group["weight_decay"]
    if decay == 0:
        return g
    if group.get("decoupled_weight_decay"):
        p.mul_(1 - float(group["lr"]) * decay)
        return g
    return g.add(p, alpha=decay)


def zeros(parameter: Tensor) -> Tensor:
    """Return zeros of the parameter's shape, outside of any graph."""
    return ops.zeros_like(parameter.detach())
