"""Functions of matrices that are Tensor methods, and what they share with `rushlight.linalg`.

The functions of `rushlight.linalg` that stand here are public there, not at the top level.
"""

from __future__ import annotations

import math
from typing import Any

from rushlight.ops._destination import takes_out
from rushlight.ops._matrices import (
    INDEFINITE,
    SINGULAR,
    check_floating,
    check_implemented,
    check_info,
    check_matrices,
    check_square,
)
from rushlight.ops._registry import composed
from rushlight.ops._results import named
from rushlight.ops._words import type_name
from rushlight.ops.choice import where
from rushlight.ops.factorizations import (
    linalg_cholesky_ex,
    linalg_geqrf,
)
from rushlight.ops.inverses import (
    linalg_det,
    linalg_inv_ex,
    linalg_matrix_exp,
    linalg_pinv,
    linalg_slogdet,
    linalg_solve_triangular,
)
from rushlight.ops.linalg import matmul
from rushlight.ops.orthogonal import linalg_qr, linalg_svd
from rushlight.ops.ranges import eye
from rushlight.ops.shape import fill
from rushlight.tensor import Tensor

# ---- Inverses ----


def inverted(name: str, A: Tensor, check_errors: bool = True) -> tuple[Tensor, Tensor]:
    """The inverse and what failed, under the checks of `name`."""
    check_square("linalg.inv", A)
    check_floating("linalg.inv", A)
    inverse, info = linalg_inv_ex(A)
    if check_errors:
        check_info(name, info, SINGULAR)
    return inverse, info


@composed()
@takes_out
def inverse(input: Tensor) -> Tensor:
    """``torch.linalg.inv``: the inverses of square matrices.

    Raises:
        LinAlgError: for a singular matrix.
        RuntimeError: for other shapes and types.
    """
    return inverted("linalg.inv", input)[0]


def unit_like(A: Tensor) -> Tensor:
    """Ones on the diagonals, zeros elsewhere; the gradient of `A` is zero."""
    return fill(A, 0) + eye(*A.shape[-2:], dtype=A.dtype, device=A.device)


@composed()
@takes_out
def matrix_power(input: Tensor, n: int) -> Tensor:
    """``input @ ... @ input``, n times; of the inverse for a negative n.

    Raises:
        RuntimeError: for what are no square matrices.
        LinAlgError: for a negative power of a singular matrix.
    """
    check_square("linalg.matrix_power", input)
    if n == 0:
        return unit_like(input)
    base = input if n > 0 else inverse(input)
    n, power = abs(n), None
    while n:
        n, odd = divmod(n, 2)
        if odd:
            power = base if power is None else matmul(power, base)
        if n:
            base = matmul(base, base)
    assert power is not None
    return power.clone() if power is input else power


def tolerance(value: Any, like: Tensor, default: float) -> Any:
    """A tolerance as an array or a number."""
    if value is None:
        return default
    return value._array if isinstance(value, Tensor) else float(value)


