"""What pointwise ops do with integers, bools, numbers and edges; names; what they refuse."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from helpers import both

import rushlight
from rushlight.ops import find
from rushlight.ops._registry import registry
from rushlight.ops.aliases import ALIASES, METHODS

INF, NAN = math.inf, math.nan
LEAST = -(2**63)

# Each is a call with a library, an integer, a floating, a bool and a uint8 tensor.
CALLS: dict[str, Any] = {
    # Division
    "i // 0": lambda t, i, f, b, u: i // 0,
    "i % 0": lambda t, i, f, b, u: i % 0,
    "fmod 0": lambda t, i, f, b, u: t.fmod(i, 0),
    "trunc by 0": lambda t, i, f, b, u: t.div(i, 0, rounding_mode="trunc"),
    "f // 0": lambda t, i, f, b, u: f // 0,
    "f % 0": lambda t, i, f, b, u: f % 0,
    "trunc": lambda t, i, f, b, u: t.div(i, 2, rounding_mode="trunc"),
    "floor": lambda t, i, f, b, u: t.div(i, 2, rounding_mode="floor"),
    "a long quotient": lambda t, i, f, b, u: t.div(t.tensor(2**60 + 1), 1, rounding_mode="trunc"),
    "5 // i": lambda t, i, f, b, u: 5 // i,
    "5 % f": lambda t, i, f, b, u: 5 % f,
    "i % -2.5": lambda t, i, f, b, u: i % -2.5,
    "fmod signs": lambda t, i, f, b, u: t.fmod(i, -3),
    "b // b": lambda t, i, f, b, u: b // b,
    "b // 2": lambda t, i, f, b, u: b // 2,
    "least % -1": lambda t, i, f, b, u: t.tensor([LEAST]) % -1,
    # Powers
    "i ** -1": lambda t, i, f, b, u: i**-1,
    "i ** tensor(-1)": lambda t, i, f, b, u: i ** t.tensor(-1),
    "pow_ -1": lambda t, i, f, b, u: i.pow_(-1),
    "2 ** integers": lambda t, i, f, b, u: 2 ** t.tensor([-1, 3]),
    "i ** 0.5": lambda t, i, f, b, u: abs(i) ** 2.5,
    "b ** 2": lambda t, i, f, b, u: b**2,
    "square of bools": lambda t, i, f, b, u: t.square(b),
    "True ** b": lambda t, i, f, b, u: True**b,
    "float_power": lambda t, i, f, b, u: t.float_power(i, 2),
    "float_power_": lambda t, i, f, b, u: f.float_power_(2),
    "ldexp": lambda t, i, f, b, u: t.ldexp(i, i),
    "ldexp of doubles": lambda t, i, f, b, u: t.ldexp(f.double(), t.tensor(1000)),
    # Bits
    "shifts": lambda t, i, f, b, u: (i << 2) + (i >> 1) + (1 << abs(i)) + (100 >> abs(i)),
    "left by the width": lambda t, i, f, b, u: i << 64,
    "right by the width": lambda t, i, f, b, u: i >> 64,
    "negative counts": lambda t, i, f, b, u: (i << -1) + (i >> -1),
    "uint8 shifts": lambda t, i, f, b, u: (u << 1) + (u >> 1) + (u << 8),
    "shift of floats": lambda t, i, f, b, u: f << 1,
    "shift by a float": lambda t, i, f, b, u: i << 1.0,
    "shift of bools": lambda t, i, f, b, u: b << b,
    "reflected bits": lambda t, i, f, b, u: (2 & i) + (2 | i) + (2 ^ i),
    "bits of floats": lambda t, i, f, b, u: f & 1,
    "b ^ True": lambda t, i, f, b, u: b ^ True,
    "~b": lambda t, i, f, b, u: ~b,
    "gcd": lambda t, i, f, b, u: t.gcd(t.tensor([0, -12, LEAST]), t.tensor([0, 18, -1])),
    "lcm": lambda t, i, f, b, u: t.lcm(t.tensor([0, -12, 6]), t.tensor([0, 18, -9])),
    "gcd of floats": lambda t, i, f, b, u: t.gcd(f, f),
    # Bools in sums
    "b - b": lambda t, i, f, b, u: b - b,
    "b - 1": lambda t, i, f, b, u: b - 1,
    "1 - b": lambda t, i, f, b, u: 1 - b,
    "f - b": lambda t, i, f, b, u: f - b,
    "f - True": lambda t, i, f, b, u: f - True,
    "-b": lambda t, i, f, b, u: -b,
    "+b": lambda t, i, f, b, u: +b,
    "b + b": lambda t, i, f, b, u: b + b,
    "abs of bools": lambda t, i, f, b, u: t.abs(b),
    "u - 1": lambda t, i, f, b, u: u - 1,
    "u + 300": lambda t, i, f, b, u: u + 300,
    "overflow": lambda t, i, f, b, u: t.tensor([2**62]) * 4 + t.abs(t.tensor([LEAST])),
    # alpha
    "float alpha of integers": lambda t, i, f, b, u: t.add(i, i, alpha=1.5),
    "float alpha of a float": lambda t, i, f, b, u: t.add(i, 2.5, alpha=1.5),
    "bool alpha of floats": lambda t, i, f, b, u: t.add(f, f, alpha=True),
    "bool alpha of bools": lambda t, i, f, b, u: t.add(b, b, alpha=True),
    "alpha of bools": lambda t, i, f, b, u: t.add(b, ~b, alpha=0),
    "sub of bools": lambda t, i, f, b, u: t.sub(b, b, alpha=2),
    "no alpha": lambda t, i, f, b, u: t.add(f, f, alpha="a"),
    "rsub": lambda t, i, f, b, u: t.rsub(i, 2, alpha=3),
    # Two numbers
    "add(2, 3)": lambda t, i, f, b, u: t.add(2, 3),
    "remainder(2, 3)": lambda t, i, f, b, u: t.remainder(2, 3),
    "pow(2, 3)": lambda t, i, f, b, u: t.pow(2, 3),
    "xlogy(2, 3)": lambda t, i, f, b, u: t.xlogy(2, 3),
    "zeta(2, 3)": lambda t, i, f, b, u: t.special.zeta(2, 3),
    "eq(1, f)": lambda t, i, f, b, u: t.eq(1, f),
    # In place
    "div_ of integers": lambda t, i, f, b, u: i.div_(2),
    "floor_divide_": lambda t, i, f, b, u: i.floor_divide_(2),
    "eq_": lambda t, i, f, b, u: i.eq_(7),
    "logical_not_": lambda t, i, f, b, u: f.logical_not_(),
    "clamp_ to floats": lambda t, i, f, b, u: i.clamp_(1.5),
    # Types
    "clamp to floats": lambda t, i, f, b, u: t.clamp(i, 1.5, 3),
    "heaviside of two types": lambda t, i, f, b, u: t.heaviside(i, f),
    "lerp of integers": lambda t, i, f, b, u: t.lerp(i, i, 0.5),
    "lerp of two types": lambda t, i, f, b, u: t.lerp(f, f.double(), 0.5),
    "weight of another type": lambda t, i, f, b, u: t.lerp(f, f, f.double()),
    "0-dim weight": lambda t, i, f, b, u: t.lerp(f, -f, t.tensor(0.5, dtype=t.float64)),
    "addcmul truncates": lambda t, i, f, b, u: t.addcmul(i, i, i, value=2.5),
    "addcdiv of integers": lambda t, i, f, b, u: t.addcdiv(f, i, i),
    "hypot of integers": lambda t, i, f, b, u: t.hypot(i, i),
    "frac of integers": lambda t, i, f, b, u: t.frac(i),
    "frexp of integers": lambda t, i, f, b, u: t.frexp(i),
    "igamma of integers": lambda t, i, f, b, u: t.igamma(i, i),
    "round to places": lambda t, i, f, b, u: t.round(i, decimals=1),
    "where with numbers": lambda t, i, f, b, u: t.where(b, 1, 2.5),
    # Domains of integer arguments
    "polygamma(-1)": lambda t, i, f, b, u: t.polygamma(-1, f),
    "polygamma(1.5)": lambda t, i, f, b, u: t.polygamma(1.5, f),
    "mvlgamma(0)": lambda t, i, f, b, u: t.mvlgamma(f, 0),
    # Edges
    "NaN bound": lambda t, i, f, b, u: t.clamp(f, NAN, 3),
    "bounds crossed": lambda t, i, f, b, u: t.clamp(f, 7, 3),
    "nan_to_num": lambda t, i, f, b, u: t.nan_to_num(t.tensor([NAN, INF, -INF])),
    "numbers beat NaN": lambda t, i, f, b, u: t.fmax(f, t.tensor(NAN)) + t.fmin(f, t.tensor(NAN)),
    "signs of zero": lambda t, i, f, b, u: t.signbit(t.tensor([-0.0, 0.0])),
    "copied sign": lambda t, i, f, b, u: t.copysign(i, t.tensor(-0.0)),
    "angle": lambda t, i, f, b, u: t.angle(t.tensor([-1.0, -0.0, NAN, INF, -INF])),
    "poles": lambda t, i, f, b, u: t.digamma(t.tensor([0.0, -0.0, -3.0, INF, -INF])),
    "erfinv": lambda t, i, f, b, u: t.erfinv(t.tensor([1.0, -1.0, 2.0, 0.0])),
    "logit": lambda t, i, f, b, u: t.logit(t.tensor([0.0, 1.0, 0.5, 2.0])),
    "logaddexp": lambda t, i, f, b, u: t.logaddexp(
        t.tensor([INF, -INF, INF]), t.tensor([INF, -INF, -INF])
    ),
    "xlogy": lambda t, i, f, b, u: t.xlogy(t.tensor([0.0, 0.0]), t.tensor([NAN, -1.0])),
}


@pytest.mark.parametrize("call", CALLS)
def test_values_types_and_errors_are_pytorchs(call: str, torch: Any) -> None:
    def run(t: Any) -> Any:
        u = t.tensor([1, 0, 255], dtype=t.uint8)
        i, f = t.tensor([7, -7, 3]), t.tensor([7.5, -7.5, 3.0])
        return CALLS[call](t, i, f, t.tensor([True, False, True]), u)

    both(torch, run)


# ---- Gradients ----


def test_floor_division_has_no_derivative() -> None:
    x = rushlight.tensor([7.0], requires_grad=True)
    out = x // 2
    assert out.requires_grad
    assert type(out.grad_fn).__name__ == "NotImplemented"
    with pytest.raises(RuntimeError, match="the derivative for 'floor_divide' is not implemented"):
        out.sum().backward()


@pytest.mark.parametrize("name", ["igamma", "igammac"])
def test_first_argument_of_incomplete_gammas_has_no_derivative(name: str) -> None:
    a, x = (rushlight.tensor([2.0], requires_grad=True) for _ in range(2))
    with pytest.raises(NotImplementedError, match=f"the derivative for '{name}: input' is not"):
        getattr(rushlight, name)(a, x).sum().backward()


def test_comparison_in_place_cuts_the_gradient() -> None:
    x = rushlight.tensor([1.0, 2.0], requires_grad=True)
    y = x.clone()
    assert y.eq_(1) is y
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        x.eq_(1)


TIES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "fmax": ((1.0, 1.0), (1.0, 0.0)),
    "fmin": ((1.0, 1.0), (1.0, 0.0)),
    "copysign": ((0.0, -1.0), (0.0, 0.0)),
    "clamp_min": ((1.0, 1.0), (1.0, 0.0)),
    "clamp_max": ((1.0, 1.0), (1.0, 0.0)),
    "xlogy": ((0.0, 0.0), (0.0, NAN)),
    "nextafter": ((1.0, 2.0), (1.0, 0.0)),
    "sinc": ((0.0,), (0.0,)),
    "frac": ((1.0,), (1.0,)),
    "nan_to_num": ((INF,), (0.0,)),
    "special_i1": ((0.0,), (0.5,)),
    "special_i1e": ((0.0,), (0.5,)),
}


@pytest.mark.parametrize("op", TIES)
def test_gradients_at_kinks(op: str) -> None:
    values, expected = TIES[op]
    leaves = [rushlight.tensor(v, requires_grad=True) for v in values]
    find(op)(*leaves).backward()
    np.testing.assert_equal([leaf.grad.item() + 0.0 for leaf in leaves], expected)  # -0 is 0


# ---- Names ----


def test_torch_special_is_complete(torch: Any) -> None:
    theirs = {n for n, f in vars(torch.special).items() if callable(f) and n[0].islower()}
    assert sorted(set(rushlight.special.__all__) ^ theirs) == []
    for name in theirs - {"logsumexp"}:  # a reduction, and tested as one
        assert callable(getattr(rushlight.special, name)), name
    with pytest.raises(AttributeError, match=r"torch\.special\.frobnicate"):
        rushlight.special.frobnicate  # noqa: B018


def test_aliases_are_the_functions_they_stand_for(torch: Any) -> None:
    for name, target in ALIASES.items():
        assert find(name) is find(target)
        assert hasattr(torch, name)
    for name, target in METHODS.items():
        assert getattr(rushlight.Tensor, name) is getattr(rushlight.Tensor, target)
        assert hasattr(torch.Tensor, name)


FAMILY = ("bitwise", "choice", "exponential", "pointwise", "rounding", "special", "trigonometry")


def test_in_place_forms_are_pytorchs(torch: Any) -> None:
    """Each op that has an in-place form in PyTorch has one here, and no other has."""
    for name, declared in registry.items():
        module = declared.declaration.__module__.rpartition(".")[2]
        if module in FAMILY and hasattr(torch.Tensor, name):
            theirs = hasattr(torch.Tensor, name + "_")
            assert hasattr(rushlight.Tensor, name + "_") == theirs, name


def test_scipy_is_imported_when_it_is_needed() -> None:
    code = "import sys, rushlight as t; assert 'scipy' not in sys.modules; t.i0(t.ones(1))"
    subprocess.run([sys.executable, "-c", code], check=True)
