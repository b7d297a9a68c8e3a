"""Comparison, logic and bits, elementwise and as a whole."""

from __future__ import annotations

from rushlight.backend import kernels_of
from rushlight.ops._registry import composed, op
from rushlight.tensor import Tensor

Number = int | float | bool


@op(input=None, other=None, operator="eq")
def eq(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise ``input == other``, of type bool."""


@op(input=None, other=None, operator="ne")
def ne(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise ``input != other``, of type bool."""


@op(input=None, other=None, operator="lt")
def lt(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise ``input < other``, of type bool."""


@op(input=None, other=None, operator="le")
def le(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise ``input <= other``, of type bool."""


@op(input=None, other=None, operator="gt")
def gt(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise ``input > other``, of type bool."""


@op(input=None, other=None, operator="ge")
def ge(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise ``input >= other``, of type bool."""


@op(input=None, other=None)
def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """Elementwise conjunction of ``!= 0``, of type bool."""


@op(input=None, other=None)
def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """Elementwise disjunction of ``!= 0``, of type bool."""


@op(input=None, other=None)
def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """Elementwise exclusive disjunction of ``!= 0``, of type bool."""


@op(input=None)
def logical_not(input: Tensor) -> Tensor:
    """Elementwise ``input == 0``, of type bool."""


@op(input=None)
def isnan(input: Tensor) -> Tensor:
    """Whether each element is NaN."""


@op(input=None)
def isfinite(input: Tensor) -> Tensor:
    """Whether each element is neither infinite nor NaN."""


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


# ---- Whole tensors ----


@composed()
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape and the same elements; NaN equals nothing."""
    if input.shape != other.shape:
        return False
    x, y = input._array, other._array
    return bool(kernels_of(x, y).all(kernels_of(x, y).eq(x, y)))


@composed()
def isclose(
    input: Tensor,
    other: Tensor,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> Tensor:
    """Elementwise ``|input - other| <= atol + rtol * |other|``; infinities equal themselves.

    Raises:
        RuntimeError: for different dtypes, and for a negative tolerance.
    """
    if input.dtype is not other.dtype:
        raise RuntimeError(f"{input.dtype} did not match {other.dtype}")
    for name, value in (("rtol", rtol), ("atol", atol)):
        if value < 0:
            raise RuntimeError(f"{name} must be greater than or equal to zero, but got {value}")
    x, y = input.detach(), other.detach()
    close = eq(x, y)
    if equal_nan and x.is_floating_point():
        close = close | (isnan(x) & isnan(y))
    distance = (x - y).abs() if x.dtype.name != "bool" else x ^ y
    bound = (y * rtol).abs() + atol
    return close | (isfinite(distance) & le(distance, bound))


@composed()
def allclose(
    input: Tensor,
    other: Tensor,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> bool:
    """Whether `isclose` holds everywhere."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all())
