"""Comparison and logic, elementwise and as a whole."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from rushlight.backend import kernels_of
from rushlight.ops._registry import composed, op
from rushlight.tensor import Tensor

Number = int | float | bool
BOOL = np.dtype(np.bool_)


@op(input=None, other=None, operator="eq")
def eq(input: Tensor, other: Tensor | Number) -> Tensor:
    """Elementwise ``input == other``, of type bool."""


@op(input=None, other=None, operator="ne")
def ne(input: Tensor, other: Tensor | Number) -> Tensor:
    """Elementwise ``input != other``, of type bool."""


@op(input=None, other=None, operator="lt")
def lt(input: Tensor, other: Tensor | Number) -> Tensor:
    """Elementwise ``input < other``, of type bool."""


@op(input=None, other=None, operator="le")
def le(input: Tensor, other: Tensor | Number) -> Tensor:
    """Elementwise ``input <= other``, of type bool."""


@op(input=None, other=None, operator="gt")
def gt(input: Tensor, other: Tensor | Number) -> Tensor:
    """Elementwise ``input > other``, of type bool."""


@op(input=None, other=None, operator="ge")
def ge(input: Tensor, other: Tensor | Number) -> Tensor:
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


@op(input=None)
def isinf(input: Tensor) -> Tensor:
    """Whether each element is infinite."""


@op(input=None, forward=lambda K, input: K.eq(input, math.inf))
def isposinf(input: Tensor) -> Tensor:
    """Whether each element is infinity."""


@op(input=None, forward=lambda K, input: K.eq(input, -math.inf))
def isneginf(input: Tensor) -> Tensor:
    """Whether each element is minus infinity."""


@op(input=None, forward=lambda K, input: K.full(input.shape, True, BOOL))
def isreal(input: Tensor) -> Tensor:
    """True everywhere: there are no complex tensors."""


# ---- In place ----


def _in_place(name: str) -> Callable[..., Tensor]:
    """The form that writes 0 and 1 into its tensor; the derivative is 0."""

    def replace(input: Tensor, *other: Tensor | Number) -> Tensor:
        return input.copy_(getattr(input, name)(*other))

    replace.__name__ = name + "_"
    return replace


for _name in (
    *("eq", "ne", "lt", "le", "gt", "ge"),
    *("logical_and", "logical_not", "logical_or", "logical_xor"),
):
    setattr(Tensor, _name + "_", _in_place(_name))


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
