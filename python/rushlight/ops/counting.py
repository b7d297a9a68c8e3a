"""Counting: distinct elements, bins, histograms, places among sorted boundaries. No gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight import errors, return_types
from rushlight.backend import kernels_of
from rushlight.dtypes import LEGACY_NAMES
from rushlight.ops._keywords import numpy_keywords
from rushlight.ops._registry import composed
from rushlight.ops.pointwise import Number
from rushlight.ops.ranges import linspace
from rushlight.size import wrap
from rushlight.tensor import Tensor

# ---- Distinct elements ----


def _rows(name: str, input: Tensor, dim: int | None) -> tuple[Any, int]:
    """The slices along `dim`, or all elements, as the first dimension of an array."""
    x = input._array
    if dim is None:
        return kernels_of(x).reshape(x, (-1,)), 0
    if x.ndim == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    dim = wrap(dim, x.ndim)
    if x.size == 0 and x.shape[dim] != 0:
        raise RuntimeError(
            f"There are 0 sized dimensions, and they aren't selected, so {name} cannot be applied"
        )
    return kernels_of(x).permute(x, (dim, *(d for d in range(x.ndim) if d != dim))), dim


def _distinct(
    input: Tensor, rows: Any, order: Any, dim: int | None, inverse: bool, counts: bool
) -> Any:
    """The results of `unique`, for slices whose equals are neighbours in an order."""
    K = kernels_of(rows)
    ordered = rows if order is None else K.getitem(rows, (order,))
    starts, lengths, run = K.runs(ordered, inverse)
    values = K.getitem(ordered, (starts,))
    if dim is not None:
        values = K.copy(K.permute(values, (*range(1, dim + 1), 0, *range(dim + 1, values.ndim))))
    results = [Tensor._wrap(values)]
    if inverse:
        if order is not None:
            run = K.scatter_add(K.new_zeros(run, run.shape), 0, order, run)
        shape = input.shape if dim is None else run.shape
        results.append(Tensor._wrap(K.reshape(run, shape)))
    if counts:
        results.append(Tensor._wrap(lengths))
    return results[0] if len(results) == 1 else tuple(results)


@composed()
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The distinct elements, or the distinct slices along `dim`, in order.

    Args:
        input: of any type; no NaN equals another.
        sorted: the result is sorted in any case.
        return_inverse: give also where each element is in the result.
        return_counts: give also how often each of them occurs.
        dim: compare slices along this dimension.

    Returns:
        The distinct elements, or a tuple of these and of what else was asked for.
    """
    rows, along = _rows("unique", input, dim)
    K = kernels_of(rows)
    if dim is None:
        if not return_inverse:
            return _distinct(input, K.ordered(rows, 0, False)[0], None, None, False, return_counts)
        order = K.ordered(rows, 0, False)[1]
    else:
        order = K.lexical_order(K.reshape(rows, (rows.shape[0], -1) if rows.size else (0, 0)))
    where = None if dim is None else along
    return _distinct(input, rows, order, where, return_inverse, return_counts)


