"""Views by geometry, and what changing a view in place means for the memory behind it."""

from __future__ import annotations

from collections.abc import Sequence

from rushlight.backend.strided import layout_of
from rushlight.ops._registry import composed, op
from rushlight.ops.pointwise import Number
from rushlight.tensor import Tensor

Layout = tuple[tuple[int, ...], tuple[int, ...], int]


@op(g=lambda K, g, own, part: K.strided_take(g, own, part), method=False)
def strided_place(g: Tensor, own: Layout, part: Layout) -> Tensor:
    """Zeros in the layout `own`, with `g` added where the layout `part` of the same memory lies."""


@op(x=lambda K, g, own, part: K.strided_place(g, own, part), method=False)
def strided_take(x: Tensor, own: Layout, part: Layout) -> Tensor:
    """The elements at the layout `part` of memory in which `x` lies in the layout `own`."""


@op(
    x=lambda K, g, own, part: K.strided_replaced(g, 0, own, part),
    value=lambda K, g, own, part: K.strided_take(g, own, part),
    method=False,
)
def strided_replaced(x: Tensor, value: Tensor | Number, own: Layout, part: Layout) -> Tensor:
    """`x`, in the layout `own`, with `value` written at the layout `part` of the same memory."""


@op(
    input=lambda K, g, own, part: K.strided_place(g, own, part),
    forward=lambda K, input, size, stride, storage_offset: K.as_strided(
        input, size, stride, storage_offset
    ),
    view=True,
    node="AsStridedBackward0",
    method=False,
)
def strided_view(
    input: Tensor,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    storage_offset: int | None,
    own: Layout,
    part: Layout,
) -> Tensor:
    """`as_strided` with the layouts of the input and of the result, for the derivative."""


@composed()
def as_strided(
    input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """The view of the input's memory with the given sizes and strides, in elements.

    Args:
        input: any tensor.
        size: the shape of the view.
        stride: steps in elements, none negative.
        storage_offset: the first element, counted from the start of the memory; by default the
            input's own.

    Raises:
        RuntimeError: where the view would leave the memory.

    Gradient: an element that stands at several places of the view gets their sum.
    """
    size, stride = tuple(map(int, size)), tuple(map(int, stride))
    own = layout_of(input._array)
    start = 0 if storage_offset is None else storage_offset - input.storage_offset()
    return strided_view(input, size, stride, storage_offset, own, (size, stride, start))


@composed()
def as_strided_scatter(
    input: Tensor,
    src: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    storage_offset: int | None = None,
) -> Tensor:
    """A copy with `src` written where `as_strided` of these arguments would show it."""
    size, stride = tuple(map(int, size)), tuple(map(int, stride))
    own = layout_of(input._array)
    as_strided(input.detach(), size, stride, storage_offset)  # whether it lies in the memory
    if tuple(src.shape) != size:
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(src.shape)}, slice size = {list(size)}"
        )
    start = 0 if storage_offset is None else storage_offset - input.storage_offset()
    return strided_replaced(input, src, own, (size, stride, start))
