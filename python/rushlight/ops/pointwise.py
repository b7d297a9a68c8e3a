"""Arithmetic, elementwise, with broadcasting and type promotion; kernels from scalar.h.

Gradients at kinks are PyTorch's: ``sign(0) = 0`` for ``abs``, and 0 for powers of 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight.ops._derivatives import undefined, zero
from rushlight.ops._registry import composed, op
from rushlight.tensor import Tensor

Number = int | float | bool
NUMBERS = (int, float, bool)

# ---- Sums ----


def _scaled(K: Any, op: str, input: Any, other: Any, alpha: Number) -> Any:
    """``input + alpha * other``, where `alpha` is not just 1.

    Raises:
        TypeError: unless `alpha` is a number.
        RuntimeError: where `alpha` has a higher category than the result.
    """
    if not isinstance(alpha, NUMBERS):
        raise TypeError(f"{op}(): argument 'alpha' must be Number, not {type(alpha).__name__}")
    kind = K.result_type(input, other).kind
    if type(alpha) is bool and kind != "b":
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    if type(alpha) is float and kind in "iub":
        raise RuntimeError(
            "For integral input tensors, argument alpha must not be a floating point number."
        )
    if kind == "b":
        return K.logical_or(input, K.mul(other, bool(alpha)))
    return K.multiply_add(input, other, alpha)


def _sum(K: Any, input: Any, other: Any, alpha: Number) -> Any:
    if type(alpha) is int and alpha == 1:
        return K.add(input, other)
    return _scaled(K, "add", input, other, alpha)


def _difference(K: Any, input: Any, other: Any, alpha: Number) -> Any:
    if type(alpha) is int and alpha == 1:
        return K.sub(input, other)
    if K.result_type(input, other).kind == "b":
        return K.sub(input, other)  # which refuses bools
    return _scaled(K, "sub", input, other, alpha if type(alpha) is bool else -alpha)


@op(
    input=lambda K, g: g,
    other=lambda K, g, alpha: g if alpha == 1 else K.mul(g, alpha),
    forward=_sum,
    operator="add",
    inplace=True,
)
def add(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """Elementwise sum ``input + alpha * other``."""


@op(
    input=lambda K, g: g,
    other=lambda K, g, alpha: K.mul(g, -alpha),
    forward=_difference,
    operator="sub",
    inplace=True,
)
def sub(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """Elementwise difference ``input - alpha * other``; not for bool tensors."""


@op(
    input=lambda K, g, alpha: K.mul(g, -alpha),
    other=lambda K, g: g,
    forward=lambda K, input, other, alpha: _difference(K, other, input, alpha),
    method=False,
)
def rsub(input: Tensor, other: Tensor | Number, alpha: Number = 1) -> Tensor:
    """Elementwise difference ``other - alpha * input``; not for bool tensors."""


# ---- Products and quotients ----


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
        return K.trunc_divide(input, other)
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
    input=undefined("floor_divide"),
    other=undefined("floor_divide"),
    operator="floordiv",
    inplace=True,
    node="NotImplemented",
)
def floor_divide(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise quotient rounded down. An integer zero divisor is a RuntimeError.

    There is no derivative, as in PyTorch; that of ``div(..., rounding_mode="floor")`` is 0.
    """


