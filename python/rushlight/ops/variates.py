"""Variates of the gamma, Dirichlet and binomial distributions, with their derivatives.

Drawn as PyTorch draws them on the CPU, element for element.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.ops._registry import op
from rushlight.ops.random_fill import source
from rushlight.random import Generator
from rushlight.tensor import Tensor


@op(
    input=lambda K, g, input, out: K.mul(g, K.standard_gamma_grad(input, out)),
    forward=lambda K, input, generator: K.standard_gamma(input, source(generator)),
    node="StandardGammaBackward0",
    method=False,
)
def _standard_gamma(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Values from the gamma distributions of the shapes in `input`, with rate 1.

    Gradient: implicit reparameterization; no second one.
    """


@op(alpha=None, x=None, method=False)
def standard_gamma_grad(alpha: Tensor, x: Tensor) -> Tensor:
    """How a variate of the gamma distribution of rate 1 moves with its shape."""


def _dirichlet(K: Any, concentration: Any, generator: Generator | None) -> Any:
    """Gamma variates, in float64 whatever the type, divided by their sum."""
    gamma = K.standard_gamma(K.cast(concentration, np.dtype(np.float64)), source(generator))
    limits = np.finfo(concentration.dtype)
    ratio = K.cast(K.div(gamma, K.sum(gamma, -1, True)), concentration.dtype)
    return K.clamp(ratio, float(limits.tiny), float(1 - limits.epsneg))


def _dirichlet_gradient(K: Any, g: Any, concentration: Any, out: Any) -> Any:
    total = K.expand(K.sum(concentration, -1, True), concentration.shape)
    centered = K.sub(g, K.sum(K.mul(out, g), -1, True))
    return K.mul(K.dirichlet_grad(out, concentration, total), centered)


@op(
    concentration=_dirichlet_gradient,
    forward=_dirichlet,
    node="SampleDirichletBackward0",
    method=False,
)
def _sample_dirichlet(concentration: Tensor, generator: Generator | None = None) -> Tensor:
    """Values from the Dirichlet distributions of the concentrations along the last dimension.

    Gradient: implicit reparameterization; no second one.
    """


@op(x=None, alpha=None, total=None, method=False)
def dirichlet_grad(x: Tensor, alpha: Tensor, total: Tensor) -> Tensor:
    """How an element of a Dirichlet variate moves with its own concentration, over ``1 - x``."""


@op(
    count=lambda K, g: K.mul(g, 0),
    prob=lambda K, g: K.mul(g, 0),
    forward=lambda K, count, prob, generator: K.binomial(count, prob, source(generator)),
    method=False,
)
def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """Numbers of successes in `count` trials, each of probability `prob`; of one floating type.

    Gradient: zero.
    """
