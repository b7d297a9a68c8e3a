"""The generalized Pareto distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rushlight import ops
from rushlight.distributions import constraints
from rushlight.distributions.distribution import Distribution
from rushlight.distributions.uniform import unit
from rushlight.tensor import Tensor

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Distribution):
    """Values from `loc` on; the tail falls exponentially for a `concentration` of 0."""

    arg_constraints = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "concentration": constraints.real,
    }
    has_rsample = True
    loc: Tensor
    scale: Tensor
    concentration: Tensor

    def __init__(
        self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None
    ) -> None:
        self._set(validate_args, loc=loc, scale=scale, concentration=concentration)

    def _parts(self) -> tuple[Tensor, Tensor]:
        """Where the concentration is 0, and concentrations without those."""
        zero = self.concentration.isclose(ops.zeros_like(self.concentration))
        return zero, ops.where(zero, 1.0, self.concentration)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.icdf(unit(self._extended_shape(sample_shape), self.loc))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        zero, k = self._parts()
        general = -(1 / k + 1) * (k * z).log1p()
        return ops.where(zero, -z, general) - self.scale.log()

    def log_survival_function(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of greater values."""
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        zero, k = self._parts()
        return ops.where(zero, -z, -(k * z).log1p() / k)

    def log_cdf(self, value: Tensor) -> Tensor:
        """The logarithm of `cdf`."""
        return (-self.log_survival_function(value).exp()).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        return self.log_cdf(value).exp()

    def icdf(self, value: Tensor) -> Tensor:
        zero, k = self._parts()
        logarithm = (-value).log1p()
        return self.loc + self.scale * ops.where(zero, -logarithm, (-k * logarithm).expm1() / k)

    @property
    def mean(self) -> Tensor:
        k = self.concentration
        mean = self.loc + self.scale / (1 - ops.where(k < 1, k, 0.0))
        return ops.where(k < 1, mean, math.nan)

    @property
    def variance(self) -> Tensor:
        k = self.concentration
        safe = ops.where(k < 0.5, k, 0.0)
        variance = self.scale.square() / ((1 - safe).square() * (1 - 2 * safe))
        return ops.where(k < 0.5, variance, math.nan)

    def entropy(self) -> Tensor:
        return self.scale.log() + self.concentration + 1

    @property
    def mode(self) -> Tensor:
        return self.loc

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        """From `loc` on, to where the density ends for negative concentrations."""
        zero, k = self._parts()
        end = ops.where(zero | (self.concentration > 0), math.inf, self.loc - self.scale / k)
        return constraints.interval(self.loc, end)
