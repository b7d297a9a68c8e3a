"""The rows of special functions; the references are SciPy's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from case import SHAPES_1, SHAPES_2, by_element, case, signed, unary, uniform
from scipy import special

# ---- Under their own names ----

for name, reference, domain in [
    ("erfinv", special.erfinv, uniform(-0.9, 0.9)),
    ("lgamma", by_element(math.lgamma), uniform(0.3, 5)),
    ("digamma", special.psi, uniform(2, 5)),
    ("i0", special.i0, signed(0.1, 4)),
]:
    unary(name, reference, domain)
unary(
    "trigamma",
    lambda x: special.polygamma(1, x),
    uniform(0.6, 5),
    torch=None,  # PyTorch's is a short series, exact to nine digits
    points=(),
)
for n in range(4):
    case(
        "polygamma",
        lambda x, n=n: special.polygamma(n, x),
        SHAPES_1,
        uniform(2, 5),
        run=lambda t, x, n=n: t.polygamma(n, x),
        torch=None if n == 1 else lambda t, x, n=n: t.polygamma(n, x),
        label=f"n={n}",
    )
    case(
        "_polygamma",
        lambda x, n=n: special.polygamma(n, x),
        SHAPES_1,
        uniform(2, 5),
        kwargs={"n": n},
        torch=None if n == 1 else lambda t, x, n=n: x.polygamma(n),
    )
for p in (1, 3):
    case(
        "mvlgamma", by_element(lambda x, p=p: special.multigammaln(x, p)), SHAPES_1, uniform(2, 5),
        kwargs={"p": p},
    )  # fmt: skip
for name, reference in {"igamma": special.gammainc, "igammac": special.gammaincc}.items():
    # The first argument has no derivative.
    case(
        name,
        reference,
        SHAPES_2,
        uniform(0.5, 3),
        run=lambda t, a, x, name=name: getattr(t, name)(a.detach(), x),
        smooth=False,
        label="of the second",
    )
    case(
        name,
        lambda x, reference=reference: reference(1.5, x),
        SHAPES_1,
        uniform(0.5, 3),
        run=lambda t, x, name=name: getattr(t, name)(t.full_like(x, 1.5).detach(), x),
        label="of the second alone",
    )

# ---- In torch.special ----


def only_there(name: str, reference: Callable[..., Any], *domains: Any, **options: Any) -> None:
    """An op of torch.special, with ``special_`` before its name here."""
    shapes = SHAPES_2 if len(domains) == 2 else SHAPES_1
    case(f"special_{name}", reference, shapes, *domains, torch=f"special.{name}", **options)


for name, reference, domain in [
    ("erfcx", special.erfcx, uniform(-2, 4)),
    ("ndtr", special.ndtr, uniform(-3, 3)),
    ("log_ndtr", special.log_ndtr, uniform(-4, 3)),
    ("ndtri", special.ndtri, uniform(0.1, 0.9)),
    ("entr", special.entr, uniform(0.1, 3)),
    ("i0e", special.i0e, signed(0.1, 4)),
    ("i1", special.i1, signed(0.1, 4)),
    ("i1e", special.i1e, signed(0.1, 4)),
    ("airy_ai", lambda x: special.airy(x)[0], uniform(-2, 2)),
    ("bessel_j0", special.j0, uniform(-4.9, 4.9)),
    ("bessel_j1", special.j1, uniform(-4.9, 4.9)),
    ("bessel_y0", special.y0, uniform(0.1, 4.9)),
    ("bessel_y1", special.y1, uniform(0.1, 4.9)),
    ("modified_bessel_i0", special.i0, signed(0.1, 4)),
    ("modified_bessel_i1", special.i1, signed(0.1, 4)),
    ("modified_bessel_k0", special.k0, uniform(0.1, 4)),
    ("modified_bessel_k1", special.k1, uniform(0.1, 4)),
    ("scaled_modified_bessel_k0", special.k0e, uniform(0.1, 4)),
    ("scaled_modified_bessel_k1", special.k1e, uniform(0.1, 4)),
    ("spherical_bessel_j0", lambda x: special.spherical_jn(0, x), uniform(0.1, 4)),
]:
    only_there(name, reference, domain)

only_there("xlog1py", special.xlog1py, signed(0.1, 2), uniform(-0.8, 3))


def zeta(t: Any, s: Any, x: Any) -> Any:
    """The op in either library."""
    return (getattr(t, "special_zeta", None) or t.special.zeta)(s, x)


# The first argument has no derivative.
case(
    "special_zeta",
    special.zeta,
    SHAPES_2,
    uniform(1.5, 4),
    uniform(0.5, 4),
    run=lambda t, s, x: zeta(t, s.detach(), x),
    smooth=False,
)
case(
    "special_zeta",
    lambda x: special.zeta(2.5, x),
    SHAPES_1,
    uniform(0.5, 4),
    run=lambda t, x: zeta(t, 2.5, x),
    label="of the second",
)


def degrees(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Of both kinds: small, and large enough for another formula; -1 for none."""
    return rng.choice([-1.0, 0.0, 1.0, 2.0, 3.0, 5.5, 12.0], shape)


def polynomial(name: str, function: Callable[..., Any], domain: Any) -> None:
    """An orthogonal polynomial; in float32 both libraries lose digits on the way."""

    def reference(x: Any, n: Any) -> Any:
        return np.where(n < 0, 0, function(np.trunc(n).astype(int), x))

    only_there(name, reference, domain, degrees, dtypes=("float64",))


def third_kind(n: Any, x: Any) -> Any:
    return special.eval_chebyu(n, x) - np.where(n > 0, special.eval_chebyu(n - 1, x), 0)


def fourth_kind(n: Any, x: Any) -> Any:
    return special.eval_chebyu(n, x) + np.where(n > 0, special.eval_chebyu(n - 1, x), 0)


KINDS = {"t": special.eval_chebyt, "u": special.eval_chebyu, "v": third_kind, "w": fourth_kind}
for kind, function in KINDS.items():
    polynomial(f"chebyshev_polynomial_{kind}", function, uniform(-1.5, 1.5))
    polynomial(
        f"shifted_chebyshev_polynomial_{kind}",
        lambda n, x, function=function: function(n, 2 * x - 1),
        uniform(-0.2, 1.2),
    )
for name, function in {
    "hermite_polynomial_h": special.eval_hermite,
    "hermite_polynomial_he": special.eval_hermitenorm,
    "laguerre_polynomial_l": special.eval_laguerre,
    "legendre_polynomial_p": special.eval_legendre,
}.items():
    polynomial(name, function, uniform(-1.5, 1.5))
