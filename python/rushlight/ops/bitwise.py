"""Bits and divisors of integers, elementwise."""

from __future__ import annotations

from rushlight.ops._registry import op
from rushlight.tensor import Tensor

Number = int | float | bool


@op(input=None, other=None, operator="and", inplace=True)
def bitwise_and(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise ``input & other`` of integers or bools."""


@op(input=None, other=None, operator="or", inplace=True)
def bitwise_or(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise ``input | other`` of integers or bools."""


@op(input=None, other=None, operator="xor", inplace=True)
def bitwise_xor(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise ``input ^ other`` of integers or bools."""


@op(input=None, operator="invert", inplace=True)
def bitwise_not(input: Tensor) -> Tensor:
    """Elementwise complement of integers, negation of bools."""


@op(input=None, other=None, operator="lshift", inplace=True)
def bitwise_left_shift(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise ``input << other`` of integers; 0 for a negative count, and beyond the width."""


@op(input=None, other=None, operator="rshift", inplace=True)
def bitwise_right_shift(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise ``input >> other`` of integers, which keeps the sign.

    A negative count, and one beyond the width, leave the sign: -1 or 0.
    """


@op(input=None, other=None, inplace=True)
def gcd(input: Tensor, other: Tensor) -> Tensor:
    """Elementwise greatest common divisor of integers; ``gcd(0, 0)`` is 0."""


@op(input=None, other=None, inplace=True)
def lcm(input: Tensor, other: Tensor) -> Tensor:
    """Elementwise least common multiple of integers; 0 where one is 0."""
