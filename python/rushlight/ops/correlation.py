"""Correlation of images with kernels: the one op that every convolution is made of."""

from __future__ import annotations

from rushlight.ops._registry import op
from rushlight.tensor import Tensor

Pair = tuple[int, ...]


@op(
    input=lambda K, g, weight, input_shape, stride, padding, dilation, groups: (
        K.correlate2d_input_grad(g, weight, input_shape, stride, padding, dilation, groups)
    ),
    weight=lambda K, g, input, weight_shape, stride, padding, dilation, groups: (
        K.correlate2d_weight_grad(g, input, weight_shape, stride, padding, dilation, groups)
    ),
    bias=lambda K, g: K.sum(g, (0, 2, 3)),
    node="ConvolutionBackward0",
    method=False,
)
def correlate2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Tensor:
    """Cross-correlation of images ``(n, c, h, w)`` with ``(c_out, c / groups, kh, kw)``."""


@op(
    grad=lambda K, g, weight, stride, padding, dilation, groups: K.correlate2d(
        g, weight, None, stride, padding, dilation, groups
    ),
    weight=lambda K, g, grad, weight_shape, stride, padding, dilation, groups: (
        K.correlate2d_weight_grad(grad, g, weight_shape, stride, padding, dilation, groups)
    ),
    method=False,
)
def correlate2d_input_grad(
    grad: Tensor,
    weight: Tensor,
    shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Tensor:
    """The gradient of `correlate2d` with respect to its input of `shape`."""


@op(
    grad=lambda K, g, input, stride, padding, dilation, groups: K.correlate2d(
        input, g, None, stride, padding, dilation, groups
    ),
    input=lambda K, g, grad, input_shape, stride, padding, dilation, groups: (
        K.correlate2d_input_grad(grad, g, input_shape, stride, padding, dilation, groups)
    ),
    method=False,
)
def correlate2d_weight_grad(
    grad: Tensor,
    input: Tensor,
    shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Tensor:
    """The gradient of `correlate2d` with respect to its weight of `shape`."""
