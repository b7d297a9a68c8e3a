"""Functions of layers against PyTorch: values, first and second derivatives, random streams."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from layer_cases import FUNCTIONS, INTEGERS, RANDOM

import rushlight

RNG = np.random.default_rng(0)

# Where PyTorch has no second derivative, or a wrong one.
ONE_ORDER = (
    "native_",
    "_native",
    "pdist",
    "layer_norm, bias",
    "grid_sample bicubic",
    "lp_pool",
    "interpolate antialias",
    "interpolate area",
)


def derivatives(lib: Any, call: Any, arrays: Any, second: bool) -> list[Any]:
    """Value, gradients, and the gradients of a function of these."""
    xs = [lib.tensor(a, requires_grad=True) for a in arrays]
    out = call(lib, lib.nn.functional, *xs)
    result = [out]
    weights = lib.tensor(np.cos(np.arange(out.numel())).reshape(tuple(out.shape)))
    first = lib.autograd.grad((out * weights).sum(), xs, create_graph=second, allow_unused=True)
    result += first
    if second:
        total = sum(
            (g * lib.tensor(np.sin(np.arange(g.numel()) + 1.0).reshape(tuple(g.shape)))).sum()
            for g in first
            if g is not None
        )
        if total.requires_grad:
            result += lib.autograd.grad(total, xs, allow_unused=True)
    return [None if r is None else r.detach().numpy() for r in result]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(("name", "call", "shapes"), FUNCTIONS, ids=[f[0] for f in FUNCTIONS])
def test_function(torch: Any, name: str, call: Any, shapes: Any) -> None:
    arrays = [RNG.standard_normal(shape) for shape in shapes]
    second = not name.startswith(ONE_ORDER)
    mine = derivatives(rushlight, call, arrays, second)
    theirs = derivatives(torch, call, arrays, second)
    for i, expected in enumerate(theirs):
        # What is None in one library may be zeros in the other.
        found = mine[i] if i < len(mine) else None
        found = 0 if found is None else found
        expected = 0 if expected is None else expected
        np.testing.assert_allclose(found, expected, 1e-8, 1e-10, err_msg=f"{name}: {i}")


@pytest.mark.parametrize(("name", "call", "shapes"), INTEGERS, ids=[f[0] for f in INTEGERS])
def test_function_of_integers(torch: Any, name: str, call: Any, shapes: Any) -> None:
    if name.startswith("conv2d"):
        shapes = [(2, 2, 5, 5), (4, 2, 3, 3)]
    arrays = [RNG.integers(-5, 6, shape) for shape in shapes]
    mine, theirs = (
        call(lib, lib.nn.functional, *map(lib.tensor, arrays)) for lib in (rushlight, torch)
    )
    assert str(mine.dtype) == str(theirs.dtype)
    np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


@pytest.mark.parametrize(("name", "call"), RANDOM, ids=[f[0] for f in RANDOM])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_function(torch: Any, name: str, call: Any, dtype: str) -> None:
    x = RNG.standard_normal((3, 4, 6, 5)).astype(dtype)

    def run(lib: Any) -> Any:
        lib.manual_seed(3)
        leaf = lib.tensor(x, requires_grad=True)
        out = call(lib, lib.nn.functional, leaf)
        out.square().sum().backward()
        return out.detach().numpy(), leaf.grad.numpy(), lib.rand(2).numpy()

    for found, expected in zip(run(rushlight), run(torch), strict=True):
        np.testing.assert_allclose(found, expected, 2e-5, 1e-6)


# ---- Embeddings ----

BAGS = [
    ({}, np.array([[0, 2, 2], [5, 1, 0]]), None),
    ({}, np.array([0, 2, 2, 5, 1]), [0, 2, 2, 4]),
    ({"include_last_offset": True}, np.array([0, 2, 2, 5, 1]), [0, 3, 5]),
    ({"padding_idx": 2}, np.array([0, 2, 2, 5, 1]), [0, 1, 3]),
    # PyTorch takes the counts of other rows, unless rows that come again are the last.
    ({"scale_grad_by_freq": True}, np.array([0, 2, 5, 5, 1]), [0, 2]),
    ({"max_norm": 1.2, "norm_type": 1.0}, np.array([0, 2, 2, 5, 1]), [0, 2]),
]


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize(("options", "indices", "offsets"), BAGS)
def test_embedding_bag(torch: Any, mode: str, options: Any, indices: Any, offsets: Any) -> None:
    if mode == "max" and "scale_grad_by_freq" in options:
        pytest.skip("not for maxima")

    def run(lib: Any) -> Any:
        lib.manual_seed(0)
        bag = lib.nn.EmbeddingBag(6, 4, mode=mode, **options)
        out = bag(lib.tensor(indices), None if offsets is None else lib.tensor(offsets))
        out.square().sum().backward()
        return repr(bag), out.detach().numpy(), bag.weight.detach().numpy(), bag.weight.grad.numpy()

    (text, *mine), (text2, *theirs) = run(rushlight), run(torch)
    assert text == text2
    for found, expected in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(found, expected, 1e-5, 1e-6)


def test_embedding_bag_with_weights(torch: Any) -> None:
    def run(lib: Any) -> Any:
        table = lib.tensor(np.arange(12.0).reshape(4, 3), requires_grad=True)
        factors = lib.tensor(np.array([0.5, -1.0, 2.0]), requires_grad=True)
        out = lib.nn.functional.embedding_bag(
            lib.tensor([3, 1, 1]), table, lib.tensor([0, 1]), mode="sum",
            per_sample_weights=factors,
        )  # fmt: skip
        out.square().sum().backward()
        return out.detach().numpy(), table.grad.numpy(), factors.grad.numpy()

    for found, expected in zip(run(rushlight), run(torch), strict=True):
        np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("options", [
    {"padding_idx": 1}, {"max_norm": 1.0}, {"scale_grad_by_freq": True},
    {"scale_grad_by_freq": True, "padding_idx": -2, "max_norm": 0.5},
])  # fmt: skip
def test_embedding_options(torch: Any, options: Any) -> None:
    table = RNG.standard_normal((5, 3))

    def run(lib: Any) -> Any:
        weight = lib.tensor(table, requires_grad=True)
        index = lib.tensor([[0, 3, 3], [1, 3, 4]])
        lib.nn.functional.embedding(index, weight, **options).square().sum().backward()
        return weight.detach().numpy(), weight.grad.numpy()

    for found, expected in zip(run(rushlight), run(torch), strict=True):
        np.testing.assert_allclose(found, expected)


# ---- Refusals ----

REFUSED = [
    lambda t, F: F.conv2d(t.zeros(1, 3, 4, 4), t.zeros(2, 1, 2, 2)),
    lambda t, F: F.conv1d(t.zeros(1, 1, 4), t.zeros(2, 1, 2), stride=0),
    lambda t, F: F.conv1d(t.zeros(1, 1, 4), t.zeros(2, 1, 7)),
    lambda t, F: F.conv3d(t.zeros(1, 1, 4), t.zeros(2, 1, 2, 2, 2)),
    lambda t, F: F.conv_transpose2d(t.zeros(1, 3, 4, 4), t.zeros(1, 1, 2, 2)),
    lambda t, F: F.max_pool2d(t.zeros(1, 1, 4, 4), 2, padding=2),
    lambda t, F: F.max_pool3d(t.zeros(4, 4), 2),
    lambda t, F: F.avg_pool2d(t.zeros(1, 1, 4, 4), 2, 0),
    lambda t, F: F.pad(t.zeros(1, 1, 3), (4, 1), "reflect"),
    lambda t, F: F.pad(t.zeros(1, 1, 3), (4, 1), "circular"),
    lambda t, F: F.pad(t.zeros(1, 1, 3), (1,)),
    lambda t, F: F.pad(t.zeros(1, 1, 3), (1, 1), "mirror"),
    lambda t, F: F.layer_norm(t.zeros(2, 3), (4,)),
    lambda t, F: F.layer_norm(t.zeros(2, 3), (3,), t.zeros(2)),
    lambda t, F: F.group_norm(t.zeros(2, 3), 2),
    lambda t, F: F.instance_norm(t.zeros(1, 2, 1)),
    lambda t, F: F.batch_norm(t.zeros(1, 3), None, None, training=True),
    lambda t, F: F.batch_norm(t.zeros(2, 3), None, None),
    lambda t, F: F.batch_norm(t.zeros(2, 3), t.zeros(2), t.zeros(2)),
    lambda t, F: F.embedding(t.tensor([5]), t.zeros(3, 2)),
    lambda t, F: F.embedding(t.tensor([-1]), t.zeros(3, 2)),
    lambda t, F: F.embedding_bag(t.tensor([1]), t.zeros(3, 2), t.tensor([1])),
    lambda t, F: F.softshrink(t.zeros(2), -0.5),
    lambda t, F: F.rrelu(t.zeros(2), 0.5, 0.1),
    lambda t, F: F.glu(t.zeros(3)),
    lambda t, F: F.prelu(t.zeros(2, 3), t.zeros(2)),
    lambda t, F: F.interpolate(t.zeros(1, 1, 4), 2, 2),
    lambda t, F: F.interpolate(t.zeros(1, 1, 4), 2, mode="bilinear"),
    lambda t, F: F.interpolate(t.zeros(1, 1, 4), 2, align_corners=True),
    lambda t, F: F.interpolate(t.zeros(1, 1, 4), (2, 2)),
    lambda t, F: F.unfold(t.zeros(1, 1, 4, 4), 5),
    lambda t, F: F.fold(t.zeros(1, 3, 9), (4, 4), 2),
    lambda t, F: F.pixel_shuffle(t.zeros(1, 3, 2, 2), 2),
    lambda t, F: F.channel_shuffle(t.zeros(1, 3, 2), 2),
    lambda t, F: F.grid_sample(t.zeros(1, 1, 3, 3), t.zeros(2, 3, 3, 2), align_corners=False),
    lambda t, F: F.bilinear(t.zeros(2, 3), t.zeros(3, 4), t.zeros(5, 3, 4)),
    lambda t, F: F.max_unpool2d(t.zeros(1, 1, 2, 2), t.full((1, 1, 2, 2), 99), 2),
    lambda t, F: F.adaptive_avg_pool2d(t.zeros(1, 1, 2, 2), -1),
    lambda t, F: F.fractional_max_pool2d(t.zeros(1, 1, 4, 4), 2),
    lambda t, F: F.dropout1d(t.zeros(2)),
    lambda t, F: F.local_response_norm(t.zeros(3, 3), 2),
]


@pytest.mark.parametrize("call", REFUSED)
def test_refusals_are_pytorchs(torch: Any, call: Any) -> None:
    """The same type, and the same opening words."""
    with pytest.raises((RuntimeError, ValueError, IndexError)) as theirs:
        call(torch, torch.nn.functional)
    with pytest.raises(type(theirs.value)) as mine:
        call(rushlight, rushlight.nn.functional)
    assert str(mine.value)[:24] == str(theirs.value)[:24]


def test_backward_of_native_dropout() -> None:
    mask = rushlight.tensor([True, False])
    out = rushlight.native_dropout_backward(rushlight.ones(2), mask, 2.0)
    assert out.tolist() == [2.0, 0.0]
