"""Automatic differentiation of recorded operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.autograd.grad_mode import (
    enable_grad,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)

if TYPE_CHECKING:
    from rushlight.autograd.engine import backward, grad

__all__ = ["backward", "enable_grad", "grad", "is_grad_enabled", "no_grad", "set_grad_enabled"]


def __getattr__(name: str) -> Any:
    # The engine stands above the tensor, which imports this package for its nodes.
    if name in ("backward", "grad"):
        from rushlight.autograd import engine

        return getattr(engine, name)
    raise AttributeError(f"module 'rushlight.autograd' has no attribute {name!r}")
