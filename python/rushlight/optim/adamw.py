"""Adam with decoupled weight decay."""

from __future__ import annotations

from typing import Any

from .adam import Adam
from .optimizer import ParamsT

__all__ = ["AdamW"]


class AdamW(Adam):
    """`Adam` whose weight decay, ``p = p - lr weight_decay p``, stays out of both means.

    Args:
        params: tensors or groups, see `Optimizer`.
        lr: learning rate.
        betas: how much of both means is kept.
        eps: added to the root.
        weight_decay: pull of each parameter towards 0.
        amsgrad: never let the divisor shrink.
        maximize: climb instead of descending.
        foreach: of no effect.
        capturable: of no effect.
        differentiable: not supported.
        fused: of no effect.

    Source: Loshchilov and Hutter, Decoupled weight decay regularization (2019), algorithm 2.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:  # PyTorch before 2.7 did not save the option
            group["decoupled_weight_decay"] = True
