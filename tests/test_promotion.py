"""Types of results: PyTorch's for every pair of types, ranks and numbers, and in place."""

from __future__ import annotations

import operator
from typing import Any

import pytest
from helpers import DTYPES, both, same

import rushlight

BINARY = {
    "add": operator.add,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "pow": operator.pow,
    "lt": operator.lt,
    "floordiv": operator.floordiv,
}
KINDS = [(dtype, shape) for dtype in DTYPES for shape in ((2,), ())]
NUMBERS = (True, 2, 2.5)
# PyTorch has no power of bools, but some of these exponents.
EXCEPT = {("bool", "pow", True)}


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("left", KINDS, ids=str)
def test_promotion(left: Any, name: str, torch: Any) -> None:
    """Every pair of types, with dimensions or 0-dim, and with Python's numbers on both sides."""

    def operand(t: Any, kind: Any) -> Any:
        return t.ones(kind[1], dtype=getattr(t, kind[0])) if isinstance(kind, tuple) else kind

    for right in (*KINDS, *NUMBERS):
        if (left[0], name, right) in EXCEPT:
            continue
        both(torch, lambda t, r=right: BINARY[name](operand(t, left), operand(t, r)))
        both(torch, lambda t, r=right: BINARY[name](operand(t, r), operand(t, left)))


@pytest.mark.parametrize("name", ["sub", "neg", "invert", "and", "mod"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_operators_that_not_all_types_have(dtype: str, name: str, torch: Any) -> None:
    calls = {
        "sub": lambda x: x - x,
        "neg": lambda x: -x,
        "invert": lambda x: ~x,
        "and": lambda x: x & x,
        "mod": lambda x: x % 2,
    }
    if (dtype, name) == ("bool", "mod"):
        return  # PyTorch computes it in int64
    call = calls[name]
    ones = {t: t.ones(2, dtype=getattr(t, dtype)) for t in (torch, rushlight)}
    try:
        theirs = call(ones[torch])
    except (RuntimeError, TypeError):
        with pytest.raises((RuntimeError, TypeError)):
            call(ones[rushlight])
    else:
        same(call(ones[rushlight]), theirs)


def test_promotion_table() -> None:
    """The rules, as they hold without PyTorch."""
    r = rushlight
    f32, f64, i64, u8 = r.ones(1), r.ones(1).double(), r.ones(1).long(), r.ones(1).byte()
    assert (f32 + f64).dtype is r.float64
    assert (f32 + f64.sum()).dtype is r.float32  # a 0-dim tensor gives way within its category
    assert (i64 + f32.sum()).dtype is r.float32
    assert (i64 + 1.5).dtype is r.float32 and (u8 + 1).dtype is r.uint8
    assert (u8 + i64).dtype is r.int64 and (u8 + True).dtype is r.uint8
    assert (r.ones(1).bool() + r.ones(1).bool()).dtype is r.bool
    assert (i64 / i64).dtype is r.float32 and (i64 // i64).dtype is r.int64


IN_PLACE: dict[str, Any] = {
    "int += float": lambda t: t.tensor([1]).add_(1.5),
    "int += int": lambda t: t.tensor([1], dtype=t.int32).add_(t.tensor([2])),
    "int /= int": lambda t: t.tensor([4]).div_(2),
    "bool += int": lambda t: t.tensor([True]).add_(1),
    "float *= int": lambda t: t.tensor([1.5]).mul_(2),
    "float += double": lambda t: t.tensor([1.5]).add_(t.tensor([1.0], dtype=t.float64)),
    "larger operand": lambda t: t.ones(2).add_(t.ones(3, 2)),
    "smaller operand": lambda t: t.ones(3, 2).add_(t.ones(2)),
    "larger power": lambda t: t.ones(2).pow_(t.ones(3, 2)),
    "expanded": lambda t: t.ones(1).expand(3).add_(1),
    "expanded items": lambda t: t.ones(1).expand(3).__setitem__(slice(0, 2), 1),
    "copy_": lambda t: t.ones(2, 3).copy_(t.arange(3)),
    "copy_ of another type": lambda t: t.ones(2, dtype=t.int64).copy_(t.tensor([1.7, -2.5])),
    "copy_ of a larger": lambda t: t.ones(2).copy_(t.ones(3, 2)),
    "zero_": lambda t: t.ones(2, 2).zero_(),
    "fill_": lambda t: t.ones(2).fill_(3),
    "fill_ of a tensor": lambda t: t.ones(2).fill_(t.tensor(3)),
    "clamp_": lambda t: t.arange(5).clamp_(1, 3),
}


@pytest.mark.parametrize("call", IN_PLACE.values(), ids=IN_PLACE)
def test_in_place(call: Any, torch: Any) -> None:
    both(torch, call)


def test_operands_that_overlap_their_destination() -> None:
    """Refused where both are dense, as in PyTorch; else as if they had been copied first."""
    x = rushlight.arange(6)
    y = rushlight.arange(4).view(2, 2)
    for change in (
        lambda: x[1:].add_(x[:-1]),
        lambda: y.add_(y.t()),
        lambda: y.t().copy_(y),
    ):
        with pytest.raises(RuntimeError, match=r"^unsupported operation: some elements of the inp"):
            change()
    x[0:4:2].add_(x[2:6:2])
    assert x.tolist() == [2, 1, 6, 3, 4, 5]
    y.add_(y)
    assert y.tolist() == [[0, 2], [4, 6]]
