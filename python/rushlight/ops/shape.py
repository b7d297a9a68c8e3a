"""Views, copies and conversions; most share their input's memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight import devices, dtypes, errors
from rushlight.backend import device_kernels
from rushlight.ops._declaration import MANY
from rushlight.ops._registry import composed, op
from rushlight.ops.pointwise import Number
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
def reshape(input: Tensor, *shape: int | Sequence[int]) -> Tensor:
    """The same elements in another shape: a view where strides allow it, else a copy."""
    if input._array.flags.c_contiguous:
        return view(input, *shape)
    try:
        return view(input, *shape)
    except RuntimeError as error:
        if not str(error).startswith("view size is not compatible"):
            raise
        return reshaped_copy(input, *shape)


@composed()
def view_as(input: Tensor, other: Tensor) -> Tensor:
    """``input.view(other.shape)``."""
    return view(input, other.shape)


@composed()
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from `start_dim` to `end_dim` merged into one."""
    ndim = input.ndim
    if ndim == 0:
        return reshape(input, 1)
    start, end = wrap(start_dim, ndim), wrap(end_dim, ndim)
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if start == end:
        return input
    shape = input._array.shape
    return reshape(input, (*shape[:start], -1 if input.numel() else 0, *shape[end + 1 :]))


@composed()
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Dimension `dim` split into `sizes`, one of which may be -1."""
    shape = input._array.shape
    dim = wrap(dim, input.ndim)
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


def _reversed(tensor: Tensor) -> Tensor:
    """All dimensions in reverse order, as a view."""
    return permute(tensor, *reversed(range(tensor.ndim)))


def _last_two_exchanged(tensor: Tensor) -> Tensor:
    """The last two dimensions exchanged, as a view."""
    return transpose(tensor, -2, -1)


Tensor.T = property(_reversed)  # type: ignore[assignment]
Tensor.mT = property(_last_two_exchanged)  # type: ignore[assignment]


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
    dims = (dim,) if isinstance(dim, int) else dim
    return squeeze_dims(input, tuple(wrap(d, input.ndim) for d in dims))


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
        K, g, input_shape, dim, start, length
    ),
    view=True,
    node="SliceBackward0",
)
def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """The view of `length` slices along `dim` from `start` on."""


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
    dim = wrap(dim, tensor.ndim)
    total = tensor._array.shape[dim] if tensor.ndim else 1
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
    forward=lambda K, input, dim: K.unbind(input, wrap(dim, input.ndim)),
    outputs=MANY,
    view=True,
)
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The views of all slices along `dim`; not to be changed in place where that is recorded."""


# ---- Copies and conversions ----


@op(
    input=lambda K, g: g,
    forward=lambda K, input: K.copy(input),
    node="CloneBackward0",
    method=False,
)
def copied(input: Tensor) -> Tensor:
    """A contiguous copy."""


@composed()
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A contiguous copy, through which gradients flow; `memory_format` is ignored."""
    return copied(input)


@composed()
def contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """This tensor if its elements lie in order, else a copy; `memory_format` is ignored."""
    return input if input._array.flags.c_contiguous else copied(input)


@op(input=lambda K, g: g, node="ToCopyBackward0", method=False)
def cast(input: Tensor, dtype: np.dtype[Any]) -> Tensor:
    """A copy of another element type."""


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
    memory_format: Any = None,
) -> Tensor:
    """This tensor with another dtype and on another device: itself where nothing changes.

    Takes a dtype, a device, both, or another tensor to be like. `non_blocking` and
    `memory_format` are accepted and have no effect.
    """
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
        return cast(kind, dtype.numpy)
    return copied(result) if copy and result is input else result


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
    forward=lambda K, input, value: K.full(input.shape, value, input.dtype),
    method=False,
    inplace=True,
)
def fill(input: Tensor, value: Tensor | Number) -> Tensor:
    """A tensor of this shape and type with one value."""


@composed()
def zero_(input: Tensor) -> Tensor:
    """Writes 0 everywhere."""
    return input.fill_(0)


def wrap(dim: int, ndim: int) -> int:
    """A dimension counted from the front.

    Raises:
        IndexError: for one that does not exist.
    """
    bound = max(ndim, 1)
    if not -bound <= dim < bound:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-bound}, {bound - 1}], "
            f"but got {dim})"
        )
    return dim % bound
