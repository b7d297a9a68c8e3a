"""Reductions over all elements or over some dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from rushlight.dtypes import dtype as DType  # noqa: N812 - `dtype` is an argument's name
from rushlight.dtypes import of as dtype_of
from rushlight.ops._registry import composed, op
from rushlight.tensor import Tensor

Dims = int | Sequence[int] | None


def kept_shape(shape: tuple[int, ...], dim: Dims) -> tuple[int, ...]:
    """The shape of a reduction with ``keepdim=True``."""
    if dim is None or (not isinstance(dim, int) and len(dim) == 0):
        return (1,) * len(shape)
    dims = {d % len(shape) for d in ((dim,) if isinstance(dim, int) else dim)} if shape else ()
    return tuple(1 if d in dims else n for d, n in enumerate(shape))


def _spread(K: Any, g: Any, shape: tuple[int, ...], dim: Dims) -> Any:
    """The gradient of a reduction's result, for each element that took part."""
    return K.expand(K.reshape(g, kept_shape(shape, dim)), shape)


def _count(shape: tuple[int, ...], dim: Dims) -> int:
    return math.prod(shape) // (math.prod(kept_shape(shape, dim)) or 1)


def _typed(K: Any, array: Any, dtype: DType | None) -> Any:
    return array if dtype is None else K.cast(array, dtype_of(dtype).numpy)


@op(
    input=lambda K, g, input_shape: K.expand(g, input_shape),
    forward=lambda K, input, dtype: _typed(K, K.sum(_typed(K, input, dtype)), dtype),
    node="SumBackward0",
    method=False,
)
def sum_all(input: Tensor, dtype: DType | None = None) -> Tensor:
    """The sum of all elements."""


@op(
    input=lambda K, g, input_shape, dim: _spread(K, g, input_shape, dim),
    forward=lambda K, input, dim, keepdim, dtype: _typed(
        K, K.sum(_typed(K, input, dtype), dim, keepdim), dtype
    ),
    node="SumBackward1",
    method=False,
)
def sum_dim(input: Tensor, dim: Dims, keepdim: bool, dtype: DType | None = None) -> Tensor:
    """The sum over some dimensions."""


@composed()
def sum(
    input: Tensor,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    axis: Dims = None,
    keepdims: bool = False,
) -> Tensor:
    """The sum of all elements, or over the dimensions `dim`; integers and bools give int64.

    Float32 is added up in blocks whose sums are float64, so long sums keep their digits.

    Args:
        input: of any type.
        dim: a dimension, several, or None for all.
        keepdim: keep reduced dimensions with size 1.
        dtype: convert the elements first.
        axis: NumPy's name of `dim`.
        keepdims: NumPy's name of `keepdim`.
    """
    dim = axis if dim is None else dim
    if dim is None and not keepdim and not keepdims:
        return sum_all(input, dtype)
    return sum_dim(input, dim, keepdim or keepdims, dtype)


@op(
    input=lambda K, g, input_shape: K.expand(K.div(g, math.prod(input_shape)), input_shape),
    forward=lambda K, input, dtype: K.mean(_typed(K, input, dtype)),
    node="MeanBackward0",
    method=False,
)
def mean_all(input: Tensor, dtype: DType | None = None) -> Tensor:
    """The mean of all elements."""


@op(
    input=lambda K, g, input_shape, dim: _spread(
        K, K.div(g, _count(input_shape, dim)), input_shape, dim
    ),
    forward=lambda K, input, dim, keepdim, dtype: K.mean(_typed(K, input, dtype), dim, keepdim),
    node="MeanBackward1",
    method=False,
)
def mean_dim(input: Tensor, dim: Dims, keepdim: bool, dtype: DType | None = None) -> Tensor:
    """The mean over some dimensions."""


@composed()
def mean(
    input: Tensor,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    axis: Dims = None,
    keepdims: bool = False,
) -> Tensor:
    """The mean of all elements, or over the dimensions `dim`, of a floating type; see `sum`."""
    dim = axis if dim is None else dim
    if dim is None and not keepdim and not keepdims:
        return mean_all(input, dtype)
    return mean_dim(input, dim, keepdim or keepdims, dtype)


