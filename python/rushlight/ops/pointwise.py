"""Elementwise operations, with broadcasting and type promotion; kernels from scalar.h.

Gradients at kinks are PyTorch's: ``sign(0) = 0`` for ``abs``, equal shares for ``maximum`` and
``minimum`` of equal numbers, 1 at the bounds of ``clamp``.
"""

from __future__ import annotations

import math
from typing import Any

from rushlight.ops._registry import composed, op
from rushlight.tensor import Tensor

Number = int | float | bool

# ---- Arithmetic ----


@op(
    input=lambda K, g: g,
    other=lambda K, g, alpha: g if alpha == 1 else K.mul(g, alpha),
    forward=lambda K, input, other, alpha: (
        K.add(input, other) if alpha == 1 else K.multiply_add(input, other, alpha)
    ),
    operator="add",
    inplace=True,
)
def add(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """Elementwise sum ``input + alpha * other``."""


@op(
    input=lambda K, g: g,
    other=lambda K, g, alpha: K.mul(g, -alpha),
    forward=lambda K, input, other, alpha: (
        K.sub(input, other) if alpha == 1 else K.multiply_add(input, other, -alpha)
    ),
    operator="sub",
    inplace=True,
)
def sub(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """Elementwise difference ``input - alpha * other``; not for two bool tensors."""


@op(
    input=lambda K, g, other: K.mul(g, other),
    other=lambda K, g, input: K.mul(g, input),
    operator="mul",
    inplace=True,
)
def mul(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise product ``input * other``."""


def _divide(K: Any, input: Any, other: Any, rounding_mode: str | None) -> Any:
    if rounding_mode is None:
        return K.div(input, other)
    if rounding_mode == "floor":
        return K.floor_divide(input, other)
    if rounding_mode == "trunc":
        quotient = K.trunc(K.div(input, other))
        integral = all(getattr(x, "dtype", type(x)) != quotient.dtype for x in (input, other))
        return K.cast(quotient, K.result_type(input, other)) if integral else quotient
    raise RuntimeError(
        "div expected rounding_mode to be one of None, 'trunc', or 'floor' "
        f"but found '{rounding_mode}'"
    )


@op(
    input=lambda K, g, other, rounding_mode: (
        K.div(g, other) if rounding_mode is None else K.zeros_like(g)
    ),
    other=lambda K, g, input, other, rounding_mode: (
        K.neg(K.mul(K.div(g, other), K.div(input, other)))
        if rounding_mode is None
        else K.zeros_like(g)
    ),
    forward=_divide,
    operator="truediv",
    inplace=True,
)
def div(
    input: Tensor | Number, other: Tensor | Number, *, rounding_mode: str | None = None
) -> Tensor:
    """Elementwise quotient; integers give floats unless `rounding_mode` is 'trunc' or 'floor'."""


@op(
    input=None,
    other=None,
    operator="floordiv",
)
def floor_divide(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise quotient rounded down. An integer zero divisor is a RuntimeError."""


@op(
    input=lambda K, g: g,
    other=lambda K, g, input, other: K.neg(K.mul(g, K.floor_divide(input, other))),
    operator="mod",
    inplace=True,
)
def remainder(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise remainder with the divisor's sign, as Python's ``%``."""


def _power(K: Any, input: Any, exponent: Any) -> Any:
    if type(exponent) in (int, float) and exponent == 2:
        return K.square(input)
    return K.pow(input, exponent)


def _power_base_gradient(K: Any, g: Any, input: Any, exponent: Any) -> Any:
    if type(exponent) in (int, float, bool):
        if exponent == 0:
            return K.zeros_like(g)
        if exponent == 2:
            return K.mul(g, K.mul(input, 2))
        return K.mul(g, K.mul(K.pow(input, exponent - 1), exponent))
    slope = K.mul(K.pow(input, K.sub(exponent, 1)), exponent)
    return K.where(K.eq(exponent, 0), 0.0, K.mul(g, slope))


def _power_exponent_gradient(K: Any, g: Any, input: Any, exponent: Any, out: Any) -> Any:
    if type(input) in (int, float, bool):  # a kernel would take its logarithm in float32
        slope = K.mul(out, math.log(input) if input > 0 else -math.inf if input == 0 else math.nan)
    else:
        slope = K.mul(out, K.log(input))
    flat = K.logical_and(K.eq(input, 0), K.ge(exponent, 0))
    return K.where(flat, 0.0, K.mul(g, slope))


@op(
    input=_power_base_gradient,
    exponent=_power_exponent_gradient,
    forward=_power,
    operator="pow",
    inplace=True,
)
def pow(input: Tensor | Number, exponent: Tensor | Number) -> Tensor:
    """Elementwise power ``input ** exponent``."""


@op(input=lambda K, g: K.neg(g), operator="neg", inplace=True)
def neg(input: Tensor) -> Tensor:
    """Elementwise opposite."""


@op(input=lambda K, g, input: K.mul(g, K.sign(input)), operator="abs", inplace=True)
def abs(input: Tensor) -> Tensor:
    """Elementwise absolute value; its derivative at 0 is 0."""


@op(input=lambda K, g: K.zeros_like(g), inplace=True)
def sign(input: Tensor) -> Tensor:
    """Elementwise -1, 0 or 1; the derivative is 0."""


@op(input=lambda K, g, input: K.mul(g, K.mul(input, 2)), inplace=True)
def square(input: Tensor) -> Tensor:
    """Elementwise ``input ** 2``."""


@op(input=lambda K, g, out: K.neg(K.mul(g, K.mul(out, out))), inplace=True)
def reciprocal(input: Tensor) -> Tensor:
    """Elementwise ``1 / input``."""


def _share(K: Any, g: Any, first: Any, second: Any, loses: Any) -> Any:
    return K.where(K.eq(first, second), K.mul(g, 0.5), K.where(loses, 0.0, g))


@op(
    input=lambda K, g, input, other: _share(K, g, input, other, K.lt(input, other)),
    other=lambda K, g, input, other: _share(K, g, input, other, K.lt(other, input)),
)
def maximum(input: Tensor, other: Tensor) -> Tensor:
    """Elementwise maximum; NaN wins. Equal numbers share the gradient."""


@op(
    input=lambda K, g, input, other: _share(K, g, input, other, K.gt(input, other)),
    other=lambda K, g, input, other: _share(K, g, input, other, K.gt(other, input)),
)
def minimum(input: Tensor, other: Tensor) -> Tensor:
    """Elementwise minimum; NaN wins. Equal numbers share the gradient."""


@op(
    input=lambda K, g, input, other: K.mul(K.mul(g, other), _inverse_square(K, input, other)),
    other=lambda K, g, input, other: K.neg(
        K.mul(K.mul(g, input), _inverse_square(K, input, other))
    ),
)
def atan2(input: Tensor, other: Tensor) -> Tensor:
    """Elementwise angle of the point ``(other, input)``, in radians; flat at the origin."""


def _inverse_square(K: Any, y: Any, x: Any) -> Any:
    distance = K.add(K.square(y), K.square(x))
    return K.where(K.eq(distance, 0), 0.0, K.reciprocal(distance))


@op(
    input=lambda K, g, tensor1, tensor2: g,
    tensor1=lambda K, g, tensor2, value: K.mul(g, K.mul(tensor2, value)),
    tensor2=lambda K, g, tensor1, value: K.mul(g, K.mul(tensor1, value)),
    forward=lambda K, input, tensor1, tensor2, value: K.multiply_add(
        input, tensor1 if value == 1 else K.mul(tensor1, value), tensor2
    ),
    inplace=True,
)
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """Elementwise ``input + value * tensor1 * tensor2``."""


@op(
    input=lambda K, g, weight: K.mul(
        g, 1 - weight if type(weight) in (int, float) else K.sub(1, weight)
    ),
    end=lambda K, g, weight: K.mul(g, weight),
    weight=lambda K, g, input, end: K.mul(g, K.sub(end, input)),
    inplace=True,
)
def lerp(input: Tensor, end: Tensor, weight: Tensor | Number) -> Tensor:
    """Elementwise ``input + weight * (end - input)``."""


# ---- Rounding ----


@op(input=lambda K, g: K.zeros_like(g), inplace=True)
def floor(input: Tensor) -> Tensor:
    """Elementwise rounding down; the derivative is 0."""


@op(input=lambda K, g: K.zeros_like(g), inplace=True)
def ceil(input: Tensor) -> Tensor:
    """Elementwise rounding up; the derivative is 0."""


@op(input=lambda K, g: K.zeros_like(g), inplace=True)
def trunc(input: Tensor) -> Tensor:
    """Elementwise rounding towards zero; the derivative is 0."""


@op(input=lambda K, g: K.zeros_like(g), inplace=True)
def round(input: Tensor) -> Tensor:
    """Elementwise rounding to the nearest integer, ties to even; the derivative is 0."""


# ---- Exponentials, logarithms, roots ----


@op(input=lambda K, g, out: K.mul(g, out), inplace=True)
def exp(input: Tensor) -> Tensor:
    """Elementwise ``e ** input``."""


@op(input=lambda K, g, out: K.mul(g, K.add(out, 1)), inplace=True)
def expm1(input: Tensor) -> Tensor:
    """Elementwise ``e ** input - 1``, exact near 0."""


@op(input=lambda K, g, input: K.div(g, input), inplace=True)
def log(input: Tensor) -> Tensor:
    """Elementwise natural logarithm."""


@op(input=lambda K, g, input: K.div(g, K.mul(input, math.log(2))), inplace=True)
def log2(input: Tensor) -> Tensor:
    """Elementwise logarithm of base 2."""


@op(input=lambda K, g, input: K.div(g, K.mul(input, math.log(10))), inplace=True)
def log10(input: Tensor) -> Tensor:
    """Elementwise logarithm of base 10."""


@op(input=lambda K, g, input: K.div(g, K.add(input, 1)), inplace=True)
def log1p(input: Tensor) -> Tensor:
    """Elementwise ``log(1 + input)``, exact near 0."""


@op(input=lambda K, g, out: K.div(g, K.mul(out, 2)), inplace=True)
def sqrt(input: Tensor) -> Tensor:
    """Elementwise square root; the derivative at 0 is infinite."""


@op(input=lambda K, g, out: K.mul(g, K.mul(K.mul(K.square(out), out), -0.5)), inplace=True)
def rsqrt(input: Tensor) -> Tensor:
    """Elementwise ``1 / sqrt(input)``."""


# ---- Trigonometry ----


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


@op(input=lambda K, g, input: K.mul(g, K.cosh(input)), inplace=True)
def sinh(input: Tensor) -> Tensor:
    """Elementwise hyperbolic sine."""


@op(input=lambda K, g, input: K.mul(g, K.sinh(input)), inplace=True)
def cosh(input: Tensor) -> Tensor:
    """Elementwise hyperbolic cosine."""


@op(input=lambda K, g, out: K.tanh_backward(g, out), inplace=True)
def tanh(input: Tensor) -> Tensor:
    """Elementwise hyperbolic tangent."""


@op(
    input=lambda K, g, input: K.mul(
        g, K.mul(K.exp(K.neg(K.square(input))), 2 / math.sqrt(math.pi))
    ),
    inplace=True,
)
def erf(input: Tensor) -> Tensor:
    """Elementwise error function."""


@op(
    input=lambda K, g, input: K.mul(
        g, K.mul(K.exp(K.neg(K.square(input))), -2 / math.sqrt(math.pi))
    ),
    inplace=True,
)
def erfc(input: Tensor) -> Tensor:
    """Elementwise ``1 - erf(input)``, exact for large input."""


# ---- Choice ----


def _clamp(K: Any, input: Any, min: Any, max: Any) -> Any:
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if min is None:
        return K.minimum(input, max)
    return K.maximum(input, min) if max is None else K.clamp(input, min, max)


def _inside(K: Any, input: Any, min: Any, max: Any) -> Any:
    low = None if min is None else K.ge(input, min)
    high = None if max is None else K.le(input, max)
    return high if low is None else low if high is None else K.logical_and(low, high)


@op(
    input=lambda K, g, input, min, max: K.where(_inside(K, input, min, max), g, 0.0),
    min=lambda K, g, input, min: K.where(K.lt(input, min), g, 0.0),
    max=lambda K, g, input, max: K.where(K.gt(input, max), g, 0.0),
    forward=_clamp,
    inplace=True,
)
def clamp(
    input: Tensor, min: Tensor | Number | None = None, max: Tensor | Number | None = None
) -> Tensor:
    """Elementwise restriction to ``[min, max]``; the derivative at a bound is 1."""


@op(
    condition=None,
    input=lambda K, g, condition: K.where(condition, g, 0.0),
    other=lambda K, g, condition: K.where(condition, 0.0, g),
    method=False,
)
def where(condition: Tensor, input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise ``input`` where `condition` (bool) holds, else ``other``."""


@composed(name="where")
def _where_method(self: Tensor, condition: Tensor, other: Tensor | Number) -> Tensor:
    """This tensor where `condition` holds, else ``other``."""
    return where(condition, self, other)
