"""Order along a dimension: sorting, selection, medians, modes, quantiles.

NaN counts as greater than everything, and equal elements keep their order. Gradients go to the
elements that were taken.
"""

from __future__ import annotations

from typing import Any

from rushlight import return_types
from rushlight.dtypes import is_floating
from rushlight.ops._keywords import numpy_keywords
from rushlight.ops._registry import composed, op
from rushlight.ops.choice import where
from rushlight.ops.reduction import check_not_empty, equals_gradient, taken_gradient
from rushlight.size import wrap
from rushlight.tensor import Tensor


def squeezed(K: Any, pair: tuple[Any, Any], dim: int, keepdim: bool) -> tuple[Any, Any]:
    """Values and indices of a reduction, without the reduced dimension unless `keepdim`."""
    values, indices = pair
    if keepdim or not values.ndim:
        return values, indices
    return K.squeeze(values, (dim,)), K.squeeze(indices, (dim,))


# ---- Sorting ----


@op(
    input=lambda K, g, input_shape, dim, indices: taken_gradient(K, g, input_shape, dim, indices),
    forward=lambda K, input, dim, descending: K.ordered(input, dim, descending),
    extras=("indices",),
    node="SortBackward0",
    method=False,
)
def ordered(input: Tensor, dim: int, descending: bool) -> Any:
    """The elements along `dim` in order, and where they were."""


@composed()
@numpy_keywords
def sort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool | None = None
) -> Any:
    """The elements along `dim` in order, and where they were.

    Args:
        input: of any type.
        dim: the dimension to sort along.
        descending: the greatest first.
        stable: the sort is stable in any case.

    Returns:
        A named tuple ``(values, indices)``.
    """
    return return_types.sort(ordered(input, wrap(dim, input.ndim), descending))


@composed()
@numpy_keywords
def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False
) -> Tensor:
    """The indices that sort the elements along `dim`; see `sort`."""
    indices: Tensor = ordered(input.detach(), wrap(dim, input.ndim), descending)[1]
    return indices


@composed()
@numpy_keywords
def msort(input: Tensor) -> Tensor:
    """The elements along the first dimension in order."""
    values: Tensor = ordered(input, wrap(0, input.ndim), False)[0]
    return values


# ---- Selection ----


@op(
    input=lambda K, g, input_shape, dim, indices: taken_gradient(K, g, input_shape, dim, indices),
    forward=lambda K, input, dim, k, largest: K.selected(input, dim, 0, k, largest),
    extras=("indices",),
    node="TopkBackward0",
    method=False,
)
def first_places(input: Tensor, dim: int, k: int, largest: bool) -> Any:
    """The first `k` elements along `dim` in order, and where they were."""


@composed()
@numpy_keywords
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The `k` greatest elements along `dim`, the greatest first, and where they are.

    Args:
        input: of any type.
        k: how many elements to take.
        dim: the dimension to take from.
        largest: take the greatest ones; False takes the least.
        sorted: the elements are in order in any case.

    Returns:
        A named tuple ``(values, indices)``.

    Raises:
        RuntimeError: for a `k` that is negative or greater than the size of `dim`.
    """
    return return_types.topk(first_places(input, wrap(dim, input.ndim), int(k), largest))


@op(
    input=taken_gradient,
    forward=lambda K, input, dim, k, keepdim: squeezed(
        K, K.selected(input, dim, k - 1, k, False), dim, keepdim
    ),
    extras=("indices",),
    node="KthvalueBackward0",
    method=False,
)
def kth_place(input: Tensor, dim: int, k: int, keepdim: bool) -> Any:
    """The `k`-th least element along `dim`, and where it is."""


@composed()
@numpy_keywords
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The `k`-th least element along `dim`, counted from 1, and where it is.

    Returns:
        A named tuple ``(values, indices)``.

    Raises:
        RuntimeError: for a `k` that is less than 1 or greater than the size of `dim`.
    """
    dim = wrap(dim, input.ndim)
    check_not_empty("kthvalue", input, dim)
    if not 1 <= k <= (input.shape[dim] if input.ndim else 1):
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}")
    return return_types.kthvalue(kth_place(input, dim, int(k), keepdim))