def _product_gradient(
    K: Any, g: Any, input: Any, out: Any, input_shape: tuple[int, ...], dim: Dims
) -> Any:
    """The product of the other elements, right also where some are zero."""
    zero = K.eq(input, 0)
    filled = K.where(zero, 1.0, input)
    others = K.prod(filled, dim, True) if dim is not None else K.prod(filled)
    zeros = K.sum(zero, dim, True) if dim is not None else K.sum(zero)
    alone = K.where(K.logical_and(zero, K.eq(zeros, 1)), others, 0.0)
    slope = K.where(K.eq(zeros, 0), K.div(others, filled), alone)
    return K.mul(_spread(K, g, input_shape, dim), slope)


@op(
    input=_product_gradient,
    forward=lambda K, input, dim, keepdim, dtype: _typed(
        K, K.prod(_typed(K, input, dtype), dim, keepdim), dtype
    ),
)
def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """The product of all elements, or over one dimension; integers and bools give int64."""


def _extreme_gradient(
    K: Any, g: Any, input: Any, out: Any, input_shape: tuple[int, ...], dim: Dims
) -> Any:
    """Equal extremes share the gradient."""
    reached = K.eq(input, _spread(K, out, input_shape, dim))
    ties = K.sum(reached, dim, True)
    return K.where(reached, K.div(_spread(K, g, input_shape, dim), ties), 0.0)


@op(input=_extreme_gradient)
def amax(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
    """The greatest element over the dimensions `dim`; NaN wins. Equal ones share the gradient."""


@op(input=_extreme_gradient)
def amin(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
    """The least element over the dimensions `dim`; NaN wins. Equal ones share the gradient."""


@op(input=None)
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the first greatest element, of all or along `dim`; NaN wins."""


@op(input=None)
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the first least element, of all or along `dim`; NaN wins."""


class max_result(NamedTuple):  # noqa: N801 - PyTorch's name
    """The greatest elements along a dimension, and where they are."""

    values: Tensor
    indices: Tensor

    def __repr__(self) -> str:
        return f"torch.return_types.max(\nvalues={self.values!r},\nindices={self.indices!r})"


class min_result(NamedTuple):  # noqa: N801 - PyTorch's name
    """The least elements along a dimension, and where they are."""

    values: Tensor
    indices: Tensor

    def __repr__(self) -> str:
        return f"torch.return_types.min(\nvalues={self.values!r},\nindices={self.indices!r})"


def _extreme(input: Tensor, name: str) -> Tensor:
    if input.numel() == 0:
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
            "Specify the reduction dim with the 'dim' argument."
        )
    return amax(input) if name == "max" else amin(input)


@composed()
def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The greatest element; along `dim` with its index; or, of two tensors, elementwise.

    Along a dimension the gradient goes to the element of the index, otherwise equal ones share it.
    """
    if dim is None:
        return _extreme(input, "max")
    if isinstance(dim, Tensor):
        return input.maximum(dim)
    indices = argmax(input, dim, True)
    values = input.gather(dim, indices)
    if keepdim:
        return max_result(values, indices)
    return max_result(values.squeeze(dim), indices.squeeze(dim))


@composed()
def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The least element; along `dim` with its index; or, of two tensors, elementwise; see `max`."""
    if dim is None:
        return _extreme(input, "min")
    if isinstance(dim, Tensor):
        return input.minimum(dim)
    indices = argmin(input, dim, True)
    values = input.gather(dim, indices)
    if keepdim:
        return min_result(values, indices)
    return min_result(values.squeeze(dim), indices.squeeze(dim))


def _truth(K: Any, input: Any, found: Any) -> Any:
    """Bool, but uint8 for uint8, as in PyTorch."""
    return K.cast(found, input.dtype) if input.dtype == "uint8" else found


@op(
    input=None,
    forward=lambda K, input, dim, keepdim: _truth(K, input, K.any(input, dim, keepdim)),
)
def any(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether any element is not zero."""


@op(
    input=None,
    forward=lambda K, input, dim, keepdim: _truth(K, input, K.all(input, dim, keepdim)),
)
def all(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether all elements are not zero."""


def _variance_gradient(
    K: Any, g: Any, input: Any, input_shape: tuple[int, ...], dim: Dims, correction: float
) -> Any:
    count = _count(input_shape, dim)
    degrees = count - correction
    slope = K.mul(K.sub(input, K.mean(input, dim, True)), 2 / degrees if degrees else math.nan)
    return K.mul(_spread(K, g, input_shape, dim), slope)


@op(
    input=_variance_gradient,
    forward=lambda K, input, dim, keepdim, correction: K.var(input, dim, correction, keepdim),
    node="VarBackward0",
    method=False,
)
def variance(input: Tensor, dim: Dims, keepdim: bool, correction: float) -> Tensor:
    """The variance over `dim`, divided by ``count - correction``."""


@composed()
def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
    axis: Dims = None,
) -> Tensor:
    """The variance of all elements or over the dimensions `dim`, in two passes.

    Args:
        input: of a floating type.
        dim: a dimension, several, or None for all.
        unbiased: the old name of ``correction=1`` (True) and ``correction=0`` (False).
        keepdim: keep reduced dimensions with size 1.
        correction: what is taken from the count of elements in the divisor; 1 by default.
        axis: NumPy's name of `dim`.
    """
    dim, correction = _dims_and_correction(axis if dim is None else dim, unbiased, correction)
    return variance(input, dim, keepdim, correction)


def _dims_and_correction(
    dim: Any, unbiased: bool | None, correction: float | None
) -> tuple[Dims, float]:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1.0 if unbiased is None else float(unbiased)
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
def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
    axis: Dims = None,
) -> Tensor:
    """The standard deviation; see `var`."""
    dim, correction = _dims_and_correction(axis if dim is None else dim, unbiased, correction)
    return deviation(input, dim, keepdim, correction)


