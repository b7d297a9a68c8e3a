"""Losses against PyTorch: values, derivatives, reductions, warnings and words."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import rushlight

RNG = np.random.default_rng(0)
SIGNS = [1, -1, 1, 1, -1]
CLASSES = [2, 0, 1, 3, 3]
LABELS = [[0, 3, -1, 1], [-1, 0, 0, 0], [3, 2, 1, 0], [1, -1, -1, -1], [2, -1, 2, 2]]

# Name, call of the functional with the library, the reduction and tensors, and shapes of these.
FUNCTIONS: list[tuple[str, Any, Any]] = [
    (
        "hinge_embedding_loss",
        lambda t, r, x: t.nn.functional.hinge_embedding_loss(x, t.tensor(SIGNS), 0.5, reduction=r),
        [(5,)],
    ),
    (
        "cosine_embedding_loss",
        lambda t, r, x, y: t.nn.functional.cosine_embedding_loss(
            x, y, t.tensor(SIGNS), -0.5, reduction=r
        ),
        [(5, 3), (5, 3)],
    ),
    (
        "cosine_embedding_loss, no batch",
        lambda t, r, x, y: t.nn.functional.cosine_embedding_loss(
            x, y, t.tensor(-1), -1.0, reduction=r
        ),
        [(3,), (3,)],
    ),
    (
        "margin_ranking_loss",
        lambda t, r, x, y: t.nn.functional.margin_ranking_loss(
            x, y, t.tensor(SIGNS), 0.3, reduction=r
        ),
        [(5,), (5,)],
    ),
    (
        "soft_margin_loss",
        lambda t, r, x: t.nn.functional.soft_margin_loss(x, t.tensor(SIGNS), reduction=r),
        [(5,)],
    ),
    (
        "multi_margin_loss",
        lambda t, r, x: t.nn.functional.multi_margin_loss(x, t.tensor(CLASSES), reduction=r),
        [(5, 4)],
    ),
    (
        "multi_margin_loss, squared",
        lambda t, r, x: t.nn.functional.multi_margin_loss(
            x, t.tensor(CLASSES), 2, 0.7, t.tensor([1.0, 2.0, 0.5, 3.0]).double(), reduction=r
        ),
        [(5, 4)],
    ),
    (
        "multi_margin_loss, no batch",
        lambda t, r, x: t.nn.functional.multi_margin_loss(x, t.tensor(1), reduction=r),
        [(4,)],
    ),
    (
        "multilabel_margin_loss",
        lambda t, r, x: t.nn.functional.multilabel_margin_loss(x, t.tensor(LABELS), reduction=r),
        [(5, 4)],
    ),
    (
        "multilabel_margin_loss, no batch",
        lambda t, r, x: t.nn.functional.multilabel_margin_loss(x, t.tensor(LABELS[0]), reduction=r),
        [(4,)],
    ),
    (
        "multilabel_soft_margin_loss",
        lambda t, r, x, y, w: t.nn.functional.multilabel_soft_margin_loss(x, y, w, reduction=r),
        [(5, 4), (5, 4), (4,)],
    ),
    (
        "triplet_margin_loss",
        lambda t, r, x, y, z: t.nn.functional.triplet_margin_loss(x, y, z, 0.5, 3, reduction=r),
        [(5, 4), (5, 4), (5, 4)],
    ),
    (
        "triplet_margin_loss, swapped",
        lambda t, r, x, y, z: t.nn.functional.triplet_margin_loss(x, y, z, swap=True, reduction=r),
        [(5, 4), (5, 4), (5, 4)],
    ),
    (
        "triplet_margin_with_distance_loss",
        lambda t, r, x, y, z: t.nn.functional.triplet_margin_with_distance_loss(
            x, y, z, distance_function=lambda a, b: ((a - b) ** 2).sum(-1), reduction=r
        ),
        [(5, 4), (5, 4), (5, 4)],
    ),
    (
        "linear_cross_entropy",
        lambda t, r, x, w, b: t.nn.functional.linear_cross_entropy(
            x, w, t.tensor(CLASSES), linear_bias=b, reduction=r, label_smoothing=0.1
        ),
        [(5, 3), (4, 3), (4,)],
    ),
    (
        "linear_cross_entropy of planes",
        lambda t, r, x, w: t.nn.functional.linear_cross_entropy(
            x, w, t.tensor([[c, 0] for c in CLASSES]), ignore_index=0, reduction=r
        ),
        [(5, 3), (4, 2, 3)],
    ),
]


@pytest.mark.parametrize(("name", "call", "shapes"), FUNCTIONS, ids=[f[0] for f in FUNCTIONS])
def test_losses(torch: Any, name: str, call: Any, shapes: Any) -> None:
    arrays = [RNG.standard_normal(shape) for shape in shapes]
    second = "multi_margin" not in name and "multilabel_margin" not in name

    def run(lib: Any, reduction: str) -> Any:
        xs = [lib.tensor(a, requires_grad=True) for a in arrays]
        out = call(lib, reduction, *xs)
        first = lib.autograd.grad((out * out.cos()).sum(), xs, create_graph=second)
        results = [out, *first]
        if second:
            total = sum((g * g).sum() for g in first)
            results += lib.autograd.grad(total, xs, allow_unused=True)
        return [None if x is None else x.detach().numpy() for x in results]

    for reduction in ("none", "mean", "sum"):
        for mine, theirs in zip(run(rushlight, reduction), run(torch, reduction), strict=True):
            assert (mine is None) == (theirs is None)
            if theirs is not None:
                assert mine.shape == theirs.shape
                np.testing.assert_allclose(mine, theirs, 1e-8, 1e-10)


# ---- CTC ----

LENGTHS = [((7, 5, 3), (3, 2, 3)), ((7, 7, 7), (3, 0, 1)), ((7, 2, 1), (3, 3, 2))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("zero_infinity", [False, True])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_ctc(torch: Any, lengths: Any, reduction: str, zero_infinity: bool, dtype: str) -> None:
    x = RNG.standard_normal((7, 3, 5)).astype(dtype)
    targets = np.array([[2, 2, 3], [4, 1, 1], [1, 2, 4]])
    flat = np.concatenate([row[:n] for row, n in zip(targets, lengths[1], strict=True)])

    def run(lib: Any, labels: Any) -> Any:
        given = lib.tensor(x).log_softmax(-1).detach().requires_grad_()
        loss = lib.nn.functional.ctc_loss(
            given, lib.tensor(labels), *lengths, reduction=reduction, zero_infinity=zero_infinity
        )
        loss.sum().backward()
        return loss.detach().numpy(), given.grad.numpy()

    tolerance = 1e-4 if dtype == "float32" else 1e-9
    for labels in (targets, flat):
        for mine, theirs in zip(run(rushlight, labels), run(torch, labels), strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_allclose(mine, theirs, tolerance, tolerance)


def test_ctc_without_a_batch(torch: Any) -> None:
    x = RNG.standard_normal((7, 5))
    for reduction in ("none", "mean"):
        mine, theirs = (
            lib.nn.functional.ctc_loss(
                lib.tensor(x).log_softmax(-1), lib.tensor([2, 2, 3]), lib.tensor(7), lib.tensor(3),
                reduction=reduction,
            )
            for lib in (rushlight, torch)
        )  # fmt: skip
        assert mine.shape == theirs.shape
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), 1e-9)


def test_ctc_has_no_second_derivative() -> None:
    x = rushlight.randn(5, 2, 4, requires_grad=True)
    loss = rushlight.nn.CTCLoss()(x.log_softmax(-1), rushlight.ones(2, 2).long(), (5, 5), (2, 2))
    (gradient,) = rushlight.autograd.grad(loss, x, create_graph=True)
    with pytest.raises(RuntimeError, match="_ctc_loss_backward.* is not implemented"):
        gradient.sum().backward()


# ---- Many classes ----


def test_adaptive_softmax(torch: Any) -> None:
    x, rare = RNG.standard_normal((6, 8)), 5.0 * RNG.standard_normal((6, 8))

    def run(lib: Any) -> Any:
        lib.manual_seed(0)
        module = lib.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10], 2.0, True).double()
        given = lib.tensor(x, requires_grad=True)
        out, loss = module(given, lib.tensor([0, 4, 7, 12, 19, 5]))
        gradients = lib.autograd.grad(loss, [given, *module.parameters()])
        one = module(given[0], lib.tensor(11))
        return [
            out,
            loss,
            *one,
            *gradients,
            module.log_prob(given),
            module.predict(lib.tensor(rare)),
        ]

    for mine, theirs in zip(run(rushlight), run(torch), strict=True):
        assert mine.shape == theirs.shape
        np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), 1e-6, 1e-7)


# ---- Words ----


def ones(lib: Any, *size: int) -> Any:
    return lib.ones(size)


ERRORS = [
    lambda t, F: F.multi_margin_loss(ones(t, 2, 3, 4), t.tensor([0, 0])),
    lambda t, F: F.multi_margin_loss(ones(t, 2, 3), t.tensor([0, 0, 0])),
    lambda t, F: F.multi_margin_loss(ones(t, 2, 3), ones(t, 2)),
    lambda t, F: F.multi_margin_loss(ones(t, 2, 3), t.tensor([0, 3])),
    lambda t, F: F.multi_margin_loss(ones(t, 2, 3), t.tensor([0, 2]), weight=ones(t, 2)),
    lambda t, F: F.multi_margin_loss(ones(t, 2, 3), t.tensor([0, 2]), p=3),
    lambda t, F: F.multilabel_margin_loss(ones(t, 2, 3), t.tensor([[0, 0], [0, 0]])),
    lambda t, F: F.multilabel_margin_loss(ones(t, 2, 3), t.tensor([[0, 3, -1], [0, 1, 2]])),
    lambda t, F: F.multilabel_margin_loss(ones(t, 2, 0), ones(t, 2, 0)),
    lambda t, F: F.cosine_embedding_loss(ones(t, 2, 3, 1), ones(t, 2, 3, 1), ones(t, 2)),
    lambda t, F: F.triplet_margin_loss(ones(t, 3), ones(t, 3, 2), ones(t, 3)),
    lambda t, F: F.triplet_margin_loss(ones(t, 3), ones(t, 3), ones(t, 3), margin=0),
    lambda t, F: F.margin_ranking_loss(ones(t, 2), ones(t, 2), ones(t, 2, 1)),
    lambda t, F: F.soft_margin_loss(ones(t, 2), ones(t, 2), reduction="x"),
    lambda t, F: F.poisson_nll_loss(ones(t, 2), ones(t, 2), reduction="x"),
    lambda t, F: F.gaussian_nll_loss(ones(t, 2), ones(t, 2), ones(t, 2), reduction="x"),
    lambda t, F: F.gaussian_nll_loss(ones(t, 2, 3), ones(t, 2, 3), ones(t, 2, 2)),
    lambda t, F: F.cross_entropy(ones(t, 2, 3), ones(t, 2, 3), ignore_index=1),
    lambda t, F: F.linear_cross_entropy(ones(t, 2, 3), ones(t, 4, 2), t.tensor([0, 1])),
    lambda t, F: F.linear_cross_entropy(ones(t, 3), ones(t, 4, 2, 3), t.tensor([0, 1])),
    lambda t, F: F.ctc_loss(ones(t, 5, 2, 4), t.tensor([[1], [1]]), (5,), (1, 1)),
    lambda t, F: F.ctc_loss(ones(t, 5, 2, 4), t.tensor([[1], [1]]), (6, 5), (1, 1)),
    lambda t, F: F.ctc_loss(ones(t, 5, 2, 4), t.tensor([[1], [1]]), (5, 5), (2, 1)),
    lambda t, F: F.ctc_loss(ones(t, 5, 2, 4), t.tensor([1, 1, 1]), (5, 5), (1, 1)),
    lambda t, F: F.ctc_loss(ones(t, 5, 2, 4), t.tensor([[1], [1]]), (5, 5), (1, -1)),
    lambda t, F: F.ctc_loss(ones(t, 5, 2, 4), t.tensor([[1], [1]]), (5, 5), (1, 1), blank=4),
    lambda t, F: t.nn.TripletMarginLoss(margin=-1),
    lambda t, F: t.nn.MultiMarginLoss(weight=ones(t, 2, 2)),
    lambda t, F: t.nn.AdaptiveLogSoftmaxWithLoss(4, 5, [3, 2]),
    lambda t, F: t.nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2])(ones(t, 1, 4), t.tensor([5])),
]


@pytest.mark.parametrize("index", range(len(ERRORS)))
def test_errors(torch: Any, index: int) -> None:
    with pytest.raises(Exception) as theirs:
        ERRORS[index](torch, torch.nn.functional)
    with pytest.raises(theirs.type) as mine:
        ERRORS[index](rushlight, rushlight.nn.functional)
    words = str(theirs.value).split(" (while")[0].replace("torch.", "")
    assert words in str(mine.value).replace("torch.", "").replace("rushlight.", "")


WARNINGS = [
    lambda t, F: F.mse_loss(ones(t, 2, 1), ones(t, 3)),
    lambda t, F: F.smooth_l1_loss(ones(t, 2, 1), ones(t, 3)),
    lambda t, F: F.kl_div(ones(t, 2), ones(t, 2)),
    lambda t, F: F.hinge_embedding_loss(ones(t, 2), ones(t, 2), size_average=False),
    lambda t, F: F.l1_loss(ones(t, 2), ones(t, 2), reduce=False),
    lambda t, F: t.nn.NLLLoss2d()(ones(t, 2, 3), t.tensor([0, 2])),
    lambda t, F: t.nn.MultiLabelMarginLoss(reduce=True, size_average=True),
]


@pytest.mark.parametrize("index", range(len(WARNINGS)))
def test_warnings(torch: Any, index: int) -> None:
    words = []
    for lib in (rushlight, torch):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            WARNINGS[index](lib, lib.nn.functional)
        words.append([str(w.message).replace("rushlight.", "torch.") for w in seen])
    assert words[0] == words[1] != []


def test_modules_call_the_functions(torch: Any) -> None:
    x, y, z = (RNG.standard_normal((5, 4)) for _ in range(3))
    calls: list[Any] = [
        lambda t, a, b, c: t.nn.HingeEmbeddingLoss(0.5)(a[:, 0], t.tensor(SIGNS)),
        lambda t, a, b, c: t.nn.CosineEmbeddingLoss(-0.2)(a, b, t.tensor(SIGNS)),
        lambda t, a, b, c: t.nn.MultiLabelMarginLoss()(a, t.tensor(LABELS)),
        lambda t, a, b, c: t.nn.MultiLabelSoftMarginLoss(weight=b[0].abs())(a, b),
        lambda t, a, b, c: t.nn.MultiMarginLoss(2, 0.5, reduction="sum")(a, t.tensor(CLASSES)),
        lambda t, a, b, c: t.nn.TripletMarginLoss(0.5, 1, swap=True)(a, b, c),
        lambda t, a, b, c: t.nn.TripletMarginWithDistanceLoss(swap=True)(a, b, c),
        lambda t, a, b, c: t.nn.MarginRankingLoss(0.1)(a, b, c.sign()),
        lambda t, a, b, c: t.nn.SoftMarginLoss()(a, c.sign()),
    ]
    for call in calls:
        mine, theirs = (call(t, *map(t.tensor, (x, y, z))) for t in (rushlight, torch))
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), 1e-10)
    lib_losses = []
    for lib in (rushlight, torch):
        lib.manual_seed(0)
        module = lib.nn.LinearCrossEntropyLoss(4, 3, bias=True).double()
        lib_losses.append(module(lib.tensor(x), lib.tensor([0, 1, 2, 1, 0])).item())
    assert lib_losses[0] == pytest.approx(lib_losses[1], rel=1e-10)
