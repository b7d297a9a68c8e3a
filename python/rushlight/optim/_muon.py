"""Muon."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rushlight import ops
from rushlight.autograd.grad_mode import no_grad
from rushlight.dtypes import float32
from rushlight.tensor import Tensor

from .optimizer import Group, Optimizer, ParamsT, check_rate

__all__ = ["Muon"]


class Muon(Optimizer):
    """Steps by the orthogonal matrix nearest to the momentum; for matrices only.

    With gradient g and parameter p, each step::

        b = momentum b + (1 - momentum) g
        u = momentum b + (1 - momentum) g with nesterov, else b
        p = p - lr weight_decay p
        p = p - lr scale orthogonal(u)

    where scale depends on the shape and `orthogonal` is near ``U V^T`` for ``u = U S V^T``.

    Args:
        params: tensors or groups, see `Optimizer`; embeddings, biases and other tensors that are
            no matrices of hidden layers are better left to another optimizer.
        lr: learning rate.
        weight_decay: pull of each parameter towards 0.
        momentum: how much of the former direction is kept.
        nesterov: look ahead along the direction.
        ns_coefficients: of x, x^3 and x^5 in the iteration on the singular values.
        eps: least norm that u is divided by.
        ns_steps: iterations, less than 100.
        adjust_lr_fn: for a parameter of a rows and b columns the scale is ``sqrt(max(1, a / b))``
            for ``"original"``, the default, and ``0.2 sqrt(max(a, b))`` for ``"match_rms_adamw"``.

    Raises:
        ValueError: an option is out of its range, or a parameter is no matrix.

    Differs from torch: the iteration runs in float32 at least, PyTorch's in bfloat16.

    Source: Jordan et al., Muon: an optimizer for hidden layers in neural networks (2024); Liu et
    al., Muon is scalable for LLM training (2025), section 2.2.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Any = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_rate(lr)
        for name, value in (("momentum", momentum), ("weight decay", weight_decay)):
            if not value >= 0:
                raise ValueError(f"{name} should be >= 0 but is: {value}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for parameter in (p for group in self.param_groups for p in group["params"]):
            if parameter.dim() != 2:
                raise ValueError(
                    "Muon only supports 2D parameters whereas we found a parameter with size: "
                    f"{parameter.shape}"
                )

    def _update(self, kernels: Any, group: Group, params: list[Tensor], grads: list[Any]) -> None:
        lr, momentum = float(group["lr"]), group["momentum"]
        with no_grad():
            for p, g in zip(params, map(Tensor._wrap, grads), strict=True):
                state = self.state[p]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = ops.zeros_like(g)
                buffer = state["momentum_buffer"].lerp_(g, 1 - momentum)
                towards = ops.lerp(g, buffer, momentum) if group["nesterov"] else buffer
                towards = orthogonalized(
                    towards, group["ns_coefficients"], group["ns_steps"], group["eps"]
                )
                p.mul_(1 - lr * group["weight_decay"])
                p.add_(towards, alpha=-lr * _scale(group["adjust_lr_fn"], *p.shape))


def orthogonalized(x: Tensor, coefficients: Sequence[float], steps: int, eps: float) -> Tensor:
    """Return a matrix with the singular vectors of `x` and singular values between 0.5 and 1.5.

    Each step is ``y = a y + b y (y^T y) + c y (y^T y)^2``, on the side with fewer rows.

    Raises:
        ValueError: there are 100 steps or more, or not three coefficients.
    """
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    rows, columns = x.shape
    y = x if x.dtype.itemsize >= 4 else x.to(float32)
    y = y.t() if rows > columns else y
    y = y / y.norm().clamp(min=eps)
    for _ in range(steps):
        gram = y @ y.t()
        y = (gram * b).add_(gram @ gram, alpha=c) @ y + y * a
    return (y.t() if rows > columns else y).to(x.dtype)


def _scale(rule: str | None, rows: int, columns: int) -> float:
    if rule == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / columns))
