"""Adafactor."""

from __future__ import annotations

import math
from typing import Any

from rushlight import ops
from rushlight.dtypes import finfo
from rushlight.tensor import Tensor

from .composed import ComposedOptimizer, State, zeros
from .optimizer import Group, ParamsT, check_implementation, check_rate

__all__ = ["Adafactor"]


class Adafactor(ComposedOptimizer):
    """Steps by the gradient over an estimate of its root mean square that needs little memory.

    With gradient g and parameter p of more than one dimension, at step t, ``w = t^beta2_decay``::

        a = max(eps2, rms(p)) min(lr, 1 / sqrt(t))
        p = p - lr weight_decay p
        r = (1 - w) r + w (mean of g^2 along each row), c likewise along each column
        v = r c / max(mean of r, eps1)
        u = g / max(sqrt(v), eps1)
        p = p - a u / max(1, rms(u) / d)

    For fewer dimensions v is the mean of g^2 itself.

    Args:
        params: tensors or groups, see `Optimizer`.
        lr: bound of the relative step, and factor of the weight decay.
        beta2_decay: power of t that a new gradient counts with, not positive.
        eps: eps1, None for the precision of the parameter's dtype, and eps2.
        d: how large the root mean square of a step may be before it is scaled down.
        weight_decay: pull of each parameter towards 0.
        foreach: of no effect.
        maximize: climb instead of descending.

    Raises:
        ValueError: an option is out of its range.

    Source: Shazeer and Stern, Adafactor: adaptive learning rates with sublinear memory cost (2018),
    algorithm 4, with eps1 and lr as in PyTorch.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Any = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_rate(lr)
        if not beta2_decay <= 0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        for i, value in enumerate(eps, 1):
            if value is not None and not value >= 0:
                raise ValueError(f"epsilon{i} should be >= 0 but is: {value}")
        if not d >= 1:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not weight_decay >= 0:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        check_implementation("Adafactor", defaults)
        super().__init__(params, defaults)

    def _start(self, parameter: Tensor, group: Group) -> State:
        start = zeros(parameter)
        if start.dim() < 2:
            return {"variance": start}
        return {
            "row_var": start.narrow(-1, 0, 1).clone(),
            "col_var": start.narrow(-2, 0, 1).clone(),
        }

    def _step(self, group: Group, p: Tensor, g: Tensor, state: State) -> None:
        t, lr, (eps1, eps2) = state["step"].item(), float(group["lr"]), group["eps"]
        eps1 = finfo(p.dtype).eps if eps1 is None else eps1
        new = t ** group["beta2_decay"]
        rate = max(eps2, rms(p)) * min(lr, 1 / math.sqrt(t))
        if group["weight_decay"] != 0:
            p.mul_(1 - lr * group["weight_decay"])
        if g.dim() > 1:
            square = g.square()
            rows = state["row_var"].lerp_(square.mean(-1, keepdim=True), new)
            columns = state["col_var"].lerp_(square.mean(-2, keepdim=True), new)
            variance = ops.matmul(rows, columns)
            variance.div_(rows.mean(-2, keepdim=True).clamp_(min=eps1))
        else:
            variance = state["variance"].lerp_(g.square(), new)
        update = variance.clamp(min=eps1 * eps1).rsqrt_().mul_(g)
        p.add_(update, alpha=-rate / max(1.0, rms(update) / group["d"]))


def rms(x: Tensor) -> float:
    """Return the root mean square of all elements."""
    return float(x.norm().item()) / math.sqrt(max(1, x.numel()))
