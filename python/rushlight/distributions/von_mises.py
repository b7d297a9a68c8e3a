"""The circular von Mises distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rushlight import dtypes, ops
from rushlight.autograd.grad_mode import no_grad
from rushlight.distributions import constraints
from rushlight.distributions.distribution import Distribution
from rushlight.distributions.uniform import unit
from rushlight.distributions.utils import lazy_property
from rushlight.tensor import Tensor

__all__ = ["VonMises"]


class VonMises(Distribution):
    """Angles, in radians, around `loc`, with a `concentration`; samples lie in [-pi, pi).

    Source: D. Best, N. Fisher, "Efficient simulation of the von Mises distribution" (1979).
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    loc: Tensor
    concentration: Tensor

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self._set(validate_args, loc=loc, concentration=concentration)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        kappa = self.concentration
        return kappa * (value - self.loc).cos() - math.log(2 * math.pi) - _log_bessel(kappa, 0)

    def _proposal(self) -> Tensor:
        """The parameter of the wrapped Cauchy distribution that is drawn from, in float64."""
        kappa = self.concentration.double()
        tau = 1 + (1 + 4 * kappa.square()).sqrt()
        rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
        return ops.where(kappa < 1e-5, 1 / kappa + kappa, (1 + rho.square()) / (2 * rho))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        with no_grad():
            loc, kappa, r = self.loc.double(), self.concentration.double(), self._proposal()
            x = loc.new_empty(shape)
            done = ops.zeros(shape, dtype=dtypes.bool, device=loc.device)
            while not done.all():
                u1, u2, u3 = unit((3, *shape), loc).unbind()
                z = (math.pi * u1).cos()
                f = (1 + r * z) / (r + z)
                c = kappa * (r - f)
                accepted = (c * (2 - c) - u2 > 0) | ((c / u2).log() + 1 - c >= 0)
                x = ops.where(accepted, (u3 - 0.5).sign() * f.acos(), x)
                done = done | accepted
            angle = (x + math.pi + loc) % (2 * math.pi) - math.pi
            return angle.to(self.loc.dtype)

    @property
    def mean(self) -> Tensor:
        """The direction of the mean."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @lazy_property
    def variance(self) -> Tensor:
        """The circular variance: 1 minus the length of the mean direction."""
        kappa = self.concentration
        return 1 - (_log_bessel(kappa, 1) - _log_bessel(kappa, 0)).exp()


def _log_bessel(x: Tensor, order: int) -> Tensor:
    """The logarithm of the modified Bessel function I of order 0 or 1, for positive x."""
    scaled = ops.special_i0e(x) if order == 0 else ops.special_i1e(x)
    return scaled.log() + x
