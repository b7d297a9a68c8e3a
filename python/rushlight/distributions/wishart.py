"""The Wishart distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rushlight import ops
from rushlight.distributions import constraints
from rushlight.distributions.chi2 import Chi2
from rushlight.distributions.exp_family import ExponentialFamily
from rushlight.distributions.multivariate_normal import factor_of_inverse
from rushlight.distributions.normal import standard_normal
from rushlight.distributions.utils import broadcast_shapes, lazy_property, vec_to_tril_matrix
from rushlight.linalg import cholesky, slogdet
from rushlight.tensor import Tensor

__all__ = ["Wishart"]


class Wishart(ExponentialFamily):
    """The distribution of ``sum of x x^T`` of `df` normal vectors, generalized to real `df`.

    Args:
        df: degrees of freedom, greater than n - 1.
        covariance_matrix: of the vectors, ``(..., n, n)``.
        precision_matrix: its inverse.
        scale_tril: its Cholesky factor.
        validate_args: check parameters and values.

    Samples differ from PyTorch's for a seed, which draws some again.

    Source of samples: M. Bartlett, "On the theory of statistical regression" (1933).
    """

    support = constraints.positive_definite
    has_rsample = True
    _shared = ("_unbroadcasted_scale_tril",)
    df: Tensor

    def __init__(
        self,
        df: Any,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        matrices = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        given = [(name, matrix) for name, matrix in matrices.items() if matrix is not None]
        if len(given) != 1:
            raise ValueError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be "
                "specified."
            )
        name, matrix = given[0]
        if matrix.ndim < 2:
            raise ValueError(
                "scale_tril must be at least two-dimensional, with optional leading batch "
                "dimensions"
            )
        df = ops.as_tensor(df, dtype=matrix.dtype)
        batch, event = broadcast_shapes(matrix.shape[:-2], df.shape), matrix.shape[-2:]
        if (df <= event[-1] - 1).any():
            raise ValueError(
                f"Value of df={df} expected to be greater than ndim - 1 = {event[-1] - 1}."
            )
        self.df = df.expand(batch)
        setattr(self, name, matrix.expand(*batch, -1, -1))
        super().__init__(batch, event, validate_args=validate_args)
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        elif name == "covariance_matrix":
            self._unbroadcasted_scale_tril = cholesky(matrix)
        else:
            self._unbroadcasted_scale_tril = factor_of_inverse(matrix)
        rows = ops.arange(event[-1], dtype=df.dtype, device=df.device)
        self._chi2 = Chi2(self.df.unsqueeze(-1) - rows)

    @property
    def arg_constraints(self) -> Any:
        """That of the degrees of freedom depends on the size."""
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self._event_shape[-1] - 1),
        }

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new._chi2 = self._chi2.expand((*batch_shape, self._event_shape[-1]))
        return new

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariances."""
        return self._unbroadcasted_scale_tril.expand(self._batch_shape + self._event_shape)

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariances."""
        factor = self._unbroadcasted_scale_tril
        return (factor @ factor.mT).expand(self._batch_shape + self._event_shape)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariances."""
        inverse = self._unbroadcasted_scale_tril.cholesky_inverse()
        return inverse.expand(self._batch_shape + self._event_shape)

    @property
    def mean(self) -> Tensor:
        return self._df_of_matrices() * self.covariance_matrix

    def _df_of_matrices(self) -> Tensor:
        return self.df.reshape(*self._batch_shape, 1, 1)

    @property
    def mode(self) -> Tensor:
        factor = self._df_of_matrices() - self._event_shape[-1] - 1
        return ops.where(factor <= 0, math.nan, factor) * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        v = self.covariance_matrix
        diagonal = v.diagonal(0, -2, -1)
        outer = diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)
        return self._df_of_matrices() * (v.square() + outer)

    def rsample(
        self, sample_shape: Sequence[int] = (), max_try_correction: int | None = None
    ) -> Tensor:
        n = self._event_shape[-1]
        diagonal = self._chi2.rsample(sample_shape).sqrt().diag_embed()
        below = standard_normal(
            (*sample_shape, *self._batch_shape, n * (n - 1) // 2), self._unbroadcasted_scale_tril
        )
        noise = diagonal + (vec_to_tril_matrix(below, -1) if n > 1 else 0)
        factor = self._unbroadcasted_scale_tril @ noise
        return factor @ factor.mT

    def _log_det(self) -> Tensor:
        """Half the logarithm of the determinant of the covariances."""
        return self._unbroadcasted_scale_tril.diagonal(0, -2, -1).log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        nu, p = self.df, self._event_shape[-1]
        solved = value.cholesky_solve(self._unbroadcasted_scale_tril)
        return (
            -nu * (p * math.log(2.0) / 2 + self._log_det())
            - ops.mvlgamma(nu / 2, p)
            + (nu - p - 1) / 2 * slogdet(value).logabsdet
            - solved.diagonal(0, -2, -1).sum(-1) / 2
        )

    def entropy(self) -> Tensor:
        nu, p = self.df, self._event_shape[-1]
        rows = ops.arange(p, dtype=nu.dtype, device=nu.device)
        digammas = ((nu.unsqueeze(-1) - rows) / 2).digamma().sum(-1)
        return (
            (p + 1) * (p * math.log(2.0) / 2 + self._log_det())
            + ops.mvlgamma(nu / 2, p)
            - (nu - p - 1) / 2 * digammas
            + nu * p / 2
        )
