"""Images of another size, sampled at other points, cut into windows and put together again."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight import ops
from rushlight.ops.adaptive import adaptive_mean
from rushlight.ops.grid import MODES, PADDINGS, cubic_weights
from rushlight.ops.spatial import per_dimension
from rushlight.tensor import Tensor

__all__ = [
    "affine_grid",
    "fold",
    "grid_sample",
    "interpolate",
    "unfold",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]

# ---- Interpolation ----

# The number of dimensions of space that each mode is for; None for any.
_SPACE = {
    "nearest": None, "nearest-exact": None, "area": None,
    "linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3,
}  # fmt: skip
_ALIGNED = ("linear", "bilinear", "bicubic", "trilinear")


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """`input` in another size.

    Args:
        input: (N, C, ...) with one, two or three dimensions of space.
        size: of the result, one number or one for each dimension; or else
        scale_factor: by which each is multiplied, rounded down.
        mode: ``"nearest"``, ``"nearest-exact"``, ``"linear"`` (one dimension), ``"bilinear"`` and
            ``"bicubic"`` (two), ``"trilinear"`` (three), or ``"area"``, which is adaptive pooling.
        align_corners: the centers of the outer pixels fall together, not their outer edges.
        recompute_scale_factor: sample at the distances that the sizes give, not `scale_factor`.
        antialias: widen the filter where the result is smaller (bilinear and bicubic).

    Raises:
        ValueError: for options that contradict each other.
        NotImplementedError: for a mode that is not for so many dimensions.
    """
    space = input.dim() - 2
    align = _check_mode(mode, align_corners, antialias, space)
    sizes, scales = _output_sizes(input, size, scale_factor, recompute_scale_factor)
    if 1 <= space <= 3 and _SPACE.get(mode, space) not in (None, space):
        raise NotImplementedError(
            f"Got {input.dim()}D input, but {mode} mode needs {(_SPACE[mode] or 0) + 2}D input"
        )
    if mode not in _SPACE or not 1 <= space <= 3:
        raise NotImplementedError(
            "Input Error: Only 3D, 4D and 5D input Tensors supported (got "
            f"{input.dim()}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | "
            f"area | nearest-exact (got {mode})"
        )
    if mode == "area":
        return adaptive_mean(space, input, sizes)
    if min(*sizes, *input.shape[1:]) <= 0:
        raise RuntimeError(
            "Input and output sizes should be greater than 0, but got input "
            f"({'x'.join(map(str, input.shape[2:]))}) and output ({'x'.join(map(str, sizes))})"
        )
    if not mode.startswith("nearest") and not input.is_floating_point():
        raise NotImplementedError(f'"upsample_{mode}" not implemented for {input.dtype}')
    for dim, (count, scale) in enumerate(zip(sizes, scales, strict=True), 2):
        taps = _taps(input, dim, count, scale, mode, align, antialias)
        input = ops.resampled(input, dim, *taps)
    return input


def _check_mode(mode: str, align_corners: bool | None, antialias: bool, space: int) -> bool:
    if mode not in _ALIGNED and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear "
            "| bicubic | trilinear"
        )
    if antialias and not (mode in ("bilinear", "bicubic") and space == 2):
        raise ValueError(
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D "
            "tensor as input"
        )
    return bool(align_corners)


def _output_sizes(
    input: Tensor, size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[list[int], list[float | None]]:
    """The sizes of the result, and the factors to sample by, None where the sizes give them."""
    space = input.dim() - 2
    if (size is None) == (scale_factor is None):
        raise ValueError(
            "only one of size or scale_factor should be defined"
            if size is not None
            else "either size or scale_factor should be defined"
        )
    if recompute and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    if size is not None:
        return [int(n) for n in _for_each(size, space, input, "size")], [None] * space
    factors = [float(f) for f in _for_each(scale_factor, space, input, "scale_factor")]
    sizes = [math.floor(n * f) for n, f in zip(input.shape[2:], factors, strict=True)]
    return sizes, [None] * space if recompute else [*factors]


def _for_each(value: Any, space: int, input: Tensor, name: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        return [value] * space
    if len(value) != space:
        what = "spatial dimensions" if name == "size" else "dimensions"
        raise ValueError(
            f"Input and {'output' if name == 'size' else name} must have the same number of "
            f"spatial dimensions, but got input with {what} of {list(input.shape[2:])} and "
            f"{'output size' if name == 'size' else name} of {value}. Please provide input tensor "
            "in (N, C, d1, d2, ...,dK) format and output size in (o1, o2, ...,oK) format."
        )
    return list(value)


def _taps(
    input: Tensor,
    dim: int,
    count: int,
    factor: float | None,
    mode: str,
    align_corners: bool,
    antialias: bool,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Which elements along `dim` each of `count` points is made of, and their weights."""
    size = input.shape[dim]
    # In the type of the data, as PyTorch: a rounding decides between two neighbours.
    real = np.float64 if input.element_size() == 8 and input.is_floating_point() else np.float32
    if align_corners:
        step = real((size - 1) / (count - 1) if count > 1 else 0)
    else:
        step = real(size / count if factor is None else 1.0 / factor)
    i = np.arange(count).astype(real)
    if mode.startswith("nearest"):
        at = np.floor((i + real(0.5)) * step if mode == "nearest-exact" else i * step)
        return np.minimum(at.astype(np.int64), size - 1)[:, None], None
    if antialias:
        return _wide_taps(i, size, step, mode)
    center = i * step if align_corners else (i + real(0.5)) * step - real(0.5)
    if mode == "bicubic":
        first = np.floor(center)
        weight = np.stack(cubic_weights(center - first), 1)
        index = first.astype(np.int64)[:, None] + np.arange(-1, 3)
    else:
        center = np.maximum(center, 0)
        first = np.minimum(np.floor(center), size - 1)
        rest = np.clip(center - first, 0, 1)
        weight = np.stack([1 - rest, rest], 1)
        index = first.astype(np.int64)[:, None] + np.arange(2)
    return np.clip(index, 0, size - 1), weight


