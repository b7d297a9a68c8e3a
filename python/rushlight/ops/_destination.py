"""The keyword ``out`` of functions that call other operations; those of ops have it already."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from rushlight.ops._arguments import written

F = TypeVar("F", bound=Callable[..., Any])


def takes_out(function: F) -> F:
    """Adds ``out=``: a tensor, or as many as there are results, to write into and to return."""

    @functools.wraps(function)
    def call(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if out is None:
            return result
        filled = written(function.__name__, out, result)
        return result._make(filled) if hasattr(result, "_make") else filled

    return call  # type: ignore[return-value]
