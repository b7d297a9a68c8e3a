"""Clipping gradients, by their common norm or by value."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from rushlight import ops
from rushlight.autograd.grad_mode import no_grad
from rushlight.tensor import Tensor

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
]

Tensors = Tensor | Iterable[Tensor]


def _listed(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _grads(parameters: Tensors) -> list[Tensor]:
    return [p.grad for p in _listed(parameters) if p.grad is not None]


def _norm(x: Tensor, norm_type: float) -> Tensor:
    magnitudes = x.abs()
    if norm_type == float("inf"):
        return ops.amax(magnitudes)
    if norm_type == 2.0:
        return (x * x).sum().sqrt()
    return (magnitudes**norm_type).sum() ** (1.0 / norm_type)


def get_total_norm(
    tensors: Tensors,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Return the norm of all elements together, as if they were one vector.

    Args:
        tensors: the tensors.
        norm_type: p of the p-norm; ``inf`` takes the greatest magnitude.
        error_if_nonfinite: raise RuntimeError when the norm is infinite or NaN.
        foreach: of no effect.
    """
    listed = _listed(tensors)
    if not listed:
        return ops.tensor(0.0)
    with no_grad():
        norms = [_norm(x, float(norm_type)) for x in listed]
        total = _norm(ops.stack(norms), float(norm_type))
    if error_if_nonfinite and not bool(total.isfinite()):
        raise RuntimeError(
            f"The total norm of order {float(norm_type)} for gradients from `parameters` is "
            "non-finite, so it cannot be clipped. To disable this error and scale the gradients "
            "by the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return total


def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale the gradients in place by ``min(1, max_norm / (total_norm + 1e-6))``."""
    with no_grad():
        scale = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
        for grad in _grads(parameters):
            grad.mul_(scale)


def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients in place so that their norm together is at most `max_norm`.

    Args:
        parameters: those without a gradient are passed over.
        max_norm: the bound.
        norm_type: p of the p-norm; ``inf`` takes the greatest magnitude.
        error_if_nonfinite: raise RuntimeError when the norm is infinite or NaN.
        foreach: of no effect.

    Returns:
        The norm before.
    """
    parameters = _listed(parameters)
    total = get_total_norm(_grads(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Clamp the gradients in place to [-clip_value, clip_value]."""
    bound = float(clip_value)
    with no_grad():
        for grad in _grads(parameters):
            grad.clamp_(min=-bound, max=bound)


def clip_grad_norm(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """`clip_grad_norm_` under its former, deprecated name."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of "
        "`torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)
