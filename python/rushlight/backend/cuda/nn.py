"""Matrix products, convolution and pooling.

A convolution is a matrix product over the unfolded input; an average and a maximum go over the
taps of the window, each a strided view of all windows at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rushlight.backend.cuda import pointwise as K
from rushlight.backend.cuda.arrays import asarray, full
from rushlight.backend.cuda.checks import broadcast_shape, refuse
from rushlight.backend.cuda.halves import in_float32
from rushlight.backend.cuda.runtime import cp

__all__ = [
    "avg_pool2d",
    "avg_pool2d_backward",
    "correlate2d",
    "correlate2d_input_grad",
    "correlate2d_weight_grad",
    "linear",
    "matmul",
    "max_pool2d",
    "max_pool2d_backward",
    "rows_sum",
]

Pair = tuple[int, int]


def matmul(x: Any, y: Any) -> Any:
    """The matrix product, batched over leading dimensions, which broadcast."""
    inner = y.shape[-2] if y.ndim > 1 else y.shape[0] if y.ndim else None
    batches = broadcast_shape(x.shape[:-2], y.shape[:-2])
    wrong = x.ndim == 0 or x.shape[-1] != inner or batches is None
    if wrong or x.dtype != y.dtype or x.dtype.kind == "b":
        refuse("matmul", x, y)
    return cp.matmul(x, y).astype(x.dtype, copy=False)  # float32 of bfloat16 where CuPy widens it


def linear(x: Any, weight: Any, bias: Any) -> Any:
    """``x @ weight.T + bias`` of ``(..., in)`` and ``(out, in)``; `bias` may be None."""
    fits = weight.ndim == 2 and x.ndim > 0 and x.shape[-1] == weight.shape[1]
    if bias is not None:
        fits = fits and bias.dtype == x.dtype and bias.shape in ((), (1,), weight.shape[:1])
    if not fits or x.dtype != weight.dtype or x.dtype.kind == "b":
        refuse("linear", x, weight, bias)
    product = matmul(x, weight.T)
    return product if bias is None else K.add(product, bias)


# ---- Windows ----


def _reach(output: Pair, kernel: Pair, stride: Pair, dilation: Pair) -> Pair:
    """The elements from the first that a window reads to the last."""
    rows, columns = (
        (o - 1) * s + (k - 1) * d + 1
        for o, k, s, d in zip(output, kernel, stride, dilation, strict=True)
    )
    return rows, columns


def _padded(x: Any, padding: Pair, reach: Pair, value: float) -> Any:
    """`x` in a frame of `value`, at least as large as the windows reach; itself without any."""
    if padding == (0, 0) and reach[0] <= x.shape[-2] and reach[1] <= x.shape[-1]:
        return x
    frame, inside = _frame(x.shape, padding, reach, value, x.dtype)
    inside[...] = x
    return frame


def _frame(
    shape: Sequence[int], padding: Pair, reach: Pair, value: float, dtype: np.dtype[Any]
) -> tuple[Any, Any]:
    """An array of `value` for the padded planes of `shape`, and the view without the padding."""
    (*planes, height, width), (top, left) = shape, padding
    size = (max(height + 2 * top, reach[0]), max(width + 2 * left, reach[1]))
    frame = full((*planes, *size), value, dtype)
    return frame, frame[..., top : top + height, left : left + width]


def _taps(
    x: Any, output: Pair, kernel: Pair, stride: Pair, dilation: Pair
) -> Iterator[tuple[Pair, Any]]:
    """For each place in the kernel the view of what all windows have there."""
    rows, columns = ((o - 1) * s + 1 for o, s in zip(output, stride, strict=True))
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            top, left = i * dilation[0], j * dilation[1]
            down = slice(top, top + rows, stride[0])
            yield (i, j), x[:, :, down, left : left + columns : stride[1]]


# ---- Convolution ----


def _unfolded(
    x: Any, kernel: Pair, output: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Any:
    """The windows of `x` as columns: ``(n, groups, channels * taps, windows)``."""
    x = _padded(x, padding, _reach(output, kernel, stride, dilation), 0)
    n, c = x.shape[:2]
    batch, plane, row, element = x.strides
    windows = cp.lib.stride_tricks.as_strided(
        x,
        (n, c, *kernel, *output),
        (
            *(batch, plane),
            *(row * dilation[0], element * dilation[1]),
            *(row * stride[0], element * stride[1]),
        ),
    )
    return windows.reshape(n, groups, c // groups * kernel[0] * kernel[1], output[0] * output[1])


@in_float32
def correlate2d(
    x: Any,
    weight: Any,
    bias: Any,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Any:
    """Cross-correlation of ``(n, c, h, w)`` with ``(out, c / groups, kh, kw)``."""
    output = _output_size(x, weight, bias, stride, padding, dilation, groups)
    if output is None:
        refuse("correlate2d", x, weight, bias, stride, padding, dilation, groups)
    channels, kernel = weight.shape[0], weight.shape[2:]
    columns = _unfolded(x, kernel, output, stride, padding, dilation, groups)
    product = cp.matmul(weight.reshape(groups, channels // groups, -1), columns)
    out = product.reshape(x.shape[0], channels, *output)
    return out if bias is None else K.add(out, bias.reshape(-1, 1, 1))


def _output_size(
    x: Any, weight: Any, bias: Any, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Pair | None:
    """The windows in both directions; None for operands that do not go together."""
    if x.ndim != 4 or weight.ndim != 4 or x.dtype != weight.dtype or x.dtype.kind != "f":
        return None
    if min(groups, *stride, *dilation, *weight.shape[2:]) < 1 or min(padding) < 0:
        return None
    channels = weight.shape[0]
    fits = x.shape[1] == weight.shape[1] * groups and channels % groups == 0 < channels
    if bias is not None:
        fits = fits and bias.shape == (channels,) and bias.dtype == x.dtype
    if not fits:
        return None
    height, width = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(
            x.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True
        )
    )
    return (height, width) if height > 0 and width > 0 else None


@in_float32
def correlate2d_input_grad(
    g: Any,
    weight: Any,
    x_shape: Sequence[int],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Any:
    """The gradient of `correlate2d` with respect to its input."""
    n, c = x_shape[:2]
    channels, kernel, output = weight.shape[0], weight.shape[2:], g.shape[2:]
    slopes = g.reshape(n, groups, channels // groups, g.shape[2] * g.shape[3])
    kernels = weight.reshape(groups, channels // groups, -1).swapaxes(-1, -2)
    columns = cp.matmul(kernels, slopes).reshape(n, c, *kernel, *output)
    reach = _reach(output, kernel, stride, dilation)
    frame, inside = _frame(x_shape, padding, reach, 0, g.dtype)
    for (i, j), view in _taps(frame, output, kernel, stride, dilation):
        view += columns[:, :, i, j]
    return K.copy(inside)


@in_float32
def correlate2d_weight_grad(
    g: Any,
    x: Any,
    weight_shape: Sequence[int],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Any:
    """The gradient of `correlate2d` with respect to its weight."""
    n, channels = g.shape[:2]
    kernel = (weight_shape[2], weight_shape[3])
    columns = _unfolded(x, kernel, g.shape[2:], stride, padding, dilation, groups)
    slopes = g.reshape(n, groups, channels // groups, g.shape[2] * g.shape[3])
    products = cp.matmul(slopes, columns.swapaxes(-1, -2))
    return products.sum(axis=0).reshape(tuple(weight_shape))


# ---- Pooling ----


def _pooled_size(
    x: Any, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> Pair | None:
    """The windows in both directions; with `ceil_mode` they may hang over the far edge.

    None for an input or options that cannot be pooled.
    """
    if x.ndim not in (3, 4) or 0 in x.shape[-3:] or x.dtype.kind != "f":
        return None
    sizes = []
    for n, k, s, p, d in zip(x.shape[-2:], kernel, stride, padding, dilation, strict=True):
        if min(k, s, d) < 1 or not 0 <= p <= (d * (k - 1) + 1) // 2:
            return None
        free = n + 2 * p - d * (k - 1) - 1
        count = -(-free // s) + 1 if ceil_mode else free // s + 1
        # The last window has to start inside of the input or the near padding.
        sizes.append(count - 1 if ceil_mode and (count - 1) * s >= n + p else count)
    return (sizes[0], sizes[1]) if min(sizes) > 0 else None


def _planes(x: Any) -> Any:
    return x if x.ndim == 4 else x[None]


@in_float32
def max_pool2d(
    x: Any, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[Any, Any]:
    """The maximum of each window of ``(..., h, w)`` and its flat position in the plane.

    The first of equals wins, and any NaN.
    """
    options = (kernel_size, stride, padding, dilation, ceil_mode)
    output = _pooled_size(x, *options)
    if output is None:
        refuse("max_pool2d", x, *options)
    planes = _planes(x)
    height, width = x.shape[-2:]
    frame = _padded(planes, padding, _reach(output, kernel_size, stride, dilation), -np.inf)
    place = _padded(
        cp.arange(height * width).reshape(1, 1, height, width),
        padding,
        _reach(output, kernel_size, stride, dilation),
        -1,
    )
    best = full((*planes.shape[:2], *output), -np.inf, x.dtype)
    where = full(best.shape, -1, np.dtype(np.int64))
    taps = zip(
        _taps(frame, output, kernel_size, stride, dilation),
        _taps(place, output, kernel_size, stride, dilation),
        strict=True,
    )
    for (_, value), (_, position) in taps:
        first = (where < 0) & (position >= 0)
        better = (first | (value > best) | K.isnan(value)) & (position >= 0)
        best, where = cp.where(better, value, best), cp.where(better, position, where)
    shape = (*x.shape[:-2], *output)
    return best.reshape(shape), where.reshape(shape)


@in_float32
def max_pool2d_backward(g: Any, indices: Any, x_shape: Sequence[int]) -> Any:
    """The gradient of `max_pool2d`: each element of `g` goes to the maximum of its window."""
    height, width = x_shape[-2:]
    places = indices.reshape(-1, indices.shape[-2] * indices.shape[-1])
    out = full((places.shape[0], height * width), 0, g.dtype)
    rows = cp.arange(places.shape[0])[:, None]
    cp.add.at(out, (rows, places), g.reshape(places.shape))
    return out.reshape(tuple(x_shape))


def _divisors(
    size: Sequence[int],
    output: Pair,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    include_padding: bool,
    divisor: int | None,
    dtype: np.dtype[Any],
) -> Any:
    """What each window's sum is divided by: a number, or one for each window."""
    if divisor is not None:
        return float(divisor)
    counts = []
    for n, o, k, s, p in zip(size, output, kernel, stride, padding, strict=True):
        start = np.arange(o) * s - p
        end = np.minimum(start + k, n + p)
        inside = np.minimum(end, n) - np.maximum(start, 0)
        counts.append(end - start if include_padding else inside)
    return asarray((counts[0][:, None] * counts[1]).astype(dtype))


