"""Arrays by their geometry: (shape, strides, start), in elements of one block of memory.

The kernels behind `as_strided` and behind in-place changes of views. A block is as long as the
layouts that are asked for need.
"""

from __future__ import annotations

from typing import Any

from rushlight.backend.common import address, namespace

__all__ = ["as_strided", "strided_place", "strided_replaced", "strided_take"]

Array = Any
Layout = tuple[tuple[int, ...], tuple[int, ...], int]


def layout_of(x: Array, base: Array | None = None) -> Layout:
    """The layout of an array, its start counted from the first element of `base`."""
    start = 0 if base is None else (address(x) - address(base)) // x.itemsize
    return x.shape, tuple(s // x.itemsize for s in x.strides), start


def memory_of(x: Array) -> tuple[Array, int, int]:
    """The array that owns the memory, its length and the offset of `x` in it, in elements."""
    owner, base = x, x.base
    while base is not None:
        if isinstance(base, type(x)) and base.dtype == x.dtype:
            owner = base
        base = getattr(base, "base", None)  # NumPy's as_strided puts an object in between
    low, high = _extent(layout_of(owner))
    return owner, high - low, (address(x) - address(owner)) // x.itemsize - low


def _extent(layout: Layout) -> tuple[int, int]:
    """The first element of a layout, and the one after the last."""
    shape, strides, start = layout
    if 0 in shape:
        return start, start
    spans = [(n - 1) * s for n, s in zip(shape, strides, strict=True)]
    low = start + sum(s for s in spans if s < 0)
    return low, start + sum(s for s in spans if s > 0) + 1


def _laid_out(block: Array, layout: Layout, origin: int = 0) -> Array:
    """The view of a flat block that a layout tells; the block begins at element `origin`."""
    shape, strides, start = layout
    size = block.itemsize
    begin = block[start - origin :] if 0 not in shape else block[:0]
    stride_tricks = namespace(block).lib.stride_tricks
    return stride_tricks.as_strided(begin, shape, tuple(s * size for s in strides))


def _overlaps(layout: Layout) -> bool:
    """Whether an element of the block may stand at several places of the layout."""
    shape, strides, _ = layout
    reach = 0
    for stride, n in sorted((abs(s), n) for n, s in zip(shape, strides, strict=True) if n > 1):
        if stride <= reach:
            return True
        reach += stride * (n - 1)
    return False


def _blank(kind: Array, *layouts: Layout) -> tuple[Array, int]:
    """Zeros that hold all layouts, and the element at which they begin."""
    extents = [_extent(layout) for layout in layouts]
    origin = min(low for low, _ in extents)
    length = max(high for _, high in extents) - origin
    return namespace(kind).zeros(length, kind.dtype), origin


def strided_place(g: Array, own: Layout, part: Layout) -> Array:
    """Zeros in the layout `own`, with `g` added where the layout `part` of the same block lies."""
    block, origin = _blank(g, own, part)
    _added(block, part, origin, g)
    if _overlaps(own):
        # The places that are one element share its gradient equally, as in PyTorch.
        shares = namespace(g).zeros_like(block)
        _added(shares, own, origin, 1)
        block /= namespace(g).maximum(shares, 1)
    return _laid_out(block, own, origin)


def _added(block: Array, layout: Layout, origin: int, values: Any) -> None:
    if not _overlaps(layout):
        _laid_out(block, layout, origin)[...] = values
        return
    xp = namespace(block)
    shape, strides, start = layout
    places = xp.full(shape, start - origin)
    for dim, (n, stride) in enumerate(zip(shape, strides, strict=True)):
        places += (xp.arange(n) * stride).reshape((n,) + (1,) * (len(shape) - dim - 1))
    xp.add.at(block, places, values)


def strided_take(x: Array, own: Layout, part: Layout) -> Array:
    """The elements at the layout `part` of a block in which `x` lies in the layout `own`."""
    block, origin = _blank(x, own, part)
    _laid_out(block, own, origin)[...] = x
    return _laid_out(block, part, origin)


def strided_replaced(x: Array, value: Any, own: Layout, part: Layout) -> Array:
    """`x`, in the layout `own`, with `value` written at the layout `part` of the same block."""
    block, origin = _blank(x, own, part)
    result = _laid_out(block, own, origin)
    result[...] = x
    _laid_out(block, part, origin)[...] = value
    return result


def as_strided(
    x: Array, size: tuple[int, ...], stride: tuple[int, ...], storage_offset: int | None
) -> Array:
    """The view of the memory behind `x` with the given sizes, strides and offset."""
    memory, length, own_offset = memory_of(x)
    if storage_offset is None:
        storage_offset = own_offset
    if len(size) != len(stride):
        raise RuntimeError("mismatch in length of strides and shape")
    if min(stride, default=0) < 0:
        raise RuntimeError(
            f"as_strided: Negative strides are not supported at the moment, got strides: "
            f"{list(stride)}"
        )
    if min(size, default=0) < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension: {list(size)}")
    if storage_offset < 0:
        raise RuntimeError(f"Tensor: invalid storage offset {storage_offset}")
    needed = _extent((size, stride, storage_offset))[1]
    if 0 not in size and needed > length:
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset "
            f"{storage_offset}, and itemsize {x.itemsize} requiring a storage size of "
            f"{needed * x.itemsize} are out of bounds for storage of size "
            f"{length * x.itemsize}"
        )
    flat = namespace(x).lib.stride_tricks.as_strided(memory, (length,), (x.itemsize,))
    return _laid_out(flat, (size, stride, storage_offset))
