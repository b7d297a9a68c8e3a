"""The Dirichlet distribution."""

from __future__ import annotations

from collections.abc import Sequence

from rushlight import ops
from rushlight.distributions import constraints
from rushlight.distributions.exp_family import ExponentialFamily
from rushlight.tensor import Tensor

__all__ = ["Dirichlet"]


class Dirichlet(ExponentialFamily):
    """The distribution of probability vectors with a `concentration` for each element.

    Gradient of samples: implicit reparameterization.
    """

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.ndim < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        shape = concentration.shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Tensor:
        raised = (self.concentration - 1).clamp(min=0.0)
        mode = raised / raised.sum(-1, True)
        flat = (self.concentration < 1).all(-1)
        peak = ops.eye(mode.shape[-1], dtype=mode.dtype, device=mode.device)[mode.argmax(-1)]
        return ops.where(flat.unsqueeze(-1), peak, mode)

    @property
    def variance(self) -> Tensor:
        total = self.concentration.sum(-1, True)
        return self.concentration * (total - self.concentration) / (total.square() * (total + 1))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return ops._sample_dirichlet(self.concentration.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return (self.concentration - 1.0).xlogy(value).sum(-1) - _log_normalizer(self.concentration)

    def entropy(self) -> Tensor:
        k, total = self.concentration.shape[-1], self.concentration.sum(-1)
        spread = ((self.concentration - 1.0) * self.concentration.digamma()).sum(-1)
        return _log_normalizer(self.concentration) - (k - total) * total.digamma() - spread


def _log_normalizer(concentration: Tensor) -> Tensor:
    """The logarithm of the multivariate beta function."""
    return concentration.lgamma().sum(-1) - concentration.sum(-1).lgamma()
