"""Modules made without drawing initial values."""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["skip_init"]


def skip_init(module_cls: Any, *args: Any, **kwargs: Any) -> Any:
    """Return ``module_cls(*args, **kwargs)`` with undefined values, on ``device`` or the CPU.

    Differs from torch: values are drawn and then forgotten, since there is no meta device; the
    state of the random generator stays as it was.

    Args:
        module_cls: a subclass of `Module` whose constructor takes ``device``.
        args: for the constructor.
        kwargs: for the constructor.

    Raises:
        RuntimeError: `module_cls` is no module, or takes no ``device``.
    """
    from rushlight.nn.modules.module import Module
    from rushlight.random import fork_rng

    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    device = kwargs.get("device") or "cpu"
    with fork_rng(devices=[]):
        return module_cls(*args, **kwargs).to_empty(device=device)
