"""Gradients of both orders against finite differences: every row, in every layout, in float64.

The function of a row is ``f(x, w) = sum(w * run(view(x)))``: of leaves x, of which the op is given
views, and of weights w. For random directions u and v, ``u . grad f`` is compared with the
difference of f along u, and ``u . H v``, with the Hessian H, with that of ``v . grad f``. So three
evaluations check both orders, and no Jacobian is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from case import Case, Shape
from op_cases import CASES

import rushlight
from rushlight import autograd, ops
from rushlight.ops import _registry

Array = np.ndarray[Any, Any]
STEP = 1e-5
DIFFERENCES = {"rtol": 1e-6, "atol": 1e-7}  # the error of a central difference with this step
SAME = {"rtol": 1e-11, "atol": 1e-12}

# ---- Layouts: the values of a leaf, and the view of it that an op is given ----

Layout = Callable[[Array], tuple[Array, Callable[[Any], Any]]]


def contiguous(array: Array) -> tuple[Array, Callable[[Any], Any]]:
    return array, lambda x: x


def transposed(array: Array) -> tuple[Array, Callable[[Any], Any]]:
    return array.T, lambda x: x.permute(tuple(reversed(range(array.ndim))))


def strided(array: Array) -> tuple[Array, Callable[[Any], Any]]:
    """Every other element of each dimension; the second of two for a number."""
    if not array.ndim:
        return np.stack([array, array]), lambda x: x[1]
    every = (slice(1, None, 2),) * array.ndim
    spread = np.ones([2 * n + 1 for n in array.shape], array.dtype)
    spread[every] = array
    return spread, lambda x: x[every]


def expanded(array: Array) -> tuple[Array, Callable[[Any], Any]]:
    """The first slice of the first dimension for all; a number as a vector's element."""
    if not array.ndim:
        return array, lambda x: x.expand(3)[1]
    return array[:1], lambda x: x.expand(array.shape)


LAYOUTS: tuple[Layout, ...] = (contiguous, transposed, strided, expanded)


# ---- Which calls ----


def differentiable(case: Case) -> bool:
    """Whether there is something to check; PyTorch leaves some ops without a derivative."""
    declared = _registry.registry.get(case.op)
    if declared is not None and declared.node == "NotImplemented":
        return False
    return "float64" in case.dtypes and case.result not in ("bool", "int64", "truth")


ROWS = [case for case in CASES if differentiable(case)]
# Of equal singular values any basis is as good: no second derivative.
NOT_OF_EQUAL_ROWS = {"norm(p=nuc)"}


def operands(case: Case, shapes: Sequence[Shape], rng: Any) -> list[Array]:
    drawn = zip(shapes, case.domains, strict=True)
    arrays = [np.asarray(domain(rng, shape)) for shape, domain in drawn]
    return [a if i in case.fixed else a.astype(np.float64) for i, a in enumerate(arrays)]


def further_shapes(case: Case) -> list[tuple[Shape, ...]]:
    """Numbers, and nothing along the first or the last dimension, where a row names no such."""
    if case.oracle is None:
        return []  # part of another op, which gives it no such shapes
    first = case.shapes[0]
    wanted = [
        tuple(() for _ in first),
        tuple((0, *shape[1:]) if shape else () for shape in first),
        tuple((*shape[:-1], 0) if shape else () for shape in first),
    ]
    return [shapes for shapes in wanted if shapes not in case.shapes]


def accepts(case: Case, shapes: Sequence[Shape], rng: Any) -> bool:
    """Whether the op can be called so at all, without a warning."""
    try:
        case.run(ops, *map(rushlight.from_numpy, operands(case, shapes, rng)))
    except (RuntimeError, IndexError, ValueError, UserWarning):
        return False
    return True


# ---- The check ----


