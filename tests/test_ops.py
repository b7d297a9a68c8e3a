"""Every row of op_cases.py: values, layouts, types, gradients of both orders, in-place forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from case import FLOATS, Case
from op_cases import CASES

import rushlight
from rushlight import backend, ops
from rushlight.ops import _registry

Arrays = list[np.ndarray[Any, Any]]
CELLS = [(case, dtype) for case in CASES for dtype in case.dtypes]
each_cell = pytest.mark.parametrize(("case", "dtype"), CELLS, ids=str)
SHARED = [(case, dtype) for case, dtype in CELLS if case.oracle is not None]
each_shared_cell = pytest.mark.parametrize(("case", "dtype"), SHARED, ids=str)
each_shared_float_cell = pytest.mark.parametrize(
    ("case", "dtype"), [(case, dtype) for case, dtype in SHARED if dtype in FLOATS], ids=str
)


# ---- Operands ----


def draw(case: Case, dtype: str, shapes: Any, rng: np.random.Generator) -> Arrays:
    """Values for the tensors of one call."""
    arrays = []
    for position, (shape, domain) in enumerate(zip(shapes, case.domains, strict=True)):
        if position in case.fixed:
            arrays.append(np.asarray(domain(rng, shape)))
        elif dtype in FLOATS:
            arrays.append(np.asarray(domain(rng, shape)).astype(dtype))
        else:
            low, high = (0, 2) if dtype == "bool" else case.integers
            low = max(low, 0) if dtype == "uint8" else low
            arrays.append(rng.integers(low, high, shape).astype(dtype))
    return arrays


def wide(case: Case, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """As a reference takes it: floats as float64, integers as int64."""
    kinds: dict[str, Any] = {"f": np.float64, "i": np.int64, "u": np.int64, "b": np.bool_}
    return array.astype(np.float64 if case.result == "float" else kinds[array.dtype.kind])


def contiguous(array: Any) -> Any:
    return array


def transposed(array: Any) -> Any:
    return np.array(array.T, order="C").T


def strided(array: Any) -> Any:
    if not array.ndim:
        return np.stack([array, array])[1, ...]
    gaps = np.zeros([2 * n + 1 for n in array.shape], array.dtype)
    view = gaps[tuple(slice(1, 2 * n, 2) for n in array.shape)]
    view[...] = array
    return view


def broadcast(array: Any) -> Any:
    """The first slice of the first dimension for all; writing is not allowed."""
    return np.broadcast_to(array[:1], array.shape) if array.ndim and array.size else array


LAYOUTS: tuple[Callable[..., Any], ...] = (contiguous, transposed, strided, broadcast)
MIXED = [*((layout, layout) for layout in LAYOUTS), *((contiguous, b) for b in LAYOUTS[1:])]


def calls(case: Case, dtype: str, rng: np.random.Generator) -> Iterator[tuple[str, Arrays]]:
    """The arrays of each call, in each layout, and words that name them."""
    for shapes in case.shapes:
        drawn = draw(case, dtype, shapes, rng)
        pairs = MIXED if len(shapes) > 1 else MIXED[: len(LAYOUTS)]
        # The loops over integers are the floats' with another type.
        for first, others in pairs if dtype in FLOATS else pairs[::2]:
            arrays = [(others if i else first)(array) for i, array in enumerate(drawn)]
            yield f"{dtype} {shapes} {first.__name__}/{others.__name__}", arrays


def tensors_of(arrays: Arrays, grad: bool = False) -> list[Any]:
    """Tensors over the arrays' own memory, floats as leaves that require grad."""
    tensors = [rushlight.Tensor._wrap(np.asarray(array)) for array in arrays]
    for t in tensors:
        t.requires_grad = grad and t.is_floating_point()
    return tensors


def torch_tensors_of(torch: Any, arrays: Arrays, grad: bool = False) -> list[Any]:
    tensors = [torch.tensor(np.array(a, order="C")) for a in arrays]
    return [t.requires_grad_(grad and t.is_floating_point()) for t in tensors]


