"""Views, copies and conversions; most share their input's memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight import devices, dtypes, errors
from rushlight.backend import device_kernels
from rushlight.backend.common import number_for
from rushlight.layouts import Order, preserve_format
from rushlight.layouts import memory_format as MemoryFormat  # noqa: N812 - an argument's name
from rushlight.ops._declaration import MANY
from rushlight.ops._registry import composed, op
from rushlight.ops.creation import kept_order
from rushlight.ops.layout import clone, contiguous, in_order
from rushlight.ops.pointwise import Number
from rushlight.size import wrap, wrap_all
from rushlight.tensor import Tensor


@op(input=lambda K, g, input_shape: K.reshape(g, input_shape), view=True)
def view(input: Tensor, *size: int | Sequence[int]) -> Tensor:
    """The same elements in another shape, one size of which may be -1; never a copy.

    Raises:
        RuntimeError: where the shape does not fit, or the strides do not allow a view.
    """


@op(
    input=lambda K, g, input_shape: K.reshape(g, input_shape),
    forward=lambda K, input, size: K.reshape(input, size),
    node="UnsafeViewBackward0",
    method=False,
)
def reshaped_copy(input: Tensor, *size: int | Sequence[int]) -> Tensor:
    """The elements in another shape, in new memory."""


@composed()
def reshape(input: Tensor, shape: int | Sequence[int], *more: int) -> Tensor:
    """The same elements in another shape: a view where strides allow it, else a copy."""
    if input._array.flags.c_contiguous:
        return view(input, shape, *more)
    try:
        return view(input, shape, *more)
    except RuntimeError as error:
        if not str(error).startswith("view size is not compatible"):
            raise
        return reshaped_copy(input, shape, *more)


@composed()
def view_as(input: Tensor, other: Tensor) -> Tensor:
    """``input.view(other.shape)``."""
    return view(input, other.shape)


@composed()
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from `start_dim` to `end_dim` merged into one."""
    ndim = input.ndim
    start, end = wrap(start_dim, ndim), wrap(end_dim, ndim)
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if ndim == 0:
        return reshape(input, 1)
    if start == end:
        return input
    shape = input._array.shape
    merged = math.prod(shape[start : end + 1])
    return reshape(input, (*shape[:start], merged, *shape[end + 1 :]))


