"""Stochastic gradient descent."""

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
)

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum where it is asked for.

    With gradient g and parameter p, each step::

        g = g + weight_decay p
        b = g at the first step, momentum b + (1 - dampening) g after
        p = p - lr (g + momentum b)   with nesterov
        p = p - lr b                  with momentum
        p = p - lr g                  without

    Args:
        params: tensors or groups, see `Optimizer`.
        lr: learning rate.
        momentum: how much of the former direction is kept.
        dampening: how much of the gradient is left out of the direction.
        weight_decay: pull of each parameter towards 0.
        nesterov: look ahead along the direction; needs momentum and no dampening.
        maximize: climb instead of descending.
        foreach: of no effect.
        differentiable: not supported.
        fused: of no effect.

    Raises:
        ValueError: an option is negative, or `nesterov` is not possible.

    Source: Sutskever et al., On the importance of initialization and momentum in deep learning
    (2013), with the learning rate outside of the buffer.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_options(
            {"learning rate": lr, "momentum value": momentum, "weight_decay value": weight_decay}
        )
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        check_implementation("SGD", defaults)
        super().__init__(params, defaults)

    def _update(self, kernels: Any, group: Group, params: list[Tensor], grads: list[Any]) -> None:
        if group["momentum"] == 0:
            self._call(kernels, group, params, grads, None, first=False)
            return
        new = [self.state[p].get("momentum_buffer") is None for p in params]
        if not any(new):
            self._call(kernels, group, params, grads, self._buffers(params), first=False)
            return
        for first in (True, False):  # a parameter may get its first gradient late
            chosen = [i for i, is_new in enumerate(new) if is_new == first]
            if not chosen:
                continue
            some = [params[i] for i in chosen]
            for p in some if first else ():
                self.state[p]["momentum_buffer"] = ops.empty_like(p.detach())
            some_grads = [grads[i] for i in chosen]
            self._call(kernels, group, some, some_grads, self._buffers(some), first)

    def _buffers(self, params: list[Tensor]) -> list[Any]:
        return [self.state[p]["momentum_buffer"]._array for p in params]

    def _call(
        self,
        kernels: Any,
        group: Group,
        params: list[Tensor],
        grads: list[Any],
        buffers: list[Any] | None,
        first: bool,
    ) -> None:
        kernels.sgd_step(
            arrays(params),
            grads,
            buffers,
            float(group["lr"]),
            group["momentum"],
            group["dampening"],
            group["weight_decay"],
            group["nesterov"],
            group["maximize"],
            first,
        )
