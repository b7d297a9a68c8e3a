"""The rows of pointwise ops beyond the common ones of op_cases.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from case import (
    ALL,
    FLOATS,
    INTEGERS,
    NUMERIC,
    POINTS,
    SHAPES_1,
    SHAPES_2,
    SHAPES_3,
    binary,
    case,
    off_integers,
    signed,
    unary,
    uniform,
)

# ---- Of one tensor ----

for name, reference, domain in [
    ("exp2", np.exp2, uniform(-5, 5)),
    ("asinh", np.arcsinh, uniform(-5, 5)),
    ("acosh", np.arccosh, uniform(1.1, 5)),
    ("atanh", np.arctanh, uniform(-0.9, 0.9)),
    ("logit", lambda x: np.log(x / (1 - x)), uniform(0.1, 0.9)),
    ("deg2rad", np.deg2rad, uniform(-200, 200)),
    ("rad2deg", np.rad2deg, uniform(-4, 4)),
    ("angle", np.angle, signed(0.1, 2)),
]:
    unary(name, reference, domain, dtypes=ALL, integers=(1, 4), result="float")
# Near 0, PyTorch's gradient of sinc cancels.
unary("sinc", np.sinc, signed(0.1, 2), points=[x for x in POINTS if x != 1e-5])
unary(
    "logit",
    lambda x: np.log(np.clip(x, 0.2, 0.8) / (1 - np.clip(x, 0.2, 0.8))),
    uniform(0.25, 0.75),
    kwargs={"eps": 0.2},
)
unary("frac", lambda x: x - np.trunc(x), off_integers)
# PyTorch's gradient of sgn is a tensor without memory, which it cannot show.
unary("sgn", lambda x: x if x.dtype == bool else np.sign(x), dtypes=ALL, torch=None)
for decimals in (2, -1):
    unary(
        "round",
        lambda x, decimals=decimals: np.round(x, decimals),
        lambda rng, shape: 0.01 * (rng.integers(-900, 900, shape) + 0.3),
        kwargs={"decimals": decimals},
        smooth=False,
    )
for name, reference in {
    "isinf": np.isinf,
    "isposinf": lambda x: x == math.inf,
    "isneginf": lambda x: x == -math.inf,
    "isreal": np.isreal,
}.items():
    unary(name, reference, dtypes=ALL, result="bool")
unary("signbit", lambda x: x < 0, dtypes=ALL, result="bool")
unary("nan_to_num", lambda x: x, dtypes=ALL)
unary("nan_to_num", lambda x: x, kwargs={"nan": 1.5, "posinf": 2.5, "neginf": -3.5})
unary("positive", lambda x: x, dtypes=NUMERIC)
unary("conj", lambda x: x, dtypes=ALL)
unary("clamp_min", lambda x: np.maximum(x, 0.5), off_integers, kwargs={"min": 0.5})
unary("clamp_max", lambda x: np.minimum(x, 0.5), off_integers, kwargs={"max": 0.5})
unary(
    "float_power", lambda x: x**2.5, uniform(0.3, 3), dtypes=("float64",), kwargs={"exponent": 2.5}
)
case(
    "float_power_",
    lambda x: x**3,
    SHAPES_1,
    dtypes=("float64",),
    run=lambda t, x: x.clone().float_power_(3),
)
for part in (0, 1):
    unary(
        "frexp",
        lambda x, part=part: np.frexp(x)[part],
        run=lambda t, x, part=part: t.frexp(x)[part].to(x.dtype),
        label=("mantissa", "exponent")[part],
        points=(),
    )

# ---- Of two tensors ----

for name, reference in {
    "fmod": np.fmod,
    "trunc_divide": lambda x, y: np.trunc(x / y),
    "floor_quotient": np.floor_divide,
}.items():
    binary(
        name, reference, signed(0.3, 3), dtypes=NUMERIC, integers=(1, 10), smooth=False,
        torch=None if name != "fmod" else "",
    )  # fmt: skip
for name, reference in {"fmax": np.fmax, "fmin": np.fmin}.items():
    binary(name, reference, uniform(-2, 0), off_integers, dtypes=ALL, smooth=False)
binary("clamp_min", np.maximum, uniform(-2, 0), off_integers, dtypes=NUMERIC)
binary("clamp_max", np.minimum, uniform(-2, 0), off_integers, dtypes=NUMERIC)
binary("heaviside", np.heaviside, dtypes=NUMERIC, integers=(-1, 2), smooth=False)
binary("copysign", lambda x, y: np.where(y < 0, -np.abs(x), np.abs(x)), dtypes=ALL, result="float")
# The reference and the oracle round to float32; only the steps of float64 can be compared.
case("nextafter", np.nextafter, SHAPES_2, dtypes=("float64",), smooth=False, points=POINTS)
binary("hypot", np.hypot)
binary("logaddexp", np.logaddexp)
binary("logaddexp2", np.logaddexp2)
binary("xlogy", lambda x, y: x * np.log(y), signed(0.1, 2), uniform(0.2, 3), dtypes=FLOATS)
binary("ldexp", lambda x, y: x * np.exp2(y), dtypes=NUMERIC, integers=(0, 5), result="float")
binary("rsub", lambda x, y: y - x, dtypes=NUMERIC)
binary("rsub", lambda x, y: y - 3 * x, dtypes=NUMERIC, kwargs={"alpha": 3})
binary(
    "float_power", np.power, uniform(0.3, 3), uniform(-2, 2), dtypes=("float64",), integers=(0, 4)
)
for name, reference in {"gcd": np.gcd, "lcm": np.lcm}.items():
    case(name, reference, SHAPES_2, dtypes=INTEGERS, smooth=False)
for name, reference in {"left": np.left_shift, "right": np.right_shift}.items():
    case(f"bitwise_{name}_shift", reference, SHAPES_2, dtypes=INTEGERS, integers=(0, 6))

# ---- Of three tensors ----

case("addcdiv", lambda x, y, z: x + y / z, SHAPES_3, signed(0.3, 2))
case("addcdiv", lambda x, y, z: x + 0.5 * y / z, SHAPES_3, signed(0.3, 2), kwargs={"value": 0.5})

# ---- Numbers as operands ----

NUMBERS: list[tuple[str, str, Callable[..., Any], Callable[..., Any], Any]] = [
    ("x, 2", "rsub", lambda x: 2 - x, lambda t, x: t.rsub(x, 2), signed(0.1, 2)),
    ("x, 1.5", "fmod", lambda x: np.fmod(x, 1.5), lambda t, x: t.fmod(x, 1.5), uniform(0.1, 1.4)),
    ("x, -1", "copysign", lambda x: -abs(x), lambda t, x: t.copysign(x, -1), signed(0.1, 2)),
    ("x, 2", "xlogy", lambda x: x * np.log(2), lambda t, x: t.xlogy(x, 2), signed(0.1, 2)),
    ("x, -2", "xlogy", lambda x: 0 * x, lambda t, x: t.xlogy(0 * x, -2), signed(0.1, 2)),
    ("2, x", "xlogy", lambda x: 2 * np.log(x), lambda t, x: t.xlogy(2, x), uniform(0.2, 3)),
    ("+x", "positive", lambda x: x, lambda t, x: +x, signed(0.1, 2)),
    ("0 ** x", "pow", lambda x: 0 * x, lambda t, x: 0**x, uniform(0.3, 2)),
    ("-2 ** x", "pow", lambda x: np.nan * x, lambda t, x: (-2) ** x, uniform(0.3, 2)),
]
for label, op, reference, run, domain in NUMBERS:
    case(op, reference, SHAPES_1, domain, run=run, label=label, points=POINTS)
