"""The compiler of PyTorch, of which there is none: functions stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = [
    "assume_constant_result",
    "compile",
    "cudagraph_mark_step_begin",
    "disable",
    "is_compiling",
    "is_dynamo_compiling",
    "is_exporting",
    "reset",
    "set_stance",
]


def compile(
    model: Callable[..., Any] | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "inductor",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    disable: bool = False,
) -> Any:
    """Return the function or module itself: operations are fast without a compiler.

    Args:
        model: what to compile; None makes a decorator.
        fullgraph: of no effect.
        dynamic: of no effect.
        backend: of no effect.
        mode: of no effect.
        options: of no effect.
        disable: of no effect.

    Raises:
        RuntimeError: `model` cannot be called.

    Differs from torch: the result is `model`, not a wrapper of it.
    """
    if model is None:
        return compile
    if not callable(model):
        raise RuntimeError(f"compile: expected a callable, got {type(model).__name__}")
    return model


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Return the function itself, or a decorator that does."""
    return fn if fn is not None else lambda function: function


def assume_constant_result(fn: Any) -> Any:
    """Return the function itself."""
    return fn


def reset() -> None:
    """Do nothing: nothing is kept."""


cudagraph_mark_step_begin = reset


def set_stance(*args: Any, **kwargs: Any) -> None:
    """Do nothing: there is nothing to choose."""


def is_compiling() -> bool:
    """False."""
    return False


is_dynamo_compiling = is_exporting = is_compiling
