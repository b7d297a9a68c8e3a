"""Norms of matrices, and what follows from singular values: condition and rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rushlight.dtypes import dtype as DType  # noqa: N812 - `dtype` is an argument's name
from rushlight.linalg._factorizations import eigvalsh, svdvals
from rushlight.ops._destination import takes_out
from rushlight.ops._matrices import check_matrices, check_square
from rushlight.ops.choice import where
from rushlight.ops.inverses import linalg_inv_ex
from rushlight.ops.matrices import tolerances
from rushlight.ops.norms import as_floating, vector_norm
from rushlight.size import wrap
from rushlight.tensor import Tensor

Order = int | float | str


@takes_out
def norm(
    A: Tensor,
    ord: Order | None = None,
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """The norm of vectors or of matrices.

    Args:
        A: of a floating type.
        ord: of `vector_norm` for vectors, of `matrix_norm` for matrices; None: the root of the
            sum of squares.
        dim: one dimension: vectors; two: matrices; None: all, which without `ord` may be many.
        keepdim: keep reduced dimensions with size 1.
        dtype: convert the elements first.

    Raises:
        RuntimeError: for another type, order, or number of dimensions.
    """
    dims = None if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    if ord is None:
        return vector_norm(A, 2, dims, keepdim, dtype=dtype)
    if dims is not None and len(dims) not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dims)}"
        )
    if dims is None and A.ndim not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. "
            f"Got {A.ndim}D."
        )
    if isinstance(ord, str) or (A.ndim if dims is None else len(dims)) == 2:
        return matrix_norm(A, ord, (-2, -1) if dims is None else dims, keepdim, dtype=dtype)
    return vector_norm(A, ord, dims, keepdim, dtype=dtype)


@takes_out
def matrix_norm(
    A: Tensor,
    ord: Order = "fro",
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """The norm of matrices.

    Args:
        A: ``(..., m, n)``, floating.
        ord: 'fro': the root of the sum of squares; 'nuc': the sum of the singular values; 2 and
            -2: the greatest and the least of them; inf and -inf: of the sums of sizes over a
            row; 1 and -1: over a column.
        dim: the dimensions of the rows and of the columns.
        keepdim: keep reduced dimensions with size 1.
        dtype: convert the elements first.

    Raises:
        RuntimeError: for another type, order, or number of dimensions.
    """
    A = as_floating("linalg.matrix_norm", A, dtype)
    check_matrices("linalg.matrix_norm", A)
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    if len(dims) != 2:
        raise RuntimeError(
            f"linalg.matrix_norm: dim must be a 2-tuple. Got {' '.join(map(str, dims))}"
        )
    row, column = (wrap(d, A.ndim) for d in dims)
    if row == column:
        raise RuntimeError(
            f"linalg.matrix_norm: dims must be different. Got ({dims[0]}, {dims[1]})"
        )
    if ord == "fro":
        return vector_norm(A, 2, (row, column), keepdim)
    if ord == "nuc" or ord in (2, -2):
        values = svdvals(
            A.permute(*(d for d in range(A.ndim) if d not in (row, column)), row, column)
        )
        result = values.sum(-1) if ord == "nuc" else _extreme(values, ord, -1)
        if keepdim:
            for d in sorted((row, column)):
                result = result.unsqueeze(d)
        return result
    if isinstance(ord, str) or abs(ord) not in (1, math.inf):
        text = ord if isinstance(ord, str) else f"{ord:g}"
        raise RuntimeError(f"linalg.matrix_norm: Order {text} not supported.")
    summed, kept = (row, column) if abs(ord) == 1 else (column, row)
    sums = vector_norm(A, 1, summed, True)
    result = _extreme(sums, ord, kept, True)
    return result if keepdim else result.squeeze((row, column))


def _extreme(x: Tensor, ord: Any, dim: int, keepdim: bool = False) -> Tensor:
    return x.amax(dim, keepdim) if ord > 0 else x.amin(dim, keepdim)


@takes_out
def cond(A: Tensor, p: Order | None = None) -> Tensor:
    """The condition number: the norm of `A` times that of its inverse; inf for a singular matrix.

    Args:
        A: ``(..., n, n)``; with p None, 2 or -2 ``(..., m, n)``.
        p: an order of `matrix_norm`; None is 2.
    """
    if A.ndim < 2:
        raise RuntimeError("linalg.cond: The input tensor must have at least 2 dimensions.")
    orders = (None, 2, -2, 1, -1, math.inf, -math.inf, "fro", "nuc")
    if p not in orders:
        text = p if isinstance(p, str) else f"{p:g}"
        raise RuntimeError(f"linalg.cond got an invalid norm type: {text}")
    if A.numel() == 0:
        return A.new_zeros(A.shape[:-2])
    if p is None or p in (2, -2):
        values = svdvals(A)
        first, last = values.select(-1, 0), values.select(-1, -1)
        return last / first if p == -2 else first / last
    check_square(f"linalg.cond(ord={p if isinstance(p, str) else f'{p:g}'})", A)
    inverse, info = linalg_inv_ex(A)
    result = matrix_norm(A, p) * matrix_norm(inverse, p)
    return where(info.eq(0), result, math.inf) if bool(info.any()) else result


@takes_out
def matrix_rank(
    A: Tensor,
    tol: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
) -> Tensor:
    """How many singular values are greater than ``max(atol, rtol * greatest)``, as int64.

    Args:
        A: ``(..., m, n)``.
        tol: the old name of `atol`, with rtol 0.
        hermitian: A is symmetric; its eigenvalues are taken.
        atol: 0 when None; a number or a tensor.
        rtol: when None, the type's eps times the greater of m and n, and 0 where `atol` is given.
    """
    check_matrices("torch.linalg.matrix_rank", A, "input")
    if tol is not None:
        atol, rtol = tol, 0.0
    with_values = A.detach()
    values = eigvalsh(with_values).abs() if hermitian else svdvals(with_values)
    batch = values.shape[:-1]
    if values.shape[-1] == 0:
        return A.new_zeros(batch).long()
    absolute, relative = (
        Tensor._wrap(x) if hasattr(x, "shape") else x for x in tolerances(A, atol, rtol)
    )
    greatest = values.amax(-1)
    bound = greatest * relative
    bound = bound.maximum(bound * 0 + absolute)
    return (values > bound.unsqueeze(-1)).sum(-1)
