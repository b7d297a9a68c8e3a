"""Views as copies, ``<name>_copy``; and a tensor's own shape changed, ``<name>_``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from rushlight import dtypes
from rushlight.ops import index, shape, views
from rushlight.ops._registry import composed
from rushlight.tensor import Tensor

# ---- Views as copies ----


def _copy(name: str, take: Callable[..., Any]) -> None:
    """Declares ``<name>_copy``: what the view shows, in new memory."""

    @functools.wraps(take)
    def function(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
        result = take(input, *args, **options)
        if isinstance(result, tuple):
            return _several(name, [x.clone() for x in result], out)
        if out is None:
            return result.clone()
        return out.resize_(result.shape).copy_(result)

    function.__name__ = function.__qualname__ = f"{name}_copy"
    function.__doc__ = f"`{name}`, but a copy."
    composed(method=False)(function)


def _several(name: str, copies: list[Tensor], out: Any) -> Any:
    if out is None:
        return tuple(copies)
    if len(out) != len(copies):
        raise RuntimeError(
            f"{name}_copy_out() expected an out= argument of size {len(copies)}, got size {len(out)}"
        )
    for target, x in zip(out, copies, strict=True):
        target.resize_(x.shape).copy_(x)
    return None


def _slice(
    input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    taken = views.slice_range(input.ndim, dim, start, end, step)
    return index.sliced(input, taken)


def _alias(input: Tensor) -> Tensor:
    return index.aliased(input, ())


def _view(input: Tensor, *size: Any, dtype: Any = None) -> Tensor:
    """A view where strides allow one; of a copy, else."""
    if dtype is not None or isinstance(size[0], dtypes.dtype):
        return input.view(*size, dtype=dtype)
    return shape.reshape(input, *size)


for _name, _take in {
    "alias": _alias,
    "detach": Tensor.detach,
    "diagonal": views.diagonal,
    "expand": shape.expand,
    "permute": shape.permute,
    "select": index.select,
    "slice": _slice,
    "split": shape.split,
    "split_with_sizes": views.split_with_sizes,
    "squeeze": shape.squeeze,
    "t": shape.t,
    "transpose": shape.transpose,
    "unbind": shape.unbind,
    "unfold": views.unfold,
    "unsqueeze": shape.unsqueeze,
    "view": _view,
}.items():
    _copy(_name, _take)
_copy("narrow", shape.narrow)


# ---- Splits without restrictions ----


@composed()
def unsafe_split_with_sizes(
    input: Tensor, split_sizes: Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """`split_with_sizes` into views of which each may be changed in place."""
    starts = [sum(split_sizes[:i]) for i in range(len(split_sizes))]
    sizes = [x.size(dim) for x in views.split_with_sizes(input.detach(), split_sizes, dim)]
    return tuple(shape.narrow(input, dim, a, n) for a, n in zip(starts, sizes, strict=True))


@composed()
def unsafe_split(input: Tensor, split_size: int, dim: int = 0) -> tuple[Tensor, ...]:
    """`split` into views of which each may be changed in place."""
    sizes = [x.size(dim) for x in shape.split(input.detach(), split_size, dim)]
    return unsafe_split_with_sizes(input, sizes, dim)


@composed()
def unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """`chunk` into views of which each may be changed in place."""
    sizes = [x.size(dim) for x in shape.chunk(input.detach(), chunks, dim)]
    return unsafe_split_with_sizes(input, sizes, dim)
