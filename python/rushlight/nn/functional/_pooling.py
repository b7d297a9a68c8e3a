"""Pooling."""

from __future__ import annotations

from typing import Any

from rushlight import ops
from rushlight.tensor import Tensor

from ._convolution import Size, _sizes

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "max_pool1d",
    "max_pool2d",
]


def max_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Greatest value in each window.

    Args:
        input: (N, C, H, W) or (C, H, W).
        kernel_size: the window, one number or (height, width).
        stride: step; the window's size when None.
        padding: minus infinity on each side, at most half the window.
        dilation: distance between the window's points.
        ceil_mode: also count windows that hang over the end.
        return_indices: return the maxima's positions, flat in the (H, W) plane, beside them.

    Gradient:
        To the first of equal maxima.
    """
    batch = input.unsqueeze(0) if input.dim() == 3 else input
    out, indices = ops.max_pool2d_with_indices(
        batch,
        _sizes(kernel_size, 2),
        _sizes(kernel_size if stride is None else stride, 2),
        _sizes(padding, 2),
        _sizes(dilation, 2),
        ceil_mode,
    )
    if input.dim() == 3:
        out, indices = out.squeeze(0), indices.squeeze(0)
    return (out, indices) if return_indices else out


def avg_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Mean of each window.

    Args:
        input: (N, C, H, W) or (C, H, W).
        kernel_size: the window, one number or (height, width).
        stride: step; the window's size when None.
        padding: zeros on each side, at most half the window.
        ceil_mode: also count windows that hang over the end.
        count_include_pad: divide by the window's size, padding included.
        divisor_override: divide by this instead.
    """
    batch = input.unsqueeze(0) if input.dim() == 3 else input
    out = ops.avg_pool2d(
        batch,
        _sizes(kernel_size, 2),
        _sizes(kernel_size if stride is None else stride, 2),
        _sizes(padding, 2),
        ceil_mode,
        count_include_pad,
        divisor_override,
    )
    return out.squeeze(0) if input.dim() == 3 else out


def max_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Greatest value in each window of (N, C, L) or (C, L); see `max_pool2d`."""
    out = max_pool2d(
        input.unsqueeze(-2),
        (1, _one(kernel_size)),
        (1, _one(kernel_size if stride is None else stride)),
        (0, _one(padding)),
        (1, _one(dilation)),
        ceil_mode,
        return_indices,
    )
    if return_indices:
        return out[0].squeeze(-2), out[1].squeeze(-2)
    return out.squeeze(-2)


def avg_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Mean of each window of (N, C, L) or (C, L); see `avg_pool2d`."""
    out = avg_pool2d(
        input.unsqueeze(-2),
        (1, _one(kernel_size)),
        (1, _one(kernel_size if stride is None else stride)),
        (0, _one(padding)),
        ceil_mode,
        count_include_pad,
    )
    return out.squeeze(-2)


def _one(size: Size) -> int:
    return size if isinstance(size, int) else size[0]


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Means of windows that divide the plane into `output_size` parts.

    Args:
        input: (N, C, H, W) or (C, H, W).
        output_size: one number or (height, width); None keeps a size. Each must divide the
            input's, as 1 always does.
    """
    wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    sizes = input.shape[-2:]
    parts = [size if part is None else part for size, part in zip(sizes, wanted, strict=True)]
    if all(part == 1 for part in parts):
        return input.mean((-2, -1), keepdim=True)
    if any(size % part for size, part in zip(sizes, parts, strict=True)):
        raise NotImplementedError(
            f"adaptive_avg_pool2d: output_size {tuple(parts)} must divide the input's "
            f"{tuple(sizes)}"
        )
    window = tuple(size // part for size, part in zip(sizes, parts, strict=True))
    return avg_pool2d(input, window)
