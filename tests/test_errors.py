"""Type and opening words of each error an op raises, which are PyTorch's."""

from __future__ import annotations

import re
from typing import Any

import pytest

import rushlight

# The call, as both libraries take it; the error; the words that both messages share.
ERRORS: dict[str, tuple[Any, type[Exception], str]] = {
    "broadcasting": (
        lambda t: t.ones(2, 3) + t.ones(4, 3),
        RuntimeError,
        "The size of tensor a (2) must match the size of tensor b (4) at non-singleton dimension 0",
    ),
    "broadcasting of where": (
        lambda t: t.where(t.ones(2).bool(), t.ones(3), t.ones(1)),
        RuntimeError,
        "The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 0",
    ),
    "difference of bools": (
        lambda t: t.tensor([True]) - t.tensor([True]),
        RuntimeError,
        "Subtraction, the `-` operator, with two bool tensors is not supported",
    ),
    "negative of bools": (
        lambda t: -t.tensor([True]),
        RuntimeError,
        "Negation, the `-` operator, on a bool tensor is not supported",
    ),
    "bits of floats": (lambda t: t.ones(1) & 1, NotImplementedError, '"bitwise_and'),
    "integer division by zero": (
        lambda t: t.tensor([1]) // 0,
        RuntimeError,
        "ZeroDivisionError",
    ),
    "integer remainder by zero": (
        lambda t: t.tensor([1, 2]) % t.tensor([1, 0]),
        RuntimeError,
        "ZeroDivisionError",
    ),
    "rounding mode": (
        lambda t: t.div(t.ones(1), 2, rounding_mode="up"),
        RuntimeError,
        "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found 'up'",
    ),
    "clamp to nothing": (
        lambda t: t.ones(1).clamp(),
        RuntimeError,
        "torch.clamp: At least one of 'min' or 'max' must not be None",
    ),
    "where on numbers": (
        lambda t: t.where(t.ones(2), t.ones(2), t.ones(2)),
        RuntimeError,
        "where expected condition to be a boolean tensor, but got a tensor with dtype",
    ),
    "number too large": (
        lambda t: t.tensor([1]) + 2**70,
        OverflowError,
        "",
    ),
    "in place to a lower type": (
        lambda t: t.tensor([1]).add_(1.5),
        RuntimeError,
        "result type",
    ),
    "in place to a smaller shape": (
        lambda t: t.ones(3).mul_(t.ones(2, 3)),
        RuntimeError,
        "output with shape [3] doesn't match the broadcast shape [2, 3]",
    ),
    "in place on repeated elements": (
        lambda t: t.ones(1).expand(3).mul_(2),
        RuntimeError,
        "unsupported operation: more than one element of the written-to tensor refers to a single "
        "memory location",
    ),
    "matmul of inner sizes": (
        lambda t: t.ones(2, 3) @ t.ones(4, 5),
        RuntimeError,
        "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
    ),
    "matmul of types": (
        lambda t: t.ones(2, 3) @ t.ones(3, 2, dtype=t.float64),
        RuntimeError,
        "expected m1 and m2 to have the same dtype",
    ),
    "matmul of a number": (
        lambda t: t.ones(2) @ t.tensor(1.0),
        RuntimeError,
        "both arguments to matmul need to be at least 1D, but they are 1D and 0D",
    ),
    "mm of vectors": (lambda t: t.mm(t.ones(2), t.ones(2)), RuntimeError, "self must be a matrix"),
    "bmm of matrices": (
        lambda t: t.bmm(t.ones(2, 2), t.ones(2, 2)),
        RuntimeError,
        "batch1 must be a 3D tensor",
    ),
    "dot of matrices": (
        lambda t: t.dot(t.ones(2, 2), t.ones(2)),
        RuntimeError,
        "1D tensors expected, but got 2D and 1D tensors",
    ),
    "dot of sizes": (
        lambda t: t.dot(t.ones(2), t.ones(3)),
        RuntimeError,
        "inconsistent tensor size, expected tensor [2] and src [3] to have the same number of",
    ),
    "mean of integers": (
        lambda t: t.tensor([1]).mean(),
        RuntimeError,
        "mean(): could not infer output dtype. Input dtype must be either a floating point or "
        "complex dtype. Got: ",
    ),
    "std of integers": (
        lambda t: t.tensor([1]).std(),
        RuntimeError,
        "std and var only support floating point and complex dtypes",
    ),
    "dim that is not there": (
        lambda t: t.ones(2, 3).sum(2),
        IndexError,
        "Dimension out of range (expected to be in range of [-2, 1], but got 2)",
    ),
    "dim twice": (
        lambda t: t.ones(2, 3).mean((0, -2)),
        RuntimeError,
        "dim 0 appears multiple times in the list of dims",
    ),
    "softmax of a dim that is not there": (
        lambda t: t.ones(2).softmax(1),
        IndexError,
        "Dimension out of range (expected to be in range of [-1, 0], but got 1)",
    ),
    "argmax of nothing": (
        lambda t: t.ones(0).argmax(),
        IndexError,
        "argmax(): Expected reduction dim to be specified for input.numel() == 0",
    ),
    "amax over nothing": (
        lambda t: t.ones(2, 0).amax(1),
        IndexError,
        "amax(): Expected reduction dim 1 to have non-zero size",
    ),
    "view of a wrong size": (
        lambda t: t.ones(6).view(4),
        RuntimeError,
        "shape '[4]' is invalid for input of size 6",
    ),
    "view of strides": (
        lambda t: t.ones(2, 3).t().view(6),
        RuntimeError,
        "view size is not compatible with input tensor's size and stride (at least one dimension "
        "spans across two contiguous subspaces). Use .reshape(...) instead.",
    ),
    "two unknown sizes": (
        lambda t: t.ones(6).view(-1, -1),
        RuntimeError,
        "only one dimension can be inferred",
    ),
    "expand": (
        lambda t: t.ones(2, 3).expand(4, 3),
        RuntimeError,
        "The expanded size of the tensor (4) must match the existing size (2) at non-singleton "
        "dimension 0.  Target sizes: [4, 3].  Tensor sizes: [2, 3]",
    ),
    "index": (
        lambda t: t.ones(3)[3],
        IndexError,
        "index 3 is out of bounds for dimension 0 with size 3",
    ),
    "too many indices": (
        lambda t: t.ones(3)[0, 0],
        IndexError,
        "too many indices for tensor of dimension 1",
    ),
    "index of a number": (
        lambda t: t.tensor(1.0)[0],
        IndexError,
        "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in "
        "C++ to convert a 0-dim tensor to a number",
    ),
    "index of floats": (
        lambda t: t.ones(3)[t.tensor([0.5])],
        IndexError,
        "tensors used as indices must be long, int, byte or bool tensors",
    ),
    "negative step": (
        lambda t: t.ones(3)[::-1],
        ValueError,
        "step must be greater than zero",
    ),
    "gather": (
        lambda t: t.ones(3).gather(0, t.tensor([0.0])),
        RuntimeError,
        "gather(): Expected dtype int",
    ),
    "gather of ranks": (
        lambda t: t.ones(3).gather(0, t.tensor([[0]])),
        RuntimeError,
        "Index tensor must have the same number of dimensions as input tensor",
    ),
    "cat of sizes": (
        lambda t: t.cat([t.ones(2, 3), t.ones(2, 2)]),
        RuntimeError,
        "Sizes of tensors must match except in dimension 0. Expected size 3 but got size 2 for "
        "tensor number 1 in the list.",
    ),
    "cat of ranks": (
        lambda t: t.cat([t.ones(2, 3), t.ones(3)]),
        RuntimeError,
        "Tensors must have same number of dimensions: got 2 and 1",
    ),
    "cat of numbers": (
        lambda t: t.cat([t.tensor(1.0)]),
        RuntimeError,
        "zero-dimensional tensor (at position 0) cannot be concatenated",
    ),
    "stack of sizes": (
        lambda t: t.stack([t.ones(2), t.ones(3)]),
        RuntimeError,
        "stack expects each tensor to be equal size, but got [2] at entry 0 and [3] at entry 1",
    ),
    "class that is not there": (
        lambda t: t.nn.functional.nll_loss(t.zeros(2, 3), t.tensor([0, 3])),
        IndexError,
        "Target 3 is out of bounds.",
    ),
    "classes of floats": (
        lambda t: t.nn.functional.nll_loss(t.zeros(2, 3), t.zeros(2)),
        RuntimeError,
        "expected target dtype to be Long or Byte, but got",
    ),
    "batch sizes": (
        lambda t: t.nn.functional.nll_loss(t.zeros(2, 3), t.tensor([0])),
        ValueError,
        "Expected input batch_size (2) to match target batch_size (1).",
    ),
    "reduction": (
        lambda t: t.nn.functional.mse_loss(t.ones(1), t.ones(1), reduction="max"),
        ValueError,
        "max is not a valid value for reduction",
    ),
    "gelu": (
        lambda t: t.nn.functional.gelu(t.ones(1), approximate="sinh"),
        RuntimeError,
        "approximate argument must be either none or tanh.",
    ),
    "negative size": (
        lambda t: t.empty(-1),
        RuntimeError,
        "Trying to create tensor with negative dimension -1: [-1]",
    ),
    "item": (
        lambda t: t.ones(2).item(),
        RuntimeError,
        "a Tensor with 2 elements cannot be converted to Scalar",
    ),
    "truth of several": (
        lambda t: bool(t.ones(2)),
        RuntimeError,
        "Boolean value of Tensor with more than one value is ambiguous",
    ),
    "len of a number": (lambda t: len(t.tensor(1)), TypeError, "len() of a 0-d tensor"),
    "device": (
        lambda t: t.device("gpu"),
        RuntimeError,
        "Expected one of cpu, cuda",
    ),
}
each_error = pytest.mark.parametrize(("call", "kind", "words"), ERRORS.values(), ids=ERRORS)


