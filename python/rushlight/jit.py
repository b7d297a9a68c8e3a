"""TorchScript, of which there is none: functions and modules stay as they are."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any, NoReturn, TypeVar

__all__ = [
    "annotate",
    "export",
    "freeze",
    "fuser",
    "ignore",
    "interface",
    "is_scripting",
    "is_tracing",
    "load",
    "optimize_for_inference",
    "optimized_execution",
    "save",
    "script",
    "trace",
    "trace_module",
    "unused",
]

T = TypeVar("T")


def _unchanged(name: str, obj: T) -> T:
    warnings.warn(
        f"torch.jit.{name}: there is no TorchScript here, the function or module is returned as "
        "it is",
        UserWarning,
        stacklevel=3,
    )
    return obj


def script(obj: T, *args: Any, **kwargs: Any) -> T:
    """Return the function or module itself, with a warning."""
    return _unchanged("script", obj)


def trace(func: T, example_inputs: Any = None, *args: Any, **kwargs: Any) -> T:
    """Return the function or module itself, with a warning; it is not called."""
    return _unchanged("trace", func)


def trace_module(mod: T, inputs: Any = None, *args: Any, **kwargs: Any) -> T:
    """Return the module itself, with a warning; it is not called."""
    return _unchanged("trace_module", mod)


def freeze(mod: T, *args: Any, **kwargs: Any) -> T:
    """Return the module itself."""
    return mod


optimize_for_inference = freeze


def export(fn: T) -> T:
    """Return the function itself."""
    return fn


interface = export


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """Return the function itself, or a decorator that does."""
    return drop if callable(drop) else export


def unused(fn: T) -> T:
    """Return the function itself."""
    return fn


def annotate(the_type: Any, the_value: T) -> T:
    """Return the value."""
    return the_value


def is_scripting() -> bool:
    """False."""
    return False


is_tracing = is_scripting


def fuser(name: str) -> Any:
    """A ``with`` block that changes nothing."""
    return contextlib.nullcontext()


def optimized_execution(should_optimize: bool) -> Any:
    """A ``with`` block that changes nothing."""
    return contextlib.nullcontext()


def save(m: Any, f: Any, _extra_files: Any = None) -> NoReturn:
    """Not supported.

    Raises:
        NotImplementedError: always; save a ``state_dict()``.
    """
    raise NotImplementedError("torch.jit.save is not supported; use torch.save with a state_dict()")


def load(f: Any, map_location: Any = None, _extra_files: Any = None) -> NoReturn:
    """Not supported.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError("torch.jit.load is not supported: TorchScript is a program")
