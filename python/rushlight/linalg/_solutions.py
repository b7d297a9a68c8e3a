"""Inverses, determinants, linear systems and least squares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rushlight.dtypes import finfo
from rushlight.ops._destination import takes_out
from rushlight.ops._matrices import (
    UNSOLVABLE,
    check_floating,
    check_info,
    check_square,
    check_system,
)
from rushlight.ops._results import named
from rushlight.ops._words import type_name
from rushlight.ops.elimination import solved_by_lu
from rushlight.ops.inverses import linalg_lstsq, linalg_solve_ex, linalg_solve_triangular
from rushlight.ops.matrices import inverted, pseudo_inverse, sign_and_logarithm
from rushlight.tensor import Tensor


@takes_out
def inv(A: Tensor) -> Tensor:
    """The inverses of square matrices.

    Raises:
        LinAlgError: for a singular matrix.
        RuntimeError: for other shapes and types.
    """
    return inverted("linalg.inv", A)[0]


@takes_out
def inv_ex(A: Tensor, *, check_errors: bool = False) -> Any:
    """`inv` as ``(inverse, info)``; info: which pivot is zero, or 0, and the inverse NaN then.

    An error is raised with `check_errors` only.
    """
    inverse, info = inverted("linalg.inv_ex", A, check_errors)
    return named("linalg_inv_ex", inverse=inverse, info=info)


@takes_out
def pinv(
    A: Tensor,
    rcond: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
) -> Tensor:
    """The pseudo-inverse of Moore and Penrose, ``(..., m, n) -> (..., n, m)``.

    Singular values up to ``max(atol, rtol * greatest)`` count as zero.

    Args:
        A: of any rank.
        rcond: the old name of `rtol`.
        hermitian: A is symmetric; its lower triangle is read.
        atol: 0 when None; a number or a tensor.
        rtol: when None, the type's eps times the greater of m and n, and 0 where `atol` is given.
    """
    if isinstance(rcond, bool):
        rcond, hermitian = None, rcond
    return pseudo_inverse(A, atol, rcond if rtol is None else rtol, hermitian)


@takes_out
def slogdet(A: Tensor) -> Any:
    """The sign and the logarithm of the size of determinants: ``(sign, logabsdet)``."""
    sign, logarithm = sign_and_logarithm("linalg.slogdet", A)
    return named("linalg_slogdet", sign=sign, logabsdet=logarithm)


# ---- Linear systems ----


def _solved(A: Tensor, B: Tensor, left: bool) -> tuple[Tensor, Tensor]:
    """The solution and which pivot is zero."""
    name = "linalg.solve"
    check_floating(name, A)
    if A.dtype is not B.dtype:
        raise RuntimeError(
            f"{name}: Expected A and B to have the same dtype, but found A of type "
            f"{type_name(A)} and B of type {type_name(B)} instead"
        )
    check_square(name, A)
    vector = B.ndim == 1 or (A.ndim - 1 == B.ndim and A.shape[:-1] == B.shape)
    right = B.unsqueeze(-1) if vector else B
    check_system(name, A, right, left)
    if left:
        result, info = linalg_solve_ex(A, right)
    else:
        result, info = linalg_solve_ex(A.mT, right.mT)
        result = result.mT
    return (result.squeeze(-1) if vector else result), info


@takes_out
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """The solution of ``A X = B``, or ``X A = B`` with ``left=False``.

    Args:
        A: ``(..., n, n)``.
        B: ``(n)`` or ``(..., n)`` for vectors, else ``(..., n, k)``; batches broadcast.
        left: whether A stands to the left of X.

    Raises:
        LinAlgError: for a singular matrix.
        RuntimeError: for other shapes and types.
    """
    result, info = _solved(A, B, left)
    check_info("torch.linalg.solve", info, UNSOLVABLE)
    return result


@takes_out
def solve_ex(
    A: Tensor,
    B: Tensor,
    *,
    left: bool = True,
    check_errors: bool = False,
) -> Any:
    """`solve` as ``(result, info)``; info: which pivot of A is zero, or 0."""
    result, info = _solved(A, B, left)
    if check_errors:
        check_info("torch.linalg.solve_ex", info, UNSOLVABLE)
    return named("linalg_solve_ex", result=result, info=info)


@takes_out
def solve_triangular(
    A: Tensor,
    B: Tensor,
    *,
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
) -> Tensor:
    """The solution of ``A X = B``, or ``X A = B``, for a triangular A.

    Args:
        A: ``(..., n, n)``, of which one triangle is read.
        B: ``(..., n, k)``, or ``(..., k, n)`` with ``left=False``; batches broadcast.
        upper: which triangle.
        left: whether A stands to the left of X.
        unitriangular: take the diagonal for ones, without reading it.
    """
    name = "linalg.solve_triangular"
    check_system(name, A, B, left)
    check_floating(name, A)
    return linalg_solve_triangular(A, B, upper, left, unitriangular)


@takes_out
def lu_solve(
    LU: Tensor,
    pivots: Tensor,
    B: Tensor,
    *,
    left: bool = True,
    adjoint: bool = False,
) -> Tensor:
    """The solution of ``A X = B`` from the result of `lu_factor`.

    Args:
        LU: ``(..., n, n)``.
        pivots: ``(..., n)``, int32.
        B: ``(..., n, k)``, or ``(..., k, n)`` with ``left=False``.
        left: whether A stands to the left of X.
        adjoint: take the transposed A.
    """
    return solved_by_lu(LU, pivots, B, left, adjoint)


_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


def lstsq(
    input: Tensor,
    b: Tensor,
    rcond: float | None = None,
    *,
    driver: str | None = None,
) -> Any:
    """The X of least norm among those for which ``|input X - b|`` is least.

    Args:
        input: ``(..., m, n)``.
        b: ``(..., m, k)``, or ``(..., m)`` for vectors.
        rcond: singular values up to this times the greatest count as zero; eps times the greater
            of m and n when None.
        driver: LAPACK's routine: 'gelsy' (when None), 'gelsd', 'gelss', or 'gels', which takes
            matrices of full rank only.

    Returns:
        ``(solution, residuals, rank, singular_values)``: residuals are the sums of squares, empty
        unless m > n, the rank is full and the driver is not 'gelsy'; the rank is empty for 'gels';
        the singular values are those of 'gelsd' and 'gelss'.

    Raises:
        RuntimeError: for other shapes, types and drivers.
        LinAlgError: with 'gels', for a matrix that does not have full rank.
    """
    name = "torch.linalg.lstsq"
    _check_lstsq(name, input, b)
    driver = "gelsy" if driver is None else driver
    if driver not in _DRIVERS:
        raise RuntimeError(
            f"{name}: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)"
        )
    m, n = input.shape[-2:]
    limit = finfo(input.dtype).eps * max(m, n) if rcond is None else float(rcond)
    vector = _is_vector(input, b)
    right = b.unsqueeze(-1) if vector else b
    solution, rank, values = linalg_lstsq(input, right, limit, driver)
    full = bool((rank == min(m, n)).all())
    if driver == "gels" and not full:
        check_info(
            name,
            (rank != min(m, n)).int() * (rank.int() + 1),
            "The least squares solution could not be computed because the input matrix does not "
            "have full rank (error code: {}).",
        )
    nothing = input.new_zeros(0)
    residuals = nothing
    if m > n and driver != "gelsy" and full:
        residuals = (input @ solution - right).square().sum(-2)
    return named(
        "linalg_lstsq",
        solution=solution.squeeze(-1) if vector else solution,
        residuals=residuals,
        rank=rank if driver != "gels" else nothing.long(),
        singular_values=values if driver in ("gelsd", "gelss") else nothing,
    )


def _is_vector(input: Tensor, b: Tensor) -> bool:
    return input.ndim - 1 == b.ndim and input.shape[:-1] == b.shape


def _check_lstsq(name: str, input: Tensor, b: Tensor) -> None:
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if b.ndim < 1:
        raise RuntimeError(f"{name}: other must have at least 1 dimension.")
    difference = input.ndim - b.ndim
    if difference not in (0, 1):
        raise RuntimeError(
            f"{name}: input.dim() must be greater or equal to other.dim() and (input.dim() - "
            "other.dim()) <= 1"
        )
    if not _is_vector(input, b) and input.shape[-2] != b.shape[-2 if b.ndim > 1 else -1]:
        raise RuntimeError(f"{name}: input.size(-2) should match other.size(-2)")
    if _is_vector(input, b) and input.shape[-2] != b.shape[-1]:
        raise RuntimeError(f"{name}: input.size(-2) should match other.size(-1)")
    if input.dtype is not b.dtype:
        raise RuntimeError(
            f"{name}: Expected input and other to have the same dtype, but got input's dtype "
            f"{type_name(input)} and other's dtype {type_name(b)}"
        )
    check_floating("linalg.lstsq", input)


# ---- Tensors as matrices ----


@takes_out
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of `tensordot` with A over its last dimensions.

    Args:
        A: whose first `ind` sizes and other sizes have the same product.
        ind: greater than 0.
    """
    if ind <= 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    left, right = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    n, m = math.prod(left), math.prod(right)
    if n != m:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {m} != {n}"
        )
    return inverted("inv", A.reshape(n, m))[0].reshape(*right, *left)


@takes_out
def tensorsolve(A: Tensor, B: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """The X for which ``tensordot(A, X, X.ndim) == B``.

    Args:
        A: of the shape of B and then that of X, whose sizes have the same product.
        B: the right-hand side.
        dims: dimensions of A that are moved to its end first.
    """
    if dims is not None:
        moved = [d % A.ndim for d in dims]
        A = A.permute(*(d for d in range(A.ndim) if d not in moved), *moved)
    shape = tuple(A.shape[B.ndim :])
    n, m = math.prod(A.shape[: B.ndim]), math.prod(shape)
    if n != m:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {m} != {n}"
        )
    return solve(A.reshape(n, m), B.reshape(n)).reshape(shape)
