"""Reading and writing by index: values, views, gradients, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import both

import rushlight

INDICES: dict[str, Any] = {
    "int": lambda t: 1,
    "negative": lambda t: -1,
    "slice": lambda t: slice(1, None),
    "step": lambda t: slice(None, None, 2),
    "beyond": lambda t: slice(1, 100),
    "backwards": lambda t: slice(2, 1),
    "ellipsis": lambda t: (..., 0),
    "middle ellipsis": lambda t: (0, ..., slice(0, 2)),
    "none": lambda t: None,
    "several nones": lambda t: (None, 1, None, ..., None),
    "all ints": lambda t: (1, 2, 3),
    "empty tuple": lambda t: (),
    "0-dim": lambda t: t.tensor(1),
    "0-dim among others": lambda t: (slice(None), t.tensor(2), 0),
    "list": lambda t: [1, 0, 1],
    "array": lambda t: np.array([0, 1]),
    "tensor": lambda t: t.tensor([1, 1, 0]),
    "negative tensor": lambda t: t.tensor([-1, 0]),
    "int32 tensor": lambda t: t.tensor([1, 0], dtype=t.int32),
    "matrix": lambda t: t.tensor([[0, 1], [1, 1]]),
    "two tensors": lambda t: (t.tensor([0, 1]), t.tensor([2, 0])),
    "broadcast tensors": lambda t: (t.tensor([[0], [1]]), t.tensor([2, 0])),
    "tensors apart": lambda t: (t.tensor([0, 1]), slice(None), t.tensor([2, 0])),
    "tensor and slice": lambda t: (slice(None), t.tensor([2, 0]), slice(1, 3)),
    "tensor and int": lambda t: (1, t.tensor([2, 0])),
    "tensor and none": lambda t: (None, t.tensor([1]), slice(None), None),
    "lists": lambda t: ([0, 1], [1, 2]),
    "empty list": lambda t: [],
    "empty tensor": lambda t: t.tensor([], dtype=t.int64),
    "mask": lambda t: t.arange(24).view(2, 3, 4) % 5 == 0,
    "mask of rows": lambda t: t.tensor([False, True]),
    "mask of columns": lambda t: (slice(None), t.tensor([True, False, True])),
    "mask of planes": lambda t: t.arange(6).view(2, 3) > 2,
    "mask and int": lambda t: (t.tensor([True, True]), 0),
    "list of bools": lambda t: [True, False],
    "True": lambda t: True,
    "False": lambda t: False,
    "out of range": lambda t: 2,
    "out of range below": lambda t: (0, -4),
    "out of range in a tensor": lambda t: t.tensor([5]),
    "too many": lambda t: (0, 0, 0, 0),
    "float": lambda t: 1.0,
    "float tensor": lambda t: t.tensor([1.0]),
    "string": lambda t: "a",
    "negative step": lambda t: slice(None, None, -1),
    "zero step": lambda t: slice(None, None, 0),
    "wrong mask": lambda t: t.tensor([True, False, True]),
    "shapes that do not broadcast": lambda t: (t.tensor([0, 1]), t.tensor([0, 1, 2])),
}
each_index = pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)


@each_index
def test_reading(index: Any, torch: Any) -> None:
    both(torch, lambda t: t.arange(24).view(2, 3, 4)[index(t)])


@each_index
def test_writing(index: Any, torch: Any) -> None:
    """Numbers, tensors that broadcast, and gradients of both."""

    def write(t: Any, value: Any) -> Any:
        x = t.arange(24).view(2, 3, 4).float()
        x[index(t)] = value
        return x

    both(torch, lambda t: write(t, -1))
    both(torch, lambda t: write(t, t.tensor(-2.0)))


@each_index
def test_gradients_of_reading_and_writing(index: Any, torch: Any) -> None:
    results = []
    for t in (rushlight, torch):
        x = t.ones(2, 3, 4, requires_grad=True)
        v = t.ones((), requires_grad=True)
        try:
            y = x[index(t)]
            z = x * 2
            z[index(t)] = v
        except (IndexError, TypeError, ValueError, RuntimeError):
            return  # refused by both, see test_reading
        ((y * y).sum() + (z * z).sum() * 3).backward()
        results.append((x.grad.numpy(), 0.0 if v.grad is None else v.grad.numpy()))
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_reading_gives_views_where_it_can() -> None:
    x = rushlight.zeros(2, 3)
    x[0][1] = 5
    x[:, 2].fill_(7)
    x[..., None][1, 0, 0] = 9
    x[rushlight.tensor([0, 0])].fill_(100)
    assert x.tolist() == [[0.0, 5.0, 7.0], [9.0, 0.0, 7.0]]
    assert x[0]._base is x and x[0][1:]._base is x and x[[0]]._base is None


def test_writing_what_does_not_fit() -> None:
    x = rushlight.zeros(2, 3)
    for index, value, words in [
        (0, rushlight.ones(2), r"The expanded size of the tensor \(3\) must match"),
        ([0, 1], rushlight.ones(3, 3), r"shape mismatch: value tensor of shape \[3, 3\]"),
    ]:
        with pytest.raises(RuntimeError, match=words):
            x[index] = value
    assert x.sum().item() == 0


def test_writing_touches_nothing_else() -> None:
    x = rushlight.zeros(1000, 100)
    before = rushlight._kernels.memory_stats()["peak"]
    rushlight._kernels.reset_peak_memory()
    start = rushlight._kernels.memory_stats()["peak"]
    x[3] = 1
    x[3, 2:] = rushlight.ones(98)
    assert rushlight._kernels.memory_stats()["peak"] - start < x.nbytes // 10 and before
    assert x.sum().item() == 100


def test_indices_that_changed_are_noticed() -> None:
    """A graph keeps the index tensors, not copies of them."""
    x = rushlight.ones(3, requires_grad=True)
    for index in (rushlight.tensor([0, 1]), rushlight.tensor([True, False, True])):
        y = x[index] * 2
        index[0] = 0
        with pytest.raises(RuntimeError, match="has been modified by an inplace operation"):
            y.sum().backward()


def test_nodes_have_pytorch_names(torch: Any) -> None:
    for index in (0, slice(None), None, ..., (0, None), (0, slice(1, 2)), (slice(1), 0), [0], True):
        for t in (rushlight, torch):
            assert t.ones(2, 3, requires_grad=True)[index].grad_fn is not None
        mine, theirs = (
            t.ones(2, 3, requires_grad=True)[index].grad_fn.name() for t in (rushlight, torch)
        )
        assert mine == theirs, index


def test_results_lie_in_order() -> None:
    """Whatever order NumPy has gone through the indices in."""
    x, i = rushlight.arange(24).view(2, 3, 4), rushlight.tensor([1, 0])
    for y in (x[:, i], x[..., i], x[0, :, i], x[:, 0, i], x[:, x[0] > 5]):
        assert y.is_contiguous()


def test_own_shape_in_place() -> None:
    """The gradient follows; views of the base stay views."""
    x = rushlight.ones(1, 2, 3, requires_grad=True)
    y = x * 2
    y.squeeze_().transpose_(0, 1).unsqueeze_(0)
    assert tuple(y.shape) == (1, 3, 2) and y._version == 3
    (y * rushlight.arange(6.0).view(1, 3, 2)).sum().backward()
    assert x.grad.tolist() == [[[0.0, 4.0, 8.0], [2.0, 6.0, 10.0]]]
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        x.squeeze_()
    base = rushlight.zeros(2, 3)
    view = base[0]
    view.unsqueeze_(0).swapdims_(0, 1).fill_(5)
    assert base.tolist() == [[5.0] * 3, [0.0] * 3] and view._base is base
