"""Automatic differentiation of recorded operations."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rushlight.autograd.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)

if TYPE_CHECKING:
    from rushlight.autograd import forward_ad, functional, graph, profiler
    from rushlight.autograd.anomaly import detect_anomaly, set_detect_anomaly
    from rushlight.autograd.differentiate import backward, grad
    from rushlight.autograd.function import Function
    from rushlight.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck

__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "is_grad_enabled",
    "no_grad",
    "profiler",
    "set_detect_anomaly",
    "set_grad_enabled",
]

# These stand above the tensor, which imports this package for its nodes.
_PLACES = {
    "Function": "function",
    "Variable": "legacy",
    "GradcheckError": "gradcheck",
    "backward": "differentiate",
    "detect_anomaly": "anomaly",
    "grad": "differentiate",
    "gradcheck": "gradcheck",
    "gradgradcheck": "gradcheck",
    "set_detect_anomaly": "anomaly",
}
_MODULES = ("anomaly", "forward_ad", "function", "functional", "graph", "profiler")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"rushlight.autograd.{name}")
    if name in _PLACES:
        module = importlib.import_module(f"rushlight.autograd.{_PLACES[name]}")
        return getattr(module, name)
    raise AttributeError(f"module 'rushlight.autograd' has no attribute {name!r}")