@op(input=zero, other=zero, method=False)
def floor_quotient(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """What `floor_divide` gives, with the derivative 0: what `remainder` takes away."""


@op(input=zero, other=zero, method=False)
def trunc_divide(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise quotient rounded towards zero; the derivative is 0."""


@op(
    input=lambda K, g: g,
    other=lambda K, g, input, other: K.neg(K.mul(g, K.floor_quotient(input, other))),
    operator="mod",
    inplace=True,
)
def remainder(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise remainder with the divisor's sign, as Python's ``%``."""


@op(
    input=lambda K, g: g,
    other=lambda K, g, input, other: K.neg(K.mul(g, K.trunc_divide(input, other))),
    inplace=True,
)
def fmod(input: Tensor, other: Tensor | Number) -> Tensor:
    """Elementwise remainder with the dividend's sign, as C's ``fmod``."""


@op(input=lambda K, g, out: K.neg(K.mul(g, K.mul(out, out))), inplace=True)
def reciprocal(input: Tensor) -> Tensor:
    """Elementwise ``1 / input``."""


def _value(K: Any, value: Number, *operands: Any) -> Number:
    """The factor of a sum of products, in the category of the result."""
    return int(value) if K.result_type(*operands).kind in "iub" else value


@op(
    input=lambda K, g: g,
    tensor1=lambda K, g, tensor2, value: K.mul(g, K.mul(tensor2, value)),
    tensor2=lambda K, g, tensor1, value: K.mul(g, K.mul(tensor1, value)),
    forward=lambda K, input, tensor1, tensor2, value: K.multiply_add(
        input,
        tensor1 if value == 1 else K.mul(tensor1, _value(K, value, input, tensor1, tensor2)),
        tensor2,
    ),
    inplace=True,
)
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """Elementwise ``input + value * tensor1 * tensor2``."""


def _add_quotient(K: Any, input: Any, tensor1: Any, tensor2: Any, value: Number) -> Any:
    if tensor1.dtype.kind in "iub" and tensor2.dtype.kind in "iub":
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported; convert tensor1 or tensor2 to a "
            f"floating type. Got {tensor1.dtype} and {tensor2.dtype}."
        )
    quotient = K.div(tensor1, tensor2)
    return K.add(input, quotient) if value == 1 else K.multiply_add(input, quotient, value)


@op(
    input=lambda K, g: g,
    tensor1=lambda K, g, tensor2, value: K.div(K.mul(g, value), tensor2),
    tensor2=lambda K, g, tensor1, tensor2, value: K.neg(
        K.mul(K.div(K.mul(g, value), tensor2), K.div(tensor1, tensor2))
    ),
    forward=_add_quotient,
    inplace=True,
)
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """Elementwise ``input + value * tensor1 / tensor2``; not for the quotient of two integers."""


@op(
    input=lambda K, g, weight: K.mul(
        g, 1 - weight if type(weight) in NUMBERS else K.sub(1, weight)
    ),
    end=lambda K, g, weight: K.mul(g, weight),
    weight=lambda K, g, input, end: K.mul(g, K.sub(end, input)),
    inplace=True,
)
def lerp(input: Tensor, end: Tensor, weight: Tensor | Number) -> Tensor:
    """Elementwise ``input + weight * (end - input)``, of floats."""


# ---- Powers ----


def _power(K: Any, input: Any, exponent: Any) -> Any:
    if type(exponent) in (int, float) and exponent == 2:
        return _square(K, input)
    return K.pow(input, exponent)


def _power_base_gradient(K: Any, g: Any, input: Any, exponent: Any) -> Any:
    if type(exponent) in NUMBERS:
        if exponent == 0:
            return K.zeros_like(g)
        if exponent == 2:
            return K.mul(g, K.mul(input, 2))
        return K.mul(g, K.mul(K.pow(input, exponent - 1), exponent))
    # Where the power would be infinite, so that derivatives of the slope stay finite as well.
    flat = K.logical_and(K.eq(exponent, 0), K.logical_not(K.gt(K.abs(input), 0)))
    return K.mul(g, K.mul(K.pow(K.where(flat, 1, input), K.sub(exponent, 1)), exponent))


def _power_exponent_gradient(K: Any, g: Any, input: Any, exponent: Any, out: Any) -> Any:
    if type(input) in NUMBERS:  # a kernel would take its logarithm in float32
        log = math.log(input) if input > 0 else -math.inf if input == 0 else math.nan
        return K.mul(g, K.mul(out, K.where(K.ge(exponent, 0), 0.0, log) if input == 0 else log))
    flat = K.logical_and(K.eq(input, 0), K.ge(exponent, 0))
    return K.mul(g, K.mul(out, K.log(K.where(flat, 1, input))))


@op(
    input=_power_base_gradient,
    exponent=_power_exponent_gradient,
    forward=_power,
    operator="pow",
    inplace=True,
)
def pow(input: Tensor | Number, exponent: Tensor | Number) -> Tensor:
    """Elementwise power ``input ** exponent``.

    Raises:
        RuntimeError: for integers to a power that is a negative integer. Tensors of such powers
            round towards zero, as in PyTorch.
    """


def _double(K: Any, x: Any) -> Any:
    return float(x) if type(x) in NUMBERS else K.cast(x, np.dtype(np.float64))


@op(
    input=_power_base_gradient,
    exponent=_power_exponent_gradient,
    forward=lambda K, input, exponent: K.pow(_double(K, input), _double(K, exponent)),
    node="PowBackward0",
)
def float_power(input: Tensor | Number, exponent: Tensor | Number) -> Tensor:
    """Elementwise power ``input ** exponent`` in float64."""


@composed()
def float_power_(input: Tensor, exponent: Tensor | Number) -> Tensor:
    """`float_power` in place, of a float64 tensor."""
    if input.dtype.name != "float64":
        raise RuntimeError(
            f"the base given to float_power_ has dtype {input.dtype} but the operation's result "
            "requires dtype torch.float64"
        )
    return input.pow_(exponent)


def _square(K: Any, input: Any) -> Any:
    return K.pow(input, 2) if K.result_type(input).kind == "b" else K.square(input)


@op(
    input=lambda K, g, input: K.mul(g, K.mul(input, 2)),
    forward=_square,
    node="PowBackward0",
    inplace=True,
)
def square(input: Tensor) -> Tensor:
    """Elementwise ``input ** 2``."""


# ---- Size and sign ----


@op(input=lambda K, g: K.neg(g), operator="neg", inplace=True)
def neg(input: Tensor) -> Tensor:
    """Elementwise opposite; not for bool tensors."""


@composed()
def positive(input: Tensor) -> Tensor:
    """The tensor itself; not for bool tensors."""
    if input.dtype.name == "bool":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@op(input=lambda K, g, input: K.mul(g, K.sign(input)), operator="abs", inplace=True)
def abs(input: Tensor) -> Tensor:
    """Elementwise absolute value; its derivative at 0 is 0."""


@composed()
def conj(input: Tensor) -> Tensor:
    """The tensor itself: real numbers are their own conjugates."""
    return input


@op(
    input=zero,
    # A positive 0 for -0.0, which atan2 would take for a number below 0.
    forward=lambda K, input: K.atan2(0.0, K.add(input, 0)),
)
def angle(input: Tensor) -> Tensor:
    """Elementwise argument of a real number, in radians: pi below 0, else 0; NaN stays.

    The derivative is 0.
    """
