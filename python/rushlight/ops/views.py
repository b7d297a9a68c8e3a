"""Views by dimensions moved, merged or named; windows, diagonals, parts, and bytes read anew."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight import dtypes
from rushlight.autograd.site import warn
from rushlight.backend.common import named
from rushlight.ops._registry import composed, op
from rushlight.ops.rearrange import Ints, listed
from rushlight.ops.reduction import sum_to
from rushlight.ops.shape import (
    expand,
    narrow,
    permute,
    reshape,
    split,
    transpose,
    unsqueeze,
    view,
)
from rushlight.size import Size, wrap
from rushlight.tensor import Tensor

# ---- Dimensions moved ----


@composed()
def movedim(input: Tensor, source: Ints, destination: Ints) -> Tensor:
    """A view with the dimensions `source` at the positions `destination`, the others in order."""
    sources, targets = listed(source, ()), listed(destination, ())
    if len(sources) != len(targets):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(sources)} dims) should "
            f"contain the same number of dims as destination ({list(targets)} dims)"
        )
    ndim = input.ndim
    taken, placed = ([wrap(d, ndim) for d in dims] for dims in (sources, targets))
    for name, dims, given in (("source", taken, sources), ("destination", placed, targets)):
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(given)})")
    if ndim == 0:
        return input.view(())
    rest = iter(d for d in range(ndim) if d not in taken)
    order = [taken[placed.index(d)] if d in placed else next(rest) for d in range(ndim)]
    return permute(input, order)


@composed()
def moveaxis(input: Tensor, source: Ints, destination: Ints) -> Tensor:
    """Another name of `movedim`."""
    return movedim(input, source, destination)


@composed()
def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """Another name of `transpose`."""
    return transpose(input, axis0, axis1)


@composed()
def swapdims(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Another name of `transpose`."""
    return transpose(input, dim0, dim1)


@composed()
def adjoint(input: Tensor) -> Tensor:
    """The transposed matrices in the last two dimensions, conjugated if there were such."""
    return _matrices_transposed(input, "adjoint()")


_IDENTITY = "is deprecated on 0-D tensors. This function is the identity in these cases."


def _matrices_transposed(input: Tensor, name: str) -> Tensor:
    if input.ndim == 0:
        _warn(f"Tensor.{name} {_IDENTITY}")
        return input
    if input.ndim == 1:
        raise RuntimeError(
            f"tensor.{name} is only supported on matrices or batches of matrices. Got 1-D tensor."
        )
    return transpose(input, -2, -1)


def _warn(words: str) -> None:
    warn(words, UserWarning)


def _reversed(self: Tensor) -> Tensor:
    """All dimensions in reverse order, as a view."""
    if self.ndim == 0:
        _warn(
            "Tensor.T is deprecated on 0-D tensors. This function is the identity in these cases."
        )
    elif self.ndim != 2:
        _warn(
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is "
            "deprecated and it will throw an error in a future release. Consider `x.mT` to "
            "transpose batches of matrices or `x.permute(*torch.arange(x.ndim - 1, -1, -1))` to "
            "reverse the dimensions of a tensor."
        )
    return permute(self, tuple(range(self.ndim))[::-1])


def _transposed_matrix(self: Tensor) -> Tensor:
    """The transposed matrix, as a view."""
    if self.ndim == 0:
        _warn("Tensor.H is deprecated on 0-D tensors. Consider using x.conj().")
    elif self.ndim != 2:
        raise RuntimeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {self.ndim}-D tensor."
            + " For batches of matrices, consider using tensor.mH" * (self.ndim > 2)
        )
    return transpose(self, 0, 1) if self.ndim else self


Tensor.T = property(_reversed)  # type: ignore[assignment]
Tensor.H = property(_transposed_matrix)  # type: ignore[attr-defined]
Tensor.mT = property(lambda self: _matrices_transposed(self, "mT"))  # type: ignore[assignment]
Tensor.mH = property(lambda self: _matrices_transposed(self, "mH"))  # type: ignore[attr-defined]


