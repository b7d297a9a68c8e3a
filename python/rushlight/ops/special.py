"""Special functions, elementwise: of the normal distribution, the gamma function, Bessel's.

Those of training are formulas of scalar.h; for the others SciPy and CuPy have kernels. What is only
in ``torch.special`` has its name there with ``special_`` before it.
"""

from __future__ import annotations

import math
from typing import Any

from rushlight.ops._derivatives import undefined
from rushlight.ops._registry import composed, op
from rushlight.tensor import Tensor

Number = int | float | bool

# ---- The normal distribution ----


def _bell(K: Any, x: Any, factor: float) -> Any:
    """``factor * exp(-x ** 2)``."""
    return K.mul(K.exp(K.neg(K.square(x))), factor)


@op(input=lambda K, g, input: K.mul(g, _bell(K, input, 2 / math.sqrt(math.pi))), inplace=True)
def erf(input: Tensor) -> Tensor:
    """Elementwise error function."""


@op(input=lambda K, g, input: K.mul(g, _bell(K, input, -2 / math.sqrt(math.pi))), inplace=True)
def erfc(input: Tensor) -> Tensor:
    """Elementwise ``1 - erf(input)``, exact for large input."""


@op(
    input=lambda K, g, out: K.mul(g, K.mul(K.exp(K.square(out)), math.sqrt(math.pi) / 2)),
    inplace=True,
)
def erfinv(input: Tensor) -> Tensor:
    """Elementwise inverse of `erf`, of numbers from -1 to 1."""


@op(
    input=lambda K, g, input, out: K.mul(
        g, K.sub(K.mul(K.mul(input, out), 2), 2 / math.sqrt(math.pi))
    ),
    method=False,
)
def special_erfcx(input: Tensor) -> Tensor:
    """Elementwise ``exp(input ** 2) * erfc(input)``."""


@op(
    input=lambda K, g, input: K.mul(
        g, _bell(K, K.mul(input, math.sqrt(0.5)), math.sqrt(0.5 / math.pi))
    ),
    forward=lambda K, input: K.mul(K.erfc(K.mul(input, -math.sqrt(0.5))), 0.5),
    method=False,
)
def special_ndtr(input: Tensor) -> Tensor:
    """Elementwise distribution function of the standard normal distribution."""


@op(
    # From 37 on the slope is below 1e-297; erfcx would be infinite there, its derivative NaN.
    input=lambda K, g, input: K.div(
        K.mul(g, math.sqrt(2 / math.pi)),
        K.special_erfcx(K.mul(K.clamp(input, -math.inf, 37.0), -math.sqrt(0.5))),
    ),
    method=False,
)
def special_log_ndtr(input: Tensor) -> Tensor:
    """Elementwise logarithm of `special_ndtr`, exact far below 0."""


@op(
    input=lambda K, g, out: K.mul(
        g, K.mul(K.exp(K.mul(K.square(out), 0.5)), math.sqrt(2 * math.pi))
    ),
    method=False,
)
def special_ndtri(input: Tensor) -> Tensor:
    """Elementwise inverse of `special_ndtr`: quantiles of the standard normal distribution."""


@op(input=lambda K, g, input: K.mul(g, K.sub(-1, K.log(input))), method=False)
def special_entr(input: Tensor) -> Tensor:
    """Elementwise entropy ``-input * log(input)``, 0 at 0, minus infinity below."""


# ---- The gamma function ----


@op(input=lambda K, g, input: K.mul(g, K.digamma(input)), inplace=True)
def lgamma(input: Tensor) -> Tensor:
    """Elementwise logarithm of the size of the gamma function."""


@op(input=lambda K, g, input: K.mul(g, K.trigamma(input)), inplace=True)
def digamma(input: Tensor) -> Tensor:
    """Elementwise derivative of the gamma function's logarithm."""


@op(
    input=lambda K, g, input: K.mul(g, _polygamma_of(K, input, 2)),
    method=False,
)
def trigamma(input: Tensor) -> Tensor:
    """Elementwise derivative of `digamma`."""


def _polygamma_of(K: Any, input: Any, n: int) -> Any:
    if n == 0:
        return K.digamma(input)
    if n == 1:
        return K.trigamma(input)
    factorial = math.exp(math.lgamma(n + 1)) if n < 171 else math.inf
    return K.mul(K.special_zeta(n + 1, input), factorial if n % 2 else -factorial)


@op(
    input=lambda K, g, input, n: K.mul(g, _polygamma_of(K, input, n + 1)),
    forward=_polygamma_of,
    node="PolygammaBackward0",
    inplace=True,
)
def _polygamma(input: Tensor, n: int) -> Tensor:
    """The n-th derivative of `digamma`, with the arguments in the order of the method."""


@composed(method=False)
def polygamma(n: int, input: Tensor) -> Tensor:
    """Elementwise n-th derivative of `digamma`.

    Raises:
        RuntimeError: for a negative `n`.
    """
    if not isinstance(n, int):
        raise TypeError(
            f"polygamma(): argument 'n' (position 1) must be int, not {type(n).__name__}"
        )
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return _polygamma(input, n)


def _arguments(K: Any, input: Any, p: int) -> list[Any]:
    return [K.sub(input, 0.5 * i) for i in range(p)]


def _mvlgamma(K: Any, input: Any, p: int) -> Any:
    if p < 1:
        raise RuntimeError(f"p has to be greater than or equal to 1; mvlgamma got {p}")
    total: Any = p * (p - 1) / 4 * math.log(math.pi)
    for x in _arguments(K, input, p):
        total = K.add(total, K.lgamma(x))
    return total


