"""The LU factorization, and what is solved with it."""

from __future__ import annotations

from typing import Any

from rushlight.ops._destination import takes_out
from rushlight.ops._matrices import (
    check_floating,
    check_implemented,
    check_square,
    check_system,
)
from rushlight.ops._registry import composed
from rushlight.ops._results import named
from rushlight.ops._words import type_name
from rushlight.ops.factorizations import linalg_lu_factor_ex, linalg_permutation
from rushlight.ops.inverses import linalg_solve_triangular
from rushlight.ops.linalg import matmul
from rushlight.ops.ranges import eye
from rushlight.tensor import Tensor


def lu_factors(
    name: str,
    A: Tensor,
    pivot: bool = True,
    check_errors: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """L and U in one matrix, the pivots and what failed, under the checks of `name`."""
    if A.ndim < 2:
        raise RuntimeError(
            "torch.lu_factor: Expected tensor with 2 or more dimensions. "
            f"Got size: {list(A.shape)} instead"
        )
    check_implemented("lu_cpu", A)
    if not pivot:
        raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")
    factors, pivots, info = linalg_lu_factor_ex(A)
    if check_errors and info._array.any():
        i = int(info._array[info._array != 0].reshape(-1)[0])
        raise RuntimeError(
            f"torch.{name}: U[{i},{i}] is zero and using it on lu_solve would result in a division "
            "by zero. If you still want to perform the factorization, consider calling "
            "linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
        )
    return factors, pivots, info


@composed()
@takes_out
def lu(input: Tensor, pivot: bool = True, get_infos: bool = False) -> Any:
    """L and U in one matrix, and the pivots; with `get_infos` the first zero of U besides."""
    factors, pivots, info = lu_factors("lu", input, pivot)
    if get_infos:
        return named("_lu_with_info", LU=factors, pivots=pivots, info=info)
    return factors, pivots


@composed(method=False)
@takes_out
def lu_unpack(
    LU_data: Tensor,
    LU_pivots: Tensor,
    unpack_data: bool = True,
    unpack_pivots: bool = True,
) -> Any:
    """P, L and U from the result of `lu`; empty where they were not asked for."""
    if LU_data.ndim < 2:
        raise RuntimeError(
            "torch.lu_unpack: Expected tensor with 2 or more dimensions. "
            f"Got size: {list(LU_data.shape)} instead"
        )
    if unpack_pivots and LU_pivots.dtype.name != "int32":
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 "
            "dtype.\nNote: this function is intended to be used with the output produced by "
            "torch.linalg.lu_factor"
        )
    nothing = LU_data.new_zeros(0)
    P, L, U = nothing, nothing, nothing
    m, n = LU_data.shape[-2:]
    k = min(m, n)
    if unpack_data:
        unit = eye(m, k, dtype=LU_data.dtype, device=LU_data.device)
        L = LU_data.narrow(-1, 0, k).tril(-1) + unit
        U = LU_data.narrow(-2, 0, k).triu()
    if unpack_pivots:
        P = linalg_permutation(LU_pivots, LU_data)
    return named("lu_unpack", P=P, L=L, U=U)


def solved_by_lu(
    LU: Tensor,
    pivots: Tensor,
    B: Tensor,
    left: bool = True,
    adjoint: bool = False,
) -> Tensor:
    """``torch.linalg.lu_solve``."""
    name = "linalg.lu_solve"
    check_floating(name, LU)
    if LU.dtype is not B.dtype:
        raise RuntimeError(
            f"{name}: Expected LU and B to have the same dtype, but found LU of type "
            f"{type_name(LU)} and B of type {type_name(B)} instead"
        )
    if pivots.dtype.name != "int32":
        raise RuntimeError(f"{name}: pivots should be a Tensor of scalar type torch.int32")
    check_square(f"torch.{name}", LU)
    check_system(name, LU, B, left)
    if LU.shape[-1] != pivots.shape[-1]:
        raise RuntimeError(
            f"{name}: Number of pivots per batch should be same as the dimension of the matrix"
        )
    if LU.shape[:-2] != pivots.shape[:-1]:
        raise RuntimeError(
            f"{name}: Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with "
            f"shape {list(pivots.shape)} instead"
        )
    if not left:  # X A = B is A^T X^T = B^T
        return _solved(LU, pivots, B.mT, not adjoint).mT
    return _solved(LU, pivots, B, adjoint)


def _solved(LU: Tensor, pivots: Tensor, B: Tensor, adjoint: bool) -> Tensor:
    P = linalg_permutation(pivots, LU)
    if adjoint:
        half = linalg_solve_triangular(LU.mT, B, False, True, False)
        return matmul(P, linalg_solve_triangular(LU.mT, half, True, True, True))
    half = linalg_solve_triangular(LU, matmul(P.mT, B), False, True, True)
    return linalg_solve_triangular(LU, half, True, True, False)


@composed()
@takes_out
def lu_solve(input: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """The solution of ``A X = input`` from the result of `lu`."""
    return solved_by_lu(LU_data, LU_pivots, input)
