"""Copies with the elements in another order, repeated, or between zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rushlight.ops._arguments import written
from rushlight.ops._registry import composed, op
from rushlight.size import wrap, wrap_all
from rushlight.tensor import Tensor

Ints = int | Sequence[int]


def listed(first: Any, more: tuple[int, ...]) -> tuple[int, ...]:
    """``f(2, 3)`` and ``f((2, 3))`` alike."""
    if more or isinstance(first, int):
        return (first, *more)
    return tuple(first)


# ---- Another order ----


@op(
    input=lambda K, g, dims: K.flip(g, dims),
    node="FlipBackward0",
    method=False,
    forward=lambda K, input, dims: K.flip(input, dims),
)
def reversed_along(input: Tensor, dims: tuple[int, ...]) -> Tensor:
    """`flip` with dimensions counted from the front."""


@composed()
def flip(input: Tensor, dims: Ints, *more: int) -> Tensor:
    """A copy with the order along `dims` reversed."""
    return reversed_along(input, wrap_all(listed(dims, more), input.ndim))


@composed()
def fliplr(input: Tensor) -> Tensor:
    """A copy with the columns, dimension 1, in reverse order."""
    if input.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip(input, 1)


@composed()
def flipud(input: Tensor) -> Tensor:
    """A copy with the rows, dimension 0, in reverse order."""
    if input.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip(input, 0)


@composed()
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """A copy turned `k` times by 90 degrees, from the first of two dimensions to the second."""
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.ndim}")
    first, second = (wrap(d, input.ndim) for d in dims)
    if first == second:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
        )
    turns = k % 4
    if turns == 0:
        return input.clone()
    if turns == 2:
        return flip(input, (first, second))
    return flip(input, second if turns == 1 else first).transpose(first, second)


@op(
    input=lambda K, g, shifts, dims: K.roll(g, tuple(-s for s in shifts), dims),
    node="RollBackward0",
    method=False,
    forward=lambda K, input, shifts, dims: K.roll(input, shifts, dims),
)
def rolled(input: Tensor, shifts: tuple[int, ...], dims: tuple[int, ...]) -> Tensor:
    """`roll` with tuples."""


@composed()
def roll(input: Tensor, shifts: Ints, dims: Ints = ()) -> Tensor:
    """A copy with the elements moved on by `shifts` along `dims`; the last come first.

    Without `dims` the elements move in one row.
    """
    shifts, dims = listed(shifts, ()), listed(dims, ())
    if not shifts:
        raise RuntimeError("`shifts` required")
    if len(dims) != len(shifts) and (dims or len(shifts) > 1):
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}"
        )
    return rolled(input, shifts, tuple(wrap(d, input.ndim, scalar=False) for d in dims))


# ---- Repeated ----


def _repeat_gradient(K: Any, g: Any, shape: tuple[int, ...], repeats: tuple[int, ...]) -> Any:
    sizes = (1,) * (len(repeats) - len(shape)) + shape
    split = [n for pair in zip(repeats, sizes, strict=True) for n in pair]
    if not split:
        return g
    return K.reshape(K.sum(K.reshape(g, split), tuple(range(0, len(split), 2)), False), shape)


@op(
    input=lambda K, g, input_shape, repeats: _repeat_gradient(K, g, input_shape, repeats),
    node="RepeatBackward0",
    method=False,
    forward=lambda K, input, repeats: K.repeat(input, repeats),
)
def repeated(input: Tensor, repeats: tuple[int, ...]) -> Tensor:
    """`repeat` with a tuple."""


def _repeat(input: Tensor, repeats: Ints, *more: int) -> Tensor:
    """A copy, as many times along each dimension as `repeats` says; further ones come first.

    Raises:
        RuntimeError: for fewer numbers than dimensions, and for a negative one.
    """
    counts = listed(repeats, more)
    if len(counts) < input.ndim:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    if any(n < 0 for n in counts):
        sizes = (1,) * (len(counts) - input.ndim) + tuple(input.shape)
        target = [n * m for n, m in zip(counts, sizes, strict=True)]
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {min(target)}: {target}"
        )
    return repeated(input, counts)


Tensor.repeat = _repeat  # type: ignore[attr-defined]


@composed()
def tile(input: Tensor, dims: Ints, *more: int) -> Tensor:
    """`repeat`, in which numbers for the first dimensions may be left out."""
    counts = listed(dims, more)
    return _repeat(input, (1,) * (input.ndim - len(counts)) + counts)


@composed()
def repeat_interleave(
    input: Tensor,
    repeats: int | Tensor | None = None,
    dim: int | None = None,
    *,
    output_size: int | None = None,
) -> Tensor:
    """Each slice along `dim` as often as `repeats` says, one after the other.

    Args:
        input: the slices; without `repeats`, the numbers of times that 0, 1, ... occur.
        repeats: one number for all, or a vector of int32 or int64.
        dim: None: over all elements.
        output_size: the sum of `repeats`.
    """
    if repeats is None:
        return _occurrences(input, output_size)
    if dim is None:
        input, dim = input.flatten(), 0
    dim = wrap(dim, input.ndim)
    size = input._array.shape[dim] if input.ndim else 1
    if isinstance(repeats, Tensor) and repeats.ndim == 0:
        repeats = repeats.reshape(1)
    if isinstance(repeats, int):
        if repeats < 0:
            raise RuntimeError("Repeats must be non-negative")
        shape = input._array.shape
        wide = input.unsqueeze(dim + 1) if input.ndim else input
        copy = wide.expand(*shape[: dim + 1], repeats, *shape[dim + 1 :]).contiguous()
        copy = copy if repeats != 1 else copy.clone()
        return copy.flatten(dim, dim + 1) if input.ndim else copy
    if repeats.ndim == 1 and repeats.numel() == 1:
        repeats = repeats.expand(size)
    if repeats.ndim == 1 and repeats.numel() != size:
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{repeats.numel()} and input.size({dim}) = {size}"
        )
    return input.index_select(dim, _occurrences(repeats, output_size))


def _occurrences(repeats: Tensor, total: int | None) -> Tensor:
    """0 as often as ``repeats[0]`` says, 1 as often as ``repeats[1]``, and so on."""
    array = repeats._array
    if repeats.ndim != 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if array.dtype.name not in ("int32", "int64"):
        raise NotImplementedError(
            f"\"repeat_interleave_cpu\" not implemented for '{array.dtype.name}'"
        )
    xp = array.__array_namespace__()
    if array.size and int(array.min()) < 0:
        raise RuntimeError("repeats can not be negative")
    places = xp.repeat(xp.arange(array.size, dtype=array.dtype), array.tolist())
    if total is not None and places.size != total:
        raise RuntimeError("allocated size does not match required size")
    return Tensor._wrap(places)


# ---- Between zeros ----


@op(input=lambda K, g, diagonal: K.tril(g, diagonal), inplace=True)
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangles of matrices, up to the `diagonal`-th above the main one; else zeros."""


