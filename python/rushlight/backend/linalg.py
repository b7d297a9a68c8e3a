"""Factorizations, inverses and solutions: written once for NumPy and CuPy.

Both offer most of them for batches. What only SciPy has runs on the host for CuPy's arrays too,
with a copy in each direction, and matrix by matrix; SciPy is imported at the first use.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight import errors
from rushlight.errors import LinAlgError

__all__ = [
    "linalg_cholesky_ex",
    "linalg_cofactor",
    "linalg_det",
    "linalg_eigh",
    "linalg_eigvalsh",
    "linalg_geqrf",
    "linalg_inv_ex",
    "linalg_ldl_factor_ex",
    "linalg_ldl_solve",
    "linalg_lstsq",
    "linalg_lu_factor_ex",
    "linalg_matrix_exp",
    "linalg_permutation",
    "linalg_pinv",
    "linalg_qr",
    "linalg_slogdet",
    "linalg_solve_ex",
    "linalg_solve_triangular",
    "linalg_svd",
    "linalg_svdvals",
]

INT = np.dtype(np.int32)  # of pivots and of what LAPACK reports


def namespace(x: Any) -> Any:
    """NumPy or CuPy, whichever `x` belongs to."""
    return x.__array_namespace__()


def _strict(xp: Any) -> Any:
    """CuPy leaves failures unnoticed unless it is told to raise, as NumPy does."""
    if xp.__name__ == "numpy":
        return contextlib.nullcontext()
    import cupyx

    return cupyx.errstate(linalg="raise")


def _mT(x: Any) -> Any:
    return x.swapaxes(-2, -1)


# ---- SciPy, matrix by matrix ----


def on_host(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of NumPy arrays, for CuPy's as well."""

    @functools.wraps(function)
    def kernel(*arguments: Any) -> Any:
        if type(arguments[0]) is np.ndarray:
            return function(*arguments)
        back = namespace(arguments[0]).asarray
        result = function(*(x.get() if hasattr(x, "get") else x for x in arguments))
        return tuple(map(back, result)) if isinstance(result, tuple) else back(result)

    return kernel


def _lapack(name: str, x: Any) -> Any:
    from scipy.linalg import lapack

    return getattr(lapack, ("s" if x.dtype == np.float32 else "d") + name)


def _each(function: Callable[..., tuple[Any, ...]], *arrays: Any) -> tuple[Any, ...]:
    """A function of matrices that gives several arrays, over leading dimensions that broadcast."""
    batch = np.broadcast_shapes(*(x.shape[:-2] for x in arrays))
    if not batch:
        return tuple(map(np.asarray, function(*arrays)))
    if 0 in batch:
        one = _each(function, *(np.ones(x.shape[-2:], x.dtype) for x in arrays))
        return tuple(np.empty((*batch, *x.shape), x.dtype) for x in one)
    spread = [np.broadcast_to(x, (*batch, *x.shape[-2:])) for x in arrays]
    found = [function(*(x[i] for x in spread)) for i in np.ndindex(batch)]
    stacked = (np.stack(parts) for parts in zip(*found, strict=True))
    return tuple(x.reshape(*batch, *x.shape[1:]) for x in stacked)


# ---- Factorizations ----


@on_host
def linalg_lu_factor_ex(x: Any) -> Any:
    """``x = P L U``: both factors in one matrix, the exchanges of rows, the first zero pivot."""
    return _each(_lu, x)


def _lu(x: Any) -> tuple[Any, ...]:
    if x.size == 0:
        return x.copy(), np.arange(1, min(x.shape) + 1, dtype=INT), np.zeros((), INT)
    factors, pivots, info = _lapack("getrf", x)(x)
    return np.ascontiguousarray(factors), (pivots + 1).astype(INT), INT.type(info)


@on_host
def linalg_permutation(pivots: Any, factors: Any) -> Any:
    """The matrix P of ``P L U`` from the exchanges of rows, of the type of the factors."""
    batch, rows = pivots.shape[:-1], factors.shape[-2]
    flat = pivots.reshape(math.prod(batch), pivots.shape[-1]).astype(np.int64) - 1
    order = np.tile(np.arange(rows), (flat.shape[0], 1))
    each = np.arange(flat.shape[0])
    for i in range(flat.shape[1]):
        j = flat[:, i]
        order[each, i], order[each, j] = order[each, j], order[each, i].copy()
    out = np.zeros((flat.shape[0], rows, rows), factors.dtype)
    out[each[:, None], order, np.arange(rows)] = 1
    return out.reshape(*batch, rows, rows)


