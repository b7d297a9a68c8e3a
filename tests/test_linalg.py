"""Linear algebra: values, derivatives of both orders and errors against PyTorch, and identities.

The ops of `rushlight.ops` that are tested here through the functions that call them:
cholesky, cholesky_inverse, cholesky_solve, det, geqrf, inverse, linalg_cholesky_ex,
linalg_cofactor, linalg_det, linalg_eigh, linalg_eigvalsh, linalg_geqrf, linalg_inv_ex,
linalg_ldl_factor_ex, linalg_ldl_solve, linalg_lstsq, linalg_lu_factor_ex, linalg_matrix_exp,
linalg_permutation, linalg_pinv, linalg_qr, linalg_slogdet, linalg_solve_ex,
linalg_solve_triangular, linalg_svd, linalg_svdvals, logdet, lu, lu_solve, lu_unpack, matrix_exp,
orgqr, ormqr, pca_lowrank, pinverse, qr, slogdet, svd, svd_lowrank, triangular_solve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import rushlight

# PyTorch's old names warn once in a process.
pytestmark = pytest.mark.filterwarnings("ignore:torch.* is deprecated:UserWarning")

Shapes = tuple[tuple[int, ...], ...]
TOLERANCE = {"rtol": 1e-9, "atol": 1e-9}


def plain(rng: Any, shape: tuple[int, ...]) -> Any:
    """Any matrix."""
    return rng.normal(size=shape)


def positive(rng: Any, shape: tuple[int, ...]) -> Any:
    """Symmetric and positive-definite, the eigenvalues apart."""
    x = rng.normal(size=shape)
    return x @ x.swapaxes(-2, -1) + np.diag(np.arange(1.0, shape[-1] + 1))


def symmetric(rng: Any, shape: tuple[int, ...]) -> Any:
    """Symmetric of either sign, the eigenvalues apart."""
    x = rng.normal(size=shape)
    return x + x.swapaxes(-2, -1) + np.diag(3 * np.arange(1.0, shape[-1] + 1))


def triangular(rng: Any, shape: tuple[int, ...]) -> Any:
    """Well away from singular on both sides of the diagonal, so that either may be read."""
    return 0.3 * rng.normal(size=shape) + 2 * np.eye(*shape[-2:])


def singular(rng: Any, shape: tuple[int, ...]) -> Any:
    """Of rank n - 1."""
    x = rng.normal(size=shape)
    x[..., -1] = x[..., 0]
    return x


def parts(result: Any) -> list[Any]:
    """The tensors of a result."""
    return [result] if not isinstance(result, tuple) else list(result)


def reflections(t: Any, a: Any) -> Any:
    """A matrix of reflections and factors that depend on it."""
    below = a.tril(-1)
    return below, 2 / (1 + below.square().sum(-2))


Call = tuple[str, Callable[..., Any], Sequence[Callable[..., Any]], Sequence[Shapes]]
SQUARE: Sequence[Shapes] = (((3, 3),), ((2, 4, 4),), ((1, 1),))
ANY: Sequence[Shapes] = (((3, 3),), ((4, 2),), ((2, 3, 5),))

# Functions whose results do not depend on a choice of signs, each of leaves of these kinds.
SMOOTH: list[Call] = [
    ("inv", lambda t, a: t.linalg.inv(a), [triangular], SQUARE),
    ("inverse", lambda t, a: a.inverse(), [triangular], SQUARE),
    ("inv_ex", lambda t, a: t.linalg.inv_ex(a)[0], [triangular], SQUARE),
    ("det", lambda t, a: t.linalg.det(a), [plain], SQUARE),
    ("det, singular", lambda t, a: t.det(a), [singular], [((3, 3),), ((2, 4, 4),)]),
    ("slogdet", lambda t, a: t.slogdet(a)[1], [plain], SQUARE),
    ("linalg.slogdet", lambda t, a: t.linalg.slogdet(a)[1], [plain], SQUARE),
    ("logdet", lambda t, a: a.logdet(), [positive], SQUARE),
    ("cholesky", lambda t, a: t.linalg.cholesky(a), [positive], SQUARE),
    ("cholesky upper", lambda t, a: t.linalg.cholesky(a, upper=True), [positive], SQUARE),
    ("cholesky method", lambda t, a: a.cholesky(), [positive], SQUARE),
    ("cholesky_inverse", lambda t, a: a.tril().cholesky_inverse(), [triangular], SQUARE),
    (
        "cholesky_solve",
        lambda t, b, a: b.cholesky_solve(a.triu(), upper=True),
        [plain, triangular],
        [((3, 2), (3, 3)), ((2, 3, 2), (2, 3, 3))],
    ),
    *(
        (
            f"solve {shapes}",
            lambda t, a, b: t.linalg.solve(a, b),
            [triangular, plain],
            [shapes],
        )
        for shapes in (((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (2, 3)), ((2, 3, 3), (3, 2)))
    ),
    (
        "solve right",
        lambda t, a, b: t.linalg.solve(a, b, left=False),
        [triangular, plain],
        [((3, 3), (2, 3)), ((2, 3, 3), (1, 3))],
    ),
    *(
        (
            f"solve_triangular {upper} {left} {unit}",
            lambda t, a, b, upper=upper, left=left, unit=unit: t.linalg.solve_triangular(
                a, b, upper=upper, left=left, unitriangular=unit
            ),
            [triangular, plain],
            [((3, 3), (3, 3)), ((2, 1, 3, 3), (4, 3, 3))],
        )
        for upper in (False, True)
        for left in (False, True)
        for unit in (False, True)
    ),
    (
        "triangular_solve",
        lambda t, b, a: t.triangular_solve(b, a, transpose=True)[0],
        [plain, triangular],
        [((3, 2), (3, 3))],
    ),
    ("lu", lambda t, a: t.linalg.lu(a), [plain], ANY),
    ("lu_factor", lambda t, a: t.linalg.lu_factor(a), [plain], ANY),
    ("lu method", lambda t, a: a.lu(), [plain], ANY),
    ("lu_unpack", lambda t, a: t.lu_unpack(*t.linalg.lu_factor(a)), [plain], ANY),
    *(
        (
            f"lu_solve {left} {adjoint}",
            lambda t, a, b, left=left, adjoint=adjoint: t.linalg.lu_solve(
                *t.linalg.lu_factor(a), b, left=left, adjoint=adjoint
            ),
            [plain, plain],
            [((3, 3), (3, 3)), ((2, 4, 4), (2, 4, 4))],
        )
        for left in (False, True)
        for adjoint in (False, True)
    ),
    ("lu_solve method", lambda t, a, b: b.lu_solve(*a.lu()), [plain, plain], [((3, 3), (3, 2))]),
    ("pinv", lambda t, a: t.linalg.pinv(a), [plain], ANY),
    ("pinv rtol", lambda t, a: t.linalg.pinv(a, rtol=1e-8), [singular], [((4, 3),), ((3, 4),)]),
    ("pinverse", lambda t, a: a.pinverse(), [plain], ANY),
    ("pinv hermitian", lambda t, a: t.linalg.pinv(a + a.mT, hermitian=True), [symmetric], SQUARE),
    (
        "lstsq",
        lambda t, a, b: t.linalg.lstsq(a, b)[0],
        [plain, plain],
        [((4, 2), (4, 3)), ((2, 4), (2, 1)), ((2, 4, 2), (2, 4))],
    ),
    (
        "lstsq residuals",
        lambda t, a, b: t.linalg.lstsq(a, b, driver="gelsd")[:2],
        [plain, plain],
        [((4, 2), (4, 3))],
    ),
    ("matrix_exp", lambda t, a: a.matrix_exp(), [plain], SQUARE),
    ("eigvalsh", lambda t, a: t.linalg.eigvalsh(a), [symmetric], SQUARE),
    ("eigvalsh U", lambda t, a: t.linalg.eigvalsh(a, "U"), [symmetric], SQUARE),
    ("eigh", lambda t, a: square(t.linalg.eigh(a + a.mT), 1), [symmetric], SQUARE),
    ("svdvals", lambda t, a: t.linalg.svdvals(a), [plain], ANY),
    ("svd", lambda t, a: square(t.linalg.svd(a, False), 0, 2), [plain], ANY),
    ("svd full", lambda t, a: t.linalg.svd(a)[1], [plain], ANY),
    ("svd legacy", lambda t, a: square(a.svd(), 0, 2), [plain], ANY),
    ("qr", lambda t, a: t.linalg.qr(a), [plain], ANY),
    ("qr complete", lambda t, a: t.linalg.qr(a, "complete"), [plain], [((3, 3),), ((2, 4),)]),
    ("qr method", lambda t, a: a.qr(), [plain], ANY),
    (
        "householder_product",
        lambda t, a: t.linalg.householder_product(*reflections(t, a)),
        [plain],
        [((3, 3),), ((4, 2),), ((2, 5, 3),)],
    ),
    ("orgqr", lambda t, a: t.orgqr(*reflections(t, a)), [plain], [((4, 3),)]),
    *(
        (
            f"ormqr {left} {transpose}",
            lambda t, a, b, left=left, transpose=transpose: t.ormqr(
                *reflections(t, a), b, left, transpose
            ),
            [plain, plain],
            [((4, 2), (4, 4))],
        )
        for left in (False, True)
        for transpose in (False, True)
    ),
    ("matrix_power -2", lambda t, a: t.linalg.matrix_power(a, -2), [triangular], SQUARE),
    ("tensorinv", lambda t, a: t.linalg.tensorinv(a, ind=1), [plain], [((6, 2, 3),)]),
    (
        "tensorsolve",
        lambda t, a, b: t.linalg.tensorsolve(a, b, dims=(1,)),
        [plain, plain],
        [((2, 6, 3), (2, 3))],
    ),
    ("vander", lambda t, x: t.linalg.vander(x, N=4), [plain], [((3,),), ((2, 3),)]),
    ("vecdot", lambda t, a, b: t.linalg.vecdot(a, b, dim=0), [plain, plain], [((3, 2), (3, 1))]),
    ("cross", lambda t, a, b: t.linalg.cross(a, b), [plain, plain], [((2, 3), (1, 3))]),
    ("diagonal", lambda t, a: t.linalg.diagonal(a, offset=1), [plain], ANY),
    (
        "multi_dot",
        lambda t, *x: t.linalg.multi_dot(x),
        [plain] * 4,
        [((2, 9), (9, 1), (1, 8), (8, 3)), ((4,), (4, 3), (3, 5), (5,))],
    ),
    *(
        (f"matrix_norm {p}", lambda t, a, p=p: t.linalg.matrix_norm(a, p, (0, -1)), [plain], ANY)
        for p in ("fro", "nuc", 2, -2, 1, -1, np.inf, -np.inf)
    ),
    *(
        (f"vector_norm {p}", lambda t, a, p=p: t.linalg.vector_norm(a, p, 0), [plain], ANY)
        for p in (0.5, 1, 2, 3.5, np.inf, -np.inf, -2)
    ),
    ("norm", lambda t, a: t.linalg.norm(a, keepdim=True), [plain], ANY),
    *(
        (f"cond {p}", lambda t, a, p=p: t.linalg.cond(a, p), [triangular], SQUARE)
        for p in (None, -2)
    ),
]


def square(factors: Any, *positions: int) -> list[Any]:
    """The factors with squares in place of those whose signs are a matter of choice."""
    return [x.square() if i in positions else x for i, x in enumerate(factors)]


def as_array(value: Any) -> Any:
    """Of a tensor of either library, or of a number."""
    return np.asarray(value.numpy(force=True) if hasattr(value, "numpy") else value)


def outputs(call: Call, t: Any, arrays: list[Any]) -> tuple[list[Any], list[Any]]:
    """The leaves, and the results that depend on them."""
    tensor = rushlight.tensor if t is rushlight else t.tensor
    leaves = [tensor(x, requires_grad=True) for x in arrays]
    result = call[1](t, *leaves)
    return leaves, result if isinstance(result, list) else parts(result)


def cases() -> list[tuple[Call, Shapes]]:
    return [(call, shapes) for call in SMOOTH for shapes in call[3]]


def label(value: Any) -> str:
    return str(value[0] if isinstance(value[0], str) else value)


@pytest.mark.parametrize(("call", "shapes"), cases(), ids=label)
def test_values_and_derivatives_are_pytorchs(call: Call, shapes: Shapes, torch: Any) -> None:
    """The results, their gradients for random weights, and the gradients of those."""
    rng = np.random.default_rng(1)
    arrays = [kind(rng, shape) for kind, shape in zip(call[2], shapes, strict=True)]
    found = {}
    for t in (rushlight, torch):
        own = np.random.default_rng(2)
        leaves, results = outputs(call, t, arrays)
        smooth = [x for x in results if x.requires_grad]
        of = rushlight.from_numpy if t is rushlight else torch.from_numpy
        total = sum((x * of(np.asarray(own.normal(size=x.shape)))).sum() for x in smooth)
        first = t.autograd.grad(total, leaves, create_graph=True)
        again = sum((g * of(np.asarray(own.normal(size=g.shape)))).sum() for g in first)
        second = [x * 0 for x in leaves]
        if again.requires_grad:
            second = t.autograd.grad(again, leaves, allow_unused=True)
        found[t] = (results, first, [0 if g is None else g for g in second])
    for what, mine, theirs in zip(
        ("result", "gradient", "second"), found[rushlight], found[torch], strict=True
    ):
        assert len(mine) == len(theirs)
        for a, b in zip(mine, theirs, strict=True):
            x, y = (as_array(v) for v in (a, b))
            np.testing.assert_allclose(x, np.broadcast_to(y, x.shape), **TOLERANCE, err_msg=what)
            if hasattr(b, "dtype"):
                assert str(a.dtype) == str(b.dtype)


WITHOUT_GRADIENT: list[Call] = [
    # PyTorch's derivative fails, as it changes the inverse in place.
    *(
        (f"cond {p}", lambda t, a, p=p: t.linalg.cond(a, p), [triangular], SQUARE)
        for p in (1, -np.inf, "fro", "nuc")
    ),
    ("geqrf", lambda t, a: t.geqrf(a), [plain], ANY),
    ("ldl_factor", lambda t, a: t.linalg.ldl_factor(a), [symmetric], SQUARE),
    ("ldl_factor_ex", lambda t, a: t.linalg.ldl_factor_ex(a), [symmetric], SQUARE),
    (
        "ldl_solve",
        lambda t, a, b: t.linalg.ldl_solve(*t.linalg.ldl_factor(a), b),
        [symmetric, plain],
        [((3, 3), (3, 2)), ((2, 3, 3), (2, 3, 2))],
    ),
    ("matrix_rank", lambda t, a: t.linalg.matrix_rank(a, rtol=1e-4), [singular], ANY),
    ("matrix_rank tol", lambda t, a: t.linalg.matrix_rank(a, 1.5), [plain], ANY),
    (
        "matrix_rank atol",
        lambda t, a: t.linalg.matrix_rank(a, atol=t.tensor(1.5, dtype=t.float64), hermitian=True),
        [symmetric],
        SQUARE,
    ),
    ("svdvals empty", lambda t, a: t.linalg.svdvals(a), [plain], [((0, 3),), ((2, 0, 0),)]),
    ("inv empty", lambda t, a: t.linalg.inv(a), [plain], [((0, 0),), ((0, 2, 2),)]),
    ("lu empty", lambda t, a: t.linalg.lu(a), [plain], [((0, 3),), ((0, 2, 2),)]),
    ("qr r", lambda t, a: t.linalg.qr(a, "r"), [plain], ANY),
    ("qr empty", lambda t, a: t.linalg.qr(a), [plain], [((0, 3),), ((3, 0),)]),
    ("qr complete", lambda t, a: t.linalg.qr(a, "complete"), [plain], [((4, 2),), ((3, 0),)]),
    ("cholesky_ex", lambda t, a: t.linalg.cholesky_ex(a)[1], [symmetric], SQUARE),
    ("solve_ex", lambda t, a, b: t.linalg.solve_ex(a, b), [plain, plain], [((3, 3), (3,))]),
]


@pytest.mark.parametrize("call", WITHOUT_GRADIENT, ids=label)
def test_values_are_pytorchs(call: Call, torch: Any) -> None:
    for shapes in call[3]:
        rng = np.random.default_rng(1)
        arrays = [kind(rng, shape) for kind, shape in zip(call[2], shapes, strict=True)]
        for dtype in (np.float64, np.float32):
            cast = [np.asarray(a, dtype) for a in arrays]
            mine = parts(call[1](rushlight, *map(rushlight.tensor, cast)))
            theirs = parts(call[1](torch, *map(torch.tensor, cast)))
            limit = TOLERANCE if dtype is np.float64 else {"rtol": 1e-4, "atol": 1e-4}
            for a, b in zip(mine, theirs, strict=True):
                assert str(a.dtype) == str(b.dtype) and tuple(a.shape) == tuple(b.shape)
                np.testing.assert_allclose(a.numpy(), b.numpy(), **limit)


@pytest.mark.parametrize("shape", [(9, 6), (6, 9), (2, 8, 5)])
def test_low_rank_equals_pytorchs_for_a_seed(shape: Any, torch: Any) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    for name in ("svd_lowrank", "pca_lowrank"):
        found = []
        for t in (rushlight, torch):
            t.manual_seed(3)
            u, s, v = getattr(t, name)(t.tensor(x), q=4)
            found.append([(u * s.unsqueeze(-2)) @ v.mT, s])
        for mine, theirs in zip(*found, strict=True):
            np.testing.assert_allclose(mine.numpy(), theirs.numpy(), **TOLERANCE)


# ---- What holds without an oracle ----


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (2, 3, 5)])
def test_factors_multiply_to_the_matrix(shape: Any, rng: Any) -> None:
    a = rushlight.tensor(rng.normal(size=shape))
    q, r = rushlight.linalg.qr(a)
    u, s, vh = rushlight.linalg.svd(a, full_matrices=False)
    p, lower, upper = rushlight.linalg.lu(a)
    for product in (q @ r, (u * s.unsqueeze(-2)) @ vh, p @ lower @ upper):
        assert rushlight.allclose(product, a, atol=1e-12)
    assert rushlight.allclose(a @ rushlight.linalg.pinv(a) @ a, a, atol=1e-12)


def test_results_have_pytorchs_names(torch: Any) -> None:
    a = np.eye(2)
    for call in (
        lambda t, x: t.linalg.qr(x),
        lambda t, x: t.linalg.eigh(x),
        lambda t, x: t.linalg.svd(x),
        lambda t, x: t.linalg.lu(x),
        lambda t, x: t.linalg.lu_factor_ex(x),
        lambda t, x: t.linalg.slogdet(x),
        lambda t, x: t.slogdet(x),
        lambda t, x: t.linalg.inv_ex(x),
        lambda t, x: t.linalg.cholesky_ex(x),
        lambda t, x: t.linalg.solve_ex(x, x),
        lambda t, x: t.linalg.ldl_factor_ex(x),
        lambda t, x: t.triangular_solve(x, x),
        lambda t, x: t.lu_unpack(*t.lu(x)),
    ):
        mine, theirs = call(rushlight, rushlight.tensor(a)), call(torch, torch.tensor(a))
        name = type(theirs).__name__.rpartition(".")[2]
        assert type(mine).__name__ == name
        for i, field in enumerate(mine._fields):
            assert getattr(theirs, field) is theirs[i]
        assert repr(mine).startswith(f"torch.return_types.{name}(\n{mine._fields[0]}=tensor(")