def _wide_taps(i: np.ndarray, size: int, step: Any, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """A filter as wide as the step, so that no element of a larger image is passed over."""
    real, half = type(step), 1 if mode == "bilinear" else 2
    width = np.maximum(step, real(1))
    center = (i + real(0.5)) * step
    low = np.maximum((center - half * width + real(0.5)).astype(np.int64), 0)
    high = np.minimum((center + half * width + real(0.5)).astype(np.int64), size)
    index = low[:, None] + np.arange(max(high - low))
    inside = index < high[:, None]
    x = np.abs((index - center[:, None] + real(0.5)) / width)
    if mode == "bilinear":
        weight = np.maximum(1 - x, 0)
    else:
        a = -0.5
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = ((x - 5) * x + 8) * x * a - 4 * a
        weight = np.where(x < 1, near, np.where(x < 2, far, 0))
    weight = np.where(inside, weight, 0)
    total = weight.sum(1, keepdims=True)
    return np.minimum(index, size - 1), weight / np.where(total == 0, 1, total)


def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """`interpolate`, under its former name."""
    _deprecated("upsample", "")
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """``interpolate(mode="nearest")``, under its former name."""
    _deprecated("upsample_nearest", "")
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """``interpolate(mode="bilinear", align_corners=True)``, under its former name."""
    _deprecated("upsample_bilinear", "")
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


def _deprecated(name: str, more: str) -> None:
    warnings.warn(
        f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.{more}",
        stacklevel=3,
    )


# ---- Grids ----


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """`input` at the points of `grid`.

    Args:
        input: (N, C, H, W) or (N, C, D, H, W).
        grid: (N, h, w, 2) or (N, d, h, w, 3): x, y and z in [-1, 1], x along the last dimension.
        mode: ``"bilinear"`` (also for volumes), ``"nearest"``, or ``"bicubic"`` (images only).
        padding_mode: outside are ``"zeros"``, the ``"border"``, or mirror images,
            ``"reflection"``.
        align_corners: -1 and 1 are the centers of the outer pixels, not their outer edges.

    Returns:
        (N, C, h, w) or (N, C, d, h, w).
    """
    if mode not in MODES:
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if padding_mode not in PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    _warn_of_corners("grid_sample", align_corners)
    numbers = MODES.index(mode), PADDINGS.index(padding_mode)
    return ops.grid_sampler(input, grid, *numbers, bool(align_corners))


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The grid for `grid_sample` whose points are affine maps of the output's.

    Args:
        theta: (N, 2, 3) for images, (N, 3, 4) for volumes.
        size: of the output, (N, C, H, W) or (N, C, D, H, W).
        align_corners: as for `grid_sample`.

    Returns:
        (N, H, W, 2) or (N, D, H, W, 3).
    """
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {tuple(size)}."
        )
    expected = (size[0], len(size) - 2, len(size) - 1)
    if tuple(theta.shape) != expected:
        letters = "Nx2x3" if len(size) == 4 else "Nx3x4"
        raise ValueError(
            f"Expected a batch of {len(size) - 2}D affine matrices of shape {letters} for size "
            f"{tuple(size)}. Got {theta.shape}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {tuple(size)}")
    _warn_of_corners("affine_grid", align_corners)
    return ops.affine_grid_generator(theta, size, bool(align_corners))


def _warn_of_corners(name: str, align_corners: bool | None) -> None:
    if align_corners is None:
        warnings.warn(
            f"Default {name} behavior has changed to align_corners=False since 1.3.0. Please "
            "specify align_corners=True if the old behavior is desired. See the documentation of "
            "grid_sample for details.",
            stacklevel=3,
        )


# ---- Windows as columns ----


def unfold(
    input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """The windows of images as columns: (N, C, H, W) to (N, C k k, windows).

    Args:
        input: (N, C, H, W) or (C, H, W).
        kernel_size: k, the window, one number or (height, width), as are the next three.
        dilation: distance between the window's points.
        padding: zeros on each side.
        stride: step.
    """
    if input.dim() not in (3, 4):
        raise NotImplementedError(
            f"Input Error: Only 3D/4D input Tensors are supported (got {input.dim()}D)"
        )
    kernel, gap, pad, step = _window(kernel_size, dilation, padding, stride)
    x = ops.constant_pad_nd(input, (pad[1], pad[1], pad[0], pad[0]), 0) if max(pad) else input
    counts = _window_counts(x.shape[-2:], kernel, gap, step)
    if min(counts) < 1:
        raise RuntimeError(
            f"Given input with spatial size {tuple(input.shape[-2:])}, kernel_size={kernel}, "
            f"dilation={gap}, padding={pad}, calculated shape of the array of sliding blocks as "
            f"{tuple(counts)}, but its components must be at least one."
        )
    columns = ops.windows(x, kernel, step, gap)
    rows = input.shape[-3] * math.prod(kernel)
    return columns.reshape(*input.shape[:-3], rows, math.prod(counts))


def fold(
    input: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Tensor:
    """Columns added up where their windows lie: (N, C k k, windows) to (N, C, H, W).

    Args:
        input: (N, C k k, windows) or (C k k, windows).
        output_size: (H, W), or one number for both.
        kernel_size: k, the window, one number or (height, width), as are the next three.
        dilation: distance between the window's points.
        padding: cut off on each side.
        stride: step.
    """
    if input.dim() not in (2, 3):
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
            f"non-zero dimensions for input, but got: {list(input.shape)}"
        )
    kernel, gap, pad, step = _window(kernel_size, dilation, padding, stride)
    size = per_dimension("output_size", output_size, 2)
    whole = tuple(n + 2 * p for n, p in zip(size, pad, strict=True))
    counts = _window_counts(whole, kernel, gap, step)
    *lead, rows, columns = input.shape
    if rows % math.prod(kernel):
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={rows} and kernel_size={kernel}."
        )
    if min(counts) < 1 or columns != math.prod(counts):
        raise RuntimeError(
            f"Given output_size={size}, kernel_size={kernel}, dilation={gap}, padding={pad}, "
            f"stride={step}, expected size of input's dimension 2 to match the calculated number "
            f"of sliding blocks {counts[0]} * {counts[1]} = {math.prod(counts)}, but got "
            f"input.size(2)={columns}."
        )
    channels = rows // math.prod(kernel)
    stacks = input.reshape(*lead, channels, *kernel, *counts)
    out = ops.windows_sum(stacks, (*lead, channels, *whole), kernel, step, gap)
    if max(pad):
        out = ops.constant_pad_nd(out, (-pad[1], -pad[1], -pad[0], -pad[0]), 0)
    return out


def _window(*sizes: Any) -> tuple[tuple[int, ...], ...]:
    """Kernel, dilation, padding and stride as pairs.

    Raises:
        RuntimeError: one of them is not positive.
    """
    names = ("kernel_size", "dilation", "padding", "stride")
    pairs = tuple(per_dimension(name, size, 2) for name, size in zip(names, sizes, strict=True))
    for name, pair in zip(names, pairs, strict=True):
        least = 0 if name == "padding" else 1
        if min(pair) < least:
            words = "non-negative" if least == 0 else "greater than zero"
            raise RuntimeError(f"{name} should be {words}, but got {name}: {pair}")
    return pairs


def _window_counts(
    size: Sequence[int], kernel: Sequence[int], gap: Sequence[int], step: Sequence[int]
) -> list[int]:
    return [
        (n - d * (k - 1) - 1) // s + 1 for n, k, d, s in zip(size, kernel, gap, step, strict=True)
    ]