def tolerances(A: Tensor, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """What counts as zero among singular values: absolutely, and relative to the greatest."""
    from rushlight.dtypes import finfo

    relative = finfo(A.dtype).eps * max(A.shape[-2:])
    if rtol is None and atol is not None:
        positive = atol._array > 0 if isinstance(atol, Tensor) else atol > 0
        relative = (
            relative * (1 - positive)
            if isinstance(atol, Tensor)
            else (0.0 if positive else relative)
        )
    return tolerance(atol, A, 0.0), tolerance(rtol, A, relative)


def pseudo_inverse(
    A: Tensor,
    atol: Any = None,
    rtol: Any = None,
    hermitian: bool = False,
) -> Tensor:
    """``torch.linalg.pinv``."""
    if A.ndim < 2 or not A.is_floating_point():
        raise RuntimeError(
            f"linalg.pinv({type_name(A)}{{{list(A.shape)}}}): expected a tensor with 2 or more "
            "dimensions of float, double, cfloat or cdouble types"
        )
    if hermitian:
        check_square("linalg.eigh", A)
    absolute, relative = tolerances(A, atol, rtol)
    return linalg_pinv(A, absolute, relative, hermitian)


@composed()
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The pseudo-inverse; singular values up to `rcond` times the greatest count as zero."""
    return pseudo_inverse(input, 0.0, rcond)


# ---- Determinants ----


@composed()
@takes_out
def det(input: Tensor) -> Tensor:
    """The determinants of square matrices; differentiable at singular ones too."""
    check_square("linalg.det", input)
    check_floating("linalg.det", input)
    return linalg_det(input)


def sign_and_logarithm(name: str, A: Tensor) -> tuple[Tensor, Tensor]:
    """The sign and the logarithm of the size of determinants, under the checks of `name`."""
    check_square(name, A)
    check_floating(name, A)
    return linalg_slogdet(A)


@composed()
@takes_out
def slogdet(input: Tensor) -> Any:
    """The sign and the logarithm of the size of determinants: ``(sign, logabsdet)``."""
    sign, logarithm = sign_and_logarithm("linalg.slogdet", input)
    return named("slogdet", sign=sign, logabsdet=logarithm)


@composed()
def logdet(input: Tensor) -> Tensor:
    """The logarithm of determinants: NaN for negative ones."""
    sign, logarithm = sign_and_logarithm("logdet", input)
    return where(sign.eq(-1), math.nan, logarithm)


# ---- Cholesky ----


def cholesky_factor(
    name: str,
    A: Tensor,
    upper: bool,
    check_errors: bool = True,
) -> tuple[Tensor, Tensor]:
    """The triangle and what failed, under the checks of `name`."""
    check_square(name.removesuffix("_ex"), A)
    check_floating(name.removesuffix("_ex"), A)
    factor, info = linalg_cholesky_ex(A, upper)
    if check_errors:
        check_info(name, info, INDEFINITE)
    return factor, info


@composed()
@takes_out
def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """The triangle L of ``A = L L.T``, or R of ``A = R.T R`` with `upper`.

    Raises:
        LinAlgError: for a matrix that is not positive-definite.
        RuntimeError: for other shapes and types.
    """
    return cholesky_factor("cholesky", input, upper)[0]


@composed()
@takes_out
def cholesky_solve(input: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """The solution of ``A X = input`` from the Cholesky factor of A."""
    for name, x in (("b", input), ("u", L)):
        if x.ndim < 2:
            raise RuntimeError(
                f"{name} should have at least 2 dimensions, but has {x.ndim} dimensions instead"
            )
    _check_fitting("cholesky_solve", input, L)
    lower = L.mT if upper else L
    half = linalg_solve_triangular(lower, input, False, True, False)
    return linalg_solve_triangular(lower.mT, half, True, True, False)


def _check_fitting(name: str, b: Tensor, A: Tensor) -> None:
    """Raises RuntimeError for what are no square matrices and right-hand sides."""
    rows, columns = A.shape[-2:]
    if rows != columns:
        raise RuntimeError(
            f"{name}: A must be batches of square matrices, but they are {rows} by {columns} "
            "matrices"
        )
    if rows != b.shape[-2]:
        raise RuntimeError(
            f"Incompatible matrix sizes for {name}: each A matrix is {rows} by {columns} but each "
            f"b matrix is {b.shape[-2]} by {b.shape[-1]}"
        )


@composed()
@takes_out
def cholesky_inverse(input: Tensor, upper: bool = False) -> Tensor:
    """The inverse of A from its Cholesky factor."""
    check_square("cholesky_inverse", input)
    return cholesky_solve(unit_like(input), input, upper)


# ---- QR ----


def qr_factors(A: Tensor, mode: str) -> tuple[Tensor, Tensor]:
    """Q and R, under the checks of ``linalg.qr``."""
    check_matrices("linalg.qr", A)
    check_floating("linalg.qr", A)
    if mode not in ("reduced", "r", "complete"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), "
            "'r', or 'complete'"
        )
    return linalg_qr(A, mode)  # type: ignore[return-value]


@composed()
@takes_out
def qr(input: Tensor, some: bool = True) -> Any:
    """``A = Q R``; ``some=False`` makes Q square. The old name of ``torch.linalg.qr``."""
    q, r = qr_factors(input, "reduced" if some else "complete")
    return named("qr", Q=q, R=r)


@composed()
@takes_out
def geqrf(input: Tensor) -> Any:
    """R, and below it the reflections of which Q is the product, with their factors tau.

    Has no gradient, as in PyTorch.
    """
    if input.ndim < 2:
        raise RuntimeError("torch.geqrf: input must have at least 2 dimensions.")
    a, tau = linalg_geqrf(input)
    return named("geqrf", a=a, tau=tau)


@composed()
@takes_out
def orgqr(input: Tensor, tau: Tensor) -> Tensor:
    """``torch.linalg.householder_product``: the first columns of a product of reflections.

    Args:
        input: ``(..., m, n)``: below the diagonal of each column a vector v, whose 1 is implied.
        tau: ``(..., k)``, k <= n: the factors of ``1 - tau v v^T``.
    """
    name = "torch.linalg.householder_product"
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    m, n = input.shape[-2:]
    if m < n:
        raise RuntimeError(
            f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]"
        )
    if n < tau.shape[-1]:
        raise RuntimeError(
            f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]"
        )
    _check_reflections(name, input, tau)
    return _reflected(input, tau, unit_like(input), True, False)


def _check_reflections(name: str, input: Tensor, tau: Tensor) -> None:
    if input.ndim - tau.ndim != 1:
        raise RuntimeError(
            f"{name}: Expected tau to have one dimension less than input, but got tau.ndim equal "
            f"to {tau.ndim} and input.ndim is equal to {input.ndim}"
        )
    if input.shape[:-2] != tau.shape[:-1]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got "
            f"{list(tau.shape[:-1])}"
        )
    if tau.dtype is not input.dtype:
        raise RuntimeError(
            f"{name}: tau dtype {type_name(tau)} does not match input dtype {type_name(input)}"
        )


def _reflected(v: Tensor, tau: Tensor, x: Tensor, left: bool, transpose: bool) -> Tensor:
    """``Q x``, ``Q^T x``, ``x Q`` or ``x Q^T`` for the product Q of reflections."""
    count = tau.shape[-1]
    vectors = v.tril(-1) + unit_like(v)
    order = range(count) if left == transpose else reversed(range(count))
    for i in order:
        column = vectors.narrow(-1, i, 1)
        factor = tau.narrow(-1, i, 1).unsqueeze(-1)
        if left:
            x = x - matmul(factor * column, matmul(column.mT, x))
        else:
            x = x - matmul(matmul(x, column), factor * column.mT)
    return x


@composed()
@takes_out
def ormqr(
    input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False
) -> Tensor:
    """The product of `other` with the square matrix Q of `geqrf`, from the left or the right."""
    for name, x in (("input", input), ("other", other)):
        if x.ndim < 2:
            raise RuntimeError(f"torch.ormqr: {name} must have at least 2 dimensions.")
    side = -2 if left else -1
    if other.shape[side] < tau.shape[-1]:
        raise RuntimeError(
            f"torch.ormqr: other.shape[{side}] must be greater than or equal to tau.shape[-1]"
        )
    if other.shape[side] != input.shape[-2]:
        raise RuntimeError(f"torch.ormqr: other.shape[{side}] must be equal to input.shape[-2]")
    _check_reflections("torch.ormqr", input, tau)
    if other.dtype is not input.dtype:
        raise RuntimeError(
            f"torch.ormqr: Expected input and other to have the same dtype, but input has dtype "
            f"{type_name(input)} and other has dtype {type_name(other)}"
        )
    return _reflected(input, tau, other, left, transpose)


# ---- SVD ----


def singular_factors(A: Tensor, full_matrices: bool) -> tuple[Tensor, Tensor, Tensor]:
    """U, S and Vh, under the checks of ``linalg.svd``."""
    check_matrices("linalg.svd", A)
    check_floating("linalg.svd", A)
    return linalg_svd(A, full_matrices)  # type: ignore[return-value]


@composed()
@takes_out
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """``A = U diag(S) V^T``; ``some=False`` makes U and V square. See ``torch.linalg.svd``."""
    u, s, vh = singular_factors(input, not some)
    if not compute_uv:
        *batch, m, n = input.shape
        u, vh = input.new_zeros(*batch, m, m), input.new_zeros(*batch, n, n)
    return named("svd", U=u, S=s, V=vh.mT)


# ---- Others ----


@composed()
@takes_out
def triangular_solve(
    input: Tensor,
    A: Tensor,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
) -> Any:
    """The solution of ``A X = input`` for a triangular A, and a copy of A."""
    for name, x in (("b", input), ("A", A)):
        if x.ndim < 2:
            raise RuntimeError(
                f"torch.triangular_solve: Expected {name} to have at least 2 dimensions, but it "
                f"has {x.ndim} dimensions instead"
            )
    _check_fitting("triangular_solve", input, A)
    check_implemented("triangular_solve_cpu", A)
    matrix = A.mT if transpose else A
    solution = linalg_solve_triangular(matrix, input, upper != transpose, True, unitriangular)
    return named("triangular_solve", solution=solution, cloned_coefficient=A.clone())


@composed()
def matrix_exp(input: Tensor) -> Tensor:
    """The exponential of square matrices."""
    check_square("linalg.matrix_exp", input)
    check_floating("linalg.matrix_exp", input)
    return linalg_matrix_exp(input)


def powers_of(x: Tensor, count: int) -> list[Tensor]:
    """``x ** 0``, ``x ** 1`` and so on."""
    x = x.long() if x.dtype.name == "bool" else x
    powers = [x * 0 + 1]
    while len(powers) < count:
        powers.append(powers[-1] * x if len(powers) > 1 else x)
    return powers[:count]
