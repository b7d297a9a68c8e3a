"""Pooling to a wanted size: adaptive, and of fractional steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from rushlight import ops
from rushlight.ops.adaptive import adaptive_max, adaptive_mean
from rushlight.ops.pooling import gathered_by_plane
from rushlight.tensor import Tensor

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
]


# ---- Means ----


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Means of windows that divide the plane into `output_size` parts.

    Window i of n goes from ``floor(i L / n)`` to ``ceil((i + 1) L / n)``.

    Args:
        input: (N, C, H, W) or (C, H, W).
        output_size: one number or (height, width); None keeps a size.
    """
    return adaptive_mean(2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """Means of windows that cover (N, C, D, H, W); see `adaptive_avg_pool2d`."""
    return adaptive_mean(3, input, output_size)


# ---- Maxima ----


def _adaptive_max(n: int, layout: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """``adaptive_max_pool<n>d`` and ``adaptive_max_pool<n>d_with_indices``."""
    name = f"adaptive_max_pool{n}d"

    def with_indices(
        input: Tensor, output_size: Any, return_indices: bool = False
    ) -> tuple[Tensor, Tensor]:
        return adaptive_max(n, input, output_size)

    def adaptive(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        out = with_indices(input, output_size)
        return out if return_indices else out[0]

    adaptive.__name__ = adaptive.__qualname__ = name
    adaptive.__doc__ = f"""Greatest of windows that divide ({layout}) into `output_size` parts.

    Args:
        input: (N, C, {layout}) or (C, {layout}).
        output_size: one number or one for each dimension; None keeps a size.
        return_indices: return the maxima's positions, flat in ({layout}), beside them.
    """
    with_indices.__name__ = with_indices.__qualname__ = name + "_with_indices"
    with_indices.__doc__ = f"`{name}`, and the positions of the maxima."
    return adaptive, with_indices


adaptive_max_pool1d, adaptive_max_pool1d_with_indices = _adaptive_max(1, "L")
adaptive_max_pool2d, adaptive_max_pool2d_with_indices = _adaptive_max(2, "H, W")
adaptive_max_pool3d, adaptive_max_pool3d_with_indices = _adaptive_max(3, "D, H, W")


# ---- Fractional steps ----


def _starts(sample: Tensor, size: int, parts: int, kernel: int) -> Tensor:
    """Where the windows of each plane begin: (planes, parts), the last at the end of the image."""
    if parts == 1:
        return (sample[:, None] * 0 + (size - kernel)).long()
    step = (size - kernel) / (parts - 1)
    i = ops.arange(parts, device=sample.device)
    drawn = ((i + sample[:, None]) * step).long() - (sample[:, None] * step).long()
    return ops.where(i.eq(parts - 1), size - kernel, drawn)


def _fractional(
    n: int,
    input: Tensor,
    kernel_size: Any,
    output_size: Any,
    output_ratio: Any,
    random_samples: Tensor | None,
) -> tuple[Tensor, Tensor]:
    name = f"fractional_max_pool{n}d"
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    if input.dim() not in (n + 1, n + 2):
        raise RuntimeError(
            f"{name}: Expected {n + 1}D or {n + 2}D tensor, but got: {list(input.shape)}"
        )
    sizes = input.shape[-n:]
    kernel = (kernel_size,) * n if isinstance(kernel_size, int) else tuple(kernel_size)
    if output_size is None:
        ratios = (output_ratio,) * n if isinstance(output_ratio, float) else tuple(output_ratio)
        parts = tuple(int(size * ratio) for size, ratio in zip(sizes, ratios, strict=True))
    else:
        parts = (output_size,) * n if isinstance(output_size, int) else tuple(output_size)
    for k, size, part in zip(kernel, sizes, parts, strict=True):
        if part + k - 1 > size:
            raise RuntimeError(
                f"{name}: kernel size {k} is too large relative to input size {size}"
            )
    batch = 1 if input.dim() == n + 1 else input.shape[0]
    if random_samples is None:
        random_samples = ops.rand(
            batch, input.shape[-n - 1], n, dtype=input.dtype, device=input.device
        )
    planes = batch * input.shape[-n - 1]
    samples = random_samples[:batch].reshape(planes, n)  # without a batch, the first counts
    # The columns are those of x and y for images, of depth, height and width for volumes.
    columns = (1, 0) if n == 2 else (0, 1, 2)
    flat = None
    for dim in range(n):
        start = _starts(samples[:, columns[dim]], sizes[dim], parts[dim], kernel[dim])
        taps = start[:, :, None] + ops.arange(kernel[dim], device=input.device)
        along = [1] * (2 * n)
        along[dim], along[n + dim] = parts[dim], kernel[dim]
        taps = taps.reshape(-1, *along)
        flat = taps if flat is None else flat * sizes[dim] + taps
    assert flat is not None
    shape = planes, math.prod(parts), math.prod(kernel)
    places = flat.reshape(shape)
    flat_input = input.detach().reshape(planes, math.prod(sizes))
    values = flat_input.gather(1, places.reshape(planes, shape[1] * shape[2])).reshape(shape)
    chosen = places.gather(2, values.argmax(2, keepdim=True))
    indices = chosen.reshape(*input.shape[:-n], *parts)
    return gathered_by_plane(input, indices, n), indices


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Greatest of windows whose steps, of two sizes, are in a random order.

    Args:
        input: (N, C, H, W) or (C, H, W).
        kernel_size: the window, one number or (height, width).
        output_size: one number or (height, width).
        output_ratio: instead, the share of the input's size, between 0 and 1.
        return_indices: return the maxima's positions, flat in the (H, W) plane, beside them.

    Source: Graham, "Fractional max-pooling" (2014).
    """
    sizes = kernel_size, output_size, output_ratio
    out = _fractional(2, input, *sizes, _random_samples)
    return out if return_indices else out[0]


def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`fractional_max_pool2d`, and the positions of the maxima."""
    return _fractional(2, input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """`fractional_max_pool2d` of (N, C, D, H, W) or (C, D, H, W)."""
    sizes = kernel_size, output_size, output_ratio
    out = _fractional(3, input, *sizes, _random_samples)
    return out if return_indices else out[0]


def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`fractional_max_pool3d`, and the positions of the maxima."""
    return _fractional(3, input, kernel_size, output_size, output_ratio, _random_samples)
