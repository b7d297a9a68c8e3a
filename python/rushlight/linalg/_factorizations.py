"""Factorizations: Cholesky, QR, eigenvectors, SVD, LU and LDL."""

from __future__ import annotations

from typing import Any

from rushlight.ops._destination import takes_out
from rushlight.ops._matrices import (
    check_floating,
    check_implemented,
    check_info,
    check_matrices,
    check_square,
)
from rushlight.ops._results import named
from rushlight.ops.elimination import lu_factors, lu_unpack
from rushlight.ops.factorizations import linalg_ldl_factor_ex, linalg_ldl_solve
from rushlight.ops.matrices import cholesky_factor, orgqr, qr_factors, singular_factors
from rushlight.ops.orthogonal import linalg_eigh, linalg_eigvalsh, linalg_svdvals
from rushlight.tensor import Tensor


@takes_out
def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The triangle L of ``A = L L.T``, or R of ``A = R.T R`` with `upper`.

    Args:
        A: ``(..., n, n)``, symmetric and positive-definite; one triangle is read.
        upper: give R.

    Raises:
        LinAlgError: for a matrix that is not positive-definite.
        RuntimeError: for other shapes and types.

    Gradient: symmetric.
    """
    return cholesky_factor("linalg.cholesky", A, upper)[0]


@takes_out
def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """`cholesky` as ``(L, info)``; info: the order of the first minor that is not positive, or 0.

    An error is raised with `check_errors` only.
    """
    factor, info = cholesky_factor("linalg.cholesky_ex", A, upper, check_errors)
    return named("linalg_cholesky_ex", L=factor, info=info)


@takes_out
def qr(A: Tensor, mode: str = "reduced") -> Any:
    """``A = Q R``, Q with orthonormal columns and R upper triangular: ``(Q, R)``.

    Args:
        A: ``(..., m, n)``.
        mode: 'reduced': Q ``(..., m, k)``; 'complete': ``(..., m, m)``; 'r': without Q.

    Gradient: for full-rank matrices; none in mode 'r', nor in mode 'complete' where m > n.
    """
    q, r = qr_factors(A, mode)
    return named("linalg_qr", Q=q, R=r)


@takes_out
def eigh(A: Tensor, UPLO: str = "L") -> Any:
    """``A = V diag(L) V.T`` of symmetric matrices: ``(eigenvalues, eigenvectors)``, ascending.

    Args:
        A: ``(..., n, n)``.
        UPLO: which triangle is read, 'L' or 'U'.

    Gradient: of the eigenvectors where the eigenvalues are distinct.
    """
    values, vectors = linalg_eigh(_symmetric(A, UPLO), UPLO in "Ll")
    return named("linalg_eigh", eigenvalues=values, eigenvectors=vectors)


@takes_out
def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric matrices, ascending; see `eigh`."""
    return linalg_eigvalsh(_symmetric(A, UPLO), UPLO in "Ll")


