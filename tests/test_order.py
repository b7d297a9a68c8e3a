"""Reductions, scans, order and counting: results with names, ties, odd arguments, errors."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import numpy as np
import pytest

import rushlight
from tests.helpers import both

NAN, INF = float("nan"), float("inf")


# ---- Results with names ----

NAMED: dict[str, Any] = {
    "max": lambda t, x: t.max(x, 1),
    "min": lambda t, x: x.min(dim=0, keepdim=True),
    "median": lambda t, x: t.median(x, 1),
    "nanmedian": lambda t, x: x.nanmedian(0),
    "mode": lambda t, x: t.mode(x),
    "kthvalue": lambda t, x: t.kthvalue(x, 2),
    "sort": lambda t, x: t.sort(x, stable=True),
    "topk": lambda t, x: t.topk(x, 2),
    "cummax": lambda t, x: t.cummax(x, 1),
    "cummin": lambda t, x: x.cummin(0),
    "aminmax": lambda t, x: t.aminmax(x),
    "histogram": lambda t, x: t.histogram(x, 2),
}


@pytest.mark.parametrize("name", NAMED)
def test_named_results(name: str, torch: Any) -> None:
    data = [[3.0, 1.0, 2.0], [5.0, 6.0, 4.0]]
    mine, theirs = (NAMED[name](t, t.tensor(data)) for t in (rushlight, torch))
    assert repr(mine) == repr(theirs)
    kind = getattr(rushlight.return_types, name)
    assert type(mine) is kind and isinstance(mine, tuple)
    first, second = mine
    for field, value in zip(mine._fields, (first, second), strict=True):
        assert getattr(mine, field) is value
    for twin in (copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))):
        assert type(twin) is kind and repr(twin) == repr(mine)


# ---- Order ----

ROWS = {
    "few": (3, 20),
    "many": (2, 700),
    "some": (2, 130),
}


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float32", "float64"])
@pytest.mark.parametrize("shape", ROWS.values(), ids=ROWS)
def test_sorting_is_stable(shape: Any, dtype: str, descending: bool, rng: Any) -> None:
    """Every algorithm of the kernel: insertion, bytes, selection."""
    x = rng.integers(-4 if dtype != "uint8" else 0, 5, shape).astype(dtype)
    keys = -x.astype(np.float64) if descending else x
    expected = np.argsort(keys, 1, kind="stable")
    tensor = rushlight.from_numpy(x)
    values, indices = tensor.sort(1, descending)
    assert indices.tolist() == expected.tolist()
    assert values.tolist() == np.take_along_axis(x, expected, 1).tolist()
    assert tensor.t().argsort(0, descending).t().tolist() == expected.tolist()
    for k in (1, 7, shape[1] // 17, shape[1] // 3, shape[1]):
        assert rushlight.topk(tensor, k, 1, descending)[1].tolist() == expected[:, :k].tolist()
    for k in (1, shape[1] // 30 + 1, shape[1]):
        if not descending:
            assert tensor.kthvalue(k)[1].tolist() == expected[:, k - 1].tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_order_of_special_numbers(dtype: str) -> None:
    tiny = float(np.finfo(dtype).smallest_subnormal)
    x = np.array([NAN, 0.0, -INF, 1.0, -0.0, INF, -NAN, tiny, -tiny, -1.0], dtype)
    x = np.tile(x, 9)  # long enough for the sort by bytes
    tensor = rushlight.from_numpy(x)
    up, down = tensor.sort(), tensor.sort(descending=True)
    assert up.indices.tolist() == np.argsort(x, kind="stable").tolist()
    np.testing.assert_array_equal(up.values.numpy(), np.sort(x))
    assert np.isnan(down.values.numpy()[:18]).all()
    assert down.values[18].item() == INF
    # Zeros are equal whatever their sign, which stays.
    zeros = x[up.indices.numpy()]
    assert np.signbit(up.values.numpy()).tolist() == np.signbit(zeros).tolist()
    ties = up.indices.numpy()[zeros == 0]
    assert ties.tolist() == sorted(ties.tolist())


def test_threads_do_not_change_the_order(rng: Any) -> None:
    x = rushlight.from_numpy(rng.integers(0, 50, (300, 400)).astype(np.float32))
    results = []
    for threads in (1, 2):
        rushlight.set_num_threads(threads)
        results.append([*x.sort(0), *x.topk(3), x.cumsum(1), *x.cummax(0)])
    for alone, together in zip(*results, strict=True):
        assert rushlight.equal(alone, together)


# op, input, gradient of the sum: who gets it among equals, so that it holds without PyTorch too.
TIES: list[tuple[Any, Any, Any]] = [
    (lambda x: x.amax(), [2.0, 2.0, 1.0], [0.5, 0.5, 0]),
    (lambda x: x.amin(0), [1.0, 2.0, 1.0], [0.5, 0, 0.5]),
    (lambda x: x.max(), [2.0, 2.0, 1.0], [0.5, 0.5, 0]),
    (lambda x: x.max(0)[0], [2.0, 2.0, 1.0], [1, 0, 0]),
    (lambda x: x.min(0)[0], [1.0, 2.0, 1.0], [1, 0, 0]),
    (lambda x: x.median(), [1.0, 2.0, 2.0], [0, 0.5, 0.5]),
    (lambda x: x.median(), [1.0, NAN, 2.0, NAN], [0, 0.5, 0, 0.5]),
    (lambda x: x.median(0)[0], [1.0, NAN, 2.0, NAN], [0, 1, 0, 0]),
    (lambda x: x.mode()[0], [1.0, 1.0, 2.0], [0, 1, 0]),
    (lambda x: x.cummax(0)[0], [1.0, 1.0, 0.0], [1, 2, 0]),
    (lambda x: x.prod(), [0.0, 2.0, 3.0], [6, 0, 0]),
    (lambda x: x.prod(0), [0.0, 2.0, 0.0], [0, 0, 0]),
    (lambda x: x.cumprod(0), [2.0, 0.0, 3.0], [1, 8, 0]),
    (lambda x: x.norm(), [0.0, 0.0], [0, 0]),
    (lambda x: x.std(), [1.0, 1.0], [0, 0]),
    (lambda x: x.nansum(), [1.0, NAN], [1, 0]),
    (lambda x: x.logsumexp(0), [-INF, 0.0], [0, 1]),
    (lambda x: x.logcumsumexp(0), [-INF, 0.0, 0.0], [0, 1.5, 0.5]),
]


@pytest.mark.parametrize(("call", "x", "expected"), TIES)
def test_gradients_at_ties(call: Any, x: Any, expected: Any) -> None:
    leaf = rushlight.tensor(x, requires_grad=True)
    call(leaf).sum().backward()
    assert leaf.grad.tolist() == expected


def test_second_derivatives_of_products_with_zeros(torch: Any) -> None:
    """A quotient by the element would give 0 for both."""
    for call in (lambda x: x.prod(), lambda x: x.cumprod(0).sum()):
        hessians = []
        for t in (rushlight, torch):
            x = t.tensor([0.0, 2.0, 0.0, 3.0], requires_grad=True)
            (g,) = t.autograd.grad(call(x), x, create_graph=True)
            rows = [t.autograd.grad(g[i], x, retain_graph=True)[0].tolist() for i in range(4)]
            hessians.append(rows)
        assert hessians[0] == hessians[1]


# ---- The same calls in both libraries ----

SAME: dict[str, Any] = {
    "sum of no dims": lambda t: t.ones(2, 3).sum(()),
    "sum as int32": lambda t: t.ones(3, dtype=t.int64).sum(dtype=t.int32),
    "sum as bool": lambda t: t.ones(3).sum(dtype=t.bool),
    "mean of ints": lambda t: t.arange(3).mean(dtype=t.float64),
    "axis": lambda t: t.arange(6.0).reshape(2, 3).amax(axis=1, keepdims=True),
    "axis of max": lambda t: t.arange(6.0).reshape(2, 3).max(axis=1)[1],
    "axis of std": lambda t: t.std(t.arange(6.0).reshape(2, 3), axis=0),
    "all of no dims": lambda t: t.arange(3).all(()),
    "any of dims": lambda t: t.zeros(2, 3, 4).any((0, -1)),
    "max of two": lambda t: t.max(t.tensor([1.0, 3.0]), other=t.tensor(2.0)),
    "unbiased": lambda t: t.arange(4.0).var(False),
    "correction": lambda t: t.arange(4.0).std(0, correction=2),
    "mean of nothing": lambda t: t.zeros(0).mean(),
    "sum of nothing": lambda t: t.zeros(2, 0).sum(1),
    "prod of nothing": lambda t: t.zeros(2, 0).prod(1),
    "logsumexp of nothing": lambda t: t.zeros(2, 0).logsumexp(1),
    "logsumexp of ints": lambda t: t.arange(3).logsumexp(0),
    "median of nothing": lambda t: t.zeros(0).median(),
    "cummax of nothing": lambda t: t.zeros(2, 0).cummax(1)[1],
    "0-dim cummax": lambda t: t.cummax(t.tensor(3.0), 0)[1],
    "0-dim sort": lambda t: t.tensor(3).sort()[1],
    "0-dim topk": lambda t: t.tensor(3.0).topk(1)[0],
    "0-dim kthvalue": lambda t: t.tensor(3.0).kthvalue(1)[0],
    "0-dim mode": lambda t: t.tensor(3.0).mode()[1],
    "0-dim max": lambda t: t.tensor(3.0).max(0)[1],
    "0-dim quantile": lambda t: t.tensor(3.0).quantile(0.5, 0, True),
    "0-dim unique": lambda t: t.tensor(3.0).unique(return_inverse=True)[1],
    "0-dim cumsum": lambda t: t.tensor(True).cumsum(-1),
    "cumsum of bools": lambda t: t.tensor([True, True]).cumsum(0),
    "cumsum in place": lambda t: t.arange(4, dtype=t.int32).cumsum_(0),
    "cumprod as float": lambda t: t.arange(1, 4).cumprod(0, dtype=t.float64),
    "renorm in place": lambda t: t.ones(2, 3).renorm_(1, 0, 2),
    "quantile of nan": lambda t: t.tensor([1.0, NAN]).quantile(0.5),
    "quantiles": lambda t: t.arange(6.0).reshape(2, 3).quantile(t.tensor([0.1, 0.9]), 1, True),
    "quantiles of all": lambda t: t.arange(6.0).reshape(2, 3).quantile(t.tensor([0.1]), None, True),
    "nanquantile of nan": lambda t: t.tensor([NAN, NAN]).nanquantile(0.5),
    "unique of nan": lambda t: t.tensor([NAN, 1.0, NAN]).unique(),
    "unique of nothing": lambda t: t.zeros(0, 3).unique(dim=0),
    "unique along 1": lambda t: t.tensor([[[1, 0], [1, 0]], [[2, 1], [2, 1]]]).unique(dim=1),
    "bincount of ints": lambda t: t.tensor([1, 1]).bincount(t.tensor([1, 2])),
    "bincount of nothing": lambda t: t.zeros(0, dtype=t.int64).bincount(minlength=2),
    "histc of one value": lambda t: t.ones(3).histc(4),
    "histc of nothing": lambda t: t.zeros(0).histc(4),
    "histogram of one value": lambda t: t.ones(3).histogram(2)[1],
    "histogram with weights": lambda t: t.histogram(
        t.arange(3.0), 2, range=(0.0, 1.5), weight=t.tensor([2.0, 3.0, 4.0]))[0],
    "histogramdd": lambda t: t.histogramdd(t.eye(2), 2).bin_edges[1],
    "searchsorted of a number": lambda t: t.searchsorted(t.arange(3.0), 1.0),
    "searchsorted with sorter": lambda t: t.searchsorted(
        t.tensor([2, 1]), t.tensor([1, 2]), sorter=t.tensor([1, 0]), out_int32=True),
    "bucketize of a number": lambda t: t.bucketize(1.5, t.arange(3.0), right=True),
    "isin of a number": lambda t: t.isin(2, t.tensor([1, 2])),
    "corrcoef of one variable": lambda t: t.arange(3.0).corrcoef(),
    "cov of ints": lambda t: t.tensor([[1, 2, 3], [3, 1, 2]]).cov(),
    "trapezoid of ints": lambda t: t.trapezoid(t.arange(4), dx=2),
    "trapezoid of nothing": lambda t: t.trapezoid(t.zeros(3, 0)),
    "diff of none": lambda t: t.arange(3).diff(0),
    "diff beyond": lambda t: t.arange(3).diff(5),
}  # fmt: skip


@pytest.mark.parametrize("call", SAME.values(), ids=SAME)
def test_the_same_as_pytorch(call: Any, torch: Any) -> None:
    both(torch, call)


@pytest.mark.parametrize("name", ["var", "std", "var_mean", "std_mean"])
def test_variance_of_one_number(name: str, torch: Any) -> None:
    for t in (torch, rushlight):
        with pytest.warns(UserWarning, match=rf"^{name}\(\): degrees of freedom is <= 0"):
            result = getattr(t, name)(t.ones(1))
        assert np.isnan((result[0] if isinstance(result, tuple) else result).item())


# ---- Errors ----

OUT_OF_RANGE = "Dimension out of range (expected to be in range of [-1, 0], but got 3)"
ERRORS: dict[str, tuple[Any, type[Exception], str]] = {
    **{
        name: (lambda t, n=name: getattr(t, n)(t.zeros(3), 3), IndexError, OUT_OF_RANGE)
        for name in (
            *("amax", "any", "argmax", "argsort", "cummax", "cumprod", "cumsum", "logcumsumexp"),
            *("logsumexp", "max", "mean", "median", "mode", "nansum", "prod", "sort", "std", "sum"),
        )
    },
    "dim twice": (lambda t: t.zeros(2).std((0, 0)), RuntimeError, "dim 0 appears multiple times"),
    "max of nothing": (
        lambda t: t.zeros(0).max(),
        RuntimeError,
        "max(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
        "reduction dim with the 'dim' argument.",
    ),
    "amin of nothing": (
        lambda t: t.zeros(0).amin(), RuntimeError, "amin(): Expected reduction dim to be specified"
    ),
    "amin along nothing": (lambda t: t.zeros(2, 0).amin(1), IndexError, "amin(): Expected reduc"),
    "aminmax of nothing": (
        lambda t: t.zeros(0).aminmax(), RuntimeError, "aminmax(): cannot compute aminmax over an e"
    ),
    **{
        f"{name} along nothing": (
            lambda t, n=name: getattr(t, n)(t.zeros(2, 0), dim=1),
            IndexError,
            f"{name}(): Expected reduction dim 1 to have non-zero size.",
        )
        for name in ("argmax", "max", "median", "min", "mode")
    },
    "argmax of bools": (
        lambda t: t.ones(2).bool().argmax(), RuntimeError, "argmax(): does not support bool input"
    ),
    "mean as int": (
        lambda t: t.zeros(3).mean(dtype=t.int64), RuntimeError,
        "mean(): could not infer output dtype. Optional dtype must be either a floating point or "
        "complex dtype. Got: Long",
    ),
    "nanmean of ints": (lambda t: t.arange(3).nanmean(), RuntimeError, "nanmean(): expected input"),
    "prod over dims": (lambda t: t.zeros(2, 3).prod((0, 1)), TypeError, "prod()"),
    "max of a float": (lambda t: t.max(t.zeros(3), 2.0), TypeError, "max() received an invalid"),
    "both corrections": (
        lambda t: t.zeros(3).std(unbiased=True, correction=1), TypeError, "std() received an inval"
    ),
    "topk": (lambda t: t.zeros(3).topk(4), RuntimeError, "selected index k out of range"),
    "kthvalue": (
        lambda t: t.zeros(2, 3).kthvalue(0), RuntimeError,
        "kthvalue(): selected number k out of range for dimension 1",
    ),
    "logcumsumexp of ints": (
        lambda t: t.arange(3).logcumsumexp(0), NotImplementedError, '"logcumsumexp'
    ),
    "diff of a number": (
        lambda t: t.tensor(1.0).diff(), RuntimeError, "diff expects input to be at least one-dimen"
    ),
    "trapezoid": (
        lambda t: t.trapezoid(t.zeros(3), t.zeros(4)), RuntimeError,
        "trapezoid: There must be one `x` value for each sample point",
    ),
    "quantile of nothing": (
        lambda t: t.zeros(0).quantile(0.5), RuntimeError, "quantile() input tensor must be non-emp"
    ),
    "quantile beyond": (
        lambda t: t.zeros(3).quantile(1.5), RuntimeError,
        "quantile() q must be in the range [0, 1] but got 1.5",
    ),
    "quantile of ints": (
        lambda t: t.arange(3).quantile(0.5), RuntimeError, "quantile() input tensor must be either"
    ),
    "cov of a cube": (
        lambda t: t.zeros(1, 1, 1).cov(), RuntimeError,
        "cov(): expected input to have two or fewer dimensions but got an input with 3 dimensions",
    ),
    "renorm of a vector": (
        lambda t: t.zeros(3).renorm(2, 0, 1), RuntimeError, "renorm: input needs at least 2 dimens"
    ),
    "bincount of floats": (
        lambda t: t.zeros(3).bincount(), NotImplementedError,
        "\"bincount_cpu\" not implemented for 'Float'",
    ),
    "bincount of negatives": (
        lambda t: t.tensor([-1]).bincount(), RuntimeError, "bincount only supports 1-d non-negativ"
    ),
    "histc backwards": (
        lambda t: t.zeros(2).histc(3, 2, 1), RuntimeError, "torch.histc: max must be larger than m"
    ),
    "histc of inf": (
        lambda t: t.tensor([1.0, INF]).histc(3), RuntimeError,
        "torch.histc: range of [1, inf] is not finite",
    ),
    "searchsorted": (
        lambda t: t.searchsorted(t.zeros(3), 1.0, side="left", right=True), RuntimeError,
        "torch.searchsorted(): side and right can't be set to opposites",
    ),
    "isin": (lambda t: t.isin(1, 2), TypeError, "isin() received an invalid combination"),
    "unique of a number": (
        lambda t: t.tensor(3.0).unique(dim=0), IndexError,
        "Dimension specified as 0 but tensor has no dimensions",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "words"), ERRORS.values(), ids=ERRORS)
def test_errors(call: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match="^" + re.escape(words)):
        call(rushlight)


@pytest.mark.parametrize(("call", "kind", "words"), ERRORS.values(), ids=ERRORS)
def test_errors_are_those_of_pytorch(call: Any, kind: Any, words: str, torch: Any) -> None:
    with pytest.raises(kind, match="^" + re.escape(words)):
        call(torch)
