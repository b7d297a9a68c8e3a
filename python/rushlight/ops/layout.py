"""How a tensor lies in memory: copies in an order, given strides, a new size in place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rushlight import dtypes
from rushlight.backend import kernels_of
from rushlight.layouts import Order, contiguous_format, inverse, order_of, preserve_format, strided
from rushlight.layouts import memory_format as MemoryFormat  # noqa: N812 - an argument's name
from rushlight.ops._registry import composed, op
from rushlight.ops.creation import empty, kept_order
from rushlight.ops.rearrange import listed
from rushlight.size import wrap
from rushlight.tensor import Tensor

# ---- Copies ----


def in_order(K: Any, copy: Any, x: Any, order: Order | None) -> Any:
    """``copy(x)``, the dimensions of which lie in memory in this order."""
    if order is None:
        return copy(x)
    return K.permute(copy(K.permute(x, order)), inverse(order))


@op(
    input=lambda K, g: g,
    forward=lambda K, input, order: in_order(K, K.copy, input, order),
    node="CloneBackward0",
    method=False,
)
def copied(input: Tensor, order: Order | None = None) -> Tensor:
    """A copy, whose dimensions lie in memory as they come or in the given order."""


@composed()
def clone(input: Tensor, *, memory_format: MemoryFormat | None = None) -> Tensor:
    """A copy, through which gradients flow, in the same order in memory or in that of a format."""
    if memory_format is None and input._array.flags.c_contiguous:
        return copied(input)
    return copied(input, kept_order(input._array, memory_format))


@composed()
def contiguous(input: Tensor, memory_format: MemoryFormat = contiguous_format) -> Tensor:
    """This tensor if its elements lie in order, or in that of a format; else a copy."""
    if memory_format is contiguous_format and input._array.flags.c_contiguous:
        return input
    if memory_format is preserve_format:
        if _lies_in(input._array, None):
            return input
        raise RuntimeError("preserve memory format is unsupported by the contiguous operator")
    order = order_of(memory_format, input.ndim)
    return input if _lies_in(input._array, order) else copied(input, order)


def _lies_in(array: Any, order: Order | None) -> bool:
    laid = array if order is None else array.transpose(order)
    return laid.flags.c_contiguous  # type: ignore[no-any-return]


def _is_contiguous(self: Tensor, memory_format: MemoryFormat = contiguous_format) -> bool:
    """Whether the elements lie in memory without gaps, in order or in that of a format."""
    try:
        order = order_of(memory_format, self.ndim)
    except RuntimeError:
        return False
    return _lies_in(self._array, order)


def _stride(self: Tensor, dim: int | None = None) -> Any:
    """The steps, in elements, from one index to the next, of all dimensions or of `dim`."""
    array = self._array
    strides = [s // array.itemsize for s in array.strides]
    if array.size == 0 and array.flags.c_contiguous:
        sizes = [max(n, 1) for n in array.shape]
        strides = [math.prod(sizes[d + 1 :]) for d in range(len(sizes))]
    elif 0 in strides:  # NumPy's for a dimension that an index inserted; PyTorch's is as if kept
        for d in reversed(range(len(strides))):
            if strides[d] == 0 and array.shape[d] == 1:
                last = d == len(strides) - 1
                strides[d] = 1 if last else strides[d + 1] * array.shape[d + 1]
    return tuple(strides) if dim is None else strides[wrap(dim, len(strides), scalar=False)]


def _dim_order(self: Tensor) -> tuple[int, ...]:
    """The dimensions from the outermost in memory to the innermost."""
    return kept_order(self._array, None) or tuple(range(self.ndim))


Tensor.is_contiguous = _is_contiguous
Tensor.stride = _stride
Tensor.dim_order = _dim_order  # type: ignore[attr-defined]
Tensor.layout = property(lambda self: strided)  # type: ignore[attr-defined]


# ---- Undefined contents ----


@composed(method=False)
def empty_strided(
    size: Sequence[int],
    stride: Sequence[int],
    *,
    dtype: dtypes.dtype | None = None,
    **options: Any,
) -> Tensor:
    """A tensor of undefined contents with these steps, in elements, from one index to the next.

    Raises:
        RuntimeError: for as many strides as there are not sizes, and for negative ones.
    """
    if len(size) != len(stride):
        raise RuntimeError(
            f"dimensionality of sizes ({len(size)}) must match dimensionality of strides "
            f"({len(stride)})"
        )
    if any(s < 0 for s in stride):
        raise RuntimeError(
            f"Storage size calculation overflowed with sizes={list(size)} and "
            f"strides={list(stride)}"
        )
    extent = 1 + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    memory = empty(extent if math.prod(size) else 0, dtype=dtype, **options)
    flat = memory._array
    steps = [s * flat.itemsize for s in stride]
    as_strided = flat.__array_namespace__().lib.stride_tricks.as_strided
    memory._array = as_strided(flat, tuple(size), tuple(steps))
    return memory


@composed(method=False)
def empty_permuted(
    size: Sequence[int],
    physical_layout: Sequence[int],
    *,
    dtype: dtypes.dtype | None = None,
    **options: Any,
) -> Tensor:
    """A tensor of undefined contents whose dimensions lie in memory in a given order.

    Args:
        size: of the dimensions as they are counted.
        physical_layout: the dimensions from the outermost in memory to the innermost.
        dtype: the default one if None.
        options: device, requires_grad.
    """
    if len(size) != len(physical_layout):
        raise RuntimeError(
            "Number of dimensions in size does not match the length of the physical_layout; i.e. "
            f"len(size) = {len(size)} is not equal to len(physical_layout) = "
            f"{len(physical_layout)}"
        )
    for i, dim in enumerate(physical_layout):
        if not 0 <= dim < len(size):
            raise RuntimeError(
                f"Dimension out of range (expected to be between 0 and {len(size) - 1}, but got "
                f"{dim} at index {i}).  NB: negative dims not currently supported; file an issue "
                "if you want it."
            )
    if len(set(physical_layout)) != len(physical_layout):
        raise RuntimeError("Duplicate dim not allowed")
    memory = empty([size[d] for d in physical_layout], dtype=dtype, **options)
    memory._array = memory._array.transpose(inverse(physical_layout))
    return memory


@composed()
def new_empty_strided(
    input: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    *,
    dtype: dtypes.dtype | None = None,
    **options: Any,
) -> Tensor:
    """`empty_strided`, with the dtype and device of this one."""
    options.setdefault("device", input.device)
    return empty_strided(size, stride, dtype=input.dtype if dtype is None else dtype, **options)


# ---- In place ----


@composed()
def resize_(
    input: Tensor,
    size: int | Sequence[int],
    *more: int,
    memory_format: MemoryFormat = contiguous_format,
) -> Tensor:
    """Gives this tensor another shape: the elements it has come first, what is new is undefined.

    Raises:
        RuntimeError: for a tensor that requires grad.
    """
    if input.requires_grad:
        raise RuntimeError("cannot resize variables that require grad")
    shape = listed(size, more)
    order = order_of(memory_format, len(shape))
    array, kernels = input._array, kernels_of(input._array)
    count = math.prod(shape)
    if not array.flags.c_contiguous:
        array = kernels.copy(array)
    flat = array.reshape(-1)
    if count > flat.size:
        memory = kernels.empty((count,), array.dtype)
        memory[: flat.size] = flat
        flat = memory
    laid = shape if order is None else [shape[d] for d in order]
    resized = flat[:count].reshape(laid)
    input._array = resized if order is None else resized.transpose(inverse(order))
    return input


@composed()
def resize_as_(
    input: Tensor, the_template: Tensor, *, memory_format: MemoryFormat = contiguous_format
) -> Tensor:
    """`resize_` to the shape of another tensor."""
    return resize_(input, the_template.shape, memory_format=memory_format)