class Function:
    """A row as a function of its leaves and weights, which are one list of arrays.

    Attributes:
        point: the arrays of the leaves, then the weights of the results.
        moves: which of the arrays are floats; of a function with steps, or a detached argument,
            those that the results depend on.
    """

    def __init__(self, case: Case, arrays: Sequence[Array], layout: Layout, rng: Any) -> None:
        self.case = case
        pairs = [layout(a) if a.dtype.kind == "f" else contiguous(a) for a in arrays]
        self.point = [leaf for leaf, _ in pairs]
        self.views = [view for _, view in pairs]
        results = self.results(self.leaves(self.point))
        self.point += [rng.uniform(0.5, 1.5, r.shape) for r in results]
        self.moves = [a.dtype.kind == "f" for a in self.point]
        if results and not case.smooth:
            leaves = self.leaves(self.point)
            found = autograd.grad(self(leaves), self.moving(leaves), allow_unused=True)
            reached = iter(g is not None for g in found)
            self.moves = [moves and next(reached) for moves in self.moves]

    def leaves(self, point: Sequence[Array]) -> list[Any]:
        """New tensors, of which the floats require grad."""
        tensors = [rushlight.from_numpy(np.array(a)) for a in point]
        return [t.requires_grad_(t.is_floating_point()) for t in tensors]

    def results(self, leaves: Sequence[Any]) -> list[Any]:
        """Those results of the op that can be differentiated."""
        given = [view(x) for view, x in zip(self.views, leaves, strict=False)]
        out = self.case.run(ops, *given)
        return [r for r in (out if isinstance(out, tuple) else (out,)) if r.requires_grad]

    def __call__(self, leaves: Sequence[Any]) -> Any:
        weights = leaves[len(self.views) :]
        pairs = zip(self.results(leaves), weights, strict=True)
        return sum(((r * w).sum() for r, w in pairs), rushlight.zeros((), dtype=rushlight.float64))

    def gradients(self, leaves: Sequence[Any], **options: Any) -> list[Any]:
        """Of the function, for the floats; zeros for those that it does not depend on."""
        return list(autograd.grad(self(leaves), self.moving(leaves), **options, **UNUSED))

    def moving(self, values: Sequence[Any]) -> list[Any]:
        return [v for v, moves in zip(values, self.moves, strict=True) if moves]

    def moved(self, step: float, direction: Sequence[Array]) -> list[Array]:
        """The point, one step away from where it is."""
        steps = iter(direction)
        return [
            a + step * next(steps) if moves else a
            for a, moves in zip(self.point, self.moves, strict=True)
        ]


UNUSED = {"allow_unused": True, "materialize_grads": True}


def product(tensors: Sequence[Any], direction: Sequence[Array]) -> float:
    pairs = zip(tensors, direction, strict=True)
    with np.errstate(invalid="ignore"):
        return float(sum((t.detach().numpy() * d).sum() for t, d in pairs))


def check(function: Function, rng: Any, what: str) -> None:
    """First and second derivatives; and the recorded backward pass is the plain one."""
    u, v = ([rng.uniform(-1, 1, a.shape) for a in function.moving(function.point)] for _ in "uv")
    leaves = function.leaves(function.point)
    plain = function.gradients(leaves)
    recorded = function.gradients(leaves, create_graph=True)
    for leaf, g, r in zip(function.moving(leaves), plain, recorded, strict=True):
        assert g.shape == leaf.shape and g.dtype == leaf.dtype, what
        np.testing.assert_allclose(r.detach().numpy(), g.numpy(), **SAME, err_msg=what)
    slope = sum((r * rushlight.from_numpy(d)).sum() for r, d in zip(recorded, v, strict=True))
    second = (
        autograd.grad(slope, function.moving(leaves), **UNUSED)
        if slope.requires_grad
        else [rushlight.zeros_like(leaf) for leaf in function.moving(leaves)]
    )
    values, slopes = [], []
    for step in (STEP, -STEP):
        there = function.leaves(function.moved(step, u))
        values.append(function(there).item())
        slopes.append(product(function.gradients(there), v))
    if not np.isfinite([*values, *slopes]).all():
        return  # as the mean of nothing
    first_expected, second_expected = (
        (ahead - behind) / (2 * STEP) for ahead, behind in (values, slopes)
    )
    np.testing.assert_allclose(product(plain, u), first_expected, **DIFFERENCES, err_msg=what)
    np.testing.assert_allclose(
        product(second, u), second_expected, **DIFFERENCES, err_msg=f"{what}, second order"
    )


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
@pytest.mark.parametrize("case", ROWS, ids=str)
def test_gradients_of_both_orders(case: Case, layout: Layout, rng: Any) -> None:
    if layout is expanded and str(case) in NOT_OF_EQUAL_ROWS:
        layout = contiguous
    others = [shapes for shapes in further_shapes(case) if accepts(case, shapes, rng)]
    for shapes in (*case.shapes, *others):
        function = Function(case, operands(case, shapes, rng), layout, rng)
        if len(function.point) > len(function.views):
            check(function, rng, f"{case} {shapes} {layout.__name__}")


# ---- Where a function is smooth, but a formula may divide by zero or overflow ----

