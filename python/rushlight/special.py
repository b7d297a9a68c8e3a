"""Special functions under PyTorch's names: those of ``torch`` and those that are only here."""

from __future__ import annotations

from typing import Any

from rushlight.ops import find

# Where an operation has another name, or one with ``special_`` before it.
_OTHER_NAMES = {
    "expit": "sigmoid",
    "gammainc": "igamma",
    "gammaincc": "igammac",
    "gammaln": "lgamma",
    "multigammaln": "mvlgamma",
    "psi": "digamma",
}
_SAME_NAMES = (
    "digamma", "erf", "erfc", "erfinv", "exp2", "expm1", "i0", "log1p", "log_softmax", "logit",
    "logsumexp", "polygamma", "round", "sinc", "softmax", "xlogy",
)  # fmt: skip
_ONLY_HERE = (
    "airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "chebyshev_polynomial_t",
    "chebyshev_polynomial_u", "chebyshev_polynomial_v", "chebyshev_polynomial_w", "entr", "erfcx",
    "hermite_polynomial_h", "hermite_polynomial_he", "i0e", "i1", "i1e", "laguerre_polynomial_l",
    "legendre_polynomial_p", "log_ndtr", "modified_bessel_i0", "modified_bessel_i1",
    "modified_bessel_k0", "modified_bessel_k1", "ndtr", "ndtri", "scaled_modified_bessel_k0",
    "scaled_modified_bessel_k1", "shifted_chebyshev_polynomial_t", "shifted_chebyshev_polynomial_u",
    "shifted_chebyshev_polynomial_v", "shifted_chebyshev_polynomial_w", "spherical_bessel_j0",
    "xlog1py", "zeta",
)  # fmt: skip
_OPERATIONS = {
    **_OTHER_NAMES,
    **{name: name for name in _SAME_NAMES},
    **{name: f"special_{name}" for name in _ONLY_HERE},
}

__all__ = sorted(_OPERATIONS)


def __getattr__(name: str) -> Any:
    function = find(_OPERATIONS.get(name, ""))
    if function is None:
        raise AttributeError(f"rushlight has no torch.special.{name}")
    globals()[name] = function
    return function


def __dir__() -> list[str]:
    return __all__
