"""Keywords that every PyTorch function takes, for composed operations."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
_ABSENT = object()


def numpy_keywords(function: F) -> F:
    """Adds ``out=`` and NumPy's names ``axis`` and ``keepdims`` of `dim` and `keepdim`.

    The functions of ops have them already; see `_codegen`.
    """

    @functools.wraps(function)
    def call(
        *args: Any, axis: Any = _ABSENT, keepdims: Any = _ABSENT, out: Any = None, **kwargs: Any
    ) -> Any:
        if axis is not _ABSENT:
            kwargs["dim"] = axis
        if keepdims is not _ABSENT:
            kwargs["keepdim"] = keepdims
        result = function(*args, **kwargs)
        if out is None:
            return result
        from rushlight.ops._arguments import written

        filled = written(function.__name__, out, result)
        return type(result)(filled) if isinstance(result, tuple) else filled

    return call  # type: ignore[return-value]