def linalg_cholesky_ex(x: Any, upper: bool) -> Any:
    """``x = L L.T``, and the order of the first minor that is not positive."""
    xp = namespace(x)
    lower = _mT(x) if upper else x
    try:
        with _strict(xp):
            factor = xp.linalg.cholesky(lower)
        info = xp.zeros(x.shape[:-2], INT)
    except np.linalg.LinAlgError:
        factor, info = _failing_cholesky(lower)
    return (_mT(factor) if upper else factor), info


@on_host
def _failing_cholesky(x: Any) -> Any:
    def one(matrix: Any) -> tuple[Any, ...]:
        factor, info = _lapack("potrf", matrix)(matrix, lower=1, clean=1)
        return np.tril(factor), INT.type(info)

    return _each(one, x)


def linalg_qr(x: Any, mode: str) -> Any:
    """``x = Q R``; without Q in mode 'r'."""
    xp = namespace(x)
    if mode == "r":
        return xp.empty(0, x.dtype), xp.linalg.qr(x, "r")
    q, r = xp.linalg.qr(x, mode)
    return q, r


@on_host
def linalg_geqrf(x: Any) -> Any:
    """R and below it the reflections whose product is Q, and their factors."""
    h, tau = np.linalg.qr(x, "raw")
    return np.ascontiguousarray(_mT(h)), tau


def linalg_eigh(x: Any, lower: bool) -> Any:
    """``x = V diag(L) V.T`` of symmetric matrices, from one triangle."""
    xp = namespace(x)
    with _converging("linalg.eigh", xp):
        values, vectors = xp.linalg.eigh(x, "L" if lower else "U")
    return values, vectors


def linalg_eigvalsh(x: Any, lower: bool) -> Any:
    """The eigenvalues of symmetric matrices, from one triangle."""
    xp = namespace(x)
    with _converging("linalg.eigh", xp):
        return xp.linalg.eigvalsh(x, "L" if lower else "U")


def linalg_svd(x: Any, full_matrices: bool) -> Any:
    """``x = U diag(S) Vh``."""
    xp = namespace(x)
    with _converging("linalg.svd", xp):
        u, s, vh = xp.linalg.svd(x, full_matrices)
    return u, s, vh


def linalg_svdvals(x: Any) -> Any:
    """The singular values, the greatest first."""
    xp = namespace(x)
    if x.dtype.itemsize == 2:  # which NumPy would compute in float64
        raise errors.not_implemented_for("linalg_svd", x)
    with _converging("linalg.svd", xp):
        return xp.linalg.svd(x, False, False)


@contextlib.contextmanager
def _converging(name: str, xp: Any) -> Any:
    try:
        with _strict(xp):
            yield
    except np.linalg.LinAlgError as error:
        raise LinAlgError(
            f"{name}: The algorithm failed to converge because the input matrix contained "
            f"non-finite values. ({error})"
        ) from None


@on_host
def linalg_ldl_factor_ex(x: Any) -> Any:
    """``x = L D L.T`` from the lower triangle, as LAPACK's sytrf gives it."""

    def one(matrix: Any) -> tuple[Any, ...]:
        if matrix.size == 0:
            return matrix.copy(), np.zeros(0, INT), np.zeros((), INT)
        factors, pivots, info = _lapack("sytrf", matrix)(matrix, lower=1)
        return np.tril(factors), pivots.astype(INT), INT.type(info)

    return _each(one, x)


@on_host
def linalg_ldl_solve(x: Any, pivots: Any, b: Any) -> Any:
    """The solution of ``A X = b`` from the factors of `linalg_ldl_factor_ex`."""

    def one(matrix: Any, order: Any, right: Any) -> tuple[Any, ...]:
        if right.size == 0:
            return (right.copy(),)
        return (_lapack("sytrs", matrix)(matrix, order[:, 0], right, lower=1)[0],)

    return np.ascontiguousarray(_each(one, x, pivots[..., None], b)[0])


# ---- Inverses and solutions ----


def linalg_inv_ex(x: Any) -> Any:
    """The inverse, and which pivot is zero; NaN for a singular matrix."""
    xp = namespace(x)
    try:
        with _strict(xp):
            return xp.linalg.inv(x), xp.zeros(x.shape[:-2], INT)
    except np.linalg.LinAlgError:
        return _failing(x, np.eye(x.shape[-1], dtype=x.dtype))


