"""Special functions: those of CuPy, and SciPy's for what it lacks."""

from __future__ import annotations

from typing import Any

from rushlight.backend import special
from rushlight.backend.cuda.arrays import to_cpu
from rushlight.backend.cuda.pointwise import result_type
from rushlight.backend.cuda.runtime import cp


def _asarray(x: Any) -> Any:
    return x if isinstance(x, cp.ndarray) else cp.asarray(x)


_KERNELS = special.kernels("cupyx.scipy.special", result_type, to_cpu, _asarray)
globals().update(_KERNELS)

__all__ = sorted(_KERNELS)
