"""Reductions over all elements or over some dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rushlight import return_types
from rushlight.dtypes import LEGACY_NAMES, is_floating
from rushlight.dtypes import dtype as DType  # noqa: N812 - `dtype` is an argument's name
from rushlight.dtypes import of as dtype_of
from rushlight.ops._keywords import numpy_keywords
from rushlight.ops._registry import composed, op
from rushlight.ops.choice import maximum, minimum
from rushlight.ops.comparison import isnan
from rushlight.size import wrap
from rushlight.tensor import Tensor

Dims = int | Sequence[int] | None


def kept_shape(shape: tuple[int, ...], dim: Dims) -> tuple[int, ...]:
    """The shape of a reduction with ``keepdim=True``."""
    if dim is None or (not isinstance(dim, int) and len(dim) == 0):
        return (1,) * len(shape)
    dims = {d % len(shape) for d in ((dim,) if isinstance(dim, int) else dim)} if shape else ()
    return tuple(1 if d in dims else n for d, n in enumerate(shape))


def for_each(K: Any, g: Any, shape: tuple[int, ...], dim: Dims) -> Any:
    """The gradient of a reduction's result, for each element that took part."""
    return K.expand(K.reshape(g, kept_shape(shape, dim)), shape)


def elements(shape: tuple[int, ...], dim: Dims) -> int:
    """How many elements take part in each result."""
    return math.prod(shape) // (math.prod(kept_shape(shape, dim)) or 1)


def _in_type(K: Any, kernel: Any, input: Any, dtype: DType | None, *options: Any) -> Any:
    """A reduction of the input converted to a type, which the result has too."""
    if dtype is None:
        return kernel(input, *options)
    numpy_type = dtype_of(dtype).numpy
    out = kernel(K.cast(input, numpy_type), *options)
    return out if out.dtype == numpy_type else K.cast(out, numpy_type)


def check_not_empty(name: str, input: Tensor, dim: int) -> None:
    """Raises IndexError where there is nothing to choose from along `dim`."""
    if input.ndim and input.shape[dim] == 0:
        raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")


# ---- Sums and means ----


@op(
    input=lambda K, g, input_shape: K.expand(g, input_shape),
    forward=lambda K, input, dtype: _in_type(K, K.sum, input, dtype),
    node="SumBackward0",
    method=False,
)
def sum_all(input: Tensor, dtype: DType | None = None) -> Tensor:
    """The sum of all elements."""


