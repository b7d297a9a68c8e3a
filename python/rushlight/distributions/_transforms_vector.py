"""Invertible functions of vectors and matrices, and of parts of tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rushlight import ops
from rushlight.distributions import constraints
from rushlight.distributions._transform import PlainTransform, Transform
from rushlight.distributions._transforms_scalar import bounded_sigmoid
from rushlight.distributions.utils import (
    sum_rightmost,
    tril_matrix_to_vec,
    vec_to_tril_matrix,
)
from rushlight.dtypes import finfo


class SoftmaxTransform(PlainTransform):
    """``y = exp(x) / sum of exp(x)``, not bijective: useful for optimization, not for densities."""

    domain = constraints.real_vector
    codomain = constraints.simplex

    def _call(self, x: Any) -> Any:
        return x.softmax(-1)

    def _inverse(self, y: Any) -> Any:
        return y.log()

    def forward_shape(self, shape: Any) -> Any:
        return _with_vectors(shape)

    def inverse_shape(self, shape: Any) -> Any:
        return _with_vectors(shape)


def _with_vectors(shape: Any, ndim: int = 1) -> Any:
    if len(shape) < ndim:
        raise ValueError("Too few dimensions on input")
    return shape


class StickBreakingTransform(PlainTransform):
    """n numbers as n + 1 positive ones of sum 1: each breaks its share off the rest of a stick.

    Bijective, but the elements are not treated alike.
    """

    domain = constraints.real_vector
    codomain = constraints.simplex
    bijective = True

    @staticmethod
    def _offset(x: Any) -> Any:
        """``log`` of how many pieces follow, so that zeros become equal pieces."""
        n = x.shape[-1]
        return ops.arange(n, 0, -1, dtype=x.dtype, device=x.device).log()

    def _call(self, x: Any) -> Any:
        share = bounded_sigmoid(x - self._offset(x))
        rest = (1 - share).cumprod(-1)
        ones = ops.ones_like(share[..., :1])
        return ops.cat([share, ones], -1) * ops.cat([ones, rest], -1)

    def _inverse(self, y: Any) -> Any:
        pieces = y[..., :-1]
        rest = 1 - pieces.cumsum(-1)
        rest = rest.clamp(min=finfo(y.dtype).tiny)
        return pieces.log() - rest.log() + self._offset(pieces)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        shifted = x - self._offset(x)
        return (-shifted - ops.softplus(-shifted) + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape: Any) -> Any:
        return (*_with_vectors(shape)[:-1], shape[-1] + 1)

    def inverse_shape(self, shape: Any) -> Any:
        return (*_with_vectors(shape)[:-1], shape[-1] - 1)


class LowerCholeskyTransform(PlainTransform):
    """A square matrix without what lies above the diagonal, the exponential of the diagonal."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def _call(self, x: Any) -> Any:
        return x.tril(-1) + x.diagonal(0, -2, -1).exp().diag_embed()

    def _inverse(self, y: Any) -> Any:
        return y.tril(-1) + y.diagonal(0, -2, -1).log().diag_embed()


