"""The multivariate normal distribution with covariances of low rank."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rushlight import ops
from rushlight.distributions import constraints
from rushlight.distributions.distribution import Distribution
from rushlight.distributions.multivariate_normal import squared_distance
from rushlight.distributions.normal import standard_normal
from rushlight.distributions.utils import broadcast_shapes, lazy_property
from rushlight.linalg import cholesky, solve_triangular
from rushlight.tensor import Tensor

__all__ = ["LowRankMultivariateNormal"]


class LowRankMultivariateNormal(Distribution):
    """The normal distribution of covariances ``W W^T + diag(D)``, without their ``(n, n)`` matrix.

    By the lemmas of Woodbury and of the determinant, from the ``(r, r)`` matrix ``1 + W^T D^-1 W``.

    Args:
        loc: ``(..., n)``.
        cov_factor: W, ``(..., n, r)``.
        cov_diag: D, ``(..., n)``, positive.
        validate_args: check parameters and values.
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True
    loc: Tensor
    cov_factor: Tensor
    cov_diag: Tensor

    def __init__(
        self,
        loc: Tensor,
        cov_factor: Tensor,
        cov_diag: Tensor,
        validate_args: bool | None = None,
    ) -> None:
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        event = loc.shape[-1:]
        if cov_factor.ndim < 2:
            raise ValueError(
                "cov_factor must be at least two-dimensional, with optional leading batch "
                "dimensions"
            )
        if cov_factor.shape[-2:-1] != event:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {event[0]} x m")
        if cov_diag.shape[-1:] != event:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {event}")
        try:
            batch = broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1])
        except RuntimeError as error:
            raise ValueError(
                f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, "
                f"cov_diag {cov_diag.shape}"
            ) from error
        self.loc = loc.expand(*batch, -1)
        self.cov_factor = cov_factor.expand(*batch, -1, -1)
        self.cov_diag = cov_diag.expand(*batch, -1)
        super().__init__(batch, event, validate_args=validate_args)

    @lazy_property
    def _scaled_factor(self) -> Tensor:
        """``W^T D^-1``."""
        return self.cov_factor.mT / self.cov_diag.unsqueeze(-2)

    @lazy_property
    def _capacitance_tril(self) -> Tensor:
        """The Cholesky factor of ``1 + W^T D^-1 W``."""
        r = self.cov_factor.shape[-1]
        unit = ops.eye(r, dtype=self.loc.dtype, device=self.loc.device)
        return cholesky(self._scaled_factor @ self.cov_factor + unit)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @lazy_property
    def variance(self) -> Tensor:
        """The diagonal of the covariances."""
        return self.cov_factor.square().sum(-1) + self.cov_diag

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariances."""
        return self.cov_factor @ self.cov_factor.mT + self.cov_diag.diag_embed()

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariances."""
        root = self.cov_diag.sqrt().unsqueeze(-1)
        scaled = self.cov_factor / root
        n = self._event_shape[0]
        unit = ops.eye(n, dtype=self.loc.dtype, device=self.loc.device)
        return root * cholesky(scaled @ scaled.mT + unit)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariances."""
        half = solve_triangular(self._capacitance_tril, self._scaled_factor, upper=False)
        return self.cov_diag.reciprocal().diag_embed() - half.mT @ half

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        common = standard_normal((*shape[:-1], self.cov_factor.shape[-1]), self.loc)
        own = standard_normal(shape, self.loc)
        spread = (self.cov_factor @ common.unsqueeze(-1)).squeeze(-1)
        return self.loc + spread + self.cov_diag.sqrt() * own

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        difference = value - self.loc
        projected = (self._scaled_factor @ difference.unsqueeze(-1)).squeeze(-1)
        distance = (difference.square() / self.cov_diag).sum(-1) - squared_distance(
            self._capacitance_tril, projected
        )
        n = self._event_shape[0]
        return -0.5 * (n * math.log(2 * math.pi) + self._log_det() + distance)

    def _log_det(self) -> Tensor:
        """The logarithm of the determinant of the covariances."""
        small = 2 * self._capacitance_tril.diagonal(0, -2, -1).log().sum(-1)
        return small + self.cov_diag.log().sum(-1)

    def entropy(self) -> Tensor:
        n = self._event_shape[0]
        result = 0.5 * (n * (1.0 + math.log(2 * math.pi)) + self._log_det())
        return result.expand(self._batch_shape)
