"""Float16 and bfloat16 on the device: stored so, computed in float32, as on the CPU."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from rushlight.backend.cuda.runtime import cp

__all__: list[str] = []

F = TypeVar("F", bound=Callable[..., Any])

_FLOAT32 = np.dtype(np.float32)


def is_half(dtype: np.dtype[Any]) -> bool:
    """Whether the type is float16 or bfloat16."""
    return dtype.itemsize == 2 and dtype.kind in "fV"


def computed_in(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type that kernels compute in for elements of `dtype`."""
    return _FLOAT32 if is_half(dtype) else dtype


def in_float32(function: F) -> F:
    """The kernel for half types too: operands are converted before, results back after.

    If the floating operands are not of one type, nothing is converted, and the kernel refuses them.
    """

    @functools.wraps(function)
    def converting(*args: Any, **kwargs: Any) -> Any:
        kinds = {x.dtype for x in args if isinstance(x, cp.ndarray) and x.dtype.kind in "fV"}
        if len(kinds) != 1 or not is_half(half := kinds.pop()):
            return function(*args, **kwargs)

        def narrowed(x: Any) -> Any:
            return x.astype(half) if x.dtype == _FLOAT32 else x

        wide = [x.astype(_FLOAT32) if getattr(x, "dtype", None) == half else x for x in args]
        result = function(*wide, **kwargs)
        return tuple(map(narrowed, result)) if isinstance(result, tuple) else narrowed(result)

    return converting  # type: ignore[return-value]
