"""Keywords that PyTorch's reductions take, for composed operations."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from rushlight.ops._destination import takes_out

F = TypeVar("F", bound=Callable[..., Any])
_ABSENT = object()


def numpy_keywords(function: F) -> F:
    """Adds ``out=`` and NumPy's names ``axis`` and ``keepdims`` of `dim` and `keepdim`.

    The functions of ops have them already; see `_codegen`.
    """
    inner = takes_out(function)

    @functools.wraps(function)
    def call(*args: Any, axis: Any = _ABSENT, keepdims: Any = _ABSENT, **kwargs: Any) -> Any:
        if axis is not _ABSENT:
            kwargs["dim"] = axis
        if keepdims is not _ABSENT:
            kwargs["keepdim"] = keepdims
        return inner(*args, **kwargs)

    return call  # type: ignore[return-value]
