"""Trigonometric and hyperbolic functions, elementwise; angles in radians."""

from __future__ import annotations

import math
from typing import Any

from rushlight.ops._registry import op
from rushlight.tensor import Tensor

DEGREE = math.pi / 180

# ---- Of angles ----


@op(input=lambda K, g, input: K.mul(g, K.cos(input)), inplace=True)
def sin(input: Tensor) -> Tensor:
    """Elementwise sine, of radians."""


@op(input=lambda K, g, input: K.neg(K.mul(g, K.sin(input))), inplace=True)
def cos(input: Tensor) -> Tensor:
    """Elementwise cosine, of radians."""


@op(input=lambda K, g, out: K.mul(g, K.add(K.square(out), 1)), inplace=True)
def tan(input: Tensor) -> Tensor:
    """Elementwise tangent, of radians."""


@op(input=lambda K, g, input: K.mul(g, K.rsqrt(K.sub(1, K.square(input)))), inplace=True)
def asin(input: Tensor) -> Tensor:
    """Elementwise arcsine, in radians."""


@op(input=lambda K, g, input: K.neg(K.mul(g, K.rsqrt(K.sub(1, K.square(input))))), inplace=True)
def acos(input: Tensor) -> Tensor:
    """Elementwise arccosine, in radians."""


@op(input=lambda K, g, input: K.div(g, K.add(K.square(input), 1)), inplace=True)
def atan(input: Tensor) -> Tensor:
    """Elementwise arctangent, in radians."""


@op(
    input=lambda K, g, input, other: K.mul(K.mul(g, other), _inverse_square(K, input, other)),
    other=lambda K, g, input, other: K.neg(
        K.mul(K.mul(g, input), _inverse_square(K, input, other))
    ),
    inplace=True,
)
def atan2(input: Tensor, other: Tensor) -> Tensor:
    """Elementwise angle of the point ``(other, input)``, in radians; flat at the origin."""


def _inverse_square(K: Any, y: Any, x: Any) -> Any:
    distance = K.add(K.square(y), K.square(x))
    return K.where(K.eq(distance, 0), 0.0, K.reciprocal(distance))


@op(
    input=lambda K, g, input, out: K.mul(g, K.div(input, out)),
    other=lambda K, g, other, out: K.mul(g, K.div(other, out)),
    inplace=True,
)
def hypot(input: Tensor, other: Tensor) -> Tensor:
    """Elementwise ``sqrt(input ** 2 + other ** 2)`` of floats; the derivative at 0, 0 is NaN."""


def _sinc_gradient(K: Any, g: Any, input: Any, out: Any) -> Any:
    """``(cos(pi x) - sinc(x)) / x``, and near 0 the first terms of its series."""
    near = K.lt(K.abs(input), 0.01)
    far = K.div(K.sub(K.cos(K.mul(input, math.pi)), out), K.where(near, 1, input))
    x = K.mul(K.where(near, input, 0), math.pi)
    y = K.square(x)
    series = K.mul(K.add(K.mul(K.add(K.mul(y, -1 / 840), 1 / 30), y), -1 / 3), K.mul(x, math.pi))
    return K.mul(g, K.where(near, series, far))


@op(input=_sinc_gradient, inplace=True)
def sinc(input: Tensor) -> Tensor:
    """Elementwise ``sin(pi * input) / (pi * input)``, 1 at 0."""


@op(
    input=lambda K, g: K.mul(g, DEGREE),
    forward=lambda K, input: K.mul(input, DEGREE),
    node="Deg2RadBackward0",
    inplace=True,
)
def deg2rad(input: Tensor) -> Tensor:
    """Elementwise degrees in radians."""


@op(
    input=lambda K, g: K.mul(g, 1 / DEGREE),
    forward=lambda K, input: K.mul(input, 1 / DEGREE),
    node="Rad2DegBackward0",
    inplace=True,
)
def rad2deg(input: Tensor) -> Tensor:
    """Elementwise radians in degrees."""


# ---- Hyperbolic ----


@op(input=lambda K, g, input: K.mul(g, K.cosh(input)), inplace=True)
def sinh(input: Tensor) -> Tensor:
    """Elementwise hyperbolic sine."""


@op(input=lambda K, g, input: K.mul(g, K.sinh(input)), inplace=True)
def cosh(input: Tensor) -> Tensor:
    """Elementwise hyperbolic cosine."""


@op(input=lambda K, g, out: K.tanh_backward(g, out), inplace=True)
def tanh(input: Tensor) -> Tensor:
    """Elementwise hyperbolic tangent."""


@op(input=lambda K, g, input: K.mul(g, K.rsqrt(K.add(K.square(input), 1))), inplace=True)
def asinh(input: Tensor) -> Tensor:
    """Elementwise inverse hyperbolic sine."""


@op(input=lambda K, g, input: K.mul(g, K.rsqrt(K.sub(K.square(input), 1))), inplace=True)
def acosh(input: Tensor) -> Tensor:
    """Elementwise inverse hyperbolic cosine, of numbers from 1 on."""


@op(input=lambda K, g, input: K.div(g, K.sub(1, K.square(input))), inplace=True)
def atanh(input: Tensor) -> Tensor:
    """Elementwise inverse hyperbolic tangent, of numbers from -1 to 1."""
