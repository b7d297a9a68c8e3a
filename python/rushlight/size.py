"""Shapes, and the dimensions they have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["Size", "wrap", "wrap_all"]


def wrap(dim: int, ndim: int, *, scalar: bool = True) -> int:
    """A dimension counted from the front; `scalar`: 0 dimensions count as one.

    Raises:
        IndexError: for one that does not exist.
    """
    if ndim == 0 and not scalar:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    bound = ndim or 1
    if not -bound <= dim < bound:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-bound}, {bound - 1}], "
            f"but got {dim})"
        )
    return dim % bound


def wrap_all(dims: int | Sequence[int], ndim: int) -> tuple[int, ...]:
    """Several dimensions counted from the front.

    Raises:
        IndexError: for one that does not exist.
        RuntimeError: for one that is named twice.
    """
    wrapped = tuple(wrap(d, ndim) for d in ((dims,) if isinstance(dims, int) else dims))
    for i, dim in enumerate(wrapped):
        if dim in wrapped[:i]:
            raise RuntimeError(f"dim {dim} appears multiple times in the list of dims")
    return wrapped


class Size(tuple[int, ...]):
    """The shape of a tensor: a tuple that prints as PyTorch's."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements."""
        count = 1
        for size in self:
            count *= size
        return count

    def __getitem__(self, index: Any) -> Any:
        item = tuple.__getitem__(self, index)
        return Size(item) if type(item) is tuple else item

    def __add__(self, other: Any) -> Size:
        return Size(tuple.__add__(self, other))

    def __radd__(self, other: tuple[int, ...]) -> Size:
        return Size((*other, *self))

    def __mul__(self, count: Any) -> Size:
        return Size(tuple.__mul__(self, count))

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"
