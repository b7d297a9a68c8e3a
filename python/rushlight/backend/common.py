"""Kernels that need no kernel: NumPy and CuPy arrays offer them under the same names.

Every function takes and returns arrays of one backend. Those that return views copy nothing.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight import _kernels
from rushlight.dtypes import LEGACY_NAMES
from rushlight.size import wrap

__all__ = [
    "diagonal",
    "enter_batch",
    "frexp",
    "getitem",
    "joined",
    "leave_batch",
    "narrow",
    "new_zeros",
    "permute",
    "plane_gather",
    "reshape",
    "select",
    "split",
    "spread",
    "squeeze",
    "transpose",
    "unbind",
    "unfold",
    "unsqueeze",
    "view",
    "zeros_like",
]

Array = Any

SHARED_MEMORY = (
    "unsupported operation: more than one element of the written-to tensor refers to a single "
    "memory location, or the memory is read-only. Please clone() the tensor before performing the "
    "operation."
)


# ---- What kernels are made of ----


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


def out_of_place(change: Callable[..., None]) -> Callable[..., Array]:
    """``f_`` as ``f``: changes a copy of its first argument and returns it."""

    @functools.wraps(change)
    def function(x: Array, *args: Any, **options: Any) -> Array:
        out = _kernels.copy(x) if isinstance(x, np.ndarray) else x.copy()
        change(out, *args, **options)
        return out

    function.__name__ = change.__name__.removesuffix("_")
    return function


def outside(index: Array, size: int) -> int | None:
    """An index that is negative or not below `size`; None where there is none."""
    # Taken as unsigned, a negative number is larger than any size: one pass finds both.
    if index.size == 0 or int(index.view(f"u{index.itemsize}").max()) < size:
        return None
    low = int(index.min())
    return low if low < 0 else int(index.max())


def check_bounds(index: Array, dim: int, size: int) -> None:
    """Raises RuntimeError for an index that is out of bounds."""
    if (found := outside(index, size)) is not None:
        raise RuntimeError(f"index {found} is out of bounds for dimension {dim} with size {size}")


def named(dtype: Any) -> str:
    """PyTorch's name of an element type in messages, such as ``Float``."""
    name: str = dtype.name
    return LEGACY_NAMES.get(name, name)


_C_NAMES = {
    "uint8": "uint8_t",
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int",
    "int64": "int64_t",
    "float32": "float",
    "float64": "double",
    "float16": "at::Half",
    "bfloat16": "at::BFloat16",
}


def number_for(dtype: np.dtype[Any], value: Any) -> Any:
    """A Python number as an element of this type takes it: floats are cut off for integers.

    Raises:
        RuntimeError: for one that no element can hold; negative ones wrap around in uint8.
    """
    if not isinstance(value, bool | int | float):
        return value
    if dtype.kind == "b":
        return bool(value)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        low = limits.min if dtype.kind == "i" else -limits.max
        if math.isfinite(value) and low <= int(value) <= limits.max:
            return int(value) % (limits.max + 1) if dtype.kind == "u" else int(value)
    else:
        with np.errstate(over="ignore"):
            if not math.isfinite(value) or np.isfinite(np.asarray(value).astype(dtype)):
                return value
    raise overflow(dtype)


def overflow(dtype: np.dtype[Any]) -> RuntimeError:
    """A number that no element of this type can hold."""
    name = _C_NAMES.get(dtype.name, dtype.name)
    return RuntimeError(f"value cannot be converted to type {name} without overflow")


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


# ---- Views ----


def split(x: Array, dim: int, sizes: Sequence[int]) -> list[Array]:
    """Views of consecutive slices along `dim`, of the given sizes."""
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    before = (slice(None),) * dim
    indices = [(*before, slice(a, a + n)) for a, n in zip(starts, sizes, strict=True)]
    return [x[index] for index in indices]


def unbind(x: Array, dim: int) -> list[Array]:
    """The views of all slices along `dim`."""
    before = (slice(None),) * dim
    indices = [(*before, i, ...) for i in range(x.shape[dim])]
    return [x[index] for index in indices]