@each_error
def test_errors(call: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match="^" + re.escape(words)) as caught:
        call(rushlight)
    assert issubclass(kind, caught.type) or caught.type is kind


@each_error
def test_errors_are_those_of_pytorch(call: Any, kind: Any, words: str, torch: Any) -> None:
    with pytest.raises(kind) as caught:
        call(torch)
    assert caught.type is kind
    assert str(caught.value).startswith(words)


def test_errors_show_what_was_given() -> None:
    with pytest.raises(RuntimeError, match=r"add: got shapes \[2, 3\] and \[4, 3\]"):
        rushlight.ones(2, 3) + rushlight.ones(4, 3)
    with pytest.raises(RuntimeError, match=r"Got shape \[3, 2\] for \[6\]"):
        rushlight.ones(2, 3).t().view(6)


REFUSED: dict[str, Any] = {
    "pin_memory": lambda: rushlight.ones(1, pin_memory=True),
    "sparse_grad": lambda: rushlight.ones(1).gather(0, rushlight.tensor([0]), sparse_grad=True),
    "complex": lambda: rushlight.tensor([1j]),
    "nuclear norm": lambda: rushlight.ones(2, 2).norm("nuc"),
    "another device": lambda: rushlight.ones(1, device="meta"),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_options_that_are_not_supported_are_named(call: Any) -> None:
    with pytest.raises(NotImplementedError, match="not supported"):
        call()
