"""Rounding and the sign, elementwise: functions of steps, whose derivative is 0."""

from __future__ import annotations

from typing import Any

from rushlight.ops._derivatives import zero
from rushlight.ops._registry import op
from rushlight.tensor import Tensor


@op(input=zero, inplace=True)
def floor(input: Tensor) -> Tensor:
    """Elementwise rounding down; the derivative is 0."""


@op(input=zero, inplace=True)
def ceil(input: Tensor) -> Tensor:
    """Elementwise rounding up; the derivative is 0."""


@op(input=zero, inplace=True)
def trunc(input: Tensor) -> Tensor:
    """Elementwise rounding towards zero; the derivative is 0."""


@op(input=lambda K, g: g, inplace=True)
def frac(input: Tensor) -> Tensor:
    """Elementwise ``input - trunc(input)`` of floats; the derivative is 1."""


def _round(K: Any, input: Any, decimals: int) -> Any:
    if type(decimals) is not int:
        raise TypeError(f"round(): argument 'decimals' must be int, not {type(decimals).__name__}")
    if decimals == 0:
        return K.round(input)
    if input.dtype.kind in "iub":
        raise NotImplementedError(f"\"round_cpu\" not implemented for '{input.dtype}'")
    scale = 10.0 ** abs(decimals)
    if decimals > 0:
        return K.div(K.round(K.mul(input, scale)), scale)
    return K.mul(K.round(K.div(input, scale)), scale)


@op(input=zero, forward=_round, inplace=True)
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Elementwise rounding to `decimals` places, ties to even; the derivative is 0.

    Args:
        input: floats; integers, which are already round, only with ``decimals=0``.
        decimals: digits behind the point; negative ones are in front of it.
    """


@op(input=zero, inplace=True)
def sign(input: Tensor) -> Tensor:
    """Elementwise -1, 0 or 1; NaN gives 0. The derivative is 0."""


@op(input=zero, forward=lambda K, input: K.sign(input), inplace=True)
def sgn(input: Tensor) -> Tensor:
    """Elementwise `sign`, which it is for real numbers."""


@op(input=None)
def signbit(input: Tensor) -> Tensor:
    """Whether the sign bit of each element is set, so for -0.0 too."""
