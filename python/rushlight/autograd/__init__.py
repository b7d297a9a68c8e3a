"""Automatic differentiation of recorded operations."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rushlight.autograd.grad_mode import (
    enable_grad,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)

if TYPE_CHECKING:
    from rushlight.autograd import functional, profiler
    from rushlight.autograd.engine import backward, grad
    from rushlight.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck

__all__ = [
    "GradcheckError",
    "backward",
    "enable_grad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "is_grad_enabled",
    "no_grad",
    "profiler",
    "set_grad_enabled",
]

# They stand above the tensor, which imports this package for its nodes.
_LAZY = {
    "GradcheckError": "gradcheck",
    "backward": "engine",
    "functional": "",
    "grad": "engine",
    "gradcheck": "gradcheck",
    "gradgradcheck": "gradcheck",
    "profiler": "",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'rushlight.autograd' has no attribute {name!r}")
    module = importlib.import_module(f"rushlight.autograd.{_LAZY[name] or name}")
    return getattr(module, name) if _LAZY[name] else module
