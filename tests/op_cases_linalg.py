"""The rows of products, norms and distances; those of factorizations stand in test_linalg.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from case import FLOATS, NUMERIC, case, uniform

TERMS = uniform(0.1, 1)  # whose sums do not cancel
FEW = (0, 4)  # integers whose products fit uint8


def product(op: str, reference: Any, shapes: Any, **options: Any) -> None:
    """An op that is a sum of products."""
    options.setdefault("dtypes", ("int64", *FLOATS))
    case(op, reference, shapes, TERMS, integers=FEW, **options)


# ---- With a term added ----

BATCHES = ((5, 2, 3), (5, 3, 4))
for factors in ({}, {"beta": 2, "alpha": 3}, {"beta": 0, "alpha": 1}):
    beta, alpha = factors.get("beta", 1), factors.get("alpha", 1)
    product(
        "addbmm",
        lambda x, a, b, beta=beta, alpha=alpha: beta * x + alpha * (a @ b).sum(0),
        [(shape, *BATCHES) for shape in ((2, 4), (4,), (2, 1), ())],
        kwargs=factors,
    )
    product(
        "baddbmm",
        lambda x, a, b, beta=beta, alpha=alpha: beta * x + alpha * (a @ b),
        [(shape, *BATCHES) for shape in ((5, 2, 4), (2, 4), (4,), (5, 1, 1), ())],
        kwargs=factors,
    )
    product(
        "addmv",
        lambda x, a, b, beta=beta, alpha=alpha: beta * x + alpha * (a @ b),
        [(shape, (2, 3), (3,)) for shape in ((2,), (1,), ())],
        kwargs=factors,
    )
    product(
        "addr",
        lambda x, a, b, beta=beta, alpha=alpha: beta * x + alpha * np.outer(a, b),
        [(shape, (2,), (3,)) for shape in ((2, 3), (3,), (2, 1), ())],
        kwargs=factors,
    )

product("batched_mv", np.matmul, (((2, 3, 4), (4,)), ((2, 1, 3, 4), (4,))), torch="matmul")
product("batched_product", np.matmul, (((2, 3, 4), (4, 5)),), torch="matmul", label="one matrix")

# ---- Of vectors and tensors ----

for name in ("outer", "ger"):
    product(name, np.multiply.outer, (((3,), (4,)), ((0,), (2,))))
product("vdot", np.vdot, (((5,), (5,)), ((0,), (0,))))
product("inner", np.inner, (((5,), (5,)), ((2, 3), (4, 3)), ((2, 1, 3), (3,)), ((), (2, 2))))
product("kron", np.kron, (((2, 3), (3, 2)), ((2,), (3, 2)), ((), (2,)), ((2, 1, 2), (3, 2))))
product("trace", np.trace, (((3, 3),), ((2, 4),), ((0, 2),)))
for dims, shapes in {
    1: ((2, 3), (3, 4)),
    2: ((2, 3, 4), (3, 4, 5)),
    0: ((2,), (3, 2)),
    ((0, 2), (1, 0)): ((2, 3, 4), (4, 2)),
    ((-1,), (-1,)): ((2, 3), (4, 3)),
}.items():
    product(
        "tensordot",
        lambda a, b, dims=dims: np.tensordot(a, b, dims),
        (shapes,),
        run=lambda t, a, b, dims=dims: t.tensordot(a, b, dims),
        label=str(dims),
    )
for equation, *shapes in [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("bij,bjk->bki", (2, 3, 4), (2, 4, 5)),
    ("...ij,...jk", (2, 1, 3, 4), (5, 4, 2)),
    ("ii", (3, 3)),
    ("iij->ji", (3, 3, 2)),
    ("ij->j", (2, 3)),
    ("i,j,k->kji", (2,), (3,), (4,)),
    ("ij,kj,j->", (2, 3), (4, 3), (3,)),
    ("...i->i...", (2, 3, 4)),
    ("ij,ij->ij", (2, 3), (2, 3)),
    ("bhid,bhjd->bhij", (2, 2, 3, 4), (2, 2, 5, 4)),
]:
    product(
        "einsum",
        lambda *x, equation=equation: np.einsum(equation, *x),
        (tuple(shapes),),
        run=lambda t, *x, equation=equation: t.einsum(equation, *x),
        label=equation,
    )
for dim in (0, -1):
    case(
        "cross",
        lambda a, b, dim=dim: np.cross(a, b, axis=dim),
        (((3, 3), (3, 3)),),
        dtypes=("int32", "int64", *FLOATS),
        kwargs={"dim": dim},
    )
product(
    "vander",
    lambda x: np.vander(x, 4, increasing=True),
    (((3,),),),
    kwargs={"N": 4, "increasing": True},
    torch=None,  # whose backward pass fails
)
for n in (0, 1, 2, 3, 5):
    product(
        "matrix_power",
        lambda x, n=n: np.linalg.matrix_power(x, n),
        (((3, 3),),) if n else (((3, 3),), ((2, 3, 3),)),
        kwargs={"n": n},
    )

# ---- Diagonals and triangles ----

for offset in (0, 1, -2):
    case("tril", lambda x, k=offset: np.tril(x, k), (((3, 4),), ((2, 4, 3),)), dtypes=NUMERIC,
         kwargs={"diagonal": offset})  # fmt: skip
    case("triu", lambda x, k=offset: np.triu(x, k), (((3, 4),), ((2, 4, 3),)), dtypes=NUMERIC,
         kwargs={"diagonal": offset})  # fmt: skip
    case(
        "diagonal",
        lambda x, k=offset: x.diagonal(k, 1, 0),
        (((3, 4),), ((4, 4, 2),)),
        dtypes=NUMERIC,
        kwargs={"offset": offset, "dim1": 1, "dim2": 0},
    )
case(
    "diag_embed",
    lambda x: np.stack([np.diag(row, 1) for row in x]),
    (((2, 3),),),
    dtypes=NUMERIC,
    kwargs={"offset": 1},
)

# ---- Norms and distances ----


def norm(x: Any, p: float, axis: Any = None) -> Any:
    """Of all elements, or over one dimension."""
    return np.linalg.norm(x.reshape(-1) if axis is None else x, p, axis)


for p in (0.5, 1.5, 2.0, 3.0, -1.0):
    case(
        "p_norm",
        lambda x, p=p: norm(x, p, -1),
        (((3, 4),), ((2, 3, 5),)),
        run=lambda t, x, p=p: t.p_norm(x, p, (-1,), False),
        torch=lambda t, x, p=p: t.linalg.vector_norm(x, p, -1),
        label=f"p={p}",
    )
case(
    "zero_norm",
    lambda x: (x != 0).sum(-1).astype(x.dtype),
    (((3, 4),),),
    run=lambda t, x: t.zero_norm(x, (-1,), False),
    torch=None,  # whose backward passes fail
)
for by_product in (False, True):
    case(
        "euclidean_distance",
        lambda a, b: np.sqrt(((a[..., :, None, :] - b[..., None, :, :]) ** 2).sum(-1)),
        (((3, 4), (5, 4)), ((2, 1, 3), (2, 4, 3))),
        uniform(0, 1),
        uniform(2, 3),  # apart, since a small distance loses its digits in the product
        run=lambda t, a, b, by_product=by_product: t.euclidean_distance(a, b, by_product),
        torch=None,
        label=f"by_product={by_product}",
    )
for p in (0.0, 0.7, 1.0, 2.0, 3.5, float("inf")):
    case(
        "cdist",
        lambda a, b, p=p: norm(a[..., :, None, :] - b[..., None, :, :], p, -1),
        (((3, 4), (5, 4)), ((2, 1, 3), (2, 4, 3))),
        uniform(0, 1),
        uniform(2, 3),
        kwargs={"p": p},
        smooth=p in (2.0, 3.5),
    )
    case(
        "pdist",
        lambda x, p=p: norm(
            x[np.triu_indices(len(x), 1)[0]] - x[np.triu_indices(len(x), 1)[1]], p, -1
        ),
        (((4, 3),), ((1, 3),)),
        kwargs={"p": p},
        # Equal rows, of the broadcast layout: PyTorch's gradient of p < 1 is NaN there.
        torch="nn.functional.pdist" if p >= 1 else None,
        smooth=False,
    )
    case(
        "dist",
        lambda a, b, p=p: norm(a - b, p),
        (((3, 4), (4,)),),
        uniform(0, 1),
        uniform(2, 3),
        torch="" if p else None,
        kwargs={"p": p},
        smooth=p in (2.0, 3.5),
    )