def _infer(shape: Sequence[int], size: int) -> tuple[int, ...]:
    """The shape with its -1 replaced, for `size` elements."""
    known = 1
    for n in shape:
        if n != -1:
            if n < -1:
                raise RuntimeError(
                    f"invalid shape dimension {n} at index {list(shape).index(n)} of shape "
                    f"{list(shape)}"
                )
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
    if min(shape, default=0) >= -1:
        try:
            return x.reshape(shape)
        except ValueError:  # _infer says why
            pass
    return x.reshape(_infer(shape, x.size))


def view(x: Array, shape: Sequence[int]) -> Array:
    """The elements in another shape, as a view."""
    if x.flags.c_contiguous:
        return reshape(x, shape)
    target = _infer(shape, x.size)
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
    shape = list(x.shape)
    shape.insert(dim if dim >= 0 else dim + x.ndim + 1, 1)
    return x.reshape(shape)  # which needs no copy, and keeps strides as PyTorch counts them


def narrow(x: Array, dim: int, start: int, length: int) -> Array:
    """The view of `length` slices along `dim` from `start` on."""
    if x.ndim == 0:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    dim = wrap(dim, x.ndim)
    size = x.shape[dim]
    if not -size <= start <= size:
        raise IndexError(
            f"start out of range (expected to be in range of [{-size}, {size}], but got {start})"
        )
    if start < 0:
        start += size
    if start + length > size:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    return x[(slice(None),) * dim + (slice(start, start + length),)]


def select(x: Array, dim: int, index: int) -> Array:
    """The view of one slice along `dim`."""
    if x.ndim == 0:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim = wrap(dim, x.ndim)
    size = x.shape[dim]
    if not -size <= index < size:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(x.shape)} at "
            f"dimension {dim}"
        )
    position = (*(slice(None),) * dim, index, ...)  # `...`: a 0-dim result, no scalar
    return x[position]


def getitem(x: Array, index: Any) -> Array:
    """``x[index]``: a view for ints, slices, None and Ellipsis, else a copy."""
    result = x[index]
    if isinstance(result, type(x)):
        return result
    position = (*(index if isinstance(index, tuple) else (index,)), ...)
    return x[position]


def diagonal(x: Array, offset: int, dim1: int, dim2: int) -> Array:
    """The view of a diagonal of two dimensions, as the last dimension."""
    dim1, dim2 = wrap(dim1, x.ndim), wrap(dim2, x.ndim)
    if dim1 == dim2:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    view = x.diagonal(offset, dim1, dim2)
    if isinstance(view, np.ndarray):
        view.flags.writeable = x.flags.writeable  # NumPy protects all diagonals
    return view


def unfold(x: Array, dim: int, size: int, step: int) -> Array:
    """The view of all windows of `size` along `dim`, `step` apart, as a further, last dimension."""
    dim = wrap(dim, x.ndim)
    line = x if x.ndim else x.reshape(1)
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > line.shape[dim]:
        raise RuntimeError(
            f"maximum size for tensor at dimension {dim} is {line.shape[dim]} but size is {size}"
        )
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    view = windows(line, dim, size, step)
    return view if x.ndim else view[0]


def windows(x: Array, dim: int, size: int, step: int) -> Array:
    """The view that `unfold` takes."""
    shape, strides = list(x.shape), list(x.strides)
    shape[dim] = (shape[dim] - size) // step + 1
    strides[dim] *= step
    strided = namespace(x).lib.stride_tricks.as_strided
    return strided(x, (*shape, size), (*strides, x.strides[dim]))


def new_zeros(x: Array, shape: Sequence[int]) -> Array:
    """Zeros of the type of `x`, to start from: they share one element and cannot be written."""
    xp = namespace(x)
    return xp.broadcast_to(xp.zeros((), x.dtype), tuple(shape))


def plane_gather(x: Array, indices: Array) -> Array:
    """The elements of each plane of ``(..., h, w)`` at flat `indices` ``(..., i, j)``."""
    planes = x.reshape(math.prod(x.shape[:-2]), x.shape[-2] * x.shape[-1])
    flat = indices.reshape(planes.shape[0], indices.shape[-2] * indices.shape[-1])
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
