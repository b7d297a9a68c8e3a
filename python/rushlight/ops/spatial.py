"""Windows, frames, resampling and rows of tables: linear ops that layers are composed of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rushlight.ops._registry import op
from rushlight.tensor import Tensor

Sizes = tuple[int, ...]


def per_dimension(name: str, value: Any, n: int) -> Sizes:
    """A size for each of `n` dimensions, from one number or from a sequence of 1 or `n`.

    Raises:
        RuntimeError: for another number of sizes.
    """
    if isinstance(value, int):
        return (value,) * n
    sizes = tuple(int(v) for v in value)
    if len(sizes) == 1:
        return sizes * n
    if len(sizes) != n:
        raise RuntimeError(
            f"{name} should be a single integer or a list of {n} integers, but got {list(sizes)}"
        )
    return sizes


@op(
    input=lambda K, g, input_shape, kernel, stride, dilation: K.windows_sum(
        g, input_shape, kernel, stride, dilation
    ),
    view=True,
    method=False,
)
def windows(input: Tensor, kernel: Sizes, stride: Sizes, dilation: Sizes) -> Tensor:
    """The view ``(..., *kernel, *counts)`` of all windows over the last dimensions."""


@op(
    grad=lambda K, g, kernel, stride, dilation: K.windows(g, kernel, stride, dilation),
    method=False,
)
def windows_sum(
    grad: Tensor, shape: Sizes, kernel: Sizes, stride: Sizes, dilation: Sizes
) -> Tensor:
    """Zeros of `shape` with the windows `grad` added where they lie."""


def _opposite(pad: Sequence[int]) -> Sizes:
    return tuple(-width for width in pad)


@op(
    input=lambda K, g, pad: K.constant_pad_nd(g, _opposite(pad), 0),
    method=False,
)
def constant_pad_nd(input: Tensor, pad: Sizes, value: float = 0) -> Tensor:
    """`input` in a frame of `value`: widths before and after, the last dimension first.

    Negative widths cut off; so the gradient is the op itself, with the opposite widths.
    """


@op(
    input=lambda K, g, input_shape, dim, index, weight: K.resampled_sum(
        g, dim, index, weight, input_shape[dim]
    ),
    method=False,
)
def resampled(input: Tensor, dim: int, index: Any, weight: Any) -> Tensor:
    """``out[i] = sum_t weight[i, t] * input[index[i, t]]`` along `dim`; no weight is 1."""


@op(
    grad=lambda K, g, dim, index, weight: K.resampled(g, dim, index, weight),
    method=False,
)
def resampled_sum(grad: Tensor, dim: int, index: Any, weight: Any, size: int) -> Tensor:
    """The gradient of `resampled` with respect to an input of `size` along `dim`."""


@op(input=lambda K, g, input_shape, index: K.rows_sum(g, input_shape, index), method=False)
def rows_at(input: Tensor, index: Any) -> Tensor:
    """``input[index]`` for an array of integers."""


@op(grad=lambda K, g, index: K.rows_at(g, index), method=False)
def rows_sum(grad: Tensor, shape: Sizes, index: Any) -> Tensor:
    """Zeros of `shape` with `grad` added at the rows `index`."""