def _mvlgamma_gradient(K: Any, g: Any, input: Any, p: int) -> Any:
    first, *others = _arguments(K, input, p)
    total = K.digamma(first)
    for x in others:
        total = K.add(total, K.digamma(x))
    return K.mul(g, total)


@op(input=_mvlgamma_gradient, forward=_mvlgamma, inplace=True)
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """Elementwise logarithm of the multivariate gamma function of dimension `p`.

    Raises:
        RuntimeError: for a `p` below 1.
    """


def _gamma_density(K: Any, a: Any, x: Any) -> Any:
    """``x ** (a - 1) * exp(-x) / gamma(a)``."""
    return K.exp(K.sub(K.sub(K.mul(K.sub(a, 1), K.log(x)), x), K.lgamma(a)))


@op(
    input=undefined("igamma: input"),
    other=lambda K, g, input, other: K.mul(g, _gamma_density(K, input, other)),
    inplace=True,
)
def igamma(input: Tensor, other: Tensor) -> Tensor:
    """Elementwise regularised lower incomplete gamma function ``P(input, other)`` of floats."""


@op(
    input=undefined("igammac: input"),
    other=lambda K, g, input, other: K.neg(K.mul(g, _gamma_density(K, input, other))),
    inplace=True,
)
def igammac(input: Tensor, other: Tensor) -> Tensor:
    """Elementwise regularised upper incomplete gamma function ``Q(input, other)`` of floats."""


@op(
    input=undefined("zeta"),
    other=lambda K, g, input, other: K.neg(
        K.mul(K.mul(g, input), K.special_zeta(K.add(input, 1), other))
    ),
    method=False,
)
def special_zeta(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise Hurwitz zeta function, the sum of ``(other + k) ** -input`` over k from 0 on."""


# ---- Bessel functions ----


@op(input=lambda K, g, input: K.mul(g, K.special_i1(input)), inplace=True)
def i0(input: Tensor) -> Tensor:
    """Elementwise modified Bessel function of the first kind of order 0."""


@op(
    input=lambda K, g, input, out: K.mul(g, K.sub(K.special_i1e(input), K.mul(K.sign(input), out))),
    node="SpecialI0EBackward0",
    method=False,
)
def special_i0e(input: Tensor) -> Tensor:
    """Elementwise ``exp(-abs(input)) * i0(input)``."""


def _beyond_zero(K: Any, input: Any, slope: Any) -> Any:
    """The slope of order 1 with ``out / input`` in it; at 0 it is 0.5."""
    zero = K.eq(input, 0)
    return K.where(zero, 0.5, slope(K.where(zero, 1.0, input)))


@op(
    input=lambda K, g, input, out: K.mul(
        g, _beyond_zero(K, input, lambda x: K.sub(K.i0(x), K.div(out, x)))
    ),
    method=False,
)
def special_i1(input: Tensor) -> Tensor:
    """Elementwise modified Bessel function of the first kind of order 1."""


@op(
    input=lambda K, g, input, out: K.mul(
        g,
        _beyond_zero(
            K,
            input,
            lambda x: K.sub(K.special_i0e(x), K.mul(out, K.add(K.sign(x), K.reciprocal(x)))),
        ),
    ),
    node="SpecialI1EBackward0",
    method=False,
)
def special_i1e(input: Tensor) -> Tensor:
    """Elementwise ``exp(-abs(input)) * i1(input)``."""


# None of the following has a derivative in PyTorch.


@op(input=None, method=False)
def special_airy_ai(input: Tensor) -> Tensor:
    """Elementwise Airy function Ai."""


@op(input=None, method=False)
def special_bessel_j0(input: Tensor) -> Tensor:
    """Elementwise Bessel function of the first kind of order 0."""


@op(input=None, method=False)
def special_bessel_j1(input: Tensor) -> Tensor:
    """Elementwise Bessel function of the first kind of order 1."""


@op(input=None, method=False)
def special_bessel_y0(input: Tensor) -> Tensor:
    """Elementwise Bessel function of the second kind of order 0."""


@op(input=None, method=False)
def special_bessel_y1(input: Tensor) -> Tensor:
    """Elementwise Bessel function of the second kind of order 1."""


@op(input=None, method=False)
def special_modified_bessel_i0(input: Tensor) -> Tensor:
    """Elementwise modified Bessel function of the first kind of order 0."""


@op(input=None, method=False)
def special_modified_bessel_i1(input: Tensor) -> Tensor:
    """Elementwise modified Bessel function of the first kind of order 1."""


@op(input=None, method=False)
def special_modified_bessel_k0(input: Tensor) -> Tensor:
    """Elementwise modified Bessel function of the second kind of order 0."""


@op(input=None, method=False)
def special_modified_bessel_k1(input: Tensor) -> Tensor:
    """Elementwise modified Bessel function of the second kind of order 1."""


@op(input=None, method=False)
def special_scaled_modified_bessel_k0(input: Tensor) -> Tensor:
    """Elementwise ``exp(input) * modified_bessel_k0(input)``."""


@op(input=None, method=False)
def special_scaled_modified_bessel_k1(input: Tensor) -> Tensor:
    """Elementwise ``exp(input) * modified_bessel_k1(input)``."""


def _spherical(K: Any, input: Any) -> Any:
    ratio = K.where(K.eq(input, 0), 1.0, K.div(K.sin(input), input))
    return K.where(K.isinf(input), 0.0, ratio)


@op(input=None, forward=_spherical, method=False)
def special_spherical_bessel_j0(input: Tensor) -> Tensor:
    """Elementwise spherical Bessel function of the first kind of order 0, ``sin(x) / x``."""
