"""Moments, norms and distances."""

from __future__ import annotations

import math
import warnings
from typing import Any

from rushlight.dtypes import LEGACY_NAMES
from rushlight.dtypes import dtype as DType  # noqa: N812 - `dtype` is an argument's name
from rushlight.ops._keywords import numpy_keywords
from rushlight.ops._registry import composed, op
from rushlight.ops.choice import where
from rushlight.ops.linalg import matmul
from rushlight.ops.norms import vector_norm
from rushlight.ops.pointwise import Number
from rushlight.ops.reduction import Dims, elements, for_each, mean
from rushlight.size import wrap
from rushlight.tensor import Tensor

# ---- Moments ----


def _variance_gradient(
    K: Any, g: Any, input: Any, input_shape: tuple[int, ...], dim: Dims, correction: float
) -> Any:
    count = elements(input_shape, dim)
    degrees = count - correction
    slope = K.mul(K.sub(input, K.mean(input, dim, True)), 2 / degrees if degrees else math.nan)
    return K.mul(for_each(K, g, input_shape, dim), slope)


@op(
    input=_variance_gradient,
    forward=lambda K, input, dim, keepdim, correction: K.var(input, dim, correction, keepdim),
    node="VarBackward0",
    method=False,
)
def variance(input: Tensor, dim: Dims, keepdim: bool, correction: float) -> Tensor:
    """The variance over `dim`, divided by ``count - correction``."""


def _dims_and_correction(
    name: str, input: Tensor, dim: Any, unbiased: bool | None, correction: float | None
) -> tuple[Dims, float]:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got correction and unbiased"
        )
    if correction is None:
        correction = 1.0 if unbiased is None else float(unbiased)
    if input.is_floating_point() and elements(input._array.shape, dim) <= correction:
        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the "
            "reduction factor (input numel divided by output numel).",
            stacklevel=4,
        )
    return dim, float(correction)


@op(
    input=lambda K, g, input, out, input_shape, dim, correction: _variance_gradient(
        K, _halved_by(K, g, out), input, input_shape, dim, correction
    ),
    forward=lambda K, input, dim, keepdim, correction: K.sqrt(
        K.var(input, dim, correction, keepdim)
    ),
    node="StdBackward0",
    method=False,
)
def deviation(input: Tensor, dim: Dims, keepdim: bool, correction: float) -> Tensor:
    """The square root of `variance`; the gradient where it is 0 is 0."""


def _halved_by(K: Any, g: Any, root: Any) -> Any:
    return K.where(K.eq(root, 0), 0.0, K.div(g, K.mul(root, 2)))


@composed()
@numpy_keywords
def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """The variance of all elements or over the dimensions `dim`, in two passes.

    Args:
        input: of a floating type.
        dim: a dimension, several, or None for all.
        unbiased: the old name of ``correction=1`` (True) and ``correction=0`` (False).
        keepdim: keep reduced dimensions with size 1.
        correction: what is taken from the count of elements in the divisor; 1 by default.

    Raises:
        TypeError: for both `unbiased` and `correction`.
    """
    dim, correction = _dims_and_correction("var", input, dim, unbiased, correction)
    return variance(input, dim, keepdim, correction)


@composed()
@numpy_keywords
def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """The standard deviation; see `var`. The gradient where it is 0 is 0."""
    dim, correction = _dims_and_correction("std", input, dim, unbiased, correction)
    return deviation(input, dim, keepdim, correction)


@composed(method=False)
@numpy_keywords
def var_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """The variance and the mean; see `var`."""
    dim, correction = _dims_and_correction("var_mean", input, dim, unbiased, correction)
    return variance(input, dim, keepdim, correction), mean(input, dim, keepdim)


@composed(method=False)
@numpy_keywords
def std_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """The standard deviation and the mean; see `var`."""
    dim, correction = _dims_and_correction("std_mean", input, dim, unbiased, correction)
    return deviation(input, dim, keepdim, correction), mean(input, dim, keepdim)


# ---- Covariance ----


def _weights(name: str, weights: Tensor, observations: int, integral: bool) -> Tensor:
    if weights.ndim > 1:
        raise RuntimeError(
            f"cov(): expected {name} to have one or fewer dimensions but got "
            f"{name} with {weights.ndim} dimensions"
        )
    if weights.is_floating_point() is integral or weights.dtype.name == "bool":
        kind = "integral" if integral else "floating point"
        raise RuntimeError(
            f"cov(): expected {name} to have {kind} dtype but got {name} with "
            f"{LEGACY_NAMES[weights.dtype.name]} dtype"
        )
    if weights.numel() != observations:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations in the "
            f"input but got {weights.numel()} != {observations}"
        )
    if bool((weights < 0).any()):
        raise RuntimeError(f"cov(): {name} cannot be negative")
    return weights.reshape(-1)