def linalg_solve_ex(a: Any, b: Any) -> Any:
    """The solution of ``a X = b``, and which pivot of `a` is zero; NaN for a singular matrix."""
    xp = namespace(a)
    try:
        with _strict(xp):
            return xp.linalg.solve(a, b), xp.zeros(a.shape[:-2], INT)
    except np.linalg.LinAlgError:
        return _failing(a, b)


@on_host
def _failing(a: Any, b: Any) -> Any:
    """Solutions where they exist; where not, which pivot is zero."""

    def one(matrix: Any, right: Any) -> tuple[Any, ...]:
        try:
            return (np.linalg.solve(matrix, right),)
        except np.linalg.LinAlgError:
            return (np.full_like(right, np.nan),)

    info = _each(lambda matrix: _lu(matrix)[2:], a)[0]
    return _each(one, a, b)[0], info


@on_host
def linalg_solve_triangular(a: Any, b: Any, upper: bool, left: bool, unitriangular: bool) -> Any:
    """The solution of ``a X = b``, or ``X a = b``, from one triangle of `a`."""
    from scipy.linalg import blas

    solve = blas.strsm if a.dtype == np.float32 else blas.dtrsm

    def one(matrix: Any, right: Any) -> tuple[Any, ...]:
        if right.size == 0:
            return (right.copy(),)
        side, diag = int(not left), int(unitriangular)
        return (solve(1.0, matrix, right, side, int(not upper), 0, diag),)

    return np.ascontiguousarray(_each(one, a, b)[0])


def linalg_det(x: Any) -> Any:
    """The determinant."""
    return _array(x, namespace(x).linalg.det(x))


def linalg_slogdet(x: Any) -> Any:
    """The sign of the determinant, and the logarithm of its size."""
    sign, logarithm = namespace(x).linalg.slogdet(x)
    return _array(x, sign), _array(x, logarithm)


def _array(x: Any, value: Any) -> Any:
    """NumPy gives scalars in place of 0-dim arrays."""
    return namespace(x).asarray(value, dtype=x.dtype)


def linalg_cofactor(x: Any) -> Any:
    """The derivative of the determinant by each element, right also for singular matrices."""
    inverse, info = linalg_inv_ex(x)
    if not info.any():
        return linalg_det(x)[..., None, None] * _mT(inverse)
    xp = namespace(x)
    u, s, vh = linalg_svd(x, False)
    eye = xp.eye(s.shape[-1], dtype=bool)
    others = xp.where(eye, x.dtype.type(1), s[..., None, :]).prod(-1)
    sign = linalg_det(u) * linalg_det(vh)
    return (u * (sign[..., None] * others)[..., None, :]) @ vh


def linalg_pinv(x: Any, atol: Any, rtol: Any, hermitian: bool) -> Any:
    """The pseudo-inverse, singular values up to ``max(atol, rtol * greatest)`` taken as zero."""
    xp = namespace(x)
    if 0 in x.shape:
        return xp.zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)
    if hermitian:
        s, u = linalg_eigh(x, True)
        vh = _mT(u)
    else:
        u, s, vh = linalg_svd(x, False)
    size = abs(s)
    greatest = size.max(-1, keepdims=True)
    kept = size > xp.maximum(xp.asarray(atol)[..., None], xp.asarray(rtol)[..., None] * greatest)
    reciprocal = xp.where(kept, 1 / xp.where(kept, s, 1), 0).astype(x.dtype)
    return (_mT(vh) * reciprocal[..., None, :]) @ _mT(u)


@on_host
def linalg_lstsq(a: Any, b: Any, rcond: float, driver: str) -> Any:
    """The least squares solution, the rank, the singular values (none for 'gelsy')."""
    from scipy import linalg

    k = min(a.shape[-2:])

    def one(matrix: Any, right: Any) -> tuple[Any, ...]:
        if matrix.size == 0 or right.size == 0:
            shape = (matrix.shape[1], right.shape[1])
            return np.zeros(shape, a.dtype), np.int64(0), np.zeros(k, a.dtype)
        routine = "gelsy" if driver == "gels" else driver
        x, _, rank, s = linalg.lstsq(matrix, right, rcond, lapack_driver=routine)
        return x, np.int64(rank), np.zeros(k, a.dtype) if s is None else s

    return _each(one, a, b)


@on_host
def linalg_matrix_exp(x: Any) -> Any:
    """The exponential of matrices."""
    from scipy.linalg import expm

    return x.copy() if x.size == 0 else expm(x)
