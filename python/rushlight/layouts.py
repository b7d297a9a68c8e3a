"""How the elements of a tensor lie in memory."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "channels_last",
    "channels_last_3d",
    "contiguous_format",
    "dense_order",
    "inverse",
    "layout",
    "memory_format",
    "order_of",
    "preserve_format",
    "strided",
]


class _Name:
    """A constant that prints as PyTorch's."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class layout(_Name):  # noqa: N801 - PyTorch's name
    """How elements are stored: ``strided`` is the only way there is."""

    __slots__ = ()


class memory_format(_Name):  # noqa: N801 - PyTorch's name
    """Which dimensions lie closest together: a constant for an argument `memory_format`."""

    __slots__ = ()


strided = layout("strided")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")

# The dimensions from the outermost in memory to the innermost.
Order = tuple[int, ...]
_ORDERS = {channels_last: (0, 2, 3, 1), channels_last_3d: (0, 2, 3, 4, 1)}


def order_of(wanted: memory_format, ndim: int) -> Order | None:
    """The order of a memory format that fixes one; None: as the dimensions come.

    Raises:
        RuntimeError: for a number of dimensions that the format is not for.
    """
    order = _ORDERS.get(wanted)
    if order is not None and len(order) != ndim:
        raise RuntimeError(f"required rank {len(order)} tensor to use {wanted.name} format")
    return order


def dense_order(shape: Sequence[int], strides: Sequence[int]) -> Order | None:
    """The order in memory of elements with these strides; None: as the dimensions come.

    What repeats, and so has stride 0, keeps its place among its neighbours, as in PyTorch.
    """
    order = list(range(len(shape)))[::-1]  # from the innermost
    for i in range(1, len(shape)):
        place = i
        for before in reversed(range(i)):
            inner, outer = order[before], order[place]
            own, other = strides[inner], strides[outer]
            if own > other > 0 or (own == other > 0 and shape[inner] > shape[outer]):
                order[before], order[place] = outer, inner
                place = before
            elif 0 < own < other:
                break
    order.reverse()
    return None if order == sorted(order) else tuple(order)


def inverse(order: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes `order`, whose dimensions may count from the end."""
    wrapped = [d % len(order) for d in order]
    return tuple(wrapped.index(d) for d in range(len(order)))
