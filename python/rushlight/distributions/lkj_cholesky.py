"""The distribution of Lewandowski, Kurowicka and Joe over correlation matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rushlight import ops
from rushlight.autograd.grad_mode import no_grad
from rushlight.distributions import constraints
from rushlight.distributions.beta import Beta
from rushlight.distributions.distribution import Distribution
from rushlight.distributions.normal import standard_normal
from rushlight.distributions.utils import broadcast_all
from rushlight.dtypes import finfo
from rushlight.tensor import Tensor

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """The Cholesky factors of correlation matrices of density ``|M| ^ (concentration - 1)``.

    Args:
        dim: of the matrices, at least 2.
        concentration: 1 makes all correlation matrices equally likely.
        validate_args: check parameters and values.

    Source: D. Lewandowski, D. Kurowicka, H. Joe, "Generating random correlation matrices based on
    vines and extended onion method" (2009): the onion method.
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(
        self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None
    ) -> None:
        if dim < 2:
            raise ValueError(
                f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}."
            )
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        # The squared length of a row's part below the diagonal; none for the first row.
        row = ops.arange(dim - 1, dtype=self.concentration.dtype, device=self.concentration.device)
        row = ops.cat([row.new_zeros(1), row])
        marginal = self.concentration + 0.5 * (dim - 2)
        self._beta = Beta(row + 0.5, marginal.unsqueeze(-1) - 0.5 * row)
        super().__init__(self.concentration.shape, (dim, dim), validate_args=validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        new = self._get_checked_instance(LKJCholesky, _instance)
        new.dim = self.dim
        new.concentration = self.concentration.expand(*batch_shape)
        new._beta = self._beta.expand((*batch_shape, self.dim))
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            y = self._beta.sample(sample_shape).unsqueeze(-1)
            normal = standard_normal(self._extended_shape(sample_shape), y).tril(-1)
            direction = normal / normal.square().sum(-1, True).sqrt()
            first = ops.zeros_like(direction[..., :1, :])  # without a part below the diagonal
            direction = ops.cat([first, direction[..., 1:, :]], -2)
            w = y.sqrt() * direction
            tiny = finfo(w.dtype).tiny
            diagonal = (1 - w.square().sum(-1)).clamp(min=tiny).sqrt()
            return w + diagonal.diag_embed()

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        n = self.dim
        order = ops.arange(2, n + 1, device=self.concentration.device)
        order = 2 * (self.concentration - 1).unsqueeze(-1) + n - order
        diagonal = value.diagonal(0, -2, -1)[..., 1:]
        alpha = self.concentration + 0.5 * (n - 1)
        constant = (
            0.5 * (n - 1) * math.log(math.pi)
            + ops.mvlgamma(alpha - 0.5, n - 1)
            - alpha.lgamma() * (n - 1)
        )
        return (order * diagonal.log()).sum(-1) - constant
