"""Exponential families."""

from __future__ import annotations

from typing import Any

from rushlight import ops
from rushlight.distributions.distribution import Distribution
from rushlight.tensor import Tensor

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """Densities ``exp(<t(x), n> - F(n) + k(x))`` of natural parameters n.

    Source of `entropy`: F. Nielsen, R. Nock, "Entropies and cross-entropies of exponential
    families" (2010): the derivative of the log normalizer F is the expectation of t.
    """

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Any) -> Tensor:
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> Any:
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """``F(n) - <n, dF/dn> - E[k(x)]``, with the derivative from autograd."""
        from rushlight.autograd import grad

        leaves = [p.detach().requires_grad_() for p in self._natural_params]
        normalizer = self._log_normalizer(*leaves)
        gradients = grad(normalizer.sum(), leaves, create_graph=True)
        result = normalizer - self._mean_carrier_measure
        for p, g in zip(leaves, gradients, strict=True):
            term = (p * g).reshape(*self._batch_shape, -1).sum(-1)
            result = result - term
        return result


del ops
