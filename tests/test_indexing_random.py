"""Random indices, read and written, by the rules of PyTorch: values, gradients, refusals.

A seeded generator draws most of them, since it is quick; hypothesis draws some more and shrinks
what it finds.
"""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rushlight

COUNT = 5000  # of the seeded examples; both libraries read and write in each
SIZES = (0, 1, 2, 3, 4)
WRONG = (1.5, "a", object(), np.bool_(True), 10**30, b"a", {}, 1j)


# ---- An index without tensors: a tree that both libraries build theirs from ----


def draw_index(rng: random.Random, shape: tuple[int, ...]) -> Any:
    """A tuple, a list or a single item; now and then one that does not fit."""
    kind = rng.random()
    if kind < 0.2:
        return draw_item(rng, shape[0] if shape else 1, shape)
    items: list[Any] = []
    dim = 0
    for _ in range(rng.randint(0, len(shape) + 1)):
        rest = shape[dim:]
        item = draw_item(rng, rest[0] if rest else rng.choice(SIZES), rest)
        items.append(item)
        dim += 1
    if rng.random() < 0.25:
        items.insert(rng.randint(0, len(items)), ("ellipsis",))
        if rng.random() < 0.1:
            items.append(("ellipsis",))
    return ("list" if kind > 0.95 else "tuple", *items)


def draw_item(rng: random.Random, size: int, rest: tuple[int, ...]) -> Any:
    """One item, for a dimension of `size`."""
    kind = rng.random()
    if kind < 0.25:
        return (
            "int",
            place(rng, size),
            rng.choice(["python"] * 3 + ["scalar", "tensor", "int32"]),
        )
    if kind < 0.5:
        start, stop = (rng.choice([None, rng.randint(-size - 2, size + 2)]) for _ in "ab")
        odd = rng.random() < 0.2
        return ("slice", start, stop, rng.choice([1, 2, 3, 0, -1] if odd else [None, 1, 2]))
    if kind < 0.58:
        return ("none",)
    if kind < 0.63:
        return ("bool", rng.random() < 0.6, rng.choice(["python", "tensor", "uint8", "numpy"]))
    if kind < 0.85:
        shape = rng.choice([(1,), (2,), (2,), (3,), (2, 1), (1, 2), (2, 2), (0,), (2, 0)])
        count = int(np.prod(shape))
        values = np.array([place(rng, size) for _ in range(count)], np.int64).reshape(shape)
        return ("array", values, rng.choice(["tensor", "int32", "list", "numpy", "range"]))
    if kind < 0.97:
        ndim = rng.choice([1, 1, min(2, len(rest)), len(rest)])
        shape = tuple(rest[: max(ndim, 1)]) or (size,)
        if rng.random() < 0.05:
            shape = (*shape[:-1], shape[-1] + 1)
        values = np.array([rng.random() < 0.5 for _ in range(int(np.prod(shape)))], bool)
        # PyTorch takes other forms of several dimensions for one, so that what follows is off.
        forms = ["tensor", "tensor", "uint8", *(["list", "numpy"] if len(shape) == 1 else [])]
        return ("mask", values.reshape(shape), rng.choice(forms))
    return ("wrong", rng.randrange(len(WRONG)))


def place(rng: random.Random, size: int) -> int:
    """Mostly inside."""
    if size == 0 or rng.random() < 0.01:
        return rng.choice([0, size, -size - 1])
    return rng.randrange(-size, size)


BUILD: dict[str, Any] = {
    "tuple": lambda t, *items: tuple(build(t, item) for item in items),
    "list": lambda t, *items: [build(t, item) for item in items],
    "ellipsis": lambda t: ...,
    "none": lambda t: None,
    "slice": lambda t, *bounds: slice(*bounds),
    "wrong": lambda t, number: WRONG[number],
    "int": lambda t, value, form: FORMS[form](t, np.array(value)),
    "bool": lambda t, value, form: FORMS[form](t, np.array(value)),
    "array": lambda t, value, form: FORMS[form](t, value),
    "mask": lambda t, value, form: FORMS[form](t, value),
}
FORMS: dict[str, Any] = {
    "python": lambda t, value: value.item(),
    "scalar": lambda t, value: value[()],
    "numpy": lambda t, value: value.copy(),
    "list": lambda t, value: value.tolist(),
    "range": lambda t, value: range(value.size),
    "tensor": lambda t, value: t.tensor(value),
    "int32": lambda t, value: t.tensor(value).to(t.int32),
    "uint8": lambda t, value: t.tensor(value.astype(np.uint8)),
}


def build(t: Any, index: Any) -> Any:
    """The index as one library takes it."""
    kind, *rest = index
    return BUILD[kind](t, *rest)


