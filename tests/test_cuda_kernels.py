"""Kernels of the CUDA backend, each against the CPU's: types, arrays, reductions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import rushlight
from rushlight import _kernels
from rushlight.backend import cpu, special
from tests.cuda_device import Device, cuda_device, values  # noqa: F401 - the fixture `device`

DTYPES = ("bool", "uint8", "int32", "int64", "float32", "float64")
SHAPES = ((), (5,), (3, 4), (2, 0, 3))


def defined(kind: str, dtypes: tuple[str, ...]) -> bool:
    floating = any(d.startswith("float") for d in dtypes)
    if kind in ("numeric", "integral") and all(d == "bool" for d in dtypes):
        return False
    if kind == "real":
        return floating
    return kind not in ("bitwise", "integral") or not floating


# ---- Pointwise kernels ----


@pytest.mark.parametrize(("name", "arity", "kind"), _kernels.POINTWISE)
def test_pointwise_over_types_and_shapes(device: Device, name: str, arity: int, kind: str) -> None:
    for dtype, shape in itertools.product(DTYPES, SHAPES):
        operands = [values(shape, dtype, seed) for seed in range(arity)]
        if defined(kind, (dtype,)):
            device.agree(name, *operands)
        else:
            device.agree_in_refusing(name, *operands)


@pytest.mark.parametrize("name", [*special.FUNCTIONS, *special.POLYNOMIALS])
def test_special_functions(device: Device, name: str) -> None:
    """Those of CuPy, those that SciPy computes in its place, and polynomials."""
    arity = 2 if name in (*special.POLYNOMIALS, "igamma", "igammac", "special_zeta") else 1
    for dtype, shape in itertools.product(("int64", "float32", "float64"), SHAPES):
        operands = [np.asarray(abs(values(shape, dtype, seed))) for seed in range(arity)]
        if dtype == "int64" and name in special.REAL:
            device.agree_in_refusing(name, *operands)
        else:
            device.agree(name, *operands, tolerance=1e-5 if dtype != "float64" else 1e-11)
    if arity == 2:
        device.agree_in_refusing(name, values((2,), "float32"), values((3,), "float32"))


def test_frexp(device: Device) -> None:
    device.agree("frexp", values((3, 4), "float32"))


@pytest.mark.parametrize("name", ["add", "div", "maximum", "eq", "pow", "clamp"])
def test_promotion(device: Device, name: str) -> None:
    arity = {"clamp": 3}.get(name, 2)
    one = {d: (values((2, 3), d, 1), values((), d, 2)) for d in DTYPES}
    others = [*itertools.chain(*one.values()), 2, 0.5, True]
    for x, y in itertools.product(one, others):
        operands = (one[x][0], y, y)[:arity]
        types = (x, str(y.dtype) if isinstance(y, np.ndarray) else type(y).__name__)
        if name in ("pow", "clamp") and not defined("numeric", types):
            device.agree_in_refusing(name, *operands)
        else:
            device.agree(name, *operands)
            device.agree(name, *reversed(operands))


def test_the_default_type_lifts_integers(device: Device) -> None:
    rushlight.set_default_dtype(rushlight.float64)
    try:
        device.agree("sqrt", np.arange(4))
        device.agree("mul", np.arange(4), 0.5)
    finally:
        rushlight.set_default_dtype(rushlight.float32)


def test_broadcasting_and_strides(device: Device) -> None:
    x, y = values((4, 1, 3), "float32"), values((5, 3), "float32", 1)
    device.agree("mul", x, y)
    K = device.kernels
    turned = K.transpose(device.array(y), 0, 1)
    device.check(K.sub(turned, 1.5), cpu.sub(y.T, 1.5))
    device.check(
        K.add(K.expand(device.array(x), (4, 5, 3)), y.ravel()[0].item()),
        cpu.add(np.broadcast_to(x, (4, 5, 3)), y.ravel()[0].item()),
    )


def test_destination(device: Device) -> None:
    K = device.kernels
    x, y = values((3, 4), "float32"), values((4,), "float32", 1)
    for dtype in ("float32", "float64"):
        out = K.empty((3, 4), np.dtype(dtype))
        assert K.add(device.array(x), device.array(y), out) is out
        device.check(out, cpu.add(x, y).astype(dtype))
    a = device.array(x)
    assert K.mul(a, 2.0, a) is a
    device.check(a, x * 2)


def test_destination_that_overlaps_an_operand(device: Device) -> None:
    K = device.kernels
    x = np.arange(6.0)
    a = device.array(x)
    K.add(a[1:], a[:-1], a[1:])
    device.check(a, np.concatenate([x[:1], x[1:] + x[:-1]]))
    b = device.array(x.copy())
    K.assign(b[1:], b[:-1])
    device.check(b, np.concatenate([x[:1], x[:-1]]))


def test_destinations_that_are_refused(device: Device) -> None:
    x = values((3,), "float32")
    device.agree_in_refusing("add", x, x, np.empty(3, np.int64))
    device.agree_in_refusing("add", x, x, np.empty(4, np.float32))
    device.agree_in_refusing("assign", np.empty((2, 2)), x)
    K = device.kernels
    repeated = K.expand(device.array(x), (2, 3))
    with pytest.raises(RuntimeError, match="single memory location"):
        K.add(repeated, 1.0, repeated)
    with pytest.raises(RuntimeError, match="single memory location"):
        K.assign(repeated, 1.0)


@pytest.mark.parametrize("name", ["floor_divide", "remainder"])
def test_zero_divisors(device: Device, name: str) -> None:
    device.agree_in_refusing(name, np.arange(3), np.arange(3))
    device.agree_in_refusing(name, np.arange(3), 0)
    device.agree(name, np.arange(3.0), np.zeros(3))


def test_numbers_that_do_not_fit(device: Device) -> None:
    device.agree("add", np.arange(3, dtype=np.uint8), 300)
    device.agree("mul", np.ones(2, np.float32), 1e300)
    device.agree_in_refusing("add", np.arange(3), 1 << 64)


def test_shapes_that_do_not_broadcast(device: Device) -> None:
    device.agree_in_refusing("add", np.zeros((2, 3)), np.zeros(4))
    device.agree_in_refusing("lerp", np.zeros((2, 3)), np.zeros(4), 0.5)


def test_where(device: Device) -> None:
    x, y = values((2, 3), "int32"), values((3,), "float32")
    device.agree("where", x > 0, x, y)
    device.agree("where", x > 0, x, 0.0)
    device.agree("where", x > 0, 1, y)
    device.agree_in_refusing("where", x, x, y)


# ---- Arrays ----


@pytest.mark.parametrize(("dtype", "other"), list(itertools.product(DTYPES, DTYPES)))
def test_conversion(device: Device, dtype: str, other: str) -> None:
    x = np.abs(values((2, 3), dtype))
    device.agree("cast", x, np.dtype(other))
    out = np.zeros((4, 2, 3), other)
    mine = device.array(out)
    device.kernels.assign(mine, device.array(x))
    cpu.assign(out, x)
    device.check(mine, out)


def test_new_arrays(device: Device) -> None:
    K = device.kernels
    for dtype in DTYPES:
        device.check(K.full((2, 3), 1, np.dtype(dtype)), np.ones((2, 3), dtype))
    device.check(K.arange(1, 7, 2, np.dtype(np.int64)), np.arange(1, 7, 2))
    assert K.empty((0, 2), np.dtype(np.float32)).shape == (0, 2)
    device.agree_in_refusing("empty", (2, -1), np.dtype(np.float32))
    x = values((3,), "float64")
    np.testing.assert_array_equal(K.to_cpu(device.array(x)), x)


def test_expand(device: Device) -> None:
    x = values((3, 1), "float32")
    device.agree("expand", x, (2, -1, 4))
    device.agree("expand", x, (3, 0))
    for shape in ((3,), (2, 4), (-1, 3, 4), (3, -2)):
        device.agree_in_refusing("expand", x, shape)


def test_joining_and_summing(device: Device) -> None:
    K = device.kernels
    x, y = values((2, 3), "float32"), values((1, 3), "float32", 1)
    device.check(K.cat([device.array(x), device.array(y)], 0), np.concatenate([x, y]))
    wide = K.cat([device.array(x), device.array(y.astype(np.int64))], 0)
    assert wide.dtype == np.float32  # PyTorch's promotion; NumPy would say float64
    device.agree("sum_to", values((4, 2, 3), "float64"), (2, 1), tolerance=1e-12)
    device.agree("sum_to", values((2, 3), "float64"), (2, 3))


INDICES = [
    (np.array([2, 0, 2]),),
    (np.array([[0], [2]]), None, np.array([1, -1])),
    (None, None, np.array([0, 0])),
    (values((3, 4), "bool"),),
    (np.array([], np.int64), np.array([9])),
]


@pytest.mark.parametrize("index", INDICES)
def test_index(device: Device, index: Any) -> None:
    x = values((3, 4, 2), "float64")
    there = tuple(i if i is None else device.array(i) for i in index)
    K = device.kernels
    got = cpu.read_at(x, index)
    device.check(K.read_at(device.array(x), there), got)
    for accumulate in (False, True):
        for value in (got, 7.0):
            mine = K.write_at(device.array(x), there, device.array(value), accumulate)
            if accumulate or not isinstance(value, np.ndarray):  # else any of several may win
                device.check(mine, cpu.write_at(x, index, value, accumulate))
    device.check(
        K.replaced(device.array(x), (slice(0, 2),), None, 7.0),
        cpu.replaced(x, (slice(0, 2),), None, 7.0),
    )


def test_index_out_of_bounds(device: Device) -> None:
    """CuPy would wrap it around."""
    x = device.array(values((3, 4), "float32"))
    for index in ((np.array([3]),), (None, np.array([-5]))):
        there = tuple(i if i is None else device.array(i) for i in index)
        with pytest.raises(IndexError, match="out of bounds"):
            device.kernels.read_at(x, there)
        with pytest.raises(IndexError, match="out of bounds"):
            device.kernels.write_at(x, there, 1.0, False)


ROWS = np.array([2, 0, 2])
PLACES = np.array([[1, 0, 1, 2]])
SHARED_KERNELS: list[tuple[str, Any]] = [
    ("gather", lambda x: (x, 0, PLACES)),
    ("scatter", lambda x: (x, 0, PLACES, 7)),
    ("scatter", lambda x: (x, 0, PLACES[:, :2], x[:1, 1:], None, "add")),
    ("scatter_add", lambda x: (x, 0, np.array([[1, 0, 1, 2], [1, 1, 1, 1]]), x)),
    ("scatter_reduce", lambda x: (x, 1, np.array([[1, 1, 1, 2]] * 3), x, "prod", True)),
    ("scatter_reduce", lambda x: (x, 1, np.array([[1, 1, 1, 2]] * 3), x, "amax", False)),
    ("scatter_reduce", lambda x: (x, 1, np.array([[1, 1, 1, 2]] * 3), x, "mean", True)),
    ("take", lambda x: (x, np.array([[0, -1], [5, 5]]))),
    ("put", lambda x: (x, np.array([0, -1, 5, 0]), x[0], True)),
    ("put", lambda x: (x, np.array([0, -1, 5, 1]), x[0], False)),
    ("index_select", lambda x: (x, 0, ROWS)),
    ("index_add", lambda x: (x, 0, ROWS, x, 2)),
    ("index_copy", lambda x: (x, 1, ROWS[:2], x[:, :2])),
    ("index_fill", lambda x: (x, 0, np.array([-1, 0]), 3)),
    ("masked_select", lambda x: (x, x > 0)),
    ("masked_scatter", lambda x: (x, x > 0, x.reshape(-1)[::-1].copy())),
    ("nonzero", lambda x: (x,)),
    ("flip", lambda x: (x, (0, 1))),
    ("roll", lambda x: (x, (1, 2), (0, 1))),
    ("roll", lambda x: (x, (5,), ())),
    ("repeat", lambda x: (x, (2, 1, 2))),
    ("tril", lambda x: (x, 1)),
    ("triu", lambda x: (x, -1)),
    ("diagonal", lambda x: (x, 1, 0, 1)),
    ("diagonal_scatter", lambda x: (x, x[0, :3].copy(), 0, 0, 1)),
    ("unfold", lambda x: (x, 1, 2, 1)),
    ("unfold_backward", lambda x: (cpu.copy(cpu.unfold(x, 1, 2, 1)), x.shape, 1, 2, 1)),
    ("new_zeros", lambda x: (x, (2, 3))),
    ("narrow", lambda x: (x, 1, 1, 2)),
]


@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize(("name", "arguments"), SHARED_KERNELS)
def test_shared_kernels(device: Device, name: str, arguments: Any, dtype: str) -> None:
    device.agree(name, *arguments(values((3, 4), dtype)))


WRONG: list[tuple[str, Any]] = [
    ("gather", lambda x: (x, 0, np.array([[3]]))),
    ("gather", lambda x: (x, 0, np.array([[-1]]))),
    ("scatter_add", lambda x: (x, 1, np.array([[4]]), x)),
    ("index_select", lambda x: (x, 0, np.array([3]))),
    ("index_add", lambda x: (x, 0, np.array([-1]), x[:1])),
    ("index_copy", lambda x: (x, 0, np.array([5]), x[:1])),
    ("index_fill", lambda x: (x, 0, np.array([-4]), 1)),
    ("take", lambda x: (x, np.array([12]))),
    ("put", lambda x: (x, np.array([-13]), x[0, :1], False)),
    ("unfold", lambda x: (x, 0, 4, 1)),
    ("tril", lambda x: (x[0], 0)),
]


@pytest.mark.parametrize(("name", "arguments"), WRONG)
def test_shared_kernels_refuse(device: Device, name: str, arguments: Any) -> None:
    device.agree_in_refusing(name, *arguments(values((3, 4), "float32")))


# ---- Reductions ----


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "amax", "amin", "any", "all"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_reductions(device: Device, name: str, dtype: str) -> None:
    x = values((2, 3, 4), dtype)
    if name == "mean" and not dtype.startswith("float"):
        device.agree_in_refusing(name, x)
        return
    for dim, keepdim in itertools.product((None, (), 1, -1, (0, 2)), (False, True)):
        device.agree(name, x, dim, keepdim, tolerance=1e-5 if dtype == "float32" else 1e-12)
    device.agree(name, values((), dtype), 0)


@pytest.mark.parametrize("name", ["sum", "amax", "any", "softmax"])
def test_dimensions_that_are_refused(device: Device, name: str) -> None:
    device.agree_in_refusing(name, np.zeros((2, 3)), 2)
    if name != "softmax":
        device.agree_in_refusing(name, np.zeros((2, 3)), (0, -2))


def test_reductions_of_nothing(device: Device) -> None:
    x = np.zeros((2, 0), np.float32)
    for name in ("sum", "prod", "mean", "any", "all"):
        device.agree(name, x, 1)
    for name in ("amax", "amin", "argmax"):
        device.agree_in_refusing(name, x, 1)
    device.agree_in_refusing("argmax", x)
    device.agree("amax", x, 0)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_positions(device: Device, name: str) -> None:
    x = np.array([[1.0, 3.0, 3.0, 0.0], [np.nan, 2.0, np.nan, 9.0], [-1.0, 1.0, -1.0, 1.0]])
    for array in (x, x[2], x.astype(np.float32), x[::2].astype(np.int64), x[::2] > 0):
        for dim, keepdim in itertools.product((None, 0, -1), (False, True)):
            device.agree(name, array, dim, keepdim)
    device.agree(name, np.array(2.0), 0, True)


def test_nan_wins(device: Device) -> None:
    x = np.array([[1.0, np.nan], [2.0, 3.0]])
    device.agree("amax", x, 1)
    device.agree("amin", x, 0)


@pytest.mark.parametrize("correction", [0, 1, 6, 7])
def test_var(device: Device, correction: int) -> None:
    x = values((2, 3), "float64")
    device.agree("var", x, None, correction, tolerance=1e-12)
    device.agree("var", x, 1, correction, True, tolerance=1e-12)
    device.agree_in_refusing("var", np.arange(3))


@pytest.mark.parametrize("dim", [0, -1])
def test_softmax(device: Device, dim: int) -> None:
    x = values((3, 4), "float64") * 300
    device.agree("softmax", x, dim, tolerance=1e-12)
    device.agree("log_softmax", x, dim, tolerance=1e-12)
    out, g = cpu.softmax(x / 300, dim), values((3, 4), "float64", 1)
    device.agree("softmax_backward", g, out, dim, tolerance=1e-12)
    device.agree("log_softmax_backward", g, np.log(out), dim, tolerance=1e-12)
    device.agree("softmax", np.zeros((2, 0)), dim)
    device.agree("softmax", np.array(2.0), dim)
    device.agree_in_refusing("softmax", np.arange(3), dim)
