"""Views as copies, ``<name>_copy``; a tensor's own shape changed, ``<name>_``."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from rushlight import dtypes
from rushlight.autograd.grad_mode import state as grad_state
from rushlight.autograd.node import AccumulateGrad
from rushlight.autograd.views import check_in_place
from rushlight.layouts import contiguous_format
from rushlight.ops import index, shape, strided, views
from rushlight.ops._arguments import written
from rushlight.ops._registry import composed, find
from rushlight.tensor import Tensor

# ---- Views as copies ----


def _copy(name: str, take: Any) -> None:
    """Declares ``<name>_copy``: what the view shows, in new memory."""

    @functools.wraps(take)
    def function(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
        result = take(input, *args, **options)
        many = type(result) is tuple
        copies = tuple(map(_copied, result)) if many else _copied(result)
        return copies if out is None else written(f"{name}_copy", out, copies)

    function.__name__ = function.__qualname__ = f"{name}_copy"
    function.__doc__ = f"`{name}`, but a copy."
    composed(method=False)(function)


def _copied(view: Tensor) -> Tensor:
    return view.clone(memory_format=contiguous_format)


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
    "as_strided": strided.as_strided,
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


def _narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    if dim >= max(input.ndim, 1):
        raise RuntimeError(
            "Expected dim < static_cast<int64_t>(self_sizes.size()) to be true, but got false."
        )
    return shape.narrow(input, dim, start, length)


_copy("narrow", _narrow)
Tensor.narrow_copy = find("narrow_copy")  # type: ignore[attr-defined]


# ---- The shape of a tensor itself ----


def _own(name: str, take: Any) -> None:
    """Declares ``<name>_``: the tensor becomes the view that `take` gives of it."""

    @functools.wraps(take)
    def function(self: Tensor, *args: Any, **options: Any) -> Tensor:
        if grad_state.enabled and self.requires_grad:
            check_in_place(self, f"{name}_")
        taken = take(self, *args, **options)
        self._array = taken._array
        edge = self._edge
        if taken._edge is not None:
            self._edge = taken._edge
        elif edge is not None and type(edge[0]) is AccumulateGrad:
            edge[0].shape = taken._array.shape
        self._changed()
        if self._view is not None:  # its edge is right at this version
            self._view = (self._view[0], self._counter[0], self._view[2])
        return self

    function.__name__ = function.__qualname__ = f"{name}_"
    function.__doc__ = f"`{name}` in place: this tensor's own dimensions change."
    setattr(Tensor, f"{name}_", function)


for _name, _take in {
    "as_strided": strided.as_strided,
    "squeeze": shape.squeeze,
    "swapaxes": shape.transpose,
    "swapdims": shape.transpose,
    "t": shape.t,
    "transpose": shape.transpose,
    "unsqueeze": shape.unsqueeze,
}.items():
    _own(_name, _take)


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


# ---- Functions that are methods first ----


@composed(method=False)
def detach(input: Tensor) -> Tensor:
    """``input.detach()``."""
    return input.detach()


@composed(method=False)
def detach_(input: Tensor) -> Tensor:
    """``input.detach_()``."""
    return input.detach_()


@composed(method=False)
def fill_(input: Tensor, value: Any) -> Tensor:
    """``input.fill_(value)``."""
    return input.fill_(value)


@composed(method=False)
def as_strided_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """``input.as_strided_(size, stride, storage_offset)``."""
    return input.as_strided_(*args, **options)
