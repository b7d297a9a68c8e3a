"""Every op under vmap: as if it ran once for each sample, and its gradient as well.

So no batched kernel needs a test of its own; an op without one runs in the loop over samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from case import Case
from op_cases import CASES

import rushlight
from rushlight import ops
from rushlight.func import grad, vmap

SAMPLES = 3
# Their results have other sizes for other values, or are drawn.
DIFFERING = ("nonzero", "masked_select", "unique")
IN_PLACE = ("index_put_", "index_reduce_in_place", "replaced")
BATCHED = [case for case in CASES if "float64" in case.dtypes and case.op not in DIFFERING]
Tensors = list[Any]


def samples(case: Case, rng: np.random.Generator, shapes: Any) -> list[np.ndarray[Any, Any]]:
    """For each tensor of a call its values in all samples."""
    drawn = []
    for position, (shape, domain) in enumerate(zip(shapes, case.domains, strict=True)):
        arrays = [np.asarray(domain(rng, shape)) for _ in range(SAMPLES)]
        stacked = np.stack(arrays)
        drawn.append(stacked if position in case.fixed else stacked.astype(np.float64))
    return drawn


def flat(results: Any) -> Tensors:
    """The tensors among the results of an op."""
    values = results if isinstance(results, tuple | list) else (results,)
    return [v for v in values if isinstance(v, rushlight.Tensor)]


def weighted(case: Case, tensors: Any) -> Any:
    """A scalar of all floating results, in which no element counts as another does."""
    total = rushlight.tensor(0.0, dtype=rushlight.float64)
    for y in flat(case.run(ops, *tensors)):
        if y.is_floating_point():
            weights = np.sin(np.arange(1.0, y.numel() + 1)).reshape(tuple(y.shape))
            total = total + (y * rushlight.tensor(weights)).sum()
    return total


def check(mapped: Any, each: list[Any], assert_close: Any, op: str) -> None:
    for out, parts in zip(mapped, zip(*each, strict=True), strict=True):
        expected = np.stack([p.detach().numpy() for p in parts])
        assert str(out.dtype) == str(parts[0].dtype)
        assert_close(out.detach().numpy(), expected, op + " gradient")


def check_refusal(error: RuntimeError, case: Case, in_dims: Any) -> None:
    """What differs from sample to sample cannot be written into what they share."""
    assert case.op in IN_PLACE and None in in_dims
    assert str(error).startswith("vmap: inplace arithmetic")


def in_dims_of(count: int) -> list[tuple[int | None, ...]]:
    """All tensors batched, and each one alone."""
    alone: list[tuple[int | None, ...]] = [
        tuple(0 if i == j else None for j in range(count)) for i in range(count)
    ]
    return [(0,) * count, *(alone if count > 1 else [])]


def picked(tensors: Tensors, in_dims: Any, i: int) -> Tensors:
    return [t[i] if dim == 0 else t for t, dim in zip(tensors, in_dims, strict=True)]


def calls(case: Case, rng: Any, shapes: Any) -> Any:
    """For each choice of batched tensors the choice, and the tensors."""
    arrays = samples(case, rng, shapes)
    for in_dims in in_dims_of(len(arrays)):
        yield (
            in_dims,
            [
                rushlight.tensor(a if dim == 0 else a[0])
                for a, dim in zip(arrays, in_dims, strict=True)
            ],
        )


@pytest.mark.parametrize("case", BATCHED, ids=str)
def test_values(case: Case, rng: Any, assert_close: Any) -> None:
    for shapes in case.shapes[:3]:
        for in_dims, given in calls(case, rng, shapes):
            each = [flat(case.run(ops, *picked(given, in_dims, i))) for i in range(SAMPLES)]
            try:
                mapped = vmap(lambda *xs: tuple(flat(case.run(ops, *xs))), in_dims)(*given)
            except RuntimeError as error:
                check_refusal(error, case, in_dims)
                continue
            check(mapped, each, assert_close, case.op)


SMOOTH = [case for case in BATCHED if case.smooth]


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_gradients(case: Case, rng: Any, assert_close: Any) -> None:
    """Inside of vmap one for each sample, outside their sum for a tensor that they share."""
    for in_dims, given in calls(case, rng, case.shapes[0]):
        wanted = tuple(i for i, t in enumerate(given) if t.is_floating_point())
        slopes = grad(lambda *xs: weighted(case, xs), wanted)
        each = [list(slopes(*picked(given, in_dims, i))) for i in range(SAMPLES)]
        try:
            mapped = vmap(slopes, in_dims)(*given)
        except RuntimeError as error:
            check_refusal(error, case, in_dims)
            continue
        check(mapped, each, assert_close, case.op)

        def total(*xs: Any, in_dims: Any = in_dims) -> Any:
            return vmap(lambda *xs: weighted(case, xs), in_dims)(*xs).sum()

        for k, g in enumerate(grad(total, wanted)(*given)):
            parts = np.stack([gradients[k].numpy() for gradients in each])
            expected = parts if in_dims[wanted[k]] == 0 else parts.sum(0)
            assert_close(g.numpy(), expected, case.op + " gradient")


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_second_derivatives(case: Case, rng: Any, assert_close: Any) -> None:
    (in_dims, given), *_ = calls(case, rng, case.shapes[0])
    wanted = tuple(i for i, t in enumerate(given) if t.is_floating_point())
    slopes = grad(lambda *xs: weighted(case, xs), wanted)
    curves = grad(lambda *xs: sum((g * g).sum() for g in slopes(*xs)), wanted)
    each = [list(curves(*picked(given, in_dims, i))) for i in range(SAMPLES)]
    for out, parts in zip(vmap(curves, in_dims)(*given), zip(*each, strict=True), strict=True):
        np.testing.assert_allclose(out.numpy(), np.stack([p.numpy() for p in parts]), 1e-11, 1e-12)


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_nested(case: Case, rng: Any, assert_close: Any) -> None:
    """The outer samples share all tensors but the first, the inner ones share the first."""
    (in_dims, given), *_ = calls(case, rng, case.shapes[0])
    if len(given) < 2:
        return
    inner, outer = (None, *in_dims[1:]), (0, *(None for _ in in_dims[1:]))
    run = lambda *xs: tuple(flat(case.run(ops, *xs)))  # noqa: E731
    try:
        mapped = vmap(vmap(run, inner), outer)(*given)
    except RuntimeError as error:
        check_refusal(error, case, inner)
        return
    each = [list(vmap(run, inner)(*picked(given, outer, i))) for i in range(SAMPLES)]
    check(mapped, each, assert_close, case.op)
