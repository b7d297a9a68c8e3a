"""Pooling: the greatest, or the mean, of the windows of an image."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from rushlight.dtypes import iinfo, int64
from rushlight.ops import ranges
from rushlight.ops._registry import composed, op
from rushlight.ops.spatial import constant_pad_nd, windows
from rushlight.tensor import Tensor

Pair = tuple[int, ...]
Sizes = tuple[int, ...]
# Kernel, stride, padding and dilation.
Geometry = tuple[Sizes, Sizes, Sizes, Sizes]


@op(
    input=lambda K, g, indices, input_shape: K.max_pool2d_backward(g, indices, input_shape),
    forward=lambda K, input, kernel_size, stride, padding, dilation, ceil_mode: K.max_pool2d(
        input, kernel_size, stride, padding, dilation, ceil_mode
    ),
    extras=("indices",),
    node="MaxPool2DWithIndicesBackward0",
    method=False,
)
def max_pool2d_with_indices(
    input: Tensor, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> Tensor:
    """The greatest element of each window of ``(n, c, h, w)``, and its index in its plane.

    The gradient goes to the first greatest element.
    """


@op(
    grad=lambda K, g, indices: K.plane_gather(g, indices),
    indices=None,
    method=False,
)
def max_pool2d_backward(grad: Tensor, indices: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Adds `grad` at `indices` of zero planes of `shape`: the gradient of `max_pool2d`."""


@op(
    input=lambda K, g, indices, input_shape: K.max_pool2d_backward(g, indices, input_shape),
    indices=None,
    method=False,
)
def plane_gather(input: Tensor, indices: Tensor) -> Tensor:
    """The elements of each plane of ``(n, c, h, w)`` at flat `indices` ``(n, c, i, j)``."""