@composed()
def unique_consecutive(
    input: Tensor,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The first of each run of equal elements, or of equal slices along `dim`; see `unique`."""
    rows, along = _rows("unique_consecutive", input, dim)
    where = None if dim is None else along
    return _distinct(input, rows, None, where, return_inverse, return_counts)


@composed(method=False)
def isin(
    elements: Tensor | Number,
    test_elements: Tensor | Number,
    *,
    assume_unique: bool = False,
    invert: bool = False,
) -> Tensor:
    """Whether each element is one of `test_elements`, or with `invert` is none of them.

    `assume_unique` says that no element occurs twice, which is not made use of.
    """
    tensors = [x for x in (elements, test_elements) if isinstance(x, Tensor)]
    numbers = [x for x in (elements, test_elements) if isinstance(x, int | float)]
    if not tensors or len(tensors) + len(numbers) != 2:
        kinds = ", ".join(type(x).__name__ for x in (elements, test_elements))
        raise TypeError(f"isin() received an invalid combination of arguments - got ({kinds})")
    first, second = (
        x if isinstance(x, Tensor) else tensors[0].new_tensor(x) for x in (elements, test_elements)
    )
    return Tensor._wrap(kernels_of(first._array).isin(first._array, second._array, invert))


# ---- Bins ----


@composed()
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of the numbers 0, 1, ... occurs, or the sums of their weights.

    Args:
        input: a vector of integers that are not negative.
        weights: of each element; floating types but float32 are added up as float64.
        minlength: the least number of results.

    Raises:
        RuntimeError: for other inputs, weights of another length, a negative `minlength`.
    """
    x = input._array
    if x.dtype.kind not in "iu":
        raise errors.not_implemented_for("bincount_cpu", x)
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    if x.ndim != 1 or (x.size and int(x.min()) < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is not None and weights.shape != input.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    K = kernels_of(x)
    if weights is None or x.size == 0:
        return Tensor._wrap(K.bincount(x, None, minlength))
    w = weights._array
    w = w if w.dtype == np.float32 else K.cast(w, np.dtype(np.float64))
    return Tensor._wrap(K.bincount(x, w, minlength))


def _check_bounds(name: str, low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"{name} range of [{low:g}, {high:g}] is not finite")


def _check_floating(name: str, input: Tensor) -> None:
    if not input.is_floating_point():
        raise errors.not_implemented_for(name, input._array)


@composed()
@numpy_keywords
def histc(input: Tensor, bins: int = 100, min: Number = 0, max: Number = 0) -> Tensor:
    """How many elements fall into each of `bins` equal parts of the range from `min` to `max`.

    The range is that of the elements where both bounds are equal. Elements outside of it do not
    count; those at its end do.

    Raises:
        RuntimeError: for a range that is not finite or runs backwards, and for no bins.
    """
    _check_floating("histogram_cpu", input)
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    low, high = float(min), float(max)
    x = input.detach().reshape(-1)
    if low == high and x.numel():
        low, high = x.amin().item(), x.amax().item()
    _check_bounds("torch.histc:", low, high)
    if low == high:
        low, high = low - 1, high + 1
    if low > high:
        raise RuntimeError("torch.histc: max must be larger than min")
    inside = x[(x >= low) & (x <= high)]
    # In the elements' own type, so that an element between two bins falls where PyTorch's does.
    places = ((inside - low) * bins / (high - low)).long().clamp(max=bins - 1)
    return bincount(places, minlength=bins).to(input.dtype)


Edges = list[Tensor]


def _edges(name: str, points: Tensor, bins: Any, range: Sequence[float] | None) -> Edges:
    """The edges of the bins in each dimension."""
    if points.shape[-1] != len(bins):
        raise RuntimeError(
            f"{name}: The size of bins must be equal to the innermost dimension of the input."
        )
    edges = []
    for d, bin in enumerate(bins):
        if isinstance(bin, Tensor):
            if bin.ndim != 1:
                raise RuntimeError(
                    f"torch.histogramdd: bins tensor should have one dimension, but got {bin.ndim} "
                    f"dimensions in the bins tensor for dimension {d}"
                )
            edges.append(bin.detach())
            continue
        if bin <= 0:
            raise RuntimeError(
                f"torch.histogram(): bins must be > 0, but got {bin} for dimension {d}"
            )
        low, high = _outer_edges(points[..., d], d, range)
        edges.append(linspace(low, high, int(bin) + 1, dtype=points.dtype).to(points.device))
    return edges


def _outer_edges(x: Tensor, d: int, range: Sequence[float] | None) -> tuple[float, float]:
    if range is not None:
        low, high = float(range[2 * d]), float(range[2 * d + 1])
    elif x.numel() == 0:
        return 0.0, 1.0
    else:
        low, high = x.amin().item(), x.amax().item()
    _check_bounds(f"torch.histogramdd: dimension {d}'s", low, high)
    if low > high:
        raise RuntimeError(
            f"torch.histogramdd: min should not exceed max, but got min {low:g} max {high:g} "
            f"for dimension {d}"
        )
    return (low - 0.5, high + 0.5) if low == high else (low, high)


def _histogram(points: Tensor, edges: Edges, weight: Tensor | None, density: bool) -> Tensor:
    """The counts, or sums of weights, of points in the boxes that edges along each axis make."""
    sizes = [edge.numel() - 1 for edge in edges]
    inside, flat = None, None
    for d, edge in enumerate(edges):
        x = points[:, d].contiguous()
        within = (x >= edge[0]) & (x <= edge[-1])
        inside = within if inside is None else inside & within
        place = (searchsorted(edge, x, right=True) - 1).clamp(max=sizes[d] - 1)
        flat = place if flat is None else flat * sizes[d] + place
    assert inside is not None and flat is not None
    kept = None if weight is None else weight.detach().reshape(-1)[inside]
    counts = bincount(flat[inside], kept, minlength=math.prod(sizes))
    hist = counts.to(points.dtype).reshape(sizes)
    if density:
        hist = hist / hist.sum()
        for d, edge in enumerate(edges):
            shape = [-1 if i == d else 1 for i in range(len(sizes))]
            hist = hist / (edge[1:] - edge[:-1]).reshape(shape)
    return hist


def _check_weight(input_shape: tuple[int, ...], weight: Tensor | None) -> None:
    if weight is not None and weight.shape != input_shape[:-1]:
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided it should have the same shape as the "
            "input tensor excluding its innermost dimension, but got input with shape "
            f"{list(input_shape)} and weight with shape {list(weight.shape)}"
        )


@composed()
@numpy_keywords
def histogram(
    input: Tensor,
    bins: int | Tensor = 100,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """How many elements fall into each bin, and the edges of the bins.

    Args:
        input: of a floating type.
        bins: how many equal bins, or the edges of the bins in order.
        range: from where to where equal bins reach; by default from the least to the greatest.
        weight: of each element, in place of 1.
        density: divide so that the integral over all bins is 1.

    Returns:
        A named tuple ``(hist, bin_edges)``. The last bin contains its end.
    """
    _check_floating("histogramdd", input)
    points = input.detach().reshape(-1, 1)
    _check_weight((*input.shape, 1), weight)
    edges = _edges("histogram", points, [bins], range)
    return return_types.histogram((_histogram(points, edges, weight, density), edges[0]))


@composed(method=False)
def histogramdd(
    input: Tensor,
    bins: int | Sequence[Any],
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """`histogram` of points, ``(..., n)``, in boxes of n dimensions.

    Args:
        input: of a floating type.
        bins: for each dimension how many, or the edges; one number for all.
        range: the lower and the upper bound of each dimension, one after the other.
        weight: of each point, in place of 1.
        density: divide so that the integral over all boxes is 1.

    Returns:
        A named tuple ``(hist, bin_edges)``.
    """
    if input.ndim < 2:
        raise RuntimeError("torch.histogramdd: input tensor should have at least 2 dimensions")
    _check_floating("histogramdd", input)
    points = input.detach().reshape(-1, input.shape[-1])
    _check_weight(input.shape, weight)
    each = [bins] * input.shape[-1] if isinstance(bins, int) else list(bins)
    edges = _edges("histogramdd", points, each, range)
    return return_types.histogramdd((_histogram(points, edges, weight, density), tuple(edges)))


# ---- Places ----


def _check_boundaries(sequence: Tensor, values: Any, sorter: Tensor | None) -> None:
    name = "torch.searchsorted():"
    if sequence.ndim == 0:
        raise RuntimeError(
            f"{name} boundaries tensor should have positive dimension, but got 0 dimension"
        )
    number = not isinstance(values, Tensor) or values.ndim == 0
    if number and sequence.ndim != 1:
        raise RuntimeError(
            f"{name} input value can be a scalar only when boundaries tensor dimension is 1, but "
            f"we got boundaries tensor dim({sequence.ndim}) and input value's dim(0) numel(1)"
        )
    if not number and sequence.ndim != 1 and sequence.shape[:-1] != values.shape[:-1]:
        raise RuntimeError(
            f"{name} boundaries tensor should be 1 dimension or the first N-1 dimensions of "
            "boundaries tensor and input value tensor must match, but we got boundaries tensor "
            f"{list(sequence.shape)} and input value tensor {list(values.shape)}"
        )
    if sorter is not None:
        if sorter.shape != sequence.shape:
            raise RuntimeError(
                f"{name} boundary and sorter must have the same size, but got boundary tensor "
                f"{list(sequence.shape)} and got sorter tensor {list(sorter.shape)}"
            )
        if sorter.dtype.name != "int64":
            raise RuntimeError(
                f"{name} sorter must be a tensor of long dtype but got dtype "
                f"{LEGACY_NAMES[sorter.dtype.name]}"
            )


@composed(method=False)
@numpy_keywords
def searchsorted(
    sorted_sequence: Tensor,
    input: Tensor | Number,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where each element belongs among sorted boundaries: how many of them are less.

    Args:
        sorted_sequence: one dimension, or the dimensions of `input` but the last.
        input: the elements, or a number.
        out_int32: give int32 instead of int64.
        right: count boundaries that equal the element as well.
        side: ``"right"`` or ``"left"``, the same as `right`.
        sorter: indices that sort the boundaries.

    Raises:
        RuntimeError: for shapes that do not fit, and for `side` and `right` that disagree.
    """
    if side not in (None, "left", "right"):
        raise RuntimeError(
            f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}"
        )
    if side == "left" and right:
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left "
            "while right was True"
        )
    _check_boundaries(sorted_sequence, input, sorter)
    if sorter is not None:
        sorted_sequence = sorted_sequence.detach().gather(-1, sorter)
    if not isinstance(input, Tensor):
        input = sorted_sequence.new_tensor(input, dtype=None)
    boundaries, x = sorted_sequence._array, input._array
    K = kernels_of(boundaries, x)
    places = K.searchsorted(boundaries, x, right or side == "right")
    return Tensor._wrap(K.cast(places, np.dtype(np.int32)) if out_int32 else places)


@composed(method=False)
@numpy_keywords
def bucketize(
    input: Tensor | Number,
    boundaries: Tensor,
    *,
    out_int32: bool = False,
    right: bool = False,
) -> Tensor:
    """Where each element belongs among sorted boundaries in one dimension; see `searchsorted`."""
    if boundaries.ndim != 1:
        raise RuntimeError(
            f"bucketize(): boundaries tensor must be 1 dimension, but got dim({boundaries.ndim})"
        )
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)
