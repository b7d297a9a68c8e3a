"""Kernels that need no kernel: NumPy and CuPy arrays offer them under the same names.

Every function takes and returns arrays of one backend. Those that return views copy nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = [
    "diagonal",
    "enter_batch",
    "fill_",
    "flip",
    "frexp",
    "getitem",
    "joined",
    "leave_batch",
    "narrow",
    "permute",
    "plane_gather",
    "replaced",
    "replaced_",
    "reshape",
    "select",
    "split",
    "spread",
    "squeeze",
    "transpose",
    "unbind",
    "unsqueeze",
    "view",
    "zeros_like",
]

Array = Any


def namespace(x: Array) -> Any:
    """NumPy or CuPy, whichever `x` belongs to."""
    return x.__array_namespace__()


def frexp(x: Array) -> tuple[Array, Array]:
    """The mantissas, between 0.5 and 1 in size, and the int32 exponents of floats."""
    xp = namespace(x)
    mantissa, exponent = xp.frexp(x)
    return xp.asarray(mantissa), xp.asarray(exponent).astype("int32", copy=False)


def address(x: Array) -> int:
    """Where the first element lies."""
    interface = getattr(x, "__array_interface__", None)
    return int(interface["data"][0]) if interface is not None else int(x.data.ptr)


def zeros_like(x: Array) -> Array:
    """Zeros of the shape and type of `x`."""
    return namespace(x).zeros(x.shape, x.dtype)


def joined(
    parts: Sequence[Array | None], shape: Sequence[int], dim: int, sizes: Sequence[int]
) -> Array:
    """An array of `shape` of which each part, or zeros where it is None, fills a size of `dim`."""
    known = next(p for p in parts if p is not None)
    out = namespace(known).zeros(tuple(shape), known.dtype)
    start = 0
    for part, size in zip(parts, sizes, strict=True):
        if part is not None:
            out[(slice(None),) * dim + (slice(start, start + size),)] = part
        start += size
    return out


def split(x: Array, dim: int, sizes: Sequence[int]) -> list[Array]:
    """Views of consecutive slices along `dim`, of the given sizes."""
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    before = (slice(None),) * dim
    slices = (slice(a, a + n) for a, n in zip(starts, sizes, strict=True))
    return [x[(*before, s)] for s in slices]


def unbind(x: Array, dim: int) -> list[Array]:
    """The views of all slices along `dim`."""
    before = (slice(None),) * dim
    return [x[(*before, i, ...)] for i in range(x.shape[dim])]


def _infer(shape: Sequence[int], size: int) -> tuple[int, ...]:
    """The shape with its -1 replaced, for `size` elements."""
    known = 1
    for n in shape:
        if n != -1:
            if n < -1:
                raise RuntimeError(f"invalid shape dimension {n}")
            known *= n
    unknown = sum(n == -1 for n in shape)
    if unknown > 1:
        raise RuntimeError("only one dimension can be inferred")
    if unknown and known == 0:
        raise RuntimeError(
            f"cannot reshape tensor of 0 elements into shape {list(shape)} because the "
            "unspecified dimension size -1 can be any value and is ambiguous"
        )
    if (known != size and not unknown) or (unknown and size % known):
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
    return tuple(size // known if n == -1 else n for n in shape)


def reshape(x: Array, shape: Sequence[int]) -> Array:
    """The elements in another shape: a view where strides allow it."""
    return x.reshape(_infer(shape, x.size))


def view(x: Array, shape: Sequence[int]) -> Array:
    """The elements in another shape, as a view."""
    target = _infer(shape, x.size)
    if x.flags.c_contiguous:
        return x.reshape(target)
    try:
        return x.reshape(target, copy=False)
    except ValueError:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead. "
            f"Got shape {list(x.shape)} for {list(target)}."
        ) from None


def transpose(x: Array, dim0: int, dim1: int) -> Array:
    """A view with two dimensions exchanged."""
    return x.swapaxes(dim0, dim1) if x.ndim else x.view()


def permute(x: Array, dims: Sequence[int]) -> Array:
    """A view with its dimensions in another order."""
    return x.transpose(tuple(dims))


def squeeze(x: Array, dims: Sequence[int] | None) -> Array:
    """A view without the dimensions of size 1, all or the given ones."""
    if dims is None:
        return x.squeeze()
    wrapped = {d % x.ndim for d in dims} if x.ndim else set()
    return x.reshape([n for d, n in enumerate(x.shape) if d not in wrapped or n != 1], copy=False)


def unsqueeze(x: Array, dim: int) -> Array:
    """A view with a dimension of size 1 inserted at `dim`."""
    index: list[Any] = [slice(None)] * x.ndim
    index.insert(dim if dim >= 0 else dim + x.ndim + 1, None)
    return x[tuple(index)]


def narrow(x: Array, dim: int, start: int, length: int) -> Array:
    """The view of `length` slices along `dim` from `start` on."""
    size = x.shape[dim]
    if start < 0:
        start += size
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if not 0 <= start <= size:
        raise IndexError(
            f"start out of range (expected to be in range of [{-size}, {size}], but got {start})"
        )
    if start + length > size:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    return x[(slice(None),) * (dim % x.ndim) + (slice(start, start + length),)]


def select(x: Array, dim: int, index: int) -> Array:
    """The view of one slice along `dim`."""
    size = x.shape[dim]
    if not -size <= index < size:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(x.shape)} at "
            f"dimension {dim}"
        )
    position = (*(slice(None),) * (dim % x.ndim), index, ...)  # `...`: a 0-dim result, no scalar
    return x[position]


def getitem(x: Array, index: Any) -> Array:
    """``x[index]``: a view for ints, slices, None and Ellipsis, else a copy."""
    try:
        result = x[index]
    except TypeError:
        from rushlight.backend import kernels_of

        kernels = kernels_of(x, *(index if isinstance(index, tuple) else (index,)))
        if kernels_of(x) is kernels:
            raise
        return kernels.getitem(x, index)  # a batch is among the indices
    if isinstance(result, type(x)):
        return result
    position = (*(index if isinstance(index, tuple) else (index,)), ...)
    return x[position]


def replaced(x: Array, index: Any, value: Any) -> Array:
    """A copy of `x` with ``[index] = value``."""
    out = x.copy()
    replaced_(out, index, value)
    return out


def replaced_(x: Array, index: Any, value: Any) -> None:
    """``x[index] = value`` in place."""
    if hasattr(value, "kernels") and not hasattr(x, "kernels"):
        raise TypeError("a batch has kernels of its own")  # which the caller turns to
    if 0 in x.strides:
        _check_no_overlap(x, index)
    try:
        x[index] = value
    except ValueError as error:
        if "read-only" in str(error):
            raise RuntimeError(
                "unsupported operation: more than one element of the written-to tensor refers to "
                "a single memory location, or the memory is read-only. Please clone() the tensor "
                "before performing the operation."
            ) from None
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(getattr(value, 'shape', ()))} cannot be "
            f"broadcast to indexing result; {error}"
        ) from None


def _check_no_overlap(x: Array, index: Any) -> None:
    items = index if isinstance(index, tuple) else (index,)
    if any(hasattr(i, "dtype") for i in items):
        return  # an index of arrays: PyTorch writes
    target = x[items if Ellipsis in items else (*items, ...)]
    if any(s == 0 and n > 1 for s, n in zip(target.strides, target.shape, strict=True)):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. Please clone() the tensor before performing the operation."
        )


def fill_(x: Array, value: Any) -> None:
    """Writes one value everywhere."""
    x[...] = value


def flip(x: Array, dims: Sequence[int]) -> Array:
    """A copy with the order along `dims` reversed."""
    index: list[Any] = [slice(None)] * x.ndim
    for d in dims:
        index[d] = slice(None, None, -1)
    return x[tuple(index)].copy()


def diagonal(x: Array, offset: int, dim1: int, dim2: int) -> Array:
    """The view of a diagonal of two dimensions, as the last dimension."""
    return x.diagonal(offset, dim1, dim2)


def plane_gather(x: Array, indices: Array) -> Array:
    """The elements of each plane of ``(..., h, w)`` at flat `indices` ``(..., i, j)``."""
    planes = x.reshape(-1, x.shape[-2] * x.shape[-1])
    flat = indices.reshape(planes.shape[0], -1)
    rows = (flat[:, :1] * 0 + 1).cumsum()[:, None] - 1  # 0, 1, ... on the indices' device
    return planes[rows, flat].reshape(indices.shape)


# ---- For vmap: see rushlight.backend.batched ----


def enter_batch(x: Array, level: Any, dim: int) -> Array:
    """The slices along `dim` as the samples of a batch."""
    from rushlight.backend.batched import rules

    return rules.enter_batch(x, level, dim)


def leave_batch(x: Array, level: Any, dim: int) -> Array:
    """The samples of a batch as the slices along `dim`."""
    from rushlight.backend.batched import rules

    return rules.leave_batch(x, level, dim)


def spread(x: Array, shape: Sequence[int]) -> Array:
    """The reverse of `sum_to`: repeats elements up to a shape, which may be that of a batch."""
    from rushlight.backend.batched import rules

    return rules.spread(x, shape)