def expected_type(case: Case, dtype: str) -> str:
    floating = dtype in FLOATS
    return {
        "same": dtype,
        "float": dtype if floating else "float32",
        "bool": "bool",
        "int64": "int64",
        "sum": dtype if floating else "int64",
        "truth": "uint8" if dtype == "uint8" else "bool",
    }[case.result]


# ---- Values ----


@each_cell
def test_values_and_layouts(case: Case, dtype: str, rng: Any, assert_close: Any) -> None:
    for what, arrays in calls(case, dtype, rng):
        before = [array.copy() for array in arrays]
        out = case.run(ops, *tensors_of(arrays))
        assert out.dtype is getattr(rushlight, expected_type(case, dtype)), what
        with np.errstate(all="ignore"):
            expected = np.asarray(case.reference(*[wide(case, a) for a in arrays]))
        assert_close(out, expected.astype(out._array.dtype), case.op, what)
        for array, copy in zip(arrays, before, strict=True):
            assert np.array_equal(array, copy, equal_nan=True), f"{case}: an input changed"


@each_shared_cell
def test_values_against_pytorch(
    case: Case, dtype: str, rng: Any, torch: Any, assert_close: Any
) -> None:
    for shapes in case.shapes:
        arrays = draw(case, dtype, shapes, rng)
        out = case.run(ops, *tensors_of(arrays))
        theirs = case.oracle(torch, *torch_tensors_of(torch, arrays))
        assert str(out.dtype) == str(theirs.dtype), shapes
        assert_close(out, theirs, case.op, f"{dtype} {shapes}")


# ---- Gradients ----


def gradients(out: Any, leaves: list[Any], weights: Any) -> list[Any]:
    """Of the weighted sum of `out`, for each leaf."""
    if out.requires_grad:
        out.backward(weights)
    return [leaf.grad for leaf in leaves]


@each_shared_float_cell
def test_gradients_against_pytorch(
    case: Case, dtype: str, rng: Any, torch: Any, assert_close: Any
) -> None:
    for what, arrays in calls(case, dtype, rng):
        mine, theirs = tensors_of(arrays, True), torch_tensors_of(torch, arrays, True)
        out, their_out = case.run(ops, *mine), case.oracle(torch, *theirs)
        if "NotImplemented" in str(their_out.grad_fn):
            continue
        assert out.requires_grad == their_out.requires_grad, what
        weights = rng.uniform(0.5, 1.5, out.shape).astype(out._array.dtype)
        got = gradients(out, mine, rushlight.from_numpy(weights))
        expected = gradients(their_out, theirs, torch.from_numpy(weights))
        for i, (g, e) in enumerate(zip(got, expected, strict=True)):
            assert (g is None) == (e is None), (what, i)
            if g is not None:
                assert str(g.dtype) == str(e.dtype)
                assert_close(g, e, f"{case.op} gradient", f"{what} of input {i}")


# ---- Fused and composed ----

FUSED = [c for c in CASES if c.op.endswith("_backward") and c.op not in _registry.registry]


@pytest.mark.parametrize("case", FUSED, ids=str)
def test_fused_kernel_equals_composed_op(case: Case, rng: Any, assert_close: Any) -> None:
    """What runs in an ordinary backward pass equals what runs under create_graph."""
    for dtype in FLOATS:
        for what, arrays in calls(case, dtype, rng):
            composed = case.run(ops, *tensors_of(arrays))
            assert_close(case.run(backend.cpu, *arrays), composed, case.op, what)


# ---- Inf, nan and kinks ----

AT_POINTS = [c for c in CASES if c.points and c.oracle is not None]


def points_of(case: Case, dtype: str) -> Arrays:
    count = len(case.shapes[0])
    grid = np.meshgrid(*[np.array(case.points, dtype)] * count, indexing="ij")
    return [np.ascontiguousarray(g.reshape(-1)) for g in grid]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", AT_POINTS, ids=str)
