"""Singular values and vectors of matrices of low rank, from a random sample of their range.

Source: N. Halko, P. Martinsson, J. Tropp, "Finding structure with randomness" (2009), algorithms
4.4 and 5.1.
"""

from __future__ import annotations

from rushlight.ops._registry import composed
from rushlight.ops.linalg import matmul
from rushlight.ops.matrices import qr_factors, singular_factors
from rushlight.ops.random import randn
from rushlight.tensor import Tensor


def _range_of(matrix: Tensor, q: int, niter: int) -> Tensor:
    """Orthonormal columns that nearly span the range of a matrix, by `niter` power iterations."""
    sample = randn(matrix.shape[-1], q, dtype=matrix.dtype, device=matrix.device)
    basis = qr_factors(matmul(matrix, sample), "reduced")[0]
    for _ in range(niter):
        basis = qr_factors(matmul(matrix.mT, basis), "reduced")[0]
        basis = qr_factors(matmul(matrix, basis), "reduced")[0]
    return basis


@composed(method=False)
def svd_lowrank(
    A: Tensor,  # noqa: N803
    q: int | None = 6,
    niter: int | None = 2,
    M: Tensor | None = None,  # noqa: N803
) -> tuple[Tensor, Tensor, Tensor]:
    """``A - M`` nearly as ``U diag(S) V^T`` of rank `q`, from the default generator's numbers.

    Args:
        A: ``(..., m, n)``.
        q: somewhat more than the rank that is expected.
        niter: of the power iterations, which sharpen the result.
        M: subtracted from A, in its shape; None: nothing.

    Returns:
        ``(U, S, V)``.
    """
    q, niter = 6 if q is None else q, 2 if niter is None else niter
    m, n = A.shape[-2:]
    matrix = A if M is None else A - M.expand(A.shape)
    if m < n:
        matrix = matrix.mT
    basis = _range_of(matrix, q, niter)
    u, s, vh = singular_factors(matmul(basis.mT, matrix), False)
    u, v = matmul(basis, u), vh.mT
    return (v, s, u) if m < n else (u, s, v)


@composed(method=False)
def pca_lowrank(
    A: Tensor,  # noqa: N803
    q: int | None = None,
    center: bool = True,
    niter: int = 2,
) -> tuple[Tensor, Tensor, Tensor]:
    """The first `q` principal components of the rows of A; see `svd_lowrank`.

    Args:
        A: ``(..., m, n)``: m observations of n variables.
        q: 6, or the least of m and n, when None.
        center: subtract the mean of each column first.
        niter: of the power iterations.

    Returns:
        ``(U, S, V)``: the directions are the columns of V.

    Raises:
        ValueError: for a `q` outside of the sizes, or a negative `niter`.
    """
    m, n = A.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(-2, True) if center else A, q, niter)
