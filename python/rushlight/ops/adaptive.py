"""Adaptive pooling: windows that divide the input into a wanted number of parts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight.ops import ranges
from rushlight.ops._registry import composed
from rushlight.ops.pooling import gathered_by_plane
from rushlight.ops.spatial import resampled
from rushlight.tensor import Tensor


def _wanted(name: str, n: int, input: Tensor, output_size: Any) -> tuple[int, ...]:
    """The sizes of the result; None keeps one."""
    if n > 1 and input.dim() <= n:
        raise ValueError(f"Input dimension should be at least {n + 1}")
    if input.dim() not in (n + 1, n + 2):
        raise RuntimeError(
            f"Expected 2 to 3 dimensions, but got {input.dim()}-dimensional tensor for argument #1 "
            f"'self' (while checking arguments for {name})"
            if n == 1
            else f"{name}(): Expected {n + 1}D or {n + 2}D tensor, but got {list(input.shape)}"
        )
    if 0 in input.shape[-n:]:
        raise RuntimeError(
            f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input "
            f"has sizes {list(input.shape)} with dimension being empty"
        )
    one = isinstance(output_size, int) or output_size is None
    wanted = (output_size,) * n if one else tuple(output_size)
    if len(wanted) != n:
        raise RuntimeError(
            f"{name}() argument 'output_size' should contain one int (got {len(wanted)})"
            if n == 1
            else f"{name}: output_size must be {n}, got {len(wanted)}"
        )
    sizes = tuple(
        size if part is None else int(part)
        for size, part in zip(input.shape[-n:], wanted, strict=True)
    )
    if min(sizes) < 0:
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received "
            f"{sizes}"
            if "avg" in name
            else f"Trying to create tensor with negative dimension {min(sizes)}: "
            f"{[*input.shape[:-n], *sizes]}"
        )
    return sizes


def _parts(size: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each of `parts` windows begins and ends; neighbours may share an element."""
    i = np.arange(parts)
    return i * size // max(parts, 1), -(-(i + 1) * size // max(parts, 1))


def _windows(size: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """The elements of each window and their weights; short windows repeat their last, with 0."""
    start, end = _parts(size, parts)
    taps = np.arange(max(end - start, default=1))
    index = start[:, None] + taps
    inside = index < end[:, None]
    index = np.minimum(index, end[:, None] - 1)
    return index, inside / (end - start)[:, None]


def adaptive_mean(n: int, input: Tensor, output_size: Any) -> Tensor:
    """The means of the windows over the last `n` dimensions."""
    name = f"adaptive_avg_pool{n}d"
    sizes = _wanted(name, n, input, output_size)
    if all(size == 1 for size in sizes):
        return input.mean(tuple(range(-n, 0)), keepdim=True)
    for dim, parts in enumerate(sizes, input.dim() - n):
        size = input.shape[dim]
        if parts and size % parts == 0:
            if size != parts:
                input = input.unflatten(dim, (parts, size // parts)).mean(dim + 1)
        else:
            input = resampled(input, dim, *_windows(size, parts))
    return input


def _greatest(x: Tensor, n: int, taps: list[np.ndarray]) -> Tensor:
    """The flat positions of the greatest of windows, given the elements of each along each dim.

    The first of equals, or of nans, in the order of memory: so the last dimension goes first.
    """
    values, sizes = x.detach(), x.shape[-n:]
    places = ranges.arange(math.prod(sizes), device=x.device).reshape(sizes).expand(*x.shape)
    for dim, index in reversed(list(enumerate(taps, x.dim() - n))):
        count, width = index.shape
        values, places = (
            resampled(t, dim, index.reshape(-1, 1), None).unflatten(dim, (count, width))
            for t in (values, places)
        )
        best = values.argmax(dim + 1, keepdim=True)
        values, places = (t.gather(dim + 1, best).squeeze(dim + 1) for t in (values, places))
    return places


def adaptive_max(n: int, input: Tensor, output_size: Any) -> tuple[Tensor, Tensor]:
    """The greatest of each window over the last `n` dimensions, and its place among them."""
    sizes = _wanted(f"adaptive_max_pool{n}d", n, input, output_size)
    taps = [_windows(*each)[0] for each in zip(input.shape[-n:], sizes, strict=True)]
    indices = _greatest(input, n, taps)
    return gathered_by_plane(input, indices, n), indices


@composed(method=False)
def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Means of `output_size` windows that cover (N, C, L) or (C, L).

    Window i of n goes from ``floor(i L / n)`` to ``ceil((i + 1) L / n)``.
    """
    return adaptive_mean(1, input, output_size)


@composed(method=False)
def adaptive_max_pool1d(input: Tensor, output_size: Any) -> tuple[Tensor, Tensor]:
    """Greatest of `output_size` windows that cover (N, C, L) or (C, L), and their places."""
    return adaptive_max(1, input, output_size)
