"""Tensors side by side, on top of each other, and combined with each other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from rushlight.autograd.site import warn
from rushlight.dtypes import int64
from rushlight.ops._registry import composed
from rushlight.ops.creation import empty
from rushlight.ops.joining import cat, stack
from rushlight.ops.shape import expand, reshape
from rushlight.ops.views import atleast_1d, atleast_2d, atleast_3d, several
from rushlight.tensor import Tensor

Tensors = Sequence[Tensor]


@composed(method=False)
def concat(
    tensors: Tensors, dim: int = 0, *, out: Tensor | None = None, axis: int | None = None
) -> Tensor:
    """Another name of `cat`."""
    return cat(tensors, dim if axis is None else axis, out=out)


@composed(method=False)
def concatenate(
    tensors: Tensors, dim: int = 0, *, out: Tensor | None = None, axis: int | None = None
) -> Tensor:
    """Another name of `cat`."""
    return cat(tensors, dim if axis is None else axis, out=out)


def _given(name: str, tensors: Tensors) -> Tensors:
    if isinstance(tensors, Tensor):
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor"
        )
    if not tensors:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return several([tensors])


@composed(method=False)
def hstack(tensors: Tensors, *, out: Tensor | None = None) -> Tensor:
    """Side by side: along dimension 1, vectors along 0."""
    parts = atleast_1d(_given("hstack", tensors))
    return cat(parts, 0 if parts[0].ndim == 1 else 1, out=out)


@composed(method=False)
def vstack(tensors: Tensors, *, out: Tensor | None = None) -> Tensor:
    """On top of each other: along dimension 0, vectors as rows."""
    return cat(atleast_2d(_given("vstack", tensors)), 0, out=out)


@composed(method=False)
def row_stack(tensors: Tensors, *, out: Tensor | None = None) -> Tensor:
    """Another name of `vstack`."""
    return vstack(tensors, out=out)


@composed(method=False)
def dstack(tensors: Tensors, *, out: Tensor | None = None) -> Tensor:
    """Behind each other: along dimension 2."""
    return cat(atleast_3d(_given("dstack", tensors)), 2, out=out)


@composed(method=False)
def column_stack(tensors: Tensors, *, out: Tensor | None = None) -> Tensor:
    """Side by side, vectors as columns."""
    parts = _given("column_stack", tensors)
    columns = [x if x.ndim > 1 else reshape(x, (x.numel(), 1)) for x in parts]
    return hstack(columns, out=out)


@composed(method=False)
def block_diag(*tensors: Tensor) -> Tensor:
    """The matrix with these matrices along its diagonal, zeros elsewhere; vectors are rows."""
    blocks = several(tensors)
    for i, x in enumerate(blocks):
        if x.ndim > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. "
                f"Input {i} has {x.ndim} dimensions"
            )
    if not blocks:
        return empty(1, 0)
    matrices = atleast_2d(blocks)
    width = sum(x.size(1) for x in matrices)
    rows, start = [], 0
    for x in matrices:
        height, n = x.shape
        before, after = x.new_zeros((height, start)), x.new_zeros((height, width - start - n))
        rows.append(cat([before, x, after], 1))
        start += n
    return cat(rows, 0)


# ---- Combined with each other ----


@composed(method=False)
def meshgrid(*tensors: Tensor | Tensors, indexing: str | None = None) -> tuple[Tensor, ...]:
    """For each vector its values all over a grid, as views.

    Args:
        tensors: vectors, or tensors without dimensions, of one dtype.
        indexing: ``"ij"``: each vector has its dimension, in order; ``"xy"``: the first two are
            exchanged.

    Raises:
        RuntimeError: for another `indexing`, dtypes that differ, and tensors of more dimensions.
    """
    given = several(tensors)
    if indexing is None:
        warn(
            "torch.meshgrid: in an upcoming release, it will be required to pass the indexing "
            "argument.",
            UserWarning,
        )
        indexing = "ij"
    if indexing not in ("ij", "xy"):
        raise RuntimeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    if not given:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if any(x.dtype is not given[0].dtype for x in given):
        raise RuntimeError("meshgrid expects all tensors to have the same dtype")
    for x in given:
        if x.ndim > 1:
            raise RuntimeError(
                "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: "
                f"{list(x.shape)}"
            )
    swapped = indexing == "xy" and len(given) > 1
    order = [given[1], given[0], *given[2:]] if swapped else given
    shape = [x.numel() for x in order]
    grids = []
    for d, x in enumerate(order):
        own = [1] * len(shape)
        own[d] = shape[d]
        grids.append(expand(reshape(x, own), shape))
    return tuple([grids[1], grids[0], *grids[2:]] if swapped else grids)


@composed(method=False)
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """A row for each choice of one element from each vector."""
    given = several(tensors)
    for x in given:
        if x.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(x.shape)}")
    if len(given) == 1:
        return given[0]
    columns = meshgrid(*given, indexing="ij")
    return column_stack([reshape(x, -1) for x in columns])


@composed()
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """A row for each choice of `r` elements of a vector, in order."""
    if input.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return input.new_empty((0,))
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = list(choose(range(input.numel()), r))
    index = input.new_tensor(places, dtype=int64).reshape(len(places), r)
    return input.index_select(0, index.reshape(-1)).reshape(len(places), r)


@composed(method=False)
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:  # noqa: N803
    """Powers of a vector's elements as columns, the highest, ``N - 1``, first or last.

    Args:
        x: a vector.
        N: the number of columns, as many as elements by default.
        increasing: the power 0 first.
    """
    if x.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    count = x.numel() if N is None else N
    if count < 0:
        raise RuntimeError("N must be non-negative.")
    kind = x if x.is_floating_point() else x.to(int64)
    powers = [kind.new_ones((x.numel(),))]
    while len(powers) < count:
        powers.append(powers[-1] * kind)
    if not count:
        return kind.new_empty((x.numel(), 0))
    return stack(powers if increasing else powers[::-1], 1)
