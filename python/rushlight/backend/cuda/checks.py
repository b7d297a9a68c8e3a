"""What a kernel refuses, in the words of the CPU's kernel of the same name."""

from __future__ import annotations

import functools
from typing import Any, NoReturn

import numpy as np

from rushlight import _kernels
from rushlight.backend.cuda.runtime import cp

__all__ = ["writable"]


@functools.cache
def proxy(dtype: np.dtype[Any], dimensioned: bool) -> np.ndarray[Any, Any]:
    """A NumPy array that stands for one of this type where types are settled."""
    return np.zeros((1,) if dimensioned else (), dtype)


def shadow(x: Any) -> Any:
    """A NumPy array of a CuPy array's shape and type, whose elements share one memory."""
    return np.broadcast_to(proxy(x.dtype, False), x.shape) if isinstance(x, cp.ndarray) else x


def refuse(name: str, *arguments: Any) -> NoReturn:
    """Raises the error of the CPU's kernel, which checks before it computes.

    Only for arguments that are known to be wrong: the kernel would otherwise compute.
    """
    getattr(_kernels, name)(*map(shadow, arguments))
    raise RuntimeError(f"{name}: these operands are not supported on a CUDA device")


def broadcast_shape(*shapes: tuple[int, ...]) -> tuple[int, ...] | None:
    """What the shapes broadcast to, None where they do not."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        return None


def writable(x: Any) -> bool:
    """Whether the elements may be written: not where they stand for several.

    CuPy's arrays are never read-only; the strides of empty ones say nothing.
    """
    repeats = (step == 0 and n > 1 for step, n in zip(x.strides, x.shape, strict=True))
    return x.size == 0 or not any(repeats)


def check_destination(out: Any) -> None:
    """Refuses to write where `writable` says no."""
    if not writable(out):
        refuse("assign", out, 0)


def overlaps(out: Any, x: Any) -> bool:
    """Whether writing `out` element by element could change elements of `x` still to be read."""
    if out is x or not cp.may_share_memory(out, x):
        return False
    same = out.data.ptr == x.data.ptr and out.shape == x.shape and out.strides == x.strides
    return not same