# ---- Dimensions merged, added, repeated ----


@composed()
def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension: a view where strides allow it, else a copy."""
    return reshape(input, -1)


@composed()
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """``input.reshape(other.shape)``."""
    return reshape(input, other.shape)


@composed()
def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """Another name of `expand`."""
    return expand(input, size)


@composed(method=False)
def broadcast_shapes(*shapes: int | Sequence[int]) -> Size:
    """What tensors of these shapes broadcast to.

    Raises:
        RuntimeError: for shapes that do not broadcast.
        ValueError: for a negative size.
    """
    sizes = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    result = [1] * max(map(len, sizes), default=0)
    for i, shape in enumerate(sizes):
        for d in range(-1, -len(shape) - 1, -1):
            n = shape[d]
            if n < 0:
                raise ValueError("Attempting to broadcast a dimension with negative length!")
            if n not in (1, result[d]) and result[d] != 1:
                raise RuntimeError(
                    f"Attempting to broadcast a dimension of length {n} at {d}! Mismatching "
                    f"argument at index {i} had {shape}; but expected shape should be "
                    f"broadcastable to {result}"
                )
            if n != 1:
                result[d] = n
    return Size(result)


@composed(method=False)
def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Views of all the tensors in the shape that they broadcast to."""
    given = several(tensors)
    try:
        shape = broadcast_shapes(*(x.shape for x in given))
    except RuntimeError:
        _refuse_broadcast(given)
    return tuple(expand(x, shape) for x in given)


def _refuse_broadcast(tensors: Sequence[Tensor]) -> None:
    """Names the first two sizes that do not go together."""
    for x, y in itertools.combinations(tensors, 2):
        for d in range(1, min(x.ndim, y.ndim) + 1):
            n, m = x.shape[-d], y.shape[-d]
            if n != m and 1 not in (n, m):
                raise RuntimeError(
                    f"The size of tensor a ({n}) must match the size of tensor b ({m}) at "
                    f"non-singleton dimension {max(x.ndim, y.ndim) - d}"
                )


def _sum_to_size(self: Tensor, size: Ints, *more: int) -> Tensor:
    """The sum over what broadcasting from this shape to the tensor's has added or repeated."""
    shape = listed(size, more)
    try:
        fits = tuple(broadcast_shapes(shape, self.shape)) == tuple(self.shape)
    except RuntimeError:
        fits = False
    if not fits:
        raise RuntimeError(
            f"size {{{list(shape)}}} is not expandable to size {{{list(self.shape)}}}."
        )
    return sum_to(self, shape)


Tensor.sum_to_size = _sum_to_size  # type: ignore[attr-defined]


def several(tensors: Sequence[Any]) -> Sequence[Tensor]:
    """``f(x, y)`` and ``f([x, y])`` alike."""
    if len(tensors) == 1 and not isinstance(tensors[0], Tensor):
        tensors = tensors[0]
    for x in tensors:
        if not isinstance(x, Tensor):
            raise TypeError(
                f"expected Tensor as element of the tensors, but got {type(x).__name__}"
            )
    return tensors


def _each(tensors: Sequence[Any], enlarge: Callable[[Tensor], Tensor]) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return enlarge(tensors[0])
    return tuple(map(enlarge, several(tensors)))


@composed(method=False)
def atleast_1d(*tensors: Tensor | Sequence[Tensor]) -> Any:
    """Views with at least one dimension; of several tensors a tuple."""
    return _each(tensors, lambda x: x if x.ndim else reshape(x, 1))


@composed(method=False)
def atleast_2d(*tensors: Tensor | Sequence[Tensor]) -> Any:
    """Views with at least two dimensions, of which new ones come first."""
    return _each(tensors, lambda x: x if x.ndim > 1 else unsqueeze(atleast_1d(x), 0))


