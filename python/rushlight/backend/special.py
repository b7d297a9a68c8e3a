"""Special functions over NumPy and CuPy arrays: SciPy's, CuPy's of the same names, polynomials.

SciPy is imported when the first of its functions is called. What CuPy has no kernel for is computed
by SciPy in the CPU's memory.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight import errors
from rushlight.backend.common import namespace

__all__ = ["kernels"]

Array = Any
Kernel = Callable[..., Array]

# The names in scipy.special.
FUNCTIONS = {
    "i0": "i0",
    "igamma": "gammainc",
    "igammac": "gammaincc",
    "special_airy_ai": "airy",
    "special_bessel_j0": "j0",
    "special_bessel_j1": "j1",
    "special_bessel_y0": "y0",
    "special_bessel_y1": "y1",
    "special_entr": "entr",
    "special_erfcx": "erfcx",
    "special_i0e": "i0e",
    "special_i1": "i1",
    "special_i1e": "i1e",
    "special_log_ndtr": "log_ndtr",
    "special_modified_bessel_i0": "i0",
    "special_modified_bessel_i1": "i1",
    "special_modified_bessel_k0": "k0",
    "special_modified_bessel_k1": "k1",
    "special_ndtri": "ndtri",
    "special_scaled_modified_bessel_k0": "k0e",
    "special_scaled_modified_bessel_k1": "k1e",
    "special_zeta": "zeta",
}
# Those that do not take integers.
REAL = ("igamma", "igammac")


def kernels(
    library: str, result_type: Callable[..., Any], to_cpu: Kernel, asarray: Kernel
) -> dict[str, Kernel]:
    """The kernels of a backend, by name.

    Args:
        library: the module of its special functions.
        result_type: PyTorch's result type of arrays and numbers.
        to_cpu: an array in the CPU's memory.
        asarray: an array of the backend, from one on the CPU or from a number.
    """

    def evaluated(name: str, function: Kernel, *operands: Any) -> Array:
        """``function`` of the operands in their common floating type, half types in float32."""
        if not any(hasattr(x, "shape") for x in operands):
            raise errors.numbers_only(name, *operands)
        lift = () if name in REAL else (1.0,)
        dtype = result_type(*operands, *lift)
        if dtype.kind in "iub":
            raise NotImplementedError(f"\"{name}\" not implemented for '{dtype}'")
        _check_shapes(name, *operands)
        computed = np.dtype(np.float32) if dtype.itemsize < 4 else dtype
        with np.errstate(all="ignore"):
            result = function(*(asarray(x).astype(computed, copy=False) for x in operands))
        if isinstance(result, tuple):  # Airy's functions and their derivatives
            result = result[0]
        return asarray(result).astype(dtype, copy=False)

    def special(name: str, *operands: Any) -> Array:
        function = getattr(importlib.import_module(library), FUNCTIONS[name], None)
        return evaluated(name, function or _on_cpu(FUNCTIONS[name], to_cpu), *operands)

    def polynomial(name: str, x: Any, n: Any) -> Array:
        return evaluated(name, functools.partial(_polynomial, name), x, n)

    return {
        **{name: functools.partial(special, name) for name in FUNCTIONS},
        **{name: functools.partial(polynomial, name) for name in POLYNOMIALS},
    }


def _on_cpu(name: str, to_cpu: Kernel) -> Kernel:
    function = getattr(importlib.import_module("scipy.special"), name)
    return lambda *arrays: function(*map(to_cpu, arrays))


def _check_shapes(name: str, *operands: Any) -> None:
    shapes = [x.shape for x in operands if hasattr(x, "shape")]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        raise errors.not_broadcastable(name, *shapes) from None


# ---- Orthogonal polynomials ----
#
# The polynomial of degree 1, and how that of degree k + 1 follows from those of k and k - 1.


def _chebyshev(x: Array, k: int, p: Array, q: Array) -> Array:
    return 2 * x * q - p


def _hermite_h(x: Array, k: int, p: Array, q: Array) -> Array:
    return 2 * x * q - 2 * k * p


def _hermite_he(x: Array, k: int, p: Array, q: Array) -> Array:
    return x * q - k * p


def _laguerre(x: Array, k: int, p: Array, q: Array) -> Array:
    return ((2 * k + 1 - x) * q - k * p) / (k + 1)


def _legendre(x: Array, k: int, p: Array, q: Array) -> Array:
    return ((2 * k + 1) * x * q - k * p) / (k + 1)


# Closed forms of Chebyshev's within -1 and 1, of the angle a = acos(x), for large degrees.
def _angle_t(xp: Any, a: Array, n: Array) -> Array:
    return xp.cos(n * a)


def _angle_u(xp: Any, a: Array, n: Array) -> Array:
    return xp.sin((n + 1) * a) / xp.sin(a)


def _angle_v(xp: Any, a: Array, n: Array) -> Array:
    return xp.cos((n + 0.5) * a) / xp.cos(a / 2)


def _angle_w(xp: Any, a: Array, n: Array) -> Array:
    return xp.sin((n + 0.5) * a) / xp.sin(a / 2)


_CHEBYSHEV = {
    "t": (lambda x: x, _chebyshev, _angle_t),
    "u": (lambda x: 2 * x, _chebyshev, _angle_u),
    "v": (lambda x: 2 * x - 1, _chebyshev, _angle_v),
    "w": (lambda x: 2 * x + 1, _chebyshev, _angle_w),
}
POLYNOMIALS: dict[str, Any] = {
    **{f"special_chebyshev_polynomial_{kind}": row for kind, row in _CHEBYSHEV.items()},
    **{f"special_shifted_chebyshev_polynomial_{kind}": row for kind, row in _CHEBYSHEV.items()},
    "special_hermite_polynomial_h": (lambda x: 2 * x, _hermite_h, None),
    "special_hermite_polynomial_he": (lambda x: x, _hermite_he, None),
    "special_laguerre_polynomial_l": (lambda x: 1 - x, _laguerre, None),
    "special_legendre_polynomial_p": (lambda x: x, _legendre, None),
}
# Degrees beyond which PyTorch's Hermite polynomials are NaN.
_LIMITS = {"float32": 128, "float64": 512}
_SMALL = 8  # degrees up to which recurrence is exact enough everywhere


def _polynomial(name: str, x: Array, n: Array) -> Array:
    """The polynomial of degree ``trunc(n)`` at each `x`."""
    xp = namespace(x)
    x, n = xp.broadcast_arrays(x, xp.where(xp.isfinite(n), xp.trunc(n), -1))
    first, following, closed = POLYNOMIALS[name]
    if "shifted" in name:
        x = 2 * x - 1
    done = (n > _SMALL) & (abs(x) < 1) if closed else n < 0
    result = xp.where(n < 0, xp.zeros_like(x), xp.ones_like(x))
    if "hermite" in name:
        done = done | (n > _LIMITS[x.dtype.name])
        result = xp.where(done & (n > 0), xp.nan, result)
    degree = xp.where(done, -1, n)  # of what recurrence is left to do
    p, q = xp.ones_like(x), first(x)
    highest = int(degree.max()) if degree.size else 0
    for k in range(1, highest + 1):
        result = xp.where(degree >= k, q, result)
        if bool(xp.isnan(result[degree >= k]).all()):
            break
        p, q = q, following(x, k, p, q)
    if closed is None:
        return result
    return xp.where(done, closed(xp, xp.arccos(xp.clip(x, -1, 1)), n), result)
