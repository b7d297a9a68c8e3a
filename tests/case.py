"""What a row of op_cases.py is, and the domains its values come from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np

Shape = tuple[int, ...]
Domain = Callable[[np.random.Generator, Shape], np.ndarray]

FLOATS = ("float32", "float64")
INTEGERS = ("uint8", "int32", "int64")
NUMERIC = (*INTEGERS, *FLOATS)
ALL = ("bool", *NUMERIC)
BITS = ("bool", *INTEGERS)


# ---- Domains ----


def uniform(low: float, high: float) -> Domain:
    """Numbers between two bounds."""
    return lambda rng, shape: rng.uniform(low, high, shape)


def signed(low: float, high: float) -> Domain:
    """Numbers of either sign whose size is between two bounds: 0 and its kinks stay far."""
    return lambda rng, shape: rng.uniform(low, high, shape) * rng.choice([-1.0, 1.0], shape)


def off_integers(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Numbers away from the halves and the integers, where rounding jumps."""
    return rng.integers(-3, 4, shape) + signed(0.1, 0.4)(rng, shape)


def distinct(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Numbers no two of which are close, so that an extreme has no rival."""
    count = math.prod(shape)
    return (rng.permutation(count).reshape(shape) - count / 2 + 0.25) * (4 / max(count, 1))


def condition(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Bools."""
    return rng.integers(0, 2, shape).astype(bool)


@dataclass(frozen=True)
class Case:
    """How one op is called, and what it must give.

    Attributes:
        op: the name in rushlight.ops.
        reference: the same over NumPy arrays: floats as float64, integers as int64.
        run: ``run(ops, *tensors)``.
        oracle: ``oracle(torch, *tensors)``; None: PyTorch has no such function.
        shapes: of the tensors, one tuple for each call.
        domains: of the values of each tensor.
        dtypes: the types the op takes.
        integers: range of the values of integer tensors.
        result: 'same', 'float' (integers give float32), 'bool', 'int64', 'sum' (int64 unless
            floating), or 'truth' (bool, but uint8 for uint8).
        smooth: whether finite differences make sense.
        label: tells the cases of one op apart.
        fixed: positions of the tensors that keep the type their domain gives.
        points: further values to try: inf, nan and the like.
    """

    op: str
    reference: Callable[..., Any]
    run: Callable[..., Any]
    oracle: Callable[..., Any] | None
    shapes: Sequence[tuple[Shape, ...]]
    domains: tuple[Domain, ...]
    dtypes: tuple[str, ...] = FLOATS
    integers: tuple[int, int] = (-9, 10)
    result: str = "same"
    smooth: bool = True
    label: str = ""
    fixed: tuple[int, ...] = ()
    points: tuple[float, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.op}({self.label})" if self.label else self.op


CASES: list[Case] = []


def call(path: str, kwargs: dict[str, Any], module: Any, *tensors: Any) -> Any:
    """Calls the function at `path` under a module."""
    return attrgetter(path)(module)(*tensors, **kwargs)


def case(
    op: str,
    reference: Callable[..., Any],
    shapes: Sequence[tuple[Shape, ...]],
    *domains: Domain,
    run: Callable[..., Any] | None = None,
    torch: str | Callable[..., Any] | None = "",
    kwargs: dict[str, Any] | None = None,
    **options: Any,
) -> None:
    """Adds a row; by default both libraries have a function of the op's name."""
    kwargs = kwargs or {}
    count = len(shapes[0])
    if torch is None:
        oracle = None
    elif callable(torch):
        oracle = torch
    elif run is not None and not torch:
        oracle = run
    else:
        oracle = partial(call, torch or op, kwargs)
    given = domains or (signed(0.1, 2.0),)
    options.setdefault("label", ", ".join(f"{k}={v}" for k, v in kwargs.items()))
    CASES.append(
        Case(
            op,
            reference,
            run or partial(call, op, kwargs),
            oracle,
            shapes,
            given * count if len(given) == 1 else given,
            **options,
        )
    )


def by_element(function: Callable[..., float]) -> Callable[..., np.ndarray]:
    """A function of numbers, applied to each element."""
    return np.vectorize(function, otypes=[np.float64])


# ---- Pointwise ops ----

# Pointwise ops broadcast; the layouts of test_ops.py come on top.
SHAPES_1 = (((3, 4),), ((),), ((0,),), ((2, 0, 3),), ((40, 7),))
SHAPES_2 = (
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((3, 1), (2, 1, 4)),
    ((), (5,)),
    ((), ()),
    ((0, 2), (1, 2)),
)
SHAPES_3 = (((3, 4), (3, 4), (3, 4)), ((3, 1), (4,), (2, 1, 1)), ((), (2,), ()), ((0,), (1,), (0,)))


# Zeros, infinities, nan, and numbers whose squares leave a type's range. PyTorch's remainder of
# larger quotients than these overflows.
FINITE = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e-5, -3e30, 100.0, -100.0)
POINTS = (*FINITE, math.inf, -math.inf, math.nan)


def unary(op: str, reference: Callable[..., Any], *domains: Domain, **options: Any) -> None:
    """A pointwise op of one tensor."""
    options.setdefault("points", POINTS)
    case(op, reference, SHAPES_1, *domains, **options)


def binary(op: str, reference: Callable[..., Any], *domains: Domain, **options: Any) -> None:
    """A pointwise op of two tensors."""
    case(op, reference, SHAPES_2, *domains, points=POINTS, **options)
