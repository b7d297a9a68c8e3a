"""Factorizations with orthogonal factors: QR, eigenvectors of symmetric matrices, SVD.

The gradients of the factors are those of functions that do not depend on the signs of the vectors,
nor, where eigenvalues or singular values are equal, on the choice of their vectors.
"""

from __future__ import annotations

from typing import Any

from rushlight.ops._registry import op
from rushlight.ops.factorizations import identity, mT
from rushlight.tensor import Tensor


def _zeros_for(K: Any, g: Any, x: Any) -> Any:
    """The gradient of `x`: zeros where none arrived."""
    return K.mul(x, 0.0) if g is None else g


def _skew(K: Any, x: Any) -> Any:
    return K.sub(x, mT(K, x))


# ---- QR ----


def _qr_gradient(K: Any, g: Any, Q: Any, R: Any, mode: str, input_shape: tuple[int, ...]) -> Any:
    """``(gQ + Q S) R^-T``, S the symmetric matrix with the lower triangle of ``R gR^T - gQ^T Q``.

    Of a wide matrix, the columns beyond the square are ``Q R2``, which adds ``Q R2 gR2^T`` to gQ.

    Source: S. Walter, L. Lehmann, "Algorithmic differentiation of linear algebra functions"
    (2010), section 3; H. Liao et al., "Differentiable programming tensor networks" (2019), V.A.
    """
    m, n = input_shape[-2:]
    if mode == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. "
            "Please use linalg.qr(A, mode='reduced') if you are going to differentiate through "
            "linalg.qr."
        )
    if mode == "complete" and m > n:
        raise RuntimeError(
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols."
        )
    gQ, gR = _zeros_for(K, g[0], Q), _zeros_for(K, g[1], R)
    if n > m:
        rest, g2 = K.narrow(R, -1, m, n - m), K.narrow(gR, -1, m, n - m)
        R, gR = K.narrow(R, -1, 0, m), K.narrow(gR, -1, 0, m)
        gQ = K.add(gQ, K.matmul(Q, K.matmul(rest, mT(K, g2))))
    inner = K.sub(K.matmul(R, mT(K, gR)), K.matmul(mT(K, gQ), Q))
    inner = K.add(K.tril(inner, 0), mT(K, K.tril(inner, -1)))
    inner = K.add(gQ, K.matmul(Q, inner))
    total = K.linalg_solve_triangular(mT(K, R), inner, False, False, False)
    return K.cat([total, K.matmul(Q, g2)], -1) if n > m else total


@op(input=_qr_gradient, outputs=("Q", "R"), method=False)
def linalg_qr(input: Tensor, mode: str) -> Tensor:
    """The factors of ``A = Q R``; Q is empty in mode 'r'."""


# ---- Eigenvalues of symmetric matrices ----


def _eigh_gradient(K: Any, g: Any, L: Any, V: Any) -> Any:
    """``V (diag(gL) + F * skew(V^T gV) / 2) V^T`` with ``F[i, j] = 1 / (L[j] - L[i])``.

    Source: M. Giles, "Collected matrix derivative results" (2008), section 3.1.
    """
    gL, gV = g
    if gV is None:
        return K.matmul(K.mul(V, K.unsqueeze(gL, -2)), mT(K, V))
    diagonal = identity(K, L)
    gaps = K.where(diagonal, 1.0, K.sub(K.unsqueeze(L, -2), K.unsqueeze(L, -1)))
    # V moves by skew matrices, so that the rest of gV has no effect.
    inner = K.div(K.mul(_skew(K, K.matmul(mT(K, V), gV)), 0.5), gaps)
    inner = K.where(diagonal, 0.0 if gL is None else K.unsqueeze(gL, -1), inner)
    return K.matmul(V, K.matmul(inner, mT(K, V)))


@op(
    input=_eigh_gradient,
    outputs=("L", "V"),
    method=False,
)
def linalg_eigh(input: Tensor, lower: bool) -> Tensor:
    """The eigenvalues and eigenvectors of symmetric matrices, from one triangle."""


@op(
    input=lambda K, g, input, lower: _eigh_gradient(K, (g, None), *K.linalg_eigh(input, lower)),
    node="LinalgEighBackward0",
    method=False,
)
def linalg_eigvalsh(input: Tensor, lower: bool) -> Tensor:
    """The eigenvalues of symmetric matrices; its backward pass computes the eigenvectors."""


# ---- Singular values ----


def _first(K: Any, x: Any, dim: int, k: int) -> Any:
    """The vectors that belong to singular values, of a gradient or of a factor."""
    return x if x is None or x.shape[dim] == k else K.narrow(x, dim, 0, k)


def _svd_gradient(K: Any, g: Any, U: Any, S: Any, Vh: Any) -> Any:
    """``U (diag(gS) + F * skew(U^T gU) S + S F * skew(V^T gV)) V^T``, and what lies outside.

    ``F[i, j] = 1 / (S[j]^2 - S[i]^2)``; outside of the spans of U and V add ``(1 - U U^T) gU S^-1
    V^T`` and ``U S^-1 gV^T (1 - V V^T)``.

    Source: J. Townsend, "Differentiating the singular value decomposition" (2016).
    """
    gS, k = g[1], S.shape[-1]
    U, gU = _first(K, U, -1, k), _first(K, g[0], -1, k)
    Vh, gVh = _first(K, Vh, -2, k), _first(K, g[2], -2, k)
    if gU is None and gVh is None:
        return K.matmul(K.mul(U, K.unsqueeze(gS, -2)), Vh)
    columns, rows = K.unsqueeze(S, -2), K.unsqueeze(S, -1)
    diagonal = identity(K, S)
    # Not a difference of squares, which would lose the digits of small singular values.
    gaps = K.where(diagonal, 1.0, K.mul(K.sub(columns, rows), K.add(columns, rows)))
    inner = K.where(diagonal, 0.0 if gS is None else K.unsqueeze(gS, -1), 0.0)
    if gU is not None:
        inner = K.add(inner, K.mul(K.div(_skew(K, K.matmul(mT(K, U), gU)), gaps), columns))
    if gVh is not None:
        inner = K.add(inner, K.mul(K.div(_skew(K, K.matmul(Vh, mT(K, gVh))), gaps), rows))
    total = K.matmul(inner, Vh)
    if gVh is not None and Vh.shape[-1] > k:
        outside = K.sub(gVh, K.matmul(K.matmul(gVh, mT(K, Vh)), Vh))
        total = K.add(total, K.div(outside, rows))
    total = K.matmul(U, total)
    if gU is not None and U.shape[-2] > k:
        outside = K.sub(gU, K.matmul(U, K.matmul(mT(K, U), gU)))
        total = K.add(total, K.matmul(K.div(outside, columns), Vh))
    return total


@op(input=_svd_gradient, outputs=("U", "S", "Vh"), method=False)
def linalg_svd(input: Tensor, full_matrices: bool) -> Tensor:
    """The factors of ``A = U diag(S) Vh``."""


@op(
    input=lambda K, g, input: _svd_gradient(K, (None, g, None), *K.linalg_svd(input, False)),
    node="LinalgSvdBackward0",
    method=False,
)
def linalg_svdvals(input: Tensor) -> Tensor:
    """The singular values, the greatest first; its backward pass computes the vectors."""