@op(input=lambda K, g, diagonal: K.triu(g, diagonal), inplace=True)
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangles of matrices, from the `diagonal`-th above the main one; else zeros."""


@op(
    input=lambda K, g, src_shape, offset, dim1, dim2: K.diagonal_scatter(
        g, K.new_zeros(g, src_shape), offset, dim1, dim2
    ),
    src=lambda K, g, offset, dim1, dim2: K.diagonal(g, offset, dim1, dim2),
)
def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """A copy with `src` on a diagonal of two dimensions, as `diagonal` would show it."""


@composed()
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices, in dimensions `dim1` and `dim2`, with the last dimension on their diagonals."""
    ndim = input.ndim + 1
    first, second = wrap(dim1, ndim), wrap(dim2, ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    *shape, size = input._array.shape
    for dim in sorted((first, second)):
        shape.insert(dim, size + abs(offset))
    return diagonal_scatter(input.new_zeros(shape), input, offset, first, second)


@composed()
def diag(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The matrix with a vector on a diagonal; of a matrix, a copy of its diagonal."""
    if input.ndim not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    vector = input.ndim == 1
    result = diag_embed(input, diagonal) if vector else input.diagonal(diagonal).clone()
    return result if out is None else written("diag", out, result)


@composed()
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix with all elements on a diagonal."""
    return diag_embed(input.contiguous().view(-1), offset)


@composed()
def fill_diagonal_(input: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """Writes a number on the main diagonal, and with `wrap` on those below it in a tall matrix.

    Raises:
        RuntimeError: for fewer than two dimensions, and for more of which sizes differ.
    """
    sizes = tuple(input.shape)
    if len(sizes) < 2:
        raise RuntimeError("dimensions must larger than 1")
    if len(sizes) > 2 and len(set(sizes)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    start, step = input.storage_offset(), sum(input.stride())
    input.as_strided((min(sizes),), (step,), start).fill_(fill_value)
    rows, columns = sizes[-2:]
    if wrap and len(sizes) == 2 and rows > columns + 1:
        fill_diagonal_(input[columns + 1 :], fill_value, wrap)
    return input


@op(
    grad=lambda K, g, dim, size, step: K.unfold(g, dim, size, step),
    method=False,
)
def unfold_backward(grad: Tensor, shape: tuple[int, ...], dim: int, size: int, step: int) -> Tensor:
    """Zeros of `shape` to which the windows that `unfold` took are added back."""