def _power_norm(K: Any, input: Any, p: float, dim: Dims, keepdim: bool) -> Any:
    if p == 2:
        return K.sqrt(K.sum(K.square(input), dim, keepdim))
    return K.pow(K.sum(K.pow(K.abs(input), p), dim, keepdim), 1 / p)


def _power_norm_gradient(
    K: Any, g: Any, input: Any, out: Any, input_shape: tuple[int, ...], p: float, dim: Dims
) -> Any:
    """``g * sign(x) * (|x| / norm) ** (p - 1)``, and 0 where the norm is 0."""
    scale = K.div(g, out if p == 2 else K.pow(out, p - 1))
    scale = _spread(K, K.where(K.eq(out, 0), 0.0, scale), input_shape, dim)
    if p == 2:
        return K.mul(input, scale)
    return K.mul(K.mul(K.sign(input), K.pow(K.abs(input), p - 1)), scale)


@op(
    input=_power_norm_gradient,
    forward=_power_norm,
    node="LinalgVectorNormBackward0",
    method=False,
)
def power_norm(input: Tensor, p: float, dim: Dims, keepdim: bool) -> Tensor:
    """``sum(|input| ** p) ** (1 / p)`` over `dim`, for p other than 0; flat where it is 0."""


@composed()
def norm(input: Tensor, p: Any = "fro", dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The vector norm ``sum(|input| ** p) ** (1 / p)`` over `dim`; the 2-norm by default."""
    if p == "fro":
        p = 2.0
    if p == math.inf:
        return input.abs().amax(() if dim is None else dim, keepdim)
    if p == 1:
        return input.abs().sum(dim, keepdim)
    if isinstance(p, str):
        raise NotImplementedError(f"norm(): p={p!r} is not supported")
    if p in (0, -math.inf):
        raise NotImplementedError(f"norm(): p={p!r} is not supported")
    return power_norm(input, p, dim, keepdim)


@op(input=lambda K, g, input_shape: K.spread(g, input_shape), method=False)
def sum_to(input: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The sum over the dimensions that broadcasting from `shape` added or repeated."""


@op(input=lambda K, g, input_shape: K.sum_to(g, input_shape), method=False)
def spread(input: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The reverse of `sum_to`: repeats elements up to `shape`."""
