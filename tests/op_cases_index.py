"""The rows of the ops that read and write elements by index; see op_cases.py."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from case import NUMERIC, case, distinct, signed

from rushlight.ops.index import Indices

CUBE = (((2, 3, 4),),)
MASK = np.arange(24).reshape(2, 3, 4) % 3 == 0


def tensors(t: Any, array: Any) -> Any:
    """A constant of either library."""
    return t.from_numpy(np.array(array))


# ---- One index for each element ----

ALONG = {
    0: np.array([[[1, 0, 1, 1]] * 3]),
    1: np.array([[[2, 0, 2, 1]] * 2, [[0, 0, 1, 2]] * 2]),
    2: np.array([[[3, 3, 0, 1, 3]] * 3] * 2),
}
# Without repeated places, where a plain scatter is defined.
ONCE = {1: np.array([[[2, 0, 2, 1], [1, 1, 0, 0]], [[0, 0, 1, 2], [1, 2, 2, 1]]])}


def taken(x: Any, index: Any, dim: int) -> Any:
    smaller = x[tuple(slice(n if d != dim else None) for d, n in enumerate(index.shape))]
    return np.take_along_axis(smaller, index, dim)


def scattered(x: Any, index: Any, dim: int, src: Any, combine: Any) -> Any:
    out = np.array(x)
    for place in np.ndindex(index.shape):
        target = (*place[:dim], index[place], *place[dim + 1 :])
        out[target] = combine(out[target], src[place] if np.ndim(src) else src)
    return out


def reduced(x: Any, index: Any, dim: int, src: Any, reduce: str, include_self: bool) -> Any:
    """By the values that each place has."""
    lists: dict[Any, list[Any]] = {}
    for place in np.ndindex(index.shape):
        target = (*place[:dim], index[place], *place[dim + 1 :])
        lists.setdefault(target, []).append(src[place])
    out = np.array(x)
    function = {"sum": np.sum, "prod": np.prod, "mean": np.mean, "amax": np.max, "amin": np.min}
    for target, values in lists.items():
        every = [*values, out[target]] if include_self else values
        out[target] = function[reduce](every)
    return out


for dim, index in ALONG.items():
    case("gather", lambda x, i=index, d=dim: taken(x, i, d), CUBE, label=f"{dim}", dtypes=NUMERIC,
         run=lambda t, x, i=index, d=dim: t.gather(x, d, tensors(t, i)))  # fmt: skip
    case("scatter_add", lambda x, v, i=index, d=dim: scattered(x, i, d, v, lambda a, b: a + b),
         (((2, 3, 4), index.shape),), label=f"{dim}", dtypes=NUMERIC,
         run=lambda t, x, v, i=index, d=dim: t.scatter_add(x, d, tensors(t, i), v))  # fmt: skip
for dim, index in ONCE.items():
    case("scatter", lambda x, v, i=index, d=dim: scattered(x, i, d, v, lambda a, b: b),
         (((2, 3, 4), (2, 2, 4)),), label=f"{dim}",
         run=lambda t, x, v, i=index, d=dim: t.scatter(x, d, tensors(t, i), v))  # fmt: skip
    case("scatter", lambda x, i=index, d=dim: scattered(x, i, d, 7.0, lambda a, b: b), CUBE,
         run=lambda t, x, i=index, d=dim: x.scatter(d, tensors(t, i), value=7.0),
         label=f"{dim}, number")  # fmt: skip
# PyTorch has no gradient for a source that is larger than its index.
case("scatter_add", lambda x, v: scattered(x, ALONG[1], 1, v, lambda a, b: a + b), torch=None,
     shapes=(((2, 3, 4), (3, 3, 5)),), label="larger",
     run=lambda t, x, v: t.scatter_add(x, 1, t.tensor(ALONG[1]), v))  # fmt: skip
case("scatter", lambda x, v: scattered(x, ONCE[1], 1, v, lambda a, b: b), torch=None,
     shapes=(((2, 3, 4), (3, 2, 5)),), label="larger",
     run=lambda t, x, v: t.scatter(x, 1, t.tensor(ONCE[1]), v))  # fmt: skip
case("scatter_reduce", lambda x, v: reduced(x, ALONG[1], 1, v, "prod", True), torch=None,
     shapes=(((2, 3, 4), (2, 3, 5)),), label="larger",
     run=lambda t, x, v: t.scatter_reduce(x, 1, t.tensor(ALONG[1]), v, "prod"))  # fmt: skip


def quietly(run: Any) -> Any:
    """PyTorch warns that index_reduce may change."""

    def call(t: Any, *operands: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return run(t, *operands)

    return call


def index_reduce(name: str, *arguments: Any, **kwargs: Any) -> Any:
    """The call, out of place or in place."""

    def run(t: Any, x: Any, v: Any) -> Any:
        rows = t.tensor(REDUCED_ROWS)
        if name == "index_reduce":
            return t.index_reduce(x, 0, rows, v, *arguments, **kwargs)
        return x.clone().index_reduce_(0, rows, v, *arguments, **kwargs)

    return run


REDUCED_ROWS = np.array([2, 0, 2, 2])
for reduce in ("sum", "prod", "mean", "amax", "amin"):
    for own in (True, False):
        kwargs = {"include_self": own}
        case("scatter_reduce",
             lambda x, v, r=reduce, o=own: reduced(x, ALONG[1], 1, v, r, o),
             (((2, 3, 4), (2, 2, 4)),), distinct, signed(0.5, 2),
             run=lambda t, x, v, r=reduce, k=kwargs:
             t.scatter_reduce(x, 1, tensors(t, ALONG[1]), v, r, **k),
             label=f"{reduce}, {own}")  # fmt: skip
        if reduce != "sum":
            every = np.broadcast_to(REDUCED_ROWS[:, None], (4, 2))
            for name in ("index_reduce", "index_reduce_in_place"):
                run = index_reduce(name, reduce, **kwargs)
                case(name, lambda x, v, r=reduce, o=own, e=every: reduced(x, e, 0, v, r, o),
                     (((3, 2), (4, 2)),), distinct, signed(0.5, 2), run=run,
                     torch=quietly(run), label=f"{reduce}, {own}")  # fmt: skip
PLACES = np.array([[3, -1], [3, 7]])
case("take", lambda x: x.reshape(-1)[PLACES], CUBE, dtypes=NUMERIC,
     run=lambda t, x: t.take(x, tensors(t, PLACES)))  # fmt: skip


def put(x: Any, source: Any, accumulate: bool) -> Any:
    out = x.reshape(-1).copy()
    places = PLACES.reshape(-1) % 24
    if accumulate:
        np.add.at(out, places, source.reshape(-1))
    else:
        out[places[1:]] = source.reshape(-1)[1:]
    return out.reshape(x.shape)


case("put", lambda x, v: put(x, v, True), (((2, 3, 4), (2, 2)),), label="accumulate",
     run=lambda t, x, v: t.put(x, tensors(t, PLACES), v, True))  # fmt: skip
case("put", lambda x, v: put(x, np.concatenate([[[0]], v], 1), False), (((2, 3, 4), (1, 3)),),
     run=lambda t, x, v: x.put(tensors(t, PLACES.reshape(-1)[1:]), v))  # fmt: skip

# ---- Slices ----

ROWS = np.array([2, 0, 2])
case("index_select", lambda x: x[:, ROWS], CUBE, dtypes=NUMERIC,
     run=lambda t, x: t.index_select(x, 1, tensors(t, ROWS)))  # fmt: skip


def added(x: Any, v: Any, alpha: float) -> Any:
    out = x.copy()
    np.add.at(out, (slice(None), ROWS), v * alpha)
    return out


def written(x: Any, rows: Any, v: Any) -> Any:
    out = x.copy()
    out[:, rows] = v
    return out


case("index_add", lambda x, v: added(x, v, 1), (((2, 3, 4), (2, 3, 4)),), dtypes=NUMERIC,
     run=lambda t, x, v: t.index_add(x, 1, tensors(t, ROWS), v))  # fmt: skip
case("index_add", lambda x, v: added(x, v, 2.5), (((2, 3, 4), (2, 3, 4)),), label="alpha",
     run=lambda t, x, v: x.index_add(-2, tensors(t, ROWS), v, alpha=2.5))  # fmt: skip
case("index_copy", lambda x, v: written(x, ROWS[:2], v), (((2, 3, 4), (2, 2, 4)),),
     run=lambda t, x, v: t.index_copy(x, 1, tensors(t, ROWS[:2]), v))  # fmt: skip
case("index_fill", lambda x: written(x, ROWS, 7), CUBE, dtypes=NUMERIC,
     run=lambda t, x: t.index_fill(x, 1, tensors(t, ROWS), 7))  # fmt: skip
case("index_fill", lambda x, v: written(x, ROWS, v), (((2, 3, 4), ()),), label="tensor",
     run=lambda t, x, v: x.index_fill(1, tensors(t, ROWS), v))  # fmt: skip

# ---- Masks ----

case("masked_fill", lambda x: np.where(MASK, 7, x), CUBE, dtypes=NUMERIC,
     run=lambda t, x: t.masked_fill(x, tensors(t, MASK), 7))  # fmt: skip
case("masked_fill", lambda x, v: np.where(MASK, v, x), (((2, 3, 4), ()), ((3, 4), ())),
     run=lambda t, x, v: x.masked_fill(tensors(t, MASK), v), label="tensor")  # fmt: skip
case("masked_select", lambda x: np.broadcast_to(x, MASK.shape)[MASK],
     (((2, 3, 4),), ((4,),)), dtypes=NUMERIC,
     run=lambda t, x: t.masked_select(x, tensors(t, MASK)))  # fmt: skip


def filled(x: Any, v: Any) -> Any:
    out = np.broadcast_to(x, MASK.shape).copy()
    out[MASK] = v.reshape(-1)[: MASK.sum()]
    return out


case("masked_scatter", filled, (((2, 3, 4), (8,)), ((3, 4), (3, 3))),
     run=lambda t, x, v: t.masked_scatter(x, tensors(t, MASK), v))  # fmt: skip

# ---- Positions ----

case("nonzero", lambda x: np.argwhere(x != 0), (((3, 4),), ((),)), dtypes=NUMERIC, result="int64",
     smooth=False)  # fmt: skip
case("argwhere", lambda x: np.argwhere(x != 0), (((3, 4),),), result="int64", smooth=False)
case("nonzero_static", lambda x: np.array([*np.argwhere(x != 0), [-1, -1]]), (((2, 2),),),
     kwargs={"size": 5}, result="int64", smooth=False)  # fmt: skip

# ---- Tuples of arrays ----

PAIRS = (np.array([1, 0, 1]), None, np.array([2, 3, 2]))


def accumulated(x: Any, v: Any) -> Any:
    out = x.copy()
    np.add.at(out, (PAIRS[0], slice(None), PAIRS[2]), v)
    return out


case("index_put", lambda x, v: written(x, np.array([0, 1]), v), (((2, 3, 4), (2, 4)),),
     run=lambda t, x, v: x.index_put((tensors(t, [[0], [1]]), tensors(t, [0, 1])), v))  # fmt: skip


def summed(x: Any, v: Any) -> Any:
    out = x.copy()
    np.add.at(out, (PAIRS[0], PAIRS[2] - 1), v)
    return out


case("index_put_", summed, (((2, 3, 4), (3, 4)),), label="accumulate",
     run=lambda t, x, v: x.clone().index_put_(
         (tensors(t, PAIRS[0]), tensors(t, PAIRS[2] - 1)), v, accumulate=True))  # fmt: skip
case("write_at", accumulated, (((2, 3, 4), (3, 3)), ((2, 3, 4), ())), torch=None,
     run=lambda t, x, v: t.write_at(x, Indices(PAIRS), v, True))  # fmt: skip
case("read_at", lambda x: x[PAIRS[0], :, PAIRS[2]], CUBE, torch=None,
     run=lambda t, x: t.read_at(x, Indices(PAIRS)))  # fmt: skip