@composed(method=False)
def atleast_3d(*tensors: Tensor | Sequence[Tensor]) -> Any:
    """Views with at least three dimensions: ``(1, n, 1)`` and ``(n, m, 1)``."""
    return _each(tensors, lambda x: x if x.ndim > 2 else unsqueeze(atleast_2d(x), -1))


# ---- Windows and diagonals ----


@op(
    input=lambda K, g, input_shape, offset, dim1, dim2: K.diagonal_scatter(
        K.new_zeros(g, input_shape), g, offset, dim1, dim2
    ),
    view=True,
)
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The view of a diagonal of two dimensions, as the last dimension.

    Raises:
        RuntimeError: where both dimensions are the same.
    """


@op(
    input=lambda K, g, input_shape, dimension, size, step: K.unfold_backward(
        g, input_shape, dimension, size, step
    ),
    view=True,
)
def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """The view of all windows of `size` along `dimension`, `step` apart, in a new last dimension.

    Raises:
        RuntimeError: for a size that is negative or too large, and for a step that is not positive.
    """


# ---- Parts ----


@composed()
def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Views of consecutive slices along `dim`, of the given sizes."""
    if any(n < 0 for n in split_sizes):
        raise RuntimeError(
            "split_with_sizes expects split_sizes have only non-negative entries, but got "
            f"split_sizes={list(split_sizes)}"
        )
    return split(input, list(split_sizes), dim)


@composed()
def tensor_split(
    input: Tensor,
    indices_or_sections: int | Sequence[int] | Tensor | None = None,
    dim: int = 0,
    *,
    indices: Sequence[int] | None = None,
    sections: int | None = None,
) -> tuple[Tensor, ...]:
    """Views of parts along `dim`: nearly equal ones, or those between given positions.

    Args:
        input: the whole.
        indices_or_sections: the number of parts, or the positions between them; a tensor of int64
            of no or one dimension will do.
        dim: a dimension.
        indices: the positions.
        sections: the number of parts.
    """
    if input.ndim == 0:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    size = input.size(dim)
    cuts: Any = next(c for c in (indices_or_sections, indices, sections) if c is not None)
    if isinstance(cuts, Tensor):
        if cuts.ndim > 1:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or "
                f"one-dimensional tensor, but got a tensor with {cuts.ndim} dims"
            )
        if cuts.dtype is not dtypes.int64:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to have dtype of long, but got "
                f"{dtypes.LEGACY_NAMES[cuts.dtype.name]}"
            )
        cuts = cuts.tolist()
    if isinstance(cuts, int):
        if cuts <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {cuts}")
        least, longer = divmod(size, cuts)
        cuts = [i * least + min(i, longer) for i in range(1, cuts)]
    bounds = [slice(a, b).indices(size)[:2] for a, b in itertools.pairwise([0, *cuts, size])]
    return tuple(narrow(input, dim, a, max(b - a, 0)) for a, b in bounds)


def _split_along(name: str, least: int, doc: str) -> None:
    def function(
        input: Tensor,
        split_size_or_sections: int | Sequence[int] | None = None,
        *,
        indices: Sequence[int] | None = None,
        sections: int | None = None,
    ) -> tuple[Tensor, ...]:
        ndim = input.ndim
        if ndim < least:
            raise RuntimeError(
                f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor "
                f"with {ndim} dimensions!"
            )
        dim = 0 if ndim == 1 else "vhd".index(name[0])
        given = (split_size_or_sections, indices, sections)
        cuts: Any = next(c for c in given if c is not None)
        if isinstance(cuts, int) and (cuts == 0 or input.size(dim) % cuts):
            raise RuntimeError(
                f"torch.{name} attempted to split along dimension {dim}, but the size of the "
                f"dimension {input.size(dim)} is not divisible by the split_size {cuts}!"
            )
        return tensor_split(input, cuts, dim)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    composed()(function)