@composed()
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Dimension `dim` split into `sizes`, one of which may be -1."""
    dim = wrap(dim, input.ndim)
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    shape = input._array.shape or (1,)
    known = math.prod(n for n in sizes if n != -1)
    count = sum(n == -1 for n in sizes)
    if count > 1:
        raise RuntimeError("only one dimension can be inferred")
    if known != shape[dim] if not count else known == 0 or shape[dim] % known:
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} "
            f"({shape[dim]}) in the input tensor"
        )
    sizes = [shape[dim] // known if n == -1 else n for n in sizes]
    return reshape(input, (*shape[:dim], *sizes, *shape[dim + 1 :]))


@op(
    input=lambda K, g, dim0, dim1: K.transpose(g, dim0, dim1),
    forward=lambda K, input, dim0, dim1: K.transpose(
        input, wrap(dim0, input.ndim), wrap(dim1, input.ndim)
    ),
    view=True,
)
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """A view with two dimensions exchanged."""


def _transposed(K: Any, input: Any) -> Any:
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return K.transpose(input, 0, 1) if input.ndim == 2 else input.view()


@op(input=lambda K, g: _matrix_transposed(K, g), forward=_transposed, view=True, node="TBackward0")
def t(input: Tensor) -> Tensor:
    """The transposed matrix, as a view; vectors and scalars stay as they are."""


def _matrix_transposed(K: Any, g: Any) -> Any:
    return K.transpose(g, 0, 1) if g.ndim == 2 else g


def _inverse(dims: Sequence[int]) -> tuple[int, ...]:
    wrapped = [d % len(dims) for d in dims]
    return tuple(wrapped.index(i) for i in range(len(dims)))


def _permuted(K: Any, input: Any, dims: tuple[int, ...]) -> Any:
    if len(dims) != input.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {input.ndim} is not "
            f"equal to len(dims) = {len(dims)}"
        )
    wrapped = tuple(wrap(d, input.ndim) for d in dims)
    if len(set(wrapped)) != len(wrapped):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return K.permute(input, wrapped)


@op(input=lambda K, g, dims: K.permute(g, _inverse(dims)), forward=_permuted, view=True)
def permute(input: Tensor, *dims: int | Sequence[int]) -> Tensor:
    """A view with its dimensions in another order."""


@op(
    input=lambda K, g, input_shape: K.reshape(g, input_shape),
    forward=lambda K, input, dims: K.squeeze(input, dims),
    view=True,
    node="SqueezeBackward0",
    method=False,
)
def squeeze_dims(input: Tensor, dims: tuple[int, ...] | None) -> Tensor:
    """A view without dimensions of size 1: all, or those among `dims`."""


@composed()
def squeeze(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """A view without dimensions of size 1: all, or those among `dim`."""
    if dim is None:
        return squeeze_dims(input, None)
    return squeeze_dims(input, wrap_all(dim, input.ndim))


@op(
    input=lambda K, g, input_shape: K.reshape(g, input_shape),
    forward=lambda K, input, dim: K.unsqueeze(input, wrap(dim, input.ndim + 1)),
    view=True,
)
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """A view with a dimension of size 1 inserted at `dim`."""


@op(input=lambda K, g, input_shape: K.sum_to(g, input_shape), view=True)
def expand(input: Tensor, *size: int | Sequence[int]) -> Tensor:
    """A view in which dimensions of size 1 repeat; -1 keeps a size, new ones come first."""


@composed()
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """``input.expand(other.shape)``."""
    return expand(input, other.shape)


def narrow_gradient(
    K: Any, g: Any, shape: tuple[int, ...], dim: int, start: int, length: int
) -> Any:
    """Zeros of `shape` with `g` at the slices that `narrow` took."""
    start = start if start >= 0 else start + shape[dim]
    index = (*(slice(None),) * (dim % len(shape)), slice(start, start + length))
    return K.index_place(shape, index, g)


@op(
    input=lambda K, g, input_shape, dim, start, length: narrow_gradient(
        K, g, input_shape, dim, int(start), length
    ),
    forward=lambda K, input, dim, start, length: K.narrow(input, dim, _position(start), length),
    view=True,
    node="SliceBackward0",
)
def narrow(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
    """The view of `length` slices along `dim` from `start` on."""


def _position(start: int | Tensor) -> int:
    if isinstance(start, Tensor) and (start.ndim or start._array.dtype.kind not in "iu"):
        raise RuntimeError("start must be an 0-dim integral Tensor.")
    return int(start)


@op(
    tensor=lambda K, g, tensor_shape, dim, sizes: K.joined(g, tensor_shape, dim, sizes),
    forward=lambda K, tensor, dim, sizes: K.split(tensor, dim, sizes),
    outputs=MANY,
    view=True,
    node="SplitBackward0",
    method=False,
)
def split_sizes(tensor: Tensor, dim: int, sizes: Sequence[int]) -> tuple[Tensor, ...]:
    """Views of consecutive slices of the given sizes along `dim`."""


@composed()
def split(tensor: Tensor, split_size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Views of consecutive slices along `dim`, of one size (the last may be smaller) or of many.

    The views must not be changed in place where that would be recorded.
    """
    if tensor.ndim == 0:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    dim = wrap(dim, tensor.ndim)
    total = tensor._array.shape[dim]
    if isinstance(split_size, int):
        if split_size < 0 or (split_size == 0 and total):
            raise RuntimeError(
                f"split expects split_size be non-negative, but got split_size={split_size}"
            )
        sizes = [min(split_size, total - i) for i in range(0, total, split_size or 1)] or [0]
    else:
        sizes = [int(n) for n in split_size]
        if sum(sizes) != total:
            raise RuntimeError(
                f"split_with_sizes expects split_sizes to sum exactly to {total} (input tensor's "
                f"size at dimension {dim}), but got split_sizes={sizes}"
            )
    return split_sizes(tensor, dim, sizes)