def _symmetric(A: Tensor, UPLO: str) -> Tensor:
    check_square("linalg.eigh", A)
    if UPLO not in ("L", "U", "l", "u"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    check_implemented("linalg_eigh_cpu", A)
    return A


@takes_out
def eig(A: Tensor) -> Any:
    """Refused: the eigenvalues of a matrix that is not symmetric are complex numbers.

    Raises:
        NotImplementedError: always, since there are no complex tensors; see `eigh`.
    """
    check_square("linalg.eig", A)
    check_floating("linalg.eig", A)
    raise NotImplementedError(
        "linalg.eig: its results are complex, and there are no complex tensors; for symmetric "
        "matrices use linalg.eigh"
    )


@takes_out
def eigvals(A: Tensor) -> Tensor:
    """Refused as `eig` is.

    Raises:
        NotImplementedError: always; for symmetric matrices use `eigvalsh`.
    """
    result: Tensor = eig(A)
    return result


@takes_out
def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """``A = U diag(S) Vh``: ``(U, S, Vh)``, the singular values descending.

    Args:
        A: ``(..., m, n)``.
        full_matrices: U ``(..., m, m)`` and Vh ``(..., n, n)``; else of k columns and k rows.
        driver: must be None.

    Gradient: of U and Vh where the singular values are distinct, and not zero if m and n differ.
    """
    _check_driver(driver)
    u, s, vh = singular_factors(A, full_matrices)
    return named("linalg_svd", U=u, S=s, Vh=vh)


@takes_out
def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, descending; see `svd`."""
    _check_driver(driver)
    check_matrices("linalg.svd", A)
    check_floating("linalg.svd", A)
    return linalg_svdvals(A)


def _check_driver(driver: str | None) -> None:
    if driver is not None:
        raise RuntimeError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with "
            "cuSOLVER backend."
        )


@takes_out
def lu(A: Tensor, *, pivot: bool = True) -> Any:
    """``A = P L U``, P a permutation, L with ones on its diagonal: ``(P, L, U)``.

    Raises:
        RuntimeError: for ``pivot=False``, and other shapes and types.
    """
    factors, pivots, _ = lu_factors("linalg.lu", A, pivot)
    P, L, U = lu_unpack(factors, pivots)
    return named("linalg_lu", P=P, L=L, U=U)


@takes_out
def lu_factor(A: Tensor, *, pivot: bool = True) -> Any:
    """L and U of `lu` in one matrix, and LAPACK's pivots: ``(LU, pivots)``.

    Raises:
        RuntimeError: for a singular matrix, ``pivot=False``, and other shapes and types.
    """
    factors, pivots, _ = lu_factors("linalg.lu_factor", A, pivot, check_errors=True)
    return named("linalg_lu_factor", LU=factors, pivots=pivots)


@takes_out
def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """`lu_factor` with ``info``, the first zero on the diagonal of U, or 0."""
    factors, pivots, info = lu_factors("linalg.lu_factor_ex", A, pivot, check_errors)
    return named("linalg_lu_factor_ex", LU=factors, pivots=pivots, info=info)


@takes_out
def ldl_factor(A: Tensor, *, hermitian: bool = False) -> Any:
    """``A = L D L.T`` of symmetric matrices, as LAPACK's sytrf gives it: ``(LD, pivots)``.

    For real matrices `hermitian` makes no difference. Has no gradient, as in PyTorch.
    """
    factors, pivots, _ = ldl_factor_ex(A, hermitian=hermitian, check_errors=True)
    return named("linalg_ldl_factor", LD=factors, pivots=pivots)


@takes_out
def ldl_factor_ex(
    A: Tensor,
    *,
    hermitian: bool = False,
    check_errors: bool = False,
) -> Any:
    """`ldl_factor` with ``info``, the first zero on the diagonal of D, or 0."""
    check_square("torch.linalg.ldl_factor_ex", A)
    check_floating("torch.linalg.ldl_factor_ex", A)
    factors, pivots, info = linalg_ldl_factor_ex(A)
    if check_errors:
        check_info("torch.linalg.ldl_factor_ex", info, "The factorization failed at pivot {}.")
    return named("linalg_ldl_factor_ex", LD=factors, pivots=pivots, info=info)


@takes_out
def ldl_solve(
    LD: Tensor,
    pivots: Tensor,
    B: Tensor,
    *,
    hermitian: bool = False,
) -> Tensor:
    """The solution of ``A X = B`` from the result of `ldl_factor`."""
    name = "torch.linalg.ldl_solve"
    check_square(name, LD)
    check_matrices(name, B, "B")
    if pivots.dtype.name not in ("int32", "int64"):
        raise RuntimeError(f"{name}: Expected pivots to be integers. Got {pivots.dtype}")
    if LD.dtype is not B.dtype:
        raise RuntimeError(
            f"ldl_solve: Expected LD and B to have the same dtype, but found {LD.dtype} and "
            f"{B.dtype} instead"
        )
    if LD.shape[-1] != B.shape[-2]:
        raise RuntimeError(
            f"{name}: Incompatible shapes of LD and B ({LD.shape[-2]}x{LD.shape[-1]} and "
            f"{B.shape[-2]}x{B.shape[-1]})"
        )
    return linalg_ldl_solve(LD, pivots, B)


householder_product = orgqr
