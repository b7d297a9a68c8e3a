"""Inverses, solutions of linear systems, determinants and the exponential, with derivatives."""

from __future__ import annotations

from typing import Any

from rushlight.dtypes import finfo
from rushlight.ops._registry import composed, op
from rushlight.ops.choice import where
from rushlight.ops.factorizations import mT
from rushlight.ops.orthogonal import linalg_svd
from rushlight.tensor import Tensor

# ---- Inverses and solutions ----


@op(
    input=lambda K, g, out: K.neg(K.matmul(mT(K, out), K.matmul(g, mT(K, out)))),
    extras=("info",),
    method=False,
)
def linalg_inv_ex(input: Tensor) -> Tensor:
    """The inverse of square matrices; info: which pivot is zero. NaN for a singular matrix.

    Source of this and the next: M. Giles, "Collected matrix derivative results" (2008), 2.2.
    """


def _solve_gradients(K: Any, g: Any, needs: tuple[bool, bool], A: Any, out: Any) -> Any:
    gB = K.linalg_solve_ex(mT(K, A), g)[0]
    return (K.neg(K.matmul(gB, mT(K, out))) if needs[0] else None), gB


@op(joint=_solve_gradients, extras=("info",), method=False)
def linalg_solve_ex(A: Tensor, B: Tensor) -> Tensor:
    """The solution of ``A X = B`` for matrices B; info: which pivot of A is zero."""


def _triangular_gradients(
    K: Any,
    g: Any,
    needs: tuple[bool, bool],
    A: Any,
    out: Any,
    upper: bool,
    left: bool,
    unitriangular: bool,
) -> Any:
    gB = K.linalg_solve_triangular(mT(K, A), g, not upper, left, unitriangular)
    if not needs[0]:
        return None, gB
    gA = K.neg(K.matmul(gB, mT(K, out)) if left else K.matmul(mT(K, out), gB))
    offset = int(unitriangular)
    return (K.triu(gA, offset) if upper else K.tril(gA, -offset)), gB


@op(joint=_triangular_gradients, method=False)
def linalg_solve_triangular(
    A: Tensor,
    B: Tensor,
    upper: bool,
    left: bool,
    unitriangular: bool,
) -> Tensor:
    """The solution of ``A X = B``, or ``X A = B``, that reads one triangle of A only."""


def _pinv_gradient(K: Any, g: Any, input: Any, out: Any) -> Any:
    """``-P^T g P^T + (1 - A P) g^T P P^T + P^T P g^T (1 - P A)`` of the pseudo-inverse P.

    Source: G. Golub, V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least
    squares problems whose variables separate", SIAM J. Numer. Anal. 10 (1973), equation (4.12).
    """
    transposed, gT = mT(K, out), mT(K, g)
    right = K.matmul(gT, K.matmul(out, transposed))
    left = K.matmul(K.matmul(transposed, out), gT)
    total = K.sub(right, K.matmul(transposed, K.matmul(g, transposed)))
    total = K.sub(total, K.matmul(input, K.matmul(out, right)))
    return K.add(total, K.sub(left, K.matmul(K.matmul(left, out), input)))


@op(input=_pinv_gradient, method=False)
def linalg_pinv(input: Tensor, atol: Any, rtol: Any, hermitian: bool) -> Tensor:
    """The pseudo-inverse, singular values up to ``max(atol, rtol * greatest)`` taken as zero."""


def _lstsq_gradients(K: Any, g: Any, needs: tuple[bool, bool], A: Any, B: Any, rcond: float) -> Any:
    """Those of ``pinv(A) B``."""
    inverse = K.linalg_pinv(A, 0.0, rcond, False)
    gA = _pinv_gradient(K, K.matmul(g, mT(K, B)), A, inverse) if needs[0] else None
    return gA, (K.matmul(mT(K, inverse), g) if needs[1] else None)


@op(joint=_lstsq_gradients, extras=("rank", "singular_values"), method=False)
def linalg_lstsq(A: Tensor, B: Tensor, rcond: float, driver: str) -> Tensor:
    """The X of least norm among those that make ``|A X - B|`` least; A's rank, singular values."""


# ---- Determinants ----


def _on_matrices(K: Any, g: Any) -> Any:
    return K.unsqueeze(K.unsqueeze(g, -1), -1)


@op(
    input=lambda K, g, input: K.mul(_on_matrices(K, g), K.linalg_cofactor(input)),
    method=False,
)
def linalg_det(input: Tensor) -> Tensor:
    """The determinant of square matrices; differentiable at singular ones too."""


@composed(method=False)
def linalg_cofactor(input: Tensor) -> Tensor:
    """The derivative of the determinant by each element: ``det(A) A^-T``.

    For a matrix that is nearly singular from its singular value decomposition, differentiable
    where the singular values are distinct.

    Source: N. Higham, "What is the adjugate of a matrix?" (2020).
    """
    inverse, info = linalg_inv_ex(input)
    if not info._array.any() and _well_conditioned(input, inverse):
        return linalg_det(input).unsqueeze(-1).unsqueeze(-1) * inverse.mT
    u, s, vh = linalg_svd(input, False)
    others = where(s.eq(s).diag_embed(), 1.0, s.unsqueeze(-2)).prod(-1)
    sign = (linalg_det(u) * linalg_det(vh)).unsqueeze(-1)
    return (u * (sign * others).unsqueeze(-2)) @ vh


def _well_conditioned(matrix: Tensor, inverse: Tensor) -> bool:
    """Whether the derivative of ``det(A) A^-T``, a difference of terms of that size, has digits."""
    size = matrix.detach().square().sum((-2, -1)) * inverse.detach().square().sum((-2, -1))
    return bool((size < 1 / finfo(matrix.dtype).eps).all())


def _slogdet_gradient(K: Any, g: Any, input: Any) -> Any:
    """``g A^-T``; the sign is constant."""
    inverse = mT(K, K.linalg_inv_ex(input)[0])
    return K.mul(inverse, 0.0 if g[1] is None else _on_matrices(K, g[1]))


@op(input=_slogdet_gradient, outputs=("sign", "logarithm"), method=False)
def linalg_slogdet(input: Tensor) -> tuple[Tensor, Tensor]:
    """The sign of the determinant, and the logarithm of its size."""


# ---- The exponential ----


def _exponential_gradient(K: Any, g: Any, input: Any, input_shape: tuple[int, ...]) -> Any:
    """The upper right block of the exponential of ``[[A^T, g], [0, A^T]]``.

    Source: N. Higham, "Functions of Matrices" (2008), equation (3.16).
    """
    n, transposed = input_shape[-1], mT(K, input)
    top = K.cat([transposed, g], -1)
    bottom = K.cat([K.mul(g, 0.0), transposed], -1)
    block = K.linalg_matrix_exp(K.cat([top, bottom], -2))
    return K.narrow(K.narrow(block, -2, 0, n), -1, n, n)


@op(input=_exponential_gradient, method=False)
def linalg_matrix_exp(input: Tensor) -> Tensor:
    """The exponential of square matrices."""
