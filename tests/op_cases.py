"""One row for each op: its reference in NumPy, its name in PyTorch, domain, shapes and types.

A new op needs a row here; op_cases_array.py holds those that are not pointwise. From the rows
test_ops.py derives the tests of values, layouts, types, gradients and in-place forms.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import op_cases_array  # noqa: F401 - adds its rows
import op_cases_batching  # noqa: F401
import op_cases_index  # noqa: F401
import op_cases_layers  # noqa: F401
import op_cases_linalg  # noqa: F401
import op_cases_nn  # noqa: F401
import op_cases_order  # noqa: F401
import op_cases_pointwise  # noqa: F401
import op_cases_shape  # noqa: F401
import op_cases_special  # noqa: F401
from case import (
    ALL,
    BITS,
    CASES,
    FINITE,
    FLOATS,
    NUMERIC,
    POINTS,
    SHAPES_1,
    SHAPES_2,
    SHAPES_3,
    binary,
    by_element,
    case,
    condition,
    off_integers,
    signed,
    unary,
    uniform,
)

__all__ = ["CASES"]

# ---- Functions ----


def logistic(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def normal_cdf(x: Any) -> Any:
    return 0.5 * (1 + erf(np.asarray(x) / math.sqrt(2)))


def gelu_by_tanh(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


erf, erfc = by_element(math.erf), by_element(math.erfc)

for name, reference, domain in [
    ("exp", np.exp, uniform(-5, 5)),
    ("expm1", np.expm1, uniform(-3, 3)),
    ("log", np.log, uniform(0.1, 5)),
    ("log2", np.log2, uniform(0.1, 5)),
    ("log10", np.log10, uniform(0.1, 5)),
    ("log1p", np.log1p, uniform(-0.8, 5)),
    ("sqrt", np.sqrt, uniform(0.1, 5)),
    ("rsqrt", lambda x: 1 / np.sqrt(x), uniform(0.1, 5)),
    ("sin", np.sin, uniform(-6, 6)),
    ("cos", np.cos, uniform(-6, 6)),
    ("tan", np.tan, uniform(-1.3, 1.3)),
    ("asin", np.arcsin, uniform(-0.9, 0.9)),
    ("acos", np.arccos, uniform(-0.9, 0.9)),
    ("atan", np.arctan, uniform(-5, 5)),
    ("sinh", np.sinh, uniform(-3, 3)),
    ("cosh", np.cosh, uniform(-3, 3)),
    ("tanh", np.tanh, uniform(-3, 3)),
    ("erf", erf, uniform(-3, 3)),
    ("erfc", erfc, uniform(-3, 3)),
    ("sigmoid", logistic, uniform(-5, 5)),
    ("reciprocal", lambda x: 1 / x, signed(0.2, 3)),
]:
    unary(name, reference, domain, dtypes=ALL, integers=(1, 4), result="float")

unary("neg", np.negative, dtypes=NUMERIC)
unary("abs", np.abs, dtypes=NUMERIC)
unary("sign", lambda x: x if x.dtype == bool else np.sign(x), dtypes=ALL)
unary("square", np.square, dtypes=NUMERIC)
unary("relu", lambda x: np.maximum(x, 0), dtypes=NUMERIC)
for name, reference in {
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "round": np.round,
}.items():
    unary(name, reference, off_integers, dtypes=NUMERIC)
unary(
    "mish",
    lambda x: x * np.tanh(np.log1p(np.exp(x))),
    torch="nn.functional.mish",
    points=FINITE,  # PyTorch's gradient of mish(inf) is nan; its limit is 1
)
unary(
    "hardswish",
    lambda x: x * np.clip(x + 3, 0, 6) / 6,
    uniform(-2.9, 2.9),
    torch="nn.functional.hardswish",
)
unary("silu", lambda x: x * logistic(x), torch="nn.functional.silu")
# PyTorch's float32 gelu(inf) is nan; its float64 one, and the limit, are inf.
unary("gelu", lambda x: x * normal_cdf(x), torch="nn.functional.gelu", points=FINITE)
unary("gelu", gelu_by_tanh, torch="nn.functional.gelu", kwargs={"approximate": "tanh"})
unary(
    "leaky_relu",
    lambda x: np.where(x > 0, x, 0.1 * x),
    run=lambda t, x: t.leaky_relu(x, 0.1),
    torch=lambda t, x: t.nn.functional.leaky_relu(x, 0.1),
)
unary(
    "elu",
    lambda x: np.where(x > 0, x, 1.5 * np.expm1(x)),
    torch="nn.functional.elu",
    kwargs={"alpha": 1.5},
)
unary(
    "softplus",
    lambda x: np.where(x * 2 > 3, x, np.log1p(np.exp(x * 2)) / 2),
    torch="nn.functional.softplus",
    kwargs={"beta": 2.0, "threshold": 3.0},
)
unary("logical_not", np.logical_not, dtypes=ALL, integers=(0, 3), result="bool")
unary("isnan", np.isnan, dtypes=ALL, result="bool")
unary("isfinite", np.isfinite, dtypes=ALL, result="bool")
case("bitwise_not", np.invert, SHAPES_1, dtypes=BITS)

binary("add", np.add, dtypes=ALL)
binary("add", lambda x, y: x + 3 * y, dtypes=NUMERIC, kwargs={"alpha": 3})
binary("sub", np.subtract, dtypes=NUMERIC)
binary("sub", lambda x, y: x - 3 * y, dtypes=NUMERIC, kwargs={"alpha": 3})
binary("mul", np.multiply, dtypes=ALL)
binary("div", np.divide, signed(0.3, 3), dtypes=ALL, integers=(1, 10), result="float")
for mode, quotient in {"floor": np.floor_divide, "trunc": lambda x, y: np.trunc(x / y)}.items():
    binary(
        "div", quotient, signed(0.3, 3), dtypes=NUMERIC, integers=(1, 10), smooth=False,
        kwargs={"rounding_mode": mode},
    )  # fmt: skip
binary("floor_divide", np.floor_divide, dtypes=NUMERIC, integers=(1, 10), smooth=False)
binary("remainder", np.remainder, signed(0.3, 3), dtypes=NUMERIC, integers=(1, 10), smooth=False)
binary("pow", np.power, uniform(0.3, 3), uniform(-2, 2), dtypes=NUMERIC, integers=(0, 4))
for name, reference in {"maximum": np.maximum, "minimum": np.minimum}.items():
    binary(name, reference, uniform(-2, 0), off_integers, dtypes=ALL, smooth=False)
binary("atan2", np.arctan2, dtypes=ALL, integers=(1, 10), result="float")
for name, reference in {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
}.items():
    binary(name, reference, dtypes=ALL, integers=(0, 3), result="bool")
for name in ("and", "or", "xor"):
    case(f"bitwise_{name}", getattr(np, f"bitwise_{name}"), SHAPES_2, dtypes=BITS)
binary(
    "isclose",
    lambda x, y: np.isclose(x, y, 0.1, 0.5),
    dtypes=FLOATS,
    result="bool",
    kwargs={"rtol": 0.1, "atol": 0.5},
)
case(
    "lerp",
    lambda x, y, w: x + w * (y - x),
    SHAPES_3,
    signed(0.1, 2),
    signed(0.1, 2),
    uniform(0, 1),
)
case("addcmul", lambda x, y, z: x + y * z, SHAPES_3, dtypes=NUMERIC)
case("addcmul", lambda x, y, z: x + 0.5 * y * z, SHAPES_3, kwargs={"value": 0.5})
case(
    "where",
    np.where,
    SHAPES_3,
    condition,
    signed(0.1, 2),
    signed(0.1, 2),
    dtypes=ALL,
    fixed=(0,),
)
case(
    "clamp",
    lambda x, low, high: np.minimum(np.maximum(x, low), high),
    # PyTorch's gradient fails where the bounds are larger than the input.
    (((3, 4), (3, 4), (3, 4)), ((2, 3, 4), (3, 1), (4,)), ((3,), (), (1,))),
    off_integers,
    uniform(-1.05, -0.95),
    uniform(0.95, 1.05),
    dtypes=NUMERIC,
)

# Numbers as operands: either side, each bound.
for label, op, reference, run, domain in [
    ("x, 2", "add", lambda x: x + 2, lambda t, x: t.add(x, 2), signed(0.1, 2)),
    ("2 + x", "add", lambda x: 2 + x, lambda t, x: 2 + x, signed(0.1, 2)),
    ("x - 1.5", "sub", lambda x: x - 1.5, lambda t, x: x - 1.5, signed(0.1, 2)),
    ("1 - x", "sub", lambda x: 1 - x, lambda t, x: 1 - x, signed(0.1, 2)),
    ("x * 3", "mul", lambda x: x * 3, lambda t, x: x * 3, signed(0.1, 2)),
    ("3 * x", "mul", lambda x: 3 * x, lambda t, x: 3 * x, signed(0.1, 2)),
    ("x / 3", "div", lambda x: x / 3, lambda t, x: x / 3, signed(0.1, 2)),
    ("3 / x", "div", lambda x: 3 / x, lambda t, x: 3 / x, signed(0.3, 2)),
    ("x % 1.5", "remainder", lambda x: x % 1.5, lambda t, x: x % 1.5, uniform(0.1, 1.4)),
    ("7 % x", "remainder", lambda x: 7 % x, lambda t, x: 7 % x, uniform(1.2, 1.3)),
    ("x ** 2", "pow", lambda x: x**2, lambda t, x: x**2, signed(0.1, 2)),
    ("x ** 3", "pow", lambda x: x**3, lambda t, x: x**3, signed(0.1, 2)),
    ("x ** -1.5", "pow", lambda x: x**-1.5, lambda t, x: x**-1.5, uniform(0.3, 2)),
    ("x ** 0", "pow", lambda x: x**0, lambda t, x: x**0, signed(0.1, 2)),
    ("2 ** x", "pow", lambda x: 2**x, lambda t, x: 2**x, signed(0.1, 2)),
    ("2.5 ** x", "pow", lambda x: 2.5**x, lambda t, x: t.pow(2.5, x), signed(0.1, 2)),
    ("x, -1, 1", "clamp", lambda x: np.clip(x, -1, 1), lambda t, x: x.clamp(-1, 1), off_integers),
    ("x, min", "clamp", lambda x: np.maximum(x, 0), lambda t, x: x.clamp(min=0), off_integers),
    ("x, max", "clamp", lambda x: np.minimum(x, 1), lambda t, x: x.clamp(max=1.0), off_integers),
    ("x, 2, 1", "clamp", lambda x: 0 * x + 1, lambda t, x: x.clamp(2, 1), off_integers),
]:
    case(op, reference, SHAPES_1, domain, run=run, label=label, points=POINTS)
case(
    "lerp",
    lambda x, y: x + 0.3 * (y - x),
    SHAPES_2,
    run=lambda t, x, y: t.lerp(x, y, 0.3),
    label="number",
)
case(
    "where",
    lambda c, x: np.where(c, x, 2.5),
    SHAPES_2,
    condition,
    signed(0.1, 2),
    run=lambda t, c, x: t.where(c, x, 2.5),
    label="number",
    fixed=(0,),
)
for label, run in {"x // 2": lambda t, x: x // 2, "7 // x": lambda t, x: 7 // x}.items():
    case(
        "floor_divide", lambda x, run=run: run(None, x), SHAPES_1, run=run, label=label,
        smooth=False, points=POINTS,
    )  # fmt: skip
case(
    "_where_method",
    lambda x, c: np.where(c, x, -1),
    SHAPES_2,
    signed(0.1, 2),
    condition,
    run=lambda t, x, c: x.where(c, -1.0),
    fixed=(1,),
)

# The backward kernels are ops too: composed under create_graph, fused otherwise.
for name, slope in {
    "relu_backward": lambda out: np.where(out > 0, 1, 0),
    "sigmoid_backward": lambda out: out * (1 - out),
    "tanh_backward": lambda out: 1 - out * out,
    "mish_backward": lambda x: (
        np.tanh(np.log1p(np.exp(x))) + x * logistic(x) / np.cosh(np.log1p(np.exp(x))) ** 2
    ),
    "hardswish_backward": lambda x: x / 3 + 0.5,
    "silu_backward": lambda x: logistic(x) * (1 + x * (1 - logistic(x))),
    "gelu_backward": lambda x: (
        normal_cdf(x) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    ),
    "gelu_tanh_backward": lambda x: (
        0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        + 0.5 * x * math.sqrt(2 / math.pi) * (1 + 0.134145 * x**2)
        / np.cosh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)) ** 2
    ),
}.items():  # fmt: skip
    case(name, lambda g, x, slope=slope: g * slope(x), SHAPES_2, torch=None)
for name, slope, attributes in [
    ("leaky_relu_backward", lambda x: np.where(x > 0, 1, 0.1), (0.1,)),
    ("elu_backward", lambda x: np.where(x > 0, 1, 1.5 * np.exp(x)), (1.5,)),
    ("softplus_backward", lambda x: np.where(2 * x > 3, 1, logistic(2 * x)), (2.0, 3.0)),
]:
    case(
        name,
        lambda g, x, slope=slope: g * slope(x),
        SHAPES_2,
        run=lambda t, g, x, name=name, attributes=attributes: getattr(t, name)(g, x, *attributes),
        torch=None,
    )
