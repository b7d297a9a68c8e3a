"""Choice between values, elementwise: extremes, bounds, conditions, signs.

Gradients at ties are PyTorch's: equal shares for ``maximum`` and ``minimum``, all to the first for
``fmax`` and ``fmin``, 1 at the bounds of ``clamp``.
"""

from __future__ import annotations

from typing import Any

from rushlight import dtypes
from rushlight.ops._derivatives import undefined, zero
from rushlight.ops._registry import composed, op
from rushlight.tensor import Tensor

Number = int | float | bool

# ---- Extremes ----


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


def _first_wins(K: Any, ahead: Any, other: Any) -> Any:
    return K.logical_or(ahead, K.isnan(other))


@op(
    input=lambda K, g, input, other: K.where(_first_wins(K, K.ge(input, other), other), g, 0.0),
    other=lambda K, g, input, other: K.where(_first_wins(K, K.ge(input, other), other), 0.0, g),
)
def fmax(input: Tensor, other: Tensor) -> Tensor:
    """Elementwise maximum; a number wins over NaN. Of equal numbers the first gets the gradient."""


@op(
    input=lambda K, g, input, other: K.where(_first_wins(K, K.le(input, other), other), g, 0.0),
    other=lambda K, g, input, other: K.where(_first_wins(K, K.le(input, other), other), 0.0, g),
)
def fmin(input: Tensor, other: Tensor) -> Tensor:
    """Elementwise minimum; a number wins over NaN. Of equal numbers the first gets the gradient."""


# ---- Bounds ----


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


def _below(K: Any, input: Any, min: Any, max: Any) -> Any:
    """Where a bound below decides: not where the bound above is lower still."""
    low = K.lt(input, min)
    return low if max is None else K.logical_and(low, K.lt(min, max))


def _above(K: Any, input: Any, min: Any, max: Any) -> Any:
    high = K.gt(input, max)
    return high if min is None else K.logical_or(high, K.lt(max, min))


@op(
    input=lambda K, g, input, min, max: K.where(_inside(K, input, min, max), g, 0.0),
    min=lambda K, g, input, min, max: K.where(_below(K, input, min, max), g, 0.0),
    max=lambda K, g, input, min, max: K.where(_above(K, input, min, max), g, 0.0),
    forward=_clamp,
    inplace=True,
)
def clamp(
    input: Tensor, min: Tensor | Number | None = None, max: Tensor | Number | None = None
) -> Tensor:
    """Elementwise restriction to ``[min, max]``; the derivative at a bound is 1."""


@op(
    input=lambda K, g, input, min: K.where(K.ge(input, min), g, 0.0),
    min=lambda K, g, input, min: K.where(K.lt(input, min), g, 0.0),
    forward=lambda K, input, min: K.maximum(input, min),
    inplace=True,
)
def clamp_min(input: Tensor, min: Tensor | Number) -> Tensor:
    """Elementwise restriction to numbers from `min` on; the derivative at the bound is 1."""


@op(
    input=lambda K, g, input, max: K.where(K.le(input, max), g, 0.0),
    max=lambda K, g, input, max: K.where(K.gt(input, max), g, 0.0),
    forward=lambda K, input, max: K.minimum(input, max),
    inplace=True,
)
def clamp_max(input: Tensor, max: Tensor | Number) -> Tensor:
    """Elementwise restriction to numbers up to `max`; the derivative at the bound is 1."""


def _nan_to_num(
    K: Any, input: Any, nan: Number | None, posinf: Number | None, neginf: Number | None
) -> Any:
    if input.dtype.kind in "iub":
        return K.copy(input)
    limits = dtypes.finfo(dtypes.of_numpy(input.dtype))
    return K.nan_to_num(
        input,
        0.0 if nan is None else float(nan),
        limits.max if posinf is None else float(posinf),
        limits.min if neginf is None else float(neginf),
    )


@op(
    input=lambda K, g, input: K.mul(g, K.isfinite(input)),
    forward=_nan_to_num,
    inplace=True,
)
def nan_to_num(
    input: Tensor,
    nan: Number | None = None,
    posinf: Number | None = None,
    neginf: Number | None = None,
) -> Tensor:
    """Each element, or where it is not finite a number instead, whose derivative is 0.

    Args:
        input: floats; integers stay as they are.
        nan: instead of NaN, 0 by default.
        posinf: instead of infinity, by default the largest number of the type.
        neginf: instead of minus infinity, by default the least number of the type.
    """


# ---- Conditions ----


@op(
    condition=None,
    input=lambda K, g, condition: K.where(condition, g, 0.0),
    other=lambda K, g, condition: K.where(condition, 0.0, g),
    forward=lambda K, condition, input, other: K.where(condition, input, other),
    node="WhereBackward0",
    method=False,
)
def _where(condition: Tensor, input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Elementwise ``input`` where `condition` (bool) holds, else ``other``."""


@composed(method=False)
def where(
    condition: Tensor, input: Tensor | Number | None = None, other: Tensor | Number | None = None
) -> Tensor:
    """Elementwise ``input`` where `condition` (bool or uint8) holds, else ``other``.

    With the condition alone: where it holds, as ``condition.nonzero(as_tuple=True)``.
    """
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    if condition._array.dtype.kind == "u":
        condition = condition.to(dtypes.bool)
    return _where(condition, input, other)  # type: ignore[arg-type]


@composed(name="where")
def _where_method(self: Tensor, condition: Tensor, other: Tensor | Number) -> Tensor:
    """This tensor where `condition` holds, else ``other``."""
    return where(condition, self, other)


def _heaviside(K: Any, input: Any, values: Any) -> Any:
    if input.dtype != values.dtype:
        raise RuntimeError(
            "heaviside is not yet implemented for tensors with different dtypes. "
            f"Got {input.dtype} and {values.dtype}."
        )
    return K.heaviside(input, values)


@op(
    input=undefined("heaviside"),
    values=undefined("heaviside"),
    forward=_heaviside,
    node="NotImplemented",
    inplace=True,
)
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """Elementwise step: 0 below 0, `values` at 0, 1 above. PyTorch gives it no derivative."""


# ---- Signs and neighbours ----


@op(
    input=lambda K, g, input, out: K.mul(g, K.where(K.eq(input, 0), 0.0, K.div(out, input))),
    other=zero,
    inplace=True,
)
def copysign(input: Tensor, other: Tensor | Number) -> Tensor:
    """Elementwise size of ``input`` with the sign of ``other``; the derivative at 0 is 0."""


@op(
    input=lambda K, g, input, other: K.where(K.eq(input, other), 0.0, g),
    other=zero,
    inplace=True,
)
def nextafter(input: Tensor, other: Tensor) -> Tensor:
    """The next number of the type after each element, towards ``other``; 1 is its derivative."""
