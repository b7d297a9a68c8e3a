"""The rows of reductions, scans, order, statistics and counting; see op_cases.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from case import ALL, NUMERIC, case, distinct, signed

CUBES = (((2, 3, 4),), ((5, 1, 3),), ((70, 2),))
WITH_NONE = (*CUBES, ((2, 0, 3),))


def zeros_among(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of which about a third are 0."""
    return signed(0.5, 1.5)(rng, shape) * rng.integers(0, 3, shape).astype(bool)


def nan_among(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Distinct numbers, some of them NaN."""
    return np.where(rng.integers(0, 5, shape) == 0, np.nan, distinct(rng, shape))


# ---- References ----


def flipped(scan: Any, x: Any, dim: int) -> Any:
    return np.flip(scan(np.flip(x, dim), dim), dim)


def last_place(x: Any, ufunc: Any, dim: int) -> Any:
    """Where the extreme so far is: the last of equal ones."""
    place = np.arange(x.shape[dim]).reshape([-1 if d == dim % x.ndim else 1 for d in range(x.ndim)])
    return np.maximum.accumulate(np.where(x == ufunc.accumulate(x, dim), place, 0), dim)


def recurrence(factor: Any, term: Any, dim: int, reverse: bool) -> Any:
    a, b = np.moveaxis(factor, dim, 0), np.moveaxis(term, dim, 0)
    out = b.copy()
    for i in range(len(b) - 2, -1, -1) if reverse else range(1, len(b)):
        out[i] += a[i + 1] * out[i + 1] if reverse else a[i] * out[i - 1]
    return np.moveaxis(out, 0, dim)


def shifted(x: Any, steps: int) -> Any:
    """Along the first dimension, with 3 moving in."""
    fill = np.full_like(x[: min(abs(steps), len(x))], 3)
    return np.concatenate([fill, x[:-steps]] if steps > 0 else [x[-steps:], fill])


def order(x: Any, dim: int, descending: bool) -> Any:
    """Stable."""
    if not descending:
        return np.argsort(x, dim, kind="stable")
    return np.flip(x.shape[dim] - 1 - np.argsort(np.flip(x, dim), dim, kind="stable"), dim)


def in_order(x: Any, dim: int, descending: bool) -> Any:
    return np.take_along_axis(x, order(x, dim, descending), dim)


def lower_median(x: Any, dim: int) -> Any:
    return np.sort(x, dim).take((x.shape[dim] - 1) // 2, dim)


def lower_nanmedian(x: Any, dim: int) -> Any:
    with np.errstate(all="ignore"):
        return np.nanquantile(x, 0.5, dim, method="lower")


def most_frequent(x: Any, dim: int) -> Any:
    """The least of the most frequent ones."""

    def of_row(row: Any) -> Any:
        values, counts = np.unique(row, return_counts=True)
        return values[counts.argmax()]

    return np.apply_along_axis(of_row, dim, x)


def logsumexp(x: Any, dim: Any) -> Any:
    return np.log(np.exp(x).sum(dim))


# ---- Reductions ----

for label, op, reference, run, options in [
    ("all", "nansum", lambda x: np.nansum(x), lambda t, x: t.nansum(x), {}),
    ("dims", "nansum", lambda x: np.nansum(x, (0, 2), keepdims=True),
     lambda t, x: t.nansum(x, (0, 2), True), {}),
    ("1", "nanmean", lambda x: np.nansum(x, 1) / (~np.isnan(x)).sum(1),
     lambda t, x: x.nanmean(1), {}),
    ("-1", "logsumexp", lambda x: logsumexp(x, -1), lambda t, x: x.logsumexp(-1), {}),
    ("dims", "logsumexp", lambda x: logsumexp(x, (0, 1)), lambda t, x: t.logsumexp(x, (0, 1)), {}),
    ("large", "logsumexp", lambda x: logsumexp(x, 0) + 900,
     lambda t, x: t.logsumexp(x + 900, 0), {"dtypes": ("float64",)}),
    ("", "count_nonzero", np.count_nonzero, lambda t, x: t.count_nonzero(x),
     {"dtypes": ALL, "result": "int64"}),
    ("dims", "count_nonzero", lambda x: (x != 0).sum((0, 2)),
     lambda t, x: t.count_nonzero(x, (0, 2)), {"dtypes": ALL, "result": "int64"}),
    ("min", "aminmax", np.min, lambda t, x: t.aminmax(x).min, {"dtypes": ALL}),
    ("max", "aminmax", lambda x: x.max(1, keepdims=True),
     lambda t, x: x.aminmax(dim=1, keepdim=True).max, {"dtypes": ALL}),
    ("", "max_all", np.max, lambda t, x: t.max(x), {"dtypes": ALL}),
    ("", "min_all", np.min, lambda t, x: t.min(x), {"dtypes": ALL}),
    ("", "max_dim", lambda x: x.argmax(1), lambda t, x: t.max(x, 1).indices,
     {"dtypes": NUMERIC, "result": "int64"}),
    ("", "min_dim", lambda x: x.argmin(0), lambda t, x: x.min(0).indices,
     {"dtypes": NUMERIC, "result": "int64"}),
]:  # fmt: skip
    domain = nan_among if op.startswith("nan") else distinct
    options.setdefault("smooth", domain is not nan_among)
    case(op, reference, (((2, 3, 4),), ((5, 1, 3),)), domain, run=run, label=label, **options)
for op, run in {
    "prod": lambda t, x: x.prod(1, True),
    "prod_dim": lambda t, x: t.prod(x, 1, True),
}.items():
    case(op, lambda x: x.prod(1, keepdims=True), WITH_NONE, zeros_among, run=run, label="zeros")
case("prod_all", np.prod, CUBES[:2], zeros_among, run=lambda t, x: t.prod(x), label="zeros")
case("sum", lambda x: x.sum(1), CUBES, run=lambda t, x: x.sum(axis=1), label="axis")

# ---- Scans ----

for dim in (0, -1):
    integers = {"dtypes": ALL, "integers": (0, 3), "result": "sum"}
    case("cumsum", lambda x, d=dim: x.cumsum(d), WITH_NONE, kwargs={"dim": dim}, **integers)
    case("cumprod", lambda x, d=dim: x.cumprod(d), WITH_NONE, zeros_among, kwargs={"dim": dim},
         **integers)  # fmt: skip
    case("logcumsumexp", np.logaddexp.accumulate if dim == 0 else
         lambda x: np.logaddexp.accumulate(x, -1), WITH_NONE, kwargs={"dim": dim})  # fmt: skip
    for op, ufunc in {"cummax": np.maximum, "cummin": np.minimum}.items():
        case(op, lambda x, u=ufunc, d=dim: u.accumulate(x, d), WITH_NONE, distinct, dtypes=ALL,
             run=lambda t, x, n=op, d=dim: getattr(t, n)(x, d).values, label=f"{dim}")  # fmt: skip
        case(op.replace("cum", "running_"), lambda x, u=ufunc, d=dim: last_place(x, u, d), CUBES,
             dtypes=ALL, result="int64", label=f"{dim}",
             run=lambda t, x, n=op, d=dim: getattr(t, n)(x, d).indices)  # fmt: skip
    for reverse in (False, True):
        kwargs: dict[str, Any] = {"dim": dim, "reverse": reverse}
        for op, scan in {"running_sum": np.cumsum, "running_product": np.cumprod}.items():
            case(op, lambda x, s=scan, d=dim, r=reverse: flipped(s, x, d) if r else s(x, d),
                 CUBES, zeros_among, torch=None, kwargs=kwargs)  # fmt: skip
        case("recurrence", lambda a, b, d=dim, r=reverse: recurrence(a, b, d, r),
             (((3, 4), (3, 4)), ((5, 1), (5, 1))), torch=None, kwargs=kwargs)  # fmt: skip
for steps in (1, -2, 7):
    case("shifted", lambda x, s=steps: shifted(x, s), CUBES[:1], torch=None,
         kwargs={"dim": 0, "steps": steps, "fill": 3.0})  # fmt: skip
for label, op, reference, run in [
    ("", "diff", lambda x: np.diff(x), lambda t, x: t.diff(x)),
    ("2, 0", "diff", lambda x: np.diff(x, 2, 0), lambda t, x: x.diff(2, 0)),
    ("", "trapezoid", lambda y: np.trapezoid(y), lambda t, y: t.trapezoid(y)),
    ("dx", "trapezoid", lambda y: np.trapezoid(y, dx=0.5, axis=0),
     lambda t, y: t.trapezoid(y, dx=0.5, dim=0)),
    ("x", "trapezoid", lambda y: np.trapezoid(y, y[0, 0]), lambda t, y: t.trapezoid(y, y[0, 0])),
    ("x, 1", "trapz",
     lambda y: ((y[:, 1:] + y[:, :-1]) / 2 * np.diff(y[0, :, :1], axis=0)).sum(1),
     lambda t, y: t.trapz(y, y[0, :, :1], dim=1)),
    ("", "cumulative_trapezoid", lambda y: ((y[..., 1:] + y[..., :-1]) / 2).cumsum(-1),
     lambda t, y: t.cumulative_trapezoid(y)),
]:  # fmt: skip
    case(op, reference, (((2, 3, 4),), ((5, 1, 3),)), run=run, label=label)
case("diff", lambda x: x[:, 1:] ^ x[:, :-1], (((3, 4),),), dtypes=("bool",), label="bool")
case("diff", lambda x, y: np.diff(np.concatenate([y, x, y])), (((3,), (2,)),),
     run=lambda t, x, y: t.diff(x, prepend=y, append=y), label="prepend, append")  # fmt: skip

# ---- Order ----

# Where rows are repeated all along dimension 0, PyTorch takes any of the equal elements.
TIES_ARE_OPEN: dict[int, str | None] = {0: None, -1: ""}
LONG = (((2, 3, 4),), ((5, 2, 3),), ((600, 2),), ((2, 600),))
for dim in (0, -1):
    for down in (False, True):
        label = f"{dim}, {down}"
        case("sort", lambda x, d=dim, o=down: in_order(x, d, o), (*LONG, ((2, 0, 3),)), distinct,
             run=lambda t, x, d=dim, o=down: t.sort(x, dim=d, descending=o, stable=True).values,
             dtypes=ALL,
             label=label)  # fmt: skip
        case("argsort", lambda x, d=dim, o=down: order(x, d, o), LONG, dtypes=NUMERIC,
             result="int64", kwargs={"dim": dim, "descending": down, "stable": True})  # fmt: skip
        case("topk", lambda x, d=dim, o=down: in_order(x, d, o).take((0, 1), d), LONG, distinct,
             run=lambda t, x, d=dim, o=down: t.topk(x, 2, d, o).values, dtypes=NUMERIC,
             torch=TIES_ARE_OPEN[dim], label=label)  # fmt: skip
    for op, reference, run, options in [
        ("kthvalue", lambda x, d=dim: np.sort(x, d).take(1, d),
         lambda t, x, d=dim: x.kthvalue(2, d), {}),
        ("median", lambda x, d=dim: lower_median(x, d), lambda t, x, d=dim: t.median(x, d), {}),
        ("nanmedian", lambda x, d=dim: lower_median(x, d), lambda t, x, d=dim: x.nanmedian(d), {}),
        ("mode", lambda x, d=dim: most_frequent(x, d), lambda t, x, d=dim: t.mode(x, d),
         {"integers": (0, 3)}),
    ]:  # fmt: skip
        case(op, reference, LONG, distinct, run=lambda t, x, f=run: f(t, x).values,
             torch=TIES_ARE_OPEN[dim] if op in ("kthvalue", "mode") else "",
             dtypes=NUMERIC, label=f"{dim}", **options)  # fmt: skip
    for method in ("linear", "lower", "higher", "midpoint", "nearest"):
        case("quantile", lambda x, d=dim, m=method: np.quantile(x, (0.2, 0.75), d, method=m),
             LONG[:2], distinct, label=f"{dim}, {method}",
             run=lambda t, x, d=dim, m=method: t.quantile(
                 x, t.tensor([0.2, 0.75], dtype=x.dtype), d, interpolation=m))  # fmt: skip
MATRIX = (((3, 4),), ((5, 1),))
for label, op, reference, run, options in [
    ("", "msort", lambda x: np.sort(x, 0), lambda t, x: t.msort(x), {}),
    ("", "ordered", lambda x: np.sort(x, 1), lambda t, x: t.ordered(x, 1, False)[0], {}),
    ("", "first_places", lambda x: np.sort(x, 1)[:, :1],
     lambda t, x: t.first_places(x, 1, 1, False)[0], {}),
    ("", "kth_place", lambda x: np.sort(x, 1)[:, :1], lambda t, x: t.kth_place(x, 1, 1, True)[0],
     {}),
    ("", "median_all", lambda x: lower_median(x.reshape(-1), 0), lambda t, x: t.median_all(x), {}),
    ("", "nanmedian_all", lambda x: lower_median(x.reshape(-1), 0),
     lambda t, x: t.nanmedian_all(x), {}),
    ("", "median_dim", lambda x: np.sort(x, 0)[(len(x) - 1) // 2][None],
     lambda t, x: t.median_dim(x, 0, True)[0], {}),
    ("", "nanmedian_dim", lambda x: lower_median(x, 0),
     lambda t, x: t.nanmedian_dim(x, 0, False)[0], {}),
    ("", "mode_along", lambda x: np.min(x, 1, keepdims=True),
     lambda t, x: t.mode_along(x, 1, True)[0], {}),
]:  # fmt: skip
    case(op, reference, MATRIX, distinct, run=run, label=label, torch=None if op != "msort" else "",
         **options)  # fmt: skip
for label, op, reference, run in [
    ("all", "median", lambda x: lower_median(x.reshape(-1), 0), lambda t, x: t.median(x)),
    ("all", "quantile", lambda x: np.quantile(x, 0.4), lambda t, x: t.quantile(x, 0.4)),
    ("keepdim", "quantile", lambda x: np.quantile(x, 0.4, 0, keepdims=True),
     lambda t, x: x.quantile(0.4, 0, keepdim=True)),
]:  # fmt: skip
    case(op, reference, MATRIX, distinct, run=run, label=label)
for label, op, reference, run in [
    ("all, nan", "nanmedian", lambda x: lower_nanmedian(x.reshape(-1), 0),
     lambda t, x: t.nanmedian(x)),
    ("nan", "nanmedian", lambda x: lower_nanmedian(x, 1), lambda t, x: t.nanmedian(x, 1).values),
    ("", "nanquantile", lambda x: np.nanquantile(x, 0.4, 1),
     lambda t, x: t.nanquantile(x, 0.4, dim=1)),
    ("nan", "median", lambda x: np.where(np.isnan(x).any(0), np.nan, lower_median(x, 0)),
     lambda t, x: t.median(x, 0).values),
    ("nan", "sort", lambda x: np.sort(x, 1), lambda t, x: t.sort(x).values),
]:  # fmt: skip
    case(op, reference, (((6, 9),),), nan_among, run=run, label=label, smooth=False)

# ---- Statistics ----

for label, op, reference, run in [
    ("", "std_mean", lambda x: x.std(1, ddof=1), lambda t, x: t.std_mean(x, 1)[0]),
    ("mean", "std_mean", np.mean, lambda t, x: t.std_mean(x, correction=0)[1]),
    ("", "var_mean", lambda x: x.var(0), lambda t, x: t.var_mean(x, 0, False)[0]),
    ("", "cov", np.cov, lambda t, x: t.cov(x)),
    ("0", "cov", lambda x: np.cov(x, ddof=0), lambda t, x: x.cov(correction=0)),
    ("fweights", "cov", lambda x: np.cov(x, fweights=(2, 1, 3, 0)),
     lambda t, x: t.cov(x, fweights=t.tensor([2, 1, 3, 0]))),
    ("aweights", "cov", lambda x: np.cov(x, aweights=(2.0, 1.0, 3.0, 0.5)),
     lambda t, x: t.cov(x, aweights=t.tensor([2.0, 1.0, 3.0, 0.5], dtype=x.dtype))),
    ("vector", "cov", lambda x: np.cov(x[0]), lambda t, x: t.cov(x[0])),
    ("", "corrcoef", np.corrcoef, lambda t, x: t.corrcoef(x)),
    ("", "renorm", lambda x: x * np.minimum(1, 1.5 / (np.abs(x).sum(0) + 1e-7)),
     lambda t, x: t.renorm(x, 1, 1, 1.5)),
]:  # fmt: skip
    domain = signed(0.2, 1) if op == "renorm" else distinct
    case(op, reference, (((3, 4),),), domain, run=run, label=label)
for p in (0, 0.5, -math.inf):
    case("norm", lambda x, p=p: np.linalg.norm(x, p, 1), (((3, 4),),), kwargs={"p": p, "dim": 1},
         smooth=p != 0, torch="" if p else None)  # fmt: skip

# ---- Counting ----


def runs(x: Any) -> Any:
    return x[np.concatenate([[True], x[1:] != x[:-1]])]


EDGES = (-1.0, 0.0, 0.5, 1.0)
for label, op, reference, run, options in [
    ("", "unique", np.unique, lambda t, x: t.unique(x), {"result": "same"}),
    ("inverse", "unique", lambda x: np.unique(x, return_inverse=True)[1].reshape(x.shape),
     lambda t, x: x.unique(return_inverse=True)[1], {}),
    ("counts", "unique", lambda x: np.unique(x, return_counts=True)[1],
     lambda t, x: t.unique(x, return_counts=True)[1], {}),
    ("dim", "unique", lambda x: np.unique(x, axis=1), lambda t, x: t.unique(x, dim=1),
     {"result": "same"}),
    ("dim, inverse", "unique", lambda x: np.unique(x, axis=0, return_inverse=True)[1].reshape(-1),
     lambda t, x: t.unique(x, dim=0, return_inverse=True)[1], {}),
    ("", "unique_consecutive", lambda x: runs(x.reshape(-1)),
     lambda t, x: x.unique_consecutive(), {"result": "same"}),
    ("", "isin", lambda x: np.isin(x, 1), lambda t, x: t.isin(x, 1), {"result": "bool"}),
    ("inverted", "isin", lambda x: ~np.isin(x, x[0]), lambda t, x: t.isin(x, x[0], invert=True),
     {"result": "bool"}),
]:  # fmt: skip
    options = {"result": "int64", **options}
    case(op, reference, (((6, 3),), ((1, 4),)), run=run, label=label, integers=(0, 3), smooth=False,
         dtypes=("int64", "uint8", "bool")[: 2 if op == "isin" else 3], **options)  # fmt: skip
for label, op, reference, run, options in [
    ("", "histc", lambda x: np.histogram(x, 4, (-1, 1))[0],
     lambda t, x: t.histc(x, 4, -1, 1), {"result": "same"}),
    ("range", "histc", lambda x: np.histogram(x, 3)[0], lambda t, x: t.histc(x, 3),
     {"result": "same"}),
    ("", "histogram", lambda x: np.histogram(x, 3, density=True)[0],
     lambda t, x: t.histogram(x, 3, density=True).hist, {"result": "same"}),
    ("edges", "histogram", lambda x: np.histogram(x, EDGES)[0],
     lambda t, x: t.histogram(x, t.tensor(EDGES, dtype=x.dtype)).hist, {"result": "same"}),
    ("", "histogramdd", lambda x: np.histogramdd(x, (2, 3, 2, 1), [(-2, 1.5)] * 4)[0],
     lambda t, x: t.histogramdd(x, [2, 3, 2, 1], [-2.0, 1.5] * 4).hist, {"result": "same"}),
    ("", "bucketize", lambda x: np.searchsorted(EDGES, x),
     lambda t, x: t.bucketize(x, t.tensor(EDGES, dtype=x.dtype)), {}),
    ("", "searchsorted", lambda x: np.searchsorted(EDGES, x, "right"),
     lambda t, x: t.searchsorted(t.tensor(EDGES, dtype=x.dtype), x, side="right"), {}),
    ("rows", "searchsorted",
     lambda x: np.stack([np.searchsorted(np.sort(r), 2 * r) for r in x.reshape(-1, x.shape[-1])]),
     lambda t, x: t.searchsorted(x.sort()[0], 2 * x), {}),
]:  # fmt: skip
    options = {"result": "int64", **options}
    case(op, reference, (((7, 4),),), run=run, label=label, smooth=False, **options)
case("bincount", lambda x: np.bincount(x, minlength=5), (((9,),), ((0,),)),
     dtypes=("int64", "uint8"), integers=(0, 7), result="int64",
     kwargs={"minlength": 5})  # fmt: skip
case("bincount", lambda w: np.bincount([1, 4, 1], w), (((3,),),), result="same", smooth=False,
     run=lambda t, w: t.bincount(t.tensor([1, 4, 1]), w.detach()), label="weights")  # fmt: skip
