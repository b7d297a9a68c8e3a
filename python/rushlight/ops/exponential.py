"""Exponentials, logarithms and roots, elementwise."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from rushlight.ops._registry import composed, op
from rushlight.tensor import Tensor

Number = int | float | bool

# ---- Exponentials ----


@op(input=lambda K, g, out: K.mul(g, out), inplace=True)
def exp(input: Tensor) -> Tensor:
    """Elementwise ``e ** input``."""


@op(input=lambda K, g, out: K.mul(g, K.add(out, 1)), inplace=True)
def expm1(input: Tensor) -> Tensor:
    """Elementwise ``e ** input - 1``, exact near 0."""


@op(input=lambda K, g, out: K.mul(g, K.mul(out, math.log(2))), inplace=True)
def exp2(input: Tensor) -> Tensor:
    """Elementwise ``2 ** input``."""


@op(
    input=lambda K, g, other: K.ldexp(g, other),
    other=lambda K, g, out: K.mul(g, K.mul(out, math.log(2))),
    inplace=True,
)
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """Elementwise ``input * 2 ** other``; integers give floats."""


class frexp_result(NamedTuple):  # noqa: N801 - PyTorch's name
    """Floats as mantissas of size 0.5 to 1 and int32 exponents of 2."""

    mantissa: Tensor
    exponent: Tensor

    def __repr__(self) -> str:
        return (
            f"torch.return_types.frexp(\nmantissa={self.mantissa!r},\nexponent={self.exponent!r})"
        )


@op(
    input=lambda K, g, exponent: K.ldexp(g, K.neg(exponent)),
    forward=lambda K, input: K.frexp(input),
    extras=("exponent",),
    node="FrexpBackward0",
    method=False,
)
def _frexp(input: Tensor) -> Any:
    """The mantissas, and the exponents."""


@composed()
def frexp(input: Tensor) -> frexp_result:
    """Mantissa and exponent of each element: ``input = mantissa * 2 ** exponent``.

    Raises:
        RuntimeError: for integers.
    """
    if not input.is_floating_point():
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    return frexp_result(*_frexp(input))


# ---- Logarithms ----


@op(input=lambda K, g, input: K.div(g, input), inplace=True)
def log(input: Tensor) -> Tensor:
    """Elementwise natural logarithm."""


@op(input=lambda K, g, input: K.div(g, K.mul(input, math.log(2))), inplace=True)
def log2(input: Tensor) -> Tensor:
    """Elementwise logarithm of base 2."""


@op(input=lambda K, g, input: K.div(g, K.mul(input, math.log(10))), inplace=True)
def log10(input: Tensor) -> Tensor:
    """Elementwise logarithm of base 10."""


@op(input=lambda K, g, input: K.div(g, K.add(input, 1)), node="Log1PBackward0", inplace=True)
def log1p(input: Tensor) -> Tensor:
    """Elementwise ``log(1 + input)``, exact near 0."""


def _unless_flat(K: Any, input: Any, other: Any, edge: int, slope: Any) -> Any:
    """The slope, but 0 where 0 times the logarithm of a number that has none was 0."""
    outside = K.le(other, edge) if hasattr(other, "shape") else other <= edge
    return K.where(K.bitwise_and(K.eq(input, 0), outside), 0.0, slope)


@op(
    input=lambda K, g, input, other: _unless_flat(K, input, other, 0, K.xlogy(g, other)),
    other=lambda K, g, input, other: K.div(K.mul(g, input), other),
    inplace=True,
)
def xlogy(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise ``input * log(other)``, 0 where ``input`` is, unless ``other`` is NaN."""


@op(
    input=lambda K, g, input, other: _unless_flat(K, input, other, -1, K.special_xlog1py(g, other)),
    other=lambda K, g, input, other: K.div(K.mul(g, input), K.add(other, 1)),
    node="SpecialXlog1PyBackward0",
    method=False,
)
def special_xlog1py(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise ``input * log1p(other)``, 0 where ``input`` is, unless ``other`` is NaN."""


@op(
    input=lambda K, g, input, other: K.mul(g, K.sigmoid(K.sub(input, other))),
    other=lambda K, g, input, other: K.mul(g, K.sigmoid(K.sub(other, input))),
)
def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """Elementwise ``log(exp(input) + exp(other))`` of floats, without overflow."""


def _binary_sigmoid(K: Any, input: Any, other: Any) -> Any:
    """``1 / (1 + 2 ** (other - input))``."""
    return K.sigmoid(K.mul(K.sub(input, other), math.log(2)))


@op(
    input=lambda K, g, input, other: K.mul(g, _binary_sigmoid(K, input, other)),
    other=lambda K, g, input, other: K.mul(g, _binary_sigmoid(K, other, input)),
)
def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """Elementwise ``log2(2 ** input + 2 ** other)`` of floats, without overflow."""


def _logit(K: Any, input: Any, eps: float | None) -> Any:
    return K.logit(input if eps is None else K.clamp(input, eps, 1 - eps))


def _logit_gradient(K: Any, g: Any, input: Any, eps: float | None) -> Any:
    low = eps or 0.0
    outside = K.logical_or(K.lt(input, low), K.gt(input, 1 - low))
    # A positive 0 for -0.0, so that the slope there is infinity.
    slope = K.div(g, K.mul(K.add(input, 0), K.sub(1, input)))
    return K.where(outside, math.nan if eps is None else 0.0, slope)


@op(input=_logit_gradient, forward=_logit, inplace=True)
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """Elementwise ``log(input / (1 - input))``.

    Args:
        input: probabilities; outside of [0, 1] the result is NaN, unless `eps` is given.
        eps: restricts the input to ``[eps, 1 - eps]``, beyond which the derivative is 0.
    """


# ---- Roots ----


@op(input=lambda K, g, out: K.div(g, K.mul(out, 2)), inplace=True)
def sqrt(input: Tensor) -> Tensor:
    """Elementwise square root; the derivative at 0 is infinite."""


@op(input=lambda K, g, out: K.mul(g, K.mul(K.mul(K.square(out), out), -0.5)), inplace=True)
def rsqrt(input: Tensor) -> Tensor:
    """Elementwise ``1 / sqrt(input)``."""