_split_along("hsplit", 1, "`tensor_split` into columns: along dimension 1, of a vector along 0.")
_split_along("vsplit", 2, "`tensor_split` into rows: along dimension 0.")
_split_along("dsplit", 3, "`tensor_split` along dimension 2.")


# ---- Copies with a part replaced ----


def _fitting(src: Any, shape: tuple[int, ...]) -> None:
    if src.shape != shape:
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(src.shape)}, slice size = {list(shape)}"
        )


def _selection(ndim: int, dim: int, index: int) -> tuple[Any, ...]:
    return (*(slice(None),) * (dim % ndim), index)


def _select_scattered(K: Any, input: Any, src: Any, dim: int, index: int) -> Any:
    _fitting(src, K.select(input, dim, index).shape)
    return K.replaced(input, _selection(input.ndim, dim, index), None, src)


@op(
    input=lambda K, g, dim, index: K.replaced(g, _selection(g.ndim, dim, index), None, 0),
    src=lambda K, g, dim, index: K.select(g, dim, index),
    forward=_select_scattered,
)
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy with `src` in place of the slice ``input.select(dim, index)``."""


def slice_range(
    ndim: int, dim: int, start: int | None, end: int | None, step: int
) -> tuple[slice, ...]:
    """The index of ``start:end:step`` along `dim`."""
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    return (*(slice(None),) * wrap(dim, ndim), slice(start, end, step))


def _slice_scattered(
    K: Any, input: Any, src: Any, dim: int, start: int | None, end: int | None, step: int
) -> Any:
    index = slice_range(input.ndim, dim, start, end, step)
    _fitting(src, K.getitem(input, index).shape)
    return K.replaced(input, index, None, src)


@op(
    input=lambda K, g, dim, start, end, step: K.replaced(
        g, slice_range(g.ndim, dim, start, end, step), None, 0
    ),
    src=lambda K, g, dim, start, end, step: K.getitem(
        g, slice_range(g.ndim, dim, start, end, step)
    ),
    forward=_slice_scattered,
)
def slice_scatter(
    input: Tensor,
    src: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Tensor:
    """A copy with `src` in place of the slices ``start:end:step`` along `dim`."""


# ---- The bytes, read anew ----


def _check_bytes(array: Any, dtype: np.dtype[Any]) -> None:
    """Whether elements of one size can be read as of another."""
    size, wanted = array.dtype.itemsize, dtype.itemsize
    if size == wanted:
        return
    words = f"to view {named(array.dtype)} as {named(dtype)} (different element sizes)"
    if array.ndim == 0:
        raise RuntimeError(f"self.dim() cannot be 0 {words}")
    if array.strides[-1] != size and array.shape[-1] > 1:
        raise RuntimeError(
            f"self.stride(-1) must be 1 {words}, but got {array.strides[-1] // size}"
        )
    ratio = max(wanted // size, 1)
    if array.shape[-1] % ratio:
        raise RuntimeError(
            f"self.size(-1) must be divisible by {ratio} {words}, but got {array.shape[-1]}"
        )
    if any(s % wanted for s in array.strides[:-1]):
        raise RuntimeError(f"self.stride must be divisible by {ratio} {words}")


def _view(input: Tensor, *size: Any, dtype: dtypes.dtype | None = None) -> Tensor:
    """The same memory in another shape, one size of which may be -1, or as another dtype.

    Raises:
        RuntimeError: where the shape does not fit, or the strides do not allow a view.
    """
    if dtype is None and len(size) == 1 and isinstance(size[0], dtypes.dtype):
        dtype = size[0]
    if dtype is not None:  # the same bytes read as numbers that have no gradient
        _check_bytes(input._array, dtype.numpy)
        return Tensor._over(input._array.view(dtype.numpy), input._counter)  # type: ignore[no-any-return]
    if not size:
        raise TypeError("view() received an invalid combination of arguments - got ()")
    return view(input, *size)


Tensor.view = _view  # type: ignore[attr-defined]