@in_float32
def avg_pool2d(
    x: Any,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Any:
    """The mean of each window of ``(..., h, w)``."""
    dilation = (1, 1)
    options = (kernel_size, stride, padding)
    output = _pooled_size(x, *options, dilation, ceil_mode)
    if output is None or divisor_override == 0:
        refuse("avg_pool2d", x, *options, ceil_mode, count_include_pad, divisor_override)
    frame = _padded(_planes(x), padding, _reach(output, kernel_size, stride, dilation), 0)
    total = full((*frame.shape[:2], *output), 0, x.dtype)
    for _, value in _taps(frame, output, kernel_size, stride, dilation):
        total += value
    rule = (count_include_pad, divisor_override, x.dtype)
    mean = K.div(total, _divisors(x.shape[-2:], output, *options, *rule))
    return mean.reshape(*x.shape[:-2], *output)


@in_float32
def avg_pool2d_backward(
    g: Any,
    x_shape: Sequence[int],
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Any:
    """The gradient of `avg_pool2d`."""
    output, size = g.shape[-2:], tuple(x_shape[-2:])
    options = (kernel_size, stride, padding)
    rule = (count_include_pad, divisor_override, g.dtype)
    share = K.div(_planes(g), _divisors(size, output, *options, *rule))
    reach = _reach(output, kernel_size, stride, (1, 1))
    frame, inside = _frame((*share.shape[:2], *size), padding, reach, 0, g.dtype)
    for _, view in _taps(frame, output, kernel_size, stride, (1, 1)):
        view += share
    return K.copy(inside).reshape(tuple(x_shape))


# ---- Tables ----


def rows_sum(g: Any, shape: Sequence[int], index: Any) -> Any:
    """Zeros of `shape` with `g` added at the rows `index`: the gradient of `rows_at`."""
    out = full(tuple(shape), 0, g.dtype)
    cp.add.at(out, index, g)
    return out
