"""Orthogonal polynomials of degree `n`, elementwise: 0 for a negative degree, no derivative.

Both arguments broadcast; a degree that is no integer is rounded towards zero.
"""

from __future__ import annotations

from rushlight.ops._registry import op
from rushlight.tensor import Tensor

Number = int | float | bool


@op(input=None, n=None, method=False)
def special_chebyshev_polynomial_t(input: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Elementwise Chebyshev polynomial of the first kind."""


@op(input=None, n=None, method=False)
def special_chebyshev_polynomial_u(input: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Elementwise Chebyshev polynomial of the second kind."""


@op(input=None, n=None, method=False)
def special_chebyshev_polynomial_v(input: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Elementwise Chebyshev polynomial of the third kind."""


@op(input=None, n=None, method=False)
def special_chebyshev_polynomial_w(input: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Elementwise Chebyshev polynomial of the fourth kind."""


@op(input=None, n=None, method=False)
def special_shifted_chebyshev_polynomial_t(input: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Elementwise Chebyshev polynomial of the first kind at ``2 * input - 1``."""


@op(input=None, n=None, method=False)
def special_shifted_chebyshev_polynomial_u(input: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Elementwise Chebyshev polynomial of the second kind at ``2 * input - 1``."""


@op(input=None, n=None, method=False)
def special_shifted_chebyshev_polynomial_v(input: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Elementwise Chebyshev polynomial of the third kind at ``2 * input - 1``."""


@op(input=None, n=None, method=False)
def special_shifted_chebyshev_polynomial_w(input: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Elementwise Chebyshev polynomial of the fourth kind at ``2 * input - 1``."""


@op(input=None, n=None, method=False)
def special_hermite_polynomial_h(input: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Elementwise Hermite polynomial of the physicists."""


@op(input=None, n=None, method=False)
def special_hermite_polynomial_he(input: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Elementwise Hermite polynomial of the probabilists."""


@op(input=None, n=None, method=False)
def special_laguerre_polynomial_l(input: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Elementwise Laguerre polynomial."""


@op(input=None, n=None, method=False)
def special_legendre_polynomial_p(input: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Elementwise Legendre polynomial."""