@composed()
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` views of equal size along `dim` (the last may be smaller)."""
    if input.ndim == 0:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    total = input._array.shape[wrap(dim, input.ndim)]
    return split(input, max(1, -(-total // chunks)), dim)


@op(
    input=lambda K, g, input_shape, dim: K.joined(
        [None if x is None else K.unsqueeze(x, dim % len(input_shape)) for x in g],
        input_shape,
        dim % len(input_shape),
        [1] * len(g),
    ),
    forward=lambda K, input, dim: K.unbind(input, wrap(dim, input.ndim, scalar=False)),
    outputs=MANY,
    view=True,
)
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The views of all slices along `dim`; not to be changed in place where that is recorded."""


# ---- Conversions ----


@op(
    input=lambda K, g: g,
    forward=lambda K, input, dtype, order: in_order(K, lambda x: K.cast(x, dtype), input, order),
    node="ToCopyBackward0",
    method=False,
)
def cast(input: Tensor, dtype: np.dtype[Any], order: Order | None = None) -> Tensor:
    """A copy of another element type, whose dimensions lie in memory in a given order."""


@op(
    input=lambda K, g, source: device_kernels(source).asarray(K.to_cpu(g)),
    forward=lambda K, input, source, target: device_kernels(target).asarray(K.to_cpu(input)),
    node="ToCopyBackward0",
    method=False,
)
def moved(input: Tensor, source: devices.device, target: devices.device) -> Tensor:
    """A copy on another device."""


@composed()
def to(
    input: Tensor,
    *args: Any,
    dtype: dtypes.dtype | None = None,
    device: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
    memory_format: MemoryFormat | None = None,
) -> Tensor:
    """This tensor with another dtype and on another device: itself where nothing changes.

    Takes a dtype, a device, both, or another tensor to be like, then `non_blocking` and `copy`.
    `non_blocking` has no effect; elements keep their order in memory unless `memory_format` says
    another.
    """
    flags = [value for value in args if isinstance(value, bool)]
    copy = flags[1] if len(flags) > 1 else copy
    for value in args:
        if isinstance(value, dtypes.dtype | type):
            dtype = dtypes.of(value)
        elif isinstance(value, Tensor):
            dtype, device = value.dtype, value.device
        elif isinstance(value, str | int | devices.device) and not isinstance(value, bool):
            device = value
    result = input
    if device is not None:
        target = devices.device(device)
        source = result.device
        if target.type != source.type:
            result = moved(result, source, target)
    dtype = None if dtype is None else dtypes.of(dtype)
    if dtype is not None and dtype is not result.dtype:
        kind = result if dtype.is_floating_point else result.detach()
        return cast(kind, dtype.numpy, kept_order(result._array, memory_format))
    if memory_format is not None and memory_format is not preserve_format and not copy:
        return contiguous(result, memory_format)
    return clone(result, memory_format=memory_format) if copy and result is input else result


@composed()
def cpu(input: Tensor, memory_format: Any = None) -> Tensor:
    """This tensor in the CPU's memory."""
    return to(input, device="cpu")


@composed()
def cuda(input: Tensor, device: Any = None, non_blocking: bool = False) -> Tensor:
    """This tensor in a CUDA device's memory."""
    return to(input, device="cuda" if device is None else device)


@composed()
def type_as(input: Tensor, other: Tensor) -> Tensor:
    """This tensor with the dtype and on the device of `other`."""
    return to(input, other)


def _conversion(name: str, dtype: str = "") -> None:
    target: dtypes.dtype = getattr(dtypes, dtype or name)

    def convert(self: Tensor, memory_format: Any = None) -> Tensor:
        return to(self, target)

    convert.__name__ = name
    convert.__doc__ = f"This tensor with dtype {target.name}; itself if it has it."
    setattr(Tensor, name, convert)


for _name in ("half", "bfloat16", "float", "double", "short", "int", "long", "bool"):
    _conversion(_name)
for _name, _target in (("byte", "uint8"), ("char", "int8")):
    _conversion(_name, _target)


# ---- In place ----


@op(
    input=lambda K, g: K.zeros_like(g),
    src=lambda K, g: g,
    forward=lambda K, input, src: K.cast(K.expand(src, input.shape), input.dtype),
    method=False,
    inplace=True,
    node="CopyBackwards",
)
def written(input: Tensor, src: Tensor) -> Tensor:
    """The elements of `src`, broadcast and converted; in place, they replace those of `input`."""


@composed()
def copy_(input: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """Writes the elements of `src`, broadcast and converted, into this tensor."""
    if not isinstance(src, Tensor):
        raise errors.wrong_argument("copy_", "src", src)
    return input.written_(src if src.device == input.device else to(src, device=input.device))


@op(
    input=lambda K, g: K.zeros_like(g),
    value=lambda K, g: g,
    forward=lambda K, input, value: K.full(
        input.shape, number_for(input.dtype, value), input.dtype
    ),
    method=False,
    inplace=True,
)
def fill(input: Tensor, value: Tensor | Number) -> Tensor:
    """A tensor of this shape and type with one value."""


@composed()
def zero_(input: Tensor) -> Tensor:
    """Writes 0 everywhere."""
    return input.fill_(0)
