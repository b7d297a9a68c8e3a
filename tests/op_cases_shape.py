"""The rows of the ops that move, copy, split and join elements; see op_cases.py."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from case import ALL, NUMERIC, case

CUBE = (((2, 3, 4),),)


def rows(table: list[tuple[Any, ...]], shapes: Any = CUBE, **options: Any) -> None:
    """Rows of label, op, reference and call, the same call in both libraries."""
    options.setdefault("dtypes", NUMERIC)
    for label, op, reference, run in table:
        case(op, reference, shapes, run=run, label=label, **options)


def windows(x: Any, dim: int, size: int, step: int) -> Any:
    """What `unfold` shows."""
    starts = range(0, x.shape[dim] - size + 1, step)
    parts = [np.moveaxis(x.take(range(i, i + size), dim), dim, -1) for i in starts]
    return np.stack(parts, dim)


def turned(x: Any, *dims: int) -> Any:
    return x.transpose(dims)


# ---- Views ----

rows([
    ("0, 2", "movedim", lambda x: np.moveaxis(x, 0, 2), lambda t, x: t.movedim(x, 0, 2)),
    ("two", "movedim", lambda x: np.moveaxis(x, (0, 1), (-1, 0)),
     lambda t, x: x.movedim((0, 1), (-1, 0))),
    ("", "moveaxis", lambda x: np.moveaxis(x, 2, 0), lambda t, x: t.moveaxis(x, 2, 0)),
    ("", "swapaxes", lambda x: x.swapaxes(0, 2), lambda t, x: t.swapaxes(x, 0, 2)),
    ("", "swapdims", lambda x: x.swapaxes(1, 2), lambda t, x: x.swapdims(1, -1)),
    ("", "adjoint", lambda x: x.swapaxes(1, 2), lambda t, x: t.adjoint(x)),
    ("mT", "transpose", lambda x: x.swapaxes(1, 2), lambda t, x: x.mT),
    ("mH", "transpose", lambda x: x.swapaxes(1, 2), lambda t, x: x.mH),
    ("H", "transpose", lambda x: x[0].T, lambda t, x: x[0].H),
    ("T", "permute", lambda x: x[0].T, lambda t, x: x[0].T),
    ("", "ravel", lambda x: x.ravel(), lambda t, x: t.ravel(x)),
    ("", "reshape_as", lambda x: x.reshape(4, 6), lambda t, x: x.reshape_as(t.ones(4, 6))),
    ("", "broadcast_to", lambda x: np.broadcast_to(x, (5, 2, 3, 4)),
     lambda t, x: t.broadcast_to(x, (5, 2, 3, 4))),
    ("", "broadcast_tensors", lambda x: np.broadcast_to(x[:, :1], (2, 3, 4)),
     lambda t, x: t.broadcast_tensors(x[:, :1], t.ones(3, 1))[0]),
    ("", "atleast_1d", lambda x: x[0, 0, :1], lambda t, x: t.atleast_1d(x[0, 0, 0])),
    ("", "atleast_2d", lambda x: x[0, :1], lambda t, x: t.atleast_2d(x[0, 0])),
    ("vector", "atleast_3d", lambda x: x[0, :1, :, None], lambda t, x: t.atleast_3d(x[0, 0])),
    ("several", "atleast_3d", lambda x: x[0, :, :, None], lambda t, x: t.atleast_3d(x, x[0])[1]),
    ("", "diagonal", lambda x: x.diagonal(), lambda t, x: t.diagonal(x)),
    ("above", "diagonal", lambda x: x.diagonal(1, -1, 1), lambda t, x: x.diagonal(1, -1, 1)),
    ("", "unfold", lambda x: windows(x, 1, 2, 1), lambda t, x: x.unfold(1, 2, 1)),
    ("apart", "unfold", lambda x: windows(x, 2, 2, 2), lambda t, x: x.unfold(-1, 2, 2)),
    ("overlapping", "unfold", lambda x: windows(x, 2, 3, 1), lambda t, x: x.unfold(2, 3, 1)),
    ("", "split_with_sizes", lambda x: x[:, 1:], lambda t, x: t.split_with_sizes(x, (1, 2), 1)[1]),
    ("3", "tensor_split", lambda x: x[..., 2:3], lambda t, x: t.tensor_split(x, 3, -1)[1]),
    ("indices", "tensor_split", lambda x: x[:, 1:2], lambda t, x: x.tensor_split((1, 2), dim=1)[1]),
    ("tensor", "tensor_split", lambda x: x[..., 3:],
     lambda t, x: x.tensor_split(t.tensor([1, 3]), 2)[2]),
    ("", "hsplit", lambda x: x[:, 2:], lambda t, x: t.hsplit(x, (1, 2))[2]),
    ("vector", "hsplit", lambda x: x[0, 0, 2:], lambda t, x: x[0, 0].hsplit(2)[1]),
    ("", "vsplit", lambda x: x[1:], lambda t, x: t.vsplit(x, 2)[1]),
    ("", "dsplit", lambda x: x[..., :2], lambda t, x: t.dsplit(x, 2)[0]),
    ("", "unsafe_split_with_sizes", lambda x: x[:, 1:],
     lambda t, x: t.unsafe_split_with_sizes(x, (1, 2), 1)[1]),
    ("", "unsafe_split", lambda x: x[..., 3:], lambda t, x: t.unsafe_split(x, 3, 2)[1]),
    ("", "unsafe_chunk", lambda x: x[..., 2:], lambda t, x: t.unsafe_chunk(x, 2, 2)[1]),
])  # fmt: skip

for name, reference, run in [
    ("selected", lambda x: x[:, 1], lambda t, x: x[:, 1]),
    ("inserted", lambda x: x[:, None], lambda t, x: x[:, None]),
    ("aliased", lambda x: x, lambda t, x: x[...]),
    ("real", lambda x: x, lambda t, x: x.real),
]:
    case(name, reference, CUBE, run=run)
# ---- Copies of views ----

for name, reference, arguments in [
    ("alias", lambda x: x, ()),
    ("detach", lambda x: x, ()),
    ("diagonal", lambda x: x.diagonal(1, 1, 2), (1, 1, 2)),
    ("expand", lambda x: np.broadcast_to(x, (5, 2, 3, 4)), ((5, 2, 3, 4),)),
    ("narrow", lambda x: x[:, 1:], (1, 1, 2)),
    ("permute", lambda x: turned(x, 2, 0, 1), ((2, 0, 1),)),
    ("select", lambda x: x[:, 1], (1, 1)),
    ("slice", lambda x: x[..., 1:4:2], (2, 1, 4, 2)),
    ("split", lambda x: x[:, 2:], (2, 1)),
    ("split_with_sizes", lambda x: x[:, 2:], ((2, 1), 1)),
    ("squeeze", lambda x: x, ()),
    ("transpose", lambda x: x.swapaxes(0, 1), (0, 1)),
    ("unbind", lambda x: x[:, 2], (1,)),
    ("unfold", lambda x: windows(x, 2, 2, 1), (2, 2, 1)),
    ("unsqueeze", lambda x: x[:, None], (1,)),
    ("view", lambda x: x.reshape(4, 6), ((4, 6),)),
]:
    case(
        f"{name}_copy",
        reference,
        CUBE,
        run=lambda t, x, n=name, a=arguments: last(getattr(t, f"{n}_copy")(x, *a)),
        smooth=name != "detach",
    )
case("t_copy", lambda x: x.T, (((3, 4),),))


def last(result: Any) -> Any:
    """The last of several results."""
    return result[-1] if isinstance(result, tuple | list) else result


# ---- Another order, repetition ----

rows([
    ("", "flip", lambda x: x[::-1, :, ::-1], lambda t, x: t.flip(x, (0, -1))),
    ("ints", "flip", lambda x: x[:, ::-1, ::-1], lambda t, x: x.flip(1, 2)),
    ("", "fliplr", lambda x: x[:, ::-1], lambda t, x: t.fliplr(x)),
    ("", "flipud", lambda x: x[::-1], lambda t, x: t.flipud(x)),
    ("1", "rot90", lambda x: np.rot90(x), lambda t, x: t.rot90(x)),
    ("2", "rot90", lambda x: np.rot90(x, 2, (1, 2)), lambda t, x: t.rot90(x, 2, (1, 2))),
    ("-1", "rot90", lambda x: np.rot90(x, -1, (0, 2)), lambda t, x: x.rot90(-1, (0, 2))),
    ("4", "rot90", lambda x: x, lambda t, x: x.rot90(4)),
    ("", "roll", lambda x: np.roll(x, 2, 1), lambda t, x: t.roll(x, 2, 1)),
    ("all", "roll", lambda x: np.roll(x, -5), lambda t, x: t.roll(x, -5)),
    ("two", "roll", lambda x: np.roll(x, (1, 7), (0, -1)), lambda t, x: x.roll((1, 7), (0, -1))),
    ("", "repeated", lambda x: np.tile(x, (2, 1, 3)), lambda t, x: x.repeat(2, 1, 3)),
    ("more", "repeated", lambda x: np.tile(x, (2, 1, 1, 2)), lambda t, x: x.repeat((2, 1, 1, 2))),
    ("", "tile", lambda x: np.tile(x, (2, 3)), lambda t, x: t.tile(x, (2, 3))),
    ("", "repeat_interleave", lambda x: np.repeat(x, 3), lambda t, x: t.repeat_interleave(x, 3)),
    ("along", "repeat_interleave", lambda x: np.repeat(x, 2, 1),
     lambda t, x: x.repeat_interleave(2, 1)),
    ("tensor", "repeat_interleave", lambda x: np.repeat(x, (1, 0, 2), 1),
     lambda t, x: t.repeat_interleave(x, t.tensor([1, 0, 2]), 1, output_size=3)),
    ("", "tril", lambda x: np.tril(x), lambda t, x: t.tril(x)),
    ("1", "tril", lambda x: np.tril(x, 1), lambda t, x: x.tril(1)),
    ("", "triu", lambda x: np.triu(x), lambda t, x: t.triu(x)),
    ("-1", "triu", lambda x: np.triu(x, -1), lambda t, x: x.triu(diagonal=-1)),
    ("vector", "diag", lambda x: np.diag(x[0, 0], 1), lambda t, x: t.diag(x[0, 0], 1)),
    ("matrix", "diag", lambda x: np.diag(x[0], -1), lambda t, x: t.diag(x[0], -1)),
    ("", "diagflat", lambda x: np.diagflat(x[0], 2), lambda t, x: t.diagflat(x[0], 2)),
    ("", "diag_embed", lambda x: x[..., None] * np.eye(4, dtype=x.dtype),
     lambda t, x: t.diag_embed(x)),
    ("dims", "diag_embed", lambda x: embedded(x, 1), lambda t, x: t.diag_embed(x, 1, 0, 2)),
])  # fmt: skip


def embedded(x: Any, offset: int) -> Any:
    """``diag_embed(x, offset, 0, 2)``."""
    out = np.zeros((x.shape[-1] + offset, x.shape[0], x.shape[-1] + offset, x.shape[1]), x.dtype)
    for i in range(x.shape[-1]):
        out[i, :, i + offset] = x[..., i]
    return out


case("reversed_along", lambda x: x[:, ::-1], CUBE, run=lambda t, x: t.reversed_along(x, (1,)),
     torch=None)  # fmt: skip
case("rolled", lambda x: np.roll(x, 1, 2), CUBE, run=lambda t, x: t.rolled(x, (1,), (2,)),
     torch=None)  # fmt: skip
case("tril", np.tril, (((3, 4),), ((5, 2),)), dtypes=ALL, label="matrix")
case("triu", np.triu, (((3, 4),), ((5, 2),)), dtypes=ALL, label="matrix")


def folded(g: Any) -> Any:
    """The windows of ``unfold(1, 2, 1)`` added back."""
    out = np.zeros((2, 3))
    for i in range(2):
        out[:, i : i + 2] += g[:, i]
    return out


case("unfold_backward", folded, (((2, 2, 2),),), torch=None,
     run=lambda t, g: t.unfold_backward(g, (2, 3), 1, 2, 1))  # fmt: skip

# ---- Parts replaced ----


def replaced(x: Any, index: Any, value: Any) -> Any:
    out = x.copy()
    out[index] = value
    return out


def with_diagonal(x: Any, value: Any) -> Any:
    out = x.copy()
    n = value.shape[-1]
    out[:, np.arange(n), np.arange(n) + 1] = value
    return out


case("select_scatter", lambda x, v: replaced(x, (slice(None), 1), v),
     (((2, 3, 4), (2, 4)),), run=lambda t, x, v: t.select_scatter(x, v, 1, -2))  # fmt: skip
case("slice_scatter", lambda x, v: replaced(x, (slice(None), slice(None), slice(1, 4, 2)), v),
     (((2, 3, 4), (2, 3, 2)),), run=lambda t, x, v: t.slice_scatter(x, v, 2, 1, 4, 2))  # fmt: skip
case("diagonal_scatter", with_diagonal, (((2, 3, 4), (2, 3)),),
     run=lambda t, x, v: t.diagonal_scatter(x, v, 1, 1, 2))  # fmt: skip

# ---- Joining ----

PAIR = (((2, 3), (2, 3)),)
for name, reference in {
    "hstack": np.hstack,
    "vstack": np.vstack,
    "row_stack": np.vstack,
    "dstack": np.dstack,
    "column_stack": np.column_stack,
    "concat": np.concatenate,
    "concatenate": np.concatenate,
}.items():
    case(
        name,
        lambda x, y, f=reference: f([x, y]),
        (*PAIR, ((3,), (3,)), ((2, 3, 1), (2, 3, 1))),
        run=lambda t, x, y, n=name: getattr(t, n)((x, y)),
        dtypes=NUMERIC,
    )
case("hstack", lambda x: np.stack([x, x]), (((),),), run=lambda t, x: t.hstack([x, x]), label="0")
case("vstack", lambda x: np.stack([x, x])[:, None], (((),),), run=lambda t, x: t.vstack([x, x]),
     label="0")  # fmt: skip


def blocks(x: Any, y: Any) -> Any:
    out = np.zeros((x.shape[0] + 1, x.shape[1] + y.shape[0]), x.dtype)
    out[: x.shape[0], : x.shape[1]] = x
    out[x.shape[0] :, x.shape[1] :] = y
    return out


def pairs(x: Any) -> Any:
    return np.array([p for p in itertools.combinations(x, 2)])


case("block_diag", blocks, (((2, 3), (4,)),), dtypes=NUMERIC)
case("meshgrid", lambda x, y: np.meshgrid(x, y, indexing="ij")[0], (((3,), (2,)), ((), (2,))),
     run=lambda t, x, y: t.meshgrid(x, y, indexing="ij")[0])  # fmt: skip
case("meshgrid", lambda x, y: np.meshgrid(x, y)[1], (((3,), (2,)),), label="xy",
     run=lambda t, x, y: t.meshgrid([x, y], indexing="xy")[1])  # fmt: skip
case("cartesian_prod", lambda x, y: np.array(list(itertools.product(x, y))), (((3,), (2,)),))
case("combinations", pairs, (((4,),),), dtypes=NUMERIC)
# PyTorch's gradient of vander fails.
case("vander", lambda x: np.vander(x, 4), (((3,),),), torch=None, kwargs={"N": 4})
case("vander", lambda x: np.vander(x, increasing=True), (((3,),),), torch=None,
     kwargs={"increasing": True})  # fmt: skip
case("new_zeros", lambda x: np.zeros((2, 3)), CUBE, run=lambda t, x: x.new_zeros(2, 3))
case("new_ones", lambda x: np.ones((2, 3)), CUBE, run=lambda t, x: x.new_ones((2, 3)))

# ---- Permuted copies ----

case("copied", lambda x: x, CUBE, label="order", torch=None,
     run=lambda t, x: t.copied(x, (2, 0, 1)))  # fmt: skip
case("clone", lambda x: x.transpose(2, 0, 1), CUBE, label="permuted",
     run=lambda t, x: x.permute(2, 0, 1).clone())  # fmt: skip
