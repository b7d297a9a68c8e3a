"""Derivatives of random variates by the parameters of their distributions.

A variate x of the distribution function F(x; a) moves with a as ``dx/da = -(dF/da) / (dF/dx)``.
SciPy, imported at the first use, has the functions F; their derivatives by a are differences of
fourth order, with the function or its complement, whichever is smaller, so that digits remain.

Source: M. Figurnov, S. Mohamed, A. Mnih, "Implicit reparameterization gradients" (2018).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight.backend.linalg import on_host

__all__ = ["dirichlet_grad", "standard_gamma_grad"]

_STEP = 1e-3  # relative to the scale on which F changes with its parameter


def _slope(
    function: Callable[[Any], Any], complement: Callable[[Any], Any], a: Any, scale: Any
) -> Any:
    """The derivative of a distribution function by its parameter."""
    h = _STEP * np.minimum(a, scale)
    smaller = np.where(function(a) < 0.5, 1.0, -1.0)

    def value(at: Any) -> Any:
        return np.where(smaller > 0, function(at), -complement(at))

    return (8 * (value(a + h) - value(a - h)) - (value(a + 2 * h) - value(a - 2 * h))) / (12 * h)


@on_host
def standard_gamma_grad(alpha: Any, x: Any) -> Any:
    """How a variate of the gamma distribution of rate 1 moves with its shape."""
    from scipy import special

    a, value = alpha.astype(np.float64), x.astype(np.float64)
    with np.errstate(all="ignore"):
        slope = _slope(
            lambda at: special.gammainc(at, value),
            lambda at: special.gammaincc(at, value),
            a,
            np.sqrt(a),
        )
        density = np.exp(special.xlogy(a - 1, value) - value - special.gammaln(a))
        return (-slope / density).astype(x.dtype)


@on_host
def dirichlet_grad(x: Any, alpha: Any, total: Any) -> Any:
    """How an element of a Dirichlet variate moves with its own concentration, over ``1 - x``."""
    from scipy import special

    a, value = alpha.astype(np.float64), x.astype(np.float64)
    b = total.astype(np.float64) - a
    with np.errstate(all="ignore"):
        slope = _slope(
            lambda at: special.betainc(at, b, value),
            lambda at: special.betaincc(at, b, value),
            a,
            np.sqrt(a),
        )
        logarithm = special.xlogy(a - 1, value) + special.xlog1py(b - 1, -value)
        density = np.exp(logarithm - special.betaln(a, b))
        return (-slope / density / (1 - value)).astype(x.dtype)