# ---- Both libraries ----


def outcome(call: Any) -> Any:
    """A result, or the type of the exception."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call()
        except Exception as error:
            return error


def read(t: Any, array: Any, index: Any) -> tuple[Any, ...]:
    """Values, and the gradient of a weighted sum."""
    x = t.tensor(array, requires_grad=True)
    y = x[build(t, index)]
    weights = t.arange(1.0, y.numel() + 1, dtype=t.float64).reshape(y.shape)
    (y * y * weights).sum().backward()
    return y.detach().numpy(), x.grad.numpy()


def write(t: Any, array: Any, index: Any, value: Any, dtype: str) -> tuple[Any, ...]:
    """What is there afterwards, and the gradients of both sides."""
    x = t.tensor(array, requires_grad=True)
    y = x * 1
    if isinstance(value, np.ndarray):
        v = t.tensor(value).to(getattr(t, "float64" if dtype == "no grad" else dtype))
        if dtype == "float64":
            v.requires_grad_()
        y[build(t, index)] = v
    else:
        v = None
        y[build(t, index)] = value
    (y * y * t.arange(1.0, y.numel() + 1, dtype=t.float64).reshape(y.shape)).sum().backward()
    grads = [g for g in (x.grad, v.grad if v is not None else None) if g is not None]
    return (y.detach().numpy(), *(g.numpy() for g in grads))


def compare(torch: Any, what: Any, call: Any) -> bool:
    """Whether both libraries gave a result; their outcomes must agree."""
    theirs, mine = outcome(lambda: call(torch)), outcome(lambda: call(rushlight))
    if "masked_fill_" in str(theirs):
        return False  # PyTorch writes one number through a uint8 mask so, and refuses it then
    if isinstance(theirs, Exception):
        assert type(mine) is type(theirs), (what, mine, theirs)
        return False
    assert not isinstance(mine, Exception), (what, mine)
    for m, x in zip(mine, theirs, strict=True):
        assert m.shape == x.shape, (what, m.shape, x.shape)
        np.testing.assert_allclose(m, x, rtol=1e-14, err_msg=str(what))
    return True


def repeats(index: Any) -> bool:
    """Whether several values may be written to one place, so that any of them may stay."""
    if not isinstance(index, tuple):
        return False
    return index[0] == "array" or any(map(repeats, index[1:]))


def draw_value(rng: random.Random, torch: Any, array: Any, index: Any) -> tuple[Any, str]:
    """A number, or values of a shape that mostly fits what the index finds."""
    found = outcome(lambda: torch.tensor(array)[build(torch, index)])
    shape: Any = () if isinstance(found, Exception) else tuple(found.shape)
    if rng.random() < 0.3:
        return rng.choice([2, 2.5, True, -1]), ""
    kind = rng.random()
    if kind < 0.3:
        shape = shape[rng.randint(0, len(shape)) :]
    elif kind < 0.5:
        shape = tuple(n if rng.random() < 0.5 else 1 for n in shape)
    elif kind < 0.6:
        shape = (1, *shape)
    elif kind < 0.65:
        shape = (*shape, 2)
    constant = repeats(index)
    size = int(np.prod(shape))
    values = np.full(size, 5.0) if constant else np.arange(10.0, 10 + size)
    return values.reshape(shape), rng.choice(["float64"] * 8 + ["float32", "int64"])


def example(torch: Any, rng: random.Random) -> tuple[bool, bool]:
    shape = tuple(rng.choice(SIZES) for _ in range(rng.randint(0, 4)))
    array = np.arange(1.0, int(np.prod(shape)) + 1).reshape(shape)
    index = draw_index(rng, shape)
    was_read = compare(torch, (shape, index), lambda t: read(t, array, index))
    value, dtype = draw_value(rng, torch, array, index)
    what = (shape, index, getattr(value, "shape", value), dtype)
    if repeats(index) and isinstance(value, np.ndarray):
        dtype = "no grad" if dtype == "float64" else dtype  # any of several values may win
    return was_read, compare(torch, what, lambda t: write(t, array, index, value, dtype))


def test_seeded(torch: Any) -> None:
    rng = random.Random(0)
    counts = np.zeros(2, int)
    for _ in range(COUNT):
        counts += example(torch, rng)
    assert (counts > COUNT // 3).all(), counts


@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(st.randoms(use_true_random=False))
def test_drawn(torch: Any, rng: random.Random) -> None:
    example(torch, rng)


def test_wrong_items_are_refused(torch: Any) -> None:
    for value in WRONG:
        theirs = outcome(lambda v=value: torch.ones(2, 2)[v])
        with pytest.raises(type(theirs)):
            rushlight.ones(2, 2)[value]
