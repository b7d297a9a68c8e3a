"""The tensor itself: creation, conversions, views, copies, reductions, foreign operands."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest
from helpers import DTYPES, both

import rushlight

# ---- Creation ----

CREATION: dict[str, Any] = {
    "floats": lambda t: t.tensor([1.5, 2]),
    "ints": lambda t: t.tensor([[1, 2], [3, 4]]),
    "bools": lambda t: t.tensor([True, False]),
    "ints and bools": lambda t: t.tensor([1, True]),
    "number": lambda t: t.tensor(2.5),
    "empty": lambda t: t.tensor([]),
    "of tensors": lambda t: t.tensor([t.tensor(1.0), t.tensor(2.0)]),
    "dtype": lambda t: t.tensor([1.7, 2.2], dtype=t.int32),
    "float64 array": lambda t: t.tensor(np.arange(3.0)),
    "int32 array": lambda t: t.tensor(np.arange(3, dtype=np.int32)),
    "scalar": lambda t: t.tensor(np.float64(2.0)),
    "ragged": lambda t: t.tensor([[1, 2], [3]]),
    "strings": lambda t: t.tensor(["a"]),
    "requires_grad of ints": lambda t: t.tensor([1], requires_grad=True),
    "as_tensor": lambda t: t.as_tensor([1, 2]),
    "as_tensor dtype": lambda t: t.as_tensor(np.arange(3), dtype=t.float32),
    "zeros": lambda t: t.zeros(2, 3),
    "zeros of a tuple": lambda t: t.zeros((2, 3), dtype=t.int64),
    "zeros of no size": lambda t: t.zeros(()),
    "negative": lambda t: t.zeros(-1),
    "ones": lambda t: t.ones([2], dtype=t.bool),
    "full": lambda t: t.full((2, 2), 7),
    "full bool": lambda t: t.full((2,), True),
    "full float": lambda t: t.full((2,), 7.0, dtype=t.float64),
    "zeros_like": lambda t: t.zeros_like(t.ones(2, dtype=t.int32)),
    "ones_like": lambda t: t.ones_like(t.ones(2, 2), dtype=t.float64),
    "full_like": lambda t: t.full_like(t.ones(3, dtype=t.int64), 4),
    "empty sizes": lambda t: t.empty(2, 0).shape,
    "empty_like": lambda t: t.empty_like(t.ones(3, dtype=t.uint8)).dtype,
    "new_full": lambda t: t.ones(1, dtype=t.float64).new_full((2,), 3),
    "new_tensor": lambda t: t.ones(1, dtype=t.float64).new_tensor([1, 2]),
    "new_empty": lambda t: t.ones(1, dtype=t.int32).new_empty(2, 3).dtype,
    "new_zeros": lambda t: t.ones(1, dtype=t.int32).new_zeros((2, 3)),
    "new_ones": lambda t: t.ones(1, dtype=t.bool).new_ones(2),
    "arange": lambda t: t.arange(5),
    "arange of floats": lambda t: t.arange(0.5, 3),
    "arange with steps": lambda t: t.arange(10, 0, -3),
    "arange of small steps": lambda t: t.arange(0, 1, 0.1),
    "arange dtype": lambda t: t.arange(3, dtype=t.float64),
    "arange the wrong way": lambda t: t.arange(3, 1),
    "arange without steps": lambda t: t.arange(1, 3, 0),
    "linspace": lambda t: t.linspace(0, 1, 7),
    "linspace of one": lambda t: t.linspace(3, 9, 1),
    "linspace of none": lambda t: t.linspace(3, 9, 0),
    "linspace float64": lambda t: t.linspace(-1, 2, 5, dtype=t.float64),
    "eye": lambda t: t.eye(3),
    "eye of two sizes": lambda t: t.eye(2, 3, dtype=t.int64),
    "Tensor": lambda t: t.Tensor([1, 2]),
    "Tensor of sizes": lambda t: t.Tensor(2, 3).shape,
    "is_tensor": lambda t: (t.is_tensor(t.ones(1)), t.is_tensor(1)),
    "numel": lambda t: (t.numel(t.ones(2, 3)), t.ones(4).numel(), t.ones(()).nelement()),
    "unknown option": lambda t: t.zeros(2, frobnicate=True),
}


@pytest.mark.parametrize("call", CREATION.values(), ids=CREATION)
def test_creation(call: Any, torch: Any) -> None:
    both(torch, call)


def test_creation_without_an_oracle() -> None:
    assert rushlight.tensor([1, 2]).dtype is rushlight.int64
    assert rushlight.tensor([1.0]).dtype is rushlight.float32
    assert rushlight.arange(1, 4).tolist() == [1, 2, 3]
    assert rushlight.eye(2).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert rushlight.full((2,), 3).dtype is rushlight.int64
    assert rushlight.zeros(2, 0, 3).numel() == 0


def test_the_default_type() -> None:
    rushlight.set_default_dtype(rushlight.float64)
    assert rushlight.ones(1).dtype is rushlight.float64
    assert rushlight.tensor([1.0]).dtype is rushlight.float64
    assert (rushlight.ones(1, dtype=rushlight.int64) * 1.5).dtype is rushlight.float64
    assert rushlight.ones(1, dtype=rushlight.int64).sqrt().dtype is rushlight.float64
    with pytest.raises(TypeError, match=r"only floating-point types are supported as the default"):
        rushlight.set_default_dtype(rushlight.int64)


def test_data_is_copied() -> None:
    data = np.zeros(2)
    t = rushlight.tensor(data)
    t[0] = 1
    assert data.tolist() == [0.0, 0.0]


# ---- NumPy ----


def test_memory_is_shared_with_numpy() -> None:
    array = np.zeros((2, 3), np.float32)
    t = rushlight.from_numpy(array)
    t[0, 0] = 5
    array[1, 1] = 7
    assert t[1, 1].item() == 7.0 and array[0, 0] == 5.0
    assert np.shares_memory(t.t().numpy(), array)
    assert rushlight.as_tensor(array).data_ptr() == t.data_ptr()
    assert np.asarray(t) is not None and np.shares_memory(np.asarray(t), array)
    assert np.asarray(t, dtype=np.float64).dtype == np.float64


FROM_NUMPY = [
    (TypeError, "expected np.ndarray", [1.0]),
    (TypeError, "can't convert np.ndarray of type numpy.complex128", np.ones(1, complex)),
    (ValueError, "At least one stride in the given numpy array is negative", np.ones(3)[::-1]),
    (ValueError, "byte order", np.ones(2, ">f8")),
]


@pytest.mark.parametrize(("kind", "message", "array"), FROM_NUMPY)
def test_arrays_that_are_refused(kind: Any, message: str, array: Any) -> None:
    with pytest.raises(kind, match=message):
        rushlight.from_numpy(array)


def test_numpy_of_graphs() -> None:
    x = rushlight.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"^Can't call numpy\(\) on Tensor that requires grad"):
        x.numpy()
    with pytest.raises(RuntimeError, match=r"^Can't call numpy\(\)"):
        np.asarray(x * 2)
    assert x.numpy(force=True).tolist() == x.detach().numpy().tolist() == [1.0, 1.0]


def test_numpy_operands() -> None:
    x = rushlight.ones(2)
    for result in (x + np.float32(2), np.float32(2) + x, x + np.array([2.0, 2.0])):
        assert isinstance(result, rushlight.Tensor) and result.tolist() == [3.0, 3.0]
    assert isinstance(np.array([2.0, 2.0]) * x, rushlight.Tensor)


# ---- Python values ----


def test_item_and_tolist() -> None:
    assert rushlight.tensor([[2.5]]).item() == 2.5
    assert type(rushlight.tensor(3).item()) is int
    assert type(rushlight.tensor(True).item()) is bool
    assert rushlight.ones(2, 1).tolist() == [[1.0], [1.0]] and rushlight.tensor(2).tolist() == 2
    with pytest.raises(RuntimeError, match=r"^a Tensor with 2 elements cannot be converted to Sca"):
        rushlight.ones(2).item()


VALUES: dict[str, Any] = {
    "bool": lambda t: bool(t.tensor([2.0])),
    "bool of zero": lambda t: bool(t.tensor(0)),
    "bool of several": lambda t: bool(t.ones(2)),
    "bool of none": lambda t: bool(t.ones(0)),
    "int": lambda t: int(t.tensor(2.7)),
    "int of several": lambda t: int(t.ones(2)),
    "float": lambda t: float(t.tensor([3])),
    "index": lambda t: [10, 20, 30][t.tensor(1)],
    "index of floats": lambda t: [10, 20][t.tensor(1.0)],
    "range": lambda t: list(range(t.tensor(3))),
    "len": lambda t: len(t.ones(4, 2)),
    "len of a number": lambda t: len(t.tensor(1)),
    "iteration": lambda t: [x.tolist() for x in t.ones(2, 2)],
    "iteration over a number": lambda t: list(t.tensor(1)),
    "unpacking": lambda t: (lambda a, b: a + b)(*t.tensor([1, 2])),
    "contains": lambda t: (2 in t.tensor([1, 2]), 3 in t.tensor([1, 2])),
    "format": lambda t: f"{t.tensor(2.5):.3f} {t.tensor(7):d}",
    "shape": lambda t: (t.ones(2, 3).shape, t.ones(2, 3).size(), t.ones(2, 3).size(-1)),
    "size of no dim": lambda t: t.ones(2, 3).size(2),
    "shape parts": lambda t: (t.ones(2, 3).shape[1:], t.ones(2, 3).shape.numel()),
    "shapes joined": lambda t: (lambda n: [(1,) + n, n + (3,), n * 2])(t.ones(2).shape),  # noqa: RUF005
    "strides": lambda t: (t.ones(2, 3).stride(), t.ones(2, 3).t().stride(0)),
    "facts": lambda t: (lambda x: (x.ndim, x.dim(), x.element_size(), x.nbytes))(t.ones(2, 3)),
    "layout": lambda t: (t.ones(2, 3).is_contiguous(), t.ones(2, 3).t().is_contiguous()),
    "kinds": lambda t: (t.ones(1).is_floating_point(), t.tensor(1).is_floating_point()),
    "device": lambda t: (t.ones(1).device, t.ones(1).is_cuda, t.ones(1).device.type),
    "conversions": lambda t: [
        getattr(t.tensor([1.7, -0.0]), n)().tolist()
        for n in ("int", "long", "double", "float", "bool")
    ],
    "byte": lambda t: t.tensor([1.7, 200.0]).byte(),
    "to itself": lambda t: (lambda x: x.to(t.float32) is x and x.to("cpu") is x)(t.ones(1)),
    "to a copy": lambda t: (lambda x: x.to(t.float32, copy=True) is x)(t.ones(1)),
    "to like": lambda t: t.ones(1).to(t.tensor(1)),
    "type_as": lambda t: t.ones(1).type_as(t.tensor(1)),
    "hash": lambda t: len({t.ones(1), t.ones(1)}),
    "==": lambda t: t.ones(2) == t.tensor([1, 2]),
    "equal": lambda t: [t.equal(t.ones(2), t.ones(n)) for n in (2, 3)],
    "allclose": lambda t: [t.allclose(t.ones(2), t.full((2,), x)) for x in (1.0, 1 + 1e-6, 1.1)],
    "allclose of nan": lambda t: [
        t.allclose(t.tensor([math.nan]), t.tensor([math.nan]), equal_nan=e) for e in (True, False)
    ],
    "finfo": lambda t: (t.finfo(t.float32), t.finfo(t.float64).eps, t.finfo().max),
    "iinfo": lambda t: (t.iinfo(t.int32).max, t.iinfo(t.uint8).min),
    "finfo of ints": lambda t: t.finfo(t.int32),
    "iinfo of floats": lambda t: t.iinfo(t.float32),
    "dtype": lambda t: (t.float32, t.float, t.double, t.long, t.int, t.float32.itemsize),
    "T": lambda t: t.arange(6).view(2, 3).T,
    "mT": lambda t: t.arange(12).view(2, 2, 3).mT,
}


@pytest.mark.parametrize("call", VALUES.values(), ids=VALUES)
def test_python_values(call: Any, torch: Any) -> None:
    both(torch, call)


# ---- Views and copies ----


def test_views_and_copies() -> None:
    x = rushlight.arange(6)
    views = [x.view(2, 3), x.reshape(3, 2), x.unsqueeze(0), x[1:], x.view(2, 3).t(), x.detach()]
    assert all(np.shares_memory(v.numpy(), x.numpy()) for v in views)
    copies = [x.clone(), x.view(2, 3).t().reshape(6), x.view(2, 3).t().contiguous(), x.float()]
    assert not any(np.shares_memory(c.numpy(), x.numpy()) for c in copies)
    assert x.contiguous() is x and x.to(x.dtype) is x


VIEWS: dict[str, Any] = {
    "wrong size": lambda t: t.ones(6).view(4),
    "two unknown sizes": lambda t: t.ones(6).view(-1, -1),
    "unknown size of none": lambda t: t.ones(0).view(-1, 0),
    "incompatible strides": lambda t: t.ones(2, 3).t().view(6),
    "reshape": lambda t: t.arange(6).view(2, 3).t().reshape(6),
    "reshape of the wrong size": lambda t: t.ones(2, 3).reshape(7),
    "squeeze a dim that is not there": lambda t: t.ones(2).squeeze(1),
    "unsqueeze beyond": lambda t: t.ones(2).unsqueeze(3),
    "transpose beyond": lambda t: t.ones(2).transpose(0, 1),
    "permute too few": lambda t: t.ones(2, 3).permute(0),
    "permute twice": lambda t: t.ones(2, 3).permute(0, 0),
    "expand a size": lambda t: t.ones(2, 3).expand(3, 3),
    "expand to fewer": lambda t: t.ones(2, 3).expand(3),
    "expand a new dim by -1": lambda t: t.ones(2).expand(-1, 2),
    "t of three dims": lambda t: t.ones(1, 2, 3).t(),
    "narrow beyond": lambda t: t.ones(3).narrow(0, 1, 3),
    "narrow before": lambda t: t.ones(3).narrow(0, -4, 1),
    "select beyond": lambda t: t.ones(3).select(0, 3),
    "split": lambda t: [x.tolist() for x in t.arange(5).split(2)],
    "split to wrong sizes": lambda t: t.arange(5).split([2, 2]),
    "chunk": lambda t: [x.tolist() for x in t.arange(5).chunk(3)],
    "chunk of none": lambda t: t.arange(5).chunk(0),
    "unbind": lambda t: [x.tolist() for x in t.arange(4).view(2, 2).unbind(1)],
    "cat of none": lambda t: t.cat([]),
    "cat of sizes": lambda t: t.cat([t.ones(2, 3), t.ones(2, 2)]),
    "cat of ranks": lambda t: t.cat([t.ones(2, 3), t.ones(3)]),
    "cat of numbers": lambda t: t.cat([t.tensor(1), t.tensor(2)]),
    "cat of types": lambda t: t.cat([t.ones(2), t.ones(2, dtype=t.int64)]),
    "cat with an empty one": lambda t: t.cat([t.ones(0), t.ones(2, 2)]),
    "cat of no tensors": lambda t: t.cat([1, 2]),
    "stack of sizes": lambda t: t.stack([t.ones(2), t.ones(3)]),
    "stack of none": lambda t: t.stack([]),
    "flatten backwards": lambda t: t.ones(2, 2).flatten(1, 0),
    "flatten of a number": lambda t: t.tensor(1.0).flatten(),
}


@pytest.mark.parametrize("call", VIEWS.values(), ids=VIEWS)
def test_views(call: Any, torch: Any) -> None:
    both(torch, call)


def test_copies_keep_what_they_should() -> None:
    x = rushlight.tensor([1.0, 2.0], requires_grad=True)
    x.sum().backward()
    for made in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert made.requires_grad and made.is_leaf and made.tolist() == [1.0, 2.0]
        assert made.data_ptr() != x.data_ptr()
    assert copy.deepcopy(x).grad.tolist() == [1.0, 1.0]
    both_of_one = copy.deepcopy([x, x])
    assert both_of_one[0] is both_of_one[1]
    view = pickle.loads(pickle.dumps(rushlight.arange(6).view(2, 3).t()))
    assert view.tolist() == [[0, 3], [1, 4], [2, 5]]
    for dtype in DTYPES:
        d = getattr(rushlight, dtype)
        assert pickle.loads(pickle.dumps(d)) is d and copy.deepcopy(d) is d
    with pytest.raises(RuntimeError, match=r"^Only Tensors created explicitly by the user"):
        copy.deepcopy(x * 2)


def test_detach_and_data() -> None:
    x = rushlight.ones(2, requires_grad=True)
    y = x * 2
    assert not y.detach().requires_grad and y.detach().is_leaf
    y.detach_()
    assert y.is_leaf and not y.requires_grad
    x.data = rushlight.zeros(3)
    assert x.shape == (3,) and x.requires_grad
    x.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(TypeError, match=r"Variable data has to be a tensor"):
        x.data = 3


# ---- Reductions ----

REDUCTIONS: dict[str, Any] = {
    "sum of nothing": lambda t: t.ones(0).sum(),
    "sum over an empty dim": lambda t: t.ones(2, 0).sum(1),
    "prod of nothing": lambda t: t.ones(0).prod(),
    "mean of nothing": lambda t: t.ones(0).mean(),
    "mean over an empty dim": lambda t: t.ones(2, 0).mean(1),
    "mean of ints": lambda t: t.ones(2, dtype=t.int64).mean(),
    "mean to floats": lambda t: t.tensor([1, 2]).mean(dtype=t.float32),
    "var of one": lambda t: t.ones(1).var(correction=0),
    "std of ints": lambda t: t.ones(2, dtype=t.int64).std(),
    "max of nothing": lambda t: t.ones(0).max(),
    "amax over an empty dim": lambda t: t.ones(2, 0).amax(1),
    "argmax of nothing": lambda t: t.ones(0).argmax(),
    "argmax of ties": lambda t: t.tensor([1, 3, 3]).argmax(),
    "argmin of nan": lambda t: t.tensor([1, math.nan, 0]).argmin(),
    "max of nan": lambda t: t.tensor([1, math.nan, 0]).max(),
    "max with its place": lambda t: t.tensor([[1, 5], [7, 2]]).max(1).indices,
    "min of two": lambda t: t.min(t.tensor([1, 5]), t.tensor([2, 2])),
    "any of nothing": lambda t: t.ones(0).any(),
    "all of nothing": lambda t: t.ones(0).all(),
    "sum of bools": lambda t: t.tensor([True, True]).sum(),
    "sum of uint8": lambda t: t.full((300,), 255, dtype=t.uint8).sum(),
    "sum to a type": lambda t: t.tensor([1.7, 1.7]).sum(dtype=t.int64),
    "sum of infinities": lambda t: t.tensor([math.inf, -math.inf]).sum(),
    "axis": lambda t: t.ones(2, 3).sum(axis=0),
    "keepdims": lambda t: t.ones(2, 3).mean(0, keepdims=True),
    "dims": lambda t: t.arange(24.0).view(2, 3, 4).sum((0, -1)),
    "dims of a list": lambda t: t.arange(24.0).view(2, 3, 4).sum([0, 1], keepdim=True),
    "same dim twice": lambda t: t.ones(2, 3).sum((0, 0)),
    "same dim by two names": lambda t: t.ones(2, 3).sum((0, -2)),
    "dim beyond": lambda t: t.ones(2, 3).sum(2),
    "dim of a number": lambda t: t.tensor(3.0).sum(0),
    "dim of a number, wrong": lambda t: t.tensor(3.0).sum(1),
    "amax of a number": lambda t: t.tensor(3.0).amax(-1),
    "argmax of a number": lambda t: t.tensor(3.0).argmax(0),
    "norm": lambda t: t.tensor([3.0, 4.0]).norm(),
    "norm of zeros": lambda t: t.zeros(2).norm(),
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # PyTorch's, of degrees of freedom
@pytest.mark.parametrize("call", REDUCTIONS.values(), ids=REDUCTIONS)
def test_reductions(call: Any, torch: Any) -> None:
    both(torch, call)


def test_long_sums_keep_their_digits() -> None:
    """A million times 0.1 in float32: plain summation would lose the last four digits."""
    x = rushlight.full((1_000_000,), 0.1)
    exact = 1_000_000 * float(np.float32(0.1))
    assert x.sum().item() == pytest.approx(exact, rel=2e-7)
    assert x.view(1000, 1000).sum(0).sum().item() == pytest.approx(exact, rel=1e-6)
    assert x.mean().item() == pytest.approx(float(np.float32(0.1)), rel=2e-7)


def test_variance_takes_two_passes() -> None:
    x = rushlight.tensor([10_000.0, 10_001.0, 10_002.0])
    assert x.var().item() == 1.0 and x.std(unbiased=False).item() == pytest.approx((2 / 3) ** 0.5)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_gradients_where_a_norm_or_a_deviation_is_zero(value: float) -> None:
    x = rushlight.full((3,), value, requires_grad=True)
    x.std().backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]
    x.grad = None
    (x * 0).norm().backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


# ---- Operands that are no tensors ----


def test_foreign_operands() -> None:
    x = rushlight.ones(2)
    for value in (None, "a", [1.0, 2.0], object()):
        with pytest.raises(TypeError):
            x + value
    with pytest.raises(TypeError, match=r"exp\(\): argument 'input' must be Tensor, not int"):
        rushlight.exp(3)
    with pytest.raises(TypeError, match=r"mul\(\): argument 'other' must be Tensor, not str"):
        x.mul("a")
    assert (x == None) is False  # noqa: E711


def test_other_types_may_take_over() -> None:
    class Other:
        def __radd__(self, left: Any) -> str:
            return "other's"

    assert rushlight.ones(2) + Other() == "other's"