class PositiveDefiniteTransform(PlainTransform):
    """``L L.T`` of the matrix L of `LowerCholeskyTransform`."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite

    def _call(self, x: Any) -> Any:
        lower = LowerCholeskyTransform()(x)
        return lower @ lower.mT

    def _inverse(self, y: Any) -> Any:
        return LowerCholeskyTransform().inv(y.cholesky())


class CorrCholeskyTransform(Transform):
    """n (n - 1) / 2 numbers as the Cholesky factor of an ``(n, n)`` correlation matrix.

    Each becomes a partial correlation by tanh; each row is filled as a stick is broken.

    Source: D. Lewandowski, D. Kurowicka, H. Joe, "Generating random correlation matrices based on
    vines and extended onion method" (2009).
    """

    domain = constraints.real_vector
    codomain = constraints.corr_cholesky
    bijective = True

    def _call(self, x: Any) -> Any:
        x = x.tanh()
        eps = finfo(x.dtype).eps
        partial = vec_to_tril_matrix(x.clamp(-1 + eps, 1 - eps), -1)
        rest = (1 - partial.square()).sqrt().cumprod(-1)
        unit = ops.eye(partial.shape[-1], dtype=partial.dtype, device=partial.device)
        ones = ops.ones_like(rest[..., :1])
        return (partial + unit) * ops.cat([ones, rest[..., :-1]], -1)

    def _inverse(self, y: Any) -> Any:
        rest = 1 - y.square().cumsum(-1)
        shifted = ops.cat([ops.ones_like(rest[..., :1]), rest[..., :-1]], -1)
        vector, scale = tril_matrix_to_vec(y, -1), tril_matrix_to_vec(shifted, -1)
        partial = vector / scale.sqrt()
        return (partial.log1p() - partial.neg().log1p()) / 2

    def log_abs_det_jacobian(self, x: Any, y: Any, intermediates: Any = None) -> Any:
        rest = 1 - y.square().cumsum(-1)
        stick = 0.5 * tril_matrix_to_vec(rest, -2).log().sum(-1)
        tanh = -2 * (x + ops.softplus(-2 * x) - math.log(2.0)).sum(-1)
        return stick + tanh

    def forward_shape(self, shape: Any) -> Any:
        if len(shape) < 1:
            raise ValueError("Too few dimensions on input")
        count = shape[-1]
        n = round((0.25 + 2 * count) ** 0.5 + 0.5)
        if n * (n - 1) // 2 != count:
            raise ValueError("Input is not a flattened lower-diagonal number")
        return (*shape[:-1], n, n)

    def inverse_shape(self, shape: Any) -> Any:
        if len(shape) < 2:
            raise ValueError("Too few dimensions on input")
        if shape[-2] != shape[-1]:
            raise ValueError("Input is not square")
        n = shape[-1]
        return (*shape[:-2], n * (n - 1) // 2)


class CatTransform(Transform):
    """Functions of the parts along a dimension.

    Args:
        tseq: the functions.
        dim: along which the parts lie.
        lengths: of the parts; 1 each when None.
        cache_size: see `Transform`.
    """

    def __init__(
        self,
        tseq: Sequence[Transform],
        dim: int = 0,
        lengths: Sequence[int] | None = None,
        cache_size: int = 0,
    ) -> None:
        super().__init__(cache_size=cache_size)
        self.transforms = [t.with_cache(cache_size) if cache_size else t for t in tseq]
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        self.dim = dim

    @property
    def event_dim(self) -> int:
        """The greatest of the parts."""
        return max(t.event_dim for t in self.transforms)

    @property
    def length(self) -> int:
        """Of all parts."""
        return sum(self.lengths)

    def _parts(self, x: Any) -> Any:
        return x.split(self.lengths, self.dim)

    def _joined(self, parts: list[Any]) -> Any:
        return ops.cat(parts, self.dim)

    def _call(self, x: Any) -> Any:
        pairs = zip(self.transforms, self._parts(x), strict=True)
        return self._joined([t(part) for t, part in pairs])

    def _inverse(self, y: Any) -> Any:
        pairs = zip(self.transforms, self._parts(y), strict=True)
        return self._joined([t.inv(part) for t, part in pairs])

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        parts = []
        for t, before, after in zip(self.transforms, self._parts(x), self._parts(y), strict=True):
            jacobian = t.log_abs_det_jacobian(before, after)
            parts.append(sum_rightmost(jacobian, self.event_dim - t.event_dim))
        dim = self.dim - x.ndim if self.dim >= 0 else self.dim
        dim += self.event_dim
        return ops.cat(parts, dim) if dim < 0 else sum(parts)

    @property
    def bijective(self) -> bool:  # type: ignore[override]
        """Whether all are."""
        return all(t.bijective for t in self.transforms)

    @constraints.dependent_property
    def domain(self) -> Any:
        """The parts' domains."""
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @constraints.dependent_property
    def codomain(self) -> Any:
        """The parts' codomains."""
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)


class StackTransform(CatTransform):
    """Functions of the slices along a dimension."""

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(tseq, dim, None, cache_size)

    def _parts(self, x: Any) -> Any:
        return x.unbind(self.dim)

    def _joined(self, parts: list[Any]) -> Any:
        return ops.stack(parts, self.dim)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        triples = zip(self.transforms, self._parts(x), self._parts(y), strict=True)
        return ops.stack([t.log_abs_det_jacobian(a, b) for t, a, b in triples], self.dim)

    @constraints.dependent_property
    def domain(self) -> Any:
        """The slices' domains."""
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @constraints.dependent_property
    def codomain(self) -> Any:
        """The slices' codomains."""
        return constraints.stack([t.codomain for t in self.transforms], self.dim)