@composed()
def cov(
    input: Tensor,
    *,
    correction: int = 1,
    fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:
    """The covariance of variables, which are rows, over observations, which are columns.

    Args:
        input: ``(variables, observations)``, or the observations of one variable.
        correction: what is taken from the count of observations in the divisor.
        fweights: how often each observation counts: integers.
        aweights: the importance of each observation: floating.

    Returns:
        ``(variables, variables)``, 0-dim for one variable.

    Raises:
        RuntimeError: for more dimensions, and for weights of other types, counts or signs.
    """
    if input.ndim > 2:
        raise RuntimeError(
            "cov(): expected input to have two or fewer dimensions but got an input with "
            f"{input.ndim} dimensions"
        )
    rows = input if input.ndim == 2 else input.reshape(1, -1)
    observations = rows.shape[1]
    weights = None
    if fweights is not None:
        weights = _weights("fweights", fweights, observations, True)
    if aweights is not None:
        importance = _weights("aweights", aweights, observations, False)
        weights = importance if weights is None else weights * importance
    divisor: Any = observations - correction
    if weights is None:
        centre = rows.sum(1, True) / observations
    else:
        total = weights.sum()
        centre = (rows * weights).sum(1, True) / total
        spent = correction if aweights is None else correction * (weights * aweights).sum() / total
        divisor = total - spent
    if float(divisor) <= 0:
        warnings.warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the "
            "number of observations.",
            stacklevel=2,
        )
        divisor = divisor * 0
    rows = rows - centre
    weighted = rows if weights is None else rows * weights
    covariance: Tensor = (matmul(rows, weighted.t()) / divisor).squeeze()
    return covariance


@composed()
def corrcoef(input: Tensor) -> Tensor:
    """The correlation coefficients of variables, which are rows: `cov` over deviations."""
    if input.ndim > 2:
        raise RuntimeError(
            "corrcoef(): expected input to have two or fewer dimensions but got an input with "
            f"{input.ndim} dimensions"
        )
    covariance = cov(input)
    if covariance.ndim == 0:
        return covariance / covariance
    deviations = covariance.diagonal().sqrt()
    return (covariance / deviations.unsqueeze(1) / deviations).clamp(-1, 1)


# ---- Norms ----


@composed()
@numpy_keywords
def norm(
    input: Tensor,
    p: Any = "fro",
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """The vector norm ``sum(|input| ** p) ** (1 / p)`` over `dim`; the 2-norm by default.

    Args:
        input: of a floating type.
        p: any number, or ``"fro"`` for 2.
        dim: a dimension, several, or None for all.
        keepdim: keep reduced dimensions with size 1.
        dtype: convert the elements first.

    Raises:
        NotImplementedError: for ``"nuc"``.
        RuntimeError: for another type or word, and for the extremes of nothing.
    """
    if p == "nuc":
        raise NotImplementedError(f"norm(): p={p!r} is not supported")
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(f"linalg.matrix_norm: Order {p} not supported.")
    if isinstance(p, Tensor):
        p = p.item()
    return vector_norm(input, 2 if p in ("fro", None) else p, dim, keepdim, dtype=dtype)


@composed()
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """The slices along `dim`, those whose p-norm exceeds `maxnorm` made so long.

    Raises:
        RuntimeError: for a 0- or 1-dim input, a p that is not positive, a negative `maxnorm`.
    """
    if p <= 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm:g}")
    if input.ndim < 2:
        raise RuntimeError(
            f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions"
        )
    dim = wrap(dim, input.ndim)
    others = tuple(d for d in range(input.ndim) if d != dim)
    norms = vector_norm(input, p, others, True)
    return input * where(norms > maxnorm, maxnorm / (norms + 1e-7), 1.0)


def _renorm_(self: Tensor, p: Number, dim: int, maxnorm: Number) -> Tensor:
    """`renorm` in place."""
    return self.copy_(renorm(self.clone(), p, dim, maxnorm))


Tensor.renorm_ = _renorm_  # type: ignore[attr-defined]