SMOOTH_PLACES: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = [
    ("prod, one zero", lambda x: x.prod(), ([2.0, 0.0, 3.0, -1.5],)),
    ("prod, two zeros", lambda x: x.prod(), ([2.0, 0.0, 0.0, -1.5],)),
    ("prod, zeros along a dim", lambda x: x.prod(1), ([[2.0, 0.0], [0.0, 0.0], [1.0, 3.0]],)),
    ("cumprod, zeros", lambda x: x.cumprod(0), ([2.0, 0.0, 3.0, 0.0, 1.5],)),
    ("x ** 2", lambda x: x**2, ([0.0, -1.0],)),
    ("x ** 3", lambda x: x**3, ([0.0, -1.0],)),
    ("x ** 1", lambda x: x**1, ([0.0, -1.0],)),
    ("x ** 0", lambda x: x**0, ([0.0, -1.0],)),
    ("x ** p", lambda x, p: x**p, ([0.0, 0.0, 2.0], [4.0, 5.5, 0.0])),
    ("0 ** p", lambda p: 0.0**p, ([1.0, 2.5],)),
    ("sinc", lambda x: x.sinc(), ([0.0, 1.0],)),
    ("hypot", lambda x, y: x.hypot(y), ([0.0, 3.0], [2.0, 0.0])),
    ("atan2", lambda x, y: x.atan2(y), ([0.0, 3.0], [2.0, 0.0])),
    ("xlogy", lambda x, y: x.xlogy(y), ([0.0, 0.0], [2.0, 0.5])),
    ("logaddexp", lambda x, y: x.logaddexp(y), ([1.0, 900.0, -900.0], [1.0, -900.0, -900.0])),
    ("cdist", lambda x: rushlight.cdist(x, x), ([[0.0, 2.0], [1.0, 1.0]],)),
    ("det, singular", rushlight.linalg.det, ([[1.0, 2.0], [2.0, 4.0]],)),
    ("det, rank 1", rushlight.linalg.det, ([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [3.0, 6.0, 9.0]],)),
    ("norm, p=4", lambda x: x.norm(4), ([0.0, 2.0, -1.0],)),
    ("var of equals", lambda x: x.var(), ([2.0, 2.0, 2.0],)),
    ("softmax, large", lambda x: x.softmax(0), ([900.0, -900.0, 899.0],)),
    ("log_softmax, large", lambda x: x.log_softmax(0), ([900.0, -900.0, 899.0],)),
    ("sigmoid, large", lambda x: x.sigmoid(), ([900.0, -900.0],)),
    ("tanh, large", lambda x: x.tanh(), ([900.0, -900.0],)),
    ("silu, large", rushlight.nn.functional.silu, ([900.0, -900.0],)),
    ("gelu, large", rushlight.nn.functional.gelu, ([900.0, -900.0],)),
    ("elu, large", rushlight.nn.functional.elu, ([900.0, -900.0],)),
    ("softplus, large", rushlight.nn.functional.softplus, ([900.0, -900.0],)),
    ("log_ndtr, large", rushlight.special.log_ndtr, ([900.0, 38.0, 37.0, 30.0],)),
    (
        "logit loss, large",
        lambda x: ops.binary_cross_entropy_with_logits(x, TARGETS),
        ([900.0, -900.0],),
    ),
]
TARGETS = rushlight.tensor([1.0, 0.0], dtype=rushlight.float64)


@pytest.mark.parametrize(
    ("name", "run", "points"), SMOOTH_PLACES, ids=[p[0] for p in SMOOTH_PLACES]
)
def test_gradients_where_formulas_are_in_danger(
    name: str, run: Callable[..., Any], points: Sequence[Any], rng: Any
) -> None:
    arrays = [np.array(values) for values in points]
    case = Case(name, run, lambda _, *tensors: run(*tensors), None, (), ())
    check(Function(case, arrays, contiguous, rng), rng, name)


# ---- Far from 0, and at 0 ----

FAR = (0.0, 0.5, -1.0, 30.0, -30.0, 800.0, -800.0, 1e155, -1e155)
# A power of a negative number has no derivative for its exponent, and PyTorch takes 0 for some.
POWERS = ("pow", "float_power")
POINTWISE = [c for c in ROWS if c.points and c.oracle is not None and c.op not in POWERS]


def second_derivatives(library: Any, run: Callable[..., Any], arrays: Sequence[Array]) -> Any:
    """Of the weighted sum of the results: for each input, and for the weights."""
    leaves = [library.from_numpy(a.copy()).requires_grad_() for a in arrays]
    weights = library.from_numpy(np.linspace(0.5, 1.5, arrays[0].size)).requires_grad_()
    out = run(library if library is not rushlight else ops, *leaves)
    grad, options = library.autograd.grad, {"allow_unused": True, "materialize_grads": True}
    first = [g for g in grad(out, leaves, weights, create_graph=True, **options) if g.requires_grad]
    if not first:
        return []
    slopes = [library.from_numpy(np.linspace(1.5, 0.5, arrays[0].size)) for _ in first]
    return [g.detach().numpy() for g in grad(first, [*leaves, weights], slopes, **options)]


@pytest.mark.parametrize("case", POINTWISE, ids=str)
def test_second_derivatives_far_from_zero(case: Case, torch: Any) -> None:
    """They are numbers wherever PyTorch's are: no branch that was not chosen makes them NaN."""
    count = len(case.shapes[0])
    grid = [np.ravel(a) for a in np.meshgrid(*[np.array(FAR)] * count, indexing="ij")]
    try:
        expected = second_derivatives(torch, case.oracle, grid)
    except RuntimeError:
        return  # PyTorch has no derivative
    found = second_derivatives(rushlight, case.run, grid)
    for mine, theirs in zip(found, expected, strict=False):
        wrong = np.isfinite(theirs) & ~np.isfinite(mine)
        assert not wrong.any(), [a[wrong] for a in grid]