# ---- Medians ----


def _median(K: Any, input: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
    """The lower median, or the first NaN."""
    count = input.shape[dim] if input.ndim else 1
    middle = (count - 1) // 2
    values, indices = K.selected(input, dim, middle, middle + 1, False)
    if is_floating(input.dtype):
        nan = K.isnan(input)
        spoilt = K.any(nan, dim, True)
        values = K.where(spoilt, K.amax(input, dim, True), values)
        indices = K.where(spoilt, K.argmax(nan, dim, True), indices)
    return squeezed(K, (values, indices), dim, keepdim)


def _nanmedian(K: Any, input: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
    """The lower median of the numbers, which stand before the NaNs when sorted."""
    if not is_floating(input.dtype):
        return _median(K, input, dim, keepdim)
    values, indices = K.ordered(input, dim, False)
    numbers = K.sum(K.logical_not(K.isnan(input)), dim, True)
    middle = K.floor_divide(K.relu(K.sub(numbers, 1)), 2)
    pair = K.gather(values, dim, middle), K.gather(indices, dim, middle)
    return squeezed(K, pair, dim, keepdim)


def _of_all(K: Any, input: Any, median: Any) -> Any:
    if 0 in input.shape:
        return K.full((), float("nan"), input.dtype)
    return median(K, K.reshape(input, (-1,)), 0, False)[0]


@op(
    input=equals_gradient,
    forward=lambda K, input: _of_all(K, input, _median),
    node="MedianBackward0",
    method=False,
)
def median_all(input: Tensor) -> Tensor:
    """The lower median of all elements."""


@op(
    input=taken_gradient,
    forward=_median,
    extras=("indices",),
    node="MedianBackward1",
    method=False,
)
def median_dim(input: Tensor, dim: int, keepdim: bool) -> Any:
    """The lower median along `dim`, and where it is."""


@op(
    input=equals_gradient,
    forward=lambda K, input: _of_all(K, input, _nanmedian),
    node="NanmedianBackward0",
    method=False,
)
def nanmedian_all(input: Tensor) -> Tensor:
    """The lower median of all elements that are not NaN."""


@op(
    input=taken_gradient,
    forward=_nanmedian,
    extras=("indices",),
    node="NanmedianBackward1",
    method=False,
)
def nanmedian_dim(input: Tensor, dim: int, keepdim: bool) -> Any:
    """The lower median of the elements along `dim` that are not NaN, and where it is."""


@composed()
@numpy_keywords
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The median of all elements; along `dim`, with its index. Of an even count the lower one.

    NaN where there is a NaN. All elements that equal the median of everything share its gradient;
    along a dimension the one at the index has it.

    Raises:
        IndexError: for a dimension without elements.
    """
    if dim is None:
        return median_all(input)
    dim = wrap(dim, input.ndim)
    check_not_empty("median", input, dim)
    return return_types.median(median_dim(input, dim, keepdim))


@composed()
@numpy_keywords
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The median of the elements that are not NaN; see `median`."""
    if dim is None:
        return nanmedian_all(input)
    dim = wrap(dim, input.ndim)
    check_not_empty("nanmedian", input, dim)
    return return_types.nanmedian(nanmedian_dim(input, dim, keepdim))


# ---- Modes ----


@op(
    input=taken_gradient,
    forward=lambda K, input, dim, keepdim: squeezed(
        K, K.most_frequent(*K.ordered(input, dim, False), dim), dim, keepdim
    ),
    extras=("indices",),
    node="ModeBackward0",
    method=False,
)
def mode_along(input: Tensor, dim: int, keepdim: bool) -> Any:
    """The most frequent element along `dim`, and where it is last."""


@composed()
@numpy_keywords
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent element along `dim`, the least of several, and the last index of it.

    Returns:
        A named tuple ``(values, indices)``.

    Raises:
        IndexError: for a dimension without elements.
    """
    dim = wrap(dim, input.ndim)
    check_not_empty("mode", input, dim)
    return return_types.mode(mode_along(input, dim, keepdim))


# ---- Quantiles ----

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


@composed()
@numpy_keywords
def quantile(
    input: Tensor,
    q: float | Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """The values below which the fractions `q` of the elements lie, of all or along `dim`.

    Args:
        input: float32 or float64, not empty.
        q: fractions from 0 to 1, a number or a vector of the type of `input`.
        dim: the dimension to go along, None for all elements.
        keepdim: keep the reduced dimension with size 1.
        interpolation: between two elements: ``"linear"``, ``"lower"``, ``"higher"``,
            ``"midpoint"`` or ``"nearest"``, which rounds halves to even places.

    Returns:
        For a vector `q` its dimension comes first. NaN where there is a NaN.

    Raises:
        RuntimeError: for a type, a `q` or an interpolation that is not as above.
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation)


@composed()
@numpy_keywords
def nanquantile(
    input: Tensor,
    q: float | Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """`quantile` of the elements that are not NaN; NaN where there is none."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation)


def _fractions(name: str, input: Tensor, q: float | Tensor, interpolation: str) -> Tensor:
    if input.numel() == 0:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if input.dtype.name not in ("float32", "float64"):
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
    if interpolation not in _INTERPOLATIONS:
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            f"but got {interpolation}"
        )
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q:g}")
        return input.new_tensor(q)
    if q.ndim > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor")
    if q.dtype is not input.dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
    if q.device != input.device:
        raise RuntimeError(f"{name}() q tensor must be on the same device as the input tensor")
    if q.numel() and not bool(((q >= 0) & (q <= 1)).all()):
        raise RuntimeError(f"{name}() q values must be in the range [0, 1]")
    return q


def _quantile(
    name: str,
    input: Tensor,
    q: float | Tensor,
    dim: int | None,
    keepdim: bool,
    interpolation: str,
) -> Tensor:
    fractions = _fractions(name, input, q, interpolation)
    dim = dim if dim is None else wrap(dim, input.ndim)
    rows = input.reshape(-1) if dim is None or not input.ndim else _moved(input, dim, -1)
    values, _ = ordered(rows, -1, False)
    ranks = _ranks(values, fractions.reshape(-1), name == "nanquantile")
    out = _between(values, ranks, interpolation)
    out = out.select(-1, 0) if fractions.ndim == 0 else _moved(out, -1, 0)
    if not keepdim:
        return out
    if dim is None:
        return out.reshape(*fractions.shape, *(1,) * input.ndim)
    return out.unsqueeze(dim + fractions.ndim) if input.ndim else out


def _moved(tensor: Tensor, source: int, target: int) -> Tensor:
    dims = list(range(tensor.ndim))
    dims.insert(target % tensor.ndim, dims.pop(source))
    return tensor.permute(*dims)


def _ranks(values: Tensor, fractions: Tensor, skip_nan: bool) -> Tensor:
    """Where the quantiles lie among sorted elements; at the last one where that is a NaN."""
    if skip_nan:
        last = values.isnan().logical_not().sum(-1, True) - 1
        return (fractions * last).clamp(min=0)
    last = values.shape[-1] - 1
    return where(values[..., -1:].isnan(), last, fractions * last)


def _between(values: Tensor, ranks: Tensor, interpolation: str) -> Tensor:
    """The elements at whole ranks, or between two elements."""
    below, above = ranks.detach().floor(), ranks.detach().ceil()
    if interpolation == "nearest":
        return values.gather(-1, ranks.detach().round().long())
    if interpolation == "higher":
        return values.gather(-1, above.long())
    lower = values.gather(-1, below.long())
    if interpolation == "lower":
        return lower
    weight = 0.5 if interpolation == "midpoint" else ranks - below
    return lower.lerp(values.gather(-1, above.long()), weight)
