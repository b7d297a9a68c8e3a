"""Derivatives that many ops share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight import errors


def zero(K: Any, g: Any) -> Any:
    """The derivative of a function of steps."""
    return K.zeros_like(g)


def undefined(name: str) -> Callable[..., Any]:
    """The row of an argument for which PyTorch has no derivative either: backward raises.

    Args:
        name: PyTorch's name of the derivative, such as ``"igamma: input"``.
    """

    def derivative(K: Any, g: Any) -> Any:
        raise errors.no_derivative(name)

    return derivative
