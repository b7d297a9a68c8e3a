"""What linear algebra refuses, and warns of, in PyTorch's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import rushlight

pytestmark = pytest.mark.filterwarnings("ignore:torch.* is deprecated:UserWarning")

FLAWED: list[Callable[[Any], Any]] = [
    lambda t: t.linalg.inv(t.ones(2, 3)),
    lambda t: t.linalg.inv(t.ones(2)),
    lambda t: t.linalg.inv(t.ones(2, 2, dtype=t.int64)),
    lambda t: t.linalg.inv(t.ones(2, 2)),
    lambda t: t.linalg.inv(t.stack([t.eye(2), t.ones(2, 2)])),
    lambda t: t.linalg.inv_ex(t.ones(2, 2), check_errors=True),
    lambda t: t.linalg.det(t.ones(2, 3)),
    lambda t: t.logdet(t.ones(2, 3)),
    lambda t: t.linalg.solve(t.ones(2, 2), t.ones(2)),
    lambda t: t.linalg.solve(t.ones(3, 2, 2), t.ones(3, 2)),
    lambda t: t.linalg.solve(t.eye(2), t.ones(3)),
    lambda t: t.linalg.solve(t.eye(2), t.ones(2, dtype=t.float64)),
    lambda t: t.linalg.solve_triangular(t.eye(2), t.ones(2), upper=True),
    lambda t: t.linalg.cholesky(-t.eye(2)),
    lambda t: t.cholesky(-t.eye(2)),
    lambda t: t.cholesky_solve(t.ones(3, 2), t.eye(2)),
    lambda t: t.linalg.qr(t.ones(3)),
    lambda t: t.linalg.qr(t.ones(3, 2), "full"),
    lambda t: t.linalg.svd(t.ones(3)),
    lambda t: t.linalg.svd(t.ones(3, 2), driver="gesvd"),
    lambda t: t.linalg.eigh(t.ones(2, 3)),
    lambda t: t.linalg.eigh(t.eye(2), UPLO="X"),
    lambda t: t.linalg.lu(t.eye(2), pivot=False),
    lambda t: t.linalg.lu_factor(t.ones(2, 2)),
    lambda t: t.linalg.lu_solve(t.eye(2), t.ones(2), t.ones(2, 2)),
    lambda t: t.lu_unpack(t.eye(2), t.ones(2)),
    lambda t: t.linalg.pinv(t.ones(2)),
    lambda t: t.linalg.lstsq(t.ones(3, 2), t.ones(4, 1)),
    lambda t: t.linalg.lstsq(t.ones(3, 2), t.ones(3, 1), driver="gels"),
    lambda t: t.linalg.lstsq(t.ones(3, 2), t.ones(3, 1), driver="qr"),
    lambda t: t.linalg.norm(t.ones(2, 3, 4), 2),
    lambda t: t.linalg.matrix_norm(t.ones(2, 3), 3),
    lambda t: t.linalg.matrix_norm(t.ones(2, 3), dim=(0, 0)),
    lambda t: t.linalg.vector_norm(t.ones(0), -1),
    lambda t: t.linalg.vector_norm(t.ones(2), dtype=t.int64),
    lambda t: t.linalg.cond(t.eye(2), 3),
    lambda t: t.linalg.tensorinv(t.ones(4, 2, 2)),
    lambda t: t.linalg.tensorsolve(t.ones(2, 3, 4), t.ones(2, 3)),
    lambda t: t.linalg.householder_product(t.ones(2, 3), t.ones(2)),
    lambda t: t.ormqr(t.ones(3, 2), t.ones(2), t.ones(4, 4)),
    lambda t: t.linalg.vander(t.ones(3), N=1),
    lambda t: t.linalg.multi_dot([t.ones(2, 3)]),
    lambda t: t.linalg.multi_dot([t.ones(2, 3), t.ones(4, 2)]),
    lambda t: t.linalg.cross(t.ones(2, 3), t.ones(3)),
    lambda t: t.linalg.vecdot(t.ones(2, dtype=t.int64), t.ones(2, dtype=t.int64)),
    lambda t: t.matrix_power(t.ones(2, 3), 2),
    lambda t: t.mm(t.ones(2, 3), t.ones(2, 3)),
    lambda t: t.mm(t.ones(2, 3), t.ones(3, 2, dtype=t.float64)),
    lambda t: t.bmm(t.ones(2, 3, 4), t.ones(3, 4, 5)),
    lambda t: t.matmul(t.ones(2, 3, 4), t.ones(3, 5)),
    lambda t: t.matmul(t.ones(2, 3, 4), t.ones(3, 4, 5)),
    lambda t: t.mv(t.ones(2, 3), t.ones(2)),
    lambda t: t.dot(t.ones(2), t.ones(2, dtype=t.float64)),
    lambda t: t.addmm(t.ones(3, 3), t.ones(2, 3), t.ones(3, 2)),
    lambda t: t.addmm(t.ones(1, 2, 2), t.ones(2, 3), t.ones(3, 2)),
    lambda t: t.addmv(t.ones(3), t.ones(2, 3), t.ones(3)),
    lambda t: t.addr(t.ones(2, 3), t.ones(2, 1), t.ones(3)),
    lambda t: t.baddbmm(t.ones(3, 2), t.ones(5, 2, 3), t.ones(5, 3, 2)),
    lambda t: t.addbmm(t.ones(2, 2), t.ones(5, 2, 3), t.ones(4, 3, 2)),
    lambda t: t.inner(t.ones(2, 3), t.ones(2)),
    lambda t: t.outer(t.ones(2, 3), t.ones(2)),
    lambda t: t.tensordot(t.ones(2, 3), t.ones(4, 5), 1),
    lambda t: t.tensordot(t.ones(2, 3), t.ones(2, 3), ([0], [0, 1])),
    lambda t: t.cdist(t.ones(2, 3), t.ones(4, 2)),
    lambda t: t.cdist(t.ones(2, 3), t.ones(4, 3), p=-1),
    lambda t: t.pdist(t.ones(3)),
    lambda t: t.trace(t.ones(3)),
    lambda t: t.einsum("ij,jk", t.ones(2, 3), t.ones(4, 5)),
    lambda t: t.einsum("ij", t.ones(2)),
    lambda t: t.einsum("ii", t.ones(2, 3)),
    lambda t: t.einsum("i.j", t.ones(2, 3)),
    lambda t: t.einsum("...i...", t.ones(2, 3)),
    lambda t: t.einsum("i->j", t.ones(2)),
    lambda t: t.einsum("i->ii", t.ones(2)),
    lambda t: t.einsum("i1", t.ones(2, 3)),
    lambda t: t.einsum("i,j", t.ones(2)),
    lambda t: t.einsum("i", t.ones(2), t.ones(2)),
    lambda t: t.einsum("i"),
    lambda t: t.einsum(t.ones(2), [60]),
]


@pytest.mark.parametrize("number", range(len(FLAWED)))
def test_errors_are_pytorchs(number: int, torch: Any) -> None:
    """The type (PyTorch's LinAlgError is private there) and the first line of the text."""
    call = FLAWED[number]
    with pytest.raises(Exception) as theirs:
        call(torch)
    with pytest.raises(Exception) as mine:
        call(rushlight)
    assert type(mine.value).__name__ == type(theirs.value).__name__.lstrip("_")
    assert str(mine.value).splitlines()[0] == str(theirs.value).splitlines()[0]


def test_linalg_errors_are_runtime_errors() -> None:
    assert issubclass(rushlight.linalg.LinAlgError, RuntimeError)


@pytest.mark.parametrize("name", ["eig", "eigvals"])
def test_complex_results_are_refused_by_name(name: str) -> None:
    with pytest.raises(NotImplementedError, match=r"linalg\.eig: its results are complex"):
        getattr(rushlight.linalg, name)(rushlight.eye(2))


def test_warnings_are_pytorchs() -> None:
    x = rushlight.ones(3, 2)
    with pytest.warns(UserWarning, match="Using torch.cross without specifying the dim arg"):
        rushlight.cross(x, x)
    with pytest.warns(UserWarning, match="torch.chain_matmul is deprecated"):
        assert rushlight.chain_matmul(x, x.mT, x).shape == (3, 2)


def test_qr_refuses_gradients_that_do_not_exist() -> None:
    for mode in ("r", "complete"):
        a = rushlight.ones(3, 2, requires_grad=True)
        _, r = rushlight.linalg.qr(a, mode)
        with pytest.raises(RuntimeError, match=mode):
            r.sum().backward()


def test_condition_of_a_singular_matrix_is_infinite() -> None:
    a = rushlight.stack([rushlight.eye(2), rushlight.ones(2, 2)])
    assert rushlight.linalg.cond(a, 1).tolist() == [1.0, float("inf")]
