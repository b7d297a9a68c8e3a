"""Pooling over windows of a fixed size, and its inverse."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from rushlight import ops
from rushlight.dtypes import int64
from rushlight.ops import pooling
from rushlight.tensor import Tensor

__all__ = [
    "avg_pool2d",
    "avg_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]

Size = int | tuple[int, ...]

# ---- Maxima ----


def _max_pools(n: int, layout: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """``max_pool<n>d`` and ``max_pool<n>d_with_indices``."""

    def max_pool(
        input: Tensor,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        out = pooling.max_pool(n, input, kernel_size, stride, padding, dilation, ceil_mode)
        return out if return_indices else out[0]

    def with_indices(
        input: Tensor,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> tuple[Tensor, Tensor]:
        return pooling.max_pool(n, input, kernel_size, stride, padding, dilation, ceil_mode)

    max_pool.__name__ = max_pool.__qualname__ = f"max_pool{n}d"
    max_pool.__doc__ = f"""Greatest value in each window.

    Args:
        input: (N, C, {layout}) or (C, {layout}).
        kernel_size: the window, one number or one for each dimension, as are the next three.
        stride: step; the window's size when None.
        padding: minus infinity on each side, at most half the window.
        dilation: distance between the window's points.
        ceil_mode: also count windows that hang over the end.
        return_indices: return the maxima's positions, flat in ({layout}), beside them.

    Gradient:
        To the first of equal maxima.
    """
    with_indices.__name__ = with_indices.__qualname__ = f"max_pool{n}d_with_indices"
    with_indices.__doc__ = f"`max_pool{n}d`, and the positions of the maxima."
    return max_pool, with_indices


max_pool1d, max_pool1d_with_indices = _max_pools(1, "L")
max_pool2d, max_pool2d_with_indices = _max_pools(2, "H, W")
max_pool3d, max_pool3d_with_indices = _max_pools(3, "D, H, W")


# ---- Means ----


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
    rule = ceil_mode, count_include_pad, divisor_override
    return pooling.avg_pool(2, input, kernel_size, stride, padding, *rule)


def avg_pool3d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Mean of each window of (N, C, D, H, W) or (C, D, H, W); see `avg_pool2d`."""
    rule = ceil_mode, count_include_pad, divisor_override
    return pooling.avg_pool(3, input, kernel_size, stride, padding, *rule)


# ---- Norms ----


def _lp_pool(
    n: int, input: Tensor, norm_type: float, kernel_size: Size, stride: Any, ceil_mode: bool
) -> Tensor:
    """``(sum of x^p over the window)^(1/p)``, from the window's mean."""
    means = pooling.avg_pool(n, input.pow(norm_type), kernel_size, stride, 0, ceil_mode, True, None)
    count = math.prod(pooling.geometry("lp_pool", n, kernel_size, stride)[0])
    return (means.sign() * means.abs().relu() * count).pow(1.0 / norm_type)


def lp_pool1d(
    input: Tensor,
    norm_type: float,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """``(sum of x^p)^(1/p)`` over each window of (N, C, L) or (C, L), p being `norm_type`.

    Gradient:
        Not defined (nan) where the sum is 0.
    """
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor,
    norm_type: float,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """``(sum of x^p)^(1/p)`` over each window of (N, C, H, W) or (C, H, W); see `lp_pool1d`."""
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor,
    norm_type: float,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """``(sum of x^p)^(1/p)`` over each window of (N, C, D, H, W); see `lp_pool1d`."""
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


# ---- The inverse of maxima ----


def _unpooled_size(
    n: int, input: Tensor, kernel: Any, stride: Any, padding: Any, wanted: Sequence[int] | None
) -> list[int]:
    """The usual size, or the wanted one, which may differ from it by less than a step."""
    kernel, stride, padding, _ = pooling.geometry("max_unpool", n, kernel, stride, padding)
    sizes = input.shape[-n:]
    usual = [
        (size - 1) * s - 2 * p + k
        for size, k, s, p in zip(sizes, kernel, stride, padding, strict=True)
    ]
    if wanted is None:
        return usual
    wanted = list(wanted)[-n:] if len(wanted) == n + 2 else list(wanted)
    if len(wanted) != n:
        raise ValueError(
            f"output_size should be a sequence containing {n} or {n + 2} elements, but it has a "
            f"length of '{len(wanted)}'"
        )
    for size, w, s in zip(usual, wanted, stride, strict=True):
        if not size - s < w < size + s:
            raise ValueError(
                f'invalid output_size "{tuple(wanted)}" (dim 0 must be between {size - s} and '
                f"{size + s})"
            )
    return wanted


def _max_unpool(
    n: int,
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    output_size: Sequence[int] | None,
) -> Tensor:
    if input.dim() not in (n + 1, n + 2):
        raise RuntimeError(
            f"Input to max_unpooling{n}d should be a {n + 1}d or {n + 2}d Tensor, but got a tensor "
            f"with {input.dim()} dimensions"
        )
    if indices.dtype != int64:
        raise RuntimeError(f"elements in indices should be type int64 but got: {indices.dtype}")
    if indices.shape != input.shape:
        raise RuntimeError(
            "Expected shape of indices to be same as that of the input tensor "
            f"({list(input.shape)}) but got indices tensor with shape: {list(indices.shape)}"
        )
    size = _unpooled_size(n, input, kernel_size, stride, padding, output_size)
    lead, count = input.shape[:-n], math.prod(size)
    if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < count:
        raise RuntimeError(
            f"Found an invalid max index: {int(indices.max())} (output volumes are of size "
            f"{'x'.join(map(str, size))})"
        )
    planes, points = math.prod(lead), math.prod(input.shape[-n:])
    out = input.new_zeros(planes, count)
    rows = ops.arange(planes, device=input.device)[:, None]
    out[rows, indices.reshape(planes, points)] = input.reshape(planes, points)
    return out.reshape(*lead, *size)


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """The inverse of `max_pool1d`: the maxima at their `indices`, zeros elsewhere.

    Args:
        input: (N, C, L) or (C, L).
        indices: int64, of the same shape, as `max_pool1d` returns them.
        kernel_size: of the pooling, as are the next two.
        stride: step; the window's size when None.
        padding: what was added on each side.
        output_size: the size before pooling, where that is not clear.
    """
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """The inverse of `max_pool2d`; see `max_unpool1d`."""
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """The inverse of `max_pool3d`; see `max_unpool1d`."""
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)