@op(
    input=lambda K, g, input_shape, kernel_size, stride, padding, count_include_pad, divisor_override: (  # noqa: E501
        K.avg_pool2d_backward(
            g, input_shape, kernel_size, stride, padding, count_include_pad, divisor_override
        )
    ),
    method=False,
)
def avg_pool2d(
    input: Tensor,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    """The mean of each window of ``(n, c, h, w)``."""


def _ceil_mode(
    shape: tuple[int, ...], out_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair
) -> bool:
    """Whether windows that end beyond the image made `out_shape`."""
    whole = [
        (n + 2 * p - k) // s + 1
        for n, k, s, p in zip(shape[-2:], kernel, stride, padding, strict=True)
    ]
    return tuple(whole) != tuple(out_shape[-2:])


@op(
    grad=lambda K, g, grad_shape, shape, kernel_size, stride, padding, count_include_pad, divisor_override: (  # noqa: E501
        K.avg_pool2d(
            g,
            kernel_size,
            stride,
            padding,
            _ceil_mode(shape, grad_shape, kernel_size, stride, padding),
            count_include_pad,
            divisor_override,
        )
    ),
    method=False,
)
def avg_pool2d_backward(
    grad: Tensor,
    shape: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    """The gradient of `avg_pool2d` with respect to its input of `shape`."""


# ---- Over any number of dimensions ----


def gathered_by_plane(input: Tensor, indices: Tensor, n: int) -> Tensor:
    """The elements at `indices`, flat over the last `n` dimensions, for the leading dimensions."""
    shape = indices.shape
    lead = shape[: len(shape) - n]
    count = math.prod(lead)
    planes = input.reshape(1, count, 1, math.prod(input.shape[len(lead) :]))
    flat = indices.reshape(1, count, 1, math.prod(shape[len(lead) :]))
    return plane_gather(planes, flat).reshape(shape)


def _steps(name: str, value: Any, n: int) -> Sizes:
    if isinstance(value, int):
        return (value,) * n
    sizes = tuple(value)
    if len(sizes) not in (1, n):
        words = ("one int", "two ints", "three ints")[n - 1]
        raise RuntimeError(
            f"{name} must either be a single int, or a tuple of {words}; got {list(sizes)}"
        )
    return sizes * (n // len(sizes))


def geometry(
    name: str, n: int, kernel_size: Any, stride: Any, padding: Any = 0, dilation: Any = 1
) -> Geometry:
    """The sizes of a pooling; without a stride it is the window's size."""
    kernel = _steps(f"{name}: kernel_size", kernel_size, n)
    missing = stride is None or (not isinstance(stride, int) and len(stride) == 0)
    return (
        kernel,
        kernel if missing else _steps(f"{name}: stride", stride, n),
        _steps(f"{name}: padding", padding, n),
        _steps(f"{name}: dilation", dilation, n),
    )


def _map(change: Callable[[int, Sizes], Sizes], sizes: Geometry) -> Geometry:
    """Each of the sizes changed; `change` is told which number has no effect."""
    kernel, stride, padding, dilation = sizes
    return change(1, kernel), change(1, stride), change(0, padding), change(1, dilation)


def pooled_size(n: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> int:
    """The windows along one dimension; with `ceil` the last may hang over the end.

    It must start within the input or the padding before it.
    """
    free = n + 2 * padding - dilation * (kernel - 1) - 1
    count = (-(-free // stride) if ceil else free // stride) + 1
    return count - (ceil and (count - 1) * stride >= n + padding)


def check_pooling(
    name: str, input: Tensor, n: int, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes
) -> None:
    """Raises RuntimeError for an input or sizes that cannot be pooled, in PyTorch's words."""
    shape = input._array.shape
    if len(shape) not in (n + 1, n + 2):
        raise RuntimeError(_wrong_dims(name, n, shape))
    if n == 1 and name.startswith("max"):
        _check_positive(name, kernel_size=kernel, stride=stride, dilation=dilation)
    if 0 in kernel or 0 in stride:
        raise RuntimeError("stride should not be zero")
    axes = "THW"[3 - n :] if n > 1 else "W"
    for label, letter, sizes in (("stride", "d", stride), ("dilation", "dilation", dilation)):
        if min(sizes) < 1:
            got = " ".join(f"{letter}{a}: {v}" for a, v in zip(axes, sizes, strict=True))
            raise RuntimeError(f"{label} should be greater than zero, but got {got}")
    _check_padding(kernel, padding, dilation)
    if 0 in shape[-n - 1 :]:
        raise RuntimeError(_empty(name, n, shape))


def _check_positive(name: str, **sizes: Sizes) -> None:
    for label, size in sizes.items():
        if size[0] < 1:
            raise RuntimeError(f"{name}() {label} must be greater than zero, but got {size[0]}")


def _check_padding(kernel: Sizes, padding: Sizes, dilation: Sizes) -> None:
    for k, p, d in zip(kernel, padding, dilation, strict=True):
        if p < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {p}")
        if p > k // 2:
            raise RuntimeError(
                "pad should be at most half of effective kernel size, but got "
                f"pad={p}, kernel_size={k} and dilation={d}"
            )


def _wrong_dims(name: str, n: int, shape: Sequence[int]) -> str:
    if n == 1 and name.startswith("avg"):
        return (
            f"Expected 2 to 3 dimensions, but got {len(shape)}-dimensional tensor for argument #1 "
            f"'self' (while checking arguments for {name})"
        )
    if n == 1:
        return (
            f"{name}: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for "
            f"input, but got:{list(shape)}"
        )
    return f"non-empty {n + 1}D or {n + 2}D (batch mode) tensor expected for input"


def _empty(name: str, n: int, shape: Sequence[int]) -> str:
    if n < 3:
        return (
            f"Expected {n + 1}D or {n + 2}D (batch mode) tensor with optional 0 dim batch size for "
            f"input, but got:{list(shape)}"
        )
    return (
        f"{name}(): Expected input's non-batch dimensions to have positive length, but input has a "
        f"shape of {list(shape)}"
    )


def _max_of_planes(x: Tensor, sizes: Geometry, ceil: bool) -> tuple[Tensor, Tensor]:
    """The greatest of each window of (n, c, h, w), and its index in its plane, of any type."""
    kernel, stride, padding, dilation = sizes
    if x.is_floating_point():
        return max_pool2d_with_indices(x, kernel, stride, padding, dilation, ceil)  # type: ignore[return-value]
    size = x.shape[2:]
    counts = [pooled_size(*a, ceil) for a in zip(size, kernel, stride, padding, dilation)]  # noqa: B905
    frame = []
    for n, k, s, p, d, count in zip(size, kernel, stride, padding, dilation, counts, strict=True):
        frame.append((p, max((count - 1) * s + d * (k - 1) + 1 - n - p, -n)))
    pad = (*frame[1], *frame[0])
    places = ranges.arange(math.prod(size), device=x.device).reshape(1, 1, *size)
    least = iinfo(x.dtype).min
    values, places = (
        windows(constant_pad_nd(t, pad, fill), kernel, stride, dilation).flatten(2, 3)
        for t, fill in ((x, least), (places, -1))
    )
    # Padding loses against an equal element: of equals the first counts that is inside.
    chosen = (values.eq(values.amax(2, keepdim=True)) & (places >= 0)).to(int64).argmax(2, True)
    indices = places.expand(*values.shape).gather(2, chosen).squeeze(2)
    return values.gather(2, chosen).squeeze(2), indices


def max_pool(
    n: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
) -> tuple[Tensor, Tensor]:
    """The greatest of each window over the last `n` dimensions, and its index among them."""
    name = f"max_pool{n}d"
    sizes = geometry(name, n, kernel_size, stride, padding, dilation)
    check_pooling(name, input, n, *sizes)
    if n == 1:
        k, s, p, d = (size[0] for size in sizes)
        count = pooled_size(input.shape[-1], k, s, p, d, ceil_mode)
        if count < 1:
            raise RuntimeError(f"max_pool1d() Invalid computed output size: {count}")
    x = input if input.ndim == n + 2 else input.unsqueeze(0)
    if n == 1:
        lifted = _map(lambda none, size: (none, *size), sizes)
        pooled = _max_of_planes(x.unsqueeze(2), lifted, ceil_mode)
        out, indices = (t.squeeze(2) for t in pooled)
    elif n == 2:
        out, indices = _max_of_planes(x, sizes, ceil_mode)
    else:
        out, indices = _max_of_volumes(x, sizes, ceil_mode)
    return (out, indices) if input.ndim == n + 2 else (out.squeeze(0), indices.squeeze(0))


def _max_of_volumes(x: Tensor, sizes: Geometry, ceil: bool) -> tuple[Tensor, Tensor]:
    """First over the planes, then over the depth: the order in which equals are met is the same."""
    n, c, depth, height, width = x.shape
    planes = x.transpose(1, 2).reshape(n * depth, c, height, width)
    best, places = _max_of_planes(planes, _map(lambda _, size: size[1:], sizes), ceil)
    shape = best.shape[2:]
    areas = math.prod(shape)

    def stacked(t: Tensor) -> Tensor:
        return t.reshape(n, depth, c, areas).transpose(1, 2)

    along = _map(lambda none, size: (size[0], none), sizes)
    best, levels = _max_of_planes(stacked(best), along, ceil)
    level = (levels - levels % areas) // areas
    indices = gathered_by_plane(stacked(places), levels, 2) + level * (height * width)
    count = best.shape[2]
    return best.reshape(n, c, count, *shape), indices.reshape(n, c, count, *shape)


@composed(method=False)
def max_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The greatest of each window of (N, C, L) or (C, L); see `nn.functional.max_pool2d`."""
    return max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode)[0]


@composed(method=False)
def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool1d`, and the positions of the greatest."""
    return max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode)


@composed(method=False)
def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The greatest of each window of (N, C, H, W) or (C, H, W)."""
    return max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode)[0]


@composed(method=False)
def max_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The greatest of each window of (N, C, D, H, W) or (C, D, H, W)."""
    return max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode)[0]


# ---- Averages ----


def avg_pool(
    n: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    """The mean of each window over the last `n` dimensions."""
    name = f"avg_pool{n}d"
    kernel, stride, padding, dilation = geometry(name, n, kernel_size, stride, padding)
    check_pooling(name, input, n, kernel, stride, padding, dilation)
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    rule = ceil_mode, count_include_pad, divisor_override
    x = input if input.ndim == n + 2 else input.unsqueeze(0)
    if not x.is_floating_point():
        out = _average_of_integers(x, kernel, stride, padding, *rule)
    elif n == 1:
        out = avg_pool2d(x.unsqueeze(2), (1, *kernel), (1, *stride), (0, *padding), *rule)
        out = out.squeeze(2)
    elif n == 2:
        out = avg_pool2d(x, kernel, stride, padding, *rule)
    else:
        out = _average_of_volumes(x, kernel, stride, padding, *rule)
    return out if input.ndim == n + 2 else out.squeeze(0)


def _average_of_volumes(
    x: Tensor,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    ceil: bool,
    include_padding: bool,
    divisor: int | None,
) -> Tensor:
    """Sums over the planes, then over the depth, divided by what they are of."""
    n, c, depth, height, width = x.shape
    planes = x.reshape(n, c * depth, height, width)
    sums = avg_pool2d(planes, kernel[1:], stride[1:], padding[1:], ceil, True, 1)
    shape = sums.shape[2:]
    along = (kernel[0], 1), (stride[0], 1), (padding[0], 0)
    sums = avg_pool2d(sums.reshape(n, c, depth, math.prod(shape)), *along, ceil, True, 1)
    out = sums.reshape(n, c, sums.shape[2], *shape)
    if divisor is not None:
        return out / divisor
    return out / _window_sizes(x, out.shape[2:], kernel, stride, padding, include_padding)


def _window_sizes(
    x: Tensor,
    counts: Sequence[int],
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    include_padding: bool,
) -> Tensor:
    """How many elements each window has, of the input or with the padding around it."""
    total = x.new_ones(())
    for i, count in enumerate(counts):
        size, p = x.shape[2 + i], padding[i]
        starts = [j * stride[i] - p for j in range(count)]
        ends = [min(start + kernel[i], size + p) for start in starts]
        if not include_padding:
            starts, ends = [max(s, 0) for s in starts], [min(e, size) for e in ends]
        lengths = [end - start for start, end in zip(starts, ends, strict=True)]
        total = total[..., None] * x.new_tensor(lengths)
    return total


def _average_of_integers(
    x: Tensor,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    ceil: bool,
    include_padding: bool,
    divisor: int | None,
) -> Tensor:
    """Sums divided as integers are, towards zero."""
    one = (1,) * len(kernel)
    sizes = list(zip(x.shape[2:], kernel, stride, padding, one, strict=True))
    counts = [pooled_size(*size, ceil) for size in sizes]
    frame: list[int] = []
    for (n, k, s, p, _), count in zip(sizes, counts, strict=True):
        frame = [p, (count - 1) * s + k - n - p, *frame]
    parts = windows(constant_pad_nd(x, tuple(frame), 0), kernel, stride, one)
    sums = parts.sum(tuple(range(2, 2 + len(kernel))))
    if divisor is None:
        by = _window_sizes(x, counts, kernel, stride, padding, include_padding)
        return sums.div(by, rounding_mode="trunc")
    return sums.div(divisor, rounding_mode="trunc")


@composed(method=False)
def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of (N, C, L) or (C, L); see `nn.functional.avg_pool2d`."""
    return avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)