def test_points(case: Case, dtype: str, torch: Any, assert_close: Any) -> None:
    """Values and gradients where functions have edges, and those of what is not finite."""
    arrays = points_of(case, dtype)
    mine, theirs = tensors_of(arrays, True), torch_tensors_of(torch, arrays, True)
    out, their_out = case.run(ops, *mine), case.oracle(torch, *theirs)
    assert_close(out, their_out, case.op, "at points")
    if not out.requires_grad or "NotImplemented" in str(their_out.grad_fn):
        return
    ones = np.ones(out.shape, dtype)
    got = gradients(out, mine, rushlight.from_numpy(ones))
    expected = gradients(their_out, theirs, torch.from_numpy(ones))
    for g, e in zip(got, expected, strict=True):
        assert_close(g, e, f"{case.op} gradient", "at points")


# op, input, gradient: PyTorch's choices at kinks, so that they hold without it too.
KINKS: list[tuple[str, tuple[float, ...], tuple[float, ...]]] = [
    ("abs", (0.0,), (0.0,)),
    ("sign", (0.0,), (0.0,)),
    ("relu", (0.0,), (0.0,)),
    ("leaky_relu", (0.0,), (0.01,)),
    ("elu", (0.0,), (1.0,)),
    ("floor", (1.0,), (0.0,)),
    ("maximum", (1.0, 1.0), (0.5, 0.5)),
    ("minimum", (1.0, 1.0), (0.5, 0.5)),
    ("l1_loss", (1.0, 1.0), (0.0, 0.0)),
    ("clamp", (1.0, 1.0), (1.0, 0.0)),
    ("pow", (0.0, 0.0), (0.0, 0.0)),
    ("pow", (0.0, 1.0), (1.0, 0.0)),
    ("atan2", (0.0, 0.0), (0.0, 0.0)),
]


@pytest.mark.parametrize(("op", "x", "expected"), KINKS)
def test_gradients_at_kinks(op: str, x: Any, expected: Any) -> None:
    leaves = [rushlight.tensor(v, requires_grad=True) for v in x]
    getattr(ops, op)(*leaves).backward()
    assert [leaf.grad.item() for leaf in leaves] == pytest.approx(expected)


# ---- Other forms of an op ----

INPLACE = [
    (case, name)
    for case in CASES
    if case.op in _registry.registry and type(case.run).__name__ == "partial"
    for name, form in _registry.registry[case.op].methods
    if form == "inplace"
]


@pytest.mark.parametrize(("case", "name"), INPLACE, ids=str)
def test_in_place_equals_out_of_place(case: Case, name: str, rng: Any, assert_close: Any) -> None:
    """Value, gradients, version, and the same memory."""
    _, kwargs = case.run.args
    for shapes in case.shapes:
        arrays = draw(case, case.dtypes[-1], shapes, rng)
        plain, changed = tensors_of(arrays, True), tensors_of(arrays, True)
        out = case.run(ops, *plain)
        if out.shape != shapes[0]:
            continue
        copy = changed[0].clone()
        memory, version = copy._array, copy._version
        result = getattr(copy, name)(*changed[1:], **kwargs)
        assert result is copy and copy._array is memory and copy._version == version + 1
        assert_close(copy, out, case.op, name)
        assert copy.requires_grad == out.requires_grad
        if out.requires_grad and case.smooth:
            weights = rushlight.from_numpy(rng.uniform(0.5, 1.5, out.shape))
            expected = gradients(out, plain, weights)
            for g, e in zip(gradients(copy, changed, weights), expected, strict=True):
                assert_close(g, e, case.op, name)


METHODS = [
    (case, name)
    for case in CASES
    if case.op in _registry.registry and type(case.run).__name__ == "partial"
    for name, form in _registry.registry[case.op].methods
    if form == "function"
]


@pytest.mark.parametrize(("case", "name"), METHODS, ids=str)
def test_method_equals_function(case: Case, name: str, rng: Any, assert_close: Any) -> None:
    _, kwargs = case.run.args
    tensors = tensors_of(draw(case, case.dtypes[-1], case.shapes[0], rng))
    out = getattr(tensors[0], name)(*tensors[1:], **kwargs)
    assert_close(out, case.run(ops, *tensors), case.op, name)
