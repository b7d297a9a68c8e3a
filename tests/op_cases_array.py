"""The rows of the ops that are not pointwise; see op_cases.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from case import ALL, FLOATS, NUMERIC, case, condition, distinct, signed, uniform

MATRIX = (((3, 4),), ((5, 1),), ((40, 70),))
ANY_RANK = (((),), ((7,),), ((3, 4),), ((2, 3, 4),), ((0,),), ((0, 3),))


def indices(*values: Any) -> Any:
    """A constant int64 array."""
    return np.array(values)


def tensors(t: Any, array: Any) -> Any:
    """A constant of either library."""
    return t.from_numpy(np.array(array))


# ---- Reductions ----

REDUCED = (((2, 3, 4),), ((5, 1, 3),), ((33, 2, 70),))
for dim in (0, -1, 1, (0, 2), (0, 1, 2), (), None):
    for keepdim in (False, True):
        axis = dim if isinstance(dim, int) or dim else (0, 1, 2)
        kwargs = {"dim": dim, "keepdim": keepdim}
        np_kwargs = {"axis": axis, "keepdims": keepdim}
        case(
            "sum",
            lambda x, a=np_kwargs: x.sum(**a),
            (*REDUCED, ((2, 0, 3),)),
            dtypes=ALL,
            result="sum",
            kwargs=kwargs,
        )
        case("mean", lambda x, a=np_kwargs: x.mean(**a), REDUCED, kwargs=kwargs)
        case(
            "var",
            lambda x, a=np_kwargs: x.var(ddof=1, **a),
            (((2, 3, 4),), ((33, 2, 70),)),
            kwargs=kwargs,
            # PyTorch's gradient for no dims divides by zero.
            torch=None if dim == () else "",
        )
        if dim is None:
            continue
        for name, extreme in {"amax": np.max, "amin": np.min}.items():
            case(
                name,
                lambda x, a=np_kwargs, extreme=extreme: extreme(x, **a),
                REDUCED,
                distinct,
                dtypes=ALL,
                kwargs=kwargs,
            )
for dim in (0, -1, None):
    for keepdim in (False, True):
        np_kwargs = {"axis": dim, "keepdims": keepdim}
        kwargs = {"dim": dim, "keepdim": keepdim}
        for name, where in {"argmax": np.argmax, "argmin": np.argmin}.items():
            case(
                name,
                lambda x, a=np_kwargs, where=where: where(x, **a),
                REDUCED,
                distinct,
                dtypes=NUMERIC,
                result="int64",
                kwargs=kwargs,
            )
        if dim is not None:
            case(
                "prod",
                lambda x, a=np_kwargs: x.prod(**a),
                (((2, 3, 4),), ((5, 1, 3),), ((2, 0, 3),)),
                uniform(0.5, 1.5),
                dtypes=ALL,
                integers=(0, 3),
                result="sum",
                kwargs=kwargs,
            )
            for name, extreme in {"max": np.max, "min": np.min}.items():
                case(
                    name,
                    lambda x, a=np_kwargs, extreme=extreme: extreme(x, **a),
                    REDUCED,
                    distinct,
                    run=lambda t, x, n=name, k=kwargs: getattr(t, n)(x, **k)[0],
                    dtypes=NUMERIC,
                    label=f"{dim}, {keepdim}",
                )
        for name, test in {"any": np.any, "all": np.all}.items():
            case(
                name,
                lambda x, a=np_kwargs, test=test: test(x, **a),
                (*REDUCED, ((2, 0, 3),)),
                condition,
                dtypes=ALL,
                result="truth",
                run=lambda t, x, n=name, k=kwargs: getattr(t, n)(
                    x, **{a: v for a, v in k.items() if v is not None}
                ),
                label=f"{dim}, {keepdim}",
                integers=(0, 2),
            )
case("prod", np.prod, ANY_RANK, uniform(0.5, 1.5), dtypes=ALL, integers=(0, 3), result="sum")
case("max", np.max, ANY_RANK[:4], distinct, dtypes=NUMERIC)
case("min", np.min, ANY_RANK[:4], distinct, dtypes=NUMERIC)
case("max", np.maximum, (((3, 4), (4,)),), dtypes=NUMERIC, label="two tensors")
case("min", np.minimum, (((3, 4), (4,)),), dtypes=NUMERIC, label="two tensors")
case("sum_all", np.sum, ANY_RANK, dtypes=ALL, result="sum", torch="sum")
case("mean_all", np.mean, ANY_RANK[:4], torch="mean")
case("sum_dim", lambda x: x.sum(1), MATRIX, run=lambda t, x: t.sum_dim(x, 1, False), torch=None)
case("mean_dim", lambda x: x.mean(1), MATRIX, run=lambda t, x: t.mean_dim(x, 1, False), torch=None)
case(
    "variance",
    lambda x: x.var(1, ddof=0),
    MATRIX,
    run=lambda t, x: t.variance(x, 1, False, 0.0),
    torch=None,
)
case("var", lambda x: x.var(), ANY_RANK[1:4], kwargs={"correction": 0})
case("std", lambda x: x.std(ddof=1), ANY_RANK[2:4])
case("std", lambda x: x.std(1, ddof=0), MATRIX[:1], kwargs={"dim": 1, "unbiased": False})
case("sum_to", lambda x: x.sum((0, 2)).reshape(1, 3, 1),
     (((2, 3, 4),),), run=lambda t, x: t.sum_to(x, (1, 3, 1)), torch=None)  # fmt: skip
for p, reference in {
    2: lambda x: np.sqrt((x * x).sum()),
    1: lambda x: np.abs(x).sum(),
    math.inf: lambda x: np.abs(x).max(),
    3: lambda x: (np.abs(x) ** 3).sum() ** (1 / 3),
}.items():
    case("norm", reference, MATRIX, signed(0.5, 2), kwargs={"p": p})
case("norm", lambda x: np.sqrt((x * x).sum(1)), MATRIX, kwargs={"dim": 1})
case("deviation", lambda x: x.std(1, ddof=1), MATRIX[:1], torch=None,
     run=lambda t, x: t.deviation(x, 1, False, 1.0))  # fmt: skip

# ---- Shape ----

CUBE = (((2, 3, 4),),)
for label, op, reference, run in [
    ("6, -1", "view", lambda x: x.reshape(6, 4), lambda t, x: x.contiguous().view(6, -1)),
    ("()", "view", lambda x: x[0, 0, 0], lambda t, x: x[0, 0, 0].view(())),
    ("", "view_as", lambda x: x.reshape(4, 6), lambda t, x: x.reshape(24).view_as(t.ones(4, 6))),
    ("4, 6", "reshape", lambda x: x.reshape(4, 6), lambda t, x: x.reshape(4, 6)),
    ("-1", "reshape", lambda x: x.reshape(-1), lambda t, x: t.reshape(x, (-1,))),
    ("transposed", "reshape", lambda x: x.T.ravel(), lambda t, x: x.permute(2, 1, 0).reshape(24)),
    ("", "flatten", lambda x: x.reshape(-1), lambda t, x: x.flatten()),
    ("1, 2", "flatten", lambda x: x.reshape(2, 12), lambda t, x: t.flatten(x, 1, 2)),
    ("0, 1", "flatten", lambda x: x.reshape(6, 4), lambda t, x: t.flatten(x, 0, -2)),
    ("2", "unflatten", lambda x: x.reshape(2, 3, 2, 2), lambda t, x: t.unflatten(x, -1, (2, -1))),
    ("0, 2", "transpose", lambda x: x.swapaxes(0, 2), lambda t, x: t.transpose(x, 0, 2)),
    ("-1, 0", "transpose", lambda x: x.swapaxes(-1, 0), lambda t, x: x.transpose(-1, 0)),
    ("matrix", "t", lambda x: x[0].T, lambda t, x: x[0].t()),
    ("vector", "t", lambda x: x[0, 0], lambda t, x: t.t(x[0, 0])),
    ("2, 0, 1", "permute", lambda x: x.transpose(2, 0, 1), lambda t, x: x.permute(2, 0, 1)),
    ("-1, 0, 1", "permute", lambda x: x.transpose(2, 0, 1), lambda t, x: x.permute((-1, 0, 1))),
    ("0", "unsqueeze", lambda x: x[None], lambda t, x: t.unsqueeze(x, 0)),
    ("-1", "unsqueeze", lambda x: x[..., None], lambda t, x: x.unsqueeze(-1)),
    ("5, ...", "expand", lambda x: np.broadcast_to(x[:, :1], (5, 2, 3, 4)),
     lambda t, x: x[:, :1].expand(5, -1, 3, 4)),
    ("", "expand_as", lambda x: np.broadcast_to(x[:1], (2, 3, 4)),
     lambda t, x: x[:1].expand_as(t.ones(2, 3, 4))),
    ("1, 1, 2", "narrow", lambda x: x[:, 1:3], lambda t, x: x.narrow(1, 1, 2)),
    ("-1, -2, 2", "narrow", lambda x: x[..., 2:], lambda t, x: t.narrow(x, -1, -2, 2)),
    ("2", "split", lambda x: x[:, 2:], lambda t, x: t.split(x, 2, 1)[1]),
    ("[1, 3]", "split", lambda x: x[..., 1:], lambda t, x: x.split([1, 3], -1)[1]),
    ("2", "chunk", lambda x: x[:, :2], lambda t, x: t.chunk(x, 2, 1)[0]),
    ("1", "unbind", lambda x: x[:, 2], lambda t, x: t.unbind(x, 1)[2]),
    ("", "clone", lambda x: x, lambda t, x: t.clone(x)),
    ("", "contiguous", lambda x: x.swapaxes(0, 1), lambda t, x: x.transpose(0, 1).contiguous()),
    ("0, 1", "select", lambda x: x[1], lambda t, x: x.select(0, 1)),
    ("-1, -1", "select", lambda x: x[..., -1], lambda t, x: t.select(x, -1, -1)),
    ("squeezed", "squeeze", lambda x: x[:1, 0], lambda t, x: x[:1, :1].squeeze(1)),
    ("all", "squeeze", lambda x: x[0, 0], lambda t, x: t.squeeze(x[:1, :1])),
    ("several", "squeeze", lambda x: x[0, 0], lambda t, x: x[:1, :1].squeeze((0, 1))),
    ("not 1", "squeeze", lambda x: x, lambda t, x: x.squeeze(1)),
    ("0", "cat", lambda x: np.concatenate([x, x]), lambda t, x: t.cat([x, x])),
    ("-1", "cat", lambda x: np.concatenate([x, 2 * x[..., :1], x], -1),
     lambda t, x: t.cat((x, 2 * x[..., :1], x), -1)),
    ("0", "stack", lambda x: np.stack([x, x + x]), lambda t, x: t.stack([x, x + x])),
    ("-1", "stack", lambda x: np.stack([x, x + x], -1), lambda t, x: t.stack([x, x + x], dim=-1)),
]:  # fmt: skip
    case(op, reference, CUBE, run=run, label=label, dtypes=NUMERIC)
case("cast", lambda x: x, CUBE, dtypes=ALL, result="float",
     run=lambda t, x: t.cast(x, np.dtype("float32")) if x.dtype != t.tensor(0.5).double().dtype
     else t.cast(x, np.dtype("float64")), torch=None)  # fmt: skip
case("copied", lambda x: x, CUBE, dtypes=ALL, torch="clone")
case("reshaped_copy", lambda x: x.reshape(6, 4), CUBE, torch=None,
     run=lambda t, x: t.reshaped_copy(x, 6, 4))  # fmt: skip
case("squeeze_dims", lambda x: x[0], (((1, 3),),), run=lambda t, x: t.squeeze_dims(x, (0,)),
     torch=None)  # fmt: skip
case("to", lambda x: x, CUBE, run=lambda t, x: x.to(x.dtype, copy=True), dtypes=ALL)
case("type_as", lambda x, y: x, (((3,), (2,)),), run=lambda t, x, y: x.type_as(y.detach()))
case("cpu", lambda x: x, CUBE, run=lambda t, x: x.cpu(), dtypes=ALL)
case("fill", lambda x: 0 * x + 3, CUBE, run=lambda t, x: t.fill(x, 3), dtypes=NUMERIC)

# ---- Indexing ----

ROWS, COLUMNS = indices(2, 0, 2, -1), indices(1, 1, 0, 3)
ALONG_1 = np.array([[[2, 0, 2, 1]], [[0, 0, 1, 2]]])
for label, op, reference, run in [
    ("slices", "sliced", lambda x: x[:, 1:, ::2], lambda t, x: x[:, 1:, ::2]),
    ("None, ...", "sliced", lambda x: x[None, ..., 1], lambda t, x: x[None, ..., 1]),
    ("ints", "sliced", lambda x: x[1, -1, 2], lambda t, x: x[1, -1, 2]),
    ("rows", "read_at", lambda x: x[:, ROWS], lambda t, x: x[:, tensors(t, ROWS)]),
    ("pairs", "read_at", lambda x: x[0, ROWS, COLUMNS],
     lambda t, x: x[0, tensors(t, ROWS), tensors(t, COLUMNS)]),
    ("mask", "read_at", lambda x: x[np.arange(24).reshape(2, 3, 4) % 3 == 0],
     lambda t, x: x[tensors(t, np.arange(24).reshape(2, 3, 4) % 3 == 0)]),
    ("repeated", "read_at", lambda x: x[[0, 0, 1, 0]], lambda t, x: x[[0, 0, 1, 0]]),
    ("1", "take_along_dim", lambda x: np.take_along_axis(x, ALONG_1, 1),
     lambda t, x: t.take_along_dim(x, tensors(t, ALONG_1), 1)),
    ("broadcast", "take_along_dim", lambda x: np.take_along_axis(x, ALONG_1[:1, :, :1], 1),
     lambda t, x: t.take_along_dim(x, tensors(t, ALONG_1[:1, :, :1]), 1)),
    ("flat", "take_along_dim", lambda x: x.reshape(-1)[[5, 5, 0]],
     lambda t, x: t.take_along_dim(x, tensors(t, [5, 5, 0]))),
]:  # fmt: skip
    case(op, reference, CUBE, run=run, label=label, dtypes=NUMERIC)


def written(x: Any, value: Any) -> Any:
    """`x` with its middle row replaced."""
    out = x.copy()
    out[:, 1] = value
    return out


def write(t: Any, x: Any, value: Any) -> Any:
    """The same through ``__setitem__``."""
    out = x.clone()
    out[:, 1] = value
    return out


MIDDLE = (slice(None), 1)
case("replaced", written, (((2, 3, 4), (4,)), ((2, 3), (2,))), run=write, dtypes=NUMERIC)
case("replaced", lambda x: written(x, 5), CUBE, run=lambda t, x: write(t, x, 5), label="number")
case("replaced", written, (((2, 3, 4), (2, 4)),), torch=None, label="op",
     run=lambda t, x, v: t.replaced(x, MIDDLE, None, v))  # fmt: skip
case("getitem", lambda x: x[:, 1], CUBE, run=lambda t, x: t.getitem(x, MIDDLE), torch=None)
case("index_place", lambda v: written(np.zeros((2, 3, 4)), v), (((2, 4),),), torch=None,
     run=lambda t, v: t.index_place((2, 3, 4), MIDDLE, v))  # fmt: skip

# ---- Products ----

TERMS = uniform(-1, 1)
LINEAR = (((3, 4), (5, 4)), ((4,), (5, 4)), ((2, 3, 4), (5, 4)))
MIXED_RANKS = (
    ((4,), (4,)),
    ((3, 4), (4,)),
    ((4,), (4, 3)),
    ((3, 4), (4, 5)),
    ((2, 3, 4), (2, 4, 5)),
    ((2, 3, 4), (4,)),
    ((4,), (2, 4, 3)),
    ((5, 1, 3, 4), (2, 4, 3)),
)
for op, shapes in {
    "mm": (
        ((3, 4), (4, 5)),
        ((1, 7), (7, 1)),
        ((0, 3), (3, 2)),
        ((3, 0), (0, 2)),
        ((70, 33), (33, 41)),
    ),
    "bmm": (((2, 3, 4), (2, 4, 5)), ((0, 3, 4), (0, 4, 2))),
    "mv": (((3, 4), (4,)), ((20, 40), (40,))),
    "dot": (((5,), (5,)), ((0,), (0,))),
    "matmul": MIXED_RANKS,
}.items():
    case(op, np.matmul, shapes, TERMS)
case(
    "batched_product",
    np.matmul,
    (((2, 3, 4), (4, 5)), ((2, 1, 3, 4), (3, 4, 2))),
    TERMS,
    torch="matmul",
)
case(
    "addmm",
    lambda b, x, y: b + x @ y,
    (((5,), (3, 4), (4, 5)), ((3, 5), (3, 4), (4, 5)), ((1, 1), (3, 4), (4, 5))),
    TERMS,
)
case(
    "addmm",
    lambda b, x, y: 0.5 * b + 2 * (x @ y),
    (((5,), (3, 4), (4, 5)),),
    TERMS,
    kwargs={"beta": 0.5, "alpha": 2},
)
case("linear", lambda x, w: x @ w.T, LINEAR, TERMS, torch="nn.functional.linear")
case(
    "linear",
    lambda x, w, b: x @ w.T + b,
    [(*s, (5,)) for s in LINEAR],
    TERMS,
    torch="nn.functional.linear",
    label="bias",
)


# ---- Softmax ----


def softmax(x: Any, dim: int) -> Any:
    """Along one dimension."""
    e = np.exp(x - x.max(dim, keepdims=True))
    return e / e.sum(dim, keepdims=True)


for dim in (0, -1):
    for name, reference in {
        "softmax": lambda x, d=dim: softmax(x, d),
        "log_softmax": lambda x, d=dim: np.log(softmax(x, d)),
    }.items():
        case(name, reference, (((3, 4),), ((2, 3, 5),), ((7,),)), kwargs={"dim": dim})
        case(f"{name}_along", reference, MATRIX, torch=None, kwargs={"dim": dim})
case("softmax", lambda x: 0 * x + 1, (((),),), kwargs={"dim": 0}, label="0-dim")
case("softmax_backward", lambda g, y: y * (g - (g * y).sum(1, keepdims=True)),
     (((3, 4), (3, 4)),), uniform(-1, 1), uniform(0, 1), torch=None,
     run=lambda t, g, y: t.softmax_backward(g, y, 1))  # fmt: skip
case("log_softmax_backward", lambda g, y: g - np.exp(y) * g.sum(1, keepdims=True),
     (((3, 4), (3, 4)),), uniform(-1, 1), uniform(-2, 0), torch=None,
     run=lambda t, g, y: t.log_softmax_backward(g, y, 1))  # fmt: skip

__all__ = ["FLOATS"]