@op(
    input=lambda K, g, input_shape, dim: for_each(K, g, input_shape, dim),
    forward=lambda K, input, dim, keepdim, dtype: _in_type(K, K.sum, input, dtype, dim, keepdim),
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


def _mean(K: Any, input: Any, dtype: DType | None, *options: Any) -> Any:
    if dtype is not None and not dtype_of(dtype).is_floating_point:
        raise RuntimeError(
            "mean(): could not infer output dtype. Optional dtype must be either a floating point "
            f"or complex dtype. Got: {LEGACY_NAMES[dtype_of(dtype).name]}"
        )
    return _in_type(K, K.mean, input, dtype, *options)


@op(
    input=lambda K, g, input_shape: K.expand(K.div(g, math.prod(input_shape)), input_shape),
    forward=lambda K, input, dtype: _mean(K, input, dtype),
    node="MeanBackward0",
    method=False,
)
def mean_all(input: Tensor, dtype: DType | None = None) -> Tensor:
    """The mean of all elements."""


@op(
    input=lambda K, g, input_shape, dim: for_each(
        K, K.div(g, elements(input_shape, dim)), input_shape, dim
    ),
    forward=lambda K, input, dim, keepdim, dtype: _mean(K, input, dtype, dim, keepdim),
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


def _without_nan(K: Any, input: Any) -> Any:
    return K.where(K.isnan(input), 0, input) if is_floating(input.dtype) else input


@op(
    input=lambda K, g, input, input_shape, dim: K.mul(
        for_each(K, g, input_shape, dim), K.logical_not(K.isnan(input))
    ),
    forward=lambda K, input, dim, keepdim, dtype: _in_type(
        K, K.sum, _without_nan(K, input), dtype, dim, keepdim
    ),
)
def nansum(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """The sum of the elements that are not NaN; see `sum`."""


@composed()
@numpy_keywords
def nanmean(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """The mean of the elements that are not NaN, of a floating type; NaN where there is none."""
    if not input.is_floating_point():
        raise RuntimeError(
            "nanmean(): expected input to have floating point or complex dtype but got "
            f"{LEGACY_NAMES[input.dtype.name]}"
        )
    count = isnan(input).logical_not().sum(dim, keepdim)
    return nansum(input, dim, keepdim, dtype=dtype) / count


# ---- Products ----


def _product_gradient(
    K: Any, g: Any, input: Any, input_shape: tuple[int, ...], dim: int | None = None
) -> Any:
    """The product of the elements before times that of those behind: right also at zeros."""
    row, along = (K.reshape(input, (-1,)), 0) if dim is None else (input, dim)
    before = K.shifted(K.running_product(row, along, False), along, 1, 1.0)
    behind = K.shifted(K.running_product(row, along, True), along, -1, 1.0)
    slope = K.reshape(K.mul(before, behind), input_shape)
    return K.mul(for_each(K, g, input_shape, dim), slope)


@op(
    input=lambda K, g, input, input_shape: _product_gradient(K, g, input, input_shape),
    forward=lambda K, input, dtype: _in_type(K, K.prod, input, dtype),
    node="ProdBackward0",
    method=False,
)
def prod_all(input: Tensor, dtype: DType | None = None) -> Tensor:
    """The product of all elements."""


@op(
    input=_product_gradient,
    forward=lambda K, input, dim, keepdim, dtype: _in_type(K, K.prod, input, dtype, dim, keepdim),
    node="ProdBackward1",
    method=False,
)
def prod_dim(input: Tensor, dim: int, keepdim: bool, dtype: DType | None = None) -> Tensor:
    """The product over one dimension."""


@composed()
@numpy_keywords
def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """The product of all elements, or over one dimension; integers and bools give int64.

    The gradient is right also where elements are zero.
    """
    if dim is None:
        return prod_all(input, dtype)
    if not isinstance(dim, int):
        raise TypeError(f"prod(): argument 'dim' must be int, not {type(dim).__name__}")
    return prod_dim(input, dim, keepdim, dtype)


# ---- Extremes ----


def _extreme(K: Any, name: str, input: Any, dim: Dims, keepdim: bool) -> Any:
    if dim is None or dim == ():
        refuse_empty(name, input)
    return getattr(K, name)(input, dim, keepdim)


def refuse_empty(name: str, input: Any) -> None:
    """Raises RuntimeError where there is nothing to choose from at all."""
    if 0 in input.shape:
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
            "Specify the reduction dim with the 'dim' argument."
        )


def _extreme_gradient(
    K: Any, g: Any, input: Any, out: Any, input_shape: tuple[int, ...], dim: Dims
) -> Any:
    """Equal extremes share the gradient; NaN where the extreme is NaN."""
    reached = K.eq(input, for_each(K, out, input_shape, dim))
    share = K.div(K.reshape(g, kept_shape(input_shape, dim)), K.sum(reached, dim, True))
    return K.mul(reached, K.expand(share, input_shape))


@op(
    input=_extreme_gradient,
    forward=lambda K, input, dim, keepdim: _extreme(K, "amax", input, dim, keepdim),
)
def amax(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
    """The greatest element over the dimensions `dim`; NaN wins. Equal ones share the gradient."""


@op(
    input=_extreme_gradient,
    forward=lambda K, input, dim, keepdim: _extreme(K, "amin", input, dim, keepdim),
)
def amin(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
    """The least element over the dimensions `dim`; NaN wins. Equal ones share the gradient."""


@composed()
@numpy_keywords
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The least and the greatest element, of all or along `dim`; see `amax`.

    Returns:
        A named tuple ``(min, max)``.

    Raises:
        RuntimeError: for an empty tensor without `dim`.
        IndexError: for a dimension without elements.
    """
    if dim is None and input.numel() == 0:
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no "
            "identity."
        )
    dims = () if dim is None else wrap(dim, input.ndim)
    if dim is not None and input.numel() == 0:
        check_not_empty("aminmax", input, wrap(dim, input.ndim))
    return return_types.aminmax((amin(input, dims, keepdim), amax(input, dims, keepdim)))


def _position(K: Any, name: str, input: Any, dim: int | None, keepdim: bool) -> Any:
    if input.dtype.kind == "b":
        raise RuntimeError(f"{name}(): does not support bool input")
    return getattr(K, name)(input, dim, keepdim)


@op(
    input=None,
    forward=lambda K, input, dim, keepdim: _position(K, "argmax", input, dim, keepdim),
)
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the first greatest element, of all or along `dim`; NaN wins."""


@op(
    input=None,
    forward=lambda K, input, dim, keepdim: _position(K, "argmin", input, dim, keepdim),
)
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the first least element, of all or along `dim`; NaN wins."""


def equals_gradient(K: Any, g: Any, input: Any, out: Any) -> Any:
    """All elements that equal the result share the gradient."""
    nan = K.logical_and(K.isnan(input), K.isnan(out))
    reached = K.logical_or(K.eq(input, out), nan)
    return K.where(reached, K.div(g, K.sum(reached)), 0.0)


def taken_gradient(
    K: Any, g: Any, input_shape: tuple[int, ...], dim: int, indices: Any, keepdim: bool = True
) -> Any:
    """The gradient of elements that were taken along `dim`."""
    if not keepdim:
        shape = kept_shape(input_shape, dim)
        g, indices = K.reshape(g, shape), K.reshape(indices, shape)
    return K.scatter_add(K.new_zeros(g, input_shape), dim, indices, g)


def _with_place(K: Any, name: str, input: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
    if input.ndim and input.shape[dim] == 0:
        raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")
    indices = getattr(K, f"arg{name}")(input, dim, keepdim)
    return getattr(K, f"a{name}")(input, dim, keepdim), indices


def _extreme_of_all(K: Any, name: str, input: Any) -> Any:
    refuse_empty(name, input)
    return getattr(K, f"a{name}")(input)


@op(
    input=equals_gradient,
    forward=lambda K, input: _extreme_of_all(K, "max", input),
    node="MaxBackward1",
    method=False,
)
def max_all(input: Tensor) -> Tensor:
    """The greatest element."""


@op(
    input=taken_gradient,
    forward=lambda K, input, dim, keepdim: _with_place(K, "max", input, dim, keepdim),
    extras=("indices",),
    node="MaxBackward0",
    method=False,
)
def max_dim(input: Tensor, dim: int, keepdim: bool) -> Any:
    """The greatest elements along `dim`, and where they are first."""


@op(
    input=equals_gradient,
    forward=lambda K, input: _extreme_of_all(K, "min", input),
    node="MinBackward1",
    method=False,
)
def min_all(input: Tensor) -> Tensor:
    """The least element."""


@op(
    input=taken_gradient,
    forward=lambda K, input, dim, keepdim: _with_place(K, "min", input, dim, keepdim),
    extras=("indices",),
    node="MinBackward0",
    method=False,
)
def min_dim(input: Tensor, dim: int, keepdim: bool) -> Any:
    """The least elements along `dim`, and where they are first."""


@composed()
@numpy_keywords
def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The greatest element; along `dim` with its index; or, of two tensors, elementwise.

    Along a dimension the gradient goes to the element of the index, otherwise equal ones share it.
    """
    if other is not None or isinstance(dim, Tensor):
        return maximum(input, dim if other is None else other)
    if dim is None:
        return max_all(input)
    return return_types.max(max_dim(input, wrap(_an_int("max", dim), input.ndim), keepdim))


@composed()
@numpy_keywords
def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The least element; along `dim` with its index; or, of two tensors, elementwise; see `max`."""
    if other is not None or isinstance(dim, Tensor):
        return minimum(input, dim if other is None else other)
    if dim is None:
        return min_all(input)
    return return_types.min(min_dim(input, wrap(_an_int("min", dim), input.ndim), keepdim))


def _an_int(name: str, dim: Any) -> int:
    if isinstance(dim, bool) or not isinstance(dim, int):
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got dim={dim!r}; "
            "expected an int, or a second Tensor"
        )
    return dim


# ---- Truth and counts ----


def _truth(K: Any, kernel: Any, input: Any, dim: Dims, keepdim: bool) -> Any:
    """Bool, but uint8 for uint8, as in PyTorch, where no dims leave every element for itself."""
    found = K.ne(input, 0) if dim == () else kernel(input, dim, keepdim)
    return K.cast(found, input.dtype) if input.dtype == "uint8" else found


@op(
    input=None,
    forward=lambda K, input, dim, keepdim: _truth(K, K.any, input, dim, keepdim),
)
def any(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether any element is not zero; of each element where `dim` is ``()``."""


@op(
    input=None,
    forward=lambda K, input, dim, keepdim: _truth(K, K.all, input, dim, keepdim),
)
def all(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether all elements are not zero; of each element where `dim` is ``()``."""


@op(input=None, forward=lambda K, input, dim: K.sum(K.ne(input, 0), dim))
def count_nonzero(input: Tensor, dim: Dims = None) -> Tensor:
    """How many elements are not zero, of all or over the dimensions `dim`."""


# ---- Exponentials ----


def _logsumexp(K: Any, input: Any, dim: Dims, keepdim: bool) -> Any:
    """``top + log(sum(exp(input - top)))``, where the greatest element is finite."""
    if 0 in input.shape:
        return K.log(K.sum(K.exp(input), dim, keepdim))
    top = K.amax(input, dim, True)
    top = K.where(K.isfinite(top), top, 0)
    out = K.log(K.sum(K.exp(K.sub(input, top)), dim, keepdim))
    return K.add(out, K.reshape(top, out.shape))


@op(
    input=lambda K, g, input, out, input_shape, dim: K.mul(
        for_each(K, g, input_shape, dim), K.exp(K.sub(input, for_each(K, out, input_shape, dim)))
    ),
    forward=lambda K, input, dim, keepdim: _logsumexp(K, _not_bool(K, input), dim, keepdim),
)
def logsumexp(input: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """``log(sum(exp(input)))`` over the dimensions `dim`, without overflow."""


def _not_bool(K: Any, input: Any) -> Any:
    return input if is_floating(input.dtype) else K.add(input, 0.0)


# ---- Broadcasting undone ----


@op(input=lambda K, g, input_shape: K.spread(g, input_shape), method=False)
def sum_to(input: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The sum over the dimensions that broadcasting from `shape` added or repeated."""


@op(input=lambda K, g, input_shape: K.sum_to(g, input_shape), method=False)
def spread(input: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The reverse of `sum_to`: repeats elements up to `shape`."""
