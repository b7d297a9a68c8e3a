"""Factorizations of matrices and their derivatives.

`A` of shape ``(..., m, n)`` throughout, and ``k = min(m, n)``.
"""

from __future__ import annotations

from typing import Any

from rushlight.ops._registry import op
from rushlight.tensor import Tensor


def mT(K: Any, x: Any) -> Any:
    """The transposed matrices, over arrays and over tensors."""
    return K.transpose(x, -2, -1)


def identity(K: Any, vector: Any) -> Any:
    """The square matrices of bools whose diagonals are as long as the vectors."""
    shape = (*vector.shape, vector.shape[-1])
    ones = K.expand(K.unsqueeze(K.eq(vector, vector), -1), shape)
    return K.logical_and(K.tril(ones, 0), K.triu(ones, 0))


# ---- Cholesky ----


def _cholesky_gradient(K: Any, g: Any, out: Any, upper: bool) -> Any:
    """``L^-T P(L^T g) L^-1``, made symmetric; P: the lower triangle, its diagonal halved.

    Source: I. Murray, "Differentiation of the Cholesky decomposition" (2016), equation (10).
    """
    if upper:
        out, g = mT(K, out), mT(K, g)
    inner = K.tril(K.matmul(mT(K, out), g), 0)
    inner = K.mul(K.add(inner, mT(K, K.tril(inner, -1))), 0.5)
    inner = K.linalg_solve_triangular(mT(K, out), inner, True, True, False)
    return K.linalg_solve_triangular(out, inner, False, False, False)


@op(input=_cholesky_gradient, extras=("info",), method=False)
def linalg_cholesky_ex(input: Tensor, upper: bool) -> Tensor:
    """The triangle L of ``A = L L.T``, or R of ``A = R.T R``; info: the first minor that fails.

    Gradient: symmetric.
    """


# ---- LU ----


def _lu_gradient(K: Any, g: Any, out: Any, pivots: Any, input_shape: tuple[int, ...]) -> Any:
    """The gradient of ``A = P L U`` from that of L and U in one matrix.

    For a square matrix ``P L^-T (tril(L^T gL, -1) + triu(gU U^T)) U^-T``; the columns of a wide
    matrix beyond the square, and the rows of a tall one, are solutions with L and with U.

    Source: the differential of ``A = P L U``, solved for dL (strictly lower) and dU (upper).
    """
    m, n = input_shape[-2:]
    k = min(m, n)
    square, g1 = (
        K.narrow(K.narrow(out, -2, 0, k), -1, 0, k),
        K.narrow(K.narrow(g, -2, 0, k), -1, 0, k),
    )
    unit = K.add(K.tril(square, -1), K.where(identity(K, K.diagonal(square, 0, -2, -1)), 1.0, 0.0))
    upper = K.triu(square, 0)
    below = K.matmul(mT(K, unit), K.tril(g1, -1))
    above = K.matmul(K.triu(g1, 0), mT(K, upper))
    if n > k:
        rest, g2 = K.narrow(out, -1, k, n - k), K.narrow(g, -1, k, n - k)
        below = K.sub(below, K.matmul(g2, mT(K, rest)))
    if m > k:
        rest, g2 = K.narrow(out, -2, k, m - k), K.narrow(g, -2, k, m - k)
        above = K.sub(above, K.matmul(mT(K, rest), g2))
    inner = K.add(K.tril(below, -1), K.triu(above, 0))
    inner = K.linalg_solve_triangular(mT(K, unit), inner, True, True, True)
    total = K.linalg_solve_triangular(mT(K, upper), inner, False, False, False)
    if n > k:
        total = K.cat([total, K.linalg_solve_triangular(mT(K, unit), g2, True, True, True)], -1)
    if m > k:
        tail = K.linalg_solve_triangular(mT(K, upper), g2, False, False, False)
        total = K.cat([total, tail], -2)
    return K.matmul(K.linalg_permutation(pivots, out), total)


@op(input=_lu_gradient, extras=("pivots", "info"), method=False)
def linalg_lu_factor_ex(input: Tensor) -> Tensor:
    """L below the diagonal and U, of ``A = P L U``; LAPACK's pivots; info: the first zero of U."""


@op(pivots=None, factors=None, method=False)
def linalg_permutation(pivots: Tensor, factors: Tensor) -> Tensor:
    """The matrix P of ``A = P L U`` from the pivots."""


@op(input=None, extras=("tau",), method=False)
def linalg_geqrf(input: Tensor) -> Tensor:
    """R, and below it the reflections of which Q is the product, with their factors tau."""


@op(input=None, extras=("pivots", "info"), method=False)
def linalg_ldl_factor_ex(input: Tensor) -> Tensor:
    """The factors of ``A = L D L.T`` of symmetric matrices, LAPACK's pivots, what failed."""


@op(LD=None, pivots=None, B=None, method=False)
def linalg_ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor) -> Tensor:
    """The solution of ``A X = B`` from the factors of `linalg_ldl_factor_ex`."""
